"""KafkaConfig: what can be set for controllers, and for brokers towards them (KRaftConfigs)."""

from kafka_internals.config.config_def import BOOLEAN, INT, LONG, ConfigDef, ConfigKey, Range

# fmt: off
CONTROLLER_CONFIG = ConfigDef("broker", (
    ConfigKey("broker.session.timeout.ms", INT, 9_000, None,
              "a broker that was silent for so long is fenced"),
    ConfigKey("broker.heartbeat.interval.ms", INT, 2_000, None,
              "how often a broker tells the controller that it is alive"),
    ConfigKey("initial.broker.registration.timeout.ms", INT, 60_000, None,
              "a broker that could not register in this time stops"),
    ConfigKey("metadata.max.idle.interval.ms", INT, 500, Range.at_least(0),
              "how often a controller with nothing to write writes nothing; 0 never"),
    ConfigKey("unclean.leader.election.interval.ms", LONG, 300_000, Range.at_least(1),
              "how often partitions without a leader are looked at, where unclean ones may lead"),
    ConfigKey("auto.leader.rebalance.enable", BOOLEAN, True, None,
              "give leadership back to the preferred replicas"),
    ConfigKey("leader.imbalance.check.interval.seconds", LONG, 300, Range.at_least(1),
              "how often that is looked at"),
    ConfigKey("num.partitions", INT, 1, Range.at_least(1),
              "partitions of a topic that asks for no number"),
    ConfigKey("default.replication.factor", INT, 1, None,
              "replicas of a topic that asks for no number"),
    ConfigKey("min.insync.replicas", INT, 1, Range.at_least(1),
              "for topics that do not set it; written into the log when a cluster begins"),
    ConfigKey("unclean.leader.election.enable", BOOLEAN, False, None,
              "for topics that do not set it"),
))
# fmt: on
