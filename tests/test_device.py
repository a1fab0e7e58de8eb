"""Where and in which precision training runs: a T4's float16 and an A100's bfloat16, by the card's capability alone."""

import pytest
import torch

from ddpm_lessons import __main__ as command
from ddpm_lessons.cli import train as cli
from ddpm_lessons.cli.estimate import CORE, T4, counted, work
from ddpm_lessons.cli.train import with_batch
from ddpm_lessons.data import sets
from ddpm_lessons.systems import registry
from ddpm_lessons.training import fast_precision, loop
from ddpm_lessons.training.files import load

CARDS = {"P100": ((6, 0), None), "T4": ((7, 5), torch.float16), "A100": ((8, 0), torch.bfloat16)}


drawn = sets.drawn


@pytest.fixture(params=CARDS)
def card(request, monkeypatch):
    """A graphics card that tells its capability and leaves the arithmetic to the CPU -> its precision."""
    capability, precision = CARDS[request.param]
    monkeypatch.setattr(sets, "drawn", lambda n, size, rng: drawn(40, size, rng))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *a: True)  # as a T4 says, which emulates it
    asked = []
    monkeypatch.setattr(cli, "device", lambda: asked.append("device") or torch.device("cpu"))
    monkeypatch.setattr(cli, "fast_precision", lambda device: asked.append("precision") or fast_precision("cuda"))
    yield precision
    assert {"device", "precision"} <= set(asked)


def train(out, steps: int, *more: str) -> dict:
    """`train drawn` with four pictures a step -> what the run's file remembers, with its numbers."""
    assert command.main(["train", "drawn", "--steps", str(steps), "--batch", "4", "--out", str(out), *more]) == 0
    tensors, info = load(out / "drawn.run.safetensors")
    return info | {"tensors": tensors}


def test_the_whole_of_training_in_the_cards_precision(card, tmp_path, capsys):
    """From the command line to the files, and on again: batches, loss, scaler, optimiser, average, samples."""
    seen, autocast = [], torch.autocast

    def noted(device, dtype=None, enabled=True, **kw):
        seen.append(dtype if enabled else None)
        return autocast(device, dtype=dtype, enabled=enabled, **kw)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "autocast", noted)
        first = train(tmp_path, 3)
    assert seen[:3] == [card] * 3  # one for each step; sampling comes after
    said = capsys.readouterr().out
    assert f"cpu, {str(card or torch.float32).removeprefix('torch.')}, from step 0, to step 3" in said
    assert (first["scaler"] is not None) == (card is torch.float16)  # small gradients vanish in float16 alone
    system = with_batch(registry.system("drawn"), 4)
    whole = [log.loss for log in loop.train(system.run(), system.batches(system.pictures()), system.losses, 3)]
    assert first["tensors"]["losses"].tolist() == pytest.approx(whole, rel=0.01)  # half the bits lose next to nothing
    again = train(tmp_path, 5, "--resume")
    assert again["step"] == 5 and len(again["tensors"]["losses"]) == 5
    if card is torch.float16:
        assert again["scaler"]["scale"] <= first["scaler"]["scale"] <= 2.0**16
    weights = {k: v for k, v in again["tensors"].items() if k.startswith(("net.", "ema.", "opt."))}
    assert all(v.isfinite().all() and v.dtype != torch.float16 for v in weights.values() if v.is_floating_point())
    assert (tmp_path / "drawn.png").exists()


def test_flops_and_bytes_of_a_convolution_are_counted():
    net, x = torch.nn.Conv2d(3, 8, 3, padding=1, bias=False), torch.randn(2, 3, 16, 16)
    found = counted(net, [lambda: net(x).sum()])
    once = 2 * 2 * 8 * 3 * 9 * 16 * 16  # two FLOPs for each multiplication with an addition
    assert found.flops == 2 * once  # there, and back to the weights; the picture asks for no gradient
    assert found.kept == x.numel() * 4 and found.parameters == 216
    there = counted(net, [lambda: net(x)], back=False)
    assert there.flops == once and there.kept == 0
    assert there.operations[0].bytes == 4 * (x.numel() + 216 + 2 * 8 * 16 * 16)


@pytest.mark.parametrize("name", ["digits", "flowers_text"])
def test_a_large_batch_is_extrapolated_exactly(name):
    """What is counted with two and with four pictures tells what six take."""
    small, six = (work(with_batch(registry.system(name), n)) for n in (4, 6))
    assert six.parameters == small.parameters and len(six.operations) == len(small.operations)
    assert small.flops * 6 / 4 == pytest.approx(six.flops, rel=0.02)
    assert small.memory < six.memory < 1.5 * small.memory
    assert six.seconds(T4) < six.seconds(CORE)


def test_estimates_are_printed(capsys):
    names = ["mnist_text", "gan", "prior"]
    assert command.main(["estimate", *names]) == 0
    lines = capsys.readouterr().out.splitlines()[1:4]
    assert [line.split()[0] for line in lines] == names
    assert all("GFLOP" in line and line.endswith(("min", "hours")) for line in lines)
    assert command.main(["estimate", "elephants"]) == 1
    assert "there is no system 'elephants'" in capsys.readouterr().err
