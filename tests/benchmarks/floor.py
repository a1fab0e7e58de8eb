"""Distance against n, with the floor at each n: writes data/floor.json, which lesson 10 draws.

    python tests/benchmarks/floor.py     (about 5 minutes on two CPU cores)

Samples of the bundled weights (25 DDIM steps, the recipe's guidance) and photographs, both against other photographs.
A small n is measured on several disjoint sets, up to 8: the mean and the standard deviation of the distances.
Needs the photographs.
"""

import json
from dataclasses import replace
from pathlib import Path

import torch

from ddpm_lessons.data import flowers
from ddpm_lessons.evaluation import efficientnet, frechet, kernel
from ddpm_lessons.samplers import ddim
from ddpm_lessons.systems import bundled
from ddpm_lessons.systems.sampling import samples

NS, LARGEST = (25, 50, 100, 200, 500, 1000), 1000
recipe, net = bundled("flowers")
photos, features = flowers(recipe.size).x, efficientnet()
order = torch.randperm(len(photos), generator=torch.Generator().manual_seed(0))
real, other = features(photos[order[: 2 * LARGEST]]).chunk(2)
shuffled = torch.randperm(LARGEST, generator=torch.Generator().manual_seed(1))
labels = (torch.arange(LARGEST) % len(recipe.classes))[shuffled]  # so that any n of them are of all classes
fake = features(samples(replace(recipe, sampler=ddim), net, labels, 25, None, 1000))


def measured(a: torch.Tensor, n: int) -> dict:
    """Both distances between disjoint parts of n: their means and standard deviations."""
    pairs = list(zip(a.split(n), real.split(n), strict=True))[:8]
    found = {}
    for name, distance in {"frechet": frechet, "kernel": kernel}.items():
        d = torch.tensor([distance(x, y) for x, y in pairs])
        found |= {name: round(float(d.mean()), 4), f"{name}_std": round(float(d.std()), 4) if len(d) > 1 else None}
    return found


rows = [{"n": n, "sets": min(8, LARGEST // n), "samples": measured(fake, n), "floor": measured(other, n)} for n in NS]
record = {"features": features.name, "steps": 25, "scale": recipe.scale, "rows": rows}
Path(__file__).parents[2].joinpath("data", "floor.json").write_text(json.dumps(record, indent=1) + "\n")
for row in rows:
    print(row)
