"""Tiny random models of many forms: logits, hidden states and attention weights of attnlab beside those of Hugging Face transformers, both in float32.

    python benchmarks/check_families.py --attnlab build/release/bin/attnlab [NAME...]

Each form is written by save_pretrained, its config.json also as published files have it (rope_theta, rope_scaling, torch_dtype at the top
level). A difference is given by the largest value of its array; beyond --tolerance the form fails. Needs transformers, torch, safetensors.
"""
import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from families import FORMS

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def random_model(form, seed):
    """A model whose norms, biases and sinks matter too: each from a distribution of its own."""
    torch.manual_seed(seed)
    config = AutoConfig.for_model(form.model_type, **form.config)
    config._attn_implementation = form.attention
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "norm" in name.lower() or ".ln_" in name or "layernorm" in name:
                p.add_(0.2 * torch.randn_like(p))
            elif p.ndim < 2 or "bias" in name:
                p.copy_(0.3 * torch.randn_like(p))
            else:
                p.copy_(torch.randn_like(p) * (1.0 if "embed" in name or "wte" in name or "wpe" in name else 1.2 * p.shape[-1] ** -0.5))
        model.tie_weights()
    return model.to(form.dtype)


def bare(config):
    """Without what transformers assumes of a file that does not say it."""
    usual = AutoConfig.for_model(config["model_type"]).to_dict()
    return {k: v for k, v in config.items() if k in ("model_type", "rope_parameters") or k not in usual or usual[k] != v}


def classic(config, names):
    """rope_parameters and dtype as files had them before transformers 5."""
    out = {k: v for k, v in config.items() if k not in ("rope_parameters", "dtype", "transformers_version")}
    out["torch_dtype"] = config.get("dtype", "float32")
    rope = config.get("rope_parameters")
    if rope and "full_attention" in rope:   # one for each kind of layer: Gemma 3
        out["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
        rope = rope["full_attention"]
    if rope:
        rope = dict(rope)
        for field in ("rope_theta", "partial_rotary_factor"):
            if field in rope:
                out[names.get(field, field)] = rope.pop(field)
        out["rope_scaling"] = None if rope.get("rope_type", "default") == "default" else rope
    return out


def write(form, model, folder, style):
    model.save_pretrained(folder, max_shard_size=form.shard or "5GB")
    file = folder / "config.json"
    config = json.loads(file.read_text())
    config = {"current": dict, "classic": lambda c: classic(c, form.classic_names), "bare": bare}[style](config)
    file.write_text(json.dumps(form.edit_config(config), indent=1))
    if form.edit_weights:
        path = folder / "model.safetensors"
        save_file({k: v.contiguous() for k, v in form.edit_weights(load_file(path)).items()}, path, {"format": "pt"})


def theirs(form, folder, ids):
    """transformers on the folder as written, so that it says what it makes of the config.json too."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation=form.attention).eval()
    with torch.no_grad():
        out = model(torch.from_numpy(ids), output_hidden_states=True, output_attentions=form.attention == "eager", use_cache=False)
    found = {f"hidden_states.{i}": h for i, h in enumerate(out.hidden_states)} | {"logits": out.logits}
    found |= {f"layers.{i}.attn_probs": a for i, a in enumerate(out.attentions or ())}
    return {k: v.float().numpy() for k, v in found.items()}


def ours(program, folder, ids):
    np.save(folder / "tokens.npy", ids.astype(np.int64))
    dump = folder / "dump.safetensors"
    done = subprocess.run([program, "forward", folder, "--tokens", folder / "tokens.npy", "--dump", dump, "--sites", "all"],
                          capture_output=True, text=True)
    said = done.stderr.strip().replace(str(folder), "MODEL")
    return ({k: v.numpy() for k, v in load_file(dump).items()} if done.returncode == 0 else None), said


def difference(expected, found):
    """The worst of all arrays, by their largest value, and where."""
    worst = (0.0, "")
    for name, e in expected.items():
        if name not in found or found[name].shape != e.shape:
            return float("inf"), f"{name}: {found[name].shape if name in found else 'missing'}, expected {e.shape}"
        d = float(np.abs(found[name] - e).max() / np.abs(e).max())
        worst = max(worst, (d if np.isfinite(d) else float("inf"), name))
    return worst


def check(form, program, seed, tolerance):
    faults = 0
    for style in form.styles:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write(form, random_model(form, seed), folder, style)
            ids = np.random.default_rng(seed).integers(0, 160, (form.B, form.T))
            expected = {} if form.refused else theirs(form, folder, ids)
            found, said = ours(program, folder, ids)
        if form.refused:
            good = found is None and form.refused in said and "\n" not in said
            result = "refused" if good else "NOT refused"
        elif found is None:
            good, result = False, "failed"
        else:
            d, where = difference(expected, found)
            good = d < (form.tolerance or tolerance) and not said
            result = f"{d:.1e} {where}"
        faults += not good
        print(f"{'ok  ' if good else 'BAD '} {form.name:34} {style:8} {result:34} {said}", flush=True)
    return faults


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("names", nargs="*", help="forms whose names begin so; none: all")
    options.add_argument("--attnlab", default="build/release/bin/attnlab")
    options.add_argument("--tolerance", type=float, default=1e-5)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    chosen = [f for f in FORMS if not given.names or any(f.name.startswith(n) for n in given.names)]
    print(f"transformers {transformers.__version__}, torch {torch.__version__}, {len(chosen)} forms", flush=True)
    bad = sum(check(f, given.attnlab, given.seed, given.tolerance) for f in chosen)
    sys.exit(f"{bad} faults" if bad else 0)
