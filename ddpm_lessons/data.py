"""Pictures in [-1, 1] with their labels: photographs, digits, and flowers that we draw ourselves."""

import gzip
import hashlib
import http.client
import os
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor
from tqdm.auto import tqdm

from .conditions import Cond, classes

FLOWERS = ("daisy", "dandelion", "rose", "sunflower", "tulip")
TF_FLOWERS = (  # the publisher's archive, CC-BY photographs
    "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz",
    "4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c",
)
PLURALS = {"roses": "rose", "sunflowers": "sunflower", "tulips": "tulip"}  # TF-Flowers' own names
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


class Pictures(NamedTuple):
    """A data set in memory.  x: (N, C, H, W) in [-1, 1], y: (N,) labels, classes: their names, source: in words"""

    x: Tensor
    y: Tensor
    classes: tuple[str, ...]
    source: str


def batches(
    pictures: Pictures, n: int, size: int, flip: bool = True
) -> Callable[[torch.Generator], tuple[Tensor, Cond]]:
    """rng -> (x0, cond): n random pictures, cropped to `size` at a random place, mirrored half the time.

    x0: (n, C, size, size), cond: one-hot classes. Raises ValueError when the pictures are smaller than `size`.
    """
    room = pictures.x.shape[-1] - size
    if room < 0:
        raise ValueError(f"pictures of {pictures.x.shape[-1]} px cannot be cropped to {size}: load them larger")

    def batch(rng):
        i = torch.randint(len(pictures.x), (n,), generator=rng)
        top, left = torch.randint(room + 1, (2,), generator=rng).tolist()
        x0 = pictures.x[i, :, top : top + size, left : left + size]
        if flip:
            mirrored = torch.rand(n, generator=rng) < 0.5
            x0 = torch.where(mirrored[:, None, None, None], x0.flip(-1), x0)
        return x0, classes(pictures.y[i], len(pictures.classes))

    return batch


def bundled(name: str) -> Path:
    """A file of the course's own `data` folder, which lies beside the package, or inside it once installed."""
    beside = Path(__file__).parent.parent / "data" / name
    return beside if beside.exists() else Path(__file__).parent / "bundled" / name


def root() -> Path:
    """Where data sets live: the folder that DDPM_LESSONS_DATA names, or a cache in the home folder.

    Raises ConnectionError when DDPM_LESSONS_DATA is `none`, which forbids downloads, FileNotFoundError for a folder
    that is not there.
    """
    named = os.environ.get("DDPM_LESSONS_DATA")
    if named == "none":
        raise ConnectionError("DDPM_LESSONS_DATA=none forbids downloads; let it name a folder with the data set")
    if not named:
        return Path.home() / ".cache" / "ddpm_lessons"
    # a relative one is meant from where the user stands, or from the project: notebooks run in their own folder
    for folder in (Path(named).expanduser(), Path(__file__).parents[1] / named):
        if folder.is_dir():
            return folder.resolve()
    raise FileNotFoundError(f"DDPM_LESSONS_DATA names {named}, which is no folder; make it, or unset the variable")


def flowers(size: int, folder: str | Path | None = None) -> Pictures:
    """Photographs of five flowers, TF-Flowers: those in `folder`, or in `root()` and downloaded there once, 229 MB.

    -> x: (N, 3, size, size). Raises FileNotFoundError when `folder` has none, ConnectionError when the host cannot be
    reached, ValueError for a broken file.
    """
    here = Path(folder or root())
    found = [f for f in (here / "flower_photos", here / "flowers_128", here) if (f / "daisy").is_dir()]
    if not found and folder:
        raise FileNotFoundError(
            f"no photographs in {here}: wanted is {here}/daisy/*.jpg; without --data they are fetched"
        )
    if not found:
        url, sha256 = TF_FLOWERS
        archive = here / "flower_photos.tgz"
        had = archive.exists()
        unpack(download(url, archive, sha256), here)
        if not had:
            archive.unlink()
        found = [here / "flower_photos"]
    return class_folders(found[0], size)


def flowers_or_drawn(size: int, n: int = 2000) -> Pictures:
    """The photographs, or, where they cannot be had, n drawn flowers; `source` says which, and why."""
    return _or_drawn(flowers, size, n)


def digits_or_drawn(size: int, n: int = 2000) -> Pictures:
    """The digits, (N, 1, size, size), or, where they cannot be had, n drawn flowers, (n, 3, size, size)."""
    return _or_drawn(digits, size, n)


def _or_drawn(load: Callable[[int], Pictures], size: int, n: int) -> Pictures:
    why = "DDPM_LESSONS_DATA=none"
    if os.environ.get("DDPM_LESSONS_DATA") != "none":
        try:
            return load(size)
        except OSError as e:  # no host, no room on the disk, or a page of some login in place of the file
            why = str(e)
    pictures = drawn(n, size, torch.Generator().manual_seed(0))
    return pictures._replace(source=f"{pictures.source} ({why})")


def class_folders(folder: str | Path, size: int) -> Pictures:
    """A folder with a folder for each class, read as squares of `size` pixels; plural names lose their s.

    Raises FileNotFoundError when there is no picture, ValueError, naming it, when a picture cannot be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}; name one that holds a folder of pictures for each class")
    files = sorted(f for f in folder.glob("*/*") if f.suffix.lower() in SUFFIXES and f.name[0] != ".")
    if not files:
        raise FileNotFoundError(f"no pictures in {folder}/CLASS/; wanted are {', '.join(sorted(SUFFIXES))}")
    names = sorted({f.parent.name for f in files})
    x = torch.empty(len(files), 3, size, size)
    for i, f in enumerate(tqdm(files, desc="reading pictures", leave=False)):
        x[i] = picture(f, size)
    y = torch.tensor([names.index(f.parent.name) for f in files])
    return Pictures(x, y, tuple(PLURALS.get(n, n) for n in names), f"{len(files)} photographs")


def picture(file: str | Path, size: int) -> Tensor:
    """One picture file, its middle square resized: (3, size, size) in [-1, 1]. ValueError when it cannot be read."""
    try:
        with Image.open(file) as image:
            image.draft("RGB", (2 * size, 2 * size))  # a large JPEG is decoded at a fraction of its size
            image = ImageOps.fit(ImageOps.exif_transpose(image).convert("RGB"), (size, size), Image.LANCZOS)
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as e:
        raise ValueError(f"{file} cannot be read as a picture ({e}); delete it or fetch it again") from e
    return pil_to_tensor(image).float() / 127.5 - 1


def digits(size: int = 32, folder: str | Path | None = None) -> Pictures:
    """MNIST, padded to `size`: (N, 1, size, size): the IDX files in `folder`, or in `root()` and downloaded there once.

    All of train and t10k that is there is read. Raises FileNotFoundError when `folder` has none, ConnectionError when
    the host cannot be reached, ValueError for a broken file.
    """
    here = Path(folder or root())
    found = sorted(f for place in (here / "mnist", here) for f in place.glob("*-images-idx3-ubyte.gz"))
    if not found and folder:
        raise FileNotFoundError(f"no digits in {here}: wanted is {here}/*-images-idx3-ubyte.gz; or let them be fetched")
    if not found:
        from torchvision.datasets import MNIST  # checks the MD5 of each file, and fetches those that are missing

        try:
            MNIST(here, download=True)
        except (RuntimeError, urllib.error.URLError) as e:
            why = " ".join(str(e).split())  # torchvision says it in several lines
            raise ConnectionError(
                f"MNIST cannot be downloaded ({why}); set DDPM_LESSONS_DATA to a folder with it"
            ) from e
        found = sorted((here / "MNIST" / "raw").glob("*-images-idx3-ubyte.gz"))
    x = torch.cat([idx(f) for f in found])[:, None].float() / 127.5 - 1
    y = torch.cat([idx(f.with_name(f.name.replace("images-idx3", "labels-idx1"))) for f in found]).long()
    pad = size - x.shape[-1]
    x = torch.nn.functional.pad(x, [pad // 2, pad - pad // 2] * 2, value=-1.0)
    return Pictures(x, y, tuple("0123456789"), f"{len(x)} digits of MNIST")


def idx(file: Path) -> Tensor:
    """An IDX file of bytes, gzipped, as MNIST comes: uint8 of the shape in its header. ValueError when cut short."""
    try:
        raw = gzip.decompress(file.read_bytes())
        ndim = raw[3]
        shape = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(ndim)]
        return torch.frombuffer(bytearray(raw[4 + 4 * ndim :]), dtype=torch.uint8).view(shape)
    except (OSError, EOFError, zlib.error, IndexError, RuntimeError, ValueError) as e:
        raise ValueError(f"{file} is missing, cut short or not MNIST ({e}); delete it and run again") from e


def download(url: str, file: Path, sha256: str) -> Path:
    """Fetch a file with a progress bar; an interrupted download goes on where it stopped. Returns `file`.

    Raises ConnectionError when the host cannot be reached or sends something else (it is removed), ValueError when
    `file` was there before and is something else (it stays).
    """
    if not hasattr(tarfile, "data_filter"):  # said now, not after the download
        raise ValueError("this Python cannot unpack safely: update to 3.10.12, 3.11.4 or newer")
    part = file.with_name(file.name + ".part")
    if file.exists() and digest(file) != sha256:
        raise ValueError(f"{file} is not the published file (its SHA-256 is another); move it away and run again")
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        have = part.stat().st_size if part.exists() else 0
        request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                resumed = answer.status == 206  # a host may send all of it anyway
                total = int(answer.headers.get("Content-Length", 0)) + have * resumed
                bar = tqdm(total=total, initial=have * resumed, unit="B", unit_scale=True, desc=file.name)
                with open(part, "ab" if resumed else "wb") as f, bar:
                    while chunk := answer.read(1 << 20):
                        f.write(chunk)
                        bar.update(len(chunk))
                if part.stat().st_size < total:
                    raise ConnectionError("the host hung up early")
        except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as e:
            if getattr(e, "code", 0) != 416:  # 416: the part was whole already
                why = getattr(e, "reason", e)
                raise ConnectionError(f"could not fetch {url} ({why}); run again to go on where it stopped") from e
        if digest(part) != sha256:
            part.unlink()
            raise ConnectionError(f"{file.name} came damaged (its SHA-256 is wrong) and was removed; run again")
        os.replace(part, file)
    return file


def digest(file: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    sha256 = hashlib.sha256()
    with open(file, "rb") as f:
        while chunk := f.read(1 << 20):
            sha256.update(chunk)
    return sha256.hexdigest()


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar file; nothing is written outside `folder`, and a half-unpacked one is never left behind.

    Raises ValueError when a member points outside or the archive is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as new:
        try:
            with tarfile.open(archive) as tar:
                tar.extractall(new, filter="data")
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as e:
            why = str(e).split("\n")[0]
            raise ValueError(f"{archive.name} was not unpacked: {why}") from e
        for f in Path(new).iterdir():
            if not (folder / f.name).exists():
                shutil.move(f, folder / f.name)


from .drawn import drawn  # noqa: E402  (at the end: drawn.py needs Pictures)
