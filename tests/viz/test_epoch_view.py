"""Leader epoch caches as they lie on the disks, and the row that answers a fetch."""

import pytest

from kafka_internals.viz.epoch_view import epoch_view
from tests.viz import failovers, pictures


@pytest.mark.parametrize("run", ("parted_logs", "three_epochs"))
def test_every_frame_has_the_rows_of_the_files(run):
    cluster, seen = getattr(failovers, run)(), {}
    partition = cluster.partition_named("orders-0")

    def attach(machine) -> None:
        machine.world.after_event.append(lambda event: seen.setdefault(
            event, {broker: machine.epochs(partition, broker) for broker in machine.brokers}))
    cluster.again(prepare=attach).machine
    film = epoch_view.data(cluster, "orders-0")
    for frame, scene in zip(film["frames"]["truth"], pictures.scenes(film)):
        for broker, entries in seen[frame["event"]].items():
            rows = [(scene[key]["t"], scene[f"{key}/start"]["t"]) for key in scene
                    if key.startswith(f"b{broker}/row/") and key.count("/") == 2]
            assert rows == [(str(epoch), str(start)) for epoch, start in entries]


def _rings(film: dict, part: str) -> dict[str, tuple[str, str]]:
    """What is ringed in the first frame that says this: {row: the words under the file}."""
    scene = next(scene for frame, scene in zip(film["frames"]["truth"], pictures.scenes(film))
                 if part in frame["say"])
    found = {}
    for key in (key for key in scene if key.endswith("/ring")):
        row, = (row for row, shape in scene.items() if row.startswith(f"{key[:2]}/row/")
                and row.count("/") == 2 and 0 < shape["y"] - scene[key]["y"] < scene[key]["h"])
        found[row] = scene[f"{key[:2]}/told"]["t"]
    return found


def test_the_row_of_the_answer_is_ringed_while_a_follower_is_to_cut():
    film = epoch_view.data(failovers.parted_logs(), "orders-0")
    assert _rings(film, "Broker 3 asks broker 2: fetch orders-0 at 5") == {
        "b3/row/0": "asks from 5"}
    assert _rings(film, "Broker 2 sends broker 3 no records") == {
        "b2/row/0": "answers: ends at 3"}
    assert _rings(film, "Broker 3 cuts its log at 3") == {}


def test_three_logs_that_part_have_three_files():
    film = epoch_view.data(failovers.three_epochs(), "orders-0")
    files = {tuple(sorted(key for key in scene if "/row/" in key and key.count("/") == 2))
             for scene in pictures.scenes(film)}
    assert ("b1/row/0", "b2/row/0", "b2/row/1", "b3/row/0", "b3/row/2") in files
    assert ("b1/row/0", "b1/row/2", "b2/row/0", "b2/row/2", "b3/row/0", "b3/row/2") in files


def test_a_believer_does_not_know_the_files_of_others():
    film = epoch_view.data(failovers.parted_logs(), "orders-0", beliefs=[3])
    for shapes in map(set, pictures.encode.materialise(film["frames"]["broker-3"])):
        assert {"b1/unknown", "b2/unknown"} <= shapes and "b3/unknown" not in shapes
