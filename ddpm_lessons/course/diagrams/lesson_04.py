"""The drawings of lesson 04: paths of the chain, the chord of Jensen, fractions that cancel, the terms of the bound."""

import math

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ..plots import BLUE, GREEN, ORANGE, PURPLE, RED, panels
from .draw import INK, arrow, box, circle, sheet, words

GREY = "#888888"


def paths(model: Tensor, forward: Tensor, x0: float) -> Figure:
    """Chains of the model, their ends magnified, and forward chains of one x0.  model, forward: (T + 1, n), from x_0 on

    The middle panel shows the levels around x0 (those of one pixel of 8 bits), and counts the ends on its own level.
    """
    figure, (axes,) = panels(1, 3, 4.2, 3.3, width_ratios=(5, 3.2, 5))
    T, level = len(model) - 1, 2 / 255
    axes[0].plot(range(T + 1), model, color=GREY, lw=0.7, alpha=0.6)
    axes[2].plot(range(T + 1), forward, color=BLUE, lw=0.7, alpha=0.6)
    for ax in axes[[0, 2]]:
        ax.plot((1.0, 0), (x0, x0), color=RED, lw=2, zorder=5)
        ax.set(xlim=(T, 0), ylim=(-3, 4.4), xlabel="$t$", xticks=(T, T // 2, 0), ylabel="$x_t$")
    axes[0].set(title=r"chains of the model $p_\theta$")
    axes[2].set(title=r"chains of $q(x_{1:T}\,|\,x_0)$")
    how = dict(color=RED, fontsize=12, ha="center", arrowprops=dict(arrowstyle="-|>", color=RED, shrinkB=2))
    axes[0].annotate("the pixel $x_0$:\nwhich chains end here?", (0.3, x0), (T * 0.4, 3.75), va="center", **how)
    axes[2].annotate("all of them\nbegin here", (0.3, x0), (T * 0.4, 3.75), va="center", **how)
    zoom, half = axes[1], 8.5
    for k in range(-9, 10):
        zoom.axhline(x0 + (k + 0.5) * level, color=GREY, lw=0.4, alpha=0.6)
    zoom.axhspan(x0 - level / 2, x0 + level / 2, color=RED, alpha=0.35)
    zoom.plot(range(T + 1), model, color=INK, lw=0.9, alpha=0.7)
    zoom.plot([0] * model.shape[1], model[0], "o", color=INK, ms=4, clip_on=True)
    count = int(((model[0] - x0).abs() < level / 2).sum())
    zoom.set(xlim=(2, -0.06), ylim=(x0 - half * level, x0 + half * level), xticks=(2, 1, 0), yticks=(), xlabel="$t$")
    zoom.set_title(f"magnified: {count} of {model.shape[1]}\nend on its level", color=RED)
    return figure


def jensen() -> Figure:
    """The curve -log u with a chord: the average of the values lies above the value at the average."""
    figure, ((ax,),) = panels(1, 1, 7.5, 3.6)
    u = torch.linspace(0.07, 2.2, 300)
    a, b, middle = 0.15, 1.85, 1.0
    ax.plot(u, -u.log(), color=BLUE)
    ax.plot((a, b), (-math.log(a), -math.log(b)), "o-", color=ORANGE, ms=7)
    chord = (-math.log(a) - math.log(b)) / 2
    ax.plot((middle, middle), (-0.9, chord), ":", color=GREY, lw=1.5)
    ax.plot(middle, chord, "s", color=ORANGE, ms=9)
    ax.plot(middle, -math.log(middle), "s", color=BLUE, ms=9)
    how = dict(fontsize=12, va="center")
    ax.annotate(
        r"average of the values: $\mathbb{E}[-\log u]$", (middle, chord), (1.2, 1.5), color="#A86F00",
        arrowprops=dict(arrowstyle="-|>", color=ORANGE, shrinkB=6), **how,
    )  # fmt: skip
    ax.annotate(
        r"value at the average: $-\log\,\mathbb{E}[u]$", (middle, 0), (1.2, 0.62), color=BLUE,
        arrowprops=dict(arrowstyle="-|>", color=BLUE, shrinkB=6), **how,
    )  # fmt: skip
    ax.annotate("", (0.93, chord), (0.93, 0), arrowprops=dict(arrowstyle="<->", color=RED))
    ax.annotate(
        "what the\nbound loses", (0.925, 0.32), (0.45, -0.4), color=RED, fontsize=12, ha="center", va="center",
        arrowprops=dict(arrowstyle="-", color=RED, lw=1),
    )  # fmt: skip
    ax.text(0.2, 2.1, r"$-\log u$", color=BLUE, fontsize=14)
    ax.set(xlabel="$u$", xlim=(0, 2.2), ylim=(-0.9, 2.7), xticks=(a, middle, b), yticks=(0, 1, 2))
    ax.set_xticklabels(("one chain's $u$", r"$\mathbb{E}[u]$", "another chain's $u$"))
    return figure


def fractions() -> Figure:
    """The product of (4.5) over t = 2, 3, 4 with T = 4: equal tops and bottoms are crossed out in one colour."""
    figure, ax = sheet(9.4, 3.0)
    words(ax, 0.15, 2.7, r"$q(x_{1:4}\,|\,x_0)\;=$", ha="left", fontsize=15)
    colours, lefts = (RED, GREEN, PURPLE), (2.05, 4.6, 7.15)
    words(ax, 0.75, 1.6, r"$q(x_1|x_0)$", fontsize=15)
    strike(ax, 0.75, 1.6, RED)
    words(ax, 0.75, 0.85, "step 1,\nnot turned round", fontsize=11, color=GREY)
    for k, (x, colour) in enumerate(zip(lefts, colours), start=2):
        words(ax, x - 0.6, 1.6, r"$\times$", fontsize=14)
        box(ax, x + 0.25, 1.6, f"$q(x_{k - 1}|x_{k},x_0)$", 1.34, 0.55, BLUE, fontsize=13)
        words(ax, x + 1.42, 1.9, f"$q(x_{k}|x_0)$", fontsize=14)
        words(ax, x + 1.42, 1.3, f"$q(x_{k - 1}|x_0)$", fontsize=14)
        ax.plot((x + 1.02, x + 1.82), (1.6, 1.6), color=INK, lw=1.2)
        strike(ax, x + 1.42, 1.3, colour)
        if k < 4:
            strike(ax, x + 1.42, 1.9, colours[k - 1])
        words(ax, x + 0.75, 0.85, f"step {k}, turned round by (4.5)", fontsize=11, color=GREY)
    words(ax, 8.57, 2.6, "survives", fontsize=12, color=BLUE)
    arrow(ax, (8.57, 2.47), (8.57, 2.1), colour=BLUE)
    words(ax, 5.2, 2.6, "crossed out in one colour: equal, so they cancel", fontsize=12)
    words(
        ax,
        0.15,
        0.25,
        r"$=\;q(x_4|x_0)\;\times\;q(x_1|x_2,x_0)\;q(x_2|x_3,x_0)\;q(x_3|x_4,x_0)$",
        ha="left",
        fontsize=15,
    )
    return figure


def strike(ax, x: float, y: float, colour: str) -> None:
    """Cross a fraction's top or bottom out."""
    ax.plot((x - 0.42, x + 0.42), (y - 0.13, y + 0.13), color=colour, lw=2.4, solid_capstyle="round")


def terms() -> Figure:
    """The chain with its arrows, and below each step the term of the bound that judges it."""
    figure, ax = sheet(9.4, 3.6)
    places = ((0.75, "$x_T$"), (2.75, "$x_{T-1}$"), (4.75, "$x_t$"), (6.75, "$x_1$"), (8.65, "$x_0$"))
    for x, name in places:
        circle(ax, x, 2.6, name, 0.74, PURPLE if name == "$x_0$" else BLUE, fontsize=14)
    labels = (r"$p_\theta(x_{T-1}|x_T)$", "", "", r"$p_\theta(x_0|x_1)$")
    for (a, _), (b, _), name in zip(places, places[1:], labels):
        dashed = not name
        arrow(ax, (a + 0.42, 2.68), (b - 0.42, 2.68), name, RED, above=0.24, fontsize=12, dashed=dashed)
        arrow(ax, (b - 0.42, 2.5), (a + 0.42, 2.5), "", GREY, dashed=dashed)
    words(ax, 1.75, 2.26, "$q$", color=GREY, fontsize=13)
    words(ax, 7.7, 2.26, "$q$", color=GREY, fontsize=13)
    columns = (
        (0.75, 1.2, "$L_T$", "Is $x_T$ noise?", "nothing to train", GREY),
        (3.87, 4.3, r"$L_{T-1}\;+\;\cdots\;+\;L_{t-1}\;+\;\cdots\;+\;L_1$",
         r"Does the step $p_\theta(x_{t-1}|x_t)$ match $q(x_{t-1}|x_t,x_0)$?", "a KL of two Gaussians each", RED),
        (7.7, 2.6, "$L_0$", "Which of the 256 levels?", "a probability, not a density", PURPLE),
    )  # fmt: skip
    for x, width, name, question, kind, colour in columns:
        box(ax, x, 1.45, name, width, 0.56, colour, fontsize=15)
        words(ax, x, 0.9, question, fontsize=11)
        words(ax, x, 0.58, kind, fontsize=11, color=GREY)
    words(ax, 4.7, 0.18, "$L$ = all of them, added up", fontsize=12)
    for x in (1.53, 6.21):
        words(ax, x, 1.45, "+", fontsize=15)
    words(
        ax,
        4.7,
        3.38,
        r"upper arrows: the model's steps, which must do without $x_0$;   lower arrows: the forward steps of $q$",
        fontsize=12,
    )
    return figure
