"""A producer from inside: a bucket of batches for each partition, and what is on its way.

A batch is a box that fills with bytes. It leaves to the right when it is full, when its first
record has lingered, or with another batch for the same broker; batches for one broker leave in one
request. Below is the pool of `buffer.memory`, from which every batch takes its room.
"""

from typing import Any, NamedTuple

from kafka_internals.common import TopicPartition
from kafka_internals.viz.camera import Look
from kafka_internals.viz.film import view
from kafka_internals.viz.inside import Insides
from kafka_internals.viz.scene import Scene

WIDTH, TOP, ROW, ROWS = 720, 66, 66, 4
SIZE = WIDTH, TOP + ROWS * ROW + 62
BUCKET_X, BUCKET_W, BOX_W, BOX_H, BOXES = 112, 300, 92, 40, 3
FLIGHT_X, REQUEST_X, BROKER_X = 452, 566, 660
REASONS = {"open": "fills", "full": "is full", "in flight": "is on its way",
           "back-off": "waits before it is tried again"}


class Row(NamedTuple):
    """A partition with its place, and the tone of its batches."""

    partition: TopicPartition
    leader: int
    y: float
    tone: str


@view(lambda producer: f"Inside {getattr(producer, 'name', producer)}", Insides, of_data=True)
def accumulator_view(look: Look, producer: Any, whose: Any) -> Scene:
    """The accumulator of a producer, given by its handle or its client id."""
    name = getattr(producer, "name", producer)
    scene, one = Scene("partition", size=SIZE), look(name)
    if one is None:
        scene.caption(f"There is no producer {name} yet.")
        return scene
    rows = _rows(one)
    scene.words = {row.tone: str(row.partition) for row in rows}
    _heads(scene, name, one)
    for row in rows:
        _bucket(scene, look, name, one, row)
    _requests(scene, one, rows)
    _pool(scene, name, one, SIZE[1] - 44)
    scene.caption(_say(look, name, one))
    return scene


def _rows(one: Any) -> list[Row]:
    """The partitions by their leaders, so that one request's batches stand together."""
    busy = {batch.partition for batch in one.batches}
    known = sorted(((leader, partition) for partition, leader in one.leader),
                   key=lambda each: (each[1] not in busy, each[1]))[:ROWS]
    known.sort()
    numbers = {partition: n for n, (_, partition) in enumerate(sorted(
        known, key=lambda each: each[1]), 1)}
    return [Row(partition, leader, TOP + at * ROW, f"key-{(numbers[partition] - 1) % 6 + 1}")
            for at, (leader, partition) in enumerate(known)]


def _heads(scene: Scene, name: str, one: Any) -> None:
    for x, head, note in (
            (BUCKET_X, "accumulator", f"a batch holds {one.batch_size} bytes, lingers "
                                      f"{one.linger_ms} ms"),
            (FLIGHT_X, "on its way", None), (BROKER_X - 16, "leader", None)):
        scene.text(f"head/{head}", x, 30, head, "s13 w6")
        if note:
            scene.text(f"head/{head}/note", x, 47, note, "s12 faint")
    scene.client("producer", 34, 28, "P")


def _bucket(scene: Scene, look: Look, name: str, one: Any, row: Row) -> None:
    key, y = str(row.partition), row.y
    scene.text(f"row/{key}", 16, y + 26, key, "s13 w6")
    sticky = dict(one.sticky).get(row.partition.topic) == row.partition.partition
    if sticky:
        scene.text(f"row/{key}/sticky", 16, y + 42, "sticky", "s12 faint",
                   ask=(name, f"sticky.{row.partition.topic}"))
    scene.rect(f"row/{key}/bucket", BUCKET_X - 6, y, BUCKET_W + 6, 56, "outline dashed", r=7, z=0)
    waiting = [batch for batch in one.batches
               if batch.partition == row.partition and batch.state != "in flight"]
    for at, batch in enumerate(waiting[:BOXES]):
        x = BUCKET_X + BUCKET_W - (at + 1) * (BOX_W + 6)
        _batch(scene, name, batch, row, x, y + 4)
        _timer(scene, look, batch, x, y + 49)
    if len(waiting) > BOXES:
        scene.text(f"row/{key}/more", BUCKET_X, y + 14, f"{len(waiting) - BOXES} more", "s12 faint")
    if row.leader >= 0:
        scene.node(f"row/{key}/broker", BROKER_X, y + 24, row.leader, "follower", label="")
    else:
        scene.text(f"row/{key}/broker", BROKER_X - 16, y + 28, "none known", "s12 faint")


def _batch(scene: Scene, name: str, batch: Any, row: Row, x: float, y: float) -> None:
    key, share = f"batch/{batch.id}", min(1.0, batch.size_bytes / max(1, batch.limit_bytes))
    scene.rect(f"{key}/filled", x, y, max(2, round(BOX_W * share)), BOX_H, f"field {row.tone}",
               r=4, z=1)
    scene.rect(key, x, y, BOX_W, BOX_H, "outline", r=4, z=2, inspect=_details(batch),
               ask=(name, f"batch_state.{batch.id}"))
    count = f"{batch.records} record{'' if batch.records == 1 else 's'}"
    scene.text(f"{key}/records", x + 8, y + 17, count, "s13 w6")
    scene.text(f"{key}/bytes", x + 8, y + 33, f"{batch.size_bytes} bytes", "s12")


def _timer(scene: Scene, look: Look, batch: Any, x: float, y: float) -> None:
    """How long it may still stay: a bar that shrinks to the end of its lingering or back-off.

    In quarters, so that a film does not get a frame for each event elsewhere.
    """
    if batch.leaves_ms is None or batch.state == "full":
        return
    now_ms = look.now_us / 1000
    since_ms = batch.created_ms if batch.state == "open" else now_ms
    whole = max(1.0, batch.leaves_ms - since_ms)
    share = round(max(0.0, min(1.0, (batch.leaves_ms - now_ms) / whole)) * 4) / 4
    scene.rect(f"batch/{batch.id}/bar", x, y, BOX_W, 4, "bar", r=2, z=2)
    scene.rect(f"batch/{batch.id}/bar/left", x, y, BOX_W * share, 4, "solid-2", r=2, z=3)


def _details(batch: Any) -> dict:
    numbered = [["base sequence", batch.base_sequence], ["producer epoch", batch.producer_epoch]] \
        if batch.base_sequence >= 0 else []
    leaves = [] if batch.leaves_ms is None else [["leaves at", f"{batch.leaves_ms} ms"]]
    return {"title": f"Batch {batch.id}", "where": REASONS[batch.state],
            "fields": [["records", batch.records],
                       ["size", f"{batch.size_bytes} of {batch.limit_bytes} bytes"],
                       ["created at", f"{batch.created_ms} ms"], *leaves,
                       ["attempts", batch.attempts], *numbered]}


# -- on its way ------------------------------------------------------------------------------------
def _requests(scene: Scene, one: Any, rows: list[Row]) -> None:
    """Each request: its batches in their rows, joined, with one number."""
    places = {row.partition: row for row in rows}
    requests: dict[str, list] = {}
    for batch in one.batches:
        if batch.state == "in flight" and batch.partition in places:
            requests.setdefault(batch.request, []).append(batch)
    taken: dict[TopicPartition, int] = {}
    for request, batches in requests.items():
        ys = []
        for batch in batches:
            row = places[batch.partition]
            at = taken[batch.partition] = taken.get(batch.partition, -1) + 1
            if at < 2:
                _flying(scene, batch, row, FLIGHT_X + at * 42)
            ys.append(row.y + 24)
        _joined(scene, request, min(ys), max(ys), len(taken))


def _flying(scene: Scene, batch: Any, row: Row, x: float) -> None:
    scene.rect(f"batch/{batch.id}", x, row.y + 8, 36, 32, f"field {row.tone}", r=4, z=2,
               inspect=_details(batch), same=f"{batch.request} {batch.partition}")
    scene.text(f"batch/{batch.id}/records", x + 18, row.y + 29, batch.records, "s13 w6 mid")


def _joined(scene: Scene, request: str, y: float, y2: float, number: int) -> None:
    key, middle = f"r/{request}", (y + y2) / 2
    if y2 > y:
        scene.line(f"{key}/join", REQUEST_X - 18, y, REQUEST_X - 18, y2, "inkline", z=1)
    scene.line(f"{key}/track", REQUEST_X - 18, middle, BROKER_X - 20, middle, "track", z=0)
    if f"{key}/pill" in scene.shapes:
        return
    with scene.group(key, REQUEST_X + 14, middle):
        scene.rect(f"{key}/pill", -22, -12, 44, 24, "pill request", r=12, z=8,
                   ask=(request, "asked"))
        scene.text(f"{key}/text", 0, 4.5, f"#{request.rpartition('.')[2]}", "s12h w6 mid", z=9)


# -- below -----------------------------------------------------------------------------------------
def _pool(scene: Scene, name: str, one: Any, y: float) -> None:
    total = one.pool.total_bytes
    used = total - one.available_bytes
    scene.text("pool/name", 16, y + 14, "buffer.memory", "s13 w6", ask=(name, "available_bytes"))
    scene.rect("pool/bar", BUCKET_X, y + 2, BUCKET_W, 14, "outline", r=4, z=1)
    scene.rect("pool/used", BUCKET_X, y + 2, max(1, round(BUCKET_W * used / total)), 14, "solid-2",
               r=4, z=2)
    scene.text("pool/said", FLIGHT_X, y + 14, f"{used} of {total} bytes", "s12 soft")
    told = f"producer id {one.producer_id}, epoch {one.producer_epoch}" if one.producer_id >= 0 \
        else "no producer id"
    scene.text("producer/id", BUCKET_X, y + 36, told, "s12 faint", ask=(name, "producer_id"))


def _say(look: Look, name: str, one: Any) -> str:
    """What this event did in the producer; where it did nothing here, how things stand."""
    sent = [change.subject for change in look.changes
            if change.attribute == "asked" and change.subject.startswith(f"request-{name}.")]
    for request in sent:
        batches = [batch for batch in one.batches if batch.request == request
                   and batch.state == "in flight"]
        if batches:
            what = f"{len(batches)} batches, of {_named(batches)}, leave" if len(batches) > 1 else \
                f"The batch of {batches[0].partition} leaves"
            return f"{what} in one request, #{request.rpartition('.')[2]}."
    mine = [change for change in look.changes if change.subject == name]
    if answered := [change.attribute.partition(".")[2].rpartition("/")[0] for change in mine
                    if change.attribute.startswith("batch_state.")
                    and (change.old, change.new) == ("in flight", None)]:
        return (f"The batch of {' and of '.join(answered)} is answered, and its memory is free "
                f"again.")
    if told := next(filter(None, (_told(name, one, change) for change in mine)), None):
        return told
    waiting = [batch for batch in one.batches if batch.state != "in flight"]
    flying = len(one.batches) - len(waiting)
    if not one.batches:
        return f"{name} holds nothing: every record is answered, or none was sent yet."
    records = sum(batch.records for batch in waiting)
    return (f"{records} record{'s wait' if records != 1 else ' waits'} in {len(waiting)} "
            f"batch{'' if len(waiting) == 1 else 'es'}; {flying} "
            f"{'is' if flying == 1 else 'are'} on the way.")


def _told(name: str, one: Any, change: Any) -> str:
    """What one change of the producer means, or nothing where it tells too little."""
    what, _, of = change.attribute.partition(".")
    if what == "sticky":
        return (f"Records without a key of {of} go to partition {change.new} now, until about a "
                f"batch is full.")
    if what == "producer_id":
        return f"A broker has given {name} the producer id {change.new}."
    if what == "accumulator" and (change.old or 0) < change.new:
        batch = next((batch for batch in reversed(one.batches) if str(batch.partition) == of
                      and batch.state != "in flight"), None)
        return "" if batch is None else _filled(batch)
    if what == "batch_state" and change.new is None:
        return f"The batch {of} is given up, and its memory is free again."
    return ""


def _filled(batch: Any) -> str:
    if batch.state == "full":
        return f"The batch of {batch.partition} is full: {batch.records} records."
    latest = "" if batch.leaves_ms is None else f" It leaves at {batch.leaves_ms} ms at the latest."
    if batch.records == 1:
        return f"A batch for {batch.partition} begins.{latest}"
    return (f"A record joins the batch of {batch.partition}: {batch.records} records, "
            f"{batch.size_bytes} of {batch.limit_bytes} bytes.{latest}")


def _named(batches: list) -> str:
    return " and ".join(str(batch.partition) for batch in batches)
