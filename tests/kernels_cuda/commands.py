#!/usr/bin/env python3
"""Every command of a program on a GPU and on the CPU: what it prints is the same up to rounding.

    python3 tests/kernels_cuda/commands.py build/cuda/bin/attnlab [FOLDER_OF_FIXTURES]

Exit 0: the same; 1: a command failed or differs; 77: there is no GPU. With the folder, models of Hugging Face that lie in llm/ too.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SMALL = ("--n_layer 2 --n_head 2 --n_embd 32 --block_size 32 --batch_size 2 --eval_iters 1 --eval_sequences 2 --observe_sequences 1").split()
STEPS = ("--max_iters", "3")
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
OF_TIME = re.compile(r"tokens/s|MFU|seconds|^device", re.I)
SPEED = re.compile(r", [\d.]+[kMGT]? tokens/s, MFU [\d.]+ %$", re.M)   # of a GPU, beside an evaluation's losses


def lines(text):
    """Those that are not of time; thousands, which a narrow space sets apart, are one number's."""
    return [line for line in SPEED.sub("", text.replace("\u202f", "")).splitlines() if line.strip() and not OF_TIME.search(line)]


def difference(found, expected):
    """What differs first, or None: words as they are, numbers by two parts in a thousand of themselves or of a unit in a hundred."""
    if len(found) != len(expected):
        return f"{len(found)} lines, not {len(expected)}"
    for a, b in zip(found, expected):
        if NUMBER.sub("#", a).split() != NUMBER.sub("#", b).split():
            return f"'{a}' is not '{b}'"
        for x, y in zip(map(float, NUMBER.findall(a)), map(float, NUMBER.findall(b))):
            if abs(x - y) > 2e-3 * max(abs(y), 1e-2):
                return f"'{a}' is not '{b}'"
    return None


def main():
    program = str(pathlib.Path(sys.argv[1]).resolve())
    fixtures = pathlib.Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else None
    failed = []
    with tempfile.TemporaryDirectory() as place:

        def run(device, *arguments):
            folder = pathlib.Path(place, device)   # the same names for both, since they are printed
            folder.mkdir(exist_ok=True)
            done = subprocess.run([program, *arguments, "--device", device], cwd=folder, capture_output=True, text=True)
            if device == "cuda" and "device: 'cuda'" in done.stderr:
                print("skipped: " + done.stderr.strip())
                sys.exit(77)
            return done

        def same(*arguments, draws=False):
            if draws and not shutil.which("gnuplot"):
                print("left out, without gnuplot: " + " ".join(arguments[:2]), flush=True)
                return
            cpu, gpu = run("cpu", *arguments), run("cuda", *arguments)
            if cpu.returncode != 0 or gpu.returncode != 0:
                wrong = f"exit {gpu.returncode} and on the cpu {cpu.returncode}: {(gpu.stderr or cpu.stderr).strip()[-300:]}"
            else:
                wrong = difference(lines(gpu.stdout), lines(cpu.stdout))
            print(("differs: " if wrong else "same: ") + " ".join(arguments[:2]) + (": " + wrong if wrong else ""), flush=True)
            if wrong:
                failed.append(arguments[0])

        same("train", "--policy", "softmax", "--out_dir", "run", *SMALL, *STEPS)
        same("train", "--policy", "context_scale", "--out_dir", "scaled", *SMALL, *STEPS)
        same("train", "--policy", "softmax", "--out_dir", "run", *SMALL, "--max_iters", "5", "--resume", "true")
        half = run("cuda", "train", "--policy", "softmax", "--out_dir", "half", *SMALL, *STEPS, "--dtype", "bfloat16")
        if half.returncode != 0:
            print("differs: train --dtype bfloat16: " + half.stderr.strip())
            failed.append("train --dtype bfloat16")
        same("evaluate", "run")
        same("generate", "run", "--max_new_tokens", "8")
        same("compress", "run", "--eval_sequences", "4")
        same("scale", "run", "--eval_sequences", "4")
        same("convert", "run", "converted")
        for view in ("existence", "position", "lifecycle", "overlap"):
            same("analyze", view, "run", "--out", view, "--sequences", "2", draws=view != "overlap")
        same("forward", "run", "--dump", "sites.safetensors", "--sites", "layers.1.down_out,attn_probs", "--sequences", "2")
        same("perplexity", "run", "--sequences", "2")
        same("reproduce", "--preset", "smoke", "--policies", "softmax,sigmoid", "--seeds", "1", "--out", "all", *SMALL, *STEPS, draws=True)
        if "no policies of its own" not in run("cpu", "check").stderr:
            same("check")
        for model in sorted(fixtures.glob("llm/*/model")) if fixtures else []:
            tokens = str(model.parent / "tokens.npy")
            same("analyze", "position", str(model), "--tokens", tokens, "--out", model.parent.name, draws=True)
            same("perplexity", str(model), "--tokens", tokens)
    print("differs: " + ", ".join(failed) if failed else "every command the same")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
