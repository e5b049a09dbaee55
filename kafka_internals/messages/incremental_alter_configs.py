"""IncrementalAlterConfigs (key 44): one config at a time is set, removed, or a list (KIP-339)."""

from typing import NamedTuple

from kafka_internals.messages.metadata_records import TOPIC_RESOURCE

SET, DELETE, APPEND, SUBTRACT = 0, 1, 2, 3       # AlterConfigOp.OpType


class AlterableConfig(NamedTuple):
    """One config; APPEND and SUBTRACT take elements of a list, with commas."""

    name: str
    value: str | None = None
    config_operation: int = SET


class AlterConfigsResource(NamedTuple):
    """A topic, or a broker, of which "" stands for all."""

    resource_type: int
    resource_name: str
    configs: tuple[AlterableConfig, ...]


class AlterConfigsResourceResponse(NamedTuple):
    """What came of one resource: all of its configs or none."""

    resource_type: int
    resource_name: str
    error: str = "NONE"
    error_message: str | None = None


class IncrementalAlterConfigsRequest(NamedTuple):
    """With `validate_only` nothing is changed."""

    resources: tuple[AlterConfigsResource, ...]
    validate_only: bool = False

    def response(self, responses: tuple[AlterConfigsResourceResponse, ...]):
        """The answer, in the order of the request."""
        return IncrementalAlterConfigsResponse(responses)

    def error_response(self, error: str, message: str) -> "IncrementalAlterConfigsResponse":
        """The answer where all of it is refused."""
        return self.response(tuple(AlterConfigsResourceResponse(
            one.resource_type, one.resource_name, error, message) for one in self.resources))

    def __str__(self) -> str:
        kinds = {TOPIC_RESOURCE: "topic"}
        return "alter " + ", ".join(
            f"{config.name} of {kinds.get(one.resource_type, 'broker')} "
            f"{one.resource_name or '<default>'}" for one in self.resources
            for config in one.configs)


class IncrementalAlterConfigsResponse(NamedTuple):
    """One answer for each resource of the request."""

    responses: tuple[AlterConfigsResourceResponse, ...]

    def __str__(self) -> str:
        return ", ".join(f"{one.resource_name or '<default>'} "
                         f"{'done' if one.error == 'NONE' else one.error}"
                         for one in self.responses)
