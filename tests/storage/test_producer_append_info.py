"""The checks of an append, each alone and all of them against a second, smaller model."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from kafka_internals.common import TopicPartition
from kafka_internals.errors import (
    ApiException,
    InvalidProducerEpochException,
    InvalidTxnStateException,
    OutOfOrderSequenceException,
    TransactionCoordinatorFencedException,
)
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.producer_append_info import AppendOrigin, ProducerAppendInfo
from kafka_internals.storage.producer_state_entry import (
    BatchMetadata,
    CompletedTxn,
    ProducerStateEntry,
    VerificationStateEntry,
)
from kafka_internals.storage.producer_state_manager import ProducerStateManager
from tests.storage.producing import data, end_txn

CLIENT, COORDINATOR, REPLICATION = \
    AppendOrigin.CLIENT, AppendOrigin.COORDINATOR, AppendOrigin.REPLICATION
PARTITION = TopicPartition("orders", 0)
MAX = 2**31 - 1


def known(epoch=5, last=7, txn=None, coordinator=-1):
    """A producer whose last batch was one record of that sequence number at offset 100."""
    batches = () if last is None else (BatchMetadata(last, 100, 0, 1_000),)
    return ProducerStateEntry(9, epoch, coordinator, 1_000, txn, batches)


def judged(entry, *headers, origin=CLIENT, asked=None):
    info = ProducerAppendInfo(PARTITION, entry, origin, asked)
    for header in headers:
        info.append_data_batch(header)
    return info


def refusal(act, *arguments, **options):
    try:
        act(*arguments, **options)
    except ApiException as error:
        return error.error_name
    return None


# -- the whole grid of C8, steps 3 to 5 -----------------------------------------------------------
EPOCHS = {"unknown": ProducerStateEntry(9), "older": known(4), "same": known(5), "newer": known(6),
          "same, no batch": known(5, None), "same, at the wrap": known(5, MAX),
          "same, open txn": known(5, txn=90)}


def expected(name, sequence, txn, origin):
    """What C8 says of a batch of epoch 5, in its order."""
    entry = EPOCHS[name]
    if name == "newer" and origin is not REPLICATION:
        return "INVALID_PRODUCER_EPOCH"
    if origin is CLIENT:
        fine = {"unknown": True, "older": sequence == 0, "same": sequence == 8,
                "same, no batch": sequence == 0, "same, at the wrap": sequence == 0,
                "same, open txn": sequence == 8}[name]
        if not fine:
            return "OUT_OF_ORDER_SEQUENCE_NUMBER"
    return "INVALID_TXN_STATE" if entry.current_txn_first_offset is not None and not txn else None


@pytest.mark.parametrize("name", EPOCHS)
def test_the_grid_of_epochs_sequences_transactions_and_origins(name):
    for sequence, txn, origin in product((0, 3, 7, 8, 9, MAX), (False, True), AppendOrigin):
        header = data(epoch=5, sequence=sequence, offset=101, txn=txn)
        said = refusal(judged, EPOCHS[name], header, origin=origin)
        assert said == expected(name, sequence, txn, origin), (sequence, txn, origin)


@pytest.mark.parametrize("lowest, sequence, epoch_bump, before, said", [
    (3, 3, False, ProducerStateEntry(9), None), (3, 2, False, ProducerStateEntry(9), None),
    (3, 4, False, ProducerStateEntry(9), "OUT_OF_ORDER_SEQUENCE_NUMBER"),
    (3, 3, True, ProducerStateEntry(9), "OUT_OF_ORDER_SEQUENCE_NUMBER"),
    (3, 0, True, ProducerStateEntry(9), None), (8, 8, True, known(5), None),
    (7, 8, True, known(5), "OUT_OF_ORDER_SEQUENCE_NUMBER")])
def test_a_batch_that_overtook_an_unverified_one_is_refused(lowest, sequence, epoch_bump, before,
                                                             said):
    asked = VerificationStateEntry(1, 0, lowest, 5, epoch_bump)
    header = data(epoch=5, sequence=sequence, txn=True)
    assert refusal(judged, before, header, asked=asked) == said
    assert refusal(judged, before, header, origin=REPLICATION, asked=asked) is None


def test_within_one_append_the_last_batch_is_the_one_to_follow():
    first, second = data(epoch=5, sequence=8, records=2), data(epoch=5, sequence=10, offset=2)
    assert judged(known(), first, second).entry.last_sequence == 10
    with pytest.raises(OutOfOrderSequenceException, match="11 \\(incoming.*, 9 \\(current end"):
        judged(known(), first, data(epoch=5, sequence=11, offset=2))


def test_an_unknown_producer_may_leave_a_gap_within_its_first_append():
    info = judged(ProducerStateEntry(9), data(sequence=3), data(sequence=9, offset=1))
    assert info.entry.last_sequence == 9


def test_a_refused_batch_leaves_nothing_behind():
    info = judged(known(txn=90))
    for header in (data(epoch=4), data(epoch=5, sequence=9), data(epoch=5, sequence=8)):
        with pytest.raises(ApiException):
            info.append_data_batch(header)
    assert info.entry == known(txn=90) and not info.started and not info.is_transactional


def test_g_c_5_errors_show_both_values():
    with pytest.raises(InvalidProducerEpochException, match="is 4, .* last seen epoch 5"):
        judged(known(), data(epoch=4))
    with pytest.raises(OutOfOrderSequenceException, match="3 \\(inc.*of epoch 6, after 5"):
        judged(known(), data(epoch=6, sequence=3))
    with pytest.raises(InvalidTxnStateException, match="at offset 101 .* since offset 90"):
        judged(known(txn=90), data(epoch=5, sequence=8, offset=101))


# -- transactions ---------------------------------------------------------------------------------
def test_the_first_transactional_batch_opens_and_the_second_does_not():
    info = judged(known(), data(epoch=5, sequence=8, offset=101, txn=True),
                  data(epoch=5, sequence=9, offset=102, txn=True))
    assert info.entry.current_txn_first_offset == 101 and info.is_transactional
    assert [(txn.first_offset, txn.last_offset) for txn in info.started] == [(101, None)]


def ended(entry, epoch, version=0, coordinator=3, origin=COORDINATOR, aborted=False):
    info = ProducerAppendInfo(PARTITION, entry, origin)
    completed = info.append_end_txn_marker(end_txn(epoch=epoch, offset=200, timestamp=7), aborted,
                                           coordinator, version)
    return info.entry, completed


@pytest.mark.parametrize("version, epoch, txn, allowed", [
    (0, 4, 90, False), (0, 5, 90, True), (0, 6, 90, True), (0, 5, None, True), (1, 5, 90, True),
    (2, 4, 90, False), (2, 5, 90, False), (2, 6, 90, True), (2, 5, None, True),
    (2, 4, None, False)])
def test_the_epoch_of_a_marker_by_the_version_of_its_transaction(version, epoch, txn, allowed):
    said = refusal(ended, known(txn=txn), epoch, version)
    assert said == (None if allowed else "INVALID_PRODUCER_EPOCH")
    assert refusal(ended, known(txn=txn), epoch, version, origin=REPLICATION) is None


def test_the_last_epoch_of_all_may_end_its_own_transaction():
    assert refusal(ended, known(32_767, txn=90), 32_767, 2) is None
    assert refusal(ended, known(32_766, txn=90), 32_766, 2) == "INVALID_PRODUCER_EPOCH"


def test_a_marker_ends_the_transaction_and_keeps_the_batches_of_its_epoch():
    entry, completed = ended(known(txn=90), 5, aborted=True)
    assert completed == CompletedTxn(9, 90, 200, True)
    assert entry == known(coordinator=3)._replace(last_timestamp=7)
    assert ended(known(), 5)[1] is None


def test_a_marker_of_a_higher_epoch_forgets_the_batches():
    entry, completed = ended(known(txn=90), 6, 2)
    assert (entry.producer_epoch, entry.batches, completed.is_aborted) == (6, (), False)
    assert refusal(judged, entry, data(epoch=5, sequence=8)) == "INVALID_PRODUCER_EPOCH"
    assert refusal(judged, entry, data(epoch=6, sequence=8)) == \
        "OUT_OF_ORDER_SEQUENCE_NUMBER"
    assert refusal(judged, entry, data(epoch=6, sequence=0)) is None


def test_a_marker_of_an_unknown_producer_makes_it_known():
    entry, completed = ended(ProducerStateEntry(9), 0)
    assert (entry.producer_epoch, entry.coordinator_epoch, completed) == (0, 3, None)


def test_an_older_coordinator_is_fenced():
    with pytest.raises(TransactionCoordinatorFencedException, match="2 \\(zombie\\), 3 \\(current"):
        ended(known(coordinator=3), 5, coordinator=2)
    assert ended(known(coordinator=3), 5, coordinator=2, origin=REPLICATION)


# -- a second model -------------------------------------------------------------------------------
def second_model(log, epoch, first, count):
    """The answer for a plain idempotent batch, from a list of what was appended before.

    `log`: (epoch, first sequence, records, offset). An offset, or the name of an error.
    """
    if not log:
        return None
    current = max(one[0] for one in log)
    here = [one for one in log if one[0] == current]
    if epoch == current:
        for _, known_first, known_count, offset in here[-5:]:
            if (known_first, known_count) == (first, count):
                return offset
    if epoch < current:
        return "INVALID_PRODUCER_EPOCH"
    following = (here[-1][1] + here[-1][2]) % 2**31 if epoch == current else 0
    return None if first == following else "OUT_OF_ORDER_SEQUENCE_NUMBER"


tries = some.lists(some.tuples(some.integers(0, 2), some.integers(-3, 2), some.integers(1, 3)),
                   max_size=30)


@settings(max_examples=300)
@given(tries, some.sampled_from((0, MAX - 3)))
def test_any_sequence_of_batches_is_answered_as_by_a_second_model(attempts, begin):
    producers = ProducerStateManager(PARTITION, Disk(lambda n: 0))
    log, end, expected_next = [], 0, begin
    for epoch, away, count in attempts:
        first = (expected_next + away if away != -3 else 0) % 2**31
        wanted = second_model(log, epoch, first, count)
        header = data(epoch=epoch, sequence=first, records=count, offset=end)
        if duplicate := producers.find_duplicate_batch(header):
            assert duplicate.first_offset == wanted
            continue
        info = producers.prepare_update(9, CLIENT)
        assert refusal(info.append_data_batch, header) == wanted
        if wanted is None:
            producers.update(info)
            log.append((epoch, first, count, end))
            end, expected_next = end + count, (first + count) % 2**31
