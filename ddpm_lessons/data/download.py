"""Fetching data sets: checked, resumed where they stopped, unpacked without a file outside their folder."""

import gzip
import hashlib
import http.client
import os
import shutil
import tarfile
import urllib.error
import urllib.request
import zipfile
import zlib
from pathlib import Path

from filelock import FileLock
from tqdm.auto import tqdm


def cache_folder() -> Path:
    """Where the course keeps what it fetched or worked out: a cache in the home folder.

    Raises FileNotFoundError where there is none, as in some containers.
    """
    try:
        return Path.home() / ".cache" / "ddpm_lessons"
    except RuntimeError as e:
        raise FileNotFoundError("there is no home folder: let DDPM_LESSONS_DATA name a folder for the data") from e


def root() -> Path:
    """Where data sets live: the folder that DDPM_LESSONS_DATA names, or a cache in the home folder.

    Raises ConnectionError when DDPM_LESSONS_DATA is `none`, which forbids downloads, FileNotFoundError for a folder
    that is not there.
    """
    named = os.environ.get("DDPM_LESSONS_DATA")
    if named == "none":
        raise ConnectionError("DDPM_LESSONS_DATA=none forbids downloads; let it name a folder with the data set")
    if not named:
        return cache_folder()
    # a relative one is meant from where the user stands, or from the project: notebooks run in their own folder
    for folder in (Path(named).expanduser(), Path(__file__).parents[2] / named):
        if folder.is_dir():
            return folder.resolve()
    raise FileNotFoundError(f"DDPM_LESSONS_DATA names {named}, which is no folder; make it, or unset the variable")


def download(url: str, file: Path, checksum: str) -> Path:
    """Fetch a file with a progress bar; an interrupted download goes on where it stopped. Returns `file`.

    checksum: the file's SHA-256, or its SHA-1 where no other is published, in hexadecimal.

    Raises ConnectionError when the host cannot be reached or sends something else (it is removed), ValueError when
    `file` was there before and is something else (it stays).
    """
    if not hasattr(tarfile, "data_filter"):  # said now, not after the download
        raise ValueError("this Python cannot unpack safely: update to 3.10.12, 3.11.4 or newer")
    part = file.with_name(file.name + ".part")
    if file.exists() and digest(file, checksum) != checksum:
        raise ValueError(
            f"{file} is not the published file (its {kind(checksum)} is another); move it away and run again"
        )
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        have = part.stat().st_size if part.exists() else 0
        request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                if answer.headers.get_content_type() == "text/html":  # what came so far is kept
                    raise ConnectionError("a web page came in its place: does this network ask you to log in?")
                resumed = answer.status == 206  # a host may send all of it anyway
                total = int(answer.headers.get("Content-Length", 0)) + have * resumed
                bar = tqdm(total=total, initial=have * resumed, unit="B", unit_scale=True, desc=file.name)
                with open(part, "ab" if resumed else "wb") as f, bar:
                    while chunk := answer.read(1 << 20):
                        f.write(chunk)
                        bar.update(len(chunk))
                if part.stat().st_size < total:
                    raise ConnectionError("the host hung up early")
        except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as e:
            if getattr(e, "code", 0) != 416:  # 416: the part was whole already
                why = getattr(e, "reason", e)
                raise ConnectionError(f"could not fetch {url} ({why}); run again to go on where it stopped") from e
        if digest(part, checksum) != checksum:
            part.unlink()
            raise ConnectionError(
                f"{file.name} came damaged (its {kind(checksum)} is wrong) and was removed; run again"
            )
        os.replace(part, file)
    return file


def fetch(published: tuple[str, str], here: Path, folder: str) -> Path:
    """Download an archive, (url, checksum), and unpack it into `here` -> the `folder` that came out of it.

    The archive is removed unless it lay there before. A process that finds another one at it waits, and takes what that
    one fetched. Raises like `download` and `unpack`.
    """
    url, checksum = published
    archive = here / url.rpartition("/")[2]
    try:
        with alone(archive):
            if not (here / folder).exists():
                had = archive.exists()
                unpack(download(url, archive, checksum), here)
                if not had:
                    archive.unlink()
    except OSError as e:
        if e.errno is None:  # ours, in words
            raise
        why = f"{here} takes no data ({e.strerror}), what came so far is kept"
        raise OSError(f"{why}: make room, or let DDPM_LESSONS_DATA name another folder") from e
    return here / folder


def alone(file: Path) -> FileLock:
    """A lock beside a file, for `with`: of several processes, one after the other works at the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(file.with_name(file.name + ".lock"))


def kind(checksum: str) -> str:
    """SHA-1 for a checksum of 40 letters, else SHA-256."""
    return "SHA-1" if len(checksum) == 40 else "SHA-256"


def digest(file: Path, like: str = "") -> str:
    """The SHA-256 of a file, in hexadecimal, or its SHA-1, where `like` is one."""
    found = hashlib.new(kind(like).replace("-", ""))
    with open(file, "rb") as f:
        while chunk := f.read(1 << 20):
            found.update(chunk)
    return found.hexdigest()


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar or zip file; nothing is written outside `folder`, and a half-unpacked one is never left behind.

    Raises ValueError when a member points outside or the archive is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    new = folder / f".{archive.name}.new"  # the same name every time: what a killed process leaves is removed
    shutil.rmtree(new, ignore_errors=True)
    try:
        new.mkdir()
        try:
            if archive.suffix == ".zip":
                with zipfile.ZipFile(archive) as names:
                    names.extractall(new)  # leaves out what would lead outside
            else:
                with tarfile.open(archive) as tar:
                    tar.extractall(new, filter="data")
        except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, gzip.BadGzipFile, RuntimeError) as e:
            why = str(e).split("\n")[0].rstrip(":")
            raise ValueError(f"{archive.name} was not unpacked: {why}") from e
        for f in new.iterdir():
            if not (folder / f.name).exists():
                shutil.move(f, folder / f.name)
    finally:
        shutil.rmtree(new, ignore_errors=True)
