"""Two thousand seeded schedules under faults: nothing that Kafka promises is broken."""

from collections import Counter

from kafka_internals.cluster.schedules import Schedule, verdict
from kafka_internals.sim.search import Found, joblib_map, search


def again(found: list[Found]) -> str:
    """How to run the seeds that failed once more, and what each of them says."""
    run = "from kafka_internals.cluster.schedules import shortest; print(shortest({}))"
    return "\n".join(f'seed {one.seed}: {one.failure}\n    python -c "{run.format(one.seed)}"'
                     for one in found)


def test_no_schedule_of_two_thousand_violates_anything():
    found = search(verdict, range(2_000), joblib_map(2))
    assert found == [], again(found)


def test_a_seed_that_fails_says_how_to_run_it_again():
    said = again([Found(41, "OffsetsDense is violated at event 7: ...")])
    command = said.splitlines()[1].strip().removeprefix("python -c ").strip('"')
    compile(command, "<said>", "exec")
    assert said.startswith("seed 41: OffsetsDense") and "shortest(41)" in command


def test_a_seed_is_a_schedule():
    def told(seed):
        schedule = Schedule(seed)
        schedule.run()
        return schedule.cluster.trace.digest()

    assert told(3) == told(3) != told(4)


def test_fewer_commands_are_the_beginning_of_the_same_schedule():
    short, long = Schedule(9), Schedule(9)
    short.run(commands=6)
    long.run(commands=12)
    shared = [entry.command for entry in short.cluster.journal.entries].index("heal")
    assert short.cluster.journal.entries[:shared] == long.cluster.journal.entries[:shared]


def test_schedules_do_everything_that_can_happen():
    commands = Counter()
    for seed in range(40):
        schedule = Schedule(seed)
        schedule.run()
        commands += Counter(entry.command for entry in schedule.cluster.journal.entries)
    assert set(commands) == {
        "create_topic", "producer", "consumer", "assign", "send", "poll", "kill", "stop",
        "power_loss", "restart", "pause", "resume", "slow", "cut", "lossy", "heal",
        "alter_client_quotas", "slow_handlers", "partition"}


def test_a_settled_schedule_has_every_broker_up_and_whole():
    for seed in range(10):
        schedule = Schedule(seed)
        schedule.run()
        cluster = schedule.cluster
        assert [cluster.look(f"broker-{n}").state for n in (1, 2, 3)] == ["running"] * 3
        for subject in cluster.subjects():
            if "@" in subject and cluster.look(subject).role == "follower":
                one = cluster.look(subject)
                leader = cluster.look(f"{one.partition}@{one.leader}")
                assert leader.role != "leader" or one.log_end_offset == leader.log_end_offset
