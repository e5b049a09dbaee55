"""A broker from inside: each request is one token, and every place says who is there."""

import pytest

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.cluster.cost_model import CostModel
from kafka_internals.viz import encode
from kafka_internals.viz.pipeline_view import pipeline_view
from kafka_internals.viz.pipeline_words import short_name
from tests.viz import stories
from tests.viz.pictures import unreadable


def _frames(cluster, subject, **options):
    """[(sentence, shapes)] of a film."""
    film = pipeline_view.data(cluster, subject, **options)
    assert unreadable(film) == []
    return [(frame["say"], shapes) for frame, shapes in
            zip(film["frames"]["truth"], encode.materialise(film["frames"]["truth"]))]


def _tokens(shapes):
    """{request: (x, y)} of the tokens that are drawn."""
    return {key[2:]: (shape["x"], shape["y"]) for key, shape in shapes.items()
            if key.startswith("t/") and shape["k"] == "group"}


@pytest.fixture(scope="module")
def produce():
    return _frames(stories.one_produce(), "orders-0")


@pytest.fixture(scope="module")
def busy():
    return _frames(stories.busy_broker(), 1)


def test_a_request_is_one_token_from_the_socket_to_the_answer(produce):
    way = [_tokens(shapes)["request-producer-1.3"] for _, shapes in produce
           if "request-producer-1.3" in _tokens(shapes)]
    places = list(dict.fromkeys(way))
    network, handler, purgatory = places[0], places[1], places[2]
    assert network[0] < handler[0] < purgatory[0] and places.count(purgatory) == 1


def test_the_sentences_tell_the_way_of_an_acks_all_produce(produce):
    said = [say for say, _ in produce if "#3 of producer-1" in say]
    assert said[0].startswith("Network thread 2 reads request #3 of producer-1. Until ")
    assert "Handler 0 takes request #3 of producer-1 and checks it, then appends. The queue was " \
           "empty. Offset 0 is in the page cache, not yet committed." in said
    assert any(say.endswith("It holds no thread: handler 0 is free.") for say in said)
    assert any("moves from 0 to 1, which wakes request #3 of producer-1" in say for say in said)
    assert said[-1] == "The answer to request #3 of producer-1 has left, and its connection is " \
                       "read again."


def test_the_parked_request_shows_its_condition_and_the_time_that_is_left(produce):
    (texts,) = {tuple(shapes[f"parked/request-producer-1.3/{part}"]["t"]
                      for part in ("until", "left")) for _, shapes in produce
                if "parked/request-producer-1.3/until" in shapes}
    assert texts == ("HW of orders-0 ≥ 1", "30 s left")


def test_a_full_queue_stops_a_network_thread_and_says_so(busy):
    full = [(say, shapes) for say, shapes in busy if shapes["queue/depth"]["t"] == "4 of 4"]
    assert full and all("bad" in shapes["queue/depth"]["c"] for _, shapes in full)
    stuck = [say for say, shapes in busy
             if any(shape.get("t") == "n1, full" for shape in shapes.values())]
    assert any("stands still with request #3 of producer-" in say for say in stuck)


def test_no_two_tokens_stand_in_one_place(busy, produce):
    for _, shapes in busy + produce:
        places = list(_tokens(shapes).values())
        assert len(places) == len(set(places))


def test_a_handler_that_waits_for_the_log_lock_names_it():
    cluster = Cluster(seed=5, cost=CostModel(validate_us_per_kib=400))
    cluster.create_topic("orders", replica_assignment={0: [1, 2, 3]})
    for _ in range(3):
        cluster.producer(acks="1", linger_ms=0).send("orders", "x" * 4_000)
    cluster.run(ms=8)
    said = [say for say, _ in _frames(cluster, "orders-0") if "another one appends" in say]
    assert said and all("appends to orders-0: one append at a time" in say for say in said)


def test_a_broker_that_is_down_and_a_partition_without_a_leader_are_said():
    cluster = stories.one_produce()
    cluster.kill(1)
    assert _frames(cluster, 1)[-1][0].startswith("Broker 1 does not run")
    assert _frames(cluster, "orders-0")[-1][0] == "No broker that runs leads orders-0."


def test_a_long_name_is_cut_where_there_is_little_room():
    assert short_name("broker-2") == "broker 2"
    assert short_name("a-very-long-client") == "a-very-long…"
