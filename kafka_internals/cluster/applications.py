"""Applications: generator functions of the learner's that run inside the world.

An application goes on whenever the call that it yielded has ended, within that event. It takes its
handles as arguments; one from a closure or a global would be the wrong one in a fork.
"""

import inspect
from collections.abc import Callable
from typing import Any

from kafka_internals.cluster.floor import has_the_floor
from kafka_internals.cluster.handles import Call, Consumer, Handle, Producer, Topic
from kafka_internals.errors import IllegalStateException


def check_application(application: Callable, handles: tuple) -> None:
    """A generator function whose handles are all among its arguments; else the fix is named."""
    name = getattr(application, "__name__", repr(application))
    if not inspect.isgeneratorfunction(application):
        raise IllegalStateException(
            f"{name} is not a generator function: an application waits by yielding a call, "
            f"`records = yield consumer.poll(100)`")
    for handle in handles:
        if not isinstance(handle, (Producer, Consumer, Topic)):
            raise IllegalStateException(f"{name} was given {handle!r}: an application's arguments "
                                        f"are producers, consumers and topics of this cluster")
    outside = inspect.getclosurevars(application)
    for variable, value in sorted({**outside.globals, **outside.nonlocals}.items()):
        if isinstance(value, Handle) or hasattr(value, "client_call"):
            raise IllegalStateException(
                f"{name} uses {variable} from outside: in a fork that would still be the old one. "
                f"Make it an argument: def {name}(..., {variable}) and run_app({name}, ..., "
                f"{variable})")


CALLS_AT_ONE_INSTANT = 10_000


class Application:
    """One running application."""

    def __init__(self, name: str, application: Callable, handles: list[Handle],
                 failed: Callable[[Exception], None]) -> None:
        self.name, self._failed = name, failed
        self.ended, self._advancing = False, False
        self._waits_for: Call | None = None
        self._floor = has_the_floor(f"the application {name}", tuple(handles))
        with self._floor:
            self._generator = application(*handles)

    def advance(self) -> None:
        """Go on as long as nothing is waited for. An error ends it; the waiting call raises it."""
        if self.ended or self._advancing:
            return
        self._advancing = True
        try:
            calls = 0
            while not self.ended and (self._waits_for is None or self._waits_for.done()):
                self._go_on()
                calls += 1
                if calls == CALLS_AT_ONE_INSTANT:
                    self._end(IllegalStateException(
                        f"{self.name} made {calls} calls while no time passed: yield one that "
                        f"waits, like consumer.poll(100)"))
        finally:
            self._advancing = False

    def _go_on(self) -> None:
        with self._floor:
            try:
                self._waits_for = self._checked(self._resume())
            except StopIteration:
                self.ended = True
            except Exception as error:
                self._end(error)

    def _end(self, error: Exception) -> None:
        self.ended = True
        self._failed(error)

    def _resume(self) -> Any:
        if self._waits_for is None:
            return next(self._generator)
        try:
            value = self._waits_for.value()
        except Exception as error:
            return self._generator.throw(error)
        return self._generator.send(value)

    def _checked(self, yielded: Any) -> Call:
        if not isinstance(yielded, Call):
            raise IllegalStateException(
                f"{self.name} yielded {yielded!r}: an application yields a call, like "
                f"consumer.poll(100) or receipt.get()")
        return yielded
