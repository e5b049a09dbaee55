"""SharedServer: what both roles of a KRaft process have: the metadata log and its quorum.

A controller votes and leads, a broker observes; both keep the log on their own disk and begin with
what that holds (KIP-595). `MetadataLoader` is the observer's listener: it folds what is committed
into the next image, and the broker publishes that when it is ready to (KIP-500).
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import cache, lru_cache
from typing import Any

from kafka_internals.common import START_MS
from kafka_internals.config import TOPIC_CONFIG
from kafka_internals.controller.metadata_delta import MetadataDelta
from kafka_internals.controller.metadata_image import MetadataImage
from kafka_internals.messages.kraft_control_records import VoterNode
from kafka_internals.messages.metadata_records import Endpoint
from kafka_internals.raft.kafka_raft_client import KafkaRaftClient
from kafka_internals.raft.raft_log import (
    CLUSTER_METADATA,
    CLUSTER_METADATA_TOPIC_ID,
    MAX_BATCH_SIZE_BYTES,
)
from kafka_internals.storage.checkpoint_file import PARTITION_METADATA, write_partition_metadata
from kafka_internals.storage.log_export import derived_id
from kafka_internals.storage.unified_log import UnifiedLog

CONTROLLER = 100
METADATA_LOG = TOPIC_CONFIG.parse({"max.message.bytes": MAX_BATCH_SIZE_BYTES})
NOTHING_YET = MetadataDelta(MetadataImage())


@cache
def controller_name(controller: int) -> str:
    """The node, and the subject, of a controller: "controller-100"."""
    return f"controller-{controller}"


def cluster_id(seed: int) -> str:
    """What the cluster of a seed was formatted with."""
    return derived_id(f"cluster of seed {seed}")


def directory_id(node: str) -> str:
    """What a node's only log directory was formatted with."""
    return derived_id(f"directory of {node}")


@lru_cache(256)                         # every broker folds the same ones, and has the same image
def folded(last: MetadataDelta, batch: Any) -> MetadataDelta:
    """The delta of one batch over the image that the last one has made; nobody changes it."""
    delta = MetadataDelta(last.image)
    for offset, record in enumerate(batch.records, batch.base_offset):
        delta.replay(record, offset, batch.epoch)
    delta.apply()
    return delta


class MetadataLoader:
    """Folds committed records. `reads` is why the last ones are committed, for "why?".

    `untold` are the deltas that nobody has taken yet.
    """

    def __init__(self) -> None:
        self._last, self.untold = NOTHING_YET, []
        self.last_applied_offset, self.reads = -1, ()

    def handle_commit(self, batch: Any, reads: tuple, now_ms: int) -> list:
        """Take one batch; nobody sees it before `take()`."""
        self._last = folded(self._last, batch)
        self.untold.append(self._last)
        self.last_applied_offset, self.reads = batch.last_offset, reads
        return []

    def handle_leader_change(self, leader: Any, reads: tuple, now_ms: int) -> list:
        """Who leads says nothing about the cluster."""
        return []

    def has_caught_up(self, high_watermark: int | None) -> bool:
        """True once everything is folded that is committed as far as this node knows."""
        return high_watermark is not None and 0 <= high_watermark - 1 <= self.last_applied_offset

    def take(self) -> tuple[MetadataDelta, MetadataImage]:
        """What has changed since the last time, and the image now."""
        image, deltas, self.untold = self._last.image, self.untold, []
        return deltas[0] if len(deltas) == 1 else MetadataDelta.joined(image, deltas), image


def touches_something(delta: MetadataDelta) -> bool:
    """False for records that say nothing about the cluster, as those of an idle controller."""
    return bool(delta.changed_brokers or delta.changed_topics or delta.changed_partitions
                or delta.changed_configs or delta.changed_quotas or delta.changed_features)


class SharedServer:
    """One life of a node's metadata log and raft client, on its disk."""

    def __init__(self, node: Any, number: int, listener: Any, config: Mapping[str, Any],
                 next_correlation_id: Callable[[], int], *, votes: bool = False) -> None:
        disk, now_ms, directory = node.disk, node.now_ms(), directory_id(node.name)
        self._disk = disk
        self.log = UnifiedLog(CLUSTER_METADATA, disk, METADATA_LOG, now_ms=START_MS + now_ms)
        self.log.local.on_change, self._log_waits = self._look_again, True
        identity = f"{CLUSTER_METADATA}/{PARTITION_METADATA}"
        if not disk.exists(identity):
            write_partition_metadata(disk, identity, CLUSTER_METADATA_TOPIC_ID)
        voter = VoterNode(number, directory, (Endpoint("CONTROLLER", node.name, 9093),))
        self.client = KafkaRaftClient(
            number, directory, self.log, listener, config, voters=(voter,) if votes else (),
            bootstrap=(CONTROLLER,), quorum_state=disk.read(f"{CLUSTER_METADATA}/quorum-state"),
            next_correlation_id=next_correlation_id)

    def _look_again(self) -> None:
        """The log may have something to do by the clock."""
        self._log_waits = True

    def leader(self) -> int | None:
        """The active controller; None while this node knows of none."""
        leader = self.client.quorum.state.leader_id
        return leader if leader >= 0 else None

    def close_on(self, storage: Any) -> None:
        """Leave on a copy of the disk what an orderly stop now would leave; here nothing stops."""
        deepcopy(self.log, {id(self._disk): storage, id(self): self}).close()

    def tick(self, now_ms: int) -> list:
        """What is due in the quorum and in the log."""
        if self._log_waits:
            self.log.local.do_due(START_MS + now_ms)
        return self.client.tick(now_ms)

    def next_deadline_ms(self) -> int | None:
        """When `tick` has something to do."""
        due_ms = self.client.next_deadline_ms()
        if not self._log_waits or (log_ms := self.log.local.next_deadline_ms) is None:
            self._log_waits = False
            return due_ms
        return log_ms - START_MS if due_ms is None else min(due_ms, log_ms - START_MS)
