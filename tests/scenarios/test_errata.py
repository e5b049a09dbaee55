"""What is often said, and what is true: E8 and E11 about producing, the rest about replicas."""

import pytest

from kafka_internals import Cluster
from kafka_internals.config.producer_config import PRODUCER_CONFIG
from kafka_internals.course import canonical
from kafka_internals.errors import (
    NotEnoughReplicasException,
    OutOfOrderSequenceException,
    TimeoutException,
)
from kafka_internals.record_batch import RecordBatch, encode
from kafka_internals.server.local_replica import CUTS


def numbered(sequence: int) -> RecordBatch:
    """Producer 7's next batch, of one record."""
    return RecordBatch(encode([(1_000, None, b"paid", ())], producer_id=7, producer_epoch=0,
                              base_sequence=sequence))


def test_e8_a_recent_duplicate_is_a_success_with_its_first_offset_and_a_gap_is_an_error():
    log = canonical.healthy().machine.brokers[1].manager
    (log,) = (one.log for name, one in log.partitions.items() if str(name) == "orders-0")
    for sequence in range(6):
        assert log.append_as_leader(numbered(sequence), 0, 0).first_offset == sequence
    for sequence in range(1, 6):                            # the last five batches are known
        again = log.append_as_leader(numbered(sequence), 0, 0)
        assert (again.first_offset, again.is_duplicate) == (sequence, True)
    for gap in (0, 7):                                      # forgotten, and not yet to come
        with pytest.raises(OutOfOrderSequenceException):
            log.append_as_leader(numbered(gap), 0, 0)
    assert log.log_end_offset == 6


def test_e8_a_producer_whose_answer_was_lost_hears_of_no_duplicate():
    cluster = canonical.healthy()
    receipt = cluster.producer(linger_ms=0, request_timeout_ms=500).send("orders", "paid",
                                                                         partition=0)
    cluster.drop("response-producer-1.3")
    assert receipt.get().offset == 0
    told = [change[4] for change in cluster.trace.changes if change[2] == "answer"
            and change[1].startswith("request-producer-1.") and "orders-0 offset" in str(change[4])]
    assert told == ["orders-0 offset 0"] * 2
    assert [record.value for record in cluster.log("orders-0", 1)] == ["paid"]


@pytest.mark.parametrize("acks, waits", [(None, True), ("all", True), ("1", False), ("0", False)])
def test_e11_who_waits_for_replicas_is_the_acks_setting_and_its_default_is_all(acks, waits):
    cluster = canonical.slow_follower(fetch_ms=400)
    settings = {} if acks is None else {"acks": acks}
    cluster.producer(linger_ms=0, **settings).send("orders", "paid", partition=0).get()
    replicated = cluster.look("orders-0@1").high_watermark == 1
    assert (cluster.now_ms > 400, replicated) == (waits, waits)
    assert PRODUCER_CONFIG.parse({})["acks"] == PRODUCER_CONFIG.parse({"acks": "all"})["acks"]


# -- replicas -------------------------------------------------------------------------------------
def shop(min_isr: int = 2):
    """Three brokers, broker 1 leads; whoever dies is fenced 9 s later."""
    cluster = Cluster(3, seed=7, configs={"replica.socket.timeout.ms": 600})
    cluster.create_topic("orders", configs={"min.insync.replicas": min_isr},
                         replica_assignment={0: [1, 2, 3]})
    return cluster


def mark(cluster, broker: int) -> int:
    return cluster.look(f"orders-0@{broker}").high_watermark


def fenced(cluster, broker: int) -> None:
    """It dies, and the controller and everybody else have noticed."""
    cluster.kill(broker)
    cluster.run(ms=12_000)


def overtaken():
    """A record is acknowledged and read, and the leader dies before anybody else hears of that.

    Broker 2 leads, and broker 3 cannot ask it yet.
    """
    cluster = shop()
    consumer = cluster.consumer(auto_offset_reset="earliest", default_api_timeout_ms=2_000)
    consumer.assign("orders-0")
    cluster.producer(acks="all", linger_ms=0).send("orders", "paid").get()
    assert [record.value for record in consumer.poll(300)] == ["paid"]
    assert [mark(cluster, broker) for broker in (1, 2, 3)] == [1, 0, 0]
    cluster.partition({2}, {3})
    cluster.kill(1)
    cluster.run_until(lambda: cluster.look("orders-0@2").role == "leader")
    return cluster, consumer


def answers(cluster, question: str) -> set[str]:
    """What the consumer was answered since broker 2 leads."""
    led = next(change[0] for change in cluster.trace.changes
               if change[1:3] == ("orders-0@2", "role") and change[4] == "leader")
    asked = {change[1] for change in cluster.trace.changes if change[0] > led and change[2] ==
             "asked" and change[1].startswith("request-consumer") and question in change[4]}
    return {change[4] for change in cluster.trace.changes
            if change[2] == "answer" and change[1] in asked}


def test_e1_above_a_new_leaders_mark_a_fetch_finds_nothing_and_only_the_end_is_not_available():
    cluster, consumer = overtaken()
    one = cluster.look("orders-0@2")
    assert (one.high_watermark, one.leader_epoch_start_offset, one.log_end_offset) == (0, 1, 1)
    assert consumer.poll(1_500) == [] and consumer.position("orders-0") == 1
    assert answers(cluster, "fetch") == {"orders-0 0 bytes, HW 0", "nothing new"}
    with pytest.raises(TimeoutException):
        consumer.end_offsets("orders-0")
    assert answers(cluster, "end of orders-0") == {"orders-0 OFFSET_NOT_AVAILABLE"}
    cluster.heal()
    cluster.run(ms=2_000)
    assert list(consumer.end_offsets("orders-0").values()) == [1] and mark(cluster, 2) == 1


def test_e12_a_follower_is_measured_by_the_end_of_its_epoch_and_not_by_a_mark():
    cluster, _ = overtaken()
    assert (cluster.look("orders-0@3").log_end_offset, mark(cluster, 2)) == (1, 0)
    cluster.heal()                                  # 3 asks above the mark of its leader
    cluster.run(ms=2_000)
    cluster.restart(1)
    cluster.run(ms=5_000)
    changes = map(cluster.trace.change, range(len(cluster.trace.changes)))
    assert [one for one in changes if one.rule in CUTS] == [] and mark(cluster, 2) == 1


def test_e12_below_every_mark_or_above_it_what_its_epoch_does_not_have_is_cut_off():
    cluster = shop()
    cluster.producer(acks="all", linger_ms=0).send("orders", "paid").get()
    cluster.run(ms=600)
    cluster.partition({1}, {2, 3})
    cluster.producer(acks="1", linger_ms=0).send("orders", "nobody's").get()
    fenced(cluster, 1)
    producer = cluster.producer(acks="all", linger_ms=0)
    assert [producer.send("orders", value).get().offset for value in "abc"] == [1, 2, 3]
    cluster.heal()
    cluster.restart(1)                              # it ends at 2, below the mark 4
    cluster.run(ms=5_000)
    cuts = [change[3:5] for change in cluster.trace.changes if change[5] in CUTS]
    assert cuts == [(2, 1)] and mark(cluster, 2) == 4          # where epoch 0 ends
    assert [record.value for record in cluster.log("orders-0", 1)] == ["paid", *"abc"]


@pytest.mark.parametrize("min_isr, marks", [(1, [1, 2]), (2, [1, 1]), (3, [0, 0])])
def test_e13_a_smaller_isr_commits_only_while_it_has_min_insync_replicas(min_isr, marks):
    cluster = shop(min_isr)
    producer, seen = cluster.producer(acks="1", linger_ms=0), []
    for broker in (3, 2):
        fenced(cluster, broker)
        producer.send("orders", "paid").get()
        cluster.run(ms=1_000)
        seen.append(mark(cluster, 1))
    assert cluster.look("orders-0@1").isr == (1,) and seen == marks
    cluster.restart(2)
    cluster.restart(3)
    cluster.run(ms=5_000)
    assert mark(cluster, 1) == 2                    # enough are back: nothing else was missing


@pytest.mark.parametrize("min_isr", [1, 2, 3])
@pytest.mark.parametrize("failures", [0, 1, 2])
def test_e14_reading_survives_all_failures_but_one_and_writing_as_many_as_are_spare(failures,
                                                                                   min_isr):
    cluster = shop(min_isr)
    producer = cluster.producer(acks="all", linger_ms=0, retries=0, enable_idempotence=False)
    producer.send("orders", "paid").get()
    cluster.run(ms=1_000)                           # everybody knows that it is committed
    for broker in (1, 2)[:failures]:                # who leads, twice
        fenced(cluster, broker)
    consumer = cluster.consumer(auto_offset_reset="earliest")
    consumer.assign("orders-0")
    assert [record.value for record in consumer.poll(2_000)] == ["paid"]
    receipt = cluster.producer(acks="all", linger_ms=0, retries=0,
                               enable_idempotence=False).send("orders", "sent")
    if failures <= 3 - min_isr:
        assert receipt.get().offset == 1
    else:
        with pytest.raises(NotEnoughReplicasException):
            receipt.get()
