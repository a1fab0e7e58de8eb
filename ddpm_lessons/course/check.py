"""What a learner runs: is my function the package's, and is my answer to an exercise right?"""

from collections.abc import Callable
from typing import Any

from .exercise import call, difference, verdict
from .exercises import EXERCISES


def same(mine: Callable[..., Any], theirs: Callable[..., Any], *args: Any, **kw: Any) -> None:
    """Assert that two functions answer alike on these arguments, and say so. Raises AssertionError if not."""
    a, b = (call(lambda *given, f=f: f(*given[:-1], **given[-1]), (*args, kw)) for f in (mine, theirs))
    said, name = difference(a, b), f"{theirs.__module__}.{theirs.__qualname__}"
    if theirs.__module__ == "__main__":  # in the notebook itself: a way of calling the package, or another way there
        name = "the package's" if theirs.__name__.startswith(("<lambda>", "their")) else theirs.__name__
    if said:
        raise AssertionError(f"your {mine.__name__} and {name} differ: {said}")
    print(f"same as {name}")


def exercise(number: str, mine: Callable[..., Any]) -> None:
    """Try an answer and print the verdict: right, not written yet, or the mistake that it looks like."""
    if number not in EXERCISES:
        raise ValueError(f"there is no exercise {number!r}; there are {', '.join(EXERCISES)}")
    print(f"exercise {number}: {verdict(EXERCISES[number], mine)}")
