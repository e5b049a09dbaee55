"""A state machine as a picture: the engine's own table, lit where a subject stands.

`machine_view(TRANSITIONS)` makes a view for the subjects whose `state` moves along that table. The
layout is Graphviz's, made once; the player lights the state and the edge that was taken last.
"""

import math
import re
from typing import Any

from kafka_internals.viz.camera import Look
from kafka_internals.viz.diagrams import Diagram, Edge, layout, rows
from kafka_internals.viz.film import View
from kafka_internals.viz.scene import Scene

STAGE, TOP = 720, 84


def machine_view(transitions: Any, title: str = "", attribute: str = "state") -> View:
    """A view of one machine. `title` is what the table belongs to ("DelayedProduce")."""
    def draw(look: Look, subject: str, whose: Any) -> Scene:
        return _scene(look, subject, layout(rows(transitions)), attribute)

    draw.__doc__, draw.__name__ = f"The states of {title or 'a machine'}.", "machine_view"
    return View(draw, lambda subject: f"{title}: {_named(subject)}" if title else _named(subject))


def _named(subject: str) -> str:
    """ "parked-producer-1.2" is request 2 of producer-1."""
    parked = re.fullmatch(r"parked-(.+)\.(\d+)", subject)
    return f"request {parked[2]} of {parked[1]}" if parked else subject


def _scene(look: Look, subject: str, diagram: Diagram, attribute: str) -> Scene:
    scale = min(1.0, (STAGE - 40) / diagram.size[0])
    left = (STAGE - diagram.size[0] * scale) / 2
    scene = Scene("", size=(STAGE, int(TOP + diagram.size[1] * scale + 60)))
    last = look.last(subject, attribute)
    state = last.new if last else None
    scene.field("subject", 34, 30, "state of", _named(subject))
    taken = (last.old, last.new) if last else None
    for number, edge in enumerate(diagram.edges):
        draw_edge(scene, edge, number, scale, left, TOP, lit=taken == (edge.start, edge.end))
    for name, box in diagram.states.items():
        draw_state(scene, name, box, scale, left, TOP, (subject, attribute) if name == state
                   else None)
    scene.caption(_say(subject, last, look))
    return scene


def draw_state(scene: Scene, name: str, box: tuple, scale: float, left: float, top: float,
               ask: tuple[str, str] | None) -> None:
    """A state as a box; filled where something stands in it, which `ask` then asks about."""
    (x, y, w, h), here = box, ask is not None
    at = left + x * scale, top + y * scale
    scene.rect(f"state/{name}", at[0] - w * scale / 2, at[1] - h / 2, w * scale, h,
               "solid" if here else "box", r=8, z=2, ask=ask)
    scene.text(f"state/{name}/name", at[0], at[1] + 5, name, f"s14 w6 mid {'rev' if here else ''}")


def draw_edge(scene: Scene, edge: Edge, number: int, scale: float, left: float, top: float,
              lit: bool) -> None:
    """An arrow with the event's name; strong where it was taken last."""
    key, look = f"edge/{number}", "bold-line" if lit else "rule"
    numbers = _scaled(edge.d, scale)
    scene.path(key, numbers, left, top, f"way {look}", z=1)
    x, y = left + edge.tip[0] * scale, top + edge.tip[1] * scale
    angle = math.atan2(edge.tip[1] - edge.before_tip[1], edge.tip[0] - edge.before_tip[0])
    scene.path(f"{key}/head", _head(angle), x, y, "solid" if lit else "solid-2", z=2)
    scene.text(f"{key}/label", left + edge.label[0] * scale, top + edge.label[1] * scale + 4,
               edge.event, f"s12 mid {'w7' if lit else 'soft'}")


def _scaled(d: str, scale: float) -> str:
    start, curve = d[1:].split("C")
    points = [f"{float(n) * scale:.1f}" for n in (start + " " + curve).split()]
    return f"M{points[0]} {points[1]}C" + " ".join(points[2:])


def _head(angle: float) -> str:
    """An arrow head whose tip lies at 0 0."""
    corners = [(-9 * math.cos(angle + turn), -9 * math.sin(angle + turn)) for turn in (0.45, -0.45)]
    (a, b), (c, e) = corners
    return f"M0 0L{a:.1f} {b:.1f}L{c:.1f} {e:.1f}z"


def _say(subject: str, last: Any, look: Look) -> str:
    name = _named(subject)
    name = name[0].upper() + name[1:]
    if last is None:
        return f"{name} does not exist yet."
    if last.event == look.event and last.old is not None:
        return f"{name} goes from {last.old} to {last.new}."
    return f"{name} is {last.new}."
