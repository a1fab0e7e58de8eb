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


def exponent_3_3(x):
    b, alpha, _, a_s = letters()
    return -0.5 * ((X_T - alpha**0.5 * x) ** 2 / b + (x - a_s**0.5 * X0) ** 2 / (1 - a_s))


def a_and_b():
    b, alpha, _, a_s = letters()
    return alpha / b + 1 / (1 - a_s), alpha**0.5 / b * X_T + a_s**0.5 / (1 - a_s) * X0


def test_3_3_exponent():
    middle = slice(1600, 2600)  # where the density is not lost in rounding
    rest = reverse().log()[middle] - exponent_3_3(GRID[middle])
    near(rest, rest.mean().expand_as(rest))


def test_3_4_powers():
    x = GRID.clone().requires_grad_()
    (slope,) = torch.autograd.grad(exponent_3_3(x).sum(), x)
    a, b = a_and_b()
    near(slope, -(a * GRID - b))  # same derivative, so they differ by a constant


def test_3_5_square():
    a, b = a_and_b()
    near(a * GRID**2 - 2 * b * GRID, a * (GRID - b / a) ** 2 - b**2 / a)
    beta_t, _, a_t, a_s = letters()
    near(a, (1 - a_t) / (beta_t * (1 - a_s)))


def test_3_6_posterior_mean():
    for t in (2, 6, 10):
        mean, _ = posterior(SCHEDULE, torch.tensor([[X0]]).double(), torch.tensor([[X_T]]).double(), t, t - 1)
        b, alpha, a_t, a_s = letters(t)
        near(mean.item(), a_s**0.5 * b / (1 - a_t) * X0 + alpha**0.5 * (1 - a_s) / (1 - a_t) * X_T)
        near(mean.item(), integral(reverse(t) * GRID))


def test_3_7_posterior_variance():
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


def test_3_11_ideal_denoiser():
    means, w, std = torch.tensor([-1.0, 0.2, 1.0]).double(), torch.tensor([0.2, 0.3, 0.5]).double(), 0.3
    prior = sum(w_k * normal(GRID, m, std**2) for w_k, m in zip(w, means))
    x_t = torch.tensor([[-1.5], [0.1], [2.0]]).double()
    for t in (1, 5, 10):
        a = SCHEDULE.alpha_bar[t].item()
        joint = prior * normal(x_t, a**0.5 * GRID, 1 - a)  # (3, grid), over x_0
        by_hand = torch.tensor([integral(j * GRID) / integral(j) for j in joint])
        near(ideal_denoiser(SCHEDULE, means[:, None], w, std)(x_t, torch.full((3,), t))[:, 0], by_hand)


def test_3_12_beta():
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


def test_3_13_denoiser():
    rng = torch.Generator().manual_seed(0)
    x0, eps = torch.randn(2, 5, 3, generator=rng, dtype=torch.float64)
    t = torch.tensor([1, 3, 5, 8, 10])
    x_t = noisy(SCHEDULE, x0, t, eps)
    near(predict.denoiser(lambda x, t, cond: eps, SCHEDULE, predict.EPS)(x_t, t), x0)
    a = SCHEDULE.alpha_bar[t].view(-1, 1)
    near((x_t - (1 - a).sqrt() * eps) / a.sqrt(), x0)


def test_3_15_sampling():
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


def test_3_17_mean_from_eps():
    for t in (1, 2, 6, 10):
        x_t, eps, _, mean = forms(t)
        b, alpha, a_t, _ = letters(t)
        near((x_t - b / (1 - a_t) ** 0.5 * eps) / alpha**0.5, mean)


def test_3_18_mean_as_a_jump():
    for t in (1, 2, 6, 10):
        _, eps, x0, mean = forms(t)
        b, _, a_t, a_s = letters(t)
        near(a_s**0.5 * x0 + max(1 - a_s - (1 - a_s) / (1 - a_t) * b, 0) ** 0.5 * eps, mean)


POINTS, SHARES = torch.tensor([-1.0, 0.2, 1.0]).double(), torch.tensor([0.2, 0.3, 0.5]).double()


def unknown(t=T):
    """q(x_{t-1} | x_t) on the grid when the data are three points and nobody tells x_0: Bayes' rule, brute force."""
    b, alpha, _, a_s = letters(t)
    before = sum(w * normal(GRID, a_s**0.5 * m, 1 - a_s) for m, w in zip(POINTS, SHARES))
    joint = before * normal(torch.tensor(X_T), alpha**0.5 * GRID, b)
    return joint / integral(joint)


def test_3_2_average_over_x0():
    for t in (2, 6, 10):
        _, _, a_t, _ = letters(t)
        p = SHARES * normal(torch.tensor(X_T), a_t**0.5 * POINTS, 1 - a_t)  # q(x_0 | x_t), up to a factor
        mean, var = posterior(SCHEDULE, POINTS[:, None], torch.full((3, 1), X_T).double(), t, t - 1)
        near(sum(w * normal(GRID, m, var[0]) for m, w in zip(mean, p / p.sum())), unknown(t))


def test_3_10_the_mean_of_the_step_needs_the_mean_of_x0():
    x_t = torch.full((1, 1), X_T).double()
    for t in (2, 6, 10):
        guess = ideal_denoiser(SCHEDULE, POINTS[:, None], SHARES)(x_t, torch.tensor([t]))
        near(posterior(SCHEDULE, guess, x_t, t, t - 1)[0].item(), integral(unknown(t) * GRID))


def test_3_9_small_steps_are_gaussian():
    x = torch.linspace(-3, 3, 60_001, dtype=torch.float64)

    def density(x):
        return (normal(x, -0.95, 0.1) + normal(x, 0.95, 0.1)) / 2

    def misfit(b, drift=1.0, width=1.0):
        alpha = 1 - b
        exact = density(x) * normal(torch.tensor(X_T), alpha**0.5 * x, b)
        top = torch.tensor(X_T / alpha**0.5, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(density(top).log(), top)
        gaussian = normal(x, top.detach() + drift * b / alpha * slope, width * b / alpha)
        return torch.trapezoid((exact / torch.trapezoid(exact, x) - gaussian).abs(), x).item() / 2

    far = [misfit(b) for b in (0.4, 0.04, 0.004, 0.0004)]
    assert far[0] > 0.2 and far[1] < far[0] and far[2] < far[1] / 5 and far[3] < far[2] / 5 and far[3] < 1e-3
    assert misfit(0.0004, drift=0.5) > 10 * far[3] and misfit(0.0004, width=1.1) > 10 * far[3]


def test_3_16_tweedie():
    x_t = torch.tensor([[-1.5], [0.1], [2.0]], dtype=torch.float64, requires_grad=True)
    for t in (1, 5, 10):
        a = SCHEDULE.alpha_bar[t].item()
        log_q = sum(w * normal(x_t, a**0.5 * m, a * 0.09 + 1 - a) for m, w in zip(POINTS, SHARES)).log()
        (slope,) = torch.autograd.grad(log_q.sum(), x_t)
        x = x_t.detach()
        guess = ideal_denoiser(SCHEDULE, POINTS[:, None], SHARES, 0.3)(x, torch.full((3,), t))
        near((a**0.5 * guess - x) / (1 - a), slope)
        near(-(x - a**0.5 * guess) / (1 - a) ** 0.5 / (1 - a) ** 0.5, slope)  # the mean of eps, from that of x_0


def test_3_14_the_floor_of_the_loss():
    rng, v = torch.Generator().manual_seed(0), 0.6  # data N(0, v): the best guesses are straight lines through 0
    x0 = v**0.5 * torch.randn(400_000, 1, generator=rng, dtype=torch.float64)
    eps = torch.randn(x0.shape, generator=rng, dtype=torch.float64)
    for t in (1, 5, 10):
        a = SCHEDULE.alpha_bar[t].item()
        x_t = noisy(SCHEDULE, x0, t, eps)
        best = x_t * (x_t * eps).mean() / (x_t**2).mean()
        guess = ideal_denoiser(SCHEDULE, torch.zeros(1, 1).double(), std=v**0.5)(x_t, torch.full((len(x_t),), t))
        near((eps - best).square().mean(), a / (1 - a) * (x0 - guess).square().mean(), 0.01)
        near((eps - best).square().mean(), a * v / (a * v + 1 - a), 0.01)


def test_3_8_any_earlier_step():
    for t, s in ((7, 2), (10, 6), (5, 1)):
        keep, var = 1.0, 0.0  # x_t given x_s, by walking the chain step by step
        for i in range(s + 1, t + 1):
            b, alpha, _, _ = letters(i)
            keep, var = keep * alpha**0.5, alpha * var + b
        a_s = SCHEDULE.alpha_bar[s].item()
        joint = normal(torch.tensor(X_T), keep * GRID, var) * normal(GRID, a_s**0.5 * X0, 1 - a_s)
        joint = joint / integral(joint)
        mean, spread = posterior(SCHEDULE, torch.tensor([[X0]]).double(), torch.tensor([[X_T]]).double(), t, s)
        near(mean.item(), integral(joint * GRID))
        near(spread.item(), integral(joint * GRID**2) - integral(joint * GRID) ** 2)
