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
    """What is off in an answer that no named mistake explains: its shape, an argument that it ignores, a power.

    It says what is true of the numbers, never why. A prediction, which has no inputs, is not given away.
    """
    said = next(d for pair in zip(got, wanted, strict=True) if (d := difference(*pair)))
    if "wanted is" in said or "wanted are" in said or "shape" in said:
        return said
    if not inputs[0]:
        return "it is another one. Think again, or measure it and see"
    if not all(map(finite, got)) and all(map(finite, wanted)):
        return "your answer is not finite: is there a division by 0, or a root or logarithm of a negative number?"
    for k, name in enumerate(list(inspect.signature(mine).parameters)[: len(inputs[0])]):
        if ignored(e, mine, inputs, k):
            return f"your answer does not depend on {name}, and should"
    return related(got, wanted) or said


def ignored(e: Exercise, mine: Callable[..., Any], inputs: list[tuple], k: int) -> bool:
    """Whether in every draw the k-th input changes the right answer and leaves this one as it is."""
    found = []
    for args, other in zip(inputs, inputs[1:] + inputs[:1]):
        changed = (*args[:k], other[k], *args[k + 1 :])
        try:
            if not alike([call(e.right, args)], [call(e.right, changed)]):
                found.append(alike([call(mine, args)], [call(mine, changed)]))
        except Exception:  # inputs of two draws need not fit together
            continue
    return bool(found) and all(found)


def finite(value: Any) -> bool:
    """Whether all numbers of an answer are."""
    values = value if isinstance(value, tuple | list) else (value,)
    return all(torch.as_tensor(v).isfinite().all() for v in values)


RELATED = {  # what the numbers may be, seen from the right ones
    "have the wrong sign": torch.neg,
    "are the squares of the right ones": torch.square,
    "are the square roots of the right ones": torch.sqrt,
    "are 1 minus the right ones": lambda right: 1 - right,
    "are 1 over the right ones": torch.reciprocal,
    "are the logarithms of the right ones": torch.log,
    "are the exponentials of the right ones": torch.exp,
    "are the right ones in reverse order": lambda right: right.flip(0) if right.ndim else right + 1,
}


def related(got: list, wanted: list) -> str:
    """How all answers come from the right ones by a factor, a shift, a power ..., in words; empty when they do not."""
    if isinstance(wanted[0], tuple):
        wrong = [k for k in range(len(wanted[0])) if not alike([g[k] for g in got], [w[k] for w in wanted])]
        if len(wrong) > 1 or not wrong:
            return ""
        k = wrong[0]
        said = related([g[k] for g in got], [w[k] for w in wanted]) or difference(
            *next((g[k], w[k]) for g, w in zip(got, wanted) if difference(g[k], w[k]))
        )
        return f"value {k + 1} alone is off: {said}"
    got, wanted = ([torch.as_tensor(v).detach().double().cpu() for v in values] for values in (got, wanted))
    if not any(w.isfinite().all() and (w.abs() > 1e-6).any() for w in wanted):
        return ""
    for said, relation in RELATED.items():
        if alike(got, [relation(w) for w in wanted]):
            return f"your numbers {said}"
    ratios = [c for c in map(factor, got, wanted) if c is not None]
    if len(ratios) == len(got) and max(ratios) - min(ratios) <= 1e-2 * abs(ratios[0]):
        return f"your answer is {ratios[0]:.3g} times the right one"
    shifts = [(g - w).flatten() for g, w in zip(got, wanted)]
    if all(torch.allclose(s, shifts[0][0], rtol=1e-4, atol=1e-4) for s in shifts):
        return f"your answer is the right one {'plus' if shifts[0][0] > 0 else 'minus'} {shifts[0][0].abs():.3g}"
    return ""


def factor(a: Tensor, b: Tensor) -> float | None:
    """c, to three digits, where a = c b everywhere; None otherwise."""
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
