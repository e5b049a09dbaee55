"""A boss exercise: a reader's function, graded against many cases, shortest first.

A wrong answer comes back as the shortest case that it fails, as a sentence and a film. What a call
may do is bounded in rounds: turns of loops, and calls of functions, counted by the interpreter, so
that an endless loop ends after the same number everywhere. What loops inside one C function, as
`sum(itertools.count())` does, is not seen.
"""

import linecache
import opcode
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from types import FrameType
from typing import Any, NamedTuple

ROUNDS = 500_000                            # turns of loops, and calls, in one call


class Case(NamedTuple):
    """One question to an answer: arguments, what is right, and what it is called in a sentence.

    Shorter cases come first: `size` is what makes one long. `about` is for whoever explains.
    """

    name: str
    args: tuple
    right: Any
    size: int
    about: Any = None


class Called(NamedTuple):
    """What a call gave: `how` is "returned", "raised" or "stopped" (after too many rounds)."""

    how: str
    value: Any = None


class Exercise(NamedTuple):
    """What is asked. `explain(case, given)` says what a wrong value would do; `film` plays it.

    `kind` is the type that a right answer has, `unit` what it counts, for the sentences. `ask`
    makes of an answer and a case's arguments what is judged (by default: calls it once), and
    `accepts(case, given)` judges it (by default: it has to equal `right`). Where a whole run asks
    the answer, `ask` gives a Called: it bounds each call of the answer, and not the engine's.
    """

    name: str
    cases: tuple[Case, ...]
    kind: type
    unit: str
    explain: Callable[[Case, Any], str]
    film: Callable[[Case, Any], Any]
    solution: str
    praise: str
    ask: Callable[..., Any] = lambda answer, *args: answer(*args)
    accepts: Callable[[Case, Any], bool] = lambda case, given: given == case.right
    bounds_itself: bool = False


class Verdict:
    """What grading found: `passed` or not, one sentence, and the film of the failing case.

    `passed` is None where nothing was attempted. `solution` is there once something was.
    """

    def __init__(self, passed: bool | None, sentence: str, case: Case | None = None,
                 film: Any = None, solution: str = "") -> None:
        self.passed, self.sentence, self.case = passed, sentence, case
        self.film, self.solution = film, solution

    def __repr__(self) -> str:
        return self.sentence

    def _repr_html_(self) -> str:
        look = {None: "", True: "ki-won", False: "ki-lost"}[self.passed]
        fold = (f"<details><summary>One solution</summary><pre>{escape(self.solution)}</pre>"
                f"</details>" if self.solution else "")
        return f"<div class='ki-verdict {look}'><p>{escape(self.sentence)}</p>{fold}</div>"

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display({"text/plain": repr(self), "text/html": self._repr_html_()}, raw=True)
        if self.film is not None:
            display(self.film)


def grade(answer: Callable, exercise: Exercise, rounds: int = ROUNDS) -> Verdict:
    """Ask `answer` all cases, the shortest first, up to the first that it fails.

    An answer that gives None for the first case counts as not attempted. TypeError for something
    that cannot be called.
    """
    if not callable(answer):
        raise TypeError(f"grade() takes the function {exercise.name}, not what it gives: "
                        f"{answer!r} cannot be called")
    cases = sorted(exercise.cases, key=lambda case: case.size)
    for number, case in enumerate(cases):
        called = exercise.ask(answer, *case.args, rounds) if exercise.bounds_itself else \
            bounded(partial(exercise.ask, answer), case.args, rounds)
        if number == 0 and called == Called("returned", None):
            return Verdict(None, f"Not attempted yet: {exercise.name}() gives None. It will be "
                                 f"asked {len(cases)} cases; write it, and run this cell again.")
        if (wrong := _wrong(answer, called, case, exercise, rounds)) is not None:
            film = exercise.film(case, called.value if _is_answer(called, exercise) else None)
            return Verdict(False, f"{_capital(case.name)}: {wrong}", case, film, exercise.solution)
    return Verdict(True, f"All {len(cases)} cases are right. {exercise.praise}",
                   solution=exercise.solution)


def _is_answer(called: Called, exercise: Exercise) -> bool:
    return called.how == "returned" and type(called.value) is exercise.kind


def _wrong(answer: Callable, called: Called, case: Case, exercise: Exercise,
           rounds: int) -> str | None:
    """What is wrong with a call, in words; None where it is right."""
    if called.how == "stopped":
        return (f"{exercise.name}() was stopped after {rounds:,} rounds: a loop in it does "
                f"not come to an end.")
    if called.how == "raised":
        return f"{exercise.name}() raised {_raised(answer, called.value)}"
    if not _is_answer(called, exercise):
        return (f"{exercise.name}() gave {_short(called.value)}, of type "
                f"{type(called.value).__name__}; {exercise.unit} is of type "
                f"{exercise.kind.__name__}.")
    return None if exercise.accepts(case, called.value) else exercise.explain(case, called.value)


def _raised(answer: Callable, error: BaseException) -> str:
    """The error, and the last line of the reader's own that it came through."""
    code, at, trace = getattr(answer, "__code__", None), None, error.__traceback__
    while trace is not None:
        if code is not None and trace.tb_frame.f_code.co_filename == code.co_filename:
            at = trace.tb_lineno, trace.tb_frame.f_code
        trace = trace.tb_next
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if at is None:
        return f"{said}."
    line, inside = at
    text = linecache.getline(code.co_filename, line).strip()
    place = f"in line {line - inside.co_firstlineno + 1} of {inside.co_name}()"
    return f"{said} ({place}{f': {text}' if text else ''})."


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


# -- the bound -----------------------------------------------------------------------------------
class _Stopped(BaseException):
    """Raised at each further round, so that no `except:` holds it for long."""


def bounded(answer: Callable, args: Sequence, rounds: int = ROUNDS) -> Called:
    """Call `answer(*args)`, for at most so many turns of loops and calls of functions."""
    run = _monitored if sys.version_info >= (3, 12) else _traced
    return run(lambda: answer(*args), rounds)


def _monitored(act: Callable[[], Any], rounds: int) -> Called:
    """From Python 3.12 on: sys.monitoring tells of each jump and each start of a function."""
    monitoring, thread, left = sys.monitoring, threading.get_ident(), rounds
    tool = next(n for n in range(5, -1, -1) if monitoring.get_tool(n) is None)
    events = monitoring.events

    def turned(*_: Any) -> None:
        nonlocal left
        if threading.get_ident() == thread:
            left -= 1
            if left < 0:
                raise _Stopped

    def jumped(code: Any, start: int, to: int) -> None:
        if to <= start:
            turned()

    monitoring.use_tool_id(tool, "exercise")
    try:
        for event, told in ((events.JUMP, jumped), (events.PY_START, turned),
                            (events.PY_RESUME, turned)):
            monitoring.register_callback(tool, event, told)
        monitoring.set_events(tool, events.JUMP | events.PY_START | events.PY_RESUME)
        try:
            how, value = "returned", act()
        except _Stopped:
            left = rounds                   # a jump of ours would be one round more
            how, value = "stopped", None
        except KeyboardInterrupt:           # the reader's own
            left = rounds
            raise
        except BaseException as error:      # an answer may raise whatever it likes
            left = rounds
            how, value = "raised", error
        monitoring.set_events(tool, 0)      # before anything is called, for the same reason
        return Called(how, value)
    finally:
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)


def _traced(act: Callable[[], Any], rounds: int) -> Called:
    """Python 3.11: a tracer that raised would be taken away, and the answer could go on.

    So the call has a thread of its own, which is left standing in its tracer.
    """
    ended, found, left = threading.Event(), [], rounds
    turns = {number for name, number in opcode.opmap.items() if "JUMP_BACKWARD" in name}

    def told(frame: FrameType, event: str, _: Any) -> Callable:
        nonlocal left
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        left -= event == "call" or (event == "opcode"
                                    and frame.f_code.co_code[frame.f_lasti] in turns)
        if left < 0:
            found.append(Called("stopped"))
            ended.set()
            threading.Event().wait()
        return told

    def call() -> None:
        sys.settrace(told)
        try:
            how, value = "returned", act()
        except BaseException as error:
            how, value = "raised", error
        sys.settrace(None)
        found.append(Called(how, value))
        ended.set()

    threading.Thread(target=call, name="an answer", daemon=True).start()
    ended.wait()
    return found[0]
