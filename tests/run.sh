#!/bin/sh
# From a fresh machine to passed tests: sh tests/run.sh [OPTION OF ctest...]. Suites labelled slow are left to .ci/run.
set -eu
cd "$(dirname "$0")/.."
sh cmake/setup.sh
cmake --preset release
cmake --build --preset release
exec ctest --preset release --label-exclude '^slow$' "$@"
