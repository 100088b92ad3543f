"""The explorers without a kernel: from file://, with the network off, moved by keyboard, against the package's numbers."""

import json
import os
import re

import numpy as np
import pytest
from filelock import FileLock

from gapkit.closing import ClosingOutcome
from gapkit.embeddings import load_embeddings, recorded_figures
from gapkit.geometry import gap_vector, subspace_share
from gapkit.robustness import boundary_scene, robustness
from gapkit.widgets.theory import player_run
from tests.browser.conftest import CHROMIUM, FLAGS, PATIENCE_MS, missing
from tests.notebooks.lessons import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
OTHERS = "<script>const _ = 1, n = 2, t = 3, embed = 4, vl = 5;</script>"
"""A page of the book has scripts of others, with names of their own."""


@pytest.fixture(scope="module")
def folder():
    """What the book shows, made here unless the book has made it from the same files."""
    explorers = pytest.importorskip("tools.explorers", exc_type=ImportError)
    place = ROOT / "docs" / "_generated" / "explorers"
    place.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{place}.lock"):  # of several processes of pytest one makes them
        return explorers.build(place)


@pytest.fixture(scope="module")
def window():
    """A browser without a network."""
    sync_api = pytest.importorskip("playwright.sync_api", exc_type=ImportError)
    if CHROMIUM is None:
        missing("no chromium on this machine")
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
        browser.close()


@pytest.fixture(scope="module")
def page(window, folder):
    """All five explorers; at the end nothing may have complained."""
    shown, problems = window.new_page(), []
    shown.set_default_timeout(PATIENCE_MS)
    shown.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    shown.on("pageerror", lambda fault: problems.append(str(fault)))
    shown.on(
        "request",
        lambda one: problems.append(one.url) if not one.url.startswith(("file:", "data:")) else None,
    )
    copy = folder / f"tested-{os.getpid()}.html"
    copy.write_text((folder / "index.html").read_text("utf-8").replace("<body>", f"<body>{OTHERS}"), "utf-8")
    shown.goto(copy.as_uri())
    shown.wait_for_function("document.querySelectorAll('.explorer[data-ready]').length === 5")
    yield shown
    copy.unlink()
    assert problems == []


def numbers(page, name: str) -> str:
    """What is written beside the picture."""
    lines = page.locator(f"#explorer-{name} .numbers_marks tspan").all_text_contents()
    assert lines, f"{name} shows no numbers"
    return "\n".join(lines)


def picture(page, name: str) -> str:
    """The picture without the numbers beside it."""
    return page.locator(f"#explorer-{name} svg").evaluate(
        "svg => { const copy = svg.cloneNode(true);"
        " copy.querySelectorAll('.numbers_marks').forEach(one => one.remove()); return copy.innerHTML; }"
    )


def moved(page, name: str, label: str, keys: list[str]) -> str:
    """Move a slider by keyboard; the picture and the numbers must follow. Returns the numbers."""
    before, seen = numbers(page, name), picture(page, name)
    page.locator(f"#explorer-{name} .vega-bindings").get_by_label(label).focus()
    for key in keys:
        page.keyboard.press(key)
    page.wait_for_function(
        "([name, before]) => [...document.querySelectorAll(`#explorer-${name} .numbers_marks tspan`)]"
        ".map(line => line.textContent).join('\\n') !== before", arg=[name, before],
    )  # fmt: skip
    assert picture(page, name) != seen
    page.wait_for_function(
        "name => document.querySelector(`#explorer-${name} [role=status]`).textContent ==="
        " [...document.querySelectorAll(`#explorer-${name} .numbers_marks tspan`)].map(line => line.textContent).join('; ')",
        arg=name,
    )
    return numbers(page, name)


def choose(page, name: str, label: str, value: str) -> None:
    """Choose from a menu."""
    page.locator(f"#explorer-{name} .vega-bindings").get_by_label(label).select_option(value)


def test_the_gap_of_another_model_and_pair_has_other_numbers(page):
    choose(page, "gap", "model", "miniclip-learned")
    said = moved(page, "gap", "marked pair", ["ArrowRight"] * 3)
    entries = load_embeddings("miniclip-learned/scenes100")
    row = int(re.search(r"image (\d+)", said)[1])
    x, y = entries.texts[entries.labels[row]].astype(float), entries.images[row].astype(float)
    assert entries.text_names[entries.labels[row]] in said
    assert f"their cosine {x @ y / np.linalg.norm(x) / np.linalg.norm(y):.2f}" in said
    assert f"gap ‖g‖ {np.linalg.norm(gap_vector(entries.texts, entries.images)):.2f}" in said


def test_the_share_of_other_components_is_another(page):
    said = moved(page, "orthogonality", "components k", ["ArrowRight"] * 5)
    entries = load_embeddings("miniclip-wide/scenes100")
    texts, images = entries.texts.astype(float), entries.images.astype(float)
    share = float(subspace_share(texts, gap_vector(texts, images), 25)) ** 2
    assert f"first 25 components: share {share:.3f}" in said


def test_another_step_of_training_has_other_numbers(page):
    choose(page, "dynamics", "τ", "0.05")
    said = moved(page, "dynamics", "recorded step", ["End"])
    run = player_run("cones", 0.05, 1.0, 1.0, True).run
    assert f"step {run.steps[-1]} at τ = 0.05" in said
    assert f"gap ‖g‖ {run.gap[-1]:.3f}" in said
    assert f"accuracy {run.accuracy[-1]:.2f}, loss {run.loss[-1]:.3f}" in said


def test_another_gap_and_noise_keep_the_answer_with_the_same_probability(page):
    moved(page, "boundary", "gap", ["ArrowRight"] * 4)
    said = moved(page, "boundary", "noise", ["ArrowLeft"] * 2)
    candidates, query = boundary_scene(1.4)
    assert "gap 1.4, noise σ = 0.12" in said
    for words, height in (("kept with probability", query), ("gap closed", boundary_scene(0.0)[1])):
        assert f"{words} {robustness(height, candidates, sigma=0.12)[0]:.3f}" in said


def test_closing_half_the_gap_has_other_numbers(page):
    choose(page, "closing", "dataset", "scenes100")
    choose(page, "closing", "metric", "dot")
    said = moved(page, "closing", "α", ["ArrowLeft"] * 5)
    entries = load_embeddings("miniclip-wide/scenes100")
    outcome = ClosingOutcome(entries.texts, entries.images, entries.labels)
    found = outcome.closed(alpha=0.5, components=outcome.most_components, sigma=0.02, metric="dot")
    assert f"right answers {found['accuracy']:.3f}\nsame answers {found['agreement']:.3f}" in said
    assert f"survive the noise: {found['before'].mean():.3f} before, {found['after'].mean():.3f} now" in said


def test_a_real_model_is_not_shown_or_has_no_name_under_the_pointer(page):
    gap = recorded_figures().query("name == 'coco500-clip-vitb16'")["gap_norm"].iloc[0]
    labels = page.locator("#explorer-gap svg [aria-label*='model: CLIP ViT-B/16']").evaluate_all(
        "marks => marks.map(mark => mark.getAttribute('aria-label'))"
    )
    assert any(f"{gap:.3f}" in label or f"{gap:.5g}" in label for label in labels), labels
    spot = page.locator("#explorer-gap svg [aria-label*='name: red circle']").first
    spot.hover(force=True)
    page.locator("#vg-tooltip-element.visible").wait_for()
    assert "name" in page.locator("#vg-tooltip-element").inner_text()


def test_a_slider_has_fewer_than_21_steps_or_no_name(page):
    sliders = page.locator("input[type=range]").all()
    assert len(sliders) == 6
    for one in sliders:
        low, high, step = (float(one.get_attribute(what)) for what in ("min", "max", "step"))
        assert round((high - low) / step) + 1 >= 21
        assert one.evaluate("input => input.labels[0].textContent.trim().length") > 0


def test_they_weigh_more_than_a_page_can_bear(folder):
    assert sum(path.stat().st_size for path in folder.glob("*.js")) < 3e6


def test_a_disconnected_table_is_not_noticed(window, folder, tmp_path):
    """The same page with the numbers' table emptied: then nothing can be read beside the picture."""
    for path in folder.glob("*.js"):
        (tmp_path / path.name).write_text(path.read_text("utf-8"), "utf-8")
    script = tmp_path / "closing.js"
    head, spec = script.read_text("utf-8").split(", ", 1)
    chart = json.loads(spec.rstrip().removesuffix(");"))
    for name, rows in chart["datasets"].items():
        if "agreement" in rows[0]:
            chart["datasets"][name] = []
    script.write_text(f"{head}, {json.dumps(chart)});", "utf-8")
    (tmp_path / "index.html").write_text((folder / "index.html").read_text("utf-8"), "utf-8")
    cut = window.new_page()
    cut.goto((tmp_path / "index.html").as_uri())
    cut.wait_for_function("document.querySelectorAll('.explorer[data-ready]').length === 5")
    with pytest.raises(AssertionError, match="shows no numbers"):
        numbers(cut, "closing")
    assert numbers(cut, "boundary")
