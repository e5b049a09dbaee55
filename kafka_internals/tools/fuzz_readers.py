"""Every reader that the engine has, let loose on what was damaged."""

from collections.abc import Callable
from typing import NamedTuple

from kafka_internals.common import START_MS, TopicPartition
from kafka_internals.config import BROKER_CONFIG, TOPIC_CONFIG
from kafka_internals.control_record import read_marker
from kafka_internals.record_batch import RecordBatch, batches, encode, valid_length
from kafka_internals.storage import checkpoint_file as texts
from kafka_internals.storage.append_origin import AppendOrigin
from kafka_internals.storage.leader_epoch_file_cache import (
    LEADER_EPOCH_CHECKPOINT,
    LeaderEpochFileCache,
)
from kafka_internals.storage.log_file_utils import (
    LOG,
    OFFSET_INDEX,
    PRODUCER_SNAPSHOT,
    TIME_INDEX,
    TXN_INDEX,
    offset_from_file,
)
from kafka_internals.storage.log_manager import LogManager
from kafka_internals.storage.log_retention import delete_old_segments
from kafka_internals.storage.log_segment import LogSegment
from kafka_internals.storage.offset_index import OffsetIndex
from kafka_internals.storage.offset_lookup import fetch_offset
from kafka_internals.storage.producer_state_entry import decode_snapshot
from kafka_internals.storage.producer_state_manager import ProducerStateManager
from kafka_internals.storage.time_index import TimeIndex
from kafka_internals.storage.transaction_index import TransactionIndex
from kafka_internals.storage.unified_log import UnifiedLog
from kafka_internals.tools.bench_fuzz import PARTITION, BoundedDisk, Directory, disk_of
from kafka_internals.tools.fuzz_damage import Draw

SMALL = {"internal.segment.bytes": 2_000, "index.interval.bytes": 100, "segment.index.bytes": 480}
CONFIGS = [{**TOPIC_CONFIG.parse(SMALL), **more} for more in (
    {}, {"compression.type": "gzip"}, {"compression.type": "uncompressed"},
    {"message.timestamp.type": "LogAppendTime"}, {"cleanup.policy": ("compact",)},
    {"message.timestamp.type": "LogAppendTime", "compression.type": "zstd"},
    {"retention.ms": 1_000, "retention.bytes": 500})]
LIMIT_BYTES = 1 << 20
SOUND = RecordBatch(encode([(START_MS, b"k", b"v", ())]))
TIMES = (-3, -2, -1, 0, START_MS + 15, 2**63 - 1)
Tried = Callable[..., object]


# -- one batch -------------------------------------------------------------------------------------
def _properties(batch: RecordBatch) -> tuple:
    header = batch.header
    return (batch.is_valid(), header.next_offset, header.size, header.compression_type,
            header.timestamp_type, header.is_transactional, header.delete_horizon_ms,
            header.last_sequence, repr(batch), hash(batch), batch.with_offsets(7, 3))


def read_batch(data: bytes, draw: Draw, tried: Tried) -> None:
    """A batch alone, then as a producer's, as a coordinator's and as a leader's to a follower."""
    tried(valid_length, data)
    tried(lambda: list(batches(data)))
    batch = tried(RecordBatch, data)
    if not isinstance(batch, RecordBatch):
        return
    tried(_properties, batch)
    tried(lambda: batch.records(LIMIT_BYTES))
    tried(read_marker, batch)
    tried(batch.ensure_valid)
    configs = CONFIGS[draw(len(CONFIGS))]
    sent = RecordBatch(bytes(8) + data[8:]) if draw(4) else batch
    for origin in (AppendOrigin.CLIENT, AppendOrigin.COORDINATOR):
        log = UnifiedLog(PARTITION, BoundedDisk(), configs)
        tried(log.append_as_leader, sent, 0, START_MS, origin)
        _look(log, draw, tried)
    log = UnifiedLog(PARTITION, disk := BoundedDisk(), configs)
    tried(log.append_as_follower, [batch], 2**31, START_MS)
    tried(log.append_as_follower, [batch, batch], 2**31, START_MS)
    _look(log, draw, tried)
    again = tried(UnifiedLog, PARTITION, disk, configs)
    if isinstance(again, UnifiedLog):
        _look(again, draw, tried)


# -- a partition's directory -----------------------------------------------------------------------
def read_directory(files: Directory, changed: str | None, draw: Draw, tried: Tried) -> None:
    """The file that was changed by its own reader, then the whole directory as a log."""
    disk = disk_of(files)
    if changed is not None:
        _FILES[LEADER_EPOCH_CHECKPOINT if changed == LEADER_EPOCH_CHECKPOINT
               else changed[20:]](disk, f"{PARTITION}/{changed}", draw, tried)
    log = tried(lambda: UnifiedLog(
        PARTITION, disk_of(files), CONFIGS[draw(len(CONFIGS))],
        now_ms=START_MS, log_start_offset=draw(12) * draw(2), recovery_point=draw(30) * draw(2),
        is_clean=bool(draw(2))))
    if isinstance(log, UnifiedLog):
        _look(log, draw, tried)
        _work(log, draw, tried)


def _segment(disk: BoundedDisk, name: str, draw: Draw, tried: Tried) -> None:
    base, end = offset_from_file(name), 40
    segment = LogSegment(disk, PARTITION, base, now_ms=0, index_interval_bytes=100,
                         max_index_bytes=480)
    for act in (segment.sanity_check, segment.read_next_offset, segment.log.snapshot,
                lambda: segment.largest_timestamp, lambda: list(segment.log.headers())):
        tried(act)
    tried(segment.read, base + draw(end), draw(300), None, bool(draw(2)))
    for time in TIMES[3:]:
        tried(segment.find_offset_by_timestamp, time, base)
    tried(segment.truncate_to if draw(2) else segment.translate_offset, base + draw(end), 0)
    tried(segment.recover, ProducerStateManager(PARTITION, disk),
          LeaderEpochFileCache(disk, "elsewhere"))
    tried(segment.close)


def _index(kind: type) -> Callable:
    def act(disk: BoundedDisk, name: str, draw: Draw, tried: Tried) -> None:
        index = tried(kind, disk, name, offset_from_file(name), 480)
        tried(index.sanity_check)
        for target in (0, draw(40), START_MS, 2**63 - 1):
            tried(index.lookup, target)
        tried(lambda: list(index))
        if kind is OffsetIndex:
            tried(index.fetch_upper_bound_offset, index.lookup(draw(40)), draw(900))
            tried(index.append, draw(60), draw(900))
        else:
            tried(index.maybe_append, START_MS + draw(60), draw(60))
        tried(index.truncate_to, draw(40))
        tried(index.resize, 480)
        tried(index.close)
    return act


def _transactions(disk: BoundedDisk, name: str, draw: Draw, tried: Tried) -> None:
    index = TransactionIndex(disk, name, offset_from_file(name))
    tried(index.sanity_check)
    tried(lambda: list(index))
    tried(index.collect_aborted_txns, draw(30), draw(60))
    tried(index.truncate_to, draw(30))


def _snapshot(disk: BoundedDisk, name: str, draw: Draw, tried: Tried) -> None:
    tried(decode_snapshot, disk.read(name), name)
    producers = ProducerStateManager(PARTITION, disk)
    end = offset_from_file(name) + draw(3)
    tried(producers.truncate_and_reload, 0, end, START_MS if draw(2) else 0)
    tried(producers.active_producers)
    tried(producers.has_late_transaction, 2**50)
    producers.update_map_end_offset(end + 1)
    tried(producers.take_snapshot)


def _epochs(disk: BoundedDisk, name: str, draw: Draw, tried: Tried) -> None:
    cache = tried(LeaderEpochFileCache, disk, PARTITION)
    if isinstance(cache, LeaderEpochFileCache):
        tried(cache.end_offset_for, draw(5), 40)
        tried(cache.epoch_for_offset, draw(40))
        tried(cache.truncate_from_start, draw(40))
        tried(cache.assign, draw(5), draw(40))
        tried(cache.truncate_from_end, draw(40))


_FILES = {LOG: _segment, OFFSET_INDEX: _index(OffsetIndex), TIME_INDEX: _index(TimeIndex),
          TXN_INDEX: _transactions, PRODUCER_SNAPSHOT: _snapshot,
          LEADER_EPOCH_CHECKPOINT: _epochs}


# -- a log that was loaded -------------------------------------------------------------------------
def _look(log: UnifiedLog, draw: Draw, tried: Tried) -> None:
    """Everything that only reads."""
    start, end = log.log_start_offset, log.log_end_offset
    log.update_high_watermark(end)
    for offset in (start, start + draw(max(1, end - start)), end):
        tried(log.read, offset, draw(400), end, bool(draw(2)), bool(draw(2)))
    tried(fetch_offset, log, TIMES[draw(len(TIMES))], bool(draw(2)))
    for act in (log.batches, log.content, lambda: log.last_stable_offset):
        tried(act)
    tried(log.bytes_between, start, end)


def _work(log: UnifiedLog, draw: Draw, tried: Tried) -> None:
    """Everything that writes, in an order of its own."""
    def append() -> None:
        tried(log.append_as_leader, SOUND, 9, START_MS)

    acts = [append, lambda: tried(log.truncate_to, draw(20), START_MS),
            lambda: tried(delete_old_segments, log, 2 * START_MS),
            lambda: tried(log.delete_records, draw(20)), lambda: tried(log.roll, START_MS)]
    for _ in range(3):
        acts[draw(len(acts))]()
    append()
    tried(log.close)


# -- small texts -----------------------------------------------------------------------------------
class Text(NamedTuple):
    """A small file of a log directory: its name, what a broker writes there, who reads it."""

    name: str
    content: bytes
    read: Callable


OFFSETS = texts.offset_checkpoint({TopicPartition("orders", 0): 12, TopicPartition("a.b", 3): 0})
TEXTS = (
    *(Text(name, OFFSETS, texts.read_offsets) for name in (
        texts.RECOVERY_POINT_CHECKPOINT, texts.LOG_START_OFFSET_CHECKPOINT,
        texts.HIGH_WATERMARK_CHECKPOINT, texts.CLEANER_OFFSET_CHECKPOINT)),
    Text(texts.PARTITION_METADATA, b"version: 0\ntopic_id: " + b"B" * 22,
         texts.read_partition_metadata),
    Text(texts.META_PROPERTIES, b"#\n#Mon Nov 23 11:07:24 UTC 2026\nnode.id=1\ndirectory.id="
         b"lQtOyIvlb6EGn9GSzdfAAA\nversion=1\ncluster.id=AAAAAAAAAAAAAAAAAACrzQ\n",
         texts.read_meta_properties),
    Text(texts.CLEAN_SHUTDOWN, b'{"version":0,"brokerEpoch":12}', texts.read_clean_shutdown),
    Text(texts.CLEAN_SHUTDOWN, b'{"version": 0 , "brokerEpoch": 12 }', texts.read_clean_shutdown))


def read_text(text: Text, content: bytes, draw: Draw, tried: Tried) -> None:
    """By its own reader, and by a broker that starts with it."""
    disk = disk_of({text.name: content}, "")
    tried(text.read, disk, text.name)
    manager = tried(LogManager, disk, BROKER_CONFIG.parse({}))
    if isinstance(manager, LogManager):
        tried(manager.open, PARTITION, CONFIGS[0], START_MS)
        tried(manager.shut_down)
