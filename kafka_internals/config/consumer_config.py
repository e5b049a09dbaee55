"""ConsumerConfig: what one can tell a consumer that is given its partitions by `assign()`."""

from kafka_internals.config.auto_offset_reset_strategy import OffsetReset
from kafka_internals.config.common_client_configs import COMMON_CLIENT_KEYS, reconnect_backoff
from kafka_internals.config.config_def import (
    BOOLEAN,
    INT,
    STRING,
    ConfigDef,
    ConfigKey,
    Range,
    ValidString,
)

# fmt: off
CONSUMER_CONFIG = ConfigDef("consumer", (
    ConfigKey("auto.offset.reset", STRING, "latest", OffsetReset(),
              "where to begin without a position: latest, earliest, by_duration:PT1H, or none"),
    ConfigKey("default.api.timeout.ms", INT, 60_000, Range.at_least(0),
              "how long a call without a limit of its own may ask for offsets"),
    ConfigKey("fetch.min.bytes", INT, 1, Range.at_least(0),
              "a broker answers a fetch when it has so many bytes"),
    ConfigKey("fetch.max.wait.ms", INT, 500, Range.at_least(0),
              "or when the fetch has waited so long"),
    ConfigKey("fetch.max.bytes", INT, 52_428_800, Range.at_least(0),
              "bytes of one answer; its first batch always comes whole"),
    ConfigKey("max.partition.fetch.bytes", INT, 1_048_576, Range.at_least(0),
              "bytes of one partition in an answer; the same holds for its first batch"),
    ConfigKey("max.poll.records", INT, 500, Range.at_least(1),
              "records that one poll() gives; the rest waits in the consumer"),
    ConfigKey("check.crcs", BOOLEAN, True, None,
              "compare each batch with its checksum"),
    ConfigKey("isolation.level", STRING, "read_uncommitted",
              ValidString("read_committed", "read_uncommitted"),
              "whether open and aborted transactions are seen"),
    ConfigKey("group.id", STRING, None, None,
              "the group that shares the partitions of its topics", later="consumer groups come"),
    *COMMON_CLIENT_KEYS,
), reconnect_backoff)
# fmt: on
