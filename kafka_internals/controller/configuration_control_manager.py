"""ConfigurationControlManager: what was set for topics and brokers, and what is in force (KIP-339).

A change of `min.insync.replicas` also forgets eligible leader replicas: they were right for the
bound under which they left the ISR, and would promise too much under another (KIP-966).
"""

from collections.abc import Callable, Mapping
from typing import Any

from kafka_internals import errors
from kafka_internals.common import LEGAL_TOPIC
from kafka_internals.config import TOPIC_CONFIG
from kafka_internals.config.config_def import LIST
from kafka_internals.controller.controller_result import ControllerResult, Decided
from kafka_internals.controller.metadata_delta import parsed
from kafka_internals.controller.metadata_image import MetadataImage
from kafka_internals.messages import metadata_records as m
from kafka_internals.messages.incremental_alter_configs import (
    APPEND,
    DELETE,
    SET,
    AlterableConfig,
    AlterConfigsResource,
    AlterConfigsResourceResponse,
    IncrementalAlterConfigsRequest,
)

ALTER_RULE = "incrementalAlterConfigs (KIP-339)"
CLEAR_RULE = "another min.insync.replicas: eligible leader replicas are forgotten (KIP-966)"
MIN_ISR, UNCLEAN = "min.insync.replicas", "unclean.leader.election.enable"
OPERATIONS = ("SET", "DELETE", "APPEND", "SUBTRACT")
MAX_VALUE, MAX_NAME_LENGTH = 32_767, 249


def validate_topic_name(name: str) -> None:
    """InvalidTopicException for what no topic may be called (Topic.validate)."""
    if LEGAL_TOPIC.fullmatch(name) and name not in (".", ".."):
        return
    if not name:
        why = "the empty string is not allowed"
    elif name in (".", ".."):
        why = f"'{name}' is not allowed"
    elif len(name) > MAX_NAME_LENGTH:
        why = f"the length of '{name}' is longer than the max allowed length {MAX_NAME_LENGTH}"
    else:
        why = f"'{name}' contains one or more characters other than ASCII alphanumerics, '.', " \
              f"'_' and '-'"
    raise errors.InvalidTopicException(f"Topic name is invalid: {why}")


class ConfigurationControlManager:
    """`static` are the controller's own configs, which apply where nothing was set."""

    def __init__(self, image: Callable[[], MetadataImage], static: Mapping[str, Any]) -> None:
        self._image, self._static = image, static
        self.handlers = {IncrementalAlterConfigsRequest: self.incremental_alter_configs}

    # -- what is in force ---------------------------------------------------------------------
    def _effective(self, topic: str, name: str) -> Any:
        for configs in (self._image().topic_config(topic), self._image().cluster_config()):
            if name in configs:
                return parsed(name, configs[name])
        return self._static[name]

    def min_isr(self, topic: str) -> int:
        """`min.insync.replicas` of a topic."""
        return self._effective(topic, MIN_ISR)

    def unclean_leader_election_enabled(self, topic: str) -> bool:
        """True where a replica may lead that is not in sync."""
        return self._effective(topic, UNCLEAN)

    # -- changes ------------------------------------------------------------------------------
    def incremental_alter_configs(self, request: IncrementalAlterConfigsRequest,
                                  reads: tuple) -> ControllerResult:
        """All configs of a resource, or none of them."""
        records, answers = [], []
        for one in request.resources:
            answer = AlterConfigsResourceResponse(one.resource_type, one.resource_name)
            try:
                records += self.alter_resource(one)
            except errors.ApiException as error:
                answer = answer._replace(error=error.error_name, error_message=str(error))
            answers.append(answer)
        if request.validate_only:
            records = []
        decided = [Decided(one, ALTER_RULE, reads) for one in records]
        decided += [Decided(one, CLEAR_RULE, reads) for one in self.clear_elr_records(records)]
        return ControllerResult(decided, request.response(tuple(answers)))

    def alter_resource(self, resource: AlterConfigsResource,
                       newly_created: bool = False) -> list[m.ConfigRecord]:
        """Records, of what differs. ApiException says what is refused, and then all of it is."""
        kind, name, _ = resource
        old = self._image().config(kind, name)
        records = [m.ConfigRecord(kind, name, one.name, value) for one in resource.configs
                   if (value := self._new_value(one, old, kind)) != old.get(one.name)
                   or kind == m.BROKER_RESOURCE]
        for one in records:
            self._ensure_allowed(one)
        changed = {**old, **{one.name: one.value for one in records}}
        self._validate(kind, name, {key: text for key, text in changed.items()
                                    if text is not None})
        if not newly_created:
            self._ensure_exists(kind, name)
        return records

    def _new_value(self, one: AlterableConfig, old: Mapping[str, str], kind: int) -> str | None:
        if one.config_operation == SET:
            return one.value
        if one.config_operation == DELETE:
            return None
        key = TOPIC_CONFIG.keys.get(one.name)
        if kind != m.TOPIC_RESOURCE or key is None or key.type != LIST:
            raise errors.InvalidConfigurationException(
                f"Can't {OPERATIONS[one.config_operation]} to key {one.name} because its type is "
                f"not LIST.")
        parts = [part for part in old.get(one.name, ",".join(key.default)).split(",") if part]
        given = one.value.split(",")
        if one.config_operation == APPEND:
            parts += [part for part in dict.fromkeys(given) if part not in parts]
        else:
            parts = [part for part in parts if part not in given]
        return ",".join(parts)

    def _ensure_allowed(self, record: m.ConfigRecord) -> None:
        if record.name == MIN_ISR and record.resource_type == m.BROKER_RESOURCE \
                and self._image().elr_enabled:
            if record.resource_name:
                raise errors.InvalidConfigurationException(
                    "Broker-level min.insync.replicas cannot be altered while ELR is enabled.")
            if record.value is None:
                raise errors.InvalidConfigurationException(
                    "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.")
        if record.value is not None and len(record.value) > MAX_VALUE:
            raise errors.InvalidConfigurationException(
                f"The configuration value cannot be added because it exceeds the maximum value "
                f"size of {MAX_VALUE} bytes.")

    def _validate(self, kind: int, name: str, configs: dict[str, str]) -> None:
        if kind == m.TOPIC_RESOURCE:
            if not name:
                raise errors.InvalidRequestException("Default topic resources are not allowed.")
            validate_topic_name(name)
            try:
                TOPIC_CONFIG.parse(configs)
            except errors.ConfigException as error:
                raise errors.InvalidConfigurationException(str(error)) from error
        elif kind != m.BROKER_RESOURCE:
            raise errors.InvalidRequestException(
                f"Unknown resource type {kind}: {m.TOPIC_RESOURCE} is a topic, "
                f"{m.BROKER_RESOURCE} a broker")
        elif name and not name.isdecimal():
            raise errors.InvalidRequestException("Unable to parse broker name as a base 10 number.")

    def _ensure_exists(self, kind: int, name: str) -> None:
        if kind == m.TOPIC_RESOURCE and name not in self._image().topics:
            raise errors.UnknownTopicOrPartitionException(f"The topic '{name}' does not exist.")
        if kind == m.BROKER_RESOURCE and name and int(name) not in self._image().brokers:
            raise errors.BrokerIdNotRegisteredException(f"No node with id {name} found.")

    def clear_elr_records(self, records: list[m.ConfigRecord]) -> list[m.ClearElrRecord]:
        """One for each change of `min.insync.replicas`, of a topic or of all."""
        return [m.ClearElrRecord(one.resource_name if one.resource_type == m.TOPIC_RESOURCE else "")
                for one in records if one.name == MIN_ISR and self._image().elr_enabled]
