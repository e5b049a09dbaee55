"""A scene is keyed shapes in Kafka's words: what it refuses, what its legend says, how it moves."""

import pytest

from kafka_internals.viz.canvas import Canvas
from kafka_internals.viz.scene import Scene, legend_of, together
from kafka_internals.viz.theme import NODE_SHAPES, known_words
from tests.viz import films

TONES = ("epoch", "key", "member", "txn", "kind", "group", "region", "produce", "fetch", "control")
PLAIN_WORDS = {"group", "request", "leader", "follower"}    # the look without more: hollow, plain


def test_every_helper_draws_only_looks_that_the_stylesheet_knows():
    used = {word for shape in films.gallery().shapes.values() for word in shape["c"].split()}
    used -= {word for word in used if word.rpartition("-")[0] in TONES or word in TONES}
    assert used - known_words() <= PLAIN_WORDS


def test_every_public_helper_is_in_the_gallery(monkeypatch):
    called = set()
    no_helpers = "caption", "means", "legend", "part"
    helpers = [name for name in dir(Scene) if not name.startswith("_")
               and callable(getattr(Scene, name)) and name not in no_helpers]
    for name in helpers:
        def spy(self, *given, _name=name, _real=getattr(Scene, name), **more):
            called.add(_name)
            return _real(self, *given, **more)
        monkeypatch.setattr(Scene, name, spy)
    films.gallery()
    assert sorted(called) == sorted(helpers)


def test_a_key_is_given_once():
    scene = Scene()
    scene.text("a", 0, 0, "one")
    with pytest.raises(ValueError, match="two shapes are called 'a'"):
        scene.text("a", 0, 0, "two")


def _one_batch(scene, offset, tone):
    details = {"title": f"offset {offset}", "where": "log", "fields": []}
    scene.means(f"chip {tone}", "a word of its own")
    scene.log("log", 100, 100).batch(offset, offset, tone, inspect=details)


def test_a_part_is_drawn_anew_only_where_its_arguments_changed():
    kept, scenes = {}, [Scene("leader epoch") for _ in range(4)]
    for scene, offset in zip(scenes, (1, 1, 2, 1), strict=True):
        scene.part(kept, "the log", _one_batch, offset, "epoch-3")
    plain = Scene("leader epoch")
    _one_batch(plain, 1, "epoch-3")
    key = "log/batch/epoch-3/1"
    assert scenes[1].shapes[key] is scenes[0].shapes[key] is not scenes[3].shapes[key]
    assert key not in scenes[2].shapes
    for scene in (scenes[0], scenes[1], scenes[3]):
        assert (scene.shapes, scene.details, scene.legend()) == \
            (plain.shapes, plain.details, plain.legend())


def test_a_part_takes_no_key_that_is_taken():
    scene = Scene()
    scene.part({}, "one", _one_batch, 1, "epoch-1")
    with pytest.raises(ValueError, match="part 'two' has shapes.*log/batch/epoch-1/1"):
        scene.part({}, "two", _one_batch, 1, "epoch-1")


def test_what_no_shape_knows_is_refused():
    with pytest.raises(ValueError, match="width"):
        Scene().rect("a", 0, 0, 1, 1, "box", width=3)
    with pytest.raises(ValueError, match="title, where and fields"):
        Scene().rect("a", 0, 0, 1, 1, "box", inspect={"title": "a"})


def test_the_seventh_tone_takes_the_first_colour_and_keeps_its_word():
    scene = Scene("leader epoch")
    log = scene.log("log", 100, 100)
    log.batch(0, 0, "epoch-1")
    log.batch(1, 1, "epoch-7", "uncommitted")
    assert scene.shapes["log/batch/epoch-7/1"]["c"] == "batch epoch-1 uncommitted"
    assert scene.legend() == [["batch epoch-1 committed", "1"], ["batch epoch-1 committed", "7"],
                              ["batch uncommitted", "not committed"]]


def test_a_legend_is_one_for_all_scenes_and_takes_the_words_given():
    one, two = Scene(words={"member-2": "B"}), Scene()
    two.node("a", 0, 0, "A", "toned", tone="member-10", shape="member")
    one.node("b", 0, 0, "B", "toned", tone="member-2", shape="member")
    two.token("t", 0, 0, "#1", "fetch")
    assert [word for _, word in legend_of([two, one])] == ["fetch", "B", "10"]


def test_details_are_kept_once_by_content():
    about = {"title": "Record", "where": "orders-0", "fields": [["offset", "3"]]}
    scene = Scene()
    scene.rect("a", 0, 0, 1, 1, "box", inspect=about)
    scene.rect("b", 0, 0, 1, 1, "box", inspect=dict(about))
    assert scene.shapes["a"]["i"] == scene.shapes["b"]["i"]
    assert list(scene.details.values()) == [about]
    assert scene.shapes["a"]["n"] == "Record"


def test_a_message_moves_as_one_group_from_sender_into_receiver():
    scene = Scene()
    scene.message("m", "request", "fetch 3", ((0, 100), (200, 100)), share=0.25, ident="#42")
    group = scene.shapes["m"]
    assert (group["k"], group["x"], group["y"]) == ("group", 50, 100)
    assert (group["x"] + group["fx"], group["x"] + group["gx"]) == (0, 200)
    inside = [s for key, s in scene.shapes.items() if key.startswith("m/") and key != "m/track"]
    assert inside and all(s["g"] == "m" for s in inside)
    assert "g" not in scene.shapes["m/track"]


def test_a_lost_message_goes_nowhere_and_ends_in_a_cross():
    scene = Scene()
    scene.message("m", "lost", "ack", ((0, 0), (0, 90)))
    assert "gx" not in scene.shapes["m"]
    assert scene.shapes["m/cross"]["y"] == 90


@pytest.mark.parametrize("end, toward", [
    ((100, 0), "M0-6 8 0 0 6z"), ((-100, 0), "M0-6-8 0 0 6z"),
    ((0, 100), "M-6 0 0 8 6 0z"), ((0, -100), "M-6 0 0-8 6 0z")])
def test_the_nose_is_on_the_side_it_goes_to(end, toward):
    scene = Scene()
    scene.message("m", "request", "fetch", ((0, 0), end))
    assert scene.shapes["m/nose"]["d"] == toward


def test_offsets_give_way_to_one_label_where_they_have_no_room():
    wide, narrow = Scene(), Scene()
    wide.log("log", 100, 100, end=4, cell=40).batch(0, 3, "epoch-1")
    narrow.log("log", 100, 100, end=40, cell=10).batch(0, 9, "epoch-1")

    def texts(scene: Canvas):
        return [shape["t"] for shape in scene.shapes.values() if shape["k"] == "text"]
    assert texts(wide) == ["0", "1", "2", "3"]
    assert texts(narrow) == ["0–9"]


def test_two_flags_that_would_touch_stand_above_each_other():
    scene = Scene()
    log = scene.log("log", 100, 100, end=10, cell=20)
    log.high_watermark(5)
    log.last_stable_offset(4)
    tabs = [scene.shapes[f"log/{name}/tab"] for name in ("hw", "lso")]
    assert tabs[1]["y"] + tabs[1]["h"] < tabs[0]["y"]


def test_a_dead_log_is_a_ghost_and_its_flag_is_hollow():
    scene = Scene()
    log = scene.log("log", 100, 100, dead=True)
    log.batch(0, 0, "epoch-1")
    log.batch(1, 1, "epoch-1", "uncommitted")
    log.high_watermark(1)
    assert [scene.shapes[f"log/batch/epoch-1/{n}"]["c"].split()[-1] for n in (0, 1)] == [
        "stale", "ghost"]
    assert scene.shapes["log/hw"]["c"] == "hw old"


def test_two_futures_share_no_key_and_keep_their_groups():
    one, two = Scene(size=(410, 300)), Scene(size=(410, 300))
    for scene in (one, two):
        scene.message("m", "request", "send", ((0, 0), (100, 0)))
    both = together(one, two)
    assert both.shapes["a/m/pill"]["g"] == "a/m" and "st" not in both.shapes["a/m"]
    assert both.shapes["b/m/pill"]["g"] == "b/m" and both.shapes["b/m"]["st"] == 1


def test_numbers_are_short():
    scene = Scene()
    scene.rect("a", 1 / 3, 2.0, 1, 1, "box")
    assert (scene.shapes["a"]["x"], scene.shapes["a"]["y"]) == (0.3, 2)
    assert isinstance(scene.shapes["a"]["y"], int)


def test_controllers_and_clients_have_their_own_outline():
    shapes = films.gallery().shapes
    assert shapes["node/4"]["d"] == NODE_SHAPES["controller"]
    assert shapes["client"]["d"] == NODE_SHAPES["client"]
