#!/usr/bin/env python3
"""Times attnlab and PyTorch in turn, on one machine in one run, and writes the tables of docs/performance.md.

usage: compare.py PART... [--rounds N] [--seconds S] [--threads N] [--policies A,B] [--through COMMAND] [--page FILE] [--resume] [--render]
PART: one of those listed by compare.py --help; `step` stands for every step.SIZE, `all` for everything. Each part takes minutes, writes
its block of the page when it is done, and leaves all else as it is: what failed can be run again alone, what was interrupted goes on
where it was with --resume.

  ATTNLAB       the program; default build/release/bin/attnlab. Compiled by clang, it fills the blocks clang.PART.
  PEER_PYTHON   a Python with torch; without it attnlab is measured alone
  REF_HOME      the folder that holds the paper's code as an-yongqi+systematic-outliers; without it, no steps and modules of PyTorch

The lines measured stay in build/benchmarks/PART.txt; --render makes tables out of them again."""
import argparse
import datetime
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time

import page
from figures import Figures
from parts import PARTS
from runs import Settings

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
PROGRAM = os.path.abspath(os.environ.get("ATTNLAB") or os.path.join(ROOT, "build/release/bin/attnlab"))
PYTHON, REFERENCE = os.environ.get("PEER_PYTHON"), os.environ.get("REF_HOME")


def chosen_parts(names):
    """Parts by name; `step` is every part that begins with `step.`."""
    out = []
    for name in names:
        found = [p for p in PARTS if name in ("all", p) or p.startswith(name + ".")]
        if not found:
            raise SystemExit(f"error: part '{name}': expected all, step or one of {', '.join(PARTS)}")
        out += [p for p in found if p not in out]
    return out


def cpu():
    """The processor: names of virtual ones say little, so family and model too."""
    facts = {}
    with open("/proc/cpuinfo") as f:
        for line in f:
            key, _, value = line.partition(":")
            facts.setdefault(key.strip(), value.strip())
    return f"{facts.get('model name', 'unknown')} (family {facts.get('cpu family', '?')} model {facts.get('model', '?')}, {os.cpu_count()} cores)"


def command(run, through):
    """Words and environment; None where what it needs is not there."""
    environment = dict(os.environ)
    if run.threads:
        environment["OMP_NUM_THREADS"] = str(run.threads)
    if not run.peer:
        return shlex.split(through) + [PROGRAM] + run.words, environment
    if not PYTHON or (run.needs_reference and not REFERENCE):
        return None
    return shlex.split(through) + [PYTHON, os.path.join(HERE, run.words[0])] + run.words[1:], environment


def run_once(words, environment):
    """(exit status, what it printed, what it complained of)."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen(words, env=environment, stdout=output, stderr=errors, start_new_session=True)
        try:
            status = child.wait()
        except KeyboardInterrupt:
            os.killpg(child.pid, signal.SIGKILL)   # the command may stand behind another, given by --through
            raise
        output.seek(0)
        errors.seek(0)
        return status, output.read(), errors.read()


def measure(name, settings, o, log):
    """Runs the part's commands in turn, `o.rounds` times over. Every line goes to the file `log`, which has this name once all are there."""
    runs, start, skipped = PARTS[name][0](settings), time.time(), False
    done = set()
    if o.resume and os.path.exists(log + ".new"):
        with open(log + ".new", encoding="utf-8") as f:
            done = {line for line in f if line.startswith("# ran: ")}
    with open(log + ".new", "a" if done else "w", encoding="utf-8") as out:
        print(f"# when: {datetime.date.today()}, {o.rounds} round{'s' * (o.rounds > 1)} of {settings.seconds:g} s a figure", file=out, flush=True)
        for turn in range(o.rounds):
            for i, run in enumerate(runs):
                label = f"round {turn + 1} of {o.rounds}, {i + 1} of {len(runs)}: {' '.join(run.words)}"
                made, mark = command(run, o.through), f"# ran: {label}\n"
                skipped |= made is None
                if made is None or mark in done:
                    continue
                print(f"{name}, {time.time() - start:.0f} s: {label}", flush=True)
                status, lines, complaints = run_once(*made)
                if status != 0:   # a peer that lacks something is a dash in the table; a fault of ours is none
                    last = (complaints.strip().splitlines() or ["no message"])[-1]
                    if not run.peer:
                        raise ValueError(f"{' '.join(made[0])}: exit {status}: {last}")
                    print(f"  failed, exit {status}: {last}", flush=True)
                out.write(f"# rename: {' '.join(run.rename)}\n{lines}{mark}")
                out.flush()
    if skipped:
        print(f"{name}: PyTorch left out ({'set PEER_PYTHON' if not PYTHON else 'set REF_HOME'})")
    os.replace(log + ".new", log)


def read(log):
    """The figures of a file that `measure` wrote."""
    figures, rename = Figures(), ("", "")
    with open(log) as f:
        for line in f:
            if line.startswith("# rename:"):
                words = line.split()[2:]
                rename = tuple(words) if len(words) == 2 else ("", "")
            else:
                figures.read([line], rename)
    return figures


def block(name, figures, settings):
    """The part's tables, and under them what they were measured with."""
    notes = figures.notes
    contended, total = figures.contended()
    text = PARTS[name][1](figures, settings)
    text += f"\n{cpu() if notes.get('machine') else ''}; {notes.get('versions', '').rstrip(';')}"
    if "torch" in notes:
        text += f"; {notes['torch']}"
    text += f". {notes.get('when', '')}."
    if contended:
        text += f" (*) {contended} of {total} times were taken while other processes used over 6 % of a core."
    return text


def main():
    p = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1], epilog="parts: " + ", ".join(PARTS))
    p.add_argument("parts", nargs="+", metavar="PART")
    p.add_argument("--rounds", type=int, default=2, help="the commands of a part are run in turn so many times; the best counts")
    p.add_argument("--seconds", type=float, default=0.5, help="spent on each figure")
    p.add_argument("--threads", type=int, default=os.cpu_count(), help="the most")
    p.add_argument("--policies", default="", help="of the parts policies and step; nothing: all")
    p.add_argument("--through", default="", help="a command before every command, as one that keeps others off the machine")
    p.add_argument("--page", default=os.path.join(ROOT, "docs/performance.md"))
    p.add_argument("--logs", default=os.path.join(ROOT, "build/benchmarks"))
    p.add_argument("--resume", action="store_true", help="go on with a part that was interrupted, where it was")
    p.add_argument("--render", action="store_true", help="measure nothing, write tables out of what is there")
    o = p.parse_args()
    names = chosen_parts(o.parts)
    listed = subprocess.run([PROGRAM, "policies"], stdout=subprocess.PIPE, text=True, check=True).stdout
    policies = o.policies.split(",") if o.policies else [line.split()[0] for line in listed.splitlines() if line[:1].islower()]
    settings = Settings(o.threads, o.seconds, policies)
    about = subprocess.run([PROGRAM, "benchmark", "step", "--policies", "softmax", "--seconds", "0"], stdout=subprocess.PIPE, text=True, check=True).stdout
    prefix = "clang." if "clang" in about.lower() else ""
    os.makedirs(o.logs, exist_ok=True)
    failed = False
    for name in names:   # a part that fails does not take the others along
        log = os.path.join(o.logs, prefix + name + ".txt")
        try:
            if not o.render:
                measure(name, settings, o, log)
            page.write(o.page, prefix + name, block(name, read(log), settings))
            print(f"{name}: written to {o.page}", flush=True)
        except (OSError, ValueError) as e:
            failed = True
            print(f"error: {name}: {e}", file=sys.stderr, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit("interrupted: parts that were finished are in the page") from None
    except (OSError, ValueError, subprocess.CalledProcessError) as e:
        raise SystemExit(f"error: {e}") from None
