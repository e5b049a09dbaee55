"""ProducerStateManager: retries, the last stable offset, expiry and snapshots."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from kafka_internals.common import TopicPartition
from kafka_internals.errors import (
    InvalidProducerEpochException,
    InvalidTxnStateException,
    OutOfOrderSequenceException,
)
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.producer_append_info import AppendOrigin
from kafka_internals.storage.producer_state_entry import CompletedTxn, decode_snapshot
from kafka_internals.storage.producer_state_manager import (
    LATE_TRANSACTION_BUFFER_MS,
    MAX_TRANSACTION_TIMEOUT_MS,
    PRODUCER_ID_EXPIRATION_MS,
    ProducerStateManager,
)
from tests.storage.producing import data, end_txn

PARTITION = TopicPartition("orders", 0)


class Log:
    """Appends to a log that holds nothing but what a producer state manager needs."""

    def __init__(self, disk=None, **options):
        self.disk = disk or Disk(lambda n: 0)
        self.producers = ProducerStateManager(PARTITION, self.disk, **options)
        self.end = 0

    def send(self, producer_id=9, sequence=0, records=1, epoch=0, txn=False, timestamp=1_000):
        """Append what a client sends: its base offset, the old one of a duplicate."""
        header = data(producer_id, epoch, sequence, records, self.end, txn, timestamp)
        if duplicate := self.producers.find_duplicate_batch(header):
            return duplicate.first_offset
        info = self.producers.prepare_update(producer_id, AppendOrigin.CLIENT)
        info.append_data_batch(header)
        return self._append(info, records)

    def mark(self, producer_id=9, aborted=False, epoch=0):
        """Append a marker: the last stable offset that an abort would note, and its offset."""
        info = self.producers.prepare_update(producer_id, AppendOrigin.COORDINATOR)
        done = info.append_end_txn_marker(end_txn(producer_id, epoch, self.end), aborted, 0)
        stable = done and self.producers.last_stable_offset(done)
        if done:
            self.producers.complete_txn(done)
        return stable, self._append(info, 1)

    def _append(self, info, records):
        self.producers.update(info)
        base, self.end = self.end, self.end + records
        self.producers.update_map_end_offset(self.end)
        return base

    def reopened(self, now_ms=1_000, start=0, **options):
        """The manager of a process that begins with this disk."""
        again = ProducerStateManager(PARTITION, self.disk, **options)
        again.truncate_and_reload(start, self.end, now_ms)
        return again


@pytest.fixture
def log() -> Log:
    return Log()


# -- idempotence ----------------------------------------------------------------------------------
def test_g_c_2_a_retry_gets_the_offset_of_the_first_try(log):
    log.send(1)
    assert (log.send(records=3), log.send(records=3), log.end) == (1, 1, 4)


def test_g_c_3_the_sixth_last_batch_is_no_duplicate_any_more(log):
    for sequence in range(6):
        log.send(sequence=sequence)
    with pytest.raises(OutOfOrderSequenceException, match="0 \\(incoming seq. number\\), 5 \\("):
        log.send(sequence=0)
    assert (log.send(sequence=1), log.end) == (1, 6)


def test_g_c_4_a_batch_that_was_split_is_no_duplicate(log):
    log.send(records=3)
    for sequence, records in ((0, 2), (2, 1), (1, 2)):
        with pytest.raises(OutOfOrderSequenceException):
            log.send(sequence=sequence, records=records)
    assert log.end == 3


def test_g_c_5_an_unknown_producer_may_begin_anywhere_and_a_new_epoch_at_zero(log):
    assert log.send(sequence=17) == 0
    with pytest.raises(OutOfOrderSequenceException):
        log.send(epoch=1, sequence=3)
    log.send(epoch=1)
    with pytest.raises(InvalidProducerEpochException):
        log.send(epoch=0, sequence=18)


# -- transactions ---------------------------------------------------------------------------------
def test_the_first_unstable_offset_waits_for_the_high_watermark(log):
    log.send()
    assert log.producers.first_unstable_offset is None
    log.send(1, txn=True)
    log.send(2, txn=True)
    assert log.producers.first_unstable_offset == log.producers.first_undecided_offset == 1
    log.mark(1)                                        # at offset 3
    assert (log.producers.first_undecided_offset, log.producers.first_unstable_offset) == (2, 1)
    log.producers.on_high_watermark_updated(3)         # below 3: the marker is not replicated yet
    assert log.producers.first_unstable_offset == 1
    log.producers.on_high_watermark_updated(4)
    assert log.producers.first_unstable_offset == 2
    log.mark(2)
    log.producers.on_high_watermark_updated(5)
    assert log.producers.first_unstable_offset is None


def test_the_last_stable_offset_of_an_abort_is_where_the_earliest_other_transaction_begins(log):
    log.send(1, txn=True)
    log.send(2, txn=True)
    assert log.mark(2, aborted=True) == (0, 2)
    assert log.mark(1, aborted=True) == (4, 3)


def test_a_marker_without_a_transaction_completes_none(log):
    log.send()
    assert log.mark() == (None, 1) and log.producers.first_unstable_offset is None


def test_completing_what_was_never_begun_is_refused(log):
    log.send(txn=True)
    with pytest.raises(ValueError, match="first_offset=5.*open are those at \\[0\\]"):
        log.producers.complete_txn(CompletedTxn(9, 5, 8, False))
    assert log.producers.first_undecided_offset == 0


def test_a_transaction_is_late_when_no_coordinator_would_have_let_it_live_so_long(log):
    late_after = MAX_TRANSACTION_TIMEOUT_MS + LATE_TRANSACTION_BUFFER_MS
    assert not log.producers.has_late_transaction(10**12)
    log.send(txn=True, timestamp=1_000)
    assert not log.producers.has_late_transaction(1_000 + late_after)
    assert log.producers.has_late_transaction(1_001 + late_after)


# -- verification ---------------------------------------------------------------------------------
def test_a_transaction_is_verified_before_its_first_batch_and_its_guard_dies_with_it():
    log = Log(verification_enabled=True)
    first = data(txn=True)
    check, ask = log.producers.check_transaction, \
        log.producers.maybe_create_verification_state_entry
    with pytest.raises(InvalidTxnStateException, match="guard None, expected is None"):
        check(first)
    guard = ask(9, 0, 0, False, 5).guard
    for wrong in (None, guard + 1):
        with pytest.raises(InvalidTxnStateException, match=f"expected is {guard}"):
            check(first, wrong)
    check(first, guard)
    log.send(txn=True)
    assert log.producers.verification_state_entry(9) is None
    check(data(sequence=1, txn=True))                  # the transaction is open: nothing to ask
    log.mark()
    with pytest.raises(InvalidTxnStateException):
        check(data(sequence=1, txn=True), guard)
    check(data(sequence=1))


def test_an_older_epoch_is_told_before_a_missing_verification():
    log = Log(verification_enabled=True)
    log.send(epoch=3)
    with pytest.raises(InvalidProducerEpochException, match="is 2, .* last seen epoch 3"):
        log.producers.check_transaction(data(epoch=2, txn=True))


def test_a_question_that_is_asked_again_keeps_the_lowest_sequence_of_the_highest_epoch(log):
    ask = log.producers.maybe_create_verification_state_entry
    first = ask(9, 5, 1, True, 0)
    assert ask(9, 7, 1, True, 1) == first
    assert ask(9, 3, 1, True, 1) == first._replace(lowest_sequence=3)
    assert ask(9, 1, 0, True, 1).lowest_sequence == 3
    assert ask(9, 8, 2, True, 1) == first._replace(lowest_sequence=8, epoch=2)
    assert ask(8, 0, 0, True, 1).guard != first.guard


# -- expiry ---------------------------------------------------------------------------------------
def test_a_silent_producer_expires_but_never_with_an_open_transaction(log):
    log.send(1, timestamp=1_000)
    log.send(2, timestamp=1_001)
    log.send(3, timestamp=0, txn=True)
    now_ms = 1_000 + PRODUCER_ID_EXPIRATION_MS
    assert log.producers.remove_expired_producers(now_ms - 1) == []
    assert log.producers.remove_expired_producers(now_ms) == [1]
    assert log.producers.remove_expired_producers(now_ms * 2) == [2]
    assert log.send(1, sequence=40) == 3               # as one that was never seen


def test_a_question_expires_too(log):
    log.producers.maybe_create_verification_state_entry(9, 0, 0, False, 10)
    log.producers.remove_expired_producers(9 + PRODUCER_ID_EXPIRATION_MS)
    assert log.producers.verification_state_entry(9)
    log.producers.remove_expired_producers(10 + PRODUCER_ID_EXPIRATION_MS)
    assert log.producers.verification_state_entry(9) is None


# -- snapshots ------------------------------------------------------------------------------------
def filled(log):
    """Snapshots at 2, 4 and 6; producer 9 has a transaction open since offset 3."""
    for n in range(6):
        log.send(9 if n == 3 else n, txn=n == 3)
        if n % 2:
            assert log.producers.take_snapshot() == n + 1
    return log


def test_a_snapshot_is_taken_once_at_an_offset_and_survives_a_power_loss(log):
    assert log.producers.take_snapshot() is None
    log.send()
    assert log.producers.take_snapshot() == 1 and log.producers.take_snapshot() is None
    log.disk.power_loss()
    assert log.disk.names("orders-0") == ["00000000000000000001.snapshot"]
    assert len(decode_snapshot(log.disk.read(log.producers.snapshot_file(1)))) == 1


def test_loading_gives_back_the_producers_and_their_open_transactions(log):
    filled(log)
    again = log.reopened()
    assert again.map_end_offset == 6 and again.active_producers() == \
        log.producers.active_producers()
    assert again.first_undecided_offset == 3
    assert again.take_snapshot() is None


def test_the_newest_valid_snapshot_is_loaded_and_corrupt_ones_are_deleted(log):
    filled(log)
    log.disk.write(log.producers.snapshot_file(6), 20, b"\xff")
    log.disk.truncate(log.producers.snapshot_file(4), 9)
    again = log.reopened()
    assert (again.map_end_offset, again.snapshot_offsets) == (2, [2])
    assert [one.producer_id for one in again.active_producers()] == [0, 1]
    assert log.disk.names("orders-0") == ["00000000000000000002.snapshot"]


def test_without_a_snapshot_everything_is_read_from_the_log_start(log):
    filled(log)
    log.producers.truncate_fully_and_start_at(0)
    again = log.reopened(start=1)
    assert (again.map_end_offset, again.active_producers()) == (1, [])


def test_snapshots_outside_of_the_log_are_deleted(log):
    filled(log)
    log.end = 5
    again = log.reopened(start=2)
    assert (again.map_end_offset, again.snapshot_offsets) == (4, [4])


def test_a_truncation_forgets_what_came_behind_the_last_snapshot(log):
    filled(log)
    log.send(77)
    log.producers.truncate_and_reload(0, 5, 1_000)
    assert log.producers.last_entry(77) is None
    assert (log.producers.map_end_offset, log.producers.snapshot_offsets) == (4, [2, 4])
    log.producers.update_map_end_offset(5)
    assert log.producers.take_snapshot() == 5


def test_a_log_that_begins_anew_has_a_snapshot_at_its_beginning(log):
    filled(log).producers.truncate_fully_and_start_at(40)
    assert log.disk.names("orders-0") == [] and log.producers.active_producers() == []
    assert (log.producers.first_unstable_offset, log.producers.take_snapshot()) == (None, 40)


def test_reloading_at_the_same_end_loads_nothing(log):
    filled(log)
    before = log.producers.last_entry(0)
    log.producers.truncate_and_reload(3, 6, 10**12)
    assert log.producers.last_entry(0) is before
    assert log.producers.snapshot_offsets == [4, 6]


def test_who_was_silent_for_too_long_is_not_loaded(log):
    filled(log)
    again = log.reopened(now_ms=1_000 + PRODUCER_ID_EXPIRATION_MS)
    assert [one.producer_id for one in again.active_producers()] == [9]


def test_deleting_before_and_after_an_offset_keeps_the_one_at_it(log):
    filled(log)
    log.producers.delete_snapshots_after(4)
    assert log.producers.snapshot_offsets == [2, 4]
    log.producers.delete_snapshots_before(4)
    assert log.producers.snapshot_offsets == [4]
    assert log.disk.names("orders-0") == ["00000000000000000004.snapshot"]


@pytest.mark.parametrize("bases, kept", [([0, 2, 4], [2, 4, 6]), ([0, 4], [4, 6]), ([0], [6]),
                                         ([0, 7], []), ([], [6])])
def test_of_snapshots_without_a_segment_only_the_last_of_all_is_kept(log, bases, kept):
    filled(log)
    log.producers.remove_stray_snapshots(bases)
    assert log.producers.snapshot_offsets == kept


def test_a_snapshot_is_marked_for_deletion_with_its_segment(log):
    filled(log)
    name = log.producers.mark_snapshot_for_deletion(4)
    assert name == "orders-0/00000000000000000004.snapshot.deleted" and log.disk.exists(name)
    assert log.producers.mark_snapshot_for_deletion(4) is None
    assert log.reopened().snapshot_offsets == [2, 6]


def test_deleting_records_does_not_forget_their_producers(log):
    filled(log)
    log.producers.on_log_start_offset_incremented(9)
    assert log.producers.last_entry(0) and log.producers.map_end_offset == 9


class JavaHashMap:
    """Buckets in lists, doubled at three quarters: how Java keeps Long keys."""

    def __init__(self):
        self.buckets, self.count = [[] for _ in range(16)], 0

    def bucket(self, key, buckets):
        folded = key & 0xFFFFFFFF ^ key >> 32
        return buckets[(folded ^ folded >> 16) % len(buckets)]

    def put(self, key):
        if key not in self.bucket(key, self.buckets):
            self.bucket(key, self.buckets).append(key)
            self.count += 1
        if self.count > len(self.buckets) * 3 / 4:
            doubled = [[] for _ in range(2 * len(self.buckets))]
            for old in self.keys():
                self.bucket(old, doubled).append(old)
            self.buckets = doubled

    def keys(self):
        return [key for bucket in self.buckets for key in bucket]


@given(some.lists(some.integers(0, 300) | some.integers(0, 2**63 - 1), max_size=60))
def test_producers_are_listed_in_the_order_of_a_java_hash_map(producer_ids):
    log, java = Log(), JavaHashMap()
    for producer_id in producer_ids:
        log.send(producer_id)
        java.put(producer_id)
    assert [one.producer_id for one in log.producers.active_producers()] == java.keys()
