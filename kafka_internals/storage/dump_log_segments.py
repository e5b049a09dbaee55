"""DumpLogSegments: what every byte of a log's file means, field by field.

Kafka's tool of that name prints the content of a segment's files. Here the engine's own layouts are
laid over the bytes, so that a dump cannot drift from what writes them: each byte belongs to exactly
one field. What cannot be read is a field, too, with the error of the engine's own reader.
"""

from collections.abc import Callable
from itertools import pairwise
from struct import calcsize, unpack_from
from typing import NamedTuple

from kafka_internals.control_record import (
    END_TRANSACTION_LAYOUT,
    KEY_LAYOUT,
    OUTCOMES,
    ControlRecordType,
)
from kafka_internals.errors import KafkaException
from kafka_internals.record import Field
from kafka_internals.record_batch import (
    LAYOUT,
    RECORD_BATCH_OVERHEAD,
    SPANS,
    RecordBatch,
    batches,
)
from kafka_internals.storage import offset_index, time_index, transaction_index
from kafka_internals.storage.checkpoint_file import read_checkpoint
from kafka_internals.storage.dump_fields import NOT_READABLE, Fields, FieldSnapshot
from kafka_internals.storage.log_file_utils import (
    LOG,
    OFFSET_INDEX,
    PRODUCER_SNAPSHOT,
    TIME_INDEX,
    TXN_INDEX,
)
from kafka_internals.storage.producer_state_entry import (
    ENTRY_LAYOUT,
    SNAPSHOT_LAYOUT,
    decode_snapshot,
)

CHECKPOINT = "checkpoint"
INDEXES = {OFFSET_INDEX: offset_index.OffsetIndex, TIME_INDEX: time_index.TimeIndex}
ENTRIES = {OFFSET_INDEX: offset_index.LAYOUT, TIME_INDEX: time_index.LAYOUT,
           TXN_INDEX: transaction_index.LAYOUT}
KINDS = (LOG, *ENTRIES, PRODUCER_SNAPSHOT, CHECKPOINT)
OUTCOME_NAMES = tuple(outcome.name for outcome in OUTCOMES)
# (is it a control record, key, value) -> [(end, name, meaning, value)] of the value's fields.
Parser = Callable[[bool, bytes | None, bytes], list]


class DumpSnapshot(NamedTuple):
    """One file laid out: `kind` is of `KINDS`; `error` is the reader's, by name, or empty."""

    kind: str
    name: str
    content: bytes
    fields: tuple[FieldSnapshot, ...]
    error: str

    def field_at(self, position: int) -> FieldSnapshot:
        """The field that a byte belongs to; ValueError for a position outside."""
        if not 0 <= position < len(self.content):
            raise ValueError(f"{self.name} has {len(self.content)} bytes; there is no byte "
                             f"{position}")
        return next(one for one in self.fields if one.start <= position < one.end)


class OneFile:
    """A storage with one file, to read from: all that the engine's readers ask for."""

    def __init__(self, name: str, content: bytes) -> None:
        self.name, self._content = name, content

    def exists(self, name: str) -> bool:
        """True for the one file."""
        return name == self.name

    def size(self, name: str) -> int:
        """Its size in bytes."""
        return len(self._content)

    def read(self, name: str, position: int = 0, size: int | None = None) -> bytes:
        """Bytes from `position` on, at most `size`."""
        return self._content[position:None if size is None else position + size]


def dump(content: bytes, kind: str = LOG, *, name: str = "", base_offset: int = 0,
         parser: Parser | None = None) -> DumpSnapshot:
    """Lay out a file. `kind`: ".log" (or a record batch alone), ".index", ".timeindex",
    ".txnindex", ".snapshot", "checkpoint". `base_offset`: the segment's, for the indexes.
    `parser`: lays out what records say, such as that of the metadata log; its errors are Kafka's.

    ValueError for another kind. Damaged bytes are no error: they are "not readable".
    """
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of file that can be laid out; there is "
                         f"{', '.join(KINDS)}")
    content, name = bytes(content), name or ("a record batch" if kind == LOG else f"a {kind} file")
    fields = Fields(content)
    if kind == LOG:
        _log(fields, parser)
    elif kind == PRODUCER_SNAPSHOT:
        _snapshot(fields)
    elif kind == CHECKPOINT:
        _checkpoint(fields, content)
    else:
        _entries(fields, kind, base_offset)
    error = read_error(content, kind, name, base_offset)
    fields.rest(error)
    return DumpSnapshot(kind, name, content, tuple(fields.found), error)


# -- what the engine's own readers say ---------------------------------------------------------
def said_by(read: Callable[[], object]) -> str:
    """The error of a reader, "CorruptRecordException: ..."; empty where it reads to the end."""
    try:
        read()
    except (KafkaException, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def read_error(content: bytes, kind: str, name: str = "the file", base_offset: int = 0) -> str:
    """What the engine says of a file's bytes when it reads them; empty where nothing is wrong."""
    storage = OneFile(name, content)
    if kind == PRODUCER_SNAPSHOT:
        return said_by(lambda: decode_snapshot(content, name))
    if kind == CHECKPOINT:
        return said_by(lambda: read_checkpoint(storage, name))
    if kind == TXN_INDEX:
        return said_by(transaction_index.TransactionIndex(storage, name, base_offset).sanity_check)
    if kind in INDEXES:
        return said_by(INDEXES[kind](storage, name, base_offset, len(content)).sanity_check)
    return said_by(lambda: [(one.ensure_valid(), list(one.records())) for one in batches(content)])


# -- record batches ----------------------------------------------------------------------------
def _log(fields: Fields, parser: Parser | None) -> None:
    content, starts = fields.content, [0]
    said_by(lambda: starts.extend(starts[-1] + one.size for one in batches(content)))
    for position, end in pairwise(starts):
        _batch(fields, position, end, parser)
    if left := len(content) - starts[-1]:
        error = said_by(lambda: list(batches(content, starts[-1])))
        fields.layout(LAYOUT, f"batch at byte {starts[-1]}")
        fields.rest(error or f"The file ends within this batch: {left} bytes are there. "
                             f"A reader leaves it out.")


def _batch(fields: Fields, start: int, end: int, parser: Parser | None) -> None:
    batch = RecordBatch(fields.content[start:end])
    header, group = batch.header, f"batch {batch.base_offset}"
    fields.layout(LAYOUT, group, _header_parts(batch))
    error = said_by(lambda: list(batch.records()))
    if header.attributes & 7 and end - start > RECORD_BATCH_OVERHEAD:
        plain = [] if error else [("decompressed", f"{len(batch.record_bytes())} bytes")]
        fields.add(end, "records", f"{header.records_count} records, one blob of "
                   f"{header.compression_type}", header.compression_type, group,
                   (*plain, *([("error", error)] if error else [])))
        return
    for number in range(max(0, min(header.records_count, end - start))):
        if not fields.record(f"{group} record {number}", end, batch.header,
                             _inside(header.is_control, parser)):
            break
    fields.rest(error, end)


def _header_parts(batch: RecordBatch) -> dict[str, tuple[tuple[str, str], ...]]:
    """What some fields of the header say beyond their number."""
    header = batch.header
    return {
        "base_offset": (("last offset", str(header.last_offset)),),
        "batch_length": (("whole batch", f"{header.size} bytes"),),
        "crc": (("covers", f"bytes {SPANS['crc'][1]} to {batch.size - 1} of the batch"),
                ("holds", "yes" if batch.is_valid() else "no")),
        "attributes": (
            ("bits", f"{header.attributes & 0xFFFF:016b}"), ("0-2 codec", header.compression_type),
            ("3 timestamp type", header.timestamp_type),
            ("4 transactional", "yes" if header.is_transactional else "no"),
            ("5 control", "yes" if header.is_control else "no"),
            ("6 delete horizon", "no" if header.delete_horizon_ms is None else "yes")),
        "base_sequence": (("last sequence", str(header.last_sequence)),)}


def _inside(is_control: bool, parser: Parser | None) -> Callable[..., None]:
    """What lays out the key and then the value of one record, as far as they can be read."""
    key = None

    def inside(fields: Fields, part: str, end: int, group: str) -> None:
        nonlocal key
        data = fields.content[fields.position:end]
        if part == "key":
            key = data
            if is_control:
                _layout(fields, part, KEY_LAYOUT, end, group,
                        {"key type": (("ControlRecordType", _control_type(data)),)})
        elif is_control and _control_type(key) in OUTCOME_NAMES:
            _layout(fields, part, END_TRANSACTION_LAYOUT, end, group)
        elif parser:
            start, found = fields.position, []
            said_by(lambda: found.extend(parser(is_control, key, data)))
            for span in found:
                fields.add(start + span.end, f"{part} {span.name}", span.meaning, span.value, group)

    return inside


def _layout(fields: Fields, part: str, layout: tuple[Field, ...], end: int, group: str,
            parts: dict[str, tuple[tuple[str, str], ...]] | None = None) -> None:
    if end - fields.position >= calcsize(">" + "".join(field.kind for field in layout)):
        fields.layout([field._replace(name=f"{part} {field.name}") for field in layout], group,
                      parts)


def _control_type(key: bytes | None) -> str:
    said = []
    return said_by(lambda: said.append(ControlRecordType.parse(key).name)) or said[0]


# -- the other files ---------------------------------------------------------------------------
def _entries(fields: Fields, kind: str, base_offset: int) -> None:
    layout = ENTRIES[kind]
    size = calcsize(">" + "".join(field.kind for field in layout))
    used = len(fields.content.rstrip(b"\0"))
    used += -used % size if kind in INDEXES else len(fields.content) - used
    for number in range(min(used, len(fields.content)) // size):
        at, parts = fields.position, {}
        if kind in INDEXES:
            values = unpack_from(">" + "".join(field.kind for field in layout), fields.content, at)
            relative = dict(zip((field.name for field in layout), values))["relative_offset"]
            parts = {"relative_offset": (("offset", f"{base_offset} + {relative} = "
                                          f"{base_offset + relative}"),)}
        fields.layout(layout, f"entry {number}", parts)
    if free := (len(fields.content) - fields.position) // size:
        fields.add(fields.position + free * size, "preallocated", "Zeros: room for entries. They "
                   "are cut off when the segment becomes inactive.", f"{free} entries", "free")


def _snapshot(fields: Fields) -> None:
    if not fields.layout(SNAPSHOT_LAYOUT, "snapshot"):
        return
    number = 0
    size = calcsize(">" + "".join(field.kind for field in ENTRY_LAYOUT))
    while len(fields.content) - fields.position >= size:
        fields.layout(ENTRY_LAYOUT, f"producer {number}")
        number += 1


def _checkpoint(fields: Fields, content: bytes) -> None:
    for number, line in enumerate(content.splitlines(keepends=True)):
        name, meaning = (("version", "version of the format: 0"), ("count", "entries that follow"),
                         (f"entry {number - 2}", "one entry, as the file's kind has it")
                         )[min(number, 2)]
        text = line.decode(errors="replace").rstrip("\r\n")
        fields.add(fields.position + len(line), name, meaning, text, "checkpoint")


__all__ = ["CHECKPOINT", "KINDS", "NOT_READABLE", "DumpSnapshot", "dump", "read_error", "said_by"]
