"""The pictures of lesson 10: how sets of pictures are measured, where balls reach, and rulers that disagree."""

from collections.abc import Sequence

import torch
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.patches import Circle, Ellipse
from torch import Tensor

from ..plots import BLUE, COLOURS, GREEN, ORANGE, RED, SKY, panels
from .draw import INK, arrow, box, sheet, words


def rulers() -> Figure:
    """Two sets of pictures through one network into clouds of points, and what the three kinds of rulers look at."""
    figure, ax = sheet(10.8, 4.4)
    for y, name, colour in ((3.3, "real\npictures", ORANGE), (1.2, "samples", BLUE)):
        for k in (2, 1, 0):
            box(ax, 0.8 + 0.09 * k, y + 0.07 * k, name if k == 0 else "", 1.2, 0.85, colour, fontsize=12)
        arrow(ax, (1.62, y), (2.3, 2.25 + (y - 2.25) * 0.45), colour=colour)
    for k, height in enumerate((2.5, 2.0, 1.5)):
        box(ax, 2.62 + 0.5 * k, 2.25, "", 0.36, height, GREEN)
    ax.plot((4.02, 4.02), (1.2, 3.3), color=RED, ls="--", lw=1.8)
    box(ax, 4.42, 2.25, "", 0.3, 0.9, "#999999")
    words(ax, 4.45, 1.55, "classes", fontsize=10, color="0.5")
    words(ax, 3.1, 3.78, "a network that names\nwhat is in photographs", fontsize=11, color=GREEN)
    words(ax, 4.02, 0.92, "cut here", fontsize=11, color=RED)
    arrow(ax, (4.02, 3.36), (5.55, 3.3), "features", GREEN, bend=0.2, above=0.2, fontsize=12)
    rng = torch.Generator().manual_seed(3)
    for colour, (x, y), (a, b) in ((ORANGE, (6.5, 2.65), (0.52, 0.3)), (BLUE, (6.75, 1.75), (0.3, 0.3))):
        points = torch.randn(60, 2, generator=rng) * torch.tensor([a, b]) + torch.tensor([x, y])
        ax.plot(*points.T.numpy(), "o", color=colour, markersize=3.5, alpha=0.7)
    words(ax, 6.6, 0.45, "a point for each picture,\nwith 1280 coordinates", fontsize=11)
    ax.plot((7.95, 7.95), (0.4, 4.0), color="0.8", lw=1)
    for y, what in (
        (3.78, "Fréchet distance:\ncentre and shape"),
        (2.38, "kernel distance:\nmeans of many functions"),
        (1.0, "precision and recall:\nballs around points"),
    ):
        words(ax, 9.4, y, what, fontsize=12.5)
    for colour, x, angle in ((ORANGE, 9.15, 20), (BLUE, 9.65, -30)):
        ax.add_patch(Ellipse((x, 3.11), 1.15, 0.45, angle=angle, facecolor="none", edgecolor=colour, lw=2.2))
        ax.plot(x, 3.11, "+", color=colour, markersize=10, mew=2.5)
    for x, r in ((8.75, 0.24), (9.25, 0.31), (9.8, 0.28)):
        ax.add_patch(Circle((x, 0.37), r, facecolor=ORANGE + "33", edgecolor=ORANGE))
        ax.plot(x, 0.37, "o", color=ORANGE, markersize=5)
    ax.plot((9.37, 10.35), (0.46, 0.34), "x", color=BLUE, markersize=9, mew=2.5)
    line = torch.linspace(8.5, 10.3, 80)
    for k, colour in ((1, "0.7"), (2, "0.5"), (3, "0.3")):
        ax.plot(line, 1.72 + 0.22 * torch.cos((line - 8.5) * 1.75 * k), color=colour, lw=2)
    return figure


def bias(curves: dict[int, tuple[list[float], Tensor, Tensor]], spreads: Sequence[float], d: int) -> Figure:
    """Fréchet and kernel distance by the spread of the fakes, a column for each n.

    curves: n -> (Fréchet, kernel, the kernel's standard errors).  Dashed is the truth for normal densities of d
    dimensions, dotted the bound (10.9), the band two standard errors; arrows point at the lowest.
    """
    figure, axes = panels(2, len(curves), 2.9, 2.4, sharex=True, sharey="row")
    for (n, (frechet, kernel, error)), (top, low) in zip(curves.items(), axes.T):
        r = min(n - 1, d)
        bound = [(1 + 1 / n) * (1 + s**2) * d - 2 * s * (r * d) ** 0.5 for s in spreads]
        top.plot(spreads, bound, ":", color=GREEN, label="bound (10.9)")
        top.plot(spreads, [d * (1 - s) ** 2 for s in spreads], "--", color=ORANGE, label="truth")
        low.plot(spreads, [3 * (1 - s**2) ** 2 / d for s in spreads], "--", color=ORANGE)
        low.fill_between(spreads, kernel - 2 * error, kernel + 2 * error, color=SKY, alpha=0.35, linewidth=0)
        for ax, y in ((top, frechet), (low, kernel)):
            ax.plot(spreads, y, "o-", markersize=3, color=BLUE, label="measured")
            ax.axvline(1, color="0.75", linewidth=1, zorder=0)
        best = frechet.index(min(frechet))
        top.annotate(
            "lowest", (spreads[best], frechet[best]), (spreads[best], frechet[best] + 52), ha="center", color=RED,
            fontsize=11, arrowprops={"arrowstyle": "-|>", "color": RED},
        )  # fmt: skip
        top.set(title=f"$n={n}$", ylim=(-5, 165))
        low.set(xlabel="spread $\\kappa$ of the fakes", ylim=(-0.02, 0.08))
    axes[0, -1].legend(fontsize=9, loc="upper left")
    axes[0, 0].set_ylabel("Fréchet distance")
    axes[1, 0].set_ylabel("kernel distance")
    return figure


def against_n(rows: Sequence[dict]) -> Figure:
    """Both distances against n with their standard deviations, of samples and of photographs in their place."""
    figure, axes = panels(1, 2, 4.3, 3.2)
    for ax, name, title in zip(axes[0], ("frechet", "kernel"), ("Fréchet distance", "kernel distance")):
        for who, label, colour, mark in (("samples", "samples", BLUE, "o-"), ("floor", "floor", ORANGE, "s--")):
            side = [row[who] for row in rows]
            std = [v[name + "_std"] or 0 for v in side]
            ns = [row["n"] for row in rows]
            ax.errorbar(ns, [v[name] for v in side], std, fmt=mark, color=colour, label=label, capsize=3)
        ax.set(xscale="log", xlabel="$n$", title=title, xticks=ns)
        ax.set_xticklabels([str(n) for n in ns])
        ax.minorticks_off()
    left, right = axes[0]
    left.legend()
    arrows = {"arrowstyle": "-|>", "color": RED}
    left.annotate("“better than\nphotographs”", (50, 460), (24, 165), color=RED, fontsize=11, arrowprops=arrows)
    left.annotate(
        "farther than photographs,\nas it should be", (1000, 172), (150, 470), color=RED, fontsize=11, arrowprops=arrows
    )
    last = rows[-2]  # a double arrow from curve to curve
    ends = [(last["n"], last[who]["kernel"]) for who in ("floor", "samples")]
    right.annotate("", ends[1], ends[0], arrowprops={"arrowstyle": "<|-|>", "color": RED, "shrinkA": 4, "shrinkB": 4})
    right.text(
        0.93 * last["n"], 0.03, "about the same\ngap at each $n$", color=RED, fontsize=11, ha="right", va="center"
    )
    return figure


def balls(real: Tensor, fake: Tensor, radii: tuple[Tensor, Tensor], within: tuple[Tensor, Tensor]) -> Figure:
    """Precision: fakes in balls around real points; recall: real points in balls around fakes.  radii: (n,), (m,)"""
    figure, axes = panels(1, 2, 4.1, 5.2)
    places, sizes = torch.cat([real, fake]), torch.cat(list(radii))[:, None]
    low, high = (places - sizes).amin(0) - 0.1, (places + sizes).amax(0) + 0.1
    sides = ((fake, real, "precision", "fakes", "real"), (real, fake, "recall", "real points", "fake"))
    for ax, (x, of, name, who, whose), r, good in zip(axes[0], sides, radii, within):
        colour = ORANGE if whose == "real" else BLUE
        for centre, size in zip(of, r):
            ax.add_patch(Circle(centre.tolist(), size.item(), color=colour, alpha=0.1))
        ax.scatter(*of.T, s=12, color=colour, label=f"{whose} points with their balls")
        ax.scatter(*x[good].T, s=34, color=GREEN, marker="^", label=f"{who} inside a ball")
        ax.scatter(*x[~good].T, s=40, color=RED, marker="x", label=f"{who} outside all")
        ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xticks=[], yticks=[], aspect="equal")
        ax.spines[:].set_visible(False)
        ax.set_title(f"{name} = {int(good.sum())} of {len(x)} = {good.double().mean():.2f}")
        ax.legend(fontsize=11, loc="upper center", bbox_to_anchor=(0.5, 0.0), frameon=False)
    widest = int(radii[0].argmax())
    (x, y), left = real[widest].tolist(), axes[0, 0]
    left.annotate(
        "a lonely picture\nclaims much space", (x, y), (low[0], high[1] - 0.5), color=RED, fontsize=11, ha="left",
        va="center", arrowprops={"arrowstyle": "-|>", "color": RED},
    )  # fmt: skip
    return figure


def ranked(guess: Sequence[int], table: dict[str, Sequence[float]]) -> dict[str, list[int]]:
    """The places, from 0, that a guess and each ruler give to the sets: how many sets are better.

    guess: the sets' numbers, from 1, the nearest first;  table: ruler -> the sets' numbers
    """
    places = {"a guess\nby eye": [guess.index(k) for k in range(1, len(guess) + 1)]}
    for ruler, numbers in table.items():
        sign = 1 if ruler in ("Fréchet", "kernel") else -1  # distances: low is good; the others: high is good
        places[ruler] = [sum(sign * other < sign * mine for other in numbers) for mine in numbers]
    return places


def ranks(
    table: dict[str, Sequence[float]],
    places: dict[str, Sequence[int]],
    x: Tensor,
    titles: Sequence[str],
    digits: dict[str, int],
) -> Figure:
    """Seven sets ranked by several rulers: a column for each ruler, a line for each set, its number at each place.

    table: ruler -> the sets' numbers (empty for a guess);  places: ruler -> the sets' places, from 0, where equal
    numbers share a place and stand side by side;
    x: (sets, 3, H, W), a picture of each;  titles: of the sets;  digits: ruler -> decimals.
    """
    figure, ((ax,),) = panels(1, 1, 12, 5.6)
    names, n = list(places), len(x)
    colours = [*COLOURS, INK]  # the last set, on which the lesson dwells, is drawn thick and dark
    last = places[names[-1]]
    ends = [sum((p, k) < (last[j], j) for k, p in enumerate(last)) for j in range(n)]  # a row of its own for each set
    for k in range(n):
        line = [places[name][k] for name in names]
        xs = []
        for i, name in enumerate(names):
            equal = [j for j in range(n) if places[name][j] == line[i]]
            xs.append(i + 0.4 * (equal.index(k) - (len(equal) - 1) / 2))
        beyond = len(names) - 0.2
        ax.plot([-0.55, *xs, beyond], [line[0], *line, ends[k]], "-", color=colours[k], lw=5 if k == n - 1 else 2,
                alpha=1 if k == n - 1 else 0.6, zorder=1.5 if k == n - 1 else 1)  # fmt: skip
        for at, y, name in zip(xs, line, names):
            said = f"{table[name][k]:.{digits[name]}f}".replace("-", "−") if name in table else str(k + 1)
            style = dict(boxstyle="round,pad=0.28", facecolor="white", edgecolor=colours[k], lw=1.8)
            ax.text(at, y, said, ha="center", va="center", fontsize=11, bbox=style, zorder=3)
        for side, y in ((-0.55, line[0]), (beyond, ends[k])):
            picture = ((x[k].clamp(-1, 1) + 1) / 2).permute(1, 2, 0).numpy()
            image = OffsetImage(picture, zoom=1.0, interpolation="bicubic")
            edge = dict(edgecolor=colours[k], lw=2.5)
            ax.add_artist(AnnotationBbox(image, (side, y), pad=0.1, bboxprops=edge, zorder=2))
            ax.text(side + (0.3 if side > 0 else -0.3), y, titles[k], ha="left" if side > 0 else "right", va="center",
                    fontsize=11, color=colours[k])  # fmt: skip
    ax.set(xlim=(-2.0, len(names) + 1.2), ylim=(n - 0.45, -0.75), xticks=range(len(names)), yticks=range(n))
    ax.set_xticklabels(names, fontsize=12)
    ax.set_yticklabels([f"{k}." for k in range(1, n + 1)])
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return figure


def nearest(groups: dict[str, Tensor], titles: Sequence[str], highest: float = 30.0) -> Figure:
    """Histograms of distances to the nearest training picture, one below the other.  groups: name -> (N,)"""
    figure, axes = panels(len(groups), 1, 7.5, 1.65, sharex=True)
    bins = torch.linspace(0, highest, 61).numpy()
    for ax, (name, d), title, colour in zip(axes[:, 0], groups.items(), titles, (ORANGE, RED, BLUE, GREEN, SKY)):
        ax.hist(d.numpy(), bins, weights=torch.full_like(d, 1 / len(d)).numpy(), color=colour)
        ax.axvline(float(d.median()), color=INK, lw=1.2, ls=":")
        ax.set(yticks=[])
        ax.spines["left"].set_visible(False)
        if 0 < float((d < 5).double().mean()) < 0.1:
            arrow_to = {"arrowstyle": "-|>", "color": RED}
            ax.annotate("twins", (0.4, 0.004), (2.2, ax.get_ylim()[1] / 2), color=RED, arrowprops=arrow_to)
        ax.set_title(f"{name}: {title}", fontsize=11, loc="left")
    axes[-1, 0].set_xlabel("distance to the nearest training picture, in features")
    return figure
