"""Generated blocks of a page of Markdown, between `<!-- begin NAME -->` and `<!-- end NAME -->`; what stands around them is left alone."""
import os


def table(header, rows):
    """A table; the first column is text, the others are numbers. None is a dash."""
    cells = [[("–" if c is None else str(c)) for c in row] for row in rows]
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" + "---:|" * (len(header) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in cells]) + "\n"


def number(x):
    """Three digits; None stays None."""
    if x is None:
        return None
    return f"{x:.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}" if x >= 0.1 else f"{x:.3f}"


def percent(x):
    return None if x is None else f"{100 * x:.0f} %"


def times(x):
    return None if x is None else f"{x:.2f}"


def replaced(text, name, content):
    """The page with the block's new content. A page without the block gets it at its end."""
    begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
    block = begin + "\n" + content.strip("\n") + "\n\n" + end
    if begin not in text:
        if end in text:
            raise ValueError(f"<!-- end {name} --> stands without its beginning")
        return text.rstrip("\n") + f"\n\n## {name}\n\n{block}\n"
    before, rest = text.split(begin, 1)
    if end not in rest:
        raise ValueError(f"<!-- begin {name} --> has no end")
    return before + block + rest.split(end, 1)[1]


def write(path, name, content):
    with open(path, encoding="utf-8") as f:
        text = replaced(f.read(), name, content)
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(path + ".new", path)
