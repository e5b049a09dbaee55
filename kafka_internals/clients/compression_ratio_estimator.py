"""CompressionRatioEstimator: how small records of a topic become, as the last batches showed.

A producer that compresses does not know a batch's size before it is closed, so it multiplies. The
estimate begins at 1, falls slowly and rises fast, since a batch that turns out larger than
`batch.size` costs more than one that is smaller.
"""

IMPROVING_STEP, DETERIORATING_STEP = 0.005, 0.05


class CompressionRatioEstimator:
    """Compressed by uncompressed bytes, per topic, for one codec."""

    def __init__(self) -> None:
        self._ratios: dict[str, float] = {}

    def estimation(self, topic: str) -> float:
        """What the next batch is expected to have."""
        return self._ratios.get(topic, 1.0)

    def update_estimation(self, topic: str, observed: float) -> None:
        """A batch was closed and had this ratio."""
        now = self.estimation(topic)
        if observed > now:
            self._ratios[topic] = max(now + DETERIORATING_STEP, observed)
        elif observed < now:
            self._ratios[topic] = max(now - IMPROVING_STEP, observed)

    def set_estimation(self, topic: str, ratio: float) -> None:
        """A batch was refused as too large: expect that much from now on."""
        self._ratios[topic] = ratio
