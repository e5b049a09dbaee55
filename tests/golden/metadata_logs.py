"""Reads what a real Kafka 4.4.0 wrote into `__cluster_metadata`, and what it said that was.

A raw log or snapshot lies beside the same decoded by Kafka's own JSON converters. Names there are
Kafka's (`kRaftVersion`), ours are the same in small letters; a tagged field that has its default
is left out.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kafka_internals.messages.kraft_control_records import read_control_record
from kafka_internals.messages.metadata_record_serde import decode, decode_with_version
from kafka_internals.record_batch import RecordBatch, batches
from tests.golden.cases import GOLDEN, json_lines

CLUSTER = GOLDEN / "cluster"
RAW = sorted([*CLUSTER.glob("*/*.log"), *CLUSTER.glob("*/*.checkpoint")])
NOT_MODELLED = ("ACCESS_CONTROL_ENTRY_RECORD", "REMOVE_ACCESS_CONTROL_ENTRY_RECORD",
                "USER_SCRAM_CREDENTIAL_RECORD", "REMOVE_USER_SCRAM_CREDENTIAL_RECORD")


def name_of(path: Path) -> str:
    return path.relative_to(CLUSTER).as_posix()


def decoded_by_kafka(path: Path) -> list[dict] | None:
    """The batches of a raw file as Kafka printed them; None where it was not asked."""
    said = path.parent / ("log.jsonl" if path.suffix == ".log" else
                          f"{path.name.partition('.')[2]}.jsonl")
    return json_lines(f"cluster/{name_of(said)}") if said.exists() else None


def stored(path: Path) -> list[RecordBatch]:
    return list(batches(path.read_bytes()))


def said_in(batch: RecordBatch) -> list[Any]:
    """What the records of one batch say."""
    return [read_control_record(one) if batch.header.is_control else decode(one.value)
            for one in batch.records()]


def values(path: Path) -> Iterator[tuple[Any, int, bytes]]:
    """(record, version, bytes) of each metadata record of a file."""
    for batch in stored(path):
        for one in () if batch.header.is_control else batch.records():
            yield *decode_with_version(one.value), one.value


def plain(value: Any) -> Any:
    """A record as Kafka's JSON, every field named in small letters."""
    if hasattr(value, "_asdict"):
        return {name.replace("_", ""): plain(one) for name, one in value._asdict().items()}
    if isinstance(value, dict):
        return {name.lower(): plain(one) for name, one in value.items() if name != "version"}
    return [plain(one) for one in value] if isinstance(value, tuple | list) else value


def with_defaults(said: Any, ours: Any) -> Any:
    """What Kafka printed, and the defaults of what it left out."""
    if isinstance(said, dict):
        defaults = {name.replace("_", ""): plain(value)
                    for name, value in type(ours)._field_defaults.items()}
        values = {name.replace("_", ""): value for name, value in ours._asdict().items()}
        return defaults | {name: with_defaults(one, values.get(name))
                           for name, one in plain(said).items()}
    return [with_defaults(*pair) for pair in zip(said, ours, strict=True)] \
        if isinstance(said, list) else said
