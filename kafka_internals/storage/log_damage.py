"""What is wrong with a partition's files, file by file, also where Kafka's LogLoader is silent.

After an orderly stop LogLoader reads hardly anything, so that a flipped byte or a lost index is
served as if nothing had happened. Here everything is read: every checksum, every entry, and the
transaction index against one that a recovery makes of the same batches.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kafka_internals.common import TopicPartition
from kafka_internals.errors import KafkaException
from kafka_internals.storage.checkpoint_file import PARTITION_METADATA, read_partition_metadata
from kafka_internals.storage.file_records import FileRecords, Storage, log_file
from kafka_internals.storage.file_storage import OverlayStorage
from kafka_internals.storage.leader_epoch_file_cache import LEADER_EPOCH_CHECKPOINT
from kafka_internals.storage.log_file_utils import (
    LOG,
    OFFSET_INDEX,
    PRODUCER_SNAPSHOT,
    TIME_INDEX,
    TXN_INDEX,
    offset_from_file,
    segment_file,
)
from kafka_internals.storage.offset_index import OffsetIndex
from kafka_internals.storage.producer_state_entry import decode_snapshot
from kafka_internals.storage.time_index import TimeIndex
from kafka_internals.storage.transaction_index import TransactionIndex
from kafka_internals.storage.unified_log import UnifiedLog

INDEXES = {OFFSET_INDEX: OffsetIndex, TIME_INDEX: TimeIndex}


def damages(storage: Storage, partition: TopicPartition, configs: Mapping[str, Any],
            load: Callable[[], UnifiedLog], is_clean: bool) -> Iterator[str]:
    """One sentence for each damage: "<file>: what is wrong". The storage is only read.

    `load()` opens the log, KafkaException if that cannot be; `is_clean`: the stop was orderly.
    """
    ends: list[int] = []                                        # where a snapshot has to be
    try:
        log = load()
        yield from log.found
        if is_clean and log.log_end_offset > log.log_start_offset:
            ends = [log.log_end_offset]
    except (KafkaException, ValueError) as error:
        yield f"the broker does not start: {error}"
    bases = [offset_from_file(name) for name in storage.names(str(partition))
             if name.endswith(LOG)]
    for name in (LEADER_EPOCH_CHECKPOINT, PARTITION_METADATA):
        if not storage.exists(f"{partition}/{name}"):
            yield f"{name}: missing"
    try:
        read_partition_metadata(storage, f"{partition}/{PARTITION_METADATA}")
    except KafkaException as error:
        yield str(error)
    for base in bases:
        yield from _of_batches(storage, partition, base)
        for kind in INDEXES:
            yield from _of_index(storage, partition, base, kind)
    yield from _of_snapshots(storage, partition, sorted({*bases[1:], *ends}))
    yield from _of_transactions(storage, partition, configs, bases)


def _of_batches(storage: Storage, partition: TopicPartition, base: int) -> Iterator[str]:
    log, position, expected = FileRecords(storage, log_file(partition, base)), 0, base
    name = log.name.rpartition("/")[2]
    try:
        for stored in log.headers():
            position = stored.position
            log.batch(stored).ensure_valid()
            if stored.base_offset < expected:                   # no checksum covers the offset
                yield f"{name}: at byte {position} is offset {stored.base_offset}, {expected} or " \
                      f"more was expected"
            position, expected = position + stored.size, stored.last_offset + 1
    except KafkaException as error:
        yield f"{name}: damaged at byte {position}, {error}"
        return
    if left := log.size_bytes - position:
        yield f"{name}: the last {left} bytes are no whole batch"


def _of_index(storage: Storage, partition: TopicPartition, base: int, kind: str) -> Iterator[str]:
    """A file that is missing or no row of entries, and the first entry that fits no batch.

    An entry has the last offset of its batch, and where that begins, or its largest timestamp.
    """
    file, log = segment_file(partition, base, kind), log_file(partition, base)
    name = file.rpartition("/")[2]
    if not storage.exists(file):
        if storage.size(log):
            yield f"{name}: missing"
        return
    layout = INDEXES[kind].ENTRY
    if extra := storage.size(file) % layout.size:
        yield f"{name}: {storage.size(file)} bytes, {extra} more than whole entries"
    content = storage.read(file).rstrip(b"\0")                  # room that is not used yet
    batches = {one.last_offset - base: one for one in FileRecords(storage, log).snapshot()}
    for entry in layout.iter_unpack(content + bytes(-len(content) % layout.size)):
        offset = entry[kind == TIME_INDEX]
        batch = batches.get(offset)
        if batch is None or entry != ((batch.max_timestamp, offset) if kind == TIME_INDEX
                                      else (offset, batch.position)):
            yield f"{name}: the entry {entry} fits no batch of the log"
            return


def _of_snapshots(storage: Storage, partition: TopicPartition, offsets: list[int]) -> Iterator[str]:
    for offset in offsets:
        file = segment_file(partition, offset, PRODUCER_SNAPSHOT)
        if not storage.exists(file):
            yield f"{file.rpartition('/')[2]}: missing"
    for name in storage.names(str(partition)):
        if name.endswith(PRODUCER_SNAPSHOT):
            try:
                decode_snapshot(storage.read(f"{partition}/{name}"), name)
            except KafkaException as error:
                yield f"{name}: {error}"


def _of_transactions(storage: Storage, partition: TopicPartition, configs: Mapping[str, Any],
                     bases: list[int]) -> Iterator[str]:
    """Aborted transactions that the batches tell of and an index does not, or otherwise."""
    again = OverlayStorage(storage)
    for base in bases:
        again.delete(segment_file(partition, base, TXN_INDEX))
    try:
        UnifiedLog(partition, again, configs)
    except (KafkaException, ValueError):
        return                                                  # it was named already
    for base in bases:
        file = segment_file(partition, base, TXN_INDEX)
        log = log_file(partition, base)
        if again.size(log) != storage.size(log):                # cut: so are its transactions
            return
        there, made = _aborted(storage, file, base), _aborted(again, file, base)
        if there != made:
            yield f"{file.rpartition('/')[2]}: it lists {there}, the batches tell of {made}"


def _aborted(storage: Storage, file: str, base: int) -> list[tuple[int, int, int]] | str:
    """(producer id, first offset, last offset) of each entry, or why they cannot be read."""
    try:
        return [(one.producer_id, one.first_offset, one.last_offset)
                for one in TransactionIndex(storage, file, base)]
    except KafkaException as error:
        return str(error)
