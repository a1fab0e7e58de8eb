"""Autoencoder, VAE, GAN and diffusion: equal parameters, photographs and minutes of one CPU core.  data/rivals.json

    python tests/benchmarks/rivals.py run NAME SEED --out DIR [--minutes 4]   autoencoder, vae, gan, diffusion or x0
    python tests/benchmarks/rivals.py sweep BETA --out DIR [--minutes 1]      a VAE whose KL counts BETA times
    python tests/benchmarks/rivals.py merge --out DIR                         data/rivals.json, data/rivals.jpg
    python tests/benchmarks/rivals.py                                         print what was measured

Minutes are *processor* time of training on one thread, in the processor's fastest precision; what is in DIR already is
not done again, an interrupted run goes on, and `run` with more minutes goes on from fewer. All runs see all photographs
at 70 px, cropped to 64 and mirrored. Then, for n = 500 samples drawn from the average of the weights:

- Fréchet and kernel distance, precision, recall against 500 photographs, EfficientNet-Lite0; the floor is 500 others';
- kinds: the shares of the five kinds of flowers that a linear classifier on the same features sees in the samples; it
  was trained on the photographs that are not measured against; `varied` is exp of the shares' entropy, 5 at most;
- sharpness: the variance of the Laplacian of the grey picture, a mean over pictures, over that of photographs;
- seconds: processor time a picture, 50 at a time.

The autoencoder, a VAE whose KL counts nothing, is sampled twice: from N(0, I), and from a normal density fitted to its
latents. Its and the VAE's latents are measured on the 500 photographs: `mse`, and `kl`, nats of each latent number.
Diffusion is the published system `faces` on flowers, which answers eps; x0 is the same with this course's usual answer.
Needs the photographs.
"""

import argparse
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.io import encode_jpeg
from torchvision.utils import make_grid

from ddpm_lessons.data import Pictures, flowers
from ddpm_lessons.evaluation import efficientnet, frechet, kernel, linear_classifier, precision_recall
from ddpm_lessons.losses import snr_plus_1
from ddpm_lessons.networks.unet import parameters
from ddpm_lessons.predict import X0
from ddpm_lessons.systems import registry
from ddpm_lessons.systems.autoencoder import middle
from ddpm_lessons.systems.rivals import latent_kl
from ddpm_lessons.training import fast_precision, load_run, save_run, train

DATA = Path(__file__).parents[2] / "data"
N, SHOWN, BETAS = 500, 8, (0.0, 1.0, 4.0, 16.0, 64.0)
SYSTEMS = {
    "autoencoder": lambda: replace(registry.system("vae"), beta=0.0),
    "vae": lambda: registry.system("vae"),
    "gan": lambda: registry.system("gan"),
    "diffusion": lambda: registry.system("faces_small"),
    "x0": lambda: replace(registry.system("faces_small"), predict=X0, distance=F.mse_loss, weight=snr_plus_1),
}


def photographs(out: Path) -> Pictures:
    """The photographs at 70 px with their kinds, read once and kept in half precision."""
    file = out / "photographs.pt"
    if not file.exists():
        torch.save([v.half() if isinstance(v, Tensor) and v.ndim == 4 else v for v in flowers(70)], file)
    x, *rest = torch.load(file, weights_only=True)
    return Pictures(x.float(), *rest)


def trained(system, name: str, seed: int, minutes: float, pictures: Pictures, out: Path):
    """A run of so many minutes of processor time in all, saved every minute."""
    file, run, seconds = out / f"{name}_{seed}.run.safetensors", system.run(seed), 0.0
    if file.exists():
        seconds = load_run(file, run)["seconds"]
    info, saved = {"system": registry.card(system)}, seconds
    one_class = pictures._replace(y=torch.zeros_like(pictures.y), classes=system.classes)
    begin = time.process_time() - seconds
    steps = train(run, system.batches(one_class), system.losses, 10**9, fast_precision("cpu"))
    while seconds < 60 * minutes:
        next(steps)
        seconds = time.process_time() - begin
        if seconds > saved + 60:
            save_run(file, run, info | {"seconds": seconds})
            begin, saved = time.process_time() - seconds, seconds
    save_run(file, run, info | {"seconds": seconds})
    return run, seconds


@torch.no_grad()
def drawn(system, net: nn.Module, latents: Callable[[Tensor], Tensor] | None = None) -> tuple[Tensor, float]:
    """N samples and the processor time of each.  latents: N(0, I) -> what is painted instead"""
    rng, done, begin = torch.Generator().manual_seed(1000), [], time.process_time()
    for part in torch.zeros(N, dtype=torch.long).split(50):
        z = None if latents is None else latents(torch.randn(len(part), system.latent, generator=rng))
        with torch.autocast("cpu", dtype=fast_precision("cpu"), enabled=fast_precision("cpu") is not None):
            *_, last = system.sample(net, part, rng=rng, x_T=z)
        done.append(last.x.float().clamp(-1, 1))
    return torch.cat(done), (time.process_time() - begin) / N


def sharpness(x: Tensor) -> float:
    """The variance of the Laplacian of the grey picture, the mean over pictures.  (N, 3, H, W)"""
    laplacian = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]).view(1, 1, 3, 3)
    return float(F.conv2d(x.mean(1, keepdim=True), laplacian).flatten(1).var(1).mean())


class Measure:
    """All that is measured of samples, beside the photographs' own figures."""

    def __init__(self, pictures: Pictures, out: Path):
        order = torch.randperm(len(pictures.x), generator=torch.Generator().manual_seed(0))
        x, y, self.features = middle(pictures.x, 64)[order], pictures.y[order], efficientnet()
        if not (out / "features.pt").exists():
            torch.save(self.features(x), out / "features.pt")
        known = torch.load(out / "features.pt", weights_only=True)
        self.real, self.known, self.probe = x[:N], known[:N], linear_classifier(known[N:], y[N:])
        right = (self.probe(self.known).argmax(1) == y[:N]).double().mean()
        self.photographs = {"classifier": float(right), "laplacian": sharpness(self.real), "number": len(x)}
        self.photographs |= {"floor": self.distances(known[N : 2 * N])} | self.kinds(self.probe(self.known))

    def distances(self, found: Tensor) -> dict:
        """Of the features of samples.  (N, D)"""
        precision, recall = precision_recall(self.known, found)
        apart = {"frechet": frechet(found, self.known), "kernel": kernel(found, self.known)}
        return apart | {"precision": precision, "recall": recall}

    def kinds(self, logits: Tensor) -> dict:
        """The shares of the kinds, and how many there are in effect."""
        share = logits.argmax(1).bincount(minlength=5).double() / len(logits)
        return {"kinds": share.tolist(), "varied": float((-share * share.clamp(min=1e-12).log()).sum().exp())}

    def __call__(self, samples: Tensor) -> dict:
        found = self.features(samples)
        sharp = {"sharpness": sharpness(samples) / self.photographs["laplacian"]}
        return self.distances(found) | sharp | self.kinds(self.probe(found))


@torch.no_grad()
def latents_of(net: nn.Module, x: Tensor) -> tuple[Tensor, dict]:
    """The means of the latents, and what is measured of them."""
    mean, log_var = net.encode(x)
    back = net.decoder(mean).clamp(-1, 1)
    kl = latent_kl(mean, log_var).mean(0).sort(descending=True).values
    return mean, {"mse": float((back - x).square().mean()), "kl": kl.tolist()}


def fitted(mean: Tensor) -> Callable[[Tensor], Tensor]:
    """N(0, I) -> the normal density with the mean and covariance of these latents.  (N, d)"""
    centre, root = mean.mean(0), torch.linalg.cholesky(torch.cov(mean.T) + 1e-4 * torch.eye(mean.shape[1]))
    return lambda z: centre + z @ root.T


def run_one(name: str, seed: int, minutes: float, out: Path) -> None:
    """Train, sample, measure: OUT/NAME_SEED_MINUTES.json, .safetensors and .pt, the samples that are shown."""
    stem = f"{name}_{seed}_{minutes:g}"
    if (out / f"{stem}.json").exists():
        return
    system, pictures = SYSTEMS[name](), photographs(out)
    run, seconds = trained(system, name, seed, minutes, pictures, out)
    net = run.ema.module.eval()
    command = f"python tests/benchmarks/rivals.py run {name} {seed} --minutes {minutes:g}"
    made = {"command": command, "data": pictures.source, "seed": seed}
    registry.save_weights(out / f"{stem}.safetensors", system, net, run.step, **made)
    measure = Measure(pictures, out)
    record = {"name": name, "seed": seed, "minutes": round(seconds / 60, 2), "steps": run.step}
    record |= {"parameters": parameters(net), "photographs": measure.photographs}
    samples, record["seconds"] = drawn(system, net)
    record |= measure(samples)
    if hasattr(net, "encode"):
        mean, found = latents_of(net, measure.real)
        record |= found
        if name == "autoencoder":
            samples_fitted, _ = drawn(system, net, fitted(mean))
            record["fitted"] = measure(samples_fitted)
            samples = torch.cat([samples[:SHOWN], samples_fitted[:SHOWN]])
    loss = torch.tensor(run.losses)
    record["loss"] = [float(part.mean()) for part in loss.tensor_split(50)]
    torch.save(samples[: 2 * SHOWN].half(), out / f"{stem}.pt")
    (out / f"{stem}.json").write_text(json.dumps(record))
    print({k: v for k, v in record.items() if k not in ("loss", "kl", "photographs")}, flush=True)


def sweep_one(beta: float, minutes: float, out: Path) -> None:
    """A VAE with another beta, seed 0: OUT/beta_BETA.json."""
    file = out / f"beta_{beta:g}.json"
    if file.exists():
        return
    system, pictures = replace(registry.system("vae"), beta=beta), photographs(out)
    run, seconds = trained(system, f"beta{beta:g}", 0, minutes, pictures, out)
    x = middle(pictures.x, 64)[torch.randperm(len(pictures.x), generator=torch.Generator().manual_seed(0))[:N]]
    record = {"beta": beta, "minutes": round(seconds / 60, 2), "steps": run.step}
    record |= latents_of(run.ema.module.eval(), x)[1]
    file.write_text(json.dumps(record))
    print({k: v for k, v in record.items() if k != "kl"}, "used:", sum(v > 0.1 for v in record["kl"]), flush=True)


def merge(out: Path) -> None:
    """All records as data/rivals.json, and the first samples of each as data/rivals.jpg, a row each in its order."""
    files = sorted(out.glob("*_[0-9]_*.json"), key=order)
    rows, shown = [json.loads(f.read_text()) for f in files], []
    photos = rows[0]["photographs"]
    for f, row in zip(files, rows, strict=True):
        samples = torch.load(f.with_suffix(".pt"), weights_only=True).float()
        for part in samples.split(SHOWN)[: 2 if row["name"] == "autoencoder" else 1]:
            shown.append(part)
        del row["photographs"]
    sweep = sorted((json.loads(f.read_text()) for f in out.glob("beta_*.json")), key=lambda row: row["beta"])
    record = {"features": "EfficientNet-Lite0", "n": N, "size": 64, "photographs": photos, "runs": rows, "sweep": sweep}
    record = json.loads(json.dumps(record), parse_float=lambda v: float(f"{float(v):.4g}"))
    (DATA / "rivals.json").write_text(json.dumps(record) + "\n")
    picture = make_grid(torch.cat(shown), nrow=SHOWN, padding=0, normalize=True, value_range=(-1, 1))
    (DATA / "rivals.jpg").write_bytes(bytes(encode_jpeg((255 * picture).round().byte(), quality=92)))
    for name in ("vae", "gan"):
        longest = [f for f in files if f.name.startswith(f"{name}_0_")]
        if longest:
            shutil.copy(longest[-1].with_suffix(".safetensors"), DATA / f"{name}.safetensors")


def order(file: Path) -> tuple[int, float, int]:
    """By rival, then minutes, then seed."""
    name, seed, minutes = file.stem.split("_")
    return list(SYSTEMS).index(name), float(minutes), int(seed)


def table() -> None:
    """What data/rivals.json holds, a line each."""
    record = json.loads((DATA / "rivals.json").read_text())
    print(record["photographs"])
    for row in record["runs"]:
        print(row["name"], f"seed {row['seed']}, {row['minutes']:g} min, {row['steps']} steps, {row['seconds']:.4f} s")
        for found in filter(None, (row, row.get("fitted"))):
            print("   ", {k: found.get(k) for k in (*record["photographs"]["floor"], "sharpness", "kinds", "varied")})
    for row in record["sweep"]:
        used = sum(v > 0.1 for v in row["kl"])
        print(f"beta {row['beta']:g}: {used} numbers used, {sum(row['kl']):.1f} nats, mse {row['mse']:.4f}")


def main() -> None:
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=["run", "sweep", "merge"])
    parser.add_argument("which", nargs="*", help="NAME SEED, or BETA")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--out", type=Path, default=Path("runs/rivals"))
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    if a.what == "run":
        run_one(a.which[0], int(a.which[1]), a.minutes or 4, a.out)
    elif a.what == "sweep":
        sweep_one(float(a.which[0]), a.minutes or 1, a.out)
    elif a.what == "merge":
        merge(a.out)
    if a.what in (None, "merge"):
        table()


if __name__ == "__main__":
    main()
