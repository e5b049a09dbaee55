"""BrokerServer: one broker as a node of the world. Only here do tasks take time.

A request arrives in a socket, is received by the network thread, waits in the request queue, is
handled, and its answer leaves through the network thread again. The handler changes state when it
starts a task; what the task sends leaves when its time is over. A crash between the two leaves
records that were appended and never answered.
"""

from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

from kafka_internals.cluster.cost_model import CostModel
from kafka_internals.common import START_MS, Changed, Disconnect, Persist, Reply, Send, broker_name
from kafka_internals.messages.produce import ProduceRequest
from kafka_internals.server.partition import Rules
from kafka_internals.server.replica_manager import ReplicaManager
from kafka_internals.server.request_channel import RequestChannel
from kafka_internals.sim.disk import Disk
from kafka_internals.sim.world import DISCONNECTED, REQUEST, RESPONSE, TICK, Node, World

NETWORK_DONE, HANDLED, FETCHER_DONE = "network thread", "handler thread", "fetcher thread"
FETCHER = "fetcher"
STATE_RULE = "a command of the learner"
DISK_RULE = "a broker whose only log directory fails halts"


class BrokerSnapshot(NamedTuple):
    """`state`: "running", "paused", "stopped", "crashed", "without power", "without disk"."""

    broker: int
    state: str


class BrokerServer(Node):
    """A broker, its threads and its disk. What is in `manager` and `channel` dies with it."""

    def __init__(self, world: World, broker: int, config: Any, cost: CostModel,
                 rules: Rules) -> None:
        super().__init__(world, broker_name(broker))
        self.broker, self.config, self.cost, self.rules = broker, config, cost, rules
        self.state = "running"
        self._correlation_ids = count(1)      # go on after a restart: identities stay unique
        self.disk = Disk(world.draw(self.name, "power loss"), cost.disk)
        self.handlers = {REQUEST: self._on_request, RESPONSE: self._on_response,
                         DISCONNECTED: self._on_disconnected, TICK: self._on_tick,
                         NETWORK_DONE: self._on_network_done, HANDLED: self._on_handled,
                         FETCHER_DONE: self._on_fetcher_done}
        self._start()

    def _start(self) -> None:
        self.channel = RequestChannel()
        self.manager = ReplicaManager(self.broker, self.disk, self.config, self.rules,
                                      self._correlation_ids.__next__)
        self._connection_of: dict[str, Any] = {}
        self._parked: set[str] = set()            # requests that were not answered at once
        self._answered: dict[str, str] = {}       # connection -> the last of them

    # -- life ---------------------------------------------------------------------------------
    def apply_image(self, image: Any, restarted: bool = False) -> None:
        """The broker learns the metadata."""
        reads = ((self.name, "state"),) if restarted else ()
        self._in_background(self.manager.apply_image, image, self._now_ms(), restarted, reads)

    def _in_background(self, act: Callable[..., list], *args: Any) -> None:
        """Threads that nobody waits for do this: what the disk takes for it delays nothing."""
        self.perform(self._work(act, *args))
        self.disk.take_cost_us()
        self._rest()

    def _work(self, act: Callable[..., list], *args: Any) -> list:
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
            self.disk.power_loss()
        self.end_life(powered)
        self.manager = None

    def restart(self, image: Any) -> None:
        """The process begins again, with what its disk holds."""
        self.begin_life()
        self._start()
        self.change_state("running")
        self.apply_image(image, restarted=True)

    # -- threads ------------------------------------------------------------------------------
    def _on_request(self, payload: tuple) -> None:
        connection, request = payload
        self._connection_of[request.id] = connection
        self.channel.arrived(connection, request)
        self._turn_network()

    def _turn_network(self) -> None:
        channel = self.channel
        if channel.network_busy or (task := channel.next_for_network()) is None:
            return
        channel.network_busy = True
        cost = self.cost
        us = cost.network_send_us if task[0] == "send" else cost.network_receive_us
        self.world.schedule(self.world.now_us + us, self, NETWORK_DONE, task)

    def _on_network_done(self, task: tuple) -> None:
        channel, (what, (connection, message)) = self.channel, task
        channel.network_busy = False
        if what == "receive":
            if after := self._answered.get(connection.id):
                message = message._replace(after=after)
            channel.received((connection, message))
            self._turn_handler()
        else:
            if message is not None:
                self.world.network.send(connection, connection.client, RESPONSE, message)
            channel.sent(connection)
        self._turn_network()

    def _turn_handler(self) -> None:
        channel = self.channel
        if channel.handler_busy or (token := channel.next_for_handler()) is None:
            return
        channel.handler_busy = True
        request = token[1]
        us = self.cost.handle_us
        if type(request.body) is ProduceRequest:
            size = sum(data.records.size for data in request.body.partitions)
            us += self.cost.validate_us_per_kib * (size >> 10)
        effects = self._work(self.manager.handle, request, self._now_ms())
        if not self.up:
            return
        if not any(type(effect) is Reply and effect.request is request for effect in effects):
            self._parked.add(request.id)
        self._begin(effects, us, HANDLED)

    def _begin(self, effects: list, us: int, done: str) -> None:
        """State changes now; what is sent leaves when the task's time is over."""
        later, trace, event = [], self.world.trace, self.world.event
        for effect in effects:
            if type(effect) is not Changed:
                later.append(effect)
            elif trace is not None:
                trace.changes.append((event, *effect))
        us += self.disk.take_cost_us()
        self.world.schedule(self.world.now_us + us, self, done, later)

    def _on_handled(self, effects: list) -> None:
        self.channel.handler_busy = False
        self.perform(effects)
        self._turn_handler()
        self._rest()

    def _on_fetcher_done(self, effects: list) -> None:
        self.perform(effects)
        self._rest()

    def _on_response(self, payload: tuple) -> None:
        connection, response = payload
        effects = self._work(self.manager.fetched, connection.server.broker, response,
                             self._now_ms())
        if self.up:
            self._begin(effects, self.cost.fetcher_us, FETCHER_DONE)
            self._rest()

    def _on_disconnected(self, payload: tuple) -> None:
        leader = payload[0].server.broker
        self.perform(self.manager.fetcher_disconnected(leader, self._now_ms()))
        self._rest()

    def _on_tick(self, _: int) -> None:
        self._in_background(self.manager.tick, self._now_ms())

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
                self._reply(effect)
            elif kind is Send:
                connection = self._connect(effect.to)
                self.world.network.send(connection, connection.server, REQUEST, effect.request)
            elif kind is Persist:
                self._work(self._persist, effect)
            elif kind is Disconnect:
                self.world.network.close(self._connect(effect.to), self)

    def _note(self, change: Changed) -> None:
        if self.world.trace is not None:
            self.world.trace.changes.append((self.world.event, *change))

    def _persist(self, effect: Persist) -> list:
        self._now_ms()
        self.disk.replace(effect.file, effect.data)
        return []

    def _connect(self, broker: int) -> Any:
        return self.world.network.connect(self, self.world.nodes[broker_name(broker)], FETCHER)

    def _reply(self, effect: Reply) -> None:
        connection = self._connection_of.pop(effect.request.id, None)
        if connection is None:
            return
        if effect.close:
            self.world.network.close(connection, self)
        response = None if effect.body is None else effect.request.answered(effect.body)
        if effect.request.id in self._parked:
            self._parked.remove(effect.request.id)
            self._answered[connection.id] = effect.request.id
        self.channel.responded(connection, response)
        self._turn_network()

    def _now_ms(self) -> int:
        """The time for the core and for its files: the disk has no clock either."""
        now_ms = self.world.now_us // 1000
        self.disk.now_ms = START_MS + now_ms
        return now_ms

    def _rest(self) -> None:
        """Set the one timer to the core's next deadline."""
        if not self.up:
            return
        deadline_ms = self.manager.next_deadline_ms(self._now_ms())
        self.wake_at(None if deadline_ms is None else deadline_ms * 1000)

    def snapshot(self) -> BrokerSnapshot:
        """Frozen."""
        return BrokerSnapshot(self.broker, self.state)
