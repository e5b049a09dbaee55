"""KafkaConsumer: what `poll()`, `seek()` and `assign()` do, and what goes on behind them.

The next fetches leave before `poll()` returns: the records of the next call are on their way while
the application works. Groups come later.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from kafka_internals.clients.fetcher import POSITION_RULE, ConsumerRecord, Fetcher
from kafka_internals.clients.network_client import NetworkClient
from kafka_internals.clients.offset_fetcher import OffsetFetcher
from kafka_internals.clients.subscription_state import SubscriptionState, TopicPartitionState
from kafka_internals.common import Changed, TopicPartition, Wait
from kafka_internals.messages import Response
from kafka_internals.messages.fetch import FetchResponse
from kafka_internals.messages.metadata import MetadataResponse


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


class KafkaConsumer:
    """The core of one consumer."""

    def __init__(self, client_id: str, bootstrap: tuple[int, ...], config: Any,
                 dice: Callable[[str], Callable[[int], int]]) -> None:
        self.client_id, self.config = client_id, config
        self.polls: list[PollCall] = []
        self.network = NetworkClient(client_id, bootstrap, config, dice)
        self._subscriptions = SubscriptionState(client_id, self.network,
                                                config["auto.offset.reset"])
        self._fetcher = Fetcher(config, self.network, self._subscriptions)
        self._offsets = OffsetFetcher(config, self.network, self._subscriptions)

    # -- the application's calls --------------------------------------------------------------
    def assign(self, partitions: tuple[TopicPartition, ...], now_ms: int) -> list:
        """Read exactly these partitions from now on; positions that are kept stay."""
        old = self.assignment
        self._subscriptions.assign(partitions)
        self._fetcher.retain()
        effects = [Changed(self.client_id, "assignment", old, tuple(partitions), "assign()")]
        for name in partitions:
            effects += self.network.add_topic(name.topic, ((self.client_id, "assignment"),))
        return effects + self._run(now_ms)

    def seek(self, partition: TopicPartition, to: int | str, now_ms: int) -> list:
        """Let the next record be the one at this offset, or at the "earliest" or "latest"."""
        state = self._subscriptions.assigned[partition]
        old, dropped = state.position, self._fetcher.drop(partition)
        state.failure = None                      # it was about the position from before
        state.position, state.reset = (None, to) if isinstance(to, str) else (to, None)
        effects = [Changed(self.client_id, f"position.{partition}", old, state.position,
                           f"seek to {to}")]
        state.why = (self.client_id, f"position.{partition}")
        if dropped:
            effects.append(Changed(self.client_id, f"buffered.{partition}", dropped, 0, "seek()"))
        return effects + self._run(now_ms)

    def position(self, partition: TopicPartition) -> int | None:
        """Offset of the next record that `poll()` gives; None while there is no position."""
        return self._subscriptions.assigned[partition].position

    @property
    def assignment(self) -> tuple[TopicPartition, ...]:
        """The assigned partitions, in the order given."""
        return tuple(self._subscriptions.assigned)

    def poll(self, timeout_ms: int, now_ms: int) -> list:
        """Ask for records; what it gives is told in `polls[-1]`, at once or by the deadline."""
        call = PollCall(f"{self.client_id}#{len(self.polls) + 1}", now_ms + timeout_ms)
        self.polls.append(call)
        return [Changed(call.subject, "state", None, "polling", "poll()"), *self._run(now_ms)]

    # -- the work behind ----------------------------------------------------------------------
    def _run(self, now_ms: int) -> list:
        effects = self._fetcher.look_at_errors() if self._polling() else []
        effects += self.network.refresh_metadata(now_ms)
        effects += self._offsets.reset_positions(now_ms)
        effects += self._fetcher.send_fetches(now_ms)
        if delivered := self._deliver(now_ms):
            effects += delivered
            if self.polls[-1].state == "returned":
                effects += self._fetcher.send_fetches(now_ms)
        return effects

    def _polling(self) -> bool:
        return bool(self.polls) and self.polls[-1].state == "polling"

    def _deliver(self, now_ms: int) -> list[Changed]:
        """End the call of `poll()` that waits: records, an error, or its time is up."""
        if not self._polling():
            return []
        call = self.polls[-1]
        failed = [one for one in self._subscriptions.assigned.values() if one.failure is not None]
        if any(one.position is None for one in failed) or \
                failed and not self._fetcher.has_records():
            return self._raise(call, failed)
        effects, reads = self._take(call)
        if not call.records and now_ms < call.deadline_ms:
            return []
        call.state = "returned"
        effects.append(Changed(call.subject, "state", "polling", "returned", "poll()", reads))
        if call.records:
            effects.append(Changed(call.subject, "records", 0, len(call.records), "poll()", reads))
        return effects

    def _raise(self, call: PollCall, failed: list[TopicPartitionState]) -> list[Changed]:
        """A missing position is told at once, another error when no records are left to give."""
        first = min(failed, key=lambda one: one.position is not None)
        call.error, first.failure, call.state = first.failure, None, "failed"
        return [Changed(call.subject, "state", "polling", "failed", "poll()")]

    def _take(self, call: PollCall) -> tuple[list[Changed], tuple]:
        """Give the call its records; with the changes comes what the call's end reads."""
        effects, moved = [], []
        for name, records, left in self._fetcher.collect(self.config["max.poll.records"]):
            state = self._subscriptions.assigned[name]
            old, state.position = state.position, records[-1].offset + 1
            call.records += records
            state.why = (self.client_id, f"position.{name}")
            buffered, asked = (self.client_id, f"buffered.{name}"), (call.subject, "state")
            effects += [Changed(*state.why, old, state.position, POSITION_RULE, (buffered, asked)),
                        Changed(*buffered, left + len(records), left, POSITION_RULE, (asked,))]
            moved.append(state.why)
        return effects, tuple(moved)

    # -- answers ------------------------------------------------------------------------------
    def handle(self, broker: int, response: Response, now_ms: int) -> list:
        """A response has come."""
        if (found := self.network.completed(broker, response)) is None:
            return []
        asked, reads = found
        if isinstance(response.body, MetadataResponse):
            effects = list(self.network.learn(reads, response.body, now_ms))
        elif isinstance(response.body, FetchResponse):
            effects = self._fetcher.handle(asked, response.body, reads)
        else:
            effects = self._offsets.handle(response.body, reads, now_ms)
        return effects + self._run(now_ms)

    def disconnected(self, broker: int, now_ms: int) -> list:
        """The connection to a broker is gone: ask again, after the back-off."""
        self._offsets.disconnected(self.network.disconnected(broker, now_ms)[0], now_ms)
        return self._run(now_ms)

    # -- time ---------------------------------------------------------------------------------
    def tick(self, now_ms: int) -> list:
        """Time has passed: requests that got no answer, a poll whose time is up."""
        effects = []
        for broker in self.network.timed_out(now_ms):
            closed, in_flight, _ = self.network.give_up(broker, now_ms)
            self._offsets.disconnected(in_flight, now_ms)
            effects += closed
        return effects + self._run(now_ms)

    def next_deadline_ms(self, now_ms: int) -> int | None:
        """When `tick` has something to do."""
        due = [self.network.next_deadline_ms(now_ms), self._subscriptions.next_deadline_ms(now_ms)]
        if self._polling():
            due.append(self.polls[-1].deadline_ms)
        return min((ms for ms in due if ms is not None and ms > now_ms), default=None)

    # -- seen from outside --------------------------------------------------------------------
    def snapshot(self) -> ConsumerSnapshot:
        """Frozen."""
        return ConsumerSnapshot(
            self.network.topics, self.assignment, self._subscriptions.positions(),
            tuple((name, self._fetcher.buffered(name)) for name in self.assignment),
            tuple((name, known.leader) for name, known in self.network.leaders.items()))

    def call(self, call: PollCall) -> PollSnapshot:
        """One call of `poll()`, frozen."""
        waits = ()
        if call.state == "polling":
            waits = tuple(Wait("state", self.client_id, f"buffered.{name}", 1, call.deadline_ms,
                               any_of=True) for name in self.assignment)
        return PollSnapshot(call.state, len(call.records), waits)
