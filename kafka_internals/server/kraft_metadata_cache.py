"""KRaftMetadataCache: what a broker knows of the others, from the last image that it was given.

A leader asks it before it lets a replica join the in-sync set: a broker that is fenced, about to
stop, or meanwhile another incarnation than the one that fetched may not (KIP-841, KIP-903).
"""

from typing import Any

UNCHECKED_EPOCH = -1                    # in a Fetch or an AlterPartition: nobody compares it


class KRaftMetadataCache:
    """`image` is a MetadataImage; its brokers are registrations by id, or only a tuple of ids."""

    def __init__(self, image: Any = None) -> None:
        self.set_image(image)

    def set_image(self, image: Any) -> None:
        """From now on this is known."""
        self.image, brokers = image, {} if image is None else image.brokers
        self._registrations = {} if isinstance(brokers, tuple) else brokers

    def broker(self, broker: int) -> Any | None:
        """The registration of a broker; None where there is none."""
        return self._registrations.get(broker)

    def alive_brokers(self) -> tuple[int, ...]:
        """Those that are registered and not fenced: what clients are told of."""
        known = self._registrations
        return tuple([one for one in self.image.brokers if not known or not known[one].fenced])

    def alive_broker_epoch(self, broker: int) -> int | None:
        """The epoch of a broker that is registered and not fenced."""
        known = self._registrations.get(broker)
        return None if known is None or known.fenced else known.epoch

    def rack(self, broker: int) -> str | None:
        """`broker.rack`, where the broker has said one."""
        known = self.broker(broker)
        return known and known.rack

    def is_isr_eligible(self, broker: int, fetched_in: int | None) -> bool:
        """True where a broker may join an ISR; `fetched_in` is the broker epoch of its fetches."""
        known = self.broker(broker)
        return known is not None and not known.fenced and not known.in_controlled_shutdown \
            and fetched_in in (UNCHECKED_EPOCH, known.epoch)
