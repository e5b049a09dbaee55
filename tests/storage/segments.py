"""Batches and segments for the tests of LogSegment, and a producer state that writes down."""

from typing import NamedTuple

from kafka_internals.record_batch import RecordBatch, batches, encode
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.log_segment import LogSegment

NO_LIMIT = {"max_segment_ms": 1 << 60, "max_segment_bytes": 1 << 30, "messages_size": 0,
            "max_timestamp_in_messages": 0, "max_offset_in_messages": 0, "now_ms": 0}


class CountingDisk(Disk):
    """A disk that knows how many bytes were read from it."""

    def __init__(self) -> None:
        super().__init__(lambda n: 0)
        self.bytes_read = 0

    def read(self, name: str, position: int = 0, size: int | None = None) -> bytes:
        found = super().read(name, position, size)
        self.bytes_read += len(found)
        return found


def batch(first: int, last: int | None = None, times: tuple[int, ...] | int = 1_000,
          value: bytes = b"v", size: int | None = None, epoch: int = 0,
          **state: int) -> RecordBatch:
    """A batch of the offsets `first` to `last`; of `size` bytes, where that is asked for."""
    count = (first if last is None else last) - first + 1
    times = (times,) * count if isinstance(times, int) else times

    def made(value: bytes) -> RecordBatch:
        return RecordBatch(encode([(time, None, value, ()) for time in times], base_offset=first,
                                  partition_leader_epoch=epoch, **state))

    if size is None:
        return made(value)
    room = (size - made(b"").size) // count
    return next(one for length in range(max(0, room - 4), room + 1)
                if (one := made(b"v" * length)).size == size)


def segment(disk: Disk, base: int = 0, **given: int) -> LogSegment:
    return LogSegment(disk, "orders-0", base, **{"now_ms": 0, "max_index_bytes": 2_400, **given})


def opened_again(closed: LogSegment, disk: Disk) -> LogSegment:
    """A segment as a start after an orderly stop finds it, with room in its indexes."""
    closed.close()
    again = segment(disk, closed.base_offset, index_interval_bytes=closed.index_interval_bytes)
    again.resize_indexes(2_400)
    return again


def bases(records: bytes) -> list[int]:
    """Base offsets of the whole batches in what was read."""
    return [one.base_offset for one in batches(records)]


class Ended(NamedTuple):
    """A transaction that a marker ended."""

    producer_id: int
    first_offset: int
    last_offset: int
    is_aborted: bool


class Producers:
    """Notes what it is told. A control batch ends its producer's transaction; odd ones abort."""

    def __init__(self) -> None:
        self.open, self.calls, self.map_end_offset = {}, [], -1

    def replay(self, batch: RecordBatch) -> Ended | None:
        producer = batch.header.producer_id
        self.calls.append(("replay", batch.base_offset))
        if not batch.header.is_control:
            self.open.setdefault(producer, batch.base_offset)
            return None
        return Ended(producer, self.open.pop(producer), batch.last_offset, producer % 2 == 1)

    def last_stable_offset(self, completed: Ended) -> int:
        return min(self.open.values(), default=completed.last_offset + 1)

    def complete_txn(self, completed: Ended) -> None:
        self.calls.append(("complete", completed.last_offset))

    def update_map_end_offset(self, offset: int) -> None:
        self.map_end_offset = offset
