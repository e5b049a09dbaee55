"""Connections keep order, and every fault does what its name says and no more."""

import pytest

from kafka_internals.sim.network import Cut, Lossy, Slow
from tests.sim.toys import Machine, pair

OUT, BACK = ("client", "server"), ("server", "client")


def times(machine):
    return [at for at, *_ in machine.seen]


def test_latency_is_one_way():
    world, client, server = pair(latency_us=700)
    connection = client.send(server, "request-a.1")
    world.run_to(700)
    server.answer(connection, "response-a.1")
    world.run_to(2_000)
    assert (times(server), times(client)) == ([700], [1_400])


def test_messages_of_one_connection_arrive_in_order_whatever_the_jitter():
    world, client, server = pair(latency_us=500, jitter_us=5_000)
    sent = [f"request-a.{number}" for number in range(200)]
    for id in sent:
        client.send(server, id)
    world.run_to(100_000)
    assert server.arrived == sent
    assert all(later > earlier for earlier, later in zip(times(server), times(server)[1:]))


def test_two_connections_may_overtake_each_other():
    world, client, server = pair(latency_us=500, jitter_us=5_000)
    sent = [f"request-{'ab'[number % 2]}.{number}" for number in range(60)]
    for id in sent:
        client.send(server, id, purpose=id[8])
    world.run_to(100_000)
    assert sorted(server.arrived) == sorted(sent) and server.arrived != sent
    for purpose in "ab":
        assert [id for id in server.arrived if id[8] == purpose] == \
            [id for id in sent if id[8] == purpose]


def test_jitter_is_added_to_latency_and_is_seeded():
    def arrivals(seed):
        world, client, server = pair(seed, latency_us=500, jitter_us=90)
        for number in range(40):
            world.run_to(number * 1_000)
            client.send(server, f"request-a.{number}")
        world.run_to(100_000)
        return [at % 1_000 for at in times(server)]

    assert all(500 <= late <= 590 for late in arrivals(1)) and len(set(arrivals(1))) > 5
    assert arrivals(1) == arrivals(1) != arrivals(2)


def test_jitter_of_one_link_is_independent_of_traffic_on_another():
    def arrivals(chatter):
        world, client, server = pair(3, jitter_us=400)
        other = Machine(world, "other")
        for number in range(20):
            world.run_to(number * 2_000)
            if chatter:
                other.send(server, f"request-b.{number}")
            client.send(server, f"request-a.{number}")
        world.run_to(100_000)
        return [(at, what) for at, _, what in server.seen if what.startswith("request-a")]

    assert arrivals(True) == arrivals(False)


def test_a_cut_is_one_way():
    world, client, server = pair()
    connection = client.send(server, "request-a.1")
    world.run_to(1_000)
    world.network.faults[BACK] = [Cut()]
    server.answer(connection, "response-a.1")
    client.send(server, "request-a.2")
    world.run_to(5_000)
    assert server.arrived == ["request-a.1", "request-a.2"] and client.arrived == []
    world.network.faults[BACK] = []
    other = client.send(server, "request-b.1", "another connection")
    server.answer(connection, "response-a.2")           # behind a gap that TCP does not show
    server.answer(other, "response-b.1")
    world.run_to(9_000)
    assert client.arrived == ["response-b.1"]


def test_a_slow_link_delays_its_purpose_only():
    world, client, server = pair(latency_us=500)
    world.network.faults[OUT] = [Slow(4_000, "talk")]
    client.send(server, "request-a.1", "talk")
    client.send(server, "request-a.2", "other")
    world.run_to(10_000)
    assert [(at, what) for at, _, what in server.seen] == [(500, "request-a.2"),
                                                           (4_500, "request-a.1")]


def test_faults_of_one_link_add_up():
    world, client, server = pair(latency_us=500)
    world.network.faults[OUT] = [Slow(1_000), Slow(2_000)]
    client.send(server, "request-a.1")
    world.run_to(10_000)
    assert times(server) == [3_500]


@pytest.mark.parametrize("per_mille, least, most", [(0, 0, 0), (300, 220, 380), (1000, 1000, 1000)])
def test_a_lossy_link_loses_so_many_of_a_thousand(per_mille, least, most):
    world, client, server = pair(11)
    world.network.faults[OUT] = [Lossy(per_mille)]
    for number in range(1_000):
        client.send(server, f"request-a.{number}", f"connection {number}")
    world.run_to(50_000)
    lost = [flight[1] for flight in world.trace.flights if flight[6] is None]
    assert least <= len(lost) <= most
    assert len(server.arrived) == 1_000 - len(lost) and not set(lost) & set(server.arrived)


def test_a_lossy_link_does_not_move_the_jitter():
    def arrivals(faults):
        world, client, server = pair(4, jitter_us=400)
        world.network.faults[OUT] = faults
        for number in range(30):
            world.run_to(number * 2_000)
            client.send(server, f"request-a.{number}", f"connection {number}")
        world.run_to(100_000)
        return {what: at for at, _, what in server.seen}

    whole, lossy = arrivals([]), arrivals([Lossy(500)])
    assert 0 < len(lossy) < len(whole) and lossy.items() <= whole.items()


def test_a_message_is_dropped_in_flight_and_nothing_behind_it_arrives():
    world, client, server = pair()
    for number in (1, 2, 3):
        client.send(server, f"request-a.{number}")
    client.send(server, "request-b.1", "another connection")
    assert world.forget("request-a.2") and not world.forget("request-a.2")
    client.send(server, "request-a.4")
    world.run_to(5_000)
    assert server.arrived == ["request-a.1", "request-b.1"]


def test_a_message_is_dropped_before_it_is_sent_and_nothing_behind_it_arrives():
    world, client, server = pair()
    world.network.dropped.add("request-a.2")
    for number in (1, 2, 3):
        client.send(server, f"request-a.{number}")
    world.run_to(5_000)
    assert server.arrived == ["request-a.1"]
    assert [flight[1] for flight in world.trace.flights if flight[6] is None] == [
        "request-a.2", "request-a.3"]


def test_the_heap_is_whole_after_a_message_was_forgotten():
    world, client, server = pair(jitter_us=900)
    for number in range(60):
        client.send(server, f"request-{number}.1", purpose=str(number))
    for number in range(0, 60, 3):
        assert world.forget(f"request-{number}.1")
    world.run_to(10_000)
    assert times(server) == sorted(times(server)) and len(server.seen) == 40


def test_a_process_that_ends_closes_its_connections():
    world, client, server = pair()
    connection = client.send(server, "request-a.1")
    world.run_to(1_000)
    server.answer(connection, "response-a.1")
    world.network.process_ended(server)
    server.end_life()
    world.run_to(5_000)
    assert [kind for _, kind, _ in client.seen] == ["response", "disconnected"]
    assert client.send(server, "request-a.2") is not connection


def test_a_client_that_ends_is_told_nothing_and_its_server_neither():
    world, client, server = pair()
    connection = client.send(server, "request-a.1")
    world.run_to(1_000)
    client.end_life()
    world.network.process_ended(client)
    server.answer(connection, "response-a.1")
    world.run_to(5_000)
    assert (client.seen, len(server.seen)) == ([], 1)


def test_a_machine_without_power_says_nothing():
    world, client, server = pair()
    connection = client.send(server, "request-a.1")
    server.end_life(powered=False)
    client.send(server, "request-a.2")
    world.run_to(60_000)
    assert (server.seen, client.seen, connection.open) == ([], [], True)


def test_a_process_that_is_gone_is_answered_for_by_its_machine():
    world, client, server = pair(latency_us=500)
    server.end_life()
    client.send(server, "request-a.1")
    world.run_to(5_000)
    assert client.seen == [(1_000, "disconnected", "server")]


def test_a_restarted_machine_resets_the_connections_of_its_earlier_life():
    world, client, server = pair(latency_us=500)
    old = client.send(server, "request-a.1")
    world.run_to(1_000)
    server.end_life(powered=False)
    server.begin_life()
    assert client.send(server, "request-a.2") is old
    world.run_to(5_000)
    assert server.arrived == ["request-a.1"]
    assert client.seen == [(2_000, "disconnected", "server")]
    client.send(server, "request-a.3")
    world.run_to(9_000)
    assert server.arrived == ["request-a.1", "request-a.3"]


def test_a_client_that_lost_power_opens_a_new_connection():
    world, client, server = pair()
    old = client.send(server, "request-a.1")
    world.run_to(1_000)
    client.end_life(powered=False)
    client.begin_life()
    new = client.send(server, "request-a.2")
    world.run_to(2_000)
    server.answer(old, "response-a.1")
    server.answer(new, "response-a.2")
    world.run_to(5_000)
    assert new is not old and client.arrived == ["response-a.2"]


def test_a_cut_swallows_the_news_that_a_connection_is_gone():
    world, client, server = pair()
    client.send(server, "request-a.1")
    world.network.faults[BACK] = [Cut()]
    world.network.process_ended(server)
    server.end_life()
    world.run_to(60_000)
    assert client.seen == []


def test_behind_a_gap_a_client_does_not_hear_that_its_server_closed_but_its_next_request_is_reset():
    world, client, server = pair(latency_us=500)
    connection = client.send(server, "request-a.1")
    world.network.dropped.add("response-a.1")
    world.run_to(1_000)
    server.answer(connection, "response-a.1")
    world.network.process_ended(server)
    server.end_life()
    world.run_to(60_000)
    assert client.seen == []
    assert client.send(server, "request-a.2") is connection
    world.run_to(90_000)
    assert client.seen == [(61_000, "disconnected", "server")]


def test_a_dropped_answer_takes_the_news_behind_it_along():
    world, client, server = pair(latency_us=500)
    connection = client.send(server, "request-a.1")
    world.run_to(1_000)
    server.answer(connection, "response-a.1")
    world.network.process_ended(server)
    server.end_life()
    assert world.forget("response-a.1")
    world.run_to(60_000)
    assert client.seen == []


def test_until_it_hears_of_it_a_client_goes_on_sending_on_a_connection_that_its_server_closed():
    world, client, server = pair(latency_us=500)
    old = client.send(server, "request-a.1")
    world.run_to(1_000)
    world.network.close(old, server)
    assert client.send(server, "request-a.2") is old
    world.run_to(1_500)
    assert client.seen == [(1_500, "disconnected", "server")]
    new = client.send(server, "request-a.3")
    world.run_to(60_000)
    assert new is not old and len(client.seen) == 1 and server.arrived[-1] == "request-a.3"


def test_what_comes_of_a_connection_that_its_client_has_closed_is_no_event():
    world, client, server = pair(latency_us=500)
    old = client.send(server, "request-a.1")
    world.run_to(1_000)
    world.network.close(old, server)
    world.network.close(old, client)
    assert client.send(server, "request-a.2") is not old
    world.run_to(60_000)
    assert client.seen == []


def test_a_client_that_hears_nothing_is_told_in_the_end_by_its_own_machine():
    world, client, server = pair(latency_us=500)
    world.network.dropped.add("request-a.1")
    connection = client.send(server, "request-a.1")
    world.run_to(900_000_000)
    assert client.send(server, "request-a.2") is connection and client.seen == []
    world.run_to(1_000_000_000)
    assert client.seen == [(924_600_000, "disconnected", "server")] and server.seen == []
    assert client.send(server, "request-a.3") is not connection


# -- one message that is late ---------------------------------------------------------------------
def test_a_message_is_delayed_in_flight_and_what_is_behind_it_waits():
    world, client, server = pair(latency_us=500)
    for number in (1, 2, 3):
        client.send(server, f"request-a.{number}")
    client.send(server, "request-b.1", "another connection")
    assert world.postpone("request-a.2", 2_000)
    client.send(server, "request-a.4")
    world.run_to(5_000)
    assert [(at, what) for at, _, what in server.seen] == [
        (500, "request-a.1"), (500, "request-b.1"), (2_501, "request-a.2"), (2_502, "request-a.3"),
        (2_503, "request-a.4")]
    assert {flight[1]: flight[6] for flight in world.trace.flights} == {
        what: at for at, _, what in server.seen}
    assert not world.postpone("request-a.2", 2_000)           # it has arrived


def test_a_message_is_delayed_before_it_is_sent_once():
    world, client, server = pair(latency_us=500)
    world.network.delayed["request-a.2"] = 3_000
    for number in (1, 2, 3):
        client.send(server, f"request-a.{number}")
    world.run_to(1_000)
    assert server.arrived == ["request-a.1"]
    world.run_to(5_000)
    client.send(server, "request-a.2")
    world.run_to(9_000)
    assert times(server) == [500, 3_500, 3_501, 5_500]


def test_what_comes_much_later_is_not_moved_and_no_news_of_the_end_overtakes():
    world, client, server = pair(latency_us=500)
    client.send(server, "request-a.1")
    world.run_to(400)
    late = client.send(server, "request-a.2")
    assert world.postpone("request-a.1", 100)
    world.run_to(1_000)
    assert times(server) == [600, 900]
    server.answer(late, "response-a.1")
    world.network.process_ended(server)
    server.end_life()
    assert world.postpone("response-a.1", 7_000)
    world.run_to(60_000)
    assert client.seen == [(8_500, "response", "response-a.1"), (8_501, "disconnected", "server")]
