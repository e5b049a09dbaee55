"""Fetcher and FetchCollector: fetches that run ahead of `poll()`, and what they brought.

Fetches go to leaders, one at a time to each broker and none while something from it is still
buffered that `poll()` could give. What came first is given first. An error waits in the buffer as
records do, until a `poll()` looks at it.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from kafka_internals.clients.completed_fetch import CompletedFetch, ConsumerRecord
from kafka_internals.clients.fetch_metrics_manager import (
    FetchMetricsAggregator,
    FetchMetricsManager,
)
from kafka_internals.clients.fetch_session_handler import FetchSessionHandler
from kafka_internals.clients.network_client import InFlight, NetworkClient
from kafka_internals.clients.offset_fetcher import RESET_RULE
from kafka_internals.clients.subscription_state import SubscriptionState, TopicPartitionState
from kafka_internals.common import Changed, TopicPartition
from kafka_internals.errors import (
    CorruptRecordException,
    IllegalStateException,
    InvalidMetadataException,
    KafkaException,
    OffsetNotAvailableException,
    OffsetOutOfRangeException,
    UnknownLeaderEpochException,
    UnknownServerException,
    for_name,
)
from kafka_internals.messages.fetch import CONSUMER, FetchPartition, FetchRequest, FetchResponse

FETCH_RULE = "a consumer fetches from its position, and ahead of poll()"
NEARER_RULE = "the leader says where to read, until metadata.max.age.ms or an error (KIP-392)"
POSITION_RULE = "position = offset of the next record that poll() gives"


class Given(NamedTuple):
    """What `poll()` takes of one partition: records, and how many are left of its fetch.

    `end` is where the position is afterwards; without records it may still have moved. `epoch` is
    that of the leader who wrote what was passed last.
    """

    partition: TopicPartition
    records: list[ConsumerRecord]
    end: int
    left: int
    epoch: int | None = None


class Fetcher:
    """Sends fetches and holds what they brought, by partition, in the order of its arrival."""

    def __init__(self, config: Any, network: NetworkClient, subscriptions: SubscriptionState,
                 metrics: FetchMetricsManager) -> None:
        self._config, self._network, self._subscriptions = config, network, subscriptions
        self._client_id, self._metrics = subscriptions.client_id, metrics
        self._sessions: dict[int, FetchSessionHandler] = {}
        self._completed: dict[TopicPartition, CompletedFetch] = {}

    def buffered(self, name: TopicPartition) -> int:
        """How many records of this partition wait for a `poll()`."""
        return len(self._completed[name].records) if name in self._completed else 0

    def position(self, name: TopicPartition) -> int | None:
        """Where the next fetch will begin: behind what is buffered."""
        one = self._completed.get(name)
        return self._subscriptions.assigned[name].position if one is None else one.end_offset

    def retain(self, now_ms: int) -> None:
        """Drop what came for partitions that are not assigned any more."""
        for name in list(self._completed):
            if name not in self._subscriptions.assigned:
                self.drop(name, now_ms)
        self._metrics.retain(self._subscriptions.assigned)

    def drop(self, name: TopicPartition, now_ms: int) -> int:
        """Forget what came of one partition; how many records that were."""
        dropped = self.buffered(name)
        if name in self._completed:
            self._completed.pop(name).drain(now_ms)
        return dropped

    # -- fetches ------------------------------------------------------------------------------
    def send_fetches(self, now_ms: int) -> list:
        """Ask each leader from which nothing is buffered and nothing in flight."""
        effects, config, subscriptions = [], self._config, self._subscriptions
        if not (led := subscriptions.by_leader(self._is_fetchable, FetchRequest, now_ms, True)):
            return effects
        holding = {subscriptions.read_replica(name, now_ms) for name in self._completed
                   if subscriptions.assigned[name].is_fetchable()}
        for broker, names in led.items():
            if broker in holding:
                continue
            data = self._sessions.setdefault(broker, FetchSessionHandler()).build(
                [FetchPartition(name, subscriptions.assigned[name].position,
                                self._network.leader_of(name).leader_epoch,
                                config["max.partition.fetch.bytes"]) for name in names])
            body = FetchRequest(CONSUMER, config["fetch.max.wait.ms"], config["fetch.min.bytes"],
                                config["fetch.max.bytes"], data.to_send,
                                config["isolation.level"], data.metadata, data.to_forget,
                                rack_id=config["client.rack"])
            effects += self._network.send(broker, body, data, now_ms, FETCH_RULE,
                                          subscriptions.reads(names))
        return effects

    def _is_fetchable(self, name: TopicPartition, state: TopicPartitionState) -> bool:
        return name not in self._completed and state.is_fetchable()

    def disconnected(self, broker: int, in_flight: list[InFlight]) -> list[Changed]:
        """A fetch that is not answered leaves its session in doubt, and who was preferred too."""
        effects = []
        for one in in_flight:
            if isinstance(one.request.body, FetchRequest):
                self._sessions[broker].handle_error()
                for name in one.context.session_partitions:
                    if name in self._subscriptions.assigned:
                        effects += self._subscriptions.prefer(name, None, NEARER_RULE)
        return effects

    def handle(self, broker: int, asked: InFlight, body: FetchResponse, reads: tuple,
               now_ms: int) -> list[Changed]:
        """Buffer what came, where the position is still the one that was asked for."""
        session, effects = asked.context.session_partitions, []
        assigned = self._subscriptions.assigned
        self._metrics.record_latency(broker, now_ms - asked.sent_ms, now_ms)
        for name, question in session.items():
            if name in assigned and assigned[name].position == question.fetch_offset:
                assigned[name].why = reads[0]
        if not self._sessions[broker].handle_response(body):
            return []
        aggregator = FetchMetricsAggregator(self._metrics,
                                            [data.partition for data in body.partitions])
        for data in body.partitions:
            name, offset = data.partition, session[data.partition].fetch_offset
            one = CompletedFetch(data, offset, self._config, reads, aggregator)
            if name not in assigned or assigned[name].position != offset:
                one.drain(now_ms)                 # reassigned or moved since: nobody wants it
                continue
            if data.error == "NONE":
                if data.preferred_read_replica >= 0:
                    until_ms = now_ms + self._config["metadata.max.age.ms"]
                    effects += self._subscriptions.prefer(
                        name, (data.preferred_read_replica, until_ms), NEARER_RULE, reads)
                effects += self._subscriptions.told(data, reads)
                effects += self._buffer(one, offset)
                if name not in self._completed:
                    one.drain(now_ms)
            else:
                effects += self._network.update_leadership(data, reads)
                self._completed[name] = one
        return effects

    def _buffer(self, one: CompletedFetch, offset: int) -> list[Changed]:
        """Keep what brings records, an error in their bytes, or leads past what is not given."""
        if one.failure is None and one.end_offset == offset:
            return []
        name, effects = one.partition, []
        self._completed[name] = one
        if one.records:
            effects.append(Changed(self._client_id, f"buffered.{name}", 0, len(one.records),
                                   FETCH_RULE, one.reads))
        if one.end_offset != offset:
            effects.append(Changed(self._client_id, f"fetch_position.{name}", offset,
                                   one.end_offset, FETCH_RULE, one.reads))
        return effects

    # -- what poll() takes --------------------------------------------------------------------
    def look_at_errors(self, now_ms: int) -> list[Changed]:
        """Deal with what fetches brought instead of records: only a `poll()` does."""
        effects = []
        for name, one in list(self._completed.items()):
            if one.error != "NONE":
                self.drop(name, now_ms)
                effects += self._failed(name, one, self._subscriptions.assigned[name])
                self._subscriptions.move_to_end(name)
        return effects

    def _failed(self, name: TopicPartition, one: CompletedFetch,
                state: TopicPartitionState) -> list[Changed]:
        """Ask for metadata, start over, fetch again or give up, as FetchCollector does.

        No back-off: until metadata has told better, the next fetch goes to the same broker.
        """
        error = for_name(one.error)(f"{name}: {one.error}")
        if isinstance(error, OffsetOutOfRangeException):
            if state.preferred_read_replica is not None:      # the leader may know better
                return self._subscriptions.prefer(name, None, NEARER_RULE, one.reads)
            self._subscriptions.reset(state, OffsetOutOfRangeException(
                f"Fetch position {state.position} is out of range for partition {name}"))
            if state.reset is not None:
                return self._subscriptions.move(name, None, state.position, RESET_RULE, one.reads)
        elif isinstance(error, CorruptRecordException):
            state.failure = KafkaException(f"Encountered corrupt message when fetching offset "
                                           f"{state.position} for topic-partition {name}")
        elif isinstance(error, (InvalidMetadataException, OffsetNotAvailableException)):
            self._network.want_metadata(one.reads)
            return self._subscriptions.prefer(name, None, NEARER_RULE, one.reads)
        elif not isinstance(error, (UnknownLeaderEpochException, UnknownServerException)):
            state.failure = IllegalStateException(
                f"Unexpected error code {error.code} ({one.error}) while fetching at offset "
                f"{state.position} from topic-partition {name}")
        return []

    def has_records(self) -> bool:
        """True where a `poll()` would find something."""
        return any(one.records and not self._subscriptions.assigned[name].paused
                   for name, one in self._completed.items())

    def collect(self, most: int, now_ms: int) -> Iterator[Given]:
        """`most` records in all, oldest fetch first; what is paused waits.

        KafkaException where the first thing to give is damaged; behind others it waits.
        """
        given = False
        for name, one in list(self._completed.items()):
            if not most or self._subscriptions.assigned[name].paused:
                continue
            try:
                records = one.take(most)
            except KafkaException:
                if given:
                    return
                raise
            most, given = most - len(records), True
            if one.is_consumed:
                self.drop(name, now_ms)
                if one.records_read:
                    self._subscriptions.move_to_end(name)
            yield Given(name, records, one.end_offset if one.is_consumed else
                        records[-1].offset + 1, len(one.records), one.last_epoch)
