"""How fast does our U-Net train beside two well-known ones?  Prints ratios; asserts nothing, as times differ.

    python tests/benchmarks/speed.py [--rounds 5] [--batch 32]     (about 3 minutes on two CPU cores)

Equal parameters (within 3 %), 32 x 32 colour pictures, the same batch, data type, optimiser and process; the
nets take turns, so that a busy machine slows all of them. Each has three sizes, with self-attention below the
finest (denoising-diffusion-pytorch: linear attention there). Needs pip install -e .[bench].
"""

import argparse
import statistics
import time

import torch
from denoising_diffusion_pytorch import Unet
from diffusers import UNet2DModel

from ddpm_lessons.networks.unet import UNet, parameters
from ddpm_lessons.training import fast_precision


def diffusers_net(last: int) -> torch.nn.Module:
    down, up = (
        ("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
        ("AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
    )
    return UNet2DModel(32, 3, 3, down_block_types=down, up_block_types=up, block_out_channels=(64, 128, last),
                       layers_per_block=1, norm_num_groups=8)  # fmt: skip


WIDTHS = (64, 128, 192)  # of ours; the others' widths follow from its parameters
NETS = {  # name -> (width -> net, the widths to choose from, how the net is called)
    "ddpm_lessons, patch 2": (lambda c: UNet(3, WIDTHS, 1, 1, patch=2), [0], lambda net, x, t: net(x, t)),
    "ddpm_lessons, patch 1": (lambda c: UNet(3, WIDTHS, 1, 1, patch=1), [0], lambda net, x, t: net(x, t)),
    "diffusers UNet2DModel": (diffusers_net, range(64, 400, 8), lambda net, x, t: net(x, t).sample),
    "denoising-diffusion-pytorch Unet": (
        lambda c: Unet(c, dim_mults=(1, 2, 2)), range(40, 160, 2), lambda net, x, t: net(x, t)
    ),
}  # fmt: skip


def of_size(make, widths, wanted: int) -> torch.nn.Module:
    """The net whose width brings it closest to the wanted number of parameters."""
    with torch.device("meta"):  # only counted, not filled
        best = min(widths, key=lambda c: abs(parameters(make(c)) - wanted))
    return make(best)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    a = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    x = torch.randn(a.batch, 3, 32, 32, device=device)
    t = torch.randint(1, 1000, (a.batch,), device=device)
    for dtype in dict.fromkeys((None, fast_precision(device))):
        print(f"\n{device}, {torch.get_num_threads()} threads, {dtype or torch.float32}, batch {a.batch}")
        wanted = parameters(UNet(3, WIDTHS, 1, 1))
        nets = {name: of_size(make, widths, wanted).to(device) for name, (make, widths, _) in NETS.items()}
        for name in list(nets)[:2]:
            nets[name].to(memory_format=torch.channels_last)  # as `Run` does
        opts = {name: torch.optim.AdamW(net.parameters()) for name, net in nets.items()}
        seconds = {name: [] for name in nets}
        for _ in range(a.rounds + 1):
            for name, net in nets.items():
                begin = time.perf_counter()
                for _ in range(2):
                    with torch.autocast(device, dtype=dtype, enabled=dtype is not None):
                        loss = (NETS[name][2](net, x, t) - x).square().mean()
                    opts[name].zero_grad()
                    loss.backward()
                    opts[name].step()
                if device == "cuda":
                    torch.cuda.synchronize()
                seconds[name].append((time.perf_counter() - begin) / 2)
        rate = {name: a.batch / statistics.median(s[1:]) for name, s in seconds.items()}  # the first round warms up
        other = max(rate[name] for name in list(rate)[2:])
        for name, r in rate.items():
            millions = parameters(nets[name]) / 1e6
            print(f"{name:34} {millions:5.2f} M   {r:7.1f} pictures/s   {r / other:5.2f} x the faster other")


if __name__ == "__main__":
    main()
