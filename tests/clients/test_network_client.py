"""NetworkClient and Metadata: whom to ask, when to ask again, when to connect again."""

import pytest

from kafka_internals.clients.metrics import Metrics
from kafka_internals.clients.network_client import NetworkClient, node_sensors
from kafka_internals.clients.sender_metrics_registry import SENSORS
from kafka_internals.config import PRODUCER_CONFIG
from kafka_internals.messages.metadata import MetadataResponse, PartitionMetadata
from kafka_internals.messages.produce import ProduceResponse
from tests.clients.talk import no_luck, tp

ANSWER = ProduceResponse(())


def client(topic="orders", dice=no_luck, **configs) -> NetworkClient:
    config = PRODUCER_CONFIG.parse({name.replace("_", "."): v for name, v in configs.items()})
    metrics = Metrics("client", "producer", {**SENSORS, **node_sensors("producer")})
    made = NetworkClient("client", (1, 2, 3), config, dice, metrics)
    if topic:
        made.add_topic(topic, ())
    return made


def ask(network: NetworkClient, now_ms: int) -> tuple | None:
    """(broker, request) of the metadata request that is sent at this time, if one is."""
    sent = network.refresh_metadata(now_ms)[1:]
    return (sent[0].to, sent[0].request) if sent else None


def tell(network: NetworkClient, now_ms: int, leader: int = 1) -> int:
    """Ask and answer at once; who was asked."""
    broker, request = ask(network, now_ms)
    found = network.completed(broker, request.answered(ANSWER), now_ms)
    network.learn(found[1], MetadataResponse((1, 2, 3), (
        PartitionMetadata(tp(0), leader, 0),)), now_ms)
    return broker


def first_ask(network: NetworkClient, from_ms: int) -> int:
    """When metadata is asked for at the earliest."""
    return next(ms for ms in range(from_ms, from_ms + 400_000) if ask(network, ms))


def test_without_a_topic_nothing_is_asked():
    network = client(topic="")
    network.want_metadata()
    assert ask(network, 0) is None and network.next_deadline_ms() is None


def test_the_least_loaded_broker_is_asked_of_those_that_are_connected():
    network = client()
    for broker in (1, 1, 2):
        network.send(broker, "work", None, 0, "rule", (), 5)
    assert ask(network, 0)[0] == 2


@pytest.mark.parametrize("drawn, asked", [(0, 1), (1, 2), (2, 3)])
def test_the_dice_choose_among_equals(drawn, asked):
    assert ask(client(dice=lambda purpose: lambda n: drawn), 0)[0] == asked


def test_a_broker_whose_pipeline_is_full_is_not_asked():
    network = client(max_in_flight_requests_per_connection=1)
    for broker in (1, 2, 3):
        network.send(broker, "work", None, 0, "rule", (), 1)
    assert ask(network, 0) is None
    network.forget_last(2)
    assert ask(network, 0)[0] == 2


def test_only_one_metadata_request_is_in_flight():
    network = client()
    assert ask(network, 0) and ask(network, 0) is None
    network.want_metadata()
    assert ask(network, 5_000) is None


def test_metadata_is_asked_for_again_when_it_is_old_and_not_before():
    network = client(metadata_max_age_ms=3_000)
    tell(network, 10)
    assert network.next_deadline_ms() == 3_010
    assert ask(network, 3_009) is None and ask(network, 3_010) is not None


def test_wanting_metadata_waits_for_the_retry_back_off():
    network = client()
    tell(network, 1_000)
    network.want_metadata()
    assert network.next_deadline_ms() == first_ask(network, 1_000) == 1_100


def test_a_new_topic_does_not_wait():
    network = client()
    tell(network, 1_000)
    network.add_topic("returns", ())
    assert ask(network, 1_001)[1].body.topics == ("orders", "returns")


def test_answers_without_news_make_the_wait_longer_and_news_end_that():
    network, now_ms, waits = client(), 0, []
    tell(network, now_ms, leader=1)
    for leader in (1, 1, 1, 1, 1, 1, 2, 2, 2, 2):
        network.want_metadata()
        before = now_ms
        now_ms = network.next_deadline_ms()
        waits.append(now_ms - before)
        tell(network, now_ms, leader)
    assert waits == [100, 100, 200, 400, 800, 1_000, 1_000, 100, 100, 200]


def test_a_metadata_request_that_was_lost_is_tried_elsewhere_after_a_growing_back_off():
    network, now_ms, tried, waits = client(), 0, [], []
    for _ in range(6):
        tried.append(ask(network, now_ms)[0])
        network.disconnected(tried[-1], now_ms)
        waits.append(network.next_deadline_ms() - now_ms)
        now_ms += waits[-1]
    assert (tried, waits) == ([1, 2, 3, 1, 2, 3], [100, 200, 400, 800, 1_000, 1_000])


def test_an_open_connection_is_asked_before_a_new_one():
    network = client()
    network.send(3, "work", None, 0, "rule", (), 5)
    network.completed(3, network.in_flight_on(3)[0].request.answered(ANSWER), 0)
    assert ask(network, 1)[0] == 3


def test_an_open_connection_is_asked_before_one_that_failed():
    network = client()
    assert tell(network, 0) == 1
    network.disconnected(1, 100)
    assert tell(network, 5_000) == 2
    for now_ms in (10_000, 20_000):
        network.want_metadata()
        assert tell(network, now_ms) == 2


def test_reconnecting_backs_off_and_an_answer_ends_that():
    network, waits, now_ms = client(), [], 0
    for _ in range(6):
        network.disconnected(1, now_ms)
        waits.append(network.reachable_from_ms(1) - now_ms)
        assert not network.can_send(1, now_ms + waits[-1] - 1)
        now_ms += waits[-1]
        assert network.can_send(1, now_ms)
    assert waits == [50, 100, 200, 400, 800, 1_000]
    network.send(1, "work", None, now_ms, "rule", (), 5)
    network.completed(1, network.in_flight_on(1)[0].request.answered(ANSWER), 0)
    network.disconnected(1, now_ms)
    assert network.reachable_from_ms(1) - now_ms == 50


@pytest.mark.parametrize("drawn, wait_ms", [(0, 80), (200, 100), (400, 120)])
def test_the_jitter_is_a_fifth_to_either_side(drawn, wait_ms):
    assert client(dice=lambda purpose: lambda n: drawn).retry_backoff_ms(0) == wait_ms


def knows_only_2(**configs) -> NetworkClient:
    """A client that was told of broker 2, which leads, and of no other; then that one is gone."""
    network = client(**configs)
    ask(network, 0)
    network.learn((), MetadataResponse((2,), (PartitionMetadata(tp(0), 2, 5),)), 0)
    network.disconnected(2, 200)
    return network


def test_who_can_reach_nobody_it_knows_of_begins_again_with_the_bootstrap_servers():
    network = knows_only_2()
    assert network.next_deadline_ms(200) <= 200
    forgotten, asked, sent = network.refresh_metadata(200)
    assert (forgotten.attribute, forgotten.old, forgotten.new) == ("leader.orders-0", 2, -1)
    assert sent.to == 1 and network.brokers == (1, 2, 3)
    assert network.leader_of(tp(0)) is None and network.leaders[tp(0)].leader_epoch == 5


def test_without_rebootstrap_it_waits_for_those_it_knows_of():
    network = knows_only_2(metadata_recovery_strategy="NONE")
    assert network.refresh_metadata(200) == [] and network.next_deadline_ms(200) == 250
    assert network.refresh_metadata(250)[1].to == 2 and network.leader_of(tp(0)).leader == 2


def test_who_still_has_a_connection_does_not_begin_again():
    network = client(max_in_flight_requests_per_connection=1)
    network.learn((), MetadataResponse((2,), (PartitionMetadata(tp(0), 2, 5),)), 0)
    network.send(2, "work", None, 0, "rule", (), 1)
    network.want_metadata()
    assert network.refresh_metadata(200) == [] and network.brokers == (2,)


def test_a_disconnect_asks_for_metadata_and_gives_back_what_was_in_flight():
    network = client()
    tell(network, 0)
    for body in ("first", "second"):
        network.send(1, body, body, 10, "rule", (), 5)
    given, _ = network.disconnected(1, 500)
    assert [one.context for one in given] == ["first", "second"]
    assert ask(network, 500)[0] == 2 and network.in_flight_to(1) == 0


def test_the_oldest_request_decides_about_the_timeout():
    network = client(topic="", request_timeout_ms=1_000)
    network.send(1, "old", None, 0, "rule", (), 5)
    network.send(1, "young", None, 900, "rule", (), 5)
    network.send(2, "young", None, 900, "rule", (), 5)
    assert network.next_deadline_ms() == 1_001
    assert network.timed_out(1_000) == [] and network.timed_out(1_001) == [1]


def test_an_answer_to_what_was_given_up_is_nobodys():
    network = client()
    network.send(1, "work", None, 0, "rule", (), 5)
    late = network.in_flight_on(1)[0].request.answered("done")
    network.disconnected(1, 10)
    assert network.completed(1, late, 0) is None
