"""EpochState: what a node of the quorum knows in each of its states, and nothing else.

A node knows its epoch always; the leader's epoch start only the leader, whom to fetch from only a
follower. A leader forgets the high watermark it knew before: it may commit nothing until a record
of its own epoch is durable, for otherwise a later leader could be without it (KIP-595).
"""

from kafka_internals.common import NO_NODE
from kafka_internals.messages import LeaderIdAndEpoch
from kafka_internals.messages.kraft_control_records import Voter
from kafka_internals.raft.batch_accumulator import BatchAccumulator
from kafka_internals.raft.file_quorum_state_store import ElectionState


class EpochState:
    """What all states have. `high_watermark` is None where it is not known."""

    name, leads = "", False
    high_watermark: int | None = None

    def __init__(self, epoch: int, leader_id: int = NO_NODE) -> None:
        self.epoch, self.leader_id = epoch, leader_id
        self.leader = LeaderIdAndEpoch(leader_id, epoch)         # as an answer names it

    def election(self) -> ElectionState:
        """What `quorum-state` has to say in this state."""
        return ElectionState(self.epoch, self.leader_id)


class UnattachedState(EpochState):
    """An epoch whose leader this node cannot reach; it may know its id."""

    name = "UNATTACHED"


class ResignedState(EpochState):
    """It led this epoch before it restarted, and does not do so again."""

    name = "RESIGNED"


class ProspectiveState(EpochState):
    """It asks whether it would be elected, before it raises the epoch (KIP-996)."""

    name = "PROSPECTIVE"


class CandidateState(EpochState):
    """It has voted for itself."""

    name = "CANDIDATE"

    def __init__(self, epoch: int, candidate: Voter) -> None:
        super().__init__(epoch)
        self.candidate = candidate

    def election(self) -> ElectionState:
        """The vote."""
        return ElectionState(self.epoch, NO_NODE, *self.candidate)


class FollowerState(EpochState):
    """It fetches from a leader, and hears from it how far the log is committed."""

    name = "FOLLOWER"


class LeaderState(EpochState):
    """The one that appends, from `epoch_start_offset` on."""

    name, leads = "LEADER", True

    def __init__(self, epoch: int, node: int, epoch_start_offset: int,
                 accumulator: BatchAccumulator) -> None:
        super().__init__(epoch, node)
        self.epoch_start_offset, self.accumulator = epoch_start_offset, accumulator
        self.remote_log_end_offset: dict[int, int] = {}      # of those that fetch

    def next_high_watermark(self, log_end_offset: int) -> int | None:
        """Where the quorum is committed up to, with the only voter's durable log ending here.

        None where that is nothing new, or where nothing of the own epoch is among it.
        """
        if log_end_offset <= max(self.epoch_start_offset, self.high_watermark or 0):
            return None
        return log_end_offset
