"""A controller on the metadata log itself: records are bytes on a disk, and are read from there."""

from kafka_internals.common import Reply
from kafka_internals.config import CONTROLLER_CONFIG
from kafka_internals.controller.feature_control_manager import SUPPORTED_FEATURES
from kafka_internals.controller.metadata_delta import MetadataDelta
from kafka_internals.controller.metadata_image import MetadataImage
from kafka_internals.controller.quorum_controller import QuorumController
from kafka_internals.messages import Request
from kafka_internals.messages.broker_heartbeat import BrokerHeartbeatRequest
from kafka_internals.messages.broker_registration import BrokerRegistrationRequest
from kafka_internals.messages.create_topics import CreatableTopic, CreateTopicsRequest
from kafka_internals.messages.metadata_record_serde import decode
from kafka_internals.record_batch import batches
from kafka_internals.storage.unified_log import UnifiedLog
from tests.raft.quorums import CONTROLLER, VOTER, Node

CLUSTER = "AAAAAAAAAAAAAAAAAACrzQ"
UUID = "wxuUlJh6Qr60G7BlSk8M{}Q".format
QUIET = CONTROLLER_CONFIG.parse({"metadata.max.idle.interval.ms": 0})


class ControllerNode(Node):
    """A node whose listener is a controller."""

    asked = 0

    def begin(self) -> None:
        super().begin()
        self.core = QuorumController(CONTROLLER, CLUSTER, QUIET, lambda n: 7 % n, lambda n: 77 % n)
        self.client._listener, self.core.raft = self.core, self.client

    def request(self, body, now_ms: int = 0):
        """Ask; what is answered at once, and what when the linger is over."""
        self.asked += 1
        asked = Request.of("test", self.asked, body)
        at_once = self.replies(self.do(self.core.handle(asked, now_ms)))
        if (due_ms := self.client.next_deadline_ms()) is None:
            return at_once, []
        return at_once, self.replies(self.do(self.client.tick(due_ms)))

    @staticmethod
    def replies(effects: list) -> list:
        return [one.body for one in effects if isinstance(one, Reply)]

    def fold(self) -> MetadataImage:
        """What the bytes on the disk say."""
        delta = MetadataDelta(MetadataImage())
        log: UnifiedLog = self.log
        for batch in batches(log.read(0, 1 << 20, log.log_end_offset).records):
            for offset, record in enumerate(() if batch.header.is_control else batch.records(),
                                            batch.header.base_offset):
                delta.replay(decode(record.value), offset, batch.header.partition_leader_epoch)
        return delta.apply()


def started() -> ControllerNode:
    node = ControllerNode(CONTROLLER, (VOTER,))
    node.start()
    node.do(node.client.tick(1_000))                         # the bootstrap records are written
    return node


def registration(broker: int, process: str) -> BrokerRegistrationRequest:
    return BrokerRegistrationRequest(broker, CLUSTER, UUID(process), (), SUPPORTED_FEATURES,
                                     log_dirs=(UUID(str(broker)),))


def test_an_answer_waits_for_the_flush_of_its_records():
    node = started()
    assert node.core.is_active and node.core.image == node.fold()
    at_once, later = node.request(registration(1, "A"))
    assert at_once == [] and [one.error for one in later] == ["NONE"]
    epoch = later[0].broker_epoch
    _, (beat,) = node.request(BrokerHeartbeatRequest(1, epoch, epoch, cordoned_log_dirs=()))
    assert not beat.is_fenced
    _, (made,) = node.request(CreateTopicsRequest((CreatableTopic("orders", 2, 1),)))
    assert made.topics[0].error == "NONE"
    (again,), _ = node.request(BrokerHeartbeatRequest(1, epoch, epoch))   # nothing to be written
    assert again.error == "NONE"
    assert node.core.image == node.fold()
    assert node.core.snapshot().next_write_offset == node.log.log_end_offset


def test_a_controller_that_restarts_has_its_image_from_the_disk_and_new_sessions():
    node = started()
    _, (given,) = node.request(registration(1, "A"))
    node.request(BrokerHeartbeatRequest(1, given.broker_epoch, given.broker_epoch))
    node.request(CreateTopicsRequest((CreatableTopic("orders", 1, 1),)))
    before = node.core.image
    node.restart(50_000, power_loss=True)
    node.do(node.client.tick(51_000))
    assert node.core.is_active and node.core.claim_epoch == 2
    assert node.core.image == before                         # nothing of it was only in memory
    assert node.core.broker_snapshot(1).contact_ms == 50_000
    assert node.core.cluster.registered_at == {1: given.broker_epoch}
    _, (made,) = node.request(CreateTopicsRequest((CreatableTopic("more", 1, 1),)), 52_000)
    assert made.topics[0].error == "NONE" and node.core.image == node.fold()
