"""Faults of pictures: broken, huge, in other formats."""

import contextlib
import io
import random
import struct
import warnings
import zipfile
import zlib
from pathlib import Path

import torch
from PIL import Image

from ddpm_lessons.data.files import class_zip, picture

from . import FLOWER, Seen, command, fault, fine, forked, one_line, raises
from .places import limited_memory


def saved(image: Image.Image, file: Path, **how) -> Path:
    """A picture file in a folder that is made for it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    image.save(file, **how)
    return file


def near(x: torch.Tensor, *rgb: float, tolerance: float = 0.03) -> None:
    """The picture's mean colour, channel by channel, in [-1, 1]."""
    assert torch.allclose(x.mean((1, 2)), torch.tensor(rgb, dtype=torch.float32), atol=tolerance), x.mean((1, 2))


@fault("pictures broken at 600 random places: JPEG, PNG, WebP, BMP")
def broken(there: Path) -> Seen:
    rng, image, lines = random.Random(2), Image.open(FLOWER).resize((48, 40)), set()
    for suffix in (".jpg", ".png", ".webp", ".bmp"):
        whole = saved(image, there / f"x{suffix}").read_bytes()
        for _ in range(150):
            content = bytearray(whole)
            for _ in range(rng.choice((1, 8))):
                content[rng.randrange(rng.choice((60, len(content))))] = rng.randrange(256)
            content = content[: rng.choice((len(content), rng.randrange(len(content))))]
            (there / f"y{suffix}").write_bytes(content)
            with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
                warnings.simplefilter("ignore")
                try:
                    x = picture(there / f"y{suffix}", 8)
                except ValueError as e:
                    assert str(e).startswith(str(there / f"y{suffix}")) and "\n" not in str(e), e
                    lines.add(str(e))
                else:
                    assert x.shape == (3, 8, 8) and x.isfinite().all() and x.abs().max() <= 1
    return Seen("error: " + min(lines, key=len))


@fault("a text or an empty file in place of a picture, in training")
def no_picture(there: Path) -> Seen:
    saved(Image.new("RGB", (9, 9)), there / "data" / "rose" / "1.jpg")
    for content in (b"", b"hello", b"\xff\xd8\xff\xe0" + bytes(100)):
        (there / "data" / "rose" / "2.jpg").write_bytes(content)
        said = command(there, "train", "flowers_text", "--data", there / "data", "--out", there / "runs")
        line = one_line(said, "2.jpg cannot be read as a picture", "delete it or fetch it again")
    return Seen(line)


@fault("CMYK pictures, as printers want them")
def cmyk(there: Path) -> Seen:
    near(picture(saved(Image.new("CMYK", (9, 9), (0, 255, 255, 0)), there / "x.jpg", quality=100), 8), 1, -1, -1)
    return Seen("red is red")


@fault("palettes, transparency, one bit, grey with alpha")
def palettes(there: Path) -> Seen:
    red = Image.new("RGBA", (9, 9), (255, 0, 0, 128))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing is to be printed amid a bar
        near(picture(saved(red.convert("RGB").convert("P"), there / "p.png"), 8), 1, -1, -1)
        near(picture(saved(red.quantize(), there / "pa.png"), 8), 1, -1, -1)
        near(picture(saved(Image.new("P", (9, 9)), there / "t.png", transparency=b"\0\x80"), 8), -1, -1, -1)
        near(picture(saved(red, there / "a.png"), 8), 1, -1, -1)
        near(picture(saved(Image.new("1", (9, 9), 1), there / "b.png"), 8), 1, 1, 1)
        near(picture(saved(Image.new("LA", (9, 9), (255, 9)), there / "la.png"), 8), 1, 1, 1)
    return Seen("each has its colour")


@fault("pictures of 16 bits")
def deep(there: Path) -> Seen:
    for value in (0, 255, 32896, 65535):
        near(picture(saved(Image.new("I;16", (9, 9), value), there / "x.png"), 8), *[2 * value / 65535 - 1] * 3)
    rows = b"".join(b"\0" + struct.pack(">3H", 65535, 0, 32896) * 4 for _ in range(4))
    chunks = ((b"IHDR", struct.pack(">2I5B", 4, 4, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    png = (struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks)
    (there / "rgb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(png))
    near(picture(there / "rgb.png", 4), 1, -1, 0)
    return Seen("mid-grey is mid-grey")


@fault("animated pictures")
def animated(there: Path) -> Seen:
    film = [Image.new("RGB", (9, 9), c) for c in ("red", "blue", "green")]
    for name in ("x.png", "x.webp"):
        file = saved(film[0], there / "rose" / name, save_all=True, append_images=film[1:])
        near(picture(file, 8), 1, -1, -1, tolerance=0.05)
    return Seen("the first of their frames")


def png_of(width: int, height: int) -> bytes:
    """A PNG file of a few bytes for every megabyte that it wants: all black, one bit a pixel."""
    packer = zlib.compressobj()
    row = bytes(1 + (width + 7) // 8)
    data = b"".join(packer.compress(row * 100) for _ in range(height // 100)) + packer.flush()
    chunks = ((b"IHDR", struct.pack(">2I5B", width, height, 1, 0, 0, 0, 0)), (b"IDAT", data), (b"IEND", b""))
    png = (struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(png)


@fault("a picture of 900 megapixels in a file of a few kilobytes")
def bomb(there: Path) -> Seen:
    (there / "x.png").write_bytes(png_of(30_000, 30_000))
    assert (there / "x.png").stat().st_size < 200_000
    line = raises(ValueError, lambda: picture(there / "x.png", 8), "x.png cannot be read as a picture")
    with zipfile.ZipFile(there / "x.zip", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("rose/1.png", png_of(30_000, 30_000))
    raises(ValueError, lambda: class_zip(there / "x.zip", 8), "x.zip/rose/1.png cannot be read")
    return Seen(line)


@fault("a photograph of 48 megapixels, a strip of 1 x 20,000")
def large(there: Path) -> Seen:
    near(picture(saved(Image.new("RGB", (8000, 6000), "red"), there / "x.jpg"), 8), 1, -1, -1)
    assert picture(saved(Image.new("RGB", (1, 20_000)), there / "strip.png"), 8).shape == (3, 8, 8)
    return Seen("read")


@fault("a zip bomb: a gigabyte of zeros in a megabyte, named as a picture")
def zip_bomb(there: Path) -> Seen:
    with zipfile.ZipFile(there / "x.zip", "w", zipfile.ZIP_DEFLATED) as z, z.open("rose/1.jpg", "w") as f:
        for _ in range(1024):
            f.write(bytes(1 << 20))

    def work() -> int:
        limited_memory(200)
        print(raises(ValueError, lambda: class_zip(there / "x.zip", 8), "cannot be read as a picture"))
        return 0

    return Seen(fine(forked(work, there)))


@fault("a text of 100 megabytes inside a PNG file")
def text_bomb(there: Path) -> Seen:
    text = b"zTXt", b"k\0\0" + zlib.compress(bytes(100 << 20))
    whole = png_of(100, 100)
    chunk = struct.pack(">I", len(text[1])) + b"".join(text) + struct.pack(">I", zlib.crc32(b"".join(text)))
    (there / "x.png").write_bytes(whole[:33] + chunk + whole[33:])
    return Seen(raises(ValueError, lambda: picture(there / "x.png", 8), "x.png cannot be read as a picture"))
