"""ProducerIdManager: blocks of 1,000 numbers, of which none is given twice (KIP-730)."""

from itertools import count

from kafka_internals.common import Changed, Send
from kafka_internals.messages.allocate_producer_ids import (
    AllocateProducerIdsRequest,
    AllocateProducerIdsResponse,
)
from kafka_internals.messages.init_producer_id import ProducerIdsBlock
from kafka_internals.server.node_to_controller_channel_manager import (
    NodeToControllerChannelManager,
)
from kafka_internals.server.producer_id_manager import ProducerIdManager

ASKED = (("request-p.1", "asked"),)


class Numbers:
    """Broker 1's numbers; its questions to the controller are in `sent`."""

    def __init__(self, *first: int) -> None:
        channel = NodeToControllerChannelManager("ids", lambda: 100, count(1).__next__, 60_000)
        self.core, self.sent, self.changes = ProducerIdManager(1, lambda: 7, channel), [], []
        for one in first:
            self.take(self.core.block_arrived(ProducerIdsBlock(one)))

    def take(self, effects: list) -> None:
        self.sent += [one.request for one in effects if type(one) is Send]
        self.changes += [one for one in effects if type(one) is Changed]

    def next(self, now_ms: int = 0) -> int | None:
        number, effects = self.core.generate_producer_id(ASKED, now_ms)
        self.take(effects)
        return number

    def answer(self, first: int | None, error: str = "NONE", now_ms: int = 0) -> None:
        block = None if first is None else ProducerIdsBlock(first)
        self.take(self.core.handle(
            self.sent[-1].answered(AllocateProducerIdsResponse(error, block)), now_ms))


def test_numbers_follow_one_another_over_the_end_of_a_block():
    ids = Numbers(2_000, 7_000)
    assert [ids.next() for _ in range(1_002)] == [*range(2_000, 3_000), 7_000, 7_001]


def test_the_next_block_is_asked_for_when_nine_tenths_are_used():
    ids = Numbers(0)
    assert [ids.next() for _ in range(900)] == [*range(900)] and ids.sent == []
    ids.next()
    (request,) = ids.sent
    assert request.body == AllocateProducerIdsRequest(1, 7)
    ids.answer(5_000)
    assert [ids.next() for _ in range(100)] == [*range(901, 1_000), 5_000]
    assert len(ids.sent) == 1


def test_while_the_controller_has_not_answered_a_producer_has_to_ask_again():
    ids = Numbers()
    assert ids.next() is ids.next() is None
    assert len(ids.sent) == 1                           # one question at a time
    ids.answer(5_000)
    assert [ids.next() for _ in range(2)] == [5_000, 5_001]


def test_a_refusal_is_followed_by_a_new_question_when_a_producer_comes_after_the_back_off():
    ids = Numbers()
    ids.next(100)
    ids.answer(None, "STALE_BROKER_EPOCH", 110)
    ids.next(159)
    assert len(ids.sent) == 1
    ids.next(160)
    assert len(ids.sent) == 2 and ids.core.blocks == ()


def test_why_a_number_is_what_it_is_leads_to_the_answer_of_the_controller():
    ids = Numbers()
    ids.next()
    ids.answer(5_000)
    ids.next()
    block, number = [one for one in ids.changes if one.subject == "broker-1"]
    assert block[1:4] == ("producer_id_blocks", (), (ProducerIdsBlock(5_000),))
    assert block.reads == (("request-ids.1", "answer"),)
    assert (number.attribute, number.old, number.new) == ("next_producer_id", None, 5_001)
    assert number.reads == (*ASKED, ("broker-1", "producer_id_blocks"))
    assert str(block.new[0]) == "5000 to 5999"


def test_a_block_that_is_used_up_is_gone_from_what_the_broker_has():
    ids = Numbers(0, 4_000)
    for _ in range(1_001):
        ids.next()
    assert ids.core.blocks == (ProducerIdsBlock(4_000),)
    assert [len(one.new) for one in ids.changes if one.attribute == "producer_id_blocks"] == [
        1, 2, 1]
