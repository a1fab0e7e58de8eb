"""Parameterisations: a right answer, in whatever form, leads back to the clean picture."""

import pytest
import torch

from ddpm_lessons.forward import noisy
from ddpm_lessons.predict import EPS, X0, V, denoiser

ALL = pytest.mark.parametrize("predict", [EPS, X0, V], ids=lambda p: p.name)


@ALL
def test_the_target_leads_back_to_x0(predict, schedule, rng):
    x0, eps = torch.randn(2, 100, 1, 2, 2, dtype=torch.float64, generator=rng)
    t = torch.arange(1, 101)
    signal, noise = schedule.scales(t, x0)
    out = predict.target(x0, eps, signal, noise)
    torch.testing.assert_close(predict.x0(out, noisy(schedule, x0, t, eps), signal, noise), x0)


@ALL
def test_a_denoiser_over_the_perfect_net_answers_x0(predict, schedule, rng):
    x0, eps = torch.randn(2, 3, 1, 2, 2, dtype=torch.float64, generator=rng)
    t = torch.tensor([1, 50, 100])
    net = lambda x_t, t, cond: predict.target(x0, eps, *schedule.scales(t, x_t))  # noqa: E731
    torch.testing.assert_close(denoiser(net, schedule, predict)(noisy(schedule, x0, t, eps), t), x0)


def test_v_and_x_t_are_x0_and_eps_turned_by_an_angle(schedule, rng):
    """(x_t, v) is (x0, eps) turned: lengths stay, and turning back gives eps."""
    x0, eps = torch.randn(2, 100, 3, dtype=torch.float64, generator=rng)
    t = torch.arange(1, 101)
    signal, noise = schedule.scales(t, x0)
    x_t, v = noisy(schedule, x0, t, eps), V.target(x0, eps, signal, noise)
    torch.testing.assert_close(x_t**2 + v**2, x0**2 + eps**2)
    torch.testing.assert_close(noise * x_t + signal * v, eps)


@ALL
def test_a_denoiser_hands_the_condition_to_the_net_and_keeps_the_type(predict, schedule):
    seen = []

    def net(x, t, cond):
        seen.append(cond)
        return x.bfloat16()

    x0_hat = denoiser(net, schedule, predict)(torch.zeros(2, 1, 2, 2), torch.tensor([1, 2]), "a rose")
    assert seen == ["a rose"] and x0_hat.dtype == torch.float32
