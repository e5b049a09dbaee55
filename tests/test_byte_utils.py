"""Varints, CRC-32C and murmur2, against what Kafka's own classes gave."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka_internals.byte_utils import (
    SHORT_VARINTS,
    crc32c,
    murmur2,
    read_unsigned_varint,
    read_varint,
    read_varlong,
    size_of_unsigned_varint,
    size_of_varint,
    unsigned_varint,
    varint,
)
from tests.golden.cases import json_lines

ZIG_ZAG = {0: "00", -1: "01", 1: "02", 63: "7e", 64: "8001", -64: "7f", -65: "8101", 300: "d804",
           8191: "fe7f", 8192: "808001", 2147483647: "feffffff0f", -2147483648: "ffffffff0f",
           (1 << 63) - 1: "feffffffffffffffff01", -(1 << 63): "ffffffffffffffffff01"}
INTS = st.integers(-(1 << 31), (1 << 31) - 1)
LONGS = st.integers(-(1 << 63), (1 << 63) - 1)


@pytest.mark.parametrize("number, hex", ZIG_ZAG.items())
def test_zig_zag_vectors(number, hex):
    assert varint(number).hex() == hex
    assert size_of_varint(number) == len(hex) // 2
    assert read_varlong(bytes.fromhex(hex), 0) == (number, len(hex) // 2)


def test_the_table_of_short_varints_is_right_throughout():
    assert SHORT_VARINTS == [varint(number) for number in range(8192)]
    assert {len(SHORT_VARINTS[number]) for number in range(64, 8192)} == {2}


@given(INTS, st.binary(max_size=3))
def test_an_int_comes_back(number, before):
    encoded = before + varint(number) + b"\xff"
    assert read_varint(encoded, len(before)) == (number, len(encoded) - 1)


@given(LONGS)
def test_a_long_comes_back(number):
    encoded = varint(number)
    assert read_varlong(encoded, 0) == (number, len(encoded)) == (number, size_of_varint(number))


@given(st.integers(0, (1 << 32) - 1))
def test_an_unsigned_number_comes_back(number):
    encoded = unsigned_varint(number)
    assert read_unsigned_varint(encoded, 0) == (number, len(encoded))
    assert size_of_unsigned_varint(number) == len(encoded)


@pytest.mark.parametrize("read, longest", [(read_unsigned_varint, 5), (read_varint, 5),
                                           (read_varlong, 10)])
def test_a_varint_that_never_ends_is_refused(read, longest):
    assert read(b"\x80" * (longest - 1) + b"\0", 0) == (0, longest)
    with pytest.raises(ValueError, match=f"at byte 0 is longer than {longest} bytes"):
        read(b"\x80" * 20, 0)


@pytest.mark.parametrize("read", [read_unsigned_varint, read_varint, read_varlong])
def test_a_varint_that_is_cut_off_is_an_index_error(read):
    for size in range(3):
        with pytest.raises(IndexError):
            read(b"\x80" * size, 0)


def test_bits_beyond_the_type_are_dropped_as_java_does():
    assert read_varint(bytes.fromhex("feffffff7f"), 0) == (2147483647, 5)


@pytest.mark.parametrize("encode, number", [(unsigned_varint, -1), (varint, 1 << 63),
                                            (varint, -(1 << 63) - 1)])
def test_a_number_that_does_not_fit_is_refused(encode, number):
    with pytest.raises(ValueError, match=str(number)):
        encode(number)


def test_crc_32c_and_not_crc_32_g_a_1():
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(b"") == 0


def test_murmur2_and_the_partition_it_chooses():
    vectors = json_lines("groups/murmur2.jsonl")
    assert len(vectors) > 30
    for vector in vectors:
        hashed = murmur2(bytes.fromhex(vector["key_hex"]))
        assert hashed == vector["murmur2"]
        assert {count: (hashed & 0x7FFFFFFF) % int(count) for count in vector["partition"]} \
            == vector["partition"]


@pytest.mark.parametrize("key, hashed", [
    ("21", -973932308), ("foobar", -790332482), ("a-little-bit-long-string", -985981536),
    ("a-little-bit-longer-string", -1486304829), ("abc", 479470107), ("", 275646681)])
def test_murmur2_of_well_known_keys(key, hashed):
    assert murmur2(key.encode()) == hashed
