"""A log against a plain list: whatever is done to it, crashes and lost power included.

The list holds every batch that was appended and not cut. After each step the invariants of a log
are judged: what it holds, where it ends, how far readers may go, where its index entries point,
what can be made again from the `.log` files alone, and that a follower has the leader's bytes.
"""

from random import Random
from typing import NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kafka_internals.common import START_MS, TopicPartition
from kafka_internals.config import TOPIC_CONFIG
from kafka_internals.control_record import ControlRecordType, EndTransactionMarker
from kafka_internals.record_batch import TRANSACTIONAL, RecordBatch, batches, encode
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.append_origin import AppendOrigin
from kafka_internals.storage.log_retention import delete_old_segments
from kafka_internals.storage.log_segment import LogSegment
from kafka_internals.storage.offset_lookup import NOTHING_FOUND, fetch_offset
from kafka_internals.storage.unified_log import UnifiedLog

NAME = TopicPartition("orders", 0)
RETENTION_BYTES = 1_200
CONFIGS = TOPIC_CONFIG.parse({
    "internal.segment.bytes": 500, "index.interval.bytes": 100, "segment.index.bytes": 120,
    "retention.bytes": RETENTION_BYTES, "retention.ms": -1})
IDEMPOTENT, TRANSACTIONAL_ID = 8, 9
PARTS = st.integers(0, 1_000)                   # of a range that only the state knows


class Checkpoint(NamedTuple):
    """What a broker has noted about a log on its disk."""

    log_start_offset: int = 0
    recovery_point: int = 0


class Machine(RuleBasedStateMachine):
    """A leader's log, its follower's, and the list."""

    @initialize(seed=st.integers(0, 1 << 20))
    def begin(self, seed):
        luck = Random(seed)
        self.disk = Disk(lambda n: int(luck.random() * n))
        self.leader = UnifiedLog(NAME, self.disk, CONFIGS, now_ms=START_MS)
        self.followers_disk = Disk(lambda n: 0)
        self.follower = UnifiedLog(NAME, self.followers_disk, CONFIGS, now_ms=START_MS)
        self.all: list[RecordBatch] = []
        self.end = self.start = self.epoch = 0
        self.time = START_MS
        self.noted, self.is_resumed = Checkpoint(), set()       # segments with another history
        self.forgotten = 0                                      # below, no epochs may be known

    # -- the list -------------------------------------------------------------------------------
    @property
    def first(self) -> int:
        return self.leader.local.segments.first.base_offset

    def held(self) -> list[RecordBatch]:
        """The batches in files that are still there."""
        return [one for one in self.all if one.base_offset >= self.first]

    def from_start(self) -> list[RecordBatch]:
        """The batches that readers may ask for."""
        return [one for one in self.held() if one.last_offset >= self.start]

    def at(self, part: int, least: int, most: int) -> int:
        return least + part * (most - least) // 1_000

    def segment_of(self, one: RecordBatch) -> LogSegment:
        return self.leader.local.segments.floor(one.base_offset)

    def in_segment(self, segment: LogSegment) -> list[RecordBatch]:
        return [one for one in self.held() if self.segment_of(one) is segment]

    # -- appending ------------------------------------------------------------------------------
    def appended(self, batch: RecordBatch, origin=AppendOrigin.CLIENT) -> None:
        info = self.leader.append_as_leader(batch, self.epoch, START_MS, origin)
        assert (info.first_offset, info.is_duplicate) == (self.end, False)
        self.all.append(batch.with_offsets(self.end, self.epoch))
        self.end = self.all[-1].last_offset + 1

    def records(self, count: int, size: int) -> list[tuple]:
        return [(self.time + n, b"k", b"v" * size, ()) for n in range(count)]

    @rule(count=st.integers(1, 4), size=st.integers(0, 90), later=st.integers(-5, 20))
    def append(self, count, size, later):
        self.time += later
        self.appended(RecordBatch(encode(self.records(count, size))))

    @rule(count=st.integers(1, 3), txn=st.booleans())
    def append_as_a_producer(self, count, txn):
        id = TRANSACTIONAL_ID if txn else IDEMPOTENT
        entry = self.leader.producers.last_entry(id)
        self.appended(RecordBatch(encode(
            self.records(count, 5), producer_id=id, producer_epoch=0,
            base_sequence=entry.last_sequence + 1 if entry else 0,
            attributes=TRANSACTIONAL if txn else 0)))

    @rule(control_type=st.sampled_from([ControlRecordType.ABORT, ControlRecordType.COMMIT]))
    def end_the_transaction(self, control_type):
        if self.leader.producers.has_ongoing_transaction(TRANSACTIONAL_ID, 0):
            marker = EndTransactionMarker(control_type, 0).encode(self.time, TRANSACTIONAL_ID, 0)
            self.appended(RecordBatch(marker), AppendOrigin.COORDINATOR)

    @rule()
    def send_again(self):
        entry = self.leader.producers.last_entry(IDEMPOTENT)
        if entry and entry.batches:
            last = entry.batches[-1]
            info = self.leader.append_as_leader(RecordBatch(encode(
                self.records(last.offset_delta + 1, 5), producer_id=IDEMPOTENT, producer_epoch=0,
                base_sequence=last.first_sequence)), self.epoch, START_MS)
            assert (info.first_offset, info.is_duplicate) == (last.first_offset, True)

    @rule()
    def another_leader_epoch(self):
        self.epoch += 1

    @rule(size=st.integers(1, 700))
    def follow(self, size):
        if self.follower.log_end_offset <= max(self.start, self.follower.log_start_offset):
            begin = next((one.base_offset for one in self.held() if one.last_offset >= self.start),
                         self.start)            # with a whole batch, as Kafka's Partition does
            self.follower.truncate_fully_and_start_at(begin, START_MS)
        read = self.leader.read(max(self.start, self.follower.log_end_offset), size, self.end)
        self.follower.append_as_follower(list(batches(read.records)), self.epoch, START_MS)

    # -- reading --------------------------------------------------------------------------------
    @rule(part=PARTS, size=st.integers(0, 600), whole=st.booleans())
    def read(self, part, size, whole):
        offset = self.at(part, self.start, self.end)
        rest = [one for one in self.held() if one.last_offset >= offset]
        found = self.leader.read(offset, size, self.end, whole).records
        if not rest or not whole and size < rest[0].size:
            assert found == b""
            return
        segment = self.segment_of(rest[0])
        content = b"".join(one.buffer for one in rest if self.segment_of(one) is segment)
        assert found == content[:max(size, rest[0].size)]

    @rule(before=st.integers(-5, 60))
    def look_up_a_time(self, before):
        target, segments = self.time - before, self.leader.local.segments
        if any(one.base_offset in self.is_resumed for one in segments):
            return                              # their largest time is what their index says
        records = ([record for one in self.in_segment(segment) for record in one.records()]
                   for segment in segments)
        found = next((some for some in records
                      if max((one.timestamp for one in some), default=-1) >= target), [])
        first = next((one for one in found if one.timestamp >= target
                      and self.start <= one.offset < self.leader.high_watermark), None)
        answer = fetch_offset(self.leader, target)
        assert answer[:2] == ((first.timestamp, first.offset) if first else NOTHING_FOUND[:2])

    # -- cutting and forgetting -----------------------------------------------------------------
    @rule(part=PARTS)
    def advance_the_high_watermark(self, part):
        self.leader.update_high_watermark(self.at(part, self.leader.high_watermark, self.end))

    @rule()
    def roll(self):
        if self.leader.local.segments.active.size:
            self.leader.roll(START_MS)

    @rule()
    def let_the_scheduler_work(self):
        self.leader.local.do_due(START_MS + 60_000)

    @rule()
    def flush(self):
        self.leader.flush()

    @rule()
    def note_checkpoints(self):
        self.noted = Checkpoint(self.start, self.leader.local.recovery_point)

    @rule(part=PARTS)
    def truncate(self, part):
        offset = self.at(part, self.start // 2, self.end)
        below = offset < self.first
        self.leader.truncate_to(offset, START_MS)
        self.cut_at(offset)
        if below:
            self.is_resumed.clear()
        else:
            self.is_resumed.add(self.leader.local.segments.active.base_offset)
        self.start = min(self.start, offset)
        self.note_checkpoints()                 # as LogManager does behind every truncation

    def cut_at(self, end: int) -> None:
        """The list and the follower end where the leader does now."""
        if end < self.end:
            self.all, self.end = [one for one in self.all if one.last_offset < end], end
        self.follower.truncate_to(end, START_MS)
        self.is_resumed = {base for base in self.is_resumed if base <= end}

    @rule(part=PARTS)
    def delete_records(self, part):
        offset = self.at(part, 0, self.leader.high_watermark)
        self.start = max(self.start, offset)
        assert self.leader.delete_records(offset) == self.start

    @rule()
    def retain(self):
        high, before = self.leader.high_watermark, self.leader.log_start_offset
        delete_old_segments(self.leader, START_MS)
        assert self.first <= high
        self.start = max(before, self.first)
        over = self.leader.size - self.leader.local.segments.first.size - RETENTION_BYTES
        following = self.leader.local.segments.higher(self.first)
        assert over < 0 or following is None or following.base_offset > high

    # -- the end, and a new beginning -----------------------------------------------------------
    def opened(self, noted: Checkpoint, is_clean: bool) -> None:
        first, before = self.first, self.end
        self.leader = UnifiedLog(NAME, self.disk, CONFIGS, now_ms=START_MS, is_clean=is_clean,
                                 log_start_offset=noted.log_start_offset,
                                 recovery_point=noted.recovery_point)
        self.start = max(noted.log_start_offset, self.first)
        lasts = [one.last_offset + 1 for one in self.held()
                 if one.last_offset < self.leader.log_end_offset]
        end = max([self.leader.local.segments.active.base_offset, *lasts])
        assert self.leader.log_end_offset == end <= before
        assert self.first >= first or not lasts
        self.cut_at(end)
        self.is_resumed |= set(self.leader.local.segments.base_offsets)
        self.noted = self.noted._replace(recovery_point=min(noted.recovery_point, end))

    @rule()
    def stop_and_start(self):
        self.leader.close()
        self.noted = Checkpoint(self.start, self.end)
        held = self.held()
        self.opened(self.noted, is_clean=True)
        assert self.held() == held
        mended = [one for one in self.leader.found if ".deleted: " not in one]
        assert mended == [] or not self.from_start()    # it ended before its start: it begins anew

    @rule()
    def crash(self):
        held = self.held()
        self.opened(self.noted, is_clean=False)
        assert self.held() == held or self.end == self.noted.log_start_offset

    @rule()
    def lose_power(self):
        held, flushed = self.held(), self.leader.local.recovery_point
        self.disk.power_loss()
        self.opened(self.noted, is_clean=False)
        left = list(batches(self.leader.content()))
        assert [one for one in held if one in left] == left     # each is whole, none is new
        assert all(one in left for one in held if one.last_offset < flushed) \
            or self.end == self.noted.log_start_offset
        if self.held() != left:                 # a file ended with a batch: Kafka sees no hole
            self.all = [one for one in self.all if one.base_offset < self.first] + left
            self.follower.truncate_fully_and_start_at(self.start, START_MS)

    @rule()
    def crash_the_follower(self):
        held = self.follower.content()
        self.follower = UnifiedLog(NAME, self.followers_disk, CONFIGS, now_ms=START_MS)
        assert self.follower.content() == held

    # -- invariants -----------------------------------------------------------------------------
    @invariant()
    def it_holds_what_the_list_does(self):
        held = self.held()
        assert self.leader.content() == b"".join(one.buffer for one in held)
        assert [(one.base_offset, one.last_offset, one.crc) for one in self.leader.batches()] == \
            [(one.base_offset, one.last_offset, one.header.crc) for one in held]
        assert (self.leader.log_start_offset, self.leader.log_end_offset) == (self.start, self.end)

    @invariant()
    def its_marks_are_in_order(self):
        log = self.leader
        assert log.log_start_offset <= log.last_stable_offset <= log.high_watermark \
            <= log.log_end_offset
        if open_since := self.open_since(self.from_start()):
            assert log.last_stable_offset <= max(open_since[0], log.log_start_offset)

    def open_since(self, held: list[RecordBatch]) -> list[int]:
        found: list[int] = []
        for one in held:
            if one.header.is_control:
                found = []
            elif one.header.is_transactional:
                found.append(one.base_offset)
        return found

    @invariant()
    def its_segments_are_in_order(self):
        segments = list(self.leader.local.segments)
        assert [one.base_offset for one in segments] == \
            sorted({one.base_offset for one in segments})
        for segment, following in zip(segments, segments[1:]):
            assert all(segment.base_offset <= one.base_offset <= one.last_offset
                       < following.base_offset for one in segment.log.headers())

    @invariant()
    def its_index_entries_point_to_batches(self):
        for segment in self.leader.local.segments:
            stored = {one.position: one for one in segment.log.headers()}
            for offset, position in segment.offset_index:
                assert stored[position].base_offset <= offset
            if segment.base_offset not in self.is_resumed:
                for timestamp, offset in segment.time_index:
                    assert timestamp == max(one.max_timestamp for one in stored.values()
                                            if one.last_offset <= offset)

    @invariant()
    def its_followers_bytes_are_its_own(self):
        first = self.follower.local.segments.first.base_offset
        end = self.follower.log_end_offset
        assert self.follower.content() == b"".join(
            one.buffer for one in self.all if first <= one.base_offset < end)

    @invariant()
    def everything_can_be_made_again(self):
        self.forgotten = min(max(self.forgotten, self.start), self.end)
        if not self.from_start():               # a log that ends before its start begins anew
            return
        copy = self.disk.copy_of(str(NAME))
        for name in copy.names(str(NAME)):
            if not name.endswith(".log"):
                copy.delete(f"{NAME}/{name}")
        made = UnifiedLog(NAME, copy, CONFIGS, now_ms=START_MS, log_start_offset=self.start)
        assert made.content() == self.leader.content()
        self.same_epochs(made)
        self.same_producers(made)
        self.same_indexes(made)

    def same_epochs(self, made: UnifiedLog) -> None:
        assert all(one.start_offset <= self.end
                   for one in self.leader.epochs.epoch_entries)
        for one in self.from_start():
            if one.last_offset >= self.forgotten:
                offset = max(one.base_offset, self.forgotten)
                assert self.leader.epochs.epoch_for_offset(offset) == \
                    made.epochs.epoch_for_offset(offset) == one.header.partition_leader_epoch

    def same_producers(self, made: UnifiedLog) -> None:
        for entry in made.producers.active_producers():
            live = self.leader.producers.last_entry(entry.producer_id)
            if entry.last_offset >= self.start:
                assert live.batches[-1][:3] == entry.batches[-1][:3]    # a snapshot has one time
                assert live.current_txn_first_offset == entry.current_txn_first_offset \
                    or live.current_txn_first_offset < self.start

    def same_indexes(self, made: UnifiedLog) -> None:
        for live in self.leader.local.segments:
            if live.base_offset not in self.is_resumed:
                again = made.local.segments.floor(live.base_offset)
                assert list(live.offset_index) == list(again.offset_index)
                times = list(again.time_index)
                assert list(live.time_index) in (times, times[:-1])
                aborted = list(again.txn_index)     # of one that began before, only what is left
                assert all(txn in aborted for txn in live.txn_index
                           if txn.first_offset >= self.start)
                assert {txn.last_offset for txn in aborted} <= \
                    {txn.last_offset for txn in live.txn_index}


TestLog = Machine.TestCase
TestLog.settings = settings(max_examples=400, stateful_step_count=50, deadline=None,
                            derandomize=True, suppress_health_check=list(HealthCheck))
