"""Headers of batches and markers for tests of producer state."""

from kafka_internals.record_batch import CONTROL, TRANSACTIONAL, BatchHeader, RecordBatch, encode


def data(producer_id: int = 9, epoch: int = 0, sequence: int = 0, records: int = 1, offset: int = 0,
         txn: bool = False, timestamp: int = 1_000) -> BatchHeader:
    """The header of a batch of data at an offset."""
    return RecordBatch(encode([(timestamp, None, b"", ())] * records, base_offset=offset,
                              producer_id=producer_id, producer_epoch=epoch, base_sequence=sequence,
                              attributes=TRANSACTIONAL if txn else 0)).header


def end_txn(producer_id: int = 9, epoch: int = 0, offset: int = 0,
            timestamp: int = 1_000) -> BatchHeader:
    """The header of a marker's batch at an offset."""
    return RecordBatch(encode([(timestamp, b"", b"", ())], base_offset=offset,
                              producer_id=producer_id, producer_epoch=epoch,
                              attributes=TRANSACTIONAL | CONTROL)).header
