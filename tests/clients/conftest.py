"""Talks with a producer or a consumer core; one that ends with an untaken request fails."""

import pytest

from kafka_internals.clients.kafka_consumer import KafkaConsumer
from kafka_internals.clients.kafka_producer import KafkaProducer
from kafka_internals.config import CONSUMER_CONFIG, PRODUCER_CONFIG
from tests.clients.talk import BROKERS, Talk, no_luck


@pytest.fixture
def talks():
    """Every talk of a test; what its cores sent has been taken in the end."""
    all_talks = []
    yield all_talks
    assert [send for talk in all_talks for send in talk.sent] == []


def _maker(talks, core, definition, **defaults):
    def make(dice=no_luck, **configs):
        config = definition.parse({name.replace("_", "."): v
                                   for name, v in {**defaults, **configs}.items()})
        talks.append(Talk(core("client", BROKERS, config, dice)))
        return talks[-1]
    return make


@pytest.fixture
def producing(talks):
    """Make a producer without idempotence; configs with `_` for `.`."""
    return _maker(talks, KafkaProducer, PRODUCER_CONFIG, enable_idempotence=False)


@pytest.fixture
def numbering(talks):
    """Make a producer as it is by default: idempotent."""
    return _maker(talks, KafkaProducer, PRODUCER_CONFIG)


@pytest.fixture
def consuming(talks):
    """Make a consumer; configs with `_` for `.`."""
    return _maker(talks, KafkaConsumer, CONSUMER_CONFIG)
