"""BatchAccumulator: offsets at once, whole appends in one batch, and no batch too large."""

import pytest

from kafka_internals.errors import (
    IllegalArgumentException,
    RecordBatchTooLargeException,
)
from kafka_internals.messages.kraft_control_records import LeaderChangeMessage, Voter
from kafka_internals.messages.metadata_record_serde import decode
from kafka_internals.messages.metadata_records import ConfigRecord, NoOpRecord
from kafka_internals.raft.batch_accumulator import BatchAccumulator, NotLeaderException

LONG = ConfigRecord(2, "orders", "note", "x" * 100)


def accumulator(**given) -> BatchAccumulator:
    return BatchAccumulator(3, 10, **{"linger_ms": 25, **given})


def test_appends_share_a_batch_with_the_time_of_the_first():
    made = accumulator()
    assert [made.append(3, [NoOpRecord()] * 2, 100), made.append(3, [LONG], 120)] == [11, 12]
    assert made.drain_at_ms == 125
    (batch,) = made.drain()
    header = batch.header
    assert (batch.base_offset, batch.last_offset, header.partition_leader_epoch) == (10, 12, 3)
    assert header.base_timestamp == header.max_timestamp == 100 and header.producer_id == -1
    assert [decode(one.value) for one in batch.records()] == [NoOpRecord(), NoOpRecord(), LONG]
    assert made.drain() == [] and made.drain_at_ms is None


def test_an_append_that_does_not_fit_begins_the_next_batch_whole():
    one_append = len(_single([LONG, LONG]).buffer)
    made = accumulator(max_batch_bytes=one_append)
    for _ in range(3):
        made.append(3, [LONG, LONG], 100)
    drained = made.drain()
    assert [(one.base_offset, one.last_offset) for one in drained] == [(10, 11), (12, 13), (14, 15)]
    assert {one.size for one in drained} == {one_append}


def _single(records) -> object:
    made = accumulator()
    made.append(3, records, 100)
    (batch,) = made.drain()
    return batch


def test_appends_that_just_fill_a_batch_share_it():
    made = accumulator(max_batch_bytes=_single([LONG] * 4).size)
    made.append(3, [LONG] * 2, 100)
    made.append(3, [LONG] * 2, 100)
    assert len(made.drain()) == 1


def test_why_something_was_appended_goes_with_it():
    made = accumulator()
    made.append(3, [LONG], 100, (("a", "b"),))
    made.append(3, [LONG], 100, (("c", "d"),))
    assert made.reads == (("a", "b"), ("c", "d"))
    made.drain()
    assert made.reads == ()


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 200])
def test_a_batch_may_be_exactly_as_large_as_allowed(count):
    size = _single([LONG] * count).size
    accumulator(max_batch_bytes=size).append(3, [LONG] * count, 100)
    small = accumulator(max_batch_bytes=size - 1)
    with pytest.raises(RecordBatchTooLargeException, match=f"of {size} exceeds .* of {size - 1}"):
        small.append(3, [LONG] * count, 100)
    assert small.drain() == [] and small.next_offset == 10


def test_what_is_refused_takes_no_offset():
    made = accumulator()
    for epoch, records, error in ((2, [LONG], NotLeaderException),
                                  (4, [LONG], IllegalArgumentException),
                                  (3, [], IllegalArgumentException),
                                  (3, ["a text"], ValueError)):
        with pytest.raises(error):
            made.append(epoch, records, 100)
    assert made.next_offset == 10 and made.drain_at_ms is None


def test_control_records_wait_for_nothing_and_have_a_batch_of_their_own():
    made = accumulator()
    made.append(3, [NoOpRecord()], 100)
    me = (Voter(100),)
    assert made.append_control_messages([LeaderChangeMessage(100, me, me)], 110) == 11
    assert made.drain_at_ms == 110
    made.append(3, [NoOpRecord()], 111)
    assert [one.header.is_control for one in made.drain()] == [False, True, False]
