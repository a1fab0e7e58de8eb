"""A classifier on features: does a sample show what was asked for?"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def linear_classifier(features: Tensor, y: Tensor, steps: int = 300) -> Callable[[Tensor], Tensor]:
    """Softmax regression on features: (N, D), labels (N,) -> a function (M, D) -> logits (M, K).

    It starts from zeros and sees all of them at each step, so that the same data give the same classifier.
    """
    mean, std = features.mean(0), features.std(0).clamp(min=1e-6)  # a feature may always be 0
    layer = torch.nn.Linear(features.shape[1], int(y.max()) + 1)
    for p in layer.parameters():
        torch.nn.init.zeros_(p)
    opt = torch.optim.AdamW(layer.parameters(), 1e-3, weight_decay=0.1)
    for _ in range(steps):
        opt.zero_grad()
        F.cross_entropy(layer(((features - mean) / std).float()), y).backward()
        opt.step()
    return torch.no_grad()(lambda x: layer(((x - mean) / std).float()))
