"""Recorded fetches and time lookups, answered from the recorded segment files: what can be said
below the log, which adds the high watermark and the log's ends."""

import pytest

from kafka_internals.record_batch import batches
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.leader_epoch_file_cache import LeaderEpochFileCache
from kafka_internals.storage.log_file_utils import LOG, offset_from_file
from kafka_internals.storage.log_segment import LogSegment
from tests.golden.cases import Case

NOWHERE = (-1, -1, -1)
ALL = 1 << 20


@pytest.fixture(params=["as written", "without its index entries"])
def disk(request) -> Disk:
    """The directory of read-segments. Without index entries a scan has to find the same."""
    disk = Disk(lambda n: 0)
    for path in (Case("storage/read-segments").directory / "end").iterdir():
        content = path.read_bytes()
        emptied = path.suffix == ".index" and request.param != "as written"
        disk.append(f"log-0/{path.name}", b"" if emptied else content)
    return disk


@pytest.fixture
def segments(disk) -> list[LogSegment]:
    return [LogSegment(disk, "log-0", offset_from_file(name), now_ms=0)
            for name in disk.names("log-0") if name.endswith(LOG)]


def _floor(segments: list[LogSegment], offset: int) -> int:
    return max(n for n, one in enumerate(segments) if one.base_offset <= offset)


def _steps(case: str, op: str) -> list[tuple[dict, dict]]:
    recorded = Case(f"storage/{case}")
    return [(step, answer) for step, answer in zip(recorded.steps, recorded.expect)
            if step["op"] == op and answer["error"] == "NONE"]


def test_g_b_3_g_b_5_fetches_give_the_recorded_batches(segments):
    compared = 0
    for step, answer in _steps("read-segments", "fetch"):
        if not answer["bytes"]:
            continue                                    # at the end of the log
        limit = min(step.get("partition_max_bytes", ALL), step.get("max_bytes", ALL))
        at = _floor(segments, step["offset"])
        found = segments[at].read(step["offset"], limit, min_one_message=True)
        whole = list(batches(found.records))
        assert len(found.records) == answer["bytes"], step
        assert [[one.base_offset, one.last_offset, one.size] for one in whole] == answer["batches"]
        assert len(found.records) - sum(one.size for one in whole) == \
            answer.get("tornTailBytes", 0)
        compared += 1
    assert compared >= 40


def _by_time(segments: list[LogSegment], time: int) -> tuple[int, int, int]:
    for one in segments:
        if one.largest_timestamp >= time:
            return one.find_offset_by_timestamp(time, 0) or NOWHERE
    return NOWHERE


def test_g_b_14_times_lead_to_the_recorded_records(segments):
    asked = [(step, answer) for step, answer in _steps("read-segments", "list_offsets")
             if step["timestamp"] >= 0]
    assert len(asked) >= 20
    for step, answer in asked:
        assert _by_time(segments, step["timestamp"]) == \
            (answer["timestamp"], answer["offset"], answer["leaderEpoch"]), step


def test_g_b_14_times_out_of_order_and_ties():
    case, compared = Case("storage/read-timestamps"), 0
    stored = batches(case.log())
    made = LogSegment(Disk(lambda n: 0), "log-0", 0, now_ms=0)
    for step, answer in zip(case.steps, case.expect):
        if step["op"] == "produce":
            made.append(next(stored))
        elif step["op"] == "list_offsets" and step["timestamp"] >= 0:
            assert _by_time([made], step["timestamp"]) == \
                (answer["timestamp"], answer["offset"], answer["leaderEpoch"]), step
            compared += 1
    assert compared == 6


def test_g_b_13_epochs_end_as_recorded(disk, segments):
    epochs = LeaderEpochFileCache(disk, "log-0")
    end = segments[-1].read_next_offset()
    asked = _steps("read-segments", "epoch_end")
    assert len(asked) >= 3
    for step, answer in asked:
        assert epochs.end_offset_for(step["epoch"], end) == \
            (answer["leaderEpoch"], answer["endOffset"])
