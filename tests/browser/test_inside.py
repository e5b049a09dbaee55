"""A click on a request opens its bytes, its place and its pages; Escape leads back."""

import pytest

from kafka_internals.tools.browser import write_notebook
from kafka_internals.viz.accumulator_view import accumulator_view
from kafka_internals.viz.pipeline_view import pipeline_view
from kafka_internals.viz.player import page
from tests.browser import overlap
from tests.browser.test_player import CELLS, STEAL, UNMARKED
from tests.viz.test_inside import produce

PILL = "[data-key='t/request-producer-1.3/pill']"
IN_LOG = "[data-key='log/batch/kind-1/0']"
LABELS = ["its bytes", "where it lies", "its pages"]
CODE = ("from kafka_internals import Cluster, pipeline_view\n"
        "cluster = Cluster(seed=7)\n"
        "cluster.create_topic('orders', replica_assignment={0: [1, 2, 3]})\n"
        "cluster.producer(acks='all').send('orders', 'paid', key='ada')\ncluster.run(ms=20)\n"
        "cluster.film(pipeline_view, 'orders-0')")
PICKED = "player => [...player.querySelectorAll('.ki-same')].map(e => e.dataset.key)"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """{name: page}: the film of the broker, and that of the producer above it in one page."""
    folder, cluster = tmp_path_factory.mktemp("inside"), produce()
    broker, producer = (cluster.film(view, subject) for view, subject in (
        (pipeline_view, "orders-0"), (accumulator_view, "producer-1")))
    both = folder / "both.html"
    both.write_text(page("both", producer.mount() + broker.mount()), encoding="utf-8")
    return {"broker": broker.save(folder / "broker.html"), "both": both}


def appended(one):
    """The player of the broker's film, at the step in which the batch is appended."""
    player = one.page.locator(".ki-player[data-step]", has_text="Inside the leader").first
    player.focus()
    one.page.keyboard.press("Home")
    one.at_caption = player.locator(".ki-caption").first
    while "is in the page cache" not in one.at_caption.inner_text():
        one.page.keyboard.press("ArrowRight")
    return player


def opened(one):
    """The title of the picture that stands in place of another; None where there is none."""
    within = one.page.locator(".ki-within .ki-title")
    return within.inner_text() if within.count() else None


def test_token_to_bytes_to_place_to_pages_and_back(saved, view):
    one = view(reduced_motion="reduce")
    one.open_file(saved["broker"])
    player = appended(one)
    assert not player.locator(".ki-inside").is_visible()
    one.page.click(PILL)
    openers = player.locator(".ki-inside .ki-open")
    assert openers.all_inner_texts() == LABELS
    openers.first.click()
    assert opened(one).startswith("Batch for orders-0, request #3 of producer-1, as appended at ")
    assert not one.page.is_visible(PILL)
    assert '"paid"' in one.page.locator(".ki-within .ki-stage text").all_text_contents()
    for label, title in zip(LABELS[1:], ("Offset 0 of orders-0 on broker 1, as ",
                                         "The page cache of broker 1, at ")):
        one.page.locator(".ki-way-back .ki-open", has_text=label).click()
        assert opened(one).startswith(title)
    one.page.locator(".ki-way-back .ki-quiet").click()
    assert opened(one) is None and one.page.is_visible(PILL)


def test_by_the_keyboard_alone(saved, view):
    one = view(reduced_motion="reduce")
    one.open_file(saved["broker"])
    player, press = appended(one), one.page.keyboard.press
    step = player.get_attribute("data-step")
    press("i")
    row = player.get_by_role("button", name="Request 3 of producer-1", exact=True)
    for _ in range(20):
        press("Tab")
        if row.evaluate("row => row === document.activeElement"):
            break
    press("Enter")
    focused = one.page.locator(":focus")
    assert focused.inner_text() == "its bytes"
    press("Enter")
    assert focused.get_attribute("aria-label") == opened(one)
    inner = one.page.locator(".ki-within .ki-player")
    press("ArrowLeft")
    assert inner.get_attribute("data-step") == "0" and player.get_attribute("data-step") == step
    press("?")
    press("Escape")
    assert opened(one)
    press("Escape")
    assert opened(one) is None and focused.inner_text() == "its bytes"
    press("Tab")
    press("Space")
    press("Shift+Tab")
    assert "Offset 0" in opened(one) and focused.inner_text() == "its pages"
    press("Escape")
    assert focused.inner_text() == "where it lies"
    assert player.get_attribute("data-step") == step


def test_before_its_append_a_request_has_only_what_was_sent(saved, view):
    one = view(reduced_motion="reduce")
    one.open_file(saved["broker"])
    player = appended(one)
    one.page.click(PILL)
    one.page.keyboard.press("ArrowLeft")
    player.focus()
    one.page.keyboard.press("ArrowLeft")
    assert player.locator(".ki-inside .ki-open").all_inner_texts() == LABELS[:1]
    player.locator(".ki-inside .ki-open").click()
    assert ", as sent at " in opened(one)
    assert "the leader's to write" in one.page.locator(".ki-within .ki-caption").inner_text()


def test_a_record_in_the_log_leads_to_the_same_request(saved, view):
    one = view(reduced_motion="reduce")
    one.open_file(saved["broker"])
    player = appended(one)
    one.page.click(IN_LOG)
    assert sorted(player.evaluate(PICKED)) == [
        "log/batch/kind-1/0", "t/request-producer-1.3/pill"]
    one.page.keyboard.press("End")
    player.focus()
    one.page.keyboard.press("End")
    assert player.evaluate(PICKED) == ["log/batch/kind-1/0"]         # it is answered
    assert player.locator(".ki-inside .ki-open").all_inner_texts() == LABELS


def test_what_is_picked_in_one_picture_is_picked_in_the_other(saved, view):
    one = view(reduced_motion="reduce")
    one.page.goto(saved["both"].as_uri())
    one.page.wait_for_function("document.querySelectorAll('.ki-player[data-step]').length === 2")
    broker = appended(one)
    producer = one.page.locator(".ki-player", has_text="Inside producer-1").first
    producer.focus()
    one.page.keyboard.press("Home")
    batch = producer.locator("[data-key='batch/orders-0/1']")
    while not batch.count():
        one.page.keyboard.press("ArrowRight")
    batch.click()
    assert broker.evaluate(PICKED) == []                 # it has no request yet
    producer.focus()
    while "in one request" not in producer.locator(".ki-caption").inner_text():
        one.page.keyboard.press("ArrowRight")
    assert len(broker.evaluate(PICKED)) == 2
    assert sorted(producer.evaluate(PICKED)) == ["batch/orders-0/1",
                                                 "r/request-producer-1.3/pill"]
    assert broker.locator(".ki-inside .ki-open").all_inner_texts() == LABELS
    broker.locator("[data-key='log/hw/text']").click()
    assert producer.evaluate(PICKED) == []


@pytest.mark.parametrize("width", (1280, 900, 600))
def test_nothing_overlaps_in_what_was_opened(saved, view, width):
    one = view(reduced_motion="reduce", viewport={"width": width, "height": 1000})
    one.open_file(saved["broker"])
    player = appended(one)
    one.page.click(PILL)
    assert player.evaluate("player => player.scrollWidth <= player.clientWidth")
    player.locator(".ki-inside .ki-open").first.click()
    for label in LABELS:
        one.page.locator(".ki-way-back .ki-open", has_text=label).click()
        assert one.page.evaluate(overlap.FIND, overlap.SLACK) == []
        assert one.page.locator(".ki-way-back").bounding_box()["y"] >= 0
        assert one.page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")


def test_a_copy_that_was_saved_in_the_browser_opens_them_too(saved, view, tmp_path):
    one = view(reduced_motion="reduce")
    one.open_file(saved["broker"])
    appended(one)
    with one.page.expect_download() as download:
        one.page.keyboard.press("s")
    download.value.save_as(tmp_path / "copy.html")
    again = view(reduced_motion="reduce")
    again.open_file(tmp_path / "copy.html")
    again.page.click(PILL)
    again.page.locator(".ki-inside .ki-open", has_text="its pages").click()
    assert opened(again).startswith("The page cache of broker 1, at ")


def test_in_lab_it_opens_and_steals_no_key(lab, view):
    write_notebook(lab.root / "inside.ipynb", CODE, "1 + 1")
    one = view(reduced_motion="reduce")
    one.run_notebook(lab, "inside.ipynb")
    before = one.page.evaluate(CELLS)
    appended(one)
    one.page.click(PILL)
    one.page.locator(".ki-inside .ki-open").first.click()
    assert opened(one).startswith("Batch for orders-0, request #3 of producer-1")
    assert one.page.evaluate(UNMARKED) == 0
    for target in (".ki-within .ki-player", ".ki-way-back .ki-open", ".ki-way-back .ki-quiet"):
        one.page.locator(target).first.focus()
        for key in STEAL[:-2]:
            one.page.keyboard.press(key)
    assert one.page.evaluate(CELLS) == before and opened(one)
    one.page.keyboard.press("Escape")
    assert opened(one) is None
