"""Faults of networks: lost, slow, wrong, in place of something else, and nowhere to put what comes."""

import hashlib
import os
import signal
import sys
import tarfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from torch import nn, ones

from ddpm_lessons.data import sets
from ddpm_lessons.data.download import download, fetch
from ddpm_lessons.text.cache import cached

from . import FLOWER, Seen, begin, command, ended, fault, forked, main, one_line, raises, real, wait_for
from .places import nobody, read_only

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
        line = raises(ConnectionError, lambda: download(server.url, there / "x", SHA), "is wrong) and was removed")
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


def main_fetch(url: str, here: Path, sha: str = SHA, folder: str = "set") -> int:
    """`fetch`, as the command line would report it."""
    try:
        fetch((url, sha), here, folder)
    except (ValueError, OSError) as e:
        print(f"error: {e}", file=sys.stderr)
        return 1
    return 0


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


@fault("three processes that fetch the same at the same moment")
def at_once(there: Path) -> Seen:
    body = archive(there)
    with host(body) as server:
        work = lambda: main_fetch(server.url, there / "cache", hashlib.sha256(body).hexdigest())  # noqa: E731
        pids = [begin(work, there / f"{k}.out", there / f"{k}.err") for k in range(3)]
        codes = [ended(pid, there / f"{k}.out", there / f"{k}.err").code for k, pid in enumerate(pids)]
        assert codes == [0, 0, 0] and len(server.asked) == 1
    return Seen("one fetched, the others waited and found it")
