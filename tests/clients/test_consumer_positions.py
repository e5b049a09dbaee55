"""The numbers of a consumer: position, fetch position, lag; and what moves them or holds them."""

import pytest

from kafka_internals.config import CONSUMER_CONFIG
from kafka_internals.config.auto_offset_reset_strategy import AutoOffsetResetStrategy
from kafka_internals.control_record import ControlRecordType, EndTransactionMarker
from kafka_internals.errors import (
    ConfigException,
    NoOffsetForPartitionException,
    OffsetOutOfRangeException,
    TimeoutException,
)
from kafka_internals.messages.fetch import FetchResponse, PartitionData
from kafka_internals.messages.list_offsets import (
    ListOffsetsPartitionResponse,
    ListOffsetsResponse,
)
from tests.clients.fetches import answer, batch, given, offsets, poll, reading
from tests.clients.talk import tp


def numbers(talk, number=0):
    """Position, fetch position, buffered, lag."""
    seen = talk.core.snapshot()
    return tuple(dict(pairs)[tp(number)] for pairs in
                 (seen.position, seen.fetch_position, seen.buffered, seen.lag))


def marker(base_offset):
    return EndTransactionMarker(ControlRecordType.COMMIT, 0).encode(1_000, 7, 0,
                                                                    base_offset=base_offset)


# -- three numbers ------------------------------------------------------------------------------
def test_the_fetch_position_is_ahead_of_the_position_by_what_is_buffered(consuming):
    talk = reading(consuming(max_poll_records=2))
    assert numbers(talk) == (0, 0, 0, None)
    answer(talk, talk.take(), batch(0, 3), high_watermark=10)
    assert numbers(talk) == (0, 3, 3, 10)
    poll(talk)
    assert numbers(talk) == (2, 3, 1, 8)
    poll(talk)
    assert numbers(talk) == (3, 3, 0, 7)
    assert talk.take_all() == ["1: fetch orders-0 at 3"]
    assert talk.values("fetch_position.orders-0") == [0, 3]


def test_the_fetch_in_flight_is_what_a_partition_waits_for(consuming):
    talk = reading(consuming(request_timeout_ms=700))
    request = talk.take()
    assert talk.core.snapshot().in_flight == ((tp(0), request.request.id),)
    [wait] = talk.core.snapshot().waits
    assert (wait.attribute, wait.of, wait.or_at_ms) == ("fetch_position.orders-0", "answer", 700)
    answer(talk, request, batch(0))
    assert talk.core.snapshot().in_flight == ()


def test_a_poll_that_meets_only_a_marker_returns_at_once_with_nothing(consuming):
    talk = reading(consuming())
    talk.call("poll", 5_000)
    answer(talk, talk.take(), marker(0))
    assert given(talk) == [] and numbers(talk)[:3] == (1, 1, 0)
    assert talk.take_all() == ["1: fetch orders-0 at 1"]


def test_a_marker_between_records_is_passed_over_in_silence(consuming):
    talk = reading(consuming())
    answer(talk, talk.take(), batch(0) + marker(1) + batch(2) + marker(3))
    assert poll(talk) == [b"0", b"2"] and numbers(talk)[:2] == (4, 4)
    talk.take()


def test_lag_with_read_committed_is_counted_to_the_last_stable_offset(consuming):
    talk = reading(consuming(isolation_level="read_committed"))
    request = talk.take()
    assert request.request.body.committed_only
    [asked] = request.request.body.partitions
    body = request.request.body.response(())
    talk.answer(request, body._replace(partitions=(
        PartitionData(asked.partition, "NONE", 10, 0, b"", 6, ()),)))
    assert talk.core.current_lag(tp(0)) == 6
    talk.take()


# -- pause --------------------------------------------------------------------------------------
def test_what_is_paused_is_neither_fetched_nor_given_and_goes_on_where_it_was(consuming):
    talk = reading(consuming(), 1, 2)
    first, second = talk.take(), talk.take()
    talk.call("pause", (tp(0),))
    answer(talk, first, batch(0, 2))
    assert poll(talk) == [] and talk.core.paused == (tp(0),)
    answer(talk, second, batch(0))
    assert poll(talk) == [b"0"] and talk.take_all() == ["2: fetch orders-1 at 1"]
    talk.call("resume", (tp(0),))
    assert poll(talk) == [b"0", b"1"] and talk.core.paused == ()
    assert talk.take_all() == ["1: fetch orders-0 at 2"]


def test_what_a_paused_partition_has_buffered_does_not_hold_up_its_broker(consuming):
    talk = reading(consuming(), 1, 1)
    answer(talk, talk.take(), batch(0))
    talk.call("pause", (tp(0),))
    assert talk.take_all() == ["1: fetch orders-1 at 0"]


def test_a_pause_takes_a_partition_out_of_the_session_and_a_resume_puts_it_back(consuming):
    talk = reading(consuming(), 1, 1)
    answer(talk, talk.take(), session_id=4)
    talk.call("pause", (tp(1),))
    request = talk.take()
    assert str(request.request.body) == "fetch as before"      # it was on its way already
    talk.answer(request, FetchResponse((), session_id=4))
    request = talk.take()
    assert str(request.request.body) == "fetch no more orders-1"
    talk.call("resume", (tp(1),))
    talk.answer(request, FetchResponse((), session_id=4))
    assert talk.take_all() == ["1: fetch orders-1 at 0"]


# -- sessions -----------------------------------------------------------------------------------
def test_a_session_goes_on_epoch_by_epoch_and_is_begun_anew_after_a_lost_answer(consuming):
    talk, seen = reading(consuming()), []
    for count in range(3):
        request = talk.take()
        seen.append(tuple(request.request.body.metadata))
        answer(talk, request, batch(count), session_id=4)
        poll(talk)
    request = talk.take()
    seen.append(tuple(request.request.body.metadata))
    talk.at(500).disconnect(1)
    talk.answer_metadata(1)
    request = talk.at(560).take()
    seen.append(tuple(request.request.body.metadata))
    assert seen == [(0, 0), (4, 1), (4, 2), (4, 3), (4, 0)]
    assert str(request.request.body) == "fetch orders-0 at 3"


@pytest.mark.parametrize("error, following", [("FETCH_SESSION_ID_NOT_FOUND", (0, 0)),
                                              ("INVALID_FETCH_SESSION_EPOCH", (4, 0))])
def test_a_session_that_is_refused_is_begun_anew_at_once(consuming, error, following):
    talk = reading(consuming())
    answer(talk, talk.take(), session_id=4)
    talk.answer(talk.take(), FetchResponse((), error=error))
    body = talk.take().request.body
    assert tuple(body.metadata) == following and str(body) == "fetch orders-0 at 0"


# -- auto.offset.reset --------------------------------------------------------------------------
@pytest.mark.parametrize("text, duration_ms", [
    ("PT1H", 3_600_000), ("P1D", 86_400_000), ("P1DT2H3M4.5S", 93_784_500), ("pt0s", 0),
    ("PT-6H+7H", None), ("PT-1H120M", 3_600_000), ("PT0.000000001S", 0)])
def test_by_duration_reads_what_java_reads(text, duration_ms):
    if duration_ms is None:
        with pytest.raises(ConfigException, match="Unable to parse"):
            AutoOffsetResetStrategy.from_string(f"by_duration:{text}")
    else:
        strategy = AutoOffsetResetStrategy.from_string(f"by_duration:{text}")
        assert strategy.duration_ms == duration_ms
        assert strategy.timestamp(1_000_000) == 1_000_000 - duration_ms


@pytest.mark.parametrize("text, told", [
    ("by_duration", "part is missing"), ("by_duration:", "part is missing"),
    ("by_duration:1h", "by_duration:PT1H"), ("by_duration:P", "Unable"),
    ("by_duration:PT", "Unable"), ("by_duration:-PT1H", "Negative"), ("soonest", "earliest")])
def test_what_is_no_strategy_is_refused_with_what_would_work(text, told):
    with pytest.raises(ConfigException, match="auto.offset.reset") as refused:
        CONSUMER_CONFIG.parse({"auto.offset.reset": text})
    assert text in str(refused.value) and told in str(refused.value)


def test_by_duration_asks_for_the_time_so_long_ago(consuming):
    talk = consuming(auto_offset_reset="by_duration:PT1H")
    talk.at(500).call("assign", (tp(0),))
    talk.answer_metadata(1)
    [asked] = talk.sent[0].request.body.partitions
    assert asked.timestamp == 1_767_225_600_000 + 500 - 3_600_000
    offsets(talk, 12)
    assert talk.take_all() == ["1: fetch orders-0 at 12"]


def test_by_duration_without_so_young_a_record_asks_again_after_the_request_timeout(consuming):
    talk = consuming(auto_offset_reset="by_duration:PT1H", request_timeout_ms=2_000)
    talk.call("assign", (tp(0),))
    talk.answer_metadata(1)
    offsets(talk, -1)
    assert not talk.at(1_999).sent and talk.core.position(tp(0)) is None
    assert talk.at(2_000).take_all() == ["1: list offsets: 1767222002000 of orders-0"]


def test_an_answer_to_a_seek_that_was_overtaken_is_not_taken(consuming):
    talk = reading(consuming())
    answer(talk, talk.take(), batch(0))
    talk.call("seek", tp(0), "earliest")
    request = talk.take()
    talk.call("seek", tp(0), "latest")
    talk.answer(request, ListOffsetsResponse((ListOffsetsPartitionResponse(tp(0), "NONE", 3),)))
    assert talk.core.position(tp(0)) is None
    assert talk.take_all() == ["1: list offsets: end of orders-0"]


def test_errors_say_where_and_what(consuming):
    talk = consuming(auto_offset_reset="none")
    talk.call("assign", (tp(0),))
    talk.answer_metadata(1)
    with pytest.raises(NoOffsetForPartitionException, match=r"no reset policy .* \[orders-0\]"):
        poll(talk)
    talk.call("seek", tp(0), 70)
    answer(talk, talk.take(), error="OFFSET_OUT_OF_RANGE")
    with pytest.raises(OffsetOutOfRangeException, match="70 is out of range for .* orders-0"):
        poll(talk)


# -- questions for offsets ----------------------------------------------------------------------
def test_offsets_are_asked_of_each_leader_and_found_by_partition(consuming):
    talk = consuming()
    talk.call("look_up", {tp(0): -1, tp(1): 5})
    talk.answer_metadata(1, 2)
    assert [str(one.request.body) for one in talk.sent] == \
        ["list offsets: end of orders-0", "list offsets: 5 of orders-1"]
    offsets(talk, 40)
    assert talk.core.lookups[-1].state == "waiting"
    offsets(talk, -1)
    lookup = talk.core.lookups[-1]
    assert lookup.state == "done" and lookup.found[tp(1)] is None
    assert lookup.found[tp(0)].offset == 40


def test_a_question_that_failed_is_asked_again_and_given_up_in_the_end(consuming):
    talk = consuming(default_api_timeout_ms=900)
    talk.call("look_up", {tp(0): -1})
    talk.answer_metadata(1)
    talk.at(100)
    offsets(talk, -1, error="NOT_LEADER_OR_FOLLOWER")
    talk.answer_metadata(2)
    assert not talk.at(199).sent
    assert talk.at(200).take_all() == ["2: list offsets: end of orders-0"]
    talk.at(300).disconnect(2)
    talk.at(900)
    lookup = talk.core.lookups[-1]
    assert lookup.state == "failed" and isinstance(lookup.error, TimeoutException)
    assert "in 900ms" in str(lookup.error)
    talk.take_all()


# -- metrics ------------------------------------------------------------------------------------
def test_metrics_count_fetches_records_bytes_lag_and_lead(consuming):
    talk = reading(consuming())
    answer(talk, talk.at(40).take(), batch(0, 3), high_watermark=10)
    talk.at(60).call("poll", 0)
    seen = talk.metrics()
    size = len(batch(0, 3)) - 61
    assert (seen["fetch-latency-avg"], seen["fetch-latency-max"], seen["fetch-total"]) == \
        (40, 40, 1)
    assert seen["fetch-size-avg"] == seen["bytes-consumed-total", "orders"] == size
    assert (seen["records-per-request-avg"], seen["records-consumed-total"]) == (3, 3)
    assert (seen["records-lag", "orders", "0"], seen["records-lead", "orders", "0"]) == (7, 3)
    assert (seen["records-lag-max"], seen["records-lead-min"]) == (7, 3)
    assert seen["request-latency-max", "node-1"] == 40
    assert (seen["connection-count"], seen["requests-in-flight"]) == (1, 1)
    talk.take()


def test_a_fetch_counts_when_all_that_it_brought_is_gone(consuming):
    talk = reading(consuming(max_poll_records=2), 1, 1)
    answer(talk, talk.take(), batch(0, 2), batch(5, 2))
    poll(talk)
    poll(talk)
    assert talk.metrics()["records-consumed-total"] == 0
    poll(talk)
    assert talk.metrics()["records-per-request-avg"] == 4
    talk.take_all()


def test_poll_metrics_tell_waiting_from_working(consuming):
    talk = reading(consuming())
    talk.call("poll", 300)
    request = talk.at(300).take()
    talk.at(400).call("poll", 200)
    talk.at(500)
    answer(talk, request, batch(0), throttle_time_ms=7)
    seen = talk.at(3_400).metrics()
    assert seen["time-between-poll-max"] == 400 and seen["last-poll-seconds-ago"] == 3
    assert seen["poll-idle-ratio-avg"] == (1 + 100 / 500) / 2
    assert (seen["fetch-throttle-time-max"], seen["fetch-throttle-time-avg"]) == (7, 7 / 2)
    talk.take()
