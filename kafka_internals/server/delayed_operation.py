"""The purgatory: operations that wait for a condition without holding a thread.

Kafka's DelayedOperationPurgatory. An operation is tried once; if its condition does not hold, it is
put on the watch list of every key that could change that, and gets a deadline. Whoever changes
something calls `check_and_complete(key)`. An operation ends exactly once: by its condition, or by
its deadline. What "ends" means is the operation's own business (`complete`).
"""

from collections import defaultdict
from collections.abc import Hashable
from heapq import heappop, heappush
from typing import Any, NamedTuple

from kafka_internals.common import Changed, Wait

# fmt: off
TRANSITIONS = {                                      # a pair that is absent is a bug
    ("TRIED",    "condition holds"):  "COMPLETED",   # answered at once: nobody waits
    ("TRIED",    "must wait"):        "WATCHED",     # parked, with a deadline
    ("WATCHED",  "condition holds"):  "COMPLETED",   # whoever changed something completes it
    ("WATCHED",  "deadline passes"):  "EXPIRED",     # answered with what there is by then
}
# fmt: on
RULE = "DelayedOperation: completed once, by its condition or by its deadline"


class DelayedOperationSnapshot(NamedTuple):
    """One parked operation: whose request it is, its state and what it waits for.

    A fetch waits for any of `waits`, and then for `min_bytes` in all.
    """

    request: str
    kind: str
    state: str
    deadline_ms: int
    waits: tuple[Wait, ...]
    min_bytes: int = 0


class DelayedOperation:
    """A request that is parked. Subclasses say when it can complete and what it answers then."""

    kind = "DelayedOperation"
    min_bytes = 0

    def __init__(self, request: Any, deadline_ms: int) -> None:
        self.request, self.deadline_ms = request, deadline_ms
        self.subject = f"parked-{request.id[8:]}"
        self.state = "TRIED"

    def can_complete(self) -> bool:
        """True where the condition holds now."""
        raise NotImplementedError

    def complete(self, now_ms: int) -> list:
        """Effects that end the operation, by condition or deadline; the state tells which."""
        raise NotImplementedError

    def reads(self) -> tuple:
        """What the condition was read from, for "why?"."""
        return ()

    def parked_by(self) -> tuple:
        """What it was parked for beside the question, for "why?"."""
        return ()

    def waits(self) -> tuple[Wait, ...]:
        """What is still missing."""
        return ()

    def take(self, event: str, reads: tuple) -> Changed:
        """Move along the table; the change names what was read."""
        old, self.state = self.state, TRANSITIONS[self.state, event]
        return Changed(self.subject, "state", old, self.state, RULE, reads)

    def snapshot(self) -> DelayedOperationSnapshot:
        """Frozen."""
        return DelayedOperationSnapshot(self.request.id, self.kind, self.state, self.deadline_ms,
                                        self.waits(), self.min_bytes)


class DelayedOperationPurgatory:
    """All waiting operations of one kind, by what could wake them and by deadline."""

    def __init__(self) -> None:
        self._watchers: defaultdict[Hashable, list[DelayedOperation]] = defaultdict(list)
        self.deadlines: list[tuple[int, int, DelayedOperation]] = []    # also of what has ended
        self._ticket = 0

    def try_complete_else_watch(self, operation: DelayedOperation, keys: tuple,
                                now_ms: int) -> list:
        """Complete the operation now, or park it under every key until its deadline."""
        if operation.can_complete():
            reads = operation.request.reads + operation.reads()
            return [operation.take("condition holds", reads), *operation.complete(now_ms)]
        return self.watch(operation, keys)

    def watch(self, operation: DelayedOperation, keys: tuple) -> list[Changed]:
        """Park an operation whose condition does not hold."""
        for key in keys:
            self._watchers[key].append(operation)
        self._ticket += 1
        heappush(self.deadlines, (operation.deadline_ms, self._ticket, operation))
        return [operation.take("must wait", operation.request.reads + operation.parked_by())]

    def check_and_complete(self, key: Hashable, now_ms: int) -> list:
        """Something about `key` changed: complete every operation whose condition holds now."""
        watching = self._watchers.get(key)
        if not watching:
            return []
        effects = []
        for operation in watching:
            if operation.state == "WATCHED" and operation.can_complete():
                effects.append(operation.take("condition holds", operation.reads()))
                effects += operation.complete(now_ms)
        self._watchers[key] = [op for op in watching if op.state == "WATCHED"]
        return effects

    def tick(self, now_ms: int) -> list:
        """Expire what has waited until its deadline."""
        effects = []
        while self.deadlines and self.deadlines[0][0] <= now_ms:
            operation = heappop(self.deadlines)[2]
            if operation.state == "WATCHED":
                effects.append(operation.take("deadline passes", operation.request.reads))
                effects += operation.complete(now_ms)
        return effects

    def next_deadline_ms(self) -> int | None:
        """The earliest deadline of an operation that still waits."""
        while self.deadlines and self.deadlines[0][2].state != "WATCHED":
            heappop(self.deadlines)
        return self.deadlines[0][0] if self.deadlines else None

    def parked(self) -> list[DelayedOperation]:
        """Every operation that waits, in the order in which their deadlines were set."""
        waiting = [(ticket, op) for _, ticket, op in self.deadlines if op.state == "WATCHED"]
        return [op for _, op in sorted(waiting)]
