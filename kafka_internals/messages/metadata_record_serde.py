"""MetadataRecordSerde: the bytes of a metadata record, as the controller's log holds them.

A record's value begins with three varints: the version of the frame, 1, the record's key and the
version of its schema; the rest is that schema, flexible (AbstractApiMessageSerde). The controller
writes the highest version that `metadata.version` allows. Only a BrokerRegistrationChangeRecord has
the lowest that can hold what it says, so that older brokers understand a fencing.
"""

from functools import lru_cache
from typing import Any, NamedTuple

from kafka_internals.errors import KafkaException, UnsupportedVersionException
from kafka_internals.messages import metadata_records as records
from kafka_internals.messages.schema import (
    BOOLEAN,
    FLOAT64,
    IDS,
    INT8,
    INT16,
    INT32,
    INT64,
    NULLABLE_IDS,
    NULLABLE_STRING,
    NULLABLE_UUIDS,
    STRING,
    UINT16,
    UUID,
    UUIDS,
    BoundField,
    CompactArray,
    FamiliarArray,
    Readable,
    Schema,
)

FRAME_VERSION = 1


class MetadataParseException(KafkaException):
    """The bytes of a metadata record say nothing that this engine could replay."""


# Records that a 4.4 controller may write, or read, and this engine has no use for.
NOT_MODELLED = {
    7: "FenceBrokerRecord", 8: "UnfenceBrokerRecord", 10: "DelegationTokenRecord",
    11: "UserScramCredentialRecord", 18: "AccessControlEntryRecord",
    19: "RemoveAccessControlEntryRecord", 21: "ZkMigrationStateRecord",
    22: "RemoveUserScramCredentialRecord", 26: "RemoveDelegationTokenRecord",
    29: "UnregisterControllerRecord"}


class MetadataRecordType(NamedTuple):
    """One kind of record: its key, its schema, and the highest version that 4.4 writes."""

    key: int
    schema: Schema
    highest_version: int = 0

    def version_of(self, record: Any) -> int:
        """The version in which a cluster of 4.4 writes this record."""
        changes = self.schema.make is records.BrokerRegistrationChangeRecord
        return self.schema.least_version(record) if changes else self.highest_version


# fmt: off
_ENDPOINTS = CompactArray(Schema(records.Endpoint, (
    BoundField("name",                     STRING),
    BoundField("host",                     STRING),
    BoundField("port",                     UINT16),
    BoundField("security_protocol",        INT16),
)))
_FEATURES = FamiliarArray(Schema(records.SupportedFeature, (
    BoundField("name",                     STRING),
    BoundField("min_supported_version",    INT16),
    BoundField("max_supported_version",    INT16),
)))
_ENTITY = CompactArray(Schema(records.EntityData, (
    BoundField("entity_type",              STRING),
    BoundField("entity_name",              NULLABLE_STRING),
)))
METADATA_RECORD_TYPES = (
    MetadataRecordType(0, Schema(records.RegisterBrokerRecord, (
        BoundField("broker_id",                INT32),
        BoundField("is_migrating_zk_broker",   BOOLEAN, since=2),
        BoundField("incarnation_id",           UUID),
        BoundField("broker_epoch",             INT64),
        BoundField("end_points",               _ENDPOINTS),
        BoundField("features",                 _FEATURES),
        BoundField("rack",                     NULLABLE_STRING),
        BoundField("fenced",                   BOOLEAN),
        BoundField("in_controlled_shutdown",   BOOLEAN, since=1),
        BoundField("log_dirs",                 UUIDS, since=3, tag=0),
        BoundField("cordoned_log_dirs",        NULLABLE_UUIDS, since=4, tag=1),
    )), highest_version=4),
    MetadataRecordType(1, Schema(records.UnregisterBrokerRecord, (
        BoundField("broker_id",                INT32),
        BoundField("broker_epoch",             INT64),
    ))),
    MetadataRecordType(2, Schema(records.TopicRecord, (
        BoundField("name",                     STRING),
        BoundField("topic_id",                 UUID),
    ))),
    MetadataRecordType(3, Schema(records.PartitionRecord, (
        BoundField("partition_id",             INT32),
        BoundField("topic_id",                 UUID),
        BoundField("replicas",                 IDS),
        BoundField("isr",                      IDS),
        BoundField("removing_replicas",        IDS),
        BoundField("adding_replicas",          IDS),
        BoundField("leader",                   INT32),
        BoundField("leader_recovery_state",    INT8, tag=0),
        BoundField("leader_epoch",             INT32),
        BoundField("partition_epoch",          INT32),
        BoundField("directories",              UUIDS, since=1),
        BoundField("eligible_leader_replicas", NULLABLE_IDS, since=2, tag=1),
        BoundField("last_known_elr",           NULLABLE_IDS, since=2, tag=2),
    )), highest_version=2),
    MetadataRecordType(4, Schema(records.ConfigRecord, (
        BoundField("resource_type",            INT8),
        BoundField("resource_name",            STRING),
        BoundField("name",                     STRING),
        BoundField("value",                    NULLABLE_STRING),
    ))),
    MetadataRecordType(5, Schema(records.PartitionChangeRecord, (
        BoundField("partition_id",             INT32),
        BoundField("topic_id",                 UUID),
        BoundField("isr",                      NULLABLE_IDS, tag=0),
        BoundField("leader",                   INT32, tag=1),
        BoundField("replicas",                 NULLABLE_IDS, tag=2),
        BoundField("removing_replicas",        NULLABLE_IDS, tag=3),
        BoundField("adding_replicas",          NULLABLE_IDS, tag=4),
        BoundField("leader_recovery_state",    INT8, tag=5),
        BoundField("eligible_leader_replicas", NULLABLE_IDS, since=2, tag=6),
        BoundField("last_known_elr",           NULLABLE_IDS, since=2, tag=7),
        BoundField("directories",              NULLABLE_UUIDS, since=1, tag=8),
    )), highest_version=2),
    MetadataRecordType(9, Schema(records.RemoveTopicRecord, (
        BoundField("topic_id",                 UUID),
    ))),
    MetadataRecordType(12, Schema(records.FeatureLevelRecord, (
        BoundField("name",                     STRING),
        BoundField("feature_level",            INT16),
    ))),
    MetadataRecordType(14, Schema(records.ClientQuotaRecord, (
        BoundField("entity",                   _ENTITY),
        BoundField("key",                      STRING),
        BoundField("value",                    FLOAT64),
        BoundField("remove",                   BOOLEAN),
    ))),
    MetadataRecordType(15, Schema(records.ProducerIdsRecord, (
        BoundField("broker_id",                INT32),
        BoundField("broker_epoch",             INT64),
        BoundField("next_producer_id",         INT64),
    ))),
    MetadataRecordType(17, Schema(records.BrokerRegistrationChangeRecord, (
        BoundField("broker_id",                INT32),
        BoundField("broker_epoch",             INT64),
        BoundField("fenced",                   INT8, tag=0),
        BoundField("in_controlled_shutdown",   INT8, since=1, tag=1),
        BoundField("log_dirs",                 UUIDS, since=2, tag=2),
        BoundField("cordoned_log_dirs",        NULLABLE_UUIDS, since=3, tag=3),
    )), highest_version=3),
    MetadataRecordType(20, Schema(records.NoOpRecord)),
    MetadataRecordType(23, Schema(records.BeginTransactionRecord, (
        BoundField("name",                     NULLABLE_STRING, tag=0),
    ))),
    MetadataRecordType(24, Schema(records.EndTransactionRecord)),
    MetadataRecordType(25, Schema(records.AbortTransactionRecord, (
        BoundField("reason",                   NULLABLE_STRING, tag=0),
    ))),
    MetadataRecordType(27, Schema(records.RegisterControllerRecord, (
        BoundField("controller_id",            INT32),
        BoundField("incarnation_id",           UUID),
        BoundField("zk_migration_ready",       BOOLEAN),
        BoundField("end_points",               _ENDPOINTS),
        BoundField("features",                 _FEATURES),
    ))),
    MetadataRecordType(28, Schema(records.ClearElrRecord, (
        BoundField("topic_name",               STRING),
    ))),
)
# fmt: on
_BY_KEY = {kind.key: kind for kind in METADATA_RECORD_TYPES}
_BY_CLASS = {kind.schema.make: kind for kind in METADATA_RECORD_TYPES}


def encode(record: Any, version: int | None = None) -> bytes:
    """The value of a record of the metadata log; `version` of the schema, None: what 4.4 writes.

    Errors: ValueError for what is no metadata record or does not fit its schema,
    UnsupportedVersionException for a version that does not exist or cannot hold what is said.
    """
    if (kind := _BY_CLASS.get(type(record))) is None:
        raise ValueError(f"{record!r} is no metadata record; there is "
                         f"{', '.join(one.__name__ for one in _BY_CLASS)}")
    version = kind.version_of(record) if version is None else version
    if not 0 <= version <= kind.highest_version:
        raise UnsupportedVersionException(f"{type(record).__name__} has the versions 0 to "
                                          f"{kind.highest_version}; got {version}")
    frame = bytes((FRAME_VERSION, kind.key, version))         # varints of one byte each
    return frame + kind.schema.write(record, version)


@lru_cache(1_000)                       # features, say, are the same in every log
def decode(value: bytes | None) -> Any:
    """The record in the value of a record of the metadata log, whatever its version.

    Errors: MetadataParseException for a frame, key or version that is not known, for a record that
    this engine does not model (by its name), and for bytes that are damaged.
    """
    return decode_with_version(value)[0]


def decode_with_version(value: bytes | None) -> tuple[Any, int]:
    """(record, the version of its schema); errors as in `decode`."""
    source = Readable(value or b"")
    try:
        kind, version = read_frame(source)
        record = kind.schema.read(source, version)
    except (IndexError, ValueError) as error:
        raise MetadataParseException(f"Failed to deserialize the metadata record "
                                     f"{source.buffer[:40].hex()}: {error}") from error
    if source.remaining:
        raise MetadataParseException(f"Found {source.remaining} byte(s) of garbage after "
                                     f"{type(record).__name__}")
    return record, version


def name_of(key: int) -> str:
    """The record of a key, modelled or not; "unknown"."""
    return _BY_KEY[key].schema.make.__name__ if key in _BY_KEY else \
        NOT_MODELLED.get(key, "unknown")


def read_frame(source: Readable) -> tuple[MetadataRecordType, int]:
    """What kind of record begins here, and the version of its schema; errors as in `decode`."""
    frame = source.unsigned_varint()
    if frame != FRAME_VERSION:
        raise MetadataParseException(f"Could not deserialize metadata record due to unknown frame "
                                     f"version {frame} (only frame version {FRAME_VERSION} is "
                                     f"supported)")
    key, version = source.unsigned_varint(), source.unsigned_varint()
    if (kind := _BY_KEY.get(key)) is None:
        said = f"{key}, {name_of(key)}, is not modelled" if key in NOT_MODELLED else \
            f"{key} is unknown"
        raise MetadataParseException(f"The key of a metadata record {said}; there is {_known()}")
    if version > kind.highest_version:
        raise MetadataParseException(f"{kind.schema.make.__name__} has the versions 0 to "
                                     f"{kind.highest_version}; got {version}")
    return kind, version


def _known() -> str:
    return ", ".join(f"{kind.key} {kind.schema.make.__name__}" for kind in METADATA_RECORD_TYPES)
