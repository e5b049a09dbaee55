"""What a replica knows as leader, as follower, or without either. A role's knowledge dies with it.

The leader's is the largest: how far each other replica has fetched, and the in-sync set with what
may be changing about it (`PartitionState`).
"""

from typing import Any

from kafka_internals.common import NO_NODE
from kafka_internals.server.kraft_metadata_cache import UNCHECKED_EPOCH, KRaftMetadataCache
from kafka_internals.server.partition_state import (
    TRANSITIONS,
    CommittedPartitionState,
    PartitionState,
)
from kafka_internals.server.replica import Replica
from kafka_internals.server.rules import Rules

COUNTED = {"maximal": "maximal_isr", "proposed": "proposed_isr", "committed": "isr"}


class Leader:
    """Decides who is in sync; `waited_for` are replicas outside the ISR that hold the mark back."""

    role, fetch_state = "leader", None

    def __init__(self, broker: int, metadata: KRaftMetadataCache, max_lag_ms: int) -> None:
        self.leader, self._metadata, self._max_lag_ms = broker, metadata, max_lag_ms
        self.state: PartitionState = CommittedPartitionState(())
        self.replicas: dict[int, Replica] = {}
        self.epoch_start_offset = 0
        self.waited_for: tuple[int, ...] = ()
        self.why: tuple = ()                    # what changed the ISR last in this epoch

    def update_assignment(self, registration: Any) -> None:
        """Other replicas may be assigned now, and the ISR is what the controller has written."""
        others = [one for one in registration.replicas if one != self.leader]
        self.replicas = {one: self.replicas.get(one) or Replica(one) for one in others}
        self.move("new metadata", CommittedPartitionState(registration.isr,
                                                          registration.leader_recovery_state))

    def begin_epoch(self, start_offset: int, is_new_leader: bool, now_ms: int) -> None:
        """A leader epoch begins at this offset."""
        self.epoch_start_offset, self.waited_for = start_offset, ()
        for broker, replica in self.replicas.items():
            replica.reset_state(now_ms, start_offset, is_new_leader, broker in self.state.isr)

    def move(self, event: str, state: PartitionState) -> None:
        """Along the table."""
        assert TRANSITIONS[self.state.name, event] == state.name
        self.state = state

    @property
    def remote_log_end_offset(self) -> tuple[tuple[int, int], ...]:
        """By broker; -1 unknown."""
        return tuple([(broker, one.state.log_end_offset)
                      for broker, one in self.replicas.items()])

    def counted(self, rules: Rules) -> tuple[int, ...]:
        """Whose log ends bound the high watermark: of all who may be members by now."""
        if rules.high_watermark != "isr":
            return ()
        return getattr(self.state, COUNTED[rules.high_watermark_isr])

    def is_eligible(self, broker: int) -> bool:
        """True where metadata does not keep a replica out of the ISR."""
        return self._metadata.is_isr_eligible(broker, self.replicas[broker].state.broker_epoch)

    def joiners(self, members: tuple[int, ...], end: int, now_ms: int) -> tuple[int, ...]:
        """Those outside that are as good as in: they must be able to reach the mark."""
        joiners: tuple[int, ...] = ()
        for broker in self.replicas:
            if broker not in members and self.is_eligible(broker) and \
                    self.replicas[broker].state.is_caught_up(end, now_ms, self._max_lag_ms):
                joiners += (broker,)
        return joiners

    def may_join(self, broker: int, high_watermark: int) -> bool:
        """True where this follower belongs into the ISR: nothing is under way, and it has all."""
        if broker in self.state.isr or self.state.name != "COMMITTED":
            return False
        offset = self.replicas[broker].state.log_end_offset
        return offset >= high_watermark and offset >= self.epoch_start_offset \
            and self.is_eligible(broker)

    def out_of_sync(self, end: int, now_ms: int) -> tuple[int, ...]:
        """Members that lag for too long; none while something is under way."""
        if self.state.name != "COMMITTED":
            return ()
        return tuple(broker for broker in self.state.isr if broker != self.leader
                     and not self.replicas[broker].state.is_caught_up(end, now_ms,
                                                                      self._max_lag_ms))

    def broker_epoch_of(self, broker: int) -> int:
        """The incarnation that has fetched; -1 where none has, and nobody checks that."""
        epoch = self.replicas[broker].state.broker_epoch
        return UNCHECKED_EPOCH if epoch is None else epoch


class Follower:
    """A follower knows whom to ask, and whether it may append what it gets."""

    role = "follower"
    remote_log_end_offset, epoch_start_offset = (), None

    def __init__(self, leader: int) -> None:
        self.leader, self.fetch_state = leader, "FETCHING"


class Leaderless:
    """A replica of a partition that has no leader: nothing to append and nobody to ask."""

    role, leader = "no leader", NO_NODE
    remote_log_end_offset, epoch_start_offset, fetch_state = (), None, None
