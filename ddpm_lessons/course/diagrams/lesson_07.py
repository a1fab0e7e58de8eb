"""The drawings of lesson 07: a ruler of bits, an even angle a step, the velocity, a density over log SNR."""

import math
from collections.abc import Callable, Sequence

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Arc
from torch import Tensor

from ...schedules import Schedule
from ..plots import BLUE, GREEN, ORANGE, PURPLE, RED, panels, picture, pictures
from .draw import INK, arrow, sheet, words

COLOUR = {"linear": ORANGE, "cosine": BLUE}
GREY = "#8d9bb0"
LOG_SNR = r"$\log\,\mathrm{SNR}$"


def grid(
    x: Tensor, titles: Sequence[str], rows: Sequence[str], side: float, margin: float, pixels: bool = False
) -> Figure:
    """Pictures close together, in named rows.  x: (N, 3, H, W);  margin: inches for the names;  pixels: as squares"""
    columns = len(x) // len(rows)
    figure = pictures(x, titles, columns, side, rows, pixels)
    figure.set_size_inches(columns * side + margin, len(rows) * side + 0.3)
    return figure


def ruler(x: dict[str, Tensor], ts: Sequence[int], bits: dict[str, Tensor]) -> Figure:
    """A picture in noise over the bits that it still shows.  x: schedule -> (len(ts), 3, H, W);  bits: (1000,)"""
    side, gap, left = 1.12, 1.18, 1.45
    width, height = left + gap * (len(ts) - 1) + 0.85, 2 * gap + 3.5
    figure, ax = sheet(width, height)
    for row, (name, pics) in enumerate(x.items()):
        bottom = height - gap * (row + 1)
        words(ax, 0.45, bottom + side / 2, name, color=COLOUR[name], fontsize=14)
        for k, pic in enumerate(pics):
            box = ((left + gap * k - side / 2) / width, bottom / height, side / width, side / height)
            picture(figure.add_axes(box), pic, pixels=True)
    plot = figure.add_axes((left / width, 0.62 / height, gap * (len(ts) - 1) / width, 2.6 / height))
    for name, b in bits.items():
        plot.plot(range(1, len(b) + 1), b, color=COLOUR[name], label=name)
    first = int((bits["linear"] < 1).nonzero()[0]) + 1
    plot.axvspan(first, 1000, color=ORANGE, alpha=0.18, linewidth=0)
    plot.axhline(1, color=INK, linewidth=1)
    plot.text(20, 1.25, "one bit: odds of two to one", fontsize=11)
    plot.text(
        (first + 1000) / 2, 3e3, f"less than one bit\nfrom $t={first}$ on", ha="center", fontsize=11, color="#8a5f00"
    )
    plot.set(xlim=(0, 1000), ylim=(0.03, 3e4), yscale="log", xlabel="$t$", xticks=ts)
    plot.set_ylabel("bits in the picture", fontsize=12)
    plot.spines[["top", "right"]].set_visible(False)
    plot.legend(loc="lower left", frameon=False)
    return figure


def quarter(schedules: dict[str, Schedule], every: int = 50) -> Figure:
    """Each schedule's (signal, noise) every so many steps, on quarter circles of two sizes."""
    figure, ax = sheet(6.4, 4.9)
    for (name, schedule), r in zip(schedules.items(), (2.9, 3.9)):
        ax.add_patch(Arc((0.9, 0.55), 2 * r, 2 * r, theta1=0, theta2=90, color="0.85", linewidth=8))
        a = schedule.alpha_bar[::every]
        ax.plot(0.9 + r * a.sqrt(), 0.55 + r * (1 - a).sqrt(), "o", color=COLOUR[name], markersize=7)
        angle = math.radians(38)
        words(ax, 0.9 + (r - 0.4) * math.cos(angle), 0.55 + (r - 0.4) * math.sin(angle), name, color=COLOUR[name])
    arrow(ax, (0.9, 0.55), (5.3, 0.55))
    arrow(ax, (0.9, 0.55), (0.9, 4.75))
    words(ax, 5.8, 0.55, r"signal")
    words(ax, 0.45, 4.6, r"noise")
    words(ax, 4.85, 0.25, "$t=0$", fontsize=12)
    words(ax, 2.3, 1.6, "the wasted fifth of\nlinear's steps is here", fontsize=11)
    arrow(ax, (2.0, 2.0), (1.03, 3.3), colour=ORANGE)
    return figure


def velocity(angles: Sequence[float] = (15, 45, 75)) -> Figure:
    """x_phi and its velocity v at three angles of the arc from x_0 to eps."""
    figure, ax = sheet(11.2, 3.55)
    r = 2.2
    for k, degrees in enumerate(angles):
        x, y, phi = 0.65 + 3.75 * k, 0.5, math.radians(degrees)
        c, s = math.cos(phi), math.sin(phi)
        ax.add_patch(Arc((x, y), 2 * r, 2 * r, theta1=0, theta2=90, color="0.8", linewidth=2))
        ax.add_patch(Arc((x, y), 1.2, 1.2, theta1=0, theta2=degrees, color=INK, linewidth=1.2))
        words(ax, x + 0.8 * math.cos(phi / 2), y + 0.8 * math.sin(phi / 2), r"$\varphi$")
        arrow(ax, (x, y), (x + r, y), colour=GREY)
        arrow(ax, (x, y), (x, y + r), colour=GREY)
        tip = (x + r * c, y + r * s)
        arrow(ax, (x, y), tip, colour=BLUE)
        arrow(ax, tip, (tip[0] - 1.25 * s, tip[1] + 1.25 * c), colour=RED)
        words(ax, x + r + 0.25, y - 0.1, "$x_0$")
        words(ax, x - 0.25, y + r, r"$\epsilon$")
        words(ax, tip[0] + 0.3 * c + 0.06, tip[1] + 0.24 * s - 0.02, r"$x_\varphi$", color=BLUE)
        words(ax, tip[0] - 1.25 * s - 0.15 * s, tip[1] + 1.25 * c + 0.22, "$v$", color=RED, fontsize=15)
    for k, text in enumerate(
        ("little noise: $v$ is almost $\\epsilon$", "half-way", "little picture: $v$ is almost $-x_0$")
    ):
        words(ax, 1.75 + 3.75 * k, 0.15, text, fontsize=11.5)
    return figure


def chord(tau: float = 0.4) -> Figure:
    """Diffusion's arc and flow matching's straight line between the same x_0 and eps, with both velocities."""
    figure, ax = sheet(6.2, 4.3)
    x, y, r = 0.8, 0.6, 3.0
    size = math.hypot(1 - tau, tau)
    c, s = (1 - tau) / size, tau / size
    ax.add_patch(Arc((x, y), 2 * r, 2 * r, theta1=0, theta2=90, color=BLUE, linewidth=2))
    ax.plot([x + r, x], [y, y + r], color=GREEN, linewidth=2)
    ax.plot([x + 0.35 * r * c, x + r * c], [y + 0.35 * r * s, y + r * s], ":", color=INK, linewidth=1.2)
    on_line, on_arc = (x + r * (1 - tau), y + r * tau), (x + r * c, y + r * s)
    arrow(ax, on_line, (on_line[0] - 1.1, on_line[1] + 1.1), colour=GREEN)
    arrow(ax, on_arc, (on_arc[0] - 1.5 * s, on_arc[1] + 1.5 * c), colour=BLUE)
    moved = (on_arc[0] - 1.1, on_arc[1] + 1.1)  # u once more, from the point on the arc, beside v
    ax.annotate(
        "", moved, on_arc, arrowprops={"arrowstyle": "-|>", "color": GREEN, "ls": "--", "lw": 1.7, "alpha": 0.8}
    )
    words(ax, moved[0] - 0.02, moved[1] + 0.2, "$u$", color=GREEN, fontsize=13)
    for (px, py), colour in ((on_line, GREEN), (on_arc, BLUE)):
        ax.plot(px, py, "o", color=colour, markersize=8)
    words(ax, on_line[0] - 0.32, on_line[1] - 0.05, r"$x_\tau$", color=GREEN)
    words(ax, on_arc[0] + 0.3, on_arc[1] + 0.1, r"$x_t$", color=BLUE)
    words(ax, on_line[0] - 1.42, on_line[1] + 0.92, r"$u=\epsilon-x_0$", color=GREEN, ha="right")
    words(ax, on_arc[0] - 1.5 * s + 0.05, on_arc[1] + 1.5 * c + 0.2, "$v$", color=BLUE, fontsize=15)
    for px, py, dx, dy, text in ((x + r, y, 0.25, -0.2, "$x_0$"), (x, y + r, -0.3, 0, r"$\epsilon$")):
        ax.plot(px, py, "o", color=PURPLE, markersize=11)
        words(ax, px + dx, py + dy, text, fontsize=15)
    words(ax, 4.75, 3.0, "diffusion walks\non the arc", color=BLUE, fontsize=12)
    words(ax, 1.85, 0.4, "flow matching walks\non the straight line", color=GREEN, fontsize=12)
    return figure


def terminal(signals: dict[str, Tensor], brightness: dict[str, Tensor]) -> Figure:
    """The end of two schedules, and the mean brightness of what they draw.  signals: (1001,), brightness: (n,)"""
    figure, ((left, right),) = panels(1, 2, 5.4, 3.6)
    for (name, y), colour in zip(signals.items(), (ORANGE, GREEN)):
        left.plot(range(700, 1001), y[700:], color=colour, label=name)
    end = next(iter(signals.values()))[-1].item()
    left.annotate(f"{end:.3f}: the network\nstill sees a little", (1000, end), (875, 0.175), fontsize=11,
                  arrowprops={"arrowstyle": "->", "color": INK})  # fmt: skip
    left.set(xlabel="$t$", ylabel=r"signal $\sqrt{\bar\alpha_t}$", ylim=(0, None), title="The last 300 steps")
    left.legend(frameon=False)
    for (name, b), colour, style in zip(brightness.items(), (GREY, ORANGE, GREEN), ("stepfilled", "step", "step")):
        right.hist(b, 40, (-1.5, 1.5), density=True, color=colour, histtype=style, alpha=0.6 if colour == GREY else 1,
                   linewidth=2.5, label=name)  # fmt: skip
    right.set(xlabel="mean brightness of a picture", ylabel="density", ylim=(0, 3), title="What is drawn")
    right.legend(frameon=False, loc="upper left", fontsize=11)
    return figure


def weights(lines: dict[str, Callable[[Tensor], Tensor]]) -> Figure:
    """The weight of the picture's squared error against log SNR, a line a loss, named at its end."""
    figure, ((ax,),) = panels(1, 1, 8.6, 4.2)
    x = torch.linspace(-8, 8, 200)
    styles = zip((GREEN, ORANGE, BLUE, PURPLE), ("-", "-", "-", "--"), (2.5, 8, 2.5, 2.5))  # others lie on the wide one
    for (name, f), (colour, dash, wide) in zip(lines.items(), styles):
        y = f(x.exp())
        ax.plot(x, y, dash, color=colour, linewidth=wide, alpha=0.5 if wide > 3 else 1, solid_capstyle="butt")
        if "epsilon" not in name:
            ax.text(8.15, y[-1], name, color=colour, va="center")
    text = r"$\epsilon$:  SNR (the wide line), almost" + "\nnothing at the noisy end"
    ax.annotate(text, (-4.6, math.exp(-4.75)), (-2.6, 1.2e-3), color="#8a5f00",
                arrowprops={"arrowstyle": "->", "color": "#8a5f00"})  # fmt: skip
    ax.set(xlabel=LOG_SNR + "  (noise to the left, picture to the right)", ylabel="weight", yscale="log", xlim=(-8, 8))
    return figure


def densities(samples: dict[str, Tensor], exact: dict[str, Tensor], x: Tensor) -> Figure:
    """Where schedules train: outlines of log SNR over all steps, and exact densities.  exact: (len(x),) each"""
    figure, ((ax,),) = panels(1, 1, 9.6, 4.4)
    for (name, values), colour in zip(samples.items(), (ORANGE, BLUE, PURPLE)):
        ax.hist(values, 60, (-15, 15), density=True, color=colour, histtype="step", linewidth=2.5, label=name)
    for (name, y), colour, dash in zip(exact.items(), (INK, GREEN), ("--", "-")):
        ax.plot(x, y, dash, color=colour, linewidth=1.8, label=name)
    ax.set(xlabel=LOG_SNR + "  (noise to the left, picture to the right)", xlim=(-15, 15))
    ax.set_ylabel("share of the steps\nper unit of " + LOG_SNR)
    ax.legend(frameon=False, fontsize=11, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))  # clear of the curves
    return figure
