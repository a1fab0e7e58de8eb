"""How good are sampled flowers?  Distances with their floor, and whether a classifier sees the kind asked for.

    python tests/benchmarks/quality.py [data/flowers.safetensors] [-n 1000] [--steps 25]     (about 5 minutes)

Features: EfficientNet-Lite0 (ImageNet, 1280 numbers), on 32 px pictures enlarged to 128: not comparable with the
FID of papers, which has Inception's features (--inception, where there is a network) and n = 50,000. The floor is the
same distance between two sets of photographs. Needs the photographs.
"""

import argparse

import torch
from torch import Tensor
from tqdm import tqdm

from ddpm_lessons.data import flowers
from ddpm_lessons.drawn import drawn
from ddpm_lessons.metrics import Yardstick, efficientnet, inception
from ddpm_lessons.recipes import open_weights
from ddpm_lessons.train import fast_precision

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("weights", nargs="?", default="data/flowers.safetensors")
parser.add_argument("-n", type=int, default=1000)
parser.add_argument("--steps", type=int, default=25)
parser.add_argument("--scale", type=float)
parser.add_argument("--data")
parser.add_argument("--inception", action="store_true")
a = parser.parse_args()

features = inception() if a.inception else efficientnet()
photos = flowers(32, a.data)
n = min(a.n, len(photos.x) // 2)
measure = Yardstick(photos.x, n, features)
recipe, flower_net = open_weights(a.weights)
samples, labels = [], torch.arange(n) % 5
with torch.autocast("cpu", dtype=torch.bfloat16, enabled=fast_precision("cpu") is not None):
    for i, part in enumerate(tqdm(labels.split(100), desc="sampling")):
        *_, last = recipe.sample(flower_net, part, a.steps, a.scale, seed=1000 + i)
        samples.append(last.x.float())
samples = torch.cat(samples)
print(f"{a.weights}: {a.steps} DDIM steps, scale {recipe.scale if a.scale is None else a.scale}")
print("samples:      ", measure(samples))
print("drawn flowers:", measure(drawn(n, 32, torch.Generator().manual_seed(0)).x))

order = torch.randperm(len(photos.x), generator=torch.Generator().manual_seed(0))
real, y = features(photos.x[order]), photos.y[order]
mean, std = real[:-1000].mean(0), real[:-1000].std(0)  # a linear classifier on the features of all but 1000 photographs
probe = torch.nn.Linear(real.shape[1], 5)
opt = torch.optim.AdamW(probe.parameters(), 1e-3, weight_decay=0.1)
for _ in range(300):
    guess = probe(((real[:-1000] - mean) / std).float())
    opt.zero_grad()
    torch.nn.functional.cross_entropy(guess, y[:-1000]).backward()
    opt.step()


def agrees(x: Tensor, y: Tensor) -> str:
    right = probe(((x - mean) / std).float()).argmax(1) == y
    return f"{100 * right.float().mean():.0f} % (+- {100 * (right.float().var() / len(right)).sqrt():.0f})"


print("the kind asked for, as a linear classifier on these features sees it:")
print(f"  samples {agrees(features(samples), labels)}, photographs {agrees(real[-1000:], y[-1000:])}, chance 20 %")
