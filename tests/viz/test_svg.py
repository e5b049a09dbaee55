"""The static picture: small, well formed, harmless, and the same shapes as the player's."""

import re
import xml.etree.ElementTree as ET

import pytest

from kafka_internals.viz import encode, svg
from tests.viz import films

NS = "{http://www.w3.org/2000/svg}"
LIMIT = 15_000                              # bytes
PLAYED = [(make, i) for make in films.ALL
          for i in range(len(make()["frames"]["truth"]))]


def parse(text: str) -> ET.Element:
    return ET.fromstring(text)


@pytest.mark.parametrize("make, index", PLAYED)
def test_every_frame_is_a_small_well_formed_picture(make, index):
    picture = svg.picture(make(), index)
    root = parse(picture)
    assert len(picture.encode()) <= LIMIT
    assert root.get("width") == "100%" and len(root.get("viewBox").split()) == 4
    assert root.findtext(f"{NS}desc") == svg.plain(make()["frames"]["truth"][index]["say"])


@pytest.mark.parametrize("make", films.ALL)
def test_nothing_in_a_picture_can_run_or_load(make):
    for element in parse(svg.picture(make())).iter():
        assert element.tag.removeprefix(NS) in (
            "svg", "title", "desc", "style", "g", "rect", "circle", "line", "path", "text")
        assert not [name for name in element.attrib if name.startswith("on") or "href" in name]
    assert "url(" not in svg.picture(make())


def test_malice_is_shown_as_text():
    for index, value in enumerate(films.HOSTILE):
        root = parse(svg.picture(films.hostile(), index))
        texts = [t.text for t in root.iter(f"{NS}text")]
        assert svg.plain(value[:60]) in texts
        assert not re.search(svg.SHAPES["unsafe"], "".join(root.itertext()))


def test_unpaired_surrogates_can_be_written():
    assert svg.plain("a\ud800b").encode("utf-8") == b"a\\ud800b"


def test_colours_are_written_in_on_a_white_ground():
    picture = svg.picture(films.replicas())
    assert "var(" not in picture
    assert parse(picture).find(f"{NS}rect").get("fill") == "#FFFFFF"


def test_groups_are_nested_and_drawn_in_order_of_z():
    root = parse(svg.picture(films.replicas(), 3))
    pills = [g for g in root.iter(f"{NS}g") if any("fetch" in (t.text or "")
             for t in g.findall(f"{NS}text"))]
    assert len(pills) == 1 and pills[0].get("transform").startswith("translate(")
    z = [shape["z"] for _, shape in svg._ordered(
        encode.materialise(films.replicas()["frames"]["truth"])[3], 0, None)]
    assert z == sorted(z)


def test_two_futures_stand_in_one_picture():
    root = parse(svg.picture(films.two_futures()))
    assert float(root.get("viewBox").split()[2]) == 2 * 410 + svg.BETWEEN


def test_lines_break_between_words_and_fit():
    lines = svg.wrap("one two three four five", 90)
    assert " ".join(lines) == "one two three four five"
    assert len(lines) > 1 and all(svg.width_of(line, 17) <= 90 for line in lines)


def test_a_film_without_frames_says_so():
    assert "Nothing has happened yet" in svg.picture(films.empty())
