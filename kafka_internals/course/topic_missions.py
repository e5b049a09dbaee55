"""What there is to bring about in module 1's sandbox: with keys, positions and retention."""

from collections import Counter
from typing import Any

from kafka_internals.clients.kafka_producer import KafkaProducer
from kafka_internals.cluster.cluster import Cluster
from kafka_internals.course.partitioners import crc32_partitioner
from kafka_internals.course.sandbox import Act, Field, Group, Mission

CLIENTS = ("java", "librdkafka")
READERS = ("billing", "audit")


def _send(values: dict[str, Any], known: dict[str, Any]) -> str:
    """Code that sends keyed records with one of two clients, which is made when first used."""
    name, count = values["client"], values["count"]
    made = ""
    if name not in known:
        how = "" if name == CLIENTS[0] else ", partitioner=crc32_partitioner"
        known["crc32_partitioner"] = crc32_partitioner
        made = ("" if not how else "from kafka_internals.course.partitioners import "
                                   "crc32_partitioner\n") + \
            f"{name} = cluster.producer({name!r}, linger_ms=0{how})\n"
    sent = f"{name}.send({values['topic']!r}, 'paid 20 EUR', key={values['key']!r}).get()"
    return f"{made}for _ in range({count}):\n    {sent}" if count > 1 else f"{made}{sent}"


def _reader(values: dict[str, Any], known: dict[str, Any]) -> tuple[str, str, str]:
    """(name, code that makes it, its partitions), as they are now."""
    name, topic = values["reader"], values["topic"]
    numbers = range(known["cluster"].partitions_of(topic))
    partitions = ", ".join(repr(f"{topic}-{number}") for number in numbers)
    made = "" if name in known else \
        (f"{name} = cluster.consumer({name!r}, auto_offset_reset='earliest', "
         f"max_poll_records=2)\n")
    return name, f"{made}{name}.assign({partitions})\n", partitions


def _poll(values: dict[str, Any], known: dict[str, Any]) -> str:
    name, made, _ = _reader(values, known)
    return f"{made}{name}.poll()"


def _rewind(values: dict[str, Any], known: dict[str, Any]) -> str:
    name, made, partitions = _reader(values, known)
    return f"{made}{name}.seek_to_beginning({partitions})"


def _grow(values: dict[str, Any], known: dict[str, Any]) -> str:
    topic = values["topic"]
    return f"cluster.create_partitions({topic!r}, {known['cluster'].partitions_of(topic) + 1})"


GROUPS = (
    Group("Send", (Field("key", "key", tuple(f"order-{number}" for number in range(17, 23))),
                   Field("client", "client", CLIENTS), Field("count", "records", (1, 3, 10), 1)),
          (Act("Send", _send, "the client computes where the key goes"),)),
    Group("Read", (Field("reader", "reader", READERS),), (
        Act("Poll", _poll, "give the next two records"),
        Act("Rewind", _rewind, "back to the beginning of what is there"))),
    Group("Topic", (), (
        Act("One partition more", _grow, "no record is moved"),
        Act("Let ten minutes pass", "cluster.run(ms=600_000)",
            "retention looks 30 s after a broker's start, then every five minutes"))))


# -- missions ----------------------------------------------------------------------------------
def keys_in_two_places(cluster: Cluster) -> list[str]:
    """Keys of which acknowledged records lie in more than one partition of a topic."""
    places: dict[tuple, set] = {}
    for node in cluster.machine.clients.values():
        for record in node.core.records if isinstance(node.core, KafkaProducer) else ():
            if record.state == "acknowledged" and record.key is not None:
                places.setdefault((record.topic, record.key), set()).add(record.placed.partition)
    return sorted(key.decode() for (_, key), where in places.items() if len(where) > 1)


def given(cluster: Cluster, reader: str) -> Counter:
    """(topic, partition, offset) of what a consumer's polls have given, and how often."""
    return Counter((record.topic, record.partition, record.offset)
                   for call in cluster.calls_of(reader) for record in call.records or ())


def _readers(cluster: Cluster) -> list[str]:
    return [name for name, node in cluster.machine.clients.items()
            if not isinstance(node.core, KafkaProducer)]


def read_again(cluster: Cluster) -> bool:
    """One consumer was given one record twice."""
    return any(times > 1 for name in _readers(cluster) for times in given(cluster, name).values())


def gone_unread(cluster: Cluster) -> bool:
    """A record lies before a log's start, and no consumer was ever given it."""
    read = {place for name in _readers(cluster) for place in given(cluster, name)}
    for topic, image in cluster.machine.image.topics.items():
        for number in range(len(image.partitions)):
            starts = [cluster.look(f"{topic}-{number}@{broker}").log_start_offset
                      for broker in cluster.setup.brokers
                      if f"{topic}-{number}@{broker}" in cluster.subjects()]
            if any((topic, number, offset) not in read
                   for offset in range(max(starts, default=0))):
                return True
    return False


def missions() -> tuple[Mission, ...]:
    """The three of module 1."""
    return (
        Mission("Put one key into two partitions.", lambda cluster: bool(
            keys_in_two_places(cluster)),
            "The place is computed from the key, the number of partitions and the client's hash. "
            "Change one of the last two. A client that runs hears of a new partition within five "
            "minutes (metadata.max.age.ms), or you take the other one."),
        Mission("Let one reader read a record twice.", read_again,
                "A position is a number, and you may set it."),
        Mission("Let a record go that nobody has read.", gone_unread,
                "This topic keeps about 600 bytes of a partition. Send more than that to one key, "
                "and let time pass."))
