"""MetadataImage: topics, their partitions and who leads them, as every broker holds it.

Kafka's brokers follow the controller's log and fold it into this immutable image (KIP-500). This
engine has no controller yet: a new topic or more partitions make the next image, and nothing else
moves a replica. A leader that dies is therefore not replaced.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from kafka_internals.common import NO_NODE, TopicPartition


class PartitionRegistration(NamedTuple):
    """One partition: its replicas in order, those in sync, its leader and the leader's epoch."""

    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    leader: int
    leader_epoch: int


class TopicImage(NamedTuple):
    """One topic: partitions by number, and its configs where they differ from the defaults."""

    name: str
    partitions: tuple[PartitionRegistration, ...]
    configs: Mapping[str, object]


class MetadataImage(NamedTuple):
    """All brokers, topics and quotas. Immutable: a change is a new image.

    `quotas` are by client.id, None for the default (ClientQuotasImage, KIP-546).
    """

    brokers: tuple[int, ...]
    topics: Mapping[str, TopicImage]
    quotas: Mapping[str | None, Mapping[str, float]] = MappingProxyType({})

    def partition(self, partition: TopicPartition) -> PartitionRegistration | None:
        """The registration of a partition, or None where there is no such partition."""
        topic = self.topics.get(partition.topic)
        if topic is None or partition.partition >= len(topic.partitions):
            return None
        return topic.partitions[partition.partition]

    def with_topic(self, topic: TopicImage) -> "MetadataImage":
        """The next image, with one more topic, or with another state of one."""
        return self._replace(topics={**self.topics, topic.name: topic})

    def with_quotas(self, client_id: str | None,
                    changes: Mapping[str, float | None]) -> "MetadataImage":
        """The next image, with other quotas of one client.id; None removes a quota."""
        altered = {**self.quotas.get(client_id, {}), **changes}
        kept = {name: bound for name, bound in altered.items() if bound is not None}
        return self._replace(quotas={**self.quotas, client_id: kept})


def place(brokers: tuple[int, ...], partitions: int, replication_factor: int,
          alive: frozenset[int], start: int = 0) -> tuple[PartitionRegistration, ...]:
    """Partitions from number `start` on; p begins at the p-th broker, so that leadership is even.

    Kafka's StripedReplicaPlacer begins at a random broker, also where partitions are added; this
    one goes on in turn. In sync, and able to lead, are the replicas whose broker is up now.
    """
    registrations = []
    for first in range(start, start + partitions):
        replicas = tuple(brokers[(first + i) % len(brokers)] for i in range(replication_factor))
        isr = tuple(broker for broker in replicas if broker in alive)
        registrations.append(PartitionRegistration(replicas, isr, isr[0] if isr else NO_NODE, 0))
    return tuple(registrations)
