"""The membership panel against the controller: registrations, sessions, and who was passed over."""

import pytest

from kafka_internals.viz.membership_view import membership_view
from tests.viz import failovers, pictures
from tests.viz.test_replication_view import CONTROLLER, watched

BROKERS = [f"broker-{broker}@controller-100" for broker in (1, 2, 3)]


@pytest.mark.parametrize("run", ("parted_logs", "eligible", "handed_over"))
def test_every_frame_has_what_the_controller_had(run):
    cluster = getattr(failovers, run)()
    film = membership_view.data(cluster, "orders-0")
    engine = watched(cluster, CONTROLLER, *BROKERS, "broker-1", "broker-2", "broker-3")
    for frame, scene in zip(film["frames"]["truth"], pictures.scenes(film)):
        now = engine[frame["event"]]
        for broker, subject in enumerate(BROKERS, 1):
            one = now[subject]
            flag = "in_controlled_shutdown" if one.in_controlled_shutdown else "fenced"
            word = "in controlled shutdown" if one.in_controlled_shutdown else \
                "fenced" if one.fenced else "unfenced"
            assert scene[f"b{broker}/{flag}"]["t"] == word
            assert scene[f"b{broker}/epoch"]["t"] == str(one.epoch)
            assert one.incarnation_id.startswith(scene[f"b{broker}/incarnation_id"]["t"][:-1])
            assert scene[f"b{broker}/process"]["t"] == now[f"broker-{broker}"].state
            assert (f"b{broker}/fence/22" in scene) == one.fenced
        wrote = now[CONTROLLER]
        assert scene["partition/isr"]["t"] == (", ".join(map(str, wrote.isr)) or "none")
        assert scene["partition/partition_epoch"]["t"] == str(wrote.partition_epoch)


def _first(film: dict, part: str) -> dict:
    return next(scene for frame, scene in zip(film["frames"]["truth"], pictures.scenes(film))
                if part in frame["say"])


def test_between_death_and_fence_lies_a_session():
    film = membership_view.data(failovers.parted_logs(), "orders-0")
    dead = _first(film, "Broker 1 is crashed now. The controller does not know that yet.")
    assert (dead["b1/process"]["t"], dead["b1/fenced"]["t"]) == ("crashed", "unfenced")
    assert "b1/session" in dead
    fenced = _first(film, "elects broker 2")
    assert (fenced["b1/fenced"]["t"], fenced["b1/contact_ms"]["t"]) == ("fenced", "none")
    assert "b1/session" not in fenced


def test_a_broker_that_stops_says_so_and_one_that_returns_is_another_process():
    film = membership_view.data(failovers.handed_over(), "orders-0")
    leaving = [scene for scene in pictures.scenes(film) if "b1/in_controlled_shutdown" in scene]
    assert leaving and leaving[-1]["election/2/label"]["t"] == "leads"
    film = membership_view.data(failovers.eligible(), "orders-0")
    says = [frame["say"] for frame in film["frames"]["truth"]]
    assert "Broker 3 goes from RUNNING to PENDING_CONTROLLED_SHUTDOWN." in says
    assert any(say.startswith("Another process registers as broker 2: broker epoch ")
               for say in says)
    names = {scene["b2/incarnation_id"]["t"] for scene in pictures.scenes(film)}
    assert len(names) == 2


def test_the_last_election_names_each_candidate_in_its_order():
    film = membership_view.data(failovers.eligible(), "orders-0")
    nobody = _first(film, "The controller finds nobody who may lead orders-0")
    assert nobody["election/nobody"]["t"] == "nobody is left"
    assert nobody["election/2/label"]["t"] == "is not in service"
    elected = _first(film, "elects broker 2 for orders-0: leader epoch 2, ISR 2, ELR 1")
    assert elected["election"]["t"].startswith("ONLINE election at 10.417 s")
    assert elected["election/1/label"]["t"] == "is not in service"
    assert elected["election/2/label"]["t"] == "leads"
    assert "leader" in elected["election/2"]["c"].split()
