"""A producer from inside: each batch is one box, from its first record to its answer."""

import pytest

from kafka_internals import canonical
from kafka_internals.cluster.cluster import Cluster
from kafka_internals.viz import encode
from kafka_internals.viz.accumulator_view import accumulator_view
from tests.viz.pictures import unreadable


def _frames(cluster, producer):
    """[(sentence, shapes)] of a film."""
    film = accumulator_view.data(cluster, producer)
    assert unreadable(film) == []
    return [(frame["say"], shapes) for frame, shapes in
            zip(film["frames"]["truth"], encode.materialise(film["frames"]["truth"]))]


def _texts(shapes):
    return {shape["t"] for shape in shapes.values() if shape["k"] == "text"}


@pytest.fixture(scope="module")
def lingering():
    cluster = canonical.healthy()
    producer = cluster.producer(linger_ms=20)
    for number in range(6):
        producer.send("orders", f"cart {number}")
    cluster.run(ms=40)
    return _frames(cluster, producer)


def test_six_records_without_a_key_join_one_batch(lingering):
    counts = [text for _, shapes in lingering for text in _texts(shapes) if "record" in text]
    assert max(counts) == "6 records" and {text.split()[-1] for text in counts} <= {"record",
                                                                                    "records"}
    boxes = {key for _, shapes in lingering for key in shapes
             if key.startswith("batch/") and key.endswith("/records")}
    assert len(boxes) == 1


def test_the_bar_shrinks_while_the_batch_lingers():
    cluster = canonical.healthy()
    producer = cluster.producer(linger_ms=20)
    for number in range(3):
        producer.send("orders", f"cart {number}")
        cluster.run(ms=7)
    bars = [shapes[key]["w"] for _, shapes in _frames(cluster, producer) for key in shapes
            if key.endswith("/bar/left")]
    assert bars == sorted(bars, reverse=True) and bars[0] > bars[-1]


def test_a_batch_that_leaves_is_one_request_with_its_number(lingering):
    said = [say for say, _ in lingering if "in one request" in say]
    assert len(said) == 1 and said[0].startswith("The batch of orders-")
    (number,) = {text for _, shapes in lingering for text in _texts(shapes)
                 if text.startswith("#")}
    assert said[0].endswith(f"{number}.")
    assert lingering[-1][0] == "The batch of orders-0 is answered, and its memory is free again."


def test_batches_for_one_broker_leave_together():
    cluster = Cluster(brokers=1, seed=3)
    cluster.create_topic("orders", 3, 1)
    producer = cluster.producer(linger_ms=5)
    for number in range(3):
        producer.send("orders", f"order {number}", partition=number)
    cluster.run(ms=20)
    frames = _frames(cluster, producer)
    assert any(say.startswith("3 batches, of orders-0 and orders-1 and orders-2, leave in one "
                              "request") for say, _ in frames)
    assert any(key.endswith("/join") for _, shapes in frames for key in shapes)


def test_the_pool_says_what_is_used():
    cluster = canonical.healthy()
    producer = cluster.producer(linger_ms=50, batch_size=1_000, buffer_memory=4_000)
    for number in range(3):
        producer.send("orders", f"order {number}", partition=number)
    cluster.run(ms=10)
    assert "3000 of 4000 bytes" in _texts(_frames(cluster, producer)[-1][1])


def test_of_many_partitions_those_with_batches_are_drawn():
    cluster = Cluster(brokers=2, seed=3)
    cluster.create_topic("orders", 9, 1)
    producer = cluster.producer(linger_ms=50)
    producer.send("orders", "order", partition=8)
    cluster.run(ms=10)
    texts = _texts(_frames(cluster, producer)[-1][1])
    assert "orders-8" in texts and sum(text.startswith("orders-") for text in texts) == 4


def test_a_producer_that_is_not_there_is_said():
    assert _frames(canonical.healthy(), "producer-9")[-1][0] == "There is no producer producer-9 " \
                                                                "yet."
