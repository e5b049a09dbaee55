"""PartitionChangeBuilder over a whole grid: three replicas, every ISR, ELR and set of brokers."""

from itertools import chain, combinations, product

import pytest

from kafka_internals.controller.metadata_delta import merged
from kafka_internals.controller.metadata_image import PartitionRegistration
from kafka_internals.controller.partition_change_builder import (
    ONLINE,
    PREFERRED,
    UNCLEAN,
    PartitionChangeBuilder,
    hash_set_order,
)
from kafka_internals.messages.metadata_records import RECOVERED, RECOVERING

REPLICAS = (2, 1, 3)


def subsets(of: tuple[int, ...] = REPLICAS) -> list[tuple[int, ...]]:
    return list(chain.from_iterable(combinations(of, n) for n in range(len(of) + 1)))


def states(elr_enabled: bool) -> list[PartitionRegistration]:
    """Every registration that a controller can have got into."""
    found = []
    for isr in subsets():
        for elr in subsets(tuple(set(REPLICAS) - set(isr))) if elr_enabled else [()]:
            for leader in isr or (-1,):
                found.append(PartitionRegistration(REPLICAS, isr, leader, 5, 9, RECOVERED, elr))
            if isr and not elr_enabled:
                found.append(PartitionRegistration(REPLICAS, isr, -1, 5, 9))
            if not isr and elr_enabled:
                found += [PartitionRegistration(REPLICAS, (), -1, 5, 9, RECOVERED, elr, (one,))
                          for one in REPLICAS]
    return found


def first(brokers, among) -> int:
    return next((one for one in brokers if one in among), -1)


@pytest.mark.parametrize("elr_enabled", [True, False])
@pytest.mark.parametrize("election", [ONLINE, PREFERRED, UNCLEAN])
@pytest.mark.parametrize("alive", subsets())
def test_the_whole_grid_of_elections(alive, election, elr_enabled):
    for one, target in product(states(elr_enabled), subsets()):
        if not set(target) <= set(one.isr) or one.leader in set(alive) - set(target):
            continue                             # no leader that can serve is ever left out
        builder = PartitionChangeBuilder(one, "T", 0, lambda broker: broker in alive, 2,
                                         elr_enabled)
        builder.target_isr, builder.election = target, election
        record = builder.build()
        new = one if record is None else merged(one, record)
        where = (one, target, new)
        elr = set(one.elr + one.isr) - set(target) if elr_enabled and len(target) < 2 else set()
        sure = set(alive) & (set(target) or elr)
        if election == PREFERRED and REPLICAS[0] in sure:
            wanted = REPLICAS[0]
        else:
            wanted = one.leader if one.leader in sure else first(REPLICAS, sure)
        unclean = False
        if wanted < 0 and elr_enabled and not target and not elr \
                and set(one.last_known_elr) & set(alive):
            wanted, unclean = one.last_known_elr[0], True
        if wanted < 0 and election == UNCLEAN:
            wanted = first(REPLICAS, alive)
            unclean = wanted >= 0
        assert builder.result == (wanted, unclean), where
        assert new.leader == wanted, where
        assert wanted < 0 or wanted in new.isr, where
        assert not set(new.isr) & set(new.elr), where
        assert new.leader_recovery_state == (
            RECOVERING if unclean and wanted != one.leader else RECOVERED), where
        assert new.leader_epoch - one.leader_epoch == (record is not None and record.leader != -2)
        assert set(builder.passed_over) <= set(REPLICAS), where
        if not elr_enabled:
            assert bool(new.isr) == bool(one.isr) or unclean, where      # the last one stays
            assert new.elr == new.last_known_elr == (), where
        if elr_enabled and len(new.isr) >= 2:
            assert new.elr == (), where
        if elr_enabled and new.leader < 0 <= one.leader:
            assert new.last_known_elr == (one.leader,), where
        if new.leader >= 0 > one.leader:
            assert new.last_known_elr == (), where


def test_a_shrink_keeps_the_leader_epoch_and_what_changes_nothing_is_nothing():
    one = PartitionRegistration((1, 2, 3), (1, 2, 3), 1, 5, 9)
    builder = PartitionChangeBuilder(one, "T", 0, lambda broker: True, 1, True)
    assert builder.build() is None
    builder.target_isr = (1, 2)
    record = builder.build()
    assert (record.isr, record.leader) == ((1, 2), -2)       # since 3.6


def test_an_unclean_stop_takes_a_broker_out_of_the_elr():
    one = PartitionRegistration((1, 2, 3), (), -1, 5, 9, RECOVERED, (1, 2), (1,))
    builder = PartitionChangeBuilder(one, "T", 0, lambda broker: False, 2, True)
    builder.unclean_shutdown_replicas = (1,)
    assert builder.build().eligible_leader_replicas == (2,)


def test_a_reassignment_is_complete_when_what_was_added_is_in_sync():
    one = PartitionRegistration((1, 2, 3, 4), (1, 2, 3), 1, 5, 9, removing_replicas=(1,),
                                adding_replicas=(4,), directories=("a", "b", "c", "d"))

    def changed(isr: tuple[int, ...]):
        builder = PartitionChangeBuilder(one, "T", 0, lambda broker: broker != 1, 1, True)
        builder.target_isr = isr
        return builder.build()

    assert changed((2, 3)).replicas is None                  # 4 is not in sync yet
    record = changed((1, 2, 3, 4))
    assert (record.replicas, record.isr, record.leader) == ((2, 3, 4), (2, 3, 4), 2)
    assert (record.removing_replicas, record.adding_replicas) == ((), ())
    assert record.directories == ("b", "c", "d")


def test_a_replica_that_leaves_the_assignment_hears_of_a_new_epoch():
    one = PartitionRegistration((1, 2, 3), (1, 2, 3), 1, 5, 9, removing_replicas=(3,))
    builder = PartitionChangeBuilder(one, "T", 0, lambda broker: True, 1, True)
    record = builder.build()
    assert (record.replicas, record.leader) == ((1, 2), 1)   # the same leader, another epoch


def test_the_order_of_a_java_set_of_broker_ids():
    assert hash_set_order((3, 1, 2, 1)) == (1, 2, 3)
    assert hash_set_order((17, 16, 1)) == (16, 17, 1)        # 16 buckets
    assert hash_set_order(range(20, 0, -1)) == tuple(range(1, 21))       # 32 of them
