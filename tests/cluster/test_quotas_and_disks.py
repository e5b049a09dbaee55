"""What a client may use, what TLS costs, and what is not in the page cache any more."""

import pytest

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.cluster.cost_model import CostModel
from kafka_internals.cluster.invariants import NoSilentChange, put_on_trial
from kafka_internals.errors import ConfigException, InvalidRequestException
from kafka_internals.sim.disk import DiskCost
from tests.cluster.stories import in_turn


def shop(brokers=1, cost=CostModel(), topic=None, **configs):
    cluster = Cluster(brokers, seed=5, jitter_ms=0, cost=cost,
                      configs={name.replace("_", "."): one for name, one in configs.items()})
    put_on_trial(cluster.machine)
    cluster.machine.world.after_event.append(NoSilentChange(cluster.machine).after_event)
    cluster.create_topic("orders", configs=topic,
                         replica_assignment=in_turn(1, brokers, brokers))
    return cluster


def answers(cluster, client):
    """What a client was told, by request number."""
    return {int(change[1].rpartition(".")[2]): change[4] for change in cluster.trace.changes
            if change[2] == "answer" and change[1].startswith(f"request-{client}.")}


# -- producer_byte_rate ---------------------------------------------------------------------------
def throttled_producer(acks="1"):
    cluster = shop()
    producer = cluster.producer(acks=acks, linger_ms=0)
    producer.send("orders", "warm").get()
    cluster.alter_client_quotas(producer, {"producer_byte_rate": 1_000})
    return cluster, producer


def test_over_its_quota_a_producer_is_answered_at_once_and_then_not_read():
    cluster, producer = throttled_producer()
    began_ms = cluster.now_ms
    receipt = producer.send("orders", "x" * 11_000)
    assert receipt.get().offset == 1 and cluster.now_ms < began_ms + 5
    throttle_ms = int(answers(cluster, "producer-1")[3].rpartition("throttled ")[2][:-3])
    size = list(cluster.look("orders-0@1").batches)[-1].size
    assert throttle_ms == round((size / 10 - 1_000) / 1_000 * 10_000)
    (channel,) = (one for processor in cluster.look("requests@1").processors
                  for one in processor.connections)
    assert channel.state == "MUTED_AND_THROTTLED" and channel.client == "producer-1"
    producer.send("orders", "next").get()
    assert cluster.now_ms == pytest.approx(began_ms + throttle_ms, abs=10)
    metric = cluster.metric(1, "ThrottleTimeMs,request=Produce")
    assert metric.Max == throttle_ms

def test_a_producer_measures_how_long_the_answers_of_any_kind_throttle_it_kip_124():
    cluster, producer = throttled_producer()
    producer.send("orders", "x" * 11_000).get()
    throttle_ms = int(answers(cluster, "producer-1")[3].rpartition("throttled ")[2][:-3])
    assert producer.metric("produce-throttle-time-max") == throttle_ms > 1_000
    answered = sum(value for name, value in producer.metrics().items()
                   if name.name == "response-total")
    assert answered == 3                            # metadata, and two of produce
    assert producer.metric("produce-throttle-time-avg") == throttle_ms / answered


def test_the_client_waits_by_itself_and_the_broker_would_have_made_it_wait(monkeypatch):
    from kafka_internals.clients.network_client import NetworkClient
    monkeypatch.setattr(NetworkClient, "maybe_throttle", lambda *args: None)      # before KIP-219
    cluster, producer = throttled_producer()
    producer.send("orders", "x" * 12_000).get()
    producer.send("orders", "next")
    cluster.run(ms=5)
    (request,) = cluster.look("requests@1").requests
    assert request.station == "socket"
    (said,) = cluster.why(request.request, "station").waits
    assert said.startswith("the throttling of producer-1 to end, at most until ")


def test_acks_0_is_throttled_too_but_told_nothing():
    cluster, producer = throttled_producer(acks="0")
    producer.send("orders", "x" * 12_000)
    producer.send("orders", "next")
    cluster.run(ms=20)
    assert cluster.look("orders-0@1").log_end_offset == 2
    assert [one.station for one in cluster.look("requests@1").requests] == ["socket"]
    cluster.run(ms=30_000)
    assert cluster.look("orders-0@1").log_end_offset == 3


def test_other_clients_are_not_held_off():
    cluster, producer = throttled_producer()
    other = cluster.producer(acks="1", linger_ms=0)
    producer.send("orders", "x" * 12_000).get()
    began_ms = cluster.now_ms
    other.send("orders", "x" * 12_000).get()
    assert cluster.now_ms < began_ms + 10


# -- consumer_byte_rate ---------------------------------------------------------------------------
def test_over_its_quota_a_consumer_gets_an_empty_answer_and_the_records_later():
    cluster = shop()
    producer = cluster.producer(acks="1", linger_ms=0)
    for _ in range(3):
        producer.send("orders", "x" * 6_000).get()
    cluster.alter_client_quotas(None, {"consumer_byte_rate": 1_000})
    consumer = cluster.consumer(auto_offset_reset="earliest")
    consumer.assign("orders-0")
    records, began_ms = [], cluster.now_ms
    while len(records) < 3:
        records += consumer.poll(1_000)
    assert [record.offset for record in records] == [0, 1, 2]
    assert cluster.now_ms > began_ms + 1_000
    throttled = [said for said in answers(cluster, "consumer-1").values() if "throttled" in said]
    assert throttled and all(said.startswith("nothing new, throttled ") for said in throttled)


def test_followers_have_no_such_quota():
    cluster = shop(brokers=2)
    cluster.alter_client_quotas(None, {"consumer_byte_rate": 1, "request_percentage": 0.001})
    cluster.producer(acks="1", linger_ms=0).send("orders", "x" * 50_000)
    cluster.run(ms=30)
    assert cluster.look("orders-0@2").log_end_offset == 1


# -- request_percentage ---------------------------------------------------------------------------
def test_thread_time_is_throttled_for_one_window_at_most():
    cluster = shop(cost=CostModel(handle_us=100_000))
    producer = cluster.producer(acks="1", linger_ms=0)
    producer.send("orders", "warm").get()
    cluster.alter_client_quotas(producer, {"request_percentage": 0.5})
    for _ in range(3):
        producer.send("orders", "x").get()
    said = answers(cluster, "producer-1")
    assert said[5].endswith("throttled 1000 ms") and "throttled" in said[3]


# -- asking why -----------------------------------------------------------------------------------
def test_a_throttled_answer_names_the_requests_that_used_the_quota_up():
    cluster = shop()
    producer = cluster.producer(acks="1", linger_ms=0)
    producer.send("orders", "warm").get()
    cluster.alter_client_quotas(producer, {"producer_byte_rate": 1_000})
    for _ in range(3):
        producer.send("orders", "x" * 4_000).get()
    (told,) = [change for change in cluster.trace.changes
               if change[2] == "answer" and "throttled" in change[4]]
    reads = set(told[6])
    assert {(f"request-producer-1.{n}", "asked") for n in (3, 4, 5)} <= reads
    assert ("broker-1", "quotas.producer-1") in reads
    event = next(event[0] for event in cluster.trace.events
                 if event[4:] == ("request", "request-producer-1.3"))
    twin = cluster.again(without=frozenset({event}))
    assert not any("throttled" in said for said in answers(twin, "producer-1").values())


# -- the command ----------------------------------------------------------------------------------
def test_quotas_are_known_to_every_broker_and_after_its_restart():
    cluster = shop(brokers=2)
    cluster.alter_client_quotas("ada", {"producer_byte_rate": 10, "request_percentage": 2.5})
    cluster.alter_client_quotas(None, {"consumer_byte_rate": 7})
    cluster.alter_client_quotas("ada", {"producer_byte_rate": None})
    known = (("ada", (("request_percentage", 2.5),)), ("<default>", (("consumer_byte_rate", 7),)))
    assert cluster.look("broker-1").quotas == known
    cluster.kill(1)
    assert cluster.look("broker-1").quotas == ()
    cluster.restart(1)
    cluster.run_until(lambda: cluster.look("broker-1").quotas == known, limit_ms=100)
    assert cluster.why("broker-2", "quotas.ada").rule == "alterClientQuotas (KIP-546)"


def test_a_fork_has_the_quotas_of_its_past():
    cluster, producer = throttled_producer()
    producer.send("orders", "x" * 12_000).get()
    kept, changed = cluster.fork(at=cluster.event)
    assert kept.trace.digest() == cluster.trace.digest()
    assert changed.look("broker-1").quotas == cluster.look("broker-1").quotas


@pytest.mark.parametrize("client, quotas, words", [
    ("ada", {"request_percentage": "5"}, ("request_percentage is '5'", "None removes it")),
    ("ada", {"request_percentage": True}, ("is True", "greater than 0")),
    ("ada", {}, ("{'producer_byte_rate': 10_000}",)),
    ("ada", 5, ("5 sets no quota",)),
    (7, {"request_percentage": 1}, ("client.id 7 is no text", "None for the default"))])
def test_what_is_no_quota_says_what_would_work_and_changes_nothing(client, quotas, words):
    """Wrong names and numbers are the controller's to refuse: test_wrong_use.py."""
    cluster = shop()
    before = cluster.trace.digest()
    with pytest.raises(InvalidRequestException) as refused:
        cluster.alter_client_quotas(client, quotas)
    assert [word for word in words if word not in str(refused.value)] == []
    assert cluster.trace.digest() == before and len(cluster.journal.entries) == 1


# -- TLS ------------------------------------------------------------------------------------------
def served(cluster):
    """For how long a network thread was busy with an answer of 100 KiB to a consumer, in us."""
    producer = cluster.producer(acks="1", linger_ms=0)
    producer.send("orders", "x" * 102_400).get()
    consumer = cluster.consumer(auto_offset_reset="earliest")
    consumer.assign("orders-0")
    consumer.poll(500)
    sent = next(change for change in cluster.trace.changes
                if change[2] == "station" and change[4] == "sent"
                and change[1].startswith("request-consumer")
                and cluster.trace.change(cluster.trace.latest(change[1], "answer", change[0]))
                .new.startswith("orders-0 1024"))
    came = next(change for change in reversed(cluster.trace.changes)
                if change[1:3] == sent[1:3] and change[0] < sent[0])
    return cluster.trace.event(sent[0]).t_us - cluster.trace.event(came[0]).t_us


def test_sendfile_costs_the_same_for_any_size_and_tls_by_the_kib():
    plain = served(shop())
    assert plain == CostModel().network_send_us
    secure = served(shop(listeners="SSL://:9093", security_inter_broker_protocol="SSL"))
    assert secure == plain + 100 * CostModel().tls_us_per_kib


def test_a_listener_of_their_own_leaves_brokers_in_plaintext():
    cluster = shop(brokers=2, listeners="SSL://:9093,PLAINTEXT://:9092")
    assert served(cluster) > CostModel().network_send_us
    followed = [one for one in cluster.metrics(1) if one.endswith("request=FetchFollower")]
    assert cluster.metric(1, "ResponseSendTimeMs,request=FetchFollower").Max == 0.01 and followed


@pytest.mark.parametrize("configs, words", [
    ({"listeners": "SSL://:9093"}, ("defined in listeners, which are SSL", "PLAINTEXT: set it")),
    ({"listeners": "SASL_SSL://:9093"}, ("Invalid value SASL_SSL://:9093", "PLAINTEXT://:9092")),
    ({"listeners": "9092"}, ("Invalid value 9092",)),
    ({"num.io.threads": 0}, ("num.io.threads",)),
    ({"queued.max.requests": 0}, ("queued.max.requests",))])
def test_wrong_configs_are_refused(configs, words):
    with pytest.raises(ConfigException) as refused:
        Cluster(1, configs=configs)
    assert [word for word in words if word not in str(refused.value)] == []


# -- the page cache -------------------------------------------------------------------------------
def test_a_fetch_of_evicted_bytes_waits_for_the_disk_in_the_network_thread():
    def story(dropped):
        cluster = shop(topic={"internal.segment.bytes": 60_000})
        producer = cluster.producer(acks="1", linger_ms=0)
        for _ in range(2):
            producer.send("orders", "x" * 50_000).get()
        cluster.run(ms=1_000)                    # the first segment was flushed after the roll
        if dropped:
            cluster.drop_caches(1)
        consumer = cluster.consumer(auto_offset_reset="earliest")
        consumer.assign("orders-0")
        consumer.poll(500)
        return cluster.metric(1, "ResponseSendTimeMs,request=FetchConsumer").Max

    assert story(dropped=False) == 0.01
    assert story(dropped=True) == 0.11           # one read of the disk: 13 pages, read ahead


def test_with_little_memory_old_segments_are_evicted_and_the_tail_is_not():
    disk = DiskCost(page_cache_bytes=40_960)
    cluster = shop(cost=CostModel(disk=disk), topic={"internal.segment.bytes": 20_000})
    producer = cluster.producer(acks="1", linger_ms=0)
    for _ in range(5):
        producer.send("orders", "x" * 15_000).get()
        cluster.run(ms=100)
    pages = {file.name[-24:]: set(file.pages) for file in cluster.machine.disk(1).files
             if file.name.endswith(".log")}
    states = list(pages.values())
    assert states[0] == {"evicted"} and states[-1] == {"dirty"} and {"flushed"} in states
