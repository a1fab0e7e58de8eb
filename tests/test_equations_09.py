"""The displayed equations of lesson 09, each checked in numbers by another road than its derivation."""

import math

import pytest
import torch
from checking import F64, near

from ddpm_lessons import schedules
from ddpm_lessons.conditions import Cond, classes
from ddpm_lessons.course.toys import ideal_denoiser
from ddpm_lessons.forward import noisy
from ddpm_lessons.guidance import dynamic_threshold, guided
from ddpm_lessons.predict import EPS, X0, V, denoiser

SCHEDULE = schedules.cosine(100)
MEANS = torch.tensor([[1.0, 0.6], [-1.0, 0.5], [0.9, -0.6], [-0.7, -1.1]], dtype=F64)
POOLS = [MEANS[:2], MEANS[2:], MEANS]  # class 0, class 1, both: the classes are equally frequent
STD = 0.3
LABELS = classes(torch.tensor([0, 1, 0, 1]), 2)
TIMES = torch.tensor([5, 30, 60, 90])
X_T = torch.tensor([[0.3, -0.2], [1.0, 0.1], [-0.6, 0.4], [0.2, 0.9]], dtype=F64)


def exact(x_t, t, cond):
    """The best guess for class 0, class 1 and the null condition."""
    k = torch.where(cond.vec.sum(1) == 0, 2, cond.vec.argmax(1))
    each = torch.stack([ideal_denoiser(SCHEDULE, pool, std=STD)(x_t, t) for pool in POOLS])
    return each[k, torch.arange(len(k))]


def log_p(x_t, t, pool):
    """log of the density of x_t, from PyTorch's own mixtures."""
    signal, noise = [v.item() for v in SCHEDULE.scales(t, X_T[:1])]
    each = torch.distributions.Normal(signal * pool, math.sqrt((signal * STD) ** 2 + noise**2))
    each = torch.distributions.Independent(each, 1)
    return torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(torch.ones(len(pool), dtype=F64)), each
    ).log_prob(x_t)


def slope(f, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(f(x).sum(), x)[0]


def eps_hat(x_t, t, cond):
    signal, noise = SCHEDULE.scales(t, x_t)
    return (x_t - signal * exact(x_t, t, cond)) / noise


@pytest.mark.parametrize("t", [30, 60])
def test_9_6_joint_training(t):
    """The best table of guesses, learned from samples whose condition was dropped, in a window around one x_t."""
    rng = torch.Generator().manual_seed(t)
    k = torch.randint(4, (2_000_000,), generator=rng)
    line = MEANS[:, :1]
    x0 = line[k] + STD * torch.randn(len(k), 1, dtype=F64, generator=rng)
    x_t = noisy(SCHEDULE, x0, t, torch.randn(len(k), 1, dtype=F64, generator=rng))[:, 0]
    cond = classes(k // 2, 2).drop(0.1, rng)
    at = torch.tensor([[0.25]], dtype=F64)
    here = (x_t - 0.25).abs() < 0.03
    for row, pool in (([1.0, 0.0], line[:2]), ([0.0, 1.0], line[2:]), ([0.0, 0.0], line)):
        mine = here & (cond.vec == torch.tensor(row)).all(1)
        best = ideal_denoiser(SCHEDULE, pool, std=STD)(at, torch.tensor([t])).item()
        near(x0[mine].mean(), best, 0.03)
    told = torch.tensor(
        [ideal_denoiser(SCHEDULE, p, std=STD)(at, torch.tensor([t])).item() for p in (line[:2], line[2:])]
    )
    signal, noise = [v.item() for v in SCHEDULE.scales(t, at)]
    var = (signal * STD) ** 2 + noise**2
    odds = (-((0.25 - signal * line[:, 0]) ** 2) / (2 * var)).exp().view(2, 2).sum(1)
    near((odds / odds.sum() * told).sum(), ideal_denoiser(SCHEDULE, line, std=STD)(at, torch.tensor([t])).item(), 1e-6)


def test_9_7_a_draw_a_sample_or_a_feature():
    rng = torch.Generator().manual_seed(0)
    for D in (1, 2, 3):
        vec = torch.ones(100_000, D)
        near((Cond(vec).drop(0.3, rng).vec == 0).all(1).double().mean(), 0.3, 0.01)
        each = vec * (torch.rand(vec.shape, generator=rng) >= 0.3)
        near((each == 0).all(1).double().mean(), 0.3**D, 0.01)
    dropped = Cond(torch.ones(1000, 512)).drop(0.1, rng).vec
    assert set(dropped.sum(1).tolist()) == {0.0, 512.0}


@pytest.mark.parametrize("w", [-2.0, 0.0, 1.0, 1.5, 8.0])
def test_9_4_guided_noise(w):
    """From the package's guided x0 back to eps; and the second convention, w' = w - 1."""
    signal, noise = SCHEDULE.scales(TIMES, X_T)
    found = (X_T - signal * guided(exact, w)(X_T, TIMES, LABELS)) / noise
    eps_c, eps_null = eps_hat(X_T, TIMES, LABELS), eps_hat(X_T, TIMES, LABELS.drop(1.0))
    near(found, w * eps_c + (1 - w) * eps_null)
    near(found, (1 + (w - 1)) * eps_c - (w - 1) * eps_null)


@pytest.mark.parametrize("predict", [EPS, X0, V], ids=lambda p: p.name)
def test_9_5_guiding_x0_is_guiding_any_answer(predict):
    """Networks of any content: guide the raw answer, or guide the picture that it means."""

    def net(x, t, cond):
        return torch.sin(2 * x + cond.vec.double() @ torch.tensor([[1.0, 2.0], [-1.0, 0.5]], dtype=F64))

    def raw(x, t, cond):
        return 3.5 * net(x, t, cond) - 2.5 * net(x, t, cond.drop(1.0))

    near(
        guided(denoiser(net, SCHEDULE, predict), 3.5)(X_T, TIMES, LABELS),
        denoiser(raw, SCHEDULE, predict)(X_T, TIMES, LABELS),
    )


@pytest.mark.parametrize("i", range(4))
def test_9_1_score(i):
    t, x, cond = TIMES[i : i + 1], X_T[i : i + 1], Cond(LABELS.vec[i : i + 1])
    noise = SCHEDULE.scales(t, x)[1]
    for c, pool in ((cond, POOLS[i % 2]), (cond.drop(1.0), MEANS)):
        near(slope(lambda x: log_p(x, t, pool), x), -eps_hat(x, t, c) / noise, 1e-6)


@pytest.mark.parametrize("i", range(4))
def test_9_3_implicit_classifier(i):
    """The posterior from the two classes' densities, not from p(x_t): a softmax, and its slope."""
    t, x, cond = TIMES[i : i + 1], X_T[i : i + 1], Cond(LABELS.vec[i : i + 1])
    noise = SCHEDULE.scales(t, x)[1]

    def log_posterior(x):
        return torch.stack([log_p(x, t, POOLS[0]), log_p(x, t, POOLS[1])]).log_softmax(0)[i % 2]

    near(slope(log_posterior, x), -(eps_hat(x, t, cond) - eps_hat(x, t, cond.drop(1.0))) / noise, 1e-6)


@pytest.mark.parametrize("w", [-1.0, 0.5, 2.0, 4.0])
def test_9_8_power_of_the_density(w):
    for i in range(4):
        t, x, cond = TIMES[i : i + 1], X_T[i : i + 1], Cond(LABELS.vec[i : i + 1])
        signal, noise = SCHEDULE.scales(t, x)
        eps = (x - signal * guided(exact, w)(x, t, cond)) / noise
        near(slope(lambda x: w * log_p(x, t, POOLS[i % 2]) + (1 - w) * log_p(x, t, MEANS), x), -eps / noise, 1e-6)


def test_9_10_dynamic_threshold():
    """The quantile by sorting: of 101 numbers, the p-quantile is the one with 100 p below it."""
    x0 = torch.randn(5, 101, dtype=F64, generator=torch.Generator().manual_seed(0)) * torch.tensor(
        [[0.1], [0.5], [1], [3], [9]]
    )
    for p in (0.5, 0.9, 0.99):
        out = dynamic_threshold(lambda x, t, cond: x0, p)(x0, None)
        for row, found in zip(x0, out):
            s = max(1.0, sorted(row.abs().tolist())[round(100 * p)])
            near(found, torch.tensor([max(-s, min(s, v)) / s for v in row.tolist()], dtype=F64))


@pytest.mark.parametrize("w", [-1.0, 1.0, 3.0])
def test_9_2_classifier_guidance(w):
    """A perfect classifier's slope, by autograd of a softmax over the classes' densities, guides as two guesses do."""
    for i in range(4):
        t, x, cond = TIMES[i : i + 1], X_T[i : i + 1], Cond(LABELS.vec[i : i + 1])
        signal, noise = SCHEDULE.scales(t, x)

        def log_posterior(x):
            return torch.stack([log_p(x, t, POOLS[0]), log_p(x, t, POOLS[1])]).log_softmax(0)[i % 2]

        eps = eps_hat(x, t, cond.null()) - w * noise * slope(log_posterior, x)
        near((x - noise * eps) / signal, guided(exact, w)(x, t, cond), 1e-6)


@pytest.mark.parametrize("w", [0.5, 1.0, 3.0])
def test_9_9_negative_prompt(w):
    """Class 1 in the place of the null condition: the slope of the two densities' powers."""
    for i in (0, 2):  # asked for class 0
        t, x = TIMES[i : i + 1], X_T[i : i + 1]
        signal, noise = SCHEDULE.scales(t, x)
        wanted, unwanted = (exact(x, t, classes(torch.tensor([k]), 2)) for k in (0, 1))
        eps = (x - signal * (unwanted + w * (wanted - unwanted))) / noise
        near(slope(lambda x: w * log_p(x, t, POOLS[0]) + (1 - w) * log_p(x, t, POOLS[1]), x), -eps / noise, 1e-6)
