"""Placements as the controller has written them, and what a lost rack takes."""

import pytest

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.viz.placement import Left, placement, what_is_left

RACKS = {1: "a", 2: "a", 3: "b", 4: "b", 5: "c", 6: "c"}


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    cluster = Cluster(brokers=6, seed=7, racks=RACKS)
    cluster.create_topic("orders", 6, 3, {"min.insync.replicas": 2})
    cluster.create_topic("byhand", configs={"min.insync.replicas": 2},
                         replica_assignment={0: [1, 2], 1: [1, 3], 2: [3, 5]})
    return cluster


def test_the_striped_placer_leaves_two_of_three_replicas_whatever_rack_is_lost(cluster):
    for rack in "abc":
        for one in what_is_left(cluster, "orders", rack):
            assert one.replicas == cluster.look(f"{one.partition}@controller-100").replicas
            assert len(one.kept) == 2 and one.said == "2 of 3 left"
            assert all(RACKS[broker] != rack for broker in one.kept)


def test_a_placement_by_hand_may_lose_everything_in_one_rack(cluster):
    left = what_is_left(cluster, "byhand", "a")
    assert left == [Left("byhand-0", (1, 2), (), 2), Left("byhand-1", (1, 3), (3,), 2),
                    Left("byhand-2", (3, 5), (3, 5), 2)]
    assert [one.said for one in left] == ["all replicas lost", "1 left: acks=all is refused",
                                          "untouched"]


def test_the_model_agrees_brokers_of_a_lost_rack_take_what_the_picture_says(cluster):
    twin = cluster.again()
    for broker in (1, 2):
        twin.kill(broker)
    twin.run(ms=10_000)
    leaders = [twin.look(f"byhand-{number}@controller-100").leader for number in range(3)]
    assert leaders == [-1, 3, 3]


def test_the_figure_says_what_it_shows_and_is_the_same_every_time(cluster):
    chart = placement(cluster, "byhand", "a")
    assert repr(chart) == ("byhand: 3 partitions on 6 brokers, in racks a, b, c. Without rack a: "
                           "byhand-0 all replicas lost; byhand-1 1 left: acks=all is refused; "
                           "byhand-2 untouched.")
    assert chart.svg == placement(cluster, "byhand", "a").svg and len(chart.svg) < 20_000
    for text in ("broker 6", "rack a, lost", "all replicas lost", "thick: the preferred leader"):
        assert text in chart.svg
    assert repr(placement(cluster, "orders")).endswith(
        "No lost rack takes every replica of a partition.")


def test_brokers_without_racks_are_one_failure_domain():
    cluster = Cluster(seed=1)
    cluster.create_topic("orders", 2)
    assert repr(placement(cluster, "orders")) == (
        "orders: 2 partitions on 3 brokers, which name no rack. A lost rack takes every replica "
        "of a partition.")


def test_a_rack_that_is_not_there_is_refused_by_name(cluster):
    with pytest.raises(ValueError, match="no broker is in rack 'z'; racks are a, b, c"):
        placement(cluster, "orders", "z")
