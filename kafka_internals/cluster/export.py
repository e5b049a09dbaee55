"""One broker's disk as a log directory: to look into, or as real files for Kafka's own tools.

Both look and command nothing: the journal, the brokers and their disks stay as they are. A broker
that runs is stopped on a copy of its disk only (kafka-dump-log wants what LogManager leaves).
"""

from pathlib import Path
from typing import Any

from kafka_internals.cluster import checks
from kafka_internals.cluster.shared_server import cluster_id, directory_id
from kafka_internals.common import START_MS
from kafka_internals.storage.log_directory import LogDirectory


def export(cluster: Any, broker: int, path: Path | str, crashed: bool = False) -> Path:
    """Write a broker's log directory to `path`, a new or empty directory; where it is.

    As an orderly stop at this moment would leave it, or with `crashed=True` as it lies there now.
    Errors: IllegalStateException (no such broker, nothing written yet, `crashed` though stopped),
    FileExistsError and NotADirectoryError by name; nothing is written then.
    """
    run = cluster.machine
    node, left = checks.exported(run, broker, path, crashed), _copy(run, broker)
    if node.manager is not None and not crashed:
        node.manager.shut_down_on(left)
        node.shared.close_on(left)
    return LogDirectory.export(
        left, path, configs=_configs(run), cluster_id=cluster_id(cluster.setup.seed),
        node_id=broker, directory_id=directory_id(node.name),
        topic_ids={topic.name: topic.topic_id for topic in run.image.topics.values()},
        now_ms=left.now_ms, crashed=crashed)


def log_directory(cluster: Any, broker: int) -> LogDirectory:
    """A broker's log directory as its files lie at this moment, page cache included.

    `cluster.log_directory(1).log("orders-0")` is the log that a start would make of them. It is a
    copy: what happens next does not change it. Errors: IllegalStateException for no such broker.
    """
    run = cluster.machine
    checks.broker(run, broker)
    left = _copy(run, broker)
    return LogDirectory(left, _configs(run), left.now_ms)


def _copy(run: Any, broker: int) -> Any:
    left = run.brokers[broker].disk.copy_of("")
    left.now_ms = START_MS + run.world.now_us // 1000
    return left


def _configs(run: Any) -> dict[str, dict]:
    return {topic.name: topic.configs for topic in run.image.topics.values()}
