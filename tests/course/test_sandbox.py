"""The sandbox: what a click does is a program, an error loses nothing, missions stay done."""

import json
from pathlib import Path

import pytest

from kafka_internals import Cluster, canonical, replica_view
from kafka_internals.course import sandbox as module
from kafka_internals.course.broker_missions import GROUPS as BROKER_GROUPS
from kafka_internals.course.broker_missions import answered_ms, deepest_queue, lost, missions
from kafka_internals.course.panel import VIEW
from kafka_internals.course.sandbox import DONE, GROUPS, Act, Group, Mission, sandbox
from kafka_internals.viz import encode
from kafka_internals.viz.quiet import heard

ROOT = Path(__file__).parents[2]
THREE = missions()


@pytest.fixture(autouse=True)
def no_mission_is_done():
    DONE.clear()
    yield
    DONE.clear()


@pytest.fixture
def panel():
    return sandbox(canonical.healthy, replica_view, "orders-0", missions=THREE)


def _buttons(panel) -> dict:
    found = {}
    for row in panel.box.children[0].children:
        found |= {one.description: one for one in getattr(row, "children", ())
                  if hasattr(one, "click")}
    return found


def press(panel, *labels: str, **values) -> str:
    """Choose values in the panel's fields, press buttons, and read the message."""
    for name, value in values.items():
        panel._fields[name].value = value
    for label in labels:
        _buttons(panel)[label].click()
    return panel.message.value


def open_missions(panel) -> list[int]:
    return [number for number, line in enumerate(repr(panel).splitlines()[1:], 1)
            if line.startswith("  [ ]")]


def lose_a_record(panel) -> None:
    press(panel, "Slow its fetches", receiver=2, slow_ms=5_000, ms=1_000)
    press(panel, "Slow its fetches", receiver=3)
    press(panel, "Let time pass")
    press(panel, "Send", acks="1", ms=5)
    press(panel, "Power loss", "Restart", broker=1)


# -- without a browser ---------------------------------------------------------------------------
def test_its_plain_form_lists_the_missions_and_nothing_of_the_machine(panel):
    data, _ = panel._repr_mimebundle_()
    assert data["text/plain"] == repr(panel) == (
        "Run this cell for a panel of loads and faults. Missions:\n"
        "  [ ] Fill a request queue to 500.\n"
        "  [ ] Make a record with acks=1 slower than one with acks=all.\n"
        "  [ ] Lose a record that was acknowledged.")
    assert data["image/svg+xml"] == panel.player.picture
    assert set(data) == {"text/plain", "image/svg+xml", VIEW}


def test_in_an_exported_page_the_film_is_live_and_the_missions_can_be_read(panel, monkeypatch):
    monkeypatch.setenv("KAFKA_INTERNALS_RENDER", "embed")
    data, _ = panel._repr_mimebundle_()
    assert VIEW not in data and "<iframe" in data["text/html"]
    assert "Lose a record that was acknowledged." in data["text/html"]
    assert "This panel needs a kernel: open the notebook." in data["text/html"]


def test_two_panels_show_the_same(panel):
    twin = sandbox(canonical.healthy, replica_view, "orders-0", missions=THREE)
    for one in (panel, twin):
        press(one, "Send", "Kill")
    assert encode.digest(panel.player.source) == encode.digest(twin.player.source)


# -- what a click does ---------------------------------------------------------------------------
def test_a_command_is_filmed_and_told_in_the_same_player(panel):
    before = panel.player
    assert "Send: 0.0 to 20.0 ms." in press(panel, "Send")
    assert panel.player is before is panel.box.children[1]
    assert "orders-0 offset 0" in panel.player.card["say"]
    first = panel.player.card["steps"]
    press(panel, "Send")
    assert panel.player.source["frames"]["truth"][1]["t_us"] >= 20_000     # what this one did
    press(panel, film="the whole run")
    assert panel.player.card["steps"] > first
    assert panel.player.source["frames"]["truth"][0]["t_us"] < 20_000


def test_what_was_clicked_is_a_program_that_makes_the_same_run_again(panel):
    press(panel, "Send", records=10, linger_ms=5)
    press(panel, "Cut off", "Send", "Kill", receiver=3, broker=2, records=1, acks="1", linger_ms=0)
    press(panel, "Heal", "Restart", "Pause", "Resume", "Let time pass", ms=100)
    press(panel, "Kill", broker=1)
    assert panel.lines[:6] == [
        "cluster = canonical.healthy()",
        "acks_all_linger_5 = cluster.producer(acks='all', linger_ms=5)",
        "for n in range(0, 10):\n"
        "    acks_all_linger_5.send('orders', f'order {n}', partition=0)",
        "cluster.run(ms=20)",
        "cluster.partition([3], [1, 2])",
        "cluster.run(ms=20)"]
    names = {"canonical": canonical}
    exec("\n".join(panel.lines), names)
    assert names["cluster"].journal == panel.cluster.journal
    assert names["cluster"].trace.digest() == panel.cluster.trace.digest()


def test_as_python_shows_the_program_as_text(panel):
    press(panel, "Send")
    assert panel._journal.value == ""
    panel._python.value = True
    assert "cluster.run(ms=20)" in panel._journal.value
    assert "&#x27;all&#x27;" in panel._journal.value


def test_every_button_of_every_group_does_something_or_says_why_not(panel):
    for group in GROUPS:
        for act in group.acts:
            press(panel, act.label)
            assert "ki-message" in panel.message.value, act.label


def test_an_error_is_shown_and_loses_nothing(panel):
    press(panel, "Kill", broker=2)
    film, lines = panel.player.source, list(panel.lines)
    event = panel.cluster.event
    told = press(panel, "Kill")
    assert "role='alert'" in told and "IllegalStateException: kill(2): broker 2 is" in told
    assert (panel.player.source, panel.lines, panel.cluster.event) == (film, lines, event)
    assert "role='status'" in press(panel, "Restart")


def test_a_crowd_of_producers_sends_at_once():
    panel = sandbox(canonical.healthy, replica_view, "orders-0", groups=BROKER_GROUPS)
    assert "Send from each: 0.0 to 100.0 ms." in press(panel, "Send from each", producers=10,
                                                       acks="1", ms=100)
    assert panel.lines[1:3] == [
        "crowd = [cluster.producer(acks='1', linger_ms=0) for _ in range(10)]",
        "for one in crowd:\n    one.send('orders', 'order', partition=0)"]
    assert len(answered_ms(panel.cluster, 1)) == 10
    said = press(panel, "Send from each", producers=100)
    assert "100.0 to 200.0 ms. The film shows the last 600 of 1,230 events." in said
    first = panel.player.source["frames"]["truth"][0]["event"]
    assert 0 < len(heard(panel.cluster.trace, first)) <= 600


def test_a_command_that_fails_half_way_keeps_what_was_done():
    twice = Group("Twice", (), (Act("Twice", "cluster.kill(2)\ncluster.kill(2)"),))
    panel = sandbox(canonical.healthy, replica_view, "orders-0", groups=(twice,))
    assert "IllegalStateException" in press(panel, "Twice")
    assert panel.lines == ["cluster = canonical.healthy()", "cluster.kill(2)"]
    assert panel.player.card["say"].startswith("Broker 2")


def test_a_new_cluster_begins_again(panel):
    press(panel, "Send", "Kill")
    press(panel, "New cluster")
    assert panel.lines == ["cluster = canonical.healthy()"]
    assert panel.cluster.journal == canonical.healthy().journal
    press(panel, "Send")
    assert "orders-0 offset 0" in panel.player.card["say"]


def test_another_cluster_another_topic():
    def small():
        cluster = Cluster(brokers=3, seed=1)
        cluster.create_topic("payments", partitions=2)
        return cluster

    panel = sandbox(small, replica_view, "payments-1", topic="payments", partition=1)
    press(panel, "Send")
    assert panel.lines[0] == "cluster = small()"
    assert "payments-1 offset 0" in panel.player.card["say"]
    assert repr(panel) == "Run this cell for a panel of loads and faults."


# -- missions ------------------------------------------------------------------------------------
def test_an_acknowledged_record_is_lost_with_the_page_cache(panel):
    press(panel, "Slow its fetches", receiver=2, slow_ms=5_000, ms=1_000)
    press(panel, "Slow its fetches", "Let time pass", receiver=3)
    press(panel, "Send", acks="1", ms=5)
    assert open_missions(panel) == [1, 2, 3]
    assert "Mission done: Lose a record that was acknowledged." in press(panel, "Power loss")
    assert open_missions(panel) == [1, 2]
    assert [str(place) for place, _ in lost(panel.cluster)] == ["orders-0"]


def test_a_process_that_dies_loses_nothing(panel):
    press(panel, "Slow its fetches", receiver=2, slow_ms=5_000, ms=1_000)
    press(panel, "Slow its fetches", receiver=3)
    press(panel, "Let time pass")
    press(panel, "Send", acks="1", ms=5)
    press(panel, "Kill", "Restart", broker=1)
    assert open_missions(panel) == [1, 2, 3] and lost(panel.cluster) == []


def test_lingering_makes_acks_1_the_slower_one(panel):
    press(panel, "Send", acks="all")
    press(panel, "Send", acks="1", ms=100)
    assert open_missions(panel) == [1, 2, 3]
    press(panel, "Send", linger_ms=50)
    assert open_missions(panel) == [1, 3]
    (fast, slow), (all_,) = answered_ms(panel.cluster, 1), answered_ms(panel.cluster, -1)
    assert fast < all_ < slow


def test_it_takes_a_crowd_and_slow_handlers_to_fill_the_queue():
    panel = sandbox(canonical.healthy, replica_view, "orders-0", missions=missions(),
                    groups=BROKER_GROUPS)
    press(panel, "Slow the handlers")
    press(panel, "Send from each", producers=100, acks="1", ms=20)
    assert open_missions(panel) == [1, 2, 3] and 0 < deepest_queue(panel.cluster) <= 100
    press(panel, "Send from each", producers=600)
    assert open_missions(panel) == [2, 3] and deepest_queue(panel.cluster) == 500


def test_a_queue_dies_with_its_broker(panel):
    assert deepest_queue(panel.cluster) == 0
    panel.cluster.slow_handlers(1, delay_ms=5)
    for _ in range(2):
        crowd = [panel.cluster.producer(acks="1", linger_ms=0) for _ in range(20)]
        for one in crowd:
            one.send("orders", "order", partition=0)
        panel.cluster.run(ms=3)
        panel.cluster.kill(1)
        panel.cluster.restart(1)
    assert 0 < deepest_queue(panel.cluster) <= 40


def test_what_is_done_stays_done_in_a_new_cluster_and_a_new_panel_until_it_is_reset(panel):
    lose_a_record(panel)
    press(panel, "New cluster", "Send")
    assert open_missions(panel) == [1, 2]
    again = sandbox(canonical.healthy, replica_view, "orders-0", missions=THREE)
    assert open_missions(again) == [1, 2]
    other = sandbox(canonical.healthy, replica_view, "orders-0", missions=THREE, name="other")
    assert open_missions(other) == [1, 2, 3]
    lose_a_record(panel)
    assert "every mission is open again" in press(panel, "Reset missions")
    assert open_missions(again) == open_missions(panel) == [1, 2, 3]
    assert press(panel, "Send") and open_missions(panel) == [1, 2, 3]
    assert panel.lines[0] == "cluster = canonical.healthy()" and len(panel.lines) == 4


def test_a_mission_that_cannot_judge_says_so_in_the_panel_and_the_film_goes_on():
    broken = Mission("Never.", lambda cluster: 1 / 0, "none")
    panel = sandbox(canonical.healthy, replica_view, "orders-0", missions=(broken,))
    assert "ZeroDivisionError" in press(panel, "Send")
    assert "orders-0 offset 0" in panel.player.card["say"]


def test_hints_and_sentences_are_text():
    malice = Mission("<script>1</script>", lambda cluster: False, "<img src=x onerror=1>")
    panel = sandbox(canonical.healthy, replica_view, "orders-0", missions=(malice,))
    assert "<script>" not in panel._board.value and "<img" not in panel._board.value


def test_no_field_of_one_group_hides_that_of_another():
    names = [field.name for group in BROKER_GROUPS for field in group.fields]
    assert len(names) == len(set(names)) and not {"ms", "film"} & set(names)
    assert module.WAIT.name == "ms"


def test_nothing_of_a_panel_is_stored_in_a_notebook(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    from kafka_internals.tools import notebooks
    from kafka_internals.tools.browser import write_notebook

    path = tmp_path / "panel.ipynb"
    write_notebook(path, "from kafka_internals import canonical, replica_view\n"
                         "from kafka_internals.course.sandbox import sandbox\n"
                         "sandbox(canonical.healthy, replica_view, 'orders-0')")
    text = notebooks.normal(notebooks.executed(path), path.name)
    (output,) = json.loads(text)["cells"][0]["outputs"]
    assert set(output["data"]) == {"text/plain", "image/svg+xml"} and "widgets" not in text
