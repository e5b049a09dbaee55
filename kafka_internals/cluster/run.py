"""Run: a world with brokers and clients in it, and the commands that change it.

A run is made by a `Setup` and a journal and by nothing else. Whoever wants to see it again - a
film, a fork, a counterfactual - executes the journal once more. Commands are checked before they
come here; what arrives is carried out.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from kafka_internals.clients.kafka_consumer import KafkaConsumer
from kafka_internals.clients.kafka_producer import KafkaProducer
from kafka_internals.cluster import words
from kafka_internals.cluster.admin_client import AdminClient
from kafka_internals.cluster.broker_server import FETCHER, BrokerServer
from kafka_internals.cluster.client_node import ClientNode
from kafka_internals.cluster.controller_server import ControllerServer
from kafka_internals.cluster.cost_model import CostModel
from kafka_internals.cluster.functions import partitioner_named
from kafka_internals.cluster.observed import Observed
from kafka_internals.common import Changed, TopicPartition, broker_name
from kafka_internals.config import (
    BROKER_CONFIG,
    CONSUMER_CONFIG,
    CONTROLLER_CONFIG,
    PRODUCER_CONFIG,
    QUORUM_CONFIG,
)
from kafka_internals.controller.metadata_image import CLIENT_ID, MetadataImage
from kafka_internals.errors import TimeoutException
from kafka_internals.messages.alter_client_quotas import (
    AlterClientQuotasEntry,
    AlterClientQuotasRequest,
)
from kafka_internals.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from kafka_internals.messages.create_topics import CreatableTopic, CreateTopicsRequest
from kafka_internals.messages.metadata_records import EntityData
from kafka_internals.server.rules import Rules
from kafka_internals.sim.collector import no_collector
from kafka_internals.sim.disk_faults import FullDisk
from kafka_internals.sim.journal import Entry, Journal
from kafka_internals.sim.network import Cut, Lossy, Slow
from kafka_internals.sim.trace import Trace
from kafka_internals.sim.world import World

LEARNER, COMMAND = "learner", "command"
BOOT_US, BOOT_LIMIT_US = -1_000_000, 60_000_000     # the story begins at 0
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
    features: tuple[tuple[str, int], ...] = ()
    racks: tuple[tuple[int, str], ...] = ()


def configs_of(definition: Any, configs: dict) -> Any:
    """Of a cluster's configs those of one definition."""
    return definition.parse({name: one for name, one in configs.items()
                             if name in definition.keys})


class Run(Observed):
    """The machine behind a cluster. `handle_for(name)` gives an application its handles."""

    def __init__(self, setup: Setup, *, traced: bool = True, without: frozenset[int] = frozenset(),
                 apps: dict[str, Callable] | None = None,
                 start_app: Callable[..., Any] | None = None,
                 ended: Callable[[str, list], None] | None = None) -> None:
        self.setup = setup
        self.world = World(setup.seed, latency_us=setup.latency_us, jitter_us=setup.jitter_us,
                           begin_us=BOOT_US)
        given = dict(setup.configs)
        self.broker_config = configs_of(BROKER_CONFIG, given)
        settings = configs_of(CONTROLLER_CONFIG, given), configs_of(QUORUM_CONFIG, given)
        self.controller = ControllerServer(self.world, *settings, setup.cost,
                                           dict(setup.features))
        racks = dict(setup.racks)
        self.brokers = {id: BrokerServer(self.world, id, self.broker_config, setup.cost,
                                         setup.rules, settings,
                                         racks.get(id, self.broker_config["broker.rack"]))
                        for id in setup.brokers}
        self.admin = AdminClient(self.world, self.controller)
        self.clients: dict[str, ClientNode] = {}
        self._boot()
        self.world.trace, self.world.without = Trace() if traced else None, without
        self.entries: list[Entry] = []
        self.apps = {} if apps is None else apps
        self._start_app, self._ended = start_app, ended
        self._slowed: dict[int, list[tuple]] = {}

    @no_collector()
    def _boot(self) -> None:
        """Before the story: the controller leads, brokers register and are unfenced.

        They have been in use, too: each has a block of producer ids already, in their order.
        """
        world = self.world
        for node in (self.controller, *self.brokers.values()):
            node.start()
        for node in self.brokers.values():
            while not node.is_ready:
                if world.now_us > BOOT_US + BOOT_LIMIT_US:
                    raise TimeoutException("the brokers are not unfenced after a minute")
                world.go_on(world.event + 1)
        for node in self.brokers.values():
            node.request_producer_ids()
            while not node.manager.producer_ids.blocks:
                world.go_on(world.event + 1)
        while not world.is_quiet():             # else the story's first answers had no questions
            world.go_on(world.event + 1)
        world.count_from_here()

    @property
    def image(self) -> MetadataImage:
        """The metadata as the controller has it."""
        return self.controller.core.image

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

    @no_collector()
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

    # -- commands: topics and clients ---------------------------------------------------------
    def _do_create_topic(self, topic: str, partitions: int, replication_factor: int,
                         configs: tuple, assignment: tuple = ()) -> None:
        self.asked = self.admin.ask(CreateTopicsRequest((CreatableTopic(
            topic, partitions, replication_factor, assignment,
            tuple((name, config_text(one)) for name, one in configs)),)), "Admin.createTopics")

    def _do_create_partitions(self, topic: str, total_count: int) -> None:
        self.asked = self.admin.ask(CreatePartitionsRequest((
            CreatePartitionsTopic(topic, total_count),)), "Admin.createPartitions")

    def is_known(self) -> bool:
        """True once every broker that serves and can be reached has what is committed now."""
        offset = self.controller.core.last_committed_offset
        return all(node.loader.last_applied_offset >= offset for node in self.brokers.values()
                   if node.up and node.is_ready and not node.paused and self.reaches(node))

    def reaches(self, node: BrokerServer) -> bool:
        """True where no link between a broker and the controller is cut."""
        faults, one, other = self.world.network.faults, node.name, self.controller.name
        return not any(isinstance(fault, Cut) for link in ((one, other), (other, one))
                       for fault in faults.get(link, ()))

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
        self.brokers[broker].stop()

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
        entry = AlterClientQuotasEntry((EntityData(CLIENT_ID, client_id),), quotas)
        self.asked = self.admin.ask(AlterClientQuotasRequest((entry,)),
                                    "Admin.alterClientQuotas")

    def _do_pause(self, broker: int) -> None:
        self.world.pause(self.brokers[broker])
        self.brokers[broker].change_state("paused")

    def _do_resume(self, broker: int) -> None:
        node = self.brokers[broker]
        node.change_state("running")
        self.world.resume(node)

    def _do_restart(self, broker: int) -> None:
        self.brokers[broker].restart()

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

    def _do_delay(self, message: str, ms: float) -> None:
        delayed, extra_us = self.world.network.delayed, round(ms * 1000)
        if not self.world.postpone(message, extra_us):
            delayed[message] = delayed.get(message, 0) + extra_us


def config_text(value: Any) -> str | None:
    """A config as it travels."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, (list, tuple)) else str(value)
