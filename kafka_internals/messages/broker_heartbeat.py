"""BrokerHeartbeat (key 63): a broker is alive, how far it has read the metadata log, what it wants.

A broker that is silent for `broker.session.timeout.ms` is fenced: it leads nothing and is in no
ISR until it asks to be unfenced again (KIP-631).
"""

from typing import NamedTuple


class BrokerHeartbeatRequest(NamedTuple):
    """`current_metadata_offset` is that of the last record that the broker has read.

    `cordoned_log_dirs` of None says nothing about them (KIP-1066).
    """

    broker_id: int
    broker_epoch: int
    current_metadata_offset: int
    want_fence: bool = False
    want_shut_down: bool = False
    cordoned_log_dirs: tuple[str, ...] | None = None

    def response(self, is_caught_up: bool, is_fenced: bool,
                 should_shut_down: bool) -> "BrokerHeartbeatResponse":
        """The answer."""
        return BrokerHeartbeatResponse("NONE", is_caught_up, is_fenced, should_shut_down)

    def error_response(self, error: str, message: str) -> "BrokerHeartbeatResponse":
        """The answer where it is refused."""
        return BrokerHeartbeatResponse(error)

    def __str__(self) -> str:
        wants = "to stay fenced" if self.want_fence else "to serve"
        if self.want_shut_down:
            wants = "to shut down"
        return f"broker {self.broker_id} at {self.current_metadata_offset} wants {wants}"


class BrokerHeartbeatResponse(NamedTuple):
    """What the controller makes of the broker; with an error only the error counts."""

    error: str
    is_caught_up: bool = False
    is_fenced: bool = True
    should_shut_down: bool = False

    def __str__(self) -> str:
        if self.error != "NONE":
            return self.error
        told = ["fenced" if self.is_fenced else "not fenced"]
        told += ["caught up"] if self.is_caught_up else []
        return ", ".join(told + (["shut down"] if self.should_shut_down else []))
