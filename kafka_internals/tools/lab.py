"""Trust the course's notebooks, then become JupyterLab.

A notebook that is not trusted shows no picture before it has run; these are our own, so their
stored pictures may show at once.
"""

import sys
from contextlib import suppress

from kafka_internals.tools.notebooks import course


def trust() -> None:
    """Sign every notebook of the course for this user's Jupyter."""
    import nbformat
    from nbformat.sign import NotebookNotary

    notary = NotebookNotary()
    for path in course():
        with suppress(ValueError):              # one that a reader broke is JupyterLab's to show
            notary.sign(nbformat.read(path, as_version=4))


def main(argv: list[str]) -> None:
    """Sign, then run JupyterLab in this process with the given arguments."""
    from jupyterlab.labapp import main as jupyterlab

    trust()
    sys.argv = ["jupyter-lab", *argv]
    sys.exit(jupyterlab())


if __name__ == "__main__":
    main(sys.argv[1:])
