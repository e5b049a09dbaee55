"""The byte view: every field is there, a click explains it, damage is seen, text stays text."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import jsonschema
import pytest

from kafka_internals.record_batch import SPANS, encode
from kafka_internals.storage.dump_log_segments import dump
from kafka_internals.storage.dump_verdict import changed
from kafka_internals.viz import theme
from kafka_internals.viz.byte_view import TONES, byte_view, changed_byte_view
from tests.golden.cases import GOLDEN, vector
from tests.viz.pictures import scenes, unreadable

SCHEMA = json.loads((Path(__file__).parent / "film_schema.json").read_text())
ENDS = GOLDEN / "storage/read-segments/end"
SNAPSHOT = GOLDEN / "storage/snapshots-rolls/end/00000000000000000006.snapshot"
LOG_FILE = ENDS / "00000000000000000000.log"
MARKUP = b"<script>alert(1)</script>&\"'"


def _file(path: Path):
    return dump(path.read_bytes(), path.suffix, name=path.name)


VIEWS = {
    "a batch": lambda: byte_view(dump(vector("G-A-3")), "crc"),
    "a marker": lambda: byte_view(dump(vector("G-A-4 COMMIT")), "key type"),
    "a log": lambda: byte_view(_file(LOG_FILE), 700, rows=16),
    "an index": lambda: byte_view(_file(LOG_FILE.with_suffix(".index")), "position"),
    "a time index": lambda: byte_view(_file(LOG_FILE.with_suffix(".timeindex"))),
    "a snapshot": lambda: byte_view(_file(SNAPSHOT), "last_offset"),
    "a checkpoint": lambda: byte_view(dump(b"0\n1\norders 0 41\n", "checkpoint"), "entry 0"),
    "nothing": lambda: byte_view(dump(b"")),
    "a torn batch": lambda: byte_view(dump(vector("G-A-3")[:50])),
    "markup": lambda: byte_view(dump(encode([(1, b"k", MARKUP, ())])), "value"),
    "small records": lambda: byte_view(dump(encode([(1, b"k", b"v", ())] * 40)), "records_count"),
    "a change": lambda: changed_byte_view(changed(vector("G-A-3") * 2, 84 + 67, ord("q"))),
    "an offset changed": lambda: changed_byte_view(changed(vector("G-A-2"), 7, 9)),
    "an entry changed": lambda: changed_byte_view(
        changed(LOG_FILE.with_suffix(".index").read_bytes(), 7, 255, ".index"))}


def _texts(film: dict, frame: int = -1) -> list[str]:
    return [shape["t"] for shape in scenes(film)[frame].values() if shape["k"] == "text"]


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_keeps_the_format_is_small_and_the_same_every_time(name):
    player = VIEWS[name]()
    jsonschema.validate(player._source, SCHEMA)
    assert len(player.film) <= 15_000 and len(player.picture.encode()) <= 45_000
    assert player.film == VIEWS[name]().film
    for frame in player._source["frames"]["truth"]:
        assert frame["say"][0].isupper() or frame["say"][0].isdigit()
        assert frame["say"].endswith(".")
    ET.fromstring(player.picture)


@pytest.mark.parametrize("name", VIEWS)
def test_no_two_texts_overlap_and_nothing_leaves_the_stage(name):
    assert unreadable(VIEWS[name]()._source) == []


@pytest.mark.parametrize("fact", ["G-A-2", "G-A-3", "G-A-4 COMMIT", "G-A-4 ABORT"])
def test_every_field_of_the_golden_batches_can_be_opened(fact):
    shown = dump(vector(fact))
    film = byte_view(shown)._source
    shapes = scenes(film)[0]
    for field in shown.fields:
        strip = next(shape for key, shape in shapes.items()
                     if key.startswith(f"field/{field.start}/"))
        about = film["details"][strip["i"]]
        assert (about["title"], about["fields"][0]) == (field.name, ["value", field.value])
        assert about["hex"] == shown.content[field.start:field.end].hex(" ")
    assert [shapes[f"byte/{at}"]["t"] for at in range(len(shown.content))] == \
        shown.content.hex(" ").split()


def test_the_list_says_each_field_with_its_value():
    texts = _texts(byte_view(dump(vector("G-A-3")))._source)
    for said in (*SPANS, "0xec8ff1fb", "1700000000007", "header 1 value length", "-1 (null)",
                 "batch 5 record 1"):
        assert said in texts


def test_the_caption_explains_the_picked_field():
    say = byte_view(dump(vector("G-A-3")), "crc").card["say"]
    assert say == "Bytes 17 to 20 are crc, 0xec8ff1fb: CRC-32C of every byte behind this field."
    assert byte_view(dump(vector("G-A-3")), 22).card["say"].startswith(
        "Bytes 21 to 22 are attributes, 16")


def test_a_long_file_shows_a_window_around_what_was_picked():
    film = byte_view(_file(LOG_FILE), 700)._source
    assert "bytes 624 to 751 of 807" in _texts(film)
    assert "byte/700" in scenes(film)[0] and "byte/0" not in scenes(film)[0]
    assert "byte/17" in scenes(byte_view(_file(LOG_FILE), start=20)._source)[0]


def test_too_many_fields_are_told_record_by_record():
    texts = _texts(byte_view(dump(encode([(1, b"k", b"v", ())] * 40)))._source)
    assert "batch 0 record 3" in texts and '"k" = "v"' in texts and "records_count" in texts


def test_damage_is_red_and_named():
    film = byte_view(dump(vector("G-A-3")[:50]))._source
    (strip,) = {s["c"] for key, s in scenes(film)[0].items() if s.get("n", "").startswith("not r")}
    assert strip == "dangerwash"
    assert film["frames"]["truth"][0]["say"] == (
        "A record batch has 50 bytes: batches of records. From byte 43 on it cannot be read.")
    broken = vector("G-A-3")[:-1] + b"\x05"
    assert "A reader meets a CorruptRecordException." in byte_view(dump(broken)).card["say"]


def test_before_and_after_the_touched_byte_the_crc_and_the_verdicts_are_marked():
    film = VIEWS["a change"]()._source
    before, after = scenes(film)
    crc = f"field/{84 + 17}/1"
    assert (before[crc]["c"], after[crc]["c"]) == ("field key-5", "dangerwash")
    assert "touched" not in before and "touched" in after
    assert after["byte/151"]["t"] == "71" and "bad" in after["byte/151"]["c"].split()
    assert [after[f"verdict/{who}"]["c"] for who in ("checksum", "reader", "recovery")] == \
        ["verdict bad"] * 3
    assert [before[f"verdict/{who}"]["c"] for who in ("checksum", "reader", "recovery")] == \
        ["verdict"] * 3
    assert film["frames"]["truth"][1]["say"] == (
        "Byte 151, in value, becomes 0x71 in place of 0x61: the checksum, the reader and recovery "
        "notice.")
    assert VIEWS["an offset changed"]().card["say"].endswith("nobody notices.")


def test_markup_in_a_value_stays_text():
    player = VIEWS["markup"]()
    assert "<script>alert" not in player.picture and "&lt;script&gt;" in player.picture
    assert "<script>alert" not in player._page()


def test_every_tone_reads_in_both_themes():
    for scheme in ("light", "dark"):
        for tone in TONES:
            lit, quiet = (theme.resolve("rect", f"field {tone}{more}", scheme)
                          for more in (" lit", ""))
            assert theme.contrast(theme.resolve("text", f"on {tone}", scheme)["fill"],
                                  lit["fill"]) >= 4.5
            assert theme.contrast(theme.palette(scheme)["ink"], quiet["fill"]) >= 4.5


@pytest.mark.parametrize("asked, says", [
    ({"pick": "crx"}, "has no field 'crx'; there is base_offset"),
    ({"pick": 70}, "there is no byte 70"), ({"start": 71}, "no window begins at byte 71"),
    ({"rows": 0}, "1 to 16 rows"), ({"rows": 17}, "not 17")])
def test_what_is_not_there_is_refused(asked, says):
    with pytest.raises(ValueError, match=says):
        byte_view(dump(vector("G-A-2")), **asked)


def test_a_number_that_does_not_fit_shows_its_end():
    texts = _texts(changed_byte_view(changed(vector("G-A-3") * 2, 84 + 67, ord("q")))._source)
    cut = [text[1:] for text in texts if text.startswith("…")]
    assert cut and all(len(end) >= 8 and "1700000000007 1700000000000".find(end) >= 0
                       for end in cut)
    assert "1700000000000" in _texts(byte_view(dump(vector("G-A-3")))._source)
