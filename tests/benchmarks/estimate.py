"""Is the calculator of `python -m ddpm_lessons estimate` right?  Prints predicted against measured; asserts nothing.

    python tests/benchmarks/estimate.py [NAME ...]     (about 3 minutes on one CPU core)

1. This processor's peaks, one thread: a product of matrices of 1024 x 1024, a copy of 128 MB.
2. Training steps on it: the seconds that the peaks predict, against the processor's own clock, so that other work on
   the machine counts little; and the memory that a process grows by.
3. ResNet-50 on a T4: pictures a second, against NVIDIA's own measurements, from which `share` and `start` are taken.
"""

import multiprocessing
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import psutil
import torch
from torchvision.models import resnet50

from ddpm_lessons.cli.estimate import CORE, T4, Machine, counted, example, grown, work
from ddpm_lessons.systems import registry
from ddpm_lessons.training import fast_precision, train

NAMES = ("digits", "flowers", "flowers_text", "mnist_text", "cifar10_small", "autoencoder", "flowers_cascade", "clip")
# github.com/NVIDIA/DeepLearningExamples, resnet50v1.5 for PyTorch, "Inference performance: NVIDIA T4"
PUBLISHED = {  # (float16, batch)
    (False, 1): 98,
    (False, 64): 428,
    (False, 256): 415,
    (True, 1): 79,
    (True, 16): 1050,
    (True, 256): 1198,
}


def quickest(f: Callable[[], object], times: int) -> float:
    """Seconds of this process's own time."""
    taken = []
    for _ in range(times):
        begin = time.process_time()
        f()
        taken.append(time.process_time() - begin)
    return min(taken)


def peaks(dtype: torch.dtype) -> tuple[float, float]:
    """FLOPs and bytes a second at best."""
    a, big = torch.randn(1024, 1024).to(dtype), torch.randn(2**25)
    into = torch.empty_like(big)
    return 2 * 1024**3 / quickest(lambda: a @ a, 10), 2 * 4 * 2**25 / quickest(lambda: into.copy_(big), 5)


def measured(name: str, precision: torch.dtype | None, into) -> None:
    """Seconds a step, and by how many bytes the process grows in four steps."""
    torch.set_num_threads(1)
    system, own = registry.system(name), psutil.Process()
    run, batch = system.run(), example(system)
    batch(torch.Generator().manual_seed(0))
    before, sizes, taken = own.memory_info().rss, [], []
    steps, begin = train(run, batch, system.losses, 4, precision), time.process_time()
    threading.Thread(target=watch, args=(own, sizes), daemon=True).start()
    for _ in steps:
        taken.append(time.process_time() - begin)
        begin = time.process_time()
    into.put((statistics.median(taken[1:]), max(sizes) - before))


def watch(process: psutil.Process, sizes: list[int]) -> None:
    """Note the size of a process a hundred times a second."""
    while True:
        sizes.append(process.memory_info().rss)
        time.sleep(0.01)


def main(names: list[str]) -> None:
    torch.set_num_threads(1)
    for precision in dict.fromkeys((None, fast_precision("cpu"))):
        here = CORE if precision else replace(CORE, share=0.85, width=1.0)
        flops, bandwidth = peaks(precision or torch.float32)
        print(f"one core, {precision or torch.float32}: {flops / 1e9:.0f} GFLOPS, {bandwidth / 1e9:.1f} GB/s\n")
        table(names, replace(here, flops=flops, bandwidth=bandwidth), precision)
    resnet()


def table(names: list[str], here: Machine, precision: torch.dtype | None) -> None:
    """Predicted and measured steps of the systems."""
    print(f"{'':16} {'GFLOP':>7} {'predicted':>10} {'measured':>9} {'ratio':>6}   {'GB predicted':>12} {'grew by':>8}")
    ratios, spawn = [], multiprocessing.get_context("spawn")
    for name in names or NAMES:
        found, said = work(registry.system(name)), spawn.Queue()
        process = spawn.Process(target=measured, args=(name, precision, said))
        process.start()
        seconds, grew = said.get()
        process.join()
        ratios.append(found.seconds(here) / seconds)
        print(
            f"{name:16} {found.flops / 1e9:7.1f} {found.seconds(here):8.2f} s {seconds:7.2f} s {ratios[-1]:6.2f}"
            f"   {(found.kept + 4 * 3 * found.parameters) / 1e9:12.2f} {grew / 1e9:8.2f}",
            flush=True,
        )
    print(f"ratios {min(ratios):.2f} to {max(ratios):.2f}, geometric mean {statistics.geometric_mean(ratios):.2f}\n")


def resnet() -> None:
    """Predicted and published pictures a second."""
    net = resnet50().eval()
    x = torch.randn(4, 3, 224, 224)
    two, four = (counted(net, [lambda n=n: net(x[:n])], back=False) for n in (2, 4))
    full = replace(T4, flops=8.1e12, share=0.5, width=1.0)
    print("ResNet-50 on a T4, pictures a second   predicted  published")
    for (half, n), rate in PUBLISHED.items():
        predicted = n / grown(two, four, n).seconds(T4 if half else full)
        print(f"{'float16' if half else 'float32'}, batch {n:3} {predicted:27.0f} {rate:10}   {predicted / rate:.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
