"""ClusterControlManager: which process is which broker, and whether it may serve.

A broker id belongs to the process that registered last. Its broker epoch, the offset at which its
registration was decided, is in everything that it asks for, so that an older process with the same
id is told so and changes nothing (KIP-631).
"""

from collections.abc import Callable, Mapping
from typing import Any

from kafka_internals import errors
from kafka_internals.controller.broker_heartbeat_manager import BrokerHeartbeatManager
from kafka_internals.controller.controller_result import ControllerResult, Decided
from kafka_internals.controller.feature_control_manager import FeatureControlManager
from kafka_internals.controller.metadata_image import (
    LOST,
    METADATA_VERSION,
    MIGRATING,
    NOTHING,
    UNASSIGNED,
    BrokerRegistration,
    MetadataImage,
)
from kafka_internals.messages import metadata_records as m
from kafka_internals.messages.broker_registration import BrokerRegistrationRequest

REGISTER_RULE = "a process registers as a broker, fenced, in an epoch of its own (KIP-631)"
AMEND_RULE = "the same process registers again: epoch and fencing stay"
UNKNOWN_EPOCH = -2                               # differs from every previous broker epoch


class ClusterControlManager:
    """`name` is the controller's subject; `registered_at` the offsets of registrations."""

    def __init__(self, name: str, cluster_id: str, image: Callable[[], MetadataImage],
                 features: FeatureControlManager, session_timeout_ms: int) -> None:
        self.name, self.cluster_id, self._image, self._features = name, cluster_id, image, features
        self._session_timeout_ms = session_timeout_ms
        self.heartbeats: BrokerHeartbeatManager | None = None       # only of the active controller
        self.registered_at: Mapping[int, int] = NOTHING

    # -- life ---------------------------------------------------------------------------------
    def activate(self, now_ms: int) -> None:
        """Every broker that is not fenced gets a new session: nobody knows how old the last was."""
        self.heartbeats = BrokerHeartbeatManager(self._session_timeout_ms)
        for one in self._image().brokers.values():
            self.heartbeats.register(one.broker_id, one.fenced)
            if not one.fenced:
                self.heartbeats.update_contact_time(one.broker_id, one.epoch, now_ms)

    def deactivate(self) -> None:
        """Sessions are the next controller's business."""
        self.heartbeats = None

    # -- what is known ------------------------------------------------------------------------
    def subject(self, broker: int) -> str:
        """The subject of a broker as this controller knows it: "broker-2@controller-100"."""
        return f"broker-{broker}@{self.name}"

    def registration(self, broker: int) -> BrokerRegistration | None:
        """Who is registered with this id."""
        return self._image().brokers.get(broker)

    def is_active(self, broker: int) -> bool:
        """True for a broker that may lead and join an ISR."""
        known = self.registration(broker)
        return known is not None and known.active

    def check_broker_epoch(self, broker: int, epoch: int) -> BrokerRegistration:
        """Its registration. StaleBrokerEpochException for a process that is not the last one."""
        known = self._image().brokers.get(broker)
        if known is None:
            raise errors.StaleBrokerEpochException(
                f"No broker registration found for broker id {broker}")
        if known.epoch != epoch:
            raise errors.StaleBrokerEpochException(
                f"Expected broker epoch {known.epoch}, but got broker epoch {epoch}")
        return known

    # -- registration -------------------------------------------------------------------------
    def register_broker(self, request: BrokerRegistrationRequest, new_epoch: int,
                        add_shutdown_records: Callable[[int, bool, list], None],
                        reads: tuple, now_ms: int) -> ControllerResult:
        """A registration, after what its last process leaves behind.

        Errors: InconsistentClusterIdException, DuplicateBrokerRegistrationException while another
        process with this id is alive, InvalidRegistrationException, UnsupportedVersionException.
        """
        broker, old = request.broker_id, self.registration(request.broker_id)
        self._ensure_valid(request, old, now_ms)
        self._features.ensure_supported(request.features)
        is_new = old is None or old.incarnation_id != request.incarnation_id
        records: list[Decided] = []
        if is_new:
            last = UNKNOWN_EPOCH if old is None else old.epoch
            add_shutdown_records(broker, last == request.previous_broker_epoch, records)
        flags = {} if is_new else {"fenced": old.fenced,
                                   "in_controlled_shutdown": old.in_controlled_shutdown}
        record = m.RegisterBrokerRecord(
            broker, request.incarnation_id, new_epoch if is_new else old.epoch, request.listeners,
            request.features, request.rack, log_dirs=request.log_dirs, **flags)
        records.append(Decided(record, REGISTER_RULE if is_new else AMEND_RULE, reads))
        if is_new:
            self.heartbeats.remove(broker)
        self.heartbeats.register(broker, record.fenced)
        return ControllerResult(records, request.response(record.broker_epoch))

    def _ensure_valid(self, request: BrokerRegistrationRequest, old: BrokerRegistration | None,
                      now_ms: int) -> None:
        if request.cluster_id != self.cluster_id:
            raise errors.InconsistentClusterIdException(
                f"Expected cluster ID {self.cluster_id}, but got cluster ID {request.cluster_id}")
        if old is not None and request.incarnation_id != old.incarnation_id \
                and self.heartbeats.has_valid_session(old.broker_id, old.epoch, now_ms):
            raise errors.DuplicateBrokerRegistrationException(
                "Another broker is registered with that broker id. If the broker was recently "
                "restarted this should self-resolve once the heartbeat manager expires the "
                "broker's session.")
        self._ensure_valid_dirs(request)
        if METADATA_VERSION not in {one.name for one in request.features}:
            raise errors.InvalidRegistrationException(
                "Request features do not contain 'metadata.version'")

    def _ensure_valid_dirs(self, request: BrokerRegistrationRequest) -> None:
        dirs = request.log_dirs
        if not dirs:
            raise errors.InvalidRegistrationException("No directories specified in request")
        if {UNASSIGNED, LOST, MIGRATING} & set(dirs):
            raise errors.InvalidRegistrationException("Reserved directory ID in request")
        if len(set(dirs)) < len(dirs):
            raise errors.InvalidRegistrationException("Duplicate directory ID in request")
        for one in self._image().brokers.values():
            if one.broker_id != request.broker_id and (shared := set(dirs) & set(one.log_dirs)):
                raise errors.InvalidRegistrationException(
                    f"Broker {one.broker_id} is already registered with directory {min(shared)}")

    # -- the fold -----------------------------------------------------------------------------
    def replay(self, record: Any, offset: int) -> None:
        """After the image: what else follows from a record about a broker."""
        if type(record) is m.RegisterBrokerRecord:
            self.registered_at = {**self.registered_at, record.broker_id: offset}
            if self.heartbeats is not None:
                self.heartbeats.remove(record.broker_id)
                self.heartbeats.register(record.broker_id, record.fenced)
        elif type(record) is m.UnregisterBrokerRecord:
            self.registered_at = {broker: at for broker, at in self.registered_at.items()
                                  if broker != record.broker_id}
            if self.heartbeats is not None:
                self.heartbeats.remove(record.broker_id)
        elif type(record) is m.BrokerRegistrationChangeRecord and self.heartbeats is not None:
            self.heartbeats.register(record.broker_id, self.registration(record.broker_id).fenced)
