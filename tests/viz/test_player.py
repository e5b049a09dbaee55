"""The player's Python side: what a cell's output carries, and the file that it saves."""

import base64
import html
import re

import pytest

from kafka_internals.viz import encode, player
from kafka_internals.viz.player import EMBED, Player
from tests.viz import films

PAGE_LIMIT = 150_000                        # bytes beside the film
WIDGET = "application/vnd.jupyter.widget-view+json"


def bundle(film, **more):
    return Player(film, **more)._repr_mimebundle_()[0]


def test_an_output_has_the_widget_a_picture_and_a_sentence():
    data = bundle(films.replicas())
    assert set(data) == {WIDGET, "image/svg+xml", "text/plain"}
    assert data["text/plain"].startswith("orders-0 on three brokers, 11 steps: The fetch at 3")
    assert data["text/plain"].endswith(f"[film {encode.digest(films.replicas())[:12]}]")


def test_a_bet_gives_nothing_away():
    film = films.replicas()
    data = bundle(film, spoiler=True)
    assert data["text/plain"] == (
        f"Run this cell to play 11 steps [film {encode.digest(film)[:12]}]")
    first, told = (film["frames"]["truth"][i]["say"] for i in (0, 7))
    assert first[:30] in data["image/svg+xml"] and told[:30] not in data["image/svg+xml"]
    assert Player(film, spoiler=True).card["event"] == 377


def test_the_same_film_gives_the_same_output():
    one, two = bundle(films.replicas()), bundle(films.replicas())
    assert all(one[mime] == two[mime] for mime in ("text/plain", "image/svg+xml"))
    assert Player(films.replicas()).film == Player(films.replicas()).film


def test_one_step_and_none_are_said_in_words():
    assert "3 steps" in repr(Player(films.hostile()))
    assert repr(Player(films.empty())).startswith("Nothing yet, 0 steps: Nothing has happened yet.")


@pytest.mark.parametrize("make", films.ALL)
def test_a_saved_page_is_one_small_file_that_loads_nothing(make, tmp_path):
    page = Player(make()).save(tmp_path / "film.html").read_text(encoding="utf-8")
    film = re.search(r"x-kafka-film[^>]*>([^<]*)</script>", page)[1]
    assert encode.unpack(base64.b64decode(film)) == make()
    assert len(page.encode()) - len(film) <= PAGE_LIMIT
    assert "default-src 'none'" in page
    for name in ("PAGE", "MOUNT"):                      # the templates with which it saves itself
        page = page.replace(player._constant(name, player._static(f"{name.lower()}.html")), "")
    assert "{{" not in page
    assert not re.search(r"\b(src|href)\s*=\s*[\"'](?!data:|x')", page.split("<script")[0])
    assert page.count("<script") - player.module().count("<script") == 2


def test_the_module_can_stand_in_a_page():
    assert "</script" not in player.module() and "<!--" not in player.module()
    assert "</style" not in player.stylesheet()


def test_embedded_it_is_a_page_in_a_frame(monkeypatch):
    monkeypatch.setenv(EMBED, "embed")
    data = bundle(films.replicas())
    assert set(data) == {"text/html", "image/svg+xml", "text/plain"}
    assert 'sandbox="allow-scripts"' in data["text/html"]
    inner = html.unescape(re.search(r'srcdoc="([^"]*)"', data["text/html"])[1])
    assert inner.startswith("<!doctype html>") and "default-src 'none'" in inner


def test_another_film_is_played_in_the_same_place_and_sent_in_one_message():
    player, sent = Player(films.replicas()), []
    player.send_state = lambda key=None: sent.append(sorted(key))
    player.show(films.hostile())
    assert sent == [["card", "film", "picture"]]
    assert player.source == films.hostile() and repr(player) == repr(Player(films.hostile()))
    assert player._repr_mimebundle_()[0]["image/svg+xml"] == Player(films.hostile()).picture
    player.show(films.replicas(), spoiler=True)
    assert repr(player) == repr(Player(films.replicas(), spoiler=True))
