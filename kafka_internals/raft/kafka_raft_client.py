"""KafkaRaftClient: one node of the metadata quorum: its only voter, who leads, or an observer.

The log is pulled, as every log in Kafka: the leader appends, flushes and counts, the others fetch.
What the leader has flushed is committed, since nobody else has a vote. An observer, a broker, never
flushes: what it loses it fetches again. It names the epoch of its last record in each fetch, so
that the leader sees where the two logs part (KIP-595), and the high watermark it knows, so that it
hears of a higher one at once (KIP-1166).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from kafka_internals.common import START_MS, Changed, Wait, replica_name
from kafka_internals.errors import IllegalArgumentException
from kafka_internals.messages import Request, Response
from kafka_internals.messages.kraft_control_records import (
    KRaftVersionRecord,
    LeaderChangeMessage,
    Voter,
    VoterNode,
    VotersRecord,
)
from kafka_internals.raft.batch_accumulator import BatchAccumulator, NotLeaderException
from kafka_internals.raft.fetch_handler import FetchHandler
from kafka_internals.raft.file_quorum_state_store import decode_election_state
from kafka_internals.raft.metadata_fetcher import MetadataFetcher
from kafka_internals.raft.quorum_state import QuorumState
from kafka_internals.raft.raft_client import (
    LeaderAndEpoch,
    Listener,
    read_batch,
    stored_batches,
)
from kafka_internals.raft.raft_log import (
    CLUSTER_METADATA,
    MAX_BATCH_SIZE_BYTES,
    RaftLog,
    end_offset_and_epoch,
)
from kafka_internals.record_batch import RecordBatch

APPEND_RULE = "the leader appends what its state machine has decided"
HW_RULE = "committed is what a majority of the voters has flushed, and the own epoch begins before"
NOBODY = LeaderAndEpoch(-1, 0)


class RaftSnapshot(NamedTuple):
    """One node of the quorum, frozen. -1: nobody; None: not known, or not in this state.

    `remote_log_end_offset` is ((node, offset), ...) as the leader knows it, `parked` the fetches
    that wait there for records.
    """

    node: int
    state: str
    leader_id: int
    leader_epoch: int
    voted_id: int
    voters: tuple[int, ...]
    epoch_start_offset: int | None
    log_end_offset: int
    high_watermark: int | None
    remote_log_end_offset: tuple[tuple[int, int], ...]
    parked: tuple[str, ...]
    batches: Any
    waits: tuple[Wait, ...]


class KafkaRaftClient:
    """A core. `voters`: of a node that has a vote, itself among them; else none.

    `bootstrap`: whom an observer asks while it knows no leader. `quorum_state`: the content of the
    file of that name, as the disk has it. `config`: QUORUM_CONFIG.
    """

    def __init__(self, node: int, directory_id: str, log: RaftLog, listener: Listener,
                 config: Mapping[str, Any], *, voters: tuple[VoterNode, ...] = (),
                 bootstrap: tuple[int, ...] = (), quorum_state: bytes = b"",
                 next_correlation_id: Callable[[], int] = lambda: 1) -> None:
        self.node, self.log, self._listener, self._config = node, log, listener, config
        self.subject = replica_name(CLUSTER_METADATA, node)
        self.quorum = QuorumState(node, directory_id, voters, self.subject)
        if voters and not self.quorum.is_only_voter:
            raise IllegalArgumentException(
                f"a quorum of this engine has one voter, which is the node itself, {node}; got "
                f"{[voter.voter_id for voter in voters]}")
        if not voters and not bootstrap:
            raise IllegalArgumentException(f"node {node} has no vote and nobody to ask who leads: "
                                           f"give it its voters, or nodes as bootstrap")
        self._stored = decode_election_state(quorum_state)
        self._next_offset, self._told = 0, NOBODY               # what the listener knows
        self.fetches = FetchHandler(self)
        self.fetcher = None if voters else MetadataFetcher(self, config, bootstrap,
                                                           next_correlation_id)
        self._snapshot: RaftSnapshot | None = None              # made when it is asked for

    # -- life ---------------------------------------------------------------------------------
    def start(self, now_ms: int) -> list:
        """Begin with what is on disk. The only voter leads at once, an observer begins to fetch."""
        self._snapshot = None
        effects = self.quorum.initialize(self._stored, end_offset_and_epoch(self.log))
        effects.append(Changed(self.subject, "log_end_offset", None, self.log.local.log_end_offset,
                               "the log is what its files hold"))
        if self.fetcher is not None:
            return effects + self.fire_leader_change((), now_ms) + self.fetcher.ask(now_ms)
        if self.quorum.state.name != "CANDIDATE":
            effects += self.quorum.transition_to_prospective()
            effects += self.quorum.transition_to_candidate()
        return effects + self._lead(now_ms)

    def _lead(self, now_ms: int) -> list:
        """Every vote that is needed is there: begin the epoch with a record of its own."""
        quorum, start = self.quorum, self.log.local.log_end_offset
        accumulator = BatchAccumulator(quorum.epoch, start,
                                       self._config["controller.quorum.append.linger.ms"])
        effects = quorum.transition_to_leader(start, accumulator)
        effects.append(Changed(self.subject, "epoch_start_offset", None, start,
                               "a leader's epoch begins where its log ends"))
        voters = tuple(Voter(voter.voter_id) for voter in quorum.voters)
        messages = [LeaderChangeMessage(self.node, voters, voters)]
        if not start:                                        # the voters are not in the log yet
            messages += [KRaftVersionRecord(1), VotersRecord(quorum.voters)]
        accumulator.append_control_messages(messages, START_MS + now_ms)
        return effects + self.tick(now_ms)

    # -- appending ----------------------------------------------------------------------------
    def schedule_atomic_append(self, epoch: int, records: Iterable[Any], now_ms: int,
                               reads: tuple = ()) -> int:
        """Append all of these or none; the offset of the last. They are written by `tick`.

        `epoch`: in which the caller believes it leads. `reads`: why, for "why?". Errors:
        NotLeaderException, and those of BatchAccumulator and MetadataRecordSerde.
        """
        state = self.quorum.state
        if not state.leads:
            raise NotLeaderException(f"Append failed because the replica is not the current leader"
                                     f": node {self.node} is {state.name}")
        return state.accumulator.append(epoch, records, START_MS + now_ms, reads)

    def _write(self, now_ms: int) -> list:
        """What was appended is written and flushed; only then it counts."""
        leader, old = self.quorum.state, self.log.local.log_end_offset
        reads = (*leader.accumulator.reads, (self.subject, "state"))
        drained = leader.accumulator.drain()
        for batch in drained:
            self.log.append_as_follower([batch], leader.epoch, START_MS + now_ms)
        self.log.flush()
        end = self.log.local.log_end_offset
        effects = [Changed(self.subject, "log_end_offset", old, end, APPEND_RULE, reads)]
        if (mark := leader.next_high_watermark(end)) is not None:
            effects += self.committed(mark, HW_RULE, ((self.subject, "log_end_offset", mark),),
                                      now_ms, drained)
        return effects + self.fetches.complete(now_ms)

    # -- committing ---------------------------------------------------------------------------
    def committed(self, high_watermark: int, rule: str, reads: tuple, now_ms: int,
                  appended: Sequence[RecordBatch] = ()) -> list:
        """The log is committed up to here: tell the listener. What was just `appended` is at hand.
        """
        state = self.quorum.state
        old, state.high_watermark = state.high_watermark, high_watermark
        self.log.update_high_watermark(high_watermark)
        effects = [Changed(self.subject, "high_watermark", old, high_watermark, rule, reads)]
        known = ((self.subject, "high_watermark", high_watermark),)
        while self._next_offset < high_watermark:
            for stored in self._untold(high_watermark, appended):
                batch = read_batch(stored.buffer)
                self._next_offset = batch.last_offset + 1
                effects += self._listener.handle_commit(batch, known, now_ms)
        return effects + self.fire_leader_change(known, now_ms)

    def _untold(self, high_watermark: int,
                appended: Sequence[RecordBatch]) -> Sequence[RecordBatch]:
        """Committed batches of which the listener has not heard, as many as come at once."""
        if appended and appended[0].base_offset == self._next_offset \
                and appended[-1].last_offset < high_watermark:
            return appended
        return stored_batches(self.log.read(self._next_offset, MAX_BATCH_SIZE_BYTES,
                                            high_watermark).records)

    def fire_leader_change(self, reads: tuple, now_ms: int) -> list:
        """Tell the listener who leads. It hears of its own leadership with the first record that is
        committed in it, and so after all that was committed before."""
        state = self.quorum.state
        if (state.leader_id, state.epoch) == self._told:
            return []
        self._told = LeaderAndEpoch(state.leader_id, state.epoch)
        return self._listener.handle_leader_change(self._told, reads, now_ms)

    # -- a core -------------------------------------------------------------------------------
    def handle(self, message: Request | Response, now_ms: int) -> list:
        """A fetch that somebody asks for, or the answer to an own one."""
        self._snapshot = None
        if type(message) is Response:
            return [] if self.fetcher is None else self.fetcher.handle(message, now_ms)
        return self.fetches.handle(message, now_ms)

    def disconnected(self, now_ms: int) -> list:
        """The connection of the own fetches is gone."""
        return [] if self.fetcher is None else self.fetcher.disconnected(now_ms)

    def tick(self, now_ms: int) -> list:
        """Write what has waited long enough, answer and give up what is late."""
        if self.fetcher is not None:
            return self.fetcher.tick(now_ms)                 # nobody fetches from an observer
        state, fetches, effects = self.quorum.state, self.fetches, []
        if state.leads and (drain_at_ms := state.accumulator.drain_at_ms) is not None \
                and drain_at_ms <= START_MS + now_ms:
            effects = self._write(now_ms)
        if fetches.deadline_ms is not None and fetches.deadline_ms <= now_ms:
            effects += fetches.expire(now_ms)
        if effects:
            self._snapshot = None
        return effects

    def next_deadline_ms(self) -> int | None:
        """When `tick` has something to do."""
        if self.fetcher is not None:
            return self.fetcher.due_ms
        state, due_ms = self.quorum.state, self.fetches.deadline_ms
        if not state.leads or (drain_at_ms := state.accumulator.drain_at_ms) is None:
            return due_ms
        at_ms = drain_at_ms - START_MS
        return at_ms if due_ms is None else min(at_ms, due_ms)

    def snapshot(self) -> RaftSnapshot:
        """Frozen; made anew only after a change."""
        if self._snapshot is None:
            state = self.quorum.state
            leader = state if state.leads else None
            self._snapshot = RaftSnapshot(
                self.node, state.name, state.leader_id, state.epoch, state.election().voted_id,
                tuple(voter.voter_id for voter in self.quorum.voters),
                leader and leader.epoch_start_offset, self.log.local.log_end_offset,
                state.high_watermark, tuple(leader.remote_log_end_offset.items()) if leader else (),
                self.fetches.parked, self.log.batches(), self.fetches.waits())
        return self._snapshot
