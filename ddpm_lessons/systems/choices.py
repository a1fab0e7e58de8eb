"""Every choice of a system as JSON and back, so that a file can remember what made it."""

import dataclasses
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from .. import guidance, losses, predict, samplers, schedules
from ..data import sets
from ..data.coco import coco
from ..data.wordings import worded_flowers
from ..networks import layers
from ..predict import Predict
from ..schedules import Schedule
from ..text.captioning import TEXTS, Text

PREDICTS = {p.name: p for p in (predict.EPS, predict.X0, predict.V)}
FUNCTIONS = {  # all that a choice may name
    f.__name__: f
    for f in (
        *(samplers.ddpm, samplers.ddim, samplers.dpmpp_2m, samplers.beta, samplers.beta_tilde),
        *(guidance.clipped, guidance.dynamic_threshold),
        *(losses.p2, losses.min_snr, losses.snr_plus_1),
        *(layers.group_norm, nn.BatchNorm2d, nn.SiLU, nn.GELU, nn.ReLU, layers.Sinusoidal, layers.LearnedTime),
        *(layers.RearrangeDown, layers.MaxDown, layers.StrideDown, layers.Up, layers.TransposedUp),
        *(sets.flowers, sets.digits, sets.spelled_digits, sets.drawn_flowers, sets.cifar10, sets.stl10),
        *(coco, worded_flowers),
        *(sets.photographs, sets.celeba, F.mse_loss, F.l1_loss, F.huber_loss),
    )
}


def to_json(value: Any) -> Any:
    """A choice as JSON. A function of the reader's own is only named: it cannot be read back."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list):
        return [to_json(v) for v in value]
    if isinstance(value, dict):
        return {k: to_json(v) for k, v in value.items()}
    if isinstance(value, Schedule):
        known = [n for n, f in schedules.ALL.items() if torch.equal(f(value.T).alpha_bar, value.alpha_bar)]
        return {"schedule": known[0], "T": value.T} if known else {"alpha_bar": value.alpha_bar.tolist()}
    if isinstance(value, Predict) and value is PREDICTS.get(value.name):
        return {"predict": value.name}
    if isinstance(value, Text) and value is TEXTS.get(value.name):
        return {"text": value.name}
    if isinstance(value, layers.Parts):
        return {"Parts": {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}}
    if isinstance(value, partial):
        return to_json(value.func) | {"with": to_json(value.keywords)}
    if callable(value) and value is FUNCTIONS.get(getattr(value, "__name__", "")):
        return {"function": value.__name__}
    return {"own": getattr(value, "__qualname__", type(value).__name__)}


def from_json(value: Any) -> Any:
    """What `to_json` wrote, as a choice again. Raises ValueError for one that this version does not know."""
    if isinstance(value, list):
        return tuple(from_json(v) for v in value)
    if not isinstance(value, dict):
        return value
    try:
        if "own" in value:
            raise KeyError(value["own"])
        if "schedule" in value:
            return schedules.ALL[value["schedule"]](value["T"])
        if "alpha_bar" in value:
            return Schedule(torch.tensor(value["alpha_bar"], dtype=torch.float64))
        if "predict" in value:
            return PREDICTS[value["predict"]]
        if "text" in value:
            return TEXTS[value["text"]]
        if "Parts" in value:
            return layers.Parts(**{k: from_json(v) for k, v in value["Parts"].items()})
        if "function" in value:
            f = FUNCTIONS[value["function"]]
            return partial(f, **from_json(value["with"])) if "with" in value else f
    except KeyError as e:
        raise ValueError(f"it was made with {e}, which this version of the course does not know") from e
    return {k: from_json(v) for k, v in value.items()}


def in_words(value: Any) -> str:
    """A choice of a card, short, for people: cosine, T = 1000."""
    if isinstance(value, list):
        return ", ".join(in_words(v) for v in value)
    if not isinstance(value, dict):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if "schedule" in value:
        return f"{value['schedule']}, T = {value['T']}"
    if "alpha_bar" in value:
        return f"a schedule of its own, T = {len(value['alpha_bar']) - 1}"
    for kind in ("predict", "text", "own"):
        if kind in value:
            return value[kind]
    if "function" in value:
        return value["function"] + (f"({in_words(value['with'])})" if "with" in value else "")
    return "; ".join(f"{k} = {in_words(v)}" for k, v in value.get("Parts", value).items())
