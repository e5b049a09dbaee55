"""RecordAccumulator and BuiltInPartitioner: when a batch may leave, and where keyless ones go."""

import pytest

from kafka_internals.clients.built_in_partitioner import BuiltInPartitioner
from kafka_internals.clients.network_client import Leadership
from kafka_internals.clients.record_accumulator import RecordAccumulator
from kafka_internals.config import PRODUCER_CONFIG
from kafka_internals.memory_records_builder import size_upper_bound
from tests.clients.talk import tp

A, B, C = tp(0), tp(1), tp(2)


class Record:
    """What a batch needs of a producer's record."""

    def __init__(self, size: int, timestamp_ms: int) -> None:
        self.key, self.value, self.headers = None, b"x" * size, ()
        self.timestamp_ms, self.topic = timestamp_ms, "orders"
        self.upper_bound_bytes = size_upper_bound(None, self.value)
        self.batch = self.allocation = self.placed = None


class Cluster:
    """What an accumulator asks of metadata: `leaders` by partition."""

    def __init__(self, leaders: dict[int, int]) -> None:
        self.leaders, self.partition_counts = leaders, {"orders": len(leaders)}

    def available_partitions(self, topic: str) -> list[int]:
        return [number for number, leader in self.leaders.items() if leader >= 0]

    def leader_of(self, partition):
        leader = self.leaders[partition.partition]
        return Leadership(leader, 0) if leader >= 0 else None


ONE_BROKER = Cluster({0: 1, 1: 1, 2: 1})


def accumulator(draw=lambda n: 0, **configs) -> RecordAccumulator:
    """With batches of 1,000 bytes where nothing else is given; configs with `_` for `.`."""
    return RecordAccumulator(PRODUCER_CONFIG.parse({"batch_size": 1_000, **configs}), draw)


def give(to: RecordAccumulator, partition, size: int = 10, now_ms: int = 0) -> int:
    """Append a record, and tell by how much its batch has grown."""
    number = None if partition is None else partition.partition
    before = {id: batch.size_bytes for id, batch in to.incomplete.items()}
    record = Record(size, 1_000 + now_ms)
    assert to.append(record, number, ONE_BROKER, now_ms)
    return record.batch.size_bytes - before.get(record.batch.id, 0)


def drained(waiting: RecordAccumulator, partitions=(A, B, C), max_size=10_000, now_ms=0) -> list:
    return [batch.partition for batch, _ in waiting.drain(list(partitions), 1, max_size, now_ms)]


def is_ready(waiting: RecordAccumulator, partition, now_ms: int) -> bool:
    return waiting.reason(partition, now_ms) is not None


def test_g_c_10_a_single_record_lingers_and_a_full_batch_does_not():
    waiting = accumulator()
    give(waiting, A)
    assert [is_ready(waiting, A, now) for now in (0, 4, 5)] == [False, False, True]
    assert waiting.next_deadline_ms(0) == 5
    for _ in range(2):
        give(waiting, B, size=900)
    assert waiting.queues[B][0].is_full and is_ready(waiting, B, 0)


def test_linger_counts_from_the_first_record_of_the_batch():
    waiting = accumulator()
    give(waiting, A, now_ms=0)
    give(waiting, A, now_ms=4)
    assert not is_ready(waiting, A, 4) and is_ready(waiting, A, 5)


def test_a_second_batch_makes_the_first_ready():
    waiting = accumulator(batch_size=200, linger_ms=1_000)
    for _ in range(2):
        give(waiting, A, 100)
    assert len(waiting.queues[A]) == 2 and is_ready(waiting, A, 0)


def test_flushing_makes_everything_ready():
    waiting = accumulator(linger_ms=1_000)
    give(waiting, A)
    assert not is_ready(waiting, A, 0)
    waiting.flushing = True
    assert is_ready(waiting, A, 0)


@pytest.mark.parametrize("batch_size", [0, 1])
def test_without_a_batch_size_each_record_is_a_batch(batch_size):
    waiting = accumulator(batch_size=batch_size, linger_ms=1_000)
    for _ in range(3):
        give(waiting, A, 100)
    assert [len(batch.records) for batch in waiting.queues[A]] == [1, 1, 1]


def test_an_append_tells_by_how_many_bytes_the_batch_grew():
    waiting = accumulator()
    first, second = give(waiting, A), give(waiting, A)
    assert first == second + 61                     # the first one brings the batch's header
    assert waiting.queues[A][0].size_bytes == first + second


def test_a_drain_takes_one_batch_of_each_partition():
    waiting = accumulator(batch_size=100, linger_ms=0)
    for partition in (A, A, B):
        give(waiting, partition, 100)
    assert drained(waiting) == [A, B] and drained(waiting) == [A] and drained(waiting) == []


def test_a_drain_takes_along_what_still_lingers():
    waiting = accumulator(linger_ms=50)
    give(waiting, A, now_ms=0)
    give(waiting, B, now_ms=40)
    assert not is_ready(waiting, B, 50)
    assert drained(waiting, now_ms=50) == [A, B]


def test_a_drain_goes_on_where_the_request_was_full():
    waiting = accumulator(batch_size=100, linger_ms=0)
    for partition in (A, B, C) * 3:
        give(waiting, partition, 100)
    size = waiting.queues[A][0].size_bytes
    requests = [drained(waiting, max_size=2 * size + 10) for _ in range(5)]
    assert requests == [[A, B], [C, A], [B, C], [A, B], [C]]


@pytest.mark.parametrize("spare, count", [(0, 2), (-1, 1)])
def test_max_request_size_bounds_what_is_drained(spare, count):
    waiting = accumulator(linger_ms=0)
    for partition in (A, B):
        give(waiting, partition, 100)
    size = waiting.queues[A][0].size_bytes
    assert len(drained(waiting, max_size=2 * size + spare)) == count


def test_a_batch_that_is_too_large_for_the_request_goes_alone():
    waiting = accumulator(linger_ms=0)
    give(waiting, A, 5_000)
    give(waiting, B)
    assert drained(waiting, max_size=10) == [A]


def failed_at(waiting: RecordAccumulator, now_ms: int, backoff_ms: int):
    ((batch, _),) = waiting.drain([A], 1, 10_000, now_ms)
    waiting.reenqueue(batch, backoff_ms, now_ms)
    return batch


def test_a_batch_that_failed_waits_for_its_back_off_at_the_front():
    waiting = accumulator(linger_ms=0)
    give(waiting, A)
    batch = failed_at(waiting, 2, 100)
    give(waiting, A, now_ms=3)
    assert waiting.queues[A][0] is batch and batch.attempts == 1 and len(batch.records) == 1
    assert [is_ready(waiting, A, now) for now in (101, 102)] == [False, True]
    assert waiting.next_deadline_ms(3) == 102


def test_neither_full_nor_flushed_ends_a_back_off():
    waiting = accumulator(batch_size=100, linger_ms=0)
    give(waiting, A, 100)
    failed_at(waiting, 0, 100)
    give(waiting, A, 100)
    give(waiting, B)
    waiting.flushing = True
    assert not is_ready(waiting, A, 99) and drained(waiting, now_ms=99) == [B]
    assert drained(waiting, now_ms=100) == [A]


def test_a_retry_does_not_linger_after_its_back_off():
    waiting = accumulator(linger_ms=5_000)
    give(waiting, A)
    failed_at(waiting, 5_000, 100)
    assert is_ready(waiting, A, 5_100)


def test_a_muted_partition_neither_leaves_nor_wakes_anybody():
    waiting = accumulator(linger_ms=0)
    give(waiting, A)
    waiting.muted.add(A)
    assert not is_ready(waiting, A, 10) and drained(waiting, now_ms=10) == []
    assert waiting.next_deadline_ms(0) is None


def test_what_is_too_old_is_taken_out():
    waiting = accumulator()
    give(waiting, A, now_ms=0)
    give(waiting, B, now_ms=7)
    assert [batch.partition for batch in waiting.expired(5)] == [A]
    assert not waiting.queues[A] and waiting.queues[B]


def split(waiting: RecordAccumulator) -> list[list[int]]:
    """Split the first batch; the sizes of the values in the queue's batches, in order."""
    waiting.split_and_reenqueue(waiting.queues[A].popleft())
    return [[len(record.value) for record in batch.records] for batch in waiting.queues[A]]


def test_a_batch_that_a_broker_found_too_large_is_halved_the_second_time():
    waiting = accumulator(batch_size=1_000)
    for size in [20] * 8 + [900]:
        give(waiting, A, size, now_ms=7)
    assert split(waiting) == [[20] * 8, [900]]      # by batch.size: no help yet
    assert split(waiting) == [[20] * 2] * 4 + [[900]]
    first = waiting.queues[A][0]
    assert (first.attempts, first.created_ms) == (0, 7) and is_ready(waiting, A, 7)
    assert all(record.batch is first for record in first.records)


def test_halves_are_never_smaller_than_the_largest_record():
    waiting = accumulator(batch_size=1_000)
    for size in (300, 20, 20):
        give(waiting, A, size)
    assert split(waiting) == [[300, 20, 20]]
    assert split(waiting) == [[300], [20, 20]]




# -- where keyless records go -------------------------------------------------------------------
def sticky(waiting: RecordAccumulator):
    return waiting.partitioners["orders"]


def filled(draws, **configs) -> RecordAccumulator:
    """Three partitions, of which the first has two full batches that nobody takes."""
    waiting = accumulator(lambda n: next(draws) % n, batch_size=200, **configs)
    for partition in (A, A, B, C):
        give(waiting, partition, 150)
    give(waiting, None, 10)
    return waiting


def test_adaptive_partitioning_sends_less_to_a_long_queue():
    waiting = filled(iter((0, 7)))
    waiting.ready(ONE_BROKER, 0)
    assert sticky(waiting).uses_load                    # queues 3, 1, 1: weights 1, 3, 3
    sticky(waiting).update(400, ONE_BROKER, may_switch=True)
    assert sticky(waiting).partition == 0               # 7 % 7 = 0: one chance in seven


def test_without_it_or_before_every_partition_was_used_all_are_alike():
    waiting = filled(iter((0,)), partitioner_adaptive_partitioning_enable=False)
    waiting.ready(ONE_BROKER, 0)
    assert not sticky(waiting).uses_load
    early = accumulator()
    give(early, None)
    early.ready(ONE_BROKER, 0)
    assert not sticky(early).uses_load


def test_a_broker_that_takes_nothing_for_too_long_is_left_out():
    cluster = Cluster({0: 1, 1: 2, 2: 2})
    waiting = filled(iter((1, 0, 1)), partitioner_availability_timeout_ms=100)
    for now_ms, can_drain in ((0, True), (100, False)):
        waiting.update_node_latency(2, now_ms, can_drain)
        waiting.ready(cluster, now_ms)
        assert sticky(waiting)._weighed == [0, 1, 2]
    waiting.update_node_latency(2, 101, False)
    waiting.ready(cluster, 101)
    assert sticky(waiting)._weighed == [0]
    waiting.update_node_latency(2, 102, True)
    waiting.ready(cluster, 102)
    assert sticky(waiting)._weighed == [0, 1, 2]


def test_partitions_without_a_leader_are_not_drawn_while_others_have_one():
    cluster = Cluster({0: -1, 1: 1, 2: -1})
    assert BuiltInPartitioner("orders", 100, lambda n: n - 1).peek(cluster) == 1
    assert BuiltInPartitioner("orders", 100, lambda n: n - 1).peek(
        Cluster({0: -1, 1: -1, 2: -1})) == 2


def test_g_c_8_a_sticky_partition_is_left_between_batches_or_at_twice_the_size():
    drawn = iter((2, 0, 1))
    one = BuiltInPartitioner("orders", 100, lambda n: next(drawn))
    assert [one.peek(ONE_BROKER) for _ in range(2)] == [2, 2]
    assert not one.update(100, ONE_BROKER, may_switch=False)
    assert one.update(0, ONE_BROKER, may_switch=True) and one.partition == 0
    assert not one.update(199, ONE_BROKER, may_switch=False)
    assert one.update(1, ONE_BROKER, may_switch=False) and one.partition == 1


def test_a_new_leader_ends_a_back_off():
    waiting = accumulator(linger_ms=0)
    give(waiting, A)
    waiting.ready(ONE_BROKER, 0)
    batch = failed_at(waiting, 0, 100)
    waiting.ready(ONE_BROKER, 1)
    assert not is_ready(waiting, A, 1)
    batch.saw_leader(1)
    assert is_ready(waiting, A, 1)
    batch.reenqueued(200, 1)
    assert batch.backs_off(2)                           # the next failure is a new one
