"""What can be seen of a QuorumController: itself, each broker and each partition as it knows them.

Subjects are "controller-100", "broker-2@controller-100" and "orders-0@controller-100". What a
record changes is said by comparing two images where the record has touched them.
"""

from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import Any, NamedTuple

from kafka_internals.common import Changed, Wait
from kafka_internals.controller.metadata_delta import MetadataDelta
from kafka_internals.controller.metadata_image import (
    NOTHING,
    BrokerRegistration,
    MetadataImage,
    PartitionRegistration,
)
from kafka_internals.messages.metadata_records import TOPIC_RESOURCE


class QuorumControllerSnapshot(NamedTuple):
    """One controller, frozen. `claim_epoch` of -1: a standby. Offsets of -1: none.

    `topics` are (name, id); `configs` and `quotas` (whose and which, value).
    """

    node: int
    claim_epoch: int
    last_committed_offset: int
    next_write_offset: int
    topics: tuple[tuple[str, str], ...]
    configs: tuple[tuple[str, str], ...]
    quotas: tuple[tuple[str, float], ...]
    features: tuple[tuple[str, int], ...]
    next_producer_id: int


class SoftState(NamedTuple):
    """What only the active controller knows of a broker: its heartbeats."""

    state: str | None
    contact_ms: int | None
    metadata_offset: int | None
    controlled_shutdown_offset: int | None


NO_SOFT_STATE = SoftState(None, None, None, None)


# One broker, frozen: its registration, and what the active controller knows beside it; one
# partition: its registration, and what it waits for without a leader.
_WAITS = ("waits", tuple[Wait, ...])
BrokerControlSnapshot = NamedTuple("BrokerControlSnapshot", [
    *BrokerRegistration.__annotations__.items(), *SoftState.__annotations__.items(), _WAITS])
PartitionControlSnapshot = NamedTuple("PartitionControlSnapshot", [
    *PartitionRegistration.__annotations__.items(), _WAITS])


def soft_state(broker: int, registered: Mapping[int, BrokerRegistration],
               heartbeats: Any) -> SoftState | None:
    """From what is registered, and a BrokerHeartbeatManager (None for a standby)."""
    if heartbeats is None or (one := heartbeats.brokers.get(broker)) is None:
        return None
    epoch = registered[broker].epoch if broker in registered else -1
    return SoftState(one.state, heartbeats.contact_ms.get((broker, epoch)), one.metadata_offset,
                     one.controlled_shutdown_offset)


def diff(subject: str, old: Any, new: Any, rule: str, reads: tuple) -> list[Changed]:
    """One Changed for each field that differs; None has only fields of None."""
    if old == new:
        return []
    fields = zip((old or new)._fields, old or repeat(None), new or repeat(None))
    return [Changed(subject, name, was, now, rule, reads)
            for name, was, now in fields if was != now]


def topic_pairs(image: MetadataImage, topics: Iterable[str]) -> tuple:
    """(("orders", topic id), ...)."""
    return tuple([(one, image.topics[one].topic_id) for one in topics if one in image.topics])


def feature_pairs(image: MetadataImage, features: Iterable[str]) -> tuple:
    """(("metadata.version", level), ...)."""
    return tuple([(one, image.features[one]) for one in features if one in image.features])


def config_pairs(image: MetadataImage, resources: Iterable[tuple]) -> tuple:
    """(("topic orders retention.ms", text), ...)."""
    return tuple((f"{'topic' if kind == TOPIC_RESOURCE else 'broker'} {name or '<default>'} {key}",
                  text) for kind, name in resources
                 for key, text in image.configs.get((kind, name), NOTHING).items())


def quota_pairs(image: MetadataImage, entities: Iterable[tuple]) -> tuple:
    """(("client-id shop producer_byte_rate", bound), ...)."""
    return tuple((" ".join(f"{kind} {'<default>' if name is None else name}"
                           for kind, name in entity) + f" {key}", bound) for entity in entities
                 for key, bound in image.client_quotas.get(entity, NOTHING).items())


def image_changes(name: str, old: MetadataImage, new: MetadataImage,
                  delta: MetadataDelta | None, rule: str, reads: tuple) -> list[Changed]:
    """How two images of one controller differ, where a delta has touched them, or anywhere."""
    touched = delta or MetadataDelta.between(old, new)
    why, changes = (rule, reads), []
    for broker in touched.changed_brokers:
        changes += diff(f"broker-{broker}@{name}", old.brokers.get(broker),
                        new.brokers.get(broker), *why)
    for partition in touched.changed_partitions:
        changes += diff(f"{partition}@{name}", old.partition(partition),
                        new.partition(partition), *why)
    for field, keys, pairs in (("topics", touched.changed_topics, topic_pairs),
                               ("configs", touched.changed_configs, config_pairs),
                               ("quotas", touched.changed_quotas, quota_pairs),
                               ("features", touched.changed_features, feature_pairs)):
        if keys:
            before, after = dict(pairs(old, keys)), dict(pairs(new, keys))
            changes += [Changed(name, f"{field}.{key}", was, now, *why)
                        for key in {**before, **after}
                        if (was := before.get(key)) != (now := after.get(key))]
    if old.next_producer_id != new.next_producer_id:
        changes.append(Changed(name, "next_producer_id", old.next_producer_id,
                               new.next_producer_id, *why))
    return changes
