"""Seeded schedules of three replicas, led by hand; without a rule, somebody notices.

Messages overtake each other by far here, so that races are frequent that whole clusters have once
in hundreds of schedules.
"""

import pytest

from kafka_internals.server.partition import Partition
from kafka_internals.server.rules import Rules
from kafka_internals.sim.search import joblib_map, search
from tests.server.hand_controller import Controller
from tests.server.replication_schedules import verdict

CANDIDATES, STRONG = "LeaderCandidateCompleteness", "StrongIsr"
ALL_BUT_READS = (CANDIDATES, STRONG, "WeakIsr", "CommittedNeverLost", "ValidHighWatermark",
                 "LogMatching", "FollowerHwBound", "AckedImpliesCommitted")
# What is switched off, how the cluster is set up otherwise (`excused` would notice sooner), the
# judge that notices, and a seed at which it does.
MUTANTS = {
    "truncation to the high watermark (KIP-101)": ({"truncation": "hw"}, {"excused": ("WeakIsr",)},
                                                   STRONG, 6),
    "as the true leader sees it": ({"truncation": "hw"}, {"excused": (CANDIDATES,)}, "WeakIsr", 12),
    "answers without epochs, in an ISR (KIP-101)": (
        {"truncation": "kip-101"}, {"excused": ("WeakIsr", "LogMatching")}, STRONG, 29),
    "answers without epochs (KIP-279)": ({"truncation": "kip-101"}, {}, "LogMatching", 29),
    "no fencing (KIP-320)": ({"fencing": False}, {}, "FollowerHwBound", 64),
    "the proposed ISR (KIP-497)": ({"high_watermark_isr": "proposed"}, {"excused": ("WeakIsr",)},
                                   STRONG, 98),
    "the committed ISR (KIP-497)": ({"high_watermark_isr": "committed"}, {},
                                    "ValidHighWatermark", 4),
    "no gate below min ISR (KIP-966)": ({"min_isr_gate": False}, {}, CANDIDATES, 11),
    "acks=all answered at once": ({"acks_all_waits_for": "append"}, {}, "AckedImpliesCommitted", 0),
    "unclean elections": ({}, {"unclean": True, "excused": (CANDIDATES,)}, "CommittedNeverLost",
                          21),
    "min.insync.replicas=1": ({}, {"min_isr": 1, "excused": (CANDIDATES,)}, "CommittedNeverLost",
                              75),
    "no eligible leader replicas": ({}, {"elr": False, "excused": (CANDIDATES,)},
                                    "CommittedNeverLost", 89),
}
# Seen by no schedule: the scenario that shows it is in test_replication.
SHOWN_BY_HAND = {"broker_epochs"}


def test_no_schedule_of_five_hundred_violates_anything():
    """Two thousand of whole clusters are in tests/cluster."""
    assert search(verdict, range(500), joblib_map(2)) == []


@pytest.mark.parametrize("what", MUTANTS)
def test_a_rule_that_is_switched_off_is_missed_by_the_judge_of_its_name(what):
    switches, setup, judge, seed = MUTANTS[what]
    assert verdict(seed, Rules(**switches), **setup).startswith(f"{judge} is violated at event ")
    assert verdict(seed) is None


def test_after_unclean_elections_a_reader_may_find_another_record():
    said = [verdict(seed, unclean=True, excused=ALL_BUT_READS) for seed in range(80, 140)]
    assert any(one and one.startswith("ConsistentRead") for one in said)


def same_leader_epoch(self, old, new, brokers_changed=False):
    """A mutant of the controller: another leader in the same epoch."""
    if new != old:
        self.one = new._replace(partition_epoch=old.partition_epoch + 1,
                                leader_epoch=old.leader_epoch)
        self.written(old)


def same_partition_epoch(self, old, new, brokers_changed=False):
    """A mutant of the controller: a change that has no epoch of its own."""
    if new != old:
        self.one = new
        self.written(old)


@pytest.mark.parametrize("judge, mutant", [("OneLeaderPerEpoch", same_leader_epoch),
                                           ("EpochMonotone", same_partition_epoch)])
def test_a_controller_that_gives_no_epochs_is_caught(monkeypatch, judge, mutant):
    monkeypatch.setattr(Controller, "_write", mutant)
    said = [verdict(seed) for seed in range(12)]
    assert any(one and one.startswith(judge) for one in said)


def test_a_follower_that_invents_its_mark_is_caught(monkeypatch):
    def to_the_end(self, data, *args, append=Partition.append_records_to_follower):
        return append(self, data._replace(high_watermark=10 ** 6), *args)

    monkeypatch.setattr(Partition, "append_records_to_follower", to_the_end)
    assert verdict(0).startswith("FollowerHwBound is violated")
