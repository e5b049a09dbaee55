"""`notebooks/glossary.md`, made from `course/glossary.txt`: a heading for each term.

A page of Markdown and no notebook: JupyterLab shows it rendered, at once and without a kernel, and
a link to one of its headings leads there also when it opens the page, which it does not in a
notebook. An anchor has to be the same in JupyterLab (the heading's text, hyphens for spaces), in an
exported page (likewise) and on the repository's site (lower case; only letters, digits, hyphens).
"""

from itertools import groupby
from pathlib import Path
from typing import Any

PAGE = Path("notebooks/glossary.md")


def text(root: Path) -> str:
    """The page."""
    from kafka_internals.course.glossary import TERMS

    letters = [(letter, list(terms)) for letter, terms in groupby(TERMS, lambda one: one.name[0])]
    places = " · ".join(f"[{letter}](#{terms[0].anchor})" for letter, terms in letters)
    head = (f"# Glossary\n\nThe words of the course, and Kafka's own for each.\n\n{places}\n\n"
            f"<!-- made from kafka_internals/course/glossary.txt by the verb `notebooks` -->")
    return "\n\n".join([head, *(_entry(root, one) for one in TERMS)]) + "\n"


def _entry(root: Path, one: Any) -> str:
    from kafka_internals.course.modules import MODULES

    module = next(each for each in MODULES if each.number == one.module)
    there = (root / "notebooks" / f"{module.notebook}.ipynb").exists()
    place = f"[{module.title}]({module.notebook}.ipynb)" if there else module.title
    kafka = one.kafka if "`" in one.kafka else f"`{one.kafka}`"
    also = f" Also: {', '.join(one.others)}." if one.others else ""
    return f"### {one.name}\n\n{one.says}{also}\n\nIn Kafka: {kafka}. Taught in: {place}."
