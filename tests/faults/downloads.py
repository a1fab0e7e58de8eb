"""Faults of networks and archives: cut, wrong, slow, in place of something else, pointing outside."""

import hashlib
import os
import signal
import sys
import tarfile
import threading
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from torch import nn, ones

from ddpm_lessons.data import sets
from ddpm_lessons.data.download import download, fetch, unpack
from ddpm_lessons.text.cache import cached

from . import FLOWER, Seen, begin, command, ended, fault, fine, forked, main, one_line, raises, real, wait_for
from .places import full, limited_files, nobody, read_only

BODY = os.urandom(3 << 20)
SHA = hashlib.sha256(BODY).hexdigest()
PAGE = b"<!doctype html><html><title>Airport WiFi</title><body>Please log in</body></html>"


class Host(BaseHTTPRequestHandler):
    """Serves what its server's fields say.  hang_up_at: after how many bytes it stops;  stall: for how many seconds."""

    def do_GET(self):
        """Answer as a host does, or as one should not."""
        server, asked, begin = self.server, self.headers.get("Range"), 0
        server.asked.append(asked)
        if server.status != 200:
            return self.send_error(server.status)
        if asked and server.ranges:
            begin = int(asked.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(server.body) - begin))
        self.send_header("Content-Type", server.kind)
        self.end_headers()
        try:
            self.wfile.write(server.body[begin : server.hang_up_at])
            self.wfile.flush()
            time.sleep(server.stall)
        except OSError:
            pass  # the one who asked was killed

    def log_message(self, *args):
        """Nothing."""


@contextmanager
def host(body: bytes = BODY, **fields) -> Iterator[ThreadingHTTPServer]:
    """A host on this machine, with its address, `url`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    how = dict(body=body, asked=[], ranges=True, hang_up_at=None, status=200, kind="application/gzip", stall=0)
    vars(server).update(how | fields)
    server.url = f"http://127.0.0.1:{server.server_port}/set.tgz"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown(), server.server_close()


def archive(there: Path, name: str = "set.tgz") -> bytes:
    """A small data set, packed."""
    for kind in ("daisy", "rose"):
        (there / "set" / kind).mkdir(parents=True, exist_ok=True)
        (there / "set" / kind / "1.jpg").write_bytes(FLOWER.read_bytes())
    with tarfile.open(there / name, "w:gz") as tar:
        tar.add(there / "set", "set")
    return (there / name).read_bytes()


@fault("the network is lost in the middle of a download")
def lost(there: Path) -> Seen:
    with host(hang_up_at=2 << 20) as server:
        line = raises(ConnectionError, lambda: download(server.url, there / "x", SHA), "run again to go on")
        assert (there / "x.part").stat().st_size == 2 << 20
        server.hang_up_at = None
        assert download(server.url, there / "x", SHA).read_bytes() == BODY
        assert server.asked == [None, f"bytes={2 << 20}-"]
    return Seen(line, "nothing: the next run asked for the rest alone")


@fault("kill -9 in the middle of a download")
def killed(there: Path) -> Seen:
    with host(hang_up_at=2 << 20, stall=60) as server:
        pid = begin(lambda: download(server.url, there / "x", SHA) and None, there / "out", there / "err")
        wait_for(lambda: (there / "x.part").exists() and (there / "x.part").stat().st_size >= 1 << 20)
        os.kill(pid, signal.SIGKILL)
        assert ended(pid, there / "out", there / "err").code == -9
        server.hang_up_at, server.stall = None, 0
        assert download(server.url, there / "x", SHA).read_bytes() == BODY
        assert server.asked[1].startswith("bytes=")
    return Seen("the next run went on and had the whole file", "at most the last megabyte of the download")


@fault("a host that cannot resume")
def no_ranges(there: Path) -> Seen:
    with host(ranges=False) as server:
        (there / "x.part").write_bytes(BODY[: 1 << 20])
        assert download(server.url, there / "x", SHA).read_bytes() == BODY
    return Seen("the file, from its beginning", "the first part, fetched again")


@fault("a host that falls silent")
def silent(there: Path) -> Seen:
    right = urllib.request.urlopen
    urllib.request.urlopen = lambda request, timeout: right(request, timeout=min(timeout, 0.5))
    try:
        with host(hang_up_at=1 << 20, stall=5) as server:
            line = raises(ConnectionError, lambda: download(server.url, there / "x", SHA), "timed out", "run again")
    finally:
        urllib.request.urlopen = right
    return Seen(line)


@fault("no host, a host that says 404 or 503")
def refused(there: Path) -> Seen:
    with host(status=404) as server:
        raises(ConnectionError, lambda: download(server.url, there / "x", SHA), "Not Found")
        server.status = 503
        line = raises(ConnectionError, lambda: download(server.url, there / "x", SHA), "Service Unavailable")
    raises(ConnectionError, lambda: download(server.url, there / "x", SHA), "refused")
    raises(ConnectionError, lambda: download("http://no.host.invalid/x", there / "x", SHA), "could not fetch")
    return Seen(line)


@fault("a wrong checksum")
def checksum(there: Path) -> Seen:
    with host(BODY[:-1] + b"?") as server:
        line = raises(ConnectionError, lambda: download(server.url, there / "x", SHA), "checksum is wrong")
        assert not (there / "x").exists() and not (there / "x.part").exists()
    return Seen(line, "the damaged download")


@fault("a file that was there before and is another")
def mine(there: Path) -> Seen:
    (there / "x").write_text("mine")
    line = raises(ValueError, lambda: download("http://no.host.invalid/x", there / "x", SHA), "move it away")
    assert (there / "x").read_text() == "mine"
    return Seen(line)


@fault("a login page in place of an archive, half of which was there")
def login_page(there: Path) -> Seen:
    with host(PAGE, kind="text/html; charset=utf-8", ranges=False) as server:
        raises(ConnectionError, lambda: download(server.url, there / "x", SHA), "a web page came in its place")
        (there / "x.part").write_bytes(BODY[: 2 << 20])
        line = raises(ConnectionError, lambda: download(server.url, there / "x", SHA), "a web page came in its place")
        server.body, server.kind, server.ranges = BODY, "application/gzip", True
        assert download(server.url, there / "x", SHA).read_bytes() == BODY
        assert server.asked[-1] == f"bytes={2 << 20}-"
    return Seen(line)


@fault("a full disk in the middle of a download")
def disk_full(there: Path) -> Seen:
    with full(there, 2048) as disk, host() as server:
        here = disk or there
        limit = (lambda: None) if disk else lambda: limited_files(2048)
        work = lambda: (limit(), main_fetch(server.url, here))[1]  # noqa: E731
        line = one_line(forked(work, there), "takes no data", "DDPM_LESSONS_DATA")
        got = (here / "set.tgz.part").read_bytes()
        assert len(got) >= 1 << 20 and BODY.startswith(got)
    return Seen(line)


def main_fetch(url: str, here: Path, sha: str = SHA, folder: str = "set") -> int:
    """`fetch`, as the command line would report it."""
    try:
        fetch((url, sha), here, folder)
    except (ValueError, OSError) as e:
        print(f"error: {e}", file=sys.stderr)
        return 1
    return 0


@fault("a full disk while unpacking")
def unpack_full(there: Path) -> Seen:
    (there / "set").mkdir()
    (there / "set" / "zeros").write_bytes(bytes(8 << 20))
    body = archive(there)
    with host(body) as server, full(there, 4096) as disk:
        here = disk or there / "cache"
        limit = (lambda: None) if disk else lambda: limited_files(4096)
        sha = hashlib.sha256(body).hexdigest()
        line = one_line(forked(lambda: (limit(), main_fetch(server.url, here, sha))[1], there), "takes no data")
        assert {f.name for f in here.iterdir()} <= {"set.tgz", "set.tgz.lock"}, "half of it was left behind"
        assert (here / "set.tgz").read_bytes() == body
    return Seen(line)


@fault("kill -9 while unpacking, 5 random moments")
def unpack_killed(there: Path) -> Seen:
    (there / "set").mkdir()
    for k in range(300):
        (there / "set" / f"{k}.txt").write_text(str(k))
    body, cache = archive(there), there / "cache"
    sha, work = hashlib.sha256(body).hexdigest(), lambda: main_fetch(server.url, cache, sha)
    with host(body) as server:
        for k in range(5):
            pid = begin(work, there / "out", there / "err")
            time.sleep(0.05 * k)
            os.kill(pid, signal.SIGKILL)
            ended(pid, there / "out", there / "err")
            assert not (cache / "set").exists() or len(list((cache / "set").iterdir())) == 302
        fine(forked(work, there))
    assert len(list((cache / "set").iterdir())) == 302
    assert {f.name for f in cache.iterdir()} <= {"set", "set.tgz", "set.tgz.lock"}, list(cache.iterdir())
    return Seen("the next run unpacked all of it")


@fault("a read-only folder for the data")
def cache_read_only(there: Path) -> Seen:
    with host() as server, read_only(there / "cache") as cache:
        return Seen(one_line(forked(lambda: main_fetch(server.url, cache), there), "takes no data"))


@fault("data in a read-only folder")
def data_read_only(there: Path) -> Seen:
    archive(there)
    with read_only(there / "set" / "daisy"), read_only(there / "set"):
        said = command(there, "train", "flowers", "--steps", 1, "--data", there / "set", "--out", there / "runs")
        line = one_line(said, "the data hold daisy, rose; flowers wants")  # they were read
    return Seen(line)


@fault("no home folder and no name, as in a container; lessons go on with drawn flowers")
def homeless(there: Path) -> Seen:
    def work() -> int:
        nobody()
        os.environ.pop("DDPM_LESSONS_DATA")
        pictures = sets.flowers_or_drawn(8, 20)
        assert len(pictures.x) == 20 and "no home folder" in pictures.source, pictures.source
        assert cached("x", nn.Linear(2, 2), ["a"], lambda: {"vec": ones(3)})["vec"].sum() == 3
        return main("train", "flowers", "--steps", 1, "--out", there / "runs")

    there.chmod(0o777)
    return Seen(one_line(forked(work, there), "no home folder", "DDPM_LESSONS_DATA"))


@fault("HOME names a folder that is not there and cannot be made")
def wrong_home(there: Path) -> Seen:
    said = real("train", "flowers", "--out", there / "runs", HOME="/dev/null/me", DDPM_LESSONS_DATA=None)
    return Seen(one_line(said, "takes no data", "DDPM_LESSONS_DATA"))


OUTSIDE = {
    "..": dict(name="../robbed"),
    "an absolute name": dict(name="/tmp/robbed by a tar"),
    "a link outside": dict(name="set/link", type=tarfile.SYMTYPE, linkname="../../robbed"),
    "a hard link outside": dict(name="set/link", type=tarfile.LNKTYPE, linkname="../../etc/passwd"),
    "a device": dict(name="set/null", type=tarfile.CHRTYPE),
}


@fault("tars that point outside: .., absolute names, links, devices")
def tar_outside(there: Path) -> Seen:
    line = ""
    for kind, fields in OUTSIDE.items():
        member = tarfile.TarInfo(fields["name"])
        for name, value in fields.items():
            setattr(member, name, value)
        with tarfile.open(there / "bad.tar", "w") as tar:
            tar.addfile(member)
        try:
            unpack(there / "bad.tar", there / "in" / "here")
        except ValueError as e:
            line = f"error: {e}"
            assert "bad.tar was not unpacked" in line and "\n" not in line
        assert not (there / "robbed").exists() and not Path("/tmp/robbed by a tar").exists(), kind
        found = [f for f in (there / "in").rglob("*") if f.is_symlink()]
        assert not found and not (there / "in" / "robbed").exists(), kind
    return Seen(line)


@fault("zips that point outside, wrong names and links among them")
def zip_outside(there: Path) -> Seen:
    with zipfile.ZipFile(there / "bad.zip", "w") as z:
        for name in ("../robbed", "../../robbed", "/tmp/robbed by a zip", "set/a.txt"):
            z.writestr(name, "x")
        link = zipfile.ZipInfo("set/link")
        link.external_attr = 0o120777 << 16
        z.writestr(link, "../../..")
    unpack(there / "bad.zip", there / "in" / "here")
    assert not (there / "robbed").exists() and not (there / "in" / "robbed").exists()
    assert not Path("/tmp/robbed by a zip").exists() and not (there / "in" / "here" / "set" / "link").is_symlink()
    return Seen("unpacked inside its folder")


@fault("archives that are cut, damaged, empty, or none")
def broken_archives(there: Path) -> Seen:
    whole, line = archive(there), ""
    with zipfile.ZipFile(there / "a.zip", "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("set/a.txt", "x" * 5000)
    zipped = (there / "a.zip").read_bytes()
    locked = bytearray(zipped)
    for at in (6, locked.index(b"PK\1\2") + 8):
        locked[at] |= 1  # it wants a password
    middle = len(zipped) // 3
    damaged = zipped[:middle] + bytes(8) + zipped[middle + 8 :]
    bodies = [(".zip", b) for b in (zipped[:-9], b"", b"no zip", bytes(locked), damaged)]
    bodies += [(".tgz", b) for b in (whole[:-50], whole[:20], b"", PAGE, whole[:40] + bytes(40) + whole[80:])]
    for k, (kind, body) in enumerate(bodies):
        (there / f"{k}{kind}").write_bytes(body)
        line = raises(ValueError, lambda: unpack(there / f"{k}{kind}", there / "in"), "was not unpacked")
        assert not list((there / "in").iterdir())
    return Seen(line)


@fault("three processes that fetch the same at the same moment")
def at_once(there: Path) -> Seen:
    body = archive(there)
    with host(body) as server:
        work = lambda: main_fetch(server.url, there / "cache", hashlib.sha256(body).hexdigest())  # noqa: E731
        pids = [begin(work, there / f"{k}.out", there / f"{k}.err") for k in range(3)]
        codes = [ended(pid, there / f"{k}.out", there / f"{k}.err").code for k, pid in enumerate(pids)]
        assert codes == [0, 0, 0] and len(server.asked) == 1
    return Seen("one fetched, the others waited and found it")
