"""RaftClient.Listener: who is told of what the quorum has committed, and who leads.

A state machine above the log: the controller, and every broker's metadata. It hears of each
committed record once and in order, and of a new leader only when it has heard of everything that
was committed before (KIP-595).
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from kafka_internals.messages.kraft_control_records import read_control_record
from kafka_internals.messages.metadata_record_serde import decode
from kafka_internals.record_batch import RecordBatch, batches


class LeaderAndEpoch(NamedTuple):
    """Who leads the quorum, -1 for nobody that is known, and in which epoch."""

    leader_id: int
    epoch: int


class Batch(NamedTuple):
    """One batch of committed records. `control_records` are KRaft's own; then there are no others.

    `append_timestamp` is the leader's clock, epoch ms.
    """

    base_offset: int
    epoch: int
    append_timestamp: int
    last_offset: int
    records: tuple[Any, ...] = ()
    control_records: tuple[Any, ...] = ()


class Listener(Protocol):
    """Both return effects, as a core does."""

    def handle_commit(self, batch: Batch, reads: tuple, now_ms: int) -> list:
        """These records are committed; `reads` is why, for "why?"."""

    def handle_leader_change(self, leader: LeaderAndEpoch, reads: tuple, now_ms: int) -> list:
        """Another leader, or another epoch."""


@lru_cache(1_000)                       # every node of a quorum reads the same ones
def stored_batches(stored: bytes) -> tuple[RecordBatch, ...]:
    """The batches behind one another. CorruptRecordException where a length is impossible."""
    return tuple(batches(stored))


def read_batches(stored: bytes) -> Iterator[Batch]:
    """What stored batches say. MetadataParseException, InvalidRecordException for damaged ones."""
    return (read_batch(batch.buffer) for batch in stored_batches(stored))


@lru_cache(1_000)
def read_batch(stored: bytes) -> Batch:
    """What one says."""
    batch = RecordBatch(stored)
    header, is_control = batch.header, batch.header.is_control
    said = tuple([read_control_record(one) if is_control else decode(one.value)
                  for one in batch.records()])
    return Batch(header.base_offset, header.partition_leader_epoch, header.max_timestamp,
                 header.last_offset, () if is_control else said, said if is_control else ())
