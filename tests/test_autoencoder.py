"""The autoencoder: shapes, a round trip that training improves, and diffusion on its latents."""

import dataclasses

import pytest
import torch

from ddpm_lessons import data, systems
from ddpm_lessons.data import held_out
from ddpm_lessons.data.drawn import drawn
from ddpm_lessons.networks.autoencoder import STD, Autoencoder, StableDiffusions
from ddpm_lessons.systems import registry, sampling
from ddpm_lessons.systems.autoencoder import AutoencoderTraining, bundled_autoencoder, middle, psnr, round_trip
from ddpm_lessons.systems.cascade import flowers_cascade
from ddpm_lessons.systems.latent import LatentNet, flowers_latent, latents
from ddpm_lessons.text import cache
from ddpm_lessons.training import load_run, save_run, train

SMALL = dict(widths=(8, 16), encoder=(1, 1), decoder=(1, 1))


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """No test reads or writes the cache in the home folder."""
    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path / "cache")


def pictures(n=20, size=40):
    return drawn(n, size, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kw, side", [(SMALL, 4), (SMALL | {"patch": 1}, 2), (SMALL | {"latent": 8, "patch": 4}, 8)])
def test_latents_are_smaller_and_pictures_come_back_in_size(kw, side):
    net, x = Autoencoder(**kw), pictures(2, 32).x
    mean, log_var = net.encode(x)
    assert mean.shape == log_var.shape == (2, kw.get("latent", 4), 32 // side, 32 // side)
    assert net(x).shape == x.shape == net.decode(mean).shape


def test_a_picture_of_another_multiple_is_refused():
    with pytest.raises(ValueError, match=r"multiples of 4, got \(1, 3, 30, 32\)"):
        Autoencoder(**SMALL).encode(torch.zeros(1, 3, 30, 32))


def test_scaled_latents_have_the_wanted_spread_and_lead_back():
    net, x = Autoencoder(**SMALL).eval(), pictures(40, 32).x
    z = net.encode(x)[0]
    for _ in range(2000):
        net.watch(z)
    scaled = net.latents(x)
    torch.testing.assert_close(scaled.mean((0, 2, 3)), torch.zeros(4), rtol=0, atol=1e-3)
    torch.testing.assert_close(scaled.std((0, 2, 3)), torch.full((4,), STD), rtol=1e-2, atol=0)
    torch.testing.assert_close(net.pictures(scaled), net(x).clamp(-1, 1), rtol=1e-3, atol=1e-4)


def test_training_brings_pictures_back_and_goes_on_bit_equal(tmp_path):
    system = AutoencoderTraining(net=SMALL, crop=16, batch=4, lr=1e-2, decay=0.9)
    p = pictures()
    batch, run, rest = system.batches(p), system.run(), system.run(1)
    before = psnr(p.x, round_trip(run.net.eval(), p.x))
    for log in train(run, batch, system.losses, 60):
        if log.step == 30:
            save_run(tmp_path / "x", run, {})
    assert psnr(p.x, round_trip(run.ema.module.eval(), p.x)) > before + 3
    assert not torch.equal(run.ema.module.mean, torch.zeros(4))  # the average has the running mean as well
    load_run(tmp_path / "x", rest)
    list(train(rest, batch, system.losses, 30))
    assert all(torch.equal(v, rest.net.state_dict()[k]) for k, v in run.net.state_dict().items())


def test_what_is_held_out_is_not_trained_on():
    p = pictures(60, 16)
    p.x[held_out(p)] = 1.0
    batch = AutoencoderTraining(crop=16).batches(p)
    seen = torch.cat([batch(torch.Generator().manual_seed(k))[0] for k in range(20)])
    assert held_out(p).any() and (seen.amin((1, 2, 3)) < 1).all()


def test_psnr_is_that_of_a_known_error():
    x = torch.zeros(2, 3, 4, 4)
    assert psnr(x, x + 0.2) == pytest.approx(20.0)  # 10 log10(4 / 0.04)
    assert middle(torch.arange(36.0).view(1, 1, 6, 6), 2).flatten().tolist() == [14, 15, 20, 21]


def test_the_bundled_one_brings_drawn_flowers_back():
    x = pictures(5, 128).x
    assert psnr(x, round_trip(bundled_autoencoder(), x)) > 20


# diffusion on latents


def tiny_latent():
    net = dict(channels=4, widths=(8,), attend=1, patch=2, cond_dim=128, token_dim=64)
    load = lambda size, folder: pictures(12, size)  # noqa: E731
    return dataclasses.replace(flowers_latent(), load=load, size=32, margin=8, net=net, batch=4, lr=1e-2)


def test_latents_are_computed_once_with_their_mirror_images(monkeypatch):
    net, p = bundled_autoencoder(), pictures(3, 32)
    z = latents(net, p.x)
    assert z.shape == (3, 2, 4, 8, 8) and z.dtype == torch.float16
    with torch.no_grad():
        torch.testing.assert_close(z[:, 1].float(), net.latents(p.x.flip(-1)), rtol=0, atol=2e-3)
    monkeypatch.setattr(Autoencoder, "latents", None)  # would fail if it were asked again
    assert torch.equal(latents(net, p.x), z)


def test_the_unet_trains_on_latents_and_the_autoencoder_stays_as_it_was():
    system = tiny_latent()
    p = system.pictures()
    run, batch = system.run(), system.fitting(p).batches(p)
    x0, cond = batch(torch.Generator().manual_seed(0))
    assert x0.shape == (4, 4, 8, 8) and cond.vec.shape == (4, 128)
    list(train(run, batch, system.losses, 3))
    for net in (run.net, run.ema.module):
        state = net.autoencoder.state_dict()
        assert all(torch.equal(v, state[k]) for k, v in bundled_autoencoder().state_dict().items())
    assert run.net.unet.last[2].weight.abs().max() > 0


def test_samples_are_pictures_and_the_file_is_the_whole_system(tmp_path):
    system = tiny_latent()
    torch.manual_seed(0)
    net = system.build()
    torch.nn.init.normal_(net.unet.last[2].weight, generator=torch.Generator().manual_seed(0))
    x = sampling.samples(system, net, ["a pink rose", "a daisy"], 2)
    assert x.shape == (2, 3, 32, 32) and x.abs().max() <= 1
    registry.save_weights(tmp_path / "w", dataclasses.replace(system, load=data.flowers), net, 1)
    again, other = systems.open_weights(tmp_path / "w")
    assert isinstance(other, LatentNet) and again.shape == (4, 8, 8)
    off = (sampling.samples(again, other, ["a pink rose", "a daisy"], 2) - x).abs()
    assert off.mean() < 0.01 and off.max() < 0.2  # half precision


def test_stable_diffusions_autoencoder_by_the_same_two_functions(tmp_path):
    diffusers = pytest.importorskip("diffusers")
    kinds = dict(down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2)
    published = diffusers.AutoencoderKL(**kinds, block_out_channels=(4, 8), norm_num_groups=2, sample_size=16)
    published.save_pretrained(tmp_path / "kl")
    net, x = StableDiffusions(str(tmp_path / "kl")), pictures(2, 16).x
    z = net.latents(x)
    assert z.shape == (2, 4, 8, 8)
    torch.testing.assert_close(z, published.eval().encode(x).latent_dist.mode() * 0.18215)
    torch.testing.assert_close(net.pictures(z), published.decode(z / 0.18215).sample.clamp(-1, 1))
    with pytest.raises(ConnectionError, match="cannot be had .*; the bundled one is here"):
        StableDiffusions(str(tmp_path / "nothing"))


# a cascade


def tiny_cascade():
    load = lambda size, folder=None: pictures(20, size)  # noqa: E731
    net = dict(channels=8, out=4, widths=(8, 16), blocks=1, attend=1, patch=1, cond_dim=128, token_dim=64)
    return dataclasses.replace(flowers_cascade(), load=load, size=32, margin=8, net=net, batch=4, lr=1e-2)


def test_a_cascade_is_told_the_small_picture_of_the_same_place():
    system, p = tiny_cascade(), pictures(20, 40)
    x0, cond = system.batches(p)(torch.Generator().manual_seed(0))
    assert x0.shape == (4, 7, 8, 8) and len(cond.vec) == 4
    back = bundled_autoencoder().pictures(x0[:, :4])  # what the latents stand for, shrunk, is the small picture
    shrunk = torch.nn.functional.interpolate(back, scale_factor=0.25, mode="area")
    near, other = (shrunk - x0[:, 4:]).square().mean(), (shrunk - x0[:, 4:].roll(1, 0)).square().mean()
    assert near < 0.2 * other


def test_a_cascade_is_told_how_much_noise_the_small_picture_has():
    system, small = tiny_cascade(), torch.rand(2, 3, 8, 8)
    eps, s = torch.randn_like(small), torch.tensor([0, 300])
    seen = system.seen(small, s, eps)
    assert seen.shape == (2, 4, 8, 8) and torch.equal(seen[0, :3], small[0]) and (seen[0, 3] == 0).all()
    signal, noise = system.schedule.scales(s, like=small)
    torch.testing.assert_close(seen[1, :3], (signal * small + noise * eps)[1])
    torch.testing.assert_close(seen[1, 3], torch.full((8, 8), noise[1].item()))


def test_a_cascade_trains_and_samples_from_a_prompt_in_two_stages(monkeypatch):
    system, asked = tiny_cascade(), []
    run, batch = system.run(), system.batches(system.pictures())
    first = batch(torch.Generator().manual_seed(5))
    losses = [system.loss(run.net, *first, torch.Generator().manual_seed(6)).item()]
    for _ in train(run, batch, system.losses, 60):
        pass
    losses.append(system.loss(run.net, *first, torch.Generator().manual_seed(6)).item())
    assert losses[1] < 0.8 * losses[0]

    def small(self, what, rng, device):
        asked.append(what)
        return pictures(len(what), 8).x

    monkeypatch.setattr(type(system), "small", small)
    x = sampling.samples(system, run.ema.module, ["a rose", "a daisy"], 3)
    assert x.shape == (2, 3, 32, 32) and asked == [["a rose", "a daisy"]]
    assert torch.equal(x, sampling.samples(system, run.ema.module, ["a rose", "a daisy"], 3))


def test_the_first_stage_is_lesson_12s_network():
    x = flowers_cascade().small(["a white daisy"], torch.Generator().manual_seed(0), torch.device("cpu"))
    assert x.shape == (1, 3, 32, 32) and x.abs().max() <= 1
