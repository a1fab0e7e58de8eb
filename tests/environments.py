"""The course in other environments than yours:  python tests/environments.py colab | oldest [--python PYTHON] [--keep]

colab   Colab's versions (colab.txt), a stub of google.colab, and the course installed by the notebooks' own first cell:
        lessons 00, 06, 12 and 14 run outside the repository, and nothing that Colab brings is replaced
oldest  the oldest versions that pyproject.toml allows: the unit tests run

Each downloads 3 GB of packages, fills 7 GB of build/ while it runs, and takes 10 minutes or more: so neither is part of
`make test`. PYTHON: python3.12, as on Colab, or python3.10, the oldest; --keep leaves the environment there.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat

from notebooks import NOTEBOOKS, ROOT, repository

LESSONS = ("00", "06", "12", "14")
NEEDS = 12e9  # bytes: the environment and what pip unpacks on the way


def environment(folder: Path, python: str) -> list[str]:
    """A new virtual environment -> its pip."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    free = shutil.disk_usage(folder).free
    if free < NEEDS:
        raise SystemExit(f"{folder} has {free / 1e9:.0f} GB free; {NEEDS / 1e9:.0f} are needed")
    if subprocess.run([python, "-m", "venv", folder / "venv"], capture_output=True).returncode:
        raise SystemExit(f"{python} cannot make an environment: name one that can with --python")
    print(subprocess.run([folder / "venv/bin/python", "--version"], capture_output=True, text=True).stdout, end="")
    return [str(folder / "venv/bin/python"), "-m", "pip", "--disable-pip-version-check"]


def copy_of_the_course(to: Path) -> Path:
    """The repository as it lies here, with what is not committed yet, as a repository of its own."""
    git = ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(git, check=True, capture_output=True, text=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    who = ["-c", "user.name=course", "-c", "user.email=course@localhost"]
    for command in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "as it lies here"]):
        subprocess.run(["git", "-C", to, *command], check=True)
    return to


def colab(folder: Path, python: str) -> int:
    """Run the lessons as Colab does; returns how many fail."""
    pip, course = environment(folder, python), copy_of_the_course(folder / "course")
    subprocess.run([*pip, "install", "--quiet", "-r", ROOT / "tests/colab.txt"], check=True)
    before = frozen(pip)
    print("installed:", *(f"{k} {before[k]}" for k in ("torch", "torchvision", "ipywidgets", "matplotlib", "numpy")))
    (site,) = (folder / "venv/lib").glob("python*/site-packages")
    (site / "google/colab").mkdir(parents=True)
    (site / "google/colab/__init__.py").write_text('"""All that the course asks of Colab: that it is there."""\n')
    startup = folder / "ipython/profile_default/startup"
    startup.mkdir(parents=True)
    (startup / "colab.py").write_text("import google.colab\n")  # Colab's kernel has it from the beginning
    content, env = folder / "content", os.environ | {"IPYTHONDIR": str(folder / "ipython"), "TQDM_DISABLE": "1"}
    env |= {"MPLBACKEND": "module://matplotlib_inline.backend_inline", "DDPM_LESSONS_DATA": "none"}
    # the first cell fetches the repository's address; here that is the copy
    instead = {"KEY_0": f"url.file://{course}.insteadOf", "VALUE_0": repository(), "COUNT": "1"}
    env |= {f"GIT_CONFIG_{k}": v for k, v in instead.items()}
    content.mkdir()
    failed = 0
    for path in (p for p in NOTEBOOKS if p.name[:2] in LESSONS):
        shutil.copy(path, content / path.name)
        execute = ["-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", "--ExecutePreprocessor.timeout=900"]
        begin = time.monotonic()
        done = subprocess.run([pip[0], *execute, path.name], cwd=content, env=env, capture_output=True, text=True)
        told = f"{time.monotonic() - begin:4.0f} s with the installation" if done.returncode == 0 else done.stderr
        if done.returncode == 0:
            told += f", {pictures(content / path.name)} pictures"
        failed += done.returncode != 0
        print(f"{path.stem:24} {'runs' if done.returncode == 0 else 'FAILS'}: {told}", flush=True)
    after = frozen(pip)
    changed = [f"{k} {v} -> {after.get(k)}" for k, v in before.items() if after.get(k) != v]
    print("replaced by the installation:", ", ".join(changed) or "nothing")
    where = subprocess.run(
        [pip[0], "-c", "import ddpm_lessons; print(ddpm_lessons.__file__)"], cwd=content, capture_output=True, text=True
    ).stdout.strip()
    print("the course ran from the environment:", where.startswith(str(site)))
    return failed + len(changed) + (not where.startswith(str(site)))


def pictures(notebook: Path) -> int:
    """How many pictures the outputs hold."""
    cells = nbformat.read(notebook, 4).cells
    return sum("image/png" in o.get("data", {}) for c in cells for o in c.get("outputs", []))


def frozen(pip: list[str]) -> dict[str, str]:
    """What is installed, name -> version."""
    said = subprocess.run([*pip, "list", "--format=freeze"], check=True, capture_output=True, text=True).stdout
    return dict(line.split("==") for line in said.lower().split())


def oldest(folder: Path, python: str) -> int:
    """Run the unit tests with the lowest versions; returns pytest's exit status."""
    pip, course = environment(folder, python), copy_of_the_course(folder / "course")
    (folder / "lowest.txt").write_text("\n".join(f"{name}=={version}" for name, version in lowest().items()))
    subprocess.run([*pip, "install", "--quiet", "-c", folder / "lowest.txt", "-e", f"{course}[lab,test]"], check=True)
    there = frozen(pip)
    print("installed:", *(f"{name} {there[name]}" for name in map(str.lower, lowest()) if name in there))
    env = os.environ | {"DDPM_LESSONS_DATA": "none"}
    return subprocess.run(
        [pip[0], "-m", "pytest", "tests", "--ignore=tests/browser", "--durations=5"], cwd=course, env=env
    ).returncode


def lowest() -> dict[str, str]:
    """The lower bounds in pyproject.toml, name -> version: "torch>=2.6" -> {"torch": "2.6"}."""
    project = (ROOT / "pyproject.toml").read_text().split("[project]")[1]
    return dict(re.findall(r'"([\w-]+)>=([\d.]+)"', project))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", choices=["colab", "oldest"])
    parser.add_argument("--python", help="the Python to make the environment with")
    parser.add_argument("--keep", action="store_true", help="leave the environment in build/")
    a = parser.parse_args()
    wanted = {"colab": "python3.12", "oldest": "python3.10"}[a.which]
    python = a.python or shutil.which(wanted) or sys.executable
    folder = ROOT / "build" / a.which
    begin = time.monotonic()
    try:
        failed = {"colab": colab, "oldest": oldest}[a.which](folder, python)
    finally:
        if not a.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{a.which}: {'FAILED' if failed else 'all well'} after {(time.monotonic() - begin) / 60:.0f} minutes")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
