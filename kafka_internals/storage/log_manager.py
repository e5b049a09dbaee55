"""LogManager: all logs of one log directory, and what the broker notes about them.

Two small files tell at the next start what need not be read again: up to where each log is flushed
(`recovery-point-offset-checkpoint`) and where it begins (`log-start-offset-checkpoint`). A third,
`.kafka_cleanshutdown`, is there only after an orderly stop and is deleted at once: with it no log
is recovered. Retention looks at the logs every five minutes.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from kafka_internals.common import TopicPartition, earliest
from kafka_internals.storage.checkpoint_file import (
    CLEAN_SHUTDOWN,
    LOG_START_OFFSET_CHECKPOINT,
    RECOVERY_POINT_CHECKPOINT,
    read_offsets,
    write_clean_shutdown,
    write_offsets,
)
from kafka_internals.storage.file_records import Storage
from kafka_internals.storage.log_file_utils import log_delete_dir_name
from kafka_internals.storage.log_retention import delete_old_segments
from kafka_internals.storage.unified_log import UnifiedLog

INITIAL_TASK_DELAY, RETENTION_CHECK = ("log.initial.task.delay.ms",
                                       "log.retention.check.interval.ms")
PRODUCER_CHECK = "producer.id.expiration.check.interval.ms"
RECOVERY_POINTS, LOG_STARTS = ("log.flush.offset.checkpoint.interval.ms",
                               "log.flush.start.offset.checkpoint.interval.ms")


class LogManager:
    """Opens logs and looks after them. `draw` is luck; times in epoch ms.

    `config`: the broker's, by Kafka's names.
    """

    def __init__(self, storage: Storage, config: Mapping[str, Any],
                 draw: Callable[[int], int] = lambda n: 0) -> None:
        self._storage, self._config, self._draw = storage, config, draw
        self.logs: dict[TopicPartition, UnifiedLog] = {}
        self.was_clean = storage.exists(CLEAN_SHUTDOWN)         # whatever it holds
        if self.was_clean:
            storage.delete(CLEAN_SHUTDOWN)
        self._points = read_offsets(storage, RECOVERY_POINT_CHECKPOINT)
        self._starts = read_offsets(storage, LOG_START_OFFSET_CHECKPOINT)
        self._due_ms: dict[str, int] = {}
        self._deleted: list[tuple[int, str]] = []               # (when, directory)
        self._is_stale, self._next_ms = True, None              # the deadline as last computed

    def open(self, partition: TopicPartition, topic_configs: Mapping[str, Any],
             now_ms: int) -> UnifiedLog:
        """The log of a partition, loaded from its directory or begun there."""
        log = self.logs[partition] = UnifiedLog(
            partition, self._storage, topic_configs, now_ms=now_ms,
            log_start_offset=self._starts.get(partition, 0),
            recovery_point=self._points.get(partition, 0), is_clean=self.was_clean,
            draw=self._draw, producer_id_expiration_ms=self._config["producer.id.expiration.ms"])
        log.local.on_change = self._look_again
        self._is_stale = True
        self._due_ms.setdefault(RETENTION_CHECK, now_ms + self._config[INITIAL_TASK_DELAY])
        self._due_ms.setdefault(PRODUCER_CHECK, now_ms + self._config[PRODUCER_CHECK])
        return log

    def _look_again(self) -> None:
        self._is_stale = True

    def async_delete(self, partition: TopicPartition, unique: str, now_ms: int) -> None:
        """The topic is deleted: its directory is renamed now and removed after the topic's delay.

        `unique`: 32 hex digits that make the new name one of its kind.
        """
        log, directory = self.logs.pop(partition), log_delete_dir_name(partition, unique)
        for name in self._storage.names(str(partition)):
            self._storage.rename(f"{partition}/{name}", f"{directory}/{name}")
        self._deleted.append((now_ms + log.configs["file.delete.delay.ms"], directory))
        self._is_stale = True

    def _remove_deleted(self, now_ms: int) -> None:
        for due_ms, directory in list(self._deleted):
            if due_ms <= now_ms:
                for name in self._storage.names(directory):
                    self._storage.delete(f"{directory}/{name}")
                self._deleted.remove((due_ms, directory))

    # -- checkpoints --------------------------------------------------------------------------
    def _recovery_points(self) -> dict[TopicPartition, int]:
        return {name: log.local.recovery_point for name, log in self.logs.items()}

    def _log_starts(self) -> dict[TopicPartition, int]:
        """Only where the files alone would say something else."""
        return {name: log.log_start_offset for name, log in self.logs.items()
                if log.log_start_offset > log.local.segments.first.base_offset}

    def _checkpoint(self, key: str) -> None:
        if key == RECOVERY_POINTS:
            self._points = self._recovery_points()
            write_offsets(self._storage, RECOVERY_POINT_CHECKPOINT, self._points)
        else:
            self._starts = self._log_starts()
            write_offsets(self._storage, LOG_START_OFFSET_CHECKPOINT, self._starts)

    def _is_news(self, key: str) -> bool:
        if key == RECOVERY_POINTS:
            return any(self._points.get(name, 0) != point
                       for name, point in self._recovery_points().items())
        return self._starts != self._log_starts()

    # -- time ---------------------------------------------------------------------------------
    def tick(self, now_ms: int) -> dict[TopicPartition, int]:
        """Write checkpoints, delete old segments and remove files, as far as it is time.

        Gives the logs that begin later now, and where they began before.
        """
        if not self._is_stale and (self._next_ms is None or now_ms < self._next_ms):
            return {}
        due = [key for key, due_ms in self._due_ms.items() if due_ms <= now_ms]
        before = {name: log.log_start_offset for name, log in self.logs.items()} if due else {}
        for key in due:
            del self._due_ms[key]
            if key in (RETENTION_CHECK, PRODUCER_CHECK):
                self._look_after(key, now_ms)
            else:
                self._checkpoint(key)
        for log in self.logs.values():
            log.local.do_due(now_ms)
        self._remove_deleted(now_ms)
        self._is_stale = True
        return {name: start for name, start in before.items()
                if self.logs[name].log_start_offset != start}

    def _look_after(self, key: str, now_ms: int) -> None:
        self._due_ms[key] = now_ms + self._config[key]
        for log in self.logs.values():
            if key == RETENTION_CHECK:
                delete_old_segments(log, now_ms)
            else:
                log.producers.remove_expired_producers(now_ms)

    def next_deadline_ms(self, now_ms: int) -> int | None:
        """When `tick` has something to do. A checkpoint is due only after something has moved."""
        if self._is_stale:
            self._is_stale, self._next_ms = False, self._deadline_ms(now_ms)
        return self._next_ms

    def _deadline_ms(self, now_ms: int) -> int | None:
        for key in (RECOVERY_POINTS, LOG_STARTS):
            if key not in self._due_ms and self._is_news(key):
                interval_ms = self._config[key]
                self._due_ms[key] = (now_ms // interval_ms + 1) * interval_ms
        due = [*self._due_ms.values(), *(when_ms for when_ms, _ in self._deleted),
               *(log.local.next_deadline_ms for log in self.logs.values())]
        return earliest(due)

    def twin_on(self, storage: Storage) -> "LogManager":
        """These logs as they stand, but on a copy of their storage: what it does stays there."""
        return deepcopy(self, {id(self._storage): storage})

    def shut_down(self, broker_epoch: int = 0) -> None:
        """An orderly stop: close every log, write the checkpoints, and then the marker."""
        for log in self.logs.values():
            log.close()
        self._checkpoint(RECOVERY_POINTS)
        self._checkpoint(LOG_STARTS)
        write_clean_shutdown(self._storage, CLEAN_SHUTDOWN, broker_epoch)
