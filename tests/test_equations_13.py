"""The displayed equations of lesson 13, each checked in numbers by another road than its derivation, and its toys."""

import math

import pytest
import torch
from checking import F64, near, normal, seeded

from ddpm_lessons.course.rivals_toys import MODES, STD, centres, diffused, found, mlp, ring
from ddpm_lessons.networks.vae import VAE
from ddpm_lessons.systems import rivals

X = torch.linspace(-25, 25, 50_001, dtype=F64)  # 0.001 apart


def gaussian(x, mean, var):
    return torch.exp(-((x - mean) ** 2) / (2 * var)) / (2 * math.pi * var) ** 0.5


@pytest.mark.parametrize("m, s", [(0.3, 0.5), (-1.0, 1.4)])
def test_13_1_the_bound_and_its_gap(m, s):
    """By quadrature over z for x = sin(2 z) + noise, a decoder that is not linear."""
    x, noise, dz = 0.6, 0.3, 1e-3
    prior, q, told = gaussian(X, 0.0, 1.0), gaussian(X, m, s**2), gaussian((2 * X).sin(), x, noise**2)
    p_x = (prior * told).sum() * dz
    kl = dz * (torch.xlogy(q, q) - torch.xlogy(q, prior)).nan_to_num(posinf=0, neginf=0).sum()
    bound = kl - dz * (q * told.log()).sum()
    posterior = prior * told / p_x
    gap = dz * (torch.xlogy(q, q) - q * (prior.log() + told.log() - p_x.log()))[q > 1e-100].sum()
    near(posterior.sum() * dz, 1.0, 1e-6)
    near(bound, -p_x.log() + gap, 1e-6)
    assert bound > -p_x.log() and gap > 0


@pytest.mark.parametrize("mean, log_var", [(0.0, 0.0), (1.3, -2.0), (-0.4, 0.7)])
def test_13_2_what_a_latent_number_tells(mean, log_var):
    q, p = (torch.distributions.Normal(*v) for v in ((torch.tensor(mean), math.exp(log_var / 2)), (0.0, 1.0)))
    got = rivals.latent_kl(torch.full((2, 3), mean), torch.full((2, 3), log_var))
    near(got, torch.distributions.kl_divergence(q, p).expand(2, 3), 1e-6)


def test_13_3_the_draw_has_the_encoders_mean_and_variance():
    torch.manual_seed(0)
    net, x = VAE(4), torch.randn(1, 3, 64, 64)
    net.decoder = torch.nn.Identity()
    with torch.no_grad():
        net.encoder.last.weight.mul_(20)
        z, mean, log_var = net(x, torch.randn(40_000, 4, generator=seeded(1)))
    near(z.mean(0), mean[0], 0.03)
    near(z.var(0), log_var[0].exp(), 0.05)


def test_13_4_is_the_bound_times_beta_over_n_up_to_a_constant():
    """The decoder N(x_hat, beta I) by torch's own density."""
    x, x_hat, mean, log_var, beta = (
        normal(5, 3, 4, 4, seed=1),
        normal(5, 3, 4, 4, seed=2),
        *normal(2, 5, 7, seed=3),
        0.3,
    )
    n = x[0].numel()
    told = torch.distributions.Normal(x_hat, beta**0.5).log_prob(x).flatten(1).sum(1)
    q = torch.distributions.Normal(mean, (log_var / 2).exp())
    kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)
    constant = n / 2 * math.log(2 * math.pi * beta)
    near(rivals.vae_loss(x, x_hat, mean, log_var, beta), beta / n * (kl - told - constant).mean(), 1e-6)


def test_13_5_the_best_answer_is_the_mean():
    x, a = normal(9, 4, seed=1) ** 3, normal(4, seed=2)
    pay = lambda answer: (x - answer).square().sum(1).mean()  # noqa: E731
    near(pay(a), pay(x.mean(0)) + (x.mean(0) - a).square().sum())
    assert all(pay(x.mean(0) + 0.1 * normal(4, seed=s)) > pay(x.mean(0)) for s in range(20))


def test_13_6_the_value_of_the_game():
    real, fake = 3 * normal(50, seed=1), 3 * normal(40, seed=2)
    value = real.sigmoid().log().mean() + (1 - fake.sigmoid()).log().mean()
    near(rivals.discriminator_loss(real, fake), -value, 1e-6)


def test_13_7_no_discriminator_beats_the_best():
    """At each x by a search over a thousand answers."""
    q, p = torch.rand(2, 30, dtype=F64, generator=seeded(1)) + 0.05
    best = rivals.optimal_discriminator(q, p)
    d = torch.linspace(0.0005, 0.9995, 1000, dtype=F64)
    searched = d[(q[:, None] * d.log() + p[:, None] * (1 - d).log()).argmax(1)]
    near(best, searched, 0.001)


def test_13_8_against_the_best_discriminator_the_game_is_the_divergence():
    q, p = gaussian(X, -1.0, 0.5), 0.3 * gaussian(X, 1.0, 0.3) + 0.7 * gaussian(X, -0.5, 1.0)
    best, m = rivals.optimal_discriminator(q, p), (q + p) / 2
    value = 1e-3 * (torch.xlogy(q, best) + torch.xlogy(p, 1 - best)).nan_to_num(neginf=0).sum()
    kl = lambda a: 1e-3 * (torch.xlogy(a, a) - torch.xlogy(a, m)).nan_to_num(posinf=0).sum()  # noqa: E731
    js = (kl(q) + kl(p)) / 2
    near(value, -math.log(4) + 2 * js, 1e-6)
    assert 0 < js < math.log(2)


def test_13_9_slopes_of_the_generators_losses():
    a = torch.linspace(-6, 6, 25, dtype=F64, requires_grad=True)
    d = a.sigmoid()
    (saturating,) = torch.autograd.grad((1 - d).log().sum(), a, retain_graph=True)
    (other,) = torch.autograd.grad(rivals.generator_loss(a) * len(a), a)
    near(saturating, -d)
    near(other, -(1 - d))


def test_13_10_the_penalty_of_a_known_slope():
    """a(x) = sum w x^2 has the slope 2 w x."""
    x, w = normal(6, 3, 4, 4, seed=1).requires_grad_(), normal(3, 4, 4, seed=2)
    wanted = (2 * w * x.detach()).square().flatten(1).sum(1).mean()
    near(rivals.gradient_penalty((w * x**2).flatten(1).sum(1), x), wanted, 1e-6)


@pytest.mark.parametrize("beta", [0.2, 1.0, 3.0, 8.0])
def test_13_11_what_a_linear_vae_keeps(beta):
    """Trained by gradients on the exact expectation of the bound, from the formulas of nothing but (13.1)."""
    var = torch.tensor([6.0, 2.0, 0.5], dtype=F64)
    a, b, log_s = (torch.full((3,), v, dtype=F64, requires_grad=True) for v in (1.0, 0.4, -0.5))
    optimiser = torch.optim.Adam([a, b, log_s], 0.02)
    for step in range(4000):
        optimiser.param_groups[0]["lr"] = 0.02 if step < 2500 else 0.002
        kl = 0.5 * (b**2 * var + (2 * log_s).exp() - 1 - 2 * log_s)  # the encoder answers N(b x, s^2)
        error = (1 - a * b) ** 2 * var + a**2 * (2 * log_s).exp()
        loss = (error / 2 + beta * kl).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    near(a.detach() ** 2, (var - beta).clamp(min=0), 0.02)
    near(kl.detach(), (0.5 * (var / beta).log()).clamp(min=0), 0.02)


# the toys


def test_the_ring_has_eight_narrow_lumps_and_found_counts_them():
    x = ring(4000, seeded(1))
    assert found(x) == (MODES, pytest.approx(0.99, abs=0.01))
    assert found(x[torch.cdist(x, centres()).argmin(1) < 3])[0] == 3
    assert found(torch.zeros(100, 2)) == (0, 0.0)
    apart, which = torch.cdist(x, centres()).min(1)
    near(which.bincount() / 4000, torch.full((MODES,), 1 / MODES), 0.03)
    near(apart.square().mean() / 2, STD**2, 0.05)
    assert torch.equal(ring(5, seeded(2)), ring(5, seeded(2)))


def test_the_small_networks_and_a_diffusion_model_of_points():
    assert mlp(3, 5)(torch.zeros(2, 3)).shape == (2, 5)
    points = diffused(lambda n, rng: 1.0 + 0.1 * torch.randn(n, 2, generator=rng), 200, 400)
    assert points.shape == (200, 2)
    near(points.mean(0), torch.ones(2), 0.1)
