"""BrokerLifecycleManager: a broker's side of being one: it registers, beats, asks to serve, leaves.

One request is in flight at a time. Until a broker has read the metadata log up to its own
registration, and has recovered its logs and published its first image, it asks to stay fenced. Told
to stop, it asks the controller to move its leaders first, and goes when it is told to (KIP-631).
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from kafka_internals.common import Changed, TopicPartition, Wait, replica_name
from kafka_internals.errors import IllegalStateException
from kafka_internals.messages import Request, Response
from kafka_internals.messages.broker_heartbeat import BrokerHeartbeatRequest
from kafka_internals.messages.broker_registration import (
    BrokerRegistrationRequest,
    BrokerRegistrationResponse,
)
from kafka_internals.server.node_to_controller_channel_manager import (
    NodeToControllerChannelManager,
)

NOT_RUNNING, STARTING, RECOVERY, RUNNING = "NOT_RUNNING", "STARTING", "RECOVERY", "RUNNING"
PENDING_CONTROLLED_SHUTDOWN, SHUTTING_DOWN = "PENDING_CONTROLLED_SHUTDOWN", "SHUTTING_DOWN"
START, CAUGHT_UP, UNFENCED = "starts", "has caught up", "is unfenced"
BEGIN_SHUTDOWN, MAY_GO = "begin controlled shutdown", "is told to shut down"
SHUT_DOWN, NOT_REGISTERED = "shut down", "could not register in time"

# fmt: off
TRANSITIONS = {                                  # BrokerState; an absent pair is a bug
    (NOT_RUNNING,                 START):          STARTING,
    (STARTING,                    CAUGHT_UP):      RECOVERY,
    (RECOVERY,                    UNFENCED):       RUNNING,
    (RUNNING,                     BEGIN_SHUTDOWN): PENDING_CONTROLLED_SHUTDOWN,
    (PENDING_CONTROLLED_SHUTDOWN, MAY_GO):         SHUTTING_DOWN,
    (NOT_RUNNING,                 BEGIN_SHUTDOWN): SHUTTING_DOWN,   # nothing is to be moved yet
    (STARTING,                    BEGIN_SHUTDOWN): SHUTTING_DOWN,
    (RECOVERY,                    BEGIN_SHUTDOWN): SHUTTING_DOWN,
    (STARTING,                    NOT_REGISTERED): SHUTTING_DOWN,
    (NOT_RUNNING,                 SHUT_DOWN):      SHUTTING_DOWN,
    (STARTING,                    SHUT_DOWN):      SHUTTING_DOWN,
    (RECOVERY,                    SHUT_DOWN):      SHUTTING_DOWN,
    (RUNNING,                     SHUT_DOWN):      SHUTTING_DOWN,
    (PENDING_CONTROLLED_SHUTDOWN, SHUT_DOWN):      SHUTTING_DOWN,
}
# fmt: on
METADATA_LOG = TopicPartition("__cluster_metadata", 0)
CATCHING_UP_MS, FIRST_SHUTDOWN_RETRY_MS = 10, 50
RULE = "a broker registers, and then tells the controller again and again that it is alive"
STATE_RULE = "the life of a broker (KIP-631)"


class BrokerLifecycleSnapshot(NamedTuple):
    """`broker_epoch` is -1 until the controller has given one; `in_flight` names a request."""

    broker: int
    state: str
    broker_epoch: int
    ready_to_unfence: bool
    in_flight: str | None
    waits: tuple[Wait, ...]


class BrokerLifecycleManager:
    """A core, of one process. `registration` is what it says of itself.

    `controller()` is the node to ask, None while nobody knows one; `metadata_offset()` that of the
    last record that this broker has read, -1 for none.
    """

    def __init__(self, registration: BrokerRegistrationRequest, config: Mapping[str, Any],
                 controller: Callable[[], int | None], metadata_offset: Callable[[], int],
                 next_correlation_id: Callable[[], int]) -> None:
        self.broker, self._registration = registration.broker_id, registration
        self._config, self._metadata_offset = config, metadata_offset
        self._interval_ms = config["broker.heartbeat.interval.ms"]
        self.subject = f"broker-{self.broker}-lifecycle"
        self._reads = tuple((self.subject, name) for name in ("state", "broker_epoch",
                                                              "ready_to_unfence"))
        self._metadata_log = replica_name(METADATA_LOG, self.broker)
        self._channel = NodeToControllerChannelManager(
            self.subject, controller, next_correlation_id,
            config["broker.session.timeout.ms"] // 2)
        self.state, self.broker_epoch = NOT_RUNNING, -1
        self.ready_to_unfence = False
        self._asked_to_go = False                        # and has had an answer to that
        self._immediately = False                        # when what is in flight is answered
        self._due_ms: int | None = None
        self._set_off_by: tuple = ()                     # what the next request follows
        self._register_by_ms: int | None = None

    # -- what it is told ----------------------------------------------------------------------
    def start(self, now_ms: int) -> list:
        """The process has begun."""
        self._register_by_ms = now_ms + self._config["initial.broker.registration.timeout.ms"]
        return self._move(START, ()) + self._communicate(now_ms)

    def set_ready_to_unfence(self, now_ms: int, reads: tuple = ()) -> list:
        """Logs are recovered and the first image is published: the broker can serve."""
        if self.ready_to_unfence:
            return []
        self.ready_to_unfence = True
        return [Changed(self.subject, "ready_to_unfence", False, True, STATE_RULE, reads)] \
            + self._communicate(now_ms)

    def begin_controlled_shutdown(self, now_ms: int) -> list:
        """Leave, after the controller has moved what this broker leads."""
        if self.state in (PENDING_CONTROLLED_SHUTDOWN, SHUTTING_DOWN):
            return []
        effects = self._move(BEGIN_SHUTDOWN, ())
        return effects + (self._communicate(now_ms)
                          if self.state == PENDING_CONTROLLED_SHUTDOWN else [])

    def begin_shutdown(self) -> list:
        """Leave at once."""
        return self._move(SHUT_DOWN, ()) if self.state != SHUTTING_DOWN else []

    # -- one request after the other ----------------------------------------------------------
    def _communicate(self, now_ms: int) -> list:
        """Ask now, or as soon as the request in flight is answered."""
        self._due_ms = None
        if not self._channel.is_free:
            self._immediately = True
            return []
        body = self._registration if self.broker_epoch < 0 else self._heartbeat()
        reads = self._reads
        if self.broker_epoch >= 0:
            reads += ((self._metadata_log, "high_watermark", body.current_metadata_offset + 1),)
        return self._noting(None, self._channel.send_request(
            body, RULE, reads + self._set_off_by, now_ms))

    def _noting(self, old: Request | None, effects: list) -> list:
        """What the channel did, and what is in flight by then."""
        if (now := self._channel.in_flight) is not old:
            effects.append(Changed(self.subject, "in_flight", old and old.id, now and now.id, RULE,
                                   (((now or old).id, "asked"),)))
        return effects

    def _heartbeat(self) -> BrokerHeartbeatRequest:
        return BrokerHeartbeatRequest(
            self.broker, self.broker_epoch, self._metadata_offset(), not self.ready_to_unfence,
            self.state == PENDING_CONTROLLED_SHUTDOWN,
            None if self.state == STARTING else ())

    def _next_in(self, delay_ms: int, now_ms: int) -> None:
        self._due_ms = now_ms if self._immediately else now_ms + delay_ms
        self._immediately = False

    def handle(self, response: Response, now_ms: int) -> list:
        """The controller has answered. What answers nothing that is in flight is let go."""
        old, read = self._channel.in_flight, ((response.request_id, "answer"),)
        is_answer = self._channel.handle(response, now_ms) is not None
        effects = [] if self._channel.in_flight is old else [
            Changed(self.subject, "in_flight", old.id, None, RULE, read)]
        if self.state == SHUTTING_DOWN or not is_answer:
            return effects
        self._set_off_by = read
        if (body := response.body).error != "NONE":
            self._immediately = False
            self._next_in(self._interval_ms, now_ms)
        elif type(body) is BrokerRegistrationResponse:
            effects.append(Changed(self.subject, "broker_epoch", self.broker_epoch,
                                   body.broker_epoch, RULE, read))
            self.broker_epoch, self._register_by_ms = body.broker_epoch, None
            self._next_in(0, now_ms)
        else:
            effects += self._heard(body, read, now_ms)
        return effects + self.tick(now_ms)

    def _heard(self, body: Any, reads: tuple, now_ms: int) -> list:
        """What the controller makes of the broker, in each of its states."""
        interval_ms, effects = self._interval_ms, []
        if self.state == STARTING:
            interval_ms = CATCHING_UP_MS
            effects = self._move(CAUGHT_UP, reads) if body.is_caught_up else []
        elif self.state == RECOVERY and not body.is_fenced:
            effects = self._move(UNFENCED, reads)
        elif self.state == PENDING_CONTROLLED_SHUTDOWN:
            if body.should_shut_down:
                return self._move(MAY_GO, reads)
            interval_ms = interval_ms if self._asked_to_go else FIRST_SHUTDOWN_RETRY_MS
            self._asked_to_go = True
        self._next_in(interval_ms, now_ms)
        return effects

    def disconnected(self, now_ms: int) -> list:
        """The connection to the controller is lost."""
        old = self._channel.in_flight
        self._channel.disconnected(now_ms)
        return self._noting(old, [])

    # -- time ---------------------------------------------------------------------------------
    def tick(self, now_ms: int) -> list:
        """Ask when it is time; give up what was never answered, and a start that fails."""
        if self.state == SHUTTING_DOWN:
            return []
        if self._register_by_ms is not None and now_ms >= self._register_by_ms:
            return self._move(NOT_REGISTERED, ())
        late_ms = self._channel.due_ms
        effects = self._keep_asking(now_ms) if late_ms is not None and now_ms >= late_ms else []
        if self._due_ms is not None and now_ms >= self._due_ms:
            effects += self._communicate(now_ms)
        return effects

    def _keep_asking(self, now_ms: int) -> list:
        """A request that is late is sent again, or given up."""
        late = self._channel.in_flight
        effects = self._noting(late, self._channel.tick(now_ms))
        if self._channel.is_free:                        # it was given up
            self._immediately = False
            self._set_off_by = ((late.id, "asked"),) if late else ()
            self._next_in(self._interval_ms, now_ms)
        return effects

    def next_deadline_ms(self) -> int | None:
        """When `tick` has something to do. A request is under way, or the next one is due."""
        if self.state == SHUTTING_DOWN:
            return None
        at_ms = self._channel.due_ms if self._due_ms is None else self._due_ms
        if self._register_by_ms is None or at_ms is None:
            return self._register_by_ms if at_ms is None else at_ms
        return min(at_ms, self._register_by_ms)

    # -- what can be seen ---------------------------------------------------------------------
    def _move(self, event: str, reads: tuple) -> list:
        if (self.state, event) not in TRANSITIONS:
            raise IllegalStateException(f"a broker that is {self.state} cannot take "
                                        f"{event!r}")
        old, self.state = self.state, TRANSITIONS[self.state, event]
        return [Changed(self.subject, "state", old, self.state, f"{STATE_RULE}: it {event}",
                        reads)]

    def snapshot(self) -> BrokerLifecycleSnapshot:
        """Frozen."""
        in_flight = self._channel.in_flight and self._channel.in_flight.id
        waits = () if in_flight is None else (Wait("in_flight", in_flight, "answer", None,
                                                   self._channel.due_ms),)
        return BrokerLifecycleSnapshot(self.broker, self.state, self.broker_epoch,
                                       self.ready_to_unfence, in_flight, waits)
