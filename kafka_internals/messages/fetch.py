"""Fetch (key 1): a follower or a consumer asks a leader for records from an offset on.

A follower's fetch offset is at the same time its report: it has everything below. `replica_id` is
the follower's broker id, -1 for a consumer. In a session (KIP-227) a fetch names only what has
changed since the one before. A follower names the epoch of its last record, too: a leader whose
log has that epoch end earlier answers where, and nothing else (KIP-595).
"""

from typing import Any, NamedTuple

from kafka_internals.common import TopicPartition
from kafka_internals.messages import LeaderIdAndEpoch, throttled
from kafka_internals.messages.fetch_metadata import SESSIONLESS, FetchMetadata

CONSUMER = -1
NOT_ASKED_FOR = (1 << 63) - 1
READ_UNCOMMITTED, READ_COMMITTED = "read_uncommitted", "read_committed"


class EpochEndOffset(NamedTuple):
    """Where the records of one leader epoch end, as a leader knows it; -1 unknown."""

    leader_epoch: int
    end_offset: int


class FetchPartition(NamedTuple):
    """From where one partition is read, and the leader epoch that the asker believes in.

    `last_fetched_epoch` is that of the record before `fetch_offset`; -1 where nobody says it.
    `high_watermark` is what the asker knows of it, -1 for nothing; the largest number where it does
    not care to hear of a higher one (KIP-1166).
    """

    partition: TopicPartition
    fetch_offset: int
    current_leader_epoch: int
    partition_max_bytes: int
    log_start_offset: int = -1
    last_fetched_epoch: int = -1
    high_watermark: int = NOT_ASKED_FOR


class PartitionData(NamedTuple):
    """What one partition gave: `records` are whole stored batches, back to back.

    `source` is where they lie (LogOffsetMetadata): the network thread sends them from there.
    `aborted_transactions` (each with `producer_id` and `first_offset`) is None where the reader did
    not ask for committed data only. With a `diverging_epoch` there are no records; a
    `preferred_read_replica` of 0 or more says where to read instead (KIP-392).
    """

    partition: TopicPartition
    error: str = "NONE"
    high_watermark: int = -1
    log_start_offset: int = -1
    records: bytes = b""
    last_stable_offset: int = -1
    aborted_transactions: tuple | None = None
    source: Any = None
    diverging_epoch: EpochEndOffset | None = None
    current_leader: LeaderIdAndEpoch | None = None
    preferred_read_replica: int = -1


class FetchRequest(NamedTuple):
    """Waits up to `max_wait_ms` for `min_bytes`; answers with at most about `max_bytes`."""

    replica_id: int
    max_wait_ms: int
    min_bytes: int
    max_bytes: int
    partitions: tuple[FetchPartition, ...]
    isolation_level: str = READ_UNCOMMITTED
    metadata: FetchMetadata = SESSIONLESS
    forgotten: tuple[TopicPartition, ...] = ()
    replica_epoch: int = -1
    rack_id: str = ""

    def response(self, partitions: tuple[PartitionData, ...],
                 session_id: int = SESSIONLESS.session_id) -> "FetchResponse":
        """The answer, in the order of the request."""
        return FetchResponse(partitions, session_id=session_id)

    @property
    def committed_only(self) -> bool:
        """True where open and aborted transactions are not to be seen."""
        return self.isolation_level == READ_COMMITTED

    def is_enough(self, size: int) -> bool:
        """True where `size` bytes are worth an answer now; more than `max_bytes` nobody awaits."""
        return size >= self.min_bytes or size >= self.max_bytes

    def __str__(self) -> str:
        said = [f"{p.partition} at {p.fetch_offset}" for p in self.partitions]
        if self.forgotten:
            said += [f"no more {name}" for name in self.forgotten]
        return "fetch " + (", ".join(said) or "as before")


class FetchResponse(NamedTuple):
    """One answer for each partition, in a session only where there is something to say.

    `error` is one about the session; `throttle_time_ms` is how long a quota makes the client wait.
    """

    partitions: tuple[PartitionData, ...]
    throttle_time_ms: int = 0
    error: str = "NONE"
    session_id: int = SESSIONLESS.session_id

    @property
    def size_bytes(self) -> int:
        """The records; the names and numbers around them are not counted."""
        return sum([len(data.records) for data in self.partitions])

    def __str__(self) -> str:
        if self.error != "NONE":
            return self.error
        told = [f"{data.partition} {data.error}" if data.error != "NONE" else
                f"{data.partition} {len(data.records)} bytes, HW {data.high_watermark}"
                for data in self.partitions]
        said = ", ".join(told) or "nothing new"
        return said + throttled(self.throttle_time_ms) if self.throttle_time_ms else said
