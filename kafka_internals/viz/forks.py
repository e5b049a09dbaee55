"""What can be changed at any moment of a film, and the film of both futures that comes of it.

The player asks: a moment, one change, how much longer. The run is executed twice more, as it was
and with that change, each with everything that was commanded later; both are filmed by the view
that made the film. What makes no sense at that moment is refused in the engine's own words.
"""

from collections.abc import Callable
from typing import Any

from kafka_internals.viz import futures

LONGER = ((0, "as long as this film"), (1_000, "1 s longer"), (10_000, "10 s longer"),
          (30_000, "30 s longer"))
NOTHING = "nothing"
SUBJECTS_OF = (("log end", "log_end_offset"), ("high watermark", "high_watermark"))
WRITTEN = (("leader", "leader"), ("leader epoch", "leader_epoch"), ("ISR", "isr"), ("ELR", "elr"))
Act = Callable[[Any], Any]


class Forks:
    """The forks of one film. `cluster` may go on: a fork begins with the run that was filmed."""

    def __init__(self, view: Any, cluster: Any, subject: Any, since: int,
                 upto: int | None) -> None:
        self._view, self._subject, self._since = view, subject, since
        self._run = cluster.again() if upto in (None, cluster.event) else cluster.again(upto=upto)
        self._controller = next((name for name in cluster.subjects()
                                 if name.startswith("controller-")), "")
        self._brokers, names = cluster.setup.brokers, cluster.subjects()
        self._written = f"{subject}@{self._controller}"
        self._is_partition = self._written in names
        self._changes = {id: (label, act) for id, label, act in self._possible()}

    def _possible(self) -> list[tuple[str, str, Act | None]]:
        brokers = self._brokers
        found: list[tuple[str, str, Act | None]] = [(NOTHING, "nothing", None)]
        if self._is_partition:
            found.append(("leader", f"kill the leader of {self._subject}", self._kill_leader))
        found += [(f"kill-{one}", f"kill broker {one}", lambda c, one=one: c.kill(one))
                  for one in brokers]
        found += [(f"pause-{one}", f"pause broker {one}", lambda c, one=one: c.pause(one))
                  for one in brokers]
        found += [(f"alone-{one}", f"cut broker {one} off from brokers and controller",
                   lambda c, one=one: c.partition({one}, self._others(one))) for one in brokers]
        found += [(f"link-{one}-{other}", f"cut the link between brokers {one} and {other}",
                   lambda c, one=one, other=other: c.partition({one}, {other}))
                  for one in brokers for other in brokers if one < other]
        return [*found, ("lose", "lose every message that is on its way", _lose)]

    def _others(self, broker: int) -> list[Any]:
        return [one for one in self._brokers if one != broker] + [self._controller]

    def _kill_leader(self, changed: Any) -> None:
        leader = changed.look(self._written).leader
        if leader < 0:
            raise ValueError(f"nobody leads {self._subject} at this moment: choose a broker")
        changed.kill(leader)

    @property
    def offered(self) -> dict[str, list]:
        """What the player shows: [id, words] of each change, [ms, words] of each length."""
        return {"changes": [[id, label] for id, (label, _) in self._changes.items()],
                "longer": [list(one) for one in LONGER]}

    def film(self, event: Any, change: Any, longer_ms: Any) -> dict:
        """Both futures from the event on, as a film that shows the fork first.

        Errors: ValueError for what was not offered; those of the command.
        """
        if change not in self._changes or longer_ms not in dict(LONGER):
            raise ValueError(f"{change!r} for {longer_ms!r} ms longer was not offered")
        label, act = self._changes[change]
        both = self._run.what_if(event, act)
        for one in both:
            one.run(ms=longer_ms)
        made = futures.data(self._view, *both, self._subject, titles=("as it was", label),
                            compare=self._compared(), title=None, since=self._since)
        return made | {"telling": self._moment(made)}

    def _compared(self) -> dict[str, tuple[str, str]]:
        brokers = {f"broker {one}": (f"broker-{one}", "state") for one in self._brokers}
        if not self._is_partition:
            return brokers
        replicas = self._run.look(self._written).replicas
        return brokers | {name: (self._written, attribute) for name, attribute in WRITTEN} | {
            f"{name}, broker {one}": (f"{self._subject}@{one}", attribute)
            for one in replicas for name, attribute in SUBJECTS_OF}

    @staticmethod
    def _moment(made: dict) -> int:
        """The last frame that both futures share."""
        frames = made["frames"]["truth"]
        shared = [frame["event"] for frame in frames if "lane" not in frame]
        return shared[-1] if shared else made["telling"]


def _lose(changed: Any) -> None:
    """Also those that come later on the same connections, as TCP has it."""
    now_us = changed.now_ms * 1000
    for flight in changed.trace.flights:
        if flight[6] is not None and flight[6] > now_us:
            changed.drop(flight[1])
