"""One figure of the bench beside its goal, and how several measures become one."""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

ROUNDS = 7


class Missing(Exception):
    """One line: what is not on this machine, so that a figure cannot be had."""


class Figure(NamedTuple):
    """One line: what it is, how much, in what unit, whether at least or at most is wanted, more.

    Without a goal it is there to compare with.
    """

    name: str
    value: float
    unit: str = ""
    least: float | None = None
    most: float | None = None
    note: str = ""

    @property
    def met(self) -> bool:
        """True where the goal is reached, or there is none."""
        return (self.least is None or self.value >= self.least) \
            and (self.most is None or self.value <= self.most)

    def __str__(self) -> str:
        goal = f">= {self.least:g}" if self.least is not None else \
            f"<= {self.most:g}" if self.most is not None else "-"
        said = "-" if goal == "-" else "met" if self.met else "MISSED"
        number = f"{self.value:.0f}" if self.value >= 1000 else f"{self.value:.3g}"
        return (f"{self.name:<55}{number:>8} {self.unit:<3}{goal:>8}  {said:<6}  "
                f"{self.note}").rstrip()


def seconds(act: Callable, times: int = 1) -> float:
    """How long `times` calls take, each."""
    began = time.perf_counter()
    for _ in range(times):
        act()
    return (time.perf_counter() - began) / times


def interleaved(*acts: Callable[[], float], rounds: int = ROUNDS) -> list[list[float]]:
    """One column of measures for each act; the acts take turns."""
    rows = [[act() for act in acts] for _ in range(rounds)]
    return [list(column) for column in zip(*rows, strict=True)]


def best(act: Callable[[], float], rounds: int = ROUNDS) -> float:
    """The least of so many times: whatever else the machine does only ever adds to one."""
    return min(act() for _ in range(rounds))


def ratio(above: list[float], below: list[float]) -> float:
    """The median of the ratios of each round."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))
