"""Blocks of producer ids without a controller: each broker has every n-th block for its own."""

from collections.abc import Callable
from itertools import count
from typing import Any

from kafka_internals.messages.init_producer_id import BLOCK_SIZE, ProducerIdsBlock


def producer_id_blocks(brokers: tuple[int, ...]) -> dict[int, Callable[[], Any]]:
    """By broker, what gives its next block; it never gets one twice, nor one of another's."""
    def blocks(first: int) -> Callable[[], ProducerIdsBlock]:
        numbers = count(first, len(brokers))
        return lambda: ProducerIdsBlock(next(numbers) * BLOCK_SIZE)

    return {broker: blocks(first) for first, broker in enumerate(brokers)}
