#!/bin/sh
# From a fresh machine to the report of the main experiment: sh examples/reproduce.sh [OPTION OF attnlab reproduce...]
# Paths in the options, and the report, are relative to the folder it is called from.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
sh "$root/cmake/setup.sh"
(cd "$root" && cmake --preset release && cmake --build --preset release --target attnlab_program)
exec "$root/build/release/bin/attnlab" reproduce "$@"
