"""Each notebook as one self-contained page: live players, no network, nothing to install.

The notebook is executed with players that give a whole page in a frame instead of a widget
(`KAFKA_INTERNALS_RENDER=embed`), then converted. What a converted page would fetch from elsewhere
is left out, and a page that would still ask for something is refused.
"""

import argparse
import os
import re
import sys
from pathlib import Path

from kafka_internals.tools.notebooks import ROOT, NotebookFailed, course, executed

RENDER = "KAFKA_INTERNALS_RENDER"
OUTSIDE = re.compile(r"""<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)\s*=\s*["']?https?:""",
                     re.IGNORECASE)
MODULE_IMPORT = re.compile(r"""<script type="module">(?:(?!</script>).)*https?://.*?</script>""",
                           re.DOTALL)


def page_of(path: Path) -> str:
    """The page of one notebook."""
    from nbconvert import HTMLExporter

    os.environ[RENDER] = "embed"
    try:
        notebook = executed(path)
    finally:
        del os.environ[RENDER]
    notebook.metadata.pop("widgets", None)
    notebook.metadata["title"] = path.stem.replace("_", " ")
    exporter = HTMLExporter(require_js_url="", mathjax_url="", mermaid_js_url="",
                            sanitize_html=False)
    text, _ = exporter.from_notebook_node(notebook)
    text = MODULE_IMPORT.sub("", text)
    if found := OUTSIDE.search(text):
        raise NotebookFailed(f"{path.name}: the page would ask for {found[0][:120]}")
    return text


def main(argv: list[str]) -> int:
    """The verb `export`."""
    parser = argparse.ArgumentParser(prog="kafka_internals export", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of the course")
    parser.add_argument("--to", type=Path, default=ROOT / "site", help="folder (default: site)")
    asked = parser.parse_args(argv)
    for path in asked.notebooks or course():
        try:
            text = page_of(path)
        except NotebookFailed as failed:
            print(failed, file=sys.stderr)
            return 1
        asked.to.mkdir(parents=True, exist_ok=True)
        page = asked.to / f"{path.stem}.html"
        page.write_text(text, encoding="utf-8")
        print(f"{page} ({len(text.encode()) // 1000} kB)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
