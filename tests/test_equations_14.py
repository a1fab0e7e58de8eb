"""The displayed equations of lesson 14, each checked in numbers by another road than its derivation."""

import math

import pytest
import torch
import torch.nn.functional as F
from checking import F64, near, normal, seeded

from ddpm_lessons import schedules
from ddpm_lessons.conditions import Cond
from ddpm_lessons.losses import diffusion_loss
from ddpm_lessons.networks.autoencoder import STD, Autoencoder
from ddpm_lessons.predict import EPS
from ddpm_lessons.systems.cascade import flowers_cascade

SMALL = dict(widths=(8, 16), encoder=(1, 1), decoder=(1, 1))


@pytest.mark.parametrize("h, w, k, c_in, c_out", [(6, 5, 3, 2, 7), (4, 4, 1, 3, 5)])
def test_14_1_multiplications(h, w, k, c_in, c_out):
    """Against PyTorch's counter, which counts an addition with each product."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        torch.nn.Conv2d(c_in, c_out, k, padding=k // 2)(torch.zeros(1, c_in, h, w))
    assert counter.get_total_flops() == 2 * h * w * k**2 * c_in * c_out
    q = torch.zeros(1, h * w, c_out)
    with FlopCounterMode(display=False) as counter:
        torch.bmm(torch.bmm(q, q.mT).softmax(-1), q)
    assert counter.get_total_flops() == 2 * 2 * (h * w) ** 2 * c_out


def test_14_2_the_encoder_answers_with_a_gaussian():
    torch.manual_seed(0)
    net, x = Autoencoder(**SMALL), torch.randn(1, 3, 8, 8)
    mean, log_var = (v.detach().double() for v in net.encode(x))
    z = mean + (log_var / 2).exp() * torch.randn(20_000, *mean.shape[1:], dtype=F64, generator=seeded(1))
    near(z.mean(0), mean[0], 0.05)
    near(z.var(0).log(), log_var[0], 0.06)
    assert net.decode(mean.float()).shape == x.shape


def test_14_3_normal_equations():
    """The slope of the squared error is 0 there, and every neighbour is worse."""
    z, y = normal(50, 5, seed=1), normal(50, 3, seed=2)
    M = torch.linalg.solve(z.T @ z, z.T @ y).T.requires_grad_()
    cost = lambda M: (z @ M.T - y).square().sum()  # noqa: E731
    (slope,) = torch.autograd.grad(cost(M), M)
    near(slope, torch.zeros(3, 5), 1e-8)
    near(M.detach(), torch.linalg.lstsq(z, y).solution.T)
    assert all(cost(M + 0.1 * normal(3, 5, seed=s)) > cost(M) for s in range(20))


def test_14_4_the_mean_is_the_best_answer_and_a_draw_pays_twice():
    x, a = normal(9, 4, seed=1) ** 3, normal(4, seed=2)
    pay = lambda answer: (x - answer).square().sum(1).mean()  # noqa: E731
    near(pay(a), pay(x.mean(0)) + (x.mean(0) - a).square().sum())
    near(torch.stack([pay(one) for one in x]).mean(), 2 * pay(x.mean(0)))


def test_14_5_the_autoencoders_loss():
    from ddpm_lessons.evaluation import perceptual
    from ddpm_lessons.systems.autoencoder import AutoencoderTraining, early

    torch.manual_seed(0)
    system = AutoencoderTraining(net=SMALL)
    net, x = system.build(), torch.rand(2, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        mean, log_var = net.encode(x)
        back = net.decode(mean + (log_var / 2).exp() * torch.randn(mean.shape, generator=seeded(3)))
        q = torch.distributions.Normal(mean, (log_var / 2).exp())
        kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).mean()
        wanted = (x - back).abs().mean() + 0.3 * perceptual(x, back, early()).mean() + 2e-4 * kl
        near(system.loss(net, x, None, seeded(3)), wanted, 1e-5)


@pytest.mark.parametrize("mean, log_var", [(0.0, 0.0), (1.3, -2.0), (-0.4, 0.7)])
def test_14_6_kl_by_quadrature(mean, log_var):
    x = torch.linspace(-15, 15, 300_001, dtype=F64)
    log_q = -((x - mean) ** 2) / (2 * math.exp(log_var)) - log_var / 2
    integral = (log_q.exp() * (log_q + x**2 / 2)).sum() * 1e-4 / math.sqrt(2 * math.pi)
    near(integral, 0.5 * (mean**2 + math.exp(log_var) - 1 - log_var), 1e-8)


def test_14_7_the_scaled_latent():
    torch.manual_seed(0)
    net, x = Autoencoder(**SMALL), torch.randn(6, 3, 16, 16)
    with torch.no_grad():
        mean = net.encode(x)[0]
        net.mean.copy_(mean.mean((0, 2, 3)))
        net.std.copy_(mean.std((0, 2, 3)))
        scaled = net.latents(x)
    assert STD == 0.5
    for c in range(4):
        near(scaled[:, c].mean(), 0.0, 1e-5)
        near(scaled[:, c].std(), 0.5, 1e-5)
        near(scaled[:, c], 0.5 * (mean[:, c] - mean[:, c].mean()) / mean[:, c].std(), 1e-5)


@pytest.mark.parametrize("std", [0.1, 0.5, 1.7])
def test_14_8_ratio_for_data_of_another_spread(std):
    """Measured: the variance of the signal over that of the noise."""
    schedule = schedules.cosine(1000)
    z0, eps = std * normal(200_000, seed=1), normal(200_000, seed=2)
    for t in (50, 400, 800):
        a = schedule.alpha_bar[t]
        measured = (a.sqrt() * z0).var() / ((1 - a).sqrt() * eps).var()
        near(measured / (std**2 * schedule.snr(t)), 1.0, 0.02)
        shift = (std**2 * schedule.snr(t)).log() - schedule.snr(t).log()
        near(shift, 2 * math.log(std))


def test_14_9_the_loss_of_latent_diffusion():
    """`diffusion_loss` with eps for an answer, on latents, number by number."""
    schedule, z0 = schedules.cosine(100), normal(5, 4, 3, 3, seed=1)
    told = Cond(normal(5, 2, seed=2))
    net = lambda z, t, cond: z.sin() + cond.vec.sum(1).view(-1, 1, 1, 1) / t.view(-1, 1, 1, 1)  # noqa: E731
    rng = seeded(7)
    t = torch.randint(1, 101, (5,), generator=rng)
    eps, total = torch.randn(z0.shape, dtype=F64, generator=rng), 0.0
    for i in range(5):
        a = schedule.alpha_bar[t[i]].item()
        z_t = math.sqrt(a) * z0[i] + math.sqrt(1 - a) * eps[i]
        total += (eps[i] - z_t.sin() - told.vec[i].sum() / t[i]).square().mean() / 5
    near(diffusion_loss(net, schedule, EPS, z0, told, rng=seeded(7)), total, 1e-6)


def test_14_10_what_the_cascade_is_told():
    system, y, eps = flowers_cascade(), normal(3, 3, 8, 8, seed=1), normal(3, 3, 8, 8, seed=2)
    r = torch.tensor([0, 200, 400])
    seen = system.seen(y, r, eps)
    assert seen.shape == (3, 4, 8, 8) and torch.equal(seen[0, :3], y[0])
    for i, k in enumerate(r.tolist()):
        a = system.schedule.alpha_bar[k].item()
        near(seen[i, :3], math.sqrt(a) * y[i] + math.sqrt(1 - a) * eps[i], 1e-6)
        near(seen[i, 3], torch.full((8, 8), math.sqrt(1 - a)), 1e-6)
    assert system.net["channels"] == 4 + 3 + 1 and system.net["out"] == 4
    assert F.interpolate(torch.zeros(1, 3, 128, 128), scale_factor=0.25, mode="area").shape[2:] == system.shape[1:]
