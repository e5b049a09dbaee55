"""ControllerServer: the controller as a node of the world: its disk, its one handler, its life.

The quorum has one voter, and what that has flushed is committed. So every decision costs a flush,
and who asked is answered after it (KIP-631). One thread does everything: requests wait behind one
another, as in Kafka's event queue of the controller.
"""

from collections import deque
from typing import Any

from kafka_internals.cluster.cost_model import CostModel
from kafka_internals.cluster.shared_server import (
    CONTROLLER,
    SharedServer,
    cluster_id,
    controller_name,
)
from kafka_internals.common import START_MS, Changed, Persist, Reply, TopicPartition
from kafka_internals.controller.feature_control_manager import BOOTSTRAP_FEATURES
from kafka_internals.controller.quorum_controller import QuorumController
from kafka_internals.messages.fetch import FetchRequest
from kafka_internals.sim.disk import Disk
from kafka_internals.sim.world import REQUEST, RESPONSE, TICK, Node, World

TURN, HANDLED = "controller is free", "controller thread"


class ControllerServer(Node):
    """The only controller. `config` and `quorum_config` are CONTROLLER_CONFIG and QUORUM_CONFIG."""

    def __init__(self, world: World, config: Any, quorum_config: Any, cost: CostModel,
                 features: dict[str, int]) -> None:
        super().__init__(world, controller_name(CONTROLLER))
        self._cost, self.disk = cost, Disk(world.draw(self.name, "power loss"), cost.disk)
        self.handlers = {REQUEST: self._on_request, TICK: self._on_tick, TURN: self._on_turn,
                         HANDLED: self._on_handled}
        self.core = QuorumController(
            CONTROLLER, cluster_id(world.seed), config, world.draw(self.name, "placement"),
            world.draw(self.name, "topic ids"), {**BOOTSTRAP_FEATURES, **features})
        self.shared = SharedServer(self, CONTROLLER, self.core, quorum_config, lambda: 0,
                                   votes=True)
        self.raft = self.core.raft = self.shared.client
        self._connections: dict[str, Any] = {}    # by request, until it is answered
        self._queue: deque = deque()
        self._free_us, self._is_scheduled = world.now_us, False

    def start(self) -> None:
        """The process begins; alone, it leads at once."""
        self._task(self.raft.start(self.now_ms()), 0)

    def now_ms(self) -> int:
        """The time for the cores, and for the disk."""
        now_ms = self.world.now_us // 1000
        self.disk.now_ms = START_MS + now_ms
        return now_ms

    # -- one thread ---------------------------------------------------------------------------
    def _on_request(self, payload: tuple) -> None:
        if payload[0].server_life == self.life:        # this end has not closed the connection
            self._queue.append(payload)
            self._next()

    def _next(self) -> None:
        """Handle the first request that waits, as soon as the thread is free."""
        if self._is_scheduled or not self._queue:
            return
        if self.world.now_us < self._free_us:
            self._schedule(self._free_us, TURN, None)
            return
        connection, request = self._queue.popleft()
        self._connections[request.id] = connection
        now_ms = self.now_ms()
        if type(request.body) is FetchRequest:
            effects = self.raft.handle(request, now_ms)
        else:
            effects = self.core.handle(request, now_ms) + self.raft.tick(now_ms)
        self._task(effects, self._cost.handle_us)

    def _task(self, effects: list, us: int) -> None:
        """State has changed; what is sent leaves when the time of the task is over."""
        later, trace, event = [], self.world.trace, self.world.event
        for effect in effects:
            if type(effect) is Changed:
                if trace is not None:
                    trace.changes.append((event, *effect))
            elif type(effect) is Persist:
                self.disk.replace(effect.file, effect.data)
            else:
                later.append(effect)
        self._free_us = self.world.now_us + us + self.disk.cost_us
        self.disk.cost_us = 0
        if later:
            self._schedule(self._free_us, HANDLED, later)
        elif self._queue:
            self._next()
        self._rest()

    def _schedule(self, due_us: int, kind: str, payload: Any) -> None:
        self._is_scheduled = True
        self.world.schedule(due_us, self, kind, payload)

    def _on_turn(self, _: None) -> None:
        self._is_scheduled = False
        self._next()
        self._rest()

    def _on_handled(self, later: list[Reply]) -> None:
        self._is_scheduled = False
        for request, body, *_ in later:
            connection = self._connections.pop(request.id)
            self.world.network.send(connection, connection.client, RESPONSE,
                                    request.answered(body))
        if self._queue:
            self._next()
        self._rest()

    def _on_tick(self, _: int) -> None:
        now_ms = self.now_ms()
        self._task(self.core.tick(now_ms) + self.shared.tick(now_ms), 0)

    def _rest(self) -> None:
        """The timer waits while the thread is busy."""
        due_ms, log_ms = (None, None) if self._is_scheduled else (
            self.core.periodic.deadline_ms, self.shared.next_deadline_ms())
        if due_ms is None or log_ms is not None and log_ms < due_ms:
            due_ms = log_ms
        self.wake_at(None if due_ms is None else
                     self._free_us if due_ms * 1000 < self._free_us else due_ms * 1000)

    # -- what can be seen ---------------------------------------------------------------------
    def subjects(self) -> list[str]:
        """Itself, its log, and every broker and partition as it knows them."""
        image = self.core.image
        return [self.name, self.raft.subject, *map(self.core.cluster.subject, image.brokers),
                *(self.core.replication.subject(TopicPartition(topic.name, number))
                  for topic in image.topics.values() for number in range(len(topic.partitions)))]

    def snapshot(self) -> Any:
        """Frozen."""
        return self.core.snapshot()

    def look(self, subject: str) -> Any:
        """The snapshot of one of its subjects: "broker-2@controller-100", "orders-0@..."."""
        name = subject.rpartition("@")[0]
        kind, _, number = name.rpartition("-")
        if not number.isdecimal():
            return None
        return self.core.broker_snapshot(int(number)) if kind == "broker" else \
            self.core.partition_snapshot(TopicPartition(kind, int(number)))
