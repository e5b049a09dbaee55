"""One record: skimming finds what decoding finds, also in damaged bytes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from kafka_internals.record import decode_record, encode_record, skim_records

blobs = st.none() | st.binary(max_size=200)
headers = st.lists(st.tuples(st.text(max_size=3), blobs), max_size=2).map(tuple)
records = st.lists(st.tuples(st.integers(-(1 << 40), 1 << 40), blobs, blobs, headers), max_size=4)


def decoded(buffer: bytes, count: int) -> list | None:
    """(timestamp delta, length of the key or -1) of each record; None where one is damaged."""
    found, position = [], 0
    try:
        for _ in range(count):
            record, position = decode_record(buffer, position, 0, 0)
            found.append((record.timestamp, -1 if record.key is None else len(record.key)))
    except (IndexError, ValueError):
        return None
    return found if position == len(buffer) else None


def skimmed(buffer: bytes, count: int) -> list | None:
    try:
        return [(delta, max(key, -1)) for delta, key in skim_records(buffer, 0, count)]
    except (IndexError, ValueError):
        return None


@settings(max_examples=500, deadline=None)
@given(records, st.lists(st.tuples(st.integers(0, 999), st.integers(1, 255)), max_size=2),
       st.integers(-1, 1))
def test_skimming_is_decoding_without_the_records(given_records, damage, more):
    buffer = bytearray(b"".join(encode_record(ts, at, key, value, named)
                                for at, (ts, key, value, named) in enumerate(given_records)))
    for position, flip in damage if buffer else ():
        buffer[position % len(buffer)] ^= flip
    count = max(0, len(given_records) + more)
    assert skimmed(bytes(buffer), count) == decoded(bytes(buffer), count)
