"""Pictures in [-1, 1] with their labels: photographs, digits, and flowers that we draw ourselves."""

import gzip
import os
import urllib.error
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple

import torch
import torch.nn.functional as F
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor
from tqdm.auto import tqdm

from .conditions import Cond, classes
from .download import fetch, root

FLOWERS = ("daisy", "dandelion", "rose", "sunflower", "tulip")
TF_FLOWERS = (  # the publisher's archive, CC-BY photographs
    "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz",
    "4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c",
)
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR10_BINARY = (  # its bytes, without the pickles of the version for Python that torchvision reads
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
)
STL10 = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
PLURALS = {"roses": "rose", "sunflowers": "sunflower", "tulips": "tulip"}  # TF-Flowers' own names
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


class Pictures(NamedTuple):
    """A data set in memory.  x: (N, C, H, W) in [-1, 1], y: (N,) labels, classes: their names, source: in words"""

    x: Tensor
    y: Tensor
    classes: tuple[str, ...]
    source: str


Tell = Callable[[Tensor, torch.Generator], Cond]  # (places (B,) in a data set, rng) -> what their pictures show


def batches(
    pictures: Pictures, n: int, size: int, flip: bool = True, tell: Tell | None = None
) -> Callable[[torch.Generator], tuple[Tensor, Cond]]:
    """rng -> (x0, cond): n random pictures, cropped to `size` at a random place, mirrored half the time.

    x0: (n, C, size, size), cond: one-hot classes, or what `tell` says. Raises ValueError for pictures below `size`.
    """
    if pictures.x.shape[-1] < size:
        raise ValueError(f"pictures of {pictures.x.shape[-1]} px cannot be cropped to {size}: load them larger")

    def batch(rng):
        i = torch.randint(len(pictures.x), (n,), generator=rng)
        x0 = cropped(pictures.x, i, size, flip, rng)
        return x0, classes(pictures.y[i], len(pictures.classes)) if tell is None else tell(i, rng)

    return batch


def cropped(x: Tensor, i: Tensor, size: int, flip: bool, rng: torch.Generator) -> Tensor:
    """The pictures at the places i, all cropped at one random place, mirrored half the time.  -> (B, C, size, size)"""
    top, left = torch.randint(x.shape[-1] - size + 1, (2,), generator=rng).tolist()
    x0 = x[i, :, top : top + size, left : left + size]
    if flip:
        mirrored = torch.rand(len(i), generator=rng) < 0.5
        x0 = torch.where(mirrored[:, None, None, None], x0.flip(-1), x0)
    return x0


def bundled(name: str) -> Path:
    """A file of the course's own `data` folder, which lies beside the package, or inside it once installed."""
    beside = Path(__file__).parent.parent / "data" / name
    return beside if beside.exists() else Path(__file__).parent / "bundled" / name


def flowers(size: int, folder: str | Path | None = None) -> Pictures:
    """Photographs of five flowers, TF-Flowers: those in `folder`, or in `root()` and downloaded there once, 229 MB.

    A folder of files named class_index.jpg, or of folders of other classes, will do for recipes that are told texts.

    -> x: (N, 3, size, size). Raises FileNotFoundError when `folder` has none, ConnectionError when the host cannot be
    reached, ValueError for a broken file.
    """
    here = Path(folder or root())
    found = _first(here, ("flower_photos", "flowers_128", ""), "daisy")
    if found is None and folder and numbered_files(here):
        return class_files(here, size)
    if found is None and folder and any(f.suffix.lower() in SUFFIXES for f in here.glob("*/*")):
        return class_folders(here, size)
    if found is None and folder:
        raise FileNotFoundError(
            f"no photographs in {here}: wanted is {here}/daisy/*.jpg, or {here}/daisy_1.jpg; "
            "without --data they are fetched"
        )
    if found is None:
        fetch(TF_FLOWERS, here)
        found = here / "flower_photos"
    return class_folders(found, size)


def _first(here: Path, folders: tuple[str, ...], holds: str) -> Path | None:
    return next((here / f for f in folders if (here / f / holds).exists()), None)


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
    return _read(files, [f.parent.name for f in files], size)


def numbered_files(folder: str | Path) -> list[Path]:
    """The pictures of a folder that are named class_index.jpg, as System E has them: daisy_17.jpg, in order."""
    found = (f for f in Path(folder).glob("*_*") if f.suffix.lower() in SUFFIXES and f.name[0] != ".")
    return sorted(f for f in found if f.stem.rpartition("_")[0] and f.stem.rpartition("_")[2].isdigit())


def class_files(folder: str | Path, size: int) -> Pictures:
    """A folder of pictures named class_index.jpg.  Raises like `class_folders`."""
    files = numbered_files(folder)
    if not files:
        raise FileNotFoundError(f"no pictures in {folder} that are named class_index.jpg, such as daisy_17.jpg")
    return _read(files, [f.stem.rpartition("_")[0].replace("_", " ") for f in files], size)


def _read(files: list[Path], named: list[str], size: int) -> Pictures:
    names, x = sorted(set(named)), torch.empty(len(files), 3, size, size)
    for i, f in enumerate(tqdm(files, desc="reading pictures", leave=False, mininterval=0.5)):
        x[i] = picture(f, size)
    y = torch.tensor([names.index(n) for n in named])
    return Pictures(x, y, tuple(PLURALS.get(n, n) for n in names), f"{len(files)} photographs")


def class_zip(file: str | Path, size: int) -> Pictures:
    """The same from a zip file, which is read and never unpacked; where it has a folder `train`, that one only.

    Raises ValueError, naming it, when the zip file or a picture in it cannot be read.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = sorted(m for m in archive.namelist() if Path(m).suffix.lower() in SUFFIXES)
            members = [m for m in members if m.startswith("train/")] or members
            names = sorted({Path(m).parent.name for m in members})
            x = torch.empty(len(members), 3, size, size)
            for i, m in enumerate(tqdm(members, desc="reading pictures", leave=False)):
                with archive.open(m) as content:
                    x[i] = picture(f"{file}/{m}", size, content)
    except (zipfile.BadZipFile, OSError) as e:
        raise ValueError(f"{file} is missing, cut short or no zip file ({e}); fetch it again") from e
    if not members:
        raise ValueError(f"{file} holds no pictures in folders of their class")
    y = torch.tensor([names.index(Path(m).parent.name) for m in members])
    return Pictures(x, y, tuple(names), f"{len(x)} pictures of {Path(file).name}")


def picture(file: str | Path, size: int, content: IO[bytes] | None = None) -> Tensor:
    """One picture file, its middle square resized: (3, size, size) in [-1, 1]. ValueError when it cannot be read.

    content: its bytes, where it lies in an archive.
    """
    try:
        with Image.open(content or file) as image:
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
        from torchvision.datasets import MNIST

        through_torchvision(MNIST, here)
        found = sorted((here / "MNIST" / "raw").glob("*-images-idx3-ubyte.gz"))
    x = torch.cat([idx(f) for f in found])[:, None].float() / 127.5 - 1
    y = torch.cat([idx(f.with_name(f.name.replace("images-idx3", "labels-idx1"))) for f in found]).long()
    pad = size - x.shape[-1]
    x = torch.nn.functional.pad(x, [pad // 2, pad - pad // 2] * 2, value=-1.0)
    return Pictures(x, y, tuple("0123456789"), f"{len(x)} digits of MNIST")


def cifar10(size: int = 32, folder: str | Path | None = None) -> Pictures:
    """CIFAR-10's training pictures, (50,000, 3, size, size): those in `folder`, or in `root()` and downloaded, 170 MB.

    Read are the publisher's binary files (cifar-10-batches-bin/data_batch_*.bin), or a zip file or folder of pictures
    (cifar10_jpeg.zip, or train/CLASS/*). Raises like `flowers`.
    """
    here = Path(folder or root())
    for archive in (here, here / "cifar10_jpeg.zip"):
        if archive.suffix == ".zip" and archive.is_file():
            return class_zip(archive, size)
    train = _first(here, ("cifar10/train", "train"), "airplane")
    if train is not None:
        return class_folders(train, size)
    found = _first(here, ("cifar-10-batches-bin", ""), "data_batch_1.bin")
    if found is None and folder:
        raise FileNotFoundError(
            f"no CIFAR-10 in {here}: wanted is cifar-10-batches-bin/data_batch_1.bin or cifar10_jpeg.zip in it; "
            "without --data it is fetched"
        )
    if found is None:
        fetch(CIFAR10_BINARY, here)
        found = here / "cifar-10-batches-bin"
    rows = torch.cat([records(f, (1 + 3 * 32 * 32,)) for f in sorted(found.glob("data_batch_*.bin"))])
    x = resized(rows[:, 1:].reshape(-1, 3, 32, 32), size)
    return Pictures(x, rows[:, 0].long(), CIFAR10, f"{len(x)} pictures of CIFAR-10")


def stl10(size: int = 32, folder: str | Path | None = None) -> Pictures:
    """STL-10's labelled pictures, train and test, (13,000, 3, size, size): from `folder`, or downloaded once, 2.6 GB.

    Read are the publisher's files (stl10_binary/train_X.bin and so on). Raises like `flowers`.
    """
    here = Path(folder or root())
    found = _first(here, ("stl10_binary", ""), "train_X.bin")
    if found is None and folder:
        raise FileNotFoundError(
            f"no STL-10 in {here}: wanted is stl10_binary/train_X.bin; without --data it is fetched"
        )
    if found is None:
        from torchvision.datasets import STL10 as Published

        through_torchvision(Published, here)
        found = here / "stl10_binary"
    parts = [f for f in ("train", "test") if (found / f"{f}_X.bin").is_file()]
    x = torch.cat([records(found / f"{f}_X.bin", (3, 96, 96)).transpose(2, 3) for f in parts])  # column by column
    y = torch.cat([records(found / f"{f}_y.bin", ()) for f in parts]).long() - 1
    return Pictures(resized(x, size), y, STL10, f"{len(x)} pictures of STL-10")


def through_torchvision(dataset: Callable, here: Path) -> None:
    """Let torchvision fetch a data set and check its MD5; when it cannot, say so in one line (ConnectionError)."""
    try:
        dataset(here, download=True)
    except (RuntimeError, urllib.error.URLError) as e:
        why = " ".join(str(e).split())  # torchvision says it in several lines
        name = dataset.__name__
        raise ConnectionError(f"{name} cannot be downloaded ({why}); set DDPM_LESSONS_DATA to a folder with it") from e


def records(file: Path, shape: tuple[int, ...]) -> Tensor:
    """A file of bytes without a header -> uint8 (N, *shape). ValueError when it is missing or cut short."""
    try:
        return torch.frombuffer(bytearray(file.read_bytes()), dtype=torch.uint8).view(-1, *shape)
    except (OSError, RuntimeError, ValueError) as e:
        why = str(e).split("\n")[0]
        raise ValueError(f"{file} is missing or cut short ({why}); delete it and run again") from e


def resized(x: Tensor, size: int) -> Tensor:
    """Bytes to pictures of another size.  (N, 3, H, H) uint8 -> (N, 3, size, size) in [-1, 1]"""
    parts = []
    for part in x.split(1000):  # a float takes four times the room of a byte
        part = part.float() / 127.5 - 1
        if part.shape[-1] != size:
            part = F.interpolate(part, size=size, mode="bicubic", antialias=True).clamp(-1, 1)
        parts.append(part)
    return torch.cat(parts)


def idx(file: Path) -> Tensor:
    """An IDX file of bytes, gzipped, as MNIST comes: uint8 of the shape in its header. ValueError when cut short."""
    try:
        raw = gzip.decompress(file.read_bytes())
        ndim = raw[3]
        shape = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(ndim)]
        return torch.frombuffer(bytearray(raw[4 + 4 * ndim :]), dtype=torch.uint8).view(shape)
    except (OSError, EOFError, zlib.error, IndexError, RuntimeError, ValueError) as e:
        raise ValueError(f"{file} is missing, cut short or not MNIST ({e}); delete it and run again") from e


from .drawn import drawn  # noqa: E402  (at the end: drawn.py needs Pictures)
