"""The requests of a recording, over a socket. kafka-python encodes and decodes them.

Its client is not used: it would refuse, retry or mend what the cases send wrong on purpose. Each
method of `Connection` gives an answer in the form that `expect` of a case has.
"""

import socket
from typing import Any

from kafka.errors import for_code as kafka_python_error
from kafka.protocol.admin import (
    CreateTopicsRequest,
    DeleteRecordsRequest,
    DeleteTopicsRequest,
    DescribeProducersRequest,
    IncrementalAlterConfigsRequest,
)
from kafka.protocol.consumer import FetchRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest
from kafka.protocol.producer import ProduceRequest, WriteTxnMarkersRequest

from kafka_internals.errors import for_code
from kafka_internals.record_batch import batches

CLIENT_ID, TIMEOUT_MS, SOCKET_TIMEOUT_S = "recorder", 20_000, 60
TOPIC_RESOURCE, SET, NOBODY, DEBUGGER = 2, 0, -1, -2
FETCH_BYTES, PARTITION = 1 << 20, 0


def error_name(code: int) -> str:
    """Kafka's name of an error code; NONE for 0."""
    if code == 0:
        return "NONE"
    known = for_code(code)
    return known.error_name if known.code == code else kafka_python_error(code).message


def encode(request: Any, version: int, correlation_id: int) -> bytes:
    """A request as it goes over the socket, its length in front."""
    request.API_VERSION = version
    request.with_header(correlation_id=correlation_id, client_id=CLIENT_ID)
    return request.encode(header=True, framed=True)


# -- what is sent -----------------------------------------------------------------------------
def create_topics(topic: str, configs: dict[str, str]) -> CreateTopicsRequest:
    return CreateTopicsRequest(topics=[(topic, 1, 1, [], list(configs.items()))],
                               timeout_ms=TIMEOUT_MS, validate_only=False, version=4)


def alter_configs(topic: str, configs: dict[str, str]) -> IncrementalAlterConfigsRequest:
    return IncrementalAlterConfigsRequest(resources=[
        (TOPIC_RESOURCE, topic, [(name, SET, value) for name, value in configs.items()])],
        validate_only=False, version=0)


def produce(topic: str, records: bytes, acks: int, transactional_id: str | None,
            version: int) -> ProduceRequest:
    return ProduceRequest(transactional_id=transactional_id, acks=acks, timeout_ms=TIMEOUT_MS,
                          topic_data=[(topic, [(PARTITION, records)])], version=version)


def fetch(topic: str, step: dict) -> FetchRequest:
    partition = (PARTITION, step.get("epoch", -1), step["offset"], -1,
                 step.get("partition_max_bytes", FETCH_BYTES))
    return FetchRequest(replica_id=NOBODY, max_wait_ms=0, min_bytes=0,
                        max_bytes=step.get("max_bytes", FETCH_BYTES),
                        isolation_level=step.get("isolation", 0), topics=[(topic, [partition])],
                        forgotten_topics_data=[], rack_id="", version=11)


def list_offsets(topic: str, step: dict) -> ListOffsetsRequest:
    return ListOffsetsRequest(
        replica_id=NOBODY, isolation_level=step.get("isolation", 0), timeout_ms=TIMEOUT_MS,
        topics=[(topic, [(PARTITION, step.get("epoch", -1), step["timestamp"])])], version=11)


def offset_for_leader_epoch(topic: str, epoch: int) -> OffsetForLeaderEpochRequest:
    return OffsetForLeaderEpochRequest(replica_id=DEBUGGER, version=3,
                                       topics=[(topic, [(PARTITION, -1, epoch)])])


def write_txn_markers(topic: str, step: dict) -> WriteTxnMarkersRequest:
    return WriteTxnMarkersRequest(markers=[
        (step["pid"], step["epoch"], step["commit"], [(topic, [PARTITION])],
         step["coordinator_epoch"], step["txn_version"])], version=2)


# -- what comes back --------------------------------------------------------------------------
def produced(response: Any, version: int) -> dict:
    """The answer of a Produce, without what says nothing."""
    ((one,),) = (topic.partition_responses for topic in response.responses)
    told = {"error": error_name(one.error_code), "baseOffset": one.base_offset}
    if one.log_append_time_ms != -1:
        told["logAppendTime"] = one.log_append_time_ms
    if version >= 5:
        told["logStartOffset"] = one.log_start_offset
    if version >= 8 and one.record_errors:
        told["recordErrors"] = [[each.batch_index, each.batch_index_error_message]
                                for each in one.record_errors]
    if version >= 8 and one.error_message:
        told["errorMessage"] = one.error_message
    return told


def fetched(response: Any) -> dict:
    """The answer of a Fetch: where its whole batches lie, and how much of one more came."""
    ((one,),) = (topic.partitions for topic in response.responses)
    content = bytes(one.records or b"")
    found = [[each.base_offset, each.last_offset, each.size] for each in batches(content)]
    told = {"error": error_name(one.error_code), "highWatermark": one.high_watermark,
            "lastStableOffset": one.last_stable_offset, "logStartOffset": one.log_start_offset}
    if one.aborted_transactions is not None:
        told["abortedTransactions"] = [
            {"producerId": each.producer_id, "firstOffset": each.first_offset}
            for each in one.aborted_transactions]
    told |= {"bytes": len(content), "batches": found}
    torn = len(content) - sum(size for *_, size in found)
    return told | ({"tornTailBytes": torn} if torn else {})


def _state(one: Any) -> dict:
    return {"producerId": one.producer_id, "producerEpoch": one.producer_epoch,
            "lastSequence": one.last_sequence, "lastTimestamp": one.last_timestamp,
            "coordinatorEpoch": one.coordinator_epoch,
            "currentTxnStartOffset": one.current_txn_start_offset}


class Connection:
    """One socket to a broker on this machine. Raises ConnectionError when the broker closes it."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), SOCKET_TIMEOUT_S)
        self._correlation_id, self.is_closed = 0, False

    def close(self) -> None:
        self._socket.close()
        self.is_closed = True

    def ask(self, request: Any) -> Any:
        """The decoded response to a request made for its version."""
        self._correlation_id += 1
        version = request.API_VERSION
        try:
            self._socket.sendall(encode(request, version, self._correlation_id))
            content = self._received(int.from_bytes(self._received(4)))
        except OSError:
            self.close()
            raise
        response = request.header.get_response_class().decode(content, header=True)
        if response.header.correlation_id != self._correlation_id:
            raise ConnectionError(f"asked {self._correlation_id}, but the answer is to "
                                  f"{response.header.correlation_id}")
        return response

    def _received(self, size: int) -> bytes:
        content = b""
        while len(content) < size:
            if not (more := self._socket.recv(size - len(content))):
                raise ConnectionError(f"closed by the broker after {len(content)} of {size} bytes")
            content += more
        return content

    # -- one method a kind of step ------------------------------------------------------------
    def create(self, topic: str, step: dict) -> dict:
        (one,) = self.ask(create_topics(topic, step["configs"])).topics
        return {"topic": one.name, "error": error_name(one.error_code),
                "message": one.error_message}

    def delete_topic(self, topic: str, step: dict) -> dict:
        (one,) = self.ask(DeleteTopicsRequest(topic_names=[topic], timeout_ms=TIMEOUT_MS,
                                              version=3)).responses
        return {"topic": one.name, "error": error_name(one.error_code)}

    def alter(self, topic: str, step: dict) -> dict:
        (one,) = self.ask(alter_configs(topic, step["configs"])).responses
        return {"error": error_name(one.error_code), "name": one.resource_name}

    def produce(self, topic: str, records: bytes, step: dict) -> dict:
        version = step.get("version", 8)
        is_transactional = step.get("batch", {}).get("txn")
        return produced(self.ask(produce(
            topic, records, step.get("acks", -1),
            step.get("txn_id", CLIENT_ID if is_transactional else None), version)), version)

    def fetch(self, topic: str, step: dict) -> dict:
        return fetched(self.ask(fetch(topic, step)))

    def records(self, topic: str, offset: int) -> bytes:
        """What a consumer gets from an offset on; empty at the end."""
        ((one,),) = (each.partitions for each in
                     self.ask(fetch(topic, {"offset": offset})).responses)
        return bytes(one.records or b"")

    def list_offsets(self, topic: str, step: dict) -> dict:
        ((one,),) = (each.partitions for each in self.ask(list_offsets(topic, step)).topics)
        return {"error": error_name(one.error_code), "timestamp": one.timestamp,
                "offset": one.offset, "leaderEpoch": one.leader_epoch}

    def epoch_end(self, topic: str, step: dict) -> dict:
        ((one,),) = (each.partitions for each in
                     self.ask(offset_for_leader_epoch(topic, step["epoch"])).topics)
        return {"error": error_name(one.error_code), "partition": one.partition,
                "leaderEpoch": one.leader_epoch, "endOffset": one.end_offset}

    def delete_records(self, topic: str, step: dict) -> dict:
        ((one,),) = (each.partitions for each in self.ask(DeleteRecordsRequest(
            topics=[(topic, [(PARTITION, step["offset"])])], timeout_ms=TIMEOUT_MS,
            version=1)).topics)
        return {"partition": one.partition_index, "lowWatermark": one.low_watermark,
                "error": error_name(one.error_code)}

    def marker(self, topic: str, step: dict) -> dict:
        (marker,) = self.ask(write_txn_markers(topic, step)).markers
        ((one,),) = (each.partitions for each in marker.topics)
        return {"partition": one.partition_index, "error": error_name(one.error_code)}

    def producers(self, topic: str, step: dict) -> dict:
        ((one,),) = (each.partitions for each in self.ask(
            DescribeProducersRequest(topics=[(topic, [PARTITION])], version=0)).topics)
        return {"error": error_name(one.error_code),
                "producers": [_state(each) for each in one.active_producers]}
