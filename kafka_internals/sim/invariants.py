"""Judges: what must hold after every event, by name.

A judge names the attributes that it watches, is called only with changes of those, and raises
`InvariantViolated` with one plain sentence. It looks at what changed and at the snapshots of those
subjects, never at the whole world: a judge that rescans everything makes the search slow.
"""

from collections.abc import Callable
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
    """One invariant. `watches` are attribute names, without a key ("remote_log_end_offset")."""

    watches: frozenset[str]

    def judge(self, change: Change, look: Callable[[str], Any]) -> str | None:
        """A sentence where the change broke the invariant; `look(subject)` gives a snapshot."""


class Trial:
    """Puts a run on trial: after each event, shows its changes to whoever watches them.

    `concerns(subject)` is False for subjects that no judge is meant for.
    """

    def __init__(self, trace: Trace, look: Callable[[str], Any], judges: list[Judge],
                 concerns: Callable[[str], bool] = lambda subject: True) -> None:
        self._trace, self._snapshot, self._concerns = trace, look, concerns
        self._looked: dict[str, Any] = {}                   # by all judges, within one event
        self._seen = len(trace.changes)
        self._judges = judges
        self._watching: dict[str, list[Judge]] = {}         # by attribute, as they turn up

    def _look(self, subject: str) -> Any:
        if subject not in self._looked:
            self._looked[subject] = self._snapshot(subject)
        return self._looked[subject]

    def after_event(self, event: int) -> None:
        """Judge every change of the event that is over."""
        changes, watching, self._looked = self._trace.changes, self._watching, {}
        while self._seen < len(changes):
            change = changes[self._seen]
            self._seen += 1
            if (judges := watching.get(change[2])) is None:
                judges = watching[change[2]] = [
                    one for one in self._judges if change[2].partition(".")[0] in one.watches]
            if not judges or not self._concerns(change[1]):
                continue
            told = Change._make(change)
            for judge in judges:
                if sentence := judge.judge(told, self._look):
                    raise InvariantViolated(type(judge).__name__, event, sentence)
