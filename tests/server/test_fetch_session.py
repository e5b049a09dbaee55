"""Fetch sessions as a broker keeps them (KIP-227): what it remembers, says, refuses, evicts."""

import pytest

from kafka_internals.common import TopicPartition
from kafka_internals.errors import (
    FetchSessionIdNotFoundException,
    InvalidFetchSessionEpochException,
)
from kafka_internals.messages import Request
from kafka_internals.messages.fetch import CONSUMER, FetchPartition, FetchRequest, PartitionData
from kafka_internals.messages.fetch_metadata import INITIAL, SESSIONLESS, FetchMetadata
from kafka_internals.server.fetch_session import FetchManager


def tp(number):
    return TopicPartition("orders", number)


def at(number, offset=0):
    return FetchPartition(tp(number), offset, 0, 1_000)


class Broker:
    """Answers fetches with what the test says a partition gives; by default it is empty."""

    def __init__(self, slots=10, eviction_ms=100):
        self.manager, self._number = FetchManager(slots, eviction_ms), 0

    def fetch(self, metadata, *asked, forgotten=(), gives=(), now_ms=0):
        """The partitions that were read, in order, and the answer."""
        self._number += 1
        body = FetchRequest(CONSUMER, 500, 1, 10_000, asked, metadata=metadata,
                            forgotten=forgotten)
        request = self.manager.new_context(Request.of("reader", self._number, body), now_ms)
        read = [one.partition.partition for one in request.body.partitions]
        given = {data.partition: data for data in gives}
        results = tuple(given.get(tp(number), PartitionData(tp(number), "NONE", 0, 0))
                        for number in read)
        full = request.body.response(results)
        return read, self.manager.update_and_generate_response_data(request, full, now_ms)

    def session(self, *asked, **more):
        """Begin one: its next metadata."""
        _, answer = self.fetch(INITIAL, *asked, **more)
        return FetchMetadata.new_incremental(answer.session_id)


def numbers(answer):
    return [data.partition.partition for data in answer.partitions]


def records(number, high_watermark=1):
    return PartitionData(tp(number), "NONE", high_watermark, 0, b"a batch")


def test_a_full_fetch_tells_everything_and_begins_a_session():
    read, answer = Broker().fetch(INITIAL, at(0), at(1))
    assert read == numbers(answer) == [0, 1] and answer.session_id > 0


def test_an_incremental_fetch_reads_everything_and_tells_what_is_new():
    broker = Broker()
    metadata = broker.session(at(0), at(1))
    read, answer = broker.fetch(metadata)
    assert (read, numbers(answer), str(answer)) == ([0, 1], [], "nothing new")
    _, answer = broker.fetch(metadata.next_incremental(), gives=[records(1)])
    assert numbers(answer) == [1] and answer.session_id == metadata.session_id


@pytest.mark.parametrize("news", [
    PartitionData(tp(1), "NONE", 1, 0), PartitionData(tp(1), "NONE", 0, 1), records(1, 0),
    PartitionData(tp(1), "NOT_LEADER_OR_FOLLOWER")],
    ids=["high watermark", "log start", "records", "error"])
def test_what_is_new_is_told_once(news):
    broker = Broker()
    metadata = broker.session(at(0), at(1))
    _, answer = broker.fetch(metadata, gives=[news])
    assert answer.partitions == (news,)
    following = news._replace(records=b"")
    _, answer = broker.fetch(metadata.next_incremental(), gives=[following])
    assert bool(answer.partitions) == (news.error != "NONE")       # an error is told each time


def test_an_error_that_has_gone_is_told_too():
    broker = Broker()
    metadata = broker.session(at(0))
    broker.fetch(metadata, gives=[PartitionData(tp(0), "NOT_LEADER_OR_FOLLOWER")])
    _, answer = broker.fetch(metadata.next_incremental())
    assert answer.partitions == (PartitionData(tp(0), "NONE", 0, 0),)


def test_a_request_moves_offsets_adds_partitions_and_forgets_them():
    broker = Broker()
    metadata = broker.session(at(0), at(1))
    read, _ = broker.fetch(metadata, at(2), at(0, 7), forgotten=(tp(1),))
    assert read == [0, 2]
    session = broker.manager.sessions[metadata.session_id]
    assert [cached.asked.fetch_offset for cached in session.partitions.values()] == [7, 0]


def test_what_gave_records_is_read_last_the_next_time():
    broker = Broker()
    metadata = broker.session(at(0), at(1), at(2), gives=[records(0)])
    read, _ = broker.fetch(metadata, gives=[records(0, 2), records(1)])
    assert read == [0, 1, 2]                     # a full answer changes no order
    read, _ = broker.fetch(metadata.next_incremental())
    assert read == [2, 0, 1]


def test_a_session_that_is_not_there_is_refused():
    with pytest.raises(FetchSessionIdNotFoundException, match="no fetch session 7"):
        Broker().fetch(FetchMetadata(7, 1), at(0))


def test_an_epoch_out_of_turn_is_refused_and_changes_nothing():
    broker = Broker()
    metadata = broker.session(at(0))
    for epoch in (2, 5):
        with pytest.raises(InvalidFetchSessionEpochException, match=f"epoch 1, and {epoch}"):
            broker.fetch(metadata._replace(epoch=epoch), at(1))
    assert broker.fetch(metadata)[0] == [0]


def test_a_full_fetch_closes_the_session_that_it_names():
    broker = Broker()
    metadata = broker.session(at(0))
    _, answer = broker.fetch(metadata.next_close_existing_attempt_new(), at(0))
    assert list(broker.manager.sessions) == [answer.session_id] != [metadata.session_id]
    broker.fetch(FetchMetadata(answer.session_id, -1), at(0))
    assert broker.manager.sessions == {}


def test_without_a_session_nothing_is_remembered():
    broker = Broker()
    _, answer = broker.fetch(SESSIONLESS, at(0))
    assert (numbers(answer), answer.session_id, broker.manager.sessions) == ([0], 0, {})


def test_a_session_without_partitions_ends():
    broker = Broker()
    metadata = broker.session(at(0))
    read, answer = broker.fetch(metadata, forgotten=(tp(0),))
    assert (read, answer.session_id, broker.manager.sessions) == ([], 0, {})


def test_after_the_last_epoch_comes_1():
    assert FetchMetadata(5, 0x7FFFFFFF).next_incremental() == FetchMetadata(5, 1)
    assert FetchMetadata(5, -1).next_incremental() == FetchMetadata(5, -1)


@pytest.mark.parametrize("sizes, used_ms, now_ms, left", [
    ((1, 1), (0, 50), 101, [1, 2]),              # the first was not used for more than 100 ms
    ((3, 1), (90, 90), 101, [0, 2]),             # both are old: the smaller one
    ((3, 2), (90, 90), 101, [0, 1]),             # as large as the new one: it gets no session
    ((1, 1), (0, 0), 100, [0, 1])])              # neither is stale, neither is old
def test_a_new_session_takes_the_place_of_one_that_is_worth_less(sizes, used_ms, now_ms, left):
    broker = Broker(slots=2)
    begun = [broker.session(*map(at, range(size))) for size in sizes]
    for metadata, ms in zip(begun, used_ms):
        if ms:
            broker.fetch(metadata, now_ms=ms)
    new = broker.session(at(0), at(1), now_ms=now_ms)
    ids = [metadata.session_id for metadata in (*begun, new)]
    assert sorted(ids.index(id) for id in broker.manager.sessions) == left
    assert (new.session_id == 0) == (2 not in left)


def test_without_slots_there_are_no_sessions():
    assert Broker(slots=0).session(at(0)).session_id == 0


def test_a_throttled_answer_holds_nothing_begins_no_session_and_ends_none():
    broker = Broker()
    first = Request.of("reader", 90, FetchRequest(CONSUMER, 500, 1, 10_000, (at(0),),
                                                  metadata=INITIAL))
    answer = broker.manager.throttled_response(broker.manager.new_context(first, 0))
    assert (answer.partitions, answer.session_id) == ((), SESSIONLESS.session_id)
    assert broker.manager.sessions == {}
    metadata = broker.session(at(0), gives=[records(0, 1)])
    later = Request.of("reader", 91, FetchRequest(CONSUMER, 500, 1, 10_000, (), metadata=metadata))
    held = broker.manager.throttled_response(broker.manager.new_context(later, 0))
    assert (held.partitions, held.session_id) == ((), metadata.session_id)
    _, told = broker.fetch(FetchMetadata(metadata.session_id, metadata.epoch + 1),
                           gives=[PartitionData(tp(0), "NONE", 2, 0)])
    assert numbers(told) == [0]                 # the mark that the throttled answer did not tell
