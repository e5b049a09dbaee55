"""The purgatory: the whole grid of its table, keys, deadlines, and once only."""

import pytest

from kafka_internals.messages import Request
from kafka_internals.server.delayed_operation import (
    TRANSITIONS,
    DelayedOperation,
    DelayedOperationPurgatory,
)

STATES = ("TRIED", "WATCHED", "COMPLETED", "EXPIRED")
EVENTS = ("condition holds", "must wait", "deadline passes")
LEGAL = {("TRIED", "condition holds"): "COMPLETED", ("TRIED", "must wait"): "WATCHED",
         ("WATCHED", "condition holds"): "COMPLETED", ("WATCHED", "deadline passes"): "EXPIRED"}


class Operation(DelayedOperation):
    """Holds when told so, and counts its ends."""

    def __init__(self, deadline_ms: int = 100) -> None:
        super().__init__(Request.of("c", 1, None), deadline_ms)
        self.holds, self.ends = False, []

    def can_complete(self) -> bool:
        return self.holds

    def complete(self, now_ms: int) -> list:
        self.ends.append((self.state, now_ms))
        return []


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("event", EVENTS)
def test_the_whole_grid(state, event):
    operation = Operation()
    operation.state = state
    if (state, event) in LEGAL:
        operation.take(event, ())
        assert operation.state == LEGAL[state, event] == TRANSITIONS[state, event]
    else:
        with pytest.raises(KeyError):
            operation.take(event, ())
        assert operation.state == state


def test_what_holds_at_once_is_never_parked():
    purgatory, operation = DelayedOperationPurgatory(), Operation()
    operation.holds = True
    purgatory.try_complete_else_watch(operation, ("a",), 1)
    assert operation.ends == [("COMPLETED", 1)] and purgatory.parked() == []
    assert purgatory.next_deadline_ms() is None


def test_it_ends_once_by_whichever_key_comes_first():
    purgatory, operation = DelayedOperationPurgatory(), Operation()
    purgatory.try_complete_else_watch(operation, ("a", "b"), 1)
    purgatory.check_and_complete("a", 2)
    assert operation.ends == [] and purgatory.parked() == [operation]
    operation.holds = True
    for key in ("b", "a", "b"):
        purgatory.check_and_complete(key, 3)
    purgatory.tick(100)
    assert operation.ends == [("COMPLETED", 3)] and purgatory.parked() == []


def test_it_expires_at_its_deadline_and_not_before():
    purgatory, operation = DelayedOperationPurgatory(), Operation(deadline_ms=50)
    purgatory.try_complete_else_watch(operation, ("a",), 1)
    assert purgatory.next_deadline_ms() == 50
    purgatory.tick(49)
    assert operation.ends == []
    purgatory.tick(50)
    operation.holds = True
    purgatory.check_and_complete("a", 51)
    assert operation.ends == [("EXPIRED", 50)]


def test_another_key_does_not_wake_it():
    purgatory, operation = DelayedOperationPurgatory(), Operation()
    purgatory.try_complete_else_watch(operation, ("a",), 1)
    operation.holds = True
    assert purgatory.check_and_complete("z", 2) == [] and operation.ends == []
