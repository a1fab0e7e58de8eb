"""Lesson 16's pictures: unCLIP as a whole, the prior's tokens, two sides of a sphere, and what the prior brings."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Arc
from torch import Tensor

from .. import plots
from ..plots import BLUE, GREEN, ORANGE, PURPLE, RED
from .draw import INK, arrow, box, sheet, words
from .lesson_14 import funnel, inset

GREY = "#777777"
SIDES = {"text": (ORANGE, "^"), "photograph": (BLUE, "o"), "prior": (GREEN, "s"), "moved": (PURPLE, "v")}


def dots(ax: Axes, x: float, y: float, colour: str, n: int = 5) -> None:
    """A vector, as a column of numbers."""
    for k in range(n):
        ax.plot(x, y + 0.19 * (k - (n - 1) / 2), "o", color=colour, markersize=7, alpha=0.35 + 0.6 * ((3 * k) % n) / n)


def whole(photo: Tensor, made: Tensor, prompt: str) -> Figure:
    """CLIP above the dashed line, as it was trained; prior and decoder below it.  photo, made: (3, H, W)"""
    figure, ax = sheet(12.6, 6.2)
    top, low = 4.75, 1.35
    ax.plot((0.2, 12.4), (3.15, 3.15), "--", color=GREY, lw=1.5)
    words(ax, 0.25, 5.95, "CLIP (lesson 11): trained first, then left as it is", fontsize=13, ha="left", weight="bold")
    words(ax, 0.25, 2.85, "unCLIP: from the text to the picture", fontsize=13, ha="left", weight="bold")
    words(ax, 1.15, 5.3, "its caption", fontsize=13)
    funnel(ax, 3.3, 5.3, "text tower", 1.0, 0.6, ORANGE)
    inset(figure, 1.15, 4.12, 1.25, photo)
    funnel(ax, 3.3, 4.12, "picture tower", 1.0, 0.6, BLUE)
    for y, name, colour in ((5.3, r"$\tau$", ORANGE), (4.12, r"$z$", BLUE)):
        arrow(ax, (1.95, y), (2.6, y))
        arrow(ax, (4.0, y), (4.5, y))
        dots(ax, 4.75, y, colour)
        words(ax, 5.1, y, name, fontsize=17, color=colour)
    arrow(ax, (5.45, 5.2), (5.45, 4.25), colour=INK, style="<|-|>", bend=0.35)
    objective = "training pulls a text and its\npicture together on the sphere,\nand others apart; a gap is left"
    words(ax, 5.95, top, objective, fontsize=12, ha="left")
    words(ax, 0.95, low, f"“{prompt}”", fontsize=12)
    funnel(ax, 2.75, low, "text tower", 1.0, 0.6, ORANGE)
    dots(ax, 4.05, low, ORANGE)
    words(ax, 4.05, low - 0.7, r"$\tau$", fontsize=16, color=ORANGE)
    box(ax, 5.85, low, "prior:\ndiffusion over\na vector", 1.7, 1.15, GREEN, fontsize=12)
    dots(ax, 7.6, low, GREEN)
    words(ax, 7.6, low - 0.7, r"$\hat z$", fontsize=16, color=GREEN)
    box(ax, 9.3, low, "decoder:\ndiffusion over\na picture", 1.7, 1.15, PURPLE, fontsize=12)
    inset(figure, 11.6, low, 1.35, made)
    for start, end in ((1.75, 2.05), (3.45, 3.85), (4.3, 4.95), (6.75, 7.35), (7.85, 8.4), (10.2, 10.85)):
        arrow(ax, (start, low), (end, low))
    for x in (5.85, 9.3):
        words(ax, x, 0.42, "noise", fontsize=11, color=GREY)
        arrow(ax, (x, 0.52), (x, low - 0.6), colour=GREY)
    arrow(ax, (4.75, 3.6), (8.75, low + 0.6), colour=BLUE, dashed=True)
    words(ax, 7.75, 2.68, "in training the decoder is told\na photograph's own $z$", fontsize=11, color=BLUE, ha="left")
    return figure


def tokens() -> Figure:
    """What the prior's transformer reads, and where its answer is read off."""
    figure, ax = sheet(10.4, 3.9)
    names = (r"text $\tau(y)$", r"time $t$", r"noisy $z_t$", "query")
    box(ax, 5.2, 2.1, "transformer: every token looks at every other, 3 layers", 8.6, 0.7, GREEN, fontsize=13)
    for x, name, colour in zip((1.7, 4.0, 6.3, 8.6), names, (ORANGE, GREY, RED, GREEN)):
        box(ax, x, 0.75, name, 1.7, 0.6, colour, fontsize=13)
        arrow(ax, (x, 1.08), (x, 1.72))
        if colour != GREEN:
            arrow(ax, (x, 2.48), (x, 2.85), colour="#bbbbbb")
            words(ax, x, 3.05, "not used", fontsize=11, color=GREY)
    arrow(ax, (8.6, 2.48), (8.6, 2.95), colour=GREEN)
    words(ax, 8.6, 3.25, r"$\hat z_0$", fontsize=18, color=GREEN)
    words(ax, 5.2, 0.2, "each token: 128 numbers", fontsize=11, color=GREY)
    return figure


def plane(sides: Mapping[str, Tensor]) -> Tensor:
    """Two unit vectors to look along: from the mean text to the mean photograph, and where photographs differ most.

    sides: "text" and "photograph", (N, D) each -> (2, D)
    """
    across = torch.nn.functional.normalize(sides["photograph"].mean(0) - sides["text"].mean(0), dim=0)
    rest = sides["photograph"] - sides["photograph"].mean(0)
    rest = rest - (rest @ across)[:, None] * across
    return torch.stack([across, torch.linalg.svd(rest, full_matrices=False).Vh[0]])


def sides(panels: Sequence[Mapping[str, Tensor]], titles: Sequence[str], axes_of: Tensor) -> Figure:
    """Vectors in the plane of `plane`, a panel for each mapping: name of a side -> (N, D)."""
    figure, axes = plots.panels(1, len(panels), 4.6, 3.9, sharex=True, sharey=True)
    for ax, panel, title in zip(axes[0], panels, titles):
        for name, v in panel.items():
            colour, marker = SIDES[name.split(" ")[0]]
            ax.scatter(*(v @ axes_of.T).T, s=9, color=colour, marker=marker, alpha=0.45, linewidths=0, label=name)
            ax.plot(*(v.mean(0) @ axes_of.T), marker, color=colour, markersize=13, markeredgecolor="k")
        ax.set(title=title, xlabel="along the gap", xlim=(-0.52, 0.45), ylim=(-1, 1))
        ax.legend(loc="upper left", fontsize=10, markerscale=2)
    axes[0, 0].set_ylabel("where photographs\ndiffer most")
    return figure


def arc() -> Figure:
    """slerp between two pictures' vectors, and the way towards a difference of texts, away from the pictures'."""
    figure, ax = sheet(10.6, 3.65)
    for x0, left, right, names in (
        (2.5, 150, 60, (r"$z_a$", r"$z_b$", r"$z_w$")),
        (7.7, 150, 25, (r"$z$", r"$d$", r"$z_w$")),
    ):
        ax.add_patch(Arc((x0, 0.55), 4.4, 4.4, theta1=5, theta2=175, color="0.8", lw=1.5))
        ax.add_patch(Arc((x0, 0.55), 4.4, 4.4, theta1=52, theta2=165, color=BLUE, lw=22, alpha=0.18))
        ax.add_patch(Arc((x0, 0.55), 4.4, 4.4, theta1=right, theta2=left, color=RED, lw=2.5))
        between = left + 0.35 * (right - left)
        for angle, name, colour in zip((left, right, between), names, (BLUE, GREEN, RED)):
            a = torch.deg2rad(torch.tensor(float(angle)))
            x, y = x0 + 2.2 * a.cos().item(), 0.55 + 2.2 * a.sin().item()
            arrow(ax, (x0, 0.55), (x, y), colour=colour)
            words(ax, x0 + 2.58 * a.cos().item(), 0.55 + 2.58 * a.sin().item(), name, fontsize=15, color=colour)
        words(ax, x0, 3.42, "here lie the pictures' vectors", fontsize=11, color=BLUE)
    words(ax, 2.5, 0.22, "between two pictures", fontsize=12)
    words(ax, 7.7, 0.22, r"towards a difference of texts, $d\propto\tau(y_1)-\tau(y_0)$", fontsize=12)
    return figure


def bars(rows: Mapping[str, Mapping[str, float]], columns: Mapping[str, str], best: Mapping[str, float]) -> Figure:
    """A panel for each column: a bar for each way, and a dashed line for photographs.

    rows: way -> quantity -> value;  columns: quantity -> title;  best: quantity -> what photographs have
    """
    figure, axes = plots.panels(1, len(columns), 2.9, 0.5 * len(rows) + 1.4, sharey=True)
    for ax, (quantity, title) in zip(axes[0], columns.items()):
        values = [row[quantity] for row in rows.values()]
        colours = [SIDES[name.split(" ")[0]][0] for name in rows]
        ax.barh(range(len(rows)), values, color=colours, height=0.7)
        ax.set_xlim(0, 1.12 * max(*values, best.get(quantity, 0)))
        for y, value in enumerate(values):  # inside the bars, where no dashed line passes
            look = dict(facecolor="white", edgecolor="none", pad=1.5, alpha=0.85)
            digits = f"{value:.3g}" if value > 1 else f"{value:.2f}"
            ax.text(0.05 * ax.get_xlim()[1], y, digits, va="center", fontsize=12, bbox=look)
        if quantity in best:
            ax.axvline(best[quantity], color=INK, ls="--", lw=1.2)
        ax.set_title(title, fontsize=13)
        ax.tick_params(labelsize=10)
    axes[0, 0].set_yticks(range(len(rows)), rows.keys(), fontsize=13)
    axes[0, 0].invert_yaxis()
    return figure
