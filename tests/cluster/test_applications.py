"""Applications: generator functions that run inside the world and stay the same in a fork."""

import pytest

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.errors import IllegalStateException, OffsetOutOfRangeException
from kafka_internals.sim.trace import first_difference


def shop(**options):
    cluster = Cluster(3, seed=7, **options)
    orders = cluster.create_topic("orders", 1, 3, {"min.insync.replicas": 2})
    producer = cluster.producer(acks="all", linger_ms=0)
    consumer = cluster.consumer(auto_offset_reset="earliest")
    consumer.assign("orders-0")
    return cluster, orders, producer, consumer


def copying(producer, consumer, until=3):
    """Read, write what was read in capitals, and wait for the answer."""
    seen = 0
    while seen < until:
        records = yield consumer.poll(100)
        for record in records:
            seen += 1
            metadata = yield producer.send("receipts", record.value.upper()).get()
            assert metadata.topic == "receipts"


def started(application, *more_topics):
    cluster, orders, producer, consumer = shop()
    cluster.create_topic("receipts", 1, 3)
    return cluster, producer, consumer, cluster.run_app(application, producer, consumer)


def test_an_application_runs_while_the_cluster_runs_and_ends():
    cluster, producer, consumer, app = started(copying)
    other = cluster.producer(linger_ms=0)
    assert not app.done() and app.name == "copying"
    for value in ("a", "b", "c"):
        other.send("orders", value)
        cluster.run(ms=7)
    cluster.run_until(app.done)
    assert [record.value for record in cluster.log("receipts-0", 1)] == ["A", "B", "C"]
    assert app.done() and first_difference(cluster.trace, cluster.again().trace) is None


def test_an_application_has_a_twin_that_lives_on_in_each_future():
    cluster, producer, consumer, app = started(copying)
    other = cluster.producer(linger_ms=0)
    other.send("orders", "a")
    cluster.run(ms=20)
    at = cluster.event
    other.send("orders", "b")
    cluster.run(ms=20)
    kept, changed = cluster.fork(at=at)
    assert kept.trace.digest() == cluster.trace.digest()
    assert not changed[app].done()
    for value in ("x", "y"):
        changed[other].send("orders", value)
        changed.run(ms=20)
    assert changed[app].done() and not app.done() and not kept[app].done()
    assert [record.value for record in changed.log("receipts-0", 2)] == ["A", "X", "Y"]
    assert [record.value for record in kept.log("receipts-0", 2)] == ["A", "B"]


def test_no_command_of_an_application_is_in_the_journal():
    cluster, producer, consumer, app = started(copying)
    cluster.producer(linger_ms=0).send("orders", "a")
    cluster.run(ms=30)
    assert [entry.command for entry in cluster.journal.entries][-3:] == \
        ["run_app", "producer", "send"]
    assert dict(cluster.journal.entries[-3].args) == {"app": "copying",
                                                      "handles": ("producer-1", "consumer-1")}


def test_the_same_function_twice_is_two_applications():
    def once(producer):
        yield producer.send("orders", "x").get()

    cluster, _, producer, _ = shop()
    other = cluster.producer()
    one, two = cluster.run_app(once, producer), cluster.run_app(once, other)
    cluster.run(ms=50)
    assert (one.name, two.name, one.done(), two.done()) == ("once", "once-2", True, True)
    twin = cluster.again()
    assert twin[two].done() and first_difference(cluster.trace, twin.trace) is None


def test_a_topic_may_be_an_argument_and_a_flush_may_be_waited_for():
    def batch(producer, orders):
        receipts = [producer.send(orders, str(number)) for number in range(3)]
        yield producer.flush()
        assert all(receipt.done() for receipt in receipts)
        assert orders[0].topic == "orders"

    cluster, orders, producer, _ = shop()
    app = cluster.run_app(batch, producer, orders)
    cluster.run_until(app.done)
    assert len(cluster.log("orders-0", 1)) == 3


def test_a_failed_call_is_thrown_in_where_it_was_yielded():
    def careful(consumer):
        consumer.seek("orders-0", 50)
        try:
            yield consumer.poll(200)
        except OffsetOutOfRangeException:
            caught.append(1)
            consumer.seek_to_beginning("orders-0")
        records = yield consumer.poll(200)
        caught.append([record.value for record in records])

    caught = []
    cluster, _, producer, _ = shop()
    producer.send("orders", "a").get()
    consumer = cluster.consumer(auto_offset_reset="none")
    consumer.assign("orders-0")
    cluster.run_until(cluster.run_app(careful, consumer).done)
    assert caught == [1, ["a"]]


def test_an_application_that_raises_has_ended_and_the_waiting_call_raises_its_error():
    def failing(consumer):
        records = yield consumer.poll(500)
        raise KeyError(f"no customer for {records[0].value}")

    cluster, _, producer, consumer = shop()
    app = cluster.run_app(failing, consumer)
    receipt = producer.send("orders", "paid")
    with pytest.raises(KeyError, match="no customer for paid"):
        cluster.run(ms=100)
    assert app.done() and cluster.now_ms < 100
    assert receipt.get().offset == 0 and producer.send("orders", "sent").get().offset == 1
    twin = cluster.again()
    assert twin[app].done() and first_difference(cluster.trace, twin.trace) is None
    twin.run(ms=10)                                   # what was told once is not told again


def test_an_error_before_the_first_yield_comes_from_run_app_itself():
    def failing(consumer):
        raise KeyError("at once")
        yield

    cluster, _, producer, consumer = shop()
    with pytest.raises(KeyError, match="at once"):
        cluster.run_app(failing, consumer)
    assert producer.send("orders", "x").get().offset == 0


FORGOTTEN = {
    "for record in consumer.poll(100)": lambda consumer: list(consumer.poll(100)),
    "len": lambda consumer: len(consumer.poll(100)),
    "index": lambda consumer: consumer.poll(100)[0],
    "if": lambda consumer: bool(consumer.poll(100)),
}


@pytest.mark.parametrize("how", FORGOTTEN)
def test_a_forgotten_yield_says_so(how):
    def forgetful(consumer):
        yield consumer.poll(10)
        FORGOTTEN[how](consumer)

    cluster, _, _, consumer = shop()
    with pytest.raises(IllegalStateException, match="write `records = yield consumer.poll"):
        cluster.run_app(forgetful, consumer)
        cluster.run(ms=50)
    cluster.run(ms=50)


@pytest.mark.parametrize("yielded", [None, 5, "records"])
def test_what_is_yielded_has_to_be_a_call(yielded):
    def wrong(consumer):
        yield yielded

    cluster, _, _, consumer = shop()
    with pytest.raises(IllegalStateException, match=r"wrong yielded .*: an application yields a "
                                                    r"call, like consumer.poll\(100\)"):
        cluster.run_app(wrong, consumer)


def test_endless_calls_at_one_instant_are_stopped():
    def busy(consumer):
        while True:
            yield consumer.poll(0)

    cluster, _, producer, consumer = shop()
    with pytest.raises(IllegalStateException, match="busy made 10000 calls while no time passed"):
        cluster.run_app(busy, consumer)
    assert producer.send("orders", "x").get().offset == 0


# -- handles from outside -----------------------------------------------------------------------
OUTSIDE = {}
module_producer = None


def from_a_global(consumer):
    yield module_producer.send("orders", "x").get()


def test_a_handle_from_a_closure_or_a_global_is_refused_with_the_fix(monkeypatch):
    cluster, orders, producer, consumer = shop()

    def from_a_closure(consumer):
        yield producer.send("orders", "x").get()

    def the_cluster_itself(consumer):
        yield consumer.poll(10)
        cluster.kill(1)

    monkeypatch.setitem(globals(), "module_producer", producer)
    before = cluster.trace.digest()
    for application, variable in ((from_a_closure, "producer"), (the_cluster_itself, "cluster"),
                                  (from_a_global, "module_producer")):
        name = application.__name__
        with pytest.raises(IllegalStateException) as refused:
            cluster.run_app(application, consumer)
        assert f"{name} uses {variable} from outside" in str(refused.value)
        assert f"def {name}(..., {variable}) and run_app({name}, ..., {variable})" \
            in str(refused.value)
    assert cluster.trace.digest() == before


def test_a_handle_out_of_a_container_is_refused_when_it_is_used():
    def sly(consumer):
        yield consumer.poll(10)
        OUTSIDE["producer"].send("orders", "x")

    cluster, _, producer, consumer = shop()
    OUTSIDE["producer"] = producer
    cluster.run_app(sly, consumer)
    with pytest.raises(IllegalStateException, match="sly called send.. on producer-1, which is "
                                                    "not one of its arguments"):
        cluster.run(ms=50)
    assert cluster.log("orders-0", 1) == []


@pytest.mark.parametrize("what", ["kill", "run", "fork"])
def test_an_application_may_not_command_or_wait(what):
    def powerful(consumer):
        yield consumer.poll(10)
        found = OUTSIDE["cluster"]
        {"kill": lambda: found.kill(1), "run": lambda: found.run(ms=1),
         "fork": lambda: found.fork(at=1)}[what]()

    cluster, _, _, consumer = shop()
    OUTSIDE["cluster"] = cluster
    cluster.run_app(powerful, consumer)
    with pytest.raises(IllegalStateException,
                       match=f"{what}.. was called while the application powerful has the floor"):
        cluster.run(ms=50)
    assert cluster.look("broker-1").state == "running"


def test_two_applications_take_turns_on_one_clock():
    def ping(producer, consumer, until):
        for number in range(3):
            yield producer.send("orders", f"{producer.name} {number}").get()
            records = yield consumer.poll(200)
            heard.append((producer.name, [record.value for record in records]))

    def one(producer, consumer):
        yield from ping(producer, consumer, 3)

    heard = []
    cluster, _, producer, consumer = shop()
    other, reader = cluster.producer(acks="all", linger_ms=0), \
        cluster.consumer(auto_offset_reset="earliest")
    reader.assign("orders-0")
    first, second = cluster.run_app(one, producer, consumer), cluster.run_app(one, other, reader)
    cluster.run_until(lambda: first.done() and second.done())
    told = list(heard)
    heard.clear()
    twin = cluster.again()
    assert twin.trace.digest() == cluster.trace.digest() and heard == told
    assert {name for name, _ in told} == {"producer-1", "producer-2"}
