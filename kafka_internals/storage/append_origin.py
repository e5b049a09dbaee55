"""AppendOrigin: who asks for an append, and so which checks it has to pass."""

from enum import Enum


class AppendOrigin(Enum):
    """Only clients are held to what clients may send; replicas take over what a leader decided."""

    CLIENT = "a producer"
    COORDINATOR = "a coordinator of this broker"
    REPLICATION = "the leader of the partition"
    RAFT_LEADER = "the controllers' log"
