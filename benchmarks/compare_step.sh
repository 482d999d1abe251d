#!/bin/sh
# Training steps of attnlab and of the paper's PyTorch code, policy by policy in turn, so that both see the same machine; the last
# column is torch / attnlab by the medians.
#   REF_HOME=FOLDER PEER_PYTHON=python3 sh benchmarks/compare_step.sh [SIZE [SECONDS]]      SIZE: demo, tiny, small, gpt2-124m
# FOLDER holds a checkout of an-yongqi/systematic-outliers as an-yongqi+systematic-outliers; PEER_PYTHON has torch.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
size=${1:-demo} seconds=${2:-3}
: "${REF_HOME:?the folder of the paper's code}" "${PEER_PYTHON:=python3}"
export REF_HOME OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
program=$here/../build/release/bin/attnlab
echo "# $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $OMP_NUM_THREADS thread(s), $size: median ms of a step"
echo "# policy attnlab torch ratio"
for policy in softmax value_bias context_bias attention_bias context_scale sigmoid; do
  ours=$("$program" benchmark step --sizes "$size" --policies "$policy" --seconds "$seconds" | awk '/\.median / {print $2}')
  theirs=$("$PEER_PYTHON" "$here/torch_step.py" "$size" "$policy" "$seconds" | awk '/\.median / {print $2}')
  awk -v p="$policy" -v a="$ours" -v b="$theirs" 'BEGIN {printf "%s %.2f %.2f %.2f\n", p, a, b, b / a}'
done
