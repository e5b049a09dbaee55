"""SocketServer: who owns a connection, and the order in which a network thread works."""

from typing import NamedTuple

from kafka_internals.server.kafka_channel import NOT_MUTED, RESPONSE_PENDING
from kafka_internals.server.request_channel import (
    CLOSE_CONNECTION,
    END_THROTTLING,
    NO_OP,
    SEND,
    START_THROTTLING,
    ChannelRequest,
    RequestChannel,
)
from kafka_internals.server.socket_server import RECEIVE, SocketServer


class Connection:
    def __init__(self, id):
        self.id, self.open = id, True


class Request(NamedTuple):
    id: str


class Server:
    """One network thread, whose work takes no time: `does()` is what it did, in order."""

    def __init__(self, threads=1):
        self.sockets = SocketServer(threads)
        self.channels = {}

    def arrives(self, connection, *requests):
        if connection not in self.channels:
            self.channels[connection] = self.sockets.accept(Connection(connection))
        channel = self.channels[connection]
        for request in requests:
            channel.processor.arrived(ChannelRequest(Request(request), "Fetch", channel))

    def answer(self, connection, kind=SEND):
        channel = self.channels[connection]
        one = channel if kind in (START_THROTTLING, END_THROTTLING) else channel.current
        channel.processor.responses.append((kind, one))

    def does(self, most=99):
        done, processor = [], self.sockets.processors[0]
        while len(done) < most and (task := processor.take()) is not None:
            what, token = task
            done.append((what, token.request.id))
            if what is RECEIVE:
                processor.received(token)
            elif what is SEND:
                processor.sent(token.channel)
            elif what is NO_OP:
                processor.not_answered(token.channel)
        return done


def test_the_acceptor_hands_out_connections_in_turn():
    server = Server(threads=3)
    for name in "abcdefg":
        server.arrives(name, "x")
    owners = [server.channels[name].processor.number for name in "abcdefg"]
    assert owners == [0, 1, 2, 0, 1, 2, 0] and server.sockets.accepted == 7


def test_a_closed_connection_is_forgotten_when_the_next_one_comes():
    server = Server()
    server.arrives("a", "x")
    server.channels["a"].connection.open = False
    server.arrives("b", "x")
    assert list(server.sockets.channels) == ["a", "b"]      # its request is still to be read
    processor = server.sockets.processors[0]
    what, being_read = processor.take()
    server.arrives("c")
    assert what is RECEIVE and list(server.sockets.channels) == ["a", "b", "c"]
    processor.received(being_read)
    server.does()
    server.answer("a")
    server.does()
    server.arrives("d")
    assert list(server.sockets.channels) == ["b", "c", "d"]


def test_g_d_1_the_second_request_of_a_connection_is_not_read_before_the_first_answer():
    server = Server()
    server.arrives("one", "first", "second")
    assert server.does() == [(RECEIVE, "first")]
    assert server.channels["one"].state == RESPONSE_PENDING
    server.answer("one")
    assert server.does() == [(SEND, "first"), (RECEIVE, "second")]


def test_g_d_2_another_connection_does_not_wait():
    server = Server()
    server.arrives("one", "a", "b")
    server.arrives("other", "c")
    assert server.does() == [(RECEIVE, "a"), (RECEIVE, "c")]
    server.answer("other")
    assert server.does() == [(SEND, "c")]


def test_answers_leave_before_requests_are_read():
    server = Server()
    server.arrives("one", "a")
    server.does()
    server.arrives("other", "b")
    server.answer("one")
    assert server.does() == [(SEND, "a"), (RECEIVE, "b")]


def test_what_poll_has_found_is_read_before_the_next_answers():
    server = Server()
    for name in "abc":
        server.arrives(name, name)
    assert server.does(most=1) == [(RECEIVE, "a")]
    server.answer("a")
    assert server.does() == [(RECEIVE, "b"), (RECEIVE, "c"), (SEND, "a")]


def test_a_connection_is_unmuted_at_the_end_of_the_turn_in_which_its_answer_left():
    server = Server()
    server.arrives("a", "a1", "a2")
    server.does()
    server.answer("a")
    server.arrives("b", "b1")
    assert server.does() == [(SEND, "a1"), (RECEIVE, "b1"), (RECEIVE, "a2")]


def test_without_a_response_more_can_be_read_in_the_same_turn():
    server = Server()
    server.arrives("one", "acks=0", "next")
    server.does()
    server.answer("one", NO_OP)
    assert server.does() == [(NO_OP, "acks=0"), (RECEIVE, "next")]


def test_a_throttled_connection_is_answered_at_once_and_read_when_that_is_over():
    server = Server()
    server.arrives("one", "a", "b")
    server.arrives("other", "c")
    server.does()
    server.answer("one", START_THROTTLING)
    server.answer("one")
    server.answer("other")
    assert server.does() == [(SEND, "a"), (SEND, "c")]
    server.answer("one", END_THROTTLING)
    assert server.does() == [(RECEIVE, "b")]


def test_a_connection_that_is_to_be_closed_is_handed_out_as_such():
    server = Server()
    server.arrives("one", "a")
    server.does()
    server.answer("one", CLOSE_CONNECTION)
    assert server.does() == [(CLOSE_CONNECTION, "a")]


def test_a_channel_at_rest_is_as_it_was_in_the_beginning():
    server = Server()
    for request in ("first", "second"):
        server.arrives("one", request)
        server.does()
        server.answer("one")
        server.does()
    channel = server.channels["one"]
    assert (channel.state, channel.current, list(channel.unread)) == (NOT_MUTED, None, [])


# -- the queue ------------------------------------------------------------------------------------
def test_g_d_9_a_full_queue_holds_the_network_threads_and_keeps_the_order():
    server, queue = Server(threads=2), RequestChannel(2)
    for name in "abcd":
        server.arrives(name, name)
    tokens = {name: server.channels[name].unread[0] for name in "abcd"}
    owner = {name: server.channels[name].processor for name in "abcd"}
    assert [queue.send_request(tokens[name], owner[name]) for name in "abcd"] == \
        [True, True, False, False]
    assert owner["c"].blocked is tokens["c"] and owner["d"].state == "blocked"
    assert queue.unblocked() is None
    assert queue.receive_request() is tokens["a"]
    assert queue.unblocked() is owner["c"] and list(queue.blocked) == [owner["d"]]
