"""SampledStat: what metrics are made of: averages, extremes and rates of the last minute.

Two windows of 30 seconds (`metrics.num.samples`, `metrics.sample.window.ms`) and one that overlaps
them, as in Kafka. To record is to add to the window of now; only whoever looks pays for the rest,
and to look changes nothing.
"""

WINDOWS, WINDOW_MS = 2, 30_000
NOT_A_NUMBER = float("nan")


class Sample:
    """One window: how many values, their sum and extremes."""

    __slots__ = ("start_ms", "last_event_ms", "count", "total", "largest", "least")

    def __init__(self, now_ms: int) -> None:
        self.start_ms = self.last_event_ms = now_ms
        self.count, self.total = 0, 0.0
        self.largest, self.least = float("-inf"), float("inf")


class SampledStat:
    """The values of the last windows, and the sum of all that there ever were."""

    def __init__(self) -> None:
        self._samples: list[Sample] = []
        self._total, self._count = 0.0, 0
        self._last = NOT_A_NUMBER

    def record(self, value: float, now_ms: int) -> None:
        """Add a value."""
        samples = self._samples
        if not samples or now_ms - samples[-1].start_ms >= WINDOW_MS:
            samples.append(Sample(now_ms))
            del samples[:-WINDOWS - 1]
        sample = samples[-1]
        sample.last_event_ms = now_ms
        sample.count += 1
        sample.total += value
        if value > sample.largest:
            sample.largest = value
        if value < sample.least:
            sample.least = value
        self._count += 1
        self._total += value
        self._last = value

    def _within(self, now_ms: int) -> list[Sample]:
        return [one for one in self._samples if now_ms - one.last_event_ms < WINDOWS * WINDOW_MS]

    def avg(self, now_ms: int) -> float:
        """The average; not a number where nothing was recorded of late."""
        within = self._within(now_ms)
        count = sum(one.count for one in within)
        return sum(one.total for one in within) / count if count else NOT_A_NUMBER

    def max(self, now_ms: int) -> float:
        """The largest value of late."""
        return max((one.largest for one in self._within(now_ms)), default=NOT_A_NUMBER)

    def min(self, now_ms: int) -> float:
        """The least value of late."""
        return min((one.least for one in self._within(now_ms)), default=NOT_A_NUMBER)

    def last(self, _: int) -> float:
        """The value that came last."""
        return self._last

    def total(self, _: int) -> float:
        """The sum of all values that there ever were."""
        return self._total

    def count(self, _: int) -> float:
        """How many there ever were."""
        return float(self._count)

    def rate(self, now_ms: int) -> float:
        """The sum of the values, in a second."""
        return sum(one.total for one in self._within(now_ms)) / self._window_s(now_ms)

    def event_rate(self, now_ms: int) -> float:
        """How many values there were, in a second."""
        return sum(one.count for one in self._within(now_ms)) / self._window_s(now_ms)

    def share(self, now_ms: int) -> float:
        """The sum of values in nanoseconds, in a nanosecond: which part of the time they took."""
        return self.rate(now_ms) / 1_000_000_000

    def _window_s(self, now_ms: int) -> float:
        """Less than one full window is counted as a full one more: else a first value is a peak."""
        start_ms = min((one.start_ms for one in self._within(now_ms)), default=now_ms)
        elapsed_ms = now_ms - start_ms
        missing = max(0, WINDOWS - 1 - elapsed_ms // WINDOW_MS)
        return max(elapsed_ms + missing * WINDOW_MS, 1) / 1000
