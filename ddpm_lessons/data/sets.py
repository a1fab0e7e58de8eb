"""The data sets: photographs, digits and small pictures of things, found or fetched."""

import os
from collections.abc import Callable
from pathlib import Path

import torch

from .download import alone, fetch, root
from .drawn import drawn
from .files import (
    SUFFIXES,
    Pictures,
    any_folder,
    class_files,
    class_folders,
    class_zip,
    idx,
    numbered_files,
    records,
    resized,
)

FLOWERS = ("daisy", "dandelion", "rose", "sunflower", "tulip")
TF_FLOWERS = (  # the publisher's archive, CC-BY photographs
    "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz",
    "4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c",
)
SPELLED = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR10_BINARY = (  # its bytes, without the pickles of the version for Python that torchvision reads
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
)
PICTURE = ("picture",)  # the one class of pictures of which nothing is told
STL10 = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")


def flowers(size: int, folder: str | Path | None = None) -> Pictures:
    """Photographs of five flowers, TF-Flowers: those in `folder`, or in `root()` and downloaded there once, 229 MB.

    A folder of files named class_index.jpg, or of folders of other classes, will do for systems that are told texts.

    -> x: (N, 3, size, size). Raises FileNotFoundError when `folder` has none, ConnectionError when the host cannot be
    reached, ValueError for a broken file.
    """
    here = Path(folder or root())
    found = _first(here, ("flower_photos", ""), "daisy")
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
        found = fetch(TF_FLOWERS, here, "flower_photos")
    return class_folders(found, size)


def photographs(size: int, folder: str | Path | None = None) -> Pictures:
    """The photographs of flowers without their kinds, or all pictures in `folder`, whatever they show: one class.

    -> x: (N, 3, size, size). Raises like `flowers`.
    """
    if folder and _first(Path(folder), ("flower_photos", ""), "daisy") is None:
        return any_folder(folder, size)
    found = flowers(size, folder)
    return found._replace(y=torch.zeros_like(found.y), classes=PICTURE)


def celeba(size: int, folder: str | Path | None = None, n: int = 50_000) -> Pictures:
    """Faces of celebrities, CelebA, aligned, their middle square: the first n; all 202,599 take 10 GB at 64 px.

    Read is img_align_celeba.zip, which need not be unpacked, or a folder img_align_celeba, in `folder` or in `root()`,
    or in celeba there; without `folder` torchvision fetches the zip file, 1.4 GB. A folder of other pictures will do.

    -> x: (n, 3, size, size), one class. Raises FileNotFoundError when `folder` has no picture, ConnectionError, with
    what to do by hand, when the host refuses, and ValueError for a broken file.
    """
    here = Path(folder or root())
    if _celeba(here) is None and folder:
        return any_folder(here, size)
    if _celeba(here) is None:
        from torchvision.datasets import CelebA

        by_hand = "with a browser, fetch img_align_celeba.zip from mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
        try:
            through_torchvision(CelebA, here, f"{by_hand} and put it, packed as it is, into {here / 'celeba'}")
        except ConnectionError:
            if _celeba(here) is None:  # the pictures are fetched first: what else torchvision wants is not needed
                raise
    found = _celeba(here)
    read = class_zip(found, size, n) if found.suffix == ".zip" else any_folder(found, size, n)
    return Pictures(read.x, torch.zeros(len(read.x), dtype=torch.long), PICTURE, f"{len(read.x)} faces of CelebA")


def _celeba(here: Path) -> Path | None:
    names = ("img_align_celeba", "img_align_celeba.zip")
    return next((p for place in (here / "celeba", here) for n in names if (p := place / n).exists()), None)


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
    if len(x) != len(y):
        raise ValueError(f"{found[0].parent} holds {len(x)} digits and {len(y)} labels; delete its files and run again")
    pad = size - x.shape[-1]
    x = torch.nn.functional.pad(x, [pad // 2, pad - pad // 2] * 2, value=-1.0)
    return Pictures(x, y, tuple("0123456789"), f"{len(x)} digits of MNIST")


def spelled_digits(size: int = 32, folder: str | Path | None = None) -> Pictures:
    """`digits` whose classes are words: zero, one, two ..."""
    return digits(size, folder)._replace(classes=SPELLED)


def drawn_flowers(size: int, folder: str | Path | None = None) -> Pictures:
    """2000 drawn flowers, always the same; no folder is needed."""
    return drawn(2000, size, torch.Generator().manual_seed(0))


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
        found = fetch(CIFAR10_BINARY, here, "cifar-10-batches-bin")
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


def through_torchvision(
    dataset: Callable, here: Path, by_hand: str = "set DDPM_LESSONS_DATA to a folder with it"
) -> None:
    """Let torchvision fetch a data set and check its MD5; when it cannot, say so in one line (ConnectionError)."""
    try:
        with alone(here / dataset.__name__):
            dataset(here, download=True)
    except Exception as e:  # RuntimeError, URLError, and gdown, for CelebA, has kinds of its own
        why = " ".join(str(e).split())  # torchvision says it in several lines
        name = dataset.__name__
        raise ConnectionError(f"{name} cannot be downloaded ({why}); {by_hand}") from e
