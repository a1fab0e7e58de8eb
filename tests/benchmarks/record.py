"""The record of a finished run as one picture, data/NAME.png: its loss, a random batch, interpolations, picked samples.

    python tests/benchmarks/record.py NAME [--out runs]      after `python -m ddpm_lessons train NAME --out runs`

A column for each class everywhere. Nothing in the random batch is picked. An interpolation goes, from top to bottom,
along the great circle between two noises, the class kept. Picked: of 16 samples of a class, the four of which a linear
classifier on EfficientNet-Lite0 features, trained on real pictures, is most certain. Needs the run's data.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from torchvision.utils import make_grid

from ddpm_lessons.course import plots
from ddpm_lessons.evaluation import efficientnet, linear_classifier
from ddpm_lessons.forward import gauss
from ddpm_lessons.samplers import ddim, slerp
from ddpm_lessons.systems import open_weights
from ddpm_lessons.systems.sampling import samples
from ddpm_lessons.training.files import load

STEPS, ROWS, MANY, REAL = 25, 6, 16, 4000


def interpolated(recipe, net, labels: torch.Tensor) -> torch.Tensor:
    """ROWS pictures for each label, from one noise to another: row by row, (ROWS * N, C, H, W)."""
    rng = torch.Generator().manual_seed(5)
    like = torch.empty(len(labels), recipe.channels, recipe.size, recipe.size)
    a, b = gauss(like, rng), gauss(like, rng)
    x = torch.cat([slerp(a, b, k / (ROWS - 1)) for k in range(ROWS)])
    *_, last = recipe.sample(net, labels.repeat(ROWS), STEPS, x_T=x)
    return last.x


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--out", default="runs", help="the folder of the run (default: runs)")
    a = parser.parse_args()
    recipe, net = open_weights(Path(a.out) / f"{a.name}.safetensors")
    losses = load(Path(a.out) / f"{a.name}.run.safetensors")[0]["losses"]
    recipe, labels, n = replace(recipe, sampler=ddim), torch.arange(len(recipe.classes)), len(recipe.classes)
    batch = samples(recipe, net, labels.repeat(ROWS), STEPS, None, 1)
    many, asked = samples(recipe, net, labels.repeat(MANY), STEPS, None, 2), labels.repeat(MANY)
    real, features = recipe.pictures(None, recipe.size), efficientnet()
    some = torch.randperm(len(real.x), generator=torch.Generator().manual_seed(0))[:REAL]
    probe = linear_classifier(features(real.x[some]), real.y[some])
    sure = probe(features(many)).softmax(1).gather(1, asked[:, None]).view(MANY, n)
    best = sure.argsort(0, descending=True)[:4]
    picked = many.view(MANY, n, *many.shape[1:])[best, labels].flatten(0, 1)
    figure, axes = plots.panels(2, 2, 0.75 * n, 5)
    mean = losses.unfold(0, 200, 1).mean(1)
    axes[0, 0].plot(losses, color=plots.SKY, linewidth=0.3)
    axes[0, 0].plot(range(199, len(losses)), mean, color=plots.BLUE, label="mean of 200")
    axes[0, 0].set(xlabel="step", ylabel="loss", yscale="log", title=f"{len(losses):,} steps of {recipe.batch}")
    axes[0, 0].legend()
    for ax, x, title in (
        (axes[0, 1], batch, "a random batch: " + ", ".join(recipe.classes)),
        (axes[1, 0], interpolated(recipe, net, labels), "from one noise to another, downwards"),
        (axes[1, 1], picked, f"picked: the four surest of {MANY}"),
    ):
        plots.picture(ax, make_grid(x, nrow=n, pad_value=1.0))
        ax.set_title(title, fontsize=8)
    file = Path(__file__).parents[2] / "data" / f"{a.name}.png"
    figure.savefig(file)
    print(f"{file.name}: mean loss of the last 200 steps {mean[-1]:.4f}")


if __name__ == "__main__":
    main()
