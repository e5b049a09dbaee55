"""Fetcher and FetchCollector: fetches that run ahead of `poll()`, and what they brought.

Fetches go to leaders, one at a time to each broker and none while something from it is still
buffered. What came first is given first. An error waits in the buffer as records do, until a
`poll()` looks at it.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from kafka_internals.clients.network_client import InFlight, NetworkClient
from kafka_internals.clients.offset_fetcher import RESET_RULE
from kafka_internals.clients.subscription_state import SubscriptionState, TopicPartitionState
from kafka_internals.common import Changed, TopicPartition
from kafka_internals.errors import (
    CorruptRecordException,
    InvalidMetadataException,
    KafkaException,
    OffsetNotAvailableException,
    OffsetOutOfRangeException,
    RetriableException,
    UnknownServerException,
    for_name,
)
from kafka_internals.messages.fetch import (
    CONSUMER,
    FetchPartition,
    FetchRequest,
    FetchResponse,
    PartitionData,
)
from kafka_internals.record_batch import batches

FETCH_RULE = "a consumer fetches from its position, and ahead of poll()"
POSITION_RULE = "position = offset of the next record that poll() gives"


class ConsumerRecord(NamedTuple):
    """One record as an application gets it; `timestamp` in epoch ms."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


class CompletedFetch(NamedTuple):
    """What one fetch brought of one partition: records, or the name of an error."""

    records: deque[ConsumerRecord]
    error: str | None = None
    reads: tuple = ()


class Fetcher:
    """Sends fetches and holds what they brought, by partition, in the order of its arrival."""

    def __init__(self, config: Any, network: NetworkClient,
                 subscriptions: SubscriptionState) -> None:
        self._config, self._network, self._subscriptions = config, network, subscriptions
        self._client_id = subscriptions.client_id
        self._completed: dict[TopicPartition, CompletedFetch] = {}

    def buffered(self, name: TopicPartition) -> int:
        """How many records of this partition wait for a `poll()`."""
        return len(self._completed[name].records) if name in self._completed else 0

    def retain(self) -> None:
        """Drop what came for partitions that are not assigned any more."""
        self._completed = {name: one for name, one in self._completed.items()
                           if name in self._subscriptions.assigned}

    def drop(self, name: TopicPartition) -> int:
        """Forget what came of one partition; how many records that were."""
        dropped = self.buffered(name)
        self._completed.pop(name, None)
        return dropped

    # -- fetches ------------------------------------------------------------------------------
    def send_fetches(self, now_ms: int) -> list:
        """Ask each leader from which nothing is buffered and nothing in flight."""
        effects, config, subscriptions = [], self._config, self._subscriptions
        holding = {known.leader for name in self._completed
                   if (known := self._network.leader_of(name))}
        led = subscriptions.by_leader(self._is_fetchable, FetchRequest, now_ms)
        for broker, names in led.items():
            if broker in holding:
                continue
            body = FetchRequest(
                CONSUMER, config["fetch.max.wait.ms"], config["fetch.min.bytes"],
                config["fetch.max.bytes"],
                tuple(FetchPartition(name, subscriptions.assigned[name].position,
                                     self._network.leader_of(name).leader_epoch,
                                     config["max.partition.fetch.bytes"]) for name in names))
            effects += self._network.send(broker, body, names, now_ms, FETCH_RULE,
                                          subscriptions.reads(names))
        return effects

    def _is_fetchable(self, name: TopicPartition, state: TopicPartitionState) -> bool:
        return state.position is not None and state.failure is None \
            and name not in self._completed

    def handle(self, asked: InFlight, body: FetchResponse, reads: tuple) -> list[Changed]:
        """Buffer what came, where the position is still the one that was asked for."""
        effects = []
        for question, data in zip(asked.request.body.partitions, body.partitions):
            state = self._subscriptions.assigned.get(data.partition)
            if state is None or state.position != question.fetch_offset:
                continue                          # reassigned or moved since: nobody wants it
            state.why = reads[0]
            if data.error != "NONE":
                self._completed[data.partition] = CompletedFetch(deque(), data.error, reads)
            elif records := self._unpack(data, state):
                self._completed[data.partition] = CompletedFetch(records)
                effects.append(Changed(self._client_id, f"buffered.{data.partition}", 0,
                                       len(records), FETCH_RULE, reads))
        return effects

    def _unpack(self, data: PartitionData, state: TopicPartitionState) -> deque[ConsumerRecord]:
        """The records from the position on, up to a batch that is damaged."""
        records: deque[ConsumerRecord] = deque()
        for batch in batches(data.records):
            try:
                batch.ensure_valid()
                records += [ConsumerRecord(*data.partition, *record) for record in batch.records()
                            if record.offset >= state.position]
            except KafkaException as error:
                state.failure = KafkaException(
                    f"Record batch for partition {data.partition} at offset {batch.base_offset} "
                    f"is invalid, cause: {error}")
                break
        return records

    # -- what poll() takes --------------------------------------------------------------------
    def look_at_errors(self) -> list[Changed]:
        """Deal with what fetches brought instead of records: only a `poll()` does."""
        effects = []
        for name, one in list(self._completed.items()):
            if one.error is not None:
                del self._completed[name]
                effects += self._failed(name, one, self._subscriptions.assigned[name])
        return effects

    def _failed(self, name: TopicPartition, one: CompletedFetch,
                state: TopicPartitionState) -> list[Changed]:
        """Ask for metadata, start over, fetch again or give up, as FetchCollector does.

        No back-off: until metadata has told better, the next fetch goes to the same broker.
        """
        error = for_name(one.error)(f"{name}: {one.error}")
        if isinstance(error, OffsetOutOfRangeException):
            self._subscriptions.reset(state, error)
            if state.reset is not None:
                old, state.position = state.position, None
                return [Changed(self._client_id, f"position.{name}", old, None, RESET_RULE,
                                one.reads)]
        elif isinstance(error, CorruptRecordException):
            state.failure = KafkaException(f"Encountered corrupt message when fetching offset "
                                           f"{state.position} for topic-partition {name}")
        elif isinstance(error, (InvalidMetadataException, OffsetNotAvailableException)):
            self._network.want_metadata(one.reads)
        elif not isinstance(error, (RetriableException, UnknownServerException)):
            state.failure = error
        return []

    def has_records(self) -> bool:
        """True where a `poll()` would find something."""
        return any(one.records for one in self._completed.values())

    def collect(self, most: int) -> Iterator[tuple[TopicPartition, list[ConsumerRecord], int]]:
        """(partition, records, how many are left), `most` records in all, oldest fetch first."""
        for name, (records, *_) in list(self._completed.items()):
            taken = [records.popleft() for _ in range(min(most, len(records)))]
            most -= len(taken)
            if not records:
                del self._completed[name]
                self._subscriptions.move_to_end(name)
            if taken:
                yield name, taken, len(records)
