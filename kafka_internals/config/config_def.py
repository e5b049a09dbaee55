"""ConfigDef: which configs there are, of what type, with which default, and what they may be.

Names, types, defaults, validators and wording are those of Kafka 4.4. An unknown config is refused,
where Kafka warns and goes on: a misspelt name that is silently ignored is the most expensive kind
of mistake. A config that this engine does not act on yet is known, but stays at its default; its
`note` says so, and where that default is not Kafka's own.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from functools import partial
from typing import Any, NamedTuple

from kafka_internals.errors import ConfigException

BOOLEAN, INT, LONG, STRING, LIST, CLASS = "BOOLEAN", "INT", "LONG", "STRING", "LIST", "CLASS"
BITS = {INT: 32, LONG: 64}
INT_MAX, LONG_MAX = (1 << 31) - 1, (1 << 63) - 1
INTEGER = re.compile("[+-]?[0-9]+")
SAME = object()


def invalid(name: str, value: Any, why: str) -> ConfigException:
    """A ConfigException in Kafka's words."""
    return ConfigException(f"Invalid value {value} for configuration {name}: {why}")


class Range(NamedTuple):
    """A number within bounds, both included; None is no bound."""

    least: int
    most: int | None = None

    @classmethod
    def at_least(cls, least: int) -> "Range":
        """A number without an upper bound."""
        return cls(least)

    @classmethod
    def between(cls, least: int, most: int) -> "Range":
        """A number with both bounds."""
        return cls(least, most)

    def ensure_valid(self, name: str, value: int) -> None:
        """ConfigException outside the bounds."""
        if value < self.least:
            raise invalid(name, value, f"Value must be at least {self.least}")
        if self.most is not None and value > self.most:
            raise invalid(name, value, f"Value must be no more than {self.most}")

    def __str__(self) -> str:
        return f"[{self.least},...]" if self.most is None else f"[{self.least},...,{self.most}]"


class ValidString:
    """One of these texts; for a list, each of its elements, and none of them twice."""

    def __init__(self, *valid: str) -> None:
        self.valid = valid

    def ensure_valid(self, name: str, value: str | tuple[str, ...]) -> None:
        """ConfigException for another text."""
        for text in value if isinstance(value, tuple) else [value]:
            if text not in self.valid:
                raise invalid(name, text, f"String must be one of: {', '.join(self.valid)}")
        if isinstance(value, tuple) and len(value) > len(dict.fromkeys(value)):
            raise ConfigException(f"Configuration '{name}' values must not be duplicated.")

    def __str__(self) -> str:
        return f"[{', '.join(self.valid)}]"


class CaseInsensitiveValidString:
    """One of these texts, in whatever case."""

    def __init__(self, *valid: str) -> None:
        self.valid = valid

    def ensure_valid(self, name: str, value: str) -> None:
        """ConfigException for another text."""
        if value.upper() not in self.valid:
            raise invalid(name, value, "String must be one of (case insensitive): "
                                       f"{', '.join(self.valid)}")

    def __str__(self) -> str:
        return f"(case insensitive) [{', '.join(self.valid)}]"


class NonEmptyString:
    """Any text but the empty one."""

    def ensure_valid(self, name: str, value: str) -> None:
        """ConfigException for the empty text."""
        if value == "":
            raise invalid(name, value, "String must be non-empty")

    def __str__(self) -> str:
        return "non-empty string"


def _boolean(name: str, value: Any) -> bool:
    text = str(value).strip().lower()
    if not isinstance(value, (bool, str)) or text not in ("true", "false"):
        raise invalid(name, value, "Expected value to be either true or false")
    return text == "true"


def _number(name: str, value: Any, type: str) -> int:
    bits = BITS[type]
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise invalid(name, value, f"Expected value to be a {bits}-bit integer, but it was a "
                                   f"{value.__class__.__name__}")
    text = str(value).strip()
    if not INTEGER.fullmatch(text) or not -1 << bits - 1 <= int(text) < 1 << bits - 1:
        raise invalid(name, value, f"Not a number of type {type}")
    return int(text)


def _string(name: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise invalid(name, value, f"Expected value to be a string, but it was a "
                                   f"{type(value).__name__}")
    return str(value).strip()


def _list(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(text.strip() for text in value.split(",")) if value.strip() else ()
    if not isinstance(value, (list, tuple)):
        raise invalid(name, value, "Expected a comma separated list.")
    return tuple(_string(name, text) for text in value)


# fmt: off
PARSERS = {
    BOOLEAN: _boolean,
    INT:     partial(_number, type=INT),
    LONG:    partial(_number, type=LONG),
    STRING:  _string,
    CLASS:   _string,
    LIST:    _list,
}
# fmt: on


class ConfigKey(NamedTuple):
    """One config. `later`: what is missing while only the default, or one of `so_far`, works."""

    name: str
    type: str
    default: Any
    validator: Any
    documentation: str
    later: str = ""
    so_far: tuple = ()
    kafka_default: Any = SAME

    def parse(self, value: Any) -> Any:
        """The value in its type, valid by Kafka's rules; ConfigException otherwise."""
        if value is not None:
            value = PARSERS[self.type](self.name, value)
        elif self.default is not None:
            raise invalid(self.name, value, "Value must be non-null")
        if value is not None and self.validator is not None:
            self.validator.ensure_valid(self.name, value)
        return value

    def ensure_supported(self, value: Any) -> None:
        """ConfigException for a value that is right for Kafka but that this engine has not yet."""
        if self.later and value not in (self.default, *self.so_far):
            raise invalid(self.name, value, f"{self.later} with a later version of this course's "
                                            f"engine; until then leave it at {self.default}")

    @property
    def note(self) -> str:
        """Where this engine differs from Kafka; empty where it does not."""
        says = [] if self.kafka_default is SAME else [f"Kafka's default is {self.kafka_default}"]
        if self.later:
            says.append(f"{self.later} with a later version of this course's engine")
        return "; ".join(says)


class Config(dict):
    """Parsed configs by Kafka's names, frozen. `given`: the names that were set, in that order."""

    __slots__ = ("given",)

    def __init__(self, values: dict[str, Any], given: Iterable[str]) -> None:
        super().__init__(values)
        self.given = tuple(given)

    def _frozen(self, *_: Any, **__: Any) -> None:
        raise TypeError("a Config is frozen: parse another one")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _frozen

    def __reduce__(self) -> tuple:
        return Config, (dict(self), self.given)

    def __repr__(self) -> str:
        return f"Config({', '.join(f'{name}={self[name]!r}' for name in self.given)})"


class ConfigDef:
    """The configs of one `kind` ("producer", "topic" ...) and the rules between them.

    `post_process(values, given)` gives the values that follow from others, or refuses them.
    """

    def __init__(self, kind: str, keys: Iterable[ConfigKey],
                 post_process: Callable[[dict, list], dict] = lambda values, given: {}) -> None:
        self.kind, self._post_process = kind, post_process
        self.keys = {key.name: key for key in keys}

    def key(self, name: str) -> ConfigKey:
        """The config of that name, with `.` or `_`; ConfigException names the nearest."""
        dotted = name.replace("_", ".")
        if dotted in self.keys:
            return self.keys[dotted]
        near = get_close_matches(dotted, self.keys, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(self.keys)}"
        raise ConfigException(f"unknown {self.kind} config {name!r}: {hint}")

    def parse(self, given: Mapping[str, Any]) -> Config:
        """Check what was given and fill in the defaults.

        Errors: ConfigException for a name that is unknown or given twice, a value that is
        impossible or not possible yet, and values that contradict each other.
        """
        values, names = {key.name: key.default for key in self.keys.values()}, []
        for spelt, value in given.items():
            key = self.key(spelt)
            if key.name in names:
                raise ConfigException(f"{self.kind} config {key.name!r} is given twice")
            values[key.name] = key.parse(value)
            key.ensure_supported(values[key.name])
            names.append(key.name)
        return Config({**values, **self._post_process(values, names)}, names)
