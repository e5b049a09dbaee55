"""A broker from inside: network threads, the request queue, handlers, purgatory, and one log.

Each request is one token with its correlation id, from the socket of its connection to the answer
that leaves there again. What is drawn is a `RequestPathSnapshot`; a place that a request passes
within one event shows no token. A token in a thread's box holds that thread; in the purgatory it
holds none.
"""

from typing import Any, NamedTuple

from kafka_internals.common import TopicPartition, replica_name
from kafka_internals.viz.camera import Look
from kafka_internals.viz.film import view
from kafka_internals.viz.inside import Insides
from kafka_internals.viz.pipeline_words import short_name, what_happened
from kafka_internals.viz.scene import Scene

PRODUCE, FETCH, OTHER = "kind-1", "kind-2", "kind-3"
WORDS = {PRODUCE: "produce", FETCH: "fetch", OTHER: "other requests"}
TONES = {"Produce": PRODUCE, "FetchConsumer": FETCH, "FetchFollower": FETCH}
SIZE, WITH_LOG = (720, 312), (720, 452)
TOP, LANE, BOTTOM = 72, 63, 262
CLIENT_X, ACCEPTOR_X, NETWORK_X, QUEUE_X, HANDLER_X, BAY_X = 34, 94, 128, 258, 366, 536
BAY_W, SLOTS, SLOT, HANDLERS, LANES, PARKED, PARKED_H = 172, 5, 36, 8, 3, 3, 62
LOG_Y, LOG_X, CELL, CELLS, PAGE = 350, 150, 46, 9, 46


class Place(NamedTuple):
    """Where the token of a request stands."""

    x: float
    y: float


@view(lambda subject: f"Inside broker {subject}" if type(subject) is int
      else f"Inside the leader of {subject}", Insides, of_data=True)
def pipeline_view(look: Look, subject: Any, whose: Any) -> Scene:
    """The request path of a broker, by its id, or of a partition's leader, with that log."""
    partition = None if type(subject) is int else TopicPartition.of(subject)
    broker = subject if partition is None else _leader(look, partition)
    scene = Scene("kind of request", size=SIZE if partition is None else WITH_LOG, words=WORDS)
    path = None if broker is None else look(f"requests@{broker}")
    if path is None:
        scene.caption(f"No broker that runs leads {partition}." if broker is None else
                      f"Broker {broker} does not run: its threads and queues are gone.")
        return scene
    scene.part(look.kept, "ways", _ways, partition is not None)
    _network(scene, path)
    _queue(scene, path)
    _handlers(scene, path)
    _purgatory(scene, path)
    for request in path.requests:
        _token(scene, path, request)
    if partition is not None:
        _log(scene, look, partition, broker)
    scene.caption(what_happened(look, path, partition))
    return scene


def _leader(look: Look, partition: TopicPartition) -> int | None:
    """Who leads, of those that run."""
    return next((broker for broker in look.brokers()
                 if (one := look(replica_name(partition, broker))) and one.role == "leader"), None)


# -- stations --------------------------------------------------------------------------------------
def _ways(scene: Scene, has_log: bool) -> None:
    """What stands in every frame: names of the stations, and the ways between them."""
    for x, name, note in ((NETWORK_X, "network threads", None), (QUEUE_X, "request queue", None),
                          (HANDLER_X, "handler threads", None),
                          (BAY_X, "purgatory", "waits without a thread")):
        scene.text(f"head/{name}", x, 36, name, "s13 w6")
        if note:
            scene.text(f"head/{name}/note", x, 53, note, "s12 faint")
    scene.rect("acceptor", ACCEPTOR_X, TOP, 7, BOTTOM - TOP, "solid-3", r=3.5, z=1)
    scene.text("acceptor/name", ACCEPTOR_X + 3.5, BOTTOM + 20, "acceptor", "s13 w6 mid")
    for key, x, y, x2, y2 in (("in", NETWORK_X + 112, TOP + 18, QUEUE_X, TOP + 18),
                              ("taken", QUEUE_X + 84, TOP + 18, HANDLER_X, TOP + 18),
                              ("parked", HANDLER_X + 144, TOP + 18, BAY_X, TOP + 18)):
        scene.line(f"way/{key}", x, y, x2, y2, "track", z=0)
    scene.path("way/back", f"M0 0V20H-336V{TOP + 30 - BOTTOM}H-352", BAY_X + 60, BOTTOM, "track",
               z=0)
    scene.text("way/back/word", 262, BOTTOM + 36, "answers go back", "s12 faint")
    if has_log:
        scene.line("way/append", HANDLER_X + 70, BOTTOM, HANDLER_X + 70, LOG_Y - 34, "track", z=0)
        scene.text("way/append/word", HANDLER_X + 78, BOTTOM + 36, "append, read", "s12 faint")


def _lane(number: int) -> float:
    """The middle of a network thread's lane; threads from the fourth on share the last."""
    return TOP + LANE * (min(number, LANES - 1) + 0.5)


def _network(scene: Scene, path: Any) -> None:
    count = len(path.processors)
    shown = f"{count} for a listener" if count <= LANES else f"{LANES} of {count} are drawn"
    scene.text("network/count", NETWORK_X, 53, shown, "s12 faint")
    for one in path.processors[:LANES]:
        y, key = _lane(one.number), f"network/{one.number}"
        state = {"idle": "idle", "blocked": "stuck"}.get(one.state, "busy")
        scene.thread(key, NETWORK_X, y - 25, "", state, "", w=112, h=50)
        scene.text(f"{key}/number", NETWORK_X + 10, y - 6,
                   f"n{one.number}{', full' * (state == 'stuck')}",
                   f"s12 w6{' bad' * (state == 'stuck')}")
        if state == "idle":
            scene.text(f"{key}/state", NETWORK_X + 104, y - 6, "idle", "s12 faint right")
        scene.text(f"{key}/word", NETWORK_X + 10, y + 16, "answers", "s12 faint")
        scene.rect(f"{key}/answers", NETWORK_X + 60, y + 1, 46, 22, "outline dashed", r=6, z=2)
        _connections(scene, path, one, y)


def _connections(scene: Scene, path: Any, one: Any, y: float) -> None:
    """The connection of a lane that has something under way, and how many more there are."""
    if not one.connections:
        return
    chosen = next((each for each in one.connections if each.request or each.unread),
                  one.connections[0])
    key, number = f"client/{one.number}/{chosen.client}", chosen.client.rpartition("-")[2]
    if chosen.client.startswith("broker-"):
        scene.node(key, CLIENT_X, y - 6, number, "follower", label="")
    else:
        named = f"{chosen.client[0].upper()}{number}" if len(number) == 1 else \
            chosen.client[0].upper()
        scene.node(key, CLIENT_X, y - 6, named, "follower", shape="client", label="")
    more = len(one.connections) - 1
    scene.text(f"{key}/who", 16, y + 24,
               f"and {more} more" if more else short_name(chosen.client), "s12 soft")
    scene.line(f"{key}/line", CLIENT_X + 20, y - 6, NETWORK_X, y - 6, "rule", z=0)
    if chosen.state != "NOT_MUTED":
        scene.muted(f"{key}/muted", 114, y - 6)


def _queue(scene: Scene, path: Any) -> None:
    for slot in range(SLOTS):
        scene.rect(f"queue/{slot}", QUEUE_X, TOP + 5 + slot * SLOT, 84, 28,
                   "outline dashed" if slot else "outline", r=7, z=1)
    full = " w6 bad" if len(path.queue) >= path.queue_capacity else " faint"
    scene.text("queue/depth", QUEUE_X, 53, f"{len(path.queue)} of {path.queue_capacity}",
               f"s12{full}")


def _handlers(scene: Scene, path: Any) -> None:
    count = len(path.handlers)
    shown = f"{count} for the broker" if count <= HANDLERS else f"{HANDLERS} of {count} are drawn"
    scene.text("handlers/count", HANDLER_X, 53, shown, "s12 faint")
    for one in path.handlers[:HANDLERS]:
        x, y = _handler(one.number)
        state = "idle" if one.request is None else \
            "busy" if one.state == "running" else "stuck"
        scene.thread(f"handler/{one.number}", x, y, f"h{one.number}", state,
                     "idle" if state == "idle" else "", w=72)


def _handler(number: int) -> Place:
    return Place(HANDLER_X + number % 2 * 76, TOP + number // 2 * 48.5)


def _purgatory(scene: Scene, path: Any) -> None:
    scene.bay("purgatory", BAY_X, TOP, BAY_W, BOTTOM - TOP)
    parked = _parked(path)
    for at, one in enumerate(parked[:PARKED]):
        left_ms = one.deadline_ms - path.now_us / 1000
        since_ms = next((each.since_us for each in path.requests if each.request == one.request),
                        path.now_us) / 1000
        share = max(0.0, min(1.0, left_ms / max(1.0, one.deadline_ms - since_ms)))
        scene.parked(f"parked/{one.request}", BAY_X + 12, TOP + 17 + at * PARKED_H, BAY_W - 24,
                     condition(one), f"{_time(left_ms)} left", round(share, 2),
                     ask=(one.request, "station"))
    if (more := len(parked) - PARKED) > 0:
        scene.text("purgatory/more", BAY_X + BAY_W - 12, BOTTOM + 16, f"{more} more wait",
                   "s12 faint right")


def _parked(path: Any) -> list:
    """The operations whose requests are there: one that a handler still has is on its way."""
    elsewhere = {one.request for one in path.requests if one.station != "purgatory"}
    return [one for one in path.purgatory if one.request not in elsewhere]


def condition(parked: Any) -> str:
    """What a parked request waits for, as short as a bay is narrow."""
    waits = parked.waits
    if not waits:
        return "its condition holds"
    one, words = waits[0], {"high_watermark": "HW", "log_end_offset": "LEO"}
    more = f", {len(waits)} logs" if len(waits) > 1 else ""
    if parked.min_bytes > 1:
        return f"{parked.min_bytes:,} bytes{more}"
    return f"{words.get(one.of, one.of)} of {one.subject.partition('@')[0]} ≥ {one.needs}{more}"


def _time(ms: float) -> str:
    return f"{ms / 1000:.0f} s" if ms >= 10_000 else f"{max(0, ms):.0f} ms"


# -- tokens ----------------------------------------------------------------------------------------
def _token(scene: Scene, path: Any, request: Any) -> None:
    """A request where it is now; it rises at its connection, and leaves there."""
    place = _place(path, request)
    if place is None:
        return
    tone, number = TONES.get(request.kind, OTHER), request.request.rpartition(".")[2]
    lane = _lane(next((one.number for one in path.processors for each in one.connections
                       if each.connection == request.connection), 0))
    ways = {"enter" if request.answer is None else "leave": (CLIENT_X + 24, lane - 6)} \
        if request.station.startswith(("socket", "processor")) else {}
    with scene.group(f"t/{request.request}", *place, **ways):
        says = f"#{number}" if ways else f"{_whose(request.request)} #{number}"
        half = 20 if ways else 23
        scene.rect(f"t/{request.request}/pill", -half, -11, 2 * half, 22, f"toned {tone}", r=11,
                   z=8, ask=(request.request, "station"), inspect=_details(request))
        scene.text(f"t/{request.request}/text", 0, 4.5, says, f"s12 w7 mid on {tone}", z=9)


def _whose(request: str) -> str:
    """Whose token it is where its connection is not beside it: "P14", "B2", "C"."""
    client = request[8:].rpartition(".")[0].removesuffix("-fetcher-0")
    number = client.rpartition("-")[2]
    return client[0].upper() + (number if number.isdecimal() and len(number) < 3 else "")


def _details(request: Any) -> dict:
    client, _, number = request.request[8:].rpartition(".")
    answer = [["answer", request.answer]] if request.answer else []
    return {"title": f"Request {number} of {client}", "where": request.station,
            "fields": [["kind", request.kind], ["asks", request.asked], *answer,
                       ["here since", f"{request.since_us / 1000:g} ms"]]}


def _place(path: Any, request: Any) -> Place | None:
    """Where a token stands; None where there are too many to draw them all."""
    station, _, number = request.station.partition(",")[0].rpartition(" ")
    if request.station == "purgatory":
        at = _index(_parked(path), request.request)
        return Place(BAY_X + 32, TOP + 14 + (at - 1) * PARKED_H) if at else None
    if request.station == "request queue":
        at = path.queue.index(request.request)
        return Place(QUEUE_X + 42, TOP + 19 + at * SLOT) if at < SLOTS else None
    if station == "handler":
        x, y = _handler(int(number))
        return Place(x + 48, y + 17.5) if int(number) < HANDLERS else None
    return _at_network_thread(path, request, station, number)


def _index(parked: list, request: str) -> int:
    """Which of the operations that are drawn is the request's, from 1; 0 where it is none."""
    return next((at for at, one in enumerate(parked[:PARKED], 1) if one.request == request), 0)


def _at_network_thread(path: Any, request: Any, station: str, number: str) -> Place | None:
    """In the socket, in the hands of its network thread, or in that one's response queue."""
    if station == "processor":
        return Place(NETWORK_X + 83, _lane(int(number)) - 10) if int(number) < LANES else None
    for one in path.processors[:LANES]:
        answers = [name for _, name in one.response_queue]
        if request.request in answers:
            return Place(NETWORK_X + 83, _lane(one.number) + 12) \
                if answers[0] == request.request else None
        for each in one.connections:
            if each.connection == request.connection and request.station == "socket":
                first = next((r.request for r in path.requests if r.station == "socket"
                              and r.connection in {c.connection for c in one.connections}), None)
                return Place(ACCEPTOR_X - 22, _lane(one.number) - 6) \
                    if first == request.request else None
    return None


# -- the log below ---------------------------------------------------------------------------------
def _log(scene: Scene, look: Look, partition: TopicPartition, broker: int) -> None:
    replica, subject = look(replica_name(partition, broker)), replica_name(partition, broker)
    end, mark = replica.log_end_offset, replica.high_watermark
    first = max(0, end - CELLS + 1)
    scene.text("log/name", 16, LOG_Y + 22, str(partition), "s13 w6")
    log = scene.log("log", LOG_X, LOG_Y, first=first, end=first + CELLS, cell=CELL, h=34)
    for batch in replica.batches:
        if batch.base_offset >= first:
            request = look.request_of(subject, batch.base_offset)
            log.batch(batch.base_offset, batch.last_offset, PRODUCE,
                      "committed" if batch.last_offset < mark else "uncommitted",
                      inspect=_batch(batch, subject), same=request and f"{request} {partition}")
    log.log_end(end, ask=(subject, "log_end_offset"))
    if mark >= first:
        log.high_watermark(mark, ask=(subject, "high_watermark"))
    _pages(scene, look, broker, partition)


def _batch(batch: Any, subject: str) -> dict:
    return {"title": f"Record batch, offsets {batch.base_offset} to {batch.last_offset}",
            "where": subject, "fields": [["size", f"{batch.size} bytes"],
                                         ["position in the file", batch.position],
                                         ["crc", f"0x{batch.crc:08x}", "mono"]]}


def _pages(scene: Scene, look: Look, broker: int, partition: TopicPartition) -> None:
    """The active segment's pages: in the page cache, and below the shore on the disk."""
    files = [one for one in look.disk(broker).files
             if one.name.startswith(f"{partition}/") and one.name.endswith(".log")]
    pages, y = files[-1].pages[-CELLS:] if files else (), LOG_Y + 50
    for name, at in (("page cache", y + 13), ("disk", y + 43)):
        scene.text(f"pages/{name}", 16, at, name, "s13 w6")
    scene.line("pages/shore", LOG_X - 8, y + 23, 704, y + 23, "rule dash", z=0)
    scene.pages("pages/cache", LOG_X, y, ["absent" if one == "evicted" else one for one in pages],
                cell=PAGE)
    scene.pages("pages/disk", LOG_X, y + 30, ["absent" if one == "dirty" else "clean"
                                              for one in pages], cell=PAGE)
    lost = files[-1].unflushed_bytes if files else 0
    said = f"{lost} bytes are not on the disk" if lost else "all of it is on the disk"
    scene.text("pages/said", 704, y + 43, said if files else "nothing written yet",
               "s12 faint right")

