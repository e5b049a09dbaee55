"""Partitioners that a learner may give to `cluster.producer(partitioner=...)`.

A producer in Java hashes a key with murmur2; librdkafka, and with it confluent-kafka for Python,
Go and .NET, with CRC-32 unless it is told otherwise (`partitioner=consistent_random`). Both then
take the rest of a division by the number of partitions, and send one key to two places.
"""

from zlib import crc32


def crc32_partitioner(topic: str, key: str, value: str, partitions: int) -> int:
    """Where librdkafka's `consistent` puts a key, text as UTF-8 (rdkafka_partitioner)."""
    return crc32(key.encode()) % partitions
