"""What every view of replication and control keeps: format, sameness, size, legibility."""

import jsonschema
import pytest

from kafka_internals.viz import encode, svg
from kafka_internals.viz.scene import Scene
from tests.viz import failovers, pictures
from tests.viz.test_views import SCHEMA

FILMED = {name: rest for name, *rest in failovers.filmed()}


@pytest.fixture(scope="module")
def films() -> dict[str, dict]:
    return {name: drawn.data(cluster, subject, **options)
            for name, (drawn, cluster, subject, options) in FILMED.items()}


@pytest.mark.parametrize("name", FILMED)
def test_a_film_keeps_the_format_and_is_the_same_every_time(films, monkeypatch, name):
    jsonschema.validate(films[name], SCHEMA)
    monkeypatch.setattr(Scene, "part", lambda self, kept, key, draw, *args: draw(self, *args))
    drawn, cluster, subject, options = FILMED[name]
    assert encode.pack(drawn.data(cluster, subject, **options)) == encode.pack(films[name])


@pytest.mark.parametrize("name", FILMED)
def test_a_film_is_small_and_so_is_its_picture(films, name):
    assert len(encode.pack(films[name])) <= 100_000
    assert len(svg.picture(films[name]).encode()) <= 15_000


@pytest.mark.parametrize("name", FILMED)
def test_every_frame_says_one_thing_in_whole_sentences(films, name):
    for frames in films[name]["frames"].values():
        for frame in frames:
            assert frame["say"][0].isupper() and frame["say"].endswith(".")


@pytest.mark.parametrize("name", FILMED)
def test_everything_can_be_read_in_every_frame(films, name):
    assert pictures.unreadable(films[name]) == []


@pytest.mark.parametrize("name", FILMED)
def test_what_can_be_asked_has_changed_or_stood_since_the_start(films, name):
    known = {(row[1], row[2]) for row in films[name]["changes"]}
    asked = {tuple(shape["a"]) for scene in pictures.scenes(films[name])
             for shape in scene.values() if "a" in shape}
    _, cluster, *_ = FILMED[name]
    begun = cluster.again(upto=cluster.began)
    for subject, attribute in asked - known:
        assert attribute in begun.look(subject)._fields
