"""Training: it learns, it can stop and go on, and its files survive what happens to files."""

import os
from itertools import islice

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ddpm_lessons.conditions import classes
from ddpm_lessons.guidance import clipped, guided
from ddpm_lessons.losses import diffusion_loss
from ddpm_lessons.networks.unet import UNet
from ddpm_lessons.predict import V, denoiser
from ddpm_lessons.samplers import ddim, times
from ddpm_lessons.schedules import cosine
from ddpm_lessons.training import Run, device, ema_of, fast_precision, files, load_run, save_run, train
from ddpm_lessons.training.files import load, load_weights, save

SCHEDULE = cosine(100)


def squares(rng):
    """Black squares, labelled 0, and white ones, labelled 1."""
    y = torch.randint(2, (8,), generator=rng)
    return (2.0 * y - 1).view(-1, 1, 1, 1).expand(-1, 1, 8, 8).contiguous(), classes(y, 2)


def loss(net, x0, cond, rng):
    return diffusion_loss(net, SCHEDULE, V, x0, cond.drop(0.1, rng), rng=rng)


def fresh(lr=5e-3, decay=0.98, seed=0):
    torch.manual_seed(seed)
    return Run(UNet(channels=1, widths=(8,), cond_dim=2), lr, decay, seed)


def take(n, run, **kw):
    return [log.loss for log in train(run, squares, loss, n, **kw)]


def everything(run):
    """All numbers of a run by name."""
    tensors = {f"net.{k}": v for k, v in run.net.state_dict().items()}
    tensors |= {f"ema.{k}": v for k, v in run.ema.state_dict().items()}
    for i, p in enumerate(run.net.parameters()):
        tensors |= {f"{i}.{k}": v for k, v in run.optimisers[0].state[p].items()}
    return tensors


def same(a, b):
    a, b = everything(a), everything(b)
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_black_and_white_squares_come_out_as_asked():
    """All of it together: forward process, loss, U-Net, training, average, guidance, clipping, sampler."""
    run = fresh()
    losses = take(250, run)
    assert sum(losses[-20:]) < 0.5 * sum(losses[:20])
    y = torch.arange(16) % 2
    d = clipped(guided(denoiser(run.ema.module.eval(), SCHEDULE, V), 2.0))
    x_T = torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    *_, last = ddim(d, SCHEDULE, x_T, times(100, 10), classes(y, 2))
    assert ((last.x.mean((1, 2, 3)) > 0) == (y == 1)).all()
    assert last.x.mean((1, 2, 3)).abs().min() > 0.5


def test_one_batch_with_one_noise_is_learned_by_heart():
    x0, cond = squares(torch.Generator().manual_seed(0))
    one_noise = lambda net, x0, cond, rng: diffusion_loss(  # noqa: E731
        net, SCHEDULE, V, x0, cond, rng=torch.Generator().manual_seed(5)
    )
    losses = [log.loss for log in train(fresh(), lambda rng: (x0, cond), one_noise, 80)]
    assert losses[-1] < 0.2 * losses[0]


def test_logs_count_from_1_and_stopping_early_is_leaving_the_loop():
    run = fresh()
    assert [log.step for log in islice(train(run, squares, loss, 10**9), 3)] == [1, 2, 3]
    assert run.step == 3


def test_the_same_seed_is_the_same_run_and_another_is_another():
    a, b, c = fresh(), fresh(), fresh(seed=1)
    assert take(3, a) == take(3, b) != take(3, c)
    assert same(a, b) and not same(a, c)


def test_a_resumed_run_is_bit_equal_to_an_uninterrupted_one(tmp_path):
    whole, first, second = fresh(), fresh(), fresh(seed=7)  # seed and weights of the last are overwritten
    straight = take(6, whole)
    broken = take(3, first)
    save_run(tmp_path / "a.run.safetensors", first, {"run_of": "squares"})
    info = load_run(tmp_path / "a.run.safetensors", second)
    assert info["run_of"] == "squares" and info["step"] == second.step == 3
    assert same(first, second)
    assert broken + take(3, second) == straight == whole.losses == second.losses
    assert same(whole, second) and second.step == 6


def test_a_run_saved_before_its_first_step_goes_on_too(tmp_path):
    save_run(tmp_path / "a", fresh(), {})
    again = fresh(seed=3)
    load_run(tmp_path / "a", again)
    whole = fresh()
    assert take(2, again) == take(2, whole) and same(again, whole)


@pytest.mark.parametrize("own", ["scaler", "ema", "optimisers"])
def test_what_a_run_makes_itself_cannot_be_given(own):
    with pytest.raises(TypeError, match=own):
        Run(nn.Linear(2, 2), **{own: None})


def test_a_run_moves_between_devices_with_its_optimiser():
    run = fresh()
    take(1, run)
    assert run.to("cpu") is run and take(1, run)
    run.to("meta")  # a device that every machine has
    moments = [v for state in run.optimisers[0].state.values() for k, v in state.items() if k != "step"]
    nets = [*run.net.parameters(), *run.ema.parameters()]
    assert {v.device.type for v in moments} == {"meta"} == {p.device.type for p in nets}


def test_the_average_copies_first_and_then_follows_its_recursion():
    net = nn.Linear(1, 1, bias=False).double()
    ema = ema_of(net, 0.5)
    expected = None
    for n in range(30):
        net.weight.data.fill_((n + 1) ** 1.5)
        ema.update_parameters(net)
        d = min(0.5, (1 + n) / (10 + n))
        expected = net.weight.item() if n == 0 else d * expected + (1 - d) * net.weight.item()
        assert ema.module.weight.item() == pytest.approx(expected, rel=1e-12)


def test_the_average_may_start_later():
    """A copy for `start` steps, then the same recursion from there."""
    net = nn.Linear(1, 1, bias=False).double()
    ema, expected = ema_of(net, 0.5, start=10), None
    for n in range(30):
        net.weight.data.fill_((n + 1) ** 1.5)
        ema.update_parameters(net)
        d = min(0.5, (n - 9) / n) if n >= 10 else 0.0
        expected = net.weight.item() if n < 10 else d * expected + (1 - d) * net.weight.item()
        assert ema.module.weight.item() == pytest.approx(expected, rel=1e-12)


def test_a_run_may_average_later():
    run = Run(fresh().net, average_from=5)
    take(4, run)
    assert all(torch.equal(a, b) for a, b in zip(run.ema.module.parameters(), run.net.parameters(), strict=True))
    take(3, run)
    assert not torch.equal(next(run.ema.module.parameters()), next(run.net.parameters()))


def test_the_average_forgets_the_first_weights():
    """torch's own average with decay 0.999 would still be 74 % initial weights after 300 steps."""
    net = nn.Linear(1, 1, bias=False)
    ema = ema_of(net, 0.999)
    for n in range(300):
        net.weight.data.fill_(0.0 if n == 0 else 1.0)
        ema.update_parameters(net)
    assert ema.module.weight.item() > 0.99


def test_the_average_lags_behind_the_net_but_is_not_it():
    run = fresh()
    take(5, run)
    assert not torch.equal(next(run.ema.module.parameters()), next(run.net.parameters()))
    assert int(run.ema.n_averaged) == 5


def test_the_learning_rate_rises_over_200_steps():
    run = fresh(lr=1e-3)
    for step in (0, 99, 199, 5000):
        run.step = step
        take(1, run)
        assert run.optimisers[0].param_groups[0]["lr"] == pytest.approx(1e-3 * min(1, (step + 1) / 200))


def test_the_learning_rate_falls_with_the_root_of_the_step():
    torch.manual_seed(0)
    run = Run(UNet(channels=1, widths=(8,), cond_dim=2), lr=1e-3, fall=400)
    for step, lr in ((99, 5e-4), (399, 1e-3), (1599, 5e-4), (39_999, 1e-4)):
        run.step = step
        assert run.lr_now() == pytest.approx(lr)
        take(1, run)
        assert run.optimisers[0].param_groups[0]["lr"] == pytest.approx(lr)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_training_before_it_does_harm(value):
    run, before = fresh(), fresh()
    bad = lambda net, x0, cond, rng: net(x0, torch.ones(8), cond).sum() + value  # noqa: E731
    with pytest.raises(FloatingPointError, match=f"the loss is {value} at step 1: try a smaller lr than 0.005"):
        list(train(run, squares, bad, 5))
    assert same(run, before) and run.step == 0


def test_pictures_out_of_range_stop_training_at_once():
    with pytest.raises(ValueError, match="divide by 127.5 and subtract 1"):
        next(train(fresh(), lambda rng: ((squares(rng)[0] + 1) * 127.5, None), loss, 5))


def test_latents_of_four_channels_may_lie_anywhere():
    net, latents = nn.Conv2d(4, 4, 1), lambda rng: (9 * torch.randn(4, 4, 2, 2, generator=rng), None)
    assert len(list(train(Run(net), latents, lambda net, x, c, rng: net(x).square().mean(), 2))) == 2


def test_points_are_no_pictures_and_train_too():
    points = lambda rng: (10 * torch.ones(4, 2), None)  # noqa: E731
    assert len(list(train(Run(nn.Linear(2, 2)), points, lambda net, x, c, rng: net(x).square().mean(), 2))) == 2


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_half_the_bits_train_too(precision):
    assert take(2, fresh(), precision=precision)[0] == pytest.approx(take(1, fresh())[0], rel=0.02)
    losses = take(100, fresh(), precision=precision)
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])


def test_float16_skips_a_step_that_overflows_and_lowers_its_scale():
    """The scale begins at 2^16 and float16 ends at 65,504: a loss above 1 overflows, and the step is taken again."""
    run, batches = fresh(), []
    large = lambda *a: 1000 * loss(*a)  # noqa: E731
    seen = lambda rng: batches.append(squares(rng)) or batches[-1]  # noqa: E731
    steps = train(run, seen, large, 40, torch.float16)
    losses = [next(steps).loss]
    assert len(batches) > 1 and run.scaler.get_scale() < 2**16
    assert all(torch.equal(x0, batches[0][0]) for x0, _ in batches)  # the same step, with smaller gradients
    assert run.step == 1 and run.ema.n_averaged == 1
    losses += [log.loss for log in steps]
    assert len(losses) == run.step == 40 and sum(losses[-5:]) < sum(losses[:5])


def test_float16_goes_on_bit_equal(tmp_path):
    """The scale of the gradients belongs to the run: stopped, saved and resumed it walks the same path."""
    large = lambda *a: 300 * loss(*a)  # noqa: E731
    whole, half, rest = fresh(), fresh(), fresh(seed=1)
    for run, n in ((whole, 12), (half, 5)):
        assert len(list(train(run, squares, large, n, torch.float16))) == n
    save_run(tmp_path / "x", half, {})
    load_run(tmp_path / "x", rest)
    assert rest.scaler.get_scale() == half.scaler.get_scale() < 2**16
    list(train(rest, squares, large, 7, torch.float16))
    assert same(whole, rest) and whole.losses == rest.losses


def test_dropout_goes_on_bit_equal_and_a_seed_is_a_run(tmp_path):
    """Dropout draws from torch's own source; each step seeds it, and leaves it as it was."""

    def dropping(seed):
        torch.manual_seed(seed)
        return Run(UNet(channels=1, widths=(8,), cond_dim=2, dropout=0.5), 5e-3, 0.98, 0)

    whole, again, half, rest = dropping(0), dropping(0), dropping(0), dropping(1)
    before = torch.get_rng_state()
    take(6, whole)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    take(6, again), take(3, half)
    save_run(tmp_path / "x", half, {})
    load_run(tmp_path / "x", rest)
    take(3, rest)
    assert same(whole, again) and same(whole, rest)
    other = dropping(0)
    other.seed = 1
    assert take(1, other) != whole.losses[:1]


@pytest.mark.parametrize("cuda, mps, name", [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")])
def test_the_graphics_card_is_chosen_apples_too(cuda, mps, name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert device().type == name and (name != "mps" or fast_precision(device()) is None)


@pytest.mark.parametrize(
    "capability, precision",
    [
        ((6, 1), None),
        ((7, 0), torch.float16),
        ((7, 5), torch.float16),
        ((8, 0), torch.bfloat16),
        ((9, 0), torch.bfloat16),
    ],
)
def test_the_precision_follows_the_cards_capability(capability, precision, monkeypatch):
    """A T4 (7.5) says that it supports bfloat16, but emulates it; a P100 (6.x) has no tensor cores."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *a: True)
    assert fast_precision("cuda") is precision
    assert fast_precision("cpu") in (None, torch.bfloat16)


def test_what_is_saved_is_what_is_loaded(tmp_path):
    tensors = {"a": torch.randn(2, 3), "b": torch.arange(4)}
    tensors["c"] = torch.randn(1, 2, 3, 3).to(memory_format=torch.channels_last)
    save(tmp_path / "new" / "folder" / "x.safetensors", tensors, {"recipe": "tiny", "step": 3})
    got, info = load(tmp_path / "new" / "folder" / "x.safetensors")
    assert info == {"recipe": "tiny", "step": 3}
    assert got.keys() == tensors.keys() and all(torch.equal(got[k], tensors[k]) for k in got)


def test_a_header_that_begins_like_a_pickle_is_read(tmp_path):
    """The file begins with its header's length: 640, 80 02 in bytes, is how a pickle begins too."""
    file, begins = tmp_path / "x.safetensors", set()
    for n in range(400, 564, 8):
        save(file, {"a": torch.zeros(2)}, {"pad": "x" * n})
        assert load(file)[1] == {"pad": "x" * n}
        begins.add(file.read_bytes()[:2])
    assert b"\x80\x02" in begins


def disk_full(*args, **kw):
    raise OSError(28, "No space left on device")


def half_written(tensors, path, metadata):
    with open(path, "wb") as f:
        f.write(b"half")
    disk_full()


def interrupted(*args, **kw):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "where, name, how",
    [
        (files, "save_file", disk_full),
        (files, "save_file", half_written),
        (os, "fsync", disk_full),
        (os, "replace", disk_full),
        (os, "replace", interrupted),
        (files, "save_file", interrupted),
    ],
)
def test_an_interrupted_save_harms_nothing(where, name, how, tmp_path, monkeypatch):
    file = tmp_path / "x.safetensors"
    save(file, {"a": torch.ones(3)}, {"step": 1})
    before = file.read_bytes()
    monkeypatch.setattr(where, name, how)
    with pytest.raises((OSError, KeyboardInterrupt)) as e:
        save(file, {"a": torch.zeros(3)}, {"step": 2})
    monkeypatch.undo()
    assert file.read_bytes() == before and load(file)[1] == {"step": 1}
    assert os.listdir(tmp_path) == ["x.safetensors"]  # no .part is left
    if how is not interrupted:
        assert str(e.value).startswith(f"could not write {file}") and "is the disk full?" in str(e.value)


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="could not write .*file/x.safetensors"):
        save(tmp_path / "file" / "x.safetensors", {"a": torch.zeros(1)}, {})


def error(file):
    with pytest.raises(ValueError) as e:
        load(file)
    assert "\n" not in str(e.value) and str(file) in str(e.value)
    return str(e.value)


def test_no_weights_says_how_to_make_some(tmp_path):
    for missing in (tmp_path / "x.safetensors", tmp_path):
        with pytest.raises(FileNotFoundError, match="no weights at .*; `python -m ddpm_lessons train --help`"):
            load(missing)


@pytest.mark.parametrize("keep", [0, 4, 20, 200, -1])
def test_truncated_weights_are_found_out(keep, tmp_path):
    file = tmp_path / "x.safetensors"
    save(file, {"a": torch.randn(100)}, {})
    file.write_bytes(file.read_bytes()[:keep])
    said = error(file)
    assert "is cut short or no safetensors file" in said and said.endswith("fetch or train it again")


def test_a_text_file_is_no_weights(tmp_path):
    (tmp_path / "x").write_text("hello, I am not a network at all")
    assert "no safetensors file" in error(tmp_path / "x")


@pytest.mark.parametrize("zipped", [True, False])
def test_pickles_are_never_opened(zipped, tmp_path, monkeypatch):
    torch.save({"a": torch.zeros(2)}, tmp_path / "x.pt", _use_new_zipfile_serialization=zipped)
    monkeypatch.setattr("pickle.Unpickler", interrupted)
    said = error(tmp_path / "x.pt")
    assert said.endswith("is a pickle, which can run code when opened; only safetensors files are read here")


def test_foreign_safetensors_are_told_apart(tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "x.safetensors")
    assert "was not written by ddpm_lessons" in error(tmp_path / "x.safetensors")


def test_weights_of_another_net_are_refused(tmp_path):
    run, other = fresh(), Run(UNet(channels=1, widths=(8, 8), cond_dim=2))
    save_run(tmp_path / "x", other, {})
    with pytest.raises(ValueError, match="x holds the weights of another net: ") as e:
        load_run(tmp_path / "x", run)
    assert "\n" not in str(e.value) and len(str(e.value)) < 300


def test_fit_reads_half_precision():
    a, b = nn.Linear(2, 2), nn.Linear(2, 2)
    load_weights(b, {k: v.half() for k, v in a.state_dict().items()}, "x")
    assert b.weight.dtype == torch.float32
    torch.testing.assert_close(b.weight, a.weight.half().float())


def test_an_older_pytorch_that_does_not_tell_computes_in_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert fast_precision("cpu") is None


def test_a_gradient_that_is_not_finite_stops_before_it_spoils_the_weights():
    net = torch.nn.Linear(2, 1)
    run = Run(net)
    before = net.weight.detach().clone()

    def loss(net, x0, cond, rng):  # 0, but the slope of a square root at 0 is not finite
        return (net(x0) * 0).abs().sqrt().sum()

    with pytest.raises(FloatingPointError, match="try a smaller lr"):
        list(train(run, lambda rng: (torch.ones(3, 2), None), loss, 1))
    assert torch.equal(net.weight, before)
