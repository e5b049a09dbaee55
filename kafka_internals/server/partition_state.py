"""PartitionState: the in-sync set as its leader sees it, and a change of it that is under way.

Only the controller changes an ISR (KIP-497). Until it has answered, the leader must be right in
both worlds: `isr` is what is committed, and counts for `min.insync.replicas`; `maximal_isr` is
every replica that may be a member by now, and only what all of them have is below the high
watermark. So a member that is to go still counts, and one that is to come counts already.
"""

from typing import NamedTuple

from kafka_internals.messages.metadata_records import RECOVERED

# fmt: off
TRANSITIONS = {                                              # a pair that is absent is a bug
    ("COMMITTED",      "follower caught up"): "PENDING EXPAND",
    ("COMMITTED",      "follower lags"):      "PENDING SHRINK",
    ("COMMITTED",      "new metadata"):       "COMMITTED",
    ("PENDING EXPAND", "accepted"):           "COMMITTED",
    ("PENDING EXPAND", "refused"):            "COMMITTED",       # as it was committed last
    ("PENDING EXPAND", "metadata will tell"): "PENDING EXPAND",  # perhaps it was carried out
    ("PENDING EXPAND", "asked again"):        "PENDING EXPAND",
    ("PENDING EXPAND", "new metadata"):       "COMMITTED",
    ("PENDING SHRINK", "accepted"):           "COMMITTED",
    ("PENDING SHRINK", "refused"):            "COMMITTED",
    ("PENDING SHRINK", "metadata will tell"): "PENDING SHRINK",
    ("PENDING SHRINK", "asked again"):        "PENDING SHRINK",
    ("PENDING SHRINK", "new metadata"):       "COMMITTED",
}
ANSWERS = {                                     # of the controller; any other error: asked again
    "NONE":                       "accepted",
    "INELIGIBLE_REPLICA":         "refused",
    "OPERATION_NOT_ATTEMPTED":    "refused",
    "FENCED_LEADER_EPOCH":        "metadata will tell",
    "INVALID_UPDATE_VERSION":     "metadata will tell",
    "INVALID_REQUEST":            "metadata will tell",
    "UNKNOWN_TOPIC_OR_PARTITION": "metadata will tell",
    "UNKNOWN_TOPIC_ID":           "metadata will tell",
    "NEW_LEADER_ELECTED":         "metadata will tell",
}
# fmt: on


class CommittedPartitionState(NamedTuple):
    """What the controller has written, as far as this leader knows."""

    isr: tuple[int, ...]
    leader_recovery_state: int = RECOVERED
    name = "COMMITTED"


CommittedPartitionState.maximal_isr = CommittedPartitionState.isr       # nothing is under way
CommittedPartitionState.proposed_isr = CommittedPartitionState.isr


class PendingExpandIsr(NamedTuple):
    """The controller was asked to let one replica in."""

    new_in_sync_replica: int
    last_committed: CommittedPartitionState
    name = "PENDING EXPAND"
    leader_recovery_state = RECOVERED

    @property
    def isr(self) -> tuple[int, ...]:
        """Without the new one."""
        return self.last_committed.isr

    @property
    def maximal_isr(self) -> tuple[int, ...]:
        """With it: the controller may have elected it already."""
        return (*self.isr, self.new_in_sync_replica)

    proposed_isr = maximal_isr


class PendingShrinkIsr(NamedTuple):
    """The controller was asked to take replicas out."""

    out_of_sync_replicas: tuple[int, ...]
    last_committed: CommittedPartitionState
    name = "PENDING SHRINK"
    leader_recovery_state = RECOVERED

    @property
    def isr(self) -> tuple[int, ...]:
        """Still with them."""
        return self.last_committed.isr

    @property
    def maximal_isr(self) -> tuple[int, ...]:
        """Still with them: the controller may elect one of them before it takes them out."""
        return self.isr

    @property
    def proposed_isr(self) -> tuple[int, ...]:
        """What the controller was asked for."""
        return tuple(one for one in self.isr if one not in self.out_of_sync_replicas)


PartitionState = CommittedPartitionState | PendingExpandIsr | PendingShrinkIsr
