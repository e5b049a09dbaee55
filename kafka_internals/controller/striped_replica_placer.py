"""StripedReplicaPlacer: which brokers get the replicas of a new topic's partitions (KIP-36).

Goals, the first before the second: each partition spreads over the racks, and partitions together
spread over brokers and leaders. So partitions are laid over the racks in stripes: each begins one
rack further than the last, and takes the next broker of each rack. A broker that is fenced comes
last in its rack, and never first in a partition. When every broker has led once, racks and brokers
are shuffled, so that the same sets do not come again.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from kafka_internals.errors import InvalidReplicationFactorException

Draw = Callable[[int], int]                              # draw(n) -> 0..n-1
FIRST_BUCKETS, LOAD_FACTOR = 16, 0.75                    # java.util.HashMap


class UsableBroker(NamedTuple):
    """A broker that may get replicas: registered, and not in controlled shutdown."""

    id: int
    rack: str | None = None
    fenced: bool = False


def _shuffle(values: list, draw: Draw) -> None:
    """Collections.shuffle."""
    for size in range(len(values), 1, -1):
        other = draw(size)
        values[size - 1], values[other] = values[other], values[size - 1]


def _utf16(rack: str | None) -> bytes:
    return b"" if rack is None else rack.encode("utf-16-be", "surrogatepass")


def _spread(rack: str | None) -> int:
    """String.hashCode of the name, spread as HashMap does it; that of no rack is 0."""
    hashed, units = 0, _utf16(rack)
    for at in range(0, len(units), 2):
        hashed = 31 * hashed + int.from_bytes(units[at:at + 2], "big") & 0xFFFFFFFF
    return hashed ^ hashed >> 16


def hash_map_order(racks: Iterable[str | None]) -> list[str | None]:
    """The order in which a java.util.HashMap gives these keys: luck is drawn in it."""
    racks, buckets = list(racks), FIRST_BUCKETS
    while len(racks) > buckets * LOAD_FACTOR:
        buckets *= 2
    return sorted(racks, key=lambda rack: _spread(rack) & buckets - 1)


class BrokerList:
    """Brokers to be taken in turn, from a drawn one on; in each epoch one further."""

    def __init__(self) -> None:
        self.brokers: list[int] = []
        self._epoch = self._index = self._offset = 0

    def initialize(self, draw: Draw) -> None:
        """Sort, and draw where to begin; an empty list draws nothing."""
        if self.brokers:
            self.brokers.sort()
            self._offset = draw(len(self.brokers))

    def next(self, epoch: int) -> int | None:
        """The next broker; None where this epoch has had them all."""
        if not self.brokers:
            return None
        if self._epoch != epoch:
            self._epoch, self._index = epoch, 0
            self._offset = (self._offset + 1) % len(self.brokers)
        if self._index == len(self.brokers):
            return None
        self._index += 1
        return self.brokers[(self._index - 1 + self._offset) % len(self.brokers)]


class Rack:
    """The brokers of one rack, the fenced ones apart."""

    def __init__(self) -> None:
        self.fenced, self.unfenced = BrokerList(), BrokerList()

    def next(self, epoch: int) -> int | None:
        """The next broker, a fenced one only after all others."""
        broker = self.unfenced.next(epoch)
        return self.fenced.next(epoch) if broker is None else broker


class RackList:
    """All racks, in the order in which partitions go over them."""

    def __init__(self, draw: Draw, brokers: Iterable[UsableBroker]) -> None:
        self._draw, self._racks = draw, {}
        self.total = self.unfenced = 0
        for broker in brokers:
            rack = self._racks.setdefault(broker.rack, Rack())
            (rack.fenced if broker.fenced else rack.unfenced).brokers.append(broker.id)
            self.total += 1
            self.unfenced += not broker.fenced
        self._lists = [one for name in hash_map_order(self._racks)
                       for one in (self._racks[name].fenced, self._racks[name].unfenced)]
        for one in self._lists:
            one.initialize(draw)
        self._names = sorted(self._racks, key=lambda name: (name is not None, _utf16(name)))
        self._epoch = 0
        self._offset = draw(len(self._names)) if self._names else 0

    def place(self, replication_factor: int) -> tuple[int, ...]:
        """The brokers of the next partition; there are enough, and one is not fenced."""
        if self._epoch == self.unfenced > 1:      # with one alone this would never end
            self._shuffle()
        self._offset %= len(self._names)
        at, leader = self._first()
        placed, index = [leader], self._offset
        while len(placed) < replication_factor:
            if index == at:
                at = -1                           # its turn is over: it gave the leader
            elif (broker := self._racks[self._names[index]].next(self._epoch)) is not None:
                placed.append(broker)
            index = (index + 1) % len(self._names)
        self._epoch += 1
        self._offset += 1
        return tuple(placed)

    def _first(self) -> tuple[int, int]:
        """(the rack that gives the first replica, its broker): the next that is not fenced."""
        at = self._offset
        while (broker := self._racks[self._names[at]].unfenced.next(self._epoch)) is None:
            at = (at + 1) % len(self._names)
        return at, broker

    def _shuffle(self) -> None:
        _shuffle(self._names, self._draw)
        for one in self._lists:
            _shuffle(one.brokers, self._draw)
        self._epoch = 0


class StripedReplicaPlacer:
    """Places the replicas of new partitions; `draw` is the only luck."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw

    def place(self, brokers: Iterable[UsableBroker], num_partitions: int,
              num_replicas: int) -> tuple[tuple[int, ...], ...]:
        """The replicas of each partition, the one to lead first.

        Luck is drawn also where the call fails. Errors: InvalidReplicationFactorException below 1,
        above the number of brokers, or where all of them are fenced.
        """
        racks = RackList(self._draw, brokers)
        if num_replicas <= 0:
            raise InvalidReplicationFactorException(
                f"Invalid replication factor {num_replicas}: the replication factor must be "
                f"positive.")
        if not racks.unfenced:
            raise InvalidReplicationFactorException(
                "All brokers are currently fenced, or have all their log directories cordoned.")
        if num_replicas > racks.total:
            raise InvalidReplicationFactorException(
                f"The target replication factor of {num_replicas} cannot be reached because only "
                f"{racks.total} broker(s) are registered or some brokers have all their log "
                f"directories cordoned.")
        return tuple([racks.place(num_replicas) for _ in range(num_partitions)])
