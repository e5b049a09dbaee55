"""Every view of the engine in a real browser: nothing overlaps, leaves its stage or jumps."""

import pytest

from kafka_internals.viz.futures import two_futures
from kafka_internals.viz.replica_view import replica_view
from tests.browser import overlap
from tests.viz import stories

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
