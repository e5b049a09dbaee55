"""Cluster: the learner's handle on a run.

Every method either commands (create a topic, send, kill a broker), waits (`run`, `run_until`,
`get()`, `poll()`) or looks. Commands are checked here, so that a mistake gets Kafka's own error and
leaves the cluster as it was; then they go into the journal and are carried out. A fork is the same
journal with another tail, executed again.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from kafka_internals.clients.kafka_producer import KafkaProducer
from kafka_internals.cluster import checks, words
from kafka_internals.cluster.admin import Admin
from kafka_internals.cluster.applications import Application, check_application
from kafka_internals.cluster.cost_model import CostModel
from kafka_internals.cluster.export import export, log_directory
from kafka_internals.cluster.faults import Faults
from kafka_internals.cluster.floor import has_the_floor, inside_application, refuse_commands
from kafka_internals.cluster.functions import Callbacks, check_partitioner, registered
from kafka_internals.cluster.handles import (
    App,
    Call,
    Consumer,
    ConsumerRecord,
    Handle,
    Producer,
    Topic,
)
from kafka_internals.cluster.look import Why, attribute_of
from kafka_internals.cluster.run import Run, Setup
from kafka_internals.common import TopicPartition
from kafka_internals.config import CONSUMER_CONFIG
from kafka_internals.errors import IllegalStateException, KafkaException, TimeoutException
from kafka_internals.sim import why
from kafka_internals.sim.collector import no_collector
from kafka_internals.sim.invariants import InvariantViolated
from kafka_internals.sim.journal import Journal
from kafka_internals.sim.trace import Trace
from kafka_internals.storage.file_records import whole_batches

BEFORE_0 = ("create_topic", "producer", "consumer", "assign", "seek", "alter_client_quotas")
SCENE = (*BEFORE_0, "slow", "slow_handlers")        # a film begins after these


class BrokenRunException(KafkaException):
    """The engine itself failed in this run; the run before that event can be had by a fork."""


class Cluster(Admin, Faults):
    """Brokers 1 to `brokers`, one seed, virtual time. See the methods for what may be done.

    `configs`: broker configs by Kafka's names. `latency_ms` is one way on every link, `jitter_ms`
    at most so much more, by the dice. `unsafe`: switches that turn one of Kafka's rules off, for
    lessons and tests (`Rules`).
    """

    words = words                             # what films say about changes, events and waits
    export, log_directory = export, log_directory

    def __init__(self, brokers: int = 3, seed: int = 0, *, configs: dict | None = None,
                 latency_ms: float = 0.5, jitter_ms: float = 0.2, unsafe: dict | None = None,
                 cost: CostModel = CostModel(), features: dict[str, int] | None = None,
                 racks: dict[int, str] | None = None) -> None:
        checks.broker_count(brokers)
        checks.not_negative("latency_ms", latency_ms)
        checks.not_negative("jitter_ms", jitter_ms)
        self._begin(Setup(tuple(range(1, brokers + 1)), seed, round(latency_ms * 1000),
                          round(jitter_ms * 1000), checks.broker_configs(configs or {}),
                          checks.rules(unsafe or {}), cost, tuple((features or {}).items()),
                          tuple((racks or {}).items())), Journal(), {})

    def _begin(self, setup: Setup, journal: Journal, apps: dict, **options: Any) -> None:
        self._setup, self._app_functions, self._options = setup, apps, options
        self._go_by(journal)
        self._app_errors: list[Exception] = []
        self.callbacks = Callbacks(self._app_failed)
        self._broken: tuple[int, Exception] | None = None

    @cached_property
    def machine(self) -> Run:
        """The run. A twin executes its journal when it is first touched."""
        journal, options = self._journal, dict(self._options)
        prepare = options.pop("prepare", None)
        self.machine = Run(self._setup, apps=self._app_functions, start_app=self._start_app,
                           ended=self.callbacks.deliver, **options)
        if prepare is not None:
            prepare(self.machine)
        try:
            self._guarded(self.machine.replay, journal)
        except KeyboardInterrupt:
            self._go_by(journal)
            raise
        self._app_errors.clear()                # they were told when this happened first
        return self.machine

    def _go_by(self, journal: Journal) -> None:
        """The journal is executed when the run is touched next."""
        self.__dict__.pop("machine", None)
        self._journal, self._apps = journal, dict[str, Application]()

    # -- commands: clients ---------------------------------------------------------
    def producer(self, client_id: str | None = None, configs: dict | None = None,
                 partitioner: Callable | None = None, **more: Any) -> Producer:
        """A KafkaProducer. Configs by Kafka's names in `configs`, or with `_` for `.` as keywords.

        `partitioner(topic, key, value, partitions)` places records that name no partition. Errors:
        ConfigException for an unknown name (with the nearest one), an impossible value, or a
        partitioner that could not be called again in a replay.
        """
        name = self._new_client("producer", client_id)
        if partitioner is not None:
            check_partitioner(partitioner)
            more["partitioner.class"] = registered(self._app_functions, partitioner)
        given = checks.producer_configs(configs, more, self._app_functions)
        self._command("producer", client_id=name, configs=given)
        return Producer(self, name)

    def consumer(self, client_id: str | None = None, configs: dict | None = None,
                 **more: Any) -> Consumer:
        """A KafkaConsumer. Note Kafka's default: `auto.offset.reset` is "latest"."""
        name = self._new_client("consumer", client_id)
        self._command("consumer", client_id=name,
                      configs=checks.given(CONSUMER_CONFIG, configs, more))
        return Consumer(self, name)

    def _new_client(self, kind: str, given: str | None) -> str:
        taken = self.machine.world.nodes
        if given is None:
            number = 1
            while (given := f"{kind}-{number}") in taken:
                number += 1
        checks.client_id(given, taken)
        return given

    def run_app(self, application: Callable, *handles: Handle) -> App:
        """Start a generator function as an application; it runs while the cluster runs on."""
        check_application(application, handles)
        names = tuple(checks.handle_here(self, handle).name for handle in handles)
        self._ensure_free("run_app()")
        name = registered(self._app_functions, application, self._apps)
        self._command("run_app", app=name, handles=names)
        self._raise_app_error()
        return App(self, name)

    def _start_app(self, name: str, handles: tuple[str, ...]) -> None:
        app = Application(name, self._app_functions[name], [self._handle(h) for h in handles],
                          self._app_failed)
        self._apps[name] = app
        for client in (self.machine.clients[h] for h in handles if h in self.machine.clients):
            client.after.append(app.advance)
        app.advance()

    def _app_failed(self, error: Exception) -> None:
        """The event completes; then whoever waits is told."""
        self._app_errors.append(error)
        self.machine.world.halted = True

    def app_ended(self, name: str) -> bool:
        """True once the application has returned or raised."""
        self.machine
        return self._apps[name].ended

    # -- the one door for commands ------------------------------------------------------------
    def _command(self, command: str, **args: Any) -> None:
        self._ensure_free(f"{command}()")
        if command not in BEFORE_0:
            self._begin_story()
        self._guarded(self.machine.execute, command, args)
        self._raise_app_error()

    def _begin_story(self) -> None:
        """What is not scene any more begins at 0, or where the scene took longer, after it."""
        if self.machine.world.now_us < 0:
            self._guarded(self.machine.world.run_to, 0)

    def client_call(self, method: str, args: dict) -> None:
        """A call on a client: a command outside applications, a plain call inside one."""
        if inside_application():
            getattr(self.machine, f"_do_{method}")(**args)
        else:
            self._command(method, **args)

    def _ensure_free(self, what: str) -> None:
        """Nobody has the floor, no event is half over, and the engine has not failed."""
        self._ensure_nobody_else(what)
        self._ensure_whole()

    def _ensure_nobody_else(self, what: str) -> None:
        """A broken run may still be forked, but never from within an event."""
        refuse_commands(what)
        if self.machine.world.busy:
            raise IllegalStateException(f"{what} was called from within an event (by a judge or a "
                                        f"view): it may look, but not command or wait")

    def _guarded(self, act: Callable, *args: Any) -> Any:
        """Let the engine act; where it fails itself, this run is broken from that event on."""
        try:
            return act(*args)
        except KeyboardInterrupt:
            self._rewind()
            raise
        except InvariantViolated:
            raise
        except Exception as error:
            self._broken = self.machine.world.event, error
            self._ensure_whole()

    def _rewind(self) -> None:
        """An event that was interrupted has not happened: back to the one before, by replay."""
        world = self.machine.world
        if world.finished < world.event:
            self._go_by(self.machine.journal().up_to(world.finished))
            self._app_errors.clear()

    def _ensure_whole(self) -> None:
        if self._broken is not None:
            event, error = self._broken
            raise BrokenRunException(
                f"the engine failed at event {event} ({type(error).__name__}: {error}); this run "
                f"cannot go on. The run before it: kept, changed = cluster.fork(at={event - 1})"
            ) from error

    # -- waits --------------------------------------------------------------------------------
    def run(self, ms: float) -> None:
        """Let `ms` milliseconds of virtual time pass."""
        checks.not_negative("ms", ms)
        self._ensure_free("run()")
        self._begin_story()
        self._guarded(self.machine.world.run_to, self.machine.world.now_us + round(ms * 1000))
        self._raise_app_error()

    def run_until(self, predicate: Callable[[], bool], limit_ms: float = 60_000) -> None:
        """Let the world go on until `predicate()` is true; TimeoutException after `limit_ms`."""
        checks.predicate(predicate)
        checks.not_negative("limit_ms", limit_ms)
        self._ensure_free("run_until()")
        self._begin_story()
        limit_us = self.machine.world.now_us + round(limit_ms * 1000)

        def reached() -> bool:
            with has_the_floor("a predicate of run_until()"):
                return bool(predicate())

        if not self._advance(reached, limit_us):
            raise TimeoutException(
                f"{limit_ms} ms of virtual time have passed, and "
                f"{getattr(predicate, '__qualname__', predicate)} is still not true")

    def wait_for(self, call: Call) -> Any:
        """Let the world go on until a call has ended; its result, or its error."""
        self._ensure_free("get()")
        self._begin_story()
        if not self._advance(call.done, None):
            raise TimeoutException(f"nothing is left to happen that could end {call}")
        return call.value()

    @no_collector()
    def _advance(self, reached: Callable[[], bool], limit_us: int | None) -> bool:
        """Event by event until `reached()`; False where nothing before the limit gets there."""
        world, errors = self.machine.world, self._app_errors
        while not reached():
            if not self._guarded(world.go_on, world.event + 1, limit_us):
                world.now_us = world.now_us if limit_us is None else limit_us
                return False
            if errors:
                self._raise_app_error()
        return True

    def _raise_app_error(self) -> None:
        if self._app_errors:
            raise self._app_errors.pop(0)

    # -- looking ------------------------------------------------------------------------------
    @property
    def now_ms(self) -> float:
        """Virtual time since the story began, in ms."""
        return self.machine.world.now_us / 1000

    @property
    def event(self) -> int:
        """Id of the last event."""
        return self.machine.world.event

    @property
    def trace(self) -> Trace:
        """Everything that has happened."""
        return self.machine.world.trace

    @property
    def journal(self) -> Journal:
        """Everything that was commanded."""
        return self.machine.journal()

    @property
    def began(self) -> int:
        """The event before the first command that is more than scene, or the last one before 0."""
        return next((entry.follows_event for entry in self.machine.entries
                     if entry.command not in SCENE), self.trace.upto(-1))

    @property
    def setup(self) -> Setup:
        """What this run depends on beside its journal."""
        return self._setup

    def subjects(self) -> list[str]:
        """Names of everything that can be looked at or asked about."""
        return self.machine.subjects()

    def look(self, subject: Any) -> Any:
        """The frozen snapshot of a subject: "orders-0@1", "broker-1", "producer-1", a receipt."""
        name = getattr(subject, "name", subject)
        if (found := self.machine.look(name)) is None:
            checks.unknown_subject(self.machine, name)
        return found

    def log(self, partition: Any, broker: int) -> list[ConsumerRecord]:
        """The records in one broker's log, as they lie on its disk, whether it runs or not."""
        name = self.partition_named(partition)
        node = checks.broker(self.machine, broker)
        return [ConsumerRecord.decoded((*name, *record))
                for batch in whole_batches(node.disk, name)
                for record in batch.records()]

    def why(self, subject: Any, attribute: str | None = None) -> Why:
        """Why a value is what it is: its rule, the chain behind it, and what it waits for."""
        name = getattr(subject, "name", subject)
        snapshot = self.look(name)
        attribute = attribute or ("high_watermark" if "@" in name else "state")
        value = attribute_of(snapshot, attribute, name)
        waits = tuple(words.wait(one, self.machine.current)
                      for one in getattr(snapshot, "waits", ()) if one.attribute == attribute)
        return Why.of(why.explain(self.trace, name, attribute, value, waits, self.event),
                      self.trace)

    # -- the same run, again ------------------------------------------------------------------
    def again(self, *, upto: int | None = None, without: frozenset[int] = frozenset(),
              journal: Journal | None = None, prepare: Callable[[Run], None] | None = None,
              traced: bool = True) -> "Cluster":
        """A twin: this run executed again, up to an event, without some, or by another journal."""
        if journal is None:
            journal = self.machine.journal()
        if upto is not None:
            journal = journal.up_to(upto)
        if without:
            journal = journal._replace(altered_at=min(without))
        twin = object.__new__(Cluster)
        twin._begin(self._setup, journal, self._app_functions, traced=traced,
                    without=without, prepare=prepare)
        return twin

    def fork(self, at: Any) -> tuple["Cluster", "Cluster"]:
        """Two clusters that share every event up to `at` (an id, or anything that has one).

        The first keeps the old tail, the second has none and stands right after `at`: what you
        command it is the other future. Handles have twins: `changed[producer]`.
        """
        self._ensure_nobody_else("fork()")
        changed = self.again(upto=checks.event(self, at))
        changed.machine
        return self.again(), changed

    def __getitem__(self, handle: Handle) -> Any:
        """The twin of a handle in this cluster, by its name."""
        checks.known_handle(self, handle)
        twin = object.__new__(type(handle))
        twin.__dict__.update(handle.__dict__, cluster=self)
        return twin

    def film(self, view: Any, *subjects: Any, **options: Any) -> Any:
        """Film this run with a view: a Player. See `View.film` for the options."""
        with has_the_floor("a view"), no_collector():
            return view.film(self, *subjects, **options)

    # -- what handles ask ---------------------------------------------------------------------
    def _handle(self, name: str) -> Handle:
        if name not in self.machine.clients:
            return Topic(self, name)
        kind = Producer if isinstance(self.machine.core(name), KafkaProducer) else Consumer
        return kind(self, name)

    def core_of(self, client: str) -> Any:
        """The core behind a client's handle."""
        return self.machine.core(client)

    def calls_of(self, client: str) -> list:
        """The calls that a client was asked for, in order."""
        core = self.machine.core(client)
        return core.records if isinstance(core, KafkaProducer) else core.polls

    def partitions_of(self, topic: str) -> int:
        """How many partitions a topic has."""
        return len(self.machine.image.topics[topic].partitions)

    def partition_named(self, given: Any) -> TopicPartition:
        """A partition by any of its names; the topic has to exist."""
        return checks.partition(self.machine, given)
