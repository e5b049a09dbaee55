"""Seeded schedules: a small cluster, clients with random settings, and faults, all by the dice.

One seed gives one schedule. Faults are such that Kafka's rules must hold without a controller:
power is never taken from the last member of an in-sync replica set whose log is whole, because
nobody could bring its acknowledged records back.
"""

from functools import partial
from typing import Any

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.cluster.invariants import (
    BufferMemoryBounded,
    ProducedOnceInOrder,
    put_on_trial,
)
from kafka_internals.cluster.run import Run
from kafka_internals.common import TopicPartition
from kafka_internals.sim.invariants import InvariantViolated
from kafka_internals.sim.journal import Journal, shrunk
from kafka_internals.sim.world import World

PACE = {"request.timeout.ms": 900, "delivery.timeout.ms": 2_000}
MEMORY = ({"batch_size": 60, "buffer_memory": 400}, {"batch_size": 200, "buffer_memory": 800}, {})
PLAIN = {"enable_idempotence": False}
ACTIONS = ("send",) * 8 + ("poll",) * 4 + ("run",) * 5 + (
    "kill", "stop", "power_loss", "restart", "restart", "pause", "resume", "slow", "cut", "lossy",
    "heal", "heal", "quota")
GO_DOWN = ("kill", "stop", "power_loss")
STEADY = tuple("outage" if action in GO_DOWN else action for action in ACTIONS)


def on_trial(run: Run, extra: tuple = (), excused: tuple[type, ...] = ()) -> None:
    """Judge a schedule's run: its records tell by their values which they are."""
    put_on_trial(run, (ProducedOnceInOrder(run, lambda record: record.value), *extra), excused)


class Schedule:
    """One schedule; `cluster` is what it happened to."""

    def __init__(self, seed: int, unsafe: dict[str, str] | None = None, extra: tuple = (),
                 excused: tuple[type, ...] = ()) -> None:
        dice = World(seed)
        self._draw = dice.draw("schedule", "commands")
        self._draw_slow = dice.draw("schedule", "slow handlers")
        steady = not dice.draw("schedule", "brokers stay up")(4)
        self._actions = STEADY if steady else ACTIONS
        self.cluster = Cluster(3, seed, unsafe=unsafe, configs={
            "replica.socket.timeout.ms": 800, "num.io.threads": (8, 2, 1)[self._draw(3)],
            "num.network.threads": 1 + self._draw(3),
            "queued.max.requests": (500, 1)[self._draw(2)]})
        on_trial(self.cluster.machine, extra, excused)
        self._sent = 0
        self._torn: set[int] = set()            # brokers that lost bytes and may not be whole yet

    def run(self, commands: int = 24) -> None:
        """Set the scene, let things happen, heal everything, and let the cluster settle."""
        cluster = self.cluster
        cluster.create_topic("orders", 1 + self._draw(2), 1 + self._draw(3),
                             {"min.insync.replicas": 1 + self._draw(2)})
        self._producers = [
            cluster.producer(acks=("all", "all", "all", "1", "0")[self._draw(5)], configs=PACE,
                             linger_ms=self._draw(6), **({} if self._draw(5) else PLAIN),
                             **MEMORY[self._draw(3)], max_block_ms=500,
                             compression_type=("none", "none", "lz4")[self._draw(3)],
                             max_in_flight_requests_per_connection=1 + self._draw(5))
            for _ in range(1 + self._draw(2))]
        self._consumer = cluster.consumer(auto_offset_reset="earliest",
                                          configs={"request.timeout.ms": 900})
        self._consumer.assign(*(f"orders-{n}" for n in range(cluster.partitions_of("orders"))))
        if not self._draw_slow(4):
            cluster.slow_handlers(1 + self._draw_slow(3), delay_ms=1 + self._draw_slow(30))
        for _ in range(commands):
            getattr(self, f"_{self._actions[self._draw(len(ACTIONS))]}")()
        self._settle()

    def _settle(self) -> None:
        self.cluster.heal()
        for broker, node in self.cluster.machine.brokers.items():
            if node.paused:
                self.cluster.resume(broker)
            if not node.up:
                self.cluster.restart(broker)
            self.cluster.slow(broker, 0)
            if node.handler_delay_us:
                self.cluster.slow_handlers(broker, 0)
        self.cluster.run(ms=2_500)
        self._consumer.poll(20)                 # what there is to read has come meanwhile
        BufferMemoryBounded.at_rest(self.cluster.machine)

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

    def _broker(self, wanted: Any) -> int | None:
        fitting = [id for id, node in self.cluster.machine.brokers.items() if wanted(node)]
        return fitting[self._draw(len(fitting))] if fitting else None

    def _kill(self) -> None:
        if broker := self._broker(lambda node: node.up):
            self.cluster.kill(broker)

    def _stop(self) -> None:
        if broker := self._broker(lambda node: node.up and not node.paused):
            self.cluster.stop(broker)

    def _power_loss(self) -> None:
        broker = self._broker(lambda node: node.up)
        if broker and self._may_lose_power(broker):
            self.cluster.power_loss(broker)
            self._torn.add(broker)

    def _may_lose_power(self, broker: int) -> bool:
        """Another ISR member of each partition has a whole log (and keeps it through a crash)."""
        run = self.cluster.machine
        for number in range(self.cluster.partitions_of("orders")):
            partition = TopicPartition("orders", number)
            isr = run.isr_of(partition)
            if broker in isr and not any(other != broker and self._is_whole(run, partition, other)
                                         for other in isr):
                return False
        return True

    def _is_whole(self, run: Run, partition: TopicPartition, broker: int) -> bool:
        if broker not in self._torn:
            return True
        marks = [p.high_watermark for node in run.brokers.values() if node.up
                 if (p := node.manager.partitions.get(partition)) and p.role.role == "leader"]
        return bool(marks) and run.log_end_on_disk(partition, broker) >= max(marks)

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

    def _nodes(self) -> tuple[str, str]:
        names = list(self.cluster.machine.world.nodes)
        one = names.pop(self._draw(len(names)))
        return one, names[self._draw(len(names))]

    def _cut(self) -> None:
        self.cluster.cut(*self._nodes())

    def _lossy(self) -> None:
        self.cluster.lossy(*self._nodes(), per_mille=self._draw(400))

    def _outage(self) -> None:
        """Nothing passes between a producer and a broker, for longer than records may wait."""
        self.cluster.partition({self._producers[0]}, {1 + self._draw(3)})
        self._send()
        self.cluster.run(ms=PACE["delivery.timeout.ms"] + self._draw(400))
        self.cluster.heal()

    def _quota(self) -> None:
        producer = self._producers[self._draw(len(self._producers))]
        kind = ("producer_byte_rate", "request_percentage")[self._draw(2)]
        bound = 1 + self._draw(200)
        self.cluster.alter_client_quotas((producer, None)[self._draw(2)],
                                         {kind: (bound, None)[self._draw(2)]})

    def _heal(self) -> None:
        self.cluster.heal()


def verdict(seed: int, unsafe: dict[str, str] | None = None,
            excused: tuple[type, ...] = ()) -> str | None:
    """Run one schedule under every judge that is not excused: None, or what was violated."""
    try:
        Schedule(seed, unsafe, excused=excused).run()
    except InvariantViolated as violated:
        return str(violated)
    return None


def shortest(seed: int, unsafe: dict[str, str] | None = None,
             excused: tuple[type, ...] = ()) -> tuple[str, Journal]:
    """A schedule that violates something, shrunk: the sentence and the shortest journal."""
    schedule = Schedule(seed, unsafe, excused=excused)
    judged = partial(on_trial, excused=excused)
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
