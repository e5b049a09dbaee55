"""A journal: how far the run had come, and what is left of it when it is cut or shrunk."""

import pytest

from kafka_internals.sim.journal import FROM_THE_START_US, Entry, Journal, shrunk


def journal(*commands):
    return Journal(tuple(Entry(at * 10, at * 1_000, command, ())
                         for at, command in enumerate(commands)), 99, 9_999)


def commands(one):
    return [entry.command for entry in one.entries]


def test_a_command_is_the_event_after_the_one_it_followed():
    assert [entry.event for entry in journal("a", "b").entries] == [1, 11]


@pytest.mark.parametrize("event, left", [(0, ""), (1, "a"), (10, "a"), (11, "ab"), (99, "abc")])
def test_a_journal_up_to_an_event_has_what_was_said_by_then(event, left):
    cut = journal(*"abc").up_to(event)
    assert "".join(commands(cut)) == left
    assert (cut.event, cut.now_us) == (event, FROM_THE_START_US)   # it is the event's


def test_only_an_altered_journal_goes_by_the_clock():
    whole = journal(*"abc")
    assert not any(whole.goes_by_clock(event) for event in (0, 10, 99))
    altered = whole._replace(altered_at=10)
    assert [altered.goes_by_clock(event) for event in (9, 10, 11)] == [False, True, True]
    assert whole.without(range(1, 2)).goes_by_clock(0)


def test_leaving_out_keeps_the_rest_in_order():
    assert commands(journal(*"abcde").without(range(1, 3))) == list("ade")


@pytest.mark.parametrize("needed", ["", "c", "ah", "bdf", "abcdefgh"])
def test_shrinking_keeps_what_is_needed_and_nothing_else(needed):
    tried = []

    def fails(candidate):
        tried.append(candidate)
        return set(needed) <= set(commands(candidate))

    assert commands(shrunk(journal(*"abcdefgh"), fails)) == list(needed)
    assert len(tried) < 60


def test_shrinking_what_has_no_commands_tries_nothing():
    assert shrunk(Journal(), lambda candidate: 1 / 0) == Journal()
