"""Produce requests: what Kafka checks of the bytes for a partition while it reads a request."""

import pytest

from kafka_internals.errors import (
    CorruptRecordException,
    InvalidRecordException,
    UnsupportedCompressionTypeException,
)
from kafka_internals.messages.produce import validate_records
from kafka_internals.record_batch import RecordBatch, encode

ONE = encode([(1_000, b"k", b"v", ())])
ZSTD = encode([(1_000, b"k", b"v", ())], compression_type="zstd")


@pytest.mark.parametrize("version, data", [(3, ONE), (8, ONE), (7, ZSTD), (8, ONE + ONE[:40])])
def test_one_whole_batch_is_taken(version, data):
    assert validate_records(version, data) == RecordBatch(ZSTD if data is ZSTD else ONE)


# fmt: off
@pytest.mark.parametrize("data, error, says", [
    (b"",                        InvalidRecordException, "version 8 .* 0 bytes hold none"),
    (ONE[:-1],                   InvalidRecordException, "69 bytes hold none"),
    (ONE[:14],                   InvalidRecordException, "14 bytes hold none"),
    (ONE[:16] + b"\1" + ONE[17:], InvalidRecordException, "magic 2; this one has magic 1"),
    (ONE[:16] + b"\3" + ONE[17:], CorruptRecordException, "Invalid magic found in record: 3"),
    (bytes(20),                  CorruptRecordException, "Record size 0 is less than .*14"),
    (ONE[:8] + b"\xff" * 62,     CorruptRecordException, "Record size -1 is less"),
    (ONE + ONE,                  InvalidRecordException, "70 bytes follow the first"),
    (ONE[:8] + b"\0\0\0\x0e" + ONE[12:], CorruptRecordException, "at least 61 bytes, this one 26"),
])
# fmt: on
def test_anything_else_is_refused_by_name(data, error, says):
    with pytest.raises(error, match=says):
        validate_records(8, data)


def test_zstd_is_not_for_old_requests():
    with pytest.raises(UnsupportedCompressionTypeException, match="version 6 .* 7 is the first"):
        validate_records(6, ZSTD)
