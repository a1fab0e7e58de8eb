"""What pages and slides are made of: a lesson's cells, with each figure in a file and each player free of a kernel."""

import base64
import html
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbconvert.filters.markdown_mistune import markdown2html_mistune
from PIL import Image

from ddpm_lessons.course.widgets import FRAMES

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build"
WIDGET = "application/vnd.jupyter.widget-view+json"
MATH = r"\$\$.+?\$\$|\$[^$\n]+(?:\n[^$\n]+)?\$"


class Picture(NamedTuple):
    """A figure, or a player with a frame for each position of its slider."""

    frames: list[bytes]  # PNG; one frame: a figure
    names: list[str]  # of the frames
    alts: list[str]
    caption: str
    width: int  # in CSS pixels
    svg: str | None = None  # where a figure is drawn by lines
    start: int = 0


def lessons(chosen: list[str], folder: Path = ROOT / "notebooks") -> list[Path]:
    """The notebooks whose names begin as one of `chosen` does; all for an empty list. ValueError where none does."""
    found = [p for p in sorted(folder.glob("[0-9]*.ipynb")) if not chosen or p.name.startswith(tuple(chosen))]
    if not found:
        raise ValueError(f"no notebook begins with {' or '.join(chosen)}; there are 00, 01, ...")
    return found


def executed(path: Path) -> nbformat.NotebookNode:
    """The lesson as `make` ran it, with its players; or as it is stored, with figures only."""
    ran = BUILD / "executed" / path.name
    return nbformat.read(ran if ran.exists() else path, 4)


def repository() -> str:
    """The address that pyproject.toml names, https://github.com/OWNER/NAME."""
    return re.search(r'^Repository = "(\S+?)"', (ROOT / "pyproject.toml").read_text(), re.M)[1]


def relink(text: str) -> str:
    """Links between lessons lead to their pages, and links into the repository to its address."""
    text = re.sub(r"\]\((\w+)\.ipynb(#[^)]*)?\)", lambda m: f"]({m[1]}.html{m[2] or ''})", text)
    text = re.sub(r"\]\(teachers\.md(#[^)]*)?\)", lambda m: f"](teachers.html{m[1] or ''})", text)
    return re.sub(r"\]\(\.\./([^)]+)\)", lambda m: f"]({repository()}/blob/main/{m[1]})", text)


def badge(text: str, instead: str = "") -> str:
    """The title's cell with something else in place of its link to Colab, whose picture lies on the network."""
    return re.sub(r"\[!\[Open in Colab\]\([^)]*\)\]\((.*)\)\n+", instead, text)


def pieces(outputs: list) -> Iterator[Picture | nbformat.NotebookNode]:
    """The outputs that a reader should see, in order, each picture with the caption that stands below it."""
    outputs = [o for o in outputs if o.get("name") != "stderr" and WIDGET not in o.get("data", {})]
    said = [o.get("data", {}).get("text/markdown", "") for o in outputs[1:]] + [""]
    before = None
    for o, below in zip(outputs, said):
        data = o.get("data", {})
        if isinstance(before, Picture) and before.caption and data.get("text/markdown") == f"*{before.caption}*":
            before = None  # it has been told
            continue
        before = o
        caption = below[1:-1] if re.fullmatch(r"\*[^*].*\*", below, re.S) else ""
        if FRAMES in data:
            player = data[FRAMES]
            shown = [re.search(r'base64,([^"]+)" width="(\d+)" alt="([^"]*)"', f) for f in player["frames"]]
            pngs, alts = [base64.b64decode(m[1]) for m in shown], [html.unescape(m[3]) for m in shown]
            before = Picture(pngs, player["names"], alts, caption, int(shown[0][2]), start=player["start"])
        elif "image/png" in data:
            how = o.metadata.get("image/png", {})
            png = base64.b64decode(data["image/png"])
            alt = how.get("alt", caption or "a figure")
            width = how.get("width") or Image.open(io.BytesIO(png)).width
            before = Picture([png], [""], [alt], caption or alt, width, data.get("image/svg+xml"))
        yield before


def save(picture: Picture, folder: Path, stem: str) -> str:
    """Write a picture's files, `stem` and an ending, into a folder -> the HTML that shows them from there."""
    file = folder / stem
    file.parent.mkdir(parents=True, exist_ok=True)
    names = []
    if picture.svg:
        file.with_suffix(".svg").write_text(picture.svg)
        names = [f"{stem}.svg"]
    elif len(picture.frames) == 1:
        file.with_suffix(".png").write_bytes(picture.frames[0])
        names = [f"{stem}.png"]
    else:
        for k, frame in enumerate(picture.frames):  # a tenth of the PNG's size; a player has many
            Image.open(io.BytesIO(frame)).save(folder / f"{stem}-{k:02}.webp", quality=90)
            names.append(f"{stem}-{k:02}.webp")
    images = "".join(
        f'<img src="{name}" width="{picture.width}" alt="{html.escape(alt)}" loading="lazy"'
        f"{'' if k == picture.start or len(names) == 1 else ' hidden'}>"
        for k, (name, alt) in enumerate(zip(names, picture.alts))
    )
    below = f"<figcaption>{markdown2html_mistune(picture.caption)}</figcaption>" if picture.caption else ""
    if len(names) == 1:
        return f"<figure>{images}{below}</figure>"
    said, last = html.escape(json.dumps(picture.names)), len(names) - 1
    bar = (
        '<div class="bar"><button type="button" aria-label="play">▶</button>'
        f'<input type="range" min="0" max="{last}" value="{picture.start}" aria-label="{html.escape(picture.caption)}"'
        f' data-names="{said}"><output>{html.escape(picture.names[picture.start])}</output></div>'
    )
    return f'<figure class="player">{bar}<div class="frames">{images}</div>{below}</figure>'


def with_files(nb: nbformat.NotebookNode, folder: Path, number: str) -> nbformat.NotebookNode:
    """A copy whose pictures are HTML that shows files; these are written to `folder`/figures/`number`."""
    nb = nbformat.from_dict(json.loads(json.dumps(nb)))
    count = 0
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            cell.source = relink(cell.source)
            continue
        shown = []
        for piece in pieces(cell.get("outputs", [])):
            if isinstance(piece, Picture):
                count += 1
                content = save(piece, folder, f"figures/{number}/{count:02}")
                piece = nbformat.v4.new_output("display_data", {"text/html": content}, metadata={"figure": True})
            shown.append(piece)
        cell.outputs = shown
    return nb
