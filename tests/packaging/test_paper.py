"""The JOSE paper: what the journal asks of its head, its citations, and the numbers that can be counted."""

import re
from datetime import datetime

import pytest
import yaml

from tests.notebooks.lessons import ROOT

PAPER = ROOT / "paper" / "paper.md"
ANSWERS = ROOT / "tests" / "teaching" / "answers"


@pytest.fixture(scope="module")
def paper():
    _, head, body = PAPER.read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(head), body


@pytest.fixture(scope="module")
def entries(paper):
    text = (PAPER.parent / paper[0]["bibliography"]).read_text(encoding="utf-8")
    found = re.findall(r"^@(\w+)\{([^,\s]+),\n(.*?)^\}", text, flags=re.MULTILINE | re.DOTALL)
    assert len(found) == text.count("\n@") + text.startswith("@"), "an entry of the bibliography is malformed"
    assert len({key for _, key, _ in found}) == len(found), "a key stands twice"
    return {key: (kind, dict(re.findall(r"^\s*(\w+)\s*=\s*\{(.*)\},?$", body, flags=re.MULTILINE)))
            for kind, key, body in found}  # fmt: skip


@pytest.mark.parametrize("field", ["title", "tags", "authors", "affiliations", "date", "bibliography"])
def test_the_head_has_what_the_journal_requires(paper, field):
    assert paper[0].get(field)


def test_every_author_has_an_affiliation_that_is_listed_and_the_date_is_one(paper):
    head, _ = paper
    listed = {one["index"] for one in head["affiliations"]}
    assert listed == {author["affiliation"] for author in head["authors"]}
    assert all(author["name"] for author in head["authors"])
    assert datetime.strptime(str(head["date"]), "%d %B %Y")


def test_authors_are_those_of_the_citation_file(paper):
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["authors"]
    assert [author["name"] for author in paper[0]["authors"]] == [author["name"] for author in cited]


@pytest.mark.parametrize(
    "section",
    ["Summary", "Statement of need", "Learning objectives", "Content and sequence", "Instructional design",
     "How to adopt it", "What has been verified", "Limitations", "References"],
)  # fmt: skip
def test_each_section_is_there_and_says_something(paper, section):
    _, _, after = paper[1].partition(f"\n# {section}\n")
    text = after.split("\n# ")[0]
    assert section == "References" or len(text.split()) > 40


def test_every_citation_has_an_entry_and_every_entry_is_cited(paper, entries):
    cited = set(re.findall(r"(?<![\w.])@([\w:-]+)", paper[1]))
    assert cited == set(entries)


def test_every_entry_says_who_what_and_where_or_when(entries):
    for key, (_, fields) in entries.items():
        assert fields.get("author") and fields.get("title"), key
        assert fields.get("year") or fields.get("url"), key
        assert re.fullmatch(r"10\.\d{4,}/\S+", fields.get("doi", "10.1234/none")), key
        assert fields.get("url", "https://").startswith("https://"), key


def test_the_number_of_answers_that_test_the_graders_is_the_one_in_the_paper(paper):
    answers = "\n".join(path.read_text(encoding="utf-8") for path in ANSWERS.glob("A*.py"))
    counted = [len(re.findall(rf"^# %% {kind} ", answers, flags=re.MULTILINE)) for kind in ("wrong", "right")]
    text = " ".join(paper[1].split())
    said = re.search(r"holds (\d+) wrong answers .*?, (\d+) right ones", text)
    assert said, "the paper no longer says how many answers test the graders"
    assert [int(number) for number in said.groups()] == counted


def test_the_lessons_in_the_paper_are_those_in_the_repository(paper):
    listed = re.findall(r"^\| (\d\d) ", paper[1], flags=re.MULTILINE)
    assert listed == sorted({path.name[:2] for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.py")})
