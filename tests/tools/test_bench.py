"""The bench's table: what a line says, when a goal is met, and what is said of what is missing."""

import pytest

from kafka_internals.tools import bench, bench_figure, bench_films, bench_player
from kafka_internals.tools.bench_figure import Figure, Missing
from kafka_internals.viz import encode


def test_a_goal_is_a_least_or_a_most_and_its_limit_is_met():
    assert Figure("a", 3, "x", least=3).met and not Figure("a", 2.9, "x", least=3).met
    assert Figure("a", 5, "us", most=5).met and not Figure("a", 5.1, "us", most=5).met
    assert Figure("a", 9, "ms").met


@pytest.mark.parametrize("figure, words", [
    (Figure("opaque carry", 7.25, "us", most=5), "opaque carry 7.25 us <= 5 MISSED"),
    (Figure("encode", 3.4, "x", 3, note="by hand"), "encode 3.4 x >= 3 met by hand"),
    (Figure("schedules", 20_000, "s"), "schedules 20000 s - -")])
def test_a_line_says_figure_goal_and_verdict(figure, words):
    assert " ".join(str(figure).split()) == words


def test_columns_stand_below_each_other():
    short, long = str(Figure("a", 1, "x", 3)), str(Figure("a longer name", 12.5, "ms", most=300))
    assert short.index("MISSED") == long.index("met")


def test_a_ratio_is_the_median_of_its_rounds():
    assert bench_figure.ratio([2, 30, 8], [1, 10, 2]) == 3


def test_measures_take_turns():
    told = iter(range(6))
    assert bench_figure.interleaved(told.__next__, told.__next__, rounds=3) == [[0, 2, 4],
                                                                                [1, 3, 5]]


def _fakes(monkeypatch, **measures) -> None:
    monkeypatch.setattr(bench, "MEASURES", {name: (act,) for name, act in measures.items()})


def test_a_missed_goal_is_the_exit_status_and_hides_nothing(monkeypatch, capsys):
    _fakes(monkeypatch, bad=lambda: iter([Figure("b", 2, "", most=1)]),
           good=lambda: iter([Figure("g", 1, "", most=1)]))
    assert bench.main(["good"]) == 0
    assert bench.main([]) == 1
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()[-2:]] == \
        ["MISSED", "met"]


def test_the_first_line_names_versions_and_cores(monkeypatch, capsys):
    _fakes(monkeypatch)
    monkeypatch.setattr(bench, "LIBRARIES", ("pytest", "no-such-library"))
    bench.main([])
    first = capsys.readouterr().out.splitlines()[0]
    assert f"pytest {pytest.__version__}, no no-such-library" in first and " CPUs; " in first


@pytest.mark.parametrize("error, said", [
    (ImportError("no", name="aiokafka"), "bytes: needs aiokafka, which is not installed"),
    (Missing("there is no Chromium"), "bytes: there is no Chromium")])
def test_what_is_missing_is_one_line_and_counts_as_missed(monkeypatch, capsys, error, said):
    def needs():
        yield Figure("first", 1)
        raise error

    _fakes(monkeypatch, bytes=needs)
    assert bench.main(["bytes"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == said


def test_without_a_chromium_the_player_is_missing(monkeypatch):
    monkeypatch.setattr(bench_player, "CHROMIUM", None)
    with pytest.raises(Missing, match="there is no Chromium on the PATH"):
        next(bench_player.figures())


def test_an_unknown_name_says_which_there_are(capsys):
    with pytest.raises(SystemExit):
        bench.main(["speed"])
    assert "there is no figure 'speed'; there is bytes, log" in capsys.readouterr().err


def test_a_schedule_that_violates_something_is_named(monkeypatch, capsys):
    from kafka_internals.cluster import schedules

    monkeypatch.setattr(schedules, "verdict", {3: "an offset is lost"}.get)
    monkeypatch.setattr("kafka_internals.sim.search.joblib_map", lambda: map)
    assert bench.main(["schedules", "--schedules", "5"]) == 1
    seed, line = capsys.readouterr().out.splitlines()[-2:]
    assert seed.strip() == "seed 3: an offset is lost"
    assert line.startswith("violations in 5 schedules") and "MISSED" in line


def test_the_films_are_what_their_names_say():
    scenes = encode.materialise(bench_films.busy()["frames"]["truth"])
    assert {len(scene) for scene in scenes} == {200} and len(scenes) == 300
    run = bench_films.orders(30)
    assert len(bench_films.replica_view.data(run, "orders-0")["frames"]["truth"]) == 30
