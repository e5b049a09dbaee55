"""NetworkClient and Metadata: what producer and consumer share below their own rules.

It keeps at most so many requests in flight to each broker, closes a connection whose oldest request
was not answered within `request.timeout.ms`, waits before it connects again, and learns from any
broker that it can reach who leads which partition.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from kafka_internals.clients.metrics import Metrics, Sensor
from kafka_internals.common import NO_NODE, Changed, Disconnect, Send, TopicPartition
from kafka_internals.messages import Request, Response
from kafka_internals.messages.metadata import MetadataRequest, MetadataResponse


def node_sensors(kind: str) -> dict[str, Sensor]:
    """What is measured of each broker; `kind` is "producer" or "consumer"."""
    group, of = f"{kind}-node-metrics", ("node-id",)
    return {"node.responses-received": Sensor(group, (("response-total", "count"),), of),
            "node.latency": Sensor(group, (("request-latency-avg", "avg"),
                                           ("request-latency-max", "max")), of)}


HINT_RULE = "a broker that does not lead says who does, in a newer epoch (KIP-951)"
METADATA_RULE = "a client asks any broker who leads what, and again when it was told wrong"
REBOOTSTRAP_RULE = ("a client that can reach no broker it knows of forgets them, and begins again "
                    "with bootstrap.servers (KIP-899)")


class InFlight(NamedTuple):
    """A request that was sent and not answered yet; `context` is its owner's."""

    request: Request
    sent_ms: int
    context: Any


class Leadership(NamedTuple):
    """Who leads a partition, as this client was told."""

    leader: int
    leader_epoch: int


class NetworkClient:
    """One client's connections and its knowledge of the cluster."""

    def __init__(self, client_id: str, bootstrap: tuple[int, ...], config: Any,
                 dice: Callable[[str], Callable[[int], int]], metrics: Metrics) -> None:
        self.client_id, self._config, self._metrics = client_id, config, metrics
        self._request_timeout_ms = config["request.timeout.ms"]
        self._retry_backoff, self._reconnect_backoff = (        # the first wait and the longest
            (config[f"{kind}.backoff.ms"], config[f"{kind}.backoff.max.ms"])
            for kind in ("retry", "reconnect"))
        self._jitter, self._first_asked = dice("back-off"), dice("least loaded node")
        self._max_in_flight = config.get("max.in.flight.requests.per.connection", 100)
        self.brokers = self._bootstrap = bootstrap
        self.leaders: dict[TopicPartition, Leadership] = {}
        self._led: dict[TopicPartition, Leadership] = {}     # of these who has a leader:
        self.leader_of: Callable[[TopicPartition], Leadership | None] = self._led.get
        self.partition_counts: dict[str, int] = {}
        self.unknown_topics: set[str] = set()
        self._topics: dict[str, None] = {}
        self._correlation_id = 0
        self._in_flight: dict[int, deque[InFlight]] = {}
        self._answers: dict[int, list[tuple]] = {}           # of each connection: kind and read
        self._reconnect: dict[int, tuple[int, int]] = {}     # broker -> (failures, not before ms)
        self._throttled_until_ms: dict[int, int] = {}        # over a quota there (KIP-219)
        self._metadata_wanted, self._metadata_not_before_ms = False, 0
        self._metadata_old_ms: int | None = None             # when it is `metadata.max.age.ms` old
        self._metadata_failures = self._metadata_repeats = 0     # lost, or without any news
        self._metadata_request: str | None = None
        self._metadata_reads: tuple = ()                     # why it is wanted, for "why?"

    # -- sending ------------------------------------------------------------------------------
    def send(self, to: int, body: Any, context: Any, now_ms: int, rule: str,
             reads: tuple, max_in_flight: int | None = None) -> list:
        """Send a request; `reads` is what its sender knew, for "why?".

        The answer that made room is a part of that. Without `max_in_flight` only one request of
        this kind may be in flight to this broker.
        """
        in_flight = self._in_flight.setdefault(to, deque())
        reads += self._room(self._answers.get(to, ()), type(body),
                            max_in_flight and max_in_flight - len(in_flight))
        self._correlation_id += 1
        request = Request.of(self.client_id, self._correlation_id, body)
        in_flight.append(InFlight(request, now_ms, context))
        return [Changed(request.id, "asked", None, str(body), rule, reads), Send(to, request)]

    @staticmethod
    def _room(answers: Sequence[tuple], kind: type, left: int | None) -> tuple:
        """Of a connection's answers the last one without which there would be no room."""
        if left is None:
            return next((read for of, read in reversed(answers) if of is kind), ())
        return answers[-left][1] if left <= len(answers) else ()

    def forget_last(self, to: int) -> None:
        """The request that was sent last needs no answer (acks=0)."""
        self._in_flight[to].pop()

    def can_send(self, to: int, now_ms: int) -> bool:
        """No reconnect back-off, and room in the pipeline."""
        return now_ms >= self.reachable_from_ms(to) and (
            to not in self._in_flight or len(self._in_flight[to]) < self._max_in_flight)

    def in_flight_on(self, to: int) -> tuple[InFlight, ...]:
        """What one broker has not answered, oldest first."""
        return tuple(self._in_flight.get(to, ()))

    def awaits(self, to: int, kind: type) -> bool:
        """True where one broker has not answered a request of this kind yet."""
        for one in self._in_flight.get(to, ()):
            if type(one.request.body) is kind:
                return True
        return False

    def in_flight_to(self, to: int) -> int:
        """How many requests one broker has not answered."""
        return len(self._in_flight.get(to, ()))

    def completed(self, broker: int, response: Response, now_ms: int
                  ) -> tuple[InFlight, tuple] | None:
        """Match a response to its request; None for one that was given up.

        With it come the reads of whatever follows: this answer, and the one that came before it.
        """
        queue = self._in_flight.get(broker)
        if not queue or queue[0].request.id != response.request_id:
            return None
        self._reconnect.pop(broker, None)
        self._metrics["throttle-time"].record(response.body.throttle_time_ms, now_ms)
        self._metrics["node.responses-received", f"node-{broker}"].record(1, now_ms)
        self.maybe_throttle(broker, response, now_ms)
        asked, answer = queue.popleft(), ((response.request_id, "answer"),)
        answers = self._answers.setdefault(broker, [])
        before = answers[-1][1] if answers else ()
        answers.append((type(asked.request.body), answer))
        return asked, answer + before

    def maybe_throttle(self, broker: int, response: Response, now_ms: int) -> None:
        """An answer that says so: nothing more is sent to this broker for that long (KIP-219)."""
        if throttle_ms := response.body.throttle_time_ms:
            self._throttled_until_ms[broker] = now_ms + throttle_ms

    def settled(self, broker: int, read: tuple) -> None:
        """What the last answer did here; whoever comes after it reads that instead."""
        kind, _ = self._answers[broker][-1]
        self._answers[broker][-1] = kind, (read,)

    def disconnected(self, broker: int, now_ms: int) -> tuple[list[InFlight], tuple]:
        """The connection is gone: back off, ask for metadata, and give back what was in flight.

        With it come the reads of that: the last answer, after which nothing more was answered.
        """
        failures = self._reconnect.get(broker, (0, 0))[0]
        wait_ms = self._backoff_ms(*self._reconnect_backoff, failures)
        self._reconnect[broker] = failures + 1, now_ms + wait_ms
        failed, answers = list(self._in_flight.pop(broker, ())), self._answers.pop(broker, ())
        reads = answers[-1][1] if answers else ()
        self._throttled_until_ms.pop(broker, None)
        lost = any(one.request.id == self._metadata_request for one in failed)
        if lost or self._metadata_wanted and self._may_ask(now_ms):
            self._metadata_request = None
            self._metadata_failures += 1
            self._metadata_repeats = 0
            self._metadata_not_before_ms = now_ms + self.retry_backoff_ms(
                self._metadata_failures - 1)
        self.want_metadata(tuple((one.request.id, "asked") for one in failed[:1]))
        return [one for one in failed if not isinstance(one.request.body, MetadataRequest)], reads

    def _backoff_ms(self, base_ms: int, limit_ms: int, failures: int) -> int:
        """Exponential, with a fifth of jitter to either side (KIP-144, KIP-580)."""
        wait_ms = min(base_ms << min(failures, 20), max(base_ms, limit_ms))
        return wait_ms * (800 + self._jitter(401)) // 1000

    def retry_backoff_ms(self, attempts: int) -> int:
        """How long a batch or a lookup waits before its next attempt."""
        return self._backoff_ms(*self._retry_backoff, attempts)

    def timed_out(self, now_ms: int) -> list[int]:
        """Brokers whose oldest request has waited longer than `request.timeout.ms`."""
        limit_ms = now_ms - self._request_timeout_ms
        return [to for to, queue in sorted(self._in_flight.items())
                if queue and queue[0].sent_ms < limit_ms]

    def give_up(self, broker: int, now_ms: int) -> tuple[list, list[InFlight], tuple]:
        """Close a connection that does not answer: the effect, what was in flight, the reads."""
        return [Disconnect(broker)], *self.disconnected(broker, now_ms)

    # -- metadata -----------------------------------------------------------------------------
    def add_topic(self, topic: str, reads: tuple) -> list[Changed]:
        """From now on metadata covers this topic, too."""
        if topic in self._topics:
            return []
        old, self._topics[topic] = tuple(self._topics), None
        self._metadata_wanted, self._metadata_not_before_ms = True, 0      # news: no back-off
        self._metadata_repeats = 0
        return [Changed(self.client_id, "topics", old, tuple(self._topics), METADATA_RULE, reads)]

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that this client asks about."""
        return tuple(self._topics)

    def want_metadata(self, reads: tuple = ()) -> None:
        """What is known is missing something, or was wrong; an answer on its way may tell."""
        if self._topics and self._metadata_request is None and not self._metadata_wanted:
            self._metadata_wanted, self._metadata_reads = True, reads

    def _may_ask(self, now_ms: int) -> bool:
        """No answer is on its way, and the back-off is over."""
        return self._metadata_request is None and now_ms >= self._metadata_not_before_ms

    def _least_loaded(self, brokers: list[int]) -> int:
        """An open connection with little in flight, else one that failed long ago; the dice
        choose among equals, so that not every client asks the same broker."""
        first = self._first_asked(len(brokers))
        return min(brokers[first:] + brokers[:first], key=lambda broker: (
            broker not in self._in_flight, self.in_flight_to(broker),
            self.reachable_from_ms(broker)))

    def least_loaded_node(self, now_ms: int) -> int | None:
        """The broker to ask what any of them can answer; None where none can be reached."""
        reachable = [to for to in self.brokers if self.can_send(to, now_ms)]
        return self._least_loaded(reachable) if reachable else None

    def refresh_metadata(self, now_ms: int) -> list:
        """Ask the least loaded broker that can be reached, if something is wanted."""
        if self._metadata_old_ms is not None and now_ms >= self._metadata_old_ms:
            self.want_metadata()
            self._metadata_repeats = 0
        if not (self._metadata_wanted and self._may_ask(now_ms)):
            return []
        effects = self._rebootstrap() if self._is_stranded(now_ms) else []
        if (to := self.least_loaded_node(now_ms)) is None:
            return effects
        effects += self.send(to, MetadataRequest(tuple(self._topics)), None, now_ms, METADATA_RULE,
                            ((self.client_id, "topics"), *self._metadata_reads))
        self._metadata_request = self._in_flight[to][-1].request.id
        self._metadata_wanted, self._metadata_reads = False, ()
        return effects

    def _is_stranded(self, now_ms: int) -> bool:
        """No broker that it knows of can be reached, and it may ask those that it began with."""
        return set(self.brokers) != set(self._bootstrap) \
            and self._config["metadata.recovery.strategy"].upper() == "REBOOTSTRAP" \
            and not any(to in self._in_flight or self.can_send(to, now_ms) for to in self.brokers)

    def _rebootstrap(self) -> list[Changed]:
        """Who leads is forgotten; in which epoch is not."""
        self.brokers, changes = self._bootstrap, []
        for name, known in list(self.leaders.items()):
            if known.leader >= 0:
                changes += self._led_by(name, known._replace(leader=NO_NODE), REBOOTSTRAP_RULE,
                                        self._metadata_reads)
        return changes

    def learn(self, reads: tuple, body: MetadataResponse, now_ms: int) -> list[Changed]:
        """Take over a metadata answer; what it does not know is asked for again, later.

        Answers without news in a row make the wait before the next one longer (KIP-580). One that
        names no broker, from one that knows of none in service, is a failure.
        """
        if not body.brokers:
            self._metadata_request, self._metadata_failures = None, self._metadata_failures + 1
            self._metadata_not_before_ms = now_ms + self.retry_backoff_ms(
                self._metadata_failures - 1)
            self.want_metadata(reads)
            return []
        self._metadata_request, self._metadata_failures = None, 0
        self._metadata_old_ms = now_ms + self._config["metadata.max.age.ms"]
        self.brokers = body.brokers
        self.unknown_topics = set(body.unknown_topics)
        changes = self._count(reads, body)
        for told in body.partitions:
            old, new = self.leaders.get(told.partition), Leadership(told.leader, told.leader_epoch)
            if old is None or old != new and new.leader_epoch >= old.leader_epoch:
                changes += self._led_by(told.partition, new, METADATA_RULE, reads)
        self._metadata_repeats = 0 if changes else self._metadata_repeats + 1
        self._metadata_not_before_ms = now_ms + self.retry_backoff_ms(
            max(0, self._metadata_repeats - 1))
        if self.unknown_topics or any(told.leader < 0 for told in body.partitions):
            self.want_metadata(reads)
        return changes

    def _led_by(self, name: TopicPartition, new: Leadership, rule: str,
                reads: tuple) -> list[Changed]:
        old, self.leaders[name] = self.leaders.get(name), new
        if new.leader >= 0:
            self._led[name] = new
        else:
            self._led.pop(name, None)
        return [Changed(self.client_id, f"leader.{name}", old.leader if old else None, new.leader,
                        rule, reads)]

    def update_leadership(self, data: Any, reads: tuple) -> list[Changed]:
        """An answer that says who leads instead, in a newer epoch than is known (KIP-951)."""
        hint, known = data.current_leader, self.leaders.get(data.partition)
        if hint is None or hint.leader_id < 0 or known is None or \
                hint.leader_epoch <= known.leader_epoch:
            return []
        return self._led_by(data.partition, Leadership(*hint), HINT_RULE, reads)

    def _count(self, reads: tuple, body: MetadataResponse) -> list[Changed]:
        """A topic may have more partitions than before, never fewer."""
        told = {topic: number + 1 for (topic, number), *_ in sorted(body.partitions)}
        old = {topic: self.partition_counts.get(topic, 0) for topic in told}
        grown = [topic for topic, count in told.items() if count > old[topic]]
        self.partition_counts |= {topic: told[topic] for topic in grown}
        return [Changed(self.client_id, f"partition_counts.{topic}", old[topic] or None,
                        told[topic], METADATA_RULE, reads) for topic in grown]

    def led_by(self, broker: int) -> list[TopicPartition]:
        """The partitions that this client knows to be led by the broker."""
        return [name for name, known in self.leaders.items() if known.leader == broker]

    def available_partitions(self, topic: str) -> list[int]:
        """The partitions of a topic that have a leader, as far as this client knows."""
        return [number for number in range(self.partition_counts[topic])
                if self.leader_of(TopicPartition(topic, number))]

    # -- metrics ------------------------------------------------------------------------------
    def gauges(self) -> dict[str, int]:
        """What is known of connections and requests at this moment.

        In Java only a producer shows `requests-in-flight`.
        """
        return {"connection-count": len(self._in_flight),
                "requests-in-flight": sum(map(len, self._in_flight.values()))}

    # -- time ---------------------------------------------------------------------------------
    def next_deadline_ms(self, now_ms: int = 0) -> int | None:
        """When a request times out, a broker may be tried again, or metadata may be asked."""
        late_ms = self._request_timeout_ms + 1
        due = [queue[0].sent_ms + late_ms for queue in self._in_flight.values() if queue]
        if self._metadata_wanted and self._metadata_request is None:
            known = self._bootstrap if self._is_stranded(now_ms) else self.brokers
            reachable = min(map(self.reachable_from_ms, known))
            due.append(max(reachable, self._metadata_not_before_ms))
        elif self._metadata_old_ms is not None and self._metadata_request is None:
            due.append(self._metadata_old_ms)
        if self._throttled_until_ms:
            due += [until_ms for until_ms in self._throttled_until_ms.values() if until_ms > now_ms]
        return min(due, default=None)

    def reachable_from_ms(self, broker: int) -> int:
        """When the back-off for this broker is over, and its throttling."""
        reconnect_ms = self._reconnect[broker][1] if broker in self._reconnect else 0
        return max(reconnect_ms, self._throttled_until_ms.get(broker, 0)) \
            if self._throttled_until_ms else reconnect_ms
