"""Two thousand seeded schedules under faults: nothing that Kafka promises is broken."""

from collections import Counter

import pytest

from kafka_internals.cluster.invariants import AckedNeverLost, NoDirtyRead, ProducedOnceInOrder
from kafka_internals.cluster.replication_judges import (
    CommittedNeverLost,
    ConsistentRead,
    LeaderCandidateCompleteness,
    StrongIsr,
    replication_judges,
)
from kafka_internals.cluster.request_judges import AcksHonoured
from kafka_internals.cluster.schedules import ACKS_1, SAFE, Danger, Schedule, verdict
from kafka_internals.server.local_replica import CUTS
from kafka_internals.sim.search import Found, joblib_map, search


def again(found: list[Found]) -> str:
    """How to run the seeds that failed once more, and what each of them says."""
    run = "from kafka_internals.cluster.schedules import shortest; print(shortest({}))"
    return "\n".join(f'seed {one.seed}: {one.failure}\n    python -c "{run.format(one.seed)}"'
                     for one in found)


def test_what_a_deposed_leader_appends_moves_no_record():
    """It stood still, was voted out, and then took the records that had waited before it."""
    assert verdict(20_019) is None


def test_no_schedule_of_two_thousand_violates_anything():
    found = search(verdict, range(2_000), joblib_map(2))
    assert found == [], again(found)


def test_a_seed_that_fails_says_how_to_run_it_again():
    said = again([Found(41, "OffsetsDense is violated at event 7: ...")])
    command = said.splitlines()[1].strip().removeprefix("python -c ").strip('"')
    compile(command, "<said>", "exec")
    assert said.startswith("seed 41: OffsetsDense") and "shortest(41)" in command


def test_a_seed_is_a_schedule():
    def told(seed):
        schedule = Schedule(seed)
        schedule.run()
        return schedule.cluster.trace.digest()

    assert told(3) == told(3) != told(4)


def test_fewer_commands_are_the_beginning_of_the_same_schedule():
    short, long = Schedule(9), Schedule(9)
    short.run(commands=6)
    long.run(commands=12)
    names = [entry.command for entry in short.cluster.journal.entries]
    settles = len(names) - names[::-1].index("heal") - 1
    assert settles > 5
    assert short.cluster.journal.entries[:settles] == long.cluster.journal.entries[:settles]


def test_schedules_do_everything_that_can_happen():
    commands = Counter()
    for seed in range(40):
        schedule = Schedule(seed)
        schedule.run()
        commands += Counter(entry.command for entry in schedule.cluster.journal.entries)
    assert set(commands) == {
        "create_topic", "producer", "consumer", "assign", "send", "poll", "kill", "stop",
        "power_loss", "lose_disk", "restart", "pause", "resume", "slow", "cut", "lossy", "drop",
        "heal", "alter_client_quotas", "slow_handlers", "partition", "pause_partitions",
        "resume_partitions"}
    assert min(commands.values()) >= 3, commands


def test_leaders_are_deposed_sets_shrink_and_grow_and_logs_are_cut():
    seen = Counter()
    for seed in range(40):
        schedule = Schedule(seed)
        schedule.run()
        trace = schedule.cluster.trace
        for change in map(trace.change, range(len(trace.changes))):
            if change.rule in CUTS:
                seen["cut"] += 1
            elif change.subject.endswith("@controller-100") and change.old is not None:
                seen[change.attribute] += change.attribute in ("leader", "isr", "elr")
                if change.attribute == "leader_recovery_state":
                    seen["unclean, of whoever led last"] += change.new
    assert min(seen[name] for name in ("leader", "isr", "elr")) >= 40 and seen["cut"] >= 4, seen


def test_nearly_every_schedule_settles_with_every_replica_in_sync_and_whole():
    """What does not is an AlterPartition whose answer was lost: it is asked again after 30 s."""
    settled = 0
    for seed in range(40):
        schedule = Schedule(seed)
        schedule.run()
        assert all(node.is_ready for node in schedule.cluster.machine.brokers.values())
        settled += schedule.is_settled()
    assert settled >= 30


# What a broker, or an operator, does otherwise, the judge that notices, of its name (who would be
# quicker is excused), and the first seed at which it does; more is in test_replication_schedules.
EVERYBODY = tuple({type(judge) for judge in (*replication_judges(None, None), *map(
    object.__new__, (NoDirtyRead, AckedNeverLost, AcksHonoured, ProducedOnceInOrder)))})
MISSED = {
    "truncation to the high watermark": ({"truncation": "hw"}, SAFE, StrongIsr, 42),
    "no gate below min ISR": ({"min_isr_gate": False}, SAFE, LeaderCandidateCompleteness, 0),
    "unclean restarts unnoticed": ({"clean_shutdown_file": False}, SAFE,
                                   LeaderCandidateCompleteness, 318),
    "no eligible leader replicas": ({}, Danger(elr=False), CommittedNeverLost, 315),
    "unclean elections": ({}, Danger(unclean=True), CommittedNeverLost, 18),
    "another record at an offset": ({}, Danger(unclean=True), ConsistentRead, 18),
    "min.insync.replicas=1": ({}, Danger(min_isr=1), AckedNeverLost, 303),
    "acks=1": ({}, ACKS_1, AckedNeverLost, 16),
}


@pytest.mark.parametrize("what", MISSED)
def test_what_makes_a_cluster_unsafe_is_found_by_the_judge_of_its_name(what):
    unsafe, danger, judge, seed = MISSED[what]
    excused = tuple(one for one in EVERYBODY if one is not judge)
    said = verdict(seed, unsafe, excused, danger)
    assert said.startswith(f"{judge.__name__} is violated at event ")


def nobody_has(schedule: Schedule) -> list:
    """Of what was sent with acks=0, and said to be sent, what is in no log in the end."""
    cluster, machine = schedule.cluster, schedule.cluster.machine
    stored = {record.value for number in range(len(machine.image.topics["orders"].partitions))
              for broker in machine.brokers for record in cluster.log(f"orders-{number}", broker)}
    return [record.subject for node in machine.clients.values() if hasattr(node.core, "records")
            and node.core.config["acks"] == 0 for record in node.core.records
            if record.state == "acknowledged" and record.value.decode() not in stored]


def test_with_acks_0_what_was_sent_may_be_in_nobodys_log():
    """AckedNeverLost goes by offsets, and acks=0 tells none: so the logs are searched."""
    def lost(seed: int) -> list:
        schedule = Schedule(seed)
        schedule.run()
        return nobody_has(schedule)

    assert next(filter(None, map(lost, range(2_000))))
