"""What happened: events, messages on their way, and changes with what they were read from.

Everything is kept as plain tuples (the garbage collector does not walk tuples of atoms), and the
index that answers "which change was it?" is built when somebody first asks.
"""

import hashlib
from bisect import bisect_left, bisect_right
from collections import defaultdict
from itertools import zip_longest
from typing import Any, NamedTuple


class Event(NamedTuple):
    """One thing that happened. `by` is the event that caused it; 0: the learner, or the start."""

    id: int
    t_us: int
    by: int
    node: str
    kind: str
    about: str | None


class Flight(NamedTuple):
    """One message: sent during `event`, due at `due_us`, or lost where that is None."""

    event: int
    id: str
    kind: str
    sender: str
    receiver: str
    t_us: int
    due_us: int | None


class Change(NamedTuple):
    """A `Changed` and the event in which it happened."""

    event: int
    subject: str
    attribute: str
    old: Any
    new: Any
    rule: str
    reads: tuple


class Trace:
    """The record of one run. Event n is `events[n - 1]`."""

    def __init__(self) -> None:
        self.events: list[tuple] = []
        self.flights: list[tuple] = []
        self.changes: list[tuple] = []
        self._of: defaultdict[tuple, list[int]] = defaultdict(list)
        self._indexed = 0

    def changed(self, event: int, change: tuple) -> None:
        """Note a change of the event that happens now."""
        self.changes.append((event, *change))

    def clear(self) -> None:
        """Let go of everything. A run is a ring of objects: what it wrote need not hang on it when
        the collector comes, which would visit every tuple."""
        for written in (self.events, self.flights, self.changes, self._of):
            written.clear()
        self._indexed = 0

    def arrives(self, message_id: str, due_us: int) -> None:
        """A message on its way will be there at another time than was noted when it left."""
        at = next(at for at in range(len(self.flights) - 1, -1, -1)
                  if self.flights[at][1] == message_id)
        self.flights[at] = (*self.flights[at][:-1], due_us)

    def event(self, id: int) -> Event:
        """The event with this id."""
        return Event._make(self.events[id - 1])

    def upto(self, t_us: int) -> int:
        """Id of the last event that happened at a time or before it; 0 where none did."""
        return bisect_right(self.events, t_us, key=lambda event: event[1])

    def change(self, index: int) -> Change:
        """The change at this index."""
        return Change._make(self.changes[index])

    def of(self, subject: str, attribute: str) -> list[int]:
        """Indices of all changes of one attribute of one subject, in order."""
        if self._indexed < len(self.changes):
            for index, change in enumerate(self.changes[self._indexed:], self._indexed):
                self._of[change[1:3]].append(index)
            self._indexed = len(self.changes)
        return self._of.get((subject, attribute), [])

    def latest(self, subject: str, attribute: str, event: int) -> int | None:
        """Index of the last change of the pair up to and including `event`."""
        of = self.of(subject, attribute)
        at = bisect_right(of, event, key=lambda index: self.changes[index][0])
        return of[at - 1] if at else None

    def link(self, read: tuple, before: int) -> int | None:
        """Index of the change behind a read that was made by the change at index `before`.

        With `needed` it is the change that first met it, and stayed so; else the latest one.
        """
        of = self.of(read[0], read[1])
        at = bisect_left(of, before)
        if len(read) == 3:
            while at > 1 and _meets(self.changes[of[at - 2]][4], read[2]):
                at -= 1
        return of[at - 1] if at else None

    def links(self, index: int) -> list[int]:
        """Indices of the changes that the change at `index` read, each once, in order."""
        found = (self.link(read, index) for read in self.changes[index][6])
        return sorted({link for link in found if link is not None})

    def digest(self) -> str:
        """A fingerprint of everything that happened: the same run gives the same on any machine."""
        told = hashlib.sha256()
        for part in (self.events, self.flights, self.changes):
            told.update(repr(part).encode())
        return told.hexdigest()


def _meets(value: Any, needed: Any) -> bool:
    """Numbers meet a need from below; anything else by being equal."""
    if isinstance(needed, int) and isinstance(value, int):
        return value >= needed
    return value == needed


def first_difference(a: Trace, b: Trace) -> int | None:
    """Id of the first event at which two runs differ, in what happened or in what it changed.

    None where one run did exactly what the other did.
    """
    events = ((one or other)[0] for one, other in zip_longest(a.events, b.events) if one != other)
    changes = (min(change[0] for change in pair if change)
               for pair in zip_longest(a.changes, b.changes) if pair[0] != pair[1])
    return min((first for first in (next(events, None), next(changes, None)) if first is not None),
               default=None)
