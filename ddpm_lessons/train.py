"""Training as a generator, the average of the weights, and files that survive an interruption."""

import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from .conditions import Cond
from .forward import check_pictures

Batch = Callable[[torch.Generator], tuple[Tensor, Cond | None]]  # rng -> (x0, cond)
Loss = Callable[[nn.Module, Tensor, Cond | None, torch.Generator], Tensor]  # (net, x0, cond, rng) -> ()


class Log(NamedTuple):
    """What one step of training tells: its number, from 1, and its loss."""

    step: int
    loss: float


@dataclass
class Run:
    """All that a training run must remember, so that it can stop and go on: net, average, optimiser, step.

    lr: rises over the first 200 steps and, from step `fall` on, falls as sqrt(fall / step) (EDM2, arXiv 2312.02696):
    a rule that needs no end, so that a run can always go on.  decay: of the average, which is a copy up to step
    `average_from`;  seed: of all that is drawn.
    """

    net: nn.Module
    lr: float = 1e-3
    decay: float = 0.999
    seed: int = 0
    fall: float = math.inf
    average_from: int = 0
    step: int = 0
    losses: list[float] = field(default_factory=list)
    ema: AveragedModel = field(init=False)
    opt: torch.optim.Optimizer = field(init=False)

    def __post_init__(self):
        self.net = self.net.to(memory_format=torch.channels_last)  # twice as fast on a CPU, and on tensor cores
        self.ema = ema_of(self.net, self.decay, self.average_from)
        self.opt = torch.optim.AdamW(self.net.parameters(), lr=self.lr, betas=(0.9, 0.99), weight_decay=0.0)

    def lr_now(self) -> float:
        """The learning rate of the coming step. Adam's first steps know nothing of the gradients' size: it warms up."""
        k = self.step + 1
        return self.lr * min(1.0, k / 200, (self.fall / k) ** 0.5)

    def to(self, device: torch.device | str) -> "Run":
        """Move the net, its average and the optimiser's moments; returns itself."""
        self.net.to(device), self.ema.to(device)
        for p, state in self.opt.state.items():
            self.opt.state[p] = {k: v if k == "step" else v.to(device) for k, v in state.items()}
        return self


def ema_of(net: nn.Module, decay: float, start: int = 0) -> AveragedModel:
    """The moving average of the weights: a copy for `start` steps, then its decay warms up, (1 + n) / (10 + n).  (6.2)

    n counts the steps since then.
    """

    def average(averaged, current, n):
        n = float(n) - start
        d = min(decay, (1 + n) / (10 + n)) if n >= 0 else 0.0
        torch._foreach_lerp_(averaged, current, 1 - d)

    return AveragedModel(net, multi_avg_fn=average, use_buffers=False)


def train(
    run: Run,
    batch: Batch,
    loss: Loss,
    steps: int,
    precision: torch.dtype | None = None,
    accelerator: Any = None,
) -> Iterator[Log]:
    """Take `steps` steps (DDPM, algorithm 1) and yield a Log after each; stop early by leaving the loop.  (6.1)

    Step k draws its pictures, its t and its noise from a generator seeded by (seed, k) alone, so a resumed run walks
    the very path of an uninterrupted one. precision: torch.bfloat16 or torch.float16 (`fast_precision` chooses) to
    compute in half the bits. accelerator: accelerate's, inside a process that it launched: each process draws its own
    batch, and gradients and losses are averaged, as if one process had drawn one batch of them all.
    Raises ValueError when the first batch is not pictures in [-1, 1], FloatingPointError when the loss is not finite.
    """
    net, process, device = run.net, 0, next(run.net.parameters()).device
    if accelerator is not None:
        net, process = accelerator.prepare_model(run.net), accelerator.process_index
    # float16 ends at 6e-8: small gradients are multiplied up before they are computed, and down before they are used
    scaler = torch.amp.GradScaler(device.type, enabled=precision is torch.float16)
    for i in range(steps):
        rng = torch.Generator().manual_seed(run.seed * 1_000_003 + run.step + (process << 40))
        x0, cond = batch(rng)
        if i == 0 and x0.ndim > 2:  # the points of the 2-D lessons are no pictures
            check_pictures(x0)
        net.train()
        with torch.autocast(device.type, dtype=precision, enabled=precision is not None):
            now = loss(net, x0.to(device), None if cond is None else cond.to(device), rng)
        value = now.detach() if accelerator is None else accelerator.reduce(now.detach(), "mean")
        value = value.item()
        if not math.isfinite(value):
            raise FloatingPointError(f"the loss is {value} at step {run.step + 1}: try a smaller lr than {run.lr}")
        run.opt.zero_grad()
        scaler.scale(now).backward()
        scaler.unscale_(run.opt)
        finite = nn.utils.clip_grad_norm_(run.net.parameters(), 1.0).isfinite()
        if not finite and scaler.get_scale() <= 1:  # before it spoils the weights; a scale too large is made smaller
            raise FloatingPointError(f"no finite gradient at step {run.step + 1}: try a smaller lr than {run.lr}")
        run.opt.param_groups[0]["lr"] = run.lr_now()
        scaler.step(run.opt)
        scaler.update()
        run.ema.update_parameters(run.net)
        run.step += 1
        run.losses.append(value)
        yield Log(run.step, value)


def fast_precision(device: torch.device | str) -> torch.dtype | None:
    """The type that the device computes fastest in: torch.bfloat16, torch.float16, or None (stay in float32)."""
    if torch.device(device).type == "cuda":  # a T4 (7.5) says that it supports bfloat16, but emulates it
        capability = torch.cuda.get_device_capability(device)
        return torch.bfloat16 if capability >= (8, 0) else torch.float16 if capability >= (7, 0) else None
    knows = getattr(torch.cpu, "get_capabilities", dict)  # older versions of PyTorch do not tell
    return torch.bfloat16 if knows().get("avx512_bf16") else None


def save_run(path: str | Path, run: Run, info: dict) -> None:
    """Write all of a run: net, average, the optimiser's moments, step and losses. `info` goes along as JSON."""
    tensors = {f"net.{k}": v for k, v in run.net.state_dict().items()}
    tensors["losses"] = torch.tensor(run.losses, dtype=torch.float64)
    tensors |= {f"ema.{k}": v for k, v in run.ema.module.state_dict().items()}
    for i, p in enumerate(run.net.parameters()):
        tensors |= {f"opt.{i}.{k}": v for k, v in run.opt.state[p].items()}
    save(path, tensors, info | {"step": run.step, "seed": run.seed, "n_averaged": int(run.ema.n_averaged)})


def load_run(path: str | Path, run: Run) -> dict:
    """Put a saved run back into a fresh one of the same net; returns the saved info. Raises ValueError like `load`."""
    tensors, info = load(path)
    fit(run.net, _under(tensors, "net."), path)
    fit(run.ema.module, _under(tensors, "ema."), path)
    for i, p in enumerate(run.net.parameters()):
        state = _under(tensors, f"opt.{i}.")
        run.opt.state[p] = {k: v if k == "step" else torch.empty_like(p).copy_(v) for k, v in state.items()}
    run.step, run.seed, run.losses = info["step"], info["seed"], tensors["losses"].tolist()
    run.ema.n_averaged.fill_(info["n_averaged"])
    return info


def save(path: str | Path, tensors: dict[str, Tensor], info: dict) -> None:
    """Write a safetensors file whole or not at all: the last good file stays until the new one is on the disk.

    Raises OSError, with the path and what to do, when it cannot be written.
    """
    path = Path(path)
    tensors = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    new = path.with_name(path.name + ".part")  # the same name every time: what a killed process leaves is overwritten
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, new, metadata={"ddpm_lessons": json.dumps(info)})
        with open(new, "rb+") as f:
            os.fsync(f.fileno())
        os.chmod(new, 0o644)  # safetensors writes for the owner alone
        os.replace(new, path)
    except (OSError, SafetensorError) as e:
        raise OSError(f"could not write {path}: {e}. What was there is unharmed; is the disk full?") from e
    finally:
        if new.is_file():
            new.unlink()


def load(path: str | Path) -> tuple[dict[str, Tensor], dict]:
    """Read a file that `save` wrote -> (tensors, info). No pickle is ever opened.

    Raises FileNotFoundError when there is none and ValueError when it is cut short, foreign or pickled.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}; `python -m ddpm_lessons train --help` says how to make some")
    try:
        with safe_open(path, framework="pt") as f:
            info = json.loads((f.metadata() or {}).get("ddpm_lessons", "null"))
            tensors = {k: f.get_tensor(k).clone() for k in f.keys()}  # no longer tied to the file
    except (SafetensorError, ValueError) as e:
        with open(path, "rb") as f:
            head = f.read(2)
        if head in (b"PK", b"\x80\x02", b"\x80\x04", b"\x80\x05"):
            why = "which can run code when opened; only safetensors files are read here"
            raise ValueError(f"{path} is a pickle, {why}") from e
        raise ValueError(f"{path} is cut short or no safetensors file ({e}); fetch or train it again") from e
    if info is None:
        raise ValueError(f"{path} was not written by ddpm_lessons: it does not say which recipe it belongs to")
    return tensors, info


def fit(net: nn.Module, tensors: dict[str, Tensor], path: str | Path) -> None:
    """Load weights into a net. Raises ValueError when they belong to another one."""
    try:
        net.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})
    except RuntimeError as e:
        raise ValueError(f"{path} holds the weights of another net: {str(e).splitlines()[1].strip()[:150]}") from e


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
