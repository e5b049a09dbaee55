"""The states of a partition: lit where the engine stands, drawn from the table that runs."""

import pytest

from kafka_internals.server.partition_state import TRANSITIONS
from kafka_internals.viz.isr_view import isr_view, merged
from tests.viz import failovers, pictures
from tests.viz.test_replication_view import CONTROLLER, watched


def _lit(scene: dict, what: str) -> list[str]:
    looks = {"solid", "dangerwash"}
    return [key.removeprefix(f"{what}/") for key, shape in scene.items() if shape["k"] == "rect"
            and key.startswith(f"{what}/") and looks & set(shape["c"].split())]


@pytest.mark.parametrize("run", ("lagging", "eligible", "parted_logs"))
def test_what_is_lit_is_what_was(run):
    cluster = getattr(failovers, run)()
    film = isr_view.data(cluster, "orders-0")
    engine = watched(cluster, CONTROLLER, "orders-0@1", "orders-0@2", "orders-0@3")
    for frame, scene in zip(film["frames"]["truth"], pictures.scenes(film)):
        wrote, *replicas = engine[frame["event"]].values()
        assert _lit(scene, "service") == ["ONLINE" if wrote.leader >= 0 else "OFFLINE"]
        leaders = [one for one in replicas if one is not None and one.role == "leader"]
        newest = max(leaders, key=lambda one: one.leader_epoch, default=None)
        assert _lit(scene, "state") == ([] if newest is None else [newest.isr_state])


def test_a_film_of_a_slow_follower_passes_both_pending_states():
    film = isr_view.data(failovers.lagging(), "orders-0")
    states = [lit for scene in pictures.scenes(film) for lit in _lit(scene, "state")]
    assert list(dict.fromkeys(states)) == ["COMMITTED", "PENDING SHRINK", "PENDING EXPAND"]
    assert states[0] == states[-1] == "COMMITTED"
    taken = [shape["t"] for scene in pictures.scenes(film) for key, shape in scene.items()
             if key.endswith("/label") and "w7" in shape["c"].split()]
    assert {"follower lags", "follower caught up"} <= set(taken)


def test_arrows_between_the_same_states_are_one_and_no_event_is_left_out():
    rows = merged(TRANSITIONS)
    assert len({(state, end) for state, _, end in rows}) == len(rows)
    assert {(state, event): end for state, told, end in rows for event in told.split(", ")} \
        == TRANSITIONS
