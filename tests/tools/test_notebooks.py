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


def test_stdout_and_stderr_do_not_interleave_by_chance():
    def stream(name, text):
        return nbformat.v4.new_output("stream", name=name, text=text)

    shown = nbformat.v4.new_output("display_data", {"text/plain": "x"})
    merged = notebooks._merged([stream("stderr", "w1"), stream("stdout", "a"),
                                stream("stderr", "w2"), shown, stream("stdout", "b")])
    assert [(one.get("name"), one.get("text")) for one in merged] == [
        ("stdout", "a"), ("stderr", "w1w2"), (None, None), ("stdout", "b")]


def test_an_expected_error_names_no_file_of_this_machine(tmp_path):
    path = _notebook(tmp_path / "raises.ipynb", "1 / 0", "1 / 1")
    book = nbformat.read(path, as_version=4)
    book.cells[0].metadata["tags"] = ["raises-exception"]
    nbformat.write(book, path)
    (error,) = json.loads(notebooks.normal(notebooks.executed(path), "x"))["cells"][0]["outputs"]
    assert error["traceback"] == ["ZeroDivisionError: division by zero"]


def test_a_notebook_goes_by_its_name_and_an_unknown_one_is_told(capsys):
    assert notebooks.chosen(["00_start_here"]) == [ROOT / "notebooks/00_start_here.ipynb"]
    assert notebooks.main(["00_start"]) == 1
    assert "there is no notebook 00_start; there is 00_start_here" in capsys.readouterr().err


def test_a_kernel_that_dies_is_told_in_one_line(tmp_path, capsys):
    path = _notebook(tmp_path / "dies.ipynb", "import os", "os._exit(1)")
    assert notebooks.main([str(path)]) == 1
    assert capsys.readouterr().err == "dies.ipynb: DeadKernelError: Kernel died\n"


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
    assert "<iframe" in page and "srcdoc" in page and export.outside(page) == []
    assert "<script src" not in page and "mermaid.esm" not in page


def test_an_exported_page_keeps_the_answer_of_a_bet_folded_and_links_to_pages(tmp_path):
    path = _notebook(tmp_path / "one.ipynb", "print('the ' + 'answer')", "print('open')")
    book = nbformat.read(path, as_version=4)
    book.cells[0].metadata["jupyter"] = {"outputs_hidden": True}
    book.cells.append(nbformat.v4.new_markdown_cell("[next](two.ipynb) [far](three.ipynb)"))
    nbformat.write(book, path)
    page = export.page_of(path, frozenset({"one", "two"}))
    folded = page[page.index("<details>"):page.index("</details>")]
    assert "the answer" in folded and page.count("<details>") == 1
    assert 'href="two.html"' in page and 'href="three.ipynb"' in page


def test_an_exported_page_keeps_what_is_deeper_in_closed_folds(tmp_path):
    path = _notebook(tmp_path / "one.ipynb", "1")
    book = nbformat.read(path, as_version=4)
    book.cells = [nbformat.v4.new_markdown_cell(text) for text in (
        "## One", "the core of it", "### Deeper: a & b", "hidden", "## Deeper", "more", "### in it",
        "## Two", "the end of it")]
    nbformat.write(book, path)
    page = export.page_of(path)
    body = page[page.index("<main"):]
    folds = [fold.partition("</details>")[0] for fold in body.split('<details class="fold">')[1:]]
    assert body.count("<details") == body.count("</details>") == len(folds) == 2
    assert "Deeper: a &amp; b</summary>" in folds[0] and "hidden" in folds[0]
    assert "more" in folds[1] and "in it" in folds[1] and "Two" not in folds[1]
    assert "the core of it" in body and "the end of it" in body
    assert " of it" not in "".join(folds)


@pytest.mark.parametrize("page, asks", [
    ("<script src='https://x.test/a.js'></script>", True),
    ("<link rel=stylesheet href=//x.test/a.css>", True),
    ("<iframe srcdoc='&lt;img src=http://x.test/a.svg&gt;'></iframe>", True),
    ("<style>@import 'https://x.test/a.css'; a { background: url(//x.test/b.svg) }</style>", True),
    ("<a href='https://x.test'>a link</a><img src='data:image/svg+xml,x'>", False)])
def test_a_page_that_would_ask_another_host_is_told(page, asks):
    assert bool(export.outside(page)) is asks


def test_the_made_parts_of_the_readme_are_current():
    assert readme.stale(ROOT) == []
