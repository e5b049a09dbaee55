"""The normal form of a notebook: two runs give the same bytes, and nothing random is stored."""

import json
import re
from pathlib import Path

import nbformat
import pytest

from kafka_internals.tools import export, notebooks, readme

ROOT = Path(__file__).parents[2]
PLAYER = ("from kafka_internals.viz.player import Player\nfrom tests.viz import films\n"
          "Player(films.replicas())")


def _notebook(path: Path, *cells: str) -> Path:
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    for at, cell in enumerate(book.cells):
        cell.id = f"cell-{at}"
    nbformat.write(book, path)
    return path


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """A notebook whose outputs would differ from run to run, in its normal form, twice."""
    path = _notebook(tmp_path_factory.mktemp("books") / "noisy.ipynb",
                     "import sys, ipywidgets\nprint('a')\nsys.stdout.flush()\nprint('b')",
                     "object()", "ipywidgets.IntSlider()", PLAYER)
    return [json.loads(notebooks.normal(notebooks.executed(path), path.name)) for _ in range(2)]


def test_two_runs_give_the_same_bytes(noisy):
    assert noisy[0] == noisy[1]


def test_neighbouring_streams_are_one(noisy):
    (stream,) = noisy[0]["cells"][0]["outputs"]
    assert "".join(stream["text"]) == "a\nb\n"


def test_no_view_no_state_no_time_no_address(noisy):
    text = json.dumps(noisy[0])
    assert "widget" not in noisy[0]["metadata"] and notebooks.VIEW not in text
    assert "execution" not in noisy[0]["cells"][0]["metadata"]
    assert "<object at 0x0>" in text


def test_a_player_keeps_its_picture_and_its_sentence(noisy):
    data = noisy[0]["cells"][3]["outputs"][0]["data"]
    assert set(data) == {"image/svg+xml", "text/plain"}
    assert re.search(r"\[film [0-9a-f]{12}\]$", "".join(data["text/plain"]))


def test_a_png_is_refused_by_cell(tmp_path):
    path = _notebook(tmp_path / "png.ipynb", "1", (
        "from IPython.display import display\n"
        "display({'image/png': 'iVBORw0KGgo='}, raw=True)"))
    with pytest.raises(notebooks.NotebookFailed, match="png.ipynb, cell 1 shows a PNG"):
        notebooks.normal(notebooks.executed(path), path.name)


def test_a_cell_that_fails_is_named_and_nothing_is_written(tmp_path, capsys):
    path = _notebook(tmp_path / "broken.ipynb", "1", "1 / 0")
    before = path.read_bytes()
    assert notebooks.main([str(path)]) == 1
    assert "broken.ipynb, cell 1: ZeroDivisionError" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_check_writes_nothing_and_tells_a_difference(tmp_path, capsys):
    path = _notebook(tmp_path / "one.ipynb", "1 + 1")
    before = path.read_bytes()
    assert notebooks.main(["--check", str(path)]) == 1
    assert path.read_bytes() == before and "not in normal form" in capsys.readouterr().err
    assert notebooks.main([str(path)]) == 0
    assert notebooks.main(["--check", str(path)]) == 0


def test_an_exported_page_is_live_and_asks_nothing_outside(tmp_path):
    path = _notebook(tmp_path / "page.ipynb", PLAYER)
    assert export.main([str(path), "--to", str(tmp_path / "site")]) == 0
    page = (tmp_path / "site/page.html").read_text()
    assert "<iframe" in page and "srcdoc" in page and not export.OUTSIDE.search(page)


def test_the_made_parts_of_the_readme_are_current():
    assert readme.stale(ROOT) == []
