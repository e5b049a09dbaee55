"""What a learner holds: topics, producers, consumers, and the calls that they made.

A handle is a name in a cluster and holds nothing else, so that its twin in a fork is found by that
name. A call (a receipt, a poll, a flush) is done some time later. Outside an application `get()`
and `poll()` let the world go on until then; inside one they give the call itself, to be yielded.
"""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, NamedTuple

from kafka_internals.clients.metrics import MetricName
from kafka_internals.cluster.floor import check_call, inside_application
from kafka_internals.common import LEGAL_TOPIC, TopicPartition
from kafka_internals.errors import (
    IllegalStateException,
    InvalidGroupIdException,
    InvalidTopicException,
    SerializationException,
)
from kafka_internals.messages.list_offsets import EARLIEST_TIMESTAMP, LATEST_TIMESTAMP


class RecordMetadata(NamedTuple):
    """Where a record is: `offset` is -1 after acks=0; `timestamp` in epoch ms."""

    topic: str
    partition: int
    offset: int
    timestamp: int


class ConsumerRecord(NamedTuple):
    """One record as text. `timestamp` in epoch ms."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: str | None
    value: str | None
    headers: tuple[tuple[str, bytes | None], ...]

    @classmethod
    def decoded(cls, record: tuple) -> "ConsumerRecord":
        """StringDeserializer: UTF-8; what is not gets U+FFFD, as in Java."""
        *place, key, value, headers = record
        return cls(*place, text(key), text(value), headers)


def text(data: bytes | None) -> str | None:
    """UTF-8, with U+FFFD for what is none."""
    return None if data is None else data.decode("utf-8", "replace")


def serialized(what: str, given: Any) -> bytes | None:
    """StringSerializer and ByteArraySerializer; anything else is a SerializationException."""
    if given is None or isinstance(given, bytes):
        return given
    if isinstance(given, str):
        return given.encode()
    raise SerializationException(
        f"a {what} of type {type(given).__name__} cannot be serialized: give text, bytes or None; "
        f"str({given!r}) would do")


def _whole(what: str, given: Any) -> None:
    """A whole number of 0 or more; else a ValueError (Kafka: IllegalArgumentException)."""
    if not isinstance(given, int) or isinstance(given, bool) or given < 0:
        raise ValueError(f"{what}={given!r}: has to be a whole number of 0 or more")


class Handle:
    """A name in a cluster."""

    def __init__(self, cluster: Any, name: str) -> None:
        self.cluster, self.name = cluster, name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


class Call(Handle):
    """Something that was asked for and is done some time later: what the core keeps as `_one()`."""

    def done(self) -> bool:
        """True once it has ended, well or badly."""
        return self._one().state not in ("waiting", "polling")

    def value(self) -> Any:
        """The result, or Kafka's error, raised. IllegalStateException while it is not done."""
        if not self.done():
            raise IllegalStateException(f"{self.name} is not done yet: call get(), or run on")
        return self._value()

    def get(self) -> Any:
        """Let the world go on until this is done, then the result or the error."""
        if inside_application():
            return self
        return self.cluster.wait_for(self)

    def _value(self) -> Any:
        raise NotImplementedError


class Receipt(Call):
    """One sent record. `get()` gives its RecordMetadata, or raises Kafka's error by name."""

    def __init__(self, cluster: Any, producer: str, number: int) -> None:
        super().__init__(cluster, f"{producer}#{number}")
        self._producer, self._number = producer, number

    def _one(self) -> Any:
        return self.cluster.core_of(self._producer).records[self._number - 1]

    def _value(self) -> RecordMetadata:
        record = self._one()
        if record.error is not None:
            raise record.error
        return RecordMetadata(record.topic, record.placed.partition, record.offset,
                              record.timestamp_ms)


class Poll(Call):
    """One `poll()` inside an application. It is not the records: those come from `yield`."""

    def __init__(self, cluster: Any, consumer: str) -> None:
        self._consumer, self._number = consumer, len(cluster.core_of(consumer).polls)
        super().__init__(cluster, f"{consumer}#{self._number}")

    def _one(self) -> Any:
        return self.cluster.core_of(self._consumer).polls[self._number - 1]

    def _value(self) -> list[ConsumerRecord]:
        call = self._one()
        if call.error is not None:
            raise call.error
        return [ConsumerRecord.decoded(record) for record in call.records]

    def _forgotten(self, *_: Any) -> Any:
        raise IllegalStateException("inside an application poll() gives the call, not the records: "
                                    "write `records = yield consumer.poll(...)`")

    __iter__ = __len__ = __getitem__ = __bool__ = _forgotten


class Lookup(Call):
    """One question for offsets. `take` makes of what was found for a partition what is given."""

    def __init__(self, cluster: Any, consumer: str, take: Callable[[Any], Any]) -> None:
        number = len(cluster.core_of(consumer).lookups)
        super().__init__(cluster, f"{consumer} lookup {number}")
        self._consumer, self._number, self._take = consumer, number, take

    def _one(self) -> Any:
        return self.cluster.core_of(self._consumer).lookups[self._number - 1]

    def _value(self) -> dict[TopicPartition, Any]:
        one = self._one()
        if one.error is not None:
            raise one.error
        return {name: self._take(one.found[name]) for name in one.timestamps}


class Flush(Call):
    """One `flush()`: done when every record sent before it is answered."""

    def __init__(self, cluster: Any, name: str, upto: int) -> None:
        super().__init__(cluster, name)
        self._upto = upto

    def done(self) -> bool:
        return self.cluster.core_of(self.name).has_answered(self._upto)

    def _value(self) -> None:
        return None


class Client(Handle):
    """What a producer and a consumer have in common: their metrics."""

    def metrics(self) -> dict[MetricName, float]:
        """What the Java client's `metrics()` shows now, by MetricName; not measured yet: NaN."""
        return self.cluster.core_of(self.name).metrics(int(self.cluster.now_ms))

    def metric(self, name: str, of: Any = None) -> float:
        """One metric by its name; `of` is the topic, partition or node for those that have one.

        IllegalStateException names what there is.
        """
        found = {(key.name, "-".join(one for _, one in key.tags[1:])): value
                 for key, value in self.metrics().items()}
        wanted = (name, str(getattr(of, "name", of)) if of is not None else "")
        if wanted not in found:
            near = [f"metric({key!r}{f', {tag!r}' if tag else ''})" for key, tag in found
                    if key in get_close_matches(name, [key for key, _ in found], 3, 0.5)]
            raise IllegalStateException(f"{self.name} has no metric {name!r} of {of!r} now; there "
                                        f"is {', '.join(near[:6]) or 'metrics()'}")
        return found[wanted]


class Topic(Handle):
    """A topic that was created. `topic[0]` names its partition, e.g. for `assign`."""

    def __getitem__(self, partition: int) -> TopicPartition:
        count = self.cluster.partitions_of(self.name)
        if not 0 <= partition < count:
            raise IndexError(f"{self.name} has {count} partitions, 0 to {count - 1}; asked for "
                             f"{partition}")
        return TopicPartition(self.name, partition)


class Producer(Client):
    """KafkaProducer. Keys and values are text (UTF-8), bytes or None."""

    def send(self, topic: str, value: Any = None, *, key: Any = None, partition: int | None = None,
             timestamp: int | None = None,
             headers: Iterable[tuple[str, bytes | None]] = (),
             on_completion: Any = None) -> Receipt:
        """Hand a record to the client. It takes no virtual time; the receipt tells what became.

        `timestamp` in epoch ms (default: now). `on_completion(metadata, error)` is called when the
        record has ended, for records of one partition in the order in which they were sent; it may
        look, but not command, and a fork or film does not call it again. Errors:
        InvalidTopicException, ValueError and SerializationException at once; everything else from
        `receipt.get()`.
        """
        check_call(self, "send()")
        name = getattr(topic, "name", topic)
        if not isinstance(name, str) or not LEGAL_TOPIC.fullmatch(name):
            raise InvalidTopicException(f"{topic!r} is no topic: send('orders', 'a value')")
        for what, number in (("partition", partition), ("timestamp", timestamp)):
            if number is not None:
                _whole(what, number)
        args = {"producer": self.name, "topic": name,
                "key": serialized("key", key), "value": serialized("value", value),
                "headers": tuple((str(name), serialized("header", data)) for name, data in headers),
                "partition": partition, "timestamp": timestamp}
        receipt = Receipt(self.cluster, self.name, len(self.cluster.calls_of(self.name)) + 1)
        if on_completion is not None:
            self.cluster.callbacks.add(receipt.name, on_completion)
        self.cluster.client_call("send", args)
        return receipt

    def flush(self) -> Any:
        """Send everything now and wait until all of it is answered."""
        check_call(self, "flush()")
        self.cluster.client_call("flush", {"producer": self.name})
        return Flush(self.cluster, self.name, len(self.cluster.calls_of(self.name))).get()


class Consumer(Client):
    """KafkaConsumer with assigned partitions; groups come with their module."""

    def assign(self, *partitions: Any) -> None:
        """Read exactly these partitions: "orders-0", a TopicPartition, or several of them."""
        check_call(self, "assign()")
        names = tuple(tuple(self.cluster.partition_named(one)) for one in _flat(partitions))
        self.cluster.client_call("assign", {"consumer": self.name, "partitions": names})

    def seek(self, partition: Any, offset: int) -> None:
        """Let the next record be the one at `offset`."""
        _whole("offset", offset)
        self._seek([self._assigned(partition)], offset)

    def seek_to_beginning(self, *partitions: Any) -> None:
        """Let the next record be the first that there is; of all partitions where none is named."""
        self._seek(self._each(partitions), "earliest")

    def seek_to_end(self, *partitions: Any) -> None:
        """Let the next record be the first that is committed after this; partitions likewise."""
        self._seek(self._each(partitions), "latest")

    def _seek(self, names: list[TopicPartition], to: int | str) -> None:
        check_call(self, "seek()")
        for name in names:
            self.cluster.client_call("seek", {"consumer": self.name, "partition": tuple(name),
                                              "to": to})

    def pause(self, *partitions: Any) -> None:
        """Give nothing of these and fetch nothing of them until `resume()`; positions stay."""
        self._partitions_call("pause", partitions)

    def resume(self, *partitions: Any) -> None:
        """Go on with these, first with what was buffered."""
        self._partitions_call("resume", partitions)

    def _partitions_call(self, what: str, partitions: tuple) -> None:
        check_call(self, f"{what}()")
        names = tuple(tuple(self._assigned(one)) for one in _flat(partitions))
        self.cluster.client_call(f"{what}_partitions", {"consumer": self.name,
                                                        "partitions": names})

    def paused(self) -> tuple[TopicPartition, ...]:
        """Those of its partitions that are paused."""
        return self.cluster.core_of(self.name).paused

    def assignment(self) -> tuple[TopicPartition, ...]:
        """Its partitions, in the order in which they were assigned."""
        return self.cluster.core_of(self.name).assignment

    def _each(self, partitions: tuple) -> list[TopicPartition]:
        """The partitions named, or all: IllegalStateException where there are none."""
        given = _flat(partitions) or self.assignment()
        if not given:
            raise IllegalStateException(f"{self.name} has no partitions: call assign('orders-0')")
        return [self._assigned(one) for one in given]

    def _assigned(self, partition: Any) -> TopicPartition:
        name, core = TopicPartition.of(partition), self.cluster.core_of(self.name)
        if name not in core.assignment:
            raise IllegalStateException(
                f"No current assignment for partition {name}: {self.name} has "
                f"{', '.join(map(str, core.assignment)) or 'none'}; call assign({str(name)!r})")
        return name

    def position(self, partition: Any) -> int | None:
        """Offset of the next record that `poll()` gives; None before there is one."""
        return self.cluster.core_of(self.name).position(self._assigned(partition))

    def current_lag(self, partition: Any) -> int | None:
        """Offsets from the position to the end; None before a fetch has told where that is."""
        return self.cluster.core_of(self.name).current_lag(self._assigned(partition))

    def committed(self, *partitions: Any) -> Any:
        """What a group has committed: without `group.id` that is InvalidGroupIdException."""
        raise InvalidGroupIdException(
            f"To use the group management or offset commit APIs, you must provide a valid group.id "
            f"in the consumer configuration. {self.name} has none (groups come later): position() "
            f"tells how far it is")

    def offsets_for_times(self, timestamps: dict[Any, int]) -> Any:
        """By partition the first record that is not older than a time in epoch ms, or None.

        Each is an OffsetAndTimestamp. Errors: ValueError for a negative time, TimeoutException.
        """
        for name, at in timestamps.items():
            _whole(f"the target time of {name}", at)
        return self._look_up(timestamps, lambda found: found)

    def beginning_offsets(self, *partitions: Any) -> Any:
        """By partition the offset of its first record. Errors: TimeoutException."""
        return self._look_up(dict.fromkeys(_flat(partitions), EARLIEST_TIMESTAMP), _offset)

    def end_offsets(self, *partitions: Any) -> Any:
        """By partition the offset that the next committed record will have.

        With `isolation.level` read_committed it is the last stable offset. TimeoutException.
        """
        return self._look_up(dict.fromkeys(_flat(partitions), LATEST_TIMESTAMP), _offset)

    def _look_up(self, timestamps: dict[Any, int], take: Callable[[Any], Any]) -> Any:
        check_call(self, "a question for offsets")
        asked = tuple((tuple(self.cluster.partition_named(name)), at)
                      for name, at in timestamps.items())
        self._ensure_one_call()
        self.cluster.client_call("look_up", {"consumer": self.name, "timestamps": asked})
        return Lookup(self.cluster, self.name, take).get()

    def _ensure_one_call(self) -> None:
        core = self.cluster.core_of(self.name)
        if core.polls and core.polls[-1].state == "polling" or \
                core.lookups and core.lookups[-1].state == "waiting":
            raise IllegalStateException(f"{self.name} is in poll() or another call already: one "
                                        f"thread, one call")

    def poll(self, timeout_ms: int = 500) -> Any:
        """Records from the positions on: as soon as there are any, or none after `timeout_ms`.

        Errors: IllegalStateException without an assignment, OffsetOutOfRangeException and
        NoOffsetForPartitionException where `auto.offset.reset` is "none".
        """
        check_call(self, "poll()")
        core = self.cluster.core_of(self.name)
        if not core.assignment:
            raise IllegalStateException("Consumer is not subscribed to any topics or assigned any "
                                        "partitions: call assign('orders-0') first")
        _whole("timeout_ms", timeout_ms)
        self._ensure_one_call()
        self.cluster.client_call("poll", {"consumer": self.name, "timeout_ms": timeout_ms})
        return Poll(self.cluster, self.name).get()


def _flat(partitions: tuple) -> list:
    """Partitions one by one, or in one list."""
    return list(partitions[0]) if len(partitions) == 1 and isinstance(partitions[0], list) \
        else list(partitions)


def _offset(found: Any) -> int:
    return found.offset


class App(Handle):
    """An application that runs on its own; `done()` tells whether it has ended."""

    def done(self) -> bool:
        """True once the generator has returned or raised."""
        return self.cluster.app_ended(self.name)
