"""Tensors in, matplotlib figures out: readable on a wall, and in colours that colour-blind readers tell apart."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ..samplers import Step

BLUE, ORANGE, GREEN, PURPLE, SKY, RED = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED)  # Okabe and Ito's, made for all eyes
STYLE = {
    "axes.prop_cycle": matplotlib.cycler(color=COLOURS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 13,
    "font.size": 12,
    "lines.linewidth": 2,
}


def panels(rows: int, columns: int, width: float = 3.5, height: float = 3.0, **kw: Any) -> tuple[Figure, Any]:
    """An empty figure in the course's style -> (figure, axes (rows, columns)); a panel's size is in inches."""
    with matplotlib.rc_context(STYLE):
        figure = Figure((columns * width, rows * height), dpi=80, layout="constrained")
        return figure, figure.subplots(rows, columns, squeeze=False, **kw)


def pictures(
    x: Tensor,
    titles: Sequence[str] = (),
    columns: int | None = None,
    side: float = 1.3,
    rows: Sequence[str] = (),
    pixels: bool = False,
) -> Figure:
    """A grid of pictures.  x: (N, C, H, W) in [-1, 1] (clipped to it), side: of each in inches

    titles: over the pictures, in order (one for each column of the first row is enough);  rows: at the left of each
    row;  pixels: show the pixels as squares, where a lesson is about them, in place of smoothly.
    """
    columns = min(len(x), columns or 10)
    n = -(-len(x) // columns)
    headed, lines = -(-len(titles) // columns), [line for name in rows for line in name.split("\n")]
    names = 0.09 * max(map(len, lines), default=0)  # inches
    figure, axes = panels(n, columns, side + names / columns, side + 0.3 * headed / n)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    for i, ax in zip(range(len(x)), axes.flat):
        picture(ax, x[i], pixels)
        if i < len(titles):
            ax.set_title(titles[i], fontsize=11)
    for name, ax in zip(rows, axes[:, 0]):
        ax.set_ylabel(name, rotation=0, ha="right", va="center", fontsize=12)
    return figure


def picture(ax: Axes, x: Tensor, pixels: bool = False) -> None:
    """Draw one picture into an axes, smoothly, or pixel by pixel.  x: (C, H, W) in [-1, 1]"""
    x = ((x.detach().cpu().float().clamp(-1, 1) + 1) / 2).permute(1, 2, 0)
    ax.imshow(
        x if x.shape[-1] == 3 else x[..., 0],
        cmap="gray",
        vmin=0,
        vmax=1,
        interpolation="nearest" if pixels else "bicubic",
    )
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


def film(steps: Sequence[Step], n: int = 8, guess: bool = False) -> Figure:
    """n moments of a sampling run, a column each; rows: the batch's pictures, or with guess=True, x_t over x0_hat."""
    chosen = [steps[round(i * (len(steps) - 1) / max(n - 1, 1))] for i in range(n)]
    rows = [[s.x[0], s.x0[0]] if guess else list(s.x) for s in chosen]
    x = torch.stack([r[k] for k in range(len(rows[0])) for r in rows])
    return pictures(x, [f"t = {s.t}" for s in chosen], columns=n)


def curves(
    x: Tensor | Sequence, lines: dict[str, Any], xlabel: str, ylabel: str, log: str = "", title: str = ""
) -> Figure:
    """Named lines over a common x, (N,) each; log: "x", "y" or "xy" for logarithmic axes."""
    figure, ((ax,),) = panels(1, 1, 7, 3.5)
    for (name, y), dash in zip(lines.items(), ("-", "--", "-.", ":", "-", "--", "-.", ":")):
        ax.plot(x, y, dash, label=name)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    if "x" in log:
        ax.set_xscale("log")
    if "y" in log:
        ax.set_yscale("log")
    if len(lines) > 1:
        ax.legend()
    return figure


def training(losses: Sequence[float], x: Tensor | None = None) -> Figure:
    """The loss so far, thin, with its running mean, thick; and, when given, samples x: (N, C, H, W) beside it."""
    figure, axes = panels(1, 1 if x is None else 2, 5, 3.2)
    ax = axes[0, 0]
    loss = torch.tensor(losses)
    ax.plot(loss, color=SKY, linewidth=0.6)
    k = max(1, len(losses) // 20)
    if len(losses) >= 2 * k:
        ax.plot(range(k - 1, len(losses)), loss.unfold(0, k, 1).mean(1), color=BLUE, label=f"mean of {k}")
        ax.legend()
    ax.set(xlabel="step", ylabel="loss", yscale="log")
    if x is not None:
        from torchvision.utils import make_grid

        picture(axes[0, 1], make_grid(x.cpu(), nrow=round(len(x) ** 0.5 + 0.49), pad_value=1.0))
    return figure


def points(panels_of: Sequence[Sequence[Tensor]], titles: Sequence[str], rows: Sequence[str], limit=2.5) -> Figure:
    """Rows of scatter plots.  panels_of[row][column]: (N, 2); titles: of the columns; rows: of the rows"""
    figure, axes = panels(len(panels_of), len(titles), 2.2, 2.2, sharex=True, sharey=True)
    for row, ax_row, name in zip(panels_of, axes, rows):
        ax_row[0].set_ylabel(name)
        for p, ax in zip(row, ax_row):
            ax.scatter(*p.T, s=2, color=BLUE, alpha=0.6, linewidths=0)
            ax.set(xlim=(-limit, limit), ylim=(-limit, limit), xticks=[], yticks=[], aspect="equal")
    for title, ax in zip(titles, axes[0]):
        ax.set_title(title)
    return figure
