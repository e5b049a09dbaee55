"""The segment view: one frame for each thing that a lookup looks at, the found batch at the end."""

import json
from pathlib import Path

import jsonschema
import pytest

from kafka_internals.common import TopicPartition
from kafka_internals.config.topic_config import TOPIC_CONFIG
from kafka_internals.record_batch import RecordBatch, encode
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.file_records import StoredBatch
from kafka_internals.storage.lookup_snapshot import LookupSnapshot, SegmentSnapshot, look_up
from kafka_internals.storage.offset_index import OffsetPosition
from kafka_internals.storage.unified_log import UnifiedLog
from kafka_internals.viz import theme
from kafka_internals.viz.segment_view import WORDS, segment_view
from tests.storage.test_lookup_snapshot import recorded
from tests.viz.pictures import scenes, unreadable

SCHEMA = json.loads((Path(__file__).parent / "film_schema.json").read_text())


def large() -> LookupSnapshot:
    """A segment of a gibibyte far along in a log, as a broker in use has them."""
    base, size = 10_000_000_000, 16_384
    batches = tuple(StoredBatch(base + 100 * n, base + 100 * n + 99, 12, size * n, size, 1, 1)
                    for n in range(65_536))
    entries = tuple(OffsetPosition(one.last_offset, one.position) for one in batches[1:])
    segment = SegmentSnapshot(base, base + 6_553_600, 1 << 30, False, len(entries),
                              8 * len(entries))
    active = SegmentSnapshot(base + 6_553_600, base + 6_553_600, 0, True, 0, 10_485_760)
    older = [segment._replace(base_offset=base - n) for n in range(8, 0, -1)]
    compared = (64_511, 0, 32_256, 16_128, 24_192, 28_224, 30_240, 31_248, 31_752, 32_004, 32_130)
    return LookupSnapshot("orders-0", entries[32_130].offset, (*older, segment, active), 8, entries,
                          compared, 32_130, (batches[32_131],), batches[32_131],
                          batches[32_127:32_172], "segment.bytes", 1 << 30)


def long_log(batches: int = 600, interval: str = "300", segment: str = "8000") -> UnifiedLog:
    """Many batches in many segments."""
    configs = TOPIC_CONFIG.parse({"index.interval.bytes": interval,
                                  "internal.segment.bytes": segment})
    log = UnifiedLog(TopicPartition("orders", 0), Disk(lambda n: 0), configs)
    for number in range(batches):
        log.append_as_leader(RecordBatch(encode([(number, None, b"v" * 20, ())])), 0, number)
    return log


def test_small_segments_come_by_kafkas_own_internal_config_and_say_so():
    texts = {shape["t"] for shape in scenes(segment_view(look_up(long_log(), 333))._source)[0]
             .values() if shape["k"] == "text"}
    assert {"internal.segment.bytes", "8,000 bytes"} <= texts and "segment.bytes" not in texts


VIEWS = {
    "in a large log": large,
    "in the second segment": lambda: look_up(recorded("read-segments")[0], 24),
    "by the index": lambda: look_up(recorded("dir-interval-4096")[0], 9),
    "before the first entry": lambda: look_up(recorded("dir-interval-4096")[0], 3),
    "at the end": lambda: look_up(recorded("read-segments")[0], 34),
    "of nothing": lambda: look_up(UnifiedLog(TopicPartition("orders", 0), Disk(lambda n: 0)), 0),
    "in the middle of many": lambda: look_up(long_log(), 333),
    "in one large segment": lambda: look_up(long_log(segment="1000000"), 417),
    "with a long scan": lambda: look_up(long_log(interval="4096", segment="1000000"), 140)}


@pytest.fixture(params=VIEWS)
def film(request) -> dict:
    return segment_view(VIEWS[request.param]())._source


def _says(lookup) -> list[str]:
    return [frame["say"] for frame in segment_view(lookup)._source["frames"]["truth"]]


def test_a_film_keeps_the_format_and_is_small(film):
    jsonschema.validate(film, SCHEMA)
    assert len(json.dumps(film)) <= 100_000
    for frame in film["frames"]["truth"]:
        assert frame["say"][0].isupper() and frame["say"].endswith(".")


def test_no_two_texts_overlap_and_nothing_leaves_the_stage(film):
    assert unreadable(film) == []


def test_a_lookup_is_told_step_by_step():
    assert _says(VIEWS["by the index"]()) == [
        "Offset 9 is asked for: of 1 segment the one that begins at 0 is the last that begins at "
        "or before it.",
        "Entry 0 of the index is offset 5, not after 9: the floor is this entry or one further "
        "right.",
        "Entry 1 of the index is offset 8, not after 9: the floor is this entry or one further "
        "right.",
        "Entry 2 of the index is offset 12, after 9: the floor is further left.",
        "The floor is entry 1: the batch that ends at 8 begins at byte 9055, and the scan begins "
        "there.",
        "The header at byte 9055 says that its batch ends at 8: before 9, so the next one is read.",
        "The header at byte 9491 says that its batch ends at 9, so 9 is in it: found, with 2 "
        "headers read."]


def test_the_floor_and_the_found_batch_are_filled_when_they_are_known():
    film = segment_view(VIEWS["by the index"]())._source
    looks = [(scene["entry/1"]["c"], scene["batch/9491"]["c"]) for scene in scenes(film)]
    quiet, lit = "field kind-{}", "field kind-{} lit"
    assert looks == [(quiet.format(2), quiet.format(1))] * 4 + \
        [(lit.format(2), quiet.format(1))] * 2 + [(lit.format(2), lit.format(1))]


def test_every_entry_points_at_the_batch_whose_byte_it_names():
    lookup = VIEWS["by the index"]()
    (scene, *_) = scenes(segment_view(lookup)._source)
    for number, entry in enumerate(lookup.entries):
        x = scene[f"entry/{number}/points"]["x2"]
        assert x == pytest.approx(scene[f"batch/{entry.position}"]["x"], abs=0.1)
        assert scene[f"tick/{number}"]["x"] == x


def test_without_an_entry_the_scan_begins_at_byte_0():
    assert "The index has no entry at or before 3: the scan begins at byte 0." in \
        _says(VIEWS["before the first entry"]())
    assert _says(VIEWS["at the end"]())[-1] == \
        "No batch ends at or behind 34: the log ends at 34, and a reader waits here for more."


def test_a_long_scan_leaves_headers_out_and_says_so():
    lookup = VIEWS["with a long scan"]()
    says = _says(lookup)
    assert len(lookup.scanned) > 20 and len(says) < 20
    assert f"after {len(lookup.scanned) - 8} headers more" in " ".join(says)
    assert says[-1].endswith(f"with {len(lookup.scanned)} headers read.")


def test_the_entries_and_batches_read_in_both_themes():
    for scheme in ("light", "dark"):
        for tone in WORDS:
            assert theme.contrast(theme.resolve("text", f"on {tone}", scheme)["fill"],
                                  theme.resolve("rect", f"field {tone} lit", scheme)["fill"]) >= 4.5
