"""Seeded schedules of three brokers under faults: what may happen, and who judges it."""

from kafka_internals.messages.produce import PartitionProduceData, ProduceRequest
from kafka_internals.server.rules import Rules
from kafka_internals.sim.invariants import InvariantViolated
from tests.server.controlled import CONTROLLER, ORDERS, Controlled, batch

SESSION_MS = 150
ACTIONS = (("produce", 30), ("wait", 14), ("kill", 6), ("restart", 9), ("elect", 8), ("cut", 5),
           ("cut_controller", 4), ("heal", 6), ("stop", 2), ("lose", 2), ("lose_joiner", 3))


class ReplicationSchedule:
    """One seed: `run` raises InvariantViolated where something is broken."""

    def __init__(self, seed: int, rules: Rules = Rules(), **setup) -> None:
        self.world = Controlled(seed=seed, rules=rules, **setup)
        self.random, self.said, self._sent = self.world.random, [], 0
        self.world.slow = self._delay_ms
        self._late = tuple(self.random.sample([1, 2, 3, CONTROLLER], 2))
        self._late_ms = self.random.choice([0, 0, 60, 120, 250])
        self._lossy: dict[int, int] = {}          # who lost bytes, and in which life

    def _delay_ms(self, sender, receiver) -> int:
        """Mostly quick; now and then far behind everybody, and on one link always."""
        draw = self.random.random()
        late_ms = self._late_ms if (sender, receiver) == self._late else 0
        return late_ms + (1 + int(draw * 6) if draw < 0.93 else int((draw - 0.93) * 4_000))

    def run(self, actions: int = 36) -> "ReplicationSchedule":
        """Do so much, then let everything heal and settle."""
        names = [name for name, weight in ACTIONS for _ in range(weight)]
        for _ in range(actions):
            self.said.append(name := self.random.choice(names))
            getattr(self, f"_{name}")()
            self.world.run(self.random.randrange(12))
        self.world.heal()
        for broker, node in self.world.nodes.items():
            if node.manager is None:
                self.world.restart(broker)
            else:
                self._unfence(broker)
        self.world.run(1_500)
        return self

    def settled(self) -> bool:
        """Every broker is in sync again, and all logs are the same."""
        logs = [list(node.partition.log.batches()) for node in self.world.nodes.values()]
        return sorted(self.world.controller.one.isr) == [1, 2, 3] and \
            all([one[:3] for one in log] == [one[:3] for one in logs[0]] for log in logs)

    def _unfence(self, broker: int) -> None:
        if self.world.controller.brokers[broker].fenced:
            self.world.after(1, "unfence", broker, self.world.nodes[broker].life)

    def _up(self) -> list[int]:
        return [broker for broker, node in self.world.nodes.items() if node.manager]

    def _some(self, brokers: list[int]) -> int | None:
        return self.random.choice(brokers) if brokers else None

    def _produce(self) -> None:
        """To whoever thinks that it leads: also to one that is deposed."""
        leading = [one for one in self._up()
                   if self.world.nodes[one].partition.role.role == "leader"]
        if (broker := self._some(leading)) is not None:
            self._sent += 1
            acks = -1 if self.random.random() < 0.7 else 1
            self.world.ask(broker, ProduceRequest(acks, 200, (PartitionProduceData(
                ORDERS, batch(b"%d" % self._sent)),)))

    def _wait(self) -> None:
        self.world.run(self.random.randrange(150))

    def _kill(self) -> None:
        """Any of them, all of them: but none beside one that has lost bytes."""
        if not self._is_one_lossy() and (broker := self._some(self._up())) is not None:
            self._down(broker)

    def _down(self, broker: int, loses: str = "") -> None:
        self.world.kill(broker, loses)
        self.world.after(SESSION_MS, "expire", broker, self.world.nodes[broker].life)

    def _lose(self) -> None:
        """One disk or page cache at a time, while another that may be elected is up.

        That is m - 1 with m = 2; without what keeps m copies electable, anybody may be lost.
        """
        controller, up = self.world.controller, self._up()
        broker, one = self._some(up), controller.one
        safe = controller.has_elr and controller.min_isr > 1
        others = [x for x in (one.isr + one.elr if safe else up) if x != broker and x in up]
        if broker is not None and others and not self._is_one_lossy():
            self._lossy = {broker: self.world.nodes[broker].life}
            self._down(broker, self.random.choice(["power", "disk"]))

    def _lose_joiner(self) -> None:
        """Who is about to come into the ISR loses its disk, and is back at once (KIP-903).

        Its leader does not hear of it so soon.
        """
        leader, elr = self.world.leader(), self.world.controller.one.elr
        state = getattr(leader and leader.role, "state", None)
        if state and state.name == "PENDING EXPAND" and not self._is_one_lossy():
            joiner = state.new_in_sync_replica
            if joiner in self._up() and joiner not in elr:
                self._lossy = {joiner: self.world.nodes[joiner].life}
                self.world.kill(joiner, "disk")
                self.world.cut |= {(leader.broker, joiner), (joiner, leader.broker)}
                self.world.restart(joiner)

    def _is_one_lossy(self) -> bool:
        """Until it has come back into the ISR."""
        self._lossy = {broker: life for broker, life in self._lossy.items()
                       if broker not in self.world.controller.one.isr
                       or self.world.nodes[broker].life == life}
        return bool(self._lossy)

    def _restart(self) -> None:
        down = [broker for broker in self.world.nodes if broker not in self._up()]
        if (broker := self._some(down)) is not None:
            self.world.restart(broker)

    def _stop(self) -> None:
        broker = self._some(self._up())
        if broker is not None and len(self._up()) == 3 and not self.world.cut:
            self.world.stop(broker)

    def _elect(self) -> None:
        """The preferred leader, an administrator or a balancer: leadership moves within the ISR."""
        controller = self.world.controller
        able = [one for one in controller.one.isr if controller.is_active(one)]
        if (broker := self._some(able)) is not None:
            controller.change(controller.one.isr, prefer=broker)

    def _cut(self) -> None:
        pair = self.random.sample([1, 2, 3], 2)
        self.world.cut.add(tuple(pair))
        if self.random.random() < 0.5:
            self.world.cut.add(tuple(reversed(pair)))

    def _cut_controller(self) -> None:
        """A broker that works, and of which the controller hears nothing: a zombie in the end."""
        broker = self.random.choice([1, 2, 3])
        self.world.cut |= {(broker, CONTROLLER), (CONTROLLER, broker)}
        self.world.after(SESSION_MS, "expire", broker, self.world.nodes[broker].life)

    def _heal(self) -> None:
        self.world.heal()
        for broker in self._up():
            self._unfence(broker)


def verdict(seed: int, rules: Rules = Rules(), **setup) -> str | None:
    """None, or what was violated."""
    try:
        schedule = ReplicationSchedule(seed, rules, **setup).run()
    except InvariantViolated as violated:
        return str(violated)
    return None if schedule.settled() else (
        f"Settled is violated: {schedule.world.controller.one}, "
        f"{[schedule.world.look(f'{ORDERS}@{one}') for one in (1, 2, 3)]}")


