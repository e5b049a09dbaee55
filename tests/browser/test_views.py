"""Every view of the engine in a real browser: nothing overlaps, leaves its stage or jumps."""

import functools
from collections import Counter

import pytest

from kafka_internals.storage.log_directory import LogDirectory
from kafka_internals.tools.log_directory_page import log_directory_page
from kafka_internals.viz import encode
from kafka_internals.viz.futures import two_futures
from kafka_internals.viz.player import Player
from kafka_internals.viz.replica_view import replica_view
from kafka_internals.viz.segment_view import segment_view
from tests.browser import overlap
from tests.storage.brokers import GIVEN, Broker
from tests.viz import stories, test_byte_view, test_segment_view

COUNT = """() => [...document.querySelectorAll('.ki-stage :is(rect, circle, line, path, text)')]
  .filter(e => !e.matches('.ki-highlight'))
  .reduce((all, e) => ({ ...all, [e.tagName]: (all[e.tagName] ?? 0) + 1 }), {})"""
FILMED = {name: rest for name, *rest in stories.filmed()}


@functools.cache
def filmed(name: str) -> dict:
    drawn, cluster, subject, options = FILMED[name]
    return drawn.data(cluster, subject, **options)


@pytest.mark.parametrize("name", FILMED)
def test_nothing_overlaps_in_any_frame(view, tmp_path, name):
    page = Player(filmed(name)).save(tmp_path / f"{name}.html")
    assert overlap.check(view(reduced_motion="reduce"), page) == []


def test_a_belief_is_drawn_as_cleanly_as_the_truth(view, tmp_path):
    page = Player(filmed("replicas")).save(tmp_path / "belief.html")
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
    film = filmed(name)
    scene = encode.materialise(film["frames"]["truth"])[-1]
    opened = view(reduced_motion="reduce")
    player = opened.open_file(Player(film).save(tmp_path / "film.html"))
    keys = ["Home"] + ["ArrowRight"] * (len(film["frames"]["truth"]) - 1)
    assert player.evaluate(overlap.PRESS, keys) == [str(step) for step in range(len(keys))]
    counted = opened.page.evaluate(COUNT)
    assert counted == Counter(s["k"] for s in scene.values() if s["k"] != "group")


BYTES = ("a batch", "a change", "an index")
SEGMENTS = ("in a large log", "in the middle of many", "with a long scan")


@pytest.mark.parametrize("name", BYTES + SEGMENTS)
def test_bytes_and_segments_can_be_read_at_every_width(view, tmp_path, name):
    player = test_byte_view.VIEWS[name]() if name in BYTES else \
        segment_view(test_segment_view.VIEWS[name]())
    page = player.save(tmp_path / "still.html")
    assert overlap.check(view(reduced_motion="reduce"), page) == []


def test_a_log_directorys_page_plays_the_lookup_and_opens_its_files(view, tmp_path):
    root = LogDirectory.export(Broker().disk, tmp_path / "broker-1", configs=GIVEN)
    (tmp_path / "page.html").write_text(log_directory_page(root), encoding="utf-8")
    opened = view(reduced_motion="reduce")
    player = opened.open_file(tmp_path / "page.html")
    player.focus()
    opened.page.keyboard.press("Home")
    opened.at(0)
    assert "Offset 12 is asked for" in player.locator(".ki-caption").inner_text()
    assert opened.page.locator(".ki-player[data-step]").count() == 1    # what is folded waits
    opened.page.locator("summary", has_text=".snapshot").first.click()
    shown = opened.page.locator("details[open] details[open] .ki-player[data-step]")
    shown.locator("text", has_text="producer_epoch").first.wait_for()
    shown.get_by_role("button", name="crc, byte 2").click()
    assert "CRC-32C of every byte" in shown.locator(".ki-panel-body").inner_text()
    opened.clean()
