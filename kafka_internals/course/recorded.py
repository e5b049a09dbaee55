"""What a real Apache Kafka 4.4.0 printed, for the sections "On a real cluster".

The texts lie in `recordings` beside this module. Their lines are those of the recordings in
`tests/golden/broker` and `tests/golden/replication` (`console.py` and `replication.py` in
`tests/golden/recorder` say how those were made), each below the command that printed it;
`request-*` come from the request log (`kafka.request.logger` at DEBUG). `replicas-*` are of three
brokers on one machine: broker N listens at 909N, and a line that begins with `#` says what was done
to the cluster before the next command. Two things are left out: lines of long tables, and of a line
of the request log the fields that say who spoke (connection, listener, principal, client software),
while the others stand one below the other. Times and ids are those of the two runs.
"""

from pathlib import Path

RECORDINGS = Path(__file__).parent / "recordings"
NAMES = tuple(sorted(path.stem for path in RECORDINGS.glob("*.txt")))


def printed(name: str) -> str:
    """One of the texts in `NAMES`, to be printed. Raises KeyError for another name."""
    if name not in NAMES:
        raise KeyError(f"nothing was recorded as {name!r}; there is {', '.join(NAMES)}")
    return (RECORDINGS / f"{name}.txt").read_text("utf-8")


def values(name: str) -> dict[str, str]:
    """{setting, or MBean:attribute: value} of the lines of a text that begin with one."""
    words = (line.partition(" ")[0].rpartition("=") for line in printed(name).splitlines())
    return {key: value for key, _, value in words if key}
