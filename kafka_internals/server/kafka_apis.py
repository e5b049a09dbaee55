"""KafkaApis: takes each kind of request to whoever deals with it, and sends the answers.

What every answer shares is here: its place in the chain of "why?", quotas, fetch sessions, and the
hint who leads for a client that was wrong about it (KIP-951).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from kafka_internals.common import Changed, Reply, TopicPartition, broker_name
from kafka_internals.errors import (
    ApiException,
    CoordinatorLoadInProgressException,
    InvalidRequestException,
)
from kafka_internals.messages import LeaderIdAndEpoch, Request
from kafka_internals.messages.delete_records import (
    DeleteRecordsPartitionResult,
    DeleteRecordsRequest,
)
from kafka_internals.messages.fetch import FetchRequest, FetchResponse
from kafka_internals.messages.init_producer_id import (
    NO_PRODUCER,
    InitProducerIdRequest,
    ProducerIdAndEpoch,
)
from kafka_internals.messages.list_offsets import (
    EARLIEST_TIMESTAMP,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
)
from kafka_internals.messages.metadata import MetadataRequest, PartitionMetadata
from kafka_internals.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartitionResponse,
)
from kafka_internals.messages.produce import ProduceRequest, ProduceResponse
from kafka_internals.server.client_quota_manager import QUOTA_RULE, QuotaManagers
from kafka_internals.server.delayed_delete_records import RULE as DELETE_RULE
from kafka_internals.server.delayed_delete_records import DelayedDeleteRecords
from kafka_internals.server.fetch_session import FetchManager
from kafka_internals.server.producer_id_manager import RULE as IDS_RULE
from kafka_internals.server.producer_id_manager import ProducerIdManager

OFFSETS_RULE = "latest = high watermark, earliest = log start"
EPOCH_RULE = "a leader says where a leader epoch ends in its log (KIP-279)"
SESSION_EVICTION_MS = 120_000
WHY_REFUSED = {"NOT_ENOUGH_REPLICAS": ("role", "isr"), "NOT_LEADER_OR_FOLLOWER": ("role",),
               "FENCED_LEADER_EPOCH": ("role", "leader_epoch"),
               "UNKNOWN_LEADER_EPOCH": ("role", "leader_epoch")}
HINTS = {FetchResponse: ("NOT_LEADER_OR_FOLLOWER", "FENCED_LEADER_EPOCH"),
         ProduceResponse: ("NOT_LEADER_OR_FOLLOWER",)}


def why_refused(partitions: Mapping[TopicPartition, Any], results: Iterable[Any]) -> tuple:
    """What the replicas that are here refused by, for "why?"."""
    return tuple([(partitions[one.partition].subject, attribute) for one in results
                  if one.error in WHY_REFUSED and one.partition in partitions
                  for attribute in WHY_REFUSED[one.error]])


class KafkaApis:
    """Requests of one broker; `manager` is its ReplicaManager."""

    def __init__(self, manager: Any, config: Any, producer_ids: ProducerIdManager | None) -> None:
        self._manager = manager
        self.sessions = FetchManager(config["max.incremental.fetch.session.cache.slots"],
                                     SESSION_EVICTION_MS)
        self.quotas = QuotaManagers(config)
        self._producer_ids = producer_ids
        self._handlers = {
            ProduceRequest: manager.append_records, FetchRequest: manager.fetch_messages,
            DeleteRecordsRequest: self._delete_records, MetadataRequest: self._metadata,
            ListOffsetsRequest: self._list_offsets, InitProducerIdRequest: self._init_producer_id,
            OffsetForLeaderEpochRequest: self._offset_for_leader_epoch}

    def handle(self, request: Request, now_ms: int) -> list:
        """Do what a request asks; its answer is among the effects, or parked."""
        return self._handlers[type(request.body)](request, now_ms)

    def answer(self, request: Request, body: Any, rule: str, reads: tuple, now_ms: int) -> list:
        """Send an answer, and say what it was made from."""
        throttle_ms = 0
        if self.quotas.enabled and (throttle_ms := self.quotas.throttle_ms(request, body, now_ms)):
            rule, reads = QUOTA_RULE, reads + self.quotas.reads(
                broker_name(self._manager.broker), request.client_id)
        if type(body) in HINTS:
            body = self._with_hints(body)
        if type(body) is FetchResponse and body.error == "NONE":
            body = self.sessions.throttled_response(request) if throttle_ms else \
                self.sessions.update_and_generate_response_data(request, body, now_ms)
        if throttle_ms:
            body = body._replace(throttle_time_ms=throttle_ms)
        told = Changed(request.id, "answer", None, str(body), rule, request.reads + reads)
        return [told, Reply(request, body, throttle_ms=throttle_ms)]

    def _with_hints(self, body: Any) -> Any:
        """Who leads, for each partition whose asker was wrong about that."""
        wrong = HINTS[type(body)]
        for one in body.partitions:
            if one.error in wrong:
                break
        else:
            return body
        return body._replace(partitions=tuple(
            one._replace(current_leader=self._leader_of(one.partition))
            if one.error in wrong else one for one in body.partitions))

    def _leader_of(self, name: TopicPartition) -> LeaderIdAndEpoch | None:
        """As the replica here knows it, else as metadata has it."""
        if (replica := self._manager.partitions.get(name)) is not None:
            return LeaderIdAndEpoch(replica.role.leader, replica.leader_epoch)
        known = self._manager.image and self._manager.image.partition(name)
        return LeaderIdAndEpoch(known.leader, known.leader_epoch) if known else None

    # -- the small requests -------------------------------------------------------------------
    def _metadata(self, request: Request, now_ms: int) -> list:
        image, unknown, known = self._manager.image, [], []
        broker = broker_name(self._manager.broker)
        reads = tuple((broker, f"partition_counts.{name}") for name in request.body.topics)
        for name in request.body.topics:
            if name not in image.topics:
                unknown.append(name)
                continue
            for number, one in enumerate(image.topics[name].partitions):
                reads += ((broker, f"leaders.{name}-{number}"),)
                error = "NONE" if one.leader >= 0 else "LEADER_NOT_AVAILABLE"
                known.append(PartitionMetadata(TopicPartition(name, number), one.leader,
                                               one.leader_epoch, error))
        alive = self._manager.metadata.alive_brokers()
        body = request.body.response(alive, tuple(known), tuple(unknown))
        return self.answer(request, body, "the broker's metadata image", reads, now_ms)

    def _init_producer_id(self, request: Request, now_ms: int) -> list:
        """A number for a producer that has no transactional id; what it had before is not asked."""
        body, effects, given, reads = request.body, [], NO_PRODUCER, ()
        if (body.producer_id < 0) != (body.producer_epoch < 0):
            error = InvalidRequestException.error_name
        else:
            number, effects = self._producer_ids.generate_producer_id(request.reads, now_ms)
            error = CoordinatorLoadInProgressException.error_name if number is None else "NONE"
            if number is not None:
                given = ProducerIdAndEpoch(number, 0)
                reads = ((broker_name(self._manager.broker), "next_producer_id"),)
        return effects + self.answer(request, body.response(error, given), IDS_RULE, reads, now_ms)

    def _list_offsets(self, request: Request, now_ms: int) -> list:
        found, reads, body = [], [], request.body
        for asked in body.partitions:
            try:
                partition = self._manager.partition(asked.partition)
                one = partition.fetch_offset_for_timestamp(asked, body.committed_only,
                                                           body.replica_id)
            except ApiException as error:
                found.append(ListOffsetsPartitionResponse(asked.partition, error.error_name))
                continue
            found.append(ListOffsetsPartitionResponse(asked.partition, "NONE", one.offset,
                                                      one.timestamp, one.leader_epoch))
            reads.append((partition.subject, "role"))
            if asked.timestamp != EARLIEST_TIMESTAMP:
                reads.append((partition.subject,
                              partition.readable_attribute(body.replica_id >= 0)))
        return self.answer(request, body.response(tuple(found)), OFFSETS_RULE, tuple(reads),
                           now_ms)

    def _offset_for_leader_epoch(self, request: Request, now_ms: int) -> list:
        """Where epochs end; only a leader says so."""
        found, reads = [], []
        for asked in request.body.partitions:
            try:
                partition = self._manager.partition(asked.partition)
                end = partition.last_offset_for_leader_epoch(asked.current_leader_epoch,
                                                             asked.leader_epoch)
            except ApiException as error:
                found.append(OffsetForLeaderPartitionResponse(asked.partition, error.error_name))
                continue
            found.append(OffsetForLeaderPartitionResponse(asked.partition, "NONE", *end))
            reads += [(partition.subject, "log_end_offset"), (partition.subject, "leader_epoch")]
        return self.answer(request, request.body.response(tuple(found)), EPOCH_RULE, tuple(reads),
                           now_ms)

    def _delete_records(self, request: Request, now_ms: int) -> list:
        """Let logs begin later, and answer when the followers' do, too."""
        effects, results, waiting = [], {}, {}
        for name, offset in request.body.partitions:
            results[name] = DeleteRecordsPartitionResult(name)
            try:
                partition = self._manager.partition(name)
                effects += partition.delete_records_on_leader(offset, request.reads)
                waiting[name] = partition, partition.log.log_start_offset
            except ApiException as error:
                results[name] = DeleteRecordsPartitionResult(name, error.error_name)
        if not waiting:
            return effects + self.answer(request, request.body.response(tuple(results.values())),
                                         DELETE_RULE, (), now_ms)
        operation = DelayedDeleteRecords(request, now_ms + request.body.timeout_ms, results,
                                         waiting, self.answer)
        return effects + self._manager.deletes.try_complete_else_watch(operation, tuple(waiting),
                                                                       now_ms)
