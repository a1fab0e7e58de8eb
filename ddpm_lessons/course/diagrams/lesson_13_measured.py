"""What lesson 13 measures, drawn: planes of latents, rings of points, and the four rivals beside photographs."""

import math
from collections.abc import Sequence
from typing import Any

import matplotlib
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Ellipse
from torch import Tensor
from torchvision.utils import make_grid

from .. import plots
from ..plots import BLUE, GREEN, ORANGE, PURPLE, RED, SKY
from ..rivals_toys import centres
from .draw import INK
from .lesson_14 import GREY

COLOUR = {"autoencoder": GREY, "vae": BLUE, "gan": ORANGE, "diffusion": GREEN, "x0": PURPLE}
NAME = {
    "autoencoder": "autoencoder",
    "vae": "VAE",
    "gan": "GAN",
    "diffusion": "diffusion",
    "x0": "diffusion,\nanswer $x_0$",
}


def labelled(record: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each way of sampling each run of data/rivals.json, as in data/rivals.jpg, with its label."""
    rows, usual = [], min(run["minutes"] for run in record["runs"])
    for run in record["runs"]:
        longer = f",\n{run['minutes']:.0f} minutes" if run["minutes"] > 1.5 * usual else ""
        for name, found in ((NAME[run["name"]], run), ("autoencoder,\nfitted", run.get("fitted"))):
            if found:
                rows.append(run | found | {"name_of": name, "label": name + longer})
    return rows


def table(record: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """The mean over seeds and, in brackets, how far the largest is from the smallest; a line for each label."""
    lines = [f"{'':34} seeds  minutes  Fréchet        kernel          precision  recall  sharpness  ms a picture"]
    for label in dict.fromkeys(r["label"] for r in rows):
        mine = [r for r in rows if r["label"] == label]
        mean = {k: sum(r[k] for r in mine) / len(mine) for k, v in mine[0].items() if isinstance(v, int | float)}
        f, k = (max(r[what] for r in mine) - min(r[what] for r in mine) for what in ("frechet", "kernel"))
        name = label.replace("\n", " ").replace("$", "")
        fs, ks = (f"({f:3.0f})", f"({k:.3f})") if len(mine) > 1 else ("  -  ", "   -   ")
        lines.append(
            f"{name:34} {len(mine):5} {mean['minutes']:8.1f} {mean['frechet']:8.0f} {fs} {mean['kernel']:9.3f} "
            f"{ks} {mean['precision']:10.2f} {mean['recall']:7.2f} {mean['sharpness']:10.2f} "
            f"{1000 * mean['seconds']:13.2f}"
        )
    f, k, precision, recall = record["photographs"]["floor"].values()
    lines.append(f"{'photographs (floor)':49} {f:8.0f} {k:15.3f} {precision:18.2f} {recall:7.2f} {1:10.2f}")
    return "\n".join(lines)


def lineup(photo: Tensor, rows: dict[str, Tensor]) -> Figure:
    """A photograph, large, beside rows of samples.  photo: (3, H, W), rows: name -> (n, 3, H, W)"""
    n = len(next(iter(rows.values())))
    with matplotlib.rc_context(plots.STYLE):
        figure = Figure((3.0 + 0.74 * n, max(0.72 * len(rows), 1.9) + 0.1), dpi=80, layout="constrained")
        left, right = figure.subfigures(1, 2, width_ratios=[1.7, 1.3 + 0.74 * n])
        ax = left.subplots()
        axes = right.subplots(len(rows), n, squeeze=False)
    plots.picture(ax, photo)
    ax.set_title("a photograph", fontsize=13)
    for (name, x), row in zip(rows.items(), axes):
        for one, place in zip(x, row):
            plots.picture(place, one)
        row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=13)
    return figure


def plane(
    z: Tensor,
    made: Tensor,
    colours: Tensor,
    title: str,
    draws: Tensor | None = None,
    noise: Tensor | None = None,
    limit: float = 4.5,
) -> Figure:
    """Latents as points, each in its picture's own mean colour, and what the decoder makes of places on a grid.

    z: (N, 2), colours: (N, 3) in [0, 1], made: (k * k, 3, h, w) from the top left of [-2, 2]^2;  draws: (M, 2);
    noise: (N, 2), the encoder's standard deviations, drawn around forty of the points
    """
    figure, ((left, right),) = plots.panels(1, 2, 3.0, 3.0)
    left.scatter(*z.T, s=9, c=colours.numpy(), linewidths=0.2, edgecolors="#555555")
    for at, std in zip(z[:40].tolist(), [] if noise is None else noise[:40].tolist()):
        left.add_patch(Ellipse(at, 2 * std[0], 2 * std[1], fill=False, color=INK, lw=0.7, alpha=0.8))
    for radius in (1, 2):
        left.add_patch(Circle((0, 0), radius, fill=False, color=RED, lw=1.2, ls="--"))
    left.text(
        limit, -limit + 0.15, r"$\mathcal{N}(0,I)$: 86 % within the outer circle", color=RED, ha="right", fontsize=8
    )
    if draws is not None:
        left.plot(*draws.T, "x", color=RED, ms=8, mew=2)
    left.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xlabel="$z_1$", ylabel="$z_2$", title=title)
    k = math.isqrt(len(made))
    plots.picture(right, make_grid(made, k, padding=1, pad_value=1.0))
    right.set_title(r"the decoder on $[-2,2]^2$")
    return figure


def collapse(betas: Sequence[float], kl: Tensor, variances: Tensor) -> Figure:
    """Nats of each latent number over beta: trained, and by (13.11).  kl: (len(betas), d), variances: (d,)"""
    figure, ((ax,),) = plots.panels(1, 1, 7.5, 3.6)
    fine = torch.logspace(math.log10(min(betas) / 2), math.log10(2 * max(betas)), 400)
    for i, (v, colour, mark) in enumerate(zip(variances.tolist(), (BLUE, ORANGE), "os")):
        ax.plot(fine, (0.5 * (v / fine).log()).clamp(min=0), color=colour, label=f"number {i + 1}: (13.11)")
        ax.plot(betas, kl[:, i], mark, color=colour, ms=8, label=f"number {i + 1}: trained")
        ax.axvline(v, color=colour, lw=0.8, ls=":")
        ax.text(v * 1.05, 2.9, f"$s^2={v:.0f}$", color=colour, fontsize=11)
    ax.set(xscale="log", xlabel=r"$\beta$", ylabel="KL of a latent number, nats", ylim=(-0.08, 3.2))
    ax.legend(fontsize=10, loc="center right")
    return figure


def points(ax: Axes, x: Tensor, title: str, colour: str = BLUE) -> None:
    """Points beside the ring's lumps.  (N, 2)"""
    for c in centres().tolist():
        ax.add_patch(Circle(c, 0.24, fill=False, color=RED, lw=1))
    ax.scatter(*x.T, s=3, color=colour, alpha=0.5, linewidths=0)
    ax.set(xlim=(-3, 3), ylim=(-3, 3), xticks=[], yticks=[], aspect="equal")
    ax.set_title(title, fontsize=12)


def rings(panels: dict[str, Tensor], columns: int | None = None, rows: Sequence[str] = ()) -> Figure:
    """Panels of points around the ring.  panels: title -> (N, 2), in the order of reading"""
    columns = columns or len(panels)
    figure, axes = plots.panels(-(-len(panels) // columns), columns, 1.95, 2.15)
    colours = (GREY, BLUE, ORANGE, RED, GREEN) if not rows else (ORANGE,) * columns + (RED,) * columns
    for ax, (title, x), colour in zip(axes.flat, panels.items(), colours):
        points(ax, x, title.rstrip(), colour)
    for ax, name in zip(axes[:, 0], rows):
        ax.set_ylabel(name, fontsize=12)
    return figure


def spread(record: dict[str, Any], rows: list[dict[str, Any]]) -> Figure:
    """A dot for each seed, against the floor of photographs.  rows: runs of the record, `label` and `name` in each"""
    figure, axes = plots.panels(1, 3, 3.7, 0.36 * len({r["label"] for r in rows}) + 1.2, sharey=True)
    names = list(dict.fromkeys(r["label"] for r in rows))
    for ax, what, title in zip(
        axes[0],
        ("frechet", "kernel", "precision"),
        ("Fréchet distance\n(lower is better)", "kernel distance\n(lower is better)", "precision\n(higher is better)"),
    ):
        for r in rows:
            ax.plot([r[what]], [names.index(r["label"])], "o", ms=9, alpha=0.75, color=COLOUR[r["name"]])
        floor = record["photographs"]["floor"][what]
        ax.axvline(floor, color=INK, lw=1, ls=":")
        ax.text(floor, -0.62, "photographs", fontsize=9, ha="center")
        ax.set(title=title, xlim=(min(0, floor), None))
    axes[0, 0].set_yticks(range(len(names)), [name.replace("\n", " ") for name in names], fontsize=11)
    axes[0, 0].set_ylim(len(names) - 0.5, -0.8)
    return figure


def kinds(record: dict[str, Any], rows: list[dict[str, Any]], names: Sequence[str]) -> Figure:
    """Bars of the kinds that a classifier sees, means over seeds, with how many there are in effect."""
    shares = {f"photographs ({record['photographs']['varied']:.1f})": record["photographs"]["kinds"]}
    for label in dict.fromkeys(r["label"] for r in rows):
        mine = [r for r in rows if r["label"] == label]
        effect = sum(r["varied"] for r in mine) / len(mine)
        found = zip(*(r["kinds"] for r in mine))
        shares[f"{label.replace(chr(10), ' ')} ({effect:.1f})"] = [sum(part) / len(mine) for part in found]
    figure, ((ax,),) = plots.panels(1, 1, 10, 0.36 * len({r["label"] for r in rows}) + 1.0)
    for y, share in enumerate(shares.values()):
        left = 0.0
        for k, (part, colour) in enumerate(zip(share, (SKY, ORANGE, RED, BLUE, PURPLE))):
            ax.barh(y, part, 0.72, left, color=colour, alpha=0.85, label=names[k] if y == 0 else None)
            if part >= 0.045:
                ax.text(left + part / 2, y, f"{100 * part:.0f}", ha="center", va="center", fontsize=10)
            left += part
    ax.set_yticks(range(len(shares)), shares.keys())
    ax.invert_yaxis()
    ax.set(xlabel="share of 500 pictures", xlim=(0, 1))
    figure.legend(*ax.get_legend_handles_labels(), loc="outside right center", frameon=False)
    return figure


def swept(sweep: list[dict[str, Any]]) -> Figure:
    """The big VAE's latent numbers in use and the error of its copies, over beta.  sweep: records with kl and mse"""
    figure, (axes,) = plots.panels(1, 2, 4.6, 3.2)
    names = [f"{r['beta']:g}" for r in sweep]
    axes[0].bar(names, [sum(v > 0.1 for v in r["kl"]) for r in sweep], color=BLUE)
    axes[0].set(xlabel=r"$\beta$", ylabel="latent numbers in use, of 64")
    axes[1].plot(names, [r["mse"] for r in sweep], "o-", color=RED)
    axes[1].set(xlabel=r"$\beta$", ylabel="squared error of a copy", ylim=(0, None))
    return figure
