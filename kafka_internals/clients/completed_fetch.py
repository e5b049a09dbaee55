"""CompletedFetch: what one fetch brought of one partition, and how much of it was given out.

Whole batches come, so records before the position are left out here, and so are the control
batches that transactions end with. With `isolation.level` read_committed the batches of aborted
transactions are passed over, too (KIP-98). A fetch ends behind its last batch, even where the last
offsets of that batch hold nothing to give.
"""

from collections import deque
from typing import Any, NamedTuple

from kafka_internals.clients.fetch_metrics_manager import FetchMetricsAggregator
from kafka_internals.control_record import ControlRecordType, read_marker
from kafka_internals.errors import KafkaException
from kafka_internals.messages.fetch import READ_COMMITTED, PartitionData
from kafka_internals.record import size_in_bytes
from kafka_internals.record_batch import RecordBatch, batches


class ConsumerRecord(NamedTuple):
    """One record as an application gets it; `timestamp` in epoch ms."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


class CompletedFetch:
    """Records to give, or the name of an error; `end_offset` is where the next fetch begins."""

    def __init__(self, data: PartitionData, fetch_offset: int, config: Any, reads: tuple,
                 aggregator: FetchMetricsAggregator) -> None:
        self.partition, self.error, self.reads = data.partition, data.error, reads
        self.records: deque[ConsumerRecord] = deque()
        self.end_offset = fetch_offset
        self.failure: KafkaException | None = None
        self.is_consumed = False
        self._sizes: deque[int] = deque()
        self._epochs: deque[int] = deque()
        self._end_epoch: int | None = None
        self.last_epoch: int | None = None        # of the batch that was given or passed last
        self._bytes_read = self.records_read = 0
        self._config, self._aggregator = config, aggregator
        self._aborted = sorted(data.aborted_transactions or (), key=lambda one: one.first_offset)
        self._aborted_producers: set[int] = set()
        try:
            for batch in batches(data.records):
                self._unpack(batch, fetch_offset)
        except KafkaException as error:
            self.failure = error

    def _unpack(self, batch: RecordBatch, fetch_offset: int) -> None:
        if self._config["check.crcs"]:
            try:
                batch.ensure_valid()
            except KafkaException as error:
                raise KafkaException(
                    f"Record batch for partition {self.partition} at offset {batch.base_offset} "
                    f"is invalid, cause: {error}") from error
        header = batch.header
        if not self._is_passed_over(batch):
            for record in batch.records():
                if record.offset >= fetch_offset:
                    self.records.append(ConsumerRecord(*self.partition, *record))
                    self._sizes.append(size_in_bytes(record.timestamp - header.base_timestamp,
                                                     record.offset - header.base_offset,
                                                     *record[2:]))
                    self._epochs.append(header.partition_leader_epoch)
                    self.end_offset = record.offset + 1
        self.end_offset = max(self.end_offset, header.next_offset)
        self._end_epoch = header.partition_leader_epoch

    def _is_passed_over(self, batch: RecordBatch) -> bool:
        """Control batches always; with read_committed also what was aborted."""
        header = batch.header
        if self._config["isolation.level"] == READ_COMMITTED and header.producer_id >= 0:
            while self._aborted and self._aborted[0].first_offset <= header.last_offset:
                self._aborted_producers.add(self._aborted.pop(0).producer_id)
            if header.is_control:
                marker = read_marker(batch)
                if marker is not None and marker.control_type is ControlRecordType.ABORT:
                    self._aborted_producers.discard(header.producer_id)
            elif header.is_transactional and header.producer_id in self._aborted_producers:
                return True
        return header.is_control

    def take(self, most: int) -> list[ConsumerRecord]:
        """At most so many records; who asks for more than there are has consumed it all.

        KafkaException, every time, where what follows is damaged: only a seek leads past it.
        """
        taken = [self.records.popleft() for _ in range(min(most, len(self.records)))]
        if not taken and self.failure is not None:
            raise KafkaException(
                f"Received exception when fetching the next record from {self.partition}. If "
                f"needed, please seek past the record to continue consumption.") from self.failure
        self.records_read += len(taken)
        self._bytes_read += sum(self._sizes.popleft() for _ in taken)
        for _ in taken:
            self.last_epoch = self._epochs.popleft()
        self.is_consumed = len(taken) < most and self.failure is None
        if self.is_consumed and self._end_epoch is not None:
            self.last_epoch = self._end_epoch
        return taken

    def drain(self, now_ms: int) -> None:
        """Nothing more will be taken: tell the metrics what was."""
        self._aggregator.record(self.partition, self._bytes_read, self.records_read, now_ms)
