"""What lesson 04 measures, drawn: bits on their way, two Gaussians, the bound to scale, weights, distances."""

from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ..plots import BLUE, GREEN, ORANGE, PURPLE, RED, SKY, STYLE, panels, picture
from .draw import INK

DASHES = ("-", "--", "-.", ":")
POINT = {"arrowstyle": "-|>", "color": "black"}


def strip(parts: Sequence[tuple[str, float]], marks: Sequence[tuple[str, float]]) -> Figure:
    """A bar of the bound to scale.  parts: name, bits, from the left;  marks: name, bits, of bars to compare with"""
    figure, ((ax,),) = panels(1, 1, 9.4, 3.3)
    left = 0.0
    for (name, bits), colour in zip(parts, (PURPLE, RED, ORANGE, GREEN, SKY, BLUE)):
        ax.barh(0, bits, left=left, height=0.8, color=colour + "66", edgecolor=colour)
        ax.text(left + bits / 2, 0, f"{name}\n{bits:.2f}", ha="center", va="center", fontsize=12)
        left += bits
    for k, (name, bits) in enumerate(marks):
        ax.barh(-0.75 - 0.42 * k, bits, height=0.3, color=INK, alpha=0.3)
        ax.text(0.08, -0.76 - 0.42 * k, f"{name}: {bits:.2f}", va="center", fontsize=12)
    ax.set(ylim=(-0.6 - 0.42 * len(marks), 0.5), xlim=(0, left * 1.03), yticks=[], xlabel="bits")
    ax.spines["left"].set_visible(False)
    return figure


def received(bits: Sequence[float], ts: Sequence[int], shown: Sequence[tuple[int, Tensor]], photo: Tensor) -> Figure:
    """Guesses of a photograph over the bits that they cost so far.

    bits: at each of ts, per number;  shown: places in ts, with the guess there (3, H, W);  photo: (3, H, W)
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure((9.4, 4.4), dpi=80, layout="constrained")
        n = len(shown) + 1
        axes = figure.subplot_mosaic([list(range(n)), ["curve"] * n], height_ratios=(1, 1.5))
    curve = axes["curve"]
    curve.plot(ts, bits, color=BLUE)
    for k, (place, guess) in enumerate(shown):
        picture(axes[k], guess)
        axes[k].set_title(f"{'ABCDEFGH'[k]}: {bits[place] * photo.numel() / 8:.0f} bytes", fontsize=11)
        curve.plot(ts[place], bits[place], "o", color=RED, ms=8, clip_on=False, zorder=5)
        curve.annotate(
            "ABCDEFGH"[k], (ts[place], bits[place]), (-4, 9), textcoords="offset points", fontsize=12, ha="right"
        )
    picture(axes[n - 1], photo)
    axes[n - 1].set_title("photograph", fontsize=11)
    curve.set(
        xlim=(max(ts), 0), ylim=(0, None), xlabel="$t$, from noise to picture", ylabel="bits per number\nspent so far"
    )
    return figure


def two_steps(ax: Axes, q: tuple[float, float], p: tuple[float, float], marks: dict[str, float], title: str) -> None:
    """Two Gaussians, filled q and line p, and triangles at marks that lie in view.  q, p: mean, variance"""
    middle, half = p[0], 4 * p[1] ** 0.5
    x = torch.linspace(middle - half, middle + half, 300)
    one, two = (torch.exp(-((x - mean) ** 2) / (2 * var)) / var**0.5 for mean, var in (q, p))
    ax.fill_between(x, one, color=SKY, alpha=0.7, label="$q$, knows $x_0$")
    ax.plot(x, two, color=RED, label="$p$, guesses $x_0$")
    for k, ((name, mark), colour) in enumerate(zip(marks.items(), ("black", PURPLE, GREEN))):  # one below the other
        ax.plot(mark, (-0.07 - 0.09 * k) * one.max(), "^", color=colour, label=name, ms=9)
    ax.set(title=title, xlabel="$x_{t-1}$", yticks=[], xlim=(x[0], x[-1]))


def side_by_side(draw: Callable[[Axes, int], None], ts: Sequence[int]) -> Figure:
    """A panel for each t, drawn by `draw`, with one legend below."""
    figure, axes = panels(1, len(ts), max(2.5, 7.0 / len(ts)), 3.1)
    for t, ax in zip(ts, axes[0]):
        draw(ax, t)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncol=5, fontsize=11)
    return figure


def distribution(x: Tensor, pmf: Tensor, mark: int) -> Figure:
    """How often each level occurs, with an arrow to one of them."""
    figure, ((ax,),) = panels(1, 1, 7, 2.5)
    ax.bar(x, pmf, width=2 / 255, color=BLUE)
    how = dict(fontsize=11, arrowprops=POINT)
    ax.annotate(f"$x_0 = {x[mark]:.2f}$, the pixel\nof sections 1 to 5", (x[mark], pmf[mark]), (0.42, 0.0165), **how)
    ax.set(xlabel="value of the pixel, $x_0$", ylabel="probability $q(x_0)$")
    return figure


def products(transition: Callable[[Tensor, int], Tensor], T: int, t: int) -> Figure:
    """One reverse step on a grid, as a matrix times a vector: p(x_{t-1}), the matrix, and p(x_t) along its columns.

    transition: grid (n,), step -> (n, n), row: where to, column: where from
    """
    x = torch.linspace(-3, 3, 401, dtype=torch.float64)
    p = torch.exp(-(x**2) / 2) / (2 * torch.pi) ** 0.5
    for k in range(T, t, -1):
        p = transition(x, k) @ p
    matrix = transition(x, t)
    with matplotlib.rc_context(STYLE):
        figure = Figure((8.6, 4.9), dpi=80, layout="constrained")
        axes = figure.subplot_mosaic([[".", "from"], ["to", "matrix"]], width_ratios=(1, 4), height_ratios=(1, 3.4))
    axes["matrix"].imshow(matrix.sqrt(), extent=(-3, 3, -3, 3), origin="lower", aspect="auto", cmap="magma")
    axes["matrix"].set(xlabel=f"$x_{{{t}}}$, where from", xlim=(-2.2, 2.2), ylim=(-2.2, 2.2), yticks=[])
    white = dict(color="white", ha="left", arrowprops={"arrowstyle": "-|>", "color": "white"})
    axes["matrix"].annotate(f"a column: the Gaussian\nof one $x_{{{t}}}$", (1.75, 1.1), (0.2, -1.5), **white)
    axes["matrix"].axvline(1.75, color="white", lw=0.8, ls=":")
    axes["from"].fill_between(x, p, color=SKY)
    axes["from"].set(xlim=(-2.2, 2.2), xticks=[], yticks=[], ylim=(0, None), title=f"$p(x_{{{t}}})$, known so far")
    axes["to"].fill_betweenx(x, matrix @ p, color=GREEN, alpha=0.6)
    axes["to"].set(ylim=(-2.2, 2.2), xticks=[], ylabel=f"$x_{{{t - 1}}}$, where to", title=f"$p(x_{{{t - 1}}})$")
    axes["to"].invert_xaxis()
    return figure


def bounds(found: dict[tuple[str, int], tuple[float, float, Tensor]], entropy: float, x: Tensor, pmf: Tensor) -> Figure:
    """Bound and model against T, a panel each variance; the model's distribution.

    found: (variance, T) -> bound, model, distribution
    """
    figure, axes = panels(1, 3, 3.7, 3.7)
    lengths = sorted({T for _, T in found})
    both = (("beta", r"$\sigma_t^2=\beta_t$", BLUE), ("beta_tilde", r"$\sigma_t^2=\tilde{\beta}_t$", ORANGE))
    for ax, (name, label, colour) in zip(axes[0], both):
        bound, model, _ = zip(*(found[name, T] for T in lengths))
        ax.plot(lengths, bound, "o-", color=colour, label="the bound")
        ax.plot(lengths, model, "s--", color=colour, label="the model needs")
        ax.fill_between(lengths, model, bound, color=colour, alpha=0.15)
        ax.axhline(entropy, color="black", linestyle=":", label="entropy")
        ax.set(xlabel="$T$", xscale="log", xticks=lengths, xticklabels=lengths, ylim=(6.3, 10.9), title=label)
        ax.minorticks_off()
        ax.legend(fontsize=10, frameon=False)
        ax.annotate(f"{bound[-1]:.2f}", (lengths[-1], bound[-1]), (0, 8), textcoords="offset points", ha="center")
    axes[0, 0].set_ylabel("bits")
    note = "at each T the better model,\nand mostly the worse bound"
    axes[0, 1].text(62, 8.15, note, fontsize=10, ha="left")
    ax = axes[0, 2]
    ax.fill_between(x, pmf, color=SKY, label="data")
    for T, colour, dash in ((lengths[0], RED, "--"), (lengths[-1], BLUE, "-")):
        ax.plot(x, found["beta", T][2], dash, lw=1.5, color=colour, label=f"model, $T = {T}$")
    edge = found["beta", lengths[0]][2][-1].item()
    tail = f"the last level\ngets the tail:\n{edge:.3f}"
    ax.annotate(tail, (0.995, 0.0265), (0.62, 0.0125), ha="center", fontsize=10, arrowprops=POINT)
    ax.set(xlabel="value of the pixel", xticks=(-1, -0.5, 0, 0.5, 1), ylim=(0, 0.033), yticks=(0, 0.01, 0.02))
    ax.set_title(r"probability, with $\beta_t$")
    ax.legend(fontsize=10, loc="upper left", frameon=False)
    return figure


def weighing(weights: dict[str, Tensor], excess: dict[str, Tensor]) -> Figure:
    """Weights on the error in eps, what each would gain from the plainly trained network, and what networks have left.

    weights, excess: (T,) each, t = 1 first, which is not drawn
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure((9.4, 7.0), dpi=80, layout="constrained")
        panel = figure.subplot_mosaic([["weight", "gain"], ["left", "left"]], height_ratios=(1, 1.15))
    t = torch.arange(2, len(weights["simple"]) + 1)
    for (name, w), dash in zip(weights.items(), DASHES):
        gain = (w * excess["simple"])[1:]
        panel["weight"].plot(t, w[1:], dash, label=name)
        panel["gain"].plot(t, 100 * gain / gain.sum(), dash)
    for (name, e), dash in zip(excess.items(), DASHES):
        panel["left"].plot(t, (e / excess["simple"])[1:].clamp(min=1e-2), dash)
    titles = ("weight", "% of weight × excess", "excess that training has left, simple = 1")
    for ax, title in zip(panel.values(), titles):
        ax.set(xscale="log", yscale="log", xlabel="$t$", xticks=(2, 10, 100), xticklabels=(2, 10, 100), title=title)
        ax.minorticks_off()
    panel["gain"].set(yscale="linear", ylim=(0, None))
    ratio = excess["P2"] / excess["simple"]
    worst = int(ratio[1:40].argmax()) + 1  # its step is worst + 1
    how = dict(fontsize=12, arrowprops=POINT, ha="center")
    panel["left"].annotate("P2 is worst here ...", (worst + 1, ratio[worst]), (8, 4.3), **how)
    panel["left"].annotate("... and far better here", (60, ratio[59]), (13, 0.06), **how)
    panel["left"].set(ylim=(0.03, 8), yticks=(0.1, 0.5, 1, 2, 5), yticklabels=(0.1, 0.5, 1, 2, 5))
    panel["left"].set_xticks((2, 5, 10, 20, 50, 100), (2, 5, 10, 20, 50, 100))
    figure.legend(*panel["weight"].get_legend_handles_labels(), loc="outside lower center", ncol=4, fontsize=12)
    return figure


def distances(values: Tensor, answers: Tensor, costs: dict[str, Tensor]) -> Figure:
    """Expected distances of each answer from the values, with their least.  values: (N,), answers, costs: (A,)"""
    figure, ((ax,),) = panels(1, 1, 7, 3.2)
    grey: Any = [10 / len(values)] * len(values)
    ax.hist(values.numpy(), bins=80, weights=grey, color="lightgrey", label=r"the possible $\epsilon$")
    for (name, cost), dash, colour in zip(costs.items(), DASHES, (BLUE, ORANGE, GREEN)):
        best = cost.argmin()
        ax.plot(answers, cost, dash, color=colour, label=f"{name}, least at {answers[best]:.2f}")
        ax.plot(answers[best], cost[best], "o", color=colour, ms=9)
    ax.set(xlabel="answer $a$", ylabel="expected distance", ylim=(0, 5))
    ax.legend(fontsize=10)
    return figure
