"""What a killed broker left, recovered segment by segment: the files of the real one's next stop.

Each case was killed, most were damaged then; the broker started, took one more batch and stopped.
"""

import pytest

from kafka_internals.record_batch import RecordBatch, batches
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.leader_epoch_file_cache import LeaderEpochFileCache
from kafka_internals.storage.log_file_utils import LOG, offset_from_file
from kafka_internals.storage.log_segment import LogSegment
from tests.golden.cases import GOLDEN, Case
from tests.storage.segments import Ended, Producers

CASES = ("rec-torn-tail", "rec-torn-header", "rec-zeros-tail", "rec-flip-active", "rec-flip-older",
         "rec-garbage-index", "rec-txn")
KINDS = (".log", ".index", ".timeindex", ".txnindex")


class Transactions(Producers):
    """Reads from a marker whether it aborts."""

    def replay(self, batch: RecordBatch) -> Ended | None:
        ended = super().replay(batch) if batch.header.is_transactional else None
        if ended is None:
            return None
        (marker,) = batch.records()
        return ended._replace(is_aborted=marker.key[2:4] == b"\0\0")


def _found_by_the_start(case: str) -> dict[str, bytes]:
    (left,) = [one for one in (GOLDEN / "storage" / case).iterdir() if one.is_dir()
               and one.name != "end"]
    return {path.name: path.read_bytes() for path in left.iterdir()}


def _recover(disk: Disk, configs: dict[str, str]) -> list[LogSegment]:
    """The segments in order, up to and with the first from which something was cut."""
    limits = {"index_interval_bytes": int(configs["index.interval.bytes"]),
              "max_index_bytes": int(configs["segment.index.bytes"])}
    kept, producers, cut = [], Transactions(), 0
    epochs = LeaderEpochFileCache(disk, "log-0")
    for name in [name for name in disk.names("log-0") if name.endswith(LOG)]:
        segment = LogSegment(disk, "log-0", offset_from_file(name), now_ms=0, **limits)
        if cut:
            segment.delete_if_exists()
            continue
        cut = segment.recover(producers, epochs)
        kept.append(segment)
    epochs.truncate_from_end(kept[-1].read_next_offset())
    return kept


@pytest.mark.parametrize("case", CASES)
def test_the_files_after_the_next_stop_are_those_of_the_real_broker(case):
    found, configs = _found_by_the_start(case), Case(f"storage/{case}").topic
    end = {path.name: path.read_bytes() for path in (GOLDEN / "storage" / case / "end").iterdir()}
    disk = Disk(lambda n: 0)
    for name, content in found.items():
        disk.append(f"log-0/{name}", content)
    kept = _recover(disk, configs)
    active, one_more = kept[-1], list(batches(end[f"{kept[-1].base_offset:020d}.log"]))[-1]
    active.resize_indexes(int(configs["segment.index.bytes"]))
    assert active.read_next_offset() == one_more.base_offset
    active.append(one_more)
    for segment in kept:
        segment.close()
    ours = {name: disk.read(f"log-0/{name}") for name in disk.names("log-0")
            if name.endswith(KINDS)}
    assert ours == {name: end.get(name, found.get(name)) for name in ours}
    assert {name for name in end if name.endswith(KINDS)} <= set(ours)
    recorded = Case(f"storage/{case}").expect[-1]["batches"]
    assert {name for name in ours if name.endswith(LOG)} == set(recorded)
    LeaderEpochFileCache(disk, "log-0").assign(2, one_more.base_offset)
    assert disk.read("log-0/leader-epoch-checkpoint") == end["leader-epoch-checkpoint"]
