"""FetchDataInfo, LogOffsetMetadata and LogReadInfo: what a read gives, and where that lies."""

from typing import Any, NamedTuple

from kafka_internals.storage.transaction_index import AbortedTxn


class LogOffsetMetadata(NamedTuple):
    """An offset and where it lies: the base offset of its segment and the byte in that file.

    Both are -1 where only the offset is known.
    """

    message_offset: int
    segment_base_offset: int = -1
    relative_position_in_segment: int = -1


class FetchDataInfo(NamedTuple):
    """The bytes that were read, and where the first batch of them lies.

    `first_entry_incomplete`: the limit was smaller than the first batch, which is therefore torn.
    `aborted_transactions`: what a reader of committed data leaves out; None where it did not ask.
    """

    fetch_offset_metadata: LogOffsetMetadata
    records: bytes
    first_entry_incomplete: bool = False
    aborted_transactions: tuple | None = None


class LogReadInfo(NamedTuple):
    """What a read found: the bytes, where the first of them lies, and the log's ends then.

    `aborted_transactions` is None where the reader did not ask for committed data only. With a
    `diverging_epoch` (an EpochEndOffset) nothing was read: the reader's log is another one.
    """

    records: bytes
    log_start_offset: int
    log_end_offset: int
    fetch_offset_metadata: LogOffsetMetadata
    aborted_transactions: tuple[AbortedTxn, ...] | None = None
    diverging_epoch: Any = None
