"""The journal: what the learner commanded, and how far the run had come each time.

A run is a seed and this list; nothing else is needed to make it happen again. A wait ("run until
...") is not stored, because each entry says after which event it came. Arguments are plain data and
names of handles. A journal that was altered runs by the clock, never by event ids: ids move when a
command is missing, times do not.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

FROM_THE_START_US = -(1 << 62)          # no time: the run stands where it begins


class Entry(NamedTuple):
    """One command: the event that it followed, the time, its name and its arguments."""

    follows_event: int
    now_us: int
    command: str
    args: tuple[tuple[str, Any], ...]

    @property
    def event(self) -> int:
        """A command is an event: the one after the event that it followed."""
        return self.follows_event + 1


class Journal(NamedTuple):
    """Commands in order, and the position up to which the run has come.

    From the event `altered_at` on (None: never) the run is not the one that was written down.
    """

    entries: tuple[Entry, ...] = ()
    event: int = 0
    now_us: int = FROM_THE_START_US
    altered_at: int | None = None

    def up_to(self, event: int) -> "Journal":
        """The part of the journal that had been said when `event` was over."""
        return Journal(tuple(e for e in self.entries if e.event <= event), event)

    def without(self, dropped: range) -> "Journal":
        """An altered journal that leaves some commands out."""
        kept = tuple(e for at, e in enumerate(self.entries) if at not in dropped)
        return self._replace(entries=kept, altered_at=0)

    def goes_by_clock(self, follows_event: int) -> bool:
        """True where an event id from the original run means nothing any more."""
        return self.altered_at is not None and follows_event >= self.altered_at


def shrunk(journal: Journal, fails: Callable[[Journal], bool]) -> Journal:
    """A journal that still fails and of which nothing can be left out, found from the end on.

    Parts are left out, then ever smaller ones, single commands as long as one can go (ddmin).
    """
    size = len(journal.entries) // 2
    while size:
        before, start = journal, len(journal.entries)
        while start:
            end, start = start, max(0, start - size)
            if fails(shorter := journal.without(range(start, end))):
                journal = shorter
        if size > 1 or journal is before:
            size //= 2
        size = min(size, len(journal.entries))
    return journal
