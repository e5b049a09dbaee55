"""QuorumController: decides about the cluster, and is right only because the log says so (KIP-631).

The leader of the metadata quorum is the active controller. A request becomes records, which are
appended as one batch and folded into its own image at once, so that the next decision stands on
them; the answer waits until they are committed. A standby folds what is committed, and so has the
same image. Only sessions of brokers are soft: whoever becomes active gives every broker a new one.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from kafka_internals.common import Changed, Reply, TopicPartition, Wait
from kafka_internals.controller import broker_heartbeat_manager as states
from kafka_internals.controller import quorum_controller_snapshot as seen
from kafka_internals.controller.client_quota_control_manager import ClientQuotaControlManager
from kafka_internals.controller.cluster_control_manager import ClusterControlManager
from kafka_internals.controller.configuration_control_manager import (
    ConfigurationControlManager,
)
from kafka_internals.controller.controller_result import ControllerResult, Decided
from kafka_internals.controller.feature_control_manager import (
    BOOTSTRAP_FEATURES,
    FeatureControlManager,
)
from kafka_internals.controller.metadata_delta import MetadataDelta
from kafka_internals.controller.metadata_image import ELR_VERSION, NOTHING, MetadataImage
from kafka_internals.controller.periodic_task_control_manager import (
    PeriodicTask,
    PeriodicTaskControlManager,
)
from kafka_internals.controller.producer_id_control_manager import ProducerIdControlManager
from kafka_internals.controller.replication_control_manager import ReplicationControlManager
from kafka_internals.controller.striped_replica_placer import StripedReplicaPlacer
from kafka_internals.controller.topic_control import TopicControl
from kafka_internals.errors import ApiException, NotControllerException
from kafka_internals.messages import Request
from kafka_internals.messages import metadata_records as m
from kafka_internals.messages.broker_heartbeat import BrokerHeartbeatRequest
from kafka_internals.messages.broker_registration import BrokerRegistrationRequest

BOOTSTRAP_RULE = "an empty log begins with what the cluster was formatted with"
IDLE_RULE = "metadata.max.idle.interval.ms: the end of the log moves (KIP-835)"
REPLAY_RULE = "a standby folds what is committed"
ACTIVE_RULE = "the leader of the metadata quorum is the active controller"
CONTACT_RULE = "a heartbeat keeps a session alive, and asks for something (KIP-631)"
COMMIT_RULE = "what the quorum has committed"
ANSWER_RULE = "the controller answers when its records are committed"



class RaftClient(Protocol):
    """The quorum's log, as its leader's state machine sees it; `log.log_end_offset` is its end."""

    log: Any

    def schedule_atomic_append(self, epoch: int, records: tuple, now_ms: int,
                               reads: tuple = ()) -> int:
        """Append records as one batch; the offset of the last."""


class _Stable(NamedTuple):
    """The state after one batch."""

    last_offset: int
    image: MetadataImage
    registered_at: Mapping[int, int]


class QuorumController:
    """A core, and the listener of its node's raft client, which has to be set as `raft` first.

    `draw` is for placement, `draw_id` for topic ids; `config`: CONTROLLER_CONFIG; `features`: the
    levels with which an empty log begins.
    """

    raft: RaftClient

    def __init__(self, node: int, cluster_id: str, config: Mapping[str, Any],
                 draw: Callable[[int], int], draw_id: Callable[[int], int],
                 features: Mapping[str, int] = BOOTSTRAP_FEATURES) -> None:
        self.node, self.name, self._config = node, f"controller-{node}", config
        self._bootstrap_features = dict(features)
        self.image, self.claim_epoch = MetadataImage(), -1
        self.last_committed_offset = -1
        self._snapshot: seen.QuorumControllerSnapshot | None = None
        self._next_write_offset = 0
        self._stable = _Stable(-1, self.image, NOTHING)
        self._uncommitted: deque[_Stable] = deque()
        self._pending: deque[tuple[int, Request, ControllerResult]] = deque()
        self._soft: dict[int, seen.SoftState] = {}      # of brokers, as it was told last

        def image() -> MetadataImage:
            return self.image

        self.features = FeatureControlManager(image)
        self.cluster = ClusterControlManager(self.name, cluster_id, image, self.features,
                                             config["broker.session.timeout.ms"])
        self.configuration = ConfigurationControlManager(image, config)
        self.replication = ReplicationControlManager(image, self.cluster, self.configuration)
        self.topics = TopicControl(image, self.cluster, self.configuration,
                                   StripedReplicaPlacer(draw), draw_id, config)
        self.quotas = ClientQuotaControlManager(image)
        self.producer_ids = ProducerIdControlManager(image, self.cluster)
        self.periodic = PeriodicTaskControlManager(tuple(self._tasks()))
        self._handlers: dict[type, Callable[[Any, tuple], ControllerResult]] = {
            body: handler for manager in (self.replication, self.topics, self.configuration,
                                          self.quotas, self.producer_ids)
            for body, handler in manager.handlers.items()}

    def _tasks(self) -> Iterator[PeriodicTask]:
        config, replication = self._config, self.replication
        yield PeriodicTask("maybeFenceStaleBroker", replication.maybe_fence_one_stale_broker,
                           max(1, config["broker.session.timeout.ms"] // 8))
        yield PeriodicTask("electUnclean", lambda _: replication.maybe_elect_unclean_leaders(),
                           config["unclean.leader.election.interval.ms"])
        if config["auto.leader.rebalance.enable"]:
            yield PeriodicTask("electPreferred",
                               lambda _: replication.maybe_balance_partition_leaders(),
                               config["leader.imbalance.check.interval.seconds"] * 1000)
        if idle_ms := config["metadata.max.idle.interval.ms"]:
            yield PeriodicTask("writeNoOpRecord", lambda _: ControllerResult(
                [Decided(m.NoOpRecord(), IDLE_RULE)], False), idle_ms)

    @property
    def is_active(self) -> bool:
        """True while this node leads the quorum."""
        return self.claim_epoch >= 0

    @property
    def next_write_offset(self) -> int:
        """Where the active controller's next record will be; -1 for a standby."""
        return self._next_write_offset if self.is_active else -1

    # -- requests -----------------------------------------------------------------------------
    def handle(self, request: Request, now_ms: int) -> list:
        """Decide, append, fold; the answer comes with the commit, or at once where none is due."""
        body, reads = request.body, request.reads
        if not self.is_active:
            refused = NotControllerException("this node is not the active controller")
            return self._refuse(request, refused)
        if type(body) is BrokerHeartbeatRequest:         # whatever else it says: it is alive
            self.cluster.heartbeats.update_contact_time(body.broker_id, body.broker_epoch, now_ms)
        try:
            result = self._decide(body, reads, now_ms)
        except ApiException as error:
            return self._soft_changes(CONTACT_RULE, reads) + self._refuse(request, error)
        effects = self._append(result.records, now_ms, reads) if result.records else []
        if result.shutting_down is not None:
            self.cluster.heartbeats.maybe_update_controlled_shutdown_offset(
                result.shutting_down, self._next_write_offset - 1)
        effects += self._soft_changes(CONTACT_RULE, reads)
        waits_for = self._uncommitted[-1].last_offset if self._uncommitted else -1
        if waits_for < 0:
            return effects + self._answer(request, result, reads + result.reads)
        self._pending.append((waits_for, request, result))
        return effects

    def _decide(self, body: Any, reads: tuple, now_ms: int) -> ControllerResult:
        if type(body) is not BrokerRegistrationRequest:
            return self._handlers[type(body)](body, reads)

        def shutdown(broker: int, is_clean: bool, records: list) -> None:
            self.replication.handle_broker_shutdown(broker, is_clean, reads, records)

        return self.cluster.register_broker(body, self._next_write_offset, shutdown, reads,
                                            now_ms)

    def _answer(self, request: Request, result: ControllerResult, reads: tuple) -> list:
        return [Changed(request.id, "answer", None, str(result.response), ANSWER_RULE, reads),
                Reply(request, result.response)]

    def _refuse(self, request: Request, error: ApiException) -> list:
        body = request.body.error_response(error.error_name, str(error))
        read = request.reads
        if hasattr(request.body, "broker_epoch"):
            read += ((self.cluster.subject(request.body.broker_id), "epoch"),)
        return [Changed(request.id, "answer", None, str(body), f"the controller refuses: {error}",
                        read), Reply(request, body)]

    # -- the log ------------------------------------------------------------------------------
    def _append(self, decided: list[Decided], now_ms: int, reads: tuple) -> list:
        """One batch: all of these records or none, folded at once."""
        records, old = tuple([one.record for one in decided]), self._next_write_offset
        wrote = (self.name, "next_write_offset", old + len(records))
        last = self.raft.schedule_atomic_append(self.claim_epoch, records, now_ms, (wrote,))
        effects: list = []
        for offset, one in enumerate(decided, last + 1 - len(records)):
            effects += self._replay(one, offset, self.claim_epoch)
        self._next_write_offset = last + 1
        self._uncommitted.append(_Stable(last, self.image, self.cluster.registered_at))
        said = {one.subject: one.attribute for one in effects}      # the last of each
        effects.append(Changed(self.name, "next_write_offset", old, last + 1, decided[-1].rule,
                               (*reads, *said.items())))
        return effects

    def _replay(self, one: Decided, offset: int, epoch: int) -> list:
        delta, old = MetadataDelta(self.image), self.image
        delta.replay(one.record, offset, epoch)
        self.image = delta.apply()
        self.cluster.replay(one.record, offset)
        changes = seen.image_changes(self.name, old, self.image, delta, one.rule, one.reads)
        return [change._replace(reads=change.reads + one.of.get(change.attribute, ()))
                for change in changes] if one.of else changes

    def handle_commit(self, batch: Any, reads: tuple, now_ms: int) -> list:
        """Committed: whoever waits for it is answered; a standby folds it now."""
        effects, old = [], self.last_committed_offset
        if self.is_active:
            while self._uncommitted and self._uncommitted[0].last_offset <= batch.last_offset:
                self._stable = self._uncommitted.popleft()
        else:
            for offset, record in enumerate(batch.records, batch.base_offset):
                effects += self._replay(Decided(record, REPLAY_RULE, reads), offset, batch.epoch)
            self._stable = _Stable(batch.last_offset, self.image, self.cluster.registered_at)
        self.last_committed_offset = batch.last_offset
        effects.append(Changed(self.name, "last_committed_offset", old, batch.last_offset,
                               COMMIT_RULE, reads))
        while self._pending and self._pending[0][0] <= batch.last_offset:
            _, request, result = self._pending.popleft()
            effects += self._answer(request, result, request.reads + result.reads + reads)
        return effects

    # -- who is active ------------------------------------------------------------------------
    def handle_leader_change(self, leader: Any, reads: tuple, now_ms: int) -> list:
        """The quorum has another leader: this node, or not any more."""
        effects = self._renounce(reads) if self.is_active else []
        return effects + (self._claim(leader.epoch, reads, now_ms)
                          if leader.leader_id == self.node else [])

    def _claim(self, epoch: int, reads: tuple, now_ms: int) -> list:
        self.claim_epoch, self._next_write_offset = epoch, self.raft.log.log_end_offset
        self.cluster.activate(now_ms)
        self.periodic.activate(now_ms)
        effects = [Changed(self.name, "claim_epoch", -1, epoch, ACTIVE_RULE, reads),
                   Changed(self.name, "next_write_offset", -1, self._next_write_offset,
                           ACTIVE_RULE, reads)]
        effects += self._soft_changes(ACTIVE_RULE, reads)
        if not self.image.features:
            effects += self._append(self._bootstrap_records(), now_ms, reads)
        return effects

    def _bootstrap_records(self) -> list[Decided]:
        """ActivationRecordsGenerator: what a cluster was formatted with, in one transaction."""
        min_isr = m.ConfigRecord(m.BROKER_RESOURCE, "", "min.insync.replicas",
                               str(self._config["min.insync.replicas"]))
        records = [Decided(m.BeginTransactionRecord("Bootstrap records"), BOOTSTRAP_RULE)]
        records += self.features.bootstrap_records(self._bootstrap_features)
        if self._bootstrap_features.get(ELR_VERSION, 0):
            records.append(Decided(min_isr, BOOTSTRAP_RULE))
        return [*records, Decided(m.EndTransactionRecord(), BOOTSTRAP_RULE)]

    def _renounce(self, reads: tuple) -> list:
        """Back to what is committed: what was appended meanwhile may never be."""
        old, epoch, offset = self.image, self.claim_epoch, self._next_write_offset
        if self._uncommitted:
            self.image, self.cluster.registered_at = self._stable[1:]
        self._uncommitted.clear()
        self.cluster.deactivate()
        self.periodic.deactivate()
        self.claim_epoch = -1
        effects = [Changed(self.name, "claim_epoch", epoch, -1, ACTIVE_RULE, reads),
                   Changed(self.name, "next_write_offset", offset, -1, ACTIVE_RULE, reads)]
        effects += seen.image_changes(self.name, old, self.image, None, ACTIVE_RULE, reads)
        effects += self._soft_changes(ACTIVE_RULE, reads)
        while self._pending:
            _, request, _ = self._pending.popleft()
            effects += self._refuse(request, NotControllerException(
                "this node is no longer the active controller"))
        return effects

    # -- time ---------------------------------------------------------------------------------
    def tick(self, now_ms: int) -> list:
        """What is due."""
        effects: list = []
        for task in self.periodic.take(now_ms):
            result = task.op(now_ms)
            rule, reads = task.name, ()
            if result.records:
                effects += self._append(result.records, now_ms, ())
                _, rule, reads, _ = result.records[-1]
            effects += self._soft_changes(rule, reads)
            self.periodic.reschedule(task, bool(result.response), now_ms)
        return effects

    # -- what can be seen ---------------------------------------------------------------------
    def _soft_changes(self, rule: str, reads: tuple) -> list:
        """What became of what only the active controller knows of brokers, since it was told."""
        heartbeats, told, changes = self.cluster.heartbeats, self._soft, []
        touched = set(told) if heartbeats is None else heartbeats.touched
        if not touched:
            return []
        for broker in sorted(touched):
            old, new = told.pop(broker, None), seen.soft_state(broker, self.image.brokers,
                                                               heartbeats)
            if new is not None:
                told[broker] = new
            changes += seen.diff(self.cluster.subject(broker), old, new, rule, reads)
        touched.clear()
        return changes

    def snapshot(self) -> seen.QuorumControllerSnapshot:
        """Frozen; the same one until something changes."""
        image = self.image
        key = (self.claim_epoch, self.last_committed_offset, self.next_write_offset)
        if self._snapshot is not None and self._snapshot[1:4] == key:
            return self._snapshot
        self._snapshot = seen.QuorumControllerSnapshot(
            self.node, *key,
            tuple((name, topic.topic_id) for name, topic in image.topics.items()),
            seen.config_pairs(image, image.configs), seen.quota_pairs(image, image.client_quotas),
            tuple(image.features.items()), image.next_producer_id)
        return self._snapshot

    def broker_snapshot(self, broker: int) -> seen.BrokerControlSnapshot | None:
        """One broker; None where it is not registered."""
        known = self.image.brokers.get(broker)
        soft = self._soft.get(broker, seen.NO_SOFT_STATE)
        if known is None:
            return None
        return seen.BrokerControlSnapshot(*known, *soft, self._broker_waits(broker, soft))

    def _broker_waits(self, broker: int, soft: seen.SoftState) -> tuple[Wait, ...]:
        """Fenced until it has caught up; in service until it is silent; going until others know."""
        heartbeats, subject = self.cluster.heartbeats, self.cluster.subject
        if soft.state == states.FENCED:
            return (Wait("fenced", subject(broker), "metadata_offset",
                         self.cluster.registered_at.get(broker, 0)),)
        if soft.state == states.CONTROLLED_SHUTDOWN:
            return tuple(Wait("state", subject(one.broker_id), "metadata_offset",
                              soft.controlled_shutdown_offset)
                         for one in heartbeats.brokers.values() if one.state == states.UNFENCED)
        if soft.contact_ms is None:
            return ()
        silent_ms = soft.contact_ms + heartbeats.session_timeout_ms + 1
        return (Wait("fenced", subject(broker), "contact_ms", silent_ms, silent_ms),)

    def partition_snapshot(self, partition: TopicPartition) -> seen.PartitionControlSnapshot | None:
        """One partition; None where there is none. Without a leader it waits for any of these."""
        one = self.image.partition(partition)
        if one is None:
            return None
        wanted = one.isr or one.elr or one.last_known_elr
        waits = () if one.leader >= 0 else tuple(
            Wait("leader", self.cluster.subject(broker), "fenced", False, any_of=True)
            for broker in wanted)
        return seen.PartitionControlSnapshot(*one, waits)
