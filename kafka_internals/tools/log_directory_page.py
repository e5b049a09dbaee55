"""A broker's log directory as one self-contained page: its partitions, their files byte by byte.

The directory is opened to read, as a starting broker would read it (LogDirectory): what such a
start would mend is mended in memory, every damage is named, and no file changes.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from kafka_internals.common import TopicPartition
from kafka_internals.errors import KafkaException
from kafka_internals.storage.checkpoint_file import (
    HIGH_WATERMARK_CHECKPOINT,
    LOG_START_OFFSET_CHECKPOINT,
    META_PROPERTIES,
    RECOVERY_POINT_CHECKPOINT,
)
from kafka_internals.storage.dump_log_segments import CHECKPOINT, dump
from kafka_internals.storage.log_directory import LogDirectory
from kafka_internals.storage.log_file_utils import (
    LOG,
    OFFSET_INDEX,
    PRODUCER_SNAPSHOT,
    TIME_INDEX,
    TXN_INDEX,
    offset_from_file,
    segment_file,
)
from kafka_internals.storage.lookup_snapshot import LookupSnapshot, look_up
from kafka_internals.storage.unified_log import UnifiedLog
from kafka_internals.viz.byte_view import byte_view
from kafka_internals.viz.player import STATIC, page
from kafka_internals.viz.segment_view import segment_view
from kafka_internals.viz.svg import plain

MOST_SHOWN = 12                             # partitions with pictures, where none is asked for
MOST_BYTES = 4096                           # of an index, a snapshot, a checkpoint
CHECKPOINTS = (RECOVERY_POINT_CHECKPOINT, HIGH_WATERMARK_CHECKPOINT, LOG_START_OFFSET_CHECKPOINT)


class File(NamedTuple):
    """One file, or a part of one, with its byte view: `player` is HTML."""

    name: str
    about: str
    player: str


class Shown(NamedTuple):
    """One partition with its pictures; `lookup` is HTML, empty where its log cannot be loaded."""

    name: str
    damages: tuple[str, ...]
    lookup: str
    files: tuple[File, ...]


class Row(NamedTuple):
    """One line of the table of partitions; `error` where a broker would not load the log."""

    name: str
    topic_id: str
    segments: int = 0
    size_bytes: int = 0
    log_start_offset: int = 0
    log_end_offset: int = 0
    high_watermark: int = 0
    error: str = ""


def log_directory_page(path: Path, partition: str | None = None, offset: int | None = None) -> str:
    """The page of the log directory at `path`, or of the one that a partition's directory is in.

    `partition`: the one to show ("orders-0"); without, the first MOST_SHOWN that hold records.
    `offset`: the one that is looked up; without, the middle one. Errors: as LogDirectory.open;
    ValueError for a partition that is not there, OffsetOutOfRangeException.
    """
    path = path.resolve()
    if partition is None and path.is_dir() and any(path.glob(f"*{LOG}")):
        path, partition = path.parent, path.name
    directory = LogDirectory.open(path)
    if not directory.partitions and not directory.storage.exists(META_PROPERTIES):
        raise ValueError(f"{path} is no log directory: it has neither {META_PROPERTIES} nor the "
                         f"directory of a partition, like orders-0")
    rows = [_row(directory, name) for name in directory.partitions]
    wanted = [TopicPartition.of(partition)] if partition else \
        [name for name, row in zip(directory.partitions, rows)
         if row.error or row.log_end_offset > row.log_start_offset]
    return _page(path.name, {
        "facts": _facts(directory), "rows": rows, "left_out": max(0, len(wanted) - MOST_SHOWN),
        "partitions": [_shown(directory, name, offset) for name in wanted[:MOST_SHOWN]],
        "files": [_small(directory, name, CHECKPOINT) for name in CHECKPOINTS
                  if directory.storage.exists(name)]})


def _page(name: str, parts: dict[str, Any]) -> str:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True, finalize=lambda value: value
                              if hasattr(value, "__html__") else plain(value))
    template = environment.from_string((STATIC / "log_directory.html").read_text(encoding="utf-8"))
    title = f"Log directory {name}"
    return page(title, template.render(title=title, **parts),
                (STATIC / "page.css").read_text(encoding="utf-8"))


def _said(read: Callable[[], Any], otherwise: Any = None) -> tuple[Any, str]:
    """(what was read, "") or (otherwise, the error by name)."""
    try:
        return read(), ""
    except (KafkaException, ValueError) as error:
        return otherwise, f"{type(error).__name__}: {error}"


def _facts(directory: LogDirectory) -> list[tuple[str, str, bool]]:
    """(what, how it is, whether it is bad) of the directory's own files."""
    properties, error = _said(lambda: directory.meta_properties, {})
    facts = [(name, value, False) for name, value in properties.items()]
    if error or not properties:
        facts.append(("meta.properties", error or "missing", True))
    epoch, error = _said(lambda: directory.clean_shutdown)
    stop = "orderly" if epoch is not None else "not orderly: a start recovers each log"
    facts.append(("last stop", error or stop, bool(error)))
    for name, read in (("recovery points", lambda: directory.recovery_points),
                       ("high watermarks", lambda: directory.high_watermarks),
                       ("log start offsets", lambda: directory.log_start_offsets)):
        if error := _said(read)[1]:
            facts.append((name, error, True))
    return facts


def _row(directory: LogDirectory, name: TopicPartition) -> Row:
    topic_id, error = _said(lambda: directory.topic_id(name))
    topic_id = topic_id or "" if not error else error
    log, error = _said(lambda: directory.log(name))
    if error:
        return Row(str(name), topic_id, error=error)
    return Row(str(name), topic_id, len(log.local.segments), log.size, log.log_start_offset,
               log.log_end_offset, log.high_watermark)


# -- one partition ---------------------------------------------------------------------------------
def _shown(directory: LogDirectory, name: TopicPartition, offset: int | None) -> Shown:
    damages, log = directory.found(name), _said(lambda: directory.log(name))[0]
    if log is None:
        return Shown(str(name), damages, "", tuple(_files_of_first(directory, name)))
    lookup = look_up(log, _middle(log) if offset is None else offset)
    return Shown(str(name), damages, _html(segment_view(lookup)),
                 tuple(_files(directory, name, log, lookup)))


def _middle(log: UnifiedLog) -> int:
    return (log.log_start_offset + max(log.log_start_offset, log.log_end_offset - 1)) // 2


def _files_of_first(directory: LogDirectory, name: TopicPartition) -> list[File]:
    """The beginnings of the first segment's files, of a log that no broker would load."""
    files = [one for one in directory.storage.names(str(name)) if one.endswith(LOG)][:1]
    return [_small(directory, segment_file(name, offset_from_file(file), kind), kind)
            for file in files for kind in (LOG, OFFSET_INDEX, TIME_INDEX)
            if directory.storage.size(segment_file(name, offset_from_file(file), kind))]


def _files(directory: LogDirectory, name: TopicPartition, log: UnifiedLog,
           lookup: LookupSnapshot) -> list[File]:
    base = lookup.segments[lookup.segment].base_offset
    files = [_batch(directory, segment_file(name, base, LOG), lookup)] if lookup.scanned else []
    floor = max(0, lookup.floor)
    for kind, entry in ((OFFSET_INDEX, 8), (TIME_INDEX, 12), (TXN_INDEX, 34)):
        file = segment_file(name, base, kind)
        if directory.storage.size(file):
            at = floor * entry if kind == OFFSET_INDEX else 0
            files.append(_small(directory, file, kind, base, at - at % MOST_BYTES))
    snapshots = [one for one in directory.storage.names(str(name))
                 if one.endswith(PRODUCER_SNAPSHOT)]
    files += [_small(directory, f"{name}/{one}", PRODUCER_SNAPSHOT) for one in snapshots[-1:]]
    epochs = f"{name}/leader-epoch-checkpoint"
    if directory.storage.exists(epochs):
        files.append(_small(directory, epochs, CHECKPOINT))
    return files


def _batch(directory: LogDirectory, file: str, lookup: LookupSnapshot) -> File:
    """The batch that was found, or where nothing was, the last one that was read."""
    batch = lookup.found or lookup.scanned[-1]
    content = directory.storage.read(file, batch.position, batch.size)
    where = f"the batch at byte {batch.position}"
    return _file(file, where, byte_view(dump(content, name=f"{where} of {file}")))


def _small(directory: LogDirectory, file: str, kind: str, base: int = 0, start: int = 0) -> File:
    size = directory.storage.size(file)
    content = directory.storage.read(file, start, MOST_BYTES)
    where = f"{size} bytes" if len(content) == size else \
        f"bytes {start} to {start + len(content) - 1} of {size}"
    return _file(file, where, byte_view(dump(content, kind, name=file, base_offset=base)))


def _file(name: str, about: str, player: Any) -> File:
    return File(name, about, _html(player))


def _html(player: Any) -> Any:
    from markupsafe import Markup

    return Markup(player.mount())
