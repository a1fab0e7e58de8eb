"""Faults of archives: no room for them, damaged, and pointing outside."""

import hashlib
import os
import signal
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

from ddpm_lessons.data.download import unpack

from . import Seen, begin, ended, fault, fine, forked, one_line, raises
from .downloads import BODY, PAGE, archive, host, main_fetch
from .places import full, limited_files


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


ABSOLUTE = Path(tempfile.gettempdir()) / "robbed by an archive"
OUTSIDE = {
    "..": dict(name="../robbed"),
    "an absolute name": dict(name=str(ABSOLUTE)),
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
        assert not (there / "robbed").exists() and not ABSOLUTE.exists(), kind
        found = [f for f in (there / "in").rglob("*") if f.is_symlink()]
        assert not found and not (there / "in" / "robbed").exists(), kind
    return Seen(line)


@fault("zips that point outside, wrong names and links among them")
def zip_outside(there: Path) -> Seen:
    with zipfile.ZipFile(there / "bad.zip", "w") as z:
        for name in ("../robbed", "../../robbed", str(ABSOLUTE), "set/a.txt"):
            z.writestr(name, "x")
        link = zipfile.ZipInfo("set/link")
        link.external_attr = 0o120777 << 16
        z.writestr(link, "../../..")
    unpack(there / "bad.zip", there / "in" / "here")
    assert not (there / "robbed").exists() and not (there / "in" / "robbed").exists()
    assert not ABSOLUTE.exists() and not (there / "in" / "here" / "set" / "link").is_symlink()
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
