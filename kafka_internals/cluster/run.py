"""Run: a world with brokers and clients in it, and the commands that change it.

A run is made by a `Setup` and a journal and by nothing else. Whoever wants to see it again - a
film, a fork, a counterfactual - executes the journal once more. Commands are checked before they
come here; what arrives is carried out.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from kafka_internals.clients.kafka_consumer import KafkaConsumer
from kafka_internals.clients.kafka_producer import KafkaProducer
from kafka_internals.cluster import words
from kafka_internals.cluster.broker_server import FETCHER, BrokerServer
from kafka_internals.cluster.client_node import ClientNode
from kafka_internals.cluster.cost_model import CostModel
from kafka_internals.cluster.functions import partitioner_named
from kafka_internals.cluster.look import attribute_of
from kafka_internals.cluster.producer_id_blocks import producer_id_blocks
from kafka_internals.common import Changed, TopicPartition, broker_name
from kafka_internals.config import BROKER_CONFIG, CONSUMER_CONFIG, PRODUCER_CONFIG, TOPIC_CONFIG
from kafka_internals.controller.metadata_image import (
    BrokerRegistration,
    MetadataImage,
    TopicImage,
    place,
)
from kafka_internals.messages.produce import ProduceRequest
from kafka_internals.record import Record
from kafka_internals.record_batch import RecordBatch, batches
from kafka_internals.server.rules import Rules
from kafka_internals.sim.disk import DiskSnapshot
from kafka_internals.sim.disk_faults import FullDisk
from kafka_internals.sim.journal import Entry, Journal
from kafka_internals.sim.network import Cut, Lossy, Slow
from kafka_internals.sim.trace import Trace
from kafka_internals.sim.world import World
from kafka_internals.storage.dump_log_segments import DumpSnapshot, dump
from kafka_internals.storage.file_records import Batches, FileRecords
from kafka_internals.storage.log_file_utils import LOG, segment_file
from kafka_internals.storage.lookup_snapshot import LookupSnapshot, look_up

LEARNER, COMMAND = "learner", "command"
REQUESTS = "requests"                   # "requests@1": the request path of broker 1


class Setup(NamedTuple):
    """Everything that a run depends on beside its journal."""

    brokers: tuple[int, ...] = (1, 2, 3)
    seed: int = 0
    latency_us: int = 500
    jitter_us: int = 200
    configs: tuple[tuple[str, Any], ...] = ()
    rules: Rules = Rules()
    cost: CostModel = CostModel()


class Run:
    """The machine behind a cluster. `handle_for(name)` gives an application its handles."""

    def __init__(self, setup: Setup, *, traced: bool = True, without: frozenset[int] = frozenset(),
                 apps: dict[str, Callable] | None = None,
                 start_app: Callable[..., Any] | None = None,
                 ended: Callable[[str, list], None] | None = None) -> None:
        self.setup = setup
        self.world = World(setup.seed, latency_us=setup.latency_us, jitter_us=setup.jitter_us,
                           without=without)
        self.world.trace = Trace() if traced else None
        self.broker_config = BROKER_CONFIG.parse(dict(setup.configs))
        producer_ids = producer_id_blocks(setup.brokers)
        self.brokers = {id: BrokerServer(self.world, id, self.broker_config, setup.cost,
                                         setup.rules, producer_ids[id])
                        for id in setup.brokers}
        self.clients: dict[str, ClientNode] = {}
        self.image = MetadataImage({id: BrokerRegistration(id, fenced=False)
                                    for id in setup.brokers})
        self._publish_image()
        self.entries: list[Entry] = []
        self.apps = {} if apps is None else apps
        self._start_app, self._ended = start_app, ended
        self._slowed: dict[int, list[tuple]] = {}

    # -- the journal --------------------------------------------------------------------------
    def execute(self, command: str, args: dict[str, Any]) -> None:
        """Carry out one command: an event with an id of its own, written into the journal."""
        world = self.world
        self.entries.append(Entry(world.event, world.now_us, command, tuple(args.items())))
        world.begin(0, LEARNER, COMMAND, words.command(command, args))
        if world.event not in world.without:
            getattr(self, f"_do_{command}")(**args)
        world.end()

    def journal(self) -> Journal:
        """What was commanded so far, and how far the run has come."""
        return Journal(tuple(self.entries), self.world.event, self.world.now_us)

    def replay(self, journal: Journal) -> None:
        """Execute a journal up to its position; where it was altered, by the clock."""
        for entry in journal.entries:
            self._come_to(journal, entry.follows_event, entry.now_us)
            self.execute(entry.command, dict(entry.args))
        self._come_to(journal, journal.event, journal.now_us)

    def _come_to(self, journal: Journal, event: int, now_us: int) -> None:
        if journal.goes_by_clock(event):
            self.world.run_to(now_us)
            while self.world.halted:
                self.world.run_to(now_us)
        else:
            self.world.run_to_event(event)
            self.world.now_us = max(self.world.now_us, now_us)

    # -- what everybody may look at -----------------------------------------------------------
    def subjects(self) -> list[str]:
        """The names of everything that has a snapshot now."""
        names = [node.name for node in self.brokers.values()]
        for node in self.brokers.values():
            if node.up:
                names += [p.subject for p in node.manager.partitions.values()]
                names += [operation.subject for operation in node.manager.parked()]
                names += list(node.threads.requests)
        for name, node in self.clients.items():
            names.append(name)
            names += [call.subject for call in _calls(node.core)]
        return names

    def look(self, subject: str) -> Any:
        """The snapshot of a subject, or None where there is none of that name now."""
        name, at, broker = subject.rpartition("@")
        if at:
            node = self.brokers.get(int(broker)) if broker.isdecimal() else None
            if name == REQUESTS and node is not None and node.up:
                return node.threads.snapshot(node.manager.parked(), self.world.now_us)
            here = node.manager.partitions.items() if node is not None and node.up else ()
            return next((p.snapshot() for partition, p in here if str(partition) == name), None)
        if subject.startswith("parked-"):
            parked = (op for node in self.brokers.values() if node.up
                      for op in node.manager.parked() if op.subject == subject)
            return next((operation.snapshot() for operation in parked), None)
        client, hash_sign, number = subject.partition("#")
        if client in self.clients:
            core = self.clients[client].core
            return _call(core, number) if hash_sign else core.snapshot()
        if (node := self.world.nodes.get(subject)) is not None:
            return node.snapshot()
        return next((node.threads.look(subject, node.manager.parked())
                     for node in self.brokers.values()
                     if node.up and subject in node.threads.requests), None)

    def current(self, subject: str, attribute: str) -> Any:
        """The value of one attribute now; None where the subject has no snapshot."""
        snapshot = self.look(subject)
        return None if snapshot is None else attribute_of(snapshot, attribute, subject)

    def core(self, client: str) -> Any:
        """The core of a client, by name."""
        return self.clients[client].core

    def isr_of(self, partition: TopicPartition) -> tuple[int, ...]:
        """The in-sync replicas of a partition, as the metadata image has them."""
        return self.image.partition(partition).isr

    def log_end_on_disk(self, partition: TopicPartition, broker: int) -> int:
        """Where the log of a replica ends; for a broker that is down, as its disk holds it."""
        node = self.brokers[broker]
        if node.up and partition in node.manager.partitions:
            return node.manager.partitions[partition].log.log_end_offset
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

    def read(self, replica: str, offset: int) -> Iterator[RecordBatch]:
        """The batches of a replica that is up, from an offset on."""
        name, _, broker = replica.rpartition("@")
        log = self.brokers[int(broker)].manager.partitions[TopicPartition.of(name)].log
        return batches(log.read(offset, 1 << 30, log.log_end_offset).records)

    def records(self, replica: str, offset: int) -> list[Record]:
        """The records of a replica that is up, from an offset that it has to the end of its log."""
        found, begin = [], offset
        while stored := [*self.read(replica, offset)]:         # to the end of one segment
            found += [one for batch in stored for one in batch.records() if one.offset >= begin]
            offset = stored[-1].last_offset + 1
        return found

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
        name, _, broker = replica.rpartition("@")
        partition, node = TopicPartition.of(name), self.brokers[int(broker)]
        lookup = look_up(node.manager.partitions[partition].log, offset)
        file = segment_file(partition, lookup.segments[lookup.segment].base_offset, LOG)
        at = lookup.found
        return lookup, file, at and dump(node.disk.read(file, at.position, at.size),
                                         name=f"the batch at byte {at.position} of {file}")

    # -- commands: topics and clients ---------------------------------------------------------
    def _do_create_topic(self, topic: str, partitions: int, replication_factor: int,
                         configs: tuple) -> None:
        registrations = place(self.setup.brokers, partitions, replication_factor, self._alive())
        self._publish_topic(TopicImage(topic, registrations, TOPIC_CONFIG.parse(dict(configs))))

    def _do_create_partitions(self, topic: str, total_count: int) -> None:
        """As ReplicationControlManager does: as many replicas as the first partition has."""
        old = self.image.topics[topic]
        had, factor = len(old.partitions), len(old.partitions[0].replicas)
        added = place(self.setup.brokers, total_count - had, factor, self._alive(), had)
        self._publish_topic(old._replace(partitions=old.partitions + added))

    def _alive(self) -> frozenset[int]:
        return frozenset(id for id, node in self.brokers.items() if node.up)

    def _publish_topic(self, topic: TopicImage) -> None:
        self.image = self.image.with_topic(topic)
        self._publish_image()

    def _publish_image(self) -> None:
        for node in self.brokers.values():
            if node.up and not node.paused:
                node.apply_image(self.image)

    def _do_producer(self, client_id: str, configs: tuple) -> None:
        name = dict(configs).get("partitioner.class")
        self._add_client(client_id, KafkaProducer, PRODUCER_CONFIG, configs,
                         partitioner_named(name, self.apps))
        if self._ended is not None:
            node = self.clients[client_id]
            node.after.append(partial(self._ended, client_id, node.core.completed))

    def _do_consumer(self, client_id: str, configs: tuple) -> None:
        self._add_client(client_id, KafkaConsumer, CONSUMER_CONFIG, configs)

    def _add_client(self, client_id: str, kind: type, definition: Any, configs: tuple,
                    *more: Any) -> None:
        core = kind(client_id, self.setup.brokers, definition.parse(dict(configs)),
                    lambda purpose: self.world.draw(client_id, purpose), *more)
        self.clients[client_id] = ClientNode(self.world, core)
        self._note(client_id, "topics", None, (), f"new {kind.__name__}")

    def _note(self, subject: str, attribute: str, old: Any, new: Any, rule: str) -> None:
        if self.world.trace is not None:
            self.world.trace.changed(self.world.event, Changed(subject, attribute, old, new, rule))

    def call(self, client: str, method: str, *args: Any) -> None:
        """Let a client's application thread make a call."""
        node = self.clients[client]
        node.perform(getattr(node.core, method)(*args, node.now_ms()))

    def _do_send(self, producer: str, topic: str, key: bytes | None, value: bytes | None,
                 headers: tuple, partition: int | None, timestamp: int | None) -> None:
        self.call(producer, "send", topic, key, value, headers, partition, timestamp)

    def _do_flush(self, producer: str) -> None:
        self.call(producer, "flush")

    def _do_assign(self, consumer: str, partitions: tuple) -> None:
        self.call(consumer, "assign", tuple(TopicPartition(*name) for name in partitions))

    def _do_seek(self, consumer: str, partition: tuple, to: int | str) -> None:
        self.call(consumer, "seek", TopicPartition(*partition), to)

    def _do_pause_partitions(self, consumer: str, partitions: tuple) -> None:
        self.call(consumer, "pause", tuple(TopicPartition(*name) for name in partitions))

    def _do_resume_partitions(self, consumer: str, partitions: tuple) -> None:
        self.call(consumer, "resume", tuple(TopicPartition(*name) for name in partitions))

    def _do_look_up(self, consumer: str, timestamps: tuple) -> None:
        self.call(consumer, "look_up", {TopicPartition(*name): at for name, at in timestamps})

    def _do_poll(self, consumer: str, timeout_ms: int) -> None:
        self.call(consumer, "poll", timeout_ms)

    def _do_run_app(self, app: str, handles: tuple) -> None:
        self._start_app(app, handles)

    # -- commands: faults ---------------------------------------------------------------------
    def _do_kill(self, broker: int) -> None:
        self.brokers[broker].go_down("crashed")

    def _do_stop(self, broker: int) -> None:
        self.brokers[broker].go_down("stopped")

    def _do_power_loss(self, broker: int) -> None:
        self.brokers[broker].go_down("without power", powered=False)

    def _do_lose_disk(self, broker: int) -> None:
        node = self.brokers[broker]
        node.go_down("without disk") if node.up else node.change_state("without disk")
        node.disk.lose()

    def _do_full_disk(self, broker: int, free_bytes: int) -> None:
        disk = self.brokers[broker].disk
        disk.faults.append(FullDisk(disk.used_bytes + free_bytes))

    def _do_free_disk(self, broker: int) -> None:
        disk = self.brokers[broker].disk
        disk.faults = [fault for fault in disk.faults if not isinstance(fault, FullDisk)]

    def _do_drop_caches(self, broker: int) -> None:
        self.brokers[broker].disk_now().drop_caches()

    def _do_slow_handlers(self, broker: int, delay_ms: float) -> None:
        self.brokers[broker].handler_delay_us = round(delay_ms * 1000)

    def _do_alter_client_quotas(self, client_id: str | None, quotas: tuple) -> None:
        self.image = self.image.with_quotas(client_id, dict(quotas))
        self._publish_image()

    def _do_pause(self, broker: int) -> None:
        self.world.pause(self.brokers[broker])
        self.brokers[broker].change_state("paused")

    def _do_resume(self, broker: int) -> None:
        node = self.brokers[broker]
        node.change_state("running")
        self.world.resume(node)
        node.apply_image(self.image)

    def _do_restart(self, broker: int) -> None:
        self.brokers[broker].restart(self.image)

    def _do_slow(self, broker: int, fetch_ms: int) -> None:
        faults = self.world.network.faults
        for link, fault in self._slowed.pop(broker, ()):
            faults[link].remove(fault)
        if not fetch_ms:
            return
        fault = Slow(round(fetch_ms * 1000), FETCHER)
        self._slowed[broker] = [((broker_name(broker), broker_name(other)), fault)
                                for other in self.brokers if other != broker]
        for link, _ in self._slowed[broker]:
            faults.setdefault(link, []).append(fault)

    def _do_cut(self, sender: str, receiver: str) -> None:
        self.world.network.faults.setdefault((sender, receiver), []).append(Cut())

    def _do_partition(self, side: tuple[str, ...], other_side: tuple[str, ...]) -> None:
        for one in side:
            for other in other_side:
                self._do_cut(one, other)
                self._do_cut(other, one)

    def _do_lossy(self, sender: str, receiver: str, per_mille: int) -> None:
        self.world.network.faults.setdefault((sender, receiver), []).append(Lossy(per_mille))

    def _do_heal(self) -> None:
        for link, faults in self.world.network.faults.items():
            self.world.network.faults[link] = [f for f in faults if isinstance(f, Slow)]

    def _do_drop(self, message: str) -> None:
        self.world.network.dropped.add(message)
        self.world.forget(message)


def _calls(core: Any) -> list:
    return core.records if isinstance(core, KafkaProducer) else core.polls


def _call(core: Any, number: str) -> Any:
    calls = _calls(core)
    if not number.isdecimal() or not 1 <= int(number) <= len(calls):
        return None
    one = calls[int(number) - 1]
    return core.receipt(one) if isinstance(core, KafkaProducer) else core.call(one)
