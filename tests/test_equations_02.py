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


def test_2_5_two_steps_are_the_sum_of_signal_and_two_noises():
    schedule = schedules.linear(10, 0.05, 0.5)
    x0, first, second = torch.randn(3, N, generator=rng(), dtype=torch.float64)
    x1 = step(schedule, x0, 1, first)
    x2 = step(schedule, x1, 2, second)
    a1, a2 = 1 - schedule.betas[:2]
    assert torch.allclose(x2, (a2 * a1).sqrt() * x0 + a2.sqrt() * (1 - a1).sqrt() * first + (1 - a2).sqrt() * second)


def test_2_6_the_two_noises_merge_into_one_of_variance_1_minus_the_product():
    a1, a2 = 0.9, 0.4
    first, second = torch.randn(2, N, generator=rng())
    merged = a2**0.5 * (1 - a1) ** 0.5 * first + (1 - a2) ** 0.5 * second
    assert near(merged, 0.0, (1 - a1 * a2) ** 0.5)
    assert abs(a2 * (1 - a1) + (1 - a2) - (1 - a1 * a2)) < 1e-12


def test_2_7_alpha_bar_is_the_product_of_the_alphas_and_starts_at_1():
    for make in schedules.ALL.values():
        schedule = make(50)
        product = 1.0
        assert schedule.alpha_bar[0] == 1
        for t in range(1, 51):
            product *= 1 - schedule.betas[t - 1].item()
            assert abs(schedule.alpha_bar[t].item() - product) < 1e-12


def test_2_8_the_jump_has_the_distribution_of_the_chain():
    schedule = schedules.linear(30, 0.01, 0.2)
    g, x = rng(), torch.full((N,), 0.8)
    for t in range(1, 21):
        x = step(schedule, x, t, torch.randn(N, generator=g))
    signal, noise = (float(v) for v in schedule.scales(20, like=x))
    assert near(x, signal * 0.8, noise)
    assert near(noisy(schedule, torch.full((N,), 0.8), 20, torch.randn(N, generator=g)), signal * 0.8, noise)


def test_2_14_snr_is_the_squared_ratio_of_signal_and_noise():
    for make in schedules.ALL.values():
        schedule = make(50)
        t = torch.arange(1, 51)
        signal, noise = schedule.scales(t, like=torch.zeros(50, dtype=torch.float64))
        assert torch.allclose(schedule.snr(t), (signal / noise) ** 2)
        assert (schedule.snr(t).diff() < 0).all()


def test_2_3_the_variance_comes_closer_to_1_by_the_factor_alpha_at_each_step():
    schedule, g = schedules.linear(12, 0.02, 0.3), rng()
    x = 0.6 * torch.rand(N, generator=g)  # not Gaussian, of variance 0.03
    off = 0.6**2 / 12 - 1
    for t in range(1, 13):
        x = step(schedule, x, t, torch.randn(N, generator=g))
        off *= 1 - schedule.betas[t - 1].item()
        assert abs(x.var() - 1 - off) < 0.02 and x.var() < 1.02
    assert abs(off - schedule.alpha_bar[12] * (0.6**2 / 12 - 1)) < 1e-12


def test_2_4_the_joint_density_is_the_product_of_the_steps():
    schedule, x0 = schedules.linear(4, 0.1, 0.4), 0.7
    a, T = schedule.alpha_bar[1:], 4
    later = torch.maximum(torch.arange(T)[:, None], torch.arange(T))
    earlier = torch.minimum(torch.arange(T)[:, None], torch.arange(T))
    covariance = (a[later] / a[earlier]).sqrt() * (1 - a[earlier])  # of a walk, from the jumps alone
    whole = torch.distributions.MultivariateNormal(a.sqrt() * x0, covariance)
    walks = torch.randn(50, T, generator=rng(), dtype=torch.float64)
    before = torch.cat([torch.full((50, 1), x0, dtype=torch.float64), walks[:, :-1]], 1)
    steps = torch.distributions.Normal((1 - schedule.betas).sqrt() * before, schedule.betas.sqrt())
    assert torch.allclose(whole.log_prob(walks), steps.log_prob(walks).sum(1))


def test_2_9_the_density_of_x_t_is_the_average_of_the_jumps():
    schedule, g = schedules.linear(30, 0.01, 0.2), rng()
    means, weights, std = torch.tensor([-1.2, 0.9]), torch.tensor([0.4, 0.6]), 0.15
    x = means[torch.multinomial(weights, N, replacement=True, generator=g)] + std * torch.randn(N, generator=g)
    for t in range(1, 13):
        x = step(schedule, x, t, torch.randn(N, generator=g))
    a = schedule.alpha_bar[12].item()
    each = torch.distributions.Normal(a**0.5 * means, (a * std**2 + 1 - a) ** 0.5)
    y = x.sort().values
    cdf = (each.cdf(y[:, None]) * weights).sum(1)
    assert (cdf - torch.arange(1, N + 1) / N).abs().max() < 1.9 / N**0.5  # Kolmogorov and Smirnov, p = 0.001


def test_2_10_noise_adds_the_same_power_to_every_wave():
    schedule, g = schedules.linear(1000), rng()
    x0 = torch.rand(1, 1, 8, 8, generator=g).cumsum(3) / 4 - 1
    power = torch.fft.fft2(x0, norm="ortho").abs() ** 2
    for t in (20, 300):
        a = schedule.alpha_bar[t].item()
        x_t = noisy(schedule, x0.expand(20_000, -1, -1, -1), t, torch.randn(20_000, 1, 8, 8, generator=g))
        measured = (torch.fft.fft2(x_t, norm="ortho").abs() ** 2).mean(0)
        wanted = (a * power + 1 - a)[0]
        assert torch.allclose(measured, wanted, rtol=0.06)
        assert wanted.max() > 20 * wanted.min() or t == 300  # the waves of the picture differ, so the test can fail


def test_2_11_linear_betas_rise_evenly():
    betas = schedules.linear(40, 0.001, 0.05).betas
    for t in range(1, 41):
        assert abs(betas[t - 1] - (0.001 + (t - 1) / 39 * 0.049)) < 1e-12


def test_2_12_the_roots_of_quadratic_betas_rise_evenly():
    betas = schedules.quadratic(40, 0.001, 0.05).betas
    for t in range(1, 41):
        root = 0.001**0.5 + (t - 1) / 39 * (0.05**0.5 - 0.001**0.5)
        assert abs(betas[t - 1] - root**2) < 1e-12


def test_2_13_a_constant_beta_gives_powers():
    schedule = schedules.constant(40, 0.03)
    assert torch.allclose(schedule.alpha_bar, 0.97 ** torch.arange(41, dtype=torch.float64))
    assert torch.allclose(schedule.betas, torch.full((40,), 0.03, dtype=torch.float64))
