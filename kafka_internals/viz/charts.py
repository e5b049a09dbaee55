"""matplotlib in this house: one look, text that stays text, and the same bytes every time.

A chart is shown as SVG with a sentence beside it. Text is measured in the font that matplotlib
brings along, so that the layout is the same on every machine; a `$` in a label is a dollar, never
mathematics.
"""

import io
import re
from typing import Any

from kafka_internals.viz.svg import plain
from kafka_internals.viz.theme import TOKENS

COLOURS = TOKENS["colour"]["light"]
RC = {"svg.hashsalt": "kafka_internals", "svg.fonttype": "none", "text.parse_math": False,
      "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans", "Arial", "Liberation Sans"],
      "font.size": 10, "axes.edgecolor": COLOURS["rule"], "axes.labelcolor": COLOURS["ink-2"],
      "xtick.color": COLOURS["ink-2"], "ytick.color": COLOURS["ink-2"],
      "text.color": COLOURS["ink"], "axes.spines.top": False, "axes.spines.right": False}


class Chart:
    """A finished figure as SVG, with the sentence that says what it shows."""

    def __init__(self, svg: str, sentence: str) -> None:
        self.svg, self.sentence = svg, sentence

    def __repr__(self) -> str:
        return plain(self.sentence)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"image/svg+xml": self.svg, "text/plain": repr(self)}


def drawn(draw: Any, sentence: str, *, size: tuple[float, float], columns: int = 1,
          margins: dict[str, float] | None = None) -> Chart:
    """Call `draw(axes)` on a fresh figure of `size` inches and keep it as SVG.

    With several `columns` it is given an axes for each. Its texts find their room themselves, which
    takes as long as drawing; with fixed `margins` (as `subplots_adjust`) a live chart saves that.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(RC):
        figure = Figure(figsize=size, layout=None if margins else "constrained")
        draw(figure.subplots(ncols=columns, gridspec_kw=margins))
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return Chart(_fluid(text[text.index("<svg"):]), sentence)


def _fluid(svg: str) -> str:
    """A figure that shrinks with the column it stands in, and grows no larger than it was drawn."""
    return re.sub(r'width="([\d.]+)pt" height="[\d.]+pt"',
                  r'width="100%" style="max-width:\1pt"', svg, count=1)
