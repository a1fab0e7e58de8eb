"""The command `evaluate`: how far samples are from real pictures, beside the floor."""

import argparse
import time

import torch
from torch import Tensor

from ..evaluation import Yardstick, efficientnet, inception, linear_classifier
from ..systems.sampling import samples
from ..training.device import device
from .sample import opened

SEEN_BY_CLASSIFIER = 5000  # real pictures, at most, that the agreement's classifier trains on


def evaluate_command(a: argparse.Namespace) -> None:
    """Sample from a weights file and print how far the samples are from real pictures, and how long that took."""
    begin = time.monotonic()
    system, net = opened(a.weights)
    real = system.pictures(a.against, system.size)
    system.fitting(real)
    features = (inception if a.inception else efficientnet)(device())
    print(f"features of {2 * a.n} of the {real.source}, {a.n} samples of {a.weights} and their features")
    measure = Yardstick(real.x, a.n, features)
    labels, ready = torch.arange(a.n) % len(system.classes), time.monotonic()
    x = samples(system, net.to(device()), labels, a.steps, a.scale, 1000 + a.seed)
    sampled = time.monotonic()
    found = features(x)
    for line in str(measure.of(found)).split(", "):
        print(" ", line)
    if len(system.classes) > 1:
        classifier = trained_on_others(measure, real, features)
        right = agreement(classifier(found), labels)
        of_real = agreement(classifier(measure.real), real.y[measure.order[: a.n]])
        print(f"  agreement {right} (real pictures {of_real}, chance {100 / len(system.classes):.0f} %)")
    steps, scale = system.steps if a.steps is None else a.steps, system.scale if a.scale is None else a.scale
    took = f"{sampled - ready:.0f} s to sample, {time.monotonic() - sampled + ready - begin:.0f} s for the rest"
    print(f"  {steps} steps, guidance {scale:g}; {took}")


def trained_on_others(measure: Yardstick, real, features):
    """A classifier that has seen none of the real pictures that the agreement of real pictures is measured with."""
    n = measure.n
    others = measure.order[n : max(2 * n, n + SEEN_BY_CLASSIFIER)]
    seen = torch.cat([measure.other, features(real.x[others[n:]])]) if len(others) > n else measure.other
    return linear_classifier(seen, real.y[others])


def agreement(logits: Tensor, labels: Tensor) -> str:
    """The share of right answers, with its standard error."""
    right = (logits.argmax(1) == labels).double()
    return f"{100 * right.mean():.0f} % +- {100 * right.std() / len(right) ** 0.5:.0f}"
