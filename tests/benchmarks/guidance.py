"""Fidelity against diversity for a range of guidance scales: writes data/guidance.json, which lesson 09 draws.

    python tests/benchmarks/guidance.py [-n 500] [--steps 25]     (about 15 minutes on two CPU cores)

Every scale starts from the same x_T. Rows that the file holds for the same weights, n and steps are kept, so that an
interrupted run goes on. Needs the photographs. Each row has

- the Fréchet and the kernel distance to photographs (their floors are in the head);
- agreement: the share of samples that a linear classifier on the features, trained on photographs, takes for the kind
  asked for; `agreement_photographs` is its share of right answers on photographs that it was not trained on;
- diversity: the mean distance between the features of two samples of a kind, relative to that of two photographs.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from ddpm_lessons.conditions import classes
from ddpm_lessons.data import flowers
from ddpm_lessons.forward import gauss
from ddpm_lessons.guidance import clipped, guided
from ddpm_lessons.metrics import efficientnet, frechet, kernel
from ddpm_lessons.predict import denoiser
from ddpm_lessons.recipes import open_weights
from ddpm_lessons.samplers import ddim, times
from ddpm_lessons.train import fast_precision, load

ROOT = Path(__file__).parents[2]
SCALES = [0.0, 1.0, 1.5, 2.0, 3.0, 4.0, 8.0]
KEPT = 1000  # photographs that the classifier is not trained on

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("-n", type=int, default=500)
parser.add_argument("--steps", type=int, default=25)
parser.add_argument("--weights", default=ROOT / "data" / "flowers.safetensors")
parser.add_argument("--out", type=Path, default=ROOT / "data" / "guidance.json")
a = parser.parse_args()


def linear_classifier(features: Tensor, y: Tensor) -> Callable[[Tensor], Tensor]:
    """Softmax regression, (N, D) features -> (N, classes); trained in full batches, the same for every run."""
    torch.manual_seed(0)
    mean, std = features.mean(0), features.std(0)
    layer = torch.nn.Linear(features.shape[1], int(y.max()) + 1)
    opt = torch.optim.AdamW(layer.parameters(), 1e-3, weight_decay=0.1)
    for _ in range(300):
        opt.zero_grad()
        torch.nn.functional.cross_entropy(layer(((features - mean) / std).float()), y).backward()
        opt.step()
    return lambda x: layer(((x - mean) / std).float())


def agreement(features: Tensor, y: Tensor) -> float:
    """The share that the classifier takes for y."""
    return float((probe(features).argmax(1) == y).double().mean())


def spread(features: Tensor, y: Tensor) -> float:
    """The mean distance between two pictures of the same kind."""
    return float(torch.stack([torch.pdist(features[y == k]).mean() for k in y.unique()]).mean())


recipe, net = open_weights(a.weights)
photos, features = flowers(recipe.size), efficientnet()
order = torch.randperm(len(photos.x), generator=torch.Generator().manual_seed(0))
real, y = features(photos.x[order]), photos.y[order]  # in the order of Yardstick: the floors are those of lesson 08
probe = linear_classifier(real[:-KEPT], y[:-KEPT])
labels = torch.arange(a.n) % len(recipe.classes)
same_kinds = torch.cat([(y == k).nonzero()[: int((labels == k).sum()), 0] for k in labels.unique()])
photo_spread = spread(real[same_kinds], y[same_kinds])

settings = {
    "weights_step": load(a.weights)[1]["step"],
    "n": a.n,
    "steps": a.steps,
    "sampler": "ddim",
    "features": features.name,
}
head = settings | {
    "frechet_floor": round(frechet(real[a.n : 2 * a.n], real[: a.n]), 2),
    "kernel_floor": round(kernel(real[a.n : 2 * a.n], real[: a.n]), 5),
    "agreement_photographs": round(agreement(real[-KEPT:], y[-KEPT:]), 4),
}


def saved() -> dict:
    """What the file holds for these weights and settings; a new record otherwise."""
    if a.out.exists() and (record := json.loads(a.out.read_text())) and record | settings == record:
        return record if "fake" not in record else head | {"rows": []}
    return head | {"rows": []}


for scale in SCALES:
    if any(r["scale"] == scale for r in saved()["rows"]):
        continue
    denoise = clipped(guided(denoiser(net, recipe.schedule, recipe.predict), scale))
    samples, begin = [], time.perf_counter()
    with tqdm(total=a.steps * a.n, desc=f"scale {scale:g}", unit=" picture steps") as bar:
        for i, part in enumerate(labels.split(50)):
            empty = torch.empty(len(part), recipe.channels, recipe.size, recipe.size)
            x_T, cond = gauss(empty, torch.Generator().manual_seed(1000 + i)), classes(part, len(recipe.classes))
            with torch.autocast("cpu", torch.bfloat16, enabled=fast_precision("cpu") is not None):
                for step in ddim(denoise, recipe.schedule, x_T, times(recipe.schedule.T, a.steps), cond):
                    bar.update(len(part))
            samples.append(step.x.float())
    f = features(torch.cat(samples))
    row = {
        "scale": scale,
        "frechet": round(frechet(f, real[: a.n]), 2),
        "kernel": round(kernel(f, real[: a.n]), 5),
        "agreement": round(agreement(f, labels), 4),
        "diversity": round(spread(f, labels) / photo_spread, 4),
        "seconds": round(time.perf_counter() - begin),
    }
    record = saved()
    record["rows"].append(row)
    a.out.write_text(json.dumps(record, indent=1) + "\n")
    tqdm.write(str(row))
