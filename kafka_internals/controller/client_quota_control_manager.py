"""ClientQuotaControlManager: bounds for users, client ids and addresses (KIP-546)."""

from collections.abc import Callable
from ipaddress import ip_address
from math import isfinite

from kafka_internals.controller.controller_result import ControllerResult, Decided
from kafka_internals.controller.metadata_image import NOTHING, MetadataImage
from kafka_internals.errors import ApiException, InvalidRequestException
from kafka_internals.messages.alter_client_quotas import (
    AlterClientQuotasEntry,
    AlterClientQuotasEntryResponse,
    AlterClientQuotasRequest,
)
from kafka_internals.messages.metadata_records import ClientQuotaRecord, EntityData

RULE = "alterClientQuotas (KIP-546)"
TYPES = ("client-id", "ip", "user")
CLIENT_KEYS = {"producer_byte_rate": True, "consumer_byte_rate": True,        # integral?
               "request_percentage": False, "controller_mutation_rate": False}
IP_KEYS = {"connection_creation_rate": True}
INT_MAX, LONG_MAX, FRACTION = (1 << 31) - 1, (1 << 63) - 1, 1e-6


def _is_address(name: str) -> bool:
    try:
        return bool(ip_address(name))
    except ValueError:
        return False


class ClientQuotaControlManager:
    """All quotas of an entity that are asked for are set, or none."""

    def __init__(self, image: Callable[[], MetadataImage]) -> None:
        self._image = image
        self.handlers = {AlterClientQuotasRequest: self.alter_client_quotas}

    def alter_client_quotas(self, request: AlterClientQuotasRequest,
                            reads: tuple) -> ControllerResult:
        """Records, of what differs."""
        records, answers, seen = [], [], []
        for entry in request.entries:
            entity = tuple(sorted(entry.entity, key=lambda one: one.entity_type))
            error = ("NONE", None)
            try:
                if entity in seen:
                    raise InvalidRequestException(f"Ignoring duplicate entity {entity}")
                seen.append(entity)
                records += self._altered(entity, entry)
            except ApiException as refused:
                error = (refused.error_name, str(refused))
            answers.append(AlterClientQuotasEntryResponse(entry.entity, *error))
        decided = [] if request.validate_only else [Decided(one, RULE, reads) for one in records]
        return ControllerResult(decided, request.response(tuple(answers)))

    def _altered(self, entity: tuple[EntityData, ...],
                 entry: AlterClientQuotasEntry) -> list[ClientQuotaRecord]:
        keys, old = self._keys(entity), self._image().client_quotas.get(entity, NOTHING)
        if len(dict(entry.ops)) < len(entry.ops):
            raise InvalidRequestException(f"Duplicate quota key for {entity}")
        records = []
        for key, value in entry.ops:
            if value is None:
                records += [ClientQuotaRecord(entity, key, 0.0, True)] if key in old else []
                continue
            self._ensure_valid(keys, key, value)
            if old.get(key) != value:
                records.append(ClientQuotaRecord(entity, key, float(value)))
        return records

    def _keys(self, entity: tuple[EntityData, ...]) -> dict[str, bool]:
        types = [one.entity_type for one in entity]
        if not entity:
            raise InvalidRequestException("Invalid empty client quota entity")
        for kind, name in entity:
            if kind not in TYPES:
                raise InvalidRequestException(f"Unhandled client quota entity type: {kind}; there "
                                              f"is {', '.join(TYPES)}")
            if types.count(kind) > 1:
                raise InvalidRequestException(
                    f"Invalid client quota entity, duplicate entity entry {kind}")
            if name == "":
                raise InvalidRequestException(f"Empty {kind} not supported")
        if "ip" not in types:
            return CLIENT_KEYS
        if len(types) > 1:
            raise InvalidRequestException("Invalid quota entity combination, IP entity should"
                                          "not be combined with User or ClientId")
        if entity[0].entity_name is not None and not _is_address(entity[0].entity_name):
            raise InvalidRequestException(f"{entity[0].entity_name} is not a valid IP or "
                                          f"resolvable host.")
        return IP_KEYS

    def _ensure_valid(self, keys: dict[str, bool], key: str, value: float) -> None:
        if key not in keys:
            raise InvalidRequestException(f"Invalid configuration key {key}; there is "
                                          f"{', '.join(keys)}")
        if not isfinite(value):
            raise InvalidRequestException(f"Quota {key} must be a finite number")
        if value <= 0:
            raise InvalidRequestException(f"Quota {key} must be greater than 0")
        most, kind = (INT_MAX, "an INT") if keys is IP_KEYS else (LONG_MAX, "a LONG")
        if keys[key] and value > most:
            raise InvalidRequestException(f"Proposed value for {key} is too large for {kind}.")
        if keys[key] and value % 1 > FRACTION:
            raise InvalidRequestException(f"{key} cannot be a fractional value.")
