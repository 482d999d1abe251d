#!/bin/sh
# The packages attnlab needs, on Debian and Ubuntu: sh cmake/setup.sh [--print] [MORE PACKAGES...]
# Says what is missing and installs it, with sudo where needed; does nothing when all is there. --print only says.
set -eu

only_print=no
if [ "${1-}" = --print ]; then
  only_print=yes
  shift
fi
# ocl-icd-opencl-dev: the CMake package of Debian's oneDNN insists on OpenCL.
packages="git g++ cmake ninja-build ccache libxtensor-dev libxtensor-blas-dev libxsimd-dev libopenblas-dev libdnnl-dev
  ocl-icd-opencl-dev libthrust-dev libboost-test-dev libboost-program-options-dev nlohmann-json3-dev
  libpcre2-dev libutf8proc-dev libsentencepiece-dev openmpi-bin libopenmpi-dev gnuplot-nox bible-kjv $*"

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  echo "setup: this is not Debian or Ubuntu. Needed: a C++20 compiler with OpenMP, CMake 3.25, Ninja, xtensor 0.24, xtensor-blas," \
    "xsimd, OpenBLAS, oneDNN, Thrust, Boost.Test, Boost.Program_options, nlohmann-json 3.11, PCRE2 10.40, utf8proc," \
    "SentencePiece, gnuplot; MPI to train in several processes" >&2
  exit 1
fi

missing=
for package in $packages; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) || status=none
  [ "$status" = installed ] || missing="$missing $package"
done
if [ -z "$missing" ]; then
  [ "$only_print" = no ] || echo "setup: nothing is missing"
  exit 0
fi
echo "setup: to install:$missing"
[ "$only_print" = no ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "setup: expected root or sudo; as root: apt-get install$missing" >&2
    exit 1
  fi
  as_root=sudo
fi
$as_root apt-get update
# shellcheck disable=SC2086  # a list of words
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $missing
