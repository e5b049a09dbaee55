"""The film of a failover against the engine: every frame shows what was, and says what happened."""

import pytest

from kafka_internals.viz import encode
from kafka_internals.viz.replication_view import replication_view
from kafka_internals.viz.replication_words import epochs_in
from tests.viz import failovers, pictures

CONTROLLER = "orders-0@controller-100"
RUNS = ("parted_logs", "eligible", "lagging")


def watched(cluster, *subjects: str) -> dict[int, dict]:
    """Snapshots after each event, of one more execution of the run."""
    seen = {}

    def attach(run) -> None:
        run.world.after_event.append(lambda event: seen.setdefault(
            event, {name: run.look(name) for name in subjects}))
    cluster.again(prepare=attach).machine
    return seen


@pytest.mark.parametrize("run", RUNS)
def test_marks_roles_and_registrations_are_those_of_the_engine(run):
    cluster = getattr(failovers, run)()
    film = replication_view.data(cluster, "orders-0")
    replicas = [f"orders-0@{broker}" for broker in (1, 2, 3)]
    engine = watched(cluster, CONTROLLER, *replicas)
    for frame, scene in zip(film["frames"]["truth"], pictures.scenes(film)):
        now = engine[frame["event"]]
        wrote = now[CONTROLLER]
        shown = {head: scene[f"table/controller/{head}"]["t"]
                 for head in ("leader", "leader epoch", "ISR", "ELR")}
        assert shown == {"leader": "none" if wrote.leader < 0 else str(wrote.leader),
                         "leader epoch": str(wrote.leader_epoch),
                         "ISR": ", ".join(map(str, wrote.isr)) or "none",
                         "ELR": ", ".join(map(str, wrote.elr)) or "none"}
        for broker, name in enumerate(replicas, 1):
            if (one := now[name]) is None:
                continue
            assert scene[f"b{broker}/log/leo/text"]["t"] == f"LEO {one.log_end_offset}"
            assert scene[f"b{broker}/log/hw/text"]["t"] == f"HW {one.high_watermark}"
            filled = {int(key.rpartition("/")[2]) for key, shape in scene.items()
                      if key.startswith(f"b{broker}/log/batch/epoch") and shape["k"] == "rect"
                      and "committed" in shape["c"].split()}
            assert filled == {batch.base_offset for batch in one.batches
                              if batch.last_offset < one.high_watermark}


def _with(film: dict, part: str) -> list[tuple[str, dict]]:
    """(sentence, scene) of each frame that says this."""
    return [(frame["say"], scene) for frame, scene in
            zip(film["frames"]["truth"], pictures.scenes(film)) if part in frame["say"]]


def _look(scene: dict, key: str) -> set[str]:
    return set(scene[key]["c"].split())


def test_records_are_struck_while_the_answer_comes_and_gone_after_the_cut():
    film = replication_view.data(failovers.parted_logs(), "orders-0")
    (_, answered), *_ = _with(film, "Broker 2 sends broker 3 no records")
    assert {"doomed"} <= _look(answered, "b3/log/batch/epoch-1/3")
    assert "b3/log/batch/epoch-1/4/strike" in answered
    assert "committed" in _look(answered, "b3/log/batch/epoch-1/0")
    (say, cut), *_ = _with(film, "Broker 3 cuts its log")
    assert say == ("Broker 3 cuts its log at 3: offsets 3 to 4 are gone. That lay above its high "
                   "watermark, 3.")
    assert "b3/log/batch/epoch-1/3" not in cut and "b3/log/batch//4/strike" in cut
    after = pictures.scenes(film)[-1]
    assert "b3/log/batch//4" not in after and "b3/log/batch/epoch-2/3" in after


def test_fetches_say_their_offset_and_last_epoch_and_the_answer_where_logs_part():
    film = replication_view.data(failovers.parted_logs(), "orders-0")
    pills = {(scene[key]["t"], scene.get(key.removesuffix("text") + "below", {}).get("t"))
             for scene in pictures.scenes(film) for key in scene
             if key.startswith("m/") and key.endswith("/text")}
    assert {("fetch 0", "no epoch"), ("fetch 5", "epoch 0"), ("fetch 4", "epoch 1"),
            ("diverging", "epoch 0 ends at 3")} <= pills
    carried = {scene[key]["c"] for scene in pictures.scenes(film) for key in scene
               if "/carried/" in key}
    assert carried == {"mini epoch-1", "mini epoch-2"}


def test_a_dead_broker_is_not_a_fenced_one_and_a_fenced_one_is_not_dead():
    film = replication_view.data(failovers.parted_logs(), "orders-0")
    notes = [(scene["b1/label"]["t"], scene["b1/note"]["t"]) for scene in pictures.scenes(film)]
    told = list(dict.fromkeys(notes))
    assert told[:3] == [("leader", "in epoch 0"), ("crashed", "not fenced yet"),
                        ("crashed", "fenced")]
    assert ("fenced", "broker 1") in told and ("follower", "broker 1") in told
    fenced = next(scene for scene in pictures.scenes(film) if scene["b1/label"]["t"] == "fenced")
    assert "b1/fence/22" in fenced and "b1/dead" not in fenced


def test_the_election_says_who_was_passed_over_and_its_why_has_the_rule():
    cluster = failovers.parted_logs()
    film = replication_view.data(cluster, "orders-0")
    (say, scene), = _with(film, "elects")
    assert say == ("The controller elects broker 2 for orders-0: leader epoch 1, ISR 2, 3. Passed "
                   "over: broker 1 is not in the ISR.")
    assert scene["table/controller/leader"]["a"] == [CONTROLLER, "leader"]
    rules = [row[5] for row in film["changes"] if row[1:3] == [CONTROLLER, "leader"]]
    assert "ONLINE election in replica order: 1 is not in the ISR, 2 leads" in rules[-1]


def test_rails_join_only_neighbours_and_the_elr_is_dashed():
    film = replication_view.data(failovers.eligible(), "orders-0")
    scenes = pictures.scenes(film)
    alone = [scene for scene in scenes if scene["table/controller/ELR"]["t"] == "2"]
    assert alone and all("elr" in _look(scene, "ELR/2") and "ISR/1" in scene for scene in alone)
    gone = [scene for scene in scenes if scene["table/controller/leader"]["t"] == "none"]
    assert gone and all(key not in scene for scene in gone for key in ("ISR/1", "ISR/2"))


def test_a_leader_without_a_word_of_the_controller_waits_for_all_who_may_be_in_sync():
    film = replication_view.data(failovers.lagging(), "orders-0")
    assert _with(film, "asks the controller to take broker 3 out")
    leaving, = {scene["b3/note"]["t"] for _, scene in _with(film, "to take broker 3 out")}
    assert leaving == "about to leave"
    joining = [scene for _, scene in _with(film, "asks the controller to let broker 3")]
    assert joining[0]["b3/note"]["t"] == "about to join"
    assert joining[0]["table/broker 1/maximal ISR"]["t"] == "1, 2, 3"
    assert joining[0]["table/controller/ISR"]["t"] == "1, 2"


def test_a_belief_knows_nothing_of_the_controller_and_little_of_others():
    film = replication_view.data(failovers.parted_logs(), "orders-0", beliefs=[3])
    for scene in encode.materialise(film["frames"]["broker-3"]):
        assert not any(key.startswith("table/controller") for key in scene)
        assert not any(key.startswith("b2/log/batch") for key in scene)


def test_the_epochs_of_stored_batches_are_read_from_their_heads():
    cluster = failovers.parted_logs()
    log = cluster.machine.brokers[2].manager.partitions[cluster.partition_named("orders-0")].log
    stored = log.read(0, 1 << 20, log.log_end_offset).records
    assert epochs_in(bytes(stored)) == [0, 1]
    assert epochs_in(b"") == []
