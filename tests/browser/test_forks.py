"""Forking in the player: a moment, one change, both futures on one clock, and the way back."""

import re

import pytest

from kafka_internals.tools.browser import Server, write_notebook
from kafka_internals.viz.replication_view import replication_view
from tests.viz import failovers

FILM = ("from kafka_internals.viz.replication_view import replication_view\n"
        "from tests.viz import failovers\n"
        "cluster = failovers.parted_logs()\n")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server("jupyterlab", tmp_path_factory.mktemp("forks"))
    write_notebook(server.root / "fork.ipynb", FILM, "replication_view.film(cluster, 'orders-0')")
    yield server.wait()
    server.stop()


def _at(view, player, step: int) -> None:
    player.focus()
    view.page.keyboard.press("Home")
    for at in range(1, step + 1):
        view.page.keyboard.press("ArrowRight")
        view.page.wait_for_function(
            f"() => document.querySelector('.ki-player').dataset.step === '{at}'")


@pytest.mark.parametrize("theme", ("light", "dark"))
def test_a_fork_is_made_by_the_keyboard_and_left_again(view, server, theme):
    opened = view(viewport={"width": 900, "height": 1000}, color_scheme=theme,
                  reduced_motion="reduce")
    player = opened.run_notebook(server, "fork.ipynb")
    _at(opened, player, 20)
    caption = player.locator(".ki-caption").inner_text()
    opened.page.keyboard.press("f")
    box = player.get_by_role("dialog", name="Fork")
    assert box.is_visible() and "step 21" in box.inner_text()
    chooser = box.get_by_label("What changes here", exact=True)
    assert chooser.evaluate("e => e === document.activeElement")
    opened.page.keyboard.press("Escape")
    assert not box.is_visible() and player.evaluate("e => e === document.activeElement")
    opened.page.keyboard.press("f")
    chooser.select_option("kill-3")
    box.get_by_label("How long both go on", exact=True).select_option("0")
    box.get_by_role("button", name="See both futures").focus()
    opened.page.keyboard.press("Enter")
    opened.page.wait_for_selector(".ki-stages[data-count='2'] svg rect")
    two = opened.page.locator(".ki-player").first
    assert two.locator("figcaption").all_inner_texts() == ["A\nas it was", "B\nkill broker 3"] or \
        [re.sub(r"\s+", " ", text) for text in two.locator("figcaption").all_inner_texts()] \
        == ["A as it was", "B kill broker 3"]
    assert two.locator(".ki-caption").inner_text() == caption        # it begins where it parts
    assert two.evaluate("e => e === document.activeElement")
    opened.page.keyboard.press("End")
    opened.page.wait_for_function("() => document.querySelector('.ki-diff')")
    assert "crashed" in two.locator(".ki-diff").inner_text()
    opened.page.keyboard.press("f")
    opened.page.wait_for_selector(".ki-stages[data-count='1'] svg rect")
    assert opened.page.locator(".ki-caption").first.inner_text() == caption


def test_what_makes_no_sense_there_is_refused_and_can_be_chosen_anew(view, server):
    opened = view(reduced_motion="reduce")
    player = opened.run_notebook(server, "fork.ipynb")
    player.focus()
    opened.page.keyboard.press("End")
    player.get_by_role("button", name="Fork here").click()
    box = player.get_by_role("dialog", name="Fork")
    box.get_by_label("What changes here", exact=True).select_option("leader")
    box.get_by_label("How long both go on", exact=True).select_option("0")
    opened.page.evaluate("document.querySelector('.ki-fork-box select').append("
                         "Object.assign(document.createElement('option'), {value: 'x'}))")
    box.get_by_label("What changes here", exact=True).select_option("x")
    box.get_by_role("button", name="See both futures").click()
    box.get_by_text("was not offered").wait_for()
    box.get_by_label("What changes here", exact=True).select_option("leader")
    box.get_by_role("button", name="See both futures").click()
    opened.page.wait_for_selector(".ki-stages[data-count='2'] svg rect")


def test_a_kernel_that_is_gone_says_so(view, server):
    opened = view(reduced_motion="reduce")
    player = opened.run_notebook(server, "fork.ipynb")
    player.evaluate("e => e.parentElement.classList.add('ki-kernel-gone')")
    player.get_by_role("button", name="Fork here").click()
    box = player.get_by_role("dialog", name="Fork")
    assert "Its kernel is gone: run the cell again to fork." in box.inner_text()
    assert box.get_by_role("button", name="See both futures").is_disabled()


def test_a_page_without_a_kernel_has_no_button(view, tmp_path):
    page = replication_view.film(failovers.parted_logs(), "orders-0").save(tmp_path / "film.html")
    opened = view(reduced_motion="reduce")
    player = opened.open_file(page)
    assert player.get_by_role("button", name="Fork here").count() == 0
    player.focus()
    opened.page.keyboard.press("f")
    assert not player.locator(".ki-fork-box").is_visible()
    opened.page.keyboard.press("?")
    assert "fork" not in player.get_by_role("dialog", name="Keys").inner_text()
