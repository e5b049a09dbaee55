"""RaftLog: what the quorum asks of a log. A `UnifiedLog` has all of it.

Batches come with their offsets and their epoch, from the leader's accumulator or from the leader,
and are written as they are.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from kafka_internals.common import TopicPartition
from kafka_internals.record_batch import RecordBatch

CLUSTER_METADATA = TopicPartition("__cluster_metadata", 0)
CLUSTER_METADATA_TOPIC_ID = "AAAAAAAAAAAAAAAAAAAAAQ"         # Uuid.METADATA_TOPIC_ID
MAX_BATCH_SIZE_BYTES = 8 << 20


class OffsetAndEpoch(NamedTuple):
    """An offset, and the epoch of the records before it."""

    offset: int
    epoch: int


class RaftLog(Protocol):
    """A replica's log. Times in epoch ms."""

    epochs: Any                         # latest_epoch, end_offset_for()
    local: Any                          # log_end_offset: that of the next record

    def append_as_follower(self, batches: list[RecordBatch], leader_epoch: int,
                           now_ms: int) -> Any:
        """Write batches whose offsets are final."""

    def read(self, offset: int, max_bytes: int, end_offset: int) -> Any:
        """`records`: stored bytes from `offset` up to `end_offset`, one whole batch at least."""

    def truncate_to(self, offset: int, now_ms: int) -> bool:
        """Cut the log."""

    def update_high_watermark(self, offset: int) -> int:
        """Note how far the log is committed."""

    def flush(self) -> None:
        """Force everything to the platter."""

    def batches(self) -> Sequence[Any]:
        """What lies in the log, for those who look at it."""


def end_offset_and_epoch(log: RaftLog) -> OffsetAndEpoch:
    """Where the log ends, and the epoch of its last record; 0 where there is none."""
    return OffsetAndEpoch(log.local.log_end_offset, log.epochs.latest_epoch or 0)


def end_offset_for_epoch(log: RaftLog, epoch: int) -> OffsetAndEpoch:
    """Where the highest epoch up to this one ends; the log's own end where it has a lower one."""
    known, offset = log.epochs.end_offset_for(epoch, log.local.log_end_offset)
    return end_offset_and_epoch(log) if known < 0 else OffsetAndEpoch(offset, known)


def diverging(log: RaftLog, offset: int, epoch: int) -> OffsetAndEpoch | None:
    """Where another log, whose record before `offset` has this epoch, parts from this one.

    None where it does not: the asker may go on from `offset` (validateOffsetAndEpoch).
    """
    if offset == 0 or epoch == log.epochs.latest_epoch and offset <= log.local.log_end_offset:
        return None
    end = end_offset_for_epoch(log, epoch)
    return end if end.epoch != epoch or end.offset < offset else None


def truncation_offset(log: RaftLog, end: OffsetAndEpoch) -> int:
    """Where to cut, told by the leader where an epoch ends there (truncateToEndOffset)."""
    if end.epoch == 0:
        return min(end.offset, log.local.log_end_offset)
    own = end_offset_for_epoch(log, end.epoch)
    return min(own.offset, end.offset) if own.epoch == end.epoch else own.offset
