"""The idempotent producer as a core: numbers, order of retries, and epochs of its own (KIP-360)."""

import pytest

from kafka_internals.clients.transaction_manager import MAX_EPOCH, TRANSITIONS, TransactionManager
from kafka_internals.errors import KafkaException, TimeoutException
from kafka_internals.messages.init_producer_id import (
    InitProducerIdRequest,
    InitProducerIdResponse,
    ProducerIdAndEpoch,
)
from kafka_internals.messages.produce import PartitionProduceResponse, ProduceResponse
from tests.clients.talk import Talk, tp
from tests.clients.test_kafka_producer import answer, send

OUT_OF_ORDER = "OUT_OF_ORDER_SEQUENCE_NUMBER"


def named(talk: Talk, producer_id: int = 7, error: str = "NONE") -> None:
    """Answer the question for a producer id."""
    request = talk.take()
    assert isinstance(request.request.body, InitProducerIdRequest), request
    given = ProducerIdAndEpoch(producer_id, 0) if error == "NONE" else ProducerIdAndEpoch()
    talk.answer(request, InitProducerIdResponse(error, given))


def begun(talk: Talk, *leaders: int) -> Talk:
    """Metadata and producer id are known, and a record of sequence 0 is acknowledged."""
    send(talk)
    talk.answer_metadata(*(leaders or (1,)))
    named(talk)
    talk.at(1_000)
    answer(talk, talk.take())
    return talk


def numbers(request) -> tuple[int, int, int]:
    """(producer id, epoch, first sequence) of a request's first batch."""
    header = request.request.body.partitions[0].records.header
    return header.producer_id, header.producer_epoch, header.base_sequence


def sent(talk: Talk) -> list[tuple[int, int]]:
    """(epoch, first sequence) of everything that was sent and not looked at."""
    taken = list(talk.sent)
    talk.sent.clear()
    return [numbers(request)[1:] for request in taken]


def in_flight(talk: Talk, count: int) -> list:
    """Requests of one record each, sequences 1 to `count`."""
    for number in range(count):
        send(talk, b"%d" % number)
    requests = [talk.take() for _ in range(count)]
    assert [numbers(one)[2] for one in requests] == list(range(1, count + 1))
    return requests


# -- who it is ----------------------------------------------------------------------------------
def test_a_producer_id_is_asked_for_right_after_the_metadata(numbering):
    talk = numbering(linger_ms=0)
    send(talk)
    assert [str(one.request.body) for one in talk.sent] == ["metadata of orders", "a producer id"]
    talk.answer_metadata(2)
    assert len(talk.sent) == 1                          # nothing is sent without a number
    named(talk, 3_000)
    assert numbers(talk.take()) == (3_000, 0, 0)
    assert talk.core.snapshot()[-3:] == (3_000, 0, (("orders-0", 1),))


def test_whoever_does_not_know_yet_is_asked_again(numbering):
    talk = numbering(linger_ms=0)
    send(talk)
    talk.answer_metadata(1)
    named(talk, error="COORDINATOR_LOAD_IN_PROGRESS")
    assert not talk.at(99).sent
    talk.at(100)
    named(talk)
    assert numbers(talk.take()) == (7, 0, 0)


def test_a_lost_question_is_asked_again(numbering):
    talk = numbering(linger_ms=0, request_timeout_ms=2_000)
    send(talk)
    talk.answer_metadata(1)
    talk.take()
    talk.at(2_200)
    kinds = talk.take_all()
    assert kinds.count("2: a producer id") + kinds.count("1: a producer id") \
        + kinds.count("3: a producer id") == 1


def test_a_refusal_ends_everything_that_waits(numbering):
    talk = numbering(linger_ms=0)
    records = [send(talk), send(talk)]
    talk.answer_metadata(1)
    named(talk, error="INVALID_REQUEST")
    assert all(type(one.error) is KafkaException for one in records)
    assert "Unexpected error in InitProducerIdResponse" in str(records[0].error)
    assert talk.core.accumulator.pool.available_bytes == 33_554_432
    assert send(talk).state == "failed"                 # at once, from now on


def test_the_life_of_an_identity_has_no_other_ways():
    events = {event for _, event in TRANSITIONS}
    for state in ("UNINITIALIZED", "INITIALIZING", "READY", "FATAL_ERROR"):
        for event in events:
            manager = TransactionManager()
            manager.state = state
            if (state, event) in TRANSITIONS:
                manager._on(event)
                assert manager.state == TRANSITIONS[state, event]
            else:
                with pytest.raises(KeyError):
                    manager._on(event)


# -- numbers and retries ------------------------------------------------------------------------
def test_each_partition_counts_its_records(numbering):
    talk = begun(numbering(linger_ms=5), 1, 1)
    for number in (0, 1, 1):
        send(talk, partition=number)
    (request,) = [talk.at(talk.now_ms + 5).take()]
    assert {data.partition: data.records.header.base_sequence
            for data in request.request.body.partitions} == {tp(0): 1, tp(1): 0}
    answer(talk, request)
    send(talk, partition=1)
    assert numbers(talk.at(talk.now_ms + 5).take()) == (7, 0, 2)


def test_g_c_1_after_a_gap_all_are_tried_again_in_order_one_at_a_time(numbering):
    talk = begun(numbering(linger_ms=0))
    first, *others = in_flight(talk, 5)
    answer(talk, first, "NOT_ENOUGH_REPLICAS")
    for request in others:
        answer(talk, request, OUT_OF_ORDER)
    assert talk.core.snapshot().producer_epoch == 0     # no gap: the first one is still open
    log = []
    for _ in range(5):
        talk.at(talk.now_ms + 1_200)
        (request,) = [talk.take()]
        log.append(numbers(request))
        assert not talk.sent
        answer(talk, request, offset=len(log))
    assert log == [(7, 0, sequence) for sequence in (1, 2, 3, 4, 5)]


def test_a_retry_keeps_its_numbers_and_its_bytes(numbering):
    talk = begun(numbering(linger_ms=0))
    send(talk)
    request = talk.take()
    answer(talk, request, "NOT_ENOUGH_REPLICAS")
    again = talk.at(talk.now_ms + 100).take()
    assert again.request.body.partitions == request.request.body.partitions
    answer(talk, again)


def test_a_lost_connection_brings_everything_back_in_order(numbering):
    talk = begun(numbering(linger_ms=0))
    in_flight(talk, 3)
    talk.disconnect(1)
    talk.answer_metadata(1)
    order = []
    for _ in range(3):
        talk.at(talk.now_ms + 1_000)
        (request,) = [talk.take()]
        order.append(numbers(request)[2])
        answer(talk, request)
    assert order == [1, 2, 3]                           # without numbers: newest first


def test_new_batches_wait_behind_those_that_are_tried_again(numbering):
    talk = begun(numbering(linger_ms=0))
    (request,) = in_flight(talk, 1)
    answer(talk, request, "NOT_ENOUGH_REPLICAS")
    send(talk, b"new")
    assert not talk.sent
    assert sent(talk.at(talk.now_ms + 100)) == [(0, 1), (0, 2)]


def test_a_duplicate_is_a_success_without_an_offset(numbering):
    talk = begun(numbering(linger_ms=0))
    record = send(talk)
    answer(talk, talk.take(), "DUPLICATE_SEQUENCE_NUMBER")
    assert (record.state, record.offset) == ("acknowledged", -1)


def test_a_batch_that_was_too_large_keeps_its_numbers_in_smaller_ones(numbering):
    talk = begun(numbering(linger_ms=5, batch_size=1_000))
    for _ in range(6):
        send(talk, b"x" * 100)
    request = talk.at(talk.now_ms + 5).take()
    answer(talk, request, "MESSAGE_TOO_LARGE")
    (whole,) = [talk.take()]
    answer(talk, whole, "MESSAGE_TOO_LARGE")
    order = [numbers(whole)[2]]
    for _ in range(3):
        request = talk.take()
        assert not talk.sent                            # lowest number first, one at a time
        order.append(numbers(request)[2])
        answer(talk, request)
    assert order == [1, 1, 3, 5]
    assert talk.core.snapshot().next_sequence == (("orders-0", 7),)
    assert talk.core.snapshot().batches == ()


# -- gaps and epochs ----------------------------------------------------------------------------
def test_a_gap_right_after_the_last_acknowledged_one_begins_an_epoch(numbering):
    talk = begun(numbering(linger_ms=0))
    first, second = in_flight(talk, 2)
    answer(talk, first, OUT_OF_ORDER)                   # the broker lost what came before it
    assert talk.core.snapshot().producer_epoch == 1
    answer(talk, second, OUT_OF_ORDER)
    order = []
    for _ in range(2):
        talk.at(talk.now_ms + 1_000)
        request = talk.take()
        order.append(numbers(request))
        answer(talk, request)
    assert order == [(7, 1, 0), (7, 1, 1)]
    assert talk.core.snapshot().producer_epoch == 1


@pytest.mark.parametrize("log_start, epoch", [(-1, 0), (0, 1), (5, 1)])
def test_a_broker_that_forgot_the_producer_is_asked_again_under_a_new_epoch(numbering, log_start,
                                                                            epoch):
    talk = begun(numbering(linger_ms=0))
    (request,) = in_flight(talk, 1)
    talk.answer(request, ProduceResponse((PartitionProduceResponse(
        tp(0), "UNKNOWN_PRODUCER_ID", log_start_offset=log_start),)))
    again = talk.at(talk.now_ms + 100).take()
    assert numbers(again) == (7, epoch, 1 if epoch == 0 else 0)
    answer(talk, again)


def test_other_partitions_change_the_epoch_when_their_flights_are_over(numbering):
    talk = begun(numbering(linger_ms=0), 1, 2)
    send(talk, partition=1)
    other = talk.take()
    answer(talk, other)
    send(talk, partition=1)
    flying = talk.take()
    send(talk, partition=0)
    answer(talk, talk.take(), OUT_OF_ORDER)
    assert talk.core.snapshot().producer_epoch == 1
    send(talk, partition=1)
    assert not talk.sent                                # epoch 0 is still on its way there
    answer(talk, flying)
    assert sent(talk) == [(1, 0)]
    assert sent(talk.at(talk.now_ms + 100)) == [(1, 0)]


@pytest.mark.parametrize("error", ["INVALID_RECORD", "INVALID_PRODUCER_EPOCH"])
def test_a_batch_that_is_refused_for_good_leaves_a_gap_that_an_epoch_closes(numbering, error):
    talk = begun(numbering(linger_ms=0))
    first, second = in_flight(talk, 2)
    answer(talk, first, error)
    assert talk.core.records[1].error.error_name == error
    assert talk.core.snapshot().producer_epoch == 1
    answer(talk, second, OUT_OF_ORDER)
    again = talk.at(talk.now_ms + 100).take()
    assert numbers(again) == (7, 1, 0)
    answer(talk, again)


def test_g_c_12_what_was_sent_and_expired_holds_up_new_numbers_until_it_is_clear(numbering):
    talk = begun(numbering(linger_ms=0, request_timeout_ms=1_000, delivery_timeout_ms=1_000))
    lost = send(talk, b"lost")
    answer(talk, talk.take(), "NOT_ENOUGH_REPLICAS")
    late = talk.at(1_100).take()                        # tried again, and not answered in time
    talk.at(1_500)
    (flying,) = [send(talk, b"flying")]
    request = talk.take()
    talk.at(2_000)
    assert isinstance(lost.error, TimeoutException)
    assert dict(talk.core.snapshot().batch_state) == {"orders-0/2": "given up",
                                                      "orders-0/3": "in flight"}
    send(talk, b"new")
    assert not talk.sent                                # is "lost" in the log? nobody knows yet
    answer(talk, late, OUT_OF_ORDER)                    # too late, but its memory is free now
    assert dict(talk.core.snapshot().batch_state) == {"orders-0/3": "in flight",
                                                      "orders-0/4": "open"}
    answer(talk, request, OUT_OF_ORDER)                 # so it is not
    assert flying.state == "waiting"
    assert sent(talk.at(2_100)) == [(1, 0), (1, 1)]


def test_after_the_last_epoch_a_new_producer_id_is_asked_for(numbering):
    talk = begun(numbering(linger_ms=0))
    manager = talk.core.sender.transactions
    manager.producer = manager.entry(tp(0)).producer = ProducerIdAndEpoch(7, MAX_EPOCH)
    (request,) = in_flight(talk, 1)
    answer(talk, request, OUT_OF_ORDER)
    assert talk.core.snapshot().producer_id == -1
    named(talk, 8)
    again = talk.at(talk.now_ms + 100).take()
    assert numbers(again) == (8, 0, 0)
    answer(talk, again)
