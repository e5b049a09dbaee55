"""A film that moves by itself: SMIL only, nothing that runs, effects after their causes."""

import xml.etree.ElementTree as ET

import pytest

from kafka_internals.viz import svg
from kafka_internals.viz.svg_film import EFFECT, MOVE, animated
from tests.viz import films

NS = "{http://www.w3.org/2000/svg}"
ALLOWED = {"svg", "title", "desc", "style", "g", "rect", "circle", "line", "path", "text",
           "animate", "animateTransform"}


@pytest.mark.parametrize("make", films.ALL)
def test_it_is_well_formed_and_nothing_runs(make):
    root = ET.fromstring(animated(make()))
    assert {element.tag.removeprefix(NS) for element in root.iter()} <= ALLOWED
    assert not [name for element in root.iter() for name in element.attrib
                if name.startswith("on") or "href" in name]


def test_every_track_has_a_value_for_each_time_and_ends_where_the_film_ends():
    for element in ET.fromstring(animated(films.replicas())).iter():
        if element.tag not in (f"{NS}animate", f"{NS}animateTransform"):
            continue
        times = [float(time) for time in element.get("keyTimes").split(";")]
        assert times == sorted(times) and (times[0], times[-1]) == (0, 1)
        assert len(times) == len(element.get("values").split(";"))
        assert len(times) == len(element.get("keySplines").split(";")) + 1


def test_without_smil_it_shows_the_telling_frame():
    root = ET.fromstring(animated(films.replicas()))
    assert root.findtext(f"{NS}desc") == films.replicas()["frames"]["truth"][7]["say"]
    shown = [text.text for text in root.iter(f"{NS}text")
             if text.get("opacity") == "1" and (text.text or "").startswith("HW")]
    assert shown == ["HW 3", "HW 3", "HW 3", "HW 2"]     # three flags, and what the answer says


def test_effects_wait_until_their_cause_has_arrived():
    assert MOVE[1] < EFFECT[0]


def test_a_part_of_a_film_is_only_as_long():
    part = ET.fromstring(animated(films.replicas(), 3, 5))
    assert {e.get("dur") for e in part.iter(f"{NS}animate")} == {"7.2s"}


def test_a_message_rises_at_its_sender_and_sinks_into_the_receiver():
    film = films.replicas()
    root = ET.fromstring(animated(film))
    tracks = [a.get("values").split(";") for g in root.iter(f"{NS}g")
              for a in g.findall(f"{NS}animateTransform")
              if any("fetch 5 · epoch 1" == t.text for t in g.findall(f"{NS}text"))]
    assert len(tracks) == 1
    ys = list(dict.fromkeys(value.split()[1] for value in tracks[0]))
    assert ys == [f"{films.UP[0][1]}", "332", f"{films.UP[1][1]}"]


def test_an_empty_film_is_its_picture():
    assert animated(films.empty()) == svg.picture(films.empty())
