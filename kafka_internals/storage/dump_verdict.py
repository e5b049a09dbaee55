"""DumpLogSegments: what the checksum, a reader and recovery say when one byte of a file changes.

A disk may give back another byte than was written. Whether anybody notices depends on the byte: a
batch's checksum covers what stands behind it, an index has none. Every word here comes from the
functions with which the engine reads and recovers its files.
"""

from typing import NamedTuple

from kafka_internals.record_batch import CRC_COVERS_FROM, RecordBatch, batches, crc32c, valid_length
from kafka_internals.storage.dump_log_segments import (
    CHECKPOINT,
    DumpSnapshot,
    FieldSnapshot,
    dump,
    said_by,
)
from kafka_internals.storage.log_file_utils import (
    LOG,
    OFFSET_INDEX,
    PRODUCER_SNAPSHOT,
    TIME_INDEX,
    TXN_INDEX,
)

_AS_IT_IS = "A start after an orderly stop takes it as it is. LogSegment.recover makes it anew " \
            "from the .log."
FOUND_GOOD = {
    PRODUCER_SNAPSHOT: "ProducerStateManager takes it as it is.",
    CHECKPOINT: "The broker believes it.",
    OFFSET_INDEX: _AS_IT_IS, TIME_INDEX: _AS_IT_IS, TXN_INDEX: _AS_IT_IS}
FOUND_BAD = {
    "CorruptSnapshotException": "ProducerStateManager deletes it, takes the one before, and reads "
                                "the log from there.",
    "CorruptIndexException": "LogLoader has the segment recovered: its indexes are made anew from "
                             "the .log.",
    "KafkaStorageException": "The broker cannot load this log directory as it is.",
    "KafkaException": "The broker does not start, and nothing mends this file."}


class VerdictSnapshot(NamedTuple):
    """What one of them says of a file; `is_bad` where it found that something is wrong."""

    who: str
    says: str
    is_bad: bool


class ChangedSnapshot(NamedTuple):
    """A file before and after one byte became another. `field` is the one that the byte is in."""

    before: DumpSnapshot
    after: DumpSnapshot
    position: int
    old: int
    new: int
    field: FieldSnapshot
    verdicts: tuple[VerdictSnapshot, ...]
    verdicts_before: tuple[VerdictSnapshot, ...]


def changed(content: bytes, position: int, value: int, kind: str = LOG, *, name: str = "",
            base_offset: int = 0) -> ChangedSnapshot:
    """Byte `position` becomes `value`, 0 to 255; `kind`, `name`, `base_offset` as in `dump`.

    ValueError for a position outside the file or a value that is no byte.
    """
    before = dump(content, kind, name=name, base_offset=base_offset)
    field = before.field_at(position)
    if not 0 <= value <= 255:
        raise ValueError(f"a byte is 0 to 255; {value} is none")
    other = before.content[:position] + bytes((value,)) + before.content[position + 1:]
    after = dump(other, kind, name=name, base_offset=base_offset)
    return ChangedSnapshot(before, after, position, before.content[position], value, field,
                           verdicts(after, position), verdicts(before, position))


def verdicts(shown: DumpSnapshot, position: int) -> tuple[VerdictSnapshot, ...]:
    """What checksum, reader and recovery say; the checksum of the batch with that byte."""
    if shown.kind == LOG:
        return _checksum(shown, position), _reader(shown), _recovery(shown)
    if shown.kind == PRODUCER_SNAPSHOT:
        checksum = VerdictSnapshot("checksum", "It covers every byte behind itself.",
                                   "crc" in shown.error)
    else:
        checksum = VerdictSnapshot("checksum", "There is none in this file.", False)
    reader, bad = shown.error or "It finds nothing wrong.", bool(shown.error)
    if bad and shown.kind in (OFFSET_INDEX, TIME_INDEX):        # no start calls their sanity_check
        reader, bad = f"A start does not ask, but a check would say {reader}", False
    told = FOUND_BAD[shown.error.partition(":")[0]] if bad else FOUND_GOOD[shown.kind]
    return (checksum, VerdictSnapshot("reader", reader, bad),
            VerdictSnapshot("recovery", told, bad))


def _at(content: bytes, position: int) -> tuple[int, RecordBatch] | None:
    """(where it begins, the batch) that holds a byte; None in a torn or unreadable tail."""
    found, at = [], 0
    said_by(lambda: found.extend(batches(content)))
    for batch in found:
        if position < at + batch.size:
            return at, batch
        at += batch.size
    return None


def _checksum(shown: DumpSnapshot, position: int) -> VerdictSnapshot:
    if (found := _at(shown.content, position)) is None:
        return VerdictSnapshot("checksum", f"No whole batch holds byte {position}.", True)
    start, batch = found
    stored, computed = batch.header.crc, crc32c(batch.buffer[CRC_COVERS_FROM:])
    covered = "covers" if position - start >= CRC_COVERS_FROM else "does not cover"
    is_bad = stored != computed
    return VerdictSnapshot("checksum", f"Stored {stored:#010x}, computed {computed:#010x}: they "
                           f"{'differ' if is_bad else 'agree'}. It {covered} byte {position}.",
                           is_bad)


def _reader(shown: DumpSnapshot) -> VerdictSnapshot:
    if shown.error:
        return VerdictSnapshot("reader", shown.error, True)
    found = list(batches(shown.content))
    if not found:
        return VerdictSnapshot("reader", "It finds no whole batch, and waits for more.", False)
    records = sum(batch.header.records_count for batch in found)
    spans = ", ".join(f"{one.base_offset} to {one.last_offset}" for one in found[:3])
    more = f", and {len(found) - 3} more batches" if len(found) > 3 else ""
    return VerdictSnapshot("reader", f"It reads {_count(records, 'record')}: offsets "
                           f"{spans}{more}.", False)


def _recovery(shown: DumpSnapshot) -> VerdictSnapshot:
    size, valid = len(shown.content), valid_length(shown.content)
    if valid == size:
        return VerdictSnapshot("recovery", f"It keeps all {size} bytes.", False)
    kept = sum(1 for _ in batches(shown.content[:valid]))
    return VerdictSnapshot("recovery", f"It keeps {valid} of {size} bytes, "
                           f"{_count(kept, 'batch', 'batches')}, and truncates the rest.", True)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
