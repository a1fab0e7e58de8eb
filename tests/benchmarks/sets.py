"""Seven sets of pictures against photographs, and how near samples come to them: what lesson 10 tells of photographs.

    DDPM_LESSONS_DATA=FOLDER python tests/benchmarks/sets.py     (about 8 minutes of one CPU core; prints the figures)

The lesson itself runs on drawn flowers, which the course may bundle; `course/diagrams/lesson_10_measured.py` keeps what
is printed here. FOLDER holds the photographs. 400 samples of the bundled flowers, 80 of each kind, at scale 2; the
seven sets have n = 250, samples as well.
"""

import torch
from guidance import draw
from torchvision.transforms.functional import gaussian_blur

from ddpm_lessons.data import bundled, flowers
from ddpm_lessons.evaluation import efficientnet, frechet, inception_score, kernel, linear_classifier, precision_recall
from ddpm_lessons.systems import open_weights

N, SAMPLES, KNOWN = 250, 400, 1500


def main() -> None:
    system, net = open_weights(bundled("flowers.safetensors"))
    photos, features = flowers(system.size), efficientnet()
    order = torch.randperm(len(photos.x), generator=torch.Generator().manual_seed(0))
    x, y, asked = photos.x[order], photos.y[order], torch.arange(SAMPLES) % len(system.classes)
    samples = features(draw(system, net, asked, 2.0).clamp(-1, 1))
    noise = torch.randn(N, *system.shape, generator=torch.Generator().manual_seed(0))
    known = features(x)
    real, other, rest = known.split([N, N, len(x) - 2 * N])
    rest_y = y[2 * N :]
    classifier = linear_classifier(rest[:KNOWN], rest_y[:KNOWN])
    tulips = rest[KNOWN:][rest_y[KNOWN:] == photos.classes.index("tulip")][:N]
    sets = {
        "1 others": (other, y[N : 2 * N]),
        "2 memorised": (real, y[:N]),
        "3 blurred": (features(gaussian_blur(x[N : 2 * N], [9, 9], [1.0, 1.0])), y[N : 2 * N]),
        "4 tulips": (tulips, torch.full((len(tulips),), photos.classes.index("tulip"))),
        "5 copies": (other[:5].repeat(N // 5, 1), y[N : N + 5].repeat(N // 5)),
        "6 noise": (features(noise), y[:N]),
        "7 samples": (samples[:N], asked[:N]),
    }
    for name, (f, wanted) in sets.items():
        agreement = (classifier(f).argmax(1) == wanted).double().mean()
        row = (frechet(f, real), kernel(f, real), *precision_recall(real, f), inception_score(features.logits(f)))
        print(f"{name:12}", ", ".join(f"{float(v):.3f}" for v in (*row, agreement)))
    balls = torch.cdist(real, real).kthvalue(4, dim=1).values
    held = (torch.cdist(sets["6 noise"][0], real) <= balls).any(0)
    print(f"{held.sum()} photographs have a ball that holds noise; distance to the mirror image: median", end=" ")
    print(f"{(known - features(x.flip(-1))).norm(dim=1).median():.1f}")
    apart = torch.cdist(known, known).fill_diagonal_(torch.inf).amin(1)
    for name, d in (("samples", torch.cdist(samples, known).amin(1)), ("photographs", apart)):
        print(name, *(int(c) for c in torch.histc(d.float(), 60, 0, 30)))


if __name__ == "__main__":
    main()
