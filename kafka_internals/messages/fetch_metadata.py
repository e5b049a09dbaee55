"""FetchMetadata: to which fetch session a fetch belongs, and as the how-manieth (KIP-227).

Epoch 0 asks for a new session and closes the one that is named; -1 closes it and wants none. Any
other epoch is incremental: the request names what has changed since the one before, and the answer
only what there is to say.
"""

from typing import NamedTuple

INVALID_SESSION_ID, INITIAL_EPOCH, FINAL_EPOCH = 0, 0, -1


class FetchMetadata(NamedTuple):
    """A session's id and the epoch of one request in it."""

    session_id: int = INVALID_SESSION_ID
    epoch: int = FINAL_EPOCH

    @property
    def is_full(self) -> bool:
        """True where the request names all its partitions."""
        return self.epoch in (INITIAL_EPOCH, FINAL_EPOCH)

    @staticmethod
    def next_epoch(epoch: int) -> int:
        """After 2^31-1 comes 1: 0 and -1 have a meaning of their own."""
        if epoch < 0:
            return FINAL_EPOCH
        return 1 if epoch == 0x7FFFFFFF else epoch + 1

    @classmethod
    def new_incremental(cls, session_id: int) -> "FetchMetadata":
        """The first request after the one that made the session."""
        return cls(session_id, cls.next_epoch(INITIAL_EPOCH))

    def next_incremental(self) -> "FetchMetadata":
        """The request after this one."""
        return FetchMetadata(self.session_id, self.next_epoch(self.epoch))

    def next_close_existing_attempt_new(self) -> "FetchMetadata":
        """Something went wrong: begin anew, and let the broker forget what it knew."""
        return self._replace(epoch=INITIAL_EPOCH)


SESSIONLESS = FetchMetadata()
INITIAL = FetchMetadata(INVALID_SESSION_ID, INITIAL_EPOCH)
