"""The equations of lesson 02, each against simulation or a second derivation."""

import torch

from ddpm_lessons import schedules
from ddpm_lessons.forward import noisy, step

N = 200_000


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def near(x: torch.Tensor, mean: float, std: float) -> bool:
    """Sample mean and standard deviation within five standard errors."""
    off_mean, off_std = abs(x.mean() - mean), abs(x.std() - std)
    return bool(off_mean < 5 * std / len(x) ** 0.5 and off_std < 5 * std / (2 * len(x)) ** 0.5)


def test_2_1_one_step_has_mean_sqrt_1_minus_beta_and_variance_beta():
    schedule = schedules.constant(5, 0.3)
    x = torch.full((N,), 2.0)
    y = step(schedule, x, 3, torch.randn(N, generator=rng()))
    assert near(y, 0.7**0.5 * 2, 0.3**0.5)


def test_2_2_reparameterised_draws_follow_the_density():
    schedule = schedules.constant(5, 0.3)
    y = step(schedule, torch.zeros(N), 1, torch.randn(N, generator=rng())).sort().values
    cdf = torch.distributions.Normal(0.0, 0.3**0.5).cdf(y)
    assert (cdf - torch.arange(1, N + 1) / N).abs().max() < 1.9 / N**0.5  # Kolmogorov and Smirnov, p = 0.001


def test_2_3_two_steps_are_the_sum_of_signal_and_two_noises():
    schedule = schedules.linear(10, 0.05, 0.5)
    x0, first, second = torch.randn(3, N, generator=rng(), dtype=torch.float64)
    x1 = step(schedule, x0, 1, first)
    x2 = step(schedule, x1, 2, second)
    a1, a2 = 1 - schedule.betas[:2]
    assert torch.allclose(x2, (a2 * a1).sqrt() * x0 + a2.sqrt() * (1 - a1).sqrt() * first + (1 - a2).sqrt() * second)


def test_2_4_the_two_noises_merge_into_one_of_variance_1_minus_the_product():
    a1, a2 = 0.9, 0.4
    first, second = torch.randn(2, N, generator=rng())
    merged = a2**0.5 * (1 - a1) ** 0.5 * first + (1 - a2) ** 0.5 * second
    assert near(merged, 0.0, (1 - a1 * a2) ** 0.5)
    assert abs(a2 * (1 - a1) + (1 - a2) - (1 - a1 * a2)) < 1e-12


def test_2_5_alpha_bar_is_the_product_of_the_alphas_and_starts_at_1():
    for make in schedules.ALL.values():
        schedule = make(50)
        product = 1.0
        assert schedule.alpha_bar[0] == 1
        for t in range(1, 51):
            product *= 1 - schedule.betas[t - 1].item()
            assert abs(schedule.alpha_bar[t].item() - product) < 1e-12


def test_2_6_the_jump_has_the_distribution_of_the_chain():
    schedule = schedules.linear(30, 0.01, 0.2)
    g, x = rng(), torch.full((N,), 0.8)
    for t in range(1, 21):
        x = step(schedule, x, t, torch.randn(N, generator=g))
    signal, noise = (float(v) for v in schedule.scales(20, like=x))
    assert near(x, signal * 0.8, noise)
    assert near(noisy(schedule, torch.full((N,), 0.8), 20, torch.randn(N, generator=g)), signal * 0.8, noise)


def test_2_7_snr_is_the_squared_ratio_of_signal_and_noise():
    for make in schedules.ALL.values():
        schedule = make(50)
        t = torch.arange(1, 51)
        signal, noise = schedule.scales(t, like=torch.zeros(50, dtype=torch.float64))
        assert torch.allclose(schedule.snr(t), (signal / noise) ** 2)
        assert (schedule.snr(t).diff() < 0).all()
