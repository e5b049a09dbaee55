"""CommonClientConfigs: what every client has, whatever it does with its connections."""

from typing import Any

from kafka_internals.config.config_def import (
    INT,
    LONG,
    STRING,
    CaseInsensitiveValidString,
    ConfigKey,
    Range,
)

# fmt: off
COMMON_CLIENT_KEYS = (
    ConfigKey("client.rack", STRING, "", None,
              "where the client runs, to prefer what is near"),
    ConfigKey("connections.max.idle.ms", LONG, 540_000, None,
              "close a connection that was idle for so long", later="idle connections are closed"),
    ConfigKey("metadata.max.age.ms", LONG, 300_000, Range.at_least(0),
              "ask for metadata again after this time, even if nothing seems wrong"),
    ConfigKey("metadata.recovery.strategy", STRING, "rebootstrap",
              CaseInsensitiveValidString("REBOOTSTRAP", "NONE"),
              "what to do when no broker that it knows of can be reached (KIP-899)"),
    ConfigKey("reconnect.backoff.ms", LONG, 50, Range.at_least(0),
              "wait before connecting again; doubles with each failure"),
    ConfigKey("reconnect.backoff.max.ms", LONG, 1_000, Range.at_least(0),
              "the longest wait before connecting again"),
    ConfigKey("request.timeout.ms", INT, 30_000, Range.at_least(0),
              "give up a request, and its connection, that was not answered in this time"),
    ConfigKey("retry.backoff.ms", LONG, 100, Range.at_least(0),
              "wait before sending again what failed; doubles with each failure (KIP-580)"),
    ConfigKey("retry.backoff.max.ms", LONG, 1_000, Range.at_least(0),
              "the longest wait before sending again"),
)
# fmt: on


def reconnect_backoff(values: dict[str, Any], given: list[str]) -> dict[str, Any]:
    """Whoever sets `reconnect.backoff.ms` alone wants the same wait every time."""
    if "reconnect.backoff.ms" in given and "reconnect.backoff.max.ms" not in given:
        return {"reconnect.backoff.max.ms": values["reconnect.backoff.ms"]}
    return {}
