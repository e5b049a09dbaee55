"""The boss of module 1: histories of orders, a right answer, and wrong ones that are told apart."""

from collections import Counter
from itertools import count
from zlib import crc32

import pytest

from kafka_internals.byte_utils import murmur2
from kafka_internals.course.ordering_boss import (
    BORN_WITH,
    MANY,
    SIZES,
    SOLUTION,
    explain,
    grade_ordering,
    ordering,
    parted,
    placed,
)
from kafka_internals.viz import encode

CASES = ordering().cases


def by_javas_hash(topic, key, value, partitions):
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions


def by_crc(topic, key, value, partitions):
    return crc32(key.encode()) % partitions


def by_what_happened(topic, key, value, partitions):
    return crc32(value.encode()) % partitions


def round_robin(topic, key, value, partitions, numbers=count()):
    return next(numbers) % partitions


def into_the_newest(topic, key, value, partitions):
    return partitions - 1


def all_in_one(topic, key, value, partitions):
    return 0


def in_two(topic, key, value, partitions):
    return crc32(key.encode()) % 2


def beyond_the_last(topic, key, value, partitions):
    return BORN_WITH + crc32(key.encode()) % 2


def a_text(topic, key, value, partitions):
    return "0"


def pythons_hash(topic, key, value, partitions):
    return hash(key) % BORN_WITH


WRONG = {
    by_javas_hash: "In between the topic grew from 3 to ",
    by_crc: "In between the topic grew from 3 to ",
    by_what_happened: "first sees ",
    round_robin: "first sees ",
    into_the_newest: "In between the topic grew from 3 to ",
    all_in_one: "the partitions get 300, 0, 0 of 300 orders: nobody reads out of order, and 2 "
                "of 3 consumers would have little or nothing to do.",
    in_two: "nobody reads out of order, and 1 of 3 consumers would have little or nothing to do.",
    beyond_the_last: "; the topic has 3 partitions, 0 to 2.",
    a_text: "place() gave '0' for order-",
    pythons_hash: "hash() of a text is another number in every process",
}


def test_there_are_histories_of_every_length_with_and_without_growth():
    sizes = Counter((case.size, case.about.grows_at is not None) for case in CASES)
    assert sizes == {**{(size, grows): 4 for size in SIZES for grows in (False, True)},
                     (MANY, False): 1}
    assert all(case.about.grows_at is None or 0 < case.about.grows_at < case.size
               for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_orders_events_happen_in_their_order(case):
    steps = ("created", "paid", "packed", "shipped")
    seen = Counter()
    for event in case.about.events:
        assert event.step == steps[min(seen[event.order], 3)]
        seen[event.order] += 1


def test_the_solution_in_the_fold_is_right_and_short():
    names = {"crc32": crc32}
    exec(SOLUTION, names)
    verdict = grade_ordering(names["place"])
    assert verdict.passed and "Each order stays where it began" in str(verdict)
    assert len(SOLUTION.splitlines()) <= 4


def test_any_hash_that_forgets_the_number_of_partitions_is_right():
    def place(topic, key, value, partitions):
        return int(key[-1]) % 3

    assert grade_ordering(place).passed


def test_a_bare_starter_is_not_attempted():
    def place(topic, key, value, partitions):
        ...

    assert grade_ordering(place).passed is None


@pytest.mark.parametrize("answer", WRONG, ids=lambda answer: answer.__name__)
def test_a_wrong_answer_is_caught_with_a_sentence(answer):
    verdict = grade_ordering(answer)
    assert verdict.passed is False and WRONG[answer] in str(verdict)
    assert verdict.solution == SOLUTION


@pytest.mark.parametrize("answer", [by_javas_hash, by_what_happened, into_the_newest],
                         ids=lambda answer: answer.__name__)
def test_what_the_sentence_says_is_true_of_every_case_that_the_answer_fails(answer):
    for case in CASES:
        given = placed(answer, case.about)
        if (pair := parted(case.about, given)) is None:
            continue
        first, at = (case.about.events[one] for one in pair)
        assert first.order == at.order and given[pair[0]] != given[pair[1]]
        said = explain(case, given)
        assert f"{at.step!r} before {first.step!r}" in said
        assert ("grew" in said) == (first.partitions != at.partitions)


def test_the_film_shows_the_later_event_being_read_first():
    verdict = grade_ordering(by_javas_hash)
    one, given = verdict.case.about, placed(by_javas_hash, verdict.case.about)
    first, at = parted(one, given)
    film = verdict.film.source
    scenes = encode.materialise(film["frames"]["truth"])
    assert len(scenes) > len(one.events) and film["title"] == "The partitions of orders"
    texts = {shape["t"] for shape in scenes[-1].values() if shape["k"] == "text"}
    assert any("reader" in str(text) for text in texts)
    assert given[first] != given[at]


def test_an_answer_that_names_no_partition_has_no_film():
    assert grade_ordering(beyond_the_last).film is None
