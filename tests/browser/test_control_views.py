"""The views of replication and control in a real browser: nothing overlaps, leaves or jumps."""

import pytest

from kafka_internals.viz.futures import two_futures
from kafka_internals.viz.replication_view import replication_view
from tests.browser import overlap
from tests.viz import failovers

FILMED = {name: rest for name, *rest in failovers.filmed()}


@pytest.mark.parametrize("name", FILMED)
def test_nothing_overlaps_in_any_frame(view, tmp_path, name):
    drawn, cluster, subject, options = FILMED[name]
    page = drawn.film(cluster, subject, **options).save(tmp_path / "film.html")
    assert overlap.check(view(reduced_motion="reduce"), page) == []


def test_a_belief_is_drawn_as_cleanly_as_the_truth(view, tmp_path):
    drawn, cluster, subject, options = FILMED["parted logs"]
    page = drawn.film(cluster, subject, **options).save(tmp_path / "belief.html")
    assert overlap.check(view(reduced_motion="reduce"), page, whose="broker-3") == []


def test_two_futures_of_a_failover_stand_side_by_side(view, tmp_path):
    kept = failovers.parted_logs()
    kept, changed = kept.fork(at=kept.began + 60)
    changed.power_loss(3)
    changed.run(ms=9_600)
    page = two_futures(replication_view, kept, changed, "orders-0", titles=("kept", "no power"),
                       compare={"leader": ("orders-0@controller-100", "leader")}
                       ).save(tmp_path / "futures.html")
    assert overlap.check(view(reduced_motion="reduce"), page) == []
