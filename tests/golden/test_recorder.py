"""The recorder without a broker: what it sends, what it makes of answers, what it calls equal."""

import gzip
import json
import shutil
import socket
import struct
import threading

import pytest
from kafka.protocol.consumer import FetchResponse
from kafka.protocol.producer import ProduceResponse

from kafka_internals.record_batch import RecordBatch, encode
from kafka_internals.storage.producer_state_entry import (
    BatchMetadata,
    ProducerStateEntry,
    encode_snapshot,
)
from tests.golden.cases import GOLDEN, Case
from tests.golden.recorder import __main__ as command
from tests.golden.recorder import requests
from tests.golden.recorder.broker import BrokerUnavailable, java_command
from tests.golden.recorder.compare import Comparison
from tests.golden.recorder.mount import (
    NothingToMount,
    export,
    export_checkpoints,
    our_log,
    served,
)
from tests.golden.recorder.steps import Recording, framed, moved, rows, stops

STORED = GOLDEN / "storage"
CONTENTS = {one["id"]: one for one in command.found(["*"]).values()}
HEAD = struct.Struct(">ihhih8s")                # size, api key, version, correlation id, client id


def _sent(request, version: int) -> bytes:
    """The body of an encoded request, after its header was looked at."""
    content = requests.encode(request, version, 7)
    size, _, told_version, correlation_id, length, name = HEAD.unpack_from(content)
    assert (size, told_version, correlation_id) == (len(content) - 4, version, 7)
    assert (length, name) == (8, b"recorder")
    return content[HEAD.size:]


# -- requests ---------------------------------------------------------------------------------
def test_a_produce_carries_the_recorded_batch_byte_for_byte_even_a_wrong_one():
    step = CONTENTS["err-produce"]["steps"][4]
    assert step["note"] == "crc wrong"
    batch = bytes.fromhex(step["hex"])
    body = _sent(requests.produce("orders", batch, 1, None, 8), 8)
    assert body == struct.pack(">hhiih6siii", -1, 1, 20_000, 1, 6, b"orders", 1, 0,
                               len(batch)) + batch


def test_a_time_lookup_is_flexible_and_bears_the_epoch_that_the_step_names():
    step = {"timestamp": -3, "isolation": 1, "epoch": 4}
    assert _sent(requests.list_offsets("orders", step), 11) == b"\0" + struct.pack(
        ">ibB", -1, 1, 2) + b"\x07orders" + struct.pack(
        ">BiiqBB", 2, 0, 4, -3, 0, 0) + struct.pack(">iB", 20_000, 0)


def test_a_marker_bears_its_transaction_version():
    step = {"pid": 736, "epoch": 3, "commit": True, "coordinator_epoch": 5, "txn_version": 2}
    assert _sent(requests.write_txn_markers("orders", step), 2) == b"\0" + struct.pack(
        ">Bqh?B", 2, 736, 3, True, 2) + b"\x07orders" + struct.pack(
        ">BiBibBB", 2, 0, 0, 5, 2, 0, 0)


@pytest.mark.parametrize("code, name", [
    (0, "NONE"), (-1, "UNKNOWN_SERVER_ERROR"), (10, "MESSAGE_TOO_LARGE"),
    (53, "TRANSACTIONAL_ID_AUTHORIZATION_FAILED")])       # the last one is not modelled
def test_errors_bear_kafkas_names(code, name):
    assert requests.error_name(code) == name


def test_answers_have_the_form_of_recorded_ones():
    given = ProduceResponse(responses=[("orders", [
        (0, 87, -1, -1, 5, [(1, "no key")], "One or more records")])], version=8)
    assert requests.produced(ProduceResponse.decode(given.encode(), version=8), 8) == {
        "error": "INVALID_RECORD", "baseOffset": -1, "logStartOffset": 5,
        "recordErrors": [[1, "no key"]], "errorMessage": "One or more records"}
    log = Case("storage/batch-plain").log()
    first, second = Case("storage/batch-plain").batches()[:2]
    torn = log[:first.size + second.size - 3]
    content = FetchResponse(throttle_time_ms=0, responses=[("orders", [
        (0, 0, 9, 8, 0, None, -1, torn)])], version=11)
    assert requests.fetched(FetchResponse.decode(content.encode(), version=11)) == {
        "error": "NONE", "highWatermark": 9, "lastStableOffset": 8, "logStartOffset": 0,
        "bytes": len(torn), "batches": [[0, first.last_offset, first.size]],
        "tornTailBytes": second.size - 3}


def test_a_broker_that_closes_the_socket_is_a_connection_error_and_the_connection_is_closed():
    with socket.create_server(("127.0.0.1", 0)) as server:
        def hang_up():
            accepted, _ = server.accept()
            accepted.recv(1)
            accepted.close()
        answering = threading.Thread(target=hang_up)
        answering.start()
        connection = requests.Connection(server.getsockname()[1])
        with pytest.raises(ConnectionError):
            connection.list_offsets("orders", {"timestamp": -1})
        answering.join()
    assert connection.is_closed


# -- what is missing --------------------------------------------------------------------------
def test_without_java_or_the_jars_the_error_says_what_to_do(tmp_path):
    with pytest.raises(BrokerUnavailable, match="'no-such-java' is not on the PATH"):
        java_command(tmp_path, "no-such-java")
    with pytest.raises(BrokerUnavailable, match="holds no kafka_2.13.*mvn -f"):
        java_command(tmp_path, "python3")


def test_the_command_names_the_error_and_ends_with_2(tmp_path, capsys, monkeypatch):
    assert command.main(["batch-plain", "--check", "--jars", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("BrokerUnavailable: ")
    monkeypatch.setattr(command, "java_command", lambda jars: [])
    assert command.main(["no-such-case", "--check"]) == 2
    assert "BadCase: 'no-such-case' is neither" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command.main(["batch-plain"])           # neither kept nor compared
    assert "--out DIR" in capsys.readouterr().err


def test_a_case_that_cannot_be_recorded_is_refused_before_a_broker_starts(tmp_path):
    with pytest.raises(command.BadCase, match="has no steps"):
        command.found(["byte-vectors"])
    own = tmp_path / "case.json"
    own.write_text(json.dumps({"id": "batch-plain", "steps": [{"op": "create"}]}), "utf-8")
    with pytest.raises(command.BadCase, match="nothing about topicName, broker, topic, compare"):
        command.found([str(own)])
    own.write_text(json.dumps(CONTENTS["batch-plain"]), "utf-8")
    assert list(command.found([str(own)]).values()) == [CONTENTS["batch-plain"]]
    with pytest.raises(command.BadCase, match="have the id batch-plain"):
        command.found(["batch-*", str(own)])


# -- the interpreter --------------------------------------------------------------------------
class Recorded:
    """A broker that answers what was recorded, over files put where a broker's would be."""

    def __init__(self, case: Case, log_dir) -> None:
        self.log_dir, self.connection, self._answers = log_dir, self, iter(case.expect)

    def directory(self, topic: str):
        return self.log_dir / f"{topic}-0"

    def list_offsets(self, topic, step):
        return {"error": "NONE"} if "i" not in step else next(self._answers)

    def create(self, topic, *given):
        return next(self._answers)

    produce = marker = producers = epoch_end = fetch = create


def test_steps_are_played_up_to_a_stop_files_are_damaged_and_copied(tmp_path):
    case, content = Case("storage/rec-torn-tail"), CONTENTS["rec-torn-tail"]
    broker = Recorded(case, tmp_path / "data")
    directory = broker.directory(case.id)
    directory.mkdir(parents=True)
    cut = next(step for step in case.steps if step["op"] == "edit")
    for name, found in case.files("edited1").items():
        (directory / name).write_bytes(found + b"\0" * cut["bytes"] * (name == cut["file"]))
    recording = Recording(content, broker, tmp_path / "new", case.clock_ms)
    recording.play()
    assert recording.next_step["op"] == "stop"
    recording.stopped()
    recording.play()
    assert recording.next_step["op"] == "start"
    at = content["steps"].index(recording.next_step)
    told, stored = recording.case["expect"][at - 1], case.expect[at - 1]
    assert (told["dir"], told["batches"]) == (stored["dir"], stored["batches"])
    recording.write()
    new = json.loads((tmp_path / "new/case.json").read_text("utf-8"))
    assert new["steps"] == content["steps"] and new["random"] == content["random"]
    for name, found in case.files("edited1").items():
        assert (tmp_path / "new/edited1" / name).read_bytes() == found


@pytest.mark.parametrize("name", ["batch-plain", "rec-flip-active", "rec-zeros-tail"])
def test_rows_of_a_log_file_are_the_recorded_ones(name):
    case, compared = Case(f"storage/{name}"), 0
    for answer in case.expect:
        for file, stored in answer.get("batches", {}).items() if "dir" in answer else ():
            assert rows(case.files(answer["dir"])[file]) == stored
            compared += len(stored)
    assert compared > 10


def test_only_the_present_of_a_case_is_moved():
    step = {"i": 1, "op": "produce", "hex": "00", "batch": {"records": [
        {"k": "a", "ts": 1_700_000_000_000}, {"k": "b", "ts": 1_795_000_000_005}]}}
    later = moved(step, 1_795_000_000_000, 1_800_000_000_000)
    assert [one["ts"] for one in later["batch"]["records"]] == [
        1_700_000_000_000, 1_800_000_000_005]
    assert "hex" not in later and "hex" in step
    old = CONTENTS["batch-plain"]["steps"]
    assert [moved(one, 1_795_000_000_000, 1_800_000_000_000) for one in old] == old
    assert moved({"op": "edit", "batch": 3}, 0, 1) == {"op": "edit", "batch": 3}


def test_cases_share_a_broker_where_settings_and_stops_are_the_same():
    def alike(one, other):
        return stops(CONTENTS[one]) == stops(CONTENTS[other])
    assert alike("batch-plain", "err-produce") and alike("rec-torn-tail", "rec-txn")
    assert not alike("batch-plain", "rec-torn-tail")            # killed
    assert not alike("rec-torn-tail", "recrp-torn-tail")        # other settings
    assert not alike("batch-plain", "reopen-badversion-txnindex")       # the broker ends there


# -- what is called equal ---------------------------------------------------------------------
def _copy(case: str, tmp_path) -> dict:
    shutil.copytree(STORED / case, tmp_path / case)
    return json.loads((tmp_path / case / "case.json").read_text("utf-8"))


def _differences(content: dict, tmp_path) -> list[str]:
    (tmp_path / content["id"] / "case.json").write_text(json.dumps(content), "utf-8")
    return command.differences(STORED / content["id"], tmp_path / content["id"])


@pytest.mark.parametrize("name", ["batch-txn", "rec-torn-tail", "recompress-zstd"])
def test_a_case_equals_itself(name, tmp_path):
    assert _differences(_copy(name, tmp_path), tmp_path) == []


def test_another_offset_error_or_file_is_told(tmp_path):
    content = _copy("batch-plain", tmp_path)
    content["expect"][3]["baseOffset"] += 1
    assert [one.partition(":")[0] for one in _differences(content, tmp_path)] == ["step 3 produce"]
    content = _copy("batch-txn", tmp_path)
    (path,) = (tmp_path / "batch-txn/end").glob("*.txnindex")
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    (tmp_path / "batch-txn/end/more").write_bytes(b"")
    told = _differences(content, tmp_path)
    assert [one.partition(": ")[2] for one in told] == [
        f"{path.name} differs", "only the new one has more"]
    content["expect"].pop()
    assert any("answers are not" in one for one in _differences(content, tmp_path))


@pytest.fixture
def comparison() -> Comparison:
    """The same case, recorded again 1000 days later."""
    stored, new = Case("storage/batch-txn"), Case("storage/batch-txn")
    new.clock_ms += 86_400_000_000
    return Comparison(stored, new)


def test_times_are_the_same_in_their_own_present_only(comparison):
    clock_ms, later_ms = Case("storage/batch-txn").clock_ms, 86_400_000_000
    assert comparison.same_time(1_700_000_000_000, 1_700_000_000_000)
    assert comparison.same_time(clock_ms - 5_000, clock_ms - 5_000 + later_ms)
    assert comparison.same_time(clock_ms + 70, clock_ms + 4_000 + later_ms)     # both of the clock
    assert not comparison.same_time(clock_ms + 70, clock_ms + 71)
    assert not comparison.same_time(1_700_000_000_000, 1_700_000_000_001)


def _files(time_ms: int, value: bytes = b"paid") -> dict[str, bytes]:
    batch = RecordBatch(encode([(time_ms, b"ada", value, ())])).with_offsets(3, 0).buffer
    snapshot = encode_snapshot([ProducerStateEntry(7, 0, -1, time_ms, None, (
        BatchMetadata(len(value), 3, 0, time_ms),))])
    return {"0.log": batch, "1.log": batch + batch[:70], "0.snapshot": snapshot,
            "0.timeindex": struct.pack(">qi", time_ms, len(value))}


def test_files_are_the_same_but_for_the_times_of_a_present(comparison):
    before_ms = Case("storage/batch-txn").clock_ms - 5_000
    stored, same = _files(before_ms), _files(before_ms + 86_400_000_000)
    late, other = _files(before_ms + 86_400_000_001), _files(before_ms + 86_400_000_000, b"owed!")
    for name in stored:
        assert stored[name] != same[name]
        assert comparison.same_file(name, stored[name], same[name]), name
        assert not comparison.same_file(name, stored[name], late[name]), name
        assert not comparison.same_file(name, stored[name], other[name]), name
    assert not comparison.same_file("0.index", b"\0", b"\1")
    assert comparison.same_file("partition.metadata", b"version: 0\ntopic_id: a",
                                b"version: 0\ntopic_id: b")


def test_a_snapshot_with_a_wrong_checksum_is_not_the_same_as_a_right_one(comparison):
    right = _files(1_700_000_000_000)["0.snapshot"]
    wrong = right[:2] + bytes(4) + right[6:]
    assert not comparison.same_file("0.snapshot", right, wrong)


def test_compressed_payloads_are_compared_by_their_records_where_a_case_says_so():
    by_record, by_byte = (Comparison(*[Case(f"storage/{name}")] * 2)
                          for name in ("recompress-gzip", "batch-txn"))
    one, another = (encode([(1_700_000_000_000, b"ada", value, ())], compression_type="gzip")
                    for value in (b"paid" * 50, b"owed" * 50))
    packed = gzip.compress(RecordBatch(one).record_bytes(), 1, mtime=0)
    other = one[:8] + (len(packed) + 49).to_bytes(4) + one[12:61] + packed
    assert RecordBatch(one).buffer != other
    assert by_record.same_file("0.log", one, other)
    assert not by_byte.same_file("0.log", one, other)
    assert not by_record.same_file("0.log", one, another)


# -- a log of ours under a broker -------------------------------------------------------------
def test_our_log_is_exported_as_files_with_the_topic_id_that_the_broker_gave(tmp_path):
    case = Case("storage/dir-bytes-roll")
    (tmp_path / "dir-bytes-roll-0").mkdir()
    (tmp_path / "dir-bytes-roll-0/partition.metadata").write_bytes(b"version: 0\ntopic_id: theirs")
    (tmp_path / "dir-bytes-roll-0/old.log").write_bytes(b"x")
    ours = our_log(case)
    export(ours, tmp_path)
    export_checkpoints([ours, our_log(Case("storage/delete-records"))], tmp_path)
    written = {path.name: path.read_bytes() for path in (tmp_path / "dir-bytes-roll-0").iterdir()}
    assert written.pop("partition.metadata").endswith(b"theirs")
    stored = case.files("end")
    stored.pop("partition.metadata")
    assert written == stored
    assert (tmp_path / "recovery-point-offset-checkpoint").read_text().startswith("0\n2\n")
    (start,) = (tmp_path / "log-start-offset-checkpoint").read_text().splitlines()[2:]
    assert start.startswith("delete-records 0 ")


def test_a_case_that_deletes_its_topic_leaves_nothing_to_mount():
    with pytest.raises(NothingToMount, match="topic-delete does not end"):
        our_log(Case("storage/topic-delete"))


def test_a_consumer_reads_on_until_it_gets_nothing():
    class Answers:
        connection = property(lambda self: self)
        content = Case("storage/dir-bytes-roll").batches()

        def list_offsets(self, topic, step):
            return {"offset": 0}

        def records(self, topic, offset):
            left = [one.buffer for one in self.content if one.last_offset >= offset]
            return b"".join([*left[:2], *(one[:9] for one in left[2:3])])
    found = served(Answers(), "dir-bytes-roll")
    assert [one.buffer for one in found] == [one.buffer for one in Answers.content]
    assert framed(b"".join(one.buffer for one in found))[1] == b""
