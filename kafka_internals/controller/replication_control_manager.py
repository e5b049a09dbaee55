"""ReplicationControlManager: who leads, who is in sync, and what becomes of that when brokers go.

Every change of a partition goes through PartitionChangeBuilder: when a leader asks for another ISR
(KIP-497), when a broker is fenced, unfenced, shut down or registered anew, and when a person or a
clock asks for an election. What lies within one such cause is written in one batch.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from kafka_internals import errors
from kafka_internals.common import TopicPartition
from kafka_internals.controller import broker_heartbeat_manager as states
from kafka_internals.controller.cluster_control_manager import ClusterControlManager
from kafka_internals.controller.configuration_control_manager import (
    ConfigurationControlManager,
)
from kafka_internals.controller.controller_result import ControllerResult, Decided
from kafka_internals.controller.metadata_delta import merged
from kafka_internals.controller.metadata_image import MetadataImage, PartitionRegistration
from kafka_internals.controller.partition_change_builder import (
    ONLINE,
    PREFERRED,
    UNCLEAN,
    PartitionChangeBuilder,
    without,
)
from kafka_internals.messages import elect_leaders
from kafka_internals.messages import metadata_records as m
from kafka_internals.messages.alter_partition import (
    AlterPartitionData,
    AlterPartitionPartitionResponse,
    AlterPartitionRequest,
    BrokerState,
)
from kafka_internals.messages.broker_heartbeat import BrokerHeartbeatRequest
from kafka_internals.messages.unregister_broker import UnregisterBrokerRequest

MAX_ELECTIONS_PER_IMBALANCE = 1_000
UNFENCE = -1                             # of `fenced`: BrokerRegistrationFencingChange.UNFENCE
NOBODY_STALE = ControllerResult([], False)

# fmt: off
ALTER_RULE    = "AlterPartition: the leader asks for this ISR (KIP-497)"
SILENT_RULE   = "a broker that was silent for broker.session.timeout.ms is fenced"
HEARTBEAT_RULE = "what a broker asks for in its heartbeat (KIP-631)"
FENCE_RULE    = "a fenced broker leads nothing and leaves every ISR"
UNFENCE_RULE  = "a broker that comes back may lead what has no leader"
SHUTDOWN_RULE = "a broker about to stop leads nothing and leaves every ISR (controlled shutdown)"
CLEAN_RULE    = "a new process of a broker: the last one leaves every ISR"
UNCLEAN_RULE  = "a new process after an unclean stop leaves every ISR and ELR (KIP-966)"
GONE_RULE     = "a broker that is unregistered leaves every ISR"
ELECT_RULE    = "electLeaders (KIP-183, KIP-460)"
BALANCE_RULE  = "auto.leader.rebalance.enable: leadership goes back to preferred replicas"
CLOCK_RULE    = "unclean.leader.election.interval.ms: partitions without a leader"
CORDON_RULE   = "which log directories take no new replicas (KIP-1066)"
# fmt: on


class Cause(NamedTuple):
    """Why partitions change: who leaves, who comes, and what was read."""

    rule: str
    reads: tuple = ()
    removed: int | None = None
    added: int | None = None
    unclean: int | None = None


class ReplicationControlManager:
    """Decides; its state is the image."""

    def __init__(self, image: Callable[[], MetadataImage], cluster: ClusterControlManager,
                 configuration: ConfigurationControlManager) -> None:
        self._image, self._cluster, self._configuration = image, cluster, configuration
        self.handlers = {AlterPartitionRequest: self.alter_partition,
                         BrokerHeartbeatRequest: self.process_broker_heartbeat,
                         UnregisterBrokerRequest: self.unregister_broker,
                         elect_leaders.ElectLeadersRequest: self.elect_leaders}

    # -- what is known ------------------------------------------------------------------------
    def _partitions(self) -> Iterator[tuple[TopicPartition, PartitionRegistration]]:
        for topic in self._image().topics.values():
            for number, one in enumerate(topic.partitions):
                yield TopicPartition(topic.name, number), one

    def has_leaderships(self, broker: int) -> bool:
        """True where a broker leads something."""
        return broker in [one.leader for topic in self._image().topics.values()
                          for one in topic.partitions]

    def subject(self, partition: TopicPartition) -> str:
        """The subject of a partition as this controller knows it: "orders-0@controller-100"."""
        return f"{partition}@{self._cluster.name}"

    def _in_isr(self, broker: int) -> list:
        return [named for named in self._partitions() if broker in named[1].isr]

    def _in_elr(self, broker: int) -> list:
        return [named for named in self._partitions() if broker in named[1].elr]

    def _leaderless(self) -> list:
        return [named for named in self._partitions() if named[1].leader < 0]

    # -- one partition ------------------------------------------------------------------------
    def _builder(self, partition: TopicPartition, one: PartitionRegistration,
                 cause: Cause = Cause("")) -> PartitionChangeBuilder:
        def acceptable(broker: int) -> bool:
            known = self._cluster.registration(broker)
            return broker not in (cause.removed, cause.unclean) and known is not None \
                and (broker == cause.added or known.active) \
                and known.has_online_dir(one.directory(broker))

        topic = self._image().topics[partition.topic]
        min_isr = min(self._configuration.min_isr(topic.name), len(topic.partitions[0].replicas))
        return PartitionChangeBuilder(one, topic.topic_id, partition.partition, acceptable,
                                      min_isr, self._image().elr_enabled)

    def _election(self, topic: str) -> str:
        return UNCLEAN if self._configuration.unclean_leader_election_enabled(topic) else ONLINE

    def _decided(self, partition: TopicPartition, builder: PartitionChangeBuilder,
                 cause: Cause) -> list[Decided]:
        """The change, if there is one; an election says who was passed over."""
        if (record := builder.build()) is None:
            return []
        rule, reads, subject = cause.rule, cause.reads, self.subject(partition)
        if record.leader != m.NO_LEADER_CHANGE:
            elected = builder.result
            said = [f"{broker} {why}" for broker, why in builder.passed_over.items()
                    if broker != elected.node]
            said.append("nobody is left" if elected.node < 0 else f"{elected.node} leads" + (
                ", although it may lack records" if elected.unclean else ""))
            rule += f"; {builder.election} election in replica order: {', '.join(said)}"
            reads += ((subject, "isr"), (subject, "elr"))
            reads += tuple((self._cluster.subject(broker), flag) for broker in builder.asked
                           if broker not in (cause.removed, cause.added, cause.unclean)
                           for flag in ("fenced", "in_controlled_shutdown"))
        return [Decided(record, rule, reads)]

    def generate_leader_and_isr_updates(self, cause: Cause, records: list[Decided],
                                        partitions: list) -> None:
        """Each of these partitions without the broker that goes, or with the one that comes."""
        for partition, one in partitions:
            builder = self._builder(partition, one, cause)
            builder.election = self._election(partition.topic)
            builder.unclean_shutdown_replicas = () if cause.unclean is None else (cause.unclean,)
            builder.target_isr = without(one.isr, cause.removed, cause.unclean)
            records += self._decided(partition, builder, cause)

    # -- brokers come and go ------------------------------------------------------------------
    def handle_broker_fenced(self, broker: int, rule: str, reads: tuple,
                             records: list[Decided]) -> None:
        """Out of every ISR, then fenced."""
        epoch = self._cluster.registration(broker).epoch
        self.generate_leader_and_isr_updates(Cause(FENCE_RULE, reads, removed=broker), records,
                                             self._in_isr(broker))
        fenced = m.BrokerRegistrationChangeRecord(broker, epoch, fenced=m.RAISED)
        records.append(Decided(fenced, rule, reads))

    def handle_broker_unfenced(self, broker: int, epoch: int, reads: tuple,
                               records: list[Decided]) -> None:
        """Unfenced, then elected where nobody leads."""
        records.append(Decided(m.BrokerRegistrationChangeRecord(broker, epoch, fenced=UNFENCE),
                               HEARTBEAT_RULE, reads))
        self.generate_leader_and_isr_updates(Cause(UNFENCE_RULE, reads, added=broker), records,
                                             self._leaderless())

    def handle_broker_in_controlled_shutdown(self, broker: int, epoch: int, reads: tuple,
                                             records: list[Decided]) -> None:
        """Marked, then out of every ISR."""
        if not self._cluster.registration(broker).in_controlled_shutdown:
            records.append(Decided(m.BrokerRegistrationChangeRecord(
                broker, epoch, in_controlled_shutdown=m.RAISED), SHUTDOWN_RULE, reads))
        self.generate_leader_and_isr_updates(Cause(SHUTDOWN_RULE, reads, removed=broker), records,
                                             self._in_isr(broker))

    def handle_broker_shutdown(self, broker: int, is_clean: bool, reads: tuple,
                               records: list[Decided]) -> None:
        """Another process has this id now. With ELR it matters how the last one ended."""
        if is_clean or not self._image().elr_enabled:
            cause = Cause(CLEAN_RULE, reads, removed=broker)
            self.generate_leader_and_isr_updates(cause, records, self._in_isr(broker))
            return
        cause = Cause(UNCLEAN_RULE, reads, unclean=broker)
        self.generate_leader_and_isr_updates(cause, records, self._in_isr(broker))
        self.generate_leader_and_isr_updates(cause, records, self._in_elr(broker))

    def unregister_broker(self, request: UnregisterBrokerRequest,
                          reads: tuple) -> ControllerResult:
        """BrokerIdNotRegisteredException for one that is not registered."""
        broker, known = request.broker_id, self._cluster.registration(request.broker_id)
        if known is None:
            raise errors.BrokerIdNotRegisteredException(
                f"Broker ID {broker} is not currently registered")
        records: list[Decided] = []
        cause = Cause(GONE_RULE, reads, removed=broker)
        self.generate_leader_and_isr_updates(cause, records, self._in_isr(broker))
        self.generate_leader_and_isr_updates(cause, records, self._in_elr(broker))
        records.append(Decided(m.UnregisterBrokerRecord(broker, known.epoch), GONE_RULE, reads))
        return ControllerResult(records, request.response())

    def process_broker_heartbeat(self, request: BrokerHeartbeatRequest,
                                 reads: tuple) -> ControllerResult:
        """The next row of the table. StaleBrokerEpochException for another process."""
        broker, epoch = request.broker_id, request.broker_epoch
        registered_at = self._cluster.registered_at.get(broker)
        if registered_at is None:
            raise errors.StaleBrokerEpochException(
                f"Receive a heartbeat from broker {broker} before registration")
        known = self._cluster.check_broker_epoch(broker, epoch)
        heartbeats, records = self._cluster.heartbeats, []
        moved = heartbeats.calculate_next_broker_state(request, registered_at,
                                                       lambda: self.has_leaderships(broker))
        beside = self._reads_of(broker) if moved.current == states.CONTROLLED_SHUTDOWN else ()
        reads += beside
        fenced = moved.next in (states.FENCED, states.SHUTDOWN_NOW)
        if moved.current != moved.next:
            if fenced:
                self.handle_broker_fenced(broker, HEARTBEAT_RULE, reads, records)
            elif moved.next == states.UNFENCED:
                self.handle_broker_unfenced(broker, epoch, reads, records)
            else:
                self.handle_broker_in_controlled_shutdown(broker, epoch, reads, records)
        heartbeats.touch(broker, fenced, request.current_metadata_offset)
        cordoned = request.cordoned_log_dirs
        if cordoned not in (None, known.cordoned_log_dirs):
            records.append(Decided(m.BrokerRegistrationChangeRecord(
                broker, epoch, cordoned_log_dirs=cordoned), CORDON_RULE, reads))
        answer = request.response(request.current_metadata_offset >= registered_at, fenced,
                                  moved.next == states.SHUTDOWN_NOW)
        waits = moved.next == states.CONTROLLED_SHUTDOWN
        return ControllerResult(records, answer, beside, broker if waits else None)

    def _reads_of(self, broker: int) -> tuple:
        """What decides beside the heartbeat: a broker may go when the others know its leaders."""
        lowest, subject = self._cluster.heartbeats.lowest_active(), self._cluster.subject
        return ((subject(broker), "controlled_shutdown_offset"),) + (
            () if lowest is None else ((subject(lowest.broker_id), "metadata_offset"),))

    def maybe_fence_one_stale_broker(self, now_ms: int) -> ControllerResult:
        """One process whose session is over, a pass. The response: true where there may be more."""
        heartbeats, records = self._cluster.heartbeats, []
        process = heartbeats.maybe_remove_expired(now_ms)
        if process is None:
            return NOBODY_STALE
        broker, epoch = process
        known = self._cluster.registration(broker)
        if known is None:
            heartbeats.remove(broker)
        elif known.epoch == epoch:
            reads = ((self._cluster.subject(broker), "contact_ms"),)
            self.handle_broker_fenced(broker, SILENT_RULE, reads, records)
            heartbeats.fence(broker)
        return ControllerResult(records, True)

    # -- the leader asks for another ISR ------------------------------------------------------
    def alter_partition(self, request: AlterPartitionRequest, reads: tuple) -> ControllerResult:
        """Each partition by itself. StaleBrokerEpochException for another process."""
        self._cluster.check_broker_epoch(request.broker_id, request.broker_epoch)
        records, answers, read = [], [], ()
        for data in request.partitions:
            error, why = self._validate(request.broker_id, data)
            read += why
            if error != "NONE":
                answers.append(AlterPartitionPartitionResponse(data.partition, error))
                continue
            answer, decided = self._altered(request.broker_id, data, reads)
            answers.append(answer)
            records += decided
        return ControllerResult(records, request.response(tuple(answers)), read)

    def _altered(self, leader: int, data: AlterPartitionData, reads: tuple) -> tuple:
        partition = self._at(data)
        one = self._image().partition(partition)
        builder = self._builder(partition, one)
        builder.election = self._election(partition.topic)
        builder.target_isr = data.new_isr
        builder.target_leader_recovery_state = data.leader_recovery_state
        decided = self._decided(partition, builder, Cause(ALTER_RULE, reads))
        if decided:
            one = merged(one, decided[0].record)
            if decided[0].record.leader not in (leader, m.NO_LEADER_CHANGE):
                return AlterPartitionPartitionResponse(data.partition,
                                                       "NEW_LEADER_ELECTED"), decided
        return AlterPartitionPartitionResponse(
            data.partition, "NONE", one.leader, one.leader_epoch, one.isr, one.partition_epoch,
            one.leader_recovery_state), decided

    def _at(self, data: AlterPartitionData) -> TopicPartition:
        """The partition of that topic id: the name in the request is only for us."""
        return TopicPartition(self._image().topic_by_id(data.topic_id).name,
                              data.partition.partition)

    def _validate(self, broker: int, data: AlterPartitionData) -> tuple[str, tuple]:
        """(error, what it was read from), by Kafka's checks in Kafka's order."""
        if self._image().topic_by_id(data.topic_id) is None:
            return "UNKNOWN_TOPIC_ID", ()
        partition = self._at(data)
        one, isr = self._image().partition(partition), data.new_isr
        subject = self.subject(partition)
        if one is None:
            return "UNKNOWN_TOPIC_OR_PARTITION", ()
        if data.leader_epoch > one.leader_epoch or data.partition_epoch > one.partition_epoch:
            return "NOT_CONTROLLER", ((subject, "partition_epoch"),)
        if data.leader_epoch < one.leader_epoch:
            return "FENCED_LEADER_EPOCH", ((subject, "leader_epoch"),)
        if broker != one.leader:
            return "INVALID_REQUEST", ((subject, "leader"),)
        if data.partition_epoch < one.partition_epoch:
            return "INVALID_UPDATE_VERSION", ((subject, "partition_epoch"),)
        if not set(isr) <= set(one.replicas) or len(set(isr)) < len(isr) or one.leader not in isr:
            return "INVALID_REQUEST", ((subject, "replicas"), (subject, "leader"))
        if data.leader_recovery_state == m.RECOVERING and (
                len(isr) > 1 or one.leader_recovery_state == m.RECOVERED):
            return "INVALID_REQUEST", ((subject, "leader_recovery_state"),)
        for member in data.new_isr_with_epochs:
            if (attribute := self._ineligible(member)) is not None:
                return "INELIGIBLE_REPLICA", ((self._cluster.subject(member.broker_id),
                                               attribute),)
        return "NONE", ()

    def _ineligible(self, member: BrokerState) -> str | None:
        """What keeps a broker out of an ISR; None where it may join (KIP-841, KIP-903)."""
        known = self._cluster.registration(member.broker_id)
        if known is None or member.broker_epoch not in (-1, known.epoch):
            return "epoch"
        if known.in_controlled_shutdown:
            return "in_controlled_shutdown"
        return "fenced" if known.fenced else None

    # -- elections that somebody asks for -----------------------------------------------------
    def elect_leaders(self, request: elect_leaders.ElectLeadersRequest,
                      reads: tuple) -> ControllerResult:
        """InvalidRequestException for an election of no known kind."""
        if request.election_type not in (elect_leaders.PREFERRED, elect_leaders.UNCLEAN):
            raise errors.InvalidRequestException(f"Unknown election type {request.election_type}; "
                                          f"0 is preferred, 1 unclean")
        election = PREFERRED if request.election_type == elect_leaders.PREFERRED else UNCLEAN
        everything = request.topic_partitions is None
        records, results = [], []
        for partition in [name for name, _ in self._partitions()] if everything \
                else request.topic_partitions:
            error, message = self._elect(partition, election, Cause(ELECT_RULE, reads), records)
            if not everything or error != "ELECTION_NOT_NEEDED":
                results.append(elect_leaders.PartitionResult(partition, error, message))
        return ControllerResult(records, request.response(tuple(results)))

    def _elect(self, partition: TopicPartition, election: str, cause: Cause,
               records: list[Decided]) -> tuple[str, str | None]:
        """(error, message); the record, if there is one, is added."""
        one = self._image().partition(partition)
        if one is None:
            there = partition.topic in self._image().topics
            return "UNKNOWN_TOPIC_OR_PARTITION", \
                f"No such {f'partition as {partition}' if there else f'topic as {partition.topic}'}"
        if one.has_preferred_leader if election == PREFERRED else one.leader >= 0:
            return self._error("ELECTION_NOT_NEEDED")
        builder = self._builder(partition, one)
        builder.election = election
        if not (decided := self._decided(partition, builder, cause)):
            return self._error("PREFERRED_LEADER_NOT_AVAILABLE" if election == PREFERRED
                               else "ELIGIBLE_LEADERS_NOT_AVAILABLE")
        records += decided
        return "NONE", None

    @staticmethod
    def _error(name: str) -> tuple[str, str]:
        return name, str(errors.for_name(name)())

    def maybe_balance_partition_leaders(self) -> ControllerResult:
        """Preferred elections; the response: true where there may be more to do."""
        records: list[Decided] = []
        for partition, one in self._partitions():
            if not one.has_preferred_leader and len(records) < MAX_ELECTIONS_PER_IMBALANCE:
                self._elect(partition, PREFERRED, Cause(BALANCE_RULE), records)
        return ControllerResult(records, len(records) >= MAX_ELECTIONS_PER_IMBALANCE)

    def maybe_elect_unclean_leaders(self) -> ControllerResult:
        """Unclean elections where they are allowed; true where there may be more to do."""
        records: list[Decided] = []
        for partition, _ in self._leaderless():
            if self._election(partition.topic) == UNCLEAN \
                    and len(records) < MAX_ELECTIONS_PER_IMBALANCE:
                self._elect(partition, UNCLEAN, Cause(CLOCK_RULE), records)
        return ControllerResult(records, len(records) >= MAX_ELECTIONS_PER_IMBALANCE)
