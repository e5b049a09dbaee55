"""Judges of replication: what must hold between the replicas of a partition (facts: A.19).

They look at snapshots of replicas only, and at what the controller has written where a statement is
about that. A record is told by its batch: offset, leader epoch and checksum. Who has lost bytes is
excused until its leader knows it anew, since no leader can know that at once.
"""

from collections.abc import Callable
from typing import Any

from kafka_internals.cluster.compared_logs import Compared, newly, told_apart
from kafka_internals.common import TopicPartition, broker_name, replica_name, replica_of
from kafka_internals.messages.produce import ALL_ISR_ACKS
from kafka_internals.sim.trace import Change

Look = Callable[[str], Any]
LOSES_BYTES = ("without power", "without disk")


def replicas_of(subject: str, look: Look) -> dict[int, Any]:
    """The snapshots of a partition's replicas, of those that can be looked at."""
    if (one := look(subject)) is None:
        return {}
    return {broker: snapshot for broker in one.replicas
            if (snapshot := look(replica_name(one.partition, broker))) is not None}


class LogMatching:
    """Two logs with the same epoch at the same offset are the same up to there."""

    watches = frozenset({"log_end_offset"})

    def __init__(self) -> None:
        self._compared = Compared()

    def judge(self, change: Change, look: Look) -> str | None:
        """A log that grew or was cut, against each other one."""
        mine = look(change.subject)
        for broker, other in replicas_of(change.subject, look).items():
            if broker == mine.broker:
                continue
            shared = mine.batches.shared_end(other.batches)
            if (at := self._compared.first_difference(mine, other, shared)) is not None:
                return (f"{change.subject} and broker {broker} have the same epoch before offset "
                        f"{shared}, and differ at {at}")
        return None


class LostBytes:
    """Replicas whose broker lost bytes, until they have fetched all that was ever committed."""

    watches = frozenset({"high_watermark", "log_end_offset", "role", "state",
                         "remote_log_end_offset"})

    def __init__(self) -> None:
        self._brokers: dict[str, set[str]] = {}       # and what has been opened there since
        self.replicas: set[str] = set()
        self._highest: dict[TopicPartition, int] = {}

    def judge(self, change: Change, look: Look) -> None:
        """A witness: it only notes what happens."""
        if change.attribute == "state":
            if change.new in LOSES_BYTES:
                self._brokers[change.subject] = set()
        elif change.attribute == "high_watermark":
            partition = replica_of(change.subject)[0]
            self._highest[partition] = max(self._highest.get(partition, 0), change.new)
        elif change.attribute in ("role", "log_end_offset") and change.old is None:
            opened = self._brokers.get(broker_name(replica_of(change.subject)[1]))
            if opened is not None and change.subject not in opened:
                self.replicas.add(change.subject)
                opened.add(change.subject)
        elif change.attribute.startswith("remote_log_end_offset.") and change.new is not None:
            partition = replica_of(change.subject)[0]
            name = replica_name(partition, int(change.attribute.split(".")[1]))
            if name in self.replicas and (fetcher := look(name)) and \
                    fetcher.log_end_offset >= change.new >= self._highest.get(partition, 0):
                self.replicas.discard(name)


class Beliefs:
    """What each leader believes: that all its ISR has what is below its high watermark.

    `wrong` is the first sentence about a leader that is wrong, `newest_wrong` about the newest one.
    """

    watches = LostBytes.watches - {"state"} | {"isr"}

    def __init__(self, lost: LostBytes) -> None:
        self.lost, self._compared = lost, Compared()
        self.wrong: str | None = None
        self.newest_wrong: str | None = None

    def judge(self, change: Change, look: Look) -> None:
        """A witness: every leader that there is, against the members that it believes in."""
        replicas, self.wrong, self.newest_wrong = replicas_of(change.subject, look), None, None
        for leader in replicas.values():
            if leader.role == "leader" and (sentence := self._missed(leader, replicas)):
                self.wrong = self.wrong or sentence
                if leader.leader_epoch == max([one.leader_epoch for one in replicas.values()]):
                    self.newest_wrong = self.newest_wrong or sentence

    def _missed(self, leader: Any, replicas: dict[int, Any]) -> str | None:
        for member in leader.isr:
            if member == leader.broker or member not in replicas:
                continue
            at = self._compared.first_difference(leader, replicas[member], leader.high_watermark)
            if at is not None and \
                    replica_name(leader.partition, member) not in self.lost.replicas:
                return (f"{leader.partition}: broker {leader.broker} leads epoch "
                        f"{leader.leader_epoch} with high watermark {leader.high_watermark}, "
                        f"and broker {member} of its ISR has something else at {at}")
        return None


class StrongIsr:
    """Whoever believes to lead: what is below its high watermark is in the log of all its ISR."""

    watches = Beliefs.watches

    def __init__(self, beliefs: Beliefs) -> None:
        self._beliefs, self.witnesses = beliefs, (beliefs.lost, beliefs)

    def judge(self, change: Change, look: Look) -> str | None:
        """Every leader that there is."""
        return self._beliefs.wrong


class WeakIsr(StrongIsr):
    """The same of the leader with the highest epoch only; it is asked before."""

    def judge(self, change: Change, look: Look) -> str | None:
        """The newest leader."""
        return self._beliefs.newest_wrong


class ValidHighWatermark:
    """Every member that the controller knows has what is below the leader's mark.

    `registration_of` gives the partition as it is written.
    """

    watches = frozenset({"high_watermark"})

    def __init__(self, registration_of: Callable[[TopicPartition], Any], lost: LostBytes) -> None:
        self._registration_of, self._lost, self.witnesses = registration_of, lost, (lost,)

    def judge(self, change: Change, look: Look) -> str | None:
        """A leader's mark that rises."""
        leader = look(change.subject)
        if leader is None or leader.role != "leader":
            return None
        for member in self._registration_of(leader.partition).isr:
            one = look(name := replica_name(leader.partition, member))
            if one is not None and name not in self._lost.replicas and \
                    one.log_end_offset < leader.high_watermark:
                return (f"{leader.partition}: the high watermark is {leader.high_watermark}, and "
                        f"broker {member} of the ISR that is written ends at {one.log_end_offset}")
        return None


class ReplicationQuorumSuperset:
    """A leader whose ISR is large enough waits for everybody that may be elected (KIP-966).

    Its maximal ISR has the ISR and the ELR that are written, once it has heard of them. (What it
    has only asked for it may forget, as in Kafka, when metadata of the same partition epoch comes
    late; the replica that is to come holds the mark even so.)
    """

    watches = frozenset({"isr", "maximal_isr", "partition_epoch", "role"})

    def __init__(self, registration_of: Callable[[TopicPartition], Any]) -> None:
        self._registration_of = registration_of
        self._known: dict[tuple[str, int], int] = {}     # partition epochs, in a leader epoch

    def judge(self, change: Change, look: Look) -> str | None:
        """A leader with another belief."""
        one = look(change.subject) if "@" in change.subject else None
        if one is None or one.role != "leader":
            return None
        key, written = (change.subject, one.leader_epoch), self._registration_of(one.partition)
        known = self._known[key] = max(self._known.get(key, 0), one.partition_epoch)
        if len(one.isr) < one.min_isr or known < written.partition_epoch:
            return None
        missed = [broker for broker in written.isr + written.elr if broker not in one.maximal_isr]
        return None if not missed else (
            f"{one.partition}: broker {one.broker} leads with maximal ISR {one.maximal_isr}, and "
            f"broker {missed[0]} may be elected")


class FollowerHwBound:
    """A follower's mark is none that no leader had, in its epoch or before."""

    watches = frozenset({"high_watermark", "role", "leader_epoch"})

    def __init__(self) -> None:
        self._highest: dict[TopicPartition, dict[int, int]] = {}

    def judge(self, change: Change, look: Look) -> str | None:
        """A mark that moved, or one with which somebody begins to lead."""
        if (one := look(change.subject)) is None:
            return None
        marks = self._highest.setdefault(one.partition, {})
        if one.role == "leader":
            marks[one.leader_epoch] = max(marks.get(one.leader_epoch, 0), one.high_watermark)
        if one.role == "leader" or change.attribute != "high_watermark":
            return None
        most = max([mark for epoch, mark in marks.items() if epoch <= one.leader_epoch], default=0)
        return None if change.new <= max(most, one.log_start_offset) else (
            f"{change.subject} has high watermark {change.new}, and no leader up to epoch "
            f"{one.leader_epoch} had more than {most}")


class EpochMonotone:
    """On a replica epochs never fall, and another leader epoch has another partition epoch."""

    watches = frozenset({"leader_epoch", "partition_epoch"})

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, int]] = {}

    def judge(self, change: Change, look: Look) -> str | None:
        """An epoch that changed."""
        if "@" not in change.subject or (one := look(change.subject)) is None:
            return None
        now = one.leader_epoch, one.partition_epoch
        old = self._last.setdefault(change.subject, now)
        self._last[change.subject] = now
        if now[0] < old[0] or now[1] < old[1] or now[0] != old[0] and now[1] == old[1]:
            return f"{change.subject}: leader and partition epoch went from {old} to {now}"
        return None


class OneLeaderPerEpoch:
    """In one leader epoch of a partition one broker leads."""

    watches = frozenset({"role", "leader_epoch"})

    def __init__(self) -> None:
        self._led: dict[tuple[TopicPartition, int], int] = {}

    def judge(self, change: Change, look: Look) -> str | None:
        """A broker that leads from now on."""
        one = look(change.subject) if "@" in change.subject else None
        if one is None or one.role != "leader":
            return None
        first = self._led.setdefault((one.partition, one.leader_epoch), one.broker)
        return None if first == one.broker else (
            f"{one.partition}: brokers {first} and {one.broker} lead in epoch {one.leader_epoch}")


class AckedImpliesCommitted:
    """What is acknowledged with acks=all is committed then, and on `min.insync.replicas` logs.

    `found(request)` gives (broker, question, answer) of a request that was answered.
    """

    watches = frozenset({"answer"})

    def __init__(self, found: Callable[[str], tuple | None], lost: LostBytes) -> None:
        self._found, self._lost, self.witnesses = found, lost, (lost,)

    def judge(self, change: Change, look: Look) -> str | None:
        """An answer to a produce request."""
        if (found := self._found(change.subject)) is None:
            return None
        broker, asked, answered = found
        if getattr(asked, "acks", None) != ALL_ISR_ACKS:
            return None
        for data, result in zip(asked.partitions, answered.partitions):
            if result.error != "NONE":
                continue
            leader = look(replica_name(result.partition, broker))
            last = result.base_offset + data.records.header.last_offset_delta
            if last >= leader.high_watermark:
                return (f"{change.subject} is told that offset {last} is written, and the high "
                        f"watermark of {result.partition} is {leader.high_watermark}")
            seen = {one: look(replica_name(result.partition, one)) for one in leader.replicas}
            have = [one for one, log in seen.items() if log is None or log.log_end_offset > last
                    or replica_name(result.partition, one) in self._lost.replicas]
            if len(have) < leader.min_isr:
                return (f"{change.subject} is told that offset {last} of {result.partition} is "
                        f"written, and {len(have)} replicas have it, of {leader.min_isr}")
        return None


class ConsistentRead:
    """What was once below some replica's high watermark is the same wherever it is read later."""

    watches = frozenset({"high_watermark"})

    def __init__(self) -> None:
        self._read: dict[TopicPartition, dict[int, tuple]] = {}

    def judge(self, change: Change, look: Look) -> str | None:
        """A mark that moved: what can be read below it."""
        if (one := look(change.subject)) is None:
            return None
        known = self._read.setdefault(one.partition, {})
        for offset, batch in newly(one, change).items():
            if known.setdefault(offset, batch) != batch:
                return (f"{change.subject}: offset {offset} can be read, and it is another record "
                        f"than the one that could be read there before")
        return None


class CommittedNeverLost:
    """What a leader has committed is in the log of every leader after it (LeaderCompleteness)."""

    watches = frozenset({"high_watermark", "role", "leader_epoch"})

    def __init__(self) -> None:
        self._committed: dict[TopicPartition, dict[int, tuple[int, tuple]]] = {}
        self._ends: dict[TopicPartition, int] = {}

    def judge(self, change: Change, look: Look) -> str | None:
        """A leader commits, or begins to lead; it may hear late that it did, in an old epoch."""
        one = look(change.subject) if "@" in change.subject else None
        if one is None or one.role != "leader":
            return None
        known = self._committed.setdefault(one.partition, {})
        if change.attribute == "high_watermark":
            for offset, batch in newly(one, change).items():
                _, stays = known.setdefault(offset, (one.leader_epoch, batch))
                self._ends[one.partition] = max(self.end(one.partition), stays[0] + 1)
            return None
        has = told_apart(one, one.log_start_offset, one.log_end_offset)
        lost = [offset for offset, (epoch, batch) in known.items() if epoch < one.leader_epoch
                and offset >= one.log_start_offset and has.get(offset) != batch]
        return None if not lost else (
            f"{one.partition}: broker {one.broker} leads epoch {one.leader_epoch} without offset "
            f"{min(lost)}, which was committed before")

    def end(self, partition: TopicPartition) -> int:
        """Up to where the partition is committed, whoever knows it."""
        return self._ends.get(partition, 0)


class LeaderCandidateCompleteness:
    """Every running replica that could be elected cleanly has all that is committed.

    Those are ISR and ELR as they are written, not who was the last leader. A change of ("orders-0",
    "isr") tells that they are others now. Who was down uncleanly is no candidate when it is up
    again.
    """

    watches = frozenset({"high_watermark", "isr", "log_end_offset"})

    def __init__(self, registration_of: Callable[[TopicPartition], Any]) -> None:
        self._registration_of, self._committed = registration_of, CommittedNeverLost()

    def judge(self, change: Change, look: Look) -> str | None:
        """Marks, logs or candidates are others now."""
        if change.attribute == "high_watermark":
            self._committed.judge(change, look)
        replica = replica_of(change.subject)
        partition = replica[0] if replica else TopicPartition.of(change.subject)
        end, written = self._committed.end(partition), self._registration_of(partition)
        for broker in written.isr + written.elr:
            one = look(replica_name(partition, broker))
            if one is not None and one.log_end_offset < end:
                return (f"{partition} is committed up to {end}, and broker {broker}, which may be "
                        f"elected, ends at {one.log_end_offset}")
        return None


def replication_judges(registration_of: Callable[[TopicPartition], Any],
                       found: Callable[[str], tuple | None]) -> list:
    """All of them; the first to look is the one that every other follows from.

    `registration_of` gives a partition as the controller has written it, `found` see
    AckedImpliesCommitted.
    """
    beliefs = Beliefs(lost := LostBytes())
    return [EpochMonotone(), OneLeaderPerEpoch(), LogMatching(),
            ValidHighWatermark(registration_of, lost), WeakIsr(beliefs), StrongIsr(beliefs),
            ReplicationQuorumSuperset(registration_of), FollowerHwBound(),
            CommittedNeverLost(), ConsistentRead(), LeaderCandidateCompleteness(registration_of),
            AckedImpliesCommitted(found, lost)]
