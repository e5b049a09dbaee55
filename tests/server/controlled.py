"""Three brokers and a controller that tests drive by hand: replication without a cluster.

The brokers are ReplicaManagers on simulated disks; their messages take time, in order on each link,
and may be lost. What the controller writes reaches each broker in its own time.
"""

from heapq import heappop, heappush
from itertools import count
from random import Random

from kafka_internals.cluster.replication_judges import replication_judges
from kafka_internals.common import Changed, Disconnect, Persist, Reply, Send, TopicPartition
from kafka_internals.config import BROKER_CONFIG, TOPIC_CONFIG
from kafka_internals.controller.metadata_image import (
    MetadataImage,
    PartitionRegistration,
    TopicImage,
)
from kafka_internals.messages import Request
from kafka_internals.messages.alter_partition import AlterPartitionRequest
from kafka_internals.record_batch import RecordBatch, encode
from kafka_internals.server.alter_partition_manager import AlterPartitionManager
from kafka_internals.server.node_to_controller_channel_manager import (
    NodeToControllerChannelManager,
)
from kafka_internals.server.replica_manager import ReplicaManager
from kafka_internals.server.rules import Rules
from kafka_internals.sim.disk import Disk
from kafka_internals.sim.invariants import Trial
from kafka_internals.sim.trace import Trace
from tests.server.hand_controller import BrokerRegistration, Controller

ORDERS, CONTROLLER, CLIENT = TopicPartition("orders", 0), 100, "client"
PACE = {"replica.lag.time.max.ms": 400, "replica.fetch.wait.max.ms": 40,
        "replica.fetch.backoff.ms": 30, "replica.socket.timeout.ms": 300,
        "replica.high.watermark.checkpoint.interval.ms": 100}


class Node:
    """One broker: what dies with it is in `manager`."""

    def __init__(self, broker: int, disk: Disk) -> None:
        self.broker, self.disk, self.epoch, self.life, self.knows = broker, disk, broker, 0, 0
        self.manager: ReplicaManager | None = None
        self.correlation_ids = count(1)
        self.left: dict = {}                      # snapshots of what a crash has left on the disk

    @property
    def partition(self):
        """Its replica."""
        return self.manager.partitions[ORDERS]


class Controlled:
    """The brokers, the messages on their way, and the controller. Everything happens in `run`."""

    def __init__(self, brokers=(1, 2, 3), isr=None, min_isr: int = 2, rules: Rules = Rules(),
                 seed: int = 0, elr: bool = True, unclean: bool = False, racks: dict | None = None,
                 excused: tuple = (), **broker) -> None:
        self.random, self.now_ms, self.rules = Random(f"replication {seed}"), 0, rules
        self.config = BROKER_CONFIG.parse({**PACE, **{
            name.replace("_", "."): value for name, value in broker.items()}})
        self.topic_config = TOPIC_CONFIG.parse({"min.insync.replicas": min_isr})
        registered = {one: BrokerRegistration(one, one, rack=(racks or {}).get(one))
                      for one in brokers}
        self.controller = Controller(PartitionRegistration(brokers, isr or brokers, brokers[0], 0),
                                     registered, min_isr, elr, unclean)
        self.controller.written = self._written
        self.nodes = {one: Node(one, Disk(lambda n: self.random.randrange(n))) for one in brokers}
        self.heap, self._tickets, self._link_ms = [], count(), {}
        self.cut: set = set()                     # pairs (sender, receiver)
        self._held: list = []                     # images for brokers that cannot be reached
        self.requests: dict[str, tuple] = {}      # id: sender, its life, receiver, body
        self.answers: dict[str, tuple] = {}       # id: broker, question, answer
        self.trace, self._event, self.version = Trace(), 0, 0
        self.slow = lambda sender, receiver: 1
        self._client_ids = count(1)
        judges = replication_judges(lambda _: self.controller.one, self.answers.get)
        self.trial = Trial(self.trace, self.look,
                           [one for one in judges if type(one).__name__ not in excused])
        for one in brokers:
            self._start(one)

    # -- what is seen -------------------------------------------------------------------------
    def look(self, subject: str):
        """A replica's snapshot, or what a crash left of it."""
        name, at, broker = subject.rpartition("@")
        node = self.nodes.get(int(broker)) if at else None
        if node is None:
            return None
        if node.manager is None:
            return node.left.get(subject)
        one = node.manager.partitions.get(ORDERS) if name == str(ORDERS) else None
        return one and one.snapshot()

    @property
    def image(self) -> MetadataImage:
        """What the controller has written."""
        topic = TopicImage("orders", (self.controller.one,), self.topic_config)
        return MetadataImage(self.controller.brokers, {"orders": topic})

    def leader(self):
        """The replica that the controller has elected, if its broker knows."""
        node = self.nodes.get(self.controller.one.leader)
        return node.partition if node and node.manager else None

    def changes(self, attribute: str, broker: int | None = None) -> list:
        """What became of an attribute, in order."""
        return [(change[3], change[4]) for change in self.trace.changes if change[2] == attribute
                and (broker is None or change[1] == f"orders-0@{broker}")]

    def refusals(self) -> list[str]:
        """What the controller would not write, and why."""
        return [one.error for _, asked, answer in self.answers.values()
                if isinstance(asked, AlterPartitionRequest) for one in answer.partitions
                if one.error != "NONE"]

    # -- life ---------------------------------------------------------------------------------
    def _start(self, broker: int) -> None:
        node = self.nodes[broker]
        node.life, node.knows = node.life + 1, self.version
        node.channel = NodeToControllerChannelManager(
            f"broker-{broker}-alter-partition", lambda: CONTROLLER, node.correlation_ids.__next__)
        node.manager = ReplicaManager(broker, node.disk, self.config, self.rules,
                                      node.correlation_ids.__next__, lambda: node.epoch,
                                      AlterPartitionManager(broker, lambda: node.epoch,
                                                            node.channel))
        self._perform(broker, node.manager.apply_image(self.image, self.now_ms, ()))
        self._over()

    def kill(self, broker: int, loses: str = "") -> None:
        """The process dies; `loses`: "power" or "disk"."""
        node = self.nodes[broker]
        node.left = {} if loses else {f"orders-0@{broker}": node.partition.snapshot()}
        node.manager = None
        if loses:
            state = {"power": "without power", "disk": "without disk"}[loses]
            self._note(Changed(f"broker-{broker}", "state", "running", state, "a test"))
            node.disk.power_loss() if loses == "power" else node.disk.lose()
        self._over()

    def stop(self, broker: int) -> None:
        """An orderly stop, after the controller has moved what the broker led."""
        self.controller.shut_down(broker)
        self.run(100)
        node = self.nodes[broker]
        for effect in node.manager.shut_down():
            node.disk.replace(effect.file, effect.data)
        self.kill(broker)
        self.controller.fence(broker)

    def restart(self, broker: int, clean: bool = False, unfence: bool = True) -> None:
        """Register, begin with what the disk holds, and be unfenced a little later."""
        node = self.nodes[broker]
        node.epoch = self.controller.register(broker, clean)
        self._start(broker)
        if unfence:
            self.after(20, "unfence", broker, node.life)

    # -- messages -----------------------------------------------------------------------------
    def after(self, delay_ms: int, kind: str, *payload) -> None:
        """Something happens later."""
        heappush(self.heap, (self.now_ms + delay_ms, next(self._tickets), kind, payload))

    def _send(self, sender, receiver, kind: str, *payload) -> None:
        """On one link everything arrives in the order in which it was sent, or not at all.

        Metadata and answers to AlterPartition come on two connections, as in Kafka.
        """
        link = sender, receiver, kind == "image"
        due_ms = max(self.now_ms + self.slow(sender, receiver), self._link_ms.get(link, 0))
        self._link_ms[link] = due_ms
        heappush(self.heap, (due_ms, next(self._tickets), kind, payload))

    def _written(self, old) -> None:
        self._note(Changed(str(ORDERS), "isr", old.isr, self.controller.one.isr, "a test"))
        self.version, image = self.version + 1, self.image
        for broker in self.nodes:
            self._send(CONTROLLER, broker, "image", broker, self.version, image)

    def _perform(self, broker: int, effects: list) -> None:
        node = self.nodes[broker]
        for effect in effects:
            if isinstance(effect, Changed):
                self._note(effect)
            elif isinstance(effect, Persist):
                node.disk.replace(effect.file, effect.data)
            elif isinstance(effect, Send):
                self.requests[effect.request.id] = broker, node.life, effect.to, effect.request
                self._send(broker, effect.to, "request", effect.request.id)
            elif isinstance(effect, Reply):
                asked = effect.request
                self.answers[asked.id] = broker, asked.body, effect.body
                if asked.id in self.requests:
                    self._send(broker, self.requests[asked.id][0], "response", asked.id)
            else:
                assert isinstance(effect, Disconnect)

    def _note(self, change: Changed) -> None:
        self.trace.changed(self._event, change)

    def _over(self) -> None:
        self.trial.after_event(self._event)
        self._event += 1

    def run(self, ms: int) -> None:
        """Let time pass."""
        end_ms = self.now_ms + ms
        while True:
            due = [(node.manager.next_deadline_ms(self.now_ms), broker)
                   for broker, node in self.nodes.items() if node.manager]
            due = min([(at, broker) for at, broker in due if at is not None], default=None)
            first_ms = self.heap[0][0] if self.heap else end_ms
            if due is not None and due[0] <= min(first_ms, end_ms):
                self.now_ms = max(self.now_ms, due[0])
                self._perform(due[1], self.nodes[due[1]].manager.tick(self.now_ms))
            elif self.heap and self.heap[0][0] <= end_ms:
                self.now_ms, _, kind, payload = heappop(self.heap)
                getattr(self, f"_on_{kind}")(*payload)
            else:
                break
            self._over()
        self.now_ms = end_ms

    def _on_unfence(self, broker: int, life: int) -> None:
        if self.nodes[broker].life == life and self.nodes[broker].manager:
            self.controller.unfence(broker)

    def _on_expire(self, broker: int, life: int) -> None:
        node = self.nodes[broker]
        if node.life == life and not self.controller.brokers[broker].fenced and (
                node.manager is None or (broker, CONTROLLER) in self.cut):
            self.controller.fence(broker)

    def _on_image(self, broker: int, version: int, image) -> None:
        """One from before what the broker knows already tells it nothing."""
        node = self.nodes[broker]
        if (CONTROLLER, broker) in self.cut:
            self._held.append((broker, version, image))
        elif node.manager and version > node.knows:
            node.knows = version
            self._perform(broker, node.manager.apply_image(image, self.now_ms, ()))

    def _on_request(self, id: str) -> None:
        sender, life, receiver, request = self.requests[id]
        if (sender, receiver) in self.cut:
            if receiver == CONTROLLER:
                self.after(100, "no_controller", sender, life)
        elif receiver == CONTROLLER:
            answer = self.controller.alter(request.body)
            self.answers[id] = CONTROLLER, request.body, answer
            self._send(CONTROLLER, sender, "response", id)
        elif self.nodes[receiver].manager is None:
            self._send(receiver, sender, "disconnected", sender, life, receiver)
        else:
            self._perform(receiver, self.nodes[receiver].manager.handle(request, self.now_ms))

    def _on_response(self, id: str) -> None:
        sender, life, receiver, request = self.requests[id]
        node = self.nodes[sender]
        if node.manager is None or node.life != life:
            return
        if (receiver, sender) in self.cut:
            if receiver == CONTROLLER:
                self.after(100, "no_controller", sender, life)
            return
        response = request.answered(self.answers[id][2])
        self._perform(sender, node.manager.alter_partition_answered(response, self.now_ms)
                      if receiver == CONTROLLER else
                      node.manager.fetched(receiver, response, self.now_ms))

    def _on_disconnected(self, sender: int, life: int, receiver: int) -> None:
        node = self.nodes[sender]
        if node.manager and node.life == life:
            self._perform(sender, node.manager.fetcher_disconnected(receiver, self.now_ms))

    def _on_no_controller(self, sender: int, life: int) -> None:
        node = self.nodes[sender]
        if node.manager and node.life == life:
            node.channel.disconnected(self.now_ms)
            self._perform(sender, [])

    def heal(self) -> None:
        """Every link works again; what the controller has written meanwhile arrives."""
        self.cut.clear()
        held, self._held = self._held, []
        for broker, version, image in held:
            self._send(CONTROLLER, broker, "image", broker, version, image)

    # -- clients ------------------------------------------------------------------------------
    def ask(self, broker: int, body):
        """Hand a request to a broker at once; its answer, or None where it has to wait."""
        request = Request.of(CLIENT, next(self._client_ids), body)
        self._perform(broker, self.nodes[broker].manager.handle(request, self.now_ms))
        self._over()
        return self.answer_of(request.id)

    def answer_of(self, id: str):
        """What was answered so far."""
        return self.answers[id][2] if id in self.answers else None


def batch(value: bytes = b"v", records: int = 1) -> RecordBatch:
    """What a producer sends."""
    return RecordBatch(encode([(1_000, None, value, ())] * records))
