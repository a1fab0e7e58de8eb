"""Mended faults of files, pictures, downloads and prompts: flipped bits, web pages, 16 bits, names used twice."""

import os
import struct
import warnings
import zipfile
import zlib
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from test_data import BODY, SHA, host, tar, zipped  # noqa: F401  host is a fixture

from ddpm_lessons.data import download as downloads
from ddpm_lessons.data import flowers_or_drawn
from ddpm_lessons.data.download import cache_folder, download, fetch, unpack
from ddpm_lessons.data.files import class_folders, class_zip, picture
from ddpm_lessons.evaluation import Yardstick
from ddpm_lessons.text import load_clip
from ddpm_lessons.text.cache import cached
from ddpm_lessons.training.files import digest, load, save

# weights


def test_a_flipped_bit_is_found_wherever_it_is(tmp_path):
    """In the numbers, and in the card as well, whose JSON may still be read."""
    file = tmp_path / "x.safetensors"
    save(file, {"a": torch.arange(4.0)}, {"seed": 1, "scale": 2.5})
    whole = file.read_bytes()
    digit = whole.index(b"2.5")
    for place in [8 * digit, *range(8 * (len(whole) - 16), 8 * len(whole)), *range(0, 8 * len(whole), 97)]:
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << place % 8
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match="x.safetensors"):
            load(file)


def test_a_file_with_an_older_checksum_opens_and_one_without_any_does_not(tmp_path):
    tensors = {"a": torch.ones(3)}
    save_file(tensors, tmp_path / "x", metadata={"ddpm_lessons": "{}", "sha256": digest(tensors)})
    assert torch.equal(load(tmp_path / "x")[0]["a"], tensors["a"])
    save_file(tensors, tmp_path / "x", metadata={"ddpm_lessons": "{}"})
    with pytest.raises(ValueError, match="x is damaged"):
        load(tmp_path / "x")


def test_what_a_killed_save_left_is_removed(tmp_path, monkeypatch):
    """safetensors writes to a file of a random name first: kill -9 would leave one more each time."""

    def killed(tensors, path, metadata):
        (Path(path).parent / ".tmpX1y2Z3").write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as m:
        m.setattr("ddpm_lessons.training.files.save_file", killed)
        m.setattr("shutil.rmtree", lambda *a, **kw: None)  # no time to clean up
        with pytest.raises(KeyboardInterrupt):
            save(tmp_path / "x", {"a": torch.ones(3)}, {})
    save(tmp_path / "x", {"a": torch.ones(3)}, {})
    assert os.listdir(tmp_path) == ["x"]


# pictures


def test_sixteen_bits_become_eight(tmp_path):
    for value in (0, 255, 32896, 65535):
        Image.new("I;16", (9, 9), value).save(tmp_path / "x.png")
        assert picture(tmp_path / "x.png", 4).mean().item() == pytest.approx(2 * value / 65535 - 1, abs=0.01)


def test_a_transparent_palette_prints_no_warning(tmp_path):
    Image.new("RGBA", (9, 9), (255, 0, 0, 128)).quantize().save(tmp_path / "x.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert picture(tmp_path / "x.png", 4).shape == (3, 4, 4)


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def test_a_text_that_unpacks_to_megabytes_is_a_broken_picture(tmp_path):
    Image.new("1", (9, 9)).save(tmp_path / "x.png")
    whole = (tmp_path / "x.png").read_bytes()
    bomb = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(100 << 20)))
    (tmp_path / "x.png").write_bytes(whole[:33] + bomb + whole[33:])
    with pytest.raises(ValueError, match="x.png cannot be read as a picture"):
        picture(tmp_path / "x.png", 4)


def test_rose_and_roses_are_one_class(tmp_path):
    for kind in ("rose", "roses", "tulip"):
        (tmp_path / kind).mkdir()
        Image.new("RGB", (9, 9)).save(tmp_path / kind / "1.png")
    p = class_folders(tmp_path, 4)
    assert p.classes == ("rose", "tulip") and p.y.tolist() == [0, 0, 1]


def test_a_zip_file_with_shadows_and_a_name_twice(tmp_path):
    file = zipped(tmp_path / "x.zip", {"rose/1.jpg": "red", "tulip/1.jpg": "blue"})
    with warnings.catch_warnings(), zipfile.ZipFile(file, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("rose/1.jpg", archive.read("rose/1.jpg"))
        archive.writestr("__MACOSX/rose/._1.jpg", b"no picture")
    p = class_zip(file, 4)
    assert p.classes == ("rose", "tulip") and len(p.x) == 2


def with_password(file: Path) -> Path:
    """The zip file, marked as if it wanted a password."""
    content = bytearray(file.read_bytes())
    for at in (6, content.index(b"PK\1\2") + 8):
        content[at] |= 1
    file.write_bytes(content)
    return file


def test_a_zip_file_that_wants_a_password_is_named(tmp_path):
    file = with_password(zipped(tmp_path / "x.zip", {"rose/1.jpg": "red"}))
    with pytest.raises(ValueError, match="x.zip.*password"):
        class_zip(file, 4)
    with pytest.raises(ValueError, match="x.zip was not unpacked: .*password"):
        unpack(file, tmp_path / "in")


def test_too_few_pictures_to_measure_with():
    with pytest.raises(ValueError, match="3 photographs are too few to measure with: at least 10 are needed"):
        Yardstick(torch.zeros(3, 3, 8, 8), 5, lambda x: x.flatten(1))


# downloads


def test_a_web_page_in_place_of_an_archive_costs_nothing(host, tmp_path, monkeypatch):  # noqa: F811
    end = host.RequestHandlerClass.end_headers

    def html(self):
        self.send_header("Content-Type", "text/html; charset=utf-8")
        end(self)

    (tmp_path / "x.part").write_bytes(BODY[:1000])
    host.ranges = False  # a page comes whole
    with monkeypatch.context() as m:
        m.setattr(host.RequestHandlerClass, "end_headers", html)
        with pytest.raises(ConnectionError, match="a web page came in its place: does this network ask you to log in"):
            download(host.url, tmp_path / "x", SHA)
    assert (tmp_path / "x.part").read_bytes() == BODY[:1000]
    host.ranges = True
    assert download(host.url, tmp_path / "x", SHA).read_bytes() == BODY


def test_a_folder_that_takes_no_data_says_what_to_do(tmp_path, monkeypatch):
    def full(*a):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(downloads, "download", full)
    with pytest.raises(OSError, match="takes no data .No space left on device.*let DDPM_LESSONS_DATA name another"):
        fetch(("http://localhost/x.tgz", SHA), tmp_path, "x")


def interrupted(*a, **kw):
    raise KeyboardInterrupt


def test_what_a_killed_unpacking_left_is_removed(tmp_path):
    file = tar(tmp_path / "x.tgz", {"rose/1.txt": b"x"})
    with pytest.MonkeyPatch.context() as m:
        m.setattr("tempfile.TemporaryDirectory.cleanup", lambda self: None)  # kill -9 leaves no time to clean up
        m.setattr("shutil.rmtree", lambda *a, **kw: None)
        m.setattr("shutil.move", interrupted)
        with pytest.raises(KeyboardInterrupt):
            unpack(file, tmp_path / "in")
    assert "rose" not in os.listdir(tmp_path / "in")
    unpack(file, tmp_path / "in")
    assert os.listdir(tmp_path / "in") == ["rose"]


def test_a_user_without_a_home_is_told_what_to_do(monkeypatch):
    def none():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", none)
    monkeypatch.delenv("DDPM_LESSONS_DATA")
    with pytest.raises(FileNotFoundError, match="there is no home folder: let DDPM_LESSONS_DATA name a folder"):
        cache_folder()
    assert "no home folder" in flowers_or_drawn(8, 20).source
    assert cached("x", torch.nn.Linear(2, 2), ["a"], lambda: {"vec": torch.ones(3)})["vec"].sum() == 3


# prompts


def test_what_is_said_of_a_prompt_stays_short_and_bytes_are_no_text():
    notes = load_clip().notes("rose" * 2500, ["a rose"])
    assert notes[0] == "no training text had the word roseroseroseroserose..." and len(notes) == 2
    for prompt in (" " * 10_000, os.fsdecode(b"a \xff rose")):
        with pytest.raises(ValueError, match="should be text in UTF-8|a word in each") as e:
            load_clip().words([prompt])
        assert len(str(e.value)) < 200 and str(e.value).isprintable()
