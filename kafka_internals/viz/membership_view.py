"""Membership: who is registered, who is in service, and what is written about one partition.

Everything is as the controller has it (KIP-631, KIP-966), but for the last column, which is the
truth: a process may be dead for as long as its session lasts before the controller says so. Below
stand the partition's registration and the last election: who was passed over, and why.
"""

import re
from typing import Any

from kafka_internals.common import NO_NODE, TopicPartition, broker_name
from kafka_internals.viz import replication_words as words
from kafka_internals.viz.camera import Look
from kafka_internals.viz.film import view
from kafka_internals.viz.scene import Scene

WIDTH, ROW, HEAD_Y, TOP = 720, 46, 34, 64
COLUMNS = (("registration", 76), ("broker epoch", 246), ("incarnation", 332),
           ("heartbeat, session", 414), ("process, in truth", 528))
FIELDS = (("replicas", "replicas", 40), ("leader", "leader", 142), ("leader_epoch", "leader epoch",
          208), ("partition_epoch", "partition epoch", 302), ("isr", "ISR", 416),
          ("elr", "ELR", 506), ("last_known_elr", "last known leader", 590))
SHOWN, STEP = 4, 168                        # candidates of an election, and the room of each
ORDER = "election in replica order: "


@view(lambda partition: f"Members of the cluster, and {partition}")
def membership_view(look: Look, partition: Any, whose: Any) -> Scene:
    """Brokers with their registration; the partition's registration and its last election."""
    partition = TopicPartition.of(partition)
    scene = Scene("", size=(WIDTH, 452))
    brokers = {broker: look(f"{broker_name(broker)}@{look.controller}")
               for broker in look.brokers()}
    for head, x in COLUMNS:
        scene.text(f"head/{head}", x, HEAD_Y, head, "s12 faint")
    for at, (broker, one) in enumerate(brokers.items()):
        life = look(f"{broker_name(broker)}-lifecycle")
        scene.part(look.kept, f"broker {broker}", _broker, broker, look.controller, one,
                   look(broker_name(broker)).state, life and life.state, TOP + at * ROW)
    y, wrote = TOP + len(brokers) * ROW, look(f"{partition}@{look.controller}")
    scene.size = (WIDTH, y + 154)
    scene.line("shore", 24, y - 12, WIDTH - 24, y - 12, "grid", z=0)
    if wrote is not None:
        scene.part(look.kept, "partition", _registration, f"{partition}@{look.controller}",
                   str(partition), wrote, y + 14)
        _election(scene, look, f"{partition}@{look.controller}", y + 96)
    scene.caption(_say(look, partition, brokers, wrote))
    return scene


# -- brokers ---------------------------------------------------------------------------------------
def _broker(scene: Scene, broker: int, controller: str, one: Any, state: str, life: str | None,
            y: float) -> None:
    key, subject = f"b{broker}", f"{broker_name(broker)}@{controller}"
    if one is None:
        scene.node(key, 40, y, broker, "away", label="")
        scene.text(f"{key}/registration", 76, y + 5, "not registered", "s13 faint")
        return
    scene.node(key, 40, y, broker, "fenced" if one.fenced else "follower", label="",
               ask=(subject, "fenced"), inspect=_details(broker, one, subject))
    leaving = one.in_controlled_shutdown
    said = "in controlled shutdown" if leaving else "fenced" if one.fenced else "unfenced"
    asked = "in_controlled_shutdown" if leaving else "fenced"
    values = ((asked, said, "s14 w6"), ("epoch", one.epoch, "s14 w6"),
              ("incarnation_id", f"{one.incarnation_id[:6]}…", "s13 mono"),
              ("contact_ms", _clock(one.contact_ms), "s14 w6"))
    for (attribute, text, look_words), (_, x) in zip(values, COLUMNS):
        scene.text(f"{key}/{attribute}", x, y + 5, text, look_words, ask=(subject, attribute))
    if (ends := _session_end(one)) is not None:
        scene.text(f"{key}/session", COLUMNS[3][1], y + 20, f"to {_clock(ends)}", "s12 faint")
    _process(scene, key, broker, state, life, y)


def _process(scene: Scene, key: str, broker: int, state: str, life: str | None, y: float) -> None:
    """What the broker is, whoever knows it: its process, and what that thinks of itself."""
    x, down = COLUMNS[-1][1], state not in ("running", "paused")
    scene.text(f"{key}/process", x, y + 5, state, f"s14 w6 {'bad' * down}".strip(),
               ask=(broker_name(broker), "state"))
    if life is not None:
        scene.text(f"{key}/life", x, y + 20, life.lower().replace("_", " "), "s12 faint",
                   ask=(f"{broker_name(broker)}-lifecycle", "state"))


def _session_end(one: Any) -> int | None:
    return next((wait.or_at_ms for wait in one.waits if wait.attribute == "fenced"), None)


def _clock(ms: int | None) -> str:
    if ms is None:
        return "none"
    return "before the start" if ms < 0 else f"{ms / 1000:.3f} s"


def _details(broker: int, one: Any, subject: str) -> dict:
    fields = [["state", one.state], ["incarnation", one.incarnation_id, "mono"],
              ["broker epoch", one.epoch], ["rack", one.rack or "none"],
              ["metadata offset", one.metadata_offset],
              ["controlled shutdown offset", one.controlled_shutdown_offset],
              ["log directories", ", ".join(one.log_dirs), "mono"]]
    return {"title": f"Broker {broker}", "where": "as the controller knows it",
            "fields": [[name, "unknown" if value in (None, -1) else value, *more]
                       for name, value, *more in fields]}


# -- the partition ---------------------------------------------------------------------------------
def _registration(scene: Scene, subject: str, name: str, wrote: Any, y: float) -> None:
    scene.text("partition", 24, y, name, "s15 w7")
    scene.text("partition/where", 24 + 10 * len(name) + 12, y, "as it is written", "s12 faint")
    for attribute, head, x in FIELDS:
        scene.text(f"partition/{attribute}/name", x - 16, y + 24, head, "s12 faint")
        scene.text(f"partition/{attribute}", x - 16, y + 44, _listed(getattr(wrote, attribute)),
                   "s14 w7", ask=(subject, attribute))


def _listed(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value == NO_NODE else str(value)


def _election(scene: Scene, look: Look, subject: str, y: float) -> None:
    """Whom the last election asked, in its order, and what became of each."""
    last = look.last(subject, "leader")
    rule = last.rule if last is not None else ""
    if ORDER not in rule:
        scene.text("election", 24, y, "No election yet: the topic began with its preferred leader.",
                   "s13 faint")
        return
    kind = rule.partition(f" {ORDER}")[0].rpartition("; ")[2]
    scene.text("election", 24, y, f"{kind} election at {last_time(look, last)}, in replica order",
               "s13 w6 soft")
    asked = re.split(r", (?=\d+ |nobody)", rule.partition(ORDER)[2])
    for at, one in enumerate(asked[:SHOWN]):
        x, (number, _, verdict) = 40 + at * STEP, one.partition(" ")
        word, _, more = verdict.partition(", ")
        if number.isdecimal():
            scene.node(f"election/{number}", x, y + 30, number, "leader" if word == "leads" else
                       "follower", label=word, note=more, ask=(subject, "leader"))
        else:
            scene.text("election/nobody", x - 16, y + 35, one, "s14 w6 bad",
                       ask=(subject, "leader"))
    if len(asked) > SHOWN:
        scene.text("election/more", WIDTH - 16, y, f"{len(asked) - SHOWN} more", "s12 faint right")


def last_time(look: Look, change: Any) -> str:
    """When a change happened, as the player's clock says it."""
    return _clock(look.time_us(change.event) // 1000)


# -- the sentence ----------------------------------------------------------------------------------
def _say(look: Look, partition: TopicPartition, brokers: dict[int, Any], wrote: Any) -> str:
    told = _registers(look, brokers), words.written(look, partition), words.fenced(look), \
        _state(look), _heartbeat(look, brokers)
    if found := next(filter(None, told), None):
        return found
    serve = [one for one in brokers.values()
             if one is not None and not (one.fenced or one.in_controlled_shutdown)]
    many = f"In service are {len(serve)} of {len(brokers)} brokers"
    if wrote is None:
        return f"{many}. There is no {partition} yet."
    leads = f"broker {wrote.leader} leads" if wrote.leader >= 0 else "nobody leads"
    return f"{many}; {leads} {partition} in epoch {wrote.leader_epoch}."


def _of_controller(look: Look, attribute: str) -> Any:
    """(broker, change) of brokers as the controller knows them."""
    for change in look.changes:
        name, _, at = change.subject.partition("@")
        if change.attribute == attribute and at == look.controller and name[7:].isdecimal():
            yield int(name[7:]), change


def _registers(look: Look, brokers: dict[int, Any]) -> str | None:
    for broker, change in _of_controller(look, "incarnation_id"):
        if change.old is not None:
            return (f"Another process registers as broker {broker}: broker epoch "
                    f"{brokers[broker].epoch}, and fenced until it has caught up.")
    return None


def _state(look: Look) -> str | None:
    for change in look.changes:
        name = change.subject.removeprefix("broker-")
        if change.attribute == "state" and name.isdecimal():
            knows = "" if change.new == "running" else " The controller does not know that yet."
            return f"Broker {name} is {change.new} now.{knows}"
        if change.attribute == "state" and name.endswith("-lifecycle") and change.old is not None:
            return f"Broker {name.partition('-')[0]} goes from {change.old} to {change.new}."
    return None


def _heartbeat(look: Look, brokers: dict[int, Any]) -> str | None:
    for broker, change in _of_controller(look, "contact_ms"):
        if change.new is not None:
            ends, leaves = _session_end(brokers[broker]), brokers[broker].in_controlled_shutdown
            said = f"its session lasts to {_clock(ends)} now" if ends is not None else \
                "it leads nothing any more, and may stop soon" if leaves else "it stays fenced"
            return f"A heartbeat of broker {broker} reaches the controller: {said}."
    return None
