"""What is often said about producing, and what is true: errata E8 and E11 of the module."""

import pytest

from kafka_internals.config.producer_config import PRODUCER_CONFIG
from kafka_internals.course import canonical
from kafka_internals.errors import OutOfOrderSequenceException
from kafka_internals.record_batch import RecordBatch, encode


def numbered(sequence: int) -> RecordBatch:
    """Producer 7's next batch, of one record."""
    return RecordBatch(encode([(1_000, None, b"paid", ())], producer_id=7, producer_epoch=0,
                              base_sequence=sequence))


def test_e8_a_recent_duplicate_is_a_success_with_its_first_offset_and_a_gap_is_an_error():
    log = canonical.healthy().machine.brokers[1].manager
    (log,) = (one.log for name, one in log.partitions.items() if str(name) == "orders-0")
    for sequence in range(6):
        assert log.append_as_leader(numbered(sequence), 0, 0).first_offset == sequence
    for sequence in range(1, 6):                            # the last five batches are known
        again = log.append_as_leader(numbered(sequence), 0, 0)
        assert (again.first_offset, again.is_duplicate) == (sequence, True)
    for gap in (0, 7):                                      # forgotten, and not yet to come
        with pytest.raises(OutOfOrderSequenceException):
            log.append_as_leader(numbered(gap), 0, 0)
    assert log.log_end_offset == 6


def test_e8_a_producer_whose_answer_was_lost_hears_of_no_duplicate():
    cluster = canonical.healthy()
    receipt = cluster.producer(linger_ms=0, request_timeout_ms=500).send("orders", "paid",
                                                                         partition=0)
    cluster.drop("response-producer-1.3")
    assert receipt.get().offset == 0
    told = [change[4] for change in cluster.trace.changes if change[2] == "answer"
            and change[1].startswith("request-producer-1.") and "orders-0 offset" in str(change[4])]
    assert told == ["orders-0 offset 0"] * 2
    assert [record.value for record in cluster.log("orders-0", 1)] == ["paid"]


@pytest.mark.parametrize("acks, waits", [(None, True), ("all", True), ("1", False), ("0", False)])
def test_e11_who_waits_for_replicas_is_the_acks_setting_and_its_default_is_all(acks, waits):
    cluster = canonical.slow_follower(fetch_ms=400)
    settings = {} if acks is None else {"acks": acks}
    cluster.producer(linger_ms=0, **settings).send("orders", "paid", partition=0).get()
    replicated = cluster.look("orders-0@1").high_watermark == 1
    assert (cluster.now_ms > 400, replicated) == (waits, waits)
    assert PRODUCER_CONFIG.parse({})["acks"] == PRODUCER_CONFIG.parse({"acks": "all"})["acks"]
