"""Failovers: short schedules of a partition whose leaders die, and what replicas make of it.

A schedule is a list of steps, so that it can be played again: under another rule (a design in the
museum, a reader's own decision), or without some of its steps, which is how a found one is made
short. Time is tightened: a broker's session is over after a second, marks reach the disk five
times a second. ELR is off, as in the years that the museum shows.
"""

from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from kafka_internals.cluster.cluster import BrokenRunException, Cluster
from kafka_internals.cluster.invariants import is_judged, listening
from kafka_internals.cluster.replication_judges import (
    CommittedNeverLost,
    ConsistentRead,
    LogMatching,
)
from kafka_internals.common import TopicPartition, replica_name
from kafka_internals.errors import TimeoutException
from kafka_internals.sim.collector import no_collector
from kafka_internals.sim.invariants import InvariantViolated, Trial
from kafka_internals.sim.world import World

PARTITION = TopicPartition("orders", 0)
CONFIGS = {"broker.session.timeout.ms": 1_000, "broker.heartbeat.interval.ms": 300,
           "replica.fetch.backoff.ms": 100, "replica.high.watermark.checkpoint.interval.ms": 200}
CLIENT = {"request.timeout.ms": 900, "delivery.timeout.ms": 2_500, "retry.backoff.ms": 20}
SETTLED_MS = 4_000


class Step(NamedTuple):
    """One thing that is done: its name and its numbers."""

    name: str
    args: tuple[int, ...] = ()


class Played(NamedTuple):
    """A schedule that was played: the cluster, and what was violated (None: nothing).

    `steps` are those that were begun: nothing behind them had to do with a violation.
    """

    cluster: Cluster
    violated: InvariantViolated | None
    steps: tuple[Step, ...]


def failovers(seed: int, terms: int = 3) -> tuple[Step, ...]:
    """So many leaders; replicas are slow now and then, and who has died comes back."""
    draw = World(seed).draw("failovers", "steps")
    steps: list[Step] = []
    for _ in range(terms):
        steps += [Step("slow", (1 + draw(3), 500 * draw(6))) for _ in range(draw(3))]
        steps += [Step("send", (1 + draw(2), (1, 40)[draw(2)])) for _ in range(draw(3))]
        steps += [Step("wait", (1_000,)) for _ in range(not draw(4))]
        steps += [Step("slow", (1 + draw(3), 500 * draw(6))) for _ in range(draw(2))]
        steps += [Step("fail", (10 ** draw(3),))]
        steps += [Step("restart", (draw(3),)) for _ in range(draw(3))]
    return tuple(steps)


def quarrels(seed: int, terms: int = 2) -> tuple[Step, ...]:
    """Leaders die while one replica is behind: who leads next lacks what another has."""
    draw = World(seed).draw("quarrels", "steps")
    steps: list[Step] = []
    for term in range(terms):
        steps += [Step("send", (1 + draw(2), (1, 40)[draw(2)]))]
        steps += [Step("slow", (1 + (term + 1) % 3, 1_000 + 500 * draw(4)))]
        steps += [Step("send", (1 + draw(2), (1, 40)[draw(2)]))]
        steps += [Step("wait", (700 * draw(4),))]
        steps += [Step("slow", (1 + (term + 2) % 3, 500 * draw(4)))]
        steps += [Step("send", (1, 1))]
        steps += [Step("fail", (10 ** draw(3),))]
        steps += [Step("restart", (draw(3),)) for _ in range(draw(3))]
    return tuple(steps)


def outages(seed: int, terms: int = 4) -> tuple[Step, ...]:
    """Brokers stop, in good order, one after another; one that leads loses its power."""
    draw = World(seed).draw("outages", "steps")
    steps: list[Step] = []
    dark = draw(terms)
    for term in range(terms):
        steps += [Step("send", (1 + draw(2), (1, 40)[draw(2)])) for _ in range(1 + draw(2))]
        steps += [Step("dark" if term == dark else ("retire", "leave")[draw(2)], (100 * draw(4),))]
        steps += [Step("wait", (1_500,)) for _ in range(draw(2))]
        steps += [Step("restart", (draw(3),)) for _ in range(draw(2))]
    return tuple(steps)


class _Play:
    """Plays steps on three brokers. `unsafe` are switches of `Rules`."""

    def __init__(self, unsafe: dict[str, Any], features: dict[str, int],
                 min_isr: int) -> None:
        self.cluster = Cluster(seed=7, configs=CONFIGS, unsafe=unsafe, features=features)
        self.cluster.create_topic("orders", configs={"min.insync.replicas": min_isr},
                                  replica_assignment={0: [1, 2, 3]})
        self._shop = self.cluster.producer("shop", linger_ms=0, acks="1",
                                           enable_idempotence=False, max_block_ms=500,
                                           configs=CLIENT)
        self._sent, self._slowed = 0, set()
        self.begun = 0

    def play(self, steps: tuple[Step, ...]) -> None:
        """All of them; then everything heals and settles."""
        for step in steps:
            self.begun += 1
            getattr(self, f"_{step.name}")(*step.args)
        for broker, node in self.cluster.machine.brokers.items():
            self._slow(broker, 0)
            if not node.up:
                self.cluster.restart(broker)
        self._settle()

    def _settle(self) -> None:
        """Until nothing is left to be made equal, or time is over."""
        with suppress(TimeoutException):
            self.cluster.run_until(self._is_settled, SETTLED_MS)

    def _is_settled(self) -> bool:
        """All are in sync, and know the same of the same records."""
        machine = self.cluster.machine
        if len(machine.image.partition(PARTITION).isr) < len(machine.brokers):
            return False
        logs = [machine.look(replica_name(PARTITION, broker)) for broker in machine.brokers]
        return all(log is not None and log.high_watermark == log.log_end_offset for log in logs) \
            and len({(log.log_end_offset, log.leader_epoch) for log in logs}) == 1

    def _send(self, count: int, pause_ms: int) -> None:
        for _ in range(count):
            self._sent += 1
            self._shop.send("orders", f"order {self._sent}")
            self.cluster.run(ms=pause_ms)

    def _fail(self, ms: int) -> None:
        """Who leads dies, another is elected, and a little time goes by."""
        self._goes("kill", self._leader())
        self.cluster.run(ms=ms)

    def _dark(self, ms: int) -> None:
        """The same with its power: what was not flushed is gone with it."""
        self._goes("power_loss", self._leader())
        self.cluster.run(ms=ms)

    def _retire(self, ms: int) -> None:
        """Who leads stops, and hands over first."""
        self._goes("stop", self._leader())
        self.cluster.run(ms=ms)

    def _leave(self, ms: int) -> None:
        """A follower stops, and leaves the ISR."""
        image, leader = self.cluster.machine.image.partition(PARTITION), self._leader()
        followers = [one for one in image.isr if one != leader]
        self._goes("stop", followers[-1] if followers else None)
        self.cluster.run(ms=ms)

    def _goes(self, how: str, broker: int | None) -> None:
        """A broker goes down, and the controller notices."""
        machine = self.cluster.machine
        if broker is not None and machine.brokers[broker].up:
            getattr(self.cluster, how)(broker)
            subject = f"broker-{broker}@{machine.controller.name}"
            self.cluster.run_until(lambda: machine.look(subject).fenced and self._leads())

    def _leader(self) -> int | None:
        """Who leads, as the controller has written."""
        leader = self.cluster.machine.image.partition(PARTITION).leader
        return leader if leader > 0 else None

    def _leads(self) -> bool:
        """True once who leads knows it, or nobody does."""
        leader = self._leader()
        if leader is None:
            return True
        replica = self.cluster.machine.look(replica_name(PARTITION, leader))
        return replica is not None and replica.role == "leader"

    def _restart(self, which: int) -> None:
        down = [one for one, node in self.cluster.machine.brokers.items() if not node.up]
        if down:
            self.cluster.restart(down[which % len(down)])

    def _slow(self, broker: int, fetch_ms: int) -> None:
        if fetch_ms or broker in self._slowed:
            self._slowed.add(broker)
            self.cluster.slow(broker, fetch_ms=fetch_ms)

    def _wait(self, ms: int) -> None:
        self.cluster.run(ms=ms)


@no_collector()
def play(steps: tuple[Step, ...], unsafe: dict[str, Any] | None = None, *,
         has_elr: bool = False, min_isr: int = 1, more: tuple = ()) -> Played:
    """Play a schedule under judges, and `more` of them, up to the first violation."""
    one = _Play(unsafe or {}, {} if has_elr else {"eligible.leader.replicas.version": 0}, min_isr)
    machine = one.cluster.machine
    judges = [LogMatching(), CommittedNeverLost(), ConsistentRead(), *more]
    trial = Trial(machine.world.trace, partial(listening, machine), judges, is_judged)
    machine.world.after_event.append(trial.after_event)
    cluster, violated = one.cluster, None
    try:
        one.play(steps)
    except InvariantViolated as found:
        violated = found
    except BrokenRunException:              # a rule that was given raised: up to the event before
        cluster = cluster.fork(at=cluster.event - 1)[1]
    return Played(cluster, violated, steps[:one.begun])
