"""ReplicaManager: what a leader answers to produce, fetch, metadata and list offsets, and when."""

import pytest

from kafka_internals.common import Changed, Persist, Reply, Send, TopicPartition
from kafka_internals.config import BROKER_CONFIG, TOPIC_CONFIG
from kafka_internals.controller.metadata_image import (
    MetadataImage,
    PartitionRegistration,
    TopicImage,
)
from kafka_internals.messages import Request
from kafka_internals.messages.fetch import FetchPartition, FetchRequest
from kafka_internals.messages.list_offsets import ListOffsetsPartition, ListOffsetsRequest
from kafka_internals.messages.metadata import MetadataRequest
from kafka_internals.messages.produce import PartitionProduceData, ProduceRequest
from kafka_internals.record_batch import RecordBatch, batches, encode
from kafka_internals.server.replica_manager import ReplicaManager
from kafka_internals.server.rules import Rules
from kafka_internals.sim.disk import Disk

ORDERS, RETURNS = TopicPartition("orders", 0), TopicPartition("returns", 0)
FIRST_LOOK_AT_LOGS_MS = 30_000
ELSEWHERE, NOWHERE = TopicPartition("elsewhere", 0), TopicPartition("nowhere", 0)


def batch(size: int = 20, records: int = 1) -> RecordBatch:
    return RecordBatch(encode([(1_000, None, b"v" * size, ())] * records))


SIZE = batch().size


class Broker:
    """Broker 1, which leads what it holds. What `say` gives is None where one has to wait.

    Answers to earlier requests are in `woken`, oldest first.
    """

    def __init__(self, isr=(1, 2), replicas=(1, 2), disk=None, broker=None, **configs) -> None:
        self.config = BROKER_CONFIG.parse(broker or {})
        config = TOPIC_CONFIG.parse({name.replace("_", "."): v for name, v in configs.items()})
        mine = (PartitionRegistration(replicas, isr, 1, 0),)
        topics = {"orders": TopicImage("orders", mine, config),
                  "returns": TopicImage("returns", mine, TOPIC_CONFIG.parse({})),
                  "elsewhere": TopicImage("elsewhere", (
                      PartitionRegistration((2, 3), (2, 3), 2, 0),
                      PartitionRegistration((3,), (), -1, 0)), config)}
        self.image = MetadataImage((1, 2, 3), topics)
        self.disk = disk or Disk(lambda n: 0)
        self.open()
        self.count = 0

    def open(self) -> None:
        self.manager = ReplicaManager(1, self.disk, self.config, Rules(),
                                      iter(range(1, 100)).__next__)
        self.woken, self.effects = [], []
        self.manager.apply_image(self.image, 0, ())

    def say(self, body, now_ms: int = 0):
        self.count += 1
        request = Request.of("c", self.count, body)
        replies = self._replies(self.manager.handle(request, now_ms))
        mine = [reply for reply in replies if reply.request.id == request.id]
        self.woken += [reply.body for reply in replies if reply.request.id != request.id]
        return mine[0] if mine else None

    def tick(self, now_ms: int) -> list:
        return [reply.body for reply in self._replies(self.manager.tick(now_ms))]

    def _replies(self, effects: list) -> list[Reply]:
        self.effects = effects
        assert all(isinstance(one, (Changed, Reply, Persist, Send)) for one in effects)
        return [one for one in effects if isinstance(one, Reply)]

    def produce(self, *given, acks: int = 1, now_ms: int = 0, timeout_ms: int = 1_000):
        return self.say(ProduceRequest(acks, timeout_ms, tuple(
            PartitionProduceData(name, records) for name, records in given)), now_ms)

    def follow(self, offset: int, name=ORDERS, now_ms: int = 0, max_wait_ms: int = 0):
        """Broker 2 fetches."""
        return self.fetch((name, offset), replica_id=2, now_ms=now_ms, max_wait_ms=max_wait_ms)

    def fetch(self, *asked, replica_id: int = -1, min_bytes: int = 1, max_bytes: int = 10_000,
              max_wait_ms: int = 500, partition_max_bytes: int = 10_000, now_ms: int = 0,
              isolation_level: str = "read_uncommitted"):
        return self.say(FetchRequest(replica_id, max_wait_ms, min_bytes, max_bytes, tuple(
            FetchPartition(name, offset, 0, partition_max_bytes) for name, offset in asked),
            isolation_level), now_ms)

    def end(self, name=ORDERS) -> int:
        return self.manager.partitions[name].log.log_end_offset


def errors(reply: Reply) -> list[str]:
    return [result.error for result in reply.body.partitions]


def committed(count: int = 1, name=ORDERS, **configs) -> Broker:
    """A leader with so many batches that the follower has and has reported."""
    broker = Broker(**configs)
    for _ in range(count):
        broker.produce((name, batch()))
    broker.follow(count, name)
    return broker


# -- produce ----------------------------------------------------------------------------------
def test_acks_1_is_answered_from_the_leaders_log():
    broker = Broker()
    reply = broker.produce((ORDERS, batch(records=3)))
    (result,) = reply.body.partitions
    assert (result.error, result.base_offset, result.log_append_time_ms) == ("NONE", 0, -1)
    assert result.log_start_offset == 0 and not reply.close and broker.end() == 3


def test_acks_0_gets_no_answer_and_an_error_closes_the_connection():
    broker = Broker(max_message_bytes=SIZE)
    reply = broker.produce((ORDERS, batch()), acks=0)
    assert reply.body is None and not reply.close and broker.end() == 1
    for wrong in ((NOWHERE, batch()), (ORDERS, batch(100))):            # G-D-10
        reply = broker.produce(wrong, acks=0)
        assert reply.body is None and reply.close


def test_acks_all_waits_for_the_high_watermark():
    broker = Broker()
    assert broker.produce((ORDERS, batch()), acks=-1) is None
    broker.follow(0)
    assert broker.woken == []
    broker.follow(1)
    assert [result.base_offset for result in broker.woken[0].partitions] == [0]
    assert broker.tick(60_000) == []


def test_acks_all_alone_in_the_isr_is_answered_at_once():
    assert errors(Broker(isr=(1,)).produce((ORDERS, batch()), acks=-1)) == ["NONE"]


@pytest.mark.parametrize("acks", [-2, 2, 3])
def test_other_acks_are_refused_and_nothing_is_written(acks):
    broker = Broker()
    assert errors(broker.produce((ORDERS, batch()), acks=acks)) == ["INVALID_REQUIRED_ACKS"]
    assert broker.end() == 0


def test_g_c_6_below_min_isr_acks_all_is_refused_and_acks_1_commits_nothing():
    broker = Broker(isr=(1,), replicas=(1, 2, 3), min_insync_replicas=2)
    assert errors(broker.produce((ORDERS, batch()), acks=-1)) == ["NOT_ENOUGH_REPLICAS"]
    assert broker.end() == 0
    assert errors(broker.produce((ORDERS, batch()), acks=1)) == ["NONE"]
    assert (broker.end(), broker.manager.partitions[ORDERS].high_watermark) == (1, 0)


def test_g_c_7_with_one_replica_min_isr_is_one():
    broker = Broker(isr=(1,), replicas=(1,), min_insync_replicas=2)
    assert errors(broker.produce((ORDERS, batch()), acks=-1)) == ["NONE"]


@pytest.mark.parametrize("name, error", [(NOWHERE, "UNKNOWN_TOPIC_OR_PARTITION"),
                                         (ELSEWHERE, "NOT_LEADER_OR_FOLLOWER"),
                                         (TopicPartition("orders", 1),
                                          "UNKNOWN_TOPIC_OR_PARTITION")])
def test_what_is_not_here_is_unknown_or_led_elsewhere(name, error):
    broker = Broker()
    assert errors(broker.produce((name, batch()))) == [error]
    assert errors(broker.fetch((name, 0))) == [error]
    assert errors(broker.say(ListOffsetsRequest((ListOffsetsPartition(name, 0, -1),)))) == [error]


def test_a_damaged_batch_is_refused():
    broken = bytearray(batch().buffer)
    broken[-1] ^= 1
    broker = Broker()
    assert errors(broker.produce((ORDERS, RecordBatch(bytes(broken))))) == ["CORRUPT_MESSAGE"]
    assert broker.end() == 0


def test_g_d_6_a_partition_that_was_refused_waits_with_the_one_that_was_not():
    broker = Broker(max_message_bytes=SIZE)
    assert broker.produce((ORDERS, batch(100)), (RETURNS, batch()), acks=-1) is None
    broker.follow(0)
    assert broker.woken == []
    broker.follow(1, RETURNS)
    assert [(one.partition, one.error) for one in broker.woken[0].partitions] == [
        (ORDERS, "MESSAGE_TOO_LARGE"), (RETURNS, "NONE")]


def test_where_every_partition_was_refused_nobody_waits():
    broker = Broker(max_message_bytes=SIZE)
    assert errors(broker.produce((ORDERS, batch(100)), acks=-1)) == ["MESSAGE_TOO_LARGE"]


def test_g_d_5_a_produce_that_waits_too_long_is_told_so_and_may_commit_later():
    broker = Broker()
    broker.produce((ORDERS, batch()), (RETURNS, batch()), acks=-1, timeout_ms=300)
    broker.follow(1, RETURNS)
    assert broker.manager.next_deadline_ms(0) == 300 and broker.tick(299) == []
    (body,) = broker.tick(300)
    assert [(one.error, one.base_offset) for one in body.partitions] == [
        ("REQUEST_TIMED_OUT", 0), ("NONE", 0)]
    broker.follow(1)
    assert broker.manager.partitions[ORDERS].high_watermark == 1 and broker.woken == []


# -- fetch ------------------------------------------------------------------------------------
def test_a_g08_a_fetch_is_read_before_it_is_counted():
    broker = Broker()
    broker.produce((ORDERS, batch()))
    broker.produce((ORDERS, batch()))
    for offset, told, mark in ((0, 0, 0), (1, 0, 1), (2, 2, 2)):
        (data,) = broker.follow(offset, max_wait_ms=0).body.partitions
        assert broker.manager.partitions[ORDERS].high_watermark == mark
        assert data.high_watermark == (told if data.records else 1)


def test_a_g12_a_followers_fetch_at_the_end_is_parked_and_then_carries_the_new_mark():
    broker = Broker()
    broker.produce((ORDERS, batch()))
    assert broker.follow(1, now_ms=0, max_wait_ms=500) is None
    (body,) = broker.tick(500)
    assert body.partitions[0].high_watermark == 1 and body.partitions[0].records == b""


def test_g_d_3_an_append_wakes_followers_and_a_mark_that_moved_wakes_consumers():
    broker = Broker()
    assert broker.fetch((ORDERS, 0)) is None
    assert broker.follow(0, max_wait_ms=500) is None
    broker.produce((ORDERS, batch()))
    assert [len(body.partitions[0].records) for body in broker.woken] == [SIZE]
    broker.follow(1)
    (_, consumers) = broker.woken
    assert len(consumers.partitions[0].records) == SIZE
    assert consumers.partitions[0].high_watermark == 1


def test_a_mark_that_a_follower_moved_answers_fetches_before_produces():
    broker = Broker()
    broker.produce((ORDERS, batch()), acks=-1)
    broker.fetch((ORDERS, 0))
    broker.follow(1)
    assert [type(body).__name__ for body in broker.woken] == ["FetchResponse", "ProduceResponse"]


def test_a_consumer_reads_nothing_above_the_mark():
    broker = committed(1)
    broker.produce((ORDERS, batch()))
    (data,) = broker.fetch((ORDERS, 0)).body.partitions
    assert [one.base_offset for one in batches(data.records)] == [0]


def test_g_d_5_a_fetch_that_waits_too_long_is_empty_and_no_error():
    broker = committed(1)
    assert broker.fetch((ORDERS, 1), now_ms=10) is None
    assert broker.tick(509) == []
    (body,) = broker.tick(510)
    assert (body.partitions[0].error, body.partitions[0].records) == ("NONE", b"")


@pytest.mark.parametrize("min_bytes, max_wait_ms", [(0, 500), (1, 0)])
def test_whoever_does_not_want_to_wait_gets_nothing_at_once(min_bytes, max_wait_ms):
    reply = committed(1).fetch((ORDERS, 1), min_bytes=min_bytes, max_wait_ms=max_wait_ms)
    assert (reply.body.partitions[0].error, reply.body.partitions[0].records) == ("NONE", b"")


def test_an_error_answers_at_once_for_all_partitions():
    reply = committed(1).fetch((ORDERS, 1), (NOWHERE, 0))
    assert errors(reply) == ["NONE", "UNKNOWN_TOPIC_OR_PARTITION"]


@pytest.mark.parametrize("replica_id", [-1, 2])
def test_a_g12_past_the_end_is_out_of_range_and_leaves_the_mark(replica_id):
    broker = committed(1)
    (data,) = broker.fetch((ORDERS, 2), replica_id=replica_id).body.partitions
    assert (data.error, data.high_watermark, data.log_start_offset) == (
        "OFFSET_OUT_OF_RANGE", -1, -1)
    assert broker.manager.partitions[ORDERS].role.remote_log_end_offset == ((2, 1),)


def test_a_consumer_between_the_mark_and_the_end_gets_nothing_and_does_not_wait():
    broker = committed(1)
    for _ in range(2):
        broker.produce((ORDERS, batch()))
    (data,) = broker.fetch((ORDERS, 2)).body.partitions
    assert (data.error, data.records, data.high_watermark) == ("NONE", b"", 1)


def test_g_d_4_min_bytes_counts_all_partitions_but_of_each_only_what_it_may_give():
    broker = committed(1)
    broker.produce((RETURNS, batch()))
    broker.follow(1, RETURNS)
    assert broker.fetch((ORDERS, 0), (RETURNS, 0), min_bytes=SIZE + 1) is not None
    broker = committed(3)
    limits = {"min_bytes": SIZE + 1, "partition_max_bytes": SIZE - 1}
    assert broker.fetch((ORDERS, 0), **limits) is None
    (body,) = broker.tick(500)
    assert len(body.partitions[0].records) == SIZE


def test_nobody_waits_for_more_than_max_bytes():
    broker = committed(3)
    reply = broker.fetch((ORDERS, 0), min_bytes=5_000, max_bytes=SIZE)
    assert len(reply.body.partitions[0].records) == SIZE


@pytest.mark.parametrize("max_wait_ms", [0, 500])
def test_the_brokers_own_limit_bounds_an_answer_and_what_it_waits_for(max_wait_ms):
    broker = Broker(broker={"fetch.max.bytes": 1_024})
    for _ in range(2):
        broker.produce((ORDERS, batch(size=600)))
        broker.produce((RETURNS, batch(size=600)))
    broker.follow(2), broker.follow(2, RETURNS)
    reply = broker.fetch((ORDERS, 0), (RETURNS, 0), min_bytes=2_000, max_wait_ms=max_wait_ms)
    assert [len(data.records) for data in reply.body.partitions] == [1_024, 0]


def test_g_d_8_the_first_batch_comes_whole_and_nothing_else():
    broker = committed(2)
    broker.produce((RETURNS, batch()))
    broker.follow(1, RETURNS)
    reply = broker.fetch((ORDERS, 0), (RETURNS, 0), max_bytes=SIZE - 1)
    assert [len(data.records) for data in reply.body.partitions] == [SIZE, 0]


@pytest.mark.parametrize("spare, given", [(SIZE - 1, 0), (SIZE, SIZE)])
def test_g_b_5_a_later_partition_gives_whole_first_batches_or_nothing(spare, given):
    broker = committed(1)
    broker.produce((RETURNS, batch()))
    broker.follow(1, RETURNS)
    reply = broker.fetch((ORDERS, 0), (RETURNS, 0), max_bytes=SIZE + spare)
    assert [len(data.records) for data in reply.body.partitions] == [SIZE, given]


def test_an_empty_partition_leaves_the_promise_of_one_message_to_the_next():
    broker = committed(1)
    reply = broker.fetch((RETURNS, 0), (ORDERS, 0), max_bytes=1)
    assert [len(data.records) for data in reply.body.partitions] == [0, SIZE]


# -- metadata and offsets ---------------------------------------------------------------------
def test_metadata_names_leaders_what_has_none_and_what_does_not_exist():
    body = Broker().say(MetadataRequest(("orders", "elsewhere", "nowhere"))).body
    assert [(str(one.partition), one.leader, one.error) for one in body.partitions] == [
        ("orders-0", 1, "NONE"), ("elsewhere-0", 2, "NONE"),
        ("elsewhere-1", -1, "LEADER_NOT_AVAILABLE")]
    assert (body.brokers, body.unknown_topics) == ((1, 2, 3), ("nowhere",))


@pytest.mark.parametrize("timestamp, offset", [(-1, 1), (-2, 0)])
def test_latest_is_the_high_watermark_and_earliest_the_log_start(timestamp, offset):
    broker = committed(1)
    broker.produce((ORDERS, batch()))
    body = broker.say(ListOffsetsRequest((ListOffsetsPartition(ORDERS, 0, timestamp),))).body
    assert (body.partitions[0].error, body.partitions[0].offset) == ("NONE", offset)


@pytest.mark.parametrize("timestamp, told", [
    (1_000, ("NONE", 0)), (1_001, ("NONE", -1)), (-3, ("NONE", 0)), (-5, ("NONE", -1)),
    (-7, ("UNSUPPORTED_VERSION", -1))])
def test_a_lookup_by_time_finds_the_first_record_below_the_mark(timestamp, told):
    body = committed(1).say(ListOffsetsRequest((ListOffsetsPartition(ORDERS, 0, timestamp),))).body
    assert (body.partitions[0].error, body.partitions[0].offset) == told


@pytest.mark.parametrize("epoch, error", [(-1, "NONE"), (0, "NONE"), (1, "UNKNOWN_LEADER_EPOCH")])
def test_list_offsets_checks_the_epoch_of_whoever_names_one(epoch, error):
    reply = Broker().say(ListOffsetsRequest((ListOffsetsPartition(ORDERS, epoch, -1),)))
    assert errors(reply) == [error]


# -- checkpoint -------------------------------------------------------------------------------
def test_the_checkpoint_is_written_every_five_seconds_after_a_mark_has_moved():
    broker = Broker()
    assert broker.manager.next_deadline_ms(0) == FIRST_LOOK_AT_LOGS_MS
    broker.produce((ORDERS, batch(records=7)))
    broker.follow(7)
    assert broker.manager.next_deadline_ms(1_234) == 5_000
    broker.tick(5_000)
    assert broker.effects == [Persist("replication-offset-checkpoint",
                                      b"0\n2\norders 0 7\nreturns 0 0\n")]
    assert broker.manager.next_deadline_ms(5_000) == FIRST_LOOK_AT_LOGS_MS


@pytest.mark.parametrize("clean, mark", [(True, 7), (False, 0)])
def test_a_restart_begins_at_the_checkpoint_and_leads_where_the_image_says_so(clean, mark):
    broker = committed(7)
    for effect in broker.manager.shut_down() if clean else ():
        broker.disk.replace(effect.file, effect.data)
    again = Broker(disk=broker.disk)
    assert again.end() == 7 and again.manager.partitions[ORDERS].high_watermark == mark
    assert errors(again.produce((ORDERS, batch()))) == ["NONE"]


def test_a_checkpoint_beyond_a_cut_log_is_lowered_to_its_end():
    broker = committed(3)
    for effect in broker.manager.shut_down():
        broker.disk.replace(effect.file, effect.data)
    broker.disk.truncate(f"orders-0/{0:020d}.log", SIZE + 5)
    again = Broker(disk=broker.disk)
    assert (again.end(), again.manager.partitions[ORDERS].high_watermark) == (1, 1)
