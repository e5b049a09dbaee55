"""BrokerServer: one broker as a node of the world: its life, its disk, its fetchers.

Only a node knows durations. A task changes state when it starts; what it sends leaves when its time
is over. A crash between the two leaves records that were appended and never answered. Threads that
requests pass through are in `BrokerThreads`.
"""

from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

from kafka_internals.cluster.broker_threads import (
    HANDLED,
    LOCK_FREE,
    NETWORK_DONE,
    THROTTLE_OVER,
    BrokerThreads,
)
from kafka_internals.cluster.cost_model import CostModel
from kafka_internals.common import START_MS, Changed, Disconnect, Persist, Reply, Send, broker_name
from kafka_internals.server.replica_manager import ReplicaManager
from kafka_internals.server.rules import Rules
from kafka_internals.sim.disk import Disk
from kafka_internals.sim.world import DISCONNECTED, REQUEST, RESPONSE, TICK, Node, World

FETCHER_DONE = "fetcher thread"
FETCHER = "fetcher"
TOPICS_RULE = "a broker has the partitions of its metadata image (KIP-500)"
STATE_RULE = "a command of the learner"
DISK_RULE = "a broker whose only log directory fails halts"


class BrokerSnapshot(NamedTuple):
    """`state`: "running", "paused", "stopped", "crashed", "without power", "without disk".

    `partition_counts` of its topics and `quotas`, which are ((client.id or "<default>", ((kind,
    bound), ...)), ...), are those of its metadata image; there are none while it is down.
    `next_producer_id` is what the next idempotent producer gets; None before the first one.
    """

    broker: int
    state: str
    partition_counts: tuple[tuple[str, int], ...] = ()
    quotas: tuple = ()
    next_producer_id: int | None = None


class BrokerServer(Node):
    """A broker, its threads and its disk. What is in `manager` and `threads` dies with it."""

    between_brokers = FETCHER             # what a connection of another broker is for

    def __init__(self, world: World, broker: int, config: Any, cost: CostModel,
                 rules: Rules, request_producer_ids: Callable[[], Any]) -> None:
        super().__init__(world, broker_name(broker))
        self.broker, self.config, self.cost, self.rules = broker, config, cost, rules
        self.state = "running"
        self.handler_delay_us = 0             # a fault: every request takes so much longer
        self._request_producer_ids = request_producer_ids
        self._correlation_ids = count(1)      # go on after a restart: identities stay unique
        self.disk = Disk(world.draw(self.name, "power loss"), cost.disk)
        self.handlers = {REQUEST: self._on_request, RESPONSE: self._on_response,
                         DISCONNECTED: self._on_disconnected, TICK: self._on_tick,
                         FETCHER_DONE: self.perform, HANDLED: self._on_handled}
        self._partition_counts: tuple = ()
        self._quotas: tuple = ()
        self._start()

    def _start(self) -> None:
        self.threads = BrokerThreads(self, self.config, self.cost)
        self.handlers |= {NETWORK_DONE: self.threads.on_network_done,
                          LOCK_FREE: self.threads.on_lock_free,
                          THROTTLE_OVER: self.threads.on_throttle_over}
        self.manager = ReplicaManager(self.broker, self.disk, self.config, self.rules,
                                      self._correlation_ids.__next__, self._request_producer_ids)

    # -- life ---------------------------------------------------------------------------------
    def apply_image(self, image: Any, restarted: bool = False) -> None:
        """The broker learns the metadata."""
        reads = ((self.name, "state"),) if restarted else ()
        self._note_topics(image.topics, reads)
        self._note_quotas(image.quotas, reads)
        self._in_background(self.manager.apply_image, image, self.now_ms(), restarted, reads)

    def _note_topics(self, topics: Any, reads: tuple) -> None:
        old, self._partition_counts = dict(self._partition_counts), tuple(
            (name, len(topic.partitions)) for name, topic in topics.items())
        for name, has in self._partition_counts:
            if old.get(name) != has:
                self._note(Changed(self.name, f"partition_counts.{name}", old.get(name), has,
                                   TOPICS_RULE, reads))

    def _note_quotas(self, quotas: Any, reads: tuple) -> None:
        """The quotas are part of the image; an entity that has none any more has an empty one."""
        old, self._quotas = dict(self._quotas), tuple(
            (client or "<default>", tuple(bounds.items())) for client, bounds in quotas.items())
        for entity, bounds in self._quotas:
            if old.get(entity) != bounds:
                self._note(Changed(self.name, f"quotas.{entity}", old.get(entity), bounds,
                                   "alterClientQuotas (KIP-546)", reads))

    def _in_background(self, act: Callable[..., list], *args: Any) -> None:
        """Threads that nobody waits for do this: what the disk takes for it delays nothing."""
        self.perform(self.work(act, *args))
        self.disk.take_cost_us()
        self._rest()

    def work(self, act: Callable[..., list], *args: Any) -> list:
        """What the core makes of it; a disk that fails ends the process (KIP-112)."""
        try:
            return act(*args)
        except OSError as error:
            self.go_down("crashed", rule=f"{DISK_RULE}: {error.strerror}")
            return []

    def change_state(self, state: str, rule: str = STATE_RULE) -> None:
        """Say what the broker is now."""
        old, self.state = self.state, state
        self._note(Changed(self.name, "state", old, state, rule))

    def go_down(self, state: str, powered: bool = True, rule: str = STATE_RULE) -> None:
        """The process ends. Its connections are closed only where the machine still runs."""
        if state == "stopped":
            try:
                for effect in self.manager.shut_down():
                    self._persist(effect)
            except OSError as error:
                state, rule = "crashed", f"{DISK_RULE}: {error.strerror}"
        self.change_state(state, rule)
        if powered:
            self.world.network.process_ended(self)
        else:
            self.disk_now().power_loss()
        self.end_life(powered)
        self.manager, self._partition_counts, self._quotas = None, (), ()

    def restart(self, image: Any) -> None:
        """The process begins again, with what its disk holds."""
        self.begin_life()
        self._start()
        self.change_state("running")
        self.apply_image(image, restarted=True)

    # -- threads ------------------------------------------------------------------------------
    def _on_request(self, payload: tuple) -> None:
        connection, request = payload
        if connection.server_life == self.life:          # this end has not closed it meanwhile
            self.threads.arrived(connection, request)

    def _on_handled(self, payload: tuple) -> None:
        self.threads.on_handled(payload)
        self._rest()

    def note_changes(self, effects: list) -> list:
        """Write down what has changed; give back what is left to do."""
        if (trace := self.world.trace) is not None:
            event = self.world.event
            trace.changes += [(event, *effect) for effect in effects if type(effect) is Changed]
        return [effect for effect in effects if type(effect) is not Changed]

    def _on_response(self, payload: tuple) -> None:
        connection, response = payload
        effects = self.work(self.manager.fetched, connection.server.broker, response,
                            self.now_ms())
        if self.up:
            later = self.note_changes(effects)
            us = self.cost.fetcher_us + self.disk.take_cost_us()
            self.world.schedule(self.world.now_us + us, self, FETCHER_DONE, later)
            self._rest()

    def _on_disconnected(self, payload: tuple) -> None:
        leader, payload[0].open = payload[0].server.broker, False
        self.perform(self.manager.fetcher_disconnected(leader, self.now_ms()))
        self._rest()

    def _on_tick(self, _: int) -> None:
        self._in_background(self.manager.tick, self.now_ms())

    # -- effects ------------------------------------------------------------------------------
    def perform(self, effects: list) -> None:
        """Do what a core asked for, in its order, as long as the process lives."""
        for effect in effects:
            if not self.up:
                return
            kind = type(effect)
            if kind is Changed:
                self._note(effect)
            elif kind is Reply:
                self.threads.reply(effect)
            elif kind is Send:
                connection = self._connect(effect.to)
                self.world.network.send(connection, connection.server, REQUEST, effect.request)
            elif kind is Persist:
                self.work(self._persist, effect)
            elif kind is Disconnect:
                self.world.network.close(self._connect(effect.to), self)

    def _note(self, change: Changed) -> None:
        if self.world.trace is not None:
            self.world.trace.changes.append((self.world.event, *change))

    def _persist(self, effect: Persist) -> list:
        self.now_ms()
        self.disk.replace(effect.file, effect.data)
        return []

    def _connect(self, broker: int) -> Any:
        return self.world.network.connect(self, self.world.nodes[broker_name(broker)], FETCHER)

    def now_ms(self) -> int:
        """The time for the core and for its files: the disk has no clock either."""
        now_ms = self.world.now_us // 1000
        self.disk.now_ms = START_MS + now_ms
        return now_ms

    def disk_now(self) -> Disk:
        """The disk, told the time: also of a broker that is down or had nothing to do."""
        self.now_ms()
        return self.disk

    def _rest(self) -> None:
        """Set the one timer to the core's next deadline."""
        if not self.up:
            return
        deadline_ms = self.manager.next_deadline_ms(self.now_ms())
        self.wake_at(None if deadline_ms is None else deadline_ms * 1000)

    def snapshot(self) -> BrokerSnapshot:
        """Frozen."""
        return BrokerSnapshot(self.broker, self.state, self._partition_counts, self._quotas,
                              self.manager and self.manager.producer_ids.next_producer_id)

