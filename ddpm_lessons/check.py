"""Checks that a learner runs: is my function the package's, and if not, which mistake does it look like?"""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Exercise(NamedTuple):
    """An exercise.  right: the answer, a function;  args: inputs to try;  wrong: what to say -> a wrong answer."""

    right: Callable[..., Any]
    args: tuple
    wrong: dict[str, Callable[..., Any]]


def same(mine: Callable[..., Any], theirs: Callable[..., Any], *args: Any, **kw: Any) -> None:
    """Assert that two functions answer alike on these arguments, and say so. Raises AssertionError if not."""
    a, b = mine(*args, **kw), theirs(*args, **kw)
    said, name = difference(a, b), f"{theirs.__module__}.{theirs.__qualname__}"
    if theirs.__module__ == "__main__":  # in the notebook itself: a way of calling the package, or another way there
        name = "the package's" if theirs.__name__.startswith(("<lambda>", "their")) else theirs.__name__
    if said:
        raise AssertionError(f"your {mine.__name__} and {name} differ: {said}")
    print(f"same as {name}")


def exercise(number: str, mine: Callable[..., Any]) -> None:
    """Try an answer and print the verdict: right, not written yet, or the mistake that it looks like."""
    from .exercises import EXERCISES

    if number not in EXERCISES:
        raise ValueError(f"there is no exercise {number!r}; there are {', '.join(EXERCISES)}")
    print(f"exercise {number}: {verdict(EXERCISES[number], mine)}")


def verdict(e: Exercise, mine: Callable[..., Any]) -> str:
    """What `exercise` prints after the number."""
    try:
        got = mine(*copy.deepcopy(e.args))  # an answer may work in place
    except NotImplementedError:
        got = None
    except Exception as error:  # whatever the learner's code raises, the notebook should go on
        return f"your function stopped with {type(error).__name__}: {error}"
    if got is None or got is ...:
        return "not yet - write your answer in the cell above and run both again"
    said = difference(got, e.right(*e.args))
    if not said:
        return "right!"
    for hint, f in e.wrong.items():
        if not difference(got, f(*e.args)):
            return f"not quite - {hint}"
    return f"not quite - {said}"


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
