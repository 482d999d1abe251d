"""Prefill of a Llama-like model in float32, attnlab beside transformers: 8 layers, width 1024, T 2048, random weights.

    PEER_PYTHON=/path/to/python-with-torch-and-transformers $PEER_PYTHON benchmarks/prefill.py [--rounds 3] [--length 2048]

Both sides give all logits, in turn, on as many threads as OMP_NUM_THREADS says (nothing: 2). Prints lines `name value unit` and ratios.
ATTNLAB names the program (nothing: build/release/bin/attnlab)."""
import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--length", type=int, default=2048)
    given = options.parse_args()
    program = os.environ.get("ATTNLAB", str(Path(__file__).resolve().parent.parent / "build/release/bin/attnlab"))
    threads = os.environ.setdefault("OMP_NUM_THREADS", "2")

    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    config = LlamaConfig(hidden_size=1024, num_hidden_layers=8, num_attention_heads=16, num_key_value_heads=16, intermediate_size=2816,
                         vocab_size=32000, max_position_embeddings=given.length)
    config._attn_implementation = "sdpa"
    model = LlamaForCausalLM(config).eval().float()
    tokens = torch.randint(32000, (1, given.length))
    best = {}

    def note(name, milliseconds):
        best[name] = min(best.get(name, float("inf")), milliseconds)

    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        for _ in range(given.rounds):
            with torch.no_grad():
                model(tokens, use_cache=False)
                for _ in range(3):
                    start = time.perf_counter()
                    model(tokens, use_cache=False)
                    note("transformers", 1e3 * (time.perf_counter() - start))
            lines = subprocess.run([program, "benchmark", "analysis", "--model", folder, "--T", str(given.length)], check=True, capture_output=True,
                                   text=True).stdout.splitlines()
            for line in lines:
                words = line.split()
                if len(words) == 3 and words[0].endswith(".min"):
                    note("attnlab." + words[0].split(".")[1], float(words[1]))
    for name, value in best.items():
        print(f"prefill.{name}.t{threads}.T{given.length}.min {value:.0f} ms")
    print(f"# transformers over attnlab: {best['transformers'] / best['attnlab.plain']:.2f}; "
          f"with every attention statistic over plain: {best['attnlab.statistics'] / best['attnlab.plain']:.3f}")


if __name__ == "__main__":
    main()
