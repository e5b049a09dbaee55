"""Replica: what a leader knows of another replica, from the fetches of that replica alone.

A fetch at offset n says: I have everything below n. Two more numbers tell whether a follower keeps
up: the leader's log end at its fetch before, and when that was. One that always trails by one round
has been caught up at the time of that fetch before, so it stays in sync (Replica, ReplicaState).
"""

from typing import NamedTuple

from kafka_internals.common import START_MS
from kafka_internals.errors import NotLeaderOrFollowerException
from kafka_internals.server.kraft_metadata_cache import UNCHECKED_EPOCH

UNKNOWN_OFFSET = -1
LONG_AGO_MS = -START_MS                 # Kafka's 0: it counts from 1970, the engine from its start


class ReplicaState(NamedTuple):
    """One moment of it; `broker_epoch` is None before the first fetch from a new leader."""

    log_start_offset: int = UNKNOWN_OFFSET
    log_end_offset: int = UNKNOWN_OFFSET
    last_fetch_leader_log_end_offset: int = UNKNOWN_OFFSET
    last_fetch_time_ms: int = LONG_AGO_MS
    last_caught_up_time_ms: int = LONG_AGO_MS
    broker_epoch: int | None = None

    def is_caught_up(self, leader_end_offset: int, now_ms: int, max_lag_ms: int) -> bool:
        """At the leader's end, or there at some time within `max_lag_ms`."""
        return self.log_end_offset == leader_end_offset \
            or now_ms - self.last_caught_up_time_ms <= max_lag_ms


class Replica:
    """A remote replica; `state` is replaced as a whole."""

    __slots__ = ("broker", "state")

    def __init__(self, broker: int) -> None:
        self.broker, self.state = broker, ReplicaState()

    def update_fetch_state(self, offset: int, start_offset: int, now_ms: int,
                           leader_end_offset: int, broker_epoch: int,
                           alive_epoch: int | None) -> None:
        """A fetch was read. NotLeaderOrFollowerException for one of an incarnation that is gone."""
        old = self.state
        if broker_epoch != UNCHECKED_EPOCH and alive_epoch is not None \
                and alive_epoch > broker_epoch:
            raise NotLeaderOrFollowerException(
                f"Received stale fetch state update. broker epoch={broker_epoch} vs expected="
                f"{alive_epoch}")
        caught_up_ms = old.last_caught_up_time_ms
        if offset >= leader_end_offset:
            caught_up_ms = max(caught_up_ms, now_ms)
        elif offset >= old.last_fetch_leader_log_end_offset:
            caught_up_ms = max(caught_up_ms, old.last_fetch_time_ms)
        self.state = ReplicaState(
            start_offset, offset, max(leader_end_offset, old.last_fetch_leader_log_end_offset),
            now_ms, caught_up_ms, broker_epoch)

    def reset_state(self, now_ms: int, leader_end_offset: int, is_new_leader: bool,
                    is_in_sync: bool) -> None:
        """A leader epoch begins. Who led before keeps what it knows; times begin anew.

        Out of the ISR means long ago, so that such a replica does not hold the high watermark.
        """
        since_ms = now_ms if is_in_sync else LONG_AGO_MS
        if is_new_leader:
            self.state = ReplicaState(last_caught_up_time_ms=since_ms)
        else:
            self.state = self.state._replace(
                last_fetch_leader_log_end_offset=leader_end_offset, last_fetch_time_ms=since_ms,
                last_caught_up_time_ms=since_ms)
