"""Conformance: diffusers' numbers, for every schedule, sampler and parameterisation, to 1e-6 in float64."""

import numpy as np
import pytest
import torch

from ddpm_lessons import schedules
from ddpm_lessons.forward import noisy
from ddpm_lessons.guidance import clipped
from ddpm_lessons.predict import EPS, X0, V, denoiser
from ddpm_lessons.samplers import beta, beta_tilde, ddim, ddpm, dpmpp_2m, times

pytest.importorskip("diffusers", reason="the reference is diffusers: pip install diffusers")
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler  # noqa: E402
from diffusers.schedulers import scheduling_ddim, scheduling_ddpm, scheduling_dpmsolver_multistep  # noqa: E402

F64 = torch.float64
THEIR_NAMES = {
    "linear": "linear",
    "quadratic": "scaled_linear",
    "cosine": "squaredcos_cap_v2",
    "sigmoid": "sigmoid",
    "constant": None,  # they have none, but take betas
}
THEIR_TARGETS = {"eps": "epsilon", "x0": "sample", "v": "v_prediction"}

every_schedule = pytest.mark.parametrize("name", schedules.ALL)
every_target = pytest.mark.parametrize("predict", [EPS, X0, V], ids=lambda p: p.name)
clip_or_not = pytest.mark.parametrize("clip", [False, True], ids=["raw", "clipped"])


class Double:
    """torch or numpy, but where its float32 is float64: their code asks for float32 by name."""

    def __init__(self, module):
        self.module, self.float32 = module, module.float64

    def __getattr__(self, name):
        return getattr(self.module, name)


@pytest.fixture(autouse=True)
def in_float64(monkeypatch):
    """Let their schedulers compute their own formulas in float64."""
    for module in (scheduling_ddpm, scheduling_ddim, scheduling_dpmsolver_multistep):
        monkeypatch.setattr(module, "torch", Double(torch))
    monkeypatch.setattr(scheduling_dpmsolver_multistep, "np", Double(np))
    before = torch.get_default_dtype()
    torch.set_default_dtype(F64)
    yield
    torch.set_default_dtype(before)


def scheduler(kind, name, T=100, **kw):
    """Their scheduler of our schedule's name."""
    betas = dict(beta_schedule=THEIR_NAMES[name])
    if name == "constant" or (kind is not DDPMScheduler and name == "sigmoid"):  # only DDPMScheduler knows sigmoid
        betas = dict(trained_betas=schedules.ALL[name](T).betas.tolist())
    return kind(T, **betas, **kw)


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


def net(x_t, t, cond=None):
    """Any smooth function of x_t and t; its values leave [-1, 1], so that clipping is felt."""
    return 1.5 * torch.sin(2 * x_t + t.view(-1, 1, 1, 1) / 30)


def start():
    return torch.randn(2, 3, 4, 4, dtype=F64, generator=torch.Generator().manual_seed(0))


def our_steps(sampler, name, T, ts, predict, clip, **kw):
    schedule = schedules.ALL[name](T)
    d = denoiser(net, schedule, predict)
    rng = torch.Generator().manual_seed(1)
    return list(sampler(clipped(d) if clip else d, schedule, start(), ts, rng=rng, **kw))


def their_steps(scheduler, ts, **kw):
    """Their (x, x0_hat) after each step. Their t = 0 is our t = 1."""
    x, rng = start(), torch.Generator().manual_seed(1)
    for t in ts[:-1]:
        out = scheduler.step(net(x, torch.full((2,), t)), t - 1, x, generator=rng, **kw)
        x = out.prev_sample
        yield x, out.pred_original_sample


@every_schedule
@pytest.mark.parametrize("T", [10, 1000])
def test_alpha_bar(name, T):
    theirs = scheduler(DDPMScheduler, name, T)
    assert theirs.alphas_cumprod.dtype == F64
    ours = schedules.ALL[name](T)
    # relative, as alpha_bar_T is small; where they store cosine's beta = 0.999, 1 - beta keeps 13 digits
    torch.testing.assert_close(ours.alpha_bar[1:], theirs.alphas_cumprod, rtol=1e-9, atol=0)
    torch.testing.assert_close(ours.betas, theirs.betas, rtol=1e-9, atol=1e-12)


@every_schedule
def test_noisy_and_the_velocity(name):
    theirs, ours = scheduler(DDPMScheduler, name), schedules.ALL[name](100)
    x0, eps = torch.randn(2, 100, 1, 2, 2, dtype=F64)
    t = torch.arange(1, 101)
    close(noisy(ours, x0, t, eps), theirs.add_noise(x0, eps, t - 1))
    close(V.target(x0, eps, *ours.scales(t, x0)), theirs.get_velocity(x0, eps, t - 1))


@every_schedule
@every_target
@clip_or_not
@pytest.mark.parametrize("variance", [beta_tilde, beta], ids=["fixed_small", "fixed_large"])
@pytest.mark.parametrize("n", [100, 20, 7])
def test_ddpm_at_every_step(name, predict, clip, variance, n):
    """On fewer than T steps their fixed_large leaves noise in the last x; ours ends on x0_hat."""
    kind = {beta_tilde: "fixed_small", beta: "fixed_large"}[variance]
    theirs = scheduler(
        DDPMScheduler, name, variance_type=kind, clip_sample=clip, prediction_type=THEIR_TARGETS[predict.name]
    )
    ts = times(100, n)
    theirs.set_timesteps(timesteps=[t - 1 for t in ts[:-1]])
    ours = our_steps(ddpm, name, 100, ts, predict, clip, variance=variance)
    for step, (x, x0) in zip(ours, their_steps(theirs, ts), strict=True):
        close(step.x0, x0)
        close(step.x, x0 if step.t == 0 and n < 100 and variance is beta else x)


@every_schedule
@every_target
@clip_or_not
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("n", [100, 20, 5])
def test_ddim_at_every_step(name, predict, clip, eta, n):
    """Theirs derives eps from the clipped x0 only when asked; it wants n to divide T."""
    theirs = scheduler(
        DDIMScheduler,
        name,
        clip_sample=clip,
        prediction_type=THEIR_TARGETS[predict.name],
        timestep_spacing="trailing",
    )
    theirs.set_timesteps(n)
    ts = times(100, n)
    assert theirs.timesteps.tolist() == [t - 1 for t in ts[:-1]]
    ours = our_steps(ddim, name, 100, ts, predict, clip, eta=eta)
    for step, (x, x0) in zip(ours, their_steps(theirs, ts, eta=eta, use_clipped_model_output=True), strict=True):
        close(step.x0, x0)
        close(step.x, x)


@every_schedule
@every_target
@clip_or_not
@pytest.mark.filterwarnings("ignore:__array__ implementation")  # theirs
@pytest.mark.parametrize("ts", [times(100, 100), times(100, 20), times(100, 7), [100, 93, 40, 38, 5, 1, 0]], ids=len)
def test_dpmpp_2m_at_every_step(name, predict, clip, ts):
    """Theirs clips only as a special case of its dynamic threshold; it takes any list of times."""
    theirs = scheduler(
        DPMSolverMultistepScheduler,
        name,
        thresholding=clip,
        sample_max_value=1.0,  # a threshold of at least 1 and at most 1
        prediction_type=THEIR_TARGETS[predict.name],
        final_sigmas_type="zero",  # to the clean picture, as ours
    )
    theirs.set_timesteps(timesteps=[t - 1 for t in ts[:-1]])
    assert theirs.sigmas.dtype == F64 and theirs.config.solver_order == 2
    ours = our_steps(dpmpp_2m, name, 100, ts, predict, clip)
    x = start()
    for step, t in zip(ours, ts[:-1], strict=True):
        x = theirs.step(net(x, torch.full((2,), t)), t - 1, x).prev_sample
        close(step.x, x)
    close(ours[-1].x, ours[-1].x0)


@every_schedule
def test_a_thousand_steps_of_each(name):
    ts = times(1000, 1000)
    for sampler, kind, kw in (
        (ddpm, DDPMScheduler, {}),
        (ddim, DDIMScheduler, dict(use_clipped_model_output=True)),
    ):
        theirs = scheduler(kind, name, 1000, clip_sample=True, prediction_type="v_prediction")
        theirs.set_timesteps(1000)
        ours = our_steps(sampler, name, 1000, ts, V, True)
        for step, (x, _) in zip(ours, their_steps(theirs, ts, **kw), strict=True):
            close(step.x, x)
