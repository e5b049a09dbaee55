"""The figures, each beside its goal: ratios within one run wherever there is a peer.

Rounds are interleaved and the median counts, so that a busy machine disturbs both sides alike. The
figures of the player in a browser are not measured here yet.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from heapq import heappop, heappush
from typing import NamedTuple

ROUNDS = 7
RECORDS = tuple((1_767_225_600_000 + n, None, b"x" * 100, ()) for n in range(100))


class Figure(NamedTuple):
    """One line: what it is, how much, in what unit, and whether at least or at most is wanted."""

    name: str
    value: float
    unit: str
    least: float | None = None
    most: float | None = None

    @property
    def met(self) -> bool:
        """True where the goal is reached."""
        return (self.least is None or self.value >= self.least) \
            and (self.most is None or self.value <= self.most)

    def __str__(self) -> str:
        goal = f">= {self.least:g}" if self.least is not None else f"<= {self.most:g}"
        return (f"{self.name:<58}{self.value:>10.3g} {self.unit:<6}{goal:>12}  "
                f"{'met' if self.met else 'MISSED'}")


def seconds(act: Callable, times: int = 1) -> float:
    """How long `times` calls take, each."""
    began = time.perf_counter()
    for _ in range(times):
        act()
    return (time.perf_counter() - began) / times


def medians(*acts: Callable[[], float]) -> list[float]:
    """The median of each measure over interleaved rounds."""
    rounds = [[act() for act in acts] for _ in range(ROUNDS)]
    return [statistics.median(column) for column in zip(*rounds, strict=True)]


# -- bytes -----------------------------------------------------------------------------------------
def encode() -> list[Figure]:
    """Encoding 100 records of 100 bytes, against two other libraries."""
    import google_crc32c
    from aiokafka.record.default_records import DefaultRecordBatchBuilder as Aiokafka
    from kafka.record import default_records
    from kafka.record.default_records import DefaultRecordBatchBuilder as KafkaPython

    from kafka_internals.record_batch import encode as own

    default_records.calc_crc32c = lambda data: google_crc32c.value(bytes(data))    # a fair peer

    def other(kind: type) -> Callable:
        def build() -> None:
            builder = kind(magic=2, compression_type=0, is_transactional=False, producer_id=-1,
                           producer_epoch=-1, base_sequence=-1, batch_size=1_000_000)
            for at, (timestamp, key, value, _) in enumerate(RECORDS):
                builder.append(at, timestamp, key, value, [])
            builder.build()
        return build

    ours, python, cython = medians(*(
        lambda act=act: seconds(act, 200)
        for act in (lambda: own(RECORDS), other(KafkaPython), other(Aiokafka))))
    return [Figure("batch encode, times kafka-python (its CRC replaced)", python / ours, "x", 3),
            Figure("batch encode, times aiokafka", cython / ours, "x", 0.4)]


def carry() -> list[Figure]:
    """Header, checksum and new offsets of a 100-record batch, without decoding it."""
    from kafka_internals.record_batch import RecordBatch
    from kafka_internals.record_batch import encode as own

    data = own(RECORDS)

    def act() -> None:
        batch = RecordBatch(data)
        batch.ensure_valid()
        batch.with_offsets(4_000, 3)

    (us,) = medians(lambda: seconds(act, 2_000) * 1e6)
    return [Figure("opaque carry of a 100-record batch", us, "us", most=5)]


# -- engine ----------------------------------------------------------------------------------------
def _bare_heap(events: int = 200_000) -> float:
    """Events a second of a loop that only pushes and pops."""
    agenda: list = []
    for at in range(64):
        heappush(agenda, (at, at, None))
    began = time.perf_counter()
    for _ in range(events):
        due, ticket, _ = heappop(agenda)
        heappush(agenda, (due + 64, ticket, None))
    return events / (time.perf_counter() - began)


def _shop(producer, consumer):
    for _ in range(300):
        yield producer.send("orders", "x" * 100, partition=0).get()
        yield consumer.poll(50)


def _engine(traced: bool, judged: bool = False) -> float:
    """Events a second of produces with acks=all and polls, by an application."""
    from kafka_internals.cluster.cluster import Cluster
    from kafka_internals.cluster.invariants import put_on_trial

    cluster = Cluster(seed=1).again(traced=traced)
    cluster.create_topic("orders", 1, 3, {"min.insync.replicas": 2})
    producer = cluster.producer(acks="all", linger_ms=0)
    consumer = cluster.consumer(auto_offset_reset="earliest")
    consumer.assign("orders-0")
    if judged:
        put_on_trial(cluster.machine)
    before, began = cluster.event, time.perf_counter()
    app = cluster.run_app(_shop, producer, consumer)
    while not app.done():
        cluster.run(ms=100)
    return (cluster.event - before) / (time.perf_counter() - began)


def engine() -> list[Figure]:
    """The engine against a bare heap loop, and what listening costs."""
    heap, bare, traced, judged = medians(
        _bare_heap, lambda: _engine(False), lambda: _engine(True), lambda: _engine(True, True))
    return [Figure("engine without a listener, one event in so many of a heap", heap / bare, "",
                   most=30),
            Figure("time with the trace", bare / traced, "x", most=1.3),
            Figure("time with trace and judges", bare / judged, "x", most=1.7)]


def _long_run(events: int):
    from kafka_internals.cluster.cluster import Cluster

    cluster = Cluster(seed=1)
    cluster.create_topic("orders", 1, 3)
    producer = cluster.producer(acks="all", linger_ms=0)
    while cluster.event < events:
        producer.send("orders", "x", partition=0).get()
    return cluster


def why() -> list[Figure]:
    """Forking a run of 5,000 events, and asking "why?" over 7,000."""
    long = _long_run(5_000)
    (fork,) = medians(lambda: seconds(lambda: long.fork(at=long.event)) * 1e3)
    first = statistics.median(
        seconds(lambda run=_long_run(7_000): run.why("orders-0@1")) * 1e3 for _ in range(3))
    asked = _long_run(7_000)
    asked.why("orders-0@1")
    (again,) = medians(lambda: seconds(lambda: asked.why("orders-0@1"), 200) * 1e3)
    return [Figure("fork of a 5,000-event run", fork, "ms", most=100),
            Figure("why(), the first time, over 7,000 events", first, "ms", most=10),
            Figure("why(), then", again, "ms", most=0.1)]


def film() -> list[Figure]:
    """300 frames of 200 shapes of which six change, packed; and a real film with its picture."""
    from kafka_internals.course import canonical
    from kafka_internals.viz import encode as coding
    from kafka_internals.viz.replica_view import replica_view

    shapes = {f"b{n % 3}/batch/epoch-1/{n}": {"k": "rect", "c": "batch epoch-1 committed", "z": 2,
                                              "x": n * 3, "y": n % 9, "w": 40, "h": 40, "r": 4}
              for n in range(200)}
    frames = []
    for at in range(300):
        shapes = dict(shapes)
        for n in range(6):
            key = f"b{(at * 6 + n) % 200 % 3}/batch/epoch-1/{(at * 6 + n) % 200}"
            shapes[key] = shapes[key] | {"x": at + n, "c": f"batch epoch-{at % 5 + 1} uncommitted"}
        frames.append({"t_us": at * 1000, "event": at, "say": f"Step {at} moves six.",
                       "shapes": shapes, "waits": {}})
    packed = len(coding.pack({"frames": {"truth": coding.delta(frames)}})) / 1e3
    cluster = canonical.healthy()
    cluster.producer(linger_ms=0).send("orders", "x", partition=0).get()
    real = len(coding.pack(replica_view.data(cluster, "orders-0"))) / 1e3
    return [Figure("film of 300 frames x 200 shapes, packed", packed, "kB", most=100),
            Figure("film of one produce, packed", real, "kB", most=100)]


# -- whole commands --------------------------------------------------------------------------------
def start() -> list[Figure]:
    """Importing the package in a fresh process, beyond what Python itself takes."""
    def run(code: str) -> float:
        return seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True)) * 1e3

    bare, loaded = medians(lambda: run("pass"), lambda: run("import kafka_internals"))
    return [Figure("import kafka_internals", loaded - bare, "ms", most=100)]


def notebook() -> list[Figure]:
    """Executing the first notebook, kernel start included."""
    from kafka_internals.tools.notebooks import course, executed

    return [Figure("notebook 00 executes", seconds(lambda: executed(course()[0])), "s", most=8)]


def schedules(count: int = 20_000) -> list[Figure]:
    """Seeded schedules under faults, every invariant judged, on all cores."""
    from kafka_internals.cluster.schedules import verdict
    from kafka_internals.sim.search import joblib_map, search

    found: list = []
    took = seconds(lambda: found.extend(search(verdict, range(count), joblib_map())))
    for one in found[:5]:
        print(f"  seed {one.seed}: {one.failure}")
    return [Figure(f"{count} schedules, {count / took:.0f} a second: violations", len(found), "",
                   most=0)]


MEASURES = {measure.__name__: measure for measure in (
    encode, carry, engine, why, film, start, notebook, schedules)}


def main(argv: list[str]) -> int:
    """The verb `bench`; gives 0 where every goal is met."""
    parser = argparse.ArgumentParser(prog="kafka_internals bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help=f"which (default: all of {', '.join(MEASURES)})")
    parser.add_argument("--schedules", type=int, default=20_000, help="how many (default: 20000)")
    asked = parser.parse_args(argv)
    if unknown := [name for name in asked.names if name not in MEASURES]:
        parser.error(f"there is no figure {unknown[0]!r}; there is {', '.join(MEASURES)}")
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, medians of {ROUNDS} rounds")
    met = True
    for name in asked.names or MEASURES:
        try:
            figures = schedules(asked.schedules) if name == "schedules" else MEASURES[name]()
        except ImportError as error:
            print(f"{name}: needs {error.name}, which is not installed")
            met = False
            continue
        for figure in figures:
            print(figure, flush=True)
            met = met and figure.met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
