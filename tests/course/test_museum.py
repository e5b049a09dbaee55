"""The museum: each design's hole is found and made short, and the next design closes it."""

import pytest

from kafka_internals.course import museum

ROOMS = ((museum.HIGH_WATERMARK, "CommittedNeverLost"), (museum.KIP_101, "ConsistentRead"),
         (museum.LAST_REPLICA, "CommittedNeverLost"), (museum.NO_GATE, "CommittedNeverLost"))


@pytest.fixture(scope="module", params=ROOMS, ids=lambda room: room[0].name)
def hole(request):
    design, invariant = request.param
    found = museum.search(design)
    assert found.invariant == invariant
    return found


def test_the_search_finds_what_breaks_and_as_few_steps_as_break_it(hole):
    assert len(hole.steps) <= 8
    for left_out in range(len(hole.steps)):
        fewer = hole.steps[:left_out] + hole.steps[left_out + 1:]
        violated = museum.play(fewer, **hole.design.setup).violated
        assert violated is None or violated.invariant != hole.invariant


def test_the_next_design_closes_it(hole):
    assert hole.closed().violated is None


def test_it_tells_what_was_done_and_what_broke(hole):
    told = repr(hole)
    assert hole.design.rule in told and hole.sentence in told
    assert all(line in told for line in hole.commands())


def test_its_film_ends_where_it_broke(hole):
    film = hole.film()
    assert hole.design.name in repr(film) or "steps" in repr(film)


def test_who_finds_nothing_says_so():
    with pytest.raises(LookupError, match="no schedule of these seeds breaks 'diverging epochs'"):
        museum.search(museum.SAFE, range(5))
