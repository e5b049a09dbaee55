"""Producers of a real broker: its snapshots byte for byte, its answers step by step."""

from struct import pack, unpack

import pytest

from kafka_internals.common import TopicPartition
from kafka_internals.errors import ApiException
from kafka_internals.record_batch import BatchHeader, RecordBatch, batches
from kafka_internals.sim.disk import Disk
from kafka_internals.storage.append_origin import AppendOrigin
from kafka_internals.storage.producer_state_entry import decode_snapshot, encode_snapshot
from kafka_internals.storage.producer_state_manager import ProducerStateManager
from tests.golden import cases
from tests.golden.cases import GOLDEN, Case

SNAPSHOTS = [path for path in sorted(GOLDEN.glob("storage/*/*/*.snapshot"))
             if "corrupt-snapshot/edited" not in path.as_posix()]
LONG_AGO_MS, TODAY_MS = 1_700_000_000_000, 1_795_432_100_000
ABORT = 0
# Where each case's files lie, those of later directories in place of earlier ones.
REPLAYED = {"batch-idempotent": ("end",), "batch-txn": ("end",), "err-sequence": ("end",),
            "expiry": ("end",), "snapshots-rolls": ("end",), "rec-txn": ("stop1", "end"),
            "fuzz-1": ("end",)}
EXPIRED_BEFORE = {("expiry", 5), ("expiry", 10)}    # steps before which the real timer went off
ANSWERED = ("batch-idempotent", "batch-txn", "err-sequence", "expiry", "fuzz-1")


def files(case: str, suffix: str) -> dict[int, bytes]:
    """A case's files of one kind by the offset in their name."""
    found = {}
    for directory in REPLAYED[case]:
        for path in (GOLDEN / "storage" / case / directory).glob(f"*.{suffix}"):
            found[int(path.stem)] = path.read_bytes()
    return dict(sorted(found.items()))


def stored(case: str) -> list[RecordBatch]:
    """Every batch that the case's segments hold."""
    return [batch for content in files(case, "log").values() for batch in batches(content)]


def manager(case: str, **options) -> ProducerStateManager:
    return ProducerStateManager(TopicPartition(case, 0), Disk(lambda n: 0), **options)


def marker(batch: RecordBatch) -> tuple[bool, int]:
    """What a marker says: whether it aborts, and the epoch of its coordinator."""
    (record,) = batch.records()
    return unpack(">hh", record.key)[1] == ABORT, unpack(">hi", record.value)[1]


def take(one: ProducerStateManager, batch: RecordBatch, origin: AppendOrigin, version: int = 0):
    """Judge a stored batch, append it, and answer the transaction that it completed."""
    info, completed = one.prepare_update(batch.header.producer_id, origin), None
    if batch.header.is_control:
        completed = info.append_end_txn_marker(batch.header, *marker(batch), version)
    else:
        info.append_data_batch(batch.header)
    one.update(info)
    return completed


@pytest.mark.parametrize("path", SNAPSHOTS, ids=lambda path: "/".join(path.parts[-3:]))
def test_a_snapshot_is_read_and_written_again_byte_for_byte(path):
    content = path.read_bytes()
    assert encode_snapshot(decode_snapshot(content)) == content


def test_there_are_snapshots_of_every_case():
    assert {path.parts[-3] for path in SNAPSHOTS} > set(REPLAYED) and len(SNAPSHOTS) >= 100


@pytest.mark.parametrize("case", REPLAYED)
def test_reading_a_log_gives_the_snapshots_that_were_taken_of_it(case):
    recorded, log = files(case, "snapshot"), stored(case)
    one = manager(case)
    if begins := log[0].base_offset:                   # what came before has been deleted
        one._storage.replace(one.snapshot_file(begins), recorded[begins])
        one = ProducerStateManager(one.partition, one._storage)
        one.truncate_and_reload(0, begins, LONG_AGO_MS)
    compared = []
    for batch in log:
        if batch.header.producer_id >= 0:
            if completed := take(one, batch, AppendOrigin.REPLICATION):
                one.complete_txn(completed)
        one.update_map_end_offset(batch.last_offset + 1)
        if (end := one.map_end_offset) in recorded:
            if case == "expiry":
                assert one.remove_expired_producers(TODAY_MS) == [255]
            assert one.take_snapshot() == end
            assert one._storage.read(one.snapshot_file(end)) == recorded[end]
            compared.append(end)
    assert compared == [offset for offset in recorded if offset > begins]


class Broker:
    """A partition whose leader answers a case's steps; every write is replicated at once."""

    def __init__(self, case: str) -> None:
        self.producers = manager(case, producer_id_expiration_ms=86_400_000)
        self.stored = {batch.base_offset: batch for batch in stored(case)}
        self.end, self.aborted = 0, []

    def produce(self, step: dict) -> dict:
        sent = cases.sent(step).with_offsets(self.end, 0)
        header: BatchHeader = sent.header
        if header.producer_id >= 0:
            if duplicate := self.producers.find_duplicate_batch(header):
                return {"error": "NONE", "baseOffset": duplicate.first_offset,
                        "logAppendTime": duplicate.timestamp}
            self.producers.check_transaction(header)
            take(self.producers, sent, AppendOrigin.CLIENT)
        assert self.stored[self.end] == sent
        return self._appended(sent, {"error": "NONE", "baseOffset": self.end})

    def marker(self, step: dict) -> dict:
        version = step["txn_version"]
        written = self.stored.get(self.end)
        if self._is_of(written, step):
            completed = take(self.producers, written, AppendOrigin.COORDINATOR, version)
        else:                                          # the real one refused it: so must we
            header = RecordBatch(cases.encode([(0, b"", b"", ())], producer_id=step["pid"],
                                              producer_epoch=step["epoch"])).header
            self.producers.prepare_update(step["pid"], AppendOrigin.COORDINATOR) \
                .append_end_txn_marker(header, not step["commit"], step["coordinator_epoch"],
                                       version)
            raise AssertionError(f"{step} is not in the real log")
        if completed:
            if completed.is_aborted:
                self.aborted.append(pack(">hqqqq", 0, *completed[:3],
                                         self.producers.last_stable_offset(completed)))
            self.producers.complete_txn(completed)
        return self._appended(written, {"error": "NONE", "partition": 0})

    @staticmethod
    def _is_of(batch: RecordBatch | None, step: dict) -> bool:
        return batch is not None and batch.header.is_control \
            and (batch.header.producer_id, batch.header.producer_epoch) == \
            (step["pid"], step["epoch"]) \
            and marker(batch) == (not step["commit"], step["coordinator_epoch"])

    def _appended(self, batch: RecordBatch, answer: dict) -> dict:
        self.end = batch.last_offset + 1
        self.producers.update_map_end_offset(self.end)
        self.producers.on_high_watermark_updated(self.end)
        return answer

    def list_offsets(self, step: dict) -> dict:
        first = self.producers.first_unstable_offset
        latest = first if step["isolation"] and first is not None else self.end
        return {"error": "NONE", "timestamp": -1, "offset": latest, "leaderEpoch": 0}

    def producers_listed(self) -> dict:
        return {"error": "NONE", "producers": [
            {"producerId": one.producer_id, "producerEpoch": one.producer_epoch,
             "lastSequence": one.last_sequence, "lastTimestamp": one.last_timestamp,
             "coordinatorEpoch": one.coordinator_epoch, "currentTxnStartOffset":
                 -1 if one.current_txn_first_offset is None else one.current_txn_first_offset}
            for one in self.producers.active_producers()]}

    def answer(self, step: dict) -> dict | None:
        if (self.producers.partition.topic, step["i"]) in EXPIRED_BEFORE:
            assert self.producers.remove_expired_producers(TODAY_MS) == [255]
        if step["op"] == "producers":
            return self.producers_listed()
        if step["op"] == "marker" and step["epoch"] < 0:
            return {"error": "UNKNOWN_SERVER_ERROR"}   # it failed before the partition saw it
        if step["op"] in ("produce", "marker") or step.get("timestamp") == -1:
            try:
                return getattr(self, step["op"])(step)
            except ApiException as error:
                return {"error": error.error_name, "message": str(error)}
        return None


@pytest.mark.parametrize("case", ANSWERED)
def test_g_c_2_to_5_each_step_is_answered_as_a_real_broker_did(case):
    broker, recorded, compared = Broker(case), Case(f"storage/{case}"), 0
    for step, expected in zip(recorded.steps, recorded.expect, strict=True):
        given = broker.answer(step)
        if given is None:
            continue
        for field in given.keys() & expected.keys():
            assert given[field] == expected[field], (step["i"], step.get("note"))
        compared += 1
    assert compared >= 7 and broker.end == max(broker.stored.values(),
                                               key=lambda one: one.base_offset).last_offset + 1
    assert b"".join(broker.aborted) == b"".join(files(case, "txnindex").values())


def test_the_real_brokers_words_for_a_gap_are_ours():
    broker, case = Broker("expiry"), Case("storage/expiry")
    said = [answer["message"] for answer in map(broker.answer, case.steps)
            if answer and answer["error"] == "OUT_OF_ORDER_SEQUENCE_NUMBER"]
    (line,) = case.expect[-1]["log"]
    assert said == [line.partition("Exception: ")[2]]
