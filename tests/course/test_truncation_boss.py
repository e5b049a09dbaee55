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


def at_an_unknown_epoch(gives):
    """Right, but for the answer about an epoch that the follower never had."""
    def cut_to(epoch, end_offset, high_watermark, log_end_offset, end_offset_for):
        own_epoch, own_end = end_offset_for(epoch)
        if own_epoch == epoch:
            return min(own_end, end_offset, log_end_offset)
        return gives(end_offset, high_watermark, log_end_offset, own_end)
    return cut_to


NEVER_HAD = "the follower never had that epoch: what it has before it, epoch 0, ends at 2."
WRONG = {
    "an unknown epoch, to the end that was told": (
        at_an_unknown_epoch(lambda end, mark, own, own_end: min(end, own)),
        f"{NEVER_HAD} cut_to() gave 3, so records from 2 on stay that the leader does not have. "
        f"Then: "),
    "an unknown epoch, nothing": (at_an_unknown_epoch(lambda end, mark, own, own_end: own),
                                  f"{NEVER_HAD} cut_to() gave 3, so records from 2 on stay"),
    "an unknown epoch, to the high watermark": (
        at_an_unknown_epoch(lambda end, mark, own, own_end: mark),
        f"{NEVER_HAD} cut_to() gave 1, its high watermark, so 1 record goes that both have. "
        f"Nothing broke"),
    "an unknown epoch, everything": (
        at_an_unknown_epoch(lambda end, mark, own, own_end: 0),
        "cut_to() gave 0, so 2 records go that both have. Nothing broke this time: this follower "
        "was not the next to lead."),
    "to the high watermark": (
        lambda e, end, mark, own, end_of: min(mark, own),
        "its high watermark, so 2 records go that both have. Then: CommittedNeverLost"),
    "own epoch only": (
        lambda e, end, mark, own, end_of: min(end_of(e)[1], own),
        "records from 0 on stay that the leader does not have. Then: ConsistentRead"),
    "ignores the smaller epoch": (
        lambda e, end, mark, own, end_of: min(end, own),
        "so records from 2 on stay that the leader does not have. Then: ConsistentRead"),
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
    assert verdict.passed and "All 24 cases are right" in verdict.sentence


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
