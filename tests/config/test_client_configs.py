"""ProducerConfig and ConsumerConfig: values that follow from others, and contradictions."""

import pytest

from kafka_internals.config import CONSUMER_CONFIG, PRODUCER_CONFIG
from kafka_internals.errors import ConfigException


@pytest.mark.parametrize("acks, number", [("all", -1), ("-1", -1), (-1, -1), ("1", 1), (1, 1),
                                          ("0", 0), (0, 0)])
def test_acks_is_the_number_on_the_wire(acks, number):
    assert PRODUCER_CONFIG.parse({"acks": acks})["acks"] == number


def test_acks_by_default_wait_for_all():
    assert PRODUCER_CONFIG.parse({})["acks"] == -1


@pytest.mark.parametrize("acks", [2, "ALL", "leader", True])
def test_other_acks_are_refused(acks):
    with pytest.raises(ConfigException, match="for configuration acks: "):
        PRODUCER_CONFIG.parse({"acks": acks})


def test_a_delivery_timeout_that_was_asked_for_has_to_cover_lingering_and_a_request():
    enough = {"delivery.timeout.ms": 2_000, "request.timeout.ms": 1_500, "linger.ms": 500}
    assert PRODUCER_CONFIG.parse(enough)["delivery.timeout.ms"] == 2_000
    with pytest.raises(ConfigException, match="delivery.timeout.ms should be equal to or larger "
                                              "than .*; got 2000, needs 501 . 1500"):
        PRODUCER_CONFIG.parse({**enough, "linger.ms": 501})


def test_a_delivery_timeout_that_was_not_asked_for_is_raised():
    assert PRODUCER_CONFIG.parse({})["delivery.timeout.ms"] == 120_000
    config = PRODUCER_CONFIG.parse({"request_timeout_ms": 300_000})
    assert config["delivery.timeout.ms"] == 300_005
    assert config.given == ("request.timeout.ms",)
    longest = PRODUCER_CONFIG.parse({"linger.ms": (1 << 63) - 1})
    assert longest["delivery.timeout.ms"] == (1 << 31) - 1


@pytest.mark.parametrize("definition", [PRODUCER_CONFIG, CONSUMER_CONFIG], ids=lambda d: d.kind)
def test_a_reconnect_backoff_that_is_set_alone_does_not_grow(definition):
    assert definition.parse({})["reconnect.backoff.max.ms"] == 1_000
    assert definition.parse({"reconnect.backoff.ms": 20})["reconnect.backoff.max.ms"] == 20
    both = definition.parse({"reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 80})
    assert both["reconnect.backoff.max.ms"] == 80


@pytest.mark.parametrize("name, value", [
    ("transactional.id", "tx-1"), ("partitioner.rack.aware", True),
    ("transaction.two.phase.commit.enable", True)])
def test_what_this_producer_cannot_do_yet_is_refused_by_name(name, value):
    with pytest.raises(ConfigException, match=f"for configuration {name}: .* later version of "
                                              f"this course's engine"):
        PRODUCER_CONFIG.parse({name: value})


def test_a_misspelt_config_is_told_its_name():
    with pytest.raises(ConfigException) as refused:
        PRODUCER_CONFIG.parse({"linger.msec": 5})
    assert str(refused.value) == "unknown producer config 'linger.msec': did you mean 'linger.ms'?"


def test_an_impossible_value_is_refused_in_kafkas_words():
    with pytest.raises(ConfigException) as refused:
        PRODUCER_CONFIG.parse({"linger_ms": -1})
    assert str(refused.value) == \
        "Invalid value -1 for configuration linger.ms: Value must be at least 0"


@pytest.mark.parametrize("given, on", [
    ({}, True), ({"acks": "all"}, True), ({"retries": 3}, True), ({"acks": "1"}, False),
    ({"acks": 0}, False), ({"retries": 0}, False), ({"enable.idempotence": False}, False),
    ({"enable.idempotence": False, "max.in.flight.requests.per.connection": 6}, False),
    ({"acks": "1", "max.in.flight.requests.per.connection": 6}, False)])
def test_idempotence_is_on_unless_something_given_contradicts_it(given, on):
    assert PRODUCER_CONFIG.parse(given)["enable.idempotence"] is on


@pytest.mark.parametrize("given, told", [
    ({"enable.idempotence": True, "retries": 0},
     "Must set retries to non-zero when using the idempotent producer."),
    ({"enable.idempotence": True, "acks": "1"},
     "Must set acks to all in order to use the idempotent producer. Otherwise we cannot guarantee "
     "idempotence."),
    ({"max.in.flight.requests.per.connection": 6},
     "To use the idempotent producer, max.in.flight.requests.per.connection must be set to at most "
     "5. Current value is 6."),
    ({"compression.gzip.level": 0}, "Invalid value 0 for configuration compression.gzip.level: "
                                    "Value must be between 1 and 9 or equal to -1"),
    ({"compression.gzip.level": 10}, "Invalid value 10 for configuration compression.gzip.level: "
                                     "Value must be between 1 and 9 or equal to -1"),
    ({"compression.lz4.level": 18}, "Invalid value 18 for configuration compression.lz4.level: "
                                    "Value must be no more than 17")])
def test_a_contradiction_that_was_asked_for_is_refused_in_kafkas_words(given, told):
    with pytest.raises(ConfigException) as refused:
        PRODUCER_CONFIG.parse(given)
    assert str(refused.value) == told


def test_a_gzip_level_of_minus_1_is_zlibs_own():
    assert [PRODUCER_CONFIG.parse({"compression.gzip.level": level})["compression.gzip.level"]
            for level in (-1, 1, 9)] == [6, 1, 9]


def test_consumer_groups_come_later():
    with pytest.raises(ConfigException, match="configuration group.id: consumer groups come"):
        CONSUMER_CONFIG.parse({"group_id": "shop"})
