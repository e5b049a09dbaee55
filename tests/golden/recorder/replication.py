"""The command: python -m tests.golden.recorder.replication [--out DIR], brokers fail and return.

Brokers 1, 2 and 3 and controller 100 are processes of their own; every setting is Kafka's default,
session timeouts included. Topic `orders` has one partition on 1, 2 and 3, and needs two in sync.
Records that only the leader has (its followers stand still, SIGSTOP) part its log from theirs when
it is killed; it returns, truncates and is elected again. Then one broker after another leaves,
until a replica is up that may not lead. Each recording is a session at one screen: commands, what
they printed, and between them, behind a `#`, what was done to the cluster. Broker N listens at
909N and answers JMX at 999N; the controller at 9990. A log's lines have only level and message.
What notebooks show of it is cut out by `excerpts`.
"""

import argparse
import contextlib
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kafka.protocol.metadata import MetadataRequest

from tests.golden.cases import GOLDEN
from tests.golden.recorder import tools
from tests.golden.recorder.broker import Node, free_ports
from tests.golden.recorder.requests import Connection

STORED, TOPIC, CONTROLLER, BROKERS = GOLDEN / "replication", "orders", 100, (1, 2, 3)
SEGMENT = "00000000000000000000.log"
LOG, METADATA = f"{TOPIC}-0/{SEGMENT}", f"controller-{CONTROLLER}/__cluster_metadata-0/{SEGMENT}"
SENT = {"all": ("ada:paid", "lin:paid", "ada:shipped"), "lost": ("lin:shipped", "ada:returned"),
        "new": ("eve:paid",), "last": ("eve:shipped",), "refused": ("kim:paid",),
        "unseen": ("kim:paid",)}
# A fetch that waits at its leader does so for replica.fetch.wait.max.ms; high watermarks are
# written to disk every replica.high.watermark.checkpoint.interval.ms.
FETCH_IS_OVER_S, CHECKPOINT_IS_WRITTEN_S = 0.9, 6
LIMIT_S, A_MOMENT_S, SETTLED_S = 60, 0.2, 1
METADATA_VERSION = 7
END = ("kafka-get-offsets.sh", "--topic", TOPIC)
BATCHES = "cut -d' ' -f1-6,15-16"                  # offsets, count and leader epoch of a batch
EPOCHS = f"grep ' ' broker-?/{TOPIC}-0/leader-epoch-checkpoint"       # not its version and count
WATERMARKS = f"grep {TOPIC} broker-?/replication-offset-checkpoint"
CHANGES = "grep -oE '\\{\"type\":\"(PARTITION|BROKER_REGISTRATION_CHANGE).*'"
DEFAULTS = {
    "brokers": ("replica.fetch.wait.max.ms", "replica.lag.time.max.ms",
                "replica.high.watermark.checkpoint.interval.ms", "min.insync.replicas",
                "unclean.leader.election.enable", "broker.heartbeat.interval.ms",
                "broker.session.timeout.ms", "auto.leader.rebalance.enable",
                "leader.imbalance.check.interval.seconds"),
    "topics": ("min.insync.replicas", "unclean.leader.election.enable")}
MBEANS = {"broker": ("kafka.server:type=Replica*,*",), "controller": ("kafka.controller:*",)}
ATTRIBUTES = ("--attributes", "Value,Count")
TELLING = ("kafka.server.ReplicaFetcherThread", "org.apache.kafka.storage.internals.log.UnifiedLog")
PLAIN_LOG = tuple(f"-Dorg.slf4j.simpleLogger.{name}" for name in (
    "showThreadName=false", "showLogName=false", *(f"log.{one}=info" for one in TELLING)))


class Replicated(tools.Tools):
    """Three brokers and their controller, and Kafka's commands on them."""

    def __init__(self, work: Path) -> None:
        ports = iter(free_ports(2 * len((CONTROLLER, *BROKERS))))
        self.nodes: dict[int, Node] = {}
        self.jmx_ports: dict[int, int] = {}
        known: dict[int, int] = {}
        for one in (CONTROLLER, *BROKERS):
            port, self.jmx_ports[one] = next(ports), next(ports)
            known |= {port: 9090 + one % CONTROLLER, self.jmx_ports[one]: 9990 + one % CONTROLLER}
            role = "broker" if one in BROKERS else "controller"
            listener = f"{'PLAINTEXT' if one in BROKERS else 'CONTROLLER'}://127.0.0.1:{port}"
            voter = port if one == CONTROLLER else self.nodes[CONTROLLER].port
            self.nodes[one] = Node(work, f"{role}-{one}", {
                "process.roles": role, "node.id": one, "listeners": listener,
                "controller.quorum.voters": f"{CONTROLLER}@127.0.0.1:{voter}",
                "controller.listener.names": "CONTROLLER",
                "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT"}, port,
                options=(*tools.jmx(self.jmx_ports[one]), *PLAIN_LOG))
        super().__init__(work, known)

    # -- what is asked ------------------------------------------------------------------------
    def asked(self, broker: int, name: str, *arguments: str, **how: Any) -> str:
        """A command that asks a broker."""
        return self.printed(name, *arguments, at=self.nodes[broker].port, **how)

    def described(self, broker: int, *which: str) -> str:
        return self.asked(broker, "kafka-topics.sh", "--describe", *(which or ("--topic", TOPIC)))

    def sent(self, broker: int, what: str, *options: str, **how: Any) -> str:
        """kafka-console-producer with the records called `what`."""
        return self.asked(broker, "kafka-console-producer.sh", "--topic", TOPIC, *options,
                          lines=SENT[what], **how)

    def measured(self, node: int) -> str:
        whose = "broker" if node in BROKERS else "controller"
        return self.metrics(self.jmx_ports[node], MBEANS[whose], *ATTRIBUTES)

    def dumped(self, *brokers: int, options: tuple[str, ...] = (), through: str = "") -> str:
        files = ",".join(f"broker-{one}/{LOG}" for one in brokers)
        return self.printed("kafka-dump-log.sh", *options, "--files", files, through=through)

    # -- what is waited for -------------------------------------------------------------------
    def until(self, broker: int, is_so: Callable[[set[int], int, set[int]], bool]) -> None:
        """Wait until a broker knows brokers, leader and ISR of which `is_so`. AssertionError."""
        limit, known = time.monotonic() + LIMIT_S, None
        while time.monotonic() < limit:
            with contextlib.suppress(OSError):
                known = self._known_by(broker)
                if known and is_so(*known):
                    time.sleep(SETTLED_S)
                    return
            time.sleep(A_MOMENT_S)
        raise AssertionError(f"after {LIMIT_S} s broker {broker} knows {known}")

    def _known_by(self, broker: int) -> tuple[set[int], int, set[int]]:
        connection = Connection(self.nodes[broker].port)
        told = connection.ask(MetadataRequest(
            topics=[(TOPIC,)], allow_auto_topic_creation=False, version=METADATA_VERSION))
        connection.close()
        alive = {one.node_id for one in told.brokers}
        for one in told.topics[0].partitions:
            return alive, one.leader_id, set(one.isr_nodes)
        return alive, -1, set()                    # the topic is not there yet

    def start(self, *nodes: int) -> None:
        for one in nodes:
            self.nodes[one].start()


# -- the session ------------------------------------------------------------------------------
def failover(on: Replicated) -> Iterator[tuple[str, str]]:
    """A leader dies with records of its own: (name, text) of what is seen."""
    on.until(1, lambda alive, *_: alive == set(BROKERS))
    yield "describe", on.asked(
        1, "kafka-topics.sh", "--create", "--topic", TOPIC, "--replica-assignment", "1:2:3",
        "--config", "min.insync.replicas=2")
    on.until(1, lambda _, leader, isr: (leader, isr) == (1, set(BROKERS)))
    yield "produce", on.sent(1, "all")
    yield "describe", on.described(1)
    yield "configs", defaults(on)
    time.sleep(CHECKPOINT_IS_WRITTEN_S)
    for one in (2, 3):
        on.nodes[one].pause()
    time.sleep(FETCH_IS_OVER_S)
    yield "produce", "# brokers 2 and 3 stand still (kill -STOP)\n"
    yield "produce", on.sent(1, "lost", "--request-required-acks", "1")
    on.nodes[1].kill()
    for one in (2, 3):
        on.nodes[one].resume()
    yield "produce", "# broker 1 is killed (kill -9); 2 and 3 go on (kill -CONT)\n"
    on.until(2, lambda _, leader, isr: (leader, isr) == (2, {2, 3}))
    yield "describe", "# broker 1 is killed (kill -9), and its session is over\n"
    yield "describe", on.described(2)
    yield "metrics", "# broker 1 is killed, and its session is over\n"
    for node in (2, CONTROLLER):
        yield "metrics", on.measured(node)
    yield "produce", on.sent(2, "new")
    time.sleep(CHECKPOINT_IS_WRITTEN_S)
    yield "epochs", ("# broker 1 was killed with two records of its own; broker 2 leads and has "
                     "one\n")
    yield "epochs", on.dumped(1, 2, through=BATCHES)
    yield "epochs", on.looked(EPOCHS)
    yield "epochs", on.looked(WATERMARKS)


def returned(on: Replicated) -> Iterator[tuple[str, str]]:
    """The old leader becomes a follower, and then the leader again."""
    on.start(1)
    on.until(2, lambda _, leader, isr: (leader, isr) == (2, set(BROKERS)))
    yield "truncation", "# broker 1 is started again\n"
    yield "truncation", on.looked("grep -h Truncating broker-1.log")
    yield "describe", "# broker 1 is started again, and has caught up\n"
    yield "describe", on.described(2)
    yield "describe", on.asked(2, "kafka-leader-election.sh", "--election-type", "preferred",
                               "--topic", TOPIC, "--partition", "0")
    on.until(1, lambda _, leader, isr: (leader, isr) == (1, set(BROKERS)))
    yield "describe", on.described(1)
    yield "produce", "# broker 1 is started again, and elected as the preferred replica\n"
    yield "produce", on.sent(1, "last")
    time.sleep(CHECKPOINT_IS_WRITTEN_S)
    yield "truncation", "# broker 1 leads again, and has got one more record\n"
    yield "truncation", on.dumped(1, through=BATCHES)
    yield "truncation", on.looked(EPOCHS)
    yield "truncation", on.looked(WATERMARKS)
    yield "truncation", on.looked(f"cksum broker-?/{LOG}")


def under_min_isr(on: Replicated) -> Iterator[tuple[str, str]]:
    """The ISR falls below the minimum: who is eligible, and what clients are told."""
    on.nodes[2].stop()
    on.until(1, lambda _, leader, isr: (leader, isr) == (1, {1, 3}))
    yield "under-min-isr", "# broker 2 is stopped (kill -TERM)\n"
    yield "under-min-isr", on.described(1)
    yield "under-min-isr", on.described(1, "--at-min-isr-partitions")
    yield "metrics", "# broker 2 is stopped\n"
    yield "metrics", on.measured(1)
    on.nodes[1].kill()
    on.until(3, lambda _, leader, isr: (leader, isr) == (3, {3}))
    yield "under-min-isr", "# broker 1 is killed (kill -9), and its session is over\n"
    yield "under-min-isr", on.described(3)
    yield "under-min-isr", on.described(3, "--under-min-isr-partitions")
    yield "under-min-isr", on.sent(3, "refused", "--sync", refused=True)
    yield "under-min-isr", on.asked(3, *END)
    yield "under-min-isr", on.sent(3, "unseen", "--request-required-acks", "1")
    yield "under-min-isr", on.asked(3, *END)
    yield "metrics", "# broker 2 is stopped, broker 1 is killed, and its session is over\n"
    for node in (3, CONTROLLER):
        yield "metrics", on.measured(node)


def nobody_leads(on: Replicated) -> Iterator[tuple[str, str]]:
    """The last one leaves; who comes back may not lead, until it is one of the eligible."""
    on.nodes[3].stop()
    on.start(2)
    on.until(2, lambda alive, leader, _: (alive, leader) == ({2}, -1))
    yield "elr", "# broker 3 is stopped (kill -TERM), broker 2 is started again\n"
    yield "elr", on.described(2)
    yield "elr", on.described(2, "--unavailable-partitions")
    yield "metrics", "# broker 3 is stopped, too, and broker 2 is started again\n"
    yield "metrics", on.measured(CONTROLLER)
    on.start(1)
    on.until(2, lambda alive, *_: alive == {1, 2})
    yield "elr", "# broker 1 is started again, after its kill -9\n"
    yield "elr", on.described(2)
    on.start(3)
    on.until(2, lambda _, leader, isr: (leader, isr) == (3, set(BROKERS)))
    yield "elr", "# broker 3 is started again, after an orderly stop\n"
    yield "elr", on.described(2)
    yield "elr", on.asked(2, *END)
    yield "metrics", "# all brokers are started again\n"
    for node in (3, CONTROLLER):
        yield "metrics", on.measured(node)


def files(on: Replicated) -> Iterator[tuple[str, str]]:
    """What lies on the disks then."""
    yield "dump-log", on.dumped(*BROKERS, options=("--print-data-log",))
    yield "metadata", on.printed("kafka-dump-log.sh", "--cluster-metadata-decoder", "--files",
                                 METADATA, through=CHANGES)


def defaults(on: Replicated) -> str:
    """The settings that the course states."""
    return "".join(tools.settings(on.asked(
        1, "kafka-configs.sh", "--describe", "--all", "--entity-type", entity, "--entity-name",
        name), DEFAULTS[entity]) for entity, name in (("brokers", "1"), ("topics", TOPIC)))


def record(work: Path, out: Path) -> None:
    """Play it in `work`; what was printed goes into `out`."""
    on, told = Replicated(work), {}
    try:
        on.start(CONTROLLER, *BROKERS)
        for part in (failover, returned, under_min_isr, nobody_leads, files):
            for name, text in part(on):
                told[name] = told.get(name, "") + text
    finally:
        for node in on.nodes.values():
            node.kill()
    tools.keep(out, told)


# -- what notebooks show ----------------------------------------------------------------------
# {name: (the commands of a recording, and the lines of what they printed)}
SHOWN = {
    "describe": (".", r"Created|Success|Partition: "),
    "epochs": (".", r"Dumping|baseOffset|checkpoint"),
    "truncation": ("^#|Truncating|dump-log|cksum", r"Truncating|Dumping|baseOffset|^\d+ \d+ "),
    "under-min-isr": ("^#|--topic|--under", r"Partition: |^java.*Exception|:0:"),
    "elr": (".", r"Partition: |:0:"),
    "metrics": (".", (
        r"name=(UnderReplicatedPartitions|UnderMinIsrPartitionCount|AtMinIsrPartitionCount|"
        r"IsrShrinksPerSec|IsrExpandsPerSec|ActiveBrokerCount|FencedBrokerCount|MaxLag,.*=Replica|"
        r"OfflinePartitionsCount|PreferredReplicaImbalanceCount|UncleanLeaderElectionsPerSec):")),
    "configs": (".", "=")}
# Of the metrics, those of one moment.
MOMENT = r"(?ms)^# broker 2 is stopped, broker 1 is killed.*?(?=^# )"


def excerpts(recorded: Path) -> dict[str, str]:
    """{name: text} of what notebooks show: lines of the recordings."""
    told = tools.recorded(recorded)
    told["metrics"] = re.search(MOMENT, told["metrics"])[0]
    return {f"replicas-{name}": "".join(
        tools.shortened(block, lines) for block in tools.blocks(told[name])
        if re.search(commands, block.partition("\n")[0]))
        for name, (commands, lines) in SHOWN.items()}


def main(arguments: list[str]) -> int:
    """Exit status: 0, or 2 where nothing could be recorded."""
    about = argparse.ArgumentParser(prog="python -m tests.golden.recorder.replication",
                                    description="Record what Kafka's tools print of failovers.")
    return tools.renew(arguments, about, STORED, record, excerpts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
