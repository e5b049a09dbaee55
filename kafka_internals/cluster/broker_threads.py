"""BrokerThreads: network threads and handlers at work. Which does what is said by server/; here it
takes time.

A request arrives in a socket, is read by the network thread of its connection, waits in the request
queue, is handled, perhaps waits in a purgatory, and its answer leaves through the same network
thread. A handler changes state when it starts, or has got the log lock; what it sends leaves when
its time is over. Where a request is, is the attribute `station` of its identity; what it only
passes within one event is no station.
"""

from typing import Any

from kafka_internals.cluster.cost_model import CostModel
from kafka_internals.common import Reply, TopicPartition
from kafka_internals.messages.fetch import FetchRequest, FetchResponse
from kafka_internals.messages.produce import ProduceRequest
from kafka_internals.server.kafka_channel import KafkaChannel
from kafka_internals.server.request_channel import (
    CLOSE_CONNECTION,
    END_THROTTLING,
    NO_OP,
    PURGATORY,
    QUEUE,
    SEND,
    SOCKET,
    START_THROTTLING,
    ChannelRequest,
)
from kafka_internals.server.request_path import RequestPath
from kafka_internals.server.socket_server import RECEIVE, Processor
from kafka_internals.sim.world import RESPONSE
from kafka_internals.storage.log_file_utils import LOG, segment_file

NETWORK_DONE, HANDLED = "network thread", "handler thread"
LOCK_FREE, THROTTLE_OVER = "log lock is free", "throttle is over"
KINDS = {ProduceRequest: "Produce", FetchRequest: "FetchConsumer"}      # others: by their class
STATION_RULES = {
    SOCKET: "a request waits in its socket while its connection is muted or its thread is busy",
    "processor": "a network thread reads one request of each connection, and sends answers first",
    QUEUE: "one queue for all network threads; the first idle handler takes its front",
    "handler": "a handler has a request for its service time, and while it waits for a log lock",
    PURGATORY: "who has to wait for others waits without a thread",
    "response queue": "an answer leaves through the network thread that read the request",
    "sent": "when an answer has left, its connection is read again",
    "no response": "acks=0 wants no answer", "closed": "the connection is closed"}


class BrokerThreads(RequestPath):
    """The request path of one life of a broker."""

    def __init__(self, node: Any, config: Any, cost: CostModel) -> None:
        super().__init__(node.broker, config, node.world.now_us)
        self._node, self._world, self._cost = node, node.world, cost
        self._most_bytes = config["socket.request.max.bytes"]
        self._protocols = (config["listeners"][0].partition(":")[0],
                           config["security.inter.broker.protocol"])
        self._rules: dict[str, str] = {}           # of each station, as they turn up
        self._tls = "SSL" in self._protocols

    def _move(self, token: ChannelRequest, station: str, until_us: int | None = None,
              behind: ChannelRequest | None = None) -> None:
        """A request is somewhere else now; `behind`: who had the place before, if it waited."""
        if (trace := self._world.trace) is not None:
            request = token.request
            reads = request.reads if token.body is None else ((request.id, "answer"),)
            if station == PURGATORY:
                reads += ((f"parked-{request.id[8:]}", "state"),)
            if behind is not None and behind is not token:
                reads += ((behind.request.id, "station"),)
            if station not in self._rules:
                place = station.partition(",")[0].rstrip(" 0123456789")
                self._rules[station] = STATION_RULES[place]
            trace.changes.append((self._world.event, request.id, "station", token.station, station,
                                  self._rules[station], reads))
        token.station, token.since_us, token.until_us = station, self._world.now_us, until_us

    # -- network threads ----------------------------------------------------------------------
    def arrived(self, connection: Any, request: Any) -> None:
        """A request is in the socket of its connection."""
        channel = self.sockets.channels.get(connection.id) or self.sockets.accept(connection)
        body = request.body
        kind = KINDS.get(type(body)) or type(body).__name__.removesuffix("Request")
        if kind == "FetchConsumer" and body.replica_id >= 0:
            kind = "FetchFollower"
        token = self.requests[request.id] = ChannelRequest(request, kind, channel)
        processor = channel.processor
        processor.arrived(token)
        if processor.task is None:
            self._turn(processor)
        if token.station is None:
            self._move(token, SOCKET)

    def _turn(self, processor: Processor) -> None:
        """Let a network thread go on with its loop, as far as that takes no time."""
        while processor.task is None and processor.blocked is None \
                and (task := processor.take()) is not None:
            what, token = task
            now_us = self._world.now_us
            if what is RECEIVE:
                us = self._receive_us(token)
                behind = None if token.station is None else token.behind or processor.last
            elif what is SEND:
                us = self._send_us(token)
                token.response_dequeue_us = now_us
                behind = processor.last if token.response_us != now_us else None
            else:
                self._without_response(processor, what, token)
                continue
            until_us = processor.until_us = now_us + us
            processor.task = task
            processor.busy_us += us
            self._move(token, processor.name, until_us, behind)
            processor.last = token
            if (quotas := self._node.manager.quotas).enabled:
                quotas.record_thread_time(token.request.client_id, us, now_us // 1000)
            self._world.schedule(until_us, self._node, NETWORK_DONE, processor)

    def _is_secure(self, channel: KafkaChannel) -> bool:
        return self._protocols[channel.connection.purpose == self._node.between_brokers] == "SSL"

    def _receive_us(self, token: ChannelRequest) -> int:
        cost, channel, body = self._cost, token.channel, token.request.body
        kib = body.size_bytes >> 10 if type(body) is ProduceRequest else 0
        us = cost.network_receive_us + cost.link_us_per_kib * kib
        if self._tls and self._is_secure(channel):
            us += channel.handshake_due * cost.tls_handshake_us + cost.tls_us_per_kib * kib
            channel.handshake_due = False
        return us

    def _send_us(self, token: ChannelRequest) -> int:
        """Sendfile moves records from the page cache; what is not there the disk has to read."""
        body, us, disk = token.body, self._cost.network_send_us, self._node.disk
        if type(body) is not FetchResponse or not (self._tls or disk.may_be_cold):
            return us
        for data in body.partitions if disk.may_be_cold else ():
            if data.records:
                file = segment_file(data.partition, data.source.segment_base_offset, LOG)
                us += disk.sendfile(file, data.source.relative_position_in_segment,
                                    len(data.records))
        if self._is_secure(token.channel):
            us += self._cost.tls_us_per_kib * (body.size_bytes >> 10)
        return us

    def on_network_done(self, processor: Processor) -> None:
        """A network thread has read a request, or written an answer."""
        (what, token), processor.task = processor.task, None
        if what is RECEIVE:
            self._received(processor, token)
        else:
            channel = token.channel
            self._world.network.send(channel.connection, channel.connection.client, RESPONSE,
                                     token.request.answered(token.body))
            processor.sent(channel)
            self._finish(token, "sent")
        self._turn(processor)

    def _received(self, processor: Processor, token: ChannelRequest) -> None:
        request, token.start_us = token.request, self._world.now_us
        if type(request.body) is ProduceRequest and request.body.size_bytes > self._most_bytes:
            self._close(token)
            return
        processor.received(token)
        if token.channel.after is not None:
            token.request = request.behind(token.channel.after)
        if self.channel.send_request(token, processor):
            self._turn_handlers()
            if token.station is processor.name:
                self._move(token, QUEUE)
        else:
            self._move(token, f"{processor.name}, blocked")

    def _without_response(self, processor: Processor, what: str, token: ChannelRequest) -> None:
        if what is CLOSE_CONNECTION:
            self._close(token)
        else:
            processor.not_answered(token.channel)
            token.response_dequeue_us = self._world.now_us
            self._finish(token, "no response")

    def _close(self, token: ChannelRequest) -> None:
        """The connection ends here, with everything that is still unread in its socket."""
        channel = token.channel
        self._world.network.close(channel.connection, self._node)
        for one in (token, *channel.unread):
            self._move(one, "closed")
            del self.requests[one.request.id]
        channel.unread.clear()
        self.sockets.channels.pop(channel.connection.id, None)

    def _finish(self, token: ChannelRequest, how: str) -> None:
        self._move(token, how)
        self.finished(token, self._world.now_us)

    # -- handlers -----------------------------------------------------------------------------
    def _turn_handlers(self) -> None:
        """Idle handlers take what is queued; network threads that waited for room go on."""
        pool, channel = self.pool, self.channel
        while pool.idle and channel.queue:
            token = channel.receive_request()
            now_us = token.dequeue_us = self._world.now_us
            name, behind = pool.take(token), pool.last_freed
            self._acquire(token, name, behind if token.start_us != now_us else None)
            if channel.blocked and self._node.up:
                self._unblock()

    def _unblock(self) -> None:
        while (processor := self.channel.unblocked()) is not None:
            token, processor.blocked = processor.blocked, None
            self.channel.queue.append(token)
            self._move(token, QUEUE)
            self._turn(processor)

    def _acquire(self, token: ChannelRequest, name: str, behind: ChannelRequest | None,
                 granted: TopicPartition | None = None) -> None:
        """Handle a request as soon as it has the log locks that it needs."""
        partition = self.pool.in_the_way(token, self._world.now_us, granted)
        if partition is None:
            self._move(token, name, behind=behind)
            self._run(token)
            return
        free_us = self.pool.wait(token, partition)
        self._move(token, f"{name}, waits for log lock of {partition}", behind=token.behind)
        if free_us is not None:
            self._world.schedule(free_us, self._node, LOCK_FREE, partition)

    def on_lock_free(self, partition: TopicPartition) -> None:
        """The next request that waits for this log has its turn."""
        pool, now_us = self.pool, self._world.now_us
        while self._node.up and (token := pool.released(partition, now_us)) is not None:
            self._acquire(token, pool.names[token.handler], token.behind, partition)
        lock = pool.locks[partition]
        if self._node.up and lock.waiting:
            self._world.schedule(lock.held_until_us, self._node, LOCK_FREE, partition)

    def _run(self, token: ChannelRequest) -> None:
        """State changes now; what is sent leaves when the task's time is over."""
        node, request, cost, append_us = self._node, token.request, self._cost, 0
        us, manager, now_us = cost.handle_us + node.handler_delay_us, node.manager, token.since_us
        if produces := type(request.body) is ProduceRequest:
            append_us = cost.validate_us_per_kib * (request.body.size_bytes >> 10)
        if manager.quotas.enabled:
            request = token.request = request._replace(thread_us=us + append_us)
        effects = node.work(manager.handle, request, node.now_ms())
        if not node.up:
            return
        token.parked, later = True, node.note_changes(effects)
        for effect in later:
            if type(effect) is Reply and (one := self.requests.get(effect.request.id)) is not None:
                one.body = effect.body
                if one is token:
                    token.parked = False
        append_us += node.disk.take_cost_us()
        if produces:
            self.pool.hold(token, now_us + append_us)
        token.until_us = until_us = now_us + us + append_us
        self._world.schedule(until_us, node, HANDLED, (token, later))

    def on_handled(self, payload: tuple) -> None:
        """A handler's time is over: what it sends leaves, and it takes the next request."""
        token, effects = payload
        token.local_complete_us = self._world.now_us
        self._node.perform(effects)
        if not self._node.up:
            return
        if token.request.id in self.requests and token.station.startswith("handler"):
            if self._node.rules.replicas_awaited_in == "handler thread":
                token.keeps_handler = True
                return
            self._move(token, PURGATORY)
        self._free(token)

    def _free(self, token: ChannelRequest) -> None:
        self.pool.free(token, self._world.now_us)
        if self.channel.queue:
            self._turn_handlers()

    # -- answers ------------------------------------------------------------------------------
    def reply(self, effect: Reply) -> None:
        """Queue an answer for the network thread of its connection, throttled or not."""
        token = self.requests.get(effect.request.id)
        if token is None:
            return
        now_us, channel = self._world.now_us, token.channel
        processor = channel.processor
        token.body, token.response_us = effect.body, now_us
        if token.parked:
            channel.after = token.request.id
        if effect.throttle_ms:
            token.throttle_ms = effect.throttle_ms
            channel.throttled_until_us = now_us + effect.throttle_ms * 1000
            processor.responses.append((START_THROTTLING, channel))
            self._world.schedule(channel.throttled_until_us, self._node, THROTTLE_OVER, channel)
        kind = CLOSE_CONNECTION if effect.close else SEND if effect.body is not None else NO_OP
        processor.responses.append((kind, token))
        before = token.station
        self._turn(processor)
        if token.station is before:
            self._move(token, processor.queue_name)
        if token.keeps_handler:
            self._free(token)

    def on_throttle_over(self, channel: KafkaChannel) -> None:
        """A connection that was over its quota may be read again, once its answer is out."""
        channel.processor.responses.append((END_THROTTLING, channel))
        self._turn(channel.processor)
