"""Schema, Type and TaggedFields: the flexible encoding in which Kafka's messages are written.

A message is a table of fields in the order of its bytes; each says from which version on it is
there. Lengths are varints, one more than they are, so that 0 can mean "none". A tagged field
(KIP-482) stands at the end behind its number and size, and only where it says something: who does
not know it passes over it.
"""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from functools import lru_cache
from struct import Struct
from struct import error as StructError
from typing import Any, NamedTuple, Protocol

from kafka_internals.byte_utils import read_unsigned_varint, unsigned_varint
from kafka_internals.errors import UnsupportedVersionException

LONGEST_STRING = 0x7FFF
FIXED = {"?": "boolean", "b": "int8", "h": "int16", "H": "uint16", "i": "int32", "q": "int64",
         "d": "float64"}


class Readable:
    """Bytes that are read from the front. IndexError or ValueError where they end too early."""

    __slots__ = ("buffer", "size", "position")

    def __init__(self, buffer: bytes) -> None:
        self.buffer, self.size, self.position = buffer, len(buffer), 0

    @property
    def remaining(self) -> int:
        """How many bytes are left."""
        return self.size - self.position

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        start, end = self.position, self.position + size
        if end > self.size:
            raise ValueError(f"{size} bytes are declared at byte {start}, but "
                             f"{self.remaining} remain")
        self.position = end
        return self.buffer[start:end]

    def unsigned_varint(self) -> int:
        """The next length, tag, count or version."""
        if (number := self.buffer[self.position]) < 0x80:       # one byte: nearly all of them
            self.position += 1
            return number
        number, self.position = read_unsigned_varint(self.buffer, self.position)
        return number


class Type(Protocol):
    """How one value is written and read; nested messages have the version of the outer one."""

    def write(self, value: Any, version: int) -> bytes:
        """The value's bytes. ValueError where it cannot be written."""

    def read(self, source: Readable, version: int) -> Any:
        """The value that comes next."""


class Fixed(NamedTuple):
    """A number of fixed size, or a boolean: `layout` is its `Struct`."""

    layout: Struct

    def __str__(self) -> str:
        return FIXED[self.layout.format[1:]]

    def write(self, value: Any, version: int) -> bytes:
        """Big-endian bytes."""
        try:
            return self.layout.pack(value)
        except StructError as error:
            raise ValueError(f"{value!r} does not fit: {error}") from error

    def read(self, source: Readable, version: int) -> Any:
        """The number."""
        return self.layout.unpack(source.take(self.layout.size))[0]


class UuidType(NamedTuple):
    """16 bytes, in this engine always as their 22 characters (Uuid.toString)."""

    def __str__(self) -> str:
        return "uuid, 16 bytes"

    def write(self, value: str, version: int) -> bytes:
        """The bytes; ValueError for anything but 22 characters of that alphabet."""
        return uuid_bytes(value)

    def read(self, source: Readable, version: int) -> str:
        """The 22 characters."""
        return uuid_text(source.take(16))


@lru_cache(1_000)                       # of topics and directories, in record after record
def uuid_bytes(value: str) -> bytes:
    """The 16 bytes behind 22 characters."""
    data = b64decode(f"{value}==", altchars=b"-_", validate=True)
    if len(data) != 16:
        raise ValueError(f"{value!r} is no uuid: 22 characters of A-Z a-z 0-9 - _ are")
    return data


@lru_cache(1_000)
def uuid_text(data: bytes) -> str:
    """The 22 characters for 16 bytes."""
    return urlsafe_b64encode(data).decode().rstrip("=")


def _null(source: Readable, nullable: bool) -> None:
    """What a length of 0 says."""
    if not nullable:
        raise ValueError(f"nothing (null) stands at byte {source.position - 1}, where it may not")


class CompactString(NamedTuple):
    """Text; with `nullable` also None."""

    nullable: bool = False

    def __str__(self) -> str:
        return "length + 1 as unsigned varint, and UTF-8" + ("; 0 for null" * self.nullable)

    def write(self, value: str | None, version: int) -> bytes:
        """Its length + 1 and its UTF-8 bytes, 0 for None."""
        if value is None and self.nullable:
            return b"\0"
        data = value.encode() if isinstance(value, str) else None
        if data is None or len(data) > LONGEST_STRING:
            raise ValueError(f"{str(value)[:40]!r} is no text of at most {LONGEST_STRING} bytes")
        return unsigned_varint(len(data) + 1) + data

    def read(self, source: Readable, version: int) -> str | None:
        """The text; what is no UTF-8 is replaced, as in Java."""
        if (size := source.unsigned_varint() - 1) < 0:
            return _null(source, self.nullable)
        if size > LONGEST_STRING:
            raise ValueError(f"a text of {size} bytes is declared; {LONGEST_STRING} is the most")
        return source.take(size).decode("utf-8", "replace")


class CompactArray(NamedTuple):
    """Values of one type, as a tuple; with `nullable` also None."""

    of: Type
    nullable: bool = False

    def write(self, value: tuple | None, version: int) -> bytes:
        """How many + 1 and the values, 0 for None."""
        if value is None and self.nullable:
            return b"\0"
        if not isinstance(value, tuple):
            raise ValueError(f"{value!r} is no tuple")
        return unsigned_varint(len(value) + 1) + b"".join(
            [self.of.write(one, version) for one in value])

    def read(self, source: Readable, version: int) -> tuple | None:
        """The values; a count above the bytes that remain is refused at once."""
        if (size := source.unsigned_varint() - 1) < 0:
            return _null(source, self.nullable)
        if size > source.size - source.position:
            raise ValueError(f"{size} values are declared, but {source.remaining} bytes remain")
        return tuple([self.of.read(source, version) for _ in range(size)])


class FamiliarArray(CompactArray):
    """An array that is nearly always the same: the one that was read last is at hand."""

    last: tuple = None, -1, b""                   # the value, the version and the bytes

    def write(self, value: tuple | None, version: int) -> bytes:
        """As any array."""
        known, known_version, data = self.last
        return data if (known, known_version) == (value, version) \
            else super().write(value, version)

    def read(self, source: Readable, version: int) -> tuple | None:
        """As any array; where the same bytes come again they say the same."""
        value, known_version, data = self.last
        start = source.position
        if known_version == version and source.buffer.startswith(data, start):
            source.position += len(data)
            return value
        value = super().read(source, version)
        self.last = value, version, source.buffer[start:source.position]
        return value


class BoundField(NamedTuple):
    """One field of a message: there from version `since` on, behind a `tag` where it has one."""

    name: str
    type: Type
    since: int = 0
    tag: int | None = None


class Schema:
    """All fields of a message in the order of its bytes; itself the type of a nested one.

    `make` is the NamedTuple that it becomes, whose defaults are the schema's.
    """

    def __init__(self, make: Callable[..., Any], fields: tuple[BoundField, ...] = ()) -> None:
        self.make, self.fields = make, fields
        self._defaults = [(make._fields.index(field.name), field,
                           make._field_defaults.get(field.name)) for field in fields]
        self._plain = [field for field in fields if field.tag is None]
        self._tagged = {field.tag: field for field in fields if field.tag is not None}

    def write(self, value: Any, version: int) -> bytes:
        """The whole message. Errors: ValueError with the field, UnsupportedVersionException."""
        said, tagged = b"", []
        for at, field, default in self._defaults:
            one = value[at]
            if field.since > version:
                if one != default:
                    raise UnsupportedVersionException(
                        f"Attempted to write a non-default {field.name} at version {version} of "
                        f"{self.make.__name__}: {one!r}; version {field.since} is the first with "
                        f"it")
            elif field.tag is None or one != default:
                try:
                    data = field.type.write(one, version)
                except ValueError as error:
                    raise ValueError(f"{field.name} of {self.make.__name__}: {error}") from error
                if field.tag is None:
                    said += data
                else:
                    tagged.append((field.tag, data))
        if not tagged:
            return said + b"\0"
        said += unsigned_varint(len(tagged))
        for tag, data in sorted(tagged):
            said += unsigned_varint(tag) + unsigned_varint(len(data)) + data
        return said

    def read(self, source: Readable, version: int) -> Any:
        """The whole message; tags of the future are passed over."""
        found = {field.name: field.type.read(source, version) for field in self._plain
                 if field.since <= version}
        for _ in range(source.unsigned_varint()):
            tag, size = source.unsigned_varint(), source.unsigned_varint()
            end, field = source.position + size, self._tagged.get(tag)
            if field is not None and field.since <= version:
                found[field.name] = field.type.read(source, version)
            else:
                source.take(size)
            if source.position != end:
                raise ValueError(f"tag {tag} of {self.make.__name__} declares {size} bytes; its "
                                 f"value has {source.position - end + size}")
        return self.make(**found)

    def least_version(self, message: Any) -> int:
        """The lowest version that can hold what this message says."""
        return max([field.since for at, field, default in self._defaults
                    if message[at] != default], default=0)


BOOLEAN, INT8, INT16, UINT16, INT32, INT64, FLOAT64 = (
    Fixed(Struct(f">{kind}")) for kind in FIXED)
UUID = UuidType()
STRING, NULLABLE_STRING = CompactString(), CompactString(nullable=True)
IDS, NULLABLE_IDS = CompactArray(INT32), CompactArray(INT32, nullable=True)
UUIDS, NULLABLE_UUIDS = CompactArray(UUID), CompactArray(UUID, nullable=True)
