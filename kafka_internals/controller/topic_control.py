"""TopicControl: topics come, grow and go (KIP-4, KIP-195, KIP-516).

The part of Kafka's ReplicationControlManager that makes and removes topics. A topic, its configs
and all its partitions are one batch: nobody sees half of it. Replicas are placed by hand or in
stripes; who is in service is in sync and the first of them leads. A topic that is created again has
another id, so that nobody takes it for the old one.
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any

from kafka_internals import errors
from kafka_internals.common import ZERO_UUID
from kafka_internals.controller.cluster_control_manager import ClusterControlManager
from kafka_internals.controller.configuration_control_manager import (
    CLEAR_RULE,
    ConfigurationControlManager,
    validate_topic_name,
)
from kafka_internals.controller.controller_result import ControllerResult, Decided
from kafka_internals.controller.metadata_image import LOST, MIGRATING, MetadataImage
from kafka_internals.controller.striped_replica_placer import StripedReplicaPlacer
from kafka_internals.messages import metadata_records as m
from kafka_internals.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsTopic,
    CreatePartitionsTopicResult,
)
from kafka_internals.messages.create_topics import (
    CreatableTopic,
    CreatableTopicResult,
    CreateTopicsRequest,
)
from kafka_internals.messages.delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicState,
)
from kafka_internals.messages.incremental_alter_configs import (
    AlterableConfig,
    AlterConfigsResource,
)

MAX_PARTITIONS_PER_BATCH = 10_000
CREATE_RULE, GROW_RULE = "createTopics (KIP-4)", "createPartitions (KIP-195)"
DELETE_RULE = "deleteTopics (KIP-4, KIP-516)"
UUID_BYTES = 16


def random_uuid(draw: Callable[[int], int]) -> str:
    """Uuid.randomUuid: 122 drawn bits; never a reserved id, and none that looks like an option."""
    while True:
        drawn = bytearray([draw(256) for _ in range(UUID_BYTES)])
        drawn[6], drawn[8] = drawn[6] & 0x0F | 0x40, drawn[8] & 0x3F | 0x80      # version 4
        text = urlsafe_b64encode(drawn).decode("ascii").rstrip("=")
        reserved = ZERO_UUID, LOST, MIGRATING                # LOST is the metadata topic's, too
        if text not in reserved and text[0] != "-":
            return text


def _ensure_few(partitions: int) -> None:
    if partitions > MAX_PARTITIONS_PER_BATCH:
        raise errors.PolicyViolationException("Excessively large number of partitions per request.")


def _ensure_named_once(name: str, request: Any) -> None:
    if [topic.name for topic in request.topics].count(name) > 1:
        raise errors.InvalidRequestException("Duplicate topic name.")


class TopicControl:
    """`draw` gives topic ids; `static` are the controller's own configs."""

    def __init__(self, image: Callable[[], MetadataImage], cluster: ClusterControlManager,
                 configuration: ConfigurationControlManager, placer: StripedReplicaPlacer,
                 draw: Callable[[int], int], static: Mapping[str, Any]) -> None:
        self._image, self._cluster, self._configuration = image, cluster, configuration
        self._placer, self._draw, self._static = placer, draw, static
        self.handlers = {CreateTopicsRequest: self.create_topics,
                         CreatePartitionsRequest: self.create_partitions,
                         DeleteTopicsRequest: self.delete_topics}

    # -- creation -----------------------------------------------------------------------------
    def create_topics(self, request: CreateTopicsRequest, reads: tuple) -> ControllerResult:
        """Each topic by itself. PolicyViolationException for too many partitions at once."""
        default = self._static["num.partitions"]
        _ensure_few(sum(len(one.assignments) or (default if one.num_partitions == -1 else
                                                 max(one.num_partitions, 0))
                        for one in request.topics))
        records, results = [], []
        for topic in request.topics:
            try:
                self._ensure_new(topic.name, request)
                made, result = self._create(topic, reads)
                records += made
            except errors.ApiException as error:
                result = CreatableTopicResult(topic.name, error.error_name, str(error))
            results.append(result)
        return ControllerResult([] if request.validate_only else records,
                                request.response(tuple(results)))

    def _create(self, topic: CreatableTopic, reads: tuple) -> tuple:
        configs = self._configs(topic)
        parts = self._by_hand(topic) if topic.assignments else self._in_stripes(topic)
        topic_id = random_uuid(self._draw)
        records = [Decided(m.TopicRecord(topic.name, topic_id), CREATE_RULE, reads)]
        records += [Decided(one, CREATE_RULE, reads) for one in configs]
        records += [Decided(one, CLEAR_RULE, reads)
                    for one in self._configuration.clear_elr_records(configs)]
        records += [self._placed(self._record(topic_id, number, replicas), CREATE_RULE, reads,
                                 bool(topic.assignments)) for number, replicas in enumerate(parts)]
        return records, CreatableTopicResult(topic.name, topic_id=topic_id,
                                             num_partitions=len(parts),
                                             replication_factor=len(parts[0]))

    def _ensure_new(self, name: str, request: CreateTopicsRequest) -> None:
        _ensure_named_once(name, request)
        validate_topic_name(name)
        topics = self._image().topics
        if name in topics:
            raise errors.TopicExistsException(f"Topic '{name}' already exists.")
        alike = [one for one in topics if one.replace(".", "_") == name.replace(".", "_")]
        if alike:                                # their metrics would have the same name
            raise errors.InvalidTopicException(
                f"Topic '{name}' collides with existing topic: {alike[0]}")

    def _configs(self, topic: CreatableTopic) -> list:
        nulls = [name for name, value in topic.configs if value is None]
        if nulls:
            raise errors.InvalidConfigurationException(
                f"Null value not supported for topic configs: {','.join(nulls)}")
        given = tuple(AlterableConfig(name, value) for name, value in topic.configs)
        resource = AlterConfigsResource(m.TOPIC_RESOURCE, topic.name, given)
        return self._configuration.alter_resource(resource, newly_created=True) if given else []

    def _by_hand(self, topic: CreatableTopic) -> tuple[tuple[int, ...], ...]:
        for name, given in (("replication factor", topic.replication_factor),
                            ("numPartitions", topic.num_partitions)):
            if given != -1:
                raise errors.InvalidRequestException(
                    f"A manual partition assignment was specified, but {name} was not set to -1.")
        placed: dict[int, tuple[int, ...]] = {}
        for number, replicas in topic.assignments:
            if number in placed:
                raise errors.InvalidReplicaAssignmentException(
                    f"Found multiple manual partition assignments for partition {number}")
            factor = len(next(iter(placed.values()))) if placed else None
            self._validate_manual(number, replicas, factor)
            placed[number] = replicas
        if sorted(placed) != list(range(len(placed))):
            raise errors.InvalidReplicaAssignmentException(
                "partitions should be a consecutive 0-based integer sequence")
        return tuple(placed[number] for number in range(len(placed)))

    def _validate_manual(self, number: int, replicas: tuple[int, ...],
                         factor: int | None) -> None:
        what = "The manual partition assignment includes"
        refused = errors.InvalidReplicaAssignmentException
        if not replicas:
            raise refused(f"{what} an empty replica list.")
        for broker in sorted(replicas):
            known = self._cluster.registration(broker)
            if known is None:
                raise refused(f"{what} broker {broker}, but no such broker is registered.")
            if not known.has_uncordoned_dirs:
                raise refused(f"{what} broker {broker}, but all its log directories are cordoned.")
            if replicas.count(broker) > 1:
                raise refused(f"{what} the broker {broker} more than once.")
        if factor not in (None, len(replicas)):
            raise refused(f"{what} a partition with {len(replicas)} replica(s), but this is not "
                          f"consistent with previous partitions, which have {factor} replica(s).")
        if not self._isr(replicas):
            raise refused(f"All brokers specified in the manual partition assignment for partition "
                          f"{number} are fenced or in controlled shutdown.")

    def _in_stripes(self, topic: CreatableTopic) -> tuple[tuple[int, ...], ...]:
        partitions, factor = topic.num_partitions, topic.replication_factor
        if factor < -1 or factor == 0:
            raise errors.InvalidReplicationFactorException(
                "Replication factor must be larger than 0, or -1 to use the default value.")
        if partitions < -1 or partitions == 0:
            raise errors.InvalidPartitionsException(
                "Number of partitions was set to an invalid non-positive value.")
        partitions = self._static["num.partitions"] if partitions == -1 else partitions
        factor = self._static["default.replication.factor"] if factor == -1 else factor
        try:
            return self._place(partitions, factor)
        except errors.InvalidReplicationFactorException as error:
            raise errors.InvalidReplicationFactorException(
                f"Unable to replicate the partition {factor} time(s): {error}") from error

    def _place(self, partitions: int, factor: int) -> tuple[tuple[int, ...], ...]:
        brokers = self._cluster.heartbeats.usable(self._image().brokers)
        placed = self._placer.place(brokers, partitions, factor)
        if not all(self._isr(replicas) for replicas in placed):
            raise errors.InvalidReplicationFactorException(
                "All brokers are currently fenced or in controlled shutdown.")
        return placed

    def _isr(self, replicas: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(broker for broker in replicas if self._cluster.is_active(broker))

    def _record(self, topic_id: str, number: int, replicas: tuple[int, ...]) -> m.PartitionRecord:
        isr = self._isr(replicas)
        dirs = tuple(self._cluster.registration(broker).default_dir for broker in replicas)
        return m.PartitionRecord(number, topic_id, replicas, isr, leader=isr[0], directories=dirs)

    def _placed(self, record: m.PartitionRecord, rule: str, reads: tuple,
                by_hand: bool) -> Decided:
        """Who is in service is in sync, and the first of them leads; in stripes it is also placed
        by that."""
        fenced = tuple((self._cluster.subject(broker), "fenced") for broker in record.replicas)
        if not by_hand:
            return Decided(record, rule, reads + fenced)
        first = record.replicas.index(record.leader) + 1
        return Decided(record, rule, reads, {"isr": fenced, "leader": fenced[:first]})

    # -- more partitions ----------------------------------------------------------------------
    def create_partitions(self, request: CreatePartitionsRequest,
                          reads: tuple) -> ControllerResult:
        """Each topic by itself. PolicyViolationException for too many partitions at once."""
        topics = self._image().topics
        _ensure_few(sum(max(one.count - len(topics[one.name].partitions), 0)
                        for one in request.topics if one.name in topics))
        records, results = [], []
        for topic in request.topics:
            result = CreatePartitionsTopicResult(topic.name)
            try:
                _ensure_named_once(topic.name, request)
                records += [self._placed(one, GROW_RULE, reads, topic.assignments is not None)
                            for one in self._grow(topic)]
            except errors.ApiException as error:
                result = result._replace(error=error.error_name, error_message=str(error))
            results.append(result)
        return ControllerResult([] if request.validate_only else records,
                                request.response(tuple(results)))

    def _grow(self, topic: CreatePartitionsTopic) -> list[m.PartitionRecord]:
        old = self._image().topics.get(topic.name)
        if old is None:
            raise errors.UnknownTopicOrPartitionException()
        has, factor = len(old.partitions), len(old.partitions[0].replicas)
        if topic.count == has:
            raise errors.InvalidPartitionsException(f"Topic already has {has} partition(s).")
        if topic.count < has:
            raise errors.InvalidPartitionsException(
                f"The topic {topic.name} currently has {has} partition(s); {topic.count} would "
                f"not be an increase.")
        given, added = topic.assignments, topic.count - has
        if given is not None and len(given) != added:
            raise errors.InvalidReplicaAssignmentException(
                f"Attempted to add {added} additional partition(s), but only {len(given)} "
                f"assignment(s) were specified.")
        for number, replicas in enumerate(given or (), has):
            self._validate_manual(number, replicas, factor)
        placed = self._place(added, factor) if given is None else given
        return [self._record(old.topic_id, number, replicas)
                for number, replicas in enumerate(placed, has)]

    # -- deletion -----------------------------------------------------------------------------
    def delete_topics(self, request: DeleteTopicsRequest, reads: tuple) -> ControllerResult:
        """Each topic by itself."""
        records, results = [], []
        for asked in request.topics:
            result = DeletableTopicResult(*asked)
            try:
                name, topic_id = self._found(asked, request)
                result = DeletableTopicResult(name, topic_id)
                records.append(Decided(m.RemoveTopicRecord(topic_id), DELETE_RULE, reads))
            except errors.ApiException as error:
                result = result._replace(error=error.error_name, error_message=str(error))
            results.append(result)
        return ControllerResult(records, request.response(tuple(results)))

    def _found(self, asked: DeleteTopicState, request: DeleteTopicsRequest) -> tuple[str, str]:
        image = self._image()
        if asked.name is not None and asked.topic_id != ZERO_UUID:
            raise errors.InvalidRequestException(
                "You may not specify both topic name and topic id.")
        if request.topics.count(asked) > 1:
            raise errors.InvalidRequestException(
                f"Duplicate topic {'id' if asked.name is None else 'name'}.")
        if asked.name is not None:
            if asked.name not in image.topics:
                raise errors.UnknownTopicOrPartitionException()
            return asked.name, image.topics[asked.name].topic_id
        if asked.topic_id == ZERO_UUID:
            raise errors.InvalidRequestException("Neither topic name nor id were specified.")
        if (topic := image.topic_by_id(asked.topic_id)) is None:
            raise errors.UnknownTopicIdException()
        return topic.name, topic.topic_id
