"""OffsetsForLeaderEpochClient: is a consumer's position still in the log of a new leader (KIP-320)?

Where the leader of a partition is another one, or leads in another epoch, what was read last may
have been cut off: only an unclean election does that. Before it fetches again a consumer asks the
leader where the epoch of its last record ends. An end below the position is where the logs part:
there it goes on, or without `auto.offset.reset` that is an error of `poll()`.
"""

from typing import Any

from kafka_internals.clients.network_client import InFlight, NetworkClient
from kafka_internals.clients.subscription_state import (
    TRUNCATION_RULE,
    SubscriptionState,
    TopicPartitionState,
)
from kafka_internals.common import Changed
from kafka_internals.errors import LogTruncationException
from kafka_internals.messages.offset_for_leader_epoch import (
    CONSUMER,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition,
)

VALIDATION_RULE = "another leader epoch: a position counts once its last epoch is found (KIP-320)"
UNDEFINED = -1


class OffsetsForLeaderEpochClient:
    """Validates positions; a partition that is asked about is not fetched."""

    def __init__(self, config: Any, network: NetworkClient,
                 subscriptions: SubscriptionState) -> None:
        self._config, self._network, self._subscriptions = config, network, subscriptions

    def validate_positions(self, now_ms: int) -> list:
        """Notice other leaders, and ask them."""
        subscriptions, effects, old, validating = self._subscriptions, [], [], []
        for name, state in subscriptions.assigned.items():
            if state.awaits_validation:
                old.append(name)
            known = self._network.leader_of(name)
            if known is not None and state.position is not None and state.current_leader != known:
                is_first, state.current_leader = state.current_leader is None, known
                state.awaits_validation = state.offset_epoch is not None and not is_first
                effects += subscriptions.prefer(name, None, VALIDATION_RULE)
            if state.awaits_validation:
                validating.append(name)
        if not validating:
            return effects + self._told(tuple(old), ()) if old else effects
        effects += self._told(tuple(old), tuple((subscriptions.client_id, f"leader.{name}")
                                         for name in validating if name not in old))
        led = subscriptions.by_leader(
            lambda name, state: state.awaits_validation and now_ms >= state.not_before_ms,
            OffsetForLeaderEpochRequest, now_ms)
        for broker, names in led.items():
            states = [subscriptions.assigned[name] for name in names]
            body = OffsetForLeaderEpochRequest(CONSUMER, tuple(
                OffsetForLeaderPartition(name, state.current_leader.leader_epoch,
                                         state.offset_epoch)
                for name, state in zip(names, states)))
            effects += self._network.send(broker, body, [state.position for state in states],
                                          now_ms, VALIDATION_RULE, subscriptions.reads(names))
            for state in states:
                state.not_before_ms = now_ms + self._config["request.timeout.ms"]
        return effects

    def _told(self, old: tuple, reads: tuple) -> list[Changed]:
        now = self._subscriptions.validating
        return [] if now == old else [Changed(self._subscriptions.client_id, "validating", old, now,
                                              VALIDATION_RULE, reads)]

    def handle(self, asked: InFlight, body: OffsetForLeaderEpochResponse, reads: tuple,
               now_ms: int) -> list[Changed]:
        """Positions that are found again, or are not; where one has moved since, nothing."""
        old, effects = self._subscriptions.validating, []
        for question, position, found in zip(asked.request.body.partitions, asked.context,
                                             body.partitions):
            state = self._subscriptions.assigned.get(found.partition)
            if state is None or not state.awaits_validation or state.position != position or \
                    state.current_leader.leader_epoch != question.current_leader_epoch:
                continue
            state.why = reads[0]
            if found.error != "NONE":
                state.not_before_ms = now_ms + self._config["retry.backoff.ms"]
                self._network.want_metadata(reads)
                continue
            state.awaits_validation, state.not_before_ms = False, 0
            effects += self._found(found, state, reads)
        return effects + self._told(old, reads)

    def _found(self, found: Any, state: TopicPartitionState, reads: tuple) -> list[Changed]:
        name, position = found.partition, state.position
        known = found.end_offset != UNDEFINED and found.leader_epoch != UNDEFINED
        if known and found.end_offset >= position:
            return []
        if known and self._subscriptions.resets:
            state.offset_epoch = found.leader_epoch
            return self._subscriptions.move(name, found.end_offset, position, TRUNCATION_RULE,
                                            reads)
        where = f"{name}: {found.end_offset}" if known else ""
        self._subscriptions.reset(state, LogTruncationException(
            f"Detected log truncation with diverging offsets {{{where}}}: position {position} of "
            f"{name} was read in leader epoch {state.offset_epoch}"))
        return [] if state.reset is None else self._subscriptions.move(
            name, None, position, TRUNCATION_RULE, reads)

    def disconnected(self, in_flight: list[InFlight], now_ms: int) -> None:
        """These questions will not be answered."""
        for asked in in_flight:
            if isinstance(asked.request.body, OffsetForLeaderEpochRequest):
                for question in asked.request.body.partitions:
                    if state := self._subscriptions.assigned.get(question.partition):
                        state.not_before_ms = now_ms + self._config["retry.backoff.ms"]
