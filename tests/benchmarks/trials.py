"""Which network and recipe learn fastest?  One trial a call, one line of JSON each; no name: the tables.

    python tests/benchmarks/trials.py NAME [--minutes 5]     train NAME for so many minutes of processor time, measure
    python tests/benchmarks/trials.py                        print the results as the tables of README.md

A minute is one of processor time (one thread on one core). Samples: n = 500, 25 DDIM steps, guidance 2 where the net
knows classes; distances on EfficientNet-Lite0 features with their floors; `perceptual` is the mean LPIPS (weights of 1)
between a sample and some real picture of its class. Needs the photographs; trials of system B need CIFAR-10.
"""

import argparse
import json
import math
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ddpm_lessons.data import batches, flowers
from ddpm_lessons.evaluation import Yardstick, efficientnet, perceptual
from ddpm_lessons.losses import diffusion_loss, min_snr, snr_plus_1
from ddpm_lessons.networks.unet import parameters
from ddpm_lessons.predict import EPS, X0, Predict, V
from ddpm_lessons.samplers import ddim
from ddpm_lessons.schedules import linear
from ddpm_lessons.systems import Diffusion
from ddpm_lessons.systems.cifar import cifar10_small
from ddpm_lessons.systems.flowers import flowers as flowers_recipe
from ddpm_lessons.systems.sampling import samples
from ddpm_lessons.training import Run, fast_precision, train

RESULTS = Path(__file__).parents[2] / "data" / "trials.jsonl"
N, STEPS, SCALE = 500, 25, 2.0
BASE = replace(flowers_recipe(), predict=V, weight=None, batch=64, lr=5e-4, fall=math.inf)  # its first version


def net(**changes) -> dict:
    return BASE.net | changes


def v_of(std: float) -> Predict:
    """v for pictures of another standard deviation than 1: EDM's preconditioning (arXiv 2206.00364, table 1)."""

    def skip(signal, noise):
        return signal * std**2 / (signal**2 * std**2 + noise**2)

    def scale(signal, noise):
        return std * noise / (signal**2 * std**2 + noise**2) ** 0.5

    return Predict(
        f"v of {std}",
        target=lambda x0, eps, a, s: (x0 - skip(a, s) * (a * x0 + s * eps)) / scale(a, s),
        x0=lambda out, x_t, a, s: skip(a, s) * x_t + scale(a, s) * out,
        gain=lambda snr: (std**2 * snr + 1) / std**2,  # 1 over the scale squared
    )


NARROW = replace(BASE, net=net(widths=(64, 96, 128)), batch=32, lr=1e-3)  # what lesson 07 compares the choices with
B = replace(cifar10_small(), lr=3e-4, fall=math.inf, average_from=0)  # short runs end before 2000 steps
TRIALS: dict[str, tuple[Diffusion, str]] = {  # name -> (recipe, what was expected)
    "base": (BASE, "what the others are compared with"),
    "the recipe": (
        flowers_recipe(),
        "batch 32 and 1e-3, falling from step 500, v: behind x0 at first, ahead in the end",
    ),
    "eps": (replace(BASE, predict=EPS), "worse: near T the guess of x0 divides by almost nothing"),
    "lr 1e-3": (replace(BASE, lr=1e-3), "better: short runs want large steps"),
    "batch 32, lr 1e-3": (replace(BASE, batch=32, lr=1e-3), "better: twice the steps"),
    "batch 16, lr 1e-3": (replace(BASE, batch=16, lr=1e-3), "noisier steps, but four times as many: even"),
    "cosine v": (NARROW, "narrow, batch 32, lr 1e-3: better again, if the net is large enough"),
    "cosine eps": (replace(NARROW, predict=EPS), "worse: near T the guess of x0 divides by almost nothing"),
    "cosine x0": (replace(NARROW, predict=X0), "a little worse: little weight on nearly clean pictures"),
    "x0, 1 + SNR": (
        replace(NARROW, predict=X0, weight=snr_plus_1),
        "v's weights up to 5, the answer x0: better, the fine parts count again",
    ),
    "v, 1 + SNR up to 5": (
        replace(NARROW, weight=snr_plus_1),
        "as x0 early, and finer",
    ),
    "v for a standard deviation of 0.5": (
        replace(NARROW, predict=v_of(0.5)),
        "between v and x0",
    ),
    "the recipe with x0": (
        replace(flowers_recipe(), predict=X0, weight=snr_plus_1),
        "the best of the short runs with the network of the recipe",
    ),
    "the recipe with x0, narrow": (
        replace(flowers_recipe(), net=net(widths=(64, 96, 128)), predict=X0, weight=snr_plus_1),
        "ahead of the wide network in half an hour: twice the steps",
    ),
    "linear v": (replace(NARROW, schedule=linear(1000)), "worse: a quarter of the steps is spent on noise"),
    "linear eps": (replace(NARROW, schedule=linear(1000), predict=EPS), "DDPM's own choice, worse than cosine v"),
    "linear x0": (replace(NARROW, schedule=linear(1000), predict=X0), "like linear v"),
    "batch 32, lr 1e-3, min-SNR 5": (
        replace(BASE, batch=32, lr=1e-3, weight=min_snr),
        "better: less weight on steps that are almost clean",
    ),
    "deep, batch 32, lr 1e-3": (
        replace(BASE, net=net(widths=(64, 128, 160), blocks=2), batch=32, lr=1e-3),
        "even: depth for width",
    ),
    "patch 1, batch 32, lr 1e-3": (
        replace(BASE, net=net(widths=(48, 96, 128, 160), attend=2, patch=1), batch=32, lr=1e-3),
        "worse: twice the work a picture",
    ),
    "B: depth 3, dropout 0.1, lr 3e-4": (B, "the published choice"),
    "B: depth 4": (
        replace(B, net=B.net | {"widths": (64, 128, 160, 160)}),
        "worse, as published: fewer steps in the time",
    ),
    "B: dropout 0": (
        replace(B, net=B.net | {"dropout": 0.0}),
        "better, unlike the published: so short a run cannot overfit",
    ),
    "B: lr 1e-4": (replace(B, lr=1e-4), "worse, more than published: so few steps"),
    "narrow": (replace(BASE, net=net(widths=(64, 96, 128))), "better at first: twice the steps in the time"),
}


def ours(name: str, minutes: float, seed: int) -> tuple[dict, Tensor]:
    """Train one of TRIALS -> (its record, samples)."""
    recipe, _ = TRIALS[name]
    batch = batches(recipe.pictures(), recipe.batch, recipe.size, recipe.flip)
    run = recipe.run(seed)
    losses = timed(train(run, batch, recipe.loss, 10**9, fast_precision("cpu")), minutes)
    labels = torch.arange(N) % len(recipe.classes)
    x = samples(replace(recipe, sampler=ddim), run.ema.module, labels, STEPS, SCALE, 1000)
    return {"steps": run.step, "millions": parameters(run.net) / 1e6, "loss": mean_of_last(losses)}, x


def timed(steps, minutes: float) -> list[float]:
    """Walk through a generator of logs until the processor has worked so long -> the losses."""
    begin, losses = time.process_time(), []
    with tqdm(total=round(60 * minutes), unit="s") as bar:
        for log in steps:
            losses.append(log.loss)
            spent = time.process_time() - begin
            bar.update(min(round(spent), bar.total) - bar.n)
            if spent > 60 * minutes:
                return losses
    return losses


def mean_of_last(losses: list[float]) -> float:
    return sum(losses[-100:]) / len(losses[-100:])


class Sampled(nn.Module):
    """A foreign net whose output is wrapped in an object."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x, t, cond=None):
        return self.net(x, t).sample


def diffusers_unet(minutes: float, seed: int) -> tuple[dict, Tensor]:
    """UNet2DModel as diffusers' own training script has it: linear schedule, eps, AdamW 1e-4, batch 16, no average.

    Its blocks are the class's defaults, its widths are cut from 224, 448, 672, 896 (114 M parameters, hours for the
    samples alone) to 40, 80, 120, 160: as many parameters as ours.
    """
    from diffusers import DDIMScheduler, UNet2DModel

    torch.manual_seed(seed)
    raw = Sampled(UNet2DModel(block_out_channels=(40, 80, 120, 160), norm_num_groups=20))
    run = Run(raw, lr=1e-4, decay=0.0, seed=seed)

    def loss(net, x0, cond, rng):
        return diffusion_loss(net, linear(1000), EPS, x0, rng=rng)

    losses = timed(train(run, batches(flowers(36), 16, 32, True), loss, 10**9, fast_precision("cpu")), minutes)
    scheduler, samples = DDIMScheduler(1000), []
    scheduler.set_timesteps(STEPS)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=fast_precision("cpu") is not None):
        for _ in tqdm(range(N // 50), desc="sampling"):
            x = torch.randn(50, 3, 32, 32)
            for t in scheduler.timesteps:
                x = scheduler.step(raw(x, t).float(), t, x).prev_sample
            samples.append(x)
    return {"steps": run.step, "millions": parameters(raw) / 1e6, "loss": mean_of_last(losses)}, torch.cat(samples)


def lucidrains_unet(minutes: float, seed: int) -> tuple[dict, Tensor]:
    """denoising-diffusion-pytorch's Unet(32) with its own GaussianDiffusion and Trainer's settings.

    v, sigmoid schedule, Adam 1e-4, batch 16, EMA 0.995 every 10 steps. Its README has width 64 (35.7 M parameters),
    which is slower by far: half the width makes it as large as ours.
    """
    from denoising_diffusion_pytorch import GaussianDiffusion, Unet
    from ema_pytorch import EMA

    torch.manual_seed(seed)
    diffusion = GaussianDiffusion(Unet(32), image_size=32, sampling_timesteps=STEPS)
    opt = torch.optim.Adam(diffusion.parameters(), lr=1e-4, betas=(0.9, 0.99))
    ema = EMA(diffusion, beta=0.995, update_every=10)
    batch, rng = batches(flowers(36), 16, 32, True), torch.Generator().manual_seed(seed)

    class Log:
        def __init__(self, loss):
            self.loss = loss

    def steps():
        while True:
            with torch.autocast("cpu", torch.bfloat16, enabled=fast_precision("cpu") is not None):
                loss = diffusion((batch(rng)[0] + 1) / 2)
            opt.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(diffusion.parameters(), 1.0)
            opt.step()
            ema.update()
            yield Log(loss.item())

    losses = timed(steps(), minutes)
    with torch.autocast("cpu", torch.bfloat16, enabled=fast_precision("cpu") is not None):
        samples = [ema.ema_model.sample(batch_size=50).float() for _ in tqdm(range(N // 50), desc="sampling")]
    record = {"steps": len(losses), "millions": parameters(diffusion) / 1e6, "loss": mean_of_last(losses)}
    return record, torch.cat(samples) * 2 - 1


def measured(recipe: Diffusion, x: Tensor) -> dict:
    """How far samples, of the classes in turn, are from real pictures."""
    real, features = recipe.pictures(None, recipe.size), efficientnet()
    measure = Yardstick(real.x, N, features)
    used = torch.zeros(len(real.x), dtype=torch.bool)
    same = []
    for k in (torch.arange(N) % len(recipe.classes)).tolist():
        same.append(int(((real.y == k) & ~used).nonzero()[0]))
        used[same[-1]] = True
    return measure(x)._asdict() | {"perceptual": float(perceptual(x, real.x[same], features).mean())}


OTHERS = {"diffusers UNet2DModel": diffusers_unet, "denoising-diffusion-pytorch Unet": lucidrains_unet}


def table(names: list[str]) -> str:
    """The results of some trials as Markdown."""
    lines = [
        "| trial | expected | minutes | steps | M parameters | loss | Fréchet (floor) | kernel | LPIPS, weights 1 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in map(json.loads, RESULTS.read_text().splitlines()):
        if r["name"] not in names:
            continue
        expected = TRIALS[r["name"]][1] if r["name"] in TRIALS else "slower, and lr 1e-4 is small for short runs"
        size = f"{r['minutes']:g} | {r['steps']} | {r['millions']:.1f}"
        quality = f"{r['loss']:.3f} | {r['frechet']:.0f} ({r['frechet_floor']:.0f}) | {r['kernel']:.2f}"
        lines.append(f"| {r['name']} | {expected} | {size} | {quality} | {r.get('perceptual', math.nan):.3f} |")
    return "\n".join(lines).replace("nan", "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", choices=[*TRIALS, *OTHERS])
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--samples", help="where to write the samples as a picture")
    a = parser.parse_args()
    if a.name is None:
        fitting = [name for name in TRIALS if name.startswith("B: ")]
        print(table([name for name in [*TRIALS, *OTHERS] if name not in fitting]))
        return print(table(fitting))
    torch.set_num_threads(1)
    train_one = OTHERS.get(a.name) or (lambda minutes, seed: ours(a.name, minutes, seed))
    record, x = train_one(a.minutes, a.seed)
    recipe = TRIALS[a.name][0] if a.name in TRIALS else flowers_recipe()
    record = {"name": a.name, "minutes": a.minutes, "seed": a.seed} | record | measured(recipe, x)
    print(record)
    with RESULTS.open("a") as f:
        f.write(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in record.items()}) + "\n")
    if a.samples:
        from torchvision.utils import save_image

        save_image(x[:50], a.samples, nrow=10, normalize=True, value_range=(-1, 1))


if __name__ == "__main__":
    main()
