"""The measurement of a real cluster: whatever is missing is a sentence, never an error."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from kafka_internals.tools.real_cluster import measure_real


class Said(Exception):
    """As librdkafka's: the error that speaks is inside."""

    def __init__(self, text: str) -> None:
        super().__init__(SimpleNamespace(str=lambda: text))


class Librdkafka(ModuleType):
    """A stand-in that answers what it is told to."""

    KafkaException = Said

    def __init__(self, refuses: str = "", topics: tuple = ("kafka-internals-tuning",),
                 lost: int = 0) -> None:
        super().__init__("confluent_kafka")
        self.refuses, self.topics, self.lost = refuses, topics, lost
        self.waiting: list = []

    def Producer(self, config: dict, logger: object) -> "Librdkafka":
        self.config = config
        return self

    def list_topics(self, timeout: float) -> SimpleNamespace:
        if self.refuses:
            raise Said(self.refuses)
        return SimpleNamespace(topics=dict.fromkeys(self.topics))

    def produce(self, topic: str, value: bytes, on_delivery) -> None:
        assert len(value) == 1_000
        self.waiting.append(on_delivery)

    def poll(self, seconds: float) -> None:
        self.flush(0)

    def flush(self, seconds: float) -> None:
        waiting, self.waiting = self.waiting, []
        for answer in waiting:
            self.lost -= 1
            answer(SimpleNamespace(str=lambda: "gone") if self.lost >= 0 else None, None)


@pytest.fixture
def installed(monkeypatch):
    def install(**how) -> Librdkafka:
        made = Librdkafka(**how)
        monkeypatch.setitem(sys.modules, "confluent_kafka", made)
        return made
    return install


def test_without_an_address_it_says_what_it_would_do():
    assert repr(measure_real()).startswith("This part measures a real cluster: give measure_real()")
    assert measure_real("").took_ms == ()


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    assert "pip install confluent-kafka" in repr(measure_real("localhost:9092"))


def test_a_broker_that_does_not_answer_is_told(installed):
    installed(refuses="Failed to get metadata: Local: Broker transport failure")
    assert repr(measure_real("localhost:1")) == (
        "localhost:1 was not measured: Failed to get metadata: Local: Broker transport failure.")


def test_a_topic_that_there_is_not_is_not_made(installed):
    installed(topics=())
    assert repr(measure_real("here:9092")) == (
        "here:9092 has no topic 'kafka-internals-tuning', and this does not create any: "
        "kafka-topics.sh --bootstrap-server here:9092 --create --topic kafka-internals-tuning")


def test_each_answer_is_timed_and_settings_have_kafkas_names(installed):
    made = installed()
    real = measure_real("here:9092", records=50, records_per_s=100_000, linger_ms=0, acks="all")
    assert made.config == {"bootstrap.servers": "here:9092", "linger.ms": 0, "acks": "all"}
    assert len(real.took_ms) == 50 and list(real.took_ms) == sorted(real.took_ms)
    assert repr(real).startswith("here:9092: 50 records at 100,000 a second, mean ")
    assert repr(real).endswith(" ms.")


def test_what_is_lost_is_told(installed):
    installed(lost=20)
    real = measure_real("here:9092", records=50, records_per_s=100_000)
    assert len(real.took_ms) == 30 and repr(real).endswith("; 20 were not acknowledged.")
    installed(lost=50)
    assert repr(measure_real("here:9092", records=50, records_per_s=100_000)) == (
        "here:9092 acknowledged none of 50 records: gone.")
