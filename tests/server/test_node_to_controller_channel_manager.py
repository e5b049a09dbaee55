"""A broker's channel to the controller: what is asked again, when, and when no more."""

from itertools import count

import pytest

from kafka_internals.common import Changed, Disconnect, Send
from kafka_internals.messages.allocate_producer_ids import (
    AllocateProducerIdsRequest,
    AllocateProducerIdsResponse,
)
from kafka_internals.messages.init_producer_id import ProducerIdsBlock
from kafka_internals.server.node_to_controller_channel_manager import (
    NodeToControllerChannelManager,
)

BODY = AllocateProducerIdsRequest(1, 7)
BLOCK = AllocateProducerIdsResponse("NONE", ProducerIdsBlock(0))


class Channel:
    """A channel and what it sent: (to whom, id)."""

    def __init__(self, retry_timeout_ms=None) -> None:
        self.controller, self.sent, self.requests = 100, [], []
        self.core = NodeToControllerChannelManager("b", lambda: self.controller, count(1).__next__,
                                                   retry_timeout_ms)

    def ask(self, now_ms: int = 0) -> "Channel":
        self.take(self.core.send_request(BODY, "a rule", (("b", "x"),), now_ms))
        return self

    def take(self, effects: list) -> list:
        for one in effects:
            if type(one) is Send:
                self.requests.append(one.request)
                self.sent.append((one.to, one.request.id))
        return [one for one in effects if type(one) not in (Send, Changed)]

    def tick(self, now_ms: int) -> list:
        return self.take(self.core.tick(now_ms))


def test_a_question_and_its_answer():
    channel = Channel()
    effects = channel.core.send_request(BODY, "a rule", (("b", "x"),), 0)
    assert effects[0] == Changed("request-b.1", "asked", None, str(BODY), "a rule", (("b", "x"),))
    channel.take(effects)
    assert channel.sent == [(100, "request-b.1")] and not channel.core.is_free
    (request,) = channel.requests
    assert channel.core.handle(request.answered(BLOCK), 5) is request
    assert channel.core.is_free and channel.core.due_ms is None
    assert channel.core.handle(request.answered(BLOCK), 6) is None       # once


def test_nobody_knows_a_controller():
    """NodeToControllerRequestThread looks for one every 100 ms."""
    channel = Channel()
    channel.controller = None
    channel.ask()
    assert channel.sent == [] and channel.core.due_ms == 100
    assert channel.tick(99) == [] and channel.sent == []
    channel.tick(100)
    channel.controller = 101
    channel.tick(200)
    assert channel.sent == [(101, "request-b.1")]


@pytest.mark.parametrize("happens", ["the connection is lost", "it is not the controller"])
def test_the_same_request_is_sent_again_to_whoever_is_the_controller_by_then(happens):
    channel = Channel().ask()
    if happens == "the connection is lost":
        channel.core.disconnected(10)
    else:
        refused = channel.requests[0].answered(AllocateProducerIdsResponse("NOT_CONTROLLER"))
        assert channel.core.handle(refused, 10) is None
    channel.controller = 101
    assert channel.core.due_ms == 60 and channel.tick(59) == []
    channel.tick(60)
    assert channel.sent == [(100, "request-b.1"), (101, "request-b.2")]
    assert [one.body for one in channel.requests] == [BODY, BODY]
    assert channel.core.handle(channel.requests[0].answered(BLOCK), 70) is None      # too late
    assert channel.core.handle(channel.requests[1].answered(BLOCK), 80) is channel.requests[1]


def test_a_late_answer_costs_the_connection_and_nothing_is_given_up():
    channel = Channel().ask()
    for turn in range(5):
        due_ms = channel.core.due_ms
        assert due_ms == turn * 30_050 + 30_000                  # controller.socket.timeout.ms
        assert channel.tick(due_ms) == [Disconnect(100, AllocateProducerIdsRequest)]
        channel.tick(due_ms + 50)
    assert len(channel.sent) == 6


def test_a_channel_that_gives_up_does_so_when_the_request_is_old():
    """The heartbeat's after half a session, what is forwarded after 60 s."""
    heartbeat, forwarding = Channel(4_500).ask(), Channel(60_000).ask()
    assert heartbeat.tick(4_500) == [Disconnect(100, AllocateProducerIdsRequest)]
    assert heartbeat.core.is_free and len(heartbeat.sent) == 1
    for now_ms in (30_000, 30_050, 60_050):
        forwarding.tick(now_ms)
    assert forwarding.core.is_free and len(forwarding.sent) == 2


def test_an_old_request_that_waits_for_a_controller_is_given_up_too():
    channel = Channel(4_500)
    channel.controller = None
    channel.ask()
    while not channel.core.is_free:
        now_ms = channel.core.due_ms
        channel.tick(now_ms)
    assert now_ms == 4_500 and channel.sent == []


def test_what_is_in_flight_when_it_grows_old_may_still_be_answered():
    channel = Channel(4_500).ask()
    channel.core.disconnected(4_000)
    channel.tick(4_050)
    assert channel.core.due_ms == 8_550
    assert channel.core.handle(channel.requests[1].answered(BLOCK), 8_000) is not None
