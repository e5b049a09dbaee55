"""MetadataImage: what the metadata log says up to one offset, as controller and brokers hold it.

Everybody folds the same records into the same immutable image (KIP-500), by MetadataDelta. Brokers
hold the image up to the last record that is committed, the active controller up to the last one
that it has appended, because its next decision stands on that.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from kafka_internals.common import ZERO_UUID, TopicPartition
from kafka_internals.messages import metadata_records as m

NOTHING = MappingProxyType({})
UNASSIGNED, LOST, MIGRATING = ZERO_UUID, "A" * 21 + "Q", "A" * 21 + "g"        # DirectoryId
CLIENT_ID = "client-id"
METADATA_VERSION = "metadata.version"
ELR_VERSION = "eligible.leader.replicas.version"


class PartitionRegistration(NamedTuple):
    """One partition: its replicas in order, those in sync, its leader and the leader's epoch."""

    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    leader: int
    leader_epoch: int
    partition_epoch: int = 0
    leader_recovery_state: int = m.RECOVERED
    elr: tuple[int, ...] = ()
    last_known_elr: tuple[int, ...] = ()
    removing_replicas: tuple[int, ...] = ()
    adding_replicas: tuple[int, ...] = ()
    directories: tuple[str, ...] = ()

    @property
    def has_preferred_leader(self) -> bool:
        """True where the first replica leads."""
        return self.leader == self.replicas[0]

    def directory(self, broker: int) -> str:
        """Where the replica of a broker lies, as far as the controller was told."""
        found = dict(zip(self.replicas, self.directories))
        return found.get(broker, UNASSIGNED)


class BrokerRegistration(NamedTuple):
    """One broker: which process has this id now, and whether it may lead."""

    broker_id: int
    epoch: int = -1
    incarnation_id: str = ZERO_UUID
    end_points: tuple[m.Endpoint, ...] = ()
    features: tuple[m.SupportedFeature, ...] = ()
    rack: str | None = None
    fenced: bool = True
    in_controlled_shutdown: bool = False
    log_dirs: tuple[str, ...] = ()
    cordoned_log_dirs: tuple[str, ...] | None = None

    @property
    def active(self) -> bool:
        """True for a broker that may lead and join an ISR."""
        return not self.fenced and not self.in_controlled_shutdown

    @property
    def has_uncordoned_dirs(self) -> bool:
        """True while one of its log directories takes new replicas (KIP-1066)."""
        return not self.log_dirs or any(one not in (self.cordoned_log_dirs or ())
                                        for one in self.log_dirs)

    @property
    def default_dir(self) -> str:
        """Where a new replica will lie: known where there is one directory only."""
        if not self.log_dirs:
            return MIGRATING
        return self.log_dirs[0] if len(self.log_dirs) == 1 else UNASSIGNED

    def has_online_dir(self, directory: str) -> bool:
        """False where the replica lies on a disk that has failed (KIP-858)."""
        return directory in (UNASSIGNED, MIGRATING) or directory != LOST and (
            not self.log_dirs or directory in self.log_dirs)


class TopicImage(NamedTuple):
    """One topic: partitions by number, and its configs in force, where `given` were set for it."""

    name: str
    partitions: tuple[PartitionRegistration, ...]
    configs: Mapping[str, object]
    topic_id: str = ZERO_UUID


class MetadataProvenance(NamedTuple):
    """The last record that an image holds."""

    last_offset: int = -1
    last_epoch: int = -1


class MetadataImage(NamedTuple):
    """Brokers, topics, configs, quotas, features. Immutable: a change is a new image.

    `configs` are the strings of the log, by (resource type, name); `client_quotas` by entity.
    """

    brokers: Mapping[int, BrokerRegistration] = NOTHING
    topics: Mapping[str, TopicImage] = NOTHING
    topic_names: Mapping[str, str] = NOTHING
    configs: Mapping[tuple[int, str], Mapping[str, str]] = NOTHING
    client_quotas: Mapping[tuple[m.EntityData, ...], Mapping[str, float]] = NOTHING
    features: Mapping[str, int] = NOTHING
    next_producer_id: int = 0
    provenance: MetadataProvenance = MetadataProvenance()

    def partition(self, partition: TopicPartition) -> PartitionRegistration | None:
        """The registration of a partition, or None where there is no such partition."""
        topic = self.topics.get(partition.topic)
        if topic is None or partition.partition >= len(topic.partitions):
            return None
        return topic.partitions[partition.partition]

    def topic_by_id(self, topic_id: str) -> TopicImage | None:
        """The topic of that id; None where it was deleted, or never was."""
        return self.topics.get(self.topic_names.get(topic_id))

    def config(self, resource_type: int, resource_name: str) -> Mapping[str, str]:
        """What was set for a resource; "" names the default of all brokers."""
        return self.configs.get((resource_type, resource_name), NOTHING)

    def cluster_config(self) -> Mapping[str, str]:
        """What was set for all brokers together."""
        return self.config(m.BROKER_RESOURCE, "")

    def topic_config(self, topic: str) -> Mapping[str, str]:
        """What was set for one topic."""
        return self.config(m.TOPIC_RESOURCE, topic)

    @property
    def quotas(self) -> Mapping[str | None, Mapping[str, float]]:
        """Quotas by client.id alone, None for the default (KIP-546)."""
        return {entity[0].entity_name: bounds for entity, bounds in self.client_quotas.items()
                if len(entity) == 1 and entity[0].entity_type == CLIENT_ID}

    @property
    def elr_enabled(self) -> bool:
        """True where the controller keeps eligible leader replicas (KIP-966)."""
        return self.features.get(ELR_VERSION, 0) > 0
