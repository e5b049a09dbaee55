"""Kafka's invariants, as judges. Each looks only at what changed (facts: A.19 of the checker).

Those between replicas are in `replication_judges`, those of the request path in `request_judges`.
"""

import re
from bisect import bisect
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from kafka_internals.clients.fetcher import POSITION_RULE
from kafka_internals.cluster.replication_judges import replication_judges
from kafka_internals.cluster.request_judges import (
    AcksHonoured,
    NobodyWaitsInAHandler,
    ResponsesInOrder,
    answered,
)
from kafka_internals.cluster.run import Run
from kafka_internals.common import TopicPartition, replica_of
from kafka_internals.errors import IllegalStateException
from kafka_internals.messages.produce import ALL_ISR_ACKS
from kafka_internals.raft.raft_log import CLUSTER_METADATA
from kafka_internals.server.broker_lifecycle_manager import STARTING
from kafka_internals.server.local_replica import CUTS
from kafka_internals.sim.invariants import InvariantViolated, Trial
from kafka_internals.sim.trace import Change
from kafka_internals.storage.file_records import whole_batches

Look = Callable[[str], Any]
NOT_JUDGED = re.compile(rf"{CLUSTER_METADATA}@|.*@controller-|parked-|"
                        r"request-(raft-client-\d+|broker-\d+-(?!fetcher-)[a-z-]+)\.\d")
DOWN = ("crashed", "stopped", "without power", "without disk")


class NoDirtyRead:
    """A consumer's position never passes the highest high watermark that there was."""

    watches = frozenset({"position", "high_watermark"})

    def __init__(self) -> None:
        self._highest: dict[TopicPartition, int] = {}

    def judge(self, change: Change, look: Look) -> str | None:
        """A position that moved by reading, not by a seek."""
        if change.attribute == "high_watermark":
            partition, _ = replica_of(change.subject)
            self._highest[partition] = max(self._highest.get(partition, 0), change.new)
            return None
        if change.rule != POSITION_RULE:
            return None
        partition = TopicPartition.of(change.attribute.partition(".")[2])
        if change.new <= self._highest.get(partition, 0):
            return None
        return (f"{change.subject} has read {partition} up to {change.new}, above the high "
                f"watermark {self._highest.get(partition, 0)}: what it read may still be lost")


class ReadOnceInOrder:
    """Between seeks a consumer gives each offset of a partition once, in order, and none is missed.

    What is passed over are control batches, and aborted ones where `isolation.level` says so.
    """

    watches = frozenset({"position", "records"})

    def __init__(self, run: Run) -> None:
        self._run = run
        self._next: dict[tuple[str, TopicPartition], int | None] = {}

    def judge(self, change: Change, look: Look) -> str | None:
        """A jump says where to go on; records are compared with where that is."""
        if change.attribute != "records":
            if change.rule != POSITION_RULE:
                partition = TopicPartition.of(change.attribute.partition(".")[2])
                self._next[change.subject, partition] = change.new
            return None
        consumer = change.subject.partition("#")[0]
        for partition, offsets in look(change.subject).offsets:
            expected = self._next.get((consumer, partition))
            for offset in offsets:
                if expected is not None and offset != expected:
                    if offset < expected:
                        return f"{change.subject} gave {partition} offset {offset} again"
                    if self._has_records(partition, expected, offset, look(consumer)):
                        return (f"{change.subject} gave {partition} offset {offset} and left out "
                                f"{expected}")
                expected = offset + 1
            self._next[consumer, partition] = expected
        return None

    def _has_records(self, partition: TopicPartition, begin: int, end: int, reader: Any) -> bool:
        """True where the leader's log has a record in between that is of no transaction."""
        disk = self._run.brokers[dict(reader.leader)[partition]].disk
        return any(begin <= record.offset < end for batch in whole_batches(disk, partition)
                   if not batch.header.is_transactional for record in batch.records())


class OffsetsDense:
    """Every batch begins where the log ended: no offset is given twice, none is left out."""

    watches = frozenset({"log_end_offset"})

    def judge(self, change: Change, look: Look) -> str | None:
        """The batches that this change appended."""
        if "@" not in change.subject or change.old is None or change.rule in CUTS:
            return None
        replica = look(change.subject)
        if replica is None:
            return None
        end = change.new
        for batch in reversed(replica.batches):
            if batch.base_offset < change.old:
                break
            if batch.last_offset + 1 != end:
                return (f"{change.subject}: a batch ends at {batch.last_offset}, the next begins "
                        f"at {end}")
            end = batch.base_offset
        return None if end == change.old else \
            f"{change.subject}: the log ended at {change.old}, the next batch begins at {end}"


class AckedNeverLost:
    """What was acknowledged is in the log of one who may be elected: ISR, ELR, or who led last.

    A log has everything below its end, so the highest acknowledged offset speaks for the rest. A
    member that is down still has its disk. Lost means that nobody's disk holds the record.
    `promised`: the acks that are held to it; of those that Kafka has, only "all" promises it.
    """

    watches = frozenset({"offset", "state", "isr"})

    def __init__(self, run: Run, promised: tuple[int, ...] = (ALL_ISR_ACKS,)) -> None:
        self._run, self._promised = run, promised
        self._acked: dict[TopicPartition, tuple[int, str]] = {}

    def judge(self, change: Change, look: Look) -> str | None:
        """A fresh acknowledgement, a broker that went down, or others who may be elected."""
        if change.attribute == "offset":
            in_question = self._acknowledged(change, look)
        elif change.attribute == "isr" or change.new in DOWN:
            in_question = tuple(self._acked)
        else:
            return None
        for partition in in_question:
            (offset, receipt), one = self._acked[partition], self._run.image.partition(partition)
            if not any(self._run.log_end_on_disk(partition, broker) > offset
                       for broker in one.isr + one.elr or one.last_known_elr):
                return (f"{receipt} was acknowledged at offset {offset} of {partition}, and nobody "
                        f"who may lead has it")
        return None

    def _acknowledged(self, change: Change, look: Look) -> tuple[TopicPartition, ...]:
        client = change.subject.partition("#")[0]
        if change.new < 0 or self._run.core(client).config["acks"] not in self._promised:
            return ()
        partition = look(change.subject).partition
        before, _ = self._acked.get(partition, (-1, ""))
        if change.new > before:
            self._acked[partition] = change.new, change.subject
        return (partition,)


class BufferMemoryBounded:
    """A producer's batches never hold more than `buffer.memory`, and give all of it back."""

    watches = frozenset({"available_bytes"})

    def __init__(self, run: Run) -> None:
        self._run = run

    @classmethod
    def at_rest(cls, run: Run) -> None:
        """Judge the end of a run: who waits for nothing holds nothing."""
        for name, node in run.clients.items():
            producer = node.core.snapshot()
            if not hasattr(producer, "pool") or node.core.network.gauges()["requests-in-flight"] \
                    or any(record.state == "waiting" for record in node.core.records):
                continue
            kept = producer.pool.total_bytes - producer.pool.available_bytes
            if kept:
                raise InvariantViolated(cls.__name__, run.world.event, (
                    f"{name} holds {kept} bytes of buffer.memory, and has nothing to send and "
                    f"nothing to wait for"))

    def judge(self, change: Change, look: Look) -> str | None:
        """Every byte is free, in a batch, or set aside for somebody who waits."""
        accumulator = self._run.core(change.subject).accumulator
        pool, batches = accumulator.pool, accumulator.incomplete.values()
        held = sum([one.buffer_bytes for one in batches]) \
            + sum([one.got_bytes for one in pool.waiters])
        if pool.available_bytes + held == pool.total_bytes and change.new >= 0:
            return None
        return (f"{change.subject}: {change.new} bytes are free and {held} in use, of "
                f"{pool.total_bytes} bytes of buffer.memory")


class ProducedOnceInOrder:
    """What an idempotent producer was acknowledged is stored once, in the order of its sending.

    A batch goes on where its producer's last one ended, or begins an epoch. Where `told` tells
    records apart, none is there a second time, and one that is acknowledged is at its offset. And
    of two records of one partition, the one that was sent first has the smaller offset; but not
    where a new leader, which has nothing of a producer yet, took its later batch first (Kafka's
    logs take any sequence of a producer that they do not know).
    """

    watches = frozenset({"log_end_offset", "offset"})

    def __init__(self, run: Run, told: Callable[[Any], Any] | None = None) -> None:
        self._run, self._told = run, told
        self._logs: dict[str, tuple[int, dict, dict]] = {}     # by replica, in a leader epoch
        self._began_later: set[tuple[str, int]] = set()       # partition, producer
        # Partition, what a record tells: the newest leader epoch that has it, and its offset there.
        self._at: dict[tuple, tuple[int, int]] = {}
        self._acked: dict[tuple, list] = {}         # client, partition: numbers, offsets

    def judge(self, change: Change, look: Look) -> str | None:
        """Batches that a leader appended, or a record that was acknowledged."""
        if change.attribute == "offset":
            return self._in_order(change, look)
        replica = look(change.subject)
        if change.old is None or replica is None or replica.role != "leader":
            return None
        epoch, begin, known = replica.leader_epoch, change.old, self._logs.get(change.subject)
        if known is None or known[0] != epoch:      # who led meanwhile has written, too
            begin, known = replica.log_start_offset, (epoch, {}, {})
            self._logs[change.subject] = known
        fresh = self._run.read(change.subject, begin)
        return next(filter(None, (self._stored(change.subject, *known, batch)
                                  for batch in fresh)), None)

    def _stored(self, replica: str, leads: int, lasts: dict, seen: dict, batch: Any) -> str | None:
        """`lasts`: epoch and last sequence of each producer; `seen`: where each has what.

        Who was deposed and does not know it appends what nobody else will have: that moves nothing.
        """
        header = batch.header
        if header.producer_id < 0:
            return None
        epoch, last = lasts.get(header.producer_id, (-1, -1))
        if epoch < 0 < header.base_sequence:
            self._began_later.add((replica.rpartition("@")[0], header.producer_id))
        lasts[header.producer_id] = header.producer_epoch, header.last_sequence
        if header.producer_epoch < epoch or header.producer_epoch == epoch and \
                header.base_sequence != last + 1:
            return (f"{replica}: producer {header.producer_id} has sequence {last} of epoch {epoch}"
                    f" last, and {header.base_sequence} of epoch {header.producer_epoch} follows")
        for record in batch.records() if self._told is not None else ():
            told = self._told(record)
            place = replica.rpartition("@")[0], told
            self._at[place] = max(self._at.get(place, (leads, -1)), (leads, record.offset))
            first = seen.setdefault((header.producer_id, told), record.offset)
            if first != record.offset:
                return (f"{replica}: {told} of producer {header.producer_id} is there twice, at "
                        f"{first} and {record.offset}")
        return None

    def _in_order(self, change: Change, look: Look) -> str | None:
        client, _, number = change.subject.partition("#")
        if change.new < 0 or not self._run.core(client).config["enable.idempotence"]:
            return None
        partition = look(change.subject).partition
        if self._told is not None:
            told = self._told(self._run.core(client).records[int(number) - 1])
            if (at := self._at.get((str(partition), told), (0, None))[1]) != change.new:
                return (f"{change.subject} is acknowledged at offset {change.new} of {partition}, "
                        f"and {told} is at {at}")
        if self._began_later and (str(partition), look(client).producer_id) in self._began_later:
            return None
        acked = self._acked.setdefault((client, partition), [])
        at = bisect(acked, (int(number), change.new))
        acked.insert(at, (int(number), change.new))
        before, after = acked[max(0, at - 1)][1], acked[min(at + 1, len(acked) - 1)][1]
        if before <= change.new <= after:
            return None
        return (f"{change.subject} is at offset {change.new}, between records of its producer that "
                f"are at {before} and {after}")


@lru_cache(4_096)
def is_judged(subject: str) -> bool:
    """False for the metadata log, and for what the controller knows or is asked: judges are for
    topics. They look at a request itself, not at what is parked for it."""
    return NOT_JUDGED.match(subject) is None


def listening(run: Run, subject: str) -> Any:
    """A snapshot; None for a replica of a broker that has not read up to its own registration.

    It believes what its predecessor did, and nobody can reach it: it does not listen yet.
    """
    if (replica := replica_of(subject)) is None:
        return run.look(subject)
    node = run.brokers[replica[1]]
    listens = node.up and node.lifecycle.state != STARTING
    found = node.manager.partitions.get(replica[0]) if listens else None
    return found and found.snapshot()


def put_on_trial(run: Run, extra: tuple = (), excused: tuple[type, ...] = ()) -> None:
    """Judge every event of a run from now on, by every invariant; a violation is raised.

    A judge of `extra` takes the place of the usual one of its kind.
    """
    judges = [NoDirtyRead(), ReadOnceInOrder(run), OffsetsDense(), AckedNeverLost(run),
              AcksHonoured(run), ResponsesInOrder(run), NobodyWaitsInAHandler(run),
              BufferMemoryBounded(run), ProducedOnceInOrder(run),
              *replication_judges(run.image_of, partial(answered, run.brokers.values()))]
    left_out = excused + tuple(type(one) for one in extra)
    judges = [one for one in judges if type(one) not in left_out]
    judges += [one for one in extra if type(one) not in excused]
    trial = Trial(run.world.trace, partial(listening, run), judges, is_judged)
    run.world.after_event.append(trial.after_event)


class NoSilentChange:
    """Every snapshot that differs from the one before has a `Changed` of its subject.

    Not a rule of Kafka's but of this engine's: "why?" is complete only if nothing changes without
    saying so. It rebuilds every snapshot after every event, so it is for tests.
    """

    def __init__(self, run: Run) -> None:
        self._run, self._changes = run, len(run.world.trace.changes)
        self._seen = {subject: self._still(subject) for subject in run.subjects()}

    def _still(self, subject: str) -> Any:
        """A snapshot without what it waits for, which follows from the rest."""
        snapshot = self._run.look(subject)
        return snapshot._replace(waits=()) if hasattr(snapshot, "waits") else snapshot

    def after_event(self, event: int) -> None:
        """Compare everything with what it was, and each change with what it says."""
        changes = self._run.world.trace.changes
        said = {(change[1], change[2]): change[4] for change in changes[self._changes:]}
        self._changes = len(changes)
        named = {subject for subject, _ in said}
        for subject in self._run.subjects():
            before, now = self._seen.get(subject), self._still(subject)
            if before != now and subject not in named:
                self._violated(event, f"{subject} was {before} and is {now}")
            self._seen[subject] = now
        for (subject, attribute), new in said.items():
            if subject in self._seen and self._run.look(subject) is not None:
                if (value := self._now(subject, attribute)) != new:
                    self._violated(event, f"{attribute} of {subject} was said to be {new!r} and "
                                          f"is {value!r}")

    def _now(self, subject: str, attribute: str) -> Any:
        """None for a key that is gone, as a change says it."""
        try:
            return self._run.current(subject, attribute)
        except IllegalStateException:
            return None

    @staticmethod
    def _violated(event: int, sentence: str) -> None:
        raise InvariantViolated("NoSilentChange", event, sentence)
