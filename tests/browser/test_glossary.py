"""The links of a recap lead to their entries: in JupyterLab, and in exported pages."""

import shutil

import nbformat
import pytest
from playwright.sync_api import expect

from kafka_internals.course.glossary import TERMS
from kafka_internals.tools.browser import READY, ROOT
from kafka_internals.tools.export import page_of

GLOSSARY = ROOT / "notebooks/glossary.md"
LINKED = ("high watermark", "in-sync replicas", "zero copy")
SEEN = """text => { const e = [...document.querySelectorAll('h3')].find(
    h => h.textContent.replace('\\u00b6', '').trim() === text && h.offsetParent);
  if (!e) return false;
  const r = e.getBoundingClientRect();
  return r.top > -2 && r.bottom <= innerHeight }"""


@pytest.fixture(scope="module")
def recap(tmp_path_factory):
    """A notebook that ends in a recap."""
    anchors = {one.name: one.anchor for one in TERMS}
    links = "\n".join(f"- [**{name}**](glossary.md#{anchors[name]})" for name in LINKED)
    path = tmp_path_factory.mktemp("recap") / "recap.ipynb"
    nbformat.write(nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell(f"## Recap\n\n{links}")],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3",
                                 "language": "python"}}), path)
    return path


@pytest.fixture(scope="module")
def in_lab(lab, shared, recap):
    """The recap in JupyterLab, where the glossary has not been opened yet."""
    shutil.copy(GLOSSARY, lab.root / "glossary.md")
    shutil.copy(recap, lab.root / "recap.ipynb")
    opened = shared()
    opened.page.goto(f"{lab.url}/lab/tree/recap.ipynb?reset")
    opened.page.wait_for_function(READY, timeout=60_000)
    return opened


@pytest.mark.parametrize("name", LINKED)
def test_in_jupyterlab_a_click_opens_the_glossary_at_the_term(in_lab, name):
    in_lab.page.get_by_role("link", name=name, exact=True).click()
    in_lab.page.wait_for_function(SEEN, arg=name, timeout=20_000)
    in_lab.clean()
    in_lab.command("application:close")
    in_lab.page.wait_for_function(READY)


@pytest.fixture(scope="module")
def exported(recap, tmp_path_factory):
    """The folder of both pages."""
    folder, together = tmp_path_factory.mktemp("exported"), frozenset({"recap", "glossary"})
    for path in (recap, GLOSSARY):
        (folder / f"{path.stem}.html").write_text(page_of(path, together), encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", LINKED)
def test_in_exported_pages_a_click_leads_to_the_term(view, exported, name):
    opened = view()
    opened.page.goto((exported / "recap.html").as_uri())
    opened.page.get_by_role("link", name=name, exact=True).click()
    expect(opened.page).to_have_url((exported / "glossary.html").as_uri() + "#"
                                    + name.replace(" ", "-"))
    opened.page.wait_for_function(SEEN, arg=name)
