"""Key hashes and frames of other clients, by their own published vectors."""

import pytest

from kafka_internals.byte_utils import murmur2
from kafka_internals.cluster.cluster import Cluster
from kafka_internals.course.framed import framed, unframed
from kafka_internals.course.partitioners import crc32_partitioner

# librdkafka's own test of its partitioners (0048-partitioner): a key, its CRC-32 and its murmur2.
LIBRDKAFKA = {"23456": (0xB1B451D7, 0x058D780F),
              "this is another string with more length to it perhaps": (0xB0150DF7, 0x4F7703DA),
              "hejsan": (0xD077037E, 0x5EC19395)}


@pytest.mark.parametrize("key", LIBRDKAFKA)
@pytest.mark.parametrize("partitions", [7, 17])
def test_a_key_goes_where_librdkafka_puts_it_and_where_java_does(key, partitions):
    crc, murmur = LIBRDKAFKA[key]
    assert crc32_partitioner("orders", key, "", partitions) == crc % partitions
    assert (murmur2(key.encode()) & 0x7FFFFFFF) % partitions == murmur % partitions


def test_m1_23_two_clients_put_one_key_into_two_partitions():
    cluster = Cluster(1, seed=7)
    cluster.create_topic("orders", 3, 1)
    java = cluster.producer(linger_ms=0)
    python = cluster.producer(linger_ms=0, partitioner=crc32_partitioner)
    places = [one.send("orders", "paid", key="order-17").get().partition for one in (java, python)]
    assert places[0] != places[1]


def test_m1_w1_a_framed_value_is_built_taken_apart_and_broken():
    value = framed(7, b"paid")
    assert value == bytes.fromhex("00 00000007") + b"paid" and unframed(value) == (7, b"paid")
    with pytest.raises(ValueError, match="unknown magic byte 1"):
        unframed(b"\x01" + value[1:])
    with pytest.raises(ValueError, match="5 bytes or more, this one 4"):
        unframed(value[:4])
    with pytest.raises(ValueError, match="given was -1"):
        framed(-1, b"")
