"""Leader epoch caches side by side: how a leader knows where a follower's log parts from its own.

Each column is one replica's `leader-epoch-checkpoint` (KIP-101): an epoch ends where the next one
begins, the last one at the log's end. A fetch names the follower's last epoch; a leader in whose
file that epoch ends before the fetch offset answers with the row, and no records (KIP-595). The
rows of a question and of its answer are ringed while either is on its way.
"""

from typing import Any

from kafka_internals.common import TopicPartition, broker_name, replica_name
from kafka_internals.viz import replication_words as words
from kafka_internals.viz.camera import Look, ReplicaSeen
from kafka_internals.viz.film import view
from kafka_internals.viz.replica_view import DOWN, EPOCHS, STATES
from kafka_internals.viz.replication_view import letter, said, speaker
from kafka_internals.viz.scene import Scene

WIDTH, LEFT, TABLE_Y, ROW, SHOWN = 720, 28, 116, 26, 4
COLUMNS = (("epoch", 18), ("start", 70), ("ends at", 122))
RING_W = 158                                # of a row: five replicas have no more room
LANES_Y, LANE, LEAN = TABLE_Y + SHOWN * ROW + 78, 48, 26


@view(lambda partition: f"{partition}: where each leader epoch began")
def epoch_view(look: Look, partition: Any, whose: Any) -> Scene:
    """The leader epoch cache of each replica, and what fetches make of them."""
    partition = TopicPartition.of(partition)
    scene = Scene("leader epoch", size=(WIDTH, LANES_Y + LANE + 38), words=EPOCHS)
    own, wrote = speaker(look, partition, whose), look(f"{partition}@{look.controller}")
    if own is None:
        scene.caption(words.nothing(look, partition) if wrote is None else
                      f"No broker that runs has a replica of {partition}.")
        return scene
    rows = whose.replicas(look, partition, own.replicas)
    step = (WIDTH - LEFT) / len(rows)
    xs = {seen.broker: LEFT + at * step for at, seen in enumerate(rows)}
    asked = [(message, data) for message in whose.messages(look) if not message.lost
             for data in getattr(message.body, "partitions", ())
             if getattr(data, "partition", None) == partition]
    for seen in rows:
        known = look.epochs(partition, seen.broker) if seen.batches is not None else None
        scene.part(look.kept, f"{whose.name} {seen.broker}", _column, partition, seen,
                   xs[seen.broker], known)
    for message, data in asked:
        _ring(scene, look, partition, message, data, xs)
        _message(scene, message, partition, {one: x + 80 for one, x in xs.items()})
    scene.caption(words.say(look, partition, own, wrote if whose.name == "truth" else None, rows))
    return scene


def _column(scene: Scene, partition: TopicPartition, seen: ReplicaSeen, x: float,
            entries: tuple | None) -> None:
    key, subject, down = f"b{seen.broker}", replica_name(partition, seen.broker), seen.state in DOWN
    scene.node(key, x + 18, 46, seen.broker, "dead" if down else
               "leader" if seen.role == "leader" else "follower",
               label=STATES.get(seen.state, seen.state) or seen.role, note=f"broker {seen.broker}",
               ask=(broker_name(seen.broker), "state") if down else (subject, "role"),
               inspect=_file(partition, seen.broker, entries))
    if entries is None:
        scene.text(f"{key}/unknown", x + 8, TABLE_Y, "file unknown", "s13 faint")
        return
    for head, dx in COLUMNS:
        scene.text(f"{key}/{head}", x + dx, TABLE_Y, head, "s12 mid faint")
    scene.line(f"{key}/rule", x - 4, TABLE_Y + 8, x + RING_W - 8, TABLE_Y + 8, "grid", z=0)
    ends = [start for _, start in entries[1:]] + [seen.log_end_offset]
    for at, ((epoch, start), end) in enumerate([*zip(entries, ends)][-SHOWN:]):
        y, row = TABLE_Y + 28 + at * ROW, f"{key}/row/{epoch}"
        is_last, faint = epoch == entries[-1][0], "faint" if down else ""
        scene.text(row, x + COLUMNS[0][1], y, epoch, f"s14 w7 mid {faint or 'edge'} "
                   f"epoch-{epoch + 1}")
        scene.text(f"{row}/start", x + COLUMNS[1][1], y, start, f"s14 w6 mid {faint}".strip(),
                   ask=(subject, "leader_epoch_start_offset")
                   if is_last and seen.role == "leader" else None)
        scene.text(f"{row}/end", x + COLUMNS[2][1], y, f"LEO {end}" if is_last else end,
                   f"s14 mid {faint}".strip(), ask=(subject, "log_end_offset") if is_last else None)
    if not entries:
        scene.text(f"{key}/empty", x + 8, TABLE_Y + 28, "no epoch yet", "s13 faint")


def _file(partition: TopicPartition, broker: int, entries: tuple | None) -> dict:
    rows = [[f"line {at}", f"{epoch} {start}", "mono"]
            for at, (epoch, start) in enumerate(entries or (), 3)]
    known = [["version", "0", "mono"], ["entries", f"{len(entries or ())}", "mono"], *rows]
    return {"title": f"{partition}/leader-epoch-checkpoint", "where": f"broker {broker}",
            "fields": known if entries is not None else [["file", "unknown"]]}


# -- question and answer ---------------------------------------------------------------------------
def _ring(scene: Scene, look: Look, partition: TopicPartition, message: Any, data: Any,
          xs: dict[int, float]) -> None:
    """Ring the row that a fetch names in its sender's file, or an answer in the leader's."""
    sender, epoch, told = message.sender[7:], None, ""
    if message.kind == "request" and getattr(data, "last_fetched_epoch", -1) >= 0:
        epoch, told = data.last_fetched_epoch, f"asks from {data.fetch_offset}"
    elif parts := getattr(data, "diverging_epoch", None):
        epoch, told = parts.leader_epoch, f"answers: ends at {parts.end_offset}"
    if epoch is None or not sender.isdecimal() or int(sender) not in xs:
        return
    row = scene.shapes.get(f"b{sender}/row/{epoch}")
    if row is None or f"b{sender}/ring" in scene.shapes:
        return
    x = xs[int(sender)]
    scene.rect(f"b{sender}/ring", x - 4, row["y"] - 18, RING_W, 25, "differs", r=6, z=1)
    lowest = max(shape["y"] for key, shape in scene.shapes.items()
                 if key.startswith(f"b{sender}/row/"))
    scene.text(f"b{sender}/told", x + 2, lowest + 25, told, "s12 w6")


def _message(scene: Scene, message: Any, partition: TopicPartition, xs: dict[int, float]) -> None:
    """Pills pass below the files, those of neighbours above those that go farther."""
    ends = [int(name[7:]) for name in (message.sender, message.receiver) if name[7:].isdecimal()
            and name.startswith("broker-")]
    if len(ends) < 2 or not set(ends) <= set(xs):
        return
    one, other = (xs[broker] for broker in ends)
    order = list(xs)
    y = LANES_Y + LANE * (abs(order.index(ends[0]) - order.index(ends[1])) > 1)
    lean = LEAN if other > one else -LEAN
    text, below, carried, fields = said(message, partition)
    scene.message(f"m/{message.id}", message.kind, text, ((one + lean, y), (other - lean, y)),
                  ident=message.ident, below=below, carried=carried,
                  inspect=letter(message, fields),
                  ask=(f"request{message.id[message.id.index('-'):]}",
                       "asked" if message.kind == "request" else "answer"))
