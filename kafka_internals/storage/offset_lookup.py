"""Where a reader begins: offsets by timestamp, and by the special ones (ListOffsets, KIP-79).

Kafka has this in UnifiedLog.fetchOffsetByTimestamp; what is tiered comes with its module.
"""

from kafka_internals.errors import UnsupportedVersionException
from kafka_internals.messages.list_offsets import (
    EARLIEST_LOCAL_TIMESTAMP,
    EARLIEST_PENDING_UPLOAD_TIMESTAMP,
    EARLIEST_TIMESTAMP,
    LATEST_TIERED_TIMESTAMP,
    LATEST_TIMESTAMP,
    MAX_TIMESTAMP,
)
from kafka_internals.storage.file_records import TimestampAndOffset
from kafka_internals.storage.unified_log import UnifiedLog

NOTHING_FOUND = TimestampAndOffset(-1, -1, -1)


def fetch_offset(log: UnifiedLog, timestamp: int, committed_only: bool = False,
                 end: int | None = None) -> TimestampAndOffset:
    """What a reader finds for this time, in epoch ms, or for a special one; -1 for what is not.

    Nothing is found at or behind `end`, which is as far as this reader may go: the last stable
    offset with `committed_only`, else the high watermark. UnsupportedVersionException for a special
    one that nobody knows.
    """
    if end is None:
        end = log.last_stable_offset if committed_only else log.high_watermark
    if timestamp == LATEST_TIMESTAMP:
        return TimestampAndOffset(-1, end, _epoch(log.epochs.latest_epoch))
    if timestamp in (EARLIEST_TIMESTAMP, EARLIEST_LOCAL_TIMESTAMP):
        start = log.log_start_offset
        return TimestampAndOffset(-1, start, _epoch(log.epochs.epoch_for_offset(start)))
    if timestamp in (LATEST_TIERED_TIMESTAMP, EARLIEST_PENDING_UPLOAD_TIMESTAMP):
        return NOTHING_FOUND
    if timestamp < EARLIEST_PENDING_UPLOAD_TIMESTAMP:
        raise UnsupportedVersionException(f"{timestamp} stands for no place in a log")
    found = of_max_timestamp(log) if timestamp == MAX_TIMESTAMP else by_timestamp(log, timestamp)
    return found if found is not None and found.offset < end else NOTHING_FOUND


def _epoch(epoch: int | None) -> int:
    return -1 if epoch is None else epoch


def by_timestamp(log: UnifiedLog, timestamp: int) -> TimestampAndOffset | None:
    """The first record that is not older; None where there is none.

    Only the first segment that may hold it is searched, as Kafka does: what lies below the log's
    start hides what later segments have, until that segment is removed.
    """
    segment = next((one for one in log.local.segments if one.largest_timestamp >= timestamp), None)
    return segment and segment.find_offset_by_timestamp(timestamp, log.log_start_offset)


def of_max_timestamp(log: UnifiedLog) -> TimestampAndOffset | None:
    """The first record with the largest timestamp, wherever the log begins."""
    segment = max(log.local.segments,
                  key=lambda one: one.max_timestamp_and_offset_so_far.timestamp)
    largest = segment.max_timestamp_and_offset_so_far.timestamp
    return segment.find_offset_by_timestamp(largest, segment.base_offset)
