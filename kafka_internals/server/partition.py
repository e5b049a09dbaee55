"""Partition: one replica as its broker sees it, and the high watermark rule.

The leader knows of a follower only what the follower's fetches say: a fetch at offset 5 means "I
have everything below 5". The high watermark is the least log end offset in the in-sync replica set,
as the leader knows it, and it stands still while that set is smaller than `min.insync.replicas`
(Partition.maybeIncrementLeaderHW, KIP-966). A follower takes over the mark that a fetch response
carries, never beyond its own log end.
"""

from typing import Any, NamedTuple

from kafka_internals.common import NO_NODE, START_MS, Changed, TopicPartition, Wait, replica_name
from kafka_internals.errors import (
    FencedLeaderEpochException,
    NotEnoughReplicasAfterAppendException,
    NotEnoughReplicasException,
    NotLeaderOrFollowerException,
    UnknownLeaderEpochException,
)
from kafka_internals.record_batch import RecordBatch, batches
from kafka_internals.storage.fetch_data_info import LogReadInfo
from kafka_internals.storage.file_records import Batches
from kafka_internals.storage.log_append_info import LogAppendInfo
from kafka_internals.storage.unified_log import UnifiedLog

UNKNOWN_OFFSET = -1

HW_RULE = "high watermark = least log end offset in the ISR, as the leader knows it"
FOLLOWER_HW_RULE = "a follower's high watermark = the leader's as last told, up to its own log end"
APPEND_RULE = "a leader gives offsets: base offset = log end offset"
COPY_RULE = "a follower appends what the leader stored, byte for byte"
FETCH_RULE = "a fetch at offset n says: I have everything below n"
RETENTION_RULE = "old segments go: retention.ms, retention.bytes; the log begins behind them"
FOLLOWER_START_RULE = "a follower's log begins no earlier than its leader's"
START_RULE = "the log is what its files hold; the high watermark begins at the checkpoint"


class Rules(NamedTuple):
    """Switches that only tests and lessons turn. Each default is Kafka's rule; see law 7."""

    high_watermark: str = "isr"             # "leader": the leader's own log end is enough
    consumer_reads_to: str = "high watermark"    # "log end": consumers read what may be lost
    acks_all_waits_for: str = "high watermark"   # "append": answered as if acks were 1
    replicas_awaited_in: str = "purgatory"       # "handler thread": which is not free until then
    offsets: str = "dense"                  # "gap": every batch leaves one offset out


class Leader:
    """What only a leader knows: how far each other replica has fetched."""

    role = "leader"

    def __init__(self, leader: int, others: tuple[int, ...]) -> None:
        self.leader = leader
        self.remote_log_end_offset = {broker: UNKNOWN_OFFSET for broker in others}


class Follower:
    """A follower knows whom to ask."""

    role = "follower"

    def __init__(self, leader: int) -> None:
        self.leader = leader


class Leaderless:
    """A replica of a partition that has no leader: nothing to serve and nobody to ask."""

    role, leader = "no leader", NO_NODE


class ReplicaSnapshot(NamedTuple):
    """One replica, frozen. `remote_log_end_offset` is ((broker, offset), ...), -1 unknown."""

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


class Partition:
    """One replica of one partition. Methods that change something return `Changed` effects."""

    def __init__(self, partition: TopicPartition, broker: int, registration: Any,
                 configs: Any, log: UnifiedLog, rules: Rules = Rules()) -> None:
        self.partition, self.broker, self.log, self.rules = partition, broker, log, rules
        self.subject = replica_name(partition, broker)
        self.registration = registration
        self.min_isr = min(configs["min.insync.replicas"], len(registration.replicas))
        self.role: Leader | Follower | Leaderless = Leaderless()
        self._snapshot: ReplicaSnapshot | None = None

    @property
    def high_watermark(self) -> int:
        """Where the log is committed up to, as this replica knows it."""
        return self.log.high_watermark

    def begin(self, leads_again: bool, checkpointed: int, reads: tuple) -> list[Changed]:
        """Take the role that the image gives; a restarted leader must not lead its old epoch."""
        leader = self.registration.leader
        if leader == self.broker:
            others = tuple(b for b in self.registration.replicas if b != self.broker)
            self.role = Leader(leader, others) if leads_again else Leaderless()
            if leads_again:
                self.log.epochs.assign(self.registration.leader_epoch, self.log.log_end_offset)
        elif leader != NO_NODE:
            self.role = Follower(leader)
        end = self.log.log_end_offset
        self.log.update_high_watermark(checkpointed)
        said = [Changed(self.subject, "role", None, self.role.role, START_RULE, reads),
                Changed(self.subject, "log_end_offset", None, end, START_RULE, reads),
                Changed(self.subject, "high_watermark", None, self.high_watermark, START_RULE,
                        reads)]
        return said + self.maybe_increment_leader_high_watermark()

    # -- leading ------------------------------------------------------------------------------
    def ensure_leader(self, current_leader_epoch: int | None = None) -> Leader:
        """Check the asker's epoch, then that this replica leads (facts: the order is Kafka's)."""
        epoch = self.registration.leader_epoch
        if current_leader_epoch is not None and current_leader_epoch < epoch:
            raise FencedLeaderEpochException(
                f"{self.partition}: leader epoch {current_leader_epoch} is older than {epoch}")
        if current_leader_epoch is not None and current_leader_epoch > epoch:
            raise UnknownLeaderEpochException(
                f"{self.partition}: leader epoch {current_leader_epoch} is newer than {epoch}")
        if not isinstance(self.role, Leader):
            raise NotLeaderOrFollowerException(f"broker {self.broker} does not lead "
                                               f"{self.partition}")
        return self.role

    def is_led_in(self, leader_epoch: int) -> bool:
        """True where this replica leads, and in that epoch."""
        return self.role.role == "leader" and leader_epoch == self.registration.leader_epoch

    def append_records_to_leader(self, batch: RecordBatch, acks: int, asked: tuple,
                                 now_ms: int) -> tuple[LogAppendInfo, list[Changed]]:
        """Append a produced batch. With acks=all the in-sync set has to be large enough first."""
        self.ensure_leader()
        isr = self.registration.isr
        if acks == -1 and len(isr) < self.min_isr:
            raise NotEnoughReplicasException(
                f"The size of the current ISR {list(isr)} is insufficient to satisfy the "
                f"min.isr requirement of {self.min_isr} for partition {self.partition}")
        old = self.log.log_end_offset
        if self.rules.offsets == "gap" and old:
            self.log.log_end_offset += 1
        info = self.log.append_as_leader(batch, self.registration.leader_epoch,
                                         START_MS + now_ms)
        self._snapshot = None
        changed = Changed(self.subject, "log_end_offset", old, info.log_end_offset, APPEND_RULE,
                          asked)
        return info, [changed, *self.maybe_increment_leader_high_watermark()]

    def check_enough_replicas_reach_offset(self, required: int) -> bool:
        """True where the in-sync set has everything below `required`, and is still large enough.

        Errors: NotLeaderOrFollowerException, NotEnoughReplicasAfterAppendException.
        """
        self.ensure_leader()
        if self.high_watermark < required:
            return False
        if len(self.registration.isr) < self.min_isr:
            raise NotEnoughReplicasAfterAppendException(
                f"The ISR {list(self.registration.isr)} of {self.partition} is smaller than "
                f"min.insync.replicas {self.min_isr}; the records are in the log")
        return True

    def update_follower_fetch_state(self, broker: int, offset: int, asked: tuple) -> list[Changed]:
        """A follower's fetch tells how far it is; that may move the high watermark."""
        remote = self.ensure_leader().remote_log_end_offset
        if (old := remote[broker]) == offset:
            return []
        remote[broker] = offset
        self._snapshot = None
        changed = Changed(self.subject, f"remote_log_end_offset.{broker}", old, offset, FETCH_RULE,
                          asked)
        return [changed, *self.maybe_increment_leader_high_watermark()]

    def maybe_increment_leader_high_watermark(self) -> list[Changed]:
        """The rule itself. On a leader the mark only rises."""
        isr = self.registration.isr
        if not isinstance(self.role, Leader) or len(isr) < self.min_isr:
            return []
        ends, old = self._isr_ends(), self.high_watermark
        if (new := min([end for _, end in ends])) <= old:
            return []
        self.log.update_high_watermark(new)
        self._snapshot = None
        reads = tuple((self.subject, attribute, new) for attribute, _ in ends)
        return [Changed(self.subject, "high_watermark", old, new, HW_RULE, reads)]

    def _isr_ends(self) -> list[tuple[str, int]]:
        """The attribute that holds each ISR member's log end offset, and the offset."""
        ends = [("log_end_offset", self.log.log_end_offset)]
        if self.rules.high_watermark == "isr":
            remote = self.role.remote_log_end_offset
            ends += [(f"remote_log_end_offset.{broker}", remote[broker])
                     for broker in self.registration.isr if broker != self.broker]
        return ends

    def read_records(self, offset: int, max_bytes: int, epoch: int, replica_id: int,
                     min_one: bool, committed_only: bool = False) -> LogReadInfo:
        """Serve a fetch: a replica reads to the log's end, a consumer to the high watermark.

        With `committed_only` a consumer reads to the last stable offset (KIP-98).
        """
        role = self.ensure_leader(epoch)
        by_replica = replica_id >= 0
        if by_replica and replica_id not in role.remote_log_end_offset:
            raise UnknownLeaderEpochException(
                f"broker {replica_id} is not among the replicas {self.registration.replicas} of "
                f"{self.partition}")
        return self.log.read(offset, max_bytes, self.readable_end(by_replica, committed_only),
                             min_one, committed_only)

    def readable_end(self, by_replica: bool, committed_only: bool = False) -> int:
        """Where reading ends for this kind of reader."""
        if by_replica or self.rules.consumer_reads_to == "log end":
            return self.log.log_end_offset
        return self.log.last_stable_offset if committed_only else self.high_watermark

    def readable_attribute(self, by_replica: bool) -> str:
        """The name of that end, for "why?"."""
        return "log_end_offset" if by_replica else "high_watermark"

    # -- following ----------------------------------------------------------------------------
    def append_records_to_follower(self, data: Any, response: tuple,
                                   now_ms: int) -> list[Changed]:
        """Take over fetched batches and the high watermark that came with them."""
        log = self.log
        old, old_mark = log.log_end_offset, log.high_watermark
        log.append_as_follower(list(batches(data.records)), self.registration.leader_epoch,
                               START_MS + now_ms)
        end, mark = log.log_end_offset, log.update_high_watermark(data.high_watermark)
        self._snapshot = None
        changed = self._begin_no_earlier(data.log_start_offset, response)
        if end != old:
            changed.append(Changed(self.subject, "log_end_offset", old, end, COPY_RULE,
                                   (response,)))
        if mark != old_mark:
            changed.append(Changed(self.subject, "high_watermark", old_mark, mark,
                                   FOLLOWER_HW_RULE,
                                   (response, (self.subject, "log_end_offset"))))
        return changed

    def _begin_no_earlier(self, offset: int, response: tuple) -> list[Changed]:
        """What the leader has deleted a follower deletes, too; in its own time."""
        old = self.log.log_start_offset
        if not self.log.maybe_increment_log_start_offset(min(offset, self.high_watermark)):
            return []
        return [self.log_start_moved(old, FOLLOWER_START_RULE, (response,))]

    def log_start_moved(self, old: int, rule: str = RETENTION_RULE, reads: tuple = ()) -> Changed:
        """The log begins later than it did: what tells everybody."""
        self._snapshot = None
        return Changed(self.subject, "log_start_offset", old, self.log.log_start_offset, rule,
                       reads)

    # -- seen from outside --------------------------------------------------------------------
    def waits(self) -> tuple[Wait, ...]:
        """The high watermark rule read backwards: whose log end has to grow."""
        if not isinstance(self.role, Leader):
            return ()
        needs = self.high_watermark + 1
        if len(self.registration.isr) < self.min_isr:
            return (Wait("high_watermark", self.subject, "isr", self.min_isr),)
        return tuple(Wait("high_watermark", self.subject, attribute, needs)
                     for attribute, end in self._isr_ends() if end < needs)

    def snapshot(self) -> ReplicaSnapshot:
        """Frozen; made anew only after a change."""
        if self._snapshot is None:
            registration = self.registration
            remote = getattr(self.role, "remote_log_end_offset", {})
            self._snapshot = ReplicaSnapshot(
                self.partition, self.broker, self.role.role, self.role.leader,
                registration.leader_epoch, registration.replicas, registration.isr, self.min_isr,
                self.log.log_start_offset, self.log.log_end_offset, self.high_watermark,
                self.log.batches(), tuple(remote.items()), self.waits())
        return self._snapshot
