"""The displayed equations of lesson 08, each checked in numbers by another road than its derivation."""

import math

import pytest
import torch
from checking import F64, near

from ddpm_lessons import schedules
from ddpm_lessons.course.toys import ideal_denoiser
from ddpm_lessons.forward import noisy, posterior
from ddpm_lessons.samplers import beta_tilde, ddim, ddpm, dpmpp_2m, slerp, times

SCHEDULE = schedules.cosine(100)
ONE = torch.ones(1, 1, dtype=F64)
STEPS = [(100, 60), (60, 20), (20, 5), (100, 99), (2, 1)]  # from t to s


def scales(t, schedule=SCHEDULE):
    return [v.item() for v in schedule.scales(t, ONE)]


def draws(n=200_000):
    return torch.randn(n, 1, dtype=F64, generator=torch.Generator().manual_seed(n))


def lam(t, schedule=SCHEDULE):
    a, b = scales(t, schedule)
    return math.log(a / b)


def q_sigma(x_t, x0, t, s, sigma):
    """Mean and variance of (8.1)."""
    (a_t, b_t), (a_s, b_s) = scales(t), scales(s)
    return a_s * x0 + (b_s**2 - sigma**2) ** 0.5 * (x_t - a_t * x0) / b_t, sigma**2


@pytest.mark.parametrize("t, s", STEPS)
def test_8_1_family(t, s):
    """The step of `ddim` by someone who knows x0: its mean over many draws, and their spread."""
    x_t = torch.full((200_000, 1), 0.3, dtype=F64)
    for eta in (0.0, 0.5, 1.0):
        rng = torch.Generator().manual_seed(0)
        found = next(ddim(lambda x, t, cond: 0.8 * torch.ones_like(x), SCHEDULE, x_t, [t, s], rng=rng, eta=eta)).x
        mean, var = q_sigma(0.3, 0.8, t, s, eta * beta_tilde(SCHEDULE, t, s) ** 0.5)
        near(found.mean(), mean, 0.01)
        near(found.std(), var**0.5, 0.01)


@pytest.mark.parametrize("t, s", STEPS[:3])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_8_2_marginals(t, s, share):
    """Two numbers that (8.2) does not assume: mean and spread of x_s, for any sigma, when x_t is a jump."""
    a_s, b_s = scales(s)
    x_t = noisy(SCHEDULE, torch.full((200_000, 1), 0.8, dtype=F64), t, draws())
    mean, var = q_sigma(x_t, 0.8, t, s, share * b_s)
    x_s = mean + var**0.5 * draws(200_001)[1:]
    near(x_s.mean(), a_s * 0.8, 0.01)
    near(x_s.std(), b_s, 0.01)
    near(((x_s - x_s.mean()) / x_s.std()).pow(4).mean(), 3.0, 0.06)  # a Gaussian's fourth moment


@pytest.mark.parametrize("t, s", STEPS[:3])
def test_8_3_kl(t, s):
    (a_t, b_t), (a_s, b_s) = scales(t), scales(s)
    for share in (0.2, 0.8):
        sigma = share * b_s
        p, q = [torch.distributions.Normal(q_sigma(0.3, x0, t, s, sigma)[0], sigma) for x0 in (0.8, 0.1)]
        kl = (a_s - (b_s**2 - sigma**2) ** 0.5 * a_t / b_t) ** 2 * 0.7**2 / (2 * sigma**2)
        near(torch.distributions.kl_divergence(p, q), kl, 1e-5)


@pytest.mark.parametrize("t, s", STEPS)
def test_8_4_eta(t, s):
    (a_t, b_t), (a_s, b_s) = scales(t), scales(s)
    _, var = posterior(SCHEDULE, ONE, ONE, t, s)
    near((1 - a_t**2 / a_s**2) * b_s**2 / b_t**2, var.item())
    x_t = torch.zeros(200_000, 1, dtype=F64)
    found = next(ddim(lambda x, t, cond: x, SCHEDULE, x_t, [t, s], rng=torch.Generator().manual_seed(0), eta=0.5)).x
    near(found.std(), 0.5 * var.sqrt().item(), 0.01)


@pytest.mark.parametrize("t, s", STEPS)
def test_8_5_eta_1_is_ddpm(t, s):
    (a_t, b_t), (a_s, b_s) = scales(t), scales(s)
    mean, var = posterior(SCHEDULE, 0.8 * ONE, 0.3 * ONE, t, s)
    near(b_s**2 - var.item(), (a_t * b_s**2 / (a_s * b_t)) ** 2)
    near(a_t / a_s * b_s**2 / b_t**2 * 0.3 + a_s / b_t**2 * (1 - a_t**2 / a_s**2) * 0.8, mean.item())
    near(q_sigma(0.3, 0.8, t, s, var.item() ** 0.5)[0], mean.item())
    denoise = ideal_denoiser(SCHEDULE, torch.tensor([[-1.0], [0.5]], dtype=F64), std=0.2)
    *_, a = ddim(denoise, SCHEDULE, draws(50), [t, s], rng=torch.Generator().manual_seed(0), eta=1.0)
    *_, b = ddpm(denoise, SCHEDULE, draws(50), [t, s], rng=torch.Generator().manual_seed(0))
    near(a.x, b.x)


@pytest.mark.parametrize("t, s", STEPS)
@pytest.mark.parametrize("eta", [0.0, 0.7])
def test_8_6_ddim_step(t, s, eta):
    (a_t, b_t), (a_s, b_s) = scales(t), scales(s)
    x_t, z = draws(20), torch.randn(20, 1, dtype=F64, generator=torch.Generator().manual_seed(0))
    x0 = torch.tanh(x_t)
    sigma = eta * beta_tilde(SCHEDULE, t, s) ** 0.5
    by_hand = a_s * x0 + (b_s**2 - sigma**2) ** 0.5 * (x_t - a_t * x0) / b_t + sigma * z
    rng = torch.Generator().manual_seed(0)
    near(next(ddim(lambda x, t, cond: torch.tanh(x), SCHEDULE, x_t, [t, s], rng=rng, eta=eta)).x, by_hand)


def path(t, std=0.5, schedule=SCHEDULE):
    """A solution of the equation for data N(0, std^2), by (8.15)."""
    a, b = scales(t, schedule)
    return (a**2 * std**2 + b**2) ** 0.5


def guess(x, t, std=0.5, schedule=SCHEDULE):
    """(eps_hat, x0_hat) for these data."""
    x0 = ideal_denoiser(schedule, torch.zeros(1, 1, dtype=F64), std=std)(x * ONE, torch.tensor([t])).item()
    a, b = scales(t, schedule)
    return (x - a * x0) / b, x0


def test_8_7_ode():
    for t, s in STEPS:
        (a_t, b_t), (a_s, b_s) = scales(t), scales(s)
        eps, x0 = guess(0.3, t)
        denoise = ideal_denoiser(SCHEDULE, torch.zeros(1, 1, dtype=F64), std=0.5)
        x_s = next(ddim(denoise, SCHEDULE, 0.3 * ONE, [t, s])).x.item()
        near(x_s / a_s, 0.3 / a_t + (b_s / a_s - b_t / a_t) * eps)
    schedule = schedules.cosine(10_000)  # small steps: the slope of the solution
    for t in (9000, 5000, 500):
        (a_t, b_t), (a_s, b_s) = scales(t + 1, schedule), scales(t - 1, schedule)
        slope = (path(t + 1, schedule=schedule) / a_t - path(t - 1, schedule=schedule) / a_s) / (b_t / a_t - b_s / a_s)
        near(slope, guess(path(t, schedule=schedule), t, schedule=schedule)[0], 1e-4)


def test_8_9_clock():
    schedule = schedules.cosine(10_000)
    for t in (9000, 5000, 500):
        after, now, before = [(path(u, schedule=schedule), *scales(u, schedule)) for u in (t - 1, t, t + 1)]
        slope = (after[0] / after[2] - before[0] / before[2]) / (lam(t - 1, schedule) - lam(t + 1, schedule))
        eps, x0 = guess(now[0], t, schedule=schedule)
        near(slope, now[1] / now[2] * x0, 1e-4)
        near(-eps + now[0] / now[2], now[1] / now[2] * x0)


def integral_of_guess(t, s, f, n=20_001):
    """The integral of e^lambda f(lambda) from lambda_t to lambda_s."""
    grid = torch.linspace(lam(t), lam(s), n, dtype=F64)
    return torch.trapezoid(grid.exp() * f(grid), grid).item()


@pytest.mark.parametrize("t, s", STEPS)
def test_8_10_exact_solution(t, s):
    """Quadrature along the exact path of two data sets: N(0, 0.5^2), and one point."""

    def x0_hat(grid, std=0.5):  # a^2 = sigmoid(2 lambda); the path at lambda, and its guess, from (3.11)
        a2 = torch.sigmoid(2 * grid)
        return a2.sqrt() * std**2 / (a2 * std**2 + 1 - a2) * (a2 * std**2 + 1 - a2).sqrt()

    (_, b_t), (_, b_s) = scales(t), scales(s)
    near(b_s / b_t * path(t) + b_s * integral_of_guess(t, s, x0_hat), path(s), 1e-5)
    (a_t, _), (a_s, _) = scales(t), scales(s)
    x_t, eps = a_t * 0.8 + b_t * 0.4, 0.4  # one point: x = a x0 + b eps with one eps for ever
    point = integral_of_guess(t, s, lambda g: 0.8 * torch.ones_like(g))
    near(b_s / b_t * x_t + b_s * point, a_s * 0.8 + b_s * eps, 1e-5)


@pytest.mark.parametrize("t, s", STEPS)
def test_8_11_first_order(t, s):
    (a_t, b_t), (a_s, b_s) = scales(t), scales(s)
    x0 = guess(0.3, t)[1]
    held = b_s / b_t * 0.3 + b_s * integral_of_guess(t, s, lambda g: x0 * torch.ones_like(g))
    near(held, b_s / b_t * 0.3 + b_s * (a_s / b_s - a_t / b_t) * x0, 1e-5)
    denoise = ideal_denoiser(SCHEDULE, torch.zeros(1, 1, dtype=F64), std=0.5)
    near(held, next(ddim(denoise, SCHEDULE, 0.3 * ONE, [t, s])).x.item(), 1e-5)


def test_8_13_integral_of_the_line():
    for h in (0.01, 0.1, 1.0):
        u = torch.linspace(0, h, 20_001, dtype=F64)
        line = torch.trapezoid(u.exp() * u, u).item()
        near(line, math.exp(h) * (h - 1) + 1, 1e-7)
        half = h / 2 * (math.exp(h) - 1)
        near(half, h / 2 * torch.trapezoid(u.exp(), u).item(), 1e-7)
        near(line, h**2 / 2 + h**3 / 3, h**4 / 5)  # the next term of the series is h^4 / 8, and there are more
        near(half, h**2 / 2 + h**3 / 4, h**4 / 5)
    h = 1e-2
    near((math.exp(h) * (h - 1) + 1 - h / 2 * (math.exp(h) - 1)) / h**3, 1 / 12, 1e-3)


def test_8_14_second_order():
    """A guess that is a line in lambda: the step errs by slope * b_s e^lambda_t * h^3 / 12; `dpmpp_2m` takes it."""
    schedule = schedules.cosine(1000)
    c, k = 0.3, 0.7
    for r, t, s in ((602, 600, 597), (640, 600, 570)):
        (a_t, b_t), (a_s, b_s) = scales(t, schedule), scales(s, schedule)
        h, h_before = lam(s, schedule) - lam(t, schedule), lam(t, schedule) - lam(r, schedule)
        D = (c + k * lam(t, schedule)) + h / (2 * h_before) * (k * h_before)
        x = 0.5
        x_s = a_s * D + b_s * (x - a_t * D) / b_t
        grid = torch.linspace(lam(t, schedule), lam(s, schedule), 20_001, dtype=F64)
        exact = b_s / b_t * x + b_s * torch.trapezoid(grid.exp() * (c + k * grid), grid).item()
        assert (exact - x_s) / (k * b_s * a_t / b_t * h**3 / 12) == pytest.approx(1, abs=0.6 * h)

        denoise = lambda x, t, cond: torch.full_like(x, c + k * lam(t[0].item(), schedule))  # noqa: E731
        before, after = dpmpp_2m(denoise, schedule, x * ONE, [r, t, s])
        near(after.x.item(), a_s * D + b_s * (before.x.item() - a_t * D) / b_t)
    *_, last = dpmpp_2m(lambda x, t, cond: torch.tanh(x), schedule, ONE, times(1000, 5))
    near(last.x, last.x0)  # the last step lands on the guess


def test_8_15_path_of_gaussian_data():
    """A thousand Euler steps from t to s come to the same; so do both samplers."""
    schedule = schedules.cosine(4000)
    for std in (0.5, 1.0, 2.0):
        denoise = ideal_denoiser(schedule, torch.zeros(1, 1, dtype=F64), std=std)
        want = path(200, std, schedule) / path(3800, std, schedule)
        for sampler, tolerance in ((ddim, 2e-3), (dpmpp_2m, 1e-4)):
            *_, last = sampler(denoise, schedule, ONE, [200 + k for k in times(3600, 900)])
            near(last.x.item(), want, tolerance)
        x = torch.tensor(0.7, dtype=F64)  # eps_hat = b x / (a^2 v + b^2)
        a, b = scales(1000, schedule)
        near(guess(x.item(), 1000, std, schedule)[0], b * 0.7 / (a**2 * std**2 + b**2))


def test_8_17_length_of_noise():
    z = torch.randn(4000, 300, dtype=F64, generator=torch.Generator().manual_seed(0))
    squares = z.square().sum(1)
    near(squares.mean() / 300, 1.0, 0.01)
    near(squares.var() / 600, 1.0, 0.07)


def test_8_18_straight_line():
    x, y = torch.randn(2, 4000, 300, dtype=F64, generator=torch.Generator().manual_seed(0))
    for w in (0.0, 0.2, 0.5, 1.0):
        near(((1 - w) * x + w * y).square().sum(1).mean() / 300, (1 - w) ** 2 + w**2, 0.01)


def test_8_19_slerp():
    """In the plane, and turned into a space of 40 numbers: the same length, and an angle that grows with w."""
    turn, _ = torch.linalg.qr(torch.randn(40, 2, dtype=F64, generator=torch.Generator().manual_seed(0)))
    for theta in (0.2, 1.5, 3.0):
        ends = torch.tensor([[1.0, 0.0], [math.cos(theta), math.sin(theta)]], dtype=F64)
        for w in (0.0, 0.3, 0.5, 1.0):
            on_arc = 7 * torch.tensor([[math.cos(w * theta), math.sin(w * theta)]], dtype=F64)
            near(slerp(7 * ends[:1], 7 * ends[1:], w), on_arc)
            near(slerp(7 * ends[:1] @ turn.T, 7 * ends[1:] @ turn.T, w), on_arc @ turn.T)


def test_8_8_score():
    """The gradient of the log density of a mixture, by autograd."""
    means, weights, std = torch.tensor([-1.0, 0.5], dtype=F64), torch.tensor([0.3, 0.7], dtype=F64), 0.2
    denoise = ideal_denoiser(SCHEDULE, means[:, None], weights, std=std)
    for t in (5, 40, 80):
        a, b = scales(t)
        x = torch.linspace(-2, 2, 9, dtype=F64)[:, None].requires_grad_()
        each = torch.distributions.Normal(a * means, (a**2 * std**2 + b**2) ** 0.5).log_prob(x)
        (score,) = torch.autograd.grad((weights.log() + each).logsumexp(1).sum(), x)
        x0 = denoise(x.detach(), torch.full((9,), t))
        near(score, -(x.detach() - a * x0) / b**2, 1e-6)
        near(score, -(x.detach() - a * x0) / b / b, 1e-6)


@pytest.mark.parametrize("t, s", STEPS)
def test_8_12_line_in_the_integral(t, s):
    x0, m, h = 0.3, 0.7, lam(s) - lam(t)
    u = torch.linspace(0, h, 200_001, dtype=F64)
    split = math.exp(lam(t)) * (x0 * math.expm1(h) + m * torch.trapezoid(u.exp() * u, u).item())
    near(integral_of_guess(t, s, lambda g: x0 + m * (g - lam(t)), 200_001), split, 1e-5)


def test_8_16_inversion():
    """Climbing and coming back down: exact for a guess that stands still, and of order 1 for another one."""
    schedule = schedules.cosine(2000)
    denoise = ideal_denoiser(schedule, torch.zeros(1, 1, dtype=F64), std=0.5)

    def climb(denoise, x, ts):
        for s, t in zip(ts, ts[1:]):
            (a_s, b_s), (a_t, b_t) = scales(s, schedule), scales(t, schedule)
            x0 = denoise(x, torch.full((len(x),), s), None)
            x = a_t * x0 + b_t * (x - a_s * x0) / b_s
        return x

    still = lambda x, t, cond: 0.3 * torch.ones_like(x)  # noqa: E731
    *_, back = ddim(still, schedule, climb(still, 0.8 * ONE, [200, 900, 1800]), [1800, 900, 200])
    near(back.x, 0.8 * ONE)
    want = 0.8 * path(1800, schedule=schedule) / path(200, schedule=schedule)  # up the exact path (8.15)
    coarse, fine = (climb(denoise, 0.8 * ONE, list(range(200, 1801, length))).item() - want for length in (40, 20))
    assert coarse / fine == pytest.approx(2, abs=0.2)
