"""The replicas of one partition: who has which records, and which of them are safe.

One row for each replica, in the order of the assignment, for the whole film. Filled records are
below the row's own high watermark. Fetches and their answers pass at the right; a fetch shows the
offset that it asks for, which is at the same time what the follower reports.
"""

import re
from typing import Any, NamedTuple

from kafka_internals.common import TopicPartition, broker_name, replica_name
from kafka_internals.viz.camera import STAGE, Look, Message, ReplicaSeen
from kafka_internals.viz.film import view
from kafka_internals.viz.scene import Scene

EPOCHS = {f"epoch-{n + 1}": str(n) for n in range(50)}


class Layout(NamedTuple):
    """Where things stand on a stage of one width, in stage units."""

    log_x: float
    cell: float
    cells: int
    row: float
    near: float                             # where messages between neighbours pass; 0: not drawn
    far: float


WIDE, NARROW = Layout(200, 50, 5, 112, 560, 652), Layout(158, 46, 4, 92, 0, 0)
TOP, CLIENT_Y = 128, 38
LANES = WIDE.near, WIDE.far
STATES = {"running": None, "paused": "paused", "unknown": None, "without power": "no power",
          "without disk": "no disk"}
FAULTS = {
    "crashed": "Broker {broker} crashes. What it wrote is still in its files.",
    "without power": "Broker {broker} loses power: what was not flushed to its disk may be gone.",
    "without disk": "The disk of broker {broker} is gone, with every log on it.",
    "stopped": "Broker {broker} stops cleanly, its log flushed.",
    "paused": "Broker {broker} stands still; the others go on.",
    "running": "Broker {broker} runs again, with what its disk holds."}
DOWN = ("crashed", "stopped", "without power", "without disk")


@view(lambda partition: f"{partition} on its replicas", of_data=True, narrow=True)
def replica_view(look: Look, partition: Any, whose: Any) -> Scene:
    """Logs, log end offsets and high watermarks of a partition's replicas."""
    partition = TopicPartition.of(partition)
    layout = WIDE if look.width >= STAGE else NARROW
    scene = Scene("leader epoch", size=(look.width, 452), words=EPOCHS)
    own = whose.own(look, partition, tuple(look.brokers()))
    if own is None:
        scene.caption(_nothing(look, partition))
        return scene
    rows = whose.replicas(look, partition, own.replicas)
    ys = {seen.broker: TOP + at * layout.row for at, seen in enumerate(rows)}
    scene.size = (look.width, int(TOP + len(rows) * layout.row - 12))
    _header(scene, own)
    _isr(scene, own, ys)
    first = max(0, max(seen.log_end_offset or 0 for seen in rows) - layout.cells)
    for seen in rows:
        scene.part(look.kept, f"{whose.name} {seen.broker}", _row, layout, partition, seen,
                   ys[seen.broker], first, own.broker)
    if layout.near:
        _messages(scene, look, whose, partition, ys)
    scene.caption(say(look, partition, own, rows))
    return scene


def _nothing(look: Look, partition: TopicPartition) -> str:
    if any("@" in name for name in look.subjects()):
        return f"No broker that runs has a replica of {partition}."
    return f"There is no {partition} yet: its topic has not been created."


def _header(scene: Scene, own: Any) -> None:
    fields = (("ISR", ", ".join(map(str, own.isr)), 34), ("min ISR", own.min_isr, 112),
              ("leader", own.leader if own.leader >= 0 else "none", 176),
              ("leader epoch", own.leader_epoch, 236))
    for name, value, x in fields:
        scene.field(f"header/{name}", x, 34, name, value)


def _isr(scene: Scene, own: Any, ys: dict[int, float]) -> None:
    members = [ys[broker] for broker in own.isr]
    if len(members) > 1:
        scene.rail("isr", 40, min(members) + 20, max(members) + 20)


def _row(scene: Scene, layout: Layout, partition: TopicPartition, seen: ReplicaSeen, y: float,
         first: int, own: int) -> None:
    key, subject, down = f"b{seen.broker}", replica_name(partition, seen.broker), seen.state in DOWN
    role = "dead" if down else "leader" if seen.role == "leader" else "follower"
    label = STATES.get(seen.state, seen.state) or seen.role
    scene.node(key, 40, y + 20, seen.broker, role, label=label, note=f"broker {seen.broker}",
               paused=seen.state == "paused", ask=(broker_name(seen.broker), "state"),
               inspect=_details(seen, partition))
    if seen.log_end_offset is None:
        scene.text(f"{key}/unknown", layout.log_x, y + 25, "log unknown", "s13 faint")
        return
    log = scene.log(f"{key}/log", layout.log_x, y, first=first, end=first + layout.cells,
                    cell=layout.cell, dead=down)
    for batch in seen.batches or ():
        if batch.base_offset >= first:
            committed = batch.last_offset < seen.high_watermark
            log.batch(batch.base_offset, batch.last_offset, f"epoch-{batch.leader_epoch + 1}",
                      "committed" if committed else "uncommitted",
                      inspect=batch_details(batch, subject))
    end, mark = seen.log_end_offset, seen.high_watermark
    if end >= first:
        log.log_end(end, ask=asks_for_end(partition, seen, own))
    else:
        mark_before(scene, f"{key}/log/leo", layout.log_x, y + 25, f"LEO {end}",
                    asks_for_end(partition, seen, own))
    if mark is not None and mark >= first:
        log.high_watermark(mark, ask=(subject, "high_watermark"))
    elif mark is not None:
        mark_before(scene, f"{key}/log/hw", layout.log_x, y - 12, f"HW {mark}",
                    (subject, "high_watermark"))


def mark_before(scene: Scene, key: str, x: float, y: float, text: str,
                ask: tuple[str, str]) -> None:
    """A mark that stands further left than the picture begins."""
    scene.path(f"{key}/sign", "M6-5 0 0 6 5", x - 4, y - 4.5, "leo", z=4)
    scene.text(f"{key}/text", x + 6, y, text, "s12 w6 soft", ask=ask)


def asks_for_end(partition: TopicPartition, seen: ReplicaSeen, own: int) -> tuple[str, str]:
    """The end of a log that only a leader's belief tells is asked of that belief."""
    if seen.batches is None and seen.broker != own:
        return replica_name(partition, own), f"remote_log_end_offset.{seen.broker}"
    return replica_name(partition, seen.broker), "log_end_offset"


def _details(seen: ReplicaSeen, partition: TopicPartition) -> dict:
    known = [["role", seen.role], ["log end offset", seen.log_end_offset],
             ["high watermark", seen.high_watermark],
             ["batches", None if seen.batches is None else len(seen.batches)]]
    return {"title": f"{partition} on broker {seen.broker}", "where": seen.state,
            "fields": [[name, "unknown" if value is None else value] for name, value in known]}


def batch_details(batch: Any, subject: str) -> dict:
    offsets = str(batch.base_offset) if batch.base_offset == batch.last_offset else \
        f"{batch.base_offset} to {batch.last_offset}"
    return {"title": f"Record batch, offset {offsets}", "where": subject,
            "fields": [["base offset", batch.base_offset], ["last offset", batch.last_offset],
                       ["leader epoch", batch.leader_epoch], ["size", f"{batch.size} bytes"],
                       ["position in the file", batch.position],
                       ["crc", f"0x{batch.crc:08x}", "mono"]]}


# -- messages --------------------------------------------------------------------------------------
def _messages(scene: Scene, look: Look, whose: Any, partition: TopicPartition,
              ys: dict[int, float]) -> None:
    clients = look.clients()
    for at, name in enumerate(clients[:2]):
        x = LANES[at]
        scene.client(f"client/{name}", x, CLIENT_Y, name[0].upper())
        scene.text(f"client/{name}/who", x, CLIENT_Y - 20, name, "s12 mid soft")
    for message in whose.messages(look):
        way = _way(message, ys, clients)
        if way and str(partition) in message.text:
            kind = "lost" if message.lost else message.kind
            request = f"request{message.id[message.id.index('-'):]}"
            scene.message(f"m/{message.id}", kind, short(message, partition), way,
                          ident=message.ident,
                          ask=(request, "asked" if message.kind == "request" else "answer"))


def _way(message: Message, ys: dict[int, float], clients: list[str]) -> tuple | None:
    """From the sender's row to the receiver's; neighbours near, others far."""
    ends = []
    for name in (message.sender, message.receiver):
        if name.startswith("broker-") and int(name[7:]) in ys:
            ends.append(ys[int(name[7:])] + 20)
        elif name in clients[:2]:
            ends.append(CLIENT_Y + 14)
        else:
            return None
    client = next((n for n in (message.sender, message.receiver) if n in clients[:2]), None)
    if client is not None:
        x = LANES[clients.index(client)]
    else:
        x = LANES[abs(ends[0] - ends[1]) > WIDE.row]
    lean = 26 if ends[1] > ends[0] else -26
    return (x, ends[0] + lean), (x, ends[1] - lean)


def short(message: Message, partition: TopicPartition) -> str:
    """What a pill says: the offset of a fetch, or what its answer brought."""
    text = message.text
    if fetch := re.search(rf"fetch.*{re.escape(str(partition))} at (\d+)", text):
        return f"fetch {fetch[1]}"
    if told := re.search(rf"{re.escape(str(partition))} (\d+) bytes, HW (\d+)", text):
        return f"HW {told[2]}" if told[1] == "0" else f"data, HW {told[2]}"
    if placed := re.search(rf"{re.escape(str(partition))} offset (-?\d+)", text):
        return f"offset {placed[1]}"
    for word in ("produce", "fetch", "nothing new"):
        if text.startswith(word):                 # a session says nothing that was said before
            return word
    return "error" if text.isupper() or "_" in text else "metadata"


# -- the sentence ----------------------------------------------------------------------------------
def say(look: Look, partition: TopicPartition, own: Any, rows: list[ReplicaSeen]) -> str:
    """What this event did; where it did nothing here, how things stand."""
    return _leader_says(look, partition, own) or _followers_say(look, partition) \
        or _fault(look) or _messages_say(look, partition) or _stands(partition, own)


def _leader_says(look: Look, partition: TopicPartition, own: Any) -> str | None:
    for change in reversed(look.changes):
        if own.role != "leader" or change.old is None or \
                change.subject != replica_name(partition, own.broker):
            continue
        if change.attribute == "high_watermark":
            return (f"Every ISR member has what is below {change.new}, and the leader knows it: "
                    f"broker {own.broker} moves the high watermark from {change.old} to "
                    f"{change.new}.")
        if change.attribute == "log_end_offset":
            return (f"Broker {own.broker}, the leader, appends {_span(change)}: its log ends at "
                    f"{change.new}. Nobody else has it yet.")
    return None


def _followers_say(look: Look, partition: TopicPartition) -> str | None:
    for change in look.changes:
        if not change.subject.startswith(f"{partition}@") or change.old is None:
            continue
        broker = change.subject.rpartition("@")[2]
        if change.attribute == "log_end_offset":
            return (f"Broker {broker} appends {_span(change)}: its log ends at {change.new}. The "
                    f"leader does not know that yet.")
        if change.attribute == "high_watermark":
            return f"Broker {broker} was told the high watermark {change.new} and takes it over."
        if change.attribute.startswith("remote_log_end_offset") and change.new is not None:
            fetcher = change.attribute.rpartition(".")[2]
            return (f"Broker {fetcher} has asked for offset {change.new}: now broker {broker} "
                    f"knows that it has everything below {change.new}.")
    return None


def _span(change: Any) -> str:
    first, last = change.old, change.new - 1
    return f"offset {first}" if first == last else f"offsets {first} to {last}"


def _fault(look: Look) -> str | None:
    for change in look.changes:
        if change.attribute == "state" and change.subject.removeprefix("broker-").isdecimal():
            return FAULTS[change.new].format(broker=change.subject[7:])
    return None


def _messages_say(look: Look, partition: TopicPartition) -> str | None:
    """What was sent in this event, or what has come."""
    for message in reversed(look.messages):
        if message.event == look.event and str(partition) in message.text:
            who, to = message.ends
            verb = "asks" if message.kind == "request" else "answers"
            there = look(message.receiver) if message.lost else None
            if there is not None and there.state not in ("running", "paused"):
                return f"{capital(who)} {verb} {to}, which is {there.state}: {message.text}."
            if message.lost:
                return f"{capital(who)} sends to {to}, and the message is lost."
            return f"{capital(who)} {verb} {to}: {message.text}."
    for message in look.arrived:
        if str(partition) in message.text:
            who, to = message.ends
            what = "request" if message.kind == "request" else "answer"
            return f"{capital(who)}'s {what} {message.ident} reaches {to}: {message.text}."
    return None


def capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _stands(partition: TopicPartition, own: Any) -> str:
    mark, end = own.high_watermark, own.log_end_offset
    if own.role != "leader":
        return (f"As broker {own.broker} sees it, the log of {partition} ends at {end}; the high "
                f"watermark is {mark}.")
    if end == 0:
        return f"The log of {partition} is empty; broker {own.broker} leads."
    if mark == end:
        return (f"The high watermark of {partition} is {mark}, the end of the leader's log: "
                f"everything is committed.")
    behind = [wait.of.rpartition(".")[2] for wait in own.waits if wait.of.startswith("remote")]
    if not behind:
        return f"The high watermark of {partition} is {mark}; the leader's log ends at {end}."
    who = " and ".join(f"broker {broker}" for broker in behind)
    verb = "fetches" if len(behind) == 1 else "fetch"
    return (f"The high watermark of {partition} stays at {mark} until {who} {verb} at {mark + 1} "
            f"or later.")
