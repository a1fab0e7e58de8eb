"""The four things that are made of the lessons; each function writes a folder below build/ and says where to look."""

import html
import io
import json
import re
import shutil
from pathlib import Path

import nbformat
from nbconvert.exporters import HTMLExporter, SlidesExporter
from PIL import Image

from . import assets
from .content import BUILD, ROOT, Picture, badge, executed, pieces, relink, repository, with_files
from .deck import deck

TEMPLATES = [str(Path(__file__).parent / "templates")]
HOW = {"extra_template_basedirs": TEMPLATES, "extra_template_paths": TEMPLATES, "exclude_anchor_links": True}
SOLUTION = re.compile(r"<details>\s*<summary>Solution.*?</details>\n*", re.S)
TEACHERS = ROOT / "notebooks" / "teachers.md"


def slides(lessons: list[Path], out: Path = BUILD / "slides") -> str:
    """A reveal.js deck for each lesson."""
    assets.put(("reveal.js", "mathjax"), out)
    exporter = SlidesExporter(template_name="deck", **HOW)
    decks = []
    for path in lessons:
        shown = deck(with_files(executed(path), out, path.name[:2]), teaching(path.name[:2]))
        (out / f"{path.stem}.html").write_text(exporter.from_notebook_node(shown)[0], encoding="utf-8")
        decks.append(f"- [{shown.metadata.title}]({path.stem}.html)")
    write(out / "index.html", markdown("\n".join(decks)), {"title": "Slides"})
    return f"{len(lessons)} decks in {out}: open index.html; in a deck, S opens the speaker's view, ? shows all keys"


def teaching(number: str) -> str:
    """What the page for teachers says of a lesson."""
    found = re.search(rf"^### {number}\b.*?\n(.*?)(?=^##|\Z)", TEACHERS.read_text(encoding="utf-8"), re.M | re.S)
    return found[1].strip() if found else ""


def handout(lessons: list[Path], out: Path = BUILD / "handout") -> str:
    """The notebooks without solutions and outputs, to be handed out."""
    out.mkdir(parents=True, exist_ok=True)
    for path in lessons:
        nb = nbformat.read(path, 4)
        nb.cells[0].source = badge(nb.cells[0].source)  # Colab would open the notebook with its solutions
        for cell in nb.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
            else:
                cell.source = SOLUTION.sub("", cell.source).strip()
        nb.cells = [c for c in nb.cells if c.source]
        nbformat.write(nb, out / path.name)
    return f"{len(lessons)} notebooks in {out}"


def figures(lessons: list[Path], out: Path = BUILD / "figures") -> str:
    """Every figure as a file and every player as a GIF, with their captions on one page."""
    cells, count = [], 0
    for path in lessons:
        nb, number = executed(path), path.name[:2]
        (out / number).mkdir(parents=True, exist_ok=True)
        cells.append(nbformat.v4.new_markdown_cell("## " + nb.cells[0].source.split("\n")[0].removeprefix("# ")))
        shown = [p for c in nb.cells for p in pieces(c.get("outputs", [])) if isinstance(p, Picture)]
        for k, picture in enumerate(shown, 1):
            name = f"{number}/{export(picture, out / number / f'{k:02}').name}"
            image = f'<a href="{name}"><img src="{name}" loading="lazy" alt="{html.escape(picture.alts[0])}"></a>'
            cells.append(nbformat.v4.new_markdown_cell(f"{image}\n\n`{name}` {picture.caption}"))
        count += len(shown)
    assets.put(("mathjax",), out)
    write(out / "index.html", nbformat.v4.new_notebook(cells=cells), {"title": "Figures of all lessons"})
    return f"{count} figures in {out}, with their captions in index.html"


def export(picture: Picture, file: Path) -> Path:
    """Write one picture, as SVG, PNG or GIF -> the file."""
    if picture.svg:
        file = file.with_suffix(".svg")
        file.write_text(picture.svg, encoding="utf-8")
    elif len(picture.frames) == 1:
        file = file.with_suffix(".png")
        file.write_bytes(picture.frames[0])
    else:
        first, *others = (Image.open(io.BytesIO(f)).convert("RGB") for f in picture.frames)
        file = file.with_suffix(".gif")
        first.save(file, save_all=True, append_images=others, duration=[400] * len(others) + [2000], loop=0)
    return file


def site(lessons: list[Path], out: Path = BUILD / "site") -> str:
    """The course as static pages: a front page, the lessons, the page for teachers, and a search over all."""
    assets.put(("mathjax", "minisearch"), out)
    books = {p: with_files(executed(p), out, p.name[:2]) for p in lessons}
    titles = [{"page": f"{p.stem}.html", "title": nb.cells[0].source.split("\n")[0][2:]} for p, nb in books.items()]
    index = []
    for k, (path, nb) in enumerate(books.items()):
        nb.cells[0].source = badge(nb.cells[0].source, r"[Open this lesson in Colab](\1)\n\n")
        nb.cells = [c for c in nb.cells if "google.colab" not in c.source]
        page = {
            **titles[k],
            "lessons": titles,
            "sections": sections(nb, titles[k], index),
            "before": titles[k - 1] if k else None,
            "after": titles[k + 1] if k + 1 < len(titles) else None,
        }
        write(out / f"{path.stem}.html", nb, page)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    front = markdown(readme.split("\n## ")[0])
    front.cells.append(contents(books, readme))
    (out / "data").mkdir(exist_ok=True)
    shutil.copy(ROOT / "data" / "film.webp", out / "data")
    write(out / "index.html", front, {"title": "ddpm_lessons", "lessons": titles})
    teachers = markdown(relink(TEACHERS.read_text(encoding="utf-8")))
    about = {"page": "teachers.html", "title": "For teachers"}
    write(out / "teachers.html", teachers, {**about, "lessons": titles, "sections": sections(teachers, about, index)})
    # a script, not JSON: browsers let no page fetch from a folder, and the course should be read from one
    (out / "lib" / "index.js").write_text(f"const INDEX = {json.dumps(index)};\n", encoding="utf-8")
    return f"{len(lessons)} lessons in {out}: open index.html, or copy the folder to any web server"


def markdown(text: str) -> nbformat.NotebookNode:
    """A notebook of one cell of prose."""
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)])


def contents(books: dict, readme: str) -> nbformat.NotebookNode:
    """The list of lessons: what the README says of each, beside its first picture."""
    rows = []
    for path, nb in books.items():
        title = nb.cells[0].source.split("\n")[0][2:]
        said = re.search(rf"^\| `{path.stem}` \| (.*) \|$", readme, re.M)
        drawn = re.search(r'<img src="([^"]+)"', " ".join(str(c.get("outputs", "")) for c in nb.cells))
        image = f'<img src="{drawn[1]}" alt="" loading="lazy">' if drawn else ""
        text = f"<b>{html.escape(title)}</b><span>{html.escape(said[1] if said else '')}</span>"
        rows.append(f'<a class="lesson" href="{path.stem}.html">{image}{text}</a>')
    return nbformat.v4.new_markdown_cell("## Lessons\n\n" + f'<div class="lessons">{"".join(rows)}</div>')


def sections(nb: nbformat.NotebookNode, page: dict, index: list[dict]) -> list[dict]:
    """Give each heading an address, and add its text to the search index -> the sections, for the table of contents."""
    found, entry = [], {"title": page["title"], "url": page["page"], "text": ""}
    index.append(entry)
    for cell in nb.cells:
        if cell.cell_type != "markdown":
            entry["text"] += " " + words(" ".join(re.findall(r"<figcaption>.*?</figcaption>", str(cell.outputs))))
            continue
        parts = re.split(r"^(#{2,3} .*)$", cell.source, flags=re.M)
        for k, part in enumerate(parts):
            if k % 2:
                name = f"section-{len(index)}"
                marks, title = part.split(" ", 1)
                entry = {"title": title, "url": f"{page['page']}#{name}", "text": ""}
                index.append(entry)
                if marks == "##":
                    found.append({"title": title, "url": f"#{name}"})
                parts[k] = f'<a id="{name}"></a>\n\n{part}'
            else:
                entry["text"] += " " + words(part)
        cell.source = "".join(parts)
    for k, e in enumerate(index):
        e.update(id=k, lesson=e.get("lesson", page["title"]))
    return found


def words(text: str) -> str:
    """Markdown or HTML as plain words, without formulas."""
    text = re.sub(r"\$\$.*?\$\$|\$[^$]*\$|<[^>]*>|\]\([^)]*\)|```\w*|[*`#|\[\]\\]", " ", text, flags=re.S)
    return re.sub(r"\s+", " ", text).strip()


def write(file: Path, nb: nbformat.NotebookNode, page: dict) -> None:
    """Write one page.  page: title, and what the template makes navigation of"""
    exporter = HTMLExporter(template_name="page", **HOW)
    resources = {"page": {"repository": repository(), **page}}
    file.write_text(exporter.from_notebook_node(nb, resources)[0], encoding="utf-8")
