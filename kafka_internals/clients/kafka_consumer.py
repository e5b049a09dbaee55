"""KafkaConsumer: assigned partitions, a position in each, and fetches that run ahead of `poll()`.

A position is the offset of the next record that `poll()` gives. Fetches go to leaders, one at a
time to each broker and none while something from it is still buffered; the next ones leave before
`poll()` returns: the records of the next call are on their way while the application works. What
came first is given first. A partition without a position asks for one, as `auto.offset.reset` says.
Groups come later.
"""

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from kafka_internals.clients.network_client import InFlight, NetworkClient
from kafka_internals.common import Changed, TopicPartition, Wait
from kafka_internals.errors import (
    InvalidMetadataException,
    KafkaException,
    NoOffsetForPartitionException,
    OffsetOutOfRangeException,
    RetriableException,
    for_name,
)
from kafka_internals.messages import Response
from kafka_internals.messages.fetch import CONSUMER, FetchPartition, FetchRequest, FetchResponse
from kafka_internals.messages.list_offsets import (
    EARLIEST_TIMESTAMP,
    LATEST_TIMESTAMP,
    ListOffsetsPartition,
    ListOffsetsRequest,
)
from kafka_internals.messages.metadata import MetadataResponse
from kafka_internals.record_batch import batches

FETCH_RULE = "a consumer fetches from its position, and ahead of poll()"
POSITION_RULE = "position = offset of the next record that poll() gives"
RESET_RULE = "without a position: auto.offset.reset"
RESET = {"earliest": EARLIEST_TIMESTAMP, "latest": LATEST_TIMESTAMP}


class ConsumerRecord(NamedTuple):
    """One record as an application gets it; `timestamp` in epoch ms."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


class PollCall:
    """One call of `poll()`; `records` once it has returned, or the `error` that it raised."""

    __slots__ = ("subject", "deadline_ms", "state", "records", "error")

    def __init__(self, subject: str, deadline_ms: int) -> None:
        self.subject, self.deadline_ms, self.state = subject, deadline_ms, "polling"
        self.records: list[ConsumerRecord] = []
        self.error: Exception | None = None


class PollSnapshot(NamedTuple):
    """One call of `poll()`: "polling", "returned" or "failed", and how many records it gave."""

    state: str
    records: int
    waits: tuple[Wait, ...]


class ConsumerSnapshot(NamedTuple):
    """What a consumer knows; `position`, `buffered` and `leader` are (partition, value) pairs."""

    topics: tuple[str, ...]
    assignment: tuple[TopicPartition, ...]
    position: tuple[tuple[TopicPartition, int | None], ...]
    buffered: tuple[tuple[TopicPartition, int], ...]
    leader: tuple[tuple[TopicPartition, int], ...]


class _Assigned:
    """The state of one assigned partition."""

    __slots__ = ("position", "reset", "buffer", "not_before_ms", "why", "failure")

    def __init__(self, why: tuple) -> None:
        self.position: int | None = None
        self.reset: str | None = None          # "earliest" or "latest" while a position is wanted
        self.buffer: deque[ConsumerRecord] = deque()
        self.not_before_ms = 0
        self.why = why                         # what the next fetch was set off by, for "why?"
        self.failure: Exception | None = None  # what `poll()` has to raise before it goes on


class KafkaConsumer:
    """The core of one consumer."""

    def __init__(self, client_id: str, bootstrap: tuple[int, ...], config: Any,
                 dice: Callable[[str], Callable[[int], int]]) -> None:
        self.client_id, self.config = client_id, config
        self.network = NetworkClient(client_id, bootstrap, config, dice("back-off"))
        self.polls: list[PollCall] = []
        self._assigned: dict[TopicPartition, _Assigned] = {}
        self._turns: list[TopicPartition] = []             # who is fetched first
        self._completed: dict[TopicPartition, None] = {}   # who has something buffered, by arrival

    # -- the application's calls --------------------------------------------------------------
    def assign(self, partitions: tuple[TopicPartition, ...], now_ms: int) -> list:
        """Read exactly these partitions from now on; positions that are kept stay."""
        old = tuple(self._assigned)
        self._assigned = {name: self._assigned.get(name) or
                          _Assigned((self.client_id, "assignment")) for name in partitions}
        self._turns = [*self._assigned]
        self._completed = {name: None for name in self._completed if name in self._assigned}
        effects = [Changed(self.client_id, "assignment", old, tuple(partitions), "assign()")]
        for name in partitions:
            effects += self.network.add_topic(name.topic, ((self.client_id, "assignment"),))
        return effects + self._run(now_ms)

    def seek(self, partition: TopicPartition, to: int | str, now_ms: int) -> list:
        """Let the next record be the one at this offset, or at the "earliest" or "latest"."""
        assigned = self._assigned[partition]
        old, dropped = assigned.position, len(assigned.buffer)
        assigned.buffer.clear()
        self._completed.pop(partition, None)
        assigned.failure = None                   # it was about the position from before
        assigned.position, assigned.reset = (None, to) if isinstance(to, str) else (to, None)
        effects = [Changed(self.client_id, f"position.{partition}", old, assigned.position,
                           f"seek to {to}")]
        assigned.why = (self.client_id, f"position.{partition}")
        if dropped:
            effects.append(Changed(self.client_id, f"buffered.{partition}", dropped, 0, "seek()"))
        return effects + self._run(now_ms)

    def position(self, partition: TopicPartition) -> int | None:
        """Offset of the next record that `poll()` gives; None while there is no position."""
        return self._assigned[partition].position

    @property
    def assignment(self) -> tuple[TopicPartition, ...]:
        """The assigned partitions, in the order given."""
        return tuple(self._assigned)

    def poll(self, timeout_ms: int, now_ms: int) -> list:
        """Ask for records; what it gives is told in `polls[-1]`, at once or by the deadline."""
        call = PollCall(f"{self.client_id}#{len(self.polls) + 1}", now_ms + timeout_ms)
        self.polls.append(call)
        return [Changed(call.subject, "state", None, "polling", "poll()"), *self._run(now_ms)]

    # -- the work behind ----------------------------------------------------------------------
    def _run(self, now_ms: int) -> list:
        effects = self.network.refresh_metadata(now_ms)
        effects += self._find_positions(now_ms)
        effects += self._send_fetches(now_ms)
        if delivered := self._deliver(now_ms):
            effects += delivered
            if self.polls[-1].state == "returned":
                effects += self._send_fetches(now_ms)
        return effects

    def _led(self, wanted: Callable[[_Assigned], bool], kind: type,
             now_ms: int) -> dict[int, list[TopicPartition]]:
        """Partitions by leader, where one may be asked: none of this kind in flight there."""
        asked = {to for to in self.network.brokers for one in self.network.in_flight_on(to)
                 if type(one.request.body) is kind}
        led: dict[int, list[TopicPartition]] = {}
        for name in self._turns:
            assigned = self._assigned[name]
            if not wanted(assigned) or now_ms < assigned.not_before_ms:
                continue
            known = self.network.leader_of(name)
            if known is None:
                self.network.want_metadata()
            elif known.leader not in asked and self.network.can_send(known.leader, now_ms):
                led.setdefault(known.leader, []).append(name)
        return led

    def _find_positions(self, now_ms: int) -> list:
        """Reset what has no position, as configured; `none` is an error that `poll()` raises."""
        for name, assigned in self._assigned.items():
            if assigned.position is None and assigned.reset is None:
                self._reset(assigned, NoOffsetForPartitionException(
                    f"Undefined offset with no reset policy for partitions: [{name}]"))
        effects = []
        led = self._led(lambda one: one.position is None and one.reset is not None,
                        ListOffsetsRequest, now_ms)
        for broker, names in led.items():
            body = ListOffsetsRequest(tuple(
                ListOffsetsPartition(name, self.network.leader_of(name).leader_epoch,
                                     RESET[self._assigned[name].reset]) for name in names))
            effects += self.network.send(broker, body, names, now_ms, RESET_RULE,
                                         self._reads(names))
        return effects

    def _reset(self, assigned: _Assigned, otherwise: Exception) -> None:
        policy = self.config["auto.offset.reset"]
        if policy == "none":
            assigned.failure = otherwise
        else:
            assigned.reset = policy

    def _reads(self, names: list[TopicPartition]) -> tuple:
        return tuple(read for name in names for read in
                     ((self.client_id, f"leader.{name}"), self._assigned[name].why))

    def _polling(self) -> bool:
        return bool(self.polls) and self.polls[-1].state == "polling"

    def _send_fetches(self, now_ms: int) -> list:
        effects = []
        led = self._led(lambda one: one.position is not None and not one.buffer
                        and one.failure is None, FetchRequest, now_ms)
        holding = [self.network.leader_of(name) for name in self._completed]
        for broker, names in led.items():
            if any(known is not None and known.leader == broker for known in holding):
                continue
            body = FetchRequest(
                CONSUMER, self.config["fetch.max.wait.ms"], self.config["fetch.min.bytes"],
                self.config["fetch.max.bytes"],
                tuple(FetchPartition(name, self._assigned[name].position,
                                     self.network.leader_of(name).leader_epoch,
                                     self.config["max.partition.fetch.bytes"]) for name in names))
            effects += self.network.send(broker, body, names, now_ms, FETCH_RULE,
                                         self._reads(names))
        return effects

    def _deliver(self, now_ms: int) -> list:
        """End the call of `poll()` that waits: records, an error, or its time is up."""
        if not self._polling():
            return []
        call = self.polls[-1]
        failed = [one for one in self._assigned.values() if one.failure is not None]
        if any(one.position is None for one in failed) or failed and not self._completed:
            return self._raise(call, failed)
        effects, reads = [], []
        for name in list(self._completed):
            assigned = self._assigned[name]
            taken = min(len(assigned.buffer), self.config["max.poll.records"] - len(call.records))
            if taken:
                effects += self._take(name, assigned, taken, call)
                reads.append((self.client_id, f"position.{name}"))
        if not call.records and now_ms < call.deadline_ms:
            return []
        call.state = "returned"
        effects.append(Changed(call.subject, "state", "polling", "returned", "poll()",
                               tuple(reads)))
        if call.records:
            effects.append(Changed(call.subject, "records", 0, len(call.records), "poll()",
                                   tuple(reads)))
        return effects

    def _raise(self, call: PollCall, failed: list[_Assigned]) -> list[Changed]:
        """A missing position is told at once, another error when no records are left to give."""
        first = min(failed, key=lambda one: one.position is not None)
        call.error, first.failure, call.state = first.failure, None, "failed"
        return [Changed(call.subject, "state", "polling", "failed", "poll()")]

    def _take(self, name: TopicPartition, assigned: _Assigned, taken: int,
              call: PollCall) -> list[Changed]:
        before, old = len(assigned.buffer), assigned.position
        call.records += (assigned.buffer.popleft() for _ in range(taken))
        assigned.position = call.records[-1].offset + 1
        assigned.why = (self.client_id, f"position.{name}")
        if not assigned.buffer:
            del self._completed[name]
            self._turns.remove(name)
            self._turns.append(name)              # the others are fetched first now
        buffered, asked = (self.client_id, f"buffered.{name}"), (call.subject, "state")
        return [Changed(self.client_id, f"position.{name}", old, assigned.position, POSITION_RULE,
                        (buffered, asked)),
                Changed(*buffered, before, before - taken, POSITION_RULE, (asked,))]

    # -- answers ------------------------------------------------------------------------------
    def handle(self, broker: int, response: Response, now_ms: int) -> list:
        """A response has come."""
        if (found := self.network.completed(broker, response)) is None:
            return []
        asked, reads = found
        if isinstance(response.body, MetadataResponse):
            effects = list(self.network.learn(reads, response.body, now_ms))
        elif isinstance(response.body, FetchResponse):
            effects = self._fetched(asked, response.body, reads, now_ms)
        else:
            effects = self._found(response.body, reads, now_ms)
        return effects + self._run(now_ms)

    def _fetched(self, asked: InFlight, body: FetchResponse, reads: tuple, now_ms: int) -> list:
        effects = []
        for question, data in zip(asked.request.body.partitions, body.partitions):
            assigned = self._assigned.get(data.partition)
            if assigned is None or assigned.position != question.fetch_offset:
                continue                          # reassigned or moved since: nobody wants it
            assigned.why = reads[0]
            if data.error != "NONE":
                effects += self._failed(data, assigned, reads, now_ms)
                continue
            self._unpack(data, assigned)
            if assigned.buffer:
                self._completed[data.partition] = None
                effects.append(Changed(self.client_id, f"buffered.{data.partition}", 0,
                                       len(assigned.buffer), FETCH_RULE, reads))
        return effects

    def _unpack(self, data: Any, assigned: _Assigned) -> None:
        """Buffer the records from the position on, up to a batch that is damaged."""
        for batch in batches(data.records):
            try:
                batch.ensure_valid()
                assigned.buffer += [ConsumerRecord(*data.partition, *record)
                                    for record in batch.records()
                                    if record.offset >= assigned.position]
            except KafkaException as error:
                assigned.failure = KafkaException(
                    f"Record batch for partition {data.partition} at offset {batch.base_offset} "
                    f"is invalid, cause: {error}")
                return

    def _failed(self, told: Any, assigned: _Assigned, reads: tuple,
                now_ms: int) -> list[Changed]:
        """What an error means: ask for metadata, start over, try later, or give up."""
        error = for_name(told.error)(f"{told.partition}: {told.error}")
        if isinstance(error, OffsetOutOfRangeException):
            self._reset(assigned, error)
            if assigned.reset is not None:
                old, assigned.position = assigned.position, None
                return [Changed(self.client_id, f"position.{told.partition}", old, None,
                                RESET_RULE, reads)]
        elif isinstance(error, RetriableException):
            if isinstance(error, InvalidMetadataException):
                self.network.want_metadata(reads)
            assigned.not_before_ms = now_ms + self.network.retry_backoff_ms(0)
        else:
            assigned.failure = error
        return []

    def _found(self, body: Any, reads: tuple, now_ms: int) -> list:
        effects = []
        for found in body.partitions:
            assigned = self._assigned.get(found.partition)
            if assigned is None or assigned.position is not None:
                continue
            assigned.why = reads[0]
            if found.error != "NONE":
                effects += self._failed(found, assigned, reads, now_ms)
                continue
            assigned.position, assigned.reset = found.offset, None
            effects.append(Changed(self.client_id, f"position.{found.partition}", None,
                                   found.offset, RESET_RULE, reads))
        return effects

    def disconnected(self, broker: int, now_ms: int) -> list:
        """The connection to a broker is gone: ask again, after the back-off."""
        self.network.disconnected(broker, now_ms)
        return self._run(now_ms)

    # -- time ---------------------------------------------------------------------------------
    def tick(self, now_ms: int) -> list:
        """Time has passed: requests that got no answer, a poll whose time is up."""
        effects = []
        for broker in self.network.timed_out(now_ms):
            effects += self.network.give_up(broker, now_ms)[0]
        return effects + self._run(now_ms)

    def next_deadline_ms(self, now_ms: int) -> int | None:
        """When `tick` has something to do."""
        due = [self.network.next_deadline_ms()]
        if self._polling():
            due.append(self.polls[-1].deadline_ms)
        for name, assigned in self._assigned.items():
            due.append(assigned.not_before_ms)
            if known := self.network.leader_of(name):
                due.append(self.network.reachable_from_ms(known.leader))
        return min((ms for ms in due if ms is not None and ms > now_ms), default=None)

    # -- seen from outside --------------------------------------------------------------------
    def snapshot(self) -> ConsumerSnapshot:
        """Frozen."""
        return ConsumerSnapshot(
            self.network.topics, tuple(self._assigned),
            tuple((name, one.position) for name, one in self._assigned.items()),
            tuple((name, len(one.buffer)) for name, one in self._assigned.items()),
            tuple((name, known.leader) for name, known in self.network.leaders.items()))

    def call(self, call: PollCall) -> PollSnapshot:
        """One call of `poll()`, frozen."""
        waits = ()
        if call.state == "polling":
            waits = tuple(Wait("state", self.client_id, f"buffered.{name}", 1, call.deadline_ms,
                               any_of=True) for name in self._assigned)
        return PollSnapshot(call.state, len(call.records), waits)
