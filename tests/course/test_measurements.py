"""Measurements: each number is one of the run's own, and says what the course says it does."""

import pytest

from kafka_internals.course import canonical
from kafka_internals.course.measurements import LOADS, depths, measured, read_back, sweep
from kafka_internals.server.request_channel import PURGATORY, QUEUE


@pytest.fixture(scope="module")
def lingering():
    return sweep("linger_ms", (0, 2, 5, 20))


def test_a_sweep_has_a_run_for_each_load_and_value(lingering):
    assert lingering.setting == "linger.ms" and lingering.loads == list(LOADS)
    assert all(len(lingering.of(load)) == 4 for load in LOADS)
    assert lingering.of("idle broker")[1] == measured("idle broker", linger_ms=2)


def test_m2_q2_under_load_a_little_lingering_makes_records_faster_and_much_makes_them_slower(
        lingering):
    none, little, more, much = [one.mean_ms for one in lingering.of("busy broker")]
    assert little < none / 2 and little < more < much


def test_m2_q2_on_an_idle_broker_each_millisecond_of_lingering_is_one_of_latency(lingering):
    none, *others = [one.mean_ms for one in lingering.of("idle broker")]
    assert [round(one - none) for one in others] == [1, 4, 18]


def test_the_longer_they_linger_the_fewer_requests_there_are(lingering):
    for load in LOADS:
        requests = [round(one.requests_per_s) for one in lingering.of(load)]
        assert requests == sorted(requests, reverse=True)


def test_a_batch_too_small_for_two_records_halves_what_the_broker_can_do():
    small, large = sweep("batch_size", (200, 16_384), linger_ms=5).of("busy broker")
    assert small.records_per_s == pytest.approx(small.requests_per_s)
    assert large.records_per_s > 1.9 * small.records_per_s


def test_a_load_that_does_not_exist_is_refused():
    with pytest.raises(KeyError, match="a busy day"):
        measured("a busy day")


def test_depths_are_what_the_snapshots_of_the_request_path_say():
    cluster = canonical.healthy()
    cluster.slow_handlers(1, delay_ms=2)
    for number in range(30):
        cluster.producer(linger_ms=0).send("orders", f"order {number}", partition=0)
    seen = set()
    for _ in range(40):
        cluster.run(ms=1)
        path = cluster.look("requests@1")
        now = (sum(one.station == QUEUE for one in path.requests),
               sum(one.request is not None for one in path.handlers),
               sum(one.station == PURGATORY for one in path.requests))
        assert depths(cluster).points[-1][1:] == now
        seen.add(now)
    assert len(seen) > 10


def test_depths_of_another_broker_count_only_its_own_requests():
    cluster = canonical.healthy()
    for _ in range(5):
        cluster.producer(acks="all", linger_ms=0).send("orders", "paid", partition=0)
    cluster.run(ms=20)
    most = {broker: max(point[3] for point in depths(cluster, broker).points)
            for broker in (1, 3)}
    assert most == {1: 5, 3: 2}                     # a fetch that brings records has not waited


def test_m2_w4_what_left_the_page_cache_costs_a_network_thread_a_read_of_the_disk():
    read = read_back(old=200, fresh=200)
    cost = read.cost
    for offset, us in read.fetches:
        disk_us = cost.disk.read_us if offset < read.fresh_from else 0
        assert us == cost.network_send_us + disk_us
    assert read.fetches[0][0] == 0 and {offset < 200 for offset, _ in read.fetches} == {True, False}
