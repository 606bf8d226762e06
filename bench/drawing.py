"""Plots as SVG, drawn by hand: bars, readable on light and on dark paper. Nothing is measured here."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, LABEL, VALUE = 760, 290, 120
ROW, BAR, HEAD = 26, 16, 40
STYLE = """
.paper { fill: #ffffff } .text { fill: #1f2328 } .faint { fill: #59636e } .line { stroke: #d1d9e0 }
.ours { fill: #2f6fde } .other { fill: #9aa4af } .text, .faint { font: 13px system-ui, sans-serif }
.title { font: 600 15px system-ui, sans-serif }
@media (prefers-color-scheme: dark) {
.paper { fill: #0d1117 } .text { fill: #f0f6fc } .faint { fill: #9198a1 } .line { stroke: #3d444d }
.ours { fill: #5b93f5 } .other { fill: #6a737d } }
"""


@dataclass(frozen=True)
class Bar:
    """One bar: `ours` stands out, what it is compared with does not."""

    label: str
    value: float
    ours: bool = True


def bars(title: str, unit: str, rows: Sequence[Bar], floor: float | None = None) -> str:
    """One bar a row, all to one scale from 0; a dashed line at the floor, if there is one."""
    height = HEAD + ROW * len(rows) + 14
    room = WIDTH - LABEL - VALUE
    top = max([row.value for row in rows] + [floor or 0]) or 1
    parts = [f'<text class="text title" x="12" y="24">{escape(title)}</text>']
    for number, row in enumerate(rows):
        y = HEAD + ROW * number
        width = max(1.0, room * row.value / top)
        parts += [
            f'<text class="text" x="{LABEL - 10}" y="{y + 13}" text-anchor="end">{escape(row.label)}</text>',
            f'<rect class="{_class(row)}" x="{LABEL}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"/>',
            f'<text class="faint" x="{LABEL + width + 8:.1f}" y="{y + 13}">{_told(row, unit)}</text>',
        ]
    if floor is not None:
        x = LABEL + room * floor / top
        parts.append(
            f'<line class="line" stroke-dasharray="4 3" stroke-width="2" x1="{x:.1f}" x2="{x:.1f}"'
            f' y1="{HEAD - 6}" y2="{height - 12}"/>'
        )
    return svg(WIDTH, height, title, parts)


def _class(row: Bar) -> str:
    return "ours" if row.ours else "other"


def _told(row: Bar, unit: str) -> str:
    return escape(f"{amount(row.value)} {unit}")


def svg(width: int, height: int, title: str, parts: Sequence[str], style: str = "") -> str:
    """A whole drawing around its parts."""
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">', f"<title>{escape(title)}</title>",
        f"<style>{STYLE}{style}</style>",
        f'<rect class="paper" width="{width}" height="{height}"/>', *parts, "</svg>", "",
    ])


def amount(value: float) -> str:
    """A figure with as many digits as mean something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if value >= 10 else f"{value:,.2f}"
