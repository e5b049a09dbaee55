"""One heap, one seed: time, order, dice, lives of nodes, and the counterfactual."""

import random

import pytest

from kafka_internals.sim.trace import Trace
from kafka_internals.sim.world import TICK, World
from tests.sim.toys import Machine, pair


def drawn(dice, count=20, n=1000):
    return [dice(n) for _ in range(count)]


def test_dice_are_the_same_in_every_run_and_differ_by_seed_node_and_purpose():
    first = drawn(World(7).draw("broker-1", "back-off"))
    assert drawn(World(7).draw("broker-1", "back-off")) == first
    for seed, node, purpose in ((8, "broker-1", "back-off"), (7, "broker-2", "back-off"),
                                (7, "broker-1", "jitter")):
        assert drawn(World(seed).draw(node, purpose)) != first


def test_a_new_draw_in_one_place_changes_nothing_elsewhere():
    undisturbed = drawn(World(7).draw("broker-1", "back-off"))
    world = World(7)
    dice, other = world.draw("broker-1", "back-off"), world.draw("broker-1", "something new")
    mixed = []
    for _ in range(20):
        other(6)
        mixed.append(dice(1000))
    assert mixed == undisturbed


def test_one_purpose_has_one_stream_however_often_it_is_asked_for():
    world = World(7)
    assert drawn(world.draw("a", "b"), 5) + drawn(world.draw("a", "b"), 5) == \
        drawn(World(7).draw("a", "b"), 10)


def test_dice_stay_within_their_faces():
    dice = World(1).draw("a", "b")
    assert {dice(3) for _ in range(200)} == {0, 1, 2}
    assert {dice(1) for _ in range(20)} == {0}


def test_nobody_elses_dice_are_touched():
    state = random.getstate()
    world, client, server = pair(jitter_us=300)
    client.send(server, "request-a.1")
    world.run_to(5_000)
    assert random.getstate() == state


def test_equal_times_run_in_the_order_in_which_they_were_asked_for():
    world, client, server = pair()
    for number in range(50):
        world.schedule(100, (client, server)[number % 2], "asked", number)
    world.run_to(100)
    assert [what for *_, what in client.seen] == list(range(0, 50, 2))
    assert [event[3] for event in world.trace.events] == ["client", "server"] * 25


def test_time_is_whole_microseconds_and_stands_where_it_was_asked_to():
    world, client, _ = pair()
    world.schedule(1_500, client, "asked", "late")
    world.run_to(1_499)
    assert (world.now_us, client.seen) == (1_499, [])
    world.run_to(2_000)
    assert client.seen == [(1_500, "asked", "late")] and world.now_us == 2_000
    world.run_to(1_000)
    assert world.now_us == 2_000


def test_a_timer_that_no_longer_stands_is_no_event():
    world, client, _ = pair()
    client.wake_at(100)
    client.wake_at(200)
    world.run_to(150)
    assert (world.event, client.seen) == (0, [])
    world.run_to(300)
    assert (world.event, client.seen) == (1, [(200, TICK, 200)])
    client.wake_at(400)
    client.wake_at(None)
    world.run_to(500)
    assert world.event == 1


def test_a_timer_in_the_past_rings_now_and_the_same_one_twice_rings_once():
    world, client, _ = pair()
    world.run_to(1_000)
    client.wake_at(500)
    client.wake_at(500)
    world.run_to(1_000)
    assert [at for at, *_ in client.seen] == [1_000]
    client.wake_at(2_000)
    client.wake_at(1_500)
    client.wake_at(2_000)
    world.run_to(3_000)
    assert [at for at, *_ in client.seen] == [1_000, 2_000]


def test_what_was_meant_for_an_earlier_life_is_no_event():
    world, client, _ = pair()
    world.schedule(100, client, "asked", "for the old one")
    client.end_life()
    client.begin_life()
    world.schedule(100, client, "asked", "for the new one")
    world.run_to(200)
    assert (world.event, client.seen) == (1, [(100, "asked", "for the new one")])


def test_a_pause_holds_everything_and_keeps_its_order():
    world, client, server = pair()
    world.pause(server)
    client.send(server, "request-a.1")
    server.wake_at(300)
    client.send(server, "request-a.2")
    world.run_to(10_000)
    assert (world.event, server.seen) == (0, [])
    world.resume(server)
    world.run_to(10_000)
    assert [(at, what) for at, _, what in server.seen] == [
        (10_000, 300), (10_000, "request-a.1"), (10_000, "request-a.2")]


def test_each_event_knows_the_one_that_caused_it():
    world, client, server = pair()
    server.handlers["request"] = lambda payload: server.answer(payload[0], "response-a.1")
    world.begin(0, "learner", "command", None)
    client.send(server, "request-a.1")
    world.run_to(5_000)
    assert [(event[0], event[2], event[4]) for event in world.trace.events] == [
        (1, 0, "command"), (2, 1, "request"), (3, 2, "response")]


def test_without_an_event_its_effects_are_missing_and_it_keeps_its_id():
    def told(without):
        world, client, server = pair(without=frozenset(without))
        server.handlers["request"] = lambda payload: server.answer(payload[0], "response-a.1")
        client.send(server, "request-a.1")
        client.send(server, "request-a.2")
        world.run_to(5_000)
        return [(event[0], event[4]) for event in world.trace.events]

    assert told(()) == [(1, "request"), (2, "request"), (3, "response"), (4, "response")]
    assert told((1,)) == [(1, "request"), (2, "request"), (3, "response")]


def test_whoever_looks_is_told_after_each_event_and_the_world_is_busy_meanwhile():
    world, client, _ = pair()
    told = []
    world.after_event.append(lambda event: told.append((event, world.busy, len(client.seen))))
    for at_us in (10, 20):
        world.schedule(at_us, client, "asked", at_us)
    world.run_to(100)
    assert told == [(1, True, 1), (2, True, 2)] and not world.busy


def test_a_handler_that_raises_leaves_the_world_free_for_questions():
    world, client, _ = pair()
    client.handlers["asked"] = lambda payload: 1 / 0
    world.schedule(10, client, "asked", None)
    with pytest.raises(ZeroDivisionError):
        world.run_to(100)
    assert (world.event, world.busy) == (1, False)


def test_the_engine_runs_the_same_without_a_trace():
    def times(trace):
        world = World(5, jitter_us=400)
        world.trace = trace
        client, server = Machine(world, "client"), Machine(world, "server")
        for number in range(30):
            client.send(server, f"request-a.{number}")
        world.run_to(50_000)
        return server.seen, world.event

    assert times(None) == times(Trace())


def test_nothing_left_to_do_is_said():
    world, client, _ = pair()
    assert not world.go_on(1)
    client.wake_at(70)
    assert not world.go_on(1, 69) and world.go_on(1, 70)
