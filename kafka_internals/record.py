"""DefaultRecord: one record inside a batch, where nearly everything is a varint.

A record stores differences only: of its timestamp to the batch's base timestamp and of its offset
to the batch's base offset. So a typical record has 7 bytes beside its key and value, and a leader
can give a batch its offsets without touching a record (KIP-98). A length of -1 means that there is
none; names of headers (KIP-82) are always there, if only empty.
"""

from collections.abc import Iterator
from typing import NamedTuple

from kafka_internals.byte_utils import (
    SHORT_VARINTS,
    read_varint,
    read_varlong,
    size_of_varint,
    varint,
)

Headers = tuple[tuple[str, bytes | None], ...]
MAX_RECORD_OVERHEAD = 21                                # length 5, attributes 1, deltas 10 and 5
NULL = b"\x01"                                          # the varint -1


class Field(NamedTuple):
    """One field of a layout: its name, its `struct` letter or encoding, and what it is for."""

    name: str
    kind: str
    meaning: str


# fmt: off
RECORD_LAYOUT = (
    Field("length",          "varint",  "bytes after this field"),
    Field("attributes",      "b",       "no bit is used: 0"),
    Field("timestamp_delta", "varlong", "timestamp minus base timestamp"),
    Field("offset_delta",    "varint",  "offset minus base offset"),
    Field("key",             "bytes",   "length as varint, -1 for none, and the bytes"),
    Field("value",           "bytes",   "length as varint, -1 for none, and the bytes"),
    Field("headers",         "headers", "how many as varint, then name and value of each"),
)
# fmt: on


class Record(NamedTuple):
    """One record; `timestamp` in epoch ms, header names are text."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


# -- writing ----------------------------------------------------------------------------------
def _short(number: int) -> bytes:
    return SHORT_VARINTS[number] if 0 <= number < 8192 else varint(number)


def _sized(data: bytes | None) -> bytes:
    return NULL if data is None else _short(len(data)) + data


def encode_record(timestamp_delta: int, offset_delta: int, key: bytes | None, value: bytes | None,
                  headers: Headers) -> bytes:
    """One record, as `RECORD_LAYOUT` has it."""
    short = SHORT_VARINTS                      # looked up here, not in a call: half the time
    body = b"".join((
        b"\0",
        short[timestamp_delta] if 0 <= timestamp_delta < 8192 else varint(timestamp_delta),
        short[offset_delta] if offset_delta < 8192 else varint(offset_delta),
        NULL if key is None else short[size] if (size := len(key)) < 8192 else varint(size),
        key or b"",
        NULL if value is None else short[size] if (size := len(value)) < 8192 else varint(size),
        value or b"",
        _encode_headers(headers) if headers else b"\0"))
    return (short[size] if (size := len(body)) < 8192 else varint(size)) + body


def _encode_headers(headers: Headers) -> bytes:
    return _short(len(headers)) + b"".join(
        _sized(name.encode()) + _sized(data) for name, data in headers)


def size_of_content(key: bytes | None, value: bytes | None, headers: Headers = ()) -> int:
    """Bytes of key, value and headers with their lengths, as a record holds them."""
    size = _size_of(key) + _size_of(value) + (size_of_varint(len(headers)) if headers else 1)
    for name, data in headers:
        size += _size_of(name.encode()) + _size_of(data)
    return size


def size_in_bytes(timestamp_delta: int, offset_delta: int, key: bytes | None,
                  value: bytes | None, headers: Headers = ()) -> int:
    """Bytes of a whole record, with the length that stands before it."""
    size = 1 + size_of_varint(timestamp_delta) + size_of_varint(offset_delta) + \
        size_of_content(key, value, headers)
    return size_of_varint(size) + size


def _size_of(data: bytes | None) -> int:
    return 1 if data is None else size_of_varint(size := len(data)) + size


# -- reading ----------------------------------------------------------------------------------
def decode_record(buffer: bytes, position: int, base_offset: int,
                  base_timestamp: int) -> tuple[Record, int]:
    """(the record that begins at `position`, position after it).

    Errors: ValueError with what was declared and what is there; IndexError past the buffer.
    """
    length, position = read_varint(buffer, position)
    end = position + length
    if not position <= end <= len(buffer):
        raise ValueError(f"its length is {length}, but {len(buffer) - position} bytes remain")
    timestamp_delta, position = read_varlong(buffer, position + 1)
    offset_delta, position = read_varint(buffer, position)
    key, position = _read_sized(buffer, position)
    value, position = _read_sized(buffer, position)
    headers, position = _read_headers(buffer, position) if buffer[position] else ((), position + 1)
    if position != end:
        raise ValueError(f"its length is {length}, but its fields take {position - end + length}")
    return Record(base_offset + offset_delta, base_timestamp + timestamp_delta, key, value,
                  headers), end


def skim_records(buffer: bytes, position: int, count: int) -> Iterator[tuple[int, int]]:
    """(timestamp delta, length of the key or -1) of each record from `position` on.

    Every length is checked, nothing is built: less than half the time of `decode_record`. Errors
    as there; ValueError also where bytes are left over.
    """
    for _ in range(count):                     # short varints are read here, not in a call
        byte, more = buffer[position], buffer[position + 1]
        length, position = (byte >> 1 ^ -(byte & 1), position + 1) if byte < 0x80 else \
            ((byte & 0x7F | more << 7) >> 1 ^ -(byte & 1), position + 2) if more < 0x80 \
            else read_varint(buffer, position)
        end = position + length
        byte, more = buffer[position + 1], buffer[position + 2]
        timestamp_delta, position = (byte >> 1 ^ -(byte & 1), position + 2) if byte < 0x80 else \
            ((byte & 0x7F | more << 7) >> 1 ^ -(byte & 1), position + 3) if more < 0x80 \
            else read_varlong(buffer, position + 1)
        position = position + 1 if buffer[position] < 0x80 else read_varint(buffer, position)[1]
        byte = buffer[position]
        key, position = (byte >> 1 ^ -(byte & 1), position + 1) if byte < 0x80 \
            else read_varint(buffer, position)
        if key > 0:
            position += key
        byte, more = buffer[position], buffer[position + 1]
        value, position = (byte >> 1 ^ -(byte & 1), position + 1) if byte < 0x80 else \
            ((byte & 0x7F | more << 7) >> 1 ^ -(byte & 1), position + 2) if more < 0x80 \
            else read_varint(buffer, position)
        if value > 0:
            position += value
        position = position + 1 if not buffer[position] else _read_headers(buffer, position)[1]
        if position != end or length < 0:
            raise ValueError(f"its length is {length}, but its fields end at byte {position}, "
                             f"not at {end}")
        yield timestamp_delta, key
    if position != len(buffer):
        raise ValueError(f"{len(buffer) - position} bytes follow the records")


def _read_sized(buffer: bytes, position: int) -> tuple[bytes | None, int]:
    size, position = read_varint(buffer, position)
    if size < 0:
        return None, position
    end = position + size
    return buffer[position:end], end


def _read_headers(buffer: bytes, position: int) -> tuple[Headers, int]:
    count, position = read_varint(buffer, position)
    if count == 0:
        return (), position
    if not 0 < count <= len(buffer) - position:
        raise ValueError(f"it declares {count} headers, but {len(buffer) - position} bytes remain")
    headers = []
    for _ in range(count):
        name, after = _read_sized(buffer, position)
        if name is None:
            raise ValueError(f"the name of a header has {read_varint(buffer, position)[0]} bytes, "
                             f"but 0 is the least")
        value, position = _read_sized(buffer, after)
        headers.append((name.decode("utf-8", "replace"), value))
    return tuple(headers), position
