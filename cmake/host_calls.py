#!/usr/bin/env python3
"""Fails where device code calls a function of the host.

    python3 cmake/host_calls.py FILE.cu [OPTION OF nvcc...]

Functions run on the device because they are constexpr (nvcc's --expt-relaxed-constexpr). Where one of them calls a function that is not, nvcc says
nothing and leaves out the call with all that follows. Not optimised, such a call is still to be seen in the PTX: through a pointer of zero.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__.strip())
    nvcc = next((p for p in (os.environ.get("CUDACXX"), shutil.which("nvcc"), "/usr/local/cuda/bin/nvcc") if p and os.path.exists(p)), None)
    if not nvcc:
        sys.exit("host_calls: nvcc is not on the PATH, and not in /usr/local/cuda/bin")
    with tempfile.TemporaryDirectory() as folder:
        ptx = os.path.join(folder, "device.ptx")
        done = subprocess.run([nvcc, "-std=c++20", "--expt-relaxed-constexpr", "-diag-suppress=186,554", "-arch=sm_80", "-Xcicc", "-O0", "-ptx", sys.argv[1], "-o", ptx,
                               *sys.argv[2:]], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"host_calls: {sys.argv[1]}: nvcc failed:\n{done.stdout}{done.stderr}")
        with open(ptx) as file:
            text = file.read()
    functions = re.findall(r"^(?:\.\w+ )*\.(?:func|entry)\s+(?:\([^)]*\)\s*)?(\S+?)\((.*?)^\}", text, flags=re.M | re.S)
    if not functions:
        sys.exit(f"host_calls: {sys.argv[1]}: expected device code, found none")
    guilty = sorted({name for name, body in functions if ".callprototype" in body})
    names = subprocess.run(["c++filt", *guilty], capture_output=True, text=True).stdout.split("\n") if guilty else []
    for name in filter(None, names):
        print(f"{sys.argv[1]}: runs on the device and calls a function that does not: {name[:400]}", file=sys.stderr)
    if guilty:
        sys.exit("host_calls: expected constexpr functions in what joints, masks and rotations call; functions of <bit> and of the host's library are none on a device")
    print(f"{sys.argv[1]}: {len(functions)} device functions, none calls the host")


main()
