"""Replication under a controller: who leads in which epoch, who is in sync, where logs part.

As `replica_view`, with what a failover needs beside it: the registration as the controller has it
and the leader's own, brackets for the rows of each leader epoch cache, fetches with their offset
and their last epoch, and records that a follower is about to cut: struck first, then gone.
"""

from typing import Any, NamedTuple

from kafka_internals.common import NO_NODE, TopicPartition, broker_name, replica_name
from kafka_internals.viz import replication_words as words
from kafka_internals.viz.camera import STAGE, Look, Message, ReplicaSeen
from kafka_internals.viz.film import view
from kafka_internals.viz.replica_view import (
    DOWN,
    EPOCHS,
    STATES,
    asks_for_end,
    batch_details,
    mark_before,
    short,
)
from kafka_internals.viz.scene import Scene


class Layout(NamedTuple):
    """Where things stand on a stage of one width, in stage units. `columns` are of the table."""

    log_x: float
    cell: float
    cells: int
    columns: tuple[tuple[str, str, float], ...]
    lanes: tuple[float, ...]                # where messages pass; none: they are not drawn


COLUMNS = (("leader", "leader", 138), ("leader_epoch", "leader epoch", 192), ("isr", "ISR", 280))
WIDE = Layout(172, 42, 6, (*COLUMNS, ("elr", "ELR", 348), ("maximal_isr", "maximal ISR", 404)),
              (548, 648))
NARROW = Layout(158, 46, 4, (("leader", "leader", 104), ("leader_epoch", "epoch", 164),
                             ("isr", "ISR", 226), ("elr", "ELR", 306)), ())
TABLE_Y, TOP, ROW, CLIENT_Y, LEAN = 26, 136, 116, 38, 28
CARRIED = 3                                 # batches that a pill shows as squares


@view(lambda partition: f"{partition}: replicas and their controller", narrow=True)
def replication_view(look: Look, partition: Any, whose: Any) -> Scene:
    """Logs by leader epoch, marks, fetches, in-sync sets, and what a controller has written."""
    partition = TopicPartition.of(partition)
    layout = WIDE if look.width >= STAGE else NARROW
    scene = Scene("leader epoch", size=(look.width, 452), words=EPOCHS)
    own, wrote = speaker(look, partition, whose), None
    if whose.name == "truth":
        wrote = look(f"{partition}@{look.controller}")
    if own is None and wrote is None:
        scene.caption(words.nothing(look, partition))
        return scene
    rows = whose.replicas(look, partition, (wrote or own).replicas)
    ys = {seen.broker: TOP + at * ROW for at, seen in enumerate(rows)}
    scene.size = (look.width, TOP + len(rows) * ROW - 12)
    _table(scene, layout, partition, own, wrote, look.controller)
    _rails(scene, partition, own, wrote, ys, look.controller)
    first = max(0, max(seen.log_end_offset or 0 for seen in rows) - layout.cells)
    for seen in rows:
        scene.part(look.kept, f"{whose.name} {seen.broker}", _row, layout, partition, seen,
                   ys[seen.broker], first, _Beside.of(look, partition, seen, own, wrote, whose))
    if layout.lanes:
        _messages(scene, look, whose, partition, layout, ys,
                  "" if whose.name == "truth" else broker_name(own.leader))
    scene.caption(words.say(look, partition, own, wrote, rows))
    return scene


def speaker(look: Look, partition: TopicPartition, whose: Any) -> Any:
    """Who speaks for the replicas: in truth the leader of the newest epoch, or else any."""
    if whose.name != "truth":
        return whose.own(look, partition, ())
    found = [one for broker in look.brokers()
             if (one := look(replica_name(partition, broker))) is not None]
    return max(found, key=lambda one: (one.role == "leader", one.leader_epoch), default=None)


# -- what is written about the partition -----------------------------------------------------------
def _table(scene: Scene, layout: Layout, partition: TopicPartition, own: Any, wrote: Any,
           controller: str) -> None:
    """A line for the controller's registration, and one for the leader's own knowledge."""
    for _, head, x in layout.columns:
        scene.text(f"table/{head}", x, TABLE_Y, head, "s12 faint")
    lines = [("controller", wrote, f"{partition}@{controller}")] if wrote else []
    if own is not None:
        lines.append((f"broker {own.broker}", own, replica_name(partition, own.broker)))
    for at, (name, one, subject) in enumerate(lines):
        y = TABLE_Y + 22 + at * 22
        scene.text(f"table/{name}", 20, y, name, "s13 w6 soft")
        for attribute, head, x in layout.columns:
            if (value := getattr(one, attribute, None)) is not None:
                scene.text(f"table/{name}/{head}", x, y, _listed(value), "s14 w7",
                           ask=(subject, attribute))


def _listed(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value == NO_NODE else str(value)


def _rails(scene: Scene, partition: TopicPartition, own: Any, wrote: Any, ys: dict[int, float],
           controller: str) -> None:
    """The ISR as a rail, the ELR as a dashed one: a badge that no rail reaches is on neither."""
    subject = f"{partition}@{controller}" if wrote else replica_name(partition, own.broker)
    for word, members in (("ISR", (wrote or own).isr), ("ELR", getattr(wrote, "elr", ()))):
        for run in _runs(list(ys), members):
            scene.rail(f"{word}/{run[0]}", 40, ys[run[0]] + 20, ys[run[-1]] + 20, word,
                       promised=word == "ELR", ask=(subject, word.lower()))


def _runs(brokers: list[int], members: tuple[int, ...]) -> list[list[int]]:
    """Members whose rows are neighbours, together."""
    runs: list[list[int]] = []
    for at, broker in enumerate(brokers):
        if broker not in members:
            continue
        if runs and runs[-1][-1] == brokers[at - 1]:
            runs[-1].append(broker)
        else:
            runs.append([broker])
    return runs


# -- one replica -----------------------------------------------------------------------------------
class _Beside(NamedTuple):
    """What a row shows beside its replica's own state."""

    epochs: tuple                           # rows of its leader epoch cache
    epoch: int                              # the leader epoch that it believes in
    note: str
    is_fenced: bool
    doomed_from: int | None                 # records from here on are about to be cut
    cut: range                              # offsets that this event has cut
    teller: int                             # whose belief tells of ends of logs

    @classmethod
    def of(cls, look: Look, partition: TopicPartition, seen: ReplicaSeen, own: Any, wrote: Any,
           whose: Any) -> "_Beside":
        known = seen.batches is not None
        one = look(replica_name(partition, seen.broker)) if known else None
        epochs = look.epochs(partition, seen.broker) if known else ()
        fenced = wrote is not None and look(f"{broker_name(seen.broker)}@{look.controller}").fenced
        return cls(epochs, -1 if one is None else one.leader_epoch,
                   _note(seen, one, own, words.changing(look, own), fenced, wrote), fenced,
                   words.doomed_from(look, partition, seen.broker, epochs, whose),
                   words.cut_now(look, partition, seen.broker), seen.broker if own is None
                   else own.broker)


def _note(seen: ReplicaSeen, one: Any, own: Any, changing: tuple, fenced: bool,
          wrote: Any) -> str:
    """The second line beside a badge: what is about to change comes first."""
    if seen.broker in changing:
        return "about to join" if seen.broker not in own.isr else "about to leave"
    if seen.state in DOWN and wrote is not None:
        return "fenced" if fenced else "not fenced yet"
    if seen.role == "leader" and one is not None:
        return f"in epoch {one.leader_epoch}"
    return f"broker {seen.broker}"


def _row(scene: Scene, layout: Layout, partition: TopicPartition, seen: ReplicaSeen, y: float,
         first: int, beside: _Beside) -> None:
    key, subject, down = f"b{seen.broker}", replica_name(partition, seen.broker), seen.state in DOWN
    fenced = beside.is_fenced and not down
    role = "dead" if down else "fenced" if fenced else seen.role
    label = STATES.get(seen.state, seen.state) or ("fenced" if fenced else seen.role)
    scene.node(key, 40, y + 20, seen.broker, role if role in ("dead", "fenced", "leader")
               else "follower", label=label, note=beside.note, paused=seen.state == "paused",
               ask=(broker_name(seen.broker), "state") if down or seen.state == "paused" else
               (subject, "role"), inspect=_details(seen, partition, beside))
    if seen.log_end_offset is None:
        scene.text(f"{key}/unknown", layout.log_x, y + 25, "log unknown", "s13 faint")
        return
    log = scene.log(f"{key}/log", layout.log_x, y, first=first, end=first + layout.cells,
                    cell=layout.cell, dead=down)
    for batch in seen.batches or ():
        if batch.base_offset >= first:
            _batch(log, batch, seen, beside, subject)
    for offset in beside.cut:
        if first <= offset < first + layout.cells:
            log.batch(offset, offset, "", "ghost", struck=True)
    _brackets(log, seen, beside.epochs)
    _marks(scene, layout, log, partition, seen, beside)


def _batch(log: Any, batch: Any, seen: ReplicaSeen, beside: _Beside, subject: str) -> None:
    doomed = beside.doomed_from is not None and batch.last_offset >= beside.doomed_from
    committed = seen.high_watermark is not None and batch.last_offset < seen.high_watermark
    state = "doomed" if doomed else "committed" if committed else "uncommitted"
    log.batch(batch.base_offset, batch.last_offset, f"epoch-{batch.leader_epoch + 1}", state,
              struck=doomed, inspect=batch_details(batch, subject))


def _brackets(log: Any, seen: ReplicaSeen, epochs: tuple) -> None:
    """A bracket is a row of the epoch cache; an epoch without a record has no width."""
    ends = [start for _, start in epochs[1:]] + [seen.log_end_offset]
    for (epoch, start), end in zip(epochs, ends):
        start = max(start, log.first)
        if end > start:
            log.epoch(epoch, start, end, tone=f"epoch-{epoch + 1}")


def _marks(scene: Scene, layout: Layout, log: Any, partition: TopicPartition, seen: ReplicaSeen,
           beside: _Beside) -> None:
    subject, end, mark = replica_name(partition, seen.broker), seen.log_end_offset, \
        seen.high_watermark
    ask = asks_for_end(partition, seen, beside.teller)
    behind = min(beside.cut.stop, log.first + layout.cells) if beside.cut else None
    if end >= log.first:
        log.log_end(end, word_at=behind, ask=ask)
    else:
        mark_before(scene, f"{log.key}/leo", log.x, log.y + 25, f"LEO {end}", ask)
    if mark is not None and mark >= log.first:
        log.high_watermark(mark, ask=(subject, "high_watermark"))
    elif mark is not None:
        mark_before(scene, f"{log.key}/hw", log.x, log.y - 12, f"HW {mark}",
                    (subject, "high_watermark"))


def _details(seen: ReplicaSeen, partition: TopicPartition, beside: _Beside) -> dict:
    cache = ", ".join(f"{epoch} from {start}" for epoch, start in beside.epochs)
    known = [["role", seen.role], ["leader epoch", None if beside.epoch < 0 else beside.epoch],
             ["log end offset", seen.log_end_offset], ["high watermark", seen.high_watermark],
             ["leader epoch cache", (cache or "empty") if seen.batches is not None else None]]
    return {"title": f"{partition} on broker {seen.broker}", "where": seen.state,
            "fields": [[name, "unknown" if value is None else value] for name, value in known]}


# -- messages --------------------------------------------------------------------------------------
def _messages(scene: Scene, look: Look, whose: Any, partition: TopicPartition, layout: Layout,
              ys: dict[int, float], only_to: str) -> None:
    """What is on its way; a believer waits for its leader of now, and for no earlier one."""
    clients = look.clients()[:len(layout.lanes)]
    for name, x in zip(clients, layout.lanes):
        scene.client(f"client/{name}", x, CLIENT_Y, name[0].upper())
        scene.text(f"client/{name}/who", x, CLIENT_Y - 20, name, "s12 mid soft")
    for message in whose.messages(look):
        way = _way(message, layout.lanes, ys, clients)
        asked = str(partition) in message.text and only_to in ("", message.receiver)
        if way and asked:
            text, below, carried, fields = said(message, partition)
            request = f"request{message.id[message.id.index('-'):]}"
            scene.message(f"m/{message.id}", "lost" if message.lost else message.kind, text, way,
                          ident=message.ident, below=below, carried=carried,
                          inspect=letter(message, fields),
                          ask=(request, "asked" if message.kind == "request" else "answer"))


def _way(message: Message, lanes: tuple[float, ...], ys: dict[int, float],
         clients: list[str]) -> tuple | None:
    """From the sender's row to the receiver's; neighbours near, others far."""
    ends, x = [], None
    for name in (message.sender, message.receiver):
        if name.startswith("broker-") and int(name[7:]) in ys:
            ends.append(ys[int(name[7:])] + 20)
        elif name in clients:
            ends.append(CLIENT_Y + 14)
            x = lanes[clients.index(name)]
        else:
            return None
    lean = LEAN if ends[1] > ends[0] else -LEAN
    x = lanes[abs(ends[0] - ends[1]) > ROW] if x is None else x
    return (x, ends[0] + lean), (x, ends[1] - lean)


def said(message: Message, partition: TopicPartition) -> tuple[str, str, tuple, list]:
    """The text of a pill, its second line, the tones of what it carries, and fields to inspect."""
    data = next((one for one in getattr(message.body, "partitions", ())
                 if getattr(one, "partition", None) == partition), None)
    if hasattr(data, "last_fetched_epoch") and message.body.replica_id >= 0:
        epoch = data.last_fetched_epoch
        return f"fetch {data.fetch_offset}", f"epoch {epoch}" if epoch >= 0 else "no epoch", (), [
            ["fetch offset", data.fetch_offset], ["last fetched epoch", epoch],
            ["current leader epoch", data.current_leader_epoch],
            ["broker epoch", message.body.replica_epoch]]
    if hasattr(data, "diverging_epoch") and data.error == "NONE":
        parts, epochs = data.diverging_epoch, words.epochs_in(data.records)
        fields = [["high watermark", data.high_watermark],
                  ["records", f"{len(data.records)} bytes"],
                  ["their leader epochs", ", ".join(map(str, epochs)) or "none"]]
        if parts is not None:
            return "diverging", f"epoch {parts.leader_epoch} ends at {parts.end_offset}", (), [
                ["diverging epoch", parts.leader_epoch], ["its end offset", parts.end_offset]]
        tones = tuple(f"epoch-{epoch + 1}" for epoch in epochs[:CARRIED])
        more = f"{len(epochs)} batches" if len(epochs) > CARRIED else ""
        return f"HW {data.high_watermark}", more, tones, fields
    return short(message, partition), "", (), []


def letter(message: Message, fields: list) -> dict | None:
    sender, receiver = message.ends
    return {"title": f"{message.kind} {message.ident}", "where": f"{sender} to {receiver}",
            "fields": fields} if fields else None
