"""Keeps the notebooks in shape:  python tests/notebooks.py badges | run [NAME ...] | times [NAME ...]

badges  writes the repository's address, from pyproject.toml, into the README and each notebook's badge and first cell
run     executes notebooks in place and stores their outputs without widgets, bars, times and paths
times   executes them, stores nothing, and prints the seconds of each and of the whole series
"""

import os
import re
import sys
import time
from pathlib import Path

import nbformat

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
WIDGET = "application/vnd.jupyter.widget-view+json"
EACH, ALL = 90, 15 * 60  # seconds on two CPU cores, as the README promises


def repository() -> str:
    """The address that pyproject.toml names, https://github.com/OWNER/NAME."""
    return re.search(r'^Repository = "(\S+?)"', (ROOT / "pyproject.toml").read_text(), re.M)[1]


def clone() -> str:
    """The README's first two commands."""
    return f"git clone {repository()}\ncd {repository().rsplit('/', 1)[1]}"


def badge(name: str) -> str:
    """The line of Markdown under a notebook's title."""
    owner_name = repository().removeprefix("https://github.com/")
    link = f"https://colab.research.google.com/github/{owner_name}/blob/main/notebooks/{name}"
    return f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({link})"


def colab_cell() -> str:
    """The first code cell."""
    return (
        "import sys\n\n"
        'if "google.colab" in sys.modules:  # elsewhere the course is installed already\n'
        f"    %pip install -q git+{repository()}"
    )


def with_badge(nb, name: str):
    """The notebook with its badge and Colab cell as they should be."""
    title = nb.cells[0].source.split("\n")
    nb.cells[0].source = "\n".join([title[0], "", badge(name), *title[3:]])
    nb.cells[1].source = colab_cell()
    return nb


def executed(path: Path):
    """Run a notebook where it lies -> (the notebook with all its outputs, the seconds it took)."""
    from nbclient import NotebookClient

    nb = nbformat.read(path, 4)
    begin = time.monotonic()
    where = {"metadata": {"path": path.parent}}
    NotebookClient(nb, timeout=600, kernel_name="python3", resources=where, coalesce_streams=True).execute()
    return nb, time.monotonic() - begin


def execute(path: Path) -> float:
    """Run a notebook where it lies and store what a reader should see; returns the seconds it took."""
    nb, took = executed(path)
    for cell in nb.cells:
        cell.metadata.pop("execution", None)  # when each cell ran
        for o in cell.get("outputs", []):
            if o.get("name") == "stderr" and not re.search(r"\d+%\|", o.text):
                raise RuntimeError(f"{path.name} writes to stderr: {o.text[:300]}")
        cell.outputs = [o for o in cell.get("outputs", []) if keeps(o)] if cell.cell_type == "code" else None
        if cell.cell_type != "code":
            del cell["outputs"]
    nb.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.write(nb, path)
    return took


def keeps(output) -> bool:
    """Widgets need a kernel and progress bars have had their day; all other outputs are kept."""
    return WIDGET not in output.get("data", {}) and output.get("name") != "stderr"


def times(chosen: list[Path]) -> int:
    """Print the seconds of each notebook; returns how many limits are broken: 90 s each, 15 minutes together."""
    os.environ.setdefault("DDPM_LESSONS_DATA", "none")  # as in the tests: nothing is fetched
    took = {}
    for path in chosen:
        took[path.stem] = executed(path)[1]
        print(f"{path.stem:24} {took[path.stem]:4.0f} s{'  MORE THAN 90' * (took[path.stem] > EACH)}", flush=True)
    whole, slowest = sum(took.values()), max(took, key=took.get)
    print(
        f"{len(took)} notebooks: {whole / 60:.1f} of {ALL / 60:.0f} minutes, {os.cpu_count()} cores; slowest {slowest}"
    )
    return sum(t > EACH for t in took.values()) + (whole > ALL)


def main(argv: list[str]) -> int:
    """Run one of the commands; `badges` also puts the address into the README."""
    if not argv or argv[0] not in ("badges", "run", "times"):
        print(__doc__)
        return 2
    chosen = [p for p in NOTEBOOKS if len(argv) == 1 or any(p.name.startswith(a) for a in argv[1:])]
    os.environ["TQDM_DISABLE"] = "1"
    if argv[0] == "times":
        return times(chosen)
    if argv[0] == "badges":
        readme = ROOT / "README.md"
        readme.write_text(re.sub(r"git clone \S+\ncd \S+", clone(), readme.read_text()))
    for path in chosen:
        if argv[0] == "badges":
            nbformat.write(with_badge(nbformat.read(path, 4), path.name), path)
        else:
            print(path.name, f"{execute(path):.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
