"""The displayed equations of lesson 10, each checked in numbers by another road than its derivation."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from checking import F64, near, normal, seeded

from ddpm_lessons.evaluation import Features, frechet, inception_score, kernel, perceptual, precision_recall


def covariance(d, seed):
    x = normal(d, d + 2, seed=seed)
    return x @ x.T / d + 0.1 * torch.eye(d, dtype=F64)


def root(a):
    values, vectors = torch.linalg.eigh(a)
    return vectors * values.clamp(min=0).sqrt() @ vectors.T


def nuclear(a):
    return torch.linalg.svdvals(a).sum()


def test_10_1_squared_distance_of_a_coupling():
    """A joint normal of x and y, sampled, with any cross-covariance."""
    d = 3
    joint = covariance(2 * d, 1)
    m = normal(2 * d, seed=2)
    xy = m + normal(300_000, 2 * d, seed=3) @ torch.linalg.cholesky(joint).T
    found = (xy[:, :d] - xy[:, d:]).square().sum(1).mean()
    expected = (m[:d] - m[d:]).square().sum() + joint.trace() - 2 * joint[:d, d:].trace()
    near(found, expected, 0.02)


@pytest.mark.parametrize("m_a, s_a, m_b, s_b", [(0.0, 1.0, 2.0, 0.5), (1.0, 0.3, -1.0, 3.0)])
def test_10_2_one_dimension(m_a, s_a, m_b, s_b):
    """By quantiles, integrated; and no other pairing of sorted samples is cheaper."""
    u = (torch.arange(1_000_000, dtype=F64) + 0.5) / 1_000_000
    z = math.sqrt(2) * torch.erfinv(2 * u - 1)
    near(((m_a + s_a * z) - (m_b + s_b * z)).square().mean(), (m_a - m_b) ** 2 + (s_a - s_b) ** 2, 1e-4)
    x, y = (m_a + s_a * normal(6, seed=1)).sort().values, (m_b + s_b * normal(6, seed=2)).sort().values
    costs = [(x - y[list(p)]).square().sum() for p in itertools.permutations(range(6))]
    near(min(costs), costs[0])


def test_10_3_largest_trace_of_the_cross_covariance():
    """K = A^(1/2) Z B^(1/2), Z of norm 1: random ones stay below the bound, the rotation reaches it."""
    d = 4
    a, b = root(covariance(d, 1)), root(covariance(d, 2))
    most = nuclear(b @ a)
    for seed in range(200):
        z = normal(d, d, seed=seed)
        assert (a @ (z / torch.linalg.matrix_norm(z, 2)) @ b).trace() <= most + 1e-9
        assert (a @ torch.linalg.qr(z)[0] @ b).trace() <= most + 1e-9
    p, _, qh = torch.linalg.svd(b @ a)
    z = (p @ qh).T  # of v = P Q^T u: E u v^T
    k = a @ z @ b
    near(k.trace(), most)
    joint = torch.cat([torch.cat([a @ a, k], 1), torch.cat([k.T, b @ b], 1)])
    assert torch.linalg.eigvalsh(joint).min() > -1e-9  # it is the covariance of something
    p, q = normal(500, d, seed=5), normal(500, d, seed=6)  # Cauchy and Schwarz, for the Z of samples
    u, v = (torch.linalg.solve_triangular(torch.linalg.cholesky(x.T @ x), x.T, upper=False) for x in (p, p + 0.2 * q))
    assert torch.linalg.svdvals(u @ v.T).max() <= 1 + 1e-9


def test_10_4_frechet_distance():
    """The package, fed features of exactly these moments, against the cost of the best linear map from a to b."""
    d, n = 3, 50
    a, b, m = covariance(d, 1), covariance(d, 2), normal(d, seed=3)
    white = normal(n, d, seed=4)
    white = white - white.mean(0)
    white = white @ torch.linalg.inv(torch.linalg.cholesky(white.T.cov())).T
    x = white @ root(a)
    back = torch.linalg.inv(root(a))
    move = back @ root(root(a) @ b @ root(a)) @ back  # symmetric, positive: a gradient of a convex function
    near(move @ a @ move, b)
    y = x @ move + m
    cost = (x - y).square().sum() / (n - 1) - m.square().sum() * (n / (n - 1) - 1)
    near(frechet(x, y), cost, 1e-8)
    near(nuclear(root(a) @ root(b)), torch.linalg.eigvals(a @ b).real.sqrt().sum())


def test_10_8_bias_of_the_means():
    """Uniform numbers, n = 5 and m = 9, many times."""
    scale = torch.tensor([1.0, 2.0, 0.5], dtype=F64)
    x = scale * torch.rand(40_000, 5, 3, dtype=F64, generator=seeded(1))
    y = torch.rand(40_000, 9, 3, dtype=F64, generator=seeded(2)) - 0.2
    found = (x.mean(1) - y.mean(1)).square().sum(1).mean()
    true = (scale / 2 - 0.3).square().sum()
    near(found, true + scale.square().sum() / 12 / 5 + 3 / 12 / 9, 5e-3)


@pytest.mark.parametrize("n, m, d", [(6, 9, 12), (8, 8, 8), (40, 30, 5)])
def test_10_9_bound_of_the_mean_distance(n, m, d):
    """Below the mean of many, for normal and for uniform features; with equal densities above 0."""
    for spread in (0.5, 1.0, 1.5):
        for draw, var in ((torch.randn, 1.0), (torch.rand, 1 / 12)):
            g = seeded(1)
            pairs = [(spread * draw(n, d, generator=g).double(), draw(m, d, generator=g).double()) for _ in range(60)]
            found = torch.tensor([frechet(a, b) for a, b in pairs], dtype=F64)
            means = 0.0 if draw is torch.randn else d * (spread / 2 - 0.5) ** 2
            sums = (1 + 1 / n) * spread**2 * var * d + (1 + 1 / m) * var * d
            bound = means + sums - 2 * (min(n - 1, m - 1, d) * spread**2 * var**2 * d) ** 0.5
            assert found.mean() + 3 * found.std() / 60**0.5 >= bound
            assert spread != 1.0 or bound > 0
            if n < d:  # and it is no empty bound
                assert bound > 0.6 * found.mean()


def test_10_5_squared_difference_of_means():
    """All of two small populations: their mean features of degree 2, written out, against the three means of k."""
    x, y = normal(5, 2, seed=1), normal(4, 2, seed=2)

    def phi(v):  # (x . y + 1)^2
        one, two = v.T
        r = math.sqrt(2)
        return torch.stack([torch.ones_like(one), r * one, r * two, one**2, two**2, r * one * two], 1)

    k = lambda a, b: ((a @ b.T + 1) ** 2).mean()  # noqa: E731
    near((phi(x).mean(0) - phi(y).mean(0)).square().sum(), k(x, x) + k(y, y) - 2 * k(x, y))


def test_10_6_moments_up_to_the_third():
    x, y, d = normal(7, 3, seed=1), normal(6, 3, seed=2) + 0.5, 3
    k = lambda a, b: ((a @ b.T / d + 1) ** 3).mean()  # noqa: E731
    total = 0.0
    for j, times in ((1, 3), (2, 3), (3, 1)):
        for places in itertools.product(range(d), repeat=j):
            gap = x[:, list(places)].prod(1).mean() - y[:, list(places)].prod(1).mean()
            total += times / d**j * gap**2
    near(k(x, x) + k(y, y) - 2 * k(x, y), total)


def test_10_7_unbiased_estimate():
    """The package's mean over all samples of a tiny population, against the distance of the populations themselves."""
    x, y, d = normal(3, 2, seed=1), normal(2, 2, seed=2), 2
    k = lambda a, b: ((a @ b.T / d + 1) ** 3).mean()  # noqa: E731
    draws = itertools.product(itertools.product(range(3), repeat=3), itertools.product(range(2), repeat=2))
    found = [kernel(x[list(i)], y[list(j)]) for i, j in draws]  # independent draws, repeats too
    near(sum(found) / len(found), k(x, x) + k(y, y) - 2 * k(x, y))
    assert min(found) < 0 < max(found)


def test_10_12_inception_score():
    logits = 2 * normal(30, 6)
    p = logits.softmax(1)
    mean = torch.distributions.Categorical(p.mean(0))
    kl = torch.distributions.kl_divergence(torch.distributions.Categorical(p), mean).mean()
    gap = mean.entropy() - torch.distributions.Categorical(p).entropy().mean()
    near(math.log(inception_score(logits)), kl, 1e-6)
    near(kl, gap)
    for scale in (0.0, 0.1, 1.0, 100.0):
        assert 1 - 1e-9 <= inception_score(scale * logits) <= 6 + 1e-6
    near(inception_score(100 * torch.eye(6)), 6.0, 1e-6)


def test_10_11_precision_and_recall():
    real, fake, k = normal(14, 2, seed=1), 0.5 * normal(11, 2, seed=2) + 0.4, 3

    def share(points, centres):
        held = 0
        for p in points.tolist():
            for i, c in enumerate(centres.tolist()):
                others = sorted(math.dist(c, o) for j, o in enumerate(centres.tolist()) if j != i)
                if math.dist(p, c) <= others[k - 1]:
                    held += 1
                    break
        return held / len(points)

    expected = share(fake, real), share(real, fake)
    assert expected[0] != expected[1] and 0 < min(expected) < 1
    near(precision_recall(real, fake, k), expected)


def test_10_13_perceptual_distance():
    """Two unit vectors: |u - v|^2 = 2 - 2 cos, place by place and layer by layer."""
    maps = lambda x: [x.double(), F.avg_pool2d(x.double() ** 3, 2)]  # noqa: E731
    a, b = torch.rand(2, 5, 3, 4, 4, generator=seeded(1)) * 2 - 1
    layers = zip(maps(a), maps(b))
    expected = sum((2 - 2 * F.cosine_similarity(p, q, dim=1)).mean((1, 2)) for p, q in layers)
    near(perceptual(a, b, Features("test", lambda x: x.mean((2, 3)), maps=maps)), expected, 1e-6)


def test_10_10_gap_in_standard_deviations():
    """Without a difference, z of independent distances has mean 0 and variance 1; with one, its mean is the gap / s."""
    a, b = 3.0 * normal(200_000, seed=1), 4.0 * normal(200_000, seed=2)
    z = (a - b) / math.hypot(3.0, 4.0)
    near(z.mean(), 0.0, 0.01)
    near(z.var(), 1.0, 0.01)
    near((z > 2).double().mean(), 0.5 * math.erfc(2**0.5), 1e-3)
    near(((a + 10 - b) / math.hypot(3.0, 4.0)).mean(), 2.0, 0.01)


def test_10_14_coverage():
    """Real picture by real picture, with its neighbours sorted, against the exercise's answer."""
    from ddpm_lessons.course.exercises import EXERCISES

    real, fake, k = normal(13, 2, seed=1), 0.6 * normal(9, 2, seed=2) + 0.5, 2
    held = 0
    for i, c in enumerate(real.tolist()):
        radius = sorted(math.dist(c, o) for j, o in enumerate(real.tolist()) if j != i)[k - 1]
        held += any(math.dist(c, y) <= radius for y in fake.tolist())
    assert 0 < held < 13
    near(EXERCISES["10.5"].right(torch.cdist(real, real), torch.cdist(real, fake), k), held / 13)
    one = real[:1] + 1e-6 * normal(9, 2, seed=3)  # fakes in one place: precise, and covering little
    assert precision_recall(real, one, k)[0] == 1.0
    assert EXERCISES["10.5"].right(torch.cdist(real, real), torch.cdist(real, one), k) < 0.5
