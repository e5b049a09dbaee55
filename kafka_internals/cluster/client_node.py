"""ClientNode: a producer or a consumer as a node of the world, and the application on top.

The client's threads cost nothing here: what takes time is the network and the brokers. An
application is a generator; whatever call it yields, it goes on when that call has ended.
"""

from typing import Any

from kafka_internals.common import Changed, Disconnect, Send, broker_name
from kafka_internals.sim.world import DISCONNECTED, REQUEST, RESPONSE, TICK, Node, World

CLIENT = "client"


class ClientNode(Node):
    """One client. `core` is a KafkaProducer or a KafkaConsumer."""

    def __init__(self, world: World, core: Any) -> None:
        super().__init__(world, core.client_id)
        self.core = core
        self.handlers = {RESPONSE: self._on_response, DISCONNECTED: self._on_disconnected,
                         TICK: self._on_tick}
        self.after: list = []                     # told after each of this client's events

    def _on_response(self, payload: tuple) -> None:
        connection, response = payload
        self.perform(self.core.handle(connection.server.broker, response, self.now_ms()))

    def _on_disconnected(self, payload: tuple) -> None:
        payload[0].open = False
        self.perform(self.core.disconnected(payload[0].server.broker, self.now_ms()))

    def _on_tick(self, _: int) -> None:
        self.perform(self.core.tick(self.now_ms()))

    def now_ms(self) -> int:
        """Whole milliseconds since the start, as every core sees the time."""
        return self.world.now_us // 1000

    def perform(self, effects: list) -> None:
        """Do what the core asked for, set its timer, and let waiting applications look."""
        world = self.world
        if world.trace is not None:
            event = world.event
            world.trace.changes += [(event, *one) for one in effects if type(one) is Changed]
        for effect in effects:
            kind = type(effect)
            if kind is Send:
                connection = self._connect(effect.to)
                world.network.send(connection, connection.server, REQUEST, effect.request)
            elif kind is Disconnect:
                world.network.close(self._connect(effect.to), self)
        deadline_ms = self.core.next_deadline_ms(world.now_us // 1000)
        self.wake_at(None if deadline_ms is None else deadline_ms * 1000)
        for look in self.after:
            look()

    def _connect(self, broker: int) -> Any:
        return self.world.network.connect(self, self.world.nodes[broker_name(broker)], CLIENT)
