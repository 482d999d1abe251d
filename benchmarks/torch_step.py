"""A training step (forward + backward + AdamW) of the paper's own code in PyTorch, on the same sizes as `attnlab benchmark step`.
usage: REF_HOME=FOLDER torch_step.py SIZE POLICY [SECONDS]     prints: name value unit
FOLDER holds a checkout of an-yongqi/systematic-outliers as an-yongqi+systematic-outliers; OMP_NUM_THREADS sets the threads."""
import contextlib, importlib, io, os, sys, time
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


size, policy = sys.argv[1:3]
budget = float(sys.argv[3]) if len(sys.argv) > 3 else 3.0
threads = torch.get_num_threads()
sys.path.insert(0, os.path.join(os.environ["REF_HOME"], "an-yongqi+systematic-outliers/gpt-2"))
B, config = SIZES[size]
T, V = config["block_size"], config["vocab_size"]
torch.manual_seed(0)
with contextlib.redirect_stdout(io.StringIO()):
    module = importlib.import_module("model_" + MODULES[policy])
    if policy == "value_bias":
        repair(module)
    model = module.GPT(module.GPTConfig(dropout=0.0, **config))
optimizer = torch.optim.AdamW(model.parameters(), lr=6e-4, betas=(0.9, 0.95), fused=True)
data = torch.randint(V, (B, T + 1))
x, y = data[:, :-1].contiguous(), data[:, 1:].contiguous()


def step():
    _, loss = model(x, y)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


for _ in range(3):
    step()
times, begin = [], time.perf_counter()
while len(times) < 5 or time.perf_counter() - begin < budget:
    start = time.perf_counter()
    step()
    times.append(time.perf_counter() - start)
times.sort()
name = f"step.torch.{size}.{policy}.t{threads}"
median = times[len(times) // 2]
print(f"{name}.min {times[0] * 1e3:.3f} ms\n{name}.median {median * 1e3:.3f} ms\n{name}.rate {B * T / median:.0f} tokens/s", flush=True)
