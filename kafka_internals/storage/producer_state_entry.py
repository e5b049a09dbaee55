"""ProducerStateEntry: what a partition remembers of one producer, and its form in a snapshot.

An idempotent producer (KIP-98) numbers its records for each partition. The leader keeps, for each
producer id, the epoch, the last five batches, the open transaction and the epoch of the coordinator
that last wrote a marker. Five is what a producer may have in flight: a retry of any of them is
known again and answered with the offsets it got. A snapshot file keeps the last batch only.
"""

from struct import Struct, error
from typing import NamedTuple

from kafka_internals.byte_utils import crc32c
from kafka_internals.errors import CorruptSnapshotException
from kafka_internals.record import Field
from kafka_internals.record_batch import BatchHeader

NO_PRODUCER_EPOCH = NO_SEQUENCE = NO_OFFSET = NO_TIMESTAMP = NO_COORDINATOR_EPOCH = -1
NUM_BATCHES_TO_RETAIN = 5
MAX_SEQUENCE = 0x7FFFFFFF
PRODUCER_SNAPSHOT_VERSION = 1

# fmt: off
SNAPSHOT_LAYOUT = (
    Field("version",                  "h", "version of the format: 1"),
    Field("crc",                      "I", "CRC-32C of every byte behind this field"),
    Field("count",                    "i", "how many producers follow"),
)
ENTRY_LAYOUT = (
    Field("producer_id",              "q", "which producer"),
    Field("producer_epoch",           "h", "which incarnation of it"),
    Field("last_sequence",            "i", "number of its last record; -1 without a batch"),
    Field("last_offset",              "q", "offset of that record; -1 without a batch"),
    Field("offset_delta",             "i", "records in its last batch, minus one"),
    Field("timestamp",                "q", "its last batch or marker, epoch ms"),
    Field("coordinator_epoch",        "i", "of the coordinator behind its last marker; -1 without"),
    Field("current_txn_first_offset", "q", "where its open transaction begins; -1 without"),
)
# fmt: on

_HEADER, _ENTRY = (Struct(">" + "".join(field.kind for field in layout))
                   for layout in (SNAPSHOT_LAYOUT, ENTRY_LAYOUT))
_VERSION_AND_CRC = Struct(">hI")


def decrement_sequence(sequence: int, by: int) -> int:
    """The sequence number `by` records earlier; before 0 comes 2^31-1."""
    return (sequence - by) & MAX_SEQUENCE


def in_sequence(last_sequence: int, next_sequence: int) -> bool:
    """True where the second follows the first: one more, or 0 after 2^31-1."""
    return next_sequence == last_sequence + 1 or last_sequence == MAX_SEQUENCE and not next_sequence


class BatchMetadata(NamedTuple):
    """One batch that a producer wrote; `timestamp` is its largest, in epoch ms."""

    last_sequence: int
    last_offset: int
    offset_delta: int
    timestamp: int

    @property
    def first_sequence(self) -> int:
        """Sequence number of its first record."""
        return decrement_sequence(self.last_sequence, self.offset_delta)

    @property
    def first_offset(self) -> int:
        """Offset of its first record."""
        return self.last_offset - self.offset_delta


class ProducerStateEntry(NamedTuple):
    """One producer at one instant, frozen: an append makes another one. `batches`: oldest first."""

    producer_id: int
    producer_epoch: int = NO_PRODUCER_EPOCH
    coordinator_epoch: int = NO_COORDINATOR_EPOCH
    last_timestamp: int = NO_TIMESTAMP
    current_txn_first_offset: int | None = None
    batches: tuple[BatchMetadata, ...] = ()

    @property
    def last_sequence(self) -> int:
        """Number of its last record; -1 where no batch is known."""
        return self.batches[-1].last_sequence if self.batches else NO_SEQUENCE

    @property
    def last_offset(self) -> int:
        """Offset of its last record; -1 where no batch is known."""
        return self.batches[-1].last_offset if self.batches else NO_OFFSET

    def of_epoch(self, producer_epoch: int) -> "ProducerStateEntry":
        """The entry for that epoch: another one than before knows no batches."""
        if producer_epoch == self.producer_epoch:
            return self
        return self._replace(producer_epoch=producer_epoch, batches=())

    def with_batch(self, header: BatchHeader) -> "ProducerStateEntry":
        """The entry after one more batch of data; of six the oldest is forgotten."""
        delta = header.last_offset_delta
        batch = BatchMetadata(header.last_sequence, header.base_offset + delta, delta,
                              header.max_timestamp)
        before = self.batches if header.producer_epoch == self.producer_epoch else ()
        return ProducerStateEntry(
            self.producer_id, header.producer_epoch, self.coordinator_epoch, header.max_timestamp,
            self.current_txn_first_offset, (*before, batch)[-NUM_BATCHES_TO_RETAIN:])

    def find_duplicate_batch(self, header: BatchHeader) -> BatchMetadata | None:
        """The remembered batch with the same epoch, first and last sequence number, if any."""
        if header.producer_epoch != self.producer_epoch:
            return None
        first, last = header.base_sequence, header.last_sequence
        return next((batch for batch in self.batches
                     if batch.last_sequence == last and batch.first_sequence == first), None)


class TxnMetadata(NamedTuple):
    """A transaction in this partition; `last_offset` is its marker's, None while it is open."""

    producer_id: int
    first_offset: int
    last_offset: int | None = None


class CompletedTxn(NamedTuple):
    """A transaction that a marker ended. `last_offset` is the marker's."""

    producer_id: int
    first_offset: int
    last_offset: int
    is_aborted: bool


class VerificationStateEntry(NamedTuple):
    """A transaction that the coordinator is being asked about (KIP-890), before its first batch.

    `guard` stands for this one question: an append has to show it again.
    """

    guard: int
    created_ms: int
    lowest_sequence: int
    epoch: int
    supports_epoch_bump: bool

    def asked_again(self, sequence: int, epoch: int) -> "VerificationStateEntry":
        """The lowest sequence number of the highest epoch that came so far."""
        if epoch > self.epoch or epoch == self.epoch and sequence < self.lowest_sequence:
            return self._replace(lowest_sequence=sequence, epoch=epoch)
        return self


# -- snapshots --------------------------------------------------------------------------------
def encode_snapshot(entries: list[ProducerStateEntry]) -> bytes:
    """The bytes of a `.snapshot` file, entries in the given order."""
    body = len(entries).to_bytes(4, "big") + b"".join(map(_encode_entry, entries))
    return _VERSION_AND_CRC.pack(PRODUCER_SNAPSHOT_VERSION, crc32c(body)) + body


def _encode_entry(entry: ProducerStateEntry) -> bytes:
    first = entry.current_txn_first_offset
    return _ENTRY.pack(entry.producer_id, entry.producer_epoch, entry.last_sequence,
                       entry.last_offset, entry.batches[-1].offset_delta if entry.batches else 0,
                       entry.last_timestamp, entry.coordinator_epoch,
                       NO_OFFSET if first is None else first)


def decode_snapshot(content: bytes, name: str = "the snapshot") -> list[ProducerStateEntry]:
    """The producers of a `.snapshot` file, in its order.

    Errors: CorruptSnapshotException for another version, a wrong checksum or a wrong length.
    """
    try:
        version, crc, count = _HEADER.unpack_from(content)
    except error:
        raise CorruptSnapshotException(f"{name} has {len(content)} bytes, but a snapshot has at "
                                       f"least {_HEADER.size}") from None
    if version != PRODUCER_SNAPSHOT_VERSION:
        raise CorruptSnapshotException(f"{name} has version {version}; this is the format of "
                                       f"version {PRODUCER_SNAPSHOT_VERSION}")
    if crc != (computed := crc32c(content[_VERSION_AND_CRC.size:])):
        raise CorruptSnapshotException(f"the stored crc of {name} is {crc:#010x}, its bytes give "
                                       f"{computed:#010x}")
    if len(content) != (size := _HEADER.size + count * _ENTRY.size):
        raise CorruptSnapshotException(f"{name} declares {count} producers, which take {size} "
                                       f"bytes; it has {len(content)}")
    return [_entry(*fields) for fields in _ENTRY.iter_unpack(content[_HEADER.size:])]


def _entry(producer_id: int, producer_epoch: int, last_sequence: int, last_offset: int,
           offset_delta: int, timestamp: int, coordinator_epoch: int,
           first_offset: int) -> ProducerStateEntry:
    batches = ()
    if last_offset >= 0:
        batches = (BatchMetadata(last_sequence, last_offset, offset_delta, timestamp),)
    return ProducerStateEntry(producer_id, producer_epoch, coordinator_epoch, timestamp,
                              None if first_offset < 0 else first_offset, batches)
