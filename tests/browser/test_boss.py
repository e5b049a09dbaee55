"""The films of the boss of module 2 in a real browser: every kind of accident, short and long."""

import pytest

from kafka_internals.course.recovery_boss import BATCHES, KINDS, recovery
from kafka_internals.course.recovery_film import recovery_film
from tests.browser import overlap

CASES = {f"{case.about.kind}, {case.size}": case for case in recovery().cases
         if case.size in (BATCHES[0], BATCHES[-1])}


@pytest.mark.parametrize("name", CASES)
def test_nothing_overlaps_in_any_frame_whatever_the_answer(view, tmp_path, name):
    case = CASES[name]
    one = case.about
    answers = {0, one.kept - 1, one.spans[0][1], len(one.log), len(one.written) + 400} - {one.kept}
    given = sorted(answers)[KINDS.index(one.kind) % len(answers)]
    page = recovery_film(case, given).save(tmp_path / "boss.html")
    assert overlap.check(view(reduced_motion="reduce"), page) == []


def test_nothing_overlaps_where_the_two_cuts_are_next_to_each_other(view, tmp_path):
    case = recovery().cases[0]
    page = recovery_film(case, case.right - 1).save(tmp_path / "boss.html")
    assert overlap.check(view(reduced_motion="reduce"), page) == []
