"""The batches that a real broker stored, made again from what it was given: equal byte for byte."""

import pytest

from kafka_internals.memory_records_builder import MemoryRecordsBuilder
from kafka_internals.record_batch import RecordBatch, batches, valid_length
from tests.golden import cases
from tests.golden.cases import FIRST_LEADER_EPOCH, Case

WIRE_CASES = ("storage/batch-plain", "storage/batch-idempotent")
WRONG_MAX_TIMESTAMP = 22                        # batch-plain: the leader writes the true one


@pytest.mark.parametrize("path", WIRE_CASES)
def test_a_described_batch_is_encoded_to_the_bytes_that_were_sent(path):
    compared = 0
    for step, _ in Case(path).produced():
        if "max_ts" not in step["batch"]:
            encoded = cases.batch(step["batch"]).buffer
            assert len(encoded) == step["size"]
            assert encoded == cases.sent(step).buffer
            compared += "hex" in step
    assert compared >= 4


@pytest.mark.parametrize("path", WIRE_CASES)
def test_a_leader_turns_the_sent_batches_into_the_stored_ones(path):
    case = Case(path)
    stored = list(batches(case.log()))
    produced = case.produced()
    assert len(stored) == len(produced)
    for (step, answer), written in zip(produced, stored):
        assert written.base_offset == answer["baseOffset"]
        if step["i"] == WRONG_MAX_TIMESTAMP:
            continue
        assigned = cases.sent(step).with_offsets(answer["baseOffset"], FIRST_LEADER_EPOCH)
        assert assigned == written, step.get("note")


def test_step_22_carries_a_wrong_max_timestamp_and_is_stored_with_the_true_one():
    step, answer = next(one for one in Case("storage/batch-plain").produced()
                        if one[0]["i"] == WRONG_MAX_TIMESTAMP)
    written = next(batch for batch in batches(Case("storage/batch-plain").log())
                   if batch.base_offset == answer["baseOffset"])
    assert cases.sent(step).header.max_timestamp == step["batch"]["max_ts"]
    true = {key: value for key, value in step["batch"].items() if key != "max_ts"}
    assert cases.batch(true).with_offsets(answer["baseOffset"], FIRST_LEADER_EPOCH) == written


def test_the_java_producers_batches_are_built_again():
    case = Case("storage/java-none")
    assert [stored["crcOk"] for stored in case.expect["batches"]] == [True] * len(case.steps)
    log = b""
    for flushed, stored in zip(case.steps, case.expect["batches"]):
        builder = MemoryRecordsBuilder(1_000_000)
        for timestamp, key, value, headers in cases.records(flushed["records"]):
            builder.append(timestamp, key, value, headers)
        assert builder.estimated_size_bytes == stored["size"]
        batch = RecordBatch(builder.build())
        log += batch.with_offsets(stored["baseOffset"], stored["leaderEpoch"]).buffer
    assert log == case.log()


@pytest.mark.parametrize("path", (*WIRE_CASES, "storage/java-none"))
def test_a_stored_log_is_valid_to_its_end_and_decodes_to_what_was_produced(path):
    case, log = Case(path), Case(path).log()
    assert valid_length(log) == len(log)
    described = [step["batch"] for step, _ in case.produced()] if path in WIRE_CASES else case.steps
    expected = [record for one in described for record in cases.records(one["records"])]
    found = [record for batch in batches(log) for record in batch.records()]
    assert [record[1:] for record in found] == expected
    assert [record.offset for record in found] == list(range(len(expected)))
