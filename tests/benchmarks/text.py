"""Does the text steer the picture?  Figures of lesson 12, in data/text.json.

    python tests/benchmarks/text.py way NAME [--minutes 6]   train one way to tell a small net, and measure it
    python tests/benchmarks/text.py flowers [WEIGHTS]        measure the bundled flowers_text
    python tests/benchmarks/text.py digits [WEIGHTS]         measure the bundled mnist_text
    python tests/benchmarks/text.py                          print what was measured

A minute is one of processor time (one thread on one core). Kinds are seen by a linear classifier on EfficientNet-Lite0
features of photographs, digits by a small convolutional net; beside each stands its accuracy on real pictures that it
did not train on. Colours are read off the pixels, as for the captions. All samples count. Needs the photographs, and
MNIST for the digits.
"""

import argparse
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm
from trials import mean_of_last, timed

from ddpm_lessons.conditions import Cond
from ddpm_lessons.data import bundled
from ddpm_lessons.data.captions import caption, colours, names
from ddpm_lessons.evaluation import efficientnet, frechet, kernel, linear_classifier
from ddpm_lessons.networks.unet import parameters
from ddpm_lessons.samplers import ddim
from ddpm_lessons.systems import Diffusion, open_weights
from ddpm_lessons.systems.flowers import flowers_text
from ddpm_lessons.systems.sampling import samples
from ddpm_lessons.text import Text, load_clip
from ddpm_lessons.text.captioning import CAPTIONS, tell_pictures
from ddpm_lessons.training import fast_precision, train

RESULTS = Path(__file__).parents[2] / "data" / "text.json"
STEPS = 20
BOTH = replace(flowers_text(), text=CAPTIONS, sampler=ddim, scale=3.0)  # as when the ways were measured
NET = BOTH.net | dict(cond_dim=0, token_dim=0)


def vectors(prompts):
    """The prompts' vectors alone."""
    return Cond(load_clip().texts(prompts))


def told_vector(pictures):
    """The text's vector alone."""
    tell = BOTH.text.tell(pictures)
    return lambda i, rng: Cond(tell(i, rng).vec)


WAYS: dict[str, Diffusion] = {
    "picture's vector in training, text's when sampling": replace(
        BOTH,
        net=NET | dict(cond_dim=128),
        text=Text("pictures", vectors, lambda pictures: tell_pictures(load_clip(), pictures)),
    ),
    "text's vector": replace(BOTH, net=NET | dict(cond_dim=128), text=Text("vector", vectors, told_vector)),
    "text's words": replace(BOTH, net=NET | dict(cond_dim=0, token_dim=64)),
    "both": BOTH,
}


def way(name: str, minutes: float, n: int) -> dict:
    """Train one of WAYS, then measure it like the bundled net."""
    recipe = WAYS[name]
    run, pictures = recipe.run(), recipe.pictures()
    losses = timed(train(run, recipe.batches(pictures), recipe.loss, 10**9, fast_precision("cpu")), minutes)
    net = run.ema.module.eval()
    record = {"minutes": minutes, "steps": run.step, "millions": parameters(net) / 1e6, "loss": mean_of_last(losses)}
    return record | shuffled(recipe, net, pictures) | measured(net, n, {f"scale {recipe.scale:g}": recipe})


@torch.no_grad()
def shuffled(recipe: Diffusion, net: nn.Module, pictures, batches: int = 40) -> dict:
    """The loss with each picture's own text, another picture's, and none: the same noise, only the text differs."""
    recipe, found = replace(recipe, drop=0.0, batch=64), {"own": [], "others": [], "none": []}
    batch = recipe.batches(pictures)
    for k in tqdm(range(batches), desc="losses"):
        x0, cond = batch(torch.Generator().manual_seed(k))
        told = {"own": cond, "others": cond.each(lambda v: v.roll(1, 0)), "none": cond.drop(1.0)}
        for name, c in told.items():
            found[name].append(recipe.loss(net, x0, c, torch.Generator().manual_seed(1000 + k)).item())
    table = {f"loss_{name}": sum(v) / len(v) for name, v in found.items()}
    raised = torch.tensor(found["others"]) - torch.tensor(found["own"])
    return table | {"loss_raised": raised.mean().item(), "loss_raised_error": (raised.std() / batches**0.5).item()}


def measured(net: nn.Module, n: int, ways: dict[str, Diffusion]) -> dict:
    """The share of samples that show the kind and the colour that were asked for, and their distance, by way."""
    recipe = next(iter(ways.values()))
    real, features = recipe.pictures(None, recipe.size), efficientnet()
    found, order = features(real.x), torch.randperm(len(real.x), generator=torch.Generator().manual_seed(0))
    here, others, rest = found[order[:n]], found[order[n : 2 * n]], order[n:]
    probe = linear_classifier(found[rest], real.y[rest])
    often = Counter(zip(colours(real.x), (real.classes[k] for k in real.y.tolist()), strict=True))
    pairs = sorted(pair for pair, count in often.items() if count >= 40)
    result = {
        "n": n,
        "classifier": share((probe(here).argmax(1) == real.y[order[:n]]).tolist()),
        "frechet_floor": frechet(others, here),
        "kernel_floor": kernel(others, here),
        "pairs": {" ".join(p): often[p] for p in pairs},
    }
    for name, how in ways.items():
        kinds, asked = ([rows[i % len(rows)] for i in range(n)] for rows in (real.classes, pairs))
        x = samples(how, net, [caption("", k) for k in kinds], STEPS, None, 1000)
        f = features(x)
        coloured = samples(how, net, [caption(*p) for p in asked], STEPS, None, 2000)
        right = {
            "kind": seen(probe, f, real.classes, kinds),
            "kind of coloured": seen(probe, features(coloured), real.classes, [k for _, k in asked]),
            "colour": [c == p[0] for c, p in zip(colours(coloured), asked, strict=True)],
        }
        result[name] = {what: share(v) for what, v in right.items()} | {
            "colour, by prompt": {
                " ".join(p): share([r for r, q in zip(right["colour"], asked, strict=True) if q == p]) for p in pairs
            },
            "frechet": frechet(f, here),
            "kernel": kernel(f, here),
        }
    return result


def seen(probe, features: Tensor, classes: tuple[str, ...], wanted: list[str]) -> list[bool]:
    """Whether a classifier sees the class that was asked for, picture by picture."""
    return [classes[k] == w for k, w in zip(probe(features).argmax(1).tolist(), wanted, strict=True)]


def share(right: list[bool]) -> float:
    return sum(right) / len(right)


def digit_classifier(pictures) -> tuple[nn.Module, float]:
    """A small convolutional net, trained on four fifths of the digits -> (net, its accuracy on the others)."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [nn.Conv2d(1, 16, 3, stride=2), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2), nn.ReLU(), nn.Flatten()]
        net = nn.Sequential(*layers, nn.LazyLinear(128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 10))
        order = torch.randperm(len(pictures.x))
        test, rest = order[: len(order) // 5], order[len(order) // 5 :]
        net(pictures.x[:2])
        opt = torch.optim.Adam(net.parameters(), 1e-3)
        for _ in tqdm(range(15), desc="classifier, epochs"):
            for i in rest[torch.randperm(len(rest))].split(64):
                opt.zero_grad()
                F.cross_entropy(net(pictures.x[i]), pictures.y[i]).backward()
                opt.step()
    with torch.no_grad():
        return net, share((net.eval()(pictures.x[test]).argmax(1) == pictures.y[test]).tolist())


def digits_measured(recipe: Diffusion, net: nn.Module, n: int) -> dict:
    """The share of "draw a six" that a classifier takes for a six, and so on."""
    classifier, accuracy = digit_classifier(recipe.pictures(None, recipe.size))
    wanted = [recipe.classes[i % 10] for i in range(n)]
    result = {"n": n, "classifier": accuracy}
    for scale in (1.0, 2.0, 3.0):
        x = samples(recipe, net, [names(w)[2] for w in wanted], STEPS, scale, 1000)
        with torch.no_grad():
            seen_as = classifier(x).argmax(1).tolist()
        right = [recipe.classes[k] == w for k, w in zip(seen_as, wanted, strict=True)]
        by_digit = {c: share([r for r, w in zip(right, wanted, strict=True) if w == c]) for c in recipe.classes}
        result[f"scale {scale:g}"] = {"right": share(right), "by digit": by_digit}
    return result


def keep(name: str, record: dict) -> None:
    """Put a record among the results."""
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    rounded = json.loads(json.dumps(record), parse_float=lambda v: round(float(v), 4))
    RESULTS.write_text(json.dumps(found | {name: rounded}, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["way", "flowers", "digits"])
    parser.add_argument("name", nargs="?", help="one of: " + "; ".join(WAYS))
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("-n", type=int, default=500)
    a = parser.parse_args()
    if a.what == "way":
        torch.set_num_threads(1)
        keep(a.name, way(a.name, a.minutes, a.n))
    elif a.what == "flowers":
        recipe, net = open_weights(a.name or bundled("flowers_text.safetensors"))
        ways = {f"scale {w:g}": replace(recipe, scale=w) for w in (1.0, 2.0, 3.0, 4.0, 5.0)}
        keep("flowers_text", shuffled(recipe, net, recipe.pictures()) | measured(net, a.n, ways))
    elif a.what == "digits":
        keep("mnist_text", digits_measured(*open_weights(a.name or bundled("mnist_text.safetensors")), a.n))
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
