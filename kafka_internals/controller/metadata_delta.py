"""MetadataDelta: records of the metadata log, folded into the next MetadataImage (KIP-500).

Several batches may be folded before somebody looks, so that states in between are never seen;
epochs tell how many there were. What a delta has touched can be asked: brokers act on that, not on
whole images.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from kafka_internals.common import TopicPartition
from kafka_internals.config import TOPIC_CONFIG
from kafka_internals.config.config_def import Config
from kafka_internals.controller.metadata_image import (
    NOTHING,
    BrokerRegistration,
    MetadataImage,
    MetadataProvenance,
    PartitionRegistration,
    TopicImage,
)
from kafka_internals.errors import IllegalStateException, UnknownTopicIdException
from kafka_internals.messages import metadata_records as m

DEFAULTS = {name: key.default for name, key in TOPIC_CONFIG.keys.items()}
CLUSTER_DEFAULTS = ("min.insync.replicas", "unclean.leader.election.enable")


@lru_cache(1_000)                       # every node folds the same ones
def parsed(name: str, text: str) -> Any:
    """The value of a topic's config."""
    return TOPIC_CONFIG.keys[name].parse(text)


def effective_configs(own: dict[str, str], cluster: dict[str, str]) -> Config:
    """A topic's configs in force: its own, else the cluster's, else the default.

    A record is never refused: what this engine has no name for changes nothing.
    """
    values = dict(DEFAULTS)
    cluster = {name: cluster[name] for name in CLUSTER_DEFAULTS if name in cluster}
    for name, text in {**cluster, **own}.items():
        if name in TOPIC_CONFIG.keys:
            values[name] = parsed(name, text)
    return Config(values, [name for name in own if name in values])


def merged(old: PartitionRegistration, record: m.PartitionChangeRecord) -> PartitionRegistration:
    """PartitionRegistration.merge: one partition epoch more, and with a leader a leader epoch."""
    given = {"isr": record.isr, "replicas": record.replicas, "directories": record.directories,
             "removing_replicas": record.removing_replicas,
             "adding_replicas": record.adding_replicas,
             "elr": record.eligible_leader_replicas, "last_known_elr": record.last_known_elr}
    changes = {name: value for name, value in given.items() if value is not None}
    if record.leader != m.NO_LEADER_CHANGE:
        changes |= {"leader": record.leader, "leader_epoch": old.leader_epoch + 1}
    if record.leader_recovery_state != m.NO_RECOVERY_CHANGE:
        changes["leader_recovery_state"] = record.leader_recovery_state
    return old._replace(partition_epoch=old.partition_epoch + 1, **changes)


class MetadataDelta:
    """Over one image. `changed_...` have what was touched as keys, in the order of the first time.

    Topics: created or deleted, or with other configs or partitions; partitions also with their
    topic; configs by (resource type, name), quotas by entity.
    """

    def __init__(self, image: MetadataImage) -> None:
        self.image = image
        self._new: dict[str, Any] = {}                   # copies of the maps that change
        self._owned: set[tuple] = set()                  # inner maps that are copies already
        self._offset, self._epoch = image.provenance
        self.changed_brokers: dict[int, None] = {}
        self.changed_topics: dict[str, None] = {}
        self.changed_partitions: dict[TopicPartition, None] = {}
        self.changed_configs: dict[tuple[int, str], None] = {}
        self.changed_quotas: dict[tuple, None] = {}
        self.changed_features: dict[str, None] = {}

    @classmethod
    def between(cls, old: MetadataImage, new: MetadataImage) -> "MetadataDelta":
        """An empty delta that has touched everything in either image: nobody knows what changed."""
        delta = cls(new)
        for name in ("brokers", "topics", "configs", "client_quotas", "features"):
            touched = getattr(delta, f"changed_{name.removeprefix('client_')}")
            touched |= dict.fromkeys([*getattr(old, name), *getattr(new, name)])
        delta.changed_partitions |= {
            TopicPartition(topic.name, number): None for image in (old, new)
            for topic in image.topics.values() for number in range(len(topic.partitions))}
        return delta

    @classmethod
    def joined(cls, image: MetadataImage, deltas: list["MetadataDelta"]) -> "MetadataDelta":
        """What these have touched together, one after the other, up to this image."""
        whole = cls(image)
        for one in deltas:
            whole.changed_brokers |= one.changed_brokers
            whole.changed_topics |= one.changed_topics
            whole.changed_partitions |= one.changed_partitions
            whole.changed_configs |= one.changed_configs
            whole.changed_quotas |= one.changed_quotas
            whole.changed_features |= one.changed_features
        return whole

    # -- the fold -----------------------------------------------------------------------------
    def replay(self, record: Any, offset: int | None = None, epoch: int | None = None) -> None:
        """Take one record. Errors: what contradicts the image, as a controller never writes it."""
        _REPLAY[type(record)](self, record)
        self._offset = self._offset if offset is None else offset
        self._epoch = self._epoch if epoch is None else epoch

    def apply(self) -> MetadataImage:
        """The next image; it shares with the last one what was not touched."""
        provenance = MetadataProvenance(self._offset, self._epoch)
        self.image = self.image._replace(provenance=provenance, **self._new)
        self._new, self._owned = {}, set()
        return self.image

    def _map(self, name: str) -> dict:
        """A map of the image, to be changed."""
        if name not in self._new:
            self._new[name] = dict(getattr(self.image, name))
        return self._new[name]

    def _now(self, name: str) -> Any:
        return self._new[name] if name in self._new else getattr(self.image, name)

    def _inner(self, name: str, key: Any, default: Any = NOTHING) -> dict:
        outer = self._map(name)
        if (name, key) not in self._owned:
            self._owned.add((name, key))
            outer[key] = dict(outer.get(key, default))
        return outer[key]

    def _set(self, name: str, key: Any, field: str, value: Any) -> None:
        """Set or, with None, remove an entry of an inner map; an empty one goes."""
        inner = self._inner(name, key)
        if value is None:
            inner.pop(field, None)
        else:
            inner[field] = value
        if not inner:
            del self._map(name)[key]
            self._owned.discard((name, key))

    # -- brokers ------------------------------------------------------------------------------
    def _register(self, record: m.RegisterBrokerRecord) -> None:
        self.changed_brokers[record.broker_id] = None
        self._map("brokers")[record.broker_id] = BrokerRegistration(
            record.broker_id, record.broker_epoch, record.incarnation_id, record.end_points,
            record.features, record.rack, record.fenced, record.in_controlled_shutdown,
            record.log_dirs, record.cordoned_log_dirs)

    def _registered(self, record: Any) -> BrokerRegistration:
        known = self._now("brokers").get(record.broker_id)
        if known is None or known.epoch != record.broker_epoch:
            raise IllegalStateException(
                f"Unable to replay {record}: no broker registration with that epoch found, "
                f"there is {known}")
        return known

    def _unregister(self, record: m.UnregisterBrokerRecord) -> None:
        self.changed_brokers[self._registered(record).broker_id] = None
        del self._map("brokers")[record.broker_id]

    def _change_registration(self, record: m.BrokerRegistrationChangeRecord) -> None:
        known, changes = self._registered(record), {}
        if record.fenced != m.NO_CHANGE:
            changes["fenced"] = record.fenced == m.RAISED
        if record.in_controlled_shutdown != m.NO_CHANGE:
            changes["in_controlled_shutdown"] = record.in_controlled_shutdown == m.RAISED
        if record.log_dirs:
            changes["log_dirs"] = record.log_dirs
        if record.cordoned_log_dirs is not None:
            changes["cordoned_log_dirs"] = record.cordoned_log_dirs
        self.changed_brokers[record.broker_id] = None
        self._map("brokers")[record.broker_id] = known._replace(**changes)

    # -- topics -------------------------------------------------------------------------------
    def _topic(self, topic_id: str) -> TopicImage:
        name = self._now("topic_names").get(topic_id)
        if name is None:
            raise UnknownTopicIdException(f"no topic has the id {topic_id}; there are "
                                          f"{', '.join(self._now('topic_names')) or 'none'}")
        return self._now("topics")[name]

    def _put_topic(self, topic: TopicImage) -> None:
        self.changed_topics[topic.name] = None
        self._map("topics")[topic.name] = topic

    def _create_topic(self, record: m.TopicRecord) -> None:
        if record.name in self._now("topics"):
            raise IllegalStateException(f"Found duplicate TopicRecord for {record.name}")
        self._map("topic_names")[record.topic_id] = record.name
        self._put_topic(TopicImage(record.name, (), self._effective(record.name),
                                   record.topic_id))

    def _remove_topic(self, record: m.RemoveTopicRecord) -> None:
        topic = self._topic(record.topic_id)
        self.changed_topics[topic.name] = None
        for number in range(len(topic.partitions)):
            self.changed_partitions[TopicPartition(topic.name, number)] = None
        del self._map("topics")[topic.name], self._map("topic_names")[record.topic_id]
        key = (m.TOPIC_RESOURCE, topic.name)
        if key in self._now("configs"):
            self.changed_configs[key] = None
            del self._map("configs")[key]
            self._owned.discard(("configs", key))

    def _put_partition(self, topic: TopicImage, number: int, one: PartitionRegistration) -> None:
        partitions = (*topic.partitions[:number], one, *topic.partitions[number + 1:])
        self.changed_partitions[TopicPartition(topic.name, number)] = None
        self._put_topic(TopicImage(topic.name, partitions, topic.configs, topic.topic_id))

    def _partition(self, record: m.PartitionRecord) -> None:
        topic = self._topic(record.topic_id)
        if record.partition_id > len(topic.partitions):
            raise IllegalStateException(f"partition {record.partition_id} of {topic.name}, which "
                                        f"has {len(topic.partitions)}")
        self._put_partition(topic, record.partition_id, PartitionRegistration(
            record.replicas, record.isr, record.leader, record.leader_epoch,
            record.partition_epoch, record.leader_recovery_state,
            record.eligible_leader_replicas or (), record.last_known_elr or (),
            record.removing_replicas, record.adding_replicas, record.directories))

    def _change_partition(self, record: m.PartitionChangeRecord) -> None:
        topic = self._topic(record.topic_id)
        old = topic.partitions[record.partition_id]
        self._put_partition(topic, record.partition_id, merged(old, record))

    def _clear_elr(self, record: m.ClearElrRecord) -> None:
        """Not only ELRs: every partition that had one gets its next epoch."""
        topics = self._now("topics")
        for name in [record.topic_name] if record.topic_name else list(topics):
            for number, one in enumerate(topics[name].partitions):
                if one.elr or one.last_known_elr:
                    topic = self._now("topics")[name]
                    self._put_partition(topic, number, merged(one, m.PartitionChangeRecord(
                        number, topic.topic_id, eligible_leader_replicas=(), last_known_elr=())))

    # -- configs, quotas, features ------------------------------------------------------------
    def _effective(self, topic: str) -> Config:
        configs = self._now("configs")
        return effective_configs(configs.get((m.TOPIC_RESOURCE, topic), NOTHING),
                                 configs.get((m.BROKER_RESOURCE, ""), NOTHING))

    def _config(self, record: m.ConfigRecord) -> None:
        key = (record.resource_type, record.resource_name)
        self.changed_configs[key] = None
        self._set("configs", key, record.name, record.value)
        topics = self._now("topics")
        for name in topics if key == (m.BROKER_RESOURCE, "") else [record.resource_name]:
            if record.resource_type == m.BROKER_RESOURCE and key[1]:
                break
            if name not in topics:
                continue
            old, now = topics[name].configs, self._effective(name)
            if old.get(record.name) != now.get(record.name):
                self._put_topic(topics[name]._replace(configs=now))
                topics = self._now("topics")

    def _quota(self, record: m.ClientQuotaRecord) -> None:
        self.changed_quotas[record.entity] = None
        self._set("client_quotas", record.entity, record.key,
                  None if record.remove else record.value)

    def _feature(self, record: m.FeatureLevelRecord) -> None:
        """Level 0 is as if the feature was not there."""
        self.changed_features[record.name] = None
        levels = self._map("features")
        if record.feature_level:
            levels[record.name] = record.feature_level
        else:
            levels.pop(record.name, None)

    def _producer_ids(self, record: m.ProducerIdsRecord) -> None:
        if record.next_producer_id < self._now("next_producer_id"):
            raise IllegalStateException(
                f"Next Producer ID from replayed record ({record.next_producer_id}) is not greater "
                f"than current next Producer ID ({self._now('next_producer_id')})")
        self._new["next_producer_id"] = record.next_producer_id

    def _nothing(self, record: Any) -> None:
        """Says nothing about the cluster."""


# fmt: off
_REPLAY: dict[type, Callable[[MetadataDelta, Any], None]] = {
    m.RegisterBrokerRecord:           MetadataDelta._register,
    m.UnregisterBrokerRecord:         MetadataDelta._unregister,
    m.BrokerRegistrationChangeRecord: MetadataDelta._change_registration,
    m.TopicRecord:                    MetadataDelta._create_topic,
    m.RemoveTopicRecord:              MetadataDelta._remove_topic,
    m.PartitionRecord:                MetadataDelta._partition,
    m.PartitionChangeRecord:          MetadataDelta._change_partition,
    m.ClearElrRecord:                 MetadataDelta._clear_elr,
    m.ConfigRecord:                   MetadataDelta._config,
    m.ClientQuotaRecord:              MetadataDelta._quota,
    m.FeatureLevelRecord:             MetadataDelta._feature,
    m.ProducerIdsRecord:              MetadataDelta._producer_ids,
    m.NoOpRecord:                     MetadataDelta._nothing,
    m.BeginTransactionRecord:         MetadataDelta._nothing,
    m.EndTransactionRecord:           MetadataDelta._nothing,
    m.AbortTransactionRecord:         MetadataDelta._nothing,
    m.RegisterControllerRecord:       MetadataDelta._nothing,
}
# fmt: on
