"""The forward process: one jump is many steps, and the posterior is Bayes' rule."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddpm_lessons import schedules
from ddpm_lessons.forward import check_pictures, gauss, noisy, posterior, step

F64 = torch.float64
times_s_t = st.integers(2, 100).flatmap(lambda t: st.tuples(st.integers(0, t - 1), st.just(t)))
names = st.sampled_from(list(schedules.ALL))


def test_t_0_is_the_clean_picture(schedule, rng):
    x0 = torch.randn(2, 1, 4, 4, generator=rng)
    assert torch.equal(noisy(schedule, x0, 0, torch.ones_like(x0)), x0)


def test_each_picture_gets_its_own_t(schedule, rng):
    x0, eps = torch.randn(2, 3, 1, 4, 4, generator=rng)
    t = torch.tensor([1, 50, 100])
    each = torch.cat([noisy(schedule, x0[i : i + 1], int(t[i]), eps[i : i + 1]) for i in range(3)])
    assert torch.equal(noisy(schedule, x0, t, eps), each)


def test_many_steps_are_one_jump(schedule):
    """Mean and variance of x_t, followed exactly: step is linear, so ones show its two coefficients."""
    zero, one = torch.zeros(1, 1, dtype=F64), torch.ones(1, 1, dtype=F64)
    mean, var = one, zero
    for t in range(1, 101):
        of_x, of_eps = step(schedule, one, t, zero), step(schedule, zero, t, one)
        mean, var = of_x * mean, of_x**2 * var + of_eps**2
        torch.testing.assert_close(mean, noisy(schedule, one, t, zero))
        torch.testing.assert_close(var, noisy(schedule, zero, t, one) ** 2)


@given(names, times_s_t)
def test_the_posterior_averaged_over_x_t_is_the_jump_to_s(name, s_t):
    """x_t ~ q(x_t | x_0), then x_s ~ q(x_s | x_t, x_0): mean and variance are those of q(x_s | x_0)."""
    schedule, (s, t) = schedules.ALL[name](100), s_t
    x0 = torch.full((1, 1), 0.7, dtype=F64)
    signal, noise = schedule.scales(t, x0)
    mean, var = posterior(schedule, x0, signal * x0, t, s)
    slope = posterior(schedule, 0 * x0, torch.ones_like(x0), t, s)[0]
    signal_s, noise_s = schedule.scales(s, x0)
    torch.testing.assert_close(mean, signal_s * x0)
    torch.testing.assert_close(slope**2 * noise**2 + var, noise_s**2)


@given(names, times_s_t)
def test_the_posterior_is_bayes_rule(name, s_t):
    """A product of two Gaussians in x_s: precisions add, and means are weighted by them."""
    schedule, (s, t) = schedules.ALL[name](100), s_t
    x0, x_t = torch.full((1, 1), -0.4, dtype=F64), torch.full((1, 1), 1.3, dtype=F64)
    mean, var = posterior(schedule, x0, x_t, t, s)
    if s == 0:
        assert var.item() == 0
        torch.testing.assert_close(mean, x0)
        return
    a_s, alpha = schedule.alpha_bar[s], schedule.alpha_bar[t] / schedule.alpha_bar[s]
    from_x0, from_x_t = 1 / (1 - a_s), alpha / (1 - alpha)  # precisions
    torch.testing.assert_close(var.squeeze(), 1 / (from_x0 + from_x_t))
    torch.testing.assert_close(mean, var * (from_x0 * a_s.sqrt() * x0 + from_x_t * x_t / alpha.sqrt()))


def test_the_posterior_takes_a_time_for_each_picture(schedule, rng):
    x0, x_t = torch.randn(2, 3, 1, 2, 2, generator=rng)
    t, s = torch.tensor([100, 50, 2]), torch.tensor([99, 10, 1])
    mean, var = posterior(schedule, x0, x_t, t, s)
    assert mean.shape == x0.shape and var.shape == (3, 1, 1, 1)
    for i in range(3):
        m, v = posterior(schedule, x0[i : i + 1], x_t[i : i + 1], int(t[i]), int(s[i]))
        assert torch.equal(mean[i], m[0]) and torch.equal(var[i], v[0])


@pytest.mark.parametrize("t, s", [(5, 5), (4, 5), (0, 0)])
def test_a_step_goes_back_in_time(t, s):
    x = torch.zeros(1, 1)
    with pytest.raises(ValueError, match=f"from t to an earlier s < t, got t = {t}, s = {s}"):
        posterior(schedules.linear(10), x, x, t, s)


def test_a_seed_means_the_same_noise_in_each_batch_shape():
    like = torch.zeros(2, 3, dtype=F64)
    a, b = (gauss(like, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(a, b) and a.dtype == F64 and a.shape == (2, 3)
    assert not torch.equal(a, gauss(like, torch.Generator().manual_seed(4)))


def test_pictures_in_range_pass(rng):
    x0 = torch.rand(2, 3, 4, 4, generator=rng) * 2 - 1
    check_pictures(x0)
    check_pictures(torch.ones(1, 1, 4, 4))  # all white is a picture
    check_pictures(torch.linspace(0.05, 1, 32).view(2, 1, 4, 4))  # and so are two bright ones


@pytest.mark.parametrize(
    "x0, message",
    [
        (torch.zeros(3, 4, 4), r"should be \(B, C, H, W\), got \(3, 4, 4\); one picture needs x0\[None\]"),
        (torch.zeros(4), r"should be \(B, C, H, W\), got \(4,\)"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), "got torch.uint8; divide by 127.5 and subtract 1"),
        (torch.linspace(0, 255, 16).view(1, 1, 4, 4), r"got \[0, 255\].*divide by 127.5 and subtract 1"),
        (torch.linspace(0, 1, 128).view(8, 1, 4, 4), r"got \[0, 1\].*multiply by 2 and subtract 1"),
        (torch.full((1, 1, 4, 4), float("nan")), "x0 holds NaN: look at the pictures"),
        (torch.full((1, 1, 4, 4), float("-inf")), r"should lie in \[-1, 1\]"),
    ],
)
def test_what_is_no_picture_is_told_what_to_do(x0, message):
    with pytest.raises(ValueError, match=message) as e:
        check_pictures(x0)
    assert "\n" not in str(e.value)


def test_noisy_wants_floats_and_noise_of_the_same_shape():
    schedule, x0 = schedules.linear(10), torch.zeros(2, 1, 4, 4)
    with pytest.raises(ValueError, match=r"eps should have the shape of x0, \(2, 1, 4, 4\), got \(1, 4, 4\)"):
        noisy(schedule, x0, 1, x0[0])
    with pytest.raises(ValueError, match="divide by 127.5 and subtract 1"):
        noisy(schedule, x0.byte(), 1, x0)
    with pytest.raises(ValueError, match=r"t should lie in 0\.\.10"):
        noisy(schedule, x0, 11, x0)


def test_pictures_may_reach_one_and_a_half_and_no_further():
    x0 = torch.zeros(2, 3, 4, 4)
    for end in (1.5, -1.5):
        x0[0, 0, 0, 0] = end
        check_pictures(x0)
        x0[0, 0, 0, 0] = 1.01 * end
        with pytest.raises(ValueError, match="should lie in"):
            check_pictures(x0)
        x0[0, 0, 0, 0] = 0


def test_the_posterior_has_the_pictures_type():
    x = torch.zeros(2, 3, 4, 4)
    mean, var = posterior(schedules.cosine(10), x, x, 5, 4)
    assert mean.dtype == var.dtype == torch.float32
