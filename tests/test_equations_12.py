"""The displayed equations of lesson 12, each checked in numbers by another road than its derivation."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from checking import F64, near, normal, seeded

from ddpm_lessons.conditions import Cond
from ddpm_lessons.networks.layers import Block, CrossAttention, Parts
from ddpm_lessons.networks.unet import UNet, parameters
from ddpm_lessons.systems import system


def attention(q, k, v, mask=None):
    """(12.2), one place and one word at a time.  q: (P, d), k: (L, d), v: (L, e)"""
    mask = [1] * len(k) if mask is None else mask
    rows = []
    for q_p in q.tolist():
        e = [m * math.exp(sum(a * b for a, b in zip(q_p, k_l)) / len(q_p) ** 0.5) for m, k_l in zip(mask, k.tolist())]
        rows.append(sum(w / sum(e) * v_l for w, v_l in zip(e, v)))
    return torch.stack(rows)


@torch.no_grad()
def layer(c=6, e=5, seed=0):
    """A layer with one head whose last convolution is the identity: it adds o to h."""
    torch.manual_seed(seed)
    made = CrossAttention(c, e, Parts()).double()
    made.out.weight.copy_(torch.eye(c)[:, :, None, None])
    return made


@torch.no_grad()
def added(made, h, words, mask):
    """What the layer adds, (B, places, c)."""
    return (made(h, words, mask) - h).flatten(2).mT


def test_12_1_the_vector_is_added_and_knows_no_place():
    torch.manual_seed(0)
    net = UNet(3, (8, 16), cond_dim=4).double()
    for p in net.parameters():
        torch.nn.init.normal_(p, std=0.2)
    x, t, vec = normal(2, 3, 8, 8), torch.tensor([3, 70]), normal(1, 4, seed=1).expand(2, -1)
    with torch.no_grad():
        told, untold = net(x, t, Cond(vec)), net(x, t)
        net.from_cond.bias += net.from_cond.weight @ vec[0]  # the sum: the text is one more bias
        near(net(x, t, Cond(torch.zeros_like(vec))), told)
        near(net(x, t), told)
        assert not torch.allclose(told, untold)
    block, seen = Block(4, 8, 6, 0.0, Parts()).double(), []
    block.second.register_forward_pre_hook(lambda m, args: seen.append(args[0]))
    h, e = normal(2, 4, 5, 5), normal(2, 6, seed=2)
    with torch.no_grad():
        block(h, e), block(h, 0 * e)
        block.film.bias.zero_()
        block(h, 0 * e)
    scale, shift = (e @ block.film.weight.T + 0).chunk(2, dim=1)
    plain = seen[2]  # neither scale nor shift
    for c in range(8):  # two places say what scale and shift are, all others agree: a line through the channel
        a, b = plain[0, c].flatten(), (seen[0] - seen[1])[0, c].flatten()
        near(b, scale[0, c] * a + shift[0, c])


def test_12_2_cross_attention():
    made, h, words = layer(), normal(2, 6, 3, 3), normal(2, 4, 5, seed=1)
    mask = torch.tensor([[True, True, True, False], [True, False, True, True]])
    found = added(made, h, words, mask)
    for i in range(2):
        q = made.q(made.norm(h))[i].flatten(1).T.detach()
        k, v = made.kv(words)[i].detach().split(6, dim=1)
        near(found[i], attention(q, k, v, mask[i].long().tolist()))
        own = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[i].expand(9, -1))
        near(found[i], own)


@pytest.mark.parametrize("d", [4, 64])
def test_12_3_variance_of_the_scores(d):
    """Uniform numbers of mean 0 and variance 1, not normal ones."""
    q, k = (math.sqrt(12) * (torch.rand(2, 100_000, d, dtype=F64, generator=seeded(d)) - 0.5)).unbind()
    score = (q * k).sum(1)
    near(score.mean() / d**0.5, 0.0, 0.02)
    near(score.var() / d, 1.0, 0.03)
    near((score / d**0.5).var(), 1.0, 0.03)


def test_12_4_one_word_is_no_choice():
    made, h, words = layer(), normal(1, 6, 4, 4), normal(1, 2, 5, seed=1)
    found = added(made, h, words[:, :1], torch.ones(1, 1, dtype=torch.bool))[0]
    value = made.kv(words[0, 0])[6:]
    near(found, value.expand(16, -1))
    two = made.weights(h, words, torch.ones(1, 2, dtype=torch.bool))[
        0, 0
    ].flatten()  # a sigmoid of the keys' difference
    q, k = made.q(made.norm(h))[0].flatten(1).T, made.kv(words[0])[:, :6]
    near(two, torch.sigmoid(q @ (k[0] - k[1]) / 6**0.5))
    assert two.std() > 0.01


def test_12_5_the_order_of_the_words_is_not_seen():
    made, h, words = layer(), normal(1, 6, 3, 3), normal(1, 4, 5, seed=1)
    everything = torch.ones(1, 4, dtype=torch.bool)
    found = added(made, h, words, everything)
    for order in itertools.permutations(range(4)):
        near(added(made, h, words[:, list(order)], everything), found)


def test_12_6_the_null_condition_leaves_one_word():
    made, h, words = layer(), normal(1, 6, 3, 3), normal(1, 4, 5, seed=1)
    mask = torch.tensor([[True, False, False, False]])
    near(added(made, h, words, mask)[0], made.kv(words[0, 0])[6:].expand(9, -1))
    near(made.weights(h, words, mask)[0, 1:], torch.zeros(3, 3, 3))
    torch.manual_seed(0)
    net = UNet(1, (8,), attend=0, token_dim=5)
    for p in net.parameters():
        torch.nn.init.normal_(p, std=0.3)
    x, t = normal(2, 1, 8, 8).float(), torch.tensor([3, 70])
    told = Cond(torch.zeros(2, 0), words.float().expand(2, -1, -1), torch.ones(2, 4, dtype=torch.bool))
    with torch.no_grad():
        empty = net(x, t, told.drop(1.0))
        assert empty.isfinite().all() and not torch.allclose(empty, net(x, t, told))
        near(empty, net(x, t), 1e-5)


def tables(seed=0):
    """p(x_t, c, x0) on a small table, and the guesses E[x0 | x_t, c] and E[x0 | x_t]; x0 are three numbers."""
    p = torch.rand(4, 3, 3, dtype=F64, generator=seeded(seed)) ** 2
    p, x0 = p / p.sum(), torch.tensor([-1.0, 0.2, 1.0], dtype=F64)
    return p, x0, p @ x0 / p.sum(2), (p @ x0).sum(1) / p.sum((1, 2))


@pytest.mark.parametrize("seed", range(3))
def test_12_7_the_right_text_can_only_help(seed):
    p, x0, told, untold = tables(seed)
    own = (p * (x0 - told[..., None]) ** 2).sum()
    none = (p * (x0 - untold[:, None, None]) ** 2).sum()
    near(own, none - (p.sum(2) * (told - untold[:, None]) ** 2).sum())
    assert own < none


@pytest.mark.parametrize("seed", range(3))
def test_12_8_anothers_text_can_only_harm(seed):
    p, x0, told, untold = tables(seed)
    texts = p.sum((0, 2))  # another picture's text
    none = (p * (x0 - untold[:, None, None]) ** 2).sum()
    other = sum(texts[c] * (p * (x0 - told[:, c][:, None, None]) ** 2).sum() for c in range(3))
    moved = (p.sum((1, 2))[:, None] * texts * (told - untold[:, None]) ** 2).sum()
    near(other, none + moved)
    assert other > none


@pytest.mark.parametrize("p", [0.1, 0.6])
def test_12_10_at_least_one_of_n(p):
    for n in (1, 2, 4):
        ways = itertools.product((0, 1), repeat=n)
        found = sum(math.prod(p if w else 1 - p for w in way) for way in ways if any(way))
        near(found, 1 - (1 - p) ** n)


@pytest.mark.parametrize("p, shift", [(0.3, 1.0), (0.7, 0.0), (0.5, -0.5)])
def test_12_11_a_judge_that_errs(p, shift):
    """Scores are normal, a right one's higher by `shift`: a = P(z > -shift / sqrt 2)."""
    right = torch.rand(400_000, 2, generator=seeded(1)) < p
    score = normal(400_000, 2, seed=2) + shift * right
    found = right.gather(1, score.argmax(1, keepdim=True)).double().mean()
    a = 0.5 * (1 + math.erf(shift / 2))
    near(found, p**2 + 2 * p * (1 - p) * a, 5e-3)
    near(p**2 + 2 * p * (1 - p), 1 - (1 - p) ** 2)
    near(p**2 + 2 * p * (1 - p) / 2, p)


def test_12_12_the_mean_pictures_pseudo_accuracy():
    x = 2 * torch.rand(50, 1, 4, 4, dtype=F64, generator=seeded()) - 1
    mean = x.mean(0).expand_as(x)
    var = x.var(0, correction=0).mean()
    near(1 - F.mse_loss(mean, x), 1 - var)
    near(1 - F.mse_loss((mean + 1) / 2, (x + 1) / 2), 1 - var / 4)


@pytest.mark.parametrize("f", [0.0, 0.4, 1.0, 2.5])
def test_12_9_how_much_of_the_text_is_used(f):
    """At t = T nothing is known but the text; every pair of a picture and a text is summed over, with its weight."""
    p = torch.rand(5, 7, dtype=F64, generator=seeded(3)) ** 2
    p = p / p.sum()  # of a text c and a picture x0
    x0 = normal(7, 2, seed=4)
    mean, means = p.sum(0) @ x0, (p @ x0) / p.sum(1, keepdim=True)
    guesses = mean + f * (means - mean)
    apart = torch.cdist(guesses, x0).square()
    own, others = (p * apart).sum(), (torch.outer(p.sum(1), p.sum(0)) * apart).sum()
    none = (p.sum(0) * (x0 - mean).square().sum(1)).sum()
    between = (p.sum(1) * (means - mean).square().sum(1)).sum()
    within = (p * torch.cdist(means, x0).square()).sum()
    near(own, within + (1 - f) ** 2 * between)
    near(none, within + between)
    near(others, within + between + f**2 * between)
    if f:
        near(2 * (others - none) / (others - own), f)


def test_the_sizes_that_the_lesson_names():
    for name, millions in (("flowers_clip", 52.2), ("flowers_text_simple", 2.8), ("flowers_text_guided", 4.5)):
        assert abs(parameters(system(name).build()) / 1e6 - millions) < 0.05
