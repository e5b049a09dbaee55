"""Every view of the engine in a real browser: nothing overlaps, leaves its stage or jumps."""

from collections import Counter

import pytest

from kafka_internals.viz import encode
from kafka_internals.viz.futures import two_futures
from kafka_internals.viz.player import Player
from kafka_internals.viz.replica_view import replica_view
from tests.browser import overlap
from tests.viz import stories

COUNT = """() => [...document.querySelectorAll('.ki-stage :is(rect, circle, line, path, text)')]
  .filter(e => !e.matches('.ki-highlight'))
  .reduce((all, e) => ({ ...all, [e.tagName]: (all[e.tagName] ?? 0) + 1 }), {})"""
FILMED = {name: rest for name, *rest in stories.filmed()}


@pytest.mark.parametrize("name", FILMED)
def test_nothing_overlaps_in_any_frame(view, tmp_path, name):
    drawn, cluster, subject, options = FILMED[name]
    page = drawn.film(cluster, subject, **options).save(tmp_path / f"{name}.html")
    assert overlap.check(view(reduced_motion="reduce"), page) == []


def test_a_belief_is_drawn_as_cleanly_as_the_truth(view, tmp_path):
    drawn, cluster, subject, options = FILMED["replicas"]
    page = drawn.film(cluster, subject, **options).save(tmp_path / "belief.html")
    assert overlap.check(view(reduced_motion="reduce"), page, whose="broker-1") == []


def test_two_real_futures_stand_side_by_side(view, tmp_path):
    kept = stories.one_produce()
    kept, changed = kept.fork(at=kept.why("producer-1#1", "partition").event)
    changed.kill(3)
    changed.run(ms=20)
    player = two_futures(replica_view, kept, changed, "orders-0", titles=("calm", "crash"),
                         compare={"high watermark": ("orders-0@1", "high_watermark")})
    page = player.save(tmp_path / "futures.html")
    assert overlap.check(view(reduced_motion="reduce"), page) == []


@pytest.mark.parametrize("name", FILMED)
def test_after_stepping_to_the_end_the_page_has_every_shape_of_the_scene(view, tmp_path, name):
    drawn, cluster, subject, options = FILMED[name]
    film = drawn.data(cluster, subject, **options)
    scene = encode.materialise(film["frames"]["truth"])[-1]
    opened = view(reduced_motion="reduce")
    player = opened.open_file(Player(film).save(tmp_path / "film.html"))
    player.focus()
    opened.page.keyboard.press("Home")
    opened.at(0)
    for step in range(1, len(film["frames"]["truth"])):
        opened.page.keyboard.press("ArrowRight")
        opened.at(step)
    counted = opened.page.evaluate(COUNT)
    assert counted == Counter(s["k"] for s in scene.values() if s["k"] != "group")
