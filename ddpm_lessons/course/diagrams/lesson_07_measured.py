"""The measurements of lesson 07 as figures: runs by their minutes, and two schedules by their errors."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from torch import Tensor

from ..plots import BLUE, GREEN, ORANGE, panels
from .draw import INK
from .lesson_07 import GREY, LOG_SNR


def runs(records: dict[str, dict], bundled: float) -> Figure:
    """Fréchet distances of eleven runs: the short ones by what they share, the long ones by their minutes.

    records: name -> line of trials.jsonl;  bundled: the distance of the bundled network
    """
    colours, marks = {"x0": GREEN, "v": BLUE, "eps": ORANGE}, {"x0": "o", "v": "s", "eps": "^"}
    short = [
        ("linear", {answer: f"linear {answer}" for answer in marks}),
        ("cosine", {answer: f"cosine {answer}" for answer in marks}),
        ("cosine, the same\nweight for both", {"x0": "x0, 1 + SNR", "v": "v, 1 + SNR up to 5"}),
    ]
    long = [
        (0, "x0", records["the recipe with x0, narrow"]["frechet"], "4.1 M weights"),
        (0, "x0", records["the recipe with x0"]["frechet"], "9.8 M weights"),
        (1, "v", bundled, "9.8 M weights"),
    ]
    floor = records["cosine v"]["frechet_floor"]
    figure, ((left, right),) = panels(1, 2, 5, 4.6, sharey=True, gridspec_kw={"width_ratios": [1.45, 1]})
    for at, (_, names) in enumerate(short):
        for answer, name in names.items():
            left.plot(at, records[name]["frechet"], marks[answer], color=colours[answer], markersize=11)
            side = -1 if answer == "eps" else 1  # so that no two numbers stand on each other
            said, where = f"{records[name]['frechet']:.0f}", "left" if side > 0 else "right"
            left.text(at + 0.1 * side, records[name]["frechet"], said, va="center", ha=where, fontsize=11)
    for at, answer, distance, what in long:
        right.plot(at, distance, marks[answer], color=colours[answer], markersize=11)
        right.text(at + 0.1, distance, f"{distance:.0f}: {what}", color=INK, va="center", fontsize=11)
    names = {"x0": "answers $x_0$", "v": "answers $v$", "eps": r"answers $\epsilon$"}
    for answer, name in names.items():
        right.plot([], [], marks[answer], color=colours[answer], markersize=10, label=name)
    for ax in (left, right):
        ax.axhline(floor, color=GREY, linewidth=1.5)
    left.text(-0.4, floor - 7, f"photographs against photographs: {floor:.0f}", va="top", color="#5d6b80", fontsize=11)
    left.set(xlim=(-0.45, 2.4), ylim=(150, 520), title="six minutes, 4.1 M weights")
    left.set_xticks(range(len(short)), [name for name, _ in short])
    left.set_ylabel("Fréchet distance (lower is better)")
    right.set(xlim=(-0.3, 2.05), title="longer, cosine")
    right.set_xticks([0, 1], ["30 minutes", "145 minutes"])
    right.legend(frameon=False, loc="upper right")
    return figure


RECORDED = (  # `v_error` of linear over that of cosine at log SNR -8 to 8, seeds 1 and 2, 100 steps on drawn flowers
    (0.67, 0.68, 0.71, 0.75, 0.81, 0.91, 1.09, 1.27, 1.47, 1.53, 1.46, 1.37, 1.26, 1.15, 1.08, 1.04, 1.00),
    (0.68, 0.69, 0.70, 0.72, 0.77, 0.85, 1.03, 1.29, 1.44, 1.47, 1.44, 1.37, 1.26, 1.16, 1.09, 1.04, 1.01),
)


def ratio(levels: Sequence[int], live: Tensor) -> Figure:
    """The error of linear over that of cosine, against log SNR, with two recorded pairs.  live: (len(levels),)"""
    figure, ((ax,),) = panels(1, 1, 8.6, 3.9)
    for k, line in enumerate(RECORDED):
        ax.plot(range(-8, 9), line, color=GREY, linewidth=1.5, label=None if k else "two other seeds")
    ax.plot(levels, live, "o-", color=INK, label="the pair trained above")
    ax.axhline(1, color=INK, linewidth=1)
    low, high = ax.get_ylim()
    ax.axhspan(1, high, color=BLUE, alpha=0.1, linewidth=0)
    ax.axhspan(low, 1, color=ORANGE, alpha=0.12, linewidth=0)
    ax.text(8, high - 0.03, "cosine is better here ", color=BLUE, ha="right", va="top")
    ax.text(8, low + 0.03, "linear is better here ", color="#8a5f00", ha="right", va="bottom")
    ax.set(xlabel=LOG_SNR + "  (noise to the left, picture to the right)", ylabel="error, linear / cosine")
    ax.set(ylim=(low, high), xlim=(-8.2, 8.2))
    ax.legend(frameon=False, loc="upper left")
    return figure
