"""SubscriptionState: the partitions of a consumer, and how far it is in each.

A position is the offset of the next record that `poll()` gives. A partition without one wants it
reset, to the earliest or the latest offset, as `auto.offset.reset` says. A partition that is paused
keeps its position and is not fetched.
"""

from collections.abc import Callable
from typing import Any

from kafka_internals.clients.network_client import NetworkClient
from kafka_internals.common import Changed, TopicPartition
from kafka_internals.config.auto_offset_reset_strategy import AutoOffsetResetStrategy
from kafka_internals.messages.fetch import READ_COMMITTED, PartitionData

TRUNCATION_RULE = "the log was cut off: go on where it parts from what was read (KIP-320)"
MARK_RULE = "a consumer knows the high watermark from what a fetch told last"


class TopicPartitionState:
    """One assigned partition: its position, or where to find one; the next fetch leaves `why`."""

    __slots__ = ("position", "reset", "not_before_ms", "why", "failure", "paused",
                 "high_watermark", "last_stable_offset", "log_start_offset", "offset_epoch",
                 "current_leader", "awaits_validation", "preferred_read_replica")

    def __init__(self, why: tuple) -> None:
        self.position: int | None = None
        self.reset: AutoOffsetResetStrategy | None = None     # while a position is wanted
        self.not_before_ms = 0                 # when it may be looked up again
        self.why = why                         # what set off the next fetch or lookup, for "why?"
        self.failure: Exception | None = None  # what `poll()` has to raise before it goes on
        self.paused = False
        self.high_watermark: int | None = None            # as a fetch told last, as are these:
        self.last_stable_offset: int | None = None
        self.log_start_offset: int | None = None
        self.offset_epoch: int | None = None   # of the record before the position, once one is read
        self.current_leader: Any = None        # under whom the position is good (Leadership)
        self.awaits_validation = False         # until its leader has been asked (KIP-320)
        self.preferred_read_replica: tuple[int, int] | None = None   # a broker, until when in ms

    def wants_reset(self) -> bool:
        """No position, and where to find one is known."""
        return self.position is None and self.reset is not None

    def is_fetchable(self) -> bool:
        """A position that is known to be good, no pause, and nothing to raise first."""
        return self.position is not None and not self.paused and self.failure is None \
            and not self.awaits_validation

    def look_for(self, strategy: AutoOffsetResetStrategy | None) -> None:
        """From now on a position is wanted from there, or (None) not any more."""
        self.reset, self.not_before_ms = strategy, 0


class SubscriptionState:
    """What is assigned, in the order in which it is fetched: what gave records goes to the end."""

    def __init__(self, client_id: str, network: NetworkClient, config: Any) -> None:
        self.client_id, self._network = client_id, network
        self._policy = AutoOffsetResetStrategy.from_string(config["auto.offset.reset"])
        self._committed_only = config["isolation.level"] == READ_COMMITTED
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
        if self._policy.name == "none":
            state.failure = otherwise
        else:
            state.look_for(self._policy)

    def move(self, name: TopicPartition, position: int | None, fetch_position: int | None,
             rule: str, reads: tuple = ()) -> list[Changed]:
        """A position that jumps; the next fetch, which was to begin elsewhere, follows."""
        state = self.assigned[name]
        old, state.position = state.position, position
        if rule != TRUNCATION_RULE:
            state.offset_epoch = None          # nothing that was read leads up to it
        validating, state.awaits_validation = self.validating, False
        moved = [] if validating == self.validating else [
            Changed(self.client_id, "validating", validating, self.validating, rule, reads)]
        return moved + [Changed(self.client_id, f"position.{name}", old, position, rule, reads),
                Changed(self.client_id, f"fetch_position.{name}", fetch_position, position, rule,
                        reads)]

    @property
    def validating(self) -> tuple[TopicPartition, ...]:
        """Partitions whose leader is asked whether their position is still in its log."""
        return tuple([name for name, one in self.assigned.items() if one.awaits_validation])

    @property
    def resets(self) -> bool:
        """True where `auto.offset.reset` names a place."""
        return self._policy.name != "none"

    def prefer(self, name: TopicPartition, replica: tuple[int, int] | None, rule: str,
               reads: tuple = ()) -> list[Changed]:
        """Read from this broker until then, or (None) from the leader again (KIP-392)."""
        state = self.assigned[name]
        old, state.preferred_read_replica = state.preferred_read_replica, replica
        brokers = [one and one[0] for one in (old, replica)]
        return [] if brokers[0] == brokers[1] else [Changed(
            self.client_id, f"preferred_read_replica.{name}", *brokers, rule, reads)]

    def read_replica(self, name: TopicPartition, now_ms: int) -> int | None:
        """The broker to fetch from: the preferred one, as long as that holds, else the leader."""
        if (known := self._network.leader_of(name)) is None:
            return None
        preferred = self.assigned[name].preferred_read_replica
        return known.leader if preferred is None or now_ms >= preferred[1] else preferred[0]

    def told(self, data: PartitionData, reads: tuple) -> list[Changed]:
        """Keep what a fetch told about the ends of a partition."""
        state = self.assigned[data.partition]
        state.log_start_offset = data.log_start_offset
        state.last_stable_offset = data.last_stable_offset
        if (old := state.high_watermark) == data.high_watermark:
            return []
        state.high_watermark = data.high_watermark
        return [Changed(self.client_id, f"known_high_watermark.{data.partition}", old,
                        data.high_watermark, MARK_RULE, reads)]

    def lag(self, name: TopicPartition) -> int | None:
        """How many offsets there are from the position to the end that this consumer may read."""
        state = self.assigned[name]
        end = state.last_stable_offset if self._committed_only else state.high_watermark
        return None if end is None or state.position is None else end - state.position

    def lead(self, name: TopicPartition) -> int | None:
        """How many offsets there are from the log's start to the position."""
        state = self.assigned[name]
        start = state.log_start_offset
        return None if start is None or state.position is None else state.position - start

    def by_leader(self, wanted: Callable[[TopicPartition, TopicPartitionState], bool], kind: type,
                  now_ms: int, preferred: bool = False) -> dict[int, list[TopicPartition]]:
        """Partitions by leader, where one may be asked: none of this kind in flight there.

        With `preferred` by the broker to fetch from.
        """
        network = self._network
        led: dict[int, list[TopicPartition]] = {}
        for name in self._turns:
            if not wanted(name, self.assigned[name]):
                continue
            known = network.leader_of(name)
            if known is None:
                network.want_metadata()
                continue
            broker = self.read_replica(name, now_ms) if preferred else known.leader
            if network.can_send(broker, now_ms) and not network.awaits(broker, kind):
                led.setdefault(broker, []).append(name)
        return led

    def reads(self, names: list[TopicPartition]) -> tuple:
        """What a request about these was sent for, for "why?"."""
        return tuple(read for name in names for read in
                     ((self.client_id, f"leader.{name}"), self.assigned[name].why))

    def deadlines_ms(self) -> list[int]:
        """When something may be looked up or asked again, or a leader may be reached again."""
        due, network = [], self._network
        for name, state in self.assigned.items():
            if state.awaits_validation or state.wants_reset():
                due.append(state.not_before_ms)
            if (known := network.leader_of(name)) is not None:
                due.append(network.reachable_from_ms(known.leader))
            if state.preferred_read_replica is not None:
                due += [network.reachable_from_ms(state.preferred_read_replica[0]),
                        state.preferred_read_replica[1]]
        return due

    def each(self, attribute: str) -> tuple[tuple[TopicPartition, Any], ...]:
        """(partition, value) pairs; None where there is none."""
        return tuple((name, getattr(state, attribute)) for name, state in self.assigned.items())
