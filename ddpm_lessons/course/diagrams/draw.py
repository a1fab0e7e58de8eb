"""What diagrams are made of: an empty sheet, boxes, circles, arrows and words."""

from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, FancyArrowPatch, FancyBboxPatch

from ..plots import BLUE, STYLE

INK = "#222222"


def sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty sheet of so many inches -> (figure, axes), with coordinates in inches from the lower left."""
    with matplotlib.rc_context(STYLE):
        figure = Figure((width, height), dpi=80)
        ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    ax.axis("off")
    return figure, ax


def box(
    ax: Axes, x: float, y: float, text: str, width: float = 1.2, height: float = 0.6, colour: str = BLUE, **kw: Any
) -> None:
    """A box with rounded corners around its middle (x, y); kw: of the text, as fontsize=12."""
    corner = (x - width / 2, y - height / 2)
    shape = "round,pad=0,rounding_size=0.08"
    ax.add_patch(
        FancyBboxPatch(corner, width, height, boxstyle=shape, facecolor=colour + "22", edgecolor=colour, lw=1.5)
    )
    words(ax, x, y, text, **kw)


def circle(ax: Axes, x: float, y: float, text: str, size: float = 0.8, colour: str = BLUE, **kw: Any) -> None:
    """A circle around (x, y), as variables of a chain are drawn."""
    ax.add_patch(Ellipse((x, y), size, size, facecolor=colour + "22", edgecolor=colour, lw=1.5))
    words(ax, x, y, text, **kw)


def arrow(
    ax: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    text: str = "",
    colour: str = INK,
    bend: float = 0.0,
    above: float = 0.18,
    style: str = "-|>",
    dashed: bool = False,
    **kw: Any,
) -> None:
    """An arrow, bent to its left by a positive `bend`; its text stands so far above its middle."""
    line = "--" if dashed else "-"
    curve = f"arc3,rad={-bend}"
    patch = FancyArrowPatch(
        start, end, arrowstyle=style, mutation_scale=14, color=colour, lw=1.5, linestyle=line, connectionstyle=curve,
        shrinkA=0, shrinkB=0,
    )  # fmt: skip
    ax.add_patch(patch)
    if text:
        (x0, y0), (x1, y1) = start, end
        x, y = (x0 + x1) / 2 - bend * (y1 - y0) / 2, (y0 + y1) / 2 + bend * (x1 - x0) / 2
        words(ax, x, y + above, text, color=colour, **kw)


def words(ax: Axes, x: float, y: float, text: str, **kw: Any) -> None:
    """Text around (x, y); formulas between dollars."""
    ax.text(x, y, text, **dict(ha="center", va="center", fontsize=13, color=INK) | kw)
