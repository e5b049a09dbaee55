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
    invalid,
)
from kafka_internals.errors import ConfigException

TRANSACTIONS = "transactions come"
IN_FLIGHT = "max.in.flight.requests.per.connection"
MAX_IN_FLIGHT_WITH_IDEMPOTENCE = 5


class GzipLevel:
    """1 to 9, or -1."""

    def ensure_valid(self, name: str, value: int) -> None:
        """ConfigException for any other number."""
        if value != -1 and not 1 <= value <= 9:
            raise invalid(name, value, "Value must be between 1 and 9 or equal to -1")

    def __str__(self) -> str:
        return "[1,...,9] or -1"


def _post_process(values: dict[str, Any], given: list[str]) -> dict[str, Any]:
    acks = -1 if values["acks"] == "all" else int(values["acks"])
    return {**reconnect_backoff(values, given), "acks": acks,
            "delivery.timeout.ms": _delivery_timeout_ms(values, given),
            "compression.gzip.level": 6 if (level := values["compression.gzip.level"]) < 0
            else level,
            "enable.idempotence": _idempotence(values, acks, "enable.idempotence" in given)}


def _idempotence(values: dict[str, Any], acks: int, asked_for: bool) -> bool:
    """On unless something given contradicts it; refused where it was asked for nevertheless."""
    if not values["enable.idempotence"]:
        return False
    for contradicts, needs in (
            (values["retries"] == 0, "Must set retries to non-zero when using the idempotent "
                                     "producer."),
            (acks != -1, "Must set acks to all in order to use the idempotent producer. Otherwise "
                         "we cannot guarantee idempotence.")):
        if contradicts:
            if asked_for:
                raise ConfigException(needs)
            return False
    if values[IN_FLIGHT] > MAX_IN_FLIGHT_WITH_IDEMPOTENCE:
        raise ConfigException(f"To use the idempotent producer, {IN_FLIGHT} must be set to at most "
                              f"{MAX_IN_FLIGHT_WITH_IDEMPOTENCE}. Current value is "
                              f"{values[IN_FLIGHT]}.")
    return True


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
              "bytes that may wait to be sent; send() blocks while they are full"),
    ConfigKey("max.block.ms", LONG, 60_000, Range.at_least(0),
              "how long a record waits for its topic's metadata and for memory"),
    ConfigKey("max.request.size", INT, 1_048_576, Range.at_least(0),
              "bytes of the largest record, and of a request unless one batch alone is larger"),
    ConfigKey("max.in.flight.requests.per.connection", INT, 5, Range.at_least(1),
              "requests to one broker without an answer; above 1 a retry may change the order"),
    ConfigKey("retries", INT, INT_MAX, Range.between(0, INT_MAX),
              "how often a batch is sent again; delivery.timeout.ms is the better limit"),
    ConfigKey("delivery.timeout.ms", INT, 120_000, Range.at_least(0),
              "from the creation of a batch until it is answered or given up (KIP-91)"),
    ConfigKey("enable.idempotence", BOOLEAN, True, None,
              "numbers batches, so that a retry is stored once and in order (KIP-98)"),
    ConfigKey("compression.type", STRING, "none",
              ValidString("none", "gzip", "snappy", "lz4", "zstd"),
              "how the records of a batch are compressed"),
    ConfigKey("compression.gzip.level", INT, -1, GzipLevel(),
              "1 is fast, 9 is small; -1 is zlib's own default, 6 (KIP-390)"),
    ConfigKey("compression.lz4.level", INT, 9, Range.between(1, 17),
              "9 is the fast way, every other number a slower and smaller one"),
    ConfigKey("compression.zstd.level", INT, 3, Range.between(-131_072, 22),
              "lower is faster, higher smaller"),
    ConfigKey("metadata.max.idle.ms", LONG, 300_000, Range.at_least(5_000),
              "forget a topic that was not used for so long", later="forgetting topics comes"),
    ConfigKey("partitioner.class", CLASS, None, None,
              "who chooses the partition of a record; None is the built-in partitioner"),
    ConfigKey("partitioner.ignore.keys", BOOLEAN, False, None,
              "spread records with a key like those without"),
    ConfigKey("partitioner.adaptive.partitioning.enable", BOOLEAN, True, None,
              "send more to brokers that are faster (KIP-794)"),
    ConfigKey("partitioner.availability.timeout.ms", LONG, 0, Range.at_least(0),
              "leave out a broker that took nothing for so long; 0 never"),
    ConfigKey("partitioner.rack.aware", BOOLEAN, False, None,
              "prefer leaders in the client's rack (KIP-1123)", later="racks come"),
    ConfigKey("transactional.id", STRING, None, NonEmptyString(),
              "names a producer across restarts; switches transactions on", later=TRANSACTIONS),
    ConfigKey("transaction.timeout.ms", INT, 60_000, None,
              "the coordinator aborts a transaction that is open for longer", later=TRANSACTIONS),
    ConfigKey("transaction.two.phase.commit.enable", BOOLEAN, False, None,
              "transactions that another coordinator ends (KIP-939)", later=TRANSACTIONS),
    *COMMON_CLIENT_KEYS,
), _post_process)
# fmt: on
