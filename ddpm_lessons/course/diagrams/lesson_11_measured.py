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
from ...data.files import bundled
from ...training.files import load
from ..plots import BLUE, COLOURS, GREEN, ORANGE, PURPLE, RED, panels, picture
from .draw import INK


def photographs() -> tuple[Tensor, Tensor, list[tuple[str, str]]]:
    """The photographs that the CLIP of many words was not trained on, as it sees them.

    The course may not show them. -> their vectors (N, D), the numbers of their kinds (N,), the colour and kind of each
    """
    tensors, info = load(bundled("prior_vectors.safetensors"))
    held = tensors["held_out"]
    named = [tuple(info["captions"][k].split()[1:]) for k in tensors["caption"][held].tolist()]
    return F.normalize(tensors["vec"][held].float(), dim=1), tensors["kind"][held], named


def looks(pieces: Sequence[str], maps: Sequence[Tensor]) -> Figure:
    """Who looks at whom in a text: a row of panels for each layer.  maps: (heads, L, L) each, a row for who looks"""
    figure, axes = panels(len(maps), len(maps[0]), 4.6, 3.9, sharex=True, sharey=True)
    last = len(pieces) - 1
    later = [(i, j) for i in range(last) for j in range(i + 1, last + 1)]
    for k, line in enumerate(axes):
        for g, ax in enumerate(line):
            heat(ax, maps[k][g], f"layer {k + 1}, head {g + 1}", pieces, pieces, "{:.0%}", 10, least=0.05)
            ax.add_patch(Rectangle((-0.5, last - 0.5), last + 1, 1, fill=False, edgecolor=RED, lw=2.5, clip_on=False))
            ax.scatter(*zip(*[(j, i) for i, j in later]), marker="x", color="0.8", s=25, lw=1)
        line[0].set_ylabel("who looks")
        line[-1].text(7.6, 7, "the end's row\nbecomes the\ntext's vector", color=RED, fontsize=11, va="center")
    for ax in axes[-1]:
        ax.set_xlabel("is looked at")
    crosses = "crosses: later\npieces, which\nnobody may\nlook at"
    axes[0, -1].text(7.6, 2, crosses, color="0.5", fontsize=11, va="center")
    return figure


def covered(x: Tensor, drops: Tensor, names: Sequence[str]) -> Figure:
    """Pictures cut into patches, and what a window of grey costs wherever it lies.  drops: (N, 8, 8) of the cosine"""
    figure, axes = panels(1, 2 * len(x), 2.7, 3.0)
    most = drops.max().item()
    for k, name in enumerate(names):
        left, right = axes[0, 2 * k : 2 * k + 2]
        picture(left, x[k])
        picture(right, 0.4 + 0.6 * x[k].mean(0, keepdim=True))  # pale grey, so that the colours on it can be seen
        for at in range(4, 32, 4):
            left.axhline(at - 0.5, color="white", lw=1)
            left.axvline(at - 0.5, color="white", lw=1)
        where = (-0.5, 31.5, 31.5, -0.5)
        drawn = right.imshow(
            drops[k], "hot_r", vmin=0, vmax=most * 1.15, alpha=0.8, extent=where, interpolation="nearest"
        )
        left.set_title("64 patches", fontsize=12)
        right.set_title(f"“{name}”", fontsize=12)
        right.set_xlabel(f"at most {drops[k].max():.2f}", fontsize=12)
    figure.colorbar(drawn, ax=axes[0, -1], label="the cosine falls by", shrink=0.8)
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


def table(ax: Axes, chosen: Tensor, wanted: Tensor, title: str, names: Sequence[str]) -> None:
    """How often each class (rows) was taken for each (columns).  chosen, wanted: (N,)"""
    counts = torch.zeros(len(names), len(names), dtype=torch.long)
    heat(ax, counts.index_put_((wanted, chosen), torch.tensor(1), accumulate=True), title, names, names, "{}")


def beside(x: Tensor, tables: Sequence[Tensor], titles: Sequence[str], columns: Sequence[str]) -> Figure:
    """Pictures at the left of the rows of tables.  x: (3, C, H, W);  tables: (3, 3) each"""
    figure, axes = panels(1, len(tables), 4.6, 3.9)
    for ax, table, title in zip(axes[0], tables, titles):
        heat(ax, table, title, [""] * 3, columns, size=12)
        ax.tick_params(length=0)
        for k, one in enumerate(x):
            picture(ax.inset_axes((-0.31, (2 - k) / 3 + 0.02, 0.29, 0.29)), one)
    return figure


def found(rows: Sequence[tuple[str, Tensor, Tensor, Tensor | None]], elsewhere: Sequence[int] = ()) -> Figure:
    """Searches, one a row: (what was asked, pictures (k, C, H, W), cosines (k,), which of them are right (k,)).

    elsewhere: how many of the k nearest photographs are right, for each row
    """
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
    for line, n in zip(axes, elsewhere):
        said = f"photographs:\n{n} of {k} right"
        line[-1].text(1.15, 0.5, said, transform=line[-1].transAxes, fontsize=11, va="center", color=BLUE)
    return figure


def sureness(*cases: tuple[Tensor, Tensor, float]) -> Figure:
    """How sure a model is on average, and how often it is right, against the scale.

    cases: cosines (N, K), the right texts' numbers (N,) and the learned scale; first of this lesson's CLIP, then of the
    second one's with photographs
    """
    figure, axes = panels(1, len(cases), 5.2, 3.6, sharey=True)
    scales = torch.logspace(-0.5, 2, 200)
    names = "pictures, this lesson's CLIP", "photographs, the second CLIP"
    for ax, name, (cosines, wanted, ours) in zip(axes[0], names, cases):
        sure = torch.stack([(k * cosines).softmax(1).amax(1).mean() for k in scales])
        right = (cosines.argmax(1) == wanted).double().mean().item()
        ax.plot(scales, sure, color=BLUE)
        ax.axhline(right, color=GREEN, linestyle="--")
        ax.axhline(1 / cosines.shape[1], color="0.6", lw=1, linestyle=":")
        at = scales[(sure - right).abs().argmin()]
        ax.plot(at, right, "o", color=RED, markersize=9)
        ax.annotate("as sure as\nit is right", (at, right), (at / 7, right + 0.16), color=RED, fontsize=11,
                    arrowprops=dict(arrowstyle="->", color=RED))  # fmt: skip
        ax.axvline(ours, color=PURPLE, lw=1)
        then = (ours * cosines).softmax(1).amax(1).mean().item()
        ax.text(
            ours * 1.08, 0.3, f"learned: {ours:.1f},\nsure {then:.0%},\nright {right:.0%}", color=PURPLE, fontsize=11
        )
        ax.text(0.33, 1 / cosines.shape[1] - 0.06, f"a blind guess among {cosines.shape[1]}", color="0.4", fontsize=11)
        ax.set(xlabel=r"scale $\kappa$", xscale="log", xlim=(0.3, 100), ylim=(0.1, 1.02), title=f"{len(wanted)} {name}")
    axes[0, 0].set_ylabel("share, probability")
    axes[0, -1].text(105, right, "how often\nit is right", color=GREEN, va="center", fontsize=12)
    axes[0, -1].text(
        105, sure[-1] - 0.02, "how sure it is:\nmean of the\nlargest $p$", color=BLUE, va="center", fontsize=12
    )
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


def gap(pictures: Tensor, texts: Tensor, rng: torch.Generator) -> Figure:
    """Two views of a half of pictures and texts: along the widest spread, and along what tells them apart.

    A plane is fitted to the other half by least squares.  pictures, texts: (N, D), (M, D)
    """
    both, of_picture = torch.cat([pictures, texts]), torch.arange(len(pictures) + len(texts)) < len(pictures)
    half = torch.rand(len(both), generator=rng) < 0.5
    one, label = F.pad(both, (0, 1), value=1.0), 2.0 * of_picture - 1
    ridge = 1e-3 * torch.eye(one.shape[1])
    w = torch.linalg.solve(one[half].T @ one[half] + ridge, one[half].T @ label[half])
    score, shown = (one @ w)[~half], of_picture[~half]
    spread = torch.linalg.svd(both - both.mean(0), full_matrices=False)[2][:2]
    v = ((both - both.mean(0)) @ spread.T)[~half]
    figure, ((left, right),) = panels(1, 2, 5, 3.7)
    for which, name, colour, marker in ((shown, "pictures", BLUE, "o"), (~shown, "texts", ORANGE, "^")):
        left.scatter(*v[which].T, s=18, color=colour, marker=marker, alpha=0.6, label=name)
        right.scatter(score[which], v[which, 0], s=18, color=colour, marker=marker, alpha=0.6)
    apart = ((score > 0) == shown).double().mean()
    left.set(title="seen from the front: they mix", xlabel="widest spread", ylabel="second widest spread")
    right.set(title=f"seen from the side: {apart:.1%} told apart", xlabel="texts $< 0 <$ pictures")
    right.set_ylabel("widest spread")
    right.axvline(0, color=RED, linestyle="--")
    left.legend(fontsize=11, loc="upper left")
    return figure
