"""PyTorch's attentions alone, fp32, forward and forward + backward, in the names of `attnlab benchmark attention`.
usage: torch_attention.py sdpa,eager,compiled,flex causal|full|windowN SECONDS B,H,T,D ...     prints: name value unit
OMP_NUM_THREADS sets the threads. flex is FlexAttention, compiled: forward only, as PyTorch has it on the CPU."""
import math
import sys

import torch
import torch.nn.functional as F

from figures import attention
from peer_timing import emit, reset_peak, resident_mib, times

who, mask, seconds = sys.argv[1].split(","), sys.argv[2], float(sys.argv[3])
window = int(mask[6:]) if mask.startswith("window") else 0
threads = torch.get_num_threads()
print(f"# torch: PyTorch {torch.__version__}", flush=True)


def sees(b, h, i, j):
    return (i >= j) & (i - j < window) if window else i >= j


def pairs(T):
    """What the mask shows; of causal, half of the square."""
    return T * T if mask == "full" else T * T / 2 if not window or window >= T else window * T - window * (window - 1) / 2


def attentions(T):
    """name: function of q, k, v"""
    i = torch.arange(T)
    shown = None if mask == "full" else sees(0, 0, i[:, None], i[None, :])

    def eager(q, k, v):                             # nanoGPT's branch without SDPA
        s = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        return F.softmax(s if shown is None else s.masked_fill(~shown, float("-inf")), dim=-1) @ v

    def sdpa(q, k, v):
        if mask == "causal":
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=shown)

    out = {"sdpa": sdpa, "eager": eager, "compiled": torch.compile(eager, dynamic=False)}
    if "flex" in who:
        from torch.nn.attention.flex_attention import create_block_mask, flex_attention
        blocks = None if mask == "full" else create_block_mask(sees, None, None, T, T, device="cpu")
        flex = torch.compile(flex_attention, dynamic=False)
        out["flex"] = lambda q, k, v: flex(q, k, v, block_mask=blocks)
    return out


def measure(name, f, B, H, T, D):
    torch.manual_seed(0)
    q, k, v = (torch.randn(B, H, T, D, requires_grad=True) for _ in range(3))
    dy = torch.randn(B, H, T, D)
    fixed = [t.detach() for t in (q, k, v)]

    def forward():
        with torch.no_grad():
            f(*fixed)

    def both():
        q.grad = k.grad = v.grad = None
        f(q, k, v).backward(dy)

    flop = 4 * B * H * D * pairs(T)
    full_name = name + ("" if mask == "causal" else "-" + mask)
    for backward, call in ((False, forward), (True, both)):
        if backward and name == "flex":
            continue
        figure = attention(full_name, threads, backward, B, T, H, D)
        try:
            reset_peak()
            base = resident_mib()
            call()
            # Less its result and three gradients, which attnlab's figure does not count either.
            beyond = resident_mib("VmHWM") - base - 4 * B * H * T * D * 4 / 2**20
            taken = times(call, seconds)
        except Exception as e:
            print(f"# {figure}: {type(e).__name__}: {str(e).strip().splitlines()[0][:160]}", flush=True)
            continue
        emit(figure, taken)
        print(f"{figure}.rate {(3.5 if backward else 1) * flop / taken[0] * 1e-9:.1f} GFLOP/s", flush=True)
        if backward and name != "compiled":   # the compiler's own memory would be counted
            print(f"{figure}.peak_rss_over_base {max(0.0, beyond):.1f} MiB", flush=True)


for shape in sys.argv[4:]:
    B, H, T, D = map(int, shape.split(","))
    for name in who:
        torch._dynamo.reset()
        measure(name, attentions(T)[name], B, H, T, D)
