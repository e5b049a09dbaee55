"""PartitionChangeBuilder: what becomes of a partition when its in-sync set changes.

From the ISR that is wanted follow, in this order: a reassignment that is complete, the eligible
leader replicas, an election, and only what differs goes into the record. A leader is elected from
the ISR in the order of the replica list; with KIP-966 also, where no ISR is left, from the ELR,
whose members have every committed record, and after that the last known leader, who may lack some.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from kafka_internals.common import NO_NODE, hash_set_order
from kafka_internals.controller.metadata_image import PartitionRegistration
from kafka_internals.messages import metadata_records as m

PREFERRED, ONLINE, UNCLEAN = "PREFERRED", "ONLINE", "UNCLEAN"      # PartitionChangeBuilder.Election


class ElectionResult(NamedTuple):
    """Who leads, and whether it may lack committed records."""

    node: int
    unclean: bool = False


def without(members: Iterable[int], *gone: int | None) -> tuple[int, ...]:
    """The members in their order, less some."""
    return tuple([one for one in members if one not in gone])


class PartitionChangeBuilder:
    """One change of one partition. `is_acceptable_leader(broker)`: may it lead, were it in sync?

    Set `target_isr`, `election` and the others before `build()`. Afterwards `asked` says of which
    brokers that was asked, `passed_over` who was not elected and why, and `result` who was.
    """

    def __init__(self, partition: PartitionRegistration, topic_id: str, partition_id: int,
                 is_acceptable_leader: Callable[[int], bool], min_isr: int,
                 elr_enabled: bool) -> None:
        self.partition, self.topic_id, self.partition_id = partition, topic_id, partition_id
        self._is_acceptable_leader, self._elr_enabled = is_acceptable_leader, elr_enabled
        self._min_isr = min_isr
        self.election = ONLINE
        self.target_isr, self.target_elr = partition.isr, partition.elr
        self.target_replicas = partition.replicas
        self.target_removing = partition.removing_replicas
        self.target_adding = partition.adding_replicas
        self.target_leader_recovery_state = partition.leader_recovery_state
        self.unclean_shutdown_replicas: tuple[int, ...] = ()
        self.asked: dict[int, bool] = {}
        self.passed_over: dict[int, str] = {}
        self.result: ElectionResult | None = None

    # -- the election -------------------------------------------------------------------------
    def _acceptable(self, replica: int) -> bool:
        if replica not in self.asked:
            self.asked[replica] = self._is_acceptable_leader(replica)
        return self.asked[replica]

    def _is_valid_new_leader(self, replica: int) -> bool:
        """A member of the ISR, or of the ELR where no ISR is left, whose broker is in service."""
        sure = self.target_isr or self.target_elr
        if replica in sure and self._acceptable(replica):
            return True
        if replica != NO_NODE:
            self.passed_over[replica] = "is not in service" if replica in sure else \
                f"is not in the {'ISR' if self.target_isr or not self.target_elr else 'ELR'}"
        return False

    def _can_elect_last_known_leader(self) -> bool:
        """Only when nobody else is left who could be asked, and only if it is alive."""
        last = self.partition.last_known_elr
        return self._elr_enabled and not self.target_isr and not self.target_elr \
            and len(last) == 1 and self._acceptable(last[0])

    def _elect(self) -> ElectionResult:
        first, replicas = self.partition.leader, list(self.target_replicas)
        order = replicas[:1] + [first] + replicas[1:] if self.election == PREFERRED \
            else [first] + replicas
        for replica in order:
            if self._is_valid_new_leader(replica):
                return ElectionResult(replica)
        if self._can_elect_last_known_leader():
            return ElectionResult(self.partition.last_known_elr[0], unclean=True)
        if self.election == UNCLEAN:
            for at, replica in enumerate(replicas):
                if self._acceptable(replica):           # all are asked anew, and for less
                    self.passed_over = dict.fromkeys(replicas[:at], "is not in service")
                    return ElectionResult(replica, unclean=True)
        return ElectionResult(NO_NODE)

    # -- the change ---------------------------------------------------------------------------
    def build(self) -> m.PartitionChangeRecord | None:
        """The record, or None where nothing changes."""
        self._complete_reassignment_if_needed()
        self._populate_target_elr()
        changes = self._try_election()
        if "leader" not in changes and set(self.partition.replicas) - set(self.target_replicas):
            changes["leader"] = self.partition.leader         # who left must hear of a new epoch
        if "isr" in changes or not self._elr_enabled:
            self.target_elr = ()                              # an unclean election forgets them
        if self.target_elr != self.partition.elr:
            changes["eligible_leader_replicas"] = self.target_elr
        if "isr" not in changes and self.target_isr != self.partition.isr \
                and (self.target_isr or self._elr_enabled):
            changes["isr"] = self.target_isr
        changes |= self._last_known_leader(changes.get("leader", m.NO_LEADER_CHANGE))
        changes |= self._assignment()
        if self.target_leader_recovery_state != self.partition.leader_recovery_state:
            changes["leader_recovery_state"] = self.target_leader_recovery_state
        if not changes:
            return None
        return m.PartitionChangeRecord(self.partition_id, self.topic_id, **changes)

    def _try_election(self) -> dict:
        self.result = elected = self._elect()
        if elected.node == self.partition.leader:
            return {}
        changes = {"leader": elected.node}
        if elected.node in self.target_elr:
            self.target_isr = (elected.node,)
            self.target_elr = without(self.target_elr, elected.node)
        if elected.unclean:
            changes["isr"] = (elected.node,)
            if self.partition.leader_recovery_state != m.RECOVERING:
                changes["leader_recovery_state"] = m.RECOVERING
        return changes

    def _populate_target_elr(self) -> None:
        """Who leaves an ISR below min ISR has all that was committed, and stays eligible."""
        if not self._elr_enabled:
            return
        if len(self.target_isr) >= self._min_isr:
            self.target_elr = ()
            return
        candidates = hash_set_order(self.target_elr + self.partition.isr)
        self.target_elr = without(candidates, *self.target_isr, *self.unclean_shutdown_replicas)

    def _last_known_leader(self, leader: int) -> dict:
        if not self._elr_enabled:
            return {}
        if leader == NO_NODE and not self.partition.last_known_elr:
            return {"last_known_elr": (self.partition.leader,)}
        if leader >= 0 and self.partition.last_known_elr:
            return {"last_known_elr": ()}
        return {}

    def _complete_reassignment_if_needed(self) -> None:
        """Complete is a reassignment when what was added is in sync, and enough is left."""
        adding, removing = self.target_adding, self.target_removing
        isr, replicas = without(self.target_isr, *removing), without(self.target_replicas,
                                                                     *removing)
        needed = set(replicas) if len(adding) < len(removing) else set(adding)
        if (adding or removing) and isr and replicas and needed | set(adding) <= set(isr):
            self.target_isr, self.target_replicas = isr, replicas
            self.target_removing = self.target_adding = ()

    def _assignment(self) -> dict:
        old = self.partition
        targets = {"replicas": self.target_replicas, "removing_replicas": self.target_removing,
                   "adding_replicas": self.target_adding, "directories": old.directories and tuple(
                       [old.directory(replica) for replica in self.target_replicas])}
        return {name: target for name, target in targets.items() if target != getattr(old, name)}
