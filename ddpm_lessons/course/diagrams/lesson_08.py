"""The drawings of lesson 08: a step of DDIM, paths from noise to data, a guess that runs ahead, the shell of noise."""

import math
from collections.abc import Sequence

import torch
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Arc
from torch import Tensor

from ...schedules import Schedule
from ..plots import BLUE, GREEN, ORANGE, PURPLE, RED, panels, pictures
from .draw import INK, arrow, box, circle, sheet, words

GREY = "#8d9bb0"
PAPER = LinearSegmentedColormap.from_list("paper", ["#ffffff", "#d5dbe3", GREY])


def step() -> Figure:
    """One step of (8.6) from x_t to x_s, and its two noises as the legs of a right triangle."""
    figure, ax = sheet(10.5, 3.9)
    circle(ax, 0.7, 2.2, "$x_t$", 0.9)
    box(ax, 2.7, 3.15, "the network's\nguess $\\hat x_0$", 1.6, 0.85, GREEN)
    box(ax, 2.7, 1.25, "the noise that\nis left, $\\hat\\epsilon$", 1.6, 0.85, ORANGE)
    box(ax, 2.7, 0.3, "new noise $z$", 1.6, 0.5, PURPLE)
    circle(ax, 6.0, 2.2, "$x_s$", 0.9)
    arrow(ax, (1.12, 2.4), (1.88, 3.0))
    arrow(ax, (1.12, 2.0), (1.88, 1.4))
    arrow(ax, (2.7, 2.7), (2.7, 1.7))
    arrow(ax, (3.52, 3.1), (5.55, 2.4), colour=GREEN)
    arrow(ax, (3.52, 1.3), (5.53, 2.1), colour=ORANGE)
    arrow(ax, (3.52, 0.3), (5.68, 1.86), colour=PURPLE)
    words(ax, 4.55, 3.05, "$a_s$", color=GREEN)
    words(ax, 4.0, 1.88, r"$\sqrt{b_s^2-\sigma^2}$", color=ORANGE)
    words(ax, 4.75, 0.85, r"$\sigma$", color=PURPLE)
    x, y, kept, new = 7.2, 0.75, 2.5, 1.9
    arrow(ax, (x, y), (x + kept, y), colour=ORANGE)
    arrow(ax, (x + kept, y), (x + kept, y + new), colour=PURPLE)
    arrow(ax, (x, y), (x + kept, y + new))
    words(ax, x + kept / 2, y - 0.3, r"kept: $\sqrt{b_s^2-\sigma^2}$", color=ORANGE)
    words(ax, x + kept + 0.13, y + new / 2, r"new: $\sigma$", color=PURPLE, ha="left", rotation=90)
    words(ax, x + kept / 2 - 0.3, y + new / 2 + 0.25, r"in all: $b_s$", rotation=math.degrees(math.atan2(new, kept)))
    words(ax, x + kept / 2, 3.45, "whatever the share of new noise,\nthe noise in $x_s$ has the size $b_s$")
    return figure


def density(schedule: Schedule, ts: Sequence[int], means: Tensor, shares: Tensor, std: float) -> tuple[Tensor, Tensor]:
    """The density of x_t for a mixture of Gaussians on a line -> x (M,), density (M, n + 1).  (3.11)"""
    x = torch.linspace(-2.6, 2.6, 400)
    signal, noise = (v.T for v in schedule.scales(torch.tensor(ts), torch.zeros(len(ts), 1)))
    wide = (signal**2 * std**2 + noise**2).sqrt()
    each = [(-(((x[:, None] - signal * m) / wide) ** 2) / 2).exp() / wide for m in means[:, 0]]
    return x, sum(share * p for share, p in zip(shares, each))


def paths(ts: Sequence[int], runs: dict[str, Tensor], x: Tensor, density: Tensor, bold: int) -> Figure:
    """Paths in one dimension, a panel a sampler, over the density of x_t.

    ts: (n + 1,) from T down to 0;  runs: title -> (n + 1, B), the same starts in each;  x: (M,);  density: (M, n + 1);
    bold: the path to draw thick.
    """
    widths = [1] * len(runs) + [0.15]
    figure, axes = panels(1, len(widths), 3.6, 4.1, sharey=True, gridspec_kw={"width_ratios": widths})
    shade = (density / density.amax(0)).sqrt()
    for ax, (title, run) in zip(axes[0], runs.items()):
        ax.contourf(ts, x, shade, levels=14, cmap=PAPER)
        for k in range(run.shape[1]):
            colour, thick = (BLUE if run[-1, k] < 0 else RED), k == bold
            ax.plot(ts, run[:, k], color=colour, linewidth=2.6 if thick else 0.9, zorder=3 if thick else 2)
            ax.plot(ts[:1], run[:1, k], "o", color=colour, markersize=9 if thick else 4, clip_on=False, zorder=4)
        ax.set(xlim=(ts[0], ts[-1]), ylim=(x[0], x[-1]), title=title, xlabel="$t$, from noise to data")
        ax.set_xticks([1000, 750, 500, 250, 0])
    axes[0, 0].set_ylabel("$x_t$")
    figure.get_layout_engine().set(wspace=0.05)
    side = axes[0, -1]
    side.fill_betweenx(x, 0 * x, density[:, -1], color=GREY, linewidth=0)
    side.set(xticks=[], title="data")
    side.spines[["bottom", "left"]].set_visible(False)
    side.tick_params(left=False)
    return figure


def running_ahead(lam: tuple[float, float, float] = (-1.5, -0.4, 0.9)) -> Figure:
    """The guess along the exact path (8.15) of data N(0, 1/4), and what DDIM and 2M put in its place in a step."""
    figure, ((ax,),) = panels(1, 1, 8.5, 4.3)

    def guess(u):
        a2 = torch.sigmoid(2 * torch.as_tensor(u))
        return (a2.sqrt() / 4 / (a2 / 4 + 1 - a2).sqrt()).double()

    u, (before, now, after) = torch.linspace(lam[0] - 0.25, lam[2] + 0.3, 200), lam
    old, new = guess(before).item(), guess(now).item()
    slope = (new - old) / (now - before)
    half = new + slope * (after - now) / 2
    ax.plot(u, guess(u), color=INK, label=r"the true guess $\hat x_0(\lambda)$ along the path")
    ax.plot([now, after], [new, new], color=ORANGE, linewidth=4, label="DDIM holds the last guess still")
    ax.plot(
        [before, after],
        [old, new + slope * (after - now)],
        "--",
        color=GREEN,
        linewidth=1.5,
        label="a line through the last two guesses",
    )
    ax.plot([now, after], [half, half], color=GREEN, linewidth=4, label="2M holds $D$ still, the line's value half-way")
    ax.plot([before, now], [old, new], "o", color=INK, markersize=8)
    ax.plot([(now + after) / 2], [half], "o", color=GREEN, markersize=8)
    for v in lam:
        ax.axvline(v, color="0.8", linewidth=1, zorder=0)
    low = old - 0.1
    for x0, x1, name in ((before, now, "$h^-$"), (now, after, "$h$")):
        ax.annotate("", (x0, low), (x1, low), arrowprops={"arrowstyle": "<->", "color": INK})
        ax.text((x0 + x1) / 2, low + 0.01, name, ha="center", va="bottom")
    ax.text(before - 0.04, old + 0.02, r"$\hat x_0^-$", ha="right", fontsize=14)
    ax.text(now - 0.04, new + 0.02, r"$\hat x_0$", ha="right", fontsize=14)
    ax.set(xlabel=r"$\lambda$", ylabel="guess", ylim=(low - 0.03, None))
    ax.set_xticks(lam, ["one step ago", r"now, $\lambda_t$", r"next, $\lambda_s$"])
    ax.legend(frameon=False, loc="upper left")
    return figure


def shell(lengths: Tensor, on_arc: float, on_line: float) -> Figure:
    """The arc and the straight line between two noises, and the lengths of many noises with both half-way points."""
    figure, axes = panels(1, 2, 4.7, 3.9, gridspec_kw={"width_ratios": [1, 1.15]})
    ax, right = axes[0]
    ax.add_patch(Arc((0, 0), 2, 2, theta1=-12, theta2=102, color="0.85", linewidth=12))
    ax.add_patch(Arc((0, 0), 2, 2, theta1=0, theta2=90, color=GREEN, linewidth=4))
    ax.plot([1, 0], [0, 1], color=RED, linewidth=3)
    for x, y in ((1, 0), (0, 1)):
        ax.annotate("", (x, y), (0, 0), arrowprops={"arrowstyle": "-|>", "color": "0.5", "shrinkB": 4})
        ax.plot(x, y, "o", color=INK, markersize=9)
    ax.plot([0, 0.5], [0, 0.5], ":", color=INK, linewidth=1.5)
    ax.plot(0.5, 0.5, "o", color=RED, markersize=9)
    ax.plot(0.5**0.5, 0.5**0.5, "o", color=GREEN, markersize=9)
    ax.text(1.12, 0, "$x$", ha="center", va="center", fontsize=15)
    ax.text(0, 1.12, "$y$", ha="center", va="center", fontsize=15)
    ax.text(0.78, 0.74, "arc", color=GREEN, ha="left", fontsize=14)
    ax.text(0.3, 0.36, r"$\sqrt{N/2}$", ha="right", fontsize=13)
    ax.text(0.5, -0.13, r"$\sqrt{N}$", ha="center", fontsize=13)
    ax.text(0.66, 0.22, "line", color=RED, ha="right", va="top", fontsize=14)
    ax.set(xlim=(-0.25, 1.3), ylim=(-0.25, 1.25), aspect="equal")
    ax.axis("off")
    right.hist(lengths, bins=24, color=GREY)
    top = right.get_ylim()[1]
    for length, name, colour in ((on_line, "half-way on\nthe line", RED), (on_arc, "half-way on\nthe arc", GREEN)):
        right.plot([length, length], [0, top], color=colour)
        right.text(length + 0.5 if length < 50 else length - 0.6, 0.97 * top, name, color=colour, va="top",
                   ha="left" if length < 50 else "right")  # fmt: skip
    right.text(lengths.mean() - 1.9, 0.35 * top, f"{len(lengths)} noises", ha="right", color="#5d6b80")
    right.set(xlim=(37, 60), ylim=(0, 1.05 * top), yticks=[], xlabel="length", title="Where are the noises?")
    right.spines["left"].set_visible(False)
    return figure


def orders(ns: Sequence[int], errors: dict[str, Sequence[float]]) -> Figure:
    """The errors of DDIM and of 2M against the number of steps, with what their slopes mean."""
    figure, ((ax,),) = panels(1, 1, 8, 4)
    what = "twice the steps,\nhalf the error", "twice the steps,\na quarter of the error"
    for (name, e), colour, mark, slope in zip(errors.items(), (ORANGE, GREEN), "o^", what):
        ax.plot(ns, e, f"{mark}-", color=colour, label=name)
        ax.text(ns[-1] * 1.12, e[-1], f"{name}: {slope}", color=colour, va="bottom")
    ax.set(
        xlabel="steps", ylabel="error", xscale="log", yscale="log", title="Distance from the exact path, Gaussian data"
    )
    ax.set_xticks(ns, [str(n) for n in ns])
    ax.minorticks_off()
    return figure


def distances(table: dict[tuple[str, int], dict], names: dict[str, str], floor: float) -> Figure:
    """Fréchet distance and variety against steps.  table: (sampler, steps) -> record;  names: sampler -> legend"""
    figure, ((left, right),) = panels(1, 2, 5.2, 4.4)
    ns, whole = (5, 10, 20, 50), table["ddpm", 1000]
    for ax, key, best, words_of_best in (
        (left, "frechet", floor, "photographs (floor)"),
        (right, "diversity", 1.0, "photographs"),
    ):
        for (name, label), mark in zip(names.items(), ("s--", "o-", "^-.")):
            ax.plot(ns, [table[name, n][key] for n in ns], mark, label=label)
        ax.axhline(whole[key], color="0.4", linestyle=":", label="DDPM, 1000 steps")
        ax.axhline(best, color="0.75")
        ax.text(5, best, words_of_best, color="0.45", va="bottom" if key == "frechet" else "top")
        ax.set(xlabel="steps", xscale="log", xticks=ns, xticklabels=ns)
        ax.minorticks_off()
    left.set(ylabel="Fréchet distance", title="How far from photographs?")
    right.set(ylabel="variety", title="How different from each other?")
    told = "10 calls of 2M reach\nDDPM's 1000"
    left.annotate(told, (10, table["dpmpp_2m", 10]["frechet"]), (12, 280), arrowprops={"arrowstyle": "->"})
    right.legend(frameon=False, loc="lower right", fontsize=11)
    return figure


def grid(x: Tensor, titles: Sequence[str], rows: Sequence[str], side: float = 1.2, margin: float = 1.0) -> Figure:
    """Pictures close together, in named rows.  x: (N, 3, H, W);  margin: inches for the names"""
    columns = len(x) // len(rows)
    figure = pictures(x, titles, columns, side, rows)
    figure.set_size_inches(columns * side + margin, len(rows) * side + 0.3 * -(-len(titles) // columns))
    return figure
