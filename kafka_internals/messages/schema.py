"""Schema, Type and TaggedFields: the flexible encoding in which Kafka's messages are written.

A message is a table of fields in the order of its bytes; each says from which version on it is
there. Lengths are varints, one more than they are, so that 0 can mean "none". A tagged field
(KIP-482) stands at the end behind its number and size, and only where it says something: who does
not know it passes over it.
"""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
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

    __slots__ = ("buffer", "position")

    def __init__(self, buffer: bytes) -> None:
        self.buffer, self.position = buffer, 0

    @property
    def remaining(self) -> int:
        """How many bytes are left."""
        return len(self.buffer) - self.position

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if size > self.remaining:
            raise ValueError(f"{size} bytes are declared at byte {self.position}, but "
                             f"{self.remaining} remain")
        self.position += size
        return self.buffer[self.position - size:self.position]

    def unsigned_varint(self) -> int:
        """The next length, tag, count or version."""
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
        data = b64decode(f"{value}==", altchars=b"-_", validate=True)
        if len(data) != 16:
            raise ValueError(f"{value!r} is no uuid: 22 characters of A-Z a-z 0-9 - _ are")
        return data

    def read(self, source: Readable, version: int) -> str:
        """The 22 characters."""
        return urlsafe_b64encode(source.take(16)).decode().rstrip("=")


def _size(source: Readable, nullable: bool) -> int | None:
    size = source.unsigned_varint() - 1
    if size < 0 and not nullable:
        raise ValueError(f"nothing (null) stands at byte {source.position - 1}, where it may not")
    return None if size < 0 else size


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
        size = _size(source, self.nullable)
        if size is None:
            return None
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
        size = _size(source, self.nullable)
        if size is None:
            return None
        if size > source.remaining:
            raise ValueError(f"{size} values are declared, but {source.remaining} bytes remain")
        return tuple([self.of.read(source, version) for _ in range(size)])


class BoundField(NamedTuple):
    """One field of a message: there from version `since` on, behind a `tag` where it has one."""

    name: str
    type: Type
    since: int = 0
    tag: int | None = None


class Schema(NamedTuple):
    """All fields of a message in the order of its bytes; itself the type of a nested one.

    `make` is the NamedTuple that it becomes, whose defaults are the schema's.
    """

    make: Callable[..., Any]
    fields: tuple[BoundField, ...] = ()

    def _default(self, field: BoundField) -> Any:
        return self.make._field_defaults.get(field.name)

    def _said(self, message: Any, version: int) -> Iterator[tuple[BoundField, bytes]]:
        """The fields that this version has, and that have to be there."""
        for field in self.fields:
            value = getattr(message, field.name)
            is_default = value == self._default(field)
            if field.since <= version:
                if field.tag is None or not is_default:
                    try:
                        yield field, field.type.write(value, version)
                    except ValueError as error:
                        raise ValueError(f"{field.name} of {self.make.__name__}: {error}"
                                         ) from error
            elif not is_default:
                raise UnsupportedVersionException(
                    f"Attempted to write a non-default {field.name} at version {version} of "
                    f"{self.make.__name__}: {value!r}; version {field.since} is the first with it")

    def write(self, value: Any, version: int) -> bytes:
        """The whole message. Errors: ValueError with the field, UnsupportedVersionException."""
        plain, tagged = [], []
        for field, data in self._said(value, version):
            if field.tag is None:
                plain.append(data)
            else:
                tagged.append((field.tag, data))
        return b"".join(plain) + unsigned_varint(len(tagged)) + b"".join([
            unsigned_varint(tag) + unsigned_varint(len(data)) + data
            for tag, data in sorted(tagged)])

    def read(self, source: Readable, version: int) -> Any:
        """The whole message; tags of the future are passed over."""
        found = {field.name: field.type.read(source, version) for field in self.fields
                 if field.tag is None and field.since <= version}
        tags = {field.tag: field for field in self.fields
                if field.tag is not None and field.since <= version}
        for _ in range(source.unsigned_varint()):
            tag, size = source.unsigned_varint(), source.unsigned_varint()
            end = source.position + size
            if field := tags.get(tag):
                found[field.name] = field.type.read(source, version)
            else:
                source.take(size)
            if source.position != end:
                raise ValueError(f"tag {tag} of {self.make.__name__} declares {size} bytes; its "
                                 f"value has {source.position - end + size}")
        return self.make(**found)

    def least_version(self, message: Any) -> int:
        """The lowest version that can hold what this message says."""
        return max([field.since for field in self.fields
                    if getattr(message, field.name) != self._default(field)], default=0)


BOOLEAN, INT8, INT16, UINT16, INT32, INT64, FLOAT64 = (
    Fixed(Struct(f">{kind}")) for kind in FIXED)
UUID = UuidType()
STRING, NULLABLE_STRING = CompactString(), CompactString(nullable=True)
IDS, NULLABLE_IDS = CompactArray(INT32), CompactArray(INT32, nullable=True)
UUIDS, NULLABLE_UUIDS = CompactArray(UUID), CompactArray(UUID, nullable=True)
