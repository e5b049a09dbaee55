"""Reading for a fetch: ReplicaManager.readFromLog, and where a consumer should read instead.

A consumer that names its rack may be sent to a replica that stands nearer, as the selector says
(KIP-392). The leader answers that at once and reads nothing.
"""

from typing import Any

from kafka_internals.errors import ApiException
from kafka_internals.messages.fetch import FetchPartition, FetchRequest, PartitionData
from kafka_internals.server.partition import Partition
from kafka_internals.server.replica_selector import SELECTORS, ReplicaView


class LocalLogReader:
    """Reads the logs of one broker; `manager` is its ReplicaManager."""

    def __init__(self, manager: Any, config: Any) -> None:
        self._manager = manager
        self._selector = SELECTORS[config["replica.selector.class"]]

    def read(self, body: FetchRequest, now_ms: int = 0) -> tuple[PartitionData, ...]:
        """Read every partition of a fetch; the first that has data gives at least one batch."""
        left, min_one, results = body.max_bytes, True, ()
        for asked in body.partitions:
            try:
                data = self._read_one(body, asked, left, min_one, now_ms)
            except ApiException as error:
                data = PartitionData(asked.partition, error.error_name)
            results += (data,)
            if data.records:
                left, min_one = max(0, left - len(data.records)), False
        return results

    def _read_one(self, body: FetchRequest, asked: FetchPartition, left: int, min_one: bool,
                  now_ms: int) -> PartitionData:
        partition = self._manager.partition(asked.partition)
        log = partition.log
        if self._selector is not None and body.replica_id < 0 and \
                (elsewhere := self._preferred_read_replica(partition, body, asked, now_ms)) >= 0:
            partition.ensure_leader(asked.current_leader_epoch)
            return PartitionData(asked.partition, "NONE", log.high_watermark,
                                 log.log_start_offset, last_stable_offset=log.last_stable_offset,
                                 preferred_read_replica=elsewhere)
        info = partition.read_records(
            asked.fetch_offset, min(asked.partition_max_bytes, left), asked.current_leader_epoch,
            body.replica_id, min_one, body.committed_only, asked.last_fetched_epoch)
        return PartitionData(asked.partition, "NONE", log.high_watermark,
                             info.log_start_offset, info.records, log.last_stable_offset,
                             info.aborted_transactions, info.fetch_offset_metadata,
                             info.diverging_epoch)

    def _preferred_read_replica(self, partition: Partition, body: FetchRequest,
                                asked: FetchPartition, now_ms: int) -> int:
        """Where a consumer should read instead; -1: here (KIP-392)."""
        if (role := partition.role).role != "leader":
            return -1
        end, rack = partition.log.log_end_offset, self._manager.metadata.rack
        leader = ReplicaView(end, 0, self._manager.broker, rack(self._manager.broker))
        views = [ReplicaView(state.log_end_offset, state.last_caught_up_time_ms - now_ms, broker,
                             rack(broker))
                 for broker, state in ((one, role.replicas[one].state) for one in role.state.isr
                                       if one in role.replicas)
                 if state.log_start_offset <= asked.fetch_offset <= state.log_end_offset]
        chosen = self._selector.select(body.rack_id, [*views, leader], leader)
        return -1 if chosen is leader or self._manager.metadata.broker(chosen.broker) is None \
            else chosen.broker
