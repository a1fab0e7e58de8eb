"""What lecturers get: decks, pages, figures and handouts hold all of a lesson, and need neither network nor kernel."""

import base64
import io
import json
import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from lectures import assets, builds, content
from lectures.blocks import blocks, lead, lines, sentences, tail
from lectures.deck import ROOM, deck
from PIL import Image

import notebooks as tool
from ddpm_lessons.course import plots, widgets

each_lesson = pytest.mark.parametrize("path", tool.NOTEBOOKS, ids=lambda p: p.stem)


def png(colour: str) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (40, 30), colour).save(made, "png")
    return made.getvalue()


def small_lesson() -> nbformat.NotebookNode:
    """A lesson of a few cells, with one of everything, as `make` would have run it."""
    v4, captioned = nbformat.v4, {"text/markdown": "*Red, for $t=1$*", "text/plain": "Red"}
    frames = [
        f'<img src="data:image/png;base64,{base64.b64encode(png(c)).decode()}" width="96" alt="a &quot;{c}&quot; dot">'
        for c in ("red", "green", "blue")
    ]
    player = {widgets.FRAMES: {"frames": frames, "names": ["t = 0", "t < 1", "t = 2"], "start": 1}}
    figure = {"image/png": base64.b64encode(png("red")).decode(), "text/plain": "Red"}

    def shown(data, **metadata):
        return v4.new_output("display_data", data, metadata=metadata)

    def printed(text, name="stdout"):
        return v4.new_output("stream", name=name, text=text)

    badge = "[![Open in Colab](https://x.org/badge.svg)](https://colab.research.google.com/github/a/b)"
    return v4.new_notebook(
        cells=[
            v4.new_markdown_cell(f"# 77 · A test\n\n{badge}\n\n**You will build** a dot. *Before this:* nothing."),
            v4.new_code_cell('import sys\nif "google.colab" in sys.modules: ...'),
            v4.new_code_cell("import math"),
            v4.new_markdown_cell(
                "## 1. Dots\n\nWhy a dot? A dot is small. It is round. See [02](02_x.ipynb).\n\n$$x = 1 \\tag{77.1}$$"
            ),
            v4.new_code_cell(
                "show(dot)",
                outputs=[
                    printed("100%|##|", "stderr"),
                    printed("one\n"),
                    shown(figure, **{"image/png": {"alt": "Red, for $t=1$", "width": 96}}),
                    shown(captioned),
                ],
            ),
            v4.new_markdown_cell("*What you should see:* a red dot."),
            v4.new_code_cell("browse(dots)", outputs=[shown(player), shown({"text/markdown": "*Three dots*"})]),
            v4.new_markdown_cell("## Exercises\n\n### Exercise 77.1 (predict)\n\nWhich colour?"),
            v4.new_code_cell('def colour(): ...\n\n\ncheck.exercise("77.1", colour)', outputs=[printed("not yet\n")]),
            v4.new_markdown_cell(
                "<details><summary>Solution 77.1</summary>\n\n```python\ndef colour():\n    return 1\n```\nIt is red.\n"
                "</details>\n\n## What to remember\n\n1. Dots. They are round."
            ),
        ]
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A course of one small lesson, 77, executed, and no network."""
    (tmp_path / "executed").mkdir()
    (tmp_path / "notebooks").mkdir()
    nbformat.write(small_lesson(), tmp_path / "executed" / "77_test.ipynb")
    nbformat.write(small_lesson(), tmp_path / "notebooks" / "77_test.ipynb")
    monkeypatch.setattr(content, "BUILD", tmp_path)
    monkeypatch.setattr(builds.assets, "put", lambda names, folder: (folder / "lib").mkdir(parents=True, exist_ok=True))
    return tmp_path


def built(command, folder: Path) -> Path:
    out = folder / command.__name__
    command(content.lessons(["77"], folder / "notebooks"), out)
    return out


def fetched(page: str) -> list[str]:
    """All that a browser would load for a page."""
    return re.findall(r'<(?:script|img|iframe)[^>]* src="([^"]+)"|<link[^>]* href="([^"]+)"', page)


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def slides_of(shown) -> list[list]:
    """A deck's cells, slide by slide."""
    found = []
    for cell in shown.cells:
        if cell.metadata.get("slideshow", {}).get("slide_type") in ("slide", "subslide"):
            found.append([])
        found[-1].append(cell)
    return found


@each_lesson
def test_a_deck_shows_or_says_all_of_a_lesson(path, tmp_path):
    nb = content.with_files(nbformat.read(path, 4), tmp_path, path.name[:2])
    slides = slides_of(deck(nb))
    everything = plain("\n".join(c.source for s in slides for c in s))
    for cell in nb.cells[2:]:
        if cell.cell_type == "code":  # but for what only Colab runs
            assert "google.colab" in cell.source or plain(cell.source) in everything
            continue
        for b in blocks(cell.source):
            if b.kind == "text":
                assert all(s in everything for s in sentences(b.text)), b.text
            elif b.kind == "equation":
                assert sum(c.source.count(b.text) for s in slides for c in s) == 1, "an equation stands on one slide"
    figures = [sum(o.get("metadata", {}).get("figure", False) for c in s for o in c.get("outputs", [])) for s in slides]
    assert max(figures) == 1 and sum(figures) == sum(str(c.get("outputs", "")).count("<figure") for c in nb.cells)


@each_lesson
def test_no_slide_is_asked_to_hold_too_much(path, tmp_path):
    nb = content.with_files(nbformat.read(path, 4), tmp_path, path.name[:2])
    for slide in slides_of(deck(nb)):
        shown = [c for c in slide[1:] if c.metadata.get("slideshow", {}).get("slide_type") != "notes"]
        words = [b for c in shown if c.cell_type == "markdown" for b in blocks(c.source)]
        if len(words) > 1:  # one block cannot be divided; the page draws it smaller
            assert sum(map(lines, words)) <= ROOM, slide[0].source
        assert not any("<details" in c.source for c in shown), "a solution is on a slide of its own, unfolded"


def test_what_stands_on_which_slide(folder):
    nb = content.with_files(content.executed(folder / "77_test.ipynb"), folder, "77")
    titles = [s[0].source for s in slides_of(deck(nb, notes="Be kind."))]
    assert titles == ["## 77 · A test", *["## 1. Dots"] * 3, "## Exercises", "## Exercise 77.1 (predict)"] + [
        "## Solution 77.1",
        "## What to remember",
    ]
    first, equation, dot, player, _, asked, solved, last = slides_of(deck(nb, notes="Be kind."))
    assert first[-1].source.startswith("Be kind.") and first[-1].metadata.slideshow.slide_type == "notes"
    assert "import math" in first[-2].source and first[-2].metadata.fold
    assert "colab" not in str(first)
    assert equation[1].source == "Why a dot? A dot is small. It is round. See [02](02_x.html)."  # short: whole
    assert "77.1" in equation[2].source
    assert "a red dot" in dot[-1].source and dot[-1].metadata.slideshow.slide_type == "notes"
    assert "<figure>" in str(dot) and "one" in str(dot) and "100%" not in str(dot)
    assert "player" in str(player) and "browse(dots)" in str(player)
    assert "not yet" not in str(asked) and "def colour(): ..." in str(asked)
    assert "return 1" in str(solved) and "return 1" not in str(asked)
    assert "They are round" in last[1].source


def test_a_cells_slide_type_overrules_the_rules(folder):
    nb = small_lesson()
    nb.cells[3].metadata["slideshow"] = {"slide_type": "skip"}
    nb.cells[5].metadata["slideshow"] = {"slide_type": "slide"}
    nb.cells[9].metadata["slideshow"] = {"slide_type": "notes"}
    slides = slides_of(deck(content.with_files(nb, folder, "77")))
    assert "77.1}" not in str(slides)
    seen = next(s for s in slides if "What you should see" in str(s))
    assert seen[0].metadata.slideshow.slide_type == "slide" and len(seen) == 2
    assert slides[-1][-1].source.startswith("<details>")


def test_prose_is_shortened_at_sentences():
    text = (
        "Take $x. Y$ (see e.g. Ho). It *is. Not* over `a. B` yet [here](a. B).\nThe rest of it is much longer. "
        + "A b c. " * 40
    )
    assert sentences(text)[:2] == ["Take $x. Y$ (see e.g. Ho).", "It *is. Not* over `a. B` yet [here](a. B)."]
    assert lead(text) == " ".join(sentences(text)[:2]) and tail(text) == "A b c."  # the first is very short
    assert sum(s == "A b c." for s in sentences(text)) == 40
    assert lead("Why? Because it is. " + "More of it. " * 20) == "Why? Because it is."
    found = blocks(
        "## A\nText\non\n$$\nx\n\ny\n$$\n- a\n\n- b\n```\n# no\n\n- heading\n```\n<details>\n\n## c\n</details>\n| a |"
    )
    assert [b.kind for b in found] == ["heading", "text", "equation", "list", "code", "solution", "table"]


def test_a_deck_needs_no_network_and_has_notes(folder):
    page = (built(builds.slides, folder) / "77_test.html").read_text()
    assert fetched(page) and not re.search(r'(?:src|<link[^>]* href)="(?:https?:)?//', page)
    assert page.count("<section class=") == 8 and page.count("<section>") == 4 and page.count("</section>") == 12
    assert page.count('<aside class="notes">') >= 1 and page.count('<details class="code">') == 3
    assert r"\tag{77.1}" in page and 'class="highlight' in page
    for name in re.findall(r'src="(figures/[^"]+)"', page):
        assert (folder / "slides" / name).stat().st_size


def test_a_player_needs_no_kernel(folder):
    page = (built(builds.site, folder) / "77_test.html").read_text()
    (player,) = BeautifulSoup(page, "html.parser").select("figure.player")
    images, slider = player.select("img"), player.select_one("input[type=range]")
    assert [i.has_attr("hidden") for i in images] == [True, False, True]
    colours = [Image.open(folder / "site" / i["src"]).convert("RGB").getpixel((9, 9)) for i in images]
    assert [max(range(3), key=c.__getitem__) for c in colours] == [0, 1, 2]  # red, green, blue
    assert (slider["max"], slider["value"]) == ("2", "1") and json.loads(slider["data-names"])[1] == "t < 1"
    assert (
        player.output.text == "t < 1" and "Three dots" in player.figcaption.text and 'a "red" dot' == images[0]["alt"]
    )


def test_the_site_leads_everywhere_and_finds_everything(folder):
    out = built(builds.site, folder)
    page, front = (out / "77_test.html").read_text(), (out / "index.html").read_text()
    assert not re.search(r'(?:src|<link[^>]* href)="(?:https?:)?//', page + front)
    assert 'href="77_test.html"' in front and "data/film.webp" in front and (out / "data" / "film.webp").exists()
    for name in re.findall(r'<a href="#([^"]+)"', page):
        assert f'id="{name}"' in page
    index = (out / "lib" / "index.js").read_text()
    for words in ("1. Dots", "Exercise 77.1 (predict)", "A dot is small", "Twelve weeks"):
        assert words in index
    assert "Open this lesson in Colab" in page and "badge.svg" not in page and "google.colab" not in page
    assert "<summary>Solution 77.1</summary>" in page


def test_a_handout_has_neither_solutions_nor_outputs_and_all_code(folder):
    (path,) = built(builds.handout, folder).glob("*.ipynb")
    given, whole = nbformat.read(path, 4), small_lesson()
    nbformat.validate(given)
    assert [c.source for c in given.cells if c.cell_type == "code"] == [
        c.source for c in whole.cells if c.cell_type == "code"
    ]
    assert not any(c.get("outputs") for c in given.cells)
    prose = "\n".join(c.source for c in given.cells)
    assert "Solution" not in prose and "It is red" not in prose and "badge" not in prose
    assert "Exercise 77.1" in prose and "What to remember" in prose


@each_lesson
def test_no_solution_reaches_students(path, tmp_path):
    builds.handout([path], tmp_path)
    text = (tmp_path / path.name).read_text()
    assert "<summary>Solution" not in text and '"image/png"' not in text
    assert text.count("check.exercise(") == path.read_text().count("check.exercise(")


def test_figures_are_files_and_players_films(folder):
    out = built(builds.figures, folder)
    assert Image.open(out / "77" / "01.png").size == (40, 30)
    film = Image.open(out / "77" / "02.gif")
    assert film.n_frames == 3 and film.info["loop"] == 0
    index = (out / "index.html").read_text()
    assert "Red, for $t=1$" in index and "Three dots" in index and 'href="77/02.gif"' in index


@pytest.fixture
def displayed(monkeypatch):
    calls = []
    monkeypatch.setattr(widgets, "display", lambda data, **k: calls.append(data))
    monkeypatch.setenv(widgets.EXPORT, "1")
    return calls


def drawn(k: int = 1):
    figure, axes = plots.panels(1, 1)
    axes[0, 0].plot([0, k])
    return figure


def test_for_pages_lines_are_drawn_and_players_keep_all_their_frames(displayed):
    import torch

    widgets.show(drawn(), "a line")
    widgets.show(plots.pictures(torch.zeros(1, 3, 8, 8)), "pixels")
    widgets.browse([drawn(k) for k in range(3)], ["a", "b", "c"], "lines", start=2)
    line, _, pixels, _, player, _ = displayed
    assert line["image/svg+xml"].startswith("<?xml") and "image/svg+xml" not in pixels
    assert player[widgets.FRAMES]["names"] == ["a", "b", "c"] and player[widgets.FRAMES]["start"] == 2
    (piece,) = content.pieces([nbformat.v4.new_output("display_data", player)])
    assert piece.alts[1] == "lines, b" and piece.start == 2 and len({*piece.frames}) == 3


def test_for_pages_a_question_is_answered_once(displayed):
    widgets.ask(lambda text: iter([(drawn(k), f"{text} {k}") for k in (1, 2)]), "roses", "go", lambda text: [])
    (player,) = displayed
    assert player[widgets.FRAMES]["names"] == ["roses, roses 1", "roses, roses 2"]


def test_a_library_that_is_not_the_published_one_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(assets, "BUILD", tmp_path)
    (tmp_path / "fetched").mkdir()
    (tmp_path / "fetched" / "minisearch-7.2.0.tgz").write_bytes(b"something else")
    with pytest.raises(ValueError, match="SHA-256"):
        assets.archive("minisearch")

    def unreachable(*_):
        raise ConnectionError("could not fetch it")

    monkeypatch.setattr(assets.shutil, "which", lambda _: None)
    monkeypatch.setattr(assets, "download", unreachable)
    with pytest.raises(ConnectionError, match=r"put it at .*reveal\.js-5\.2\.1\.tgz"):
        assets.archive("reveal.js")


def test_lecturers_are_told(monkeypatch):
    readme, make = (tool.ROOT / "README.md").read_text(), (tool.ROOT / "Makefile").read_text()
    page = (tool.ROOT / "notebooks" / "teachers.md").read_text()
    for target in ("slides", "site", "figures", "handout"):
        assert (
            f"make {target}" in readme
            and f"make {target}" in page
            and re.search(rf"^[a-z ]*\b{target}\b.*:", make, re.M)
        )
    assert "notebooks/teachers.md" in readme
    for path in tool.NOTEBOOKS:
        assert builds.teaching(path.name[:2]), f"teachers.md has no section ### {path.name[:2]}"
    with pytest.raises(ValueError, match="no notebook begins with 98 or 99"):
        content.lessons(["98", "99"])
