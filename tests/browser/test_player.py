"""The player where it is used: JupyterLab, Notebook 7, and a page opened from a file."""

import pytest

from kafka_internals.tools.browser import READY
from kafka_internals.viz.player import EMBED, Player
from tests.browser.overlap import check
from tests.viz import films

ROOT = ".ki-player"
CAPTION = ".ki-caption"
CELLS = ("() => jupyterapp.shell.currentWidget.content.model.cells.length + ':' +"
         " [...jupyterapp.shell.currentWidget.content.widgets].map(w => w.model.type).join()")
STEAL = ("d", "d", "b", "a", "m", "x", "Enter", "Escape")
HARMLESS = """() => ({ pwned: window.__pwn ?? null,
  scripts: document.querySelectorAll('.ki-player script, .ki-player img, .ki-player foreignObject')
    .length,
  handlers: [...document.querySelectorAll('.ki-player, .ki-player *')]
    .filter(e => [...e.attributes].some(a => a.name.startsWith('on'))).length })"""
SAFE = {"pwned": None, "scripts": 0, "handlers": 0}
SHAPES = """stage => [...stage.querySelectorAll(
  'rect:not(.ki-highlight), circle, line, path, text')]
  .map(e => [e.tagName, e.textContent, e.getAttribute('class').replace(' ki-pick', ''),
    ...['x', 'y', 'width', 'height', 'x1', 'y2', 'd', 'transform'].map(n => e.getAttribute(n))]
    .join('|')).sort()"""
UNMARKED = """() => [...document.querySelectorAll(
  '.ki-player, .ki-player :is(button, select, input, [tabindex])')]
  .filter(e => !e.dataset.lmSuppressShortcuts).length"""
WATCH = """() => { window.__moves = 0;
  new MutationObserver(all => { window.__moves += all.filter(m =>
    m.attributeName === 'opacity').length })
    .observe(document.querySelector('.ki-stage'), { subtree: true, attributes: true }) }"""


def say(view) -> str:
    return view.page.inner_text(CAPTION)


def captions() -> list[str]:
    return [frame["say"] for frame in films.replicas()["frames"]["truth"]]


# -- JupyterLab ---------------------------------------------------------------------------------

def test_lab_renders_plays_steals_no_key_and_survives_a_restart(lab, view):
    lab_view = view()
    player, page = lab_view.run_notebook(lab, "player.ipynb"), lab_view.page
    assert say(lab_view) == captions()[7]
    before = page.evaluate(CELLS)
    for target in (ROOT, ".ki-button.ki-play", ".ki-scrub input", ".ki-speed", ".ki-tab"):
        page.locator(target).first.focus()
        for key in STEAL:
            page.keyboard.press(key)
    assert page.evaluate(CELLS) == before
    assert page.evaluate(UNMARKED) == 0
    player.focus()
    page.keyboard.press("Home")
    lab_view.at(0)
    page.keyboard.press("Space")
    lab_view.at(1)
    page.keyboard.press("Space")
    restart(lab_view)
    assert say(lab_view) == captions()[7]
    lab_view.page.locator(ROOT).focus()
    page.keyboard.press("ArrowLeft")
    lab_view.at(6)


def restart(lab_view) -> None:
    page = lab_view.page
    page.evaluate("""() => { document.querySelector('.ki-player').dataset.old = 1;
        jupyterapp.commands.execute('notebook:restart-run-all') }""")
    page.locator(".jp-Dialog button.jp-mod-accept").click()
    page.wait_for_selector(".ki-player[data-step]:not([data-old])", timeout=30_000)


def test_lab_theme_wins_over_the_system(lab, view):
    lab_view = view(color_scheme="dark")
    lab_view.run_notebook(lab, "player.ipynb")
    ground = f"() => getComputedStyle(document.querySelector('{ROOT}')).backgroundColor"
    assert lab_view.page.evaluate(ground) == "rgb(255, 255, 255)"
    lab_view.page.evaluate(
        "() => jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    lab_view.page.wait_for_function(f"({ground})() === 'rgb(17, 20, 24)'")


def test_lab_shows_that_the_kernel_is_gone_and_goes_on(lab, view):
    lab_view = view()
    player = lab_view.run_notebook(lab, "player.ipynb")
    assert not lab_view.page.is_visible(".ki-no-kernel")
    lab_view.page.evaluate("() => { jupyterapp.commands.execute('notebook:restart-kernel') }")
    lab_view.page.locator(".jp-Dialog button.jp-mod-accept").click()
    lab_view.page.wait_for_selector(".ki-no-kernel", state="visible")
    lab_view.page.wait_for_function(READY)
    player.focus()
    lab_view.page.keyboard.press("End")
    lab_view.at(10)


def test_lab_shows_malice_as_text(lab, view):
    lab_view = view()
    lab_view.run_notebook(lab, "hostile.ipynb")
    lab_view.page.locator(ROOT).focus()
    for step, key in enumerate(("Home", "ArrowRight", "ArrowRight")):
        lab_view.page.keyboard.press(key)
        lab_view.at(step)
    assert lab_view.page.evaluate(HARMLESS) == SAFE


def test_notebook_7_renders_and_steps(notebook7, view):
    seven = view()
    player = seven.run_notebook(notebook7, "player.ipynb", "notebooks")
    player.focus()
    seven.page.keyboard.press("ArrowLeft")
    seven.at(6)
    assert say(seven) == captions()[6]


# -- a page from a file -------------------------------------------------------------------------

def test_the_picture_in_the_page_is_what_the_player_draws(pages, view):
    still, live = view(java_script_enabled=False), view()
    still.page.goto(pages["replicas"].as_uri())
    live.open_file(pages["replicas"])
    live.page.keyboard.press("End")
    with_script, without = (one.page.locator(".ki-stage").evaluate(SHAPES)
                            for one in (live, still))
    assert with_script == without and len(without) > 100


def test_page_plays_to_the_end_and_scrubs_back(pages, view):
    one = view()
    player = one.open_file(pages["replicas"])
    player.focus()
    one.page.keyboard.press("End")
    one.page.keyboard.press("ArrowLeft")
    for _ in range(2):
        one.page.keyboard.press(".")
    assert one.page.input_value(".ki-speed") == "4"
    one.page.keyboard.press("Space")
    assert one.page.get_attribute(CAPTION, "aria-live") == "off"
    one.at(10)
    one.page.wait_for_selector(".ki-play[aria-label^='Play']")
    assert one.page.get_attribute(CAPTION, "aria-live") == "polite"
    box = one.page.locator(".ki-track").bounding_box()
    one.page.mouse.move(box["x"] + box["width"], box["y"] + 42)
    one.page.mouse.down()
    seen = []
    for share in range(19, -1, -1):
        one.page.mouse.move(box["x"] + box["width"] * share / 20, box["y"] + 42)
        seen.append(int(player.get_attribute("data-step")))
    one.page.mouse.up()
    assert seen == sorted(seen, reverse=True) and seen[-1] == 0 and len(set(seen)) == 11
    assert say(one) == captions()[0]


def test_every_key_of_the_list(pages, view):
    one = view()
    one.open_file(pages["replicas"]).focus()
    press = one.page.keyboard.press
    for key, step in (("Home", 0), ("PageDown", 10), ("PageUp", 0), ("End", 10), ("[", 9),
                      ("[", 7), ("]", 9), ("ArrowLeft", 8)):
        press(key)
        one.at(step)
    press("i")
    assert one.page.get_attribute(".ki-tab:focus", "aria-pressed") == "true"
    assert "Replica on broker 2" in one.page.inner_text(".ki-panel-body")
    press("w")
    assert "Why is the" in one.page.inner_text(".ki-panel-body")
    press("l")
    press("ArrowDown")
    press("Enter")
    one.at(9)
    press("?")
    assert one.page.is_visible(".ki-help")
    press("Escape")
    assert not one.page.is_visible(".ki-help")
    press("b")
    assert "As broker 3 believes" in say(one)
    press("b")
    assert say(one) == captions()[9]
    press(",")
    assert one.page.input_value(".ki-speed") == "0.5"


def test_why_follows_four_links_and_numbers_causes_on_the_stage(pages, view):
    one = view()
    one.open_file(pages["replicas"]).focus()
    one.page.keyboard.press("End")
    one.page.wait_for_selector(".ki-stage:not(.ki-live)")
    one.page.locator("[data-key='b2/log/hw/text']").click()
    panel = one.page.locator(".ki-panel-why")
    assert panel.locator(".ki-panel-title").inner_text().startswith("Why is the high watermark 5?")
    assert panel.locator("li:not(.ki-link)").count() == 5
    assert panel.locator("li.ki-link").count() > 0
    assert "Before that: " in panel.locator(".ki-ending").inner_text()
    numbers = one.page.locator(".ki-ring text").all_text_contents()
    assert numbers == panel.locator(".ki-number").all_inner_texts() and len(numbers) > 1
    one.page.keyboard.press("Home")
    one.at(0)
    assert "before this film began" in panel.inner_text()
    one.page.locator(".ki-log button").nth(3).click()
    one.at(2)
    assert "Waiting for broker 3 to fetch at 5" in panel.inner_text()


def test_highlighter_marks_what_the_step_changed(pages, view):
    one = view(reduced_motion="reduce")
    one.open_file(pages["replicas"]).focus()
    one.page.keyboard.press("Home")
    one.page.keyboard.press("ArrowRight")
    one.at(1)
    assert one.page.locator(".ki-stage .ki-highlight").count() == 5  # leader, epoch, ISR, dead
    assert one.page.locator(".ki-log .ki-here").count() == 2


def test_two_futures_stand_side_by_side(pages, view):
    one = view()
    one.open_file(pages["two_futures"])
    lefts = [s.bounding_box()["x"] for s in one.page.locator(".ki-stage").all()]
    assert len(lefts) == 2 and lefts[0] < lefts[1]
    assert one.page.locator(".ki-differ").count() == 1
    assert one.page.locator(".ki-lane-b").count() == 2
    one.page.set_viewport_size({"width": 640, "height": 900})
    tops = [s.bounding_box()["y"] for s in one.page.locator(".ki-stage").all()]
    assert tops[0] < tops[1]


@pytest.mark.parametrize("width, beside, columns", [(1124, True, 1), (760, False, 2),
                                                    (600, False, 1)])
def test_the_layout_follows_the_width_of_the_player(pages, view, width, beside, columns):
    one = view(viewport={"width": width, "height": 1000})
    one.open_file(pages["replicas"])
    stage, why, log = (one.page.locator(look).bounding_box()
                       for look in (".ki-stages", ".ki-panel-why", ".ki-panel-log"))
    assert (why["x"] > stage["x"] + stage["width"] - 1) is beside
    assert (abs(why["y"] - log["y"]) < 1) is (columns == 2)


def test_printed_it_is_light_on_white(pages, view):
    one = view(color_scheme="dark")
    one.open_file(pages["replicas"])
    one.page.emulate_media(media="print")
    ground = f"getComputedStyle(document.querySelector('{ROOT}')).backgroundColor"
    assert one.page.evaluate(ground) == "rgb(255, 255, 255)"
    assert not one.page.is_visible(".ki-buttons")


def test_what_lies_on_a_shape_does_not_catch_its_click(pages, view):
    one = view()
    one.open_file(pages["replicas"])
    for key in ("b2/log/batch/epoch-1/0", "b1/log/batch/epoch-1/3"):     # filled, and a ghost
        one.page.locator(f"[data-key='{key}']").click()
        title = f"Replica on broker {key[1]}"
        assert one.page.inner_text(".ki-panel-why .ki-panel-title").startswith(title)
        assert title in one.page.inner_text(".ki-tip")


def test_what_can_be_clicked_can_be_reached_by_keyboard(pages, view):
    one = view()
    one.open_file(pages["replicas"]).focus()
    one.page.keyboard.press("i")
    rows = one.page.locator(".ki-things:not([hidden]) button").all_inner_texts()
    assert "Replica on broker 1" in rows
    assert "Why: high watermark of orders-0 on broker 3" in rows
    one.page.get_by_text("Why: ISR of orders-0").press("Enter")
    assert one.page.locator(".ki-panel-why .ki-panel-title").inner_text().startswith(
        "Why is the ISR 2, 3?")


def test_saved_in_the_browser_it_plays_again(pages, view, tmp_path):
    one = view()
    one.open_file(pages["replicas"]).focus()
    one.page.keyboard.press("End")
    one.page.keyboard.press("ArrowLeft")
    one.at(9)
    with one.page.expect_download() as download:
        one.page.keyboard.press("s")
    copy = tmp_path / download.value.suggested_filename
    download.value.save_as(copy)
    assert copy.name == "orders-0-on-three-brokers.html"
    again = view()
    again.open_file(copy).focus()
    again.at(9)
    assert say(again) == captions()[9]
    again.page.keyboard.press("Home")
    again.at(0)


def test_reduced_motion_has_no_tween(pages, view):
    for options, moved in (({}, True), ({"reduced_motion": "reduce"}, False)):
        one = view(**options)
        one.open_file(pages["replicas"]).focus()
        one.page.keyboard.press("Home")
        one.page.wait_for_timeout(300)
        one.page.evaluate(WATCH)
        one.page.keyboard.press("ArrowRight")
        one.page.wait_for_timeout(1100)
        assert (one.page.evaluate("window.__moves") > 10) is moved


def test_malice_stays_text_in_the_page_and_in_the_picture(pages, view, tmp_path):
    one = view()
    one.open_file(pages["hostile"]).focus()
    shown = []
    for step, key in enumerate(("Home", "ArrowRight", "ArrowRight")):
        one.page.keyboard.press(key)
        one.at(step)
        one.page.keyboard.press("i")
        shown.append(say(one))
        one.page.locator("[data-key='record']").hover()
    assert shown == ["The value is " + text + "." for text in (
        films.MARKUP, "nul\\u0000bell\\u0007esc\\u001b[31m\\u000aline",
        "abc\\u202edef\\u2066ghi\\u200f")]
    assert one.page.evaluate(HARMLESS) == SAFE


@pytest.mark.parametrize("broken, said", [
    ("bytes", "Its bytes could not be read"), ("version", "It is of format 9")])
def test_a_film_that_cannot_be_read_keeps_its_picture(view, tmp_path, broken, said):
    film = films.replicas() | ({"v": 9} if broken == "version" else {})
    page = Player(film)
    if broken == "bytes":
        page.film = page.film[:200]
    one = view()
    one.page.goto(page.save(tmp_path / "broken.html").as_uri())
    one.page.wait_for_selector(".ki-state.ki-bad")
    assert said in one.page.inner_text(".ki-state")
    assert one.page.is_visible(".ki-stage, .ki-fallback")


def test_nothing_to_play_says_what_helps(pages, view):
    one = view()
    one.page.goto(pages["empty"].as_uri())
    one.page.wait_for_selector(".ki-state code")
    assert "cluster.run(ms=100)" in one.page.inner_text(".ki-state")


@pytest.mark.parametrize("name", ["replicas", "two_futures"])
def test_texts_do_not_overlap(pages, view, name):
    assert check(view(reduced_motion="reduce"), pages[name]) == []


def test_embedded_page_is_as_high_as_its_content(view, tmp_path, monkeypatch):
    monkeypatch.setenv(EMBED, "embed")
    data, _ = Player(films.replicas())._repr_mimebundle_()
    outer = tmp_path / "outer.html"
    outer.write_text(f"<!doctype html><meta charset='utf-8'>{data['text/html']}", encoding="utf-8")
    one = view()
    one.page.goto(outer.as_uri())
    frame = one.page.frame_locator("iframe")
    frame.locator(".ki-player[data-step]").wait_for()
    one.page.wait_for_function("() => document.querySelector('iframe').offsetHeight < 1000")
    height = one.page.evaluate("document.querySelector('iframe').offsetHeight")
    assert height == frame.locator("body").evaluate("body => body.scrollHeight")
    assert frame.get_by_text("Save as a file").count() == 0
