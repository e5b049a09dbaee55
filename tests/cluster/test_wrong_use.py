"""Every wrong use of the handle: Kafka's error by name, words that help, nothing changed."""

import builtins
import random

import pytest

from kafka_internals import errors
from kafka_internals.cluster.cluster import Cluster
from kafka_internals.course import canonical


class Shop:
    """A cluster in the middle of its life, and handles to misuse."""

    def __init__(self):
        self.cluster = cluster = Cluster(3, seed=7)
        self.orders = cluster.create_topic("orders", 2, 3)
        self.producer = cluster.producer(acks="all")
        self.early = cluster.event
        self.consumer = cluster.consumer(auto_offset_reset="earliest")
        self.idle = cluster.consumer()
        self.consumer.assign("orders-0")
        self.receipt = self.producer.send("orders", "paid", partition=0)
        self.receipt.get()
        cluster.kill(3)
        cluster.pause(2)
        self.waiting = self.producer.send("orders", "sent", partition=0)
        self.old = cluster.fork(at=self.early)[1]
        self.other = canonical.healthy()


def bare():
    """A broker without a disk."""
    cluster = Cluster(1)
    cluster.lose_disk(1)
    return cluster


def held(use):
    """A message that has come to a paused broker."""
    cluster = canonical.healthy()
    cluster.pause(2)
    cluster.run(ms=2_000)
    waiting = cluster.machine.brokers[2].held
    use(cluster, next(one[1].id for kind, one in waiting if kind in ("request", "response")))


def endless(*handles):
    yield handles[0].poll(10)


def by_luck(topic, key, value, partitions):
    return random.randrange(partitions)


def by_nothing():
    return 0


CASES = {
    # topics
    "topic number": (lambda s: s.cluster.create_topic(5), "InvalidTopicException",
                     "'5' cannot be represented 'orders'"),
    "topic without a name": (lambda s: s.cluster.create_topic(""), "InvalidTopicException",
                             "'' cannot be represented"),
    "true partitions": (lambda s: s.cluster.create_topic("t", True), "InvalidPartitionsException",
                        "partitions=True whole number"),
    "half a replica": (lambda s: s.cluster.create_topic("t", 1, 0.5),
                       "InvalidReplicationFactorException", "replication_factor=0.5 whole number"),
    "brokers as text": (lambda s: s.cluster.create_topic("t", replica_assignment={0: "123"}),
                        "InvalidReplicaAssignmentException", "'123' {0: [1, 2, 3]}"),
    "partition of a topic": (lambda s: s.orders[2], "IndexError", "2 partitions 0 to 1"),
    "partitions of no topic": (lambda s: s.cluster.create_partitions("payments", 4),
                               "UnknownTopicOrPartitionException", "'payments' orders"),
    "half a partition": (lambda s: s.cluster.create_partitions("orders", 2.5),
                         "InvalidPartitionsException", "2.5 total"),
    "quota of 5": (lambda s: s.cluster.alter_client_quotas(5, {"producer_byte_rate": 1}),
                   "InvalidRequestException", "5 client.id None"),
    "quota of a word": (lambda s: s.cluster.alter_client_quotas("x", {"producer_byte_rate": "1"}),
                        "InvalidRequestException", "producer_byte_rate '1' greater than 0"),
    # clients
    "producer config": (lambda s: s.cluster.producer(ack="all"), "ConfigException", "'ack' 'acks'"),
    "producer value": (lambda s: s.cluster.producer(acks="2"), "ConfigException", "acks all"),
    "idempotence": (lambda s: s.cluster.producer(enable_idempotence=True, acks="1"),
                    "ConfigException", "acks all idempotent"),
    "partitioner": (lambda s: s.cluster.producer(partitioner=lambda *given: 0), "ConfigException",
                    "def by_region topic key value partitions"),
    "partitioner by luck": (lambda s: s.cluster.producer(partitioner=by_luck), "ConfigException",
                            "by_luck random"),
    "partitioner's arguments": (lambda s: s.cluster.producer(partitioner=by_nothing),
                                "ConfigException", "by_nothing four"),
    "partitioner's name": (lambda s: s.cluster.producer(partitioner_class="shop.ByRegion"),
                           "ConfigException", "shop.ByRegion could not be found"),
    "callback": (lambda s: s.producer.send("orders", "x", on_completion=3), "TypeError",
                 "on_completion=3 metadata error"),
    "config twice": (lambda s: s.cluster.producer(configs={"linger.ms": 5}, linger_ms=6),
                     "ConfigException", "'linger_ms' twice"),
    "consumer value": (lambda s: s.cluster.consumer(auto_offset_reset="newest"),
                       "ConfigException", "newest latest, earliest, none"),
    "groups": (lambda s: s.cluster.consumer(group_id="shop"), "ConfigException", "group.id later"),
    "client twice": (lambda s: s.cluster.producer("consumer-1"), "ConfigException",
                     "'consumer-1' is taken"),
    "client like a broker": (lambda s: s.cluster.consumer("broker-1"), "ConfigException", "taken"),
    "client name": (lambda s: s.cluster.producer("a b"), "ConfigException", "'a b' letters"),
    # sending
    "send nowhere": (lambda s: s.producer.send(None, "x"), "InvalidTopicException", "None orders"),
    "send to a bad name": (lambda s: s.producer.send("a b", "x"), "InvalidTopicException", "'a b'"),
    "value": (lambda s: s.producer.send("orders", 5), "SerializationException", "value int str(5)"),
    "key": (lambda s: s.producer.send("orders", "x", key=1.5), "SerializationException",
            "key float str(1.5)"),
    "header": (lambda s: s.producer.send("orders", "x", headers=[("n", 5)]),
               "SerializationException", "header int"),
    "negative partition": (lambda s: s.producer.send("orders", "x", partition=-1), "ValueError",
                           "partition=-1 0 or more"),
    "partition as text": (lambda s: s.producer.send("orders", "x", partition="1"), "ValueError",
                          "partition='1'"),
    "timestamp": (lambda s: s.producer.send("orders", "x", timestamp=-5), "ValueError",
                  "timestamp=-5"),
    "value too early": (lambda s: s.waiting.value(), "IllegalStateException",
                        "producer-1#2 not done get()"),
    # consuming
    "assign a topic": (lambda s: s.consumer.assign("orders"), "ValueError", "'orders' 'orders-0'"),
    "assign what is not": (lambda s: s.consumer.assign("payments-0"),
                           "UnknownTopicOrPartitionException", "'payments' orders"),
    "assign too far": (lambda s: s.consumer.assign("orders-2"), "UnknownTopicOrPartitionException",
                       "2 partition(s) 0 to 1"),
    "assign a number": (lambda s: s.consumer.assign(5), "ValueError", "5 'orders-0'"),
    "poll unassigned": (lambda s: s.idle.poll(10), "IllegalStateException", "assign('orders-0')"),
    "poll backwards": (lambda s: s.consumer.poll(-1), "ValueError", "timeout_ms=-1"),
    "poll a fraction": (lambda s: s.consumer.poll(0.5), "ValueError", "0.5 whole number"),
    "seek unassigned": (lambda s: s.consumer.seek("orders-1", 0), "IllegalStateException",
                        "No current assignment for partition orders-1 orders-0"),
    "seek backwards": (lambda s: s.consumer.seek("orders-0", -1), "ValueError", "offset=-1"),
    "seek to a word": (lambda s: s.consumer.seek("orders-0", "end"), "ValueError", "offset='end'"),
    "position unassigned": (lambda s: s.idle.position("orders-0"), "IllegalStateException",
                            "none; call assign('orders-0')"),
    # faults
    "kill nobody": (lambda s: s.cluster.kill(9), "IllegalStateException", "no broker 9 1, 2, 3"),
    "kill true": (lambda s: s.cluster.kill(True), "IllegalStateException", "no broker True"),
    "kill the dead": (lambda s: s.cluster.kill(3), "IllegalStateException", "crashed restart(3)"),
    "stop the dead": (lambda s: s.cluster.stop(3), "IllegalStateException", "crashed restart(3)"),
    "unplug the dead": (lambda s: s.cluster.power_loss(3), "IllegalStateException", "restart(3)"),
    "pause the paused": (lambda s: s.cluster.pause(2), "IllegalStateException", "resume(2) first"),
    "resume the running": (lambda s: s.cluster.resume(1), "IllegalStateException", "only paused"),
    "restart the running": (lambda s: s.cluster.restart(1), "IllegalStateException",
                            "running kill(1) power_loss(1)"),
    "slow backwards": (lambda s: s.cluster.slow(1, fetch_ms=-1), "ValueError", "fetch_ms=-1"),
    "slow by a word": (lambda s: s.cluster.slow(1, fetch_ms="x"), "ValueError", "fetch_ms='x'"),
    "a disk with less than nothing": (lambda s: s.cluster.full_disk(1, free_bytes=-1),
                                      "ValueError", "free_bytes=-1"),
    "a full disk of nobody": (lambda s: s.cluster.full_disk(8), "IllegalStateException",
                              "broker 8"),
    "slow handlers of nobody": (lambda s: s.cluster.slow_handlers(8, delay_ms=5),
                                "IllegalStateException", "broker 8"),
    "slow handlers backwards": (lambda s: s.cluster.slow_handlers(1, delay_ms=-1), "ValueError",
                                "delay_ms=-1"),
    "the caches of nobody": (lambda s: s.cluster.drop_caches("one"), "IllegalStateException",
                             "broker 'one'"),
    "slow nobody": (lambda s: s.cluster.slow(8, fetch_ms=5), "IllegalStateException", "broker 8"),
    "overlap": (lambda s: s.cluster.partition({1}, {1, 2}), "ValueError", "common member"),
    "empty side": (lambda s: s.cluster.partition({1}, ()), "ValueError", "partition({1}, {2, 3})"),
    "cut nobody": (lambda s: s.cluster.cut(1, "nobody"), "IllegalStateException",
                   "'nobody' producer-1"),
    "lose too much": (lambda s: s.cluster.lossy(1, 2, 1001), "ValueError", "1001 0 to 1000"),
    "drop a word": (lambda s: s.cluster.drop("hello"), "ValueError",
                    "'hello' request-producer-1.3"),
    "drop too late": (lambda s: s.cluster.drop("request-producer-1.2"), "IllegalStateException",
                      "arrived at fork before event"),
    "delay a word": (lambda s: s.cluster.delay("hello", ms=5), "ValueError",
                     "'hello' request-producer-1.3"),
    "delay backwards": (lambda s: s.cluster.delay("request-producer-1.9", ms=-1), "ValueError",
                        "ms=-1"),
    "delay too late": (lambda s: s.cluster.delay("request-producer-1.2", ms=5),
                       "IllegalStateException", "arrived at fork before event"),
    "delay what waits": (lambda s: held(lambda cluster, one: cluster.delay(one, ms=5)),
                         "IllegalStateException", "broker 2 paused resume(2)"),
    "drop what waits": (lambda s: held(lambda cluster, one: cluster.drop(one)),
                        "IllegalStateException", "broker 2 paused resume(2)"),
    # time
    "run back": (lambda s: s.cluster.run(ms=-1), "ValueError", "ms=-1"),
    "run a word": (lambda s: s.cluster.run(ms="5"), "ValueError", "ms='5'"),
    "run for ever": (lambda s: s.cluster.run(ms=float("inf")), "ValueError", "ms=inf"),
    "run nan": (lambda s: s.cluster.run(ms=float("nan")), "ValueError", "ms=nan"),
    "until a value": (lambda s: s.cluster.run_until(s.receipt.done()), "TypeError",
                      "function receipt.done True"),
    "until before now": (lambda s: s.cluster.run_until(s.waiting.done, limit_ms=-1), "ValueError",
                         "limit_ms=-1"),
    # forks and handles
    "fork later": (lambda s: s.cluster.fork(at=99_999), "IllegalStateException", "99999 1 to"),
    "fork before": (lambda s: s.cluster.fork(at=-1), "IllegalStateException", "-1 0 for the start"),
    "fork at a word": (lambda s: s.cluster.fork(at="noon"), "IllegalStateException", "'noon'"),
    "twin of a word": (lambda s: s.cluster["producer-1"], "TypeError", "handle 'producer-1'"),
    "twin unborn": (lambda s: s.old[s.consumer], "IllegalStateException",
                    "consumer-1 made after event"),
    "look": (lambda s: s.cluster.look("orders-0@7"), "IllegalStateException",
             "'orders-0@7' orders-0@1"),
    "log of nothing": (lambda s: s.cluster.log("orders-7", 1), "UnknownTopicOrPartitionException",
                       "0 to 1"),
    "log of nobody": (lambda s: s.cluster.log("orders-0", 7), "IllegalStateException", "broker 7"),
    # exports
    "export of nobody": (lambda s: s.cluster.export(7, "x"), "IllegalStateException", "broker 7"),
    "export of True": (lambda s: s.cluster.export(True, "x"), "IllegalStateException", "True"),
    "export to 5": (lambda s: s.cluster.export(1, 5), "TypeError", "export(1, 5) 'broker-1'"),
    "export crashed": (lambda s: s.cluster.export(1, "x", crashed="yes"), "TypeError",
                       "crashed='yes'"),
    "export to a file": (lambda s: s.cluster.export(1, __file__), "NotADirectoryError", "a file"),
    "export of nothing": (lambda s: bare().export(1, "x"), "IllegalStateException",
                          "broker 1 without disk nothing restart(1)"),
    # applications
    "app no generator": (lambda s: s.cluster.run_app(lambda: 1), "IllegalStateException",
                         "generator yield"),
    "app with a number": (lambda s: s.cluster.run_app(endless, 5), "IllegalStateException",
                          "5 producers, consumers and topics"),
    "app with a receipt": (lambda s: s.cluster.run_app(endless, s.receipt),
                           "IllegalStateException", "producer-1#1 producers, consumers"),
    "app of elsewhere": (lambda s: s.cluster.run_app(endless, s.old[s.producer]),
                         "IllegalStateException", "another cluster cluster[producer_1]"),
}

REFUSED = {                                           # in Kafka's words, by the controller
    "topic name": (lambda s: s.cluster.create_topic("my orders"), "InvalidTopicException",
                   "Topic name is invalid: 'my orders' contains one or more characters other than "
                   "ASCII alphanumerics, '.', '_' and '-'"),
    "topic dot": (lambda s: s.cluster.create_topic("."), "InvalidTopicException",
                  "Topic name is invalid: '.' is not allowed"),
    "topic long": (lambda s: s.cluster.create_topic("x" * 250), "InvalidTopicException",
                   "longer than the max allowed length 249"),
    "topic twice": (lambda s: s.cluster.create_topic("orders"), "TopicExistsException",
                    "Topic 'orders' already exists."),
    "topic like another": (lambda s: s.cluster.create_topic("my.orders"), "InvalidTopicException",
                           "Topic 'my.orders' collides with existing topic: my_orders"),
    "no partitions": (lambda s: s.cluster.create_topic("t", 0), "InvalidPartitionsException",
                      "Number of partitions was set to an invalid non-positive value. "
                      "[create_topic(topic='t', partitions=0, replication_factor=3)]"),
    "no replicas": (lambda s: s.cluster.create_topic("t", 1, 0),
                    "InvalidReplicationFactorException", "Replication factor must be larger than "
                    "0, or -1 to use the default value. [create_topic(topic='t', partitions=1, "
                    "replication_factor=0)]"),
    "too many replicas": (lambda s: s.cluster.create_topic("t", 1, 4),
                          "InvalidReplicationFactorException",
                          "Unable to replicate the partition 4 time(s): The target replication "
                          "factor of 4 cannot be reached because only 3 broker(s) are registered"),
    "too many partitions": (lambda s: s.cluster.create_topic("t", 10_001),
                            "PolicyViolationException",
                            "Excessively large number of partitions per request."),
    "nobody's replica": (lambda s: s.cluster.create_topic("t", replica_assignment={0: [1, 9]}),
                         "InvalidReplicaAssignmentException", "The manual partition assignment "
                         "includes broker 9, but no such broker is registered."),
    "a gap": (lambda s: s.cluster.create_topic("t", replica_assignment={0: [1], 2: [2]}),
              "InvalidReplicaAssignmentException", "partitions should be a consecutive 0-based "
              "integer sequence [create_topic(topic='t', partitions=-1, replication_factor=-1, "
              "assignment=((0, (1,)), (2, (2,))))]"),
    "topic config": (lambda s: s.cluster.create_topic("t", configs={"min.insync.replica": 2}),
                     "InvalidConfigurationException", "did you mean 'min.insync.replicas'"),
    "topic config value": (lambda s: s.cluster.create_topic(
        "t", configs={"min.insync.replicas": 0}), "InvalidConfigurationException", "at least 1"),
    "topic config none": (lambda s: s.cluster.create_topic("t", configs={"retention.ms": None}),
                          "InvalidConfigurationException",
                          "Null value not supported for topic configs: retention.ms"),
    "fewer partitions": (lambda s: s.cluster.create_partitions("orders", 1),
                         "InvalidPartitionsException",
                         "The topic orders currently has 2 partition(s); 1 would not be an "
                         "increase. [create_partitions(topic='orders', total_count=1)]"),
    "as many partitions": (lambda s: s.cluster.create_partitions(s.orders, 2),
                           "InvalidPartitionsException", "Topic already has 2 partition(s)."),
    "no quota": (lambda s: s.cluster.alter_client_quotas("x", {"producer_byte_rate": 0}),
                 "InvalidRequestException", "Quota producer_byte_rate must be greater than 0 "
                 "[alter_client_quotas(client_id='x', quotas=(('producer_byte_rate', 0),))]"),
    "unknown quota": (lambda s: s.cluster.alter_client_quotas("x", {"byte_rate": 1}),
                      "InvalidRequestException", "Invalid configuration key byte_rate; there is"),
    "half a byte": (lambda s: s.cluster.alter_client_quotas("x", {"producer_byte_rate": 0.5}),
                    "InvalidRequestException",
                    "producer_byte_rate cannot be a fractional value."),
    "quota of nobody": (lambda s: s.cluster.alter_client_quotas("", {"producer_byte_rate": 1}),
                        "InvalidRequestException", "Empty client-id not supported"),
}


@pytest.fixture(scope="module")
def asking():
    shop = Shop()
    shop.cluster.create_topic("my_orders")
    return shop


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_controller_refuses_is_said_in_its_words_and_changes_no_metadata(asking, case):
    act, error, words = REFUSED[case]
    run = asking.cluster.machine
    before = run.image, [node.manager.image for node in run.brokers.values() if node.up]
    with pytest.raises(getattr(errors, error)) as refused:
        act(asking)
    assert type(refused.value) is getattr(errors, error) and words in str(refused.value)
    after = run.image, [node.manager.image for node in run.brokers.values() if node.up]
    assert [one.topics for one in (after[0], *after[1])] == \
        [one.topics for one in (before[0], *before[1])]
    assert after[0].client_quotas == before[0].client_quotas


def test_a_refusal_is_a_question_and_an_answer_and_so_it_is_in_the_journal(asking):
    """A handle cannot know what the controller will say: to hear it takes time."""
    cluster = asking.cluster
    before_ms = cluster.now_ms
    with pytest.raises(errors.InvalidPartitionsException):
        cluster.create_partitions("orders", 1)
    assert 1 < cluster.now_ms - before_ms < 5
    assert cluster.journal.entries[-1].command == "create_partitions"
    assert cluster.again().trace.digest() == cluster.trace.digest()


@pytest.fixture(scope="module")
def shop():
    return Shop()


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_gets_its_error_and_changes_nothing(shop, case):
    act, error, words = CASES[case]
    expected = getattr(errors, error, None) or getattr(builtins, error)
    before = shop.cluster.trace.digest(), shop.cluster.journal
    with pytest.raises(expected) as refused:
        act(shop)
    assert type(refused.value) is expected
    said = str(refused.value)
    assert [word for word in words.split() if word not in said] == [], said
    assert (shop.cluster.trace.digest(), shop.cluster.journal) == before


@pytest.mark.parametrize("wrong, words", [
    (dict(brokers=0), "brokers=0 at least 1"), (dict(brokers=True), "brokers=True"),
    (dict(brokers="3"), "brokers='3'"), (dict(latency_ms=-1), "latency_ms=-1"),
    (dict(jitter_ms=-0.1), "jitter_ms=-0.1"),
    (dict(unsafe={"acks": "0"}), "'acks' no switch high_watermark consumer_reads_to"),
    (dict(unsafe={"offsets": "x"}), "'x' no switch 'gap'")])
def test_a_cluster_that_cannot_be(wrong, words):
    with pytest.raises(ValueError) as refused:
        Cluster(**wrong)
    assert [word for word in words.split() if word not in str(refused.value)] == []


def test_a_broker_config_that_is_unknown():
    with pytest.raises(errors.ConfigException, match="did you mean 'replica.fetch.min.bytes'"):
        Cluster(configs={"replica.fetch.min.byte": 1})


def test_the_cluster_goes_on_as_if_nothing_had_been_asked(shop):
    used, unused = shop.cluster, Shop().cluster
    assert used.trace.digest() == unused.trace.digest()
    for cluster in (used, unused):
        cluster.resume(2)
        cluster.restart(3)
        cluster.run(ms=2_000)
    assert used.trace.digest() == unused.trace.digest()
