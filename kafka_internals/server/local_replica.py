"""LocalReplica: what a replica does in every role: it says who may ask, is read, and follows.

Kafka has this in Partition. Whoever asks names the leader epoch that it believes in, so a stale
leader, and a stale reader, are found out before anything else is looked at (KIP-320). A follower
appends what its leader stored; where the leader's log is another one it cuts its own, and that may
go below its high watermark only after an unclean election.
"""

from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

from kafka_internals.common import START_MS, Changed, TopicPartition, Wait, replica_name
from kafka_internals.errors import (
    FencedLeaderEpochException,
    NotLeaderOrFollowerException,
    OffsetNotAvailableException,
    OffsetOutOfRangeException,
    UnexpectedAppendOffsetException,
    UnknownLeaderEpochException,
)
from kafka_internals.messages.fetch import EpochEndOffset
from kafka_internals.messages.list_offsets import LATEST_TIMESTAMP
from kafka_internals.messages.metadata_records import RECOVERED
from kafka_internals.record_batch import RecordBatch, batches
from kafka_internals.server.kraft_metadata_cache import KRaftMetadataCache
from kafka_internals.server.offset_truncation_state import UNDEFINED
from kafka_internals.server.partition_roles import Follower, Leader, Leaderless
from kafka_internals.server.partition_state import CommittedPartitionState
from kafka_internals.server.rules import Rules
from kafka_internals.storage.fetch_data_info import LogReadInfo
from kafka_internals.storage.file_records import Batches, TimestampAndOffset
from kafka_internals.storage.offset_lookup import fetch_offset
from kafka_internals.storage.unified_log import UnifiedLog

FOLLOWER_HW_RULE = "a follower's high watermark = the leader's as last told, up to its own log end"
COPY_RULE = "a follower appends what the leader stored, byte for byte"
RETENTION_RULE = "old segments go: retention.ms, retention.bytes; the log begins behind them"
FOLLOWER_START_RULE = "a follower's log begins no earlier than its leader's"
TRUNCATE_RULE = "a follower cuts its log where it parts from its leader's (KIP-101, KIP-595)"
BELOW_MARK_RULE = "a follower cuts its log even below its high watermark: an unclean election"
START_OVER_RULE = "a follower whose log ends before its leader's begins starts over there"
CUTS = (TRUNCATE_RULE, BELOW_MARK_RULE, START_OVER_RULE)
FETCHER_RULE = "a follower appends only while its log agrees with its leader's"


@lru_cache(32)                                 # every follower is given the same ones
def _stored(records: bytes) -> tuple[RecordBatch, ...]:
    return tuple(batches(records))


class ReplicaSnapshot(NamedTuple):
    """One replica, frozen. `remote_log_end_offset` is ((broker, offset), ...), -1 unknown.

    `isr` is the committed one, on a follower as metadata has it; `maximal_isr` has who may be a
    member by now. `leader_epoch_start_offset` is None where this replica does not lead,
    `fetch_state` None where it does not follow.
    """

    partition: TopicPartition
    broker: int
    role: str
    leader: int
    leader_epoch: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    min_isr: int
    log_start_offset: int
    log_end_offset: int
    high_watermark: int
    batches: Batches
    remote_log_end_offset: tuple[tuple[int, int], ...]
    waits: tuple[Wait, ...]
    partition_epoch: int = 0
    maximal_isr: tuple[int, ...] = ()
    isr_state: str = "COMMITTED"
    leader_epoch_start_offset: int | None = None
    leader_recovery_state: int = RECOVERED
    fetch_state: str | None = None


class LocalReplica:
    """Log, role and metadata of one replica; `partition_epoch` may be ahead of `registration`."""

    def __init__(self, partition: TopicPartition, broker: int, registration: Any, configs: Any,
                 log: UnifiedLog, rules: Rules, metadata: KRaftMetadataCache | None) -> None:
        self.partition, self.broker, self.log, self.rules = partition, broker, log, rules
        self.subject = replica_name(partition, broker)
        self.registration, self.partition_epoch = registration, registration.partition_epoch
        self.min_isr = min(configs["min.insync.replicas"], len(registration.replicas))
        self._fetches_diverge = rules.fetches_diverge
        self.role: Leader | Follower | Leaderless = Leaderless()
        self.metadata = metadata or KRaftMetadataCache()
        self._snapshot: ReplicaSnapshot | None = None

    high_watermark = property(attrgetter("log.high_watermark"),
                              doc="Where the log is committed up to, as this replica knows it.")
    leader_epoch = property(attrgetter("registration.leader_epoch"),
                            doc="The epoch of the leader that this replica knows of.")

    # -- who may ask --------------------------------------------------------------------------
    def ensure_leader(self, current_leader_epoch: int | None = None) -> Leader:
        """Check the asker's epoch, then that this replica leads (facts: the order is Kafka's)."""
        if current_leader_epoch is not None \
                and current_leader_epoch != self.registration.leader_epoch:
            self.ensure_epoch(current_leader_epoch)
        if type(self.role) is not Leader:
            raise NotLeaderOrFollowerException(f"broker {self.broker} does not lead "
                                               f"{self.partition}")
        return self.role

    def ensure_epoch(self, current: int) -> None:
        """Check the asker's epoch. It is all that a consumer needs: a follower serves it, too."""
        epoch = self.registration.leader_epoch
        if current == epoch or current == UNDEFINED or not self.rules.fencing:
            return
        if current < epoch:
            raise FencedLeaderEpochException(
                f"{self.partition}: leader epoch {current} is older than {epoch}")
        raise UnknownLeaderEpochException(
            f"{self.partition}: leader epoch {current} is newer than {epoch}")

    # -- reading ------------------------------------------------------------------------------
    def read_records(self, offset: int, max_bytes: int, epoch: int, replica_id: int,
                     min_one: bool, committed_only: bool = False,
                     last_fetched_epoch: int = UNDEFINED) -> LogReadInfo:
        """Serve a fetch: a replica reads to the log's end, a consumer to the high watermark.

        With `committed_only` a consumer reads to the last stable offset (KIP-98). Where the
        epoch before `offset` ends earlier in this log, nothing is read but that (KIP-595).
        """
        by_replica = replica_id >= 0
        self.ensure_leader(epoch) if by_replica else self.ensure_epoch(epoch)
        if by_replica and replica_id not in self.role.replicas:
            error = UnknownLeaderEpochException if epoch >= 0 else NotLeaderOrFollowerException
            raise error(f"broker {replica_id} is not among the replicas "
                        f"{self.registration.replicas} of {self.partition}")
        if (diverging := self.diverging_epoch(offset, last_fetched_epoch)) is not None:
            return LogReadInfo(b"", self.log.log_start_offset, self.log.log_end_offset, None,
                               diverging_epoch=diverging)
        return self.log.read(offset, max_bytes, self.readable_end(by_replica, committed_only),
                             min_one, committed_only)

    def diverging_epoch(self, offset: int, last_fetched_epoch: int) -> EpochEndOffset | None:
        """Where the two logs may still agree, if they differ below `offset`.

        Errors: OffsetOutOfRangeException where this log knows nothing of that epoch.
        """
        log = self.log
        if last_fetched_epoch == UNDEFINED or not self._fetches_diverge or \
                last_fetched_epoch == log.epochs.latest_epoch \
                and log.log_start_offset <= offset <= log.local.log_end_offset:
            return None
        epoch, end = log.epochs.end_offset_for(last_fetched_epoch, log.local.log_end_offset)
        if end == UNDEFINED or epoch == UNDEFINED:
            raise OffsetOutOfRangeException(
                f"Could not determine the end offset of the last fetched epoch "
                f"{last_fetched_epoch} from the request for {self.partition}")
        if offset < log.log_start_offset:
            raise OffsetOutOfRangeException(
                f"Received request for offset {offset} for partition {self.partition}, but the "
                f"log begins at {log.log_start_offset}")
        return EpochEndOffset(epoch, end) if epoch < last_fetched_epoch or end < offset else None

    def end_offset_for(self, leader_epoch: int) -> EpochEndOffset:
        """The highest own epoch not above this one, and where it ends; -1 for both: unknown."""
        return EpochEndOffset(*self.log.epochs.end_offset_for(leader_epoch,
                                                              self.log.log_end_offset))

    def last_offset_for_leader_epoch(self, current_leader_epoch: int,
                                     leader_epoch: int) -> EpochEndOffset:
        """OffsetForLeaderEpoch: only a leader answers."""
        self.ensure_leader(current_leader_epoch)
        return self.end_offset_for(leader_epoch)

    def fetch_offset_for_timestamp(self, asked: Any, committed_only: bool,
                                   replica_id: int) -> TimestampAndOffset:
        """ListOffsets. A follower is told the log's end, a client what it may read to.

        Errors: OffsetNotAvailableException while a new leader's high watermark has not reached the
        beginning of its epoch: the end that clients saw would seem to go back (KIP-207).
        """
        role = self.ensure_leader(asked.current_leader_epoch)
        end = self.readable_end(replica_id >= 0, committed_only)
        found = fetch_offset(self.log, asked.timestamp, committed_only, end)
        latest = asked.timestamp == LATEST_TIMESTAMP
        if role.epoch_start_offset > end and (latest or found.offset < 0):
            raise OffsetNotAvailableException(
                f"Failed to fetch offsets for partition {self.partition} with leader epoch "
                f"{self.leader_epoch} as this partition's high watermark ({end}) is lagging behind "
                f"the start offset from the beginning of this epoch ({role.epoch_start_offset}).")
        return found

    def readable_end(self, by_replica: bool, committed_only: bool = False) -> int:
        """Where reading ends for this kind of reader."""
        if by_replica or self.rules.consumer_reads_to == "log end":
            return self.log.local.log_end_offset
        return self.log.last_stable_offset if committed_only else self.log.high_watermark

    def readable_attribute(self, by_replica: bool) -> str:
        """The name of that end, for "why?"."""
        return "log_end_offset" if by_replica else "high_watermark"

    # -- following ----------------------------------------------------------------------------
    def append_records_to_follower(self, data: Any, response: tuple, now_ms: int,
                                   leader_epoch: int | None = None) -> list[Changed]:
        """Take over fetched batches and the high watermark that came with them.

        Batches above `leader_epoch`, in which they were asked for, are left for later.
        """
        log = self.log
        old, old_mark = log.local.log_end_offset, log.high_watermark
        if data.records:
            self._append(_stored(data.records),
                         self.leader_epoch if leader_epoch is None else leader_epoch, now_ms)
        end, mark = log.local.log_end_offset, log.update_high_watermark(data.high_watermark)
        self._snapshot = None
        changed = self._begin_no_earlier(data.log_start_offset, response) \
            if data.log_start_offset > log.log_start_offset else []
        if end != old:
            changed.append(Changed(self.subject, "log_end_offset", old, end, COPY_RULE,
                                   (response,)))
        if mark != old_mark:
            changed.append(Changed(self.subject, "high_watermark", old_mark, mark,
                                   FOLLOWER_HW_RULE,
                                   (response, (self.subject, "log_end_offset"))))
        return changed

    def _append(self, taken: tuple[RecordBatch, ...], leader_epoch: int, now_ms: int) -> None:
        """An empty log may begin within a batch, since DeleteRecords cuts anywhere: whole it comes.

        Its files begin where the batch does then, and its records where they did.
        """
        log = self.log
        try:
            log.append_as_follower(taken, leader_epoch, START_MS + now_ms)
        except UnexpectedAppendOffsetException:
            start = log.log_start_offset
            if log.log_end_offset != start or not \
                    taken[0].base_offset < start <= taken[-1].last_offset:
                raise
            log.truncate_fully_and_start_at(taken[0].base_offset, START_MS + now_ms, start)
            log.append_as_follower(taken, leader_epoch, START_MS + now_ms)

    def _begin_no_earlier(self, offset: int, response: tuple) -> list[Changed]:
        """What the leader has deleted a follower deletes, too; in its own time."""
        old = self.log.log_start_offset
        if not self.log.maybe_increment_log_start_offset(min(offset, self.log.high_watermark)):
            return []
        return [self.log_start_moved(old, FOLLOWER_START_RULE, (response,))]

    def log_start_moved(self, old: int, rule: str = RETENTION_RULE, reads: tuple = ()) -> Changed:
        """The log begins later than it did: what tells everybody."""
        self._snapshot = None
        return Changed(self.subject, "log_start_offset", old, self.log.log_start_offset, rule,
                       reads)

    def truncate_to(self, offset: int, reads: tuple, now_ms: int) -> list[Changed]:
        """Cut the log; below its own high watermark, too, and then the rule says so."""
        rule = BELOW_MARK_RULE if offset < self.high_watermark else TRUNCATE_RULE
        return self._cut(lambda: self.log.truncate_to(offset, START_MS + now_ms), rule, reads)

    def truncate_fully_and_start_at(self, offset: int, reads: tuple, now_ms: int) -> list[Changed]:
        """Throw the log away; it is empty and begins at `offset`."""
        return self._cut(lambda: self.log.truncate_fully_and_start_at(offset, START_MS + now_ms),
                         START_OVER_RULE, reads)

    def _cut(self, act: Any, rule: str, reads: tuple) -> list[Changed]:
        names = ("log_start_offset", "log_end_offset", "high_watermark")
        before = [getattr(self.log, name) for name in names]
        act()
        self._snapshot = None
        return [Changed(self.subject, name, old, getattr(self.log, name), rule, reads)
                for name, old in zip(names, before) if getattr(self.log, name) != old]

    def fetcher_is(self, state: str, reads: tuple = ()) -> list[Changed]:
        """What its fetcher may do with a follower's log now."""
        if type(self.role) is not Follower or (old := self.role.fetch_state) == state:
            return []
        self.role.fetch_state, self._snapshot = state, None
        return [Changed(self.subject, "fetch_state", old, state, FETCHER_RULE, reads)]

    # -- seen from outside --------------------------------------------------------------------
    def ends_of(self, counted: tuple[int, ...]) -> list[tuple[str, int]]:
        """The attribute that holds each log end that counts for a leader's mark, and the offset."""
        remote = self.role.replicas
        return [("log_end_offset", self.log.local.log_end_offset)] + [
            (f"remote_log_end_offset.{broker}", remote[broker].state.log_end_offset)
            for broker in counted if broker in remote]

    def waits(self) -> tuple[Wait, ...]:
        """The high watermark rule read backwards: whose log end has to grow.

        Also that of a replica outside the ISR, if the mark waits for it to come in.
        """
        role = self.role
        if type(role) is not Leader:
            return ()
        needs = self.high_watermark + 1
        if self.rules.min_isr_gate and len(role.state.isr) < self.min_isr:
            return (Wait("high_watermark", self.subject, "isr", self.min_isr),)
        counted = role.counted(self.rules) + role.waited_for
        return tuple([Wait("high_watermark", self.subject, attribute, needs)
                      for attribute, end in self.ends_of(counted) if end < needs])

    def snapshot(self) -> ReplicaSnapshot:
        """Frozen; made anew only after a change."""
        if self._snapshot is None:
            registration, role, log = self.registration, self.role, self.log
            state = role.state if type(role) is Leader else CommittedPartitionState(
                registration.isr, registration.leader_recovery_state)
            self._snapshot = ReplicaSnapshot(
                self.partition, self.broker, role.role, role.leader, registration.leader_epoch,
                registration.replicas, state.isr, self.min_isr, log.log_start_offset,
                log.local.log_end_offset, log.high_watermark, log.batches(),
                role.remote_log_end_offset, self.waits(), self.partition_epoch, state.maximal_isr,
                state.name, role.epoch_start_offset, state.leader_recovery_state, role.fetch_state)
        return self._snapshot
