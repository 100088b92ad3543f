"""Each lesson in a real JupyterLab: it runs, nothing complains, every control moves what it should move."""

import time

import nbformat
import pytest

from gapkit.embeddings import load_embeddings
from tests.browser.page import TOPMOST
from tests.notebooks.lessons import EXECUTED, code_cells, cuda_megabytes, read

pytestmark = [pytest.mark.browser, pytest.mark.network, pytest.mark.timeout(1800)]


CONTROLS = {
    "gap_explorer": 3,
    "similarity_explorer": 4,
    "dynamics_player": 6,
    "orthogonality_explorer": 2,
    "boundary_explorer": 3,
    "closing_explorer": 7,
}
"""How many sliders, lists and boxes each widget has."""
MEGABYTES = 1000 + cuda_megabytes()
"""What kernel and server may take together: Binder gives little more."""


@pytest.mark.parametrize("path", EXECUTED, ids=lambda path: path.stem)
def test_the_lesson_runs_and_every_control_answers_the_keyboard(path, lab, open_lesson):
    lesson = open_lesson(path)
    cells = lesson.run_all()
    assert len([cell for cell in cells if cell["source"].strip()]) == len(code_cells(read(path)))
    assert [cell["source"][:80] for cell in cells if cell["complaints"]] == []
    widgets = expected_widgets(path)
    assert lesson.panels().count() == len(widgets)
    controls = lesson.controls()
    assert len(controls) == sum(CONTROLS[name] for name in widgets)
    for panel in range(len(widgets)):
        check_form(lesson, panel)
    for control in controls:
        assert control.changes() == (True, True), f"{control.name}: sentence, picture changed?"
    for panel in range(len(widgets)):
        check_names(lesson, panel)
    for player in lesson.page.locator(".widget-play").all():
        check_player(lesson, player)
    assert lab.kernel_megabytes() > 50  # the kernel was found
    assert lab.kernel_megabytes() + lab.megabytes() < MEGABYTES


def expected_widgets(path) -> list[str]:
    """The widgets that the lesson presents."""
    sources = [cell.source for cell in code_cells(read(path))]
    found = [name for name in CONTROLS for source in sources for _ in range(source.count(f"{name}("))]
    assert len(found) == sum(source.count("present(") for source in sources)
    return found


def check_form(lesson, number: int) -> None:
    """The tracks of the sliders are long enough, and what lies over the picture fits it."""
    panel = lesson.panels().nth(number)
    for track in panel.locator(".noUi-target").all():
        assert track.bounding_box()["width"] >= 100
    lesson.settle(panel)
    assert panel.locator("figure > div").bounding_box() == panel.locator("figure > div > img").bounding_box()


def check_names(lesson, number: int) -> None:
    """Every control has a name; a slider says its number as it is shown beside it."""
    panel = lesson.panels().nth(number)
    found = lesson.accessible(number)
    for kind, selector in (("slider", ".noUi-handle"), ("combobox", "select"), ("button", "button")):
        assert [role for role, _ in found].count(kind) == panel.locator(selector).count()
    assert [(role, name) for role, name in found if len(name) < 1] == []
    for slider in panel.locator(".widget-slider").all():
        label, readout = (slider.locator(part).inner_text() for part in (".widget-label", ".widget-readout"))
        assert ("slider", label) in found
        assert ("textbox", f"{label}, as a number") in found
        assert slider.locator(".noUi-handle").get_attribute("aria-valuetext") == readout


def check_player(lesson, player) -> None:
    """Play moves the picture, by keyboard; pressed again it stops."""
    panel = lesson.panels().filter(has=player)
    figure, button = panel.locator("figure"), player.locator("button").first
    frame = panel.locator(".widget-slider .noUi-handle").last
    frame.focus()
    lesson.page.keyboard.press("Home")
    lesson.settle(panel)
    before = figure.inner_html()
    button.focus()
    lesson.page.keyboard.press("Space")
    lesson.page.wait_for_function(
        "([figure, before]) => figure.isConnected === false || figure.innerHTML !== before",
        arg=[figure.element_handle(), before],
    )
    lesson.page.keyboard.press("Space")
    lesson.settle(panel)
    after = figure.inner_html()
    assert after.partition("<figcaption")[2] != before.partition("<figcaption")[2]
    time.sleep(2)
    assert figure.inner_html() == after


PANEL = """
from gapkit.widgets.panel import View, panel, present, slider
from gapkit.plots import canvas
from gapkit.plots.style import png

def view(height):
    ax = canvas()
    ax.bar([0], [height])
    ax.set_ylim(0, 10)
    return View(png(ax), "one bar", f"The bar is {height:g} high.")

box = panel(view, height=slider("height", 1.0, 0.0, 9.0, 1.0))
"""


def written(lab, name: str, source: str):
    """A notebook of one cell beside the lessons."""
    path = lab.folder / "notebooks" / name
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), path)
    return path


def test_a_control_that_is_connected_passes(lab, open_lesson):
    lesson = open_lesson(written(lab, "connected.ipynb", PANEL + "present(box, 'Nothing.')"))
    lesson.run_all()
    (control,) = lesson.controls()
    assert control.changes() == (True, True)


def test_a_control_whose_callback_is_disconnected_is_caught(lab, open_lesson):
    cut = "box.children[0].children[0].unobserve_all()\npresent(box, 'Nothing.')"
    lesson = open_lesson(written(lab, "disconnected.ipynb", PANEL + cut))
    lesson.run_all()
    (control,) = lesson.controls()
    assert control.changes() == (False, False)


def test_an_error_in_a_cell_is_seen(lab, open_lesson):
    lesson = open_lesson(written(lab, "broken.ipynb", "raise ValueError('planted')"))
    assert lesson.run_all()[0]["complaints"] == 1


def test_a_console_error_and_a_request_to_elsewhere_are_seen(lab, open_lesson):
    script = "console.error('planted'); fetch('http://127.0.0.1:9/planted').catch(() => 0)"
    source = f"from IPython.display import Javascript\nJavascript({script!r})"
    lesson = open_lesson(written(lab, "noisy.ipynb", source))
    lesson.run_all()
    seen, lesson.problems[:] = list(lesson.problems), []
    assert any(problem.startswith("console: planted") for problem in seen), seen
    assert "request to elsewhere: http://127.0.0.1:9/planted" in seen


def test_the_number_beside_a_slider_can_be_typed_and_the_sentence_is_read_out(lab, open_lesson):
    lesson = open_lesson(written(lab, "typed.ipynb", PANEL + "present(box, 'Nothing.')"))
    lesson.run_all()
    panel = lesson.panels().first
    lesson.settle(panel)
    spoken = panel.locator("[role=status][aria-live=polite]")
    assert spoken.text_content() == "The bar is 1 high."
    region = spoken.element_handle()
    panel.get_by_role("textbox", name="height, as a number").focus()
    lesson.page.keyboard.press("Control+A")
    lesson.page.keyboard.type("7")
    lesson.page.keyboard.press("Enter")
    panel.locator("figcaption", has_text="The bar is 7 high.").wait_for()
    lesson.settle(panel)
    assert region.evaluate("region => [region.isConnected, region.textContent]") == [
        True,
        "The bar is 7 high.",
    ]
    assert panel.get_by_role("slider", name="height").get_attribute("aria-valuetext") == "7.00"


EXPLORER = """
from gapkit.widgets import gap_explorer, present
present(gap_explorer(["miniclip-wide"], ("scenes100",)), "Nothing.")
"""


def test_the_pointer_over_a_point_shows_what_it_is(lab, open_lesson):
    lesson = open_lesson(written(lab, "hover.ipynb", EXPLORER))
    lesson.run_all()
    panel = lesson.panels().first
    lesson.settle(panel)
    entries = load_embeddings("miniclip-wide/scenes100")
    texts, images = entries.text_names, [entries.text_names[label] for label in entries.labels]
    said = [f"text: {name}" for name in texts]
    said += [f"image {row}: of {name}" for row, name in enumerate(images)]
    topmost = panel.evaluate(TOPMOST)
    assert len(topmost) == len(said)
    assert sum(topmost) > 0.35 * len(said)  # the images' cloud is 20 pixels wide
    free = [place for place, top in enumerate(topmost) if top]
    for place in (free[0], free[len(free) // 2], free[-1]):
        spot = panel.locator(".gk-point").nth(place)
        card = spot.locator("div")
        assert not card.is_visible()
        at = spot.bounding_box()
        lesson.page.mouse.move(at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)
        card.wait_for(state="visible")
        assert " ".join(card.inner_text().split()) == said[place]
        assert panel.locator(".gk-point > div:visible").count() == 1
