"""Configs by Kafka's names, with Kafka's defaults, validators and messages (ConfigDef)."""

from kafka_internals.config.broker_config import BROKER_CONFIG
from kafka_internals.config.config_def import Config, ConfigDef, ConfigKey
from kafka_internals.config.consumer_config import CONSUMER_CONFIG
from kafka_internals.config.controller_config import CONTROLLER_CONFIG
from kafka_internals.config.producer_config import PRODUCER_CONFIG
from kafka_internals.config.quorum_config import QUORUM_CONFIG
from kafka_internals.config.topic_config import TOPIC_CONFIG

__all__ = ["BROKER_CONFIG", "CONSUMER_CONFIG", "CONTROLLER_CONFIG", "PRODUCER_CONFIG",
           "QUORUM_CONFIG", "TOPIC_CONFIG", "Config", "ConfigDef", "ConfigKey"]
