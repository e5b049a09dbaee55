"""The camera: a run executed once more, with a view looking after every event.

A view is a pure function `draw(look, subject, whose) -> Scene`. `look` is everything that can be
seen at one instant: snapshots by subject, the event and its changes, messages on their way. `whose`
says whose knowledge is drawn: `Truth` sees every node at once, which no node can; a `Belief` has
one broker's own snapshot and what that broker was told. Both give the same shape of answer.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from kafka_internals.common import TopicPartition, broker_name, replica_name
from kafka_internals.sim.trace import Change, Flight
from kafka_internals.viz.quiet import CONTROL, is_quiet

UNKNOWN = -1
STAGE, FUTURE = 720, 410                    # how wide a stage is; one of two futures


class Message(NamedTuple):
    """A message, sent in `event`; `text` is what it says, `lost` where it will not arrive."""

    event: int
    id: str
    kind: str
    sender: str
    receiver: str
    t_us: int
    due_us: int | None
    text: str
    body: Any = None                        # what it carries; None for one that is lost

    @property
    def lost(self) -> bool:
        """True for a message that a fault has taken."""
        return self.due_us is None

    @property
    def ident(self) -> str:
        """Its correlation id as a picture shows it: "#17"."""
        return f"#{self.id.rpartition('.')[2]}"

    @property
    def ends(self) -> tuple[str, str]:
        """Sender and receiver as a sentence names them: ("producer-1", "broker 1")."""
        sender, receiver = (name.replace("broker-", "broker ")
                            for name in (self.sender, self.receiver))
        return sender, receiver


def appends(changes: list[Change]) -> dict[tuple[str, int], str]:
    """What leaders appended: {(replica, first offset): the request that brought it}."""
    return {(one.subject, one.old): one.reads[0][0] for one in changes
            if one.attribute == "log_end_offset" and one.old is not None and one.new > one.old
            and one.reads and one.reads[0][1] == "asked"}


class Look:
    """One instant of a run. `look(subject)` gives a frozen snapshot, None where there is none.

    It is taken once: nothing changes within an instant.
    """

    def __init__(self, run: Any, changes: list[Change], messages: list[Message],
                 said: list[Message], arrived: list[Message], kept: dict[str, Any],
                 width: int, appends: dict, sends: list[str]) -> None:
        self._run, self.width = run, width      # of the stage, in units
        self._taken: dict[str, Any] = {}        # snapshots, by subject
        self._appends = appends                 # (replica, first offset): request, so far
        self.sends = sends                      # every record that was sent so far, in order
        self.kept = kept                        # parts drawn before, for `Canvas.part`
        self.arrived = arrived                  # messages that have come by this event
        self.event, self.now_us = run.world.event, run.world.now_us
        self.changes = changes                  # of this event
        self.messages = messages                # on their way now, in the order they were sent
        self.said = said                        # every message so far, also those that arrived

    def __call__(self, subject: str) -> Any:
        if subject not in self._taken:
            self._taken[subject] = self._run.look(subject)
        return self._taken[subject]

    def last(self, subject: str, attribute: str) -> Change | None:
        """The latest change of a pair, also of a subject that has no snapshot any more."""
        trace = self._run.world.trace
        index = trace.latest(subject, attribute, self.event)
        return None if index is None else trace.change(index)

    def time_us(self, event: int) -> int:
        """When an event happened."""
        return self._run.world.trace.event(event).t_us if event else self.now_us

    def stored(self, partition: TopicPartition, broker: int) -> Any:
        """The batches that one broker's disk holds, whether it runs or not."""
        return self._run.stored(partition, broker)

    def records(self, replica: str, offset: int) -> list:
        """The records of a replica that runs, from an offset that it has to its end."""
        return self._run.records(replica, offset)

    def sent(self, request: str) -> dict[str, bytes]:
        """The batches of a produce request by partition, as long as anybody has them."""
        return self._run.sent(request)

    def dump(self, content: bytes, name: str) -> Any:
        """A batch laid out field by field."""
        return self._run.dump(content, name=name)

    def found(self, replica: str, offset: int) -> Any:
        """How a replica finds an offset, in which file, and the batch there, laid out."""
        return self._run.found(replica, offset)

    def request_of(self, replica: str, offset: int) -> str | None:
        """The request whose batch a leader appended at an offset; None for what it copied."""
        return self._appends.get((replica, offset))

    def disk(self, broker: int) -> Any:
        """What one broker's disk and page cache hold, whether the broker runs or not."""
        return self._run.disk(broker)

    def epochs(self, partition: TopicPartition, broker: int) -> tuple:
        """(epoch, start offset) of each row of a replica's leader-epoch-checkpoint."""
        return self._run.epochs(partition, broker)

    @property
    def controller(self) -> str:
        """The controller's subject; what it knows of orders-0 is "orders-0@<controller>"."""
        return self._run.controller.name

    def subjects(self) -> list[str]:
        """Names of everything that has a snapshot."""
        return self._run.subjects()

    def brokers(self) -> list[int]:
        """Every broker's id, in order."""
        return list(self._run.brokers)

    def clients(self) -> list[str]:
        """Every client's name, in the order in which they came."""
        return list(self._run.clients)


class ReplicaSeen(NamedTuple):
    """A replica as somebody sees it; None is unknown. `state` is the broker's."""

    broker: int
    role: str
    state: str
    batches: Any
    log_end_offset: int | None
    high_watermark: int | None


class Truth:
    """All nodes at one instant: what a picture may show and no node can know."""

    name = "truth"

    def replicas(self, look: Look, partition: TopicPartition,
                 brokers: tuple[int, ...]) -> list[ReplicaSeen]:
        """Every replica; of one whose broker is down, what its disk still holds."""
        return [self._running(look, name, broker) or self._down(look, partition, name, broker)
                for broker in brokers for name in (replica_name(partition, broker),)]

    @staticmethod
    def _running(look: Look, name: str, broker: int) -> ReplicaSeen | None:
        one = look(name)
        return one and ReplicaSeen(broker, one.role, look(broker_name(broker)).state, one.batches,
                                   one.log_end_offset, one.high_watermark)

    @staticmethod
    def _down(look: Look, partition: TopicPartition, name: str, broker: int) -> ReplicaSeen:
        stored, mark = look.stored(partition, broker), look.last(name, "high_watermark")
        return ReplicaSeen(broker, "no leader", look(broker_name(broker)).state, stored,
                           stored[-1].last_offset + 1 if stored else 0, mark.new if mark else 0)

    def own(self, look: Look, partition: TopicPartition, brokers: tuple[int, ...]) -> Any:
        """The snapshot that speaks for the partition: the leader's, else any."""
        found = [one for b in brokers if (one := look(replica_name(partition, b))) is not None]
        return next((one for one in found if one.role == "leader"), found[0] if found else None)

    def messages(self, look: Look) -> list[Message]:
        """All that are on their way."""
        return look.messages


class Belief:
    """One broker's view: itself, and what fetches told it about the others."""

    def __init__(self, broker: int) -> None:
        self.broker, self.name = broker, broker_name(broker)

    def own(self, look: Look, partition: TopicPartition, brokers: tuple[int, ...]) -> Any:
        """The believer's own replica, while it runs."""
        return look(replica_name(partition, self.broker))

    def replicas(self, look: Look, partition: TopicPartition,
                 brokers: tuple[int, ...]) -> list[ReplicaSeen]:
        """Its own replica as it is; of the others at most a log end offset, or that it leads."""
        own, state = self.own(look, partition, brokers), look(self.name).state
        if own is None:
            return [ReplicaSeen(b, "unknown", state if b == self.broker else "unknown", None, None,
                                None) for b in brokers]
        told = dict(own.remote_log_end_offset)
        return [ReplicaSeen(b, own.role, state, own.batches, own.log_end_offset,
                            own.high_watermark) if b == self.broker else
                ReplicaSeen(b, "leader" if b == own.leader else "follower", "unknown", None,
                            None if told.get(b, UNKNOWN) == UNKNOWN else told[b], None)
                for b in brokers]

    def messages(self, look: Look) -> list[Message]:
        """Those it sent as requests and has no answer to: it cannot know where they are.

        Of what it asked one node again, as one client, only the last: it has given up the others.
        """
        answered = {m.id[9:] for m in look.said if m.kind == "response" and m.due_us is not None
                    and m.due_us <= look.now_us}
        last = {(m.receiver, m.id.rpartition(".")[0]): m for m in look.said
                if m.kind == "request" and m.sender == self.name}
        return [m for m in last.values() if m.id[8:] not in answered]


class Shot(NamedTuple):
    """What the camera took after one event: a scene by whose knowledge, what its values wait for,
    and the values of the pairs that it was told to watch."""

    event: int
    t_us: int
    scenes: dict[str, Any]
    waits: dict[str, str]
    watched: tuple


class Camera:
    """Looks at a run after every event from `first` to `last` and keeps what changed the scene."""

    def __init__(self, draw: Callable, subject: Any, believers: list, words: Any, *,
                 first: int, last: int, watch: tuple[tuple[str, str], ...] = (),
                 width: int = STAGE, insides: Any = None, of_data: bool = False) -> None:
        self._watch, self._width, self._insides = watch, width, insides
        self._of_data = of_data and not any(CONTROL.match(subject) for subject, _ in watch)
        self._appends: dict[tuple[str, int], str] = {}
        self._sends: list[str] = []
        self._draw, self._subject, self._believers = draw, subject, believers
        self._words, self._first, self._last = words, first, last
        self.shots: list[Shot] = []
        self._messages: list[Message] = []
        self._changes = 0
        self._on_their_way: list[int] = []      # where they stand among all messages
        self._now: list[int] = []               # and with them those that this event has lost
        self._arrived: list[Message] = []
        self._in_vain: set[tuple[str, str]] = set()      # who asked whom last when that was down
        self._kept: dict[str, Any] = {}

    def attach(self, run: Any) -> None:
        """Look after every event of this run from now on."""
        self._run = run
        run.world.after_event.append(self._after_event)

    def _after_event(self, event: int) -> None:
        trace, world = self._run.world.trace, self._run.world
        changes = [Change._make(one) for one in trace.changes[self._changes:]]
        quiet = self._of_data and bool(self.shots) and is_quiet(
            trace.events[event - 1], changes, trace.flights[len(self._messages):])
        self._changes = len(trace.changes)
        quiet = self._follow_messages(trace, world.now_us) or quiet
        self._appends |= (new := appends(changes))
        self._sends += [c.subject for c in changes if c.new == "waiting" and "#" in c.subject]
        if quiet or not self._first <= event <= self._last:
            return
        flying = [one for one in map(self._messages.__getitem__, self._now)
                  if self._run.world.nodes[one.sender].up]
        look = Look(self._run, changes, flying, self._messages, self._arrived,
                    self._kept, self._width, self._appends, self._sends)
        scenes = {w.name: self._draw(look, self._subject, w) for w in self._believers}
        if self._insides is not None:
            self._insides.look(look, new, list(scenes.values()))
        watched = tuple(self._run.current(*pair) for pair in self._watch)
        self._keep(Shot(event, world.now_us, scenes, self._waits(look, scenes), watched))

    def _keep(self, shot: Shot) -> None:
        """Keep a shot in which something is new; a believer for whom nothing is has the old one."""
        if not self.shots:
            self.shots.append(shot)
            return
        last = self.shots[-1]
        new = {name for name, scene in shot.scenes.items()
               if scene.shapes != last.scenes[name].shapes}
        if (last.waits, last.watched) != (shot.waits, shot.watched):
            new.add(Truth.name)
        if new:
            self.shots.append(shot._replace(scenes={
                name: scene if name in new else last.scenes[name]
                for name, scene in shot.scenes.items()}))

    def _follow_messages(self, trace: Any, now_us: int) -> bool:
        """Keep those that were sent and have not arrived; a lost one shows in its own event.

        So does one to a node that is down: nobody is there. True where all that was sent is that
        again, to a node that was asked in vain before.
        """
        nodes, on_way = self._run.world.nodes, []
        self._arrived = []
        for at in self._on_their_way:
            message, due_us = self._messages[at], trace.flights[at][-1]
            if message.due_us != due_us:
                self._messages[at] = message = message._replace(due_us=due_us)
            if due_us > now_us:
                on_way.append(at)
            elif nodes[message.receiver].up:
                self._arrived.append(message)
        self._now, self._on_their_way = list(on_way), on_way
        in_vain = []
        for flight in map(Flight._make, trace.flights[len(self._messages):]):
            asks = flight.kind == "request"
            request = flight.id if asks else f"request{flight.id[8:]}"
            told = trace.of(request, "asked" if asks else "answer")
            text = trace.changes[told[-1]][4] if told else ""
            ends, is_up = flight[3:5], nodes[flight.receiver].up
            message = Message(*flight[:5], flight.t_us, flight.due_us if is_up else None, text,
                              self._run.body(flight.id))
            self._now.append(len(self._messages))
            if not message.lost:
                on_way.append(len(self._messages))
            self._messages.append(message)
            in_vain.append(ends in self._in_vain and not is_up)
            (self._in_vain.discard if is_up else self._in_vain.add)(ends)
        return any(in_vain) and all(in_vain)

    def _waits(self, look: Look, scenes: dict[str, Any]) -> dict[str, str]:
        """What each value that is shown waits for."""
        pairs = {tuple(shape["a"]) for scene in scenes.values()
                 for shape in scene.shapes.values() if "a" in shape}
        waits: dict[tuple[str, str], list] = {}
        for subject in {subject for subject, _ in pairs}:
            for one in getattr(look(subject), "waits", ()):
                waits.setdefault((subject, one.attribute), []).append(one)
        return {f"{subject} {attribute}": (" or " if found[0].any_of else " and ").join(
                    self._words.wait(one, self._run.current) for one in found)
                for (subject, attribute), found in sorted(waits.items())
                if (subject, attribute) in pairs}
