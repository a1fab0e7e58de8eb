"""Pictures in [-1, 1] with their labels, and the files that they are read from: folders, zip files, bytes."""

import gzip
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, NamedTuple

import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor
from torchvision.transforms.functional import pil_to_tensor
from tqdm.auto import tqdm

PLURALS = {"roses": "rose", "sunflowers": "sunflower", "tulips": "tulip"}  # TF-Flowers' own names
BROKEN = (OSError, ValueError, SyntaxError, EOFError, IndexError, TypeError, struct.error, zlib.error)  # as Pillow says
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


class Pictures(NamedTuple):
    """A data set in memory.  x: (N, C, H, W) in [-1, 1], y: (N,) labels, classes: their names, source: in words

    captions: those of each picture, where pictures have their own.
    """

    x: Tensor
    y: Tensor
    classes: tuple[str, ...]
    source: str
    captions: tuple[tuple[str, ...], ...] | None = None

    def at(self, which: Tensor) -> "Pictures":
        """Some of the pictures, with their captions.  which: (N,) bool"""
        captions = self.captions and tuple(self.captions[i] for i in which.nonzero()[:, 0].tolist())
        return self._replace(x=self.x[which], y=self.y[which], captions=captions)


def held_out(pictures: Pictures) -> Tensor:
    """One picture in ten, always the same: (N,) bool."""
    return torch.rand(len(pictures.x), generator=torch.Generator().manual_seed(10)) < 0.1


def bundled(name: str) -> Path:
    """A file of the course's own `data` folder, which lies beside the package, or inside it once installed."""
    package = Path(__file__).parents[1]
    beside = package.parent / "data" / name
    return beside if beside.exists() else package / "bundled" / name


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
    """The pictures of a folder that are named class_index.jpg, daisy_17.jpg, in order."""
    found = (f for f in Path(folder).glob("*_*") if f.suffix.lower() in SUFFIXES and f.name[0] != ".")
    return sorted(f for f in found if f.stem.rpartition("_")[0] and f.stem.rpartition("_")[2].isdigit())


def class_files(folder: str | Path, size: int) -> Pictures:
    """A folder of pictures named class_index.jpg.  Raises like `class_folders`."""
    files = numbered_files(folder)
    if not files:
        raise FileNotFoundError(f"no pictures in {folder} that are named class_index.jpg, such as daisy_17.jpg")
    return _read(files, [f.stem.rpartition("_")[0].replace("_", " ") for f in files], size)


def any_folder(folder: str | Path, size: int, most: int | None = None) -> Pictures:
    """All pictures in a folder and in the folders in it, whatever they show, or the first so many: one class.

    Raises like `class_folders`.
    """
    files = sorted(f for f in Path(folder).rglob("*") if f.suffix.lower() in SUFFIXES and f.name[0] != ".")[:most]
    if not files:
        raise FileNotFoundError(f"no pictures in {folder}; wanted are {', '.join(sorted(SUFFIXES))}")
    return _read(files, ["picture"] * len(files), size)


def _read(files: list[Path], named: list[str], size: int) -> Pictures:
    named = [PLURALS.get(n, n) for n in named]  # `rose` and `roses` are one class
    names, x = sorted(set(named)), torch.empty(len(files), 3, size, size)
    for i, f in enumerate(tqdm(files, desc="reading pictures", leave=False, mininterval=0.5)):
        x[i] = picture(f, size)
    y = torch.tensor([names.index(n) for n in named])
    return Pictures(x, y, tuple(names), f"{len(files)} photographs")


def class_zip(file: str | Path, size: int, most: int | None = None) -> Pictures:
    """The same from a zip file, which is read and never unpacked; where it has a folder `train`, that one only.

    most: how many pictures are read, the first ones.

    Raises ValueError, naming it, when the zip file or a picture in it cannot be read.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            members = sorted({m for m in archive.namelist() if Path(m).suffix.lower() in SUFFIXES})
            members = [m for m in members if Path(m).name[0] != "."]  # as macOS adds
            members = ([m for m in members if m.startswith("train/")] or members)[:most]
            names = sorted({Path(m).parent.name for m in members})
            x = torch.empty(len(members), 3, size, size)
            for i, m in enumerate(tqdm(members, desc="reading pictures", leave=False)):
                with archive.open(m) as content:
                    x[i] = picture(f"{file}/{m}", size, content)
    except (zipfile.BadZipFile, OSError, RuntimeError) as e:  # RuntimeError: it wants a password, or is packed anew
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
            return square(image, size)
    except (*BROKEN, Image.DecompressionBombError) as e:
        raise ValueError(f"{file} cannot be read as a picture ({e}); delete it or fetch it again") from e


def square(image: Image.Image, size: int) -> Tensor:
    """The middle square of a picture, upright and resized: (3, size, size) in [-1, 1]."""
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # Pillow prints a warning otherwise
    if image.mode.startswith("I"):  # 16 bits: Pillow would cut off all above 255
        image = image.point(lambda v: v * (1 / 257)).convert("L")
    image = ImageOps.fit(ImageOps.exif_transpose(image).convert("RGB"), (size, size), Image.LANCZOS)
    return pil_to_tensor(image).float() / 127.5 - 1


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
        if raw[:3] != b"\x00\x00\x08":
            raise ValueError("not bytes in IDX")
        ndim = raw[3]
        shape = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(ndim)]
        return torch.frombuffer(bytearray(raw[4 + 4 * ndim :]), dtype=torch.uint8).view(shape)
    except (OSError, EOFError, zlib.error, IndexError, RuntimeError, ValueError) as e:
        raise ValueError(f"{file} is missing, cut short or not MNIST ({e}); delete it and run again") from e
