"""Lesson 05's measurements as figures, with words in them that point at what to look at."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor, nn

from ..plots import BLUE, ORANGE, PURPLE, SKY, curves, panels, pictures

ARROW = {"arrowstyle": "->"}


def maps_inside(net: nn.Module, stages: Sequence[nn.ModuleList], *given: Tensor) -> list[Tensor]:
    """Run net(*given) and keep what the last layer of each stage answers, for the first picture.  -> (C, h, w) each"""
    maps = []
    hooks = [s[-1].register_forward_hook(lambda layer, inputs, out: maps.append(out[0])) for s in stages]
    with torch.no_grad():
        net(*given)
    for hook in hooks:
        hook.remove()
    return maps


def uneven(ways: dict[str, nn.Sequential]) -> Figure:
    """A constant map after going up, with its numbers.  ways: name -> layers, the last with weights, which are set"""
    figure, axes = panels(2, len(ways), 2.7, 2.5)
    for row, ax_row, std in zip(("equal weights", "random weights"), axes, (0.0, 0.3)):
        maps = []
        for way in ways.values():
            nn.init.zeros_(way[-1].bias)
            rng = torch.Generator().manual_seed(5)
            nn.init.normal_(way[-1].weight, 0.0 if std else 1.0, std, generator=rng)
            maps.append(way(torch.ones(1, 1, 8, 8))[0, 0, 4:10, 4:10].detach())  # away from the borders
        most = 1.6 * max(float((m - m.mean()).abs().max()) for m in maps)
        for ax, m, name in zip(ax_row, maps, ways):
            ax.imshow(m, cmap="cividis", vmin=m.mean() - most, vmax=m.mean() + most)
            for i, j in torch.cartesian_prod(torch.arange(6), torch.arange(6)).tolist():
                text = f"{m[i, j]:.1f}".replace("-0.0", "0.0") if std else f"{m[i, j]:.0f}"
                dark = m[i, j] > m.mean() + most / 4  # dark digits on the light cells
                ax.text(j, i, text, color="black" if dark else "white", ha="center", va="center", fontsize=12)
            ax.set(xticks=[], yticks=[], title="" if std else name, ylabel=row if m is maps[0] else "")
    return figure


def waves(e: Tensor, wrong: Tensor) -> Figure:
    """The time embedding as a picture, and how alike its rows are.  e, wrong: (T + 1, 64), of t and of t / T"""
    figure, axes = panels(1, 2, 5.5, 3.4)
    left, right = axes[0]
    left.imshow(e.T, aspect="auto", cmap="cividis")
    left.set(xlabel="$t$", ylabel="number in the row $e(t)$", title="$t$ as waves", yticks=[0, 16, 32, 48, 63])
    for y, name in ((5, "fast: the\nsecond hand"), (26, "slow: hardly\nmoves"), (47, "the same\nas cosines")):
        left.text(1020, y, name, ha="left", va="center", fontsize=11)
    for row, name, dash in ((e, "$e(t)$", "-"), (wrong, "$e(t/T)$: the mistake", "--")):
        right.plot(F.cosine_similarity(row, row[500:501]), dash, label=name)
    right.annotate("$t = 500$ itself", (508, 0.97), (620, 0.88), arrowprops=ARROW)
    right.set(xlabel="$t$", title="cosine similarity with $t = 500$")
    right.legend(loc="upper left", bbox_to_anchor=(0.0, 0.94), frameon=False, fontsize=11)
    return figure


def activations(x: Tensor, lines: dict[str, Tensor]) -> Figure:
    """ReLU, SiLU and GELU over x.  x and each line: (N,)"""
    figure = curves(x, lines, "$x$", "activation")
    ax = figure.axes[0]
    ax.annotate("ReLU: flat, no gradient", (-3.2, 0.02), (-3.9, 0.9), arrowprops=ARROW)
    ax.annotate("SiLU: lowest here", (-1.28, -0.28), (-1.2, 1.5), arrowprops=ARROW)
    return figure


def learning(losses: dict[str, list[float]], steps: int) -> Figure:
    """Training losses, running means of 20 steps, so far."""
    figure, ((ax,),) = panels(1, 1, 7, 3.5)
    for name, loss in losses.items():
        ax.plot(range(20, len(loss) + 1), torch.tensor(loss).unfold(0, 20, 1).mean(1), label=name)
    ax.set(xlabel="step", ylabel="loss, mean of 20 steps", yscale="log", xlim=(0, steps))
    ax.legend()
    return figure


def directions(depths: Sequence[int], runs: dict[str, Tensor]) -> Figure:
    """Size of the gradient, and its direction after a small change.  runs: name -> (seeds, depths, 2)"""
    figure, axes = panels(1, 2, 5, 3.4)
    for (name, run), colour in zip(runs.items(), (BLUE, ORANGE)):
        for ax, values in zip(axes[0], run.unbind(-1)):
            ax.plot(depths, values.T, color=colour, linewidth=0.8, alpha=0.6)
            ax.plot(depths, values.median(0).values, "o-", color=colour, label=name)
            ax.set_xscale("log", base=2)
            ax.set(xticks=depths, xticklabels=depths, xlabel="blocks")
    axes[0, 0].set(yscale="log", title="size of the gradient")
    axes[0, 1].set(title="same direction after a small change?", ylabel="cosine similarity")
    axes[0, 1].annotate("at a right angle:\nthe old gradient\nis worthless", (30, 0.03), (1.1, 0.1), arrowprops=ARROW)
    axes[0, 0].legend()
    return figure


def spotlights(given: Tensor, photo: Tensor, weights: Tensor, places: Sequence[tuple[int, int]]) -> Figure:
    """Where places look.  given, photo: (1, 3, H, W), weights: (h, w, h, w), [i, j] of place (i, j) over all places"""
    light = torch.stack([weights[i, j] / weights[i, j].max() for i, j in places])[:, None]
    light = F.interpolate(light, size=photo.shape[2:], mode="bilinear").sqrt()
    dark = 0.45 * (photo.mean(1, keepdim=True) + 1)
    shown = (1 - light) * dark + light * (0.4 * (photo + 1) + 1.2 * torch.tensor([1, 0.85, 0.3]).view(3, 1, 1)) - 1
    names = ["what the network is given"] + [f"where place {n + 1} looks" for n in range(len(places))]
    figure = pictures(torch.cat([given, shown]), names, side=2.2)
    size = photo.shape[-1] / weights.shape[-1]
    for n, (i, j) in enumerate(places):
        x, y = size * j + size / 2 - 0.5, size * i + size / 2 - 0.5
        for ax in (figure.axes[0], figure.axes[n + 1]):
            ax.plot(x, y, "o", markersize=11, mfc="none", mec="white", mew=2.5)
            ax.text(x + size, y, n + 1, color="white", weight="bold", fontsize=14, va="center")
    return figure


def reach(maps: dict[tuple[str, str], Tensor], square: float = 13) -> Figure:
    """How strongly input pixels act on the middle, on a logarithmic scale.  maps: (row, column) -> (H, W)

    square: the side of a dashed square around the middle.
    """
    rows, columns = (list(dict.fromkeys(k[i] for k in maps)) for i in (0, 1))
    figure, axes = panels(len(rows), len(columns), 2.0, 2.0)
    for (row, column), m in maps.items():
        ax = axes[rows.index(row), columns.index(column)]
        image = ax.imshow((m / m.max()).log10(), cmap="magma", vmin=-3, vmax=0)
        corner = m.shape[0] // 2 - square / 2
        ax.add_patch(Rectangle((corner, corner), square, square, fill=False, edgecolor="white", linestyle="--"))
        ax.set(xticks=[], yticks=[], title=column if row == rows[0] else "")
        if column == columns[0]:
            ax.set_ylabel(row)
    figure.set_size_inches(2.05 * len(columns) + 2, 1.85 * len(rows) + 0.3)
    figure.colorbar(image, ax=axes, ticks=[-3, -2, -1, 0], format="$10^{%d}$", shrink=0.6)
    return figure


def apart(record: dict[str, list[float]]) -> dict[str, Tensor]:
    """How much worse than the net as built, seed by seed, in per cent, smallest first.  -> name -> (seeds,)"""
    found = {}
    for name, values in record.items():
        base = torch.tensor(record["as built, batches of 4" if "batches of 4" in name else "as built"]).double()
        d = torch.tensor(values).double() - base
        if d.any():
            found[name] = 100 * d / base.mean()
    return dict(sorted(found.items(), key=lambda item: item[1].mean()))


def bars(apart: dict[str, Tensor], xlabel: str) -> Figure:
    """Sorted bars of an ablation, with a dot for each seed.  apart: name -> (seeds,), in per cent"""
    figure, ((ax,),) = panels(1, 1, 9.5, 4)
    for i, (name, d) in enumerate(apart.items()):
        ax.barh(i, d.mean(), color=PURPLE if "batches of 4" in name else SKY)
        ax.plot(d, [i] * len(d), "o", color=BLUE, markersize=5)
        note = f"{d.mean():+.1f} %" + ("   (one seed saw no difference)" if d.min() <= 0 else "")
        ax.text(d.max() + 0.2, i, note, va="center")
    ax.axvline(0, color="black", linewidth=1)
    ax.set(yticks=range(len(apart)), yticklabels=apart, xlabel=xlabel)
    return figure
