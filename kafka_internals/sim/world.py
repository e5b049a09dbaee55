"""The clock, the agenda and the dice: everything that a node must not invent for itself.

Kafka's own counterpart is the `MockTime` and event queue of its Raft simulation test. Here it runs
the whole cluster. The agenda is one heap of plain data, `(due_us, ticket, by, node, life, kind,
payload)`; equal times run in the order in which they were asked for. An entry made for an earlier
life of a node, or for a timer that no longer stands, is no event: it takes no id and no time.
"""

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf
from random import Random
from typing import Any

from kafka_internals.sim.collector import no_collector
from kafka_internals.sim.network import RESET, Network

TICK, REQUEST, RESPONSE, DISCONNECTED = "tick", "request", "response", "disconnected"


class Node:
    """Anything that events happen to. A subclass fills `handlers`: kind of event -> method."""

    def __init__(self, world: "World", name: str) -> None:
        self.world, self.name = world, name
        self.life = 0                         # what was scheduled for an earlier life is stale
        self.up, self.powered, self.paused = True, True, False
        self.deadline_us: int | None = None   # the one timer that stands
        self.handlers: dict[str, Callable[[Any], None]] = {}
        world.nodes[name] = self

    def wake_at(self, deadline_us: int | None) -> None:
        """Let the timer stand at `deadline_us` (None: no timer); an earlier one is forgotten."""
        if deadline_us != self.deadline_us:
            self.deadline_us = deadline_us
            if deadline_us is not None:
                world = self.world
                world._ticket += 1
                due_us = deadline_us if deadline_us > world.now_us else world.now_us
                heappush(world._agenda, (due_us, world._ticket, world.event, self.name, self.life,
                                         TICK, deadline_us))

    def end_life(self, powered: bool = True) -> None:
        """Whatever was scheduled for this node so far will not happen to it any more."""
        self.life += 1
        self.up, self.powered, self.paused, self.deadline_us = False, powered, False, None

    def begin_life(self) -> None:
        """Up again. Old connections to it are answered with a reset from now on."""
        self.life += 1
        self.up = self.powered = True


class World:
    """One run: integer microseconds, a heap of data, and one stream of dice for each purpose.

    `without` holds ids of events that are not delivered (the counterfactual behind the tests of
    "why?"). The clock begins at `begin_us`, which may be before 0, where a story begins.
    """

    def __init__(self, seed: int = 0, *, latency_us: int = 500, jitter_us: int = 0,
                 without: frozenset[int] = frozenset(), begin_us: int = 0) -> None:
        self.seed, self.without = seed, without
        self.now_us, self.event = begin_us, 0
        self.finished = 0                     # the last event that is over
        self.before = 0                       # how many events there were before the first one
        self.nodes: dict[str, Node] = {}
        self.network = Network(self, latency_us, jitter_us)
        self.trace = None                     # a Trace, or None: the engine runs without a listener
        self.after_event: list[Callable[[int], None]] = []
        self.busy = False                     # an event is under way: nobody may command now
        self.halted = False                   # whoever runs the world should look before it goes on
        self._agenda: list[tuple] = []
        self._ticket = 0
        self._dice: dict[tuple[str, str], Callable[[int], int]] = {}

    def draw(self, node: str, purpose: str) -> Callable[[int], int]:
        """The dice of (seed, node, purpose): `draw(n)` gives 0..n-1, the same in every run."""
        if (node, purpose) not in self._dice:
            stream = self.stream(node, purpose)
            self._dice[node, purpose] = lambda n: int(stream() * n)
        return self._dice[node, purpose]

    def stream(self, node: str, purpose: str) -> Callable[[], float]:
        """The numbers behind such dice, from 0 to below 1, from the first one on."""
        return Random(f"{self.seed}/{node}/{purpose}").random

    def schedule(self, due_us: int, node: Node, kind: str, payload: Any,
                 life: int | None = None, by: int | None = None) -> None:
        """Put an event on the agenda, caused by the event that happens now (or by `by`)."""
        self._ticket += 1
        heappush(self._agenda, (due_us, self._ticket, self.event if by is None else by, node.name,
                                node.life if life is None else life, kind, payload))

    def begin(self, by: int, node: str, kind: str, about: str | None) -> int:
        """Give the next event its id and write it into the trace. A command begins here, too."""
        self.event += 1
        if self.trace is not None:
            self.trace.events.append((self.event, self.now_us, by, node, kind, about))
        return self.event

    def end(self) -> None:
        """The event is over: whoever judges or films looks now."""
        self.busy = True
        try:
            for look in self.after_event:
                look(self.event)
            self.finished = self.event
        finally:
            self.busy = False

    def go_on(self, upto: float = inf, limit_us: int | None = None) -> bool:
        """Let happen what is due by `limit_us`, up to the event `upto`, or until somebody halts it.

        True where something has happened: an entry that is stale, or held back, is no event.
        """
        agenda, nodes, before = self._agenda, self.nodes, self.event
        events = None if self.trace is None else self.trace.events
        until_us = inf if limit_us is None else limit_us
        self.busy, self.halted = True, False
        try:
            while self.event < upto and agenda and agenda[0][0] <= until_us and not self.halted:
                due_us, _, by, name, life, kind, payload = heappop(agenda)
                node = nodes[name]
                if life != node.life or kind is TICK and payload != node.deadline_us or \
                        kind is DISCONNECTED and not payload[0].open:
                    if kind is REQUEST:                 # whom it was for has ended
                        self.network.undeliverable(due_us, by, payload)
                    continue
                if node.paused:
                    node.held.append((kind, payload))
                    continue
                self.now_us, self.event = due_us, self.event + 1
                if events is not None:
                    about = payload[1].id if kind is REQUEST or kind is RESPONSE else None
                    events.append((self.event, due_us, by, name, kind, about))
                if self.event not in self.without:
                    if kind is TICK:
                        node.deadline_us = None
                    node.handlers[kind](payload)
                for look in self.after_event:
                    look(self.event)
                self.finished = self.event
        finally:
            self.busy = False
        return self.event > before

    def is_quiet(self) -> bool:
        """True while nothing is on its way and nobody is at work: only timers stand."""
        return all(entry[5] is TICK or entry[4] != self.nodes[entry[3]].life
                   for entry in self._agenda)

    def count_from_here(self) -> None:
        """What has happened so far is no part of the run: the next event is the first."""
        self.before, self.event, self.finished = self.event, 0, 0
        self._agenda[:] = [(*entry[:2], 0, *entry[3:]) for entry in self._agenda]

    @no_collector()
    def run_to(self, now_us: int) -> None:
        """Let everything happen that is due up to and including `now_us`; then it is that time.

        Where something halts the world, it stands right after that event.
        """
        self.go_on(limit_us=now_us)
        if not self.halted:
            self.now_us = max(self.now_us, now_us)

    def run_to_event(self, event: int) -> None:
        """Let everything happen up to and including the event with this id."""
        while self.event < event:
            if not self.go_on(event):
                raise IndexError(f"nothing is left to happen before event {event}")

    def forget(self, message_id: str) -> bool:
        """Lose a message that is on its way, and what is behind it; False where there is none."""
        if (lost := self._on_its_way(message_id)) is None:
            return False
        behind = {entry[1] for entry in self._from(lost)}
        self._agenda[:] = [entry for entry in self._agenda if entry[1] not in behind]
        heapify(self._agenda)
        self.network.lose(lost[6][0], lost[3])
        return True

    def postpone(self, message_id: str, extra_us: int) -> bool:
        """Let a message that is on its way arrive later, and what is behind it not before.

        False where there is none.
        """
        if (late := self._on_its_way(message_id)) is None:
            return False
        due_us, moved = late[0] + extra_us - 1, {}
        for entry in self._from(late):
            due_us = max(entry[0], due_us + 1)
            moved[entry[1]] = due_us
            if self.trace is not None and entry[5] is not DISCONNECTED:
                self.trace.arrives(entry[6][1].id, due_us)
        self._agenda[:] = [(moved.get(entry[1], entry[0]), *entry[1:]) for entry in self._agenda]
        heapify(self._agenda)
        last_us = late[6][0].last_due_us          # what is sent from now on arrives after this
        last_us[late[3]] = max(last_us[late[3]], due_us)
        return True

    def _from(self, message: tuple) -> list[tuple]:
        """A message on its way and all that is behind it on its connection, in order."""
        return sorted(entry for entry in self._agenda if entry[3] == message[3]
                      and entry[5] in (REQUEST, RESPONSE, DISCONNECTED)
                      and entry[6][0] is message[6][0] and entry[6][1] is not RESET
                      and entry[0] >= message[0])

    def _on_its_way(self, message_id: str) -> tuple | None:
        return next((entry for entry in self._agenda if entry[5] in (REQUEST, RESPONSE)
                     and entry[6][1].id == message_id), None)

    def message(self, message_id: str) -> Any:
        """A message that is on its way; None where there is none of that id."""
        entry = self._on_its_way(message_id)
        return None if entry is None else entry[6][1]

    def holder(self, message_id: str) -> Node | None:
        """The paused node at which a message has arrived; None where there is none."""
        return next((node for node in self.nodes.values() if node.paused
                     for kind, payload in node.held if kind in (REQUEST, RESPONSE)
                     and payload[1].id == message_id), None)

    def pause(self, node: Node) -> None:
        """Nothing happens to the node until it resumes; the clock and the network go on."""
        node.paused, node.held = True, []

    def resume(self, node: Node) -> None:
        """What was held back happens now, in the order in which it arrived."""
        node.paused = False
        for kind, payload in node.held:
            self.schedule(self.now_us, node, kind, payload)
        node.held = []
