"""A leader's log on the simulated disk is the file that a real broker wrote, byte for byte."""

import pytest

from kafka_internals.common import TopicPartition
from kafka_internals.record_batch import RecordBatch, batches
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.file_records import log_file
from kafka_internals.storage.unified_log import UnifiedLog
from tests.golden import cases
from tests.golden.cases import FIRST_LEADER_EPOCH, Case
from tests.golden.test_batches import WRONG_MAX_TIMESTAMP

PARTITION = TopicPartition("orders", 0)
MAX_MESSAGE_BYTES = 1_048_588


@pytest.fixture
def disk() -> Disk:
    return Disk(lambda n: 0)


def _led(disk: Disk, sent: list[RecordBatch]) -> bytes:
    log = UnifiedLog(PARTITION, disk)
    for batch in sent:
        log.append_as_leader(batch, FIRST_LEADER_EPOCH, MAX_MESSAGE_BYTES)
    return disk.read(log_file(PARTITION))


def test_batch_idempotent(disk):
    case = Case("storage/batch-idempotent")
    assert _led(disk, [cases.sent(step) for step, _ in case.produced()]) == case.log()


def test_batch_plain_but_for_the_step_that_needs_the_log_validator(disk):
    case = Case("storage/batch-plain")
    written = _led(disk, [cases.sent(step) for step, _ in case.produced()])
    pairs = zip(case.produced(), batches(written), batches(case.log()), strict=True)
    differ = [step["i"] for (step, _), ours, theirs in pairs if ours != theirs]
    assert differ == [WRONG_MAX_TIMESTAMP]


def test_java_none(disk):
    case = Case("storage/java-none")
    sent = [batch.with_offsets(0, -1) for batch in batches(case.log())]
    assert _led(disk, sent) == case.log()


def test_a_follower_copies_a_real_log_byte_for_byte(disk):
    case = Case("storage/batch-plain")
    log = UnifiedLog(PARTITION, disk)
    for batch in batches(case.log()):
        log.append_as_follower(batch)
    assert disk.read(log_file(PARTITION)) == case.log()
    assert log.log_end_offset == UnifiedLog(PARTITION, disk).log_end_offset == 160
