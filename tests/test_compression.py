"""Codecs: Kafka's framing, real logs of every codec, bounds, and damage that is always named."""

import tracemalloc

import cramjam
import kafka.codec as kafka_codecs
import pytest
from aiokafka.record.default_records import DefaultRecordBatch as AioBatch
from aiokafka.record.default_records import DefaultRecordBatchBuilder as AioBuilder
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.record.default_records import DefaultRecordBatch as KafkaPythonBatch
from kafka.record.default_records import DefaultRecordBatchBuilder as KafkaPythonBuilder

from kafka_internals.compression import CODECS, compress, decompress
from kafka_internals.errors import (
    CorruptRecordException,
    KafkaException,
    RecordTooLargeException,
    UnsupportedCompressionTypeException,
)
from kafka_internals.record_batch import RECORD_BATCH_OVERHEAD, Record, RecordBatch, encode
from tests.golden import cases
from tests.golden.cases import Case
from tests.test_record_batch import RECORDS, foreign

COMPRESSED = CODECS[1:]
MIXED = b"".join(bytes((n * n >> 3 & 0xFF, n & 0x0F)) for n in range(70_000))    # three blocks
LIMIT = 1 << 20
FRAMING = slice(RECORD_BATCH_OVERHEAD, RECORD_BATCH_OVERHEAD + 6)


# -- framing ----------------------------------------------------------------------------------
@pytest.mark.parametrize("codec, begins", [
    ("gzip", "1f8b08000000000000ff"), ("snappy", "82534e41505059000000000100000001"),
    ("lz4", "04224d18604082"), ("zstd", "28b52ffd0058")])
def test_each_codec_begins_as_kafkas_does(codec, begins):
    assert compress(codec, b"abc" * 100).hex().startswith(begins)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("data", [b"", b"a", bytes(200_000), MIXED], ids=len)
def test_what_was_compressed_comes_back_within_its_exact_size(codec, data):
    assert decompress(codec, compress(codec, data), len(data)) == data


def test_snappy_blocks_hold_32_kib_and_lz4_blocks_64_kib():
    sizes, snappy, position = [], compress("snappy", MIXED), 16
    while position < len(snappy):
        size = int.from_bytes(snappy[position:position + 4], "big")
        sizes.append(cramjam.snappy.decompress_raw_len(snappy[position + 4:position + 4 + size]))
        position += 4 + size
    assert sizes == [32_768] * 4 + [len(MIXED) - 4 * 32_768]
    noise = bytes(cramjam.zstd.compress(MIXED)) * 40
    stored = compress("lz4", noise[:100])
    assert stored[7:11] == (100 | 1 << 31).to_bytes(4, "little") and stored[11:111] == noise[:100]


def test_an_lz4_frame_of_dependent_blocks_is_refused_as_kafka_refuses_it():
    stream = cramjam.lz4.Compressor(block_linked=True)
    stream.compress(MIXED)
    with pytest.raises(CorruptRecordException, match="flags are 0x[0-9a-f]*: .* independent"):
        decompress("lz4", bytes(stream.finish()), LIMIT)


def test_a_bare_snappy_block_and_several_gzip_members_are_read():
    assert decompress("snappy", bytes(cramjam.snappy.compress_raw(b"abc" * 9)), 27) == b"abc" * 9
    assert decompress("gzip", compress("gzip", b"abc") + compress("gzip", b"de"), 5) == b"abcde"
    with pytest.raises(RecordTooLargeException):
        decompress("gzip", compress("gzip", b"abc") + compress("gzip", b"de"), 4)


# -- real logs --------------------------------------------------------------------------------
@pytest.mark.parametrize("codec", COMPRESSED)
def test_the_java_producers_batches_are_decoded(codec):
    case = Case(f"storage/java-{codec}")
    found = [record[1:] for batch in case.batches() for record in batch.records()]
    assert found == [record for step in case.steps for record in cases.records(step["records"])]
    for batch, stored in zip(case.batches(), case.expect["batches"], strict=True):
        assert batch.header.compression_type == codec
        assert (batch.size, batch.header.attributes) == (stored["size"], stored["attributes"])


@pytest.mark.parametrize("codec", COMPRESSED)
def test_the_java_producers_batches_are_built_again(codec):
    """Records, header and framing are equal; the payload depends on the library that packed it."""
    case = Case(f"storage/java-{codec}")
    for step, batch in zip(case.steps, case.batches(), strict=True):
        ours = RecordBatch(encode(cases.records(step["records"]), compression_type=codec,
                                  base_offset=batch.base_offset, partition_leader_epoch=0))
        assert ours.record_bytes() == batch.record_bytes()
        assert ours.header._replace(batch_length=0, crc=0) \
            == batch.header._replace(batch_length=0, crc=0)
        assert ours.buffer[FRAMING] == batch.buffer[FRAMING]


# -- other implementations --------------------------------------------------------------------
def others(codec: str) -> list[tuple[type, type]]:
    """(reader, builder) of aiokafka and, where it has a library for this codec, kafka-python."""
    has = getattr(kafka_codecs, f"has_{codec}")()
    return [(AioBatch, AioBuilder)] + [(KafkaPythonBatch, KafkaPythonBuilder)] * has


@pytest.mark.parametrize("codec", COMPRESSED)
@settings(deadline=None, max_examples=25)
@given(content=RECORDS)
def test_kafka_python_and_aiokafka_read_ours_and_we_read_theirs(codec, content):
    expected = [Record(7 + n, *one) for n, one in enumerate(content)]
    ours = encode(content, base_offset=7, compression_type=codec)
    for reader, builder in others(codec):
        assert [Record(one.offset, one.timestamp, one.key, one.value, tuple(one.headers))
                for one in reader(ours)] == expected
        theirs = RecordBatch(foreign(builder, content, CODECS.index(codec)))
        assert list(theirs.with_offsets(7, 0).records()) == expected


# -- bounds and damage ------------------------------------------------------------------------
@pytest.mark.parametrize("codec", COMPRESSED)
def test_what_grows_beyond_the_limit_is_refused_by_name(codec):
    bomb = compress(codec, bytes(20_000_000))
    assert len(bomb) < 1_000_000
    with pytest.raises(RecordTooLargeException, match="beyond the 1000000 bytes"):
        decompress(codec, bomb, 1_000_000)
    with pytest.raises(RecordTooLargeException, match="beyond the 99 bytes"):
        decompress(codec, compress(codec, bytes(100)), 99)


@pytest.mark.parametrize("codec", COMPRESSED)
def test_a_bomb_takes_no_more_memory_than_the_limit(codec):
    bomb = compress(codec, bytes(20_000_000))
    tracemalloc.start()
    with pytest.raises(RecordTooLargeException):
        decompress(codec, bomb, 1_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000


@pytest.mark.parametrize("codec", COMPRESSED)
def test_a_payload_that_was_cut_or_never_was_one_is_corrupt(codec):
    whole = compress(codec, MIXED[:5_000])
    for broken in (whole[:-9], whole[:len(whole) // 2], b"", b"no codec wrote this", b"\xff" * 40):
        with pytest.raises(CorruptRecordException, match=f"{len(broken)} bytes .* as {codec}: "):
            decompress(codec, broken, LIMIT)


@pytest.mark.parametrize("codec", COMPRESSED)
@settings(deadline=None, max_examples=150)
@given(damage=st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), min_size=1,
                       max_size=4), cut=st.integers(0, 40))
def test_damage_gives_records_or_a_named_error(codec, damage, cut):
    batch = bytearray(encode([(1_000 + n, b"k%d" % n, b"v" * n, (("h", b"x"),))
                              for n in range(40)], compression_type=codec))
    for position, flip in damage:
        room = len(batch) - RECORD_BATCH_OVERHEAD
        batch[RECORD_BATCH_OVERHEAD + position % room] ^= flip
    try:
        list(RecordBatch(bytes(batch[:len(batch) - cut])).records(LIMIT))
    except KafkaException as error:
        assert type(error) in (CorruptRecordException, RecordTooLargeException)


def test_a_codec_that_does_not_exist_is_named():
    for call in (lambda: compress("brotli", b""), lambda: decompress("brotli", b"", 9)):
        with pytest.raises(UnsupportedCompressionTypeException, match="'brotli' .*none, gzip, sn"):
            call()
