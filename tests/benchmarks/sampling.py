"""Samplers, measured with the bundled weights: what lesson 08 draws.  (Guidance scales: guidance.py)

    python tests/benchmarks/sampling.py samplers [-n 500] [--only ddpm]     data/samplers.json (an hour, mostly ddpm)

Times are those of two CPU cores. Rows that the file holds for the same weights and n are kept, so that an interrupted
run goes on, and two runs (--only) can share the work. Every row starts from the same x_T. Needs the photographs.

- Fréchet and kernel distance to photographs, with their floors in the head;
- agreement: the share of samples that a linear classifier on the features, trained on photographs, takes for the kind
  asked for; `agreement_photographs` is its share of right answers on photographs that it was not trained on;
- diversity: the mean distance between the features of two samples of a kind, relative to that of two photographs.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from ddpm_lessons.data import flowers
from ddpm_lessons.evaluation import Yardstick, efficientnet, linear_classifier
from ddpm_lessons.samplers import ddim, ddpm, dpmpp_2m
from ddpm_lessons.systems import open_weights
from ddpm_lessons.systems.sampling import samples
from ddpm_lessons.training.files import load

DATA = Path(__file__).parents[2] / "data"
SAMPLERS = {
    "ddim": ddim,
    "ddim, eta 1": lambda *a, **k: ddim(*a, **k, eta=1.0),
    "dpmpp_2m": dpmpp_2m,
    "ddpm": ddpm,
}
FEW = [(name, steps) for name in SAMPLERS if name != "ddpm" for steps in (5, 10, 20, 50)]
PLANS = {  # what is varied -> rows of (sampler, steps, scale)
    "samplers": [(name, steps, 2.0) for name, steps in [*FEW, ("ddpm", 1000)]],
}

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("plan", choices=PLANS)
parser.add_argument("-n", type=int, default=500)
parser.add_argument("--weights", default=DATA / "flowers.safetensors")
parser.add_argument("--only", choices=SAMPLERS)
parser.add_argument("--out", type=Path)
a = parser.parse_args()
out = a.out or DATA / f"{a.plan}.json"


def right(features: Tensor, y: Tensor) -> float:
    """The share that the classifier takes for y."""
    return float((classifier(features).argmax(1) == y).double().mean())


def spread(features: Tensor, y: Tensor) -> float:
    """The mean distance between two pictures of the same kind."""
    return float(torch.stack([torch.pdist(features[y == k]).mean() for k in y.unique()]).mean())


recipe, net = open_weights(a.weights)
photos = flowers(recipe.size)
measure = Yardstick(photos.x, a.n, efficientnet())
rest = measure.order[a.n :]
known = torch.cat([measure.other, measure.features(photos.x[rest[a.n :]])])
classifier = linear_classifier(known, photos.y[rest])
y, labels = photos.y[measure.order[: a.n]], torch.arange(a.n) % len(recipe.classes)
head = {
    "weights_step": load(a.weights)[1]["step"],
    "n": a.n,
    "features": measure.features.name,
    "frechet_floor": round(measure.floor[0], 2),
    "kernel_floor": round(measure.floor[1], 5),
    "agreement_photographs": round(right(measure.real, y), 4),
}


def saved() -> dict:
    """What the file holds for these weights and this n; a new record otherwise."""
    if out.exists() and (record := json.loads(out.read_text())) and record | head == record:
        return record
    return head | {"rows": []}


for name, steps, scale in PLANS[a.plan]:
    key = {"sampler": name, "steps": steps, "scale": scale}
    if (a.only and name != a.only) or any(r | key == r for r in saved()["rows"]):
        continue
    found = measure.features(samples(replace(recipe, sampler=SAMPLERS[name]), net, labels, steps, scale, 1000))
    d = measure.of(found)
    scores = {"agreement": right(found, labels), "diversity": spread(found, labels) / spread(measure.real, y)}
    row = key | {k: round(v, 4) for k, v in {"frechet": d.frechet, "kernel": d.kernel, **scores}.items()}
    record = saved()
    record["rows"].append(row)
    out.write_text(json.dumps(record, indent=1) + "\n")
    tqdm.write(str(row))
