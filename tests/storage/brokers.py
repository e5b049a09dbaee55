"""A broker's disk with two logs that have something of everything, for tests of log directories."""

from kafka_internals.common import START_MS, TopicPartition
from kafka_internals.config import BROKER_CONFIG
from kafka_internals.control_record import ControlRecordType, EndTransactionMarker
from kafka_internals.record_batch import TRANSACTIONAL, RecordBatch, encode
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.append_origin import AppendOrigin
from kafka_internals.storage.log_export import topic_configs
from kafka_internals.storage.log_manager import LogManager

ORDERS, AUDIT = TopicPartition("orders", 0), TopicPartition("audit-log", 3)
CONFIGS = {"internal.segment.bytes": 500, "index.interval.bytes": 100, "segment.index.bytes": 4096}
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
GIVEN = {"orders": CONFIGS, "audit-log": CONFIGS}


class Broker:
    """A disk with two logs: batches of every codec, an aborted transaction, two leader epochs."""

    def __init__(self) -> None:
        self.disk = Disk(lambda n: 0)
        self.disk.now_ms = START_MS
        self.manager = LogManager(self.disk, BROKER_CONFIG.parse({}))
        for name in (AUDIT, ORDERS):
            log = self.manager.open(name, topic_configs(CONFIGS), START_MS)
            for number in range(12):
                log.append_as_leader(_batch(number), number // 7, START_MS + number)
            self._transaction(log)
            log.update_high_watermark(log.log_end_offset - 1)

    @staticmethod
    def _transaction(log) -> None:
        log.append_as_leader(RecordBatch(encode(
            [(START_MS + 50, b"k", b"lost", ())], producer_id=77, producer_epoch=0,
            base_sequence=0, attributes=TRANSACTIONAL)), 1, START_MS)
        log.append_as_leader(RecordBatch(EndTransactionMarker(ControlRecordType.ABORT, 0).encode(
            START_MS + 60, 77, 0)), 1, START_MS, AppendOrigin.COORDINATOR)


def _batch(number: int) -> RecordBatch:
    return RecordBatch(encode([(START_MS + number, b"key", b"paid" * 5, ())] * 2, producer_id=9,
                              producer_epoch=0, base_sequence=number * 2,
                              compression_type=CODECS[number % len(CODECS)]))
