"""Every record that a real controller wrote: read to Kafka's own values, written to its bytes."""

import pytest

from kafka_internals.errors import KafkaException
from kafka_internals.messages.kraft_control_records import control_record, read_control_record
from kafka_internals.messages.metadata_record_serde import (
    MetadataParseException,
    decode,
    decode_with_version,
    encode,
)
from kafka_internals.messages.metadata_records import BrokerRegistrationChangeRecord
from kafka_internals.record_batch import RecordBatch
from tests.golden.metadata_logs import (
    CLUSTER,
    NOT_MODELLED,
    RAW,
    decoded_by_kafka,
    name_of,
    plain,
    said_in,
    stored,
    values,
    with_defaults,
)

DECODED = [path for path in RAW if decoded_by_kafka(path)]


def modelled(path):
    """(record as stored, as Kafka printed it, is it a control record) but for those refused."""
    for batch, said in zip(stored(path), decoded_by_kafka(path), strict=True):
        assert (batch.base_offset, batch.size) == (said["baseOffset"], said["size"])
        for record, one in zip(batch.records(), said["records"], strict=True):
            if one["type"] not in NOT_MODELLED:
                yield record, one, said["control"]


def test_the_recordings_are_all_there():
    assert (len(RAW), len(DECODED)) == (18, 13)


@pytest.mark.parametrize("path", DECODED, ids=name_of)
def test_a_record_is_read_to_what_kafka_says_it_is(path):
    for record, said, is_control in modelled(path):
        if is_control:
            found, version = read_control_record(record), said["data"]["version"]
        else:
            found, version = decode_with_version(record.value)
        assert plain(found) == with_defaults(said["data"], found)
        assert version == said.get("version", 0)
        kind = said["type"].replace("_", "").lower()
        assert type(found).__name__.lower() in (kind, f"{kind}record", f"{kind}message",
                                                f"{kind[5:]}record")


@pytest.mark.parametrize("path", DECODED, ids=name_of)
def test_a_record_is_written_to_kafkas_bytes(path):
    for record, said, is_control in modelled(path):
        if is_control:
            assert control_record(read_control_record(record)) == (record.key, record.value)
        else:
            assert record.key is None
            assert encode(decode(record.value), said["version"]) == record.value


@pytest.mark.parametrize("path", [one for one in RAW if one not in DECODED], ids=name_of)
def test_logs_of_other_quorums_are_written_to_the_same_bytes(path):
    for batch in stored(path):
        for record, said in zip(batch.records(), said_in(batch)):
            assert record.value == (control_record(said)[1] if batch.header.is_control
                                    else encode(said))


def test_the_version_is_chosen_as_a_cluster_of_4_4_chooses_it():
    """All but the one that was recorded in a cluster at 3.9, which held lower ones."""
    seen = set()
    for path in RAW:
        if path.parent.name not in ("meta-dynamic-3c3b", "meta-elr-off-features"):
            for record, version, value in values(path):
                assert encode(record) == value
                seen.add((type(record), version))
    changes = {version for kind, version in seen if kind is BrokerRegistrationChangeRecord}
    assert changes == {0, 1, 3} and len(seen) == 15


def test_a_kind_that_is_not_modelled_is_refused_by_its_name():
    refused = []
    for path in DECODED:
        for batch, said in zip(stored(path), decoded_by_kafka(path), strict=True):
            for record, one in zip(batch.records(), said["records"], strict=True):
                if one["type"] in NOT_MODELLED:
                    refused.append(one["type"])
                    name = "".join(part.title() for part in one["type"].split("_"))
                    with pytest.raises(MetadataParseException, match=f", {name}, is not modelled"):
                        decode(record.value)
    assert sorted(refused) == sorted(NOT_MODELLED)


def test_any_byte_of_a_batch_may_be_damaged():
    """What cannot be read is refused, and nothing else happens."""
    path = CLUSTER / "meta-standalone/1.00000000000000000000.log"
    for batch in stored(path)[:6]:
        for at in range(61, batch.size):
            damaged = bytearray(batch.buffer)
            damaged[at] ^= 0xFF
            _try(RecordBatch(bytes(damaged)))


def _try(batch: RecordBatch) -> None:
    try:
        said_in(batch)
    except KafkaException:
        pass
