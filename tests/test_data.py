"""Data: pictures come in as [-1, 1], and whatever is wrong with files and hosts is said in one clear line."""

import gzip
import hashlib
import io
import os
import socket
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import torch
from PIL import Image

from ddpm_lessons import data
from ddpm_lessons.data import batches, bundled, cifar10, digits, flowers, flowers_or_drawn, sets, stl10
from ddpm_lessons.data.download import download, root, unpack
from ddpm_lessons.data.files import Pictures, class_files, class_folders, class_zip, idx, picture

BODY = bytes(range(256)) * 300
SHA = hashlib.sha256(BODY).hexdigest()


def toy(n=8, side=6):
    x = torch.arange(n).view(-1, 1, 1, 1) + torch.linspace(0, 0.5, side).expand(n, 1, side, side)
    return Pictures(x / 5 - 1, torch.arange(n) % 2, ("even", "odd"), "toys")


def counted(x0):
    """The pictures of `toy` as the numbers that they were made of."""
    return ((x0 + 1) * 5).mul(1000).round() / 1000


def seeded(k=0):
    return torch.Generator().manual_seed(k)


# batches


def test_a_batch_is_pictures_with_their_own_labels():
    x0, cond = batches(toy(), 100, 6, flip=False)(seeded())
    x0 = counted(x0)
    assert x0.shape == (100, 1, 6, 6) and cond.vec.shape == (100, 2)
    assert torch.equal(cond.vec.argmax(1), x0[:, 0, 0, 0].long() % 2)
    assert len(x0[:, 0, 0, 0].long().unique()) == 8


def test_a_seed_is_a_batch():
    batch = batches(toy(), 9, 4)
    assert torch.equal(batch(seeded())[0], batch(seeded())[0])
    assert not torch.equal(batch(seeded(0))[0], batch(seeded(1))[0])


def test_crops_come_from_every_place():
    crops = [counted(batches(toy(), 1, 4, flip=False)(seeded(k))[0])[0, 0] for k in range(60)]
    assert len({round((c[0, 0] % 1).item(), 3) for c in crops}) == 3
    assert all(c.shape == (4, 4) for c in crops)


def test_half_of_the_pictures_are_mirrored():
    x0, _ = batches(toy(), 1000, 6)(seeded())
    mirrored = x0[:, 0, 0, 0] > x0[:, 0, 0, -1]
    assert mirrored.float().mean().item() == pytest.approx(0.5, abs=0.08)
    assert not (lambda x: x[:, 0, 0, 0] > x[:, 0, 0, -1])(batches(toy(), 100, 6, flip=False)(seeded())[0]).any()


def test_a_data_set_in_0_to_1_is_found_out():
    p = toy()
    with pytest.raises(ValueError, match=r"\[0, 1\]\? multiply by 2 and subtract 1"):
        batches(p._replace(x=(p.x + 1) / 2), 4, 6)


def test_pictures_too_small_to_crop_say_so():
    with pytest.raises(ValueError, match="pictures of 6 px cannot be cropped to 8: load them larger"):
        batches(toy(), 1, 8)


# folders of pictures


@pytest.fixture
def folder(tmp_path):
    """Two classes of two pictures: dark roses and bright tulips, wider than high."""
    for name, grey in (("roses", 0), ("tulips", 255)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for k in range(2):
            Image.new("RGB", (20, 10), (grey,) * 3).save(tmp_path / "photos" / name / f"{k}.png")
    (tmp_path / "photos" / "roses" / "notes.txt").write_text("no picture")
    return tmp_path / "photos"


def test_a_folder_for_each_class(folder):
    p = class_folders(folder, 8)
    assert p.x.shape == (4, 3, 8, 8) and p.classes == ("rose", "tulip") and p.source == "4 photographs"
    assert p.y.tolist() == [0, 0, 1, 1]
    assert p.x[:2].unique().tolist() == [-1] and p.x[2:].unique().tolist() == [1]


def test_one_folder_of_files_named_class_index(tmp_path):
    for name, grey in (("roses_2", 0), ("water_lily_11", 255), ("roses_10", 0)):
        Image.new("RGB", (20, 10), (grey,) * 3).save(tmp_path / f"{name}.jpg")
    for name in ("roses_2.txt", "_3.jpg", "roses_.jpg", "roses.jpg", "._roses_2.jpg"):
        (tmp_path / name).write_text("not asked for")
    for p in (class_files(tmp_path, 8), flowers(8, tmp_path)):
        assert p.x.shape == (3, 3, 8, 8) and p.classes == ("rose", "water lily") and p.y.tolist() == [0, 0, 1]
        assert p.x[:2].mean() < -0.9 and p.x[2].mean() > 0.9
    with pytest.raises(FileNotFoundError, match="no pictures in .* that are named class_index.jpg, such as daisy_17"):
        class_files(tmp_path / "nowhere", 8)


def test_flowers_can_be_folders_of_other_kinds_where_they_are_asked_for(folder, monkeypatch):
    assert flowers(8, folder).classes == ("rose", "tulip")
    monkeypatch.setenv("DDPM_LESSONS_DATA", str(folder))  # not asked for: what lies there may be anything
    monkeypatch.setattr(sets, "fetch", lambda *a: (_ for _ in ()).throw(ConnectionError("fetched")))
    with pytest.raises(ConnectionError, match="fetched"):
        flowers(8)


def test_a_missing_folder_and_an_empty_one_say_what_is_wanted(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="no folder .*nowhere; name one that holds a folder of pictures for each"
    ):
        class_folders(tmp_path / "nowhere", 8)
    with pytest.raises(FileNotFoundError, match=r"no pictures in .*/CLASS/; wanted are .*\.jpg"):
        class_folders(tmp_path, 8)


@pytest.mark.parametrize("content", [b"", b"not a picture", "cut"])
@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_broken_picture_is_named(content, kind, folder):
    file = folder / "roses" / f"broken.{kind}"
    if content == "cut":
        Image.effect_noise((100, 100), 50).convert("RGB").save(file)
        content = file.read_bytes()[:700]
    file.write_bytes(content)
    with pytest.raises(ValueError) as e:
        class_folders(folder, 8)
    assert str(e.value).startswith(f"{file} cannot be read as a picture") and "\n" not in str(e.value)
    assert str(e.value).endswith("delete it or fetch it again")


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1"])
def test_any_kind_of_picture_becomes_three_colours(mode, tmp_path):
    file = tmp_path / ("x.jpg" if mode == "CMYK" else "x.png")
    Image.new(mode, (9, 9)).save(file)
    assert picture(file, 4).shape == (3, 4, 4)


def test_the_middle_square_is_kept(tmp_path):
    image = Image.new("RGB", (30, 10), "red")
    image.paste("blue", (10, 0, 20, 10))
    image.save(tmp_path / "x.png")
    assert (picture(tmp_path / "x.png", 10)[:, 1:-1, 1:-1].mean((1, 2)) - torch.tensor([-1, -1, 1])).abs().max() < 0.05


def test_a_photograph_taken_sideways_is_turned(tmp_path):
    image = Image.new("RGB", (10, 10), "black")
    image.paste("white", (0, 0, 5, 10))  # the left half
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise: left becomes top
    image.save(tmp_path / "x.png", exif=exif)
    x = picture(tmp_path / "x.png", 10)
    assert x[:, :4].mean() > 0.9 and x[:, 6:].mean() < -0.9


# digits


def idx_bytes(x):
    return bytes([0, 0, 8, x.ndim]) + b"".join(n.to_bytes(4, "big") for n in x.shape) + bytes(x.flatten().tolist())


@pytest.fixture
def mnist(tmp_path):
    """A folder like MNIST's: two files of training digits, two of test digits."""
    for name, n in (("train", 3), ("t10k", 2)):
        x, y = torch.full((n, 28, 28), 255, dtype=torch.uint8), torch.arange(n, dtype=torch.uint8)
        (tmp_path / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(x)))
        (tmp_path / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(y)))
    return tmp_path


def test_digits_are_read_and_padded_with_black(mnist):
    p = digits(32, mnist)
    assert p.x.shape == (5, 1, 32, 32) and p.classes == tuple("0123456789") and p.source == "5 digits of MNIST"
    assert p.x[..., 2:30, 2:30].unique().tolist() == [1] and p.x[..., :2, :].unique().tolist() == [-1]
    assert p.y.tolist() == [0, 1, 0, 1, 2]  # t10k, then train


def test_digits_are_found_in_a_subfolder_and_by_the_variable(mnist, tmp_path_factory, monkeypatch):
    there = tmp_path_factory.mktemp("data")
    os.rename(mnist, there / "mnist")
    monkeypatch.setenv("DDPM_LESSONS_DATA", str(there))
    assert len(digits(32).x) == 5
    os.mkdir(mnist)


def test_truncated_and_damaged_digits_are_named(mnist):
    file = mnist / "train-images-idx3-ubyte.gz"
    whole = file.read_bytes()
    noise = gzip.compress(idx_bytes(torch.randint(256, (3, 28, 28), generator=seeded())))
    damaged = bytearray(noise)
    damaged[12] ^= 0xFF
    damaged[300] ^= 0xFF
    cut_header, short = gzip.compress(b"\0\0\x08\x03\0"), gzip.compress(gzip.decompress(whole)[:-5])
    no_pixels = gzip.compress(gzip.decompress(whole)[:16])
    for content in (
        whole[:-20],
        whole[:15],
        b"",
        b"no gzip at all",
        bytes(damaged),
        cut_header,
        short,
        no_pixels,
    ):
        file.write_bytes(content)
        with pytest.raises(ValueError) as e:
            digits(32, mnist)
        assert str(e.value).startswith(f"{file} is missing, cut short or not MNIST"), content[:20]
        assert "\n" not in str(e.value) and str(e.value).endswith("delete it and run again")


def test_digits_without_their_labels_name_the_missing_file(mnist):
    (mnist / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(ValueError, match="t10k-labels-idx1-ubyte.gz is missing"):
        digits(32, mnist)


def test_idx_gives_back_what_was_written(tmp_path):
    x = torch.arange(24, dtype=torch.uint8).view(2, 3, 4)
    (tmp_path / "x.gz").write_bytes(gzip.compress(idx_bytes(x)))
    assert torch.equal(idx(tmp_path / "x.gz"), x)


# CIFAR-10 and STL-10


def noise(*shape, seed=0):
    return torch.randint(256, shape, dtype=torch.uint8, generator=seeded(seed))


@pytest.fixture
def cifar(tmp_path):
    """Two files like CIFAR-10's: a label, then 1024 numbers of each colour."""
    there = tmp_path / "cifar-10-batches-bin"
    there.mkdir()
    x = noise(4, 3, 32, 32)
    for i, labels in enumerate(([3, 9], [0, 3])):
        rows = torch.cat([torch.tensor(labels, dtype=torch.uint8)[:, None], x[2 * i : 2 * i + 2].flatten(1)], 1)
        (there / f"data_batch_{i + 1}.bin").write_bytes(rows.numpy().tobytes())
    return tmp_path, x


def test_cifars_bytes_become_pictures_with_their_labels(cifar):
    p = cifar10(32, cifar[0])
    assert [p.classes[k] for k in p.y] == ["cat", "truck", "airplane", "cat"]
    assert torch.equal(((p.x + 1) * 127.5).round().byte(), cifar[1]) and p.source == "4 pictures of CIFAR-10"
    small = cifar10(8, cifar[0]).x
    assert small.shape == (4, 3, 8, 8) and small.abs().max() <= 1
    assert torch.allclose(small.mean((2, 3)), p.x.mean((2, 3)), atol=0.05)


def test_a_zip_of_pictures_is_read_and_never_unpacked(tmp_path):
    """Of its two folders only train is taken; a member that points outside is a name like any other."""
    colours = {"train/bird/1.jpg": "white", "train/airplane/1.jpg": "black", "test/ship/1.jpg": "grey"}
    archive = zipped(tmp_path / "cifar10_jpeg.zip", colours)
    for place in (tmp_path, archive):
        p = cifar10(32, place)
        assert p.classes == ("airplane", "bird") and p.x.mean((1, 2, 3)).tolist() == [-1, 1]
        assert p.source == "2 pictures of cifar10_jpeg.zip"
    outside = zipped(tmp_path / "outside.zip", {"../../bird/1.jpg": "white"})
    assert class_zip(outside, 8).classes == ("bird",)
    assert sorted(os.listdir(tmp_path)) == ["cifar10_jpeg.zip", "outside.zip"]


def zipped(file, colours):
    with zipfile.ZipFile(file, "w") as archive:
        for name, colour in colours.items():
            content = io.BytesIO()
            Image.new("RGB", (40, 32), colour).save(content, format="jpeg", quality=100)
            archive.writestr(name, content.getvalue())
    return file


def test_a_folder_of_cifars_classes_will_do(tmp_path):
    (tmp_path / "train" / "airplane").mkdir(parents=True)
    Image.new("RGB", (32, 32), "white").save(tmp_path / "train" / "airplane" / "1.png")
    assert cifar10(32, tmp_path).x.shape == (1, 3, 32, 32)


def test_broken_zip_files_are_named(tmp_path):
    whole = zipped(tmp_path / "whole.zip", {"bird/1.jpg": "white"})
    broken = bytearray(whole.read_bytes())
    broken[60] ^= 0xFF
    cases = {b"no zip": "no zip file", whole.read_bytes()[:-30]: "cut short", bytes(broken): "cut short|cannot be read"}
    for content, said in cases.items():
        (tmp_path / "a.zip").write_bytes(content)
        with pytest.raises(ValueError, match=f"a.zip.*({said})") as e:
            class_zip(tmp_path / "a.zip", 8)
        assert "\n" not in str(e.value)
    with pytest.raises(ValueError, match="empty.zip holds no pictures in folders of their class"):
        class_zip(zipped(tmp_path / "empty.zip", {}), 8)
    with zipfile.ZipFile(tmp_path / "text.zip", "w") as archive:
        archive.writestr("bird/1.jpg", b"no picture")
    with pytest.raises(ValueError, match="text.zip/bird/1.jpg cannot be read as a picture"):
        class_zip(tmp_path / "text.zip", 8)


def test_cut_or_missing_parts_of_cifar_are_named(cifar):
    file = cifar[0] / "cifar-10-batches-bin" / "data_batch_2.bin"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match="data_batch_2.bin is missing or cut short .*; delete it and run again"):
        cifar10(32, cifar[0])
    with pytest.raises(FileNotFoundError, match="no CIFAR-10 in .*nowhere: wanted is cifar-10-batches-bin/"):
        cifar10(32, cifar[0] / "nowhere")


def test_cifar_is_downloaded_unpacked_and_then_found(host, cifar, tmp_path, monkeypatch):
    there = tmp_path / "cifar-10-batches-bin"
    files = {f"{there.name}/{f.name}": f.read_bytes() for f in there.iterdir()}
    body = tar(tmp_path / "archive.tgz", files).read_bytes()
    monkeypatch.setattr(f"{__name__}.BODY", body)
    monkeypatch.setattr(sets, "CIFAR10_BINARY", (host.url, hashlib.sha256(body).hexdigest()))
    (tmp_path / "cache").mkdir()
    monkeypatch.setenv("DDPM_LESSONS_DATA", str(tmp_path / "cache"))
    for _ in range(2):
        assert cifar10().x.shape == (4, 3, 32, 32)
    assert len(host.asked) == 1 and there.name in os.listdir(tmp_path / "cache")


def test_cifar_without_a_host_is_one_line(nowhere, tmp_path, monkeypatch):
    monkeypatch.setattr(sets, "CIFAR10_BINARY", (nowhere, SHA))
    monkeypatch.setenv("DDPM_LESSONS_DATA", str(tmp_path))
    with pytest.raises(ConnectionError, match="could not fetch http.*refused.*run again"):
        cifar10()


@pytest.fixture
def stl(tmp_path):
    """Files like STL-10's: pictures column by column, labels from 1."""
    there = tmp_path / "stl10_binary"
    there.mkdir()
    x = noise(3, 3, 96, 96)
    for split, part, y in (("train", x[:2], [1, 10]), ("test", x[2:], [8])):
        (there / f"{split}_X.bin").write_bytes(part.transpose(2, 3).contiguous().numpy().tobytes())
        (there / f"{split}_y.bin").write_bytes(bytes(y))
    return tmp_path, x


def test_stls_columns_become_rows_and_its_labels_start_at_0(stl):
    p = stl10(96, stl[0])
    assert torch.equal(((p.x + 1) * 127.5).round().byte(), stl[1]) and p.source == "3 pictures of STL-10"
    assert [p.classes[k] for k in p.y] == ["airplane", "truck", "monkey"]
    assert stl10(32, stl[0] / "stl10_binary").x.shape == (3, 3, 32, 32)


def test_broken_stl_and_a_host_that_is_down_are_one_line(stl, nowhere, tmp_path, monkeypatch):
    from torchvision.datasets import STL10

    (tmp_path / "stl10_binary" / "test_y.bin").unlink()
    with pytest.raises(ValueError, match="test_y.bin is missing or cut short"):
        stl10(32, tmp_path)
    with pytest.raises(FileNotFoundError, match="no STL-10 in .*: wanted is stl10_binary/train_X.bin"):
        stl10(32, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("DDPM_LESSONS_DATA", str(tmp_path / "empty"))
    monkeypatch.setattr(STL10, "url", nowhere)
    with pytest.raises(ConnectionError, match="STL10 cannot be downloaded .*; set DDPM_LESSONS_DATA") as e:
        stl10()
    assert "\n" not in str(e.value)


# downloads


class Host(BaseHTTPRequestHandler):
    """Serves BODY; its server's `ranges`: can it resume?  `hang_up_at`: after how many bytes it stops."""

    def do_GET(self):
        begin = 0
        asked = self.headers.get("Range")
        self.server.asked.append(asked)
        if asked and self.server.ranges:
            begin = int(asked.removeprefix("bytes=").rstrip("-"))
            if begin >= len(BODY):
                return self.send_error(416)
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(BODY) - begin))
        self.end_headers()
        self.wfile.write(BODY[begin : self.server.hang_up_at])

    def log_message(self, *args):
        pass


@pytest.fixture
def host(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    server = HTTPServer(("127.0.0.1", 0), Host)
    server.asked, server.ranges, server.hang_up_at = [], True, None
    server.url = f"http://127.0.0.1:{server.server_port}/file"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def nowhere(monkeypatch):
    """The address of a host that does not answer: a port that was free a moment ago."""
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{s.getsockname()[1]}/file"


def test_a_file_is_downloaded_once(host, tmp_path):
    file = tmp_path / "new" / "file"
    assert download(host.url, file, SHA) == file and file.read_bytes() == BODY
    assert download(host.url, file, SHA) == file and len(host.asked) == 1
    assert os.listdir(file.parent) == ["file"]


@pytest.mark.parametrize("ranges", [True, False], ids=["resumes", "sends all of it again"])
def test_an_interrupted_download_goes_on(ranges, host, tmp_path):
    host.ranges = ranges
    (tmp_path / "file.part").write_bytes(BODY[:1000])
    assert download(host.url, tmp_path / "file", SHA).read_bytes() == BODY
    assert host.asked == ["bytes=1000-"] and os.listdir(tmp_path) == ["file"]


def test_a_host_that_hangs_up_costs_nothing_that_came(host, tmp_path):
    host.hang_up_at = 50_000
    with pytest.raises(ConnectionError, match="could not fetch .*hung up early.*run again to go on where it stopped"):
        download(host.url, tmp_path / "file", SHA)
    assert (tmp_path / "file.part").read_bytes() == BODY[:50_000]
    host.hang_up_at = None
    assert download(host.url, tmp_path / "file", SHA).read_bytes() == BODY
    assert host.asked == [None, "bytes=50000-"]


def test_a_part_that_was_whole_already_is_kept(host, tmp_path):
    (tmp_path / "file.part").write_bytes(BODY)
    assert download(host.url, tmp_path / "file", SHA).read_bytes() == BODY


def test_a_download_with_a_wrong_checksum_is_removed_and_says_so(host, tmp_path):
    (tmp_path / "file.part").write_bytes(b"x" * 1000)
    with pytest.raises(ConnectionError, match="file came damaged .*SHA-256 is wrong.* was removed; run again"):
        download(host.url, tmp_path / "file", SHA)
    assert os.listdir(tmp_path) == []


def test_a_readers_own_file_of_that_name_is_never_touched(host, tmp_path):
    (tmp_path / "file").write_bytes(b"mine")
    with pytest.raises(ValueError, match="file is not the published file .*; move it away and run again"):
        download(host.url, tmp_path / "file", SHA)
    assert (tmp_path / "file").read_bytes() == b"mine" and not host.asked


def test_a_host_that_cannot_be_reached_is_a_connection_error(nowhere, tmp_path):
    with pytest.raises(ConnectionError, match="could not fetch http.*refused.*run again") as e:
        download(nowhere, tmp_path / "file", SHA)
    assert "\n" not in str(e.value) and not (tmp_path / "file").exists()


def test_digits_that_cannot_be_downloaded_say_what_to_set(nowhere, tmp_path, monkeypatch):
    from torchvision.datasets import MNIST

    monkeypatch.setattr(MNIST, "mirrors", [nowhere + "/"])
    with pytest.raises(
        ConnectionError, match="MNIST cannot be downloaded .*; set DDPM_LESSONS_DATA to a folder with it"
    ):
        monkeypatch.setenv("DDPM_LESSONS_DATA", str(tmp_path))
        digits(32)


def test_half_a_download_of_the_digits_is_asked_for_again(nowhere, mnist, monkeypatch):
    from torchvision.datasets import MNIST

    (mnist / "MNIST" / "raw").mkdir(parents=True)
    for f in mnist.glob("*images*.gz"):
        f.rename(mnist / "MNIST" / "raw" / f.name)
    monkeypatch.setattr(MNIST, "mirrors", [nowhere + "/"])
    monkeypatch.setenv("DDPM_LESSONS_DATA", str(mnist))
    with pytest.raises(ConnectionError, match="MNIST cannot be downloaded"):
        digits(32)


# archives


def tar(file, members):
    with tarfile.open(file, "w:gz") as t:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            t.addfile(info, io.BytesIO(content))
    return file


def test_an_archive_is_unpacked_and_what_was_there_stays(tmp_path):
    out = tmp_path / "out"
    (out / "mine").mkdir(parents=True)
    (out / "mine" / "a").write_text("old")
    unpack(tar(tmp_path / "x.tgz", {"photos/a": b"new", "mine/a": b"new"}), out)
    assert (out / "photos" / "a").read_text() == "new" and (out / "mine" / "a").read_text() == "old"
    assert sorted(os.listdir(out)) == ["mine", "photos"]


@pytest.mark.parametrize("name", ["../outside", "a/../../outside"])
def test_nothing_is_written_outside_the_folder(name, tmp_path):
    with pytest.raises(ValueError, match="x.tgz was not unpacked: .*outside the destination"):
        unpack(tar(tmp_path / "x.tgz", {"photos/a": b"a", name: b"b"}), tmp_path / "out")
    assert os.listdir(tmp_path / "out") == [] and not (tmp_path / "outside").exists()


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    with tarfile.open(tmp_path / "x.tgz", "w:gz") as t:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "../../outside"
        t.addfile(link)
    with pytest.raises(ValueError, match="x.tgz was not unpacked"):
        unpack(tmp_path / "x.tgz", tmp_path / "out")


def test_a_damaged_archive_leaves_nothing_behind(tmp_path):
    file = tar(tmp_path / "x.tgz", {"photos/a": os.urandom(100_000)})
    whole = file.read_bytes()
    for content in (whole[:50_000], b"no archive", b"", whole[:30] + b"\xff" * 40 + whole[70:]):
        file.write_bytes(content)
        with pytest.raises(ValueError, match="x.tgz was not unpacked: ") as e:
            unpack(file, tmp_path / "out")
        assert "\n" not in str(e.value) and os.listdir(tmp_path / "out") == []


# the flowers


def photographs(tmp_path):
    """An archive like TF-Flowers', with a grey picture of each class."""
    content = io.BytesIO()
    Image.new("RGB", (8, 8), "grey").save(content, format="jpeg")
    names = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
    return tar(tmp_path / "archive.tgz", {f"flower_photos/{n}/1.jpg": content.getvalue() for n in names})


def test_flowers_are_downloaded_unpacked_and_then_found(host, tmp_path, monkeypatch):
    body = photographs(tmp_path).read_bytes()
    monkeypatch.setattr(f"{__name__}.BODY", body)
    monkeypatch.setattr(sets, "TF_FLOWERS", (host.url, hashlib.sha256(body).hexdigest()))
    (tmp_path / "cache").mkdir()
    monkeypatch.setenv("DDPM_LESSONS_DATA", str(tmp_path / "cache"))
    for _ in range(2):
        p = flowers(8)
        assert p.classes == data.FLOWERS and p.x.shape == (5, 3, 8, 8)
    assert len(host.asked) == 1 and "flower_photos" in os.listdir(tmp_path / "cache")


def test_without_a_host_the_flowers_are_drawn_and_say_why(nowhere, tmp_path, monkeypatch):
    monkeypatch.setattr(sets, "TF_FLOWERS", (nowhere, SHA))
    monkeypatch.setenv("DDPM_LESSONS_DATA", str(tmp_path))
    p = flowers_or_drawn(8, 10)
    assert p.x.shape == (10, 3, 8, 8) and p.source.startswith("10 drawn flowers (could not fetch")


def test_none_forbids_downloads(monkeypatch):
    monkeypatch.setenv("DDPM_LESSONS_DATA", "none")
    assert flowers_or_drawn(8, 10).source == "10 drawn flowers (DDPM_LESSONS_DATA=none)"
    for load in (lambda: flowers(8), digits):
        with pytest.raises(ConnectionError, match="forbids downloads; let it name a folder with the data set"):
            load()


def test_data_lie_in_the_home_folder_unless_told(monkeypatch, tmp_path):
    monkeypatch.delenv("DDPM_LESSONS_DATA", raising=False)
    assert root() == Path.home() / ".cache" / "ddpm_lessons"
    monkeypatch.setenv("DDPM_LESSONS_DATA", "tests")
    project = Path(__file__).parents[1]
    for where in (project, project / "notebooks", tmp_path):  # a relative folder is found from the notebooks too
        monkeypatch.chdir(where)
        assert root() == project / "tests"
    monkeypatch.setenv("DDPM_LESSONS_DATA", "elsewhere")
    with pytest.raises(FileNotFoundError, match="names elsewhere, which is no folder; make it, or unset the variable"):
        root()


def test_bundled_files_are_found():
    assert bundled("dahlia.jpg").is_file()


def test_the_real_photographs_are_five_flowers():
    if os.environ.get("DDPM_LESSONS_DATA", "none") == "none":
        pytest.skip("DDPM_LESSONS_DATA names no folder with the photographs")
    if not any((root() / name / "daisy").is_dir() for name in (".", "flower_photos")):
        pytest.skip("the folder that DDPM_LESSONS_DATA names holds no photographs")
    p = flowers(16)
    assert p.classes == data.FLOWERS and len(p.x) > 1000
    assert p.y.bincount(minlength=5).min() > 100
    assert p.x.min() == -1 and p.x.max() == 1 and -0.5 < p.x.mean() < 0.2


def test_digits_without_their_labels_are_refused(tmp_path):
    for name, shape, n in (("t10k-images-idx3-ubyte.gz", (3, 28, 28), 3), ("t10k-labels-idx1-ubyte.gz", (2,), 2)):
        header = bytes([0, 0, 8, len(shape)]) + b"".join(s.to_bytes(4, "big") for s in shape)
        (tmp_path / name).write_bytes(gzip.compress(header + bytes(n * (784 if len(shape) == 3 else 1))))
    with pytest.raises(ValueError, match="holds 3 digits and 2 labels"):
        digits(32, tmp_path)


def test_an_idx_file_of_other_numbers_is_refused(tmp_path):
    (tmp_path / "x.gz").write_bytes(gzip.compress(bytes([0, 0, 13, 1]) + (4).to_bytes(4, "big") + bytes(4)))
    with pytest.raises(ValueError, match="not bytes in IDX"):
        idx(tmp_path / "x.gz")
