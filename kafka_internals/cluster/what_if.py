"""What if: a run once more, but for one thing, with everything that was commanded afterwards.

A fork alone has no tail: what differs afterwards would differ also because nobody sends any more.
Here later commands are carried out in both futures, at the same times; in the changed one those
that make no sense there any more (to kill a broker that is dead) are left out.
"""

from collections.abc import Callable
from typing import Any

# Commands on a broker and what it has to be: up, paused; None where that does not matter.
NEEDS = {"kill": (True, None), "stop": (True, None), "power_loss": (True, None),
         "pause": (True, False), "resume": (True, True), "restart": (False, None)}


def what_if(cluster: Any, at: Any, act: Callable[[Any], Any] | None) -> tuple[Any, Any]:
    """(the run as it was, the run in which `act(changed)` happens right after `at`).

    Without an `act` nothing differs. Errors: those of the commands that `act` gives.
    """
    if act is None:
        return cluster.again(), cluster.again()
    kept, changed = cluster.fork(at)
    began = changed.event
    act(changed)
    machine, end_us = changed.machine, cluster.machine.world.now_us
    for entry in (one for one in cluster.journal.entries if one.event > began):
        _come_to(changed, entry.now_us)
        if _is_possible(machine, entry.command, dict(entry.args)):
            changed._guarded(machine.execute, entry.command, dict(entry.args))
    _come_to(changed, end_us)
    return kept, changed


def _come_to(changed: Any, now_us: int) -> None:
    """An application that fails in this future has ended, and the world goes on."""
    world = changed.machine.world
    changed._guarded(world.run_to, now_us)
    while world.halted:
        changed._guarded(world.run_to, now_us)
    changed._app_errors.clear()


def _is_possible(machine: Any, command: str, args: dict[str, Any]) -> bool:
    up, paused = NEEDS.get(command, (None, None))
    if up is None:
        return True
    node = machine.brokers[args["broker"]]
    return node.up is up and (paused is None or node.paused is paused)
