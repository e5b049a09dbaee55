"""FetchSessionHandler: a client's side of a fetch session with one broker (KIP-227).

It remembers what the broker has been told, so that a request names only what differs: new
partitions first, then those whose offset has moved, and the names of those that are not wanted now.
"""

from typing import NamedTuple

from kafka_internals.common import TopicPartition
from kafka_internals.errors import FetchSessionIdNotFoundException
from kafka_internals.messages.fetch import FetchPartition, FetchResponse
from kafka_internals.messages.fetch_metadata import INITIAL, INVALID_SESSION_ID, FetchMetadata


class FetchRequestData(NamedTuple):
    """What to send, and what it means: `session_partitions` are all that the broker will read."""

    to_send: tuple[FetchPartition, ...]
    to_forget: tuple[TopicPartition, ...]
    session_partitions: dict[TopicPartition, FetchPartition]
    metadata: FetchMetadata


class FetchSessionHandler:
    """One broker's session; `next_metadata` is what the next request carries."""

    def __init__(self) -> None:
        self.next_metadata = INITIAL
        self._session: dict[TopicPartition, FetchPartition] = {}

    def build(self, wanted: list[FetchPartition]) -> FetchRequestData:
        """The next request, for these partitions and no others."""
        following = {one.partition: one for one in wanted}
        if self.next_metadata.is_full:
            self._session = following
            return FetchRequestData(tuple(wanted), (), dict(following), self.next_metadata)
        added = [one for name, one in following.items() if name not in self._session]
        removed = [name for name in self._session if name not in following]
        altered = [following[name] for name, one in self._session.items()
                   if name in following and following[name] != one]
        for name in removed:
            del self._session[name]
        self._session.update({one.partition: one for one in altered + added})
        return FetchRequestData(tuple(added + altered), tuple(removed), dict(self._session),
                                self.next_metadata)

    def handle_response(self, body: FetchResponse) -> bool:
        """Take over what the answer says about the session; False where it brings nothing."""
        if body.error != "NONE":
            if body.error == FetchSessionIdNotFoundException.error_name:
                self.next_metadata = INITIAL
            else:
                self.handle_error()
            return False
        told = {data.partition for data in body.partitions}
        if self.next_metadata.is_full:
            if told != set(self._session):                 # a throttled answer names none
                self.next_metadata = INITIAL
                return False
            self.next_metadata = INITIAL if body.session_id == INVALID_SESSION_ID else \
                FetchMetadata.new_incremental(body.session_id)
        elif not told <= set(self._session):
            self.handle_error()
            return False
        else:
            self.next_metadata = INITIAL if body.session_id == INVALID_SESSION_ID else \
                self.next_metadata.next_incremental()
        return True

    def handle_error(self) -> None:
        """No answer, or a wrong one: the next request is full, and closes what there was."""
        self.next_metadata = self.next_metadata.next_close_existing_attempt_new()
