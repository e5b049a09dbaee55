"""What is wrong in one frame of a film, at one width, is found and named."""

import pytest

from kafka_internals.viz.player import Player
from kafka_internals.viz.scene import Scene
from tests.browser import overlap
from tests.viz import films


def film_with(*more: tuple) -> dict:
    """Three frames; the one in the middle has these texts, too."""
    scenes = []
    for step in range(3):
        scene = Scene("where texts lie")
        scene.rect("box", 40, 60, 640, 40, "batch key-1 committed")
        scene.text("first", 60, 140, "one text")
        for key, x, y, words in more if step == 1 else ():
            scene.text(key, x, y, words)
        scene.caption(f"Frame {step}.")
        scenes.append((step * 1000, step, scene, {}, {}))
    return films.film("Texts", scenes, events=[])


@pytest.mark.parametrize("more, found", [
    ([], []),
    ([("second", 70, 140, "another")], ['step 1: "one text" lies on "another"']),
    ([("second", 700, 300, "too long for its place")],
     ['step 1: "too long for its place" leaves its stage']),
])
def test_it_is_named_with_its_step_at_every_width(view, tmp_path, more, found):
    page = Player(film_with(*more)).save(tmp_path / "film.html")
    assert overlap.check(view(reduced_motion="reduce"), page) == [
        f"{width} px: {what}" for width in overlap.WIDTHS for what in found]


def test_a_player_whose_height_jumps_and_a_page_that_scrolls_are_told(view, tmp_path):
    page = Player(film_with()).save(tmp_path / "film.html")
    page.write_text(page.read_text() + "<style>.ki-player[data-step='1'] { padding-bottom: 99px } "
                    "body { min-width: 700px }</style>")
    wrong = overlap.check(view(reduced_motion="reduce"), page)
    assert [one.split(":")[0] for one in wrong if "height jumps" in one] == [
        "1200 px", "900 px", "600 px"]
    assert [one for one in wrong if "height" not in one] == ["600 px: the page scrolls sideways"]


def test_a_film_that_moves_is_not_walked(view, tmp_path):
    page = Player(film_with()).save(tmp_path / "film.html")
    assert overlap.check(view(), page)[0] == "1200 px: step 1 is not shown at once"
