"""The process: kafka.Kafka (KRaft), one node with one log directory: broker, controller, or both.

A node that was killed is started again over the same directory, so that what it does about its
logs is Kafka's own recovery. Nothing of it outlives the recorder.
"""

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.golden.recorder.requests import Connection

JARS = Path(__file__).parent / "jars"
POM = "mvn -f tests/golden/recorder/pom.xml dependency:copy-dependencies"
CLUSTER_ID, HEAP = "kafkaInternalsRecorder", "512m"
START_LIMIT_S, STOP_LIMIT_S, A_MOMENT_S = 90, 60, 0.1
QUIET = ("offsets.topic.replication.factor", "offsets.topic.num.partitions",
         "transaction.state.log.replication.factor", "transaction.state.log.min.isr",
         "transaction.state.log.num.partitions")


class BrokerUnavailable(Exception):
    """There is no broker to record from; says what is missing."""


class BrokerDidNotStart(Exception):
    """The process ended before it listened; the end of its log is the message."""


def java_command(jars: Path, java: str = "java") -> list[str]:
    """How a class of Kafka's jars is run. Raises BrokerUnavailable without Java or the jars."""
    if shutil.which(java) is None:
        raise BrokerUnavailable(f"{java!r} is not on the PATH; a broker needs Java 17 or newer")
    if not list(jars.glob("kafka_2.13-*.jar")):
        raise BrokerUnavailable(f"{jars} holds no kafka_2.13-*.jar; get the jars with: {POM}")
    return [java, f"-Xmx{HEAP}", "-XX:TieredStopAtLevel=1",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{jars}/*"]


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at the moment."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


class Node:
    """A process named `name` below `work`, not started yet.

    `properties` by Kafka's names, without the log directory; `options` of Java's; `port` is one on
    which the node listens once it is up.
    """

    def __init__(self, work: Path, name: str, properties: dict, port: int, jars: Path = JARS,
                 java: str = "java", options: tuple[str, ...] = ()) -> None:
        self._java, self._options, self.port = java_command(jars, java), options, port
        self.log_dir, self.log = work / name, work / f"{name}.log"
        self._process: subprocess.Popen | None = None
        self._properties = work / f"{name}.properties"
        lines = {"log.dirs": self.log_dir, **properties}
        self._properties.write_text("".join(f"{name}={lines[name]}\n" for name in lines))
        self._run("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c",
                  str(self._properties)).wait()

    def _run(self, *command: str) -> subprocess.Popen:
        with self.log.open("ab") as log:
            return subprocess.Popen([*self._java, *command], stdout=log, stderr=log)

    def said(self, size: int = 1_500) -> str:
        """The end of what the node's log says."""
        return self.log.read_text("utf-8", "replace")[-size:]

    def directory(self, topic: str) -> Path:
        """Where the logs of a topic's partition 0 lie."""
        return self.log_dir / f"{topic}-0"

    def start(self) -> None:
        """Start it and wait until it listens. Raises BrokerDidNotStart."""
        self._process = self._run(*self._options, "kafka.Kafka", str(self._properties))
        limit = time.monotonic() + START_LIMIT_S
        while time.monotonic() < limit:
            if self._process.poll() is not None:
                raise BrokerDidNotStart(f"ended with {self._process.returncode}: {self.said()}")
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            time.sleep(A_MOMENT_S)
        self.kill()
        raise BrokerDidNotStart(f"does not listen after {START_LIMIT_S} s: {self.said()}")

    def stop(self) -> None:
        """An orderly stop (SIGTERM)."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, also where nothing runs any more."""
        if self._process is not None and self._process.poll() is None:
            self._end(signal.SIGKILL)

    def pause(self) -> None:
        """It stands still (SIGSTOP), as in a long collection of garbage: it listens, unheard."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on (SIGCONT)."""
        self._process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        self._process.send_signal(how)
        try:
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise


class Broker(Node):
    """A whole cluster in one node, `configs` by Kafka's names, and a connection to it."""

    def __init__(self, work: Path, configs: dict, jars: Path = JARS, java: str = "java",
                 options: tuple[str, ...] = ()) -> None:
        port, controller = free_ports(2)
        self._connection: Connection | None = None
        super().__init__(work, "broker", {
            "process.roles": "broker,controller", "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
            **dict.fromkeys(QUIET, 1), **configs}, port, jars, java, options)

    @property
    def connection(self) -> Connection:
        """A connection to it, a new one where the last was closed."""
        if self._connection is None or self._connection.is_closed:
            self._connection = Connection(self.port)
        return self._connection

    def _end(self, how: signal.Signals) -> None:
        if self._connection is not None:
            self._connection.close()
        super()._end(how)
