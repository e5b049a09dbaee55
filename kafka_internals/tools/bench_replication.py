"""The figures of replication: schedules under faults, forks of long runs, events for a produce."""

from collections.abc import Iterator
from functools import partial
from statistics import median

from kafka_internals.tools.bench_figure import Figure, best, interleaved, seconds

PRODUCES, MINUTE_MS, FEW = 1_000, 60_000, 60


def long_fork(produces: int = 2_000) -> Iterator[Figure]:
    """A fork after many produces: the whole control plane is executed again, too."""
    from kafka_internals.cluster.cluster import Cluster

    run = Cluster(seed=1)
    run.create_topic("orders", configs={"min.insync.replicas": 2},
                     replica_assignment={0: [1, 2, 3]})
    producer = run.producer(acks="all", linger_ms=0)
    for _ in range(produces):
        producer.send("orders", "x", partition=0).get()
    took = best(lambda: seconds(lambda: run.fork(at=run.event)))
    yield Figure(f"fork at {produces} produces", took, "s", most=1.5, note=f"{run.event} events")


def _minute(brokers: int, partitions: int, produces: int) -> int:
    """Events of a minute in which so many records are sent, one after another, to one partition."""
    from kafka_internals.cluster.cluster import Cluster

    cluster = Cluster(brokers, seed=1)
    placed = {number: [(number + each) % brokers + 1 for each in range(3)]
              for number in range(partitions)}
    cluster.create_topic("orders", replica_assignment=placed)
    producer = cluster.producer(acks="all", linger_ms=0)
    cluster.run(ms=0)
    began, until_ms = cluster.event, cluster.now_ms + MINUTE_MS
    for _ in range(produces):
        producer.send("orders", "x", partition=0)
        cluster.run(ms=MINUTE_MS / PRODUCES)
    cluster.run(ms=max(0, until_ms - cluster.now_ms))
    return cluster.event - began


def produce() -> Iterator[Figure]:
    """What one produce costs in events must not grow with what else there is in the cluster."""
    sizes = ((3, 10), (30, 10), (3, 1_000))
    each = [(_minute(*size, PRODUCES) - _minute(*size, 0)) / PRODUCES for size in sizes]
    for (brokers, partitions), events in zip(sizes[1:], each[1:]):
        yield Figure(f"events for a produce differ, {brokers} brokers, {partitions} partitions",
                     abs(events / each[0] - 1) * 100, "%", most=5,
                     note=f"{events:.2f}; with 3 brokers and 10 partitions {each[0]:.2f}")


def schedules(count: int = 20_000) -> Iterator[Figure]:
    """Seeded schedules under faults, every invariant judged, on all cores (or joblib's backend)."""
    import joblib  # noqa: F401

    from kafka_internals.cluster.schedules import Schedule, verdict
    from kafka_internals.sim.search import joblib_map, search

    boot = story = 0
    for seed in range(FEW):
        schedule = Schedule(seed)
        schedule.run()
        boot += schedule.cluster.machine.world.before
        story += schedule.cluster.event
    events = boot + story
    each = interleaved(*(partial(seconds, partial(search, verdict, [seed])) for seed in range(FEW)))
    took, usual = sum(map(min, each)), median(map(sum, zip(*each)))
    yield Figure("fault schedules of 500 events, judged, a second a core", events / 500 / took,
                 "/s", 40, note=f"each at its best, {events / 500 / usual:.1f} in a median round; "
                                f"{events / FEW:.0f} events, {boot / FEW:.0f} of its boot")
    found: list = []
    took = seconds(lambda: found.extend(search(verdict, range(count), joblib_map())))
    for one in found[:5]:
        print(f"  seed {one.seed}: {one.failure}")
    yield Figure(f"violations in {count} schedules", len(found), "", most=0,
                 note=f"{count / took:.0f} schedules a second")
