"""The ground of a scene: keyed shapes in stage units, what they answer, and what their tones mean.

A shape is one entry of film v1: a kind from `SHAPES`, look words from `static/looks.css`, numbers
in stage units. Its key names the thing ("b2/batch/epoch-1/3"), never its place, so that the player
can move it. `ask` is the question a click means, `inspect` what the inspector tells.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from kafka_internals.viz.theme import STATIC, class_words, colour_of

SHAPES = json.loads((STATIC / "shapes.json").read_text(encoding="utf-8"))
Ask = tuple[str, str]                       # (subject, attribute)
STATE_WORDS = {                             # states that a legend explains beside the tones
    "batch uncommitted": "not committed",
    "batch doomed": "about to be cut",
    "batch aborted": "aborted",
    "slot leaving": "to give up",
    "slot coming": "will get",
    "page dirty": "page not on disk",
    "chip-committed": "committed",
    "chip-position": "position",
}


def fingerprint(value: Any) -> str:
    """Twelve hex digits that stand for a JSON value, the same on every machine."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


class Canvas:
    """Shapes by key, in one stage `size` units large; `words` name tones ("member-1": "A")."""

    def __init__(self, question: str = "", *, size: tuple[int, int] = (720, 452),
                 words: dict[str, str] | None = None) -> None:
        self.question, self.size, self.words = question, size, words or {}
        self.shapes: dict[str, dict[str, Any]] = {}
        self.details: dict[str, dict[str, Any]] = {}
        self.meanings: dict[str, str] = {}      # tone or state -> look of its chip
        self.say = ""
        self._group: str | None = None

    # -- primitives ------------------------------------------------------------------------------
    def add(self, kind: str, key: str, look: str, *, z: int, ask: Ask | None = None,
            inspect: dict | None = None, name: str | None = None, phase: bool = False,
            **values: Any) -> None:
        """One shape; ValueError when its key is taken or a number is not one of its kind."""
        if key in self.shapes:
            raise ValueError(f"two shapes are called {key!r}: add what tells them apart to the key")
        shape: dict[str, Any] = {"k": kind, "c": " ".join(class_words(look)), "z": z}
        shape |= {a: _short(v) for a, v in values.items() if v is not None}
        if unknown := set(shape) - set(SHAPES["numbers"]) - set(SHAPES["other"]):
            raise ValueError(f"{key!r} has {sorted(unknown)}; a shape knows {SHAPES['numbers']}")
        extra = {"p": 1 if phase else None, "a": list(ask) if ask else None, "g": self._group,
                 "i": self._keep(inspect), "n": name or (inspect or {}).get("title")}
        self.shapes[key] = shape | {a: v for a, v in extra.items() if v is not None}
        self._note(look)

    def rect(self, key, x, y, w, h, look, r=0, z=2, **more) -> None:
        self.add("rect", key, look, z=z, x=x, y=y, w=w, h=h, r=r, **more)

    def circle(self, key, x, y, r, look, z=2, **more) -> None:
        self.add("circle", key, look, z=z, x=x, y=y, r=r, **more)

    def line(self, key, x, y, x2, y2, look, z=2, **more) -> None:
        self.add("line", key, look, z=z, x=x, y=y, x2=x2, y2=y2, **more)

    def path(self, key, d, x, y, look, z=2, **more) -> None:
        """A path whose data lies around 0 0; it moves by x and y."""
        self.add("path", key, look, z=z, x=x, y=y, d=d, **more)

    def text(self, key, x, y, text, look="s13", z=4, **more) -> None:
        """One line of text at its baseline. Sizes s12 s13 s14 s15, weights w6 w7, mid, right."""
        self.add("text", key, look, z=z, x=x, y=y, t=str(text), **more)

    @contextmanager
    def group(self, key, x, y, z=8, enter=None, leave=None, **more) -> Iterator[None]:
        """What is drawn inside moves as one; its coordinates are then relative to x, y.

        `enter` and `leave` are points on the stage: where the group rises and where it ends.
        """
        ways = {}
        if enter:
            ways |= {"fx": enter[0] - x, "fy": enter[1] - y}
        if leave:
            ways |= {"gx": leave[0] - x, "gy": leave[1] - y}
        self.add("group", key, "group", z=z, x=x, y=y, **ways, **more)
        outer, self._group = self._group, key
        try:
            yield
        finally:
            self._group = outer

    # -- what is said ----------------------------------------------------------------------------
    def caption(self, sentence: str) -> None:
        """The one sentence that is caption, alt text and static fallback alike."""
        self.say = sentence

    def means(self, look: str, word: str) -> None:
        """Add a chip to the legend by hand: its look words and what they mean."""
        self.meanings[word] = look
        self.words[word] = word

    def _keep(self, details: dict | None) -> str | None:
        if not details:
            return None
        if {"title", "where", "fields"} - set(details):
            raise ValueError(f"details need title, where and fields, not {sorted(details)}")
        mark = fingerprint(details)
        self.details[mark] = details
        return mark

    def _note(self, look: str) -> None:
        words = look.split()
        for tone in filter(colour_of, words):
            self.meanings.setdefault(tone, f"batch {tone} committed")
        for state in STATE_WORDS:
            if set(state.split()) <= set(words):
                self.meanings.setdefault(state, state)


def legend_of(canvases: Iterable[Canvas]) -> list[list[str]]:
    """The legend of a film: [[look words, word], ...], tones in order of number, then states."""
    meanings, words = {}, dict(STATE_WORDS)
    for canvas in canvases:
        meanings |= canvas.meanings
        words |= canvas.words
    order = list(STATE_WORDS)

    def rank(name: str) -> tuple:
        family, _, number = name.rpartition("-")
        if colour_of(name):
            return (0, family, int(number), "") if number.isdecimal() else (0, "", 0, name)
        return (1, "", order.index(name), "") if name in order else (2, "", 0, name)

    def word(name: str) -> str:
        return words.get(name) or name.rpartition("-")[2]
    return [[" ".join(class_words(meanings[name])), word(name)]
            for name in sorted(meanings, key=rank)]


def _short(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    rounded = round(value, 1)
    return int(rounded) if rounded.is_integer() else rounded
