"""ProducerIdManager: blocks of 1,000 numbers, of which none is given twice (KIP-730)."""

import pytest

from kafka_internals.cluster.producer_id_blocks import producer_id_blocks
from kafka_internals.errors import CoordinatorLoadInProgressException
from kafka_internals.messages.init_producer_id import ProducerIdsBlock
from kafka_internals.server.producer_id_manager import ProducerIdManager


def test_numbers_follow_one_another_over_the_end_of_a_block():
    blocks = iter((ProducerIdsBlock(2_000), ProducerIdsBlock(7_000)))
    ids = ProducerIdManager(lambda: next(blocks))
    given = [ids.generate_producer_id() for _ in range(1_002)]
    assert given == [*range(2_000, 3_000), 7_000, 7_001]


def test_the_next_block_is_asked_for_when_nine_tenths_are_used():
    asked = []
    ids = ProducerIdManager(lambda: asked.append(None) or ProducerIdsBlock(1_000 * len(asked)))
    for _ in range(900):
        ids.generate_producer_id()
    assert len(asked) == 1
    ids.generate_producer_id()
    assert len(asked) == 2


def test_while_the_controller_has_not_answered_a_producer_has_to_ask_again():
    asked = []
    ids = ProducerIdManager(lambda: asked.append(None))
    for _ in range(2):
        with pytest.raises(CoordinatorLoadInProgressException, match="Waiting for next block"):
            ids.generate_producer_id()
    assert len(asked) == 1                              # one question at a time
    ids.block_arrived(ProducerIdsBlock(5_000))
    assert [ids.generate_producer_id() for _ in range(2)] == [5_000, 5_001]


def test_no_broker_gets_a_block_twice_or_one_of_anothers():
    given = producer_id_blocks((1, 2, 3))
    blocks = [given[broker]().first for broker in (2, 1, 2, 3, 2)]
    assert blocks == [1_000, 0, 4_000, 2_000, 7_000]
