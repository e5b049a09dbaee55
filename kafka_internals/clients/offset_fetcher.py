"""OffsetFetcher: where a consumer begins that has no position: it asks the partition's leader."""

from typing import Any

from kafka_internals.clients.network_client import InFlight, NetworkClient
from kafka_internals.clients.subscription_state import SubscriptionState
from kafka_internals.common import Changed, TopicPartition
from kafka_internals.errors import NoOffsetForPartitionException
from kafka_internals.messages.list_offsets import (
    EARLIEST_TIMESTAMP,
    LATEST_TIMESTAMP,
    ListOffsetsPartition,
    ListOffsetsRequest,
    ListOffsetsResponse,
)

RESET_RULE = "without a position: auto.offset.reset"
RESET = {"earliest": EARLIEST_TIMESTAMP, "latest": LATEST_TIMESTAMP}


class OffsetFetcher:
    """Resets positions; what fails is tried again after `retry.backoff.ms`, with new metadata."""

    def __init__(self, config: Any, network: NetworkClient,
                 subscriptions: SubscriptionState) -> None:
        self._config, self._network, self._subscriptions = config, network, subscriptions

    def reset_positions(self, now_ms: int) -> list:
        """Ask for what has no position; with the policy `none` that is an error of `poll()`."""
        subscriptions = self._subscriptions
        for name, state in subscriptions.assigned.items():
            if state.position is None and state.reset is None:
                subscriptions.reset(state, NoOffsetForPartitionException(
                    f"Undefined offset with no reset policy for partitions: [{name}]"))
        effects = []
        led = subscriptions.by_leader(
            lambda name, state: state.wants_reset() and now_ms >= state.not_before_ms,
            ListOffsetsRequest, now_ms)
        for broker, names in led.items():
            body = ListOffsetsRequest(tuple(
                ListOffsetsPartition(name, self._network.leader_of(name).leader_epoch,
                                     RESET[subscriptions.assigned[name].reset])
                for name in names))
            effects += self._network.send(broker, body, names, now_ms, RESET_RULE,
                                          subscriptions.reads(names))
        return effects

    def handle(self, body: ListOffsetsResponse, reads: tuple, now_ms: int) -> list[Changed]:
        """Take over the offsets that were found, where they are still wanted."""
        effects = []
        for found in body.partitions:
            state = self._subscriptions.assigned.get(found.partition)
            if state is None or not state.wants_reset():
                continue
            state.why = reads[0]
            if found.error != "NONE":
                self._again(found.partition, now_ms)
                self._network.want_metadata(reads)
                continue
            state.position, state.reset = found.offset, None
            effects.append(Changed(self._subscriptions.client_id, f"position.{found.partition}",
                                   None, found.offset, RESET_RULE, reads))
        return effects

    def disconnected(self, in_flight: list[InFlight], now_ms: int) -> None:
        """These requests will not be answered."""
        for asked in in_flight:
            for question in asked.request.body.partitions:
                if type(question) is ListOffsetsPartition:
                    self._again(question.partition, now_ms)

    def _again(self, name: TopicPartition, now_ms: int) -> None:
        if state := self._subscriptions.assigned.get(name):
            state.not_before_ms = now_ms + self._config["retry.backoff.ms"]
