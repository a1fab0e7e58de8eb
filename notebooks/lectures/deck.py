"""A lesson as slides: headings, equations, first sentences and figures on them, the whole prose in the speaker's notes.

What the rules make of a cell can be overruled in JupyterLab (Property Inspector > Slide Type): "skip" leaves it out,
"notes" only says it, "slide" and "subslide" begin a new one with it; the tag `whole` shows its prose in full.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

import nbformat

from .blocks import Block, blocks, divided, lines, sentences, shortened
from .content import badge

ROOM = 12.5  # lines on a slide, beside its heading
FULL = 9.0  # lines of prose that an audience may be asked to read
ABOUT_THE_FIGURE = re.compile(r"\*{1,2}(What you should see|What to see)|\((In|The|Drag)|(Drag the|Look at|Read the)")
NARROW = 88  # characters in a line of printed numbers


@dataclass
class Slide:
    """One slide: what it shows, the code that made it, and what is said."""

    kind: str  # "slide" lies to the right of the one before, "subslide" below
    title: str
    cells: list = field(default_factory=list)  # blocks of prose, and cells that show outputs
    code: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    used: float = 0.0  # lines
    figure: bool = False

    def as_cells(self) -> list:
        """Heading, content, code and notes as a notebook's cells with slide types."""
        look = "exercise" if asks(self) else "figure" if self.figure else "text"
        head = nbformat.v4.new_markdown_cell(f"## {self.title}")
        head.metadata.update(slideshow={"slide_type": self.kind}, look=look)
        self.fill()
        shown = [nbformat.v4.new_markdown_cell(c.shown.text) if isinstance(c, Prose) else c for c in self.cells]
        code = [nbformat.v4.new_code_cell("\n\n\n".join(self.code), metadata={"fold": True})] if self.code else []
        said = {"slideshow": {"slide_type": "notes"}}
        notes = [nbformat.v4.new_markdown_cell("\n\n".join(self.notes), metadata=said)] if self.notes else []
        return [head, *shown, *code, *notes]

    def fill(self) -> None:
        """Where words are all that a slide has, show more of them, as far as there is room."""
        if all(isinstance(c, Prose) and c.full.kind == "text" for c in self.cells):
            for count in (99, 3, 2):
                more = [c.first(count) for c in self.cells]
                if sum(lines(c.shown) for c in more) <= FULL:
                    self.cells = more
                    break
        self.notes[:0] = [c.full.text for c in self.cells if isinstance(c, Prose) and c.shown.text != c.full.text]


class Prose(NamedTuple):
    """A block as its slide shows it, and the whole of it, which is said."""

    shown: Block
    full: Block

    def first(self, count: int) -> "Prose":
        """With its first sentences."""
        return Prose(Block("text", " ".join(sentences(self.full.text)[:count])), self.full)


def asks(s: Slide) -> bool:
    """Whether a slide is an exercise or its solution, which are shown in full."""
    return bool(re.match(r"(Exercise|Solution) \d", s.title))


def deck(nb: nbformat.NotebookNode, notes: str = "") -> nbformat.NotebookNode:
    """A lesson whose pictures are files -> cells with slide types, for nbconvert.  notes: said on the first slide"""
    slides: list[Slide] = []
    last = max((i for i, c in enumerate(nb.cells) if c.cell_type == "code"), default=-1)
    for i, cell in enumerate(nb.cells):
        kind = cell.metadata.get("slideshow", {}).get("slide_type", "-")
        if kind == "skip" or "google.colab" in cell.source:
            continue
        if kind == "notes" and slides:
            slides[-1].notes.append(cell.source)
            continue
        if kind in ("slide", "subslide") and slides:
            slides.append(Slide(kind, slides[-1].title))
        if cell.cell_type == "code":
            add_code(slides, cell)
        elif cell.cell_type == "markdown":  # the title's and the last cell are summaries already
            add_prose(slides, cell.source, whole=i in (0, *range(last + 1, len(nb.cells))) or "whole" in tags(cell))
    slides = [s for s in slides if s.cells or s.code or s.kind == "slide"]
    slides[0].notes[:0] = [notes] if notes else []
    cells = [c for s in slides for c in s.as_cells()]
    return nbformat.v4.new_notebook(cells=cells, metadata={"title": slides[0].title})


def tags(cell) -> list[str]:
    """The tags of a cell."""
    return cell.metadata.get("tags", [])


def room(slides: list[Slide], need: float) -> Slide:
    """The slide to go on with: a new one below where it is full, or holds a figure, which should have it alone."""
    now = slides[-1]
    if now.figure or (now.used and now.used + need > ROOM):
        slides.append(now := Slide("subslide", now.title))
    return now


def add_prose(slides: list[Slide], text: str, whole: bool) -> None:
    """A cell's headings, solutions and groups: paragraphs stay with the equation, list or table that they lead to."""
    found, waiting = blocks(badge(text)), []
    for k, b in enumerate(found):
        if b.kind == "heading":
            marks, title = b.text.split(" ", 1)
            kind = "subslide" if slides and len(marks) > 2 else "slide"
            if slides and not slides[-1].cells and not slides[-1].code and slides[-1].kind == kind:
                slides.pop()  # begun by its cell's slide type
            slides.append(Slide(kind, title))
        elif b.kind == "solution":
            folded = re.fullmatch(r"<details>\s*<summary>(.*?)</summary>(.*)</details>", b.text.strip(), re.S)
            slides.append(Slide("subslide", folded[1]))
            for part in blocks(folded[2]):
                put(slides, [part], whole=True)
        elif b.kind == "text" and slides and slides[-1].figure and not waiting and ABOUT_THE_FIGURE.match(b.text):
            slides[-1].notes.append(b.text)
        else:
            if b.text.startswith("**Papers") and slides and slides[-1].cells:
                slides.append(Slide("subslide", "Papers"))
            waiting.append(b)
            after = found[k + 1].kind if k + 1 < len(found) else ""
            if b.kind != "text" or after not in ("equation", "list", "table", "code"):
                put(slides, waiting, whole)
                waiting = []


def put(slides: list[Slide], group: list[Block], whole: bool) -> None:
    """Show a group of blocks on one slide; where prose is shortened, the whole of it goes to the notes."""
    if not slides:
        slides.append(Slide("slide", ""))
    whole = whole or asks(slides[-1])
    shown = [b if whole else shortened(b, leads_on=b is not group[-1]) for b in group]
    if sum(map(lines, shown)) > ROOM and not (len(group) == 1 and len(divided(shown[0], ROOM)) == 1):
        for b, full in zip(shown, group):  # too much for one slide
            for part in divided(b, ROOM):
                now = room(slides, lines(part))
                now.used += lines(part)
                now.cells.append(Prose(part, full if b.text != full.text else part))
        return
    now = room(slides, sum(map(lines, shown)))
    now.used += sum(map(lines, shown))
    now.cells += [Prose(b, full) for b, full in zip(shown, group)]


def add_code(slides: list[Slide], cell) -> None:
    """A cell's code, folded, with what it printed; each of its figures on a slide of its own."""
    figures = [o for o in cell.outputs if o.get("metadata", {}).get("figure")]
    texts = [o for o in cell.outputs if not o.get("metadata", {}).get("figure")]
    if asks(slides[-1]):  # the stub is the exercise, and its verdict "not yet" is no news
        slides[-1].cells.append(nbformat.v4.new_code_cell(cell.source))
        texts, code = [], ""
    else:
        code = cell.source
    rows = [line for o in texts for line in str(o.get("text", o.get("data", {}).get("text/plain", ""))).splitlines()]
    beside = figures and len(rows) <= 3  # a few numbers may stand under a figure
    if texts and not beside:
        now = room(slides, 0.85 * len(rows) + 1)
        now.cells.append(nbformat.v4.new_code_cell("", outputs=texts))
        now.used += 0.85 * sum(1 + len(row) // NARROW for row in rows) + 1
    for k, figure in enumerate(figures):
        if slides[-1].cells or slides[-1].figure:
            slides.append(Slide("subslide", slides[-1].title))
        under = texts if beside and k == 0 else []
        slides[-1].cells.append(nbformat.v4.new_code_cell("", outputs=[figure, *under]))
        slides[-1].figure = True
    if code:
        first = slides[-len(figures)] if figures else slides[-1]
        first.code.append(code)
