"""What learners are told of their answers: right when it is, the mistake that it is, and otherwise what is off."""

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
    assert verdict(E, lambda x, k: -(k * x + 1)) == "not quite - the sign is the other way round"
    assert verdict(E, lambda x, k: 2 * (k * x + 1)) == "not quite - your answer is 2 times the right one"
    assert verdict(E, lambda x, k: x + 1) == "not quite - your answer does not depend on k, and should"
    assert "the shape should be (4,)" in verdict(E, lambda x, k: (k * x + 1)[None])
    assert "is wanted (" in verdict(E, lambda x, k: k * x.sin())


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
