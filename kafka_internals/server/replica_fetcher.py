"""ReplicaFetcherThread: how a follower pulls. One for each broker that leads something it follows.

One request is in flight at a time. The next fetch leaves when the answer was appended, so it is at
once a question and a report; an empty answer comes after `replica.fetch.wait.max.ms` at the latest.
Where the logs part the leader answers that instead of records, and the follower cuts its log
(AbstractFetcherThread.truncateOnFetchResponse, KIP-595). A partition with an error is left out for
`replica.fetch.backoff.ms`, the others go on; after a lost connection that holds for all. One that
gave records goes to the end, so that none starves.
"""

from typing import Any, NamedTuple

from kafka_internals.common import Changed, Disconnect, Send, TopicPartition
from kafka_internals.errors import (
    CorruptRecordException,
    InvalidRecordException,
    KafkaException,
)
from kafka_internals.messages import Request, Response
from kafka_internals.messages.fetch import EpochEndOffset, FetchPartition, FetchRequest
from kafka_internals.messages.list_offsets import (
    EARLIEST_LOCAL_TIMESTAMP,
    LATEST_TIMESTAMP,
    ListOffsetsPartition,
    ListOffsetsRequest,
)
from kafka_internals.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
)
from kafka_internals.server.kraft_metadata_cache import UNCHECKED_EPOCH
from kafka_internals.server.offset_truncation_state import (
    UNDEFINED,
    OffsetTruncationState,
    get_offset_truncation_state,
)
from kafka_internals.server.partition import Partition
from kafka_internals.server.rules import Rules

ASK_RULE = "a follower fetches from its own log end offset, one request at a time"
EPOCH_RULE = "before KIP-595 a follower asked where its last epoch ends, and cut its log there"
RANGE_RULE = "a follower whose offset is out of range asks where its leader's log begins and ends"

# fmt: off
TRANSITIONS = {                                           # a pair that is absent is a bug
    ("NEW",        "has epochs"):      "FETCHING",        # what differs is found by fetching
    ("NEW",        "has none"):        "TRUNCATING",      # then only what is committed is trusted
    ("TRUNCATING", "truncated"):       "FETCHING",
    ("TRUNCATING", "asks again"):      "TRUNCATING",      # no such epoch here, or an error
    ("TRUNCATING", "fenced"):          "FAILED",
    ("FETCHING",   "appended"):        "FETCHING",
    ("FETCHING",   "truncated"):       "FETCHING",        # a diverging epoch, or out of range
    ("FETCHING",   "asks again"):      "FETCHING",        # after replica.fetch.backoff.ms
    ("FETCHING",   "fenced"):          "FAILED",          # until metadata brings a newer epoch
    ("FETCHING",   "cannot append"):   "FAILED",
    ("FAILED",     "new leader"):      "NEW",
}
# fmt: on


class PartitionFetchState(NamedTuple):
    """How one partition is fetched: in which leader epoch, in which state, not before when."""

    partition: Partition
    current_leader_epoch: int
    state: str
    not_before_ms: int = 0
    why: tuple = ()                              # of the delay, for "why?"


class ReplicaFetcher:
    """Fetches every partition that this broker follows from one leader broker."""

    def __init__(self, broker: int, leader: int, config: Any, next_correlation_id: Any,
                 rules: Rules = Rules(), broker_epoch: Any = lambda: UNCHECKED_EPOCH) -> None:
        self.broker, self.leader, self.rules = broker, leader, rules
        self._fetches_diverge = rules.fetches_diverge
        self.states: dict[TopicPartition, PartitionFetchState] = {}
        self._config, self._next_correlation_id = config, next_correlation_id
        self._client_id = f"broker-{broker}-fetcher-0"
        self._terms = (broker, config["replica.fetch.wait.max.ms"],
                       config["replica.fetch.min.bytes"],
                       config["replica.fetch.response.max.bytes"])
        self._partition_max_bytes = config["replica.fetch.max.bytes"]
        self._socket_timeout_ms = config["replica.socket.timeout.ms"]
        self._broker_epoch = broker_epoch
        self._in_flight: Request | None = None
        self._set_off_by: tuple = ()               # what the next fetch follows, for "why?"
        self._out_of_range: dict[TopicPartition, tuple] = {}     # to be looked up, and why
        self.due_ms: int | None = None             # when `tick` asks next, or gives up waiting

    @property
    def partitions(self) -> list[Partition]:
        """What is fetched, in turn."""
        return [one.partition for one in self.states.values()]

    # -- what is fetched ----------------------------------------------------------------------
    def follow(self, partitions: list[Partition], now_ms: int) -> list:
        """Fetch these from the next request on; the one in flight keeps its own list.

        A partition that is known in this leader epoch goes on as it was.
        """
        effects, old, self.states = [], self.states, {}
        for one in partitions:
            known = old.get(one.partition)
            if known is None or known.current_leader_epoch != one.leader_epoch \
                    or known.partition is not one:
                effects += self._begin(one, now_ms)
            else:
                self.states[one.partition] = known
        self._out_of_range = {name: why for name, why in self._out_of_range.items()
                              if name in self.states}
        return effects if self._in_flight else effects + self.ask(now_ms)

    def _begin(self, one: Partition, now_ms: int) -> list[Changed]:
        """A leader begins to be followed: by the epochs, or without any by the high watermark."""
        trusts_mark = one.log.epochs.latest_epoch is None or self.rules.truncation == "hw"
        state = TRANSITIONS["NEW", "has none" if trusts_mark else "has epochs"]
        asks_first = self.rules.asks_for_epochs and not trusts_mark
        self.states[one.partition] = PartitionFetchState(
            one, one.leader_epoch, "TRUNCATING" if asks_first else state)
        if not trusts_mark:
            return one.fetcher_is(self.states[one.partition].state)
        cut = one.truncate_to(one.high_watermark, ((one.subject, "high_watermark"),), now_ms)
        return cut + self._move(one.partition, "truncated")

    def _move(self, name: TopicPartition, event: str, reads: tuple = (),
              not_before_ms: int = 0) -> list[Changed]:
        """Along the table; with a time, not before then."""
        known = self.states[name]
        state = TRANSITIONS[known.state, event]
        if state != known.state or not_before_ms or known.not_before_ms:
            self.states[name] = known._replace(state=state, not_before_ms=not_before_ms,
                                               why=reads if not_before_ms else ())
        return known.partition.fetcher_is(state, reads)

    def _fail(self, name: TopicPartition, reads: tuple, now_ms: int) -> list[Changed]:
        """Try again after the back-off."""
        return self._move(name, "asks again", reads,
                          now_ms + self._config["replica.fetch.backoff.ms"])

    # -- asking -------------------------------------------------------------------------------
    def ask(self, now_ms: int) -> list:
        """Send the next request: about an offset out of range, about epochs, or the next fetch."""
        if self._out_of_range:
            return self._look_up(LATEST_TIMESTAMP, now_ms)
        ready = [one for one in self.states.values()
                 if one.not_before_ms <= now_ms and one.state != "FAILED"]
        if not ready:
            self.due_ms = min([one.not_before_ms for one in self.states.values()
                               if one.state != "FAILED"], default=None)
            return []
        cutting = [one for one in ready if one.state == "TRUNCATING"]
        return self._ask_epochs(cutting, now_ms) if cutting else self._fetch(ready, now_ms)

    def _fetch(self, ready: list[PartitionFetchState], now_ms: int) -> list:
        reads, why, asked = [], [], []
        for one in ready:
            name, subject, log = one.partition.partition, one.partition.subject, one.partition.log
            reads += (subject, "log_end_offset"), (subject, "leader_epoch")
            why += one.why
            if one.not_before_ms:
                self.states[name] = one._replace(not_before_ms=0, why=())
            latest = log.epochs.latest_epoch if self._fetches_diverge else None
            asked.append(FetchPartition(
                name, log.local.log_end_offset, one.current_leader_epoch, self._partition_max_bytes,
                log.log_start_offset, UNDEFINED if latest is None else latest))
        return self._send(
            FetchRequest(*self._terms, tuple(asked), replica_epoch=self._broker_epoch()), ASK_RULE,
            tuple(dict.fromkeys([*reads, *why, *self._set_off_by])), now_ms)

    def _ask_epochs(self, cutting: list[PartitionFetchState], now_ms: int) -> list:
        asked = tuple(OffsetForLeaderPartition(one.partition.partition, one.current_leader_epoch,
                                               one.partition.log.epochs.latest_epoch)
                      for one in cutting)
        reads = tuple((one.partition.subject, "fetch_state") for one in cutting)
        return self._send(OffsetForLeaderEpochRequest(self.broker, asked), EPOCH_RULE,
                          reads + self._set_off_by, now_ms)

    def _look_up(self, timestamp: int, now_ms: int) -> list:
        """Ask about the first partition whose offset is out of range."""
        name, why = next(iter(self._out_of_range.items()))
        asked = ListOffsetsPartition(name, self.states[name].current_leader_epoch, timestamp)
        return self._send(ListOffsetsRequest((asked,), replica_id=self.broker), RANGE_RULE, why,
                          now_ms)

    def _send(self, body: Any, rule: str, reads: tuple, now_ms: int) -> list:
        request = Request.of(self._client_id, self._next_correlation_id(), body)
        self._in_flight = request
        self.due_ms = now_ms + self._socket_timeout_ms + 1
        return [Changed(request.id, "asked", None, str(body), rule, reads),
                Send(self.leader, request)]

    # -- answers ------------------------------------------------------------------------------
    def handle(self, response: Response, now_ms: int) -> list:
        """Deal with what came, then ask again."""
        if (request := self._in_flight) is None or response.request_id != request.id:
            return []
        asked, self._in_flight = request.body, None
        read = (response.request_id, "answer")
        self._set_off_by = (read,)
        if type(asked) is ListOffsetsRequest:
            return self._ranged(asked.partitions[0], response.body.partitions[0], read, now_ms)
        questions = {one.partition: one for one in asked.partitions}
        is_fetch = type(asked) is FetchRequest
        take = self._take if is_fetch else self._epoch_ended
        effects = []
        for data in response.body.partitions:
            name = data.partition
            known = self.states.get(name)
            if known is not None and self._still_holds(questions[name], known):
                effects += take(data, known, read, now_ms)
                if is_fetch and data.records and self.states[name].not_before_ms == 0:
                    self.states[name] = self.states.pop(name)
        return effects + self.ask(now_ms)

    @staticmethod
    def _still_holds(question: Any, known: PartitionFetchState) -> bool:
        """False for an answer to what was asked before the partition moved on."""
        if question.current_leader_epoch != known.current_leader_epoch:
            return False
        if type(question) is FetchPartition:
            return known.state == "FETCHING" and \
                question.fetch_offset == known.partition.log.local.log_end_offset
        return known.state == "TRUNCATING"

    def _take(self, data: Any, known: PartitionFetchState, read: tuple, now_ms: int) -> list:
        """Records, the end of an epoch, or an error."""
        name = data.partition
        if data.error == "OFFSET_OUT_OF_RANGE":
            self._out_of_range[name] = (read,)
            return []
        if data.error != "NONE":
            return self._refused(name, data.error, (read,), now_ms)
        if data.diverging_epoch is not None:
            return self._truncate(known, data.diverging_epoch, (read,), now_ms)
        try:
            effects = known.partition.append_records_to_follower(data, read, now_ms,
                                                                 known.current_leader_epoch)
        except (CorruptRecordException, InvalidRecordException):     # damaged on its way
            return self._fail(name, (read,), now_ms)
        except KafkaException:
            return self._move(name, "cannot append", (read,))
        return effects + self._move(name, "appended", (read,))

    def _refused(self, name: TopicPartition, error: str, reads: tuple, now_ms: int) -> list:
        """Fenced in the epoch that is still the own one: wait for metadata. Else try again."""
        if error == "FENCED_LEADER_EPOCH":
            return self._move(name, "fenced", reads)
        return self._fail(name, reads, now_ms)

    def _truncate(self, known: PartitionFetchState, leader: EpochEndOffset, reads: tuple,
                  now_ms: int) -> list:
        one, decide = known.partition, self.rules.truncation
        if not callable(decide):
            decide = get_offset_truncation_state
        cut: OffsetTruncationState = decide(leader, one.high_watermark, one.log.log_end_offset,
                                            one.end_offset_for)
        effects = one.truncate_to(cut.offset, reads, now_ms)
        again = known.state == "TRUNCATING" and not cut.truncation_completed \
            and one.log.epochs.latest_epoch is not None
        return effects + self._move(one.partition, "asks again" if again else "truncated", reads)

    def _epoch_ended(self, data: Any, known: PartitionFetchState, read: tuple,
                     now_ms: int) -> list:
        """KIP-101's answer is an end without its epoch; KIP-279's says that, too."""
        if data.error != "NONE":
            return self._refused(data.partition, data.error, (read,), now_ms)
        epoch = UNDEFINED if self.rules.truncation == "kip-101" else data.leader_epoch
        return self._truncate(known, EpochEndOffset(epoch, data.end_offset), (read,), now_ms)

    def _ranged(self, question: ListOffsetsPartition, found: Any, read: tuple,
                now_ms: int) -> list:
        """The leader's end: less than here is cut. Its start: more than here, and all begins anew.

        Only an unclean election makes the first; retention makes the second.
        """
        name, why, known = found.partition, (read,), self.states.get(found.partition)
        if known is None or question.current_leader_epoch != known.current_leader_epoch:
            self._out_of_range.pop(name, None)
            return self.ask(now_ms)
        if found.error != "NONE":
            del self._out_of_range[name]
            return self._refused(name, found.error, why, now_ms) + self.ask(now_ms)
        one, effects = known.partition, []
        end = one.log.log_end_offset
        if question.timestamp == LATEST_TIMESTAMP and found.offset >= end:
            self._out_of_range[name] = why
            return self._look_up(EARLIEST_LOCAL_TIMESTAMP, now_ms)
        del self._out_of_range[name]
        if question.timestamp == LATEST_TIMESTAMP:
            effects = one.truncate_to(found.offset, why, now_ms)
        elif found.offset > end:
            effects = one.truncate_fully_and_start_at(found.offset, why, now_ms)
        return effects + self._move(name, "truncated", why) + self.ask(now_ms)

    # -- failures and time --------------------------------------------------------------------
    def disconnected(self, now_ms: int) -> list:
        """The connection is gone, and with it the request: try again after the back-off."""
        self._in_flight, self._set_off_by, self._out_of_range = None, (), {}
        self.due_ms = now_ms + self._config["replica.fetch.backoff.ms"]
        self.states = {name: one._replace(not_before_ms=self.due_ms, why=())
                       for name, one in self.states.items()}
        return []

    def tick(self, now_ms: int) -> list:
        """Ask when it is time; give up a request that was not answered."""
        if self.due_ms is None or now_ms < self.due_ms:
            return []
        if (late := self._in_flight) is not None:
            self.disconnected(now_ms)
            self._set_off_by = ((late.id, "asked"),)
            return [Disconnect(self.leader)]
        return self.ask(now_ms)
