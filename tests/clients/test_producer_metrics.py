"""A producer's metrics, by the names and the windows of Kafka's Java client."""

import pytest

from kafka_internals.clients.compression_ratio_estimator import CompressionRatioEstimator
from tests.clients.test_kafka_producer import answer, send


def test_what_a_producer_measures(producing):
    talk = producing(linger_ms=5)
    for value in (b"a", b"bb"):
        send(talk, value)
    talk.answer_metadata(1)
    request = talk.at(5).take()
    flying = talk.metrics()
    assert (flying["requests-in-flight"], flying["buffer-available-bytes"]) == (1, 33_538_048)
    answer(talk, request, "NOT_ENOUGH_REPLICAS")
    talk.at(115)
    request = talk.take()
    talk.at(125)
    answer(talk, request)
    told = talk.metrics()
    assert {name: told[name] for name in (
        "record-queue-time-avg", "record-queue-time-max", "records-per-request-avg",
        "record-send-total", "record-retry-total", "record-error-total", "request-latency-avg",
        "request-latency-max", "compression-rate-avg", "requests-in-flight",
        "buffer-available-bytes", "bufferpool-wait-ratio", "produce-throttle-time-avg")} == {
        "record-queue-time-avg": 55, "record-queue-time-max": 105, "records-per-request-avg": 2,
        "record-send-total": 4, "record-retry-total": 2, "record-error-total": 0,
        "request-latency-avg": 10, "request-latency-max": 20, "compression-rate-avg": 1,
        "requests-in-flight": 0, "buffer-available-bytes": 33_554_432, "bufferpool-wait-ratio": 0,
        "produce-throttle-time-avg": 0}


def test_failed_records_are_counted(producing):
    talk = producing(linger_ms=0)
    send(talk)
    talk.answer_metadata(1)
    answer(talk, talk.take(), "INVALID_RECORD")
    assert talk.metrics()["record-error-total"] == 1


def test_the_estimate_of_a_ratio_falls_slowly_and_rises_fast():
    ratios = CompressionRatioEstimator()
    seen = []
    for observed in (0.3, 0.3, 0.994, 1.2, 1.2, 0.1):
        ratios.update_estimation("orders", observed)
        seen.append(round(ratios.estimation("orders"), 3))
    assert seen == [0.995, 0.99, 1.04, 1.2, 1.2, 1.195]
    assert ratios.estimation("payments") == 1


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_batches_are_closed_by_an_estimate_that_learns(producing, codec):
    talk = producing(linger_ms=1_000, batch_size=2_000, compression_type=codec,
                     max_in_flight_requests_per_connection=1)
    for _ in range(600):
        send(talk, b"tea " * 20, partition=0)
    talk.answer_metadata(1)
    counts = []
    while talk.sent or talk.core.snapshot().batches:
        if not talk.sent:
            talk.at(talk.now_ms + 1_000)
        request = talk.take()
        data = request.request.body.partitions[0].records
        assert data.header.compression_type == codec
        assert [one.value for one in data.records()] == [b"tea " * 20] * data.header.records_count
        counts.append(data.header.records_count)
        answer(talk, request, offset=sum(counts))
    assert sum(counts) == 600 and counts[0] == 20
    assert talk.metrics()["compression-rate-avg"] < 0.5


def test_a_level_makes_a_batch_smaller(producing):
    sizes = []
    for level in (1, 9):
        talk = producing(linger_ms=5, compression_type="gzip", compression_gzip_level=level)
        for number in range(100):
            send(talk, b"%d sheep and %d goats" % (number * 7919, number * 104729))
        talk.answer_metadata(1)
        request = talk.at(5).take()
        sizes.append(request.request.body.partitions[0].records.size)
        answer(talk, request)
    assert sizes[1] < sizes[0]
