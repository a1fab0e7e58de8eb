"""Lesson 15's diagrams: a small Imagen as a whole, a batch of texts with its padding, and the cascade."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from ..plots import BLUE, GREEN, ORANGE, PURPLE, RED
from .draw import INK, arrow, box, sheet, words
from .lesson_14 import inset

GREY = "#777777"


def whole(
    prompt: str, x_t: Tensor, guess: Tensor, tokens: Sequence[str], sizes: Sequence[int], cross: Sequence[int]
) -> Figure:
    """The network.  x_t, guess: (3, H, W);  tokens: of a prompt, "" for padding;  sizes: of the U's levels, in pixels

    cross: the sizes at which there is cross-attention.
    """
    figure, ax = sheet(13.2, 6.6)
    n, step = len(tokens), 0.43
    top = 4.95
    for i, token in enumerate(tokens):
        colour = GREEN if token else "#bbbbbb"
        box(ax, 1.0, top - i * step, token or "padding", 1.5, 0.36, colour, fontsize=11, color=INK if token else GREY)
        shade = GREEN if token else "white"
        ax.add_patch(Rectangle((4.13, top - i * step - 0.15), 0.3, 0.3, facecolor=shade, edgecolor=colour, alpha=0.8))
        for k in range(7):
            fill = GREEN + format(60 + (37 * (i + 2) * (k + 3)) % 130, "02x") if token else "white"
            ax.add_patch(Rectangle((4.75 + 0.16 * k, top - i * step - 0.13), 0.16, 0.26, facecolor=fill, ec=colour))
    last = top - (n - 1) * step
    middle = (top + last) / 2
    box(ax, 2.9, middle, "MiniLM\n(or T5)\n\nfrozen:\nis not\ntrained", 1.25, top - last + 0.5, PURPLE, fontsize=12)
    arrow(ax, (1.78, middle), (2.25, middle))
    arrow(ax, (3.55, middle), (4.05, middle))
    words(ax, 1.0, top + 0.42, "tokens", fontsize=12)
    words(ax, 4.28, top + 0.42, "mask", fontsize=12, color=GREEN)
    words(ax, 5.31, top + 0.42, "states $y_l$", fontsize=12, color=GREEN)
    words(ax, 0.25, 6.25, f"“{prompt}”", fontsize=13, ha="left")
    # the two doors
    box(ax, 7.15, 5.75, "masked mean\n(15.1)", 1.5, 0.62, BLUE, fontsize=11)
    arrow(ax, (5.95, top - step), (6.38, 5.62), colour=BLUE)
    arrow(ax, (7.9, 5.75), (8.55, 5.75), colour=BLUE)
    box(ax, 9.2, 5.75, "$+$ time $t$", 1.2, 0.5, BLUE, fontsize=12)
    box(ax, 7.15, last, "layer norm\n(15.3)", 1.5, 0.62, ORANGE, fontsize=11)
    arrow(ax, (5.95, last + step), (6.38, last + 0.05), colour=ORANGE)
    # the U
    left, right, gap, y0 = 9.0, 12.5, 0.86, 4.55
    bottom = y0 - gap * (len(sizes) - 1)
    for k, size in enumerate(sizes):
        width, y = 1.1, y0 - k * gap
        inward = 0.28 * k
        for x, sign in ((left, 1), (right, -1)):
            here = x + sign * inward
            box(ax, here, y, f"{size} px", width, 0.5, BLUE, fontsize=12)
            if size in cross:
                ax.add_patch(Rectangle((here - width / 2, y - 0.25), width, 0.1, facecolor=ORANGE, lw=0))
            if k:
                arrow(ax, (here - sign * 0.28, y + gap - 0.25), (here - sign * 0.1, y + 0.25))
                if sign < 0:  # the way up
                    ax.patches[-1].set_arrowstyle("<|-")
        if k < len(sizes) - 1:
            bridge = ((left + inward + width / 2 + 0.03, y), (right - inward - width / 2 - 0.03, y))
            arrow(ax, *bridge, colour=GREY, dashed=True)
    inner = 0.28 * (len(sizes) - 1)
    arrow(ax, (left + inner + 0.57, bottom), (right - inner - 0.57, bottom))
    arrow(ax, (9.2, 5.48), (9.2, y0 + 0.3), colour=BLUE)
    words(ax, 9.35, 5.15, "a scale and a shift in every block", fontsize=11, color=BLUE, ha="left")
    arrow(ax, (7.92, last), (left + inner - 0.6, bottom - 0.12), colour=ORANGE)
    words(ax, 8.2, last - 0.75, "cross-attention where\nthe frame is orange: each\nplace asks each word", fontsize=11,
          color=ORANGE, ha="center")  # fmt: skip
    for x, picture, name in ((10.55, x_t, "$x_t$"), (12.35, guess, r"guess $\hat x_0$")):
        inset(figure, x, 0.92, 1.3, picture)
        words(ax, x, 1.73, name, fontsize=14)
    arrow(ax, (11.24, 0.92), (11.66, 0.92))
    words(ax, 11.45, 0.15, "one call of the network", fontsize=11)
    return figure


def padding(tokens: Sequence[Sequence[str]]) -> Figure:
    """A batch of texts, a row each, filled up to one length: what the mask marks as real, and what not."""
    longest, wide = max(map(len, tokens)), 1.12
    figure, ax = sheet(1.15 + wide * longest, 0.9 + 0.5 * len(tokens))
    y0 = 0.5 * len(tokens)
    for i, row in enumerate(tokens):
        y = y0 - 0.5 * i
        words(ax, 0.5, y, f"text {i + 1}", fontsize=12)
        for k in range(longest):
            x, real = 1.65 + wide * k, k < len(row)
            box(ax, x, y, row[k] if real else "0", wide - 0.12, 0.38, GREEN if real else "#bbbbbb", fontsize=12,
                color=INK if real else "#999999")  # fmt: skip
    for k in range(longest):
        words(ax, 1.65 + wide * k, y0 + 0.42, f"$l={k + 1}$", fontsize=12, color=GREY)
    words(
        ax, 1.1, 0.18, "green: $m_l=1$, a real token;  grey: $m_l=0$, padding, a state of zeros", fontsize=12, ha="left"
    )
    return figure


def cascade(photo: Tensor, small: Tensor, noised: Tensor, made: Tensor, dirty: Tensor, large: Tensor) -> Figure:
    """The second stage in training, above, and in use, below.  (3, H, W) each; made: by the first network."""
    figure, ax = sheet(13.2, 5.6)
    up, low = 4.1, 1.35
    for y, name in ((up, "in training"), (low, "in use")):
        words(ax, 0.12, y + 1.28, name, fontsize=14, ha="left", weight="bold")
    for x, y, side, picture, name in (
        (1.05, up, 1.5, photo, "photograph, 128 px"),
        (3.55, up, 1.1, small, "shrunk, 32 px: $u$"),
        (6.05, up, 1.1, noised, "with noise: $u_r$"),
        (3.55, low, 1.1, made, "generated: $u'$"),
        (6.05, low, 1.1, dirty, "with noise: $u'_r$"),
        (12.2, low, 1.6, large, "a new picture, 128 px"),
    ):
        inset(figure, x, y, side, picture)
        words(ax, x, y + side / 2 + 0.17, name, fontsize=12)
    box(ax, 1.2, low, "first network:\nprompt → 32 px\n(Imagen: 64 px)", 1.9, 1.0, PURPLE, fontsize=12)
    box(ax, 8.9, up, "second network:\ntold $u_r$, $r$ and the prompt", 2.9, 0.9, ORANGE, fontsize=12)
    box(ax, 8.9, low, "second network:\ntold $u'_r$, $r$ and the prompt", 2.9, 0.9, ORANGE, fontsize=12)
    box(ax, 12.2, up, "target:\nthe photograph", 1.8, 0.9, BLUE, fontsize=12)
    for y, r in ((up, "$r$ drawn\nfrom 0..400"), (low, "$r=100$,\nyour choice")):
        arrow(ax, (4.15, y), (5.45, y))
        words(ax, 4.8, y + 0.38, r, fontsize=11, color=RED)
        arrow(ax, (6.65, y), (7.4, y))
    arrow(ax, (1.85, up), (2.95, up))
    arrow(ax, (2.2, low), (2.95, low))
    arrow(ax, (10.4, up), (11.25, up))
    arrow(ax, (10.4, low), (11.35, low))
    arrow(ax, (3.55, up - 0.6), (3.55, low + 0.9), "", RED, style="<|-|>", dashed=True)
    gap = "the exposure gap: $u'$ has\nmistakes that no shrunk\nphotograph has"
    words(ax, 3.35, 2.75, gap, fontsize=12, color=RED, ha="right")
    arrow(ax, (6.05, up - 0.6), (6.05, low + 0.9), "", GREY, style="<|-|>", dashed=True)
    words(
        ax, 6.25, 2.75, "narrower: the noise covers\nmistakes and fine detail alike", fontsize=12, color=GREY, ha="left"
    )
    return figure
