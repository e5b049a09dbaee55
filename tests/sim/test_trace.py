"""The record of a run: which change was it, and where do two runs part."""

import pytest

from kafka_internals.sim.trace import Change, Event, Trace, first_difference
from kafka_internals.sim.why import ancestors, chain_of, explain


def recorded(*changes, events=8):
    """A trace with so many events and changes given as (event, subject, attribute, new, reads)."""
    trace, values = Trace(), {}
    trace.events += [(id, id * 10, id - 1, "node", "tick", None) for id in range(1, events + 1)]
    for event, subject, attribute, new, *reads in changes:
        old = values.get((subject, attribute))
        values[subject, attribute] = new
        trace.changed(event, (subject, attribute, old, new, "a rule", tuple(reads)))
    return trace


def test_events_and_changes_by_number():
    trace = recorded((2, "a", "x", 1))
    assert trace.event(2) == Event(2, 20, 1, "node", "tick", None)
    assert trace.change(0) == Change(2, "a", "x", None, 1, "a rule", ())


def test_the_latest_change_up_to_an_event():
    trace = recorded((2, "a", "x", 1), (4, "a", "x", 2), (4, "a", "x", 3), (5, "a", "y", 9))
    assert [trace.latest("a", "x", event) for event in range(1, 7)] == [None, 0, 0, 2, 2, 2]
    assert trace.latest("b", "x", 9) is None


def test_the_index_follows_a_trace_that_grows():
    trace = recorded((1, "a", "x", 1))
    assert trace.of("a", "x") == [0]
    trace.changed(3, ("a", "x", 1, 2, "a rule", ()))
    assert trace.of("a", "x") == [0, 1] and trace.latest("a", "x", 3) == 1


def test_a_read_links_to_the_latest_change_before_it():
    trace = recorded((1, "a", "x", 1), (2, "a", "x", 2), (3, "b", "y", 0, ("a", "x")),
                     (4, "a", "x", 3))
    assert trace.links(2) == [1]


@pytest.mark.parametrize("needed, link", [(1, 0), (2, 1), (3, 1), (4, 2), (9, 2)])
def test_a_needed_number_links_to_the_change_that_first_met_it(needed, link):
    trace = recorded((1, "a", "x", 1), (2, "a", "x", 3), (3, "a", "x", 5),
                     (4, "b", "y", 0, ("a", "x", needed)))
    assert trace.links(3) == [link]


def test_first_met_means_met_and_stayed_so():
    trace = recorded((1, "a", "x", 5), (2, "a", "x", 0), (3, "a", "x", 6),
                     (4, "b", "y", 0, ("a", "x", 5)), (5, "s", "state", "up"),
                     (6, "s", "state", "up"), (7, "b", "z", 0, ("s", "state", "up")))
    assert trace.links(3) == [2] and trace.links(6) == [4]


def test_links_are_named_once_and_in_order():
    trace = recorded((1, "a", "x", 1), (2, "c", "z", 1),
                     (3, "b", "y", 0, ("c", "z"), ("a", "x"), ("a", "x", 1), ("nobody", "x")))
    assert trace.links(2) == [0, 1]


def test_a_chain_follows_what_was_met_last():
    trace = recorded((1, "a", "x", 1), (2, "b", "x", 1, ("a", "x")), (3, "c", "x", 1),
                     (4, "d", "x", 1, ("c", "x"), ("b", "x")), (5, "e", "x", 1, ("d", "x")))
    assert chain_of(trace, 4) == [4, 3, 2]
    assert ancestors(trace, 4) == {0, 1, 2, 3, 4}


def test_a_change_implies_the_value_before():
    trace = recorded((1, "a", "x", 1), (2, "b", "y", 1, ("a", "x")), (3, "b", "y", 2))
    assert ancestors(trace, 2) == {0, 1, 2} and chain_of(trace, 2) == [2]


def test_an_explanation_stops_at_the_event_asked_about():
    trace = recorded((1, "a", "x", 1), (3, "b", "y", 1, ("a", "x")), (5, "b", "y", 2))
    why = explain(trace, "b", "y", 1, ("something",), 4)
    assert [change.event for change in why.chain] == [3, 1]
    assert (why.change.new, why.ended_by, why.waits) == (1, "tick", ("something",))
    assert explain(trace, "b", "y", None, (), 2).chain == ()


def test_a_digest_tells_every_part_apart():
    def made(**parts):
        trace = recorded((1, "a", "x", 1))
        for name, part in parts.items():
            getattr(trace, name).append(part)
        return trace.digest()

    variants = [made(), made(events=(9, 1, 1, "n", "tick", None)),
                made(changes=(9, "a", "x", 1, 2, "r", ())),
                made(flights=(1, "request-a.1", "request", "a", "b", 1, None)),
                made(flights=(1, "request-a.1", "request", "a", "b", 1, 2))]
    assert len(set(variants)) == 5 and made() == made()
    assert all(len(digest) == 64 for digest in variants)


def test_runs_that_did_the_same_have_no_first_difference():
    assert first_difference(recorded((1, "a", "x", 1)), recorded((1, "a", "x", 1))) is None
    assert first_difference(Trace(), Trace()) is None


@pytest.mark.parametrize("other, event", [
    (recorded((1, "a", "x", 1), events=6), 7),                        # one ended earlier
    (recorded((1, "a", "x", 2)), 1),                                  # another value
    (recorded((1, "a", "x", 1), (5, "a", "x", 2)), 5),                # one more change
    (recorded(), 1),                                                  # one change less
])
def test_the_first_difference_of_two_runs(other, event):
    mine = recorded((1, "a", "x", 1))
    assert first_difference(mine, other) == first_difference(other, mine) == event


def test_the_earlier_of_two_differences_counts():
    mine, other = recorded((3, "a", "x", 1)), recorded((2, "a", "x", 1))
    other.events[6] = (7, 71, 6, "node", "tick", None)
    assert first_difference(mine, other) == 2
