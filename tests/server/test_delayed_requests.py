"""DelayedFetch and DelayedProduce: each of Kafka's cases that ends a wait."""

from kafka_internals.common import TopicPartition
from kafka_internals.control_record import ControlRecordType, EndTransactionMarker
from kafka_internals.record_batch import TRANSACTIONAL, RecordBatch, batches, encode
from kafka_internals.server.partition_roles import Leaderless
from kafka_internals.server.partition_state import CommittedPartitionState
from kafka_internals.storage.append_origin import AppendOrigin
from tests.server.test_replica_manager import ORDERS, RETURNS, SIZE, Broker, batch, committed

NEVER_ENOUGH = 10 ** 6


def woken_by(broker, *names):
    """What is answered when something about these partitions has changed."""
    manager = broker.manager
    effects = [effect for name in names or (ORDERS,)
               for purgatory in (manager._produces, manager._fetches)
               for effect in purgatory.check_and_complete(name, 10)]
    return [reply.body for reply in broker._replies(effects)]


def transactional():
    """A batch with which producer 7 opens a transaction."""
    return RecordBatch(encode([(1_000, None, b"mine", ())], producer_id=7, producer_epoch=0,
                              base_sequence=0, attributes=TRANSACTIONAL))


def resign(broker, name=ORDERS):
    broker.manager.partitions[name].role = Leaderless()


# -- fetch ----------------------------------------------------------------------------------------
def test_case_a_a_leader_that_resigned_answers_a_replicas_fetch_with_its_error():
    broker = committed(1)
    assert broker.follow(1, max_wait_ms=500) is None
    resign(broker)
    ((data,),) = (body.partitions for body in woken_by(broker))
    assert (data.error, data.records) == ("NOT_LEADER_OR_FOLLOWER", b"")


def test_a_consumers_fetch_goes_on_waiting_at_a_replica_that_leads_no_more():
    """It may read from any replica (KIP-392); another leader epoch ends it, which is case E."""
    broker = committed(1)
    assert broker.fetch((ORDERS, 1)) is None
    resign(broker)
    assert woken_by(broker) == []
    ((data,),) = (body.partitions for body in broker.tick(500))
    assert (data.error, data.records) == ("NONE", b"")


def test_cases_b_and_c_a_partition_that_is_gone_ends_the_fetch():
    broker = committed(1)
    assert broker.fetch((ORDERS, 1)) is None
    del broker.manager.partitions[ORDERS]
    ((data,),) = (body.partitions for body in woken_by(broker))
    assert data.error == "NOT_LEADER_OR_FOLLOWER"


def test_case_e_another_leader_epoch_fences_the_fetch():
    broker = committed(1)
    assert broker.fetch((ORDERS, 1)) is None
    partition = broker.manager.partitions[ORDERS]
    partition.registration = partition.registration._replace(leader_epoch=1)
    ((data,),) = (body.partitions for body in woken_by(broker))
    assert data.error == "FENCED_LEADER_EPOCH"


def rolled():
    """A log whose segments hold one batch each; what is in it is committed."""
    return committed(2, internal_segment_bytes=SIZE)


def test_case_f_a_fetch_that_has_fallen_behind_a_segment_does_not_wait_for_its_bytes():
    broker = rolled()
    assert broker.fetch((ORDERS, 2), min_bytes=NEVER_ENOUGH) is None
    broker.produce((ORDERS, batch()))
    broker.follow(3)
    (body,) = broker.woken
    assert len(body.partitions[0].records) == SIZE < NEVER_ENOUGH


def test_case_g_within_one_segment_it_waits_for_its_bytes():
    broker = committed(2)
    assert broker.fetch((ORDERS, 2), min_bytes=2 * SIZE) is None
    for end in (3, 4):
        assert broker.woken == []
        broker.produce((ORDERS, batch()))
        broker.follow(end)
    assert len(broker.woken[0].partitions[0].records) == 2 * SIZE


def test_g_d_11_at_the_last_stable_offset_a_reader_of_committed_data_waits_for_the_marker():
    broker = committed(1)
    log = broker.manager.partitions[ORDERS].log
    log.append_as_leader(transactional(), 0, 0)
    broker.produce((ORDERS, batch()))                       # after it, by somebody else
    broker.follow(3)
    assert (log.last_stable_offset, log.high_watermark, log.log_end_offset) == (1, 3, 3)
    assert broker.fetch((ORDERS, 1), isolation_level="read_committed") is None
    (data,) = broker.fetch((ORDERS, 1)).body.partitions     # whoever reads anything waits for none
    assert (len(list(batches(data.records))), data.last_stable_offset) == (2, 1)
    marker = EndTransactionMarker(ControlRecordType.ABORT, 0).encode(1_000, 7, 0)
    log.append_as_leader(RecordBatch(marker), 0, 0, AppendOrigin.COORDINATOR)
    assert woken_by(broker) == [] and log.last_stable_offset == 1
    broker.follow(4)                                        # the marker is committed
    ((data,),) = (body.partitions for body in broker.woken)
    assert (data.last_stable_offset, data.high_watermark) == (4, 4)
    assert [one.base_offset for one in batches(data.records)] == [1, 2, 3]
    assert [one[:2] for one in data.aborted_transactions] == [(7, 1)]


def test_g_d_12_a_roll_at_the_end_where_a_fetch_waits_does_not_wake_it():
    broker = committed(2)
    assert broker.fetch((ORDERS, 2)) is None
    log = broker.manager.partitions[ORDERS].log
    log.local.roll(1_000)
    assert log.segment_base_of(2) == 2                      # the end lies in a new segment
    assert woken_by(broker) == []
    assert broker.tick(500)[0].partitions[0].records == b""


# -- produce --------------------------------------------------------------------------------------
def test_g_d_7_a_leader_that_resigns_answers_a_waiting_produce_at_once():
    broker = Broker()
    assert broker.produce((ORDERS, batch()), acks=-1, timeout_ms=30_000) is None
    resign(broker)
    ((result,),) = (body.partitions for body in woken_by(broker))
    assert (result.error, result.base_offset) == ("NOT_LEADER_OR_FOLLOWER", 0)
    assert broker.tick(30_000) == []


def test_of_two_partitions_the_one_that_was_lost_waits_for_the_other():
    broker = Broker()
    broker.produce((ORDERS, batch()), (RETURNS, batch()), acks=-1)
    resign(broker)
    assert woken_by(broker) == []
    broker.follow(1, RETURNS)
    (body,) = broker.woken
    assert [one.error for one in body.partitions] == ["NOT_LEADER_OR_FOLLOWER", "NONE"]


def test_an_isr_that_became_too_small_meanwhile_is_told_after_the_append():
    broker = Broker(isr=(1, 2, 3), replicas=(1, 2, 3), min_insync_replicas=2)
    assert broker.produce((ORDERS, batch()), acks=-1) is None
    partition = broker.manager.partitions[ORDERS]
    partition.log.update_high_watermark(1)                  # everybody had it, and then was gone
    partition.role.state = CommittedPartitionState((1,))
    ((result,),) = (body.partitions for body in woken_by(broker))
    assert (result.error, broker.end()) == ("NOT_ENOUGH_REPLICAS_AFTER_APPEND", 1)


def test_what_was_answered_once_is_not_answered_by_the_deadline_again():
    broker = Broker()
    broker.produce((ORDERS, batch()), acks=-1, timeout_ms=300)
    broker.follow(1)
    assert len(broker.woken) == 1 and broker.tick(300) == []
    assert woken_by(broker, ORDERS, TopicPartition("returns", 0)) == []
