"""ProducerConfig: what one can tell a producer, and what contradicts itself.

`config["acks"]` is the number that goes over the wire: -1 for "all", 0 or 1.
"""

from typing import Any

from kafka_internals.config.common_client_configs import COMMON_CLIENT_KEYS, reconnect_backoff
from kafka_internals.config.config_def import (
    BOOLEAN,
    CLASS,
    INT,
    INT_MAX,
    LONG,
    STRING,
    ConfigDef,
    ConfigKey,
    NonEmptyString,
    Range,
    ValidString,
)
from kafka_internals.errors import ConfigException

TRANSACTIONS, PARTITIONERS = "transactions come", "other ways to choose a partition come"


def _post_process(values: dict[str, Any], given: list[str]) -> dict[str, Any]:
    acks = values["acks"]
    return {**reconnect_backoff(values, given), "acks": -1 if acks == "all" else int(acks),
            "delivery.timeout.ms": _delivery_timeout_ms(values, given)}


def _delivery_timeout_ms(values: dict[str, Any], given: list[str]) -> int:
    """It covers lingering and one request: raised if it does not, refused if that was asked for."""
    delivery_ms = values["delivery.timeout.ms"]
    linger_ms, request_ms = values["linger.ms"], values["request.timeout.ms"]
    needed_ms = min(linger_ms + request_ms, INT_MAX)
    if delivery_ms < needed_ms and "delivery.timeout.ms" in given:
        raise ConfigException(
            f"delivery.timeout.ms should be equal to or larger than linger.ms + "
            f"request.timeout.ms; got {delivery_ms}, needs {linger_ms} + {request_ms}")
    return max(delivery_ms, needed_ms)


# fmt: off
PRODUCER_CONFIG = ConfigDef("producer", (
    ConfigKey("acks", STRING, "all", ValidString("all", "-1", "0", "1"),
              "who has to have a record: all in-sync replicas, the leader (1), nobody (0)"),
    ConfigKey("batch.size", INT, 16_384, Range.at_least(0),
              "bytes at which a batch is full; 0 gives each record a batch of its own"),
    ConfigKey("linger.ms", LONG, 5, Range.at_least(0),
              "how long a batch that is not full waits for more records (KIP-1030)"),
    ConfigKey("buffer.memory", LONG, 33_554_432, Range.at_least(0),
              "bytes that may wait to be sent", later="a limit on waiting bytes comes"),
    ConfigKey("max.block.ms", LONG, 60_000, Range.at_least(0),
              "how long a record waits for its topic's metadata"),
    ConfigKey("max.request.size", INT, 1_048_576, Range.at_least(0),
              "bytes of the largest record, and of a request unless one batch alone is larger"),
    ConfigKey("max.in.flight.requests.per.connection", INT, 5, Range.at_least(1),
              "requests to one broker without an answer; above 1 a retry may change the order"),
    ConfigKey("retries", INT, INT_MAX, Range.between(0, INT_MAX),
              "how often a batch is sent again; delivery.timeout.ms is the better limit"),
    ConfigKey("delivery.timeout.ms", INT, 120_000, Range.at_least(0),
              "from the creation of a batch until it is answered or given up (KIP-91)"),
    ConfigKey("enable.idempotence", BOOLEAN, False, None,
              "numbers batches, so that a retry is stored once and in order (KIP-98)",
              later="idempotent producers come", kafka_default=True),
    ConfigKey("compression.type", STRING, "none",
              ValidString("none", "gzip", "snappy", "lz4", "zstd"),
              "how the records of a batch are compressed", later="producers that compress come"),
    ConfigKey("metadata.max.idle.ms", LONG, 300_000, Range.at_least(5_000),
              "forget a topic that was not used for so long", later="forgetting topics comes"),
    ConfigKey("partitioner.class", CLASS, None, None,
              "who chooses the partition of a record", later=PARTITIONERS),
    ConfigKey("partitioner.ignore.keys", BOOLEAN, False, None,
              "spread records with a key like those without", later=PARTITIONERS),
    ConfigKey("partitioner.adaptive.partitioning.enable", BOOLEAN, False, None,
              "send more to brokers that are faster (KIP-794)",
              later=PARTITIONERS, kafka_default=True),
    ConfigKey("partitioner.availability.timeout.ms", LONG, 0, Range.at_least(0),
              "leave out a broker that took nothing for so long; 0 never", later=PARTITIONERS),
    ConfigKey("partitioner.rack.aware", BOOLEAN, False, None,
              "prefer leaders in the client's rack", later=PARTITIONERS),
    ConfigKey("transactional.id", STRING, None, NonEmptyString(),
              "names a producer across restarts; switches transactions on", later=TRANSACTIONS),
    ConfigKey("transaction.timeout.ms", INT, 60_000, None,
              "the coordinator aborts a transaction that is open for longer", later=TRANSACTIONS),
    ConfigKey("transaction.two.phase.commit.enable", BOOLEAN, False, None,
              "transactions that another coordinator ends (KIP-939)", later=TRANSACTIONS),
    *COMMON_CLIENT_KEYS,
), _post_process)
# fmt: on
