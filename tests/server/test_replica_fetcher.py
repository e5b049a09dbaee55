"""ReplicaFetcher: one request in flight, back-off for what failed, and nobody starves."""

import pytest

from kafka_internals.common import Changed, Disconnect, Send, TopicPartition
from kafka_internals.config import BROKER_CONFIG, TOPIC_CONFIG
from kafka_internals.controller.metadata_image import PartitionRegistration
from kafka_internals.messages.fetch import FetchResponse, PartitionData
from kafka_internals.record_batch import encode
from kafka_internals.server.partition import Partition
from kafka_internals.server.replica_fetcher import ReplicaFetcher
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.unified_log import UnifiedLog


def following(number: int) -> Partition:
    name = TopicPartition("orders", number)
    one = Partition(name, 2, PartitionRegistration((1, 2), (1, 2), 1, 0), TOPIC_CONFIG.parse({}),
                    UnifiedLog(name, Disk(lambda n: 0)))
    one.begin(0, ())
    return one


class Follower:
    """A fetcher of broker 2 for broker 1, and whatever it sent last."""

    def __init__(self, count: int = 1, **configs) -> None:
        config = BROKER_CONFIG.parse({name.replace("_", "."): v for name, v in configs.items()})
        self.partitions = [following(number) for number in range(count)]
        self.fetcher = ReplicaFetcher(2, 1, config, iter(range(1, 100)).__next__)
        self.request, self.closed = None, 0
        self.do(self.fetcher.follow(self.partitions, 0))

    def do(self, effects: list) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                assert self.request is None, "one request at a time"
                self.request = effect.request
            elif isinstance(effect, Disconnect):
                self.closed += 1
            else:
                assert isinstance(effect, Changed), f"unexpected: {effect}"

    def answer(self, now_ms: int, *results: bytes | str) -> None:
        """Answer each partition of the request with records or an error's name."""
        request, self.request = self.request, None
        body = FetchResponse(tuple(
            PartitionData(asked.partition, result) if isinstance(result, str)
            else PartitionData(asked.partition, "NONE", 0, 0, result)
            for asked, result in zip(request.body.partitions, results)))
        self.do(self.fetcher.handle(request.answered(body), now_ms))

    def asked(self) -> str:
        return str(self.request.body)


def batch(base_offset: int) -> bytes:
    return encode([(1_000, None, b"v", ())], base_offset=base_offset, partition_leader_epoch=0)


def test_the_next_fetch_leaves_with_the_answer_and_reports_the_new_end():
    one = Follower()
    assert one.asked() == "fetch orders-0 at 0"
    one.answer(5, batch(0) + batch(1))
    assert one.asked() == "fetch orders-0 at 2" and one.partitions[0].log.log_end_offset == 2
    one.answer(505, b"")
    assert one.asked() == "fetch orders-0 at 2"


def test_a_fetch_says_what_was_configured():
    body = Follower(replica_fetch_wait_max_ms=70, replica_fetch_min_bytes=3,
                    replica_fetch_max_bytes=100, replica_fetch_response_max_bytes=200).request.body
    assert (body.replica_id, body.max_wait_ms, body.min_bytes, body.max_bytes) == (2, 70, 3, 200)
    assert body.partitions[0].partition_max_bytes == 100


def test_a_partition_with_an_error_waits_and_the_others_go_on():
    one = Follower(2)
    one.answer(10, "NOT_LEADER_OR_FOLLOWER", batch(0))
    assert one.asked() == "fetch orders-1 at 1"
    one.answer(1_009, b"")
    assert one.asked() == "fetch orders-1 at 1"
    one.answer(1_010, b"")
    assert one.asked() == "fetch orders-0 at 0, orders-1 at 1"


def test_where_every_partition_failed_nothing_is_asked_until_the_back_off_is_over():
    one = Follower(2, replica_fetch_backoff_ms=300)
    one.answer(10, "UNKNOWN_LEADER_EPOCH", "UNKNOWN_TOPIC_OR_PARTITION")
    assert one.request is None and one.fetcher.due_ms == 310
    assert one.fetcher.tick(309) == []
    one.do(one.fetcher.tick(310))
    assert one.asked() == "fetch orders-0 at 0, orders-1 at 0"


def test_a_new_partition_does_not_wait_for_those_that_failed():
    one = Follower()
    one.answer(10, "NOT_LEADER_OR_FOLLOWER")
    one.do(one.fetcher.follow([*one.partitions, following(7)], 20))
    assert one.asked() == "fetch orders-7 at 0"


def test_a_request_in_flight_keeps_its_list_when_a_partition_is_added():
    one = Follower()
    assert one.fetcher.follow([*one.partitions, following(7)], 20) == []
    one.answer(30, b"")
    assert one.asked() == "fetch orders-0 at 0, orders-7 at 0"


def test_damaged_records_are_asked_for_again():
    one, broken = Follower(), bytearray(batch(0))
    broken[-1] ^= 1
    one.answer(10, bytes(broken))
    assert one.request is None and one.partitions[0].log.log_end_offset == 0
    one.do(one.fetcher.tick(1_010))
    assert one.asked() == "fetch orders-0 at 0"


def test_a_partition_that_gave_records_goes_to_the_end():
    one = Follower(3)
    one.answer(1, batch(0), b"", b"")
    assert one.asked() == "fetch orders-1 at 0, orders-2 at 0, orders-0 at 1"


def test_a_lost_connection_is_tried_again_after_the_back_off():
    one = Follower()
    late, one.request = one.request, None
    one.do(one.fetcher.disconnected(40))
    assert one.fetcher.due_ms == 1_040 and one.fetcher.tick(1_039) == []
    one.do(one.fetcher.tick(1_040))
    assert one.asked() == "fetch orders-0 at 0"
    body = FetchResponse((PartitionData(TopicPartition("orders", 0), "NONE", 0, 0, batch(0)),))
    assert one.fetcher.handle(late.answered(body), 1_041) == []


@pytest.mark.parametrize("backoff_ms", [0, 1_000])
def test_a_request_without_an_answer_is_given_up(backoff_ms):
    one = Follower(replica_socket_timeout_ms=2_000, replica_fetch_backoff_ms=backoff_ms)
    assert one.fetcher.tick(2_000) == [] and one.fetcher.due_ms == 2_001
    one.request = None
    one.do(one.fetcher.tick(2_001))
    assert one.closed == 1 and one.fetcher.due_ms == 2_001 + backoff_ms
    one.do(one.fetcher.tick(2_001 + backoff_ms))
    assert one.asked() == "fetch orders-0 at 0"
