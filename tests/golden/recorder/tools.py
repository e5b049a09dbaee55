"""Kafka's own commands, run on what is recorded: what one types, and what is printed.

Each text opens with the command as one would type it. Ports become those of a plain installation,
and paths begin in the folder in which the commands run; all else stands as it was printed.
"""

import argparse
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from kafka_internals.course.recorded import RECORDINGS
from tests.golden.recorder.broker import BrokerUnavailable
from tests.kafka.dump_log import ABSENT, JARS, JAVA

LIMIT_S = 60
CLASSES = {
    "kafka-topics.sh": "TopicCommand", "kafka-configs.sh": "ConfigCommand",
    "kafka-jmx.sh": "JmxTool", "kafka-dump-log.sh": "DumpLogSegments",
    "kafka-get-offsets.sh": "GetOffsetShell", "kafka-leader-election.sh": "LeaderElectionCommand",
    "kafka-console-producer.sh": "ConsoleProducer",
    "kafka-console-consumer.sh": "consumer.ConsoleConsumer"}


def jmx(port: int) -> tuple[str, ...]:
    """Java's options that let this machine, and no other, ask for metrics."""
    name = "-Dcom.sun.management.jmxremote"
    return (f"{name}.port={port}", f"{name}.rmi.port={port}", f"{name}.host=127.0.0.1",
            f"{name}.authenticate=false", f"{name}.ssl=false",
            "-Djava.rmi.server.hostname=127.0.0.1")


def plain(text: str, ports: dict[int, int]) -> str:
    """A text with the ports of a plain installation: {ours: the plain one}."""
    return re.sub(r"(?<=:)\d+", lambda found: str(ports.get(int(found[0]), found[0])), text)


def command(name: str, *options: str) -> list[str]:
    """How Java runs one of Kafka's commands, or a class of its jars."""
    kafka = f"org.apache.kafka.tools.{CLASSES[name]}" if name in CLASSES else name
    return [JAVA, "-XX:TieredStopAtLevel=1", *options, "-cp", f"{JARS}/*", kafka]


class Tools:
    """Runs commands in `folder` against nodes at `ports`: {ours: the plain one}."""

    def __init__(self, folder: Path, ports: dict[int, int]) -> None:
        self.folder, self._ports = folder, ports

    def plain(self, text: str) -> str:
        """A text without what belongs to this machine."""
        return plain(text.replace(f"{self.folder}/", ""), self._ports)

    def printed(self, name: str, *arguments: str, at: int | None = None, refused: bool = False,
                lines: tuple[str, ...] = (), through: str = "") -> str:
        """The command as one would type it, and what it printed.

        `at` is the port of the broker that it asks; `lines` are piped into it, and what it prints
        `through` another command. One that is `refused` also tells of its error, without the stack.
        """
        where = ("--bootstrap-server", f"localhost:{at}") if at else ()
        given = (*where, *arguments)
        done = subprocess.run([*command(name), *given], capture_output=True, text=True,
                              timeout=LIMIT_S, cwd=self.folder,
                              input="".join(f"{line}\n" for line in lines))
        assert bool(done.returncode) == refused, f"{name}: {done.stdout}{done.stderr}"
        typed = name if name in CLASSES else f"kafka-run-class.sh {name}"
        piped = f"printf '%s\\n' {shlex.join(lines)} | " if lines else ""
        told = done.stdout + (re.sub(r"(?m)^\s.*\n", "", done.stderr) if refused else "")
        if through:
            told = self._shell(through, told)
        filtered = f" | {through}" if through else ""
        return self.plain(f"$ {piped}{shlex.join([*typed.split(), *given])}{filtered}\n{told}")

    def looked(self, line: str) -> str:
        """A line of the shell, as one would type it in the folder, and what it printed."""
        return self.plain(f"$ {line}\n{self._shell(line)}")

    def _shell(self, line: str, given: str = "") -> str:
        return subprocess.run(line, shell=True, input=given, capture_output=True, text=True,
                              check=True, cwd=self.folder).stdout

    def metrics(self, port: int, names: tuple[str, ...], *options: str) -> str:
        """What kafka-jmx prints of a process: `MBean:attribute=value`, one a line."""
        url = f"service:jmx:rmi:///jndi/rmi://localhost:{port}/jmxrmi"
        asked = [one for name in names for one in ("--object-name", name)]
        told = self.printed("kafka-jmx.sh", "--jmx-url", url, "--one-time", "--report-format",
                            "properties", *asked, *options)
        return re.sub(r"(?m)^(time=\d+)?\n", "", told)


def blocks(text: str) -> list[str]:
    """Each command, or remark behind a `#`, with what was printed below it."""
    return re.findall(r"(?m)^[$#] .*\n(?:(?![$#] ).*\n)*", text)


def shortened(text: str, shown: str) -> str:
    """A text without the lines in which the pattern `shown` is not found, but for its commands."""
    return "".join(line for line in text.splitlines(keepends=True)
                   if line.startswith(("$ ", "# ")) or re.search(shown, line))


def settings(text: str, keys: tuple[str, ...]) -> str:
    """What kafka-configs printed, with the lines of `keys` alone, in their order."""
    told, *lines = text.splitlines()
    return "\n".join([told, *(line.strip() for key in keys for line in lines
                              if line.strip().startswith(f"{key}=")), ""])


def keep(out: Path, told: dict[str, str]) -> None:
    """Write the recordings, {name: text}."""
    out.mkdir(parents=True, exist_ok=True)
    for name, text in told.items():
        (out / f"{name}.txt").write_text(text, "utf-8")


def recorded(folder: Path) -> dict[str, str]:
    """{name: text} of the recordings in a folder."""
    return {path.stem: path.read_text("utf-8") for path in sorted(folder.glob("*.txt"))}


def renew(arguments: list[str], about: argparse.ArgumentParser, stored: Path,
          record: Callable[[Path, Path], None], excerpts: Callable[[Path], dict[str, str]]) -> int:
    """A recorder's command. Exit status: 0, or 2 where nothing could be recorded."""
    about.add_argument("--out", type=Path, help="a folder; else the stored ones are renewed")
    out = about.parse_args(arguments).out
    try:
        if ABSENT:
            raise BrokerUnavailable(ABSENT)
        with tempfile.TemporaryDirectory(prefix="recorder-") as work:
            record(Path(work), out or stored)
    except BrokerUnavailable as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    if out is None:
        keep(RECORDINGS, excerpts(stored))
    return 0
