"""Contract 2: what "why?" says is true, complete, and nothing changes in silence."""

from functools import cache

import pytest

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.cluster.invariants import NoSilentChange
from kafka_internals.cluster.schedules import Schedule
from kafka_internals.errors import IllegalStateException
from kafka_internals.server.partition import Partition
from kafka_internals.server.replica_fetcher import ReplicaFetcher
from kafka_internals.sim.invariants import InvariantViolated
from kafka_internals.sim.search import joblib_map, search
from kafka_internals.sim.why import ARROWS, VISIBLE_LINKS, chain_of
from tests.cluster.counterfactual import Counterfactual
from tests.cluster.stories import (
    HEALING,
    ONE_LEADER,
    SEVERAL_LEADERS,
    a_killed_follower,
    a_slow_follower,
    acks_1_in_a_pipeline,
    cluster,
    in_turn,
    one_is_missing,
    produce_and_poll,
    reader,
)


def told_by_name(story):
    return pytest.mark.parametrize("story", story, ids=lambda one: one.__name__)


@cache
def findings(story):
    """False reads and forgotten messages of a story.

    Requests are numbered per client. Where one client talks to several leaders, a lost message
    gives the next requests other numbers, so their own questions and answers cannot be compared.
    Where a story goes on until what was lost has been tried again, a late answer says the same.
    """
    counterfactual = Counterfactual(story(), named=story in ONE_LEADER)
    false = list(counterfactual.false_reads())
    if story in HEALING:
        false = [one for one in false
                 if not one.change.subject.startswith(("request-", "parked-"))]
    return false, list(counterfactual.forgotten())


@told_by_name(ONE_LEADER + SEVERAL_LEADERS)
def test_true_without_the_event_of_a_named_read_the_value_is_another(story):
    assert findings(story)[0] == []


@told_by_name(ONE_LEADER + SEVERAL_LEADERS)
def test_complete_a_message_whose_loss_changes_the_value_is_behind_it(story):
    assert findings(story)[1] == []


def test_the_stories_ask_something_of_every_kind_of_subject():
    asked = {(change[1].rstrip("0123456789.@#-"), change[2].partition(".")[0])
             for story in ONE_LEADER for change in story().trace.changes}
    assert {("orders", "high_watermark"), ("orders", "log_end_offset"),
            ("orders", "remote_log_end_offset"), ("parked-producer", "state"),
            ("parked-broker-2-fetcher", "state"), ("producer", "offset"), ("producer", "error"),
            ("producer", "accumulator"), ("producer", "leader"), ("producer", "batch_state"),
            ("producer", "available_bytes"), ("producer", "in_flight"), ("producer", "sticky"),
            ("producer", "producer_id"), ("producer", "next_sequence"),
            ("broker", "next_producer_id"), ("consumer", "position"),
            ("consumer", "records"), ("request-consumer", "asked"),
            ("request-producer", "answer"), ("request-producer", "station"),
            ("broker", "state")} <= asked


def _altered(change_reads):
    """Partition's rule with other reads than it should name."""
    rule = Partition.maybe_increment_leader_high_watermark

    def mutant(self, now_ms):
        return [change._replace(reads=change_reads(self, change)) for change in rule(self, now_ms)]

    return mutant


def test_a_forgotten_read_is_caught(monkeypatch):
    monkeypatch.setattr(Partition, "maybe_increment_leader_high_watermark",
                        _altered(lambda self, change: change.reads[:-1]))
    found = list(Counterfactual(produce_and_poll()).forgotten())
    assert any(finding.change.attribute == "high_watermark"
               and finding.about[5].startswith("request-broker-3-fetcher-0") for finding in found)


def test_a_false_read_is_caught(monkeypatch):
    monkeypatch.setattr(Partition, "maybe_increment_leader_high_watermark",
                        _altered(lambda self, change: (*change.reads,
                                                       (self.subject, "log_end_offset"))))
    found = list(Counterfactual(acks_1_in_a_pipeline()).false_reads())
    assert any(finding.change.attribute == "high_watermark"
               and finding.about.attribute == "log_end_offset" for finding in found)


def test_a_fetcher_that_forgets_what_it_answers_to_is_caught(monkeypatch):
    ask = ReplicaFetcher.ask

    def mutant(self, now_ms):
        effects = ask(self, now_ms)
        return [one._replace(reads=()) for one in effects[:1]] + effects[1:]

    monkeypatch.setattr(ReplicaFetcher, "ask", mutant)
    assert list(Counterfactual(produce_and_poll()).forgotten())


def silent_change(seed):
    schedule = Schedule(seed)
    run = schedule.cluster.machine
    run.world.after_event.append(NoSilentChange(run).after_event)
    try:
        schedule.run()
    except InvariantViolated as violated:
        return str(violated)
    return None


def test_no_silent_change_in_a_hundred_schedules():
    assert search(silent_change, range(100), joblib_map(2)) == []


def test_a_silent_change_is_caught(monkeypatch):
    update = Partition.update_follower_fetch_state
    monkeypatch.setattr(Partition, "update_follower_fetch_state",
                        lambda *args: update(*args)[1:])
    assert "orders-" in silent_change(2)


# -- the answer ---------------------------------------------------------------------------------
def test_a_needed_value_links_to_the_change_that_first_met_it():
    made = acks_1_in_a_pipeline()
    trace = made.trace
    marks = [trace.change(at) for at in trace.of("orders-0@1", "high_watermark")]
    late = next(mark for mark in marks if mark.new < trace.change(
        trace.latest("orders-0@1", "log_end_offset", mark.event)).new)
    index = trace.latest("orders-0@1", "high_watermark", late.event)
    ends = [trace.change(at) for at in trace.links(index)
            if trace.change(at).attribute == "log_end_offset"]
    assert [(end.old, end.new) for end in ends] == [(late.new - 1, late.new)]


def test_the_chain_follows_what_was_met_last():
    made = a_slow_follower()
    why = made.why("orders-0@1")
    assert [change.attribute for change in why.chain][:2] == \
        ["high_watermark", "remote_log_end_offset.3"]
    assert {change.attribute for change in why.also_read[0]} == \
        {"log_end_offset", "remote_log_end_offset.2"}
    assert all(later.event >= earlier.event
               for later, earlier in zip(why.chain, why.chain[1:]))


@told_by_name(ONE_LEADER + SEVERAL_LEADERS)
def test_every_chain_ends_at_a_command_a_timer_or_a_config(story):
    trace = story().trace
    ends = {trace.event(trace.change(chain_of(trace, index)[-1]).event).kind
            for index in range(len(trace.changes))}
    assert ends <= {"command", "tick", "disconnected"}


def test_at_most_four_links_are_visible_and_arrows_do_not_count():
    made = produce_and_poll()
    why = made.why("orders-0@3")
    shown = why._chain.visible()
    assert [change.attribute in ARROWS for change in shown].count(False) == VISIBLE_LINKS
    assert len(shown) > VISIBLE_LINKS and len(why.chain) > len(shown)
    assert shown == why.chain[:len(shown)]
    lines = str(why).splitlines()
    assert lines[0] == "Why is the high watermark 1 (orders-0 on broker 3)?"
    assert len([line for line in lines if line.startswith(("  <-", "  ~>"))]) == len(shown)
    assert f"... and {len(why.chain) - len(shown)} more, back to: " in lines[-1]


def test_a_value_that_never_changed_says_so():
    why = cluster().why("orders-0@2", "isr")
    assert why.chain == () and why.event == 0 and why.ended_by == "the beginning of the run"
    assert "It has not changed since the run began." in str(why)


def test_each_change_of_a_chain_can_be_forked_at():
    made = a_slow_follower()
    for change in made.why("orders-0@1").chain:
        _, changed = made.fork(at=change)
        assert changed.event == change.event
        assert changed.trace.changes == [one for one in made.trace.changes
                                         if one[0] <= change.event]


# -- what a value waits for ---------------------------------------------------------------------
def test_a_high_watermark_waits_for_the_follower_that_lags():
    made = cluster()
    made.run(ms=20)
    made.slow(3, fetch_ms=400)
    made.producer(acks="all", linger_ms=0).send("orders", "x")
    made.run(ms=100)
    assert made.why("orders-0@1").waits == ("broker 3 to fetch at 1 (last fetched at 0)",)
    assert "  waiting for broker 3 to fetch at 1 (last fetched at 0)" in str(made.why("orders-0@1"))
    assert made.why("producer-1#1").waits == \
        ("the answer to request 3 of producer-1, at most until 120021 ms",)
    assert made.why("parked-producer-1.3").waits == (
        "high watermark of orders-0 on broker 1 to reach 1 (0 now), at most until 30021 ms",)


def test_a_high_watermark_waits_for_a_follower_that_never_fetched():
    made = Cluster(seed=3, jitter_ms=0)
    made.cut(3, 1)
    made.create_topic("orders", replica_assignment=in_turn())
    made.producer(linger_ms=0).send("orders", "x")
    made.run(ms=20)
    assert made.why("orders-0@1").waits == ("broker 3 to fetch at 1 (never fetched)",)


def test_a_high_watermark_waits_for_more_members_of_the_isr():
    made = one_is_missing()
    assert made.why("orders-0@1").waits == ("the ISR to have 3 members (it has 2)",)


def test_a_record_waits_for_metadata_then_for_its_batch():
    made = cluster()
    producer = made.producer(linger_ms=50)
    receipt = producer.send("orders", "x")
    assert made.why(receipt).waits == ("metadata about its topic, at most until 60000 ms",)
    made.run(ms=10)
    assert made.why(receipt).waits == ("its batch to be sent, at most until 51 ms",)


def test_a_record_waits_for_memory_and_the_batch_before_it_says_why_it_went():
    made = cluster(partitions=2)
    producer = made.producer(linger_ms=50, batch_size=100, buffer_memory=100)
    producer.send("orders", "x", partition=0)
    made.run(ms=4)
    receipt = producer.send("orders", "y", partition=1)
    assert made.why(receipt).waits == (
        "free bytes of buffer.memory of producer-1 to reach 100 (0 now), at most until 60004 ms",)
    went = made.why(producer, "batch_state.orders-0/1")
    assert (went.value, went.rule) == (
        "in flight", "everything goes while somebody waits for buffer.memory")
    receipt.get()
    placed = made.why(receipt, "partition")
    assert placed.chain[1].attribute == "available_bytes"
    assert "free bytes of buffer.memory 0 to 100" in str(placed)


REASONS = {
    "full": ({"batch_size": 120}, lambda s: [s.send("x" * 50, 0) for _ in range(2)],
             "a batch goes when it has batch.size bytes or a record did not fit"),
    "linger": ({}, lambda s: (s.send("x", 0), s.made.run(ms=20)),
               "a batch goes linger.ms after it was created"),
    "flush": ({}, lambda s: (s.send("x", 0), s.made.client_call("flush", {"producer": s.name})),
              "flush() lets everything go")}


class Sending:
    """A producer that lingers 20 ms, and three partitions of one broker."""

    def __init__(self, configs):
        self.made = cluster(partitions=3, replication_factor=1, brokers=1)
        self.producer = self.made.producer(linger_ms=20, acks="1", **configs)
        self.name = self.producer.name
        self.send("first", 1).get()

    def send(self, value, partition):
        return self.producer.send("orders", value, partition=partition)


@pytest.mark.parametrize("reason", REASONS)
def test_a_batch_says_why_it_was_sent(reason):
    configs, act, rule = REASONS[reason]
    sending = Sending(configs)
    act(sending)
    sent = sending.made.why(sending.producer, "batch_state.orders-0/1")
    assert (sent.value, sent.rule) == ("in flight", rule)


def test_a_batch_that_still_lingers_goes_with_one_that_does_not():
    sending = Sending({})
    sending.send("x", 0)
    sending.made.run(ms=10)
    sending.send("y", 2)
    sending.made.run(ms=10)
    rules = [sending.made.why(sending.producer, f"batch_state.orders-{number}/1").rule
             for number in (0, 2)]
    assert rules == ["a batch goes linger.ms after it was created",
                     "a batch goes with another one for the same broker"]


def test_a_batch_that_goes_back_says_which_error_it_was():
    made = one_is_missing()
    producer = made.producer(linger_ms=0)
    producer.send("orders", "x")
    made.run(ms=10)
    back = made.why(producer, "batch_state.orders-0/1")
    assert (back.value, back.rule) == (
        "back-off", "NOT_ENOUGH_REPLICAS: the batch goes back, and again after a back-off")
    assert back.chain[1].attribute == "answer"


def test_a_poll_waits_for_a_record_of_any_of_its_partitions():
    made = cluster(partitions=2)
    consumer = reader(made, "orders-0", "orders-1")
    made.client_call("poll", {"consumer": consumer.name, "timeout_ms": 90})
    assert made.why("consumer-1#1").waits == ("a record of orders-0, at most until 90 ms",
                                              "a record of orders-1, at most until 90 ms")


def test_a_poll_that_is_empty_waits_for_the_fetch_that_its_broker_holds():
    made = cluster()
    consumer = reader(made, fetch_max_wait_ms=300)
    made.run(ms=10)
    made.client_call("poll", {"consumer": consumer.name, "timeout_ms": 90})
    assert made.why("consumer-1#1").waits == (
        "a record of orders-0 in the answer to request 3 of consumer-1 (DelayedFetch, until 302 "
        "ms), at most until 100 ms",)
    assert made.why("parked-consumer-1.3").waits == (
        "high watermark of orders-0 on broker 1 to reach 1 (0 now), at most until 302 ms",)
    assert made.why(consumer, "fetch_position.orders-0").waits == (
        "the answer to request 3 of consumer-1, at most until 30002 ms",)


def test_a_poll_waits_for_nothing_of_what_is_paused():
    made = cluster(partitions=2)
    consumer = reader(made, "orders-0", "orders-1")
    made.run(ms=10)
    consumer.pause("orders-0")
    made.client_call("poll", {"consumer": consumer.name, "timeout_ms": 90})
    [wait] = made.why("consumer-1#1").waits
    assert wait.startswith("a record of orders-1")


# -- asking wrongly -----------------------------------------------------------------------------
@pytest.mark.parametrize("subject, attribute, words", [
    ("orders-0@1", "highwatermark", ("no attribute 'highwatermark'", "high_watermark")),
    ("orders-0@1", "waits", ("no attribute 'waits'", "log_end_offset")),
    ("orders-0@1", "remote_log_end_offset.9",
     ("remote_log_end_offset.2", "remote_log_end_offset.3")),
    ("orders-0@2", "remote_log_end_offset.1", ("nothing yet",)),
    ("orders-0@4", "high_watermark", ("nothing called 'orders-0@4'", "orders-0@1")),
    ("order-0@1", "high_watermark", ("nothing called 'order-0@1'", "orders-0@1")),
    ("producer-1#3", "state", ("nothing called 'producer-1#3'", "producer-1#1")),
])
def test_an_unknown_question_names_what_exists(subject, attribute, words):
    made = a_killed_follower()
    before = made.trace.digest()
    with pytest.raises(IllegalStateException) as refused:
        made.why(subject, attribute)
    assert [word for word in words if word not in str(refused.value)] == []
    assert made.trace.digest() == before


def test_subjects_that_are_no_names_are_refused_too():
    made = cluster()
    for subject in ("orders-0@x", "producer-1#x", "@1", "", "nobody"):
        with pytest.raises(IllegalStateException, match="nothing called"):
            made.why(subject)
