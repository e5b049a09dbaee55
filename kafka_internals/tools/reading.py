"""How long a notebook takes to work through: what is read, run, watched and solved.

The core path is what does not stand under a heading that begins with "Deeper". Such a heading opens
a fold, up to the next heading of its level or above.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

WORDS_A_MINUTE, FILM_S, BOSS_MINUTES = 130, 40, 10
CORE_MINUTES = 60
COLLAPSED = "jp-MarkdownHeadingCollapsed"
HEADING = re.compile(r"(#{1,6})\s+(.+)")
FILM = re.compile(r"\[film [0-9a-f]{12}\]")
NO_PROSE = re.compile(r"```.*?```|<!--.*?-->|<[^>]*>|(?<=\])\([^)]*\)|^\s*\|?[-|: ]+$",
                      re.DOTALL | re.MULTILINE)


class Part(NamedTuple):
    """A cell where it stands: its number, the headings it is under, and whether in a fold.

    `heading` is the one of level 2; `opens` is the heading that this cell begins with, or "".
    """

    at: int
    cell: dict
    heading: str
    opens: str
    is_deeper: bool

    @property
    def source(self) -> str:
        """Its text."""
        return "".join(self.cell["source"])


def parts(notebook: dict) -> Iterator[Part]:
    """The cells of a notebook (its JSON), each where it stands."""
    heading, fold = "", 0
    for at, cell in enumerate(notebook["cells"]):
        opens = ""
        if cell["cell_type"] == "markdown" and (
                found := HEADING.match("".join(cell["source"]).lstrip())):
            level, opens = len(found[1]), found[2].strip()
            if fold and level <= fold:
                fold = 0
            if opens.startswith("Deeper") and not fold:
                fold = level
            if level <= 2:
                heading = opens
        yield Part(at, cell, heading, opens, bool(fold))


def words(text: str) -> int:
    """How many words of prose: no code, no tags, no addresses of links."""
    return len(re.findall(r"[^\W_][\w'’.-]*", NO_PROSE.sub(" ", text)))


def texts(cell: dict) -> str:
    """What a cell's stored outputs say in plain text."""
    return "\n".join("".join(output.get("text", "")) or "".join(
        output.get("data", {}).get("text/plain", "")) for output in cell.get("outputs", ()))


def minutes(notebook: dict, run_s: float, until: int | None = None, boss: bool = True) -> float:
    """How long the core path takes, up to the cell `until`: words, films, the run and the boss.

    `run_s` is what executing the notebook took, once, on a usual machine.
    """
    core = [part for part in parts(notebook) if not part.is_deeper
            and (until is None or part.at < until)]
    prose = sum(words(part.source) for part in core if part.cell["cell_type"] == "markdown")
    films = sum(len(FILM.findall(texts(part.cell))) for part in core)
    return (prose / WORDS_A_MINUTE + films * FILM_S / 60 + run_s / 60
            + (BOSS_MINUTES if boss else 0))
