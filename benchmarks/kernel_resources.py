#!/usr/bin/env python3
"""What the CUDA kernels of attention take of a multiprocessor: registers, shared memory, spills, as ptxas and the kernels themselves say.

    python3 benchmarks/kernel_resources.py                             # softmax, for sm_80 and sm_90a: a table in Markdown
    python3 benchmarks/kernel_resources.py --policies "softmax; softmax, attention_bias" --no_spills "bfloat16.*D (64|128)"

Compiles with nvcc; needs no GPU. A policy is the joints of attention<causal, ...>. Exit 1 where a kernel that --no_spills names spills, where ptxas
lets a kernel's products wait for one another ("wgmma.mma_async instructions are serialized"), or where nothing was compiled.
"""
import argparse
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

root = pathlib.Path(__file__).resolve().parent.parent
flags = ["-std=c++20", "-O3", "-DNDEBUG", "--expt-relaxed-constexpr", "-diag-suppress=186,554", "-Xcompiler=-fopenmp,-Wall,-Wextra", f"-I{root}/include"]

number = r"\breal\{(\d+)ul\}"   # a double as template argument, as nvcc names it: its bits


def find_nvcc():
    for path in (os.environ.get("CUDACXX"), shutil.which("nvcc"), "/usr/local/cuda/bin/nvcc"):
        if path and os.path.exists(path):
            return path
    sys.exit("kernel_resources: nvcc is not on the PATH, and not in /usr/local/cuda/bin")


def run(command, what):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"kernel_resources: {what} failed:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def kernels_of(log):
    """(architecture, mangled name, registers, spilled bytes, stack bytes) of each kernel in what `ptxas -v` wrote."""
    found, name, stack, spilled = [], None, 0, 0
    for line in log.splitlines():
        if entry := re.search(r"Compiling entry function '(\S+)' for 'sm_(\w+)'", line):
            name, architecture, stack, spilled = entry[1], entry[2], 0, 0
        # Functions that were not inlined are listed as well, without "Used".
        elif frame := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line):
            stack, spilled = stack + int(frame[1]), spilled + int(frame[2])
        elif name and (used := re.search(r"Used (\d+) registers", line)):
            found.append((architecture, name, int(used[1]), spilled, stack))
            name = None
    return found


def serialized(log):
    """(Mangled name, why) of kernels whose products ptxas makes wait for one another."""
    return sorted({(m[2], m[1]) for m in re.finditer(r"wgmma.mma_async instructions are serialized due to (.*?) in (?:the )?function '(\S+)'", log)})


def kernels_in(mangled):
    """What run_kernel is made for, of each mangled name; None of other functions."""
    plain = run(["c++filt", *mangled], "c++filt").splitlines() if mangled else []
    return [m and m[1].strip() for m in (re.search(r"run_kernel<(.*)>\(", text) for text in plain)]


def label(kernel):
    """"forward_tiles bfloat16 D 64" and the policy, of attnlab::gpu::forward_tiles<attnlab::attention<...>, attnlab::gpu::bfloat16_products, 64>."""
    short = kernel.replace("attnlab::gpu::", "").replace("attnlab::", "")
    short = re.sub(number, lambda m: f"{struct.unpack('d', struct.pack('Q', int(m[1])))[0]:g}", short)
    short = re.sub(r"\b(\d+)l\b", r"\1", short)
    policy = re.search(r"attention<((?:[^<>]|<(?:[^<>]|<[^<>]*>)*>)*)>", short)
    products = re.search(r"(\w+)_products", short)
    size = re.search(r"_products, (\d+)", short)
    names = [n for n in re.findall(r"\w+", short.split("attention<")[0]) if n not in ("rows_kernel", "token_kernel")]
    words = [names[0] if names else short.split("<")[0]]
    if products:
        words.append(products[1])
    if size:
        words.append(f"D {size[1]}")
    return " ".join(words), policy[1].removeprefix("causal, ") if policy else ""


def shared_bytes(kernels, includes, folder):
    """What each asks for when it is started: dynamic shared memory, which ptxas does not know."""
    source, program = folder / "shared.cpp", folder / "shared"
    named = [re.sub(r"(?:attnlab::)?" + number, r"std::bit_cast<attnlab::real>(\1ul)", k) for k in kernels]
    lines = "".join(f"    std::printf(\"%td\\n\", std::ptrdiff_t({k}{{}}.shared_bytes()));\n" for k in named)
    source.write_text(f"{includes}#include <cstdio>\nusing namespace attnlab;\nint main() {{\n{lines}}}\n")
    run(["g++", "-std=c++20", "-O0", "-fopenmp", "-w", f"-I{root}/include", str(source), "-o", str(program)], "g++")
    return [int(x) for x in run([str(program)], "the list of shared memory").split()]


def main():
    o = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    o.add_argument("--policies", default="softmax", help="joints besides causal; policies are separated by semicolons")
    o.add_argument("--architectures", default="80,90a", help="compute capabilities, 80 and newer")
    o.add_argument("--head_sizes", help="sizes that tiles are compiled for, as ATTNLAB_CUDA_HEAD_SIZES has them; otherwise all")
    o.add_argument("--no_spills", metavar="REGEX", help="kernels, as in the first column, that must not spill")
    o.add_argument("--all", action="store_true", help="token by token kernels too, not only tiles")
    o.add_argument("--log", type=pathlib.Path, help="read this output of nvcc -Xptxas -v instead")
    a = o.parse_args()

    joints = [f"attention<causal, {p.strip()}>" for p in a.policies.split(";")]
    includes = "#include <attnlab/attention/library.hpp>\n#include <attnlab/kernels/cuda/attention.hpp>\n#include <attnlab/kernels/cuda/declared.hpp>\n"
    rows, spills = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        source = folder / "kernels.cu"
        source.write_text(includes + "#include <attnlab/cli/device_pass.hpp>\nusing namespace attnlab;\nvoid all() {\n" +
                          "".join(f"    compile_kernels<{p}>();\n" for p in joints) + "}\n")

        if a.log:
            log = a.log.read_text()
        else:
            architectures = a.architectures.split(",")
            sizes = [f"-DATTNLAB_CUDA_HEAD_SIZES={a.head_sizes}"] if a.head_sizes else []
            log = run([find_nvcc(), *flags, *sizes, "--threads=0", *(f"-gencode=arch=compute_{x},code=sm_{x}" for x in architectures),
                       "-Xptxas=-v", "-c", str(source), "-o", str(folder / "kernels.o")], "nvcc")
        kernels = kernels_of(log)
        for (architecture, _, registers, spilled, stack), kernel in zip(kernels, kernels_in([k[1] for k in kernels])):
            if kernel and (a.all or "_products, " in kernel):
                rows.append([architecture, kernel, registers, spilled, stack])
        if not rows:
            sys.exit("kernel_resources: expected kernels, found none")
        types = sorted({r[1] for r in rows if " D " in label(r[1])[0]})   # others' depends on the heads at hand
        shared = dict(zip(types, shared_bytes(types, includes, folder))) if not a.log else {}

    print("| kernel | policy | sm | registers | shared, bytes | stack, bytes | spilled, bytes |\n| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for architecture, kernel, registers, spilled, stack in sorted(rows, key=lambda r: (label(r[1])[::-1], r[0])):
        what, policy = label(kernel)
        print(f"| {what} | {policy} | {architecture} | {registers} | {shared.get(kernel, '') if ' D ' in what else 'by D'} | {stack} | {spilled} |")
        if a.no_spills and spilled and re.search(a.no_spills, what):
            spills.append(f"{what}, {policy}, sm_{architecture}: {spilled} bytes")
    for s in spills:
        print(f"kernel_resources: spills: {s}", file=sys.stderr)
    waits = serialized(log)
    for (name, why), kernel in zip(waits, kernels_in([w[0] for w in waits])):
        print(f"kernel_resources: products wait for one another: {', '.join(label(kernel)) if kernel else name}: {why}", file=sys.stderr)
    return 1 if spills or waits else 0


if __name__ == "__main__":
    sys.exit(main())
