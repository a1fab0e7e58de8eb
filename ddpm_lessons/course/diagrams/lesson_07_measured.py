"""The measurements of lesson 07 as figures: runs by their minutes, and two schedules by their errors."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from torch import Tensor

from ..plots import BLUE, GREEN, ORANGE, panels
from .draw import INK
from .lesson_07 import GREY, LOG_SNR


def runs(records: dict[str, dict], bundled: float) -> Figure:
    """Fréchet distance against minutes of training.  records: name -> line of trials.jsonl;  bundled: of its network"""
    six = [f"{schedule} {answer}" for schedule in ("linear", "cosine") for answer in ("x0", "v", "eps")]
    table = [(name.split()[1], "", 6, records[name]["frechet"], name[:6] == "cosine") for name in six]
    for name, what in (("the recipe with x0, narrow", "4.1 M weights"), ("the recipe with x0", "9.8 M weights")):
        table.append(("x0", what, 30, records[name]["frechet"], True))
    table.append(("v", "9.8 M weights", 145, bundled, True))
    floor = records["cosine v"]["frechet_floor"]
    figure, ((ax,),) = panels(1, 1, 9.5, 4.6)
    colours, marks = {"x0": GREEN, "v": BLUE, "eps": ORANGE}, {"x0": "o", "v": "s", "eps": "^"}
    aside = {"x0": 1, "v": 0.95, "eps": 1.07}  # so that two marks of one time do not cover each other
    for answer, what, minutes, distance, filled in table:
        at = minutes * (aside[answer] if minutes == 6 else 1)
        how = {"markersize": 11} if filled else {"markersize": 16, "markerfacecolor": "none", "markeredgewidth": 2.2}
        ax.plot(at, distance, marks[answer], color=colours[answer], **how)
        ax.text(minutes * 1.14, distance, what, color=INK, va="center", fontsize=11)
    names = {"x0": "answers $x_0$", "v": "answers $v$", "eps": r"answers $\epsilon$"}
    for answer, name in names.items():
        ax.plot([], [], marks[answer], color=colours[answer], markersize=10, label=name)
    ax.plot([], [], "D", color=GREY, markersize=9, label="filled: cosine")
    ax.plot([], [], "D", color=GREY, markersize=10, markerfacecolor="none", markeredgewidth=2, label="hollow: linear")
    ax.axhline(floor, color=GREY, linewidth=1.5)
    ax.text(145, floor - 8, "photographs against photographs", ha="center", va="top", color="#5d6b80", fontsize=11)
    ax.set(xscale="log", xlim=(5, 400), ylim=(150, 520), xlabel="minutes of training")
    ax.set_ylabel("Fréchet distance (lower is better)")
    ax.set_xticks([6, 30, 145], ["6", "30", "145"])
    ax.minorticks_off()
    ax.legend(frameon=False, loc="upper right")
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
