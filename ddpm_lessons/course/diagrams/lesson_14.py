"""Lesson 14's pictures: latent diffusion as a whole, what it costs, what a latent looks like, and why it is scaled."""

from collections.abc import Sequence

import matplotlib
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Polygon
from torch import Tensor

from ...schedules import Schedule
from .. import plots
from ..plots import BLUE, GREEN, ORANGE, PURPLE, RED
from .draw import INK, arrow, box, sheet, words

GREY = "#777777"


def inset(figure: Figure, x: float, y: float, side: float, picture: Tensor, pixels: bool = False) -> Axes:
    """A square picture around its middle (x, y), in inches."""
    width, height = figure.get_size_inches()
    with matplotlib.rc_context(plots.STYLE):
        ax = figure.add_axes(((x - side / 2) / width, (y - side / 2) / height, side / width, side / height))
    plots.picture(ax, picture, pixels)
    return ax


def funnel(ax: Axes, x: float, y: float, text: str, left: float, right: float, colour: str) -> None:
    """An encoder (left side taller) or a decoder (right side taller)."""
    corners = [(x - 0.65, y - left / 2), (x - 0.65, y + left / 2), (x + 0.65, y + right / 2), (x + 0.65, y - right / 2)]
    ax.add_patch(Polygon(corners, facecolor=colour + "22", edgecolor=colour, lw=1.5, joinstyle="round"))
    words(ax, x, y, text, fontsize=12)


def whole(photo: Tensor, z0: Tensor, z_t: Tensor, small: Tensor, made: Tensor, painted: Tensor, prompt: str) -> Figure:
    """Everything at once.  photo, painted: (3, H, W), small: (3, h, w), z0, z_t, made: latents as colours (3, h, w)"""
    figure, ax = sheet(13.2, 6.3)
    top, middle, low = 5.1, 2.95, 0.95
    look = dict(boxstyle="round,pad=0,rounding_size=0.15", facecolor="none", edgecolor=RED, lw=1.5)
    ax.add_patch(FancyBboxPatch((3.75, 0.12), 4.75, 1.66, **look))
    ours = "only in ours: a picture that\nsays what is where (section 9)"
    words(ax, 8.65, 0.62, ours, color=RED, fontsize=12, ha="left")
    for x, y, side, picture, sharp, name in (
        (1.05, top, 1.6, photo, False, "photograph, 128 px"),
        (4.9, top, 1.2, z0, True, "latent $z_0$, $32\\times32\\times4$"),
        (4.9, middle, 1.2, z_t, True, ""),
        (9.15, middle, 1.2, made, True, "a new latent $z_0$"),
        (12.25, middle, 1.6, painted, False, "a new picture"),
        (7.6, low, 1.2, small, True, ""),
    ):
        inset(figure, x, y, side, picture, sharp)
        words(ax, x, y + side / 2 + 0.17, name, fontsize=12)
    words(ax, 3.95, middle, "$z_t$", fontsize=16)
    words(ax, 6.68, 1.2, "32 px", fontsize=11)
    funnel(ax, 2.95, top, "encoder", 1.4, 0.7, BLUE)
    funnel(ax, 10.65, middle, "decoder", 0.7, 1.4, BLUE)
    box(ax, 7.1, middle, "U-Net\nremoves noise,\nstep by step", 1.7, 1.2, ORANGE, fontsize=12)
    box(ax, 2.3, low, "CLIP reads\n(lesson 11)", 1.35, 0.8, GREEN, fontsize=12)
    box(ax, 4.9, low, "lesson 12's\nnetwork", 1.35, 0.8, PURPLE, fontsize=12)
    words(ax, 0.7, low, f"“{prompt}”", fontsize=11)
    for start, end in (((1.9, top), (2.25, top)), ((3.65, top), (4.25, top))):
        arrow(ax, start, end, colour=BLUE, dashed=True)
    arrow(ax, (4.9, top - 0.65), (4.9, middle + 0.65), colour=GREY, dashed=True)
    words(ax, 5.05, 4.02, "noise is added,\nas in lesson 02", fontsize=12, color=GREY, ha="left")
    words(ax, 7.0, top, "dashed: only while training", fontsize=12, color=GREY, ha="left")
    for start, end in (
        ((5.55, middle), (6.2, middle)),
        ((8.0, middle), (8.5, middle)),
        ((9.8, middle), (9.97, middle)),
        ((11.33, middle), (11.43, middle)),
        ((1.37, low), (1.6, low)),
        ((3.0, low), (4.2, low)),
        ((5.6, low), (6.95, low)),
    ):
        arrow(ax, start, end)
    arrow(ax, (7.5, low + 0.62), (7.5, middle - 0.62), colour=RED)
    words(ax, 7.62, 2.05, "with noise", fontsize=11, color=RED, ha="left")
    arrow(ax, (2.3, low + 0.42), (6.4, middle - 0.62), colour=GREEN, bend=0.12)
    words(ax, 3.0, 2.2, "words", fontsize=12, color=GREEN)
    return figure


def costs(parts: dict[str, dict[str, float]]) -> Figure:
    """Bars of multiplications.  parts: name of a bar -> what it consists of -> billions"""
    figure, ((ax,),) = plots.panels(1, 1, 9, 2.9)
    for y, (name, found) in enumerate(parts.items()):
        left = 0.0
        for what, value in found.items():
            colour = {"convolutions": BLUE, "attention": ORANGE, "decoder, once": GREEN}[what]
            ax.barh(y, value, left=left, color=colour, label=what)
            left += value
        ax.text(left * 1.01 + 4, y, f"{left:,.0f}", va="center")
    handles = {label: h for h, label in zip(*ax.get_legend_handles_labels())}
    ax.legend(handles.values(), handles.keys(), loc="lower right", frameon=False)
    ax.set_yticks(range(len(parts)), parts.keys())
    ax.invert_yaxis()
    ax.set(xlabel="billions of multiplications for one guided picture in 20 steps")
    ax.margins(x=0.12)
    return figure


def channels(photo: Tensor, z: Sequence[Tensor], colours: Tensor) -> Figure:
    """A photograph, its latent channel by channel, and the colours of a linear map.

    photo: (3, H, W);  z: the four channels, last the part that the map does not see, (h, w) each;  colours: (3, h, w)
    """
    names = (*(f"channel {k}\n$32\\times32$" for k in range(1, len(z))), "not seen by\nthe linear map")
    figure, axes = plots.panels(1, 2 + len(z), 1.5, 2.5)
    plots.picture(axes[0, 0], photo)
    axes[0, 0].set_title("photograph\n$128\\times128$", fontsize=12)
    for ax, channel, name in zip(axes[0, 1:-1], z, names):
        drawn = ax.imshow(channel, cmap="PuOr", vmin=-1.5, vmax=1.5, interpolation="nearest")
        ax.spines[:].set_visible(False)
        ax.set(xticks=[], yticks=[])
        ax.set_title(name, fontsize=12)
    figure.colorbar(drawn, ax=axes[0].tolist(), orientation="horizontal", aspect=60, pad=0.03, shrink=0.6)
    plots.picture(axes[0, -1], colours, pixels=True)
    axes[0, -1].set_title("a linear map\nto colours", fontsize=12)
    return figure


def error(x: Tensor, back: Tensor, zoom: tuple[slice, slice]) -> Figure:
    """A photograph with a frame, and what is in the frame: before, after the round trip, and the difference.

    x, back: (3, H, W)
    """
    off = (back - x).abs().mean(0)
    figure, axes = plots.panels(1, 4, 2.0, 2.15)
    h, w = zoom
    frame = dict(xy=(w.start, h.start), width=w.stop - w.start, height=h.stop - h.start)
    names = ("photograph", "its middle", "there and back", "error")
    for ax, one, name in zip(axes[0], (x, x[:, h, w], back[:, h, w]), names):
        plots.picture(ax, one)
    axes[0, 0].add_patch(matplotlib.patches.Rectangle(**frame, fill=False, edgecolor="white", lw=1.5))
    drawn = axes[0, 3].imshow(off[h, w], cmap="magma", vmin=0, vmax=0.4)
    axes[0, 3].set(xticks=[], yticks=[])
    axes[0, 3].spines[:].set_visible(False)
    figure.colorbar(drawn, ax=axes[0, 3], shrink=0.7)
    for ax, name in zip(axes[0], names):
        ax.set_title(name)
    return figure


def answers(pictures: Sequence[Tensor], names: Sequence[str], costs_of: dict[str, Sequence[float]]) -> Figure:
    """Answers as pictures, and what each pays by several losses, as a share of the dearest; the cheapest is marked.

    names: of the pictures, and of further answers that are not shown
    """
    figure, axes = plots.panels(1, len(pictures) + 1, 2.3, 3.1, width_ratios=[1] * len(pictures) + [2.3])
    for ax, one, name in zip(axes[0], pictures, names):
        plots.picture(ax, one)
        ax.set_title(name)
    ax, n = axes[0, -1], len(names)
    for k, name in enumerate(names):
        shares = [values[k] / max(values) for values in costs_of.values()]
        places = [j + (k - (n - 1) / 2) * 0.84 / n for j in range(len(shares))]
        ax.barh(places, shares, 0.84 / n, label=name, color=plots.COLOURS[k])
        for place, values in zip(places, costs_of.values()):
            if values[k] == min(values):
                ax.text(0.03, place, "best", va="center", color="white", fontsize=12, weight="bold")
    ax.set_yticks(range(len(costs_of)), [name.replace(" ", "\n") for name in costs_of], fontsize=12)
    ax.invert_yaxis()
    ax.set_xlabel("loss / worst of the four", fontsize=12)
    ax.tick_params(axis="x", labelsize=11)
    figure.legend(*ax.get_legend_handles_labels(), fontsize=12, loc="outside upper right", ncols=n, frameon=False)
    return figure


def snr(schedule: Schedule, spreads: dict[str, float]) -> Figure:
    """The logarithm of (14.8) over t for data of several standard deviations, and where signal and noise are equal."""
    figure, ((ax,),) = plots.panels(1, 1, 8, 3.6)
    t = torch.arange(1, schedule.T + 1)
    for (name, std), colour, y in zip(spreads.items(), plots.COLOURS, (-3.2, 1.8, 3.6)):
        log = (std**2 * schedule.snr(t)).log10()
        ax.plot(t, log, color=colour, label=name)
        equal = int(log.abs().argmin()) + 1
        ax.plot([equal], [0], "o", color=colour)
        ax.annotate(f"$t={equal}$", (equal, 0), (equal + 30, y), color=colour, ha="center",
                    arrowprops=dict(arrowstyle="->", color=colour))  # fmt: skip
    ax.axhline(0, color=INK, lw=0.8, ls=":")
    ax.text(schedule.T, 0.15, "signal = noise", fontsize=10, ha="right")
    ax.set(xlabel="$t$", ylabel=r"$\log_{10}\ \mathrm{SNR}_\sigma(t)$", ylim=(-5, 6), xlim=(0, schedule.T))
    ax.legend(loc="upper right", fontsize=11)
    return figure
