"""OffsetFetcher: asks leaders where a partition begins, ends, or reaches a time.

For a consumer without a position, as `auto.offset.reset` says, and for an application that asks.
What fails is asked again after `retry.backoff.ms`, with new metadata.
"""

from typing import Any, NamedTuple

from kafka_internals.clients.network_client import InFlight, NetworkClient
from kafka_internals.clients.subscription_state import SubscriptionState
from kafka_internals.common import START_MS, Changed, TopicPartition
from kafka_internals.errors import NoOffsetForPartitionException, TimeoutException
from kafka_internals.messages.fetch import READ_COMMITTED
from kafka_internals.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
)

RESET_RULE = "without a position: auto.offset.reset"
LOOKUP_RULE = "the application asks where offsets are"


class OffsetAndTimestamp(NamedTuple):
    """What was found for a time: the first record that is not older; `timestamp` in epoch ms."""

    offset: int
    timestamp: int
    leader_epoch: int


class OffsetLookup:
    """One call for offsets; `found` by partition, None where nothing is so young."""

    __slots__ = ("timestamps", "deadline_ms", "not_before_ms", "asked", "found", "state", "error")

    def __init__(self, timestamps: dict[TopicPartition, int], deadline_ms: int) -> None:
        self.timestamps, self.deadline_ms, self.not_before_ms = timestamps, deadline_ms, 0
        self.asked: dict[TopicPartition, None] = {}            # and not answered yet
        self.found: dict[TopicPartition, OffsetAndTimestamp | None] = {}
        self.state = "waiting" if timestamps else "done"
        self.error: Exception | None = None

    def missing(self) -> list[TopicPartition]:
        """What has to be asked now."""
        return [name for name in self.timestamps
                if name not in self.found and name not in self.asked]

    def retry(self, name: TopicPartition, not_before_ms: int) -> None:
        """The question for one partition was in vain."""
        self.asked.pop(name, None)
        self.not_before_ms = max(self.not_before_ms, not_before_ms)


class OffsetFetcher:
    """Resets positions, and answers an application."""

    def __init__(self, config: Any, network: NetworkClient,
                 subscriptions: SubscriptionState) -> None:
        self._config, self._network, self._subscriptions = config, network, subscriptions
        self._committed_only = config["isolation.level"] == READ_COMMITTED
        self.lookups: list[OffsetLookup] = []

    # -- positions ----------------------------------------------------------------------------
    def reset_positions(self, now_ms: int) -> list:
        """Ask for what has no position; with the policy `none` that is an error of `poll()`."""
        subscriptions = self._subscriptions
        lost = [(name, state) for name, state in subscriptions.assigned.items()
                if state.position is None]
        if not lost:
            return []
        for name, state in lost:
            if state.reset is None:
                subscriptions.reset(state, NoOffsetForPartitionException(
                    f"Undefined offset with no reset policy for partitions: [{name}]"))
        effects = []
        led = subscriptions.by_leader(
            lambda name, state: state.wants_reset() and now_ms >= state.not_before_ms,
            ListOffsetsRequest, now_ms)
        for broker, names in led.items():
            effects += self._ask(broker, {name: subscriptions.assigned[name].reset.timestamp(
                START_MS + now_ms) for name in names}, None, now_ms, RESET_RULE)
            for name in names:
                subscriptions.assigned[name].not_before_ms = \
                    now_ms + self._config["request.timeout.ms"]
        return effects

    def _ask(self, broker: int, timestamps: dict[TopicPartition, int],
             lookup: OffsetLookup | None, now_ms: int, rule: str) -> list:
        body = ListOffsetsRequest(tuple(
            ListOffsetsPartition(name, self._network.leader_of(name).leader_epoch, timestamp)
            for name, timestamp in timestamps.items()), self._committed_only)
        reads = self._subscriptions.reads([*timestamps]) if lookup is None else tuple(
            (self._subscriptions.client_id, f"leader.{name}") for name in timestamps)
        return self._network.send(broker, body, lookup, now_ms, rule, reads)

    def handle(self, asked: InFlight, body: ListOffsetsResponse, reads: tuple,
               now_ms: int) -> list[Changed]:
        """Take over the offsets that were found, where they are still wanted."""
        if asked.context is not None:
            self._answer(asked.context, body, reads, now_ms)
            return []
        effects = []
        for question, found in zip(asked.request.body.partitions, body.partitions):
            state = self._subscriptions.assigned.get(found.partition)
            if state is None or not state.wants_reset() or \
                    state.reset.duration_ms is None and \
                    state.reset.timestamp(now_ms) != question.timestamp:
                continue                          # an answer to what was wanted before
            state.why = reads[0]
            if found.error != "NONE":
                self._again(found.partition, now_ms)
                self._network.want_metadata(reads)
            elif found.offset >= 0:
                state.look_for(None)
                effects += self._subscriptions.move(found.partition, found.offset, None,
                                                    RESET_RULE, reads)
        return effects

    # -- an application asks ------------------------------------------------------------------
    def look_up(self, timestamps: dict[TopicPartition, int], now_ms: int) -> None:
        """Begin a call; what comes of it is told in `lookups[-1]`."""
        self.lookups.append(OffsetLookup(timestamps,
                                         now_ms + self._config["default.api.timeout.ms"]))

    def send_lookups(self, now_ms: int) -> list:
        """Ask the leaders of what is missing, or give up when the time is over."""
        lookup = self._waiting()
        if lookup is None:
            return []
        if now_ms >= lookup.deadline_ms:
            lookup.state, lookup.error = "failed", TimeoutException(
                f"Failed to get offsets by times in {self._config['default.api.timeout.ms']}ms")
            return []
        effects, led = [], {}
        for name in lookup.missing() if now_ms >= lookup.not_before_ms else ():
            known = self._network.leader_of(name)
            if known is None:
                self._network.want_metadata()
            elif self._network.can_send(known.leader, now_ms):
                led.setdefault(known.leader, {})[name] = lookup.timestamps[name]
        for broker, timestamps in led.items():
            lookup.asked |= dict.fromkeys(timestamps)
            effects += self._ask(broker, timestamps, lookup, now_ms, LOOKUP_RULE)
        return effects

    def _waiting(self) -> OffsetLookup | None:
        lookup = self.lookups[-1] if self.lookups else None
        return lookup if lookup is not None and lookup.state == "waiting" else None

    def _answer(self, lookup: OffsetLookup, body: ListOffsetsResponse, reads: tuple,
                now_ms: int) -> None:
        for told in body.partitions:
            if told.error == "NONE":
                lookup.asked.pop(told.partition, None)
                lookup.found[told.partition] = None if told.offset < 0 else OffsetAndTimestamp(
                    told.offset, told.timestamp, told.leader_epoch)
            else:
                lookup.retry(told.partition, now_ms + self._config["retry.backoff.ms"])
                self._network.want_metadata(reads)
        if len(lookup.found) == len(lookup.timestamps) and lookup.state == "waiting":
            lookup.state = "done"

    # -- failures and time --------------------------------------------------------------------
    def disconnected(self, in_flight: list[InFlight], now_ms: int) -> None:
        """These requests will not be answered."""
        for asked in in_flight:
            if not isinstance(asked.request.body, ListOffsetsRequest):
                continue
            for question in asked.request.body.partitions:
                if asked.context is None:
                    self._again(question.partition, now_ms)
                else:
                    asked.context.retry(question.partition,
                                        now_ms + self._config["retry.backoff.ms"])

    def _again(self, name: TopicPartition, now_ms: int) -> None:
        if state := self._subscriptions.assigned.get(name):
            state.not_before_ms = now_ms + self._config["retry.backoff.ms"]

    def next_deadline_ms(self, now_ms: int) -> int | None:
        """When a call has to ask again, or gives up."""
        if (lookup := self._waiting()) is None:
            return None
        leaders = [known.leader for name in lookup.missing()
                   if (known := self._network.leader_of(name))]
        again = [self._network.reachable_from_ms(leader) for leader in leaders]
        return min(ms for ms in (lookup.deadline_ms, lookup.not_before_ms, *again)
                   if ms > now_ms or ms == lookup.deadline_ms)
