"""ClientQuotaManager: bytes or thread time that a client may use, and how long it is held off.

KIP-13 and KIP-124. What a client uses is measured over the last `quota.window.num` windows; what is
above the bound is paid back by a pause of (rate - bound) / bound * window. The answer leaves at
once and says `throttle_time_ms`; the broker does not read the connection for that long, and the
client sends nothing, either (KIP-219). A quota of a client.id stands before the default's. Without
a quota nothing is measured.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

from kafka_internals.messages.fetch import FetchRequest
from kafka_internals.messages.produce import ProduceRequest

TOLD = 500                                # "why?" names so many requests that used a quota up
PRODUCER_BYTE_RATE, CONSUMER_BYTE_RATE = "producer_byte_rate", "consumer_byte_rate"
REQUEST_PERCENTAGE = "request_percentage"
QUOTA_RULE = "over its quota: the client waits (rate - bound) / bound * window"


class Rate:
    """A sum over sampled windows by the time they span (Rate over SampledStat and WindowedSum).

    A sample is [start, last event, sum]. One more than `samples` is kept, because the oldest still
    overlaps the time that is measured; windows that were never there count as empty ones.
    """

    def __init__(self, samples: int, window_ms: int) -> None:
        self._most, self._window_ms = samples, window_ms
        self._samples: list[list] = []
        self._current = 0

    def record(self, value: float, now_ms: int) -> None:
        """Add to the present window; a new one begins where it is over."""
        if not self._samples:
            self._samples.append([now_ms, now_ms, 0.0])
        if now_ms - self._samples[self._current][0] >= self._window_ms:
            self._current = (self._current + 1) % (self._most + 1)
            if self._current >= len(self._samples):
                self._samples.append([])
            self._samples[self._current][:] = now_ms, now_ms, 0.0
        sample = self._samples[self._current]
        sample[1] = now_ms
        sample[2] += value

    def window_size_ms(self, now_ms: int) -> int:
        """The time that the samples stand for."""
        self._purge(now_ms)
        elapsed_ms = now_ms - min((one[0] for one in self._samples), default=now_ms)
        missing = self._most - 1 - elapsed_ms // self._window_ms
        return elapsed_ms + max(0, missing) * self._window_ms

    def measure(self, now_ms: int) -> float:
        """Units a second."""
        self._purge(now_ms)
        size_ms = self.window_size_ms(now_ms)
        total = sum(sample[2] for sample in self._samples)
        return total / (size_ms / 1000) if size_ms else total

    def _purge(self, now_ms: int) -> None:
        for sample in self._samples:
            if now_ms - sample[1] >= self._most * self._window_ms:
                sample[:] = now_ms, now_ms, 0.0


class ClientQuotaManager:
    """One kind of quota on one broker. Bounds are by client.id, None for the default."""

    def __init__(self, kind: str, config: Any) -> None:
        self.kind = kind
        self.samples = config["quota.window.num"]
        self.window_ms = config["quota.window.size.seconds"] * 1000
        self._bounds: dict[str | None, float] = {}
        self._rates: dict[str, Rate] = {}

    def update(self, quotas: Mapping[str | None, Mapping[str, float]]) -> None:
        """Take over the quotas of a metadata image."""
        self._bounds = {client: quota[self.kind] for client, quota in quotas.items()
                        if self.kind in quota}

    @property
    def enabled(self) -> bool:
        """True where any client has such a quota."""
        return bool(self._bounds)

    def bound(self, client_id: str) -> float | None:
        """What a client may use a second; None: as much as it likes."""
        return self._bounds.get(client_id, self._bounds.get(None))

    def record(self, client_id: str, value: float, now_ms: int) -> None:
        """Note what a client has used; a value below 0 takes it back."""
        if self.bound(client_id) is not None:
            if client_id not in self._rates:
                self._rates[client_id] = Rate(self.samples, self.window_ms)
            self._rates[client_id].record(value, now_ms)

    def record_and_get_throttle_time_ms(self, client_id: str, value: float, now_ms: int) -> int:
        """Note what a client has used, and for how long it has to be held off now."""
        bound = self.bound(client_id)
        if bound is None:
            return 0
        self.record(client_id, value, now_ms)
        rate = self._rates[client_id]
        if (measured := rate.measure(now_ms)) <= bound:
            return 0
        return self._limited(round_half_up((measured - bound) / bound
                                           * rate.window_size_ms(now_ms)))

    def _limited(self, throttle_ms: int) -> int:
        return throttle_ms

    def max_value_in_quota_window(self, client_id: str) -> float | None:
        """The most that one answer may hold; None: no limit."""
        bound = self.bound(client_id)
        return None if bound is None else bound * (self.samples - 1) * self.window_ms / 1000


class ClientRequestQuotaManager(ClientQuotaManager):
    """Thread time, in percent of one thread a second; held off for one window at most."""

    def _limited(self, throttle_ms: int) -> int:
        return min(throttle_ms, self.window_ms)


class QuotaManagers:
    """What one broker measures of each client."""

    def __init__(self, config: Any) -> None:
        self.produce = ClientQuotaManager(PRODUCER_BYTE_RATE, config)
        self.fetch = ClientQuotaManager(CONSUMER_BYTE_RATE, config)
        self.request = ClientRequestQuotaManager(REQUEST_PERCENTAGE, config)
        self.enabled = False
        self._quoted: frozenset[str | None] = frozenset()
        self._used: dict[str, deque] = {}         # by client: requests since it was throttled last

    def update(self, quotas: Mapping[str | None, Mapping[str, float]]) -> None:
        """Take over the quotas of a metadata image."""
        for manager in (self.produce, self.fetch, self.request):
            manager.update(quotas)
        self.enabled, self._quoted = any(quotas.values()), frozenset(quotas)

    def record_thread_time(self, client_id: str, thread_us: int, now_ms: int) -> None:
        """A network thread has worked for a client: counted, but nobody is held off for it now."""
        self.request.record(client_id, percentage(thread_us), now_ms)


    def throttle_ms(self, request: Any, body: Any, now_ms: int) -> int:
        """Record what this request has used; for how many ms its client has to be held off."""
        client, asked = request.client_id, request.body
        if type(asked) is FetchRequest and asked.replica_id >= 0:
            return 0                                     # replicas have a quota of their own
        self._used.setdefault(client, deque(maxlen=TOLD)).append(request.id)
        throttle_ms = 0
        if body is not None:                             # acks=0 is exempt from thread time
            throttle_ms = self.request.record_and_get_throttle_time_ms(
                client, percentage(request.thread_us), now_ms)
        if type(asked) is ProduceRequest:
            return max(throttle_ms, self.produce.record_and_get_throttle_time_ms(
                client, asked.size_bytes, now_ms))
        if type(asked) is FetchRequest:
            size = body.size_bytes
            throttle_ms = max(throttle_ms, self.fetch.record_and_get_throttle_time_ms(
                client, size, now_ms))
            if throttle_ms:
                self.fetch.record(client, -size, now_ms)
        return throttle_ms

    def reads(self, broker: str, client: str) -> tuple:
        """What a throttled answer read: the requests that used the quota up, and the quota."""
        used = list(self._used[client])
        self._used[client] = deque(used[-1:], maxlen=TOLD)
        entity = client if client in self._quoted else "<default>"
        return tuple((one, "asked") for one in used[:-1]) + ((broker, f"quotas.{entity}"),)

    def most_bytes(self, client: str, limit: int) -> int:
        """The most bytes that one answer may hold, up to `limit`."""
        most = self.fetch.max_value_in_quota_window(client)
        return limit if most is None else int(most)


def percentage(thread_us: int) -> float:
    """Thread time as the request quota counts it: a second is 100 percent."""
    return thread_us / 10_000


def round_half_up(value: float) -> int:
    """Java's Math.round."""
    return int(value + 0.5)
