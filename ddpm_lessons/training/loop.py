"""Training as a generator: one step, one log."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..conditions import Cond
from ..forward import check_floats, check_pictures
from .run import Run

Batch = Callable[[torch.Generator], tuple[Tensor, Cond | None]]  # rng -> (x0, cond)
Loss = Callable[[nn.Module, Tensor, Cond | None, torch.Generator], Tensor]  # (net, x0, cond, rng) -> ()


class Log(NamedTuple):
    """What one step of training tells: its number, from 1, and its loss (the sum where optimisers take turns)."""

    step: int
    loss: float


def train(
    run: Run,
    batch: Batch,
    loss: Loss | Sequence[Loss],
    steps: int,
    precision: torch.dtype | None = None,
    accelerator: Any = None,
    compiled: bool = False,
) -> Iterator[Log]:
    """Take `steps` steps (DDPM, algorithm 1) and yield a Log after each; stop early by leaving the loop.  (6.1)

    loss: one, or one for each of `run.parts`, which take turns on the same batch. Step k draws its pictures, its t, its
    noise and its dropout from generators seeded by (seed, k) alone, so a resumed run walks the very path of an
    uninterrupted one. precision: torch.bfloat16 or torch.float16 (`fast_precision` chooses) to compute in half the
    bits; a step whose float16 gradients overflow is taken again with smaller ones. accelerator: accelerate's, inside a
    process that it launched: each process draws its own batch, and gradients and losses are averaged, which for a loss
    that is a mean over pictures is as if one process had drawn one batch of them all. compiled: let torch.compile join
    the network's small operations first, which takes a minute or more and pays where a card waits for the processor.
    Raises ValueError when the first batch is not pictures in [-1, 1], FloatingPointError when the loss is not finite.
    """
    net, process, device = run.net, 0, next(run.net.parameters()).device
    losses = (loss,) if callable(loss) else tuple(loss)
    if len(losses) != len(run.parts):
        raise ValueError(f"{len(run.parts)} optimisers want as many losses, got {len(losses)}")
    if accelerator is not None:
        net, process = accelerator.prepare_model(run.net), accelerator.process_index
    if compiled:
        net = torch.compile(net, mode="reduce-overhead")
    if precision is torch.float16 and run.scaler is None:
        # float16 ends at 6e-8: small gradients are multiplied up while they are computed, and down before they are used
        run.scaler = torch.amp.GradScaler(device.type)
    first, last = run.step, run.step + steps
    cards = [device] if device.type == "cuda" else []
    while run.step < last:
        number = run.seed * 1_000_003 + run.step + (process << 40)
        rng = torch.Generator().manual_seed(number)
        x0, cond = batch(rng)
        if run.step == first:
            (check_pictures if x0.ndim == 4 and x0.shape[1] in (1, 3) else check_floats)(x0)  # or points, or latents
        x0, cond = x0.to(device), None if cond is None else cond.to(device)
        with torch.random.fork_rng(devices=cards):  # dropout knows no generator but torch's own
            torch.manual_seed(number + (1 << 50))
            values = [
                _turn(run, net, opt, one, (x0, cond, rng), precision, accelerator)
                for opt, one in zip(run.optimisers, losses, strict=True)
            ]
        if None in values:
            continue
        run.ema.update_parameters(run.net)
        run.step += 1
        run.losses.append(sum(values))
        yield Log(run.step, sum(values))


def _turn(run, net, opt, loss, given, precision, accelerator) -> float | None:
    """One step of one optimiser: its loss, or None where float16's gradients overflowed and nothing was changed."""
    x0, cond, rng = given
    net.train()
    run.net.zero_grad()
    with torch.autocast(x0.device.type, dtype=precision, enabled=precision is not None):
        now = loss(net, x0, cond, rng)
    value = now.detach() if accelerator is None else accelerator.reduce(now.detach(), "mean")
    value = value.item()
    if not math.isfinite(value):
        raise FloatingPointError(f"the loss is {value} at step {run.step + 1}: try a smaller lr than {run.lr}")
    scaler = run.scaler or torch.amp.GradScaler(x0.device.type, enabled=False)
    scaler.scale(now).backward()
    scaler.unscale_(opt)
    finite = nn.utils.clip_grad_norm_([p for group in opt.param_groups for p in group["params"]], 1.0).isfinite()
    if not finite and scaler.get_scale() <= 1:  # before it spoils the weights; a scale too large is made smaller
        raise FloatingPointError(f"no finite gradient at step {run.step + 1}: try a smaller lr than {run.lr}")
    for group in opt.param_groups:
        group["lr"] = run.lr_now()
    scaler.step(opt)
    scaler.update()
    return value if finite else None
