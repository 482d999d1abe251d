"""A training step (forward + backward + clip + AdamW) of the paper's own code in PyTorch, on the same sizes as `attnlab benchmark step`.
usage: REF_HOME=FOLDER torch_step.py [--compile] [--equal-gemm] SIZE POLICY [SECONDS]     prints: name value unit
--compile     torch.compile in place of eager
--equal-gemm  products of Linears by PyTorch's own oneDNN (torch.ops.mkldnn._linear_pointwise), forward and backward, where eager takes MKL,
              which on AMD processors runs at half the rate of oneDNN: what is left of a ratio is then no accident of that choice
FOLDER holds a checkout of an-yongqi/systematic-outliers as an-yongqi+systematic-outliers; OMP_NUM_THREADS sets the threads."""
import argparse, contextlib, importlib, io, os, resource, sys, time
import torch

SIZES = {   # B, configuration
    "demo": (16, dict(block_size=32, vocab_size=64, n_layer=3, n_head=4, n_embd=64, bias=True)),
    "tiny": (64, dict(block_size=128, vocab_size=64, n_layer=3, n_head=4, n_embd=128)),
    "small": (12, dict(block_size=256, vocab_size=65, n_layer=6, n_head=6, n_embd=384)),
    "gpt2-124m": (1, dict(block_size=1024, vocab_size=50304, n_layer=12, n_head=12, n_embd=768)),
}
MODULES = {"softmax": "default", "value_bias": "vbias", "context_bias": "cabias", "attention_bias": "attn_bias",
           "context_scale": "ca_softmax", "sigmoid": "sigmoid"}


def repair(module):
    """model_vbias adds a (C) parameter to (B, H, T, D) and cannot run: give the parameter the shape (1, H, 1, D)."""
    init = module.CausalSelfAttention.__init__
    def fixed(self, config):
        init(self, config)
        self.v_bias = torch.nn.Parameter(torch.zeros(1, config.n_head, 1, config.n_embd // config.n_head))
    module.CausalSelfAttention.__init__ = fixed


def product(a, b):
    """a b^T by oneDNN."""
    return torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")


class OnednnLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight):
        ctx.save_for_backward(x, weight)
        return product(x, weight)

    @staticmethod
    def backward(ctx, dy):
        x, weight = ctx.saved_tensors
        rows = dy.flatten(0, -2)
        return product(dy, weight.t()), product(rows.t(), x.flatten(0, -2).t())


def onednn_linear(module, x):
    y = OnednnLinear.apply(x, module.weight)
    return y if module.bias is None else y + module.bias


parser = argparse.ArgumentParser(usage=__doc__)
parser.add_argument("--compile", action="store_true")
parser.add_argument("--equal-gemm", action="store_true")
parser.add_argument("size", choices=SIZES)
parser.add_argument("policy", choices=MODULES)
parser.add_argument("seconds", type=float, nargs="?", default=3.0)
args = parser.parse_args()
threads = torch.get_num_threads()
sys.path.insert(0, os.path.join(os.environ["REF_HOME"], "an-yongqi+systematic-outliers/gpt-2"))
B, config = SIZES[args.size]
T, V = config["block_size"], config["vocab_size"]
torch.manual_seed(0)
with contextlib.redirect_stdout(io.StringIO()):
    module = importlib.import_module("model_" + MODULES[args.policy])
    if args.policy == "value_bias":
        repair(module)
    model = module.GPT(module.GPTConfig(dropout=0.0, **config))
if args.equal_gemm:
    torch.nn.Linear.forward = onednn_linear
optimizer = torch.optim.AdamW(model.parameters(), lr=6e-4, betas=(0.9, 0.95), fused=True)
run = torch.compile(model, dynamic=False) if args.compile else model
data = torch.randint(V, (B, T + 1))
x, y = data[:, :-1].contiguous(), data[:, 1:].contiguous()


def step():
    _, loss = run(x, y)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


step()
begin = time.perf_counter()
step()
slow = time.perf_counter() - begin > 1   # a step of seconds needs no more warming, and three repeats tell enough
if not slow:
    step()
times, begin = [], time.perf_counter()
while len(times) < (3 if slow else 5) or time.perf_counter() - begin < args.seconds:
    start = time.perf_counter()
    step()
    times.append(time.perf_counter() - start)
times.sort()
name = f"step.torch{'-compile' * args.compile}{'-onednn' * args.equal_gemm}.{args.size}.{args.policy}.t{threads}"
median = times[len(times) // 2]
print(f"{name}.min {times[0] * 1e3:.3f} ms\n{name}.median {median * 1e3:.3f} ms\n{name}.rate {B * T / median:.0f} tokens/s\n"
      f"{name}.peak_rss {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB", flush=True)
