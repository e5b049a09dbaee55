"""Tuning: what the lab says of six settings is what the runs give, in whole numbers."""

import pytest

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.cluster.cost_model import CODECS, CostModel
from kafka_internals.course import tuning as module
from kafka_internals.course.tuning import LAB_COST, lab_cluster, tuned, tuning
from kafka_internals.errors import ConfigException
from kafka_internals.viz.quantities import CostTable
from kafka_internals.viz.tuning_chart import Tuning, told, tuning_chart

IN_FLIGHT = "max_in_flight_requests_per_connection"


def micros(run) -> tuple[int, int]:
    """Mean and 99 of 100, in whole microseconds."""
    return round(run.mean_ms * 1000), round(run.p99_ms * 1000)


def whole(run) -> tuple[int, int, int]:
    """Records, requests, KiB: a second."""
    return round(run.records_per_s), round(run.requests_per_s), round(run.wire_kib_per_s)


def metric(run, name: str) -> float:
    return round(dict(run.metrics)[name], 2)


@pytest.fixture
def fresh():
    """No run is remembered, neither before nor after."""
    module._tuned.cache_clear()
    yield
    module._tuned.cache_clear()


# -- H1.01 and H1.04: a baseline and its metrics -------------------------------------------------
def test_h1_01_the_baseline_is_the_same_number_everywhere():
    base = tuned()
    assert micros(base) == (9458, 12492) and whole(base) == (7858, 815, 7791)
    assert repr(base).startswith("8,000 records a second arrive, 7,858 are answered: mean 9.5 ms, ")


def test_h1_04_the_metrics_have_the_java_clients_names():
    base = tuned()
    assert [(name, round(value, 2)) for name, value in base.metrics] == [
        ("record-queue-time-avg", 4.94), ("request-latency-avg", 6.17),
        ("batch-size-avg", 9343.48), ("records-per-request-avg", 9.25),
        ("compression-rate-avg", 1.0)]


def test_h1_01_the_queue_takes_over_between_6_000_and_8_000_records_a_second():
    loads = tuning("records_per_s", (1_000, 6_000, 8_000, 12_000))
    assert loads.setting == "records a second that arrive"
    ahead = [metric(run, "request-latency-avg") > metric(run, "record-queue-time-avg")
             for run in loads.runs]
    assert ahead == [False, False, True, True]
    assert [round(run.records_per_s) for run in loads.runs] == [1000, 5965, 7858, 9425]


def test_the_longer_an_overload_lasts_the_longer_a_record_takes(fresh, monkeypatch):
    short = tuned(12_000)
    monkeypatch.setattr(module, "LEAST_MS", 200)
    module._tuned.cache_clear()
    assert (round(short.p99_ms), round(tuned(12_000).p99_ms)) == (41, 69)


# -- H1.02: linger and batch size ----------------------------------------------------------------
def test_h1_02_under_load_lingering_has_a_best_value():
    runs = tuning("linger_ms", (0, 2, 5, 10, 20)).runs
    assert [round(run.mean_ms, 1) for run in runs] == [21.0, 19.3, 9.5, 14.0, 14.1]
    assert [round(run.requests_per_s) for run in runs] == [1075, 1089, 815, 520, 498]


def test_h1_02_on_a_quiet_broker_it_has_none():
    runs = tuning("linger_ms", (0, 2, 5, 10, 20), records_per_s=1_000).runs
    means = [run.mean_ms for run in runs]
    assert means == sorted(means)


def test_h1_02_a_larger_batch_size_changes_nothing_where_batches_leave_by_time():
    assert tuned(batch_size=65_536) == tuned(batch_size=16_384)
    assert round(tuned(batch_size=16_384, linger_ms=20).requests_per_s) == 498
    assert round(tuned(batch_size=65_536, linger_ms=20).requests_per_s) == 230


def test_h1_02_two_in_flight_beat_five_where_nothing_lingers():
    means = [round(run.mean_ms, 1) for run in tuning(IN_FLIGHT, (1, 2, 5), linger_ms=0).runs]
    assert means == [15.9, 10.2, 21.0]


# -- H1.03: compression and acks -----------------------------------------------------------------
def test_h1_03_compression_ends_a_queue_of_bytes():
    runs = tuning("compression_type", ("none", "gzip", "snappy", "lz4", "zstd"),
                  records_per_s=12_000).runs
    assert [round(run.wire_kib_per_s) for run in runs] == [9325, 3861, 5703, 5703, 3861]
    assert [round(run.mean_ms, 1) for run in runs] == [25.3, 7.8, 9.6, 9.6, 7.8]
    assert [round(run.thread_percent, 1) for run in runs] == [0.0, 8.8, 0.6, 0.6, 1.2]
    assert [metric(run, "compression-rate-avg") for run in runs] == [1.0, .32, .48, .48, .32]


@pytest.mark.parametrize("codec", CODECS, ids=lambda one: one.name)
def test_a_compressed_size_is_the_tables_and_no_codec_is_asked(codec, fresh, monkeypatch):
    def never(*_):
        raise AssertionError("a codec was used")
    monkeypatch.setattr("kafka_internals.compression.compress", never)
    monkeypatch.setattr("kafka_internals.record_batch.compress", never)
    run, plain = tuned(1_000, compression_type=codec.name), tuned(1_000)
    assert run.requests_per_s == pytest.approx(plain.requests_per_s, rel=0.05)
    overhead = 61 + 20 * 2
    assert run.wire_kib_per_s * 1024 / run.requests_per_s == pytest.approx(
        20 * codec.percent + overhead, abs=40)


def test_an_application_packs_one_record_after_the_other():
    gzip = CODECS[0]
    due = module._due(8, 4_000_000, gzip)           # all arrive within 2 us, on four threads
    assert [(at, sender) for at, sender, _ in due] == [
        (29, 0), (29, 1), (29, 2), (29, 3), (58, 0), (58, 1), (58, 2), (58, 3)]
    assert [arrived for *_, arrived in due] == [0, 0, 0, 0, 1, 1, 1, 1]


def test_a_handler_unpacks_what_it_checks():
    assert lab_cluster().setup.cost.validate_us_per_kib == LAB_COST.validate_us_per_kib == 20
    assert {codec.name: lab_cluster(codec).setup.cost.validate_us_per_kib for codec in CODECS} \
        == {"gzip": 71, "snappy": 43, "lz4": 43, "zstd": 65}


def test_h1_03_acks_1_answers_before_the_others_have_it():
    all_, one, none = tuning("acks", ("all", "1", "0")).runs
    assert (all_.leader_only, one.leader_only, none.leader_only) == (0, 800, 800)
    assert [micros(run)[0] for run in (all_, one)] == [9458, 5875]
    assert dict(none.metrics)["request-latency-avg"] != dict(none.metrics)["request-latency-avg"]


def test_h1_03_a_connection_that_waits_for_followers_carries_less():
    answered = [round(tuned(12_000, **more).records_per_s) for more in (
        {}, {"acks": "1"}, {"linger_ms": 20, "batch_size": 65_536})]
    assert answered == [9425, 12000, 11729]


# -- the measurement itself ----------------------------------------------------------------------
def test_another_seed_is_another_run_of_the_same_kind():
    runs = [tuned(seed=seed) for seed in (7, 8, 9)]
    assert len({run.mean_ms for run in runs}) == 3
    assert max(run.mean_ms for run in runs) < 1.1 * min(run.mean_ms for run in runs)


def test_a_default_that_is_named_is_no_other_run():
    assert tuned(linger_ms=5, acks="all", batch_size=16_384) is tuned()


@pytest.mark.parametrize("configs, said", [
    ({"lingerms": 3}, "did you mean 'linger.ms'"), ({"linger_ms": -1}, "linger.ms"),
    ({"acks": "1", "enable_idempotence": True}, "Must set acks to all"),
    ({"compression_type": "rar"}, "compression.type")])
def test_what_kafka_refuses_is_refused(configs, said):
    with pytest.raises(ConfigException, match=said):
        tuned(**configs)


# -- charts --------------------------------------------------------------------------------------
def test_a_chart_says_what_it_shows_and_names_its_cost_model():
    chart = tuning_chart(tuning("linger_ms", (0, 5)), 5)
    assert repr(chart) == (
        "Times from arrival to answer, requests and KiB a second against linger.ms, 5 is chosen. "
        "0: 21.0 ms, 99 of 100 within 24.6, 1075 requests, 6681 KiB; "
        "5: 9.5 ms, 99 of 100 within 12.5, 815 requests, 7791 KiB.")
    svg = chart.chart.svg
    assert LAB_COST.described() in svg and "link 82 us/KiB" in svg
    for name in ("99 of 100 records", "mean of all records", "record-queue-time-avg",
                 "request-latency-avg", "requests a second", "all that the link carries"):
        assert name in svg
    table = repr(CostTable(chart.cost))
    assert "zstd         32 %" in table and "4 us/KiB to pack it, 1 to unpack it" in table


def test_a_run_that_is_still_to_come_has_no_dot():
    half = Tuning("acks", ("all", "1"), (tuned(), None), LAB_COST)
    assert "1: " not in told(half, "all") and "all is chosen" in told(half, "all")
    assert "<svg" in tuning_chart(half, "all").chart.svg


def test_a_chart_is_the_same_bytes_twice():
    sweep = tuning("acks", ("all", "1", "0"))           # with a metric that was not measured
    assert tuning_chart(sweep).chart.svg == tuning_chart(sweep).chart.svg


def test_what_costs_nothing_is_in_no_table():
    assert "link" not in CostModel().described()
    assert not {"link", "zstd"} & {row.what for row in CostModel().rows()}
    assert {"link", "gzip", "snappy", "lz4", "zstd"} <= {row.what for row in LAB_COST.rows()}


def test_a_link_holds_the_network_thread_for_each_kib_of_records():
    def answered_us(cost: CostModel) -> int:
        cluster = Cluster(brokers=1, seed=7, cost=cost)
        cluster.create_topic("orders", 1, 1)
        cluster.producer(linger_ms=0).send("orders", "x" * 10_240, partition=0).get()
        return cluster.machine.world.now_us
    assert answered_us(CostModel(link_us_per_kib=82)) - answered_us(CostModel()) == 10 * 82
