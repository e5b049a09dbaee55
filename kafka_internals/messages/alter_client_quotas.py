"""AlterClientQuotas (key 49): bounds for clients, by user, client.id or address (KIP-546)."""

from typing import NamedTuple

from kafka_internals.messages.metadata_records import EntityData


def _named(entity: tuple[EntityData, ...]) -> str:
    return " ".join(f"{kind} {'<default>' if name is None else name}" for kind, name in entity)


class AlterClientQuotasEntry(NamedTuple):
    """`ops` are (key, value); a value of None removes the quota."""

    entity: tuple[EntityData, ...]
    ops: tuple[tuple[str, float | None], ...]


class AlterClientQuotasEntryResponse(NamedTuple):
    """What came of one entity: all of its quotas or none."""

    entity: tuple[EntityData, ...]
    error: str = "NONE"
    error_message: str | None = None


class AlterClientQuotasRequest(NamedTuple):
    """With `validate_only` nothing is changed."""

    entries: tuple[AlterClientQuotasEntry, ...]
    validate_only: bool = False

    def response(self, entries: tuple[AlterClientQuotasEntryResponse, ...]):
        """The answer, in the order of the request."""
        return AlterClientQuotasResponse(entries)

    def error_response(self, error: str, message: str) -> "AlterClientQuotasResponse":
        """The answer where all of it is refused."""
        return self.response(tuple(AlterClientQuotasEntryResponse(one.entity, error, message)
                                   for one in self.entries))

    def __str__(self) -> str:
        return "alter quotas of " + ", ".join(_named(one.entity) for one in self.entries)


class AlterClientQuotasResponse(NamedTuple):
    """One answer for each entity of the request."""

    entries: tuple[AlterClientQuotasEntryResponse, ...]

    def __str__(self) -> str:
        return ", ".join(f"{_named(one.entity)} {'done' if one.error == 'NONE' else one.error}"
                         for one in self.entries)
