"""Cluster.export: one broker's disk as a log directory of real files, for Kafka's own tools.

It looks and commands nothing: the journal, the brokers and their disks stay as they are. A broker
that runs is stopped on a copy of its disk only (kafka-dump-log wants what LogManager leaves).
"""

from pathlib import Path
from typing import Any

from kafka_internals.cluster import checks
from kafka_internals.common import START_MS
from kafka_internals.storage.log_directory import LogDirectory
from kafka_internals.storage.log_export import derived_id


def export(cluster: Any, broker: int, path: Path | str, crashed: bool = False) -> Path:
    """Write a broker's log directory to `path`, a new or empty directory; where it is.

    As an orderly stop at this moment would leave it, or with `crashed=True` as it lies there now.
    Errors: IllegalStateException (no such broker, nothing written yet, `crashed` though stopped),
    FileExistsError and NotADirectoryError by name; nothing is written then.
    """
    run = cluster.machine
    node = checks.exported(run, broker, path, crashed)
    left = node.disk.copy_of("")
    left.now_ms = START_MS + run.world.now_us // 1000
    if node.manager is not None and not crashed:
        node.manager.shut_down_on(left)
    return LogDirectory.export(
        left, path, configs={topic.name: topic.configs for topic in run.image.topics.values()},
        cluster_id=derived_id(f"cluster of seed {cluster.setup.seed}"), node_id=broker,
        now_ms=left.now_ms, crashed=crashed)
