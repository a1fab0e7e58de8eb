"""The equations of lesson 06: one step of training, the average of the weights, the one-step guess, the best loss."""

import pytest
import torch
from checking import F64, near, normal

from ddpm_lessons import schedules
from ddpm_lessons.course.diagrams.lesson_06 import best_v_loss
from ddpm_lessons.forward import noisy
from ddpm_lessons.predict import V, denoiser
from ddpm_lessons.training import Run, ema_of, train


def test_6_1_a_step_goes_down_the_gradient_by_adam():
    schedule, x0 = schedules.cosine(10), torch.randn(8, 2, generator=torch.Generator().manual_seed(0))
    t, eps = torch.arange(1, 9), torch.ones(8, 2)

    def loss(net, x0, cond, rng):  # the squared error of (6.1), with v as the target
        signal, noise = schedule.scales(t, like=x0)
        return ((signal * eps - noise * x0) - net(signal * x0 + noise * eps)).square().mean()

    net = torch.nn.Linear(2, 2)
    before = net.weight.detach().clone()
    (gradient,) = torch.autograd.grad(loss(net, x0, None, None), net.weight)
    run = Run(net, lr=0.1)
    list(train(run, lambda rng: (x0, None), loss, 1))
    # Adam's first step divides the gradient by its own size; the learning rate is at 1/200 of its warm-up
    assert torch.allclose(run.net.weight, before - 0.1 / 200 * gradient.sign(), atol=1e-6)


def test_6_2_the_average_is_a_copy_first_and_its_decay_warms_up():
    values = torch.randn(60, generator=torch.Generator().manual_seed(0))
    net = torch.nn.Linear(1, 1, bias=False)
    ema = ema_of(net, 0.8)
    average = values[0]
    for n, now in enumerate(values):
        net.weight.data.fill_(now)
        ema.update_parameters(net)
        d = min(0.8, (1 + n) / (10 + n))
        average = d * average + (1 - d) * now if n else now
        assert abs(ema.module.weight.item() - average) < 1e-5


def test_6_3_the_true_v_gives_the_picture_back_and_accuracy_1():
    schedule = schedules.cosine(100)
    x0, eps = torch.randn(2, 6, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    t = torch.tensor([1, 20, 40, 60, 80, 99])
    x_t = noisy(schedule, x0, t, eps)
    signal, noise = schedule.scales(t, like=x0)
    v = V.target(x0, eps, signal, noise)
    assert torch.allclose(signal * x_t - noise * v, x0, atol=1e-5)
    x0_hat = denoiser(lambda x, t, cond: v, schedule, V)(x_t, t)
    assert abs(1 - (x0_hat - x0).square().mean() - 1) < 1e-6
    worse = denoiser(lambda x, t, cond: v + 0.5, schedule, V)(x_t, t)  # an error in v counts by the noise squared
    assert torch.allclose((worse - x0).square().mean((1, 2, 3)), 0.25 * noise.flatten() ** 2, atol=1e-4)


@pytest.mark.parametrize("s", [0.25, 1.0, 3.0])
@pytest.mark.parametrize("alpha_bar", [0.98, 0.5, 0.03])
def test_6_5_the_best_v_loss_of_gaussian_data(alpha_bar, s):
    x0, eps = normal(2, 400_000)
    x0 = s * x0 + 0.7  # the mean does not matter: a guess may have a constant
    signal, noise = alpha_bar**0.5, (1 - alpha_bar) ** 0.5
    x_t, v = signal * x0 + noise * eps, signal * eps - noise * x0
    x_t, v = x_t - x_t.mean(), v - v.mean()
    line = (x_t * v).mean() / x_t.square().mean()  # for Gaussian data the best guess is a straight line
    left = (v - line * x_t).square().mean()
    near(best_v_loss(torch.tensor(alpha_bar), s), left, 0.01)


def test_6_5_its_two_ends():
    for s in (0.1, 1.0, 64.0):
        near(best_v_loss(torch.tensor(1.0, dtype=F64), s), 1.0)
        near(best_v_loss(torch.tensor(0.0, dtype=F64), s), s**2)
    assert best_v_loss(schedules.cosine(1000).alpha_bar[1], 64.0) < 1.01  # [0, 255] does not show at small t


def test_6_4_the_pseudo_accuracy_is_the_loss_in_other_units():
    schedule = schedules.cosine(100)
    x0, eps, error = normal(3, 6, 3, 4, 4)
    t = torch.tensor([1, 20, 40, 60, 80, 100])
    signal, noise = schedule.scales(t, like=x0)
    v = V.target(x0, eps, signal, noise)
    x0_hat = denoiser(lambda x, t, cond: v + error, schedule, V)(noisy(schedule, x0, t, eps), t)
    accuracy = 1 - (x0_hat - x0).square().mean((1, 2, 3))
    near(accuracy, 1 - (1 - schedule.alpha_bar[t]) * error.square().mean((1, 2, 3)))
