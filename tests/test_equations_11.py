"""The displayed equations of lesson 11, each checked in numbers by another road than its derivation."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from checking import F64, near, normal


def unit(*shape, seed=0):
    x = normal(*shape, seed=seed)
    return x / x.square().sum(-1, keepdim=True).sqrt()


def test_11_2_cosine_is_the_angles():
    """Against the angle in the plane, by atan2; and the bounds are reached."""
    a, b = normal(200, 2, seed=1), normal(200, 2, seed=2)
    angle = torch.atan2(a[:, 1], a[:, 0]) - torch.atan2(b[:, 1], b[:, 0])
    cosine = (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))
    near(cosine, angle.cos())
    a, b = unit(200, 7, seed=3), unit(200, 7, seed=4)
    near(torch.cdist(a, b).square(), 2 - 2 * a @ b.T, 1e-7)
    near(F.cosine_similarity(a, 3 * a), torch.ones(200))
    near(F.cosine_similarity(a, -2 * a), -torch.ones(200))


@pytest.mark.parametrize("d", [2, 3, 16, 128])
def test_11_3_cosine_of_strangers(d):
    """By quadrature of the density of a coordinate on a sphere, (1 - a^2)^((d - 3) / 2), and by samples."""
    turn = (torch.arange(200_000, dtype=F64) + 0.5) * math.pi / 200_000  # a = cos(turn)
    density = turn.sin() ** (d - 2)
    near((turn.cos() * density).sum() / density.sum(), 0.0)
    near((turn.cos().square() * density).sum() / density.sum(), 1 / d)
    cosine = F.cosine_similarity(normal(20_000, d, seed=1), normal(20_000, d, seed=2))
    near(cosine.square().mean() * d, 1.0, 0.04)
    near(cosine.mean() * d**0.5, 0.0, 0.03)


def loss_11_4(c, kappa):
    """Written with loops."""
    n, total = len(c), 0.0
    for i in range(n):
        row, column = sum(math.exp(kappa * v) for v in c[i]), sum(math.exp(kappa * v) for v in c[:, i])
        own = math.exp(kappa * c[i, i])
        total += math.log(own / row) + math.log(own / column)
    return -total / (2 * n)


def test_11_4_the_loss_is_open_clips():
    import open_clip

    image, text = unit(6, 5, seed=1), unit(6, 5, seed=2)
    near(open_clip.ClipLoss()(image, text, torch.tensor(7.0, dtype=F64)), loss_11_4(image @ text.T, 7.0))


def test_11_5_who_knows_nothing_pays_log_n():
    for n in (2, 5, 28):
        near(loss_11_4(torch.full((n, n), 0.3, dtype=F64), 14.0), math.log(n))


def test_11_6_gradient_is_softmax_minus_one_hot():
    s, h = normal(5, 5, seed=1), 1e-5
    p = s.softmax(1)
    for i, j in itertools.product(range(5), range(5)):
        up, down = s.clone(), s.clone()
        up[i, j] += h
        down[i, j] -= h
        slope = (down.log_softmax(1)[i, i] - up.log_softmax(1)[i, i]) / (2 * h)
        near(slope, p[i, j] - float(i == j), 1e-8)


def test_11_7_gradient_of_the_scale():
    c, h = unit(5, 3, seed=1) @ unit(5, 3, seed=2).T, 1e-5
    for kappa in (1.0, 15.0):
        cost = lambda k: -(k * c).log_softmax(1).diagonal()  # noqa: E731
        slope = (cost(kappa + h) - cost(kappa - h)) / (2 * h)
        near(slope, ((kappa * c).softmax(1) * c).sum(1) - c.diagonal(), 1e-7)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_11_8_log_n_less_the_loss_is_below_the_information(n):
    """Every possible batch of a small world, with its probability; the best scores come near, none passes."""
    joint = torch.tensor([[0.3, 0.05, 0.05], [0.02, 0.2, 0.08], [0.1, 0.05, 0.15]], dtype=F64)  # p(x, t)
    px, pt = joint.sum(1), joint.sum(0)
    information = (joint * (joint / (px[:, None] * pt)).log()).sum()

    def bound(s):  # the first caption is the own one
        cost = 0.0
        for x, *t in itertools.product(range(3), repeat=n + 1):
            p = joint[x, t[0]] * math.prod(pt[k].item() for k in t[1:])
            cost -= p * s[x, t].log_softmax(0)[0]
        return math.log(n) - cost

    best = bound((joint / (px[:, None] * pt)).log())
    assert 0 < best < information and best < math.log(n)
    for seed in range(10):
        assert bound(2 * normal(3, 3, seed=seed)) < best
    assert n == 2 or best > 0.5 * information


def test_11_9_mean_of_wordings():
    image, text = unit(6, 8, seed=1), unit(3, 5, 8, seed=2)
    mean = text.mean(1)
    direct = torch.stack([F.cosine_similarity(image, m[None].expand(6, 8)) for m in mean], 1)
    each = torch.stack([torch.stack([image @ t for t in said]).mean(0) for said in text], 1)
    near(direct, each / mean.norm(dim=1))
    assert not torch.allclose(direct, each)


def test_11_10_distance_of_the_means():
    x, t = unit(7, 4, seed=1), unit(7, 4, seed=2)
    pairs = lambda a, b: sum((p @ q).item() for p in a for q in b) / 49  # noqa: E731
    near((x.mean(0) - t.mean(0)).square().sum(), pairs(x, x) + pairs(t, t) - 2 * pairs(x, t))


def test_11_11_one_shift_for_all_texts_changes_no_choice():
    x, t, g = unit(200, 6, seed=1), unit(4, 6, seed=2), normal(6, seed=3)
    assert torch.equal((x @ (t + g).T).argmax(1), (x @ t.T).argmax(1))
    near((9 * x @ (t + g).T).softmax(1), (9 * x @ t.T).softmax(1))
    scaled = F.normalize(t + g, dim=1)
    assert not torch.equal((x @ scaled.T).argmax(1), (x @ t.T).argmax(1))
    columns = (9 * x @ (t + g).T).softmax(0), (9 * x @ t.T).softmax(0)
    assert not torch.allclose(*columns)  # a caption's choice among pictures does see it


def test_11_1_attention_that_looks_back():
    """Against PyTorch's own attention; and what comes later changes nothing before it."""
    n, d = 6, 4
    q, k, v = normal(3, n, d, seed=1)

    def gathered(q, k, v):
        rows = []
        for i in range(n):
            weights = [math.exp(q[i] @ k[j] / math.sqrt(d)) for j in range(i + 1)]
            rows.append(sum(w * v[j] for j, w in enumerate(weights)) / sum(weights))
        return torch.stack(rows)

    near(gathered(q, k, v), F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=True)[0])
    later = normal(3, n, d, seed=2)
    mixed = [torch.cat([a[:4], b[4:]]) for a, b in zip((q, k, v), later)]
    near(gathered(*mixed)[:4], gathered(q, k, v)[:4])
    assert not torch.allclose(gathered(*mixed)[4:], gathered(q, k, v)[4:])
