"""The layers of Kafka as one picture: what stores, what computes, and which client each part is.

Not of a run: Connect, Streams and a registry are no part of this engine. A click says what a part
is and which of the two clients it uses.
"""

from typing import NamedTuple

from kafka_internals.viz.film import still
from kafka_internals.viz.player import Player
from kafka_internals.viz.scene import Scene

PRODUCES, CONSUMES = "kind-1", "kind-2"
WORDS = {PRODUCES: "through a producer", CONSUMES: "through a consumer"}
SIZE = (720, 392)
TOP_Y, CLIENT_Y, LOG_Y = 58, 178, 288
BOX_W, BOX_H, BROKERS = 116, 62, 3


class Part(NamedTuple):
    """What stands above the clients: its place, its two lines, whether it writes and reads."""

    key: str
    x: float
    name: str
    note: str
    writes: bool
    reads: bool
    about: str


PARTS = (
    Part("app", 18, "your code", "web shop, billing", True, True,
         "Calls send() and poll() itself."),
    Part("source", 158, "Connect source", "database to topic", True, False,
         "A connector that reads from elsewhere and produces into topics."),
    Part("sink", 298, "Connect sink", "topic to elsewhere", False, True,
         "A connector that consumes topics and writes to elsewhere."),
    Part("streams", 438, "Kafka Streams", "topic to topic", True, True,
         "A Java library: transforms, joins and aggregates; reads and writes topics."),
    Part("sql", 578, "SQL on top", "ksqlDB, Flink", True, True,
         "Queries that run on for ever. ksqlDB is built on Streams, Flink has clients of its own."))


def layer_map() -> Player:
    """A still picture: brokers below, the two clients above them, everything else on top."""
    scene = Scene("which client", size=SIZE, words=WORDS)
    scene.text("layer/top", 18, 40, "everything else", "s13 w6 soft")
    scene.text("layer/clients", 702, CLIENT_Y + 27, "compute: two clients", "s13 w6 soft right")
    scene.text("layer/storage", 18, LOG_Y - 20, "storage: brokers", "s13 w6 soft")
    scene.rect("storage", 8, LOG_Y - 10, 704, 106, "outline dashed", r=10, z=0)
    for part in PARTS:
        _part(scene, part)
    _client(scene, "producer", 158, PRODUCES, "Producer", "send()")
    _client(scene, "consumer", 430, CONSUMES, "Consumer", "poll()")
    _brokers(scene)
    scene.caption("Brokers store; everything else is a client. Whatever is built on Kafka writes "
                  "through a producer and reads through a consumer.")
    return Player(still(scene, "The layers of Kafka"))


def _part(scene: Scene, part: Part) -> None:
    uses = " and ".join(word for word, does in (("a producer", part.writes),
                                                ("a consumer", part.reads)) if does)
    scene.rect(part.key, part.x, TOP_Y, BOX_W + 8, BOX_H, "box", r=8, z=2,
               inspect={"title": part.name, "where": part.about, "fields": [["uses", uses]]})
    scene.text(f"{part.key}/name", part.x + 62, TOP_Y + 26, part.name, "s13 w6 mid", z=3)
    scene.text(f"{part.key}/note", part.x + 62, TOP_Y + 46, part.note, "s12 soft mid", z=3)
    for does, to_x, tone, shift in ((part.writes, 220, PRODUCES, -8),
                                    (part.reads, 492, CONSUMES, 8)):
        if does:
            scene.line(f"{part.key}/{tone}", part.x + 62 + shift, TOP_Y + BOX_H,
                       to_x + (part.x - 298) / 8, CLIENT_Y, f"toneline {tone}", z=0)


def _client(scene: Scene, key: str, x: float, tone: str, name: str, call: str) -> None:
    into = key == "producer"
    scene.rect(key, x, CLIENT_Y, BOX_W + 8, 44, f"toned {tone}", r=8, z=2, inspect={
        "title": f"{name} API", "where": "a library in the application's process",
        "fields": [["call", call], ["asks brokers with",
                                    "produce requests" if into else "fetch requests"]]})
    scene.text(f"{key}/name", x + 62, CLIENT_Y + 27, name, f"s14 w6 mid on {tone}", z=3)
    scene.line(f"{key}/way", x + 62, CLIENT_Y + 44, x + 62, LOG_Y - 10, f"toneline {tone}", z=0)
    scene.path(f"{key}/arrow", "M-6-9 0 0 6-9" if into else "M-6 9 0 0 6 9", x + 62,
               LOG_Y - 10 if into else CLIENT_Y + 44, f"toneline {tone}", z=3)


def _brokers(scene: Scene) -> None:
    for broker in range(1, BROKERS + 1):
        x = 18 + (broker - 1) * 234
        scene.rect(f"broker-{broker}", x, LOG_Y, 216, 86, "box strong", r=8, z=1, inspect={
            "title": f"Broker {broker}", "where": "a server of the cluster",
            "fields": [["holds", "partitions: logs of records"],
                       ["sees", "keys and values as bytes that it does not read"]]})
        scene.text(f"broker-{broker}/name", x + 12, LOG_Y + 22, f"broker {broker}", "s13 w6", z=3)
        for row in range(2):
            y = LOG_Y + 32 + row * 24
            scene.line(f"broker-{broker}/{row}/base", x + 12, y + 18, x + 204, y + 18, "base", z=2)
            for cell in range(7 - (broker + row) % 3):
                scene.rect(f"broker-{broker}/{row}/{cell}", x + 12 + cell * 24, y, 22, 16,
                           "outline", r=2, z=2)
