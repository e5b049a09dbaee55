"""DumpLogSegments: the fields of a dump, found one behind the other from the layouts of the engine.

A layout gives names, `struct` letters and meanings; a record's varints are taken apart here, by the
reader that the engine has for them. A field that does not fit any more ends the walk.
"""

from collections.abc import Callable, Iterable
from struct import calcsize, unpack_from
from typing import Any, NamedTuple

from kafka_internals.byte_utils import read_varint, read_varlong
from kafka_internals.record import RECORD_LAYOUT, Field

NOT_READABLE = "not readable"
READERS = {"varint": read_varint, "varlong": read_varlong}
Parts = tuple[tuple[str, str], ...]
MEANING = {field.name: field.meaning for field in RECORD_LAYOUT}


class FieldSnapshot(NamedTuple):
    """Bytes `start` to before `end`. `parts`: (name, text) of what is inside, bits and varints.

    `group`: what it belongs to, such as "batch 5", "batch 5 record 0", "entry 3".
    """

    start: int
    end: int
    name: str
    meaning: str
    value: str
    parts: Parts = ()
    group: str = ""

    @property
    def is_readable(self) -> bool:
        """False for bytes that no reader understands; `meaning` is then its error."""
        return self.name != NOT_READABLE


def text_of(data: bytes) -> str:
    """Bytes as text, where they are UTF-8; else as hex."""
    try:
        return f'"{data.decode()}"'
    except UnicodeDecodeError:
        return f"0x{data.hex()}"


def varint_parts(data: bytes, number: int) -> Parts:
    """How these bytes make this number: 7 bits each, the lowest first, then zig-zag."""
    bits = " ".join(f"{byte >> 7}|{byte & 0x7F:07b}" for byte in data)
    raw = sum((byte & 0x7F) << 7 * at for at, byte in enumerate(data))
    return (("bits", bits), ("without zig-zag", str(raw)), ("number", str(number)))


class Fields:
    """A walk over `content`: what was found so far, and the `position` of the next field."""

    def __init__(self, content: bytes) -> None:
        self.content, self.position = content, 0
        self.found: list[FieldSnapshot] = []

    def add(self, end: int, name: str, meaning: str, value: str, group: str = "",
            parts: Parts = ()) -> None:
        """One field from here to `end`; nothing where that is no byte."""
        if end > self.position:
            self.found.append(FieldSnapshot(self.position, end, name, meaning, value, parts, group))
            self.position = end

    def rest(self, error: str, end: int | None = None) -> None:
        """What is left up to `end` cannot be read, and why."""
        end = len(self.content) if end is None else end
        self.add(end, NOT_READABLE, error or "No reader asks for these bytes.",
                 f"{end - self.position} bytes", NOT_READABLE)

    def layout(self, layout: Iterable[Field], group: str, parts: dict[str, Parts] | None = None,
               upto: int | None = None) -> bool:
        """The fields of a layout of `struct` letters, as many as are whole; True for all."""
        upto = len(self.content) if upto is None else upto
        for field in layout:
            end = self.position + calcsize(">" + field.kind)
            if end > upto:
                return False
            (number,) = unpack_from(">" + field.kind, self.content, self.position)
            value = f"{number:#010x}" if field.name == "crc" else str(number)
            self.add(end, field.name, field.meaning, value, group,
                     (parts or {}).get(field.name, ()))
        return True

    # -- records ------------------------------------------------------------------------------
    def record(self, group: str, end: int, header: Any,
               inside: Callable[..., None] | None = None) -> bool:
        """One record by `RECORD_LAYOUT`, which may reach to `end`; False where it cannot be read.

        `inside` lays out the bytes of key and value: (fields, "key", end, group).
        """
        try:
            length = self._varint("length", group, end)
            body_end = self.position + length
            if not self.position <= body_end <= end:
                return False
            for field in RECORD_LAYOUT[1:]:
                self._record_field(field, group, body_end, header, inside)
        except (IndexError, ValueError):
            return False
        return self.position == body_end

    def _record_field(self, field: Field, group: str, end: int, header: Any,
                      inside: Callable[..., None] | None) -> None:
        if field.kind in READERS:
            base = header.base_offset if field.name == "offset_delta" else header.base_timestamp
            self._varint(field.name, group, end, field, base)
        elif field.kind == "bytes":
            self._sized(field.name, group, end, field.meaning, inside)
        elif field.kind == "headers":
            for at in range(self._varint("headers count", group, end,
                                         Field("headers", "varint", field.meaning))):
                self._sized(f"header {at} name", group, end, "name of the header")
                self._sized(f"header {at} value", group, end, "value of the header")
        elif not self.layout((field,), group, upto=end):
            raise IndexError(field.name)

    def _varint(self, name: str, group: str, end: int, field: Field | None = None,
                base: int | None = None) -> int:
        """Read and add one varint; IndexError where `end` comes first."""
        reader = READERS[field.kind] if field else read_varint
        number, after = reader(self.content, self.position)
        if after > end:
            raise IndexError(name)
        parts = varint_parts(self.content[self.position:after], number)
        if base is not None:
            what = "offset" if name == "offset_delta" else "timestamp"
            parts += ((what, f"{base} + {number} = {base + number}"),)
        self.add(after, name, field.meaning if field else MEANING.get(name, "bytes that follow; -1 "
                 "for none"), f"{number} (null)" if number < 0 and "length" in name
                 else str(number), group, parts)
        return number

    def _sized(self, name: str, group: str, end: int, meaning: str,
               inside: Callable[..., None] | None = None) -> None:
        size = self._varint(f"{name} length", group, end)
        after = self.position + max(0, size)
        if after > end:
            raise IndexError(name)
        if inside and size > 0:
            inside(self, name, after, group)
        self.add(after, name, meaning, text_of(self.content[self.position:after]), group)
