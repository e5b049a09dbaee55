"""Cluster.export: a learner's broker as a log directory of real files; it looks, and no more."""

import pytest

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.errors import IllegalStateException
from kafka_internals.storage.log_directory import LogDirectory

METADATA = "__cluster_metadata-0"


@pytest.fixture
def cluster():
    made = Cluster(3, seed=7)
    made.create_topic("orders", 2, 3, configs={"max.message.bytes": 4096})
    producer = made.producer(acks="all", batch_size=100)
    for number in range(20):
        producer.send("orders", key=f"{number}", value="paid" * number, partition=number % 2)
    made.run(ms=1_000)
    return made


def _files(root):
    return {path.relative_to(root).as_posix(): path.read_bytes()
            for path in sorted(root.rglob("*")) if path.is_file()}


def _disk(cluster, broker):
    return {name: file.read(0, file.size)
            for name, file in cluster.machine.brokers[broker].disk.files.items()}


@pytest.mark.parametrize("crashed", [False, True])
def test_the_records_are_those_of_the_broker_and_nothing_has_happened(cluster, tmp_path, crashed):
    before = cluster.trace.digest(), cluster.journal, _disk(cluster, 1)
    root = cluster.export(1, tmp_path / "broker-1", crashed)
    directory = LogDirectory.open(root)
    for partition in ("orders-0", "orders-1"):
        log = directory.log(partition)
        ours = [(one.offset, one.timestamp) for one in cluster.log(partition, 1)]
        theirs = [(one.offset, one.timestamp) for stored in log.local.segments.active.log.headers()
                  for one in log.local.segments.active.log.batch(stored).records()]
        assert theirs == ours and len(ours) == 10
        assert log.epochs.epoch_entries[-1].epoch == 0 and directory.found(partition) == ()
    assert (cluster.trace.digest(), cluster.journal, _disk(cluster, 1)) == before


def test_what_a_running_broker_would_leave_is_what_it_leaves(cluster, tmp_path):
    """But for the metadata log, in which the controller writes of the stop itself."""
    foretold = _files(cluster.export(2, tmp_path / "foretold"))
    cluster.stop(2)
    stopped = _files(cluster.export(2, tmp_path / "stopped"))
    told = [{name: data for name, data in files.items() if not name.startswith(METADATA)}
            for files in (foretold, stopped)]
    assert told[0] == told[1]
    file = f"{METADATA}/{0:020d}.log"
    assert stopped[file].startswith(foretold[file]) and foretold[file]


def test_after_a_kill_both_ends_can_be_had(cluster, tmp_path):
    running = _files(cluster.export(3, tmp_path / "running", crashed=True))
    cluster.kill(3)
    assert _files(cluster.export(3, tmp_path / "killed", crashed=True)) == running
    recovered = LogDirectory.open(cluster.export(3, tmp_path / "recovered"))
    assert recovered.clean_shutdown == 0 and recovered.log("orders-0").log_end_offset == 10


def test_the_export_does_not_change_how_the_run_goes_on(cluster, tmp_path):
    twin = cluster.again()
    cluster.export(1, tmp_path / "out")
    for one in (cluster, twin):
        one.stop(1)
        one.restart(1)
        one.run(ms=90_000)
    assert cluster.trace.digest() == twin.trace.digest()
    assert _disk(cluster, 1) == _disk(twin, 1)


def test_brokers_of_one_cluster_share_its_ids_and_have_directories_of_their_own(cluster, tmp_path):
    one, two = (LogDirectory.open(cluster.export(broker, tmp_path / f"{broker}"))
                for broker in (1, 2))
    assert one.meta_properties["cluster.id"] == two.meta_properties["cluster.id"]
    assert one.meta_properties["directory.id"] != two.meta_properties["directory.id"]
    assert (one.meta_properties["node.id"], two.meta_properties["node.id"]) == ("1", "2")
    assert one.topic_id("orders-0") == two.topic_id("orders-1")
    image = cluster.machine.image
    assert one.topic_id("orders-0") == image.topics["orders"].topic_id
    assert (one.meta_properties["directory.id"],) == image.brokers[1].log_dirs


def test_a_place_that_is_taken_is_refused_and_left_alone(cluster, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is not empty, it holds notes.txt"):
        cluster.export(1, tmp_path)
    assert _files(tmp_path) == {"notes.txt": b"mine"}


def test_a_broker_that_was_stopped_has_not_crashed(cluster, tmp_path):
    cluster.stop(1)
    with pytest.raises(IllegalStateException, match=r"broker 1 is stopped, .* crashed=True out"):
        cluster.export(1, tmp_path / "out", crashed=True)
    cluster.lose_disk(2)
    with pytest.raises(IllegalStateException, match="broker 2 is without disk and has nothing"):
        cluster.export(2, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_brokers_files_can_be_looked_into_as_they_lie(cluster):
    before = cluster.trace.digest(), cluster.journal, _disk(cluster, 1)
    directory = cluster.log_directory(1)
    log = directory.log("orders-0")
    assert log.log_end_offset == 10 and directory.clean_shutdown is None
    assert log.configs["max.message.bytes"] == 4096
    file = f"orders-0/{0:020d}.log"
    assert directory.storage.read(file) == cluster.machine.brokers[1].disk.read(file) != b""
    log.truncate_to(0, 0)
    assert (cluster.trace.digest(), cluster.journal, _disk(cluster, 1)) == before
    cluster.lose_disk(1)
    assert directory.storage.size(file) > 0 == cluster.log_directory(1).storage.size(file)


def test_a_broker_that_is_not_there_has_no_files(cluster):
    with pytest.raises(IllegalStateException, match="there is no broker 9"):
        cluster.log_directory(9)
