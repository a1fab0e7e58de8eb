"""The command `estimate`: what a step of training costs, and how long the systems would train on Colab's T4.

Each operation of a step takes as long as its arithmetic, its memory traffic or its start, whichever is longest: the
roofline of Williams, Waterman and Patterson (doi 10.1145/1498765.1498785). `tests/benchmarks/estimate.py` compares with
what is measured.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from ..conditions import Cond
from ..data import Pictures
from ..data.batches import Tell
from ..data.drawn import draw
from ..systems import registry
from ..systems.base import System
from ..text.captioning import Text
from ..training.loop import Batch
from .info import lasts
from .train import with_batch


@dataclass(frozen=True)
class Machine:
    """flops, bandwidth: at best, a second;  share: of `flops` that convolutions and matrix products reach.

    start: seconds before an operation runs;  width: of a number, in units of float32's.
    """

    flops: float
    bandwidth: float
    share: float
    start: float
    width: float


# peaks: NVIDIA's data sheet; share and start: fitted to what NVIDIA measured of ResNet-50 on a T4 (the benchmark)
T4 = Machine(65e12, 320e9, share=0.25, start=50e-6, width=0.5)
CORE = Machine(200e9, 20e9, share=0.4, start=10e-6, width=0.5)  # a server's in bfloat16, as the benchmark measured


class Operation(NamedTuple):
    """What one operation computes, and what it reads and writes, in bytes of float32."""

    flops: float
    bytes: float


class Work(NamedTuple):
    """One step of training.  kept: bytes that wait for the way back."""

    operations: list[Operation]
    kept: float
    parameters: int

    @property
    def flops(self) -> float:
        """All of the step's."""
        return sum(op.flops for op in self.operations)

    @property
    def memory(self) -> float:
        """Bytes of float32: weights, gradients, Adam's two moments, the average, and what waits for the way back."""
        return 4 * 5 * self.parameters + self.kept

    def seconds(self, on: Machine) -> float:
        """How long the step takes, roughly."""
        rate = on.flops * on.share
        return sum(max(op.flops / rate, op.bytes * on.width / on.bandwidth, on.start) for op in self.operations)


class Counter(TorchDispatchMode):
    """Writes down all that is computed inside it."""

    def __init__(self):
        super().__init__()
        self.operations: list[Operation] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        views = any(r.alias_info is not None and not r.alias_info.is_write for r in func._schema.returns)
        if not views:  # a view moves nothing
            tensors = {id(t): t for t in tree_leaves((args, kwargs, out)) if isinstance(t, Tensor)}.values()
            count = flop_registry.get(func._overloadpacket)
            flops = 0 if count is None else count(*args, **kwargs, out_val=out)
            self.operations.append(Operation(flops, sum(t.numel() * t.element_size() for t in tensors)))
        return out


def counted(net: nn.Module, losses: list[Callable[[], Tensor]], back: bool = True) -> Work:
    """The work of losses, one after the other, and of the way back from each; or of the outputs alone."""
    own, operations, most = {p.untyped_storage().data_ptr() for p in net.parameters()}, [], 0
    for loss in losses:
        kept = {}

        def keep(t: Tensor, kept=kept) -> Tensor:
            if t.untyped_storage().data_ptr() not in own:
                kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
            return t

        net.zero_grad()
        with Counter() as counter, saved_tensors_hooks(keep, lambda t: t), torch.set_grad_enabled(back):
            out = loss()
            if back:
                out.backward()
        operations, most = operations + counter.operations, max(most, sum(kept.values()))
    return Work(operations, most, sum(p.numel() for p in net.parameters() if p.requires_grad))


def grown(two: Work, four: Work, n: int) -> Work:
    """The work with n pictures, from that with two and with four: all of it is a + b n."""
    to = lambda a, b: a + (b - a) * (n - 2) / 2  # noqa: E731
    pairs = zip(two.operations, four.operations, strict=True)
    operations = [Operation(to(a.flops, b.flops), to(a.bytes, b.bytes)) for a, b in pairs]
    return Work(operations, to(two.kept, four.kept), two.parameters)


def work(system: System) -> Work:
    """One step of a system's training, with its own batch."""
    net = system.build().to(memory_format=torch.channels_last)

    def step(of: System) -> Work:
        rng = torch.Generator().manual_seed(0)
        x0, cond = example(of)(rng)
        return counted(net, [lambda loss=loss: loss(net, x0, cond, rng) for loss in of.losses])

    if system.batch is None:
        found = step(system)
    else:
        _, two, four = (step(with_batch(system, n)) for n in (2, 2, 4))  # the first also opens what a loss looks with
        found = grown(two, four, system.batch)
    # Adam reads four numbers a parameter and writes three, the average three; clipping and clearing take five
    return found._replace(operations=[*found.operations, Operation(0, 4 * 15 * found.parameters)])


def example(system: System) -> Batch:
    """The system's batches of a few drawn pictures; what it is told is right in its shape alone."""
    n = 800 if system.batch is None else 40  # where the system decides, its batch grows with the data
    x, _ = draw(torch.arange(n) % 5, system.size + 16, torch.Generator().manual_seed(0))
    x = x[:, :1] if getattr(system, "net", {}).get("channels") == 1 else x
    if getattr(system, "text", None):  # no text model has to be fetched
        system = replace(system, text=Text("zeros", lambda prompts: None, lambda pictures: zeros(system.net)))
    return system.batches(Pictures(x, torch.arange(n) % len(system.classes), system.classes, "drawn"))


def zeros(net: dict[str, Any]) -> Tell:
    """What a network of these arguments might be told: a vector, and a text of 32 tokens."""

    def tell(i, rng):
        seq = torch.zeros(len(i), 32, net["token_dim"]) if net.get("token_dim") else None
        return Cond(torch.zeros(len(i), net["cond_dim"]), seq, None if seq is None else torch.ones(len(i), 32) > 0)

    return tell


def estimate_command(a: argparse.Namespace) -> None:
    """Print what each system's training asks of a T4: time and memory, beside two CPU cores."""
    heads = f"{'parameters':>10} {'batch':>5} {'a step':>13} {'on a T4':>8} {'memory':>9} {'two cores':>9} {'T4':>8}"
    print(f"{'':19} {heads}")
    for name in a.names or registry.SYSTEMS:
        system = registry.system(name)
        found = work(system)
        minutes = system.minutes * found.seconds(T4) / (found.seconds(CORE) / 2)
        print(
            f"{name:19} {found.parameters / 1e6:8.1f} M {system.batch or '':>5} {found.flops / 1e9:7.0f} GFLOP"
            f" {1e3 * found.seconds(T4):5.0f} ms {found.memory / 1e9:6.1f} GB"
            f" {lasts(system.minutes):>9} {lasts(minutes):>8}",
            flush=True,
        )
    print(NOTE)


NOTE = """
An estimate from the arithmetic and the memory traffic of one step: tests/benchmarks/estimate.py says how good it is.
T4: the time for as many steps as two CPU cores take in theirs. Memory: at most, as if nothing were in 16 bits; a T4 has
16 GB, of which about 15 can be used. Reading and preparing the data is not counted."""
