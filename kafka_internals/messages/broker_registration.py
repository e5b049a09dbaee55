"""BrokerRegistration (key 62): a process says that it is this broker, and what it can do (KIP-631).

The controller gives it a broker epoch, greater than that of every process before it. With
`previous_broker_epoch`, from the file of a clean shutdown, a process shows that nothing of the last
one was lost (KIP-966).
"""

from typing import NamedTuple

from kafka_internals.messages.metadata_records import Endpoint, SupportedFeature


class BrokerRegistrationRequest(NamedTuple):
    """`incarnation_id` is drawn anew by each process; -1: no previous broker epoch is known."""

    broker_id: int
    cluster_id: str
    incarnation_id: str
    listeners: tuple[Endpoint, ...] = ()
    features: tuple[SupportedFeature, ...] = ()
    rack: str | None = None
    log_dirs: tuple[str, ...] = ()
    previous_broker_epoch: int = -1

    def response(self, broker_epoch: int) -> "BrokerRegistrationResponse":
        """The answer."""
        return BrokerRegistrationResponse("NONE", broker_epoch)

    def error_response(self, error: str, message: str) -> "BrokerRegistrationResponse":
        """The answer where it is refused."""
        return BrokerRegistrationResponse(error)

    def __str__(self) -> str:
        last = f" after epoch {self.previous_broker_epoch}" if self.previous_broker_epoch >= 0 \
            else ""
        return f"register broker {self.broker_id}{last}"


class BrokerRegistrationResponse(NamedTuple):
    """The broker epoch; -1 with an error."""

    error: str
    broker_epoch: int = -1

    def __str__(self) -> str:
        return self.error if self.error != "NONE" else f"broker epoch {self.broker_epoch}"
