"""TopicConfig and LogConfig: what can be set for one topic; the brokers have the same defaults."""

from kafka_internals.config.config_def import (
    BOOLEAN,
    INT,
    LIST,
    LONG,
    LONG_MAX,
    STRING,
    ConfigDef,
    ConfigKey,
    Range,
    ValidString,
)

MIN_SEGMENT_BYTES = 1_048_576
DAYS_MS = 86_400_000

# fmt: off
TOPIC_CONFIG = ConfigDef("topic", (
    ConfigKey("min.insync.replicas", INT, 1, Range.at_least(1),
              "with acks=all, refuse records while fewer replicas are in sync"),
    ConfigKey("max.message.bytes", INT, 1_048_588, Range.at_least(0),
              "bytes of the largest batch, its 12 bytes of offset and length included"),
    ConfigKey("segment.bytes", INT, 1_073_741_824, Range.at_least(MIN_SEGMENT_BYTES),
              "size at which a new segment begins (KIP-1030: 1 MiB or more)"),
    ConfigKey("internal.segment.bytes", INT, None, Range.at_least(0),
              "the same without the lower limit, for tests"),
    ConfigKey("segment.ms", LONG, 7 * DAYS_MS, Range.at_least(1),
              "age at which the next record begins a new segment"),
    ConfigKey("segment.jitter.ms", LONG, 0, Range.at_least(0),
              "takes up to so much off segment.ms, by luck"),
    ConfigKey("segment.index.bytes", INT, 10_485_760, Range.at_least(4),
              "size of an index at which a new segment begins"),
    ConfigKey("index.interval.bytes", INT, 4_096, Range.at_least(0),
              "bytes of the log between two entries of its index"),
    ConfigKey("preallocate", BOOLEAN, False, None,
              "give a segment its full size on disk at once", later="preallocated logs come"),
    ConfigKey("retention.ms", LONG, 7 * DAYS_MS, Range.at_least(-1),
              "delete segments that are older; -1 never"),
    ConfigKey("retention.bytes", LONG, -1, None,
              "delete the oldest segments of a log that is larger; -1 never"),
    ConfigKey("cleanup.policy", LIST, ("delete",), ValidString("compact", "delete"),
              "how old records go: with their segment, or by key", later="compaction comes"),
    ConfigKey("file.delete.delay.ms", LONG, 60_000, Range.at_least(0),
              "how long a deleted file stays for those who still read it"),
    ConfigKey("flush.messages", LONG, LONG_MAX, Range.at_least(1),
              "force the log to disk after so many records"),
    ConfigKey("flush.ms", LONG, LONG_MAX, Range.at_least(0),
              "force the log to disk after this time", later="forced flushes come"),
    ConfigKey("message.timestamp.type", STRING, "CreateTime",
              ValidString("CreateTime", "LogAppendTime"),
              "whose clock a record's timestamp shows: the producer's or the leader's"),
    ConfigKey("message.timestamp.before.max.ms", LONG, LONG_MAX, Range.at_least(0),
              "how far behind the leader's clock a timestamp may be"),
    ConfigKey("message.timestamp.after.max.ms", LONG, 3_600_000, Range.at_least(0),
              "how far ahead of the leader's clock a timestamp may be"),
    ConfigKey("compression.type", STRING, "producer",
              ValidString("uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"),
              "how the leader stores batches: as they came, or in this codec"),
    ConfigKey("unclean.leader.election.enable", BOOLEAN, False, None,
              "let a replica lead that is not in sync, at the price of records"),
))
# fmt: on
