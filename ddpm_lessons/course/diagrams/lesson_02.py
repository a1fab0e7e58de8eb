"""Lesson 02's pictures: the chain, the right angles behind the jump, a crowd that forgets, and the spectrum."""

from collections.abc import Sequence

import matplotlib
import torch
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from torch import Tensor

from ...schedules import Schedule
from .. import plots
from ..plots import BLUE, GREEN, ORANGE, PURPLE, RED, SKY
from .draw import INK, arrow, sheet, words


def dissolve(x0: Tensor, x: Tensor, last: int) -> Figure:
    """A photograph beside one whose columns are noisy to t = 0 (left) to t = last (right).  x0, x: (C, H, W)"""
    figure, _ = sheet(8.6, 5.0)
    left, right = (_inset(figure, corner, 0.6, 4.0) for corner in (0.2, 4.4))
    plots.picture(left, x0)
    plots.picture(right, x, pixels=True)
    left.set_title("the photograph $x_0$")
    right.set_title("each column is $x_t$ for a $t$ of its own")
    ticks = range(0, last + 1, 100)
    right.set_xticks([t / last * (x.shape[-1] - 1) for t in ticks], [f"{t}" for t in ticks])
    right.set_xlabel("$t$")
    return figure


def _inset(figure: Figure, x: float, y: float, side: float) -> Axes:
    """A square for a picture, from its lower left corner in inches: whole dots, so that its pixels come out equal."""
    with matplotlib.rc_context(plots.STYLE):
        width, height = figure.get_size_inches()
        return figure.add_axes((x / width, y / height, side / width, side / height))


def chain(pictures: Tensor) -> Figure:
    """x_0 ... x_(t-1), x_t ... x_T: q goes right, p_theta goes left, the jump goes over.  pictures: (4, C, H, W)"""
    figure, ax = sheet(10.4, 4.1)
    side, y = 1.6, 1.75
    xs, names = (0.95, 4.0, 6.9, 9.45), ("$x_0$", "$x_{t-1}$", "$x_t$", "$x_T$")
    for x, name, picture in zip(xs, names, pictures):
        plots.picture(_inset(figure, x - side / 2, y - side / 2, side), picture, pixels=True)
        words(ax, x, y + side / 2 + 0.2, name, fontsize=16)
    words(ax, xs[0], y - side / 2 - 0.2, "a photograph", fontsize=12)
    words(ax, xs[3], y - side / 2 - 0.2, "pure noise", fontsize=12)
    for a, b in ((1.8, 2.2), (2.7, 3.15), (4.85, 6.05), (7.75, 8.0), (8.38, 8.6)):
        arrow(ax, (a, y + 0.2), (b, y + 0.2), colour=BLUE)
        arrow(ax, (b, y - 0.2), (a, y - 0.2), colour=RED, dashed=True)
    for x in (2.45, 8.2):
        words(ax, x, y, r"$\cdots$", fontsize=18)
    words(ax, 5.45, y + 0.5, r"$q(x_t \mid x_{t-1})$", color=BLUE)
    words(ax, 5.45, y - 0.5, r"$p_\theta(x_{t-1} \mid x_t)$", color=RED)
    arrow(ax, (1.2, y + 1.2), (6.65, y + 1.2), colour=BLUE, bend=0.16)
    words(ax, 3.9, y + 1.92, r"the jump $q(x_t \mid x_0)$: all $t$ steps at once (section 2)", color=BLUE)
    words(ax, 8.9, y + 1.6, "forward: fixed by us,\nnothing to learn", color=BLUE, fontsize=12)
    words(ax, 5.45, 0.4, "backward: a network learns it (lessons 03 to 06)", color=RED, fontsize=12)
    return figure


def right_angles(schedule: Schedule) -> Figure:
    """Two noises merge as the legs of a right-angled triangle; signal and noise lie on a quarter of a circle."""
    figure, ax = sheet(10.4, 4.4)
    x, y, a, b = 1.2, 1.0, 2.3, 2.0  # the left triangle's corner and legs
    ax.plot([x, x + a], [y, y], color=BLUE, lw=3)
    ax.plot([x + a, x + a], [y, y + b], color=GREEN, lw=3)
    ax.plot([x, x + a], [y, y + b], color=INK, lw=3)
    ax.plot([x + a - 0.2, x + a - 0.2, x + a], [y, y + 0.2, y + 0.2], color=INK, lw=1)
    words(ax, x + a / 2, y - 0.28, r"old noise, $\sqrt{\alpha_t(1-\alpha_{t-1})}$", color=BLUE)
    words(ax, x + a + 0.15, y + b / 2, "new noise,\n" + r"$\sqrt{1-\alpha_t}$", color=GREEN, ha="left")
    words(ax, x + a / 2 - 0.25, y + b / 2 + 0.35, "together,\n" + r"$\sqrt{1-\alpha_t\alpha_{t-1}}$", ha="right")
    words(ax, 2.5, 4.1, "Independent noises add at a right angle", fontsize=13)
    x, y, r = 6.4, 0.7, 2.85  # the quarter circle's centre and radius
    angle = torch.linspace(0, torch.pi / 2, 100)
    ax.plot(x + r * angle.cos(), y + r * angle.sin(), color="#999999", lw=1.5)
    signal, noise = schedule.alpha_bar.sqrt(), (1 - schedule.alpha_bar).sqrt()
    for t in range(0, 1001, 100):
        u, v = r * signal[t].item(), r * noise[t].item()
        ax.plot(x + u, y + v, "o", color=ORANGE, ms=7, zorder=3)
        if t <= 400:
            words(ax, x + u * 1.04 + 0.06, y + v * 1.05, f"$t = {t}$", ha="left", fontsize=12)
    arrow(ax, (x - 0.55, y + r + 0.05), (x - 0.12, y + r), "$t = 1000$", fontsize=12)
    u, v = r * signal[200].item(), r * noise[200].item()
    ax.plot([x, x + u], [y, y], color=BLUE, lw=3)
    ax.plot([x + u, x + u], [y, y + v], color=GREEN, lw=3)
    ax.plot([x, x + u], [y, y + v], color=INK, lw=3)
    words(ax, x + u / 2, y - 0.28, r"signal, $\sqrt{\bar\alpha_t}$", color=BLUE)
    words(ax, x + u - 0.1, y + 0.36, r"noise, $\sqrt{1-\bar\alpha_t}$", color=GREEN, ha="right")
    words(ax, x + u / 2 - 0.15, y + v / 2 + 0.18, "1", fontsize=14)
    words(ax, 7.9, 4.15, r"Signal$^2$ + noise$^2$ = 1 at every $t$", fontsize=13)
    return figure


def three_ways(ways: dict[str, Tensor], schedule: Schedule, x0: float) -> Figure:
    """Paths, (N, T + 1) for each name, over the band that (2.8) gives for every single t; five of them are drawn.

    The places of all N at t = 60 stand beside them as a histogram.
    """
    figure, axes = plots.panels(1, len(ways), 3.5, 3.4, sharey=True)
    t = range(schedule.T + 1)
    mean, std = schedule.alpha_bar.sqrt() * x0, (1 - schedule.alpha_bar).sqrt()
    for ax, (name, paths) in zip(axes[0], ways.items()):
        ax.fill_between(t, mean - 2 * std, mean + 2 * std, color=SKY, alpha=0.25, linewidth=0)
        ax.plot(t, mean, color=INK, linestyle="--", linewidth=1.5)
        for path, colour in zip(paths, (BLUE, RED, GREEN, PURPLE, ORANGE)):
            ax.plot(t, path, color=colour, linewidth=1.2)
        high, edges = torch.histogram(paths[:, 60].double(), 30, range=(-3.0, 3.0), density=True)
        ax.axvline(60, color=INK, linewidth=0.8)
        ax.stairs(60 + 45 * high, edges, baseline=60, orientation="horizontal", fill=True, color=INK, alpha=0.35)
        ax.stairs(60 + 45 * high, edges, baseline=60, orientation="horizontal", color=INK, linewidth=1)
        ax.set(title=name, xlabel="$t$", xlim=(-2, 101))
    axes[0, 0].set_ylabel("$x_t$")
    return figure


def crowd(xs: Tensor, density: Tensor, paths: Tensor, merged: int) -> Figure:
    """The density of x_t over t as a heat map with walks on it; its two ends at the sides.

    xs: (N,), density: (N, T + 1), paths: (walks, T + 1), merged: the t at which two lumps have become one
    """
    figure, axes = plots.panels(1, 3, 3.6, 4.6, sharey=True, gridspec_kw={"width_ratios": [1, 5, 1]})
    left, ax, right = axes[0]
    T, low, high = density.shape[1] - 1, xs[0].item(), xs[-1].item()
    ax.imshow(
        density, origin="lower", aspect="auto", extent=(0, T, low, high), cmap="magma", norm=PowerNorm(0.5, 0, 1.2)
    )
    for path, colour in zip(paths, (SKY, "white") * len(paths)):
        rim = withStroke(linewidth=2.4, foreground="black", alpha=0.7)  # else white cannot be seen on the pale start
        ax.plot(range(T + 1), path, color=colour, linewidth=1.0, path_effects=[rim])
    ax.axvline(merged, color="white", linestyle=":", linewidth=1.5)
    note = ax.text(merged + 12, high - 0.3, f"$t = {merged}$: the valley is gone", color="white", fontsize=12)
    note.set_bbox({"facecolor": "black", "alpha": 0.7, "edgecolor": "none", "pad": 1.5})
    ax.set(xlabel="$t$", xlim=(0, T), ylim=(low, high), title=rf"$q(x_t)$ for every $t$, and {len(paths)} walks")
    normal = torch.exp(-(xs**2) / 2) / (2 * torch.pi) ** 0.5
    for side, values, title in ((left, density[:, 0], "$q(x_0)$: the data"), (right, density[:, -1], "$q(x_T)$")):
        side.fill_betweenx(xs, 0, values, color=ORANGE, alpha=0.8, linewidth=0)
        side.set(title=title, xticks=[])
    right.plot(normal, xs, color=INK, linestyle="--", linewidth=1.5)
    right.text(0.17, 2.3, "dashed:\n" + r"$\mathcal{N}(0, 1)$", fontsize=11)
    left.invert_xaxis()
    left.set_ylabel("$x$")
    return figure


def spectra(photo: Tensor, measured: dict[int, Tensor], schedule: Schedule) -> Figure:
    """Left: the photograph's waves, scaled, against the noise's; right: formula and measurement for x_t."""
    figure, axes = plots.panels(1, 2, 5.2, 4.2, sharex=True, sharey=True)
    f = torch.arange(1, len(photo) + 1)
    for (t, found), colour in zip(measured.items(), (BLUE, GREEN, RED)):
        a = schedule.alpha_bar[t].item()
        axes[0, 0].plot(f, a * photo, color=colour, label=f"photograph, $t = {t}$")
        axes[0, 0].axhline(1 - a, color=colour, linestyle="--", linewidth=1.2)
        axes[0, 1].plot(f, a * photo + 1 - a, color=colour, label=f"$t = {t}$")
        axes[0, 1].plot(f, found, "o", color=colour, ms=3.5, alpha=0.7)
        k = int((a * photo >= 1 - a).sum().clamp(max=len(f) - 1))  # from here on the noise is stronger
        axes[0, 0].plot(f[k], 1 - a, "v", color=colour, ms=10)
    axes[0, 0].set(xscale="log", yscale="log", ylabel="power of each wave", title="photograph and noise, apart")
    axes[0, 1].set(title="lines: their sum (2.10); dots: measured")
    for ax in axes[0]:
        ax.set_xticks([1, 2, 4, 8, 16, 32], ["1\ncoarse", "2", "4", "8", "16", "32\nfine"])
        ax.minorticks_off()
        ax.set_xlabel("periods across the picture, $f$")
    axes[0, 0].plot([], [], color=INK, linestyle="--", linewidth=1.2, label="noise: equal for all waves")
    axes[0, 0].legend(fontsize=11, loc="upper right")
    axes[0, 0].set_ylim(3e-3 / 30, 3000)
    axes[0, 1].legend(fontsize=11)
    return figure


def three_schedules(makers: dict[str, Schedule]) -> Figure:
    """beta_t, alpha_bar_t and the SNR of each schedule, with the t at which signal and noise are equal."""
    figure, axes = plots.panels(1, 3, 3.6, 3.4)
    titles = (r"the steps, $\beta_t$", r"what is left, $\bar\alpha_t$", r"$\mathrm{SNR}(t)$")
    for (name, s), colour, dash in zip(makers.items(), (BLUE, ORANGE, GREEN), ("-", "--", "-.")):
        t = torch.arange(1, s.T + 1)
        for ax, y in zip(axes[0], (s.betas, s.alpha_bar[1:], s.snr(t))):
            ax.plot(t, y, color=colour, linestyle=dash, label=name)
        equal = int((s.alpha_bar < 0.5).int().argmax())
        axes[0, 1].plot(equal, 0.5, "o", color=colour)
        axes[0, 2].plot(equal, 1, "o", color=colour)
    for ax, title in zip(axes[0], titles):
        ax.set(title=title, xlabel="$t$")
    axes[0, 0].legend(fontsize=11)
    axes[0, 2].set_yscale("log")
    axes[0, 1].annotate("dots: as much\nsignal as noise", (420, 0.5), (480, 0.62), fontsize=11)
    return figure


def grid(x: Tensor, titles: Sequence[str], rows: Sequence[str] = ("",), side: float = 1.6) -> Figure:
    """Pictures row by row, pixel by pixel.  x: (rows * columns, C, H, W); titles: of the columns, rows: at the left"""
    n, columns = len(rows), len(x) // len(rows)
    label = 0.1 * max(len(line) for name in rows for line in name.split("\n"))  # about its width in inches
    figure, ax = sheet(label + columns * (side + 0.1) + 0.1, n * (side + 0.1) + 0.4)
    for i, picture in enumerate(x):
        row, column = divmod(i, columns)
        left, low = label + 0.1 + column * (side + 0.1), 0.1 + (n - 1 - row) * (side + 0.1)
        plots.picture(_inset(figure, left, low, side), picture, pixels=True)
        if row == 0 and titles:
            words(ax, left + side / 2, low + side + 0.16, titles[column], fontsize=12)
        if column == 0:
            words(ax, label, low + side / 2, rows[row], fontsize=12, ha="right", multialignment="right")
    return figure
