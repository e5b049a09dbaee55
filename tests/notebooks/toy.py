"""A made-up module notebook that has the shape, to break one thing at a time."""

from kafka_internals.course.concepts import required
from kafka_internals.course.modules import MODULES
from kafka_internals.tools.reading import COLLAPSED
from tests.notebooks.shape import neighbours

MODULE = next(one for one in MODULES if one.number == "02")._replace(ready=True, run_s=12)
FILM = "A film, 3 steps: something happened. [film 0123456789ab]"
QUIET = "Run this cell to play 3 steps [film 0123456789ab]"
LINKS = " ".join(f"[{one.title}]({one.notebook}.ipynb)" for one in neighbours(MODULE))
OPENING = f"""# {MODULE.title}

{MODULE.question} It takes 50 minutes.

- see one
- see two
- see three

{LINKS}
[Binder](https://mybinder.org/v2/gh/x/y/HEAD?urlpath=lab/tree/notebooks/{MODULE.notebook}.ipynb)"""
TABLE = """## What this model leaves out

| as in Kafka 4.4 | simplified | left out |
|---|---|---|
| bytes | threads | TLS |

Times come from the cost model."""
REAL = "## On a real cluster\n\n```\nkafka-dump-log --files x\n```\n\nA Kafka 4.4.0 said that."
RECAP = """## Recap

- The [**high watermark**](glossary.md#high-watermark) moves by fetches.
- All [**in-sync replicas**](glossary.md#in-sync-replicas), the
  [**ISR**](glossary.md#in-sync-replicas)."""
SURPRISE = "What surprises many: see `tests/golden/storage/rec-flip-active`."


def prose(source: str, **metadata) -> dict:
    """A cell of text."""
    return {"cell_type": "markdown", "metadata": metadata, "source": source}


def code(source: str, text: str = "", *, picture: bool = False, stream: bool = False,
         **metadata) -> dict:
    """A cell that was executed."""
    data = {"text/plain": text} | ({"image/svg+xml": "<svg/>"} if picture else {})
    output = {"output_type": "stream", "text": text} if stream else {
        "output_type": "execute_result", "data": data}
    return {"cell_type": "code", "metadata": metadata, "source": source, "execution_count": 1,
            "outputs": [output]}


def section(number: int) -> list[dict]:
    """An idea, a bet, a film that answers it, a rule, an assertion."""
    rest = "\n\nThis is a good place to rest." if number == 3 else ""
    change = "\n\n**Change one thing.** Edit a line." if number % 2 else ""
    return [prose(f"## Section {number}\n\nAn idea."), code("bet('q', {})", "Your bet: q"),
            code("cluster.kill(1)\nfilm(cluster)", QUIET, picture=True,
                 jupyter={"outputs_hidden": True}),
            prose(f"**The rule.** It is so.{change}{rest}"), code("assert 1 == 1\n1", "1")]


def toy() -> dict:
    """The whole notebook, as JSON."""
    cells = [prose(OPENING), code("film(cluster)", FILM, picture=True)]
    for number in range(1, 7):
        cells += section(number)
    cells += [
        code("lose()", "1", tags=["failure"]), code("keep()", "1", tags=["prevented"]),
        prose(SURPRISE, tags=["surprise"]),
        prose("## Deeper: more", **{COLLAPSED: True}), code("more()", FILM, picture=True),
        prose("## Sandbox\n\nBreak it."),
        code("sandbox()", "Missions:\n  [ ] One.\n  [ ] Two.\n  [ ] Three.", picture=True),
        prose("## Boss\n\nWrite it."),
        code("def recover(log_bytes, index_bytes):\n    ...\n\ngrade_recovery(recover)",
             "Not attempted yet: recover() gives None."),
        prose(REAL), prose(TABLE), prose(RECAP)]
    cells[1]["metadata"]["covers"] = required(MODULE.number)
    return {"cells": cells, "metadata": {}}


def at(book: dict, beginning: str) -> int:
    """The number of the first cell that begins so."""
    return next(n for n, cell in enumerate(book["cells"]) if cell["source"].startswith(beginning))
