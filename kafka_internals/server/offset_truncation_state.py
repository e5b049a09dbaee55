"""OffsetTruncationState: where a follower cuts its log when its leader's log is another one.

`AbstractFetcherThread.getOffsetTruncationState`: the leader says which epoch, not above the one
that it was asked for, it has, and where that ends. The follower cuts where the two logs may still
agree. Where it has no records of that epoch itself it cut too little, perhaps: it tells its next
epoch and is told again (KIP-279). Each round takes away one epoch at least, so there is an end.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from kafka_internals.messages.fetch import EpochEndOffset

UNDEFINED = -1


class OffsetTruncationState(NamedTuple):
    """Cut to `offset`; `truncation_completed` is False where the leader has to be asked again."""

    offset: int
    truncation_completed: bool = True


def get_offset_truncation_state(leader: EpochEndOffset, high_watermark: int, log_end_offset: int,
                                end_offset_for: Callable[[int], Any]) -> OffsetTruncationState:
    """The decision, from the leader's answer and what the follower has itself.

    `end_offset_for(epoch)` gives (the highest own epoch not above `epoch`, where it ends), -1 for
    both where there is none.
    """
    if leader.end_offset == UNDEFINED:          # the leader cannot tell: only what is committed
        return OffsetTruncationState(high_watermark)
    if leader.leader_epoch == UNDEFINED:        # an answer from before KIP-279
        return OffsetTruncationState(min(leader.end_offset, log_end_offset))
    own_epoch, own_end = end_offset_for(leader.leader_epoch)
    if own_end == UNDEFINED:
        return OffsetTruncationState(min(leader.end_offset, log_end_offset))
    if own_epoch != leader.leader_epoch:
        return OffsetTruncationState(min(own_end, log_end_offset), False)
    return OffsetTruncationState(min(own_end, leader.end_offset, log_end_offset))
