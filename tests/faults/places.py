"""Places where nothing can be written, or not all: with the rights of root or without."""

import os
import pwd
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def full(there: Path, kilobytes: int) -> Iterator[Path | None]:
    """A folder on a disk of so many kilobytes, or None where this machine lets us make none."""
    disk = there / "disk"
    disk.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(disk)]
    mounted = os.getuid() == 0 and subprocess.run(argv, capture_output=True).returncode == 0
    try:
        yield disk if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(disk)], check=True)


def limited_files(kilobytes: int) -> None:
    """From here on this process writes no file beyond so many kilobytes, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024 * kilobytes,) * 2)


def limited_memory(megabytes: int) -> None:
    """From here on this process gets no more than so many megabytes on top of what it has."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (megabytes << 20),) * 2)


@contextmanager
def read_only(folder: Path) -> Iterator[Path]:
    """A folder in which nothing can be made, not even by root where its file system has an immutable flag.

    Raises AssertionError where something can be made all the same.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root = os.getuid() == 0
    folder.chmod(0o555)
    if root:
        subprocess.run(["chattr", "+i", str(folder)], capture_output=True)
    try:
        assert not writable(folder), "this machine gives root no read-only folder: run `make stress` as another user"
        yield folder
    finally:
        if root:
            subprocess.run(["chattr", "-i", str(folder)], capture_output=True)
        folder.chmod(0o755)


def writable(folder: Path) -> bool:
    """Whether a file can be made in a folder."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def nobody() -> None:
    """From here on this process is a user without a name and a home, as in many containers."""
    os.environ.pop("HOME", None)
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(54321), os.setuid(54321)
    else:  # only root may become another one: the list of users forgets us
        pwd.getpwuid = {}.__getitem__
