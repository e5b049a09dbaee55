"""Contract 1: the journal, waits and their replay, whoever has the floor, and broken runs."""

import pytest

from kafka_internals.cluster.cluster import BrokenRunException, Cluster
from kafka_internals.cluster.invariants import put_on_trial
from kafka_internals.course import canonical
from kafka_internals.errors import IllegalStateException, TimeoutException
from kafka_internals.server.partition import Partition
from kafka_internals.sim.invariants import InvariantViolated
from kafka_internals.sim.trace import first_difference
from tests.cluster.stories import in_turn


def shop(seed=7):
    cluster = Cluster(3, seed)
    cluster.create_topic("orders", configs={"min.insync.replicas": 2},
                         replica_assignment=in_turn())
    producer = cluster.producer(acks="all", linger_ms=2)
    consumer = cluster.consumer(auto_offset_reset="earliest")
    consumer.assign("orders-0")
    return cluster, producer, consumer


def same(a, b):
    return first_difference(a.trace, b.trace) is None and a.trace.digest() == b.trace.digest()


# -- the journal --------------------------------------------------------------------------------
def test_the_journal_says_after_which_event_and_when_in_plain_data():
    cluster, producer, _ = shop()
    receipt = producer.send("orders", "paid", key="ada", headers=[("n", b"1")])
    receipt.get()
    cluster.partition({1}, {2, 3})
    entries = cluster.journal.entries
    assert [entry.command for entry in entries] == [
        "create_topic", "producer", "consumer", "assign", "send", "partition"]
    assert dict(entries[4].args) == {
        "producer": "producer-1", "topic": "orders", "key": b"ada", "value": b"paid",
        "headers": (("n", b"1"),), "partition": None, "timestamp": None}
    assert dict(entries[5].args) == {"side": ("broker-1",),
                                     "other_side": ("broker-2", "broker-3")}
    assert eval(repr(tuple(entries)), {"Entry": type(entries[0])}) == entries
    assert [cluster.trace.event(entry.event).kind for entry in entries] == ["command"] * 6
    assert entries[5].now_us == cluster.trace.event(entries[5].event).t_us > 0


def test_waits_are_not_in_the_journal_but_its_position_is():
    cluster, producer, consumer = shop()
    producer.send("orders", "paid").get()
    before = cluster.journal
    cluster.run(ms=3)
    cluster.run_until(lambda: cluster.now_ms > 30)
    after = cluster.journal
    assert after.entries == before.entries
    assert (after.event, after.now_us) == (cluster.event, round(cluster.now_ms * 1000))
    assert after.event > before.event


def test_sending_takes_no_time():
    cluster, producer, _ = shop()
    cluster.run(ms=1.5)
    receipts = [producer.send("orders", str(n)) for n in range(10)]
    assert cluster.now_ms == 1.5 and not any(receipt.done() for receipt in receipts)
    assert [receipt.get().offset for receipt in receipts] == list(range(10))


def test_the_same_commands_make_the_same_run_and_another_seed_another():
    def told(seed):
        cluster, producer, consumer = shop(seed)
        producer.send("orders", "paid").get()
        consumer.poll(100)
        return cluster

    assert same(told(7), told(7))
    assert first_difference(told(7).trace, told(8).trace) is not None


def test_a_run_to_a_time_is_made_of_runs_to_times_between():
    def told(*steps):
        cluster, producer, _ = shop()
        producer.send("orders", "paid")
        for ms in steps:
            cluster.run(ms=ms)
        return cluster

    assert same(told(12), told(5, 0, 0.5, 6.5))


# -- waits --------------------------------------------------------------------------------------
def test_a_wait_replays_without_calling_what_was_waited_for():
    cluster, producer, consumer = shop()
    receipt, asked = producer.send("orders", "paid"), []

    def predicate():
        asked.append(cluster.event)
        return receipt.done()

    cluster.run_until(predicate)
    consumer.poll(100)
    calls = len(asked)
    twin = cluster.again()
    assert same(cluster, twin) and len(asked) == calls > 2
    assert (twin.now_ms, twin.event) == (cluster.now_ms, cluster.event)


def test_a_wait_ends_at_its_limit_and_says_what_for():
    cluster, _, _ = shop()
    with pytest.raises(TimeoutException, match="250 ms .*never is still not true"):
        def never():
            return False
        cluster.run_until(never, limit_ms=250)
    assert cluster.now_ms == 250
    cluster.run_until(lambda: True, limit_ms=0)
    assert cluster.now_ms == 250 and same(cluster, cluster.again())


@pytest.mark.parametrize("at", [1, 5, 17])
def test_a_wait_that_is_interrupted_replays_exactly(at):
    cluster, producer, consumer = shop()
    producer.send("orders", "paid")
    asked = []

    def impatient():
        asked.append(1)
        if len(asked) == at:
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        cluster.run_until(impatient)
    assert same(cluster, cluster.again())
    records = consumer.poll(100)
    assert [record.value for record in records] == ["paid"] and same(cluster, cluster.again())


@pytest.mark.parametrize("act", [
    lambda cluster, producer: cluster.run(ms=20),
    lambda cluster, producer: producer.send("orders", "paid").get(),
    lambda cluster, producer: cluster.run_until(lambda: False),
])
def test_an_interrupt_within_an_event_goes_back_to_the_one_before(act, monkeypatch):
    cluster, producer, _ = shop()
    cluster.run(ms=1)
    append, armed = Partition.update_follower_fetch_state, [True]

    def interrupted(self, *args):
        if armed:
            armed.pop()
            raise KeyboardInterrupt
        return append(self, *args)

    monkeypatch.setattr(Partition, "update_follower_fetch_state", interrupted)
    other, other_producer, _ = shop()
    with pytest.raises(KeyboardInterrupt):
        act(other, other_producer)
    monkeypatch.undo()
    assert same(other, other.again())
    other.run(ms=100)
    assert same(other, other.again()) and other.log("orders-0", 1) == other.log("orders-0", 3)


def test_a_flush_waits_for_all_and_replays():
    cluster, producer, _ = shop()
    receipts = [producer.send("orders", str(n)) for n in range(3)]
    producer.flush()
    assert all(receipt.done() for receipt in receipts)
    began = cluster.now_ms
    later = producer.send("orders", "lingers again").get()
    assert later.offset == 3 and cluster.now_ms - began >= 2 and same(cluster, cluster.again())


# -- the floor ----------------------------------------------------------------------------------
COMMANDS = {
    "send()": lambda cluster, producer, consumer: producer.send("orders", "x"),
    "flush()": lambda cluster, producer, consumer: producer.flush(),
    "poll()": lambda cluster, producer, consumer: consumer.poll(10),
    "assign()": lambda cluster, producer, consumer: consumer.assign("orders-0"),
    "seek()": lambda cluster, producer, consumer: consumer.seek("orders-0", 0),
    "kill()": lambda cluster, producer, consumer: cluster.kill(1),
    "create_topic()": lambda cluster, producer, consumer: cluster.create_topic("more"),
    "producer()": lambda cluster, producer, consumer: cluster.producer(),
    "run()": lambda cluster, producer, consumer: cluster.run(ms=1),
    "run_until()": lambda cluster, producer, consumer: cluster.run_until(lambda: True),
    "fork()": lambda cluster, producer, consumer: cluster.fork(at=1),
    "run_app()": lambda cluster, producer, consumer: cluster.run_app(idle, consumer),
}


def idle(consumer):
    yield consumer.poll(5)


def refused_inside(cluster, what, act, let_it_run):
    """What `act` got, called when `let_it_run` gives it the floor, and that nothing changed."""
    got = []

    def inside(*_):
        if not got:
            entries = cluster.journal.entries
            with pytest.raises(IllegalStateException) as refused:
                act()
            got.append(str(refused.value))
            assert cluster.journal.entries == entries
        return True

    let_it_run(inside)
    assert what in got[0]
    return got[0]


@pytest.mark.parametrize("what", COMMANDS)
def test_a_predicate_may_look_but_not_command(what):
    cluster, producer, consumer = shop()
    said = refused_inside(cluster, what, lambda: COMMANDS[what](cluster, producer, consumer),
                          cluster.run_until)
    assert "a predicate of run_until() has the floor" in said
    producer.send("orders", "x").get()


@pytest.mark.parametrize("what", COMMANDS)
def test_a_judge_may_look_but_not_command(what):
    cluster, producer, consumer = shop()

    def let_it_run(inside):
        cluster.machine.world.after_event.append(inside)
        cluster.run(ms=2)

    said = refused_inside(cluster, what, lambda: COMMANDS[what](cluster, producer, consumer),
                          let_it_run)
    assert "from within an event (by a judge or a view)" in said
    producer.send("orders", "x").get()


@pytest.mark.parametrize("what", COMMANDS)
def test_a_view_may_look_but_not_command(what):
    cluster, producer, consumer = shop()

    class View:
        def __init__(self, inside):
            self.inside = inside

        def film(self, cluster):
            self.inside()

    said = refused_inside(cluster, what, lambda: COMMANDS[what](cluster, producer, consumer),
                          lambda inside: cluster.film(View(inside)))
    assert "a view has the floor" in said
    producer.send("orders", "x").get()


def test_looking_is_always_allowed():
    cluster, producer, _ = shop()
    receipt, seen = producer.send("orders", "x"), []

    def look():
        seen.append((cluster.look("orders-0@1").high_watermark, cluster.why("orders-0@1").value,
                     receipt.done(), cluster.now_ms, len(cluster.log("orders-0", 1))))
        return receipt.done()

    cluster.run_until(look)
    assert seen[-1][:3] == (1, 1, True) and seen[-1][4] == 1


def test_a_predicate_that_raises_gives_the_floor_back():
    cluster, producer, _ = shop()
    with pytest.raises(ZeroDivisionError):
        cluster.run_until(lambda: 1 / 0)
    assert producer.send("orders", "x").get().offset == 0


# -- broken runs --------------------------------------------------------------------------------
def broken(monkeypatch):
    cluster, producer, consumer = shop()
    producer.send("orders", "first").get()

    def fails(self, *args):
        raise ZeroDivisionError("the core divides by zero")

    with monkeypatch.context() as patched:
        patched.setattr(Partition, "append_records_to_leader", fails)
        receipt = producer.send("orders", "second")
        with pytest.raises(BrokenRunException) as refused:
            receipt.get()
    return cluster, producer, consumer, str(refused.value)


def test_a_core_that_raises_breaks_the_run_at_its_event(monkeypatch):
    cluster, producer, consumer, said = broken(monkeypatch)
    event = cluster.event
    assert f"failed at event {event} (ZeroDivisionError: the core divides by zero)" in said
    assert f"cluster.fork(at={event - 1})" in said
    for what, act in COMMANDS.items():
        if what != "fork()":
            with pytest.raises(BrokenRunException) as refused:
                act(cluster, producer, consumer)
            assert str(refused.value) == said and isinstance(refused.value.__cause__,
                                                             ZeroDivisionError)


def test_the_run_before_it_broke_can_be_had_by_a_fork(monkeypatch):
    cluster, producer, _, _ = broken(monkeypatch)
    event = cluster.event - 1
    _, changed = cluster.fork(at=event)
    assert changed.event == event
    monkeypatch.undo()                        # the engine is mended
    changed.run(ms=50)
    assert [record.value for record in changed.log("orders-0", 2)] == ["first", "second"]
    assert changed[producer].send("orders", "third").get().offset == 2


def test_a_violated_invariant_is_told_by_name_and_the_run_can_be_looked_at():
    cluster = Cluster(3, 1, unsafe={"high_watermark": "leader"})
    put_on_trial(cluster.machine)
    cluster.create_topic("orders", replica_assignment={0: [1, 2, 3]})
    cluster.slow(3, fetch_ms=100)
    receipt = cluster.producer().send("orders", "x")
    with pytest.raises(InvariantViolated) as violated:
        receipt.get()
    assert violated.value.invariant == "WeakIsr"
    assert violated.value.event == cluster.event
    assert cluster.look("orders-0@1").high_watermark == 1


# -- the canonical clusters ---------------------------------------------------------------------
def test_the_canonical_clusters():
    cluster = canonical.healthy()
    assert cluster.partitions_of("orders") == 3
    leaders = [cluster.look(f"orders-{n}@{n + 1}").role for n in range(3)]
    assert leaders == ["leader"] * 3 and cluster.look("orders-0@1").min_isr == 2
    slow = canonical.slow_follower(fetch_ms=250)
    slow.producer(linger_ms=0).send("orders", "x", partition=0).get()
    assert slow.now_ms > 250
    lost = canonical.lost_leader()
    kept = [lost.look(f"orders-0@{broker}") for broker in (2, 3)]
    assert [(one.leader, one.log_end_offset, one.high_watermark) for one in kept] == [(1, 3, 0)] * 2
    assert all(record.state == "acknowledged" for record in lost.calls_of("shop"))
    assert lost.look("broker-1").state == "crashed"


def test_a_cluster_without_a_topic_answers_that_there_is_none():
    cluster = Cluster()
    receipt = cluster.producer(max_block_ms=300).send("nowhere", "x")
    with pytest.raises(TimeoutException, match="Topic nowhere not present in metadata"):
        receipt.get()


def test_the_way_back_to_the_start_of_the_story():
    cluster, producer, _ = shop()
    assert cluster.began == cluster.trace.upto(-1)
    producer.send("orders", "x")
    assert cluster.began == cluster.journal.entries[-1].follows_event > 4
    assert cluster.trace.event(cluster.began).t_us <= 0 == cluster.now_ms
