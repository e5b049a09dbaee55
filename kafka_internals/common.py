"""Words that every room shares: a partition's name, and the four effects a core may return.

Kafka's counterparts are `TopicPartition` and `Node`; the effects are ours. A protocol core decides
and the world acts (law 2), so a core returns `Send`, `Reply`, `Persist` and `Changed` in the order
in which they must happen. `Changed` and `Wait` together are the contract behind "why?": what
changed by which rule after reading what, and what a value that stands still waits for.
"""

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Any, NamedTuple

START_MS = 1_767_225_600_000            # 2026-01-01T00:00Z: where virtual time begins in every run
NO_NODE = -1                            # Kafka's Node.noNode(): no leader
ZERO_UUID = "A" * 22                    # Uuid.ZERO_UUID, as Kafka writes ids: the id of nothing
LEGAL_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")     # Topic.validate; "." and ".." are refused


class TopicPartition(NamedTuple):
    """A partition by name. `str()` gives Kafka's own form, "orders-0"."""

    topic: str
    partition: int

    __str__ = lru_cache(4_096)(lambda self: f"{self.topic}-{self.partition}")   # asked so often

    @classmethod
    def of(cls, given: "TopicPartition | str | tuple[str, int]") -> "TopicPartition":
        """Read "orders-0", ("orders", 0) or a TopicPartition; ValueError says what was given."""
        if isinstance(given, str):
            topic, dash, number = given.rpartition("-")
            if dash and topic and number.isdecimal():
                return cls(topic, int(number))
        elif isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], str):
            if isinstance(given[1], int) and not isinstance(given[1], bool) and given[1] >= 0:
                return cls(*given)
        raise ValueError(f"{given!r} names no partition: write 'orders-0' or ('orders', 0)")


class Send(NamedTuple):
    """Send `body` as a request to the broker `to`, over this core's connection to it."""

    to: int
    request: Any


class Disconnect(NamedTuple):
    """Close this core's connection to the node `to`: a request was not answered in time.

    Of several connections that one on which requests of the type `about` travel.
    """

    to: int
    about: type | None = None


class Reply(NamedTuple):
    """Answer `request`. A `body` of None is no answer at all; `close` ends its connection.

    Its connection is not read for `throttle_ms`.
    """

    request: Any
    body: Any
    close: bool = False
    throttle_ms: int = 0


class Persist(NamedTuple):
    """Replace a small file as a whole, flushed, before anything that follows is sent."""

    file: str
    data: bytes


class Changed(NamedTuple):
    """One attribute of one subject took a new value, by `rule`, after reading `reads`.

    A read is `(subject, attribute)` or `(subject, attribute, needed)`. Without `needed` it means
    the latest change of that pair, with it the change that first met `needed`. The previous value
    of this change's own pair is always implied.
    """

    subject: str
    attribute: str
    old: Any
    new: Any
    rule: str
    reads: tuple = ()


class Wait(NamedTuple):
    """`attribute` stands until `of` of `subject` reaches `needs`, or until the time `or_at_ms`.

    Of several waits for one attribute all have to be met; with `any_of` one is enough.
    """

    attribute: str
    subject: str
    of: str
    needs: Any
    or_at_ms: int | None = None
    any_of: bool = False


def earliest(times_ms: Iterable[int | None]) -> int | None:
    """The first of some deadlines, of which some may not stand; None where none does."""
    first_ms = None
    for ms in times_ms:
        if ms is not None and (first_ms is None or ms < first_ms):
            first_ms = ms
    return first_ms


@cache
def replica_name(partition: TopicPartition, broker: int) -> str:
    """The subject of one replica: "orders-0@1" is the replica of orders-0 on broker 1."""
    return f"{partition}@{broker}"


@lru_cache(4_096)
def replica_of(subject: str) -> tuple[TopicPartition, int] | None:
    """Partition and broker of the replica with this subject; None for another subject."""
    name, _, broker = subject.rpartition("@")
    return (TopicPartition.of(name), int(broker)) if "-" in name and broker.isdecimal() else None


@cache
def broker_name(broker: int) -> str:
    """The node, and the subject, of a broker: "broker-1"."""
    return f"broker-{broker}"


def hash_set_order(brokers: Iterable[int]) -> tuple[int, ...]:
    """The order of a java.util.HashSet, in which Kafka writes an ISR or ELR: by id, mostly."""
    brokers, buckets = list(dict.fromkeys(brokers)), 16
    while len(brokers) > buckets * 0.75:
        buckets *= 2
    return tuple(sorted(brokers, key=lambda broker: (broker ^ broker >> 16) & buckets - 1))
