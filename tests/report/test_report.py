"""The report of the toy replication: complete, self-contained, readable without pictures or colour."""

import json
import re
from html.parser import HTMLParser

import jinja2
import pandas as pd
import pytest

from gapkit.claims import decide
from gapkit.errors import InputError
from gapkit.experiments.sweep import Replication
from gapkit.plots.experiments import plot_over
from gapkit.report import make_record, read_record, write_report
from gapkit.report.record import compare_records, to_json
from gapkit.report.sections import legend_below, pictures, sections, trained
from gapkit.report.view import PARTS, answer, command_for, yes_count
from tests.experiments.toys import *  # noqa: F403  (fixtures)
from tools.results import results_table, update_page


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
    ("text", "said"), [("{", "not readable JSON"), ("[]", "no claims"), ('{"claims": [{}]}', "damaged"),
                       ('{"claims": [], "format": 99}', "Upgrade")]
)  # fmt: skip
def test_damaged_records_are_refused(tmp_path, text, said):
    (tmp_path / "claims.json").write_text(text)
    with pytest.raises(InputError, match=said):
        read_record(tmp_path)


def test_a_sheet_of_paper_is_not_taken_for_a_phone(written):
    text = (written / "report.html").read_text(encoding="utf-8")
    assert re.findall(r"@media ([^{]*max-width[^{]*) \{", text) == ["screen and (max-width: 44rem)"]


def test_folded_tables_are_printed_too(written):
    text = (written / "report.html").read_text(encoding="utf-8")
    printed = re.search(r"@media print \{(.*?)\n\}", text, flags=re.DOTALL)[1]
    rules = dict(re.findall(r"^\s*([^{}@/]+?) \{([^}]*)\}", printed, flags=re.MULTILINE))
    assert not [name for name, rule in rules.items() if "details" in name and "none" in rule]
    assert "content-visibility: visible" in rules["details::details-content"]
    assert "beforeprint" in text  # for browsers that do not know that rule


def test_both_forms_list_every_job_with_data_seed_and_duration(written, record):
    for name in ("report.html", "report.md"):
        text = (written / name).read_text(encoding="utf-8")
        listed = text[text.rindex("sha256 of the data") :]
        for job, seconds in zip(record["jobs"], record["times"]["jobs_seconds"], strict=True):
            assert job["data_sha256"][:16] in listed
            assert f"{seconds:.2f}" in listed
        rows = listed.count("<tr>") if name.endswith("html") else listed.count("\n| ")
        assert rows == len(record["jobs"])


def test_a_divided_verdict_says_how_divided(written, record):
    entry = next(entry for entry in record["claims"] if entry["verdict"] == "partly")
    yes, tested = yes_count(entry)
    assert 0 < yes < tested
    for name in ("report.html", "report.md"):
        summary = (written / name).read_text(encoding="utf-8").split("The claim.")[0]
        assert f"partly ({yes} of {tested})" in summary


def test_the_report_opens_with_the_answer_then_words_and_contents(written, record):
    words = (
        jinja2.Environment(loader=jinja2.PackageLoader("gapkit.report")).get_template("texts.j2").module.words
    )
    for name in ("report.html", "report.md"):
        text = (written / name).read_text(encoding="utf-8").replace("&#39;", "'")
        places = [text.index(sentence) for sentence in answer(record)]
        places += [
            text.index(words) for words in ("The leading claims", *words.values(), "How this was made")
        ]
        assert len(places) >= 2 + len(words)
        assert places == sorted(places)
    page = Page((written / "report.html").read_text(encoding="utf-8"))
    assert {f"#{job['experiment']}" for job in record["jobs"]} <= set(page.references)


def test_an_answer_says_more_than_was_measured(record):
    """A run without the claims of accuracy or of noise has no sentence on them."""
    some = [entry for entry in record["claims"] if entry["id"] not in ("gain", "answers-kept")]
    assert answer({**record, "claims": some}) == []
    only = [entry for entry in record["claims"] if entry["id"] == "gain"]
    assert all("accuracy" not in sentence for sentence in answer({**record, "claims": only}))


def test_claims_of_the_paper_stand_among_this_projects_own(written, record):
    text = (written / "report.md").read_text(encoding="utf-8").split("## Every claim and its verdict")[1]
    text = text.split("**The claim.**")[0]
    origins = {
        entry["statement"]: entry["origin"]
        for entry in record["claims"]
        if entry.get("kind", "finding") == "finding"
    }
    own = text.split(f"### {PARTS[1]}")[1].split("###")[0]
    for statement, origin in origins.items():
        assert (f"| {statement} (" in own) == (origin == "derived here")


def test_two_pictures_bear_the_same_title(tables):
    titles = [
        picture.axes.get_title(loc="left")
        for section in sections().values()
        for picture in section.pictures(tables)
    ]
    assert all(titles)
    assert len(titles) == len(set(titles))


def test_a_label_overprints_a_tick(tables):
    """“untouched” and “closed” stand above the axes, beside the tick at the top."""
    for picture in sections()["noise"].pictures(tables):
        axes = picture.axes
        axes.get_figure().canvas.draw()
        ticks = [tick.label1.get_window_extent() for tick in axes.yaxis.get_major_ticks()]
        for words in axes.texts:
            assert not any(words.get_window_extent().overlaps(box) for box in ticks)


def test_pictures_show_the_papers_noise_and_every_code(page):
    names = [name for name in page.ids if name.startswith("figure-")]
    for part in ("paper-noise-per-coordinate", "paper-noise-in-total", "range--1", "fixed-range", "codes"):
        assert [name for name in names if part in name], part


def test_the_control_is_kept_off_the_axis_unless_it_stands_alone():
    table = pd.DataFrame({"model": ["miniclip-wide", "miniclip-random"], "gain": [0.1, -1.0]})
    assert trained(table)["gain"].tolist() == [0.1]
    assert trained(table[1:])["gain"].tolist() == [-1.0]


def test_a_legend_below_the_axes_hides_no_curve():
    axes = plot_over(
        pd.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0], "by": ["a", "a"]}),
        "x",
        "y",
        by="by",
        xlabel="",
        ylabel="",
    )
    legend_below(axes)
    figure = axes.get_figure()
    figure.canvas.draw()
    (legend,) = figure.legends
    assert axes.get_legend() is None
    assert not legend.get_window_extent().overlaps(axes.get_window_extent())


def test_the_table_of_results_explains_its_words_and_gives_value_and_command_columns_of_their_own(
    record,
):
    changed = json.loads(to_json(record))
    first = next(entry for entry in changed["claims"] if entry["id"] == "gain")
    for entry in changed["claims"]:
        entry["model"] = {"toy": "miniclip-wide"}.get(entry["model"], entry["model"])
    first["value"], first["interval"] = 0.0123456, [-0.00001, 0.02]
    family = {**first, "id": "wider-gains-more", "model": "all models"}
    changed["claims"].append(family)
    changed["overall"]["wider-gains-more"] = "holds"
    lines = results_table(changed).splitlines()
    assert "*wide* (temperature fixed at 1/300" in lines[0]
    assert "changes 10 % of the answers" in lines[0]
    head, rows = lines[2], [line for line in lines[4:] if line.startswith("| ")]
    assert "wide" not in head
    gain = next(row for row in rows if row.startswith(f"| {first['statement']}"))
    assert "| 0.012 [0.000, 0.020] |" in gain
    assert "`--only noise" in gain
    assert "(*wide*," in gain
    assert [row for row in rows if "(*all models*," in row]


def test_the_table_of_results_is_put_between_the_markers_and_stays_the_same(tmp_path, record):
    path = tmp_path / "README.md"
    path.write_text(
        "before, <!-- results:begin --> is named\n<!-- results:begin -->\nyesterday\n<!-- results:end -->\nafter\n"
    )
    assert update_page(path, record)
    text = path.read_text()
    assert text.startswith("before, <!-- results:begin --> is named\n<!--")
    assert text.endswith("after\n")
    assert "yesterday" not in text
    assert results_table(record) in text
    assert not update_page(path, record)


def test_a_page_without_markers_is_left_alone(tmp_path, record):
    path = tmp_path / "README.md"
    path.write_text("nothing here\n")
    with pytest.raises(InputError, match="markers"):
        update_page(path, record)
    assert path.read_text() == "nothing here\n"


HOSTILE = "local-dir:<script>alert(1)</script>[x](javascript:alert(1))[y]: $\\frac{$|`\x1b[2J\n# a\n```\n]"


def test_names_of_models_bring_a_script_a_link_or_mathematics_into_the_report(record, tables, tmp_path):
    text = json.dumps({"record": record, "tables": {n: t.to_dict("list") for n, t in tables.items()}})
    model = next(job["model"] for job in record["jobs"] if job["model"])
    text = text.replace(json.dumps(model), json.dumps(HOSTILE))
    assert json.dumps(HOSTILE) in text
    kept = json.loads(text)
    changed = {name: pd.DataFrame(columns) for name, columns in kept["tables"].items()}
    write_report(tmp_path, kept["record"] | {"command": HOSTILE}, changed, formats=("html", "md"))
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not any("javascript:" in place for place in page.references)
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "\x1b" not in markdown
    shown = (
        pytest.importorskip("markdown_it")
        .MarkdownIt("gfm-like", {"html": True, "linkify": False})
        .render(markdown)
    )
    page = Page(shown)
    assert not {"script", "a"} & {tag for tag, _ in page.tags}
    assert "<h1>a</h1>" not in shown


@pytest.mark.parametrize("place", ["id", "model", "verdict", "value", "interval", "cells"])
@pytest.mark.parametrize("odd", [[1], {"a": 1}, "x", [{}], ["a", "b"], 10**400, [[1]]])
def test_a_claim_of_another_form_is_a_traceback(tmp_path, place, odd):
    cell = {"where": "w", "value": 1.0, "interval": [0.5, 1.5], "answer": "yes"}
    claim = {"id": "a", "model": "m", "verdict": "holds", "cells": [cell], **cell}
    path = tmp_path / "claims.json"
    for claims in ([claim | {place: odd}], [claim | {"cells": [cell | {place: odd}]}]):
        path.write_text(json.dumps({"format": 1, "claims": claims}))
        try:
            assert compare_records(read_record(path), read_record(path))[0] == []
        except InputError as fault:
            said = str(fault)
        else:
            said = "is damaged"
        assert "is damaged" in said
    path.write_text(
        json.dumps({"format": 1, "claims": [claim | {"value": None, "interval": None, "cells": []}]})
    )
    assert compare_records(read_record(path), read_record(path)) == ([], 1)


def test_a_picture_of_another_file_of_one_name_replaces_the_first(record, tables, tmp_path):
    """``a/set.safetensors`` and ``b/set.safetensors``: each keeps its picture."""
    noise = pd.concat([tables["noise"].assign(dataset=f"{n}.safetensors") for n in ("a/set", "b/Set")])
    write_report(tmp_path, record, tables | {"noise": noise}, formats=("html", "md"))
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    shown = re.findall(r"\]\(figures/(.*?)\.png\)", markdown)
    assert len(shown) > 3
    assert len({name.lower() for name in shown}) == len(shown) == len(list((tmp_path / "figures").iterdir()))
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert len(page.ids) == len(set(page.ids))


def answers(verdict, *cells, claim="gain", model="a"):
    """A record of one claim on one model, from (level, value, interval, answer) of its cells."""
    told = [
        {"where": f"d, untouched {at}", "value": v, "interval": i, "answer": said} for at, v, i, said in cells
    ]
    gap = {"id": "gap-exists", "value": 0.5, "verdict": "holds", "cells": []}
    entry = {"id": claim, "value": None, "verdict": verdict, "cells": told}
    return [{"model": model, "control": False} | some for some in (gap, entry)]


@pytest.mark.parametrize(
    ("verdict", "cells", "said"),
    [
        ("holds", [(0.7, 0.05, [0.04, 0.06], "yes")], "raises that share by 5 percentage points on a ("),
        ("does not hold", [(0.7, 0.004, [0.001, 0.008], "no")], "0.4 points, too little to count"),
        ("not decidable", [(0.7, 0.05, [-0.01, 0.11], "cannot tell")], "cannot tell whether it counts"),
        ("not decidable", [(0.7, 0.05, [None, None], "cannot tell")], "cannot tell whether it counts"),
        ("does not hold", [(0.7, -0.1, [-0.2, 0.005], "no")], "cannot tell whether it counts"),
        ("not decidable", [(0.7, None, [None, None], "cannot tell")], "an unknown number of points"),
        (
            "does not hold",
            [(0.9, 0.0, [0.0, 0.0], "no"), (0.7, 0.02, [0.005, 0.03], "cannot tell")],
            "cannot tell whether it counts: the change is 2 points",
        ),
        (
            "partly",
            [(0.7, 0.002, [-0.01, 0.013], "cannot tell"), (0.5, 0.03, [0.02, 0.04], "yes")],
            "cannot tell whether it counts: the change is 0.2 points",
        ),
        (
            "harms",
            [(0.7, -0.002, [-0.003, 0.001], "no"), (0.5, -0.03, [-0.04, -0.02], "harms")],
            "closing does harm: −3 points",
        ),
    ],
)
def test_the_answer_counts_what_the_cells_leave_open(verdict, cells, said):
    (sentence,) = answer({"claims": answers(verdict, *cells)})
    assert said in sentence


def test_a_model_with_no_gain_at_the_noise_that_is_named_is_counted_among_the_gains():
    there = answers("holds", (0.7, 0.08, [0.07, 0.09], "yes"), model="b")
    cells = (0.7, 0.001, [-0.001, 0.003], "no"), (0.5, 0.03, [0.02, 0.04], "yes")
    bug, small = answer({"claims": [*there, *answers("partly", *cells)]})
    assert "by 8 percentage points on b (" in bug
    assert small.startswith("On a (") and "0.1 points, too little to count" in small


def test_what_is_not_decidable_is_said_to_change_answers():
    claims = answers("not decidable", claim="answers-kept")
    assert answer({"claims": claims}) == []
    (sentence,) = answer({"claims": [*claims, *answers("holds", claim="answers-kept", model="b")]})
    assert "changes no answer on the model" in sentence


@pytest.mark.parametrize(
    ("given", "again"),
    [
        ("gapkit replicate", ""),
        ("gapkit replicate --out 'my results' --only gap --only=noise --processes 2 --format md --quiet", ""),
        ("gapkit replicate --dataset=a/set.safetensors --galleries 10,16", "same"),
        ("gapkit replicate --published --full --seed 3", "same"),
        ("gapkit replicate --model wide --dataset folder --root 'my pictures' --template single", "same"),
    ],
)
def test_the_command_for_one_experiment_measures_something_else(record, given, again):
    options = given.removeprefix("gapkit replicate") if again else ""
    assert command_for("noise", record | {"command": given}) == f"gapkit replicate --only noise{options}"


def test_what_is_small_is_said_to_be_nothing_and_nothing_to_be_less():
    rows = pd.DataFrame({"model": "m", "alpha": [0.0, 1.0], "level": "x", "robustness": [3e-6, 0.5]})
    look = {"by": "level", "xlabel": "α", "ylabel": "robustness"}
    (shown,) = pictures("choice", rows, plot_over, "alpha", "robustness", **look)
    assert shown.alt.endswith("robustness over α: 3.0e-06 to 0.50.")
    (shown,) = pictures(
        "choice", rows.assign(robustness=[-1e-17, 0.5]), plot_over, "alpha", "robustness", **look
    )
    assert shown.alt.endswith("robustness over α: 0 to 0.50.")


def test_the_raw_shift_is_said_to_change_accuracy_where_it_does_not(tables):
    table = tables["raw-shift"].assign(clean_accuracy=0.9)
    (shown,) = sections()["raw-shift"].pictures({"raw-shift": table})
    assert "raw shift 0.900 to 0.900" in shown.caption and "does." not in shown.caption
