"""Measurements: small runs of the engine, each with one setting changed, and what came of it.

Records arrive at a steady rate, whatever the broker does: an open loop, so that a queue can grow.
Everything that is measured is virtual time of the run, so that every machine gets the same numbers.
"""

import re
from collections.abc import Iterable
from typing import Any

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.cluster.cost_model import CostModel
from kafka_internals.server.request_channel import PURGATORY, QUEUE
from kafka_internals.sim.trace import Trace
from kafka_internals.viz.quantities import Depths, Fetched, Measured, Sweep

PRODUCERS, RECORD_BYTES, FOR_MS, HANDLE_US = 4, 100, 100, 500
WRITTEN_BACK_MS = 36_000
SMALL_BROKER = CostModel(handle_us=HANDLE_US)
LOADS = {"busy broker": 1, "idle broker": 20}          # each producer sends a record every ... ms


def measured(load: str, **configs: Any) -> Measured:
    """A tenth of a second of one load on a broker with one handler that is slow (0.5 ms a request).

    `load` is one of `LOADS`; `configs` are the producers', as for `cluster.producer`.
    """
    cluster = Cluster(brokers=1, seed=7, cost=SMALL_BROKER, configs={"num.io.threads": 1})
    cluster.create_topic("orders", 1, 1)
    producers = [cluster.producer(**{"acks": "1", **configs}) for _ in range(PRODUCERS)]
    for receipt in [one.send("orders", "first", partition=0) for one in producers]:
        receipt.get()
    cluster.run(ms=50)
    began_ms, before = cluster.now_ms, _requests(cluster)
    took_ms: list[float] = []
    step_ms, value = LOADS[load] / PRODUCERS, "x" * RECORD_BYTES
    sent = round(FOR_MS / step_ms)
    for number in range(sent):
        producers[number % PRODUCERS].send(
            "orders", value, partition=0, on_completion=lambda *_, at_ms=cluster.now_ms:
            took_ms.append(cluster.now_ms - at_ms))
        cluster.run(ms=step_ms)
    for one in producers:
        one.flush()
    seconds = (cluster.now_ms - began_ms) / 1000
    return Measured(load, sum(took_ms) / sent, sorted(took_ms)[sent * 99 // 100 - 1],
                    sent / seconds, (_requests(cluster) - before) / seconds)


def _requests(cluster: Cluster) -> int:
    return cluster.metric(1, "TotalTimeMs,request=Produce").Count


def sweep(setting: str, values: Iterable[int], **configs: Any) -> Sweep:
    """`measured` for each value of a producer's setting (as `linger_ms`), and for each load."""
    values = tuple(values)
    return Sweep(setting.replace("_", "."), values, tuple(
        measured(load, **{**configs, setting: value}) for load in LOADS for value in values),
        SMALL_BROKER, "one handler thread")


def depths(cluster: Cluster, broker: int = 1) -> Depths:
    """How many requests were in a broker's queue, in its handlers and in its purgatory, and when.

    From the whole trace of the run: a point for each change.
    """
    trace: Trace = cluster.trace
    began_us = trace.event(cluster.began).t_us
    inside, points = {"queue": 0, "handlers": 0, "purgatory": 0}, [(0.0, 0, 0, 0)]
    for event, _, attribute, old, new, *_ in trace.changes:
        if attribute == "station" and trace.event(event).node == f"broker-{broker}":
            for place, step in ((_place(old), -1), (_place(new), 1)):
                if place:
                    inside[place] += step
            at_ms = (trace.event(event).t_us - began_us) / 1000
            points.append((max(0.0, at_ms), *inside.values()))
    limits = cluster.machine.broker_config
    return Depths(tuple(points), limits["queued.max.requests"], limits["num.io.threads"],
                  cluster.setup.cost)


def _place(station: str | None) -> str | None:
    if station == QUEUE:
        return "queue"
    if station == PURGATORY:
        return "purgatory"
    return "handlers" if station and station.startswith("handler ") else None


def read_back(old: int = 1_000, fresh: int = 500, fetch_bytes: int = 65_536) -> Fetched:
    """One consumer reads a whole log: first what is old, then what was written just now.

    `old` records of 1,000 bytes are written back with time, and leave the page cache; `fresh` ones
    are still in it. Each fetch brings at most `fetch_bytes`.
    """
    cluster = Cluster(brokers=1, seed=7)
    cluster.create_topic("orders", 1, 1)
    writer = cluster.producer(linger_ms=5)
    for count, rest_ms in ((old, WRITTEN_BACK_MS), (fresh, 0)):
        cluster.drop_caches(1)
        for _ in range(count):
            writer.send("orders", "x" * 1_000)
        writer.flush()
        cluster.run(ms=rest_ms)
        cluster.drop_caches(1)                        # dirty pages stay
    reader = cluster.consumer(auto_offset_reset="earliest", max_partition_fetch_bytes=fetch_bytes)
    reader.assign("orders-0")
    while reader.position("orders-0") != old + fresh:
        reader.poll()
    return Fetched(_sent(cluster, reader.name), old, cluster.setup.cost)


def _sent(cluster: Cluster, reader: str) -> tuple[tuple[int, int], ...]:
    """(offset, us a network thread took to send the answer) of each fetch that brought records."""
    trace, asked, began_us, found = cluster.trace, {}, {}, []
    for event, subject, attribute, _, new, *_ in trace.changes:
        if not subject.startswith(f"request-{reader}."):
            continue
        if attribute == "asked" and (at := re.search(r"orders-0 at (\d+)", str(new))):
            asked[subject] = int(at[1])
        elif attribute == "station" and subject in asked:
            if new == "sent":
                found.append((asked[subject], trace.event(event).t_us - began_us[subject]))
            began_us[subject] = trace.event(event).t_us
    return tuple(found)
