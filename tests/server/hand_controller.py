"""A controller that tests drive by hand: one partition, written by Kafka's rules.

It answers AlterPartition as ReplicationControlManager does, and elects as PartitionChangeBuilder
does, with eligible leader replicas (KIP-966) where that is on.
"""

from itertools import count
from typing import NamedTuple

from kafka_internals.controller.metadata_image import PartitionRegistration
from kafka_internals.messages.alter_partition import (
    AlterPartitionPartitionResponse,
    AlterPartitionRequest,
)
from kafka_internals.messages.metadata_records import RECOVERING


class BrokerRegistration(NamedTuple):
    """A broker as the controller knows it."""

    id: int
    epoch: int
    fenced: bool = False
    in_controlled_shutdown: bool = False
    rack: str | None = None


class Controller:
    """Writes the registration of one partition; `written()` is called after every change."""

    def __init__(self, registration: PartitionRegistration, brokers: dict, min_isr: int,
                 elr: bool = True, unclean: bool = False) -> None:
        self.one, self.brokers, self.min_isr = registration, brokers, min_isr
        self.has_elr, self.unclean = elr, unclean
        self.written = lambda old: None
        self._epochs = count(max(one.epoch for one in brokers.values()) + 1)

    def is_active(self, broker: int) -> bool:
        """Able to lead and to be in sync."""
        known = self.brokers[broker]
        return not known.fenced and not known.in_controlled_shutdown

    # -- partitions ---------------------------------------------------------------------------
    def change(self, isr: tuple[int, ...], unclean: tuple[int, ...] = (),
               prefer: int | None = None, recovery: int | None = None) -> None:
        """PartitionChangeBuilder: another ISR, and a leader that fits it."""
        old, least = self.one, min(self.min_isr, len(self.one.replicas))
        if not isr and not self.has_elr:
            isr = old.isr                                 # the last member stays, though fenced
        elr = () if len(isr) >= least or not self.has_elr else tuple(
            one for one in dict.fromkeys(old.elr + old.isr)
            if one not in isr and one not in unclean)
        able = [one for one in old.replicas if one in (isr or elr) and self.is_active(one)]
        leader = prefer if prefer in able else old.leader if old.leader in able else \
            able[0] if able else -1
        state = old.leader_recovery_state if recovery is None else recovery
        alive = [one for one in old.replicas if self.is_active(one)]
        last = old.last_known_elr or ((old.leader,) if old.leader >= 0 and not isr else ())
        if leader < 0 and not isr and not elr and last and last[0] in alive:
            alive, recovers = list(last), True
        else:
            recovers = self.unclean
        if leader < 0 and recovers and alive:
            leader, isr, elr, state = alive[0], (alive[0],), (), RECOVERING
        elif leader >= 0 and not isr:
            isr, elr = (leader,), tuple(one for one in elr if one != leader)
        new = old._replace(isr=isr, elr=elr, leader=leader, leader_recovery_state=state,
                           last_known_elr=last if leader < 0 and self.has_elr else (),
                           leader_epoch=old.leader_epoch + (leader != old.leader))
        self._write(old, new)

    def _write(self, old, new, brokers_changed: bool = False) -> None:
        if new != old:
            self.one = new._replace(partition_epoch=old.partition_epoch + 1)
        if new != old or brokers_changed:
            self.written(old)

    def without(self, broker: int) -> tuple[int, ...]:
        """The ISR without one member."""
        return tuple(one for one in self.one.isr if one != broker)

    # -- brokers ------------------------------------------------------------------------------
    def _note(self, broker: int, **changes) -> None:
        self.brokers = {**self.brokers, broker: self.brokers[broker]._replace(**changes)}

    def fence(self, broker: int) -> None:
        """Its session is over."""
        self._note(broker, fenced=True)
        self.change(self.without(broker))
        self._write(self.one, self.one, True)

    def shut_down(self, broker: int) -> None:
        """It wants to stop: it leads nothing any more and is in no ISR."""
        self._note(broker, in_controlled_shutdown=True)
        self.change(self.without(broker))
        self._write(self.one, self.one, True)

    def register(self, broker: int, clean: bool) -> int:
        """A new incarnation, fenced for now; after an unclean stop it may lack records."""
        self._note(broker, fenced=True)
        if not clean and self.has_elr:
            self.change(self.without(broker), unclean=(broker,))
        else:
            self.change(self.without(broker))
        self._note(broker, epoch=(epoch := next(self._epochs)), in_controlled_shutdown=False)
        self._write(self.one, self.one, True)
        return epoch

    def unfence(self, broker: int) -> None:
        """It is up and knows the metadata; perhaps it can lead."""
        self._note(broker, fenced=False)
        if self.one.leader < 0:
            self.change(self.one.isr)
        self._write(self.one, self.one, True)

    # -- AlterPartition -----------------------------------------------------------------------
    def alter(self, request: AlterPartitionRequest):
        """Carry it out, or say why not (ReplicationControlManager.alterPartition)."""
        if request.broker_epoch != self.brokers[request.broker_id].epoch:
            return request.response((), "STALE_BROKER_EPOCH")
        told = []
        for data in request.partitions:
            error = self._refuses(request.broker_id, data)
            if error == "NONE":
                self.change(data.new_isr, recovery=data.leader_recovery_state)
            one = self.one
            told.append(AlterPartitionPartitionResponse(data.partition, error) if error != "NONE"
                        else AlterPartitionPartitionResponse(
                            data.partition, "NONE", one.leader, one.leader_epoch, one.isr,
                            one.partition_epoch, one.leader_recovery_state))
        return request.response(tuple(told))

    def _refuses(self, sender: int, data) -> str:
        one = self.one
        if data.leader_epoch > one.leader_epoch or data.partition_epoch > one.partition_epoch:
            return "NOT_CONTROLLER"
        if data.leader_epoch < one.leader_epoch:
            return "FENCED_LEADER_EPOCH"
        if sender != one.leader:
            return "INVALID_REQUEST"
        if data.partition_epoch < one.partition_epoch:
            return "INVALID_UPDATE_VERSION"
        if one.leader not in data.new_isr or not set(data.new_isr) <= set(one.replicas):
            return "INVALID_REQUEST"
        if data.leader_recovery_state == RECOVERING and len(data.new_isr) > 1:
            return "INVALID_REQUEST"
        able = all(self.is_active(broker) and epoch in (-1, self.brokers[broker].epoch)
                   for broker, epoch in data.new_isr_with_epochs)
        return "NONE" if able else "INELIGIBLE_REPLICA"
