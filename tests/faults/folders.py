"""Faults of folders of pictures: empty, odd names, loops, one class alone."""

import json
import warnings
import zipfile
from pathlib import Path

from PIL import Image

from ddpm_lessons.data.coco import coco
from ddpm_lessons.data.files import class_folders, class_zip
from ddpm_lessons.evaluation import Yardstick
from ddpm_lessons.systems.registry import system

from . import Seen, command, fault, fine, one_line, raises
from .pictures import saved

NAMES = ("👩🏽‍🌾 roses", "ورد أحمر", "$(touch robbed); `touch robbed` & 'quoted' \"twice\" * ? | > x", "-n", "új\nsor")


@fault("empty folders, a folder that is none, a file in its place")
def empty(there: Path) -> Seen:
    (there / "data" / "rose").mkdir(parents=True)
    (there / "file").write_text("x")
    line = one_line(command(there, "train", "flowers", "--data", there / "data"), "no photographs in")
    one_line(command(there, "train", "flowers_text", "--data", there / "nowhere"), "no photographs in")
    one_line(command(there, "train", "flowers", "--data", there / "file"), "file")
    one_line(command(there, "train", "digits", "--data", there / "data"), "no digits in")
    one_line(command(there, "train", "cifar10", "--data", there / "data"), "no CIFAR-10 in")
    return Seen(line)


@fault("one kind empty, others not")
def one_empty(there: Path) -> Seen:
    saved(Image.new("RGB", (40, 40)), there / "data" / "daisy" / "1.jpg")
    (there / "data" / "rose").mkdir()
    return Seen(
        one_line(command(there, "train", "flowers", "--data", there / "data"), "the data hold daisy; flowers wants")
    )


@fault("links to themselves, links to nothing, folders named as pictures")
def loops(there: Path) -> Seen:
    saved(Image.new("RGB", (40, 40)), there / "data" / "daisy" / "1.jpg")
    (there / "data" / "rose").symlink_to(there / "data")  # a folder inside itself
    (there / "data" / "me").symlink_to(there / "data" / "me")
    assert len(class_folders(there / "data", 8).x) == 1
    lines = []
    for make in (
        lambda f: f.symlink_to(f),
        lambda f: f.symlink_to("nowhere.jpg"),
        lambda f: f.mkdir(),
    ):
        bad = there / "data" / "daisy" / "2.jpg"
        make(bad)
        lines.append(raises(ValueError, lambda: class_folders(there / "data", 8), "2.jpg cannot be read as a picture"))
        bad.rmdir() if bad.is_dir() else bad.unlink()
    said = command(there, "train", "flowers", "--data", there / "data" / "me", "--out", there / "runs")
    one_line(said, "no photographs in")
    return Seen(lines[0])


@fault("names that are there twice: rose and roses, one name twice in a zip file, macOS's shadows")
def twice(there: Path) -> Seen:
    for kind, colour in (("rose", "red"), ("roses", "pink"), ("tulip", "blue")):
        saved(Image.new("RGB", (9, 9), colour), there / "data" / kind / "1.jpg")
    p = class_folders(there / "data", 8)
    assert p.classes == ("rose", "tulip") and p.y.tolist() == [0, 0, 1], (p.classes, p.y)
    content = (there / "data" / "rose" / "1.jpg").read_bytes()
    with warnings.catch_warnings(), zipfile.ZipFile(there / "x.zip", "w") as z:
        warnings.simplefilter("ignore")
        for name in ("rose/1.jpg", "rose/1.jpg", "tulip/1.jpg"):
            z.writestr(name, content)
        z.writestr("__MACOSX/rose/._1.jpg", b"no picture")
    p = class_zip(there / "x.zip", 8)
    assert p.classes == ("rose", "tulip") and len(p.x) == 2, (p.classes, len(p.x))
    return Seen("each class and each picture once")


@fault("kinds and files with emoji, right-to-left names, shell signs, a line end")
def names(there: Path) -> Seen:
    for name in NAMES:
        saved(Image.new("RGB", (40, 40), "red"), there / "data" / name.replace("/", "") / f"{name}.jpg")
    p = class_folders(there / "data", 8)
    assert sorted(p.classes) == sorted(NAMES)
    runs = there / NAMES[2]
    argv = ["train", "flowers_text", "--steps", 1, "--batch", 1, "--data", there / "data", "--out", runs]
    fine(command(there, *argv))
    line = fine(command(there, "info", runs / "flowers_text.safetensors"), "5 photographs")
    assert not list(there.rglob("robbed"))
    (there / "data" / NAMES[0] / f"{NAMES[0]}.jpg").write_bytes(b"none")
    return Seen(raises(ValueError, lambda: class_folders(there / "data", 8), NAMES[0]) if line else "")


@fault("pictures of one class alone")
def one_class(there: Path) -> Seen:
    for k in range(3):
        saved(Image.new("RGB", (40, 40), (80 * k, 0, 0)), there / "data" / "orchid" / f"{k}.jpg")
    line = one_line(
        command(there, "train", "flowers", "--data", there / "data", "--out", there / "runs"), "wants daisy"
    )
    argv = ["train", "flowers_text", "--steps", 1, "--batch", 2, "--data", there / "data", "--out", there / "runs"]
    fine(command(there, *argv), "3 photographs")
    weights = there / "runs" / "flowers_text.safetensors"
    one_line(command(there, "evaluate", weights, "--against", there / "data", "-n", 500, "--steps", 1), "too few")
    p = system("flowers_text").pictures(there / "data")
    raises(ValueError, lambda: Yardstick(p.x, 500, lambda x: x.flatten(1)), "too few to measure with")
    return Seen(line)


@fault("a captions file with Windows' line ends, and captions that are empty")
def captions(there: Path) -> Seen:
    for k in range(6):
        saved(Image.new("RGB", (40, 40)), there / "train2017" / f"{k}.jpg")
    said = [dict(id=k, image_id=k % 6, caption=c + "\r\n") for k, c in enumerate(["A red rose.", " "] * 6)]
    found = dict(images=[dict(id=k, file_name=f"{k}.jpg") for k in range(6)], annotations=said)
    file = there / "annotations" / "captions_train2017.json"
    file.parent.mkdir()
    file.write_bytes(json.dumps(found, indent=1).replace("\n", "\r\n").encode())
    got = {c for per in coco(8, there).captions for c in per}
    assert got == {"A red rose."}, got
    return Seen("a caption, without them")
