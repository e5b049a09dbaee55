"""Films of real runs: they keep the format, say what happened, and are the same every time."""

import json
from pathlib import Path

import jsonschema
import pytest

from kafka_internals.cluster.cluster import BrokenRunException, Cluster
from kafka_internals.viz import encode, svg
from kafka_internals.viz.camera import Look, Truth
from kafka_internals.viz.diagrams import dot_of, layout, rows
from kafka_internals.viz.film import view
from kafka_internals.viz.futures import data as futures
from kafka_internals.viz.replica_view import replica_view
from kafka_internals.viz.scene import Scene
from tests.viz import stories

SCHEMA = json.loads((Path(__file__).parent / "film_schema.json").read_text())
FILMED = {name: rest for name, *rest in stories.filmed()}


@pytest.fixture(scope="module")
def films() -> dict[str, dict]:
    return {name: drawn.data(cluster, subject, **options)
            for name, (drawn, cluster, subject, options) in FILMED.items()}


@pytest.mark.parametrize("name", FILMED)
def test_a_film_keeps_the_format(films, name):
    jsonschema.validate(films[name], SCHEMA)


@pytest.mark.parametrize("name", FILMED)
def test_a_film_is_the_same_every_time(films, name):
    drawn, cluster, subject, options = FILMED[name]
    again = drawn.data(cluster, subject, **options)
    assert encode.pack(again) == encode.pack(films[name])


@pytest.mark.parametrize("name", FILMED)
def test_a_film_is_the_same_where_every_part_is_drawn_anew(films, monkeypatch, name):
    monkeypatch.setattr(Scene, "part", lambda self, kept, key, draw, *args: draw(self, *args))
    drawn, cluster, subject, options = FILMED[name]
    assert drawn.data(cluster, subject, **options) == films[name]


@pytest.mark.parametrize("name", FILMED)
def test_a_film_is_small_and_so_is_its_picture(films, name):
    assert len(encode.pack(films[name])) <= 100_000
    assert len(svg.picture(films[name]).encode()) <= 15_000


@pytest.mark.parametrize("name", FILMED)
def test_every_frame_says_one_sentence(films, name):
    for frames in films[name]["frames"].values():
        for frame in frames:
            assert frame["say"][0].isupper() and frame["say"].endswith(".")


def test_every_link_of_a_change_goes_back(films):
    for film in films.values():
        for at, (*_, reads, _) in enumerate(film["changes"]):
            assert all(read < at for read in reads)


def test_everything_that_can_be_asked_has_an_answer_or_stood_from_the_beginning(films):
    film = films["replicas"]
    known = {(row[1], row[2]) for row in film["changes"]}
    asked = {tuple(shape["a"]) for scene in encode.materialise(film["frames"]["truth"])
             for shape in scene.values() if "a" in shape}
    unanswered = {pair for pair in asked - known}
    assert all(attribute == "state" for _, attribute in unanswered)


def test_the_captions_tell_the_story_of_a_produce(films):
    says = [frame["say"] for frame in films["replicas"]["frames"]["truth"]]
    story = ["Broker 1, the leader, appends offset 0", "Broker 2 appends offset 0",
             "broker 1 moves the high watermark from 0 to 1"]
    places = [next(at for at, say in enumerate(says) if part in say) for part in story]
    assert places == sorted(places)


def test_a_value_that_stands_still_says_what_it_waits_for():
    cluster = Cluster(seed=7)
    cluster.create_topic("orders", replica_assignment={0: [1, 2, 3]})
    cluster.slow(3, fetch_ms=400)
    cluster.producer(linger_ms=0).send("orders", "paid")
    cluster.run(ms=100)
    film = replica_view.data(cluster, "orders-0")
    last = encode.waits_of(film["frames"]["truth"])[-1]
    assert last["orders-0@1 high_watermark"] == "broker 3 to fetch at 1 (last fetched at 0)"


def test_a_belief_has_only_what_the_broker_was_told(films):
    film = films["replicas"]
    scenes = encode.materialise(film["frames"]["broker-3"])
    assert all("b1/log/leo" not in scene for scene in scenes)
    assert any("b1/unknown" in scene for scene in scenes)


def test_a_message_rests_at_its_share_of_the_way(films):
    for name in ("replicas", "replicas-faults"):
        for scene in encode.materialise(films[name]["frames"]["truth"]):
            for key, shape in scene.items():
                if shape["k"] == "group" and "fy" in shape and "gy" in shape:
                    assert shape["fy"] * shape["gy"] < 0, key


def test_a_row_keeps_its_place_for_the_whole_film(films):
    places = {}
    for scene in encode.materialise(films["replicas-faults"]["frames"]["truth"]):
        for broker in (1, 2, 3):
            if f"b{broker}" in scene:
                places.setdefault(broker, set()).add(scene[f"b{broker}"]["y"])
    assert all(len(ys) == 1 for ys in places.values()) and len(places) == 3


def test_a_message_that_is_lost_is_shown_once_and_named(films):
    says = [frame["say"] for frame in films["replicas-faults"]["frames"]["truth"]]
    assert any("the message is lost" in say for say in says)


def test_a_dead_broker_shows_what_its_disk_holds(films):
    scenes = encode.materialise(films["replicas-faults"]["frames"]["truth"])
    dead = [scene for scene in scenes if scene.get("b2/label", {}).get("t") == "crashed"]
    assert dead and all(any(key.startswith("b2/log/batch") for key in scene) for scene in dead)


def test_chapters_window_and_telling_frame():
    cluster = stories.one_produce()
    moved = cluster.why("orders-0@1", "high_watermark").event
    film = replica_view.data(cluster, "orders-0", since=5, upto=moved, telling=moved,
                             chapters=[(moved, "committed")])
    frames = film["frames"]["truth"]
    assert frames[0]["event"] >= 5 and frames[-1]["event"] == moved == film["telling"]
    assert film["chapters"] == [{"at_us": cluster.trace.event(moved).t_us, "title": "committed"}]


def test_two_futures_share_their_past_and_differ_after_the_fork():
    kept = stories.one_produce()
    fork = kept.why("producer-1#1", "partition").event
    kept, changed = kept.fork(at=fork)
    changed.kill(3)
    changed.run(ms=20)
    film = futures(replica_view, kept, changed, "orders-0", titles=("calm", "crash"),
                   compare={"mark": ("orders-0@1", "high_watermark")}, title=None, since=0)
    jsonschema.validate(film, SCHEMA)
    lanes = [frame.get("lane") for frame in film["frames"]["truth"]]
    shared = lanes.index(next(lane for lane in lanes if lane))
    assert set(lanes[shared:]) == {"A", "B"} and None not in lanes[shared:]
    assert film["frames"]["truth"][-1]["differs"] == [["mark", "1", "0"]]
    assert film["fork"]["difference_us"] >= film["fork"]["at_us"]


def test_two_equal_futures_have_no_difference():
    kept, changed = stories.one_produce().fork(at=10)
    twin = kept.again()
    film = futures(replica_view, kept, twin, "orders-0", titles=("a", "b"),
                   compare={"mark": ("orders-0@1", "high_watermark")}, title=None, since=0)
    assert film["fork"]["difference_us"] is None
    assert all("lane" not in frame for frame in film["frames"]["truth"])


def test_a_view_may_look_but_not_command():
    cluster = stories.one_produce()

    @view(str)
    def meddling(look: Look, subject: object, whose: Truth) -> Scene:
        cluster.run(ms=1)
        return Scene("")

    filmed = cluster.event
    with pytest.raises(BrokenRunException, match="a view has the floor"):
        cluster.film(meddling, "orders-0")
    assert cluster.event == filmed


def test_the_machine_is_lit_where_the_operation_stands(films):
    lit = [[key for key, shape in scene.items()
            if key.startswith("state/") and key.count("/") == 1 and "solid" in shape["c"].split()]
           for scene in encode.materialise(films["parked"]["frames"]["truth"])]
    assert [states for states in lit if states][:1] == [["state/WATCHED"]]
    assert lit[-1] == ["state/COMPLETED"]


def test_names_are_never_markup_for_graphviz():
    hostile = "<b>bold</b> \\N \"quoted\" & a label"
    diagram = layout(rows({(hostile, "<i>event</i>"): "end"}))
    assert set(diagram.states) == {hostile, "end"}
    assert diagram.edges[0].event == "<i>event</i>"
    assert "<b>" not in dot_of(rows({("a", "b"): "c"}))
