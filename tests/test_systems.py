"""Recipes and the command line: train, go on, sample; and one clear line for what went wrong."""

import dataclasses
import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from processes import TINY, squares
from safetensors.torch import load_file

from ddpm_lessons import __main__ as command
from ddpm_lessons import data, systems
from ddpm_lessons.cli import sample as command_sample
from ddpm_lessons.cli import train as command_train
from ddpm_lessons.conditions import classes
from ddpm_lessons.evaluation import Features
from ddpm_lessons.guidance import dynamic_threshold
from ddpm_lessons.networks.layers import (
    Attention,
    Block,
    CrossAttention,
    LearnedTime,
    MaxDown,
    Parts,
    RearrangeDown,
    StrideDown,
    TransposedUp,
    Up,
)
from ddpm_lessons.networks.unet import UNet, parameters
from ddpm_lessons.predict import EPS, V
from ddpm_lessons.samplers import beta, ddpm
from ddpm_lessons.schedules import cosine, linear
from ddpm_lessons.systems import Diffusion, diffusion, open_weights, registry, sampling, save_weights
from ddpm_lessons.systems.registry import SYSTEMS
from ddpm_lessons.text import Text, captioning, load_clip, tiny_clip
from ddpm_lessons.text.captioning import tell_names
from ddpm_lessons.training import train
from ddpm_lessons.training.files import load, save

SECOND = str(1 / 60)


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """One more system, whose network is tiny, and few sampling steps, so that a command takes a moment."""
    monkeypatch.setitem(SYSTEMS, "tiny", lambda: TINY)
    whole = sampling.grid
    monkeypatch.setattr(diffusion, "grid", lambda *a: whole(*a, steps=3))


def shaken():
    """The tiny net with random weights everywhere: a new one answers 0."""
    net = TINY.run().net
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for p in net.parameters():
            torch.nn.init.normal_(p, std=0.2)
    return net


@pytest.fixture
def weights(tmp_path):
    file = tmp_path / "w.safetensors"
    save_weights(file, TINY, TINY.run().net, 7)
    return file


def disk_full(*args, **kw):
    raise OSError(28, "No space left on device")


def fails(capsys, *argv):
    """The one line that a failing command says."""
    assert command.main([str(a) for a in argv]) == 1
    said = capsys.readouterr().err
    lines = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and said.endswith(lines[0] + "\n") and "Traceback" not in said
    return lines[0]


# systems


OTHERS = ("clip", "clip_words", "autoencoder", "vae", "gan", "prior")  # of other networks


@pytest.mark.parametrize("name", [n for n in SYSTEMS if n not in OTHERS])
def test_each_recipe_fits_together(name):
    recipe = systems.system(name)
    assert recipe.name == name and recipe.about and recipe.minutes > 0
    with torch.device("meta"):  # shapes without numbers
        net = recipe.build()
    net = getattr(net, "unet", net)
    assert recipe.shape[0] == net.last[2].out_channels // net.patch**2 and recipe.shape[1] % net.multiple == 0
    assert recipe.channels == net.channels
    if recipe.text is None:
        assert net.cond_dim == (len(recipe.classes) if len(recipe.classes) > 1 else 0)
    else:
        assert (
            net.cond_dim in (0, 128, 384, 512, 768)
            and net.token_dim in (0, 64, 384, 768)
            and net.cond_dim + net.token_dim > 0
        )


def test_systems_a_and_e_have_the_choices_that_were_published():
    a, simple, guided = (systems.system(n) for n in ("flowers_clip", "flowers_text_simple", "flowers_text_guided"))
    assert torch.allclose(a.schedule.alpha_bar, linear(400, 1e-4, 0.02).alpha_bar) and a.predict is EPS
    assert (a.net["widths"], a.net["cond_dim"], a.batch, a.lr, a.drop, a.size) == (
        (256, 256, 512),
        512,
        128,
        1e-4,
        0.1,
        32,
    )
    assert a.weight is None and a.sampler is ddpm and a.steps == 400 and a.margin and a.flip
    with torch.device("meta"):
        net = a.build()
    assert [m for m in net.modules() if isinstance(m, RearrangeDown)] and not found(net, Attention)
    assert found(net, torch.nn.GELU) and not found(net, torch.nn.SiLU) and 40e6 < parameters(net) < 60e6
    for e in (simple, guided):
        assert (e.size, e.schedule.T, e.batch, e.lr, e.drop) == (56, 1000, 128, 2e-4, 0.1)
    with torch.device("meta"):
        simple, guided = simple.build(), guided.build()
    assert found(simple, LearnedTime) and found(simple, MaxDown) and found(simple, Up) and simple.from_cond is not None
    assert not found(simple, Attention) and not found(simple, CrossAttention)
    assert found(guided, StrideDown) and found(guided, TransposedUp) and guided.from_cond is None
    assert len(found(guided, Attention)) == 1 and any(isinstance(m, Attention) for m in guided.middle)


def found(net, kind):
    return [m for m in net.modules() if isinstance(m, kind)]


def test_the_drawn_recipes_pictures_are_its_classes_and_can_be_cropped(monkeypatch):
    draw = data.drawn
    monkeypatch.setattr("ddpm_lessons.data.sets.drawn", lambda n, size, rng: draw(10, size, rng))
    recipe = systems.system("drawn")
    p = recipe.pictures(None)
    assert p.classes == recipe.classes and p.x.shape[1:] == (recipe.channels, recipe.size + 2, recipe.size + 2)
    assert recipe.pictures(None, 16).x.shape[-1] == 16


def test_system_b_has_the_choices_that_were_published():
    """Cosine, sigma_t^2 = beta_t, depth 3, dropout 0.1, EMA from 2000, CFG, thresholding, 3e-4."""
    b = systems.system("cifar10")
    assert torch.allclose(b.schedule.alpha_bar, cosine(1000).alpha_bar) and b.predict is EPS
    assert b.sampler.func is ddpm and b.sampler.keywords == {"variance": beta} and b.limit is dynamic_threshold
    assert (len(b.net["widths"]), b.net["dropout"], b.lr, b.drop, b.average_from) == (3, 0.1, 3e-4, 0.1, 2000)
    assert b.batch * 156_250 == 400 * 50_000  # its docstring counts the steps
    with torch.device("meta"):
        net = b.build()
    assert sum(isinstance(m, Attention) for m in net.modules()) >= 3
    assert systems.system("stl10").classes == data.STL10 and systems.system("stl10").size == 32


def test_residuals_can_be_scaled_by_one_over_root_2():
    """A block and an attention that do nothing yet give back x / sqrt 2."""
    parts = Parts(keep=0.5**0.5)
    x, e = torch.randn(2, 8, 4, 4), torch.randn(2, 16)
    assert torch.allclose(Block(8, 8, 16, 0.0, parts)(x, e), x * 0.5**0.5)
    assert torch.allclose(Attention(8, parts)(x), x * 0.5**0.5)
    with torch.device("meta"):
        net = UNet(**systems.system("cifar10").net | {"parts": parts}, cond_dim=10)
    kept = {m.keep for m in net.modules() if isinstance(m, Block | Attention)}
    assert kept == {0.5**0.5}


def test_an_unknown_recipe_is_told_those_there_are():
    for ask in (systems.system, systems.bundled):
        with pytest.raises(ValueError, match="there is no system 'rose'; there are flowers, digits, drawn, cifar10, "):
            ask("rose")


def test_the_seed_fixes_the_first_weights_and_leaves_torchs_alone():
    before = torch.get_rng_state()
    a, b, c = TINY.run(1).net, TINY.run(1).net, TINY.run(2).net
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(a.first.weight, b.first.weight) and not torch.equal(a.first.weight, c.first.weight)


def test_weights_come_back_with_their_recipe_in_half_precision(tmp_path):
    net = TINY.run().net
    save_weights(tmp_path / "w", TINY, net, 7)
    recipe, again = open_weights(tmp_path / "w")
    assert (
        registry.card(recipe) == registry.card(TINY)
        and recipe.load is squares
        and not again.training
        and load(tmp_path / "w")[1]["step"] == 7
    )
    for a, b in zip(net.parameters(), again.parameters(), strict=True):
        assert torch.equal(a.half().float(), b)


def test_weights_of_a_system_that_is_gone_open_by_their_own_card(tmp_path):
    gone = dataclasses.replace(systems.system("drawn"), name="gone", net=TINY.net | {"channels": 3})
    save_weights(tmp_path / "w", gone, gone.build(), 1)
    found, _ = open_weights(tmp_path / "w")
    assert registry.card(found) == registry.card(gone)
    assert registry.differences(registry.card(found)) == "there is no system gone any more; all comes from the file"


def test_weights_of_another_net_are_refused(tmp_path):
    wider = dataclasses.replace(TINY, net=dict(channels=1, widths=(16,)))
    save_weights(tmp_path / "w", TINY, wider.build(), 1)  # its card lies
    with pytest.raises(ValueError, match="w holds the weights of another net"):
        open_weights(tmp_path / "w")


def test_missing_bundled_weights_say_how_to_make_some():
    with pytest.raises(FileNotFoundError, match="no weights at .*tiny.safetensors; .*train --help"):
        systems.bundled("tiny")


def test_samples_are_clipped_pictures_of_the_asked_shape_and_a_seed_is_a_sample():
    net, labels = shaken(), torch.tensor([0, 1, 1])
    steps = list(TINY.sample(net, labels, 5))
    assert len(steps) == 5 and steps[-1].x.shape == (3, 1, 8, 8) and steps[-1].x.abs().max() <= 1
    assert torch.equal(steps[-1].x, list(TINY.sample(net, labels, 5))[-1].x)
    assert not torch.equal(steps[-1].x, list(TINY.sample(net, labels, 5, seed=1))[-1].x)


def test_samples_begin_with_the_noise_given():
    net, labels, noise = (
        shaken(),
        torch.tensor([0, 1]),
        torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(3)),
    )
    ends = lambda **given: list(TINY.sample(net, labels, 5, **given))[-1].x  # noqa: E731
    assert torch.equal(ends(x_T=noise), ends(seed=3)) and not torch.equal(ends(x_T=noise), ends(x_T=-noise))


def test_scale_0_ignores_the_class():
    net = shaken()
    ends = lambda scale, k: list(TINY.sample(net, torch.tensor([k]), 3, scale))[-1].x  # noqa: E731
    assert torch.equal(ends(0.0, 0), ends(0.0, 1)) and not torch.equal(ends(2.0, 0), ends(2.0, 1))


def test_what_cannot_be_sampled_is_said():
    net = TINY.run().net
    with pytest.raises(ValueError, match=r"labels should lie in 0\.\.1"):
        TINY.sample(net, torch.tensor([2]))
    with pytest.raises(ValueError, match=r"sampling steps should lie in 1\.\.50 \(T\), got 51"):
        TINY.sample(net, torch.tensor([0]), 51)
    with pytest.raises(ValueError, match=r"x_T should have the samples' shape, \(1, 1, 8, 8\), got \(2, 1, 8, 8\)"):
        TINY.sample(net, torch.tensor([0]), x_T=torch.zeros(2, 1, 8, 8))


def test_the_loss_hides_the_condition_now_and_then():
    seen = []

    def net(x, t, cond):
        seen.append(cond.vec)
        return x

    always = dataclasses.replace(TINY, drop=1.0)
    always.loss(net, torch.zeros(4, 1, 8, 8), classes(torch.tensor([0, 1, 0, 1]), 2), torch.Generator())
    assert (seen[0] == 0).all()


def test_a_recipe_trains():
    batch = data.batches(squares(10), TINY.batch, TINY.size)
    assert len(list(train(TINY.run(), batch, TINY.loss, 3))) == 3


# the command line


def test_train_writes_weights_a_run_and_a_picture_and_sample_reads_them(tmp_path, capsys):
    assert command.main(["train", "tiny", "--minutes", SECOND, "--out", str(tmp_path)]) == 0
    files = sorted(f.name for f in tmp_path.iterdir())
    assert files == ["tiny.png", "tiny.run.safetensors", "tiny.safetensors"]
    assert "tiny: squares" in capsys.readouterr().out
    file = tmp_path / "grid.png"
    argv = ["sample", str(tmp_path / "tiny.safetensors"), "-n", "6", "--steps", "2", "--out", str(file)]
    assert command.main(argv) == 0
    assert Image.open(file).size == (2 * 130 + 2, 3 * 130 + 2)  # enlarged; a column for each class; a border of 2 px
    assert re.search(rf"6 pictures in {file}: \d+\.\d s to load, \d+\.\d s for 2 steps", capsys.readouterr().out)


def test_resume_goes_on_where_the_run_stopped(tmp_path, capsys):
    argv = ["train", "tiny", "--minutes", "0.001", "--out", str(tmp_path)]
    assert command.main(argv) == 0
    step = load(tmp_path / "tiny.run.safetensors")[1]["step"]
    assert f"step {step};" in capsys.readouterr().out
    assert command.main([*argv, "--resume"]) == 0
    assert f"from step {step}, " in capsys.readouterr().out
    assert load(tmp_path / "tiny.run.safetensors")[1]["step"] > step
    assert load(tmp_path / "tiny.safetensors")[1]["step"] > step


def test_steps_end_a_training_exactly(tmp_path, capsys):
    argv = ["train", "tiny", "--out", str(tmp_path), "--steps"]
    assert command.main([*argv, "2"]) == 0
    assert "from step 0, to step 2" in capsys.readouterr().out
    assert command.main([*argv, "5", "--resume"]) == 0
    assert load(tmp_path / "tiny.run.safetensors")[1]["step"] == 5
    said = fails(capsys, *argv, "5", "--resume")
    assert said == "error: --steps should be above the 5 steps that the run has taken, got 5"


def test_batch_changes_the_pictures_a_step(tmp_path, monkeypatch):
    drawn, batches = [], data.batches
    monkeypatch.setattr(
        "ddpm_lessons.data.batches", lambda pictures, n, *a: drawn.append(n) or batches(pictures, n, *a)
    )
    assert command.main(["train", "tiny", "--steps", "1", "--batch", "3", "--out", str(tmp_path)]) == 0
    assert drawn == [3]


def test_a_folder_that_is_lost_on_the_way_is_made_again(tmp_path, monkeypatch):
    """Somebody cleans up: the next save has all of the run."""
    out, keep = tmp_path / "runs", command_train.keep

    def keep_and_lose(*a):
        keep(*a)
        if a[2].step == 1:
            shutil.rmtree(out)

    monkeypatch.setattr(command_train, "SAVE_EVERY", 0)
    monkeypatch.setattr(command_train, "keep", keep_and_lose)
    assert command.main(["train", "tiny", "--steps", "3", "--out", str(out)]) == 0
    assert len(load(out / "tiny.run.safetensors")[0]["losses"]) == 3


def test_a_disk_that_fills_on_the_way_leaves_the_last_save(tmp_path, capsys, monkeypatch):
    def full(run, *a, **kw):
        for log in train(run, *a, **kw):
            if log.step == 3:
                monkeypatch.setattr("ddpm_lessons.training.files.save_file", disk_full)
            yield log

    monkeypatch.setattr(command_train, "SAVE_EVERY", 0)
    monkeypatch.setattr(command_train, "train", full)
    said = fails(capsys, "train", "tiny", "--steps", "9", "--out", tmp_path)
    assert "No space left on device" in said and "What was there is unharmed; is the disk full?" in said
    assert load(tmp_path / "tiny.run.safetensors")[1]["step"] == 2
    assert load(tmp_path / "tiny.safetensors")[1]["step"] == 2


def test_ctrl_c_saves_and_stops(tmp_path, capsys, monkeypatch):
    def interrupted(run, *args, **kw):
        for log in train(run, *args, **kw):
            signal.raise_signal(signal.SIGINT)  # as Ctrl-C does, in the middle of a step
            yield log

    monkeypatch.setattr(command_train, "train", interrupted)
    assert command.main(["train", "tiny", "--out", str(tmp_path)]) == 0
    assert "stopped; saving" in capsys.readouterr().err
    assert load(tmp_path / "tiny.run.safetensors")[1]["step"] == 1


def test_a_long_training_saves_on_its_way(tmp_path, monkeypatch):
    saved, keep = [], command_train.keep
    monkeypatch.setattr(command_train, "SAVE_EVERY", 0)
    monkeypatch.setattr(command_train, "keep", lambda *a: saved.append(a[2].step) or keep(*a))
    assert command.main(["train", "tiny", "--minutes", "0.02", "--out", str(tmp_path)]) == 0
    assert saved[0] == 1 and len(saved) > 1


def test_one_class_only(weights, tmp_path, monkeypatch):
    asked, sample = [], Diffusion.sample

    def asking(self, net, labels, *a, **kw):
        asked.append(labels)
        return sample(self, net, labels, *a, **kw)

    monkeypatch.setattr(Diffusion, "sample", asking)
    out = tmp_path / "new" / "g.png"
    argv = ["sample", weights, "--class", "white", "-n", "4", "--steps", "2", "--out", out]
    assert command.main([str(a) for a in argv]) == 0
    assert asked[0].tolist() == [1, 1, 1, 1] and Image.open(out).size == (262, 262)


def test_seed_and_scale_change_the_pictures(tmp_path):
    net = shaken()
    save_weights(tmp_path / "w", TINY, net, 1)
    files = []
    for more in ([], ["--seed", "1"], ["--scale", "0"], []):
        files.append(tmp_path / f"{len(files)}.png")
        argv = ["sample", str(tmp_path / "w"), "-n", "2", "--steps", "2", "--out", str(files[-1]), *more]
        assert command.main(argv) == 0
    a, seed, scale, again = (f.read_bytes() for f in files)
    assert a == again and len({a, seed, scale}) == 3


@pytest.mark.parametrize(
    "argv, line",
    [
        (["train", "rose"], "error: there is no system 'rose'; there are flowers, digits, drawn, cifar10, "),
        (["train", "tiny", "--minutes", "0"], "error: --minutes should be above 0 and finite, got 0"),
        (["train", "tiny", "--minutes", "-5"], "error: --minutes should be above 0 and finite, got -5"),
        (["train", "tiny", "--minutes", "nan"], "error: --minutes should be above 0 and finite, got nan"),
        (["train", "tiny", "--minutes", "inf"], "error: --minutes should be above 0 and finite, got inf"),
        (["train", "tiny", "--batch", "0"], "error: --batch should be at least 1, got 0"),
        (["train", "tiny", "--resume"], "error: no weights at {dir}/out/tiny.run.safetensors; "),
        (["train", "digits"], "error: DDPM_LESSONS_DATA=none forbids downloads; let it name a folder"),
        (
            ["train", "flowers", "--data", "{dir}/typo"],
            "error: no photographs in {dir}/typo: wanted is",
        ),
        (["train", "digits", "--data", "{dir}"], "error: no digits in {dir}: wanted is {dir}/*-images-idx3-ubyte.gz"),
    ],
)
def test_training_that_cannot_begin_says_why(argv, line, weights, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("DDPM_LESSONS_DATA", "none")
    monkeypatch.setattr("urllib.request.urlopen", None)  # nothing is fetched
    argv = [a.format(dir=tmp_path) for a in argv]
    assert fails(capsys, *argv, "--out", tmp_path / "out").startswith(line.format(dir=tmp_path))


def test_a_run_is_not_overwritten_by_accident(tmp_path, capsys):
    save(tmp_path / "tiny.run.safetensors", {}, {})
    before = (tmp_path / "tiny.run.safetensors").read_bytes()
    said = fails(capsys, "train", "tiny", "--out", tmp_path)
    assert said.endswith("holds a run: add --resume to go on with it, or name another --out")
    assert (tmp_path / "tiny.run.safetensors").read_bytes() == before


def test_data_of_other_classes_are_refused(tmp_path, capsys):
    SYSTEMS["tiny"] = lambda: dataclasses.replace(TINY, classes=("black", "grey"))
    said = fails(capsys, "train", "tiny", "--out", tmp_path)
    assert said == "error: the data hold black, white; tiny wants black, grey"


def test_an_out_that_is_a_file_is_found_out_before_training(weights, capsys, monkeypatch):
    monkeypatch.setattr(command_train, "train", None)  # would fail if it came so far
    assert "File exists" in fails(capsys, "train", "tiny", "--out", weights)


def test_an_unstable_loss_is_one_line(tmp_path, capsys, monkeypatch):
    nan = lambda self, net, x0, cond, rng: float("nan") * net(x0, torch.ones(4), cond).sum()  # noqa: E731
    monkeypatch.setattr(Diffusion, "loss", nan)
    assert "the loss is nan at step 1: try a smaller lr" in fails(capsys, "train", "tiny", "--out", tmp_path)


@pytest.mark.parametrize(
    "argv, line",
    [
        (["-n", "0"], "error: -n should be at least 1, got 0"),
        (["--steps", "0"], "error: the number of sampling steps should lie in 1..50 (T), got 0"),
        (["--steps", "51"], "error: the number of sampling steps should lie in 1..50 (T), got 51"),
        (["--class", "green"], "error: there is no class 'green' in tiny; there are black, white"),
        (["--out", "{dir}/grid.xyz"], "error: {dir}/grid.xyz should be a picture file, such as grid.png"),
    ],
)
def test_sampling_that_cannot_begin_says_why(argv, line, weights, tmp_path, capsys):
    argv = [a.format(dir=tmp_path) for a in argv]
    out = ["--out", tmp_path / "g.png"] * ("--out" not in argv)
    steps = ["--steps", "2"] * ("--steps" not in argv)
    assert fails(capsys, "sample", weights, *out, *steps, *argv).startswith(line.format(dir=tmp_path))
    assert not (tmp_path / "g.png").exists()


def test_weights_that_are_none_are_one_line(tmp_path, capsys):
    assert "no weights at" in fails(capsys, "sample", tmp_path / "x.safetensors")
    torch.save({"a": torch.zeros(1)}, tmp_path / "x.pt")
    assert "is a pickle" in fails(capsys, "sample", tmp_path / "x.pt")
    (tmp_path / "x.safetensors").write_bytes(b"cut")
    assert "is cut short" in fails(capsys, "sample", tmp_path / "x.safetensors")
    save(tmp_path / "x.run.safetensors", {"net.a": torch.zeros(1)}, {"n_averaged": 1})
    said = fails(capsys, "sample", tmp_path / "x.run.safetensors")
    assert said.endswith("holds a run, not a finished network; take the file without .run in its name")


@pytest.mark.parametrize(
    "argv, words",
    [
        (["--help"], ["take noise off", "train digits", "sample runs/digits.safetensors"]),
        (["train", "--help"], ["python -m ddpm_lessons list", "--resume", "--from", "--compile", "NAME.png"]),
        (["sample", "--help"], ["step by step from x_T", "guidance: 1 = as trained", "--class"]),
    ],
)
def test_help_teaches(argv, words, capsys):
    with pytest.raises(SystemExit) as e:
        command.main(argv)
    said = capsys.readouterr().out
    assert e.value.code == 0 and all(w in said for w in words)


@pytest.mark.parametrize("argv", [[], ["fly"], ["evaluate"], ["train", "tiny", "--minutes", "many"]])
def test_a_command_that_is_none_shows_the_usage(argv, capsys):
    with pytest.raises(SystemExit) as e:
        command.main(argv)
    assert e.value.code == 2 and "usage: python -m ddpm_lessons" in capsys.readouterr().err


def test_clip_is_trained_by_the_same_command_and_makes_no_pictures(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        "ddpm_lessons.systems.clip.flowers",
        lambda size, folder: data.drawn(100, size, torch.Generator().manual_seed(0)),
    )
    out = str(tmp_path)
    assert command.main(["train", "clip", "--steps", "2", "--out", out]) == 0
    assert re.search(r"step 2; \d+ % of \d+ held-out pictures are nearest to their kind", capsys.readouterr().out)
    assert command.main(["train", "clip", "--steps", "3", "--out", out, "--resume"]) == 0
    said = fails(capsys, "sample", tmp_path / "clip.safetensors")
    assert said.endswith("clip compares pictures and texts and makes none; take another file")
    assert "decides itself how many pictures a step takes" in fails(
        capsys, "train", "clip", "--batch", "5", "--out", tmp_path / "b"
    )


# prompts


@pytest.fixture
def told(monkeypatch, tmp_path):
    """The tiny system, told in words by an untrained CLIP, and weights of it that answer."""
    clip = tiny_clip()
    monkeypatch.setattr(captioning, "load_clip", lambda: clip)
    recipe = dataclasses.replace(
        TINY,
        name="told",
        net=TINY.net | dict(cond_dim=128, token_dim=64),
        text=Text("a square", clip.words, lambda p: tell_names(clip, p), lambda kind: [f"a {kind} square"]),
    )
    monkeypatch.setitem(SYSTEMS, "told", lambda: recipe)
    monkeypatch.setattr("ddpm_lessons.text.cache.cache_folder", lambda: tmp_path / "cache")
    net = recipe.build()
    torch.manual_seed(0)
    for p in net.parameters():
        torch.nn.init.normal_(p, std=0.2)
    save_weights(tmp_path / "told.safetensors", recipe, net, 1)
    return tmp_path / "told.safetensors"


def test_a_prompt_becomes_pictures(told, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command_sample, "bundled", lambda name: told if name == "flowers_cascade.safetensors" else None)
    files = []
    for prompt in ("a white square", "A WHITE  square", "a black square", "white " * 500, "ein weißes Quadrat", "🌹"):
        files.append(tmp_path / f"{len(files)}.png")
        argv = ["sample", "--prompt", prompt, "-n", "4", "--steps", "2", "--out", str(files[-1])]
        assert command.main(argv) == 0  # no weights: those that came along
        assert Image.open(files[-1]).size == (262, 262)
    white, again, black, *_ = (f.read_bytes() for f in files)
    assert white == again and white != black
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note")]
    assert notes == [
        "note: only the first 22 pieces of words are read",
        "note: no training text had the words ein, weißes, quadrat",
    ]


def test_what_is_no_prompt_is_one_line(told, weights, tmp_path, capsys):
    out = ["--steps", "2", "--out", tmp_path / "g.png"]
    for empty in ("", "  "):
        said = fails(capsys, "sample", told, "--prompt", empty, *out)
        assert said.startswith("error: prompts are a list of texts with a word in each, such as")
    said = fails(capsys, "sample", weights, "--prompt", "a rose", *out)
    assert said == "error: tiny knows no prompts, only the classes black, white"
    assert not (tmp_path / "g.png").exists()


def test_a_recipe_that_is_told_texts_takes_pictures_of_anything_and_remembers(told, tmp_path, monkeypatch, capsys):
    recipe, argv = SYSTEMS["told"](), ["train", "told", "--out", str(tmp_path / "out"), "--steps"]
    other = dataclasses.replace(recipe, load=lambda size, folder: squares(size)._replace(classes=("dot", "gap")))
    monkeypatch.setitem(SYSTEMS, "told", lambda: other)
    assert command.main([*argv, "2"]) == 0
    assert (tmp_path / "out" / "told.png").exists()
    assert command.main([*argv, "3", "--resume"]) == 0
    found, _ = open_weights(tmp_path / "out" / "told.safetensors")
    assert found.classes == ("dot", "gap") and found.texts == ["a dot square", "a gap square"]
    monkeypatch.setitem(SYSTEMS, "told", lambda: recipe)
    said = fails(capsys, *argv, "4", "--resume")
    assert said == "error: the data hold black, white; the run began with dot, gap"


# evaluate


@pytest.fixture
def quick_features(monkeypatch):
    """Means and spreads in place of a network's features."""
    net = lambda x: torch.stack([x.mean((1, 2, 3)), x.std((1, 2, 3))], 1)  # noqa: E731
    monkeypatch.setattr("ddpm_lessons.cli.evaluate.efficientnet", lambda device: Features("two numbers", net))


def test_evaluate_prints_every_number_with_its_floor(weights, quick_features, capsys):
    assert command.main(["evaluate", str(weights), "-n", "6", "--steps", "3"]) == 0
    said = capsys.readouterr().out
    for line in (
        r"features of 12 of the squares, 6 samples of .*w.safetensors and their features",
        r"  Fréchet \d+ \(floor \d+\)",
        r"  kernel -?[\d.]+ \(floor -?[\d.]+\)",
        r"  precision [01]\.\d\d \([01]\.\d\d\)",
        r"  recall [01]\.\d\d \([01]\.\d\d\)",
        r"  two numbers\n  n = 6",
        r"  agreement \d+ % \+- \d+ \(real pictures 100 % \+- 0, chance 50 %\)",
        r"  3 steps, guidance 2; \d+ s to sample, \d+ s for the rest",
    ):
        assert re.search(line, said), line


def test_evaluate_says_what_to_do_next(weights, quick_features, capsys, tmp_path, monkeypatch):
    said = fails(capsys, "evaluate", weights, "-n", "11")
    assert said == "error: n should lie in 5..10: the floor needs 2 n of the 20 photographs, got 11"
    assert "no weights at" in fails(capsys, "evaluate", tmp_path / "none.safetensors")
    other = dataclasses.replace(TINY, load=lambda size, folder: squares(size)._replace(classes=("red", "blue")))
    monkeypatch.setitem(SYSTEMS, "tiny", lambda: other)
    save_weights(weights, other, TINY.run().net, 7)
    monkeypatch.setitem(SYSTEMS, "tiny", lambda: other)
    assert "the data hold red, blue; tiny wants black, white" in fails(capsys, "evaluate", weights, "-n", "6")
    flowers = tmp_path / "f.safetensors"
    recipe = systems.system("flowers")
    save_weights(flowers, recipe, recipe.build(), 0)
    assert "no photographs in" in fails(capsys, "evaluate", flowers, "--against", tmp_path)


def test_samples_of_many_batches_differ(capsys):
    """Each batch of 64 has its own noise."""
    x = sampling.samples(TINY, shaken(), torch.zeros(65, dtype=torch.long), 2)
    assert x.shape == (65, 1, 8, 8) and not torch.equal(x[0], x[64])


def test_two_seeds_share_no_noise():
    """Each seed is one source for all of its batches: no batch of one seed is a batch of the next."""
    labels = torch.zeros(128, dtype=torch.long)
    a, b = (sampling.samples(TINY, shaken(), labels, 2, seed=seed) for seed in (0, 1))
    assert not any(torch.equal(p, q) for p in (a[:64], a[64:]) for q in (b[:64], b[64:]))
    assert torch.equal(a, sampling.samples(TINY, shaken(), labels, 2, seed=0))


def test_sampling_leaves_torchs_random_state_alone():
    before = torch.get_rng_state()
    list(TINY.sample(shaken(), torch.tensor([0, 1]), 2))
    assert torch.equal(torch.get_rng_state(), before)


def test_more_samples_than_the_classifier_trains_on(weights, quick_features, capsys, monkeypatch):
    """The classifier sees at most so many pictures; where n is larger, it sees the n that give the floor."""
    monkeypatch.setattr("ddpm_lessons.cli.evaluate.SEEN_BY_CLASSIFIER", 6)
    assert command.main(["evaluate", str(weights), "-n", "9", "--steps", "2"]) == 0
    assert "agreement" in capsys.readouterr().out


def test_the_classifier_of_agreement_has_not_seen_what_it_is_measured_with(quick_features):
    from ddpm_lessons.cli import evaluate
    from ddpm_lessons.evaluation import Yardstick

    real, seen = squares(8), []
    net = lambda x: x.flatten(1)[:, :3] + 1e-3 * torch.arange(3)  # noqa: E731
    real = real._replace(x=torch.randn(20, 1, 8, 8, generator=torch.Generator().manual_seed(0)).clamp(-1, 1))
    features = Features("corners", lambda x: seen.append(x) or net(x))
    measure = Yardstick(real.x, 5, features)
    seen.clear()
    evaluate.trained_on_others(measure, real, features)
    against = real.x[measure.order[:5]]
    used = torch.cat([measure.other, *[net(x) for x in seen]])
    assert len(used) == 15 and not any((used == row).all(1).any() for row in net(against).double())


# files remember


def test_nothing_has_changed_since_the_move():
    """Samples of each file bundled then, two of seed 0 in 4 steps, as the package before its wings drew them.

    flowers_text has been trained on since, with other texts.
    """
    before = load_file(Path(__file__).with_name("before_the_move.safetensors"))
    prompts = {"mnist_text": ["a six", "draw a two"]}
    for name in ("flowers", "cifar10_small", *prompts):
        found, net = systems.bundled(name)
        *_, last = found.sample(net, prompts.get(name, torch.tensor([0, 3])), 4)
        torch.testing.assert_close(last.x, before[name], rtol=0, atol=1e-4)
    texts = load_clip().texts(["a pink rose", "a yellow sunflower"])
    torch.testing.assert_close(texts, before["clip"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_choice_comes_back_from_its_card(name):
    of = systems.system(name)
    written = json.loads(json.dumps(registry.card(of)))
    again = registry.from_card(written, "file")
    assert registry.card(again) == registry.card(of) and registry.differences(written) == ""
    assert "'own':" not in str({k: v for k, v in written.items() if k != "load"}) or name == "tiny"


def test_a_file_opens_as_it_was_made_and_says_what_differs_today(tmp_path, monkeypatch, capsys):
    was = dataclasses.replace(TINY, schedule=linear(20), predict=EPS, net=dict(channels=1, widths=(16,)), lr=0.25)
    save_weights(tmp_path / "w.safetensors", was, was.build(), 3, command="python -m ddpm_lessons train tiny")
    found, net = open_weights(tmp_path / "w.safetensors")
    assert found.predict is EPS and torch.equal(found.schedule.alpha_bar, was.schedule.alpha_bar)
    assert net.first.out_channels == 16 and found.lr == 0.25
    out = ["--steps", "2", "-n", "2", "--out", str(tmp_path / "g.png")]
    assert command.main(["sample", str(tmp_path / "w.safetensors"), *out]) == 0
    (note,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note")]
    assert "predict: eps (today v)" in note and "schedule: linear, T = 20 (today cosine, T = 50)" in note
    assert "lr" not in note  # what matters in use
    assert command.main(["info", str(tmp_path / "w.safetensors")]) == 0
    said = capsys.readouterr().out
    for line in ("system       tiny: squares", "holds        weights", "step         3", "lr           0.25"):
        assert line in said.splitlines()
    assert "today        " in said and "lr: 0.25 (today 0.0005)" in said


def test_a_run_goes_on_with_its_own_choices(tmp_path, monkeypatch, capsys):
    argv = ["train", "tiny", "--out", str(tmp_path), "--steps"]
    assert command.main([*argv, "2"]) == 0
    monkeypatch.setitem(SYSTEMS, "tiny", lambda: dataclasses.replace(TINY, predict=EPS, drop=0.5))
    assert command.main([*argv, "3", "--resume"]) == 0
    assert "note: the run goes on with its own choices; predict: v (today eps)" in capsys.readouterr().out
    assert open_weights(tmp_path / "tiny.safetensors")[0].predict is V


def test_another_systems_run_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(SYSTEMS, "other", lambda: dataclasses.replace(TINY, name="other"))
    assert command.main(["train", "tiny", "--steps", "1", "--out", str(tmp_path)]) == 0
    (tmp_path / "tiny.run.safetensors").rename(tmp_path / "other.run.safetensors")
    said = fails(capsys, "train", "other", "--steps", "2", "--out", tmp_path, "--resume")
    assert said.endswith("other.run.safetensors holds a run of tiny, not of other")


def test_a_file_without_a_card_is_refused(tmp_path, capsys):
    save(tmp_path / "w.safetensors", {"a": torch.zeros(1)}, {"recipe": "tiny", "step": 1})
    assert "does not say what made it" in fails(capsys, "sample", tmp_path / "w.safetensors")


def test_a_run_begins_with_given_weights(tmp_path, capsys):
    net = shaken()
    save_weights(tmp_path / "w.safetensors", TINY, net, 9)
    argv = ["train", "tiny", "--steps", "1", "--out", str(tmp_path / "out"), "--from", str(tmp_path / "w.safetensors")]
    assert command.main(argv) == 0
    tensors, info = load(tmp_path / "out" / "tiny.run.safetensors")
    assert info["command"] == "python -m ddpm_lessons train tiny --steps 1 --from w.safetensors"
    begun = dict(net.state_dict())
    moved = max((tensors[f"net.{k}"] - v.half().float()).abs().max() for k, v in begun.items())
    assert 0 < moved < 1e-3  # one step of a warming-up learning rate away
    assert "--resume goes on with a run and --from begins a new one" in fails(capsys, *argv, "--resume")
    wider = dataclasses.replace(TINY, net=dict(channels=1, widths=(16,)))
    save_weights(tmp_path / "wide.safetensors", wider, wider.build(), 1)
    argv = ["train", "tiny", "--out", tmp_path / "b", "--from", tmp_path / "wide.safetensors"]
    assert "holds the weights of another net" in fails(capsys, *argv)


def test_a_compiled_training_walks_the_same_path_and_says_so(tmp_path, capsys, monkeypatch):
    compiled, real = [], torch.compile
    # the same tracing without a C++ compiler
    monkeypatch.setattr(torch, "compile", lambda net, mode: compiled.append(mode) or real(net, backend="aot_eager"))
    for how in ([], ["--compile"]):
        assert command.main(["train", "tiny", "--steps", "3", "--out", str(tmp_path / f"{len(how)}"), *how]) == 0
    (plain, _), (joined, info) = (load(tmp_path / f"{k}" / "tiny.run.safetensors") for k in (0, 1))
    assert compiled == ["reduce-overhead"] and info["command"].endswith("train tiny --steps 3 --compile")
    moved = [k for k in plain if k.startswith("net.")]
    assert moved and all(torch.allclose(plain[k], joined[k], atol=1e-6) for k in moved)

    def no_compiler(graph, examples):
        raise RuntimeError("no C++ compiler")

    monkeypatch.setattr(torch, "compile", lambda net, mode: real(net, backend=no_compiler))
    said = fails(capsys, "train", "tiny", "--steps", "1", "--out", tmp_path / "c", "--compile")
    assert "leave --compile out" in said and "no C++ compiler" in said


def test_the_list_has_every_system(capsys):
    assert command.main(["list"]) == 0
    said = capsys.readouterr().out
    assert all(re.search(rf"^{name} +\d+\.\d M +\d+ px ", said, re.M) for name in SYSTEMS)


def test_pictures_go_into_a_folder_one_by_one_with_exact_pixels(weights, tmp_path):
    out = str(tmp_path / "many") + "/"
    assert command.main(["sample", str(weights), "-n", "3", "--steps", "2", "--out", out]) == 0
    assert sorted(f.name for f in (tmp_path / "many").iterdir()) == ["0000.png", "0001.png", "0002.png"]
    assert Image.open(tmp_path / "many" / "0001.png").size == (8, 8)
    one = tmp_path / "g.png"
    assert command.main(["sample", str(weights), "-n", "4", "--steps", "2", "--pixels", "--out", str(one)]) == 0
    assert Image.open(one).size == (2 * 10 + 2, 2 * 10 + 2)


def test_a_film_shows_each_picture_from_noise_on(weights, tmp_path, capsys):
    out = tmp_path / "film.png"
    how = ["sample", str(weights), "-n", "2", "--steps", "4", "--seed", "3"]
    assert command.main([*how, "--film", "--out", str(out)]) == 0
    assert Image.open(out).size == (4 * 130 + 2, 2 * 130 + 2)  # each step once
    assert command.main([*how, "--out", str(tmp_path / "last.png")]) == 0  # the film's last column
    film, last = (np.asarray(Image.open(f).convert("RGB")).astype(int) for f in (out, tmp_path / "last.png"))
    assert np.abs(film[2:130, -130:-2] - last[2:130, 2:130]).max() <= 2
    assert np.abs(film[2:130, 2:130] - film[2:130, -130:-2]).mean() > 5
    assert command.main([*how, "--film", "--out", str(tmp_path / "film.txt")]) == 1
    assert "should be a picture file" in capsys.readouterr().err


def test_help_is_quick_because_nothing_heavy_is_imported():
    code = "import sys, ddpm_lessons.__main__ as m; m.arguments(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_clip_is_not_imported_before_it_is_used():
    code = "import sys, ddpm_lessons.systems; assert 'open_clip' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_both_signals_save_and_a_second_one_stops_at_once(number, tmp_path, capsys, monkeypatch):
    def interrupted(run, *args, times=1, **kw):
        for log in train(run, *args, **kw):
            for _ in range(times):
                signal.raise_signal(number)
            yield log

    monkeypatch.setattr(command_train, "train", interrupted)
    assert command.main(["train", "tiny", "--out", str(tmp_path / "a")]) == 0
    assert load(tmp_path / "a" / "tiny.run.safetensors")[1]["step"] == 1
    monkeypatch.setattr(command_train, "train", lambda *a, **kw: interrupted(*a, times=2, **kw))
    assert command.main(["train", "tiny", "--out", str(tmp_path / "b")]) == 130


def test_clip_refuses_what_it_cannot_do(capsys, monkeypatch, tmp_path):
    few = lambda size, folder: data.drawn(20, size, torch.Generator().manual_seed(0))  # noqa: E731
    monkeypatch.setattr("ddpm_lessons.systems.clip.flowers", few)
    assert "20 pictures are too few" in fails(capsys, "train", "clip", "--out", tmp_path)
    several = SimpleNamespace(is_main_process=True, num_processes=2, device=torch.device("cpu"))
    monkeypatch.setattr(command_train, "launched", lambda: several)
    assert "clip trains in one process" in fails(capsys, "train", "clip", "--out", tmp_path)
