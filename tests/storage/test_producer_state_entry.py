"""What is remembered of one producer, and the bytes of a snapshot."""

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as some

from kafka_internals.byte_utils import crc32c
from kafka_internals.errors import CorruptSnapshotException
from kafka_internals.storage.producer_state_entry import (
    ENTRY_LAYOUT,
    SNAPSHOT_LAYOUT,
    BatchMetadata,
    ProducerStateEntry,
    decode_snapshot,
    encode_snapshot,
    in_sequence,
)
from tests.storage.producing import data

G_A_8 = bytes.fromhex("0001 2bb340f1 00000001 0000000000000009 0001 00000001 0000000000000006 "
                      "00000001 0000018bcfe56807 00000004 ffffffffffffffff")
G_A_8_ENTRY = ProducerStateEntry(9, 1, 4, 1_700_000_000_007, None,
                                 (BatchMetadata(1, 6, 1, 1_700_000_000_007),))


def test_g_a_8_a_snapshot_of_one_producer_and_of_none():
    assert encode_snapshot([G_A_8_ENTRY]) == G_A_8 and decode_snapshot(G_A_8) == [G_A_8_ENTRY]
    assert encode_snapshot([]).hex() == "000148674bc700000000" and len(G_A_8) == 56
    assert decode_snapshot(encode_snapshot([])) == []


def test_the_layouts_give_the_sizes_of_the_format():
    sizes = {"b": 1, "h": 2, "i": 4, "I": 4, "q": 8}
    assert sum(sizes[field.kind] for field in SNAPSHOT_LAYOUT) == 10
    assert sum(sizes[field.kind] for field in ENTRY_LAYOUT) == 46


@pytest.mark.parametrize("content, says", [
    (G_A_8[:9], "has 9 bytes, but a snapshot has at least 10"), (b"", "has 0 bytes"),
    (b"\0\2" + G_A_8[2:], "has version 2; this is the format of version 1"),
    (G_A_8[:-1] + b"\0", "stored crc of x is 0x2bb340f1, its bytes give 0x"),
    (G_A_8[:-1], "stored crc"), (G_A_8 + b"\0", "stored crc")])
def test_a_snapshot_that_cannot_be_believed_is_refused_with_both_values(content, says):
    with pytest.raises(CorruptSnapshotException, match=says):
        decode_snapshot(content, "x")


@pytest.mark.parametrize("count", [-1, 0, 2])
def test_a_count_that_does_not_fit_the_length_is_refused_though_the_checksum_is_right(count):
    body = pack(">i", count) + G_A_8[10:]
    with pytest.raises(CorruptSnapshotException, match=f"declares {count} producers.*has 56"):
        decode_snapshot(pack(">hI", 1, crc32c(body)) + body)


@given(some.integers(0, len(G_A_8) * 8 - 1))
def test_no_flipped_bit_goes_unnoticed(bit):
    content = bytearray(G_A_8)
    content[bit >> 3] ^= 1 << (bit & 7)
    with pytest.raises(CorruptSnapshotException):
        decode_snapshot(bytes(content))


long, short = some.integers(0, 2**63 - 1), some.integers(0, 2**15 - 1)
batches = some.builds(BatchMetadata, some.integers(0, 2**31 - 1), long, some.integers(0, 500), long)


@given(some.lists(some.builds(ProducerStateEntry, long, short, some.integers(-1, 99), long,
                              some.none() | long, some.lists(batches, max_size=5).map(tuple)),
                  max_size=5))
def test_a_snapshot_keeps_everything_but_the_older_batches(entries):
    kept = [entry._replace(batches=tuple(
        batch._replace(timestamp=entry.last_timestamp) for batch in entry.batches[-1:]))
        for entry in entries]
    assert decode_snapshot(encode_snapshot(entries)) == kept


# -- sequences ------------------------------------------------------------------------------------
def test_g_a_9_sequence_numbers_wrap_to_zero():
    header = data(sequence=2_147_483_646, records=3)
    assert header.last_sequence == 0
    entry = ProducerStateEntry(9).with_batch(header)
    assert (entry.last_sequence, entry.batches[0].first_sequence) == (0, 2_147_483_646)
    assert in_sequence(entry.last_sequence, 1) and entry.find_duplicate_batch(header)


@pytest.mark.parametrize("last, following", [(-1, 0), (0, 1), (6, 7), (2**31 - 1, 0)])
def test_one_number_follows_another(last, following):
    assert in_sequence(last, following)
    assert not in_sequence(last, following + 1) and not in_sequence(last, last)


def test_five_batches_are_remembered_and_a_new_epoch_forgets_them():
    entry = ProducerStateEntry(9)
    for n in range(7):
        entry = entry.with_batch(data(sequence=n, offset=10 + n, timestamp=n))
    assert [batch.last_sequence for batch in entry.batches] == [2, 3, 4, 5, 6]
    assert (entry.last_sequence, entry.last_offset, entry.last_timestamp) == (6, 16, 6)
    newer = entry.with_batch(data(epoch=1, sequence=0, offset=20))
    assert (newer.producer_epoch, len(newer.batches), newer.last_offset) == (1, 1, 20)
    assert entry.of_epoch(0) is entry and entry.of_epoch(3).last_sequence == -1


def test_a_duplicate_has_the_same_epoch_and_both_sequence_numbers():
    entry = ProducerStateEntry(9).with_batch(data(sequence=4, records=3, offset=10))
    found = entry.find_duplicate_batch(data(sequence=4, records=3))
    assert (found.first_offset, found.last_offset) == (10, 12)
    for other in (data(sequence=4, records=2), data(sequence=5, records=2),
                  data(epoch=1, sequence=4, records=3)):
        assert entry.find_duplicate_batch(other) is None
