"""RecordAccumulator and BuiltInPartitioner: when a batch may leave, and where keyless ones go."""

from typing import NamedTuple

from kafka_internals.clients.record_accumulator import BuiltInPartitioner, RecordAccumulator
from kafka_internals.common import TopicPartition

A, B = TopicPartition("orders", 0), TopicPartition("orders", 1)


class Record(NamedTuple):
    key: bytes | None
    value: bytes | None
    headers: tuple = ()


def accumulator(batch_size: int = 1_000, linger_ms: int = 5) -> RecordAccumulator:
    return RecordAccumulator(batch_size, linger_ms)


def give(to: RecordAccumulator, partition: TopicPartition, size: int, now_ms: int) -> int:
    return to.append(partition, Record(None, b"x" * size), 1_000 + now_ms, now_ms)


def test_g_c_10_a_single_record_lingers():
    waiting = accumulator()
    give(waiting, A, 10, 0)
    assert [waiting.is_ready(A, now) for now in (0, 4, 5)] == [False, False, True]
    assert waiting.next_deadline_ms(0) == 5


def test_linger_counts_from_the_first_record_of_the_batch():
    waiting = accumulator()
    give(waiting, A, 10, 0)
    give(waiting, A, 10, 4)
    assert waiting.is_ready(A, 5)


def test_a_second_batch_makes_the_first_ready():
    waiting = accumulator(batch_size=200, linger_ms=1_000)
    for _ in range(2):
        give(waiting, A, 100, 0)
    assert len(waiting.queues[A]) == 2 and waiting.is_ready(A, 0)


def test_flushing_makes_everything_ready():
    waiting = accumulator(linger_ms=1_000)
    give(waiting, A, 10, 0)
    assert not waiting.is_ready(A, 0)
    waiting.flushing += 1
    assert waiting.is_ready(A, 0)


def test_a_drain_takes_one_batch_of_each_partition_and_goes_round():
    waiting = accumulator(batch_size=100, linger_ms=0)
    for partition in (A, A, B, B):
        give(waiting, partition, 100, 0)
    size = waiting.queues[A][0].builder.estimated_size_bytes
    first = waiting.drain([A, B], 1, size, 0)
    assert [batch.partition for batch in first] == [A]
    assert [batch.partition for batch in waiting.drain([A, B], 1, 10_000, 0)] == [B, A]


def test_a_batch_that_is_too_large_for_the_request_goes_alone():
    waiting = accumulator(linger_ms=0)
    give(waiting, A, 5_000, 0)
    assert len(waiting.drain([A], 1, 10, 0)) == 1


def test_a_batch_that_failed_waits_for_its_back_off_at_the_front():
    waiting = accumulator(linger_ms=0)
    give(waiting, A, 10, 0)
    (batch,) = waiting.drain([A], 1, 10_000, 0)
    give(waiting, A, 10, 1)
    waiting.reenqueue(batch, 100, 2)
    assert waiting.queues[A][0] is batch and batch.attempts == 1
    assert [waiting.is_ready(A, now) for now in (101, 102)] == [False, True]


def test_a_muted_partition_is_not_ready():
    waiting = accumulator(linger_ms=0)
    give(waiting, A, 10, 0)
    waiting.muted.add(A)
    assert not waiting.is_ready(A, 10)


def test_what_is_too_old_is_taken_out():
    waiting = accumulator()
    give(waiting, A, 10, 0)
    give(waiting, B, 10, 7)
    assert [batch.partition for batch in waiting.expired(5)] == [A]
    assert not waiting.queues[A] and waiting.queues[B]


def test_g_c_8_keyless_records_stick_until_the_batch_size_and_a_batchs_end():
    drawn = iter((2, 0, 1))
    sticky = BuiltInPartitioner(100, lambda n: next(drawn))
    assert [sticky.partition(3, [0, 1, 2]) for _ in range(2)] == [2, 2]
    sticky.appended(100, may_switch=False)
    assert sticky.partition(3, [0, 1, 2]) == 2
    sticky.appended(0, may_switch=True)
    assert sticky.partition(3, [0, 1, 2]) == 0
    sticky.appended(200, may_switch=False)
    assert sticky.partition(3, [0, 1, 2]) == 1


def test_only_partitions_with_a_leader_are_drawn_where_there_are_any():
    assert BuiltInPartitioner(100, lambda n: 0).partition(3, [2]) == 2
    assert BuiltInPartitioner(100, lambda n: n - 1).partition(3, []) == 2
