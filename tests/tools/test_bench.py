"""The lines of the bench: a goal is met or missed, and a name that is none is refused."""

import pytest

from kafka_internals.tools import bench
from kafka_internals.tools.bench import Figure


def test_a_goal_is_a_least_or_a_most():
    assert Figure("a", 3, "x", least=3).met and not Figure("a", 2.9, "x", least=3).met
    assert Figure("a", 5, "us", most=5).met and not Figure("a", 5.1, "us", most=5).met


def test_a_line_says_figure_goal_and_verdict():
    line = str(Figure("opaque carry", 7.25, "us", most=5))
    assert line.split()[-5:] == ["7.25", "us", "<=", "5", "MISSED"]


def test_a_missed_goal_is_the_exit_status(monkeypatch, capsys):
    monkeypatch.setattr(bench, "MEASURES", {"good": lambda: [Figure("g", 1, "", most=1)],
                                            "bad": lambda: [Figure("b", 2, "", most=1)]})
    assert bench.main(["good"]) == 0
    assert bench.main([]) == 1
    assert "MISSED" in capsys.readouterr().out


def test_a_missing_library_is_named(monkeypatch, capsys):
    def needs() -> list[Figure]:
        raise ImportError("no", name="aiokafka")

    monkeypatch.setattr(bench, "MEASURES", {"encode": needs})
    assert bench.main(["encode"]) == 1
    assert "encode: needs aiokafka, which is not installed" in capsys.readouterr().out


def test_an_unknown_name_says_which_there_are(capsys):
    with pytest.raises(SystemExit):
        bench.main(["speed"])
    assert "there is no figure 'speed'; there is encode, carry" in capsys.readouterr().err
