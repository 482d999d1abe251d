#!/bin/sh
# A day with a GPU, in one command of less than ten minutes: the tests of the CUDA kernels on it, and the benchmarks.
#   sh benchmarks/gpu.sh             # tests and benchmarks, to build/gpu/results (or the folder in $OUT)
#   sh benchmarks/gpu.sh pack        # on a machine with the toolkit and no GPU: builds, and gathers programs and libraries in build/gpu/carried.tar.xz
#                                    # (40 MB), which runs where there is neither compiler nor package, only a driver, cuBLASLt, a C++ library and xz
# Without that archive the preset cuda is built first. Where python3 has PyTorch, its attentions are timed beside; with REF_HOME (benchmarks/torch_on_gpu.py) nanoGPT's step too.
set -eu
cd "$(dirname "$0")/.."
carried=build/gpu/carried
archive=build/gpu/carried.tar.xz
programs="custom_policy test_gpu"
# The attentions whose kernels are timed alone, beside softmax: what the paper has, and each kind of joint.
time_policies() { # OPTION...
  python3 benchmarks/policy_on_gpu.py softmax "softmax, value_bias" "softmax, context_bias" "softmax, attention_bias" "softmax, context_scale" sigmoid_attention "softmax, head_gate" \
    "alibi, softmax" "soft_cap<50>, softmax" "temperature, softmax" "scalable_softmax<>, softmax" "forgetting<4>, softmax" "rope<>, softmax" "$@"
}

if [ "${1-}" = pack ]; then
  # For a Hopper GPU and any recent x86 processor.
  cmake --preset cuda -B build/gpu/build -DCMAKE_CUDA_ARCHITECTURES=90a-real -DCMAKE_CUDA_FLAGS=--compress-mode=size -DATTNLAB_NCCL_LIBRARY= \
    -DATTNLAB_NATIVE=OFF -DCMAKE_CXX_FLAGS=-march=x86-64-v3
  cmake --build build/gpu/build --parallel --target $programs
  rm -rf "$carried"
  mkdir -p "$carried/lib"
  time_policies --build "$carried/policies"
  for p in $programs; do
    strip -o "$carried/$p" "build/gpu/build/bin/$p"
    # All but the C and C++ libraries, which are the machine's own, and cuBLASLt, which is half a gigabyte.
    ldd "build/gpu/build/bin/$p" | awk '$3 ~ /^\// { print $3 }' | grep -Ev '/(libc|libm|libdl|librt|libpthread|libstdc[+][+]|libgcc_s|libcublasLt|libcublas)[.]so' |
      xargs -I{} cp -L {} "$carried/lib/"
  done
  tar -C build/gpu -cf - carried | xz -T0 -3 > "$archive.part"
  mv "$archive.part" "$archive"
  rm -rf "$carried"
  ls -lh "$archive"
  exit 0
fi

out="${OUT:-build/gpu/results}"
mkdir -p "$out"
if [ -e "$archive" ]; then
  tar -C build/gpu -xJf "$archive"
  folder="$carried"
  cublas=$(find / -name 'libcublasLt.so.13' -not -path '/proc/*' 2>/dev/null | head -1)
  export LD_LIBRARY_PATH="$PWD/$carried/lib:$(dirname "${cublas:-.}")${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
else
  cmake --preset cuda
  cmake --build --preset cuda --target $programs
  folder=build/cuda/bin
fi
attnlab="$folder/custom_policy"   # the six policies of the paper and one of a user

{
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv || echo "gpu.sh: nvidia-smi is not there"
  echo "== tests"
  timeout 150 "$folder/test_gpu" --color_output=no --report_level=short || echo "gpu.sh: test_gpu: exit $?"

  echo "== every command on the GPU and the CPU"
  timeout 120 python3 tests/kernels_cuda/commands.py "$attnlab" || echo "gpu.sh: commands.py: exit $?"

  echo "== attention"
  for size in "16 1024" "8 2048" "4 4096" "2 8192"; do
    timeout 30 "$attnlab" benchmark attention --device cuda --dtype bfloat16 --seconds 0.1 --B "${size% *}" --T "${size#* }" || echo "gpu.sh: exit $?"
  done
  timeout 20 "$attnlab" benchmark attention --device cuda --dtype float32 --seconds 0.2 --B 4 --T 2048 --policies softmax || echo "gpu.sh: exit $?"
  echo "== policies, their kernels alone"
  if [ -x "$folder/policies" ]; then timeout 90 "$folder/policies" || echo "gpu.sh: policies: exit $?"
  else time_policies || echo "gpu.sh: policies: exit $?"; fi
  echo "== a training step"
  timeout 60 "$attnlab" benchmark step --device cuda --dtype bfloat16 --seconds 1 --sizes gpt2-124m --B 1,12 --policies softmax,attention_bias,context_scale || echo "gpu.sh: exit $?"
  echo "== what looking costs"
  timeout 40 "$attnlab" benchmark analysis --device cuda --policies softmax --T 2048 || echo "gpu.sh: exit $?"
  if env -u LD_LIBRARY_PATH python3 -c "import torch" 2>/dev/null; then
    echo "== PyTorch"
    timeout 120 env -u LD_LIBRARY_PATH python3 benchmarks/torch_on_gpu.py attention 16,1024 8,2048 4,4096 2,8192 || echo "gpu.sh: exit $?"
    [ -z "${REF_HOME-}" ] || timeout 90 env -u LD_LIBRARY_PATH python3 benchmarks/torch_on_gpu.py step 12 || echo "gpu.sh: exit $?"
  fi
} 2>&1 | tee "$out/gpu.txt"
