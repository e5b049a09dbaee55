"""DefaultRecordBatch: the batch, in which Kafka moves and stores records.

A batch (magic 2, KIP-98) is what a producer sends, a leader stores, a follower copies and a
consumer fetches: the same bytes everywhere. What a leader fills in, base offset and leader epoch,
stands before the checksum, which covers everything behind itself. So a broker gives offsets and
carries batches without decoding them. Records that are compressed are one blob behind the header;
it is opened when they are asked for, and only up to a limit.
"""

from collections import namedtuple
from collections.abc import Iterable, Iterator, Sequence
from struct import Struct

from kafka_internals.byte_utils import crc32c
from kafka_internals.compression import CODECS, compress, decompress
from kafka_internals.errors import CorruptRecordException, IllegalStateException
from kafka_internals.record import Field, Record, decode_record, encode_record

# fmt: off
LAYOUT = (
    Field("base_offset",            "q", "offset of the first record; given by the leader"),
    Field("batch_length",           "i", "bytes after this field"),
    Field("partition_leader_epoch", "i", "epoch of the leader that gave the offsets; -1 before"),
    Field("magic",                  "b", "version of the format: 2"),
    Field("crc",                    "I", "CRC-32C of every byte behind this field"),
    Field("attributes",             "h", "bits: 0-2 codec, 3 log append time, 4 txn, 5 control, "
                                         "6 delete horizon"),
    Field("last_offset_delta",      "i", "offset of the last record minus base offset"),
    Field("base_timestamp",         "q", "timestamp of the first record, or the delete horizon; "
                                         "epoch ms"),
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

CODEC_MASK, LOG_APPEND_TIME, TRANSACTIONAL, CONTROL, DELETE_HORIZON = 0x07, 0x08, 0x10, 0x20, 0x40
KNOWN_ATTRIBUTES = 0x7F
DECOMPRESSED_LIMIT_BYTES = 64 << 20                     # of one batch; Kafka sets none


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
    def timestamp_type(self) -> str:
        """Whose clock the records show: "CreateTime" or "LogAppendTime"."""
        return "LogAppendTime" if self.attributes & LOG_APPEND_TIME else "CreateTime"

    @property
    def is_transactional(self) -> bool:
        """True for a batch, or a marker, of a transaction."""
        return bool(self.attributes & TRANSACTIONAL)

    @property
    def is_control(self) -> bool:
        """True where the one record inside is for Kafka itself, not for an application."""
        return bool(self.attributes & CONTROL)

    @property
    def delete_horizon_ms(self) -> int | None:
        """From when on the cleaner may drop this batch's tombstones, epoch ms (KIP-534)."""
        return self.base_timestamp if self.attributes & DELETE_HORIZON else None

    @property
    def last_sequence(self) -> int:
        """Sequence number of the last record; after 2^31-1 comes 0. -1 without a producer id."""
        if self.base_sequence < 0:
            return -1
        return (self.base_sequence + self.last_offset_delta) & 0x7FFFFFFF


# -- writing ----------------------------------------------------------------------------------
def increment_sequence(sequence: int, by: int) -> int:
    """The sequence number `by` records later; after 2^31-1 comes 0."""
    return (sequence + by) & 0x7FFFFFFF


def _pack(header: BatchHeader, content: bytes) -> bytes:
    """A batch of these fields around its compressed or plain records; length and crc are made."""
    checked = _CHECKED.pack(*header[5:]) + content
    length = len(checked) + CRC_COVERS_FROM - LOG_OVERHEAD
    return _UNCHECKED.pack(header.base_offset, length, header.partition_leader_epoch, MAGIC,
                           crc32c(checked)) + checked


def assemble(records: list[bytes], base_timestamp: int, max_timestamp: int, *,
              base_offset: int = 0, partition_leader_epoch: int = -1, producer_id: int = -1,
              producer_epoch: int = -1, base_sequence: int = -1, attributes: int = 0,
              compression_type: str = "none", level: int | None = None,
              log_append_time_ms: int | None = None) -> bytes:
    """A whole batch of encoded records, dense from offset delta 0 on; `encode` tells the rest."""
    if not records:
        raise IllegalStateException("a batch holds at least one record; none was given")
    if attributes & CODEC_MASK:
        raise IllegalStateException(f"attributes {attributes:#06x} name a codec; name it as "
                                    f"compression_type and leave bits 0-2 at 0")
    content = b"".join(records)
    if compression_type != "none":
        content = compress(compression_type, content, level)
        attributes |= CODECS.index(compression_type)
    if log_append_time_ms is not None:
        attributes, max_timestamp = attributes | LOG_APPEND_TIME, log_append_time_ms
    return _pack(BatchHeader(base_offset, 0, partition_leader_epoch, MAGIC, 0, attributes,
                             len(records) - 1, base_timestamp, max_timestamp, producer_id,
                             producer_epoch, base_sequence, len(records)), content)


def encode(records: Iterable[tuple], **state: int | str | None) -> bytes:
    """A whole batch from (timestamp in epoch ms, key, value, headers) tuples.

    `state`: base_offset=0, partition_leader_epoch=-1, producer_id=-1, producer_epoch=-1,
    base_sequence=-1, attributes=0 (without the codec's bits), compression_type="none",
    log_append_time_ms=None (the time that every record shall show). Errors: IllegalStateException
    without a record, UnsupportedCompressionTypeException for a codec that does not exist.
    """
    records = list(records)
    base = records[0][0] if records else -1
    encoded = [encode_record(timestamp - base, delta, key, value, headers)
               for delta, (timestamp, key, value, headers) in enumerate(records)]
    return assemble(encoded, base, max([record[0] for record in records], default=-1), **state)


def encode_empty(header: BatchHeader) -> bytes:
    """The 61 bytes that the cleaner leaves of a batch whose records are gone.

    Offsets, leader epoch, producer and largest timestamp stay, so that nothing is forgotten that a
    producer's next batch is checked against; codec and delete horizon go.
    """
    kept = header.attributes & (LOG_APPEND_TIME | TRANSACTIONAL | CONTROL)
    return _pack(header._replace(attributes=kept, base_timestamp=-1, records_count=0), b"")


# -- reading ----------------------------------------------------------------------------------
def read_records(buffer: bytes, position: int, header: BatchHeader) -> Iterator[Record]:
    """Records from `position` of a buffer on, which holds nothing else up to its end."""
    count = header.records_count
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

    __slots__ = ("buffer", "size", "header", "base_offset", "last_offset")

    def __init__(self, buffer: bytes) -> None:
        self.buffer, self.size = buffer, len(buffer)
        if self.size < RECORD_BATCH_OVERHEAD:
            raise CorruptRecordException(f"a batch has at least {RECORD_BATCH_OVERHEAD} bytes, "
                                         f"this one {self.size}")
        self.header = header = tuple.__new__(BatchHeader, _HEADER.unpack_from(buffer))
        self.base_offset = header.base_offset                       # of the first record
        self.last_offset = header.base_offset + header.last_offset_delta

    def is_valid(self) -> bool:
        """True where size, magic and checksum are right."""
        try:
            self.ensure_valid()
        except CorruptRecordException:
            return False
        return True

    def ensure_valid(self) -> None:
        """CorruptRecordException, with both values, where size, magic or checksum are wrong."""
        header = self.header
        if LOG_OVERHEAD + header.batch_length != self.size:
            flaw = f"its header declares {header.size} bytes, it has {self.size}"
        elif header.magic != MAGIC:
            flaw = f"its magic is {header.magic}; this is the format of magic {MAGIC}"
        elif header.crc != (computed := crc32c(self.buffer[CRC_COVERS_FROM:])):
            flaw = f"its stored crc is {header.crc:#010x}, its bytes give {computed:#010x}"
        else:
            return
        raise CorruptRecordException(f"the batch at offset {self.base_offset} is corrupt: {flaw}")

    def with_offsets(self, base_offset: int, leader_epoch: int) -> "RecordBatch":
        """The same batch as a leader stores it; the checksum still holds."""
        assigned = _ASSIGNED.pack(base_offset, self.header.batch_length, leader_epoch)
        return RecordBatch(assigned + self.buffer[_ASSIGNED.size:])

    def with_timestamps(self, timestamp_type: str, max_timestamp: int) -> "RecordBatch":
        """The same records with another type and largest timestamp in the header, epoch ms.

        The records are not touched. Attributes that Kafka does not know are lost with a change.
        """
        header = self.header
        if (header.timestamp_type, header.max_timestamp) == (timestamp_type, max_timestamp):
            return self
        attributes = header.attributes & KNOWN_ATTRIBUTES & ~LOG_APPEND_TIME
        if timestamp_type == "LogAppendTime":
            attributes |= LOG_APPEND_TIME
        return RecordBatch(_pack(header._replace(attributes=attributes,
                                                 max_timestamp=max_timestamp),
                                 self.buffer[RECORD_BATCH_OVERHEAD:]))

    def record_bytes(self, limit_bytes: int = DECOMPRESSED_LIMIT_BYTES) -> bytes:
        """The records as bytes, decompressed; errors as in `compression.decompress`."""
        return decompress(self.header.compression_type, self.buffer[RECORD_BATCH_OVERHEAD:],
                          limit_bytes)

    def records(self, limit_bytes: int = DECOMPRESSED_LIMIT_BYTES) -> Iterator[Record]:
        """Decode record by record. Nothing is checked before it is reached.

        What is compressed is decompressed first, into `limit_bytes` at most. Errors:
        CorruptRecordException for a broken payload or structure, RecordTooLargeException past the
        limit, UnsupportedCompressionTypeException for a codec that does not exist.
        """
        header = self.header
        if header.records_count < 0:
            raise CorruptRecordException(f"the batch at offset {header.base_offset} declares "
                                         f"{header.records_count} records; 0 is the least")
        if header.attributes & CODEC_MASK and header.size > RECORD_BATCH_OVERHEAD:
            return read_records(self.record_bytes(limit_bytes), 0, header)
        return read_records(self.buffer, RECORD_BATCH_OVERHEAD, header)

    def __eq__(self, other: object) -> bool:
        return self.buffer == other.buffer if type(other) is RecordBatch else NotImplemented

    def __hash__(self) -> int:
        return self.header.crc

    def __repr__(self) -> str:
        return f"RecordBatch({self.base_offset}-{self.last_offset}, {self.size} bytes)"


def batches(buffer: bytes, position: int = 0) -> Iterator[RecordBatch]:
    """The whole batches from `position` on; a batch that is cut off at the end is left out.

    Checksums are not looked at. CorruptRecordException where a length is impossible.
    """
    end = len(buffer)
    while position + LOG_OVERHEAD <= end:
        base_offset, length = _FRAME.unpack_from(buffer, position)
        size = LOG_OVERHEAD + length
        if size < RECORD_BATCH_OVERHEAD:
            raise CorruptRecordException(
                f"the batch at byte {position}, offset {base_offset}, declares {size} bytes; "
                f"{RECORD_BATCH_OVERHEAD} is the least")
        if position + size > end:
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
