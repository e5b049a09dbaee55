"""What two recordings of one case may differ in: what the clock and chance made.

Times of the two presents, what is computed from them (CRCs), topic ids and what makes a deleted
directory's name unique. A case that says so is compared record by record. Checkpoints are compared
after an orderly stop only: while a broker runs, another thread writes them when it pleases.
"""

import re
from collections.abc import Iterator
from struct import iter_unpack
from typing import Any

from kafka_internals.byte_utils import crc32c
from kafka_internals.errors import KafkaException
from kafka_internals.record_batch import RECORD_BATCH_OVERHEAD, SPANS, RecordBatch
from kafka_internals.storage.checkpoint_file import PARTITION_METADATA
from kafka_internals.storage.log_file_utils import LOG
from kafka_internals.storage.producer_state_entry import ProducerStateEntry, decode_snapshot
from tests.golden.cases import Case
from tests.golden.recorder.steps import framed

EXPIRATION_CHECK, A_RUN_MS = "producer.id.expiration.check.interval.ms", 3_600_000
TIMES = ("timestamp", "lastTimestamp", "logAppendTime")
NOT_COMPARED = ("log", "events", "message", "dir")
STARTS, ENDS = zip(*(SPANS[name] for name in ("crc", "base_timestamp", "max_timestamp")))
CHANCE = ((re.compile(r"within \[-?\d+, \d+\]"), "within [EARLIEST, LATEST]"),
          (re.compile(r"[.][0-9a-f]{32}-"), ".UNIQUE-"))


def _timeless(entry: ProducerStateEntry) -> ProducerStateEntry:
    return entry._replace(last_timestamp=0, batches=tuple(
        one._replace(timestamp=0) for one in entry.batches))


def _producers(snapshot: bytes) -> tuple[list[ProducerStateEntry], bool]:
    """The producers of a snapshot, also of a damaged one, and whether its checksum is right."""
    sealed = snapshot[:2] + crc32c(snapshot[6:]).to_bytes(4) + snapshot[6:]
    return decode_snapshot(sealed), sealed == snapshot


def _torn(rest: bytes) -> bytes:
    """What is left of a batch, without its times and its checksum."""
    return b"".join(rest[start:end] for start, end in zip((0, *ENDS), (*STARTS, len(rest))))


class Comparison:
    """A stored case and the same one recorded anew."""

    def __init__(self, stored: Case, new: Case) -> None:
        self._stored, self._new = stored, new
        self._by_record = stored.compare.startswith("decoded")

    def same_time(self, stored: int, new: int) -> bool:
        """The same time, or the same in its own present, or both of the running clock."""
        ours, theirs = self._new.clock_ms, self._stored.clock_ms
        return stored == new or new - stored == ours - theirs or \
            0 <= stored - theirs < A_RUN_MS and 0 <= new - ours < A_RUN_MS

    def differences(self) -> Iterator[str]:
        """A sentence for each answer and each file that is not the same."""
        for step, stored, new in zip(self._stored.steps, self._stored.expect, self._new.expect):
            where = f"step {step['i']} {step['op']}"
            ignored = () if "SIGTERM" in step.get("how", "") else ("checkpoints",)
            if step["op"] == "producers" and EXPIRATION_CHECK in self._stored.broker:
                stored, new = self._lasting(stored), self._lasting(new)
            yield from (f"{where}: {told}" for told in self._unlike(stored, new, ignored))
            if "dir" in stored and "dir" in new:
                yield from (f"{where}: {told}" for told in self._files(stored["dir"], new["dir"]))
        if (ours := len(self._new.expect)) != (theirs := len(self._stored.expect)):
            yield f"{ours} answers are not {theirs}"

    def _unlike(self, stored: Any, new: Any, ignored: tuple[str, ...] = (),
                name: str = "") -> Iterator[str]:
        if isinstance(stored, dict) and isinstance(new, dict):
            for key in sorted({*stored, *new} - {*NOT_COMPARED, *ignored}):
                yield from self._unlike(stored.get(key), new.get(key), name=key)
        elif isinstance(stored, list) and isinstance(new, list) and len(stored) == len(new):
            for one, other in zip(stored, new):
                yield from self._unlike(one, other, name=name)
        elif not self._is_same(name, stored, new):
            yield f"{name} {new!r} is not {stored!r}"

    def _is_same(self, name: str, stored: Any, new: Any) -> bool:
        if name.endswith(LOG) and stored == [] and all(isinstance(one, int) for one in new):
            return True                         # offsets in a batch that was not decompressed then
        if name in TIMES and isinstance(stored, int) and isinstance(new, int):
            return self.same_time(stored, new)
        if isinstance(stored, str) and isinstance(new, str):
            for pattern, instead in CHANCE:
                stored, new = pattern.sub(instead, stored), pattern.sub(instead, new)
        return stored == new

    def _lasting(self, answer: dict) -> dict:
        """Without producers that are forgotten at the next look, which may have been or not."""
        oldest_ms = self._stored.clock_ms - self._stored.broker["producer.id.expiration.ms"]
        return {**answer, "producers": [
            one for one in answer["producers"]
            if one["lastTimestamp"] >= oldest_ms or one["currentTxnStartOffset"] != -1]}

    # -- files --------------------------------------------------------------------------------
    def _files(self, stored_dir: str, new_dir: str) -> Iterator[str]:
        stored, new = self._stored.files(stored_dir), self._new.files(new_dir)
        for name in sorted({*stored, *new}):
            if name not in stored or name not in new:
                yield f"only the {'stored' if name in stored else 'new'} one has {name}"
            elif not self.same_file(name, stored[name], new[name]):
                yield f"{name} differs"

    def same_file(self, name: str, stored: bytes, new: bytes) -> bool:
        """Whether the bytes are the same, but for what a present makes."""
        if stored == new:
            return True
        if name == PARTITION_METADATA:
            return stored.split(b"topic_id")[0] == new.split(b"topic_id")[0]
        if len(stored) != len(new) and not self._by_record:
            return False
        if ".timeindex" in name and len(stored) % 12 == 0:
            return all(self.same_time(one[0], other[0]) and one[1] == other[1] for one, other
                       in zip(iter_unpack(">qi", stored), iter_unpack(">qi", new)))
        if ".snapshot" in name:
            return self._same_producers(stored, new)
        return ".log" in name and self._same_log(stored, new)

    def _same_producers(self, stored: bytes, new: bytes) -> bool:
        try:
            (ours, is_right), (theirs, also) = _producers(new), _producers(stored)
        except KafkaException:                  # damaged beyond its checksum, not in the same way
            return False
        return is_right == also and len(ours) == len(theirs) and all(
            self.same_time(other.last_timestamp, one.last_timestamp)
            and _timeless(one) == _timeless(other) for one, other in zip(ours, theirs))

    def _same_log(self, stored: bytes, new: bytes) -> bool:
        (theirs, rest), (ours, also_rest) = framed(stored), framed(new)
        return _torn(rest) == _torn(also_rest) and len(ours) == len(theirs) and all(
            self._same_batch(other, one) for one, other in zip(ours, theirs))

    def _same_batch(self, stored: RecordBatch, new: RecordBatch) -> bool:
        if stored.buffer == new.buffer:
            return True
        one, other = stored.header, new.header
        times, also_times = ((header.base_timestamp, header.max_timestamp)
                             for header in (one, other))
        if not all(map(self.same_time, times, also_times)):
            return False
        timeless = {"crc": 0, "base_timestamp": 0, "max_timestamp": 0}
        if self._by_record:
            timeless["batch_length"] = 0
            is_same = stored.record_bytes() == new.record_bytes()
        else:                                   # a time is all that may make another checksum
            is_same = times != also_times and \
                stored.buffer[RECORD_BATCH_OVERHEAD:] == new.buffer[RECORD_BATCH_OVERHEAD:]
        return is_same and one._replace(**timeless) == other._replace(**timeless)
