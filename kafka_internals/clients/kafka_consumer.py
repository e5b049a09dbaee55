"""KafkaConsumer: what `poll()`, `seek()` and `assign()` do, and what goes on behind them.

The next fetches leave before `poll()` returns: the records of the next call are on their way while
the application works. Three numbers say how far a partition is: its position (what `poll()` gives
next), its fetch position (where the next fetch begins, ahead by what is buffered), and what is
committed for a group. Groups come later, so nothing is committed here.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from kafka_internals.clients import fetch_metrics_manager, kafka_consumer_metrics
from kafka_internals.clients.completed_fetch import ConsumerRecord
from kafka_internals.clients.fetch_metrics_manager import FetchMetricsManager
from kafka_internals.clients.fetcher import POSITION_RULE, Fetcher, Given
from kafka_internals.clients.kafka_consumer_metrics import KafkaConsumerMetrics
from kafka_internals.clients.metrics import MetricName, Metrics
from kafka_internals.clients.network_client import NetworkClient, node_sensors
from kafka_internals.clients.offset_fetcher import OffsetFetcher, OffsetLookup
from kafka_internals.clients.offsets_for_leader_epoch_client import OffsetsForLeaderEpochClient
from kafka_internals.clients.subscription_state import SubscriptionState, TopicPartitionState
from kafka_internals.common import Changed, TopicPartition, Wait
from kafka_internals.config.auto_offset_reset_strategy import AutoOffsetResetStrategy
from kafka_internals.errors import KafkaException
from kafka_internals.messages import Response
from kafka_internals.messages.fetch import FetchRequest, FetchResponse
from kafka_internals.messages.metadata import MetadataResponse
from kafka_internals.messages.offset_for_leader_epoch import OffsetForLeaderEpochResponse


class PollCall:
    """One call of `poll()`; `records` once it has returned, or the `error` that it raised."""

    __slots__ = ("subject", "deadline_ms", "state", "records", "error")

    def __init__(self, subject: str, deadline_ms: int) -> None:
        self.subject, self.deadline_ms, self.state = subject, deadline_ms, "polling"
        self.records: list[ConsumerRecord] = []
        self.error: Exception | None = None


class PollSnapshot(NamedTuple):
    """One call of `poll()`: "polling", "returned" or "failed", and how many records it gave.

    `offsets` are those of the records, by partition.
    """

    state: str
    records: int
    waits: tuple[Wait, ...]
    offsets: tuple[tuple[TopicPartition, tuple[int, ...]], ...] = ()


class ConsumerSnapshot(NamedTuple):
    """What a consumer knows; where it is not a tuple of names, of (partition, value) pairs.

    `fetch_position` is where the next fetch will begin, `known_high_watermark` what a fetch told
    last. A fetch in flight is what its partitions wait for (`in_flight`). `validating` are those
    whose new leader is asked whether the position is in its log (KIP-320).
    """

    topics: tuple[str, ...]
    partition_counts: tuple[tuple[str, int], ...]
    assignment: tuple[TopicPartition, ...]
    position: tuple[tuple[TopicPartition, int | None], ...]
    fetch_position: tuple[tuple[TopicPartition, int | None], ...]
    buffered: tuple[tuple[TopicPartition, int], ...]
    known_high_watermark: tuple[tuple[TopicPartition, int | None], ...]
    paused: tuple[TopicPartition, ...]
    leader: tuple[tuple[TopicPartition, int], ...]
    waits: tuple[Wait, ...] = ()
    validating: tuple[TopicPartition, ...] = ()
    preferred_read_replica: tuple[tuple[TopicPartition, int | None], ...] = ()

    @property
    def lag(self) -> tuple[tuple[TopicPartition, int | None], ...]:
        """From each position to the high watermark that is known; None where one is not."""
        return tuple((name, None if mark is None or at is None else mark - at)
                     for (name, at), (_, mark) in zip(self.position, self.known_high_watermark))

    @property
    def in_flight(self) -> tuple[tuple[TopicPartition, str], ...]:
        """The fetch that is on its way for a partition, by the request's identity."""
        asked = {one.attribute: one.subject for one in self.waits}
        return tuple((name, asked[f"fetch_position.{name}"]) for name in self.assignment
                     if f"fetch_position.{name}" in asked)


class KafkaConsumer:
    """The core of one consumer."""

    def __init__(self, client_id: str, bootstrap: tuple[int, ...], config: Any,
                 dice: Callable[[str], Callable[[int], int]]) -> None:
        self.client_id, self.config = client_id, config
        self.polls: list[PollCall] = []
        self._all_metrics = Metrics(client_id, "consumer", {
            **fetch_metrics_manager.SENSORS, **kafka_consumer_metrics.SENSORS,
            **node_sensors("consumer")})
        self.network = NetworkClient(client_id, bootstrap, config, dice, self._all_metrics)
        self._subscriptions = SubscriptionState(client_id, self.network, config)
        self._fetch_metrics = FetchMetricsManager(self._all_metrics)
        self._metrics = KafkaConsumerMetrics(self._all_metrics)
        self._fetcher = Fetcher(config, self.network, self._subscriptions, self._fetch_metrics)
        self._offsets = OffsetFetcher(config, self.network, self._subscriptions)
        self._validator = OffsetsForLeaderEpochClient(config, self.network, self._subscriptions)

    # -- the application's calls --------------------------------------------------------------
    def assign(self, partitions: tuple[TopicPartition, ...], now_ms: int) -> list:
        """Read exactly these partitions from now on; positions that are kept stay."""
        old = self.assignment
        self._subscriptions.assign(partitions)
        self._fetcher.retain(now_ms)
        effects = [Changed(self.client_id, "assignment", old, tuple(partitions), "assign()")]
        return effects + self._add_topics(partitions, "assignment") + self._run(now_ms)

    def _add_topics(self, partitions: tuple[TopicPartition, ...], read: str) -> list:
        return [change for name in partitions
                for change in self.network.add_topic(name.topic, ((self.client_id, read),))]

    def seek(self, partition: TopicPartition, to: int | str, now_ms: int) -> list:
        """Let the next record be the one at this offset, or at the "earliest" or "latest"."""
        state = self._subscriptions.assigned[partition]
        before = self._fetcher.position(partition)
        dropped = self._fetcher.drop(partition, now_ms)
        state.failure = None                      # it was about the position from before
        state.look_for(AutoOffsetResetStrategy(to) if isinstance(to, str) else None)
        effects = self._subscriptions.move(partition, None if isinstance(to, str) else to, before,
                                           f"seek to {to}")
        state.why = (self.client_id, f"position.{partition}")
        if dropped:
            effects.append(Changed(self.client_id, f"buffered.{partition}", dropped, 0, "seek()"))
        return effects + self._run(now_ms)

    def pause(self, partitions: tuple[TopicPartition, ...], now_ms: int) -> list:
        """Give nothing of these and fetch nothing, until `resume()`; their positions stay."""
        return self._set_paused(partitions, True, "pause()") + self._run(now_ms)

    def resume(self, partitions: tuple[TopicPartition, ...], now_ms: int) -> list:
        """Go on where `pause()` stopped, with what was buffered then."""
        return self._set_paused(partitions, False, "resume()") + self._run(now_ms)

    def _set_paused(self, partitions: tuple[TopicPartition, ...], to: bool, rule: str) -> list:
        old = self.paused
        for name in partitions:
            state = self._subscriptions.assigned[name]
            state.paused, state.why = to, (self.client_id, "paused")
        return [Changed(self.client_id, "paused", old, self.paused, rule)]

    def position(self, partition: TopicPartition) -> int | None:
        """Offset of the next record that `poll()` gives; None while there is no position."""
        return self._subscriptions.assigned[partition].position

    def current_lag(self, partition: TopicPartition) -> int | None:
        """Offsets from the position to the end, as far as fetches have told."""
        return self._subscriptions.lag(partition)

    @property
    def assignment(self) -> tuple[TopicPartition, ...]:
        """The assigned partitions, in the order given."""
        return tuple(self._subscriptions.assigned)

    @property
    def paused(self) -> tuple[TopicPartition, ...]:
        """Those of the assigned partitions that are paused."""
        return tuple(name for name, paused in self._subscriptions.each("paused") if paused)

    @property
    def lookups(self) -> list[OffsetLookup]:
        """The calls that asked for offsets."""
        return self._offsets.lookups

    def look_up(self, timestamps: dict[TopicPartition, int], now_ms: int) -> list:
        """Ask leaders for offsets by time; what comes is told in `lookups[-1]`."""
        self._offsets.look_up(timestamps, now_ms)
        return self._add_topics(tuple(timestamps), "topics") + self._run(now_ms)

    def poll(self, timeout_ms: int, now_ms: int) -> list:
        """Ask for records; what it gives is told in `polls[-1]`, at once or by the deadline."""
        call = PollCall(f"{self.client_id}#{len(self.polls) + 1}", now_ms + timeout_ms)
        self.polls.append(call)
        self._metrics.record_poll_start(now_ms)
        return [Changed(call.subject, "state", None, "polling", "poll()"), *self._run(now_ms)]

    # -- the work behind ----------------------------------------------------------------------
    def _run(self, now_ms: int) -> list:
        polling = self._polling()
        effects = self._fetcher.look_at_errors(now_ms) if polling else []
        effects += self._offsets.send_lookups(now_ms)
        effects += self.network.refresh_metadata(now_ms)
        effects += self._offsets.reset_positions(now_ms)
        effects += self._validator.validate_positions(now_ms)
        effects += self._fetcher.send_fetches(now_ms)
        if polling:
            effects += self._deliver(now_ms)
            if self.polls[-1].state != "failed":
                effects += self._fetcher.send_fetches(now_ms)
        return effects

    def _polling(self) -> bool:
        return bool(self.polls) and self.polls[-1].state == "polling"

    def _deliver(self, now_ms: int) -> list[Changed]:
        """End the call of `poll()` that waits: records, an error, or its time is up.

        It also ends, with nothing, where a position has moved past what is never given out.
        """
        call = self.polls[-1]
        failed = [one for one in self._subscriptions.assigned.values() if one.failure is not None]
        if any(one.position is None for one in failed) or \
                failed and not self._fetcher.has_records():
            return self._raise(call, self._first_failure(failed), now_ms)
        try:
            effects, reads = self._take(call, now_ms)
        except KafkaException as error:
            return self._raise(call, error, now_ms)
        if not effects and now_ms < call.deadline_ms:
            return []
        call.state = "returned"
        self._metrics.record_poll_end(now_ms)
        effects.append(Changed(call.subject, "state", "polling", "returned", "poll()", reads))
        if call.records:
            effects.append(Changed(call.subject, "records", 0, len(call.records), "poll()", reads))
        return effects

    def _first_failure(self, failed: list[TopicPartitionState]) -> Exception:
        """A missing position is told at once, another error when no records are left to give."""
        first = min(failed, key=lambda one: one.position is not None)
        error, first.failure = first.failure, None
        return error

    def _raise(self, call: PollCall, error: Exception, now_ms: int) -> list[Changed]:
        call.error, call.state = error, "failed"
        self._metrics.record_poll_end(now_ms)
        return [Changed(call.subject, "state", "polling", "failed", "poll()")]

    def _take(self, call: PollCall, now_ms: int) -> tuple[list[Changed], tuple]:
        """Give the call its records; with the changes comes what the call's end reads."""
        effects, moved = [], []
        for given in self._fetcher.collect(self.config["max.poll.records"], now_ms):
            call.records += given.records
            name, state = given.partition, self._subscriptions.assigned[given.partition]
            if state.position != given.end:
                effects += self._advance(call, given, state)
                moved.append(state.why)
            self._fetch_metrics.record_partition(name, self._subscriptions.lag(name),
                                                 self._subscriptions.lead(name), now_ms)
        return effects, tuple(moved)

    def _advance(self, call: PollCall, given: Given, state: TopicPartitionState) -> list[Changed]:
        """The position moves, by records or past what is not given out."""
        name, asked = given.partition, (call.subject, "state")
        old, state.position, state.offset_epoch = state.position, given.end, given.epoch
        state.why = (self.client_id, f"position.{name}")
        if not given.records:
            ahead = (self.client_id, f"fetch_position.{name}")
            return [Changed(*state.why, old, given.end, POSITION_RULE, (ahead, asked))]
        buffered = (self.client_id, f"buffered.{name}")
        return [Changed(*state.why, old, given.end, POSITION_RULE, (buffered, asked)),
                Changed(*buffered, given.left + len(given.records), given.left, POSITION_RULE,
                        (asked,))]

    # -- answers ------------------------------------------------------------------------------
    def handle(self, broker: int, response: Response, now_ms: int) -> list:
        """A response has come."""
        if (found := self.network.completed(broker, response, now_ms)) is None:
            return []
        asked, reads = found
        if isinstance(response.body, MetadataResponse):
            effects = list(self.network.learn(reads, response.body, now_ms))
        elif isinstance(response.body, FetchResponse):
            effects = self._fetcher.handle(broker, asked, response.body, reads, now_ms)
        elif isinstance(response.body, OffsetForLeaderEpochResponse):
            effects = self._validator.handle(asked, response.body, reads, now_ms)
        else:
            effects = self._offsets.handle(asked, response.body, reads, now_ms)
        return effects + self._run(now_ms)

    def disconnected(self, broker: int, now_ms: int) -> list:
        """The connection to a broker is gone: ask again, after the back-off."""
        return self._lost(broker, self.network.disconnected(broker, now_ms)[0], now_ms) \
            + self._run(now_ms)

    def _lost(self, broker: int, in_flight: list, now_ms: int) -> list[Changed]:
        self._offsets.disconnected(in_flight, now_ms)
        self._validator.disconnected(in_flight, now_ms)
        return self._fetcher.disconnected(broker, in_flight)

    # -- time ---------------------------------------------------------------------------------
    def tick(self, now_ms: int) -> list:
        """Time has passed: requests that got no answer, a poll whose time is up."""
        effects = []
        for broker in self.network.timed_out(now_ms):
            closed, in_flight, _ = self.network.give_up(broker, now_ms)
            effects += self._lost(broker, in_flight, now_ms) + closed
        return effects + self._run(now_ms)

    def next_deadline_ms(self, now_ms: int) -> int | None:
        """When `tick` has something to do."""
        due = [self.network.next_deadline_ms(now_ms), self._offsets.next_deadline_ms(now_ms),
               *self._subscriptions.deadlines_ms()]
        if self._polling():
            due.append(self.polls[-1].deadline_ms)
        return min([ms for ms in due if ms is not None and ms > now_ms], default=None)

    # -- seen from outside --------------------------------------------------------------------
    def metrics(self, now_ms: int) -> dict[MetricName, float]:
        """Every metric of the Java client that is measured here; to look changes nothing."""
        return self._all_metrics.read(now_ms, {**self._metrics.gauges(now_ms),
                                               **self.network.gauges()})

    def snapshot(self) -> ConsumerSnapshot:
        """Frozen."""
        subscriptions, fetcher = self._subscriptions, self._fetcher
        return ConsumerSnapshot(
            self.network.topics, tuple(self.network.partition_counts.items()), self.assignment,
            subscriptions.each("position"),
            tuple((name, fetcher.position(name)) for name in self.assignment),
            tuple((name, fetcher.buffered(name)) for name in self.assignment),
            subscriptions.each("high_watermark"), self.paused,
            tuple((name, known.leader) for name, known in self.network.leaders.items()),
            self._waits(), subscriptions.validating,
            tuple((name, one and one[0]) for name, one in
                  subscriptions.each("preferred_read_replica")))

    def _waits(self) -> tuple[Wait, ...]:
        """Each partition that is being fetched waits for the answer to that fetch."""
        late_ms = self.config["request.timeout.ms"]
        return tuple(Wait(f"fetch_position.{name}", one.request.id, "answer", None,
                          one.sent_ms + late_ms)
                     for broker in self.network.brokers
                     for one in self.network.in_flight_on(broker)
                     if isinstance(one.request.body, FetchRequest)
                     for name in one.context.session_partitions
                     if name in self._subscriptions.assigned)

    def call(self, call: PollCall) -> PollSnapshot:
        """One call of `poll()`, frozen."""
        offsets: dict[TopicPartition, list[int]] = {}
        for record in call.records:
            offsets.setdefault(TopicPartition(*record[:2]), []).append(record.offset)
        waits = self._poll_waits(call) if call.state == "polling" else ()
        return PollSnapshot(call.state, len(call.records), waits,
                            tuple((name, tuple(given)) for name, given in offsets.items()))

    def _poll_waits(self, call: PollCall) -> tuple[Wait, ...]:
        """A record of any partition that is not paused; where it is being fetched, that answer."""
        asked = {one.attribute: one.subject for one in self._waits()}
        waits = []
        for name in self.assignment:
            if name in self.paused:
                continue
            request = asked.get(f"fetch_position.{name}")
            subject, of = (self.client_id, f"buffered.{name}") if request is None else \
                (request, f"answer.{name}")
            waits.append(Wait("state", subject, of, 1, call.deadline_ms, any_of=True))
        return tuple(waits)
