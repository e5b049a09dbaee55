"""A voter and observers on disks, whose messages a test carries, loses or keeps back."""

from collections import deque
from itertools import count

from kafka_internals.common import START_MS, Changed, Disconnect, Persist, Reply, Send
from kafka_internals.config import QUORUM_CONFIG, TOPIC_CONFIG
from kafka_internals.messages import Request
from kafka_internals.messages.fetch import FetchPartition, FetchRequest
from kafka_internals.messages.kraft_control_records import VoterNode
from kafka_internals.messages.metadata_records import Endpoint
from kafka_internals.raft.kafka_raft_client import KafkaRaftClient
from kafka_internals.raft.raft_client import Batch, LeaderAndEpoch
from kafka_internals.raft.raft_log import CLUSTER_METADATA, MAX_BATCH_SIZE_BYTES
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.unified_log import UnifiedLog

CONTROLLER = 100
OTHER_DIRECTORY = "BwAAAAAAAAAAAAAAAAAABw"
DIRECTORY = "wxuUlJh6Qr60G7BlSk8MTg"
VOTER = VoterNode(CONTROLLER, DIRECTORY, (Endpoint("CONTROLLER", "controller", 9093),))
METADATA_LOG = TOPIC_CONFIG.parse({"max.message.bytes": MAX_BATCH_SIZE_BYTES})
QUORUM_STATE = f"{CLUSTER_METADATA}/quorum-state"


class Heard:
    """A listener that writes down what it hears."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.leaders: list[tuple[LeaderAndEpoch, int]] = []      # and after which offset

    @property
    def records(self) -> list:
        return [record for batch in self.batches for record in batch.records]

    @property
    def next_offset(self) -> int:
        return self.batches[-1].last_offset + 1 if self.batches else 0

    def handle_commit(self, batch, reads, now_ms) -> list:
        assert batch.base_offset == self.next_offset and reads
        self.batches.append(batch)
        return []

    def handle_leader_change(self, leader, reads, now_ms) -> list:
        self.leaders.append((leader, self.next_offset))
        return []


class Node:
    """One node: a disk, and the client that runs on it. `sent` is what nobody has carried yet."""

    def __init__(self, node: int, voters=(), config=None, bootstrap=(CONTROLLER,)) -> None:
        self.node, self.disk, self._correlation_ids = node, Disk(lambda n: 0), count(1)
        self._voters, self._bootstrap = voters, bootstrap
        self._config = QUORUM_CONFIG.parse(config or {})
        self.changes: list[Changed] = []
        self.sent: deque = deque()
        self.begin()

    def begin(self) -> None:
        self.listener = Heard()
        self.log = UnifiedLog(CLUSTER_METADATA, self.disk, METADATA_LOG, now_ms=START_MS)
        self.client = KafkaRaftClient(
            self.node, self._voters[0].voter_directory_id if self._voters else OTHER_DIRECTORY,
            self.log, self.listener, self._config, voters=self._voters, bootstrap=self._bootstrap,
            quorum_state=self.disk.read(QUORUM_STATE),
            next_correlation_id=self._correlation_ids.__next__)

    def start(self, now_ms: int = 0) -> list:
        return self.do(self.client.start(now_ms))

    def restart(self, now_ms: int, power_loss: bool = False) -> list:
        if power_loss:
            self.disk.power_loss()
        self.sent.clear()
        self.begin()
        return self.start(now_ms)

    def do(self, effects: list) -> list:
        """Carry out what can be done here; give back what is for others."""
        left = []
        for effect in effects:
            if isinstance(effect, Changed):
                self.changes.append(effect)
            elif isinstance(effect, Persist):
                self.disk.replace(effect.file, effect.data)
            else:
                assert isinstance(effect, Send | Reply | Disconnect)
                left.append(effect)
                self.sent.append(effect)
        return left

    def append(self, records, now_ms: int = 0) -> int:
        """Append, and let the linger pass."""
        offset = self.client.schedule_atomic_append(self.client.quorum.epoch, records, now_ms)
        self.do(self.client.tick(self.client.next_deadline_ms()))
        return offset

    def ask(self, offset: int, epoch: int, last_epoch: int, now_ms: int = 0, **given):
        """Fetch as somebody else would; the answer, or None while it waits."""
        body = FetchRequest(given.pop("replica_id", 7), given.pop("max_wait_ms", 0), 0,
                            given.pop("max_bytes", 1 << 20), (FetchPartition(
                                CLUSTER_METADATA, offset, epoch, 0, -1, last_epoch, **given),))
        request = Request.of("test", next(self._correlation_ids), body)
        return answer_in(self.do(self.client.handle(request, now_ms)))

    @property
    def quorum_state(self) -> bytes:
        return self.disk.read(QUORUM_STATE)

    @property
    def state(self) -> str:
        return self.client.snapshot().state


def answer_in(effects: list):
    replies = [one for one in effects if isinstance(one, Reply)]
    return replies[0].body.partitions[0] if replies else None


def controller() -> Node:
    """The only voter, which leads already."""
    node = Node(CONTROLLER, (VOTER,))
    node.start()
    return node


def deliver(leader: Node, observer: Node, now_ms: int = 0, rounds: int = 20) -> int:
    """Carry messages between the two until nobody has one; how many were carried."""
    carried = 0
    for _ in range(rounds):
        if not observer.sent and not leader.sent:
            break
        while observer.sent:
            carried += 1
            sent = observer.sent.popleft()
            if isinstance(sent, Send):
                assert sent.to == leader.node
                leader.do(leader.client.handle(sent.request, now_ms))
        while leader.sent:
            carried += 1
            reply = leader.sent.popleft()
            if reply.request.client_id == f"raft-client-{observer.node}":
                observer.do(observer.client.handle(reply.request.answered(reply.body), now_ms))
    return carried


def observer(leader: Node, node: int = 1) -> Node:
    """A broker that has caught up with the leader."""
    made = Node(node)
    made.start()
    deliver(leader, made)
    return made
