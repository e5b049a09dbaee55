"""Logs that part and come together again, as a real Kafka 4.4.0 did it (trunc-one, trunc-two).

Each recorded step is done by three brokers under a controller that the test drives. What a fetch,
an OffsetForLeaderEpoch and a ListOffsets were answered, which records each broker had, and every
leader-epoch-checkpoint have to be those of the recording.
"""

import json
from pathlib import Path

import pytest

from kafka_internals.messages.fetch import FetchPartition, FetchRequest
from kafka_internals.messages.list_offsets import (
    LATEST_TIMESTAMP,
    ListOffsetsPartition,
    ListOffsetsRequest,
)
from kafka_internals.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderPartition,
)
from kafka_internals.messages.produce import PartitionProduceData, ProduceRequest
from kafka_internals.storage.file_records import whole_batches
from tests.server.controlled import ORDERS, Controlled, batch

RECORDED = json.loads((Path(__file__).parent / "cluster/truncation.json").read_text())
EPOCHS = "orders-0/leader-epoch-checkpoint"


class Replay:
    """Does what a step says; gives what was answered."""

    def __init__(self) -> None:
        self.world = Controlled(min_isr=1)

    def do(self, name: str, *args):
        return getattr(self, f"do_{name}")(*args)

    def _ask(self, broker: int, body):
        return self.world.ask(broker, body).partitions[0]

    def do_produce(self, topic: str, acks, values: list[str]) -> None:
        """One record after the other, each acknowledged before the next."""
        for value in values:
            leader, body = self.world.controller.one.leader, ProduceRequest(
                -1 if acks == "all" else 1, 30_000,
                (PartitionProduceData(ORDERS, batch(value.encode())),))
            before = len(self.world.answers)
            if self.world.ask(leader, body) is None:
                id = f"request-client.{next(self.world._client_ids) - 1}"
                while self.world.answer_of(id) is None:
                    self.world.run(1)
            assert len(self.world.answers) > before
            self.world.run(5)

    def do_pause(self, brokers: list[int]) -> None:
        self.world.run(100)
        for one in brokers:
            self.world.cut |= {pair for other in (1, 2, 3) for pair in ((one, other), (other, one))}

    def do_cont(self, brokers: list[int]) -> None:
        self.world.heal()

    def do_kill9(self, broker: int) -> None:
        self.world.kill(broker)

    def do_fenced(self, broker: int) -> None:
        self.world.controller.fence(broker)
        self.world.run(60)

    def do_start(self, broker: int) -> None:
        self.world.restart(broker)
        self.world.run(500)

    def do_elect(self, kind: str, topic: str) -> None:
        controller = self.world.controller
        controller.change(controller.one.isr, prefer=controller.one.replicas[0])
        self.world.run(60)

    def do_sleep(self, seconds: float) -> None:
        self.world.run(int(seconds * 1_000))

    def do_offsets(self, topic: str) -> dict:
        one = self.world.controller.one
        told = self._ask(one.leader, ListOffsetsRequest((
            ListOffsetsPartition(ORDERS, one.leader_epoch, LATEST_TIMESTAMP),)))
        return {"error": told.error, "offset": told.offset, "leaderEpoch": told.leader_epoch}

    def do_rawfetch(self, asked: dict) -> dict:
        told = self._ask(asked["to"], FetchRequest(-1, 0, 1, 10_000, (FetchPartition(
            ORDERS, asked["offset"], asked["currentLeaderEpoch"], 10_000, -1,
            asked["lastEpoch"]),)))
        parts, leader = told.diverging_epoch, told.current_leader
        return {"error": told.error, "highWatermark": told.high_watermark,
                "divergingEpoch": parts and {"epoch": parts[0], "endOffset": parts[1]},
                "currentLeader": leader and {"leaderId": leader[0], "leaderEpoch": leader[1]}}

    def do_epochEnd(self, asked: dict) -> dict:
        told = self._ask(asked["to"], OffsetForLeaderEpochRequest(-1, (OffsetForLeaderPartition(
            ORDERS, asked["currentLeaderEpoch"], asked["leaderEpoch"]),)))
        return {"error": told.error, "leaderEpoch": told.leader_epoch,
                "endOffset": told.end_offset}

    def do_files(self) -> dict:
        """What each disk holds, also that of a broker that is down."""
        self.world.run(60)
        return {str(broker): {
            "epochs": node.disk.read(EPOCHS).decode().splitlines()[2:],
            "batches": [[one.base_offset, one.last_offset, one.header.partition_leader_epoch,
                         "".join(record.value.decode() for record in one.records())]
                        for one in whole_batches(node.disk, ORDERS)]}
            for broker, node in self.world.nodes.items()}


@pytest.mark.parametrize("case", RECORDED)
def test_what_was_answered_and_what_each_disk_held_is_what_was_recorded(case):
    replay = Replay()
    for at, recorded in enumerate(RECORDED[case]["steps"]):
        told = replay.do(*recorded["step"])
        expected = recorded.get("answer", recorded.get("files"))
        assert told == expected, (at, recorded["step"])
    for broker in (3, 2, 1):                     # the recording ends with a clean stop of each
        replay.world.stop(broker)
    for broker, text in RECORDED[case]["leader-epoch-checkpoint"].items():
        assert replay.world.nodes[int(broker)].disk.read(EPOCHS).decode() == text
    logs = [node.disk.read("orders-0/00000000000000000000.log")
            for node in replay.world.nodes.values()]
    assert logs[0] == logs[1] == logs[2]
