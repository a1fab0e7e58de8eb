"""How good are samples?  Distances between the features of two sets of pictures."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .features import Features


def frechet(a: Tensor, b: Tensor) -> float:
    """The Fréchet distance of the normal densities fitted to two sets of features (arXiv 1706.08500, eq. 6).  (10.4)

    |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)).  a: (N, D), b: (M, D). Biased upwards, the more the smaller N.
    """
    _check(a, b)
    # C = R^T R with R from a QR decomposition of the centred features, so that the eigenvalues of (C_a C_b)^(1/2) are
    # the singular values of R_a R_b^T: exact even where N < D makes C singular
    r_a, r_b = (torch.linalg.qr((x - x.mean(0)) / (len(x) - 1) ** 0.5, mode="r")[1] for x in (a, b))
    apart = (a.mean(0) - b.mean(0)).square().sum()
    return float(apart + r_a.square().sum() + r_b.square().sum() - 2 * torch.linalg.svdvals(r_a @ r_b.T).sum())


def kernel(a: Tensor, b: Tensor) -> float:
    """The kernel distance: squared MMD with k(x, y) = (x.y / D + 1)^3, unbiased (arXiv 1801.01401).  (10.7)

    a: (N, D), b: (M, D).
    """
    _check(a, b)

    def k(x, y):
        return (x @ y.T / x.shape[1] + 1) ** 3

    def within(x):  # no picture is compared with itself: this makes it unbiased
        own = k(x, x)
        return (own.sum() - own.trace()) / (len(x) * (len(x) - 1))

    return float(within(a) + within(b) - 2 * k(a, b).mean())


def precision_recall(real: Tensor, fake: Tensor, k: int = 3) -> tuple[float, float]:
    """How many samples look real, how many real pictures could be samples (arXiv 1904.06991, eq. 2).  (10.11)

    A picture belongs to a set when it lies within the distance from one of the set's pictures to its k-th neighbour.
    real: (N, D), fake: (M, D).
    """
    _check(real, fake)
    if k >= min(len(real), len(fake)):
        raise ValueError(f"the {k}-th neighbour needs more than {k} pictures, got {len(real)} and {len(fake)}")

    def within(x, of):  # in parts: all distances at once would take 20 GB for 50,000 pictures
        # each row's own distance 0 comes first: the k-th neighbour is number k + 1
        radius = torch.cat([torch.cdist(part, of).kthvalue(k + 1, dim=1).values for part in of.split(2000)])
        found = torch.cat([(torch.cdist(part, of) <= radius).any(1) for part in x.split(2000)])
        return float(found.double().mean())

    return within(fake, real), within(real, fake)


@torch.no_grad()
def inception_score(logits: Tensor) -> float:
    """exp of the mean KL(p(y | x) || p(y)) (arXiv 1606.03498, section 4): from 1 to K, high = sure and varied.  (10.12)

    It never sees a real picture, and the classes are those that its network was trained on.  logits: (N, K)
    """
    log_p = logits.double().log_softmax(1)
    log_mean = log_p.logsumexp(0) - torch.tensor(float(len(log_p))).log()
    return float((log_p.exp() * (log_p - log_mean)).sum(1).mean().exp())


def perceptual(a: Tensor, b: Tensor, features: Features) -> Tensor:
    """How different two pictures look, pair by pair: LPIPS (arXiv 1801.03924, eq. 1).  (10.13)

    a, b: (N, C, H, W) -> (N,). Layer by layer the squared distance of the unit vectors at each place, averaged over
    places. The paper's weights of the channels, learned from people's judgements for other networks, are all 1 here.
    Gradients pass, so that it can be trained with.
    """
    if a.shape != b.shape:
        raise ValueError(f"pairs of pictures of one shape are compared, got {tuple(a.shape)} and {tuple(b.shape)}")
    if features.maps is None:
        raise ValueError(
            f"{features.name} gives one vector a picture; a perceptual distance needs maps: efficientnet()"
        )
    found = []
    for part_a, part_b in zip(a.split(50), b.split(50), strict=True):
        maps = zip(
            features.maps(part_a.expand(-1, 3, -1, -1)), features.maps(part_b.expand(-1, 3, -1, -1)), strict=True
        )
        apart = ((F.normalize(p.float()) - F.normalize(q.float())).square().sum(1) for p, q in maps)
        found.append(sum(d.mean((1, 2)) for d in apart))
    return torch.cat(found)


def _check(a: Tensor, b: Tensor) -> None:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            f"features (N, D) and (M, D) are compared, N and M > 1; got {tuple(a.shape)} and {tuple(b.shape)}"
        )
