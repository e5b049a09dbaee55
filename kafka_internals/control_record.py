"""ControlRecordType and EndTransactionMarker: records that Kafka writes for itself.

A control batch holds one such record and no client may send one. A transaction ends with a marker
in each of its partitions: COMMIT or ABORT, and the epoch of the coordinator that decided, so that
one which was replaced is not believed any more (KIP-98). The other types belong to KRaft's log
(KIP-595, KIP-630, KIP-853).
"""

from enum import IntEnum
from struct import Struct
from struct import error as StructError
from typing import NamedTuple

from kafka_internals.errors import InvalidRecordException
from kafka_internals.record import Field, Record
from kafka_internals.record_batch import CONTROL, TRANSACTIONAL, RecordBatch, encode

# fmt: off
KEY_LAYOUT = (
    Field("version", "h", "of the key: 0"),
    Field("type",    "h", "what the record says, a ControlRecordType"),
)
END_TRANSACTION_LAYOUT = (
    Field("version",           "h", "of the value: 0"),
    Field("coordinator_epoch", "i", "which leader of the transaction's coordinator decided"),
)
# fmt: on
VERSION = 0
_KEY = Struct(">" + "".join(field.kind for field in KEY_LAYOUT))
_END_TRANSACTION = Struct(">" + "".join(field.kind for field in END_TRANSACTION_LAYOUT))


class ControlRecordType(IntEnum):
    """What a control record says; a type from the future is UNKNOWN and passed over."""

    ABORT = 0
    COMMIT = 1
    LEADER_CHANGE = 2
    SNAPSHOT_HEADER = 3
    SNAPSHOT_FOOTER = 4
    KRAFT_VERSION = 5
    KRAFT_VOTERS = 6
    UNKNOWN = -1

    def key(self) -> bytes:
        """The key of a record of this type, 4 bytes."""
        return _KEY.pack(VERSION, self)

    @classmethod
    def parse(cls, key: bytes | None) -> "ControlRecordType":
        """The type in a control record's key; later versions may have added bytes.

        Errors: InvalidRecordException for a key of fewer than 4 bytes or a version below 0.
        """
        if key is None or len(key) < _KEY.size:
            raise InvalidRecordException(f"the key of a control record has at least {_KEY.size} "
                                         f"bytes, this one {0 if key is None else len(key)}")
        version, number = _KEY.unpack_from(key)
        if version < VERSION:
            raise InvalidRecordException(f"the key of a control record has version {version}; "
                                         f"{VERSION} is the first")
        return cls(number) if number in range(ControlRecordType.KRAFT_VOTERS + 1) else cls.UNKNOWN


OUTCOMES = (ControlRecordType.ABORT, ControlRecordType.COMMIT)


class EndTransactionMarker(NamedTuple):
    """The end of a transaction in one partition: its outcome, COMMIT or ABORT, and who decided."""

    control_type: ControlRecordType
    coordinator_epoch: int

    def value(self) -> bytes:
        """The value of the marker's record, 6 bytes."""
        return _END_TRANSACTION.pack(VERSION, self.coordinator_epoch)

    @classmethod
    def parse(cls, record: Record) -> "EndTransactionMarker":
        """The marker in a control batch's record.

        Errors: InvalidRecordException for a record of another type or a value that is too short.
        """
        control_type = ControlRecordType.parse(record.key)
        if control_type not in OUTCOMES:
            raise InvalidRecordException(f"a transaction ends with ABORT or COMMIT, not with "
                                         f"{control_type.name} (key {record.key.hex()})")
        try:
            version, epoch = _END_TRANSACTION.unpack_from(record.value or b"")
        except StructError as error:
            raise InvalidRecordException(f"the value of a marker has {_END_TRANSACTION.size} bytes "
                                         f"at least, this one {len(record.value or b'')}"
                                         ) from error
        if version < VERSION:
            raise InvalidRecordException(f"the value of a marker has version {version}; {VERSION} "
                                         f"is the first")
        return cls(control_type, epoch)

    def encode(self, timestamp: int, producer_id: int, producer_epoch: int,
               **state: int) -> bytes:
        """The whole batch, 78 bytes; `timestamp` in epoch ms.

        `state`: base_offset=0, partition_leader_epoch=-1. ValueError for an epoch below 0.
        """
        if producer_epoch < 0:
            raise ValueError(f"Invalid negative producer epoch {producer_epoch} of producer "
                             f"{producer_id}")
        return encode([(timestamp, self.control_type.key(), self.value(), ())],
                      producer_id=producer_id, producer_epoch=producer_epoch,
                      attributes=TRANSACTIONAL | CONTROL, **state)


def read_marker(batch: RecordBatch) -> EndTransactionMarker | None:
    """The transaction marker that a batch is, or None for any other batch.

    Errors: InvalidRecordException for a control record that cannot be read.
    """
    if not batch.header.is_control or not batch.header.records_count:
        return None
    record = next(batch.records())
    ends_it = ControlRecordType.parse(record.key) in OUTCOMES
    return EndTransactionMarker.parse(record) if ends_it else None
