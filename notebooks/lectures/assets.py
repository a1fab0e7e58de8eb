"""Reveal.js, MathJax and a search engine as files, so that slides and pages need no network."""

import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from ddpm_lessons.data.download import digest, download

from .content import BUILD

# name -> version, SHA-256 of the published archive, and the files that are taken out of it
LIBRARIES = {
    "reveal.js": (
        "5.2.1",
        "359b575dd51bbda32f89b2fd4c7dc46ad7389a805572158916c29252f7a27333",
        ("dist/reveal.css", "dist/reveal.js", "plugin/notes/notes.js", "LICENSE"),
    ),
    "mathjax": (
        "3.2.2",
        "1b9c0a1c44df864e915690558e72adb9cc5203360daefd385084ced3b6c64c09",
        ("es5/tex-svg-full.js", "LICENSE"),
    ),
    "minisearch": (
        "7.2.0",
        "cb3b8126a3ea65d6b387787294f0792b0ea4a40b70f8f37688066a5638e0218a",
        ("dist/umd/index.js", "LICENSE.txt"),
    ),
}


def archive(name: str) -> Path:
    """The library's archive in build/fetched: by npm where it is installed, else by a download, and checked.

    Raises ConnectionError, and says what to put where, when it is not there and cannot be had.
    """
    version, sha256, _ = LIBRARIES[name]
    file = BUILD / "fetched" / f"{name}-{version}.tgz"
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists() and shutil.which("npm"):
        command = ["npm", "pack", "--silent", f"{name}@{version}"]
        subprocess.run(command, cwd=file.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        if file.exists() and digest(file) != sha256:
            file.unlink()
            raise ConnectionError(f"npm's {name} {version} is not the published file (its SHA-256 is another)")
    url = f"https://registry.npmjs.org/{name}/-/{file.name}"
    try:
        return download(url, file, sha256)
    except ConnectionError as e:
        raise ConnectionError(
            f"{e}\nThis is needed once. Without a network here, fetch that file elsewhere and put it at {file}"
        ) from e


def put(names: tuple[str, ...], folder: Path) -> None:
    """Copy libraries and the course's own scripts and styles to folder/lib."""
    for name in names:
        with tarfile.open(archive(name)) as packed:
            for member in LIBRARIES[name][2]:
                file = folder / "lib" / name / member
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(packed.extractfile(f"package/{member}").read())
    for file in (Path(__file__).parent / "static").iterdir():
        shutil.copy(file, folder / "lib" / file.name)


def ready() -> None:
    """Fetch all of them now, for a build without a network later."""
    for name in LIBRARIES:
        print(archive(name), file=sys.stderr)
