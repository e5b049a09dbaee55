"""Judges: what must hold after every event, by name.

A judge names the attributes that it watches, is called only with changes of those, and raises
`InvariantViolated` with one plain sentence. It looks at what changed and at the snapshots of those
subjects, never at the whole world: a judge that rescans everything makes the search slow.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

from kafka_internals.sim.trace import Change, Trace


class InvariantViolated(AssertionError):
    """A judge's verdict: `invariant` is its name, `event` when it was broken."""

    def __init__(self, invariant: str, event: int, sentence: str) -> None:
        super().__init__(f"{invariant} is violated at event {event}: {sentence}")
        self.invariant, self.event, self.sentence = invariant, event, sentence

    def __reduce__(self):
        return type(self), (self.invariant, self.event, self.sentence)


class Judge(Protocol):
    """One invariant. `watches` are attribute names, without a key ("remote_log_end_offset").

    It may have `witnesses`: judges themselves, which find nothing wrong, are told before all
    judges, and may be shared.
    """

    watches: frozenset[str]

    def judge(self, change: Change, look: Callable[[str], Any]) -> str | None:
        """A sentence where the change broke the invariant; `look(subject)` gives a snapshot."""


class _Watching(dict):
    """Judges by attribute; one with a key is watched by who watches its name."""

    def __missing__(self, attribute: str) -> list[Judge]:
        judges = self[attribute] = self.get(attribute.partition(".")[0], [])
        return judges


class Trial:
    """Puts a run on trial: after each event, shows its changes to whoever watches them.

    `concerns(subject)` is False for subjects that no judge is meant for.
    """

    def __init__(self, trace: Trace, look: Callable[[str], Any], judges: list[Judge],
                 concerns: Callable[[str], bool] = lambda subject: True) -> None:
        self._trace, self._concerns = trace, concerns
        self._look, self._looked_at = cache(look), 0        # all judges, within one event
        self._seen = len(trace.changes)
        witnesses = (who for one in judges for who in getattr(one, "witnesses", ()))
        told: list[Judge] = [*dict.fromkeys(witnesses), *judges]
        self._watching = _Watching({name: [one for one in told if name in one.watches]
                                    for name in frozenset().union(*(one.watches for one in told))})

    def after_event(self, event: int) -> None:
        """Judge every change of the event that is over."""
        watching, look = self._watching, self._look
        for change in self._trace.changes[self._seen:]:
            self._seen += 1
            if (judges := watching[change[2]]) and self._concerns(change[1]):
                if event != self._looked_at:
                    self._looked_at = event
                    look.cache_clear()
                told = tuple.__new__(Change, change)
                for judge in judges:
                    if sentence := judge.judge(told, look):
                        raise InvariantViolated(type(judge).__name__, event, sentence)
