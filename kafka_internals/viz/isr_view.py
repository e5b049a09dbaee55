"""The states of a partition, lit as a film goes on: online or not, and what its ISR waits for.

Above, what the controller has written: a partition without a leader is offline (leader -1). Below,
the leader's own machine of the in-sync set (KIP-497), drawn from the table that runs it; arrows
between the same two states are one, and the one just taken is lit. The picture follows whoever
leads: each leader begins in COMMITTED.
"""

from typing import Any

from kafka_internals.common import TopicPartition, replica_name
from kafka_internals.server.partition_state import TRANSITIONS
from kafka_internals.viz import replication_words as words
from kafka_internals.viz.camera import Look
from kafka_internals.viz.diagrams import Diagram, layout
from kafka_internals.viz.film import view
from kafka_internals.viz.machine_view import draw_edge, draw_state
from kafka_internals.viz.replication_view import speaker
from kafka_internals.viz.scene import Scene

WIDTH, TOP = 720, 132
ONLINE, OFFLINE = "ONLINE", "OFFLINE"


def merged(transitions: Any) -> tuple:
    """Rows of a table with one row for all events between the same two states."""
    events: dict[tuple[str, str], list[str]] = {}
    for (state, event), end in transitions.items():
        events.setdefault((state, end), []).append(event)
    return tuple((state, ", ".join(told), end) for (state, end), told in events.items())


@view(lambda partition: f"{partition}: its states")
def isr_view(look: Look, partition: Any, whose: Any) -> Scene:
    """Online or offline, and the leader's machine of the in-sync set."""
    partition = TopicPartition.of(partition)
    diagram = layout(merged(TRANSITIONS))
    scale = min(1.0, (WIDTH - 40) / diagram.size[0])
    scene = Scene("", size=(WIDTH, int(TOP + diagram.size[1] + 24)))
    subject = f"{partition}@{look.controller}"
    own, wrote = speaker(look, partition, whose), look(subject)
    if wrote is None:
        scene.caption(words.nothing(look, partition))
        return scene
    scene.part(look.kept, "service", _service, subject, wrote)
    leads = own if own is not None and own.role == "leader" else None
    last = look.last(f"{partition}@{leads.broker}", "isr_state") if leads else None
    scene.part(look.kept, "machine", _machine, diagram, scale, partition, leads and leads.broker,
               leads and leads.isr_state, last and (last.old, last.new))
    scene.caption(_say(look, partition, own, wrote))
    return scene


def _service(scene: Scene, subject: str, wrote: Any) -> None:
    """Two boxes: the one that holds is filled, or red where nobody leads."""
    scene.text("service", 24, 34, "the partition, as the controller has written it", "s12 faint")
    for name, x, here in ((ONLINE, 24, wrote.leader >= 0), (OFFLINE, 144, wrote.leader < 0)):
        look = "box" if not here else "solid" if name == ONLINE else "dangerwash"
        text = "" if not here else "rev" if name == ONLINE else "bad"
        scene.rect(f"service/{name}", x, 46, 104, 32, look, r=8, z=2,
                   ask=(subject, "leader") if here else None)
        scene.text(f"service/{name}/name", x + 52, 67, name, f"s14 w6 mid {text}".strip())
    values = (("leader", wrote.leader if wrote.leader >= 0 else "none", 290),
              ("leader_epoch", wrote.leader_epoch, 370), ("isr", words.listed(wrote.isr), 470),
              ("elr", words.listed(wrote.elr), 590))
    for attribute, value, x in values:
        name = attribute.upper() if attribute in ("isr", "elr") else attribute.replace("_", " ")
        scene.field(f"service/{attribute}", x, 48, name, value, ask=(subject, attribute))


def _machine(scene: Scene, diagram: Diagram, scale: float, partition: TopicPartition,
             leader: int | None, here: str | None, taken: tuple[str, str] | None) -> None:
    """The table of the ISR's states; `here` is its leader's, `taken` the last change of it."""
    title = "the in-sync set: no broker that runs leads" if leader is None else \
        f"the in-sync set, as broker {leader} leads it"
    scene.text("machine", 24, TOP - 22, title, "s12 faint")
    left = (WIDTH - diagram.size[0] * scale) / 2
    for number, edge in enumerate(diagram.edges):
        draw_edge(scene, edge, number, scale, left, TOP, lit=taken == (edge.start, edge.end))
    for name, box in diagram.states.items():
        draw_state(scene, name, box, scale, left, TOP,
                   (replica_name(partition, leader), "isr_state") if here == name else None)


def _say(look: Look, partition: TopicPartition, own: Any, wrote: Any) -> str:
    told = (words.written(look, partition), words.fenced(look), words.in_sync(look, partition),
            words.role(look, partition))
    if found := next(filter(None, told), None):
        return found
    if wrote.leader < 0:
        return f"Partition {partition} is offline: nobody may lead it."
    state = "" if own is None or own.isr_state == "COMMITTED" else \
        f", and {own.isr_state.lower()} at its leader"
    return f"Partition {partition} is online: broker {wrote.leader} leads it{state}."
