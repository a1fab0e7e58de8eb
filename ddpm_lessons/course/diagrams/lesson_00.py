"""The pictures of lesson 00: what works and fails, what is inside, the film in two acts, and the map of the course."""

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from ..plots import BLUE, GREEN, ORANGE, PURPLE, RED, SKY, panels, picture
from ..widgets import DPI
from .draw import INK, arrow, box, sheet, words

GREY = "#888888"


GROUPS = ((4, "what it does best", GREEN), (1, "half-way", ORANGE), (1, "what it fails at", RED))


def works_and_fails(x: Tensor, prompts: Sequence[str], groups=GROUPS, side: float = 1.68) -> Figure:
    """A column for each prompt, under the names of groups of columns.  x: (rows * columns, 3, H, W), row by row"""
    n, rows = len(prompts), len(x) // len(prompts)
    head, gap = 0.75, 0.25
    width, height = n * side + gap * (len(groups) - 1), rows * side + head
    figure, ax = sheet(width, height)
    column, left, top = 0, 0.0, height - 0.3
    for many, name, colour in groups:
        ax.plot((left + 0.05, left + many * side - 0.05), (top - 0.08, top - 0.08), color=colour, lw=2)
        words(ax, left + many * side / 2, top + 0.12, name, color=colour, fontsize=13)
        for _ in range(many):
            words(ax, left + side / 2, height - head + 0.18, f'"{prompts[column]}"', fontsize=11)
            for row in range(rows):
                one = x[row * n + column]
                _thumb(figure, one, left + side / 2, height - head - (row + 0.5) * side, side - 0.08)
            column, left = column + 1, left + side
        left += gap
    return figure


def inside(noise: Tensor, small: Tensor, noised: Tensor, latent: Tensor, final: Tensor, prompt: str) -> Figure:
    """The whole way from a prompt and noise to a picture.  All (C, H, W); the latent with four channels"""
    figure, ax = sheet(10.6, 3.75)
    y = 2.2
    for x, one, side, over, under in (
        (0.5, noise, 0.86, "noise", "32 px"),
        (3.4, small, 0.86, "a small picture", "32 px"),
        (4.72, noised, 0.86, "plus noise", "32 px"),
        (9.65, final, 1.75, "", "128 px"),
    ):
        _thumb(figure, one, x, y, side, pixels="noise" in over)
        words(ax, x, y + side / 2 + 0.17, over, fontsize=10)
        words(ax, x, y - side / 2 - 0.17, under, fontsize=10, color=GREY)
    for i in range(4):  # the latent's channels, as four small maps
        side = 0.42
        dx, dy = (i % 2 - 0.5) * (side + 0.03), (0.5 - i // 2) * (side + 0.03)
        _thumb(figure, latent[i : i + 1].clamp(-2, 2) / 2, 7.5 + dx, y + dy, side)
    words(ax, 7.5, y + 0.62, "a latent", fontsize=10)
    words(ax, 7.5, y - 0.62, r"$4\times 32\times 32$", fontsize=10, color=GREY)
    for x, number, work, colour in ((1.95, 1, "what is where", BLUE), (6.1, 2, "fine things", GREEN)):
        box(ax, x, y, "", 1.25, 1.1, colour)
        words(ax, x, y + 0.32, f"network {number}", fontsize=12, weight="bold", color=colour)
        words(ax, x, y, work, fontsize=11)
        words(ax, x, y - 0.32, "20 steps", fontsize=11)
        arrow(ax, (x, 0.72), (x, y - 0.57), colour=PURPLE)
    arrow(ax, (6.1, 3.25), (6.1, y + 0.57), colour=INK)
    words(ax, 6.1, 3.42, "noise as well", fontsize=10)
    arrow(ax, (8.0, y), (8.72, y), "decoder", colour=ORANGE, fontsize=10)
    for a, b in ((0.96, 1.3), (2.6, 2.94), (3.86, 4.26), (5.18, 5.45), (6.75, 7.04)):
        arrow(ax, (a, y), (b, y))
    box(ax, 4.0, 0.45, f'"{prompt}"  as vectors (CLIP)', 5.4, 0.5, PURPLE, fontsize=12)
    return figure


def two_acts(acts: Sequence[tuple[str, Sequence[tuple[int, int]], Tensor, Tensor]], side: float = 1.26) -> Figure:
    """Where a sample stands over the network's guess, for each act: (heading, columns' t and s, x_s, x0_hat)"""
    n = len(acts[0][1])
    label, head, gap = 1.25, 0.62, 0.2
    block = head + 2 * side
    height = len(acts) * block + (len(acts) - 1) * gap
    figure, ax = sheet(label + n * side, height)
    for k, (heading, ts, x_t, guess) in enumerate(acts):
        top = height - k * (block + gap)
        colour = (BLUE, GREEN)[k % 2]
        words(ax, 0.05, top - 0.17, heading, ha="left", color=colour, fontsize=13)
        words(ax, label - 0.1, top - head + 0.12, r"$t \rightarrow s$", fontsize=12, ha="right")
        for i, (t, s) in enumerate(ts):
            x = label + (i + 0.5) * side
            words(ax, x, top - head + 0.12, rf"${t} \rightarrow {s}$", fontsize=11)
            for row, one in enumerate((x_t[i], guess[i])):
                _thumb(figure, one, x, top - head - (row + 0.5) * side, side - 0.06)
        for row, text in enumerate(("where it\nends, $x_s$", "the guess\nthat led\nthere, $\\hat x_0$")):
            words(ax, label - 0.1, top - head - (row + 0.5) * side, text, ha="right", fontsize=12)
    return figure


def ruler(ts: Sequence[int], T: int = 1000) -> Figure:
    """All steps as fine lines from noise to picture, and the few that are visited as dots.  ts: falling, ending in 0"""
    figure, ax = sheet(9.6, 1.4)
    left, right, y = 0.5, 9.1, 0.66

    def place(t):
        return right - (right - left) * t / T

    for t in range(0, T + 1, 5):
        ax.plot((place(t),) * 2, (y - 0.1, y + 0.1), color="#CCCCCC", lw=0.6, zorder=0)
    stops = [T, *ts]
    for a, b in zip(stops, stops[1:]):
        arrow(ax, (place(a), y + 0.06), (place(b), y + 0.06), colour=BLUE, bend=0.5, style="-")
    ax.scatter([place(t) for t in stops], [y] * len(stops), s=26, color=BLUE, zorder=3)
    for t in (1000, 750, 500, 250, 0):
        words(ax, place(t), y - 0.32, f"$t = {t}$", fontsize=11)
    words(ax, left - 0.1, y + 0.52, "pure noise", fontsize=11, ha="left")
    words(ax, right + 0.1, y + 0.52, "a flower", fontsize=11, ha="right")
    words(ax, 4.8, y + 0.52, f"{len(ts)} jumps over {T} steps", fontsize=12, color=BLUE)
    return figure


LESSONS = {  # number: what, column, row, colour
    "01": ("Gaussians", 0, 0, BLUE),
    "02": ("Forward\ndiffusion", 1, 0, BLUE),
    "03": ("The reverse\nprocess", 2, 0, BLUE),
    "04": ("The loss", 3, 0, BLUE),
    "05": ("The U-Net", 2, 1, ORANGE),
    "06": ("Training", 3, 1, ORANGE),
    "07": ("The cosine\nschedule", 3, 2, ORANGE),
    "08": ("Fast\nsampling", 4, 0, GREEN),
    "09": ("Guidance", 4, 2, GREEN),
    "10": ("Evaluation", 1, 1, SKY),
    "11": ("CLIP", 2, 3, PURPLE),
    "12": ("Text to\nflowers", 4, 3, PURPLE),
    "13": ("Rivals", 1, 2, SKY),
    "14": ("Latent\ndiffusion", 4, 4, RED),
    "15": ("A small\nImagen", 3, 4, RED),
    "16": ("unCLIP's\nprior", 2, 4, RED),
}
NEEDS = "01-02 02-03 03-04 03-05 04-06 05-06 06-07 04-08 08-09 07-09 03-10 09-12 11-12 10-13 12-14 11-16".split()
WIDE, HIGH = 1.6, 0.78


def course_map() -> Figure:
    """The lessons, and an arrow from each to those that build on it."""
    figure, ax = sheet(10.6, 6.3)

    def place(number):
        _, column, row, _ = LESSONS[number]
        return 1.0 + 2.12 * column, 5.75 - 1.3 * row

    for number, (name, _, _, colour) in LESSONS.items():
        x, y = place(number)
        box(ax, x, y, "", WIDE, HIGH, colour)
        words(ax, x - 0.52, y, number, color=colour, fontsize=15, weight="bold")
        words(ax, x + 0.24, y, name, fontsize=11)
    for pair in NEEDS:
        arrow(ax, *_edges(place(pair[:2]), place(pair[3:])))
    for number in ("15", "16"):  # from lesson 12, each of its own point
        (x, y), (u, v) = place("12"), place(number)
        low = y - HIGH / 2 - 0.03, v + HIGH / 2 + 0.03
        arrow(ax, (x - 0.6 + 0.35 * (number == "15"), low[0]), (u + 0.5, low[1]))
    a, b = _edges(place("05"), place("11"))
    arrow(ax, a, b, colour=GREY)
    words(ax, a[0] - 0.1, 2.45, "attention;\nrepeated there", fontsize=10, color=GREY, ha="right")
    (x, y), (u, v) = place("04"), place("13")  # around the corner of lesson 05
    ax.plot((x - 0.7, x - 1.06, x - 1.06), (y - HIGH / 2 - 0.03, y - 0.75, v), color=INK, lw=1.5)
    arrow(ax, (x - 1.06, v), (u + WIDE / 2 + 0.03, v))
    box(ax, 1.0, 4.45, "00  you are here", WIDE, HIGH, INK, fontsize=11)
    arrow(ax, (1.0, 4.85), (1.0, 5.34))
    for i, (text, colour) in enumerate(
        (
            ("what the mathematics says", BLUE),
            ("the network, and how it learns", ORANGE),
            ("how samples are made and steered", GREEN),
            ("how good they are", SKY),
            ("words", PURPLE),
            ("on the way to the large systems", RED),
        )
    ):
        ax.add_patch(Rectangle((0.2, 1.75 - 0.3 * i), 0.24, 0.2, facecolor=colour + "44", edgecolor=colour, lw=1.5))
        words(ax, 0.55, 1.85 - 0.3 * i, text, ha="left", fontsize=11)
    return figure


def one_step_back() -> Figure:
    """Two hills on a line, then one step of noise, and a point is found at 0.3: where was it, by Bayes' rule?"""
    figure, (axes,) = panels(1, 2, 4.8, 2.7, sharex=True)
    x = torch.linspace(-2.4, 2.4, 1001)
    hills = torch.exp(-((x + 0.95) ** 2) / 0.2) + torch.exp(-((x - 0.95) ** 2) / 0.2)
    cases = (0.9, "one large step back", "the mean: a blur"), (0.02, "one small step back", "the mean")
    for ax, (beta, title, note) in zip(axes, cases):
        q = hills * torch.exp(-((0.3 - (1 - beta) ** 0.5 * x) ** 2) / (2 * beta))
        mean = (q * x).sum() / q.sum()
        ax.fill_between(x, q / q.max(), color=SKY, alpha=0.6, linewidth=0)
        ax.axvline(mean, 0, 0.8, color=INK, linestyle="--", linewidth=1.5)
        ax.text(mean, 1.14, note, ha="center", va="bottom", fontsize=12)
        ax.plot(0.3, 0, "o", color=RED, ms=9, clip_on=False, zorder=5)
        ax.annotate("$x_t$", (0.3, 0), (-0.2, 0.28), color=RED, fontsize=14, ha="center",
                    arrowprops={"arrowstyle": "-|>", "color": RED, "shrinkB": 6})  # fmt: skip
        ax.set(title=title, yticks=[], xticks=[], ylim=(0, 1.4), xlabel="all pictures, as points of a line")
    return figure


def _edges(a: tuple[float, float], b: tuple[float, float]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Where an arrow from box a to box b leaves the one and meets the other."""
    if a[1] == b[1]:
        return (a[0] + WIDE / 2 + 0.03, a[1]), (b[0] - WIDE / 2 - 0.03, b[1])
    side = 0.42 * WIDE * ((b[0] > a[0]) - (b[0] < a[0])) if a[0] != b[0] else 0
    return (a[0] + side, a[1] - HIGH / 2 - 0.03), (b[0] - side, b[1] + HIGH / 2 + 0.03)


def _thumb(figure: Figure, x: Tensor, cx: float, cy: float, side: float, pixels: bool = False) -> Axes:
    """A square picture around (cx, cy), in inches of the sheet.  x: (C, H, W)"""
    width, height = figure.get_size_inches()
    x0, y0, side = (round(v * DPI) / DPI for v in (cx - side / 2, cy - side / 2, side))  # on whole dots
    ax = figure.add_axes((x0 / width, y0 / height, side / width, side / height))
    picture(ax, x, pixels)
    return ax
