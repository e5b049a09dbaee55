"""ControlRecordUtils: what KRaft writes into its log for itself (KIP-595, KIP-630, KIP-853).

Each leader's epoch begins with a LeaderChangeMessage. With `kraft.version` 1 the voters are in the
log, too, so that they can change. A snapshot lies between a header and a footer. The version stands
as two bytes before the fields; all are written at version 0, also where a later one exists.
"""

from typing import Any, NamedTuple

from kafka_internals.common import ZERO_UUID
from kafka_internals.control_record import ControlRecordType
from kafka_internals.errors import InvalidRecordException
from kafka_internals.messages.metadata_records import Endpoint
from kafka_internals.messages.schema import (
    INT16,
    INT32,
    INT64,
    STRING,
    UINT16,
    UUID,
    BoundField,
    CompactArray,
    Readable,
    Schema,
)
from kafka_internals.record import Record

WRITTEN_VERSION = 0


class Voter(NamedTuple):
    """Who may vote; on disk without its directory (version 0)."""

    voter_id: int
    voter_directory_id: str = ZERO_UUID


class LeaderChangeMessage(NamedTuple):
    """The first record of an epoch: who leads, who may vote, and who voted for the leader."""

    leader_id: int
    voters: tuple[Voter, ...]
    granting_voters: tuple[Voter, ...]


class KRaftVersionRecord(NamedTuple):
    """With 1 the voters are in the log, with 0 in each node's configuration."""

    kraft_version: int


class SupportedVersionRange(NamedTuple):
    """Which `kraft.version` a voter understands."""

    min_supported_version: int = 0
    max_supported_version: int = 1


class VoterNode(NamedTuple):
    """A voter: its id and its directory's id together, and where it listens."""

    voter_id: int
    voter_directory_id: str
    endpoints: tuple[Endpoint, ...]
    kraft_version_feature: SupportedVersionRange = SupportedVersionRange()


class VotersRecord(NamedTuple):
    """All voters from here on, committed or not."""

    voters: tuple[VoterNode, ...]


class SnapshotHeaderRecord(NamedTuple):
    """The first record of a snapshot: when its last record was appended, epoch ms."""

    last_contained_log_timestamp: int


class SnapshotFooterRecord(NamedTuple):
    """The last record of a snapshot: it is complete."""


# fmt: off
_VOTERS = CompactArray(Schema(Voter, (
    BoundField("voter_id",                     INT32),
    BoundField("voter_directory_id",           UUID, since=1),
)))
_VOTER_NODES = CompactArray(Schema(VoterNode, (
    BoundField("voter_id",                     INT32),
    BoundField("voter_directory_id",           UUID),
    BoundField("endpoints",                    CompactArray(Schema(Endpoint, (
        BoundField("name",                     STRING),
        BoundField("host",                     STRING),
        BoundField("port",                     UINT16),
    )))),
    BoundField("kraft_version_feature",        Schema(SupportedVersionRange, (
        BoundField("min_supported_version",    INT16),
        BoundField("max_supported_version",    INT16),
    ))),
)))
_SCHEMAS = {                                   # control type: (schema, highest version)
    ControlRecordType.LEADER_CHANGE: (Schema(LeaderChangeMessage, (
        BoundField("leader_id",                INT32),
        BoundField("voters",                   _VOTERS),
        BoundField("granting_voters",          _VOTERS),
    )), 1),
    ControlRecordType.SNAPSHOT_HEADER: (Schema(SnapshotHeaderRecord, (
        BoundField("last_contained_log_timestamp", INT64),
    )), 0),
    ControlRecordType.SNAPSHOT_FOOTER: (Schema(SnapshotFooterRecord), 0),
    ControlRecordType.KRAFT_VERSION: (Schema(KRaftVersionRecord, (
        BoundField("kraft_version",            INT16),
    )), 0),
    ControlRecordType.KRAFT_VOTERS: (Schema(VotersRecord, (
        BoundField("voters",                   _VOTER_NODES),
    )), 0),
}
# fmt: on
_TYPES = {schema.make: control_type for control_type, (schema, _) in _SCHEMAS.items()}


def control_record(message: Any) -> tuple[bytes, bytes]:
    """(key, value) of the record that says this. ValueError for what KRaft does not say so."""
    if (control_type := _TYPES.get(type(message))) is None:
        raise ValueError(f"{message!r} is no control record of KRaft's; there is "
                         f"{', '.join(one.__name__ for one in _TYPES)}")
    schema, _ = _SCHEMAS[control_type]
    return control_type.key(), INT16.write(WRITTEN_VERSION, 0) + schema.write(message,
                                                                              WRITTEN_VERSION)


def read_frame(key: bytes | None, source: Readable) -> tuple[Schema, int]:
    """The schema of a control record and its version, which stands before the fields.

    Errors: InvalidRecordException for another control record than KRaft's, ValueError for a version
    that is not known, or where nothing is there.
    """
    control_type = ControlRecordType.parse(key)
    if control_type not in _SCHEMAS:
        raise InvalidRecordException(f"KRaft's log has no {control_type.name}; there is "
                                     f"{', '.join(one.name for one in _SCHEMAS)}")
    schema, highest = _SCHEMAS[control_type]
    version = INT16.read(source, 0)
    if not 0 <= version <= highest:
        raise ValueError(f"version {version} is given; 0 to {highest} are known")
    return schema, version


def read_control_record(record: Record) -> Any:
    """What a record of a KRaft control batch says; None for a type from the future.

    Errors: InvalidRecordException for the end of a transaction, a version that is not known, or
    bytes that are damaged.
    """
    control_type = ControlRecordType.parse(record.key)
    if control_type is ControlRecordType.UNKNOWN:
        return None
    source = Readable(record.value or b"")
    try:
        schema, version = read_frame(record.key, source)
        return schema.read(source, version)
    except (IndexError, ValueError) as error:
        raise InvalidRecordException(f"the {control_type.name} record at offset {record.offset} "
                                     f"cannot be read: {error}") from error
