"""The fold of records: against real snapshots, what it says has changed, and what it refuses."""

import pytest

from kafka_internals.common import TopicPartition
from kafka_internals.controller.metadata_delta import MetadataDelta
from kafka_internals.controller.metadata_image import MetadataImage, MetadataProvenance
from kafka_internals.errors import IllegalStateException, UnknownTopicIdException
from kafka_internals.messages import metadata_records as m
from kafka_internals.messages.metadata_record_serde import decode
from kafka_internals.record_batch import batches
from tests.golden.cases import GOLDEN

SNAPSHOTS = GOLDEN / "cluster/meta-snapshots"
LOG = "100.00000000000000000000.log"


def fold(name: str, end: int | None = None) -> MetadataImage:
    """The image of a recorded file, or of its records below an offset."""
    delta = MetadataDelta(MetadataImage())
    for batch in batches((SNAPSHOTS / name).read_bytes()):
        for offset, record in enumerate(() if batch.header.is_control else batch.records(),
                                        batch.header.base_offset):
            if end is None or offset < end:
                delta.replay(decode(record.value), offset, batch.header.partition_leader_epoch)
    return delta.apply()


def comparable(image: MetadataImage) -> MetadataImage:
    """A snapshot has offsets of its own, and features in another order."""
    return image._replace(provenance=MetadataProvenance(), brokers={
        one: known._replace(features=tuple(sorted(known.features)))
        for one, known in image.brokers.items()})


@pytest.mark.parametrize("end", [31, 72, 98])
def test_a_prefix_of_the_log_folds_to_the_snapshot_that_kafka_wrote_there(end):
    snapshot = fold(f"100.{end:020}-0000000001.checkpoint")
    assert comparable(fold(LOG, end)) == comparable(snapshot)
    assert snapshot.topics and snapshot.brokers and snapshot.features


def some() -> MetadataImage:
    delta = MetadataDelta(MetadataImage())
    for offset, record in enumerate((
            m.RegisterBrokerRecord(1, "i", 5), m.TopicRecord("t", "T"),
            m.PartitionRecord(0, "T", (1,), (1,), leader=1),
            m.ConfigRecord(2, "t", "retention.ms", "5"),
            m.ClientQuotaRecord((m.EntityData("client-id", None),), "producer_byte_rate", 9.0),
            m.FeatureLevelRecord("group.version", 1), m.ProducerIdsRecord(1, 5, 1_000))):
        delta.replay(record, offset, 3)
    return delta.apply()


def test_an_image_never_changes():
    image = some()
    told = repr(image)
    delta = MetadataDelta(image)
    for record in (m.BrokerRegistrationChangeRecord(1, 5, fenced=-1),
                   m.PartitionChangeRecord(0, "T", leader=-1),
                   m.ConfigRecord(2, "t", "retention.ms", None), m.RemoveTopicRecord("T"),
                   m.UnregisterBrokerRecord(1, 5), m.FeatureLevelRecord("group.version", 0),
                   m.ClientQuotaRecord((m.EntityData("client-id", None),), "producer_byte_rate",
                                       0.0, True)):
        delta.replay(record)
    assert delta.apply() == MetadataImage(next_producer_id=1_000,
                                          provenance=MetadataProvenance(6, 3))
    assert repr(image) == told


def test_what_was_touched_can_be_asked():
    delta = MetadataDelta(some())
    assert delta.apply() == some() and not delta.changed_brokers and not delta.changed_topics
    delta.replay(m.PartitionChangeRecord(0, "T", isr=()))
    delta.replay(m.PartitionChangeRecord(0, "T", leader=-1))
    delta.replay(m.BrokerRegistrationChangeRecord(1, 5, log_dirs=("d",), cordoned_log_dirs=()))
    delta.replay(m.ConfigRecord(4, "1", "log.cleaner.threads", "2"))
    delta.replay(m.FeatureLevelRecord("share.version", 2))
    delta.replay(m.ClientQuotaRecord((m.EntityData("user", "u"),), "request_percentage", 5.0))
    delta.replay(m.NoOpRecord(), 99, 4)
    assert tuple(delta.changed_partitions) == (TopicPartition("t", 0),)
    assert (tuple(delta.changed_topics), tuple(delta.changed_brokers)) == (("t",), (1,))
    assert tuple(delta.changed_configs) == ((4, "1"),)
    assert tuple(delta.changed_features) == ("share.version",)
    assert tuple(delta.changed_quotas) == ((m.EntityData("user", "u"),),)
    image = delta.apply()
    assert image.provenance == (99, 4)
    one = image.partition(TopicPartition("t", 0))
    assert (one.partition_epoch, one.leader_epoch) == (2, 1)      # two changes, one with a leader
    assert image.quotas == {None: {"producer_byte_rate": 9.0}}    # of client ids alone
    assert image.brokers[1].log_dirs == ("d",)


def test_a_deleted_topic_takes_its_configs_and_says_which_partitions_are_gone():
    delta = MetadataDelta(some())
    delta.replay(m.RemoveTopicRecord("T"))
    image = delta.apply()
    assert tuple(delta.changed_partitions) == (TopicPartition("t", 0),)
    assert tuple(delta.changed_configs) == ((2, "t"),)
    assert image.configs == {} and image.topic_by_id("T") is None


def test_an_unknown_config_changes_no_topic_but_is_kept():
    delta = MetadataDelta(some())
    delta.replay(m.ConfigRecord(2, "t", "of.the.future", "1"))
    image = delta.apply()
    assert image.topic_config("t") == {"retention.ms": "5", "of.the.future": "1"}
    assert image.topics["t"].configs["retention.ms"] == 5
    assert not delta.changed_topics


@pytest.mark.parametrize("record, error", [
    (m.BrokerRegistrationChangeRecord(1, 4, fenced=1), IllegalStateException),
    (m.BrokerRegistrationChangeRecord(2, 5, fenced=1), IllegalStateException),
    (m.UnregisterBrokerRecord(1, 4), IllegalStateException),
    (m.TopicRecord("t", "U"), IllegalStateException),
    (m.PartitionRecord(2, "T", (1,), (1,)), IllegalStateException),
    (m.PartitionRecord(0, "U", (1,), (1,)), UnknownTopicIdException),
    (m.PartitionChangeRecord(0, "U"), UnknownTopicIdException),
    (m.RemoveTopicRecord("U"), UnknownTopicIdException),
    (m.ProducerIdsRecord(1, 5, 999), IllegalStateException)], ids=lambda one: str(one)[:40])
def test_what_contradicts_the_image_is_refused(record, error):
    with pytest.raises(error):
        MetadataDelta(some()).replay(record)
