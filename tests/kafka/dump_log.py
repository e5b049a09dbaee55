"""kafka-dump-log: finds Kafka's jars and Java, and runs DumpLogSegments once over many files."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

JARS = Path(__file__).parent / "jars"
JAVA = shutil.which("java")
FETCH = "mvn -f tests/kafka/pom.xml dependency:copy-dependencies"


def _absent() -> str | None:
    if not JAVA:
        return "there is no Java on the PATH (apt-get install default-jre-headless)"
    return None if list(JARS.glob("kafka-tools-*.jar")) else \
        f"Kafka's tools are not in tests/kafka/jars ({FETCH})"


ABSENT = _absent()


class Told(NamedTuple):
    """{file: lines that the tool printed for it}, and {file: what it found fault with}."""

    lines: dict[Path, list[str]]
    complaints: dict[Path, list[str]]


def dump(files: list[Path], *options: str) -> Told:
    """What the tool says of these files. AssertionError where it fails."""
    done = subprocess.run(
        [JAVA, "-XX:TieredStopAtLevel=1", "-cp", f"{JARS}/*",
         "org.apache.kafka.tools.DumpLogSegments", *options, "--files",
         ",".join(map(str, files))], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = Told({}, {})
    for line in done.stdout.splitlines():
        if line.startswith("Dumping "):
            told.lines[Path(line.removeprefix("Dumping "))] = lines = []
        else:
            lines.append(line)
    for line in done.stderr.splitlines():
        if not line.startswith((" ", "Indexed")):           # the head of a complaint names its file
            file = Path(line[line.index(os.sep):])
        told.complaints.setdefault(file, []).append(line.partition(os.sep)[0].strip())
    return told
