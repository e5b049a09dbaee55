"""The judges: each is tripped by the mutant of its rule, and looks only at what changed."""

from collections import Counter

import pytest

from kafka_internals.clients.buffer_pool import BufferPool
from kafka_internals.clients.completed_fetch import CompletedFetch
from kafka_internals.clients.producer_batch import ProducerBatch
from kafka_internals.clients.sender import Sender
from kafka_internals.clients.transaction_manager import TransactionManager
from kafka_internals.cluster import checks
from kafka_internals.cluster.broker_server import METADATA
from kafka_internals.cluster.cluster import Cluster
from kafka_internals.cluster.invariants import (
    AckedNeverLost,
    BufferMemoryBounded,
    NoDirtyRead,
    NoSilentChange,
    OffsetsDense,
    ProducedOnceInOrder,
    is_judged,
    put_on_trial,
)
from kafka_internals.cluster.replication_judges import (
    AckedImpliesCommitted,
    Beliefs,
    CommittedNeverLost,
    EpochMonotone,
    FollowerHwBound,
    LeaderCandidateCompleteness,
    LostBytes,
    StrongIsr,
    ValidHighWatermark,
    WeakIsr,
)
from kafka_internals.cluster.request_judges import AcksHonoured
from kafka_internals.cluster.schedules import Schedule, shortest, verdict
from kafka_internals.server.kafka_channel import KafkaChannel
from kafka_internals.server.partition import Partition, Rules
from kafka_internals.sim.invariants import InvariantViolated, Trial
from kafka_internals.sim.network import Slow
from kafka_internals.storage.producer_append_info import ProducerAppendInfo
from kafka_internals.storage.producer_state_entry import ProducerStateEntry
from kafka_internals.storage.producer_state_manager import ProducerStateManager
from tests.cluster.test_schedules import MISSED
from tests.server.test_replication_schedules import MUTANTS as REPLICATION

CONSTRUCTED = CompletedFetch.__init__
BY_MARKS = (StrongIsr, WeakIsr, CommittedNeverLost, LeaderCandidateCompleteness, FollowerHwBound)
# The switch, and who is excused because it would be quicker.
MUTANTS = {
    "WeakIsr": ({"high_watermark": "leader"}, (ValidHighWatermark,)),
    "ValidHighWatermark": ({"high_watermark": "leader"}, BY_MARKS),
    "NoDirtyRead": ({"consumer_reads_to": "log end"}, ()),
    "AcksHonoured": ({"acks_all_waits_for": "append"}, (AckedImpliesCommitted,)),
    "AckedImpliesCommitted": ({"acks_all_waits_for": "append"}, (AcksHonoured,)),
    "OffsetsDense": ({"offsets": "gap"}, ()),
    "NobodyWaitsInAHandler": ({"replicas_awaited_in": "handler thread"}, ()),
}


def first_caught(unsafe, excused):
    """The first seed that is caught, and what is said."""
    found = ((seed, verdict(seed, unsafe, excused)) for seed in range(2_000))
    return next((seed, said) for seed, said in found if said)


@pytest.mark.parametrize("judge", MUTANTS)
def test_a_judge_is_tripped_by_its_mutant_and_not_by_the_rule(judge):
    seed, said = first_caught(*MUTANTS[judge])
    assert said.startswith(f"{judge} is violated at event ")
    assert verdict(seed) is None


@pytest.mark.parametrize("judge", ["NoDirtyRead", "AcksHonoured", "OffsetsDense"])
def test_the_shortest_way_there_has_few_commands_and_ends_in_one_sentence(judge):
    unsafe, excused = MUTANTS[judge]
    sentence, journal = shortest(first_caught(unsafe, excused)[0], unsafe, excused)
    commands = [entry.command for entry in journal.entries]
    assert commands[:2] == ["create_topic", "producer"] and len(commands) <= 8, commands
    assert sentence.startswith(f"{judge} is violated at event ") and "\n" not in sentence
    assert len(sentence) < 160


def records_again(fetch, *args):
    """A mutant of a consumer: it gives what lies before its position in a batch, too."""
    return CONSTRUCTED(fetch, args[0], 0, *args[2:])


def records_lost(fetch, *args):
    """A mutant of a consumer: it forgets the first record of what a fetch brought."""
    CONSTRUCTED(fetch, *args)
    if len(fetch.records) > 1:
        fetch.records.popleft()


@pytest.mark.parametrize("mutant, told", [(records_again, "again"), (records_lost, "left out")])
def test_a_consumer_that_gives_a_record_twice_or_not_at_all_is_caught(monkeypatch, mutant, told):
    def run():
        cluster = Cluster(seed=1)
        put_on_trial(cluster.machine)
        cluster.create_topic("orders", replica_assignment={0: [1, 2, 3]})
        producer = cluster.producer(linger_ms=5)
        consumer = cluster.consumer(auto_offset_reset="earliest")
        consumer.assign("orders-0")
        for _ in range(3):
            for value in "abc":
                producer.send("orders", value)
            producer.flush()
            consumer.poll(100)
        consumer.seek("orders-0", 1)
        consumer.poll(600)                       # the fetch at the end is answered first

    run()
    monkeypatch.setattr(CompletedFetch, "__init__", mutant)
    with pytest.raises(InvariantViolated, match=f"ReadOnceInOrder .* {told}"):
        run()


def test_a_schedule_that_violates_nothing_cannot_be_shortened():
    with pytest.raises(ValueError, match="seed 1 violates nothing"):
        shortest(1)


def test_every_switch_has_its_mutant_and_by_default_every_rule_is_kafkas():
    assert {switch for mutants in (MUTANTS, REPLICATION, MISSED)
            for unsafe, *_ in mutants.values() for switch in unsafe} == set(checks.UNSAFE)
    assert list(checks.UNSAFE) == list(Rules._fields)
    assert Rules() == Rules(**{name: values[0] for name, values in checks.UNSAFE.items()})
    assert Rules() == ("isr", "high watermark", "high watermark", "purgatory", "dense",
                       "diverging epoch", True, "maximal", True, True, True, True)
    assert Cluster().setup.rules == Rules()


@pytest.mark.parametrize("unsafe", [{}, {"partition_epochs": False}])
def test_a_leader_that_takes_older_metadata_forgets_who_may_be_elected(unsafe):
    """Answers to AlterPartition come at once, metadata of the same change 60 ms later."""
    cluster = Cluster(3, seed=1, unsafe=unsafe)
    put_on_trial(cluster.machine, excused=(EpochMonotone,))
    cluster.create_topic("orders", configs={"min.insync.replicas": 2},
                         replica_assignment={0: [1, 2, 3]})
    for broker in (2, 3):
        cluster.kill(broker)
    cluster.run(ms=12_000)
    cluster.machine.world.network.faults["controller-100", "broker-1"] = [Slow(60_000, METADATA)]
    for broker in (2, 3):
        cluster.restart(broker)

    producer = cluster.producer(acks="1", linger_ms=0)

    def both_are_back():
        while len(cluster.look("orders-0@controller-100").isr) < 3:
            producer.send("orders", "so that followers fetch")
            cluster.run(ms=5)
        cluster.run(ms=200)

    if unsafe:
        with pytest.raises(InvariantViolated, match="ReplicationQuorumSuperset .* maximal ISR"):
            both_are_back()
    else:
        both_are_back()


# A rule of the client or of the log that is broken here, and the judge that has to notice.
def keeps(self, size_bytes):
    """A pool that forgets what comes back."""


def makes_memory(self, size_bytes, allocate=BufferPool.allocate):
    """A pool that never lets anybody wait."""
    self.available_bytes += max(0, size_bytes - self.available_bytes)
    return allocate(self, size_bytes)


def numbers_anew(self, backoff_ms, now_ms, reenqueued=ProducerBatch.reenqueued):
    """A batch that gets other numbers when it is tried again."""
    reenqueued(self, backoff_ms, now_ms)
    self.base_sequence, self.data = -1, None


def remembers_nothing(self, header):
    """A log that does not know a batch which it has."""


def confuses(self, header, found=ProducerStateEntry.find_duplicate_batch):
    """A log that knows a duplicate and tells where the newest batch is."""
    return found(self, header) and self.batches[-1]


def goes_on(self, partition):
    """A producer that goes on in its epoch, whatever was given up."""


def lets_pass(self, header):
    """A log to which no sequence is out of order."""


def keeps_what_was_given_up(self, batch, reads, deallocate=Sender._deallocate):
    """A producer that forgets the memory of a batch that nobody waits for."""
    return [] if batch.state == "given up" else deallocate(self, batch, reads)


def never_muted(self, event):
    """A connection of which several requests are read at once."""


def tells_too_far(self, *args, append=Partition.append_records_to_leader):
    """A leader that tells an offset which is still to come."""
    info, changes = append(self, *args)
    return info._replace(first_offset=info.first_offset + 1), changes


BROKEN = {"a pool that keeps": (BufferPool, "deallocate", keeps, "BufferMemoryBounded"),
          "a pool without a limit": (BufferPool, "allocate", makes_memory, "BufferMemoryBounded"),
          "other numbers": (ProducerBatch, "reenqueued", numbers_anew, "ProducedOnceInOrder"),
          "no duplicates known": (ProducerStateManager, "find_duplicate_batch", remembers_nothing,
                                  "ProducedOnceInOrder"),
          "another duplicate": (ProducerStateEntry, "find_duplicate_batch", confuses,
                                "ProducedOnceInOrder"),
          "memory for nobody": (Sender, "_deallocate", keeps_what_was_given_up,
                                "BufferMemoryBounded"),
          "a connection that is not muted": (KafkaChannel, "take", never_muted,
                                             "ResponsesInOrder"),
          "an offset to come": (Partition, "append_records_to_leader", tells_too_far,
                                "AcksHonoured"),
          "records lost": (CompletedFetch, "__init__", records_lost, "ReadOnceInOrder")}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_judge_is_tripped_where_a_rule_of_producing_is_broken(broken, monkeypatch):
    owner, rule, mutant, judge = BROKEN[broken]
    monkeypatch.setattr(owner, rule, mutant)
    said = next(filter(None, map(verdict, range(2_000))))
    assert said.startswith(f"{judge} is violated at event ")


def test_a_gap_is_noticed_where_neither_the_producer_nor_the_log_minds_it(monkeypatch):
    """Either alone keeps gaps out: the producer begins an epoch, the log refuses."""
    monkeypatch.setattr(TransactionManager, "_request_epoch_bump", goes_on)
    monkeypatch.setattr(ProducerAppendInfo, "_check_sequence", lets_pass)
    said = next(filter(None, map(verdict, range(2_000))))
    assert said.startswith("ProducedOnceInOrder is violated at event ") and "follows" in said


def test_schedules_draw_the_settings_under_which_producing_may_go_wrong():
    drawn = Counter()
    for seed in range(60):
        schedule = Schedule(seed)
        schedule.run()
        machine = schedule.cluster.machine
        commands = {entry.command for entry in schedule.cluster.journal.entries}
        configs = [node.core.config for node in machine.clients.values()
                   if hasattr(node.core, "records")]
        drawn += Counter({
            "idempotent": any(one["enable.idempotence"] for one in configs),
            "not idempotent": any(not one["enable.idempotence"] for one in configs),
            "small buffer.memory": any(one["buffer.memory"] < 1_000 for one in configs),
            "several in flight": any(one["max.in.flight.requests.per.connection"] > 1
                                     for one in configs),
            "compressed": any(one["compression.type"] == "lz4" for one in configs),
            "quota": "alter_client_quotas" in commands,
            "slow handlers": "slow_handlers" in commands,
            "outage": "partition" in commands,
            "one handler": machine.brokers[1].config["num.io.threads"] == 1,
            "a queue of one": machine.brokers[1].config["queued.max.requests"] == 1})
    assert len(drawn) == 10 and min(drawn.values()) >= 10, drawn


# -- how much they look at ----------------------------------------------------------------------
def judged_schedule(seed):
    """A schedule's changes, and for each judge how often it was called and looked."""
    schedule = Schedule(seed)
    run = schedule.cluster.machine
    calls, looks, lost = Counter(), Counter(), LostBytes()

    class Counting:
        def __init__(self, judge):
            self.judged, self.watches = judge, judge.watches
            self.name = type(judge).__name__
            self.witnesses = getattr(judge, "witnesses", ())

        def judge(self, change, look):
            calls[self.name] += 1

            def noted(subject):
                looks[self.name] += 1
                return look(subject)

            return self.judged.judge(change, noted)

    judges = [Counting(judge) for judge in (
        ValidHighWatermark(run.image_of, lost), WeakIsr(Beliefs(lost)),
        NoDirtyRead(), OffsetsDense(), AckedNeverLost(run), BufferMemoryBounded(run),
        ProducedOnceInOrder(run))]
    trial = Trial(run.world.trace, run.look, judges, is_judged)
    run.world.after_event.append(trial.after_event)
    schedule.run()
    return run.world.trace.changes, judges, calls, looks


def test_a_judge_is_called_for_the_changes_that_it_watches_and_looks_at_their_subjects():
    changes, judges, calls, looks = judged_schedule(seed=7)
    of = Counter(change[2].partition(".")[0] for change in changes if is_judged(change[1]))
    for judge in judges:
        assert calls[judge.name] == sum(of[attribute] for attribute in judge.watches) > 0
        assert looks[judge.name] <= 4 * calls[judge.name]          # a leader and its ISR at most
    assert sum(calls.values()) < len(changes)


# -- who is excused -----------------------------------------------------------------------------
def on_trial(**options):
    cluster = Cluster(3, seed=3, **options)
    put_on_trial(cluster.machine)
    cluster.create_topic("orders", replica_assignment={0: [1, 2, 3]})
    return cluster, cluster.producer(acks="all", linger_ms=0)


def test_a_member_that_lost_its_bytes_is_excused_until_it_has_caught_up(monkeypatch):
    cluster, producer = on_trial()
    for value in "abc":
        producer.send("orders", value).get()
    cluster.lose_disk(3)
    cluster.restart(3)
    producer.send("orders", "d").get()  # once the session of broker 3 is over
    cluster.run_until(lambda: 3 in cluster.look("orders-0@1").isr)
    assert [record.value for record in cluster.log("orders-0", 3)] == list("abcd")
    monkeypatch.setattr(Partition, "_counted", lambda self, now_ms: ())       # but its own end
    with pytest.raises(InvariantViolated) as violated:
        producer.send("orders", "e").get()
    assert violated.value.invariant in ("ValidHighWatermark", "WeakIsr")


def test_an_acknowledged_record_without_a_disk_that_has_it_is_named():
    cluster, producer = on_trial()
    producer.send("orders", "a").get()
    cluster.lose_disk(1)
    cluster.lose_disk(2)
    with pytest.raises(InvariantViolated, match="AckedNeverLost is violated at event .*: "
                                                "producer-1#1 was acknowledged at offset 0 of "
                                                "orders-0, and nobody who may lead has it"):
        cluster.lose_disk(3)


def test_acks_1_promises_nothing_that_a_judge_would_hold():
    cluster, _ = on_trial()
    cluster.producer(acks="1", linger_ms=0).send("orders", "a").get()
    for broker in (1, 2, 3):
        cluster.lose_disk(broker)


def test_a_seek_is_not_a_read():
    cluster, producer = on_trial()
    producer.send("orders", "a").get()
    consumer = cluster.consumer(auto_offset_reset="earliest")
    consumer.assign("orders-0")
    consumer.seek("orders-0", 70)
    cluster.run(ms=20)
    assert consumer.poll(100)[0].offset == 0


# -- what travels -------------------------------------------------------------------------------
def test_a_verdict_travels_between_processes():
    violated = InvariantViolated("OffsetsDense", 7, "a sentence")
    kind, args = violated.__reduce__()
    assert str(kind(*args)) == str(violated) == "OffsetsDense is violated at event 7: a sentence"


def test_a_change_that_says_something_else_than_what_is_is_caught(monkeypatch):
    rule = Partition.maybe_increment_leader_high_watermark
    monkeypatch.setattr(Partition, "maybe_increment_leader_high_watermark",
                        lambda self, now_ms: [change._replace(new=change.new + 1)
                                              for change in rule(self, now_ms)])
    cluster = Cluster(3, seed=3)
    cluster.machine.world.after_event.append(NoSilentChange(cluster.machine).after_event)
    cluster.create_topic("orders", replica_assignment={0: [1, 2, 3]})
    with pytest.raises(InvariantViolated, match="high_watermark of orders-0@1 was said to be 2 "
                                                "and is 1"):
        cluster.producer(linger_ms=0).send("orders", "x").get()
