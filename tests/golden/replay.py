"""Gives a recorded case to logs of ours: one broker, one partition, the same steps, our answers.

What a real broker's clock did cannot be known for each step; where an answer shows it, that time is
taken, else the case's first one. Background work happens where the recording waited for it.
"""

import re
from typing import Any

from kafka_internals.common import TopicPartition
from kafka_internals.config import BROKER_CONFIG, TOPIC_CONFIG
from kafka_internals.control_record import ControlRecordType, EndTransactionMarker
from kafka_internals.errors import ApiException, KafkaException, OffsetOutOfRangeException
from kafka_internals.messages.produce import validate_records
from kafka_internals.record_batch import RecordBatch, batches
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.append_origin import AppendOrigin
from kafka_internals.storage.checkpoint_file import write_partition_metadata
from kafka_internals.storage.log_manager import LogManager
from kafka_internals.storage.offset_lookup import fetch_offset
from kafka_internals.storage.unified_log import UnifiedLog
from tests.golden import cases
from tests.golden.cases import Case

PRODUCE_VERSION, AFTER_MAX_MS, EPOCHS_A_RESTART = 8, 3_600_000, 2
ANSWERED_ELSEWHERE = ("TRANSACTIONAL_ID_AUTHORIZATION_FAILED", "INVALID_REQUIRED_ACKS")
UNKNOWN = "UNKNOWN_SERVER_ERROR"
WHILE_PEOPLE_TYPE_MS = 2_000
FETCH_BYTES, A_MOMENT_MS, LONGEST_WAIT = 1 << 20, 100, 100


class Replay:
    """A broker with one log; `differences` says where it did not do what the real one did."""

    def __init__(self, case: Case) -> None:
        self.case, self.disk = case, Disk(lambda n: 0)
        self.partition, self.epoch = TopicPartition(case.id, 0), 0
        self.configs: dict[str, Any] = {**TOPIC_CONFIG.parse({}), **self._parsed(case.topic)}
        self.now_ms = self.latest_ms = case.clock_ms
        self.times = {answer["offset"]: answer["timestamp"] for answer in case.expect
                      if answer.get("timestamp", -1) >= 0} | {
            one.base_offset: one.header.max_timestamp for one in case.all_batches()}
        self.differences: list[str] = []
        self._open()
        if "topicId" in case.random:
            write_partition_metadata(self.disk, f"{self.partition}/partition.metadata",
                                     case.random["topicId"])

    @staticmethod
    def _parsed(given: dict[str, str]) -> dict[str, Any]:
        return {name: TOPIC_CONFIG.key(name).parse(value) for name, value in given.items()}

    def _open(self) -> None:
        self.disk.now_ms = self.now_ms
        config = {name: value for name, value in self.case.broker.items()
                  if name in BROKER_CONFIG.keys}
        self.manager = LogManager(self.disk, BROKER_CONFIG.parse(config))
        self.log: UnifiedLog = self.manager.open(self.partition, self.configs, self.now_ms)
        self.log.epochs.assign(self.epoch, self.log.log_end_offset)
        self.log.update_high_watermark(self.log.log_end_offset)

    def run(self) -> list[str]:
        """Every step in order; where we differ."""
        for step, expected in zip(self.case.steps, self.case.expect, strict=True):
            act = getattr(self, f"_{step['op'].replace(' ', '_')}", None)
            if act is None:
                self.differences.append(f"step {step['i']}: nothing does {step['op']!r}")
                continue
            told = act(step, expected)
            if told is not None and (shown := {key: expected.get(key, told[key])
                                               for key in told}) != told:
                self.differences.append(f"step {step['i']} {step['op']}: {told} is not {shown}")
        return self.differences

    # -- requests -----------------------------------------------------------------------------
    def _create(self, step: dict, expected: dict) -> None:
        pass

    def _produce(self, step: dict, expected: dict) -> dict | None:
        if expected["error"] in ANSWERED_ELSEWHERE:
            return None
        sent = b"".join(cases.batch(one).buffer for one in step["batches"]) \
            if "batches" in step else cases.sent_bytes(step)
        told = re.search(r"within \[-?\d+, (\d+)\]", str(expected.get("recordErrors", "")))
        now_ms = int(told[1]) - AFTER_MAX_MS if told else self._append_time(expected)
        try:
            batch = validate_records(step.get("version", PRODUCE_VERSION), sent)
            info = self.log.append_as_leader(batch, self.epoch, now_ms)
        except ApiException as error:
            return {"error": error.error_name,
                    "recordErrors": [list(one) for one in error.record_errors]}
        self.log.update_high_watermark(self.log.log_end_offset)
        return {"error": "NONE", "baseOffset": info.first_offset,
                "logStartOffset": self.log.log_start_offset,
                "logAppendTime": info.log_append_time_ms}

    def _append_time(self, expected: dict) -> int:
        time_ms = expected.get("logAppendTime", -1)
        return time_ms if self.configs["message.timestamp.type"] == "LogAppendTime" else self.now_ms

    def _marker(self, step: dict, expected: dict) -> dict:
        outcome = ControlRecordType.COMMIT if step["commit"] else ControlRecordType.ABORT
        time_ms = self.times.get(self.log.log_end_offset, self.latest_ms + 1)
        self.latest_ms = max(self.latest_ms, time_ms)
        marker = EndTransactionMarker(outcome, step["coordinator_epoch"])
        try:
            self.log.append_as_leader(
                RecordBatch(marker.encode(time_ms, step["pid"], step["epoch"])), self.epoch,
                self.now_ms, AppendOrigin.COORDINATOR, transaction_version=step["txn_version"])
        except (ValueError, ApiException) as error:
            return {"error": getattr(error, "error_name", UNKNOWN)}
        self.log.update_high_watermark(self.log.log_end_offset)
        return {"error": "NONE"}

    def _fetch(self, step: dict, expected: dict) -> dict:
        if error := self._wrong_epoch(step):
            return {"error": error, "highWatermark": -1, "bytes": 0}
        log, committed = self.log, step.get("isolation") == 1
        size = min(step.get("max_bytes", FETCH_BYTES), step.get("partition_max_bytes", FETCH_BYTES))
        end = log.last_stable_offset if committed else log.high_watermark
        try:
            info = log.read(step["offset"], size, end, True, committed)
        except OffsetOutOfRangeException as error:
            return {"error": error.error_name, "highWatermark": -1, "bytes": 0}
        found = list(batches(info.records))
        told = {"error": "NONE", "highWatermark": log.high_watermark,
                "lastStableOffset": log.last_stable_offset,
                "logStartOffset": log.log_start_offset, "bytes": len(info.records),
                "batches": [[one.base_offset, one.last_offset, one.size] for one in found]}
        if committed:
            told["abortedTransactions"] = [
                {"producerId": one.producer_id, "firstOffset": one.first_offset}
                for one in info.aborted_transactions]
        return told

    def _wrong_epoch(self, step: dict) -> str | None:
        """What a partition says to somebody who believes in another leader epoch."""
        epoch = step.get("epoch", self.epoch)
        return "FENCED_LEADER_EPOCH" if epoch < self.epoch else \
            "UNKNOWN_LEADER_EPOCH" if epoch > self.epoch else None

    def _list_offsets(self, step: dict, expected: dict) -> dict:
        if error := self._wrong_epoch(step):
            return {"error": error}
        try:
            found = fetch_offset(self.log, step["timestamp"], step.get("isolation") == 1)
        except (ValueError, KafkaException) as error:
            return {"error": getattr(error, "error_name", UNKNOWN)}
        return {"error": "NONE", "timestamp": found.timestamp, "offset": found.offset,
                "leaderEpoch": found.leader_epoch}

    def _epoch_end(self, step: dict, expected: dict) -> dict:
        epoch, end = self.log.epochs.end_offset_for(step["epoch"], self.log.log_end_offset)
        return {"leaderEpoch": epoch, "endOffset": end}

    def _delete_records(self, step: dict, expected: dict) -> dict:
        try:
            low = self.log.delete_records(step["offset"])
        except ApiException as error:
            return {"error": error.error_name}
        return {"error": "NONE", "lowWatermark": low}

    def _producers(self, step: dict, expected: dict) -> dict:
        if len(self.log.producers.active_producers()) > len(expected["producers"]):
            self._run_until(self.now_ms + WHILE_PEOPLE_TYPE_MS)     # they expired meanwhile
        return {"producers": [
            {"producerId": one.producer_id, "producerEpoch": one.producer_epoch,
             "lastSequence": one.last_sequence, "lastTimestamp": one.last_timestamp,
             "coordinatorEpoch": one.coordinator_epoch,
             "currentTxnStartOffset": -1 if one.current_txn_first_offset is None
             else one.current_txn_first_offset} for one in self.log.producers.active_producers()]}

    def _delete_topic(self, step: dict, expected: dict) -> None:
        self.manager.async_delete(self.partition, "0" * 32, self.now_ms)

    def _root(self, step: dict, expected: dict) -> dict:
        """Directories below the log directory; what makes their names unique is chance."""
        found = {name.partition("/")[0] for name in self.disk.files if "/" in name}
        hidden = [re.sub(r"[.][0-9a-f]{32}-", ".UNIQUE-", name)
                  for name in (*sorted(found), *expected["directories"])]
        half = len(hidden) // 2
        return {"directories": expected["directories"]
                if hidden[:half] == hidden[half:] else sorted(found)}

    # -- time ---------------------------------------------------------------------------------
    def _alter(self, step: dict, expected: dict) -> None:
        self.configs |= self._parsed(step["configs"])

    def _sleep(self, step: dict, expected: dict) -> None:
        self._run_until(self.now_ms + step["ms"])

    def _run_until(self, now_ms: int) -> None:
        """Let the broker's background work happen that is due by then."""
        while (due_ms := self.manager.next_deadline_ms(self.now_ms)) is not None \
                and due_ms <= now_ms:
            self.now_ms = self.disk.now_ms = max(due_ms, self.now_ms)
            self.manager.tick(self.now_ms)
        self.now_ms = self.disk.now_ms = now_ms

    def _wait(self, step: dict, expected: dict) -> None:
        for _ in range(LONGEST_WAIT):
            if self._is_met(step):
                return
            self._run_until(self.now_ms + A_MOMENT_MS)
        self.differences.append(f"step {step['i']}: waited in vain for {step}")

    def _is_met(self, step: dict) -> bool:
        names = self.disk.names(str(self.partition))
        if "present" in step:
            return any(name.endswith(step["present"]) for name in names)
        if "gone" in step:
            return not any(name.endswith(step["gone"]) for name in names)
        return len(self.log.producers.active_producers()) == step["producers"]

    def _stop(self, step: dict, expected: dict) -> dict | None:
        self._run_until(self.now_ms + WHILE_PEOPLE_TYPE_MS)
        if step["how"] != "SIGKILL":
            self.manager.shut_down()
        return self._listing(step, expected)

    def _start(self, step: dict, expected: dict) -> None:
        self.epoch += EPOCHS_A_RESTART
        try:
            self._open()
        except KafkaException:
            if expected.get("started", True):
                raise
            self.manager = self.log = None

    def _edit(self, step: dict, expected: dict) -> None:
        name = f"{self.partition}/{step['file']}"
        content = self.disk.read(name)
        if step["action"] == "delete":
            self.disk.delete(name)
        elif step["action"] == "rename":
            self.disk.rename(name, f"{self.partition}/{step['to']}")
        elif step["action"] == "copy":
            self.disk.replace(f"{self.partition}/{step['to']}", content)
        elif step["action"] == "flip":
            at = step["position"]
            self.disk.replace(name, content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1:])
        elif step["action"] == "cut":
            self.disk.replace(name, content[:-step["bytes"]])
        else:
            kept = content if step["action"] == "append" else b""
            self.disk.replace(name, kept + bytes.fromhex(step["hex"]))

    # -- what lies on the disk ----------------------------------------------------------------
    def _ls(self, step: dict, expected: dict) -> dict:
        names = self.disk.names(str(self.partition))
        return {"listing": [[name, self.disk.size(f"{self.partition}/{name}")] for name in names]}

    def _listing(self, step: dict, expected: dict) -> None:
        """Compare the partition's directory with the recorded copy, byte for byte."""
        if "dir" not in expected:
            return
        recorded = self.case.files(expected["dir"])
        ours = {name: self.disk.read(f"{self.partition}/{name}")
                for name in self.disk.names(str(self.partition))}
        left_out = {name for name, _ in expected["notCopied"]}
        for name in sorted({*ours, *recorded} - left_out):
            if name not in ours or name not in recorded:
                where = "theirs" if name in recorded else "ours"
                self.differences.append(f"step {step['i']}: only {where} has {name}")
            elif self._content(name, ours[name]) != self._content(name, recorded[name]):
                self.differences.append(f"step {step['i']}: {name} differs")

    def _content(self, name: str, content: bytes) -> Any:
        """What of a file is compared: all of it, or the records where only they are the same."""
        if self.case.compare.startswith("bytes") or not name.endswith(".log"):
            return content
        return [(one.header._replace(batch_length=0, crc=0), list(one.records()))
                for one in batches(content)]

    _snap = _listing

    def _watch(self, step: dict, expected: dict) -> None:
        pass

    _events = _broker_log = _watch
