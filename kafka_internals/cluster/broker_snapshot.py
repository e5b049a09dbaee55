"""What can be seen of a broker: its life, its numbers, and what its metadata image says.

Everybody reads the same metadata log, but not at the same time (KIP-500): what a broker answers,
and whom it lets into an ISR, goes by its own image.
"""

from functools import lru_cache
from typing import NamedTuple

from kafka_internals.common import TopicPartition
from kafka_internals.controller.metadata_delta import MetadataDelta
from kafka_internals.messages.init_producer_id import ProducerIdsBlock
from kafka_internals.raft.raft_client import LeaderAndEpoch

TOPICS_RULE = "a broker has the partitions of its metadata image (KIP-500)"
KNOWN_RULES = {"partition_counts": TOPICS_RULE, "quotas": "alterClientQuotas (KIP-546)",
               "leaders": "a broker knows from its metadata image who leads (KIP-500)",
               "brokers": "a broker knows from its metadata image who is in service (KIP-631)"}


class BrokerSnapshot(NamedTuple):
    """`state`: "running", "paused", "stopped", "crashed", "without power", "without disk".

    `partition_counts` of its topics and `quotas`, which are ((client.id or "<default>", ((kind,
    bound), ...)), ...), are those of its metadata image; there are none while it is down.
    So are `leaders` of partitions and `brokers`, each with its epoch.
    `next_producer_id` is what the next idempotent producer gets; None before the first one.
    `producer_id_blocks` are the numbers that the controller has given it, those in use first.
    """

    broker: int
    state: str
    partition_counts: tuple[tuple[str, int], ...] = ()
    quotas: tuple = ()
    next_producer_id: int | None = None
    producer_id_blocks: tuple[ProducerIdsBlock, ...] = ()
    leaders: tuple[tuple[TopicPartition, LeaderAndEpoch], ...] = ()
    brokers: tuple[tuple[int, tuple[str, int]], ...] = ()


class Known(NamedTuple):
    """What a broker's metadata image says, as pairs; see BrokerSnapshot."""

    partition_counts: tuple = ()
    quotas: tuple = ()
    leaders: tuple = ()
    brokers: tuple = ()


def known_of(delta: MetadataDelta, old: Known) -> Known:
    """Of the image that a MetadataDelta has made, where it touched what was known before."""
    image, new = delta.image, {}
    if delta.changed_topics:
        new["partition_counts"] = tuple((name, len(topic.partitions))
                                        for name, topic in image.topics.items())
    if delta.changed_quotas:
        new["quotas"] = tuple((client or "<default>", tuple(bounds.items()))
                              for client, bounds in image.quotas.items())
    if delta.changed_partitions:
        new["leaders"] = tuple(
            (TopicPartition(topic.name, number), LeaderAndEpoch(one.leader, one.leader_epoch))
            for topic in image.topics.values() for number, one in enumerate(topic.partitions))
    if delta.changed_brokers:
        new["brokers"] = tuple(
            (broker, ("active" if one.active else "fenced" if one.fenced else
                      "in controlled shutdown", one.epoch))
            for broker, one in image.brokers.items())
    return old._replace(**new)


@lru_cache(64)                          # who knew the same learns the same
def learned(delta: MetadataDelta, old: Known) -> tuple[Known, list[tuple]]:
    """What is known now, and each attribute that differs: its name, both values, the rule."""
    known, changes = known_of(delta, old), []
    for field, was, now in zip(Known._fields, old, known):
        if was == now:
            continue
        before, after = dict(was), dict(now)
        changes += [(f"{field}.{key}", before.get(key), after.get(key), KNOWN_RULES[field])
                    for key in {**before, **after} if before.get(key) != after.get(key)]
    return known, changes
