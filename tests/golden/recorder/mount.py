"""Puts a log that our own classes wrote under a real broker, which has to serve the same records.

The steps of cases are replayed on simulated disks up to the orderly stop. A real broker makes their
topics and stops, finds our directories in place of its own, and starts again.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from kafka_internals.common import TopicPartition
from kafka_internals.errors import KafkaException
from kafka_internals.messages.list_offsets import (
    EARLIEST_TIMESTAMP,
    LATEST_TIMESTAMP,
    MAX_TIMESTAMP,
)
from kafka_internals.record_batch import RecordBatch
from kafka_internals.storage.checkpoint_file import (
    CLEAN_SHUTDOWN,
    LOG_START_OFFSET_CHECKPOINT,
    PARTITION_METADATA,
    RECOVERY_POINT_CHECKPOINT,
    offset_checkpoint,
    read_offsets,
)
from kafka_internals.storage.log_file_utils import LOG
from kafka_internals.storage.offset_lookup import fetch_offset
from kafka_internals.storage.time_index import NO_TIMESTAMP
from tests.golden.cases import Case
from tests.golden.recorder.broker import Broker
from tests.golden.recorder.steps import framed, until_it_answers
from tests.golden.replay import Replay


class NothingToMount(Exception):
    """Our replay of the case leaves no log that an orderly stop has closed."""


def our_log(case: Case) -> Replay:
    """Our replay of a case, its log closed on its disk. Raises NothingToMount."""
    replay = Replay(case)
    replay.run()
    if not replay.disk.exists(CLEAN_SHUTDOWN) or not replay.disk.names(str(replay.partition)):
        raise NothingToMount(f"{case.id} does not end with an orderly stop of a log")
    return replay


def export(ours: Replay, log_dir: Path) -> None:
    """Write the files of our log in place of the broker's own; its topic id stays."""
    directory = str(ours.partition)
    target = log_dir / directory
    identity = (target / PARTITION_METADATA).read_bytes()
    shutil.rmtree(target)
    target.mkdir()
    for name in ours.disk.names(directory):
        (target / name).write_bytes(ours.disk.read(f"{directory}/{name}"))
    (target / PARTITION_METADATA).write_bytes(identity)


def export_checkpoints(logs: list[Replay], log_dir: Path) -> None:
    """Write what our broker noted about these logs, in place of what the real one noted."""
    for name in (RECOVERY_POINT_CHECKPOINT, LOG_START_OFFSET_CHECKPOINT):
        offsets: dict[TopicPartition, int] = {}
        for ours in logs:
            offsets |= read_offsets(ours.disk, name)
        (log_dir / name).write_bytes(offset_checkpoint(offsets))


def served(broker: Broker, topic: str) -> list[RecordBatch]:
    """Every batch that a consumer gets, from the start of the log to its end."""
    ask, found = broker.connection, []
    offset = ask.list_offsets(topic, {"timestamp": -2})["offset"]
    while (content := ask.records(topic, offset)):
        whole, _ = framed(content)
        found += whole
        offset = whole[-1].last_offset + 1
    return found


def mounted(logs: list[Replay], work: Path, jars: Path) -> Iterator[tuple[str, list[str]]]:
    """(id, differences) of each log: what a real broker makes otherwise of it than we do."""
    broker = Broker(work, logs[0].case.broker, jars)
    try:
        broker.start()
        for ours in logs:
            broker.connection.create(ours.case.id, {"configs": ours.case.topic})
            until_it_answers(broker, ours.case.id)
        broker.stop()
        for ours in logs:
            export(ours, broker.log_dir)
        export_checkpoints(logs, broker.log_dir)
        broker.start()
        for ours in logs:
            until_it_answers(broker, ours.case.id)
            yield ours.case.id, [*unlike(ours, served(broker, ours.case.id)),
                                 *found_otherwise(ours, broker)]
    finally:
        broker.kill()


def unlike(ours: Replay, theirs: list[RecordBatch]) -> Iterator[str]:
    """How the batches that were served differ from those in our files."""
    mine = written(ours)
    if len(theirs) != len(mine):
        yield f"{len(theirs)} batches served, {len(mine)} written"
    for one, other in zip(theirs, mine):
        if one.buffer != other.buffer:
            yield f"{one!r} is served with other bytes than those of {other!r}"


def written(ours: Replay) -> list[RecordBatch]:
    """The batches in our files, as far as they are not below the log's start."""
    directory = str(ours.partition)
    files = (ours.disk.read(f"{directory}/{name}")
             for name in ours.disk.names(directory) if name.endswith(LOG))
    return [one for content in files for one in framed(content)[0]
            if one.last_offset >= ours.log.log_start_offset]


def found_otherwise(ours: Replay, broker: Broker) -> Iterator[str]:
    """The log's ends, and times of records, that Kafka does not find where we do."""
    times = {one.header.max_timestamp for one in written(ours)} - {NO_TIMESTAMP}
    for time_ms in (LATEST_TIMESTAMP, EARLIEST_TIMESTAMP, MAX_TIMESTAMP, *sorted(times)):
        told = broker.connection.list_offsets(ours.case.id, {"timestamp": time_ms})
        try:
            found = fetch_offset(ours.log, time_ms)
        except (ValueError, KafkaException) as error:
            if told["error"] == "NONE":
                yield f"looked up {time_ms}: found at {told['offset']}, but by us: {error}"
            continue
        if (told["timestamp"], told["offset"]) != (found.timestamp, found.offset):
            yield f"looked up {time_ms}: {told} is not {found}"
