"""KafkaConfig: what can be set for the brokers, as far as replication goes (ReplicationConfigs)."""

from kafka_internals.config.config_def import (
    BOOLEAN,
    INT,
    LONG,
    LONG_MAX,
    STRING,
    ConfigDef,
    ConfigKey,
    Range,
)

ISR, ELECTIONS, PLACES = "changes of the in-sync set come", "elections come", "racks come"

# fmt: off
BROKER_CONFIG = ConfigDef("broker", (
    ConfigKey("fetch.max.bytes", INT, 57_671_680, Range.at_least(1024),
              "bytes of one answer to a fetch, whatever was asked for"),
    ConfigKey("replica.fetch.wait.max.ms", INT, 500, None,
              "how long a leader may hold a follower's fetch that finds nothing"),
    ConfigKey("replica.fetch.min.bytes", INT, 1, None,
              "the bytes for which a leader answers a follower's fetch at once"),
    ConfigKey("replica.fetch.max.bytes", INT, 1_048_576, Range.at_least(0),
              "bytes of one partition in an answer; its first batch always comes whole"),
    ConfigKey("replica.fetch.response.max.bytes", INT, 10_485_760, Range.at_least(0),
              "bytes of one answer to a follower"),
    ConfigKey("replica.fetch.backoff.ms", INT, 1_000, Range.at_least(0),
              "how long a follower waits after an error"),
    ConfigKey("replica.socket.timeout.ms", INT, 30_000, None,
              "a follower gives up a fetch that was not answered in this time"),
    ConfigKey("replica.high.watermark.checkpoint.interval.ms", LONG, 5_000, None,
              "how often a broker writes the high watermarks of its replicas to disk"),
    ConfigKey("replica.lag.time.max.ms", LONG, 30_000, None,
              "a follower that was not caught up for so long leaves the in-sync set", later=ISR),
    ConfigKey("num.replica.fetchers", INT, 1, Range.at_least(1),
              "fetcher threads to each broker that leads", later="more fetchers come"),
    ConfigKey("default.replication.factor", INT, 1, None,
              "replicas of a topic that asks for no number", later="automatic topics come"),
    ConfigKey("min.insync.replicas", INT, 1, Range.at_least(1),
              "for topics that do not set it", later="brokers' defaults for topics come"),
    ConfigKey("unclean.leader.election.enable", BOOLEAN, False, None,
              "for topics that do not set it", later=ELECTIONS),
    ConfigKey("auto.leader.rebalance.enable", BOOLEAN, False, None,
              "give leadership back to the preferred replicas", later=ELECTIONS,
              kafka_default=True),
    ConfigKey("leader.imbalance.check.interval.seconds", LONG, 300, Range.at_least(1),
              "how often that is looked at", later=ELECTIONS),
    ConfigKey("replica.selector.class", STRING, None, None,
              "which replica a consumer reads from (KIP-392)", later=PLACES),
    ConfigKey("broker.rack", STRING, None, None, "where the broker stands", later=PLACES),
    ConfigKey("log.flush.interval.messages", LONG, LONG_MAX, Range.at_least(1),
              "force logs to disk after so many records", later="forced flushes come"),
    ConfigKey("log.flush.interval.ms", LONG, None, None,
              "force logs to disk after this time", later="forced flushes come"),
))
# fmt: on
