"""The measured pictures of lesson 11: who looks at whom, a search, tables of scores, a training run and the gap."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from ...data.captions import COLOURS as NAMES
from ...data.captions import colour_votes
from ..plots import BLUE, COLOURS, GREEN, ORANGE, PURPLE, RED, panels, picture
from .draw import INK

# The CLIP of many words (data/clip_words.safetensors) and the 409 photographs that were held out of its training, which
# the course may not show: rows are the kinds in the order of the alphabet, columns the nearest text of "a daisy" ...
KINDS = ((45, 14, 4, 3, 4), (7, 81, 3, 8, 4), (3, 11, 36, 0, 18), (3, 3, 1, 64, 4), (7, 7, 18, 4, 57))
# ... and how many of the eight photographs nearest to a text have the colour and the kind that it names
SEARCHES = {"a white daisy": 8, "a yellow dandelion": 8, "a yellow sunflower": 7, "a red tulip": 7, "a pink tulip": 5}


def looks(pieces: Sequence[str], maps: Sequence[Tensor]) -> Figure:
    """Who looks at whom in a text, layer by layer.  maps: (L, L) each, a row for who looks"""
    figure, axes = panels(1, len(maps), 4.6, 4.0, sharey=True)
    for k, (ax, looked) in enumerate(zip(axes[0], maps)):
        heat(ax, looked, f"layer {k + 1}", pieces, pieces, "{:.0%}", 10, least=0.05)
        last = len(pieces) - 1
        ax.add_patch(Rectangle((-0.5, last - 0.5), last + 1, 1, fill=False, edgecolor=RED, lw=2.5, clip_on=False))
        later = [(i, j) for i in range(last) for j in range(i + 1, last + 1)]
        ax.scatter(*zip(*[(j, i) for i, j in later]), marker="x", color="0.8", s=25, lw=1)
        ax.set_xlabel("is looked at")
    axes[0, 0].set_ylabel("who looks")
    axes[0, -1].text(7.6, 7, "the end's row\nbecomes the\ntext's vector", color=RED, fontsize=11, va="center")
    axes[0, -1].text(
        7.6, 2, "crosses: later\npieces, which\nnobody may\nlook at", color="0.5", fontsize=11, va="center"
    )
    return figure


def covered(x: Tensor, drops: Tensor, names: Sequence[str]) -> Figure:
    """Pictures cut into patches, and what a window of grey costs wherever it lies.  drops: (N, 8, 8) of the cosine"""
    figure, axes = panels(1, 2 * len(x), 2.3, 3.0)
    for k, name in enumerate(names):
        left, right = axes[0, 2 * k : 2 * k + 2]
        picture(left, x[k])
        picture(right, x[k].mean(0, keepdim=True))
        for at in range(4, 32, 4):
            left.axhline(at - 0.5, color="white", lw=1)
            left.axvline(at - 0.5, color="white", lw=1)
        fall = F.interpolate(drops[k][None, None] / drops[k].max(), (160, 160), mode="bicubic").clamp(0, 1)[0, 0]
        where = (-0.5, 31.5, 31.5, -0.5)
        right.imshow(torch.ones_like(fall), "Reds", vmin=0, vmax=1.3, alpha=(0.85 * fall).numpy(), extent=where)
        left.set_title("64 patches", fontsize=11)
        right.set_title(f"“{name}”", fontsize=11)
        right.set_xlabel(f"at worst $-{drops[k].max():.2f}$", fontsize=11, color=RED)
    return figure


def votes(x: Tensor, names: Sequence[str]) -> Figure:
    """Pictures over their pixels' votes: each pixel that votes has its colour, the others are grey."""
    paint = dict(zip(NAMES, ("#f4f4f4", "#ffd92f", "#ff8c1a", "#d7191c", "#f781bf", "#8e44ad")))
    figure, axes = panels(2, len(x), 1.35, 1.55)
    for one, name, (top, low) in zip(x, names, axes.T):
        picture(top, one)
        top.set_title(name, fontsize=11)
        each = colour_votes(one.permute(1, 2, 0).reshape(-1, 3, 1, 1)).view(*one.shape[1:], -1)  # pixel by pixel
        found = torch.where(each.sum(-1) > 0.5, each.argmax(-1) + 1, 0)
        low.imshow(found, cmap=ListedColormap(["#9a9a9a", *paint.values()]), vmin=0, vmax=len(paint))
        low.set(xticks=[], yticks=[])
        low.spines[:].set_visible(False)
    for ax, name in zip(axes[:, 0], ("picture", "votes")):
        ax.set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8)
    return figure


def heat(
    ax: Axes, s: Tensor, title: str, rows: Sequence, columns: Sequence, form: str = "{:.2f}", size=11, least=-9.0
) -> None:
    """A table of numbers, shaded; those below `least` are not written.  s: (rows, columns)"""
    ax.imshow(s, cmap="Blues", vmin=min(0, s.min()), vmax=s.max(), aspect="auto")
    for i, j in (s >= least).nonzero().tolist():
        dark = s[i, j] > s.max() / 2
        said = form.format(s[i, j].item())
        ax.text(j, i, said, ha="center", va="center", fontsize=size, color="white" if dark else INK)
    ax.set(xticks=range(len(columns)), yticks=range(len(rows)), title=title)
    turned = dict(rotation=30, ha="right", rotation_mode="anchor") if len(columns) > 3 else {}
    ax.set_xticklabels(columns, fontsize=size, **turned)
    ax.set_yticklabels(rows, fontsize=size)


def beside(x: Tensor, tables: Sequence[Tensor], titles: Sequence[str], columns: Sequence[str]) -> Figure:
    """Pictures at the left of the rows of tables.  x: (3, C, H, W);  tables: (3, 3) each"""
    figure, axes = panels(1, len(tables), 4.6, 3.9)
    for ax, table, title in zip(axes[0], tables, titles):
        heat(ax, table, title, [""] * 3, columns, size=12)
        ax.tick_params(length=0)
        for k, one in enumerate(x):
            picture(ax.inset_axes((-0.31, (2 - k) / 3 + 0.02, 0.29, 0.29)), one)
    return figure


def found(rows: Sequence[tuple[str, Tensor, Tensor, Tensor | None]]) -> Figure:
    """Searches, one a row: (what was asked, pictures (k, C, H, W), cosines (k,), which of them are right (k,))."""
    k = len(rows[0][1])
    figure, axes = panels(len(rows), k, 1.25, 1.2)
    for (asked, x, cosines, right), line in zip(rows, axes):
        for j, ax in enumerate(line):
            picture(ax, x[j])
            ax.set_xlabel(f"{cosines[j]:.2f}", fontsize=10)
            if right is not None:
                ax.spines[:].set(visible=True, linewidth=4, color=GREEN if right[j] else RED)
        line[0].set_ylabel(f"“{asked}”", rotation=0, ha="right", va="center", fontsize=12, labelpad=10)
    for j, ax in enumerate(axes[0]):
        ax.set_title("nearest" if j == 0 else f"{j + 1}.", fontsize=11)
    return figure


def sureness(cosines: Tensor, wanted: Tensor, ours: float) -> Figure:
    """How sure a model is on average, and how often it is right, against the scale.  cosines: (N, K);  wanted: (N,)"""
    figure, ((ax,),) = panels(1, 1, 8, 3.4)
    scales = torch.logspace(-0.5, 2, 200)
    sure = torch.stack([(k * cosines).softmax(1).amax(1).mean() for k in scales])
    right = (cosines.argmax(1) == wanted).double().mean().item()
    ax.plot(scales, sure, color=BLUE)
    ax.axhline(right, color=GREEN, linestyle="--")
    ax.axhline(1 / cosines.shape[1], color="0.6", lw=1, linestyle=":")
    at = scales[(sure - right).abs().argmin()]
    ax.plot(at, right, "o", color=RED, markersize=9)
    ax.annotate("here it is as sure\nas it is right", (at, right), (at / 6, right + 0.22), color=RED, fontsize=11,
                arrowprops=dict(arrowstyle="->", color=RED))  # fmt: skip
    ax.text(105, right, "how often\nit is right", color=GREEN, va="center", fontsize=12)
    ax.text(105, sure[-1] - 0.02, "how sure it is:\nmean of the\nlargest $p$", color=BLUE, va="center", fontsize=12)
    ax.axvline(ours, color=PURPLE, lw=1)
    ax.text(ours * 1.06, 0.3, f"learned: {ours:.1f}", color=PURPLE, fontsize=11)
    ax.text(0.33, 1 / cosines.shape[1] - 0.06, f"a blind guess among {cosines.shape[1]}", color="0.4", fontsize=11)
    ax.set(xlabel=r"scale $\kappa$", ylabel="share, probability", xscale="log", xlim=(0.3, 100), ylim=(0.1, 1.02))
    return figure


def learned(losses: Sequence[float], sizes: Sequence[int], what: dict[int, str]) -> Figure:
    """How far the loss has come down from log N, batch by batch, with running means."""
    figure, ((ax,),) = panels(1, 1, 8, 3.6)
    n = torch.tensor(sizes)
    won = n.log() - torch.tensor(losses)
    for size, colour, marker in zip(sorted(what, reverse=True), COLOURS, "o^s"):
        i = (n == size).nonzero()[:, 0]
        ax.plot(i + 1, won[i], marker, color=colour, alpha=0.3, markersize=4)
        smooth = F.avg_pool1d(won[i][None], min(7, len(i)), 1, count_include_pad=False)[0]
        ax.plot(i[-len(smooth) :] + 1, smooth, color=colour, linewidth=2.5, label=f"{size} captions: {what[size]}")
    ax.axhline(0, color="0.4", linestyle=":")
    ax.text(len(n) + 4, 0, "$L=\\log N$:\nknows nothing", color="0.4", fontsize=11, va="center")
    ax.set(xlabel="step", ylabel=r"$\log N-L$", xlim=(-2, len(n) + 3))
    ax.legend(fontsize=11, loc="lower left")
    return figure


def gap(v: Tensor, score: Tensor, pictures: Tensor) -> Figure:
    """Two views of pictures and texts.  v: (N, 2) along the widest spread;  score: (N,);  pictures: (N,) bool"""
    figure, ((left, right),) = panels(1, 2, 5, 3.7)
    for which, name, colour, marker in ((pictures, "pictures", BLUE, "o"), (~pictures, "texts", ORANGE, "^")):
        left.scatter(*v[which].T, s=18, color=colour, marker=marker, alpha=0.6, label=name)
        right.scatter(score[which], v[which, 0], s=18, color=colour, marker=marker, alpha=0.6)
    left.set(title="seen from the front: they mix", xlabel="widest spread", ylabel="second widest spread")
    right.set(title="seen from the side: a gap", xlabel="texts $< 0 <$ pictures", ylabel="widest spread")
    right.axvline(0, color=RED, linestyle="--")
    left.legend(fontsize=11, loc="upper left")
    return figure
