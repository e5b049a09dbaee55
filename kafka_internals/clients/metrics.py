"""Metrics: everything that one client measures, under the names of Kafka's Java client.

A sensor takes numbers and shows several metrics: their average, extremes, rate. To note a number
costs one addition; nothing is worked out before somebody looks. What was not measured is NaN.
"""

from collections import defaultdict
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


class Metrics:
    """The sensors of one client, which is a "producer" or a "consumer"."""

    def __init__(self, client_id: str, kind: str, sensors: Mapping[str, Sensor]) -> None:
        self.kind, self._sensors = kind, sensors
        self._tags = (("client-id", client_id),)
        self._stats = defaultdict(SampledStat, {
            (name, ()): SampledStat() for name, one in sensors.items() if not one.of})

    def record(self, sensor: str, value: float, now_ms: int, *of: str) -> None:
        """Note a value; `of` are the values of the sensor's tags."""
        self._stats[sensor, of].record(value, now_ms)

    def remove(self, sensor: str, *of: str) -> None:
        """Forget what was measured of one topic, partition or node."""
        self._stats.pop((sensor, of), None)

    def read(self, now_ms: int, gauges: Mapping[str, float]) -> dict[MetricName, float]:
        """Every metric now; `gauges` are what others know at this moment."""
        found = {MetricName(name, f"{self.kind}-metrics", self._tags): float(value)
                 for name, value in gauges.items()}
        for (sensor, of), stat in self._stats.items():
            group, shown, tags = self._sensors[sensor]
            tags = self._tags + tuple(zip(tags, of))
            for name, kind in shown:
                found[MetricName(name, group, tags)] = getattr(stat, kind)(now_ms)
        return found
