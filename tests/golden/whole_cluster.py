"""A recorded cluster's life, done to a whole cluster of ours: by faults and questions alone.

Nothing is told to our controller but what an operator did: brokers are killed, stopped, paused and
started, records are sent, elections asked for. What it writes then, what brokers keep in their
files and what clients hear is compared with what the real cluster's did.
"""

from itertools import count, repeat
from typing import Any

from kafka_internals import Cluster
from kafka_internals.common import TopicPartition
from kafka_internals.controller.metadata_image import ELR_VERSION
from kafka_internals.errors import ApiException, KafkaException
from kafka_internals.messages import metadata_records as m
from kafka_internals.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kafka_internals.messages.elect_leaders import ElectLeadersRequest
from kafka_internals.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from kafka_internals.messages.unregister_broker import UnregisterBrokerRequest
from kafka_internals.raft.raft_client import read_batches
from kafka_internals.storage.checkpoint_file import HIGH_WATERMARK_CHECKPOINT
from kafka_internals.storage.file_records import whole_batches
from kafka_internals.storage.leader_epoch_file_cache import LEADER_EPOCH_CHECKPOINT
from tests.golden.controller_replay import ELECTIONS, said

CLIENT = {"acks": "all", "retries": 0, "linger_ms": 0, "enable_idempotence": False,
          "request_timeout_ms": 2_500, "delivery_timeout_ms": 2_500, "max_block_ms": 2_500}

FIRST_RECORD_MS = 1_700_000_000_000                 # of what the recorder's client sent


def typed(value: str) -> Any:
    """A topic's config as a learner gives it."""
    return {"true": True, "false": False}.get(value, int(value) if value.isdigit() else value)


def merged(changes: list[dict]) -> list[dict]:
    """Several replicas that come into an ISR one after another, as one change."""
    found: list[dict] = []
    for one in changes:
        last = found[-1] if found else {}
        if "leader" not in one and last.get("isr") and set(one.get("isr", ())) > set(last["isr"]) \
                and "leader" not in last:
            found[-1] = {**last, **one}
        else:
            found.append(one)
    return found


class Whole:
    """One recording, its settings and events, and the cluster that it is done to."""

    def __init__(self, about: dict, events: list[dict]) -> None:
        self.about, self.events = about, events
        self.cluster = Cluster(3, seed=1, configs=self.about["broker"],
                               features={} if self.about["elr"] else {ELR_VERSION: 0})
        self.session_ms = self.about["session"]
        self._waits = not any(event["event"][0] == "fenced" for event in self.events)
        while self.events[0]["event"][0] == "start":         # ours are there from the beginning
            del self.events[0]
        creates = any(event["event"][0] == "create topics" for event in self.events)
        self._times = repeat(None) if creates else count(FIRST_RECORD_MS)
        if not creates:                              # by brokers whose log.retention.ms was -1
            self.do_create((("retention.ms", -1),))
        self._told = len(self._batches())

    # -- what was done ------------------------------------------------------------------------
    def do_create(self, more: tuple = ()) -> None:
        for name, one in self.about["topics"].items():
            self.cluster.create_topic(name, configs=dict(more) | {
                key: typed(value) for key, value in one.get("configs", {}).items()},
                replica_assignment={0: one["replicas"]})

    def perform(self, what: str, *args: Any) -> Any:
        """Do it, and let the cluster come to rest where the recorder did; what a client hears."""
        known = {"create topics": "create"}.get(what, what)
        return getattr(self, f"do_{known}")(*args)

    def quiet(self, sessions: float = 2.0) -> None:
        self.cluster.run(ms=sessions * self.session_ms + 3_000)

    def do_kill9(self, broker: int) -> None:
        self.cluster.kill(broker)
        if self._waits:
            self.quiet()

    def do_fenced(self, broker: int) -> None:
        self.cluster.run_until(
            lambda: self.cluster.look(f"broker-{broker}@controller-100").fenced)
        self.cluster.run(ms=3_000)

    def do_start(self, broker: int) -> None:
        self.cluster.restart(broker)
        self.quiet()

    def do_stop(self, broker: int) -> bool:
        """True where it has exited within the time that the recorder gave it."""
        began_ms = self.cluster.now_ms
        self.cluster.stop(broker)
        exited = self.cluster.now_ms - began_ms < 40_000
        self.quiet()
        return exited

    def do_end(self) -> None:
        """Everybody is up again, and then stopped in an orderly way."""
        brokers = self.cluster.machine.brokers
        for broker in [id for id, node in brokers.items() if not node.up]:
            self.do_start(broker)
        self.cluster.run(ms=2_500)
        for broker in reversed(brokers):
            self.cluster.stop(broker)

    def do_pause(self, brokers: int | list[int], seconds: float = 0) -> None:
        for broker in [brokers] if isinstance(brokers, int) else brokers:
            self.cluster.pause(broker)
        self.cluster.run(ms=seconds * 1_000 or 1_000)     # until no fetch waits at the leader

    def do_cont(self, brokers: int | list[int]) -> None:
        for broker in [brokers] if isinstance(brokers, int) else brokers:
            self.cluster.resume(broker)
        self.cluster.run(ms=3_000 if self._waits else 300)

    def do_sleep(self, seconds: float) -> None:
        self.cluster.run(ms=seconds * 1_000)

    def do_produce(self, topic: str, acks: str | int, values: list[str]) -> list:
        producer = self.cluster.producer(**{**CLIENT, "acks": str(acks)})
        return [[value, *self._heard(producer.send(topic, value, key=f"k{value}",
                                                   timestamp=next(self._times)))]
                for value in values]

    def do_initPid(self, partition: str) -> tuple:
        """An idempotent producer's first record."""
        topic, _, number = partition.rpartition("-")
        producer = self.cluster.producer(enable_idempotence=True)
        return tuple(self._heard(producer.send(topic, "v", key="k", partition=int(number))))

    @staticmethod
    def _heard(receipt: Any) -> list:
        try:
            return ["NONE", receipt.get().offset]
        except ApiException as error:
            return [error.error_name, None]

    def do_offsets(self, topic: str) -> tuple:
        name, consumer = TopicPartition(topic, 0), self.cluster.consumer()
        try:
            offset = consumer.end_offsets(str(name))[name]
        except KafkaException:
            return "REQUEST_TIMED_OUT", None, None
        return "NONE", offset, self.cluster.look(f"{name}@controller-100").leader_epoch

    def nothing(self, *_: Any) -> None:
        """Compared by the test, or not at all."""

    do_files = do_describe = nothing

    def ask(self, body: Any) -> Any:
        """What an operator's tool asks the controller."""
        run = self.cluster.machine
        run.world.begin(0, "learner", "command", type(body).__name__)
        asked = run.admin.ask(body, "an operator asks")
        run.world.end()
        self.cluster.run_until(lambda: asked in run.admin.answers)
        self.cluster.run(ms=3_000)
        return run.admin.answers[asked]

    def do_elect(self, kind: str, topic: str | None) -> Any:
        wanted = None if topic is None else (TopicPartition(topic, 0),)
        return self.ask(ElectLeadersRequest(ELECTIONS[kind], wanted))

    def do_config(self, topic: str, given: dict) -> Any:
        return self.ask(IncrementalAlterConfigsRequest((AlterConfigsResource(
            m.TOPIC_RESOURCE, topic, tuple(AlterableConfig(*one) for one in given.items())),)))

    def do_delete(self, topic: str) -> Any:
        return self.ask(DeleteTopicsRequest((DeleteTopicState(topic),)))

    def do_unregister(self, broker: int) -> Any:
        return self.ask(UnregisterBrokerRequest(broker))

    # -- what became of it --------------------------------------------------------------------
    def _batches(self) -> list:
        server = self.cluster.machine.controller
        stored = b"".join(batch.buffer for batch in whole_batches(
            server.disk, server.shared.log.partition))
        return [batch for batch in read_batches(stored) if batch.records]

    def written(self) -> list:
        """The batches that the controller has written since the last time, as the recorder has it.
        """
        found = self._batches()
        names, fresh, self._told = self._names(found), found[self._told:], len(found)
        return [[said(one, names) for one in batch.records] for batch in fresh]

    @staticmethod
    def _names(found: list) -> dict[str, str]:
        return {one.topic_id: f"${one.name}" for batch in found for one in batch.records
                if type(one) is m.TopicRecord}

    def described(self, topic: str) -> list[dict]:
        """A topic as a tool describes it."""
        return [{"partition": number, "leader": one.leader, "replicas": list(one.replicas),
                 "isr": list(one.isr), "elr": list(one.elr),
                 "lastKnownElr": list(one.last_known_elr)} for number, one in enumerate(
                     self.cluster.machine.image.topics[topic].partitions)]

    def epochs(self, broker: int, topic: str) -> list[str]:
        """The lines of a leader-epoch-checkpoint, without its version and count."""
        disk = self.cluster.machine.brokers[broker].disk
        return disk.read(f"{topic}-0/{LEADER_EPOCH_CHECKPOINT}").decode().splitlines()[2:]

    def marks(self, broker: int) -> list[str]:
        """The lines of a replication-offset-checkpoint, in the order of their names."""
        disk = self.cluster.machine.brokers[broker].disk
        return sorted(disk.read(HIGH_WATERMARK_CHECKPOINT).decode().splitlines()[2:])

    def segment(self, broker: int, topic: str) -> bytes:
        """The first segment, as it lies there."""
        return self.cluster.machine.brokers[broker].disk.read(f"{topic}-0/{0:020d}.log")

    def log(self, broker: int, topic: str) -> list:
        """[base offset, leader epoch, values] of each batch."""
        disk = self.cluster.machine.brokers[broker].disk
        return [[batch.base_offset, batch.header.partition_leader_epoch,
                 [record.value.decode() for record in batch.records()]]
                for batch in whole_batches(disk, TopicPartition(topic, 0))]
