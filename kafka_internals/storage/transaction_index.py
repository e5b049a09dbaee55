"""TransactionIndex and AbortedTxn: the aborted transactions that end in a segment (KIP-98).

A consumer that reads committed data has to know what to leave out. The broker tells it from this
file, which is there only once a transaction was aborted. An entry also holds the last stable offset
at that moment: no transaction that is found further on can begin before it, so a search may stop.
"""

from collections.abc import Iterator
from typing import NamedTuple

from kafka_internals.errors import CorruptIndexException, KafkaException
from kafka_internals.record import Field
from kafka_internals.storage.abstract_index import entry_struct
from kafka_internals.storage.file_records import Storage

# fmt: off
LAYOUT = (
    Field("version",            "h", "version of the entry: 0"),
    Field("producer_id",        "q", "whose transaction it was"),
    Field("first_offset",       "q", "offset of its first record in this partition"),
    Field("last_offset",        "q", "offset of the marker that aborted it"),
    Field("last_stable_offset", "q", "where the stable part of the log ended after that marker"),
)
# fmt: on
ENTRY, VERSION = entry_struct(LAYOUT), 0


class AbortedTxn(NamedTuple):
    """One aborted transaction; offsets as in `LAYOUT`."""

    producer_id: int
    first_offset: int
    last_offset: int
    last_stable_offset: int

    def encode(self) -> bytes:
        """The 34 bytes of the entry."""
        return ENTRY.pack(VERSION, *self)


class TxnIndexSearchResult(NamedTuple):
    """What was found, and whether a later segment may hold more."""

    aborted_transactions: tuple[AbortedTxn, ...]
    is_complete: bool


class TransactionIndex:
    """The `.txnindex` file of a segment: entries of 34 bytes, last offsets strictly increasing."""

    def __init__(self, storage: Storage, name: str, base_offset: int) -> None:
        self._storage, self.name, self.base_offset = storage, name, base_offset

    @property
    def entries(self) -> int:
        """How many whole entries the file holds; 0 where there is no file."""
        return self._storage.size(self.name) // ENTRY.size

    def entry(self, at: int) -> AbortedTxn:
        """Entry number `at`, from 0 on. Errors: ValueError where there is none, KafkaException
        where it is of a version that nobody here knows."""
        if not 0 <= at < (entries := self.entries):
            raise ValueError(f"{self.name} has {entries} entries; there is no entry {at}")
        content = self._storage.read(self.name, at * ENTRY.size, ENTRY.size)
        version, *fields = ENTRY.unpack(content)
        if version > VERSION:
            raise KafkaException(f"entry {at} of {self.name} has version {version}; the highest "
                                 f"one known here is {VERSION}")
        return AbortedTxn._make(fields)

    def __iter__(self) -> Iterator[AbortedTxn]:
        return map(self.entry, range(self.entries))

    def append(self, aborted: AbortedTxn) -> None:
        """Add a transaction; IllegalArgument as ValueError unless it ended behind the last one."""
        if self.entries and aborted.last_offset <= (last := self.entry(self.entries - 1)) \
                .last_offset:
            raise ValueError(f"the aborted transaction that ends at {aborted.last_offset} does not "
                             f"lie behind {last.last_offset}, the last offset in {self.name}")
        self._storage.append(self.name, aborted.encode())

    def collect_aborted_txns(self, fetch_offset: int, upper_bound: int) -> TxnIndexSearchResult:
        """The transactions that a fetch of the offsets from `fetch_offset` to below `upper_bound`
        has to leave out."""
        found = []
        for one in self:
            if one.last_offset >= fetch_offset and one.first_offset < upper_bound:
                found.append(one)
            if one.last_stable_offset >= upper_bound:
                return TxnIndexSearchResult(tuple(found), True)
        return TxnIndexSearchResult(tuple(found), False)

    def truncate_to(self, offset: int) -> None:
        """Forget the transactions that ended at or behind `offset`."""
        for at, one in enumerate(self):
            if one.last_offset >= offset:
                return self._storage.truncate(self.name, at * ENTRY.size)

    def reset(self) -> None:
        """Forget all transactions; a file that is there becomes empty."""
        if self._storage.exists(self.name):
            self._storage.truncate(self.name, 0)

    def flush(self) -> None:
        """What was written so far survives a power loss from now on."""
        if self._storage.exists(self.name):
            self._storage.flush(self.name)

    def sanity_check(self) -> None:
        """CorruptIndexException where a transaction ended before the segment began."""
        for one in self:
            if one.last_offset < self.base_offset:
                raise CorruptIndexException(
                    f"the last offset {one.last_offset} of a transaction in {self.name} lies "
                    f"before the base offset {self.base_offset}")
