"""Answers for a consumer core: batches of values that are their offsets, and where a log ends."""

from kafka_internals.messages.fetch import FetchRequest, FetchResponse, PartitionData
from kafka_internals.messages.list_offsets import (
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
)
from kafka_internals.record_batch import encode
from tests.clients.talk import Talk, tp


def batch(base_offset: int, count: int = 1) -> bytes:
    """A batch whose values are their offsets, as text."""
    return encode([(1_000, None, b"%d" % (base_offset + n), ()) for n in range(count)],
                  base_offset=base_offset)


def answer(talk: Talk, request, *records: bytes, error: str = "NONE", high_watermark: int = 99,
           session_id: int = 0, throttle_time_ms: int = 0) -> None:
    """Answer a fetch: bytes for each partition of it, none where none are given."""
    asked = request.request.body.partitions
    assert isinstance(request.request.body, FetchRequest), request
    given = records + (b"",) * (len(asked) - len(records))
    talk.answer(request, FetchResponse(tuple(
        PartitionData(one.partition, error, high_watermark, 0, data)
        for one, data in zip(asked, given)), throttle_time_ms, session_id=session_id))


def offsets(talk: Talk, offset: int, error: str = "NONE") -> None:
    """Answer a question for offsets."""
    request = talk.take()
    assert isinstance(request.request.body, ListOffsetsRequest), request
    talk.answer(request, ListOffsetsResponse(tuple(
        ListOffsetsPartitionResponse(one.partition, error, offset)
        for one in request.request.body.partitions)))


def reading(talk: Talk, *leaders: int, position: int = 0) -> Talk:
    """Assigned to one partition a leader, with a position in each; the fetches are in flight."""
    leaders = leaders or (1,)
    talk.call("assign", tuple(tp(number) for number in range(len(leaders))))
    for number in range(len(leaders)):
        talk.call("seek", tp(number), position)
    talk.answer_metadata(*leaders)
    return talk


def poll(talk: Talk, timeout_ms: int = 0) -> list[bytes]:
    """What a poll gives at once."""
    talk.call("poll", timeout_ms)
    return given(talk)


def given(talk: Talk) -> list[bytes]:
    """The values that the last poll gave; its error, if it failed, is raised."""
    call = talk.core.polls[-1]
    if call.error is not None:
        raise call.error
    assert call.state == "returned"
    return [record.value for record in call.records]
