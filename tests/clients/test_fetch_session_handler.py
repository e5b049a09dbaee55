"""A client's side of a fetch session: what it names, what it forgets, when it begins anew."""

from kafka_internals.clients.fetch_session_handler import FetchSessionHandler
from kafka_internals.common import TopicPartition
from kafka_internals.messages.fetch import FetchPartition, FetchResponse, PartitionData


def tp(number):
    return TopicPartition("orders", number)


def at(number, offset=0):
    return FetchPartition(tp(number), offset, 0, 1_000)


def answer(*numbers, session_id=9, **more):
    return FetchResponse(tuple(PartitionData(tp(number)) for number in numbers),
                         session_id=session_id, **more)


def begun(*numbers):
    handler = FetchSessionHandler()
    handler.build([at(number) for number in numbers])
    assert handler.handle_response(answer(*numbers))
    return handler


def sent(data):
    return [one.partition.partition for one in data.to_send], data.to_forget, data.metadata


def test_the_first_request_names_everything_and_asks_for_a_session():
    handler = FetchSessionHandler()
    assert sent(handler.build([at(0), at(1)])) == ([0, 1], (), (0, 0))


def test_the_next_names_what_is_new_then_what_has_moved_and_what_to_forget():
    handler = begun(0, 1, 2)
    data = handler.build([at(3), at(0), at(2, 5)])
    assert sent(data) == ([3, 2], (tp(1),), (9, 1))
    assert list(data.session_partitions) == [tp(0), tp(2), tp(3)]
    assert data.session_partitions[tp(2)].fetch_offset == 5
    assert handler.handle_response(answer())
    assert sent(handler.build([at(0), at(2, 5), at(3)])) == ([], (), (9, 2))


def test_what_was_sent_stays_as_it_was_when_the_session_goes_on():
    handler = begun(0)
    before = handler.build([at(0, 1)])
    handler.handle_response(answer())
    handler.build([at(0, 2)])
    assert before.session_partitions == {tp(0): at(0, 1)}


def test_a_broker_without_a_slot_gives_no_session_and_every_request_is_full():
    handler = FetchSessionHandler()
    for _ in range(2):
        assert sent(handler.build([at(0)])) == ([0], (), (0, 0))
        assert handler.handle_response(answer(0, session_id=0))


def test_a_session_that_the_broker_has_ended_is_begun_anew():
    handler = begun(0)
    handler.build([at(0)])
    assert handler.handle_response(answer(session_id=0))
    assert sent(handler.build([at(0)])) == ([0], (), (0, 0))


def test_a_session_that_the_broker_does_not_know_is_begun_anew():
    handler = begun(0)
    handler.build([at(0)])
    assert not handler.handle_response(answer(error="FETCH_SESSION_ID_NOT_FOUND"))
    assert sent(handler.build([at(0)])) == ([0], (), (0, 0))


def test_after_a_wrong_epoch_or_a_lost_answer_the_old_one_is_closed_with_the_new():
    handler = begun(0)
    handler.build([at(0)])
    assert not handler.handle_response(answer(error="INVALID_FETCH_SESSION_EPOCH"))
    assert sent(handler.build([at(0)])) == ([0], (), (9, 0))
    handler = begun(0)
    handler.build([at(0)])
    handler.handle_error()
    assert sent(handler.build([at(0)])) == ([0], (), (9, 0))


def test_an_answer_about_other_partitions_is_not_believed():
    handler = FetchSessionHandler()
    handler.build([at(0), at(1)])
    assert not handler.handle_response(answer(0))             # a full one leaves nothing out
    assert sent(handler.build([at(0)])) == ([0], (), (0, 0))
    handler = begun(0)
    handler.build([at(0)])
    assert not handler.handle_response(answer(1))
    assert sent(handler.build([at(0)])) == ([0], (), (9, 0))
