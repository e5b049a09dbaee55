"""BrokerServer: one broker as a node of the world: its life, its disk, its fetchers.

Only a node knows durations. A task changes state when it starts; what it sends leaves when its time
is over. A crash between the two leaves records that were appended and never answered. Threads that
requests pass through are in `BrokerThreads`.
"""

from collections.abc import Callable
from itertools import count
from typing import Any

from kafka_internals.cluster.broker_snapshot import BrokerSnapshot, Known, learned
from kafka_internals.cluster.broker_threads import (
    HANDLED,
    LOCK_FREE,
    NETWORK_DONE,
    THROTTLE_OVER,
    BrokerThreads,
)
from kafka_internals.cluster.cost_model import CostModel
from kafka_internals.cluster.shared_server import (
    CONTROLLER,
    MetadataLoader,
    SharedServer,
    cluster_id,
    controller_name,
    directory_id,
    touches_something,
)
from kafka_internals.common import (
    START_MS,
    Changed,
    Disconnect,
    Persist,
    Reply,
    Send,
    broker_name,
    earliest,
)
from kafka_internals.controller.feature_control_manager import SUPPORTED_FEATURES
from kafka_internals.controller.topic_control import random_uuid
from kafka_internals.messages.allocate_producer_ids import AllocateProducerIdsRequest
from kafka_internals.messages.alter_partition import AlterPartitionRequest
from kafka_internals.messages.broker_heartbeat import BrokerHeartbeatRequest
from kafka_internals.messages.broker_registration import BrokerRegistrationRequest
from kafka_internals.messages.fetch import FetchRequest
from kafka_internals.messages.metadata_records import Endpoint
from kafka_internals.server import broker_lifecycle_manager as life
from kafka_internals.server.alter_partition_manager import AlterPartitionManager
from kafka_internals.server.broker_lifecycle_manager import BrokerLifecycleManager
from kafka_internals.server.node_to_controller_channel_manager import (
    NodeToControllerChannelManager,
)
from kafka_internals.server.producer_id_manager import ProducerIdManager
from kafka_internals.server.replica_manager import ReplicaManager
from kafka_internals.server.rules import Rules
from kafka_internals.sim.disk import Disk
from kafka_internals.sim.world import DISCONNECTED, REQUEST, RESPONSE, TICK, Node, World
from kafka_internals.storage.checkpoint_file import CLEAN_SHUTDOWN, read_clean_shutdown

FETCHER_DONE = "fetcher thread"
FETCHER = "fetcher"
METADATA, HEARTBEAT, ALTERS, FORWARDING = "metadata", "heartbeat", "alter-partition", "forwarding"
CORE = "core"
ALL = (CORE, METADATA, HEARTBEAT)     # whose deadlines the one timer of a broker stands for
CHANNELS = {FetchRequest: METADATA, BrokerRegistrationRequest: HEARTBEAT,
            BrokerHeartbeatRequest: HEARTBEAT, AlterPartitionRequest: ALTERS,
            AllocateProducerIdsRequest: FORWARDING}        # connections to the controller
FORWARDING_TIMEOUT_MS = 60_000
NOT_LISTENING = (life.NOT_RUNNING, life.STARTING, life.RECOVERY)    # until it is unfenced first
CONTROLLED_SHUTDOWN_MS = 300_000      # a broker that is never told to go does so after this time
STATE_RULE = "a command of the learner"
STOP_RULE = "a broker ends when its life as one is over (KIP-631)"
DISK_RULE = "a broker whose only log directory fails halts"


class BrokerServer(Node):
    """A broker, its threads and its disk. What is in `manager` and `threads` dies with it."""

    between_brokers = FETCHER             # what a connection of another broker is for

    def __init__(self, world: World, broker: int, config: Any, cost: CostModel,
                 rules: Rules, settings: tuple[Any, Any] = (), rack: str | None = None) -> None:
        super().__init__(world, broker_name(broker))
        self.broker, self.config, self.cost, self.rules = broker, config, cost, rules
        self.state = "running"
        self.handler_delay_us = 0             # a fault: every request takes so much longer
        self.epoch_before: int | None = None  # its last one, which no broker could know for sure
        self._settings, self._rack = settings, rack    # CONTROLLER_CONFIG and QUORUM_CONFIG
        self._incarnation = world.draw(self.name, "incarnation")
        self._ids = {name: count(1) for name in (FETCHER, *CHANNELS.values())}   # for all lives
        self.disk = Disk(world.draw(self.name, "power loss"), cost.disk)
        self.handlers = {REQUEST: self._on_request, RESPONSE: self._on_response,
                         DISCONNECTED: self._on_disconnected, TICK: self._on_tick,
                         FETCHER_DONE: self.perform, HANDLED: self._on_handled}
        self._known = Known()
        self._due_ms: tuple = (None,) * 4     # of the core, metadata, heartbeats, and the end

    def start(self) -> None:
        """The process begins: it reads metadata, registers, and serves once it is unfenced."""
        self.work(self._start)
        if self.up:
            self._in_background(self.shared.client.start, self.now_ms())
            self._in_background(self.lifecycle.start, self.now_ms())
            self._rest()

    def _start(self) -> None:
        self.threads = BrokerThreads(self, self.config, self.cost)
        self.handlers |= {NETWORK_DONE: self.threads.on_network_done,
                          LOCK_FREE: self.threads.on_lock_free,
                          THROTTLE_OVER: self.threads.on_throttle_over}
        (config, quorum_config), ids = self._settings, self._ids
        previous = read_clean_shutdown(self.disk, CLEAN_SHUTDOWN) \
            if self.rules.clean_shutdown_file else self.epoch_before
        self.loader, self._is_published, self._stop_by_ms = MetadataLoader(), False, None
        self.shared = SharedServer(self, self.broker, self.loader, quorum_config,
                                   ids[METADATA].__next__)
        self.lifecycle = BrokerLifecycleManager(
            BrokerRegistrationRequest(
                self.broker, cluster_id(self.world.seed), random_uuid(self._incarnation),
                (Endpoint("PLAINTEXT", self.name, 9092),), SUPPORTED_FEATURES, self._rack,
                (directory_id(self.name),), -1 if previous is None else previous),
            config, self.shared.leader, lambda: self.loader.last_applied_offset,
            ids[HEARTBEAT].__next__)
        self._alters, self._producer_ids = (
            NodeToControllerChannelManager(f"{self.name}-{what}", self.shared.leader,
                                           ids[purpose].__next__, timeout_ms)
            for what, purpose, timeout_ms in ((ALTERS, ALTERS, None), (
                "producer-ids", FORWARDING, FORWARDING_TIMEOUT_MS)))
        self.manager = ReplicaManager(
            self.broker, self.disk, self.config, self.rules, ids[FETCHER].__next__, self._epoch,
            AlterPartitionManager(self.broker, self._epoch, self._alters),
            ProducerIdManager(self.broker, self._epoch, self._producer_ids))
        self._answered = {METADATA: self.shared.client.handle, HEARTBEAT: self.lifecycle.handle,
                          ALTERS: self.manager.alter_partition_answered,
                          FORWARDING: self.manager.producer_ids.handle}
        self._clocks = {CORE: self.manager.tick, METADATA: self.shared.tick,
                        HEARTBEAT: self.lifecycle.tick}

    def _epoch(self) -> int:
        return self.lifecycle.broker_epoch

    def request_producer_ids(self) -> None:
        """Ask for a block of producer ids before anybody needs one."""
        self.perform(self.manager.producer_ids.maybe_request_next_block(self.now_ms()))
        self._rest()

    @property
    def is_ready(self) -> bool:
        """True while it serves: it knows that it is unfenced."""
        return self.up and self.lifecycle.state == life.RUNNING

    # -- life ---------------------------------------------------------------------------------
    def _publish(self, now_ms: int) -> bool:
        """BrokerMetadataPublisher: act on what was learned, once that is all that is committed.

        True where the core had to.
        """
        loader, first = self.loader, not self._is_published
        if first and not loader.has_caught_up(self.shared.client.quorum.state.high_watermark):
            return False
        if not first and not loader.untold:
            return False
        delta, image = loader.take()
        self._is_published = True
        if not first and not touches_something(delta):
            self.manager.image = image
            return False
        self._note_image(delta, loader.reads)
        self._in_background(self.manager.apply_image, image, now_ms, loader.reads)
        return True

    def _maybe_ready(self) -> None:
        """It can serve: its first image is published, and the controller says it has caught up."""
        if self.up and self._is_published and self.lifecycle.state == life.RECOVERY:
            self._in_background(self.lifecycle.set_ready_to_unfence, self.now_ms(),
                                ((self.lifecycle.subject, "state"), *self.loader.reads))

    def _note_image(self, delta: Any, reads: tuple) -> None:
        """Say what differs in what this broker knows of the others and of topics and quotas."""
        self._known, changes = learned(delta, self._known)
        self.note_changes([Changed(self.name, *change, reads) for change in changes])

    def _in_background(self, act: Callable[..., list], *args: Any) -> None:
        """Threads that nobody waits for do this: what the disk takes for it delays nothing."""
        try:
            self.perform(act(*args))
        except OSError as error:
            self._disk_failed(error)
        self.disk.cost_us = 0

    def work(self, act: Callable[..., list], *args: Any) -> list:
        """What the core makes of it; a disk that fails ends the process (KIP-112)."""
        try:
            return act(*args)
        except OSError as error:
            self._disk_failed(error)
            return []

    def _disk_failed(self, error: OSError) -> None:
        self.go_down("crashed", rule=f"{DISK_RULE}: {error.strerror}")

    def change_state(self, state: str, rule: str = STATE_RULE, reads: tuple = ()) -> None:
        """Say what the broker is now."""
        old, self.state = self.state, state
        self.note_changes([Changed(self.name, "state", old, state, rule, reads)])

    def go_down(self, state: str, powered: bool = True, rule: str = STATE_RULE,
                reads: tuple = ()) -> None:
        """The process ends. Its connections are closed only where the machine still runs."""
        if state == "stopped":
            try:
                for effect in self.manager.shut_down():
                    self._persist(effect)
                self.shared.log.close()
            except OSError as error:
                state, rule = "crashed", f"{DISK_RULE}: {error.strerror}"
        self.change_state(state, rule, reads)
        if powered:
            self.world.network.process_ended(self)
        else:
            self.disk_now().power_loss()
        self.end_life(powered)
        if (epoch := self.lifecycle.broker_epoch) >= 0:
            self.epoch_before = epoch
        self.manager, self._known = None, Known()

    def stop(self) -> None:
        """An orderly end: the controller moves what this broker leads, and lets it go then."""
        self._stop_by_ms = self.now_ms() + CONTROLLED_SHUTDOWN_MS
        self.manager.begin_controlled_shutdown()
        self._in_background(self.lifecycle.begin_controlled_shutdown, self.now_ms())
        self._maybe_end()
        self._rest()

    def _maybe_end(self) -> None:
        """The life of the broker is over when its lifecycle manager says so."""
        if self.up and self.lifecycle.state == life.SHUTTING_DOWN:
            self.go_down("stopped", rule=STOP_RULE, reads=((self.lifecycle.subject, "state"),))

    def restart(self) -> None:
        """The process begins again, with what its disk holds."""
        self.begin_life()
        self.change_state("running")
        self.start()

    # -- threads ------------------------------------------------------------------------------
    def _on_request(self, payload: tuple) -> None:
        connection, request = payload
        if self.lifecycle.state in NOT_LISTENING:
            self.world.network.close(connection, self)
        elif connection.server_life == self.life:        # this end has not closed it meanwhile
            self.threads.arrived(connection, request)

    def _on_handled(self, payload: tuple) -> None:
        self.threads.on_handled(payload)
        self._rest((CORE,))

    def note_changes(self, effects: list) -> list:
        """Write down what has changed; give back what is left to do."""
        if (trace := self.world.trace) is not None:
            event = self.world.event
            trace.changes += [(event, *one) for one in effects if type(one) is Changed]
        return [one for one in effects if type(one) is not Changed]

    def _on_response(self, payload: tuple) -> None:
        connection, response = payload
        if connection.purpose is not FETCHER:
            self._on_controller_response(connection.purpose, response)
            return
        effects = self.work(self.manager.fetched, connection.server.broker, response,
                            self.now_ms())
        if self.up:
            later = self.note_changes(effects)
            us = self.cost.fetcher_us + self.disk.take_cost_us()
            self.world.schedule(self.world.now_us + us, self, FETCHER_DONE, later)
            self._rest((CORE,))

    def _on_controller_response(self, purpose: str, response: Any) -> None:
        """Each connection to the controller has a thread of its own."""
        now_ms, at_work = self.now_ms(), (CORE,)
        self._in_background(self._answered[purpose], response, now_ms)
        if purpose is METADATA:
            at_work = ALL if self.up and self._publish(now_ms) else (METADATA, HEARTBEAT)
        elif purpose is HEARTBEAT:
            at_work = (HEARTBEAT,)
        if self.lifecycle.state != life.RUNNING:
            self._maybe_ready()
            self._maybe_end()
        self._rest(at_work)

    def _on_disconnected(self, payload: tuple) -> None:
        connection, now_ms = payload[0], self.now_ms()
        connection.open = False
        if connection.purpose is FETCHER:
            self.perform(self.manager.fetcher_disconnected(connection.server.broker, now_ms))
        else:
            lost = {METADATA: self.shared.client.disconnected, ALTERS: self._alters.disconnected,
                    HEARTBEAT: self.lifecycle.disconnected,
                    FORWARDING: self._producer_ids.disconnected}[connection.purpose]
            self.perform(lost(now_ms) or [])
        self._rest()

    def _on_tick(self, _: int) -> None:
        """What is due; while a handler is at work nobody has asked the core yet when that is."""
        now_ms, is_busy = self.now_ms(), self.threads.pool.is_busy
        due = tuple([who for who, due_ms in zip(ALL, self._due_ms)
                     if due_ms is not None and due_ms <= now_ms or who is CORE and is_busy])
        for who in due:
            if self.up:
                self._in_background(self._clocks[who], now_ms)
        if self.up and self._stop_by_ms is not None and now_ms >= self._stop_by_ms:
            self.perform(self.lifecycle.begin_shutdown())
        self._maybe_end()
        self._rest(due)

    # -- effects ------------------------------------------------------------------------------
    def perform(self, effects: list) -> None:
        """Do what a core asked for, in its order, as long as the process lives."""
        trace, event = self.world.trace, self.world.event
        for effect in effects:
            if not self.up:
                return
            kind = type(effect)
            if kind is Changed:
                if trace is not None:
                    trace.changes.append((event, *effect))
            elif kind is Reply:
                self.threads.reply(effect)
            elif kind is Send:
                connection = self._connect(effect.to, type(effect.request.body))
                self.world.network.send(connection, connection.server, REQUEST, effect.request)
            elif kind is Persist:
                self.work(self._persist, effect)
            elif kind is Disconnect:
                self.world.network.close(
                    self._connect(effect.to, effect.about or FetchRequest), self)

    def _persist(self, effect: Persist) -> list:
        self.disk_now().replace(effect.file, effect.data)
        return []

    def _connect(self, node: int, body: type) -> Any:
        """To a broker for a fetcher, to the controller for what is asked there."""
        name, purpose = (broker_name(node), FETCHER) if node != CONTROLLER else (
            controller_name(node), CHANNELS[body])
        return self.world.network.connect(self, self.world.nodes[name], purpose)

    def now_ms(self) -> int:
        """The time for the core and for its files: the disk has no clock either."""
        now_ms = self.world.now_us // 1000
        self.disk.now_ms = START_MS + now_ms
        return now_ms

    def disk_now(self) -> Disk:
        """The disk, told the time: also of a broker that is down or had nothing to do."""
        self.now_ms()
        return self.disk

    def _rest(self, at_work: tuple = ALL) -> None:
        """Set the one timer to the next deadline; only who was at work may have another one."""
        if not self.up:
            return
        core_ms, metadata_ms, heartbeat_ms, _ = self._due_ms
        if CORE in at_work:
            core_ms = self.manager.next_deadline_ms(self.now_ms())
        if METADATA in at_work:
            metadata_ms = self.shared.next_deadline_ms()
        if HEARTBEAT in at_work:
            heartbeat_ms = self.lifecycle.next_deadline_ms()
        due_ms = (core_ms, metadata_ms, heartbeat_ms, self._stop_by_ms)
        if due_ms != self._due_ms or self.deadline_us is None:
            self._due_ms = due_ms
            self.wake_at(None if (ms := earliest(due_ms)) is None else ms * 1000)

    def snapshot(self) -> BrokerSnapshot:
        """Frozen."""
        ids = (None, ()) if self.manager is None else (
            self.manager.producer_ids.next_producer_id, self.manager.producer_ids.blocks)
        return BrokerSnapshot(self.broker, self.state, *self._known[:2], *ids, *self._known[2:])

