"""Two futures of one run, side by side on one clock, with the first difference marked.

Both runs are filmed by the same view. Up to the fork they are one; from there on each event belongs
to A or to B, and the picture shows the state of both at that instant.
"""

from typing import Any

from kafka_internals.sim.trace import first_difference
from kafka_internals.viz import encode
from kafka_internals.viz.camera import FUTURE, Camera, Truth
from kafka_internals.viz.film import View, film_of, told_us
from kafka_internals.viz.player import Player
from kafka_internals.viz.scene import legend_of, together

B = "B: "                                   # before the subjects of the second future


def two_futures(view: View, kept: Any, changed: Any, subject: Any, *, titles: tuple[str, str],
                compare: dict[str, tuple[str, str]] | None = None, title: str | None = None,
                since: int | None = None, spoiler: bool = False) -> Player:
    """A player of two clusters that share their beginning, as `fork()` gives them.

    `compare` names rows of the table of differences: {"high watermark": (subject, attribute)}.
    """
    return Player(data(view, kept, changed, subject, titles=titles, compare=compare or {},
                       title=title, since=since), spoiler=spoiler)


def data(view: View, kept: Any, changed: Any, subject: Any, *, titles: tuple[str, str],
         compare: dict[str, tuple[str, str]], title: str | None, since: int | None) -> dict:
    """The film of two futures, as plain data."""
    since = kept.began if since is None else since
    sides = []
    for cluster in (kept, changed):
        camera = Camera(view.draw, subject, [Truth()], cluster.words, first=since,
                        last=cluster.event, watch=tuple(compare.values()), width=FUTURE,
                        of_data=view.of_data)
        sides.append((camera, cluster.again(prepare=camera.attach).trace))
    (one, trace_a), (other, trace_b) = sides
    first = first_difference(trace_a, trace_b)
    fork = (first or len(trace_a.events) + 1) - 1
    films = [film_of(camera.shots, trace, kept.words, title=title or f"{subject}: two futures",
                     telling=0, chapters=[], window=(since, len(trace.events)),
                     cost=kept.setup.cost.described()) for camera, trace in sides]
    return _merged(films, one.shots, other.shots, fork, titles, list(compare))


def _merged(films: list[dict], a: list, b: list, fork: int, titles: tuple[str, str],
            names: list[str]) -> dict:
    shots = sorted([(told_us(shot.t_us), 0, shot) for shot in a] +
                   [(told_us(shot.t_us), 1, shot) for shot in b if shot.event > fork],
                   key=lambda item: (item[0], item[1]))
    now, frames, difference_us = [a[0], b[0]], [], None
    ids = _Ids(films, fork)
    for t_us, side, shot in shots:
        now[side] = shot
        shared = side == 0 and shot.event <= fork
        if shared:
            now[1] = shot
        rows = [[name, _said(now[0].watched, at), _said(now[1].watched, at)]
                for at, name in enumerate(names)]
        if difference_us is None and not shared and (
                any(left != right for _, left, right in rows)
                or now[0].scenes["truth"].shapes != now[1].scenes["truth"].shapes):
            difference_us = t_us
        scene = together(now[0].scenes["truth"], now[1].scenes["truth"])
        _ask_of_b(scene)
        frame = {"t_us": t_us, "event": ids.of(side, shot.event), "say": shot.scenes["truth"].say,
                 "shapes": scene.shapes, "waits": {}, "differs": rows}
        frames.append(frame if shared else frame | {"lane": "AB"[side],
                                                    "say": f"{'AB'[side]}: {frame['say']}"})
    if frames and frames[-1].get("lane"):
        says = [now[side].scenes["truth"].say for side in (0, 1)]
        frames[-1]["say"] = f"A: {says[0]} B: {says[1]}"
    film = films[0]
    scenes = [shot.scenes["truth"] for shot in a + b]
    film.update(
        frames={"truth": encode.delta(frames)}, events=ids.events(), changes=ids.changes(),
        legend=legend_of(scenes), telling=frames[-1]["event"] if frames else 0,
        details=films[0]["details"] | films[1]["details"],
        flights=films[0]["flights"] + films[1]["flights"],
        fork={"at_us": _time_of(films[0], fork), "titles": list(titles),
              "difference_us": difference_us})
    return film


def _ask_of_b(scene: Any) -> None:
    """A question asked on the right stage means B's own history."""
    for shape in scene.shapes.values():
        if shape.get("st") and "a" in shape:
            shape["a"] = [f"{B}{shape['a'][0]}", shape["a"][1]]


def _said(watched: tuple, at: int) -> str:
    value = watched[at]
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _time_of(film: dict, event: int) -> int:
    times = [row[1] for row in film["events"] if row[0] <= event]
    return told_us(times[-1]) if times else 0


class _Ids:
    """One order for the events of both runs, and their rows under the new numbers."""

    def __init__(self, films: list[dict], fork: int) -> None:
        self._films, self._fork = films, fork
        self._rows: dict[tuple[int, int], list] = {}     # what both share is A's
        for side, film in enumerate(films):
            for row in film["events"]:
                self._rows.setdefault((0 if row[0] <= fork else side, row[0]), row)
        order = sorted(self._rows, key=lambda key: (self._rows[key][1], *key))
        self._number = {key: at for at, key in enumerate(order, 1)}

    def of(self, side: int, event: int) -> int:
        """The film's own number of an event."""
        return self._number[0 if event <= self._fork else side, event]

    def events(self) -> list[list]:
        """Rows in the order of the film; the lane is the seventh item where there is one."""
        told = []
        for (side, id), number in self._number.items():
            _, t_us, by, node, kind, text = self._rows[side, id]
            cause = self._number.get((0 if by <= self._fork else side, by))
            lane = [] if id <= self._fork else ["AB"[side]]
            told.append([number, t_us, cause, node, kind, text, *lane])
        return told

    def changes(self) -> list[list]:
        """A's changes under their names, B's under names of their own ("B: orders-0@1")."""
        told = []
        for side, film in enumerate(self._films):
            base = len(told)
            for event, subject, *rest, reads, kind in film["changes"]:
                name = f"{B}{subject}" if side else subject
                told.append([self.of(side, event), name, *rest, [base + at for at in reads], kind])
        return told
