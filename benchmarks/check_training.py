"""Tiny random models of many forms, as check_families.py has them: loss and gradient of every parameter beside PyTorch's, both in float32.

    python benchmarks/check_training.py --attnlab build/release/bin/attnlab [NAME...]

`attnlab train --init_from` takes one step of plain gradient descent on one sequence, at a rate so large that the step is the gradient. A
difference is given by the largest value of its gradient; beyond --tolerance the form fails. Mixtures of experts must be refused.
"""
import argparse
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from check_families import random_model, write
from families import FORMS

RATE = 1000.0
TURNED = ("c_attn.weight", "c_proj.weight", "c_fc.weight")   # of GPT-2: stored (in, out)
STEP = ("--task tokens --optim_name gdm --beta1 0 --weight_decay 0 --grad_clip 0 --decay_lr false --warmup_iters 0 --max_iters 1 --batch_size 1 "
        "--gradient_accumulation_steps 1 --eval_interval 1 --observe_interval 0 --measure false --log_interval 1 --progress none --eval_iters 0").split()


def theirs(form, folder, ids):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation=form.attention)
    logits = model(torch.from_numpy(ids[None, :-1]), use_cache=False).logits
    loss = torch.nn.functional.cross_entropy(logits[0].float(), torch.from_numpy(ids[1:]))
    loss.backward()
    return loss.item(), {n: p.grad.numpy() for n, p in model.named_parameters() if p.grad is not None}


def ours(form, program, folder, ids, before):
    for name in ("train.bin", "val.bin"):
        ids.astype(np.uint16).tofile(folder / name)
    done = subprocess.run([program, "train", "--init_from", folder, "--data_dir", folder, "--block_size", str(len(ids) - 1), "--out_dir", folder / "run",
                           "--learning_rate", str(RATE), "--min_lr", str(RATE), *STEP], capture_output=True, text=True)
    said = done.stderr.strip().replace(str(folder), "MODEL")
    if done.returncode:
        return None, None, said
    rows = list(csv.DictReader((folder / "run" / "results.csv").open()))
    loss = next(float(r["value"]) for r in rows if r["metric"] == "train_loss")
    after = load_file(folder / "run" / "ckpt.safetensors")
    stored = {n: w.float().T if form.model_type == "gpt2" and n.endswith(TURNED) else w.float() for n, w in before.items()}
    names = {n: n if n in after else "transformer." + n for n in stored}   # the first GPT-2 files leave that out
    return loss, {m: (stored[n][:len(after[m])] - after[m]).numpy() / RATE for n, m in names.items() if m in after}, said


def check(form, program, seed, tolerance):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(form, random_model(form, seed), folder, "current")
        ids = np.random.default_rng(seed).integers(2, 160, form.T + 1)   # 0 pads: PyTorch learns nothing there
        before = {k: v for file in folder.glob("*.safetensors") for k, v in load_file(file).items()}
        loss, found, said = ours(form, program, folder, ids, before)
        if found is None:
            good = "mixture of experts" in said and "\n" not in said
            result = "refused" if good else said
        else:
            expected_loss, expected = theirs(form, folder, ids)
            worst = (abs(loss - expected_loss) / expected_loss, "loss")
            largest = max(np.abs(g).max() for g in expected.values())
            for n, g in expected.items():
                f = found.get(n if n in found else {"lm_head.weight": "embed_out.weight"}.get(n, n.removeprefix("transformer.")))
                if f is None:
                    worst = (float("inf"), n + " missing")
                    break
                f = f.T if form.model_type == "gpt2" and n.endswith(TURNED) else f
                g = g[:len(f)]   # of a GPT-2's positions a run has those it sees
                # What is zero in exact numbers (a key's bias under softmax) is rounding on both sides.
                worst = max(worst, (float(np.abs(f - g).max() / max(np.abs(g).max(), 1e-3 * largest)), n))
            good = worst[0] < (form.tolerance or tolerance)
            result = f"loss {loss:.5f}  {len(expected)} gradients  {worst[0]:.1e} {worst[1]}"
    print(f"{'ok  ' if good else 'BAD '} {form.name:34} {result}", flush=True)
    return not good


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("names", nargs="*", help="forms whose names begin so; none: all")
    options.add_argument("--attnlab", default="build/release/bin/attnlab")
    options.add_argument("--tolerance", type=float, default=1e-4)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    chosen = [f for f in FORMS if not f.refused and (not given.names or any(f.name.startswith(n) for n in given.names))]
    bad = sum(check(f, given.attnlab, given.seed, given.tolerance) for f in chosen)
    sys.exit(f"{bad} faults" if bad else 0)
