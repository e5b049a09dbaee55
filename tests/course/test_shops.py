"""Three shops: good configs are praised, bad ones told what they missed and where to look."""

import pytest

from kafka_internals.course.shops import KEYS, SHOPS, grade_shop, payments_in_the_log

IN_FLIGHT = "max_in_flight_requests_per_connection"
GOOD = (
    ("checkout", {"linger_ms": 0}, "The checkout is content. 99 of 100 records are answered within "
     "3.4 ms, with 200 requests a second."),
    ("checkout", {"linger_ms": 2}, "The checkout is content. 99 of 100 records are answered within "
     "4.8 ms, with 200 requests a second."),
    ("clickstream", {"linger_ms": 50, "batch_size": 65_536, "compression_type": "zstd"},
     "The clickstream is content. 99 of 100 records are answered within 77.2 ms, with 100 requests "
     "a second."),
    ("clickstream", {"linger_ms": 50, "batch_size": 65_536, "compression_type": "lz4", "acks": "1"},
     "The clickstream is content."),
    ("checkout", {"linger_ms": "0"}, "The checkout is content."),
    ("bank", {"compression_type": "zstd"}, "The bank is content. 99 of 100 records are answered "
     "within 10.3 ms, with 827 requests a second, each payment once and in order."),
    ("bank", {"compression_type": "lz4", "linger_ms": 3}, "The bank is content."))
BAD = (
    ("checkout", {}, "The checkout: 99 of 100 records are answered within 7.8 ms, 2.8 more than "
     "the 5 that it allows. Look at the metrics: record-queue-time-avg is 5.0 ms, so most of it "
     "passes in the producer: linger.ms."),
    ("checkout", {"acks": "1", "linger_ms": 0}, "The checkout: 200 records were acknowledged "
     "before every in-sync replica had them. If the leader dies then, they are gone, and the shop "
     "believes they are safe. Look at acks."),
    ("clickstream", {}, "The clickstream: 16,000 records arrive in a second and 9,503 are "
     "answered, 6,497 too few, so the queue grows for ever. Look at the link: 9,399 KiB a second "
     "keep it busy 77 % of the time. Fewer bytes?"),
    ("clickstream", {"acks": "0", "linger_ms": 50, "batch_size": 131_072}, "The clickstream: with "
     "acks=0 no record is answered, so nobody can say how many arrive, or when. Look at acks."),
    ("clickstream", {"acks": "1", "linger_ms": 50, "batch_size": 131_072}, "The clickstream: 99 of "
     "100 records are answered within 131.8 ms, 31.8 more than the 100 that it allows. Look at the "
     "metrics: request-latency-avg is 60.8 ms, so most of it passes after the producer: the link "
     "is full: too many bytes."),
    ("clickstream", {"compression_type": "lz4", "linger_ms": 50}, "The clickstream: 487 requests a "
     "second, 287 more than the 200 that it allows. Look at batch-size-avg: 15,108 of 16,384 "
     "bytes, so batches leave because they are full: batch.size."),
    ("clickstream", {"compression_type": "lz4", "batch_size": 65_536}, "The clickstream: 817 "
     "requests a second, 617 more than the 200 that it allows. Look at batch-size-avg: 8,952 of "
     "65,536 bytes, so batches leave before they are full: linger.ms."),
    ("clickstream", {"compression_type": "zstd", "batch_size": 1 << 20, "linger_ms": 500},
     "The clickstream: 99 of 100 records are answered within 639.5 ms, 539.5 more than the 100 "
     "that it allows. Look at the metrics: record-queue-time-avg is 485.0 ms, so most of it passes "
     "in the producer: linger.ms."),
    ("bank", {}, "The bank: 99 of 100 records are answered within 12.8 ms, 1.8 more than the 11 "
     "that it allows. Look at the metrics: request-latency-avg is 6.4 ms, so most of it passes "
     "after the producer: too many requests, or too many bytes."),
    ("bank", {"linger_ms": 0}, "The bank: 8,000 records arrive in a second and 6,716 are answered, "
     "1,284 too few, so the queue grows for ever. Look at records-per-request-avg, 6.1: a "
     "connection has its requests answered one after the other, and 1,075 a second is all that "
     "four of them can do. Fewer requests?"),
    ("bank", {IN_FLIGHT: 1}, "The bank: 99 of 100 records are answered within 31.7 ms, 20.7 more "
     "than the 11 that it allows. Look at the metrics: record-queue-time-avg is 11.5 ms, more than "
     "the 5 of linger.ms: batches wait until a request in flight is answered."),
    ("bank", {"acks": "1"}, "The bank: 800 records were acknowledged before every in-sync replica "
     "had them."),
    ("bank", {"compression_type": "zstd", "enable_idempotence": False}, "The bank: requests were "
     "lost for 16 ms, and the log holds payment 35 behind payment 44, for the first time. Look at "
     "enable.idempotence: a retry has to be known as a retry."),
    ("bank", {"compression_type": "zstd", "enable_idempotence": False, IN_FLIGHT: 1},
     "The bank: answers were lost for 16 ms, and the log holds payment 15 behind payment 19, once "
     "more. Look at enable.idempotence: a retry has to be known as a retry."))
REFUSED = (
    ([1], "The bank: a config is a dict such as dict(linger_ms=0), not [1]."),
    ({"lingerms": 3}, f"The bank: 'lingerms' is none of its settings; they are {', '.join(KEYS)}."),
    ({"linger_ms": -1}, "The bank: Kafka refuses this config. Invalid value -1 for configuration "
     "linger.ms: Value must be at least 0"),
    ({"acks": "1", "enable_idempotence": True}, "The bank: Kafka refuses this config. Must set "
     "acks to all in order to use the idempotent producer. Otherwise we cannot guarantee "
     "idempotence."),
    ({IN_FLIGHT: 6}, "The bank: Kafka refuses this config. To use the idempotent producer, "
     "max.in.flight.requests.per.connection must be set to at most 5. Current value is 6."))


@pytest.mark.parametrize("name, config, said", GOOD)
def test_a_good_config_is_told_what_it_reached(name, config, said):
    verdict = grade_shop(name, config)
    assert verdict.passed and str(verdict).startswith(said)


@pytest.mark.parametrize("name, config, said", BAD)
def test_a_bad_config_is_told_what_it_missed_by_how_much_and_where_to_look(name, config, said):
    verdict = grade_shop(name, config)
    assert verdict.passed is False and str(verdict).startswith(said)
    assert verdict.solution.startswith(f"{name} = dict(")


@pytest.mark.parametrize("config, said", REFUSED)
def test_what_cannot_be_run_is_refused_and_tells_no_solution(config, said):
    verdict = grade_shop("bank", config)
    assert (verdict.passed, str(verdict), verdict.solution) == (False, said, "")


def test_what_is_not_attempted_hears_the_wishes():
    told = {name: grade_shop(name, None) for name in SHOPS}
    assert [(one.passed, one.solution) for one in told.values()] == [(None, "")] * 3
    assert str(told["bank"]) == (
        "Not attempted yet: bank is None. The bank, 8,000 records a second: 99 of 100 records "
        "answered within 11 ms; acknowledged means: on every in-sync replica; each record once and "
        "in order, also when requests and answers are lost.")
    assert "at most 200 requests a second." in str(told["clickstream"])


def test_each_solution_is_one():
    for name, shop in SHOPS.items():
        assert grade_shop(name, shop.solution).passed


def test_a_shop_that_there_is_not():
    with pytest.raises(ValueError, match="no shop .bakery.; there is checkout, clickstream, bank"):
        grade_shop("bakery", {})


@pytest.mark.parametrize("answers", [False, True])
def test_an_idempotent_producer_keeps_order_whatever_is_lost(answers):
    assert payments_in_the_log({}, answers) == list(range(60))
