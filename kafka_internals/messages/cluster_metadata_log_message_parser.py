"""ClusterMetadataLogMessageParser: what every byte of a record of the metadata log is for.

The decoder behind `kafka-dump-log --cluster-metadata-decoder`. The schemas that read a record are
walked over its bytes, so that a dump cannot drift from what reads and writes them.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from kafka_internals.messages import kraft_control_records, metadata_record_serde
from kafka_internals.messages.schema import CompactArray, Readable, Schema, Type
from kafka_internals.record import Record


class Span(NamedTuple):
    """Bytes up to before `end`, counted from the value's first: what they are, and say."""

    end: int
    name: str
    meaning: str
    value: str


def spans(is_control: bool, key: bytes | None, value: bytes) -> list[Span]:
    """The fields of a record's value, one behind the other.

    Errors: MetadataParseException, InvalidRecordException for what cannot be read.
    """
    source = Readable(value)
    if is_control:
        kraft_control_records.read_control_record(Record(-1, -1, key, value))
        schema, version = kraft_control_records.read_frame(key, source)
        return [Span(source.position, "version", "of the value's schema", str(version)),
                *_walk(schema, source, version, "")]
    metadata_record_serde.decode(value)                      # what is damaged ends here
    frame = list(_frame(source))
    kind, version = metadata_record_serde.read_frame(Readable(value))
    return frame + list(_walk(kind.schema, source, version, ""))


def _frame(source: Readable) -> Iterator[Span]:
    for name, meaning in (("frame version", "of what surrounds a metadata record: 1"),
                          ("type", "which record this is, its key as an unsigned varint"),
                          ("version", "of the record's schema")):
        number = source.unsigned_varint()
        said = f"{number} {metadata_record_serde.name_of(number)}" if name == "type" else \
            str(number)
        yield Span(source.position, name, meaning, said)


def _walk(kind: Type, source: Readable, version: int, name: str) -> Iterator[Span]:
    if isinstance(kind, Schema):
        yield from _walk_schema(kind, source, version, f"{name}." if name else "")
    elif isinstance(kind, CompactArray):
        count = source.unsigned_varint() - 1
        yield Span(source.position, f"{name} count", "how many + 1, an unsigned varint; 0 for null",
                   "null" if count < 0 else str(count))
        for number in range(count):
            yield from _walk(kind.of, source, version, f"{name}[{number}]")
    else:
        value = kind.read(source, version)
        yield Span(source.position, name, str(kind), "null" if value is None else str(value))


def _walk_schema(schema: Schema, source: Readable, version: int, prefix: str) -> Iterator[Span]:
    fields = [field for field in schema.fields if field.since <= version]
    for field in fields:
        if field.tag is None:
            yield from _walk(field.type, source, version, prefix + field.name)
    count = source.unsigned_varint()
    yield Span(source.position, f"{prefix}tagged fields", "how many follow, an unsigned varint",
               str(count))
    for _ in range(count):
        tag, size = source.unsigned_varint(), source.unsigned_varint()
        known: Any = next((field for field in fields if field.tag == tag), None)
        yield Span(source.position, f"{prefix}tag {tag}", "number and size of a tagged field",
                   f"{tag}, {size} bytes")
        if known:
            yield from _walk(known.type, source, version, prefix + known.name)
        else:
            yield Span(source.position + size, f"{prefix}unknown tag {tag}",
                       "from a later version: passed over", source.take(size).hex())
