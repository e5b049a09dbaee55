"""The boss of module 2: real accidents, a right answer, and wrong ones that are each told apart."""

from struct import iter_unpack

import pytest

from kafka_internals.course.recovery_boss import (
    AHEAD,
    BATCHES,
    CLEAN,
    HEADER,
    HOLE,
    KINDS,
    LAST,
    MIDDLE,
    PAGE,
    SOLUTION,
    TORN,
    batch_header,
    crc32c,
    explain,
    grade_recovery,
    recovery,
)
from kafka_internals.record_batch import valid_length
from kafka_internals.viz import encode

CASES = recovery().cases


def _sound(log, position):
    """Where the batch at `position` ends, if it is whole and its checksum fits; else None."""
    if position + 61 > len(log):
        return None
    header = batch_header(log, position)
    end = position + 12 + header.batch_length
    if header.batch_length < 49 or end > len(log) or header.magic != 2:
        return None
    return end if crc32c(log[position + 21:end]) == header.crc else None


def _walk(log, position=0):
    while (end := _sound(log, position)) is not None:
        position = end
    return position


# -- answers that are wrong, each in its own way -----------------------------------------------
def trusts_the_length_field(log, index):
    position = 0
    while position + 12 <= len(log):
        position += 12 + int.from_bytes(log[position + 8:position + 12])
    return position


def skips_a_bad_batch_and_goes_on(log, index):
    position = last = 0
    while position + 61 <= len(log):
        if end := _sound(log, position):
            last = end
        position = end or position + max(1, 12 + batch_header(log, position).batch_length)
    return last


def trusts_the_index(log, index):
    entries = [position for _, position in iter_unpack(">ii", index) if position > 0]
    return _walk(log, entries[-1] if entries else 0)


def drops_the_whole_segment(log, index):
    return len(log) if _walk(log) == len(log) else 0


def skips_the_crc(log, index):
    position = 0
    while position + 61 <= len(log):
        length = batch_header(log, position).batch_length
        if length < 49 or position + 12 + length > len(log):
            break
        position += 12 + length
    return position


def stops_one_batch_early(log, index):
    position = before = 0
    while (end := _sound(log, position)) is not None:
        before, position = position, end
    return before


def reads_a_header_that_is_not_whole(log, index):
    position = 0
    while position < len(log):
        length = batch_header(log, position).batch_length
        if position + 12 + length > len(log) or _sound(log, position) is None:
            break
        position += 12 + length
    return position


def keeps_everything(log, index):
    return len(log)


def never_ends(log, index):
    position = 0
    while position < len(log):
        position += 12 * 0
    return position


def raises(log, index):
    return batch_header(log, len(log) - 3).base_offset


def gives_a_float(log, index):
    return _walk(log) / 1


WRONG = {
    trusts_the_length_field: (TORN, "a length is a promise, not a fact."),
    skips_a_bad_batch_and_goes_on: (MIDDLE, "does not help: a log has no gaps, so the first bad "
                                            "batch ends it."),
    trusts_the_index: (AHEAD, "the index reached the disk, and what it points at did not."),
    drops_the_whole_segment: (TORN, "and so drops the whole segment: "),
    skips_the_crc: (LAST, "at byte 1015 the header has the crc 0xad18f05a, its bytes give "
                          "0x21597fa8."),
    stops_one_batch_early: (CLEAN, "and so stops one batch early: the last one, bytes "),
    reads_a_header_that_is_not_whole: (
        HEADER, "(in line 4 of reads_a_header_that_is_not_whole(): length = batch_header(log, "
                "position).batch_length)."),
    keeps_everything: (TORN, "and so keeps a batch that is torn: the one at byte "),
    never_ends: (CLEAN, "was stopped after 500,000 rounds: a loop in it does not come to an end."),
    raises: (CLEAN, "raised CorruptRecordException: a batch has at least 61 bytes, this one 3 (in "
                    "line 2 of raises(): return batch_header(log, len(log) - 3).base_offset)."),
    gives_a_float: (CLEAN, "of type float; a number of bytes is of type int."),
}


def _by_name(function):
    return function.__name__


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_is_an_accident_of_its_kind_and_the_engine_knows_what_is_right(case):
    one = case.about
    assert one.kept == valid_length(one.log) == case.right
    assert len(one.spans) == case.size and one.log != b"" and one.spans[-1][1] == len(one.written)
    torn = one.log[one.kept:]
    assert {
        CLEAN: one.written.startswith(one.log) and torn == b"",
        TORN: one.written.startswith(one.log) and 0 < len(torn),
        HEADER: one.written.startswith(one.log) and 0 < len(torn) < 61,
        PAGE: one.written.startswith(one.log) and len(one.log) % 512 == 0 and torn != b"",
        HOLE: torn[:12] == bytes(12) and any(torn),
        AHEAD: bool(one.entries) and one.entries[-1] > len(one.log),
        LAST: one.kept == one.spans[-1][0] and len(one.log) == len(one.written),
        MIDDLE: one.kept < one.spans[-1][0] and len(one.log) == len(one.written)}[one.kind]


def test_there_is_a_case_of_every_kind_and_length():
    assert [(case.about.kind, case.size) for case in CASES] == [
        (kind, batches) for kind in KINDS for batches in BATCHES]


def test_the_solution_in_the_fold_is_right_and_short():
    names = {"batch_header": batch_header, "crc32c": crc32c}
    exec(SOLUTION, names)
    verdict = grade_recovery(names["recover"])
    assert verdict.passed and str(verdict) == (
        "All 56 cases are right. The broker would keep exactly these bytes, and fetch the rest "
        "from its leader. The index was of no help: it may be ahead of the log.")
    assert len(SOLUTION.splitlines()) <= 20


def test_a_bare_starter_is_not_attempted():
    def recover(log_bytes, index_bytes):
        ...

    assert grade_recovery(recover).passed is None


@pytest.mark.parametrize("answer", WRONG, ids=_by_name)
def test_a_wrong_answer_is_caught_by_the_shortest_case_with_a_sentence_of_its_own(answer):
    kind, said = WRONG[answer]
    verdict = grade_recovery(answer)
    assert verdict.passed is False and verdict.case.about.kind == kind
    assert verdict.case.size == 2 and said in str(verdict)
    assert [other for other in WRONG if WRONG[other][1] in str(verdict)] == [answer]


@pytest.mark.parametrize("answer", [one for one in WRONG if one not in (
    never_ends, raises, reads_a_header_that_is_not_whole)],
                         ids=_by_name)
def test_what_the_sentence_says_is_true_of_every_case_that_the_answer_fails(answer):
    """Not of the first alone: a number in a sentence is one that the bytes have."""
    failed = [(case, given) for case in CASES
              if (given := answer(*case.args)) != case.right and isinstance(given, int)]
    for case, given in failed:
        one, said = case.about, explain(case, given)
        assert f"recover() gave {given}" in said
        if "points" in said:
            assert given in one.entries and given > len(one.log)
        if "early" in said:
            assert (given, one.kept) in one.spans
        if "zeros" in said:
            assert not any(one.log[one.kept:one.kept + 12])
        if "crc" in said:
            assert f"{batch_header(one.log, one.kept).crc:#010x}" in said


def test_the_film_shows_what_is_lost_or_served():
    film = grade_recovery(skips_the_crc).film.source
    assert [row[4:] for row in film["events"]] == [
        ["append", "as it was written"], ["fault", LAST],
        ["cut", f"the broker keeps {CASES[28].right}"],
        ["violation", f"the answer keeps {len(CASES[28].about.log)}"]]
    scenes = encode.materialise(film["frames"]["truth"])
    assert "between" in scenes[-1] and "between" not in scenes[-2]
    assert "served what nobody wrote" in film["frames"]["truth"][-1]["say"]
    assert "sound records would be gone" in grade_recovery(
        stops_one_batch_early).film.source["frames"]["truth"][-1]["say"]


def test_without_a_number_the_film_ends_with_what_the_broker_keeps():
    film = grade_recovery(raises).film.source
    assert film["events"][-1][5].startswith("the broker keeps")
