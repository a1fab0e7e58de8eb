"""Lesson 05's drawings: convolutions, the U with its bridges, real maps as a U, norms, rearranging, the block."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Rectangle
from torch import Tensor

from ..plots import BLUE, GREEN, ORANGE, PURPLE, RED, SKY
from .draw import INK, arrow, box, circle, sheet, words

PHASES = (BLUE, ORANGE, GREEN, PURPLE)  # of the four places in a 2 x 2 square


def maps_as_u(x_t: Tensor, x0: Tensor, maps: Sequence[Tensor], titles: tuple[str, str]) -> Figure:
    """What a network computes on its way, as a U.  x_t, x0: (3, H, W), maps: seven of (C, h, w), down, middle, up

    Of each map the three channels that vary most are drawn;  titles: of what goes in and of what comes out.
    """
    figure, ax = sheet(10.6, 5.3)
    places = [(2.95, 4.15), (3.75, 2.55), (4.55, 1.4), (5.3, 0.5), (6.05, 1.4), (6.85, 2.55), (7.65, 4.15)]
    sides = [1.3 * (m.shape[-1] / maps[0].shape[-1]) ** 0.6 for m in maps]
    for k, text in enumerate(("bridge: fine maps stay exact", "bridge", "")):
        (x0_, y), (x1_, _) = places[k], places[6 - k]
        reach = sides[k] / 2 + 0.27
        arrow(ax, (x0_ + reach, y), (x1_ - reach + 0.1, y), text, GREEN, dashed=True, fontsize=11)
    for (x, y), side, m in zip(places, sides, maps):
        cards(ax, m, x, y, side)
        label = rf"${m.shape[0]}$ maps of ${m.shape[1]}\times{m.shape[2]}$"
        if side > 1:
            words(ax, x, y + side / 2 + 0.28, label, fontsize=10)
        else:
            right = x >= 5.3
            at = x + (side / 2 + (0.28 if right else 0.2)) * (1 if right else -1)
            words(ax, at, y - 0.3, label, ha="left" if right else "right", fontsize=10)
    for pair in zip(places[:3], places[1:4], sides[:3], sides[1:4]):
        (xa, ya), (xb, yb), sa, sb = pair
        arrow(ax, (xa + 0.12, ya - sa / 2 - 0.14), (xb - 0.12, yb + sb / 2 + 0.16))
        arrow(ax, (10.6 - xb + 0.12, yb + sb / 2 + 0.16), (10.6 - xa - 0.12, ya - sa / 2 - 0.14))
    for x, picture, title in ((0.85, x_t, titles[0]), (9.75, x0, titles[1])):
        shown = ((picture.clamp(-1, 1) + 1) / 2).permute(1, 2, 0)
        ax.imshow(shown, interpolation="bicubic", extent=(x - 0.75, x + 0.75, 3.4, 4.9), zorder=3)
        words(ax, x, 5.1, title, fontsize=12)
    arrow(ax, (1.65, 4.15), (2.2, 4.15))
    arrow(ax, (8.48, 4.15), (8.98, 4.15))
    words(ax, 0.85, 1.2, "down: smaller maps,\nwider view", fontsize=11)
    words(ax, 9.75, 1.2, "up: larger maps,\nexact places", fontsize=11)
    ax.set(xlim=(0, 10.6), ylim=(0, 5.3))
    return figure


def cards(ax: Axes, m: Tensor, x: float, y: float, side: float) -> None:
    """Three channels of a map as a fan of cards, the liveliest in front.  m: (C, h, w)"""
    best = m[m.flatten(1).std(1).topk(3).indices]
    for k in (2, 1, 0):
        low, high = best[k].quantile(0.02), best[k].quantile(0.98)
        left, bottom = x - side / 2 + 0.1 * k - 0.1, y - side / 2 + 0.1 * k - 0.1
        where = (left, left + side, bottom, bottom + side)
        ax.imshow(((best[k] - low) / (high - low)).clamp(0, 1), cmap="magma", interpolation="nearest", extent=where,
                  zorder=4 - k / 2)  # fmt: skip
        ax.add_patch(Rectangle((left, bottom), side, side, fill=False, edgecolor="white", lw=1, zorder=4.1 - k / 2))


def convolutions(numbers: Tensor, kernel: Tensor) -> Figure:
    """One number of a convolution worked out, and four stamps of a transposed one.  numbers: (4, 4), kernel: (3, 3)"""
    figure, ax = sheet(11.0, 3.5)
    out = F.conv2d(numbers[None, None].float(), kernel[None, None].float(), padding=1)[0, 0]
    grey, side, top = "#B8C4CC", 0.4, 2.75

    def colour(i, j):  # of a cell of the padded input: the window, the map, the rim
        return ORANGE if 1 <= i <= 3 and 1 <= j <= 3 else BLUE if 1 <= i <= 4 and 1 <= j <= 4 else grey

    grid(ax, 0.2, top, F.pad(numbers, (1, 1, 1, 1)), colour, side)
    frame(ax, 0.2 + side, top - 4 * side, 3 * side, ORANGE)
    grid(ax, 3.2, top - 1.5 * side, kernel, lambda i, j: ORANGE, side)
    grid(ax, 5.0, top - side, out, lambda i, j: ORANGE if (i, j) == (1, 1) else BLUE, side)
    frame(ax, 5.0 + side, top - 3 * side, side, ORANGE)
    words(ax, 2.9, top - 3 * side, r"$\times$", fontsize=16)
    arrow(ax, (4.5, top - 3 * side), (4.9, top - 3 * side))
    words(ax, 1.4, 3.15, "input with a rim of zeros", fontsize=12)
    words(ax, 3.8, 3.15, "weights", fontsize=12)
    words(ax, 5.8, 3.15, "output", fontsize=12)
    products = [f"{a}\\cdot{b}" if b >= 0 else f"{a}\\cdot({b})" for a, b in
                zip(numbers[:3, :3].flatten().tolist(), kernel.flatten().tolist()) if b]  # fmt: skip
    words(ax, 3.3, 0.1, f"${'+'.join(products)}={int(out[1, 1])}$", fontsize=11)
    ax.plot([6.95, 6.95], [0.1, 3.3], color=grey, linewidth=1)
    ones = torch.ones(2, 2)
    count = F.conv_transpose2d(ones[None, None], torch.ones(1, 1, 3, 3), stride=2)[0, 0]
    grid(ax, 7.2, top - 2 * side, ones, lambda i, j: PHASES[2 * i + j], side)
    arrow(ax, (8.1, top - 3 * side), (8.5, top - 3 * side))
    left, high = 8.65, top - 0.5 * side
    for k, shade in enumerate(PHASES):  # the stamp of each of the four numbers
        corner = (left + 2 * side * (k % 2), high - 3 * side - 2 * side * (k // 2))
        ax.add_patch(Rectangle(corner, 3 * side, 3 * side, facecolor=shade + "44", edgecolor="none"))
    for k, shade in enumerate(PHASES):
        inset = 0.02 if k in (0, 3) else 0.05
        frame(ax, left + 2 * side * (k % 2) + inset, high - 3 * side - 2 * side * (k // 2) + inset,
              3 * side - 2 * inset, shade)  # fmt: skip
    for i in range(5):
        for j in range(5):
            weight = "bold" if count[i, j] > 1 else "normal"
            at = (left + side * (j + 0.5), high - side * (i + 0.5))
            words(ax, *at, f"{int(count[i, j])}", fontsize=12, weight=weight)
    words(ax, 7.6, 3.15, "input", fontsize=12)
    words(ax, left + 2.5 * side, 3.15, "four stamps, added up", fontsize=12)
    words(ax, 8.9, 0.1, "stamp: $3\\times3$ weights, all 1; two pixels apart", fontsize=11)
    return figure


def frame(ax: Axes, left: float, bottom: float, side: float, colour: str) -> None:
    """The outline of a square."""
    ax.add_patch(Rectangle((left, bottom), side, side, fill=False, edgecolor=colour, lw=2.5, zorder=3))


def badge(ax: Axes, x: float, y: float) -> None:
    """The small sign of the time at the corner of a block."""
    ax.add_patch(Ellipse((x, y), 0.34, 0.34, facecolor="white", edgecolor="none", zorder=2))
    ax.add_patch(Ellipse((x, y), 0.34, 0.34, facecolor=PURPLE + "22", edgecolor=PURPLE, lw=1.5, zorder=2.1))
    words(ax, x, y, "$t$", fontsize=11, zorder=2.2)


def u_net() -> Figure:
    """The lesson's small U-Net as a U: blocks, two bridges with their concatenations, attention, and the time."""
    figure, ax = sheet(10.6, 6.4)
    rows = [(4.3, r"$16 \times 32 \times 32$", 2.3), (2.6, r"$24 \times 16 \times 16$", 3.2),
            (0.95, r"$32 \times 8 \times 8$", 5.3)]  # fmt: skip
    names = ("fine", "middle", "coarse")
    for (y, shape, x), name in zip(rows, names):
        words(ax, 0.75, y, shape, fontsize=12)
        if x < 5:
            box(ax, x, y, name, 1.1, 0.62)
            box(ax, 10.6 - x, y, f"merge\n{name}", 1.1, 0.62, fontsize=12)
            circle(ax, 10.6 - x - 1.15, y, "cat", 0.56, GREEN, fontsize=11)
            arrow(ax, (x + 0.55, y), (10.6 - x - 1.43, y), "", GREEN, dashed=True)
            arrow(ax, (10.6 - x - 0.87, y), (10.6 - x - 0.55, y))
    words(ax, 4.7, 4.5, "bridge (skip connection)", color=GREEN, fontsize=12)
    words(ax, 5.0, 2.8, "bridge", color=GREEN, fontsize=12)
    box(ax, 4.55, 0.95, "coarse", 1.1, 0.62)
    box(ax, 6.15, 0.95, "look", 1.1, 0.62, RED)
    arrow(ax, (5.1, 0.95), (5.6, 0.95))
    words(ax, 6.15, 0.42, "self-attention", color=RED, fontsize=11)
    for start, end, text, side in (
        ((2.3, 3.99), (3.1, 2.91), "down", -1),
        ((3.2, 2.29), (4.4, 1.26), "down", -1),
        ((6.3, 1.26), (6.25, 2.32), "up", 1),
        ((7.4, 2.91), (7.15, 4.02), "up", 1),
    ):
        arrow(ax, start, end, colour=ORANGE)
        words(ax, (start[0] + end[0]) / 2 + 0.42 * side, (start[1] + end[1]) / 2 - 0.05, text, color=ORANGE)
    words(ax, 2.3, 6.1, r"$x_t$", fontsize=16)
    words(ax, 8.3, 6.1, r"$\epsilon_\theta(x_t, t)$", fontsize=16)
    for x, text in ((2.3, "first"), (8.3, "last")):
        box(ax, x, 5.25, text, 1.1, 0.42, SKY, fontsize=12)
    words(ax, 3.65, 5.25, "one convolution", color=INK, fontsize=11)
    words(ax, 9.65, 5.25, "one convolution", color=INK, fontsize=11)
    for y in (5.93, 5.03):
        arrow(ax, (2.3, y), (2.3, y - 0.44))
        arrow(ax, (8.3, y - 0.42), (8.3, y - 0.02))
    for x, y in ((2.3, 4.3), (8.3, 4.3), (3.2, 2.6), (7.4, 2.6), (4.55, 0.95)):
        badge(ax, x + 0.55, y - 0.31)
    badge(ax, 9.0, 1.35)
    words(ax, 9.25, 1.35, "the time $e(t)$", color=PURPLE, fontsize=12, ha="left")
    circle(ax, 9.0, 0.8, "cat", 0.5, GREEN, fontsize=10)
    words(ax, 9.32, 0.8, "concatenated", color=GREEN, fontsize=12, ha="left")
    words(ax, 0.75, 4.95, r"$C \times H \times W$", fontsize=12)
    return figure


def norms() -> Figure:
    """Which numbers share a mean and a variance: batch, group, layer and instance norm, pictures against channels."""
    figure, ax = sheet(9.6, 2.75)
    shared = {
        "batch norm": lambda b, c: c == 2,
        "group norm": lambda b, c: b == 1 and c in (2, 3),
        "layer norm": lambda b, c: b == 1,
        "instance norm": lambda b, c: b == 1 and c == 2,
    }
    for k, (name, inside) in enumerate(shared.items()):
        left = 0.75 + 2.25 * k
        for b in range(4):
            for c in range(6):
                colour = ORANGE if inside(b, c) else "#E8EEF2"
                ax.add_patch(Rectangle((left + 0.3 * c, 1.75 - 0.4 * b), 0.3, 0.4, facecolor=colour, edgecolor="white"))
        words(ax, left + 0.9, 2.4, name, weight="bold" if name == "group norm" else "normal")
        words(ax, left + 0.9, 0.35, "channels", fontsize=11)
    words(ax, 0.45, 1.35, "pictures of the batch", rotation=90, fontsize=11)
    words(ax, 4.8, 0.1, r"each cell stands for the $H\times W$ places of one channel, which are not drawn", fontsize=11)
    return figure


def rearranged(values: Tensor) -> Figure:
    """Rearranging against max pooling on a map of 4 x 4 whole numbers.  values: (4, 4)"""
    figure, ax = sheet(9.6, 2.9)
    grid(ax, 0.3, 2.3, values, lambda i, j: PHASES[2 * (i % 2) + j % 2])
    arrow(ax, (2.35, 1.55), (2.95, 2.05))
    arrow(ax, (2.35, 1.25), (5.95, 0.62), bend=-0.15)
    for k, colour in enumerate(PHASES):
        grid(ax, 3.1 + 1.2 * k, 2.5, values[k // 2 :: 2, k % 2 :: 2], lambda i, j, c=colour: c)
        words(ax, 3.55 + 1.2 * k, 1.33, f"$p = ({k // 2}, {k % 2})$", fontsize=10)
    grid(ax, 6.1, 1.05, values.view(2, 2, 2, 2).amax((1, 3)), lambda i, j: RED)
    words(ax, 8.85, 2.05, "rearranged:\n16 numbers", fontsize=12)
    words(ax, 8.25, 0.6, "max pooled: 4 numbers,\nplaces forgotten", fontsize=12, color=RED)
    return figure


def grid(ax: Axes, left: float, top: float, values: Tensor, colour_of, side: float = 0.45) -> None:
    """Whole numbers in coloured cells.  values: (h, w), colour_of: (row, column) -> colour"""
    for (i, j), v in zip(((i, j) for i in range(values.shape[0]) for j in range(values.shape[1])), values.flatten()):
        at = (left + side * j, top - side * (i + 1))
        ax.add_patch(Rectangle(at, side, side, facecolor=colour_of(i, j) + "44", edgecolor="white", lw=1.5))
        words(ax, at[0] + side / 2, at[1] + side / 2 - 0.005, f"{int(v)}", fontsize=11)


def block() -> Figure:
    """The residual block: the way round, the two convolutions, and the scale and shift that the time sets."""
    figure, ax = sheet(10.4, 2.75)
    y = 0.95
    steps = [("norm", SKY), ("SiLU", ORANGE), ("$W_1$", BLUE), ("norm", SKY), (r"$\times(1{+}s)$" "\n$+\\,b$", PURPLE),
             ("SiLU", ORANGE), ("$W_2$", BLUE)]  # fmt: skip
    words(ax, 0.4, y, "$x$", fontsize=16)
    for k, (text, colour) in enumerate(steps):
        x = 1.4 + 1.12 * k
        box(ax, x, y, text, 0.86, 0.66, colour, fontsize=12)
        arrow(ax, (x - 0.69 if k else 0.6, y), (x - 0.43, y))
    circle(ax, 9.2, y, "$+$", 0.5, GREEN, fontsize=16)
    arrow(ax, (8.55, y), (8.95, y))
    arrow(ax, (9.45, y), (9.85, y))
    words(ax, 10.1, y, "out", fontsize=13)
    for start, end, style in (
        ((0.4, 0.75), (0.4, 0.2), "-"),
        ((0.4, 0.2), (9.2, 0.2), "-"),
        ((9.2, 0.2), (9.2, 0.7), "-|>"),
    ):
        arrow(ax, start, end, colour=GREEN, style=style)
    words(ax, 4.6, 0.36, "the way round: $x$ itself", color=GREEN, fontsize=12)
    box(ax, 5.88, 2.3, "$e(t)$ through a linear layer", 2.9, 0.5, PURPLE, fontsize=12)
    arrow(ax, (5.88, 2.05), (5.88, 1.28), colour=PURPLE)
    words(ax, 6.6, 1.65, "$s$ and $b$", color=PURPLE, fontsize=12)
    words(ax, 8.12, 1.5, "starts at zero", color=BLUE, fontsize=11)
    words(ax, 2.52, 1.55, r"$h$ is the output of $W_1$", color=INK, fontsize=11)
    return figure
