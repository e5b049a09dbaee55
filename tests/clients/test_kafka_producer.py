"""KafkaProducer as a core: what leaves when, and what becomes of a record."""

import pytest

from kafka_internals.common import START_MS
from kafka_internals.errors import (
    NotEnoughReplicasException,
    RecordTooLargeException,
    TimeoutException,
)
from kafka_internals.messages.produce import (
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
)
from tests.clients.talk import Talk, no_luck, tp


def send(talk: Talk, value: bytes = b"v", key: bytes | None = None, partition: int | None = 0,
         timestamp_ms: int | None = None):
    """The producer's record."""
    talk.call("send", "orders", key, value, (), partition, timestamp_ms)
    return talk.core.records[-1]


def answer(talk: Talk, request, *errors: str, offset: int = 0) -> None:
    """Answer a produce; one error for each partition, "NONE" where none is given."""
    parts = request.request.body.partitions
    results = [PartitionProduceResponse(data.partition, error, offset if error == "NONE" else -1)
               for data, error in zip(parts, errors or ("NONE",) * len(parts))]
    talk.answer(request, ProduceResponse(tuple(results)))


def drawing(*draws: int):
    """Dice that give the partitioner these numbers."""
    left = iter(draws)
    return lambda purpose: (lambda n: next(left)) if purpose == "partitioner" else no_luck(purpose)


def ready(talk: Talk, *leaders: int) -> Talk:
    """Past its first metadata, with a first record acknowledged, so that nothing waits."""
    send(talk)
    talk.answer_metadata(*(leaders or (1,)))
    talk.at(1_000)
    if talk.core.config["acks"] == 0:
        talk.take()
    else:
        answer(talk, talk.take())
    return talk


def test_metadata_comes_first_and_everything_waits_for_it(producing):
    talk = producing(linger_ms=0)
    record = send(talk)
    assert talk.at(20).core.receipt(record).partition is None
    talk.answer_metadata(2)
    assert talk.take_all() == ["2: produce 1 for orders-0, acks=all"]
    assert record.timestamp_ms == START_MS + 20         # when it could join a batch


@pytest.mark.parametrize("key, number", [(b"21", 0), (b"foobar", 0), (b"a", 1), (b"key", 1),
                                         (b"a-little-bit-longer-string", 2)])
def test_a_key_chooses_among_all_partitions_also_those_without_a_leader(producing, key, number):
    talk = producing()
    record = send(talk, key=key, partition=None)
    talk.answer_metadata(*(-1 if at == number else 1 for at in range(3)))
    assert record.placed == tp(number)


def test_without_a_key_the_sticky_partition_is_kept_until_batch_size(producing):
    talk = producing(batch_size=200, dice=drawing(2, 0, 1, 1))
    records = [send(talk, b"x" * 60, partition=None) for _ in range(7)]
    talk.answer_metadata(1, 1, 1)
    assert [record.placed.partition for record in records] == [2, 2, 2, 2, 0, 0, 0]
    assert len(talk.take_all()) == 2


def test_a_sticky_partition_that_had_enough_is_left_when_the_next_batch_would_begin(producing):
    talk = producing(batch_size=200, linger_ms=1, dice=drawing(2, 0))
    placed = []
    for _ in range(3):                                  # each batch lingers out half full
        record = send(talk, b"x" * 60, partition=None)
        if not placed:
            talk.answer_metadata(1, 1, 1)
        placed.append(record.placed.partition)
        talk.at(talk.now_ms + 1)
        talk.take()
    assert placed == [2, 2, 0]


def test_g_c_14_max_request_size_bounds_a_record_and_is_looked_at_after_metadata(producing):
    talk = producing(max_request_size=100)
    record = send(talk, b"x" * 200)
    assert record.state == "waiting"
    talk.answer_metadata(1)
    assert isinstance(record.error, RecordTooLargeException)
    assert "max.request.size" in str(record.error)


@pytest.mark.parametrize("partition, leaders, told", [
    (None, (), "Topic orders not present in metadata after 500 ms."),
    (7, (1, 1), "Partition 7 of topic orders with partition count 2 is not present")])
def test_what_metadata_does_not_show_fails_after_max_block(producing, partition, leaders, told):
    talk = producing(max_block_ms=500)
    record = send(talk, partition=partition)
    talk.answer_metadata(*leaders)
    talk.at(499)
    assert record.state == "waiting"
    talk.take_all()
    talk.at(500)
    assert isinstance(record.error, TimeoutException) and told in str(record.error)


def test_the_next_call_of_send_begins_where_the_one_before_it_gave_up(producing):
    talk = producing(max_block_ms=500)
    first, second = send(talk), send(talk)
    assert (first.called_ms, second.called_ms) == (0, None)
    talk.at(999).take_all()
    assert (first.state, second.state, second.called_ms) == ("failed", "waiting", 500)
    assert talk.changes[-1].subject == "client#2" and \
        talk.changes[-1].reads == (("client#1", "state"),)
    talk.at(1_000).take_all()
    assert second.state == "failed"


def test_acks_all_tells_each_record_its_offset(producing):
    talk = producing(linger_ms=5)
    records = [send(talk) for _ in range(3)]
    talk.answer_metadata(1)
    request = talk.at(5).take()
    answer(talk, request, offset=40)
    assert [(record.state, record.offset) for record in records] == [
        ("acknowledged", 40), ("acknowledged", 41), ("acknowledged", 42)]


@pytest.mark.parametrize("acks, sent", [("all", -1), ("-1", -1), ("1", 1), ("0", 0)])
def test_acks_goes_over_the_wire_as_a_number(producing, acks, sent):
    talk = producing(acks=acks, linger_ms=0)
    send(talk)
    talk.answer_metadata(1)
    body = talk.take().request.body
    assert isinstance(body, ProduceRequest) and (body.acks, body.timeout_ms) == (sent, 30_000)


def test_g_c_13_acks_0_is_a_success_without_an_offset_whatever_the_broker_does(producing):
    talk = producing(acks="0", linger_ms=0)
    record = send(talk)
    talk.answer_metadata(1)
    talk.take()
    assert (record.state, record.offset) == ("acknowledged", -1)
    talk.at(500).disconnect(1)                          # the broker refused, and closed
    assert record.state == "acknowledged"
    send(talk)
    assert talk.take_all() == ["2: metadata of orders"]
    assert talk.at(600).take_all() == ["1: produce 1 for orders-0, acks=0"]


@pytest.mark.parametrize("error", ["NOT_ENOUGH_REPLICAS", "REQUEST_TIMED_OUT", "CORRUPT_MESSAGE",
                                   "NOT_ENOUGH_REPLICAS_AFTER_APPEND"])
def test_a_retriable_error_is_tried_again_after_a_growing_back_off(producing, error):
    talk = producing(linger_ms=0)
    record = send(talk)
    talk.answer_metadata(1)
    request, waits = talk.take(), []
    for _ in range(6):
        answer(talk, request, error)
        before = talk.now_ms
        while not talk.sent:
            talk.at(talk.now_ms + 1)
        waits.append(talk.now_ms - before)
        request = talk.take()
    assert waits == [100, 200, 400, 800, 1_000, 1_000]
    answer(talk, request, offset=7)
    assert (record.state, record.offset) == ("acknowledged", 7)


@pytest.mark.parametrize("error", ["NOT_LEADER_OR_FOLLOWER", "UNKNOWN_TOPIC_OR_PARTITION",
                                   "FENCED_LEADER_EPOCH"])
def test_old_metadata_is_asked_for_again_and_the_retry_goes_to_the_new_leader(producing, error):
    talk = ready(producing(linger_ms=0))
    record = send(talk)
    answer(talk, talk.take(), error)
    talk.answer_metadata(3)
    assert talk.at(talk.now_ms + 100).take_all() == ["3: produce 1 for orders-0, acks=all"]
    assert record.state == "waiting"


@pytest.mark.parametrize("error", ["INVALID_RECORD", "INVALID_REQUIRED_ACKS", "MESSAGE_TOO_LARGE",
                                   "INVALID_TIMESTAMP"])
def test_any_other_error_fails_the_record_by_its_name(producing, error):
    talk = ready(producing(linger_ms=0))
    record = send(talk)
    answer(talk, talk.take(), error)
    assert (record.state, record.error.error_name) == ("failed", error)
    talk.at(60_000)


def test_a_batch_that_was_too_large_comes_back_in_smaller_ones(producing):
    talk = producing(linger_ms=5, max_in_flight_requests_per_connection=1)
    records = [send(talk, b"x" * 100) for _ in range(8)]
    talk.answer_metadata(1)
    request, counts = talk.at(5).take(), []
    for _ in range(2):
        answer(talk, request, "MESSAGE_TOO_LARGE")
        request = talk.take()
        counts.append(request.request.body.partitions[0].records.header.records_count)
    assert counts == [8, 3]
    for offset in (0, 3, 6):
        answer(talk, request, offset=offset)
        request = talk.take() if offset < 6 else None
    assert [record.offset for record in records] == list(range(8))


def test_retries_bounds_the_attempts(producing):
    talk = producing(linger_ms=0, retries=2)
    record = send(talk)
    talk.answer_metadata(1)
    for _ in range(3):
        assert record.state == "waiting"
        answer(talk, talk.take(), "NOT_ENOUGH_REPLICAS")
        talk.at(talk.now_ms + 1_000)
    assert isinstance(record.error, NotEnoughReplicasException)


def test_one_partition_of_a_request_may_fail_alone(producing):
    talk = producing(linger_ms=5)
    one, other = send(talk, partition=0), send(talk, partition=1)
    talk.answer_metadata(1, 1)
    answer(talk, talk.at(5).take(), "INVALID_RECORD", "NONE")
    assert (one.state, other.state) == ("failed", "acknowledged")


def test_a_request_without_an_answer_closes_the_connection_and_is_sent_again(producing):
    talk = ready(producing(linger_ms=0, request_timeout_ms=2_000, delivery_timeout_ms=10_000))
    record = send(talk)
    late = talk.take()
    talk.at(talk.now_ms + 2_000)
    assert talk.closed == []
    talk.at(talk.now_ms + 1)
    assert talk.closed == [1] and talk.take_all() == ["2: metadata of orders"]
    again = talk.at(talk.now_ms + 100).take()
    answer(talk, late, offset=5)                        # nobody listens to the old connection
    assert record.state == "waiting"
    answer(talk, again, offset=6)
    assert record.offset == 6


def test_all_that_was_in_flight_comes_back_newest_first_without_idempotence(producing):
    talk = ready(producing(linger_ms=0))
    for value in (b"1", b"2", b"3"):
        send(talk, value)
    assert len(talk.take_all()) == 3
    talk.disconnect(1)
    talk.answer_metadata(1)
    talk.at(talk.now_ms + 100)
    again = [next(talk.take().request.body.partitions[0].records.records()).value
             for _ in range(3)]
    assert again == [b"3", b"2", b"1"]                  # D-G11: order is lost


def test_g_c_12_what_cannot_be_sent_expires_after_delivery_timeout(producing):
    talk = producing(linger_ms=0, request_timeout_ms=500, delivery_timeout_ms=2_000)
    record = send(talk)
    talk.answer_metadata(-1)
    while talk.now_ms < 1_999:
        talk.at(talk.now_ms + 1)
        if talk.sent:
            talk.answer_metadata(-1)
    assert record.state == "waiting"
    talk.at(2_000)
    assert isinstance(record.error, TimeoutException)
    assert "Expiring 1 record(s) for orders-0:2000 ms" in str(record.error)
    talk.take_all()


def test_g_c_12_what_is_in_flight_expires_too_and_its_answer_changes_nothing(producing):
    talk = ready(producing(linger_ms=0, request_timeout_ms=2_000, delivery_timeout_ms=2_000))
    record = send(talk)
    talk.at(talk.now_ms + 500)
    answer(talk, talk.take(), "NOT_ENOUGH_REPLICAS")
    request = talk.at(talk.now_ms + 100).take()
    talk.at(talk.now_ms + 1_400)
    assert isinstance(record.error, TimeoutException) and talk.closed == []
    answer(talk, request, offset=9)
    assert (record.state, record.offset) == ("failed", None)


def test_one_request_in_flight_mutes_the_partition(producing):
    talk = ready(producing(linger_ms=0, max_in_flight_requests_per_connection=1))
    first, second = send(talk, b"1"), send(talk, b"2")
    request = talk.take()
    assert not talk.sent
    answer(talk, request, "NOT_ENOUGH_REPLICAS")
    assert not talk.sent                                # the second waits behind the first
    request = talk.at(talk.now_ms + 100).take()
    assert request.request.body.partitions[0].records.header.records_count == 1
    answer(talk, request, offset=1)
    answer(talk, talk.take(), offset=2)
    assert (first.offset, second.offset) == (1, 2)


def test_a_muted_partition_does_not_overtake_itself_on_another_broker(producing):
    talk = ready(producing(linger_ms=0, max_in_flight_requests_per_connection=1,
                           metadata_max_age_ms=2_000))
    send(talk, b"1")
    request = talk.take()
    talk.at(2_000).answer_metadata(3)                   # meanwhile another broker leads
    send(talk, b"2")
    assert not talk.sent
    answer(talk, request)
    assert talk.take_all() == ["3: produce 1 for orders-0, acks=all"]


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_so_many_requests_are_in_flight_to_a_broker(producing, limit):
    talk = ready(producing(linger_ms=0, max_in_flight_requests_per_connection=limit), 1, 2)
    for number in range(8):
        send(talk, partition=number % 2)
    assert sorted(line[0] for line in talk.take_all()) == ["1"] * min(limit, 4) + \
        ["2"] * min(limit, 4)


def test_answers_in_order_are_receipts_in_order(producing):
    talk = ready(producing(linger_ms=0))
    records = [send(talk) for _ in range(4)]
    before = len(talk.changes)
    for offset in range(4):
        answer(talk, talk.take(), offset=offset)
    told = [change.subject for change in talk.changes[before:]
            if change.attribute == "state" and change.new == "acknowledged"]
    assert told == [record.subject for record in records]


def test_flush_ends_lingering_until_everything_sent_so_far_is_answered(producing):
    talk = ready(producing(linger_ms=1_000))
    send(talk)
    talk.at(talk.now_ms + 10)
    assert not talk.sent
    talk.call("flush")
    request = talk.take()
    send(talk)
    assert talk.take_all() != []                        # flushing still goes on
    answer(talk, request)
    send(talk)
    assert not talk.sent


def test_metadata_that_is_old_is_asked_for_although_nothing_is_wrong(producing):
    talk = ready(producing(metadata_max_age_ms=60_000))
    talk.at(59_999)
    assert not talk.sent
    assert talk.at(60_000).take_all() == ["1: metadata of orders"]


def test_keys_that_are_ignored_spread_records_like_those_without(producing):
    talk = producing(partitioner_ignore_keys=True, dice=drawing(2))
    record = send(talk, key=b"21", partition=None)
    talk.answer_metadata(1, 1, 1)
    assert record.placed == tp(2)
    talk.at(5).take()


@pytest.mark.parametrize("errors, told", [
    (((1, "too old"),), ["KafkaException", "INVALID_TIMESTAMP", "KafkaException"]),
    (((0, "too old"), (2, None)), ["INVALID_RECORD", "KafkaException", "INVALID_RECORD"])])
def test_records_that_are_to_blame_get_an_error_of_their_own(producing, errors, told):
    talk = producing(linger_ms=5)
    records = [send(talk, value) for value in (b"1", b"2", b"3")]
    talk.answer_metadata(1)
    talk.answer(talk.at(5).take(), ProduceResponse((PartitionProduceResponse(
        tp(0), "INVALID_TIMESTAMP", message="all of it", record_errors=errors),)))
    assert [talk.core.receipt(one).error for one in records] == told
    assert {str(one.error) for one in records} == {
        "Failed to append record because it was part of a batch which had one more more invalid "
        "records", "too old"} | ({"all of it"} if len(errors) == 2 else set())


def test_records_complete_in_the_order_in_which_they_were_sent(producing):
    talk = producing(linger_ms=5)
    records = [send(talk) for _ in range(4)]
    talk.answer_metadata(1)
    answer(talk, talk.at(5).take())
    assert talk.core.completed == records
