#!/bin/sh
# What each attention costs beside plain softmax, forward and backward, softmax timed again next to each; as a Markdown table.
#   sh benchmarks/policy_cost.sh [T [SECONDS [POLICY...]]]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
program=$here/../build/release/bin/attnlab
length=${1:-1024} seconds=${2:-0.5}
[ $# -gt 2 ] && shift 2 && policies=$* || policies=$("$program" policies | sed -n 's/^\([a-z]\)/\1/p' | cut -d' ' -f1 | grep -v '^softmax$')
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
echo "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $OMP_NUM_THREADS thread(s), B 1, H 12, D 64, T $length, causal: least ms"
echo
echo "| policy | forward | forward + backward | of softmax |"
echo "|---|---|---|---|"
for policy in $policies; do
  "$program" benchmark attention --T "$length" --policies "softmax,$policy,softmax" --seconds "$seconds" |
    awk -v p="$policy" '
      index($1, ".min") == 0 { next }
      index($1, "attention." p ".") == 1 { if (index($1, ".fwdbwd.")) both = $2; else one = $2 }
      index($1, "attention.softmax.") == 1 && index($1, ".fwdbwd.") { if (!base || $2 < base) base = $2 }
      END { printf "| %s | %.1f | %.1f | %.2f |\n", p, one, both, both / base }'
done
