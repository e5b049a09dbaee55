"""A recorded log, written again through LogSegment: rolls and index files equal byte for byte."""

from pathlib import Path

import pytest

from kafka_internals.record_batch import RecordBatch, batches
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.log_segment import LogSegment
from kafka_internals.storage.transaction_index import AbortedTxn, TransactionIndex
from tests.golden.cases import GOLDEN, Case

CASES = ("dir-bytes-roll", "dir-exact-limit", "dir-time-roll", "dir-time-roll-notime",
         "dir-index-full", "dir-index-full-sameTs", "dir-interval-4096", "dir-first-batch-big",
         "batch-txn")
WEEK_MS, GIB = 604_800_000, 1 << 30


class Log:
    """Segments in a row, rolled as the topic's configs say."""

    def __init__(self, configs: dict[str, str]) -> None:
        self.disk, self.now_ms, self.segments = Disk(lambda n: 0), 0, []
        self.max_bytes = int(configs.get("internal.segment.bytes", GIB))
        self.max_ms = int(configs.get("segment.ms", WEEK_MS))
        self.sizes = {"index_interval_bytes": int(configs.get("index.interval.bytes", 4096)),
                      "max_index_bytes": int(configs.get("segment.index.bytes", 10 << 20))}
        self.rolled_by = []
        self._begin(0)

    def _begin(self, base: int) -> None:
        self.segments.append(LogSegment(self.disk, "log-0", base, now_ms=self.now_ms, **self.sizes))

    def append(self, batch: RecordBatch) -> None:
        active = self.segments[-1]
        why = active.why_roll(self.max_ms, self.max_bytes, batch.header.max_timestamp,
                              batch.last_offset, batch.size, self.now_ms)
        if why:
            active.on_become_inactive_segment()
            self._begin(batch.base_offset)
            self.rolled_by.append(why)
        self.segments[-1].append(batch)

    def files(self) -> dict[str, bytes]:
        return {name: self.disk.read(f"log-0/{name}") for name in self.disk.names("log-0")}


def _recorded(case: str, *kinds: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((GOLDEN / "storage" / case / "end")
            .iterdir()) if path.suffix in kinds}


def _written_again(case: str) -> Log:
    log, again = Log(Case(f"storage/{case}").topic), _recorded(case, ".log")
    for name, content in again.items():
        if case == "dir-time-roll-notime" and not name.startswith(f"{0:020d}"):
            log.now_ms += 600                   # the case sleeps before this batch
        for batch in batches(content):
            log.append(batch)
    for segment in log.segments:
        segment.close()
    return log


@pytest.mark.parametrize("case", CASES)
def test_the_same_batches_give_the_same_segments_and_index_files(case):
    recorded = _recorded(case, ".log", ".index", ".timeindex")
    assert len(recorded) >= 3
    assert _written_again(case).files() == recorded


@pytest.mark.parametrize("case, why", [
    ("dir-bytes-roll", "segment.bytes"), ("dir-exact-limit", "segment.bytes"),
    ("dir-time-roll", "segment.ms"), ("dir-time-roll-notime", "segment.ms"),
    ("dir-index-full", "segment.index.bytes"), ("dir-index-full-sameTs", "segment.index.bytes"),
    ("batch-txn", "segment.ms")])               # a marker has the time of the wall clock
def test_each_case_rolls_for_its_own_reason(case, why):
    assert set(_written_again(case).rolled_by) == {why}


def test_while_a_segment_is_active_its_index_files_have_their_full_size():
    listing = Case("storage/dir-time-roll").expect[2]["listing"]
    log = Log({"segment.ms": "1000"})
    log.append(next(batches(_recorded("dir-time-roll", ".log")[f"{0:020d}.log"])))
    sizes = {name: len(content) for name, content in log.files().items()}
    assert sizes == {name: size for name, size in listing if name in sizes} and len(sizes) == 3


class Nobody:
    """A producer state that is asked and knows nothing."""

    def __init__(self) -> None:
        self.map_end_offset, self.seen = 0, []

    def replay(self, batch):
        self.seen.append(batch.base_offset)

    def update_map_end_offset(self, offset):
        self.map_end_offset = offset


@pytest.mark.parametrize("case", CASES)
def test_recovery_makes_the_recorded_index_files_again_from_the_log_alone(case):
    topic = Case(f"storage/{case}").topic
    for name, content in _recorded(case, ".log").items():
        disk = Disk(lambda n: 0)
        disk.append(f"log-0/{name}", content)
        segment = LogSegment(disk, "log-0", int(name.partition(".")[0]), now_ms=0,
                             index_interval_bytes=int(topic.get("index.interval.bytes", 4096)))
        producers = Nobody()
        assert segment.recover(producers) == 0
        assert producers.map_end_offset == segment.read_next_offset()
        for path in (Path(name).with_suffix(kind) for kind in (".index", ".timeindex")):
            assert disk.read(f"log-0/{path}") == \
                (GOLDEN / "storage" / case / "end" / path).read_bytes()


def test_recorded_aborted_transactions_decode_and_encode_to_the_same_bytes():
    (name, content), = _recorded("batch-txn", ".txnindex").items()
    disk = Disk(lambda n: 0)
    disk.append(name, content)
    index = TransactionIndex(disk, name, 4)
    index.sanity_check()
    assert tuple(index) == (AbortedTxn(736, 3, 6, 7), AbortedTxn(736, 8, 9, 7),
                            AbortedTxn(239, 7, 10, 11))
    assert b"".join(one.encode() for one in index) == content
