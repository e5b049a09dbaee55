"""ReplicaManager and KafkaApis: what one broker does with a request, and with passing time.

A produce appends; with acks=all it then waits in the purgatory until the high watermark has passed
its last offset. A fetch reads; where there is not enough yet it waits, too, without holding a
thread. The order inside a follower's fetch is Kafka's: read first, then count the fetch, so the
high watermark in an answer with records is the one from before.
"""

from collections.abc import Callable
from typing import Any

from kafka_internals.common import START_MS, Changed, Persist, Reply, TopicPartition, broker_name
from kafka_internals.errors import (
    ApiException,
    CorruptRecordException,
    InvalidRequestException,
    InvalidRequiredAcksException,
    KafkaStorageException,
    NotLeaderOrFollowerException,
    RecordBatchTooLargeException,
    RecordTooLargeException,
    UnknownTopicOrPartitionException,
)
from kafka_internals.messages import Request
from kafka_internals.messages.fetch import FetchRequest, FetchResponse, PartitionData
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
from kafka_internals.messages.produce import (
    ALL_ISR_ACKS,
    LEADER_ACK,
    NO_ACK,
    PartitionProduceResponse,
    ProduceRequest,
)
from kafka_internals.server.client_quota_manager import QUOTA_RULE, QuotaManagers
from kafka_internals.server.delayed_fetch import DelayedFetch
from kafka_internals.server.delayed_operation import DelayedOperation, DelayedOperationPurgatory
from kafka_internals.server.delayed_produce import DelayedProduce
from kafka_internals.server.fetch_session import FetchManager, FetchSession
from kafka_internals.server.partition import Partition, Rules
from kafka_internals.server.producer_id_manager import ProducerIdManager
from kafka_internals.server.replica_fetcher import ReplicaFetcher
from kafka_internals.storage.checkpoint_file import (
    HIGH_WATERMARK_CHECKPOINT,
    offset_checkpoint,
    read_offsets,
)
from kafka_internals.storage.log_manager import LogManager
from kafka_internals.storage.offset_lookup import fetch_offset

ACKS_RULE = {NO_ACK: "acks=0 wants no answer", LEADER_ACK: "acks=1: in the leader's log",
             ALL_ISR_ACKS: "acks=all: in the log of every ISR member"}
FETCH_RULE = "a consumer reads below the high watermark, a replica to the log end"
WITHOUT_LOG_START = (UnknownTopicOrPartitionException, NotLeaderOrFollowerException,
                     RecordTooLargeException, RecordBatchTooLargeException, CorruptRecordException,
                     KafkaStorageException, InvalidRequiredAcksException)
IDS_RULE = "no producer id is given twice: a broker has blocks of 1,000 for its own (KIP-730)"
ERROR_RULE = "refused, nothing was changed"
SESSION_RULE = "a fetch session goes on only by its id and its next epoch (KIP-227)"
SESSION_EVICTION_MS = 120_000


class ReplicaManager:
    """The core of a broker: its replicas, its fetchers and its purgatories."""

    def __init__(self, broker: int, storage: Any, config: Any, rules: Rules,
                 next_correlation_id: Callable[[], int],
                 request_producer_ids: Callable[[], Any] = lambda: None) -> None:
        self.broker, self.rules = broker, rules
        self._storage, self._config = storage, config
        self.image: Any = None
        self.partitions: dict[TopicPartition, Partition] = {}
        self._fetchers: dict[int, ReplicaFetcher] = {}
        self._produces = DelayedOperationPurgatory()
        self._fetches = DelayedOperationPurgatory()
        self._sessions = FetchManager(config["max.incremental.fetch.session.cache.slots"],
                                      SESSION_EVICTION_MS)
        self._next_correlation_id = next_correlation_id
        self.quotas = QuotaManagers(config)
        self._logs = LogManager(storage, config)
        self._checkpointed = read_offsets(storage, HIGH_WATERMARK_CHECKPOINT)
        self._checkpoint_due_ms: int | None = None
        self.producer_ids = ProducerIdManager(request_producer_ids)
        self._handlers = {ProduceRequest: self._produce, FetchRequest: self._fetch,
                          MetadataRequest: self._metadata, ListOffsetsRequest: self._list_offsets,
                          InitProducerIdRequest: self._init_producer_id}

    # -- metadata -----------------------------------------------------------------------------
    def apply_image(self, image: Any, now_ms: int, restarted: bool, reads: tuple) -> list:
        """Open the replicas that a new image gives this broker, and start what they need."""
        self.image = image
        self.quotas.update(image.quotas)
        effects = []
        for topic in image.topics.values():
            for number, registration in enumerate(topic.partitions):
                name = TopicPartition(topic.name, number)
                if self.broker in registration.replicas and name not in self.partitions:
                    log = self._logs.open(name, topic.configs, START_MS + now_ms)
                    partition = Partition(name, self.broker, registration, topic.configs, log,
                                          self.rules)
                    self.partitions[name] = partition
                    effects += partition.begin(not restarted, self._checkpointed.get(name, 0),
                                               reads)
        return effects + self._start_fetchers(now_ms)

    def _start_fetchers(self, now_ms: int) -> list:
        """One fetcher for each broker that leads something this one follows."""
        effects = []
        by_leader: dict[int, list[Partition]] = {}
        for partition in self.partitions.values():
            if partition.role.role == "follower":
                by_leader.setdefault(partition.role.leader, []).append(partition)
        for leader, partitions in by_leader.items():
            if leader not in self._fetchers:
                self._fetchers[leader] = ReplicaFetcher(self.broker, leader, self._config,
                                                        self._next_correlation_id)
            effects += self._fetchers[leader].follow(partitions, now_ms)
        return effects

    def _partition(self, name: TopicPartition) -> Partition:
        if (partition := self.partitions.get(name)) is None:
            known = self.image is not None and self.image.partition(name) is not None
            error = NotLeaderOrFollowerException if known else UnknownTopicOrPartitionException
            raise error(f"broker {self.broker} has no replica of {name}")
        return partition

    # -- requests -----------------------------------------------------------------------------
    def handle(self, request: Request, now_ms: int) -> list:
        """Do what a request asks; its answer is among the effects, or parked."""
        return self._handlers[type(request.body)](request, now_ms)

    def _answer(self, request: Request, body: Any, rule: str, reads: tuple, now_ms: int) -> list:
        throttle_ms = 0
        if self.quotas.enabled and (throttle_ms := self.quotas.throttle_ms(request, body, now_ms)):
            rule, reads = QUOTA_RULE, reads + self.quotas.reads(broker_name(self.broker),
                                                                request.client_id)
        if type(body) is FetchResponse and body.error == "NONE":
            body = self._sessions.throttled_response(request) if throttle_ms else \
                self._sessions.update_and_generate_response_data(request, body.partitions, now_ms)
        if throttle_ms:
            body = body._replace(throttle_time_ms=throttle_ms)
        told = Changed(request.id, "answer", None, str(body), rule, request.reads() + reads)
        return [told, Reply(request, body, throttle_ms=throttle_ms)]

    def _produce(self, request: Request, now_ms: int) -> list:
        body, effects = request.body, []
        results: dict[TopicPartition, PartitionProduceResponse] = {}
        appended: list[tuple[Partition, int, bool]] = []
        for name, records in body.partitions:
            try:
                if body.acks not in ACKS_RULE:
                    raise InvalidRequiredAcksException(
                        f"acks is {body.acks}, and has to be -1 (all), 0 or 1")
                partition = self._partition(name)
                mark = partition.high_watermark
                info, changed = partition.append_records_to_leader(records, body.acks,
                                                                      request.reads(), now_ms)
            except ApiException as error:
                results[name] = self._refused(name, error)
            else:
                effects += changed
                appended.append((partition, info.last_offset + 1, partition.high_watermark > mark))
                results[name] = PartitionProduceResponse(
                    name, "NONE", info.first_offset, info.log_append_time_ms,
                    partition.log.log_start_offset)
        effects += self._acknowledge(request, results, appended, now_ms)
        for partition, _, mark_moved in appended:
            name = partition.partition
            if mark_moved:
                effects += self._produces.check_and_complete(name, now_ms)
            effects += self._fetches.check_and_complete(name, now_ms)
        return effects

    def _refused(self, name: TopicPartition, error: ApiException) -> PartitionProduceResponse:
        """What a producer hears; where records were looked at, also where the log begins."""
        start = -1 if isinstance(error, WITHOUT_LOG_START) else \
            self.partitions[name].log.log_start_offset
        return PartitionProduceResponse(name, error.error_name, log_start_offset=start,
                                        message=str(error), record_errors=error.record_errors)

    def _acknowledge(self, request: Request, results: dict, appended: list, now_ms: int) -> list:
        """Answer at once, or wait for the in-sync replicas (only acks=all, and only if needed)."""
        body = request.body
        if body.acks == ALL_ISR_ACKS and appended and \
                self.rules.acks_all_waits_for == "high watermark":
            operation = DelayedProduce(request, now_ms + body.timeout_ms, results,
                                       {p.partition: (p, end) for p, end, _ in appended},
                                       self._answer)
            return self._produces.try_complete_else_watch(operation, tuple(results), now_ms)
        if body.acks == NO_ACK:
            failed = any(result.error != "NONE" for result in results.values())
            throttle_ms = self.quotas.throttle_ms(request, None, now_ms) if self.quotas.enabled \
                else 0
            return [Reply(request, None, failed, throttle_ms)]
        reads = tuple((p.subject, "log_end_offset", end) for p, end, _ in appended)
        return self._answer(request, body.response(tuple(results.values())),
                            ACKS_RULE.get(body.acks, ERROR_RULE), reads, now_ms)

    def _fetch(self, request: Request, now_ms: int) -> list:
        limit = self._config["fetch.max.bytes"]
        if self.quotas.enabled and request.body.replica_id < 0:
            limit = min(limit, self.quotas.most_bytes(request.client_id, limit))
        if request.body.max_bytes > limit:
            request = request._replace(body=request.body._replace(max_bytes=limit))
        try:
            request = self._sessions.new_context(request, now_ms)
        except ApiException as error:
            return self._answer(request, FetchResponse((), error=error.error_name), SESSION_RULE,
                                (), now_ms)
        body = request.body
        results = self.read(body)
        effects = self._count_fetch(request, results, now_ms) if body.replica_id >= 0 else []
        size = sum([len(data.records) for data in results])
        if body.max_wait_ms <= 0 or not results or body.is_enough(size) or \
                any([data.error != "NONE" for data in results]):
            return effects + self.answer_fetch(request, results, now_ms)
        operation = DelayedFetch(request, now_ms + body.max_wait_ms, self)
        keys = tuple([asked.partition for asked in body.partitions])
        return effects + self._fetches.try_complete_else_watch(operation, keys, now_ms)

    def _count_fetch(self, request: Request, results: tuple[PartitionData, ...],
                     now_ms: int) -> list:
        """A follower's fetch tells how far it is; who waits for a mark that moves goes on."""
        body, effects, moved = request.body, [], []
        for asked, data in zip(body.partitions, results):
            if data.error == "NONE":
                partition = self.partitions[asked.partition]
                mark = partition.high_watermark
                effects += partition.update_follower_fetch_state(
                    body.replica_id, asked.fetch_offset, request.reads())
                if partition.high_watermark > mark:
                    moved.append(partition.partition)
        for name in moved:
            for purgatory in (self._fetches, self._produces):
                effects += purgatory.check_and_complete(name, now_ms)
        return effects

    def read(self, body: FetchRequest) -> tuple[PartitionData, ...]:
        """Read every partition of a fetch; the first that has data gives at least one batch."""
        left, min_one, results = body.max_bytes, True, []
        for asked in body.partitions:
            try:
                partition = self._partition(asked.partition)
                info = partition.read_records(
                    asked.fetch_offset, min(asked.partition_max_bytes, left),
                    asked.current_leader_epoch, body.replica_id, min_one, body.committed_only)
            except ApiException as error:
                results.append(PartitionData(asked.partition, error.error_name))
            else:
                results.append(PartitionData(asked.partition, "NONE", partition.high_watermark,
                                             info.log_start_offset, info.records,
                                             partition.log.last_stable_offset,
                                             info.aborted_transactions,
                                             info.fetch_offset_metadata))
                if info.records:
                    left, min_one = max(0, left - len(info.records)), False
        return tuple(results)

    def answer_fetch(self, request: Request, results: tuple[PartitionData, ...],
                     now_ms: int) -> list:
        """Answer with what was read; "why?" names the end that bounded each partition."""
        by_replica, reads = request.body.replica_id >= 0, []
        for data in results:
            if data.error == "NONE":
                partition = self.partitions[data.partition]
                reads.append((partition.subject, partition.readable_attribute(by_replica)))
                if by_replica:
                    reads.append((partition.subject, "high_watermark"))
        return self._answer(request, request.body.response(results), FETCH_RULE, tuple(reads),
                            now_ms)

    @property
    def fetch_sessions(self) -> dict[int, FetchSession]:
        """The fetch sessions that this broker remembers, by id."""
        return self._sessions.sessions

    def _metadata(self, request: Request, now_ms: int) -> list:
        topics, unknown, known = self.image.topics, [], []
        broker = broker_name(self.broker)
        reads = tuple((broker, f"partition_counts.{name}") for name in request.body.topics)
        for name in request.body.topics:
            if name not in topics:
                unknown.append(name)
                continue
            for number, one in enumerate(topics[name].partitions):
                error = "NONE" if one.leader >= 0 else "LEADER_NOT_AVAILABLE"
                known.append(PartitionMetadata(TopicPartition(name, number), one.leader,
                                               one.leader_epoch, error))
        body = request.body.response(tuple(self.image.brokers), tuple(known), tuple(unknown))
        return self._answer(request, body, "the broker's metadata image", reads, now_ms)

    def _init_producer_id(self, request: Request, now_ms: int) -> list:
        """A number for a producer that has no transactional id; what it had before is not asked."""
        body, ids, subject = request.body, self.producer_ids, broker_name(self.broker)
        old, error, given = ids.next_producer_id, "NONE", NO_PRODUCER
        try:
            if (body.producer_id < 0) != (body.producer_epoch < 0):
                raise InvalidRequestException(
                    f"producer id {body.producer_id} with epoch {body.producer_epoch}: give both, "
                    f"or -1 for both")
            given = ProducerIdAndEpoch(ids.generate_producer_id(), 0)
        except ApiException as refused:
            error = refused.error_name
        changed = [] if ids.next_producer_id == old else [Changed(
            subject, "next_producer_id", old, ids.next_producer_id, IDS_RULE, request.reads())]
        reads = ((subject, "next_producer_id"),) if given.is_valid else ()
        return changed + self._answer(request, body.response(error, given), IDS_RULE, reads,
                                      now_ms)

    def _list_offsets(self, request: Request, now_ms: int) -> list:
        found, reads = [], []
        for asked in request.body.partitions:
            try:
                partition = self._partition(asked.partition)
                partition.ensure_leader(asked.current_leader_epoch)
                one = fetch_offset(partition.log, asked.timestamp, request.body.committed_only)
            except ApiException as error:
                found.append(ListOffsetsPartitionResponse(asked.partition, error.error_name))
                continue
            found.append(ListOffsetsPartitionResponse(asked.partition, "NONE", one.offset,
                                                      one.timestamp, one.leader_epoch))
            if asked.timestamp != EARLIEST_TIMESTAMP:
                reads.append((partition.subject, "high_watermark"))
        body = request.body.response(tuple(found))
        return self._answer(request, body, "latest = high watermark, earliest = log start",
                            tuple(reads), now_ms)

    # -- following ----------------------------------------------------------------------------
    def fetched(self, leader: int, response: Any, now_ms: int) -> list:
        """A fetcher's answer has come."""
        return self._fetchers[leader].handle(response, now_ms)

    def fetcher_disconnected(self, leader: int, now_ms: int) -> list:
        """A fetcher's connection is gone."""
        return self._fetchers[leader].disconnected(now_ms)

    # -- time ---------------------------------------------------------------------------------
    def tick(self, now_ms: int) -> list:
        """Expire parked operations, let fetchers ask, write the checkpoint."""
        effects = self._produces.tick(now_ms) + self._fetches.tick(now_ms)
        for fetcher in self._fetchers.values():
            effects += fetcher.tick(now_ms)
        if self._checkpoint_due_ms is not None and now_ms >= self._checkpoint_due_ms:
            effects += self.checkpoint_high_watermarks()
        moved = self._logs.tick(START_MS + now_ms)
        return effects + [self.partitions[name].log_start_moved(old)
                          for name, old in moved.items()]

    def next_deadline_ms(self, now_ms: int) -> int | None:
        """When `tick` has something to do. A checkpoint is due only after a mark has moved."""
        if self._checkpoint_due_ms is None and self._marks() != self._checkpointed:
            interval_ms = self._config["replica.high.watermark.checkpoint.interval.ms"]
            self._checkpoint_due_ms = (now_ms // interval_ms + 1) * interval_ms
        logs_ms = self._logs.next_deadline_ms(START_MS + now_ms)
        due = [self._checkpoint_due_ms, None if logs_ms is None else logs_ms - START_MS,
               self._produces.next_deadline_ms(), self._fetches.next_deadline_ms(),
               *[fetcher.next_deadline_ms() for fetcher in self._fetchers.values()]]
        return min([ms for ms in due if ms is not None], default=None)

    def _marks(self) -> dict[TopicPartition, int]:
        return {name: p.high_watermark for name, p in self.partitions.items() if p.high_watermark}

    def checkpoint_high_watermarks(self) -> list:
        """Write `replication-offset-checkpoint`."""
        self._checkpointed, self._checkpoint_due_ms = self._marks(), None
        return [Persist(HIGH_WATERMARK_CHECKPOINT, self._high_watermarks())]

    def _high_watermarks(self) -> bytes:
        return offset_checkpoint({name: one.high_watermark
                                  for name, one in self.partitions.items()})

    def shut_down(self) -> list:
        """A clean stop: close every log, then write the checkpoints."""
        self._logs.shut_down()
        return self.checkpoint_high_watermarks()

    def shut_down_on(self, storage: Any) -> None:
        """Leave on a copy of the storage what a clean stop now would leave; here nothing stops."""
        self._logs.twin_on(storage).shut_down()
        storage.replace(HIGH_WATERMARK_CHECKPOINT, self._high_watermarks())

    def parked(self) -> list[DelayedOperation]:
        """Every operation that waits in a purgatory of this broker."""
        return self._produces.parked() + self._fetches.parked()
