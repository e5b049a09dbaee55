"""Each notebook of the course in a real JupyterLab: fresh, run from top to bottom, and exported."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from kafka_internals.tools.browser import FAILED, READY, ROOT
from kafka_internals.tools.export import page_of
from kafka_internals.tools.reading import FILM, parts, texts

BOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TRUST = ("import sys; from pathlib import Path; from kafka_internals.tools import lab, notebooks;"
         "notebooks.course = lambda: [Path(sys.argv[1])]; lab.course = notebooks.course;"
         "lab.trust()")


@pytest.fixture(scope="module", params=BOOKS, ids=lambda path: path.stem)
def book(request, lab) -> Path:
    """A notebook as a fresh clone has it, trusted as the `lab` verb does before it starts."""
    fresh = lab.root / request.param.name
    shutil.copy(request.param, fresh)
    subprocess.run([sys.executable, "-c", TRUST, fresh], env=lab.environment(), check=True)
    return fresh


@pytest.fixture(scope="module")
def in_lab(lab, shared):
    """JupyterLab, in which one notebook after another is opened: to start it takes longer."""
    started = shared()
    started.page.goto(f"{lab.url}/lab?reset")
    started.page.wait_for_function("window.jupyterapp?.restored.then(() => true)", timeout=60_000)
    return started


@pytest.fixture(scope="module")
def opened(in_lab, book):
    """The notebook, for the two tests that follow each other."""
    in_lab.command("docmanager:open", {"path": book.name})
    in_lab.page.wait_for_function(READY, timeout=60_000)
    yield in_lab
    in_lab.command("docmanager:save")               # or closing it asks
    in_lab.command("application:close")


def test_a_fresh_notebook_shows_its_pictures_before_anything_runs(opened):
    opened.page.wait_for_selector('.jp-RenderedSVG img[src^="data:image/svg+xml"]')
    assert opened.page.locator(".ki-player").count() == 0
    assert opened.page.locator(FAILED).count() == 0
    opened.clean()


def films(book: Path) -> int:
    """How many a reader sees at once: a closed fold shows no player."""
    return sum(bool(FILM.search(texts(part.cell))) for part in parts(json.loads(book.read_text()))
               if not part.is_deeper)


def test_it_runs_from_top_to_bottom(opened, book):
    opened.command("notebook:run-all-cells")
    opened.page.wait_for_selector(".ki-player[data-step] svg rect, .ki-still img")
    opened.page.wait_for_function(
        f"() => document.querySelectorAll('.ki-player[data-step]').length >= {films(book)}")
    assert opened.page.locator(".ki-player:not([data-step])").count() == 0
    opened.clean()


def test_it_is_exported_as_one_live_page_that_asks_nothing_outside(view, book, tmp_path,
                                                                   monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    page = tmp_path / "page.html"
    page.write_text(page_of(book), encoding="utf-8")
    opened = view()
    opened.page.goto(page.as_uri())
    if not films(book):                                 # its panel's chart stands, and says why
        panel = opened.page.locator("figure:has(svg)").first
        expect(panel).to_be_visible()
        expect(opened.page.get_by_text("This panel needs a kernel")).to_be_visible()
        return
    player = opened.page.frame_locator("iframe").first.locator(".ki-player[data-step]")
    player.wait_for()
    step = player.get_attribute("data-step")
    player.focus()
    opened.page.keyboard.press("End" if step == "0" else "Home")
    expect(player).not_to_have_attribute("data-step", step)
