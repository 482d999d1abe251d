#!/usr/bin/env python3
"""What policies cost on a GPU beside the first one: their kernels alone, compiled in a minute or two, where a program of attnlab's has every command.

    python3 benchmarks/policy_on_gpu.py "softmax" "rope<>, softmax" "softmax, context_scale"
    python3 benchmarks/policy_on_gpu.py "softmax" "softmax, mine" --include my_joints.hpp --sizes 16,1024 2,8192
    python3 benchmarks/policy_on_gpu.py "softmax" "soft_cap<50>, softmax" --build timed    # here, without a GPU; there, on an H100: ./timed

A policy is the joints of attention<causal, ...>; a file of your own joints is given by --include. Prints a table in Markdown: microseconds of a call of forward and of
forward with backward in bfloat16, and how many times the first policy's they are. Needs nvcc and cuBLASLt; the program that is built needs cuBLASLt and a driver.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from kernel_resources import find_nvcc

root = pathlib.Path(__file__).resolve().parent.parent
flags = ["-std=c++20", "-O3", "-DNDEBUG", "--expt-relaxed-constexpr", "-diag-suppress=186,554,3322", f"-I{root}/include", f"-I{root}/benchmarks"]
main_file = r"""
#include <attnlab/kernels/cuda/instances.hpp>
#include <cstdio>
#include <exception>
#include "policy_on_gpu.cuh"
%(declared)s
int main() {
    try {
        struct { char const* name; call_times (*time)(attnlab::attention_sizes const&, double); } const policies[]{%(policies)s};
        attnlab::attention_sizes const sizes[]{%(sizes)s};
        std::printf("%%s; bfloat16, causal, H %(heads)d, D %(head_size)d; us forward / with backward, times the first policy's\n\n| |", attnlab::use_gpu().name.c_str());
        for (auto n : sizes) std::printf(" B %%td, T %%td |", n.B, n.T);
        std::printf("\n| --- |");
        for (auto n : sizes) static_cast<void>(n), std::printf(" ---: |");
        std::printf("\n");
        call_times first[sizeof sizes / sizeof *sizes]{};
        for (auto const& policy : policies) {
            std::printf("| %%s |", policy.name);
            for (attnlab::attention_sizes const& n : sizes) {
                call_times const t = policy.time(n, %(seconds)g);
                call_times& one = first[&n - sizes];
                if (&policy == policies) one = t;
                std::printf(" %%.1f / %%.1f, %%.2f / %%.2f |", t.forward * 1e6, t.both * 1e6, t.forward / one.forward, t.both / one.both);
                std::fflush(stdout);
            }
            std::printf("\n");
        }
    } catch (std::exception const& error) {
        std::fprintf(stderr, "policy_on_gpu: %%s\n", error.what());
        return 1;
    }
}
"""


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"policy_on_gpu: {pathlib.Path(command[0]).name} failed:\n{done.stdout}{done.stderr}")


def architecture_here():
    """"90a" of an H100, "80" of an A100."""
    try:
        found = subprocess.run(["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"], capture_output=True, text=True).stdout.split()
    except OSError:
        found = []
    if not found or not re.fullmatch(r"\d+\.\d", found[0]):
        sys.exit("policy_on_gpu: nvidia-smi shows no GPU; --build PROGRAM compiles for another machine's")
    version = found[0].replace(".", "")
    return "90a" if version == "90" else version


def size(text):
    try:
        b, t = (int(x) for x in text.split(","))
    except ValueError:
        b = t = 0
    if b < 1 or t < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected B,T, as 16,1024")
    return b, t


def main():
    o = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    o.add_argument("policies", nargs="+", help="joints besides causal")
    o.add_argument("--include", action="append", default=[], metavar="FILE", help="a header with joints")
    o.add_argument("--sizes", nargs="+", type=size, default=[(16, 1024), (8, 2048), (4, 4096), (2, 8192)], metavar="B,T")
    o.add_argument("--heads", type=int, default=12)
    o.add_argument("--head_size", type=int, default=64, choices=(64, 128, 256))
    o.add_argument("--seconds", type=float, default=0.1, help="of a figure")
    o.add_argument("--build", type=pathlib.Path, metavar="PROGRAM", help="only build it")
    o.add_argument("--architecture", metavar="SM", help="of the GPU: 80, 90a, ...; otherwise that of the GPU here, or 90a with --build")
    a = o.parse_args()
    for file in a.include:
        if not os.path.exists(file):
            sys.exit(f"policy_on_gpu: --include {file}: there is no such file")

    nvcc = find_nvcc()
    architecture = a.architecture or ("90a" if a.build else architecture_here())
    compiled_for = [*flags, f"-DATTNLAB_CUDA_HEAD_SIZES={a.head_size}", f"-gencode=arch=compute_{architecture},code=sm_{architecture}"]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        files = []
        for i, joints in enumerate(a.policies):
            files.append(folder / f"policy_{i}.cu")
            includes = "".join(f'#include "{pathlib.Path(f).resolve()}"\n' for f in a.include)
            files[-1].write_text(f'#include "policy_on_gpu.cuh"\n{includes}using namespace attnlab;\n'
                                 f"call_times time_{i}(attention_sizes const& n, double seconds) {{ return time_policy<attention<causal, {joints}>>(n, seconds); }}\n")
        files.append(folder / "main.cu")
        numbers = range(len(a.policies))
        files[-1].write_text(main_file % {
            "declared": "\n".join(f"call_times time_{i}(attnlab::attention_sizes const&, double);" for i in numbers),
            "policies": ", ".join(f'{{"{a.policies[i]}", time_{i}}}' for i in numbers),
            "sizes": ", ".join(f"{{{b}, {a.heads}, {t}, {a.head_size}}}" for b, t in a.sizes),
            "heads": a.heads, "head_size": a.head_size, "seconds": a.seconds})
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda f: run([nvcc, *compiled_for, "-c", str(f), "-o", str(f.with_suffix(".o"))]), files))
        program = a.build or folder / "timed"
        run([nvcc, *compiled_for, *(str(f.with_suffix(".o")) for f in files), "-o", str(program), "-lcublasLt"])
        return 0 if a.build else subprocess.run([str(program.resolve())]).returncode


if __name__ == "__main__":
    sys.exit(main())
