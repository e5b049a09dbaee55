"""Writes a log directory to real files: what a broker's stop, or its crash, leaves behind.

Everything is made ready on a layer above the given storage, then written beside the wanted place
and renamed into it, so that there is all of it or nothing. Zeros at the end of a file are written
as a hole: the 10 MiB that an index is given in advance take no room. What a broker draws by lot
(ids of topics, cluster and directory) is derived from names, so that an export repeats.
"""

import os
import re
import shutil
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from kafka_internals.common import START_MS, TopicPartition
from kafka_internals.config import BROKER_CONFIG, TOPIC_CONFIG
from kafka_internals.storage.checkpoint_file import (
    CLEAN_SHUTDOWN,
    CLEANER_OFFSET_CHECKPOINT,
    HIGH_WATERMARK_CHECKPOINT,
    LOG_START_OFFSET_CHECKPOINT,
    META_PROPERTIES,
    PARTITION_METADATA,
    RECOVERY_POINT_CHECKPOINT,
    checkpoint,
    read_offsets,
    write_meta_properties,
    write_offsets,
    write_partition_metadata,
)
from kafka_internals.storage.file_records import Storage
from kafka_internals.storage.file_storage import OverlayStorage
from kafka_internals.storage.log_file_utils import TMP
from kafka_internals.storage.log_manager import LogManager

CLUSTER_METADATA = "__cluster_metadata-0"       # the controllers' log: raft's, not a partition
LOCK = ".lock"                                  # there while a broker runs, and after it crashed
# What a broker that has just begun finds: two checkpoints say "none", two are empty files.
AT_FIRST = {RECOVERY_POINT_CHECKPOINT: checkpoint(()), LOG_START_OFFSET_CHECKPOINT: checkpoint(()),
            HIGH_WATERMARK_CHECKPOINT: b"", CLEANER_OFFSET_CHECKPOINT: b""}
_PARTITION = re.compile(r"[a-zA-Z0-9._-]{1,249}-\d+")


def export(storage: Storage, path: Path | str, *, partitions: Iterable[Any] | None = None,
           configs: Mapping[str, Mapping[str, Any]] | None = None, cluster_id: str | None = None,
           node_id: int = 1, directory_id: str | None = None,
           topic_ids: Mapping[str, str] | None = None, now_ms: int = START_MS,
           broker_epoch: int = 0, crashed: bool = False) -> Path:
    """Write the log directory in `storage`, which stays as it is, to real files; where they are.

    As an orderly stop leaves it: where there was none yet, a broker starts on these files and
    stops. `crashed=True`: the files as they are now, indexes with the room they were given.
    `partitions`: those wanted, all without. `configs`: {topic: configs by Kafka's names}. Ids have
    22 characters and are derived from names without; `now_ms` is epoch ms.
    Errors: FileExistsError and NotADirectoryError by name, ValueError (a partition without a
    directory; `crashed` after an orderly stop), ConfigException; nothing is left behind then.
    """
    target, names = _free(Path(path)), partitions_of(storage, partitions)
    left = OverlayStorage(storage, now_ms)
    if crashed:
        _ensure_not_stopped(storage)
    elif not storage.exists(CLEAN_SHUTDOWN):
        _start_and_stop(left, configs or {}, now_ms, broker_epoch)
    if partitions is not None:
        _keep_only(left, set(names))
    _complete(left, names, cluster_id or derived_id("cluster"), node_id, directory_id,
              topic_ids or {})
    if crashed:
        left.replace(LOCK, b"")
    inside = [directory for directory in left.directories()
              if partitions is None or directory in map(str, names)]
    _write(left, ["", *inside], target)
    return target


# -- what is written --------------------------------------------------------------------------
def partitions_of(storage: Storage, wanted: Iterable[Any] | None = None) \
        -> tuple[TopicPartition, ...]:
    """The partitions with a directory, or those wanted; ValueError where one has none."""
    found = tuple(sorted(TopicPartition.of(name) for name in storage.directories()
                         if _PARTITION.fullmatch(name) and name != CLUSTER_METADATA))
    if wanted is None:
        return found
    names = tuple(TopicPartition.of(one) for one in wanted)
    if absent := [str(name) for name in names if name not in found]:
        raise ValueError(f"there is no directory of {', '.join(absent)}; there are "
                         f"{', '.join(map(str, found)) or 'none'}")
    return names


def topic_configs(given: Mapping[str, Any]) -> dict[str, Any]:
    """Topic configs with Kafka's defaults for those not given. ConfigException."""
    return {**TOPIC_CONFIG.parse({}), **{name: TOPIC_CONFIG.key(name).parse(value)
                                         for name, value in given.items()}}


@lru_cache(100)
def derived_id(name: str) -> str:
    """A Uuid as Kafka writes one, in 22 characters: always the same for a name.

    Like Uuid.randomUuid() it is of version 4 and does not begin with a dash.
    """
    digest = bytearray(sha256(name.encode()).digest()[:16])
    digest[6], digest[8] = digest[6] & 0x0F | 0x40, digest[8] & 0x3F | 0x80
    text = urlsafe_b64encode(digest).decode().rstrip("=")
    return derived_id(f"{name}'") if text.startswith("-") else text


def _ensure_not_stopped(storage: Storage) -> None:
    if storage.exists(CLEAN_SHUTDOWN):
        raise ValueError(f"crashed=True: there is a {CLEAN_SHUTDOWN} here, so the broker was "
                         f"stopped in an orderly way; leave crashed=True out")


def _start_and_stop(left: Storage, configs: Mapping[str, Mapping[str, Any]], now_ms: int,
                    broker_epoch: int) -> None:
    """A broker's start on these files and its orderly stop."""
    marks = read_offsets(left, HIGH_WATERMARK_CHECKPOINT)
    manager = LogManager(left, BROKER_CONFIG.parse({}))
    for name in partitions_of(left):
        log = manager.open(name, topic_configs(configs.get(name.topic, {})), now_ms)
        marks[name] = log.update_high_watermark(marks.get(name, 0))
    manager.shut_down(broker_epoch)
    write_offsets(left, HIGH_WATERMARK_CHECKPOINT, marks)


def _keep_only(left: Storage, names: set[TopicPartition]) -> None:
    """The checkpoints forget the other partitions."""
    for name in AT_FIRST:
        if left.size(name):
            write_offsets(left, name, {partition: offset for partition, offset
                                       in read_offsets(left, name).items() if partition in names})


def _complete(left: Storage, names: Iterable[TopicPartition], cluster_id: str, node_id: int,
              directory_id: str | None, topic_ids: Mapping[str, str]) -> None:
    """Add what the simulated broker does not write, as a real one would have."""
    for name, content in AT_FIRST.items():
        if not left.exists(name):
            left.replace(name, content)
    if not left.exists(META_PROPERTIES):
        write_meta_properties(left, META_PROPERTIES, {
            "node.id": str(node_id), "version": "1", "cluster.id": cluster_id,
            "directory.id": directory_id or derived_id(f"{cluster_id} node {node_id}")}, START_MS)
    for name in names:
        if not left.exists(file := f"{name}/{PARTITION_METADATA}"):
            write_partition_metadata(left, file, topic_ids.get(
                name.topic, derived_id(f"{cluster_id} topic {name.topic}")))


# -- real files -------------------------------------------------------------------------------
def _free(path: Path) -> Path:
    """The path, which nothing may lie at but an empty directory."""
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(f"{path} is a file; export() makes a directory")
    if path.is_dir() and (inside := sorted(one.name for one in path.iterdir())):
        raise FileExistsError(f"{path} is not empty, it holds {', '.join(inside[:3])}; export() "
                              f"takes a path that is free, or an empty directory")
    return path


def _write(left: Storage, directories: list[str], target: Path) -> None:
    staging = target.with_name(target.name + TMP)
    staging.mkdir(parents=True)                                 # FileExistsError: not ours
    try:
        for directory in directories:
            (staging / directory).mkdir(exist_ok=True)
            for name in left.names(directory):
                _write_file(left, f"{directory}/{name}" if directory else name, staging)
        if target.is_dir():
            target.rmdir()
        staging.rename(target)
    except BaseException:
        shutil.rmtree(staging)
        raise


def _write_file(left: Storage, name: str, root: Path) -> None:
    content, modified_ms = left.read(name), left.modified_ms(name)
    with (root / name).open("wb") as file:
        file.write(content.rstrip(b"\0"))
        file.truncate(len(content))
    os.utime(root / name, ns=(modified_ms * 1_000_000,) * 2)
