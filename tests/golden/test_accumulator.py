"""RecordAccumulator and BuiltInPartitioner, step by step as Kafka's own did with the same luck."""

import pytest

from kafka_internals.clients.built_in_partitioner import BuiltInPartitioner
from kafka_internals.clients.network_client import Leadership
from kafka_internals.clients.record_accumulator import RecordAccumulator
from kafka_internals.common import TopicPartition
from kafka_internals.config import PRODUCER_CONFIG
from kafka_internals.memory_records_builder import size_upper_bound
from tests.golden.cases import json_lines

RECORDED = json_lines("groups/producer_accumulator.jsonl")
RUNS = [one for one in RECORDED if one["kind"] == "accumulator"]
TABLES = [one for one in RECORDED if one["kind"] == "load table"]
METADATA_ORDER = {2: [1, 0], 3: [1, 0, 2], 4: [3, 2, 1, 0]}      # of Java's HashMap
BROKER, MAX_REQUEST, NEVER = 0, 1 << 20, (1 << 63) - 1


class Cluster:
    """One broker leads everything."""

    def __init__(self, partitions: int) -> None:
        self.partition_counts = {"t": partitions}

    def available_partitions(self, topic: str) -> list[int]:
        return METADATA_ORDER[self.partition_counts[topic]]

    def led_by(self) -> list[TopicPartition]:
        return [TopicPartition("t", number) for number in self.available_partitions("t")]

    def leader_of(self, partition: TopicPartition) -> Leadership:
        return Leadership(BROKER, 0)


class Record:
    """What an accumulator needs of a producer's record."""

    topic, headers, allocation, batch, placed = "t", (), None, None, None

    def __init__(self, step: dict, now_ms: int) -> None:
        self.key, self.value = (None if size < 0 else bytes(size) for size in
                                (step["key_bytes"], step["value_bytes"]))
        self.timestamp_ms = now_ms
        self.upper_bound_bytes = size_upper_bound(self.key, self.value)


class Replayed:
    """One recorded run."""

    def __init__(self, run: dict) -> None:
        self.now_ms, self.cluster = run["start_ms"], Cluster(run["partitions"])
        self.drawn: list[int] = []
        self.waiting = RecordAccumulator(PRODUCER_CONFIG.parse({
            "batch.size": run["batch.size"], "linger.ms": run["linger.ms"],
            "buffer.memory": 1 << 20, "enable.idempotence": False,
            "partitioner.adaptive.partitioning.enable": run["adaptive"]}), self._draw)

    def _draw(self, n: int) -> int:
        return self.drawn.pop(0) % n

    def append(self, step: dict) -> None:
        asked, self.drawn = step["append"], list(step["randoms_drawn"])
        record = Record(asked, self.now_ms)
        before = {id: batch.size_bytes for id, batch in self.waiting.incomplete.items()}
        number = None if asked["partition"] < 0 else asked["partition"]
        assert self.waiting.append(record, number, self.cluster, self.now_ms)
        assert self.drawn == []
        assert record.placed.partition == step["got_partition"]
        batch, queue = record.batch, self.waiting.queues[record.placed]
        assert (batch.id not in before) == step["new_batch"]
        assert batch.size_bytes - before.get(batch.id, 0) == step["appended_bytes"]
        assert (len(queue) > 1 or batch.is_full) == step["batch_is_full"]

    def ready(self, step: dict) -> None:
        brokers, unknown = self.waiting.ready(self.cluster, self.now_ms)
        assert (brokers == [BROKER]) == step["ready"] and not unknown
        if "drained" in step:
            drained = [batch for batch, _ in self.waiting.drain(
                self.cluster.led_by(), BROKER, MAX_REQUEST, self.now_ms)]
            assert [{"partition": batch.partition.partition, "records": len(batch.records),
                     "bytes": batch.size_bytes} for batch in drained] == step["drained"]
            for batch in drained:
                self.waiting.deallocate(batch)
        elif not step["ready"] and step["next_check_ms"] < NEVER:
            due_ms = self.waiting.next_deadline_ms(self.now_ms)
            assert due_ms == self.now_ms + step["next_check_ms"]

    def queues(self) -> dict:
        return {str(partition.partition): [
            [len(batch.records), batch.size_bytes, "full" if batch.is_full else "open"]
            for batch in queue] for partition, queue in self.waiting.queues.items() if queue}


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run["id"])
def test_g_c_8_g_c_10_every_step_is_kafkas(run):
    replayed = Replayed(run)
    for step in run["steps"]:
        replayed.now_ms += step.get("advance_ms", 0)
        if "append" in step:
            replayed.append(step)
        elif "ready" in step:
            replayed.ready(step)
        if "queues" in step:
            assert replayed.queues() == step["queues"]
    pool, held = replayed.waiting.pool, replayed.waiting.incomplete.values()
    assert pool.available_bytes + sum(batch.buffer_bytes for batch in held) == pool.total_bytes


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table["id"])
def test_g_c_9_the_shorter_a_queue_the_more_of_the_luck(table):
    lengths, numbers = table["queue_lengths"], table["partition_ids"]
    cluster = Cluster(2 * len(numbers))
    cluster.available_partitions = lambda topic: list(range(2 * len(numbers)))
    picked = []
    for luck in range(30):
        sticky = BuiltInPartitioner("t", 100, lambda n, luck=luck: luck % n)
        sticky.update_load_stats(lengths, numbers, len(lengths))
        assert sticky.uses_load == (table["cumulative"] is not None)
        assert sticky._cumulative == table["cumulative"]
        picked.append(sticky.peek(cluster))
    assert picked == table["random_0_to_29_gives"]
