"""What do two processes bring?  Pictures a second with one and with two, at equal pictures a process, and their ratio.

    python tests/benchmarks/processes.py [--steps 8]     (about a minute on two CPU cores; asserts nothing)

Trains the flowers' network on made-up pictures. On the CPU each process has one thread; on GPUs each has a card.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch
from accelerate import notebook_launcher

from ddpm_lessons.cli.train import launched
from ddpm_lessons.conditions import classes
from ddpm_lessons.systems.flowers import flowers
from ddpm_lessons.training import fast_precision, train


def work(steps: int, file: Path) -> None:
    """Take the steps; the first process writes down the pictures a second of all of them."""
    torch.set_num_threads(1)
    recipe, accelerator = flowers(), launched()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu") if accelerator is None else accelerator.device
    n = 1 if accelerator is None else accelerator.num_processes
    x0, cond = 2 * torch.rand(recipe.batch, 3, 32, 32) - 1, classes(torch.arange(recipe.batch) % 5, 5)
    run, precision = recipe.run().to(device), fast_precision(device)
    for log in train(run, lambda rng: (x0, cond), recipe.loss, steps + 2, precision, accelerator):
        if log.step == 2:  # the first two warm up
            begin = time.perf_counter()
    if accelerator is None or accelerator.is_main_process:
        file.write_text(f"{n * recipe.batch * steps / (time.perf_counter() - begin)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=8)
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        two, one = Path(folder) / "2", Path(folder) / "1"
        notebook_launcher(work, (a.steps, two), num_processes=2)
        work(a.steps, one)
        rates = [float(f.read_text()) for f in (one, two)]
    print(f"one process {rates[0]:.1f} pictures/s, two {rates[1]:.1f}: {rates[1] / rates[0]:.2f} times as many")
