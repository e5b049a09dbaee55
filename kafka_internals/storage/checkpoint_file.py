"""CheckpointFile and its kin: the small files in which a broker notes what it knows.

A checkpoint is text: a version, a count, one entry a line. It is written beside and renamed over
the old one, so that a crash leaves the one or the other, never a half. An empty file is valid and
has no entries. Beside the checkpoints a log directory has `meta.properties` (whose disk it is) and,
after an orderly stop only, `.kafka_cleanshutdown`; a partition's directory has
`partition.metadata`, the id of its topic (KIP-516).
"""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from kafka_internals.common import ZERO_UUID, TopicPartition
from kafka_internals.errors import KafkaStorageException
from kafka_internals.storage.file_records import Storage

VERSION = "0"
RECOVERY_POINT_CHECKPOINT = "recovery-point-offset-checkpoint"      # flushed up to here
HIGH_WATERMARK_CHECKPOINT = "replication-offset-checkpoint"
LOG_START_OFFSET_CHECKPOINT = "log-start-offset-checkpoint"
CLEANER_OFFSET_CHECKPOINT = "cleaner-offset-checkpoint"             # first dirty offset
META_PROPERTIES, CLEAN_SHUTDOWN = "meta.properties", ".kafka_cleanshutdown"
PARTITION_METADATA = "partition.metadata"
_UUID = re.compile("[A-Za-z0-9_-]{22}")
_NUMBER, _SPACES = re.compile(r"[+-]?0*\d{1,19}"), re.compile(r"\s+", re.ASCII)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun",
           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


# -- the text format --------------------------------------------------------------------------
def checkpoint(entries: Iterable[str]) -> bytes:
    """The content of a checkpoint: version, count and entries."""
    lines = list(entries)
    return "".join([f"{line}\n" for line in (VERSION, len(lines), *lines)]).encode()


def write_checkpoint(storage: Storage, name: str, entries: Iterable[str]) -> None:
    """Write version, count and entries; all of it or, after a crash, nothing."""
    storage.replace(name, checkpoint(entries))


def read_checkpoint(storage: Storage, name: str) -> list[str]:
    """The entries; none where the file is empty or not there.

    Errors: KafkaStorageException for another version, another count, or what is no checkpoint.
    """
    lines = [line.decode(errors="replace") for line in storage.read(name).splitlines()]
    if not lines:
        return []
    if lines[0] != VERSION:
        raise KafkaStorageException(f"Unrecognized version of the checkpoint file {name}: "
                                    f"{lines[0]!r}; {VERSION!r} is known")
    count = lines[1] if len(lines) > 1 else ""
    if not _NUMBER.fullmatch(count) or int(count) != len(lines) - 2:
        raise KafkaStorageException(f"Expected {count or 'no number of'} entries in the checkpoint "
                                    f"file {name}, but found {max(0, len(lines) - 2)}")
    return lines[2:]


def number(text: str, bits: int = 64) -> int:
    """A signed number, as Java reads one; ValueError where it is none or needs more bits."""
    if not _NUMBER.fullmatch(text) or not -1 << bits - 1 <= int(text) < 1 << bits - 1:
        raise ValueError(f"{text[:40]!r} is no number of {bits} bits")
    return int(text)


def words(line: str) -> list[str]:
    """What stands between the spaces of a line; space before the first is not allowed for."""
    found = _SPACES.split(line)
    return found if found[-1] else found[:-1]


def malformed(name: str, line: str, form: str) -> KafkaStorageException:
    """The error for an entry that has not the form of its file."""
    return KafkaStorageException(f"Malformed line in the checkpoint file {name}: {line!r} is not "
                                 f"'{form}'")


# -- offset checkpoints (OffsetCheckpointFile) ------------------------------------------------
def offset_checkpoint(offsets: dict[TopicPartition, int]) -> bytes:
    """The content of one of the four offset checkpoints of a log directory."""
    return checkpoint(f"{partition.topic} {partition.partition} {offset}"
                      for partition, offset in offsets.items())


def write_offsets(storage: Storage, name: str, offsets: dict[TopicPartition, int]) -> None:
    """Write one of the four offset checkpoints of a log directory."""
    storage.replace(name, offset_checkpoint(offsets))


def read_offsets(storage: Storage, name: str) -> dict[TopicPartition, int]:
    """{partition: offset}, in the order of the file; errors as in `read_checkpoint`."""
    offsets = {}
    for line in read_checkpoint(storage, name):
        try:
            topic, partition, offset = words(line)
            offsets[TopicPartition(topic, number(partition, 32))] = number(offset)
        except ValueError:
            raise malformed(name, line, "topic partition offset") from None
    return offsets


# -- partition.metadata (PartitionMetadataFile) -----------------------------------------------
def write_partition_metadata(storage: Storage, name: str, topic_id: str) -> None:
    """Note the topic's id, as its 22 characters. ValueError for the id that stands for none."""
    if topic_id == ZERO_UUID:
        raise ValueError(f"{topic_id!r} is the id of no topic; it cannot be written to {name}")
    storage.replace(name, f"version: {VERSION}\ntopic_id: {topic_id}".encode())


def read_partition_metadata(storage: Storage, name: str) -> str | None:
    """The topic's id; None without a file. KafkaStorageException where there is no valid one."""
    if not storage.exists(name):
        return None
    content = storage.read(name).decode(errors="replace")
    fields = dict(line.partition(": ")[::2] for line in content.splitlines())
    topic_id = fields.get("topic_id", "")
    if fields.get("version") != VERSION or not _UUID.fullmatch(topic_id) \
            or topic_id == ZERO_UUID:
        raise KafkaStorageException(f"{name} has to hold 'version: {VERSION}' and a topic id of "
                                    f"{len(ZERO_UUID)} characters; it holds {content!r}")
    return topic_id


# -- meta.properties (MetaProperties) ---------------------------------------------------------
def write_meta_properties(storage: Storage, name: str, properties: dict[str, str],
                          now_ms: int) -> None:
    """Write a log directory's properties in the given order, below the time of writing.

    Kafka writes `node.id`, `directory.id`, `version`, `cluster.id`.
    """
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=now_ms)
    written = f"{_DAYS[at.weekday()]} {_MONTHS[at.month - 1]} {at:%d %H:%M:%S} UTC {at.year}"
    storage.replace(name, "".join(f"{line}\n" for line in (
        "#", f"#{written}", *(f"{key}={value}" for key, value in properties.items()))).encode())


def read_meta_properties(storage: Storage, name: str) -> dict[str, str]:
    """The properties, in the order of the file; none without a file."""
    lines = [line.decode("latin-1") for line in storage.read(name).splitlines()]
    return dict(line.partition("=")[::2] for line in lines if line and not line.startswith("#"))


# -- .kafka_cleanshutdown (CleanShutdownFileHandler) ------------------------------------------
def write_clean_shutdown(storage: Storage, name: str, broker_epoch: int) -> None:
    """Note that the logs of this directory were closed, in which incarnation of the broker."""
    content = {"version": int(VERSION), "brokerEpoch": broker_epoch}
    storage.replace(name, json.dumps(content, separators=(",", ":")).encode())


def read_clean_shutdown(storage: Storage, name: str) -> int | None:
    """The broker epoch of an orderly stop; None where there was none, or it cannot be read."""
    try:
        epoch = json.loads(storage.read(name))["brokerEpoch"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return epoch if type(epoch) is int else None
