"""The observer's side of the quorum: fetch from the leader, or ask around who that is.

One request is in flight at a time, and the next leaves when the answer was taken in. Where the
leader says that the logs part, the own is cut; where that would take back what is committed
something is broken, and the process stops rather than lose it (KafkaRaftClient).
"""

from collections.abc import Callable, Mapping
from typing import Any

from kafka_internals.common import NO_NODE, START_MS, Changed, Disconnect, Send
from kafka_internals.errors import (
    CorruptRecordException,
    IllegalStateException,
    InvalidRecordException,
    KafkaException,
)
from kafka_internals.messages import Request, Response
from kafka_internals.messages.fetch import (
    FetchPartition,
    FetchRequest,
    LeaderIdAndEpoch,
    PartitionData,
)
from kafka_internals.raft.raft_client import stored_batches
from kafka_internals.raft.raft_log import (
    CLUSTER_METADATA,
    OffsetAndEpoch,
    truncation_offset,
)

MAX_FETCH_WAIT_MS = 500
# Answers that say who leads; after any other one the node waits, and asks somebody else.
LEARNED_FROM = ("NONE", "FENCED_LEADER_EPOCH", "UNKNOWN_LEADER_EPOCH", "NOT_LEADER_OR_FOLLOWER")
ASK_RULE = "an observer fetches from the end of its log, one request at a time"
COPY_RULE = "an observer appends what the leader stored, byte for byte"
CUT_RULE = "an observer cuts its log where the leader's parts from it (KIP-595)"
HW_RULE = "an observer's high watermark = the leader's as last told, up to its own log end"


class MetadataFetcher:
    """Fetches the metadata log; `due_ms` is when to ask next, or to give up waiting."""

    def __init__(self, client: Any, config: Mapping[str, Any], bootstrap: tuple[int, ...],
                 next_correlation_id: Callable[[], int]) -> None:
        self._client, self._log, self._quorum = client, client.log, client.quorum
        self._timeout_ms = config["controller.quorum.request.timeout.ms"]
        self._backoff_ms = config["controller.quorum.retry.backoff.ms"]
        self._max_bytes = config["controller.quorum.fetch.max.bytes"]
        self._bootstrap, self._next_correlation_id = bootstrap, next_correlation_id
        self._client_id = f"raft-client-{client.node}"
        self._reads = tuple((client.subject, name) for name in (
            "log_end_offset", "leader_epoch", "high_watermark"))
        self._in_flight: tuple[Request, int] | None = None       # and to whom
        self._leader_fails, self._turn = False, 0
        self._set_off_by: tuple = ()               # what the next fetch follows, for "why?"
        self.due_ms: int | None = None

    def _whom(self) -> int:
        """The leader; one of the others in turn, where it is not known or does not answer."""
        state = self._quorum.state
        if state.name == "FOLLOWER" and not self._leader_fails:
            return state.leader_id
        self._turn += 1
        return self._bootstrap[(self._turn - 1) % len(self._bootstrap)]

    def ask(self, now_ms: int) -> list:
        """Send the next fetch."""
        state, log = self._quorum.state, self._log
        mark = -1 if state.high_watermark is None else state.high_watermark
        body = FetchRequest(self._client.node, MAX_FETCH_WAIT_MS, 0, self._max_bytes, (
            FetchPartition(CLUSTER_METADATA, log.local.log_end_offset, state.epoch, 0, -1,
                           log.epochs.latest_epoch or 0, mark),))
        request = Request.of(self._client_id, self._next_correlation_id(), body)
        self._in_flight = request, self._whom()
        self.due_ms = now_ms + self._timeout_ms
        return [Changed(request.id, "asked", None, str(body), ASK_RULE,
                        self._reads + self._set_off_by), Send(self._in_flight[1], request)]

    # -- answers ------------------------------------------------------------------------------
    def handle(self, response: Response, now_ms: int) -> list:
        """Take the answer in, then ask again; a little later where nothing was learned from it.

        Errors: KafkaException where what is committed would be cut, IllegalStateException for an
        answer that cannot be.
        """
        if self._in_flight is None or response.request_id != self._in_flight[0].id:
            return []
        reads = ((response.request_id, "answer"),)
        self._in_flight, self._set_off_by, self._leader_fails = None, reads, False
        if response.body.error != "NONE":
            return self._back_off(now_ms)
        data = response.body.partitions[0]
        if data.error == "INVALID_REQUEST":
            raise IllegalStateException(f"node {self._client.node} was told {data.error} for its "
                                        f"{self._client.subject} {response.request_id}")
        if data.error not in LEARNED_FROM:
            return self._back_off(now_ms)
        leader, known = data.current_leader, self._quorum.state
        effects = [] if known.name == "FOLLOWER" and leader == known.leader \
            else self._learn(leader, reads, now_ms)
        if data.error == "NONE" and leader.leader_epoch == self._quorum.state.epoch:
            effects += self._take(data, reads, now_ms)
        return effects + self.ask(now_ms)

    def _learn(self, leader: LeaderIdAndEpoch, reads: tuple, now_ms: int) -> list:
        """Who leads, where the answer knows it better."""
        epoch = self._quorum.state.epoch
        if leader.leader_epoch < epoch or leader == (NO_NODE, epoch):
            return []
        effects = self._quorum.transition_to_unattached(leader.leader_epoch, reads) \
            if leader.leader_id == NO_NODE else self._quorum.transition_to_follower(
                leader.leader_epoch, leader.leader_id, reads)
        return effects + self._client.fire_leader_change(reads, now_ms)

    def _take(self, data: PartitionData, reads: tuple, now_ms: int) -> list:
        if data.diverging_epoch is not None:
            return self._cut(OffsetAndEpoch(data.diverging_epoch.end_offset,
                                            data.diverging_epoch.leader_epoch), reads, now_ms)
        effects, appended = self._append(data.records, reads, now_ms) if data.records else ([], ())
        mark = min(self._log.local.log_end_offset, data.high_watermark)
        if mark > (-1 if (known := self._quorum.state.high_watermark) is None else known):
            effects += self._client.committed(
                mark, HW_RULE, (*reads, (self._client.subject, "log_end_offset")), now_ms,
                appended)
        return effects

    def _append(self, records: bytes, reads: tuple, now_ms: int) -> tuple[list, tuple]:
        """(effects, the batches that were appended)."""
        old, appended = self._log.local.log_end_offset, ()
        try:
            appended = stored_batches(records)
            self._log.append_as_follower(list(appended), self._quorum.epoch, START_MS + now_ms)
        except (CorruptRecordException, InvalidRecordException):
            pass                                   # damaged on its way: the next fetch asks again
        if (end := self._log.local.log_end_offset) == old:
            return [], ()
        self._quorum.kraft_version = 1             # the log has the voters now
        return [Changed(self._client.subject, "log_end_offset", old, end, COPY_RULE,
                        reads)], appended

    def _cut(self, end: OffsetAndEpoch, reads: tuple, now_ms: int) -> list:
        mark, old = self._quorum.state.high_watermark or 0, self._log.local.log_end_offset
        to = truncation_offset(self._log, end)
        if min(end.offset, to) < mark:
            raise KafkaException(f"The leader requested truncation to offset {end.offset}, which "
                                 f"is below the current high watermark {mark}")
        self._log.truncate_to(to, START_MS + now_ms)
        return [Changed(self._client.subject, "log_end_offset", old, to, CUT_RULE, reads)]

    # -- failures -----------------------------------------------------------------------------
    def _back_off(self, now_ms: int) -> list:
        self._in_flight, self._leader_fails = None, True
        self.due_ms = now_ms + self._backoff_ms
        return []

    def disconnected(self, now_ms: int) -> list:
        """The connection is gone, and with it the request."""
        self._set_off_by = ()
        return self._back_off(now_ms)

    def tick(self, now_ms: int) -> list:
        """Ask when it is time; give up a request that was not answered."""
        if self.due_ms is None or now_ms < self.due_ms:
            return []
        if self._in_flight is None:
            return self.ask(now_ms)
        late, whom = self._in_flight
        self._back_off(now_ms)
        self._set_off_by = ((late.id, "asked"),)
        return [Disconnect(whom)]
