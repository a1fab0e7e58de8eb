"""A browser for the tests: chromium, driven by playwright; where either is missing the tests skip and say so."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
from looking import waiting

from notebooks import ROOT

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

SETTINGS = {
    "apputils-extension/notification": {"checkForUpdates": False, "fetchNews": "false"},  # else a box covers the page
    "notebook-extension/tracker": {"windowingMode": "none"},  # else a picture is there only while one looks at it
}


class Lesson(NamedTuple):
    """A notebook in JupyterLab: its address, and its file."""

    address: str
    path: Path


@pytest.fixture(scope="module")  # not longer: its event loop would be in the way of other tests
def chromium():
    """The browser itself."""
    api = pytest.importorskip("playwright.sync_api", reason='no playwright: pip install -e ".[browser]"')
    if CHROMIUM is None:
        pytest.skip("no chromium: sudo apt install chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])  # root has none
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    """A page of a new visitor; the test fails when its console shows an error."""
    context, errors = chromium.new_context(viewport={"width": 1400, "height": 1000}), []
    page = context.new_page()
    page.set_default_timeout(60_000)
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="117" height="20"/>'  # the badge that each lesson begins with
    page.route("https://colab.research.google.com/**", lambda r: r.fulfill(content_type="image/svg+xml", body=svg))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(f"{said.text} {said.location}") if said.type == "error" else None)
    yield page
    context.close()
    assert not errors, "\n".join(errors)


@pytest.fixture
def offline(page):
    """The same page with the network off; the test fails when it asks for anything outside its folder."""
    asked = []
    page.context.set_offline(True)
    page.on("request", lambda r: None if r.url.startswith(("file:", "data:", "blob:")) else asked.append(r.url))
    yield page
    assert not asked, asked


@pytest.fixture(scope="module")
def lab(chromium, tmp_path_factory):
    """(number, last cell) -> that Lesson in a running JupyterLab, without its stored outputs."""
    folder = tmp_path_factory.mktemp("lab")
    env = os.environ | {"DDPM_LESSONS_DATA": "none", "JUPYTER_CONFIG_DIR": str(folder / "config")}
    env |= {"JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"), "JUPYTERLAB_WORKSPACES_DIR": str(folder / "places")}
    options = ["--no-browser", "--allow-root", "--ServerApp.port=0", "--IdentityProvider.token=course"]
    (folder / "work").mkdir()
    for name, choices in SETTINGS.items():
        file = folder / "settings/@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(choices))
    log = open(folder / "log", "w+")
    command = [sys.executable, "-m", "jupyter", "lab", *options, f"--ServerApp.root_dir={folder / 'work'}"]
    server = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=folder)
    try:
        address = waiting(lambda: address_in(folder / "log"), 60, "JupyterLab does not start")

        def lesson(name: str, until: str = "") -> Lesson:
            """Up to the first cell with the text `until`."""
            (path,) = (ROOT / "notebooks").glob(f"{name}_*.ipynb")
            nb = nbformat.read(path, 4)
            last = next((i for i, c in enumerate(nb.cells) if until and until in c.source), len(nb.cells))
            nb.cells = nb.cells[: last + 1]
            for cell in nb.cells:
                if cell.cell_type == "code":
                    cell.outputs, cell.execution_count = [], None
            nbformat.write(nb, folder / "work" / path.name)
            return Lesson(f"{address}/lab/tree/{path.name}?token=course&reset", folder / "work" / path.name)

        yield lesson
    finally:
        server.terminate()
        server.wait(30)
        log.close()


def address_in(log) -> str | None:
    """Where the server says that it listens, once it does."""
    lines = [w for w in log.read_text().split() if w.startswith("http://127.0.0.1:")]
    address = lines[0].split("/lab")[0] if lines else None
    try:
        return address if address and urllib.request.urlopen(f"{address}/api", timeout=5) else None
    except OSError:
        return None
