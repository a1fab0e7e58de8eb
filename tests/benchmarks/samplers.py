"""Quality against steps for every sampler with the bundled weights: writes data/samplers.json, which lesson 08 draws.

    python tests/benchmarks/samplers.py [-n 500] [--only ddpm]     (about an hour on two CPU cores; ddpm is most of it)

Every sampler starts from the same x_T. Rows that the file holds for the same weights and n are kept, so that an
interrupted run goes on, and two runs (--only) can share the work. Needs the photographs.
"""

import argparse
import json
from pathlib import Path

import torch
from tqdm import tqdm

from ddpm_lessons.conditions import classes
from ddpm_lessons.data import flowers
from ddpm_lessons.forward import gauss
from ddpm_lessons.guidance import clipped, guided
from ddpm_lessons.metrics import Yardstick, efficientnet
from ddpm_lessons.predict import denoiser
from ddpm_lessons.recipes import open_weights
from ddpm_lessons.samplers import ddim, ddpm, dpmpp_2m, times
from ddpm_lessons.train import fast_precision, load

ROOT = Path(__file__).parents[2]
SAMPLERS = {
    "ddim": ddim,
    "ddim, eta 1": lambda *a, **k: ddim(*a, **k, eta=1.0),
    "dpmpp_2m": dpmpp_2m,
    "ddpm": ddpm,
}
STEPS = {name: [5, 10, 20, 50] for name in SAMPLERS} | {"ddpm": [1000]}

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("-n", type=int, default=500)
parser.add_argument("--weights", default=ROOT / "data" / "flowers.safetensors")
parser.add_argument("--only", choices=SAMPLERS)
parser.add_argument("--out", type=Path, default=ROOT / "data" / "samplers.json")
a = parser.parse_args()


recipe, net = open_weights(a.weights)
measure = Yardstick(flowers(32).x, a.n, efficientnet())
head = {
    "weights_step": load(a.weights)[1]["step"],
    "n": a.n,
    "scale": recipe.scale,
    "features": measure.features.name,
    "frechet_floor": round(measure.floor[0], 2),
    "kernel_floor": round(measure.floor[1], 5),
}


def saved() -> dict:
    """What the file holds for these weights and this n; a new record otherwise."""
    if a.out.exists() and (record := json.loads(a.out.read_text())) and record | head == record:
        return record
    return head | {"rows": []}


denoise = clipped(guided(denoiser(net, recipe.schedule, recipe.predict), recipe.scale))
labels = torch.arange(a.n) % len(recipe.classes)
for name in [a.only] if a.only else SAMPLERS:
    for steps in STEPS[name]:
        if any((r["sampler"], r["steps"]) == (name, steps) for r in saved()["rows"]):
            continue
        samples = []
        with tqdm(total=steps * a.n, desc=f"{name} {steps}", unit=" picture steps") as bar:
            for i, part in enumerate(labels.split(50)):
                rng = torch.Generator().manual_seed(1000 + i)
                x_T = gauss(torch.empty(len(part), recipe.channels, recipe.size, recipe.size), rng)
                cond = classes(part, len(recipe.classes))
                with torch.autocast("cpu", torch.bfloat16, enabled=fast_precision("cpu") is not None):
                    for step in SAMPLERS[name](denoise, recipe.schedule, x_T, times(1000, steps), cond, rng):
                        bar.update(len(part))
                samples.append(step.x.float())
        d = measure(torch.cat(samples))
        row = {"sampler": name, "steps": steps, "frechet": round(d.frechet, 2), "kernel": round(d.kernel, 5)}
        record = saved()
        record["rows"].append(row)
        a.out.write_text(json.dumps(record, indent=1) + "\n")
        tqdm.write(f"{name}, {steps} steps: {d}")
