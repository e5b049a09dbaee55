"""Seeded schedules: a small cluster, clients with random settings, and faults, all by the dice.

One seed gives one schedule. Brokers may die as they like: a crash keeps what was written. What was
not flushed may be taken from at most `min.insync.replicas` - 1 replicas of a partition, and while
there is one, those that are gone uncleanly count, too, until they are in sync again: that is what
Kafka promises (KIP-966), because such a broker leaves ISR and ELR, and one of as many as have what
is committed must be left. Without eligible leader replicas the promise is 0.
"""

from functools import partial
from typing import Any, NamedTuple

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.cluster.invariants import (
    AckedNeverLost,
    BufferMemoryBounded,
    ProducedOnceInOrder,
    put_on_trial,
)
from kafka_internals.cluster.run import Run
from kafka_internals.common import TopicPartition
from kafka_internals.controller.metadata_image import ELR_VERSION
from kafka_internals.messages.produce import ALL_ISR_ACKS, LEADER_ACK
from kafka_internals.sim.collector import no_collector
from kafka_internals.sim.invariants import InvariantViolated
from kafka_internals.sim.journal import Journal, shrunk
from kafka_internals.sim.world import World

BROKERS = (1, 2, 3)
# Quick enough that a session runs out within a schedule, and idle brokers say little.
PACE = {"broker.session.timeout.ms": 600, "broker.heartbeat.interval.ms": 280,
        "metadata.max.idle.interval.ms": 0, "controller.quorum.request.timeout.ms": 700,
        "controller.quorum.append.linger.ms": 2, "replica.fetch.wait.max.ms": 1_000,
        "replica.socket.timeout.ms": 1_200, "replica.fetch.backoff.ms": 100}
CLIENT = {"request.timeout.ms": 450, "delivery.timeout.ms": 1_200}
MEMORY = ({"batch_size": 60, "buffer_memory": 400}, {"batch_size": 200, "buffer_memory": 800}, {})
PLAIN = {"enable_idempotence": False}
ACTIONS = ("send",) * 9 + ("poll",) * 3 + ("run",) * 6 + (
    "kill", "kill", "stop", "power_loss", "lose_disk", "overtaken", "overtaken") + (
    "restart",) * 4 + (
    "pause", "resume", "slow", "cut", "cut_off", "lossy", "drop", "heal", "heal", "quota")
GO_DOWN = ("kill", "stop", "power_loss", "lose_disk", "overtaken")
STEADY = tuple("outage" if action in GO_DOWN else action for action in ACTIONS)
SETTLED_US, SLICE_MS = 8_000_000, 250           # a session runs out, who starts again registers


class Danger(NamedTuple):
    """What makes a schedule unsafe, each alone enough to lose what somebody counts on."""

    elr: bool | None = None             # False: none, and bytes are lost as if there were
    unclean: bool = False               # unclean.leader.election.enable
    min_isr: int | None = None          # 1: and bytes are lost as if it were 2
    acks: tuple[int, ...] = (ALL_ISR_ACKS,)     # whose acknowledgement is held to be a promise


SAFE = Danger()
ACKS_1 = Danger(acks=(ALL_ISR_ACKS, LEADER_ACK))


def on_trial(run: Run, danger: Danger = SAFE, excused: tuple[type, ...] = ()) -> None:
    """Judge a schedule's run: its records tell by their values which they are."""
    put_on_trial(run, (ProducedOnceInOrder(run, lambda record: record.value),
                       AckedNeverLost(run, danger.acks)), excused)


class Schedule:
    """One schedule; `cluster` is what it happened to."""

    def __init__(self, seed: int, unsafe: dict[str, Any] | None = None,
                 excused: tuple[type, ...] = (), danger: Danger = SAFE) -> None:
        dice = World(seed)
        self._draw, self._danger = dice.draw("schedule", "commands"), danger
        self._draw_slow = dice.draw("schedule", "slow handlers")
        steady = not dice.draw("schedule", "brokers stay up")(5)
        self._actions = STEADY if steady else ACTIONS
        self._elr = bool(self._draw(4)) if danger.elr is None else danger.elr
        self.cluster = Cluster(3, seed, unsafe=unsafe, jitter_ms=(0.2, 3, 40)[self._draw(3)],
                               features={} if self._elr else {ELR_VERSION: 0}, configs={
            **PACE, "num.io.threads": (8, 2, 1)[self._draw(3)],
            "num.network.threads": 1 + self._draw(3),
            "queued.max.requests": (500, 1)[self._draw(2)],
            "replica.lag.time.max.ms": (1_000, 2_000, 30_000)[self._draw(3)],
            "leader.imbalance.check.interval.seconds": (300, 1)[self._draw(2)]})
        on_trial(self.cluster.machine, danger, excused)
        self._run_of = self.cluster.machine
        self._sent, self._least = 0, 0
        # By partition: who went uncleanly in which life, and whether it took bytes with it.
        self._unclean: dict[TopicPartition, dict[int, tuple[int, bool]]] = {}

    def run(self, commands: int = 24) -> None:
        """Set the scene, let things happen, heal everything, and let the cluster settle."""
        self._set_the_scene()
        for _ in range(commands):
            getattr(self, f"_{self._actions[self._draw(len(self._actions))]}")()
        self._settle()

    def _set_the_scene(self) -> None:
        cluster, draw = self.cluster, self._draw
        number, copies = 1 + draw(2), (1, 2, 3, 3, 3)[draw(5)]
        least = (1, 2, 2, 3)[draw(4)] if self._danger.min_isr is None else self._danger.min_isr
        configs = {"min.insync.replicas": least}
        if self._danger.unclean:
            configs["unclean.leader.election.enable"] = True
        cluster.create_topic("orders", number, copies, configs)
        self._least = min(2 if self._danger.min_isr else least, copies)
        self._unclean = {TopicPartition("orders", one): {} for one in range(number)}
        self._producers = [
            cluster.producer(acks=("all", "all", "all", "1", "0")[draw(5)], configs=CLIENT,
                             linger_ms=draw(6), **({} if draw(5) else PLAIN), max_block_ms=500,
                             **MEMORY[draw(3)], compression_type=("none", "none", "lz4")[draw(3)],
                             max_in_flight_requests_per_connection=1 + draw(5))
            for _ in range(1 + draw(2))]
        self._consumer = cluster.consumer(auto_offset_reset="earliest",
                                          configs={"request.timeout.ms": 900})
        self._consumer.assign(*map(str, self._unclean))
        if not self._draw_slow(4):
            cluster.slow_handlers(1 + self._draw_slow(3), delay_ms=1 + self._draw_slow(30))

    def _settle(self) -> None:
        cluster, run = self.cluster, self._run_of
        cluster.heal()
        for broker, node in run.brokers.items():
            if node.paused:
                cluster.resume(broker)
            if not node.up:
                cluster.restart(broker)
            cluster.slow(broker, 0)
            if node.handler_delay_us:
                cluster.slow_handlers(broker, 0)
        limit_us = run.world.now_us + SETTLED_US
        self._consumer.pause(*map(str, self._unclean))      # it would ask and ask for what is
        while not self.is_settled() and run.world.now_us < limit_us:    # above the mark
            cluster.run(ms=SLICE_MS)
        self._consumer.resume(*map(str, self._unclean))
        self._consumer.poll(50)
        BufferMemoryBounded.at_rest(run)

    def is_settled(self) -> bool:
        """Everybody serves, every replica is in sync and has the same, every record has its end."""
        run = self._run_of
        if not all(node.is_ready for node in run.brokers.values()):
            return False
        for partition in self._unclean:
            written = run.image_of(partition)
            logs = [run.brokers[broker].manager.partitions[partition].log
                    for broker in written.replicas]
            if len(written.isr) < len(written.replicas) \
                    or len({log.log_end_offset for log in logs}) > 1:
                return False
        return not any(record.state == "waiting" for producer in self._producers
                       for record in run.core(producer.name).records)

    # -- clients ------------------------------------------------------------------------------
    def _send(self) -> None:
        producer = self._producers[self._draw(len(self._producers))]
        key = f"k{self._draw(4)}" if self._draw(2) else None
        for _ in range(1 + self._draw(3)):
            self._sent += 1
            producer.send("orders", f"{self._sent}: {'x' * self._draw(40)}", key=key)

    def _poll(self) -> None:
        self._consumer.poll(self._draw(60))

    def _run(self) -> None:
        self.cluster.run(ms=self._draw(1 + 10 ** self._draw(4)))

    def _quota(self) -> None:
        producer = self._producers[self._draw(len(self._producers))]
        kind = ("producer_byte_rate", "request_percentage")[self._draw(2)]
        bound = 1 + self._draw(200)
        who, quota = (producer, None)[self._draw(2)], {kind: (bound, None)[self._draw(2)]}
        self.cluster.alter_client_quotas(who, quota)

    # -- brokers ------------------------------------------------------------------------------
    def _broker(self, wanted: Any) -> int | None:
        fitting = [id for id, node in self._run_of.brokers.items() if wanted(node)]
        return fitting[self._draw(len(fitting))] if fitting else None

    def _ends(self, command: str, broker: int | None, loses: bool) -> None:
        """An unclean end, where Kafka has promised to survive it."""
        if broker is None or not self._may_end(broker, loses):
            return
        getattr(self.cluster, command)(broker)
        for partition, gone in self._unclean.items():
            if broker in self._run_of.image_of(partition).replicas:
                lost = loses or gone.get(broker, (0, False))[1]
                gone[broker] = self._run_of.brokers[broker].life, lost

    def _may_end(self, broker: int, loses: bool) -> bool:
        """At most so many of a partition's replicas are gone uncleanly while one has lost bytes."""
        most = self._least - 1 if self._elr or self._danger.elr is False else 0
        for partition, gone in self._unclean.items():
            written = self._run_of.image_of(partition)
            for one, (life, _) in list(gone.items()):
                if self._is_back(one, life) and one in written.isr:
                    del gone[one]
            if broker in written.replicas and len({*gone, broker}) > most \
                    and (loses or any(lost for _, lost in gone.values())):
                return False
        return True

    def _is_back(self, broker: int, life: int) -> bool:
        """Registered anew, which takes it out of every ISR that it was in."""
        node = self._run_of.brokers[broker]
        return node.up and node.life > life and node.lifecycle.broker_epoch >= 0

    def _kill(self) -> None:
        self._ends("kill", self._broker(lambda node: node.up), loses=False)

    def _power_loss(self) -> None:
        self._ends("power_loss", self._broker(lambda node: node.up), loses=True)

    def _lose_disk(self) -> None:
        self._ends("lose_disk", self._broker(lambda node: node.state != "without disk"), True)

    def _stop(self) -> None:
        """Who cannot ask to go, or waits for others who hear nothing, would wait for minutes.

        Who has not registered yet has no broker epoch to leave behind: that is no orderly end.
        """
        broker = self._broker(lambda node: node.up and not node.paused)
        if broker and all(map(self._run_of.reaches, self._run_of.brokers.values())):
            if self._run_of.brokers[broker].lifecycle.broker_epoch >= 0:
                self.cluster.stop(broker)
            else:
                self._ends("stop", broker, loses=False)

    def _restart(self) -> None:
        if broker := self._broker(lambda node: not node.up):
            self.cluster.restart(broker)

    def _pause(self) -> None:
        if broker := self._broker(lambda node: node.up and not node.paused):
            self.cluster.pause(broker)

    def _resume(self) -> None:
        if broker := self._broker(lambda node: node.paused):
            self.cluster.resume(broker)

    def _slow(self) -> None:
        self.cluster.slow(1 + self._draw(3), fetch_ms=self._draw(300))

    def _overtaken(self) -> None:
        """A leader alone has what it was sent last, and dies; the next one has nothing of it."""
        partitions = tuple(self._unclean)
        leader = self._run_of.image_of(partitions[self._draw(len(partitions))]).leader
        if leader < 0 or not self._run_of.brokers[leader].up:
            return
        others = [broker for broker in BROKERS if broker != leader]
        for broker in others:
            self.cluster.slow(broker, fetch_ms=700)
        for _ in range(2):                      # the fetches that wait there take the first
            self._send()
            self.cluster.run(ms=3 + self._draw(40))
        self._ends("kill", leader, loses=False)
        for broker in others:
            self.cluster.slow(broker, 0)
        self.cluster.run(ms=600 + self._draw(500))

    # -- the network --------------------------------------------------------------------------
    def _nodes(self) -> tuple[str, str]:
        names = [name for name in self._run_of.world.nodes if name != self._run_of.admin.name]
        one = names.pop(self._draw(len(names)))
        return one, names[self._draw(len(names))]

    def _cut(self) -> None:
        self.cluster.cut(*self._nodes())

    def _cut_off(self) -> None:
        """A broker and the controller, in one direction or in both."""
        pair = 1 + self._draw(3), self._run_of.controller.name
        direction = self._draw(3)
        if direction:
            self.cluster.cut(*pair[::1 if direction == 1 else -1])
        else:
            self.cluster.partition(pair[:1], pair[1:])

    def _lossy(self) -> None:
        self.cluster.lossy(*self._nodes(), per_mille=self._draw(400))

    def _drop(self) -> None:
        """One of the messages that are on their way."""
        trace, now_us = self.cluster.trace, self._run_of.world.now_us
        flying = [flight[1] for flight in trace.flights[-12:]
                  if flight[6] is not None and flight[6] > now_us]
        if flying:
            self.cluster.drop(flying[self._draw(len(flying))])

    def _outage(self) -> None:
        """Nothing passes between a producer and a broker, for longer than records may wait."""
        self.cluster.partition({self._producers[0]}, {1 + self._draw(3)})
        self._send()
        self.cluster.run(ms=CLIENT["delivery.timeout.ms"] + self._draw(400))
        self.cluster.heal()

    def _heal(self) -> None:
        self.cluster.heal()


@no_collector()
def verdict(seed: int, unsafe: dict[str, Any] | None = None,
            excused: tuple[type, ...] = (), danger: Danger = SAFE) -> str | None:
    """Run one schedule under every judge that is not excused: None, or what was violated."""
    schedule = Schedule(seed, unsafe, excused, danger)
    try:
        schedule.run()
    except InvariantViolated as violated:
        return str(violated)
    finally:
        schedule.cluster.trace.clear()
    return None


def shortest(seed: int, unsafe: dict[str, Any] | None = None, excused: tuple[type, ...] = (),
             danger: Danger = SAFE) -> tuple[str, Journal]:
    """A schedule that violates something, shrunk: the sentence and the shortest journal."""
    schedule = Schedule(seed, unsafe, excused, danger)
    judged = partial(on_trial, danger=danger, excused=excused)
    try:
        schedule.run()
    except InvariantViolated as violated:
        name = violated.invariant
    else:
        raise ValueError(f"seed {seed} violates nothing")

    def tried(journal: Journal) -> InvariantViolated | None:
        try:
            schedule.cluster.again(journal=journal, prepare=judged).machine
        except InvariantViolated as violated:
            return violated if violated.invariant == name else None
        except Exception:
            return None                         # a command makes no sense any more: not this way
        return None

    journal = schedule.cluster.journal
    altered = journal._replace(altered_at=0, now_us=journal.now_us + 2_500_000)
    short = shrunk(altered, lambda candidate: tried(candidate) is not None)
    return str(tried(short)), short
