"""The panels in a real JupyterLab, driven by mouse and keyboard."""

import functools
import re

import pytest
from playwright.sync_api import expect

from kafka_internals.tools.browser import write_notebook
from tests.browser.test_player import CELLS, STEAL

SANDBOX = """from kafka_internals import canonical, replica_view
from kafka_internals.course.broker_missions import missions
from kafka_internals.course.sandbox import sandbox
sandbox(canonical.healthy, replica_view, "orders-0", missions=missions())"""
BENCH = """from kafka_internals.course.byte_bench import byte_bench
from tests.storage.segments import batch
byte_bench(batch(0, 1).buffer + batch(2, 3).buffer, position=70)"""
TUNING = """from kafka_internals.course.tuning_panel import tuning_panel
tuning_panel()"""
INSIDE = """() => { const box = document.querySelector('.ki-controls').getBoundingClientRect();
  return [...document.querySelectorAll('.ki-controls :is(button, select, input, label, pre, li)')]
    .filter(e => e.offsetParent).map(e => [e.textContent, e.getBoundingClientRect()])
    .filter(([, r]) => r.right > box.right + 1 || r.left < box.left - 1).map(([t]) => t) }"""
TWO_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


@pytest.fixture(scope="module")
def books(lab):
    write_notebook(lab.root / "sandbox.ipynb", SANDBOX, "1 + 1")
    write_notebook(lab.root / "bench.ipynb", BENCH, "1 + 1")
    write_notebook(lab.root / "tuning.ipynb", TUNING, "1 + 1")
    return lab


class Panelled:
    """A notebook with one panel, and what a person does with it."""

    def __init__(self, view, lab, name: str) -> None:
        self.view = view
        view.run_notebook(lab, name)
        self.page = view.page
        self.controls = self.page.locator(".ki-controls")

    def anew(self) -> "Panelled":
        """Itself, with a panel that nobody has touched."""
        self.view.clean()
        self.widen(1280)
        self.controls.evaluate("controls => { controls.dataset.old = 1 }")
        self.view.command("notebook:run-all-cells")
        self.page.wait_for_selector(".ki-controls:not([data-old])")
        self.page.wait_for_selector(".ki-player[data-step] svg rect, .ki-still img")
        return self

    def widen(self, width: int) -> None:
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.evaluate(TWO_FRAMES)

    def field(self, label: str):
        return self.controls.get_by_label(label, exact=True)

    def button(self, word: str):
        return self.controls.get_by_role("button", name=word, exact=True)

    def says(self, text: str) -> None:
        expect(self.page.locator(".ki-message")).to_contain_text(text)

    def caption(self, text: str) -> None:
        expect(self.page.locator(".ki-caption")).to_contain_text(text)


@pytest.fixture(scope="module")
def panel(books, shared):
    """name -> the panel of that notebook, opened once."""
    return functools.cache(lambda name: Panelled(shared(), books, name))


@pytest.fixture
def sandbox(panel) -> Panelled:
    return panel("sandbox.ipynb").anew()


@pytest.fixture
def tuning(panel) -> Panelled:
    return panel("tuning.ipynb").anew()


@pytest.fixture
def bench(panel) -> Panelled:
    return panel("bench.ipynb").anew()


def test_a_mission_is_done_with_the_mouse(sandbox):
    page = sandbox.page
    expect(page.locator(".ki-missions .ki-open")).to_have_count(3)
    for broker in ("2", "3"):
        sandbox.controls.locator(".ki-row").nth(2).locator("select").first.select_option(broker)
        sandbox.field("by").select_option("5 s")
        sandbox.field("then let pass").select_option("1 s")
        sandbox.button("Slow its fetches").click()
        sandbox.says("Slow its fetches:")
    sandbox.button("Let time pass").click()
    sandbox.says("Let time pass: 2,000.0 to 3,000.0 ms.")
    sandbox.field("acks").select_option("1")
    sandbox.field("then let pass").select_option("5 ms")
    sandbox.button("Send").click()
    sandbox.caption("orders-0 offset 0")
    sandbox.button("Power loss").click()
    sandbox.says("Mission done: Lose a record that was acknowledged.")
    sandbox.caption("Broker 1 loses power")
    expect(page.locator(".ki-missions .ki-done")).to_contain_text(
        ["done Lose a record that was acknowledged."])
    sandbox.button("As Python").click()
    expect(page.locator(".ki-controls pre")).to_contain_text("cluster.power_loss(1)")
    assert page.locator(".ki-player").count() == 1


def test_it_is_done_with_the_keyboard_and_lab_hears_nothing(sandbox):
    page = sandbox.page
    before = page.evaluate(CELLS)
    sandbox.field("records").focus()
    page.keyboard.press("ArrowDown")
    expect(sandbox.field("records")).to_have_value("10")
    page.keyboard.press("Tab")
    expect(sandbox.field("acks")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(sandbox.button("Send")).to_be_focused()
    page.keyboard.press("Enter")
    sandbox.says("Send: 0.0 to 20.0 ms.")
    sandbox.button("Let time pass").focus()
    page.keyboard.press("Space")
    sandbox.says("Let time pass: 20.0 to 40.0 ms.")
    for target in (sandbox.button("Let time pass"), sandbox.field("acks"),
                   sandbox.controls.locator("summary").first):
        target.focus()
        for key in STEAL:
            page.keyboard.press(key)
    assert page.evaluate(CELLS) == before


def test_an_error_is_shown_in_the_panel_and_the_film_stays(sandbox):
    sandbox.button("Kill").click()
    sandbox.says("Kill: 0.0 to 20.0 ms.")
    expect(sandbox.page.locator(".ki-log")).to_contain_text("broker 1 is killed")
    said = sandbox.page.inner_text(".ki-caption")
    sandbox.button("Kill").click()
    sandbox.says("IllegalStateException: kill(1): broker 1 is")
    expect(sandbox.controls.get_by_role("alert")).to_be_visible()
    assert sandbox.page.inner_text(".ki-caption") == said
    sandbox.button("Restart").click()
    sandbox.caption("broker 1 leads")


def test_the_film_is_played_by_its_keys_after_each_command(sandbox):
    for _ in range(2):
        sandbox.button("Send").click()
        sandbox.page.wait_for_function(
            "() => document.querySelector('.ki-player').dataset.step > 4")
        sandbox.page.locator(".ki-player").focus()
        sandbox.page.keyboard.press("Home")
        sandbox.view.at(0)
        sandbox.page.keyboard.press("ArrowRight")
        sandbox.view.at(1)


@pytest.mark.parametrize("width", [1280, 900, 700])
@pytest.mark.parametrize("name", ["sandbox.ipynb", "bench.ipynb", "tuning.ipynb"])
def test_nothing_leaves_the_panel_and_every_control_has_a_label(panel, width, name):
    opened = panel(name)
    opened.widen(width)
    assert opened.page.evaluate(INSIDE) == []
    for one in opened.controls.locator("select, input").all():
        assert one.evaluate("e => e.labels[0].innerText.trim()")
        assert one.evaluate("e => e.labels[0].scrollWidth <= e.labels[0].clientWidth")


def test_a_byte_is_changed_by_typing_and_put_back(bench):
    page = bench.page
    bench.caption("as it was written")
    bench.field("new value, hex").fill("ff")
    page.keyboard.press("Enter")
    bench.says("0x00 becomes 0xff: noticed by checksum, reader, recovery.")
    bench.caption("becomes 0xff")
    bench.button("As it was").click()
    bench.caption("as it was written")
    expect(bench.field("new value, hex")).to_have_value("00")
    bench.field("byte").fill("12")
    page.keyboard.press("Enter")
    bench.says("Byte 12 is 0x00, as it was written.")
    bench.field("new value, hex").fill("7f")
    bench.button("Change").click()
    bench.says("in partition_leader_epoch: 0x00 becomes 0x7f: nobody notices.")
    bench.button("One on").click()
    bench.says("Byte 13 is 0x00, as it was written.")
    assert page.locator(".ki-player").count() == 1


def test_what_is_no_byte_is_told_in_the_panel(bench):
    bench.field("new value, hex").fill("zz")
    bench.page.keyboard.press("Enter")
    bench.says("ValueError: 'zz' is no byte: write 00 to ff")
    bench.caption("as it was written")


LISTEN = """() => { window.__said = [];
  const listen = changes => window.__said.push(
    ...changes.flatMap(one => [...one.addedNodes].map(node => node.textContent)));
  new MutationObserver(listen).observe(document.querySelector('.ki-controls'),
                                       { childList: true, subtree: true }) }"""


def charted(panel: Panelled, text: str) -> None:
    image = panel.page.locator(".ki-still img")
    expect(image).to_have_attribute("alt", re.compile(re.escape(text)), timeout=60_000)


def test_the_chart_follows_a_choice_and_fills_in_point_by_point(tuning):
    charted(tuning, "against linger.ms, 5 is chosen. 0: 21.0 ms")
    tuning.page.evaluate(LISTEN)
    tuning.field("compression.type").select_option("zstd")
    tuning.says("mean 7.0 ms, 99 of 100 within 9.9 ms; packing takes 0.8 %")
    charted(tuning, "; 20: ")
    said = tuning.page.evaluate("window.__said")
    assert [number for number in range(1, 5) if any(f"Run {number} of 5." in one for one in said)] \
        == [1, 2, 3, 4]
    tuning.field("against").select_option("acks")
    charted(tuning, "against acks, all is chosen. all: 7.0 ms")
    charted(tuning, "; 0: ")
    image = tuning.page.locator(".ki-still img")
    assert image.evaluate("e => e.decode().then(() => e.clientWidth)") > 400


def test_a_newer_choice_is_followed_while_the_older_one_still_runs(tuning):
    tuning.field("records a second").select_option("12,000")
    tuning.field("linger.ms").select_option("20")
    tuning.field("acks").select_option("1")
    tuning.says("of 12,000 records a second are answered")
    charted(tuning, "against linger.ms, 20 is chosen.")
    charted(tuning, "; 10: ")
    tuning.button("Kafka's defaults").click()
    charted(tuning, "against linger.ms, 5 is chosen. 0: 21.0 ms")
    expect(tuning.field("acks")).to_have_value("all")


def test_the_chart_is_tuned_with_the_keyboard_and_lab_hears_nothing(tuning):
    page = tuning.page
    before = page.evaluate(CELLS)
    tuning.field("linger.ms").focus()
    page.keyboard.press("ArrowUp")
    charted(tuning, "against linger.ms, 2 is chosen. 0: 21.0 ms")
    page.keyboard.press("Tab")
    expect(tuning.field("batch.size")).to_be_focused()
    for key in STEAL:
        page.keyboard.press(key)
    assert page.evaluate(CELLS) == before
