"""Forks that the player asks for: what is offered, both films, refusals, and the way back."""

import jsonschema
import pytest

from kafka_internals.viz import encode
from kafka_internals.viz.membership_view import membership_view
from kafka_internals.viz.replication_view import replication_view
from kafka_internals.viz.strips_view import strips_view
from tests.viz import failovers, pictures
from tests.viz.test_views import SCHEMA


class Asked:
    """A player, and what it told its page."""

    def __init__(self, view=replication_view, cluster=None, **options) -> None:
        self.cluster = cluster or failovers.parted_logs()
        self.player, self.told = view.film(self.cluster, "orders-0", **options), []
        self.player.send = self.told.append

    def fork(self, event: int, change: str, longer_ms: int = 0) -> dict:
        self.player.hear({"event": event, "change": change, "longer_ms": longer_ms})
        return self.player.source


def test_each_change_that_is_offered_makes_a_film_of_two_futures():
    asked = Asked()
    offered = dict(asked.player.forks["changes"])
    assert {"nothing", "leader", "kill-1", "pause-2", "alone-3", "link-1-2", "lose"} <= set(offered)
    for change, label in offered.items():
        film = asked.fork(99, change)
        assert asked.told == [] and film["fork"]["titles"] == ["as it was", label]
        assert pictures.unreadable(film) == []
        asked.player.hear({"back": 99})


def test_nothing_changed_is_no_difference():
    film = Asked().fork(99, "nothing", 1_000)
    assert film["fork"]["difference_us"] is None
    assert all("lane" not in frame for frame in film["frames"]["truth"])


def test_the_changed_future_gets_what_was_commanded_later():
    film = Asked().fork(60, "kill-3")
    commands = [row[5] for row in film["events"] if row[6:] == ["B"]]
    assert "broker 3 is killed" in commands and "broker 1 is killed" in commands
    assert "broker 1 is started again" in commands


def test_a_leader_killed_twice_is_killed_once_and_named_by_its_role():
    asked = Asked()
    film = asked.fork(60, "leader")
    killed = [row[5] for row in film["events"] if row[5] == "broker 1 is killed"]
    assert len(killed) == 2                       # in A later, in B now: there not again
    assert asked.player.forks == {"back": 60}


def test_a_fork_begins_where_both_are_one_and_the_way_back_leads_there():
    asked = Asked()
    before = encode.digest(asked.player.source)
    film = asked.fork(99, "kill-3", 1_000)
    index = encode.telling(film)
    assert "lane" not in film["frames"]["truth"][index]
    assert film["frames"]["truth"][index + 1]["lane"] in "AB"
    asked.player.hear({"back": 99})
    assert encode.digest(asked.player.source) == before
    assert asked.player.card["event"] == 99 and asked.player.forks["changes"]


@pytest.mark.parametrize("event, change, said", [
    (330, "kill-1", "kill(1): broker 1 is crashed; restart(1) first"),
    (99, "explode", "'explode' for 0 ms longer was not offered"),
    (10 ** 6, "kill-1", "this run has events 1 to")])
def test_what_makes_no_sense_is_refused_and_the_film_stays(event, change, said):
    asked = Asked()
    before = asked.player.source
    assert asked.fork(event, change) is before
    assert said in asked.told[0]["failed"]


def test_a_partition_without_a_leader_has_none_to_kill():
    asked = Asked(cluster=failovers.eligible())
    asked.fork(185, "leader")
    assert "nobody leads orders-0 at this moment" in asked.told[0]["failed"]


def test_a_fork_is_of_the_run_that_was_filmed_not_of_what_came_later():
    cluster = failovers.parted_logs().again()
    asked = Asked(cluster=cluster)
    end = cluster.event
    cluster.kill(2)
    cluster.run(ms=50)
    film = asked.fork(end, "kill-3")
    assert "broker 2 is killed" not in [row[5] for row in film["events"]]


def test_a_view_of_a_topic_is_forked_and_compares_its_brokers():
    cluster = failovers.handed_over()
    player, told = strips_view.film(cluster, "orders"), []
    player.send = told.append
    assert "leader" not in dict(player.forks["changes"])
    player.hear({"event": cluster.began + 20, "change": "kill-2", "longer_ms": 0})
    assert told == []
    assert player.source["frames"]["truth"][-1]["differs"][1] == ["broker 2", "running", "crashed"]


def test_only_views_that_can_draw_for_half_a_stage_are_forked():
    asked = Asked(view=membership_view)
    assert asked.player.forks == {}
    asked.fork(99, "nothing")
    assert asked.told == [{"failed": "ValueError: this film cannot be forked"}]


def test_a_film_of_a_fork_keeps_the_format():
    film = Asked().fork(99, "kill-3", 1_000)
    jsonschema.validate(film, SCHEMA)
    assert len(encode.pack(film)) <= 300_000
