"""A flame graph as SVG, from stacks that a sampler has folded: how wide a function is, so much CPU it took.

The root lies at the bottom; what stands on a function was called by it. Functions are coloured by the layer
they belong to, libraries grey.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from bench.drawing import svg

WIDTH, MARGIN, ROW, HEAD = 1180, 10, 18, 46
NARROWEST, LETTER = 1.5, 6.4  # Pixels: below the first nothing is drawn; a letter takes the second.
LAYERS = (
    ("app/flows", "flows"), ("app/store", "store"), ("app/book", "book"), ("app/engine", "engine"),
    ("app/ledger", "ledger"), ("app/domain", "domain"), ("app/db", "db"),
)
STYLE = """
.frame { font: 11px ui-monospace, monospace; fill: #1f2328 } .flows { fill: #f2b26b } .store { fill: #8fc7f0 }
.book { fill: #7fd1b9 } .engine { fill: #f08a7e } .ledger { fill: #c8b4f0 } .domain { fill: #e6d65c }
.db { fill: #b9d98a } .library { fill: #c9ced4 }
"""


@dataclass
class Frame:
    """A function where it stands in the stacks, how often it was met there, and what it called."""

    name: str
    hits: int = 0
    calls: "dict[str, Frame]" = field(default_factory=dict)


def tree(folded: str) -> Frame:
    """Read lines of `a;b;c 12`."""
    root = Frame("all")
    for line in folded.splitlines():
        stack, _, hits = line.rpartition(" ")
        frame = root
        frame.hits += int(hits)
        for name in stack.split(";"):
            frame = frame.calls.setdefault(name, Frame(name))
            frame.hits += int(hits)
    return root


def draw(folded: str, title: str) -> str:
    """The whole drawing."""
    root = tree(folded)
    scale = (WIDTH - 2 * MARGIN) / max(root.hits, 1)
    placed = list(_place(root, 0, 0))
    shown = [(frame, x, level) for frame, x, level in placed if frame.hits * scale >= NARROWEST and level]
    depth = max((level for _, _, level in shown), default=0)
    height = HEAD + ROW * depth + MARGIN
    parts = [f'<text class="text title" x="{MARGIN}" y="22">{escape(title)}</text>', *_legend()]
    for frame, start, level in shown:
        x, y, width = MARGIN + start * scale, height - MARGIN - ROW * level, frame.hits * scale
        share = frame.hits / root.hits
        parts.append(
            f'<g><title>{escape(frame.name)}: {share:.1%}</title><rect class="{_layer(frame.name)}"'
            f' x="{x:.1f}" y="{y}" width="{width - 0.5:.1f}" height="{ROW - 1}" rx="1"/>'
            f'<text class="frame" x="{x + 3:.1f}" y="{y + 12}">{_label(frame.name, width)}</text></g>'
        )
    return svg(WIDTH, height, title, parts, STYLE)


def _place(frame: Frame, start: int, level: int) -> Iterator[tuple[Frame, int, int]]:
    """Each frame with where it begins and how high it stands; callees in the order of their names."""
    yield frame, start, level
    for name in sorted(frame.calls):
        yield from _place(frame.calls[name], start, level + 1)
        start += frame.calls[name].hits


def _legend() -> list[str]:
    names = [name for _, name in LAYERS] + ["library"]
    return [
        f'<rect class="{name}" x="{MARGIN + 90 * n}" y="28" width="10" height="10"/>'
        f'<text class="faint" x="{MARGIN + 90 * n + 14}" y="38">{name}</text>'
        for n, name in enumerate(names)
    ]


def _layer(name: str) -> str:
    return next((layer for start, layer in LAYERS if name.startswith(start)), "library")


def _label(name: str, width: float) -> str:
    """The function's own name, as much of it as there is room for."""
    module, _, function = name.rpartition(":")
    short = f"{module.rpartition('/')[2]}.{function}"
    letters = int((width - 6) / LETTER)
    return escape(short if len(short) <= letters else short[: letters - 1] + "…") if letters > 3 else ""
