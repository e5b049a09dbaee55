"""ReplicaFetcherThread: how a follower pulls. One for each broker that leads something it follows.

One request is in flight at a time. The next fetch leaves when the answer was appended, so it is at
once a question and a report; an empty answer comes after `replica.fetch.wait.max.ms` at the latest.
A partition with an error is left out for `replica.fetch.backoff.ms`, the others go on; after a lost
connection that holds for all. One that gave records goes to the end, so that none starves.
"""

from typing import Any

from kafka_internals.common import Changed, Disconnect, Send, TopicPartition
from kafka_internals.errors import ApiException, for_name
from kafka_internals.messages import Request, Response
from kafka_internals.messages.fetch import FetchPartition, FetchRequest
from kafka_internals.server.partition import Partition

ASK_RULE = "a follower fetches from its own log end offset, one request at a time"


class ReplicaFetcher:
    """Fetches every partition that this broker follows from one leader broker."""

    def __init__(self, broker: int, leader: int, config: Any, next_correlation_id: Any) -> None:
        self.broker, self.leader = broker, leader
        self.partitions: list[Partition] = []
        self._config, self._next_correlation_id = config, next_correlation_id
        self._client_id = f"broker-{broker}-fetcher-0"
        self._terms = (broker, config["replica.fetch.wait.max.ms"],
                       config["replica.fetch.min.bytes"],
                       config["replica.fetch.response.max.bytes"])
        self._partition_max_bytes = config["replica.fetch.max.bytes"]
        self._in_flight: Request | None = None
        self._set_off_by: tuple = ()               # what the next fetch follows, for "why?"
        self._delayed: dict[TopicPartition, tuple[int, tuple]] = {}    # until when, and why
        self._due_ms = 0                           # when to ask next, or to give up waiting

    def follow(self, partitions: list[Partition], now_ms: int) -> list:
        """Fetch these from the next request on; the one in flight keeps its own list."""
        self.partitions = partitions
        return [] if self._in_flight else self.ask(now_ms)

    def ask(self, now_ms: int) -> list:
        """Send the next fetch, of every partition that is not left out."""
        delayed = self._delayed
        ready = [p for p in self.partitions if delayed.get(p.partition, (0,))[0] <= now_ms]
        if not ready:
            self._due_ms = min(delayed[p.partition][0] for p in self.partitions)
            return []
        reads = {(p.subject, "log_end_offset"): None for p in ready}
        for p in ready if delayed else ():
            reads |= dict.fromkeys(delayed.pop(p.partition, (0, ()))[1])
        reads |= dict.fromkeys(self._set_off_by)
        body = FetchRequest(*self._terms, tuple([
            FetchPartition(p.partition, p.log.log_end_offset, p.registration.leader_epoch,
                           self._partition_max_bytes, p.log.log_start_offset) for p in ready]))
        request = Request.of(self._client_id, self._next_correlation_id(), body)
        self._in_flight = request
        self._due_ms = now_ms + self._config["replica.socket.timeout.ms"] + 1
        return [Changed(request.id, "asked", None, str(body), ASK_RULE, tuple(reads)),
                Send(self.leader, request)]

    def handle(self, response: Response, now_ms: int) -> list:
        """Append what came, then ask again."""
        if self._in_flight is None or response.request_id != self._in_flight.id:
            return []
        answer = (response.request_id, "answer")
        self._in_flight, self._set_off_by = None, (answer,)
        effects, gave = [], []
        known = {partition.partition: partition for partition in self.partitions}
        for data in response.body.partitions:
            try:
                if data.error != "NONE":
                    raise for_name(data.error)(str(data.partition))
                effects += known[data.partition].append_records_to_follower(data, answer, now_ms)
                if data.records:
                    gave.append(known[data.partition])
            except ApiException:                   # also what was damaged on its way: ask again
                self._delayed[data.partition] = self._back_off_ms(now_ms), (answer,)
        self.partitions = [p for p in self.partitions if p not in gave] + gave
        return effects + self.ask(now_ms)

    def _back_off_ms(self, now_ms: int) -> int:
        return now_ms + self._config["replica.fetch.backoff.ms"]

    def disconnected(self, now_ms: int) -> list:
        """The connection is gone, and with it the request: try again after the back-off."""
        self._in_flight, self._set_off_by = None, ()
        self._due_ms = self._back_off_ms(now_ms)
        self._delayed |= {p.partition: (self._due_ms, ()) for p in self.partitions}
        return []

    def tick(self, now_ms: int) -> list:
        """Ask when it is time; give up a request that was not answered."""
        if now_ms < self._due_ms:
            return []
        if (late := self._in_flight) is not None:
            self.disconnected(now_ms)
            self._set_off_by = ((late.id, "asked"),)
            return [Disconnect(self.leader)]
        return self.ask(now_ms)

    def next_deadline_ms(self) -> int:
        """When `tick` has something to do."""
        return self._due_ms
