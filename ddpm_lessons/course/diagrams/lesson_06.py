"""Lesson 06's figures: one step of training as a loop, what an average remembers, and what losses say and hide."""

from collections.abc import Sequence

import matplotlib
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ...forward import noisy
from ...predict import V
from ...samplers import Step
from ...schedules import Schedule
from ..plots import BLUE, GREEN, ORANGE, PURPLE, RED, SKY, STYLE, panels, picture
from .draw import INK, arrow, box, circle, sheet, words


def one_step(x0: Tensor, eps: Tensor, x_t: Tensor, eps_hat: Tensor, t: int) -> Figure:
    """One step of training: DDPM's loss in four numbered lines, and the way back to the weights.  (C, H, W) each"""
    figure, ax = sheet(11.4, 4.9)
    _photo(ax, x0, 1.0, 3.6, r"$x_0$, a picture of the data")
    _photo(ax, eps, 3.0, 1.35, r"$\epsilon$, the noise", below=True)
    _photo(ax, x_t, 4.4, 3.6, rf"$x_t$, here $t = {t}$")
    _photo(ax, eps_hat, 8.3, 3.6, r"$\epsilon_\theta$, the guess of $\epsilon$")
    box(ax, 1.0, 1.35, f"$t = {t}$", 1.2, 0.6, ORANGE)
    box(ax, 6.4, 3.6, "network\nweights $\\theta$", 1.3, 1.1, BLUE)
    box(ax, 10.4, 2.45, "mean of\n$(\\epsilon_\\theta-\\epsilon)^2$", 1.5, 0.9, RED)
    box(ax, 6.4, 0.45, r"$\theta'$, the average of the weights: section 4", 4.4, 0.5, GREEN, fontsize=11)
    arrow(ax, (1.7, 3.6), (3.7, 3.6), r"$\times\sqrt{\bar\alpha_t}$")
    arrow(ax, (3.3, 2.05), (3.95, 2.88))
    words(ax, 4.35, 2.42, r"$\times\sqrt{1-\bar\alpha_t}$")
    arrow(ax, (1.0, 1.67), (3.7, 3.1), dashed=True, colour=ORANGE, bend=0.25)
    box(ax, 6.4, 4.62, f"$t = {t}$", 1.0, 0.4, ORANGE, fontsize=11)
    arrow(ax, (6.4, 4.4), (6.4, 4.17), colour=ORANGE)
    arrow(ax, (5.1, 3.6), (5.72, 3.6))
    arrow(ax, (7.08, 3.6), (7.6, 3.6))
    arrow(ax, (9.0, 3.4), (9.75, 2.95))
    arrow(ax, (3.7, 1.35), (9.7, 2.1), bend=-0.12)
    arrow(ax, (9.62, 2.5), (6.6, 3.0), "gradient, Adam", RED, bend=0.12, above=-0.28, dashed=True, fontsize=11)
    arrow(ax, (6.2, 3.0), (6.2, 0.74), dashed=True, colour=GREEN)
    for k, (x, y) in enumerate(((0.2, 1.35), (2.15, 1.0), (3.35, 3.95), (10.4, 3.2)), 1):
        circle(ax, x, y, str(k), 0.34, INK, fontsize=11)
    return figure


def _photo(ax: Axes, x: Tensor, at: float, y: float, name: str, side: float = 1.35, below: bool = False) -> None:
    limits, half = dict(xlim=ax.get_xlim(), ylim=ax.get_ylim()), side / 2
    shown = ((x.detach().clamp(-1, 1) + 1) / 2).permute(1, 2, 0)
    how = "bicubic" if name.startswith("$x_0$") else "nearest"  # noise is a matter of single pixels
    ax.imshow(shown, extent=(at - half, at + half, y - half, y + half), interpolation=how)
    ax.set(**limits)
    words(ax, at, y + (half + 0.17) * (-1 if below else 1), name, fontsize=11)


def grid(x: Tensor, heads: Sequence[str], rows: Sequence[str] = (), side: float = 1.3, noisy_rows=()) -> Figure:
    """Pictures close together under the heads of their columns, noisy rows pixel by pixel.  x: (N, C, H, W)"""
    n, left = len(x) // len(heads), 0.05 + 0.105 * max((len(r.strip("$")) for r in rows), default=0)
    top = 0.05 + 0.25 * (1 + max(h.count("\n") for h in heads)) * any(heads)
    figure = Figure((left + side * len(heads), top + side * n), dpi=80)
    width, height = figure.get_size_inches()
    for i, one in enumerate(x):
        k, j = divmod(i, len(heads))
        x_at, y_at, s = left + j * side, height - top - (k + 1) * side, side - 0.06
        ax = figure.add_axes((x_at / width, y_at / height, s / width, s / height))
        picture(ax, one, pixels=k in noisy_rows)
        ax.set_title(heads[j] if k == 0 else "", fontsize=12)
        if j == 0 and rows:
            ax.set_ylabel(rows[k], rotation=0, ha="right", va="center", fontsize=12)
    return figure


def progress(losses: Sequence[float], x: Tensor, heads: Sequence[str]) -> Figure:
    """The loss so far, thin, with its running mean, thick; beside it two rows of samples under their heads."""
    figure = Figure((4.4 + 1.2 * len(heads), 2.9), dpi=80)
    width, loss, k = figure.get_figwidth(), torch.tensor(losses), max(1, len(losses) // 20)
    with matplotlib.rc_context(STYLE):
        ax = figure.add_axes((0.75 / width, 0.19, 3.35 / width, 0.7))
    ax.plot(loss, color=SKY, linewidth=0.6)
    ax.plot(range(k - 1, len(losses)), loss.unfold(0, k, 1).mean(1), color=BLUE, linewidth=2, label=f"mean of {k}")
    ax.set(xlabel="training step", ylabel="loss", yscale="log")
    _ticks(ax, 0.05, 0.1, 0.2, 0.5, 1, 2)
    ax.set_ylim(0.8 * min(losses), 1.1 * max(losses))
    ax.legend(fontsize=10)
    for i, one in enumerate(x[: 2 * len(heads)]):
        k, j = divmod(i, len(heads))
        part = figure.add_axes(((4.35 + 1.2 * j) / width, 0.5 - 0.42 * k, 1.15 / width, 1.15 / 2.9))
        picture(part, one)
        part.set_title(heads[j] if k == 0 else "", fontsize=12)
    return figure


def _ticks(ax: Axes, *values: float) -> None:
    ax.set_yticks(values, [f"{v:g}" for v in values])
    ax.minorticks_off()


def shares(n: int, decay: float) -> Figure:
    """What the first k of n steps leave in two averages, for each k: with the warm-up and without it."""
    figure, ((ax,),) = panels(1, 1, 7.5, 3.4)
    for name, warm, colour, dash in (("with the warm-up", True, BLUE, "-"), ("without", False, RED, "--")):
        share = (torch.arange(n + 1) == 0).float()
        for i in range(1, n + 1):
            d = min(decay, (1 + i) / (10 + i)) if warm else decay
            share[:i] *= d
            share[i] = 1 - d
        so_far = 100 * share.cumsum(0)
        ax.plot(so_far, dash, color=colour, linewidth=2.5, label=name)
        if warm:
            half = int((so_far < 50).sum())
            note = f"half of the average is\nfrom the last {n - half} values"
            ax.annotate(note, (half, 50), (0.42 * n, 28), arrowprops=dict(arrowstyle="->", color=BLUE), color=BLUE)
        else:
            note = f"{so_far[0]:.0f} % is still the first value"
            ax.annotate(note, (0, so_far[0]), (0.1 * n, 84), arrowprops=dict(arrowstyle="->", color=RED), color=RED)
    ax.set(
        xlabel="values after the first", ylabel="share of the average from\nthe values up to here, %", ylim=(-3, 104)
    )
    ax.legend(loc="center left", bbox_to_anchor=(0.02, 0.3), frameon=False)
    return figure


def held_out(marks: Sequence[int], curves: dict[str, Sequence[float]]) -> Figure:
    """Held-out losses of several candidates; on the right the end without the worst, enlarged."""
    figure, axes = panels(1, 2, 4.8, 3.5)
    worst = max(curves, key=lambda name: curves[name][-1])
    for ax, left_out, first in zip(axes[0], ((), (worst,)), (0, 1)):
        for (name, values), colour, mark in zip(curves.items(), (BLUE, ORANGE, GREEN), ("o-", "s--", "^-.")):
            if name not in left_out:
                ax.plot(marks[first:], values[first:], mark, color=colour, label=name)
        ax.set(
            xlabel="training step", xticks=marks[first:], title="the two best, enlarged" if left_out else "all three"
        )
    ends = {name: values[-1] for name, values in curves.items() if name != worst}
    for name, end in ends.items():
        right, below = axes[0, 1], end == min(ends.values())
        right.annotate(
            f"{end:.3f}", (marks[-1], end), (0, -14 if below else 7), textcoords="offset points", ha="center"
        )
    axes[0, 1].margins(0.08, 0.16)
    axes[0, 0].set_ylabel("loss on the held-out pictures")
    axes[0, 0].legend(fontsize=10)
    return figure


def loss_and_fid() -> Figure:
    """One long run, as github.com/tqch/ddpm-torch reports it: its loss and FID, as shares of their first values."""
    steps = (46_800, 93_600, 187_200, 421_200, 795_600)
    loss, fid = (0.0295, 0.0293, 0.0291, 0.0284, 0.0277), (9.162, 5.778, 4.083, 3.31, 3.188)
    figure, ((ax,),) = panels(1, 1, 7, 3.4)
    for values, name, colour, mark in ((loss, "training loss", SKY, "o-"), (fid, "FID of the samples", ORANGE, "s-")):
        ax.plot(steps, [100 * v / values[0] for v in values], mark, color=colour, label=name)
        text = f"{values[0]:g} to {values[-1]:g}"
        ax.annotate(text, (steps[-1], 100 * values[-1] / values[0]), (0, 9), textcoords="offset points", ha="right")
    ax.set(xlabel="training steps (logarithmic axis)", ylabel="% of the first value")
    ax.set(xscale="log", ylim=(0, 112))
    ax.set_xticks(steps, [f"{s / 1000:.0f},000" for s in steps])
    ax.minorticks_off()
    ax.legend(loc="lower left")
    return figure


def best_v_loss(alpha_bar: Tensor, s: float) -> Tensor:
    """The smallest v-loss that Gaussian data of standard deviation s allow.  (6.5)"""
    return s**2 / (alpha_bar * s**2 + 1 - alpha_bar)


def expected(schedule: Schedule, ts: Sequence[int], zero: Sequence[float], net: Sequence[float], s: float) -> Figure:
    """The expected-loss card: always 0, the network, and the best for Gaussian data with the pictures' own s."""
    figure, ((ax,),) = panels(1, 1, 7.5, 3.8)
    t = torch.arange(1, schedule.T + 1)
    ax.plot(ts, zero, ":", color=INK, label="a network that always answers 0")
    ax.plot(t, best_v_loss(schedule.alpha_bar[1:], s), "--", color=ORANGE, label="the best for Gaussian data, (6.5)")
    ax.plot(ts, net, "o-", color=BLUE, label="our network, held-out pictures")
    best = ts[list(net).index(min(net))]
    ax.annotate("here it does best", (best, min(net)), (best, 0.04), ha="center", arrowprops=dict(arrowstyle="->"))
    ax.text(0, 1.3, "guess noise that\ncannot be seen", fontsize=11)
    ax.text(schedule.T, 0.6, "guess a picture\nfrom nothing", fontsize=11, ha="right")
    ax.set(xlabel="$t$", ylabel="$v$-loss", yscale="log", ylim=(0.02, 3))
    _ticks(ax, 0.05, 0.1, 0.2, 0.5, 1, 2)
    ax.legend(loc="lower left", fontsize=10)
    return figure


def straight_line(schedule: Schedule, x0: Tensor, t: int) -> float:
    """The v-loss that is left after the best straight-line guess of v from x_t, all pixels alike."""
    eps = torch.randn(x0.shape, dtype=x0.dtype, generator=torch.Generator().manual_seed(t))
    x_t, v = (y - y.mean() for y in (noisy(schedule, x0, t, eps), V.target(x0, eps, *schedule.scales(t, like=x0))))
    return (v - (x_t * v).mean() / x_t.square().mean() * x_t).square().mean().item()


def ranges(schedule: Schedule, ts: Sequence[int], rows: dict[str, Tensor], healthy, fed) -> Figure:
    """(6.5) and measured losses, rows: name -> pictures;  a network's losses on its own range, and fed [0, 1]."""
    figure, ((left, right),) = panels(1, 2, 5.2, 3.8)
    t = torch.arange(1, schedule.T + 1)
    for (name, x), colour in zip(rows.items(), (PURPLE, ORANGE, GREEN)):
        s, dots = x.std().item(), [straight_line(schedule, x.double(), k) for k in ts]
        left.plot(t, best_v_loss(schedule.alpha_bar[1:], s), color=colour, label=name)
        left.plot(ts, dots, "o", color=colour, markersize=5)
        text = f"$s^2$ = {s**2:.2f}" if s < 9 else f"$s^2$ = {s**2:,.0f}"
        left.annotate(text, (schedule.T, s**2), (6, 0), textcoords="offset points", va="center")
    left.set(xlabel="$t$", ylabel="$v$-loss", yscale="log", title="trained in this range")
    left.set_xlim(-30, schedule.T * 1.02)
    left.legend(loc="upper left", fontsize=10)
    right.plot(ts, healthy, "o-", color=BLUE, label="fed pictures in [-1, 1]")
    right.plot(ts, fed, "s--", color=GREEN, label="fed pictures in [0, 1]")
    right.set(xlabel="$t$", yscale="log", title="trained in [-1, 1]")
    _ticks(right, 0.1, 0.2, 0.5, 1)
    right.legend(loc="upper center", fontsize=10)
    return figure


def film(steps: Sequence[Step], which: Sequence[int], at: Sequence[int]) -> Figure:
    """What stands on the canvas, and below it the picture that the network sees in it, at some of the steps."""
    x, rows = [], []
    for k in which:
        x += [steps[i].x[k] for i in at]
        x += [steps[i + 1].x0[k] for i in at]  # a step's guess is kept with what it led to
        rows += ["$x_t$", r"$\hat x_0$"]
    return grid(torch.stack(x), [f"$t = {steps[i].t}$" for i in at], rows, 1.2, (0, 2))


def suspects(ts: Sequence[int], healthy: Sequence[float], curves: Sequence[Sequence[float]]) -> Figure:
    """Numbered curves beside the healthy one, for a reader to tell which bug made which."""
    figure, ((ax,),) = panels(1, 1, 7.5, 3.8)
    ax.plot(ts, healthy, color="#999999", linewidth=5, alpha=0.6, label="healthy")
    for k, (curve, colour, dash) in enumerate(zip(curves, (BLUE, ORANGE, PURPLE), ("o-", "s--", "^-.")), 1):
        ax.plot(ts, curve, dash, color=colour, label=f"curve {k}", markersize=5)
    ax.set(xlabel="$t$", ylabel="$v$-loss", yscale="log")
    _ticks(ax, 0.1, 0.2, 0.5, 1, 2, 4)
    ax.legend(fontsize=10)
    return figure
