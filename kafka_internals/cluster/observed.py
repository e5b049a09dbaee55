"""Observed: what everybody may look at in a run: snapshots by subject, logs, disks, messages.

It looks and changes nothing. A subject is "broker-1", "orders-0@1", "producer-1#3", "requests@1",
a request or what is parked for it, "controller-100" and what that knows ("orders-0@controller-100",
"broker-2@controller-100"), "broker-1-lifecycle", or the metadata log of a node.
"""

from collections.abc import Iterator
from typing import Any

from kafka_internals.clients.kafka_producer import KafkaProducer
from kafka_internals.cluster.look import attribute_of
from kafka_internals.common import TopicPartition, replica_of
from kafka_internals.messages.produce import ProduceRequest
from kafka_internals.raft.raft_log import CLUSTER_METADATA
from kafka_internals.record import Record
from kafka_internals.record_batch import RecordBatch, batches
from kafka_internals.sim.disk import DiskSnapshot
from kafka_internals.storage.dump_log_segments import DumpSnapshot, dump
from kafka_internals.storage.file_records import Batches, FileRecords
from kafka_internals.storage.leader_epoch_file_cache import EpochEntry, LeaderEpochFileCache
from kafka_internals.storage.log_file_utils import LOG, segment_file
from kafka_internals.storage.lookup_snapshot import LookupSnapshot, look_up

REQUESTS = "requests"                   # "requests@1": the request path of broker 1


class Observed:
    """The half of a run that looks."""

    def subjects(self) -> list[str]:
        """The names of everything that has a snapshot now."""
        names = [node.name for node in self.brokers.values()] + self.controller.subjects()
        for node in self.brokers.values():
            if node.up:
                names += [node.lifecycle.subject, node.shared.client.subject]
                names += [p.subject for p in node.manager.partitions.values()]
                names += [operation.subject for operation in node.manager.parked()]
                names += list(node.threads.requests)
        for name, node in self.clients.items():
            names.append(name)
            names += [call.subject for call in _calls(node.core)]
        return names

    def look(self, subject: str) -> Any:
        """The snapshot of a subject, or None where there is none of that name now."""
        if (parsed := replica_of(subject)) and parsed[0] != CLUSTER_METADATA:
            replica = self.replica(*parsed)
            return replica and replica.snapshot()
        name, at, broker = subject.rpartition("@")
        if broker == self.controller.name and at:
            return self.controller.look(subject)
        if name == str(CLUSTER_METADATA):
            return self._look_at_quorum(broker)
        if at:
            node = self.brokers.get(int(broker)) if broker.isdecimal() else None
            return node.threads.snapshot(node.manager.parked(), self.world.now_us) \
                if name == REQUESTS and node is not None and node.up else None
        if subject.endswith("-lifecycle"):
            return next((node.lifecycle.snapshot() for node in self.brokers.values()
                         if node.up and node.lifecycle.subject == subject), None)
        if subject.startswith("parked-"):
            return next((one.snapshot() for node in self.brokers.values() if node.up
                         for one in node.manager.parked() if one.subject == subject), None)
        client, hash_sign, number = subject.partition("#")
        if client in self.clients:
            core = self.clients[client].core
            return _call(core, number) if hash_sign else core.snapshot()
        if (node := self.world.nodes.get(subject)) is not None:
            return node.snapshot()
        return next((node.threads.look(subject, node.manager.parked())
                     for node in self.brokers.values()
                     if node.up and subject in node.threads.requests), None)

    def _look_at_quorum(self, number: str) -> Any:
        if number == str(self.controller.core.node):
            return self.controller.raft.snapshot()
        node = self.brokers.get(int(number)) if number.isdecimal() else None
        return node.shared.client.snapshot() if node is not None and node.up else None

    def current(self, subject: str, attribute: str) -> Any:
        """The value of one attribute now; None where the subject has no snapshot."""
        snapshot = self.look(subject)
        return None if snapshot is None else attribute_of(snapshot, attribute, subject)

    def core(self, client: str) -> Any:
        """The core of a client, by name."""
        return self.clients[client].core

    def image_of(self, partition: TopicPartition) -> Any:
        """A partition as the controller has written it."""
        return self.image.partition(partition)

    def replica(self, partition: TopicPartition, broker: int) -> Any:
        """The replica itself; None where there is none, or its broker is down."""
        node = self.brokers.get(broker)
        return node.manager.partitions.get(partition) if node is not None and node.up else None

    def log_end_on_disk(self, partition: TopicPartition, broker: int) -> int:
        """Where the log of a replica ends; for a broker that is down, as its disk holds it."""
        if replica := self.replica(partition, broker):
            return replica.log.log_end_offset
        stored = self.stored(partition, broker)
        return stored[-1].last_offset + 1 if stored else 0

    def stored(self, partition: TopicPartition, broker: int) -> Batches:
        """The batches of a replica as its disk holds them, also while its broker is down."""
        disk, found = self.brokers[broker].disk.copy_of(f"{partition}/"), []
        for name in disk.names(str(partition)):
            if name.endswith(LOG):
                records = FileRecords(disk, f"{partition}/{name}")
                cut = records.recover()
                found += records.snapshot()
                if cut:
                    break
        return Batches(found, len(found))

    def epochs(self, partition: TopicPartition, broker: int) -> tuple[EpochEntry, ...]:
        """The rows of a replica's leader-epoch-checkpoint, also while its broker is down."""
        if replica := self.replica(partition, broker):
            return replica.log.epochs.epoch_entries
        disk = self.brokers[broker].disk.copy_of(f"{partition}/")
        return LeaderEpochFileCache(disk, partition).epoch_entries

    def body(self, message: str) -> Any:
        """What a message says that is on its way; None where there is none of that identity."""
        found = self.world.message(message)
        return None if found is None else found.body

    def read(self, replica: str, offset: int) -> Iterator[RecordBatch]:
        """The batches of a replica that is up, from an offset on."""
        log = self.replica(*replica_of(replica)).log
        while stored := [*batches(log.read(offset, 1 << 30, log.log_end_offset).records)]:
            yield from stored                                  # to the end of one segment
            offset = stored[-1].last_offset + 1

    def records(self, replica: str, offset: int) -> list[Record]:
        """The records of a replica that is up, from an offset that it has to the end of its log."""
        return [one for batch in self.read(replica, offset) for one in batch.records()
                if one.offset >= offset]

    def disk(self, broker: int) -> DiskSnapshot:
        """The files of a broker and which of their pages are on its disk."""
        return self.brokers[broker].disk_now().snapshot()

    dump = staticmethod(dump)

    def sent(self, request: str) -> dict[str, bytes]:
        """{partition: batch} of a produce request that its broker has or its producer waits for."""
        tokens = (node.threads.requests.get(request) for node in self.brokers.values() if node.up)
        bodies = [token.request.body for token in tokens if token is not None]
        found = [each for body in bodies if isinstance(body, ProduceRequest)
                 for each in body.partitions] or [
            (batch.partition, batch.data) for node in self.clients.values()
            if isinstance(node.core, KafkaProducer)
            for batch in node.core.accumulator.incomplete.values()
            if batch.request == request and batch.data is not None]
        return {str(partition): records.buffer for partition, records in found}

    def found(self, replica: str, offset: int) -> tuple[LookupSnapshot, str, DumpSnapshot | None]:
        """How a replica that is up finds an offset, in which file, and the batch it finds there."""
        partition, broker = replica_of(replica)
        lookup = look_up(self.replica(partition, broker).log, offset)
        file = segment_file(partition, lookup.segments[lookup.segment].base_offset, LOG)
        at = lookup.found
        return lookup, file, at and dump(self.brokers[broker].disk.read(file, at.position, at.size),
                                         name=f"the batch at byte {at.position} of {file}")


def _calls(core: Any) -> list:
    return core.records if isinstance(core, KafkaProducer) else core.polls


def _call(core: Any, number: str) -> Any:
    calls = _calls(core)
    if not number.isdecimal() or not 1 <= int(number) <= len(calls):
        return None
    one = calls[int(number) - 1]
    return core.receipt(one) if isinstance(core, KafkaProducer) else core.call(one)
