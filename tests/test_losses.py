"""Losses: zero for a right answer, weights that weigh, and a bound that counts bits."""

import math

import pytest
import torch
import torch.nn.functional as F

from ddpm_lessons.bound import Bound, discretised, normal_kl, vlb
from ddpm_lessons.losses import diffusion_loss, min_snr, p2, snr_plus_1
from ddpm_lessons.predict import EPS, X0, Predict, V
from ddpm_lessons.samplers import beta, beta_tilde
from ddpm_lessons.schedules import linear

F64 = torch.float64
BOTH = pytest.mark.parametrize("predict", [EPS, X0, V], ids=lambda p: p.name)


def seeded():
    return torch.Generator().manual_seed(1)


def perfect(schedule, predict, x0):
    """A net that knows x0, and so what was asked for."""

    def net(x_t, t, cond):
        signal, noise = schedule.scales(t, x_t)
        return predict.target(x0, (x_t - signal * x0) / noise, signal, noise)

    return net


@BOTH
@pytest.mark.parametrize("distance", [F.mse_loss, F.l1_loss, F.huber_loss])
def test_the_right_answer_costs_nothing(predict, distance, schedule, rng):
    x0 = torch.rand(16, 1, 4, 4, dtype=F64, generator=rng) * 2 - 1
    net = perfect(schedule, predict, x0)
    assert diffusion_loss(net, schedule, predict, x0, distance=distance).item() == pytest.approx(0, abs=1e-9)


def test_an_untrained_net_costs_the_variance_of_eps(schedule):
    zero = lambda x, t, cond: torch.zeros_like(x)  # noqa: E731
    loss = diffusion_loss(zero, schedule, EPS, torch.zeros(1000, 1, 4, 4), rng=seeded())
    assert loss.item() == pytest.approx(1, abs=0.06)  # 5 standard errors


@BOTH
def test_an_error_of_e_costs_e_squared(predict, schedule, rng):
    x0 = torch.rand(16, 1, 4, 4, dtype=F64, generator=rng)
    right = perfect(schedule, predict, x0)
    wrong = lambda x, t, cond: right(x, t, cond) + 0.3  # noqa: E731
    assert diffusion_loss(wrong, schedule, predict, x0).item() == pytest.approx(0.09)
    loss = diffusion_loss(wrong, schedule, predict, x0, weight=lambda snr: 2 * predict.gain(snr))
    assert loss.item() == pytest.approx(0.18)
    assert diffusion_loss(wrong, schedule, predict, x0, distance=F.l1_loss).item() == pytest.approx(0.3)


def test_t_is_drawn_evenly_from_1_to_T(schedule):
    seen = []

    def net(x, t, cond):
        seen.append(t)
        return x

    diffusion_loss(net, schedule, EPS, torch.zeros(20_000, 1), rng=seeded())
    (t,) = seen
    assert t.min() == 1 and t.max() == 100
    assert t.bincount(minlength=101)[1:].float().std() < 25  # chance alone: 14


def test_each_picture_is_weighted_by_its_own_snr(schedule):
    seen = []

    def net(x, t, cond):
        seen.append(t)
        return torch.zeros_like(x)

    x0 = torch.zeros(64, 1, dtype=F64)
    eps = []
    kept = Predict("eps", lambda x0, e, a, s: eps.append(e) or e, EPS.x0, EPS.gain)
    loss = diffusion_loss(net, schedule, kept, x0, weight=lambda snr: snr**2)
    snr = schedule.snr(seen[0])[:, None]  # the picture's error is that of eps over the SNR
    assert loss.item() == pytest.approx((snr**2 / snr * eps[0] ** 2).mean().item())


@pytest.mark.parametrize("weight", [p2, min_snr, snr_plus_1])
def test_a_weight_means_the_same_for_every_answer(schedule, weight):
    """Nets that mean the same picture, whatever they answer, have the same weighted loss."""
    x0, guess = torch.randn(2, 32, 1, 2, 2, dtype=F64, generator=seeded())

    def answering(predict):
        def net(x_t, t, cond):
            signal, noise = schedule.scales(t, like=x_t)
            return predict.target(guess, (x_t - signal * guess) / noise, signal, noise)

        return net

    eps, direct, v = (diffusion_loss(answering(p), schedule, p, x0, weight=weight, rng=seeded()) for p in (EPS, X0, V))
    torch.testing.assert_close(eps, direct)
    torch.testing.assert_close(v, direct)


def test_a_weight_wants_squared_errors(schedule):
    with pytest.raises(ValueError, match="a weight belongs to the squared error"):
        diffusion_loss(None, schedule, EPS, torch.zeros(2, 1), weight=p2, distance=torch.nn.functional.l1_loss)


def test_the_condition_reaches_the_net(schedule):
    seen = []
    net = lambda x, t, cond: seen.append(cond) or x  # noqa: E731
    diffusion_loss(net, schedule, EPS, torch.zeros(2, 1), "a rose")
    assert seen == ["a rose"]


def test_weights_are_their_formulas():
    snr = torch.tensor([0.1, 5.0, 100.0])
    torch.testing.assert_close(p2(snr), snr / (1 + snr))
    torch.testing.assert_close(p2(snr, 2.0, 0.5), snr / (2 + snr).sqrt())
    torch.testing.assert_close(p2(snr, gamma=0.0), snr)
    torch.testing.assert_close(min_snr(snr), torch.tensor([0.1, 5.0, 5.0]))
    torch.testing.assert_close(snr_plus_1(snr), torch.tensor([1.1, 5.0, 5.0]))
    torch.testing.assert_close(snr_plus_1(snr, 50.0), torch.tensor([1.1, 6.0, 50.0]))


def test_normal_kl_is_torchs(rng):
    m, v, m_hat, v_hat = torch.rand(4, 10, dtype=F64, generator=rng) + 0.1
    p, q = torch.distributions.Normal(m, v.sqrt()), torch.distributions.Normal(m_hat, v_hat.sqrt())
    torch.testing.assert_close(normal_kl(m, v, m_hat, v_hat), torch.distributions.kl_divergence(p, q))


@pytest.mark.parametrize("mean, std", [(0.0, 0.3), (0.9, 0.001), (-5.0, 0.1), (0.3, 10.0)])
def test_discretised_masses_sum_to_1_over_the_levels(mean, std):
    levels = torch.linspace(-1, 1, 256, dtype=F64)[:, None]
    log_p = discretised(levels, torch.full_like(levels, mean), torch.tensor(std, dtype=F64))
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-9)


def test_discretised_keeps_its_digits_in_both_tails():
    x = torch.tensor([[-0.5 - 0.5 / 255, 0.5 + 0.5 / 255]], dtype=F64)
    left, right = discretised(x, torch.zeros_like(x), torch.tensor(0.06, dtype=F64))[0]
    assert left.item() == pytest.approx(right.item(), rel=1e-9) and left < -30


def pictures(n=4):
    return torch.randint(0, 256, (n, 1, 2, 2), generator=seeded()).to(F64) / 127.5 - 1


def test_knowing_the_picture_leaves_only_the_ends_of_the_bound(schedule):
    """With the true x0 and its own variance every middle term is 0; what is left are L_T and L_0."""
    x0 = pictures()
    bound = vlb(lambda x, t, cond: x0, schedule, x0, rng=seeded(), variance=beta_tilde)
    torch.testing.assert_close(bound.steps[1:], torch.zeros(99, dtype=F64), rtol=0, atol=1e-9)
    torch.testing.assert_close(bound.total, bound.prior + bound.steps[0])
    a = schedule.alpha_bar[-1]
    prior = 0.5 * (a * x0**2 - a - (1 - a).log()) / math.log(2)
    torch.testing.assert_close(bound.prior, prior.mean())


def test_a_wrong_variance_costs_its_kl(schedule):
    x0 = pictures()
    bound = vlb(lambda x, t, cond: x0, schedule, x0, rng=seeded(), variance=beta)
    for t in (2, 50, 100):
        r = beta_tilde(schedule, t, t - 1) / beta(schedule, t, t - 1)
        assert bound.steps[t - 1].item() == pytest.approx(0.5 * (r - 1 - math.log(r)) / math.log(2), rel=1e-6)


def test_a_worse_guess_costs_more_bits_at_every_step():
    x0, schedule = pictures(), linear(20, 1e-3, 0.5)
    good = vlb(lambda x, t, cond: x0 + 0.01, schedule, x0, rng=seeded())
    bad = vlb(lambda x, t, cond: x0 + 0.1, schedule, x0, rng=seeded())
    assert (bad.steps > good.steps).all() and bad.total > good.total > 0
    assert torch.equal(bad.prior, good.prior)


def test_total_adds_up():
    assert Bound(torch.tensor(1.0), torch.tensor([2.0, 3.0])).total == 6


@pytest.mark.parametrize("x0", [torch.full((1, 1), 0.001), torch.full((1, 1), 2.0)])
def test_the_bound_counts_bits_of_stored_values_only(x0):
    with pytest.raises(ValueError, match=r"stored on 256 levels in \[-1, 1\]; x0 is not on them"):
        vlb(lambda x, t, cond: x, linear(10), x0)
