"""Execute the notebooks and write them in their one normal form: two runs give the same bytes.

Kept are text, tables, SVG and each player's sentence with its digest. Widget views and state,
timestamps, random ids and whatever else differs from run to run are not; a PNG is refused, because
nothing compares it. `--check` executes, too, and proves that the files are already in that form.
The parts of the README that are made (its map and its moving picture) go with them.
"""

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from kafka_internals.tools import readme

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = re.compile(r"(?<= at )0x[0-9a-f]{8,16}(?=>)")
KEPT = ("tags", "jupyter", "covers")
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
    from nbclient.exceptions import CellExecutionError

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", record_timing=False,
                            store_widget_state=False,
                            resources={"metadata": {"path": str(path.parent)}})
    try:
        client.execute()
    except CellExecutionError as error:
        at = next(i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code" and any(
            output.output_type == "error" for output in cell.outputs))
        raise NotebookFailed(f"{path.name}, cell {at}: {error.ename}: {error.evalue}") from error
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
    for output in outputs:
        output = nbformat.from_dict(_without_addresses(dict(output)))
        if "data" in output:
            output.data.pop(VIEW, None)
            if "image/png" in output.data:
                raise NotebookFailed(f"{where} shows a PNG, which no comparison looks at: show SVG")
            output.metadata = nbformat.from_dict({})
        if kept and output.output_type == kept[-1].output_type == "stream" \
                and output.name == kept[-1].name:
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept


def _without_addresses(value: Any) -> Any:
    if isinstance(value, str):
        return ADDRESS.sub("0x0", value)
    if isinstance(value, list):
        return [_without_addresses(one) for one in value]
    if isinstance(value, dict):
        return {key: _without_addresses(one) for key, one in value.items()}
    return value


def main(argv: list[str]) -> int:
    """The verb `notebooks`."""
    parser = argparse.ArgumentParser(prog="kafka_internals notebooks", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of the course")
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    asked = parser.parse_args(argv)
    wrong = []
    for path in asked.notebooks or course():
        try:
            text = normal(executed(path), path.name)
        except NotebookFailed as failed:
            print(failed, file=sys.stderr)
            return 1
        if path.read_text(encoding="utf-8") != text:
            wrong.append(path)
            if not asked.check:
                path.write_text(text, encoding="utf-8")
        print(f"{path.name}: {'differs' if path in wrong else 'as it was'}", flush=True)
    if not asked.notebooks:
        wrong += readme.stale(ROOT) if asked.check else []
        if not asked.check:
            readme.write(ROOT)
    for path in wrong if asked.check else ():
        print(f"not in normal form: {path}", file=sys.stderr)
    return int(bool(wrong) and asked.check)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
