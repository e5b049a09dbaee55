"""The request path in a cluster: threads, queue, locks and what can be seen of them."""

from collections import Counter

import pytest

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.cluster.cost_model import CostModel
from kafka_internals.cluster.invariants import NoSilentChange
from kafka_internals.errors import IllegalStateException, NetworkException, TimeoutException
from kafka_internals.viz.replica_view import replica_view

SLOW = CostModel(handle_us=20_000)


def shop(brokers=1, partitions=1, cost=CostModel(), unsafe=None, **configs):
    cluster = Cluster(brokers, seed=5, jitter_ms=0, cost=cost, unsafe=unsafe,
                      configs={name.replace("_", "."): one for name, one in configs.items()})
    cluster.create_topic("orders", partitions, brokers)
    return cluster


def producers(cluster, count, **configs):
    """Clients that know the cluster already: their next request is a produce."""
    made = [cluster.producer(**{"acks": "1", "linger_ms": 0, **configs}) for _ in range(count)]
    for receipt in [producer.send("orders", "warm", partition=0) for producer in made]:
        receipt.get()
    cluster.run(ms=10)
    return made


def stations(cluster, client):
    """Where the requests of a client were, in order."""
    moves = [change for change in cluster.trace.changes
             if change[2] == "station" and change[1].startswith(f"request-{client}.")]
    return [(change[1].rpartition(".")[2], change[4]) for change in moves]


# -- one request ----------------------------------------------------------------------------------
def test_a_request_can_be_followed_through_the_broker():
    cluster = shop(brokers=2)
    producer = cluster.producer(acks="all", linger_ms=0)
    producer.send("orders", "x").get()
    produce = [where for number, where in stations(cluster, "producer-1") if number == "3"]
    thread = produce[0]
    assert produce == [thread, "handler 0", "purgatory", thread, "sent"]
    assert thread.startswith("processor ")


def test_while_it_is_there_its_snapshot_says_where_since_when_and_until_when():
    cluster = shop(cost=SLOW)
    producer = cluster.producer(acks="1", linger_ms=0)
    producer.send("orders", "x")
    cluster.run_until(lambda: "request-producer-1.2" in cluster.subjects())
    cluster.run_until(lambda: cluster.look("request-producer-1.2").station == "handler 0")
    one = cluster.look("request-producer-1.2")
    assert (one.kind, one.broker, one.asked) == ("Produce", 1, "produce 1 for orders-0, acks=1")
    assert one.until_us - one.since_us == 20_000 + 4 and one.answer == "orders-0 offset 0"
    path = cluster.look("requests@1")
    assert path.requests == (one,) and path.requests[0] is cluster.look(one.request)
    assert path.handlers[0][1:] == ("running", one.request, one.since_us, one.until_us)
    cluster.run(ms=30)
    with pytest.raises(IllegalStateException, match="request-producer-1.2"):
        cluster.look("request-producer-1.2")


def test_connections_go_to_network_threads_in_turn():
    cluster = shop()
    producers(cluster, 7)
    path = cluster.look("requests@1")
    assert [len(one.connections) for one in path.processors] == [3, 2, 2]
    assert (path.accepted, path.next_processor) == (7, 1)


# -- the connection -------------------------------------------------------------------------------
def test_g_d_1_a_waiting_request_holds_those_behind_it_on_its_connection():
    cluster = shop(brokers=2)
    cluster.slow(2, fetch_ms=30)
    producer = cluster.producer(acks="all", linger_ms=0)
    producer.send("orders", "a").get()
    receipts = [producer.send("orders", "b")]
    cluster.run(ms=0.1)
    receipts.append(producer.send("orders", "c"))
    cluster.run(ms=5)
    second, third = (cluster.look(f"request-producer-1.{number}") for number in (4, 5))
    assert (second.station, third.station) == ("purgatory", "socket")
    assert cluster.why("request-producer-1.5", "station").waits == (
        "the answer to request 4 of producer-1",)
    assert [receipt.get().offset for receipt in receipts] == [1, 2]


def test_g_d_2_another_connection_is_answered_meanwhile():
    cluster = shop(brokers=2)
    cluster.slow(2, fetch_ms=300)
    waits, other = (cluster.producer(acks=acks, linger_ms=0) for acks in ("all", "1"))
    slow = waits.send("orders", "a")
    cluster.run(ms=5)
    assert other.send("orders", "b").get().offset == 1
    assert not slow.done()


def test_g_d_10_acks_0_with_an_unknown_topic_closes_the_connection_without_a_byte():
    cluster = shop(brokers=2)
    producer = cluster.producer(acks="0", linger_ms=0)
    producer.send("orders", "a", partition=0).get()
    cluster.run(ms=10)
    manager = cluster.machine.brokers[1].manager
    name = next(iter(manager.partitions))
    manager.partitions.pop(name)
    manager.image = manager.image._replace(topics={})
    producer.send("orders", "b", partition=0)
    cluster.run(ms=10)
    assert stations(cluster, "producer-1")[-1][1] == "closed"
    told = [flight for flight in cluster.trace.flights if flight[2] == "response"
            and flight[1].startswith("response-producer-1.")]
    assert len(told) == 1                                   # the metadata, and nothing else
    assert any(event[4] == "disconnected" for event in cluster.trace.events)


def test_a_request_that_is_too_large_is_not_read_and_its_connection_is_closed():
    cluster = shop(socket_request_max_bytes=5_000)
    producer = cluster.producer(acks="1", linger_ms=0, delivery_timeout_ms=900,
                                request_timeout_ms=500)
    receipt = producer.send("orders", "x" * 6_000)
    with pytest.raises((NetworkException, TimeoutException)):
        receipt.get()
    assert cluster.look("orders-0@1").log_end_offset == 0
    assert "closed" in {where for _, where in stations(cluster, "producer-1")}


# -- the queue ------------------------------------------------------------------------------------
def filled(count=600):
    cluster = shop()
    made = producers(cluster, count)
    cluster.slow_handlers(1, delay_ms=200)
    receipts = [producer.send("orders", str(n)) for n, producer in enumerate(made)]
    cluster.run(ms=20)
    return cluster, receipts


def test_g_d_9_a_full_queue_blocks_network_threads_and_nothing_is_dropped_or_overtaken():
    cluster, receipts = filled()
    path = cluster.look("requests@1")
    assert len(path.queue) == path.queue_capacity == 500
    assert [one.state for one in path.processors] == ["blocked"] * 3
    assert {one.state for one in path.handlers} == {"running"}
    where = Counter(one.station.split(" ")[0] for one in path.requests)
    assert where == {"handler": 8, "request": 500, "processor": 3, "socket": 89}
    blocked = next(one for one in path.requests if one.station == "processor 0, blocked")
    assert cluster.metric(1, "RequestQueueSize") == 500 and blocked.until_us is None
    cluster.slow_handlers(1, delay_ms=0)
    assert sorted(receipt.get().offset for receipt in receipts) == list(range(600, 1200))


def test_the_queue_is_handled_in_its_order():
    cluster, _ = filled(60)
    queued = cluster.look("requests@1").queue
    cluster.slow_handlers(1, delay_ms=0)
    cluster.run(ms=500)
    taken = [change[1] for change in cluster.trace.changes
             if change[2] == "station" and change[3] == "request queue" and change[1] in queued]
    assert taken == list(queued)


def test_a_queued_request_waits_for_a_handler():
    cluster, _ = filled(30)
    queued = cluster.look("requests@1").queue[0]
    why = cluster.why(queued, "station")
    assert why.value == "request queue"
    assert why.waits == ("an idle request handler of broker 1",)
    assert "waiting for an idle request handler of broker 1" in str(why)


def test_who_has_no_room_in_the_queue_waits_for_it_and_others_for_their_network_thread():
    cluster, _ = filled()
    path = cluster.look("requests@1")
    blocked = next(one for one in path.requests if one.station.endswith("blocked"))
    unread = next(one for one in path.requests if one.station == "socket")
    assert cluster.why(blocked.request, "station").waits == (
        "room in the request queue of broker 1, which holds 500",)
    (said,) = cluster.why(unread.request, "station").waits
    assert said in {f"network thread {n} of broker 1" for n in range(3)}


def test_requests_in_a_broker_are_no_clients_in_a_picture():
    cluster = shop(brokers=2)
    cluster.producer(acks="all", linger_ms=0).send("orders", "x").get()
    film = replica_view.data(cluster, "orders-0")
    drawn = {key for frame in film["frames"]["truth"] for key in frame["set"]
             if key.startswith("client/")}
    assert drawn and all(key.startswith("client/producer-1") for key in drawn)


def test_who_waited_for_a_handler_read_who_had_it():
    cluster, _ = filled(30)
    queued = cluster.look("requests@1").queue[0]
    cluster.run_until(lambda: cluster.look(queued).station.startswith("handler"))
    change = cluster.why(queued, "station").chain[0]
    (freed,) = [read for read in change.reads if read[1] == "station"]
    left = cluster.trace.change(cluster.trace.latest(*freed, change.event))
    assert left.event == change.event and left.old.startswith("handler")


# -- the lock -------------------------------------------------------------------------------------
def test_two_appends_to_one_partition_are_one_after_the_other():
    cluster = shop(cost=CostModel(validate_us_per_kib=300))
    ada, bob = producers(cluster, 2)
    for producer in (ada, bob):
        producer.send("orders", "x" * 10_000)
    cluster.run_until(lambda: any("log lock" in one.station
                                  for one in cluster.look("requests@1").requests))
    path = cluster.look("requests@1")
    first, second = path.requests
    assert first.station == "handler 0"
    assert second.station == "handler 1, waits for log lock of orders-0"
    assert path.handlers[1].state == "waits for log lock of orders-0"
    said = f"request 3 of {second.request[8:-2]}"
    assert said != f"request 3 of {first.request[8:-2]}"
    assert cluster.why(second.request, "station").waits == (
        f"request 3 of {first.request[8:-2]} to release the log lock of orders-0",)
    before = cluster.look("orders-0@1").log_end_offset
    cluster.run_until(lambda: cluster.look(second.request).station == "handler 1")
    assert cluster.look("orders-0@1").log_end_offset == before + 1   # it appends when it has it


def test_another_partition_has_another_lock():
    cluster = shop(partitions=2, cost=CostModel(validate_us_per_kib=300))
    ada, bob = producers(cluster, 2)
    ada.send("orders", "x" * 10_000, partition=0)
    bob.send("orders", "x" * 10_000, partition=1)
    cluster.run(ms=20)
    assert not any("log lock" in where for name in ("producer-1", "producer-2")
                   for number, where in stations(cluster, name) if number == "3")


def test_the_order_in_the_log_is_the_order_in_which_the_lock_was_taken():
    cluster, receipts = filled(40)
    cluster.slow_handlers(1, delay_ms=0)
    cluster.run(ms=700)
    order = [change[1] for change in cluster.trace.changes if change[2] == "answer"
             and change[4].startswith("orders-0 offset") and change[0] > 0]
    offsets = [int(change[4].rpartition(" ")[2]) for change in cluster.trace.changes
               if change[2] == "answer" and change[4].startswith("orders-0 offset")]
    assert len(order) == 80 and offsets == sorted(offsets)


# -- nobody waits in a handler --------------------------------------------------------------------
def test_fifty_requests_that_wait_for_followers_hold_no_handler():
    cluster = shop(brokers=2)
    made = producers(cluster, 50)
    cluster.slow(2, fetch_ms=500)
    cluster.run(ms=600)
    waiting = [cluster.producer(acks="all", linger_ms=0) for _ in made]
    for producer in waiting:
        producer.send("orders", "x", partition=0)
    cluster.run(ms=100)
    path = cluster.look("requests@1")
    assert sum(one.kind == "DelayedProduce" for one in path.purgatory) == 50
    assert {one.state for one in path.handlers} == {"idle"}
    assert cluster.metric(1, "NumDelayedOperations,delayedOperation=Produce") == 50


def test_if_they_waited_in_the_handlers_the_followers_fetch_would_find_none():
    cluster = shop(brokers=2, unsafe={"replicas_awaited_in": "handler thread"}, num_io_threads=2)
    made = [cluster.producer(acks="all", linger_ms=0, request_timeout_ms=2_000,
                             delivery_timeout_ms=3_000) for _ in range(4)]
    receipts = [producer.send("orders", "x", partition=0) for producer in made]
    cluster.run(ms=1_500)
    assert not any(receipt.done() for receipt in receipts)
    assert all(one.state == "running" for one in cluster.look("requests@1").handlers)
    assert cluster.look("orders-0@1").high_watermark < cluster.look("orders-0@1").log_end_offset


# -- looking --------------------------------------------------------------------------------------
def test_nothing_changes_in_silence_under_load():
    cluster = shop(brokers=2, cost=CostModel(validate_us_per_kib=300), num_io_threads=2,
                   queued_max_requests=3)
    run = cluster.machine
    run.world.after_event.append(NoSilentChange(run).after_event)
    made = [cluster.producer(acks="all", linger_ms=0) for _ in range(9)]
    for size in (10, 4_000, 9_000):
        for producer in made:
            producer.send("orders", "x" * size, partition=0)
        cluster.run(ms=3)
    cluster.run(ms=300)
    where = {change[4].split(",")[0].rstrip(" 0123456789") for change in cluster.trace.changes
             if change[2] == "station"}
    assert where == {"socket", "processor", "request queue", "handler", "purgatory",
                     "response queue", "sent"}
    assert any(change[4].endswith("blocked") for change in cluster.trace.changes
               if change[2] == "station")


def test_metrics_have_kafkas_names_and_add_up():
    cluster = shop(brokers=2)
    producers(cluster, 3, acks="all")
    metrics = cluster.metrics(1)
    parts = ("RequestQueueTimeMs", "LocalTimeMs", "RemoteTimeMs", "ResponseQueueTimeMs",
             "ResponseSendTimeMs")
    for kind in ("Produce", "FetchFollower", "Metadata"):
        total = metrics[f"TotalTimeMs,request={kind}"]
        assert sum(metrics[f"{one},request={kind}"].Mean for one in parts) == \
            pytest.approx(total.Mean)
        assert total.Min <= total.Median <= total.P99 <= total.Max
    assert metrics["TotalTimeMs,request=Produce"].Count == 3
    assert metrics["RemoteTimeMs,request=Metadata"].Max == 0
    assert 0.9 < metrics["RequestHandlerAvgIdlePercent"] < 1
    assert 0.9 < metrics["NetworkProcessorAvgIdlePercent"] < 1


def test_a_metric_that_is_none_names_the_nearest():
    cluster = shop()
    with pytest.raises(IllegalStateException, match="RequestQueueSize"):
        cluster.metric(1, "RequestQueueSizes")
    with pytest.raises(IllegalStateException, match="there is no broker 7"):
        cluster.metrics(7)
    cluster.kill(1)
    assert cluster.metrics(1) == {}
    with pytest.raises(IllegalStateException, match="none while it is down"):
        cluster.metric(1, "RequestQueueSize")


def test_a_broker_that_begins_again_has_an_empty_request_path():
    cluster, _ = filled(30)
    cluster.kill(1)
    with pytest.raises(IllegalStateException, match="requests@1"):
        cluster.look("requests@1")
    cluster.restart(1)
    assert cluster.look("requests@1").requests == ()
