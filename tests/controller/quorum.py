"""A controller with a log that commits at once, or when told so, and brokers that ask it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from kafka_internals.common import Changed, Reply, TopicPartition
from kafka_internals.config import CONTROLLER_CONFIG
from kafka_internals.controller.feature_control_manager import (
    BOOTSTRAP_FEATURES,
    SUPPORTED_FEATURES,
)
from kafka_internals.controller.metadata_image import ELR_VERSION, PartitionRegistration
from kafka_internals.controller.quorum_controller import QuorumController
from kafka_internals.messages import Request
from kafka_internals.messages.alter_partition import (
    AlterPartitionData,
    AlterPartitionRequest,
    BrokerState,
)
from kafka_internals.messages.broker_heartbeat import BrokerHeartbeatRequest
from kafka_internals.messages.broker_registration import BrokerRegistrationRequest
from kafka_internals.messages.create_topics import CreatableTopic, CreateTopicsRequest
from kafka_internals.messages.metadata_records import NoOpRecord, SupportedFeature

CLUSTER = "cluster-of-the-test"
QUIET = {"auto.leader.rebalance.enable": False, "metadata.max.idle.interval.ms": 0}


class Batch(NamedTuple):
    """What a raft client says was committed."""

    base_offset: int
    epoch: int
    records: tuple
    last_offset: int


class Leader(NamedTuple):
    """Who leads the quorum."""

    leader_id: int
    epoch: int


class Quorum:
    """The only voter is node 100. `batches` are what it has appended, `commits` whether at once."""

    def __init__(self, configs: dict | None = None, elr: bool = True, commits: bool = True,
                 controller: type = QuorumController) -> None:
        self.batches: list[Batch] = []
        self.changes: list[Changed] = []
        self.replies: dict[str, Any] = {}
        self.commits, self.now_ms, self.epoch, self._asked = commits, 0, 1, 0
        self._end, self._committed = 1, 0                # offset 0 is the leader's own record
        self._drawn = 0
        self._features = {**BOOTSTRAP_FEATURES, ELR_VERSION: int(elr)}
        self._config = CONTROLLER_CONFIG.parse({**QUIET, **(configs or {})})
        self.controller = self.node(100, controller)
        self.take(self.controller.handle_leader_change(Leader(100, 1), (), 0))
        self.commit()

    def node(self, number: int, controller: type = QuorumController) -> QuorumController:
        """A controller that has heard of nothing yet."""
        found = controller(number, CLUSTER, self._config, self._draw, self._draw, self._features)
        found.raft = self
        return found

    def standby(self, number: int) -> QuorumController:
        """A controller that has folded what is committed."""
        found = self.node(number)
        for batch in self.batches[:self._committed]:
            self.take(found.handle_commit(batch, (), self.now_ms))
        return found

    def fail_over(self, number: int) -> QuorumController:
        """Another node leads the quorum now, and what was not committed is gone."""
        self.epoch += 1
        del self.batches[self._committed:]
        self._end = self.batches[-1].last_offset + 2         # behind the new leader's own record
        self.controller, old = self.standby(number), self.controller
        leader = Leader(number, self.epoch)
        self.take(old.handle_leader_change(leader, (), self.now_ms))
        self.take(self.controller.handle_leader_change(leader, (), self.now_ms))
        return self.controller

    def _draw(self, n: int) -> int:
        self._drawn = (self._drawn * 69_069 + 12_345) % (1 << 32)
        return self._drawn % n

    # -- the log ------------------------------------------------------------------------------
    @property
    def log(self) -> "Quorum":
        return self

    @property
    def log_end_offset(self) -> int:
        return self._end

    def schedule_atomic_append(self, epoch: int, records: tuple, now_ms: int,
                               reads: tuple = ()) -> int:
        base, self._end = self._end, self._end + len(records)
        self.batches.append(Batch(base, epoch, records, self._end - 1))
        return self._end - 1

    def commit(self) -> None:
        """Everything that was appended is committed now."""
        while self._committed < len(self.batches):
            batch = self.batches[self._committed]
            self._committed += 1
            self.take(self.controller.handle_commit(batch, (), self.now_ms))

    def take(self, effects: list) -> None:
        for effect in effects:
            if type(effect) is Changed:
                self.changes.append(effect)
            else:
                assert type(effect) is Reply
                self.replies[effect.request.id] = effect.body

    # -- asking -------------------------------------------------------------------------------
    def ask(self, body: Any) -> Any:
        """The answer; None while it is not committed."""
        self._asked += 1
        request = Request.of("test", self._asked, body)
        self.take(self.controller.handle(request, self.now_ms))
        if self.commits:
            self.commit()
        return self.replies.pop(request.id, None)

    def pass_ms(self, ms: int, beating: Callable[[], None] = lambda: None,
                every_ms: int = 500) -> None:
        """Time passes; `beating` is called at every so many ms of it."""
        end_ms, next_ms = self.now_ms + ms, self.now_ms
        while True:
            due_ms = self.controller.periodic.deadline_ms
            self.now_ms = min(end_ms, next_ms, end_ms if due_ms is None else due_ms)
            if self.now_ms == next_ms:
                beating()
                next_ms += every_ms
            self.take(self.controller.tick(self.now_ms))
            if self.commits:
                self.commit()
            if self.now_ms == end_ms:
                return

    # -- what brokers do ----------------------------------------------------------------------
    def register(self, broker: int, incarnation: str = "1", previous: int = -1,
                 **given: Any) -> Any:
        body = BrokerRegistrationRequest(
            broker, CLUSTER, f"incarnation-{broker}-{incarnation}", (), SUPPORTED_FEATURES,
            log_dirs=(f"dir-of-{broker}",), previous_broker_epoch=previous)
        return self.ask(body._replace(**given))

    def beat(self, broker: int, **given: Any) -> Any:
        body = BrokerHeartbeatRequest(broker, self.epoch_of(broker), 1 << 40)
        return self.ask(body._replace(**given))

    def start(self, *brokers: int) -> None:
        """Register and be unfenced."""
        for broker in brokers:
            assert self.register(broker).error == "NONE"
            assert not self.beat(broker).is_fenced

    def create(self, topic: str, *replicas: tuple[int, ...], **configs: str) -> None:
        assigned = tuple(enumerate(replicas))
        answer = self.ask(CreateTopicsRequest((CreatableTopic(
            topic, assignments=assigned, configs=tuple(
                (name.replace("_", "."), value) for name, value in configs.items())),)))
        assert answer.topics[0].error == "NONE", answer.topics[0].error_message

    def alter(self, name: str, isr: tuple[int, ...], **given: Any) -> Any:
        """The leader asks for another ISR, from what the controller has; the partition's answer."""
        at, one = TopicPartition.of(name), self.partition(name)
        data = AlterPartitionData(at, self.topic_id(at.topic), one.leader_epoch,
                                  tuple(BrokerState(broker) for broker in isr),
                                  one.partition_epoch)._replace(**given)
        answer = self.ask(AlterPartitionRequest(one.leader, self.epoch_of(one.leader), (data,)))
        return answer.partitions[0] if answer and answer.error == "NONE" else answer

    # -- looking ------------------------------------------------------------------------------
    def partition(self, name: str) -> PartitionRegistration:
        return self.controller.image.partition(TopicPartition.of(name))

    def topic_id(self, topic: str) -> str:
        return self.controller.image.topics[topic].topic_id

    def epoch_of(self, broker: int) -> int:
        return self.controller.image.brokers[broker].epoch

    def since(self, batches: int) -> list[tuple]:
        """The records of the batches after so many, batch by batch, without NoOps."""
        found = [tuple(one for one in batch.records if one != NoOpRecord())
                 for batch in self.batches[batches:]]
        return [records for records in found if records]


def features(*ranges: tuple[str, int, int]) -> tuple[SupportedFeature, ...]:
    """What a broker supports, short."""
    return tuple(SupportedFeature(*one) for one in ranges)
