"""PyTorch on a GPU, in bfloat16, in the names of `attnlab benchmark attention|step --device cuda --dtype bfloat16`. prints: name value unit
usage: torch_on_gpu.py attention B,T ...        H 12, D 64, causal: flash and cuDNN attention, FlexAttention compiled, and FlexAttention with ALiBi
       REF_HOME=FOLDER torch_on_gpu.py step B   a step of GPT-2 124M by nanoGPT, compiled: forward, backward, clip, AdamW
FOLDER holds a checkout of karpathy/nanoGPT as karpathy+nanoGPT."""
import os, statistics, sys, time
import torch
import torch.nn.functional as F

H, D, CALLS = 12, 64, 10  # as attnlab: ten calls in a row, and a wait for the last


def timed(name, f, calls=CALLS, seconds=0.3):
    """Prints the least and the median of repeats in milliseconds, and returns the least in seconds."""
    for _ in range(3):
        f()
    torch.cuda.synchronize()
    times, begin = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        for _ in range(calls):
            f()
        torch.cuda.synchronize()
        times.append((time.perf_counter() - start) / calls)
    print(f"{name}.min {min(times) * 1e3:.5g} ms\n{name}.median {statistics.median(times) * 1e3:.5g} ms", flush=True)
    return min(times)


def attention(kind, f, B, T):
    q, k, v = (torch.randn(B, H, T, D, device="cuda", dtype=torch.bfloat16, requires_grad=True) for _ in range(3))
    dy = torch.randn_like(q)
    flop = 4 * B * H * T * T * D / 2

    def forward():
        with torch.no_grad():
            f(q, k, v)

    def both():
        q.grad = k.grad = v.grad = None
        f(q, k, v).backward(dy)

    for tag, call, forwards in [("fwd", forward, 1), ("fwdbwd", both, 3.5)]:
        name = f"attention.{kind}.cuda-bfloat16.{tag}.B{B}.T{T}"
        try:
            least = timed(name, call)
        except Exception as error:
            print(f"# {name}: {type(error).__name__}: {str(error).splitlines()[0][:160]}", flush=True)
            continue
        print(f"{name}.rate {forwards * flop / least * 1e-9:.6g} GFLOP/s", flush=True)


def attentions(B, T):
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    def by(backend):
        def call(q, k, v):
            with sdpa_kernel(backend):
                return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return call
    attention("flash", by(SDPBackend.FLASH_ATTENTION), B, T)
    attention("cudnn", by(SDPBackend.CUDNN_ATTENTION), B, T)
    torch._dynamo.reset()
    mask = create_block_mask(lambda b, h, i, j: i >= j, None, None, T, T, device="cuda")
    slope = torch.exp2(-8.0 * torch.arange(1, H + 1, device="cuda") / H)
    flex = torch.compile(flex_attention, dynamic=False)
    attention("flex", lambda q, k, v: flex(q, k, v, block_mask=mask), B, T)
    torch._dynamo.reset()
    alibi = torch.compile(flex_attention, dynamic=False)
    attention("flex_alibi", lambda q, k, v: alibi(q, k, v, score_mod=lambda s, b, h, i, j: s + slope[h] * (j - i), block_mask=mask), B, T)


def step(B):
    sys.path.insert(0, os.path.join(os.environ["REF_HOME"], "karpathy+nanoGPT"))
    from model import GPT, GPTConfig
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    model = GPT(GPTConfig(block_size=1024, vocab_size=50304, n_layer=12, n_head=12, n_embd=768, dropout=0.0, bias=False)).cuda()
    optimizer = model.configure_optimizers(0.1, 6e-4, (0.9, 0.95), "cuda")
    x, y = (torch.randint(50304, (B, 1024), device="cuda") for _ in range(2))
    compiled = torch.compile(model)

    def once():
        with torch.autocast("cuda", torch.bfloat16):
            _, loss = compiled(x, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    name = f"step.nanogpt.gpt2-124m.softmax.cuda-bfloat16.B{B}"
    least = timed(name, once, calls=4, seconds=2)
    print(f"{name}.rate {B * 1024 / least:.6g} tokens/s", flush=True)


if len(sys.argv) < 3 or sys.argv[1] not in ("attention", "step"):
    sys.exit(__doc__)
print(f"# torch {torch.__version__}, {torch.cuda.get_device_name()}")
for size in sys.argv[2:]:
    attentions(*map(int, size.split(","))) if sys.argv[1] == "attention" else step(int(size))
