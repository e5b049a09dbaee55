"""Film v1 on the wire: deltas give the scenes back, a digest hears what is said, not its look."""

import copy
import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka_internals.viz import encode
from tests.viz import films

SCHEMA = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).parent / "film_schema.json").read_text()))
KEYS, NUMBERS = st.sampled_from("abcd"), st.integers(0, 3)
SHAPES = st.dictionaries(KEYS, st.dictionaries(st.sampled_from("kxyt"), NUMBERS, min_size=1))
WAITS = st.dictionaries(KEYS, st.text(max_size=2))


@given(st.lists(st.tuples(SHAPES, WAITS), max_size=6))
def test_deltas_give_back_every_scene_and_every_wait(scenes):
    frames = encode.delta({"event": i, "shapes": shapes, "waits": waits}
                          for i, (shapes, waits) in enumerate(scenes))
    assert encode.materialise(frames) == [shapes for shapes, _ in scenes]
    assert encode.waits_of(frames) == [waits for _, waits in scenes]


def test_what_stands_still_costs_nothing():
    shape = {"k": "rect", "x": 1}
    frames = encode.delta([{"shapes": {"a": shape}}, {"shapes": {"a": dict(shape)}},
                           {"shapes": {"a": shape | {"x": 2}}}, {"shapes": {}}])
    assert [frame["set"] for frame in frames] == [{"a": shape}, {}, {"a": {"x": 2}}, {}]
    assert [frame["gone"] for frame in frames] == [[], [], [], ["a"]]


@pytest.mark.parametrize("make", films.ALL)
def test_packing_is_repeatable_and_loses_nothing(make):
    assert encode.pack(make()) == encode.pack(make())
    assert encode.unpack(encode.pack(make())) == make()


@pytest.mark.parametrize("make", films.ALL)
def test_the_schema_takes_every_film(make):
    SCHEMA.validate(encode.unpack(encode.pack(make())))


def _broken(change):
    film = encode.unpack(encode.pack(films.replicas()))
    change(film, film["frames"]["truth"][0])
    return film


@pytest.mark.parametrize("change", [
    lambda film, frame: film.update(v=2),
    lambda film, frame: film.update(speed=1),
    lambda film, frame: film["frames"].pop("truth"),
    lambda film, frame: frame.pop("say"),
    lambda film, frame: frame.update(t_us=1.5),
    lambda film, frame: frame["set"]["b1"].update(k="image"),
    lambda film, frame: frame["set"]["b1"].update(onclick="x"),
    lambda film, frame: frame["set"]["b1"].update(c="node\" onload=\"x"),
    lambda film, frame: frame["set"]["b1"].update(a=["orders-0"]),
    lambda film, frame: frame["set"]["b1"].pop("z"),
    lambda film, frame: frame["set"]["producer"].update(d="url(x)"),
    lambda film, frame: film["events"][0].__setitem__(4, "party"),
    lambda film, frame: film["changes"][0].__setitem__(6, [-1]),
    lambda film, frame: film.update(fork={"at_us": 0})])
def test_the_schema_refuses_what_is_no_film(change):
    assert not SCHEMA.is_valid(_broken(change))


def _digest_after(change):
    film = copy.deepcopy(films.replicas())
    change(film, film["frames"]["truth"][0])
    return encode.digest(film)


@pytest.mark.parametrize("change", [
    lambda film, frame: film["events"][0].__setitem__(5, "other"),
    lambda film, frame: frame.update(say="other"),
    lambda film, frame: frame["set"].pop("b1"),
    lambda film, frame: frame["set"]["b1/name"].update(t="9"),
    lambda film, frame: frame["set"]["b1/log/hw"].update(a=["orders-0@1", "log_end_offset"]),
    lambda film, frame: film["frames"].pop("broker-3")])
def test_the_digest_hears_what_is_said(change):
    assert _digest_after(change) != encode.digest(films.replicas())


@pytest.mark.parametrize("change", [
    lambda film, frame: frame["set"]["b1"].update(x=99, y=1, r=0),
    lambda film, frame: frame["set"]["b1"].update(c="node follower", z=3, p=1),
    lambda film, frame: film["frames"]["truth"][1]["set"].update({"b2": {"x": 1}})])
def test_the_digest_is_deaf_to_geometry_and_style(change):
    assert _digest_after(change) == encode.digest(films.replicas())


def test_the_telling_frame_is_the_last_at_or_before_its_event():
    film = films.replicas()
    for event, index in ((433, 7), (434, 7), (10**6, 10), (0, 0)):
        assert encode.telling(film | {"telling": event}) == index
    assert encode.telling(films.empty()) == -1
