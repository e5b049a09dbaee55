"""ProducerStateManager: the producers and transactions of one partition, and their snapshots.

It answers three questions. Has this batch been appended before? Does it follow that producer's last
one? How far may a reader go who wants committed records only (the last stable offset)? All of it
follows from the log, so a replica that has read the log up to an offset knows what the leader knew
there. To read less after a restart, the state is written beside the log now and then, as
`<offset>.snapshot`: what is true after every record below that offset (KIP-98).
"""

from bisect import insort
from collections.abc import Iterable
from itertools import count

from kafka_internals.common import TopicPartition
from kafka_internals.control_record import ControlRecordType, read_marker
from kafka_internals.errors import (
    CorruptSnapshotException,
    InvalidProducerEpochException,
    InvalidTxnStateException,
)
from kafka_internals.record_batch import BatchHeader, RecordBatch
from kafka_internals.storage.append_origin import AppendOrigin
from kafka_internals.storage.file_records import Storage
from kafka_internals.storage.log_file_utils import offset_from_file
from kafka_internals.storage.producer_append_info import ProducerAppendInfo
from kafka_internals.storage.producer_state_entry import (
    BatchMetadata,
    CompletedTxn,
    ProducerStateEntry,
    TxnMetadata,
    VerificationStateEntry,
    decode_snapshot,
    encode_snapshot,
)

PRODUCER_ID_EXPIRATION_MS = 86_400_000
MAX_TRANSACTION_TIMEOUT_MS = 900_000
LATE_TRANSACTION_BUFFER_MS = 5 * 60 * 1000
SNAPSHOT_SUFFIX, DELETED_SUFFIX = ".snapshot", ".deleted"


class ProducerStateManager:
    """The state of one partition's producers, after the records below `map_end_offset`.

    `verification_enabled` is `transaction.partition.verification.enable`. Snapshots that lie in
    `directory` are found at once; what they say is loaded by `truncate_and_reload`.
    """

    def __init__(self, partition: TopicPartition, storage: Storage, directory: str | None = None, *,
                 producer_id_expiration_ms: int = PRODUCER_ID_EXPIRATION_MS,
                 max_transaction_timeout_ms: int = MAX_TRANSACTION_TIMEOUT_MS,
                 verification_enabled: bool = False) -> None:
        self.partition, self._storage = partition, storage
        self._directory = str(partition) if directory is None else directory
        self._expiration_ms = producer_id_expiration_ms
        self._late_after_ms = max_transaction_timeout_ms + LATE_TRANSACTION_BUFFER_MS
        self._verification_enabled = verification_enabled
        self._producers: dict[int, ProducerStateEntry] = {}
        self._buckets = 16
        self._ongoing: dict[int, TxnMetadata] = {}              # both by first offset
        self._unreplicated: dict[int, TxnMetadata] = {}
        self._verifications: dict[int, VerificationStateEntry] = {}
        self._guards = count(1)
        self.map_end_offset = self._last_snapshot_offset = 0
        self.snapshot_offsets = self._found_snapshots()

    # -- appending ----------------------------------------------------------------------------
    def last_entry(self, producer_id: int) -> ProducerStateEntry | None:
        """What is known of a producer."""
        return self._producers.get(producer_id)

    def find_duplicate_batch(self, header: BatchHeader) -> BatchMetadata | None:
        """The batch that this one repeats. Asked first of all, and only for what clients send."""
        entry = self._producers.get(header.producer_id)
        return entry and entry.find_duplicate_batch(header)

    def has_ongoing_transaction(self, producer_id: int, producer_epoch: int) -> bool:
        """True where this incarnation of the producer has a transaction open here."""
        entry = self._producers.get(producer_id)
        return entry is not None and entry.producer_epoch == producer_epoch \
            and entry.current_txn_first_offset is not None

    def check_transaction(self, header: BatchHeader, guard: int | None = None) -> None:
        """Whether a transactional batch may open a transaction; asked after the duplicates.

        Errors: InvalidProducerEpochException, InvalidTxnStateException (the coordinator was not
        asked, or the transaction that it confirmed is over by now).
        """
        producer_id, epoch = header.producer_id, header.producer_epoch
        if not header.is_transactional or self.has_ongoing_transaction(producer_id, epoch):
            return
        entry = self._producers.get(producer_id)
        if entry is not None and epoch < entry.producer_epoch:
            raise InvalidProducerEpochException(
                f"Epoch of producer {producer_id} in {self.partition} is {epoch}, which is smaller "
                f"than the last seen epoch {entry.producer_epoch}")
        if self._verification_enabled and not header.is_control:
            asked = self._verifications.get(producer_id)
            expected = asked and asked.guard
            if guard is None or guard != expected:
                raise InvalidTxnStateException(
                    f"Record was not part of an ongoing transaction: producer {producer_id} in "
                    f"{self.partition} shows guard {guard}, expected is {expected}")

    def prepare_update(self, producer_id: int, origin: AppendOrigin) -> ProducerAppendInfo:
        """What judges this producer's batches of one append; give it to `update` afterwards."""
        before = self._producers.get(producer_id) or ProducerStateEntry(producer_id)
        asked = self._verifications.get(producer_id) if self._verifications else None
        return ProducerAppendInfo(self.partition, before, origin, asked)

    def update(self, info: ProducerAppendInfo) -> None:
        """The batches that were judged are in the log."""
        self._put(info.entry)
        for txn in info.started:
            self._ongoing[txn.first_offset] = txn
        if info.is_transactional:
            self._verifications.pop(info.entry.producer_id, None)

    def replay(self, batch: RecordBatch) -> CompletedTxn | None:
        """Take over a batch that is in the log already; the transaction that it ends, if one."""
        header = batch.header
        info = self.prepare_update(header.producer_id, AppendOrigin.REPLICATION)
        completed = None
        if marker := read_marker(batch):
            completed = info.append_end_txn_marker(
                header, marker.control_type is ControlRecordType.ABORT, marker.coordinator_epoch)
        elif not header.is_control:
            info.append_data_batch(header)
        self.update(info)
        return completed

    def update_map_end_offset(self, offset: int) -> None:
        """Everything below `offset` has been seen."""
        self.map_end_offset = offset

    def _put(self, entry: ProducerStateEntry) -> None:
        is_known = entry.producer_id in self._producers
        self._producers[entry.producer_id] = entry
        while not is_known and len(self._producers) > self._buckets * 3 // 4:
            self._buckets *= 2

    # -- transactions -------------------------------------------------------------------------
    def complete_txn(self, completed: CompletedTxn) -> None:
        """A marker is in the log: the transaction is decided, but maybe not replicated.

        ValueError where no transaction begins at its first offset.
        """
        if completed.first_offset not in self._ongoing:
            raise ValueError(f"{self.partition}: {completed} ends a transaction that did not begin "
                             f"here; open are those at {sorted(self._ongoing)}")
        txn = self._ongoing.pop(completed.first_offset)
        self._unreplicated[txn.first_offset] = txn._replace(last_offset=completed.last_offset)

    def last_stable_offset(self, completed: CompletedTxn) -> int:
        """The last stable offset as it is once this transaction is replicated, others open."""
        others = [txn.first_offset for txn in self._ongoing.values()
                  if txn.producer_id != completed.producer_id]
        return min(others, default=completed.last_offset + 1)

    @property
    def first_undecided_offset(self) -> int | None:
        """Where the earliest open transaction begins."""
        return min(self._ongoing, default=None)

    @property
    def first_unstable_offset(self) -> int | None:
        """Where the earliest transaction begins that is open, or whose marker is not replicated.

        The last stable offset is this or the high watermark, whichever is lower.
        """
        if not (self._ongoing or self._unreplicated):
            return None
        return min((*self._ongoing, *self._unreplicated))

    def on_high_watermark_updated(self, high_watermark: int) -> None:
        """Markers below the high watermark are on every in-sync replica."""
        if self._unreplicated:
            self._unreplicated = {first: txn for first, txn in self._unreplicated.items()
                                  if txn.last_offset >= high_watermark}

    def has_late_transaction(self, now_ms: int) -> bool:
        """True where the earliest open transaction is older than any coordinator would allow."""
        first = self.first_undecided_offset
        if first is None:
            return False
        entry = self._producers.get(self._ongoing[first].producer_id)
        return entry is not None and 0 < entry.last_timestamp < now_ms - self._late_after_ms

    # -- verification (KIP-890) ---------------------------------------------------------------
    def maybe_create_verification_state_entry(self, producer_id: int, sequence: int, epoch: int,
                                              supports_epoch_bump: bool,
                                              now_ms: int) -> VerificationStateEntry:
        """The question to the coordinator about a producer's transaction, begun or gone on with."""
        entry = self._verifications.get(producer_id)
        if entry is None:
            entry = VerificationStateEntry(next(self._guards), now_ms, sequence, epoch,
                                           supports_epoch_bump)
        entry = self._verifications[producer_id] = entry.asked_again(sequence, epoch)
        return entry

    def verification_state_entry(self, producer_id: int) -> VerificationStateEntry | None:
        """The open question about a producer."""
        return self._verifications.get(producer_id)

    # -- forgetting ---------------------------------------------------------------------------
    def active_producers(self) -> list[ProducerStateEntry]:
        """Everything that is known, in the order in which Kafka lists and stores it.

        That is the order of a Java HashMap: by the low bits of the folded id, then by arrival.
        The table doubles when it is three quarters full and never shrinks.
        """
        mask = self._buckets - 1
        return sorted(self._producers.values(), key=lambda one: _folded(one.producer_id) & mask)

    def remove_expired_producers(self, now_ms: int) -> list[int]:
        """Forget who was silent for `producer.id.expiration.ms`; never one whose txn is open."""
        gone = [id for id, entry in self._producers.items() if self._is_expired(entry, now_ms)]
        for producer_id in gone:
            del self._producers[producer_id]
        self._verifications = {id: entry for id, entry in self._verifications.items()
                               if now_ms - entry.created_ms < self._expiration_ms}
        return gone

    def _is_expired(self, entry: ProducerStateEntry, now_ms: int) -> bool:
        return entry.current_txn_first_offset is None \
            and now_ms - entry.last_timestamp >= self._expiration_ms

    def _forget(self, map_end_offset: int) -> None:
        for one in (self._producers, self._ongoing, self._unreplicated):
            one.clear()
        self.map_end_offset = self._last_snapshot_offset = map_end_offset

    def on_log_start_offset_incremented(self, log_start_offset: int) -> None:
        """Records below are gone. Who wrote them is known until it expires, or the log is cut."""
        self.on_high_watermark_updated(log_start_offset)
        self.map_end_offset = max(self.map_end_offset, log_start_offset)
        self._last_snapshot_offset = max(self.snapshot_offsets, default=log_start_offset)

    def truncate_fully_and_start_at(self, offset: int) -> None:
        """Forget everything, snapshots too: the log begins anew at `offset`."""
        self._delete(list(self.snapshot_offsets))
        self._forget(offset)
        self._last_snapshot_offset = 0

    def truncate_and_reload(self, log_start_offset: int, log_end_offset: int, now_ms: int) -> None:
        """Go back to the newest valid snapshot between the log's two ends.

        Snapshots outside and corrupt ones are deleted. Afterwards `map_end_offset` tells from where
        the log has to be read again; where it already ends there, nothing is loaded.
        """
        self._delete([offset for offset in self.snapshot_offsets
                      if not log_start_offset < offset <= log_end_offset])
        if log_end_offset != self.map_end_offset:
            self._load(log_start_offset, now_ms)
        else:
            self.on_log_start_offset_incremented(log_start_offset)

    # -- snapshots ----------------------------------------------------------------------------
    def snapshot_file(self, offset: int) -> str:
        """The name of the snapshot at an offset."""
        return f"{self._directory}/{offset:020d}{SNAPSHOT_SUFFIX}"

    def _found_snapshots(self) -> list[int]:
        return sorted([offset_from_file(name) for name in self._storage.names(self._directory)
                       if name.endswith(SNAPSHOT_SUFFIX)])

    def take_snapshot(self) -> int | None:
        """Write what is known to the platter; its offset, or None where nothing came since."""
        if self.map_end_offset <= self._last_snapshot_offset:
            return None
        offset = self._last_snapshot_offset = self.map_end_offset
        self._storage.replace(self.snapshot_file(offset), encode_snapshot(self.active_producers()))
        if offset not in self.snapshot_offsets:
            insort(self.snapshot_offsets, offset)
        return offset

    def _load(self, log_start_offset: int, now_ms: int) -> None:
        self._forget(log_start_offset)
        while self.snapshot_offsets:
            offset = self.snapshot_offsets[-1]
            name = self.snapshot_file(offset)
            try:
                entries = decode_snapshot(self._storage.read(name), name)
            except CorruptSnapshotException:
                self._delete([offset])
                continue
            self.map_end_offset = self._last_snapshot_offset = offset
            for entry in entries:
                if not self._is_expired(entry, now_ms):
                    self._loaded(entry)
            return

    def _loaded(self, entry: ProducerStateEntry) -> None:
        self._put(entry)
        if (first := entry.current_txn_first_offset) is not None:
            self._ongoing[first] = TxnMetadata(entry.producer_id, first)

    def delete_snapshots_before(self, offset: int) -> None:
        """Delete the snapshots below `offset`."""
        self._delete([one for one in self.snapshot_offsets if one < offset])

    def delete_snapshots_after(self, offset: int) -> None:
        """Delete the snapshots above `offset`."""
        self._delete([one for one in self.snapshot_offsets if one > offset])

    def remove_stray_snapshots(self, segment_base_offsets: Iterable[int]) -> None:
        """Delete the snapshots that no segment begins with, but the newest where it is the last.

        An orderly stop leaves that one at the log's end, where no segment begins.
        """
        bases = set(segment_base_offsets)
        stray = [offset for offset in self.snapshot_offsets if offset not in bases]
        if stray and stray[-1] > max(bases, default=-1):
            stray.pop()
        self._delete(stray)

    def mark_snapshot_for_deletion(self, offset: int) -> str | None:
        """Rename a snapshot to `.deleted`, as its segment is; the new name, or None without one."""
        if offset not in self.snapshot_offsets:
            return None
        self.snapshot_offsets.remove(offset)
        name = self.snapshot_file(offset)
        self._storage.rename(name, name + DELETED_SUFFIX)
        return name + DELETED_SUFFIX

    def _delete(self, offsets: list[int]) -> None:
        for offset in offsets:
            self._storage.delete(self.snapshot_file(offset))
            self.snapshot_offsets.remove(offset)


def _folded(producer_id: int) -> int:
    """Where a Java HashMap would put a Long, before the mask."""
    hashed = (producer_id ^ producer_id >> 32) & 0xFFFFFFFF
    return hashed ^ hashed >> 16
