"""From shots to a film (v1): frames, flights, events, changes with their links, and what waits.

Everything that "why?" needs is resolved here, so that the player only follows numbers. A film holds
the changes of what its scenes can be asked about and everything these were read from; of the time
before its window only what four links reach.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from kafka_internals.common import TopicPartition
from kafka_internals.sim.trace import Change, Event, Flight, Trace
from kafka_internals.viz import encode
from kafka_internals.viz.camera import Belief, Camera, Shot, Truth
from kafka_internals.viz.canvas import fingerprint
from kafka_internals.viz.player import Player
from kafka_internals.viz.quiet import CONTROL
from kafka_internals.viz.scene import legend_of

ARROWS = ("asked", "answer")
ENDS = {"command": "command", "tick": "timer"}
LINKS_BEFORE_WINDOW = 4
MARKS = (("state", "fault"), ("high_watermark", "advance"), ("log_end_offset", "append"),
         ("role", "term"), ("remote_log_end_offset", "message"))


class View:
    """A drawing function with its title and question of colour; `cluster.film` takes it.

    `insides`: makes what looks on and collects the films inside of this view's shapes (`inside`).
    `of_data`: an event of the control plane alone changes nothing in it (`quiet`).
    A `narrow` one can draw for half a stage, so that its films can be forked in the player.
    """

    def __init__(self, draw: Callable, title: Callable[[Any], str],
                 insides: Callable[[], Any] | None = None, of_data: bool = False,
                 narrow: bool = False) -> None:
        self.draw, self._title, self._insides = draw, title, insides
        self.of_data, self.narrow = of_data, narrow
        self.__doc__, self.__name__ = draw.__doc__, draw.__name__

    def __call__(self, look: Any, subject: Any, whose: Any) -> Any:
        return self.draw(look, subject, whose)

    def film(self, cluster: Any, subject: Any, *, title: str | None = None,
             since: int | None = None, upto: int | None = None, telling: int | None = None,
             chapters: Iterable[tuple[int, str]] = (), beliefs: Iterable[int] = (),
             spoiler: bool = False) -> Player:
        """Execute the cluster's run again and film what this view sees.

        `since`, `upto` and `telling` are event ids: the window (from the first command on that is
        more than setting the scene, to now) and the frame to show first (the last one).
        `chapters` are (event id, title); `beliefs` are brokers whose knowledge can be switched to.
        `spoiler`: neither the still picture nor its text tells how it ends.
        """
        player = Player(self.data(cluster, subject, title=title, since=since, upto=upto,
                                  telling=telling, chapters=chapters, beliefs=beliefs),
                        spoiler=spoiler)
        if self.narrow:
            from kafka_internals.viz.forks import Forks  # which needs views itself

            begin = cluster.began if since is None else since
            player.offer(Forks(self, cluster, subject, begin, upto))
        return player

    def data(self, cluster: Any, subject: Any, *, title: str | None = None,
             since: int | None = None, upto: int | None = None, telling: int | None = None,
             chapters: Iterable[tuple[int, str]] = (), beliefs: Iterable[int] = ()) -> dict:
        """The film itself, as plain data."""
        last = cluster.event if upto is None else upto
        since = cluster.began if since is None else since
        believers = [Truth(), *map(Belief, beliefs)]
        insides = self._insides and self._insides()
        camera = Camera(self.draw, subject, believers, cluster.words, first=since, last=last,
                        insides=insides, of_data=self.of_data)
        twin = cluster.again(prepare=camera.attach)
        trace = twin.trace
        return film_of(camera.shots, trace, cluster.words,
                       title=title or self._title(subject),
                       telling=telling or _telling(camera.shots),
                       chapters=[{"at_us": told_us(trace.event(event).t_us), "title": name}
                                 for event, name in chapters],
                       window=(since, last), cost=twin.setup.cost.described(),
                       insides=insides) | {
            "run": fingerprint([repr(twin.setup), repr(twin.journal)])}


def view(title: Callable[[Any], str], insides: Callable[[], Any] | None = None,
         of_data: bool = False, narrow: bool = False) -> Callable[[Callable], View]:
    """Make a drawing function a view; `title` names its film from the subject."""
    return lambda draw: View(draw, title, insides, of_data, narrow)


def told_us(t_us: int) -> int:
    """When a film says that something was: its story begins at 0, what is before it is scene."""
    return max(0, t_us)


def _telling(shots: list[Shot]) -> int:
    """The last shot: what the film leads to."""
    return shots[-1].event if shots else 0


def film_of(shots: list[Shot], trace: Trace, words: Any, *, title: str, telling: int,
            chapters: list, window: tuple[int, int], cost: str, insides: Any = None) -> dict:
    """Put a film together from what a camera took."""
    scenes = [scene for shot in shots for scene in shot.scenes.values()]
    inside = insides.film(scenes) if insides else {}
    changes = _changes(trace, _asked(scenes), window)
    return {
        "v": encode.VERSION, "title": title,
        "question": scenes[0].question if scenes else "",
        "size": [max(side) for side in zip(*(one.size for one in scenes))] or [720, 340],
        "legend": legend_of(scenes), "telling": telling, "chapters": chapters,
        "frames": {name: _frames(shots, name)
                   for name in (shots[0].scenes if shots else ["truth"])},
        "flights": _flights(trace, window), "events": _events(trace, words, shots, changes, window),
        "changes": changes,
        "details": {mark: one for scene in scenes for mark, one in scene.details.items()},
        "fork": None, "cost": cost} | ({"inside": inside} if inside else {})


def still(scene: Any, title: str) -> dict:
    """A film of one frame: a scene that nothing happens in."""
    frame = {"t_us": 0, "event": 0, "say": scene.say, "shapes": scene.shapes}
    return {"v": encode.VERSION, "title": title, "question": scene.question,
            "size": list(scene.size), "legend": scene.legend(), "telling": 0, "chapters": [],
            "frames": {"truth": encode.delta([frame])}, "flights": [], "events": [], "changes": [],
            "details": scene.details, "fork": None, "cost": None}


def stills(scenes: list, title: str, steps: Iterable[tuple[str, str]]) -> dict:
    """A film of one frame for each scene, outside of any run: no time passes in it.

    `steps`: (mark, text) of each, as the list of events shows it.
    """
    frames = [{"t_us": 0, "event": at, "say": scene.say, "shapes": scene.shapes}
              for at, scene in enumerate(scenes, 1)]
    return still(scenes[-1], title) | {
        "legend": legend_of(scenes), "telling": len(scenes),
        "frames": {"truth": encode.delta(frames)},
        "events": [[at, 0, None, "", mark, text] for at, (mark, text) in enumerate(steps, 1)],
        "details": {mark: one for scene in scenes for mark, one in scene.details.items()}}


# -- frames ----------------------------------------------------------------------------------------
def _frames(shots: list[Shot], whose: str) -> list[dict]:
    """The frames of one believer: each shot at which this believer's own scene changed."""
    taken, before = [], None
    for shot in shots:
        scene = shot.scenes[whose]
        if scene is not before:
            taken.append({"t_us": told_us(shot.t_us), "event": shot.event, "say": scene.say,
                          "shapes": scene.shapes, "waits": shot.waits})
        before = scene
    _spread_messages(taken)
    return encode.delta(taken)


def _spread_messages(frames: list[dict]) -> None:
    """Let each message rest at its share of the way: evenly, over the frames that show it."""
    last_seen: dict[str, list[int]] = {}
    for at, frame in enumerate(frames):
        for key, shape in frame["shapes"].items():
            if shape["k"] == "group" and "fx" in shape and "gx" in shape:
                runs = last_seen.setdefault(key, [])
                runs.append(at)
    for key, at in last_seen.items():
        for run in _runs(at):
            for place, index in enumerate(run):
                shapes = dict(frames[index]["shapes"])
                shapes[key] = _at_share(shapes[key], (place + 1) / (len(run) + 1),
                                        first=place == 0, last=place == len(run) - 1)
                frames[index]["shapes"] = shapes


def _runs(indices: list[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return runs


def _at_share(shape: dict, share: float, first: bool, last: bool) -> dict:
    """The group at this share of its way; where it enters and leaves only where that is needed."""
    x1, y1 = shape["x"] + shape["fx"], shape["y"] + shape["fy"]
    x2, y2 = shape["x"] + shape["gx"], shape["y"] + shape["gy"]
    x, y = round(x1 + (x2 - x1) * share, 1), round(y1 + (y2 - y1) * share, 1)
    moved = {a: v for a, v in shape.items() if a not in ("fx", "fy", "gx", "gy")}
    moved |= {"x": x, "y": y}
    if first:
        moved |= {"fx": round(x1 - x, 1), "fy": round(y1 - y, 1)}
    if last:
        moved |= {"gx": round(x2 - x, 1), "gy": round(y2 - y, 1)}
    return moved


# -- what happened ---------------------------------------------------------------------------------
def _asked(scenes: list) -> set[tuple[str, str]]:
    return {tuple(shape["a"]) for scene in scenes for shape in scene.shapes.values()
            if "a" in shape}


def _changes(trace: Trace, asked: set[tuple[str, str]], window: tuple[int, int]) -> list[list]:
    """Every change that a click can ask about, and what those go back to."""
    first, last = window
    links_of = cache(trace.links)
    wanted: dict[int, int] = {}                  # index -> links it may still follow before `first`
    todo = [(index, LINKS_BEFORE_WINDOW) for pair in sorted(asked)
            for index in trace.of(*pair) if trace.changes[index][0] <= last]
    while todo:
        index, links = todo.pop()
        if wanted.get(index, -1) >= links:
            continue
        wanted[index] = links
        before = trace.changes[index][0] < first
        links -= before and trace.changes[index][2] not in ARROWS
        if links >= 0:
            todo += [(link, links) for link in links_of(index)]
    order = sorted(wanted)
    place = {index: at for at, index in enumerate(order)}
    return [_change(trace, trace.change(index),
                    [place[link] for link in links_of(index) if link in place]) for index in order]


def _change(trace: Trace, one: Change, links: list[int]) -> list:
    kind = one.attribute if one.attribute in ARROWS else \
        "" if links else ENDS.get(trace.event(one.event).kind, "")
    return [one.event, one.subject, one.attribute, _plain(one.old), _plain(one.new), one.rule,
            links, kind]


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, (list, tuple)) and not isinstance(value, TopicPartition):
        return ", ".join(map(str, value))
    return value if value is None or isinstance(value, (int, float, str)) else str(value)


def _events(trace: Trace, words: Any, shots: list[Shot], changes: list[list],
            window: tuple[int, int]) -> list[list]:
    """One row for each event that a frame shows or that a chain can reach.

    It is named after what the film can be asked about, where the event has changed some of that.
    """
    first, last = window
    told = {shot.event for shot in shots} | {row[0] for row in changes}
    known = {tuple(row[:3]) for row in changes}
    by_event: dict[int, list[Change]] = {}
    for row in sorted((row for row in trace.changes if row[0] in told),
                      key=lambda row: row[:3] in known):
        by_event.setdefault(row[0], []).append(Change._make(row))
    sent = {row[0]: Flight._make(row) for row in trace.flights if row[0] in told}
    rows = [_event(trace.event(id), by_event.get(id, []), sent.get(id), words)
            for id in sorted(told) if id]
    for row in rows:
        if row[0] == first and (row[1] < 0 or CONTROL.match(row[3])):
            row[4:] = "message", "the film begins"          # what it was is no part of the story
    return rows


def _event(event: Event, changes: list[Change], sent: Flight | None, words: Any) -> list:
    """Named after what it changed, else after what it sent, else after what arrived.

    A command is named after itself.
    """
    mark = "message"
    commanded = event.kind == "command"
    text = words.event(event) if sent is None or commanded else words.sent(sent)
    for attribute, kind in MARKS:
        found = [one for one in changes if one.attribute.partition(".")[0] == attribute and
                 (attribute != "state" or
                  one.subject.removeprefix("broker-").isdecimal())]
        if found:
            return [event.id, event.t_us, event.by, event.node, kind,
                    text if commanded else words.change(found[-1])]
    return [event.id, event.t_us, event.by, event.node, mark, text]


def _flights(trace: Trace, window: tuple[int, int]) -> list[dict]:
    first, last = window
    return [{"id": id, "from": sender, "to": receiver, "t_us": told_us(t_us),
             "due_us": due_us and told_us(due_us)}
            for event, id, _, sender, receiver, t_us, due_us in trace.flights
            if first <= event <= last]
