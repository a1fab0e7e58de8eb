"""The pictures of lesson 12: two ways for a text into the network, where words are looked at, and who listens."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any

import torch
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from torch import Tensor

from ..plots import BLUE, GREEN, ORANGE, PURPLE, RED, panels, picture
from .draw import INK, arrow, box, sheet, words


def doors() -> Figure:
    """A prompt becomes one vector and a state for each token; each has a door of its own into the U-Net."""
    figure, ax = sheet(9.6, 4.5)
    box(ax, 0.85, 2.25, '"a yellow\nsunflower"', 1.6, 1.0, INK, fontsize=14)
    box(ax, 2.65, 2.25, "CLIP's\ntext\ntower", 1.2, 1.6, PURPLE, fontsize=14)
    arrow(ax, (1.65, 2.25), (2.05, 2.25))
    box(ax, 4.6, 3.65, "vec: 128 numbers", 2.0, 0.6, BLUE, fontsize=14)
    for i, token in enumerate(("a", "yellow", "sunflower", "(end)")):
        box(ax, 4.6, 1.98 - 0.5 * i, token, 2.0, 0.42, GREEN, fontsize=13)
    words(ax, 4.6, 2.45, "seq: 64 numbers each", fontsize=13, color=GREEN)
    arrow(ax, (3.25, 2.6), (3.6, 3.5), colour=BLUE)
    arrow(ax, (3.25, 1.95), (3.6, 1.4), colour=GREEN)
    for x, y, side, colour in ((8.15, 3.1, 1.5, BLUE), (8.15, 0.95, 1.5, GREEN)):
        left, low, cell = x - side / 2, y - side / 2, side / 4
        for i in range(4):
            for j in range(4):
                near = max(0.06, 0.75 - 0.34 * ((i - 1.4) ** 2 + (j - 1.6) ** 2) ** 0.5)
                shade = 0.28 if colour == BLUE else near
                ax.add_patch(
                    Rectangle((left + i * cell, low + j * cell), cell, cell, facecolor=colour, alpha=shade, lw=0)
                )
        ax.add_patch(Rectangle((left, low), side, side, facecolor="none", edgecolor=colour, lw=1.5))
    arrow(ax, (5.62, 3.65), (7.38, 3.3), colour=BLUE)
    words(ax, 6.5, 3.82, "added to the\ntime embedding", fontsize=12, color=BLUE)
    arrow(ax, (5.62, 1.25), (7.38, 1.0), "each place asks", GREEN, above=0.3, fontsize=13, rotation=-8)
    words(ax, 8.15, 4.17, "scale and shift: the same\nat every place", fontsize=12, color=BLUE)
    words(ax, 8.15, 1.98, "cross-attention: an\nanswer for each place", fontsize=12, color=GREEN)
    return figure


def asking() -> Figure:
    """One place of a picture sends out a query, compares it with the words' keys, and mixes the words' values."""
    figure, ax = sheet(9.6, 3.9)
    side, left, low = 0.5, 0.35, 0.9
    for i in range(4):
        for j in range(4):
            here = (i, j) == (1, 2)
            ax.add_patch(
                Rectangle(
                    (left + i * side, low + j * side), side, side, facecolor=ORANGE if here else "0.95", edgecolor="0.6"
                )
            )
    words(ax, left + 2 * side, low - 0.3, "places of the picture", fontsize=11)
    place = (left + 2 * side, low + 2.5 * side)
    words(ax, place[0] - side / 2, place[1], "$p$", fontsize=14)
    shares = (("(always)", 0.30, "$k_0$", "$v_0$"), ("a", 0.05, "$k_1$", "$v_1$"), ("yellow", 0.15, "$k_2$", "$v_2$"))
    shares += (("sunflower", 0.50, "$k_3$", "$v_3$"),)
    words(ax, 4.35, 3.7, "keys", fontsize=11, color=GREEN)
    words(ax, 6.0, 3.7, r"weights $a_{pl}$", fontsize=11, color=RED)
    words(ax, 7.45, 3.7, "values", fontsize=11, color=BLUE)
    for i, (name, share, key, value) in enumerate(shares):
        y = 3.2 - 0.75 * i
        box(ax, 4.35, y, f"{name}  {key}", 1.5, 0.5, GREEN, fontsize=12)
        arrow(ax, (place[0], place[1]), (3.57, y), colour=ORANGE)
        ax.add_patch(Rectangle((5.4, y - 0.14), 1.1 * share / 0.5, 0.28, facecolor=RED, alpha=0.75))
        words(ax, 5.42, y - 0.27, f"{share:.0%}", fontsize=9, color=RED, ha="left")
        box(ax, 7.45, y, value, 0.8, 0.5, BLUE, fontsize=13)
        arrow(ax, (7.88, y), (8.7, 2.08), colour=BLUE)
    words(ax, 2.5, 3.0, "$q_p$", fontsize=15, color=ORANGE)
    words(ax, 9.08, 2.08, "$o_p$", fontsize=17)
    words(ax, 9.0, 1.6, "weighted\nmean", fontsize=10)
    words(ax, 5.9, 0.25, "how well does the query fit each key?", fontsize=11, color=RED)
    return figure


def grid(x: Tensor, rows: Sequence[str], columns: Sequence[str], side: float = 1.02) -> Figure:
    """Pictures in rows with names, under named columns.  x: (rows * columns, C, H, W), row after row"""
    names = [fill(name, 20) for name in rows]
    room = 0.2 + 0.085 * max(len(line) for name in names for line in name.split("\n"))
    head = 0.25 * (1 + max(name.count("\n") for name in columns))
    figure, axes = panels(len(rows), len(columns), side + room / len(columns), side + head / len(rows))
    for i, ax in enumerate(axes.flat):
        picture(ax, x[i])
    for ax, name in zip(axes[:, 0], names):
        ax.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=12)
    for ax, name in zip(axes[0], columns):
        ax.set_title(name, fontsize=12)
    return figure


def maps(
    mean: Sequence[Tensor], looks: Sequence[Tensor], names: Sequence[Sequence[str]], title: str, most: float = 50
) -> Figure:
    """Where words are looked at, beside a mean picture; all maps have one colour scale, up to `most` per cent.

    mean: a picture (3, H, W) for each row;  looks: (words, h, w) for each row;  names: of each row's words. The least
    and the greatest weight, in per cent, stand over the map.
    """
    figure, axes = panels(len(mean), 1 + max(map(len, names)), 1.3, 1.75)
    for ax_row, x, of_row, of_names in zip(axes, mean, looks, names, strict=True):
        for ax in ax_row:
            ax.axis("off")
        picture(ax_row[0], x)
        ax_row[0].set_title(title, fontsize=11)
        for ax, name, a in zip(ax_row[1:], of_names, of_row):
            drawn = ax.imshow(100 * a, cmap="inferno", vmin=0, vmax=most, interpolation="nearest")
            ax.set_title(f"{name}\n{100 * a.min():.0f} to {100 * a.max():.0f} %", fontsize=11)
    figure.colorbar(drawn, ax=axes, label="% of a place's looks", shrink=0.8)
    return figure


def fraction(f: float = 0.6) -> Figure:
    """Three errors as three distances from a picture, in a space with three directions at right angles."""
    figure, ax = sheet(9.6, 4.3)
    mean, told, photo = (2.6, 1.7), (7.0, 1.7), (7.0, 3.8)
    own = (mean[0] + f * (told[0] - mean[0]), mean[1])
    others = (mean[0] - 0.9, mean[1] - 1.4)
    beside = (told[0] + others[0] - mean[0], others[1])
    ax.add_patch(Polygon((mean, told, beside, others), facecolor="0.93", edgecolor="none", zorder=0))
    ax.add_patch(Polygon((mean, told, photo), facecolor="#0072B2", alpha=0.07, edgecolor="none", zorder=0))
    words(ax, beside[0] - 0.1, beside[1] + 0.18, "the plane of the guesses", ha="right", fontsize=11, color="0.45")
    for end, start in ((mean, told), (told, photo), (mean, others)):
        ax.plot(*zip(end, start), color=INK, lw=1.5)
    for start, colour, line in ((own, BLUE, "-"), (mean, ORANGE, "--"), (others, GREEN, "-.")):
        if colour == GREEN:  # it passes in front of the wall
            ax.plot(*zip(start, photo), color="white", lw=7, zorder=2)
        ax.plot(*zip(start, photo), color=colour, lw=2.2, ls=line, zorder=2.5)
    ax.plot((6.75, 6.75, 7.0), (1.7, 1.95, 1.95), color="0.5", lw=1)  # right angles
    ax.plot((2.85, 2.73, 2.48), (1.7, 1.51, 1.51), color="0.5", lw=1)
    for at in (mean, told, photo, own, others):
        ax.plot(*at, "o", color=INK, markersize=6, zorder=3)
    words(ax, 7.2, 3.85, "the picture $x_0$", ha="left")
    words(ax, 7.2, 1.6, r"$\mu_c$: mean of the pictures" "\n" "with this text", ha="left", fontsize=12)
    words(ax, 2.45, 1.85, r"$\mu$: mean of all pictures", ha="right", fontsize=12)
    words(ax, 1.9, 0.25, "guess with another picture's text", ha="left", fontsize=12)
    words(ax, own[0], 1.52, "guess with its own text", fontsize=12)
    words(ax, 4.75, 1.93, r"$f\sqrt{S}$", color="0.3", fontsize=11)
    words(ax, 6.25, 1.93, r"$(1-f)\sqrt{S}$", color="0.3", fontsize=11)
    words(ax, 7.2, 2.8, r"$\sqrt{R}$", ha="left", color="0.3")
    words(ax, 2.0, 1.1, r"$f\sqrt{S}$", color="0.3", ha="right")
    words(ax, 6.15, 2.5, "own", color=BLUE, ha="left")
    words(ax, 4.4, 2.85, "none", color=ORANGE, ha="right")
    words(ax, 3.5, 1.15, "another's", color=GREEN, ha="left")
    return figure


def listening(found: dict[str, Tensor], levels: Sequence[int]) -> Figure:
    """How much the error grows without a text and with another picture's, over t: a panel for each network.

    found: name -> errors (3, levels, pictures) with the own text, none, another's
    """
    figure, axes = panels(1, len(found), 2.9, 3.3, sharey=True)
    for ax, (name, losses) in zip(axes[0], found.items()):
        own, none, others = losses
        ax.axhline(0, color="0.6", lw=1)
        for label, gap, mark, colour in (("none", none - own, "s--", ORANGE), ("another's", others - own, "o-", GREEN)):
            error = gap.std(1) / gap.shape[1] ** 0.5
            ax.errorbar(
                levels, gap.mean(1), error, fmt=mark, color=colour, label=f"{label} $-$ own", capsize=3, markersize=5
            )
        ax.set(xlabel="$t$", title=name)
        gap = (others - own)[-1]
        if gap.mean() < 3 * gap.std() / len(gap) ** 0.5:
            ax.text(
                0.5, 0.45, "three equal errors:\nthe text is ignored", transform=ax.transAxes, ha="center", color=RED
            )
    axes[0, 0].set_ylabel("rise of the squared error")
    axes[0, 0].legend(fontsize=11, loc="upper left", frameon=False)
    return figure


def scales(rows: Sequence[dict[str, Any]], n: int, floor: float) -> Figure:
    """What a larger guidance scale brings, at the left, and what it costs, at the right."""
    figure, axes = panels(1, 2, 4.6, 3.5)
    left, right = axes[0]
    w = [r["scale"] for r in rows]
    for key, label, mark, colour in (
        ("kind", "kind asked for", "o-", GREEN),
        ("colour", "colour asked for", "s--", BLUE),
    ):
        p = torch.tensor([r[key] for r in rows])
        left.errorbar(w, 100 * p, 100 * (p * (1 - p) / n).sqrt(), fmt=mark, color=colour, label=label, capsize=3)
    left.set(xlabel="scale $w$", ylabel="% of the samples", ylim=(50, 103), xticks=w)
    left.legend(fontsize=11, loc="lower right", frameon=False)
    y = [r["kernel"] for r in rows]
    best = y.index(min(y))
    right.plot(w, y, "o-", color=PURPLE)
    right.axhline(floor, color="0.5", ls="--")
    right.text(w[-1], floor, "photographs", ha="right", va="bottom", fontsize=11, color="0.3")
    arrowed = dict(arrowstyle="-|>", color=INK)
    right.annotate("lowest", (w[best], y[best]), (w[best], 0.55 * y[best]), arrowprops=arrowed, ha="center")
    right.set(xlabel="scale $w$", ylabel="kernel distance", ylim=(-0.01, None), xticks=w)
    return figure


def judged(easy: Sequence[Tensor], hard: Sequence[Tensor], trick: Sequence[Tensor], columns: int = 5) -> Figure:
    """What a judge likes most and least of daisies, and most of pink roses; the last picture is there to trick it.

    easy, hard, trick: pictures (N, 3, H, W), scores (N,), and whether an examiner agrees (N,), which makes them green
    """
    figure, axes = panels(3, columns, 1.02 + 1.15 / columns, 1.3)
    rows = (
        ("a daisy:\nliked most", easy, easy[1].argsort(descending=True)),
        ("a daisy:\nliked least", easy, easy[1].argsort()),
        ("a pink rose:\nliked most", hard, hard[1].argsort(descending=True)),
    )
    for ax_row, (name, (x, scores, right), order) in zip(axes, rows):
        ax_row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=12)
        for ax, i in zip(ax_row, order.tolist()):
            picture(ax, x[i])
            ax.set_title(f"{scores[i]:.2f}", fontsize=12, color=GREEN if right[i] else RED)
    picture(axes[-1, -1], trick[0][0])
    axes[-1, -1].set_title(f"{trick[1][0]:.2f}", fontsize=12, color=GREEN if trick[2][0] else RED)
    axes[-1, -1].set_xlabel("plain square", fontsize=11, color=RED)
    return figure
