"""Plain words for subjects, attributes, changes and waits: what "why?" and the event log say.

One table of sentences, used by the text form of "why?" and by every film. Kafka's terms stay as
they are; numbers are always the ones that were read.
"""

from collections.abc import Callable
from typing import Any

from kafka_internals.common import TopicPartition, Wait
from kafka_internals.sim.trace import Change, Event, Flight

CONTROLLER = "100"                  # the node of the metadata quorum that has the vote
METADATA_LOG = "__cluster_metadata-0"
ATTRIBUTES = {
    "partition_counts": "number of partitions",
    "log_end_offset": "log end offset", "high_watermark": "high watermark", "state": "state",
    "role": "role", "position": "position", "buffered": "records buffered", "offset": "offset",
    "accumulator": "records waiting", "leader": "leader", "topics": "topics of interest",
    "remote_log_end_offset": "known log end offset", "assignment": "assignment",
    "in_flight": "batches in flight", "batch_state": "state",
    "available_bytes": "free bytes of buffer.memory", "sticky": "sticky partition",
    "waiting_threads": "calls that wait for memory", "next_sequence": "next sequence",
    "leaders": "leader and epoch", "brokers": "standing and epoch of broker",
    "producer_id": "producer id", "producer_epoch": "producer epoch",
    "next_producer_id": "next producer id", "producer_id_blocks": "blocks of producer ids",
    "fetch_position": "fetch position", "paused": "paused partitions",
    "records": "records returned", "error": "error", "station": "station",
    "claim_epoch": "epoch as active controller", "isr": "ISR", "maximal_isr": "maximal ISR",
    "isr_state": "state of the ISR", "min_isr": "min.insync.replicas",
    "elr": "eligible leader replicas", "last_known_elr": "last known eligible leaders",
    "leader_recovery_state": "leader recovery state", "partition_epoch": "partition epoch",
    "leader_epoch": "leader epoch", "leader_epoch_start_offset": "first offset of the epoch",
    "replicas": "assigned replicas", "directories": "log directories of the replicas",
    "epoch": "broker epoch", "broker_epoch": "broker epoch", "incarnation_id": "process id",
    "in_controlled_shutdown": "in controlled shutdown", "log_dirs": "log directories",
    "cordoned_log_dirs": "log directories that take no new partition",
    "controlled_shutdown_offset": "metadata offset that lets it go",
    "metadata_offset": "offset in the metadata log", "contact_ms": "last heartbeat (ms)",
    "ready_to_unfence": "ready to serve", "request": "request in flight",
    "last_committed_offset": "last committed offset", "next_write_offset": "next offset to write",
    "leader_id": "leader", "parked": "fetches that wait",
    "quotas": "quota", "configs": "setting", "features": "feature level", "topic": "topic id",
    "asked": "question", "answer": "answer"}
ELSEWHERE = {("in_flight", "-lifecycle"): "request", ("topics", "controller-100"): "topic"}


def place(subject: str) -> str:
    """Where a subject is, in words: "orders-0 on broker 1", "request 3 of producer-1"."""
    if "@" in subject:
        name, _, broker = subject.rpartition("@")
        if broker.startswith("controller-"):
            return f"{name.replace('broker-', 'broker ')} as the controller knows it"
        node = "the controller" if broker == CONTROLLER else f"broker {broker}"
        return f"{'the metadata log' if name == METADATA_LOG else name} on {node}"
    for prefix, word in (("request-", "request"), ("parked-", "parked request")):
        if subject.startswith(prefix):
            client, _, number = subject[len(prefix):].rpartition(".")
            return f"{word} {number} of {client}"
    client, hash_sign, number = subject.partition("#")
    if hash_sign:
        return f"{'poll' if client.startswith('consumer') else 'record'} {number} of {client}"
    if subject.endswith("-lifecycle"):
        return f"the life of {subject.removesuffix('-lifecycle').replace('broker-', 'broker ')}"
    return "the controller" if subject == f"controller-{CONTROLLER}" else \
        subject.replace("broker-", "broker ")


def attribute(name: str, subject: str = "") -> str:
    """An attribute of a subject in words; a key stands behind it."""
    field, _, key = name.partition(".")
    field = next((word for (one, end), word in ELSEWHERE.items()
                  if one == field and subject.endswith(end)), field)
    words = ATTRIBUTES.get(field, field.replace("_", " "))
    if field == "remote_log_end_offset":
        return f"{words} of broker {key}"
    if field == "batch_state":
        return f"{words} of batch {key}"
    return f"{words} of {key}" if key else words


def value(given: Any) -> str:
    """A value as it is said: nothing, a word, a number or a short list."""
    if given is None:
        return "none"
    if isinstance(given, bool):
        return "yes" if given else "no"
    if isinstance(given, tuple) and not isinstance(given, TopicPartition):
        return ", ".join(map(str, given)) or "none"
    return "unknown" if given == -1 else str(given)


def change(one: Change) -> str:
    """A change in one short line."""
    field, _, key = one.attribute.partition(".")
    if field == "asked":
        return f"{place(one.subject)}: {one.new}"
    if field == "answer":
        return f"{place(one.subject)} is answered: {one.new}"
    if field == "remote_log_end_offset":
        return f"{place(one.subject)}: broker {key} fetched at {one.new}"
    if one.subject.endswith(f"@controller-{CONTROLLER}") and field in DECIDED:
        return DECIDED[field](one.subject.rpartition("@")[0].replace("broker-", "broker "), one)
    said = f"{place(one.subject)}: {attribute(one.attribute, one.subject)} "
    return said + (value(one.new) if one.old is None else f"{value(one.old)} to {value(one.new)}")


def _leads(partition: str, one: Change) -> str:
    who = f"broker {one.new} leads" if one.new >= 0 else "nobody leads"
    before = "" if one.old in (None, -1) else f", after broker {one.old}"
    return f"the controller decides that {who} {partition}{before}"


def _heard(broker: str, one: Change) -> str:
    if one.new is None:
        return f"the controller waits for no heartbeat of {broker} any more"
    return f"the controller hears a heartbeat of {broker}"


DECIDED: dict[str, Callable[[str, Change], str]] = {        # what a controller does, as a sentence
    "fenced": lambda broker, one: f"the controller {'' if one.new else 'un'}fences {broker}",
    "in_controlled_shutdown": lambda broker, one: f"{broker} is about to stop" if one.new else
    f"{broker} is not about to stop any more",
    "epoch": lambda broker, one: f"{broker} is registered with broker epoch {one.new}"
    if one.new is not None else f"{broker} is registered no more",
    "leader": _leads, "contact_ms": _heard}


HELD = {"idle handler": "an idle request handler of {who}",
        "room": "room in the request queue of {who}, which holds {what}",
        "network thread": "network thread {what} of {who}",
        "log lock": "{who} to release the log lock of {what}",
        "throttle": "the throttling of {who} to end"}
COMMANDS = {
    "create_topic": "topic {topic} is created",
    "create_partitions": "{topic} is given {total_count} partitions",
    "producer": "{client_id} begins", "consumer": "{client_id} begins",
    "send": "{producer} is given a record for {topic}",
    "flush": "{producer} flushes", "assign": "{consumer} is assigned {partitions}",
    "seek": "{consumer} seeks {partition} to {to}", "poll": "{consumer} polls",
    "pause_partitions": "{consumer} pauses {partitions}",
    "resume_partitions": "{consumer} resumes {partitions}",
    "look_up": "{consumer} asks for offsets",
    "run_app": "application {app} begins", "kill": "broker {broker} is killed",
    "stop": "broker {broker} is stopped", "power_loss": "broker {broker} loses power",
    "lose_disk": "broker {broker} loses its disk", "pause": "broker {broker} is paused",
    "full_disk": "the disk of broker {broker} has {free_bytes} bytes left",
    "free_disk": "the disk of broker {broker} has room again",
    "resume": "broker {broker} resumes", "restart": "broker {broker} is started again",
    "slow": "broker {broker} fetches {fetch_ms} ms slower",
    "partition": "{side} and {other_side} are cut off from each other",
    "cut": "the link from {sender} to {receiver} is cut",
    "lossy": "{per_mille} of 1000 messages from {sender} to {receiver} get lost",
    "slow_handlers": "each request keeps a handler of broker {broker} {delay_ms} ms longer",
    "drop_caches": "the page cache of broker {broker} is emptied",
    "alter_client_quotas": "the quotas of {client_id} become {quotas}",
    "heal": "every link works again", "drop": "{message} is lost",
    "delay": "{message} arrives {ms} ms later"}


def command(name: str, args: dict[str, Any]) -> str:
    """A command in one short line."""
    return COMMANDS[name].format_map(_Named(args))


class _Named(dict):
    """Arguments, put into words when a sentence asks for them."""

    def __getitem__(self, key: str) -> Any:
        given = super().__getitem__(key)
        return _named(given) if type(given) is tuple else given


def _named(given: Any) -> Any:
    """Partitions travel as (topic, number) in a journal; groups of nodes as tuples."""
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], int):
        return TopicPartition(*given)
    return ", ".join(map(str, map(_named, given))) if isinstance(given, tuple) else given


def event(one: Event) -> str:
    """An event in one short line."""
    if one.kind == "command":
        return one.about or "command"
    if one.kind in ("request", "response"):
        who = place(f"request-{one.about.partition('-')[2]}")
        reached = place(one.node)
        return f"{who} reaches {reached}" if one.kind == "request" else f"{who}: answer arrives"
    if one.kind == "disconnected":
        return f"{place(one.node)} loses a connection"
    return f"{place(one.node)}: {one.kind}"


def sent(one: Flight) -> str:
    """A message that leaves, in one short line."""
    who, lost = place(f"request-{one.id.partition('-')[2]}"), one.due_us is None
    said = f"{who} leaves" if one.kind == "request" else f"{place(one.sender)} answers {who}"
    return f"{said}, and is lost" if lost else said


def question(subject: str, name: str, current: Any) -> str:
    """The question that a click asks."""
    if name == "station":
        return f"Why is {place(subject)} in this place: {value(current)}?"
    if isinstance(current, bool):
        return f"Why is it {'' if current else 'not '}{attribute(name)} ({place(subject)})?"
    return f"Why is the {attribute(name, subject)} {value(current)} ({place(subject)})?"


def wait(one: Wait, current: Callable[[str, str], Any]) -> str:
    """What would move a value; `current` looks up what the other side has now."""
    field, _, key = one.of.partition(".")
    if field == "answer":
        said = f"the answer to {place(one.subject)}"
        parked = f"parked-{one.subject[8:]}"
        if key:
            said = f"a record of {key} in {said}"
        if (kind := current(parked, "kind")) is not None and key:
            said += f" ({kind}, until {current(parked, 'deadline_ms')} ms)"
    elif field == "accumulator":
        said = "its batch to be sent"
    elif field == "leader":
        said = "metadata about its topic"
    elif field in HELD:
        said = HELD[field].format(who=place(one.subject), what=one.needs)
    elif field == "buffered":
        said = f"a record of {key}"
    else:
        said = _number(one, current(one.subject, one.of))
    return said if one.or_at_ms is None else f"{said}, at most until {one.or_at_ms} ms"


def _number(one: Wait, has: Any) -> str:
    field, _, key = one.of.partition(".")
    if field == "remote_log_end_offset":
        seen = "never fetched" if has == -1 else f"last fetched at {has}"
        return f"broker {key} to fetch at {one.needs} ({seen})"
    if field == "isr":
        return f"the ISR to have {one.needs} members (it has {len(has)})"
    said = f"{attribute(one.of, one.subject)} of {place(one.subject)}"
    return f"{said} to reach {one.needs} ({value(has)} now)"
