"""QuorumConfig: what can be set for the metadata quorum, as far as this engine has it."""

from kafka_internals.config.config_def import INT, ConfigDef, ConfigKey, Range

# fmt: off
QUORUM_CONFIG = ConfigDef("broker", (
    ConfigKey("controller.quorum.append.linger.ms", INT, 25, Range.at_least(0),
              "how long the leader waits for more records before it writes a batch"),
    ConfigKey("controller.quorum.fetch.max.bytes", INT, 1_048_576, Range.at_least(1),
              "bytes of one answer to a fetch; the first batch always comes whole"),
    ConfigKey("controller.quorum.request.timeout.ms", INT, 2_000, Range.at_least(0),
              "a request that was not answered in this time is given up"),
    ConfigKey("controller.quorum.retry.backoff.ms", INT, 20, Range.at_least(0),
              "how long a node waits after a request failed"),
))
# fmt: on
