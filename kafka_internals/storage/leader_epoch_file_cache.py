"""LeaderEpochFileCache: at which offset each leader began to write (KIP-101, KIP-320).

Two replicas find out where their logs part by comparing not offsets but leader epochs: a follower
asks where the leader's epoch ended and cuts its log there. Epochs and start offsets both grow. The
whole cache is written to `leader-epoch-checkpoint` whenever it changes.
"""

from bisect import bisect_right
from typing import NamedTuple

from kafka_internals.storage.checkpoint_file import (
    malformed,
    number,
    read_checkpoint,
    words,
    write_checkpoint,
)
from kafka_internals.storage.file_records import Storage

LEADER_EPOCH_CHECKPOINT = "leader-epoch-checkpoint"
UNDEFINED_EPOCH = UNDEFINED_EPOCH_OFFSET = -1


class EpochEntry(NamedTuple):
    """A leader epoch and the offset of its first record."""

    epoch: int
    start_offset: int


class LeaderEpochFileCache:
    """The epochs of one replica's log. The file in `directory` is read, or created empty.

    Errors: KafkaStorageException where the file is damaged.
    """

    def __init__(self, storage: Storage, directory: object) -> None:
        self._storage, self.name = storage, f"{directory}/{LEADER_EPOCH_CHECKPOINT}"
        if not storage.exists(self.name):
            storage.append(self.name, b"")
        self._know(tuple(self._parse(line) for line in read_checkpoint(storage, self.name)))

    def _parse(self, line: str) -> EpochEntry:
        try:
            epoch, start_offset = words(line)
            return EpochEntry(number(epoch, 32), number(start_offset))
        except ValueError:
            raise malformed(self.name, line, "epoch startOffset") from None

    def _know(self, entries: tuple[EpochEntry, ...]) -> None:
        self.epoch_entries = entries
        self.latest_epoch = entries[-1].epoch if entries else None      # that has written here

    def _set(self, entries: tuple[EpochEntry, ...]) -> None:
        if entries != self.epoch_entries:
            self._know(entries)
            write_checkpoint(self._storage, self.name, (f"{one.epoch} {one.start_offset}"
                                                        for one in entries))

    # -- changing -----------------------------------------------------------------------------
    def assign(self, epoch: int, start_offset: int) -> None:
        """The leader of `epoch` begins at `start_offset`; entries that contradict that are gone.

        Nothing happens where the epoch is the latest one already. IllegalArgument as ValueError
        for a number below 0.
        """
        if epoch < 0 or start_offset < 0:
            raise ValueError(f"epoch and start offset are 0 or more; got epoch {epoch} at offset "
                             f"{start_offset} for {self.name}")
        if epoch == self.latest_epoch and self.epoch_entries[-1].start_offset <= start_offset:
            return
        kept = tuple(one for one in self.epoch_entries
                     if one.epoch < epoch and one.start_offset < start_offset)
        self._set((*kept, EpochEntry(epoch, start_offset)))

    def truncate_from_end(self, end_offset: int) -> None:
        """The log ends at `end_offset`: forget the epochs that begin there or behind."""
        if end_offset >= 0:
            self._set(tuple(one for one in self.epoch_entries if one.start_offset < end_offset))

    def truncate_from_start(self, start_offset: int) -> None:
        """The log begins at `start_offset`: the epoch that covers it begins there too."""
        at = self._floor_by_offset(start_offset)
        if at >= 0:
            first = EpochEntry(self.epoch_entries[at].epoch, start_offset)
            self._set((first, *self.epoch_entries[at + 1:]))

    def clear_and_flush(self) -> None:
        """Forget everything."""
        self._set(())

    # -- asking -------------------------------------------------------------------------------
    @property
    def latest_entry(self) -> EpochEntry | None:
        """The entry of the highest epoch."""
        return self.epoch_entries[-1] if self.epoch_entries else None

    @property
    def earliest_entry(self) -> EpochEntry | None:
        """The entry of the lowest epoch."""
        return self.epoch_entries[0] if self.epoch_entries else None

    def previous_epoch(self, epoch: int) -> int | None:
        """The highest epoch below `epoch`."""
        return max((one.epoch for one in self.epoch_entries if one.epoch < epoch), default=None)

    def next_epoch(self, epoch: int) -> int | None:
        """The lowest epoch above `epoch`."""
        return min((one.epoch for one in self.epoch_entries if one.epoch > epoch), default=None)

    def end_offset_for(self, requested_epoch: int, log_end_offset: int) -> tuple[int, int]:
        """(the highest epoch here that is not above the requested one, where it ends).

        (-1, -1) for an epoch that this log cannot judge: none, or one above the latest. For one
        below the first it is the requested epoch itself, which ends where the first begins.
        """
        if requested_epoch == UNDEFINED_EPOCH:
            return UNDEFINED_EPOCH, UNDEFINED_EPOCH_OFFSET
        if requested_epoch == self.latest_epoch:
            return requested_epoch, log_end_offset
        at = bisect_right(self.epoch_entries, requested_epoch, key=lambda one: one.epoch)
        if at == len(self.epoch_entries):
            return UNDEFINED_EPOCH, UNDEFINED_EPOCH_OFFSET
        epoch = self.epoch_entries[at - 1].epoch if at else requested_epoch
        return epoch, self.epoch_entries[at].start_offset

    def epoch_for_offset(self, offset: int) -> int | None:
        """The epoch that wrote this offset; None where it lies before the first."""
        at = self._floor_by_offset(offset)
        return self.epoch_entries[at].epoch if at >= 0 else None

    def _floor_by_offset(self, offset: int) -> int:
        return bisect_right(self.epoch_entries, offset, key=lambda one: one.start_offset) - 1
