"""How good are 128 px pictures from a prompt?  Figures of lesson 14, in data/latent.json.

    python tests/benchmarks/latent.py measure [WEIGHTS] [-n 1000] [--scales 1.5 2 3 4] [--steps 20]
    python tests/benchmarks/latent.py copies [WEIGHTS] --out FILE     20 samples over their nearest training photographs
    python tests/benchmarks/latent.py enlarged [-n 1000]              the small pictures alone, enlarged smoothly
    python tests/benchmarks/latent.py speed                           pixels a second, beside pixel diffusion at 32 px
    python tests/benchmarks/latent.py                                 print what was measured

Kinds are seen by a linear classifier on EfficientNet-Lite0 features of photographs at 128 px that takes no part in the
distances; beside each figure stands its accuracy on photographs that it did not train on. It sees each picture in three
sizes, with which it is right on 92 % of 1,000 photographs; with one size, 128 px, it is on 89 %. Colours are read off
the pixels, as for the captions. All samples count. n samples of the kinds' names, n of names with colours that the
photographs have, and n of the thirty prompts of `prompts.py`, which no training text contains. Needs the photographs.
WEIGHTS may be of another system than the bundled one, such as `flowers_latent`; its figures are kept beside the others,
and so are those of another number of steps than the system's own.
"""

import argparse
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from prompts import PROMPTS
from text import seen, share
from torch import Tensor, nn
from torchvision.utils import save_image
from tqdm import tqdm

from ddpm_lessons.data import Pictures, bundled
from ddpm_lessons.data.captions import caption, colours
from ddpm_lessons.evaluation import Yardstick, efficientnet, linear_classifier
from ddpm_lessons.systems import Diffusion, open_weights
from ddpm_lessons.systems.autoencoder import middle
from ddpm_lessons.systems.cascade import Cascade
from ddpm_lessons.systems.latent import flowers_latent
from ddpm_lessons.systems.sampling import samples

RESULTS = Path(__file__).parents[2] / "data" / "latent.json"
BUNDLED = "flowers_cascade.safetensors"


def measure(system: Diffusion, net: nn.Module, n: int, scales: list[float]) -> dict:
    """The share of samples with the kind and the colour asked for, and their distances, at each scale."""
    real = photographs(system)
    yardstick = Yardstick(real.x, n, efficientnet())
    held, rest = real.at(yardstick.order[:n]), real.at(yardstick.order[n:])
    look = classifier(rest)
    often = Counter(zip(colours(real.x), (real.classes[k] for k in real.y.tolist()), strict=True))
    pairs = sorted(pair for pair, count in often.items() if count >= 40)
    right, by_pair = (look(held.x).argmax(1) == held.y).tolist(), defaultdict(list)
    for pair, one in zip(zip(colours(held.x), (real.classes[k] for k in held.y.tolist())), right, strict=True):
        by_pair[pair].append(one)
    result = {
        "n": n,
        "steps": system.steps,
        "classifier": share(right),
        "classifier of coloured": sum(share(by_pair[pair]) for pair in pairs) / len(pairs),  # each pair as often
        "floor": dict(zip(("frechet", "kernel", "precision", "recall"), yardstick.floor, strict=True)),
        "pairs": {" ".join(p): often[p] for p in pairs},
    }
    for scale in scales:
        how = replace(system, scale=scale)
        kinds, asked, others = ([rows[i % len(rows)] for i in range(n)] for rows in (real.classes, pairs, PROMPTS))
        x = samples(how, net, [caption("", k) for k in kinds], seed=1000)
        found = {"kind": share(seen(look, x, real.classes, kinds))}
        distance = yardstick(x)
        found |= {what: getattr(distance, what) for what in ("frechet", "kernel", "precision", "recall")}
        x = samples(how, net, [caption(*p) for p in asked], seed=2000)
        right = seen(look, x, real.classes, [k for _, k in asked])
        found["kind of coloured"] = share(right)
        by_pair = {" ".join(p): share([r for r, o in zip(right, asked, strict=True) if o == p]) for p in pairs}
        found["colour"] = share([c == p[0] for c, p in zip(colours(x), asked, strict=True)])
        x = samples(how, net, [p for p, _, _ in others], seed=3000)
        right = seen(look, x, real.classes, [k for _, k, _ in others])
        found["kind in other words"] = share(right)
        found["colour in other words"] = share([c == w for c, (_, _, w) in zip(colours(x), others, strict=True) if w])
        by_prompt = {p: share([r for r, o in zip(right, others, strict=True) if o[0] == p]) for p, _, _ in PROMPTS}
        result[f"scale {scale:g}"] = found | {"by pair": by_pair, "by prompt": by_prompt}
        print(f"scale {scale:g}", {k: round(v, 3) for k, v in found.items()}, flush=True)
    return result


def classifier(real: Pictures) -> Callable[[Tensor], Tensor]:
    """A linear classifier trained on photographs: pictures (N, 3, 128, 128) -> logits (N, 5)."""
    nets = [efficientnet(size=size) for size in (128, 192, 224)]

    def look(x: Tensor) -> Tensor:
        return torch.cat([net(x) for net in nets], 1)

    probe = linear_classifier(look(real.x), real.y)
    return lambda x: probe(look(x))


def enlarged(system: Cascade, net: nn.Module, n: int) -> dict:
    """The distances of the first network's pictures, enlarged smoothly: what the second network has to beat."""
    yardstick = Yardstick(photographs(system).x, n, efficientnet())
    prompts, rng = [caption("", system.classes[i % 5]) for i in range(n)], torch.Generator().manual_seed(1000)
    parts = [system.small(prompts[i : i + 50], rng, torch.device("cpu")) for i in tqdm(range(0, n, 50))]
    x = F.interpolate(torch.cat(parts), scale_factor=4, mode="bicubic").clamp(-1, 1)
    distance = yardstick(x)
    return {"n": n} | {what: getattr(distance, what) for what in ("frechet", "kernel", "precision", "recall")}


def photographs(system: Diffusion) -> Pictures:
    """The middle of the training photographs, in the samples' size."""
    pictures = system.pictures()
    return pictures._replace(x=middle(pictures.x, system.size))


def copies(system: Diffusion, net: nn.Module, out: str) -> dict:
    """Are there copies among 20 samples?  Nearest photographs in features, beside how near photographs are themselves.

    Written to `out`: samples, and below each the photograph that is nearest to it.
    """
    real, features = photographs(system), efficientnet()
    x = samples(system, net, [caption("", real.classes[i % 5]) for i in range(20)], seed=4000)
    known, f = features(real.x), features(x)
    distance, nearest = torch.cdist(f, known).min(1)
    some = torch.randperm(len(known), generator=torch.Generator().manual_seed(0))[:500]
    own = torch.cdist(known[some], known).kthvalue(2, dim=1).values  # the nearest but itself
    rows = [torch.cat([x[i : i + 10], real.x[nearest[i : i + 10]]]) for i in (0, 10)]
    save_image(torch.cat(rows), out, nrow=10, normalize=True, value_range=(-1, 1))
    return {
        "samples": sorted(round(float(d), 2) for d in distance),
        "photographs": [round(float(own.quantile(q)), 2) for q in (0.01, 0.1, 0.5)],
    }


def speed() -> dict:
    """Pixels a second from prompts, guided, each with its own steps: at 128 px, and lesson 12's network at 32 px.

    The plain latent network has no bundled weights; untrained, it takes as long.
    """
    plain = flowers_latent()
    known = [open_weights(bundled(name)) for name in (BUNDLED, "flowers_text.safetensors")]
    found = {}
    for system, net in [*known, (plain, plain.build())]:
        run(system, net, 8)  # what is loaded at first use
        took = min(run(system, net, 8) for _ in range(5))
        per_second = 8 * system.size**2 / took
        found[system.name] = {"steps": system.steps, "seconds for 8": took, "pixels a second": per_second}
    small = found["flowers_text"]["pixels a second"]
    return {name: f | {"times 32 px": f["pixels a second"] / small} for name, f in found.items()}


def run(system: Diffusion, net: nn.Module, n: int) -> float:
    begin = time.monotonic()
    x: Tensor = samples(system, net, ["a pink rose"] * n)
    assert x.shape == (n, 3, system.size, system.size)
    return time.monotonic() - begin


def keep(name: str, record: dict) -> None:
    """Put a record among the results."""
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    rounded = json.loads(json.dumps(record), parse_float=lambda v: round(float(v), 4))
    RESULTS.write_text(json.dumps(found | {name: rounded}, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["measure", "copies", "enlarged", "speed"])
    parser.add_argument("weights", nargs="?")
    parser.add_argument("-n", type=int, default=1000)
    parser.add_argument("--scales", type=float, nargs="+", default=[1.5, 2.0, 3.0, 4.0])
    parser.add_argument("--steps", type=int, help="in place of the system's own")
    parser.add_argument("--out", default="copies.png")
    a = parser.parse_args()
    if a.what == "speed":
        keep("speed", speed())
    elif a.what == "enlarged":
        keep("enlarged", enlarged(*open_weights(bundled(BUNDLED)), a.n))
    elif a.what:
        system, net = open_weights(a.weights or bundled(BUNDLED))
        if a.what == "measure" and a.steps:
            system = replace(system, steps=a.steps)
        record = measure(system, net, a.n, a.scales) if a.what == "measure" else copies(system, net, a.out)
        name = "measured" if a.what == "measure" else "copies"
        name += f" in {a.steps} steps" if a.steps else ""
        keep(name if a.weights is None else f"{name}: {system.name}", record)
    print(RESULTS.read_text())


if __name__ == "__main__":
    main()
