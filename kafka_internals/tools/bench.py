"""The figures, each beside its goal: ratios within one run wherever there is a peer.

Of ratios and rates medians count, their rounds are interleaved, so that a busy machine disturbs
both sides alike; of times alone the best, of schedules the best of each. How fast the interpreter
is comes first: builds of one Python differ by a third, and so do hours of one machine. What needs a
library or a browser that is not there says so in one line and counts as missed.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from heapq import heappop, heappush
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from kafka_internals.tools import bench_fuzz, bench_player, bench_replication
from kafka_internals.tools.bench_figure import (
    ROUNDS,
    Figure,
    Missing,
    best,
    interleaved,
    ratio,
    seconds,
)
from kafka_internals.tools.bench_replication import schedules

RECORDS = tuple((1_767_225_600_000 + n, None, b"x" * 100, ()) for n in range(100))
LIBRARIES = ("google-crc32c", "kafka-python", "aiokafka", "jupyterlab", "ipywidgets", "anywidget",
             "matplotlib")


# -- bytes -----------------------------------------------------------------------------------------
def _against(module: str, least: float, note: str = "") -> Iterator[Figure]:
    from kafka_internals.record_batch import encode

    builder = import_module(module).DefaultRecordBatchBuilder

    def theirs() -> None:
        batch = builder(magic=2, compression_type=0, is_transactional=False, producer_id=-1,
                        producer_epoch=-1, base_sequence=-1, batch_size=1_000_000)
        for at, (timestamp, key, value, _) in enumerate(RECORDS):
            batch.append(at, timestamp, key, value, [])
        batch.build()

    own, other = interleaved(lambda: seconds(lambda: encode(RECORDS), 200) * 1e6,
                             lambda: seconds(theirs, 200) * 1e6)
    yield Figure(f"batch encode, times {module.partition('.')[0]}", ratio(other, own), "x", least,
                 note=f"{statistics.median(own):.0f} us, they {statistics.median(other):.0f}{note}")


def kafka_python() -> Iterator[Figure]:
    """Encoding 100 records of 100 bytes; its checksum in pure Python would be no fair peer."""
    import google_crc32c
    from kafka.record import default_records

    default_records.calc_crc32c = lambda data: google_crc32c.value(bytes(data))
    yield from _against("kafka.record.default_records", 3, "; CRC by google-crc32c in both")


def aiokafka() -> Iterator[Figure]:
    """The same against a library whose builder is compiled."""
    yield from _against("aiokafka.record.default_records", 0.4, "; theirs is Cython")


def carry() -> Iterator[Figure]:
    """Header, checksum and new offsets of a 100-record batch, without decoding it."""
    from kafka_internals.record_batch import RecordBatch, encode

    data = encode(RECORDS)

    def act() -> None:
        batch = RecordBatch(data)
        batch.ensure_valid()
        batch.with_offsets(4_000, 3)

    yield Figure("opaque carry of a 100-record batch",
                 best(lambda: seconds(act, 2_000) * 1e6), "us", most=5)


# -- the log ---------------------------------------------------------------------------------------
def _log(**configs: int) -> Any:
    from kafka_internals.common import TopicPartition
    from kafka_internals.config import TOPIC_CONFIG
    from kafka_internals.sim.disk import Disk
    from kafka_internals.storage.unified_log import UnifiedLog

    parsed = TOPIC_CONFIG.parse({name.replace("_", "."): value for name, value in configs.items()})
    return UnifiedLog(TopicPartition("orders", 0), Disk(lambda n: 0), parsed)


def _appends(leader: bool, count: int = 1_000) -> float:
    """Appends a second of 100-record batches, indexes and producers' checks included."""
    from kafka_internals.record_batch import RecordBatch, encode

    log, batch = _log(), RecordBatch(encode(RECORDS))
    stored = [batch.with_offsets(100 * n, 0) for n in range(count)]
    began = time.perf_counter()
    for one in stored:
        if leader:
            log.append_as_leader(batch, 0, RECORDS[0][0])
        else:
            log.append_as_follower([one], 0, RECORDS[0][0])
    return count / (time.perf_counter() - began)


def log() -> Iterator[Figure]:
    """Appending, reading by offset in a log of many segments, and recovering after a crash."""
    from kafka_internals.record_batch import RecordBatch, encode
    from kafka_internals.storage.unified_log import UnifiedLog

    follower, leader = interleaved(lambda: _appends(False), lambda: _appends(True))
    yield Figure("appends of 100 records as a follower", statistics.median(follower), "/s", 20_000)
    yield Figure("appends of 100 records as a leader", statistics.median(leader), "/s", 5_000)
    batch = RecordBatch(encode(RECORDS[:1]))
    many = _log(internal_segment_bytes=batch.size)
    for _ in range(1_000):
        many.append_as_leader(batch, 0, RECORDS[0][0])
    at = iter(range(1_000_000))
    read = best(lambda: seconds(lambda: many.read(next(at) * 7 % 1_000, 1_000, 1_000), 200) * 1e6)
    yield Figure(f"read by offset in {len(many.local.segments)} segments", read, "us", most=50)
    big, batch = _log(segment_bytes=16 << 20), RecordBatch(encode(RECORDS))
    while big.size < 64 << 20:
        big.append_as_leader(batch, 0, RECORDS[0][0])
    took = best(lambda: seconds(lambda: UnifiedLog(big.partition, big._storage, big.configs)), 3)
    yield Figure("recovery of a log", big.size / took / 1e6, "MB/s", 100,
                 note=f"{big.size >> 20} MiB, {len(big.local.segments)} segments")


def directory() -> Iterator[Figure]:
    """From a real log directory on the disk to its first picture; a batch byte by byte."""
    from kafka_internals import byte_view, dump, look_up, segment_view
    from kafka_internals.record_batch import RecordBatch, encode
    from kafka_internals.storage.log_directory import LogDirectory

    log, batch = _log(), RecordBatch(encode(RECORDS))
    while log.size < 1_000_000_000:
        log.append_as_follower([batch.with_offsets(log.log_end_offset, 0)], 0, RECORDS[0][0])
    with tempfile.TemporaryDirectory() as folder:
        root, middle = Path(folder) / "broker-1", log.log_end_offset // 2
        LogDirectory.export(log._storage, root)
        took = best(lambda: seconds(lambda: segment_view(
            look_up(LogDirectory.open(root).log("orders-0"), middle)).film), 3)
    yield Figure("open and first picture of a real directory", took, "s", most=2,
                 note=f"{log.size / 1e9:.2f} GB in {len(log.local.segments)} segments")
    size = len(byte_view(dump(batch.buffer)).film)
    yield Figure("byte view of a 100-record batch", size / 1000, "kB", most=100)


# -- engine ----------------------------------------------------------------------------------------
def _bare_heap(events: int = 200_000) -> float:
    """Seconds an event of a loop that only pops and pushes."""
    agenda: list = []
    for at in range(64):
        heappush(agenda, (at, at, None))
    began = time.perf_counter()
    for _ in range(events):
        due, ticket, _ = heappop(agenda)
        heappush(agenda, (due + 64, ticket, None))
    return (time.perf_counter() - began) / events


def _shop(producer, consumer):
    for _ in range(400):
        yield producer.send("orders", "x" * 100, partition=0).get()
        yield consumer.poll(50)


def _engine(traced: bool = False, judged: bool = False) -> float:
    """Seconds an event of produces with acks=all and polls, by an application."""
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
    return (time.perf_counter() - began) / (cluster.event - before)


def engine() -> Iterator[Figure]:
    """The engine against a bare heap loop, and what listening costs."""
    heap, bare, traced, judged = interleaved(
        _bare_heap, _engine, lambda: _engine(traced=True),
        lambda: _engine(traced=True, judged=True))
    us = [statistics.median(column) * 1e6 for column in (heap, bare)]
    yield Figure("engine without a listener, an event in heap events", ratio(bare, heap), "",
                 most=30, note=f"{us[1]:.1f} us an event, the heap's {us[0]:.2f}")
    yield Figure("time with the trace", ratio(traced, bare), "x", most=1.3)
    yield Figure("time with trace and judges", ratio(judged, bare), "x", most=1.7)


def _long_run(events: int) -> Any:
    from kafka_internals.cluster.cluster import Cluster

    cluster = Cluster(seed=1)
    cluster.create_topic("orders", 1, 3)
    producer = cluster.producer(acks="all", linger_ms=0)
    while cluster.event < events:
        producer.send("orders", "x", partition=0).get()
    return cluster


def fork() -> Iterator[Figure]:
    """Until `changed` stands at the end of a run; `kept` is made when it is first touched."""
    run = _long_run(5_000)
    ms = best(lambda: seconds(lambda: run.fork(at=run.event)) * 1e3)
    yield Figure(f"fork of a run of {run.event} events", ms, "ms", most=100,
                 note=f"{run.event / ms:.0f} events a ms")


def why() -> Iterator[Figure]:
    """Asking what made the high watermark: the first answer makes the trace's index."""
    run = _long_run(7_000)

    def first() -> float:
        twin = run.again()
        twin.machine                            # executed now, not within the measure
        return seconds(lambda: twin.why("orders-0@1")) * 1e3

    fresh = best(first, 3)
    run.why("orders-0@1")
    again = best(lambda: seconds(lambda: run.why("orders-0@1"), 200) * 1e3)
    yield Figure(f"why() over {run.event} events, the first time", fresh, "ms", most=10)
    yield Figure("why(), then", again, "ms", most=0.1)


# -- films -----------------------------------------------------------------------------------------
def film() -> Iterator[Figure]:
    """Sizes on the wire: packed, as the browser gets them."""
    from kafka_internals.tools import bench_films
    from kafka_internals.viz import encode
    from kafka_internals.viz.replica_view import replica_view

    busy = encode.pack(bench_films.busy())
    yield Figure("film of 300 frames x 200 shapes, 6 change a frame", len(busy) / 1e3, "kB",
                 most=100)
    run = bench_films.orders(300)
    real = replica_view.data(run, "orders-0")
    ms = best(lambda: seconds(lambda: replica_view.data(run, "orders-0")) * 1e3, 3)
    yield Figure("replica_view's film of 300 frames", len(encode.pack(real)) / 1e3, "kB", most=100,
                 note=f"{run.event} events, filmed in {ms:.0f} ms")


# -- whole commands --------------------------------------------------------------------------------
def start() -> Iterator[Figure]:
    """Importing in a fresh process, beyond what Python itself takes."""
    def fresh(code: str) -> float:
        return seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True)) * 1e3

    bare, door, all_of_it = interleaved(*(lambda code=code: fresh(code) for code in (
        "pass", "import kafka_internals", "from kafka_internals import Cluster")))
    plain = statistics.median(bare)
    yield Figure("import kafka_internals", statistics.median(door) - plain, "ms", most=100)
    yield Figure("from kafka_internals import Cluster", statistics.median(all_of_it) - plain, "ms")


SECONDS = {"00_start_here": 8, "01_fundamentals": 8, "lab_a_tuning_the_producer": 8}


def notebook() -> Iterator[Figure]:
    """Executing each notebook, kernel start included, and the largest film in it."""
    from kafka_internals.tools import bench_films
    from kafka_internals.tools.notebooks import course, executed

    for path in course():
        took_s = best(lambda path=path: seconds(lambda: executed(path)), 3)
        yield Figure(f"notebook {path.stem} executes", took_s, "s",
                     most=SECONDS.get(path.stem, 10), note="kernel start included")
        if sizes := bench_films.film_sizes(path):
            yield Figure("its largest film", max(sizes) / 1e3, "kB", most=300)


def sweep() -> Iterator[Figure]:
    """The runs behind module 2's charts."""
    from kafka_internals.course.measurements import sweep

    def forty() -> None:
        sweep("linger_ms", range(10))
        sweep("batch_size", range(100, 1_100, 100))

    yield Figure("a sweep of 40 runs", best(lambda: seconds(forty), 3), "s", most=5)


MEASURES: dict[str, tuple[Callable[..., Iterator[Figure]], ...]] = {
    "bytes": (kafka_python, aiokafka, carry), "log": (log,),
    "directory": (directory,), "engine": (engine,),
    "fork": (fork, bench_replication.long_fork), "produce": (bench_replication.produce,),
    "why": (why,), "film": (film,), "import": (start,), "notebook": (notebook,),
    "sweep": (sweep,),
    "player": (bench_player.figures,), "schedules": (schedules,), "fuzz": (bench_fuzz.figures,)}


def _versions() -> str:
    def one(name: str) -> str:
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            return f"no {name}"
    return ", ".join(map(one, LIBRARIES))


def _loop_s() -> float:
    def turns() -> None:
        left = 10_000_000
        while left:
            left -= 1

    return best(lambda: seconds(turns), 3)


def _measure(name: str, act: Callable[[], Iterator[Figure]]) -> bool:
    """Print the figures as they come; True where every goal is met."""
    met = True
    try:
        for figure in act():
            print(figure, flush=True)
            met = met and figure.met
    except ImportError as error:
        print(f"{name}: needs {error.name}, which is not installed")
        return False
    except Missing as missing:
        print(f"{name}: {missing}")
        return False
    return met


def main(argv: list[str]) -> int:
    """The verb `bench`; gives 0 where every goal is met."""
    parser = argparse.ArgumentParser(prog="kafka_internals bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help=f"which (default: all of {', '.join(MEASURES)})")
    parser.add_argument("--schedules", type=int, default=20_000, metavar="N",
                        help="how many schedules (default: 20000)")
    asked = parser.parse_args(argv)
    if unknown := [name for name in asked.names if name not in MEASURES]:
        parser.error(f"there is no figure {unknown[0]!r}; there is {', '.join(MEASURES)}")
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} CPUs; {_versions()}")
    print(f"Ten million turns of an empty loop take {_loop_s():.2f} s here, now.")
    print(f"Ratios and rates are medians of {ROUNDS} interleaved rounds, times the best of theirs.",
          flush=True)
    counted = partial(schedules, asked.schedules)
    met = [_measure(name, counted if act is schedules else act)
           for name in asked.names or MEASURES for act in MEASURES[name]]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
