"""What can be set for controllers, against what Kafka 4.4.0 reports of itself."""

import json

import pytest

from kafka_internals.config import CONTROLLER_CONFIG
from tests.golden.cases import GOLDEN

KAFKA = json.loads((GOLDEN / "groups/configs.json").read_text("utf-8"))["broker"]
INTERNAL = {                                    # which no broker reports; from ReplicationConfigs
    "unclean.leader.election.interval.ms": {"type": "LONG", "default": 300_000,
                                            "valid": "[1,...]"}}


@pytest.mark.parametrize("name", CONTROLLER_CONFIG.keys)
def test_each_config_is_kafkas(name):
    key, kafka = CONTROLLER_CONFIG.keys[name], KAFKA.get(name) or INTERNAL[name]
    assert (key.type, key.default, "" if key.validator is None else str(key.validator)) == (
        kafka["type"], kafka["default"], kafka.get("valid", ""))
    assert CONTROLLER_CONFIG.parse({name: key.default})[name] == key.default
    assert key.documentation and not key.documentation.endswith(".") and not key.later
