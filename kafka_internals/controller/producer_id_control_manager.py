"""ProducerIdControlManager: gives out blocks of producer ids, each once and for ever (KIP-730)."""

from collections.abc import Callable

from kafka_internals.controller.cluster_control_manager import ClusterControlManager
from kafka_internals.controller.controller_result import ControllerResult, Decided
from kafka_internals.controller.metadata_image import MetadataImage
from kafka_internals.messages.allocate_producer_ids import AllocateProducerIdsRequest
from kafka_internals.messages.init_producer_id import ProducerIdsBlock
from kafka_internals.messages.metadata_records import ProducerIdsRecord

RULE = "a block of producer ids belongs to one broker for ever (KIP-730)"


class ProducerIdControlManager:
    """The next block begins where the last one that is in the log ends."""

    def __init__(self, image: Callable[[], MetadataImage], cluster: ClusterControlManager) -> None:
        self._image, self._cluster = image, cluster
        self.handlers = {AllocateProducerIdsRequest: self.generate_next_producer_id}

    def generate_next_producer_id(self, request: AllocateProducerIdsRequest,
                                  reads: tuple) -> ControllerResult:
        """The next block. StaleBrokerEpochException for a broker that was restarted since."""
        self._cluster.check_broker_epoch(request.broker_id, request.broker_epoch)
        block = ProducerIdsBlock(self._image().next_producer_id)
        record = ProducerIdsRecord(request.broker_id, request.broker_epoch, block.after_last)
        return ControllerResult([Decided(record, RULE, reads)], request.response(block))
