"""What a real controller wrote while brokers died, stopped, came back and were elected: so do we.

Eight recordings of Kafka 4.4.0, with ELR and without. Each event's batches are compared: the
changes of each topic in order, and the batches about brokers whole.
"""

import re
from typing import Any

import pytest

from kafka_internals.common import TopicPartition
from kafka_internals.errors import for_name
from kafka_internals.messages.alter_partition import (
    AlterPartitionData,
    AlterPartitionRequest,
    BrokerState,
)
from kafka_internals.messages.broker_heartbeat import BrokerHeartbeatRequest
from kafka_internals.messages.broker_registration import BrokerRegistrationRequest
from kafka_internals.messages.metadata_records import SupportedFeature
from tests.controller.quorum import CLUSTER
from tests.golden.controller_replay import Replay, atomic, by_topic

LIVES = ("life-elr-kill-all", "life-elr-stop-all", "life-elr-mixed", "life-noelr-kill-all",
         "life-noelr-stop-all", "control-lifecycle", "trunc-unclean")


@pytest.mark.parametrize("case", LIVES)
def test_a_life_of_brokers_gives_the_recorded_records(case):
    replay = Replay(case)
    replay.before()
    for number, event in enumerate(replay.events):
        since, recorded = len(replay.quorum.batches), event.get("batches", [])
        told = event["event"]
        answer = replay.perform(told) if event.get("error") != "REQUEST_TIMED_OUT" else None
        for batch in recorded:
            replay.cause(told, batch)
        ours, theirs = replay.ours(since), replay.told("theirs", recorded)
        where = f"{case}, event {number}: {told}"
        assert by_topic(ours) == by_topic(theirs), where
        assert atomic(ours) == atomic(theirs), where
        if told[0] == "elect" and answer is not None:
            assert {str(one.partition): one.error for one in answer.results} == {
                name: one["error"] for name, one in event["results"].items()}, where
            assert {one.error_message for one in answer.results} == {
                one["message"] for one in event["results"].values()}, where
        elif told[0] == "unregister":
            assert answer.error == event["error"], where
            assert answer.error_message == event.get("message"), where
        elif told[0] == "describe":
            assert replay.described(told[1]) == event["partitions"], where


class Raw:
    """control-raw: requests in the schema's JSON, with "$epoch:1+1" for what the run had."""

    def __init__(self) -> None:
        self.replay = Replay("control-raw")
        self.quorum = self.replay.quorum

    def value(self, given: Any) -> Any:
        """A placeholder in this run; everything else as it is."""
        if isinstance(given, dict):
            return {name: self.value(one) for name, one in given.items()}
        if isinstance(given, list):
            return [self.value(one) for one in given]
        found = isinstance(given, str) and re.fullmatch(r"\$(\w+):(\w+)([+-]\d+)?", given)
        if not found:
            return given
        what, of, plus = found.groups()
        if what == "topicId":
            return self.quorum.topic_id(of)
        if what == "epoch":
            return self.quorum.epoch_of(int(of)) + int(plus or 0)
        one = self.quorum.partition(f"{of}-0")
        number = one.leader_epoch if what == "leaderEpoch" else one.partition_epoch
        return number + int(plus or 0)

    def ask(self, api: str, given: dict) -> dict:
        """The answer in the schema's JSON, as far as it was recorded."""
        return {"ALTER_PARTITION": self.alter, "BROKER_HEARTBEAT": self.beat,
                "BROKER_REGISTRATION": self.register}[api](self.value(given))

    def alter(self, given: dict) -> dict:
        topic = given["topics"][0]
        data = topic["partitions"][0]
        asked = AlterPartitionData(
            TopicPartition("a", data["partitionIndex"]), topic["topicId"], data["leaderEpoch"],
            tuple(BrokerState(one["brokerId"], one["brokerEpoch"])
                  for one in data["newIsrWithEpochs"]),
            data["partitionEpoch"], data["leaderRecoveryState"])
        answer = self.quorum.ask(AlterPartitionRequest(given["brokerId"], given["brokerEpoch"],
                                                       (asked,)))
        parts = [{"errorCode": code(one.error)} | ({} if one.error != "NONE" else {
            "leaderId": one.leader, "leaderEpoch": one.leader_epoch, "isr": list(one.isr),
            "leaderRecoveryState": one.leader_recovery_state,
            "partitionEpoch": one.partition_epoch}) for one in answer.partitions]
        return {"errorCode": code(answer.error), "partitions": parts}

    def beat(self, given: dict) -> dict:
        answer = self.quorum.ask(BrokerHeartbeatRequest(
            given["brokerId"], given["brokerEpoch"], given["currentMetadataOffset"],
            given["wantFence"], given["wantShutDown"]))
        return {"errorCode": code(answer.error), "isCaughtUp": answer.is_caught_up,
                "isFenced": answer.is_fenced, "shouldShutDown": answer.should_shut_down}

    def register(self, given: dict) -> dict:
        cluster = CLUSTER if given["clusterId"].endswith("CrzQ") else given["clusterId"]
        answer = self.quorum.ask(BrokerRegistrationRequest(
            given["brokerId"], cluster, given["incarnationId"], (),
            tuple(SupportedFeature(*one.values()) for one in given["features"]), given["rack"],
            tuple(given["logDirs"]), given["previousBrokerEpoch"]))
        return {"errorCode": code(answer.error), "registered": answer.broker_epoch >= 0}


INELIGIBLE = {"NONE": 0, "INELIGIBLE_REPLICA": 107, "INVALID_UPDATE_VERSION": 95,
              "NEW_LEADER_ELECTED": 108}         # no exceptions of ours: a leader reads the name


def code(error: str) -> int:
    return INELIGIBLE[error] if error in INELIGIBLE else for_name(error).code


def recorded_answer(answer: dict) -> dict:
    """The recorded answer without what a refusal leaves at zero, and without broker epochs."""
    told = {name: value for name, value in answer.items()
            if name not in ("throttleTimeMs", "topics", "brokerEpoch")}
    if "topics" in answer:
        told["partitions"] = [
            {name: value for name, value in one.items() if name != "partitionIndex"}
            if one["errorCode"] == 0 else {"errorCode": one["errorCode"]}
            for topic in answer["topics"] for one in topic["partitions"]]
    if "brokerEpoch" in answer:
        told["registered"] = answer["brokerEpoch"] >= 0
    return told


def test_every_raw_request_gets_the_recorded_answer():
    raw = Raw()
    replay, asked = raw.replay, 0
    for number, event in enumerate(replay.events):
        since, recorded, told = len(raw.quorum.batches), event.get("batches", []), event["event"]
        replay.perform(told)
        if told[0] == "raw":
            replay.beat()
            answer = raw.ask(told[1], told[4])
            assert answer == recorded_answer(event["answer"]), f"{number}: {told}"
            asked += 1
        for batch in recorded[1 if told[0] == "raw" and recorded else 0:]:
            replay.cause(told, batch)
        ours, theirs = replay.ours(since), replay.told("theirs", recorded)
        assert by_topic(ours) == by_topic(theirs), f"{number}: {told}"
        assert atomic(ours) == atomic(theirs), f"{number}: {told}"
    assert asked == 29
