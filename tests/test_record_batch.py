"""RecordBatch v2: golden bytes, two foreign implementations, every check of a reader."""

from struct import pack_into

import pytest
from aiokafka.record.default_records import DefaultRecordBatch as AioBatch
from aiokafka.record.default_records import DefaultRecordBatchBuilder as AioBuilder
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.record.default_records import DefaultRecordBatch as KafkaPythonBatch
from kafka.record.default_records import DefaultRecordBatchBuilder as KafkaPythonBuilder

from kafka_internals.byte_utils import crc32c
from kafka_internals.compression import CODECS
from kafka_internals.errors import (
    CorruptRecordException,
    IllegalStateException,
    RecordTooLargeException,
    UnsupportedCompressionTypeException,
)
from kafka_internals.record import RECORD_LAYOUT
from kafka_internals.record_batch import (
    CRC_COVERS_FROM,
    LAYOUT,
    RECORD_BATCH_OVERHEAD,
    SPANS,
    BatchHeader,
    Record,
    RecordBatch,
    batches,
    encode,
    encode_empty,
    valid_length,
)
from tests.golden import cases

BLOBS = st.none() | st.binary(max_size=150)
HEADERS = st.lists(st.tuples(st.text(max_size=6), BLOBS), max_size=3).map(tuple)
RECORDS = st.lists(st.tuples(st.integers(0, 1 << 42), BLOBS, BLOBS, HEADERS), min_size=1,
                   max_size=70)
FIVE = [(1_000 + n, b"k%d" % n, b"v" * n, ()) for n in range(5)]
G_A_2, G_A_3 = cases.vector("G-A-2").hex(), cases.vector("G-A-3").hex()


def transactional() -> RecordBatch:
    return RecordBatch(bytes.fromhex(G_A_3))


# -- golden bytes -----------------------------------------------------------------------------
def test_one_record_g_a_2():
    assert encode([(1_000, b"k", b"v", ())]).hex() == G_A_2


def test_nulls_headers_and_a_transaction_g_a_3():
    first = 1_700_000_000_000
    content = [(first, None, b"a", ()), (first + 7, b"k", None, (("h", b"x"), ("g", None)))]
    encoded = encode(content, base_offset=5, partition_leader_epoch=3, producer_id=9,
                     producer_epoch=1, base_sequence=0, attributes=0x10)
    assert encoded.hex() == G_A_3
    batch = RecordBatch(encoded)
    assert list(batch.records()) == [Record(5 + n, *one) for n, one in enumerate(content)]
    assert batch.header.is_transactional and not batch.header.is_control


def test_an_emptied_batch_keeps_what_a_producer_is_checked_against_g_a_5():
    empty = RecordBatch(encode_empty(transactional().header))
    assert empty.buffer == cases.vector("G-A-5") and empty.size == 61
    empty.ensure_valid()
    assert list(empty.records()) == []
    assert (empty.last_offset, empty.header.last_sequence) == (6, 1)


@pytest.mark.parametrize("attributes, kept", [(0x78, 0x38), (0x58, 0x18), (0x70, 0x30)])
def test_an_emptied_batch_loses_codec_and_horizon(attributes, kept):
    header = RecordBatch(encode(FIVE, attributes=attributes, compression_type="gzip")).header
    assert RecordBatch(encode_empty(header)).header.attributes == kept


def test_offsets_do_not_touch_the_checksum_g_a_6():
    given = transactional()
    stored = given.with_offsets(1 << 40, 17)
    stored.ensure_valid()
    assert (stored.base_offset, stored.last_offset, stored.header.next_offset) \
        == (1 << 40, (1 << 40) + 1, (1 << 40) + 2)
    assert stored.header == given.header._replace(base_offset=1 << 40, partition_leader_epoch=17)
    assert stored.buffer[16:] == given.buffer[16:]
    assert given.buffer.hex() == G_A_3


@pytest.mark.parametrize("base, records, last", [(2147483646, 3, 0), (2147483646, 2, 2147483647),
                                                 (0, 3, 2), (-1, 3, -1)])
def test_sequences_wrap_g_a_9(base, records, last):
    batch = RecordBatch(encode(FIVE[:records], producer_id=9, producer_epoch=0,
                               base_sequence=base))
    assert batch.header.last_sequence == last


def test_the_leaders_time_is_every_records_time_g_a_13():
    batch = RecordBatch(encode(FIVE, attributes=0x08))
    assert [record.timestamp for record in batch.records()] == [1_004] * 5
    for codec in CODECS:
        batch = RecordBatch(encode(FIVE, compression_type=codec, log_append_time_ms=9_000))
        assert {record.timestamp for record in batch.records()} == {9_000}
        assert (batch.header.base_timestamp, batch.header.timestamp_type) == (1_000,
                                                                              "LogAppendTime")


def test_a_delete_horizon_stands_where_the_base_timestamp_was():
    (record,) = rebuilt(bytes.fromhex(ONE), attributes=0x40, base_timestamp=5_000).records()
    assert record.timestamp == 5_000
    assert rebuilt(b"", attributes=0x40, base_timestamp=5_000).header.delete_horizon_ms == 5_000
    assert transactional().header.delete_horizon_ms is None


def test_a_new_largest_timestamp_is_under_a_new_checksum():
    batch = RecordBatch(encode(FIVE, attributes=0x90))
    assert batch.with_timestamps("CreateTime", 1_004) is batch
    changed = batch.with_timestamps("LogAppendTime", 9_000)
    changed.ensure_valid()
    assert (changed.header.attributes, changed.header.max_timestamp) == (0x18, 9_000)
    assert changed.with_timestamps("CreateTime", 1_004).header.attributes == 0x10


def test_a_batch_is_decompressed_up_to_a_limit_only():
    batch = RecordBatch(encode([(1_000, None, bytes(100_000), ())], compression_type="zstd"))
    assert len(list(batch.records(limit_bytes=100_020))) == 1
    with pytest.raises(RecordTooLargeException, match="beyond the 100000 bytes"):
        batch.records(limit_bytes=100_000)


def test_a_codec_that_does_not_exist_is_named_when_records_are_asked_for():
    batch = rebuilt(bytes.fromhex(ONE), attributes=5)
    batch.ensure_valid()
    with pytest.raises(UnsupportedCompressionTypeException, match="'unknown codec 5' is no"):
        batch.records()


# -- the layout -------------------------------------------------------------------------------
def test_the_layout_is_the_header():
    assert tuple(field.name for field in LAYOUT) == BatchHeader._fields
    assert list(SPANS.values())[0][0] == 0
    assert all(ends == begins for (_, ends), (begins, _) in
               zip(list(SPANS.values()), list(SPANS.values())[1:]))
    assert (RECORD_BATCH_OVERHEAD, CRC_COVERS_FROM) == (61, 21) == (SPANS["records_count"][1],
                                                                    SPANS["attributes"][0])


def test_spans_lead_to_the_fields():
    batch = transactional()
    for name, (start, end) in SPANS.items():
        found = int.from_bytes(batch.buffer[start:end], "big", signed=name != "crc")
        assert found == getattr(batch.header, name)


def test_every_field_has_a_meaning():
    assert all(field.meaning for field in LAYOUT + RECORD_LAYOUT)
    assert [field.name for field in RECORD_LAYOUT] == [
        "length", "attributes", "timestamp_delta", "offset_delta", "key", "value", "headers"]


# -- foreign implementations ------------------------------------------------------------------
def foreign(builder: type, content: list[tuple], compression: int = 0) -> bytes:
    built = builder(magic=2, compression_type=compression, is_transactional=0, producer_id=-1,
                    producer_epoch=-1, base_sequence=-1, batch_size=1 << 20)
    for offset, (timestamp, key, value, headers) in enumerate(content):
        built.append(offset, timestamp, key, value, list(headers))
    return bytes(built.build())


@settings(deadline=None, max_examples=60)
@given(RECORDS)
def test_the_bytes_are_those_of_kafka_python_and_aiokafka(content):
    ours = encode(content)
    for builder in (KafkaPythonBuilder, AioBuilder):
        theirs = foreign(builder, content)
        assert theirs[:12] + theirs[16:] == ours[:12] + ours[16:]      # but for the leader epoch


def test_more_records_than_short_varints_count():
    content = [(1_000 + n, b"", None, ()) for n in range(8_200)]
    ours, theirs = encode(content), foreign(AioBuilder, content)
    assert ours[:12] + ours[16:] == theirs[:12] + theirs[16:]
    assert [record.offset for record in RecordBatch(ours).records()] == list(range(8_200))


@settings(deadline=None, max_examples=60)
@given(RECORDS, st.integers(0, 1 << 40))
def test_each_reads_what_the_other_wrote(content, base_offset):
    expected = [Record(base_offset + n, *one) for n, one in enumerate(content)]
    theirs = RecordBatch(foreign(AioBuilder, content)).with_offsets(base_offset, 0)
    assert list(theirs.records()) == expected
    for reader in (KafkaPythonBatch, AioBatch):
        assert [Record(one.offset, one.timestamp, one.key, one.value, tuple(one.headers))
                for one in reader(encode(content, base_offset=base_offset))] == expected


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(-1, (1 << 62) - 1), BLOBS, BLOBS, HEADERS), min_size=1,
                max_size=5),
       st.integers(0, 1 << 62), st.integers(-1, (1 << 62)), st.integers(-1, (1 << 15) - 1))
def test_everything_comes_back(content, base_offset, producer_id, producer_epoch):
    batch = RecordBatch(encode(content, base_offset=base_offset, producer_id=producer_id,
                               producer_epoch=producer_epoch))
    batch.ensure_valid()
    assert list(batch.records()) == [Record(base_offset + n, *one)
                                     for n, one in enumerate(content)]
    header = batch.header
    assert (header.producer_id, header.producer_epoch) == (producer_id, producer_epoch)
    assert header.max_timestamp == max(one[0] for one in content)
    assert (header.size, header.last_offset_delta) == (batch.size, len(content) - 1)


def test_the_codec_is_named_and_not_set_as_bits():
    with pytest.raises(IllegalStateException, match="attributes 0x0003 name a codec"):
        encode(FIVE, attributes=3)
    with pytest.raises(UnsupportedCompressionTypeException, match="'brotli' is no compression"):
        encode(FIVE, compression_type="brotli")


def test_a_batch_without_records_is_not_made():
    with pytest.raises(IllegalStateException, match="at least one record"):
        encode([])


# -- the checks of a reader -------------------------------------------------------------------
def rebuilt(records: bytes, **fields: int) -> RecordBatch:
    """A batch around any record bytes, its length and checksum right."""
    start = bytearray(encode([(1_000, b"k", b"v", ())])[:RECORD_BATCH_OVERHEAD])
    pack_into(">i", start, SPANS["batch_length"][0], len(start) + len(records) - 12)
    for name, value in fields.items():
        kind = next(field.kind for field in LAYOUT if field.name == name)
        pack_into(">" + kind, start, SPANS[name][0], value)
    content = bytes(start[CRC_COVERS_FROM:]) + records
    pack_into(">I", start, SPANS["crc"][0], crc32c(content))
    return RecordBatch(bytes(start[:CRC_COVERS_FROM]) + content)


ONE = "10000000026b027600"                                  # the record of G-A-2
# fmt: off
BROKEN_RECORDS = [
    ("more records declared than there are", ONE, 2,  "record 2 of the 2 .* ends within it"),
    ("fewer records declared",         ONE + ONE, 1,  "declares 1 records, but 9 bytes follow"),
    ("none declared",                        ONE, 0,  "declares 0 records, but 9 bytes follow"),
    ("a negative number declared",           ONE, -2, "declares -2 records; 0 is the least"),
    ("a negative length",   "05" + ONE[2:],       1,  "its length is -3, but 8 bytes remain"),
    ("a length beyond the batch", "12" + ONE[2:], 1,  "its length is 9, but 8 bytes remain"),
    ("a length too small",  "0e" + ONE[2:],       1,  "its length is 7, but its fields take 8"),
    ("a length too large",  "12" + ONE[2:] + "00", 1, "its length is 9, but its fields take 8"),
    ("a key beyond the batch", "1000000028" + ONE[10:], 1, "ends within it"),
    ("a value beyond the record", "10000000026b287600" + "00" * 20, 1, "its fields take 27"),
    ("headers beyond the batch", "10000000026b027602", 1, "declares 1 headers, but 0 bytes"),
    ("a negative number of headers", "10000000026b027601", 1, "declares -1 headers, but 0"),
    ("a header without a name", "14000000026b0276020100", 1, "name of a header has -1 bytes"),
    ("an endless varint",   "2800" + "80" * 19,   1,  "varint at byte 63 is longer than 10 bytes"),
    ("an endless length",   "80" * 9,             1,  "varint at byte 61 is longer than 5 bytes"),
]
BROKEN_BATCHES = [
    ("cut short",     lambda data: data[:-1],                    "declares 70 bytes, it has 69"),
    ("too long",      lambda data: data + b"\0",                 "declares 70 bytes, it has 71"),
    ("an old magic",  lambda data: data[:16] + b"\1" + data[17:], "magic is 1; .* of magic 2"),
    ("a wrong crc",   lambda data: data[:17] + b"\0\0\0\1" + data[21:],
                      "stored crc is 0x00000001, its bytes give 0x716a6189"),
]
# fmt: on


@pytest.mark.parametrize("name, records, count, says", BROKEN_RECORDS,
                         ids=[row[0] for row in BROKEN_RECORDS])
def test_a_broken_record_is_found_although_the_checksum_is_right(name, records, count, says):
    batch = rebuilt(bytes.fromhex(records), records_count=count)
    batch.ensure_valid()
    with pytest.raises(CorruptRecordException, match=says):
        list(batch.records())


@pytest.mark.parametrize("name, change, says", BROKEN_BATCHES,
                         ids=[row[0] for row in BROKEN_BATCHES])
def test_a_broken_batch_is_refused_with_both_values(name, change, says):
    batch = RecordBatch(change(bytes.fromhex(G_A_2)))
    assert not batch.is_valid()
    with pytest.raises(CorruptRecordException, match=f"batch at offset 0 is corrupt: .*{says}"):
        batch.ensure_valid()


def test_less_than_a_header_is_no_batch():
    with pytest.raises(CorruptRecordException, match="at least 61 bytes, this one 60"):
        RecordBatch(bytes(60))


def test_any_flipped_bit_is_noticed_but_in_what_a_leader_writes():
    data = transactional().buffer
    free = [*range(*SPANS["base_offset"]), *range(*SPANS["partition_leader_epoch"])]
    unnoticed = []
    for position in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[position] ^= 1 << bit
            if RecordBatch(bytes(changed)).is_valid():
                unnoticed.append(position)
    assert unnoticed == [position for position in free for _ in range(8)]


def test_a_record_is_decoded_when_it_is_reached():
    reader = rebuilt(bytes.fromhex(ONE + "05"), records_count=2).records()
    assert next(reader) == Record(0, 1_000, b"k", b"v", ())
    with pytest.raises(CorruptRecordException, match="record 2 of the 2"):
        next(reader)


def test_a_header_name_that_is_not_utf_8_reads_as_in_java():
    (record,) = rebuilt(bytes.fromhex("16000000026b02760202ff01"), records_count=1).records()
    assert record.headers == (("\ufffd", None),)


# -- several batches --------------------------------------------------------------------------
def log_of_three() -> bytes:
    return b"".join(encode(FIVE[:n], base_offset=offset) for n, offset in ((1, 0), (3, 1), (2, 4)))


def test_batches_stop_at_a_torn_tail_wherever_it_was_torn():
    log, ends = log_of_three(), [0]
    for batch in batches(log):
        ends.append(ends[-1] + batch.size)
    assert ends[-1] == len(log) and len(ends) == 4
    for cut in range(len(log) + 1):
        whole = [end for end in ends if end <= cut]
        assert valid_length(log[:cut]) == whole[-1]
        assert len(list(batches(log[:cut]))) == len(whole) - 1


def test_batches_begin_anywhere_and_take_a_view():
    log = log_of_three()
    first = next(batches(log))
    assert [batch.base_offset for batch in batches(memoryview(log), first.size)] == [1, 4]
    assert type(next(batches(memoryview(log))).buffer) is bytes


def test_the_valid_part_ends_before_a_batch_with_a_wrong_checksum():
    log = bytearray(log_of_three())
    log[-1] ^= 0xFF
    assert valid_length(bytes(log)) == len(log) - list(batches(bytes(log)))[-1].size
    assert len(list(batches(bytes(log)))) == 3


def test_zeros_after_the_batches_are_no_batches():
    log = log_of_three()
    assert valid_length(log + bytes(100)) == len(log)
    with pytest.raises(CorruptRecordException, match=f"at byte {len(log)}, .* declares 12 bytes"):
        list(batches(log + bytes(100)))


def test_batches_are_equal_by_their_bytes():
    same, other = transactional(), transactional().with_offsets(6, 3)
    assert same == transactional() and same != other and same != same.buffer
    assert {same: 1}[transactional()] == 1
    assert repr(other) == "RecordBatch(6-7, 84 bytes)"
