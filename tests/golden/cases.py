"""Reads golden cases: what a real Kafka 4.4.0 was given, what it answered, what it wrote.

A case has `steps` (inputs in order) and `expect` (what came back). A produced batch is described
by its records; `hex`, where there is one, is what was sent, byte for byte. Text stands for its
UTF-8 bytes, `{"rep": ["x", 100]}` for a repeated one and `{"hex": "00ff"}` for any bytes.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kafka_internals.record_batch import RecordBatch, batches, encode, valid_length

GOLDEN = Path(__file__).parent
WRONG_ON_PURPOSE = ("max_ts", "count", "deltas", "last_offset_delta", "attributes_or", "magic",
                    "codec", "base_offset", "leader_epoch")
FIRST_LEADER_EPOCH = 0                          # of a new partition, until a restart


def json_lines(path: str) -> list[dict]:
    """A recording with one JSON object a line, by its path below `tests/golden`."""
    return [json.loads(line) for line in (GOLDEN / path).read_text("utf-8").splitlines()]


def blob(given: Any) -> bytes | None:
    """The bytes that a case describes."""
    if given is None or isinstance(given, bytes):
        return given
    if isinstance(given, str):
        return given.encode()
    if "hex" in given:
        return bytes.fromhex(given["hex"])
    text, times = given["rep"]
    return text.encode() * times


def records(described: list[dict]) -> Iterator[tuple]:
    """(timestamp, key, value, headers) of each described record."""
    for one in described:
        headers = tuple((name, blob(value)) for name, value in one.get("h", ()))
        yield one["ts"], blob(one.get("k")), blob(one.get("v")), headers


def batch(described: dict) -> RecordBatch:
    """The batch that a client sends for a description which asks for nothing wrong."""
    asked_for = [name for name in WRONG_ON_PURPOSE if name in described]
    assert not asked_for, f"no client of ours can send {asked_for}; take the step's `hex`"
    return RecordBatch(encode(
        records(described["records"]), producer_id=described.get("pid", -1),
        producer_epoch=described.get("epoch", -1), base_sequence=described.get("seq", -1),
        attributes=0x10 if described.get("txn") else 0))


def sent_bytes(step: dict) -> bytes:
    """What one produce step sent, wrong batches included."""
    return bytes.fromhex(step["hex"]) if "hex" in step else batch(step["batch"]).buffer


def sent(step: dict) -> RecordBatch:
    """The batch of one produce step, wrong ones included."""
    return RecordBatch(sent_bytes(step))


def vector(fact: str) -> bytes:
    """A batch that Kafka's own classes built, by the id of its golden bytes ("G-A-2")."""
    content = json.loads((GOLDEN / "storage/byte-vectors/case.json").read_text("utf-8"))
    (found,) = (one["hex"] for one in content["vectors"] if one["fact"] == fact)
    return bytes.fromhex(found)


class Case:
    """One recorded case of an area, such as `Case("storage/batch-plain")`."""

    def __init__(self, path: str) -> None:
        self.directory = GOLDEN / path
        content = json.loads((self.directory / "case.json").read_text("utf-8"))
        self.id, self.topic = content["id"], content["topic"]
        self.steps, self.expect = content["steps"], content["expect"]
        self.broker, self.random = content["broker"], content["random"]
        self.clock_ms = self.random.get("wallClockMsAtStart", -1)
        self.compare, self.unchanged = content["compare"], content.get("unchanged", {})

    def produced(self) -> list[tuple[dict, dict]]:
        """(step, answer) of the produce steps that the broker accepted."""
        return [(step, answer) for step, answer in zip(self.steps, self.expect)
                if step["op"] == "produce" and answer["error"] == "NONE"]

    def log(self, directory: str = "end") -> bytes:
        """The bytes of the partition's segments, one behind the other."""
        return b"".join(path.read_bytes()
                        for path in sorted((self.directory / directory).glob("*.log")))

    def files(self, directory: str) -> dict[str, bytes]:
        """{name: content} of a recorded copy; what is as in an earlier copy is taken from there."""
        found = {path.name: path.read_bytes()
                 for path in (self.directory / directory).iterdir()}
        for name, before in self.unchanged.get(f"{directory}/", {}).items():
            found[name] = self.files(before.rstrip("/"))[name]
        return found

    def all_batches(self) -> list[RecordBatch]:
        """Every batch of any copy once, by offset."""
        contents = [path.read_bytes() for path in sorted(self.directory.glob("*/*.log"))]
        found = {one.base_offset: one for content in contents
                 for one in batches(content[:valid_length(content)])}
        return [found[offset] for offset in sorted(found)]

    def batches(self, directory: str = "end") -> list[RecordBatch]:
        """The batches of the partition's segments."""
        return list(batches(self.log(directory)))
