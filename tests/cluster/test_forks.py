"""Forks: the same run twice, one with its old tail and one that stands where it was forked."""

import pytest

from kafka_internals.cluster.cluster import BrokenRunException, Cluster
from kafka_internals.cluster.run import Run
from kafka_internals.errors import IllegalStateException
from kafka_internals.server.partition import Partition
from kafka_internals.sim.trace import first_difference


def story():
    """Three records, the second while broker 3 is down; what was made on the way."""
    cluster = Cluster(3, seed=7)
    orders = cluster.create_topic("orders", configs={"min.insync.replicas": 2},
                                  replica_assignment={0: [1, 2, 3]})
    producer = cluster.producer(acks="all", linger_ms=0)
    consumer = cluster.consumer(auto_offset_reset="earliest")
    consumer.assign("orders-0")
    first = producer.send("orders", "first")
    first.get()
    cluster.kill(3)
    second = producer.send("orders", "second")
    cluster.run(ms=40)
    cluster.restart(3)
    consumer.poll(100)
    cluster.run(ms=5)
    return cluster, orders, producer, consumer, first, second


def event_of(cluster, command):
    return next(e.event for e in cluster.journal.entries if e.command == command)


def test_the_first_twin_keeps_the_old_tail_and_is_made_when_it_is_touched(monkeypatch):
    cluster, *_ = story()
    made, begin = [], Run.__init__
    monkeypatch.setattr(Run, "__init__",
                        lambda self, *args, **more: made.append(1) or begin(self, *args, **more))
    kept, _ = cluster.fork(at=event_of(cluster, "kill"))
    assert len(made) == 1
    assert kept.trace.digest() == cluster.trace.digest() and len(made) == 2
    assert (kept.journal, kept.now_ms) == (cluster.journal, cluster.now_ms) and len(made) == 2


@pytest.mark.parametrize("at", [0, 1, 5, 6, 17, 33, 60])
def test_the_second_stands_right_after_the_event_with_its_clock(at):
    cluster, *_ = story()
    _, changed = cluster.fork(at=at)
    assert changed.event == at
    assert changed.now_ms == (
        cluster.trace.event(at).t_us / 1000 if at else Cluster(3, seed=7).now_ms)
    assert changed.trace.events == cluster.trace.events[:at]
    assert changed.trace.changes == [one for one in cluster.trace.changes if one[0] <= at]
    assert [entry.event for entry in changed.journal.entries] == \
        [entry.event for entry in cluster.journal.entries if entry.event <= at]


def test_what_is_commanded_in_one_future_is_unknown_in_the_other():
    cluster, _, producer, *_ = story()
    before = cluster.trace.digest()
    kept, changed = cluster.fork(at=event_of(cluster, "kill") - 1)
    changed[producer].send("orders", "another").get()
    assert cluster.trace.digest() == kept.trace.digest() == before
    assert [record.value for record in changed.log("orders-0", 3)] == ["first", "another"]
    assert first_difference(kept.trace, changed.trace) == event_of(cluster, "kill")


def test_a_future_in_which_the_same_is_commanded_is_the_same():
    cluster, _, producer, consumer, *_ = story()
    _, changed = cluster.fork(at=event_of(cluster, "kill") - 1)
    changed.kill(3)
    changed[producer].send("orders", "second")
    changed.run(ms=40)
    changed.restart(3)
    changed[consumer].poll(100)
    changed.run(ms=5)
    assert first_difference(cluster.trace, changed.trace) is None


def test_handles_have_twins_by_name():
    cluster, orders, producer, consumer, first, second = story()
    kept, changed = cluster.fork(at=event_of(cluster, "restart"))
    for handle in (orders, producer, consumer, first, second):
        for twin in (kept[handle], changed[handle]):
            assert (type(twin), twin.name) == (type(handle), handle.name)
            assert twin.cluster is not cluster and handle.cluster is cluster
    assert changed[orders][0] == orders[0] and changed[first].get() == first.get()
    assert not changed[second].done() and second.done() is kept[second].done() is True
    assert changed[changed[second]].get() == second.get()
    assert repr(changed[second]) == "<Receipt producer-1#2>"


def test_names_and_identities_stay_in_a_fork():
    cluster, _, producer, *_ = story()
    _, changed = cluster.fork(at=event_of(cluster, "kill") - 1)
    assert changed[producer].send("orders", "x").name == "producer-1#2"
    changed.run(ms=10)
    mine, other = ([flight[1] for flight in one.trace.flights if flight[3] == "producer-1"]
                   for one in (cluster, changed))
    assert mine == other == ["request-producer-1.1", "request-producer-1.2",
                             "request-producer-1.3", "request-producer-1.4"]
    assert changed.producer().name == "producer-2"


def test_a_handle_that_was_made_later_has_no_twin():
    cluster, orders, producer, consumer, first, second = story()
    _, changed = cluster.fork(at=event_of(cluster, "producer"))
    assert changed[orders].name == "orders" and changed[producer].name == "producer-1"
    for handle in (consumer, first, second):
        with pytest.raises(IllegalStateException, match="does not exist in this cluster: it was "
                                                        rf"made after event {changed.event},"):
            changed[handle]


def test_a_fork_at_anything_that_has_an_event():
    cluster, *_ = story()
    why = cluster.why("orders-0@1")
    change, event = why.chain[0], cluster.trace.event(20)
    for at, expected in ((why, why.event), (change, change.event), (event, 20), (7, 7)):
        assert cluster.fork(at=at)[1].event == expected


def test_forks_of_forks():
    cluster, _, producer, *_ = story()
    _, once = cluster.fork(at=event_of(cluster, "kill"))
    once[producer].send("orders", "b")
    once.run(ms=20)
    kept, twice = once.fork(at=event_of(cluster, "kill") + 1)
    assert kept.trace.digest() == once.trace.digest()
    twice.restart(3)
    assert twice[once[producer]].send("orders", "c").name == "producer-1#3"
    twice.run(ms=50)
    assert [record.value for record in twice.log("orders-0", 1)] == ["first", "b", "c"]
    again, _ = twice.fork(at=0)
    assert again.trace.digest() == twice.trace.digest()


def test_a_film_of_one_message_lost():
    cluster, *_ = story()
    lost = next(event for event in cluster.trace.events
                if event[5] == "response-broker-2-fetcher-0.1")
    twin = cluster.again(without=frozenset({lost[0]}))
    assert twin.trace.events[:lost[0]] == cluster.trace.events[:lost[0]]
    assert first_difference(cluster.trace, twin.trace) in (lost[0], lost[0] + 1)
    assert twin.now_ms == cluster.now_ms
    assert twin.log("orders-0", 2) == [] and len(cluster.log("orders-0", 2)) == 2


def test_the_old_tail_of_a_broken_run_breaks_again_by_name(monkeypatch):
    cluster, _, producer, *_ = story()

    append = Partition.append_records_to_leader

    def fails(self, *args):
        if self.log.log_end_offset == 2:
            raise ZeroDivisionError("at the third record")
        return append(self, *args)

    with monkeypatch.context() as patched:
        patched.setattr(Partition, "append_records_to_leader", fails)
        _, changed = cluster.fork(at=cluster.event)
        with pytest.raises(BrokenRunException):
            changed[producer].send("orders", "third").get()
        kept, before = changed.fork(at=changed.event - 1)
        for _ in range(2):
            with pytest.raises(BrokenRunException, match="ZeroDivisionError: at the third record"):
                kept.run(ms=1)
        assert kept.event == changed.event == before.event + 1


def test_a_replay_that_is_interrupted_begins_anew(monkeypatch):
    cluster, *_ = story()
    kept, _ = cluster.fork(at=0)
    maybe_increment = Partition.maybe_increment_leader_high_watermark
    left = [3]

    def impatient(self, now_ms):
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        return maybe_increment(self, now_ms)

    monkeypatch.setattr(Partition, "maybe_increment_leader_high_watermark", impatient)
    with pytest.raises(KeyboardInterrupt):
        kept.event
    assert kept.trace.digest() == cluster.trace.digest()
