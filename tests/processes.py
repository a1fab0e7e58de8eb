"""What the tests and benchmarks run in processes of their own: a tiny system, trained by the command line.

python tests/processes.py train tiny --steps 5 --out runs       (accelerate launch puts several to work)
"""

import sys

import torch

from ddpm_lessons import __main__ as command
from ddpm_lessons import data
from ddpm_lessons.cli import train as command_train
from ddpm_lessons.schedules import cosine
from ddpm_lessons.systems import Diffusion
from ddpm_lessons.systems.registry import SYSTEMS

CLASSES = ("black", "white")


def squares(size: int, folder=None) -> data.Pictures:
    """Grey squares."""
    y = torch.arange(20) % 2
    x = (2.0 * y - 1).view(-1, 1, 1, 1).expand(-1, 1, size, size) * torch.linspace(0.9, 1, size)
    return data.Pictures(x, y, CLASSES, "squares")


NET = dict(channels=1, widths=(8,))
TINY = Diffusion("tiny", "squares", squares, CLASSES, 8, NET, cosine(50), margin=2, batch=4, fall=3, minutes=1)


def main(argv: list[str], save_every: float = 0) -> int:
    """The command line, with the tiny system in float32 and a save after every step, or after so many seconds."""
    SYSTEMS["tiny"] = lambda: TINY
    command_train.SAVE_EVERY = save_every
    command_train.fast_precision = lambda device: None
    return command.main(argv)


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main(sys.argv[1:]))
