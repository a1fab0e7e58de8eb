"""The exercises of lesson 11: what is right, and what each likely mistake would answer."""

import torch
import torch.nn.functional as F

from ..exercise import Exercise


def _contrastive(image, text, scale):
    s, own = scale * image @ text.T, torch.arange(len(image))
    return (F.cross_entropy(s, own) + F.cross_entropy(s.T, own)) / 2


def _classes(text):
    return F.normalize(text.mean(1), dim=1)


def _found(s, k, dim=0):  # is the own one among the k best?
    own = torch.arange(len(s))
    return s.topk(k, dim=dim).indices == (own if dim == 0 else own[:, None])


_rng = torch.Generator().manual_seed(11)
_a, _b = 2 * torch.randn(4, 3, generator=_rng), torch.randn(5, 3, generator=_rng)
_image, _text = (F.normalize(torch.randn(6, 4, generator=_rng), dim=1) for _ in range(2))
_many = F.normalize(torch.randn(40, 4, generator=_rng), dim=1)
_said = F.normalize(
    torch.randn(3, 1, 4, generator=_rng)
    + torch.tensor([0.1, 1.0, 4.0])[:, None, None] * torch.randn(3, 5, 4, generator=_rng),
    dim=2,
)
_scores = torch.randn(15, 15, generator=_rng.manual_seed(0)) + torch.eye(15)

LESSON_11: dict[str, Exercise] = {
    "11.1": Exercise(
        lambda a, b: F.normalize(a, dim=1) @ F.normalize(b, dim=1).T,
        (_a, _b),
        {
            "these are dot products: divide by both lengths": lambda a, b: a @ b.T,
            "only one of the two has been scaled to length 1": lambda a, b: a @ F.normalize(b, dim=1).T,
            "each row has its length, not each column: dim=1": lambda a, b: (
                F.normalize(a, dim=0) @ F.normalize(b, dim=0).T
            ),
            "that is a distance: alike is 1, not 0": lambda a, b: torch.cdist(
                F.normalize(a, dim=1), F.normalize(b, dim=1)
            ),
            "one minus the cosine is a distance": lambda a, b: 1 - F.normalize(a, dim=1) @ F.normalize(b, dim=1).T,
        },
    ),
    "11.2": Exercise(
        _contrastive,
        (_image, _text, 5.0),
        {
            "pictures pick captions here; captions should pick pictures too": lambda i, t, k: F.cross_entropy(
                k * i @ t.T, torch.arange(len(i))
            ),
            "captions pick pictures here; pictures should pick captions too": lambda i, t, k: F.cross_entropy(
                k * t @ i.T, torch.arange(len(i))
            ),
            "the scale is missing": lambda i, t, k: _contrastive(i, t, 1.0),
            "multiply by the scale; one divides by a temperature": lambda i, t, k: _contrastive(i, t, 1 / k),
            "the mean of the two halves is wanted": lambda i, t, k: 2 * _contrastive(i, t, k),
            "a mean over the batch is wanted, not a sum": lambda i, t, k: len(i) * _contrastive(i, t, k),
            "picture i belongs to text i, not to the next": lambda i, t, k: _contrastive(i, t.roll(-1, 0), k),
            "one softmax a row and one a column, not one over all pairs": lambda i, t, k: (
                (k * i @ t.T).logsumexp((0, 1)) - (k * i @ t.T).diag().mean()
            ),
        },
    ),
    "11.3": Exercise(
        lambda i, t: (i @ _classes(t).T).argmax(1),
        (_many, _said),
        {
            "the mean of unit vectors is shorter than 1: scale it": lambda i, t: (i @ t.mean(1).T).argmax(1),
            "that is a picture for each class: argmax over the classes": lambda i, t: (i @ _classes(t).T).argmax(0),
            "that is the number of a wording, not of its class": lambda i, t: (i @ t.flatten(0, 1).T).argmax(1),
            "all wordings count, not the first alone": lambda i, t: (i @ t[:, 0].T).argmax(1),
            "the largest cosine is the nearest, not the smallest": lambda i, t: (i @ _classes(t).T).argmin(1),
        },
    ),
    "11.4": Exercise(
        lambda s, k: _found(s, k).any(0).double().mean(),
        (_scores, 3),
        {
            "texts are the columns: these are pictures that look for a text": lambda s, k: (
                _found(s, k, 1).any(1).double().mean()
            ),
            "the k largest are the best, not the smallest": lambda s, k: _found(-s, k).any(0).double().mean(),
            "the k best count, not the best alone": lambda s, k: _found(s, 1).any(0).double().mean(),
            "a share is wanted, not a number": lambda s, k: _found(s, k).sum().double(),
            "a text counts once, not k times": lambda s, k: _found(s, k).double().mean(),
        },
    ),
}
