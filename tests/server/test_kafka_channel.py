"""KafkaChannel: every state against every event, and the ways through the table."""

from itertools import product
from typing import NamedTuple

import pytest

from kafka_internals.server.kafka_channel import (
    MUTE,
    MUTED,
    NOT_MUTED,
    REQUEST_RECEIVED,
    RESPONSE_PENDING,
    RESPONSE_SENT,
    THROTTLE_ENDED,
    THROTTLE_STARTED,
    THROTTLED,
    THROTTLED_AND_PENDING,
    TRANSITIONS,
    UNMUTE,
    KafkaChannel,
)

STATES = (NOT_MUTED, MUTED, RESPONSE_PENDING, THROTTLED, THROTTLED_AND_PENDING)
EVENTS = (MUTE, UNMUTE, REQUEST_RECEIVED, RESPONSE_SENT, THROTTLE_STARTED, THROTTLE_ENDED)


class Client(NamedTuple):
    name: str = "producer-1"


class Connection(NamedTuple):
    id: str = "one"
    client: Client = Client()


def channel(*events):
    made = KafkaChannel(Connection(), None)
    for event in events:
        made.take(event)
    return made


@pytest.mark.parametrize("state, event", list(product(STATES, EVENTS)))
def test_the_whole_grid(state, event):
    one = channel()
    one.state = state
    if (state, event) in TRANSITIONS:
        one.take(event)
        assert one.state == TRANSITIONS[state, event] != state
    else:
        with pytest.raises(KeyError):
            one.take(event)
        assert one.state == state


def test_every_state_is_reached_and_left():
    assert {state for state, _ in TRANSITIONS} == set(TRANSITIONS.values()) == set(STATES)


def test_a_request_mutes_and_its_response_lets_it_be_read_again():
    one = channel(MUTE, REQUEST_RECEIVED)
    assert not one.maybe_unmute()
    one.take(RESPONSE_SENT)
    assert one.maybe_unmute() and one.state == NOT_MUTED
    assert not one.maybe_unmute()


@pytest.mark.parametrize("events", [(RESPONSE_SENT, THROTTLE_ENDED),
                                    (THROTTLE_ENDED, RESPONSE_SENT)])
def test_a_throttled_channel_needs_both_ends_in_any_order(events):
    one = channel(MUTE, REQUEST_RECEIVED, THROTTLE_STARTED)
    one.take(events[0])
    assert not one.maybe_unmute()
    one.take(events[1])
    assert one.maybe_unmute()


def test_its_snapshot_names_what_is_under_way_and_what_waits():
    assert channel(MUTE).snapshot() == ("one", "producer-1", MUTED, None, (), None)
