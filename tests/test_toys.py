"""Toys: the ideal denoiser is a conditional mean, checked against Bayes and Tweedie."""

import pytest
import torch

from ddpm_lessons.course.toys import ideal_denoiser, swiss_roll
from ddpm_lessons.networks.mlp import MLP
from ddpm_lessons.predict import EPS, denoiser
from ddpm_lessons.samplers import ddim, times

F64 = torch.float64


def test_the_swiss_roll_is_points_about_as_wide_as_noise(rng):
    x = swiss_roll(5000, rng)
    assert x.shape == (5000, 2)
    assert x.std(0).min() > 0.7 and x.std(0).max() < 1.3
    a, b = (swiss_roll(9, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(a, b)


def test_the_swiss_roll_is_a_line_and_not_a_cloud(rng):
    """Its distance from the middle grows with its angle: 8 r = 1.5 pi (1 + 2 u) within 3 percent of noise."""
    x = swiss_roll(5000, rng)
    r = 8 * x.norm(dim=1)
    turn = (torch.atan2(x[:, 1], x[:, 0]) - r).remainder(2 * torch.pi)
    assert torch.minimum(turn, 2 * torch.pi - turn).quantile(0.95) < 0.8


def test_one_point_is_the_only_answer(schedule, rng):
    mu = torch.tensor([[0.3, -0.7]], dtype=F64)
    x_t = torch.randn(5, 2, dtype=F64, generator=rng)
    for t in (1, 50, 100):
        torch.testing.assert_close(ideal_denoiser(schedule, mu)(x_t, torch.full((5,), t)), mu.expand(5, 2))


def test_one_gaussian_has_the_textbook_posterior_mean(schedule, rng):
    """Precisions add: 1 / std^2 pulls to the mean, signal^2 / noise^2 to x_t / signal."""
    mu, std = torch.tensor([[0.3]], dtype=F64), 0.4
    x_t, t = torch.randn(3, 1, dtype=F64, generator=rng), torch.tensor([1, 50, 100])
    snr = schedule.snr(t)[:, None]
    signal, _ = schedule.scales(t, x_t)
    expected = (mu / std**2 + snr * x_t / signal) / (1 / std**2 + snr)
    torch.testing.assert_close(ideal_denoiser(schedule, mu, std=std)(x_t, t), expected)


@pytest.mark.parametrize("std", [0.0, 0.3])
def test_the_ideal_denoiser_is_tweedies_formula(std, schedule, rng):
    """x0_hat = (x_t + noise^2 * score) / signal, the score by autograd of the mixture's log density."""
    means = torch.randn(3, 2, dtype=F64, generator=rng)
    weights = torch.tensor([0.2, 0.3, 0.5], dtype=F64)
    for t in (5, 50, 100):
        x_t = torch.randn(4, 2, dtype=F64, generator=rng, requires_grad=True)
        signal, noise = schedule.scales(t, x_t)
        width = ((signal * std) ** 2 + noise**2).sqrt()
        log_p = torch.distributions.Normal(signal * means, width.expand(3, 2)).log_prob(x_t[:, None]).sum(-1)
        (score,) = torch.autograd.grad((log_p + weights.log()).logsumexp(1).sum(), x_t)
        x0_hat = ideal_denoiser(schedule, means, weights, std)(x_t, torch.full((4,), t))
        torch.testing.assert_close(x0_hat, (x_t + noise**2 * score) / signal, rtol=1e-6, atol=1e-6)


def test_samples_of_a_mixture_are_split_by_its_weights(schedule, rng):
    d = ideal_denoiser(schedule, torch.tensor([[-1.0], [1.0]]), torch.tensor([0.25, 0.75]))
    signal, noise = schedule.scales(100, torch.zeros(1, 1))
    side = torch.where(torch.rand(4000, 1, generator=rng) < 0.75, 1.0, -1.0)
    x_T = signal * side + noise * torch.randn(4000, 1, generator=rng)  # constant(100) leaves some signal at T
    *_, last = ddim(d, schedule, x_T, times(100, 100))
    assert (last.x.abs() - 1).abs().max() < 0.05
    assert (last.x > 0).float().mean().item() == pytest.approx(0.75, abs=0.04)


def test_means_may_be_pictures(schedule, rng):
    means = torch.randn(2, 1, 3, 3, generator=rng)
    x0_hat = ideal_denoiser(schedule, means)(torch.randn(5, 1, 3, 3, generator=rng), torch.full((5,), 50))
    assert x0_hat.shape == (5, 1, 3, 3)


def test_the_mlp_takes_points_and_looks_at_the_time(schedule, rng):
    net, x = MLP(dim=3, width=16, T=100), torch.randn(2, 3, generator=rng)
    assert net(x, torch.tensor([1, 2])).shape == (2, 3)
    assert not torch.allclose(net(x, torch.tensor([1, 1])), net(x, torch.tensor([90, 90])))
    *_, last = ddim(denoiser(net, schedule, EPS), schedule, x, times(100, 3))
    assert last.x.shape == (2, 3)
