"""What a real Java client sent, in order; what a real broker answered to sequences of all kinds.

Connections cost nothing here, so ApiVersions is left out of the recording; ids of topics and of
producers are luck. Everything else that our messages have is compared.
"""

import base64
import json

import pytest

from kafka_internals.cluster.cluster import Cluster
from kafka_internals.common import TopicPartition
from kafka_internals.config import BROKER_CONFIG, TOPIC_CONFIG
from kafka_internals.controller.metadata_image import (
    MetadataImage,
    PartitionRegistration,
    TopicImage,
)
from kafka_internals.errors import for_code
from kafka_internals.messages import Request
from kafka_internals.messages.init_producer_id import InitProducerIdRequest, ProducerIdsBlock
from kafka_internals.messages.metadata import MetadataRequest
from kafka_internals.messages.produce import PartitionProduceData, ProduceRequest, validate_records
from kafka_internals.server.node_to_controller_channel_manager import (
    NodeToControllerChannelManager,
)
from kafka_internals.server.producer_id_manager import ProducerIdManager
from kafka_internals.server.replica_manager import ReplicaManager
from kafka_internals.server.rules import Rules
from kafka_internals.sim.disk import Disk
from tests.golden.cases import GOLDEN, json_lines

TRACE = [one for one in json_lines("groups/client-idempotent/trace.jsonl")
         if one["api"] != "API_VERSIONS"]
RECORDED = [(one["api"], one["request"]) for one in TRACE]
CASE = json.loads((GOLDEN / "groups/idempotence/case.json").read_text("utf-8"))
ANSWERS = {one["step"]: one["response"] for one in CASE["expect"]["responses"]}


def without_luck(request: dict) -> dict:
    """Topic ids are luck, and our requests name topics instead."""
    if "topicData" in request:
        topics = [{"partitionData": topic["partitionData"]} for topic in request["topicData"]]
        return {**request, "topicData": topics}
    if "topics" in request:
        return {"topics": [topic["name"] for topic in request["topics"]]}
    return request


def as_recorded(body) -> tuple[str, dict]:
    """One of our requests by Kafka's names."""
    if isinstance(body, MetadataRequest):
        return "METADATA", {"topics": list(body.topics)}
    if isinstance(body, InitProducerIdRequest):
        return "INIT_PRODUCER_ID", {
            "transactionalId": body.transactional_id,
            "transactionTimeoutMs": body.transaction_timeout_ms,
            "producerId": body.producer_id, "producerEpoch": body.producer_epoch}
    return "PRODUCE", {
        "transactionalId": body.transactional_id, "acks": body.acks, "timeoutMs": body.timeout_ms,
        "topicData": [{"partitionData": [
            {"index": data.partition.partition, "recordsSizeInBytes": data.records.size}
            for data in body.partitions]}]}


def test_the_same_steps_send_the_same_requests_in_the_same_order():
    cluster, sent = Cluster(1, seed=0), []
    send = cluster.machine.world.network.send

    def noting(connection, receiver, kind, message):
        if message is not None and kind == "request" and message.client_id == "idempotent-producer":
            sent.append(message)
        send(connection, receiver, kind, message)

    cluster.machine.world.network.send = noting
    cluster.create_topic("idempotent-topic", 1, 1)
    producer = cluster.producer("idempotent-producer")
    offsets = [producer.send("idempotent-topic", f"v{n}", key="k", partition=0).get().offset
               for n in range(3)]
    assert [as_recorded(request.body) for request in sent] == [
        (api, without_luck(request)) for api, request in RECORDED]
    assert [request.correlation_id for request in sent] == list(range(1, len(sent) + 1))
    produced = [one["response"] for one in TRACE if one["api"] == "PRODUCE"]
    assert offsets == [answer["responses"][0]["partitionResponses"][0]["baseOffset"]
                       for answer in produced]


class Broker:
    """One broker that is given the recorded requests, and what it answers in Kafka's names."""

    def __init__(self) -> None:
        producer_ids = ProducerIdManager(1, lambda: 7, NodeToControllerChannelManager(
            "ids", lambda: None, lambda: 0))
        producer_ids.block_arrived(ProducerIdsBlock(0))
        self.manager = ReplicaManager(1, Disk(lambda n: 0), BROKER_CONFIG.parse({}), Rules(),
                                      iter(range(1, 99)).__next__,
                                      producer_ids=producer_ids)
        idem = TopicImage("idem", (PartitionRegistration((1,), (1,), 1, 0),) * 2,
                          TOPIC_CONFIG.parse({}))
        self.manager.apply_image(MetadataImage((1,), {"idem": idem}), 0, ())
        self.asked = 0

    def answer(self, body):
        self.asked += 1
        effects = self.manager.handle(Request.of("p1", self.asked, body), 1)
        return effects[-1].body

    def produce(self, request: dict) -> dict:
        (topic,) = request["topicData"]
        (part,) = topic["partitionData"]
        name = TopicPartition(topic["name"], part["index"])
        records = validate_records(12, base64.b64decode(part["records"]))
        (told,) = self.answer(ProduceRequest(request["acks"], request["timeoutMs"], (
            PartitionProduceData(name, records),))).partitions
        return {"error": told.error, "baseOffset": told.base_offset,
                "logAppendTimeMs": told.log_append_time_ms, "logStartOffset": told.log_start_offset}


def recorded_answer(response: dict) -> dict:
    (part,) = response["responses"][0]["partitionResponses"]
    code = part["errorCode"]
    return {"error": for_code(code).error_name if code else "NONE",
            **{name: part[name] for name in ("baseOffset", "logAppendTimeMs", "logStartOffset")}}


PRODUCES = [step for step in CASE["steps"] if step.get("api") == "Produce"]


@pytest.fixture(scope="module")
def answered() -> dict[int, dict]:
    """Every recorded produce, given to one broker in order."""
    broker = Broker()
    return {step["n"]: broker.produce(step["request"]) for step in PRODUCES}


@pytest.mark.parametrize("step", PRODUCES, ids=lambda step: f"step-{step['n']}")
def test_g_c_2_g_c_3_g_c_4_g_c_5_a_sequence_is_answered_as_by_kafka(step, answered):
    assert answered[step["n"]] == recorded_answer(ANSWERS[step["n"]])


def test_a_new_producer_gets_a_number_of_its_own_whatever_it_had_before():
    broker, steps = Broker(), [one for one in CASE["steps"] if one.get("api") == "InitProducerId"]
    given = []
    for step in steps:
        asked = step["request"]
        told = broker.answer(InitProducerIdRequest(
            asked["transactionalId"], asked["transactionTimeoutMs"], asked["producerId"],
            asked["producerEpoch"]))
        recorded = ANSWERS[step["n"]]
        assert (told.error, told.producer.producer_epoch) == ("NONE", recorded["producerEpoch"])
        given.append(told.producer.producer_id)
    assert given == [0, 1, 2]


def test_half_an_identity_is_refused():
    told = Broker().answer(InitProducerIdRequest(None, 60_000, producer_id=4))
    assert (told.error, told.producer) == ("INVALID_REQUEST", (-1, -1))
