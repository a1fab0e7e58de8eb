"""Lesson 15's measurements as figures: weights, one batch, checkpoints, words, and noise on a small picture."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ..plots import BLUE, COLOURS, GREEN, ORANGE, PURPLE, RED, STYLE, panels, picture
from .draw import INK

GREY = "#777777"
KNOWN = ("white", "yellow", "orange", "red", "pink", "purple")
NEW = {  # words for colours that no caption has, and what people would say in plain words
    "ruby": "red", "burgundy": "red", "maroon": "red", "cherry": "red", "fuchsia": "pink", "rosy": "pink",
    "mauve": "purple", "plum": "purple", "apricot": "orange", "peach": "orange", "canary": "yellow",
    "sunny": "yellow", "snowy": "white", "milky": "white",
}  # fmt: skip
LOOKS = ((BLUE, "-"), (ORANGE, "--"), (GREEN, "-."), (RED, (0, (5, 1, 1, 1, 1, 1))), (PURPLE, ":"), (INK, (0, (1, 2))))


def token_sizes(rows: Sequence[tuple[str, float, float]]) -> Figure:
    """The length of each token's state, as the encoder made it and after layer norm.  rows: (token, before, after)"""
    figure, axes = panels(1, 2, 4.4, 2.9, sharey=True)
    for ax, k, title in zip(axes[0], (1, 2), ("from the encoder", "after layer norm, without $g$ and $b$")):
        ax.bar(range(len(rows)), [row[k] for row in rows], color=GREEN if k == 1 else ORANGE)
        ax.set_xticks(range(len(rows)), [row[0] for row in rows], rotation=40, ha="right", fontsize=11)
        ax.set(title=title)
    axes[0, 0].set_ylabel("length of the state $y_l$")
    return figure


def weights(curves: dict[str, Callable[[Tensor], Tensor]], photo: Tensor, eps: Tensor) -> Figure:
    """Weights of the picture's squared error over the SNR; below, what is left of a photograph.  (3, H, W) each"""
    with matplotlib.rc_context(STYLE):
        figure = Figure((9.6, 5.6), dpi=80)
        ax = figure.add_axes((0.09, 0.36, 0.89, 0.62))
    log_snr = torch.linspace(-4, 4, 401, dtype=torch.float64)
    for (name, weight), (colour, line) in zip(curves.items(), LOOKS):
        ax.plot(log_snr, weight(10**log_snr), linestyle=line, color=colour, label=name)
    ax.set(yscale="log", xlim=(-4, 4), ylim=(1e-4, 1e5), ylabel="weight $w$ of $|x_0-\\hat x_0|^2$")
    ax.set_xlabel(r"$\log_{10}\mathrm{SNR}$", labelpad=2)
    for left, right, name in ((-4, -2, "coarse"), (-2, 0, "content"), (0, 4, "clean-up")):
        ax.axvspan(left, right, color=SHADES[name], alpha=0.12, lw=0)
        ax.text((left + right) / 2, 4e4, name, ha="center", va="top", fontsize=13, color=INK)
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(0.0, 0.93), fontsize=12)
    side = 0.89 / 9.6
    for where in (-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5):
        bar = 10**where / (1 + 10**where)
        x = 0.09 + 0.89 * (where + 4) / 8
        with matplotlib.rc_context(STYLE):
            small = figure.add_axes((x - side / 2, 0.03, side, side * 9.6 / 5.6))
        picture(small, bar**0.5 * photo + (1 - bar) ** 0.5 * eps)
        small.set_title(f"${where:g}$", fontsize=11, pad=3)
    return figure


SHADES = {"coarse": PURPLE, "content": GREEN, "clean-up": BLUE}


def effort(log_snr: Tensor, error: Tensor, weights: dict[str, Callable[[Tensor], Tensor]]) -> Figure:
    """Left: the picture's error over the SNR. Right: the share of the loss at each level, by each weight.  (N,) each

    The levels are visited as the cosine schedule does, (7.13).
    """
    visits = 1 / torch.cosh(log_snr * math.log(10) / 2)
    paid = {name: visits * weight(10**log_snr) * error for name, weight in weights.items()}
    shares = {name: p / p.sum() for name, p in paid.items()}
    figure, axes = panels(1, 2, 5.2, 3.5)
    left, right = axes[0]
    left.plot(log_snr, error, "o-", color=INK, markersize=4)
    left.set(yscale="log", ylabel=r"error $|x_0-\hat x_0|^2$, mean of a pixel")
    content = (log_snr >= -2) & (log_snr < 0)
    for (name, share), (colour, line) in zip(shares.items(), LOOKS):
        right.plot(log_snr, share, linestyle=line, color=colour, label=f"{name} (content: {share[content].sum():.0%})")
    right.set(ylabel="share of the loss", ylim=(0, 0.75))
    right.legend(frameon=False, fontsize=10, loc="upper left")
    for ax in axes[0]:
        ax.set_xlabel(r"$\log_{10}\mathrm{SNR}$")
        for a, b, name in ((-4, -2, "coarse"), (-2, 0, "content"), (0, 4, "clean-up")):
            ax.axvspan(a, b, color=SHADES[name], alpha=0.1, lw=0)
        ax.set_xlim(float(log_snr.min()), float(log_snr.max()))
    return figure


def one_batch(losses: dict[str, Sequence[float]], deaf: float, rows: dict[str, Tensor], heads: Sequence[str]) -> Figure:
    """Two trainings on one batch: their losses, and what comes back beside the targets.

    losses: name -> of each step;  deaf: the least loss without a text;  rows: name -> pictures (N, 3, H, W)
    """
    n = len(heads)
    with matplotlib.rc_context(STYLE):
        figure = Figure((5.0 + 1.25 * n, 1.3 * len(rows) + 0.4), dpi=80, layout="constrained")
        parts = figure.subfigures(1, 2, width_ratios=(4.4, 1.25 * n))
        ax = parts[0].subplots()
        axes = parts[1].subplots(len(rows), n, squeeze=False)
    for (name, values), (colour, line) in zip(losses.items(), LOOKS):
        mean = torch.tensor(values).unfold(0, 10, 1).mean(1)
        ax.plot(range(10, len(values) + 1), mean, linestyle=line, color=colour, label=name)
    ax.axhline(deaf, color=RED, lw=1.5, ls=":")
    ax.text(len(values), deaf, "the best possible without a text ", color=RED, ha="right", va="bottom", fontsize=11)
    ax.set(yscale="log", xlabel="step", ylabel="P2 loss (mean of 10 steps)")
    ax.legend(frameon=False, fontsize=11, loc="upper right")
    for row, (name, x) in zip(axes, rows.items()):
        for panel, one in zip(row, x):
            picture(panel, one)
        row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=12)
    for panel, head in zip(axes[0], heads):
        panel.set_title(head.replace(" ", "\n"), fontsize=11)
    return figure


def understood(found: dict[str, Tensor]) -> Figure:
    """Cosines of texts with the NEW words to those with the KNOWN ones, a panel for each encoder.  (new, known) each

    A ring marks the nearest, a dot what people would say.
    """
    new, known, meant = list(NEW), KNOWN, [KNOWN.index(colour) for colour in NEW.values()]
    figure, axes = panels(1, len(found), 4.4, 0.36 * len(new) + 1.1)
    for ax, (name, c) in zip(axes[0], found.items()):
        ax.imshow(c - c.mean(1, keepdim=True), cmap="Blues", aspect="auto", alpha=0.8)
        for i, (j, right) in enumerate(zip(c.argmax(1).tolist(), meant)):
            ax.plot(j, i, "o", markersize=17, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=2.5)
            ax.plot(right, i, "o", markersize=6, color=RED, markeredgecolor="white")
        hits = (c.argmax(1) == torch.tensor(meant)).sum()
        ax.set_title(f"{name}: {hits} of {len(new)}")
        ax.set_xticks(range(len(known)), known, rotation=35, ha="right", fontsize=11)
        ax.set_yticks(range(len(new)), new, fontsize=11)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    return figure


def repaired(
    told: dict[str, Tensor], larger: dict[str, dict[int, Tensor]], theory: dict[str, dict[int, Tensor]]
) -> Figure:
    """How strong waves are beside the truth's, coarse to fine: faulty small pictures, and what is made of two of them.

    told: name -> (F,), for 1 to F waves across the picture;  larger, theory: name -> the noise r -> (F,), measured and
    by (15.9)
    """
    figure, axes = panels(1, 1 + len(larger), 4.3, 3.8, sharey=True)
    waves = range(1, 1 + len(next(iter(told.values()))))
    for (name, share), (colour, line) in zip(told.items(), LOOKS):
        axes[0, 0].plot(waves, share, linestyle=line, color=colour, label=name)
    axes[0, 0].set_title("small pictures, 32 px")
    for ax, (name, found) in zip(axes[0, 1:], larger.items()):
        for (r, share), colour in zip(found.items(), (INK, BLUE, ORANGE)):
            ax.plot(waves, share, color=colour, label=f"$r={r}$")
            ax.plot(waves, theory[name][r], ":", color=colour, lw=1.5)
        ax.plot([], [], ":", color=GREY, label="(15.9)")
        ax.set_title(f"{name}, enlarged")
    for ax in axes[0]:
        ax.axhline(1, color=GREY, lw=1)
        ax.set(xlabel="waves across the picture", yscale="log", ylim=(0.02, 6))
        ax.set_yticks([0.03, 0.1, 0.3, 1, 3], ["0.03", "0.1", "0.3", "1", "3"])
        ax.minorticks_off()
        ax.legend(frameon=False, fontsize=11, loc="lower left")
    axes[0, 0].set_ylabel("power / power of the true picture")
    return figure


def checkpoints(rows: Sequence[dict[str, Any]], floor: float, n: int) -> Figure:
    """P2 loss and Fréchet distance of the checkpoints of one training, each as a share of the first checkpoint's."""
    figure, ((ax,),) = panels(1, 1, 8.5, 3.6)
    steps = [row["step"] for row in rows]
    for key, name, colour in zip(
        ("held-out P2 loss", "frechet"), ("P2 loss, held-out photographs", f"Fréchet distance, $n={n}$"), COLOURS
    ):
        y = [100 * row[key] / rows[0][key] for row in rows]
        ax.plot(steps, y, "o-", color=colour, label=name)
    low = 100 * floor / rows[0]["frechet"]
    ax.axhline(low, color=GREY, ls=":")
    ax.text(steps[0], low, "Fréchet distance of photographs from photographs", va="bottom", fontsize=10, color=GREY)
    ax.set(xlabel="step", ylabel="% of the first checkpoint's", ylim=(0, 105))
    ax.set_xticks(steps, [f"{step:,}" for step in steps])
    ax.legend(frameon=False, loc="center right")
    return figure
