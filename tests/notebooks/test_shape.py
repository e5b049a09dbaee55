"""Every module's notebook has the shape, and the checks of it fail where they should."""

import pytest

from kafka_internals.course.modules import MODULES
from kafka_internals.tools.reading import COLLAPSED
from tests.notebooks.shape import neighbours, problems, read
from tests.notebooks.toy import MODULE, QUIET, at, code, prose, section, toy

BEFORE = neighbours(MODULE)[0].notebook
READY = [one for one in MODULES if one.ready and one.number.isdecimal() and one.number != "00"]


def test_the_shape_of_every_module_that_is_ready():
    assert {one.number: problems(*(read(one)[0], one, read(one)[1])) for one in READY} == {
        one.number: [] for one in READY}


def test_a_notebook_that_has_the_shape_has_no_problem():
    assert problems(toy(), MODULE) == []


def _replaced(beginning: str, old: str, new: str):
    def change(book):
        cell = book["cells"][at(book, beginning)]
        assert old in cell["source"]
        cell["source"] = cell["source"].replace(old, new)
    return change


def _without(beginning: str):
    def change(book):
        del book["cells"][at(book, beginning)]
    return change


def _metadata(beginning: str, **metadata):
    def change(book):
        book["cells"][at(book, beginning)]["metadata"] = metadata
    return change


def _text(beginning: str, text: str):
    def change(book):
        book["cells"][at(book, beginning)]["outputs"][0]["data"]["text/plain"] = text
    return change


def _inserted(beginning: str, *cells: dict):
    def change(book):
        place = at(book, beginning)
        book["cells"][place:place] = cells
    return change


def _cut(beginning: str, end: str):
    def change(book):
        del book["cells"][at(book, beginning):at(book, end)]
    return change


def _flattened(book):
    for cell in book["cells"]:
        for output in cell.get("outputs", ()):
            output["data"].pop("image/svg+xml", None)


def _all(old: str, new: str):
    def change(book):
        for cell in book["cells"]:
            cell["source"] = cell["source"].replace(old, new)
    return change


SECOND = "bet('q', {})"
WRONG = {
    "title": (_replaced("# ", "Inside the broker", "Inside"), "it does not begin with the title"),
    "question": (_replaced("# ", MODULE.question, "Why?"), "does not ask the module's question"),
    "able": (_replaced("# ", "- see two\n- see three\n", ""), "lists 1 things to be able to do"),
    "minutes": (_replaced("# ", "50 minutes", "a while"), "how many minutes"),
    "before": (_replaced("# ", f"{BEFORE}.ipynb", "x.ipynb"), f"no link to {BEFORE}"),
    "binder": (_replaced("# ", "mybinder", "binder"), "launches it on Binder"),
    "few sections": (_cut("## Section 5", "lose()"), "it has 4 core sections; 6 to 8 it should"),
    "many sections": (_inserted("lose()", *section(7), *section(8), *section(9)),
                      "it has 9 core sections"),
    "long idea": (_replaced("## Section 2", "An idea.", "word " * 121),
                  "section 'Section 2' has no idea of at most 120 words"),
    "nothing to run": (_cut("## Section 6", "lose()"), "it has 5 core sections"),
    "no rule": (_replaced("**The rule.**", "**The rule.**", "So:"),
                "section 'Section 1' has no rule"),
    "no assertion": (_replaced("assert 1", "assert 1 == 1\n", ""),
                     "section 'Section 1' has no assertion or a printed fact"),
    "no picture": (_flattened, "section 'Section 1' has no something to look at"),
    "nothing to change": (_all("**Change one thing.**", "And so."),
                          "0 of 6 sections let the reader change one thing"),
    "late film": (_inserted("film(cluster)", code("1", "1"), code("2", "2")),
                  "neither of the first two code cells shows a film"),
    "late break": (_all("cluster.kill(1)", "cluster.run(1)"),
                   "nothing is broken within the first ten minutes"),
    "break after much reading": (_inserted("## Section 1", prose("word " * 1_300)),
                                 "nothing is broken within the first ten minutes"),
    "long cell": (_replaced("lose()", "lose()", "lose()\n" * 9), "has more than 8 lines"),
    "no rest": (_all("a good place to rest", "a stop"), "'a good place to rest' 0 times"),
    "early rest": (lambda book: (_all("a good place to rest", "a stop")(book), _replaced(
        "## Section 1", "An idea.", "It is a good place to rest.")(book)), "is not halfway"),
    "few bets": (lambda book: [_without(SECOND)(book) for _ in range(2)], "it has 4 bets"),
    "open answer": (_metadata("cluster.kill(1)"), "what follows the bet in cell 3 is not hidden"),
    "spoiler": (_text("cluster.kill(1)", QUIET.replace("Run this cell to play 3 steps", "It is 1")),
                "the film in cell 4 tells how the bet ends"),
    "open fold": (_metadata("## Deeper"), "the fold 'Deeper: more' is open"),
    "other fold": (_metadata("## Section 2", **{COLLAPSED: True}),
                   "is collapsed and not called Deeper"),
    "no sandbox": (_cut("## Sandbox", "## Boss"), "it has no part 'Sandbox'"),
    "two missions": (_text("sandbox()", "  [ ] One.\n  [ ] Two.\n  [x] Three."),
                     "does not open with three missions"),
    "boss done": (_text("def recover", "All 49 cases are right."), "stored as attempted"),
    "no real cluster": (_replaced("## On a real", "```", "'"), "nothing that a Kafka 4.4.0 said"),
    "no table": (_replaced("## What this", "cost model", "clock"), "is no table"),
    "order": (lambda book: book["cells"].append(book["cells"].pop(at(book, "## Sandbox"))),
              "its last parts are not in order"),
    "eleven rules": (_replaced("## Recap", "- The", "- rule\n" * 10 + "- The"),
                     "the recap has 12 rules; 10 is the most"),
    "bare term": (_replaced("## Recap", "[**high watermark**](glossary.md#high-watermark)",
                            "**high watermark**"), "**high watermark** is no link"),
    "dead link": (_replaced("## Recap", "#high-watermark", "#highwater"),
                  "glossary.md#highwater leads nowhere"),
    "wrong link": (_replaced("## Recap", "#high-watermark", "#offset"),
                   "**high watermark** leads to offset"),
    "no failure": (_metadata("lose()"), "no code cell tagged 'failure'"),
    "not prevented": (_metadata("keep()"), "no code cell tagged 'failure' is followed"),
    "no surprise": (_metadata("What surprises"), "no cell tagged 'surprise'"),
    "no such case": (_replaced("What surprises", "rec-flip-active", "rec-no-such"),
                     "there is no case tests/golden/storage/rec-no-such"),
    "uncovered": (_metadata("film(cluster)", covers=["M2.01"]), "no executed code cell covers "
                  "M2.02, M2.03"),
    "long": (_inserted("## Section 2", prose("word " * 7_500)),
             "minutes; 60 is the most"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_notebook_without_it_is_told(name):
    change, said = WRONG[name]
    book = toy()
    change(book)
    assert any(said in one for one in problems(book, MODULE)), problems(book, MODULE)


def test_the_size_and_the_recorded_run_count():
    assert "the file has 500001 bytes" in problems(toy(), MODULE, 500_001)[0]
    assert "run_s" in problems(toy(), MODULE._replace(run_s=0))[0]
    assert problems(toy(), MODULE._replace(run_s=50 * 60)) == [
        "the core path takes 66 minutes; 60 is the most"]


def test_a_fold_costs_no_time_and_may_be_long():
    book = toy()
    book["cells"].insert(at(book, "more()"), prose("word " * 9_000))
    assert problems(book, MODULE) == []


def test_a_module_links_to_its_nearest_neighbours_that_are_ready():
    made = tuple(one._replace(ready=one.number in ("00", "02", "04", "Lab A")) for one in MODULES)
    assert [one.number for one in neighbours(made[2], made)] == ["00", "04"]
    assert [one.number for one in neighbours(made[4], made)] == ["02"]
