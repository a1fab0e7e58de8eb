"""The drawings of lesson 01: noise and Bayes on a photograph, the five facts, a joint density, shadows of a cloud."""

import math
from collections.abc import Sequence

import matplotlib
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import Tensor

from ..plots import BLUE, GREEN, ORANGE, PURPLE, RED, SKY, STYLE, panels, picture
from .draw import INK, arrow, box, sheet, words


def by_bayes(x: Tensor, var: float, size: int = 8) -> Tensor:
    """A photograph cleaned by (1.11) in each direction of its own patches.  x: (C, H, W), noisy, var: of its noise"""
    patches = F.unfold(x[None], size)[0].T  # (n, C * size * size)
    mean = patches.mean(0)
    seen, directions = torch.linalg.eigh(patches.T.cov())  # variances add: the patch's own plus the noise's
    keep = 1 - var / seen.clamp(min=var)
    guess = mean + (patches - mean) @ directions * keep @ directions.T
    total = F.fold(guess.T[None], x.shape[1:], size)[0]
    return total / F.fold(torch.ones_like(guess).T[None], x.shape[1:], size)[0]


def there_and_back(x0: Tensor, y: Tensor, guess: Tensor) -> Figure:
    """Three photographs (C, H, W) with two arrows: noise is added, and Bayes' rule takes most of it away."""
    figure, ax = sheet(10.2, 3.3)
    names = (r"a photograph $x$", r"seen: $y = x + 0.5\,\epsilon$", r"best guess of $x$, given $y$")
    for i, (x, name) in enumerate(zip((x0, y, guess), names)):
        inset = figure.add_axes((3.75 * i / 10.2, 0, 2.7 / 10.2, 2.7 / 3.3))
        picture(inset, x)
        words(ax, 3.75 * i + 1.35, 3.0, name)
    for x, colour, text, below in ((2.8, ORANGE, "add a\nGaussian", "(1.7)"), (6.55, GREEN, "Bayes'\nrule", "(1.11)")):
        arrow(ax, (x, 1.35), (x + 0.85, 1.35), colour=colour)
        words(ax, x + 0.42, 1.8, text, fontsize=12)
        words(ax, x + 0.42, 1.05, below, fontsize=11)
    return figure


def gaussian(x: Tensor, mean: float, var: float) -> Tensor:
    """The normal density (1.3)."""
    return (-((x - mean) ** 2) / (2 * var)).exp() / math.sqrt(2 * math.pi * var)


def five_facts() -> Figure:
    """A box for each of the lesson's facts, with a little picture of it, and where the course needs it."""
    figure, ax = sheet(10.2, 3.5)
    two, views, apart = [(-1.2, 0.7), (1.2, 0.35)], [(-0.8, 1.2), (1.2, 0.6)], [(-1.2, 0.7), (0.9, 0.7)]
    facts = (  # name, formula, colour, lesson, mean and variance of what goes in (dashed) and comes out (filled)
        ("draw", r"$x = m + \sqrt{v}\,\epsilon$", BLUE, "02:\nmake a noisy picture", [(0, 1)], (1, 0.6)),
        ("add", "variances add", ORANGE, "02:\n1000 steps in one", two, (0, 1.05)),
        ("multiply", "precisions add", PURPLE, "03, through\nBayes' rule", two, (0.4, 0.233)),
        ("Bayes' rule", r"prior $\times$ likelihood", GREEN, "03:\none step back", views, (0.533, 0.4)),
        ("compare: KL", "a squared error", RED, "04:\nthe loss", apart, None),
    )
    u = torch.linspace(-4, 4, 200)
    for i, (name, formula, colour, use, dashed, filled) in enumerate(facts):
        x = 1.1 + 2.0 * i
        box(ax, x, 2.2, "", 1.8, 2.4, colour)
        words(ax, x, 3.17, name, weight="bold")
        words(ax, x, 2.82, formula, fontsize=11.5)
        for mean, var in dashed:
            ax.plot(x + 0.21 * u, 1.2 + 1.7 * gaussian(u, mean, var), "--", color=INK, linewidth=1.1)
        if filled:
            ax.fill_between(x + 0.21 * u, 1.2, 1.2 + 1.7 * gaussian(u, *filled), color=colour, alpha=0.5, linewidth=0)
        else:
            arrow(ax, (x - 0.25, 2.28), (x + 0.19, 2.28), colour=colour)
        ax.plot([x - 0.84, x + 0.84], [1.2, 1.2], color=INK, linewidth=1)
        arrow(ax, (x, 0.98), (x, 0.66), colour=colour)
        words(ax, x, 0.34, f"lesson {use}", fontsize=11)
    return figure


def words_in_pictures(draws: Tensor, x: Tensor, q: Tensor) -> Figure:
    """Density, spread, expectation.  draws: (100,000,) of the density q on x, of mean 1 and standard deviation 1"""
    figure, ((area, average),) = panels(1, 2, 4.8, 3.2)
    area.hist(draws, bins=80, range=(0, 5), density=True, color=SKY)
    area.plot(x, q, color=BLUE)
    area.fill_between(x, q, where=(x >= 1) & (x <= 2), color=ORANGE)
    area.axvline(1, color=RED, linestyle="--")
    area.text(1.06, 0.95, "mean", color=RED)
    area.annotate("", (2, 0.82), (1, 0.82), arrowprops={"arrowstyle": "<->", "shrinkA": 0, "shrinkB": 0})
    area.text(2.1, 0.8, "one standard deviation")
    area.annotate("area = probability = 0.23", (1.4, 0.15), (1.9, 0.45), arrowprops={"arrowstyle": "->"})
    area.set(title="a density and 100,000 draws", xlabel="$x$", xlim=(0, 5))
    for run in draws.view(10, -1)[:3]:
        average.semilogx(torch.arange(1, 10_001), run.cumsum(0) / torch.arange(1, 10_001), linewidth=1.5)
    average.axhline(1, color=INK, linestyle="--", linewidth=1)
    average.annotate("expectation 1", (2000, 1), (100, 1.7), arrowprops={"arrowstyle": "->"})
    average.set(xlabel="number of draws", title="three running averages", ylim=(0, 2.5))
    return figure


def lengths_of_noise(cloud: Tensor, lengths: dict[int, Tensor]) -> Figure:
    """Why noise lies in a shell.  cloud: (2, n), lengths: of noise pictures, for each number of dimensions"""
    figure, ((flat, balance, shell),) = panels(1, 3, 3.4, 3.2)
    flat.scatter(*cloud, s=3, color=SKY)
    for r in (1, 2, 3):
        flat.add_patch(Circle((0, 0), r, fill=False, color=RED))
    flat.set(
        title="$D = 2$: the same in every direction", aspect="equal", xlabel=r"$\epsilon_1$", ylabel=r"$\epsilon_2$"
    )
    r = torch.linspace(0.01, 9, 400)
    lines = {"log of the density": -(r**2) / 2, "log of the room": 29 * r.log(), "their sum": 29 * r.log() - r**2 / 2}
    for (name, log_y), dash in zip(lines.items(), ("--", "-.", "-")):
        balance.plot(r, log_y, dash, label=name)
    top = lines["their sum"].max().item()
    balance.annotate(
        r"top: about $\sqrt{30}$", (29**0.5, top), (29**0.5, 4), arrowprops={"arrowstyle": "->"}, ha="center"
    )
    balance.set(title="$D = 30$: no draw is near 0", xlabel="radius $r$", ylim=(-45, 135), yticks=[0])
    balance.axhline(0, color=INK, linewidth=0.6)
    for D, r in lengths.items():
        counts = torch.histc(r / D**0.5, 80, 0, 2.5)
        shell.stairs(counts / counts.max(), torch.linspace(0, 2.5, 81), fill=True, alpha=0.7, label=f"$D = {D}$")
    shell.set(title="length of noise", xlabel=r"$\|\epsilon\|\,/\,\sqrt{D}$", yticks=[], ylim=(0, 1.2))
    balance.legend(fontsize=10, loc="upper left", frameon=False)
    shell.legend(fontsize=10, frameon=False)
    return figure


def two_pixels(clean: Tensor, noisy: Tensor, var: float) -> Figure:
    """By Bayes' rule, for pairs of neighbouring pixels.  clean, noisy: (2, n), var: of the noise"""
    figure, (axes,) = panels(1, 3, 3.4, 4.0, sharex=True, sharey=True)
    mean = noisy.mean(1, keepdim=True)
    seen, directions = torch.linalg.eigh(noisy.cov())  # rising: across the cloud, along it
    own = seen - var
    share = own / seen
    cleaned = mean + directions @ (share[:, None] * (directions.T @ (noisy - mean)))
    titles = "the photograph", f"with noise of variance {var}", "each coordinate times its share"
    for ax, title, pairs, spread in zip(axes, titles, (clean, noisy, cleaned), (own, seen, share * own)):
        ax.scatter(*pairs[:, ::8], s=3, color=SKY, linewidths=0)
        for axis, v, colour in zip(directions.T, spread, (GREEN, BLUE)):
            ends = torch.stack([mean[:, 0] - v**0.5 * axis, mean[:, 0] + v**0.5 * axis], 1)
            ax.plot(*ends, color=colour, linewidth=3, solid_capstyle="butt")
        what = "share" if pairs is cleaned else "variance"
        for k, colour, name in ((1, BLUE, "along"), (0, GREEN, "across")):
            number = share[k] if pairs is cleaned else spread[k]
            ax.text(-2.4, 1.75 + 0.45 * k, f"{what} {name}: {number:.3f}", color=colour, fontsize=11)
        ax.set(title=title, xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), aspect="equal", xlabel="a pixel's red")
    axes[0].set_ylabel("its right neighbour's")
    return figure


def joint(x: Tensor, y: Tensor, q: Tensor, at: int) -> Figure:
    """A joint density as a map, its two marginals at the sides, and one row of it made into a conditional density.

    x: (n,), y: (m,), q: (m, n), at: which row
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure((9.4, 4.4), dpi=80, layout="constrained")
        grid = figure.add_gridspec(2, 3, width_ratios=(3.2, 1.1, 3.4), height_ratios=(1, 2.4))
        top, map_ax, side = (figure.add_subplot(grid[i]) for i in ((0, 0), (1, 0), (1, 1)))
        row_ax = figure.add_subplot(grid[:, 2])
    map_ax.imshow(q, origin="lower", extent=(x[0], x[-1], y[0], y[-1]), cmap="Blues", aspect="auto")
    map_ax.axhline(y[at], color=RED, linestyle="--")
    map_ax.text(x[-1] - 0.08, y[at] - 0.12, f"the row $y = {y[at]:.1f}$", color=RED, fontsize=11, ha="right", va="top")
    map_ax.text(x[0] + 0.08, y[-1] - 0.15, "joint $q(x, y)$", fontsize=13, va="top")
    map_ax.set(xlabel="$x$", ylabel="$y$", xticks=range(-2, 3))
    top.fill_between(x, torch.trapezoid(q, y, dim=0), color=SKY)
    top.set(title="marginal $q(x)$", xlim=(x[0], x[-1]), ylim=(0, None), yticks=[], xticks=range(-2, 3), xticklabels=[])
    side.fill_betweenx(y, torch.trapezoid(q, x, dim=1), color=SKY)
    side.axhline(y[at], color=RED, linestyle="--")
    side.set(title="marginal $q(y)$", ylim=(y[0], y[-1]), xlim=(0, None), xticks=[], yticklabels=[])
    row = q[at]
    scaled = row / torch.trapezoid(row, x)
    row_ax.fill_between(x, scaled, color=RED, alpha=0.45, linewidth=0, label=f"$q(x\\,|\\,y={y[at]:.1f})$, area 1")
    row_ax.plot(x, row, color=RED, linestyle="--", label="the row, before")
    row_ax.set(title="conditional: the row, scaled", xlabel="$x$", yticks=[], xticks=range(-2, 3))
    row_ax.set(xlim=(x[0], x[-1]), ylim=(0, 1.35 * scaled.max()))
    row_ax.legend(fontsize=11, loc="upper left", frameon=False)
    return figure


def shadows(eps: Tensor, angles: Sequence[float]) -> Figure:
    """A round cloud, eps: (2, n), and the histogram of its projection on a line, for each angle, and both flat."""
    figure, axes = panels(1, len(angles) + 1, 3.7, 4.0)
    flat = axes[0, -1]
    marked = torch.cdist(torch.tensor([[1.8, 1.2], [-1.9, 0.6], [0.3, -0.6]]), eps.T).argmin(1)
    u = torch.linspace(-3.6, 3.6, 200)[:, None]
    for ax, angle in zip(axes[0], angles):
        c, s = math.cos(angle), math.sin(angle)
        along, away = torch.tensor([c, s]), torch.tensor([s, -c])  # of the line; from the cloud to the line
        base, places = 5.4 * away, along @ eps
        ax.scatter(*eps[:, :1500], s=3, color=SKY, linewidths=0)
        heights, edges = torch.histogram(places, bins=40, range=(-3.6, 3.6), density=True)
        feet = base + edges[:, None] * along
        flat.stairs(heights, edges, label=rf"at ${round(math.degrees(angle))}\degree$", linewidth=1.6)
        for h, left, right in zip(3 * heights, feet[:-1], feet[1:]):
            ax.fill(
                *torch.stack([left, right, right - h * away, left - h * away]).T, color=BLUE, alpha=0.6, linewidth=0
            )
        ax.plot(*(base + u * along + 3 * gaussian(u, 0.0, 1.0) * -away).T, color=RED)
        ax.plot(*(base + u * along).T, color=INK, linewidth=1.2)
        for i in marked:
            foot = base + along * places[i]
            ax.plot(*torch.stack([eps[:, i], foot]).T, color=ORANGE, linewidth=1.5, linestyle=":")
            ax.scatter(*eps[:, i], s=22, color=ORANGE, zorder=3)
        words(ax, *(6.1 * away), r"$\mathcal{N}(0, 1)$", color=RED)
        ax.set(xticks=[], yticks=[], xlim=(-4.9, 6.4), ylim=(-6.9, 3.6), aspect="equal")
        ax.set_title(rf"its shadow on a line at ${round(math.degrees(angle))}\degree$")
        ax.spines[:].set_visible(False)
    flat.plot(u, gaussian(u, 0.0, 1.0), color=RED, label=r"$\mathcal{N}(0, 1)$")
    flat.set(title="both shadows, laid flat", yticks=[], xlabel="place on the line", ylim=(0, 0.62))
    flat.legend(frameon=False, fontsize=11)
    return figure


def never_negative(x: Tensor, q: Tensor, p: Tensor) -> Figure:
    """The logarithm under its tangent, and KL(q || p) of two densities on x as an area."""
    figure, ((tangent, area),) = panels(1, 2, 4.8, 3.2)
    u, inside = torch.linspace(0.08, 3.2, 200), q * (q / p).log()
    tangent.plot(u, u - 1, "--", color=ORANGE, label="$u - 1$")
    tangent.plot(u, u.log(), color=BLUE, label=r"$\log u$")
    tangent.annotate(
        "they touch at $u = 1$:\nthe model is right here", (1, 0), (1.2, -1.9), arrowprops={"arrowstyle": "->"}
    )
    tangent.set(title="why KL is never negative", xlabel="$u = p(x) / q(x)$")
    area.plot(x, q, "--", color=BLUE, label="truth $q$")
    area.plot(x, p, "-.", color=ORANGE, label="model $p$")
    area.fill_between(x, inside, color=GREEN, alpha=0.5, label=r"$q\,\log(q/p)$")
    area.annotate("below 0 where\n$p$ exceeds $q$", (1.1, -0.1), (2.0, 0.75), arrowprops={"arrowstyle": "->"})
    area.set(title=f"KL = area = {torch.trapezoid(inside, x):.2f}", xlabel="$x$", xlim=(-4, 5), ylim=(-0.3, 1.4))
    tangent.legend(frameon=False)
    area.legend(fontsize=10, loc="upper left", frameon=False)
    return figure
