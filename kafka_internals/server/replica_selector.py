"""ReplicaSelector: where a consumer should read, if not from the leader (KIP-392).

The leader decides, for it alone knows how far the others are. `replica.selector.class` names who
does; without one every consumer reads from the leader.
"""

from typing import NamedTuple

RACK_AWARE = "org.apache.kafka.common.replica.RackAwareReplicaSelector"
LEADER = "org.apache.kafka.common.replica.LeaderSelector"


class ReplicaView(NamedTuple):
    """A replica that could serve; in the order of `max`, the most caught-up one is the largest."""

    log_end_offset: int
    caught_up_since_ms: int                 # minus the time since it was caught up
    broker: int
    rack: str | None = None


class RackAwareReplicaSelector:
    """A replica in the consumer's rack: the leader if it stands there, else the one furthest on."""

    @staticmethod
    def select(client_rack: str, replicas: list[ReplicaView], leader: ReplicaView) -> ReplicaView:
        """One of `replicas`, among which the leader is."""
        near = [one for one in replicas if client_rack and one.rack == client_rack]
        return leader if not near or leader in near else max(near, key=lambda one: one[:3])


class LeaderSelector:
    """Always the leader."""

    @staticmethod
    def select(client_rack: str, replicas: list[ReplicaView], leader: ReplicaView) -> ReplicaView:
        """The leader."""
        return leader


SELECTORS = {RACK_AWARE: RackAwareReplicaSelector, LEADER: LeaderSelector, None: None}
