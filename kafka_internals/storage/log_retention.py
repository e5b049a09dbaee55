"""Retention: which segments of a log are not needed any more (UnifiedLog.deleteOldSegments).

The oldest segments go, one after the other, and the first that has to stay keeps all behind it.
Three rules ask in turn: does the log begin behind it, is the log larger than `retention.bytes`
without it, is its newest record older than `retention.ms`. Nothing above the high watermark goes.
"""

from collections.abc import Callable, Iterator

from kafka_internals.storage.log_segment import LogSegment
from kafka_internals.storage.unified_log import UnifiedLog

NO_LIMIT = -1


def delete_old_segments(log: UnifiedLog, now_ms: int) -> int:
    """Let go what may go, now, in epoch ms; how many segments that were."""
    deletes = "delete" in log.configs["cleanup.policy"]
    deleted = _delete(log, _starts_behind(log), now_ms)
    if deletes:
        deleted += _delete(log, _too_large(log), now_ms)
        deleted += _delete(log, _too_old(log, now_ms), now_ms)
    return deleted


def _starts_behind(log: UnifiedLog) -> Callable[[LogSegment], bool]:
    def may_go(segment: LogSegment) -> bool:
        following = log.local.segments.higher(segment.base_offset)
        return following is not None and following.base_offset <= log.log_start_offset
    return may_go


def _too_large(log: UnifiedLog) -> Callable[[LogSegment], bool]:
    limit = log.configs["retention.bytes"]
    over = log.size - limit if limit >= 0 else NO_LIMIT

    def may_go(segment: LogSegment) -> bool:
        nonlocal over
        if over - segment.size < 0:
            return False
        over -= segment.size
        return True
    return may_go


def _too_old(log: UnifiedLog, now_ms: int) -> Callable[[LogSegment], bool]:
    limit_ms = log.configs["retention.ms"]
    return lambda segment: limit_ms >= 0 and now_ms - segment.largest_timestamp > limit_ms


def _deletable(log: UnifiedLog, may_go: Callable[[LogSegment], bool]) -> Iterator[LogSegment]:
    for segment in log.local.segments:
        following = log.local.segments.higher(segment.base_offset)
        end = log.log_end_offset if following is None else following.base_offset
        empty_active = following is None and not segment.size
        if log.high_watermark < end or not may_go(segment) or empty_active:
            return
        yield segment


def _delete(log: UnifiedLog, may_go: Callable[[LogSegment], bool], now_ms: int) -> int:
    segments = list(_deletable(log, may_go))
    if segments:
        log.delete_segments(segments, now_ms)
    return len(segments)
