"""MemoryRecordsBuilder: a batch while it is filled, by a producer that waits for more records.

The builder knows the exact size of what it holds, so a batch never grows beyond `batch.size`. Only
the first record may be larger: it gets a batch of its own (RecordAccumulator, ProducerBatch). With
a codec it can only estimate, by the ratio that earlier batches had and 5 % more to be safe.
"""

from kafka_internals.byte_utils import size_of_varint
from kafka_internals.errors import IllegalStateException
from kafka_internals.record import MAX_RECORD_OVERHEAD, Headers, encode_record, size_of_content
from kafka_internals.record_batch import RECORD_BATCH_OVERHEAD, assemble

SAFETY = 1.05                                       # COMPRESSION_RATE_ESTIMATION_FACTOR


def size_upper_bound(key: bytes | None, value: bytes | None, headers: Headers = ()) -> int:
    """Bytes that a batch of this one record takes at most; what `max.request.size` is held to."""
    return RECORD_BATCH_OVERHEAD + MAX_RECORD_OVERHEAD + size_of_content(key, value, headers)


class MemoryRecordsBuilder:
    """A producer's open batch, of `batch_size` bytes (0 acts as 1).

    The first record always fits: a batch for a record that is too large gets the room it needs.
    `ratio` is what compressed by uncompressed bytes are expected to be. `estimated_size_bytes` are
    the bytes of the batch so far, exact without a codec; once it `is_full`, nothing more is taken:
    they have reached the limit, or it was closed.
    """

    __slots__ = ("limit_bytes", "uncompressed_bytes", "estimated_size_bytes", "is_full",
                 "compression_type", "level", "_expected", "_records", "_base_timestamp",
                 "_max_timestamp", "_closed")

    def __init__(self, batch_size: int, compression_type: str = "none", level: int | None = None,
                 ratio: float = 1.0) -> None:
        self.limit_bytes, self.uncompressed_bytes = max(batch_size, 1), 0
        self.compression_type, self.level = compression_type, level
        self._expected = 1 if compression_type == "none" else ratio * SAFETY
        self._records: list[bytes] = []
        self._base_timestamp = self._max_timestamp = -1
        self.estimated_size_bytes = RECORD_BATCH_OVERHEAD
        self.is_full = self._closed = False

    def close_for_appends(self) -> None:
        """Take no more records: one that did not fit has begun the next batch."""
        self.is_full = self._closed = True

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
        return self.estimated_size_bytes + size_of_varint(body) + body <= self.limit_bytes

    def append(self, timestamp: int, key: bytes | None, value: bytes | None,
               headers: Headers = ()) -> int:
        """Add a record (`timestamp` in epoch ms, -1 for none) and give its relative offset."""
        if self._closed:
            raise IllegalStateException("this batch is closed for appends; begin another one")
        if timestamp < -1:
            raise ValueError(f"a record's timestamp is 0 or more, or -1 for none; got {timestamp}")
        if not self._records:
            self._base_timestamp = timestamp
            self.limit_bytes = max(self.limit_bytes, size_upper_bound(key, value, headers))
        self._max_timestamp = max(self._max_timestamp, timestamp)
        record = encode_record(timestamp - self._base_timestamp, len(self._records), key, value,
                               headers)
        self._records.append(record)
        self.uncompressed_bytes += len(record)
        self.estimated_size_bytes = RECORD_BATCH_OVERHEAD + int(
            self.uncompressed_bytes * self._expected)
        self.is_full = self.estimated_size_bytes >= self.limit_bytes
        return len(self._records) - 1

    def build(self, **state: int | str | None) -> bytes:
        """The batch so far; `state` as for `encode`."""
        return assemble(self._records, self._base_timestamp, self._max_timestamp,
                        compression_type=self.compression_type, level=self.level, **state)
