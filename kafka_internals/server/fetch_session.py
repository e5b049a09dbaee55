"""FetchSession and FetchManager: what a broker remembers of a client that fetches again and again.

A fetch of thousands of idle partitions would be long to ask and long to answer. In a session
(KIP-227) the broker keeps the partitions and where each is read; a request brings what has changed,
an answer what there is to say. A partition that gave records goes to the end, so that the others
have their turn. Kafka draws a session's id; here it is a checksum of the request that asked for it,
so that a fork keeps it. Only consumers have sessions here.
"""

from kafka_internals.byte_utils import crc32c
from kafka_internals.common import TopicPartition
from kafka_internals.errors import (
    FetchSessionIdNotFoundException,
    InvalidFetchSessionEpochException,
)
from kafka_internals.messages import Request
from kafka_internals.messages.fetch import FetchPartition, FetchResponse, PartitionData
from kafka_internals.messages.fetch_metadata import (
    FINAL_EPOCH,
    INITIAL_EPOCH,
    INVALID_SESSION_ID,
    FetchMetadata,
)


class CachedPartition:
    """One partition of a session: what is asked of it, and what the client was told last."""

    __slots__ = ("asked", "high_watermark", "log_start_offset")

    def __init__(self, asked: FetchPartition) -> None:
        self.asked, self.high_watermark, self.log_start_offset = asked, -1, -1

    def maybe_update_response_data(self, data: PartitionData) -> bool:
        """True where the client has to be told: records, an error, or an end that has moved."""
        before = self.high_watermark, self.log_start_offset
        self.high_watermark, self.log_start_offset = data.high_watermark, data.log_start_offset
        return bool(data.records) or data.error != "NONE" or data.preferred_read_replica >= 0 or \
            before != (data.high_watermark, data.log_start_offset)


class FetchSession:
    """One client's session; `epoch` is the one that its next request has to carry."""

    def __init__(self, id: int, asked: tuple[FetchPartition, ...],
                 results: tuple[PartitionData, ...], now_ms: int) -> None:
        self.id, self.creation_ms, self.last_used_ms = id, now_ms, now_ms
        self.epoch = FetchMetadata.next_epoch(INITIAL_EPOCH)
        self.partitions = {one.partition: CachedPartition(one) for one in asked}
        for data in results:
            self.partitions[data.partition].maybe_update_response_data(data)

    def update(self, asked: tuple[FetchPartition, ...],
               forgotten: tuple[TopicPartition, ...]) -> None:
        """Take over what a request changes; what is new goes to the end."""
        for one in asked:
            if one.partition in self.partitions:
                self.partitions[one.partition].asked = one
            else:
                self.partitions[one.partition] = CachedPartition(one)
        for name in forgotten:
            self.partitions.pop(name, None)

    def told(self, results: tuple[PartitionData, ...]) -> tuple[PartitionData, ...]:
        """Of the results those that the client has to hear; what gave records goes to the end."""
        said = tuple(data for data in results
                     if self.partitions[data.partition].maybe_update_response_data(data))
        for data in said:
            if data.records:
                self.partitions[data.partition] = self.partitions.pop(data.partition)
        return said


class FetchSessionCache:
    """As many sessions as there are slots; a new one may take the place of one that is stale."""

    def __init__(self, slots: int, eviction_ms: int) -> None:
        self._slots, self._eviction_ms = slots, eviction_ms
        self.sessions: dict[int, FetchSession] = {}

    def maybe_create_session(self, request: Request, results: tuple[PartitionData, ...],
                             now_ms: int) -> int:
        """A session for this request's partitions: its id, or 0 where no slot can be had."""
        asked = request.body.partitions
        if len(self.sessions) >= self._slots and not self._try_evict(len(asked), now_ms):
            return INVALID_SESSION_ID
        id = crc32c(request.id.encode()) & 0x7FFFFFFF
        while id in self.sessions or id == 0:
            id = (id + 1) & 0x7FFFFFFF
        self.sessions[id] = FetchSession(id, asked, results, now_ms)
        return id

    def _try_evict(self, size: int, now_ms: int) -> bool:
        """Unused for long goes first; else one that is old and smaller than the new one."""
        least = min(self.sessions.values(), key=lambda one: (one.last_used_ms, one.id),
                    default=None)
        if least is not None and now_ms - least.last_used_ms <= self._eviction_ms:
            old = [one for one in self.sessions.values()
                   if now_ms - one.creation_ms > self._eviction_ms]
            least = min(old, key=lambda one: (len(one.partitions), one.id), default=None)
            if least is not None and (size, 0) < (len(least.partitions), least.id):
                least = None
        if least is not None:
            del self.sessions[least.id]
        return least is not None


class FetchManager:
    """Completes requests by what their session knows, and shortens answers by it."""

    def __init__(self, slots: int, eviction_ms: int) -> None:
        self._cache = FetchSessionCache(slots, eviction_ms)
        self.sessions = self._cache.sessions        # those that there are, by id

    def new_context(self, request: Request, now_ms: int) -> Request:
        """The request with every partition that it means.

        Errors: FetchSessionIdNotFoundException, InvalidFetchSessionEpochException.
        """
        body, sessions = request.body, self.sessions
        id, epoch = body.metadata
        if body.metadata.is_full:
            sessions.pop(id, None)
            return request
        if (session := sessions.get(id)) is None:
            raise FetchSessionIdNotFoundException(f"there is no fetch session {id}")
        if session.epoch != epoch:
            raise InvalidFetchSessionEpochException(
                f"fetch session {id} awaits epoch {session.epoch}, and {epoch} was given")
        session.update(body.partitions, body.forgotten)
        if not session.partitions:
            del sessions[id]
            return request
        session.last_used_ms, session.epoch = now_ms, FetchMetadata.next_epoch(epoch)
        return request._replace(body=body._replace(partitions=tuple(
            cached.asked for cached in session.partitions.values())))

    def update_and_generate_response_data(self, request: Request, full: FetchResponse,
                                          now_ms: int) -> FetchResponse:
        """The answer: in full, with a new session where one is wanted, or what has changed."""
        body, results = request.body, full.partitions
        id, epoch = body.metadata
        if epoch == INITIAL_EPOCH:
            id = self._cache.maybe_create_session(request, results, now_ms)
            return body.response(results, id)
        session = None if epoch == FINAL_EPOCH else self.sessions.get(id)
        if session is None:
            return full
        if session.epoch != FetchMetadata.next_epoch(epoch):
            return FetchResponse((), error=InvalidFetchSessionEpochException.error_name,
                                 session_id=id)
        return body.response(session.told(results), session.id)

    def throttled_response(self, request: Request) -> FetchResponse:
        """Nothing, so that nothing was used; a session that there is goes on, and none begins."""
        body = request.body
        session = None if body.metadata.is_full else self.sessions.get(body.metadata.session_id)
        return body.response(()) if session is None else body.response((), session.id)
