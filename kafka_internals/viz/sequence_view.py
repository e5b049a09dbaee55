"""Who said what to whom, and when: a sequence diagram, made from the trace alone.

One lane for each node that is named, in the order given; time runs down, one row a message, the
newest in ink. It works for any protocol, because it knows none: the words on an arrow are the
question or the answer as the trace has them.
"""

from collections.abc import Iterable
from typing import Any

from kafka_internals.viz.camera import Look, Message
from kafka_internals.viz.film import view
from kafka_internals.viz.scene import Scene
from kafka_internals.viz.theme import width_of

ROWS, ROW, TOP, LEFT, WIDTH = 9, 34, 96, 96, 560


@view(lambda nodes: "Messages" if not nodes else f"Messages of {', '.join(nodes)}")
def sequence_view(look: Look, nodes: Iterable[str] | None, whose: Any) -> Scene:
    """The last messages among these nodes (none named: all clients and brokers)."""
    lanes = tuple(nodes or look.clients() + [f"broker-{broker}" for broker in look.brokers()])
    scene = Scene("", size=(720, TOP + ROWS * ROW + 10))
    xs = {name: LEFT + at * WIDTH / max(1, len(lanes) - 1) for at, name in enumerate(lanes)}
    for name, x in xs.items():
        _head(scene, look, name, x)
    said = [m for m in look.said if m.sender in xs and m.receiver in xs]
    shown = said[-ROWS:]
    for row, message in enumerate(shown):
        _arrow(scene, look, message, xs, TOP + 30 + row * ROW)
    scene.caption(_say(look, said))
    return scene


def _head(scene: Scene, look: Look, name: str, x: float) -> None:
    snapshot = look(name)
    if name.startswith("broker-"):
        down = snapshot is not None and snapshot.state not in ("running", "paused")
        scene.node(f"head/{name}", x, 40, name[7:], "dead" if down else "follower", label="",
                   paused=snapshot is not None and snapshot.state == "paused")
        there = not down
    else:
        scene.client(f"head/{name}", x, 40, name[0].upper(), there=snapshot is not None)
        there = snapshot is not None
    scene.text(f"head/{name}/who", x, 76, name.replace("-", " "), "s12 mid soft")
    scene.lane(f"lane/{name}", x, 86, TOP + ROWS * ROW, there=there)


def _arrow(scene: Scene, look: Look, message: Message, xs: dict[str, float], y: float) -> None:
    way = message.due_us is None or message.due_us > look.now_us
    request = f"request{message.id[message.id.index('-'):]}"
    x, x2 = xs[message.sender], xs[message.receiver]
    scene.arrow(f"m/{message.id}", x, x2, y, _fitting(message, abs(x2 - x)),
                answer=message.kind == "response", now=way,
                ask=(request, "asked" if message.kind == "request" else "answer"))
    if message.lost:
        scene.cut_link(f"m/{message.id}/lost", (x + x2) / 2, y)


def _fitting(message: Message, wide: float) -> str:
    """Its number, and as many of its words as the arrow is wide."""
    text = f"{message.ident} {message.text}"
    if width_of(text, 12, True) <= wide - 24:
        return text
    while len(text) > 3 and width_of(f"{text}…", 12, True) > wide - 24:
        text = text[:-1].rstrip()
    return f"{text}…"


def _say(look: Look, said: list[Message]) -> str:
    if not said:
        return "Nobody has said anything yet."
    newest = said[-1]
    verb = "asks" if newest.kind == "request" else "answers"
    end = " The message is lost." if newest.lost else ""
    sender, receiver = newest.ends
    return f"{sender[0].upper()}{sender[1:]} {verb} {receiver}: {newest.ident} {newest.text}.{end}"
