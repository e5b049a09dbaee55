"""Who has the floor: while an application, a predicate, a judge or a view runs, the world waits.

Code that the engine calls may look, but it must not command: the event that it runs in is not over.
An application is the one exception. It may make calls on the handles that it was given, and gets
the call itself, which it yields.
"""

from typing import Any

from kafka_internals.errors import IllegalStateException

_floor: list[tuple[str, tuple]] = []


class has_the_floor:
    """Let `who` run; only calls on exactly these handles are allowed meanwhile."""

    def __init__(self, who: str, handles: tuple = ()) -> None:
        self._who = who, handles

    def __enter__(self) -> None:
        _floor.append(self._who)

    def __exit__(self, *_: object) -> None:
        _floor.pop()


def inside_application() -> bool:
    """True while an application runs."""
    return bool(_floor) and bool(_floor[-1][1])


def refuse_commands(what: str) -> None:
    """IllegalStateException where somebody has the floor."""
    if _floor:
        who = _floor[-1][0]
        raise IllegalStateException(
            f"{what} was called while {who} has the floor: it may look at the cluster, but the "
            f"event that it runs in is not over. Call {what} before or after it.")


def check_call(handle: Any, what: str) -> None:
    """A call on a handle: allowed outside, or inside the application that was given it."""
    if not _floor:
        return
    who, handles = _floor[-1]
    if not handles:
        refuse_commands(what)
    if handle not in handles:
        raise IllegalStateException(
            f"{who} called {what} on {handle.name}, which is not one of its arguments. A handle "
            f"from outside would not be the same in a fork: pass it, "
            f"cluster.run_app(application, ..., {handle.name.replace('-', '_')}).")
