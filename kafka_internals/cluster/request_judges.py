"""Judges of the request path: order, threads and acknowledgements.

They look at the requests themselves, by identity, where these are inside a broker.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from kafka_internals.messages.produce import ALL_ISR_ACKS, LEADER_ACK, ProduceRequest
from kafka_internals.sim.trace import Change

LOSES_BYTES = ("without power", "without disk")


def _found(brokers: Iterable, request: str) -> tuple[Any, Any] | None:
    """The broker in which a request is, and the request there."""
    for node in brokers:
        if node.up and request in node.threads.requests:
            return node, node.threads.requests[request]
    return None


def answered(brokers: Iterable, request: str) -> tuple[int, Any, Any] | None:
    """Broker, question and answer of a request that has its answer."""
    found = _found(brokers, request)
    return found and (found[0].broker, found[1].request.body, found[1].body)


class ResponsesInOrder:
    """A connection's responses leave in the order in which its requests came."""

    watches = frozenset({"station"})

    def __init__(self, run: Any) -> None:
        self._brokers = run.brokers.values()
        self._connection_of: dict[str, str] = {}
        self._open: dict[str, deque[str]] = {}

    def judge(self, change: Change, look: Callable[[str], Any]) -> str | None:
        """A request that came, or has left."""
        if change.old is None:
            if (found := _found(self._brokers, change.subject)) is not None:
                connection = self._connection_of[change.subject] = found[1].channel.connection.id
                self._open.setdefault(connection, deque()).append(change.subject)
        elif change.new in ("sent", "no response", "closed"):
            waiting = self._open.get(self._connection_of.pop(change.subject, ""), ())
            if waiting and change.new != "closed" and waiting[0] != change.subject:
                return (f"{change.subject} has left before {waiting[0]}, which came earlier on the "
                        f"same connection")
            if change.subject in waiting:
                waiting.remove(change.subject)
        return None


class NobodyWaitsInAHandler:
    """A request has its handler for its service time and for the log lock, and no longer.

    A broker that stands still keeps its threads from going on: that is no waiting.
    """

    watches = frozenset({"station", "state"})

    def __init__(self, run: Any) -> None:
        self._world, self._brokers = run.world, run.brokers.values()
        self._until_us: dict[str, tuple[int, int | None]] = {}     # of who has a handler

    def judge(self, change: Change, look: Callable[[str], Any]) -> str | None:
        """A handler that is taken, and one that is left."""
        if change.attribute == "state":
            if change.new == "paused":
                self._until_us = {request: one for request, one in self._until_us.items()
                                  if change.subject != f"broker-{one[0]}"}
            return None
        if "handler" in change.new:
            if (found := _found(self._brokers, change.subject)) is not None:
                self._until_us[change.subject] = found[0].broker, found[1].until_us
            return None
        if change.subject not in self._until_us:
            return None
        broker, until_us = self._until_us.pop(change.subject)
        if until_us is not None and self._world.now_us > until_us:
            return (f"{change.subject} has kept a handler of broker {broker} for "
                    f"{self._world.now_us - until_us} us after its work was done")
        return None


class AcksHonoured:
    """What is acknowledged is where its acks setting says, at that instant.

    acks=1: in the leader's log. acks=all: in the log of every member of the ISR; but for members
    that have lost bytes since they reported them, of which no leader can know.
    """

    watches = frozenset({"answer", "state"})

    def __init__(self, run: Any) -> None:
        self._run, self._brokers = run, run.brokers.values()
        self._lost_bytes: set[str] = set()

    def judge(self, change: Change, look: Callable[[str], Any]) -> str | None:
        """An answer to a produce request."""
        if change.attribute == "state":
            if change.new in LOSES_BYTES:
                self._lost_bytes.add(change.subject)
            return None
        found = _found(self._brokers, change.subject)
        if found is None or type(found[1].request.body) is not ProduceRequest:
            return None
        node, token = found
        asked = token.request.body
        for data, result in zip(asked.partitions, token.body.partitions):
            if result.error == "NONE":
                last = result.base_offset + data.records.header.last_offset_delta
                for broker in self._holders(asked.acks, data.partition, node.broker):
                    if self._run.log_end_on_disk(data.partition, broker) <= last:
                        return (f"{change.subject} is told that offset {last} of {data.partition} "
                                f"is written, and broker {broker} does not have it")
        return None

    def _holders(self, acks: int, partition: Any, leader: int) -> tuple[int, ...]:
        if acks == LEADER_ACK:
            return (leader,)
        members = self._run.image_of(partition).isr if acks == ALL_ISR_ACKS else ()
        return tuple(one for one in members if f"broker-{one}" not in self._lost_bytes)
