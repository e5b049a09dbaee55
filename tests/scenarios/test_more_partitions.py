"""Partitions are added: what lies stays where it is, and a key may go elsewhere from then on."""

import pytest

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.cluster.invariants import put_on_trial

AGE_MS = 1_000
KEYS = ("ada", "bob", "eve", "kim", "lea", "noa", "ana")


@pytest.fixture
def shop():
    cluster = Cluster(3, seed=7)
    cluster.create_topic("orders", 3, 3, {"min.insync.replicas": 2})
    put_on_trial(cluster.machine)
    return cluster


def placed(producer, value="paid"):
    return {key: producer.send("orders", value, key=key).get().partition for key in KEYS}


def moved(before, after):
    return {key for key in KEYS if before[key] != after[key]}


def test_the_new_ones_are_striped_over_the_brokers_and_all_of_them_serve(shop):
    shop.create_partitions("orders", 5)
    first, second = (shop.look(f"orders-{number}@1").replicas for number in (3, 4))
    assert sorted(first) == [1, 2, 3] and second == first[1:] + first[:1]
    for number, (leader, *followers) in ((3, first), (4, second)):
        assert shop.look(f"orders-{number}@{leader}").role == "leader"
        assert {shop.look(f"orders-{number}@{broker}").leader for broker in followers} == {leader}
    producer = shop.producer(acks="all")
    assert [producer.send("orders", "x", partition=number).get().offset
            for number in (3, 4)] == [0, 0]


def test_a_producer_goes_on_with_the_number_that_it_was_told_until_its_metadata_is_old(shop):
    told = shop.producer(acks="all", linger_ms=0, metadata_max_age_ms=AGE_MS)
    before = placed(told)
    shop.create_partitions("orders", 4)
    assert placed(told) == before and max(before.values()) == 2
    other = placed(shop.producer(acks="all", linger_ms=0))
    assert moved(before, other)
    shop.run(ms=AGE_MS)
    assert placed(told) == other


def test_one_key_is_then_in_two_partitions_and_its_old_records_stay(shop):
    producer = shop.producer(acks="all", linger_ms=0, metadata_max_age_ms=AGE_MS)
    before = placed(producer, "first")
    shop.create_partitions("orders", 4)
    shop.run(ms=AGE_MS)
    after = placed(producer, "second")
    for key in moved(before, after):
        for value, partition in (("first", before[key]), ("second", after[key])):
            assert (key, value) in [(one.key, one.value)
                                    for one in shop.log(f"orders-{partition}", 1)]


def test_a_sticky_producer_uses_the_new_one_only_when_it_knows_it(shop):
    producer = shop.producer(linger_ms=0, batch_size=100, metadata_max_age_ms=AGE_MS)
    used = []
    for _ in range(2):
        used.append({producer.send("orders", "x" * 40).get().partition for _ in range(60)})
        if len(used) == 1:
            shop.create_partitions("orders", 4)
            assert 3 not in {producer.send("orders", "x" * 40).get().partition
                             for _ in range(5)}
            shop.run(ms=AGE_MS)
    assert used == [{0, 1, 2}, {0, 1, 2, 3}]


def test_a_record_for_a_partition_that_is_to_come_waits_for_it(shop):
    producer = shop.producer(linger_ms=0, metadata_max_age_ms=AGE_MS)
    receipt = producer.send("orders", "early", partition=3)
    shop.run(ms=50)
    assert not receipt.done()
    shop.create_partitions("orders", 4)
    assert receipt.get().partition == 3


def test_a_broker_that_was_away_has_the_new_ones_when_it_is_back(shop):
    shop.kill(2)
    shop.run(ms=12_000)                                  # the controller has noticed
    shop.pause(3)
    shop.create_partitions("orders", 5)
    assert shop.look("broker-3").partition_counts == (("orders", 3),)
    assert shop.look("broker-2").partition_counts == ()
    shop.resume(3)
    shop.restart(2)
    shop.run_until(lambda: shop.look("broker-2-lifecycle").state == "RUNNING")
    assert {shop.look(f"broker-{broker}").partition_counts for broker in (1, 2, 3)} == \
        {(("orders", 5),)}
    placed = {shop.look(f"orders-{number}@1").leader for number in (3, 4)}
    assert 2 not in placed                               # it could not lead them then
    assert shop.producer(acks="1").send("orders", "x", partition=4).get().offset == 0


def test_why_goes_from_the_key_to_the_answer_to_the_command(shop):
    producer = shop.producer(acks="all", linger_ms=0, metadata_max_age_ms=AGE_MS)
    before = placed(producer)
    shop.create_partitions("orders", 4)
    command = shop.event
    shop.run(ms=AGE_MS)
    key = sorted(moved(before, placed(producer)))[0]
    receipt = producer.send("orders", "again", key=key)
    receipt.get()
    number = next(one for one in shop.why(receipt, "partition").also_read[0]
                  if one.attribute == "partition_counts.orders")
    assert (number.subject, number.old, number.new) == ("producer-1", 3, 4)
    answer = shop.why(producer, "partition_counts.orders")
    assert "number of partitions of orders 3 to 4" in str(answer)
    image = next(one for one in answer.also_read[1] if one.subject.startswith("broker-")
                 and one.attribute.startswith("partition_counts"))
    assert (image.attribute, image.new, image.event) == ("partition_counts.orders", 4, command)


def test_a_fork_before_it_knows_nothing_of_it(shop):
    producer = shop.producer(acks="all", linger_ms=0)
    placed(producer)
    before = shop.event
    shop.create_partitions("orders", 4)
    shop.run(ms=5)
    kept, changed = shop.fork(at=before)
    assert kept.trace.digest() == shop.trace.digest()
    assert (kept.partitions_of("orders"), changed.partitions_of("orders")) == (4, 3)
    changed.create_partitions("orders", 6)
    assert changed.look("orders-5@1").log_end_offset == 0
