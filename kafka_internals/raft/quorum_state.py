"""QuorumState: the state machine of an election, as far as one voter and its observers go.

The only voter is asked nothing: it passes through each state on its way to lead, in an epoch that
is one more than any it knows. An observer, a broker, only looks for the leader and follows it. A
change that others may hear of is on the platter before it is a change (KIP-595, KIP-853, KIP-996).
"""

from kafka_internals.common import Changed, Persist
from kafka_internals.errors import IllegalStateException
from kafka_internals.messages.kraft_control_records import Voter, VoterNode
from kafka_internals.raft.batch_accumulator import BatchAccumulator
from kafka_internals.raft.epoch_state import (
    CandidateState,
    EpochState,
    FollowerState,
    LeaderState,
    ProspectiveState,
    ResignedState,
    UnattachedState,
)
from kafka_internals.raft.file_quorum_state_store import (
    DEFAULT_FILE_NAME,
    ElectionState,
    encode_election_state,
)
from kafka_internals.raft.raft_log import CLUSTER_METADATA, OffsetAndEpoch

# fmt: off
TRANSITIONS = {                                           # a pair that is absent is a bug
    ("UNATTACHED",  "election timeout"):      "PROSPECTIVE",    # a voter; the only one at once
    ("UNATTACHED",  "leader found"):          "FOLLOWER",
    ("UNATTACHED",  "higher epoch"):          "UNATTACHED",
    ("PROSPECTIVE", "majority of pre-votes"): "CANDIDATE",      # the epoch is one more
    ("CANDIDATE",   "majority of votes"):     "LEADER",
    ("FOLLOWER",    "leader found"):          "FOLLOWER",       # of a higher epoch
    ("FOLLOWER",    "higher epoch"):          "UNATTACHED",
    ("RESIGNED",    "election timeout"):      "PROSPECTIVE",    # the only voter at once
}
# fmt: on
SEEN = ("state", "leader_epoch", "leader_id", "voted_id", "high_watermark")
START_RULE = "a node begins in the state that its quorum-state file allows"
ELECTION_RULE = "an election: one leader for each epoch (KIP-595)"
FOLLOW_RULE = "a node follows the leader that an answer names"


class QuorumState:
    """One node's state. Each transition returns its effects: what to persist, and what changed.

    `kraft_version` says which version of `quorum-state` is written.
    """

    def __init__(self, node: int, directory_id: str, voters: tuple[VoterNode, ...],
                 subject: str) -> None:
        self.node, self.directory_id, self.voters = node, directory_id, voters
        self.subject, self.kraft_version = subject, 0
        self.state: EpochState | None = None

    @property
    def epoch(self) -> int:
        """The present epoch."""
        return self.state.epoch

    @property
    def is_only_voter(self) -> bool:
        """True where this node needs nobody's vote but its own."""
        return [voter.voter_id for voter in self.voters] == [self.node]

    def initialize(self, stored: ElectionState | None, end: OffsetAndEpoch) -> list:
        """Begin with what was stored, and where the log ends."""
        stored = stored or ElectionState(0)
        self.kraft_version = int(bool(self.voters or end.offset))
        return self._become(self._first(stored, end), START_RULE, ())

    def _first(self, stored: ElectionState, end: OffsetAndEpoch) -> EpochState:
        if stored.epoch < end.epoch:
            return UnattachedState(end.epoch)
        if stored.leader_id == self.node:
            return ResignedState(stored.epoch, self.node)
        if (stored.voted_id, stored.voted_directory_id) == (self.node, self.directory_id):
            return CandidateState(stored.epoch, Voter(self.node, self.directory_id))
        if stored.leader_id >= 0 and end.offset:             # the log says where it listens
            return FollowerState(stored.epoch, stored.leader_id)
        return UnattachedState(stored.epoch, stored.leader_id)

    # -- a voter ------------------------------------------------------------------------------
    def transition_to_prospective(self) -> list:
        """Ask for pre-votes. Nothing is written: nothing is promised."""
        state = ProspectiveState(self.epoch, self.state.leader_id)
        return self._move("election timeout", state, ELECTION_RULE, (), durable=False)

    def transition_to_candidate(self) -> list:
        """Vote for oneself, in the next epoch."""
        state = CandidateState(self.epoch + 1, Voter(self.node, self.directory_id))
        return self._move("majority of pre-votes", state, ELECTION_RULE, ())

    def transition_to_leader(self, epoch_start_offset: int, accumulator: BatchAccumulator) -> list:
        """Lead the epoch of the candidature. The vote is not needed any more, and is forgotten."""
        state = LeaderState(self.epoch, self.node, epoch_start_offset, accumulator)
        return self._move("majority of votes", state, ELECTION_RULE, ())

    # -- everybody ----------------------------------------------------------------------------
    def transition_to_unattached(self, epoch: int, reads: tuple) -> list:
        """A higher epoch, whose leader is not known."""
        return self._move("higher epoch", UnattachedState(epoch), FOLLOW_RULE, reads)

    def transition_to_follower(self, epoch: int, leader_id: int, reads: tuple) -> list:
        """The leader of this or a higher epoch. IllegalStateException for one that cannot be."""
        known = self.state
        if leader_id == self.node or epoch < known.epoch or epoch == known.epoch and (
                known.name == "FOLLOWER" or known.leader_id not in (-1, leader_id)):
            raise IllegalStateException(
                f"Cannot transition to Follower with leader {leader_id} and epoch {epoch}: node "
                f"{self.node} is {known.name} in epoch {known.epoch} with leader "
                f"{known.leader_id}")
        return self._move("leader found", FollowerState(epoch, leader_id), FOLLOW_RULE, reads)

    def _move(self, event: str, state: EpochState, rule: str, reads: tuple,
              durable: bool = True) -> list:
        """Along the table, or not at all."""
        old = self.state
        if TRANSITIONS.get((old.name, event)) != state.name:
            raise IllegalStateException(f"{event!r} does not lead from {old.name} in epoch "
                                        f"{old.epoch} to {state.name} in epoch {state.epoch}")
        if state.name != "LEADER":
            state.high_watermark = old.high_watermark
        return self._become(state, rule, reads, durable)

    def _become(self, state: EpochState, rule: str, reads: tuple, durable: bool = True) -> list:
        """First the file, then the memory."""
        old, self.state = self.state, state
        effects: list = []
        if durable:
            content = encode_election_state(state.election(), self.kraft_version)
            effects.append(Persist(f"{CLUSTER_METADATA}/{DEFAULT_FILE_NAME}", content))
        before = (None,) * len(SEEN) if old is None else _seen(old)
        return effects + [Changed(self.subject, name, was, now, rule, reads)
                          for name, was, now in zip(SEEN, before, _seen(state))
                          if old is None or was != now]


def _seen(state: EpochState) -> tuple:
    return (state.name, state.epoch, state.leader_id, state.election().voted_id,
            state.high_watermark)
