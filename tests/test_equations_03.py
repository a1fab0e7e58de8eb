"""The displayed equations of lesson 03, each checked in numbers by another road than its derivation."""

import math

import torch

from ddpm_lessons import predict, schedules
from ddpm_lessons.course.toys import ideal_denoiser
from ddpm_lessons.forward import noisy, posterior
from ddpm_lessons.samplers import beta, beta_tilde, ddpm

SCHEDULE = schedules.linear(10, 0.05, 0.4)
GRID = torch.linspace(-8, 8, 4001, dtype=torch.float64)  # of x_{t-1}
X0, X_T, T = 0.8, 0.3, 6


def letters(t=T):
    """beta_t, alpha_t, alpha_bar_t, alpha_bar_{t-1}"""
    a_t, a_s = SCHEDULE.alpha_bar[t].item(), SCHEDULE.alpha_bar[t - 1].item()
    return 1 - a_t / a_s, a_t / a_s, a_t, a_s


def normal(x, mean, var):
    return torch.exp(-((x - mean) ** 2) / (2 * var)) / math.sqrt(2 * math.pi * var)


def integral(y):
    return torch.trapezoid(y, GRID).item()


def reverse(t=T):
    """q(x_{t-1} | x_t, x_0) on the grid, by Bayes' rule and brute force."""
    b, alpha, _, a_s = letters(t)
    joint = normal(torch.tensor(X_T), alpha**0.5 * GRID, b) * normal(GRID, a_s**0.5 * X0, 1 - a_s)
    return joint / integral(joint)


def near(a, b, tolerance=1e-6):
    torch.testing.assert_close(
        torch.as_tensor(a, dtype=torch.float64),
        torch.as_tensor(b, dtype=torch.float64),
        rtol=tolerance,
        atol=tolerance,
    )


def test_3_1_bayes():
    b, alpha, a_t, a_s = letters()
    joint = normal(torch.tensor(X_T), alpha**0.5 * GRID, b) * normal(GRID, a_s**0.5 * X0, 1 - a_s)
    near(integral(joint), normal(torch.tensor(X_T), a_t**0.5 * X0, 1 - a_t))  # the denominator is the jump
    # (x_{t-1}, x_t) given x_0 is a Gaussian pair: the textbook's conditional, from its covariance alone
    mean = a_s**0.5 * X0 + alpha**0.5 * (1 - a_s) / (1 - a_t) * (X_T - a_t**0.5 * X0)
    var = 1 - a_s - alpha * (1 - a_s) ** 2 / (1 - a_t)
    near(reverse(), normal(GRID, mean, var))


def exponent_3_2(x):
    b, alpha, _, a_s = letters()
    return -0.5 * ((X_T - alpha**0.5 * x) ** 2 / b + (x - a_s**0.5 * X0) ** 2 / (1 - a_s))


def a_and_b():
    b, alpha, _, a_s = letters()
    return alpha / b + 1 / (1 - a_s), alpha**0.5 / b * X_T + a_s**0.5 / (1 - a_s) * X0


def test_3_2_exponent():
    middle = slice(1600, 2600)  # where the density is not lost in rounding
    rest = reverse().log()[middle] - exponent_3_2(GRID[middle])
    near(rest, rest.mean().expand_as(rest))


def test_3_3_powers():
    x = GRID.clone().requires_grad_()
    (slope,) = torch.autograd.grad(exponent_3_2(x).sum(), x)
    a, b = a_and_b()
    near(slope, -(a * GRID - b))  # same derivative, so they differ by a constant


def test_3_4_square():
    a, b = a_and_b()
    near(a * GRID**2 - 2 * b * GRID, a * (GRID - b / a) ** 2 - b**2 / a)
    beta_t, _, a_t, a_s = letters()
    near(a, (1 - a_t) / (beta_t * (1 - a_s)))


def test_3_5_posterior_mean():
    for t in (2, 6, 10):
        mean, _ = posterior(SCHEDULE, torch.tensor([[X0]]).double(), torch.tensor([[X_T]]).double(), t, t - 1)
        b, alpha, a_t, a_s = letters(t)
        near(mean.item(), a_s**0.5 * b / (1 - a_t) * X0 + alpha**0.5 * (1 - a_s) / (1 - a_t) * X_T)
        near(mean.item(), integral(reverse(t) * GRID))


def test_3_6_posterior_variance():
    for t in (2, 6, 10):
        q = reverse(t)
        var = integral(q * GRID**2) - integral(q * GRID) ** 2
        b, _, a_t, a_s = letters(t)
        near(var, (1 - a_s) / (1 - a_t) * b)
        near(beta_tilde(SCHEDULE, t, t - 1), var)
        near(
            posterior(SCHEDULE, torch.zeros(1, 1).double(), torch.zeros(1, 1).double(), t, t - 1)[1].item(),
            var,
        )


def test_3_7_ideal_denoiser():
    means, w, std = torch.tensor([-1.0, 0.2, 1.0]).double(), torch.tensor([0.2, 0.3, 0.5]).double(), 0.3
    prior = sum(w_k * normal(GRID, m, std**2) for w_k, m in zip(w, means))
    x_t = torch.tensor([[-1.5], [0.1], [2.0]]).double()
    for t in (1, 5, 10):
        a = SCHEDULE.alpha_bar[t].item()
        joint = prior * normal(x_t, a**0.5 * GRID, 1 - a)  # (3, grid), over x_0
        by_hand = torch.tensor([integral(j * GRID) / integral(j) for j in joint])
        near(ideal_denoiser(SCHEDULE, means[:, None], w, std)(x_t, torch.full((3,), t))[:, 0], by_hand)


def test_3_8_beta():
    for t in (2, 6, 10):
        b, alpha, a_t, a_s = letters(t)
        near(beta(SCHEDULE, t, t - 1), b)

        def variance(var_s, mean_s):  # of x_{t-1} given x_t, when x_{t-1} is a mixture of two halves
            p = sum(normal(GRID, m, var_s) for m in mean_s) * normal(torch.tensor(X_T), alpha**0.5 * GRID, b)
            return integral(p * GRID**2) / integral(p) - (integral(p * GRID) / integral(p)) ** 2

        near(variance(1.0, [0.0, 0.0]), b)  # data N(0, 1)
        near(variance(1 - a_s, [a_s**0.5 * X0] * 2), beta_tilde(SCHEDULE, t, t - 1))  # one point
        # two points, -1 and 1: x_0 given x_t is one of them, with a probability p
        p = torch.sigmoid(torch.tensor(2 * a_t**0.5 * X_T / (1 - a_t))).item()
        total = beta_tilde(SCHEDULE, t, t - 1) + a_s * b**2 / (1 - a_t) ** 2 * 4 * p * (1 - p)
        near(variance(1 - a_s, [-(a_s**0.5), a_s**0.5]), total)


def test_3_9_denoiser():
    rng = torch.Generator().manual_seed(0)
    x0, eps = torch.randn(2, 5, 3, generator=rng, dtype=torch.float64)
    t = torch.tensor([1, 3, 5, 8, 10])
    x_t = noisy(SCHEDULE, x0, t, eps)
    near(predict.denoiser(lambda x, t, cond: eps, SCHEDULE, predict.EPS)(x_t, t), x0)
    a = SCHEDULE.alpha_bar[t].view(-1, 1)
    near((x_t - (1 - a).sqrt() * eps) / a.sqrt(), x0)


def test_3_10_sampling():
    denoise = ideal_denoiser(SCHEDULE, torch.zeros(1, 1), std=1.0)  # data N(0, 1)
    x = torch.randn(100_000, 1, generator=torch.Generator().manual_seed(0))
    seeded = torch.Generator().manual_seed(1)
    for step in ddpm(denoise, SCHEDULE, x, list(range(10, -1, -1)), rng=seeded, variance=beta):
        if step.t > 0:
            near(step.x.std().item(), 1.0, 0.01)  # beta is right for these data: x_t keeps N(0, 1)
            near(step.x.mean().item(), 0.0, 0.015)
    near(step.x.std().item(), SCHEDULE.alpha_bar[1].sqrt().item(), 0.01)  # sigma_1 = 0: the guess itself
    torch.testing.assert_close(step.x, step.x0)
    near(beta_tilde(SCHEDULE, 1, 0), 0.0)
    near(beta(SCHEDULE, 1, 0), 0.0)


def forms(t):
    rng = torch.Generator().manual_seed(0)
    x_t, eps = torch.randn(2, 5, 3, generator=rng, dtype=torch.float64)
    a = SCHEDULE.alpha_bar[t]
    x0 = (x_t - (1 - a).sqrt() * eps) / a.sqrt()
    return x_t, eps, x0, posterior(SCHEDULE, x0, x_t, t, t - 1)[0]


def test_3_11_mean_from_eps():
    for t in (1, 2, 6, 10):
        x_t, eps, _, mean = forms(t)
        b, alpha, a_t, _ = letters(t)
        near((x_t - b / (1 - a_t) ** 0.5 * eps) / alpha**0.5, mean)


def test_3_12_mean_as_a_jump():
    for t in (1, 2, 6, 10):
        _, eps, x0, mean = forms(t)
        b, _, a_t, a_s = letters(t)
        near(a_s**0.5 * x0 + max(1 - a_s - (1 - a_s) / (1 - a_t) * b, 0) ** 0.5 * eps, mean)
