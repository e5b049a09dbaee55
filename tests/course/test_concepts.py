"""The ledger: every id has one name, and every finished module shows what it has to."""

import json
from collections import Counter
from pathlib import Path

import pytest

from kafka_internals.course.concepts import CONCEPTS, covered, missing, part_of, required, tally
from kafka_internals.course.modules import MODULES

BOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
COUNTS = {                              # concepts, worked examples, questions
    "M1": (23, 3, 6), "M2": (30, 5, 8), "M3": (28, 8, 10), "M4": (26, 8, 9), "M5": (28, 10, 12),
    "M6": (21, 7, 8), "M7": (24, 9, 9), "M8": (25, 7, 10), "M9": (24, 7, 8), "M10": (20, 7, 7),
    "M11": (20, 7, 7)}


def _book(*cells: tuple) -> dict:
    return {"cells": [{"cell_type": kind, "metadata": {"covers": ids}, "execution_count": ran}
                      for kind, ran, ids in cells]}


def test_it_has_every_concept_example_and_question():
    count = Counter((one.module, one.kind) for one in CONCEPTS.values())
    assert {module: tuple(count[module, kind] for kind in "MWQ") for module in COUNTS} == COUNTS
    assert [count[f"H{lab}", "H"] for lab in (1, 2, 3)] == [4, 4, 4]


def test_names_are_short_and_tell_their_concept_from_the_others():
    for one in CONCEPTS.values():
        assert 0 < len(one.name) <= 50 and one.name == one.name.strip(), one
        assert one.name.endswith("?") == (one.kind == "Q"), one
    for module in {one.module for one in CONCEPTS.values()}:
        names = [one.name for one in CONCEPTS.values() if one.module == module]
        assert len(names) == len(set(names)), module


def test_every_module_but_the_first_has_a_part_of_its_own():
    parts = [part_of(one.number) for one in MODULES]
    assert len(set(parts)) == len(parts)
    assert {one.module for one in CONCEPTS.values()} == set(parts) - {"M0"}
    assert required("00") == [] and required("Lab C") == [f"H3.{n:02}" for n in range(1, 5)]
    assert required("02")[0] == "M2.01" and required("02")[-1] == "M2.W5"


def test_an_executed_code_cell_covers_and_nothing_else_does():
    book = _book(("code", 3, ["M2.07", "M2.W1"]), ("code", 4, ["M2.07", "M2.Q1"]),
                 ("code", None, ["M2.08"]), ("markdown", None, []))
    assert covered(book) == {"M2.07": [0, 1], "M2.W1": [0], "M2.Q1": [1]}
    assert len(missing(book, "02")) == 33 and "M2.08" in missing(book, "02")
    assert tally([book, book], "02") == (2, 35)


@pytest.mark.parametrize("cell, said", [
    (("code", 1, ["M2.99"]), "cell 0 covers M2.99, which the ledger does not have"),
    (("code", 1, ["m2.01"]), "m2.01, which the ledger does not have"),
    (("markdown", None, ["M2.01"]), "cell 0 is prose and cannot cover M2.01: a code cell does")])
def test_an_id_that_nobody_knows_and_prose_that_claims_one_are_told(cell, said):
    with pytest.raises(ValueError, match=said):
        covered(_book(cell))


def test_the_notebooks_name_ids_that_there_are():
    for path in BOOKS:
        covered(json.loads(path.read_text(encoding="utf-8")))


def test_a_finished_module_covers_all_of_its_part():
    for module in (one for one in MODULES if one.ready):
        path = next(path for path in BOOKS if path.stem == module.notebook)
        assert missing(json.loads(path.read_text(encoding="utf-8")), module.number) == []
