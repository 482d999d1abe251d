#!/bin/sh
# User seconds of the compiler at -O2, least of three: a program of one policy, with headers alone and with attnlab::compiled; what a
# second policy adds; a file that has a policy and layers only.
#   CXX=g++ sh benchmarks/compile_time.sh
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
compiler=${CXX:-g++}
flags="-std=c++20 -O2 -march=native -fopenmp -ffp-contract=fast -DXTENSOR_USE_XSIMD -DATTNLAB_USE_ONEDNN -I$here/include"

program() { # FILE EXPRESSION
  printf '#include <attnlab/attnlab.hpp>\nusing namespace attnlab;\nint main(int argc, char** argv) { return %s; }\n' "$2" > "$work/$1.cpp"
}
one='attention<causal, softmax, attention_bias>' two='attention<alibi, causal, softmax1, head_gate>'
program own "experiment_main<$one>(argc, argv)"
program one "run_program(argc, argv, {make_experiment<$one>()})"
program pair "run_program(argc, argv, {make_experiment<$one>(), make_experiment<$two>()})"
cat > "$work/layer.cpp" << END
#include <attnlab/attention/attention_bias.hpp>
#include <attnlab/attention/policy.hpp>
#include <attnlab/attention/softmax.hpp>
#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/layers/attention.hpp>
using layer = attnlab::attention_layer<attnlab::$one, attnlab::cpu>;
template class attnlab::attention_layer<attnlab::$one, attnlab::cpu>;
END
sed -i 's/attention<causal, softmax, attention_bias>/attention<attnlab::causal, attnlab::softmax, attnlab::attention_bias>/' "$work/layer.cpp"
echo '#include <attnlab/cli/program.hpp>' > "$work/commands.cpp"

seconds() { # TEXT FILE FLAGS...
  text=$1 file=$2
  shift 2
  best=$(for _ in 1 2 3; do
    ( TIMEFORMAT=%U; /usr/bin/time -f %U $compiler $flags "$@" -c "$work/$file.cpp" -o "$work/x.o" 2>&1 | tail -n 1 )
  done | sort -n | head -n 1)
  printf '%-66s %5.1f s\n' "$text" "$best"
}
echo "# $($compiler --version | head -n 1); $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)"
seconds 'one policy: train, evaluate, reproduce, benchmark; headers alone' one
seconds 'the same with attnlab::compiled' one -DATTNLAB_COMPILED
seconds 'the same and a second policy' pair -DATTNLAB_COMPILED
seconds 'experiment_main: one policy and its check, attnlab::compiled' own -DATTNLAB_COMPILED
seconds 'a policy and its layer alone' layer
seconds 'the commands, once a project (in attnlab::compiled)' commands -DATTNLAB_COMPILED
