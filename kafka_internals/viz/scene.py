"""The vocabulary from which a view composes a picture: `Scene`.

A view names things in Kafka's words, tones ("epoch-2") and states ("uncommitted"), never colours,
and ends with one sentence. See `canvas` for shapes and legends, `log_glyphs`, `node_glyphs` and
`station_glyphs` for how each thing looks.
"""

from kafka_internals.viz.canvas import SHAPES, Canvas, legend_of
from kafka_internals.viz.log_glyphs import Log, bracket
from kafka_internals.viz.node_glyphs import MessageGlyphs, NodeGlyphs
from kafka_internals.viz.station_glyphs import StationGlyphs

__all__ = ["SHAPES", "Log", "Scene", "legend_of", "together"]


class Scene(NodeGlyphs, MessageGlyphs, StationGlyphs):
    """One picture with one question of colour.

    >>> scene = Scene("leader epoch")
    >>> scene.node("b1", 40, 60, 1, "leader", note="broker 1")
    >>> log = scene.log("b1/log", 176, 40, end=6)
    >>> log.batch(0, 2, "epoch-1")
    >>> log.high_watermark(3, ask=("orders-0@1", "high_watermark"))
    >>> scene.caption("Broker 1 leads; offsets 0 to 2 are committed.")
    """

    def log(self, key: str, x: float, y: float, **scale) -> Log:
        """A log whose first offset begins at x, y; see `Log` for its scale."""
        return Log(self, key, x, y, **scale)

    def bracket(self, key, x, x2, y, word, tone, **more) -> None:
        """A square bracket that opens upward, with its word below."""
        bracket(self, key, x, x2, y, word, tone, **more)

    def legend(self) -> list[list[str]]:
        """The chips of this scene alone; a film's legend is `legend_of` all its scenes."""
        return legend_of([self])


def together(a: Canvas, b: Canvas) -> Scene:
    """Two futures as one scene: the same view run twice, A on the left stage and B on the right."""
    both = Scene(a.question, size=a.size, words=a.words | b.words)
    for letter, stage, one in (("a", 0, a), ("b", 1, b)):
        for key, shape in one.shapes.items():
            moved = shape | ({"st": stage} if stage else {})
            if "g" in shape:
                moved["g"] = f"{letter}/{shape['g']}"
            both.shapes[f"{letter}/{key}"] = moved
        both.details |= one.details
        both.meanings |= one.meanings
    both.say = b.say
    return both
