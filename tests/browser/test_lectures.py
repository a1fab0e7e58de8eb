"""At the lectern and on a web page: a lesson's deck and page from a folder, with the network off."""

import os
import subprocess
import sys

import nbformat
import pytest
from lectures import builds, content
from looking import differs, is_picture, pixels, waiting
from test_lab import drag

from notebooks import ROOT

SLIDE = "section.present:not(.stack)"


@pytest.fixture(scope="module")
def built(chromium, tmp_path_factory):
    """A folder with the deck and the page of lesson 02, up to its first player."""
    folder = tmp_path_factory.mktemp("lectures")
    (path,) = (ROOT / "notebooks").glob("02_*.ipynb")
    nb = nbformat.read(path, 4)
    player = next(i for i, c in enumerate(nb.cells) if "browse(" in c.source and c.cell_type == "code")
    nb.cells = nb.cells[: player + 1]
    for name in ("notebooks", "executed"):
        (folder / name).mkdir()
        nbformat.write(nb, folder / name / path.name)
    run = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", "--log-level=ERROR"]
    env = os.environ | {"DDPM_LESSONS_EXPORT": "1", "DDPM_LESSONS_DATA": "none"}
    subprocess.run([*run, folder / "executed" / path.name], check=True, env=env)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(content, "BUILD", folder)  # where it looks for executed lessons
        for make in (builds.slides, builds.site):
            try:
                make([folder / "notebooks" / path.name], folder / make.__name__)
            except ConnectionError as e:
                pytest.skip(f"reveal.js and MathJax cannot be fetched: {e}")
    return folder


def check_formulas(page, within: str) -> int:
    """All formulas that can be seen are drawn; none is left as TeX. How many there are."""
    seen = [f for f in page.locator(f"{within} mjx-container").all() if f.is_visible()]
    for formula in seen[:3]:
        formula.scroll_into_view_if_needed()
        waiting(lambda formula=formula: pixels(formula).std() > 5, 20, f"blank: {formula.inner_text()}")
    assert not page.locator(f"{within} mjx-merror").count()
    assert "$$" not in page.locator(within).inner_text()
    return len(seen)


def check_pictures(page, within: str) -> int:
    """All pictures that can be seen are pictures. How many there are."""
    seen = [image for image in page.locator(f"{within} figure img").all() if image.is_visible()]
    for image in seen:
        image.scroll_into_view_if_needed()
        waiting(lambda image=image: is_picture(pixels(image)), 20, f"blank: {image.get_attribute('alt')}")
    return len(seen)


def check_player(page, within: str) -> None:
    """The player's slider changes its picture."""
    player = page.locator(f"{within} figure.player")
    frame = lambda: pixels(player.locator("img:visible"))  # noqa: E731
    player.scroll_into_view_if_needed()
    before = frame()

    def followed() -> bool:  # a page that is still being laid out moves the slider away from the mouse: take it again
        drag(page, player.locator("input[type=range]"), 50)  # from its middle
        return differs(frame(), before)

    waiting(followed, 20, "the picture does not follow the slider")
    assert is_picture(frame())


def test_a_deck_is_shown_without_a_network(offline, built):
    (deck,) = (built / "slides").glob("02_*.html")
    offline.goto(deck.as_uri())
    offline.wait_for_function("Reveal.isReady()")
    offline.locator(f"{SLIDE} mjx-container").first.wait_for(state="attached")
    slides, pictures, formulas, players = 1, 0, 0, 0
    while True:
        pictures, formulas = pictures + check_pictures(offline, SLIDE), formulas + check_formulas(offline, SLIDE)
        if offline.locator(f"{SLIDE} figure.player").count():
            check_player(offline, SLIDE)
            players += 1
            offline.locator("body").click(position={"x": 5, "y": 5})  # the keys turn slides again
        if offline.evaluate("Reveal.isLastSlide()"):
            break
        offline.keyboard.press("PageDown")
        offline.wait_for_function("n => Reveal.getSlidePastCount() == n", arg=slides)
        slides += 1
    assert slides >= 8 and pictures >= 3 and formulas >= 8 and players == 1


def test_a_page_of_the_site_is_read_without_a_network(offline, built):
    (page,) = (built / "site").glob("02_*.html")
    offline.goto(page.as_uri())
    offline.locator("mjx-container").first.wait_for()
    waiting(lambda: "$$" not in offline.locator("main").inner_text(), 20, "formulas are left as TeX")
    assert check_pictures(offline, "main") >= 2 and check_formulas(offline, "main") >= 8
    check_player(offline, "main")
    offline.locator("input[type=search]").fill("Markov chain")
    offline.get_by_role("link", name="02 ·").first.wait_for()
