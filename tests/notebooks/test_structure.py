"""Every lesson is built the same way, so that a reader knows where to look."""

import re

import pytest

from tests.notebooks.lessons import EXECUTED, NOTEBOOKS, prose, read

pytestmark = pytest.mark.parametrize("path", EXECUTED, ids=lambda path: path.stem)


def headings(text: str, level: int) -> list[str]:
    """The headings of one level, code blocks left out."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.findall(rf"^{'#' * level} +(.+)$", text, flags=re.MULTILINE)


def test_one_main_heading_and_about_seven_sections(path):
    text = prose(read(path))
    assert len(headings(text, 1)) == 1
    assert 5 <= len(headings(text, 2)) <= 9, headings(text, 2)


@pytest.mark.parametrize("word", ["objectives", "prerequisites", "minutes", "lesson"])
def test_the_opening_says_what_to_expect(path, word):
    notebook = read(path)
    opening = "\n".join(cell.source for cell in notebook.cells[:4] if cell.cell_type == "markdown")
    assert word in opening.lower()


def test_the_end_sums_up_and_asks_three_questions(path):
    text = prose(read(path))
    assert [title for title in headings(text, 2) if "summary" in title.lower()]
    start = max(match.start() for match in re.finditer(r"(?i)questions", text))
    assert re.search(r"^1\..*^2\..*^3\.", text[start:], flags=re.MULTILINE | re.DOTALL)


def test_the_reader_predicts_before_running(path):
    assert "predict" in prose(read(path)).lower()


def test_links_lead_to_the_neighbours_and_to_files_that_exist(path):
    text = prose(read(path))
    linked = {
        target for target in re.findall(r"\]\(([^)#\s]+)", text) if not target.startswith(("http", "mailto:"))
    }
    for target in linked:
        assert (NOTEBOOKS / target).exists(), f"{path.stem} links to {target}, which does not exist"
    place = EXECUTED.index(path)
    neighbours = {other.name for other in EXECUTED[max(place - 1, 0) : place + 2] if other != path}
    assert neighbours <= linked


def test_every_picture_stands_beside_a_sentence_that_says_what_to_see(path):
    cells = read(path).cells
    for number, cell in enumerate(cells):
        pictured = any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))
        if not pictured:
            continue
        around = cells[max(number - 1, 0) : number] + cells[number + 1 : number + 2]
        words = sum(len(other.source.split()) for other in around if other.cell_type == "markdown")
        said = [o for o in cell.outputs if o.output_type == "stream" or "text/markdown" in o.get("data", {})]
        assert words >= 12 or said, f"no sentence beside the picture made by:\n{cell.source}"
