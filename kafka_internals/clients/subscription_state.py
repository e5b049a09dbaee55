"""SubscriptionState: the partitions of a consumer, and how far it is in each.

A position is the offset of the next record that `poll()` gives. A partition without one wants it
reset, to the earliest or the latest offset, as `auto.offset.reset` says.
"""

from collections.abc import Callable
from typing import Any

from kafka_internals.clients.network_client import NetworkClient
from kafka_internals.common import TopicPartition


class TopicPartitionState:
    """One assigned partition: its position, or where to find one; the next fetch leaves `why`."""

    __slots__ = ("position", "reset", "not_before_ms", "why", "failure")

    def __init__(self, why: tuple) -> None:
        self.position: int | None = None
        self.reset: str | None = None          # "earliest" or "latest" while a position is wanted
        self.not_before_ms = 0                 # when it may be looked up again
        self.why = why                         # what set off the next fetch or lookup, for "why?"
        self.failure: Exception | None = None  # what `poll()` has to raise before it goes on

    def wants_reset(self) -> bool:
        """No position, and where to find one is known."""
        return self.position is None and self.reset is not None


class SubscriptionState:
    """What is assigned, in the order in which it is fetched: what gave records goes to the end."""

    def __init__(self, client_id: str, network: NetworkClient, policy: str) -> None:
        self.client_id, self._network, self._policy = client_id, network, policy
        self.assigned: dict[TopicPartition, TopicPartitionState] = {}
        self._turns: list[TopicPartition] = []

    def assign(self, partitions: tuple[TopicPartition, ...]) -> None:
        """Exactly these from now on; of those that stay, everything is kept."""
        self.assigned = {name: self.assigned.get(name) or
                         TopicPartitionState((self.client_id, "assignment"))
                         for name in partitions}
        self._turns = [*self.assigned]

    def move_to_end(self, name: TopicPartition) -> None:
        """The others are fetched first now."""
        self._turns.remove(name)
        self._turns.append(name)

    def reset(self, state: TopicPartitionState, otherwise: Exception) -> None:
        """Look for a position as configured; `none` makes `otherwise` an error of `poll()`."""
        if self._policy == "none":
            state.failure = otherwise
        else:
            state.reset = self._policy

    def by_leader(self, wanted: Callable[[TopicPartition, TopicPartitionState], bool], kind: type,
                  now_ms: int) -> dict[int, list[TopicPartition]]:
        """Partitions by leader, where one may be asked: none of this kind in flight there."""
        network = self._network
        asked = {to for to in network.brokers for one in network.in_flight_on(to)
                 if type(one.request.body) is kind}
        led: dict[int, list[TopicPartition]] = {}
        for name in self._turns:
            if not wanted(name, self.assigned[name]):
                continue
            known = network.leader_of(name)
            if known is None:
                network.want_metadata()
            elif known.leader not in asked and network.can_send(known.leader, now_ms):
                led.setdefault(known.leader, []).append(name)
        return led

    def reads(self, names: list[TopicPartition]) -> tuple:
        """What a request about these was sent for, for "why?"."""
        return tuple(read for name in names for read in
                     ((self.client_id, f"leader.{name}"), self.assigned[name].why))

    def next_deadline_ms(self, now_ms: int) -> int | None:
        """When something may be looked up again, or a leader may be reached again."""
        due = [state.not_before_ms for state in self.assigned.values()]
        due += [self._network.reachable_from_ms(known.leader) for name in self.assigned
                if (known := self._network.leader_of(name))]
        return min((ms for ms in due if ms > now_ms), default=None)

    def positions(self) -> tuple[tuple[TopicPartition, Any], ...]:
        """(partition, position) pairs; None where there is none."""
        return tuple((name, state.position) for name, state in self.assigned.items())
