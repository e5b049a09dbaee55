"""UnregisterBroker (key 64): a person says that a broker will not come back (KIP-631)."""

from typing import NamedTuple


class UnregisterBrokerRequest(NamedTuple):
    """The broker is forgotten, whether it runs or not."""

    broker_id: int

    def response(self) -> "UnregisterBrokerResponse":
        """The answer."""
        return UnregisterBrokerResponse()

    def error_response(self, error: str, message: str) -> "UnregisterBrokerResponse":
        """The answer where it is refused."""
        return UnregisterBrokerResponse(error, message)

    def __str__(self) -> str:
        return f"unregister broker {self.broker_id}"


class UnregisterBrokerResponse(NamedTuple):
    """Done, or why not."""

    error: str = "NONE"
    error_message: str | None = None

    def __str__(self) -> str:
        return "unregistered" if self.error == "NONE" else self.error
