"""Charts of quantities: what they say is what was measured, and the cost model stands beside."""

import xml.etree.ElementTree as ElementTree

import pytest

from kafka_internals.cluster.cost_model import CostModel
from kafka_internals.viz.quantities import (
    CostTable,
    Depths,
    Fetched,
    Measured,
    Sweep,
    depth_chart,
    read_chart,
    sweep_chart,
)

COST = CostModel()
SWEEP = Sweep("linger.ms", (0, 5, 20), (
    Measured("busy broker", 9.0, 12, 3_600, 2_000), Measured("busy broker", 3.0, 5, 3_900, 800),
    Measured("busy broker", 12.0, 15, 3_900, 200), Measured("idle broker", 1.0, 2, 200, 200),
    Measured("idle broker", 6.0, 7, 200, 200), Measured("idle broker", 21.0, 22, 190, 100)),
    COST, "one handler thread")
DEPTHS = Depths(((0.0, 0, 0, 0), (1.0, 3, 1, 0), (1.0, 2, 1, 0), (2.0, 0, 0, 5), (4.0, 0, 0, 0)),
                500, 8, COST)
READ = Fetched(((0, 110), (60, 110), (120, 10)), 100, COST)


def _texts(chart):
    return "".join(ElementTree.fromstring(chart.chart.svg).itertext())


@pytest.mark.parametrize("draw, data", [(sweep_chart, SWEEP), (depth_chart, DEPTHS),
                                        (read_chart, READ)])
def test_a_chart_is_the_same_every_time_and_names_its_cost_model(draw, data):
    chart = draw(data)
    assert chart.chart.svg == draw(data).chart.svg
    assert COST.described() in _texts(chart)


def test_a_sweep_says_where_each_load_was_fastest_and_labels_its_lines():
    chart = sweep_chart(SWEEP)
    assert "busy broker: 9.0 ms at 0, least 3.0 ms at 5, 12.0 ms at 20, 2000 requests a second " \
           "down to 200" in repr(chart)
    assert "idle broker: 1.0 ms at 0, least 1.0 ms at 0, 21.0 ms at 20" in repr(chart)
    told = _texts(chart)
    assert all(word in told for word in ("busy broker", "idle broker", "linger.ms",
                                         "one handler thread", "requests a second"))


def test_a_setting_over_several_decades_has_plain_numbers_on_a_logarithmic_axis():
    wide = SWEEP._replace(setting="batch.size", values=(100, 1_000, 16_384))
    assert "1,000" in _texts(sweep_chart(wide)) and "mathdefault" not in _texts(sweep_chart(wide))


def test_depths_say_the_most_of_each():
    assert repr(depth_chart(DEPTHS)) == (
        "A broker over 4 ms: at most 3 of 500 requests in the queue, 1 of 8 handlers busy, 5 "
        "requests in the purgatory.")


def test_a_read_says_what_each_kind_took():
    assert "from the disk: 2 fetches, 110 to 110 us; from the page cache: 1 fetches, 10 to 10 us" \
        in repr(read_chart(READ))


def test_the_cost_table_gives_each_task_its_cost_and_its_reason():
    told, page = repr(CostTable(COST)), CostTable(COST)._repr_html_()
    for row in COST.rows():
        assert f"{row.value} {row.unit}" in told and row.reason in told and row.reason in page
    assert {row.value for row in COST.rows()} == {
        value for value in (*COST, *COST.disk) if isinstance(value, int) and value}


def test_a_chart_in_a_notebook_shows_the_table_in_a_fold_beside_it(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    chart = read_chart(READ)
    chart._ipython_display_()
    assert shown[0] is chart.chart and isinstance(shown[1], CostTable)
    assert shown[1]._repr_html_().startswith("<details><summary>")
