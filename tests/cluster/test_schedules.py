"""Seeded schedules under faults: every judge holds, and every mutant of a rule is caught."""

import pytest

from kafka_internals.cluster.invariants import NoSilentChange
from kafka_internals.cluster.schedules import Schedule, shortest, verdict
from kafka_internals.sim.search import joblib_map, search

MUTANTS = [({"high_watermark": "leader"}, 0, "ValidHighWatermark"),
           ({"consumer_reads_to": "log end"}, 0, "NoDirtyRead"),
           ({"acks_all_waits_for": "append"}, 4, "AckedNeverLost"),
           ({"offsets": "gap"}, 0, "OffsetsDense")]


def test_no_schedule_of_two_thousand_violates_anything():
    assert search(verdict, range(2_000), joblib_map(2)) == []


@pytest.mark.parametrize("unsafe, seed, invariant", MUTANTS, ids=[m[2] for m in MUTANTS])
def test_a_mutant_is_caught_by_its_judge_and_the_rule_itself_is_not(unsafe, seed, invariant):
    assert verdict(seed, unsafe).startswith(f"{invariant} is violated at event ")
    assert verdict(seed) is None


def test_a_failing_schedule_shrinks_to_a_few_commands():
    sentence, journal = shortest(0, {"high_watermark": "leader"})
    assert sentence.startswith("ValidHighWatermark") and len(journal.entries) <= 4
    assert [entry.command for entry in journal.entries][:2] == ["create_topic", "producer"]


def test_a_schedule_that_violates_nothing_cannot_be_shrunk():
    with pytest.raises(ValueError, match="seed 1 violates nothing"):
        shortest(1)


def test_nothing_changes_in_silence():
    for seed in range(150):
        schedule = Schedule(seed)
        machine = schedule.cluster.machine
        machine.world.after_event.append(NoSilentChange(machine).after_event)
        schedule.run()
