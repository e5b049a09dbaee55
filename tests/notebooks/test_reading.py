"""How long a notebook takes: what counts, what does not, and where a fold ends."""

import pytest

from kafka_internals.tools.reading import minutes, parts, texts, words
from tests.notebooks.toy import FILM, code, prose

HUNDRED_AND_THIRTY = "word " * 130


def _book(*cells: dict) -> dict:
    return {"cells": list(cells)}


@pytest.mark.parametrize("text, count", [
    ("Three plain words.", 3), ("`linger.ms` is one, acks=1 two", 6), ("", 0),
    ("A [link](https://a.test/with/many/words) here", 3), ("<details>two words</details>", 2),
    ("a\n```\nno code at all\n```\nb", 2), ("| a | b |\n|---|---|\n| c | d |", 4),
    ("<!-- nothing -->one", 1)])
def test_words_of_prose_are_counted(text, count):
    assert words(text) == count


def test_a_minute_of_words_forty_seconds_a_film_the_run_and_the_boss():
    book = _book(prose(HUNDRED_AND_THIRTY), code("film()", FILM), code("film()", FILM))
    assert minutes(book, run_s=30) == pytest.approx(1 + 80 / 60 + 0.5 + 10)
    assert minutes(book, run_s=0, boss=False, until=1) == 1


def test_a_fold_ends_at_the_next_heading_of_its_level_or_above():
    book = _book(
        prose("# T"), prose("## One"), prose("### Deeper: a"), code("a", FILM),
        prose("#### Still deeper"), prose("### Not deeper"), prose("## Deeper, b"),
        prose("### Inside"), code("b", FILM), prose("## Two"), prose("Deeper is a word here."))
    assert [part.is_deeper for part in parts(book)] == [
        False, False, True, True, True, False, True, True, True, False, False]
    assert [part.heading for part in parts(book)][4:7] == ["One", "One", "Deeper, b"]
    assert minutes(book, 0, boss=False) == pytest.approx(sum(words(part.source) for part in parts(
        book) if not part.is_deeper) / 130)


def test_code_is_no_heading_and_its_output_is_text():
    book = _book(code("# Deeper", "said", stream=True))
    (part,) = parts(book)
    assert (part.opens, part.is_deeper, texts(part.cell)) == ("", False, "said")
