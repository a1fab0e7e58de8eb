"""The equations of lesson 01, each against quadrature, random draws or a second derivation."""

import math

import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from ddpm_lessons import data
from ddpm_lessons.bound import normal_kl
from ddpm_lessons.course.diagrams import lesson_01 as drawings
from ddpm_lessons.forward import posterior
from ddpm_lessons.schedules import linear

GRID = torch.linspace(-12, 12, 4801, dtype=torch.float64)


def density(x, mean, var):
    return (-((x - mean) ** 2) / (2 * var)).exp() / math.sqrt(2 * math.pi * var)


def integral(y):
    return torch.trapezoid(y, GRID, dim=-1).item()


def moments(y):
    """Area, mean and variance of a density on GRID."""
    mean = integral(GRID * y) / integral(y)
    return integral(y), mean, integral((GRID - mean) ** 2 * y) / integral(y)


def assert_near(a, b, rtol=1e-6, atol=1e-6):
    a, b = torch.as_tensor(a).double(), torch.as_tensor(b).double()
    assert a.shape == b.shape and ((a - b).abs() <= atol + rtol * b.abs()).all()


def normals(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_1_1_expectation_by_integral_and_by_draws():
    waits = torch.empty(100_000, dtype=torch.float64).exponential_(generator=torch.Generator().manual_seed(0))
    x = torch.linspace(0, 40, 20_001, dtype=torch.float64)
    for f in (lambda x: x, lambda x: (x - 1) ** 2, torch.cos):
        assert_near(f(waits).mean(), torch.trapezoid(f(x) * (-x).exp(), x), rtol=0, atol=0.03)
    assert_near(torch.trapezoid(x * (-x).exp(), x), 1.0)
    assert_near(waits.var(), torch.trapezoid((x - 1) ** 2 * (-x).exp(), x), rtol=0, atol=0.03)


def test_1_3_density():
    for mean, var in ((0.0, 1.0), (0.5, 0.64), (-1.0, 2.5)):
        assert_near(moments(density(GRID, mean, var)), [1.0, mean, var])
        assert_near(density(GRID, mean, var), Normal(mean, var**0.5).log_prob(GRID).exp())


def test_1_4_isotropic_density():
    x, mean, var, D = normals(20, 4), normals(4, seed=1), 0.7, 4
    product = density(x, mean, var).prod(1)
    assert_near(product, (2 * math.pi * var) ** (-D / 2) * (-((x - mean) ** 2).sum(1) / (2 * var)).exp())
    assert_near(product, MultivariateNormal(mean, var * torch.eye(D).double()).log_prob(x).exp())


def test_1_6_reparameterisation():
    x = 0.5 + 0.8 * normals(100_000)
    shares = torch.stack([(x <= c).double().mean() for c in torch.linspace(-2, 3, 21)])
    ruler = torch.linspace(-8, 3, 2201, dtype=torch.float64)
    below = torch.cumulative_trapezoid(density(ruler, 0.5, 0.64), ruler)[1199::50]  # up to -2, -1.75, ..., 3
    assert_near(shares, below, rtol=0, atol=0.008)
    assert_near(density((GRID - 0.5) / 0.8, 0.0, 1.0) / 0.8, density(GRID, 0.5, 0.64))
    m, v = torch.tensor(1.5, requires_grad=True), torch.tensor(0.25, requires_grad=True)
    ((m + v.sqrt() * normals(100_000)) ** 2).mean().backward()  # E[x^2] = m^2 + v
    assert_near([m.grad, v.grad], [3.0, 1.0], rtol=0, atol=0.03)


def test_1_7_sum_of_scaled_gaussians():
    a, m1, v1, b, m2, v2 = 0.8, -1.0, 1.0, -1.5, 0.5, 0.49
    mean, var = a * m1 + b * m2, a**2 * v1 + b**2 * v2
    z = torch.linspace(-5, 4, 37, dtype=torch.float64)  # z = a x + u, with u = b y, of density q(u / b) / |b|
    of_b_y = density((z[:, None] - a * GRID) / b, m2, v2) / abs(b)
    convolved = torch.trapezoid(density(GRID, m1, v1) * of_b_y, GRID)
    assert_near(convolved, density(z, mean, var))
    draws = a * (m1 + v1**0.5 * normals(200_000)) + b * (m2 + v2**0.5 * normals(200_000, seed=1))
    assert_near([draws.mean(), draws.var()], [mean, var], rtol=0, atol=0.03)


def test_1_9_product_of_densities():
    for m1, v1, m2, v2 in ((-1.0, 1.0, 1.5, 0.49), (0.3, 2.0, 0.0, 0.1)):
        v = 1 / (1 / v1 + 1 / v2)
        m = v * (m1 / v1 + m2 / v2)
        number = density(torch.tensor(m1).double(), m2, v1 + v2)
        assert_near(density(GRID, m1, v1) * density(GRID, m2, v2), number * density(GRID, m, v), atol=1e-12)


def test_1_10_bayes():
    for m, var, a, noise, y in ((0.0, 1.0, 0.8, 0.6, 1.2), (-0.5, 0.3, -1.4, 0.9, 1.0)):
        v = 1 / (1 / var + a**2 / noise**2)  # w = noise^2
        mean = v * (m / var + a * y / noise**2)
        joint = density(GRID, m, var) * density(y, a * GRID, noise**2)
        assert_near(moments(joint), [integral(joint), mean, v])
        assert_near(joint / integral(joint), density(GRID, mean, v), atol=1e-9)
    schedule, x0, x_t = linear(1000), normals(4, 3), normals(4, 3, seed=1)
    a_t, a_s = schedule.alpha_bar[300], schedule.alpha_bar[299]
    alpha = a_t / a_s
    v = 1 / (1 / (1 - a_s) + alpha / (1 - alpha))
    mean = v * (a_s.sqrt() * x0 / (1 - a_s) + alpha.sqrt() * x_t / (1 - alpha))
    package_mean, package_var = posterior(schedule, x0, x_t, 300, 299)
    assert_near(package_mean, mean)
    assert_near(package_var.squeeze(), v)


def test_1_14_kl():
    for m, v, m_hat, v_hat in ((0.0, 1.0, 1.0, 0.49), (0.5, 0.3, -0.5, 2.0), (1.0, 0.5, 1.0, 0.5)):
        log_p = -((GRID - m) ** 2) / (2 * v) - 0.5 * math.log(2 * math.pi * v)
        log_q = -((GRID - m_hat) ** 2) / (2 * v_hat) - 0.5 * math.log(2 * math.pi * v_hat)
        kl = normal_kl(*torch.tensor([m, v, m_hat, v_hat], dtype=torch.float64))
        assert_near(kl, integral(log_p.exp() * (log_p - log_q)))
        assert_near(kl, 0.5 * (math.log(v_hat / v) + (v + (m - m_hat) ** 2) / v_hat - 1))
        assert_near(kl, kl_divergence(Normal(m, v**0.5), Normal(m_hat, v_hat**0.5)))


def test_1_15_kl_of_equal_variances():
    m, m_hat, v = normals(50), normals(50, seed=1).requires_grad_(), torch.tensor(0.3).double()
    kl = normal_kl(m, v, m_hat, v)
    assert_near(kl.detach(), (m - m_hat.detach()) ** 2 / (2 * v))
    (slope,) = torch.autograd.grad(kl.sum(), m_hat)
    assert_near(slope, (m_hat.detach() - m) / v)


def test_1_16_kl_of_isotropic_gaussians():
    m, m_hat, v, eye = normals(7, 5), normals(7, 5, seed=1), torch.tensor(0.3).double(), torch.eye(5).double()
    squared = ((m - m_hat) ** 2).sum(1) / (2 * v)
    assert_near(normal_kl(m, v, m_hat, v).sum(1), squared)
    assert_near(kl_divergence(MultivariateNormal(m, v * eye), MultivariateNormal(m_hat, v * eye)), squared)


def test_1_2_joint_marginal_conditional():
    x, eps = normals(2, 400_000)
    x = torch.where(normals(400_000, seed=1) > 0, 0.7 + 0.3 * x, -0.8 + 0.2 * x)  # two humps: q is no Gaussian
    y = x + 0.6 * eps
    prior = (density(GRID, 0.7, 0.09) + density(GRID, -0.8, 0.04)) / 2
    joint = prior * density(0.1, GRID, 0.36)  # q(x) q(y|x) at y = 0.1
    in_band = (y - 0.1).abs() < 0.05
    assert_near(in_band.double().mean() / 0.1, integral(joint), rtol=0, atol=0.01)  # q(y) is the area of the row
    area, mean, var = moments(joint / integral(joint))
    assert_near([area, mean, var], [1.0, x[in_band].mean(), x[in_band].var()], rtol=0, atol=0.02)
    other = torch.trapezoid(prior * density(GRID[:, None], GRID, 0.36), GRID)  # q(y) for all y
    assert_near(integral(other), 1.0)


def test_1_5_length_of_noise():
    assert_near(integral(GRID**4 * density(GRID, 0.0, 1.0)), 3.0)
    for D in (30, 1000):
        squared = (normals(20_000, D) ** 2).sum(1)
        assert_near([squared.mean(), squared.var()], [D, 2 * D], rtol=0.03)
        length = squared.sqrt()
        assert_near([length.mean(), length.std()], [D**0.5, 0.5**0.5], rtol=0.015)


def test_1_12_cross_entropy_is_entropy_plus_kl():
    q, p = normals(2, 50, 6).softmax(-1)
    cross, entropy, kl = -(q * p.log()).sum(-1), -(q * q.log()).sum(-1), (q * (q / p).log()).sum(-1)
    assert_near(cross, entropy + kl)
    assert (kl > 0).all() and (cross > entropy).all()
    q = torch.tensor([1 / 2, 1 / 4, 1 / 8, 1 / 8])
    assert_near(-(q * q.log2()).sum(), (q * torch.tensor([1, 2, 3, 3])).sum())  # the words 0, 10, 110, 111
    q, p = density(GRID, 0.3, 0.5), density(GRID, -0.2, 0.9)
    kl = normal_kl(*torch.tensor([0.3, 0.5, -0.2, 0.9]))
    assert_near(-integral(q * p.log()), -integral(q * q.log()) + kl.item())


def test_1_11_share_of_what_was_seen():
    for m, v1, w, y in ((0.5, 2.0, 0.3, 1.4), (-1.0, 0.1, 0.8, 0.2)):
        _, mean, _ = moments(density(GRID, m, v1) * density(y, GRID, w))
        assert_near(mean, m + v1 / (v1 + w) * (y - m))
        seen = torch.tensor(y, dtype=torch.float64, requires_grad=True)
        (score,) = torch.autograd.grad(density(seen, m, v1 + w).log(), seen)
        assert_near(mean, y + w * score)  # Tweedie's formula
    photo = data.picture(data.bundled("dahlia.jpg"), 64)
    noisy = photo + 0.5 * normals(3, 64, 64).float()
    assert ((drawings.by_bayes(noisy, 0.25) - photo) ** 2).mean() < 0.15 * ((noisy - photo) ** 2).mean()


def test_1_8_completing_the_square():
    for m1, v1, m2, v2 in ((-1.0, 1.0, 1.5, 0.49), (0.3, 2.0, 0.0, 0.1)):
        v = 1 / (1 / v1 + 1 / v2)
        m = v * (m1 / v1 + m2 / v2)
        rest = (GRID - m1) ** 2 / v1 + (GRID - m2) ** 2 / v2 - (GRID - m) ** 2 / v
        assert_near(rest, torch.full_like(GRID, (m1 - m2) ** 2 / (v1 + v2)))  # without x; aside B has its value


def test_1_13_kl_is_never_negative():
    for seed in range(20):
        m, s, m_hat, s_hat = normals(4, seed=seed).abs() + 0.5
        q = (density(GRID, -m, s**2) + density(GRID, m, 1.0)) / 2  # no Gaussian
        p = density(GRID, m_hat, s_hat**2)
        log_ratio = integral(q * (p.clamp(min=1e-300) / q).log())
        assert log_ratio <= integral(q * (p / q - 1)) + 1e-9 <= 1e-4
    q = torch.where(GRID.abs() < 1, 0.5, 0.0).double()  # q is 0 where p is not: the average of p / q is below 1
    inside = q > 0
    p = density(GRID, 0.0, 1.0)
    average = integral(torch.where(inside, p, 0.0))
    assert average < 1 and integral(torch.where(inside, q * (p / 0.5).log(), 0.0)) <= average - 1
    assert_near(integral(p * (p / p).log()), 0.0)  # 0 when the model is right
