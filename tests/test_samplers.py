"""Samplers: they end on the guess, agree with each other, and give Gaussian data their own width."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddpm_lessons import schedules
from ddpm_lessons.forward import noisy, posterior
from ddpm_lessons.samplers import beta, beta_tilde, ddim, ddpm, times
from ddpm_lessons.toys import ideal_denoiser

F64 = torch.float64
SAMPLERS = {
    "ddpm": ddpm,
    "ddpm, beta": lambda *a, **k: ddpm(*a, **k, variance=beta),
    "ddim": ddim,
    "ddim, eta 0.5": lambda *a, **k: ddim(*a, **k, eta=0.5),
    "ddim, eta 1": lambda *a, **k: ddim(*a, **k, eta=1.0),
}
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
    for sampler in (ddpm, ddim):
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


def test_ddim_needs_no_chance(schedule):
    denoise = lambda x, t, cond: torch.tanh(x)  # noqa: E731
    x_T = torch.ones(2, 3)
    *_, a = ddim(denoise, schedule, x_T, times(100, 10), rng=torch.Generator().manual_seed(1))
    *_, b = ddim(denoise, schedule, x_T, times(100, 10), rng=torch.Generator().manual_seed(2))
    assert torch.equal(a.x, b.x)


def test_ddim_that_knows_the_picture_walks_along_one_noise(schedule, rng):
    """With the true x0, each x is the jump from x0 with the very eps of x_T."""
    x0, eps = torch.randn(2, 2, 3, dtype=F64, generator=rng)
    for s in ddim(lambda x, t, cond: x0, schedule, noisy(schedule, x0, 100, eps), times(100, 13)):
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


def test_no_gradients_are_kept(schedule):
    x_T = torch.ones(1, 1, requires_grad=True)
    for sampler in (ddpm, ddim):
        assert not next(sampler(lambda x, t, cond: 2 * x, schedule, x_T, [100, 0])).x.requires_grad
