"""Rules: the switches that only tests and lessons turn. Each default is Kafka's rule; see law 7."""

from collections.abc import Callable
from typing import NamedTuple


class Rules(NamedTuple):
    """What a broker does otherwise than Kafka. `truncation` may be a reader's own decision.

    It then has the arguments of `get_offset_truncation_state` and gives an OffsetTruncationState.
    A follower of a new leader asks for it before it fetches, as from KIP-279 to KIP-595.
    """

    high_watermark: str = "isr"             # "leader": the leader's own log end is enough
    consumer_reads_to: str = "high watermark"    # "log end": consumers read what may be lost
    acks_all_waits_for: str = "high watermark"   # "append": answered as if acks were 1
    replicas_awaited_in: str = "purgatory"       # "handler thread": which is not free until then
    offsets: str = "dense"                  # "gap": every batch leaves one offset out
    truncation: str | Callable = "diverging epoch"   # "hw": before KIP-101; "kip-101": no epochs
    fencing: bool = True                    # False: a stale leader answers whoever asks (KIP-320)
    high_watermark_isr: str = "maximal"     # "proposed", "committed": half a change (KIP-497)
    min_isr_gate: bool = True               # False: a smaller ISR commits, too (KIP-966)
    broker_epochs: bool = True              # False: AlterPartition names no incarnation (KIP-903)
    partition_epochs: bool = True           # False: metadata counts though more is known (KIP-497)
    clean_shutdown_file: bool = True        # False: who begins says it was stopped well (KIP-966)

    @property
    def asks_for_epochs(self) -> bool:
        """True where a follower asks where its epoch ended before it fetches (until 2.7)."""
        return callable(self.truncation) or self.truncation == "kip-101"

    @property
    def fetches_diverge(self) -> bool:
        """True where the answer to a fetch tells where the logs part (KIP-595)."""
        return self.truncation == "diverging epoch"
