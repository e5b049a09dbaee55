"""The boss of module 3: right decisions pass, and each wrong one comes back with its sentence."""

import pytest

from kafka_internals.course.truncation_boss import SOLUTION, grade_truncation


def right(epoch, end_offset, high_watermark, log_end_offset, end_offset_for):
    own_epoch, own_end = end_offset_for(epoch)
    if own_epoch == epoch:
        return min(own_end, end_offset, log_end_offset)
    return min(own_end, log_end_offset)


def least_of_three(epoch, end_offset, high_watermark, log_end_offset, end_offset_for):
    return min(end_offset_for(epoch)[1], end_offset, log_end_offset)


WRONG = {
    "to the high watermark": (
        lambda e, end, mark, own, end_of: min(mark, own),
        "its high watermark, so 1 record goes that both have. Then: CommittedNeverLost"),
    "own epoch only": (
        lambda e, end, mark, own, end_of: min(end_of(e)[1], own),
        "records from 0 on stay that the leader does not have. Then: ConsistentRead"),
    "ignores the smaller epoch": (
        lambda e, end, mark, own, end_of: min(end, own),
        "so records from 3 on stay that the leader does not have. Then: ConsistentRead"),
    "everything, always": (
        lambda e, end, mark, own, end_of: 0,
        "so 2 records go that both have. Then: CommittedNeverLost"),
    "nothing, ever": (
        lambda e, end, mark, own, end_of: own, "Then: ConsistentRead"),
    "one record": (
        lambda e, end, mark, own, end_of: max(own - 1, 0), "Then: CommittedNeverLost"),
    "a text": (lambda *asked: "3", "cut_to() gave '3'; it is an offset from 0"),
    "below the log": (lambda *asked: -1, "cut_to() gave -1; it is an offset from 0"),
    "an error": (lambda *asked: 1 // 0, "cut_to() raised ZeroDivisionError"),
}


@pytest.mark.parametrize("answer", [right, least_of_three])
def test_what_keeps_what_both_have_passes(answer):
    verdict = grade_truncation(answer)
    assert verdict.passed and "All 23 cases are right" in verdict.sentence


def test_the_solution_that_is_shown_is_right():
    names: dict = {}
    exec(SOLUTION, names)
    assert grade_truncation(names["cut_to"]).passed


@pytest.mark.parametrize("answer, sentence", WRONG.values(), ids=WRONG)
def test_a_wrong_decision_comes_back_as_the_schedule_that_it_breaks(answer, sentence):
    verdict = grade_truncation(answer)
    assert verdict.passed is False and sentence in verdict.sentence
    assert "raised" in sentence or verdict.film is not None


def test_an_endless_loop_is_stopped():
    def endless(*asked):
        while True:
            pass

    assert "was stopped after 500,000 rounds" in grade_truncation(endless).sentence


def test_nothing_is_no_attempt():
    assert grade_truncation(lambda *asked: None).passed is None
