"""Slides of a lesson: its pictures with their texts, its headings, and no network when they are shown."""

import html
import re

import nbformat
import pytest

from teaching import slides
from tests.notebooks.lessons import EXECUTED, ROOT
from tools.check_book import faults

LESSON = "01"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return slides.make(LESSON, tmp_path_factory.mktemp("slides"))


@pytest.fixture(scope="module")
def notebook():
    (path,) = [path for path in EXECUTED if path.stem.startswith(LESSON)]
    return nbformat.read(path, as_version=4)


def test_every_picture_is_inside_the_page_with_its_alternative_text(page, notebook):
    text = page.read_text(encoding="utf-8")
    images = [html.unescape(tag) for tag in re.findall(r"<img[^>]*>", text)]
    outputs = [
        o for cell in notebook.cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})
    ]
    assert len(images) == len(outputs) > 0
    for image, output in zip(images, outputs, strict=True):
        assert "".join(output.data["image/png"].split()) in "".join(image.split())
        assert " ".join(output.metadata["image/png"]["alt"].split()) in " ".join(image.split())


def test_every_section_of_the_lesson_begins_a_slide(page, notebook):
    shown = re.findall(r"<section>(.*?)</section>", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    prose = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    sections = re.findall(r"^## ", prose, flags=re.MULTILINE)
    begun = [
        one for one in shown if re.match(r'(?:\s|</?div[^>]*>|<p class="running">[^<]*</p>)*<h[12]', one)
    ]
    assert len(begun) == len(sections) + 1  # and the title
    assert all(one.count("<img") <= 1 for one in shown)
    assert not [one for one in shown if one.count("<h2") > 1]


def test_nothing_is_loaded_from_elsewhere_and_no_link_is_dead(page):
    assert faults(page.parent, formulas=False) == []  # MathJax finds the formulas when the slides are shown
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r"(?:@import|url\()\s*['\"]?(?:https?:)?//", text)
    assert "import(" not in text
    assert (page.parent / "mathjax" / "MathJax.js").is_file()


def test_what_is_to_be_predicted_is_not_answered_on_the_same_slide():
    markdown, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    cells = [markdown("## One\n> **Predict.** What?"), code("print(1)"), markdown("It is 1.")]
    groups = [(under, len(group)) for under, group in slides.in_slides(cells)]
    assert groups == [("", 1), ("One", 2)]


def test_a_lesson_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(SystemExit, match="no lesson 77"):
        slides.make("77", tmp_path)


def test_headings_inside_code_are_no_slides():
    cell = nbformat.v4.new_markdown_cell("# One\n```\n# no heading\n```\n## Two")
    assert [[part.source for part in group] for _, group in slides.in_slides([cell])] == [
        ["# One\n```\n# no heading\n```\n"],
        ["## Two"],
    ]


def test_the_teaching_guide_names_the_command():
    guide = (ROOT / "docs" / "teaching" / "index.md").read_text(encoding="utf-8")
    said = re.search(r"-m teaching\.slides (\d\d) +# writes build/slides/(\S+)\.slides\.html", guide)
    assert said, "docs/teaching/index.md does not say how slides are made"
    assert said[2] in {path.stem for path in EXECUTED if path.stem.startswith(said[1])}
