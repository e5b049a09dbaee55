"""What a command has to pass before it is written into the journal.

Each check raises Kafka's own error where Kafka has one, says what was given and what would have
worked, and changes nothing.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from os import PathLike
from typing import Any

from kafka_internals.cluster.handles import Handle
from kafka_internals.common import LEGAL_TOPIC, TopicPartition, broker_name
from kafka_internals.config import (
    BROKER_CONFIG,
    CONTROLLER_CONFIG,
    PRODUCER_CONFIG,
    QUORUM_CONFIG,
    ConfigDef,
)
from kafka_internals.errors import (
    ConfigException,
    IllegalStateException,
    InvalidPartitionsException,
    InvalidReplicaAssignmentException,
    InvalidReplicationFactorException,
    InvalidRequestException,
    InvalidTopicException,
    UnknownTopicOrPartitionException,
)
from kafka_internals.server.replica_selector import SELECTORS
from kafka_internals.server.rules import Rules

CLUSTER_CONFIG = ConfigDef("broker", [
    key for one in (BROKER_CONFIG, CONTROLLER_CONFIG, QUORUM_CONFIG) for key in one.keys.values()])
UNSAFE = {"high_watermark": ("isr", "leader"), "consumer_reads_to": ("high watermark", "log end"),
          "acks_all_waits_for": ("high watermark", "append"),
          "replicas_awaited_in": ("purgatory", "handler thread"), "offsets": ("dense", "gap"),
          "truncation": ("diverging epoch", "hw", "kip-101"), "fencing": (True, False),
          "high_watermark_isr": ("maximal", "proposed", "committed"),
          "min_isr_gate": (True, False), "broker_epochs": (True, False),
          "partition_epochs": (True, False), "clean_shutdown_file": (True, False)}


def broker_count(brokers: int) -> None:
    """At least one broker."""
    if not _whole(brokers) or brokers < 1:
        raise ValueError(f"brokers={brokers!r}: a cluster has at least 1 broker")


def _whole(given: Any) -> bool:
    return isinstance(given, int) and not isinstance(given, bool)


def given(definition: Any, configs: dict | None, more: dict[str, Any]) -> tuple:
    """Configs as the learner gave them, checked against their definition."""
    names = {**(configs or {}), **{name.replace("_", "."): one for name, one in more.items()}}
    if twice := [name for name in more if name.replace("_", ".") in (configs or {})]:
        raise ConfigException(f"{definition.kind} config {twice[0]!r} is given twice: in configs "
                              f"and as a keyword")
    definition.parse(names)
    return tuple(sorted(names.items()))


def broker_configs(configs: dict) -> tuple:
    """Configs of brokers and of the controller, checked; both have one file in Kafka."""
    names = {name.replace("_", "."): one for name, one in configs.items()}
    parsed = CLUSTER_CONFIG.parse(names)
    listeners(parsed)
    selector(parsed["replica.selector.class"])
    return tuple(sorted(names.items()))


def selector(given: str | None) -> None:
    """A class that chooses replicas for consumers, of those that Kafka brings."""
    if given not in SELECTORS:
        raise ConfigException(
            f"Invalid value {given} for configuration replica.selector.class: Class {given} could "
            f"not be found; there is {', '.join(filter(None, SELECTORS))}")


def listeners(config: Any) -> None:
    """Clients use the first listener, brokers the one of `security.inter.broker.protocol`."""
    protocols = [one.partition("://")[0] for one in config["listeners"]]
    for one, protocol in zip(config["listeners"], protocols):
        if protocol not in ("PLAINTEXT", "SSL") or "://" not in one:
            raise ConfigException(f"Invalid value {one} for configuration listeners: write "
                                  f"PLAINTEXT://:9092 or SSL://:9093 (SASL is not modelled)")
    if (between := config["security.inter.broker.protocol"]) not in protocols:
        raise ConfigException(
            f"inter.broker.listener.name must be a listener name defined in listeners, which are "
            f"{', '.join(protocols)}; security.inter.broker.protocol is {between}: set it to "
            f"{protocols[0]}, or add a listener")


def quotas(client_id: Any, configs: Any) -> tuple:
    """Quotas of one client.id, or of the default; the controller judges names and numbers."""
    if client_id is not None and not isinstance(client_id, str):
        raise InvalidRequestException(f"client.id {client_id!r} is no text: give a client.id, a "
                                      f"handle, or None for the default")
    if not isinstance(configs, dict) or not configs:
        raise InvalidRequestException(f"{configs!r} sets no quota: write "
                                      f"{{'producer_byte_rate': 10_000}}")
    for name, bound in configs.items():
        if bound is not None and (not isinstance(bound, (int, float)) or isinstance(bound, bool)):
            raise InvalidRequestException(f"Quota {name} is {bound!r}: give a number greater than "
                                          f"0; None removes it")
    return tuple(configs.items())


def rules(unsafe: dict[str, str]) -> Rules:
    """Switches for lessons and tests."""
    for name, value in unsafe.items():
        if value not in UNSAFE.get(name, ()) and not (name == "truncation" and callable(value)):
            known = "; ".join(f"{n}: {' or '.join(map(repr, v))}" for n, v in UNSAFE.items())
            raise ValueError(f"unsafe={{{name!r}: {value!r}}} is no switch; there is {known}")
    return Rules(**unsafe)


def new_topic(name: Any, partitions: Any, replication_factor: Any, assignment: Any) -> None:
    """What a CreateTopics request can say; the rest is the controller's to judge."""
    if not isinstance(name, str) or not name:
        raise InvalidTopicException(f"The given topic name '{name}' cannot be represented in a "
                                    f"request: give a text, like 'orders'")
    if not _whole(partitions):
        raise InvalidPartitionsException(f"partitions={partitions!r}: give a whole number")
    if not _whole(replication_factor):
        raise InvalidReplicationFactorException(f"replication_factor={replication_factor!r}: give "
                                                f"a whole number")
    if assignment is not None and not (isinstance(assignment, dict) and all(
            _whole(number) and isinstance(brokers, (list, tuple)) and all(map(_whole, brokers))
            for number, brokers in assignment.items())):
        raise InvalidReplicaAssignmentException(
            f"replica_assignment={assignment!r}: give brokers by partition, the leader first, "
            f"like {{0: [1, 2, 3]}}")


def more_partitions(run: Any, name: Any, total_count: Any) -> None:
    """A topic that exists, and a number; the rest is the controller's to judge."""
    if name not in run.image.topics:
        unknown_topic(run, name)
    if not _whole(total_count):
        raise InvalidPartitionsException(f"{total_count!r} is no number of partitions: give the "
                                         f"total, with those that {name} has")


def client_id(given: Any, taken: Any) -> None:
    """A name that no other node has."""
    if not isinstance(given, str) or not LEGAL_TOPIC.fullmatch(given):
        raise ConfigException(f"client.id {given!r}: use letters, digits, '.', '_' and '-'")
    if given in taken:
        raise ConfigException(f"client.id {given!r} is taken: names tell clients apart in pictures "
                              f"and forks, so give this one another")


def producer_configs(configs: dict | None, more: dict[str, Any], functions: dict) -> tuple:
    """A producer's configs, checked; its partitioner has to be one of the known `functions`."""
    found = given(PRODUCER_CONFIG, configs, more)
    named = dict(found).get("partitioner.class")
    if named is not None and named not in functions:
        raise ConfigException(f"Invalid value {named} for configuration partitioner.class: Class "
                              f"{named} could not be found. Pass the function itself: "
                              f"producer(partitioner={named})")
    return found


def not_negative(name: str, given: Any) -> None:
    """A number of 0 or more; infinity and "not a number" are none."""
    if not isinstance(given, (int, float)) or isinstance(given, bool) or not 0 <= given < 1e15:
        raise ValueError(f"{name}={given!r}: has to be a number of 0 or more")


def per_mille(given: Any) -> None:
    """A whole number from 0 to 1000."""
    if not _whole(given) or not 0 <= given <= 1000:
        raise ValueError(f"per_mille={given!r}: has to be a whole number from 0 to 1000")


def predicate(given: Any) -> None:
    """Something that can be called."""
    if not callable(given):
        raise TypeError(f"run_until() takes a function to call again and again, like receipt.done "
                        f"or lambda: ...; got {given!r}")


def broker(run: Any, given: Any) -> Any:
    """The node of a broker, by id."""
    if given not in run.brokers or isinstance(given, bool):
        raise IllegalStateException(f"there is no broker {given!r}; there are "
                                    f"{', '.join(map(str, run.brokers))}")
    return run.brokers[given]


def broker_state(run: Any, command: str, given: Any, up: bool | None, paused: bool | None) -> None:
    """A broker in a state in which the command makes sense."""
    node = broker(run, given)
    if up is True and not node.up:
        raise IllegalStateException(f"{command}({given}): broker {given} is {node.state}; "
                                    f"restart({given}) first")
    if up is False and node.up:
        raise IllegalStateException(f"{command}({given}): broker {given} is {node.state}; "
                                    f"kill({given}), stop({given}) or power_loss({given}) first")
    if paused is not None and node.paused is not paused:
        wanted = "it can be resumed only while paused" if paused else f"resume({given}) first"
        raise IllegalStateException(f"{command}({given}): broker {given} is {node.state}; {wanted}")


def exported(run: Any, given: Any, path: Any, crashed: Any) -> Any:
    """The node of a broker whose disk can be written to real files."""
    found = broker(run, given)
    if not isinstance(path, (str, PathLike)):
        raise TypeError(f"export({given}, {path!r}): give the path of a new directory, like "
                        f"'broker-{given}'")
    if not isinstance(crashed, bool):
        raise TypeError(f"export(..., crashed={crashed!r}): True or False")
    if not found.disk.files:
        raise IllegalStateException(f"export({given}): broker {given} is {found.state} and has "
                                    f"nothing on it; restart({given}) first")
    if crashed and found.state == "stopped":
        raise IllegalStateException(f"export({given}, crashed=True): broker {given} is stopped, in "
                                    f"an orderly way; leave crashed=True out, or kill({given}) in "
                                    f"a fork")
    return found


def node(run: Any, given: Any) -> str:
    """A node's name, from a broker id, a handle or the name itself."""
    name = broker_name(given) if _whole(given) else getattr(given, "name", given)
    if name not in run.world.nodes:
        raise IllegalStateException(f"there is no node {given!r}; there are "
                                    f"{', '.join(run.world.nodes)}")
    return name


def sides(run: Any, side: Iterable[Any], other: Iterable[Any]) -> tuple:
    """Two groups of nodes that have no member in common, in a fixed order."""
    order = list(run.world.nodes)
    one, two = (sorted({node(run, member) for member in group}, key=order.index)
                for group in (side, other))
    if not one or not two or set(one) & set(two):
        raise ValueError(f"partition({side!r}, {other!r}): two groups without a common member, "
                         f"like partition({{1}}, {{2, 3}})")
    return tuple(one), tuple(two)


def message(run: Any, given: Any) -> str:
    """The identity of a message that has not arrived yet."""
    kind, _, rest = str(given).partition("-")
    client, _, number = rest.rpartition(".")
    if kind not in ("request", "response") or not client or not number.isdecimal():
        raise ValueError(f"{given!r} is no message: write 'request-producer-1.3', or "
                         f"'response-producer-1.3' for its answer")
    if (node := run.world.holder(given)) is not None:
        raise IllegalStateException(f"{given} has arrived at broker {node.broker}, which is "
                                    f"paused: resume({node.broker}), or fork before it came")
    about = given if kind == "request" else f"response-{rest}"
    trace = run.world.trace
    if trace is not None:
        for event in reversed(trace.events):
            if event[5] == about and event[4] in ("request", "response"):
                raise IllegalStateException(f"{given} has arrived at {event[1] / 1000} ms: fork "
                                            f"before event {event[0]} to lose or delay it")
    return given


def partition(run: Any, given: Any) -> TopicPartition:
    """An existing partition, by any of its names."""
    name = TopicPartition.of(given)
    topic = run.image.topics.get(name.topic)
    if topic is None:
        unknown_topic(run, name.topic)
    if name.partition >= len(topic.partitions):
        raise UnknownTopicOrPartitionException(
            f"{name.topic} has {len(topic.partitions)} partition(s), 0 to "
            f"{len(topic.partitions) - 1}; asked for {name.partition}")
    return name


def unknown_topic(run: Any, name: Any) -> None:
    """No topic has this name: say which there are."""
    known = ", ".join(run.image.topics) or "none yet"
    raise UnknownTopicOrPartitionException(f"there is no topic {name!r}; there is {known}")


def unknown_subject(run: Any, name: Any) -> None:
    """No snapshot has this name: say the nearest ones."""
    known = run.subjects()
    near = get_close_matches(str(name), known, 3) or known[:6]
    raise IllegalStateException(f"there is nothing called {name!r} to look at; there is "
                                f"{', '.join(near)}")


def metric(metrics: dict[str, Any], of: int, name: Any) -> Any:
    """One of a broker's metrics."""
    if name not in metrics:
        near = get_close_matches(str(name), metrics, 3) or list(metrics)[:6]
        raise IllegalStateException(f"broker {of} has no metric {name!r}; there is "
                                    f"{', '.join(near) or 'none while it is down'}")
    return metrics[name]


def handle_here(cluster: Any, handle: Handle) -> Handle:
    """A handle of this very cluster, not of a fork of it."""
    if handle.cluster is not cluster:
        raise IllegalStateException(f"{handle!r} belongs to another cluster: take its twin, "
                                    f"cluster[{handle.name.replace('-', '_')}]")
    return handle


def known_handle(cluster: Any, handle: Any) -> None:
    """A handle whose name exists in this cluster at its present position."""
    if not isinstance(handle, Handle):
        raise TypeError(f"cluster[...] takes a handle (a topic, producer, consumer, receipt or "
                        f"application); got {handle!r}")
    run = cluster.machine
    there = handle.name in run.image.topics or handle.name in cluster._apps \
        or run.look(handle.name) is not None
    if not there:
        raise IllegalStateException(f"{handle.name} does not exist in this cluster: it was made "
                                    f"after event {run.world.event}, where this one stands")


def event(cluster: Any, given: Any) -> int:
    """An event of this run: an id, or an event, change, or "why?" that has one."""
    number = given if _whole(given) else getattr(given, "event", getattr(given, "id", given))
    if not _whole(number) or not 0 <= number <= cluster.event:
        raise IllegalStateException(f"fork(at={given!r}): this run has events 1 to "
                                    f"{cluster.event}; give one of these ids, or 0 for the start")
    return number
