"""The glossary: plain short entries, anchors that are the same everywhere, a page that is made."""

import re
from pathlib import Path

import pytest

from kafka_internals.course.glossary import TERMS, term
from kafka_internals.course.modules import MODULES
from kafka_internals.tools import glossary
from tests.notebooks.shape import bold_terms

ROOT = Path(__file__).parents[2]


def _slug(heading: str) -> str:
    """The anchor that the repository's site gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_a_name_has_the_same_anchor_in_jupyterlab_in_a_page_and_on_the_site():
    for one in TERMS:
        assert one.anchor == one.name.replace(" ", "-") == _slug(one.name)
        assert re.fullmatch(r"[a-z][a-z0-9 -]*", one.name), one.name


def test_entries_are_short_and_no_word_has_two():
    names = [name.lower() for one in TERMS for name in (one.name, *one.others)]
    assert len(names) == len(set(names)) and len(TERMS) >= 60
    for one in TERMS:
        assert one.says.endswith(".") and len(one.says.split()) <= 40, one
        assert one.kafka and one.module in {each.number for each in MODULES}, one
        assert not re.search(r"\b(simply|obviously|just|trivially)\b", one.says), one


def test_a_word_is_found_by_its_name_by_another_and_in_the_plural():
    assert term("ISR").anchor == term("in-sync replicas").anchor == "in-sync-replicas"
    assert term("High watermark") is term("HW") and term("batches") is term("record batch")
    with pytest.raises(KeyError, match="the glossary has no 'zookeeper'"):
        term("zookeeper")


def test_the_page_is_the_one_that_is_made():
    made = glossary.text(ROOT)
    assert (ROOT / glossary.PAGE).read_text(encoding="utf-8") == made
    assert re.findall(r"^### (.*)$", made, re.MULTILINE) == [one.name for one in TERMS]


def test_its_own_links_lead_somewhere():
    text = glossary.text(ROOT)
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= {one.anchor for one in TERMS}
    for book in set(re.findall(r"\]\(([\w-]+\.ipynb)\)", text)):
        assert (ROOT / "notebooks" / book).exists()


@pytest.mark.parametrize("recap, said", [
    ("[**high watermark**](glossary.md#high-watermark)", []),
    ("[**ISR**](glossary.md#in-sync-replicas), [**offsets**](glossary.md#offset)", []),
    ("**high watermark**", ["**high watermark** is no link into the glossary"]),
    ("[**offset**](glossary.md#offset) and **ISR**", ["**ISR** is no link into the glossary"]),
    ("[**offset**](glossary.md#ofset)", ["glossary.md#ofset leads nowhere"]),
    ("[**zookeeper**](glossary.md#offset)", ["**zookeeper** leads to offset"])])
def test_a_bold_term_of_a_recap_leads_to_its_own_entry(recap, said):
    assert bold_terms(recap) == said
