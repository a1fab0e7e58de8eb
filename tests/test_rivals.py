"""The rivals of diffusion: equal sizes, losses against closed forms, two players that take turns, and their files."""

import dataclasses
import json
import math

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from ddpm_lessons import __main__ as command
from ddpm_lessons import data, systems
from ddpm_lessons.data import sets
from ddpm_lessons.data.drawn import drawn
from ddpm_lessons.evaluation import Features
from ddpm_lessons.networks.gan import GAN
from ddpm_lessons.networks.unet import parameters
from ddpm_lessons.networks.vae import VAE
from ddpm_lessons.predict import EPS
from ddpm_lessons.schedules import linear
from ddpm_lessons.systems import registry, sampling
from ddpm_lessons.systems.rivals import (
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    latent_kl,
    optimal_discriminator,
    shaken,
    vae_loss,
)
from ddpm_lessons.training import load_run, save_run, train

RIVALS = ("vae", "gan", "faces_small")


def flowers(size=70, folder=None, n=12):
    return drawn(n, size, torch.Generator().manual_seed(0))


def rival(name: str, **choices):
    """A rival on few pictures."""
    return dataclasses.replace(registry.system(name), batch=4, **choices)


# networks


def test_all_that_is_trained_is_equal_within_ten_per_cent():
    rivals = [registry.system(name) for name in RIVALS]
    with torch.device("meta"):  # shapes without numbers
        sizes = [parameters(system.build()) for system in rivals]
    assert max(sizes) < 1.1 * min(sizes) and max(sizes) < 0.8e6


def test_the_pictures_come_from_the_same_network_in_both():
    vae, gan = VAE(), GAN()
    shapes = lambda net: {k: v.shape for k, v in net.state_dict().items()}  # noqa: E731
    assert shapes(vae.decoder) == shapes(gan.generator)
    first = lambda net: {k: s for k, s in shapes(net).items() if not k.startswith("last")}  # noqa: E731
    assert first(vae.encoder) == first(gan.discriminator)


def test_shapes_there_and_back():
    vae, gan, x = VAE(8), GAN(8), torch.randn(2, 3, 64, 64)
    x_hat, mean, log_var = vae(x, torch.randn(2, 8))
    assert x_hat.shape == x.shape and mean.shape == log_var.shape == (2, 8)
    painted = gan(torch.randn(2, 8))
    assert painted.shape == x.shape and painted.abs().max() <= 1 and gan.discriminator(painted).shape == (2,)


def test_latents_are_drawn_from_what_the_encoder_answers():
    """Without noise the latent is the mean; with it, one standard deviation away."""
    vae, x = VAE(4), torch.randn(1, 3, 64, 64)
    mean, log_var = vae.encode(x)
    torch.testing.assert_close(vae(x, torch.zeros(1, 4))[0], vae.decoder(mean))
    eps = torch.tensor([[1.0, -1.0, 2.0, 0.0]])
    torch.testing.assert_close(vae(x, eps)[0], vae.decoder(mean + (log_var / 2).exp() * eps))


# losses


def test_the_kl_is_that_of_torchs_normal_densities(rng):
    mean, log_var = torch.randn(2, 5, 3, generator=rng).unbind()
    wanted = kl_divergence(Normal(mean, (log_var / 2).exp()), Normal(torch.zeros(3), torch.ones(3)))
    torch.testing.assert_close(latent_kl(mean, log_var), wanted)


def test_the_vaes_loss_is_the_negative_bound_a_number(rng):
    x, x_hat = torch.randn(2, 5, 3, 4, 4, generator=rng).unbind()
    mean, log_var = torch.randn(2, 5, 3, generator=rng).unbind()
    log_p = Independent(Normal(x_hat, torch.ones(())), 3).log_prob(x) + 24 * math.log(2 * math.pi)  # 48 / 2 numbers
    for beta in (0.0, 1.0, 4.0):
        wanted = (-log_p + beta * latent_kl(mean, log_var).sum(1)).mean() / 48
        torch.testing.assert_close(vae_loss(x, x_hat, mean, log_var, beta), wanted)


def test_the_players_losses_are_cross_entropies(rng):
    real, fake = torch.randn(2, 7, generator=rng).unbind()
    value = torch.sigmoid(real).log().mean() + (1 - torch.sigmoid(fake)).log().mean()
    torch.testing.assert_close(discriminator_loss(real, fake), -value)
    torch.testing.assert_close(generator_loss(fake), -torch.sigmoid(fake).log().mean())
    sure = torch.tensor([-30.0], requires_grad=True)  # a discriminator that is sure still teaches
    generator_loss(sure).backward()
    assert sure.grad.item() == pytest.approx(-1, abs=1e-6)


def test_the_optimal_discriminator_has_the_smallest_loss():
    p_data, p_g = torch.tensor([0.1, 0.6, 0.3]), torch.tensor([0.5, 0.25, 0.25])
    logits = torch.zeros(3, requires_grad=True)
    optimiser = torch.optim.LBFGS([logits], max_iter=100, tolerance_grad=1e-9)

    def loss():
        optimiser.zero_grad()
        d = logits.sigmoid()
        value = -(p_data * d.log() + p_g * (1 - d).log()).sum()
        value.backward()
        return value

    optimiser.step(loss)
    torch.testing.assert_close(logits.sigmoid().detach(), optimal_discriminator(p_data, p_g), rtol=1e-4, atol=1e-5)


def test_the_gradient_penalty_of_a_known_function():
    x = torch.randn(3, 1, 2, 2).requires_grad_()
    logits = 3 * x[:, 0, 0, 0] - 4 * x[:, 0, 1, 1]
    assert gradient_penalty(logits, x).item() == pytest.approx(25)


def test_shaking_moves_and_lightens_each_picture_by_itself(rng):
    x = torch.linspace(-1, 1, 16 * 16).view(1, 1, 16, 16).repeat(50, 3, 1, 1).requires_grad_()
    y = shaken(x, rng, 3)
    assert y.shape == x.shape and len(set(y[:, 0, 8, 8].tolist())) > 40
    same = y[:, :, 1:] - y[:, :, :-1]  # light has no part in differences; a step down is 32 / 255 but at the border
    assert torch.isclose(same[:, :, 4:-4], torch.tensor(32 / 255), atol=1e-5).all()
    y.sum().backward()
    assert x.grad.abs().sum() > 0


# training


@pytest.mark.parametrize("name", ["vae", "gan"])
def test_a_run_learns_and_goes_on_bit_equal(name, tmp_path):
    system, p = rival(name), flowers()
    batch, run, rest = system.batches(p), system.run(), system.run(1)
    before = {k: v.clone() for k, v in run.net.state_dict().items()}
    for log in train(run, batch, system.losses, 6):
        assert math.isfinite(log.loss)
        if log.step == 3:
            save_run(tmp_path / "x", run, {})
    assert all(not torch.equal(v, run.net.state_dict()[k]) for k, v in before.items() if "weight" in k)
    load_run(tmp_path / "x", rest)
    list(train(rest, batch, system.losses, 3))
    assert rest.losses == run.losses
    for a, b in ((rest.net, run.net), (rest.ema, run.ema)):
        assert all(torch.equal(v, b.state_dict()[k]) for k, v in a.state_dict().items())


def test_the_players_take_turns_and_each_moves_itself_alone():
    system, p = rival("gan"), flowers()
    run, (x0, cond) = system.run(), system.batches(p)(torch.Generator().manual_seed(0))
    assert len(run.optimisers) == len(system.losses) == 2
    judge, fool = run.optimisers
    owned = lambda optimiser: {id(q) for group in optimiser.param_groups for q in group["params"]}  # noqa: E731
    assert owned(judge) == {id(q) for q in run.net.discriminator.parameters()}
    assert owned(fool) == {id(q) for q in run.net.generator.parameters()}
    assert judge.param_groups[0]["betas"] == system.betas
    run.net.zero_grad()
    system.judge(run.net, x0, cond, torch.Generator().manual_seed(1)).backward()
    assert all(q.grad is None for q in run.net.generator.parameters())  # the discriminator's loss cannot move it


def test_a_vae_that_is_trained_brings_pictures_back():
    system, p = rival("vae", lr=2e-3), flowers(64, n=8)
    system = dataclasses.replace(system, batch=8, flip=False)
    run, z = system.run(), torch.zeros(8, 64)
    error = lambda: (run.net(p.x, z)[0] - p.x).square().mean().item()  # noqa: E731
    before = error()
    list(train(run, lambda rng: (p.x, None), system.losses, 60))
    assert error() < 0.5 * before


# samples and files


@pytest.mark.parametrize("name", ["vae", "gan"])
def test_samples_are_pictures_whatever_the_label_and_files_open_again(name, tmp_path):
    system = rival(name)
    net = system.build()
    x = sampling.samples(system, net, torch.zeros(3, dtype=torch.long), seed=1)
    assert x.shape == (3, 3, 64, 64) and x.abs().max() <= 1
    assert torch.equal(x, sampling.samples(system, net, torch.arange(3), seed=1))
    z = torch.randn(2, 64)
    (step,) = system.sample(net, torch.zeros(2), x_T=z)
    torch.testing.assert_close(step.x, system.paint(net, z).detach().clamp(-1, 1))
    registry.save_weights(tmp_path / "w", system, net, 7)
    again, other = systems.open_weights(tmp_path / "w")
    assert registry.card(again) == registry.card(system)
    assert (sampling.samples(again, other, torch.zeros(3), seed=1) - x).abs().max() < 0.05  # half precision


@pytest.mark.parametrize("name", ["vae", "gan"])
def test_what_a_rival_cannot_do_is_said(name):
    system, label = rival(name), torch.zeros(1, dtype=torch.long)
    net = system.build()
    with pytest.raises(ValueError, match=f"{name} knows no prompts: it paints what it likes"):
        system.sample(net, ["a rose"])
    with pytest.raises(ValueError, match=f"{name} knows no prompts"):
        system.notes("a rose")
    for how in ({"steps": 20}, {"scale": 3.0}):
        with pytest.raises(ValueError, match="paints in one step, without guidance: leave --steps and --scale out"):
            system.sample(net, label, **how)
    with pytest.raises(ValueError, match=r"x_T should be latents, \(1, 64\), got \(1, 3, 64, 64\)"):
        system.sample(net, label, x_T=torch.zeros(1, 3, 64, 64))


def test_a_plain_autoencoder_is_a_vae_whose_kl_counts_nothing():
    system = rival("vae", beta=0.0)
    net, x0 = system.build(), flowers(64, n=4).x
    rng = lambda: torch.Generator().manual_seed(0)  # noqa: E731
    error = 0.5 * (net(x0, torch.randn(4, 64, generator=rng()))[0] - x0).square().mean()
    torch.testing.assert_close(system.loss(net, x0, None, rng()), error)


def test_trained_by_the_command_line_on_a_folder_of_any_pictures(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "anything" / "deeper"
    folder.mkdir(parents=True)
    from torchvision.utils import save_image

    for i, x in enumerate(flowers(64).x):
        save_image(x, folder / f"IMG {i}.png", normalize=True, value_range=(-1, 1))
    for name in RIVALS:
        monkeypatch.setitem(registry.SYSTEMS, name, lambda s=rival(name): s)
        argv = ["train", name, "--steps", "2", "--data", str(tmp_path / "anything"), "--out", str(tmp_path / "runs")]
        assert command.main(argv) == 0
        assert f"{name}: 12 photographs, 0.7 M parameters" in capsys.readouterr().out
        file = tmp_path / "runs" / f"{name}.safetensors"
        more = ["--steps", "2"] if name == "faces_small" else []
        assert command.main(["sample", str(file), "-n", "4", "--out", str(tmp_path / "g.png"), *more]) == 0
        assert (tmp_path / "runs" / f"{name}.png").exists() and (tmp_path / "g.png").exists()


def test_evaluate_measures_a_system_of_one_class_without_agreement(tmp_path, monkeypatch, capsys):
    tiny = Features("means", lambda x: x.mean((2, 3)).double())
    monkeypatch.setattr("ddpm_lessons.cli.evaluate.efficientnet", lambda device: tiny)
    monkeypatch.setattr(sets, "flowers", flowers)
    system = registry.system("vae")
    registry.save_weights(tmp_path / "w", system, system.build(), 1)
    assert command.main(["evaluate", str(tmp_path / "w"), "-n", "5"]) == 0
    said = capsys.readouterr().out
    assert "Fréchet" in said and "agreement" not in said


# faces


def test_faces_has_the_choices_that_were_published():
    """Linear from 1e-4 to 0.02, T = 1000, eps, L1 (or L2), 64 px, each block told the time, no condition."""
    for name, loader in (("faces", sets.celeba), ("faces_small", sets.photographs)):
        system = registry.system(name)
        assert torch.allclose(system.schedule.alpha_bar, linear(1000, 1e-4, 0.02).alpha_bar)
        assert system.predict is EPS and system.distance is torch.nn.functional.l1_loss and system.weight is None
        assert system.size == 64 and system.load is loader and system.classes == ("picture",) and system.scale == 1
        with torch.device("meta"):
            net = system.build()
        assert net.cond_dim == net.token_dim == 0 and (parameters(net) > 20e6) == (name == "faces")
        card = registry.card(system)
        assert registry.card(registry.from_card(card, "x")) == card and '"own"' not in json.dumps(card)


def test_the_distance_is_a_choice():
    """L1 of an answer of zeros is the mean of |eps|, L2 that of its square."""
    x0, cond = torch.zeros(64, 3, 8, 8), None
    for distance, wanted in ((torch.nn.functional.l1_loss, (2 / math.pi) ** 0.5), (torch.nn.functional.mse_loss, 1.0)):
        system = dataclasses.replace(registry.system("faces_small"), distance=distance)
        cond = system.condition(torch.zeros(64, dtype=torch.long))
        loss = system.loss(lambda x, t, c: torch.zeros_like(x), x0, cond, torch.Generator().manual_seed(0))
        assert loss.item() == pytest.approx(wanted, rel=0.02)


def faces_in(folder, names=("000001.jpg", "000002.jpg", "000003.jpg")):
    """Files of CelebA's layout: 178 x 218, aligned."""
    from PIL import Image

    folder.mkdir(parents=True)
    for i, name in enumerate(names):
        Image.new("RGB", (178, 218), (80 * i, 0, 0)).save(folder / name)
    return folder


def test_celeba_is_read_from_its_folder_or_its_zip_file(tmp_path, monkeypatch):
    import shutil

    faces = faces_in(tmp_path / "a" / "celeba" / "img_align_celeba")
    p = data.celeba(16, tmp_path / "a")
    assert p.x.shape == (3, 3, 16, 16) and p.classes == ("picture",) and p.source == "3 faces of CelebA"
    torch.testing.assert_close(p.x[:, 0, 8, 8], torch.tensor([0.0, 80, 160]) / 127.5 - 1, atol=0.05, rtol=0)
    (tmp_path / "b").mkdir()
    shutil.make_archive(tmp_path / "b" / "img_align_celeba", "zip", faces.parent)
    packed = data.celeba(16, tmp_path / "b", n=2)
    assert torch.equal(packed.x, p.x[:2]) and packed.y.tolist() == [0, 0]
    monkeypatch.setenv("DDPM_LESSONS_DATA", str(tmp_path / "a"))
    assert len(data.celeba(16).x) == 3
    others = faces_in(tmp_path / "c", ("me.png", "you.png"))  # any other folder will do
    assert data.celeba(16, others).source == "2 photographs"


@pytest.mark.parametrize("why", ["gdown' is required", "Too many users have viewed or downloaded this file recently"])
def test_a_host_that_refuses_celeba_is_answered_by_what_to_do_by_hand(why, tmp_path, monkeypatch, capsys):
    class Quota(Exception):
        """gdown's kinds of errors are its own."""

    def refuse(root, download):
        raise Quota(f"{why}.\nTry again later")

    refuse.__name__ = "CelebA"
    monkeypatch.setattr("torchvision.datasets.CelebA", refuse)
    monkeypatch.setenv("DDPM_LESSONS_DATA", str(tmp_path))
    assert command.main(["train", "faces", "--steps", "1", "--out", str(tmp_path / "runs")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert why in line and "img_align_celeba.zip" in line and str(tmp_path / "celeba") in line


def test_celeba_is_there_once_its_zip_file_is_whatever_else_torchvision_wants(tmp_path, monkeypatch):
    import shutil

    def refuse(root, download):
        faces_in(tmp_path / "x" / "img_align_celeba")
        (root / "celeba").mkdir()
        shutil.make_archive(root / "celeba" / "img_align_celeba", "zip", tmp_path / "x")
        raise RuntimeError("no list_attr_celeba.txt today")

    refuse.__name__ = "CelebA"
    monkeypatch.setattr("torchvision.datasets.CelebA", refuse)
    (tmp_path / "root").mkdir()
    monkeypatch.setenv("DDPM_LESSONS_DATA", str(tmp_path / "root"))
    assert len(data.celeba(16).x) == 3


def test_photographs_lose_their_kinds(monkeypatch):
    monkeypatch.setattr(sets, "flowers", flowers)
    p = sets.photographs(16)
    assert p.classes == ("picture",) and (p.y == 0).all() and len(p.x) == 12


def test_an_empty_folder_has_no_pictures(tmp_path):
    with pytest.raises(FileNotFoundError, match="no pictures in .*; wanted are .bmp, .jpeg, .jpg"):
        sets.photographs(16, tmp_path)
