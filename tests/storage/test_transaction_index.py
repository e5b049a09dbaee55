"""TransactionIndex: which aborted transactions a fetch has to leave out."""

import pytest

from kafka_internals.errors import CorruptIndexException, KafkaException
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.transaction_index import AbortedTxn, TransactionIndex

NAME = "orders-0/00000000000000000000.txnindex"
TXNS = (AbortedTxn(7, 0, 10, 2), AbortedTxn(8, 5, 15, 16), AbortedTxn(7, 18, 35, 25))


@pytest.fixture
def disk() -> Disk:
    return Disk(lambda n: 0)


@pytest.fixture
def index(disk) -> TransactionIndex:
    made = TransactionIndex(disk, NAME, 0)
    for one in TXNS:
        made.append(one)
    return made


def test_g_a_7_an_entry_has_34_bytes(disk):
    TransactionIndex(disk, NAME, 0).append(AbortedTxn(9, 5, 7, 8))
    assert disk.read(NAME).hex() == ("0000" "0000000000000009" "0000000000000005"
                                     "0000000000000007" "0000000000000008")


def test_there_is_no_file_before_the_first_aborted_transaction(disk):
    empty = TransactionIndex(disk, NAME, 0)
    assert list(empty) == [] and empty.collect_aborted_txns(0, 99) == ((), False)
    empty.reset()
    empty.flush()
    empty.sanity_check()
    empty.truncate_to(0)
    assert not disk.exists(NAME)


@pytest.mark.parametrize("fetch, upper, found, complete", [
    (0, 100, (0, 1, 2), False), (0, 32, (0, 1, 2), False), (0, 18, (0, 1), True),
    (0, 5, (0,), True), (10, 25, (0, 1, 2), True), (11, 25, (1, 2), True),
    (16, 17, (), True), (36, 100, (), False)])
def test_a_fetch_is_told_what_ends_in_it_or_later_and_begins_before_its_end(
        index, fetch, upper, found, complete):
    assert index.collect_aborted_txns(fetch, upper) == (tuple(TXNS[n] for n in found), complete)


def test_transactions_end_one_after_the_other(index):
    with pytest.raises(ValueError, match="ends at 35 does not lie behind 35"):
        index.append(AbortedTxn(9, 30, 35, 36))
    assert tuple(index) == TXNS


@pytest.mark.parametrize("offset, kept", [(0, 0), (10, 0), (11, 1), (35, 2), (36, 3)])
def test_cutting_at_an_offset_takes_the_transaction_that_ends_there(index, offset, kept):
    index.truncate_to(offset)
    assert tuple(index) == TXNS[:kept]


def test_a_file_cut_short_is_not_noticed(disk, index):
    disk.truncate(NAME, 3 * 34 - 1)
    index.sanity_check()
    assert tuple(index) == TXNS[:2]


def test_an_entry_before_the_base_is_corrupt(disk, index):
    with pytest.raises(CorruptIndexException, match="last offset 10 .* base offset 11"):
        TransactionIndex(disk, NAME, 11).sanity_check()


def test_an_unknown_version_is_no_corruption_but_stops_everything(disk, index):
    disk.write(NAME, 34, b"\0\1")
    with pytest.raises(KafkaException, match="entry 1 .* version 1; the highest one known here is 0"
                       ) as raised:
        index.sanity_check()
    assert raised.type is KafkaException
