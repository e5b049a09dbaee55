"""Seeded schedules of what can happen to a controller, and judges that look after every step.

`run(seed)` raises `Broken`, which names the invariant, or returns how often each step was taken.
"""

from collections import Counter
from random import Random
from typing import Any

from kafka_internals.common import TopicPartition
from kafka_internals.controller.metadata_delta import MetadataDelta
from kafka_internals.controller.metadata_image import MetadataImage
from kafka_internals.messages.allocate_producer_ids import AllocateProducerIdsRequest
from kafka_internals.messages.alter_client_quotas import (
    AlterClientQuotasEntry,
    AlterClientQuotasRequest,
)
from kafka_internals.messages.alter_partition import (
    AlterPartitionData,
    AlterPartitionRequest,
    BrokerState,
)
from kafka_internals.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from kafka_internals.messages.create_topics import CreatableTopic, CreateTopicsRequest
from kafka_internals.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kafka_internals.messages.elect_leaders import ElectLeadersRequest
from kafka_internals.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from kafka_internals.messages.metadata_records import TOPIC_RESOURCE, EntityData
from kafka_internals.messages.unregister_broker import UnregisterBrokerRequest
from tests.controller.quorum import Quorum

BROKERS = (1, 2, 3, 4)
STEPS = 40


class Broken(AssertionError):
    """An invariant does not hold."""


class Schedule:
    """One seed."""

    def __init__(self, seed: int, look: bool = False) -> None:
        self.random, self.look = Random(seed), look
        self.quorum = Quorum({"auto.leader.rebalance.enable": True}, elr=bool(seed % 3))
        self.processes, self.old_epochs = 1, {}          # broker -> epochs of dead processes
        self.stopping: set[int] = set()                  # who has asked to stop goes on asking
        self.taken: Counter = Counter()
        self.new_node = 200
        self.before = self.quorum.controller.image
        self.seen: dict[str, Any] = {}

    def run(self) -> Counter:
        steps = (self.register, self.beat, self.beat, self.beat, self.beat, self.silence,
                 self.create, self.alter, self.alter, self.alter, self.elect, self.config,
                 self.zombie, self.delete, self.grow, self.stop, self.unregister, self.fail_over,
                 self.small_things)
        for broker in BROKERS[:3]:
            self.quorum.start(broker)
        self.judge()
        for _ in range(STEPS):
            step = self.random.choice(steps)
            self.taken[step.__name__] += 1
            changed = len(self.quorum.changes)
            self.quorum.commits = self.random.random() < 0.8 or step in (self.register,
                                                                         self.zombie)
            if self.quorum.commits:
                self.quorum.commit()
            step()
            self.judge()
            if self.look:
                self.no_silent_change(changed)
        return self.taken

    # -- what happens -------------------------------------------------------------------------
    def broker(self) -> int:
        return self.random.choice(BROKERS)

    def registered(self) -> list[int]:
        return list(self.quorum.controller.image.brokers)

    def partitions(self) -> list[TopicPartition]:
        return [TopicPartition(topic.name, number)
                for topic in self.quorum.controller.image.topics.values()
                for number in range(len(topic.partitions))]

    def register(self) -> None:
        broker, known = self.broker(), self.quorum.controller.image.brokers
        last = known[broker].epoch if broker in known else -1
        self.processes += 1
        previous = self.random.choice((-1, last))
        answer = self.quorum.register(broker, str(self.processes), previous)
        if answer.error == "NONE":
            self.stopping.discard(broker)
            self.old_epochs.setdefault(broker, []).append(last)
            if answer.broker_epoch <= last:
                raise Broken(f"BrokerEpochFencing: {broker} {last} -> {answer.broker_epoch}")

    def beat(self) -> None:
        for broker in self.random.sample(self.registered(), len(self.registered())):
            if self.random.random() < 0.8:
                self.heard_of(broker, want_fence=self.random.random() < 0.1)

    def heard_of(self, broker: int, **wants: bool) -> None:
        if broker in self.registered():
            wants = {"want_shut_down": True} if broker in self.stopping else wants
            self.quorum.beat(broker, **wants)

    def stop(self) -> None:
        for broker in self.registered()[:1]:
            self.stopping.add(broker)
            self.heard_of(broker)

    def silence(self) -> None:
        alive = [one for one in self.registered() if self.random.random() < 0.6]
        self.quorum.pass_ms(self.random.choice((500, 9_500, 20_000)), lambda: [
            self.heard_of(one) for one in alive], 2_000)

    def create(self) -> None:
        configs = self.random.choice(((), (("min.insync.replicas", "2"),),
                                      (("unclean.leader.election.enable", "true"),)))
        self.quorum.ask(CreateTopicsRequest((CreatableTopic(
            self.random.choice("abc"), self.random.choice((1, 2)), self.random.choice((1, 2, 3)),
            configs=configs),)))

    def alter(self) -> None:
        """A leader's proposal, now and then from an older state."""
        led = [one for one in self.partitions()
               if self.quorum.partition(str(one)).leader >= 0]
        if not led:
            return
        at = self.random.choice(led)
        one = self.quorum.partition(str(at))
        isr = [one.leader, *(other for other in one.replicas if other != one.leader
                             and self.random.random() < 0.7)]
        known = self.quorum.controller.image.brokers
        members = tuple(BrokerState(member, known[member].epoch - self.random.choice((0, 0, 0, 1))
                                    if member in known else -1) for member in isr)
        stale = self.random.choice((0, 0, 0, 1))
        self.quorum.alter(str(at), (), new_isr_with_epochs=members,
                          partition_epoch=one.partition_epoch - stale)

    def elect(self) -> None:
        self.quorum.ask(ElectLeadersRequest(self.random.choice((0, 1)), None))

    def config(self) -> None:
        for topic in list(self.quorum.controller.image.topics)[:1]:
            name, value = self.random.choice((("min.insync.replicas", "1"),
                                              ("min.insync.replicas", "2"),
                                              ("unclean.leader.election.enable", "true")))
            self.quorum.ask(IncrementalAlterConfigsRequest((AlterConfigsResource(
                TOPIC_RESOURCE, topic, (AlterableConfig(name, value),)),)))

    def zombie(self) -> None:
        """A process that is not the broker any more asks for something."""
        for broker, epochs in self.old_epochs.items():
            since, image = len(self.quorum.batches), self.quorum.controller.image
            known = image.brokers.get(broker)
            epoch = self.random.choice(epochs)
            if known is not None and known.epoch == epoch:
                continue
            led = [one for one in self.partitions() if self.quorum.partition(str(one)).leader
                   == broker]
            data = tuple(AlterPartitionData(
                one, self.quorum.topic_id(one.topic), self.quorum.partition(str(one)).leader_epoch,
                (BrokerState(broker),), self.quorum.partition(str(one)).partition_epoch)
                for one in led)
            answers = [self.quorum.ask(AlterPartitionRequest(broker, epoch, data)).error,
                       self.quorum.ask(AllocateProducerIdsRequest(broker, epoch)).error]
            if set(answers) != {"STALE_BROKER_EPOCH"} or len(self.quorum.batches) > since:
                raise Broken(f"BrokerEpochFencing: {broker} in {epoch} was answered {answers}")

    def delete(self) -> None:
        if self.random.random() < 0.3:
            self.quorum.ask(DeleteTopicsRequest((DeleteTopicState(self.random.choice("abc")),)))

    def grow(self) -> None:
        self.quorum.ask(CreatePartitionsRequest((CreatePartitionsTopic(
            self.random.choice("abc"), self.random.choice((2, 3))),)))

    def unregister(self) -> None:
        if self.random.random() < 0.3:
            broker = self.broker()
            if broker in self.quorum.controller.image.brokers:
                self.old_epochs.setdefault(broker, []).append(self.quorum.epoch_of(broker))
            self.quorum.ask(UnregisterBrokerRequest(broker))

    def fail_over(self) -> None:
        self.new_node += 1
        self.before = self.quorum.fail_over(self.new_node).image     # the rest is gone
        self.seen = {}

    def small_things(self) -> None:
        bound = self.random.choice((None, 1_000.0, 2_000.0))
        self.quorum.ask(AlterClientQuotasRequest((AlterClientQuotasEntry(
            (EntityData("client-id", "shop"),), (("producer_byte_rate", bound),)),)))
        for broker in self.registered()[:1]:
            self.quorum.ask(AllocateProducerIdsRequest(broker, self.quorum.epoch_of(broker)))

    # -- judges -------------------------------------------------------------------------------
    def judge(self) -> None:
        image = self.quorum.controller.image
        for topic in image.topics.values():
            old = self.before.topic_by_id(topic.topic_id)
            for number, one in enumerate(topic.partitions):
                where = f"{topic.name}-{number}: {one}"
                self.isr_legal(image, one, where)
                if one.leader >= 0 and (one.leader not in one.isr
                                        or not image.brokers[one.leader].active):
                    raise Broken(f"LeaderInIsr: {where}")
                if old is not None and number < len(old.partitions):
                    epochs_monotone(old.partitions[number], one, where)
        self.before = image
        self.prefix_folds_to(image)

    def isr_legal(self, image: MetadataImage, one: Any, where: str) -> None:
        if not {*one.isr, *one.elr} <= set(one.replicas) or set(one.isr) & set(one.elr) \
                or len({*one.isr}) < len(one.isr):
            raise Broken(f"ControllerIsrLegal: {where}")
        for member in one.isr if len(one.isr) > 1 else ():
            if member not in image.brokers or not image.brokers[member].active:
                raise Broken(f"ControllerIsrLegal: {member} is not in service: {where}")

    def prefix_folds_to(self, image: MetadataImage) -> None:
        """SnapshotPrefix, once in a while: who folds the log has the same image."""
        if self.random.random() < 0.1:
            delta = MetadataDelta(MetadataImage())
            for batch in self.quorum.batches:
                for offset, record in enumerate(batch.records, batch.base_offset):
                    delta.replay(record, offset, batch.epoch)
            if delta.apply() != image:
                raise Broken("SnapshotPrefix")

    def no_silent_change(self, since: int) -> None:
        """Whatever differs between two looks was said."""
        controller, now = self.quorum.controller, {}
        now[controller.name] = controller.snapshot()
        for broker in BROKERS:
            now[controller.cluster.subject(broker)] = controller.broker_snapshot(broker)
        for partition in self.partitions():
            now[controller.replication.subject(partition)] = \
                controller.partition_snapshot(partition)
        said = {(one.subject, one.attribute.split(".")[0])
                for one in self.quorum.changes[since:]}
        for subject in self.seen.keys() | now.keys() if self.seen else ():
            old, new = self.seen.get(subject), now.get(subject)
            for name in (old or new)._fields if old or new else ():
                differs = getattr(old, name, None) != getattr(new, name, None)
                if name != "waits" and differs and (subject, name) not in said:
                    raise Broken(f"NoSilentChange: {name} of {subject}: {old} -> {new}")
        self.seen = now


def epochs_monotone(old: Any, new: Any, where: str) -> None:
    """Both epochs, and what may not change without them."""
    if new.partition_epoch < old.partition_epoch or new.leader_epoch < old.leader_epoch \
            or new != old and new.partition_epoch == old.partition_epoch \
            or new.leader != old.leader and new.leader_epoch == old.leader_epoch \
            or new.leader_epoch - old.leader_epoch > new.partition_epoch - old.partition_epoch:
        raise Broken(f"EpochMonotone: {old} -> {where}")


def run(seed: int, look: bool = False) -> Counter:
    """One schedule to its end."""
    return Schedule(seed, look).run()
