"""Damaged bytes: every reader gives a result or a named error; and other readers' verdicts."""

import re

import pytest
from aiokafka.record.default_records import DefaultRecordBatch as AioBatch
from kafka.record.default_records import DefaultRecordBatch as KafkaPythonBatch

from kafka_internals.byte_utils import crc32c, read_varint
from kafka_internals.common import START_MS, TopicPartition
from kafka_internals.compression import XERIAL_HEADER
from kafka_internals.config import BROKER_CONFIG
from kafka_internals.errors import (
    CorruptRecordException,
    KafkaException,
    KafkaStorageException,
    LogSegmentOffsetOverflowException,
    UnknownServerException,
)
from kafka_internals.record_batch import CRC_COVERS_FROM, RecordBatch, encode
from kafka_internals.sim.disk import Disk
from kafka_internals.sim.world import World
from kafka_internals.storage import checkpoint_file
from kafka_internals.storage.leader_epoch_file_cache import LeaderEpochFileCache
from kafka_internals.storage.log_manager import LogManager
from kafka_internals.storage.unified_log import UnifiedLog
from kafka_internals.tools import bench_fuzz, fuzz_readers
from kafka_internals.tools.fuzz_damage import batch as damaged_batch

CASES = 2_000
LAST = 2**63 - 1
ORDERS = TopicPartition("orders", 0)


@pytest.mark.parametrize("kind", bench_fuzz.KINDS)
def test_what_is_damaged_is_read_or_refused_by_name(kind):
    faults, met = bench_fuzz.search(kind, range(CASES))
    assert faults == []
    assert met["read"] > CASES and met.total() - met["read"] > CASES // 10


def test_half_of_the_damaged_batches_have_a_right_checksum():
    sound, right = fuzz_readers.SOUND.buffer, 0
    for number in range(CASES):
        data = damaged_batch(World(number).draw("fuzz", "crc"), sound)
        if len(data) >= CRC_COVERS_FROM:
            right += int.from_bytes(data[17:21], "big") == crc32c(data[CRC_COVERS_FROM:])
    assert right > CASES // 2


# -- a fuzz that finds nothing has to be able to find something ------------------------------------
def _fails(error: Exception):
    def act(*given: object) -> None:
        raise error
    return act


def test_an_error_that_is_not_kafkas_is_a_fault(monkeypatch):
    monkeypatch.setattr(RecordBatch, "records", _fails(IndexError("out of range")))
    faults, _ = bench_fuzz.search("batch", range(20))
    assert faults[0].error == "IndexError: out of range" and faults[0].kind == "batch"


def test_a_value_error_that_happens_to_python_is_a_fault_too():
    with pytest.raises(ValueError, match="invalid literal"):
        bench_fuzz.attempt(int, "x")
    assert type(bench_fuzz.attempt(checkpoint_file.number, "x")) is ValueError


def test_a_reader_that_never_ends_is_a_fault():
    disk = bench_fuzz.disk_of({"x": b"1"})
    with pytest.raises(RecursionError, match="was read 20000 times"):
        while True:
            disk.read("orders-0/x")


def test_the_bench_counts_faults_and_shows_the_first(monkeypatch, capsys):
    monkeypatch.setattr(bench_fuzz, "KINDS", {"bad": _fails(IndexError("at 3"))})
    (figure,) = bench_fuzz.figures(7)
    assert (figure.value, figure.met) == (7, False)
    assert capsys.readouterr().out.splitlines()[0] == "  bad 0: IndexError: at 3"


# -- what it has found -----------------------------------------------------------------------------
@pytest.fixture
def disk() -> Disk:
    return Disk(lambda n: 0)


HUGE = b"9" * 5_000


@pytest.mark.parametrize("content", [
    b"0\n" + HUGE + b"\n", b"0\n1\norders 0 " + HUGE + b"\n", b"0\n1\norders 0 1_0\n",
    b"0\n1\norders 2147483648 5\n", b"0\n1\norders 0 9223372036854775808\n",
    b"0\n1\n orders 0 5\n"])
def test_a_number_in_a_checkpoint_is_one_that_java_would_read(disk, content):
    disk.append("c", content)
    with pytest.raises(KafkaStorageException):
        checkpoint_file.read_offsets(disk, "c")


@pytest.mark.parametrize("line", [HUGE + b" 0", b"2147483648 0", b"0 9223372036854775808",
                                  b"1_0 0"])
def test_a_leader_epoch_is_a_number_that_java_would_read(disk, line):
    disk.append("orders-0/leader-epoch-checkpoint", b"0\n1\n" + line + b"\n")
    with pytest.raises(KafkaStorageException, match="is not 'epoch startOffset'"):
        LeaderEpochFileCache(disk, ORDERS)


def test_only_line_ends_end_a_line_of_a_checkpoint(disk):
    disk.append("c", "0\r\n1\n\x85b 0 5\r".encode())
    assert checkpoint_file.read_offsets(disk, "c") == {TopicPartition("\x85b", 0): 5}


def test_meta_properties_may_hold_any_byte(disk):
    disk.append("m", b"node.id=\xff\x85\n")
    assert checkpoint_file.read_meta_properties(disk, "m") == {"node.id": "\xff\x85"}


def test_the_id_of_a_topic_has_the_letters_of_an_id(disk):
    disk.append("p", b"version: 0\ntopic_id: " + b"?" * 22)
    with pytest.raises(KafkaStorageException):
        checkpoint_file.read_partition_metadata(disk, "p")


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"brokerEpoch":1e999}', b"\xff", b""])
def test_a_stop_was_orderly_whatever_its_marker_holds(disk, content):
    disk.append(checkpoint_file.CLEAN_SHUTDOWN, content)
    assert checkpoint_file.read_clean_shutdown(disk, checkpoint_file.CLEAN_SHUTDOWN) is None
    assert LogManager(disk, BROKER_CONFIG.parse({})).was_clean
    assert not disk.exists(checkpoint_file.CLEAN_SHUTDOWN)


@pytest.mark.parametrize("name", ["x0.snapshot", "-0.snapshot", f"{2**63}.snapshot",
                                  f"{2**63}.log", "x.log"])
def test_a_file_whose_name_is_no_offset_is_named(disk, name):
    disk.append(f"orders-0/{name}", b"")
    with pytest.raises(ValueError, match=f"'{re.escape(name)}' does not begin with an offset"):
        UnifiedLog(ORDERS, disk)


def test_behind_the_largest_offset_nothing_is_appended(disk):
    log = UnifiedLog(ORDERS, disk, log_start_offset=LAST)
    with pytest.raises(LogSegmentOffsetOverflowException, match=f"offset {LAST} does not fit"):
        log.append_as_leader(fuzz_readers.SOUND, 0, START_MS)
    assert (log.log_end_offset, log.size) == (LAST, 0)


def test_a_log_that_ends_behind_the_largest_offset_is_not_opened(disk):
    disk.append("orders-0/00000000000000000000.log", encode([(0, None, b"", ())], base_offset=LAST))
    disk.append("orders-0/00000000000000000000.index", b"")
    with pytest.raises(LogSegmentOffsetOverflowException, match=f"no offset follows {LAST}"):
        UnifiedLog(ORDERS, disk, is_clean=True)


def test_a_time_beyond_a_long_cannot_be_packed_anew(disk):
    data = bytearray(encode([(0, b"k", b"v", ()), (1, b"k", b"v", ())]))
    data[27:43] = LAST.to_bytes(8, "big") * 2
    data[17:21] = crc32c(bytes(data[CRC_COVERS_FROM:])).to_bytes(4, "big")
    configs = next(one for one in fuzz_readers.CONFIGS if one["compression.type"] == "zstd")
    with pytest.raises(UnknownServerException, match=f"Invalid negative timestamp -{2**63}"):
        UnifiedLog(ORDERS, disk, configs).append_as_leader(RecordBatch(bytes(data)), 0, START_MS)


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_a_broken_payload_costs_one_attempt(monkeypatch, codec):
    from kafka_internals import compression

    sound, tried = bytearray(compression.compress(codec, b"abc" * 1_000)), []
    sound[-6:] = b"\xff" * 6
    if codec == "zstd":
        sound[:] = sound[:-9]
    original = compression._into_growing_buffer
    monkeypatch.setattr(compression, "_into_growing_buffer", lambda into, *given: original(
        lambda *args: (tried.append(len(args[1])), into(*args))[1], *given))
    with pytest.raises(CorruptRecordException):
        compression.decompress(codec, bytes(sound), 64 << 20)
    assert len(tried) == 1


# -- other readers ---------------------------------------------------------------------------------
def _attributes(batch: RecordBatch) -> list[int]:
    """The attributes of each record, which nobody uses."""
    content, position, found = batch.record_bytes(), 0, []
    for _ in range(batch.header.records_count):
        length, position = read_varint(content, position)
        found.append(content[position])
        position += length
    return found


def _is_beyond_a_long(ours: list) -> bool:
    return any(not -LAST - 1 <= number <= LAST for record in ours for number in record[:2])


# Why another reader decides otherwise: (who, what is so with this batch, reason).
BY_DESIGN = {
    "kafka-python has no snappy and no lz4 without further libraries":
        lambda who, batch, ours, theirs: who == "kafka-python" and "UnsupportedCodec" in theirs,
    "a record's attributes are one byte, which both read as a varint":
        lambda who, batch, ours, theirs: ours and max(_attributes(batch)) > 0x7F,
    "a header's name that is not UTF-8 is shown with replacements, as Java does":
        lambda who, batch, ours, theirs: ours and any(
            "\ufffd" in name for record in ours for name, _ in record[4]),
    "kafka-python unpacks a control record's key, whatever it is":
        lambda who, batch, ours, theirs: who == "kafka-python" and batch.header.is_control
        and "unpack requires" in theirs,
    "bytes behind a gzip stream are passed over, as Java does":
        lambda who, batch, ours, theirs: ours and "Not a gzipped file" in theirs,
    "flags that gzip reserves are refused by zlib, but not by Python's gzip":
        lambda who, batch, ours, theirs: not ours and batch.header.compression_type == "gzip",
    "numbers beyond a long wrap in aiokafka, which is compiled, and in Java":
        lambda who, batch, ours, theirs: ours and _is_beyond_a_long(ours),
    "aiokafka knows a stream of snappy blocks by its versions too, Java by its first 8 bytes":
        lambda who, batch, ours, theirs: who == "aiokafka" and ours
        and batch.header.compression_type == "snappy" and batch.buffer[61:77] != XERIAL_HEADER,
    "aiokafka reads a snappy block that is declared longer than what is there":
        lambda who, batch, ours, theirs: who == "aiokafka" and not ours
        and batch.header.compression_type == "snappy",
}


def _ours(batch: RecordBatch) -> list | None:
    try:
        return [tuple(record) for record in batch.records(1 << 24)]
    except KafkaException:
        return None


def _theirs(batch: object) -> list | str:
    try:
        return [(one.offset, one.timestamp, one.key, one.value, tuple(one.headers))
                for one in batch]
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _sample(count: int):
    """Damaged batches of whole length and of this format: others are not given to a batch."""
    for number in range(count):
        draw = World(number).draw("verdict", "batch")
        files, name = bench_fuzz._chosen(draw, ".log")
        data = bench_fuzz.damaged(draw, "batch", files[name])
        if len(data) >= 61 and (batch := RecordBatch(data)).header.size == len(data) \
                and batch.header.magic == 2:
            yield batch


def test_other_readers_say_the_same_or_the_table_says_why_not():
    same, reasons = 0, set()
    for batch in _sample(1_500):
        right = batch.header.crc == crc32c(batch.buffer[CRC_COVERS_FROM:])
        ours = _ours(batch)
        for who, kind in (("aiokafka", AioBatch), ("kafka-python", KafkaPythonBatch)):
            other = kind(batch.buffer)
            assert other.validate_crc() == right == batch.is_valid()
            theirs = _theirs(other)
            if ours == theirs or ours is None and isinstance(theirs, str):
                same += 1
                continue
            why = {reason for reason, applies in BY_DESIGN.items()
                   if applies(who, batch, ours, str(theirs))}
            assert why, (who, batch.buffer.hex(), ours, theirs)
            reasons |= why
    assert same > 2_000
    assert len(reasons) >= 5
