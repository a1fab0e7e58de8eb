"""Lesson 06's own training, gone on with to 5,000 steps: its samples after 500, 1,000, 2,000 and 5,000 of them.

    python tests/benchmarks/first_run.py        writes data/first_run.png, in about 6 minutes of one CPU core

The notebook's own cells are run as they stand, up to the one that trains, so the row of 500 steps is what the notebook
shows. A row for each number of steps, a column for each of ten noises, which are the same in all rows.
"""

import os
from pathlib import Path

import nbformat
import torch
from einops import rearrange
from torchvision.transforms.functional import to_pil_image

from ddpm_lessons.training import train

ROOT = Path(__file__).parents[2]
STEPS = (500, 1000, 2000, 5000)


def main() -> None:
    os.environ.setdefault("DDPM_LESSONS_DATA", "none")
    cells = [
        c.source for c in nbformat.read(ROOT / "notebooks" / "06_training.ipynb", 4).cells if c.cell_type == "code"
    ]
    last = next(k for k, source in enumerate(cells) if "STEPS // 5" in source)
    space = {}
    for source in cells[1 : last + 1]:  # without the one that installs on Colab
        exec(source, space)
        space["show"] = lambda *args: None  # there is no page to show anything on
    run, rows = space["run"], []
    for until in STEPS:
        for _ in train(run, space["batch"], space["loss"], until - run.step):
            pass
        print(f"step {run.step}: mean loss of the last 100 steps {sum(run.losses[-100:]) / 100:.4f}", flush=True)
        rows.append(space["samples"](run.ema.module, 20).cpu())
    sheet = rearrange(torch.stack(rows), "r k c h w -> c (r h) (k w)")
    to_pil_image((sheet.clamp(-1, 1) + 1) / 2).save(ROOT / "data" / "first_run.png")


if __name__ == "__main__":
    main()
