"""Metrics: everything that one client measures, under the names of Kafka's Java client.

A sensor takes numbers and shows several metrics: their average, extremes, rate. To note a number
costs one addition; nothing is worked out before somebody looks. What was not measured is NaN.
"""

from collections.abc import Mapping
from typing import NamedTuple

from kafka_internals.clients.sampled_stat import SampledStat


class MetricName(NamedTuple):
    """Name, group and tags of one metric, as the Java client has them."""

    name: str
    group: str
    tags: tuple[tuple[str, str], ...] = ()


class Sensor(NamedTuple):
    """What a sensor shows: each metric's name, and the method of SampledStat that works it out.

    `of` are the tags by which it is kept apart: ("topic",), ("node-id",); none: once a client.
    """

    group: str
    shown: tuple[tuple[str, str], ...]
    of: tuple[str, ...] = ()


class Metrics(dict):
    """The sensors of one client, which is a "producer" or a "consumer": what each has measured.

    `metrics[name].record(value, now_ms)` notes a value; one that is kept apart by tags is
    `metrics[name, *of]`, where `of` are the values of its tags, and begins with its first value.
    """

    def __init__(self, client_id: str, kind: str, sensors: Mapping[str, Sensor]) -> None:
        super().__init__({name: SampledStat() for name, one in sensors.items() if not one.of})
        self.kind, self._sensors = kind, sensors
        self._tags = (("client-id", client_id),)

    def __missing__(self, key: tuple[str, ...]) -> SampledStat:
        stat = self[key] = SampledStat()
        return stat

    def read(self, now_ms: int, gauges: Mapping[str, float]) -> dict[MetricName, float]:
        """Every metric now; `gauges` are what others know at this moment."""
        found = {MetricName(name, f"{self.kind}-metrics", self._tags): float(value)
                 for name, value in gauges.items()}
        for key, stat in self.items():
            sensor, *of = (key,) if isinstance(key, str) else key
            group, shown, tags = self._sensors[sensor]
            tags = self._tags + tuple(zip(tags, of))
            for name, kind in shown:
                found[MetricName(name, group, tags)] = getattr(stat, kind)(now_ms)
        return found
