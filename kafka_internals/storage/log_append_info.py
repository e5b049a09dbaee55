"""LogAppendInfo: what an append to a log did."""

from typing import NamedTuple


class LogAppendInfo(NamedTuple):
    """What an append did: its offsets and the log's end after it; times in epoch ms, -1 for none.

    `log_append_time_ms` is -1 where the producers give the time. `is_duplicate`: nothing was
    written, the offsets are those of the batch that this one repeats.
    """

    first_offset: int
    last_offset: int
    log_end_offset: int
    max_timestamp: int = -1
    offset_of_max_timestamp: int = -1
    log_append_time_ms: int = -1
    is_duplicate: bool = False
