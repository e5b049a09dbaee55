"""Execute the notebooks and write them in their one normal form: two runs give the same bytes.

Kept are text, tables, SVG and each player's sentence with its digest. Widget views and state,
timestamps, random ids and whatever else differs from run to run are not; a PNG is refused, because
nothing compares it. `--check` executes, too, and proves that the files are already in that form.
The glossary and the parts of the README that are made (its map and its moving picture) go with
them.
"""

import argparse
import os
import re
import sys
import time
from itertools import groupby
from pathlib import Path
from typing import Any

from kafka_internals.tools import readme

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = re.compile(r"(?<= at )0x[0-9a-f]{8,16}(?=>)")
PIXELS = re.compile(r"image/(?!svg\+xml)")
KEPT = ("tags", "jupyter", "covers", "jp-MarkdownHeadingCollapsed")
VIEW = "application/vnd.jupyter.widget-view+json"
METADATA = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python",
                           "name": "python3"}, "language_info": {"name": "python"}}


class NotebookFailed(Exception):
    """A notebook that cannot be executed or written, in one sentence."""


def course() -> list[Path]:
    """Every notebook of the course, in order."""
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


def executed(path: Path) -> Any:
    """Execute a notebook in its own folder; NotebookFailed names the cell and its error."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    if not path.is_file():
        raise NotebookFailed(f"there is no notebook {path}; there is "
                             f"{', '.join(one.stem for one in course())}")
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", record_timing=False,
                            store_widget_state=False,
                            resources={"metadata": {"path": str(path.parent)}})
    try:
        client.execute()
    except CellExecutionError as error:
        at = max(i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code" and any(
            output.output_type == "error" for output in cell.outputs))
        raise NotebookFailed(f"{path.name}, cell {at}: {error.ename}: {error.evalue}") from error
    except (CellTimeoutError, DeadKernelError) as error:
        said = str(error).strip().splitlines()[0]
        raise NotebookFailed(f"{path.name}: {type(error).__name__}: {said}") from error
    return notebook


def normal(notebook: Any, name: str) -> str:
    """The text of a notebook in its normal form."""
    import nbformat

    notebook.metadata = nbformat.from_dict(METADATA)
    for at, cell in enumerate(notebook.cells):
        cell.metadata = nbformat.from_dict({k: v for k, v in cell.metadata.items() if k in KEPT})
        if cell.cell_type == "code":
            cell.outputs = _outputs(cell.outputs, f"{name}, cell {at}")
    return nbformat.writes(notebook) + "\n"


def _outputs(outputs: list, where: str) -> list:
    import nbformat

    kept: list = []
    for output in _merged(outputs):
        output = nbformat.from_dict(_without_addresses(dict(output)))
        if "data" in output:
            output.data.pop(VIEW, None)
            if pixels := [kind for kind in output.data if PIXELS.match(kind)]:
                raise NotebookFailed(f"{where} shows a {pixels[0][6:].upper()}, which no "
                                     f"comparison looks at: show SVG")
            output.metadata = nbformat.from_dict({})
        if output.output_type == "error":       # the frames name files of this machine
            output.traceback = [f"{output.ename}: {output.evalue}"]
        kept.append(output)
    return kept


def _merged(outputs: list) -> list:
    """Neighbouring streams as one of each name, stdout first: how they interleave is chance."""
    from nbformat.v4 import new_output

    merged: list = []
    for streams, run in groupby(outputs, lambda one: one.output_type == "stream"):
        together = list(run)
        texts = {name: "".join(one.text for one in together if one.name == name)
                 for name in ("stdout", "stderr")} if streams else {}
        merged += [new_output("stream", name=name, text=text)
                   for name, text in texts.items() if text] if streams else together
    return merged


def _without_addresses(value: Any) -> Any:
    if isinstance(value, str):
        return ADDRESS.sub("0x0", value)
    if isinstance(value, list):
        return [_without_addresses(one) for one in value]
    if isinstance(value, dict):
        return {key: _without_addresses(one) for key, one in value.items()}
    return value


def chosen(names: list[str]) -> list[Path]:
    """The notebooks that were named, by path or by name ("00_start_here"); without any, all."""
    known = {path.stem: path for path in course()}
    return [known.get(name, Path(name)) for name in names] or list(known.values())


def _replace(path: Path, text: str) -> None:
    """All of it or nothing: an interrupted write leaves the old file."""
    whole = path.with_suffix(".ipynb.new")
    whole.write_text(text, encoding="utf-8", newline="\n")
    os.replace(whole, path)


def main(argv: list[str]) -> int:
    """The verb `notebooks`."""
    parser = argparse.ArgumentParser(prog="kafka_internals notebooks", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", help="default: all of the course")
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    asked = parser.parse_args(argv)
    wrong = []
    for path in chosen(asked.notebooks):
        began = time.monotonic()
        try:
            text = normal(executed(path), path.name)
        except NotebookFailed as failed:
            print(failed, file=sys.stderr)
            return 1
        if path.read_text(encoding="utf-8") != text:
            wrong.append(path)
            if not asked.check:
                _replace(path, text)
        print(f"{path.name}: {'differs' if path in wrong else 'as it was'} "
              f"({time.monotonic() - began:.0f} s)", flush=True)
    if not asked.notebooks:
        wrong += readme.stale(ROOT) if asked.check else []
        if not asked.check:
            readme.write(ROOT)
    for path in wrong if asked.check else ():
        print(f"not in normal form: {path}", file=sys.stderr)
    return int(bool(wrong) and asked.check)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
