"""RequestChannel: one request of a connection at a time, answers before new requests."""

from typing import NamedTuple

from kafka_internals.server.request_channel import RequestChannel


class Connection(NamedTuple):
    id: str


ONE, OTHER = Connection("one"), Connection("other")


def test_g_d_1_the_second_request_of_a_connection_waits_for_the_first_answer():
    channel = RequestChannel()
    channel.arrived(ONE, "first")
    channel.arrived(ONE, "second")
    assert channel.next_for_network() == ("receive", (ONE, "first"))
    assert channel.next_for_network() is None
    channel.responded(ONE, "answer")
    assert channel.next_for_network() == ("send", (ONE, "answer"))
    channel.sent(ONE)
    assert channel.next_for_network() == ("receive", (ONE, "second"))


def test_g_d_2_another_connection_does_not_wait():
    channel = RequestChannel()
    for connection, request in ((ONE, "a"), (ONE, "b"), (OTHER, "c")):
        channel.arrived(connection, request)
    assert [channel.next_for_network() for _ in range(3)] == [
        ("receive", (ONE, "a")), ("receive", (OTHER, "c")), None]


def test_a_connection_is_read_again_after_its_answer():
    channel = RequestChannel()
    for request in ("first", "second"):
        channel.arrived(ONE, request)
        assert channel.next_for_network() == ("receive", (ONE, request))
        channel.responded(ONE, None)                    # acks=0: no bytes, but its turn is over
        assert channel.next_for_network() == ("send", (ONE, None))
        channel.sent(ONE)
    assert channel.snapshot() == RequestChannel().snapshot()


def test_answers_leave_before_requests_are_read():
    channel = RequestChannel()
    channel.arrived(ONE, "a")
    channel.responded(OTHER, "answer")
    assert channel.next_for_network() == ("send", (OTHER, "answer"))


def test_g_d_9_the_queue_keeps_its_order_and_loses_nothing():
    channel = RequestChannel()
    for n in range(1_000):
        channel.received((ONE, n))
    assert [channel.next_for_handler()[1] for _ in range(1_000)] == list(range(1_000))
    assert channel.next_for_handler() is None
