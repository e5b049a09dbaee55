"""Seeded schedules of three replicas, led by hand; without a rule, somebody notices.

Messages overtake each other by far here, so that races are frequent that whole clusters have once
in hundreds of schedules.
"""

import pytest

from kafka_internals.cluster.replication_judges import replication_judges
from kafka_internals.server.partition import Partition
from kafka_internals.server.rules import Rules
from kafka_internals.sim.search import joblib_map, search
from tests.server.hand_controller import Controller
from tests.server.replication_schedules import verdict

EVERYBODY = tuple(type(one).__name__ for one in replication_judges(None, None))
CANDIDATES, LOST, STRONG = "LeaderCandidateCompleteness", "CommittedNeverLost", "StrongIsr"
# What is switched off, how the cluster is set up otherwise, the judge that notices (the others are
# excused: some would notice sooner), and the first seed at which it does.
MUTANTS = {
    "truncation to the high watermark (KIP-101)": ({"truncation": "hw"}, {}, STRONG, 6),
    "as the true leader sees it": ({"truncation": "hw"}, {}, "WeakIsr", 6),
    "as the next leader sees it": ({"truncation": "hw"}, {}, LOST, 6),
    "as logs tell it": ({"truncation": "hw"}, {}, "LogMatching", 6),
    "answers without epochs, in an ISR (KIP-101)": ({"truncation": "kip-101"}, {}, STRONG, 26),
    "answers without epochs (KIP-279)": ({"truncation": "kip-101"}, {}, "LogMatching", 26),
    "no fencing (KIP-320)": ({"fencing": False}, {}, STRONG, 1001),
    "no fencing, as followers see it": ({"fencing": False}, {}, "FollowerHwBound", 13),
    "the proposed ISR (KIP-497)": ({"high_watermark_isr": "proposed"}, {}, LOST, 301),
    "the committed ISR (KIP-497)": ({"high_watermark_isr": "committed"}, {}, CANDIDATES, 4),
    "the committed ISR, as it is written": ({"high_watermark_isr": "committed"}, {},
                                            "ValidHighWatermark", 4),
    "no incarnations (KIP-903)": ({"broker_epochs": False}, {}, CANDIDATES, 360),
    "older metadata (KIP-497)": ({"partition_epochs": False}, {}, "ReplicationQuorumSuperset", 13),
    "no gate below min ISR (KIP-966)": ({"min_isr_gate": False}, {}, CANDIDATES, 11),
    "acks=all answered at once": ({"acks_all_waits_for": "append"}, {}, "AckedImpliesCommitted", 0),
    "unclean elections": ({}, {"unclean": True}, LOST, 21),
    "unclean elections, as readers see it": ({}, {"unclean": True}, "ConsistentRead", 118),
    "min.insync.replicas=1": ({}, {"min_isr": 1}, LOST, 75),
    "no eligible leader replicas": ({}, {"elr": False}, LOST, 89),
}


def test_no_schedule_of_five_hundred_violates_anything():
    """Two thousand of whole clusters are in tests/cluster."""
    assert search(verdict, range(500), joblib_map(2)) == []


@pytest.mark.parametrize("what", MUTANTS)
def test_a_rule_that_is_switched_off_is_missed_by_the_judge_of_its_name(what):
    switches, setup, judge, seed = MUTANTS[what]
    excused = tuple(one for one in EVERYBODY if one != judge)
    said = verdict(seed, Rules(**switches), excused=excused, **setup)
    assert said.startswith(f"{judge} is violated at event ")
    assert verdict(seed) is None


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
