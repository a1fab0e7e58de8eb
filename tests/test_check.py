"""What learners are told of their answers: right when it is, the mistake that it is, and otherwise what is off."""

import pytest
import torch

from ddpm_lessons.course import check
from ddpm_lessons.course.exercise import Exercise, fresh, verdict

E = Exercise(
    lambda x, k: k * x + 1,
    lambda rng: (torch.randn(4, generator=rng), int(torch.randint(2, 9, (), generator=rng))),
    {"the 1 is missing": lambda x, k: k * x},
)


def test_an_answer_is_tried_on_several_draws():
    first, second, *_ = E.inputs()
    assert not torch.equal(first[0], second[0])
    k = first[1]
    assert verdict(E, lambda x, _: k * x + 1) != "right!" and verdict(E, lambda x, k: 1 + x * k) == "right!"
    assert verdict(E, lambda x, k: k * x) == "not quite - the 1 is missing"


def test_what_is_off_is_said_where_no_mistake_is_named():
    assert verdict(E, lambda x, k: -(k * x + 1)) == "not quite - your numbers have the wrong sign"
    assert verdict(E, lambda x, k: 2 * (k * x + 1)) == "not quite - your answer is 2 times the right one"
    assert verdict(E, lambda x, k: x + 1) == "not quite - your answer does not depend on k, and should"
    assert "the shape should be (4,)" in verdict(E, lambda x, k: (k * x + 1)[None])
    assert "is wanted (" in verdict(E, lambda x, k: k * x.sin())


@pytest.mark.parametrize(
    "mine, said",
    [
        (lambda a, b: (a + b).square(), "your numbers are the squares of the right ones"),
        (lambda a, b: (a + b).sqrt(), "your numbers are the square roots of the right ones"),
        (lambda a, b: 1 - a - b, "your numbers are 1 minus the right ones"),
        (lambda a, b: 1 / (a + b), "your numbers are 1 over the right ones"),
        (lambda a, b: (a + b).log(), "your numbers are the logarithms of the right ones"),
        (lambda a, b: (a + b).exp(), "your numbers are the exponentials of the right ones"),
        (lambda a, b: (a + b).flip(0), "your numbers are the right ones in reverse order"),
        (lambda a, b: a + b - 0.5, "your answer is the right one minus 0.5"),
        (lambda a, b: (-a - b).log(), "your answer is not finite"),
        (lambda a, b: a / 0, "your answer is not finite"),  # and not that it ignores b
        (lambda a, b: a, "your answer does not depend on b"),
    ],
)
def test_a_power_a_shift_and_a_number_that_is_none_are_told_apart(mine, said):
    e = Exercise(lambda a, b: a + b, lambda rng: tuple(torch.rand(2, 5, generator=rng) + 0.1), {})
    assert said in verdict(e, mine)


def test_an_argument_is_said_to_be_ignored_only_where_every_draw_says_so():
    """In the first draw the larger one is a, so that b does nothing there; in the others it counts."""
    draws = iter([(2.0, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 4.0)] * 9)
    e = Exercise(max, lambda rng: next(draws), {})
    assert "does not depend" not in verdict(e, lambda a, b: max(a, b) ** 3)


def test_of_several_values_the_wrong_one_is_named():
    e = Exercise(lambda a: (a.mean(), a.std()), lambda rng: (torch.randn(5, generator=rng),), {})
    assert "value 2 alone is off: your numbers are the squares" in verdict(e, lambda a: (a.mean(), a.var()))


def test_a_prediction_is_not_given_away():
    """Without inputs a ratio, a shift or "4 is wanted" would be the answer itself."""
    e = Exercise(lambda: 4, lambda rng: (), {"that is the number of steps": lambda: 9})
    for wrong in (8, 2, 5, -4, 16):
        assert verdict(e, lambda: wrong) == "not quite - it is another one. Think again, or measure it and see"


def test_answers_may_work_in_place_and_draw():
    """Neither function sees what the other did to the inputs, to torch's random state or to a passed source."""
    x, rng = torch.ones(3), torch.Generator().manual_seed(0)
    check.same(lambda x: x.mul_(2), lambda x: x * 2, x)
    assert torch.equal(x, torch.ones(3))
    check.same(lambda x: x + torch.randn(3), lambda x: torch.randn(3) + x, x)
    draw = lambda rng: torch.randn(3, generator=rng)  # noqa: E731
    check.same(draw, lambda rng: draw(rng), rng)
    check.same(lambda *, rng: draw(rng), lambda *, rng: draw(rng), rng=rng)
    assert torch.equal(rng.get_state(), torch.Generator().manual_seed(0).get_state())
    assert torch.equal(draw(fresh(rng)), draw(rng))
