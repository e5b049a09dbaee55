"""A recorded cluster's life, given to our controller: the same requests, and its records beside.

A recording holds the batches that a real controller wrote, each of which had one cause: a request
or a session that ended. The replay gives ours these causes, in their order, and never a record: who
leads, who is in sync and which epochs follow is for our controller to say. Left out of both sides
are a fence record for a broker that is fenced already, which depends on time, and broker epochs.
"""

from typing import Any

from kafka_internals.common import TopicPartition
from kafka_internals.messages import metadata_records as m
from kafka_internals.messages.allocate_producer_ids import AllocateProducerIdsRequest
from kafka_internals.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from kafka_internals.messages.elect_leaders import ElectLeadersRequest
from kafka_internals.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
    IncrementalAlterConfigsRequest,
)
from kafka_internals.messages.unregister_broker import UnregisterBrokerRequest
from tests.controller.quorum import Quorum
from tests.golden.cases import json_lines

REGISTRATION_CHANGE = "BROKER_REGISTRATION_CHANGE"
ELECTIONS = {"PREFERRED": 0, "UNCLEAN": 1}


def said(record: Any, names: dict[str, str]) -> list:
    """One of our records as the recording has it, without what differs from run to run."""
    of = {m.RegisterBrokerRecord: lambda r: ["REGISTER_BROKER", {
              "brokerId": r.broker_id, "fenced": r.fenced,
              "inControlledShutdown": r.in_controlled_shutdown}],
          m.UnregisterBrokerRecord: lambda r: ["UNREGISTER_BROKER", {"brokerId": r.broker_id}],
          m.TopicRecord: lambda r: ["TOPIC", {"name": r.name, "topicId": f"${r.name}"}],
          m.RemoveTopicRecord: lambda r: ["REMOVE_TOPIC", {"topicId": names[r.topic_id]}],
          m.ClearElrRecord: lambda r: ["CLEAR_ELR", {"topicName": r.topic_name}],
          m.ProducerIdsRecord: lambda r: ["PRODUCER_IDS", {
              "brokerId": r.broker_id, "nextProducerId": r.next_producer_id}],
          m.ConfigRecord: lambda r: ["CONFIG", {
              "resourceType": r.resource_type, "resourceName": r.resource_name, "name": r.name,
              "value": r.value}],
          m.PartitionRecord: lambda r: ["PARTITION", {
              "partitionId": r.partition_id, "topicId": names[r.topic_id],
              "replicas": list(r.replicas), "isr": list(r.isr), "removingReplicas": [],
              "addingReplicas": [], "leader": r.leader, "leaderEpoch": r.leader_epoch,
              "partitionEpoch": r.partition_epoch}],
          m.PartitionChangeRecord: lambda r: ["PARTITION_CHANGE", {
              "partitionId": r.partition_id, "topicId": names[r.topic_id], **changed(r)}],
          m.BrokerRegistrationChangeRecord: lambda r: [REGISTRATION_CHANGE, {
              "brokerId": r.broker_id, **flags(r)}]}
    return of[type(record)](record)


def changed(r: m.PartitionChangeRecord) -> dict:
    """The fields that are there."""
    given = {"isr": r.isr, "eligibleLeaderReplicas": r.eligible_leader_replicas,
             "lastKnownElr": r.last_known_elr, "replicas": r.replicas}
    told = {name: list(value) for name, value in given.items() if value is not None}
    if r.leader != m.NO_LEADER_CHANGE:
        told["leader"] = r.leader
    if r.leader_recovery_state != m.NO_RECOVERY_CHANGE:
        told["leaderRecoveryState"] = r.leader_recovery_state
    return told


def flags(r: m.BrokerRegistrationChangeRecord) -> dict:
    """The flags that are set."""
    told = {name: value for name, value in (("fenced", r.fenced), (
        "inControlledShutdown", r.in_controlled_shutdown)) if value}
    return told if r.cordoned_log_dirs is None else {
        **told, "cordonedLogDirs": list(r.cordoned_log_dirs)}


class Replay:
    """One recording. `play()` does everything; compare `ours` with `theirs` for each event."""

    def __init__(self, case: str) -> None:
        self.about, *self.events = json_lines(f"cluster/{case}/case.jsonl")
        self.quorum = Quorum({"broker.session.timeout.ms": self.about["session"]},
                             self.about["elr"])
        self.names: dict[str, str] = {}
        self.up: set[int] = set()
        self.stopped_at: dict[int, int] = {}             # broker epoch of a clean shutdown
        self.processes = 1
        self.fenced: dict[str, set[int]] = {"ours": set(), "theirs": set()}

    # -- what is compared ---------------------------------------------------------------------
    def told(self, whose: str, batches: list) -> list:
        """Batches without redundant fencing and epochs."""
        fenced, told = self.fenced[whose], []
        for batch in batches:
            kept = []
            for kind, data in batch:
                data = {name: value for name, value in data.items() if name != "brokerEpoch"}
                broker = data.get("brokerId")
                if kind == "REGISTER_BROKER" or data.get("fenced") == -1:
                    (fenced.add if kind == "REGISTER_BROKER" else fenced.discard)(broker)
                elif data.get("fenced") == 1:
                    if broker in fenced:
                        continue
                    fenced.add(broker)
                kept.append([kind, data])
            told += [kept] if kept else []
        return told

    def ours(self, since: int) -> list:
        """What our controller wrote after so many batches."""
        for topic in self.quorum.controller.image.topics.values():
            self.names[topic.topic_id] = f"${topic.name}"
        return self.told("ours", [[said(one, self.names) for one in batch]
                                   for batch in self.quorum.since(since)])

    # -- the causes ---------------------------------------------------------------------------
    def before(self) -> None:
        """A cluster that was there when the recording began."""
        begun = {event["event"][1] for event in self.events if event["event"][0] == "start"}
        first = self.events[0]["event"][0]
        if first != "start":
            begun = set()
        for broker in sorted({one for topic in self.about["topics"].values()
                              for one in topic["replicas"]} - begun):
            self.quorum.start(broker)
            self.quorum.beat(broker, cordoned_log_dirs=())
            self.up.add(broker)
        if not any(event["event"][0] == "create topics" for event in self.events):
            self.create_topics()

    def create_topics(self) -> None:
        for name, one in self.about["topics"].items():
            self.quorum.create(name, tuple(one["replicas"]), **one.get("configs", {}))

    def beat(self) -> None:
        """Everybody who is up has read everything."""
        for broker in sorted(self.up):
            if broker in self.quorum.controller.image.brokers:
                self.quorum.beat(broker)

    def perform(self, event: list) -> Any:
        """What was done, where that is a command; what follows is caused by `cause`."""
        what, *args = event
        if what == "create topics":
            self.create_topics()
        elif what in ("kill9", "pause"):
            self.up.discard(args[0])
        elif what == "elect":
            wanted = None if args[1] is None else (TopicPartition(args[1], 0),)
            return self.quorum.ask(ElectLeadersRequest(ELECTIONS[args[0]], wanted))
        elif what == "config":
            given = tuple(AlterableConfig(*one) for one in args[1].items())
            return self.quorum.ask(IncrementalAlterConfigsRequest((
                AlterConfigsResource(m.TOPIC_RESOURCE, args[0], given),)))
        elif what == "delete":
            return self.quorum.ask(DeleteTopicsRequest((DeleteTopicState(args[0]),)))
        elif what == "unregister":
            return self.quorum.ask(UnregisterBrokerRequest(args[0]))
        return None

    def cause(self, event: list, batch: list) -> None:
        """Give our controller what made theirs write this batch."""
        kinds = [kind for kind, _ in batch]
        changes = [data for kind, data in batch if kind == REGISTRATION_CHANGE]
        broker = changes[0]["brokerId"] if changes else None
        flag = {name: value for data in changes for name, value in data.items()}
        if "REGISTER_BROKER" in kinds:
            broker = next(data["brokerId"] for kind, data in batch if kind == "REGISTER_BROKER")
            self.processes += 1
            answer = self.quorum.register(broker, str(self.processes),
                                          self.stopped_at.pop(broker, -1))
            assert answer.error == "NONE"
        elif flag.get("fenced") == -1:
            self.quorum.beat(broker, cordoned_log_dirs=() if "cordonedLogDirs" in flag else None)
            self.up.add(broker)
        elif "cordonedLogDirs" in flag:
            self.quorum.beat(broker, want_fence=True, cordoned_log_dirs=())
        elif "inControlledShutdown" in flag:
            self.up.discard(broker)
            self.stopped_at[broker] = self.quorum.epoch_of(broker)
            self.quorum.beat(broker, want_shut_down=True)
        elif flag.get("fenced") == 1 and event[0] == "stop":
            self.beat()
            assert self.quorum.beat(broker, want_shut_down=True).should_shut_down
            self.quorum.pass_ms(2 * self.about["session"], self.beat)
        elif flag.get("fenced") == 1:
            self.quorum.pass_ms(2 * self.about["session"], self.beat)
        elif "PRODUCER_IDS" in kinds:
            asker = batch[0][1]["brokerId"]
            self.quorum.ask(AllocateProducerIdsRequest(asker, self.quorum.epoch_of(asker)))
        elif set(kinds) == {"PARTITION_CHANGE"} and not any("leader" in data for _, data in batch):
            for _, data in batch:
                answer = self.quorum.alter(f"{data['topicId'][1:]}-0", tuple(data["isr"]))
                assert answer.error == "NONE"

    def described(self, topic: str) -> list[dict]:
        """A topic as a tool describes it."""
        return [{"partition": number, "leader": one.leader, "replicas": list(one.replicas),
                 "isr": list(one.isr), "elr": list(one.elr),
                 "lastKnownElr": list(one.last_known_elr)} for number, one in enumerate(
                     self.quorum.controller.image.topics[topic].partitions)]


def by_topic(batches: list) -> dict[str, list]:
    """The changes of each topic in their order: between topics it is that of hashed ids."""
    found: dict[str, list] = {}
    for batch in batches:
        for kind, data in batch:
            if kind == "PARTITION_CHANGE":
                found.setdefault(data["topicId"], []).append(data)
    return found


def atomic(batches: list) -> list:
    """Batches about brokers: their records before, and after, a set of partition changes."""
    found = []
    for batch in batches:
        if all(kind == "PARTITION_CHANGE" for kind, _ in batch):
            continue
        parts, changes = [], []
        for kind, data in batch:
            if kind == "PARTITION_CHANGE":
                changes.append([data["topicId"], data])
            else:
                parts += [sorted(changes, key=str)] if changes else []
                changes = []
                parts.append([kind, data])
        found.append(parts + ([sorted(changes, key=str)] if changes else []))
    return found
