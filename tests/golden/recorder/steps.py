"""The interpreter: gives the steps of cases to a broker and notes its answers and its files.

Cases with the same settings and the same stops share a broker, for a start takes longer than a
case. What the stored case calls the present (a day around its clock) is moved to the new present:
a broker forgets producers and rolls segments by the wall clock. Order of file operations and the
broker's own log are not recorded.
"""

import json
import shutil
import time
from pathlib import Path

from kafka_internals.errors import KafkaException
from kafka_internals.record_batch import RecordBatch, batches
from kafka_internals.storage.checkpoint_file import (
    CLEANER_OFFSET_CHECKPOINT,
    HIGH_WATERMARK_CHECKPOINT,
    LOG_START_OFFSET_CHECKPOINT,
    PARTITION_METADATA,
    RECOVERY_POINT_CHECKPOINT,
)
from tests.golden import cases
from tests.golden.recorder.broker import Broker, BrokerDidNotStart

DAY_MS, LARGEST_COPIED_BYTES = 86_400_000, 1 << 20
A_MOMENT_S, CONFIG_ARRIVES_S, SETTLED_S, LONGEST_WAIT_S = 0.05, 0.3, 1.0, 20
CHECKPOINTS = (RECOVERY_POINT_CHECKPOINT, HIGH_WATERMARK_CHECKPOINT, LOG_START_OFFSET_CHECKPOINT,
               CLEANER_OFFSET_CHECKPOINT)
ASKED = ("delete_topic", "alter", "fetch", "list_offsets", "epoch_end", "delete_records", "marker",
         "producers")
TO_ITS_END, KILLED = "SIGTERM, orderly", "SIGKILL"


def moved(step: dict, clock_ms: int, now_ms: int) -> dict:
    """A step whose present was `clock_ms`, with `now_ms` for its present."""
    def later(time_ms: int) -> int:
        return time_ms + now_ms - clock_ms if abs(time_ms - clock_ms) < DAY_MS else time_ms
    step = dict(step)
    if "timestamp" in step:
        step["timestamp"] = later(step["timestamp"])
    described = step["batch"]["records"] if step["op"] == "produce" and "batch" in step else []
    after = [{**one, "ts": later(one["ts"])} for one in described]
    if after != described:
        step["batch"] = {**step["batch"], "records": after}
        step.pop("hex", None)                   # of what is sent now, the description tells
    return step


def framed(content: bytes) -> tuple[list[RecordBatch], bytes]:
    """The whole batches of a .log file, right or wrong, and the bytes behind the last."""
    found = []
    try:
        found.extend(batches(content))
    except KafkaException:                      # no batch begins there
        pass
    return found, content[sum(one.size for one in found):]


def rows(content: bytes) -> list[list]:
    """[base, last, count, attributes, size, [offsets]] of each whole batch of a .log file.

    Where the base timestamp is a delete horizon it stands behind them.
    """
    return [[one.base_offset, one.last_offset, one.header.records_count, one.header.attributes,
             one.size, _offsets(one), *_horizon(one)] for one in framed(content)[0]]


def _horizon(batch: RecordBatch) -> tuple[int, ...]:
    return () if batch.header.delete_horizon_ms is None else (batch.header.delete_horizon_ms,)


def _offsets(batch: RecordBatch) -> list[int]:
    """Up to the first record that cannot be read: some cases damage batches."""
    found = []
    try:
        found.extend(record.offset for record in batch.records())
    except (KafkaException, ValueError):
        pass
    return found


def until_it_answers(broker: Broker, topic: str) -> None:
    """Wait until the broker knows that it leads the topic's partition."""
    limit = time.monotonic() + LONGEST_WAIT_S
    while time.monotonic() < limit:
        if broker.connection.list_offsets(topic, {"timestamp": -1})["error"] == "NONE":
            return
        time.sleep(A_MOMENT_S)


class Recording:
    """One case on its way. `content` is a case as in its file; what it had in `expect` is not read.

    Copies of the partition's directory go below `out`.
    """

    def __init__(self, content: dict, broker: Broker, out: Path, now_ms: int) -> None:
        self._broker, self._out, self._at, self._stops = broker, out, 0, 0
        self.topic, self._copies = content["topicName"], {}
        clock_ms = content.get("random", {}).get("wallClockMsAtStart", now_ms)
        self.steps = [moved(step, clock_ms, now_ms) for step in content["steps"]]
        self.case = {**content, "steps": self.steps, "expect": [], "unchanged": {}, "files": {},
                     "random": {"wallClockMsAtStart": now_ms}}

    @property
    def next_step(self) -> dict | None:
        return self.steps[self._at] if self._at < len(self.steps) else None

    def play(self) -> None:
        """Every step up to the next stop or start."""
        while self.next_step is not None and self.next_step["op"] not in ("stop", "start"):
            step = self.next_step
            if step["op"] in ASKED:
                answer = getattr(self._broker.connection, step["op"])(self.topic, step)
            else:
                answer = getattr(self, f"_{step['op'].replace(' ', '_')}")(step)
            self._note(answer)
            if step["op"] == "alter":
                time.sleep(CONFIG_ARRIVES_S)

    def _note(self, answer: dict) -> None:
        self.case["expect"].append(answer)
        self._at += 1

    def write(self) -> None:
        """The case's file, beside its copies; one step and one answer a line."""
        lines = []
        for name, value in self.case.items():
            told = json.dumps(value, ensure_ascii=False)
            if name in ("steps", "expect"):
                each = ",\n".join("  " + json.dumps(one, ensure_ascii=False, separators=(",", ":"))
                                  for one in value)
                told = f"[\n{each}\n ]"
            lines.append(f" {json.dumps(name)}: {told}")
        self._out.mkdir(parents=True, exist_ok=True)
        (self._out / "case.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")

    # -- while the broker runs ----------------------------------------------------------------
    def _create(self, step: dict) -> dict:
        answer = self._broker.connection.create(self.topic, step)
        if answer["error"] == "NONE":
            until_it_answers(self._broker, self.topic)
        return answer

    def _produce(self, step: dict) -> dict:
        sent = b"".join(cases.batch(one).buffer for one in step["batches"]) \
            if "batches" in step else cases.sent_bytes(step)
        return self._broker.connection.produce(self.topic, sent, step)

    def _sleep(self, step: dict) -> dict:
        time.sleep(step["ms"] / 1_000)
        return {}

    def _wait(self, step: dict) -> dict:
        limit, is_met = time.monotonic() + LONGEST_WAIT_S, False
        while not is_met and time.monotonic() < limit:
            time.sleep(A_MOMENT_S)
            is_met = self._is_met(step)
        return {"met": is_met, "checkpoints": self._checkpoints()}

    def _is_met(self, step: dict) -> bool:
        names = [name for name, _ in self._listing()]
        if "present" in step:
            return any(step["present"] in name for name in names)
        if "gone" in step:
            return not any(step["gone"] in name for name in names)
        known = self._broker.connection.producers(self.topic, step)["producers"]
        return len(known) == step["producers"]

    def _root(self, step: dict) -> dict:
        return {"directories": sorted(path.name for path in
                                      self._broker.log_dir.glob(f"{self.topic}-*"))}

    def _ls(self, step: dict) -> dict:
        return {"listing": self._listing()}

    def _snap(self, step: dict) -> dict:
        return self._copied(step["name"])

    def _watch(self, step: dict) -> dict:
        return {}

    _events = _broker_log = _watch

    # -- while it is stopped ------------------------------------------------------------------
    def stopped(self) -> None:
        """The broker has been stopped as the step says."""
        self._stops += 1
        later = [step["op"] for step in self.steps[self._at + 1:]]
        name = f"stop{self._stops}" if "stop" in later else "end"
        is_copied = later[:1] != ["edit"] and self._broker.directory(self.topic).is_dir()
        self._note(self._copied(name) if is_copied else {})

    def started(self, is_up: bool) -> None:
        """The broker has been started again, or ended while it tried."""
        if is_up:
            until_it_answers(self._broker, self.topic)
        self._note({"listing": self._listing()} | ({} if is_up else {"started": False}))

    def _listing(self, step: dict | None = None) -> dict | list:
        if step is not None:
            return self._copied(f"edited{self._stops}")
        found = []
        for path in sorted(self._broker.directory(self.topic).glob("*")):
            try:
                found.append([path.name, path.stat().st_size])
            except FileNotFoundError:           # renamed or deleted meanwhile
                continue
        return found

    def _edit(self, step: dict) -> dict:
        path = self._broker.directory(self.topic) / step["file"]
        match step["action"]:
            case "delete":
                path.unlink()
            case "rename":
                path.rename(path.with_name(step["to"]))
            case "copy":
                shutil.copyfile(path, path.with_name(step["to"]))
            case "cut":
                path.write_bytes(path.read_bytes()[:-step["bytes"]])
            case "flip":
                content, at = bytearray(path.read_bytes()), step["position"]
                content[at] ^= 0xFF
                path.write_bytes(content)
            case "append":
                path.write_bytes(path.read_bytes() + bytes.fromhex(step["hex"]))
            case "write":
                path.write_bytes(bytes.fromhex(step["hex"]))
            case other:
                raise ValueError(f"nothing does {other!r} to a file")
        return {}

    # -- what lies on the disk ----------------------------------------------------------------
    def _checkpoints(self) -> dict[str, list[str]]:
        found = {}
        for name in CHECKPOINTS:
            path = self._broker.log_dir / name
            lines = path.read_text().split("\n")[2:] if path.exists() else []
            if mine := [line for line in lines if line.split(" ")[0] == self.topic]:
                found[name] = mine
        return found

    def _copied(self, name: str) -> dict:
        """Copy the partition's directory; a file as in an earlier copy is only named."""
        left_out, logs, directory = [], {}, self._broker.directory(self.topic)
        self.case["files"][f"{name}/"] = "the partition's directory"
        (self._out / name).mkdir(parents=True, exist_ok=True)
        for file, size in self._listing():
            if file.endswith(".deleted") or size > LARGEST_COPIED_BYTES:
                left_out.append([file, size])
                continue
            content = (directory / file).read_bytes()
            if ".log" in file:
                logs[file] = rows(content)
            self._keep(name, file, content)
        return {"checkpoints": self._checkpoints(), "batches": logs, "dir": name,
                "notCopied": left_out}

    def _keep(self, directory: str, file: str, content: bytes) -> None:
        before, known = self._copies.get(file, (None, None))
        if content == known:
            self.case["unchanged"].setdefault(f"{directory}/", {})[file] = f"{before}/"
            return
        self._copies[file] = directory, content
        (self._out / directory / file).write_bytes(content)
        if file == PARTITION_METADATA:
            self.case["random"]["topicId"] = content.decode().split("topic_id: ")[1].strip()


def record(contents: list[dict], broker: Broker, out: Path) -> None:
    """Record cases that stop alike on one broker, each below `out` by its id."""
    now_ms, is_up = int(time.time() * 1_000), True
    going = [Recording(content, broker, out / content["id"], now_ms) for content in contents]
    try:
        while any(one.next_step for one in going):
            try:
                broker.start()
            except BrokerDidNotStart:
                is_up = False
            for one in going:
                if one.next_step["op"] == "start":
                    one.started(is_up)
                if is_up:
                    one.play()
            if not is_up or not any(one.next_step for one in going):
                break
            time.sleep(SETTLED_S)
            broker.kill() if going[0].next_step["how"] == KILLED else broker.stop()
            for one in going:
                one.stopped()
                one.play()
    finally:
        broker.kill()
    for one in going:
        one.write()


def stops(content: dict) -> tuple:
    """What cases on one broker have in common; one at which a broker ends is alone."""
    ends_here = content["id"] if any(answer.get("started") is False
                                     for answer in content.get("expect", ())) else ""
    return (json.dumps(content["broker"], sort_keys=True), ends_here,
            *(step["how"] for step in content["steps"] if step["op"] == "stop"))
