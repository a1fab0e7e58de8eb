"""The displayed equations of lesson 15, each checked in numbers by another road than its derivation."""

import math

import pytest
import torch
from checking import F64, near, normal, seeded

from ddpm_lessons import losses, schedules
from ddpm_lessons.losses import diffusion_loss
from ddpm_lessons.networks.layers import CrossAttention, Parts
from ddpm_lessons.networks.unet import UNet
from ddpm_lessons.predict import EPS, X0, V


def test_15_1_the_masked_mean():
    """Text by text, cut to its own length; what stands behind the end changes nothing."""
    states, lengths = normal(4, 7, 5, seed=1), (7, 3, 1, 5)
    mask = torch.arange(7) < torch.tensor(lengths)[:, None]
    pooled = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    for i, n in enumerate(lengths):
        near(pooled[i], states[i, :n].mean(0))
    other = torch.where(mask[..., None], states, 100 * normal(4, 7, 5, seed=2))
    near((other * mask[..., None]).sum(1) / mask.sum(1, keepdim=True), pooled)
    off = (states.mean(1) - pooled).norm(dim=1)  # and a mean without the mask is another vector
    assert off[0] < 1e-9 and (off[1:] > 0.1).all()


def test_15_2_padded_words_answer_as_if_they_were_not_there():
    torch.manual_seed(0)
    layer = CrossAttention(16, 6, Parts()).double()
    torch.nn.init.normal_(layer.out.weight)
    h, words = normal(2, 16, 3, 3, seed=1), normal(2, 9, 6, seed=2)
    mask = (torch.arange(9) < 4).expand(2, 9)
    with torch.no_grad():
        padded = layer(h, words, mask)
        near(padded, layer(h, words[:, :4], mask[:, :4]))
        changed = torch.where(mask[..., None], words, 50 * normal(2, 9, 6, seed=3))
        near(layer(h, changed, mask), padded)
        assert (layer(h, words, torch.ones(2, 9, dtype=torch.bool)) - padded).abs().max() > 0.01


def test_15_3_layer_norm():
    torch.manual_seed(0)
    norm, y = torch.nn.LayerNorm(384).double(), 7 * normal(3, 5, 384, seed=1) + 2
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    mean, var = y.mean(2, keepdim=True), y.var(2, keepdim=True, unbiased=False)
    near(norm(y), norm.weight * (y - mean) / (var + 1e-5).sqrt() + norm.bias)
    near(norm(1000 * y - 30), norm(y), 1e-5)  # another size and another offset of a token do not matter
    plain = torch.nn.LayerNorm(384, elementwise_affine=False).double()
    near(plain(y).norm(dim=2), torch.full((3, 5), math.sqrt(384)), 1e-4)


@pytest.mark.parametrize("predict, weight", [(EPS, lambda s: s), (V, lambda s: s + 1), (X0, torch.ones_like)])
def test_15_4_every_squared_loss_is_a_weighted_error_of_the_picture(predict, weight):
    schedule, x0 = schedules.cosine(1000), normal(6, 3, 4, 4, seed=1)
    net = lambda x, t, cond: x.sin()  # noqa: E731
    rng = seeded(7)
    t = torch.randint(1, 1001, (6,), generator=rng)
    eps = torch.randn(x0.shape, dtype=F64, generator=rng)
    signal, noise = schedule.scales(t, like=x0)
    x_t = signal * x0 + noise * eps
    guess = predict.x0(x_t.sin(), x_t, signal, noise)
    error = (x0 - guess).square().mean((1, 2, 3))
    near(diffusion_loss(net, schedule, predict, x0, rng=seeded(7)), (weight(schedule.snr(t)) * error).mean(), 1e-6)


@pytest.mark.parametrize("k, gamma", [(1.0, 0.0), (1.0, 1.0), (0.5, 2.0), (5.0, 1.0)])
def test_15_5_p2(k, gamma):
    """The paper's 1 / (k + SNR)^gamma over the error in eps, turned into one over the error of the picture."""
    snr = torch.logspace(-4, 4, 33, dtype=F64)
    near(losses.p2(snr, k, gamma), snr * (k + snr) ** -gamma)
    bar, far = schedules.cosine(1000).alpha_bar[1:], torch.tensor(1e9, dtype=F64)
    near(losses.p2(bar / (1 - bar)), bar)  # with the default values the weight is alpha_bar itself
    near(losses.p2(far, k, gamma) / far ** (1 - gamma), 1.0, 1e-6)
    near(losses.p2(1 / far, k, gamma) * far, k**-gamma, 1e-6)
    # P2 of the package's loss is a weight on eps's own error
    schedule, x0 = schedules.cosine(1000), normal(6, 3, 4, 4, seed=1)
    net = lambda x, t, cond: x.sin()  # noqa: E731
    rng = seeded(7)
    t = torch.randint(1, 1001, (6,), generator=rng)
    eps = torch.randn(x0.shape, dtype=F64, generator=rng)
    signal, noise = schedule.scales(t, like=x0)
    paper = ((eps - (signal * x0 + noise * eps).sin()).square().mean((1, 2, 3)) / (k + schedule.snr(t)) ** gamma).mean()
    ours = diffusion_loss(net, schedule, EPS, x0, weight=lambda s: losses.p2(s, k, gamma), rng=seeded(7))
    near(ours, paper, 1e-6)


@pytest.mark.parametrize("k", [0.3, 1.0, 5.0])
def test_15_6_p2_is_a_soft_minimum(k):
    snr = torch.logspace(-5, 5, 201, dtype=F64)
    soft, hard = k * losses.p2(snr, k), losses.min_snr(snr, k)
    near(1 / soft, 1 / snr + 1 / k)
    assert ((hard / 2 <= soft + 1e-12) & (soft <= hard)).all()
    near(k * losses.p2(torch.tensor([k], dtype=F64), k), [k / 2])  # the largest gap, where the two meet


def test_15_7_the_best_guess_without_a_text():
    """The mean of the posterior, by drawing (i, eps) and keeping the x_t that fall near the one asked about."""
    schedule, x, t = schedules.cosine(1000), torch.tensor([-0.9, 0.1, 0.7], dtype=F64), 700
    a = schedule.alpha_bar[t]
    i = torch.randint(3, (4_000_000,), generator=seeded(1))
    x_t = a.sqrt() * x[i] + (1 - a).sqrt() * torch.randn(len(i), dtype=F64, generator=seeded(2))
    for asked in (-0.8, 0.0, 0.9):
        near_by = (x_t - asked).abs() < 0.02
        score = -((asked - a.sqrt() * x) ** 2) / (2 * (1 - a))
        near(x[i][near_by].mean(), (score.softmax(0) * x).sum(), 0.01)


def test_15_8_noise_hides_a_mistake():
    """KL by drawing from the one and comparing the two log densities."""
    schedule, u, other = schedules.cosine(1000), normal(6, seed=1), normal(6, seed=2)
    for r in (200, 400, 800):
        a = schedule.alpha_bar[r]
        p, q = (torch.distributions.Normal(a.sqrt() * v, (1 - a).sqrt()) for v in (u, other))
        torch.manual_seed(r)
        seen = p.sample((200_000,))
        measured = (p.log_prob(seen) - q.log_prob(seen)).sum(1).mean()
        near(measured / (schedule.snr(torch.tensor([r]))[0] * (u - other).square().sum() / 2), 1.0, 0.02)


@pytest.mark.parametrize("s, p, r", [(1.0, 0.4, 100), (0.3, 0.1, 300), (0.5, 1.5, 500)])
def test_15_9_how_strong_a_repainted_wave_is(s, p, r):
    """Draw what is seen, then the wave from the belief in it; that belief is right for pictures without mistakes."""
    a = schedules.cosine(1000).alpha_bar[r]
    snr = float(a / (1 - a))
    g = s**2 / (s**2 + 1 / snr)
    true, weak, eps, own = (torch.randn(1_000_000, dtype=F64, generator=seeded(i)) for i in range(4))
    seen = s * true + eps / snr**0.5  # a photograph's wave
    near((s * true * seen).mean() / seen.square().mean(), g, 0.01)
    near((s * true - g * seen).square().mean(), (1 - g) * s**2, 0.01)
    drawn = lambda y: g * y + ((1 - g) * s**2) ** 0.5 * own  # noqa: E731
    near(drawn(seen).square().mean(), s**2, 0.01)
    near(drawn(p * weak + eps / snr**0.5).square().mean(), g**2 * p**2 + (1 - g**2) * s**2, 0.01)


def test_what_the_network_does_with_a_text():
    """Padded tokens change nothing; with all of them masked, the tokens do not matter."""
    from ddpm_lessons.conditions import Cond

    torch.manual_seed(0)
    net = UNet(widths=(8, 16), attend=0, cond_dim=5, token_dim=5).eval()
    for p in net.parameters():
        torch.nn.init.normal_(p, std=0.1)
    x, t, seq = torch.randn(2, 3, 8, 8), torch.tensor([3, 9]), torch.randn(2, 6, 5)
    mask = torch.arange(6) < torch.tensor([[4], [2]])
    vec = (seq * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    changed = torch.where(mask[..., None], seq, torch.randn(2, 6, 5))
    with torch.no_grad():
        one, other = (net(x, t, Cond(vec, s, mask)) for s in (seq, changed))
        assert torch.equal(one, other)
        none = torch.zeros(2, 6, dtype=torch.bool)
        near(net(x, t, Cond(vec, seq, none)), net(x, t, Cond(vec, changed, none)))
