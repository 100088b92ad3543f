"""The report of the toy replication: complete, self-contained, readable without pictures or colour."""

import copy
import json
import re
from html.parser import HTMLParser

import pytest

from gapkit.claims import decide
from gapkit.errors import InputError
from gapkit.experiments import Replication
from gapkit.report import (
    compare_records,
    make_record,
    read_record,
    results_table,
    update_readme,
    write_report,
)
from gapkit.report.record import to_json
from tests.experiments.toys import *  # noqa: F403  (fixtures)


@pytest.fixture(scope="module")
def record(results, tables):
    replication = Replication(tables, tuple(results))
    findings = decide(tables)
    return make_record(
        replication, findings, command="gapkit replicate", mode="chosen", seed=0, times={"seconds": 1}
    )


@pytest.fixture(scope="module")
def written(record, tables, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    write_report(folder, record, tables, formats=("html", "md"))
    return folder


class Page(HTMLParser):
    """What the tests need to know of a page."""

    VOID = ("meta", "link", "br", "hr", "img", "input")

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.ids, self.references, self.faults = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        if "id" in attributes:
            self.ids.append(attributes["id"])
        for name in ("src", "href", "xlink:href", "action", "srcset", "data"):
            if attributes.get(name):
                self.references.append(attributes[name])
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)


@pytest.fixture(scope="module")
def page(written):
    return Page((written / "report.html").read_text(encoding="utf-8"))


def test_page_is_well_formed_and_has_one_file_only(page, written):
    assert not page.faults
    assert not page.open
    assert page.references
    assert all(reference.startswith("#") for reference in page.references)
    style = re.search(r"<style>(.*?)</style>", (written / "report.html").read_text(), flags=re.DOTALL)[1]
    assert "url(" not in style
    assert "@import" not in style


def test_ids_are_unique_and_links_lead_somewhere(page):
    assert len(set(page.ids)) == len(page.ids)
    assert {reference[1:] for reference in page.references} <= set(page.ids)


def test_references_inside_pictures_lead_somewhere(written):
    text = (written / "report.html").read_text(encoding="utf-8")
    ids = set(re.findall(r'id="([^"]+)"', text))
    used = set(re.findall(r"url\(#([^)]+)\)", text))
    assert used <= ids


def test_every_picture_has_an_alternative_text_with_numbers_and_a_caption(page):
    pictures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(pictures) >= 12
    for attributes in pictures:
        assert attributes["role"] == "img"
        assert len(attributes["aria-label"]) > 30
    assert sum(tag == "figcaption" for tag, _ in page.tags) == len(pictures)


def test_pictures_take_the_colour_of_the_text(written):
    text = (written / "report.html").read_text(encoding="utf-8")
    assert "var(--ink)" in text
    assert "#010203" not in text
    assert "prefers-color-scheme: dark" in text


def test_every_claim_and_verdict_is_on_the_page_in_words(written, record):
    for name in ("report.html", "report.md"):
        text = (written / name).read_text(encoding="utf-8").replace("&#39;", "'").replace("&gt;", ">")
        for entry in record["claims"]:
            assert entry["statement"] in text
            assert entry["rule"] in text
        for verdict in set(record["overall"].values()):
            assert verdict in text


def test_each_experiment_says_how_to_run_it_again(written, record):
    text = (written / "report.html").read_text(encoding="utf-8")
    for name in {job["experiment"] for job in record["jobs"]}:
        assert f"gapkit replicate --only {name}" in text


def test_markdown_tables_have_as_many_cells_in_every_row(written):
    text = re.sub(r"```.*?```", "", (written / "report.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    widths, tables = None, 0
    for line in text.splitlines():
        if not line.startswith("|"):
            widths = None
            continue
        cells = len(re.findall(r"(?<!\\)\|", line.rstrip()))
        tables += widths is None
        assert widths in (None, cells), line
        widths = cells
    assert tables > 10


def test_pictures_that_the_markdown_shows_are_there(written):
    shown = re.findall(r"\]\((figures/[^)]+)\)", (written / "report.md").read_text(encoding="utf-8"))
    assert shown
    assert all((written / place).stat().st_size > 3000 for place in shown)


def test_record_survives_the_file_and_has_what_is_promised(written, record):
    kept = read_record(written)
    assert kept == json.loads(to_json(record))
    for entry in kept["claims"]:
        assert {"id", "statement", "source", "model", "value", "interval", "rule", "verdict"} <= set(entry)
    assert {job["experiment"] for job in kept["jobs"]} == {job["experiment"] for job in record["jobs"]}


@pytest.mark.parametrize(
    ("text", "said"), [("{", "no claims.json"), ("[]", "no claims"), ('{"claims": [{}]}', "damaged"),
                       ('{"claims": [], "format": 99}', "Upgrade")]
)  # fmt: skip
def test_damaged_records_are_refused(tmp_path, text, said):
    (tmp_path / "claims.json").write_text(text)
    with pytest.raises(InputError, match=said):
        read_record(tmp_path)


def test_a_replication_does_not_differ_from_itself(record):
    differences, compared = compare_records(record, copy.deepcopy(record))
    assert differences == []
    assert compared > 50


def test_comparison_sees_a_value_beyond_its_interval_and_none_within(record):
    other = copy.deepcopy(record)
    entry = next(entry for entry in other["claims"] if entry["id"] == "gain")
    cell = entry["cells"][0]
    low, high = cell["interval"]
    assert low < high
    cell["value"], cell["interval"] = cell["value"] + (high - low) / 2, [low + (high - low) / 2, high + 1]
    assert compare_records(record, other)[0] == []
    cell["interval"] = [high + 0.01, high + 0.02]
    (difference,) = compare_records(record, other)[0]
    assert (difference.claim, difference.what, difference.where) == ("gain", "value", cell["where"])


def test_comparison_sees_changed_verdicts_and_missing_claims(record):
    other = copy.deepcopy(record)
    other["claims"][0]["verdict"] = "not decidable"
    gone = other["claims"].pop()
    whats = {(d.claim, d.what) for d in compare_records(record, other)[0]}
    assert whats == {(record["claims"][0]["id"], "verdict"), (gone["id"], "only in the first")}


def test_readme_table_is_put_between_the_markers_and_stays_the_same(tmp_path, record):
    path = tmp_path / "README.md"
    path.write_text("before\n<!-- results:begin -->\nyesterday\n<!-- results:end -->\nafter\n")
    assert update_readme(path, record)
    text = path.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "yesterday" not in text
    assert results_table(record) in text
    assert not update_readme(path, record)


def test_readme_without_markers_is_left_alone(tmp_path, record):
    path = tmp_path / "README.md"
    path.write_text("nothing here\n")
    with pytest.raises(InputError, match="markers"):
        update_readme(path, record)
    assert path.read_text() == "nothing here\n"
