"""What there is to bring about in module 3's sandbox: a loss, a mark that stands, an heir."""

from kafka_internals.clients.kafka_producer import KafkaProducer
from kafka_internals.cluster.cluster import Cluster
from kafka_internals.common import TopicPartition, replica_name
from kafka_internals.course.sandbox import BREAK, LOAD, NETWORK, Act, Mission
from kafka_internals.messages.produce import ALL_ISR_ACKS

GROUPS = (LOAD, BREAK._replace(acts=(
    *BREAK.acts[:1], Act("Stop in good order", "cluster.stop({broker})",
                         "hand over what it leads, flush, and go"), *BREAK.acts[1:])), NETWORK)
STANDS_MS = 30_000


def lost(cluster: Cluster) -> list[tuple[TopicPartition, int]]:
    """(partition, offset) of each record acknowledged to acks=all that its leader does not have.

    Another disk may still hold it: who follows this leader will cut it off.
    """
    found = []
    for node in cluster.machine.clients.values():
        if isinstance(node.core, KafkaProducer) and node.core.config["acks"] == ALL_ISR_ACKS:
            found += [(record.placed, record.offset) for record in node.core.records
                      if record.state == "acknowledged" and _lacks(cluster, record)]
    return found


def _lacks(cluster: Cluster, record: object) -> bool:
    """A broker leads the record's partition, knows it, and has another record or none there."""
    leader = cluster.machine.image.partition(record.placed).leader
    replica = cluster.machine.look(replica_name(record.placed, leader)) if leader > 0 else None
    if replica is None or replica.role != "leader":
        return False
    value = None if record.value is None else record.value.decode("utf-8", "replace")
    return (record.offset, value) not in {(one.offset, one.value)
                                          for one in cluster.log(record.placed, leader)}


def longest_stand_ms(cluster: Cluster) -> float:
    """The longest time for which a leader's high watermark stood while records waited above it."""
    trace = cluster.trace
    seen: dict[str, dict[str, object]] = {}
    since_ms: dict[str, float] = {}
    longest = 0.0
    for event, subject, attribute, _, new, *_ in trace.changes:
        if attribute not in ("role", "high_watermark", "log_end_offset"):
            continue
        at_ms, replica = trace.event(event).t_us / 1000, seen.setdefault(subject, {})
        longest = max(longest, at_ms - since_ms.get(subject, at_ms))
        replica[attribute] = new
        if not _waits(replica):
            since_ms.pop(subject, None)
        elif attribute == "high_watermark" or subject not in since_ms:
            since_ms[subject] = at_ms
    return max(longest, *(cluster.now_ms - since for since in since_ms.values()), 0.0)


def _waits(replica: dict[str, object]) -> bool:
    """It leads, and has records that are not committed."""
    return replica.get("role") == "leader" \
        and replica.get("high_watermark") != replica.get("log_end_offset")


def outsiders(cluster: Cluster) -> list[tuple[str, int]]:
    """(partition, leader) of each election of a broker that was not in the ISR before it."""
    trace, found = cluster.trace, []
    for event, subject, attribute, _, leader, *_ in trace.changes:
        partition, _, where = subject.partition("@")
        if attribute == "leader" and where.startswith("controller-") and leader > 0:
            before = trace.latest(subject, "isr", event - 1)
            if before is not None and leader not in trace.change(before).new:
                found.append((partition, leader))
    return found


def missions() -> tuple[Mission, ...]:
    """The three of module 3."""
    return (
        Mission("Lose a record that was acknowledged to acks=all.",
                lambda cluster: bool(lost(cluster)),
                "A page cache is lost with its power, and the others have the record, too: so they "
                "must not be allowed to lead. A killed broker leaves the ELR when it comes back. "
                "Pages are written after 30 s, a session is over after 9."),
        Mission("Let a high watermark stand still for 30 s while a record waits above it.",
                lambda cluster: longest_stand_ms(cluster) >= STANDS_MS,
                "Either the ISR is too small to commit anything (then acks=all is refused, and "
                "acks=1 is not), or one member of it does not fetch, and its heartbeats go on."),
        Mission("Elect a leader that was not in the ISR.",
                lambda cluster: bool(outsiders(cluster)),
                "Without unclean elections there is one list more to choose from. It fills when "
                "the ISR falls below min.insync.replicas, and is used when the ISR is empty."))
