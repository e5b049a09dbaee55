"""Where two logs part: epochs that one has and the other has not."""

import pytest

from kafka_internals.raft.raft_log import (
    OffsetAndEpoch,
    diverging,
    end_offset_and_epoch,
    truncation_offset,
)
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.unified_log import UnifiedLog
from tests.raft.quorums import METADATA_LOG
from tests.storage.segments import batch


def log(*epochs: tuple[int, int, int]) -> UnifiedLog:
    """(epoch, first offset, last offset) of each."""
    made = UnifiedLog("parted-0", Disk(lambda n: 0), METADATA_LOG)
    for epoch, first, last in epochs:
        made.append_as_follower([batch(first, last, epoch=epoch)], epoch, 0)
    return made


LEADER = ((1, 0, 3), (3, 4, 6))                    # nobody led epoch 2 with a record


@pytest.mark.parametrize("offset, epoch, expected", [
    (0, 2, None), (0, 0, None), (3, 1, None), (4, 1, None), (5, 1, (4, 1)), (3, 2, (4, 1)),
    (6, 2, (4, 1)), (7, 3, None), (8, 3, (7, 3)), (1, 0, (0, 0)), (9, 9, (7, 3))])
def test_a_leader_finds_where_another_log_parts_from_its_own(offset, epoch, expected):
    assert diverging(log(*LEADER), offset, epoch) == expected


@pytest.mark.parametrize("own, told, expected", [
    (((1, 0, 5),), (4, 1), 4),                     # the leader's epoch ends earlier
    (((1, 0, 2),), (4, 1), 3),                     # the own one does
    (((1, 0, 2), (2, 3, 5)), (9, 3), 6),           # an epoch that is not here: all may stand
    (((1, 0, 2), (4, 3, 5)), (9, 3), 3),           # but what came later
    (((1, 0, 2),), (0, 0), 0), (((1, 0, 2),), (9, 0), 3)])
def test_an_observer_cuts_where_the_leader_says_or_earlier(own, told, expected):
    assert truncation_offset(log(*own), OffsetAndEpoch(*told)) == expected


def test_an_empty_log_ends_at_0_in_epoch_0():
    assert end_offset_and_epoch(log()) == (0, 0)
    assert end_offset_and_epoch(log(*LEADER)) == (7, 3)
