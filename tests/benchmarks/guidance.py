"""What a larger guidance scale brings and what it costs, measured with the bundled flowers: what lesson 09 draws.

    DDPM_LESSONS_DATA=FOLDER python tests/benchmarks/guidance.py [-n 500]     data/guidance_tradeoff.json (10 minutes)

The time is that of one CPU core. FOLDER holds the photographs (`flower_photos/CLASS/*.jpg`). They are measured as the
network saw its own while it trained: those were 32 px enlarged to 128 px, brought to 36 px and cropped. Every scale
starts from the same noise and takes 10 steps of DPM-Solver++(2M), clipped.

- kernel distance, precision and recall of the samples; in `floor`, those of other photographs in their place;
- agreement: the share of samples that a linear classifier on the features, trained on 1500 photographs, takes for the
  kind asked for; in `floor`, its share of right answers on photographs that it was not trained on.
"""

import argparse
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from ddpm_lessons.data import bundled, flowers
from ddpm_lessons.evaluation import efficientnet, frechet, kernel, linear_classifier, precision_recall
from ddpm_lessons.guidance import clipped, guided
from ddpm_lessons.predict import denoiser
from ddpm_lessons.samplers import dpmpp_2m, times
from ddpm_lessons.systems import Diffusion, open_weights
from ddpm_lessons.training import fast_precision
from ddpm_lessons.training.files import load

SCALES = (0.0, 1.0, 2.0, 4.0, 8.0)
STEPS = 10
KNOWN = 1500  # photographs that the classifier learns from
OUT = Path(__file__).parents[2] / "data" / "guidance_tradeoff.json"


def as_trained(x: Tensor) -> Tensor:
    """Photographs as the network's own came to it.  (N, 3, 32, 32) -> the same"""
    for size in (128, 36):
        x = F.interpolate(x, size=size, mode="bicubic", antialias=True).clamp(-1, 1)
    return x[..., 2:-2, 2:-2]


def draw(system: Diffusion, net: nn.Module, labels: Tensor, scale: float) -> Tensor:
    """One sample for each label, from the same noise at every scale."""
    x_T = torch.randn(len(labels), *system.shape, generator=torch.Generator().manual_seed(1000))
    d = clipped(guided(denoiser(net.eval(), system.schedule, system.predict), scale))
    precision, ts, done = fast_precision("cpu"), times(system.schedule.T, STEPS), []
    for x, y in zip(tqdm(x_T.split(50), desc=f"scale {scale:g}"), labels.split(50), strict=True):
        with torch.autocast("cpu", dtype=precision, enabled=precision is not None):
            *_, last = dpmpp_2m(d, system.schedule, x, ts, system.condition(y))
        done.append(last.x.float())
    return torch.cat(done)


def scores(found: Tensor, real: Tensor, right: Tensor) -> dict[str, float]:
    """What is measured of features (n, D) against those of photographs; right: (n,) whether each shows its kind."""
    precision, recall = precision_recall(real, found)
    row = {"frechet": frechet(found, real), "kernel": kernel(found, real), "precision": precision, "recall": recall}
    return {k: round(float(v), 4) for k, v in (row | {"agreement": right.double().mean()}).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=500)
    parser.add_argument("--out", type=Path, default=OUT)
    a = parser.parse_args()
    file = bundled("flowers.safetensors")
    system, net = open_weights(file)
    features, photos = efficientnet(), flowers(system.size)
    order = torch.randperm(len(photos.x), generator=torch.Generator().manual_seed(0))[: a.n + KNOWN]
    real, known = features(as_trained(photos.x[order])).split([a.n, KNOWN])
    y, labels = photos.y[order], torch.arange(a.n) % len(system.classes)
    classifier = linear_classifier(known, y[a.n :])
    floor = scores(known[: a.n], real, classifier(real).argmax(1) == y[: a.n])
    rows = []
    for w in SCALES:
        found = features(draw(system, net, labels, w))
        rows.append({"scale": w} | scores(found, real, classifier(found).argmax(1) == labels))
    record = {
        "weights_step": load(file)[1]["step"],
        "photographs": len(photos.x),
        "n": a.n,
        "features": features.name,
        "sampler": "dpmpp_2m",
        "steps": STEPS,
        "floor": floor,
        "rows": rows,
    }
    a.out.write_text(json.dumps(record, indent=1) + "\n")
    print(a.out.read_text())


if __name__ == "__main__":
    main()
