'''Kafka's errors (the enum `Errors` and `org.apache.kafka.common.errors`) as Python exceptions.

A broker answers with a number; a client turns it into an exception and asks its class what to do.
Retriable: the same request may succeed later. InvalidMetadata: later, and after new metadata, for
another broker may be the right one. Everything else goes to the application.

    KafkaException
    +-- ApiException                                  a broker may answer with it
    |   +-- RetriableException
    |   |   +-- InvalidMetadataException
    |   |   |   +-- UnknownTopicOrPartitionException         3
    |   |   |   +-- LeaderNotAvailableException              5
    |   |   |   +-- NotLeaderOrFollowerException             6
    |   |   |   +-- ReplicaNotAvailableException             9
    |   |   |   +-- NetworkException                        13
    |   |   |   +-- KafkaStorageException                   56
    |   |   |   +-- FencedLeaderEpochException              74
    |   |   |   +-- PreferredLeaderNotAvailableException      80
    |   |   |   +-- EligibleLeadersNotAvailableException      83
    |   |   |   +-- ElectionNotNeededException                84
    |   |   |   +-- UnknownTopicIdException                100
    |   |   |   +-- InconsistentTopicIdException           103
    |   |   +-- CorruptRecordException                       2
    |   |   +-- TimeoutException                             7
    |   |   |   +-- BufferExhaustedException
    |   |   +-- CoordinatorLoadInProgressException          14
    |   |   +-- NotEnoughReplicasException                  19
    |   |   +-- NotEnoughReplicasAfterAppendException       20
    |   |   +-- NotControllerException                       41
    |   |   +-- FetchSessionIdNotFoundException             70
    |   |   +-- InvalidFetchSessionEpochException           71
    |   |   +-- UnknownLeaderEpochException                 75
    |   |   +-- OffsetNotAvailableException                 78
    |   +-- UnknownServerException                          -1
    |   +-- OffsetOutOfRangeException                        1
    |   +-- RecordTooLargeException                         10
    |   +-- InvalidTopicException                           17
    |   +-- RecordBatchTooLargeException                    18
    |   +-- InvalidRequiredAcksException                    21
    |   +-- InvalidGroupIdException                         24
    |   +-- InvalidTimestampException                       32
    |   +-- UnsupportedVersionException                     35
    |   +-- TopicExistsException                            36
    |   +-- InvalidPartitionsException                      37
    |   +-- InvalidReplicationFactorException               38
    |   +-- InvalidReplicaAssignmentException               39
    |   +-- InvalidConfigurationException                   40
    |   +-- InvalidRequestException                         42
    |   +-- PolicyViolationException                        44
    |   +-- OutOfOrderSequenceException                     45
    |   |   +-- UnknownProducerIdException                  59
    |   +-- DuplicateSequenceException                      46
    |   +-- InvalidProducerEpochException                   47
    |   +-- InvalidTxnStateException                        48
    |   +-- TransactionCoordinatorFencedException           52
    |   +-- UnsupportedCompressionTypeException             76
    |   +-- StaleBrokerEpochException                       77
    |   +-- InvalidRecordException                          87
    |   +-- DuplicateBrokerRegistrationException           101
    |   +-- BrokerIdNotRegisteredException                 102
    |   +-- InconsistentClusterIdException                 104
    |   +-- InvalidRegistrationException                   119
    +-- ConfigException                               the client's own, never on the wire
    +-- CorruptSnapshotException                      a broker's own, never on the wire
    +-- SerializationException
    +-- InvalidOffsetException
    |   +-- NoOffsetForPartitionException
    |   +-- LogTruncationException
    +-- OffsetsOutOfOrderException                    the log's own, never on the wire
    +-- UnexpectedAppendOffsetException
    +-- CorruptIndexException
    +-- IndexOffsetOverflowException
    +-- LogSegmentOffsetOverflowException
    IllegalStateException                             Java's own: a call at the wrong moment
    IllegalArgumentException                          Java's own: an argument that cannot be
'''

import re

_BY_NAME: dict[str, type["KafkaException"]] = {}
_BY_CODE: dict[int, type["KafkaException"]] = {}


class KafkaException(Exception):
    """Something that Kafka refuses or that failed. Without a message it tells its meaning."""

    code: int | None = None                  # the number on the wire, where there is one
    error_name: str | None = None            # the constant of `Errors`, NOT_ENOUGH_REPLICAS

    def __init_subclass__(cls, code: int | None = None, name: str | None = None) -> None:
        if code is not None:
            own = re.sub("(?<!^)(?=[A-Z])", "_", cls.__name__.removesuffix("Exception")).upper()
            _BY_NAME[name or own] = _BY_CODE[code] = cls
        cls.code, cls.error_name = code, (name or own) if code is not None else None

    def __str__(self) -> str:
        return super().__str__() or self.__doc__


class ApiException(KafkaException):
    """The request was refused. `record_errors`: which records of a batch are to blame, and why."""

    record_errors: tuple = ()


class RetriableException(ApiException):
    """The same request may succeed when it is sent again."""


class InvalidMetadataException(RetriableException):
    """What the client knows about leaders is old; it asks for metadata before it tries again."""


class UnknownTopicOrPartitionException(InvalidMetadataException, code=3):
    """This broker has no such topic or partition, or has not heard of it yet."""


class LeaderNotAvailableException(InvalidMetadataException, code=5):
    """The partition has no leader at the moment."""


class NotLeaderOrFollowerException(InvalidMetadataException, code=6):
    """This broker does not lead the partition, or holds no replica of it."""


class ReplicaNotAvailableException(InvalidMetadataException, code=9):
    """The replica that was asked for is not there to read from."""


class NetworkException(InvalidMetadataException, code=13, name="NETWORK_EXCEPTION"):
    """The connection was lost before an answer came; the request may have been carried out."""


class KafkaStorageException(InvalidMetadataException, code=56, name="KAFKA_STORAGE_ERROR"):
    """The broker's disk failed, and with it every log in that directory."""


class FencedLeaderEpochException(InvalidMetadataException, code=74):
    """The leader epoch of the request is older than the broker's."""


class PreferredLeaderNotAvailableException(InvalidMetadataException, code=80):
    """The preferred leader was not available."""


class EligibleLeadersNotAvailableException(InvalidMetadataException, code=83):
    """Eligible topic partition leaders are not available."""


class ElectionNotNeededException(InvalidMetadataException, code=84):
    """Leader election not needed for topic partition."""


class UnknownTopicIdException(InvalidMetadataException, code=100):
    """This broker knows no topic with that id."""


class InconsistentTopicIdException(InvalidMetadataException, code=103):
    """The log was written for another topic of the same name."""


class CorruptRecordException(RetriableException, code=2, name="CORRUPT_MESSAGE"):
    """A batch does not match its checksum, or its structure is broken."""


class TimeoutException(RetriableException, code=7, name="REQUEST_TIMED_OUT"):
    """It took longer than allowed; whether it happened is not known."""


class BufferExhaustedException(TimeoutException):
    """The producer's `buffer.memory` stayed full for `max.block.ms`."""


class CoordinatorLoadInProgressException(RetriableException, code=14):
    """Whoever has to answer does not know enough yet; ask again a little later."""


class NotEnoughReplicasException(RetriableException, code=19):
    """The in-sync replica set is smaller than `min.insync.replicas`; nothing was written."""


class NotEnoughReplicasAfterAppendException(RetriableException, code=20):
    """The in-sync replica set shrank too far after the leader had written the records."""


class NotControllerException(RetriableException, code=41):
    """This node is not the active controller, or does not know yet what the asker knows."""


class FetchSessionIdNotFoundException(RetriableException, code=70):
    """The broker has forgotten this fetch session; begin a new one."""


class InvalidFetchSessionEpochException(RetriableException, code=71):
    """Requests of this fetch session came out of order; begin a new one."""


class UnknownLeaderEpochException(RetriableException, code=75):
    """The leader epoch of the request is newer than what this broker knows."""


class OffsetNotAvailableException(RetriableException, code=78):
    """A new leader's high watermark has not reached its own epoch yet."""


class UnknownServerException(ApiException, code=-1, name="UNKNOWN_SERVER_ERROR"):
    """The broker failed in a way that has no number of its own."""


class OffsetOutOfRangeException(ApiException, code=1):
    """The offset lies before the log's start or behind its end."""


class RecordTooLargeException(ApiException, code=10, name="MESSAGE_TOO_LARGE"):
    """A record or its batch is larger than the client or the topic allows."""


class InvalidTopicException(ApiException, code=17, name="INVALID_TOPIC_EXCEPTION"):
    """No topic may have this name."""


class RecordBatchTooLargeException(ApiException, code=18, name="RECORD_LIST_TOO_LARGE"):
    """What was to be appended is larger than a whole segment."""


class InvalidRequiredAcksException(ApiException, code=21):
    """`acks` is neither -1 (all), 0 nor 1."""


class InvalidGroupIdException(ApiException, code=24):
    """What was asked needs a consumer group, and no `group.id` was given."""


class InvalidTimestampException(ApiException, code=32):
    """A record's timestamp is too far from the broker's clock."""


class UnsupportedVersionException(ApiException, code=35):
    """The other side does not speak this version of the request."""


class TopicExistsException(ApiException, code=36, name="TOPIC_ALREADY_EXISTS"):
    """There is a topic of this name already."""


class InvalidPartitionsException(ApiException, code=37):
    """A topic has at least one partition, and never loses any."""


class InvalidReplicationFactorException(ApiException, code=38):
    """The replication factor is below 1 or above the number of brokers."""


class InvalidReplicaAssignmentException(ApiException, code=39):
    """The given placement of replicas is impossible."""


class InvalidConfigurationException(ApiException, code=40, name="INVALID_CONFIG"):
    """A topic or broker cannot be configured like this."""


class InvalidRequestException(ApiException, code=42):
    """The request contradicts itself."""


class PolicyViolationException(ApiException, code=44):
    """What was asked contradicts a policy of the topic or the cluster."""


class OutOfOrderSequenceException(ApiException, code=45, name="OUT_OF_ORDER_SEQUENCE_NUMBER"):
    """The batch does not follow its producer's last one: something between them is missing."""


class UnknownProducerIdException(OutOfOrderSequenceException, code=59):
    """The broker has nothing of this producer any more; only older brokers say so."""


class DuplicateSequenceException(ApiException, code=46, name="DUPLICATE_SEQUENCE_NUMBER"):
    """The batch was written before, so long ago that its offset is forgotten."""


class InvalidProducerEpochException(ApiException, code=47):
    """A newer incarnation of the producer, or a marker, has been here before."""


class InvalidTxnStateException(ApiException, code=48):
    """The producer's transaction is not in the state that this needs."""


class TransactionCoordinatorFencedException(ApiException, code=52):
    """A newer coordinator of the same transactional id has written here before."""


class UnsupportedCompressionTypeException(ApiException, code=76):
    """The records are compressed by a codec that cannot be used here."""


class StaleBrokerEpochException(ApiException, code=77):
    """Another process has registered with this broker id since, or nobody has."""


class InvalidRecordException(ApiException, code=87):
    """The broker examined a batch and refused one of its records, and so the whole batch."""


class DuplicateBrokerRegistrationException(ApiException, code=101):
    """Another process has this broker id, and was heard of a short time ago."""


class BrokerIdNotRegisteredException(ApiException, code=102):
    """No broker is registered with this id."""


class InconsistentClusterIdException(ApiException, code=104):
    """The broker belongs to another cluster."""


class InvalidRegistrationException(ApiException, code=119):
    """A broker's registration lacks something, or contradicts another one."""


class ConfigException(KafkaException):
    """There is no such config, or it cannot have this value."""


class CorruptSnapshotException(KafkaException):
    """A snapshot of producer state cannot be believed: an older one and the log have to do."""


class SerializationException(KafkaException):
    """A key or value could not be turned into bytes, or back."""


class InvalidOffsetException(KafkaException):
    """An offset that may not stand here: a consumer's position, or the next entry of an index."""


class NoOffsetForPartitionException(InvalidOffsetException):
    """There is no position in a partition and `auto.offset.reset` is "none"."""


class LogTruncationException(InvalidOffsetException):
    """The log that was read has been cut off before the consumer's position (KIP-320)."""


class OffsetsOutOfOrderException(KafkaException):
    """Batches that are to be appended together do not lie behind one another."""


class UnexpectedAppendOffsetException(KafkaException):
    """A follower was given batches that begin below the end of its log."""


class CorruptIndexException(KafkaException):
    """An index file cannot be what was written; its segment has to be recovered."""


class IndexOffsetOverflowException(KafkaException):
    """An offset lies before the base offset of an index, or 2^31 or more behind it."""


class LogSegmentOffsetOverflowException(KafkaException):
    """A batch's last offset lies before its segment's base offset, or 2^31 or more behind it."""


class IllegalStateException(RuntimeError):
    """Java's: the call makes no sense in the present state. The message says which would."""


class IllegalArgumentException(ValueError):
    """Java's: what was given cannot be. The message shows it, and what would be right."""


def name_of(error: Exception) -> str:
    """The constant of `Errors` behind an exception; its class where it never crosses the wire."""
    return getattr(error, "error_name", None) or type(error).__name__


def for_name(error_name: str) -> type[KafkaException]:
    """The exception behind a constant of `Errors`: NOT_ENOUGH_REPLICAS, but not NONE."""
    if error_name not in _BY_NAME:
        raise ValueError(f"{error_name!r} names no error here; there is {', '.join(_BY_NAME)}")
    return _BY_NAME[error_name]


def for_code(code: int) -> type[KafkaException]:
    """The exception behind a number; UnknownServerException for one that is not known here."""
    if code == 0:
        raise ValueError("code 0 is NONE: nothing went wrong")
    return _BY_CODE.get(code, UnknownServerException)
