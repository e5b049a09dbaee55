"""The tuning panel: it follows what is chosen, point by point, and a newer choice wins."""

import asyncio
import json

import pytest

from kafka_internals.course import tuning_panel as module
from kafka_internals.course.panel import VIEW
from kafka_internals.course.tuning import tuned
from kafka_internals.course.tuning_panel import FIELDS, TuningPanel, tuning_panel


@pytest.fixture
def panel() -> TuningPanel:
    return tuning_panel()


def test_it_begins_with_kafkas_defaults_against_linger_ms(panel):
    assert panel.settings == {
        "records_per_s": 8_000, "linger_ms": 5, "batch_size": 16_384, "compression_type": "none",
        "acks": "all", "max_in_flight_requests_per_connection": 5}
    assert panel.sweep.setting == "linger.ms" and panel.sweep.at(5) == tuned()
    assert "Chosen: 7,858 of 8,000 records a second are answered, mean 9.5 ms" \
        in panel.message.value


def test_its_plain_form_is_the_stored_chart_in_words(panel):
    data, _ = panel._repr_mimebundle_()
    assert set(data) == {"text/plain", "image/svg+xml", VIEW}
    assert data["text/plain"] == repr(tuning_panel()) == (
        f"Run this cell for a panel of six settings over a chart. {panel.still.say}")
    assert "against linger.ms, 5 is chosen. 0: 21.0 ms" in data["text/plain"]
    assert data["image/svg+xml"] == panel.still.picture == tuning_panel().still.picture


def test_in_an_exported_page_the_chart_stands(panel, monkeypatch):
    monkeypatch.setenv("KAFKA_INTERNALS_RENDER", "embed")
    data, _ = panel._repr_mimebundle_()
    assert VIEW not in data and "This panel needs a kernel" in data["text/html"]
    assert "record-queue-time-avg" in data["text/html"]


def test_the_chart_follows_a_choice(panel):
    panel.fields["compression_type"].value = "zstd"
    assert panel.sweep.at(5) == tuned(compression_type="zstd")
    assert "packing takes 0.8 % of an application" in panel.message.value
    panel.fields["against"].value = "acks"
    assert panel.sweep.setting == "acks" and panel.sweep.values == ("all", "1", "0")
    assert "against acks, all is chosen" in panel.still.say
    panel.fields["records_per_s"].value = 1_000
    assert panel.sweep.at("1") == tuned(1_000, compression_type="zstd", acks="1")


def test_kafkas_defaults_come_back_with_one_button(panel):
    panel.fields["acks"].value = "1"
    panel.fields["linger_ms"].value = 0
    panel._reset()
    assert panel.settings == tuning_panel().settings and panel.still.say == tuning_panel().still.say


def test_the_chosen_value_runs_first_and_each_point_is_drawn(panel, monkeypatch):
    seen = []
    monkeypatch.setattr(panel.still, "show", lambda svg, say: seen.append(say))

    async def choose():
        panel.fields["acks"].value = "1"
        await panel._task
    asyncio.run(choose())
    runs = [say.split(" is chosen. ")[1].split("; ") for say in seen]
    assert [len(one) for one in runs] == [1, 2, 3, 4, 5]
    assert runs[0][0].startswith("5: ") and [one[0][:2] for one in runs[1:]] == ["0:"] * 4


def test_a_newer_choice_ends_an_older_sweep(panel, monkeypatch):
    asked = []
    monkeypatch.setattr(module, "tuned", lambda **settings: asked.append(settings) or tuned())

    async def choose():
        panel.fields["acks"].value = "1"
        older = panel._task
        await asyncio.sleep(0)                          # its first point
        panel.fields["acks"].value = "0"
        await panel._task
        assert older.cancelled()
    asyncio.run(choose())
    assert [one["acks"] for one in asked] == ["1"] + ["0"] * 5


def test_an_error_is_told_in_the_panel(panel, monkeypatch):
    def broken(**_):
        raise RuntimeError("no such luck")
    monkeypatch.setattr(module, "tuned", broken)

    async def choose():
        panel.fields["acks"].value = "1"
        await panel._task
    asyncio.run(choose())
    assert "role='alert'" in panel.message.value
    assert "RuntimeError: no such luck" in panel.message.value


def test_every_value_of_every_field_can_be_run():
    for field in FIELDS:
        for option in field.options:
            value = option[1] if isinstance(option, tuple) else option
            assert tuned(**{"records_per_s": 1_000, field.name: value}).records_per_s > 0


def test_nothing_of_the_panel_is_stored(panel):
    data, _ = panel._repr_mimebundle_()
    data.pop(VIEW)
    assert "model_id" not in json.dumps(data)
