"""Lines `name value unit`, as attnlab and the scripts that time its peers print them: read, merged over rounds, looked up by name."""

# Of several rounds the best counts, of memory the most.
BEST = {"ms": min, "s": min, "GFLOP/s": max, "GB/s": max, "tokens/s": max, "MiB": max, "count": max}


class Figures:
    def __init__(self):
        self.values = {}        # name: value
        self.notes = {}         # "machine", "versions", "torch": what the lines `# machine: ...` say
        self.quiet = set()      # names of which one round at least was taken while nobody else used the machine
        self._contended = False

    def read(self, lines, rename=("", "")):
        """Adds lines; `rename` replaces the beginning of names. Raises ValueError for a line that is neither figure nor comment."""
        for line in lines:
            if line.startswith("# contended"):
                self._contended = True
            elif line.startswith("#"):
                key, colon, text = line[1:].strip().partition(": ")
                if colon:
                    self.notes[key] = text
            elif line.strip():
                self._add(line, rename)

    def _add(self, line, rename):
        words = line.split()
        try:
            name, value, unit = words[0], float(words[1]), words[2]
            if len(words) != 3:
                raise ValueError
            best = BEST[unit]
        except (IndexError, ValueError, KeyError):
            raise ValueError(f"expected `name value unit` with a unit out of {', '.join(BEST)}, got: {line.strip()}") from None
        if rename[0] and name.startswith(rename[0]):
            name = rename[1] + name[len(rename[0]):]
        self.values[name] = best(self.values[name], value) if name in self.values else value
        if not self._contended:
            self.quiet.add(name)
        # A comment speaks of the figure after it: its least and its median, which come first, and what follows from them.
        if not name.endswith(".min"):
            self._contended = False

    def get(self, name):
        return self.values.get(name)

    def ratio(self, a, b):
        """a / b; None where one is missing."""
        a, b = self.get(a), self.get(b)
        return a / b if a is not None and b else None

    def least(self, names):
        """The best of the names that were measured, by value; None where there are none."""
        there = [n for n in names if n in self.values]
        return min(there, key=self.values.get) if there else None

    def contended(self):
        """(how many times were taken beside others, how many there are)."""
        times = [n for n in self.values if n.endswith(".min")]
        return sum(n not in self.quiet for n in times), len(times)


def attention(who, threads, backward, B, T, H=12, D=64):
    """The name of an attention figure, without its last word."""
    return (f"attention.{who}.t{threads}.{'fwdbwd' if backward else 'fwd'}.B{B}.T{T}"
            + (f".H{H}" if H != 12 else "") + (f".D{D}" if D != 64 else ""))


def step(program, size, policy, threads):
    return f"step.{program}.{size}.{policy}.t{threads}"
