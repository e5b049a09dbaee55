"""How a log looks: batches on a scale of offsets, and the marks that stand in it.

Filled is committed, hollow is not; a bracket under a run of batches is a row of the leader epoch
cache (`LeaderEpochFileCache`); the high watermark is a solid flag on the committed side of its
line, the last stable offset (KIP-98) a hollow one with a double line.
"""

from typing import Any

from kafka_internals.viz.canvas import Canvas
from kafka_internals.viz.theme import width_of

GAP = 3                                     # free between two batches
LEAST_CELL = 24                             # below that a batch shows "3-40" instead of its records
TAB = 19


class Log:
    """A log drawn from `x`: offset -> x is linear, `cell` units an offset, from `first` to `end`.

    `cell` is 34-50 where every record shall be seen; it may be far smaller. Leave 52 units to the
    left for a flag at the first offset, 62 to the right for the log end.
    """

    def __init__(self, canvas: Canvas, key: str, x: float, y: float, *, first: int = 0,
                 end: int = 6, cell: float = 50, h: float = 40, dead: bool = False) -> None:
        self.canvas, self.key, self.x, self.y = canvas, key, x, y
        self.first, self.cell, self.h, self.dead = first, cell, h, dead
        self._flags: list[tuple[float, float]] = []
        canvas.line(f"{key}/base", x - 8, y + h, x + (end - first) * cell, y + h, "base", z=0)

    def at(self, offset: int) -> float:
        """The x at which `offset` begins."""
        return self.x + (offset - self.first) * self.cell

    def batch(self, base: int, last: int, tone: str, state: str = "committed", *,
              struck: bool = False, **more: Any) -> None:
        """One record batch, offsets `base` to `last`.

        state: committed | uncommitted | ghost | stale | doomed | aborted. Its key is made of tone
        and base offset, so that the same batch in the next frame moves, not blinks.
        """
        if self.dead:
            state = "stale" if state == "committed" else "ghost"
        key = f"{self.key}/batch/{tone}/{base}"
        x, w = self.at(base), self.cell * (last - base + 1) - GAP
        look = f"{tone} {state}"
        self.canvas.rect(key, x, self.y, max(w, 1.5), self.h, f"batch {look}", r=min(4, w / 3),
                         **more)
        self._numbers(key, base, last, look)
        if struck or state == "aborted":
            self.canvas.line(f"{key}/strike", x + 4, self.y + self.h - 4, x + w - 4, self.y + 4,
                             "strike", z=5)

    def _numbers(self, key: str, base: int, last: int, look: str) -> None:
        top, middle = self.y + 6, self.y + self.h / 2 + 5
        if self.cell >= max(LEAST_CELL, width_of(str(last), 14, True) + 6):
            for offset in range(base, last + 1):
                x = self.at(offset) - (GAP / 2 if offset > base else 0)
                if offset > base:
                    self.canvas.line(f"{key}/sep/{offset}", x, top, x, self.y + self.h - 6,
                                     f"sep {look}", z=3)
                self.canvas.text(f"{key}/offset/{offset}", self.at(offset) + (self.cell - GAP) / 2,
                                 middle, offset, f"s14 w6 mid cell {look}")
            return
        label = str(base) if base == last else f"{base}–{last}"
        width = self.cell * (last - base + 1) - GAP
        if width_of(label, 12, True) + 6 <= width:
            self.canvas.text(f"{key}/offsets", self.at(base) + width / 2, middle, label,
                             f"s12 w6 mid cell {look}")

    def control(self, offset: int, commit: bool, **more: Any) -> None:
        """A control marker: a narrow cell of ink with a check (commit) or a cross (abort)."""
        key = f"{self.key}/control/{offset}"
        self.canvas.rect(key, self.at(offset), self.y, min(18, self.cell - GAP), self.h, "control",
                         r=2, **more)
        d = "M-5 0-1.500 3.500 5-4.500" if commit else "M-4-4 4 4M4-4-4 4"
        self.canvas.path(f"{key}/sign", d, self.at(offset) + min(18, self.cell - GAP) / 2,
                         self.y + self.h / 2, "control-mark", z=4)

    def tombstone(self, offset: int, tone: str = "") -> None:
        """Cut the lower third out of a cell that `batch` has drawn: a record without a value."""
        self.canvas.rect(f"{self.key}/tomb/{offset}", self.at(offset) + 2, self.y + self.h * 0.6,
                         self.cell - GAP - 4, self.h * 0.4 - 2, f"tomb {tone}".strip(), r=2, z=3)

    def hole(self, base: int, last: int) -> None:
        """Offsets that the cleaner took: the line goes on, dotted, and names them."""
        key, x, x2 = f"{self.key}/hole/{base}", self.at(base), self.at(last + 1) - GAP
        self.canvas.line(key, x, self.y + self.h, x2, self.y + self.h, "hole", z=1)
        label = str(base) if base == last else f"{base}–{last}"
        if width_of(label, 12) <= x2 - x:
            self.canvas.text(f"{key}/offsets", (x + x2) / 2, self.y + self.h - 6, label,
                             "s12 faint mid")

    # -- marks -----------------------------------------------------------------------------------
    def high_watermark(self, offset: int, *, stale: bool = False, **more: Any) -> None:
        """The solid flag; hollow and grey (`stale`) where it is only the last value known."""
        look = " old" if stale or self.dead else ""
        self._flag("hw", offset, f"HW {offset}", f"hw{look}", f"hw-tab{look}", f"hw-text{look}",
                   **more)

    def last_stable_offset(self, offset: int, **more: Any) -> None:
        """The hollow flag with a double line."""
        x = self._flag("lso", offset, f"LSO {offset}", "lso", "lso-tab", "", **more)
        self.canvas.line(f"{self.key}/lso/second", x - 3.5, self.y - 10, x - 3.5,
                         self.y + self.h + 6, "lso", z=6, phase=True)

    def _flag(self, name, offset, label, line, tab, text, **more) -> float:
        key, x = f"{self.key}/{name}", self.at(offset) - GAP / 2
        wide = width_of(label, 12, True) + 14
        left, right = x - wide + 1.25, x + 1.25
        level = sum(1 for a, b in self._flags if a < right + 4 and left - 4 < b)
        self._flags.append((left, right))
        top = self.y - 28 - level * (TAB + 3)
        self.canvas.line(key, x, top + 9, x, self.y + self.h + 6, line, z=6, phase=True, **more)
        self.canvas.rect(f"{key}/tab", left, top, wide, TAB, tab, r=3, z=6, phase=True, **more)
        self.canvas.text(f"{key}/text", (left + right) / 2, top + 13.5, label,
                         f"s12 w7 mid {text}".strip(), z=7, phase=True, **more)
        return x

    def log_end(self, offset: int, word_at: int | None = None, **more: Any) -> None:
        """The open chevron behind the last cell; `offset` is the next one to be written.

        Its word stands at the offset `word_at`, where something else has its place.
        """
        key, x, y = f"{self.key}/leo", self.at(offset) + 4, self.y + self.h / 2
        self.canvas.path(key, "M7-6 0 0 7 6", x, y, "leo", z=4, **more)
        at = x if word_at is None else self.at(word_at) + 4
        self.canvas.text(f"{key}/text", at + 12, y + 4.5, f"LEO {offset}", "s12 w6 soft", **more)

    def log_start(self, offset: int, **more: Any) -> None:
        """The line that closes a log on the left; everything before it may be gone."""
        key, x = f"{self.key}/start", self.at(offset) - GAP
        self.canvas.line(key, x, self.y - 6, x, self.y + self.h + 6, "inkline", z=4, **more)
        self.canvas.text(f"{key}/text", x - 6, self.y + self.h / 2 + 4.5, f"start {offset}",
                         "s12 w6 soft right", **more)

    def epoch(self, epoch: int, start: int, end: int, tone: str = "", **more: Any) -> None:
        """The bracket under one leader epoch: it began at `start` and ends before `end`."""
        if end <= start:
            return
        left, right = self.at(start) + 1, self.at(end) - GAP - 1
        word = f"epoch {epoch}"
        if width_of(word, 12, True) > right - left + 8:
            word = str(epoch)
        bracket(self.canvas, f"{self.key}/epoch/{epoch}", left, right, self.y + self.h + 12, word,
                tone or f"epoch-{epoch}", **more)

    def transaction(self, name: str, base: int, last: int, tone: str, state: str) -> None:
        """The bar over a transaction's records. state: open | committed | aborted."""
        key, x, x2 = f"{self.key}/txn/{name}", self.at(base), self.at(last + 1) - GAP
        look = "txn-open" if state == "open" else "bracket"
        self.canvas.line(key, x, self.y - 8, x2, self.y - 8, f"{look} {tone}", z=3)
        self.canvas.text(f"{key}/state", x, self.y - 14, state, f"s12 w6 edge {tone}")


def bracket(canvas: Canvas, key, x, x2, y, word, tone, **more) -> None:
    """A square bracket that opens upward, with its word in the middle below."""
    canvas.path(key, f"M0-4V0H{x2 - x:.1f}V-4", x, y, f"bracket {tone}", z=3, **more)
    canvas.text(f"{key}/word", (x + x2) / 2, y + 15, word, f"s12 w6 mid edge {tone}", **more)
