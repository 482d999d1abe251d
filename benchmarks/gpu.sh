#!/bin/sh
# A day with a GPU, in one command of less than ten minutes: the tests of the CUDA kernels on it, and the benchmarks.
#   sh benchmarks/gpu.sh             # tests and benchmarks, to build/gpu/results (or the folder in $OUT)
#   sh benchmarks/gpu.sh pack        # on a machine with the toolkit and no GPU: builds, and gathers programs and libraries in build/gpu/carried,
#                                    # which runs where there is neither compiler nor package, only a driver and cuBLASLt
# Without build/gpu/carried the preset cuda is built first.
set -eu
cd "$(dirname "$0")/.."
carried=build/gpu/carried
programs="custom_policy test_gpu"

if [ "${1-}" = pack ]; then
  # For a Hopper GPU and any recent x86 processor.
  cmake --preset cuda -B build/gpu/build -DCMAKE_CUDA_ARCHITECTURES=90a-real -DCMAKE_CUDA_FLAGS=--compress-mode=size -DATTNLAB_NCCL_LIBRARY= \
    -DATTNLAB_NATIVE=OFF -DCMAKE_CXX_FLAGS=-march=x86-64-v3
  cmake --build build/gpu/build --parallel --target $programs
  rm -rf "$carried"
  mkdir -p "$carried/lib"
  for p in $programs; do
    strip -o "$carried/$p" "build/gpu/build/bin/$p"
    # All but the C library, which is the machine's own, and cuBLASLt, which is half a gigabyte.
    ldd "build/gpu/build/bin/$p" | awk '$3 ~ /^\// { print $3 }' | grep -Ev '/(libc|libm|libdl|librt|libpthread|libcublasLt|libcublas)[.]so' |
      xargs -I{} cp -L {} "$carried/lib/"
  done
  du -sh "$carried"
  exit 0
fi

out="${OUT:-build/gpu/results}"
mkdir -p "$out"
if [ -d "$carried" ]; then
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
  for dtype in bfloat16 float32; do
    timeout 70 "$attnlab" benchmark attention --device cuda --dtype $dtype --seconds 0.2 --B 4 --T 1024,2048,4096,8192 || echo "gpu.sh: exit $?"
  done
  echo "== a training step"
  timeout 80 "$attnlab" benchmark step --device cuda --dtype bfloat16 --seconds 2 --sizes small,gpt2-124m --policies softmax || echo "gpu.sh: exit $?"
} 2>&1 | tee "$out/gpu.txt"
