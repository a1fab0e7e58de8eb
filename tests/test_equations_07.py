"""The equations of lesson 07: size, bits, cosine, the last step, v, weights, densities, flow matching, variances."""

import math

import pytest
import torch
import torch.nn.functional as F

from ddpm_lessons import schedules
from ddpm_lessons.forward import noisy, posterior
from ddpm_lessons.losses import diffusion_loss
from ddpm_lessons.predict import EPS, X0, V
from ddpm_lessons.samplers import beta, beta_tilde

COSINE = schedules.cosine(1000)
PREDICT = {p.name: p for p in (EPS, X0, V)}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def doubles(*shape, seed=0):
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


@pytest.mark.parametrize("k", [2, 4])
def test_7_2_pooling_multiplies_the_snr_by_k_squared(k):
    """Measured on pooled pictures: the squared pooled signal over the variance of the rest."""
    schedule, t = schedules.linear(1000), 400
    x0 = F.interpolate(doubles(1, 3, 8, 8), scale_factor=k)  # smooth: each block of k x k is of one colour
    x_t = noisy(schedule, x0.expand(400, -1, -1, -1), t, doubles(400, 3, 8 * k, 8 * k, seed=1))
    pooled, clean = F.avg_pool2d(x_t, k), F.avg_pool2d(x0, k)
    signal = (pooled * clean).mean() / clean.square().mean()
    rest = (pooled - signal * clean).var()
    gain = signal**2 / rest / schedule.snr(torch.tensor(t))
    assert abs(gain / k**2 - 1) < 0.03
    torch.testing.assert_close(signal, schedule.alpha_bar[t].sqrt(), rtol=0.02, atol=0)


def test_7_1_the_kl_to_noise_against_samples():
    """KL = E_q[log q - log p], for three numbers and many draws; 0 for pure noise."""
    x0, a = torch.tensor([0.9, -0.4, 0.1], dtype=torch.float64), torch.tensor(0.3, dtype=torch.float64)
    formula = (a * (x0**2 - 1) - torch.log1p(-a)).sum() / 2
    q = torch.distributions.Normal(a.sqrt() * x0, (1 - a).sqrt())
    x = q.mean + q.stddev * doubles(200_000, 3)
    p = torch.distributions.Normal(torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64))
    ratio = (q.log_prob(x) - p.log_prob(x)).sum(1)
    error = ratio.std() / len(x) ** 0.5
    assert abs(ratio.mean() - formula) < 4 * error and error < 0.01 * formula
    torch.testing.assert_close(torch.distributions.kl_divergence(q, p).sum(), formula)


@pytest.mark.parametrize("T", [4, 50, 1000])
def test_7_4_cosine_from_scratch(T):
    """Number by number with Python's own cosine; the clip holds at T, and signal and noise are nearly a circle."""
    f = [math.cos((t / T + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(T + 1)]
    alpha_bar = [1.0]
    for t in range(1, T + 1):
        alpha_bar.append(alpha_bar[-1] * (1 - min(1 - f[t] / f[t - 1], 0.999)))
    wanted = torch.tensor(alpha_bar, dtype=torch.float64)
    found = schedules.cosine(T).alpha_bar
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=0)
    torch.testing.assert_close(found[:-1], torch.tensor(f[:-1], dtype=torch.float64) / f[0], rtol=1e-9, atol=0)


@pytest.mark.parametrize(("T", "s"), [(10, 0.008), (1000, 0.008), (1000, 0.0), (40, 0.2)])
def test_7_5_beta_as_sines(T, s):
    delta = math.pi / (2 * T * (1 + s))
    phi = (torch.arange(T + 1, dtype=torch.float64) / T + s) / (1 + s) * math.pi / 2
    formula = math.sin(delta) * torch.sin(phi[1:] + phi[:-1]) / phi[:-1].cos() ** 2
    torch.testing.assert_close(formula[:-1], schedules.cosine(T, s).betas[:-1], rtol=1e-6, atol=1e-12)
    assert formula[-1].item() == pytest.approx(1)  # what the clip is for, there alone
    assert formula[-2] < 0.76 and schedules.cosine(T, s).betas[-1].item() == pytest.approx(0.999)
    if s == 0:
        assert formula[0].item() == pytest.approx(math.sin(delta) ** 2)


def test_7_8_v_is_the_derivative_along_the_arc():
    x0, eps = doubles(2, 5)
    for t in (1, 300, 999):
        signal, noise = COSINE.scales(t, like=x0)
        phi = torch.atan2(noise, signal)
        derivative = torch.autograd.functional.jacobian(lambda p: p.cos() * x0 + p.sin() * eps, phi)
        torch.testing.assert_close(V.target(x0, eps, signal, noise), derivative.flatten())


def test_7_9_each_answer_leads_back():
    """Solved as a linear system, two equations for x0 and eps, and compared with the package."""
    x0, eps = doubles(2, 6, 1, 2, 2)
    t = torch.tensor([1, 100, 400, 700, 900, 999])
    signal, noise = COSINE.scales(t, like=x0)
    x_t, v = noisy(COSINE, x0, t, eps), V.target(x0, eps, signal, noise)
    for k in range(6):
        s, n = signal[k].item(), noise[k].item()
        turn = torch.tensor([[s, n], [-n, s]], dtype=torch.float64)
        solved = torch.linalg.solve(turn, torch.stack([x_t[k].flatten(), v[k].flatten()]))
        torch.testing.assert_close(solved[0], V.x0(v, x_t, signal, noise)[k].flatten())
        torch.testing.assert_close(solved[1], (n * x_t[k] + s * v[k]).flatten())
    torch.testing.assert_close(EPS.x0(eps, x_t, signal, noise), x0)
    torch.testing.assert_close(V.x0(v, x_t, signal, noise), x0)


def wrong_by(name, t, by):
    """(error in x0, error in eps, error in v) when the answer of that kind is wrong by so much."""
    x0, eps = doubles(2, 4)
    signal, noise = COSINE.scales(t, like=x0)
    x_t = noisy(COSINE, x0, t, eps)
    x0_hat = PREDICT[name].x0(PREDICT[name].target(x0, eps, signal, noise) + by, x_t, signal, noise)
    eps_hat = (x_t - signal * x0_hat) / noise
    v_hat = signal * eps_hat - noise * x0_hat
    return x0_hat - x0, eps_hat - eps, v_hat - V.target(x0, eps, signal, noise), signal, noise


@pytest.mark.parametrize("name", PREDICT)
def test_7_10_what_an_error_costs(name):
    for t in (1, 300, 700, 990):
        in_x0, in_eps, in_v, signal, noise = wrong_by(name, t, doubles(4, seed=5))
        torch.testing.assert_close(in_x0, -noise / signal * in_eps)
        torch.testing.assert_close(in_x0, -noise * in_v)
        torch.testing.assert_close(in_eps, signal * in_v)
    signal, noise = COSINE.scales(1000, like=doubles(1))
    assert 1e-3 * noise / signal > 2  # larger than a pixel's whole range


@pytest.mark.parametrize("name", PREDICT)
def test_7_11_one_loss_with_three_weights(name):
    """Squares of (7.10); and the package's loss on eps by the SNR is its loss on x0 for such answers."""
    for t in (1, 300, 700, 990):
        in_x0, in_eps, in_v, *_ = (e.square().mean() for e in wrong_by(name, t, doubles(4, seed=5)))
        snr = COSINE.snr(torch.tensor(t))
        torch.testing.assert_close(in_v, (1 + snr) * in_x0)
        torch.testing.assert_close(in_v, (1 + 1 / snr) * in_eps)
        torch.testing.assert_close(in_eps, snr * in_x0)
    x0 = doubles(64, 1, 2, 2).float()
    guess = doubles(64, 1, 2, 2, seed=3).float()  # of the picture

    def answering(net_t):  # a net that means `guess` as its picture, whatever it is asked for
        def net(x_t, t, cond):
            signal, noise = COSINE.scales(t, like=x_t)
            eps_hat = (x_t - signal * guess) / noise
            return PREDICT[net_t].target(guess, eps_hat, signal, noise)

        return net

    one = torch.ones_like  # the picture's error itself, whatever the net answers
    loss = diffusion_loss(answering(name), COSINE, PREDICT[name], x0, weight=one, rng=seeded(1))
    torch.testing.assert_close(loss, F.mse_loss(guess, x0), rtol=1e-2, atol=0)


def test_7_16_the_learned_variance_lies_between():
    """u = 0 and 1 are the two fixed choices, and for data of any variance up to 1 some u between gives the best."""
    for t in (2, 10, 500, 1000):
        b, tilde = (torch.tensor(f(COSINE, t, t - 1), dtype=torch.float64) for f in (beta, beta_tilde))
        u = torch.linspace(0, 1, 11, dtype=torch.float64)
        found = (u * b.log() + (1 - u) * tilde.log()).exp()
        torch.testing.assert_close(found, b**u * tilde ** (1 - u))
        torch.testing.assert_close(found[[0, -1]], torch.stack([tilde, b]))
        for var in (0.01, 0.3, 0.99):  # x0 ~ N(0, var): the ideal guess misses by var (1 - a) / (1 - a + a var)
            a_t, a_s = COSINE.alpha_bar[t], COSINE.alpha_bar[t - 1]
            best = tilde + a_s * b**2 / (1 - a_t) ** 2 * var * (1 - a_t) / (1 - a_t + a_t * var)
            assert 0 < (best / tilde).log() / (b / tilde).log() < 1


def bits(variance, tilde, d2):  # the term of (4.8), in nats
    return 0.5 * (math.log(variance / tilde) + (tilde + d2) / variance - 1)


@pytest.mark.parametrize(("t", "s"), [(500, 499), (100, 60), (960, 900)])
def test_7_17_the_best_variance(t, s):
    """No other variance has a smaller term; d is how far the means are apart; and for two kinds of x0 it is known."""
    x0, x0_hat, x_t = doubles(3, 1000, 1)
    mean, var = posterior(COSINE, x0, x_t, t, s)
    mean_hat, _ = posterior(COSINE, x0_hat, x_t, t, s)
    a_t, a_s = COSINE.alpha_bar[t].item(), COSINE.alpha_bar[s].item()
    b, tilde = beta(COSINE, t, s), beta_tilde(COSINE, t, s)
    factor = a_s**0.5 * b / (1 - a_t)
    torch.testing.assert_close(mean - mean_hat, factor * (x0 - x0_hat))
    d2 = (mean - mean_hat).square().mean().item()
    best = tilde + d2
    assert all(bits(best, tilde, d2) < bits(best * k, tilde, d2) for k in (0.5, 0.9, 1.1, 2))
    # white noise as data: the ideal guess is signal * x_t and misses by 1 - alpha_bar; then beta is right
    assert tilde + factor**2 * (1 - a_t) == pytest.approx(b)


@pytest.mark.parametrize("k", [0.5, 2, 4])
def test_7_3_the_shifted_schedule(k):
    """Log SNR falls by 2 log k at every step; and pooled by k, a picture under it is one under the old schedule."""
    a = COSINE.alpha_bar
    shifted = a / (a + k**2 * (1 - a))
    torch.testing.assert_close(shifted[1:].logit(), a[1:].logit() - 2 * math.log(k))
    schedules.Schedule(shifted)  # still clean at 0, falling, above 0
    signal, noise = shifted.sqrt(), (1 - shifted).sqrt() / k  # of the pooled picture
    torch.testing.assert_close(signal**2 / (signal**2 + noise**2), a)


STABLE = schedules.quadratic(1000, 0.00085, 0.012).alpha_bar


def to_zero(alpha_bar):
    signal = alpha_bar.sqrt()
    return ((signal - signal[-1]) / (1 - signal[-1])) ** 2


def test_7_7_zero_terminal_snr():
    """Clean at 0, pure noise at T, falling in between; the signal is changed along a straight line."""
    a = to_zero(STABLE)
    assert a[0] == 1 and a[-1] == 0 and (a.diff() < 0).all()
    before, after = STABLE.sqrt(), a.sqrt()
    slope = (after[0] - after[300]) / (before[0] - before[300])
    torch.testing.assert_close(after.diff(), slope * before.diff())
    assert slope > 1


@pytest.mark.parametrize(("N", "tau", "zero"), [(4096, 0.5, False), (64, 0.8, False), (4096, 0.5, True)])
def test_7_6_how_wide_the_brightness_comes_out(N, tau, zero):
    """DDIM with the ideal guess of the mean of N pixels, from pure noise, step by step, against the closed form."""
    a = to_zero(STABLE) if zero else STABLE
    x = torch.tensor(1 / N**0.5, dtype=torch.float64)  # one standard deviation: the whole map is linear
    for now, after in zip(a.flip(0), a.flip(0)[1:]):
        guess = tau**2 * now.sqrt() * x / (now * tau**2 + (1 - now) / N)
        x = after.sqrt() * guess + (1 - after).sqrt() * (x - now.sqrt() * guess) / (1 - now).sqrt()
    wanted = tau / (1 + a[-1].item() * (N * tau**2 - 1)) ** 0.5
    assert x.item() == pytest.approx(wanted, rel=0.02)
    assert zero == (abs(wanted / tau - 1) < 1e-9)


def test_7_12_a_mean_over_steps_is_an_integral_over_log_snr():
    """With the density (7.13), for a weight and an error that depend on log SNR alone."""
    plain = schedules.cosine(20_000, 0.0).alpha_bar[1:-1].logit()

    def inside(log_snr):
        return torch.sigmoid(log_snr) * (1 + log_snr.exp()).log() * (-log_snr.abs() / 4).exp()

    grid = torch.linspace(-40, 40, 400_001, dtype=torch.float64)
    density = 1 / (2 * math.pi * torch.cosh(grid / 2))
    torch.testing.assert_close(inside(plain).mean(), torch.trapezoid(density * inside(grid), grid), rtol=1e-3, atol=0)


def test_7_13_the_density_of_the_cosine_schedule():
    """The share of the steps in each bin of log SNR, without offset and clip, and the integral is 1."""
    log_snr = schedules.cosine(100_000, 0.0).alpha_bar[1:-1].logit()
    edges = torch.linspace(-10, 10, 21, dtype=torch.float64)
    share = torch.histogram(log_snr, edges).hist / len(log_snr)
    grid = torch.linspace(-10, 10, 20_001, dtype=torch.float64)
    p = 1 / (2 * math.pi * torch.cosh(grid / 2))
    wanted = torch.stack([torch.trapezoid(p[i : i + 1001], grid[i : i + 1001]) for i in range(0, 20_000, 1000)])
    torch.testing.assert_close(share, wanted, rtol=0.01, atol=1e-4)
    assert torch.trapezoid(p, grid).item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("tau", [0.01, 0.3, 0.5, 0.9])
def test_7_14_the_straight_path(tau):
    """u is its derivative, the same everywhere; and scaled to variance 1 the point is x_t of the same SNR."""
    x0, eps = doubles(2, 5)
    at = torch.tensor(tau, dtype=torch.float64)
    u = torch.autograd.functional.jacobian(lambda p: (1 - p) * x0 + p * eps, at)
    torch.testing.assert_close(u, eps - x0)
    size = ((1 - tau) ** 2 + tau**2) ** 0.5
    signal, noise = (1 - tau) / size, tau / size
    assert signal**2 + noise**2 == pytest.approx(1)
    torch.testing.assert_close(((1 - tau) * x0 + tau * eps) / size, signal * x0 + noise * eps)
    assert (signal / noise) ** 2 == pytest.approx(((1 - tau) / tau) ** 2)


@pytest.mark.parametrize("phi", [0.05, 0.6, math.pi / 4, 1.5])
def test_7_15_u_is_another_v(phi):
    """The identity itself; and an error of v becomes one of u, whose weight on x0 is (1 + sqrt(SNR))^2."""
    x0, eps, off = doubles(3, 5)
    c, n = math.cos(phi), math.sin(phi)
    x_t, v = c * x0 + n * eps, c * eps - n * x0
    torch.testing.assert_close((c + n) * v - (c - n) * x_t, eps - x0)
    in_u = (c + n) * (v + off) - (c - n) * x_t - (eps - x0)
    in_x0 = -n * off
    snr = (c / n) ** 2
    torch.testing.assert_close(in_u**2, (1 + snr**0.5) ** 2 * in_x0**2)
    assert (1 + snr) <= (1 + snr**0.5) ** 2 <= 2 * (1 + snr) * (1 + 1e-12)
