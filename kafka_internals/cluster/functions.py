"""A learner's own functions inside a run: partitioners, and callbacks of `send()`.

A partitioner takes part in what happens, so a replay calls it again: it goes by its name in the
journal, as an application does, and may depend on its arguments only. A callback is told what
happened and changes nothing, so it is called once, in the run where it was given, and never again.
"""

import inspect
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from kafka_internals.cluster.floor import has_the_floor
from kafka_internals.cluster.handles import RecordMetadata, text
from kafka_internals.errors import ConfigException

LUCK_AND_TIME = ("random", "secrets", "time", "datetime", "os", "uuid", "numpy")
PLAIN = (int, float, str, bytes, bool, type(None))


def _is_fixed(value: Any) -> bool:
    """Something that a call cannot change, or a function that is looked at by itself."""
    return isinstance(value, PLAIN) or isinstance(value, (tuple, frozenset)) and all(
        map(_is_fixed, value)) or inspect.isroutine(value) or inspect.isclass(value)


def check_partitioner(given: Any) -> Callable:
    """A named function of (topic, key, value, partitions) that depends on nothing else."""
    if not inspect.isfunction(given) or given.__name__ == "<lambda>":
        raise ConfigException(
            f"partitioner={given!r}: give a function with a name, def by_region(topic, key, value, "
            f"partitions): ...; the journal calls it by that name when the run is executed again")
    if len(inspect.signature(given).parameters) != 4:
        raise ConfigException(f"{given.__name__} has to take four arguments: def "
                              f"{given.__name__}(topic, key, value, partitions)")
    outside = inspect.getclosurevars(given)
    for name, value in sorted({**outside.globals, **outside.nonlocals}.items()):
        module = value.__name__ if isinstance(value, ModuleType) else \
            getattr(value, "__module__", None) or ""
        if module.partition(".")[0] in LUCK_AND_TIME or not (
                isinstance(value, ModuleType) or _is_fixed(value)):
            raise ConfigException(
                f"{given.__name__} uses {name} from outside ({value!r}): what that is may be "
                f"another thing when the run is executed again. Let the partition follow from "
                f"topic, key, value and partitions")
    return given


def registered(functions: dict[str, Callable], given: Callable, taken: Any = ()) -> str:
    """The name by which the journal knows a function from now on; none that is `taken`."""
    name, number = given.__name__, 1
    while name in taken or functions.get(name, given) is not given:
        number += 1
        name = f"{given.__name__}-{number}"
    functions[name] = given
    return name


def as_partitioner(function: Callable, topic: str, key: bytes | None, value: bytes | None,
                   partitions: int) -> Any:
    """Call a learner's partitioner, with text for keys and values."""
    with has_the_floor(f"the partitioner {function.__name__}"):
        return function(topic, text(key), text(value), partitions)


class Callbacks:
    """The callbacks of one cluster, by the name of the record that they wait for."""

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        self._failed, self._of, self._told = failed, {}, {}

    def add(self, record: str, function: Any) -> None:
        """Call `function(metadata, error)` when this record has ended."""
        if not callable(function):
            raise TypeError(f"on_completion={function!r}: give a function of (metadata, error)")
        self._of[record] = function

    def deliver(self, client: str, completed: list) -> None:
        """Tell of every record that has ended since the last time, in that order."""
        told, self._told[client] = self._told.get(client, 0), len(completed)
        for record in completed[told:]:
            if (function := self._of.pop(record.subject, None)) is not None:
                try:
                    with has_the_floor(f"the callback of {record.subject}"):
                        function(*_result(record))
                except Exception as error:
                    self._failed(error)


def _result(record: Any) -> tuple[RecordMetadata, Exception | None]:
    if record.error is None:
        return RecordMetadata(record.topic, record.placed.partition, record.offset,
                              record.timestamp_ms), None
    number = -1 if record.placed is None else record.placed.partition
    return RecordMetadata(record.topic, number, -1, -1), record.error


def partitioner_named(name: str | None, functions: dict[str, Callable]) -> Callable | None:
    """The partitioner that a config names; None for the built-in one."""
    return None if name is None else partial(as_partitioner, functions[name])
