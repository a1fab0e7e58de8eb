"""128 px from a prompt: which way learns fastest?  One short trial a call; no name: what was found, as a table.

    python tests/benchmarks/trials_large.py NAME [--minutes 15] [--samples FILE]

A minute is one of processor time (one thread on one core). Samples: n = 500 of the kinds' names, 20 steps; distances on
EfficientNet-Lite0 features beside their floor; kinds as a linear classifier on the same features sees them, which is
right on 87 % of photographs. A way that needs an autoencoder of its own trains it first, for as many minutes. "patch
discriminator" and "no discriminator" train the bundled autoencoder on, and are measured by its round trip of
photographs. Results are in data/latent.json. Needs the photographs.
"""

import argparse
import json
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from latent import RESULTS, keep, photographs
from text import seen, share
from torch import Tensor, nn
from torchvision.utils import save_image
from trials import mean_of_last, timed

from ddpm_lessons.data import Pictures, batches, cropped, held_out
from ddpm_lessons.data.captions import caption
from ddpm_lessons.evaluation import Yardstick, efficientnet, linear_classifier
from ddpm_lessons.guidance import clipped
from ddpm_lessons.networks.autoencoder import Autoencoder
from ddpm_lessons.networks.unet import parameters
from ddpm_lessons.systems import Diffusion
from ddpm_lessons.systems.autoencoder import AutoencoderTraining, bundled_autoencoder, psnr, round_trip
from ddpm_lessons.systems.cascade import COLOURS, Cascade, flowers_cascade
from ddpm_lessons.systems.latent import LatentDiffusion, LatentNet, flowers_latent, latents
from ddpm_lessons.systems.sampling import samples
from ddpm_lessons.training import Run, fast_precision, train
from ddpm_lessons.training.loop import Batch

N = 500
DEEP = replace(  # half the size of the bundled latents, twice the channels
    AutoencoderTraining(), net=dict(latent=8, widths=(64, 128, 128), encoder=(1, 1, 1), decoder=(1, 1, 2))
)


@dataclass(frozen=True)
class DeepLatents(LatentDiffusion):
    """Latent diffusion on latents of 16 x 16 x 8."""

    autoencoder: Any = field(default=None, compare=False)

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.channels, self.size // 8, self.size // 8

    def build(self) -> LatentNet:
        return LatentNet(Diffusion.build(self), deepcopy(self.autoencoder))

    def batches(self, pictures: Pictures) -> Batch:
        z, tell = latents(self.autoencoder, pictures.x), self.text.tell(pictures)  # (N, 2, C, h, w)
        one = torch.arange(self.batch)

        def batch(rng):
            i, mirrored = (torch.randint(n, (self.batch,), generator=rng) for n in (len(z), 2))
            return cropped(z[i, mirrored].float(), one, self.shape[-1], False, rng), tell(i, rng)

        return batch


@dataclass(frozen=True)
class PixelCascade(Cascade):
    """A cascade whose second network paints pixels: it is told the small picture, enlarged smoothly, with its noise."""

    @property
    def shape(self) -> tuple[int, int, int]:
        return COLOURS, self.size, self.size

    def build(self) -> nn.Module:
        return Diffusion.build(self)

    def run(self, seed: int = 0) -> Run:
        return Diffusion.run(self, seed)

    def batches(self, pictures: Pictures) -> Batch:
        whole = batches(pictures, self.batch, self.size, self.flip, self.text.tell(pictures))

        def batch(rng):
            x0, cond = whole(rng)
            small = F.interpolate(x0, scale_factor=0.25, mode="area")
            return torch.cat([x0, F.interpolate(small, scale_factor=4)], 1), cond  # beside it in the same size

        return batch

    def seen(self, small: Tensor, s: Tensor, eps: Tensor) -> Tensor:
        """small, eps: (B, 3, h, w), or from a batch, four times as wide -> (B, 4, H, W)"""
        k = 4 * small.shape[-1] // self.size
        return F.interpolate(super().seen(small[..., ::k, ::k], s, eps[..., ::k, ::k]), scale_factor=4, mode="bicubic")

    def decode(self, net: nn.Module, x: Tensor) -> Tensor:
        return x


CASCADE = replace(flowers_cascade(), scale=2.0)
PIXELS = PixelCascade(**{k: getattr(CASCADE, k) for k in CASCADE.__dataclass_fields__})
WAYS: dict[str, tuple[Diffusion, str]] = {  # name -> (recipe, what was expected)
    "latents 32 x 32 x 4": (flowers_latent(), "what the next one is compared with: colours, no forms yet"),
    "latents 16 x 16 x 8": (
        DeepLatents(**vars(flowers_latent()) | dict(net=flowers_latent().net | dict(channels=8, patch=1))),
        "the same work a step; fewer numbers to paint, so forms come sooner, but the round trip loses more",
    ),
    "cascade, latents": (CASCADE, "what the next one is compared with: flowers that can be named"),
    "cascade, pixels": (
        replace(PIXELS, net=CASCADE.net | dict(channels=7, out=3, patch=4, attend=2), limit=clipped),
        "behind: four times the work a step, and every pixel is its own task",
    ),
}


class Remembering(Autoencoder):
    """An autoencoder that remembers what it made last, for a judge to see."""

    def decode(self, z: Tensor) -> Tensor:
        self.made = super().decode(z)
        return self.made


class Judged(nn.Module):
    """An autoencoder and a patch discriminator: a logit of "photograph" for each patch of 22 px."""

    def __init__(self):
        super().__init__()
        self.autoencoder = Remembering(**AutoencoderTraining().net)
        self.autoencoder.load_state_dict(bundled_autoencoder().state_dict())
        layers: list[nn.Module] = [nn.Conv2d(3, 32, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(32, 64, 4, 2, 1)]
        layers += [nn.GroupNorm(8, 64), nn.LeakyReLU(0.2), nn.Conv2d(64, 128, 4, 1, 1), nn.GroupNorm(8, 128)]
        self.discriminator = nn.Sequential(*layers, nn.LeakyReLU(0.2), nn.Conv2d(128, 1, 1))

    def paint(self, x0: Tensor, rng: torch.Generator) -> Tensor:
        """The autoencoder's loss, and the judge's verdict with half as large a gradient (arXiv 2012.09841, (7))."""
        near = AutoencoderTraining().loss(self.autoencoder, x0, None, rng)
        verdict = -self.discriminator(self.autoencoder.made).float().mean()
        last = self.autoencoder.decoder[-1].weight
        size = [torch.autograd.grad(part, last, retain_graph=True)[0].norm() for part in (near, verdict)]
        return near + 0.5 * (size[0] / (size[1] + 1e-4)).clamp(max=1e4).detach() * verdict

    def judge(self, x0: Tensor) -> Tensor:
        """The hinge loss: photographs above 1, what came back below -1."""
        real, made = (self.discriminator(x).float() for x in (x0, self.autoencoder.made.detach()))
        return F.relu(1 - real).mean() + F.relu(1 + made).mean()


def trained(recipe, minutes: float) -> tuple[nn.Module, dict]:
    """A system from nothing, so many minutes long -> (averaged network, how it went)."""
    run = recipe.run()
    steps = train(run, recipe.batches(recipe.pictures()), recipe.losses, 10**9, fast_precision("cpu"))
    losses = timed(steps, minutes)
    record = {"steps": run.step, "millions": parameters(run.net) / 1e6, "loss": mean_of_last(losses)}
    return run.ema.module.eval(), record


def way(name: str, minutes: float, picture: str | None) -> dict:
    """Train one of WAYS and measure its samples at 128 px."""
    recipe, record = WAYS[name][0], {}
    if isinstance(recipe, DeepLatents):
        autoencoder, first = trained(DEEP, minutes)
        record["autoencoder"] = first | there_and_back(autoencoder)
        recipe = replace(recipe, autoencoder=autoencoder.requires_grad_(False))
    net, more = trained(recipe, minutes)
    real = photographs(CASCADE)
    kinds = [real.classes[i % len(real.classes)] for i in range(N)]
    x = samples(recipe, net, [caption("", kind) for kind in kinds], 20, seed=1000)
    if picture:
        save_image(x[:40], picture, nrow=10, normalize=True, value_range=(-1, 1))
    yardstick = Yardstick(real.x, N, efficientnet())
    rest = real.at(yardstick.order[N:])
    probe, f = linear_classifier(yardstick.features(rest.x), rest.y), yardstick.features(x)
    kind = {"kind": share(seen(probe, f, real.classes, kinds))}
    return record | more | kind | numbers(yardstick, f)


def judged(minutes: float, discriminator: bool) -> dict:
    """Train the bundled autoencoder on, with a patch discriminator or without, and measure its round trip."""
    recipe = replace(AutoencoderTraining(), lr=2e-4, fall=float("inf"))
    torch.manual_seed(0)
    net = Judged()
    if discriminator:
        run = Run(net, lr=2e-4, decay=recipe.decay, parts=("autoencoder", "discriminator"))
        losses = [lambda net, x0, cond, rng: net.paint(x0, rng), lambda net, x0, cond, rng: net.judge(x0)]
    else:
        run = Run(net.autoencoder, lr=2e-4, decay=recipe.decay)
        losses = [recipe.loss]
    timed(train(run, recipe.batches(recipe.pictures()), losses, 10**9, fast_precision("cpu")), minutes)
    after = run.ema.module.autoencoder if discriminator else run.ema.module
    return {"steps": run.step} | there_and_back(after.eval())


def there_and_back(net: Autoencoder, n: int = 1000) -> dict:
    """Decibels on held-out photographs, and the distances of n round trips."""
    real = photographs(CASCADE)
    out, yardstick = real.x[held_out(real)], Yardstick(real.x, n, efficientnet())
    back = round_trip(net, real.x[yardstick.order[n : 2 * n]])
    return {"decibels": psnr(out, round_trip(net, out))} | numbers(yardstick, yardstick.features(back))


def numbers(yardstick: Yardstick, f: Tensor) -> dict:
    """Distances of features, and their floors."""
    return {k: v for k, v in yardstick.of(f)._asdict().items() if k != "features"}


JUDGES = {"no discriminator": False, "patch discriminator": True}


def table() -> str:
    """The results as Markdown."""
    found = json.loads(RESULTS.read_text())["trials"]
    lines = ["| trial | expected | steps | loss | kind | Fréchet (floor) | kernel | recall |", "|" + "---|" * 8]
    for name, (_, expected) in WAYS.items():
        if r := found.get(name):
            distances = f"{r['frechet']:.0f} ({r['frechet_floor']:.0f}) | {r['kernel']:.2f} | {r['recall']:.3f}"
            lines.append(f"| {name} | {expected} | {r['steps']:,} | {r['loss']:.3f} | {r['kind']:.0%} | {distances} |")
    lines += ["", "| autoencoder | steps | dB | Fréchet (floor) | kernel | recall |", "|" + "---|" * 6]
    ways = [("16 x 16 x 8", found.get("latents 16 x 16 x 8", {}).get("autoencoder"))]
    for name, r in [*ways, *((name, found.get(name)) for name in JUDGES)]:
        if r:
            distances = f"{r['frechet']:.0f} ({r['frechet_floor']:.0f}) | {r['kernel']:.3f} | {r['recall']:.2f}"
            lines.append(f"| {name} | {r['steps']:,} | {r['decibels']:.2f} | {distances} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", choices=[*WAYS, *JUDGES])
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--samples", help="where to write some of the samples as a picture")
    a = parser.parse_args()
    if a.name is None:
        return print(table())
    torch.set_num_threads(1)
    record = judged(a.minutes, JUDGES[a.name]) if a.name in JUDGES else way(a.name, a.minutes, a.samples)
    before = json.loads(RESULTS.read_text()).get("trials", {})
    keep("trials", before | {a.name: {"minutes": a.minutes} | record})
    print(a.name, record)


if __name__ == "__main__":
    main()
