"""The pictures of lesson 09: the three vectors, the network's two jobs, slopes, paths and the price of a scale."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import Tensor

from ...forward import noisy
from ...schedules import Schedule
from ..plots import BLUE, GREEN, ORANGE, PURPLE, RED, SKY, panels, pictures
from .draw import INK, arrow, box, circle, sheet, words


def vectors() -> Figure:
    """Where the guesses without and with a condition point to, and the line that guidance follows through both."""
    figure, ax = sheet(8.6, 4.3)
    start, null, told = (0.9, 0.7), (2.9, 2.9), (4.5, 2.55)
    step = (told[0] - null[0], told[1] - null[1])

    def at(w: float) -> tuple[float, float]:
        return null[0] + w * step[0], null[1] + w * step[1]

    ax.plot(*zip(at(-0.85), at(3.25)), color="0.6", ls="--", lw=1.3, zorder=0)
    for w in (-0.5, 0.5, 1.5, 2.5):
        ax.plot(*at(w), "o", color="0.6", markersize=4)
        words(ax, at(w)[0] + 0.05, at(w)[1] + 0.25, f"$w={w:g}$", fontsize=10, color="0.45")
    for end, colour in ((null, BLUE), (told, GREEN), (at(3), RED)):
        arrow(ax, start, end, colour=colour)
    arrow(ax, null, told, colour=ORANGE)
    ax.plot(*start, "ko", markersize=7)
    words(ax, start[0] - 0.1, start[1] - 0.3, r"$x_t$", fontsize=16)
    words(ax, null[0] - 0.05, null[1] + 0.62, r"$\hat\epsilon_\varnothing$", fontsize=17, color=BLUE)
    words(ax, null[0] - 0.05, null[1] + 0.26, "$w=0$", fontsize=11, color=BLUE)
    words(ax, told[0], told[1] + 0.66, r"$\hat\epsilon_c$", fontsize=17, color=GREEN)
    words(ax, told[0] + 0.05, told[1] + 0.3, "$w=1$", fontsize=11, color=GREEN)
    words(ax, at(3)[0] + 0.3, at(3)[1] + 0.5, r"$\tilde\epsilon$", fontsize=19, color=RED)
    words(ax, at(3)[0] + 0.3, at(3)[1] + 0.16, "$w=3$", fontsize=11, color=RED)
    words(ax, 3.55, 2.42, r"$\hat\epsilon_c-\hat\epsilon_\varnothing$", fontsize=13, color=ORANGE)
    words(ax, 1.0, 2.05, "told nothing", fontsize=11, color=BLUE)
    words(ax, 3.05, 1.55, "told the class", fontsize=11, color=GREEN, rotation=27)
    up = (0.24, 1.1)  # a measure above the line, from w = 0 to w = 3
    ends = [(at(w)[0] + up[0], at(w)[1] + up[1]) for w in (0, 3)]
    ax.annotate("", ends[1], ends[0], arrowprops=dict(arrowstyle="|-|,widthA=0.4,widthB=0.4", color="0.35", lw=1.2))
    middle = (at(1.5)[0] + up[0] + 0.05, at(1.5)[1] + up[1] + 0.2)
    words(ax, *middle, "three times the difference: $w=3$", fontsize=11, color="0.35", rotation=-12)
    words(ax, 5.2, 1.05, "guided", fontsize=11, color=RED, rotation=9)
    return figure


def two_jobs() -> Figure:
    """Training hides the condition now and then; sampling asks the one network twice and combines the answers."""
    figure, ax = sheet(9.6, 3.9)
    words(ax, 2.1, 3.65, "training", fontsize=14, weight="bold")
    box(ax, 0.8, 2.75, "$c$", 0.7, 0.55, GREEN, fontsize=15)
    box(ax, 0.8, 1.45, r"$\varnothing$", 0.7, 0.55, BLUE, fontsize=15)
    box(ax, 2.6, 2.1, "network", 1.3, 0.8, PURPLE)
    arrow(ax, (1.2, 2.7), (1.93, 2.3), "90 %", GREEN, above=0.24, fontsize=11)
    arrow(ax, (1.2, 1.5), (1.93, 1.9), "10 %", BLUE, above=-0.3, fontsize=11)
    arrow(ax, (2.6, 0.85), (2.6, 1.68))
    words(ax, 2.6, 0.6, r"$x_t,\ t$", fontsize=14)
    arrow(ax, (3.27, 2.1), (3.8, 2.1))
    words(ax, 4.05, 2.1, r"$\hat x_0$", fontsize=16)
    ax.plot((4.55, 4.55), (0.3, 3.7), color="0.8", lw=1)
    words(ax, 7.0, 3.65, "sampling", fontsize=14, weight="bold")
    for y, name, colour in ((2.75, "$c$", GREEN), (1.45, r"$\varnothing$", BLUE)):
        box(ax, 5.2, y, name, 0.7, 0.55, colour, fontsize=15)
        box(ax, 6.7, y, "network", 1.3, 0.7, PURPLE)
        arrow(ax, (5.58, y), (6.03, y), colour=colour)
    words(ax, 6.7, 2.1, "the same weights, the same $x_t$", fontsize=10, color="0.4")
    circle(ax, 8.6, 2.1, "+", 0.55, RED, fontsize=18)
    arrow(ax, (7.38, 2.7), (8.35, 2.26), r"$\times\,w$", GREEN, above=0.26, fontsize=13)
    arrow(ax, (7.38, 1.5), (8.35, 1.94), r"$\times\,(1-w)$", BLUE, above=-0.34, fontsize=13)
    arrow(ax, (8.9, 2.1), (9.25, 2.1), colour=RED)
    words(ax, 9.4, 2.1, r"$\tilde x_0$", fontsize=16, color=RED)
    words(ax, 6.9, 0.6, "two passes through the network for each step", fontsize=12, color=RED)
    return figure


def grid(x: Tensor, titles: Sequence[str], rows: Sequence[str], side: float = 1.2) -> Figure:
    """Pictures with heads for rows and columns, close together.  x: (rows * columns, C, H, W)"""
    columns = len(x) // len(rows)
    figure = pictures(x, titles, columns, side, rows)
    figure.set_size_inches(columns * side + 0.11 * max(map(len, rows)), len(rows) * side + 0.35 * bool(titles))
    return figure


def square(ax: Axes, limit: float) -> None:
    """A frame without ticks around the origin."""
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), xticks=[], yticks=[], aspect="equal")


def slopes(
    moments: Sequence[int],
    schedule: Schedule,
    points: Callable[[torch.Generator, int], tuple[Tensor, Any]],
    which: Callable[[Any], Tensor],
    log_p: dict[str, Callable[[Tensor, int], Tensor]],
) -> Figure:
    """A classifier's opinion of class 0 in the plane, with its slope as arrows: a row for each, a column a moment.

    points: (rng, N) -> points (N, 2) and their conditions;  which: conditions -> 1 for class 0, 2 for class 1;
    log_p: name -> a function of (points, t), the logarithm of the probability of class 0.
    Each panel says how often the classifier is right, and how probable it holds its answers on average.
    """

    def cloud(t: int, n: int) -> tuple[Tensor, Tensor]:
        x0, cond = points(torch.Generator().manual_seed(7), n)
        eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(8))
        return noisy(schedule, x0, t, eps), which(cond) - 1

    figure, axes = panels(len(log_p), len(moments), 3.1, 3.1)
    line, few = torch.linspace(-2.6, 2.6, 80), torch.linspace(-2.1, 2.1, 7)
    for ax_row, (name, f) in zip(axes, log_p.items()):
        for ax, t in zip(ax_row, moments):
            with torch.no_grad():
                p = f(torch.cartesian_prod(line, line), t).exp().clamp(0, 0.999).view(80, 80).T
            shade = ax.contourf(line, line, p, levels=torch.linspace(0, 1, 11), cmap="Blues", alpha=0.55)
            x, y = cloud(t, 150)
            for k, colour in ((0, BLUE), (1, ORANGE)):
                ax.scatter(*x[y == k].T, s=5, color=colour, linewidths=0)
            at = torch.cartesian_prod(few, few).requires_grad_()
            (g,) = torch.autograd.grad(f(at, t).sum(), at)
            length = g.norm(dim=1, keepdim=True).clamp(min=1e-6)
            g = g / length * length.clamp(max=3) / 3  # longer ones are drawn as 3
            ax.quiver(*at.detach().T, *g.T, color=INK, scale=11, width=0.006, headwidth=4)
            square(ax, 2.6)
            many, truth = cloud(t, 2000)
            with torch.no_grad():
                p = f(many, t).exp()
            right, sure = ((p < 0.5) == truth).float().mean(), torch.maximum(p, 1 - p).mean()
            said = f"{100 * right:.0f} % right, {100 * sure:.0f} % sure"
            ax.set_title(f"$t={t}$: {said}", fontsize=12)
        ax_row[0].set_ylabel(name)
    figure.colorbar(shade, ax=axes, shrink=0.6, label=r"$p(c=0\mid x_t)$")
    return figure


def clouds(
    rows: Sequence[Sequence[Tensor]], titles: Sequence[str], names: Sequence[str], means: Tensor, side: float = 2.1
) -> Figure:
    """Rows of scatter plots over rings that show where the clouds lie; a panel's axes grow with its points.

    means: (6, 2), the three of class 0 above (solid rings, blue points) and the three of class 1 below.
    """
    figure, axes = panels(len(rows), len(titles), side, side)
    for row, ax_row, name in zip(rows, axes, names):
        for x, ax in zip(row, ax_row):
            limit = max(2.1, 1.05 * float(x.abs().max(1).values.quantile(0.98)))
            for part, colour in ((x[x[:, 1] > 0], BLUE), (x[x[:, 1] <= 0], ORANGE)):
                ax.scatter(*part.T, s=3, color=colour, alpha=0.6, linewidths=0)
            for k, (at, kind) in enumerate(zip(means.tolist(), 3 * ["-"] + 3 * [":"])):
                ax.add_patch(Circle(at, 0.4, fill=False, edgecolor=INK, linestyle=kind, lw=1.6 if k < 3 else 1.1))
            square(ax, limit)
            if limit > 2.2:
                words(ax, -0.95 * limit, -0.9 * limit, rf"axes to $\pm{limit:.1f}$", fontsize=12, color=RED, ha="left")
        ax_row[0].set_ylabel(name)
    for ax, title in zip(axes[0], titles):
        ax.set_title(title)
    return figure


def paths(
    ways: dict[float | str, Tensor],
    means: Tensor,
    log_p: Callable[[Any, Tensor], Tensor],
    side: float = 3.4,
    titles: Sequence[str] = (),
    border: bool = False,
) -> Figure:
    """The ways of points from noise to data, in the colour of the cloud where each ends, over contours of a density.

    ways: w, or a title -> (steps, N, 2), a panel for each;  means: (6, 2), of the clouds of class 0, then of class 1;
    log_p: (w or title, points (M, 2)) -> (M,);  titles: of the panels, if not the keys of ways;
    border: draw the line between the classes
    """
    figure, axes = panels(1, len(ways), side, side + 0.3)
    colours = (SKY, BLUE, "#003a66", RED, ORANGE, "#8a5f00")  # blues for class 0 and oranges for class 1
    line, heads = torch.linspace(-2.5, 2.5, 97), titles or [w if isinstance(w, str) else f"$w={w:g}$" for w in ways]
    for ax, head, (w, way) in zip(axes[0], heads, ways.items()):
        p = log_p(w, torch.cartesian_prod(line, line)).view(97, 97).T  # rows are heights
        ax.contour(line, line, (p - p.max()).exp(), levels=(0.02, 0.2, 0.7), colors="0.45", linewidths=1)
        nearest = torch.cdist(way[-1], means).argmin(1)
        for k, x in zip(nearest.tolist(), way.transpose(0, 1)):
            ax.plot(*x.T, color=colours[k], lw=0.8, alpha=0.55)
            ax.plot(*x[-1], "o", color=colours[k], markersize=2.6, markeredgewidth=0)
        square(ax, 2.5)
        ax.set_title(head)
        if border:
            ax.axhline(0, color=INK, lw=1.2, ls="--", zorder=0)
            words(ax, -1.85, -0.15, "border", fontsize=11)
    return figure


def price(rows: Sequence[dict[str, Any]], floor: dict[str, float], n: int) -> Figure:
    """What a larger scale brings (left), what it takes (middle) and both in one (right); dashed: photographs."""
    (figure, axes), at = panels(1, 3, 4, 3.6), range(len(rows))
    for ax, *lines in (
        (axes[0, 0], ("agreement", "kind asked for", GREEN), ("precision", "precision", BLUE)),
        (axes[0, 1], ("recall", "recall, with its standard error", RED)),
    ):
        for key, name, colour in lines:
            y = [100 * r[key] for r in rows]
            error = [(v * (100 - v) / n) ** 0.5 for v in y]
            ax.errorbar(at, y, error, fmt="o-", color=colour, label=name, capsize=3, lw=2)
            ax.axhline(100 * floor[key], color=colour, ls="--", lw=1)
        if len(lines) > 1:
            ax.legend(fontsize=10, loc="lower right", frameon=False)
        ax.set(ylabel="%" if len(lines) > 1 else "recall, in %", ylim=(0, 104 if len(lines) > 1 else 80))
    for ax, key, above, colour in (
        (axes[0, 0], "agreement", True, GREEN),
        (axes[0, 0], "precision", False, BLUE),
        (axes[0, 1], "recall", False, RED),
    ):
        y, said = 100 * floor[key], f"photographs {100 * floor[key]:.0f} %"
        ax.text(-0.1, y + (0.5 if above else -1.5), said, fontsize=9, color=colour, va="bottom" if above else "top")
    axes[0, 1].text(0.6, 19, "samples, with the standard error", fontsize=10, color=RED)
    axes[0, 2].plot(at, [r["kernel"] for r in rows], "o-", color=PURPLE)
    axes[0, 2].axhline(floor["kernel"], color=PURPLE, ls="--", lw=1)
    best = min(at, key=lambda k: rows[k]["kernel"])
    lowest, arrowed = rows[best]["kernel"], dict(arrowstyle="-|>", color=INK)
    axes[0, 2].annotate("lowest", (best, lowest * 0.97), (best, lowest * 0.45), arrowprops=arrowed, ha="center")
    axes[0, 2].set(ylabel="kernel distance", ylim=(-0.005, None))
    for ax in axes.flat:
        ax.set(xlabel="scale $w$", xticks=list(at), xticklabels=[f"{r['scale']:g}" for r in rows])
    return figure
