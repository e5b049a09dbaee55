"""LogDirectory: one of a broker's `log.dirs` as real files: written for Kafka's tools, or read.

A log directory is all that a broker knows after a start: a directory for each partition, the four
offset checkpoints, `meta.properties` and, after an orderly stop, `.kafka_cleanshutdown`. What is
exported is what a broker leaves; what is opened is read as a starting broker would read it, and
not one byte of it changes (LogManager, BrokerMetadataCheckpoint).
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from kafka_internals.common import TopicPartition
from kafka_internals.storage.checkpoint_file import (
    CLEAN_SHUTDOWN,
    CLEANER_OFFSET_CHECKPOINT,
    HIGH_WATERMARK_CHECKPOINT,
    LOG_START_OFFSET_CHECKPOINT,
    META_PROPERTIES,
    PARTITION_METADATA,
    RECOVERY_POINT_CHECKPOINT,
    read_clean_shutdown,
    read_meta_properties,
    read_offsets,
    read_partition_metadata,
)
from kafka_internals.storage.file_records import Storage
from kafka_internals.storage.file_storage import FileStorage, OverlayStorage
from kafka_internals.storage.log_damage import damages
from kafka_internals.storage.log_export import export, partitions_of, topic_configs
from kafka_internals.storage.log_file_utils import LOG
from kafka_internals.storage.unified_log import UnifiedLog


class LogDirectory:
    """A log directory that lies in `storage`, to read. `open` takes one of real files.

    `configs`: {topic: configs by Kafka's names}, which no file tells; Kafka's defaults without.
    `now_ms`: the broker's clock at its start, epoch ms. Without one no producer has expired.
    """

    def __init__(self, storage: Storage, configs: Mapping[str, Mapping[str, Any]] | None = None,
                 now_ms: int = 0) -> None:
        self.storage, self._now_ms = storage, now_ms
        self._configs = {topic: topic_configs(given) for topic, given in (configs or {}).items()}
        self._logs: dict[TopicPartition, UnifiedLog] = {}

    export = staticmethod(export)

    @classmethod
    def open(cls, path: Path | str, *, configs: Mapping[str, Mapping[str, Any]] | None = None,
             now_ms: int = 0) -> "LogDirectory":
        """The directory that a broker, or `export`, wrote; nothing of it is read yet.

        Errors: NotADirectoryError where there is none, ValueError for that of a single partition,
        ConfigException.
        """
        path = Path(path)
        if not path.is_dir():
            raise NotADirectoryError(f"{path} is no directory; open() takes one of a broker's "
                                     f"log.dirs")
        storage = FileStorage(path)
        if any(name.endswith(LOG) for name in storage.names("")):
            raise ValueError(f"{path} holds the segments of one partition; open() takes the log "
                             f"directory that it lies in, {path.parent}")
        return cls(storage, configs, now_ms)

    # -- the directory's own files ------------------------------------------------------------
    @cached_property
    def partitions(self) -> tuple[TopicPartition, ...]:
        """The partitions that have a directory, by name; deleted and stray ones are none."""
        return partitions_of(self.storage)

    @cached_property
    def meta_properties(self) -> dict[str, str]:
        """Whose disk this is: `node.id`, `directory.id`, `version`, `cluster.id`."""
        return read_meta_properties(self.storage, META_PROPERTIES)

    @cached_property
    def clean_shutdown(self) -> int | None:
        """The broker epoch of an orderly stop; None after any other end."""
        return read_clean_shutdown(self.storage, CLEAN_SHUTDOWN)

    @cached_property
    def recovery_points(self) -> dict[TopicPartition, int]:
        """Up to which offset each log is flushed. KafkaStorageException for a damaged file."""
        return read_offsets(self.storage, RECOVERY_POINT_CHECKPOINT)

    @cached_property
    def high_watermarks(self) -> dict[TopicPartition, int]:
        """The high watermarks as last written; errors as above."""
        return read_offsets(self.storage, HIGH_WATERMARK_CHECKPOINT)

    @cached_property
    def log_start_offsets(self) -> dict[TopicPartition, int]:
        """Where logs begin that do not begin with their first file; errors as above."""
        return read_offsets(self.storage, LOG_START_OFFSET_CHECKPOINT)

    @cached_property
    def cleaner_offsets(self) -> dict[TopicPartition, int]:
        """The first offset that the cleaner has not seen; errors as above."""
        return read_offsets(self.storage, CLEANER_OFFSET_CHECKPOINT)

    # -- partitions ---------------------------------------------------------------------------
    def topic_id(self, partition: Any) -> str | None:
        """The id in `partition.metadata`; None without that file."""
        return read_partition_metadata(self.storage, f"{self._named(partition)}/"
                                                     f"{PARTITION_METADATA}")

    def log(self, partition: Any) -> UnifiedLog:
        """The log as a start of the broker makes it of these files, in memory where it mends.

        Its high watermark is the checkpointed one. Errors: KafkaException, or ValueError, where the
        broker would not start.
        """
        name = self._named(partition)
        if name not in self._logs:
            log = self._logs[name] = UnifiedLog(
                name, OverlayStorage(self.storage, self._now_ms), self._config(name),
                now_ms=self._now_ms, log_start_offset=self.log_start_offsets.get(name, 0),
                recovery_point=self.recovery_points.get(name, 0),
                is_clean=self.clean_shutdown is not None)
            log.update_high_watermark(self.high_watermarks.get(name, 0))
        return self._logs[name]

    def found(self, partition: Any) -> tuple[str, ...]:
        """Everything that is wrong with a partition's files, in words; it reads them all.

        First what the start has mended, then what Kafka does not notice.
        """
        name = self._named(partition)
        return tuple(damages(self.storage, name, self._config(name), lambda: self.log(name),
                             self.clean_shutdown is not None))

    def _config(self, partition: TopicPartition) -> Mapping[str, Any]:
        return self._configs.get(partition.topic) or topic_configs({})

    def _named(self, given: Any) -> TopicPartition:
        name = TopicPartition.of(given)
        if name not in self.partitions:
            known = ", ".join(map(str, self.partitions)) or "none"
            raise ValueError(f"{name} is not in this log directory; its partitions: {known}")
        return name
