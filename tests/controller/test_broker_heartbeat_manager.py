"""The table of broker states: every pair of it, and every heartbeat that can come (B.10)."""

from itertools import product

import pytest

from kafka_internals.controller import broker_heartbeat_manager as b
from kafka_internals.errors import IllegalStateException
from kafka_internals.messages.broker_heartbeat import BrokerHeartbeatRequest

STATES = (b.FENCED, b.UNFENCED, b.CONTROLLED_SHUTDOWN)
EVENTS = (b.FENCE, b.SHUT_DOWN, b.FENCE_AND_SHUT_DOWN, b.SERVE, b.LAGS, b.LEADS, b.OTHERS_LAG,
          b.MOVED)
REGISTERED_AT, SHUTDOWN_AT = 10, 50


def manager(state: str, others_at: int | None) -> b.BrokerHeartbeatManager:
    """Broker 1 in a state, and broker 2, in service, at an offset; None: there is no other."""
    found = b.BrokerHeartbeatManager(9_000)
    found.register(1, True)
    if state != b.FENCED:
        found.touch(1, False, 20)
    if state == b.CONTROLLED_SHUTDOWN:
        found.maybe_update_controlled_shutdown_offset(1, SHUTDOWN_AT)
    if others_at is not None:
        found.register(2, True)
        found.touch(2, False, others_at)
    return found


def expected(state: str, fence: bool, stop: bool, caught_up: bool, leads: bool,
             others_know: bool) -> str:
    """B.10, read aloud."""
    if state == b.CONTROLLED_SHUTDOWN:
        return b.SHUTDOWN_NOW if not leads and others_know else b.CONTROLLED_SHUTDOWN
    if state == b.FENCED:
        if stop:
            return b.SHUTDOWN_NOW
        return b.UNFENCED if not fence and caught_up else b.FENCED
    if fence:
        return b.SHUTDOWN_NOW if stop else b.FENCED
    if stop:
        return b.CONTROLLED_SHUTDOWN if leads else b.SHUTDOWN_NOW
    return b.UNFENCED


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("fence, stop, caught_up, leads", list(product((False, True), repeat=4)))
@pytest.mark.parametrize("others_at", [None, SHUTDOWN_AT - 1, SHUTDOWN_AT])
def test_the_whole_grid_of_heartbeats(state, fence, stop, caught_up, leads, others_at):
    asked = BrokerHeartbeatRequest(1, 7, REGISTERED_AT if caught_up else REGISTERED_AT - 1, fence,
                                   stop)
    found = manager(state, others_at).calculate_next_broker_state(
        asked, REGISTERED_AT, lambda leads=leads: leads)
    assert found.current == state
    assert found.next == b.TRANSITIONS[state, found.event]
    assert found.next == expected(state, fence, stop, caught_up, leads,
                                  others_at is None or others_at >= SHUTDOWN_AT)


def test_every_row_can_be_reached_and_no_other_pair_exists():
    reached = set()
    for state, fence, stop, caught_up, leads, others_at in product(
            STATES, *[(False, True)] * 4, (None, SHUTDOWN_AT - 1, SHUTDOWN_AT)):
        asked = BrokerHeartbeatRequest(1, 7, REGISTERED_AT if caught_up else 0, fence, stop)
        found = manager(state, others_at).calculate_next_broker_state(
            asked, REGISTERED_AT, lambda leads=leads: leads)
        reached.add((found.current, found.event))
    assert reached == set(b.TRANSITIONS)
    assert {event for _, event in b.TRANSITIONS} == set(EVENTS)


def test_a_session_ends_after_the_timeout_and_not_at_it():
    found = manager(b.UNFENCED, None)
    found.update_contact_time(1, 7, 1_000)
    assert found.has_valid_session(1, 7, 10_000)
    assert found.maybe_remove_expired(10_000) is None
    assert not found.has_valid_session(1, 7, 10_001)
    assert not found.has_valid_session(1, 8, 1_000)          # another process
    assert found.maybe_remove_expired(10_001) == (1, 7)
    assert found.maybe_remove_expired(10_001) is None


def test_the_longest_silent_is_first():
    found = manager(b.UNFENCED, 5)
    found.update_contact_time(1, 7, 2_000)
    found.update_contact_time(2, 8, 1_000)
    assert [found.maybe_remove_expired(90_000) for _ in range(3)] == [(2, 8), (1, 7), None]


def test_a_record_makes_the_offset_unknown_until_the_next_heartbeat():
    found = manager(b.UNFENCED, None)
    found.register(1, False)
    assert found.state_of(1).metadata_offset == -1
    found.touch(1, False, 30)
    found.register(1, True)                                  # another flag: the offset stays
    assert found.state_of(1).metadata_offset == 30


def test_the_controlled_shutdown_offset_is_set_once_and_never_for_a_fenced_broker():
    found = manager(b.CONTROLLED_SHUTDOWN, None)
    found.maybe_update_controlled_shutdown_offset(1, 99)
    assert found.state_of(1).controlled_shutdown_offset == SHUTDOWN_AT
    with pytest.raises(IllegalStateException, match="Fenced brokers cannot"):
        manager(b.FENCED, None).maybe_update_controlled_shutdown_offset(1, 99)
    with pytest.raises(IllegalStateException, match="Broker 9 is not registered; there are 1"):
        found.state_of(9)
