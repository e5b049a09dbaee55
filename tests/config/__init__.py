"""Configs: names, defaults and validators of Kafka, and where this engine differs."""
