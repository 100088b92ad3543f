"""Slides of a lesson in a real browser that has no network."""

import pytest

from teaching import slides
from tests.browser.conftest import PATIENCE_MS

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_slides_without_network_lack_formulas_or_do_not_turn(browser, tmp_path):
    page = slides.make("01", tmp_path)
    context = browser.new_context(offline=True)
    context.set_default_timeout(PATIENCE_MS)
    view = context.new_page()
    asked, broken = [], []
    view.on("request", lambda request: asked.append(request.url))
    view.on("pageerror", lambda fault: broken.append(str(fault)))
    view.goto(page.as_uri())
    view.wait_for_selector(".MathJax", state="attached")
    assert view.locator("section.shown").count() == 1
    first = view.locator("section.shown").inner_text()
    view.keyboard.press("ArrowRight")
    assert view.locator("nav span").inner_text().startswith("2 / ")
    assert view.locator("section.shown").inner_text() != first
    view.keyboard.press("End")
    last, _, count = view.locator("nav span").inner_text().partition(" / ")
    assert last == count
    context.close()
    assert broken == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:"))] == []
