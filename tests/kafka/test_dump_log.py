"""kafka-dump-log of Kafka 4.4.0 reads what we export: its lines, made of our own numbers.

One run for all files, one for the indexes' sanity. Two things the tool finds fault with in every
directory of a real broker, too: with --print-data-log it wants each file to begin at offset 0, and
it takes the unused room of an index that a crash left for an entry.
"""

import json
from pathlib import Path

import pytest

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.control_record import ControlRecordType, read_marker
from kafka_internals.messages.kraft_control_records import Voter, read_control_record
from kafka_internals.messages.metadata_records import Endpoint
from kafka_internals.storage.file_records import FileRecords, Storage
from kafka_internals.storage.file_storage import FileStorage
from kafka_internals.storage.log_directory import LogDirectory
from kafka_internals.storage.log_file_utils import offset_from_file
from kafka_internals.storage.offset_index import OffsetIndex
from kafka_internals.storage.producer_state_entry import decode_snapshot
from kafka_internals.storage.time_index import TimeIndex
from kafka_internals.storage.transaction_index import TransactionIndex
from tests.golden.cases import GOLDEN, Case
from tests.golden.replay import Replay
from tests.kafka.dump_log import dump
from tests.storage.brokers import GIVEN, Broker

CASES = ("batch-txn", "batch-plain", "dir-bytes-roll", "rec-txn", "fuzz-2", "delete-records",
         "recompress-zstd", "expiry")
BEGINS_LATER = "Non-consecutive offsets in"
READ = (".log", ".index", ".timeindex", ".txnindex", ".snapshot")


def _by_a_learner(root: Path) -> list[Path]:
    cluster = Cluster(3, seed=7)
    cluster.create_topic("orders", 2, 3)
    producer = cluster.producer(acks="all")
    for number in range(12):
        producer.send("orders", key=f"{number}", value=f"paid {number}", partition=number % 2)
    cluster.run(ms=2_000)
    cluster.stop(3)
    return [cluster.export(1, root / "running"), cluster.export(3, root / "stopped"),
            cluster.export(2, root / "crashed", crashed=True)]


def _replayed(name: str, root: Path) -> Path:
    replay = Replay(Case(f"storage/{name}"))
    replay.run()
    return LogDirectory.export(replay.disk, root / name, configs={name: replay.case.topic})


def _files(directories: list[Path], *kinds: str) -> list[Path]:
    return [path for root in directories for path in sorted(root.rglob("*/*"))
            if path.suffix in kinds]


class Exported:
    """Directories as a stop and as a crash left them, and what the tool says of their files."""

    def __init__(self, root: Path) -> None:
        disk, (running, stopped, crashed) = Broker().disk, _by_a_learner(root / "cluster")
        self.clean = [LogDirectory.export(disk, root / "clean", configs=GIVEN), running, stopped,
                      *(_replayed(name, root) for name in CASES)]
        self.crashed = [crashed, LogDirectory.export(disk, root / "crashed", crashed=True)]
        self.files = _files(self.clean, *READ) + _files(self.crashed, ".log", ".snapshot")
        self.lines, self.complaints = dump(self.files, "--print-data-log")

    def name_in(self, file: Path) -> tuple[FileStorage, str]:
        """The storage of a file, and its name there."""
        root = next(one for one in self.clean + self.crashed if one in file.parents)
        return FileStorage(root), file.relative_to(root).as_posix()


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return Exported(tmp_path_factory.mktemp("exported"))


# -- the tool's lines, of our numbers ---------------------------------------------------------
def _log(storage: Storage, name: str) -> list[str]:
    lines, log = [f"Log starting offset: {offset_from_file(name)}"], FileRecords(storage, name)
    for stored in log.headers():
        batch = log.batch(stored)
        header, marker = batch.header, read_marker(batch)
        last = -1 if header.base_sequence < 0 else \
            header.base_sequence + header.last_offset_delta & 0x7FFFFFFF
        time = "LogAppendTime" if header.attributes & 8 else "CreateTime"
        lines.append(
            f"baseOffset: {header.base_offset} lastOffset: {header.last_offset} "
            f"count: {header.records_count} baseSequence: {header.base_sequence} "
            f"lastSequence: {last} producerId: {header.producer_id} "
            f"producerEpoch: {header.producer_epoch} "
            f"partitionLeaderEpoch: {header.partition_leader_epoch} "
            f"isTransactional: {_java(header.is_transactional)} "
            f"isControl: {_java(header.is_control)} deleteHorizonMs: OptionalLong.empty "
            f"position: {stored.position} {time}: {header.max_timestamp} size: {batch.size} "
            f"magic: 2 compresscodec: {header.compression_type} crc: {header.crc} isvalid: true")
        for number, record in enumerate(batch.records()):
            sequence = -1 if header.base_sequence < 0 else \
                header.base_sequence + number & 0x7FFFFFFF
            lines.append(
                f"| offset: {record.offset} {time}: {record.timestamp} "
                f"keySize: {_size(record.key)} valueSize: {_size(record.value)} sequence: "
                f"{sequence} headerKeys: [{','.join(key for key, _ in record.headers)}]"
                + (f" endTxnMarker: {marker.control_type.name} "
                   f"coordinatorEpoch: {marker.coordinator_epoch}" if marker else
                   _kraft(record) if header.is_control else
                   _text("key", record.key) + _text("payload", record.value)))
    return "\n".join(lines).splitlines()


KRAFT = {"LEADER_CHANGE": "LeaderChange:", "KRAFT_VERSION": "KRaftVersion",
         "KRAFT_VOTERS": "KRaftVoters"}


def _kraft(record) -> str:
    """What KRaft writes into its log for itself, as the tool names it, at version 0."""
    said = {"version": 0, **_json(read_control_record(record))}
    return f" {KRAFT[ControlRecordType.parse(record.key).name]} " \
        + json.dumps(said, separators=(",", ":"))


NOT_THERE = {Voter: ("voter_directory_id",), Endpoint: ("security_protocol",)}


def _json(given):
    """In Kafka's names: kRaftVersion; what version 0 of a record does not have is left out."""
    if not isinstance(given, tuple):
        return given
    if not hasattr(given, "_asdict"):
        return [_json(one) for one in given]
    return {_kafka_name(name): _json(one) for name, one in given._asdict().items()
            if name not in NOT_THERE.get(type(given), ())}


def _kafka_name(name: str) -> str:
    first, *rest = name.split("_")
    return ("kRaft" if first == "kraft" else first) + "".join(map(str.capitalize, rest))


def _java(value: bool) -> str:
    return str(value).lower()


def _size(content: bytes | None) -> int:
    return -1 if content is None else len(content)


def _text(name: str, content: bytes | None) -> str:
    return "" if content is None else f" {name}: {content.decode(errors='replace')}"


def _index(storage: Storage, name: str) -> list[str]:
    index = OffsetIndex(storage, name, offset_from_file(name), 8)
    used = [one for one in index if one.position]
    return [f"offset: {one.offset} position: {one.position}" for one in used]


def _time_index(storage: Storage, name: str) -> list[str]:
    index = TimeIndex(storage, name, offset_from_file(name), 12)
    return [f"timestamp: {one.timestamp} offset: {one.offset}" for one in index if one.timestamp]


def _txn_index(storage: Storage, name: str) -> list[str]:
    return [f"version: 0 producerId: {one.producer_id} firstOffset: {one.first_offset} "
            f"lastOffset: {one.last_offset} lastStableOffset: {one.last_stable_offset}"
            for one in TransactionIndex(storage, name, 0)]


def _snapshot(storage: Storage, name: str) -> list[str]:
    lines = []
    for one in decode_snapshot(storage.read(name)):
        first = one.current_txn_first_offset
        line = (f"producerId: {one.producer_id} producerEpoch: {one.producer_epoch} "
                f"coordinatorEpoch: {one.coordinator_epoch} currentTxnFirstOffset: "
                f"{'OptionalLong.empty' if first is None else f'OptionalLong[{first}]'} "
                f"lastTimestamp: {one.last_timestamp} ")
        for batch in one.batches[-1:]:
            line += (f"firstSequence: {batch.last_sequence - batch.offset_delta & 0x7FFFFFFF} "
                     f"lastSequence: {batch.last_sequence} lastOffset: {batch.last_offset} "
                     f"offsetDelta: {batch.offset_delta} timestamp: {batch.timestamp}")
        lines.append(line.rstrip())
    return lines


LINES = dict(zip(READ, (_log, _index, _time_index, _txn_index, _snapshot)))


@pytest.mark.parametrize("kind", READ)
def test_the_tool_reads_every_file_and_its_numbers_are_ours(exported, kind):
    files = [file for file in exported.files if file.suffix == kind]
    assert len(files) >= 3 and list(exported.lines) == exported.files
    for file in files:
        theirs = [line for line in exported.lines[file] if line != f"{file} is empty."]
        assert theirs == LINES[kind](*exported.name_in(file)), file


def test_it_finds_fault_only_with_what_it_finds_fault_with_in_a_real_directory(exported):
    later = {file for file in exported.files if file.suffix == ".log" and file.stat().st_size
             and offset_from_file(file.name)}
    assert exported.complaints == {file: [BEGINS_LATER, f"-1 is followed by "
                                          f"{offset_from_file(file.name)}"] for file in later}
    real = GOLDEN / "storage/rec-untouched/stop1"
    told = dump([real / f"{5:020d}.log", real / f"{15:020d}.timeindex"], "--print-data-log")
    assert told.complaints[real / f"{5:020d}.log"] == [BEGINS_LATER, "-1 is followed by 5"]
    assert told.complaints[real / f"{15:020d}.timeindex"][0] == "Found timestamp mismatch in :"


def test_every_index_passes_the_sanity_check_of_a_start(exported):
    files = _files(exported.clean + exported.crashed, ".index", ".timeindex")
    told = dump(files, "--index-sanity-check")
    assert told.complaints == {} and list(told.lines) == files
    assert {file: lines for file, lines in told.lines.items()
            if lines not in ([f"{file} passed sanity check."], [f"{file} is empty."])} == {}


def test_the_tool_finds_what_is_damaged(exported, tmp_path):
    (name,) = _files(exported.clean[:1], ".log")[:1]
    content = bytearray(name.read_bytes())
    content[-3] ^= 0xFF
    (tmp_path / name.name).write_bytes(content)
    lines = dump([tmp_path / name.name]).lines[tmp_path / name.name]
    assert any("isvalid: false" in line for line in lines)
