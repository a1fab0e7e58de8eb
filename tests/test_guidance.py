"""Guidance: 0 is unconditional, 1 is conditional, and guiding x0 is guiding eps or v."""

import pytest
import torch

from ddpm_lessons.conditions import Cond, classes
from ddpm_lessons.guidance import clipped, dynamic_threshold, guided
from ddpm_lessons.predict import EPS, X0, V, denoiser
from ddpm_lessons.samplers import ddim, times
from ddpm_lessons.schedules import linear

COND = classes(torch.tensor([0, 1, 2]), 3)
T = torch.tensor([1, 50, 100])


def net(x, t, cond):
    """Any function of all three inputs."""
    told = cond.vec.to(x) @ torch.tensor([1.0, 2.0, -3.0]).to(x)
    return torch.sin(3 * x + t.view(-1, 1, 1, 1)) + told.view(-1, 1, 1, 1)


@pytest.fixture
def x_t(rng):
    return torch.randn(3, 1, 2, 2, dtype=torch.float64, generator=rng)


def test_scale_1_is_the_condition_and_0_is_none(x_t):
    torch.testing.assert_close(guided(net, 1.0)(x_t, T, COND), net(x_t, T, COND))
    torch.testing.assert_close(guided(net, 0.0)(x_t, T, COND), net(x_t, T, COND.drop(1.0)))


@pytest.mark.parametrize("predict", [EPS, X0, V], ids=lambda p: p.name)
@pytest.mark.parametrize("w", [0.5, 2.0])
def test_guiding_x0_is_guiding_what_the_net_predicts(predict, w, schedule, x_t):
    """Ho and Salimans, eq. 6: (1 + w) eps(c) - w eps(null); and the same in v."""

    def formula(x, t, cond):
        return (1 + w) * net(x, t, cond) - w * net(x, t, cond.drop(1.0))

    ours = guided(denoiser(net, schedule, predict), 1 + w)(x_t, T, COND)
    torch.testing.assert_close(ours, denoiser(formula, schedule, predict)(x_t, T, COND))


def test_guidance_asks_the_net_once_a_step(x_t):
    sizes = []

    def counting(x, t, cond):
        sizes.append((len(x), len(t), len(cond.vec)))
        return x

    guided(counting, 2.0)(x_t, T, COND)
    assert sizes == [(6, 6, 6)]


def test_guidance_without_a_condition_says_what_to_pass():
    d, schedule = guided(net, 2.0), linear(10)
    with pytest.raises(ValueError, match=r"guidance needs a condition: pass cond=classes\(labels, n\)"):
        list(ddim(d, schedule, torch.zeros(1, 1, 2, 2), times(10, 2)))


def test_clipping_keeps_the_guess_in_range_and_leaves_the_rest(x_t):
    d = lambda x, t, cond: x  # noqa: E731
    torch.testing.assert_close(clipped(d)(x_t, T), x_t.clamp(-1, 1))
    assert torch.equal(clipped(d, 100.0)(x_t, T), x_t)
    assert clipped(d, 0.5)(x_t, T).abs().max() == 0.5


def test_the_order_of_wrappers_matters(x_t):
    d = lambda x, t, cond: 2.0 * cond.vec[:, :1, None, None].to(x) + 0 * x  # noqa: E731
    x, t, cond = x_t[:1], T[:1], classes(torch.tensor([0]), 3)
    assert clipped(guided(d, 3.0))(x, t, cond).max() == 1
    assert guided(clipped(d), 3.0)(x, t, cond).max() == 3


def constant(x0):
    return lambda x_t, t, cond=None: x0


def test_dynamic_thresholding_leaves_pictures_alone_that_stay_in_range(rng):
    x0 = 2 * torch.rand(3, 3, 8, 8, generator=rng) - 1
    assert torch.equal(dynamic_threshold(constant(x0))(x0, T), x0)


def test_dynamic_thresholding_by_hand_each_picture_for_itself(rng):
    """100 numbers of 1..100 at p = 0.5: the quantile lies half-way, at 50.5; the other picture is not touched."""
    wild = torch.arange(1.0, 101.0).view(1, 1, 10, 10) * (-1) ** torch.arange(10)
    tame = 0.01 * wild
    out = dynamic_threshold(constant(torch.cat([wild, tame])), p=0.5)(wild, T)
    torch.testing.assert_close(out[:1], wild.clamp(-50.5, 50.5) / 50.5)
    assert torch.equal(out[1:], tame)


@pytest.mark.parametrize("size", [(4, 2), (4, 3, 8, 8)])
def test_dynamic_thresholding_ends_in_range_and_keeps_the_order_of_small_numbers(rng, size):
    x0 = 5 * torch.randn(size, generator=rng)
    out = dynamic_threshold(constant(x0), p=0.9)(x0, T)
    assert out.shape == x0.shape and out.abs().max() <= 1
    ratio = (out / x0).flatten(1)
    inside = out.flatten(1).abs() < 0.999  # what was not cut off is divided by one number a picture
    for r, i in zip(ratio, inside):
        torch.testing.assert_close(r[i], r[i][:1].expand(int(i.sum())))


def test_thresholding_belongs_outside_guidance(x_t):
    """Each guess alone stays in range, so that inside nothing is cut off, and guidance leaves the range afterwards."""
    d = lambda x, t, cond: 0.5 * (2 * cond.vec[:, :1, None, None].to(x) - 1) + 0 * x  # noqa: E731
    x, t, cond = x_t[:1], T[:1], classes(torch.tensor([0]), 3)
    torch.testing.assert_close(guided(dynamic_threshold(d), 4.0)(x, t, cond), guided(d, 4.0)(x, t, cond))
    assert guided(dynamic_threshold(d), 4.0)(x, t, cond).max() == 3.5
    assert dynamic_threshold(guided(d, 4.0))(x, t, cond).max() == 1


@pytest.mark.parametrize("scale, pictures", [(0.0, 3), (1.0, 3), (2.0, 6)])
def test_only_the_guesses_that_count_are_made(scale, pictures):
    seen = []

    def denoise(x_t, t, cond):
        seen.append(len(x_t))
        return x_t * cond.vec.sum(1).view(-1, 1, 1, 1)

    before = torch.get_rng_state()
    guided(denoise, scale)(torch.ones(3, 1, 2, 2), torch.ones(3).long(), Cond(torch.eye(3)))
    assert seen == [pictures] and torch.equal(torch.get_rng_state(), before)
