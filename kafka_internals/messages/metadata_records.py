"""Metadata records: what the controller writes into `__cluster_metadata`, and every broker replays.

Each is one of Kafka's generated classes (package org.apache.kafka.common.metadata), with its fields
in the order of its schema. A record says what changed, not what is: a PartitionChangeRecord names
only the fields that change, and every one of them makes the partition epoch one more; one that
names a leader, even the same, makes the leader epoch one more, too (KIP-500, KIP-631).
"""

from typing import NamedTuple

TOPIC_RESOURCE, BROKER_RESOURCE = 2, 4           # ConfigResource.Type
NO_CHANGE, RAISED, CLEARED = 0, 1, -1            # of a flag in a BrokerRegistrationChangeRecord
NO_LEADER_CHANGE = -2                            # PartitionRegistration.NO_LEADER_CHANGE
RECOVERED, RECOVERING, NO_RECOVERY_CHANGE = 0, 1, -1     # LeaderRecoveryState


class Endpoint(NamedTuple):
    """Where a node listens."""

    name: str
    host: str
    port: int
    security_protocol: int = 0


class SupportedFeature(NamedTuple):
    """The levels of one feature that a node understands."""

    name: str
    min_supported_version: int
    max_supported_version: int


class RegisterBrokerRecord(NamedTuple):
    """Key 0. The broker epoch is the offset of the first record of its batch."""

    broker_id: int
    incarnation_id: str
    broker_epoch: int
    end_points: tuple[Endpoint, ...] = ()
    features: tuple[SupportedFeature, ...] = ()
    rack: str | None = None
    fenced: bool = True
    in_controlled_shutdown: bool = False
    is_migrating_zk_broker: bool = False
    log_dirs: tuple[str, ...] = ()
    cordoned_log_dirs: tuple[str, ...] | None = None


class UnregisterBrokerRecord(NamedTuple):
    """Key 1."""

    broker_id: int
    broker_epoch: int


class TopicRecord(NamedTuple):
    """Key 2. A topic that is created again has another id (KIP-516)."""

    name: str
    topic_id: str


class PartitionRecord(NamedTuple):
    """Key 3: a new partition, whole."""

    partition_id: int
    topic_id: str
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    removing_replicas: tuple[int, ...] = ()
    adding_replicas: tuple[int, ...] = ()
    leader: int = -1
    leader_recovery_state: int = RECOVERED
    leader_epoch: int = 0
    partition_epoch: int = 0
    directories: tuple[str, ...] = ()
    eligible_leader_replicas: tuple[int, ...] | None = None
    last_known_elr: tuple[int, ...] | None = None


class ConfigRecord(NamedTuple):
    """Key 4. A value of None removes the config."""

    resource_type: int
    resource_name: str
    name: str
    value: str | None


class PartitionChangeRecord(NamedTuple):
    """Key 5: what changes in a partition. None (-2 the leader, -1 the recovery state) stays."""

    partition_id: int
    topic_id: str
    isr: tuple[int, ...] | None = None
    leader: int = NO_LEADER_CHANGE
    replicas: tuple[int, ...] | None = None
    removing_replicas: tuple[int, ...] | None = None
    adding_replicas: tuple[int, ...] | None = None
    leader_recovery_state: int = NO_RECOVERY_CHANGE
    directories: tuple[str, ...] | None = None
    eligible_leader_replicas: tuple[int, ...] | None = None
    last_known_elr: tuple[int, ...] | None = None


class RemoveTopicRecord(NamedTuple):
    """Key 9."""

    topic_id: str


class FeatureLevelRecord(NamedTuple):
    """Key 12: the level at which the whole cluster speaks."""

    name: str
    feature_level: int


class EntityData(NamedTuple):
    """One part of whom a quota is for; a name of None is the default."""

    entity_type: str
    entity_name: str | None


class ClientQuotaRecord(NamedTuple):
    """Key 14 (KIP-546)."""

    entity: tuple[EntityData, ...]
    key: str
    value: float
    remove: bool = False


class ProducerIdsRecord(NamedTuple):
    """Key 15: ids below `next_producer_id` were given out (KIP-730)."""

    broker_id: int
    broker_epoch: int
    next_producer_id: int


class BrokerRegistrationChangeRecord(NamedTuple):
    """Key 17: `fenced` and `in_controlled_shutdown` are 1 for yes, -1 for no, 0 for as before."""

    broker_id: int
    broker_epoch: int
    fenced: int = NO_CHANGE
    in_controlled_shutdown: int = NO_CHANGE
    log_dirs: tuple[str, ...] = ()
    cordoned_log_dirs: tuple[str, ...] | None = None


class NoOpRecord(NamedTuple):
    """Key 20: nothing, written where nothing else was, so that the log's end moves (KIP-835)."""


class BeginTransactionRecord(NamedTuple):
    """Key 23: what follows counts only with its end (KIP-868)."""

    name: str | None = None


class EndTransactionRecord(NamedTuple):
    """Key 24."""


class AbortTransactionRecord(NamedTuple):
    """Key 25."""

    reason: str | None = None


class RegisterControllerRecord(NamedTuple):
    """Key 27 (KIP-919)."""

    controller_id: int
    incarnation_id: str
    zk_migration_ready: bool = False
    end_points: tuple[Endpoint, ...] = ()
    features: tuple[SupportedFeature, ...] = ()


class ClearElrRecord(NamedTuple):
    """Key 28: forget eligible leader replicas of one topic, "" for all (KIP-966)."""

    topic_name: str
