"""The equations of lesson 04, each checked by number: quadrature, Monte Carlo, autograd, other proofs."""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F

from ddpm_lessons import bound, losses, schedules
from ddpm_lessons.course import toys
from ddpm_lessons.forward import posterior, step
from ddpm_lessons.predict import EPS
from ddpm_lessons.samplers import beta, beta_tilde, ddpm

SHORT = schedules.linear(6, 0.05, 0.6)
POINTS = torch.tensor([-171.0, 51.0]) / 255  # on two of the 256 levels
IDEAL = toys.ideal_denoiser(SHORT, POINTS[:, None], torch.tensor([0.7, 0.3]))
GRID = torch.linspace(-7, 7, 561, dtype=torch.float64)
WIDTH = 0.025


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def density(x, mean, var):
    return torch.exp(-((x - mean) ** 2) / (2 * var)) / (2 * math.pi * torch.as_tensor(var, dtype=torch.float64)).sqrt()


def times(t, n):
    return torch.full((n,), t)


def decoder(x0, x_1):  # log p(x_0 | x_1)
    return bound.discretised(x0, IDEAL(x_1, times(1, len(x_1))), beta(SHORT, 2, 1) ** 0.5)


def quadrature(x0):  # (4.2), one integral after the other
    p = density(GRID, 0, 1)
    for t in range(SHORT.T, 1, -1):
        mean, _ = posterior(SHORT, IDEAL(GRID[:, None], times(t, len(GRID))), GRID[:, None], t, t - 1)
        p = density(GRID[:, None], mean.T, beta(SHORT, t, t - 1)) @ p * WIDTH
    return (decoder(x0.expand(len(GRID), 1), GRID[:, None]).exp()[:, 0] * p).sum() * WIDTH


def chains(x0, n, rng):
    chain = [x0.expand(n, 1)]
    for t in range(1, SHORT.T + 1):
        chain.append(step(SHORT, chain[-1], t, torch.randn(n, 1, generator=rng, dtype=torch.float64)))
    return chain


def log_p(x):  # log p(x_0..T), the summands
    one = [density(x[-1], 0, 1).log(), decoder(x[0], x[1])]
    for t in range(2, SHORT.T + 1):
        mean, _ = posterior(SHORT, IDEAL(x[t], times(t, len(x[t]))), x[t], t, t - 1)
        one.append(density(x[t - 1], mean, beta(SHORT, t, t - 1)).log())
    return one


def log_q(x):  # log q(x_1..T | x_0), forward
    return sum(density(b, (1 - v).sqrt() * a, v).log() for (a, b), v in zip(pairwise(x), SHORT.betas))


def marginal(x0, t):
    return SHORT.alpha_bar[t].sqrt() * x0, 1 - SHORT.alpha_bar[t]


X0 = POINTS[:1].double()


def backwards(values):  # the same integrals in the other order, from x_0 up to x_T
    weight = decoder(
        values[:, None].expand(-1, len(GRID)).T.reshape(-1, 1), GRID.repeat_interleave(len(values))[:, None]
    )
    v = weight.exp().view(len(GRID), len(values))  # p(x_0 | x_1)
    for t in range(2, SHORT.T + 1):
        mean, _ = posterior(SHORT, IDEAL(GRID[:, None], times(t, len(GRID))), GRID[:, None], t, t - 1)
        v = density(GRID[None], mean, beta(SHORT, t, t - 1)) @ v * WIDTH  # p(x_0 | x_t)
    return density(GRID, 0, 1) @ v * WIDTH


def test_4_2_marginal():
    """The chain of integrals agrees with samples of the model, and the levels' probabilities sum to 1."""
    x = torch.randn(20_000, 1, generator=seeded(), dtype=torch.float64)
    for moment in ddpm(IDEAL, SHORT, x, list(range(SHORT.T, 0, -1)), rng=seeded(1), variance=beta):
        x = moment.x
    sampled = decoder(X0.expand(20_000, 1), x).exp()
    error = sampled.std() / len(x) ** 0.5
    assert (sampled.mean() - quadrature(X0)).abs() < 4 * error and error < 0.03 * sampled.mean()
    every = backwards(torch.linspace(-1, 1, 256, dtype=torch.float64))
    assert abs(every.sum() - 1) < 1e-6 and abs(backwards(X0)[0] - quadrature(X0)) < 1e-9


def test_4_3_jensen():
    """The mean of -log(p/q) over forward chains lies above -log p(x_0), by a KL, and is not far off."""
    x = chains(X0, 4000, seeded())
    ratio = log_q(x) - sum(log_p(x))
    truth = -quadrature(X0).log()
    assert truth + 0.05 < ratio.mean() < truth + 3
    a, b = density(GRID, 0.3, 0.5), density(GRID, 0, 1)  # -log of an average, average of -log: by quadrature
    assert -((a * (b / a)).sum() * WIDTH).log() <= (a * -(b / a).log()).sum() * WIDTH


def test_4_5_bayes():
    """Both factorisations of q(x_{t-1}, x_t | x_0) agree at arbitrary points."""
    x0, x_s, x_t = torch.randn(3, 50, 1, generator=seeded(), dtype=torch.float64)
    for t in range(2, SHORT.T + 1):
        v = SHORT.betas[t - 1]
        forward = density(x_t, (1 - v).sqrt() * x_s, v)
        back = density(x_s, *posterior(SHORT, x0, x_t, t, t - 1))
        there, here = density(x_t, *marginal(x0, t)), density(x_s, *marginal(x0, t - 1))
        torch.testing.assert_close(forward, back * there / here)


def test_4_6_telescoping():
    """The forward product equals the turned one, and the log-ratios agree chain by chain."""
    x = chains(X0, 100, seeded())
    prior, last, *rest = log_p(x)
    turned = [density(x[t - 1], *posterior(SHORT, x[0], x[t], t, t - 1)).log() for t in range(2, SHORT.T + 1)]
    end = density(x[-1], *marginal(x[0], SHORT.T)).log()
    torch.testing.assert_close(log_q(x), end + sum(turned))
    right = end - prior + sum(q - p for q, p in zip(turned, rest)) - last
    torch.testing.assert_close(log_q(x) - sum(log_p(x)), right)


def test_4_7_bound():
    """bound.vlb is the mean of -log(p/q), and lies above the exact -log p(x_0), all in bits."""
    x = chains(X0, 20_000, seeded())
    ratio = (log_q(x) - sum(log_p(x))) / math.log(2)
    whole = bound.vlb(IDEAL, SHORT, X0.expand(20_000, 1), rng=seeded(1))
    assert abs(whole.total - ratio.mean()) < 4 * ratio.std() / 20_000**0.5 + 0.02
    assert whole.total > -quadrature(X0).log2()
    assert len(whole.steps) == SHORT.T


def terms(variance, t, schedule=schedules.linear(50, 0.002, 0.3)):
    x0, x0_hat, x_t = torch.randn(3, 20, 1, generator=seeded(), dtype=torch.float64)
    mean, var = posterior(schedule, x0, x_t, t, t - 1)
    mean_hat, _ = posterior(schedule, x0_hat, x_t, t, t - 1)
    v = torch.tensor(variance(schedule, t, t - 1), dtype=torch.float64)
    kl = bound.normal_kl(mean, var, mean_hat, v)
    return schedule, x0, x0_hat, x_t, v, kl, 0.5 * ((v / var).log() + var / v - 1), mean - mean_hat


def test_4_8_error_in_x0():
    """The KL of the two steps, with both variances; with beta_tilde, half the drop of the SNR."""
    for t in (2, 17, 50):
        for variance in (beta, beta_tilde):
            s, x0, x0_hat, _, v, kl, constant, apart = terms(variance, t)
            a, b, beta_t = s.alpha_bar[t], s.alpha_bar[t - 1], s.betas[t - 1]
            torch.testing.assert_close(apart, b.sqrt() * beta_t / (1 - a) * (x0 - x0_hat))
            weight = b * beta_t**2 / (1 - a) ** 2 / (2 * v)
            torch.testing.assert_close(kl, weight * (x0 - x0_hat) ** 2 + constant)
        torch.testing.assert_close(kl, 0.5 * (s.snr(t - 1) - s.snr(t)) * (x0 - x0_hat) ** 2)


def test_4_9_error_in_eps():
    """The same KL from the two noises that x_0 and its guess mean."""
    for t in (2, 17, 50):
        for variance in (beta, beta_tilde):
            s, x0, x0_hat, x_t, v, kl, constant, _ = terms(variance, t)
            signal, noise = s.scales(t, like=x_t)
            eps, eps_hat = (x_t - signal * x0) / noise, (x_t - signal * x0_hat) / noise
            beta_t = s.betas[t - 1]
            weight = beta_t**2 / (2 * v * (1 - beta_t) * (1 - s.alpha_bar[t]))
            torch.testing.assert_close(kl, weight * (eps - eps_hat) ** 2 + constant)


def test_4_10_decoder():
    """The mass on a level is the integral of the density over it; all 256 sum to 1, tails included."""
    levels = torch.linspace(-1, 1, 256, dtype=torch.float64)
    for mean, std in ((0.1, 0.05), (0.98, 0.03), (-1.2, 0.3)):
        mass = bound.discretised(levels, torch.tensor(mean), torch.tensor(std)).exp()
        assert abs(mass.sum() - 1) < 1e-6
        x = torch.linspace(levels[140] - 1 / 255, levels[140] + 1 / 255, 2001, dtype=torch.float64)
        assert abs(torch.trapezoid(density(x, mean, std**2), x) - mass[140]) < 1e-6
        x = torch.linspace(1 - 1 / 255, 6, 200_001, dtype=torch.float64)
        assert abs(torch.trapezoid(density(x, mean, std**2), x) - mass[-1]) < 1e-6


def test_4_11_simple_loss():
    """Steps are drawn evenly from 1..T; a network that answers x_t has a loss known in closed form."""
    schedule, x0 = schedules.linear(4, 0.1, 0.6), torch.randn(40_000, 1, generator=seeded())
    seen = []

    def echo(x_t, t, cond):
        seen.append(t)
        return x_t

    got = losses.diffusion_loss(echo, schedule, EPS, x0, rng=seeded(1))
    assert torch.bincount(seen[0], minlength=5)[0] == 0 and torch.bincount(seen[0])[1:].min() > 9_500
    signal, noise = schedule.alpha_bar[1:].sqrt(), (1 - schedule.alpha_bar[1:]).sqrt()
    assert abs(got - (signal**2 + (noise - 1) ** 2).mean()) < 0.02  # E (signal x0 + (noise - 1) eps)^2


def test_4_12_weights():
    """P2 over the bound's terms and min-SNR over the error in x_0 agree with their form on eps."""
    snr, k, gamma = torch.tensor([50.0, 5.0, 0.3]), 1.0, 0.5
    torch.testing.assert_close(losses.p2(snr, k, gamma) / snr, 1 / (k + snr) ** gamma)
    x0_error, eps_error = 1 / snr, torch.ones(3)  # the same error, seen in x_0 and in eps
    torch.testing.assert_close(losses.min_snr(snr, 5.0) / snr * eps_error, snr.clamp(max=5.0) * x0_error)
    schedule, t = schedules.linear(50, 0.002, 0.3), torch.tensor([2, 17, 50])
    beta_t, a = schedule.betas[t - 1], schedule.alpha_bar[t]
    lambda_t = (1 - beta_t) * (1 - a) / beta_t  # P2's, eq. 4: what turns the bound's terms into L_simple, up to 1/2
    torch.testing.assert_close(
        lambda_t * beta_t**2 / (2 * beta_t * (1 - beta_t) * (1 - a)), torch.full((3,), 0.5).double()
    )


def test_4_13_mean_and_median():
    """Autograd: the derivatives are those of the text, and they vanish at the mean and at the median."""
    eps = torch.cat([torch.randn(601, generator=seeded()) - 1, torch.randn(400, generator=seeded(1)) + 4]).double()
    for distance, best in ((F.mse_loss, eps.mean()), (F.l1_loss, eps.median())):
        for a in (best, best + 0.7):
            a = a.clone().requires_grad_()
            (slope,) = torch.autograd.grad(distance(a.expand_as(eps), eps), a)
            text = 2 * (a - eps.mean()) if distance is F.mse_loss else ((eps < a).double() - (eps > a).double()).mean()
            torch.testing.assert_close(slope, text.detach())
            assert (slope.abs() < 1e-3) == (a == best)


def test_4_1_entropy_and_kl():
    """The expected length of a code built on p is q's entropy plus a KL, which is 0 for p = q alone."""
    p, q = torch.rand(2, 7, generator=seeded(), dtype=torch.float64) + 0.05
    p, q = p / p.sum(), q / q.sum()
    kl = F.kl_div(p.log(), q, reduction="sum")
    entropy = torch.distributions.Categorical(q).entropy()
    torch.testing.assert_close(-(q * p.log()).sum(), entropy + kl)
    assert kl > 0.01 and F.kl_div(q.log(), q, reduction="sum").abs() < 1e-12


def test_4_4_what_the_bound_loses():
    """On a chain of two steps with four states each, summed over all chains: the gap is the KL of the hidden parts."""
    p_2, *tables = (torch.rand(4, 4, generator=seeded(k), dtype=torch.float64) + 0.1 for k in range(5))
    p_1, p_0, q_1, q_2 = (table / table.sum(1, keepdim=True) for table in tables)  # [from, to]
    p_2 = p_2[0] / p_2[0].sum()
    for x0 in range(4):
        p = p_2[:, None] * p_1 * p_0[:, x0]  # [x_2, x_1]: p(x_0, x_1, x_2)
        q = (q_1[x0][:, None] * q_2).T  # q(x_1, x_2 | x_0)
        assert abs(q.sum() - 1) < 1e-12
        whole = (q * -(p / q).log()).sum()
        gap = (q * (q / (p / p.sum())).log()).sum()
        torch.testing.assert_close(whole, -p.sum().log() + gap)
        assert gap > 0
