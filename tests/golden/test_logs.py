"""A leader's log on the simulated disk is the file that a real broker wrote, byte for byte."""

import pytest

from kafka_internals.common import TopicPartition
from kafka_internals.record_batch import RecordBatch, batches
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.file_records import log_file
from kafka_internals.storage.unified_log import UnifiedLog
from tests.golden import cases
from tests.golden.cases import FIRST_LEADER_EPOCH, Case

PARTITION = TopicPartition("orders", 0)
NOW_MS = 1_795_432_038_978


@pytest.fixture
def disk() -> Disk:
    return Disk(lambda n: 0)


def _led(disk: Disk, sent: list[RecordBatch]) -> bytes:
    log = UnifiedLog(PARTITION, disk)
    for batch in sent:
        log.append_as_leader(batch, FIRST_LEADER_EPOCH, NOW_MS)
    return disk.read(log_file(PARTITION))


def test_batch_idempotent(disk):
    case = Case("storage/batch-idempotent")
    assert _led(disk, [cases.sent(step) for step, _ in case.produced()]) == case.log()


def test_batch_plain(disk):
    case = Case("storage/batch-plain")
    assert _led(disk, [cases.sent(step) for step, _ in case.produced()]) == case.log()


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd", "idempotent"])
def test_a_java_producers_log(disk, codec):
    case = Case(f"storage/java-{codec}")
    sent = [batch.with_offsets(0, -1) for batch in batches(case.log())]
    assert _led(disk, sent) == case.log()


def test_a_follower_copies_a_real_log_byte_for_byte(disk):
    case = Case("storage/batch-plain")
    log = UnifiedLog(PARTITION, disk)
    for batch in batches(case.log()):
        log.append_as_follower([batch], FIRST_LEADER_EPOCH, NOW_MS)
    assert disk.read(log_file(PARTITION)) == case.log()
    assert log.log_end_offset == UnifiedLog(PARTITION, disk).log_end_offset == 160
