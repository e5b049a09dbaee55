"""DefaultRecordBatch and MemoryRecordsBuilder: the batch, in which Kafka moves and stores records.

A batch (magic 2, KIP-98) is what a producer sends, a leader stores, a follower copies and a
consumer fetches: the same bytes everywhere. What a leader fills in, base offset and leader epoch,
stands before the checksum, which covers everything behind itself. So a broker gives offsets and
carries batches without decoding them. Batches of compressed records are carried like any other;
the codecs that decode them come in a later version.
"""

from collections import namedtuple
from collections.abc import Iterable, Iterator, Sequence
from struct import Struct

from kafka_internals.byte_utils import crc32c, size_of_varint
from kafka_internals.errors import (
    CorruptRecordException,
    IllegalStateException,
    UnsupportedCompressionTypeException,
)
from kafka_internals.record import (
    MAX_RECORD_OVERHEAD,
    Field,
    Headers,
    Record,
    decode_record,
    encode_record,
    size_of_content,
)

# fmt: off
LAYOUT = (
    Field("base_offset",            "q", "offset of the first record; given by the leader"),
    Field("batch_length",           "i", "bytes after this field"),
    Field("partition_leader_epoch", "i", "epoch of the leader that gave the offsets; -1 before"),
    Field("magic",                  "b", "version of the format: 2"),
    Field("crc",                    "I", "CRC-32C of every byte behind this field"),
    Field("attributes",             "h", "bits: 0-2 codec, 3 log append time, 4 txn, 5 control"),
    Field("last_offset_delta",      "i", "offset of the last record minus base offset"),
    Field("base_timestamp",         "q", "timestamp of the first record, epoch ms"),
    Field("max_timestamp",          "q", "largest timestamp, epoch ms"),
    Field("producer_id",            "q", "idempotent producer; -1 without"),
    Field("producer_epoch",         "h", "which incarnation of that producer; -1 without"),
    Field("base_sequence",          "i", "that producer's number of the first record; -1 without"),
    Field("records_count",          "i", "how many records follow"),
)
# fmt: on


def _struct(fields: Sequence[Field]) -> Struct:
    return Struct(">" + "".join(field.kind for field in fields))


SPANS = {field.name: (_struct(LAYOUT[:at]).size, _struct(LAYOUT[:at + 1]).size)
         for at, field in enumerate(LAYOUT)}            # {field: (first byte, byte after the last)}
RECORD_BATCH_OVERHEAD = SPANS["records_count"][1]       # 61: a batch without records
LOG_OVERHEAD = SPANS["batch_length"][1]                 # 12: what batch_length does not count
CRC_COVERS_FROM = SPANS["crc"][1]                       # 21
MAGIC = 2

_HEADER = _struct(LAYOUT)
_FRAME = _struct(LAYOUT[:2])                            # as much as one needs to find the next
_ASSIGNED = _struct(LAYOUT[:3])                         # what a leader rewrites, and the length
_UNCHECKED, _CHECKED = _struct(LAYOUT[:5]), _struct(LAYOUT[5:])

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
CODEC_MASK, LOG_APPEND_TIME, TRANSACTIONAL, CONTROL = 0x07, 0x08, 0x10, 0x20


class BatchHeader(namedtuple("BatchHeader", [field.name for field in LAYOUT])):
    """The 61 bytes before the records, unpacked; one field for each line of `LAYOUT`."""

    __slots__ = ()

    @property
    def last_offset(self) -> int:
        """Offset of the last record."""
        return self.base_offset + self.last_offset_delta

    @property
    def next_offset(self) -> int:
        """The offset that follows this batch."""
        return self.base_offset + self.last_offset_delta + 1

    @property
    def size(self) -> int:
        """Bytes of the whole batch."""
        return LOG_OVERHEAD + self.batch_length

    @property
    def compression_type(self) -> str:
        """The name of the codec: "none", "gzip", "snappy", "lz4", "zstd"."""
        codec = self.attributes & CODEC_MASK
        return CODECS[codec] if codec < len(CODECS) else f"unknown codec {codec}"

    @property
    def is_transactional(self) -> bool:
        """True for a batch, or a marker, of a transaction."""
        return bool(self.attributes & TRANSACTIONAL)

    @property
    def is_control(self) -> bool:
        """True where the one record inside is for Kafka itself, not for an application."""
        return bool(self.attributes & CONTROL)

    @property
    def last_sequence(self) -> int:
        """Sequence number of the last record; after 2^31-1 comes 0. -1 without a producer id."""
        if self.base_sequence < 0:
            return -1
        return (self.base_sequence + self.last_offset_delta) & 0x7FFFFFFF


# -- writing ----------------------------------------------------------------------------------
def _assemble(records: list[bytes], base_timestamp: int, max_timestamp: int, *,
              base_offset: int = 0, partition_leader_epoch: int = -1, producer_id: int = -1,
              producer_epoch: int = -1, base_sequence: int = -1, attributes: int = 0) -> bytes:
    if not records:
        raise IllegalStateException("a batch holds at least one record; none was given")
    if attributes & CODEC_MASK:
        raise UnsupportedCompressionTypeException(
            f"attributes {attributes:#06x} name a codec, but the records are not compressed; "
            f"compression comes in a later version: leave bits 0-2 at 0")
    checked = _CHECKED.pack(attributes, len(records) - 1, base_timestamp, max_timestamp,
                            producer_id, producer_epoch, base_sequence, len(records)) \
        + b"".join(records)
    length = len(checked) + CRC_COVERS_FROM - LOG_OVERHEAD
    return _UNCHECKED.pack(base_offset, length, partition_leader_epoch, MAGIC,
                           crc32c(checked)) + checked


def encode(records: Iterable[tuple], **state: int) -> bytes:
    """A whole batch from (timestamp in epoch ms, key, value, headers) tuples.

    `state`: base_offset=0, partition_leader_epoch=-1, producer_id=-1, producer_epoch=-1,
    base_sequence=-1, attributes=0. Errors: IllegalStateException without a record,
    UnsupportedCompressionTypeException where attributes name a codec.
    """
    records = list(records)
    base = records[0][0] if records else -1
    encoded = [encode_record(timestamp - base, delta, key, value, headers)
               for delta, (timestamp, key, value, headers) in enumerate(records)]
    return _assemble(encoded, base, max([record[0] for record in records], default=-1), **state)


# -- reading ----------------------------------------------------------------------------------
def _read_records(buffer: bytes, header: BatchHeader) -> Iterator[Record]:
    position, count = RECORD_BATCH_OVERHEAD, header.records_count
    log_append_time = header.attributes & LOG_APPEND_TIME
    for number in range(1, count + 1):
        try:
            record, position = decode_record(buffer, position, header.base_offset,
                                             header.base_timestamp)
        except (IndexError, ValueError) as error:
            why = "the batch ends within it" if isinstance(error, IndexError) else error
            raise CorruptRecordException(f"record {number} of the {count} that the batch at offset "
                                         f"{header.base_offset} declares: {why}") from error
        yield record._replace(timestamp=header.max_timestamp) if log_append_time else record
    if position != len(buffer):
        raise CorruptRecordException(f"the batch at offset {header.base_offset} declares {count} "
                                     f"records, but {len(buffer) - position} bytes follow them")


class RecordBatch:
    """The bytes of one batch, carried as they are; only the header is unpacked, once."""

    __slots__ = ("buffer", "header")

    def __init__(self, buffer: bytes) -> None:
        if len(buffer) < RECORD_BATCH_OVERHEAD:
            raise CorruptRecordException(f"a batch has at least {RECORD_BATCH_OVERHEAD} bytes, "
                                         f"this one {len(buffer)}")
        self.buffer, self.header = buffer, BatchHeader._make(_HEADER.unpack_from(buffer))

    @property
    def base_offset(self) -> int:
        """Offset of the first record."""
        return self.header.base_offset

    @property
    def last_offset(self) -> int:
        """Offset of the last record."""
        return self.header.last_offset

    @property
    def size(self) -> int:
        """Bytes of the whole batch."""
        return len(self.buffer)

    def _flaw(self) -> str | None:
        header = self.header
        if header.size != self.size:
            return f"its header declares {header.size} bytes, it has {self.size}"
        if header.magic != MAGIC:
            return f"its magic is {header.magic}; this is the format of magic {MAGIC}"
        if header.crc != (computed := crc32c(self.buffer[CRC_COVERS_FROM:])):
            return f"its stored crc is {header.crc:#010x}, its bytes give {computed:#010x}"
        return None

    def is_valid(self) -> bool:
        """True where size, magic and checksum are right."""
        return self._flaw() is None

    def ensure_valid(self) -> None:
        """CorruptRecordException, with both values, where size, magic or checksum are wrong."""
        if flaw := self._flaw():
            raise CorruptRecordException(f"the batch at offset {self.base_offset} is corrupt: "
                                         f"{flaw}")

    def with_offsets(self, base_offset: int, leader_epoch: int) -> "RecordBatch":
        """The same batch as a leader stores it; the checksum still holds."""
        assigned = _ASSIGNED.pack(base_offset, self.header.batch_length, leader_epoch)
        return RecordBatch(assigned + self.buffer[_ASSIGNED.size:])

    def records(self) -> Iterator[Record]:
        """Decode record by record. Nothing is checked before it is reached.

        Errors: CorruptRecordException for a broken structure, UnsupportedCompressionTypeException.
        """
        header = self.header
        if header.attributes & CODEC_MASK:
            raise UnsupportedCompressionTypeException(
                f"the batch at offset {header.base_offset} is compressed "
                f"({header.compression_type}); codecs come in a later version, until then only "
                f"records without compression can be decoded")
        if header.records_count < 0:
            raise CorruptRecordException(f"the batch at offset {header.base_offset} declares "
                                         f"{header.records_count} records; 0 is the least")
        return _read_records(self.buffer, header)

    def __eq__(self, other: object) -> bool:
        return self.buffer == other.buffer if isinstance(other, RecordBatch) else NotImplemented

    def __hash__(self) -> int:
        return self.header.crc

    def __repr__(self) -> str:
        return f"RecordBatch({self.base_offset}-{self.last_offset}, {self.size} bytes)"


def batches(buffer: bytes, position: int = 0) -> Iterator[RecordBatch]:
    """The whole batches from `position` on; a batch that is cut off at the end is left out.

    Checksums are not looked at. CorruptRecordException where a length is impossible.
    """
    while position + LOG_OVERHEAD <= len(buffer):
        base_offset, length = _FRAME.unpack_from(buffer, position)
        size = LOG_OVERHEAD + length
        if size < RECORD_BATCH_OVERHEAD:
            raise CorruptRecordException(
                f"the batch at byte {position}, offset {base_offset}, declares {size} bytes; "
                f"{RECORD_BATCH_OVERHEAD} is the least")
        if position + size > len(buffer):
            return
        yield RecordBatch(bytes(buffer[position:position + size]))
        position += size


def valid_length(buffer: bytes) -> int:
    """How many bytes come before the first batch that is torn or fails its checks."""
    length = 0
    try:
        for batch in batches(buffer):
            batch.ensure_valid()
            length += batch.size
    except CorruptRecordException:
        pass
    return length


# -- accumulating -----------------------------------------------------------------------------
def size_upper_bound(key: bytes | None, value: bytes | None, headers: Headers = ()) -> int:
    """Bytes that a batch of this one record takes at most; what `max.request.size` is held to."""
    return RECORD_BATCH_OVERHEAD + MAX_RECORD_OVERHEAD + size_of_content(key, value, headers)


class RecordBatchBuilder:
    """MemoryRecordsBuilder: a producer's open batch, of `batch_size` bytes (0 acts as 1).

    The first record always fits: a batch for a record that is too large gets the room it needs.
    """

    __slots__ = ("estimated_size_bytes", "_limit", "_records", "_base_timestamp", "_max_timestamp",
                 "_closed")

    def __init__(self, batch_size: int) -> None:
        self.estimated_size_bytes = RECORD_BATCH_OVERHEAD
        self._limit = max(batch_size, 1)
        self._records: list[bytes] = []
        self._base_timestamp = self._max_timestamp = -1
        self._closed = False

    @property
    def is_full(self) -> bool:
        """True where nothing more is taken: the bytes have reached the limit, or it was closed."""
        return self._closed or bool(self._records) and self.estimated_size_bytes >= self._limit

    def close_for_appends(self) -> None:
        """Take no more records: one that did not fit has begun the next batch."""
        self._closed = True

    def has_room_for(self, key: bytes | None, value: bytes | None, headers: Headers = (), *,
                     timestamp: int) -> bool:
        """True where this record, by its exact size, still fits."""
        if self.is_full:
            return False
        if not self._records:
            return True
        body = 1 + size_of_varint(timestamp - self._base_timestamp) \
            + size_of_varint(len(self._records)) \
            + size_of_content(key, value, headers)
        return self.estimated_size_bytes + size_of_varint(body) + body <= self._limit

    def append(self, timestamp: int, key: bytes | None, value: bytes | None,
               headers: Headers = ()) -> int:
        """Add a record (`timestamp` in epoch ms, -1 for none) and give its relative offset."""
        if self._closed:
            raise IllegalStateException("this batch is closed for appends; begin another one")
        if timestamp < -1:
            raise ValueError(f"a record's timestamp is 0 or more, or -1 for none; got {timestamp}")
        if not self._records:
            self._base_timestamp = timestamp
            self._limit = max(self._limit, size_upper_bound(key, value, headers))
        self._max_timestamp = max(self._max_timestamp, timestamp)
        record = encode_record(timestamp - self._base_timestamp, len(self._records), key, value,
                               headers)
        self._records.append(record)
        self.estimated_size_bytes += len(record)
        return len(self._records) - 1

    def build(self, **state: int) -> bytes:
        """The batch so far; `state` as for `encode`."""
        return _assemble(self._records, self._base_timestamp, self._max_timestamp, **state)
