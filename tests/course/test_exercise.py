"""The grader: every way in which an answer can be wrong is named, and nothing holds it up."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from kafka_internals.course.exercise import Case, Exercise, bounded, grade

ROOT = Path(__file__).parents[2]


def _explain(case, given):
    return f"{case.args[0]} doubled is {case.right}, not {given}."


DOUBLE = Exercise("double", tuple(Case(f"case {n}", (n,), 2 * n, size=n) for n in (9, 1, 5, 3)),
                  int, "a number", _explain, lambda case, given: ("film", case.size, given),
                  "def double(n):\n    return 2 * n\n", "Well done.")


def _shown(verdict) -> list:
    """What a notebook would be given."""
    from unittest.mock import patch

    with patch("IPython.display.display") as display:
        verdict._ipython_display_()
    return [call.args[0] for call in display.call_args_list]


def test_a_right_answer_is_told_so_and_sees_a_solution():
    verdict = grade(lambda n: n + n, DOUBLE)
    assert verdict.passed and str(verdict) == "All 4 cases are right. Well done."
    assert "return 2 * n" in verdict.solution and verdict.film is None


def test_a_wrong_answer_comes_back_as_the_shortest_case_that_it_fails():
    verdict = grade(lambda n: 2 * n if n < 4 else 0, DOUBLE)
    assert verdict.passed is False
    assert str(verdict) == "Case 5: 5 doubled is 10, not 0."
    assert verdict.film == ("film", 5, 0)


def test_what_is_not_written_yet_is_no_failure_and_tells_no_solution():
    verdict = grade(lambda n: ..., DOUBLE._replace(cases=DOUBLE.cases))
    assert verdict.passed is False                      # an Ellipsis is an answer of a wrong type
    verdict = grade(lambda n: None, DOUBLE)
    assert verdict.passed is None and verdict.solution == "" and verdict.film is None
    assert str(verdict) == ("Not attempted yet: double() gives None. It will be asked 4 cases; "
                            "write it, and run this cell again.")


def test_none_later_on_is_a_wrong_type():
    assert str(grade(lambda n: 2 * n if n < 3 else None, DOUBLE)) == (
        "Case 3: double() gave None, of type NoneType; a number is of type int.")


@pytest.mark.parametrize("answer, said", [
    (lambda n: 2.0 * n, "double() gave 2.0, of type float; a number is of type int."),
    (lambda n: True, "double() gave True, of type bool; a number is of type int."),
    (lambda n: "x" * 90, f"double() gave '{'x' * 36}..., of type str; a number is of type int.")])
def test_a_wrong_type_is_named(answer, said):
    verdict = grade(answer, DOUBLE)
    assert str(verdict) == f"Case 1: {said}"
    assert verdict.film == ("film", 1, None)


def test_an_exception_is_named_with_the_readers_own_line():
    def double(n):
        text = json.dumps([n])
        return json.loads(text + "]")

    assert str(grade(double, DOUBLE)) == (
        "Case 1: double() raised JSONDecodeError: Extra data: line 1 column 4 (char 3) "
        '(in line 3 of double(): return json.loads(text + "]")).')


def test_an_exception_without_a_message_and_a_wrong_number_of_arguments():
    def double(n):
        if n < 2:
            raise ValueError
        return 2 * n

    assert "raised ValueError (in line 3 of double(): raise ValueError)." in str(
        grade(double, DOUBLE))
    assert "raised TypeError" in str(grade(lambda: 2, DOUBLE))
    with pytest.raises(TypeError, match="grade.. takes the function double, not what it gives: 4"):
        grade(4, DOUBLE)


def _forever(n):
    while True:
        pass


def _itself(n):
    while True: pass                                    # noqa: E701, a jump to itself


def _stubborn(n):
    while True:
        try:
            n += 1
        except BaseException:
            continue
        finally:
            n -= 1


def _one_line(n):
    return [x for x in iter(int, 1)]


def _deep(n):
    return sum(_forever(m) for m in range(n))


@pytest.mark.parametrize("answer", [_forever, _itself, _stubborn, _one_line, _deep])
def test_an_endless_loop_is_stopped_whatever_it_catches_and_told(answer):
    verdict = grade(answer, DOUBLE, rounds=2_000)
    assert str(verdict) == ("Case 1: double() was stopped after 2,000 rounds: a loop in "
                            "it does not come to an end.")


def test_the_bound_is_a_number_of_rounds_and_nothing_else():
    def counts(n):
        for _ in range(n):
            n = n
        return n

    assert bounded(counts, (1_000,), 1_003) == ("returned", 1_000)
    assert bounded(counts, (1_000,), 999) == ("stopped", None)


def test_an_answer_that_ends_the_program_or_is_interrupted_is_a_failure_like_any_other():
    assert "raised SystemExit: 3" in str(grade(lambda n: sys.exit(3), DOUBLE))


def test_grading_leaves_a_debugger_of_this_thread_alone():
    seen = []

    def tracer(frame, event, _):
        seen.append(event)

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        bounded(lambda n: n, (1,))
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(before)


def test_an_answer_left_standing_keeps_no_program_from_ending():
    code = ("from kafka_internals.course.exercise import bounded\n"
            "def f():\n while True: pass\n"
            "print(bounded(f, (), 1000).how)")
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
                         timeout=60)
    assert (ran.stdout, ran.stderr, ran.returncode) == ("stopped\n", "", 0)


def test_what_is_shown_has_a_fold_after_an_attempt_and_escapes_the_answer():
    told, film = _shown(grade(lambda n: "<b>", DOUBLE))
    assert film == ("film", 1, None)
    assert told["text/plain"].startswith("Case 1: ") and "&lt;b&gt;" in told["text/html"]
    assert "<summary>One solution</summary>" in told["text/html"]
    (told,) = _shown(grade(lambda n: None, DOUBLE))
    assert "solution" not in told["text/html"]
