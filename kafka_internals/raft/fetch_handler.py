"""The leader's side of a Fetch in the quorum: check, find where the logs part, read, or wait.

A fetch that finds nothing waits up to its `max_wait_ms`. It is answered at once where there are
records, where the logs part, where the leader's high watermark is above the one the asker knows,
and where something is wrong. The leader is named in every answer: asking anybody is how a node
finds out who leads (KafkaRaftClient.handleFetchRequest).
"""

from typing import Any

from kafka_internals.common import Changed, Reply, Wait
from kafka_internals.messages import Request
from kafka_internals.messages.fetch import (
    EpochEndOffset,
    FetchPartition,
    FetchRequest,
    FetchResponse,
    PartitionData,
)
from kafka_internals.raft.raft_log import CLUSTER_METADATA, diverging

FETCH_RULE = "a fetch at offset n says: I have everything below n"
ANSWER_RULE = "a leader of the quorum gives records up to the end of its log, and who leads"
PARK_RULE = "a fetch that finds nothing waits for records"


class FetchHandler:
    """Answers fetches of the metadata log; a node that does not lead says who does."""

    def __init__(self, client: Any) -> None:
        self._client, self._log, self._quorum = client, client.log, client.quorum
        self._leader_reads = (client.subject, "state"), (client.subject, "leader_epoch")
        self._end_reads = (client.subject, "log_end_offset"), (client.subject, "high_watermark")
        self._parked: dict[str, tuple[Request, int]] = {}     # who waits, until when, by id
        self.parked: tuple[str, ...] = ()                # the ids
        self.deadline_ms: int | None = None              # when the first has waited long enough

    def handle(self, request: Request, now_ms: int) -> list:
        """Answer, or let it wait."""
        body, all_asked = request.body, request.body.partitions
        if not all_asked or all_asked[1:] or all_asked[0].partition != CLUSTER_METADATA:
            refused = body.response(())._replace(error="INVALID_REQUEST")
            return self._reply(request, refused, str(refused))
        asked, data, reads, effects = all_asked[0], self._data(body), request.reads, []
        if data.error == "NONE" and data.diverging_epoch is None:
            effects = self._note_progress(body.replica_id, asked.fetch_offset, reads)
        if data.error != "NONE" or data.records or data.diverging_epoch \
                or not body.max_wait_ms or asked.high_watermark < data.high_watermark:
            answer = body.response((data,))
            return effects + self._reply(request, answer, str(answer))
        parked = {**self._parked, request.id: (request, now_ms + body.max_wait_ms)}
        return [*effects, self._park(parked, reads)]

    def _park(self, parked: dict[str, tuple[Request, int]], reads: tuple) -> Changed:
        """These wait from now on, and nobody else."""
        old, self._parked, self.parked = self.parked, parked, tuple(parked)
        self.deadline_ms = min([until_ms for _, until_ms in parked.values()], default=None)
        return Changed(self._client.subject, "parked", old, self.parked, PARK_RULE, reads)

    def _error(self, body: FetchRequest, asked: FetchPartition) -> str:
        """In Kafka's order."""
        if body.max_wait_ms < 0 or asked.fetch_offset < 0 or \
                not 0 <= asked.last_fetched_epoch <= asked.current_leader_epoch:
            return "INVALID_REQUEST"
        if asked.current_leader_epoch != (epoch := self._quorum.state.epoch):
            return "FENCED_LEADER_EPOCH" if asked.current_leader_epoch < epoch \
                else "UNKNOWN_LEADER_EPOCH"
        return "NOT_LEADER_OR_FOLLOWER" if not self._quorum.state.leads else "NONE"

    def _data(self, body: FetchRequest) -> PartitionData:
        asked, state, log = body.partitions[0], self._quorum.state, self._log
        if (error := self._error(body, asked)) != "NONE":
            return PartitionData(asked.partition, error, -1, 0, current_leader=state.leader)
        mark = -1 if state.high_watermark is None else state.high_watermark
        if part := diverging(log, asked.fetch_offset, asked.last_fetched_epoch):
            return PartitionData(asked.partition, "NONE", mark, 0, current_leader=state.leader,
                                 diverging_epoch=EpochEndOffset(part.epoch, part.offset))
        end = log.local.log_end_offset
        records = b"" if asked.fetch_offset == end else \
            log.read(asked.fetch_offset, body.max_bytes, end).records
        return PartitionData(asked.partition, "NONE", mark, 0, records,
                             current_leader=state.leader)

    def _note_progress(self, node: int, offset: int, reads: tuple) -> list:
        remote = self._quorum.state.remote_log_end_offset
        if node < 0 or (old := remote.get(node)) == offset:
            return []
        remote[node] = offset
        return [Changed(self._client.subject, f"remote_log_end_offset.{node}", old, offset,
                        FETCH_RULE, reads)]

    def _reply(self, request: Request, body: FetchResponse, said: str) -> list:
        ends = self._end_reads if body.partitions and body.partitions[0].error == "NONE" else ()
        return [Changed(request.id, "answer", None, said, ANSWER_RULE,
                        request.reads + self._leader_reads + ends), Reply(request, body)]

    # -- waiting ------------------------------------------------------------------------------
    def complete(self, now_ms: int) -> list:
        """There are records, and a higher mark: everybody who waits has something to hear."""
        return self._end(self._parked, ((self._client.subject, "log_end_offset"),))

    def expire(self, now_ms: int) -> list:
        """Answer those who have waited long enough, with nothing."""
        return self._end({id: one for id, one in self._parked.items() if one[1] <= now_ms}, ())

    def _end(self, ended: dict[str, tuple[Request, int]], reads: tuple) -> list:
        if not ended:
            return []
        left = {id: one for id, one in self._parked.items() if id not in ended}
        effects: list = [self._park(left, reads)]
        answers: dict[tuple, tuple] = {}                 # who asks the same is told the same
        for request, _ in ended.values():
            asked = request.body.partitions, request.body.max_bytes
            if asked not in answers:
                answer = request.body.response((self._data(request.body),))
                answers[asked] = answer, str(answer)
            effects += self._reply(request, *answers[asked])
        return effects

    def waits(self) -> tuple[Wait, ...]:
        """Those who wait do so for the next record."""
        return tuple(Wait("parked", self._client.subject, "log_end_offset",
                          request.body.partitions[0].fetch_offset + 1, until_ms)
                     for request, until_ms in self._parked.values())
