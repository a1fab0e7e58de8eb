"""What does a small Imagen learn on a CPU?  Figures of lesson 15, in data/imagen.json.

    python tests/benchmarks/imagen.py overfit drawn [--steps 1000]     eight pictures learned by heart (or photographs)
    python tests/benchmarks/imagen.py measure [WEIGHTS] [--scales 1 2 3 5 8] [-n 500]
    python tests/benchmarks/imagen.py checkpoints FILE ... [-n 500]     chosen by P2 loss, and by Fréchet distance
    python tests/benchmarks/imagen.py words [WEIGHTS]                  words that no caption had, beside lesson 12's
    python tests/benchmarks/imagen.py against [--minutes 15] [-n 500]  beside lesson 12's network, both from scratch
    python tests/benchmarks/imagen.py                                  print what was measured

A minute is one of processor time (one thread on one core). Kinds are seen by a linear classifier on EfficientNet-Lite0
features of photographs that takes no part in the distances; beside each figure stands its accuracy on photographs that
it did not train on. Colours are read off the pixels, as for the captions. All samples count. Needs the photographs.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch
from latent import measure, run
from text import seen, share, shuffled
from torch import Tensor, nn
from torchvision.utils import save_image
from trials import mean_of_last, timed

from ddpm_lessons.data import Pictures, bundled, flowers
from ddpm_lessons.data.captions import caption, colours
from ddpm_lessons.data.drawn import draw
from ddpm_lessons.data.wordings import worded_flowers
from ddpm_lessons.evaluation import Yardstick, efficientnet, linear_classifier
from ddpm_lessons.networks.unet import parameters
from ddpm_lessons.systems import Diffusion, open_weights
from ddpm_lessons.systems.autoencoder import middle
from ddpm_lessons.systems.flowers import flowers_text
from ddpm_lessons.systems.imagen import imagen_toy
from ddpm_lessons.systems.sampling import samples
from ddpm_lessons.training import fast_precision, train
from ddpm_lessons.training.files import load

FOLDER = Path(__file__).parents[2] / "data"
RESULTS, BUNDLED = FOLDER / "imagen.json", "imagen_toy.safetensors"
WORDS = (  # prompts, written before the training: kind, colour, and the words for them that no caption has
    ("a ruby rose", "rose", "red", "ruby"),
    ("a cherry tulip", "tulip", "red", "cherry"),
    ("a tulip the shade of blood", "tulip", "red", "blood"),
    ("a canary tulip", "tulip", "yellow", "canary"),
    ("a buttery rose", "rose", "yellow", "buttery"),
    ("a tulip with sunny petals", "tulip", "yellow", "sunny"),
    ("a milky daisy", "daisy", "white", "milky"),
    ("a rose the shade of pearls", "rose", "white", "pearls"),
    ("a fuchsia tulip", "tulip", "pink", "fuchsia"),
    ("a blushing rose", "rose", "pink", "blushing"),
    ("a mauve tulip", "tulip", "purple", "mauve"),
    ("a carrot-coloured tulip", "tulip", "orange", "carrot"),
    ("a marguerite", "daisy", "", "marguerite"),
    ("some chamomile", "daisy", "", "chamomile"),
    ("a blowball", "dandelion", "", "blowball"),
    ("a weed whose seeds fly away when you blow", "dandelion", "", "weed seeds blow"),
    ("helianthus", "sunflower", "", "helianthus"),
    ("a tall bloom that follows the sun", "sunflower", "", "follows sun"),
    ("a thorny bloom for Valentine's day", "rose", "", "thorny valentine"),
    ("the bulb that Holland is famous for", "tulip", "", "bulb holland"),
)
LESSON_12 = replace(  # its form at 64 px, with as many parameters as imagen_toy
    flowers_text(),
    size=64,
    margin=8,
    net=dict(channels=3, widths=(48, 72, 88), blocks=1, attend=1, patch=4, cond_dim=128, token_dim=64),
)


def overfit(steps: int, what: str) -> dict:
    """Eight pictures with a caption each, and nothing else to learn: they should come back from their captions.

    what: "photographs", which are not ours to show, or "drawn", of which a picture is kept.
    """
    system = replace(imagen_toy(), drop=0.0)
    if what == "drawn":
        x, said = draw(torch.tensor([0, 0, 1, 2, 2, 3, 4, 4]), system.size, torch.Generator().manual_seed(2))
        assert len(set(said)) == 8, said
    else:
        real = system.pictures()
        firsts = {captions[0]: i for i, captions in reversed(list(enumerate(real.captions)))}
        places = sorted(firsts.values())[:: len(firsts) // 8][:8]  # no two captions alike, all kinds
        x, said = middle(real.x[places], system.size), [real.captions[i][0] for i in places]
    x0, cond = x.repeat(4, 1, 1, 1), system.condition(said).each(lambda v: v.repeat(4, *[1] * (v.ndim - 1)))
    begun = system.run()
    losses = [log.loss for log in train(begun, lambda rng: (x0, cond), system.losses, steps, fast_precision("cpu"))]
    net = begun.ema.module.eval()
    again = samples(system, net, said, 50, 1.0, 1)
    if what == "drawn":
        save_image(torch.cat([x, again]), FOLDER / "imagen_overfit.png", nrow=8, normalize=True, value_range=(-1, 1))
    error = (again[:, None] - x).square().flatten(2).mean(2)  # of each sample and each target
    return {
        "steps": steps,
        "captions": said,
        "loss of the first 100": sum(losses[:100]) / 100,
        "loss of the last 100": mean_of_last(losses),
        "losses": [sum(losses[i : i + 50]) / 50 for i in range(0, steps, 50)],
        "dB": (10 * (4 / error.diagonal()).log10()).tolist(),
        "nearest to its own": share((error.argmin(1) == torch.arange(8)).tolist()),
    }


def photographs(size: int) -> Pictures:
    """All of them, in the samples' size."""
    return flowers(size)


def judge(real: Pictures, n: int) -> tuple[Yardstick, nn.Module, float]:
    """A yardstick of n, a classifier trained on what the distances do not use, and how often that is right."""
    yardstick = Yardstick(real.x, n, efficientnet())
    rest = yardstick.order[2 * n :]
    probe = linear_classifier(yardstick.features(real.x[rest]), real.y[rest])
    return yardstick, probe, share((probe(yardstick.real).argmax(1) == real.y[yardstick.order[:n]]).tolist())


@torch.no_grad()
def held_out_loss(system: Diffusion, net: nn.Module, pictures: Pictures, batches: int = 40) -> float:
    """The P2 loss on pictures that took no part in the training, the same noise for every checkpoint."""
    still = replace(system, drop=0.0, batch=64)
    batch, found = still.batches(pictures), []
    for k in range(batches):
        x0, cond = batch(torch.Generator().manual_seed(k))
        found.append(still.loss(net.eval(), x0, cond, torch.Generator().manual_seed(1000 + k)).item())
    return sum(found) / batches


def checkpoints(files: list[str], n: int, scale: float) -> dict:
    """Each file's P2 loss on held-out pictures, and its distances: which one would be chosen?"""
    yardstick, probe, right = judge(photographs(64), n)
    held = worded_flowers(72, held=True)
    rows, classes = [], held.classes
    kinds = [classes[i % 5] for i in range(n)]
    for file in files:
        system, net = open_weights(file)
        f = yardstick.features(samples(system, net, [caption("", k) for k in kinds], None, scale, 1000))
        distance = yardstick.of(f)
        row = {"step": load(file)[1]["step"], "held-out P2 loss": held_out_loss(system, net, held)}
        row |= {"frechet": distance.frechet, "kernel": distance.kernel, "recall": distance.recall}
        rows.append(row | {"kind": share(seen(probe, f, classes, kinds))})
        print(rows[-1], flush=True)
    floor = dict(zip(("frechet", "kernel", "precision", "recall"), yardstick.floor, strict=True))
    best = {what: min(rows, key=lambda row: row[what])["step"] for what in ("held-out P2 loss", "frechet")}
    return {"n": n, "scale": scale, "classifier": right, "floor": floor, "rows": rows, "chosen by": best}


def words(weights: str, each: int = 10) -> dict:
    """WORDS, `each` samples a prompt, and the same kinds and colours in plain words, for both networks."""
    result = {"samples a prompt": each}
    for name, file in (("imagen_toy", weights), ("flowers_text", bundled("flowers_text.safetensors"))):
        system, net = open_weights(file)
        real = photographs(system.size)
        _, probe, right = judge(real, 500)
        found = {"classifier": right}
        for way, prompts in (
            ("words", [p for p, _, _, _ in WORDS]),
            ("plain", [caption(c, k) for _, k, c, _ in WORDS]),
        ):
            x = samples(system, net, [p for p in prompts for _ in range(each)], None, None, 5000)
            found[way] = by_prompt(x, probe, real.classes, each)
        result[name] = found
        print(name, {k: v for k, v in found.items() if k == "classifier"}, found["words"]["all"], found["plain"]["all"])
    return result


def by_prompt(x: Tensor, probe: nn.Module, classes: tuple[str, ...], each: int) -> dict:
    """The share of samples that show the kind and the colour of each of WORDS, and of all."""
    kinds = [k for _, k, _, _ in WORDS for _ in range(each)]
    right = torch.tensor(seen(probe, efficientnet()(x), classes, kinds)).view(-1, each).double().mean(1)
    asked = [c for _, _, c, _ in WORDS for _ in range(each)]
    same = torch.tensor([a == b for a, b in zip(colours(x), asked, strict=True)]).view(-1, each).double().mean(1)
    coloured = torch.tensor([bool(c) for _, _, c, _ in WORDS])
    table = {p: [right[i].item()] + [same[i].item()] * bool(c) for i, (p, _, c, _) in enumerate(WORDS)}
    return table | {
        "all": {
            "colour": same[coloured].mean().item(),
            "kind, colour asked for": right[coloured].mean().item(),
            "kind, described": right[~coloured].mean().item(),
        }
    }


def against(minutes: float, n: int) -> dict:
    """imagen_toy and lesson 12's network, trained for the same time from scratch, then measured alike."""
    result = {"minutes": minutes}
    for name, system in (("imagen_toy", imagen_toy()), ("lesson 12", LESSON_12)):
        begun, pictures = system.run(), system.pictures()
        losses = timed(train(begun, system.batches(pictures), system.losses, 10**9, fast_precision("cpu")), minutes)
        net = begun.ema.module.eval()
        record = {"steps": begun.step, "millions": parameters(net) / 1e6, "loss": mean_of_last(losses)}
        result[name] = record | measure(replace(system, sampler=imagen_toy().sampler), net, n, [3.0])
        keep("against", result)  # half of it is better than nothing
    return result


def keep(name: str, record: dict) -> None:
    """Put a record among the results."""
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    rounded = json.loads(json.dumps(record), parse_float=lambda v: round(float(v), 5))
    RESULTS.write_text(json.dumps(found | {name: rounded}, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["overfit", "measure", "checkpoints", "words", "against"])
    parser.add_argument("files", nargs="*", default=[bundled(BUNDLED)])
    parser.add_argument("-n", type=int, default=500)
    parser.add_argument("--scales", type=float, nargs="+", default=[1.0, 2.0, 3.0, 5.0, 8.0])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=15)
    a = parser.parse_args()
    if a.what == "overfit":
        keep(f"overfit {a.files[0]}", overfit(a.steps, a.files[0]))
    elif a.what == "measure":
        system, net = open_weights(a.files[0])
        run(system, net, 8)  # what is loaded at first use
        record = shuffled(system, net, system.pictures()) | {"seconds for 8": run(system, net, 8)}
        keep("measured", record | measure(system, net, a.n, a.scales))
    elif a.what == "checkpoints":
        keep("checkpoints", checkpoints(a.files, a.n, imagen_toy().scale))
    elif a.what == "words":
        keep("words", words(a.files[0]))
    elif a.what == "against":
        keep("against", against(a.minutes, a.n))
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
