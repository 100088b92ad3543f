"""The teaching guide agrees with what is there: lessons, checks, commands, pages."""

import re

import pytest

from gapkit.check.engine import exercises
from tests.notebooks.lessons import ROOT, SOURCES

GUIDE = ROOT / "docs" / "teaching"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(GUIDE.glob("*.md"))}
CHECKS = set(dict(exercises()))
NUMBERS = [path.name[:2] for path in SOURCES]


def called(path) -> set[str]:
    """The self-checks that a lesson or an assignment calls."""
    calls = re.findall(r"^check\((.+)\)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return set(re.findall(r"\w+", " ".join(calls))) & CHECKS


def row(number: str) -> list[str]:
    """The cells of a lesson's row in the table of objectives."""
    (line,) = re.findall(rf"^\| {number} .*$", PAGES["objectives"], flags=re.MULTILINE)
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_each_lesson_is_listed_with_the_self_checks_that_it_calls(path):
    _, able, checks, examined = row(path.name[:2])
    assert len(able.split()) > 5
    assert examined
    assert set(re.findall(r"`(\w+)`", checks)) == called(path)


@pytest.mark.parametrize("number", ["01", "02", "03", "04", "05", "06", "07"])
def test_lessons_with_something_to_write_have_a_self_check(number):
    (path,) = [path for path in SOURCES if path.name.startswith(number)]
    assert called(path), f"{path.stem} has no self-check"


def test_checks_that_no_lesson_uses_are_named_and_stand_in_an_assignment():
    used = set().union(*map(called, SOURCES))
    said = PAGES["objectives"].partition("## Checks that no lesson uses")[2]
    listed = set(re.findall(r"`(\w+)`", said.partition(" stand in the assignments")[0]))
    assert listed == CHECKS - used
    assert listed <= set().union(*map(called, (ROOT / "notebooks/assignments/source").glob("*.py")))


@pytest.mark.parametrize("length", ["Four weeks", "Two days"])
def test_each_syllabus_has_every_lesson_and_a_place_for_the_assignments(length):
    text = PAGES["syllabi"].partition(f"## {length}")[2].partition("\n## ")[0]
    assert [number for number in NUMBERS if not re.search(rf"\b{number}\b", text)] == []
    assert "A1" in text
    assert "A5" in PAGES["syllabi"]


@pytest.mark.parametrize(
    "item", ["moved × perturbed × metric", "renormalising", "too few components", "overshooting", "n ≈ d",
             "hubs", "anisotropic noise", "all closers compared"],
)  # fmt: skip
def test_every_way_in_which_the_theory_stops_is_mapped_to_a_question(item):
    (line,) = [line for line in PAGES["objectives"].splitlines() if line.startswith("|") and item in line]
    asked = re.findall(r"\d+", line.rsplit("|", 2)[1])
    assert asked
    for number in asked:
        assert re.search(rf"^{number}\. \*\*.+\*\*", PAGES["questions"], flags=re.MULTILINE), number


def test_questions_are_numbered_without_a_hole_and_have_answers():
    parts = re.split(r"^(\d+)\. \*\*", PAGES["questions"], flags=re.MULTILINE)[1:]
    assert list(map(int, parts[::2])) == list(range(1, len(parts) // 2 + 1))
    assert all(len(text.partition("**")[2].split()) > 12 for text in parts[1::2])


def test_the_most_frequent_question_is_answered():
    assert "\n## Why is my cosine only 0.25?\n" in PAGES["faq"]


def test_the_glossary_is_in_order_and_explains_every_term():
    entries = PAGES["glossary"].partition("\n\n")[2].strip().split("\n\n")
    terms = [entry.split("\n")[0] for entry in entries]
    assert all(re.match(r".+\n: \S", entry) for entry in entries)
    assert terms == sorted(terms, key=str.lower)


@pytest.mark.parametrize("place", ["Binder", "JupyterHub", "own computer"])
def test_the_guide_says_how_to_run_it(place):
    assert re.search(rf"\*\*On .*{place}\.\*\*", PAGES["index"])


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_links_lead_to_something(page):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(
        r"\bmake ([a-z][a-z-]+)", "\n".join(re.findall(r"`[^`]+`|```.*?```", PAGES[page], flags=re.DOTALL))
    ):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), f"make {target}"
    for link in re.findall(r"\]\(([^)#]+\.md)", PAGES[page]):
        assert (GUIDE / link).is_file(), link
