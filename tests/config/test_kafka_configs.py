"""Names, types, defaults and validators against those that Kafka 4.4.0 reports of itself."""

import json

import pytest

from kafka_internals.config import (
    BROKER_CONFIG,
    CONSUMER_CONFIG,
    PRODUCER_CONFIG,
    QUORUM_CONFIG,
    TOPIC_CONFIG,
)
from kafka_internals.config.config_def import SAME
from kafka_internals.errors import ConfigException
from tests.golden.cases import GOLDEN, json_lines

KAFKA = json.loads((GOLDEN / "groups/configs.json").read_text("utf-8"))
DEFINITIONS = (PRODUCER_CONFIG, CONSUMER_CONFIG, BROKER_CONFIG, QUORUM_CONFIG)
KEYS = [(definition.kind, key) for definition in DEFINITIONS for key in definition.keys.values()]
INTERNAL = {                                    # which no broker reports; from ServerLogConfigs
    "log.initial.task.delay.ms": {"type": "LONG", "default": 30_000, "valid": "[0,...]"},
    "producer.id.expiration.check.interval.ms": {"type": "INT", "default": 600_000,
                                                 "valid": "[1,...]"}}
DAY_MS = 86_400_000
BROKER_SYNONYMS = {                             # those of ServerTopicConfigSynonyms in one unit
    "min.insync.replicas": "min.insync.replicas", "max.message.bytes": "message.max.bytes",
    "segment.bytes": "log.segment.bytes", "segment.index.bytes": "log.index.size.max.bytes",
    "index.interval.bytes": "log.index.interval.bytes", "preallocate": "log.preallocate",
    "retention.bytes": "log.retention.bytes", "cleanup.policy": "log.cleanup.policy",
    "file.delete.delay.ms": "log.segment.delete.delay.ms",
    "flush.messages": "log.flush.interval.messages",
    "message.timestamp.type": "log.message.timestamp.type",
    "message.timestamp.before.max.ms": "log.message.timestamp.before.max.ms",
    "message.timestamp.after.max.ms": "log.message.timestamp.after.max.ms",
    "compression.type": "compression.type",
    "unclean.leader.election.enable": "unclean.leader.election.enable"}
OTHER_UNITS = {"segment.ms": 7 * DAY_MS, "segment.jitter.ms": 0, "retention.ms": 7 * DAY_MS,
               "flush.ms": (1 << 63) - 1, "internal.segment.bytes": None}


def described(key) -> tuple:
    default = key.default if key.kafka_default is SAME else key.kafka_default
    return (key.type, list(default) if isinstance(default, tuple) else default,
            "" if key.validator is None else str(key.validator))


@pytest.mark.parametrize("kind, key", KEYS, ids=lambda one: getattr(one, "name", one))
def test_each_config_is_kafkas(kind, key):
    kafka = KAFKA[kind].get(key.name) or INTERNAL[key.name]
    assert described(key) == (kafka["type"], kafka["default"], kafka.get("valid", ""))


@pytest.mark.parametrize("name", TOPIC_CONFIG.keys)
def test_each_topic_config_has_the_brokers_default(name):
    key = TOPIC_CONFIG.keys[name]
    if name in OTHER_UNITS:
        assert key.default == OTHER_UNITS[name]
    else:
        kafka = KAFKA["broker"][BROKER_SYNONYMS[name]]
        assert described(key) == (kafka["type"], kafka["default"], kafka.get("valid", ""))


LIMITS = json_lines("storage/config-limits/limits.jsonl")


@pytest.mark.parametrize("limit", [one for one in LIMITS if one["config"] in TOPIC_CONFIG.keys],
                         ids=lambda one: f"{one['config']}={one['value']}")
def test_each_topic_config_is_refused_where_kafka_refuses_it(limit):
    key = TOPIC_CONFIG.key(limit["config"])
    if limit["error"] == "NONE":
        key.parse(limit["value"])
        return
    with pytest.raises(ConfigException) as refused:
        key.parse(limit["value"])
    assert str(refused.value) == limit["message"]


@pytest.mark.parametrize("definition", (*DEFINITIONS, TOPIC_CONFIG), ids=lambda one: one.kind)
def test_every_default_is_accepted_and_every_config_documented(definition):
    for key in definition.keys.values():
        definition.parse({} if key.default is None else {key.name: key.default})
        assert key.documentation and not key.documentation.endswith(".")


def test_only_a_default_that_is_not_kafkas_needs_a_reason():
    for _, key in KEYS:
        assert key.kafka_default is SAME or key.later


def test_the_topics_of_the_recorded_cases_can_be_configured():
    config = TOPIC_CONFIG.parse({"retention.ms": "-1",
                                 "message.timestamp.after.max.ms": "9223372036854775807"})
    assert config["retention.ms"] == -1
