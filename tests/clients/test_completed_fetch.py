"""CompletedFetch: what a consumer is given of the bytes that came, at both isolation levels."""

from typing import NamedTuple

import pytest

from kafka_internals.clients.completed_fetch import CompletedFetch
from kafka_internals.clients.fetch_metrics_manager import (
    SENSORS,
    FetchMetricsAggregator,
    FetchMetricsManager,
)
from kafka_internals.clients.metrics import Metrics
from kafka_internals.common import TopicPartition
from kafka_internals.config import CONSUMER_CONFIG
from kafka_internals.control_record import ControlRecordType, EndTransactionMarker
from kafka_internals.errors import KafkaException
from kafka_internals.messages.fetch import PartitionData
from kafka_internals.record_batch import encode
from tests.golden.cases import Case

ORDERS = TopicPartition("orders", 0)


class Aborted(NamedTuple):
    producer_id: int
    first_offset: int


def fetched(records, offset=0, aborted=None, **configs):
    config = CONSUMER_CONFIG.parse({name.replace("_", "."): one for name, one in configs.items()})
    data = PartitionData(ORDERS, records=records, aborted_transactions=aborted)
    manager = FetchMetricsManager(Metrics("reader", "consumer", SENSORS))
    aggregator = FetchMetricsAggregator(manager, [ORDERS])
    return CompletedFetch(data, offset, config, (), aggregator)


def committed(records, aborted, **more):
    return fetched(records, aborted=aborted, isolation_level="read_committed", **more)


def offsets(one):
    return [record.offset for record in one.records]


def sent(base_offset, count=1, producer_id=-1, **more):
    state = {"producer_id": producer_id, "producer_epoch": 0, "base_sequence": 0,
             "attributes": 0x10} if producer_id >= 0 else {}
    return encode([(1_000, None, b"v", ())] * count, base_offset=base_offset, **state, **more)


def marker(base_offset, producer_id, outcome):
    return EndTransactionMarker(ControlRecordType[outcome], 0).encode(
        1_000, producer_id, 0, base_offset=base_offset)


@pytest.mark.parametrize("level", ["read_committed", "read_uncommitted"])
def test_a_control_batch_is_never_given_and_the_next_fetch_begins_behind_it(level):
    one = fetched(sent(0, 2, 7) + marker(2, 7, "COMMIT"), aborted=(), isolation_level=level)
    assert offsets(one) == [0, 1] and one.end_offset == 3


def test_a_fetch_of_nothing_but_a_marker_leads_past_it():
    one = fetched(marker(4, 7, "ABORT"), offset=4)
    assert (offsets(one), one.end_offset) == ([], 5)
    assert one.take(10) == [] and one.is_consumed


def test_read_committed_passes_over_an_aborted_transaction_and_only_over_that():
    log = (sent(0, 1, 7) + sent(1, 1, 8) + sent(2) + marker(3, 7, "ABORT") + sent(4, 1, 7)
           + marker(5, 7, "COMMIT") + marker(6, 8, "COMMIT"))
    assert offsets(committed(log, (Aborted(7, 0),))) == [1, 2, 4]
    assert offsets(fetched(log)) == [0, 1, 2, 4]


def test_without_an_abort_marker_in_the_bytes_the_rest_of_it_is_left_out_too():
    assert offsets(committed(sent(0, 1, 7) + sent(1, 1, 7), (Aborted(7, 0),))) == []


def test_a_fetch_that_ends_with_an_aborted_batch_begins_behind_it_the_next_time():
    one = committed(sent(0) + sent(1, 3, 7), (Aborted(7, 1),))
    assert (offsets(one), one.end_offset) == ([0], 4)


def test_offsets_that_hold_nothing_any_more_are_not_fetched_again():
    one = fetched(sent(10, 3), offset=12)
    assert (offsets(one), one.end_offset) == ([12], 13)


def test_who_takes_as_many_as_there_are_does_not_know_yet_that_it_was_all():
    one = fetched(sent(0, 2))
    assert len(one.take(2)) == 2 and not one.is_consumed
    assert one.take(1) == [] and one.is_consumed


def flipped(batch):
    return batch[:-2] + bytes([batch[-2] ^ 1]) + batch[-1:]


def test_check_crcs_finds_what_is_damaged_and_without_it_nobody_looks():
    log = sent(0) + flipped(sent(1))
    one = fetched(log)
    assert len(one.take(9)) == 1 and not one.is_consumed
    for _ in range(2):
        with pytest.raises(KafkaException, match="orders-0. If needed, please seek past"):
            one.take(9)
    assert offsets(fetched(log, check_crcs="false")) == [0, 1]


def visible(case):
    """Offsets of the records whose transaction was committed, from what the case did."""
    open_by, seen = {}, set()
    for step, answer in zip(case.steps, case.expect):
        if step["op"] == "produce":
            open_by.setdefault(step["batch"]["pid"], []).append(answer["baseOffset"])
        elif step["op"] == "marker":
            ended = open_by.pop(step["pid"], [])
            seen |= set(ended) if step["commit"] else set()
    return seen


def test_golden_every_recorded_fetch_gives_what_was_committed_and_nothing_else():
    case = Case("storage/read-committed")
    stored, wanted, checked = {one.base_offset: one for one in case.batches()}, visible(case), 0
    for step, answer in zip(case.steps, case.expect):
        if step["op"] == "fetch" and answer.get("batches"):
            level = ("read_uncommitted", "read_committed")[step["isolation"]]
            bases = [base for base, _, _ in answer["batches"]]
            aborted = tuple(Aborted(one["producerId"], one["firstOffset"])
                            for one in answer.get("abortedTransactions") or ())
            one = fetched(b"".join(stored[base].buffer for base in bases), step["offset"],
                          aborted, isolation_level=level)
            data = [base for base in bases if not stored[base].header.is_control]
            assert offsets(one) == [base for base in data
                                    if level == "read_uncommitted" or base in wanted], step
            assert one.end_offset == bases[-1] + 1
            checked += 1
    assert checked >= 17
