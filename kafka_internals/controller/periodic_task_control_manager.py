"""PeriodicTaskControlManager: what the active controller does by the clock.

Fence brokers that are silent, one a pass; elect where nobody leads; give leadership back; write a
record that says nothing. A task that has more to do comes again at once.
"""

from collections.abc import Callable
from typing import NamedTuple

from kafka_internals.controller.controller_result import ControllerResult

IMMEDIATE_MS = 10


class PeriodicTask(NamedTuple):
    """`op(now_ms)` decides; its response says whether there is more to do."""

    name: str
    op: Callable[[int], ControllerResult]
    period_ms: int


class PeriodicTaskControlManager:
    """Times are the world's; nothing is due before `activate`. `deadline_ms`: the next task's."""

    def __init__(self, tasks: tuple[PeriodicTask, ...]) -> None:
        self._tasks = tasks
        self._set({})

    def _set(self, due_ms: dict[str, int]) -> None:
        self.due_ms, self.deadline_ms = due_ms, min(due_ms.values(), default=None)

    def activate(self, now_ms: int) -> None:
        """Each task is due one period from now."""
        self._set({task.name: now_ms + task.period_ms for task in self._tasks})

    def deactivate(self) -> None:
        """The next active controller has its own."""
        self._set({})

    def take(self, now_ms: int) -> list[PeriodicTask]:
        """The tasks whose time has come."""
        if self.deadline_ms is None or now_ms < self.deadline_ms:
            return []
        return [task for task in self._tasks if self.due_ms[task.name] <= now_ms]

    def reschedule(self, task: PeriodicTask, immediate: bool, now_ms: int) -> None:
        """When a task that has run comes again."""
        due_ms = now_ms + (IMMEDIATE_MS if immediate else task.period_ms)
        self.due_ms[task.name] = due_ms
        self.deadline_ms = min(self.due_ms.values())
