"""The ground of a scene: keyed shapes in stage units, what they answer, and what their tones mean.

A shape is one entry of film v1: a kind from `SHAPES`, look words from `static/looks.css`, numbers
in stage units. Its key names the thing ("b2/batch/epoch-1/3"), never its place, so that the player
can move it. `ask` is the question a click means, `inspect` what the inspector tells.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from kafka_internals.viz.theme import STATIC, class_words, colour_of

SHAPES = json.loads((STATIC / "shapes.json").read_text(encoding="utf-8"))
KNOWN = frozenset(SHAPES["numbers"] + SHAPES["other"])
CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
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
    return hashlib.sha256(CANONICAL(value).encode("utf-8", "surrogatepass")).hexdigest()[:12]


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
            same: str | None = None, **values: Any) -> None:
        """One shape; ValueError when its key is taken or a number is not one of its kind.

        `same`: the identity of what it shows, where `ask` does not begin with it: a request, or a
        batch of one ("request-producer-1.3 orders-0").
        """
        if key in self.shapes:
            raise ValueError(f"two shapes are called {key!r}: add what tells them apart to the key")
        shape: dict[str, Any] = {"k": kind, "c": class_words(look), "z": z}
        if not KNOWN.issuperset(values):
            raise ValueError(f"{key!r} has {sorted(values.keys() - KNOWN)}; a shape knows "
                             f"{SHAPES['numbers']}")
        values |= {"p": 1 if phase else None, "a": list(ask) if ask else None,
                   "g": self._group, "s": same,
                   "i": self._keep(inspect), "n": name or (inspect or {}).get("title")}
        for attribute, value in values.items():
            if value is not None:
                shape[attribute] = _short(value) if type(value) is float else value
        self.shapes[key] = shape
        for word, chip in _explained(look):
            self.meanings.setdefault(word, chip)

    def part(self, kept: dict[str, tuple], key: str, draw: Callable[..., None],
             *args: Any) -> None:
        """What `draw(canvas, *args)` draws; with the arguments of last time, what it drew then.

        Most of a picture stands still from one event to the next.
        """
        before = kept.get(key)
        if before is None or before[0] != args:
            fresh = type(self)(self.question, size=self.size, words=self.words)
            draw(fresh, *args)
            kept[key] = before = args, fresh
        one = before[1]
        if taken := self.shapes.keys() & one.shapes.keys():
            raise ValueError(f"part {key!r} has shapes that are there already: {sorted(taken)}")
        self.shapes |= one.shapes
        self.details |= one.details
        self.meanings = one.meanings | self.meanings
        if one.words is not self.words:
            self.words = one.words | self.words

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
        self.words = self.words | {word: word}

    def _keep(self, details: dict | None) -> str | None:
        if not details:
            return None
        if {"title", "where", "fields"} - set(details):
            raise ValueError(f"details need title, where and fields, not {sorted(details)}")
        mark = fingerprint(details)
        self.details[mark] = details
        return mark


@cache
def _explained(look: str) -> tuple[tuple[str, str], ...]:
    """(tone or state, look of its chip) of everything in these look words that a legend explains.

    Asked for each shape of each frame, over a few dozen different looks.
    """
    words = look.split()
    tones = ((tone, f"batch {tone} committed") for tone in filter(colour_of, words))
    return (*tones, *((state, state) for state in STATE_WORDS
                      if set(state.split()) <= set(words)))


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
    return [[class_words(meanings[name]), word(name)]
            for name in sorted(meanings, key=rank)]


def _short(value: float) -> float | int:
    rounded = round(value, 1)
    return int(rounded) if rounded.is_integer() else rounded
