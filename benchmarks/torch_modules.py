"""The paper's six attention modules in PyTorch with their two Linears, and these alone (`projections`): C 768, H 12, B 1, T 1024.
usage: REF_HOME=FOLDER torch_modules.py ""|compiled SECONDS MODULE...     prints: name value unit
FOLDER holds a checkout of an-yongqi/systematic-outliers as an-yongqi+systematic-outliers; OMP_NUM_THREADS sets the threads."""
import contextlib
import importlib
import io
import os
import sys

import torch

from peer_timing import emit, times

how, seconds, T = sys.argv[1], float(sys.argv[2]), 1024
sys.path.insert(0, os.path.join(os.environ["REF_HOME"], "an-yongqi+systematic-outliers/gpt-2"))
FILES = {"softmax": "default", "value_bias": "vbias", "context_bias": "cabias", "attention_bias": "attn_bias",
         "context_scale": "ca_softmax", "sigmoid": "sigmoid"}
print(f"# torch: PyTorch {torch.__version__}", flush=True)


class Projections(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.attend, self.merge = torch.nn.Linear(768, 3 * 768), torch.nn.Linear(768, 768)

    def forward(self, x):
        q, k, v = self.attend(x).split(768, dim=2)
        return self.merge(q + k + v)


def module(policy):
    if policy == "projections":
        return Projections()
    code = importlib.import_module("model_" + FILES[policy])
    made = code.CausalSelfAttention(code.GPTConfig(block_size=T))
    if policy == "value_bias":   # as written, (C) is added to (B, H, T, D), which cannot run: (1, H, 1, D) is meant
        made.v_bias = torch.nn.Parameter(torch.zeros(1, 12, 1, 64))
    return made


for policy in sys.argv[3:]:
    torch.manual_seed(0)
    torch._dynamo.reset()
    with contextlib.redirect_stdout(io.StringIO()):   # the paper's code warns of SDPA it does not take
        m = module(policy)
    call = torch.compile(m, dynamic=False) if how else m
    x, dy = torch.randn(1, T, 768, requires_grad=True), torch.randn(1, T, 768)

    def both():
        m.zero_grad()
        x.grad = None
        call(x).backward(dy)

    emit(f"module.{policy}{'-' + how if how else ''}.t{torch.get_num_threads()}.fwdbwd.T{T}", times(both, seconds))
