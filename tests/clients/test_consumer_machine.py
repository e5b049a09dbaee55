"""Polls, seeks and pauses in any order, held against plain lists.

The other side is a broker's own FetchManager, so sessions are met as they are: it answers whatever
fetch is in flight, when it likes, with as much as it likes; now and then the connection is lost.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kafka_internals.clients.kafka_consumer import KafkaConsumer
from kafka_internals.config import CONSUMER_CONFIG
from kafka_internals.control_record import ControlRecordType, EndTransactionMarker
from kafka_internals.errors import ApiException
from kafka_internals.messages.fetch import FetchRequest, FetchResponse, PartitionData
from kafka_internals.messages.metadata import MetadataRequest, MetadataResponse, PartitionMetadata
from kafka_internals.server.fetch_session import FetchManager
from tests.clients.fetches import batch
from tests.clients.talk import BROKERS, Talk, no_luck, tp

PARTITIONS, LEADERS = 3, (1, 1, 2)
NUMBERS = st.integers(0, PARTITIONS - 1)


class Reading(RuleBasedStateMachine):
    """Three partitions: two of one leader, one of another."""

    @initialize(most=st.integers(1, 4), sizes=st.lists(st.integers(0, 3), min_size=3, max_size=6))
    def begin(self, most, sizes):
        self._logs = [self._log(sizes[number:]) for number in range(PARTITIONS)]
        self._next = [0] * PARTITIONS
        self._paused = set()
        self._brokers = {broker: FetchManager(10, 1_000) for broker in BROKERS}
        config = CONSUMER_CONFIG.parse({"max.poll.records": most})
        self.talk = Talk(KafkaConsumer("reader", BROKERS, config, no_luck))
        self.talk.call("assign", tuple(map(tp, range(PARTITIONS))))
        for number in range(PARTITIONS):
            self.talk.call("seek", tp(number), 0)
        self._settle()

    @staticmethod
    def _log(sizes):
        """[(first offset, end, bytes)] of batches; a size of 0 is a transaction's marker."""
        made, end = [], 0
        for size in sizes:
            made.append((end, end + max(size, 1), batch(end, size) if size else
                         EndTransactionMarker(ControlRecordType.COMMIT, 0).encode(
                             1_000, 7, 0, base_offset=end)))
            end += max(size, 1)
        return made

    def _records(self, number, begin):
        """Offsets that a reader is to be given from here on."""
        return [offset for first, end, data in self._logs[number]
                if not _is_marker(data) for offset in range(first, end) if offset >= begin]

    def _end(self, number):
        return self._logs[number][-1][1]

    def _settle(self):
        """Answer metadata in its turn; of fetches at most one to a broker is in flight."""
        while send := next((one for one in self._oldest()
                            if isinstance(one.request.body, MetadataRequest)), None):
            self.talk.sent.remove(send)
            self.talk.answer(send, MetadataResponse(BROKERS, tuple(
                PartitionMetadata(tp(number), leader, 0) for number, leader in
                enumerate(LEADERS))))
        fetched = [one.to for one in self.talk.sent if isinstance(one.request.body, FetchRequest)]
        assert len(fetched) == len(set(fetched))

    def _oldest(self):
        """The first of each connection: answers come in the order of their requests."""
        return list({one.to: one for one in reversed(self.talk.sent)}.values())

    def _take(self, index):
        oldest = self._oldest()
        send = oldest[index % len(oldest)]
        self.talk.sent.remove(send)
        return send

    @precondition(lambda self: self.talk.sent)
    @rule(index=st.integers(0, 2), most=st.integers(0, 3))
    def a_fetch_is_answered(self, index, most):
        """With at most so many batches of each partition."""
        send = self._take(index)
        assert isinstance(send.request.body, FetchRequest)
        manager = self._brokers[send.to]
        try:
            request = manager.new_context(send.request, self.talk.now_ms)
            body = manager.update_and_generate_response_data(request, FetchResponse(tuple(
                self._read(one, most) for one in request.body.partitions)), self.talk.now_ms)
        except ApiException as error:
            body = FetchResponse((), error=error.error_name)
        self.talk.answer(send, body)
        self._settle()

    def _read(self, asked, most):
        number = asked.partition.partition
        found = [data for first, end, data in self._logs[number] if end > asked.fetch_offset]
        return PartitionData(asked.partition, "NONE", self._end(number), 0, b"".join(found[:most]))

    @precondition(lambda self: self.talk.sent)
    @rule(index=st.integers(0, 2), forgets=st.booleans())
    def a_connection_is_lost(self, index, forgets):
        """And perhaps the broker was started anew, and knows no sessions."""
        send = self._take(index)
        if forgets:
            self._brokers[send.to] = FetchManager(10, 1_000)
        for one in [one for one in self.talk.sent if one.to == send.to]:
            self.talk.sent.remove(one)
        self.talk.at(self.talk.now_ms + 1_000).disconnect(send.to)
        self._settle()
        self.talk.at(self.talk.now_ms + 1_000)
        self._settle()

    @rule()
    def poll(self):
        self.talk.call("poll", 0)
        call = self.talk.core.polls[-1]
        assert call.error is None and call.state == "returned"
        assert len(call.records) <= self.talk.core.config["max.poll.records"]
        for record in call.records:
            number = record.partition
            assert number not in self._paused and record.value == b"%d" % record.offset
            assert record.offset == self._records(number, self._next[number])[0]
            self._next[number] = record.offset + 1
        self._settle()

    @rule(number=NUMBERS, part=st.integers(0, 20))
    def seek(self, number, part):
        self._next[number] = part % (self._end(number) + 1)
        self.talk.call("seek", tp(number), self._next[number])
        self._settle()

    @rule(number=NUMBERS)
    def pause(self, number):
        self._paused.add(number)
        self.talk.call("pause", (tp(number),))
        self._settle()

    @rule(number=NUMBERS)
    def resume(self, number):
        self._paused.discard(number)
        self.talk.call("resume", (tp(number),))
        self._settle()

    @rule()
    def in_the_end_everything_is_read(self):
        for number in sorted(self._paused):
            self.resume(number)
        ends, turns = list(map(self._end, range(PARTITIONS))), 0
        while [self.talk.core.position(tp(one)) for one in range(PARTITIONS)] != ends:
            self.poll()
            if self.talk.sent:
                self.a_fetch_is_answered(turns, 9)
            turns += 1
            assert turns < 60
        assert [self._records(number, self._next[number]) for number in range(PARTITIONS)] == \
            [[], [], []]

    @invariant()
    def the_numbers_fit(self):
        """A position is between what was given and what comes next; what is fetched is ahead."""
        if not hasattr(self, "talk"):
            return
        seen = self.talk.core.snapshot()
        for (name, at), (_, ahead), (_, buffered) in zip(seen.position, seen.fetch_position,
                                                         seen.buffered):
            number = name.partition
            assert self._next[number] <= at <= ahead <= self._end(number)
            assert self._records(number, self._next[number]) == self._records(number, at)
            between = [one for one in self._records(number, at) if one < ahead]
            assert len(between) == buffered
        assert {name.partition for name in seen.paused} == self._paused


def _is_marker(data):
    return len(data) == 78 and data[21:23] == b"\x00\x30"


TestReading = Reading.TestCase
TestReading.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
