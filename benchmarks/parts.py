"""The parts of docs/performance.md: what each one runs, and the tables that it makes of the figures."""
from figures import attention, step
from page import number, percent, table, times
from runs import PAPER, Run, ahead, machine, ms, ours, peak, torch

SHAPES = [(1, 256), (4, 256), (1, 1024), (1, 2048)]   # B, T
WIDTHS = [32, 40, 64, 72, 80, 96, 128, 256]
HEADS = [1, 2, 3, 5, 12, 16]
LENGTHS = [128, 256, 512, 1024, 2048, 4096, 8192]
STEP_THREADS = {"demo": 1}   # the runs of `reproduce` have a core each; the others take what there is
TORCH_STEPS = {"torch": [], "torch-compile": ["--compile"]}   # how PyTorch may run a step: the best counts
EQUAL_GEMM = {"torch-onednn": ["--equal-gemm"]}               # and with a GEMM as fast as ours: a ratio of its own


# ---- the machine ---------------------------------------------------------------------------------------------------------------

def machine_runs(s):
    return [machine(s, sorted({1, s.threads}))]


def machine_tables(f, s):
    rows = []
    for t in sorted({1, s.threads}):
        fma, gemm = peak(f, t), [v for n, v in f.values.items() if n.startswith("gemm.") and f".t{t}." in n and n.endswith(".rate")]
        rows.append([f"{t} thread{'s' * (t > 1)}", number(fma), number(min(gemm)) if gemm else None,
                     percent(min(gemm) / fma) if gemm and fma else None, number(peak(f, t, "read")), number(peak(f, t, "triad"))])
    return table(["", "FMA peak, GFLOP/s", "slowest GEMM of GPT-2's MLP", "of the peak", "reading, GB/s", "triad, GB/s"], rows)


# ---- attention against PyTorch -------------------------------------------------------------------------------------------------

def attention_runs(s):
    runs = [machine(s, [s.threads])]
    for B, T in SHAPES:
        runs += [ours(s, "softmax", s.threads, "--B", B, "--T", T), torch(s, "sdpa,eager,compiled,flex", s.threads, [(B, 12, T, 64)])]
    return runs


def attention_tables(f, s):
    t, rows, bounds, memory = s.threads, [], [], []
    for B, T in SHAPES:
        for backward in (True, False):
            name = lambda who: attention(who, t, backward, B, T)
            mine = name("softmax")
            rows.append([f"B {B}, T {T}, {'forward + backward' if backward else 'forward'}", ms(f, mine)]
                        + [x for who in ("sdpa", "eager", "compiled", "flex") for x in (ms(f, name(who)), ahead(f, mine, name(who)))])
            # q, k, v, y once, and on the way back again, with dy, dq, dk, dv
            traffic = (12 if backward else 4) * 4.0 * B * T * 768
            fma, read, rate, least = peak(f, t), peak(f, t, "read"), f.get(mine + ".rate"), f.get(mine + ".min")
            if fma and read and rate:
                compute, moved = least * rate / fma, traffic / read * 1e-6
                bounds.append([rows[-1][0], number(rate), percent(rate / fma), number(compute), number(moved), percent(max(compute, moved) / least),
                               percent(f.get(name("sdpa") + ".rate") / fma) if f.get(name("sdpa") + ".rate") else None])
        mine = attention("softmax", t, True, B, T) + ".peak_rss_over_base"
        memory.append([f"B {B}, T {T}", number(f.get(mine))]
                      + [number(f.get(attention(who, t, True, B, T) + ".peak_rss_over_base")) for who in ("sdpa", "eager")])
    return (f"Causal, fp32, H 12, D 64, {t} threads: least ms; ratios (theirs / ours) of **least** / median times.\n\n"
            + table(["", "attnlab", "SDPA", "ratio", "eager", "ratio", "torch.compile", "ratio", "FlexAttention", "ratio"], rows)
            + "\nFlexAttention has no backward pass on the CPU.\n\nThe roofline: no program can be faster than its operations at the FMA peak, or than "
            "its inputs and outputs\nthrough the memory, each once.\n\n"
            + table(["", "GFLOP/s", "of FMA peak", "operations alone, ms", "memory alone, ms", "of the roofline", "SDPA, of FMA peak"], bounds)
            + "\nPeak memory of forward + backward beyond inputs, outputs and gradients, MiB:\n\n"
            + table(["", "attnlab", "SDPA", "eager"], memory))


# ---- masks ---------------------------------------------------------------------------------------------------------------------

MASKS = [("full_softmax", "full", "every key"), ("sliding_window_256", "window256", "the 256 last keys")]
MASK_LENGTHS = [1024, 2048]


def masks_runs(s):
    runs = []
    for T in MASK_LENGTHS:
        runs += [ours(s, "softmax," + ",".join(m[0] for m in MASKS), s.threads, "--T", T)]
        runs += [torch(s, "sdpa,flex", s.threads, [(1, 12, T, 64)], mask) for _, mask, _ in MASKS]
    return runs


def masks_tables(f, s):
    rows = []
    for policy, mask, words in MASKS:
        for T in MASK_LENGTHS:
            for backward in (True, False):
                name = lambda who: attention(who, s.threads, backward, 1, T)
                rows.append([f"{words}, T {T}, {'forward + backward' if backward else 'forward'}", ms(f, name(policy)),
                             times(f.ratio(name(policy) + ".rate", name("softmax") + ".rate"))]
                            + [x for who in ("sdpa", "flex") for x in (ms(f, name(f"{who}-{mask}")), ahead(f, name(policy), name(f"{who}-{mask}")))])
    return (f"B 1, H 12, D 64, {s.threads} threads: least ms; the rate counts the pairs that the mask shows.\n\n"
            + table(["", "attnlab", "rate, of causal", "SDPA", "ratio", "FlexAttention", "ratio"], rows))


# ---- every policy --------------------------------------------------------------------------------------------------------------

def policies_runs(s):
    """Softmax again beside each, under a name of its own: a clock that drifts changes both."""
    return [Run(ours(s, f"{p},softmax", s.threads, "--T", 1024).words, rename=("attention.softmax.", f"attention.softmax@{p}."))
            for p in s.policies if p != "softmax"]


def policies_tables(f, s):
    rows = []
    for p in s.policies:
        mine, plain = attention(p, s.threads, True, 1, 1024), attention(f"softmax@{p}", s.threads, True, 1, 1024)
        if mine + ".min" not in f.values:
            continue
        gemm = f.get(mine + ".gemm")
        net = (f.get(mine + ".min") - (gemm or 0)) / f.get(plain + ".min")
        rows.append([p, ms(f, attention(p, s.threads, False, 1, 1024)), ms(f, mine), number(gemm), times(f.ratio(mine + ".min", plain + ".min")), times(net),
                     number(f.get(mine + ".peak_rss_over_base"))])
    return (f"B 1, H 12, D 64, T 1024, {s.threads} threads, softmax timed again beside each: least ms, MiB beyond inputs, outputs and gradients. Products "
            "with x: what\nGEMMs of their size take.\n\n"
            + table(["policy", "forward", "forward + backward", "GEMMs on x", "of softmax", "less GEMMs", "peak memory"], rows))


# ---- the paper's attentions, its own way ---------------------------------------------------------------------------------------

def paper_runs(s):
    runs = [ours(s, ",".join(PAPER), s.threads, "--T", 1024)]
    return runs + [Run(["torch_modules.py", *how, str(s.seconds)] + ["projections"] * (not how[0]) + PAPER, s.threads, peer=True, needs_reference=True)
                   for how in ([""], ["compiled"])]


def paper_tables(f, s):
    rows, t = [], s.threads
    for p in PAPER:
        mine = attention(p, t, True, 1, 1024)
        bare = f.get(f"module.projections.t{t}.fwdbwd.T1024.min")
        theirs = [f.get(f"module.{p}{how}.t{t}.fwdbwd.T1024.min") for how in ("", "-compiled")]
        theirs = [x - bare if x is not None and bare is not None else None for x in theirs]
        best = min((x for x in theirs if x is not None), default=None)
        rows.append([p, ms(f, mine), *map(number, theirs), times(best / f.get(mine + ".min")) if best and f.get(mine + ".min") else None])
    return (f"The paper's modules in PyTorch, forward + backward, B 1, T 1024, C 768, H 12, {t} threads, less what their two Linears take alone: least ms.\n"
            "The ratio is that of the better one.\n\n"
            + table(["policy", "attnlab", "eager", "torch.compile", "ratio"], rows))


# ---- training steps ------------------------------------------------------------------------------------------------------------

def step_part(size):
    def threads(s):
        return STEP_THREADS.get(size, s.threads)

    def policies(s):
        return [p for p in PAPER if p in s.policies]

    def runs(s):
        out = [machine(s, [threads(s)])]
        for p in policies(s):
            out.append(Run(["benchmark", "step", "--sizes", size, "--policies", p, "--threads", str(threads(s)), "--seconds", str(s.seconds)]))
            out += [Run(["torch_step.py", *flags, size, p, str(s.seconds)], threads(s), peer=True, needs_reference=True)
                    for flags in (TORCH_STEPS | EQUAL_GEMM).values()]
        return out

    def tables(f, s):
        rows, t = [], threads(s)
        fma, triad = peak(f, t), peak(f, t, "triad")
        for p in policies(s):
            mine = step("attnlab", size, p, t)
            theirs = [step(how, size, p, t) for how in TORCH_STEPS]
            best = f.least([n + ".min" for n in theirs])
            flops, median, N = f.get(mine + ".flops"), f.get(mine + ".median"), f.get(mine + ".params")
            # AdamW reads gradient, value and both moments and writes three of them: 28 bytes a parameter.
            floor = flops * median / fma + 28 * N / triad * 1e-6 if flops and fma and triad else None
            equal = [step(how, size, p, t) for how in EQUAL_GEMM]
            rows.append([p, ms(f, mine), number(f.get(mine + ".rate")), *(ms(f, n) for n in theirs), ahead(f, mine, best[:-4]) if best else None,
                         *(ms(f, n) for n in equal), *(ahead(f, mine, n) for n in equal), percent(flops / fma) if flops and fma else None, percent(floor / median) if floor else None, number(f.get(mine + ".peak_rss")),
                         number(f.get(lean) if (lean := f.least([n + ".peak_rss" for n in theirs])) else None)])
        return (f"{size}, {t} thread{'s' * (t > 1)}: least ms of forward, backward, clip, AdamW; ratio and memory are those of the better of the two.\n"
                + "Then eager with the products of its Linears by oneDNN, as fast as attnlab's.\n\n"
                + table(["policy", "attnlab", "tokens/s", "eager", "torch.compile", "ratio", "equal GEMM", "ratio", "of FMA peak", "of roofline", "peak RSS, MiB", "PyTorch's"], rows))

    return runs, tables


# ---- threads, lengths, heads ---------------------------------------------------------------------------------------------------

FEW = [(1, H, T, 64) for H, T in ((12, 1024), (12, 2048), (1, 2048), (2, 2048), (3, 2048))]   # B, H, T, D


def of(n):
    return ["--B", n[0], "--H", n[1], "--T", n[2], "--D", n[3]]


def named(who, threads, backward, n):
    return attention(who, threads, backward, n[0], n[2], n[1], n[3])


def scaling_runs(s):
    runs = []
    for t in sorted({1, s.threads}):
        for n in FEW:
            runs.append(ours(s, "softmax", t, *of(n)))
        runs.append(torch(s, "sdpa", t, FEW))
        runs.append(Run(["benchmark", "step", "--sizes", "tiny,small", "--policies", "softmax", "--threads", str(t), "--seconds", str(s.seconds)]))
        runs += [Run(["torch_step.py", size, "softmax", str(s.seconds)], t, peer=True, needs_reference=True) for size in ("tiny", "small")]
    return runs


def scaling_tables(f, s):
    rows = []
    names = [(f"attention, H {n[1]}, T {n[2]}", lambda t, who, n=n: named(who, t, True, n), "softmax", "sdpa") for n in FEW]
    names += [(f"step, {size}", lambda t, who, size=size: step(who, size, "softmax", t), "attnlab", "torch") for size in ("tiny", "small")]
    for words, name, mine, theirs in names:
        row = [words]
        for who in (mine, theirs):
            row += [ms(f, name(1, who)), ms(f, name(s.threads, who)), times(f.ratio(name(1, who) + ".min", name(s.threads, who) + ".min"))]
        rows.append(row)
    return ("Softmax, causal, forward + backward, B 1, D 64, and training steps: least ms.\n\n"
            + table(["", "attnlab, 1 thread", f"{s.threads} threads", "speed-up", "PyTorch, 1 thread", f"{s.threads} threads", "speed-up"], rows))


def sweep(shapes, label):
    """Parts that vary one size: ours beside SDPA."""
    def runs(s):
        out = [machine(s, [s.threads])]
        for n in shapes:
            out += [ours(s, "softmax", s.threads, *of(n)), torch(s, "sdpa", s.threads, [n])]
        return out

    def tables(f, s):
        rows, fma = [], peak(f, s.threads)
        for n in shapes:
            mine, other = (named(who, s.threads, True, n) for who in ("softmax", "sdpa"))
            rate = f.get(mine + ".rate")
            rows.append([label(n), ms(f, named("softmax", s.threads, False, n)), ms(f, mine), number(rate), percent(rate / fma) if rate and fma else None,
                         ms(f, other), ahead(f, mine, other), number(f.get(mine + ".peak_rss_over_base"))])
        return (f"Softmax, causal, B 1, {s.threads} threads: least ms.\n\n"
                + table(["", "forward", "forward + backward", "GFLOP/s", "of FMA peak", "SDPA", "ratio", "MiB beyond inputs, outputs, gradients"], rows))

    return runs, tables


PARTS = {   # name: (its commands, its tables)
    "machine": (machine_runs, machine_tables),
    "attention": (attention_runs, attention_tables),
    "masks": (masks_runs, masks_tables),
    "policies": (policies_runs, policies_tables),
    "paper": (paper_runs, paper_tables),
    "step.gpt2-124m": step_part("gpt2-124m"),
    "step.small": step_part("small"),
    "step.tiny": step_part("tiny"),
    "step.demo": step_part("demo"),
    "scaling": (scaling_runs, scaling_tables),
    "length": sweep([(1, 12, T, 64) for T in LENGTHS], lambda n: f"T {n[2]}"),
    "heads": sweep([(1, 12, 1024, D) for D in WIDTHS] + [(1, H, 1024, 64) for H in HEADS if H != 12], lambda n: f"H {n[1]}, D {n[3]}"),
}
