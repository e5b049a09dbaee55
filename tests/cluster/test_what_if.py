"""what_if(): the same run but for one thing, with everything that was commanded later."""

import pytest

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.errors import IllegalStateException


def story() -> Cluster:
    """Two records, and between them a crash and a restart."""
    cluster = Cluster(seed=7)
    cluster.create_topic("orders", replica_assignment={0: [1, 2, 3]})
    producer = cluster.producer(linger_ms=0)
    producer.send("orders", "one")
    cluster.run(ms=20)
    cluster.kill(3)
    cluster.run(ms=20)
    producer.send("orders", "two")
    cluster.run(ms=10)
    cluster.restart(3)
    cluster.run(ms=100)
    return cluster


def _commands(cluster: Cluster) -> list[str]:
    return [entry.command for entry in cluster.journal.entries]


def test_later_commands_come_at_the_same_times_in_both():
    cluster = story()
    kept, changed = cluster.what_if(cluster.began + 1, lambda c: c.kill(2))
    assert kept.trace.digest() == cluster.trace.digest()
    assert _commands(changed).count("send") == 2 and kept.now_ms == changed.now_ms
    times = {entry.command: entry.now_us for entry in kept.journal.entries}
    assert all(times.get(entry.command, entry.now_us) == entry.now_us
               for entry in changed.journal.entries if entry.command in ("restart",))
    assert changed.look("broker-2").state == "crashed" and kept.look("broker-2").state == "running"


def test_what_makes_no_sense_any_more_is_left_out():
    cluster = story()
    _, changed = cluster.what_if(cluster.began + 1, lambda c: c.kill(3))
    assert _commands(changed).count("kill") == 1          # it is dead when its kill would come
    _, changed = cluster.what_if(cluster.began + 1, lambda c: c.pause(3))
    assert _commands(changed).count("kill") == 1 and _commands(changed).count("restart") == 1


def test_the_changed_future_can_be_executed_again_and_goes_on():
    cluster = story()
    _, changed = cluster.what_if(cluster.began + 5, lambda c: c.cut(1, 2))
    assert changed.again().trace.digest() == changed.trace.digest()
    changed.run(ms=50)


def test_nothing_changed_is_the_same_run():
    cluster = story()
    for one in cluster.what_if(10, None):
        assert one.trace.digest() == cluster.trace.digest()


def test_errors_are_those_of_the_command_and_the_cluster_stays():
    cluster = story()
    before = cluster.trace.digest()
    with pytest.raises(IllegalStateException, match="restart\\(1\\): broker 1 is running"):
        cluster.what_if(10, lambda c: c.restart(1))
    assert cluster.trace.digest() == before


def test_an_application_that_fails_in_one_future_does_not_stop_the_other():
    def shop(producer):
        metadata = yield producer.send("orders", "by the shop")
        assert metadata.offset == 0

    cluster = Cluster(seed=7)
    cluster.create_topic("orders", replica_assignment={0: [1, 2, 3]})
    producer = cluster.producer(linger_ms=0)
    begun = cluster.event
    cluster.run_app(shop, producer)
    cluster.run(ms=50)
    cluster.kill(3)
    _, changed = cluster.what_if(begun, lambda c: c[producer].send("orders", "first"))
    assert changed.app_ended("shop") and changed.look("broker-3").state == "crashed"
