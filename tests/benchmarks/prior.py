"""What does unCLIP's prior bring?  Figures of lesson 16, in data/prior.json.

    python tests/benchmarks/prior.py vectors            write data/prior_vectors.safetensors, the photographs' vectors
    python tests/benchmarks/prior.py gap                how far the vectors of texts and of the prior are from pictures'
    python tests/benchmarks/prior.py pictures [-n 500]  the same decoder told each of them
    python tests/benchmarks/prior.py                    print what was measured

Four ways from a caption to a vector: the text's own vector ("text"), that vector moved by the constant difference of
the two sides' means ("moved"), the prior at guidance 1, 2 and 4, and, as the best that a decoder can be told, the
vector of a real photograph with that caption ("photograph"). Captions are those of photographs, "a red tulip"; in `gap`
they are those of held-out photographs, which neither CLIP nor the prior nor the decoder has seen. Kinds are seen by a
linear classifier on EfficientNet-Lite0 features of photographs that take no part in the distances; colours are read off
the pixels. All samples count. Needs the photographs.
"""

import argparse
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from text import share
from torch import Tensor

from ddpm_lessons.data import Pictures, bundled, held_out
from ddpm_lessons.data.captions import caption, colours
from ddpm_lessons.data.wordings import Scene, scenes, wordings
from ddpm_lessons.evaluation import Yardstick, efficientnet, linear_classifier, precision_recall
from ddpm_lessons.systems import open_weights
from ddpm_lessons.systems.autoencoder import middle
from ddpm_lessons.systems.prior import Prior, prior
from ddpm_lessons.systems.sampling import samples
from ddpm_lessons.text.captioning import vectors, words_clip
from ddpm_lessons.training.files import load, save

DATA = Path(__file__).parents[2] / "data"
RESULTS, VECTORS = DATA / "prior.json", DATA / "prior_vectors.safetensors"
SCALES = (1.0, 2.0, 4.0)


def keep_vectors() -> None:
    """Each photograph's vector, kind, caption and scene, in half precision: the lesson shows them."""
    pictures = prior().pictures()
    vec, seen = vectors(words_clip(), pictures.x), torch.tensor(scenes(pictures.x))
    named = [caption(c, pictures.classes[k]) for c, k in said(pictures)]
    texts = sorted(set(named))
    table = {"vec": vec.half(), "kind": pictures.y, "held_out": held_out(pictures), "scene": seen}
    table["caption"] = torch.tensor([texts.index(t) for t in named])
    save(VECTORS, table, {"captions": texts, "classes": pictures.classes, "source": pictures.source})


def said(pictures: Pictures) -> list[tuple[str, int]]:
    """The colour and the kind's number of each picture."""
    return list(zip(colours(pictures.x), pictures.y.tolist(), strict=True))


def ways(system: Prior, net, texts: list[str], shift: Tensor, seed: int = 0) -> dict[str, Tensor]:
    """Vectors of captions: one for each text, by each way.  (N,) -> name -> (N, D)"""
    text = words_clip().texts(texts)
    found = {"text": text, "moved": F.normalize(text + shift, dim=1)}
    for scale in SCALES:
        found[f"prior {scale:g}"] = system.vectors(net, texts, scale=scale, seed=seed)
    return found


def gap(file: str | Path) -> dict:
    """Cosines, distance of means, spread and a classifier's accuracy on held-out captions, by way."""
    system, net = open_weights(file)
    tensors, info = load(VECTORS)
    vec, out, number = F.normalize(tensors["vec"].float(), dim=1), tensors["held_out"], tensors["caption"]
    own, same = vec[out], number[out]
    texts = [info["captions"][k] for k in same.tolist()]
    learnt = words_clip().texts([info["captions"][k] for k in number[~out].tolist()])
    shift = vec[~out].mean(0) - learnt.mean(0)
    others = torch.stack([vec[~out][pick(number[~out] == k, i)] for i, k in enumerate(same.tolist())])
    found = ways(system, net, texts, shift) | {"photograph": others}
    pairs = same[:, None] == same
    result = {"n": len(own), "captions": len(set(texts))}
    for name, v in found.items():
        cosines = v @ own.T
        precision, recall = precision_recall(own, v)
        result[name] = {
            "cosine, same caption": cosines[pairs].mean().item(),
            "cosine, any": cosines.mean().item(),
            "distance of means": (v.mean(0) - own.mean(0)).norm().item(),
            "spread": v.var(0).sum().sqrt().item(),
            "spread within captions": within(v, same),
            "precision": precision,
            "recall": recall,
            "told apart": told_apart(v, own),
        }
        print(name, {k: round(x, 3) for k, x in result[name].items()}, flush=True)
    many = [wording(tensors, info, i) for i in out.nonzero()[:, 0].tolist()]  # each text in its own words
    result["texts in many words"] = {"told apart": told_apart(words_clip().texts(many), own)}
    result["prior 1, many words"] = {"told apart": told_apart(system.vectors(net, many, scale=1.0, seed=1), own)}
    print({k: result[k] for k in ("texts in many words", "prior 1, many words")}, flush=True)
    return result | {"spread of photographs": own.var(0).sum().sqrt().item(), "within": within(own, same)}


def pick(where: Tensor, seed: int) -> int:
    """A random one of the places that are True, or any one where none is."""
    places = where.nonzero()[:, 0] if where.any() else torch.arange(len(where))
    return int(places[torch.randint(len(places), (), generator=torch.Generator().manual_seed(seed))])


def wording(tensors: dict[str, Tensor], info: dict, i: int) -> str:
    """A text of many words that fits a photograph."""
    words = info["captions"][int(tensors["caption"][i])].split()
    fitting = wordings(words[1], words[2], Scene(*tensors["scene"][i].tolist()))
    return fitting[pick(torch.ones(len(fitting), dtype=torch.bool), i)]


def within(v: Tensor, groups: Tensor) -> float:
    """The root mean square distance from the mean of their group, of groups of two or more."""
    parts = [p for k in groups.unique() if len(p := v[groups == k]) > 1]
    squares = [(p - p.mean(0)).square().sum(1) * len(p) / (len(p) - 1) for p in parts]
    return torch.cat(squares).mean().sqrt().item()


def told_apart(a: Tensor, b: Tensor, folds: int = 5) -> float:
    """How often logistic regression tells which of two sets a vector is from, on vectors that it has not learned from.

    Half is chance: it cannot.
    """
    x, y = torch.cat([a, b]).double(), torch.cat([torch.zeros(len(a)), torch.ones(len(b))]).long()
    fold, right = torch.arange(len(a)).repeat(2) % folds, []
    for k in range(folds):
        guess = linear_classifier(x[fold != k], y[fold != k])
        right.append((guess(x[fold == k]).argmax(1) == y[fold == k]).double())
    return torch.cat(right).mean().item()


def pictures(file: str | Path, painter: str | Path, n: int) -> dict:
    """Kind, colour, distances and variety of the decoder's pictures, by way."""
    system, net = open_weights(file)
    decoder, its_net = open_weights(painter)
    whole = prior().pictures()
    real, vec = whole._replace(x=middle(whole.x, decoder.size)), vectors(words_clip(), whole.x)
    yardstick = Yardstick(real.x, n, efficientnet())
    rest = yardstick.order[n:]
    probe = linear_classifier(torch.cat([yardstick.other, yardstick.features(real.x[rest[n:]])]), real.y[rest])
    asked = said(whole)
    theirs = [asked[i] for i in rest[:n].tolist()]  # the captions of the floor's photographs
    texts = [caption(c, real.classes[k]) for c, k in theirs]
    group = torch.tensor([sorted(set(texts)).index(t) for t in texts])
    kept = ~held_out(whole)
    learnt = words_clip().texts([caption(c, real.classes[k]) for (c, k), keep in zip(asked, kept.tolist()) if keep])
    told = ways(system, net, texts, vec[kept].mean(0) - learnt.mean(0), seed=1) | {"photograph": vec[rest[:n]]}
    result = {
        "n": n,
        "classifier": share((probe(yardstick.real).argmax(1) == real.y[yardstick.order[:n]]).tolist()),
        "floor": dict(zip(("frechet", "kernel", "precision", "recall"), yardstick.floor, strict=True)),
        "guidance of the decoder": decoder.scale,
        "variety of photographs": within(yardstick.other, group),
    }
    for name, v in told.items():
        x = samples(decoder, its_net, v, seed=5)
        f = yardstick.features(x)
        distance = yardstick.of(f)
        result[name] = {what: getattr(distance, what) for what in ("frechet", "kernel", "precision", "recall")}
        right = probe(f).argmax(1) == torch.tensor([k for _, k in theirs])
        result[name] |= {"kind": share(right.tolist()), "variety": within(f, group)}
        result[name]["colour"] = share([c == w for c, (w, _) in zip(colours(x), theirs, strict=True)])
        print(name, {k: round(x, 3) for k, x in result[name].items()}, flush=True)
    return result


def keep(name: str, record: dict) -> None:
    """Put a record among the results."""
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    rounded = json.loads(json.dumps(record), parse_float=lambda v: round(float(v), 4))
    RESULTS.write_text(json.dumps(found | {name: rounded}, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["vectors", "gap", "pictures"])
    parser.add_argument("--prior", default=bundled("prior.safetensors"))
    parser.add_argument("--decoder", default=bundled("flowers_pictures.safetensors"))
    parser.add_argument("-n", type=int, default=500)
    a = parser.parse_args()
    if a.what == "vectors":
        keep_vectors()
    elif a.what == "gap":
        keep("gap", gap(a.prior))
    elif a.what == "pictures":
        keep("pictures", pictures(a.prior, a.decoder, a.n))
    if RESULTS.exists():
        print(RESULTS.read_text())


if __name__ == "__main__":
    main()
