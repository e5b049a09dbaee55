"""The ledger: everything that the course has to show, by id, with its name in our own words.

A cell that covers something carries the ids in its metadata, `"covers": ["M2.07", "M2.W1"]`. What
counts is a code cell that was executed. Concepts (M2.07), worked examples (M2.W1) and the steps of
a lab (H1.01) have to be covered by a finished module; questions (Q), pictures (V) and notes on what
has changed in Kafka (O) count where they are used.

The names are in `concepts.txt`: a line that begins with the first part of an id opens a list, whose
names are numbered in order.
"""

from pathlib import Path
from typing import NamedTuple

_TEXT = Path(__file__).with_name("concepts.txt")
MUST = ("M", "W", "H")


class Concept(NamedTuple):
    """One line of the ledger. `kind`: M concept, H step of a lab, W, V, O or Q."""

    id: str
    module: str
    kind: str
    name: str


def _parsed(text: str) -> dict[str, Concept]:
    found: dict[str, Concept] = {}
    for line in text.replace("\n|", " |").strip().splitlines():
        head, _, names = line.partition(":")
        module, _, kind = head.partition(".")
        for number, name in enumerate(names.split("|"), 1):
            mark = f"{head}.{number:02}" if not kind else f"{head}{number}"
            found[mark] = Concept(mark, module, kind or head[0], " ".join(name.split()))
    return found


CONCEPTS = _parsed(_TEXT.read_text(encoding="utf-8"))


def part_of(number: str) -> str:
    """Which part of the ledger a module has to cover: "02" -> "M2", "Lab A" -> "H1"."""
    if number.startswith("Lab "):
        return f"H{'ABC'.index(number[-1]) + 1}"
    return f"M{int(number)}"


def required(number: str) -> list[str]:
    """What a finished module has to cover, in order."""
    return [one.id for one in CONCEPTS.values()
            if one.module == part_of(number) and one.kind in MUST]


def covered(notebook: dict) -> dict[str, list[int]]:
    """Which executed code cells of a notebook (its JSON) cover what: id -> numbers of cells.

    ValueError for an id that the ledger does not have, and for one that only prose claims.
    """
    found: dict[str, list[int]] = {}
    for at, cell in enumerate(notebook["cells"]):
        ids = cell["metadata"].get("covers", ())
        if unknown := [id for id in ids if id not in CONCEPTS]:
            raise ValueError(f"cell {at} covers {unknown[0]}, which the ledger does not have")
        if ids and cell["cell_type"] != "code":
            raise ValueError(f"cell {at} is prose and cannot cover {ids[0]}: a code cell does")
        for id in ids if cell.get("execution_count") else ():
            found.setdefault(id, []).append(at)
    return found


def missing(notebook: dict, number: str) -> list[str]:
    """What a module has to cover and its notebook does not."""
    there = covered(notebook)
    return [id for id in required(number) if id not in there]


def tally(notebooks: list[dict], number: str) -> tuple[int, int]:
    """(covered anywhere in these notebooks, required) of a module."""
    there = {id for notebook in notebooks for id in covered(notebook)}
    needed = required(number)
    return sum(id in there for id in needed), len(needed)
