"""AlterPartition (key 56): a leader asks the controller for another in-sync set (KIP-497).

It names every member with the broker epoch that the leader knows, so that a controller can refuse
one that has restarted meanwhile (KIP-903), and both epochs from which it decided: an ISR counts
only when the controller has written it.
"""

from typing import NamedTuple

from kafka_internals.common import TopicPartition
from kafka_internals.messages.metadata_records import RECOVERED


class BrokerState(NamedTuple):
    """One member of the ISR asked for; a broker epoch of -1 is not checked."""

    broker_id: int
    broker_epoch: int = -1


class AlterPartitionData(NamedTuple):
    """What is asked for one partition."""

    partition: TopicPartition
    topic_id: str
    leader_epoch: int
    new_isr_with_epochs: tuple[BrokerState, ...]
    partition_epoch: int
    leader_recovery_state: int = RECOVERED

    @property
    def new_isr(self) -> tuple[int, ...]:
        """The members without their epochs."""
        return tuple([member.broker_id for member in self.new_isr_with_epochs])


class AlterPartitionPartitionResponse(NamedTuple):
    """What the controller has made of it; with an error only the error counts."""

    partition: TopicPartition
    error: str = "NONE"
    leader: int = -1
    leader_epoch: int = -1
    isr: tuple[int, ...] = ()
    partition_epoch: int = -1
    leader_recovery_state: int = RECOVERED


class AlterPartitionRequest(NamedTuple):
    """From one broker, who says in which epoch of its own it asks."""

    broker_id: int
    broker_epoch: int
    partitions: tuple[AlterPartitionData, ...]

    def response(self, partitions: tuple[AlterPartitionPartitionResponse, ...],
                 error: str = "NONE") -> "AlterPartitionResponse":
        """The answer."""
        return AlterPartitionResponse(partitions, error)

    def error_response(self, error: str, message: str) -> "AlterPartitionResponse":
        """The answer where the asker is refused."""
        return AlterPartitionResponse((), error)

    def __str__(self) -> str:
        return "alter " + ", ".join(f"{one.partition} to ISR {list(one.new_isr)}"
                                    for one in self.partitions)


class AlterPartitionResponse(NamedTuple):
    """One answer for each partition; `error` is one about the asker, then there are none."""

    partitions: tuple[AlterPartitionPartitionResponse, ...]
    error: str = "NONE"

    def __str__(self) -> str:
        if self.error != "NONE":
            return self.error
        return ", ".join(f"{one.partition} {one.error}" if one.error != "NONE" else
                         f"{one.partition} has ISR {list(one.isr)}" for one in self.partitions)
