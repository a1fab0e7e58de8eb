"""Schedules: alpha_bar starts at 1 and falls, and each formula is its paper's."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ddpm_lessons.schedules import ALL, Schedule, constant, cosine, linear, quadratic, sigmoid


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("T", [1, 2, 10, 1000])
def test_alpha_bar_starts_at_1_and_falls(name, T):
    a = ALL[name](T).alpha_bar
    assert a.shape == (T + 1,) and a.dtype == torch.float64
    assert a[0] == 1 and (a.diff() < 0).all() and a[-1] > 0


@given(st.lists(st.floats(1e-5, 0.9), min_size=1, max_size=50))
def test_betas_come_back_from_alpha_bar(betas):
    schedule = Schedule.from_betas(torch.tensor(betas, dtype=torch.float64))
    assert schedule.T == len(betas)
    torch.testing.assert_close(schedule.betas.tolist(), betas, rtol=1e-8, atol=1e-12)


def test_linear_betas_rise_evenly_between_their_ends():
    torch.testing.assert_close(linear(5, 0.1, 0.5).betas.tolist(), [0.1, 0.2, 0.3, 0.4, 0.5])


def test_quadratic_has_the_square_root_rise_evenly():
    root = quadratic(50, 0.01, 0.36).betas.sqrt()
    torch.testing.assert_close(root.diff(), torch.full((49,), 0.5 / 49, dtype=torch.float64))
    torch.testing.assert_close(root[[0, -1]].tolist(), [0.1, 0.6])


def test_constant_is_a_power():
    t = torch.arange(21, dtype=torch.float64)
    torch.testing.assert_close(constant(20, 0.3).alpha_bar, 0.7**t)


def test_sigmoid_is_symmetric_about_its_middle():
    betas = sigmoid(101, 0.1, 0.5).betas
    torch.testing.assert_close(betas + betas.flip(0), torch.full((101,), 0.6, dtype=torch.float64))
    assert betas[50].item() == pytest.approx(0.3) and betas[0].item() == pytest.approx(0.1, abs=1e-2)


def test_cosine_is_a_squared_cosine_until_it_is_clipped():
    schedule = cosine(100)
    t = torch.arange(100, dtype=torch.float64)  # at t = T the clip holds
    f = torch.cos((t / 100 + 0.008) / 1.008 * math.pi / 2) ** 2
    torch.testing.assert_close(schedule.alpha_bar[:-1], f / f[0])
    assert schedule.betas.max().item() == pytest.approx(0.999)


def test_scales_are_the_two_sides_of_a_right_triangle(schedule):
    signal, noise = schedule.scales(torch.arange(101), like=torch.zeros(101, 1, dtype=torch.float64))
    torch.testing.assert_close(signal**2 + noise**2, torch.ones(101, 1, dtype=torch.float64))
    torch.testing.assert_close(signal[1:, 0] ** 2 / noise[1:, 0] ** 2, schedule.snr(torch.arange(1, 101)))


def test_scales_are_shaped_like_the_pictures(schedule):
    like = torch.zeros(3, 2, 4, 5)
    for t, first in ((7, 1), (torch.tensor(7), 1), (torch.tensor([1, 50, 100]), 3)):
        for scale in schedule.scales(t, like):
            assert scale.shape == (first, 1, 1, 1) and scale.dtype == torch.float32


def test_the_signal_to_noise_ratio_falls(schedule):
    snr = schedule.snr(torch.arange(101))
    assert snr[0] == math.inf and (snr[1:].diff() < 0).all()


def test_small_noise_keeps_its_digits_in_float32():
    _, noise = constant(10, 1e-9).scales(1, like=torch.zeros(1, dtype=torch.float32))
    assert noise.item() ** 2 == pytest.approx(1e-9, rel=1e-5)


@pytest.mark.parametrize(
    "t, message",
    [
        (-1, r"t should lie in 0\.\.100 \(0 is clean\), got -1"),
        (101, r"t should lie in 0\.\.100"),
        (torch.tensor([1, 200]), r"got 1\.\.200"),
        (0.5, "whole numbers, got torch.float32; t / T is not a step"),
        (torch.tensor([0.1, 0.2]), "whole numbers"),
        (torch.tensor([1, 2, 3]), r"t should be one int or \(2,\), one for each picture, got \(3,\)"),
        (torch.ones(2, 1, dtype=torch.long), r"got \(2, 1\)"),
    ],
)
def test_a_wrong_t_is_told_what_is_right(t, message):
    with pytest.raises(ValueError, match=message):
        linear(100).at(t, torch.zeros(2, 3))


@pytest.mark.parametrize("T", [0, -3, 2.5, "10"])
def test_T_counts_steps(T):
    for make in ALL.values():
        with pytest.raises(ValueError, match="T should be a whole number of steps, at least 1"):
            make(T)


@pytest.mark.parametrize("betas", [[], [0.0, 0.1], [0.1, 1.0], [-0.1], [[0.1, 0.2]], [float("nan")]])
def test_betas_are_variances(betas):
    with pytest.raises(ValueError, match="of variances strictly between 0 and 1"):
        Schedule.from_betas(betas)


@pytest.mark.parametrize("alpha_bar", [[0.9, 0.5], [1.0, 0.5, 0.5], [1.0, 0.5, 0.0], [1.0, float("nan")]])
def test_alpha_bar_must_fall_from_1(alpha_bar):
    with pytest.raises(ValueError, match="alpha_bar should start at 1"):
        Schedule(torch.tensor(alpha_bar))


@pytest.mark.parametrize("alpha_bar", [torch.tensor(1.0), torch.tensor([1.0]), torch.tensor([1, 0])])
def test_alpha_bar_is_a_float_vector(alpha_bar):
    with pytest.raises(ValueError, match=r"alpha_bar should be a float tensor \(T \+ 1,\)"):
        Schedule(alpha_bar)


def test_the_defaults_are_those_that_are_documented():
    assert torch.equal(sigmoid().alpha_bar, sigmoid(1000, 1e-4, 0.02).alpha_bar)
    assert constant().T == 1000 and float(constant().alpha_bar[1]) == pytest.approx(0.99)
