"""UnifiedLog: one replica's log: offsets are given here, and everything is found again by offset.

A leader has the LogValidator look at a batch and give it its offsets (base offset = log end offset)
and its leader epoch, in place wherever that can be. A follower appends what the leader stored, byte
for byte, and never gives offsets. Around the files (LocalLog) this class knows what they mean: who
wrote what, in which epoch, how far readers may go, and where the log begins.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from operator import attrgetter
from typing import Any

from kafka_internals.common import TopicPartition
from kafka_internals.config import TOPIC_CONFIG
from kafka_internals.control_record import ControlRecordType, read_marker
from kafka_internals.errors import (
    InvalidRecordException,
    OffsetOutOfRangeException,
    OffsetsOutOfOrderException,
    PolicyViolationException,
    RecordBatchTooLargeException,
    RecordTooLargeException,
    UnexpectedAppendOffsetException,
)
from kafka_internals.record_batch import CONTROL, RecordBatch
from kafka_internals.storage.append_origin import AppendOrigin
from kafka_internals.storage.fetch_data_info import LogOffsetMetadata, LogReadInfo
from kafka_internals.storage.file_records import Batches, Storage, StoredBatch
from kafka_internals.storage.leader_epoch_file_cache import LeaderEpochFileCache
from kafka_internals.storage.local_log import LocalLog
from kafka_internals.storage.log_append_info import LogAppendInfo
from kafka_internals.storage.log_loader import LogLoader, rebuild_producer_state
from kafka_internals.storage.log_segment import LogSegment
from kafka_internals.storage.log_validator import LogValidator
from kafka_internals.storage.producer_append_info import ProducerAppendInfo
from kafka_internals.storage.producer_state_entry import BatchMetadata, CompletedTxn
from kafka_internals.storage.producer_state_manager import (
    PRODUCER_ID_EXPIRATION_MS,
    ProducerStateManager,
)
from kafka_internals.storage.transaction_index import AbortedTxn

DEFAULTS = TOPIC_CONFIG.parse({})


class UnifiedLog:
    """The log of one partition on one broker; opening it loads what lies in its directory.

    `configs`: the topic's, by Kafka's names. `log_start_offset` and `recovery_point` as the
    broker's checkpoints have them; `is_clean`: the last stop was orderly. Times in epoch ms.
    """

    def __init__(self, partition: TopicPartition, storage: Storage,
                 configs: Mapping[str, Any] = DEFAULTS, *, now_ms: int = 0,
                 log_start_offset: int = 0, recovery_point: int = 0, is_clean: bool = False,
                 draw: Callable[[int], int] = lambda n: 0,
                 producer_id_expiration_ms: int = PRODUCER_ID_EXPIRATION_MS,
                 verification_enabled: bool = False) -> None:
        self.partition, self.configs, self._storage = partition, configs, storage
        self._expiration_ms, self._verified = producer_id_expiration_ms, verification_enabled
        self._max_message_bytes = configs["max.message.bytes"]
        self._flush_messages = configs["flush.messages"]
        self.local = LocalLog(partition, storage, configs, draw)
        self.epochs = LeaderEpochFileCache(storage, self.local.directory)
        loader = LogLoader(
            storage, self.local.directory, self.local.segments, self.epochs,
            lambda base, suffix="": self.local.new_segment(base, now_ms, suffix),
            self._new_producers, lambda lost: self.local.delete_later(lost, now_ms), now_ms)
        loaded, self.producers = loader.load(log_start_offset, recovery_point, is_clean)
        self.found = tuple(loader.found)              # what loading has mended
        self.log_start_offset, self.local.recovery_point, self.local.log_end_offset = loaded
        self.high_watermark = self.log_start_offset
        self.local.segments.active.resize_indexes(configs["segment.index.bytes"])
        self._all: list[StoredBatch] | None = None    # of `batches`, made when first asked for

    @cached_property
    def _validator(self) -> LogValidator:
        return LogValidator(self.partition, self.configs)

    def _new_producers(self) -> ProducerStateManager:
        return ProducerStateManager(self.partition, self._storage, self.local.directory,
                                    producer_id_expiration_ms=self._expiration_ms,
                                    verification_enabled=self._verified)

    log_end_offset = property(attrgetter("local.log_end_offset"), doc="That of the next record.")

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return sum(segment.size for segment in self.local.segments)

    # -- appending ----------------------------------------------------------------------------
    def append_as_leader(self, batch: RecordBatch, leader_epoch: int, now_ms: int,
                         origin: AppendOrigin = AppendOrigin.CLIENT, *,
                         transaction_version: int = 0, guard: int | None = None) -> LogAppendInfo:
        """Check a produced batch, give it offsets from the log end on, and write it.

        `now_ms`: the leader's clock, epoch ms. Errors: CorruptRecordException (checksum), those
        of LogValidator and of ProducerAppendInfo, InvalidRecordException (it does not begin at
        offset 0), RecordTooLargeException (over `max.message.bytes`, as it came or as it would be
        stored), RecordBatchTooLargeException (over `segment.bytes`).
        """
        self._ensure_appendable(batch, origin)
        valid = self._validator.validate_and_assign_offsets(batch, self.local.log_end_offset,
                                                            leader_epoch, now_ms, origin)
        if valid.rebuilt:
            self._ensure_small(valid.batch)
        repeated = self._append([valid.batch], origin, now_ms, transaction_version, guard)
        end = self.local.log_end_offset
        if repeated is not None:
            return LogAppendInfo(repeated.first_offset, repeated.last_offset, end,
                                 log_append_time_ms=repeated.timestamp, is_duplicate=True)
        return LogAppendInfo(
            valid.batch.base_offset, valid.batch.last_offset, end, valid.max_timestamp,
            valid.offset_of_max_timestamp, valid.log_append_time_ms)

    def _ensure_appendable(self, batch: RecordBatch, origin: AppendOrigin) -> None:
        if origin is AppendOrigin.CLIENT and batch.base_offset != 0:
            raise InvalidRecordException(
                f"The baseOffset of the record batch in the append to {self.partition} should be "
                f"0, but it is {batch.base_offset}")
        self._ensure_small(batch)
        batch.ensure_valid()

    def _ensure_small(self, batch: RecordBatch) -> None:
        if batch.size > self._max_message_bytes:
            raise RecordTooLargeException(
                f"The record batch size in the append to {self.partition} is {batch.size} bytes "
                f"which exceeds the maximum configured value of {self._max_message_bytes}.")

    def append_as_follower(self, batches: Sequence[RecordBatch], leader_epoch: int,
                           now_ms: int) -> None:
        """Write fetched batches as the leader stored them.

        Batches of an epoch above `leader_epoch` are left for later. Errors: CorruptRecordException,
        OffsetsOutOfOrderException, UnexpectedAppendOffsetException (the first begins below the
        log's end), LogSegmentOffsetOverflowException, ValueError (a leader epoch below 0); nothing
        is written then.
        """
        taken: list[RecordBatch] = []
        for batch in batches:
            if batch.header.partition_leader_epoch > leader_epoch:
                break
            batch.ensure_valid()
            if taken and batch.last_offset <= taken[-1].last_offset:
                raise OffsetsOutOfOrderException(
                    f"Out of order offsets found in append to {self.partition}: "
                    f"{[one.base_offset for one in batches]}")
            taken.append(batch)
        if not taken:
            return
        if taken[0].base_offset < self.local.log_end_offset:
            raise UnexpectedAppendOffsetException(
                f"Unexpected offset in append to {self.partition}. First offset "
                f"{taken[0].base_offset} is less than the next offset {self.log_end_offset}.")
        self._append(taken, AppendOrigin.REPLICATION, now_ms)

    def _append(self, batches: list[RecordBatch], origin: AppendOrigin, now_ms: int,
                transaction_version: int = 0, guard: int | None = None) -> BatchMetadata | None:
        """In Kafka's order: epochs, size, roll, producers, bytes, transactions.

        Nothing is written where the first batch repeats one: that is what comes back then.
        """
        size, latest_ms, local = 0, batches[0].header.max_timestamp, self.local
        for batch in batches:
            if (epoch := batch.header.partition_leader_epoch) != self.epochs.latest_epoch:
                self.epochs.assign(epoch, batch.base_offset)
            size += batch.size
            if batch.header.max_timestamp > latest_ms:
                latest_ms = batch.header.max_timestamp
        if origin is not AppendOrigin.REPLICATION and size > local.max_segment_bytes:
            raise RecordBatchTooLargeException(
                f"Message batch size is {size} bytes in append to partition {self.partition}, "
                f"which exceeds the maximum configured segment size of "
                f"{local.max_segment_bytes}.")
        if local.why_roll(latest_ms, batches[-1].last_offset, size, now_ms):
            self.roll(now_ms, batches[0].base_offset)
        infos, completed, repeated = self._judge_producers(batches, origin, transaction_version,
                                                           guard)
        if repeated is not None:
            return repeated
        local.append(batches)
        if self._all is not None:
            self._remember(batches)
        for info in infos.values():
            self.producers.update(info)
        for txn in completed:
            self._complete_txn(txn)
        self.producers.map_end_offset = local.log_end_offset
        if self._flush_messages <= local.log_end_offset - local.recovery_point:
            self.flush()
        return None

    def _judge_producers(self, batches: list[RecordBatch], origin: AppendOrigin, version: int,
                         guard: int | None) -> tuple:
        """What these batches make of their producers; or the batch that the first one repeats."""
        infos: dict[int, ProducerAppendInfo] = {}
        completed: list[CompletedTxn] = []
        for batch in batches:
            header = batch.header
            if header.producer_id < 0:
                continue
            if origin is AppendOrigin.CLIENT:
                if repeated := self.producers.find_duplicate_batch(header):
                    return infos, completed, repeated
                self.producers.check_transaction(header, guard)
            if header.producer_id not in infos:
                infos[header.producer_id] = self.producers.prepare_update(header.producer_id,
                                                                          origin)
            info = infos[header.producer_id]
            if not header.attributes & CONTROL:
                info.append_data_batch(header)
            elif marker := read_marker(batch):
                ended = info.append_end_txn_marker(
                    header, marker.control_type is ControlRecordType.ABORT,
                    marker.coordinator_epoch, version)
                completed += [ended] if ended else []
        return infos, completed, None

    def _complete_txn(self, txn: CompletedTxn) -> None:
        self.local.segments.active.update_txn_index(txn, self.producers.last_stable_offset(txn))
        self.producers.complete_txn(txn)

    def roll(self, now_ms: int, expected_next_offset: int = 0) -> LogSegment:
        """Begin a new segment; what the producers are known to be there is written beside it."""
        segment = self.local.roll(now_ms, expected_next_offset)
        self.producers.update_map_end_offset(segment.base_offset)
        self.producers.take_snapshot()
        self.local.flush_later(segment.base_offset)
        return segment

    # -- reading ------------------------------------------------------------------------------
    def read(self, offset: int, max_bytes: int, end_offset: int, min_one_message: bool = True,
             committed_only: bool = False) -> LogReadInfo:
        """Stored bytes from the batch with `offset` up to `end_offset`: HW, LSO, or the log's end.

        A torn first batch is left out whole. An offset between the two ends gives what is there;
        outside OffsetOutOfRangeException.
        """
        log_end_offset = self.local.log_end_offset
        if not self.log_start_offset <= offset <= log_end_offset:
            raise OffsetOutOfRangeException(
                f"Received request for offset {offset} for partition {self.partition}, but we only "
                f"have log segments upto {log_end_offset}.")
        if offset >= end_offset:
            return LogReadInfo(b"", self.log_start_offset, log_end_offset,
                               LogOffsetMetadata(offset), () if committed_only else None)
        info = self.local.read(offset, max_bytes, min_one_message, end_offset)
        records = b"" if info.first_entry_incomplete else info.records
        aborted = self._aborted(offset, info.fetch_offset_metadata, len(records)) \
            if committed_only else None
        return LogReadInfo(records, self.log_start_offset, log_end_offset,
                           info.fetch_offset_metadata, aborted)

    def _aborted(self, offset: int, at: Any, size: int) -> tuple[AbortedTxn, ...]:
        """The aborted transactions that a reader of these bytes has to leave out."""
        segment = self.local.segments.floor(offset)
        if segment is None or not size:
            return ()
        start = segment.offset_index.lookup(at.message_offset)._replace(
            offset=at.message_offset, position=at.relative_position_in_segment)
        upper = segment.fetch_upper_bound_offset(start, size)
        following = self.local.segments.higher(segment.base_offset)
        if upper is None:
            upper = following.base_offset if following else self.log_end_offset
        found: list[AbortedTxn] = []
        for one in self.local.segments.from_offset(offset):
            result = one.collect_aborted_txns(offset, upper)
            found += result.aborted_transactions
            if result.is_complete:
                break
        return tuple(found)

    def segment_base_of(self, offset: int) -> int:
        """The base offset of the segment in which an offset lies, or would lie."""
        segment = self.local.segments.floor(offset)
        return -1 if segment is None else segment.base_offset

    def bytes_between(self, offset: int, end_offset: int) -> int:
        """How many bytes a reader at `offset` could get below `end_offset`."""
        return self.local.bytes_between(offset, end_offset)

    # -- how far readers may go ---------------------------------------------------------------
    def update_high_watermark(self, offset: int) -> int:
        """Move the mark, between the log's two ends; where it is then."""
        start, end = self.log_start_offset, self.local.log_end_offset
        self.high_watermark = mark = start if offset < start else end if offset > end else offset
        self.producers.on_high_watermark_updated(mark)
        return mark

    @property
    def last_stable_offset(self) -> int:
        """Where a reader of committed data stops: the first open transaction, or the mark."""
        first = self.producers.first_unstable_offset
        return self.high_watermark if first is None else \
            min(max(first, self.log_start_offset), self.high_watermark)

    def delete_records(self, offset: int) -> int:
        """DeleteRecords: let the log begin at `offset`, or at the high watermark (-1); where it
        begins then. Errors: PolicyViolationException, OffsetOutOfRangeException."""
        if self.configs["cleanup.policy"] == ("compact",):
            raise PolicyViolationException(
                f"Records of partition {self.partition} can not be deleted due to the configured "
                f"policy")
        offset = self.high_watermark if offset == -1 else offset
        if offset < 0:
            raise OffsetOutOfRangeException(
                f"The offset {offset} for partition {self.partition} is not valid")
        self.maybe_increment_log_start_offset(offset)
        return self.log_start_offset

    def maybe_increment_log_start_offset(self, offset: int) -> bool:
        """Let the log begin at `offset` from now on; files go later. False where it does already.

        Errors: OffsetOutOfRangeException above the high watermark.
        """
        if offset > self.high_watermark:
            raise OffsetOutOfRangeException(
                f"Cannot increment the log start offset to {offset} of partition {self.partition} "
                f"since it is larger than the high watermark {self.high_watermark}")
        if offset <= self.log_start_offset:
            return False
        self.log_start_offset = offset
        self.local.on_change()
        self.epochs.truncate_from_start(offset)
        self.producers.on_log_start_offset_incremented(offset)
        return True

    # -- cutting ------------------------------------------------------------------------------
    def truncate_to(self, offset: int, now_ms: int) -> bool:
        """Cut the log at `offset`, whole batches only; False where it ends there or before.

        ValueError for an offset below 0.
        """
        if offset < 0:
            raise ValueError(f"Cannot truncate partition {self.partition} to a negative offset "
                             f"({offset}).")
        if offset >= self.log_end_offset:
            self.epochs.truncate_from_end(self.log_end_offset)
            return False
        if self.local.segments.first.base_offset > offset:
            self.truncate_fully_and_start_at(offset, now_ms)
            return True
        self.local.truncate_to(offset, now_ms)
        self.epochs.truncate_from_end(offset)
        self.log_start_offset = min(self.log_start_offset, offset)
        self._all = None
        rebuild_producer_state(self.producers, self.local.segments, self.log_start_offset, offset,
                               now_ms, is_clean=False)
        self.update_high_watermark(self.high_watermark)
        return True

    def truncate_fully_and_start_at(self, offset: int, now_ms: int,
                                    log_start_offset: int | None = None) -> None:
        """Throw everything away; the log is empty and its next record has `offset`."""
        self.local.truncate_fully_and_start_at(offset, now_ms)
        self.epochs.clear_and_flush()
        self.producers.truncate_fully_and_start_at(offset)
        self.log_start_offset = offset if log_start_offset is None else log_start_offset
        self._all = None
        self.update_high_watermark(offset)

    def delete_segments(self, segments: list[LogSegment], now_ms: int) -> None:
        """Let the oldest segments go, and the log begin behind them; it keeps one, if empty."""
        if len(segments) == len(self.local.segments):
            self.roll(now_ms)
        following = self.local.segments.higher(segments[-1].base_offset)
        self.maybe_increment_log_start_offset(following.base_offset)
        self.local.delete_segments(segments, now_ms)
        names = [self.producers.mark_snapshot_for_deletion(one.base_offset) for one in segments]
        self.local.remove_later([name for name in names if name], now_ms)
        self._all = None

    # -- seen from outside --------------------------------------------------------------------
    def _remember(self, batches: list[RecordBatch]) -> None:
        known = self.local.segments.active.log.snapshot()
        self._all += [known[at] for at in range(len(known) - len(batches), len(known))]

    def batches(self) -> Batches:
        """The batches in the log now, as a shared immutable view."""
        if self._all is None:
            self._all = [one for segment in self.local.segments for one in segment.log.snapshot()]
        return Batches(self._all, len(self._all))

    def content(self) -> bytes:
        """The bytes of all segments, one behind the other."""
        return b"".join(segment.log.slice() for segment in self.local.segments)

    def flush(self) -> None:
        """Force the log to the platter."""
        self.local.flush(self.log_end_offset)

    def close(self) -> None:
        """An orderly stop: everything flushed, indexes cut to size, a last producer snapshot."""
        self.producers.take_snapshot()
        self.local.close()
