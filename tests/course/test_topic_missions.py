"""Module 1's missions: each is done by what its hint says, and not before."""

import pytest

from kafka_internals.course import canonical
from kafka_internals.course.sandbox import DONE, sandbox
from kafka_internals.course.topic_missions import (
    GROUPS,
    gone_unread,
    keys_in_two_places,
    missions,
    read_again,
)
from kafka_internals.viz.strips_view import strips_view
from tests.course.test_sandbox import open_missions, press

ALL = ("orders-0", "orders-1", "orders-2")


@pytest.fixture
def cluster():
    return canonical.short_memory()


def _done(cluster):
    return [mission.met(cluster) for mission in missions()]


def _sent(cluster, records=1, **configs):
    producer = cluster.producer(linger_ms=0, **configs)
    return [producer.send("orders", "paid 20 EUR", key="order-17").get().partition
            for _ in range(records)]


def test_a_fresh_cluster_has_none_of_them(cluster):
    assert _done(cluster) == [False] * 3
    _sent(cluster)
    assert _done(cluster) == [False] * 3


def test_a_key_is_in_two_places_after_growth_or_with_another_hash(cluster):
    from kafka_internals.course.partitioners import crc32_partitioner

    places = {*_sent(cluster), *_sent(cluster, partitioner=crc32_partitioner)}
    assert keys_in_two_places(cluster) == (["order-17"] if len(places) > 1 else [])
    assert len(places) == 2 and _done(cluster) == [True, False, False]


def test_a_record_is_read_again_after_a_seek(cluster):
    _sent(cluster)
    reader = cluster.consumer(auto_offset_reset="earliest", fetch_max_wait_ms=20)
    reader.assign(*ALL)
    reader.poll()
    assert not read_again(cluster)
    reader.seek_to_beginning(*ALL)
    reader.poll()
    assert _done(cluster) == [False, True, False]


def test_what_retention_takes_was_read_or_was_not(cluster):
    (place, *_) = _sent(cluster, 20)
    reader = cluster.consumer(auto_offset_reset="earliest")
    reader.assign(*ALL)
    assert sum(len(reader.poll()) for _ in range(10)) == 20       # a fetch reads one segment
    cluster.run(ms=600_000)
    assert cluster.look(f"orders-{place}@{place + 1}").log_start_offset > 0
    assert not gone_unread(cluster)
    _sent(cluster, 20)
    cluster.run(ms=600_000)
    assert gone_unread(cluster)


def test_ten_records_and_ten_minutes_are_filmed_whole_and_show_what_went():
    DONE.clear()
    panel = sandbox(canonical.short_memory, strips_view, "orders", missions=missions(),
                    groups=GROUPS, name="ten minutes")
    said = press(panel, "Send", "Let ten minutes pass", count=10)
    says = [frame["say"] for frame in panel.player.source["frames"]["truth"]]
    assert "The film shows the last" not in said
    assert any("Old segments of orders-" in one and "go: it begins at 2" in one for one in says)
    assert open_missions(panel) == [1, 2]
    said = press(panel, "Poll", "Send", "Let ten minutes pass")
    says = [frame["say"] for frame in panel.player.source["frames"]["truth"]]
    assert "around the last that changed something" in said         # a reader asks all the time
    assert any("Old segments of orders-0 go: " in one for one in says)
    DONE.clear()


def test_ten_minutes_after_growth_show_when_a_producer_learns_of_it():
    panel = sandbox(canonical.short_memory, strips_view, "orders", missions=missions(),
                    groups=GROUPS, name="growth")
    press(panel, "Send", "One partition more", "Let ten minutes pass")
    says = [frame["say"] for frame in panel.player.source["frames"]["truth"]]
    assert "Java learns that orders has 4 partitions, not 3." in says
    DONE.clear()


def test_each_button_is_a_program_that_runs(cluster):
    values = {"topic": "orders", "key": "order-17", "client": "librdkafka", "count": 3,
              "reader": "audit"}
    names = {"cluster": cluster}
    for group in GROUPS:
        for act in group.acts:
            exec(act.code(values, names) if callable(act.code) else act.code, names)
    assert cluster.partitions_of("orders") == 4
    assert names["audit"].position("orders-0") == 0
