"""Partition: one replica as its broker sees it, and the high watermark rule.

The leader knows of a follower only what the follower's fetches say: a fetch at offset 5 means "I
have everything below 5". The high watermark is the least log end offset of every replica that is in
the in-sync set, or may be by now, or is about to be, and it stands still while that set is smaller
than `min.insync.replicas` (Partition.maybeIncrementLeaderHW, KIP-497, KIP-966). A follower takes
over the mark that a fetch response carries, never beyond its own log end.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from kafka_internals.common import (
    START_MS,
    ZERO_UUID,
    Changed,
    TopicPartition,
    broker_name,
    hash_set_order,
)
from kafka_internals.errors import (
    NotEnoughReplicasAfterAppendException,
    NotEnoughReplicasException,
)
from kafka_internals.messages.alter_partition import AlterPartitionData, BrokerState
from kafka_internals.messages.metadata_records import RECOVERED
from kafka_internals.record_batch import RecordBatch
from kafka_internals.server.alter_partition_manager import AlterPartitionItem, AlterPartitionManager
from kafka_internals.server.kraft_metadata_cache import UNCHECKED_EPOCH, KRaftMetadataCache
from kafka_internals.server.local_replica import LocalReplica, ReplicaSnapshot
from kafka_internals.server.partition_roles import Follower, Leader, Leaderless
from kafka_internals.server.partition_state import (
    ANSWERS,
    CommittedPartitionState,
    PartitionState,
    PendingExpandIsr,
    PendingShrinkIsr,
)
from kafka_internals.server.replica import UNKNOWN_OFFSET
from kafka_internals.server.rules import Rules
from kafka_internals.storage.log_append_info import LogAppendInfo
from kafka_internals.storage.unified_log import UnifiedLog

HW_RULE = "high watermark = least log end offset in the ISR, as the leader knows it"
APPEND_RULE = "a leader gives offsets: base offset = log end offset"
FETCH_RULE = "a fetch at offset n says: I have everything below n"
START_RULE = "the log is what its files hold; the high watermark begins at the checkpoint"
METADATA_RULE = "the controller says who leads and who is in sync; the newer epoch holds"
EXPAND_RULE = "a follower with the high watermark and this epoch's start joins the ISR (KIP-497)"
SHRINK_RULE = "a member that was not caught up for replica.lag.time.max.ms leaves the ISR"
ALTERED_RULE = "an ISR counts once the controller has written it (KIP-497)"
DELETE_RULE = "DeleteRecords: the log begins at this offset, at most at the high watermark"
TOLD_OF_METADATA = ("role", "leader", "leader_epoch", "partition_epoch", "replicas", "isr",
                    "maximal_isr", "isr_state", "min_isr", "leader_epoch_start_offset",
                    "leader_recovery_state", "fetch_state")
_told = attrgetter(*TOLD_OF_METADATA)


class Partition(LocalReplica):
    """One replica of one partition. Methods that change something return `Changed` effects."""

    def __init__(self, partition: TopicPartition, broker: int, registration: Any,
                 configs: Any, log: UnifiedLog, rules: Rules = Rules(), *,
                 topic_id: str = ZERO_UUID, max_lag_ms: int = 30_000,
                 metadata: KRaftMetadataCache | None = None,
                 alter_partition_manager: AlterPartitionManager | None = None,
                 broker_epoch: Callable[[], int] = lambda: UNCHECKED_EPOCH) -> None:
        super().__init__(partition, broker, registration, configs, log, rules, metadata)
        self.topic_id, self._max_lag_ms = topic_id, max_lag_ms
        self._broker_epoch = broker_epoch
        self._alter_partition_manager = alter_partition_manager

    # -- roles --------------------------------------------------------------------------------
    def begin(self, checkpointed: int, reads: tuple, now_ms: int = 0) -> list[Changed]:
        """Take the role that the image gives, with what the log and its checkpoint hold."""
        self._take_role(is_new_epoch=True, now_ms=now_ms)
        end = self.log.log_end_offset
        self.log.update_high_watermark(checkpointed)
        said = [Changed(self.subject, "role", None, self.role.role, START_RULE, reads),
                Changed(self.subject, "log_end_offset", None, end, START_RULE, reads),
                Changed(self.subject, "high_watermark", None, self.high_watermark, START_RULE,
                        reads)]
        return said + self.maybe_increment_leader_high_watermark(now_ms)

    def _take_role(self, is_new_epoch: bool, now_ms: int) -> None:
        """Partition.makeLeader and makeFollower."""
        leader, role = self.registration.leader, self.role
        if leader != self.broker:
            if not is_new_epoch and role.leader == leader:
                return
            self.role = Follower(leader) if leader >= 0 else Leaderless()
            return
        is_new_leader = not isinstance(role, Leader)
        if is_new_leader:
            self.role = Leader(leader, self.metadata, self._max_lag_ms)
        self.role.update_assignment(self.registration)
        if is_new_epoch:
            start = self.log.log_end_offset
            self.log.epochs.assign(self.leader_epoch, start)
            self.role.begin_epoch(start, is_new_leader, now_ms)

    def apply(self, registration: Any, configs: Any, now_ms: int, reads: tuple) -> list[Changed]:
        """Take over what the controller has written, unless more is known already.

        Only what has changed since the last time, as a TopicsDelta has it. The same partition
        epoch counts, too, as in Kafka: an answer to AlterPartition may have come before.
        """
        before, old = self.snapshot(), self.registration
        is_news = registration != old and (registration.partition_epoch >= self.partition_epoch
                                           or not self.rules.partition_epochs)
        if is_news:
            self.registration, self.partition_epoch = registration, registration.partition_epoch
        self.min_isr = min(configs["min.insync.replicas"], len(self.registration.replicas))
        if not is_news:
            return self._since(before, METADATA_RULE, reads) if self.min_isr != before.min_isr \
                else []
        self._take_role(registration.leader_epoch > old.leader_epoch, now_ms)
        told = self._since(before, METADATA_RULE, reads)
        if told and isinstance(self.role, Leader):
            self._isr_is_why(before)
        return told + self.maybe_increment_leader_high_watermark(now_ms)

    def _since(self, before: ReplicaSnapshot, rule: str, reads: tuple) -> list[Changed]:
        """What of roles and sets differs from a moment before."""
        self._snapshot = None
        now = self.snapshot()
        pairs = [*zip(TOLD_OF_METADATA, _told(before), _told(now))]
        old, new = dict(before.remote_log_end_offset), dict(now.remote_log_end_offset)
        pairs += [(f"remote_log_end_offset.{broker}", old.get(broker), new.get(broker))
                  for broker in {**old, **new}]
        more = {"leader_epoch_start_offset": ((self.subject, "log_end_offset"),)}
        return [Changed(self.subject, name, was, is_, rule, reads + more.get(name, ()))
                for name, was, is_ in pairs if was != is_]

    # -- appending ----------------------------------------------------------------------------
    def append_records_to_leader(self, batch: RecordBatch, acks: int, asked: tuple,
                                 now_ms: int) -> tuple[LogAppendInfo, list[Changed]]:
        """Append a produced batch. With acks=all the in-sync set has to be large enough first."""
        isr = self.ensure_leader().state.isr
        if acks == -1 and len(isr) < self.min_isr:
            raise NotEnoughReplicasException(
                f"The size of the current ISR {list(isr)} is insufficient to satisfy the "
                f"min.isr requirement of {self.min_isr} for partition {self.partition}")
        old = self.log.local.log_end_offset
        if self.rules.offsets == "gap" and old:
            self.log.local.log_end_offset += 1
        info = self.log.append_as_leader(batch, self.leader_epoch, START_MS + now_ms)
        self._snapshot = None
        changed = Changed(self.subject, "log_end_offset", old, info.log_end_offset, APPEND_RULE,
                          (*asked, (self.subject, "role")))
        return info, [changed, *self.maybe_increment_leader_high_watermark(now_ms)]

    def check_enough_replicas_reach_offset(self, required: int) -> bool:
        """True where the in-sync set has everything below `required`, and is still large enough.

        Errors: NotLeaderOrFollowerException, NotEnoughReplicasAfterAppendException.
        """
        state = self.ensure_leader().state
        if self.log.high_watermark < required:
            return False
        isr = state.maximal_isr
        if len(isr) < self.min_isr:
            raise NotEnoughReplicasAfterAppendException(
                f"The ISR {list(isr)} of {self.partition} is smaller than "
                f"min.insync.replicas {self.min_isr}; the records are in the log")
        return True

    # -- followers, as a leader knows them ----------------------------------------------------
    def update_follower_fetch_state(self, broker: int, offset: int, asked: tuple, now_ms: int = 0,
                                    leader_end_offset: int | None = None,
                                    log_start_offset: int = UNKNOWN_OFFSET,
                                    broker_epoch: int = UNCHECKED_EPOCH) -> list:
        """A follower's fetch tells how far it is; that may move the ISR and the high watermark.

        `leader_end_offset` is where the log ended when the fetch was read. Errors:
        NotLeaderOrFollowerException for a fetch of an incarnation that is gone.
        """
        replica, end = self.ensure_leader().replicas[broker], self.log.local.log_end_offset
        old = replica.state.log_end_offset
        replica.update_fetch_state(offset, log_start_offset, now_ms,
                                   end if leader_end_offset is None else leader_end_offset,
                                   broker_epoch, self.metadata.alive_broker_epoch(broker))
        if old == offset:
            return self._maybe_expand_isr(broker, asked, now_ms)
        self._snapshot = None
        reads = (*asked, (self.subject, "role"), (self.subject, "log_end_offset", offset))
        changed = Changed(self.subject, f"remote_log_end_offset.{broker}", old, offset, FETCH_RULE,
                          reads)
        return [changed, *self._maybe_expand_isr(broker, asked, now_ms),
                *self.maybe_increment_leader_high_watermark(now_ms)]

    def maybe_increment_leader_high_watermark(self, now_ms: int = 0) -> list[Changed]:
        """The rule itself. On a leader the mark only rises."""
        if type(self.role) is not Leader or \
                self.rules.min_isr_gate and len(self.role.state.isr) < self.min_isr:
            return []
        counted, new = self._counted(now_ms), self.log.local.log_end_offset
        old, remote = self.log.high_watermark, self.role.replicas
        for broker in counted:
            if broker in remote and (end := remote[broker].state.log_end_offset) < new:
                new = end
        if new <= old:
            return []
        self.log.update_high_watermark(new)
        self._snapshot = None
        reads = tuple([(self.subject, attribute, new) for attribute, _ in self.ends_of(counted)])
        return [Changed(self.subject, "high_watermark", old, new, HW_RULE, reads + self.role.why)]

    def _counted(self, now_ms: int) -> tuple[int, ...]:
        """Whose ends bound the mark; notes who is awaited."""
        role = self.role
        counted = role.counted(self.rules)
        waits = self.rules.high_watermark == "isr" and self.rules.high_watermark_isr != "committed"
        joiners = role.joiners(counted, self.log.local.log_end_offset, now_ms) if waits else ()
        if joiners != role.waited_for:
            role.waited_for, self._snapshot = joiners, None
        return counted + joiners

    # -- the in-sync set ----------------------------------------------------------------------
    def _maybe_expand_isr(self, broker: int, asked: tuple, now_ms: int) -> list:
        role = self.role
        if self._alter_partition_manager is None or \
                not role.may_join(broker, self.log.high_watermark):
            return []
        reads = asked + ((self.subject, f"remote_log_end_offset.{broker}"),
                         (broker_name(self.broker), f"brokers.{broker}"))
        return self._propose("follower caught up", PendingExpandIsr(broker, role.state),
                             EXPAND_RULE, reads, now_ms)

    def maybe_shrink_isr(self, now_ms: int) -> list:
        """Ask the controller to take out who lags for too long."""
        if self._alter_partition_manager is None or not isinstance(self.role, Leader) or \
                not (gone := self.role.out_of_sync(self.log.log_end_offset, now_ms)):
            return []
        reads = ((self.subject, "log_end_offset"), *(
            (self.subject, f"remote_log_end_offset.{broker}") for broker in gone))
        return self._propose("follower lags", PendingShrinkIsr(gone, self.role.state),
                             SHRINK_RULE, reads, now_ms)

    def _propose(self, event: str, state: PartitionState, rule: str, reads: tuple,
                 now_ms: int) -> list:
        before = self.snapshot()
        self.role.move(event, state)
        self.role.why = ((self.subject, "maximal_isr"),)
        return self._since(before, rule, reads) + self._ask_controller(state, now_ms)

    def _isr_is_why(self, before: ReplicaSnapshot) -> None:
        """The mark goes by whom the ISR may have, and waits while it is too small."""
        was_too_small = len(before.isr) < self.min_isr
        self.role.why = ((self.subject, "maximal_isr"),) + (
            ((self.subject, "isr"),) if was_too_small else ())

    def _ask_controller(self, state: PartitionState, now_ms: int) -> list:
        members = tuple(BrokerState(broker, self._epoch_of(broker))
                        for broker in hash_set_order(state.proposed_isr))
        data = AlterPartitionData(self.partition, self.topic_id, self.leader_epoch, members,
                                  self.partition_epoch, RECOVERED)
        return self._alter_partition_manager.submit(AlterPartitionItem(
            data, lambda *told: self._altered(state, *told),
            ((self.subject, "isr_state"), (self.subject, "partition_epoch"))), now_ms)

    def _epoch_of(self, broker: int) -> int:
        if not self.rules.broker_epochs:
            return UNCHECKED_EPOCH
        return self._broker_epoch() if broker == self.broker else self.role.broker_epoch_of(broker)

    def _altered(self, asked_for: PartitionState, told: Any, reads: tuple, now_ms: int) -> list:
        """The controller's answer, unless the ISR has become another one meanwhile."""
        if not isinstance(self.role, Leader) or self.role.state is not asked_for:
            return []
        before, event = self.snapshot(), ANSWERS.get(told.error, "asked again")
        if event == "asked again":
            return self._ask_controller(asked_for, now_ms)
        if event == "refused":
            self.role.move(event, asked_for.last_committed)
        elif event == "accepted":
            if told.leader_epoch != self.leader_epoch or \
                    told.partition_epoch < self.partition_epoch:
                return []
            self.role.move(event, CommittedPartitionState(told.isr, told.leader_recovery_state))
            self.partition_epoch = told.partition_epoch
        self._isr_is_why(before)
        effects = self._since(before, ALTERED_RULE, reads)
        if event == "accepted":
            effects += self.maybe_increment_leader_high_watermark(now_ms)
        return effects

    # -- where the log begins -----------------------------------------------------------------
    def delete_records_on_leader(self, offset: int, asked: tuple) -> list[Changed]:
        """DeleteRecords (-1: up to the high watermark). Errors: those of the log."""
        self.ensure_leader()
        old = self.log.log_start_offset
        self.log.delete_records(offset)
        reads = asked + ((self.subject, "high_watermark"),)
        return [] if self.log.log_start_offset == old else [
            self.log_start_moved(old, DELETE_RULE, reads)]

    @property
    def low_watermark(self) -> int:
        """Where the log begins on every replica whose broker is alive (A.11)."""
        others = self.ensure_leader().replicas
        remote = [one.state.log_start_offset for broker, one in others.items()
                  if self.metadata.alive_broker_epoch(broker) is not None]
        return min([self.log.log_start_offset, *remote])
