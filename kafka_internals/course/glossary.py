"""The words of the course: each in one or two plain sentences, with Kafka's own name for it.

`notebooks/glossary.md` is made from this list by the `notebooks` verb. The list is `glossary.txt`:
name (other names) | Kafka's own word | module | what it is. A name is lower case with spaces and
hyphens, because the anchor of its heading is then the same in JupyterLab, on an exported page and
on the repository's site: "high watermark" is at `glossary.md#high-watermark`.
"""

import re
from pathlib import Path
from typing import NamedTuple

_TEXT = Path(__file__).with_name("glossary.txt")


class Term(NamedTuple):
    """A word of the course. `kafka`: Kafka's own name, class or config; `module`: where taught."""

    name: str
    others: tuple[str, ...]
    kafka: str
    module: str
    says: str

    @property
    def anchor(self) -> str:
        """What follows `glossary.md#`."""
        return self.name.replace(" ", "-")


def _parsed(text: str) -> tuple[Term, ...]:
    terms = []
    for line in text.replace("\n  ", " ").strip().splitlines():
        names, kafka, module, says = (part.strip() for part in line.split("|"))
        name, others = re.fullmatch(r"([^(]+?)(?: \((.*)\))?", names).groups()
        terms.append(Term(name, tuple((others or "").split(", ")) if others else (), kafka, module,
                          says))
    return tuple(sorted(terms))


TERMS = _parsed(_TEXT.read_text(encoding="utf-8"))


def term(word: str) -> Term:
    """The entry of a word, by its name or another; "replicas" finds "replica". KeyError, named."""
    told = word.strip().lower()
    for one in TERMS:
        if {told, told.removesuffix("s"), told.removesuffix("es")} & {
                name.lower() for name in (one.name, *one.others)}:
            return one
    raise KeyError(f"the glossary has no {word!r}")
