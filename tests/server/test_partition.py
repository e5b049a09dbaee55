"""Partition: the high watermark rule and the order of a fetch (golden behaviours A-G..)."""

import pytest

from kafka_internals.common import TopicPartition
from kafka_internals.config import TOPIC_CONFIG
from kafka_internals.controller.metadata_image import PartitionRegistration
from kafka_internals.errors import (
    FencedLeaderEpochException,
    NotEnoughReplicasException,
    NotLeaderOrFollowerException,
    OffsetOutOfRangeException,
    UnknownLeaderEpochException,
)
from kafka_internals.messages.fetch import PartitionData
from kafka_internals.record_batch import RecordBatch, encode
from kafka_internals.server.partition import Partition
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.unified_log import UnifiedLog

NAME = TopicPartition("orders", 0)
ASKED = (("request-p.1", "asked"),)
NOW_MS = 0


def batch(records: int = 1) -> RecordBatch:
    return RecordBatch(encode([(1_000, None, b"v", ())] * records))


def replica(broker=1, isr=(1, 2, 3), replicas=(1, 2, 3), epoch=5, **configs) -> Partition:
    configs = TOPIC_CONFIG.parse({name.replace("_", "."): one for name, one in configs.items()})
    one = Partition(NAME, broker, PartitionRegistration(replicas, isr, 1, epoch), configs,
                    UnifiedLog(NAME, Disk(lambda n: 0)))
    one.begin(0, ())
    return one


def test_a_g01_the_high_watermark_is_the_least_end_in_the_isr():
    leader = replica()
    leader.append_records_to_leader(batch(10), 1, ASKED, NOW_MS)
    leader.update_follower_fetch_state(2, 8, ASKED)
    leader.update_follower_fetch_state(3, 5, ASKED)
    assert leader.high_watermark == 5
    without_3 = leader.registration._replace(isr=(1, 2), partition_epoch=1)
    leader.apply(without_3, TOPIC_CONFIG.parse({}), 31_000, ASKED)     # 3 is not caught up
    assert leader.high_watermark == 8


@pytest.mark.parametrize("second", range(4))
@pytest.mark.parametrize("third", range(4))
@pytest.mark.parametrize("isr", [(1,), (1, 2), (1, 3), (1, 2, 3)])
@pytest.mark.parametrize("min_isr", [1, 2, 3])
def test_the_whole_grid_of_the_high_watermark_rule(second, third, isr, min_isr):
    leader = replica(isr=isr, min_insync_replicas=min_isr)
    leader.append_records_to_leader(batch(3), 1, ASKED, NOW_MS)
    for broker, end in ((2, second), (3, third)):
        leader.update_follower_fetch_state(broker, end, ASKED)
    ends = {1: 3, 2: second, 3: third}
    mark = min(ends[broker] for broker in isr) if len(isr) >= min_isr else 0
    assert leader.high_watermark == leader.snapshot().high_watermark == mark
    waits = {(wait.of, wait.needs) for wait in leader.waits()}
    assert waits == ({("isr", min_isr)} if len(isr) < min_isr else {
        ("log_end_offset" if broker == 1 else f"remote_log_end_offset.{broker}", mark + 1)
        for broker in isr if ends[broker] == mark})


def test_an_isr_member_that_never_fetched_holds_the_mark():
    leader = replica(isr=(1, 2))
    leader.append_records_to_leader(batch(3), 1, ASKED, NOW_MS)
    assert leader.high_watermark == 0


def test_a_g06_below_min_isr_the_leader_appends_for_acks_1_and_commits_nothing():
    leader = replica(isr=(1,), min_insync_replicas=2)
    leader.append_records_to_leader(batch(), 1, ASKED, NOW_MS)
    assert (leader.log.log_end_offset, leader.high_watermark) == (1, 0)


def test_g_c_6_below_min_isr_acks_all_is_refused_before_anything_is_written():
    leader = replica(isr=(1,), min_insync_replicas=2)
    with pytest.raises(NotEnoughReplicasException, match="min.isr requirement of 2"):
        leader.append_records_to_leader(batch(), -1, ASKED, NOW_MS)
    assert leader.log.log_end_offset == 0


def test_a_g07_min_isr_is_never_more_than_there_are_replicas():
    leader = replica(isr=(1, 2), replicas=(1, 2), min_insync_replicas=3)
    leader.append_records_to_leader(batch(), -1, ASKED, NOW_MS)
    leader.update_follower_fetch_state(2, 1, ASKED)
    assert leader.high_watermark == 1


def test_a_g08_a_follower_learns_the_mark_with_the_answer_after_the_next_fetch():
    leader, follower = replica(isr=(1, 2)), replica(broker=2, isr=(1, 2))
    leader.append_records_to_leader(batch(), -1, ASKED, NOW_MS)
    for offset, marks in ((0, (0, 0)), (1, (1, 1))):
        read = leader.read_records(offset, 1_000, 5, 2, True)
        before = leader.high_watermark
        leader.update_follower_fetch_state(2, offset, ASKED)
        told = before if read.records else leader.high_watermark
        follower.append_records_to_follower(
            PartitionData(NAME, "NONE", told, 0, read.records), ASKED, NOW_MS)
        assert (leader.high_watermark, follower.high_watermark) == marks


def test_a_g12_at_the_end_nothing_past_it_an_error():
    leader = replica()
    leader.append_records_to_leader(batch(), 1, ASKED, NOW_MS)
    assert leader.read_records(1, 1_000, 5, 2, True).records == b""
    with pytest.raises(OffsetOutOfRangeException):
        leader.read_records(2, 1_000, 5, 2, True)


@pytest.mark.parametrize("epoch, error", [(4, FencedLeaderEpochException),
                                          (6, UnknownLeaderEpochException)])
def test_a_g13_the_epoch_is_checked_before_leadership_and_offset(epoch, error):
    for one in (replica(), replica(broker=2)):
        with pytest.raises(error):
            one.read_records(99, 1_000, epoch, 2, True)


def test_a_follower_serves_no_replica_and_a_stranger_is_not_served():
    with pytest.raises(NotLeaderOrFollowerException):
        replica(broker=2).read_records(0, 1_000, 5, 3, True)
    with pytest.raises(UnknownLeaderEpochException, match="broker 9 is not among the replicas"):
        replica().read_records(0, 1_000, 5, 9, True)


def test_a_consumer_reads_to_the_mark_and_a_replica_to_the_end():
    leader = replica()
    leader.append_records_to_leader(batch(), 1, ASKED, NOW_MS)
    assert leader.read_records(0, 1_000, 5, -1, True).records == b""
    assert leader.read_records(0, 1_000, 5, 2, True).records != b""


def test_the_mark_of_a_leader_never_falls():
    leader = replica(isr=(1, 2))
    leader.append_records_to_leader(batch(3), 1, ASKED, NOW_MS)
    leader.update_follower_fetch_state(2, 3, ASKED)
    leader.update_follower_fetch_state(2, 1, ASKED)
    assert leader.high_watermark == 3


def test_a_g23_the_mark_of_a_follower_follows_the_leaders_also_down_and_never_past_its_end():
    follower = replica(broker=2)
    records = batch(3).with_offsets(0, 5).buffer
    for told, mark, given in ((9, 3, records), (2, 2, b""), (1, 1, b""), (3, 3, b"")):
        follower.append_records_to_follower(PartitionData(NAME, "NONE", told, 0, given), ASKED,
                                            NOW_MS)
        assert follower.high_watermark == mark
        assert follower.read_records(3, 1_000, 5, -1, True).records == b""      # and no error


def test_a_begin_takes_the_checkpoint_but_never_more_than_the_log_holds():
    one = replica(isr=(1, 2))
    one.append_records_to_leader(batch(3), 1, ASKED, NOW_MS)
    for checkpointed, mark in ((2, 2), (3, 3), (8, 3)):
        again = Partition(NAME, 1, one.registration, TOPIC_CONFIG.parse({}), one.log)
        again.begin(checkpointed, ())
        assert again.high_watermark == mark
