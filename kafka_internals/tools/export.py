"""Each notebook, or a broker's log directory, as one self-contained page: live players, no network.

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

from kafka_internals.errors import KafkaException
from kafka_internals.tools.log_directory_page import log_directory_page
from kafka_internals.tools.notebooks import ROOT, NotebookFailed, chosen, executed

RENDER = "KAFKA_INTERNALS_RENDER"
ELSEWHERE = re.compile(r"\s*(https?:)?//", re.IGNORECASE)
STYLE_FETCHES = re.compile(r"""(?:url\(|@import)\s*["']?(?:https?:)?//[^\s"')]*""", re.IGNORECASE)
LINK = re.compile(r"(?<=\]\()([\w-]+)\.ipynb")
TEMPLATE = """
{%- extends 'index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
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
    """The page of one notebook; links to the notebooks `together` with it lead to their pages.

    An output that the notebook keeps hidden, because it answers a bet, is a closed fold.
    """
    from jinja2 import DictLoader
    from nbconvert import HTMLExporter

    before = os.environ.get(RENDER)
    os.environ[RENDER] = "embed"
    try:
        notebook = executed(path)
    finally:
        os.environ.pop(RENDER) if before is None else os.environ.update({RENDER: before})
    notebook.metadata.pop("widgets", None)
    notebook.metadata["title"] = path.stem.replace("_", " ")
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = LINK.sub(lambda link: link[1] + (
                ".html" if link[1] in together else ".ipynb"), cell.source)
    exporter = HTMLExporter(template_file="course.html.j2", sanitize_html=False,
                            extra_loaders=[DictLoader({"course.html.j2": TEMPLATE})])
    text, _ = exporter.from_notebook_node(notebook)
    if found := outside(text):
        raise NotebookFailed(f"{path.name}: the page would ask for {found[0][:120]}")
    return text


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
        notebooks = [one for one in asked.sources if not Path(one).is_dir()]
        paths = [] if directories and not notebooks else chosen(notebooks)
        together = frozenset(path.stem for path in paths)
        for path in paths:
            _write(asked.to, path.stem, page_of(path, together))
    except (NotebookFailed, KafkaException, ValueError, OSError) as failed:
        print(failed, file=sys.stderr)
        return 1
    return 0


def _write(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"{name}.html"
    page.write_text(text, encoding="utf-8")
    print(f"{page} ({len(text.encode()) // 1000} kB)", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
