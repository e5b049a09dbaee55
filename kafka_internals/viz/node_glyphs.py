"""How nodes, messages and the stations inside a broker look.

Filled leads or answers, hollow follows or asks; dashed is absent or promised; a rail joins the
members of a list (ISR, ELR). A message keeps its correlation id from request to answer and moves
as one group: it rises at the sender and goes on into the receiver.
"""

from typing import Any

from kafka_internals.viz.canvas import Canvas
from kafka_internals.viz.theme import EVENT_MARKS, NODE_SHAPES, width_of

ROLE_WORDS = {"leader": "leader", "follower": "follower", "fenced": "fenced", "dead": "crashed",
              "observer": "observer", "candidate": "candidate", "away": "not there"}
CROSS = "M-6-6 6 6M6-6-6 6"
PAUSE = "M-2.500-4h1.800v8h-1.800zM.700-4h1.800v8H.700z"
NOSES = {"up": ("M-6 0 0-8 6 0z", 0, -16), "down": ("M-6 0 0 8 6 0z", 0, 16),
         "left": ("M0-6-8 0 0 6z", -1, 0), "right": ("M0-6 8 0 0 6z", 1, 0)}
BOX = 11                                    # a record carried by a message
Point = tuple[float, float]


class NodeGlyphs(Canvas):
    """Brokers, controllers, clients, members, and the lists that they are on."""

    def node(self, key: str, x: float, y: float, name: Any, role: str = "follower", *,
             shape: str = "broker", tone: str = "", label: str | None = None, note: str = "",
             paused: bool = False, **more: Any) -> None:
        """A node centred on x, y; its role's word (or `label`) and a `note` stand to the right.

        role: leader | follower | fenced | dead | observer | candidate | away | toned (with a
        `tone`); shape: broker | controller | client | member. `label=""` leaves the words out.
        """
        look = f"node {role} {tone}".strip()
        if shape == "broker":
            self.rect(key, x - 16, y - 16, 32, 32, look, r=7, z=5, **more)
        elif shape == "member":
            self.circle(key, x, y, 16, look, z=5, **more)
        else:
            self.path(key, NODE_SHAPES[shape], x, y, look, z=5, **more)
        self.text(f"{key}/name", x - (3 if shape == "client" else 0), y + 5, name,
                  f"s14 w7 mid node-text {role} {tone}".strip(), z=6)
        if role == "dead":
            self.line(f"{key}/dead", x - 21, y + 21, x + 21, y - 21, "dead-line", z=6)
        for side in (-22, 22) if role == "fenced" else ():
            self.line(f"{key}/fence/{side}", x + side, y - 18, x + side, y + 18, "fence-line", z=6)
        if paused:
            self.circle(f"{key}/paused", x + 15, y - 15, 9, "note", z=7)
            self.path(f"{key}/paused/sign", PAUSE, x + 15, y - 15, "solid", z=7)
        word = "paused" if paused and label is None else label
        self._words(key, x + 30, y, ROLE_WORDS.get(role, "") if word is None else word, note,
                    " bad" if role == "dead" else "")

    def _words(self, key, x, y, label, note, look="") -> None:
        if label:
            self.text(f"{key}/label", x, y + (-3 if note else 5), label, f"s14 w6{look}")
        if note:
            self.text(f"{key}/note", x, y + 14, note, "s12 faint")

    def client(self, key, x, y, letter, label="", note="", there=True, **more) -> None:
        """A producer (P) or consumer (C): the pointed tag; dashed while it is not yet there."""
        self.node(key, x, y, letter, "follower" if there else "away", shape="client", label=label,
                  note=note, **more)

    def rail(self, key, x, y, y2, word="ISR", promised=False, word_y=None, **more) -> None:
        """The rail from y to y2 through the badges of a list's members; dashed for the ELR.

        Its word stands between the first two members; a list of one gets a stub (y == y2).
        """
        if word_y is None:
            word_y = y + 33 if y == y2 else y + (y2 - y) * (0.25 if y2 - y > 130 else 0.5) + 4
        if y == y2:
            y, y2 = y - 26, y + 30
        if promised:
            self.line(key, x, y, x, y2, "elr", z=0, **more)
        else:
            self.rect(key, x - 3, y, 6, y2 - y, "rail", r=3, z=1, **more)
        self.text(f"{key}/word", x + 12, word_y, word, "s12 w7 soft")

    def field(self, key, x, y, name, value, **more) -> None:
        """A named value of a state: the name small, the value below it."""
        self.text(f"{key}/name", x, y, name, "s12 faint")
        self.text(key, x, y + 19, value, "s15 w7", **more)

    def epoch_cache(self, key, x, y, entries, dead=False, ask=None) -> None:
        """The leader epoch cache as a table: (epoch, start offset) a row, 21 units apart."""
        self.text(f"{key}/head", x, y, "epoch, start", "s12 faint")
        for i, (epoch, start) in enumerate(entries):
            row, at = f"{key}/{epoch}", y + 20 + i * 21
            tone = "faint" if dead else f"edge epoch-{epoch}"
            self.text(row, x + 12, at, epoch, f"s14 w6 mid {tone}", ask=ask)
            self.line(f"{row}/line", x + 26, at - 4.5, x + 46, at - 4.5, "rule")
            self.path(f"{row}/head", "M-4-3.500 0 0-4 3.500", x + 46, at - 4.5, "rule")
            self.text(f"{row}/start", x + 62, at, start, "s14 w6 mid" + (" faint" if dead else ""))

    def verdict(self, key, x, y, w, word, say, bad=False) -> None:
        """A band with an invariant's name and one plain sentence; red if violated."""
        self.rect(key, x, y, w, 44, "verdict" + (" bad" if bad else ""), r=8, z=1)
        if bad:
            self.path(f"{key}/mark", EVENT_MARKS["violation"], x + 20, y + 22, "hot evenodd", z=4)
        at = x + (36 if bad else 14)
        self.text(f"{key}/word", at, y + 18, word, "s13 w7" + (" bad" if bad else ""))
        self.text(f"{key}/say", at, y + 35, say, "s12 soft")

    def ring(self, of: str, sign: bool = True) -> None:
        """Ring a rect that differs between two futures; the sign for "not equal" beside it."""
        s = self.shapes[of]
        self.rect(f"{of}/ring", s["x"] - 4, s["y"] - 4, s["w"] + 8, s["h"] + 8, "differs", r=8, z=1)
        if sign:
            self.text(f"{of}/ring/sign", s["x"] + s["w"] + 14, s["y"] + s["h"] / 2 + 6, "≠",
                      "s17 w7 mid")


class MessageGlyphs(Canvas):
    """What travels: pills on their way, arrows between the lanes of a sequence diagram."""

    def message(self, key: str, kind: str, text: str, way: tuple[Point, Point], *,
                share: float = 0.5, ident: str = "", carried: tuple[str, ...] = (),
                tone: str = "", track: bool = True, below: str = "", **more: Any) -> None:
        """A request (hollow) or response (filled) at `share` of its way; "lost" ends with a cross.

        `carried` are the tones of the record batches inside, `below` is a second line. The group
        rises at the first point of `way` and leaves into the second.
        """
        (x1, y1), (x2, y2) = way
        x, y = x1 + (x2 - x1) * share, y1 + (y2 - y1) * share
        if track:
            self.line(f"{key}/track", x1, y1, x2, y2, "track", z=1)
        across = abs(x2 - x1) > abs(y2 - y1)
        toward = ("right" if x2 > x1 else "left") if across else ("down" if y2 > y1 else "up")
        leave = None if kind == "lost" else (x2, y2)
        with self.group(key, x, y, enter=(x1, y1), leave=leave):
            self._pill(key, f"{kind} {'toned ' + tone if tone else ''}".strip(), text, toward,
                       ident, carried, more)
            if below:
                wide = width_of(below, 12) + 6
                self.rect(f"{key}/below/ground", -wide / 2, 15, wide, 16, "paper", r=3, z=8)
                self.text(f"{key}/below", 0, 27, below, f"s12 mid {'bad' * (kind == 'lost')}", z=9)
        if kind == "lost":
            self.path(f"{key}/cross", CROSS, x2, y2, "hotline thick", z=9)

    def _pill(self, key, look, text, toward, ident, carried, more) -> None:
        ident_w = width_of(ident, 12) + 7 if ident else 0
        carried_w = len(carried) * (BOX + 2) + 5 if carried else 0
        wide = width_of(text, 12.5, True) + 24 + ident_w + carried_w
        d, dx, dy = NOSES[toward]
        self.path(f"{key}/nose", d, dx * (wide / 2 + 3), dy, f"nose {look}")
        self.rect(f"{key}/pill", -wide / 2, -13, wide, 26, f"pill {look}", r=13, z=8, **more)
        at = 12 - wide / 2
        if ident:
            self.text(f"{key}/ident", at, 4.5, ident, f"s12 pill-id {look}", z=9)
        self.text(f"{key}/text", at + ident_w, 4.5, text, f"s12h w6 pill-text {look}", z=9)
        at = wide / 2 - 10 - len(carried) * (BOX + 2)
        for i, tone in enumerate(carried):
            self.rect(f"{key}/carried/{i}", at + i * (BOX + 2), -BOX / 2, BOX, BOX, f"mini {tone}",
                      r=2, z=9)

    def cut_link(self, key, x, y) -> None:
        """A red break in a track at x, y, and its word."""
        self.path(key, "M-6 7 0-7M0 7 6-7", x, y, "hotline thick", z=2)
        self.text(f"{key}/word", x + 14, y + 4.5, "cut", "s12 w6 bad")

    def lane(self, key, x, y, y2, there=True) -> None:
        """The vertical life line of a participant in a sequence diagram."""
        self.line(key, x, y, x, y2, "lane" if there else "lane gone", z=0)

    def arrow(self, key, x, x2, y, text, answer=False, now=True, **more) -> None:
        """A message between two lanes; time runs down. Filled head answers, grey is past."""
        way, state = (1 if x2 > x else -1), ("now" if now else "past")
        self.line(key, x + way * 3, y, x2 - way * 9, y, f"arrow {state}", z=4, **more)
        d = "M-9-5 0 0-9 5z" if way > 0 else "M9-5 0 0 9 5z"
        head = f"head {state}" + ("" if answer else " hollow")
        self.path(f"{key}/head", d, x2 - way * 2, y, head, z=4)
        middle, wide = (x + x2) / 2, width_of(text, 12, now) + 8
        self.rect(f"{key}/ground", middle - wide / 2, y - 18, wide, 15, "paper", r=3, z=3)
        self.text(f"{key}/text", middle, y - 6, text, "s12 mid " + ("w6" if now else "faint"), z=5)
