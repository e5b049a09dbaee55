"""A broker's life: the whole grid of its table, and its talk with a real controller core."""

from itertools import count

import pytest

from kafka_internals.common import Changed, Disconnect, Send
from kafka_internals.config import CONTROLLER_CONFIG
from kafka_internals.controller.feature_control_manager import SUPPORTED_FEATURES
from kafka_internals.errors import IllegalStateException
from kafka_internals.messages.broker_heartbeat import (
    BrokerHeartbeatRequest,
    BrokerHeartbeatResponse,
)
from kafka_internals.messages.broker_registration import (
    BrokerRegistrationRequest,
    BrokerRegistrationResponse,
)
from kafka_internals.server import broker_lifecycle_manager as b
from tests.controller.quorum import CLUSTER, Quorum

STATES = (b.NOT_RUNNING, b.STARTING, b.RECOVERY, b.RUNNING, b.PENDING_CONTROLLED_SHUTDOWN,
          b.SHUTTING_DOWN)
EVENTS = (b.START, b.CAUGHT_UP, b.UNFENCED, b.BEGIN_SHUTDOWN, b.MAY_GO, b.SHUT_DOWN,
          b.NOT_REGISTERED)
CONFIG = CONTROLLER_CONFIG.parse({})
INTERVAL_MS = 2_000
OK = BrokerHeartbeatResponse("NONE", True, True, False)


class Broker:
    """One process and what it has sent; `controller` is whom it knows."""

    def __init__(self, broker: int = 1, previous: int = -1, process: int = 1) -> None:
        self.controller, self.metadata_offset, self.sent = 100, -1, []
        self.changes: list[Changed] = []
        registration = BrokerRegistrationRequest(
            broker, CLUSTER, f"process-{process}-of-{broker}", (), SUPPORTED_FEATURES,
            log_dirs=(f"dir-of-{broker}",), previous_broker_epoch=previous)
        self.core = b.BrokerLifecycleManager(registration, CONFIG, lambda: self.controller,
                                             lambda: self.metadata_offset, count(1).__next__)

    def take(self, effects: list) -> list:
        """The requests of these effects."""
        self.changes += [one for one in effects if type(one) is Changed]
        found = [one.request for one in effects if type(one) is Send]
        self.sent += found
        return found

    def answer(self, body, now_ms: int) -> list:
        """The last request is answered; what is sent then."""
        return self.take(self.core.handle(self.sent[-1].answered(body), now_ms))

    def registered(self) -> "Broker":
        """STARTING, with epoch 7, and its first heartbeat sent at once."""
        self.take(self.core.start(0))
        self.answer(BrokerRegistrationResponse("NONE", 7), 0)
        return self

    def running(self) -> "Broker":
        self.registered()
        self.answer(OK, 0)
        self.take(self.core.tick(10))
        self.take(self.core.set_ready_to_unfence(10))
        self.answer(OK, 10)                              # asked once more, now to be unfenced
        self.answer(OK._replace(is_fenced=False), 10)
        assert self.core.state == b.RUNNING
        return self


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("event", EVENTS)
def test_the_whole_grid(state, event):
    core = Broker().core
    core.state = state
    if (state, event) in b.TRANSITIONS:
        (change,) = core._move(event, ())
        assert core.state == b.TRANSITIONS[state, event] == change.new != state
    else:
        with pytest.raises(IllegalStateException, match=f"{state} cannot take '{event}'"):
            core._move(event, ())
        assert core.state == state


def test_every_state_is_in_the_table_and_the_last_one_has_no_way_out():
    assert {state for state, _ in b.TRANSITIONS} | set(b.TRANSITIONS.values()) == set(STATES)
    assert {event for _, event in b.TRANSITIONS} == set(EVENTS)
    assert b.SHUTTING_DOWN not in {state for state, _ in b.TRANSITIONS}


def test_it_registers_and_beats_every_ten_milliseconds_until_it_has_caught_up():
    broker = Broker(previous=5).registered()
    first, beat = broker.sent
    assert first.body.previous_broker_epoch == 5
    assert beat.body == BrokerHeartbeatRequest(1, 7, -1, want_fence=True)
    assert broker.answer(OK._replace(is_caught_up=False), 0) == []
    assert broker.core.state == b.STARTING and broker.core.next_deadline_ms() == 10
    (again,) = broker.take(broker.core.tick(10))
    assert again.body.cordoned_log_dirs is None              # not before it has caught up
    broker.answer(OK, 10)
    assert broker.core.state == b.RECOVERY and broker.core.next_deadline_ms() == 20
    (later,) = broker.take(broker.core.tick(20))
    assert later.body.want_fence and later.body.cordoned_log_dirs == ()


def test_it_asks_to_serve_only_when_it_is_ready():
    broker = Broker().registered()
    broker.answer(OK, 0)
    broker.take(broker.core.tick(10))
    broker.answer(OK, 10)
    assert broker.core.next_deadline_ms() == 10 + INTERVAL_MS
    (asked,) = broker.take(broker.core.set_ready_to_unfence(50))
    assert not asked.body.want_fence
    broker.answer(OK._replace(is_fenced=False), 50)
    assert broker.core.state == b.RUNNING
    assert broker.core.next_deadline_ms() == 50 + INTERVAL_MS
    assert broker.core.set_ready_to_unfence(60) == []        # said once


def test_one_request_at_a_time_and_what_waited_goes_at_once():
    broker = Broker().registered()
    assert broker.take(broker.core.set_ready_to_unfence(0)) == []
    (next_one,) = broker.answer(OK, 3)
    assert not next_one.body.want_fence and broker.core.state == b.RECOVERY


def test_controlled_shutdown_asks_after_fifty_milliseconds_and_then_at_its_interval():
    broker = Broker().running()
    (asked,) = broker.take(broker.core.begin_controlled_shutdown(100))
    assert asked.body.want_shut_down
    waits = OK._replace(is_fenced=False)
    broker.answer(waits, 100)
    assert broker.core.next_deadline_ms() == 150
    broker.take(broker.core.tick(150))
    broker.answer(waits, 150)
    assert broker.core.next_deadline_ms() == 150 + INTERVAL_MS
    assert broker.core.begin_controlled_shutdown(200) == []  # it is already doing that
    broker.take(broker.core.tick(150 + INTERVAL_MS))
    broker.answer(OK._replace(should_shut_down=True), 2_200)
    assert broker.core.state == b.SHUTTING_DOWN and broker.core.next_deadline_ms() is None
    assert broker.core.tick(99_999) == broker.core.begin_shutdown() == []


def test_who_has_nothing_to_move_leaves_at_once():
    broker = Broker().registered()
    assert broker.take(broker.core.begin_controlled_shutdown(5)) == []
    assert broker.core.state == b.SHUTTING_DOWN
    assert broker.answer(OK, 6) == []                        # too late
    another = Broker().running()
    another.take(another.core.begin_shutdown())
    assert another.core.state == b.SHUTTING_DOWN


def test_errors_wait_for_the_interval_and_another_controller_for_a_moment():
    broker = Broker().running()
    broker.take(broker.core.tick(5_000))
    broker.answer(BrokerHeartbeatResponse("STALE_BROKER_EPOCH"), 5_000)
    assert broker.core.next_deadline_ms() == 5_000 + INTERVAL_MS and broker.core.broker_epoch == 7
    broker.take(broker.core.tick(8_000))
    broker.answer(BrokerHeartbeatResponse("NOT_CONTROLLER"), 8_000)
    assert broker.core.next_deadline_ms() == 8_050
    broker.controller = None
    assert broker.take(broker.core.tick(8_050)) == []
    assert broker.core.next_deadline_ms() == 8_150           # nobody knows a controller
    broker.controller = 101
    broker.take(broker.core.tick(8_150))
    broker.take(broker.core.disconnected(8_160))
    assert broker.core.next_deadline_ms() == 8_210
    broker.take(broker.core.tick(8_210))
    assert [one.body for one in broker.sent[-3:]] == [broker.sent[-1].body] * 3
    broker.answer(OK._replace(is_fenced=False), 8_211)
    assert broker.core.next_deadline_ms() == 8_211 + INTERVAL_MS


def test_a_heartbeat_that_nobody_answers_is_given_up_after_half_a_session():
    broker = Broker().running()
    broker.take(broker.core.tick(5_000))
    sent = len(broker.sent)
    (closed,) = [one for one in broker.core.tick(9_500) if type(one) is Disconnect]
    assert closed == Disconnect(100, BrokerHeartbeatRequest)
    assert broker.core.next_deadline_ms() == 9_500 + INTERVAL_MS and len(broker.sent) == sent
    assert broker.core.disconnected(9_500) == []


def test_who_cannot_register_within_a_minute_stops():
    broker = Broker()
    broker.take(broker.core.start(0))
    now_ms = 0
    while broker.core.state == b.STARTING:
        broker.answer(BrokerRegistrationResponse("DUPLICATE_BROKER_REGISTRATION"), now_ms)
        now_ms = broker.core.next_deadline_ms()
        broker.take(broker.core.tick(now_ms))
    assert broker.core.state == b.SHUTTING_DOWN and now_ms == 60_000
    assert len(broker.sent) == 30                            # every two seconds


def test_an_answer_to_something_else_is_let_go():
    broker = Broker().registered()
    late = broker.sent[0].answered(BrokerRegistrationResponse("NONE", 9))
    assert broker.core.handle(late, 5) == [] and broker.core.broker_epoch == 7


def test_what_it_asks_says_what_it_knew_and_what_it_waits_for():
    broker = Broker().registered()
    asked = [one for one in broker.changes if one.subject == broker.sent[-1].id][0]
    assert asked.attribute == "asked" and ("broker-1-lifecycle", "broker_epoch") in asked.reads
    assert broker.sent[-1].id == "request-broker-1-lifecycle.2"
    seen = broker.core.snapshot()
    assert (seen.state, seen.broker_epoch, seen.in_flight) == (b.STARTING, 7, broker.sent[-1].id)
    assert [(one.attribute, one.subject, one.or_at_ms) for one in seen.waits] == [
        ("in_flight", broker.sent[-1].id, 4_500)]


class Talk:
    """Processes and one controller, which has read everything that is committed at once."""

    def __init__(self) -> None:
        self.quorum, self.brokers, self.now_ms = Quorum(), {}, 0

    def start(self, broker: int, previous: int = -1, process: int = 1) -> Broker:
        found = self.brokers[broker] = Broker(broker, previous, process)
        self.deliver(found, found.take(found.core.start(self.now_ms)))
        return found

    def deliver(self, broker: Broker, requests: list) -> None:
        while requests:
            (request,) = requests
            broker.metadata_offset = self.quorum.batches[-1].last_offset
            self.quorum.take(self.quorum.controller.handle(request, self.now_ms))
            self.quorum.commit()
            requests = broker.answer(self.quorum.replies.pop(request.id), self.now_ms)

    def pass_ms(self, ms: int) -> None:
        end_ms = self.now_ms + ms
        while self.now_ms < end_ms:
            due = [self.quorum.controller.periodic.deadline_ms,
                   *(one.core.next_deadline_ms() for one in self.brokers.values())]
            due = [one for one in due if one is not None]
            self.now_ms = self.quorum.now_ms = min([end_ms, *due])
            self.quorum.take(self.quorum.controller.tick(self.now_ms))
            self.quorum.commit()
            for broker in self.brokers.values():
                self.deliver(broker, broker.take(broker.core.tick(self.now_ms)))


def test_brokers_live_with_a_controller():
    talk = Talk()
    for broker in (1, 2, 3):
        talk.start(broker)
    talk.pass_ms(1_000)
    assert {one.core.state for one in talk.brokers.values()} == {b.RECOVERY}
    for one in talk.brokers.values():
        talk.deliver(one, one.take(one.core.set_ready_to_unfence(talk.now_ms)))
    assert {one.core.state for one in talk.brokers.values()} == {b.RUNNING}
    talk.quorum.create("t", (1, 2, 3))
    talk.pass_ms(60_000)
    assert talk.quorum.partition("t-0").leader == 1          # nobody was ever silent for too long
    one = talk.brokers[1]
    talk.deliver(one, one.take(one.core.begin_controlled_shutdown(talk.now_ms)))
    talk.pass_ms(5_000)
    assert one.core.state == b.SHUTTING_DOWN
    assert talk.quorum.partition("t-0").leader == 2
    epoch = one.core.broker_epoch
    again = talk.start(1, previous=epoch, process=2)         # the last session is still valid
    assert again.core.broker_epoch == -1
    talk.pass_ms(12_000)
    assert again.core.state == b.RECOVERY and again.core.broker_epoch > epoch
