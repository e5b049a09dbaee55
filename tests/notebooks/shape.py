"""The shape of a module's notebook, as a list of what is wrong with it.

What prose promises a test cannot see; it sees that the parts are there, in their order and size.
Conventions that the notebooks keep so that this can be checked:

- a core section is a heading of level 2; the parts named in `ENDS` come after the sections;
- the rule of a section begins with "**The rule.**";
- the halfway mark says "a good place to rest";
- tags on code cells: "failure" where something is really lost, doubled, reordered or stalled,
  "prevented" where it is not any more, "surprise" on prose that names a case of tests/golden;
- a fold named "Deeper" is collapsed.
"""

import json
import re
from pathlib import Path

from kafka_internals.course.concepts import missing
from kafka_internals.course.glossary import TERMS, term
from kafka_internals.course.modules import MODULES, Module
from kafka_internals.tools.reading import (
    COLLAPSED,
    CORE_MINUTES,
    FILM,
    Part,
    minutes,
    parts,
    texts,
    words,
)

ROOT = Path(__file__).parents[2]
SANDBOX, BOSS, REAL, LEFT_OUT, RECAP = ENDS = (
    "Sandbox", "Boss", "On a real cluster", "What this model leaves out", "Recap")
REST = "a good place to rest"
BREAKS = re.compile(r"\.(kill|stop|power_loss|lose_disk|full_disk|pause|slow|cut|partition|lossy|"
                    r"drop|delay)\(|slow_follower\(|lost_leader\(|changed\(|poison = ")
BINDER = "https://mybinder.org/v2/gh/"
TERM = re.compile(r"(\[)?\*\*([^*]+)\*\*(\]\(glossary\.md#([^)]+)\))?")
LEAST, MOST = 6, 8


def problems(notebook: dict, module: Module, size: int = 0) -> list[str]:
    """Everything in which a module's notebook differs from the shape; empty where it has it."""
    all_ = list(parts(notebook))
    found = []
    for check in (_opening, _sections, _motion, _rest, _bets, _folds, _ends, _told):
        found += check(all_, module)
    if size > 500_000:
        found.append(f"the file has {size} bytes; 500,000 is the most")
    if (took := minutes(notebook, module.run_s)) > CORE_MINUTES:
        found.append(f"the core path takes {took:.0f} minutes; {CORE_MINUTES} is the most")
    if not module.run_s:
        found.append("course/modules.py does not say how long it runs (run_s)")
    if lacking := missing(notebook, module.number):
        found.append(f"no executed code cell covers {', '.join(lacking)}")
    return found


def read(module: Module) -> tuple[dict, int]:
    """A module's notebook and the size of its file."""
    path = ROOT / "notebooks" / f"{module.notebook}.ipynb"
    return json.loads(path.read_text(encoding="utf-8")), path.stat().st_size


def neighbours(module: Module, modules: tuple[Module, ...] = MODULES) -> list[Module]:
    """The nearest notebooks before and after a module that are ready."""
    at = [one.number for one in modules].index(module.number)
    before = [one for one in modules[:at] if one.ready][-1:]
    after = [one for one in modules[at + 1:] if one.ready and one.number.isdecimal()][:1]
    return before + after


def _code(all_: list[Part], under: str | None = None) -> list[Part]:
    return [part for part in all_ if part.cell["cell_type"] == "code"
            and (under is None or part.heading == under)]


def _prose(all_: list[Part], under: str) -> str:
    return "\n".join(part.source for part in all_
                     if part.cell["cell_type"] == "markdown" and part.heading == under)


def _end(all_: list[Part], name: str) -> str | None:
    """The heading of one of the parts at the end."""
    return next((part.opens for part in all_ if part.opens.startswith(name)), None)


def _opening(all_: list[Part], module: Module) -> list[str]:
    first = all_[0].source if all_ else ""
    found = []
    if not first.startswith(f"# {module.title}\n"):
        found.append(f"it does not begin with the title {module.title!r}")
    if module.question not in first:
        found.append("the first cell does not ask the module's question")
    able = re.findall(r"^- ", first, re.MULTILINE)
    if not 3 <= len(able) <= 6:
        found.append(f"the first cell lists {len(able)} things to be able to do; 3 to 6 it should")
    if not re.search(r"\b\d+ minutes\b", first):
        found.append("the first cell does not say how many minutes it takes")
    for one in neighbours(module):
        if f"]({one.notebook}.ipynb)" not in first:
            found.append(f"the first cell has no link to {one.notebook}")
    if BINDER not in first or f"{module.notebook}.ipynb" not in first.partition(BINDER)[2]:
        found.append("the first cell has no link that launches it on Binder")
    return found


def _core(all_: list[Part]) -> list[str]:
    """The headings of the core sections."""
    return [part.opens for part in all_ if part.opens and part.heading == part.opens and part.at
            and not part.is_deeper and not part.opens.startswith(ENDS)]


def _sections(all_: list[Part], module: Module) -> list[str]:
    core = _core(all_)
    found = [] if LEAST <= len(core) <= MOST else [
        f"it has {len(core)} core sections; {LEAST} to {MOST} it should"]
    changes = 0
    for heading in core:
        inside = [part for part in all_ if part.heading == heading and not part.is_deeper]
        code = _code(inside)
        idea = next(part.source for part in inside if part.opens == heading)
        prose = _prose(inside, heading)
        changes += "**Change one thing.**" in prose
        lacks = [what for what, there in (
            ("an idea of at most 120 words", words(idea) <= 120),
            ("a cell to run", bool(code)),
            ("something to look at", any("image/svg+xml" in output.get("data", {}) for part in code
                                         for output in part.cell["outputs"])),
            ("a rule (\"**The rule.**\")", "**The rule.**" in prose),
            ("an assertion or a printed fact", any(_is_asserted(part) for part in code)))
            if not there]
        found += [f"section {heading!r} has no {what.removeprefix('an ').removeprefix('a ')}"
                  for what in lacks]
    if changes * 3 < len(core):
        found.append(f"{changes} of {len(core)} sections let the reader change one thing; about "
                     f"half should")
    return found


def _is_asserted(part: Part) -> bool:
    return bool(re.search(r"^assert ", part.source, re.MULTILINE)) or any(
        output["output_type"] == "stream" for output in part.cell["outputs"])


def _motion(all_: list[Part], module: Module) -> list[str]:
    code, found = _code(all_), []
    if not any(FILM.search(texts(part.cell)) for part in code[:2]):
        found.append("neither of the first two code cells shows a film")
    broken = next((part.at for part in code if BREAKS.search(part.source)), None)
    book = {"cells": [part.cell for part in all_]}
    if broken is None or minutes(book, 0, until=broken, boss=False) > 10:
        found.append("nothing is broken within the first ten minutes")
    return found + [f"cell {part.at} has more than 8 lines" for part in code
                    if len([line for line in part.source.splitlines() if line.strip()]) > 8]


def _rest(all_: list[Part], module: Module) -> list[str]:
    marks = [part for part in all_ if REST in part.source.lower()]
    core = _core(all_)
    if len(marks) != 1:
        return [f"it says {REST!r} {len(marks)} times; once it should"]
    if (heading := marks[0].heading) not in core:
        return [f"{REST!r} does not stand in a core section"]
    share = (core.index(heading) + 1) / len(core)
    return [] if 0.3 <= share <= 0.7 else [f"{REST!r} is not halfway"]


def _bets(all_: list[Part], module: Module) -> list[str]:
    code, found = _code(all_), []
    bets = [place for place, part in enumerate(code) if part.source.startswith("bet(")]
    if not 5 <= len(bets) <= 8:
        found.append(f"it has {len(bets)} bets; 5 to 8 it should")
    for place in bets:
        answer = code[place + 1] if place + 1 < len(code) else None
        if answer is None or not answer.cell["metadata"].get("jupyter", {}).get("outputs_hidden"):
            found.append(f"what follows the bet in cell {code[place].at} is not hidden")
        elif FILM.search(told := texts(answer.cell)) and "Run this cell to play" not in told:
            found.append(f"the film in cell {answer.at} tells how the bet ends (spoiler=True)")
    return found


def _folds(all_: list[Part], module: Module) -> list[str]:
    deeper = [part for part in all_ if part.opens.startswith("Deeper")]
    return [f"the fold {part.opens!r} is open" for part in deeper
            if not part.cell["metadata"].get(COLLAPSED)] + [
        f"cell {part.at} is collapsed and not called Deeper" for part in all_
        if part.cell["metadata"].get(COLLAPSED) and not part.opens.startswith("Deeper")]


def _ends(all_: list[Part], module: Module) -> list[str]:
    order = [_end(all_, name) for name in ENDS]
    found = [f"it has no part {name!r}" for name, heading in zip(ENDS, order) if heading is None]
    if found:
        return found
    places = [next(part.at for part in all_ if part.opens == heading) for heading in order]
    if places != sorted(places):
        found.append(f"its last parts are not in order: {', '.join(ENDS)}")
    sandbox, boss, real, left_out, recap = order
    told = "\n".join(texts(part.cell) for part in _code(all_, sandbox))
    if len(re.findall(r"^  \[ \] ", told, re.MULTILINE)) != 3:
        found.append("the sandbox does not open with three missions, all open")
    graded = "\n".join(texts(part.cell) for part in _code(all_, boss))
    if "Not attempted yet" not in graded:
        found.append("the boss is not graded, or is stored as attempted")
    shown = _prose(all_, real)
    if "```" not in shown or "4.4.0" not in shown:
        found.append("'On a real cluster' shows nothing that a Kafka 4.4.0 said")
    table = _prose(all_, left_out)
    if any(word not in table for word in ("as in Kafka", "simplified", "left out", "4.4",
                                          "cost model", "|")):
        found.append("'What this model leaves out' is no table of what is as in Kafka 4.4, "
                     "simplified, left out, with the cost model")
    return found + _recap(_prose(all_, recap))


def _recap(text: str) -> list[str]:
    rules = re.findall(r"^(?:- |\d+\. )", text, re.MULTILINE)
    found = [] if 1 <= len(rules) <= 10 else [f"the recap has {len(rules)} rules; 10 is the most"]
    if not TERM.search(text):
        found.append("the recap has no bold term")
    return found + bold_terms(text)


def bold_terms(text: str) -> list[str]:
    """What is wrong with the bold terms of a recap: each is a link to its own entry."""
    found = []
    for opened, word, link, anchor in TERM.findall(text):
        if not (opened and link):
            found.append(f"**{word}** is no link into the glossary")
        elif anchor not in {one.anchor for one in TERMS}:
            found.append(f"glossary.md#{anchor} leads nowhere")
        elif anchor != _anchor(word):
            found.append(f"**{word}** leads to {anchor}")
    return found


def _anchor(word: str) -> str:
    try:
        return term(word).anchor
    except KeyError:
        return ""


def _told(all_: list[Part], module: Module) -> list[str]:
    """A failure and how it is prevented, and a surprise with the case that proves it."""
    tagged = {tag: [part for part in all_ if tag in part.cell["metadata"].get("tags", ())]
              for tag in ("failure", "prevented", "surprise")}
    found = []
    lost, kept = ([part for part in tagged[tag] if part.cell["cell_type"] == "code"]
                  for tag in ("failure", "prevented"))
    if not lost or not kept or lost[0].at >= kept[-1].at:
        found.append("no code cell tagged 'failure' is followed by one tagged 'prevented'")
    cases = [case for part in tagged["surprise"]
             for case in re.findall(r"tests/golden/([\w/-]+)", part.source)]
    if not cases:
        found.append("no cell tagged 'surprise' names the case in tests/golden that proves it")
    return found + [f"there is no case tests/golden/{case}" for case in cases
                    if not (ROOT / "tests/golden" / case).exists()]
