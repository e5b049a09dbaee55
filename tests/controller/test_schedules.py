"""Invariants of the controller over thousands of schedules, and mutants that are caught.

ControllerIsrLegal, LeaderInIsr, EpochMonotone, BrokerEpochFencing and SnapshotPrefix are judged
after every step, NoSilentChange in some of the schedules.
"""

from collections import Counter

import pytest

from kafka_internals.controller import metadata_delta, replication_control_manager
from kafka_internals.controller.cluster_control_manager import ClusterControlManager
from kafka_internals.controller.partition_change_builder import PartitionChangeBuilder
from kafka_internals.controller.quorum_controller import QuorumController
from kafka_internals.controller.replication_control_manager import ReplicationControlManager
from tests.controller.schedules import Broken, run

SEEDS, BLOCK = 2_000, 250


@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_no_schedule_breaks_an_invariant(first):
    taken = sum((run(seed, look=seed % 8 == 0) for seed in range(first, first + BLOCK)),
                Counter())
    assert len(taken) == 14 and min(taken.values()) > BLOCK


def ignores_fencing(monkeypatch) -> None:
    monkeypatch.setattr(ReplicationControlManager, "_in_isr", lambda self, broker: [])


def elects_anybody(monkeypatch) -> None:
    monkeypatch.setattr(PartitionChangeBuilder, "_is_valid_new_leader",
                        lambda self, replica: replica >= 0 and self._acceptable(replica))


def elects_the_dead(monkeypatch) -> None:
    monkeypatch.setattr(PartitionChangeBuilder, "_acceptable", lambda self, replica: True)


def keeps_the_partition_epoch(monkeypatch) -> None:
    real = metadata_delta.merged
    monkeypatch.setattr(metadata_delta, "merged", lambda old, record: real(old, record)._replace(
        partition_epoch=old.partition_epoch))


def keeps_the_leader_epoch(monkeypatch) -> None:
    real = metadata_delta.merged
    monkeypatch.setattr(metadata_delta, "merged", lambda old, record: real(old, record)._replace(
        leader_epoch=old.leader_epoch))


def believes_every_process(monkeypatch) -> None:
    monkeypatch.setattr(ClusterControlManager, "check_broker_epoch",
                        lambda manager, broker, epoch: manager.registration(broker))


def lets_everybody_join(monkeypatch) -> None:
    monkeypatch.setattr(ReplicationControlManager, "_ineligible", lambda self, member: None)


def keeps_what_an_unclean_process_had(monkeypatch) -> None:
    monkeypatch.setattr(replication_control_manager, "without",
                        lambda members, *gone: tuple(members))


def says_nothing(monkeypatch) -> None:
    real = QuorumController._replay
    monkeypatch.setattr(QuorumController, "_replay", lambda self, one, offset, epoch: [
        change for change in real(self, one, offset, epoch) if change.attribute != "elr"])


def decides_and_changes_at_once(monkeypatch) -> None:
    """A handler that touches state, so that who folds the log is somewhere else."""
    real = ReplicationControlManager.alter_partition

    def altered(self, request, reads):
        result = real(self, request, reads)
        return result._replace(records=result.records[1:])

    monkeypatch.setattr(ReplicationControlManager, "alter_partition", altered)
    monkeypatch.setattr(QuorumController, "_append", _append_twice(QuorumController._append))


def _append_twice(real):
    def append(self, decided, now_ms, reads):
        effects = real(self, decided, now_ms, reads)
        for one in decided:
            if type(one.record).__name__ == "PartitionChangeRecord":
                effects += self._replay(one, self._next_write_offset, self.claim_epoch)
        return effects
    return append


@pytest.mark.parametrize("mutant, invariant", [
    (ignores_fencing, "ControllerIsrLegal|LeaderInIsr"), (elects_anybody, "LeaderInIsr"),
    (elects_the_dead, "LeaderInIsr"), (keeps_the_partition_epoch, "EpochMonotone"),
    (keeps_the_leader_epoch, "EpochMonotone"), (believes_every_process, "BrokerEpochFencing"),
    (lets_everybody_join, "ControllerIsrLegal"),
    (keeps_what_an_unclean_process_had, "ControllerIsrLegal|LeaderInIsr"),
    (says_nothing, "NoSilentChange"), (decides_and_changes_at_once, "SnapshotPrefix")],
    ids=lambda one: getattr(one, "__name__", None))
def test_each_mutant_is_caught(mutant, invariant, monkeypatch):
    mutant(monkeypatch)
    with pytest.raises(Broken, match=f"^({invariant})"):
        for seed in range(200):
            run(seed, look=mutant is says_nothing)
