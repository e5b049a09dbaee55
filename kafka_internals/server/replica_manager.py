"""ReplicaManager: the replicas of one broker, and what requests, metadata and time do to them.

A produce appends; with acks=all it then waits in the purgatory until the high watermark has passed
its last offset. A fetch reads; where there is not enough yet it waits, too, without holding a
thread. The order inside a follower's fetch is Kafka's: read first, then count the fetch, so the
high watermark in an answer with records is the one from before. A new image is applied in Kafka's
order as well: what goes, what is led from now on, what is followed (ReplicaManager.applyDelta).
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from kafka_internals.common import START_MS, Changed, Persist, Reply, TopicPartition, earliest
from kafka_internals.errors import (
    ApiException,
    CorruptRecordException,
    InvalidRequiredAcksException,
    KafkaStorageException,
    NotLeaderOrFollowerException,
    RecordBatchTooLargeException,
    RecordTooLargeException,
    UnknownTopicOrPartitionException,
)
from kafka_internals.messages import Request
from kafka_internals.messages.fetch import FetchResponse, PartitionData
from kafka_internals.messages.produce import (
    ALL_ISR_ACKS,
    LEADER_ACK,
    NO_ACK,
    PartitionProduceResponse,
)
from kafka_internals.server.alter_partition_manager import AlterPartitionManager
from kafka_internals.server.delayed_fetch import DelayedFetch
from kafka_internals.server.delayed_operation import DelayedOperation, DelayedOperationPurgatory
from kafka_internals.server.delayed_produce import DelayedProduce
from kafka_internals.server.kafka_apis import KafkaApis, why_refused
from kafka_internals.server.kraft_metadata_cache import UNCHECKED_EPOCH, KRaftMetadataCache
from kafka_internals.server.local_log_reader import LocalLogReader
from kafka_internals.server.partition import METADATA_RULE, Partition
from kafka_internals.server.producer_id_manager import ProducerIdManager
from kafka_internals.server.replica_fetcher import ReplicaFetcher
from kafka_internals.server.rules import Rules
from kafka_internals.storage.checkpoint_file import (
    HIGH_WATERMARK_CHECKPOINT,
    offset_checkpoint,
    read_offsets,
)
from kafka_internals.storage.log_manager import LogManager

ACKS_RULE = {NO_ACK: "acks=0 wants no answer", LEADER_ACK: "acks=1: in the leader's log",
             ALL_ISR_ACKS: "acks=all: in the log of every ISR member"}
FETCH_RULE = "a consumer reads below the high watermark, a replica to the log end"
WITHOUT_LOG_START = (UnknownTopicOrPartitionException, NotLeaderOrFollowerException,
                     RecordTooLargeException, RecordBatchTooLargeException, CorruptRecordException,
                     KafkaStorageException, InvalidRequiredAcksException)
ERROR_RULE = "refused, nothing was changed"
SESSION_RULE = "a fetch session goes on only by its id and its next epoch (KIP-227)"


class ReplicaManager:
    """The core of a broker: its replicas, its fetchers and its purgatories.

    Without an `alter_partition_manager` no ISR is ever asked to change, without `producer_ids` no
    producer gets a number. `broker_epoch()` is the epoch that the controller has given.
    """

    def __init__(self, broker: int, storage: Any, config: Any, rules: Rules,
                 next_correlation_id: Callable[[], int],
                 broker_epoch: Callable[[], int] = lambda: UNCHECKED_EPOCH,
                 alter_partition_manager: AlterPartitionManager | None = None,
                 producer_ids: ProducerIdManager | None = None) -> None:
        self.broker, self.rules, self._broker_epoch = broker, rules, broker_epoch
        self.metadata = KRaftMetadataCache()
        self.partitions: dict[TopicPartition, Partition] = {}
        self._fetchers: dict[int, ReplicaFetcher] = {}
        self._purgatories = tuple(DelayedOperationPurgatory() for _ in range(3))
        self._produces, self._fetches, self.deletes = self._purgatories
        self._config, self._next_correlation_id = config, next_correlation_id
        self._logs = LogManager(storage, config)
        self._checkpointed = read_offsets(storage, HIGH_WATERMARK_CHECKPOINT)
        self._checkpoint_due_ms: int | None = None
        self._max_lag_ms, self._isr_due_ms = config["replica.lag.time.max.ms"], 0
        self._most_fetch_bytes = config["fetch.max.bytes"]
        self._is_shutting_down, self._left = False, frozenset()
        self._alters, self.producer_ids = alter_partition_manager, producer_ids
        self._channels = () if producer_ids is None else (producer_ids.channel,)
        self.apis = KafkaApis(self, config, producer_ids)
        self.quotas = self.apis.quotas
        self.handle, self.read = self.apis.handle, LocalLogReader(self, config).read

    image = property(attrgetter("metadata.image"),
                     lambda self, image: self.metadata.set_image(image),
                     doc="The metadata as this broker knows it.")

    # -- metadata -----------------------------------------------------------------------------
    def apply_image(self, image: Any, now_ms: int, reads: tuple) -> list:
        """Make this broker's replicas what a new image says: deletions, leaders, followers.

        What is opened now begins with what the disk holds. It leads where the image says so: that
        nobody leads again the epoch in which it died is the controller's rule.
        """
        old, self.image = self.image, image
        if old is None or image.client_quotas is not old.client_quotas:
            self.quotas.update(image.quotas)
        if old is not None and image.topics is old.topics:
            return self._start_fetchers(now_ms)
        effects, known, fresh = [], [], []
        mine = {TopicPartition(topic.name, number): (topic, registration)
                for topic in image.topics.values()
                for number, registration in enumerate(topic.partitions)
                if self.broker in registration.replicas}
        for name in [one for one in self.partitions if one not in mine]:
            effects += self._stop(name, now_ms, reads)
        for name, (topic, registration) in mine.items():
            (known if name in self.partitions else fresh).append((name, topic, registration))
        changed = []
        for name, topic, one in sorted(known, key=lambda one: one[2].leader != self.broker):
            told = self.partitions[name].apply(one, topic.configs, now_ms, reads)
            effects += told
            changed += [name] if told else []
        if self._is_shutting_down:
            self._left |= {one for one in changed
                           if self.broker not in self.partitions[one].registration.isr}
        for name, topic, registration in fresh:
            effects += self._open(name, topic, registration, now_ms, reads)
        effects += self._start_fetchers(now_ms)
        for name in changed:
            effects += self._complete_delayed(name, now_ms)
        return effects

    def _open(self, name: TopicPartition, topic: Any, registration: Any, now_ms: int,
              reads: tuple) -> list:
        log = self._logs.open(name, topic.configs, START_MS + now_ms)
        partition = self.partitions[name] = Partition(
            name, self.broker, registration, topic.configs, log, self.rules,
            topic_id=topic.topic_id, max_lag_ms=self._max_lag_ms, metadata=self.metadata,
            alter_partition_manager=self._alters, broker_epoch=self._broker_epoch)
        return partition.begin(self._checkpointed.get(name, 0), reads, now_ms)

    def _stop(self, name: TopicPartition, now_ms: int, reads: tuple) -> list:
        """This replica is not wanted any more: its directory goes, and who waits for it is told."""
        partition = self.partitions.pop(name)
        self._logs.async_delete(name, f"{START_MS + now_ms:032x}", START_MS + now_ms)
        gone = Changed(partition.subject, "role", partition.role.role, None, METADATA_RULE, reads)
        return [gone, *self._complete_delayed(name, now_ms)]

    def begin_controlled_shutdown(self) -> None:
        """From now on a replica that leaves its ISR fetches no more: it could not come back."""
        self._is_shutting_down = True

    def _start_fetchers(self, now_ms: int) -> list:
        """One fetcher for each broker that leads something this one follows."""
        effects = []
        by_leader: dict[int, list[Partition]] = {leader: [] for leader in self._fetchers}
        for partition in self.partitions.values():
            if partition.role.role == "follower" and partition.partition not in self._left:
                by_leader.setdefault(partition.role.leader, []).append(partition)
        for leader, partitions in by_leader.items():
            if leader not in self._fetchers:
                self._fetchers[leader] = ReplicaFetcher(
                    self.broker, leader, self._config, self._next_correlation_id, self.rules,
                    self._broker_epoch)
            effects += self._fetchers[leader].follow(partitions, now_ms)
        return effects

    def partition(self, name: TopicPartition) -> Partition:
        """A replica that is here. Errors: NotLeaderOrFollower, UnknownTopicOrPartition."""
        if name not in self.partitions:
            known = self.image is not None and self.image.partition(name) is not None
            error = NotLeaderOrFollowerException if known else UnknownTopicOrPartitionException
            raise error(f"broker {self.broker} has no replica of {name}")
        return self.partitions[name]

    def _complete_delayed(self, name: TopicPartition, now_ms: int) -> list:
        """Something about a partition has changed: whoever waits for that goes on."""
        return [effect for one in (self._fetches, self._produces, self.deletes) if one.deadlines
                for effect in one.check_and_complete(name, now_ms)]

    # -- producing ----------------------------------------------------------------------------
    def append_records(self, request: Request, now_ms: int) -> list:
        """Append every batch of a produce, and answer or wait as its acks say."""
        body, effects = request.body, []
        results: dict[TopicPartition, PartitionProduceResponse] = {}
        appended: list[tuple[Partition, int, bool]] = []
        for name, records in body.partitions:
            try:
                if body.acks not in ACKS_RULE:
                    raise InvalidRequiredAcksException(
                        f"acks is {body.acks}, and has to be -1 (all), 0 or 1")
                partition = self.partition(name)
                mark = partition.high_watermark
                info, changed = partition.append_records_to_leader(records, body.acks,
                                                                   request.reads, now_ms)
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
            if mark_moved:
                effects += self._produces.check_and_complete(partition.partition, now_ms)
            effects += self._fetches.check_and_complete(partition.partition, now_ms)
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
                                       self.apis.answer)
            return self._produces.try_complete_else_watch(operation, tuple(results), now_ms)
        if body.acks == NO_ACK:
            failed = any(result.error != "NONE" for result in results.values())
            throttle_ms = self.quotas.throttle_ms(request, None, now_ms) if self.quotas.enabled \
                else 0
            return [Reply(request, None, failed, throttle_ms)]
        reads = tuple((p.subject, "log_end_offset", end) for p, end, _ in appended)
        reads += why_refused(self.partitions, results.values())
        return self.apis.answer(request, body.response(tuple(results.values())),
                                ACKS_RULE.get(body.acks, ERROR_RULE), reads, now_ms)

    # -- fetching -----------------------------------------------------------------------------
    def fetch_messages(self, request: Request, now_ms: int) -> list:
        """Read what a fetch asks for, and answer, or wait until there is enough."""
        limit = self._most_fetch_bytes
        if self.quotas.enabled and request.body.replica_id < 0:
            limit = min(limit, self.quotas.most_bytes(request.client_id, limit))
        if request.body.max_bytes > limit:
            request = request._replace(body=request.body._replace(max_bytes=limit))
        try:
            request = self.apis.sessions.new_context(request, now_ms)
        except ApiException as error:
            return self.apis.answer(request, FetchResponse((), error=error.error_name),
                                    SESSION_RULE, (), now_ms)
        body, effects = request.body, []
        results = self.read(body, now_ms)
        if body.replica_id >= 0:
            effects, results = self._count_fetch(request, results, now_ms)
        size, is_news = 0, body.max_wait_ms <= 0 or not results
        for data in results:
            size += len(data.records)
            is_news |= data.error != "NONE" or data.diverging_epoch is not None \
                or data.preferred_read_replica >= 0
        if is_news or body.is_enough(size):
            return effects + self.answer_fetch(request, results, now_ms)
        operation = DelayedFetch(request, now_ms + body.max_wait_ms, self)
        keys = tuple([asked.partition for asked in body.partitions])
        if body.replica_id >= 0 and not size:            # it has all that there is
            return effects + self._fetches.watch(operation, keys)
        return effects + self._fetches.try_complete_else_watch(operation, keys, now_ms)

    def _count_fetch(self, request: Request, results: tuple[PartitionData, ...],
                     now_ms: int) -> tuple[list, tuple[PartitionData, ...]]:
        """A follower's fetch tells how far it is; who waits for a mark that moves goes on.

        One whose log parts from this one's tells nothing.
        """
        body, effects, moved = request.body, [], []
        for at, (asked, data) in enumerate(zip(body.partitions, results)):
            if data.error == "NONE" and data.diverging_epoch is None:
                partition = self.partitions[asked.partition]
                mark = (log := partition.log).high_watermark
                try:
                    effects += partition.update_follower_fetch_state(
                        body.replica_id, asked.fetch_offset, request.reads, now_ms,
                        log.local.log_end_offset, asked.log_start_offset, body.replica_epoch)
                except ApiException as error:
                    refused = PartitionData(asked.partition, error.error_name)
                    results = (*results[:at], refused, *results[at + 1:])
                if log.high_watermark > mark:
                    moved.append(partition.partition)
                if self.deletes.deadlines:
                    effects += self.deletes.check_and_complete(asked.partition, now_ms)
        for name in moved:
            effects += self._complete_delayed(name, now_ms)
        return effects, results

    def answer_fetch(self, request: Request, results: tuple[PartitionData, ...],
                     now_ms: int) -> list:
        """Answer with what was read; "why?" names the end that bounded each partition."""
        by_replica, reads = request.body.replica_id >= 0, [*why_refused(self.partitions, results)]
        for data in results:
            if data.error == "NONE":
                subject = self.partitions[data.partition].subject
                mark = (subject, "high_watermark")
                reads += ((subject, "log_end_offset"), mark) if by_replica else (mark,)
        return self.apis.answer(request, request.body.response(results), FETCH_RULE, tuple(reads),
                                now_ms)

    # -- following ----------------------------------------------------------------------------
    def fetched(self, leader: int, response: Any, now_ms: int) -> list:
        """A fetcher's answer has come; consumers that wait here may read further by it."""
        fetcher = self._fetchers[leader]
        return self._completing(fetcher.partitions, fetcher.handle, response, now_ms)

    def _completing(self, partitions: list[Partition], handle: Callable[[Any, int], list],
                    response: Any, now_ms: int) -> list:
        """Handle an answer, and let go on who waits for a high watermark that it moves."""
        marks = [one.log.high_watermark for one in partitions]
        effects = handle(response, now_ms)
        for one, mark in zip(partitions, marks):
            if one.log.high_watermark != mark:
                effects += self._complete_delayed(one.partition, now_ms)
        return effects

    def fetcher_disconnected(self, leader: int, now_ms: int) -> list:
        """A fetcher's connection is gone."""
        return self._fetchers[leader].disconnected(now_ms)

    # -- the controller -----------------------------------------------------------------------
    def alter_partition_answered(self, response: Any, now_ms: int) -> list:
        """The controller has answered an AlterPartition."""
        return self._completing([*self.partitions.values()], self._alters.handle, response, now_ms)

    # -- time ---------------------------------------------------------------------------------
    def tick(self, now_ms: int) -> list:
        """Expire parked operations, let fetchers ask, look at the ISRs, write the checkpoint."""
        effects = [effect for one in self._purgatories if one.deadlines
                   for effect in one.tick(now_ms)]
        for fetcher in self._fetchers.values():
            effects += fetcher.tick(now_ms)
        if self._alters is not None:
            if self._alters.unsent:
                effects += self._alters.tick(now_ms)
            if now_ms >= self._isr_due_ms:
                effects += self._shrink_isrs(now_ms)
        for channel in self._channels:
            effects += channel.tick(now_ms)
        if self._checkpoint_due_ms is not None and now_ms >= self._checkpoint_due_ms:
            effects += self.checkpoint_high_watermarks()
        for name, old in self._logs.tick(START_MS + now_ms).items():
            effects.append(self.partitions[name].log_start_moved(old))
        return effects

    def _shrink_isrs(self, now_ms: int) -> list:
        """The task "isr-expiration", twice in every `replica.lag.time.max.ms`."""
        period_ms = max(1, self._max_lag_ms // 2)
        self._isr_due_ms = (now_ms // period_ms + 1) * period_ms
        return [effect for one in self.partitions.values()
                for effect in one.maybe_shrink_isr(now_ms)]

    def next_deadline_ms(self, now_ms: int) -> int | None:
        """When `tick` has something to do. A checkpoint is due only after a mark has moved.

        And none before the first image: what is there are the marks that logs will open with.
        """
        if self._checkpoint_due_ms is None and self.metadata.image is not None \
                and self._marks() != self._checkpointed:
            interval_ms = self._config["replica.high.watermark.checkpoint.interval.ms"]
            self._checkpoint_due_ms = (now_ms // interval_ms + 1) * interval_ms
        logs_ms = self._logs.next_deadline_ms(START_MS + now_ms)
        due = [self._checkpoint_due_ms, None if logs_ms is None else logs_ms - START_MS]
        for one in (*self._fetchers.values(), *self._channels):
            due += (one.due_ms,)
        for one in self._purgatories:
            if one.deadlines:
                due += (one.next_deadline_ms(),)
        if (alters := self._alters) is not None:
            due += (self._isr_due_ms, alters.next_deadline_ms() if alters.unsent else None)
        return earliest(due)

    def _marks(self) -> dict[TopicPartition, int]:
        return {name: mark for name, one in self.partitions.items()
                if (mark := one.log.high_watermark)}

    def checkpoint_high_watermarks(self) -> list:
        """Write `replication-offset-checkpoint`."""
        self._checkpointed, self._checkpoint_due_ms = self._marks(), None
        return [Persist(HIGH_WATERMARK_CHECKPOINT, self._high_watermarks())]

    def _high_watermarks(self) -> bytes:
        return offset_checkpoint({name: p.high_watermark for name, p in self.partitions.items()})

    def shut_down(self) -> list:
        """A clean stop: close every log, then write the checkpoints."""
        self._logs.shut_down(self._broker_epoch())
        return self.checkpoint_high_watermarks()

    def shut_down_on(self, storage: Any) -> None:
        """Leave on a copy of the storage what a clean stop now would leave; here nothing stops."""
        self._logs.twin_on(storage).shut_down(self._broker_epoch())
        storage.replace(HIGH_WATERMARK_CHECKPOINT, self._high_watermarks())

    def parked(self) -> list[DelayedOperation]:
        """Every operation that waits in a purgatory of this broker."""
        return self._produces.parked() + self._fetches.parked() + self.deletes.parked()
