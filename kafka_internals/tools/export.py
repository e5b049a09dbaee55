"""Each notebook, the glossary, or a broker's log directory, as a self-contained page.

Players in it are live, and it asks nothing of the network.

A notebook is executed with players that give a whole page in a frame instead of a widget
(`KAFKA_INTERNALS_RENDER=embed`), then converted. What a converted page would fetch from elsewhere
is left out, and a page that would still ask for something is refused. A log directory, one that
Kafka or `cluster.export` wrote, is read as a starting broker would, and stays as it is.
"""

import argparse
import os
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from kafka_internals.errors import KafkaException
from kafka_internals.tools import glossary
from kafka_internals.tools.log_directory_page import log_directory_page
from kafka_internals.tools.notebooks import ROOT, NotebookFailed, chosen, executed
from kafka_internals.tools.reading import parts

RENDER = "KAFKA_INTERNALS_RENDER"
ELSEWHERE = re.compile(r"\s*(https?:)?//", re.IGNORECASE)
STYLE_FETCHES = re.compile(r"""(?:url\(|@import)\s*["']?(?:https?:)?//[^\s"')]*""", re.IGNORECASE)
LINK = re.compile(r"(?<=\]\()([\w-]+)(\.ipynb|\.md)")
TEMPLATE = """
{%- extends 'index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block any_cell -%}
{%- if cell.metadata.get('fold_opens') -%}
<details class="fold"><summary>{{ cell.metadata['fold_opens'] | escape }}</summary>
{%- endif -%}
{{ super() }}
{%- if cell.metadata.get('fold_closes') -%}</details>{%- endif -%}
{%- endblock -%}
{%- block output_group -%}
{%- if cell.metadata.get('jupyter', {}).get('outputs_hidden') -%}
<details><summary>What this cell gives</summary>{{ super() }}</details>
{%- else -%}{{ super() }}{%- endif -%}
{%- endblock -%}
"""


class _Fetches(HTMLParser):
    """What a browser would ask of another host for this page, also inside its frames."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "srcdoc":
                self.found += outside(value or "")
            elif (name == "src" or (tag, name) == ("link", "href")) \
                    and ELSEWHERE.match(value or ""):
                self.found.append(f"<{tag} {name}={value}>")


def outside(page: str) -> list[str]:
    """Every request to another host that a page would make by itself; links do not count."""
    parser = _Fetches()
    parser.feed(page)
    parser.close()
    return parser.found + STYLE_FETCHES.findall(page)


def page_of(path: Path, together: frozenset[str] = frozenset()) -> str:
    """The page of one notebook, or of Markdown; links to what goes `together` lead to pages.

    An output that the notebook keeps hidden, because it answers a bet, is a closed fold, and so is
    what stands under a heading "Deeper".
    """
    from jinja2 import DictLoader
    from nbconvert import HTMLExporter

    before = os.environ.get(RENDER)
    os.environ[RENDER] = "embed"
    try:
        notebook = executed(path) if path.suffix == ".ipynb" else _written(path)
    finally:
        os.environ.pop(RENDER) if before is None else os.environ.update({RENDER: before})
    notebook.metadata.pop("widgets", None)
    notebook.metadata["title"] = path.stem.replace("_", " ")
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = LINK.sub(lambda link: link[1] + (
                ".html" if link[1] in together else link[2]), cell.source)
    _fold(notebook)
    exporter = HTMLExporter(template_file="course.html.j2", sanitize_html=False,
                            extra_loaders=[DictLoader({"course.html.j2": TEMPLATE})])
    text, _ = exporter.from_notebook_node(notebook)
    if found := outside(text):
        raise NotebookFailed(f"{path.name}: the page would ask for {found[0][:120]}")
    return text


def _fold(notebook: Any) -> None:
    """Tell the template where a fold named "Deeper" begins and ends."""
    inside = [part for part in parts(notebook) if part.is_deeper]
    for at, part in enumerate(inside):
        if part.opens.startswith("Deeper"):
            part.cell.metadata["fold_opens"] = part.opens
            if at and inside[at - 1].at == part.at - 1:
                inside[at - 1].cell.metadata["fold_closes"] = True
        if at + 1 == len(inside) or inside[at + 1].at != part.at + 1:
            part.cell.metadata["fold_closes"] = True


def _written(path: Path) -> Any:
    """A page of Markdown as a notebook in which nothing is executed."""
    from nbformat import v4

    return v4.new_notebook(cells=[v4.new_markdown_cell(path.read_text(encoding="utf-8"))])


def main(argv: list[str]) -> int:
    """The verb `export`."""
    parser = argparse.ArgumentParser(prog="kafka_internals export", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="*", metavar="NOTEBOOK | DIR",
                        help="notebooks (default: all of the course), or log directories")
    parser.add_argument("--to", type=Path, default=ROOT / "site", help="folder (default: site)")
    parser.add_argument("--partition", help="of a log directory: the one to show, like orders-0")
    parser.add_argument("--offset", type=int, help="of its log: the one to look up")
    asked = parser.parse_args(argv)
    directories = [Path(one) for one in asked.sources if Path(one).is_dir()]
    try:
        for path in directories:
            _write(asked.to, path.resolve().name,
                   log_directory_page(path, asked.partition, asked.offset))
        paths = _pages([one for one in asked.sources if not Path(one).is_dir()], not directories)
        together = frozenset(path.stem for path in paths)
        for path in paths:
            _write(asked.to, path.stem, page_of(path, together))
    except (NotebookFailed, KafkaException, ValueError, OSError) as failed:
        print(failed, file=sys.stderr)
        return 1
    return 0


def _pages(names: list[str], or_all: bool) -> list[Path]:
    """The notebooks that were named; where nothing was, all of the course and its glossary."""
    if names or not or_all:
        return chosen(names) if names else []
    return [*chosen([]), ROOT / glossary.PAGE]


def _write(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"{name}.html"
    page.write_text(text, encoding="utf-8")
    print(f"{page} ({len(text.encode()) // 1000} kB)", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
