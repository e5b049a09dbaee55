"""What is made: the README's map of the course and its moving picture, and the glossary.

`notebooks` writes them with the notebooks, and `notebooks --check` proves that they are current.
"""

import json
from pathlib import Path

from kafka_internals.tools import glossary

BEGIN, END = "<!-- map:begin -->\n", "<!-- map:end -->"
PICTURE = Path(".github/first-record.svg")


def map_rows(root: Path) -> str:
    """The table: a row for each module, a link where its notebook is there."""
    from kafka_internals.course.concepts import tally
    from kafka_internals.course.modules import MODULES

    rows = ["| | notebook | the question it answers | shown so far | |\n",
            "|---|---|---|---|---|\n"]
    books = [json.loads(path.read_text(encoding="utf-8"))
             for path in sorted((root / "notebooks").glob("*.ipynb"))]
    for module in MODULES:
        file = Path("notebooks") / f"{module.notebook}.ipynb"
        there = (root / file).exists()
        name = f"[{module.title}]({file.as_posix()})" if there else module.title
        shown, all_ = tally(books, module.number)
        rows.append(f"| {module.number} | {name} | {module.question} | "
                    f"{f'{shown} of {all_} ideas' if all_ else ''} | "
                    f"{'ready' if there else 'to come'} |\n")
    return "".join(rows)


def picture() -> str:
    """One acks=all produce on three brokers, as an SVG that moves by itself."""
    from kafka_internals.course import canonical
    from kafka_internals.viz.replica_view import replica_view
    from kafka_internals.viz.svg_film import animated

    cluster = canonical.healthy()
    receipt = cluster.producer(acks="all", linger_ms=0).send("orders", "paid", key="ada",
                                                             partition=0)
    cluster.run_until(receipt.done)
    return animated(replica_view.data(cluster, "orders-0",
                                      title="One record, three brokers, acks=all"))


def made(root: Path) -> dict[Path, str]:
    """Every file that is made here, with the text that it should have."""
    readme = root / "README.md"
    head, rest = readme.read_text(encoding="utf-8").split(BEGIN)
    tail = rest.split(END)[1]
    return {readme: f"{head}{BEGIN}{map_rows(root)}{END}{tail}", root / PICTURE: picture(),
            root / glossary.PAGE: glossary.text(root)}


def write(root: Path) -> None:
    """Bring all of them up to date."""
    for file, text in made(root).items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")


def stale(root: Path) -> list[Path]:
    """Those that are not what they should be."""
    return [file for file, text in made(root).items()
            if not file.exists() or file.read_text(encoding="utf-8") != text]
