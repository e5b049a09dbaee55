"""How the stations inside a broker, and what clients own and have read, look.

A queue is slots with the first one solid and its depth in words; a thread is a thin box while idle
and a thick one that holds its token while busy; purgatory (`DelayedOperationPurgatory`) is a dashed
bay in which each operation shows its condition and the time it has left.
"""

from typing import Any

from kafka_internals.viz.canvas import Canvas

HOURGLASS = "M-4-5.500H4V-4L.800 0 4 4V5.500H-4V4L-.800 0-4-4z"
GIVE_UP = "M-6 0H4M0-4.500 5 0 0 4.500"


class StationGlyphs(Canvas):
    """Queues, threads, purgatory, pages; assignments and positions of a group's members."""

    def token(self, key, x, y, text, tone, **more: Any) -> None:
        """A request inside a broker, centred on x, y: its short number in its kind's tone."""
        with self.group(key, x, y):
            self.rect(f"{key}/pill", -20, -12, 40, 24, f"toned {tone}", r=12, z=8, **more)
            self.text(f"{key}/text", 0, 4.5, text, f"s12 w7 mid on {tone}", z=9)

    def queue(self, key, x, y, slots, depth, limit, *, down=True, w=84, h=27) -> None:
        """A column (or row) of slots, 5 apart, from x, y; the words "2 of 500" below or beside."""
        step = (0, h + 5) if down else (w + 5, 0)
        for i in range(slots):
            self.rect(f"{key}/slot/{i}", x + i * step[0], y + i * step[1], w, h,
                      "outline" if i == 0 else "outline dashed", r=7, z=1)
        at = ((x + w / 2, y + slots * step[1] + 12) if down
              else (x + slots * step[0] / 2, y + h + 17))
        self.text(f"{key}/depth", *at, f"{depth} of {limit}", "s12 mid soft")

    def thread(self, key, x, y, name, state="idle", word=None, *, w=68, h=35, **more) -> None:
        """A thread's box from x, y. state: idle | busy | stuck; `word` says why."""
        look = {"idle": "paper outline", "busy": "busy", "stuck": "stuck"}[state]
        self.rect(key, x, y, w, h, look, r=7, z=1, **more)
        if name:
            self.text(f"{key}/name", x + 8, y + h / 2 + 4, name,
                      "s12 w6" if state != "idle" else "s12 faint")
        word = {"idle": "idle", "busy": "", "stuck": "full"}[state] if word is None else word
        if word:
            self.text(f"{key}/word", x + w - 8, y + h / 2 + 4, word, "s12 faint right")

    def bay(self, key, x, y, w, h) -> None:
        """The dashed ground of purgatory."""
        self.rect(key, x, y, w, h, "surface", r=8, z=0)
        self.rect(f"{key}/edge", x, y, w, h, "outline dashed", r=8, z=1)

    def parked(self, key, x, y, w, condition, left, share, **more) -> None:
        """One waiting operation in a bay: condition, time left in words, a bar of share 0..1."""
        self.text(f"{key}/left", x + w, y, left, "s12 soft right")
        self.text(f"{key}/until", x, y + 27, condition, "s13 w6", **more)
        self.rect(f"{key}/bar", x, y + 38, w, 5, "bar", r=2.5, z=2)
        self.rect(f"{key}/bar/left", x, y + 38, w * share, 5, "solid-2", r=2.5, z=3)

    def muted(self, key, x, y) -> None:
        """The pause sign on a connection that its network thread does not read."""
        self.rect(key, x - 9, y - 9, 18, 18, "paper outline", r=9, z=3)
        self.path(f"{key}/sign", "M-2.500-4h1.800v8h-1.800zM.700-4h1.800v8H.700z", x, y, "solid",
                  z=4)

    def pages(self, key, x, y, states, *, cell=46, **more) -> None:
        """Pages of one file in a row. Each state: clean | dirty | absent."""
        for i, state in enumerate(states):
            look = "absent" if state == "absent" else f"page {state}"
            self.rect(f"{key}/{i}", x + i * cell, y, cell - 4, 16, look, r=2, **more)

    def slot(self, key, x, y, state, tone="", letter="", **more) -> None:
        """One cell of an assignment. state: owned | leaving | coming | none."""
        self.rect(key, x, y, 36, 28, f"slot {state} {tone}".strip(), r=5, **more)
        if state == "owned":
            self.text(f"{key}/sign", x + 18, y + 18.5, letter, f"s13 w7 mid on {tone}")
        elif state == "leaving":
            self.path(f"{key}/sign", GIVE_UP, x + 18, y + 14, f"toneline thick {tone}", z=4)
        elif state == "coming":
            self.path(f"{key}/sign", HOURGLASS, x + 18, y + 14, f"edge {tone}", z=4)

    def records(self, key, x, y, first, end, committed, position, tone, *, limit, cell=11) -> None:
        """A reader's strip of records `first`..`limit`: done, read, new; both of its marks."""
        for offset in range(first, limit):
            state = ("done" if offset < committed else "read" if offset < position
                     else "new" if offset < end else "none")
            self.rect(f"{key}/{offset}", x + (offset - first) * cell, y, cell - 2, 18,
                      f"rec {state} {tone}".strip(), r=2)
        at = x + (committed - first) * cell - 1
        self.path(f"{key}/committed", "M0 0 4.500 8H-4.500z", at, y + 20, "solid", z=3, phase=True)
        self.text(f"{key}/committed/text", at - 8, y + 31, committed, "s12 soft right", phase=True)
        at = x + (position - first) * cell - 1
        self.path(f"{key}/position", "M0 0 4.500-7H-4.500z", at, y - 2, "mark hollow", z=3)
        self.meanings |= {"chip-committed": "chip-committed", "chip-position": "chip-position"}

    def region(self, key, x, y, w, h, name, tone) -> None:
        """A pair of brackets round a cluster or a region, with its name; never a closed box."""
        self.path(key, f"M10 0H0V{h}H10M{w - 10} 0H{w}V{h}H{w - 10}", x, y, f"region {tone}", z=1)
        self.text(f"{key}/name", x + w / 2, y + 12, name, f"s12 w7 mid edge {tone}")
