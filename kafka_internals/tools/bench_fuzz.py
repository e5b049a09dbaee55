"""Damaged files by the thousand: each is read as Kafka would, or refused with a named error.

A case is a kind and a number, and always the same: a recorded or own directory of a partition, in
which one thing was changed by dice. Length fields go to extremes, bytes flip, pieces go or come,
entries swap; of batches and snapshots more than half get a right checksum again, so that the
damage is met behind it. Every reader then has its turn. What may come out is a result, one of
Kafka's errors, or an error that the engine raises itself; anything else is the engine's fault.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from kafka_internals.common import START_MS, TopicPartition
from kafka_internals.errors import IllegalStateException, KafkaException
from kafka_internals.record_batch import TRANSACTIONAL, RecordBatch, encode
from kafka_internals.sim.disk import Disk
from kafka_internals.sim.world import World
from kafka_internals.tools.bench_figure import Figure
from kafka_internals.tools.fuzz_damage import Draw, damaged

RECORDED = Path(__file__).parents[2] / "tests/golden/storage"
PARTITION = TopicPartition("orders", 0)
LARGEST_LOG_BYTES, MOST_OPERATIONS = 6_000, 20_000
OWN_ERRORS = (ValueError, FileNotFoundError, IllegalStateException)
PACKAGE = str(Path(__file__).parents[1])

Directory = dict[str, bytes]                            # {name of a file: content}


class BoundedDisk(Disk):
    """A disk on which nobody reads for ever."""

    def __init__(self) -> None:
        super().__init__(lambda n: 0)
        self.operations = 0

    def read(self, name: str, position: int = 0, size: int | None = None) -> bytes:
        """As on any disk; RecursionError where a reader does not come to an end."""
        self.operations += 1
        if self.operations > MOST_OPERATIONS:
            raise RecursionError(f"{name} was read {MOST_OPERATIONS} times")
        return super().read(name, position, size)


class Fault(NamedTuple):
    """A case that ended as none may: which, and in what words."""

    kind: str
    number: int
    error: str


# -- what is damaged -------------------------------------------------------------------------------
def own_directory() -> Directory:
    """A small log with every codec, two producers, a transaction kept and one aborted."""
    from kafka_internals.config import TOPIC_CONFIG
    from kafka_internals.control_record import ControlRecordType, EndTransactionMarker
    from kafka_internals.storage.append_origin import AppendOrigin
    from kafka_internals.storage.checkpoint_file import write_partition_metadata
    from kafka_internals.storage.unified_log import UnifiedLog

    disk = Disk(lambda n: 0)
    log = UnifiedLog(PARTITION, disk, TOPIC_CONFIG.parse(
        {"internal.segment.bytes": 700, "index.interval.bytes": 100, "segment.index.bytes": 240}))
    for at, codec in enumerate(("none", "gzip", "snappy", "lz4", "zstd") * 2):
        records = [(START_MS + 10 * at + n, b"k%d" % n, b"v" * 20, (("h", b"x"),))
                   for n in range(3)]
        log.append_as_leader(RecordBatch(encode(
            records, compression_type=codec, producer_id=9 + at % 2, producer_epoch=0,
            base_sequence=at // 2 * 3, attributes=TRANSACTIONAL * (at % 2))), at // 4, START_MS)
        if at in (3, 7):
            marker = EndTransactionMarker(ControlRecordType(at // 4), 1)
            log.append_as_leader(RecordBatch(marker.encode(START_MS, 10, 0)), at // 4, START_MS,
                                 AppendOrigin.COORDINATOR)
    log.close()
    write_partition_metadata(disk, f"{PARTITION}/partition.metadata", "B" * 22)
    return {name: disk.read(f"{PARTITION}/{name}") for name in disk.names(str(PARTITION))}


@cache
def material() -> tuple[Directory, ...]:
    """The own directory, and the small ones of a real broker where the recordings are at hand."""
    found = [own_directory()]
    for path in sorted(RECORDED.glob("*/*/")):
        files = {one.name: one.read_bytes() for one in sorted(path.iterdir()) if one.is_file()}
        size = sum(len(content) for name, content in files.items() if name.endswith(".log"))
        if 0 < size <= LARGEST_LOG_BYTES:
            found.append(files)
    return tuple(found)


@cache
def _with(suffix: str) -> tuple[tuple[Directory, str], ...]:
    """(directory, name) of every file that ends so and is not empty."""
    return tuple((files, name) for files in material() for name in files
                 if name.endswith(suffix) and files[name])


# -- how it is read --------------------------------------------------------------------------------
def _is_own(error: Exception, trace: TracebackType | None) -> bool:
    """True where a line of the engine says `raise`: nothing that merely happened to Python."""
    import linecache

    while trace and trace.tb_next:
        trace = trace.tb_next
    where = trace.tb_frame.f_code.co_filename
    return where.startswith(PACKAGE) and \
        linecache.getline(where, trace.tb_lineno).lstrip().startswith("raise")


def attempt(act: Callable, *given: object) -> object:
    """What comes out: a result, or the named error instead of it. Anything else is raised."""
    try:
        result = act(*given)
        return list(result) if isinstance(result, Iterator) else result
    except KafkaException as error:
        return error
    except OWN_ERRORS as error:
        if type(error) not in OWN_ERRORS or not _is_own(error, error.__traceback__):
            raise
        return error


def disk_of(files: Directory, directory: str = f"{PARTITION}/") -> BoundedDisk:
    """A disk with these files in the partition's directory."""
    disk = BoundedDisk()
    for name, content in files.items():
        disk.append(directory + name, content)
    return disk


def examine(kind: str, number: int) -> Counter:
    """Do one case; how many attempts ended how. Raises what no reader may raise."""
    from kafka_internals.tools import fuzz_readers

    draw = World(number).draw("fuzz", kind)
    met: Counter = Counter()

    def tried(act: Callable, *given: object) -> object:
        result = attempt(act, *given)
        met["read" if not isinstance(result, Exception) else type(result).__name__] += 1
        return result

    KINDS[kind](draw, tried, fuzz_readers)
    return met


def _batch(draw: Draw, tried: Callable, readers: object) -> None:
    files, name = _chosen(draw, ".log")
    readers.read_batch(damaged(draw, "batch", files[name]), draw, tried)


def _chosen(draw: Draw, suffix: str) -> tuple[Directory, str]:
    found = _with(suffix)
    return found[draw(len(found)) if draw(4) else 0]


def _file(suffix: str) -> Callable:
    def act(draw: Draw, tried: Callable, readers: object) -> None:
        files, name = _chosen(draw, suffix)
        files = {**files, name: damaged(draw, suffix, files[name])}
        readers.read_directory(files, name, draw, tried)
    return act


def _text(draw: Draw, tried: Callable, readers: object) -> None:
    choice = readers.TEXTS[draw(len(readers.TEXTS))]
    readers.read_text(choice, damaged(draw, "text", choice.content), draw, tried)


def _leftover(draw: Draw, tried: Callable, readers: object) -> None:
    files, _ = _chosen(draw, ".log")
    readers.read_directory(damaged(draw, "names", files), None, draw, tried)


KINDS: dict[str, Callable] = {
    "batch": _batch, "log": _file(".log"), "index": _file(".index"),
    "timeindex": _file(".timeindex"), "txnindex": _file(".txnindex"),
    "snapshot": _file(".snapshot"), "epochs": _file("leader-epoch-checkpoint"),
    "text": _text, "leftover": _leftover}


def search(kind: str, numbers: range) -> tuple[list[Fault], Counter]:
    """The faults among these cases of a kind, and how all attempts ended."""
    faults, met = [], Counter()
    for number in numbers:
        try:
            met += examine(kind, number)
        except Exception as error:                      # whatever it is, it is a finding
            faults.append(Fault(kind, number, f"{type(error).__name__}: {error}"))
    return faults, met


def figures(count: int = 100_000) -> Iterator[Figure]:
    """Cases of every kind, as many of each; every other outcome is shown and counted."""
    share = -(-count // len(KINDS))
    for kind in KINDS:
        faults, met = search(kind, range(share))
        for one in faults[:5]:
            print(f"  {one.kind} {one.number}: {one.error}")
        yield Figure(f"other outcomes in {share} damaged: {kind}", len(faults), "", most=0,
                     note=f"{met['read']} reads and {met.total() - met['read']} refusals")
