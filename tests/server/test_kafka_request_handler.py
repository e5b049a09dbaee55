"""KafkaRequestHandlerPool: which handler, and who has the log lock."""

from kafka_internals.common import TopicPartition
from kafka_internals.messages import Request
from kafka_internals.messages.metadata import MetadataRequest
from kafka_internals.messages.produce import ProduceRequest
from kafka_internals.server.kafka_channel import KafkaChannel
from kafka_internals.server.kafka_request_handler import KafkaRequestHandlerPool
from kafka_internals.server.request_channel import ChannelRequest

A, B = TopicPartition("orders", 0), TopicPartition("orders", 1)


def produce(number, *partitions):
    body = ProduceRequest(1, 30_000, tuple((name, None) for name in partitions))
    return ChannelRequest(Request.of("p", number, body), "Produce", KafkaChannel(None, None))


def test_the_first_idle_handler_takes_the_next_request():
    pool, tokens = KafkaRequestHandlerPool(3), [produce(n, A) for n in range(4)]
    assert [pool.take(token) for token in tokens[:3]] == ["handler 0", "handler 1", "handler 2"]
    pool.free(tokens[2], 10)
    pool.free(tokens[0], 20)
    assert pool.take(tokens[3]) == "handler 0" and pool.idle == [2]


def test_a_lock_is_free_until_somebody_appends_and_after_its_time():
    pool, one, two = KafkaRequestHandlerPool(2), produce(1, A), produce(2, A)
    assert pool.in_the_way(one, 0) is None
    pool.hold(one, until_us=50)
    assert pool.in_the_way(two, 49) == A and pool.in_the_way(two, 50) is None


def test_another_partition_and_a_request_that_appends_nothing_do_not_wait():
    pool = KafkaRequestHandlerPool(2)
    pool.hold(produce(1, A), until_us=50)
    metadata = ChannelRequest(Request.of("c", 1, MetadataRequest(())), "Metadata",
                              KafkaChannel(None, None))
    assert pool.in_the_way(produce(2, B), 0) is None and pool.in_the_way(metadata, 0) is None


def test_g_d_2_the_lock_goes_round_in_the_order_in_which_it_was_asked_for():
    pool = KafkaRequestHandlerPool(4)
    one, two, three = (produce(n, A) for n in range(3))
    pool.hold(one, until_us=50)
    assert pool.wait(two, A) == 50 and two.behind is one
    assert pool.wait(three, A) is None and three.behind is two
    assert pool.released(A, 49) is None
    assert pool.released(A, 50) is two
    late = produce(9, A)
    assert pool.in_the_way(late, 50) == A                   # it is free, but three waits for it
    assert pool.in_the_way(two, 50, granted=A) is None
    pool.hold(two, until_us=80)
    assert pool.released(A, 79) is None and pool.released(A, 80) is three


def test_a_request_for_two_partitions_needs_both_locks():
    pool, both = KafkaRequestHandlerPool(2), produce(2, A, B)
    pool.hold(produce(1, B), until_us=70)
    assert pool.in_the_way(both, 60) == B and pool.in_the_way(both, 70) is None


def test_idle_percent_counts_threads_and_time():
    pool, token = KafkaRequestHandlerPool(4), produce(1, A)
    assert pool.avg_idle_percent(0, 0) == 1.0
    pool.take(token)
    token.dequeue_us = 0
    assert pool.avg_idle_percent(100, 0) == 0.75            # one of four, all the time
    pool.free(token, 100)
    assert pool.avg_idle_percent(200, 0) == 0.875
