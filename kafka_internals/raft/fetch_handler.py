"""The leader's side of a Fetch in the quorum: check, find where the logs part, read, or wait.

A fetch that finds nothing waits up to its `max_wait_ms`. It is answered at once where there are
records, where the logs part, where the leader's high watermark is above the one the asker knows,
and where something is wrong. The leader is named in every answer: asking anybody is how a node
finds out who leads (KafkaRaftClient.handleFetchRequest).
"""

from typing import Any, NamedTuple

from kafka_internals.common import Changed, Reply, Wait
from kafka_internals.messages import Request
from kafka_internals.messages.fetch import (
    EpochEndOffset,
    FetchPartition,
    FetchRequest,
    FetchResponse,
    LeaderIdAndEpoch,
    PartitionData,
)
from kafka_internals.raft.epoch_state import LeaderState
from kafka_internals.raft.raft_log import CLUSTER_METADATA, diverging

FETCH_RULE = "a fetch at offset n says: I have everything below n"
ANSWER_RULE = "a leader of the quorum gives records up to the end of its log, and who leads"
PARK_RULE = "a fetch that finds nothing waits for records"


class _Parked(NamedTuple):
    """A fetch that waits."""

    request: Request
    deadline_ms: int


class FetchHandler:
    """Answers fetches of the metadata log; a node that does not lead says who does."""

    def __init__(self, client: Any) -> None:
        self._client, self._log, self._quorum = client, client.log, client.quorum
        self._parked: list[_Parked] = []

    @property
    def leader(self) -> LeaderState | None:
        """The state of a node that leads."""
        state = self._quorum.state
        return state if isinstance(state, LeaderState) else None

    @property
    def parked(self) -> tuple[str, ...]:
        """The fetches that wait, by id."""
        return tuple(one.request.id for one in self._parked)

    def handle(self, request: Request, now_ms: int) -> list:
        """Answer, or let it wait."""
        if [asked.partition for asked in request.body.partitions] != [CLUSTER_METADATA]:
            return self._reply(request, request.body.response(())._replace(
                error="INVALID_REQUEST"), ())
        asked, data, effects = request.body.partitions[0], self._data(request.body), []
        if data.error == "NONE" and data.diverging_epoch is None:
            effects += self._note_progress(request, asked.fetch_offset)
        if data.error != "NONE" or data.records or data.diverging_epoch \
                or not request.body.max_wait_ms or asked.high_watermark < data.high_watermark:
            return effects + self._answer(request, data)
        old = self.parked
        self._parked.append(_Parked(request, now_ms + request.body.max_wait_ms))
        return [*effects, Changed(self._client.subject, "parked", old, self.parked, PARK_RULE,
                                  request.reads())]

    def _error(self, body: FetchRequest, asked: FetchPartition) -> str:
        """In Kafka's order."""
        if min(body.max_wait_ms, asked.fetch_offset, asked.last_fetched_epoch) < 0 or \
                asked.last_fetched_epoch > asked.current_leader_epoch:
            return "INVALID_REQUEST"
        if asked.current_leader_epoch != self._quorum.epoch:
            return "FENCED_LEADER_EPOCH" if asked.current_leader_epoch < self._quorum.epoch \
                else "UNKNOWN_LEADER_EPOCH"
        return "NOT_LEADER_OR_FOLLOWER" if self.leader is None else "NONE"

    def _data(self, body: FetchRequest) -> PartitionData:
        asked, state = body.partitions[0], self._quorum.state
        data = PartitionData(asked.partition, self._error(body, asked), log_start_offset=0,
                             current_leader=LeaderIdAndEpoch(state.leader_id, state.epoch))
        if data.error != "NONE":
            return data
        mark = -1 if state.high_watermark is None else state.high_watermark
        if part := diverging(self._log, asked.fetch_offset, asked.last_fetched_epoch):
            return data._replace(high_watermark=mark,
                                 diverging_epoch=EpochEndOffset(part.epoch, part.offset))
        records = self._log.read(asked.fetch_offset, body.max_bytes, self._log.log_end_offset)
        return data._replace(high_watermark=mark, records=records.records)

    def _note_progress(self, request: Request, offset: int) -> list:
        remote, node = self.leader.remote_log_end_offset, request.body.replica_id
        if node < 0 or (old := remote.get(node)) == offset:
            return []
        remote[node] = offset
        return [Changed(self._client.subject, f"remote_log_end_offset.{node}", old, offset,
                        FETCH_RULE, request.reads())]

    def _answer(self, request: Request, data: PartitionData) -> list:
        ends = ("log_end_offset", "high_watermark") if data.error == "NONE" else ()
        return self._reply(request, request.body.response((data,)), ends)

    def _reply(self, request: Request, body: FetchResponse, ends: tuple[str, ...]) -> list:
        reads = tuple((self._client.subject, name) for name in ("state", "leader_epoch", *ends))
        return [Changed(request.id, "answer", None, str(body), ANSWER_RULE,
                        request.reads() + reads), Reply(request, body)]

    # -- waiting ------------------------------------------------------------------------------
    def complete(self, now_ms: int) -> list:
        """There are records, and a higher mark: everybody who waits has something to hear."""
        return self._end(self._parked, ((self._client.subject, "log_end_offset"),), now_ms)

    def expire(self, now_ms: int) -> list:
        """Answer those who have waited long enough, with nothing."""
        return self._end([one for one in self._parked if one.deadline_ms <= now_ms], (), now_ms)

    def _end(self, ended: list[_Parked], reads: tuple, now_ms: int) -> list:
        if not ended:
            return []
        old = self.parked
        self._parked = [one for one in self._parked if one not in ended]
        self._client.snapshot_changed()
        effects = [Changed(self._client.subject, "parked", old, self.parked, PARK_RULE, reads)]
        for one in ended:
            effects += self._answer(one.request, self._data(one.request.body))
        return effects

    def next_deadline_ms(self) -> int | None:
        """When the next one has waited long enough."""
        return min([one.deadline_ms for one in self._parked]) if self._parked else None

    def waits(self) -> tuple[Wait, ...]:
        """Those who wait do so for the next record."""
        return tuple(Wait("parked", self._client.subject, "log_end_offset",
                          one.request.body.partitions[0].fetch_offset + 1, one.deadline_ms)
                     for one in self._parked)
