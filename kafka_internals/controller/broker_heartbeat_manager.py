"""BrokerHeartbeatManager: who is alive, and what the next heartbeat of a broker makes of it.

Soft state: only the active controller has it, it is in no record, and a controller that takes over
gives every broker a new session (KIP-631). The tracker's clock counts each process of a broker by
itself, so that a restarted broker does not keep its predecessor alive.
"""

from collections.abc import Callable
from typing import NamedTuple

from kafka_internals.controller.striped_replica_placer import UsableBroker
from kafka_internals.errors import IllegalStateException
from kafka_internals.messages.broker_heartbeat import BrokerHeartbeatRequest

FENCED, UNFENCED, CONTROLLED_SHUTDOWN = "FENCED", "UNFENCED", "CONTROLLED_SHUTDOWN"
SHUTDOWN_NOW = "SHUTDOWN_NOW"                    # an answer: afterwards the broker is FENCED
FENCE, SHUT_DOWN, FENCE_AND_SHUT_DOWN = "wants fence", "wants shutdown", "wants both"
SERVE, LAGS = "wants to serve", "wants to serve but lags"
LEADS, OTHERS_LAG, MOVED = "still leads", "leads nothing, others lag", "leads nothing, others know"

# fmt: off
TRANSITIONS = {                                  # BrokerControlState; an absent pair is a bug
    (FENCED,              SHUT_DOWN):           SHUTDOWN_NOW,
    (FENCED,              FENCE_AND_SHUT_DOWN): SHUTDOWN_NOW,
    (FENCED,              FENCE):               FENCED,
    (FENCED,              LAGS):                FENCED,        # behind its own registration
    (FENCED,              SERVE):               UNFENCED,
    (UNFENCED,            FENCE):               FENCED,
    (UNFENCED,            FENCE_AND_SHUT_DOWN): SHUTDOWN_NOW,
    (UNFENCED,            LEADS):               CONTROLLED_SHUTDOWN,
    (UNFENCED,            MOVED):               SHUTDOWN_NOW,
    (UNFENCED,            SERVE):               UNFENCED,
    (CONTROLLED_SHUTDOWN, LEADS):               CONTROLLED_SHUTDOWN,
    (CONTROLLED_SHUTDOWN, OTHERS_LAG):          CONTROLLED_SHUTDOWN,
    (CONTROLLED_SHUTDOWN, MOVED):               SHUTDOWN_NOW,
}
# fmt: on


class BrokerControlStates(NamedTuple):
    """What a broker was before its heartbeat, what it becomes, and the event between."""

    current: str
    next: str
    event: str


class BrokerHeartbeatState(NamedTuple):
    """One broker as its heartbeats show it; offsets of -1 are not known, or not set."""

    broker_id: int
    fenced: bool
    metadata_offset: int = -1
    controlled_shutdown_offset: int = -1

    @property
    def state(self) -> str:
        """FENCED, UNFENCED or CONTROLLED_SHUTDOWN."""
        if self.controlled_shutdown_offset >= 0:
            return CONTROLLED_SHUTDOWN
        return FENCED if self.fenced else UNFENCED


class BrokerHeartbeatManager:
    """`contact_ms` by (broker, broker epoch): when this process was heard of last.

    `touched` are the brokers of which something may have changed since somebody emptied it.
    """

    def __init__(self, session_timeout_ms: int) -> None:
        self.session_timeout_ms = session_timeout_ms
        self.brokers: dict[int, BrokerHeartbeatState] = {}
        self.contact_ms: dict[tuple[int, int], int] = {}
        self.touched: set[int] = set()

    # -- sessions -----------------------------------------------------------------------------
    def update_contact_time(self, broker: int, epoch: int, now_ms: int) -> None:
        """This process was heard of."""
        self.contact_ms[broker, epoch] = now_ms
        self.touched.add(broker)

    def has_valid_session(self, broker: int, epoch: int, now_ms: int) -> bool:
        """True where this process was heard of a short time ago."""
        at_ms = self.contact_ms.get((broker, epoch))
        return at_ms is not None and now_ms <= at_ms + self.session_timeout_ms

    def maybe_remove_expired(self, now_ms: int) -> tuple[int, int] | None:
        """(broker, epoch) of one process that was silent for too long, the longest first."""
        expired = [(at_ms, process) for process, at_ms in self.contact_ms.items()
                   if at_ms + self.session_timeout_ms < now_ms]
        if not expired:
            return None
        _, process = min(expired)
        del self.contact_ms[process]
        self.touched.add(process[0])
        return process

    # -- states -------------------------------------------------------------------------------
    def register(self, broker: int, fenced: bool) -> None:
        """A registration says so; its offset is known only once more from the next heartbeat."""
        old = self.brokers.get(broker)
        keeps = old is not None and old.fenced != fenced
        if old is None:
            self.brokers[broker] = BrokerHeartbeatState(broker, fenced)
            self.touched.add(broker)
        self.touch(broker, fenced, old.metadata_offset if keeps else -1)

    def remove(self, broker: int) -> None:
        """The broker is not registered any more, or as another process."""
        self.brokers.pop(broker, None)
        self.touched.add(broker)

    def fence(self, broker: int) -> None:
        """Its session is over."""
        if broker in self.brokers:
            self.brokers[broker] = self.brokers[broker]._replace(fenced=True)
            self.touched.add(broker)

    def touch(self, broker: int, fenced: bool, metadata_offset: int) -> None:
        """What a heartbeat, or a record, says of a broker; who is fenced is not shutting down."""
        old = self.state_of(broker)
        shutdown = -1 if fenced else old.controlled_shutdown_offset
        if old != (broker, fenced, metadata_offset, shutdown):
            self.brokers[broker] = BrokerHeartbeatState(broker, fenced, metadata_offset, shutdown)
            self.touched.add(broker)

    def maybe_update_controlled_shutdown_offset(self, broker: int, offset: int) -> None:
        """What the others must have read before this broker may go: set once."""
        old = self.state_of(broker)
        if old.fenced:
            raise IllegalStateException("Fenced brokers cannot enter controlled shutdown.")
        if old.controlled_shutdown_offset < 0:
            self.brokers[broker] = old._replace(controlled_shutdown_offset=offset)
            self.touched.add(broker)

    def lowest_active(self) -> BrokerHeartbeatState | None:
        """The broker in service that has read the least of the metadata log."""
        return min((one for one in self.brokers.values() if one.state == UNFENCED),
                   key=lambda one: (one.metadata_offset, one.broker_id), default=None)

    def state_of(self, broker: int) -> BrokerHeartbeatState:
        """IllegalStateException for a broker that is not registered."""
        if broker not in self.brokers:
            raise IllegalStateException(f"Broker {broker} is not registered; there are "
                                        f"{', '.join(map(str, self.brokers)) or 'none'}")
        return self.brokers[broker]

    def calculate_next_broker_state(self, request: BrokerHeartbeatRequest,
                                    registered_at: int,
                                    leads: Callable[[], bool]) -> BrokerControlStates:
        """The row of the table; `registered_at` is the offset of the broker's registration.

        `leads` says whether the broker leads something, which only one that leaves is asked.
        """
        current = self.state_of(request.broker_id).state
        event = self._event(current, request, registered_at, leads)
        return BrokerControlStates(current, TRANSITIONS[current, event], event)

    def _event(self, current: str, request: BrokerHeartbeatRequest, registered_at: int,
               leads: Callable[[], bool]) -> str:
        fence, shut_down = request.want_fence, request.want_shut_down
        if current != CONTROLLED_SHUTDOWN and fence:
            return FENCE_AND_SHUT_DOWN if shut_down else FENCE
        if current == FENCED and shut_down:
            return SHUT_DOWN
        if current == FENCED:
            return SERVE if request.current_metadata_offset >= registered_at else LAGS
        if current == UNFENCED:
            return SERVE if not shut_down else LEADS if leads() else MOVED
        if leads():
            return LEADS
        lowest, own = self.lowest_active(), self.brokers[request.broker_id]
        known = lowest is None or own.controlled_shutdown_offset <= lowest.metadata_offset
        return MOVED if known else OTHERS_LAG

    def usable(self, registrations: dict) -> list[UsableBroker]:
        """Brokers that may get replicas: all but those that shut down or are full of cordons."""
        return [UsableBroker(one.broker_id, registrations[one.broker_id].rack, one.fenced)
                for one in self.brokers.values() if one.state != CONTROLLED_SHUTDOWN
                and registrations[one.broker_id].has_uncordoned_dirs]
