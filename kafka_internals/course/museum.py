"""The truncation museum: designs that Kafka had, the hole that each has, and what closed it.

A hole is not told but found: schedules are played under a design until a judge says what broke,
and the schedule is made as short as it goes. Then the same steps are played under the design that
came next.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from kafka_internals.cluster import words
from kafka_internals.course.failovers import Played, Step, failovers, outages, play, quarrels
from kafka_internals.sim.journal import Journal, shrunk
from kafka_internals.viz.player import Player
from kafka_internals.viz.replication_view import replication_view


class Design(NamedTuple):
    """A design: its rule, how it is brought back, and what makes the schedules that test it.

    `setup` are arguments of `play`; `first` is the seed that a search begins with.
    """

    name: str
    rule: str
    setup: dict[str, Any]
    schedules: Callable[[int], tuple[Step, ...]] = failovers
    first: int = 0


SAFE = Design("diverging epochs", "the leader answers a fetch with an epoch and where that ended; "
              "who does not know that epoch cuts further, and is told again (KIP-279, KIP-595)", {})
KIP_101 = Design("epochs without names", "a follower asks where its last epoch ended, and cuts "
                 "there, whichever epoch the answer is about (KIP-101, until 2.0)",
                 {"unsafe": {"truncation": "kip-101"}}, quarrels, first=20)
HIGH_WATERMARK = Design("the high watermark", "a follower of a new leader cuts its log to its own "
                        "high watermark (until 0.11)", {"unsafe": {"truncation": "hw"}}, first=84)
ELR = Design("eligible leader replicas", "who left the ISR when it fell below "
             "min.insync.replicas may still lead, unless it stopped uncleanly (KIP-966)",
             {"has_elr": True, "min_isr": 2}, outages)
LAST_REPLICA = Design("the last replica standing", "the last member of the ISR stays in it, "
                      "whatever its disk has lost (until 4.0)", {"min_isr": 2}, outages, first=40)
NO_GATE = Design("eligible leaders, and a mark that moves on", "eligible leader replicas, but the "
                 "high watermark moves while the ISR is below min.insync.replicas",
                 {"has_elr": True, "min_isr": 2, "unsafe": {"min_isr_gate": False}}, outages,
                 first=40)
NEXT = {HIGH_WATERMARK.name: KIP_101, KIP_101.name: SAFE, LAST_REPLICA.name: ELR,
        NO_GATE.name: ELR}


class Hole:
    """A schedule that breaks a design: `steps`, as few as there can be, and what broke."""

    def __init__(self, design: Design, seed: int, tried: int, played: Played) -> None:
        self.design, self.seed, self.tried = design, seed, tried
        self.steps, self.played, self._closed = played.steps, played, None
        self.invariant, self.sentence = self.played.violated.invariant, self.played.violated.args[0]

    @property
    def cluster(self) -> Any:
        """What it happened to, up to the event that broke it."""
        return self.played.cluster

    def film(self, view: Any = replication_view) -> Player:
        """The schedule, played."""
        return self.cluster.film(view, "orders-0", title=f"The hole in {self.design.name}")

    def under(self, design: Design) -> Played:
        """The same steps under another design."""
        return play(self.steps, **design.setup)

    def closed(self) -> Played:
        """The same steps under the design that came next; played once."""
        self._closed = self._closed or self.under(NEXT[self.design.name])
        return self._closed

    def commands(self) -> list[str]:
        """What was done, a line each, with its time in ms."""
        return [f"{entry.now_us / 1000:7.0f} ms  {words.command(entry.command, dict(entry.args))}"
                for entry in self.cluster.journal.entries if entry.now_us >= 0]

    def __repr__(self) -> str:
        after = f", after {self.tried - 1} that it survived" * (self.tried > 1)
        return "\n".join([f"{self.design.name}: {self.design.rule}.",
                          f"Broken by seed {self.seed}{after}; made short:",
                          *self.commands(), self.sentence])


def search(design: Design, seeds: Iterable[int] | None = None) -> Hole:
    """Play schedules under a design until one breaks it. LookupError where none of 200 does."""
    first = design.first
    for tried, seed in enumerate(range(first, first + 200) if seeds is None else seeds, 1):
        played = play(design.schedules(seed), **design.setup)
        if played.violated is not None:
            return Hole(design, seed, tried, shortest(design, played))
    raise LookupError(f"no schedule of these seeds breaks {design.name!r}: {design.rule}")


def shortest(design: Design, broken: Played) -> Played:
    """As few of its steps as still break the same invariant, played."""
    known = {broken.steps: broken}

    def breaks(shorter: Journal) -> bool:
        steps = shorter.entries
        if steps not in known:
            known[steps] = play(steps, **design.setup)
        violated = known[steps].violated
        return violated is not None and violated.invariant == broken.violated.invariant

    return known[shrunk(Journal(broken.steps), breaks).entries]
