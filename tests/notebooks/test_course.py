"""What every notebook of the course keeps: short cells, no spoilers, plain words, pictures."""

import ast
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
WORDS = re.compile(r"\b(simply|obviously|of course|trivially|just)\b", re.IGNORECASE)


def _cells(path: Path, kind: str) -> list[tuple[int, str, dict]]:
    return [(at, "".join(cell["source"]), cell) for at, cell in
            enumerate(json.loads(path.read_text())["cells"]) if cell["cell_type"] == kind]


@pytest.fixture(params=BOOKS, ids=lambda path: path.stem)
def book(request) -> Path:
    return request.param


def test_it_is_small_and_stores_no_widget(book):
    assert book.stat().st_size <= 500_000
    assert "widgets" not in json.loads(book.read_text())["metadata"]


def _only_names(source: str) -> bool:
    """Whether a cell only imports or defines."""
    return all(isinstance(one, (ast.Import, ast.ImportFrom, ast.FunctionDef))
               for one in ast.parse(source).body)


def test_cells_are_short_and_have_an_output(book):
    for at, source, cell in _cells(book, "code"):
        lines = [line for line in source.splitlines() if line.strip()]
        assert len(lines) <= 8, f"cell {at}"
        assert cell["outputs"] or _only_names(source), f"cell {at}"


def test_prose_is_plain(book):
    for at, source, _ in _cells(book, "markdown"):
        assert WORDS.findall(source) == [], f"cell {at}"
        assert all(len(re.findall(r"\w+", part)) <= 130 for part in source.split("\n\n")), at


def test_what_follows_a_bet_does_not_tell_before_it_is_run(book):
    cells = _cells(book, "code")
    bets = [place for place, (_, source, _) in enumerate(cells) if source.startswith("bet(")]
    assert bets
    for place in bets:
        at, _, answer = cells[place + 1]
        assert answer["metadata"].get("jupyter", {}).get("outputs_hidden"), f"cell {at}"


def test_a_bet_asks_and_does_not_tell_in_its_plain_form(book):
    for at, source, cell in _cells(book, "code"):
        if source.startswith("bet("):
            data = cell["outputs"][0]["data"]
            assert "<details" in "".join(data["text/html"])
            assert len("".join(data["text/plain"]).splitlines()) <= 5, f"cell {at}"


def test_start_here_can_be_read_in_ten_minutes():
    """What comes before "Deeper", at 130 words a minute and 40 seconds a film."""
    start = ROOT / "notebooks/00_start_here.ipynb"
    texts = _cells(start, "markdown")
    deeper = next(at for at, source, _ in texts if source.startswith("## Deeper"))
    words = sum(len(source.split()) for at, source, _ in texts if at < deeper)
    films = sum("film(" in source or "two_futures(" in source
                for at, source, _ in _cells(start, "code") if at < deeper)
    assert words / 130 + films * 40 / 60 <= 10
