"""StripedReplicaPlacer against Kafka's own placements, and what it promises for any cluster."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafka_internals.controller.striped_replica_placer import (
    StripedReplicaPlacer,
    UsableBroker,
    hash_map_order,
)
from kafka_internals.errors import InvalidReplicationFactorException
from tests.golden.cases import json_lines

VECTORS = json_lines("cluster/placement/vectors.jsonl")
RACKS = ("A", "B", "C")


class JavaRandom:
    """java.util.Random: a linear congruential generator of 48 bits."""

    def __init__(self, seed: int) -> None:
        self._state = (seed ^ 0x5DEECE66D) & (1 << 48) - 1

    def _next(self, bits: int) -> int:
        self._state = self._state * 0x5DEECE66D + 0xB & (1 << 48) - 1
        return self._state >> 48 - bits

    def next_int(self, bound: int) -> int:
        drawn = self._next(31)
        if bound & bound - 1 == 0:
            return bound * drawn >> 31
        while drawn - drawn % bound + bound - 1 >= 1 << 31:
            drawn = self._next(31)
        return drawn % bound


def starts_at_zero(n: int) -> int:
    return 0


def brokers(*racks: tuple[str | None, int], fenced: tuple[int, ...] = ()) -> list[UsableBroker]:
    """(rack, how many) of each, numbered through."""
    names = [rack for rack, count in racks for _ in range(count)]
    return [UsableBroker(number, rack, number in fenced) for number, rack in enumerate(names)]


def placed(cluster: list[UsableBroker], partitions: int, replicas: int, draw=starts_at_zero):
    return [list(one) for one in StripedReplicaPlacer(draw).place(cluster, partitions, replicas)]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda one: one.get("note") or str(one["seed"]))
def test_kafkas_placements_with_kafkas_luck(vector):
    placer = StripedReplicaPlacer(JavaRandom(vector["seed"]).next_int)
    cluster = [UsableBroker(*broker) for broker in vector["brokers"]]
    for call in vector["calls"]:
        asked = (cluster, call["numPartitions"], call["numReplicas"])
        if "message" in call:
            with pytest.raises(InvalidReplicationFactorException) as refused:
                placer.place(*asked)
            assert str(refused.value) == call["message"]
        else:
            assert placer.place(*asked) == tuple(map(tuple, call["replicas"]))


def test_all_vectors_are_there():
    assert (len(VECTORS), sum(len(one["calls"]) for one in VECTORS)) == (211, 410)


def test_b_g21_a_fenced_broker_gets_replicas_but_is_never_first():
    cluster = brokers((None, 3), fenced=(1,))
    assert placed(cluster, 2, 3) == [[0, 2, 1], [2, 0, 1]]
    with pytest.raises(InvalidReplicationFactorException, match="only 3 broker"):
        placed(cluster, 1, 4)


def test_b_g22_partitions_are_laid_over_racks_in_stripes():
    three = [UsableBroker(10 * rack + number, RACKS[rack])
             for rack in range(3) for number in range(3)]
    assert placed(three, 3, 3) == [[0, 10, 20], [11, 21, 1], [22, 2, 12]]
    assert placed(brokers((None, 5)), 5, 3) == [
        [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 0], [4, 0, 1]]
    two = brokers(("A", 2), ("B", 2))
    assert placed(two, 4, 2) == [[0, 2], [3, 1], [0, 2], [3, 1]]
    assert placed(two, 1, 3) == [[0, 2, 1]]


DRAWS = st.integers(0, 1 << 40).map(lambda seed: JavaRandom(seed).next_int)
CLUSTERS = st.lists(st.tuples(st.sampled_from((None, *RACKS)), st.booleans()), min_size=1,
                    max_size=12).map(lambda told: [UsableBroker(7 * n + 1, *one)
                                                   for n, one in enumerate(told)])


@settings(deadline=None)
@given(CLUSTERS, st.integers(1, 20), st.data(), DRAWS)
def test_replicas_are_different_brokers_and_the_first_is_not_fenced(cluster, count, data, draw):
    replicas = data.draw(st.integers(1, len(cluster)))
    alive = {one.id for one in cluster if not one.fenced}
    if not alive:
        with pytest.raises(InvalidReplicationFactorException, match="currently fenced"):
            placed(cluster, count, replicas, draw)
        return
    for one in placed(cluster, count, replicas, draw):
        assert len(set(one)) == replicas and one[0] in alive
        assert set(one) <= {broker.id for broker in cluster}


@settings(deadline=None)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 30), st.data(), DRAWS)
def test_equal_racks_have_as_many_replicas_of_each_partition(racks, each, count, data, draw):
    cluster = brokers(*((f"rack-{number}", each) for number in range(racks)))
    rack_of = {one.id: one.rack for one in cluster}
    for one in placed(cluster, count, data.draw(st.integers(1, racks * each)), draw):
        counts = [sum(rack_of[broker] == rack for broker in one) for rack in rack_of.values()]
        assert max(counts) - min(counts) <= 1


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(0, 3), st.integers(1, 4), st.data(), DRAWS)
def test_in_one_rack_every_broker_that_is_up_leads_as_often(up, down, rounds, data, draw):
    cluster = brokers((None, up + down), fenced=tuple(range(up, up + down)))
    found = placed(cluster, up * rounds, data.draw(st.integers(1, up + down)), draw)
    assert Counter(one[0] for one in found) == dict.fromkeys(range(up), rounds)


@settings(deadline=None)
@given(st.integers(2, 4), st.integers(1, 4), DRAWS)
def test_equal_racks_lead_as_often(racks, each, draw):
    cluster = brokers(*((f"rack-{number}", each) for number in range(racks)))
    led = Counter(cluster[one[0]].rack for one in placed(cluster, racks * each, racks, draw))
    assert set(led.values()) == {each}


def test_racks_draw_their_luck_in_the_order_of_javas_hash_map():
    """Not by name: Aa and BB have the same hash; above twelve keys there are more buckets."""
    assert hash_map_order(["BB", "Aa", None, "rack-9", "rack-10"]) == [
        "BB", "Aa", None, "rack-10", "rack-9"]
    assert hash_map_order([f"rack-{number}" for number in range(13)]) == [
        f"rack-{number}" for number in (10, 11, 12, 7, 6, 9, 8, 3, 2, 5, 4, 1, 0)]
