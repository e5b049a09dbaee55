"""ReplicaFetcherThread: how a follower pulls. One for each broker that leads something it follows.

One request is in flight at a time. The next fetch leaves when the answer was appended, so it is at
once a question and a report; an empty answer comes after `replica.fetch.wait.max.ms` at the latest.
After an error or a lost connection it waits `replica.fetch.backoff.ms`.
"""

from typing import Any

from kafka_internals.common import Changed, Disconnect, Send
from kafka_internals.errors import ApiException, for_name
from kafka_internals.messages import Request, Response
from kafka_internals.messages.fetch import FetchPartition, FetchRequest
from kafka_internals.server.partition import Partition

ASK_RULE = "a follower fetches from its own log end offset, one request at a time"


class ReplicaFetcher:
    """Fetches every partition that this broker follows from one leader broker."""

    def __init__(self, broker: int, leader: int, partitions: list[Partition], config: Any,
                 next_correlation_id: Any) -> None:
        self.broker, self.leader, self.partitions = broker, leader, partitions
        self._config, self._next_correlation_id = config, next_correlation_id
        self._client_id = f"broker-{broker}-fetcher-0"
        self._in_flight: Request | None = None
        self._set_off_by: tuple = ()               # what the next fetch follows, for "why?"
        self._due_ms: int | None = 0               # when to ask next, or to give up waiting

    def follow(self, partitions: list[Partition]) -> None:
        """Fetch these from the next request on; the one in flight keeps its own list."""
        self.partitions = partitions

    def ask(self, now_ms: int) -> list:
        """Send the next fetch."""
        config = self._config
        body = FetchRequest(
            self.broker, config["replica.fetch.wait.max.ms"], config["replica.fetch.min.bytes"],
            config["replica.fetch.response.max.bytes"],
            tuple(FetchPartition(p.partition, p.log.log_end_offset, p.registration.leader_epoch,
                                 config["replica.fetch.max.bytes"], p.log.log_start_offset)
                  for p in self.partitions))
        request = Request.of(self._client_id, self._next_correlation_id(), body)
        self._in_flight = request
        self._due_ms = now_ms + config["replica.socket.timeout.ms"]
        reads = tuple((p.subject, "log_end_offset") for p in self.partitions) + self._set_off_by
        return [Changed(request.id, "asked", None, str(body), ASK_RULE, reads),
                Send(self.leader, request)]

    def handle(self, response: Response, now_ms: int) -> list:
        """Append what came, then ask again (after a back-off where something was wrong)."""
        if self._in_flight is None or response.request_id != self._in_flight.id:
            return []
        answer = (response.request_id, "answer")
        self._in_flight, self._set_off_by = None, (answer,)
        effects, failed = [], False
        known = {partition.partition: partition for partition in self.partitions}
        for data in response.body.partitions:
            try:
                if data.error != "NONE":
                    raise for_name(data.error)(str(data.partition))
                effects += known[data.partition].append_records_to_follower(data, answer)
            except ApiException:
                failed = True                      # also what was damaged on its way: ask again
        if failed:
            self._due_ms = now_ms + self._config["replica.fetch.backoff.ms"]
            return effects
        return effects + self.ask(now_ms)

    def disconnected(self, now_ms: int) -> list:
        """The connection is gone, and with it the request: try again after the back-off."""
        self._in_flight, self._set_off_by = None, ()
        self._due_ms = now_ms + self._config["replica.fetch.backoff.ms"]
        return []

    def tick(self, now_ms: int) -> list:
        """Ask when it is time; give up a request that was not answered."""
        if self._due_ms is None or now_ms < self._due_ms:
            return []
        if (late := self._in_flight) is not None:
            self.disconnected(now_ms)
            self._set_off_by = ((late.id, "asked"),)
            return [Disconnect(self.leader)]
        return self.ask(now_ms)

    def next_deadline_ms(self) -> int | None:
        """When `tick` has something to do."""
        return self._due_ms
