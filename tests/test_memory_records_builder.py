"""MemoryRecordsBuilder: when a producer's batch is full, against Kafka's own accumulator."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafka_internals.errors import IllegalStateException
from kafka_internals.memory_records_builder import MemoryRecordsBuilder, size_upper_bound
from kafka_internals.record import encode_record
from kafka_internals.record_batch import encode
from tests.golden.cases import json_lines

BLOBS = st.none() | st.binary(max_size=100)
HEADERS = st.lists(st.tuples(st.text(max_size=6), BLOBS), max_size=3).map(tuple)
CONTENT = st.tuples(BLOBS, BLOBS, HEADERS)
RUNS = [run for run in json_lines("groups/producer_accumulator.jsonl")
        if run["kind"] == "accumulator"]


class Queues:
    """One queue of builders for each partition, driven by a recorded run."""

    def __init__(self, run: dict) -> None:
        self.batch_size, self.now_ms = run["batch.size"], run["start_ms"]
        self.queues: dict[str, list[MemoryRecordsBuilder]] = {}

    def append(self, step: dict) -> None:
        key, value = (None if size < 0 else bytes(size) for size in
                      (step["append"]["key_bytes"], step["append"]["value_bytes"]))
        queue = self.queues.setdefault(str(step["got_partition"]), [])
        fits = bool(queue) and queue[-1].has_room_for(key, value, timestamp=self.now_ms)
        assert fits != step["new_batch"]
        if not fits:
            queue.append(MemoryRecordsBuilder(self.batch_size))
        before = queue[-1].estimated_size_bytes if fits else 0
        queue[-1].append(self.now_ms, key, value)
        assert queue[-1].estimated_size_bytes - before == step["appended_bytes"]

    def drain(self, taken: dict) -> None:
        builder = self.queues[str(taken["partition"])].pop(0)
        assert len(builder.build()) == builder.estimated_size_bytes == taken["bytes"]

    def compare(self, recorded: dict[str, list]) -> None:
        """Same sizes; full where Kafka says so, unless Kafka closed a batch in passing."""
        assert sorted(recorded) == sorted(name for name, queue in self.queues.items() if queue)
        for name, batches in recorded.items():
            for builder, (_, size, state) in zip(self.queues[name], batches, strict=True):
                assert builder.estimated_size_bytes == size
                if state == "full":
                    builder.close_for_appends()
                assert builder.is_full == (state == "full")


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run["id"])
def test_batches_grow_and_fill_as_in_kafkas_accumulator(run):
    queues = Queues(run)
    for step in run["steps"]:
        queues.now_ms += step.get("advance_ms", 0)
        if "append" in step:
            queues.append(step)
        for taken in step.get("drained", ()):
            queues.drain(taken)
        if "queues" in step:
            queues.compare(step["queues"])


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-1, 1 << 42), CONTENT), min_size=1, max_size=20))
def test_a_built_batch_is_the_encoded_one(records):
    builder = MemoryRecordsBuilder(1)
    flat = [(timestamp, *content) for timestamp, content in records]
    assert [builder.append(*one) for one in flat] == list(range(len(flat)))
    state = {"producer_id": 9, "producer_epoch": 2, "base_sequence": 40}
    assert builder.build(**state) == encode(flat, **state)
    assert builder.estimated_size_bytes == len(builder.build())


@settings(deadline=None)
@given(CONTENT, st.integers(0, 1 << 42), CONTENT, st.integers(0, 1 << 42), st.integers(0, 700))
def test_a_second_record_has_room_when_its_exact_size_fits(first, first_ms, second, second_ms,
                                                           batch_size):
    builder = MemoryRecordsBuilder(batch_size)
    builder.append(first_ms, *first)
    limit = max(batch_size, size_upper_bound(*first))
    size = builder.estimated_size_bytes + len(encode_record(second_ms - first_ms, 1, *second))
    assert builder.has_room_for(*second, timestamp=second_ms) == (size <= limit)


@settings(deadline=None)
@given(CONTENT, st.integers(-1, 1 << 42))
def test_the_upper_bound_holds_and_is_tight(content, timestamp):
    size = len(encode([(timestamp, *content)]))
    assert size < size_upper_bound(*content) <= size + 21


def test_an_upper_bound_by_hand():
    assert size_upper_bound(None, b"v" * 64) == 61 + 21 + 1 + 2 + 64 + 1
    assert size_upper_bound(b"k", None, (("h", b"xy"), ("\u00fc", None))) \
        == 61 + 21 + 2 + 1 + 1 + (2 + 3) + (3 + 1)


@pytest.mark.parametrize("batch_size", [0, 1])
def test_a_batch_size_of_nothing_gives_each_record_its_own_batch(batch_size):
    builder = MemoryRecordsBuilder(batch_size)
    assert not builder.is_full and builder.has_room_for(b"k" * 1000, None, timestamp=1_000)
    builder.append(1_000, None, b"twenty bytes at least")
    assert not builder.has_room_for(None, b"twenty bytes at least", timestamp=1_000)


def test_what_the_upper_bound_left_over_may_be_used():
    builder = MemoryRecordsBuilder(0)
    builder.append(1_000, b"k", b"v")
    assert size_upper_bound(b"k", b"v") - builder.estimated_size_bytes == 17
    assert builder.has_room_for(None, b"v" * 10, timestamp=1_000)
    assert not builder.has_room_for(None, b"v" * 11, timestamp=1_000)


def test_a_batch_is_full_at_its_limit_exactly():
    one = len(encode_record(0, 0, None, b"v" * 50, ()))
    full, not_full = MemoryRecordsBuilder(61 + 2 * one), MemoryRecordsBuilder(61 + 2 * one + 1)
    for builder in (full, not_full):
        builder.append(1_000, None, b"v" * 50)
        assert builder.has_room_for(None, b"v" * 50, timestamp=1_000) and not builder.is_full
        builder.append(1_000, None, b"v" * 50)
    assert full.is_full and not not_full.is_full


def test_a_larger_time_difference_takes_a_larger_record():
    one = len(encode_record(0, 0, None, b"v" * 50, ()))
    builder = MemoryRecordsBuilder(61 + 2 * one)
    builder.append(1_000, None, b"v" * 50)
    assert builder.has_room_for(None, b"v" * 50, timestamp=1_063)
    assert not builder.has_room_for(None, b"v" * 50, timestamp=1_064)


def test_a_closed_batch_is_full_and_takes_nothing():
    builder = MemoryRecordsBuilder(16_384)
    builder.append(1_000, b"k", b"v")
    builder.close_for_appends()
    assert builder.is_full and not builder.has_room_for(b"k", b"v", timestamp=1_000)
    with pytest.raises(IllegalStateException, match="closed for appends"):
        builder.append(1_000, b"k", b"v")


def test_a_negative_timestamp_is_refused():
    with pytest.raises(ValueError, match="or -1 for none; got -2"):
        MemoryRecordsBuilder(16_384).append(-2, b"k", b"v")


def test_nothing_cannot_be_built():
    with pytest.raises(IllegalStateException, match="at least one record"):
        MemoryRecordsBuilder(16_384).build()
