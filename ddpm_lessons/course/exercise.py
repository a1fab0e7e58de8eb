"""An exercise: what is right, what learners answer instead, and what to tell them."""

import copy
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Exercise(NamedTuple):
    """An exercise.  right: the answer, a function;  draw: rng -> inputs to try it on, a tuple;  wrong: hint -> mistake.

    Every mistake is a function of the same inputs, and its hint is what a learner who made it should read.
    """

    right: Callable[..., Any]
    draw: Callable[[torch.Generator], tuple]
    wrong: dict[str, Callable[..., Any]]

    def inputs(self) -> list[tuple]:
        """Four draws, so that a mistake that one of them hides is seen in another."""
        if isinstance(self.draw, tuple):
            return [self.draw]
        return [self.draw(torch.Generator().manual_seed(seed)) for seed in range(4)]


def verdict(e: Exercise, mine: Callable[..., Any]) -> str:
    """What a learner is told of an answer: right, not written yet, the mistake that it looks like, or what is off."""
    inputs = e.inputs()
    try:
        got = [call(mine, args) for args in inputs]
    except NotImplementedError:
        got = [None]
    except Exception as error:  # whatever the learner's code raises, the notebook should go on
        return f"your function stopped with {type(error).__name__}: {error}"
    if any(g is None or g is ... for g in got):
        return "not yet - write your answer in the cell above and run both again"
    wanted = [call(e.right, args) for args in inputs]
    if alike(got, wanted):
        return "right!"
    for hint, mistake in e.wrong.items():
        if alike(got, [call(mistake, args) for args in inputs]):
            return f"not quite - {hint}"
    return f"not quite - {symptom(e, mine, inputs, got, wanted)}"


def alike(a: list, b: list) -> bool:
    """Whether answers are the same on all inputs."""
    return not any(difference(x, y) for x, y in zip(a, b, strict=True))


def call(f: Callable[..., Any], args: tuple) -> Any:
    """f's answer; it may work in place, and draw: the inputs and torch's random state stay as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return f(*(fresh(a) for a in args))


def fresh(value: Any) -> Any:
    """A copy, of a random source as well."""
    if isinstance(value, torch.Generator):
        return torch.Generator().set_state(value.get_state())
    if isinstance(value, dict):
        return {k: fresh(v) for k, v in value.items()}
    return copy.deepcopy(value)


def symptom(e: Exercise, mine: Callable[..., Any], inputs: list[tuple], got: list, wanted: list) -> str:
    """What is off in an answer that no named mistake explains: its shape, a factor, an argument that it ignores."""
    said = next(d for pair in zip(got, wanted, strict=True) if (d := difference(*pair)))
    if "wanted is" in said or "wanted are" in said or "shape" in said:
        return said
    names = list(inspect.signature(mine).parameters)
    for k in range(len(inputs[0]) if len(inputs) > 1 else 0):  # does the answer depend on what it should depend on?
        changed = (*inputs[0][:k], inputs[1][k], *inputs[0][k + 1 :])
        try:
            ignored = alike(got[:1], [call(mine, changed)]) and not alike(wanted[:1], [call(e.right, changed)])
        except Exception:  # inputs of two draws need not fit together
            continue
        if ignored:
            return f"your answer does not depend on {names[k] if k < len(names) else f'argument {k + 1}'}, and should"
    ratios = {factor(a, b) for a, b in zip(got, wanted, strict=True)}
    if len(ratios) == 1 and (ratio := ratios.pop()) is not None:
        return "the sign is the other way round" if ratio == -1 else f"your answer is {ratio:g} times the right one"
    return said


def factor(a: Any, b: Any) -> float | None:
    """c, to three digits, where a = c b everywhere; None otherwise."""
    if isinstance(b, tuple):
        return None
    a, b = (torch.as_tensor(v).detach().double().flatten() for v in (a, b))
    big = b.abs() > 1e-6
    if not big.any() or not torch.isclose(a[~big], b[~big], atol=1e-4).all():
        return None
    c = a[big] / b[big]
    return float(f"{c.mean():.3g}") if torch.allclose(c, c.mean(), rtol=1e-3) else None


def difference(a: Any, b: Any) -> str:
    """How a differs from the wanted b, in words; empty when they are the same up to rounding (1e-4)."""
    if isinstance(b, tuple):
        if not isinstance(a, tuple | list) or len(a) != len(b):
            return f"wanted are {len(b)} values, in a tuple"
        return next((f"value {i + 1}: {d}" for i, pair in enumerate(zip(a, b)) if (d := difference(*pair))), "")
    try:
        a, b = torch.as_tensor(a).cpu(), torch.as_tensor(b).cpu()
    except (TypeError, ValueError, RuntimeError):
        return f"wanted is a tensor or a number, got {type(a).__name__}"
    if a.shape != b.shape:
        return f"the shape should be {tuple(b.shape)}, got {tuple(a.shape)}"
    a, b = a.detach().double(), b.detach().double()
    off = ~torch.isclose(a, b, rtol=1e-4, atol=1e-4, equal_nan=True)
    if not off.any():
        return ""
    return f"{_first(a, off)} where {_first(b, off)} is wanted ({int(off.sum())} of {off.numel()} numbers differ)"


def _first(x: Tensor, where: Tensor) -> str:
    return f"{x[where].flatten()[0].item():.4g}"
