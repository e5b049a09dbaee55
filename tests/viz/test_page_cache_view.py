"""The page cache view shows what the disk says, and its sentence is what a power loss does."""

import re

import pytest

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.viz import encode, svg
from kafka_internals.viz.page_cache_view import page_cache_view


@pytest.fixture(scope="module")
def film():
    cluster = Cluster(3, seed=5)
    cluster.create_topic("orders", configs={"internal.segment.bytes": 9_000},
                         replica_assignment={0: [1, 2, 3]})
    producer = cluster.producer(acks="all", linger_ms=0)
    for _ in range(9):
        producer.send("orders", "x" * 1_400).get()
    cluster.kill(1)
    cluster.restart(1)
    cluster.power_loss(1)
    return page_cache_view.data(cluster, 1)


def scenes(film):
    return list(zip(film["frames"]["truth"], encode.materialise(film["frames"]["truth"])))


def test_dirty_pages_are_in_the_cache_and_not_on_the_disk(film):
    for _, shapes in scenes(film):
        for key, shape in shapes.items():
            if "/cache/" in key:
                below = shapes[key.replace("/cache/", "/disk/")]["c"]
                assert below == ("absent" if "dirty" in shape["c"] else "page clean")


def test_the_sentence_counts_what_is_not_on_the_disk(film):
    said = [frame["say"] for frame, _ in scenes(film)]
    counted = [int(found[1]) for one in said if (found := re.match(r"(\d+) bytes in", one))]
    assert counted == sorted(counted[:6]) + counted[6:] and max(counted) > 8_000
    assert "has died. Its page cache is still there" in " ".join(said)
    assert said[-1].startswith("Broker 1 has lost power")


def test_after_a_roll_the_older_segment_is_on_the_disk(film):
    shapes = scenes(film)[-4][1]
    older = [one["c"] for key, one in shapes.items()
             if key.startswith(f"orders-0/{0:020d}.log/cache/")]
    assert older and set(older) == {"page clean"}


def test_without_power_nothing_is_dirty(film):
    assert not any("dirty" in one["c"] for one in scenes(film)[-1][1].values())
    assert len(svg.picture(film).encode()) <= 15_000 and len(encode.pack(film)) <= 100_000
