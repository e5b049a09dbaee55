"""BufferPool: `buffer.memory` is never exceeded, always given back, and those who wait queue up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka_internals.clients.buffer_pool import BufferPool
from kafka_internals.errors import BufferExhaustedException, IllegalArgumentException
from tests.clients.test_kafka_producer import answer, send


def test_buffers_of_batch_size_are_kept_and_others_are_plain_memory_again():
    pool = BufferPool(1_000, 100)
    for size in (100, 300):
        assert pool.allocate(size).done
        pool.deallocate(size)
    assert pool.snapshot() == (1_000, 1_000, 1, ())
    assert pool.allocate(100).done and pool.snapshot().free_buffers == 0


def test_kept_buffers_are_given_up_for_a_large_one():
    pool = BufferPool(300, 100)
    for one in [pool.allocate(100) for _ in range(3)]:
        pool.deallocate(one.size_bytes)
    assert pool.snapshot().free_buffers == 3
    assert pool.allocate(250).done
    assert (pool.available_bytes, pool.snapshot().free_buffers) == (50, 0)


def test_those_who_wait_are_served_in_order_and_keep_what_they_have_got():
    pool = BufferPool(300, 100)
    held = [pool.allocate(100) for _ in range(3)]
    large, small = pool.allocate(200), pool.allocate(50)
    assert len(pool.waiters) == 2 and not (large.done or small.done)
    pool.deallocate(held[0].size_bytes)
    assert not pool.resume(small)                       # it is not the first
    assert not pool.resume(large)
    assert pool.snapshot() == (300, 0, 0, ((200, 100), (50, 0)))
    pool.deallocate(held[1].size_bytes)
    assert pool.resume(large) and not pool.resume(small)
    pool.deallocate(held[2].size_bytes)
    assert pool.resume(small) and len(pool.waiters) == 0


def test_whoever_gives_up_returns_what_it_had_got():
    pool = BufferPool(100, 10)
    pool.allocate(60)
    waiting = pool.allocate(50)
    pool.resume(waiting)
    assert pool.available_bytes == 0
    pool.give_up(waiting)
    assert (pool.available_bytes, len(pool.waiters)) == (40, 0)


def test_more_than_there_will_ever_be_is_refused():
    with pytest.raises(IllegalArgumentException, match="Attempt to allocate 101 bytes, but there "
                                                       "is a hard limit of 100 on memory"):
        BufferPool(100, 10).allocate(101)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 120)), max_size=60))
def test_every_byte_is_free_or_somebodys(steps):
    pool, asked = BufferPool(300, 100), []
    for act, size in steps:
        if act == 0:
            asked.append(pool.allocate(100 if size > 80 else size))
        elif asked:
            one = asked[size % len(asked)]
            if pool.resume(one):
                pool.deallocate(asked.pop(size % len(asked)).size_bytes)
            elif act == 2:
                pool.give_up(asked.pop(size % len(asked)))
        held = sum(one.got_bytes for one in asked)
        assert pool.available_bytes + held == 300 and pool.available_bytes >= 0


# -- a producer whose memory is full --------------------------------------------------------------
FULL = {"batch_size": 200, "buffer_memory": 400, "linger_ms": 1_000, "max_block_ms": 300,
        "request_timeout_ms": 2_000, "delivery_timeout_ms": 5_000}


def full(producing):
    """Two batches hold all memory, and are on their way although they linger; one more waits."""
    talk = producing(**FULL)
    records = [send(talk, b"x" * 60, partition=number) for number in (0, 1, 2)]
    talk.answer_metadata(1, 1, 1)
    return talk, records


def test_g_c_10_whoever_waits_for_memory_makes_everything_go(producing):
    talk, records = full(producing)
    assert talk.take_all() == ["1: produce 1 for orders-0, 1 for orders-1, acks=all"]
    assert [one.rule for one in talk.changes if one.attribute.startswith("batch_state")
            and one.new == "in flight"] == ["everything goes while somebody waits for "
                                            "buffer.memory"] * 2
    assert records[2].placed is None and records[2].called_ms == 0
    talk.at(5_000).take_all()


def test_g_c_11_a_send_blocks_for_max_block_and_its_receipt_has_the_error(producing):
    talk, records = full(producing)
    talk.take_all()
    talk.at(299)
    assert records[2].state == "waiting"
    talk.at(300)
    assert type(records[2].error) is BufferExhaustedException
    assert str(records[2].error) == (
        "Failed to allocate 200 bytes within the configured max blocking time 300 ms. Total "
        "memory: 400 bytes. Available memory: 0 bytes. Poolable size: 200 bytes")
    assert talk.core.receipt(records[2]).error == "BufferExhaustedException"
    assert talk.metrics()["buffer-exhausted-total"] == 1
    talk.at(5_000).take_all()


def test_memory_that_is_free_again_goes_to_whoever_waits(producing):
    talk, records = full(producing)
    request = talk.take()
    talk.at(40)
    later = send(talk, b"x", partition=0)               # its call has not begun yet
    answer(talk, request)
    assert records[2].placed.partition == 2 and later.placed.partition == 0
    assert talk.core.snapshot().pool == (400, 0, 0, ())
    assert talk.metrics()["bufferpool-wait-time-ns-total"] == 40_000_000
    talk.at(5_040).take_all()


def test_metadata_and_memory_share_max_block(producing):
    talk = producing(**FULL)
    records = [send(talk, b"x" * 60, partition=number) for number in (0, 1, 2)]
    talk.at(200).answer_metadata(1, 1, 1)
    talk.take_all()
    assert [one.called_ms for one in records] == [0, None, 200]
    talk.at(500)
    assert records[2].state == "failed"
    talk.at(6_000).take_all()


def test_a_record_larger_than_all_memory_is_refused_by_name(producing):
    talk = producing(batch_size=100, buffer_memory=150)
    record = send(talk, b"x" * 200)
    talk.answer_metadata(1)
    assert "larger than the total memory buffer you have configured with the buffer.memory" in \
        str(record.error)


def test_batches_larger_than_all_memory_are_refused_as_in_java(producing):
    talk = producing(batch_size=16_384, buffer_memory=1_000)
    record = send(talk)
    talk.answer_metadata(1)
    assert talk.core.receipt(record).error == "IllegalArgumentException"


def test_what_expires_in_flight_keeps_its_memory_until_nobody_reads_it(producing):
    talk = producing(linger_ms=0, request_timeout_ms=2_000, delivery_timeout_ms=2_000)
    send(talk)
    talk.at(500).answer_metadata(1)
    request = talk.take()
    talk.at(2_500)
    (batch,) = talk.core.snapshot().batches
    assert (batch.state, batch.buffer_bytes) == ("given up", 16_384)
    assert talk.core.snapshot().available_bytes == 33_554_432 - 16_384
    answer(talk, request)
    assert talk.core.snapshot().batches == ()
    assert talk.core.snapshot().available_bytes == 33_554_432
