"""KafkaConsumer as a core: positions, fetches that run ahead, and what `poll()` gives."""

import pytest

from kafka_internals.errors import (
    IllegalStateException,
    KafkaException,
    NoOffsetForPartitionException,
    OffsetOutOfRangeException,
)
from tests.clients.fetches import answer, batch, given, offsets, poll, reading
from tests.clients.talk import tp


@pytest.mark.parametrize("policy, asked", [("latest", "end"), ("earliest", "start")])
def test_without_a_position_the_policy_says_where_to_begin(consuming, policy, asked):
    talk = consuming(auto_offset_reset=policy)
    talk.call("assign", (tp(0),))
    assert talk.core.position(tp(0)) is None
    talk.answer_metadata(2)
    assert str(talk.sent[0].request.body) == f"list offsets: {asked} of orders-0"
    offsets(talk, 17)
    assert talk.core.position(tp(0)) == 17
    assert talk.take_all() == ["2: fetch orders-0 at 17"]


def test_a_lookup_that_failed_is_tried_again_after_the_back_off(consuming):
    talk = consuming()
    talk.call("assign", (tp(0),))
    talk.answer_metadata(2)
    talk.at(500)
    offsets(talk, -1, error="NOT_LEADER_OR_FOLLOWER")
    talk.answer_metadata(3)
    assert not talk.at(599).sent
    assert talk.at(600).take_all() == ["3: list offsets: end of orders-0"]


def test_policy_none_raises_in_poll_and_not_before_and_a_seek_is_enough(consuming):
    talk = consuming(auto_offset_reset="none")
    talk.call("assign", (tp(0),))
    talk.answer_metadata(1)
    talk.call("seek", tp(0), 4)
    assert talk.take_all() == ["1: fetch orders-0 at 4"] and poll(talk) == []


def test_policy_none_raises_each_time_while_there_is_no_position(consuming):
    talk = consuming(auto_offset_reset="none")
    talk.call("assign", (tp(0),))
    talk.answer_metadata(1)
    for _ in range(2):
        with pytest.raises(NoOffsetForPartitionException, match="orders-0"):
            poll(talk, 100)


def test_a_missing_position_is_told_although_another_partition_has_records(consuming):
    talk = consuming(auto_offset_reset="none")
    talk.call("assign", (tp(0), tp(1)))
    talk.call("seek", tp(0), 0)
    talk.answer_metadata(1, 2)
    answer(talk, talk.take(), batch(0))
    with pytest.raises(NoOffsetForPartitionException, match="orders-1"):
        poll(talk)
    talk.call("seek", tp(1), 0)
    assert talk.take_all() == ["2: fetch orders-1 at 0"] and poll(talk) == [b"0"]
    assert talk.take_all() == ["1: fetch orders-0 at 1"]


def test_an_offset_out_of_range_starts_over_as_the_policy_says(consuming):
    talk = reading(consuming(auto_offset_reset="earliest"), position=50)
    talk.call("poll", 1_000)
    answer(talk, talk.take(), error="OFFSET_OUT_OF_RANGE")
    assert talk.core.position(tp(0)) is None
    offsets(talk, 8)
    assert talk.take_all() == ["1: fetch orders-0 at 8"]


def test_an_offset_out_of_range_is_raised_with_policy_none_and_no_fetch_until_then(consuming):
    talk = reading(consuming(auto_offset_reset="none"), position=50)
    answer(talk, talk.take(), error="OFFSET_OUT_OF_RANGE")
    assert not talk.at(5_000).sent
    with pytest.raises(OffsetOutOfRangeException):
        poll(talk)
    assert talk.core.position(tp(0)) == 50
    talk.call("seek", tp(0), 3)
    assert talk.take_all() == ["1: fetch orders-0 at 3"]


def test_a_seek_makes_an_error_about_the_old_position_void(consuming):
    talk = reading(consuming(auto_offset_reset="none"), position=50)
    answer(talk, talk.take(), error="OFFSET_OUT_OF_RANGE")
    talk.call("seek", tp(0), 3)
    talk.take()
    assert poll(talk) == []


def test_records_arrive_before_anybody_polls_and_the_next_fetch_leaves_with_them(consuming):
    talk = reading(consuming())
    answer(talk, talk.take(), batch(0, 2))
    assert not talk.sent                                # nothing more while these wait
    assert poll(talk) == [b"0", b"1"]
    assert talk.core.position(tp(0)) == 2
    assert talk.take_all() == ["1: fetch orders-0 at 2"]


def test_a_poll_that_finds_nothing_ends_with_the_records_or_with_its_time(consuming):
    talk = reading(consuming())
    talk.call("poll", 300)
    request = talk.at(299).take()
    assert talk.core.polls[-1].state == "polling"
    answer(talk, request, batch(0))
    assert given(talk) == [b"0"]
    talk.call("poll", 300)
    talk.at(599).take()
    assert talk.core.polls[-1].state == "returned" and given(talk) == []


def test_a_fetch_says_what_was_configured(consuming):
    talk = reading(consuming(fetch_min_bytes=7, fetch_max_wait_ms=90, fetch_max_bytes=800,
                             max_partition_fetch_bytes=400))
    body = talk.take().request.body
    assert (body.replica_id, body.min_bytes, body.max_wait_ms, body.max_bytes) == (-1, 7, 90, 800)
    assert body.partitions[0].partition_max_bytes == 400


def test_max_poll_records_bounds_a_poll(consuming):
    talk = reading(consuming(max_poll_records=2))
    answer(talk, talk.take(), batch(0, 5))
    assert poll(talk) == [b"0", b"1"] and talk.core.position(tp(0)) == 2
    assert poll(talk) == [b"2", b"3"] and not talk.sent
    assert poll(talk) == [b"4"]
    assert talk.take_all() == ["1: fetch orders-0 at 5"]


def test_g_b_3_records_before_the_position_are_skipped(consuming):
    talk = reading(consuming(), position=15)
    answer(talk, talk.take(), batch(10, 10))
    assert poll(talk) == [b"%d" % n for n in range(15, 20)]
    assert talk.take_all() == ["1: fetch orders-0 at 20"]


def test_a_torn_tail_is_left_out_and_fetched_again(consuming):
    talk = reading(consuming())
    answer(talk, talk.take(), batch(0, 2) + batch(2)[:-1])
    assert poll(talk) == [b"0", b"1"]
    assert talk.take_all() == ["1: fetch orders-0 at 2"]


def test_a_damaged_batch_is_an_error_after_the_records_before_it(consuming):
    talk = reading(consuming())
    broken = bytearray(batch(1))
    broken[-1] ^= 1
    answer(talk, talk.take(), batch(0) + bytes(broken))
    assert poll(talk) == [b"0"]
    assert not talk.sent
    for _ in range(2):                                  # every time, and nothing is fetched anew
        with pytest.raises(KafkaException, match="from orders-0. If needed, please seek") as told:
            poll(talk)
        assert "partition orders-0 at offset 1 is invalid" in str(told.value.__cause__)
        assert talk.core.position(tp(0)) == 1 and not talk.sent
    talk.call("seek", tp(0), 2)
    assert talk.take_all() == ["1: fetch orders-0 at 2"]


@pytest.mark.parametrize("to", [2, 7])
def test_an_answer_to_a_fetch_from_before_a_seek_is_nobodys(consuming, to):
    talk = reading(consuming(), position=5)
    request = talk.take()
    talk.call("seek", tp(0), to)
    assert not talk.sent                                # one fetch to a broker at a time
    answer(talk, request, batch(5, 4))
    assert poll(talk) == [] and talk.core.position(tp(0)) == to
    assert talk.take_all() == [f"1: fetch orders-0 at {to}"]


def test_a_seek_drops_what_was_buffered(consuming):
    talk = reading(consuming())
    answer(talk, talk.take(), batch(0, 3))
    talk.call("seek", tp(0), 2)
    assert poll(talk) == []
    answer(talk, talk.take(), batch(0, 3))
    assert poll(talk) == [b"2"]
    talk.take()


def test_seeking_to_an_end_asks_where_it_is(consuming):
    talk = reading(consuming(auto_offset_reset="none"))
    talk.take()
    talk.call("seek", tp(0), "earliest")
    assert talk.take_all() == ["1: list offsets: start of orders-0"]


def test_one_fetch_to_each_leader_names_all_its_partitions(consuming):
    talk = reading(consuming(), 1, 2, 1)
    assert talk.take_all() == ["1: fetch orders-0 at 0, orders-2 at 0", "2: fetch orders-1 at 0"]


def test_nothing_is_fetched_from_a_broker_while_something_from_it_is_buffered(consuming):
    talk = reading(consuming(), 1, 1)
    answer(talk, talk.take(), batch(0))                 # nothing for orders-1
    assert not talk.at(1_000).sent
    assert poll(talk) == [b"0"]
    assert talk.take_all() == ["1: fetch orders-1 at 0, orders-0 at 1"]


def test_a_partition_that_gave_records_goes_to_the_end_of_the_next_fetch(consuming):
    talk, names = reading(consuming(), 1, 1, 1), []
    for _number in (0, 1, 2):
        request = talk.take()
        answer(talk, request, batch(0, 2))              # always the first of the request
        names.append(str(request.request.body.partitions[0].partition))
        poll(talk)
    talk.take()
    assert names == ["orders-0", "orders-1", "orders-2"]


def test_what_came_first_is_given_first(consuming):
    talk = reading(consuming(max_poll_records=2), 1, 2)
    first, second = talk.take(), talk.take()
    answer(talk, second, batch(100, 3))
    answer(talk, first, batch(0, 3))
    assert [poll(talk) for _ in range(3)] == [[b"100", b"101"], [b"102", b"0"], [b"1", b"2"]]
    assert talk.take_all() == ["2: fetch orders-1 at 103"]
    assert poll(talk) == [] and talk.take_all() == ["1: fetch orders-0 at 3"]


def test_a_partition_that_is_not_assigned_any_more_gives_nothing(consuming):
    talk = reading(consuming(), 1, 2)
    first, second = talk.take(), talk.take()
    answer(talk, first, batch(0))
    talk.call("assign", (tp(1),))
    answer(talk, second, batch(0))
    assert poll(talk) == [b"0"] and talk.core.assignment == (tp(1),)
    talk.take()


def test_a_position_that_is_kept_stays(consuming):
    talk = reading(consuming(), 1, 2, position=6)
    talk.take_all()
    talk.call("assign", (tp(1), tp(0)))
    assert [talk.core.position(name) for name in talk.core.assignment] == [6, 6]


def test_not_leader_refreshes_metadata_and_asks_the_new_leader(consuming):
    talk = reading(consuming(), 1, position=3)
    talk.at(500).call("poll", 1_000)
    answer(talk, talk.take(), error="NOT_LEADER_OR_FOLLOWER")
    talk.answer_metadata(2)
    assert talk.take_all() == ["1: fetch orders-0 at 3", "2: fetch orders-0 at 3"]


def test_an_error_waits_in_the_buffer_until_a_poll_looks_at_it(consuming):
    talk = reading(consuming(), 1, position=3)
    answer(talk, talk.at(500).take(), error="NOT_LEADER_OR_FOLLOWER")
    assert not talk.at(5_000).sent
    talk.call("poll", 0)
    assert talk.take_all() == ["1: metadata of orders", "1: fetch orders-0 at 3"]


@pytest.mark.parametrize("error, asks", [
    ("NOT_LEADER_OR_FOLLOWER", True), ("REPLICA_NOT_AVAILABLE", True),
    ("KAFKA_STORAGE_ERROR", True), ("FENCED_LEADER_EPOCH", True), ("OFFSET_NOT_AVAILABLE", True),
    ("UNKNOWN_TOPIC_OR_PARTITION", True), ("UNKNOWN_TOPIC_ID", True),
    ("INCONSISTENT_TOPIC_ID", True),
    ("UNKNOWN_LEADER_EPOCH", False), ("UNKNOWN_SERVER_ERROR", False)])
def test_these_errors_of_a_fetch_are_followed_by_the_next_at_once(consuming, error, asks):
    talk = reading(consuming(), 1)
    talk.at(500).call("poll", 1_000)
    answer(talk, talk.take(), error=error)
    assert talk.take_all() == ["1: metadata of orders"] * asks + ["1: fetch orders-0 at 0"]


@pytest.mark.parametrize("error, raised, told", [
    ("CORRUPT_MESSAGE", KafkaException, "corrupt message when fetching offset 7 .* orders-0"),
    ("INVALID_REQUEST", IllegalStateException, "error code 42 .* offset 7 .* orders-0")])
def test_these_errors_of_a_fetch_are_raised_by_poll(consuming, error, raised, told):
    talk = reading(consuming(), position=7)
    answer(talk, talk.take(), error=error)
    with pytest.raises(raised, match=told):
        poll(talk)


def test_a_lookup_whose_connection_is_lost_is_tried_again_after_the_back_off(consuming):
    talk = consuming(retry_backoff_ms=700)
    talk.call("assign", (tp(0),))
    talk.answer_metadata(2)
    talk.take()
    talk.at(1_000).disconnect(2)
    talk.answer_metadata(3)
    assert not talk.at(1_699).sent
    assert talk.at(1_700).take_all() == ["3: list offsets: end of orders-0"]


def test_a_lost_connection_is_followed_by_the_same_fetch(consuming):
    talk = reading(consuming(), 1, position=3)
    talk.take()
    talk.at(500).disconnect(1)
    talk.answer_metadata(1)
    assert not talk.sent
    assert talk.at(550).take_all() == ["1: fetch orders-0 at 3"]


def test_a_fetch_without_an_answer_closes_the_connection(consuming):
    talk = reading(consuming(request_timeout_ms=2_000))
    talk.take()
    assert talk.at(2_000).closed == []
    assert talk.at(2_001).closed == [1]
    talk.answer_metadata(1)
    assert talk.at(2_051).take_all() == ["1: fetch orders-0 at 0"]
