"""Connections between nodes, and the faults that are installed on the links below them.

What TCP promises holds: messages of one connection arrive in order and without a gap, so behind one
that is lost nothing arrives any more, nor the news that the other end was closed. A process that
dies closes its connections; its machine resets whoever goes on sending to it; one that lost power
says nothing. A fault is an object on one direction of a link; it is asked for each message and
answers how much later it arrives, or None: lost.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

NOBODY = -1                             # the life of a server process that does not run
GIVES_UP_US = 924_600_000               # Linux repeats what nobody confirms so long (tcp_retries2)
RESET = "reset"


class Fault(Protocol):
    """Sits on one direction of a link."""

    def delay_us(self, purpose: str, draw) -> int | None:
        """How much later a message of this connection's purpose arrives; None: it is lost."""


class Cut(NamedTuple):
    """Nothing passes in this direction."""

    def delay_us(self, purpose, draw):
        return None


class Slow(NamedTuple):
    """Each message of `purpose` (empty: of any) arrives `extra_us` later."""

    extra_us: int
    purpose: str = ""

    def delay_us(self, purpose, draw):
        return self.extra_us if self.purpose in ("", purpose) else 0


class Lossy(NamedTuple):
    """Of a thousand messages so many are lost, by the dice of the link."""

    per_mille: int

    def delay_us(self, purpose, draw):
        return None if draw(1000) < self.per_mille else 0


class Connection:
    """One TCP connection: who opened it to whom, for what, and in which lives of both.

    `open` is the client's end: until it hears that the other one is closed it goes on sending.
    """

    __slots__ = ("id", "client", "server", "purpose", "client_life", "server_life", "open",
                 "has_gap", "last_due_us")

    def __init__(self, id: str, client, server, purpose: str) -> None:
        self.id, self.client, self.server, self.purpose = id, client, server, purpose
        self.client_life = client.life
        self.server_life = server.life if server.up else NOBODY
        self.open = True
        self.has_gap: set[str] = set()            # receivers that miss a message, and so the rest
        self.last_due_us = dict.fromkeys((client.name, server.name), client.world.now_us)


class Network:
    """All links and connections of a world. Latency is one way, in microseconds."""

    def __init__(self, world, latency_us: int, jitter_us: int) -> None:
        self.world, self.latency_us, self.jitter_us = world, latency_us, jitter_us
        self.faults: dict[tuple[str, str], list[Fault]] = {}
        self.dropped: set[str] = set()            # identities of single messages that get lost
        self.delayed: dict[str, int] = {}         # ... and of those to come that arrive later
        self.connections: dict[tuple[str, str, str], Connection] = {}
        self._opened = 0
        self._jitter: dict[tuple[str, str], Callable[[], float]] = {}

    def connect(self, client, server, purpose: str) -> Connection:
        """This life's open connection for this purpose, or a new one."""
        key = client.name, server.name, purpose
        known = self.connections[key] if key in self.connections else None
        if known is None or not known.open or known.client_life != client.life:
            self._opened += 1
            known = Connection(f"{client.name}->{server.name}/{purpose}/{self._opened}",
                               client, server, purpose)
            self.connections[key] = known
        return known

    def _due_us(self, connection: Connection, sender: str, receiver: str, at_us: int,
                lost: bool = False) -> int | None:
        """When it arrives what leaves then, behind what left before it; None: it is lost."""
        link, due_us = (sender, receiver), at_us + self.latency_us
        if self.jitter_us:
            if link not in self._jitter:
                self._jitter[link] = self.world.stream(f"{sender}>{receiver}", "jitter")
            due_us += int(self._jitter[link]() * (self.jitter_us + 1))
        if link in self.faults:
            for fault in self.faults[link]:
                delay_us = fault.delay_us(connection.purpose,
                                          self.world.draw(f"{sender}>{receiver}", "loss"))
                if delay_us is None:
                    return None
                due_us += delay_us
        if lost:
            return None
        last_us = connection.last_due_us
        if due_us <= last_us[receiver]:
            due_us = last_us[receiver] + 1
        last_us[receiver] = due_us
        return due_us

    def send(self, connection: Connection, receiver, kind: str, message: Any) -> None:
        """Put a message on its way to one end of a connection; a fault may lose it."""
        world, server = self.world, connection.server
        if receiver is server:
            sender, life = connection.client, connection.server_life
        elif connection.open and connection.server_life == server.life:
            sender, life = server, connection.client_life
        else:
            return                                # nobody answers or reads on a closed connection
        name, at_us = receiver.name, world.now_us
        if self.delayed:
            at_us += self.delayed.pop(message.id, 0)
        due_us = self._due_us(connection, sender.name, name, at_us,
                              message.id in self.dropped or name in connection.has_gap)
        if due_us is None:
            self.lose(connection, name)
        else:
            world.schedule(due_us, receiver, kind, (connection, message), life)
        if world.trace is not None:
            world.trace.flights.append(
                (world.event, message.id, kind, sender.name, name, world.now_us, due_us))

    def lose(self, connection: Connection, receiver: str) -> None:
        """Nothing more arrives there on this connection; a client's machine gives up in the end."""
        if receiver not in connection.has_gap:
            connection.has_gap.add(receiver)
            if receiver == connection.server.name:
                self.world.schedule(self.world.now_us + GIVES_UP_US, connection.client,
                                    "disconnected", (connection, RESET), connection.client_life)

    def close(self, connection: Connection, by) -> None:
        """One end closes the connection. A client hears of it from its server, behind the rest."""
        if by is connection.client:
            connection.open = False
        elif connection.server_life == by.life:
            connection.server_life = NOBODY       # what is still on its way here is not read
            if connection.client.name not in connection.has_gap:
                self._tell_client(connection, None, self.world.now_us)

    def _tell_client(self, connection: Connection, how: str | None, at_us: int,
                     cause: int | None = None) -> None:
        client = connection.client
        due_us = self._due_us(connection, connection.server.name, client.name, at_us)
        if due_us is not None:
            self.world.schedule(due_us, client, "disconnected", (connection, how),
                                connection.client_life, cause)

    def undeliverable(self, due_us: int, by: int, payload: tuple) -> None:
        """A request reached a machine without its process: the machine, if it runs, resets."""
        connection, _ = payload
        if connection.server.powered and connection.open:
            self._tell_client(connection, RESET, due_us, by)

    def process_ended(self, node) -> None:
        """The machine closes every connection of a process that ended."""
        for connection in list(self.connections.values()):
            if connection.server is node:
                self.close(connection, node)
            elif connection.client is node:
                connection.open = False
