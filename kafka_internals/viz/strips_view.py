"""The partitions of a topic as strips of records: where a key leads, and how far readers are.

A record is a cell with its offset, in the tone of its key, and stands where it was appended for as
long as it is there. Above a strip stands, for each consumer that was assigned it, the position: the
offset that it reads next. Retention takes cells at the other end and asks no consumer; the offsets
of those that stay are what they were (`logStartOffset`).
"""

from functools import partial
from typing import Any

from kafka_internals.common import START_MS, TopicPartition, replica_name
from kafka_internals.viz.byte_fields import cut, fitting, plain
from kafka_internals.viz.camera import FUTURE, STAGE, Look
from kafka_internals.viz.film import view
from kafka_internals.viz.scene import Scene
from kafka_internals.viz.theme import width_of

TOP, ROW, ROWS, LEAST_H, CELL_H, LANE, LANES = 76, 68, 6, 340, 34, 18, 3
POINTER, BEFORE = "M0 0 5-8H-5z", "M5-9 0-4 5 1"
SAYS = {                                    # of a replica, a client's or broker's count, a record
    "log_end_offset": "{at} grows at its end: its last offset is {last} now.",
    "high_watermark": "Every in-sync replica has {at} below offset {new}: consumers may read it.",
    "log_start_offset": "Old segments of {at} go: it begins at {new}, and no consumer was asked.",
    "partition_counts": "{who} learns that {of} has {new} partitions, not {old}.",
    "grown": "Topic {of} has {new} partitions now. No record moves; clients hear of it later.",
    "partition": "The record of {who} with {key} goes to {new}.",
    "offset": "{who} is told the place of its record: {place}, offset {new}.",
    "error": "{who} gives a record up: {new}.",
    "read": "{who} has read {of} up to {last}: its position is {new}. Nothing is removed.",
    "moved": "The position of {who} in {of} becomes {new}. The log is as it was."}
WIDE, NARROW = (124, 48, 10), (96, 42, 5)   # where a log begins, its cells, how many of them
HEADER = 30, 105, 222, 330                  # on a narrow stage


@view(lambda topic: f"The partitions of {getattr(topic, 'name', topic)}",
      of_data=True, narrow=True)
def strips_view(look: Look, topic: Any, whose: Any) -> Scene:
    """Every partition of a topic, its records, and the positions of its consumers."""
    topic = getattr(topic, "name", topic)
    layout = WIDE if look.width >= STAGE else NARROW
    count = max(dict(look(f"broker-{broker}").partition_counts).get(topic, 0)
                for broker in look.brokers())
    readers, shown = _readers(look, topic), min(count, ROWS)
    lanes = LANE * max(1, len(readers))
    scene = Scene("key", size=(look.width, max(LEAST_H, TOP + shown * (ROW + lanes) + 10)))
    if not count:
        scene.caption(f"No broker that runs has a topic {topic}.")
        return scene
    sends = {one: told for one in look.sends if (told := look(one)).topic == topic}
    keys = dict.fromkeys(one.key for one in sends.values() if one.key is not None)
    tones = {key: f"key-{number}" for number, key in enumerate(keys, 1)}    # none ever changes
    scene.words = {tone: cut(_text(key), 16) for key, tone in tones.items()}
    if sends and not _is_old(look, sends, readers):
        _send(scene, look, sends, tones)
    replicas = {}
    for number in range(shown):
        name = TopicPartition(topic, number)
        replicas[name] = one = whose.own(look, name, tuple(look.brokers()))
        y = TOP + number * (ROW + lanes) + lanes
        scene.text(f"{name}/name", 16, y + 15, fitting(str(name), layout[0] - 30), "s14 w6")
        if one is None:
            scene.text(f"{name}/nobody", layout[0], y + 22, "no broker has it now", "s13 faint")
            continue
        scene.text(f"{name}/leader", 16, y + 31, f"led by {one.leader}" if one.leader >= 0 else
                   "no leader", "s12 faint", ask=(replica_name(name, one.broker), "role"))
        sent = {told.offset: one for one, told in sends.items() if told.partition == name}
        scene.part(look.kept, f"{whose.name} {name}", partial(_strip, look), layout, str(name), y,
                   one._replace(waits=(), remote_log_end_offset=()), tones, sent,
                   [(reader, positions.get(name)) for reader, positions in readers])
    if count > shown:
        scene.text("more", 16, scene.size[1] - 4, f"and {count - shown} more", "s12 faint")
    scene.caption(_say(look, topic, count, replicas, sends))
    return scene


def _text(data: bytes | None) -> str:
    return "none" if data is None else plain(data.decode("utf-8", "replace"))


def _readers(look: Look, topic: str) -> list[tuple[str, dict]]:
    """Consumers that were assigned a partition of it, and their positions there."""
    assigned = ((name, look(name)) for name in look.clients())
    return [(name, dict(one.position)) for name, one in assigned
            if any(at.topic == topic for at in getattr(one, "assignment", ()))][:LANES]


def _is_old(look: Look, sends: dict, readers: list) -> bool:
    """The last record has its answer, and a consumer has gone on since: who sends is not told."""
    record, told = [*sends.items()][-1]
    answer = look.last(record, "error" if told.error else "offset")
    moved = (look.last(name, f"position.{at}") for name, positions in readers for at in positions)
    return answer is not None and any(one and one.event > answer.event for one in moved)


def _send(scene: Scene, look: Look, sends: dict, tones: dict) -> None:
    """The oldest record without an answer, else the last one: key, partition, offset."""
    one = next((each for each in sends if sends[each].state == "waiting"), [*sends][-1])
    told, producer = sends[one], one.partition("#")[0]
    count = dict(look(producer).partition_counts).get(told.topic)
    end = ("error", told.error) if told.error else ("offset", told.offset)
    fields = ((f"key of {producer}", _text(told.key), None),
              ("partitions known", count, (producer, f"partition_counts.{told.topic}")),
              ("partition", told.partition, (one, "partition")), (*end, (one, end[0])))
    step = look.width / FUTURE
    for at, (name, value, ask) in enumerate(fields):
        x, after = (each * step for each in (*HEADER, FUTURE)[at:at + 2])
        said = "not yet" if value is None else fitting(str(value), (after - x - 24) * 0.78)
        scene.field(f"send/{at}", x, 28, fitting(name, after - x - 6), said,
                    ask=None if value is None else ask)
        if at:
            scene.path(f"send/{at}/then", "M-6-5 0 0-6 5", x - 10, 42, "leo")
    if told.key in tones:
        scene.rect("send/tone", HEADER[0] * step - 19, 35, 12, 14,
                   f"batch {tones[told.key]} committed", r=3)


def _strip(look: Look, scene: Scene, layout: tuple, key: str, y: float, replica: Any,
           tones: dict, sent: dict, positions: list) -> None:
    subject, start = replica_name(key, replica.broker), replica.log_start_offset
    (log_x, cell, cells), below = layout, y + CELL_H + 15
    first = max(0, replica.log_end_offset - cells)
    log = scene.log(key, log_x, y, first=first, end=first + cells, cell=cell, h=CELL_H)
    for offset in range(first, start):
        log.batch(offset, offset, "", "ghost")
    for one in look.records(subject, max(first, start)):
        tone = tones.get(one.key, "plain")
        state = "committed" if one.offset < replica.high_watermark else "uncommitted"
        ask = (sent[one.offset], "partition") if one.offset in sent else (subject, "log_end_offset")
        log.batch(one.offset, one.offset, tone, state, ask=ask, inspect=_details(one, key))
        if one.key is None:
            scene.means("batch plain", "no key")
        else:
            scene.text(f"{key}/key/{one.offset}", log.at(one.offset) + cell / 2 - 2, below,
                       fitting(_text(one.key), cell - 5), f"s12 w6 mid edge {tone}")
    log.log_end(replica.log_end_offset, ask=(subject, "log_end_offset"))
    x, ask = log.at(max(start, first)) - 3, (subject, "log_start_offset")
    if start >= first:
        scene.line(f"{key}/start", x, y - 4, x, y + CELL_H + 6, "inkline", z=4)
    scene.text(f"{key}/start/text", log_x - 7, below, f"start {start}" if start >= first else
               f"{start} to {first - 1}", "s12 w6 soft right", ask=ask)
    for lane, (reader, position) in enumerate(positions):
        if position is not None:
            _cursor(scene, log, key, lane, reader, position)


def _details(one: Any, partition: str) -> dict:
    return {"title": f"Record, offset {one.offset}", "where": partition,
            "fields": [["key", _text(one.key)], ["value", _text(one.value)],
                       ["timestamp", f"{one.timestamp - START_MS} ms"],
                       *([f"header {name}", _text(data)] for name, data in one.headers)]}


def _cursor(scene: Scene, log: Any, partition: str, lane: int, reader: str, position: int) -> None:
    """The pointer stands before the record that is read next, each reader's in its own lane."""
    key, word = f"{partition}/{reader}", f"{reader} {position}"
    ask = reader, f"position.{partition}"
    x, y = log.at(max(position, log.first)) - 1.5, log.y - 6 - lane * LANE
    look = (POINTER, "mark hollow") if position >= log.first else (BEFORE, "leo")
    scene.meanings["chip-position"] = "chip-position"
    if lane:
        scene.line(f"{key}/stem", x, y, x, log.y - 4, "rule", z=3)
    scene.path(f"{key}/cursor", look[0], x, y, look[1], z=6, ask=ask)
    left = x + width_of(word, 12, True) > scene.size[0] - 28
    scene.text(f"{key}/position", x + (-10 if left else 9), y, word,
               f"s12 w6{' right' if left else ''}", z=5, ask=ask)


# -- the sentence ----------------------------------------------------------------------------------
def _say(look: Look, topic: str, count: int, replicas: dict, sends: dict) -> str:
    """What this event did to the topic; where it did nothing here, how things stand."""
    shown = {replica_name(name, one.broker) for name, one in replicas.items() if one}
    for change in reversed(look.changes):
        what, _, of = change.attribute.partition(".")
        who, new, told = change.subject, change.new, {}
        if who in sends and what in ("partition", "offset", "error"):
            told = {"who": who.partition("#")[0], "place": sends[who].partition, "key": "no key"
                    if (key := sends[who].key) is None else f"the key {cut(_text(key), 40)}"}
        elif what == "position" and new is not None and of.rpartition("-")[0] == topic:
            what = "read" if change.rule.startswith("position =") else "moved"
        elif what == "partition_counts" and of == topic and change.old is not None:
            what = "grown" if who.startswith("broker-") else what
        elif who not in shown or what not in SAYS or change.old is None:
            continue
        told = {"who": who, "of": of, "at": who.rpartition("@")[0], "old": change.old, "new": new,
                "last": new - 1 if isinstance(new, int) else new} | told
        said = SAYS[what].format(**told)
        return said[0].upper() + said[1:]
    records = sum(one.log_end_offset - one.log_start_offset for one in replicas.values() if one)
    return (f"The topic {topic} has {count} partition{'' if count == 1 else 's'} with {records} "
            f"record{'' if records == 1 else 's'}; each counts its own offsets.")
