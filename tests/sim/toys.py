"""Machines that know nothing of Kafka: they note what happens to them, and answer."""

from typing import NamedTuple

from kafka_internals.sim.trace import Trace
from kafka_internals.sim.world import DISCONNECTED, REQUEST, RESPONSE, TICK, Node, World


class Message(NamedTuple):
    id: str


class Machine(Node):
    """`seen` is what happened, as (time, kind, what)."""

    def __init__(self, world, name):
        super().__init__(world, name)
        self.seen = []
        self.handlers = {kind: self._note(kind) for kind in
                         (TICK, REQUEST, RESPONSE, DISCONNECTED, "asked")}

    def _note(self, kind):
        def note(payload):
            about = payload[1].id if kind in (REQUEST, RESPONSE) else payload
            if kind == DISCONNECTED:
                about, payload[0].open = payload[0].server.name, False
            self.seen.append((self.world.now_us, kind, about))
        return note

    def send(self, server, id, purpose="talk"):
        """A request over the connection of this purpose."""
        connection = self.world.network.connect(self, server, purpose)
        self.world.network.send(connection, server, REQUEST, Message(id))
        return connection

    def answer(self, connection, id):
        self.world.network.send(connection, connection.client, RESPONSE, Message(id))

    @property
    def arrived(self):
        """Messages in the order of their arrival."""
        return [what for _, kind, what in self.seen if kind in (REQUEST, RESPONSE)]


def pair(seed=0, **options):
    """A traced world with a client and a server."""
    world = World(seed, **options)
    world.trace = Trace()
    return world, Machine(world, "client"), Machine(world, "server")
