"""Lesson 13's drawings: four machines, a chain with one step, why the mean is grey, two players, and a trilemma."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon
from torch import Tensor

from .. import plots
from ..plots import BLUE, GREEN, ORANGE, PURPLE, RED
from .draw import INK, arrow, box, circle, sheet, words
from .lesson_14 import GREY, funnel, inset


def machines(photo: Tensor, back: Tensor, painted: Sequence[Tensor]) -> Figure:
    """Four ways to a picture.  photo, back: (3, H, W), the round trip;  painted: by VAE, GAN and diffusion"""
    figure, ax = sheet(12.6, 8.0)
    names = ("autoencoder", "VAE", "GAN", "diffusion")
    for y, name in zip((6.9, 4.9, 2.9, 0.9), names):
        words(ax, 0.85, y, name, fontsize=14, weight="bold")
        if y < 6:
            ax.plot([0.2, 12.4], [y + 0.94, y + 0.94], color="#cccccc", lw=0.8)
    for y, colour in ((6.9, GREY), (4.9, BLUE)):
        inset(figure, 2.5, y, 1.3, photo)
        funnel(ax, 4.35, y, "encoder", 1.3, 0.6, BLUE)
        funnel(ax, 8.2, y, "decoder", 0.6, 1.3, BLUE)
        for start, end in (((3.2, y), (3.65, y)), ((5.05, y), (5.5, y)), ((6.95, y), (7.5, y))):
            arrow(ax, start, end, colour=colour, dashed=True)
        arrow(ax, (8.9, y), (9.35, y), colour=colour, dashed=y > 5)
    box(ax, 6.22, 6.9, "latent $z$\na point", 1.35, 0.8, GREY, fontsize=12)
    inset(figure, 10.1, 6.9, 1.3, back)
    words(ax, 11.65, 6.9, "a copy.\nWhich $z$ makes\na new picture?", fontsize=11, color=RED)
    box(ax, 6.22, 4.9, "$q(z\\mid x)$\na small cloud", 1.35, 0.8, BLUE, fontsize=12)
    words(ax, 6.22, 5.6, "pulled to $\\mathcal{N}(0,I)$", fontsize=11, color=BLUE)
    words(ax, 6.22, 4.16, "to sample:\n$z\\sim\\mathcal{N}(0,I)$", fontsize=11)
    arrow(ax, (6.95, 4.2), (7.75, 4.42))
    inset(figure, 10.1, 4.9, 1.3, painted[0])
    words(ax, 11.65, 4.9, "1 run of\nthe decoder", fontsize=11)
    words(ax, 2.5, 2.9, "$z\\sim\\mathcal{N}(0,I)$", fontsize=13)
    funnel(ax, 4.35, 2.9, "generator", 0.6, 1.3, ORANGE)
    arrow(ax, (3.2, 2.9), (3.65, 2.9))
    arrow(ax, (5.05, 2.9), (5.5, 2.9))
    inset(figure, 6.3, 2.98, 1.2, painted[1])
    funnel(ax, 8.6, 2.9, "discrimi-\nnator", 1.3, 0.6, PURPLE)
    inset(figure, 10.5, 2.9, 0.9, photo)
    for start, end in (((6.9, 2.9), (7.9, 2.9)), ((10.0, 2.9), (9.3, 2.9))):
        arrow(ax, start, end, colour=PURPLE, dashed=True)
    arrow(ax, (8.6, 2.22), (4.6, 2.22), "“look more like a photograph”", PURPLE, 0.0, -0.17, dashed=True, fontsize=11)
    words(ax, 11.7, 2.9, "1 run of the\ngenerator", fontsize=11)
    words(ax, 2.5, 0.9, "$x_T\\sim\\mathcal{N}(0,I)$", fontsize=13)
    box(ax, 5.3, 0.9, "U-Net removes\na little noise", 1.9, 0.8, GREEN, fontsize=12)
    arrow(ax, (3.25, 0.9), (4.3, 0.9))
    arrow(ax, (5.9, 1.34), (4.7, 1.34), "again and again", GREEN, -0.5, 0.05, fontsize=11)
    arrow(ax, (6.3, 0.9), (7.3, 0.9))
    inset(figure, 8.05, 0.9, 1.3, painted[2])
    words(ax, 10.9, 0.9, "50 runs of the U-Net", fontsize=11)
    words(ax, 10.7, 2.05, "dashed: only while training", fontsize=11, color=GREY)
    figure.set_size_inches(11.0, 7.0)  # all but the words a little smaller
    return figure


def one_step() -> Figure:
    """Lesson 04's chain over the VAE's, which has one step."""
    figure, ax = sheet(10.4, 4.3)
    words(ax, 1.0, 3.3, "diffusion\n(lesson 04)", fontsize=12)
    places = {2.6: "$x_0$", 4.3: "$x_1$", 6.0: "$x_2$", 9.2: "$x_T$"}
    for x, name in places.items():
        circle(ax, x, 3.3, name, 0.75, GREY if x == 2.6 else BLUE, fontsize=15)
    words(ax, 7.65, 3.3, "...", fontsize=18)
    for a, b in ((2.6, 4.3), (4.3, 6.0), (6.0, 7.6), (7.7, 9.2)):
        arrow(ax, (a + 0.3, 3.58), (b - 0.3, 3.58), colour=ORANGE, bend=0.25)
        arrow(ax, (b - 0.3, 3.02), (a + 0.3, 3.02), colour=BLUE, bend=0.25)
    words(ax, 3.45, 4.02, "$q(x_1\\mid x_0)$: adds noise, fixed", fontsize=11, color=ORANGE)
    words(ax, 3.45, 2.56, "$p_\\theta(x_0\\mid x_1)$", fontsize=11, color=BLUE)
    words(ax, 1.0, 1.0, "VAE", fontsize=12)
    circle(ax, 2.6, 1.0, "$x$", 0.75, GREY, fontsize=15)
    circle(ax, 9.2, 1.0, "$z$", 0.75, BLUE, fontsize=15)
    arrow(ax, (3.0, 1.2), (8.8, 1.2), "$q_\\phi(z\\mid x)$: the encoder, learned", ORANGE, 0.06, 0.2, fontsize=12)
    arrow(ax, (8.8, 0.8), (3.0, 0.8), "$p_\\theta(x\\mid z)$: the decoder, learned", BLUE, 0.06, -0.22, fontsize=12)
    words(ax, 9.2, 2.1, "$\\mathcal{N}(0,I)$", fontsize=12)
    arrow(ax, (9.2, 2.3), (9.2, 2.9), colour=GREY)
    arrow(ax, (9.2, 1.9), (9.2, 1.4), colour=GREY)
    return figure


def undecided(low: float = -1.0, high: float = 1.0) -> Figure:
    """A pixel that is low or high: what an answer costs by the squared error, and how likely a judge finds it real."""
    figure, axes = plots.panels(1, 3, 3.7, 3.0)
    a = torch.linspace(-1.5, 1.5, 301)
    ax = axes[0, 0]
    ax.bar([low, high], [0.5, 0.5], 0.12, color=GREY)
    ax.set(title="the pixel's two values", xlabel="$x$", ylabel="probability", xlim=(-1.5, 1.5), ylim=(0, 0.75))
    ax = axes[0, 1]
    ax.plot(a, (a - low) ** 2 / 2 + (a - high) ** 2 / 2, color=BLUE)
    ax.plot([0], [1], "o", color=RED, ms=9)
    ax.annotate("cheapest: grey,\nwhich never occurs", (0, 1), (0, 2.0), color=RED, ha="center",
                arrowprops=dict(arrowstyle="->", color=RED), fontsize=11)  # fmt: skip
    ax.set(title="an autoencoder's judge", xlabel="answer $a$", ylabel=r"$\mathbb{E}\,(x-a)^2$", ylim=(0, 3.5))
    ax = axes[0, 2]
    q = sum(torch.exp(-((a - m) ** 2) / (2 * 0.1**2)) for m in (low, high))
    ax.plot(a, q / (q + 0.3), color=PURPLE)
    ax.plot([0], [0], "o", color=RED, ms=9, clip_on=False)
    ax.annotate("grey is caught", (0, 0.02), (0, 0.35), color=RED, ha="center",
                arrowprops=dict(arrowstyle="->", color=RED), fontsize=11)  # fmt: skip
    ax.set(title="a discriminator", xlabel="answer $a$", ylabel="$D(a)$", ylim=(0, 1.05))
    return figure


def game(x: Tensor, q: Tensor, p: Tensor, best: Tensor, learned: dict[str, Tensor]) -> Figure:
    """Two densities, the best discriminator between them, and trained ones.  (N,) each"""
    figure, axes = plots.panels(1, 2, 5.2, 3.3)
    left, right = axes[0]
    for y, name, colour in ((q, "data $q(x)$", GREY), (p, "generator $p_G(x)$", ORANGE)):
        left.fill_between(x, y, color=colour, alpha=0.35)
        left.plot(x, y, color=colour, label=name)
    left.set(xlabel="$x$", ylabel="density", ylim=(0, None))
    right.plot(x, best, color=INK, lw=4, alpha=0.35, label="best: $q/(q+p_G)$")
    for (name, y), colour, dash in zip(learned.items(), (GREEN, RED, PURPLE), (":", "--", "-")):
        right.plot(x, y, dash, color=colour, label=name)
    right.axhline(0.5, color=GREY, lw=0.8, ls=":")
    right.set(xlabel="$x$", ylabel="$D(x)$", ylim=(0, 1.02))
    for ax in (left, right):
        ax.legend(fontsize=10)
    return figure


def slopes() -> Figure:
    """The generator's two losses over the discriminator's answer, and their slopes."""
    figure, axes = plots.panels(1, 2, 5.2, 3.3)
    a = torch.linspace(-6, 6, 301)
    d = a.sigmoid()
    for ax, saturating, other in ((axes[0, 0], (1 - d).log(), -d.log()), (axes[0, 1], d, 1 - d)):
        ax.axvspan(-6, -3, color=RED, alpha=0.12, lw=0)
        ax.plot(a, saturating, "--", color=BLUE)
        ax.plot(a, other, color=ORANGE)
        ax.set(xlabel="logit $a$ that the discriminator gives a sample")
    left, right = axes[0]
    left.set(title="loss", ylim=(-6.3, 6.3))
    right.set(title="size of the slope in $a$", ylim=(-0.02, 1.1))
    left.text(3.0, -4.2, r"$\log(1-D)$", color=BLUE, ha="right")
    left.text(-2.7, 3.2, r"$-\log D$", color=ORANGE)
    right.text(2.4, 0.78, "$D$", color=BLUE)
    right.text(-2.2, 0.93, "$1-D$", color=ORANGE)
    for ax, y in ((left, -5.4), (right, 0.42)):
        ax.text(-4.5, y, "early: every\nsample is caught", ha="center", va="center", fontsize=10, color=RED)
    return figure


def apart(shift: Tensor, found: dict[str, Tensor], most: float) -> Figure:
    """The Jensen-Shannon divergence over the distance of two Gaussians, for several widths.  (N,) each"""
    figure, ((ax,),) = plots.panels(1, 1, 7, 3.3)
    for (name, y), colour, dash in zip(found.items(), (BLUE, ORANGE, GREEN), ("-", "--", "-.")):
        ax.plot(shift, y, dash, color=colour, label=name)
    ax.axhline(most, color=GREY, lw=0.8, ls=":")
    ax.text(shift.max(), most + 0.015, r"$\log 2$: no overlap, no slope", ha="right", color=GREY, fontsize=11)
    ax.set(xlabel="distance of the two means", ylabel="JS", ylim=(0, 0.8))
    ax.legend(fontsize=11, loc="lower right")
    return figure


def trilemma() -> Figure:
    """What each kind of model has, and what it lacks (arXiv 2112.07804, figure 1)."""
    figure, ax = sheet(7.6, 5.2)
    top, left, right = (3.8, 4.35), (1.3, 0.75), (6.3, 0.75)
    ax.add_patch(Polygon([top, left, right], facecolor="#f4f4f4", edgecolor=GREY, lw=1.5))
    for (x, y), name, dy in ((top, "sharp, true pictures", 0.45), (left, "varied pictures", -0.4),
                             (right, "fast sampling", -0.4)):  # fmt: skip
        words(ax, x, y + dy, name, fontsize=14, weight="bold")
        ax.add_patch(Circle((x, y), 0.09, color=INK))
    for a, b, name, colour, at in (
        (top, left, "diffusion", GREEN, (1.45, 2.75)),
        (top, right, "GAN", ORANGE, (5.85, 2.75)),
        (left, right, "VAE", BLUE, (3.8, 1.1)),
    ):
        ax.plot([a[0], b[0]], [a[1], b[1]], color=colour, lw=6, alpha=0.8, solid_capstyle="round")
        words(ax, *at, name, fontsize=15, color=colour, weight="bold")
    words(ax, 3.8, 2.3, "one network\nfor all three?", fontsize=12, color=GREY)
    return figure
