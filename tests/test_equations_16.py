"""The displayed equations of lesson 16, each checked in numbers by another road than its derivation."""

import math

import pytest
import torch
import torch.nn.functional as F
from checking import F64, near, normal, seeded

from ddpm_lessons import schedules
from ddpm_lessons.conditions import Cond
from ddpm_lessons.losses import diffusion_loss
from ddpm_lessons.predict import EPS, X0
from ddpm_lessons.samplers import slerp
from ddpm_lessons.text.captioning import spread


def units(*shape, seed=0):
    return F.normalize(normal(*shape, seed=seed), dim=-1)


def test_16_1_the_mean_cosine_is_the_product_of_the_means():
    """Pair by pair, and the gap from the three of them."""
    z, tau = units(40, 6, seed=1) + 0.3, units(30, 6, seed=2) - 0.2
    z, tau = F.normalize(z, dim=1), F.normalize(tau, dim=1)

    def pairs(a, b):
        return torch.stack([torch.dot(p, q) for p in a for q in b]).mean()

    near(pairs(z, tau), z.mean(0) @ tau.mean(0))
    gap = (z.mean(0) - tau.mean(0)).square().sum()
    near(gap, pairs(z, z) + pairs(tau, tau) - 2 * pairs(z, tau))


def test_16_2_two_stages_make_the_whole():
    """Gaussians: z given y, then x given z and y; the integral is known."""
    y, a, s, b, c, r = 1.3, 0.7, 0.4, 1.9, -0.6, 0.5
    z = a * y + s * normal(400_000, seed=1)
    x = b * z + c * y + r * normal(400_000, seed=2)
    near(x.mean(), (b * a + c) * y, 0.005)
    near(x.var(), b**2 * s**2 + r**2, 0.01)
    grid = torch.linspace(-12, 12, 200_001, dtype=F64)  # and by quadrature, at one x
    density = lambda v, mean, std: (-(((v - mean) / std) ** 2) / 2).exp() / (std * math.sqrt(2 * math.pi))  # noqa: E731
    at = torch.tensor(0.8, dtype=F64)
    integral = (density(at, b * grid + c * y, r) * density(grid, a * y, s)).sum() * (grid[1] - grid[0])
    near(integral, density(at, (b * a + c) * y, math.sqrt(b**2 * s**2 + r**2)), 1e-8)


def test_16_3_the_best_single_answer():
    z = F.normalize(normal(200, 5, seed=1) + 1.0, dim=1)
    mean = z.mean(0)
    for seed in range(5):
        m = normal(5, seed=seed)
        near((z - m).square().sum(1).mean(), (m - mean).square().sum() + 1 - mean.square().sum())
    best = F.normalize(mean, dim=0)
    near((z @ best).mean(), mean.norm())
    assert all((z @ units(5, seed=s)).mean() < mean.norm() for s in range(50))
    independent = (z[:, None] * z[None]).sum(-1).mean()  # of all pairs of two draws
    near(independent, mean.norm() ** 2)


@pytest.mark.parametrize("D", [3, 128])
def test_16_4_spread_out(D):
    z = units(500, D, seed=1)
    z0 = spread(7 * z)  # whatever its length was
    near(z0, math.sqrt(D) * z)
    near(z0.square().mean(), 1.0)
    schedule, eps = schedules.cosine(1000), normal(500, D, seed=2)
    for t in (100, 500, 900):
        signal, noise = (math.sqrt(v) for v in (schedule.alpha_bar[t], 1 - schedule.alpha_bar[t]))
        measured = (signal * z0).square().mean() / (noise * eps).square().mean()
        near(measured / schedule.snr(t), 1.0, 0.06)


def test_16_5_the_loss_of_the_prior():
    """`diffusion_loss` on vectors with x0 for an answer, number by number."""
    schedule, z0, told = schedules.cosine(100), normal(6, 9, seed=1), Cond(normal(6, 4, seed=2))
    net = lambda z, t, cond: z.sin() + cond.vec.sum(1, keepdim=True) / t[:, None]  # noqa: E731
    rng = seeded(7)
    t = torch.randint(1, 101, (6,), generator=rng)
    eps, total = torch.randn(z0.shape, dtype=F64, generator=rng), 0.0
    for i in range(6):
        a = schedule.alpha_bar[t[i]].item()
        z_t = math.sqrt(a) * z0[i] + math.sqrt(1 - a) * eps[i]
        total += (z0[i] - z_t.sin() - told.vec[i].sum() / t[i]).square().sum() / 6 / 9
    near(diffusion_loss(net, schedule, X0, z0, told, rng=seeded(7)), total, 1e-6)


def test_16_6_an_error_in_eps_as_an_error_in_the_vector():
    schedule, z0, eps = schedules.cosine(1000), normal(4, 8, seed=1), normal(4, 8, seed=2)
    off = normal(4, 8, seed=3)
    for t in (10, 500, 950):
        signal, noise = schedule.scales(t, like=z0)
        z_t = signal * z0 + noise * eps
        error = (EPS.x0(eps + off, z_t, signal, noise) - z0).square().sum()
        near(error / (off.square().sum() / schedule.snr(t)), 1.0, 1e-6)


def test_16_7_slerp_stays_on_the_sphere_and_divides_the_angle():
    a, b = units(30, 7, seed=1), units(30, 7, seed=2)
    angle = (a * b).sum(1).acos()
    for w in (0.0, 0.2, 0.5, 1.0):
        z = slerp(a, b, w)
        near(z.norm(dim=1), torch.ones(30), 1e-9)
        near((z * a).sum(1).clamp(-1, 1).acos(), w * angle, 1e-6)
    assert ((a + b) / 2).norm(dim=1).max() < 1 - 1e-3


def test_16_8_towards_a_difference_of_texts():
    """d has the length 1, and the walk towards it raises the first text's cosine over the second's all the way."""
    z, new, old = units(20, 9, seed=1), units(1, 9, seed=2), units(1, 9, seed=3)
    d = F.normalize(new - old, dim=1).expand_as(z)
    near(d.norm(dim=1), torch.ones(20))
    ahead = [(slerp(z, d, w) * (new - old)).sum(1) for w in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert all((q > p).all() for p, q in zip(ahead, ahead[1:]))
    near(ahead[-1], torch.full((20,), float((new - old).norm())), 1e-6)
