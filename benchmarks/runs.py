"""What parts are made of: commands to run, and cells of tables."""
from dataclasses import dataclass, field

from page import number, times

PAPER = ["softmax", "value_bias", "context_bias", "attention_bias", "context_scale", "sigmoid"]   # the six of 2502.06415


@dataclass
class Run:
    """One command of a round: a program of ours or a script of the peers' PyTorch."""
    words: list
    threads: int = 0                  # OMP_NUM_THREADS
    peer: bool = False                # words[0] is a script beside this one
    rename: tuple = ("", "")          # another beginning for its names
    needs_reference: bool = False     # the paper's code


@dataclass
class Settings:
    threads: int = 2                  # the most
    seconds: float = 1.0
    policies: list = field(default_factory=lambda: list(PAPER))


def ours(s, policies, threads, *more):
    return Run(["benchmark", "attention", "--policies", policies, "--threads", str(threads), "--seconds", str(s.seconds), *map(str, more)])


def torch(s, who, threads, shapes, mask="causal"):
    return Run(["torch_attention.py", who, mask, str(s.seconds)] + [",".join(map(str, n)) for n in shapes], threads, peer=True)


def machine(s, threads):
    return Run(["benchmark", "machine", "--threads", ",".join(map(str, threads)), "--seconds", str(min(s.seconds, 0.3))])


def peak(f, threads, what="fma"):
    """A limit of the machine: `peak.fma512.t2`."""
    found = [v for n, v in f.values.items() if n.startswith("peak." + what) and n.endswith(f".t{threads}")]
    return max(found) if found else None


def ms(f, name):
    """Least milliseconds, with a star where others used the machine in every round."""
    value = number(f.get(name + ".min"))
    return value if value is None or name + ".min" in f.quiet else value + "*"


def ahead(f, ours_, theirs):
    """How many times as long they take: by least and by median."""
    least, median = f.ratio(theirs + ".min", ours_ + ".min"), f.ratio(theirs + ".median", ours_ + ".median")
    return None if least is None else f"**{times(least)}** / {times(median)}"
