"""Samplers: they end on the guess, agree with each other, and give Gaussian data their own width."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddpm_lessons import schedules
from ddpm_lessons.course.toys import ideal_denoiser
from ddpm_lessons.forward import noisy, posterior
from ddpm_lessons.samplers import beta, beta_tilde, ddim, ddpm, dpmpp_2m, slerp, times

F64 = torch.float64
SAMPLERS = {
    "ddpm": ddpm,
    "ddpm, beta": lambda *a, **k: ddpm(*a, **k, variance=beta),
    "ddim": ddim,
    "ddim, eta 0.5": lambda *a, **k: ddim(*a, **k, eta=0.5),
    "ddim, eta 1": lambda *a, **k: ddim(*a, **k, eta=1.0),
    "dpmpp_2m": dpmpp_2m,
}
no_chance = pytest.mark.parametrize("sampler", [ddim, dpmpp_2m])
every_sampler = pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS.keys())


def seeded():
    return torch.Generator().manual_seed(1)


@given(st.integers(1, 2000).flatmap(lambda T: st.tuples(st.just(T), st.integers(1, T))))
def test_times_fall_evenly_from_T_to_0(T_n):
    T, n = T_n
    ts = times(T, n)
    gaps = [t - s for t, s in pairwise(ts)]
    assert ts[0] == T and ts[-1] == 0 and len(ts) == n + 1
    assert min(gaps) >= 1 and max(gaps) - min(gaps) <= 2


@pytest.mark.parametrize("n", [0, -1, 101])
def test_the_number_of_steps_lies_in_1_to_T(n):
    with pytest.raises(ValueError, match=rf"number of sampling steps should lie in 1\.\.100 \(T\), got {n}"):
        times(100, n)


@pytest.mark.parametrize("ts", [[], [5], [0, 5], [5, 5, 0], [11, 0], [5, -1]])
def test_times_that_do_not_fall_are_refused(ts):
    for sampler in (ddpm, ddim, dpmpp_2m):
        with pytest.raises(ValueError, match=r"ts should fall from 10 \(T\) to 0, as times\(T, n\) makes it"):
            list(sampler(lambda x, t, cond: x, schedules.linear(10), torch.zeros(1, 1), ts))


@every_sampler
@pytest.mark.parametrize("n", [1, 2, 7, 100])
def test_a_denoiser_that_always_answers_mu_ends_on_mu(sampler, n, schedule, rng):
    mu = torch.linspace(-1, 1, 4, dtype=F64).view(1, 1, 2, 2).expand(3, -1, -1, -1)
    x_T = torch.randn(3, 1, 2, 2, dtype=F64, generator=rng)
    *_, last = sampler(lambda x, t, cond: mu, schedule, x_T, times(100, n), rng=rng)
    assert last.t == 0
    torch.testing.assert_close(last.x, mu, rtol=0, atol=1e-12)


@every_sampler
def test_steps_tell_where_they_stand_and_what_they_guessed(sampler, schedule):
    seen = []

    def denoise(x, t, cond):
        seen.append((x, t.tolist(), cond))
        return 0.5 * x

    x_T, ts = torch.ones(2, 3), times(100, 4)
    steps = list(sampler(denoise, schedule, x_T, ts, "a rose", seeded()))
    assert [s.t for s in steps] == ts[1:]
    assert [t for _, t, _ in seen] == [[t, t] for t in ts[:-1]]
    assert all(cond == "a rose" for *_, cond in seen)
    for (x, *_), s in zip(seen, steps):
        assert torch.equal(s.x0, 0.5 * x) and s.x.shape == (2, 3)


@pytest.mark.parametrize("n", [1, 10, 100])
def test_ddim_with_eta_1_is_ddpm(n, schedule, rng):
    x_T = torch.randn(4, 3, dtype=F64, generator=rng)
    denoise = lambda x, t, cond: torch.tanh(x + t[:, None] / 100)  # noqa: E731
    a = ddpm(denoise, schedule, x_T, times(100, n), rng=seeded())
    b = ddim(denoise, schedule, x_T, times(100, n), rng=seeded(), eta=1.0)
    for step_a, step_b in zip(a, b, strict=True):
        torch.testing.assert_close(step_a.x, step_b.x)


@no_chance
def test_some_samplers_need_no_chance(sampler, schedule):
    denoise = lambda x, t, cond: torch.tanh(x)  # noqa: E731
    x_T = torch.ones(2, 3)
    *_, a = sampler(denoise, schedule, x_T, times(100, 10), rng=torch.Generator().manual_seed(1))
    *_, b = sampler(denoise, schedule, x_T, times(100, 10), rng=torch.Generator().manual_seed(2))
    assert torch.equal(a.x, b.x)


@no_chance
def test_who_knows_the_picture_walks_along_one_noise(sampler, schedule, rng):
    """With the true x0, each x is the jump from x0 with the very eps of x_T."""
    x0, eps = torch.randn(2, 2, 3, dtype=F64, generator=rng)
    for s in sampler(lambda x, t, cond: x0, schedule, noisy(schedule, x0, 100, eps), times(100, 13)):
        torch.testing.assert_close(s.x, noisy(schedule, x0, s.t, eps))


@every_sampler
@pytest.mark.parametrize("name", schedules.ALL)
def test_gaussian_data_get_their_own_width_and_place(sampler, name):
    schedule = schedules.ALL[name](1000)
    n = 1000 if name == "constant" else 250  # constant ends on large steps: leave none out
    denoise = ideal_denoiser(schedule, torch.tensor([[0.3]], dtype=F64), std=0.5)
    x_T = torch.randn(4000, 1, dtype=F64, generator=seeded())
    *_, last = sampler(denoise, schedule, x_T, times(1000, n), rng=seeded())
    assert last.x.mean().item() == pytest.approx(0.3, abs=0.025)  # chance alone: 0.008
    assert last.x.std().item() == pytest.approx(0.5, abs=0.025)  # chance alone: 0.006


def test_beta_is_the_right_variance_for_standard_normal_data(schedule):
    """DDPM, section 3.2: x_t is N(0, 1) at every t, so slope^2 + variance = 1 at every step but the last."""
    one = torch.ones(1, 1, dtype=F64)
    for t in range(2, 101):
        signal, _ = schedule.scales(t, one)
        slope, _ = posterior(schedule, signal * one, one, t, t - 1)  # E[x_0 | x_t] = signal * x_t
        assert slope.item() ** 2 + beta(schedule, t, t - 1) == pytest.approx(1, abs=1e-9)


def test_beta_tilde_is_the_posteriors_variance_and_the_smaller_one(schedule):
    x = torch.zeros(1, 1, dtype=F64)
    for t, s in ((100, 99), (100, 50), (60, 3), (2, 1)):
        _, var = posterior(schedule, x, x, t, s)
        assert beta_tilde(schedule, t, s) == pytest.approx(var.item(), rel=1e-9)
        assert 0 < beta_tilde(schedule, t, s) < beta(schedule, t, s) < 1
    assert beta(schedule, 1, 0) == beta_tilde(schedule, 1, 0) == 0  # the last step adds no noise


def test_more_ddim_steps_come_closer_to_the_exact_path():
    """Gaussian data: the probability flow scales x_T, by std over the width of x_T."""
    schedule = schedules.linear(1000)
    denoise = ideal_denoiser(schedule, torch.zeros(1, 1, dtype=F64), std=0.5)
    one = torch.ones(1, 1, dtype=F64)
    signal, noise = schedule.scales(1000, one)
    exact = 0.5 / (signal**2 * 0.25 + noise**2).sqrt()
    errors = []
    for n in (10, 50, 250):
        *_, last = ddim(denoise, schedule, one, times(1000, n))
        errors.append((last.x - exact).abs().item())
    assert errors[0] > 2 * errors[1] > 4 * errors[2] and errors[2] < 0.01


@pytest.mark.parametrize("name", [name for name in schedules.ALL if name != "constant"])
def test_dpmpp_2m_beats_ddim_at_20_steps(name):
    """Gaussian data again, the same exact path. (Of a constant beta's 20 steps the last is so long that it decides.)"""
    schedule = schedules.ALL[name](1000)
    denoise = ideal_denoiser(schedule, torch.zeros(1, 1, dtype=F64), std=0.5)
    one = torch.ones(1, 1, dtype=F64)
    signal, noise = schedule.scales(1000, one)
    exact = 0.5 / (signal**2 * 0.25 + noise**2).sqrt()
    *_, first_order = ddim(denoise, schedule, one, times(1000, 20))
    *_, second_order = dpmpp_2m(denoise, schedule, one, times(1000, 20))
    assert (second_order.x - exact).abs().item() < 0.7 * (first_order.x - exact).abs().item()


def test_dpmpp_2m_is_of_second_order_and_ddim_of_first():
    """Twice the steps, a quarter of the error, or half; up to a t above 0, for the last step is of first order."""
    schedule = schedules.cosine(2**14)
    denoise = ideal_denoiser(schedule, torch.zeros(1, 1, dtype=F64), std=0.5)
    one = torch.ones(1, 1, dtype=F64)
    start, end = 15 * 2**10, 2**10
    width = lambda t: (schedule.alpha_bar[t] * 0.25 + 1 - schedule.alpha_bar[t]).sqrt()  # noqa: E731
    for sampler, order in ((ddim, 1), (dpmpp_2m, 2)):
        errors = []
        for n in (64, 128):
            *_, last = sampler(denoise, schedule, one, [end + t for t in times(start - end, n)])
            errors.append((last.x - width(end) / width(start)).abs().item())
        assert errors[0] / errors[1] == pytest.approx(2**order, rel=0.05)


def test_dpmpp_2m_starts_and_ends_as_ddim_and_then_differs(schedule):
    """No two guesses are there at first, and no line reaches t = 0; in between the guess runs ahead."""
    denoise = lambda x, t, cond: torch.tanh(x + t[:, None] / 100)  # noqa: E731
    x_T = torch.linspace(-2, 2, 6, dtype=F64).view(2, 3)
    for n in (1, 2):
        *_, a = ddim(denoise, schedule, x_T, times(100, n))
        *_, b = dpmpp_2m(denoise, schedule, x_T, times(100, n))
        torch.testing.assert_close(a.x, b.x)
    *_, a = ddim(denoise, schedule, x_T, times(100, 3))
    *_, b = dpmpp_2m(denoise, schedule, x_T, times(100, 3))
    assert (a.x - b.x).abs().max() > 1e-4
    assert torch.equal(b.x, b.x0)  # the last step lands on the guess itself


def test_slerp_starts_and_ends_where_it_should_and_keeps_the_norm(rng):
    a, b = torch.randn(2, 5, 3, 8, 8, dtype=F64, generator=rng)
    torch.testing.assert_close(slerp(a, b, 0.0), a)
    torch.testing.assert_close(slerp(a, b, 1.0), b)
    torch.testing.assert_close(slerp(a, b, 0.3), slerp(b, a, 0.7))
    b = b * (a.flatten(1).norm(dim=1) / b.flatten(1).norm(dim=1)).view(-1, 1, 1, 1)  # equally long, picture by picture
    norms = lambda x: x.flatten(1).norm(dim=1)  # noqa: E731
    for w in (0.1, 0.5, 0.9):
        torch.testing.assert_close(norms(slerp(a, b, w)), norms(a))
        assert (norms((1 - w) * a + w * b) < norms(a)).all()


def test_slerp_moves_at_an_even_pace():
    a, b = torch.tensor([[1.0, 0.0]], dtype=F64), torch.tensor([[0.0, 1.0]], dtype=F64)
    for w in (0.25, 0.5, 0.8):
        angle = torch.tensor(w * torch.pi / 2, dtype=F64)
        torch.testing.assert_close(slerp(a, b, w), torch.stack([angle.cos(), angle.sin()])[None])


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("k", [1.0, 2.0, -1.0])
def test_slerp_of_parallel_vectors_is_the_straight_line(dtype, k, rng):
    """There is no arc, or no one arc, between them; in float32 their angle is not quite 0 or pi."""
    a = torch.randn(20, 3, 8, 8, dtype=dtype, generator=rng)
    for w in (0.0, 0.25, 0.5, 1.0):
        torch.testing.assert_close(slerp(a, k * a, w), (1 - w) * a + w * k * a, rtol=1e-4, atol=1e-5)


def test_slerp_treats_each_picture_of_a_batch_alone(rng):
    a, b = torch.randn(2, 4, 3, 8, 8, dtype=F64, generator=rng)
    b[2] = a[2]  # one pair without an arc spoils no other
    together = slerp(a, b, 0.3)
    for i in range(4):
        torch.testing.assert_close(together[i : i + 1], slerp(a[i : i + 1], b[i : i + 1], 0.3))
    assert together.isfinite().all()


def test_no_gradients_are_kept(schedule):
    x_T = torch.ones(1, 1, requires_grad=True)
    for sampler in (ddpm, ddim, dpmpp_2m):
        assert not next(sampler(lambda x, t, cond: 2 * x, schedule, x_T, [100, 0])).x.requires_grad


def test_dpmpp_2m_looks_ahead_in_the_step_to_1_as_well():
    schedule, x_T = schedules.cosine(20), torch.randn(3, 2, generator=torch.Generator().manual_seed(0)).double()
    denoise = lambda x, t, cond: torch.tanh(x) * (1 - t.view(-1, 1) / 40)  # noqa: E731
    first, second, _ = dpmpp_2m(denoise, schedule, x_T, [20, 5, 1, 0])
    half_log_snr = schedule.alpha_bar.logit() / 2
    h_before, h = (float(half_log_snr[s] - half_log_snr[t]) for t, s in ((20, 5), (5, 1)))
    ahead = second.x0 + h / h_before / 2 * (second.x0 - first.x0)
    signal, noise = (a.sqrt() for a in (schedule.alpha_bar, 1 - schedule.alpha_bar))
    x = noise[1] / noise[5] * first.x - signal[1] * torch.expm1(torch.tensor(-h)) * ahead
    torch.testing.assert_close(second.x, x, rtol=1e-5, atol=1e-6)
