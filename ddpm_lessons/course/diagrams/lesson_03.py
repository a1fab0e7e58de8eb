"""The pictures of lesson 03: the chain with both directions, one step back, and what the reverse process does."""

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle
from torch import Tensor

from ...forward import posterior
from ...predict import Denoise
from ...schedules import Schedule
from ..plots import BLUE, GREEN, ORANGE, PURPLE, RED, SKY, panels
from . import draw

GREY = "#BBBBBB"
LEADER = {"arrowstyle": "-|>", "color": draw.INK, "lw": 1.2}  # of a note that points at something


def cloud(ax: Axes, x: Tensor, limit: float = 2.3, size: float = 3, colour=BLUE, **kw) -> None:
    """Points of the plane in a square without ticks.  x: (N, 2)"""
    ax.scatter(*x.T, s=size, c=colour, linewidths=0, **kw)
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(False)


def clouds(xs: Sequence[Tensor], titles: Sequence[str], colour=BLUE, notes: Sequence[str] = (), **kw) -> Figure:
    """A row of clouds.  xs: (N, 2) each, notes: under them; colour: one for all, or (N,) numbers"""
    width = 10 / len(xs)
    figure, (axes,) = panels(1, len(xs), width, width + 0.3 + 0.35 * bool(notes))
    for ax, x, title, note in zip(axes, xs, titles, notes or [""] * len(xs)):
        cloud(ax, x, colour=colour, **kw)
        ax.set(title=title, xlabel=note)
    return figure


def chain(xs: Sequence[Tensor]) -> Figure:
    """x_0 ... x_{t-1}, x_t ... x_T: the known way, the wanted way, and what knowing x_0 changes.  xs: (N, 2), four"""
    figure, ax = draw.sheet(10, 4.3)
    y, circles = 1.75, ((0.9, "$x_0$", GREEN), (4.1, "$x_{t-1}$", BLUE), (6.5, "$x_t$", BLUE), (9.1, "$x_T$", BLUE))
    for points, (x, name, colour) in zip(xs, circles):
        draw.circle(ax, x, y, name, 0.85, colour, fontsize=16)
        inset = figure.add_axes(((x - 0.8) / 10, 2.65 / 4.3, 0.16, 1.6 / 4.3), facecolor="none")
        cloud(inset, points, 2.6, 1.5, colour)
    for x in (2.5, 7.85):
        draw.words(ax, x, y, "...", fontsize=20)
    for a, b in ((1.45, 2.15), (2.85, 3.55), (7.05, 7.55), (8.2, 8.6)):
        draw.arrow(ax, (a, y), (b, y), colour=BLUE)
    draw.arrow(ax, (4.5, 1.5), (6.1, 1.5), colour=BLUE, bend=-0.25)
    draw.words(ax, 5.3, 1.0, "known: $q(x_t\\mid x_{t-1})$", color=BLUE)
    draw.arrow(ax, (6.1, 2.0), (4.5, 2.0), colour=RED, bend=-0.25, dashed=True)
    draw.words(ax, 5.3, 2.45, "wanted: $q(x_{t-1}\\mid x_t)$", color=RED)
    draw.arrow(ax, (1.15, 1.3), (3.85, 1.3), colour=GREEN, bend=-0.3)
    draw.words(
        ax, 2.3, 0.45, "if someone tells us $x_0$ as well,\n$q(x_{t-1}\\mid x_t, x_0)$ is a Gaussian", color=GREEN
    )
    draw.words(ax, 7.9, 0.45, "forward: data become noise $\\rightarrow$\n$\\leftarrow$ reverse: noise becomes data")
    return figure


def one_step(schedule: Schedule, denoise: Denoise, roll: Tensor, steps: Sequence[tuple], rng=None) -> Figure:
    """The anatomy of a step back, a panel for each of steps: t, s, the point, the corner and side of the view."""
    figure, (axes,) = panels(1, len(steps), 10 / len(steps), 10 / len(steps) + 0.7)
    for ax, (t, s, point, (left, low), side) in zip(axes, steps):
        x_t = torch.tensor([point])
        x0 = denoise(x_t, torch.tensor([t]))
        mean, var = posterior(schedule, x0, x_t, t, s)
        signal, noise = schedule.scales(t, like=x_t)
        likely = (-(x_t - signal * roll).square().sum(1) / (2 * noise[0] ** 2)).softmax(0)
        ax.scatter(*roll.T, s=6, color="0.85", linewidths=0)
        ax.scatter(*roll.T, s=45, color=GREEN, alpha=likely / likely.max(), linewidths=0)
        ax.scatter(*(mean + var.sqrt() * torch.randn(80, 2, generator=rng)).T, s=9, color=PURPLE, alpha=0.8)
        ax.plot(*torch.cat([x_t, mean, x0]).T, "--", color=draw.INK, lw=1.2)
        spots = (
            (x_t, BLUE, "$x_t$, the point", 25, 80),
            (mean, RED, "$\\tilde\\mu$, the mean", -110, 42),
            (x0, GREEN, "$\\hat x_0$, the guess", -95, -85),
        )
        for (spot,), colour, name, *place in spots:
            ax.scatter(*spot, s=110, color=colour, edgecolor="white", zorder=3)
            how = {"textcoords": "offset points", "fontsize": 16, "color": colour, "ha": "center", "zorder": 4}
            note = ax.annotate(name, spot, place, arrowprops=LEADER | {"color": colour, "shrinkB": 5}, **how)
            note.set_bbox({"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 0.5})
        ax.set(xlim=(left, left + side), ylim=(low, low + side), xticks=[], yticks=[], aspect="equal")
        ax.set_title(f"from $t = {t}$ to {s}")
        ax.spines[:].set_visible(False)
    return figure


def histograms(cases: Sequence[tuple]) -> Figure:
    """x_{t-1} of a chain that starts in one number.  cases: t, all x_{t-1}, those that led to x_t, mean, variance"""
    figure, (axes,) = panels(1, len(cases), 10 / len(cases), 3.4)
    x = torch.linspace(-2, 2.5, 200)
    for ax, (t, before, led, mean, var) in zip(axes, cases):
        curve = torch.exp(-((x - mean) ** 2) / (2 * var)) / (2 * torch.pi * var) ** 0.5
        ax.hist(before.numpy(), bins=90, range=(-2, 2.5), density=True, color="0.85", label="all $x_{t-1}$")
        ax.hist(led.numpy(), bins=40, density=True, color=SKY, alpha=0.7, label="those with $x_t$ near 0.3")
        ax.plot(x, curve, color=RED, label="(3.6) and (3.7), computed")
        ax.set(title=f"$t = {t}$", yticks=[], xlabel="$x_{t-1}$")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=11)
    return figure


def bells(x: Tensor, before: Tensor, cases: Sequence[tuple[str, Tensor, Tensor, float]], windows) -> Figure:
    """Above: q(x_{t-1}) in grey, q(x_{t-1} | x_t) in blue, its Gaussian dashed; below: the logarithms that make it.

    cases: title, exact, Gaussian, misfit;  windows: the middle and half the width of the lower panel of each
    """
    figure, axes = panels(2, len(cases), 10 / len(cases), 2.9)
    for top, low, (title, exact, gaussian, misfit), (middle, half) in zip(*axes, cases, windows):
        top.fill_between(x, before / before.max(), color="0.88", linewidth=0, label="$q(x_{t-1})$")
        top.fill_between(x, exact / exact.max(), color=SKY, alpha=0.6, linewidth=0, label="$q(x_{t-1} \\mid x_t)$")
        top.plot(x, gaussian / exact.max(), "--", color=RED, label="Gaussian of the same mean and variance")
        top.set(title=title, yticks=[], xlim=(-2.6, 2.6), ylim=(0, 1.25))
        top.text(0, 1.2, f"misfit {100 * misfit:.1f} %", ha="center", va="top")
        i = int((x - middle).abs().argmin())
        for y, style, colour, name in (
            (exact / before, ":", PURPLE, "a parabola"),
            (before, "--", "0.5", "$\\log\\,q(x_{t-1})$"),
            (exact, "-", BLUE, "their sum"),
        ):
            low.plot(x, y.log() - y[i].log(), style, color=colour, label=name)
        slope = (before[i + 1].log() - before[i - 1].log()) / (x[i + 1] - x[i - 1])
        low.plot(x, slope * (x - x[i]), color=GREEN, linewidth=1, label="a straight line")
        low.set(xlabel="$x_{t-1}$", xlim=(middle - half, middle + half), ylim=(-4, 4), yticks=[])
    axes[1, 0].set_ylabel("logarithms")
    for row, place in ((0, "outside upper center"), (1, "outside lower center")):
        figure.legend(*axes[row, 0].get_legend_handles_labels(), loc=place, ncols=4, fontsize=11)
    return figure


def regression(t: Sequence[int], lines: dict[str, Tensor], x_s: Tensor, x_t: Tensor, root: float) -> Figure:
    """Left: the weights of the posterior against t. Right: why the mean shrinks.  x_s, x_t: (N,), root: sqrt(alpha)"""
    figure, ((left, right),) = panels(1, 2, 5, 4)
    for (name, y), dash in zip(lines.items(), ("-", "-", "--")):
        left.plot(t, y, dash, label=name)
    left.legend(fontsize=11, loc=(0.52, 0.22))
    left.annotate(f"$\\sqrt{{\\alpha_T}} = {root:.2f}$, not 1", (60, root), (30, 0.68), arrowprops=LEADER, fontsize=11)
    left.set(xlabel="$t$", title="The posterior's weights, and its variance")
    right.scatter(x_t, x_s, s=3, color=GREY, linewidths=0)
    mean = x_s[column := (x_t - 1.5).abs() < 0.05].mean()
    right.scatter(x_t[column], x_s[column], s=5, color=SKY, linewidths=0)
    right.axline((0, 0), slope=1, linestyle=":", color=draw.INK, label="$x_{t-1} = x_t$")
    right.axline((0, 0), slope=root, color=RED, label="$\\sqrt{\\alpha_t}\\,x_t$")
    right.scatter(1.5, mean, s=80, color=RED, edgecolor="white", zorder=3)
    note = f"of those at 1.5 the\nmean was {mean:.2f}"
    right.annotate(note, (1.52, mean - 0.08), (0.6, -2.3), arrowprops=LEADER, fontsize=11)
    right.set(xlabel="$x_t$", ylabel="$x_{t-1}$", xlim=(-2.7, 2.7), ylim=(-2.7, 2.7), aspect="equal")
    right.set_title("Pairs of the chain at $t = 60$")
    right.legend(fontsize=11, loc="upper left")
    return figure


def floor(losses: Sequence[float], ideal: Tensor, network: Tensor) -> Figure:
    """Left: the loss while training, with the floor that nobody gets below. Right: both, (T,), step by step."""
    figure, ((left, right),) = panels(1, 2, 5, 3.6)
    loss, ts, level = torch.tensor(losses), range(1, len(ideal) + 1), ideal.mean()
    left.plot(range(0, len(loss), 4), loss[::4], color=SKY, linewidth=0.5)
    left.plot(range(199, len(loss)), loss.unfold(0, 200, 1).mean(1), color=BLUE, label="mean of 200")
    left.axhline(level, color=RED, linestyle="--", label=f"floor, {level:.3f}")
    left.set(xlabel="training step", ylabel="loss", ylim=(0.2, 0.8), title="The loss stops, but not at 0")
    left.set_xticks(range(0, 8001, 2000))
    right.fill_between(ts, ideal, color=RED, alpha=0.15, linewidth=0)
    right.plot(ts, ideal, "--", color=RED, label="ideal denoiser, (3.11)")
    right.plot(ts, network, "o", color=BLUE, markersize=4, label="network")
    right.text(18, 0.3, "no answer gets\ninto this area", ha="center", fontsize=11, color=RED)
    right.set(xlabel="$t$", ylabel="squared error of $\\hat\\epsilon$", ylim=(0, 1), title="The same, step by step")
    for ax in (left, right):
        ax.legend()
    return figure


def three_rows(ts: Sequence[int], forward, reverse, places, arrows, roll: Tensor) -> Figure:
    """Forward, reverse and drift, a column for each t; all (N, 2) but roll, which lies under the arrows."""
    figure, axes = panels(3, len(ts), 10.2 / len(ts), 10.2 / len(ts) + 0.15)
    for t, there, back, p, a, (top, middle, low) in zip(ts, forward, reverse, places, arrows, axes.T):
        cloud(top, there, 2.4)
        cloud(middle, back, 2.4, colour=ORANGE)
        cloud(low, roll, 2.4, 1.5, "0.35", zorder=3)
        low.quiver(*p.T, *a.T, angles="xy", width=0.009, headwidth=3.5, headlength=3.5, headaxislength=3, color=GREEN)
        top.set_title(f"$t = {t}$")
        length = a.norm(dim=1).mean()
        low.set_xlabel(f"from {max(t, 1)} to {max(t, 1) - 1}, length {length:.2f}", fontsize=11)
    for ax, name in zip(axes[:, 0], ("forward, $q$", "reverse, network", "drift")):
        ax.set_ylabel(name)
    return figure


def memory(train: Tensor, sets: dict[str, Tensor], centre: tuple[float, float], half: float) -> Figure:
    """Samples on a stretch of the roll, with the training points as rings of radius 0.02.  train and sets: (N, 2)"""
    figure, (axes,) = panels(1, len(sets), 10 / len(sets), 10 / len(sets) * 0.75 + 0.6)
    size = torch.tensor([half, 0.75 * half])
    inside = train[((train - torch.tensor(centre)).abs() < 0.8 * size).all(1)]
    alone = inside[torch.cdist(inside, train).kthvalue(2, dim=1).values.argmax()]  # far from its neighbours
    for ax, (name, x) in zip(axes, sets.items()):
        seen = train[((train - torch.tensor(centre)).abs() < size).all(1)]
        for point in seen.tolist():
            ax.add_patch(Circle(point, 0.02, fill=False, edgecolor=RED, lw=1.3, clip_on=False))
        ax.scatter(*x.T, s=14, color=BLUE, alpha=0.6, linewidths=0)
        n = int((torch.cdist(x, alone[None]) < 0.02).sum())
        share = (torch.cdist(x, train).min(1).values < 0.02).float().mean()
        note = alone - 0.45 * size * (alone - torch.tensor(centre)).sign()
        ax.annotate(
            f"{n} samples\nin this ring", alone, note, arrowprops=LEADER | {"shrinkB": 8}, ha="center", fontsize=12
        )
        ax.set(
            title=f"{name}:\n{100 * share:.0f} % of all its samples are in a ring", xticks=[], yticks=[], aspect="equal"
        )
        ax.set(xlim=(centre[0] - half, centre[0] + half), ylim=(centre[1] - 0.75 * half, centre[1] + 0.75 * half))
    whole = axes[-1].inset_axes((0.03, 0.6, 0.38, 0.38))
    cloud(whole, next(iter(sets.values())), 2.3, 2, GREY)
    whole.add_patch(Rectangle(torch.tensor(centre) - size, *(2 * size), fill=False, color=draw.INK, lw=1.5))
    return figure


def paths(schedule: Schedule, points: Tensor, w: Tensor, sets: dict[str, Tensor]) -> Figure:
    """Paths from t = T (left) to 0 over the density of x_t, for data that are K points.  sets: (T + 1, N), first T"""
    figure, (axes,) = panels(1, len(sets), 10 / len(sets), 4, sharey=True)
    x, a = torch.linspace(-2.6, 2.6, 300), schedule.alpha_bar.float()[:, None, None]
    var = (1 - a).clamp(min=0.001)  # at t = 0 the points would be infinitely high
    density = (w[:, None] * torch.exp(-((x - a.sqrt() * points) ** 2) / (2 * var)) / var.sqrt()).sum(1)  # (T + 1, X)
    shade = (density / density.max(1, keepdim=True).values).sqrt().flip(0).T
    for ax, (name, lines), colour in zip(axes, sets.items(), (RED, PURPLE)):
        ax.imshow(shade, cmap="Blues", vmax=1.3, extent=(schedule.T, 0, -2.6, 2.6), origin="lower", aspect="auto")
        ax.plot(range(schedule.T, -1, -1), lines, color=colour, lw=0.8)
        ax.set(title=name, xlabel="$t$ (time runs from left to right)", xlim=(schedule.T, 0), ylim=(-2.6, 2.6))
    axes[0].set_ylabel("$x_t$")
    return figure
