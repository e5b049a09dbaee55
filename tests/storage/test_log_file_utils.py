"""LogFileUtils: names that sort as offsets do."""

import pytest

from kafka_internals.common import TopicPartition
from kafka_internals.storage.log_file_utils import (
    DELETED,
    SEGMENT_FILES,
    log_delete_dir_name,
    offset_from_file,
    segment_file,
)

PARTITION = TopicPartition("orders", 3)
UNIQUE = "054966d3fa7444e195946a1a3a40b240"


def test_a_segments_files_carry_its_base_offset():
    assert [segment_file(PARTITION, 42, kind, DELETED) for kind in SEGMENT_FILES] == [
        f"orders-3/00000000000000000042.{kind}.deleted"
        for kind in ("log", "index", "timeindex", "txnindex")]


@pytest.mark.parametrize("name", ["00000000000000000042.log", "a-0/00000000000000000042.snapshot",
                                  "a.b-0/00000000000000000042.index.swap"])
def test_the_offset_is_read_from_the_name(name):
    assert offset_from_file(name) == 42


@pytest.mark.parametrize("name", ["leader-epoch-checkpoint", "", "x42.log", "a-0/"])
def test_other_files_have_no_offset(name):
    with pytest.raises(ValueError, match="does not begin with an offset"):
        offset_from_file(name)


def test_a_deleted_partitions_directory_has_at_most_255_characters():
    assert log_delete_dir_name(PARTITION, UNIQUE) == f"orders-3.{UNIQUE}-delete"
    long = log_delete_dir_name(TopicPartition("t" * 249, 12), UNIQUE)
    assert len(long) == 255 and long.endswith(f"tt-12.{UNIQUE}-delete")
